//! MAP EM with conjugate priors: the M-step is the posterior mode, the objective is bounded and climbed, units do not matter.

use mixtura::algorithm::{ALPHA, Algorithm, Batch, Stepwise};
use mixtura::data::{CHUNK_ROWS, Dense};
use mixtura::engine::Threads;
use mixtura::family::Emission;
use mixtura::family::gaussian::{Gaussian, Structure};
use mixtura::family::normal_wishart;
use mixtura::fit::{Method, Prior, StatusKind, Stop};
use mixtura::model::{LatentModel, Posterior, Unconstrained};
use mixtura::{Error, Fit, GaussianMixture, Mixture, Seed};
use mixtura_testkit::laws;
use mixtura_testkit::oracle::{gaussian_log_density, log_sum_exp};
use mixtura_testkit::rows::{Random, clusters, weights};

const D: usize = 2;

/// κ₀, ν₀ and the rest as an oracle needs them, D = 2.
struct Numbers {
    mean: [f64; D],
    kappa: f64,
    nu: f64,
    /// Full: 2 × 2; diag: its diagonal; spherical: its first.
    scale: [f64; 4],
    alpha: f64,
}

const NUMBERS: Numbers = Numbers { mean: [0.7, -0.4], kappa: 1.5, nu: 5.0, scale: [2.0, 0.6, 0.6, 1.0], alpha: 3.0 };

fn prior_of(structure: Structure) -> Prior {
    let scale = match structure {
        Structure::Full | Structure::Tied => NUMBERS.scale.to_vec(),
        Structure::Diag => vec![NUMBERS.scale[0], NUMBERS.scale[3]],
        Structure::Spherical => vec![NUMBERS.scale[0]],
    };
    Prior {
        mean: Some(NUMBERS.mean.to_vec()),
        mean_precision: NUMBERS.kappa,
        degrees_of_freedom: Some(NUMBERS.nu),
        covariance: Some(scale),
        weight_concentration: NUMBERS.alpha,
    }
}

fn determinant(m: &[f64]) -> f64 {
    m[0] * m[3] - m[1] * m[2]
}

fn inverse(m: &[f64]) -> [f64; 4] {
    let det = determinant(m);
    [m[3] / det, -m[1] / det, -m[2] / det, m[0] / det]
}

/// log prior from the densities' definitions (inverse Wishart, inverse gamma, normal, Dirichlet), constants left out.
fn log_prior(structure: Structure, weights: &[f64], means: &[f64], covariances: &[f64]) -> f64 {
    let n = &NUMBERS;
    let d = D as f64;
    let inverse_wishart = |s: &[f64]| {
        let p = inverse(s);
        let trace = p[0] * n.scale[0] + p[1] * n.scale[2] + p[2] * n.scale[1] + p[3] * n.scale[3];
        -0.5 * (n.nu + d + 1.0) * determinant(s).ln() - 0.5 * trace
    };
    let inverse_gamma = |v: f64, s0: f64| -(0.5 * n.nu + 1.0) * v.ln() - 0.5 * s0 / v;
    let mut sum = weights.iter().map(|w| (n.alpha - 1.0) * w.ln()).sum::<f64>();
    for k in 0..weights.len() {
        let s = &covariances[k * 4..][..4];
        sum += match structure {
            Structure::Full => inverse_wishart(s),
            Structure::Tied if k == 0 => inverse_wishart(s),
            Structure::Tied => 0.0,
            Structure::Diag => inverse_gamma(s[0], n.scale[0]) + inverse_gamma(s[3], n.scale[3]),
            Structure::Spherical => inverse_gamma(s[0], n.scale[0]),
        };
        let spread: Vec<f64> = s.iter().map(|v| v / n.kappa).collect();
        sum += gaussian_log_density(&means[k * D..][..D], &n.mean, &spread);
    }
    sum
}

/// The same at the prior's own mode, by its formulas.
fn log_prior_at_mode(structure: Structure, k: usize) -> f64 {
    let n = &NUMBERS;
    let d = D as f64;
    let c = match structure {
        Structure::Full => n.nu + d + 2.0,
        Structure::Tied => n.nu + d + 1.0 + k as f64,
        Structure::Diag => n.nu + 3.0,
        Structure::Spherical => n.nu + 2.0 + d,
    };
    let s = match structure {
        Structure::Full | Structure::Tied => n.scale.map(|v| v / c),
        Structure::Diag => [n.scale[0] / c, 0.0, 0.0, n.scale[3] / c],
        Structure::Spherical => [n.scale[0] / c, 0.0, 0.0, n.scale[0] / c],
    };
    log_prior(structure, &vec![1.0 / k as f64; k], &n.mean.repeat(k), &s.repeat(k))
}

/// Weights, means and covariances from free numbers: K − 1 log-odds, means, then per covariance a logarithmic Cholesky factor, log
/// variances or one.
fn unpack(structure: Structure, k: usize, free: &[f64]) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let odds: Vec<f64> = free[..k - 1].iter().map(|v| v.exp()).chain([1.0]).collect();
    let total: f64 = odds.iter().sum();
    let (means, rest) = free[k - 1..].split_at(k * D);
    let block = |c: usize| match structure {
        Structure::Full | Structure::Tied => {
            let l = &rest[if structure == Structure::Full { 3 * c } else { 0 }..][..3];
            let (a, b, e) = (l[0].exp(), l[1], l[2].exp());
            [a * a, a * b, a * b, b * b + e * e]
        }
        Structure::Diag => [rest[2 * c].exp(), 0.0, 0.0, rest[2 * c + 1].exp()],
        Structure::Spherical => [rest[c].exp(), 0.0, 0.0, rest[c].exp()],
    };
    (odds.iter().map(|o| o / total).collect(), means.to_vec(), (0..k).flat_map(block).collect())
}

fn objective(structure: Structure, k: usize, free: &[f64], rows: &[f64], case: &[f64]) -> f64 {
    let (w, means, covariances) = unpack(structure, k, free);
    let of_row = |row: &[f64]| {
        let joint =
            (0..k).map(|c| w[c].ln() + gaussian_log_density(row, &means[c * D..][..D], &covariances[c * 4..][..4]));
        log_sum_exp(&joint.collect::<Vec<_>>())
    };
    let likelihood: f64 = rows.chunks(D).zip(case).map(|(row, w)| w * of_row(row)).sum();
    likelihood + log_prior(structure, &w, &means, &covariances) - log_prior_at_mode(structure, k)
}

/// A maximum by BFGS on numerical gradients.
fn maximise(f: impl Fn(&[f64]) -> f64, mut x: Vec<f64>) -> (f64, Vec<f64>) {
    let n = x.len();
    let gradient = |x: &[f64]| -> Vec<f64> {
        (0..n)
            .map(|i| {
                let (mut up, mut down) = (x.to_vec(), x.to_vec());
                let h = 1e-5;
                (up[i], down[i]) = (up[i] + h, down[i] - h);
                (f(&up) - f(&down)) / (2.0 * h)
            })
            .collect()
    };
    let mut h: Vec<f64> = (0..n * n).map(|i| if i % (n + 1) == 0 { 1e-2 } else { 0.0 }).collect();
    let (mut value, mut g) = (f(&x), gradient(&x));
    for _ in 0..400 {
        let step: Vec<f64> = (0..n).map(|i| (0..n).map(|j| h[i * n + j] * g[j]).sum()).collect();
        let slope: f64 = step.iter().zip(&g).map(|(s, g)| s * g).sum();
        if slope < 1e-14 {
            break;
        }
        let mut t = 1.0;
        let next = loop {
            let to: Vec<f64> = x.iter().zip(&step).map(|(x, s)| x + t * s).collect();
            if f(&to) >= value + 1e-4 * t * slope || t < 1e-12 {
                break to;
            }
            t *= 0.5;
        };
        let (s, after): (Vec<f64>, Vec<f64>) = (next.iter().zip(&x).map(|(a, b)| a - b).collect(), gradient(&next));
        let y: Vec<f64> = g.iter().zip(&after).map(|(a, b)| a - b).collect();
        let sy: f64 = s.iter().zip(&y).map(|(s, y)| s * y).sum();
        if sy > 1e-14 {
            let hy: Vec<f64> = (0..n).map(|i| (0..n).map(|j| h[i * n + j] * y[j]).sum()).collect();
            let yhy: f64 = y.iter().zip(&hy).map(|(a, b)| a * b).sum();
            for i in 0..n {
                for j in 0..n {
                    h[i * n + j] += (1.0 + yhy / sy) * s[i] * s[j] / sy - (hy[i] * s[j] + s[i] * hy[j]) / sy;
                }
            }
        }
        (x, g) = (next, after);
        value = f(&x);
    }
    (value, x)
}

/// Two overlapping groups with uneven case weights; some cells missing.
fn rows() -> (Vec<f64>, Vec<f64>) {
    let mut r = Random::new(41);
    let n = 60;
    let mut rows: Vec<f64> = (0..n)
        .flat_map(|i| [r.normal() + if i < 22 { 3.0 } else { 0.0 }, 0.5 * r.normal() + f64::from(i < 22)])
        .collect();
    (rows[7], rows[30], rows[85]) = (f64::NAN, f64::NAN, f64::NAN);
    (rows, weights(n, 43))
}

#[test]
fn the_fit_is_the_maximum_of_likelihood_times_prior() {
    let (rows, case) = rows();
    let table = Dense::new(&rows[..], D).unwrap().with_weights(&case[..]).unwrap();
    for structure in Structure::ALL {
        let options = GaussianMixture {
            structure,
            prior: Some(prior_of(structure)),
            tolerance: 1e-10,
            max_iter: 10_000,
            ..GaussianMixture::new(2)
        };
        let fit = options.fit(&table).unwrap();
        assert_eq!(fit.status.kind, StatusKind::Converged, "{}", fit.status.detail);
        assert!(fit.certificate.monotone, "{}: fell by {}", structure.name(), fit.certificate.largest_decrease);
        let (w, bank) = (fit.model.weights(), fit.model.emission());
        let per = |c: usize| match structure {
            Structure::Full | Structure::Tied => {
                let s = bank.covariance(c);
                let a = s[0].sqrt();
                vec![a.ln(), s[1] / a, 0.5 * (s[3] - s[1] * s[1] / s[0]).ln()]
            }
            Structure::Diag => vec![bank.covariance(c)[0].ln(), bank.covariance(c)[3].ln()],
            Structure::Spherical => vec![bank.covariance(c)[0].ln()],
        };
        let blocks = if structure == Structure::Tied { 1 } else { 2 };
        let free: Vec<f64> = [(w[0] / w[1]).ln()]
            .into_iter()
            .chain((0..2).flat_map(|c| bank.mean(c).to_vec()))
            .chain((0..blocks).flat_map(per))
            .collect();
        let f = |x: &[f64]| objective(structure, 2, x, &rows, &case);
        // The objective as the fit reports it, with its log prior: another order of 60 terms of size 10.
        let ours = f(&free);
        assert!((ours - fit.objective()).abs() < 1e-9 * ours.abs(), "{}: {ours} {}", structure.name(), fit.objective());
        let used = fit.prior.as_ref().unwrap();
        assert!(used.log_prior < 0.0 && (fit.objective() - fit.log_likelihood - used.log_prior).abs() < 1e-12);
        // From a point nearby the oracle climbs to the same place. It stops within 1e-8 nats (slopes are good to 1e-9), which
        // leaves parameters of curvature 1 and more within about 1e-4.
        let off: Vec<f64> = free.iter().enumerate().map(|(i, x)| x + 0.05 * ((i * i % 5) as f64 - 2.0)).collect();
        let (best, at) = maximise(f, off);
        assert!((best - ours).abs() < 1e-7, "{}: {best} against {ours}", structure.name());
        at.iter().zip(&free).for_each(|(a, b)| assert!((a - b).abs() < 1e-3, "{}: {a} {b}", structure.name()));
    }
}

#[test]
fn one_component_has_a_closed_form() {
    // Rows (0, 0) and (2, 0) of weight 1, (0, 2) of weight 2: n = 4, mean (½, 1), scatter [3, −2; −2, 4].
    let table = Dense::new(vec![0.0, 0.0, 2.0, 0.0, 0.0, 2.0], D).unwrap().with_weights(vec![1.0, 1.0, 2.0]).unwrap();
    let n = &NUMBERS;
    let pull = 4.0 * n.kappa / (4.0 + n.kappa);
    let away = [0.5 - n.mean[0], 1.0 - n.mean[1]];
    let a: Vec<f64> =
        [3.0, -2.0, -2.0, 4.0].iter().enumerate().map(|(i, w)| w + pull * away[i / 2] * away[i % 2]).collect();
    for structure in Structure::ALL {
        let options = GaussianMixture { structure, prior: Some(prior_of(structure)), ..GaussianMixture::new(1) };
        let fit = options.fit(&table).unwrap();
        let want = match structure {
            // K = 1: tied is full.
            Structure::Full | Structure::Tied => (0..4).map(|i| (n.scale[i] + a[i]) / (n.nu + 8.0)).collect(),
            Structure::Diag => {
                vec![(n.scale[0] + a[0]) / (n.nu + 7.0), 0.0, 0.0, (n.scale[3] + a[3]) / (n.nu + 7.0)]
            }
            Structure::Spherical => {
                let v = (n.scale[0] + a[0] + a[3]) / (n.nu + 4.0 + 8.0);
                vec![v, 0.0, 0.0, v]
            }
        };
        let mean = [0, 1].map(|j| ([2.0, 4.0][j] + n.kappa * n.mean[j]) / (4.0 + n.kappa));
        let bank = fit.model.emission();
        // Some ten roundings.
        bank.mean(0).iter().zip(mean).for_each(|(m, w)| assert!((m - w).abs() < 1e-14, "{m} {w}"));
        for (s, w) in bank.covariance(0).iter().zip(want) {
            assert!((s - w).abs() < 1e-14, "{}: {s} {w}", structure.name());
        }
    }
}

#[test]
fn defaults_are_those_of_the_paper() {
    // Fraley & Raftery (2007): κ = 0.01, ν = D + 2, the mean of the data, their covariance (divisor n − 1) over K^(2/D).
    let (values, _) = clusters(3, 200, 2, 2);
    let fit = GaussianMixture { prior: Some(Prior::default()), ..GaussianMixture::new(3) }
        .fit(&Dense::new(&values[..], 2).unwrap())
        .unwrap();
    let used = fit.prior.unwrap();
    assert_eq!((used.component.mean_precision, used.component.degrees_of_freedom), (0.01, 4.0));
    let column = |j: usize| values.iter().skip(j).step_by(2).copied().collect::<Vec<f64>>();
    let mean: Vec<f64> = (0..2).map(|j| column(j).iter().sum::<f64>() / 200.0).collect();
    for i in 0..2 {
        assert!((used.component.mean[i] - mean[i]).abs() < 1e-12);
        for j in 0..2 {
            let products = column(i).iter().zip(column(j)).map(|(a, b)| (a - mean[i]) * (b - mean[j])).sum::<f64>();
            let want = products / 199.0 / 3.0;
            // The floor's own size, 1e-10 of a variance, is taken off and leaves rounding.
            assert!((used.component.scale[2 * i + j] - want).abs() < 1e-12 * want.abs().max(1.0), "{i} {j}");
        }
    }
}

#[test]
fn laws_hold_with_a_prior() {
    let (values, _) = clusters(5, 300, 2, 3);
    for structure in Structure::ALL {
        let scale: Vec<f64> = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0].to_vec();
        let prior = normal_wishart::Prior { mean: vec![0.5; 3], mean_precision: 2.0, degrees_of_freedom: 6.0, scale };
        let covariances = [2.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 2.0].repeat(2);
        let bank = Gaussian::new(structure, 3, vec![-1.0, 0.0, 1.0, 2.0, 1.0, 0.0], covariances).unwrap();
        let model = Mixture::equal(bank.with_prior(Some(&prior)).unwrap()).with_weight_prior(2.5).unwrap();
        // `scaling is repeated merging` does not hold of a posterior mode: those laws are for likelihoods. What must hold:
        let data = Dense::new(&values[..], 3).unwrap();
        let mut climbing = model.clone();
        let mut last = f64::NEG_INFINITY;
        for _ in 0..30 {
            let e = laws::expect(&climbing, &data);
            let objective = e.log_likelihood + climbing.log_prior();
            assert!(objective >= last - 1e-11 * objective.abs(), "{}: {last} to {objective}", structure.name());
            last = objective;
            climbing.m_step(&e.stats).unwrap();
        }
        // The M-step is the maximum of Q + log prior: no small step from it is better.
        let stats = laws::expect(&model, &data).stats;
        let resp = |m: &Mixture<Gaussian>| bound(m, &model, &values) + m.log_prior();
        let mut best = model.clone();
        best.m_step(&stats).unwrap();
        let (top, vector) = (resp(&best), best.to_vector());
        // Three variances of a spherical component are one.
        let together = |i: usize| if structure == Structure::Spherical && i >= 8 { 3 } else { 1 };
        for i in (0..vector.len()).filter(|i| (i - i.min(&8)) % together(*i) == 0) {
            for step in [1e-3, -1e-3] {
                let mut moved = vector.clone();
                moved[i..i + together(i)].iter_mut().for_each(|v| *v += step);
                let there = best.with_vector(&moved).unwrap();
                assert!(resp(&there) <= top + 1e-10 * top.abs(), "{}: coordinate {i} by {step}", structure.name());
            }
        }
    }
}

/// Q of `m` with the responsibilities of `at`, from definitions.
fn bound(m: &Mixture<Gaussian>, at: &Mixture<Gaussian>, rows: &[f64]) -> f64 {
    let joint = |m: &Mixture<Gaussian>, row: &[f64]| -> Vec<f64> {
        (0..2)
            .map(|c| m.weights()[c].ln() + gaussian_log_density(row, m.emission().mean(c), &m.emission().covariance(c)))
            .collect()
    };
    let of_row = |row: &[f64]| -> f64 {
        let old = joint(at, row);
        let total = log_sum_exp(&old);
        joint(m, row).iter().zip(&old).map(|(new, old)| (old - total).exp() * new).sum()
    };
    rows.chunks(3).map(of_row).sum()
}

/// Rows that leave a component without variance: ten equal rows in three columns, apart from the rest.
fn repeated() -> Vec<f64> {
    let mut r = Random::new(8);
    let mut rows: Vec<f64> = (0..3 * 60).map(|_| r.normal()).collect();
    (0..10).for_each(|_| rows.extend([9.0, -9.0, 9.0]));
    rows
}

#[test]
fn nothing_collapses_with_a_prior() {
    let values = repeated();
    let table = Dense::new(&values[..], 3).unwrap();
    for structure in [Structure::Full, Structure::Diag, Structure::Spherical] {
        let fit = |prior, method| {
            let options = GaussianMixture { structure, prior, method, tolerance: 1e-6, ..GaussianMixture::new(2) };
            options.fit(&table).unwrap()
        };
        assert_eq!(fit(None, Method::Squarem).status.kind, StatusKind::Degenerate, "{}", structure.name());
        let all =
            [Method::Em, Method::Squarem, Method::Anderson, Method::Stepwise].map(|m| fit(Some(Prior::default()), m));
        for found in &all {
            assert_eq!(found.status.kind, StatusKind::Converged, "{}: {}", structure.name(), found.status.detail);
            assert!(found.certificate.monotone && found.certificate.components.iter().all(|c| !c.floor_active));
            // Each stops 1e-6 nats short, by its own estimate.
            assert!((found.objective() - all[0].objective()).abs() < 1e-5, "{}", structure.name());
        }
    }
}

#[test]
fn units_do_not_matter() {
    let (values, _) = clusters(9, 240, 3, 2);
    let other: Vec<f64> = values.chunks(2).flat_map(|r| [r[0] * 1024.0 + 4096.0, r[1] * 0.25]).collect();
    for structure in [Structure::Full, Structure::Tied, Structure::Diag] {
        let fit = |values: &[f64]| {
            GaussianMixture { structure, prior: Some(Prior::default()), ..GaussianMixture::new(3) }
                .fit(&Dense::new(values, 2).unwrap())
                .unwrap()
        };
        let (a, b) = (fit(&values), fit(&other));
        let used = |f: &Fit<_>| f.prior.as_ref().unwrap().log_prior;
        // The shift rounds the input in its last digits: 4096·2⁻⁵³ of a spread of 3·1024.
        assert!((used(&a) - used(&b)).abs() < 1e-8, "{}", structure.name());
        for k in 0..3 {
            assert!((a.model.emission().mean(k)[0] * 1024.0 + 4096.0 - b.model.emission().mean(k)[0]).abs() < 1e-6);
        }
    }
}

#[test]
fn stepwise_weighs_the_prior_against_all_rows() {
    let mut r = Random::new(3);
    for n in [700, 9 * CHUNK_ROWS + 77] {
        let values: Vec<f64> =
            (0..n).flat_map(|i| [r.normal() + if i % 3 == 0 { 3.0 } else { 0.0 }, r.normal()]).collect();
        let case = weights(n, 5);
        let table = Dense::new(&values[..], 2).unwrap().with_weights(&case[..]).unwrap();
        let start = Mixture::equal(
            Gaussian::new(Structure::Full, 2, vec![0.0, 0.0, 3.0, 0.0], [1.0, 0.0, 0.0, 1.0].repeat(2)).unwrap(),
        );
        let half = 0.5 * case.iter().sum::<f64>();
        // At the optimum a pass of stepwise EM moves little; with this prior, worth half the rows, weighed wrongly it would.
        let component = normal_wishart::Prior {
            mean: vec![0.0; 2],
            mean_precision: half,
            degrees_of_freedom: half,
            scale: vec![half, 0.0, 0.0, half],
        };
        let bank = start.emission().clone().with_prior(Some(&component)).unwrap();
        let mut fixed = Mixture::equal(bank).with_weight_prior(half).unwrap();
        let mut engine = Threads::new(&table);
        for _ in 0..400 {
            Batch(Posterior::Soft).step(&mut fixed, &mut engine).unwrap();
        }
        let mut moved = fixed.clone();
        let mut algorithm = Stepwise::new(ALPHA, Seed::new(1)).unwrap();
        (0..3).for_each(|_| {
            algorithm.step(&mut moved, &mut engine).unwrap();
        });
        // One batch: plain EM at its fixed point. Several: batches of 500 rows and more scatter by some 1/√500.
        let within = if n < CHUNK_ROWS { 1e-6 } else { 0.05 };
        fixed.to_vector().iter().zip(moved.to_vector()).for_each(|(a, b)| assert!((a - b).abs() < within, "{a} {b}"));
    }
}

#[test]
fn edges_have_defined_answers() {
    let (values, _) = clusters(1, 120, 2, 2);
    for structure in Structure::ALL {
        let fitted = |rows: &[f64], d: usize, k: usize| {
            let options = GaussianMixture { structure, prior: Some(Prior::default()), ..GaussianMixture::new(k) };
            let fit = options.fit(&Dense::new(rows, d).unwrap()).unwrap();
            assert!(fit.objective().is_finite(), "{}", structure.name());
            assert!(fit.certificate.monotone, "{} {k}: fell by {}", structure.name(), fit.certificate.largest_decrease);
            fit
        };
        fitted(&[3.0, 4.0], 2, 1);
        fitted(&[0.0], 1, 1);
        // As many components as distinct rows; fewer rows than columns; a constant and a duplicate column; huge and tiny values.
        assert_eq!(fitted(&[1.0, 2.0, 3.0, 7.0], 1, 4).status.kind, StatusKind::Converged, "{}", structure.name());
        let wide: Vec<f64> = (0..60).map(|i| ((i * i * 7) % 23) as f64 + 0.1 * i as f64).collect();
        fitted(&wide, 12, 2);
        let odd: Vec<f64> = values.chunks(2).flat_map(|r| [r[0], 5.0, r[1], r[0]]).collect();
        assert!(fitted(&odd, 4, 2).certificate.components.iter().all(|c| !c.floor_active), "{}", structure.name());
        let far: Vec<f64> =
            values.iter().enumerate().map(|(i, x)| x * if i % 2 == 0 { 1e100 } else { 1e-100 }).collect();
        if structure != Structure::Spherical {
            fitted(&far, 2, 2);
        }
    }
}

#[test]
fn what_makes_no_prior_is_refused() {
    let (values, _) = clusters(1, 60, 2, 2);
    let table = Dense::new(&values[..], 2).unwrap();
    let refused = |structure: Structure, prior: Prior, part: &str| {
        let options = GaussianMixture { structure, prior: Some(prior), ..GaussianMixture::new(2) };
        match options.fit(&table) {
            Err(Error::Usage(text)) => assert!(text.contains(part), "{text}"),
            other => panic!("{part}: {other:?}"),
        }
    };
    let default = Prior::default;
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e13] {
        refused(Structure::Full, Prior { mean_precision: bad, ..default() }, "means is worth");
        refused(Structure::Diag, Prior { degrees_of_freedom: Some(bad), ..default() }, "degrees of freedom");
        refused(Structure::Diag, Prior { covariance: Some(vec![1.0, bad.min(0.0)]), ..default() }, "definite");
        refused(Structure::Full, Prior { weight_concentration: bad.min(0.5), ..default() }, "from 1");
    }
    refused(Structure::Full, Prior { degrees_of_freedom: Some(1.0), ..default() }, "above 1");
    refused(Structure::Full, Prior { mean: Some(vec![1.0]), ..default() }, "1 numbers for 2 columns");
    refused(Structure::Full, Prior { mean: Some(vec![1.0, f64::NAN]), ..default() }, "not finite");
    refused(Structure::Full, Prior { covariance: Some(vec![1.0]), ..default() }, "need 4");
    refused(Structure::Full, Prior { covariance: Some(vec![1.0, 2.0, 2.0, 1.0]), ..default() }, "definite");
    refused(Structure::Full, Prior { covariance: Some(vec![1.0, 0.5, 0.2, 1.0]), ..default() }, "symmetric");
    let both = GaussianMixture { reg_covar: Some(1e-6), prior: Some(default()), ..GaussianMixture::new(2) };
    assert!(both.fit(&table).unwrap_err().to_string().contains("choose one"));
    // The stop rule of scikit-learn works on the objective as well.
    let stop = Stop::Change { tolerance: 1e-6 };
    let fit = GaussianMixture { stop, prior: Some(default()), ..GaussianMixture::new(2) }.fit(&table).unwrap();
    assert_eq!(fit.status.kind, StatusKind::Converged);
    assert_eq!(fit.model.emission().n_components(), 2);
}
