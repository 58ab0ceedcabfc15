//! One multivariate normal with missing cells: the mixture of one component, against EM by the definition; multiple imputation.

use mixtura::data::Dense;
use mixtura::family::gaussian::Structure;
use mixtura::fit::Method;
use mixtura::query::{Conditioner, Filling, impute};
use mixtura::{GaussianMixture, Seed};
use mixtura_testkit::oracle::{gaussian_log_density, solve};
use mixtura_testkit::rows::{self, Random};

/// Correlated rows with a share of the cells missing, more often where the first column is high (missing at random).
fn holes(seed: u64, n: usize, d: usize, unit: f64) -> Vec<f64> {
    let mut r = Random::new(seed);
    (0..n)
        .flat_map(|i| {
            let common = r.normal();
            let first = common + 0.5 * r.normal();
            (0..d)
                .map(|j| {
                    let x = if j == 0 { first } else { (1.0 - 0.3 * j as f64) * common + r.normal() + j as f64 };
                    let gone = if j == 0 { i % 17 == 3 } else { r.uniform() < if first > 0.5 { 0.5 } else { 0.1 } };
                    if gone { f64::NAN } else { unit * x }
                })
                .collect::<Vec<f64>>()
        })
        .collect()
}

/// A completed row and the conditional covariance of its missing cells (D × D, 0 elsewhere).
type Completed = (Vec<f64>, Vec<f64>);

/// Conditional mean of a row's missing cells and their conditional covariance (D × D, 0 elsewhere), by normal equations.
fn complete(row: &[f64], mean: &[f64], covariance: &[f64]) -> Completed {
    let d = row.len();
    let (seen, gone): (Vec<usize>, Vec<usize>) = (0..d).partition(|&j| !row[j].is_nan());
    let (mut x, mut c) = (row.to_vec(), vec![0.0; d * d]);
    let oo: Vec<f64> = seen.iter().flat_map(|&i| seen.iter().map(move |&j| covariance[i * d + j])).collect();
    for &m in &gone {
        let om: Vec<f64> = seen.iter().map(|&o| covariance[o * d + m]).collect();
        let b = if seen.is_empty() { Vec::new() } else { solve(&oo, &om) };
        x[m] = mean[m] + b.iter().zip(&seen).map(|(b, &o)| b * (row[o] - mean[o])).sum::<f64>();
        for &l in &gone {
            c[m * d + l] =
                covariance[m * d + l] - b.iter().zip(&seen).map(|(b, &o)| b * covariance[o * d + l]).sum::<f64>();
        }
    }
    (x, c)
}

/// Mean and covariance after EM by the definition (Little & Rubin 2002, §11.2), and the log-likelihood.
fn em(values: &[f64], d: usize, weights: &[f64], iterations: usize) -> (Vec<f64>, Vec<f64>, f64) {
    let total: f64 = weights.iter().sum();
    let mut mean = vec![0.0; d];
    let mut covariance: Vec<f64> = (0..d * d).map(|n| if n / d == n % d { 4.0 } else { 0.0 }).collect();
    for _ in 0..iterations {
        let completed: Vec<_> = values.chunks(d).map(|row| complete(row, &mean, &covariance)).collect();
        let average =
            |f: &dyn Fn(&Completed) -> f64| completed.iter().zip(weights).map(|(c, w)| w * f(c)).sum::<f64>() / total;
        let next: Vec<f64> = (0..d).map(|j| average(&|(x, _)| x[j])).collect();
        covariance =
            (0..d * d).map(|n| average(&|(x, c)| (x[n / d] - next[n / d]) * (x[n % d] - next[n % d]) + c[n])).collect();
        mean = next;
    }
    let log = values.chunks(d).zip(weights).map(|(row, w)| w * gaussian_log_density(row, &mean, &covariance)).sum();
    (mean, covariance, log)
}

#[test]
fn one_component_is_em_by_the_definition() {
    for (seed, n, d) in [(1, 120, 3), (2, 60, 2), (3, 300, 4)] {
        let (values, weights) = (holes(seed, n, d, 1.0), rows::weights(n, seed));
        let table = Dense::new(&values[..], d).unwrap().with_weights(&weights[..]).unwrap();
        let (mean, covariance, log) = em(&values, d, &weights, 1000);
        for method in [Method::Em, Method::Squarem] {
            let options = GaussianMixture { method, tolerance: 1e-10, max_iter: 10_000, ..GaussianMixture::new(1) };
            let fit = options.fit(&table).unwrap();
            // 1e-10 nats remain, so parameters are within some 1e-5 of a standard error.
            let close = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5);
            assert!(close(fit.model.emission().mean(0), &mean), "{:?} {mean:?}", fit.model.emission().mean(0));
            assert!(close(&fit.model.emission().covariance(0), &covariance));
            assert!((fit.log_likelihood - log).abs() < 1e-8, "{} {log}", fit.log_likelihood);
        }
    }
}

#[test]
fn imputed_means_are_conditional_means_and_draws_their_distribution() {
    let (n, d) = (150, 3);
    for unit in [1.0, 1e-100, 1e100] {
        let values = holes(4, n, d, unit);
        let fit = GaussianMixture { tolerance: 1e-8, ..GaussianMixture::new(1) };
        let model = fit.fit(&Dense::new(&values[..], d).unwrap()).unwrap().model;
        let bank = model.emission();
        let plain: Vec<f64> = values.iter().map(|x| x / unit).collect();
        let mean: Vec<f64> = bank.mean(0).iter().map(|m| m / unit).collect();
        let covariance: Vec<f64> = bank.covariance(0).iter().map(|c| c / unit / unit).collect();
        let mut filled = values.clone();
        let done = impute(&mut Conditioner::new(&model), &mut filled, 0, Filling::Mean).unwrap();
        assert_eq!(done.cells, values.iter().filter(|x| x.is_nan()).count());
        for (i, row) in plain.chunks(d).enumerate() {
            let (want, _) = complete(row, &mean, &covariance);
            // Solutions of at most two equations, well conditioned.
            (0..d).for_each(|j| assert!((filled[i * d + j] / unit - want[j]).abs() < 1e-12, "row {i}, column {j}"));
        }
        // Multiple imputation: another seed is another data set; over many of them the draws have the conditional moments.
        let row = plain.chunks(d).position(|r| r[1].is_nan() && r[2].is_nan() && !r[0].is_nan()).unwrap();
        let (centre, spread) = complete(&plain[row * d..][..d], &mean, &covariance);
        let sets = 4000_u64;
        let (mut first, mut product) = ([0.0; 2], [0.0; 3]);
        let draw = |seed: u64| {
            let mut one = values[row * d..][..d].to_vec();
            impute(&mut Conditioner::new(&model), &mut one, row, Filling::Draw(Seed::new(seed))).unwrap();
            one
        };
        for seed in 0..sets {
            let one = draw(seed);
            let off = [one[1] / unit - centre[1], one[2] / unit - centre[2]];
            (first[0], first[1]) = (first[0] + off[0], first[1] + off[1]);
            product = [product[0] + off[0] * off[0], product[1] + off[0] * off[1], product[2] + off[1] * off[1]];
        }
        let m = sets as f64;
        let (a, b, c) = (spread[d + 1], spread[d + 2], spread[2 * d + 2]);
        // Five standard errors of means, variances and a covariance of normal draws.
        assert!(first[0].abs() / m < 5.0 * (a / m).sqrt() && first[1].abs() / m < 5.0 * (c / m).sqrt());
        assert!((product[0] / m / a - 1.0).abs() < 5.0 * (2.0 / m).sqrt());
        assert!((product[2] / m / c - 1.0).abs() < 5.0 * (2.0 / m).sqrt());
        assert!((product[1] / m - b).abs() < 5.0 * ((a * c + b * b) / m).sqrt());
        assert!(draw(1) == draw(1) && draw(1) != draw(2), "the seed decides");
    }
}

#[test]
fn a_column_without_values_is_refused() {
    let values = [1.0, f64::NAN, 2.0, f64::NAN, 4.0, f64::NAN];
    for structure in Structure::ALL {
        let options = GaussianMixture { structure, ..GaussianMixture::new(1) };
        let error = options.fit(&Dense::new(&values[..], 2).unwrap()).unwrap_err().to_string();
        assert_eq!(error, "column 2 has no value in any row: leave it out");
    }
    // Values only in rows of weight 0 are none.
    let table = Dense::new(vec![1.0, 7.0, 2.0, f64::NAN, 4.0, f64::NAN], 2).unwrap();
    let error = GaussianMixture::new(1).fit(&table.with_weights(vec![0.0, 1.0, 1.0]).unwrap()).unwrap_err().to_string();
    assert!(error.contains("column 2 has no value in any row"), "{error}");
}
