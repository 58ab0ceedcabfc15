//! Derivatives of the textbook models' log-likelihoods: golden standard errors, and numerical gradients and Hessians of log-likelihoods
//! written here anew.

use mixtura::Mixture;
use mixtura::data::{Buffer, Dense, Source};
use mixtura::family::Range;
use mixtura::family::bernoulli::Bernoulli;
use mixtura::family::binomial::Binomial;
use mixtura::family::linear::Linear;
use mixtura::fit::textbook::{self, Search};
use mixtura::fit::{Control, ModelOptions};
use mixtura::model::censored::{CensoredExtremeValue, CensoredNormal, Sample};
use mixtura::model::genetics::GeneTable;
use mixtura::model::probit::{Probit, Responses};
use mixtura::model::{Derivatives, FixedWeights, Identified};
use mixtura::stats::Statistic;
use mixtura_testkit::golden::{assert_close, data, item, numbers, textbook as golden};
use mixtura_testkit::oracle::{log_sum_exp, simpson, solve};
use mixtura_testkit::rows::{Random, weights};

fn derivatives<M: Identified>(model: &M, source: &dyn Source) -> mixtura::Result<Derivatives> {
    let mut all = Derivatives::new(model.coordinates().len());
    for id in 0..source.n_chunks() {
        let mut part = Derivatives::new(model.coordinates().len());
        model.differentiate(source.read(id, &mut Buffer::default())?, &mut part)?;
        all.merge(&part);
    }
    Ok(all)
}

/// A packed lower triangle as a matrix.
fn square(packed: &[f64], p: usize) -> Vec<f64> {
    let at = |i: usize, j: usize| packed[i.max(j) * (i.max(j) + 1) / 2 + i.min(j)];
    (0..p * p).map(|n| at(n / p, n % p)).collect()
}

/// The inverse of the observed information.
fn covariance(d: &Derivatives) -> Vec<f64> {
    let p = d.gradient.len();
    let columns =
        (0..p).map(|j| solve(&square(&d.observed(), p), &(0..p).map(|i| f64::from(i == j)).collect::<Vec<_>>()));
    columns.collect::<Vec<_>>().concat()
}

fn standard_errors(d: &Derivatives) -> Vec<f64> {
    let (p, v) = (d.gradient.len(), covariance(d));
    (0..p).map(|i| v[i * p + i].sqrt()).collect()
}

/// Extrapolates central differences, of steps 1, ½ and ¼, to step 0 (Richardson): what is left is of sixth order.
fn extrapolate(f: impl Fn(f64) -> f64) -> f64 {
    let [a, b, c] = [1.0, 0.5, 0.25].map(f);
    let (ab, bc) = ((4.0 * b - a) / 3.0, (4.0 * c - b) / 3.0);
    (16.0 * bc - ab) / 15.0
}

/// Holds the derivatives at any point against differences of a log-likelihood, in steps of a share of `scale`.
fn against<M: Identified>(what: &str, model: &M, source: &dyn Source, scale: &[f64], f: impl Fn(&[f64]) -> f64) {
    let (d, x) = (derivatives(model, source).unwrap(), model.coordinates());
    let p = x.len();
    assert_eq!((model.names().len(), model.ranges().len(), scale.len()), (p, p, p), "{what}");
    let moved = |steps: &[(usize, f64)]| {
        let mut y = x.clone();
        steps.iter().for_each(|(i, h)| y[*i] += h * scale[*i] * 0.02);
        f(&y)
    };
    let observed = square(&d.observed(), p);
    let h = |i: usize| 0.02 * scale[i];
    for i in 0..p {
        let slope = extrapolate(|t| (moved(&[(i, t)]) - moved(&[(i, -t)])) / (2.0 * t * h(i)));
        // Rounding of a sum of some hundred nats, 1e-13, over steps of 0.005 scales, beside information of 1 per row and scale.
        let size = (observed[i * p + i].abs() * d.weight).sqrt().max(1.0 / scale[i]);
        assert!((d.gradient[i] - slope).abs() < 1e-8 * size, "{what} gradient {i}: {} {slope}", d.gradient[i]);
        for j in 0..=i {
            let second = |t: f64| {
                if i == j {
                    return (moved(&[(i, t)]) - 2.0 * moved(&[]) + moved(&[(i, -t)])) / (t * t * h(i) * h(i));
                }
                let corner = |a: f64, b: f64| moved(&[(i, a * t), (j, b * t)]);
                (corner(1.0, 1.0) - corner(1.0, -1.0) - corner(-1.0, 1.0) + corner(-1.0, -1.0))
                    / (4.0 * t * t * h(i) * h(j))
            };
            let numerical = -extrapolate(second);
            // The same rounding over the square of a step: 1e-13 / 2.5e-5.
            let size = (observed[i * p + i] * observed[j * p + j]).abs().sqrt().max(1.0 / scale[i] / scale[j]);
            let got = observed[i * p + j];
            assert!((got - numerical).abs() < 1e-6 * size, "{what} ({i}, {j}): {got}, numerically {numerical}");
        }
    }
    // Coordinates lead back to the model.
    let again = model.with_coordinates(&x).expect("its own coordinates").coordinates();
    x.iter().zip(&again).for_each(|(a, b)| assert!((a - b).abs() <= 4e-16 * a.abs(), "{what}: {a} {b}"));
    assert!(model.with_coordinates(&x[1..]).is_none(), "{what}");
}

fn search() -> Search {
    // Standard errors to 1e-8 need parameters to as much: √(2 · 1e-14) of a standard error is 1e-7, and errors move by a share of that.
    Search { limits: ModelOptions { max_iter: 100_000, tolerance: 1e-14 }, restarts: 3, ..Search::default() }
}

#[test]
fn golden_standard_errors() {
    // Do & Batzoglou's coins with weights ½ and ½.
    let want = &golden("coin_do_batzoglou_2008")["expected"];
    let heads = Dense::new(vec![5.0, 9.0, 8.0, 4.0, 7.0], 1).unwrap();
    let coins = Binomial::new(numbers(&want["converged"]), Some(10)).unwrap();
    let model = Mixture::of(FixedWeights::new(vec![0.5; 2]).unwrap(), coins).unwrap();
    assert_eq!(model.names(), ["probability[0]", "probability[1]"]);
    let d = derivatives(&model, &heads).unwrap();
    // The reference's own Hessian is by differences: 1e-6 is the item's tolerance.
    assert_close("coins, covariance", &covariance(&d), &numbers(&want["vcov_observed_info"]), 1e-6);
    assert_close("coins", &standard_errors(&d), &numbers(&want["se"]), 1e-6);

    let moths = GeneTable::peppered_moths();
    let want = &item("incomplete_data", "peppered_moth")["expected"];
    let fit = textbook::genes(&moths, &search(), Control::default()).unwrap().fit.model;
    let d = derivatives(&fit, &moths.rows().unwrap()).unwrap();
    let (v, se) = (covariance(&d), standard_errors(&d));
    // T is 1 less the others.
    let last = (v[0] + v[3] + 2.0 * v[1]).sqrt();
    assert_close("moths", &[se[0], se[1], last], &numbers(&want["se"]), 1e-8);
    let correlations = [v[1] / se[0] / se[1], -(v[0] + v[1]) / se[0] / last, -(v[1] + v[3]) / se[1] / last];
    let expected = ["corr_CI", "corr_CT", "corr_IT"].map(|k| want[k].as_f64().unwrap());
    assert_close("moths, correlations", &correlations, &expected, 1e-7);

    let case = item("incomplete_data", "progressively_censored_extreme_value");
    let removed: Vec<u32> = numbers(&case["input"]["removed"]).iter().map(|r| *r as u32).collect();
    let sample = Sample::progressive(&numbers(&case["input"]["log_times"]), &removed).unwrap();
    let fit = textbook::censored_extreme_value(&sample, &search(), Control::default()).unwrap().fit.model;
    let d = derivatives(&fit, &sample.rows_in_units().unwrap()).unwrap();
    // The estimates are the reference's to 1e-7, its Hessian is by differences.
    assert_close("lifetimes", &standard_errors(&d), &numbers(&case["expected"]["se_observed_info"]), 1e-7);
    let scaled = derivatives(&fit.standardised(&sample), sample.rows()).unwrap();
    for (a, b) in standard_errors(&d).iter().zip(standard_errors(&scaled)) {
        // The same rows in another unit, rounded once.
        assert!((a / b / sample.scale() - 1.0).abs() < 1e-12);
    }

    let want = item("incomplete_data", "probit_em_ucla");
    if let Some(csv) = data("binary_ucla_orig.csv") {
        let table = Dense::new(csv.columns(&["admit", "gre", "gpa", "rank"]), 4).unwrap();
        let fit = Probit::new(0, numbers(&want["expected"]["newton"])).unwrap();
        let d = derivatives(&fit, &table).unwrap();
        assert_close("probit", &standard_errors(&d), &numbers(&want["expected"]["se_observed_info"]), 1e-8);
        let responses = Responses::new(&table, 0, &[]).unwrap();
        let there_and_back = fit.standardised(&responses).in_units(&responses);
        for (a, b) in fit.coefficients().iter().zip(there_and_back.coefficients()) {
            assert!((a / b - 1.0).abs() < 1e-12, "{a} {b}");
        }
    } else {
        println!("passed over: binary_ucla_orig.csv is not part of this repository");
    }
}

#[test]
fn mixtures_of_proportions() {
    let w = weights(40, 3);
    let mut r = Random::new(4);
    let heads: Vec<f64> =
        (0..40).flat_map(|i| [r.below(8) as f64 * f64::from(i % 2 + 1), 14.0 + (i % 3) as f64]).collect();
    let mut labels = vec![-1; 40];
    (labels[3], labels[17]) = (1, 0);
    let rows =
        Dense::new(heads.clone(), 2).unwrap().with_weights(w.clone()).unwrap().with_labels(labels.clone()).unwrap();
    // Weights in front: none where they are fixed, all but the last where they are free.
    let log_likelihood = |pi: [f64; 2], p: &[f64]| -> f64 {
        let row = |i: usize| {
            let (h, n) = (heads[2 * i], heads[2 * i + 1]);
            let one = |k: usize| pi[k].ln() + h * p[k].ln() + (n - h) * (1.0 - p[k]).ln();
            w[i] * if labels[i] >= 0 { one(labels[i] as usize) } else { log_sum_exp(&[one(0), one(1)]) }
        };
        (0..40).map(row).sum()
    };
    let coins = Binomial::new(vec![0.3, 0.6], None).unwrap();
    let free = Mixture::new(vec![0.4, 0.6], coins.clone()).unwrap();
    against("free coins", &free, &rows, &[0.4, 0.3, 0.3], |x| log_likelihood([x[0], 1.0 - x[0]], &x[1..]));
    let fixed = Mixture::of(FixedWeights::new(vec![0.4, 0.6]).unwrap(), coins).unwrap();
    against("fixed coins", &fixed, &rows, &[0.3, 0.3], |x| log_likelihood([0.4, 0.6], x));

    // Three latent classes of four answers, some missing.
    let answers: Vec<f64> = (0..160).map(|_| [0.0, 1.0, 1.0, f64::NAN][r.below(4)]).collect();
    let rows = Dense::new(answers.clone(), 4).unwrap().with_weights(w.clone()).unwrap();
    let p: Vec<f64> = (0..12).map(|_| 0.2 + 0.6 * r.uniform()).collect();
    let model = Mixture::new(vec![0.2, 0.5, 0.3], Bernoulli::new(4, p).unwrap()).unwrap();
    assert_eq!((model.names()[1].as_str(), model.names()[3].as_str()), ("weight[1]", "probability[0][1]"));
    against("classes", &model, &rows, &[0.2; 14], |x| {
        let pi = [x[0], x[1], 1.0 - x[0] - x[1]];
        let row = |i: usize| {
            let one = |k: usize| {
                let cell = |j: usize| match answers[i * 4 + j] {
                    1.0 => x[2 + k * 4 + j].ln(),
                    0.0 => (1.0 - x[2 + k * 4 + j]).ln(),
                    _ => 0.0,
                };
                pi[k].ln() + (0..4).map(cell).sum::<f64>()
            };
            w[i] * log_sum_exp(&[one(0), one(1), one(2)])
        };
        (0..40).map(row).sum()
    });
}

#[test]
fn mixtures_of_regressions() {
    let mut r = Random::new(8);
    let w = weights(50, 5);
    for intercept in [true, false] {
        let cells: Vec<f64> = (0..50)
            .flat_map(|i| {
                let (a, b) = (2.0 + r.normal(), r.normal());
                let y = if r.uniform() < 0.4 { 1.0 + a - b } else { -a + 0.5 * b } + 0.7 * r.normal();
                [a, if i == 7 { f64::NAN } else { b }, y]
            })
            .collect();
        let rows = Dense::new(cells.clone(), 3).unwrap().with_weights(w.clone()).unwrap();
        let coefficients: Vec<f64> =
            if intercept { vec![0.8, 1.1, -0.9, 0.2, -1.0, 0.6] } else { vec![1.1, -0.9, -1.0, 0.6] };
        let width = coefficients.len() / 2;
        let bank = Linear::new(intercept, 2, coefficients, vec![0.5, 0.8]).unwrap();
        let model = Mixture::new(vec![0.35, 0.65], bank).unwrap();
        assert_eq!(model.ranges().last(), Some(&Range::Positive));
        let scale = [vec![0.35], vec![0.5; 2 * width], vec![0.5; 2]].concat();
        against("regressions", &model, &rows, &scale, |x| {
            let row = |i: usize| {
                let cell = &cells[3 * i..][..3];
                let one = |k: usize| {
                    let b = &x[1 + k * width..][..width];
                    let line = (if width == 3 { b[0] } else { 0.0 }) + b[width - 2] * cell[0] + b[width - 1] * cell[1];
                    let s = x[1 + 2 * width + k];
                    let density = -0.5 * ((cell[2] - line) / s).powi(2) - s.ln() - 0.5 * std::f64::consts::TAU.ln();
                    [x[0], 1.0 - x[0]][k].ln() + if cell[1].is_nan() { 0.0 } else { density }
                };
                w[i] * log_sum_exp(&[one(0), one(1)])
            };
            (0..50).map(row).sum()
        });
    }
}

#[test]
fn genes() {
    let moths = |x: &[f64]| {
        let (c, i) = (x[0], x[1]);
        let t = 1.0 - c - i;
        85.0 * (c * c + 2.0 * c * i + 2.0 * c * t).ln() + 196.0 * (i * i + 2.0 * i * t).ln() + 341.0 * (t * t).ln()
    };
    let abo = |x: &[f64]| {
        let (a, o) = (x[0], x[1]);
        let b = 1.0 - a - o;
        186.0 * (a * a + 2.0 * a * o).ln()
            + 38.0 * (b * b + 2.0 * b * o).ln()
            + 13.0 * (2.0 * a * b).ln()
            + 284.0 * (o * o).ln()
    };
    let linkage =
        |x: &[f64]| 125.0 * (0.5 + 0.25 * x[0]).ln() + 38.0 * (0.25 * (1.0 - x[0])).ln() + 34.0 * (0.25 * x[0]).ln();
    let check = |what: &str, table: GeneTable, f: &dyn Fn(&[f64]) -> f64| {
        let model = table.random_start(mixtura::Seed::new(3));
        let scale = vec![model.values().iter().copied().fold(1.0, f64::min); model.coordinates().len()];
        against(what, &model, &table.rows().unwrap(), &scale, f);
    };
    check("moths", GeneTable::peppered_moths(), &moths);
    check("abo", GeneTable::abo_blood_groups(), &abo);
    check("linkage", GeneTable::linkage(), &linkage);
    // An allele that nobody carries has no standard error.
    let table = GeneTable::from_text("A,AA|AO,10\nB,BB|BO,0\nAB,AB,0\nO,OO,5").unwrap();
    let fit = textbook::genes(&table, &Search::default(), Control::default()).unwrap().fit.model;
    let text = derivatives(&fit, &table.rows().unwrap()).unwrap_err().to_string();
    assert!(text.contains("'B'") && text.contains("edge"), "{text}");
}

/// Samples with every kind of row, about 5 with spread 2.
fn sample(n: usize) -> Vec<[f64; 2]> {
    let mut r = Random::new(6);
    let row = |i: usize| {
        let y = 5.0 + 2.0 * r.normal();
        match i % 5 {
            0 => [y - 0.7, f64::NAN],
            1 => [f64::NAN, y + 1.1],
            2 => [y - 0.3, y + 1.3],
            _ => [y, y],
        }
    };
    (0..n).map(row).collect()
}

#[test]
fn censored_values() {
    let (rows, w) = (sample(30), weights(30, 9));
    let table = Dense::new(rows.concat(), 2).unwrap().with_weights(w.clone()).unwrap();
    let gauss = |z: f64| (-0.5 * z * z).exp() / std::f64::consts::TAU.sqrt();
    let extreme = |z: f64| (z - z.exp()).exp();
    let total = |x: &[f64], density: &dyn Fn(f64) -> f64, support: (f64, f64)| -> f64 {
        let row = |i: usize| {
            let [a, b] = rows[i].map(|b| (b - x[0]) / x[1]);
            if a == b {
                return w[i] * (density(a).ln() - x[1].ln());
            }
            let (from, to) = (if a.is_nan() { support.0 } else { a }, if b.is_nan() { support.1 } else { b });
            // Pieces of at most 0.01: the rule's error is below 1e-12 and smooth in the parameters.
            w[i] * simpson(density, from, to, 2500).ln()
        };
        (0..30).map(row).sum()
    };
    let normal = CensoredNormal::new(5.3, 1.7).unwrap();
    against("normal", &normal, &table, &[1.0, 1.0], |x| total(x, &gauss, (-12.0, 12.0)));
    let law = CensoredExtremeValue::new(5.3, 1.7).unwrap();
    against("extreme", &law, &table, &[1.0, 1.0], |x| total(x, &extreme, (-40.0, 4.5)));

    // Far out and narrow rows, where differences would have no digit left.
    let one = |lower: f64, upper: f64| {
        let d =
            derivatives(&CensoredNormal::new(0.0, 1.0).unwrap(), &Dense::new(vec![lower, upper], 2).unwrap()).unwrap();
        (d.gradient.clone(), d.observed(), d.missing)
    };
    // Beyond 1000 the mean is 1000.000999998 and the variance 1e-6 (1 − 6e-6 + 50e-12); minus the second derivative is 1 less that.
    let (gradient, observed, missing) = one(1e3, f64::NAN);
    assert!((gradient[0] - 1_000.000_999_998).abs() < 1e-9, "{gradient:?}");
    assert!((missing[0] / (1e-6 * (1.0 - 6e-6 + 50e-12)) - 1.0).abs() < 1e-9, "{missing:?}");
    assert!((observed[0] - (1.0 - missing[0])).abs() < 1e-15);
    let (mirrored, ..) = one(f64::NAN, -1e3);
    assert_eq!((mirrored[0], mirrored[1]), (-gradient[0], gradient[1]));
    // A width of 1e-9 changes an exact value's figures by as much.
    let (narrow, exact) = (one(1.3, 1.3 + 1e-9), one(1.3, 1.3));
    narrow.1.iter().zip(&exact.1).chain(narrow.0.iter().zip(&exact.0)).for_each(|(a, b)| assert!((a - b).abs() < 1e-8));
}

/// Φ by its series of positive terms (Marsaglia 2004).
fn normal_cdf(x: f64) -> f64 {
    let (mut term, mut sum) = (x, x);
    for k in 1..200 {
        term *= x * x / f64::from(2 * k + 1);
        sum += term;
    }
    0.5 + sum * (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt()
}

#[test]
fn probit() {
    let mut r = Random::new(12);
    let w = weights(60, 2);
    let cells: Vec<f64> = (0..60).flat_map(|_| [r.normal(), f64::from(r.below(2) as u32), 3.0 + r.normal()]).collect();
    let table = Dense::new(cells.clone(), 3).unwrap().with_weights(w.clone()).unwrap();
    let model = Probit::new(1, vec![0.3, 0.8, -0.2]).unwrap();
    against("probit", &model, &table, &[1.0, 1.0, 0.3], |b| {
        let row = |i: usize| {
            let eta = b[0] + b[1] * cells[3 * i] + b[2] * cells[3 * i + 2];
            w[i] * normal_cdf(if cells[3 * i + 1] == 1.0 { eta } else { -eta }).ln()
        };
        (0..60).map(row).sum()
    });
}

#[test]
fn the_edge_of_a_range_is_refused() {
    let rows = Dense::new(vec![0.0, 0.0, 3.0, 4.0], 1).unwrap();
    for p in [vec![0.0, 0.7], vec![0.7, 0.0]] {
        let model = Mixture::equal(Binomial::new(p, Some(5)).unwrap());
        let text = derivatives(&model, &rows).unwrap_err().to_string();
        assert!(text.contains("probability[") && text.contains("edge of its range"), "{text}");
        let mut out = model.coordinates();
        out[1] = 1.5;
        assert!(model.with_coordinates(&out).is_none());
    }
    let answers = Dense::new(vec![1.0, 0.0, 1.0, 1.0], 2).unwrap();
    let certain = Mixture::equal(Bernoulli::new(2, vec![1.0, 0.5]).unwrap());
    assert!(derivatives(&certain, &answers).is_err());
    let free = Mixture::equal(Binomial::new(vec![0.2, 0.7], Some(5)).unwrap());
    assert!(free.with_coordinates(&[1.0, 0.2, 0.7]).is_none() && free.with_coordinates(&[-0.1, 0.2, 0.7]).is_none());
}
