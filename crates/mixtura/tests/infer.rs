//! Information-based standard errors: derivatives against densities of the testkit differentiated numerically, methods against each
//! other, closed forms, and what has no standard errors.

use mixtura::algorithm::Squarem;
use mixtura::data::{Dense, Source, for_each_row};
use mixtura::family::gaussian::{Gaussian, Structure};
use mixtura::family::{Differentiable, Emission};
use mixtura::fit::{Control, ModelOptions, fit_model};
use mixtura::infer::{self, By, Errors, Method, PointKind, Question, Stationarity};
use mixtura::model::{Identified, LatentModel, Mixture};
use mixtura_testkit::oracle::{gaussian_log_density, log_sum_exp};
use mixtura_testkit::rows::{self, Random};

/// Weights, means and covariances (D × D) of the coordinates that [`Identified`] documents, by the test's own reading.
fn read(x: &[f64], structure: Structure, k: usize, d: usize) -> (Vec<f64>, Vec<Vec<f64>>, Vec<Vec<f64>>) {
    let mut weights = x[..k - 1].to_vec();
    weights.push(1.0 - weights.iter().sum::<f64>());
    let means = (0..k).map(|c| x[k - 1 + c * d..][..d].to_vec()).collect();
    let rest = &x[k - 1 + k * d..];
    let covariance = |c: usize| {
        let mut full = vec![0.0; d * d];
        match structure {
            Structure::Full | Structure::Tied => {
                let block = &rest[if structure == Structure::Full { c * d * (d + 1) / 2 } else { 0 }..];
                for i in 0..d {
                    for j in 0..=i {
                        (full[i * d + j], full[j * d + i]) = (block[i * (i + 1) / 2 + j], block[i * (i + 1) / 2 + j]);
                    }
                }
            }
            Structure::Diag => (0..d).for_each(|j| full[j * d + j] = rest[c * d + j]),
            Structure::Spherical => (0..d).for_each(|j| full[j * d + j] = rest[c]),
        }
        full
    };
    (weights, means, (0..k).map(covariance).collect())
}

/// Σ w log p by the definition.
fn log_likelihood(x: &[f64], structure: Structure, k: usize, table: &dyn Source) -> f64 {
    let (weights, means, covariances) = read(x, structure, k, table.n_features());
    let mut total = 0.0;
    for_each_row(table, |_, row, w, label| {
        let joint = |c: usize| weights[c].ln() + gaussian_log_density(row, &means[c], &covariances[c]);
        total += w * label.map_or_else(|| log_sum_exp(&(0..k).map(joint).collect::<Vec<f64>>()), joint);
    })
    .unwrap();
    total
}

/// Derivative by central differences, Richardson's extrapolation over h, h/2, h/4: error of order h⁶.
fn slope(f: &dyn Fn(f64) -> f64, h: f64) -> f64 {
    let d = |h: f64| (f(h) - f(-h)) / (2.0 * h);
    let (a, b, c) = (d(h), d(0.5 * h), d(0.25 * h));
    let (ab, bc) = ((4.0 * b - a) / 3.0, (4.0 * c - b) / 3.0);
    (16.0 * bc - ab) / 15.0
}

/// Second derivative along a direction, in the same way.
fn bend(f: &dyn Fn(f64) -> f64, h: f64) -> f64 {
    let here = f(0.0);
    let d = |h: f64| (f(h) - 2.0 * here + f(-h)) / (h * h);
    let (a, b, c) = (d(h), d(0.5 * h), d(0.25 * h));
    let (ab, bc) = ((4.0 * b - a) / 3.0, (4.0 * c - b) / 3.0);
    (16.0 * bc - ab) / 15.0
}

/// Minus the Hessian (p × p) of a function, by polarisation of second derivatives along pairs.
fn curvature(f: &dyn Fn(&[f64]) -> f64, x: &[f64], steps: &[f64]) -> Vec<f64> {
    let p = x.len();
    let along = |i: usize, j: usize, sign: f64| {
        let moved = |t: f64| {
            let mut y = x.to_vec();
            y[i] += t * steps[i];
            if i != j {
                y[j] += sign * t * steps[j];
            }
            f(&y)
        };
        -bend(&moved, 1.0)
    };
    let entry = |i: usize, j: usize| {
        let whole = if i == j { along(i, i, 1.0) } else { (along(i, j, 1.0) - along(i, j, -1.0)) / 4.0 };
        whole / steps[i] / steps[j]
    };
    (0..p * p).map(|n| entry(n / p, n % p)).collect()
}

/// K overlapping components with correlations of their own, case weights, some labels and some missing cells.
fn imperfect(n: usize, k: usize, d: usize, structure: Structure, seed: u64) -> Dense<'static> {
    let mut r = Random::new(seed);
    let (mut values, mut labels) = (Vec::new(), Vec::new());
    for i in 0..n {
        let c = if r.uniform() < 0.35 { 0 } else { 1 + r.below(k - 1) };
        let common = if matches!(structure, Structure::Full | Structure::Tied) { 0.7 * r.normal() } else { 0.0 };
        let size = if structure == Structure::Tied { 1.0 } else { 1.0 + 0.4 * c as f64 };
        (0..d).for_each(|j| {
            values.push(3.2 * c as f64 * if j % 2 == 0 { 1.0 } else { -0.7 } + size * (r.normal() + common))
        });
        labels.push(if i % 10 == 0 { c as i32 } else { -1 });
        if i % 7 == 3 {
            let j = r.below(d);
            values[i * d + j] = f64::NAN;
        }
    }
    Dense::new(values, d).unwrap().with_weights(rows::weights(n, seed)).unwrap().with_labels(labels).unwrap()
}

/// The optimum near a start from the labelled rows' positions, to 1e-12 nats.
/// What every face shows: coordinates and what follows from them.
fn told(model: &Mixture<Gaussian>, table: &Dense) -> Errors {
    let question = Question::new(By::Information(Method::Louis));
    question.gaussian(model, None, table, &[], Control::default()).unwrap().errors
}

fn optimum(table: &Dense, k: usize, structure: Structure) -> Mixture<Gaussian> {
    let d = table.n_features();
    let means = (0..k * d).map(|n| 3.2 * (n / d) as f64 * if (n % d).is_multiple_of(2) { 1.0 } else { -0.7 }).collect();
    let unit: Vec<f64> = (0..d * d).map(|n| f64::from(u8::from(n / d == n % d))).collect();
    let start = Mixture::equal(Gaussian::new(structure, d, means, unit.repeat(k)).unwrap());
    let options = ModelOptions { max_iter: 5000, tolerance: 1e-13 };
    let fit = fit_model(vec![start], table, Squarem::default, options, Control::default()).unwrap();
    // SQUAREM's last steps are as long as its stop rule lets them; plain EM takes away what they left.
    polish(fit.model, table, 200)
}

fn polish<M: LatentModel>(mut model: M, table: &dyn Source, iterations: usize) -> M {
    use mixtura::algorithm::{Algorithm, Batch};
    use mixtura::engine::Threads;
    for _ in 0..iterations {
        Batch(mixtura::model::Posterior::Soft).step(&mut model, &mut Threads::new(table)).unwrap();
    }
    model
}

/// The largest difference of two covariances over the standard errors of the second.
fn apart(a: &[f64], b: &[f64]) -> f64 {
    let p = (a.len() as f64).sqrt() as usize;
    let se = |i: usize| b[i * p + i].sqrt();
    (0..p * p).map(|n| (a[n] - b[n]).abs() / se(n / p) / se(n % p)).fold(0.0, f64::max)
}

#[test]
fn gaussian_derivatives_are_those_of_the_density() {
    let mut r = Random::new(4);
    for structure in Structure::ALL {
        let (k, d) = (2, 3);
        let table = imperfect(60, k, d, structure, 3);
        let bank = optimum(&table, k, structure).emission().clone();
        let (x, names) = (bank.coordinates(), bank.names());
        assert_eq!((x.len(), names.len(), bank.ranges().len()), (bank.n_free_parameters(), x.len(), x.len()));
        assert_eq!(bank.with_coordinates(&x).unwrap().coordinates(), x);
        for case in 0..6 {
            let mut row: Vec<f64> = (0..d).map(|_| 2.0 * r.normal()).collect();
            // Complete, each column missing, two missing, all missing.
            (0..d)
                .filter(|j| [vec![], vec![0], vec![1], vec![2], vec![0, 2], vec![0, 1, 2]][case].contains(j))
                .for_each(|j| row[j] = f64::NAN);
            for c in 0..k {
                let own = bank.coordinates_of(c);
                let q = own.len();
                let density = |y: &[f64]| {
                    let mut all = [vec![0.5], x.clone()].concat();
                    own.iter().zip(y).for_each(|(i, v)| all[1 + i] = *v);
                    let (_, means, covariances) = read(&all, structure, k, d);
                    gaussian_log_density(&row, &means[c], &covariances[c])
                };
                let at: Vec<f64> = own.iter().map(|&i| x[i]).collect();
                let (mut gradient, mut packed) = (vec![f64::NAN; q], vec![f64::NAN; q * (q + 1) / 2]);
                bank.differentiate(c, &row, &mut gradient, &mut packed);
                // Variances are about 1: steps of 0.02 leave (0.02)⁶ of the seventh derivative, and rounding 1e-15 / 0.005².
                let steps = vec![0.02; q];
                let want = curvature(&density, &at, &steps);
                for i in 0..q {
                    let moved = |t: f64| {
                        let mut y = at.clone();
                        y[i] += t;
                        density(&y)
                    };
                    let g = slope(&moved, 0.02);
                    assert!((g - gradient[i]).abs() < 1e-8 * (1.0 + g.abs()), "{} {g} {}", names[own[i]], gradient[i]);
                    for j in 0..=i {
                        let (got, want) = (packed[i * (i + 1) / 2 + j], want[i * q + j]);
                        assert!(
                            (got - want).abs() < 1e-6 * (1.0 + want.abs()),
                            "{structure:?} {case} {} {}: {got} {want}",
                            names[own[i]],
                            names[own[j]]
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn observed_information_is_the_hessian_of_the_log_likelihood() {
    for (structure, k, d) in Structure::ALL.into_iter().flat_map(|s| [(s, 2, 2), (s, 3, 1), (s, 2, 3)]) {
        let table = imperfect(150, k, d, structure, 7);
        let model = optimum(&table, k, structure);
        let (x, f) = (model.coordinates(), |x: &[f64]| log_likelihood(x, structure, k, &table));
        let sums = infer::derivatives(&model, &table).unwrap();
        let p = x.len();
        assert_eq!(p, model.n_free_parameters());
        let se: Vec<f64> = (0..p).map(|i| sums.complete[i * (i + 1) / 2 + i].sqrt().recip()).collect();
        // A third of a standard error: Richardson leaves 1e-3⁶ of derivatives of some hundred rows; rounding 1e-13 / 0.08².
        let want = curvature(&f, &x, &se.iter().map(|s| 0.3 * s).collect::<Vec<f64>>());
        let observed = sums.observed();
        for n in 0..p * p {
            let (i, j) = (n / p, n % p);
            let got = observed[i.max(j) * (i.max(j) + 1) / 2 + i.min(j)];
            let off = (got - want[n]).abs() * se[i] * se[j];
            assert!(
                off < 1e-6,
                "{structure:?} K={k} D={d} {} {}: {got} {}",
                model.names()[i],
                model.names()[j],
                want[n]
            );
        }
        // Away from the optimum as well, where the gradient does not vanish.
        let aside: Vec<f64> = x.iter().zip(&se).map(|(x, s)| x + 0.5 * s).collect();
        let sums = infer::derivatives(&model.with_coordinates(&aside).unwrap(), &table).unwrap();
        for i in 0..p {
            let moved = |t: f64| {
                let mut y = aside.clone();
                y[i] += t;
                f(&y)
            };
            let want = slope(&moved, 0.3 * se[i]);
            assert!((sums.gradient[i] - want).abs() * se[i] < 1e-8, "{structure:?} {} {want}", sums.gradient[i]);
        }
    }
}

#[test]
fn methods_agree_at_the_optimum() {
    for (structure, k, d) in Structure::ALL.into_iter().flat_map(|s| [(s, 2, 2), (s, 3, 1), (s, 2, 3)]) {
        let table = imperfect(600, k, d, structure, 11);
        let model = optimum(&table, k, structure);
        let louis = infer::errors(&model, &table, Method::Louis).unwrap();
        let numerical = infer::errors(&model, &table, Method::Numerical).unwrap();
        let supplemental = infer::errors(&model, &table, Method::Supplemental).unwrap();
        assert_eq!(louis.notes, Vec::<String>::new());
        // What the issue asks for is 1e-5 and 1e-3; both are central differences with Richardson's extrapolation, whose error is
        // (0.1/√600)⁴ = 3e-10 times derivatives, divided by the share of information that the worst direction keeps.
        let (a, b) =
            (apart(&numerical.covariance, &louis.covariance), apart(&supplemental.covariance, &louis.covariance));
        println!("{structure:?} K={k} D={d}: numerical {a:.1e}, sem {b:.1e}, asymmetry {:?}", supplemental.asymmetry);
        assert!(a < 1e-6 && b < 1e-4, "{structure:?} K={k} D={d}: {a:e} {b:e}");
        // In standardised columns and back, the same again; and in other units and far off.
        for (scale, shift) in [(1.0, 0.0), (1e-6, 0.0), (1.0, 1e8), (1e6, -1e9)] {
            let one = structure == Structure::Spherical;
            let scales: Vec<f64> = (0..d).map(|j| if j == 0 || one { scale } else { 1.0 }).collect();
            let (mut values, mut labels) = (Vec::new(), Vec::new());
            for_each_row(&table, |_, row, _, label| {
                values.extend(row.iter().zip(&scales).map(|(x, s)| x * s + shift));
                labels.push(label.map_or(-1, |l| l as i32));
            })
            .unwrap();
            let moved = Dense::new(values, d)
                .unwrap()
                .with_weights(rows::weights(600, 11))
                .unwrap()
                .with_labels(labels)
                .unwrap();
            let bank = model.emission();
            let means = (0..k * d).map(|n| bank.mean(n / d)[n % d] * scales[n % d] + shift).collect();
            let covariances = (0..k).flat_map(|c| bank.covariance(c)).enumerate();
            let covariances = covariances.map(|(n, c)| c * scales[n / d % d] * scales[n % d]).collect();
            let there = model.clone().with_emission(Gaussian::new(structure, d, means, covariances).unwrap());
            let errors = infer::gaussian_errors(&there, None, &moved, &[], Method::Louis).unwrap();
            // Standard errors are so many units of their coordinate: compare in units of the reference's.
            let factor: Vec<f64> = errors
                .names
                .iter()
                .zip(&louis.names)
                .map(|(a, b)| {
                    assert_eq!(a, b);
                    unit(a, &scales)
                })
                .collect();
            let p = factor.len();
            let back: Vec<f64> = (0..p * p).map(|n| errors.covariance[n] / factor[n / p] / factor[n % p]).collect();
            // Rows and means at 1e8 or 1e9 keep 1e-8 or 1e-7 of a standard deviation.
            let off = apart(&back, &louis.covariance);
            assert!(off < if shift == 0.0 { 1e-9 } else { 1e-5 }, "{structure:?} {scale} {shift}: {off:e}");
        }
    }
}

/// How many units of a coordinate its standard error has when columns are multiplied by `scales`, from its name.
fn unit(name: &str, scales: &[f64]) -> f64 {
    let of = |text: &str| scales[text.parse::<usize>().unwrap()];
    let inside: Vec<&str> = name.split(['[', ']']).filter(|s| !s.is_empty()).collect();
    match inside[0] {
        "weight" => 1.0,
        "mean" => of(inside[2]),
        "covariance" => inside.last().unwrap().split(',').map(of).product(),
        "variance" if inside.len() == 3 => of(inside[2]) * of(inside[2]),
        _ => scales[0] * scales[0],
    }
}

#[test]
fn closed_forms() {
    let n = 40;
    let mut r = Random::new(2);
    let values: Vec<f64> = (0..n).map(|_| 3.0 + 2.0 * r.normal()).collect();
    let m = n as f64;
    let mean = values.iter().sum::<f64>() / m;
    let moment = |q: i32| values.iter().map(|x| (x - mean).powi(q)).sum::<f64>() / m;
    let (v, fourth, third) = (moment(2), moment(4), moment(3));
    let table = Dense::new(&values[..], 1).unwrap();
    for structure in Structure::ALL {
        let one = Mixture::equal(Gaussian::new(structure, 1, vec![mean], vec![v]).unwrap());
        let louis = infer::errors(&one, &table, Method::Louis).unwrap();
        let close = |got: f64, want: f64| assert!((got - want).abs() < 1e-12 * want.abs().max(1e-3), "{got} {want}");
        close(louis.covariance[0], v / m);
        close(louis.covariance[1], 0.0);
        close(louis.covariance[3], 2.0 * v * v / m);
        let sandwich = infer::errors(&one, &table, Method::Sandwich).unwrap();
        close(sandwich.covariance[0], v / m);
        close(sandwich.covariance[1], third / m);
        close(sandwich.covariance[3], (fourth - v * v) / m);
        // Var(σ) = σ²/2n, by the delta method in the data's own units.
        let told = told(&one, &table);
        assert!(told.names.len() == 4 && told.names[3].starts_with("sd"), "{:?}", told.names);
        assert!((told.covariance[15] - v / 2.0 / m).abs() < 1e-9 * v, "{told:?}");
    }
    // Every component known: weights are those of a multinomial sample, each mean has Σ_k/n_k.
    let (values, labels) = rows::clusters(5, 300, 3, 2);
    let weights = rows::weights(300, 8);
    let table =
        Dense::new(&values[..], 2).unwrap().with_weights(&weights[..]).unwrap().with_labels(&labels[..]).unwrap();
    let model = optimum(&table, 3, Structure::Full);
    let errors = infer::errors(&model, &table, Method::Louis).unwrap();
    let (p, total) = (errors.estimates.len(), weights.iter().sum::<f64>());
    for i in 0..2 {
        let share = weights.iter().zip(&labels).filter(|(_, l)| **l == i as i32).map(|(w, _)| w).sum::<f64>() / total;
        assert!((errors.estimates[i] - share).abs() < 1e-12);
        assert!((errors.covariance[i * p + i] - share * (1.0 - share) / total).abs() < 1e-12);
        let mean = 2 + 2 * i;
        let want = model.emission().covariance(i)[0] / (share * total);
        assert!((errors.covariance[mean * p + mean] - want).abs() < 1e-10);
    }
    let (a, b) = (errors.estimates[0], errors.estimates[1]);
    assert!((errors.covariance[1] + a * b / total).abs() < 1e-12);
    // The last weight has its own binomial variance.
    let told = told(&model, &table);
    let (last, p) = (1.0 - a - b, told.names.len());
    assert_eq!(told.names[2], "weight[2]");
    assert!((told.covariance[2 * p + 2] - last * (1.0 - last) / total).abs() < 1e-10);
}

#[test]
fn weight_two_is_the_row_twice_and_threads_change_no_bit() {
    let table = imperfect(5000, 2, 2, Structure::Full, 21);
    let model = optimum(&table, 2, Structure::Full);
    let here = infer::derivatives(&model, &table).unwrap();
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert!(pool.install(|| infer::derivatives(&model, &table).unwrap()) == here, "{threads} threads");
    }
    let mut values = Vec::new();
    for_each_row(&table, |i, row, _, _| (0..1 + i % 3).for_each(|_| values.extend_from_slice(row))).unwrap();
    let mut single = Vec::new();
    for_each_row(&table, |_, row, _, _| single.extend_from_slice(row)).unwrap();
    let twice = Dense::new(single, 2)
        .unwrap()
        .with_weights((0..5000).map(|i| (1 + i % 3) as f64).collect::<Vec<f64>>())
        .unwrap();
    let replicated = Dense::new(values, 2).unwrap();
    let model = polish(model, &replicated, 500);
    for method in [Method::Louis, Method::Sandwich] {
        let (a, b) =
            (infer::errors(&model, &twice, method).unwrap(), infer::errors(&model, &replicated, method).unwrap());
        // Sums of 1e4 rows in another order.
        assert!(apart(&a.covariance, &b.covariance) < 1e-11);
    }
}

fn refused(result: mixtura::Result<Errors>) -> String {
    let sentence = result.unwrap_err().to_string();
    assert!(!sentence.contains('\n') && sentence.len() < 300, "{sentence}");
    sentence
}

#[test]
fn at_the_symmetric_point_em_stays_and_the_certificate_says_saddle() {
    // Two clusters, symmetric or not: the flat direction of `tied` is a saddle of fourth order only.
    for (seed, d) in [(1, 1), (2, 2)] {
        let (values, _) = rows::clusters(seed, 200, 2, d);
        let table = Dense::new(values, d).unwrap();
        for structure in Structure::ALL {
            let unit: Vec<f64> = (0..d * d).map(|n| f64::from(u8::from(n / d == n % d))).collect();
            let start = Gaussian::new(structure, d, vec![1.0; 2 * d], unit.repeat(2)).unwrap();
            let start = Mixture::new(vec![0.4, 0.6], start).unwrap();
            let options = ModelOptions::default();
            let fit = fit_model(vec![start], &table, Squarem::default, options, Control::default()).unwrap();
            let bank = fit.model.emission();
            assert!(bank.mean(0).iter().zip(bank.mean(1)).all(|(a, b)| (a - b).abs() < 1e-6), "EM stays");
            let point = Stationarity::of(&fit.model, &table).unwrap();
            assert_eq!(point.kind, PointKind::Saddle, "{structure:?} D={d}: {point:?}");
            assert!(point.detail.starts_with("a saddle"), "{}", point.detail);
            let sentence = refused(infer::errors(&fit.model, &table, Method::Louis));
            assert!(sentence.contains("saddle"), "{sentence}");
        }
    }
}

#[test]
fn every_kind_of_point_is_told() {
    let table = imperfect(400, 2, 2, Structure::Full, 31);
    let best = optimum(&table, 2, Structure::Full);
    let point = Stationarity::of(&best, &table).unwrap();
    assert_eq!(point.kind, PointKind::Optimum, "{point:?}");
    assert!(point.nats_to_gain < 1e-9 && point.smallest_curvature > 0.0 && point.smallest_curvature < 1.0);
    // 1 − the rate of EM: the ratio of successive steps once the slowest direction is all that is left.
    let x = best.coordinates();
    let se: Vec<f64> = infer::errors(&best, &table, Method::Louis).unwrap().standard_errors();
    let aside: Vec<f64> = x.iter().zip(&se).map(|(x, s)| x + 0.01 * s).collect();
    let moved = polish(best.with_coordinates(&aside).unwrap(), &table, 12);
    let next = polish(moved.clone(), &table, 1);
    let distance = |m: &Mixture<Gaussian>| m.coordinates().iter().zip(&x).map(|(a, b)| a - b).collect::<Vec<f64>>();
    let (a, b) = (distance(&moved), distance(&next));
    let rate = a.iter().zip(&b).map(|(a, b)| a * b).sum::<f64>() / a.iter().map(|a| a * a).sum::<f64>();
    assert!((1.0 - rate - point.smallest_curvature).abs() < 0.02, "{rate} {}", point.smallest_curvature);
    // Half a standard error beside the optimum, the gain is that of a quadratic function: δᵀ I δ / 2, about the third order.
    let aside: Vec<f64> = x.iter().enumerate().map(|(i, x)| if i == 1 { x + 0.5 * se[1] } else { *x }).collect();
    let off = best.with_coordinates(&aside).unwrap();
    let point = Stationarity::of(&off, &table).unwrap();
    let gain = log_likelihood(&x, Structure::Full, 2, &table) - log_likelihood(&aside, Structure::Full, 2, &table);
    assert_eq!(point.kind, PointKind::NotStationary, "{point:?}");
    assert!((point.nats_to_gain / gain - 1.0).abs() < 0.1, "{} {gain}", point.nats_to_gain);
    let errors = infer::errors(&off, &table, Method::Louis).unwrap();
    assert!(errors.notes[0].contains("has not converged"), "{:?}", errors.notes);
    // Two equal components on rows with heavy tails (quantiles of a Laplace distribution): apart by ±a with one variance they change the
    // log-likelihood by a⁴ times 3 − kurtosis < 0, and how they share the rows changes nothing.
    let half = (0..100).map(|i| -(1.0 - (f64::from(i) + 0.5) / 100.0).ln());
    let heavy = Dense::new(half.flat_map(|x| [x, -x]).collect::<Vec<f64>>(), 1).unwrap();
    let same = Gaussian::new(Structure::Tied, 1, vec![0.0, 0.0], vec![1.0; 2]).unwrap();
    let same = polish(Mixture::new(vec![0.3, 0.7], same).unwrap(), &heavy, 5);
    let point = Stationarity::of(&same, &heavy).unwrap();
    assert_eq!(point.kind, PointKind::Ridge, "{point:?}");
    assert!(refused(infer::errors(&same, &heavy, Method::Louis)).contains("a ridge"));
}

#[test]
fn what_has_no_standard_errors_is_refused_in_a_sentence() {
    let (values, _) = rows::clusters(9, 60, 2, 2);
    let table = Dense::new(values.clone(), 2).unwrap();
    let bank = |means: Vec<f64>, covariances: Vec<f64>| Gaussian::new(Structure::Full, 2, means, covariances).unwrap();
    let of = |m: &Mixture<Gaussian>, t: &dyn Source| {
        refused(infer::gaussian_errors(m, None, t, &["a".into(), "b".into()], Method::Louis))
    };
    let unit = [1.0, 0.0, 0.0, 1.0];
    // On the floor: a component at one row with next to no variance.
    let spike = bank(vec![3.0, -1.0, values[0], values[1]], [unit, [1e-12, 0.0, 0.0, 1e-12]].concat());
    let sentence = of(&Mixture::equal(spike), &table);
    assert!(sentence.contains("component 1 sits on the covariance floor"), "{sentence}");
    let few = Dense::new(values[..10].to_vec(), 2).unwrap();
    let two = Mixture::equal(bank(vec![0.0, 0.0, 6.0, -3.0], unit.repeat(2)));
    assert!(of(&two, &few).contains("5 rows are fewer than the 11 free parameters"));
    // One row per component.
    let lonely = bank(vec![3.0, -1.0, 500.0, 500.0], [[9.0, 0.0, 0.0, 9.0], unit].concat());
    let mut with = values.clone();
    with.extend([500.0, 500.0]);
    let sentence = of(&Mixture::new(vec![0.98, 0.02], lonely).unwrap(), &Dense::new(with, 2).unwrap());
    assert!(sentence.contains("component 1 rests on 1.0 rows"), "{sentence}");
    let flat: Vec<f64> = values.chunks(2).flat_map(|r| [r[0], 7.0]).collect();
    let sentence = of(&two, &Dense::new(flat, 2).unwrap());
    assert!(sentence.contains("no spread in 1 of 2 directions"), "{sentence}");
    // Squares of variances, in units that 64-bit numbers do not square; 1e60 they do.
    for (unit, word) in [(1e80, "too large"), (1e-80, "too small"), (1e60, "")] {
        let cells: Vec<f64> = values.iter().map(|x| x * unit).collect();
        let table = Dense::new(cells, 2).unwrap();
        let two = mixtura::GaussianMixture::new(2).fit(&table).unwrap().model;
        if word.is_empty() {
            let errors = infer::gaussian_errors(&two, None, &table, &[], Method::Louis).unwrap();
            assert!(errors.standard_errors().iter().all(|s| s.is_normal()));
        } else {
            assert!(of(&two, &table).contains(word), "{}", of(&two, &table));
        }
    }
    // A weight of 0.
    let none = Mixture::new(vec![1.0, 0.0], bank(vec![3.0, -1.0, 6.0, -3.0], unit.repeat(2))).unwrap();
    let sentence = refused(infer::errors(&none, &table, Method::Louis));
    assert!(sentence.contains("the weight of component 1 is 0"), "{sentence}");
    let three = Dense::new(values.clone(), 2).unwrap().with_labels(vec![2; 60]).unwrap();
    assert!(refused(infer::errors(&two, &three, Method::Louis)).contains("labelled component 2"));
    let narrow = Dense::new(values[..60].to_vec(), 3).unwrap();
    assert!(of(&two, &narrow).contains("the rows have 3 columns, the model has 2"));
    // Variances of twice the data's and more: complete data would not have an optimum near.
    let wide = Mixture::equal(bank(vec![0.0, 0.0, 6.0, -3.0], [4.0, 0.0, 0.0, 4.0].repeat(2)));
    assert_eq!(Stationarity::of(&wide, &table).unwrap().kind, PointKind::NotStationary);
    let sentence = refused(infer::errors(&wide, &table, Method::Louis));
    assert!(sentence.contains("far from every optimum; iterate further"), "{sentence}");
    // A component so far out that no row has any responsibility left for it.
    let wild = Mixture::equal(bank(vec![-40.0, 0.0, 60.0, 0.0], unit.repeat(2)));
    let sentence = refused(infer::errors(&wild, &table, Method::Louis));
    assert!(sentence.contains("the data say nothing of mean[1][0]"), "{sentence}");
    assert!(By::named("jackknife").unwrap_err().to_string().contains("use one of louis, numerical, sem, sandwich"));
    for by in By::all() {
        assert_eq!(By::named(by.name()).unwrap(), by);
    }
}
