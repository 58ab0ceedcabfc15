//! Laws of algorithms: EM's fixed points stay, the batch optimum is reached, the objective never falls.

use mixtura::algorithm::{Algorithm, Anderson, Batch, Squarem};
use mixtura::catalog::METHODS;
use mixtura::data::Dense;
use mixtura::engine::Threads;
use mixtura::family::gaussian::{Gaussian, Structure};
use mixtura::fit::{Init, Method, StatusKind};
use mixtura::model::{Posterior, Unconstrained};
use mixtura::{Fit, GaussianMixture, Mixture};
use mixtura_testkit::rows::Random;

/// Two strongly overlapping clusters in two dimensions: EM is slow here.
fn rows() -> Vec<f64> {
    let mut r = Random::new(12);
    (0..800).flat_map(|i| [r.normal() + if i % 3 == 0 { 2.2 } else { 0.0 }, r.normal()]).collect()
}

fn start(structure: Structure) -> Mixture<Gaussian> {
    let means = vec![-0.5, 0.0, 1.0, 0.5];
    Mixture::equal(Gaussian::new(structure, 2, means, [1.0, 0.0, 0.0, 1.0].repeat(2)).unwrap())
}

fn fit(structure: Structure, method: Method) -> Fit<Mixture<Gaussian>> {
    let options = GaussianMixture {
        structure,
        method,
        init: Init::Params(Box::new(start(structure))),
        tolerance: 1e-6,
        max_iter: 20_000,
        ..GaussianMixture::new(2)
    };
    options.fit(&Dense::new(rows(), 2).unwrap()).unwrap()
}

/// Methods whose optimum is not that of the likelihood: what they reach instead has a test of its own.
const BIASED: [Method; 1] = [Method::Cem];
/// Methods that promise fewer passes than plain EM on a slow problem.
const FASTER: [Method; 3] = [Method::Squarem, Method::Anderson, Method::Stepwise];

#[test]
fn every_method_reaches_what_em_reaches() {
    for (structure, &(name, method, _)) in Structure::ALL.into_iter().flat_map(|s| METHODS.iter().map(move |m| (s, m)))
    {
        if method == Method::Em {
            continue;
        }
        let (em, other) = (fit(structure, Method::Em), fit(structure, method));
        let name = format!("{} by {name}", structure.name());
        println!("{name}: {} passes against {} of plain EM", other.iterations, em.iterations);
        for f in [&em, &other] {
            assert_eq!(f.status.kind, StatusKind::Converged, "{name}: {}", f.status.detail);
            assert!(f.certificate.monotone, "{name}: fell by {}", f.certificate.largest_decrease);
        }
        if !BIASED.contains(&method) {
            // Each stops within its tolerance of 1e-6 nats, by an estimate that may be off by a small factor.
            assert!(
                (other.log_likelihood - em.log_likelihood).abs() < 1e-5,
                "{name}: {} {}",
                other.log_likelihood,
                em.log_likelihood
            );
        }
        if FASTER.contains(&method) {
            assert!(other.iterations * 2 < em.iterations, "{name}");
        }
    }
}

#[test]
fn fixed_points_stay() {
    let table = Dense::new(rows(), 2).unwrap();
    for structure in Structure::ALL {
        let options = GaussianMixture { structure, tolerance: 1e-12, max_iter: 50_000, ..GaussianMixture::new(2) };
        let fixed = options.fit(&table).unwrap().model;
        let mut engine = Threads::new(&table);
        let algorithms: [&mut dyn Algorithm<Mixture<Gaussian>>; 3] =
            [&mut Batch(Posterior::Soft), &mut Squarem::default(), &mut Anderson::default()];
        for algorithm in algorithms {
            let mut model = fixed.clone();
            for _ in 0..9 {
                algorithm.step(&mut model, &mut engine).unwrap();
            }
            algorithm.settle(&mut model);
            for k in 0..2 {
                for (a, b) in model.emission().mean(k).iter().zip(fixed.emission().mean(k)) {
                    // The fit stops 1e-12 nats short, so parameters are still about 1e-6 / √n away.
                    assert!((a - b).abs() < 1e-5, "{}: {a} {b}", structure.name());
                }
            }
        }
    }
}

#[test]
fn vectors_lead_back() {
    for structure in Structure::ALL {
        let model = fit(structure, Method::Em).model;
        let back = model.with_vector(&model.to_vector()).unwrap();
        for k in 0..2 {
            assert!((back.weights()[k] - model.weights()[k]).abs() < 1e-15);
            assert_eq!(back.emission().mean(k), model.emission().mean(k));
            for (a, b) in back.emission().covariance(k).iter().zip(model.emission().covariance(k)) {
                // Inverted twice: a few roundings at condition numbers below 10.
                assert!((a - b).abs() < 1e-14, "{}: {a} {b}", structure.name());
            }
        }
        let mut broken = model.to_vector();
        broken[2] = f64::NAN;
        assert!(model.with_vector(&broken).is_none(), "{}", structure.name());
    }
}

#[test]
fn classification_em_hardens_responsibilities() {
    // From well-separated starts CEM's first step gives each row to one component: counts are whole numbers.
    let table = Dense::new(rows(), 2).unwrap();
    let mut model = start(Structure::Full);
    let mut engine = Threads::new(&table);
    Batch(Posterior::Hard).step(&mut model, &mut engine).unwrap();
    for w in model.weights() {
        assert!((w * 800.0 - (w * 800.0).round()).abs() < 1e-9, "{w}");
    }
}

#[test]
fn a_fixed_point_reached_to_the_bit_is_convergence() {
    // Two clusters 30 standard deviations apart: EM stands still after a few iterations.
    let mut r = Random::new(8);
    let rows: Vec<f64> = (0..90).map(|i| r.normal() + if i < 60 { 0.0 } else { 30.0 }).collect();
    let table = Dense::new(rows, 1).unwrap();
    for method in [Method::Em, Method::Squarem, Method::Anderson] {
        let fit = GaussianMixture { method, ..GaussianMixture::new(2) }.fit(&table).unwrap();
        assert_eq!(fit.status.kind, StatusKind::Converged, "{method:?}: {}", fit.status.detail);
    }
}
