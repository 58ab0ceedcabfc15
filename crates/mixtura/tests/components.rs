//! Runs that look for the number of components, or for a better place for them: entropy-regularised EM, split and merge.

use mixtura::algorithm::{Algorithm, Entropy, Squarem};
use mixtura::data::{Dense, Source};
use mixtura::engine::Threads;
use mixtura::family::binomial::Binomial;
use mixtura::family::gaussian::Structure;
use mixtura::fit::textbook::{self, Search};
use mixtura::fit::{Control, Init, Method, ModelOptions, StatusKind, fit_model};
use mixtura::model::{FixedWeights, LatentModel};
use mixtura::{Error, Fit, GaussianMixture, Mixture, Seed};
use mixtura_testkit::laws::expect;
use mixtura_testkit::rows::{Random, clusters, weights};

/// `k` clusters of unit variance whose centres lie on a grid `apart` standard deviations wide, in two columns.
fn grid(k: usize, n: usize, apart: f64, seed: u64) -> Vec<f64> {
    let mut r = Random::new(seed);
    let side = (k as f64).sqrt().ceil() as usize;
    (0..n)
        .flat_map(|_| {
            let c = r.below(k);
            [apart * (c % side) as f64 + r.normal(), apart * (c / side) as f64 + r.normal()]
        })
        .collect()
}

fn entropy(
    values: &[f64],
    d: usize,
    structure: Structure,
    most: usize,
) -> Fit<mixtura::Mixture<mixtura::family::gaussian::Gaussian>> {
    let options = GaussianMixture { structure, method: Method::Entropy, ..GaussianMixture::new(most) };
    options.fit(&Dense::new(values, d).unwrap()).unwrap()
}

#[test]
fn surplus_components_leave() {
    for (k, n) in [(3, 400), (5, 800)] {
        let values = grid(k, n, 8.0, 1);
        for structure in [Structure::Full, Structure::Diag, Structure::Spherical] {
            let fit = entropy(&values, 2, structure, 2 * k + 2);
            let name = format!("{} {k}", structure.name());
            assert_eq!(fit.model.weights().len(), k, "{name}: {}", fit.status.detail);
            assert_eq!(fit.status.kind, StatusKind::Converged, "{name}: {}", fit.status.detail);
            assert!(
                fit.status.detail.contains(&format!("{k} of {} components are left", 2 * k + 2)),
                "{}",
                fit.status.detail
            );
            assert!(fit.certificate.monotone && fit.trace.incomparable > 0, "{name}");
            // The returned log-likelihood is that of plain EM's optimum near by: one more EM iteration gains nothing.
            let mut again = fit.model.clone();
            let table = Dense::new(&values[..], 2).unwrap();
            let e = expect(&again, &table);
            again.m_step(&e.stats).unwrap();
            let gain = expect(&again, &table).log_likelihood - e.log_likelihood;
            // The fit stops 1e-3 nats short; the M-step here has no floor.
            assert!(gain.abs() < 2e-3, "{name}: {gain}");
        }
    }
    // One component is enough for one cluster, and stays where it is all there is.
    let mut r = Random::new(3);
    let one: Vec<f64> = (0..300).map(|_| r.normal()).collect();
    assert_eq!(entropy(&one, 1, Structure::Full, 5).model.weights().len(), 1);
    assert_eq!(entropy(&one, 1, Structure::Full, 1).status.kind, StatusKind::Converged);
}

#[test]
fn entropy_is_for_mixtures_with_free_weights() {
    // Coins of two kinds, four on offer.
    let mut r = Random::new(5);
    let heads: Vec<f64> =
        (0..300).map(|i| (0..40).filter(|_| r.uniform() < if i % 3 == 0 { 0.8 } else { 0.3 }).count() as f64).collect();
    let table = Dense::new(heads, 1).unwrap();
    let search = Search { method: Method::Entropy, restarts: 3, ..Search::default() };
    let found = textbook::binomial(&table, Some(40), 4, false, &[], &search, Control::default()).unwrap();
    assert_eq!(found.fit.model.weights().len(), 2, "{}", found.fit.status.detail);
    assert_eq!(found.n_free_parameters, 3);
    // Weights that are known leave nothing to do; neither do models without components. Moves are for Gaussian mixtures.
    let equal = textbook::binomial(&table, Some(40), 2, true, &[], &search, Control::default());
    assert!(matches!(equal, Err(Error::Usage(text)) if text.contains("none that are free")));
    let search = Search { method: Method::SplitMerge, ..search };
    let moves = textbook::binomial(&table, Some(40), 2, false, &[], &search, Control::default());
    assert!(matches!(moves, Err(Error::Usage(text)) if text.contains("Gaussian")));
    let coins = Binomial::new(vec![0.3, 0.8], Some(40)).unwrap();
    let mut fixed = Mixture::of(FixedWeights::new(vec![0.5, 0.5]).unwrap(), coins).unwrap();
    assert!(Entropy::default().step(&mut fixed, &mut Threads::new(&table)).is_err());
}

#[test]
fn entropy_leaves_an_optimum_that_needs_all_its_components() {
    // Equal weights: the term has no force between them; β fades, and SQUAREM's optimum is the same.
    let values: Vec<f64> = grid(4, 2000, 9.0, 7);
    let table = Dense::new(&values[..], 2).unwrap();
    let start = GaussianMixture::new(4).fit(&table).unwrap();
    let options = ModelOptions { tolerance: 1e-6, ..ModelOptions::default() };
    let ends = [
        fit_model(vec![start.model.clone()], &table, Squarem::default, options, Control::default()).unwrap(),
        fit_model(vec![start.model], &table, Entropy::default, options, Control::default()).unwrap(),
    ];
    // Both stop 1e-6 nats short by their estimates.
    assert!((ends[0].log_likelihood - ends[1].log_likelihood).abs() < 1e-4);
}

#[test]
fn moves_never_end_below_the_run_they_started_from() {
    for (seed, structure) in (0..4).flat_map(|s| Structure::ALL.map(|t| (s, t))) {
        let (mut values, _) = clusters(seed, 240, 5, 3);
        (values[4], values[100]) = (f64::NAN, f64::NAN);
        let case = weights(240, seed);
        let table = Dense::new(&values[..], 3).unwrap().with_weights(&case[..]).unwrap();
        let fit = |method| {
            let options = GaussianMixture {
                structure,
                method,
                init: Init::Random,
                restarts: Some(1),
                seed: Seed::new(seed),
                ..GaussianMixture::new(5)
            };
            options.fit(&table).unwrap()
        };
        let (plain, moved) = (fit(Method::Squarem), fit(Method::SplitMerge));
        let name = format!("{} seed {seed}: {}", structure.name(), moved.status.detail);
        assert!(moved.status.detail.contains("split-and-merge moves accepted"), "{name}");
        assert!(moved.log_likelihood >= plain.log_likelihood, "{name}");
        if moved.status.detail.contains("; 0 of") {
            assert_eq!(moved.log_likelihood.to_bits(), plain.log_likelihood.to_bits(), "{name}");
        } else {
            assert!(moved.log_likelihood > plain.log_likelihood + 0.1, "{name}");
        }
        assert!(moved.certificate.monotone, "{name}");
    }
}

#[test]
fn a_move_mends_two_components_on_one_cluster() {
    // Nine clusters on a grid; the start has two centres in the first cluster and one between the last two: EM stays there.
    let values = grid(9, 900, 10.0, 2);
    let table = Dense::new(&values[..], 2).unwrap();
    let assigned: Vec<i32> = values
        .chunks(2)
        .map(|row| {
            let cell = (row[0] / 10.0).round() as i32 + 3 * (row[1] / 10.0).round() as i32;
            if cell == 8 {
                7
            } else if cell == 0 && row[0] > 0.0 {
                8
            } else {
                cell.clamp(0, 8)
            }
        })
        .collect();
    let fit = |method| {
        let init = Init::Assignments(vec![mixtura::fit::Assigned::Hard(assigned.clone())]);
        GaussianMixture { init, method, ..GaussianMixture::new(9) }.fit(&table).unwrap()
    };
    let (stuck, moved) = (fit(Method::Squarem), fit(Method::SplitMerge));
    let truth = GaussianMixture::new(9).fit(&table).unwrap();
    assert!(stuck.log_likelihood < truth.log_likelihood - 100.0, "the start is no trap");
    assert!((moved.log_likelihood - truth.log_likelihood).abs() < 0.1, "{}", moved.status.detail);
    // One move mends it; then the next five candidates gain nothing.
    assert!(moved.status.detail.contains("1 of 6 split-and-merge moves accepted"), "{}", moved.status.detail);
}

#[test]
fn nothing_to_move_is_no_error() {
    let (values, _) = clusters(1, 60, 2, 2);
    let table = Dense::new(&values[..], 2).unwrap();
    for k in [1, 2] {
        let options = GaussianMixture { method: Method::SplitMerge, ..GaussianMixture::new(k) };
        let fit = options.fit(&table).unwrap();
        assert!(fit.status.detail.contains("0 of 0"), "{}", fit.status.detail);
    }
    let labels: Vec<i32> = (0..60).map(|i| if i < 6 { i % 3 } else { -1 }).collect();
    let known = Dense::new(&values[..], 2).unwrap().with_labels(labels).unwrap();
    assert_eq!(known.n_labels(), 3);
    let fit = GaussianMixture { method: Method::SplitMerge, ..GaussianMixture::new(3) }.fit(&known).unwrap();
    assert!(fit.status.detail.contains("0 of 0"), "{}", fit.status.detail);
    // As many components as distinct rows: every move collapses.
    let few = Dense::new(vec![1.0, 2.0, 4.0, 8.0], 1).unwrap();
    GaussianMixture { method: Method::SplitMerge, ..GaussianMixture::new(4) }.fit(&few).unwrap();
}
