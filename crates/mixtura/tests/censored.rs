//! Censored samples: golden paths, high-precision tails, brute-force integrals and a derivative-free search.

use mixtura::algorithm::{Algorithm, Batch};
use mixtura::data::Dense;
use mixtura::engine::Threads;
use mixtura::model::censored::{CensoredExtremeValue, CensoredNormal, Sample};
use mixtura::model::{LatentModel, Posterior, Unconstrained};
use mixtura::{Result, Seed};
use mixtura_testkit::golden::{assert_close, item, number, numbers};
use mixtura_testkit::oracle::{climb, simpson};
use mixtura_testkit::{laws, rows::Random};

const INFINITY: f64 = f64::INFINITY;
const NEG_INFINITY: f64 = f64::NEG_INFINITY;

fn step<M: LatentModel>(model: &mut M, sample: &Sample) -> f64 {
    Batch(Posterior::Soft).step(model, &mut Threads::new(sample.rows())).unwrap().objective + sample.log_jacobian()
}

#[test]
fn progressively_censored_extreme_values_follow_their_reference() {
    let case = item("incomplete_data", "progressively_censored_extreme_value");
    let removed: Vec<u32> = numbers(&case["input"]["removed"]).iter().map(|r| *r as u32).collect();
    let sample = Sample::progressive(&numbers(&case["input"]["log_times"]), &removed).unwrap();
    let want = &case["expected"];
    let start = CensoredExtremeValue::start(&sample).in_units(&sample);
    // The equations solved by mpmath 1.4.1 in 40 digits; the reference (key start_explained) is 2e-8 off that.
    assert_close("start", &[start.mu(), start.sigma()], &[1.4126628790135618, 0.7911888557008256], 1e-13);

    let begin = numbers(&case["settings"]["start"]);
    let (mu, sigma) = ((begin[0] - sample.shift()) / sample.scale(), begin[1] / sample.scale());
    let mut model = CensoredExtremeValue::new(mu, sigma).unwrap();
    let path = numbers(&want["exact_em_path_first12"]);
    for row in path.chunks(3) {
        let here = model.in_units(&sample);
        assert_close("path", &[here.mu(), here.sigma(), step(&mut model, &sample)], row, 1e-7);
    }
    (0..400).for_each(|_| {
        step(&mut model, &sample);
    });
    let end = model.in_units(&sample);
    // The reference stopped at changes of 1e-9.
    assert_close("optimum", &[end.mu(), end.sigma()], &numbers(&want["mle"]), 1e-8);
    assert_close("log-likelihood", &[step(&mut model, &sample)], &[number(&want["loglik"])], 1e-10);
    let weibull = [number(&want["weibull_shape"]), number(&want["weibull_scale"])];
    assert_close("Weibull", &[1.0 / end.sigma(), end.mu().exp()], &weibull, 1e-7);
}

/// A law by its standard density, over where it is not negligible.
#[derive(Clone, Copy)]
struct Law {
    density: fn(f64) -> f64,
    support: (f64, f64),
}

const NORMAL: Law = Law { density: |z| (-0.5 * z * z).exp() / std::f64::consts::TAU.sqrt(), support: (-12.0, 12.0) };
const EXTREME: Law = Law { density: |z| (z - z.exp()).exp(), support: (-40.0, 4.0) };

impl Law {
    /// ∫ f p between the ends of a row, in z; f at an exact value.
    fn integral(&self, row: &[f64; 2], (mu, sigma): (f64, f64), f: impl Fn(f64) -> f64) -> f64 {
        let [from, to] = row.map(|b| (b - mu) / sigma);
        if row[0] == row[1] {
            return f(from) * (self.density)(from) / sigma;
        }
        let (from, to) = (from.max(self.support.0), to.min(self.support.1));
        // Steps of 0.005 and less: the rule's error is below 1e-11 of the densities' fourth derivatives.
        simpson(|z| f(z) * (self.density)(z), from, to.max(from), 2500)
    }

    fn log_likelihood(&self, rows: &[[f64; 2]], weights: &[f64], at: (f64, f64)) -> f64 {
        rows.iter().zip(weights).map(|(row, w)| w * self.integral(row, at, |_| 1.0).ln()).sum()
    }

    fn mean(&self, row: &[f64; 2], at: (f64, f64), f: impl Fn(f64) -> f64) -> f64 {
        self.integral(row, at, f) / self.integral(row, at, |_| 1.0)
    }
}

/// Samples of every kind of censoring, with unequal weights; σ = 2 about 5.
fn samples(law: Law) -> Vec<(Vec<[f64; 2]>, Vec<f64>)> {
    let mut r = Random::new(3);
    let mut draw = |n: usize| -> Vec<f64> {
        let value = |r: &mut Random| match law.support.0 < -20.0 {
            true => 5.0 + 2.0 * (-(1.0 - r.uniform()).ln()).ln(),
            false => 5.0 + 2.0 * r.normal(),
        };
        (0..n).map(|_| value(&mut r)).collect()
    };
    let weights = |n: usize| mixtura_testkit::rows::weights(n, 7);
    let mixed = draw(40).into_iter().enumerate().map(|(i, y)| match i * i % 7 {
        1 => [y - 0.7, INFINITY],
        2 => [NEG_INFINITY, y + 1.1],
        4 => [y - 0.3, y + 1.3],
        _ => [y, y],
    });
    let right = draw(60).into_iter().map(|y| if y > 5.0 { [5.0, INFINITY] } else { [y, y] });
    let grouped = draw(80).into_iter().map(|y| match y.floor() {
        y if y < 3.0 => [NEG_INFINITY, 3.0],
        y if y > 7.0 => [8.0, INFINITY],
        y => [y, y + 1.0],
    });
    let sets: [Vec<[f64; 2]>; 3] = [mixed.collect(), right.collect(), grouped.collect()];
    sets.into_iter().map(|rows| (rows.clone(), weights(rows.len()))).collect()
}

/// Cells of a sample's table and their weights.
fn cells(sample: &Sample, rows: &[[f64; 2]]) -> Vec<f64> {
    let cell = |b: &f64| if b.is_finite() { b / sample.scale() - sample.shift() / sample.scale() } else { f64::NAN };
    rows.iter().flatten().map(cell).collect()
}

/// Laws and the optimum by a search, for either law.
fn finds_the_optimum<M: LatentModel + Unconstrained>(
    law: Law,
    start: fn(&Sample, Seed) -> M,
    read: fn(&M) -> (f64, f64),
) {
    for (rows, weights) in samples(law) {
        let sample = Sample::new(&rows, Some(&weights)).unwrap();
        let table = cells(&sample, &rows);
        let found = laws::latent("censored", &start(&sample, Seed::new(2)), &table, 2, &weights);
        let (mu, sigma) = read(&found);
        let original = (mu * sample.scale() + sample.shift(), sigma * sample.scale());
        let (best, value) = climb(|x| law.log_likelihood(&rows, &weights, (x[0], x[1].exp())), &[4.0, 0.0]);
        // A search sees differences above 1e-13 of the objective, and so parameters to about 1e-6.
        assert_close("optimum", &[original.0, original.1], &[best[0], best[1].exp()], 1e-5);
        let ours = laws::expect(&found, sample.rows()).log_likelihood + sample.log_jacobian();
        assert!((ours - value).abs() < 1e-8, "{ours} {value}");
    }
}

#[test]
fn optima_are_those_of_a_direct_search() {
    finds_the_optimum(NORMAL, CensoredNormal::random_start, |m| (m.mu(), m.sigma()));
    finds_the_optimum(EXTREME, CensoredExtremeValue::random_start, |m| (m.mu(), m.sigma()));
}

#[test]
fn one_normal_step_is_the_moments_by_brute_force() {
    for (rows, weights) in samples(NORMAL) {
        let at = (4.2, 2.9);
        let sample = Sample::new(&rows, Some(&weights)).unwrap();
        let (shift, scale) = (sample.shift(), sample.scale());
        let mut model = CensoredNormal::new((at.0 - shift) / scale, at.1 / scale).unwrap();
        let total: f64 = weights.iter().sum();
        let sum = |f: &dyn Fn(f64) -> f64| -> f64 {
            rows.iter().zip(&weights).map(|(row, w)| w * NORMAL.mean(row, at, f)).sum::<f64>() / total
        };
        let (first, second) = (sum(&|z| z), sum(&|z| z * z));
        // Simpson's rule is good to some 1e-11, the sums to 1e-13.
        assert!((step(&mut model, &sample) - NORMAL.log_likelihood(&rows, &weights, at)).abs() < 1e-8);
        let model = model.in_units(&sample);
        let want = [at.0 + at.1 * first, at.1 * (second - first * first).sqrt()];
        assert_close("step", &[model.mu(), model.sigma()], &want, 1e-9);
    }
}

#[test]
fn one_extreme_value_step_is_the_maximum_of_q() {
    for (rows, weights) in samples(EXTREME) {
        let at = (4.2, 2.9);
        let sample = Sample::new(&rows, Some(&weights)).unwrap();
        let (shift, scale) = (sample.shift(), sample.scale());
        let mut model = CensoredExtremeValue::new((at.0 - shift) / scale, at.1 / scale).unwrap();
        // Q of the complete data, every row integrated by brute force at every σ tried.
        let q = |x: &[f64]| -> f64 {
            let (mu, sigma) = (x[0], x[1].exp());
            let log_density = |z: f64| {
                let new = (at.0 + at.1 * z - mu) / sigma;
                new - new.exp() - sigma.ln()
            };
            rows.iter().zip(&weights).map(|(row, w)| w * EXTREME.mean(row, at, log_density)).sum()
        };
        assert!((step(&mut model, &sample) - EXTREME.log_likelihood(&rows, &weights, at)).abs() < 1e-8);
        let model = model.in_units(&sample);
        let (best, _) = climb(q, &[at.0, at.1.ln()]);
        // As above: what a search can see.
        assert_close("step", &[model.mu(), model.sigma()], &[best[0], best[1].exp()], 1e-5);
    }
}

#[test]
fn without_censoring_it_is_the_plain_fit() {
    let values = [2.0, 3.5, 3.75, 8.0, -1.0];
    let sample = Sample::new(&values.map(|y| [y, y]), None).unwrap();
    let mean = values.iter().sum::<f64>() / 5.0;
    let sd = (values.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / 5.0).sqrt();
    let mut model = CensoredNormal::random_start(&sample, Seed::new(3));
    step(&mut model, &sample);
    let model = model.in_units(&sample);
    assert_close("normal", &[model.mu(), model.sigma()], &[mean, sd], 1e-14);
    // The likelihood equations: Σ e^z = n and Σ z (e^z − 1) = n.
    let mut model = CensoredExtremeValue::random_start(&sample, Seed::new(3));
    step(&mut model, &sample);
    let model = model.in_units(&sample);
    let z = values.map(|y| (y - model.mu()) / model.sigma());
    assert!((z.iter().map(|z| z.exp()).sum::<f64>() - 5.0).abs() < 1e-13);
    assert!((z.iter().map(|z| z * z.exp_m1()).sum::<f64>() - 5.0).abs() < 1e-13);
}

#[test]
fn tails_keep_their_digits() {
    // mpmath 1.4.1, 1200 digits, differences of erfc: (lower, upper, log P, mean, variance) of a standard normal.
    let known = [
        (40.0, INFINITY, -804.6084420137538, 40.02496884720726, 0.0006226683785913888),
        (NEG_INFINITY, -40.0, -804.6084420137538, -40.02496884720726, 0.0006226683785913888),
        (19.5, INFINITY, -194.0169657774975, 19.551015802580622, 0.0025892375649502267),
        (20.5, INFINITY, -214.0667289632638, 20.548551052435847, 0.0023462203724707357),
        (99.0, INFINITY, -4906.014160387732, 99.01009894993145, 0.00010196799689116456),
        (101.0, INFINITY, -5106.034157055638, 101.00989904986949, 9.79719931745059e-5),
        (-3.0, INFINITY, -0.0013508099647481938, 0.004437839042125664, 0.9866667884582592),
        (40.0, 41.0, -804.6084420137538, 40.02496884720726, 0.0006226683785913863),
        (-41.0, -40.0, -804.6084420137538, -40.02496884720726, 0.0006226683785913863),
        (0.5, 0.5000000009313226, -21.838353950235863, 0.5000000004656613, 7.228014483236696e-20),
        (-9.313225746154785e-10, 9.313225746154785e-10, -21.02020676944309, 0.0, 2.8912057932946783e-19),
        (-30.0, 30.0, -9.813427854296374e-198, 0.0, 1.0),
        (-1.0, 2.0, -0.2001662943244626, 0.22963717909132897, 0.5197625392115339),
        (5.0, 35.0, -15.064998393988725, 5.186503967125842, 0.032696434617112226),
        (-30.0, 0.25, -0.5129840754094305, -0.6458393710168173, 0.42143166409039756),
    ];
    let model = CensoredNormal::new(0.0, 1.0).unwrap();
    for (lower, upper, log, mean, variance) in known {
        let (m, v) = model.completed(lower, upper).unwrap();
        assert!((m - mean).abs() < 1e-14 * f64::max(1.0, mean.abs()), "({lower}, {upper}): mean {m}, want {mean}");
        // Relative to itself, a variance beyond an end a < 100 is 1 − h (h − a): some a² roundings.
        assert!((v / variance - 1.0).abs() < 1e-10, "({lower}, {upper}): variance {v}, want {variance}");
        let cell = |b: f64| if b.is_finite() { b } else { f64::NAN };
        let got = laws::expect(&model, &Dense::new(vec![cell(lower), cell(upper)], 2).unwrap()).log_likelihood;
        assert!((got - log).abs() < 1e-14 * f64::max(1.0, log.abs()), "({lower}, {upper}): log P {got}, want {log}");
    }
    // The same by E1 and exponentials, 700 digits: (lower, upper, log P, mean of z, mean of e^z), smallest extreme values.
    let known = [
        (0.0, INFINITY, -1.0, 0.5963473623231941, 2.0),
        (6.0, INFINITY, -403.4287934927351, 6.002472638199983, 404.4287934927351),
        (-45.0, INFINITY, -2.8625185805493937e-20, -0.5772156649015329, 1.0),
        (NEG_INFINITY, -40.0, -40.0, -41.0, 2.1241771276457944e-18),
        (NEG_INFINITY, 0.5, -0.21355918537343413, -0.9332128759952231, 0.6074777617200905),
        (NEG_INFINITY, 3.0, -1.8921786966284627e-9, -0.5772156717601884, 0.9999999619945749),
        (-50.0, -49.0, -49.45867514538708, -49.41802329313067, 3.585817755663691e-22),
        (-1.0, 2.0, -0.36877261431651226, 0.09529542423556735, 1.361605513299085),
        (-30.0, 3.0, -1.892272272858328e-9, -0.5772156717573416, 0.9999999619946685),
        (3.0, 3.5, -20.085539116903032, 3.0475231361716495, 21.08550833923152),
        (0.25, 0.2500000009313226, -21.82844083361836, 0.2500000004656613, 1.2840254172856624),
    ];
    let model = CensoredExtremeValue::new(0.0, 1.0).unwrap();
    for (lower, upper, log, mean, power) in known {
        let (m, e) = model.completed(lower, upper).unwrap();
        assert!((m - mean).abs() < 1e-13 * f64::max(1.0, mean.abs()), "({lower}, {upper}): mean {m}, want {mean}");
        assert!((e / power - 1.0).abs() < 1e-13, "({lower}, {upper}): e^z {e}, want {power}");
        let cell = |b: f64| if b.is_finite() { b } else { f64::NAN };
        let got = laws::expect(&model, &Dense::new(vec![cell(lower), cell(upper)], 2).unwrap()).log_likelihood;
        // Where the ends are close, 1e-16 of them is 1e-7 of their distance of 1e-9; the cells are exact, so it is not lost.
        assert!((got - log).abs() < 1e-13 * f64::max(1.0, log.abs()), "({lower}, {upper}): log P {got}, want {log}");
    }
}

#[test]
fn units_change_no_bit() {
    let (rows, weights) = samples(NORMAL).remove(0);
    let fit = |unit: f64| {
        let rows: Vec<[f64; 2]> = rows.iter().map(|r| r.map(|b| b * unit)).collect();
        let sample = Sample::new(&rows, Some(&weights)).unwrap();
        let (mut normal, mut extreme) = (CensoredNormal::start(&sample), CensoredExtremeValue::start(&sample));
        (0..5).for_each(|_| {
            step(&mut normal, &sample);
            step(&mut extreme, &sample);
        });
        let (normal, extreme) = (normal.in_units(&sample), extreme.in_units(&sample));
        [normal.mu(), normal.sigma(), extreme.mu(), extreme.sigma()].map(|v| v / unit)
    };
    let plain = fit(1.0);
    assert!(plain.iter().all(|v| v.is_finite()));
    // Powers of two near 1e-300 and 1e300: exact.
    for unit in [2.0_f64.powi(-996), 2.0_f64.powi(996)] {
        assert_eq!(fit(unit), plain);
    }
    // Both ends of the range in one sample.
    let sample = Sample::new(&[[-1e300, -1e300], [1e300, 1e300], [1e-300, 1e-300]], None).unwrap();
    let mut model = CensoredNormal::start(&sample);
    step(&mut model, &sample);
    let sd = model.in_units(&sample).sigma();
    assert!((sd / (1e300 * (2.0_f64 / 3.0).sqrt()) - 1.0).abs() < 1e-14, "{sd}");
}

#[test]
fn a_bound_forty_deviations_out_is_felt_and_survived() {
    // Exact values about 0 and one unit known to last beyond 40 of their standard deviations: a finite optimum.
    let mut rows: Vec<[f64; 2]> = [-1.2, -0.4, 0.1, 0.5, 1.1].map(|y| [y, y]).to_vec();
    rows.push([40.0, INFINITY]);
    let sample = Sample::new(&rows, None).unwrap();
    let mut model = CensoredNormal::new(-sample.shift() / sample.scale(), 1.0 / sample.scale()).unwrap();
    let first = step(&mut model, &sample);
    let here = model.in_units(&sample);
    // E[y | y > 40] = 40.02496884720726 (mpmath): the mean moves by a sixth of that.
    assert!((here.mu() - (0.1 + 40.02496884720726) / 6.0).abs() < 1e-13 && first.is_finite(), "{}", here.mu());
}

#[test]
fn refused_in_one_sentence() {
    let refused = |rows: &[[f64; 2]], part: &str| {
        let error = Sample::new(rows, None).expect_err(part).to_string();
        assert!(error.contains(part), "{error}");
    };
    let y = |v: f64| [v, v];
    refused(&[y(1.0), [3.0, 2.0]], "row 2 begins at 3 and ends at 2");
    refused(&[y(1.0), [f64::NAN, INFINITY]], "row 2 has neither a lower nor an upper end");
    refused(&[y(1.0), y(INFINITY)], "row 2 lies at infinity");
    refused(&[[1.0, INFINITY], [2.0, INFINITY]], "every row is open to one side");
    refused(&[[1.0, INFINITY], [NEG_INFINITY, 0.0]], "every row is open to one side");
    refused(&[y(2.0), y(2.0)], "every row agrees with the one value 2");
    refused(&[y(2.0), [1.0, INFINITY], [NEG_INFINITY, 2.0]], "every row agrees with the one value 2");
    refused(&[[0.0, 3.0], [1.0, 5.0]], "every row agrees with the one value 1");
    refused(&[y(2.0)], "every row agrees");
    refused(&[], "no rows");
    let weighted = |w: &[f64]| Sample::new(&[y(1.0), y(2.0), y(3.0)], Some(w)).map(|_| ());
    assert!(weighted(&[1.0, 2.0]).unwrap_err().to_string().contains("2 weights for 3 rows"));
    assert!(weighted(&[1.0, -2.0, 1.0]).unwrap_err().to_string().contains("the weight of row 2"));
    assert!(weighted(&[0.0, 0.0, 0.0]).unwrap_err().to_string().contains("every weight is 0"));
    assert!(weighted(&[0.0, 0.0, 1.0]).unwrap_err().to_string().contains("agrees with the one value 3"));
    assert!(Sample::progressive(&[1.0], &[1, 2]).unwrap_err().to_string().contains("1 failures and 2 numbers"));
    // Rows that come past the sample's checks are refused by the E-step, with their number.
    let table = Dense::new(vec![1.0, 1.0, 3.0, 2.0], 2).unwrap();
    let e_step = |table: &Dense<'_>| -> Result<()> {
        Batch(Posterior::Soft).step(&mut CensoredNormal::new(0.0, 1.0)?, &mut Threads::new(table))?;
        Ok(())
    };
    assert!(e_step(&table).unwrap_err().to_string().contains("row 2 begins at 3"));
    assert!(
        e_step(&Dense::new(vec![1.0, 2.0, 3.0], 1).unwrap()).unwrap_err().to_string().contains("row 1 has 1 cells")
    );
    assert!(e_step(&Dense::new(vec![2.0; 4], 2).unwrap()).unwrap_err().to_string().contains("sigma would be 0"));
    let mut extreme = CensoredExtremeValue::new(0.0, 1.0).unwrap();
    let same = Dense::new(vec![2.0; 4], 2).unwrap();
    assert!(Batch(Posterior::Soft).step(&mut extreme, &mut Threads::new(&same)).is_err());
    assert!(CensoredNormal::new(0.0, 0.0).is_err() && CensoredExtremeValue::new(f64::NAN, 1.0).is_err());
    assert!(CensoredNormal::new(0.0, 1.0).unwrap().completed(2.0, 1.0).is_err());
}

#[test]
fn rows_of_weight_zero_are_no_rows() {
    let rows = [[1.0, 1.0], [2.0, 2.5], [9.0, 9.0], [1.5, INFINITY]];
    let with = Sample::new(&rows, Some(&[1.0, 2.0, 0.0, 3.0])).unwrap();
    let without = Sample::new(&[rows[0], rows[1], rows[3]], Some(&[1.0, 2.0, 3.0])).unwrap();
    let (mut a, mut b) = (CensoredNormal::start(&with), CensoredNormal::start(&without));
    assert_eq!((step(&mut a, &with), a), (step(&mut b, &without), b));
}
