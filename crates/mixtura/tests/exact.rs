//! Responsibilities below e⁻⁶⁰ that E-steps set to 0: no more is lost than `model/mixture.rs` says, in an E-step and in whole
//! fits, and switched off nothing is.

use mixtura::data::Dense;
use mixtura::family::gaussian::{Gaussian, Structure};
use mixtura::fit::{Init, Method, StatusKind};
use mixtura::{BayesianMixture, Fit, GaussianMixture, Mixture};
use mixtura_testkit::laws::expect;
use mixtura_testkit::oracle;
use mixtura_testkit::rows::{Random, weights};

/// e⁻⁶⁰: what the documentation says is left out.
const LEFT_OUT: f64 = 8.8e-27;

/// Three clusters of uneven sizes in two columns, their centres `apart` on the first; and uneven weights.
fn table(apart: f64, n: usize, seed: u64) -> (Vec<f64>, Vec<f64>) {
    let mut r = Random::new(seed);
    let mut rows = Vec::with_capacity(2 * n);
    for _ in 0..n {
        let c = if r.uniform() < 0.6 { 0.0 } else { 1.0 + r.below(2) as f64 };
        rows.extend([apart * c + r.normal(), (1.0 + 0.4 * c) * r.normal()]);
    }
    (rows, weights(n, seed))
}

fn start(structure: Structure, apart: f64) -> Mixture<Gaussian> {
    let means = vec![-0.3, 0.2, 0.8 * apart, 0.0, 2.1 * apart, -0.1];
    let bank = Gaussian::new(structure, 2, means, [1.0, 0.0, 0.0, 1.0].repeat(3)).unwrap();
    Mixture::new(vec![0.5, 0.2, 0.3], bank).unwrap()
}

#[test]
fn an_e_step_loses_no_more_than_the_bound() {
    const K: usize = 3;
    let n = 600;
    for structure in Structure::ALL {
        let mut left_out = 0;
        for (seed, apart) in [(1, 0.7), (2, 4.0), (3, 9.0), (4, 25.0)] {
            let (rows, w) = table(apart, n, seed);
            let (model, what) = (start(structure, apart), format!("{} {apart} apart", structure.name()));
            let source = Dense::new(&rows[..], 2).unwrap().with_weights(w.clone()).unwrap();
            let (cut, whole) = (expect(&model, &source), expect(&model.clone().with_exact(true), &source));
            let total: f64 = w.iter().sum();
            // Terms are summed in the same order, but a row without a responsibility is passed over, which moves the others to
            // other partial sums: n roundings of half an ulp at most, 2⁻⁵³·n relative to the sum of the sizes.
            let rounding = n as f64 * f64::EPSILON;
            let bound = total * K as f64 * LEFT_OUT;
            let lost = (cut.log_likelihood - whole.log_likelihood).abs();
            assert!(lost <= bound + rounding * whole.log_likelihood.abs(), "{what}: {lost} nats");

            // Joint log-densities, by elimination: what must be lost, and how far out those rows lie.
            let covariances: Vec<Vec<f64>> = (0..K).map(|k| model.emission().covariance(k)).collect();
            let span = rows.iter().fold(0.0_f64, |a, x| a.max(x.abs())) * 2.0;
            for row in rows.chunks(2) {
                let joint: Vec<f64> = (0..K)
                    .map(|k| {
                        model.weights()[k].ln()
                            + oracle::gaussian_log_density(row, model.emission().mean(k), &covariances[k])
                    })
                    .collect();
                let top = joint.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                left_out += joint.iter().filter(|j| **j < top - 60.0).count();
            }
            let len = structure.layout().len(2);
            for k in 0..K {
                let counts = (cut.stats.counts[k], whole.stats.counts[k]);
                let lost = (counts.0 - counts.1).abs();
                assert!(lost <= bound + rounding * counts.1, "{what}: count {k} {counts:?}");
                let moments = |stats: &mixtura::stats::Moments| {
                    let (mut mean, mut covariance) = (vec![0.0; 2], vec![0.0; len]);
                    stats.mean_and_covariance(k, &mut mean, &mut covariance);
                    [mean, covariance].concat()
                };
                let (a, b) = (moments(&cut.stats.emission), moments(&whole.stats.emission));
                // A sum of terms of size r·|x|^p errs by Σw·K·e⁻⁶⁰·span^p; a moment is such a sum over the count, and a covariance
                // takes away products of means, so three times that.
                for (i, (a, b)) in a.iter().zip(&b).enumerate() {
                    let size = span.powi(if i < 2 { 1 } else { 2 });
                    let bound = 3.0 * (bound / counts.1 + rounding) * size;
                    assert!((a - b).abs() <= bound, "{what}: moment {i} of {k}: {a} {b}");
                }
            }
        }
        // The law means nothing where nothing is below the line.
        assert!(left_out > 500, "{}: only {left_out} responsibilities are below the line", structure.name());
    }
}

#[test]
fn nothing_is_left_out_where_all_is_wanted() {
    // Two components 20 apart, one row at the first: r = e⁻²⁰⁰ = 1.4e-87 of the second (20²/2 nats less).
    let bank = Gaussian::new(Structure::Full, 1, vec![0.0, 20.0], vec![1.0, 1.0]).unwrap();
    let model = Mixture::equal(bank);
    let rows = Dense::new(vec![0.0], 1).unwrap();
    let count = |model: &Mixture<Gaussian>| expect(model, &rows).stats.counts[1];
    assert_eq!(count(&model), 0.0);
    // The exponent is exact, exp errs by 2.3e-16 of it and log-densities by some ulp of 200: 200·2⁻⁵² < 1e-13.
    assert!((count(&model.clone().with_exact(true)) / (-200.0_f64).exp() - 1.0).abs() < 1e-13);
    assert_eq!(count(&model.with_exact(true).with_exact(false)), 0.0);
}

#[test]
fn variational_bayes_leaves_nothing_out_where_all_is_wanted() {
    // Posteriors of two clusters 20 standard deviations apart, then rows near the first alone.
    let spread = |i: usize| (i % 11) as f64 * 0.3 - 1.5;
    let both = Dense::new((0..400).map(|i| 20.0 * (i % 2) as f64 + spread(i / 2)).collect::<Vec<_>>(), 1).unwrap();
    let start = BayesianMixture::new(2).fit(&both).unwrap().posterior;
    let far = usize::from(start.emission().point().mean(0)[0] < 10.0);
    let near_the_first = Dense::new(vec![0.0, 0.5], 1).unwrap();
    let count = |exact| {
        let options =
            BayesianMixture { exact, start: Some(Box::new(start.clone())), max_iter: 0, ..BayesianMixture::new(2) };
        options.fit(&near_the_first).unwrap().counts[far]
    };
    assert_eq!(count(false), 0.0);
    // Some 20²/2 nats less than the first, and above the smallest number by 500.
    assert!(count(true) > 0.0 && count(true) < 2.0 * LEFT_OUT, "{}", count(true));
}

fn fit(structure: Structure, apart: f64, exact: bool) -> Fit<Mixture<Gaussian>> {
    let (rows, w) = table(apart, 800, 7);
    let options = GaussianMixture {
        structure,
        exact,
        method: Method::Em,
        init: Init::Params(Box::new(start(structure, apart))),
        tolerance: REMAINING,
        max_iter: 100_000,
        ..GaussianMixture::new(3)
    };
    options.fit(&Dense::new(rows, 2).unwrap().with_weights(w).unwrap()).unwrap()
}

/// Nats that may remain.
const REMAINING: f64 = 1e-8;

#[test]
fn whole_fits_end_in_the_same_place() {
    for structure in Structure::ALL {
        for apart in [2.5, 7.0] {
            let what = format!("{} {apart} apart", structure.name());
            let (cut, whole) = (fit(structure, apart, false), fit(structure, apart, true));
            for f in [&cut, &whole] {
                assert_eq!(f.status.kind, StatusKind::Converged, "{what}");
            }
            let total = whole.total_weight;
            // Each run ends within REMAINING of its objective's optimum, by an estimate that may be off by a factor of 2, and the
            // two objectives differ by Σw·K·e⁻⁶⁰ at every parameter, and by rounding: n roundings of half an ulp.
            let rounding = 800.0 * f64::EPSILON * whole.log_likelihood.abs();
            let apart_by = 2.0 * REMAINING + total * 3.0 * LEFT_OUT + rounding;
            let lost = (cut.log_likelihood - whole.log_likelihood).abs();
            assert!(lost <= apart_by, "{what}: {lost} nats");

            // Parameters: at a distance d from the optimum ½ dᵀ I d nats remain, where the information of the rows, I = (1 − J)·I_c,
            // is at least 1 − λ times that of rows with known components, I_c (Dempster, Laird & Rubin 1977, §3; λ is EM's
            // slowest rate). So one parameter is at most √(2 τ / (1 − λ)) of its standard errors under I_c away, and two fits
            // twice that. Those standard errors: √(Σ_jj / N_k) of a mean, √((Σ_ii Σ_jj + Σ_ij²) / N_k) of a covariance,
            // √(π (1 − π) / N) of a weight; with shared parameters they are smaller.
            let gains: Vec<f64> = whole.trace.objective.windows(2).map(|o| o[1] - o[0]).collect();
            // Gains shrink by λ²; the last one above 1e-7 nats is far above the rounding of the two.
            let late = gains.windows(2).rev().find(|g| g[0] > 1e-7).expect("an iteration that gains");
            let (square, nats) = ((late[1] / late[0]).max(0.0), apart_by);
            assert!(square < 1.0, "{what}: gains grow");
            let away = 2.0 * (2.0 * nats / (1.0 - square.sqrt())).sqrt();
            for k in 0..3 {
                let (weight, count) = (whole.model.weights()[k], whole.model.weights()[k] * total);
                let off = (cut.model.weights()[k] - weight).abs();
                assert!(off <= away * (weight * (1.0 - weight) / total).sqrt(), "{what}: weight {k} off by {off}");
                let (a, b) = (cut.model.emission(), whole.model.emission());
                let (covariance, of_cut) = (b.covariance(k), a.covariance(k));
                for i in 0..2 {
                    let off = (a.mean(k)[i] - b.mean(k)[i]).abs();
                    assert!(off <= away * (covariance[i * 3] / count).sqrt(), "{what}: mean {k} off by {off}");
                    for j in 0..2 {
                        let off = (of_cut[i * 2 + j] - covariance[i * 2 + j]).abs();
                        let spread = covariance[i * 3] * covariance[j * 3] + covariance[i * 2 + j].powi(2);
                        assert!(off <= away * (spread / count).sqrt(), "{what}: covariance {k} off by {off}");
                    }
                }
            }
            println!(
                "{what}: {lost:.1e} nats, {} and {} iterations, 1 - λ = {:.1e}",
                cut.iterations,
                whole.iterations,
                1.0 - square.sqrt()
            );
        }
    }
}
