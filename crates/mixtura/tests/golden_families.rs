//! The textbook items of `golden/cases/textbook.json` that are mixtures of other families, to their tolerances.

use mixtura::algorithm::{Batch, Squarem};
use mixtura::data::{Chunk, Dense, Rows};
use mixtura::engine::Threads;
use mixtura::family::binomial::Binomial;
use mixtura::fit::{Control, RunOptions, StatusKind, run};
use mixtura::model::{FixedWeights, LatentModel, Posterior, Predict, Weights};
use mixtura::{Mixture, Seed, init};
use mixtura_testkit::golden::{assert_close, number, numbers, textbook};
use mixtura_testkit::laws::{climb, expect};

/// log C(10, h) for the five rows 5, 9, 8, 4, 7 of the coins: 252, 10, 45, 210, 120.
fn log_coefficients() -> f64 {
    [252.0_f64, 10.0, 45.0, 210.0, 120.0].iter().map(|c| c.ln()).sum()
}

#[test]
fn coin_do_batzoglou_2008() {
    let item = textbook("coin_do_batzoglou_2008");
    let (want, heads) = (&item["expected"], numbers(&item["input"]["heads"]));
    let rows = Dense::new(&heads[..], 1).unwrap();
    let theta = numbers(&item["settings"]["theta0"]);
    let half = FixedWeights::new(vec![0.5, 0.5]).unwrap();
    let start = Mixture::of(half, Binomial::new(theta.clone(), Some(10)).unwrap()).unwrap();
    let (mut resp, mut log_density) = (vec![0.0; 10], vec![0.0; 5]);
    start.posterior(Chunk::of(Rows::new(&heads, 1)), &mut start.scratch(), &mut resp, &mut log_density);
    let of_first: Vec<f64> = resp.chunks(2).map(|r| r[0]).collect();
    assert_close("responsibilities", &of_first, &numbers(&want["iter1_resp_A"]), 1e-12);
    // Ten steps of EM, every one as published with the reference.
    let mut model = start.clone();
    let (mut path, mut log_likelihoods) = (theta, Vec::new());
    for _ in 0..10 {
        let e = expect(&model, &rows);
        log_likelihoods.push(e.log_likelihood - log_coefficients());
        model.m_step(&e.stats).unwrap();
        path.extend(model.emission().probabilities());
    }
    assert_close("path", &path, &numbers(&want["path_0_to_10"]), 1e-12);
    assert_close(
        "path of the log-likelihood",
        &log_likelihoods,
        &numbers(&want["loglik_path_without_binomial_coef"]),
        1e-12,
    );
    // Figure 1 of the paper has two digits.
    assert_close("the paper", model.emission().probabilities(), &numbers(&want["published"]), 5e-3);
    assert_eq!((start.n_free_parameters(), model.mixing().parameters()), (2, vec![0.5, 0.5]));
    // To the end, plain and accelerated: 1e-12 nats from the top p is within √(2·1e-12 / curvature 60) = 2e-7.
    for fast in [false, true] {
        let run = if fast {
            climb(&start, &rows, &mut Squarem::default(), 1e-12)
        } else {
            climb(&start, &rows, &mut Batch(Posterior::Soft), 1e-12)
        };
        assert_close("converged", run.model.emission().probabilities(), &numbers(&want["converged"]), 2e-7);
        let got = run.objective() - log_coefficients();
        assert_close("log-likelihood", &[got], &[number(&want["converged_loglik"])], 1e-11);
    }
}

#[test]
fn coin_free_mixing_weights() {
    let item = textbook("coin_free_mixing_weights");
    let (want, heads) = (&item["expected"], numbers(&item["input"]["heads"]));
    let rows = Dense::new(&heads[..], 1).unwrap();
    let start = Mixture::equal(Binomial::new(numbers(&item["settings"]["theta0"]), Some(10)).unwrap());
    // The likelihood is flat in the weights: the item's 1e-9 needs a run to the last bit, which a limit ends.
    let options = RunOptions { max_iter: 20_000, tolerance: 0.0, scale: 5.0 };
    let mut engine = Threads::new(&rows);
    let mut em = Batch(Posterior::Soft);
    let run = run(start.clone(), &mut engine, &mut em, options, Control::default(), &mut |_, _, _| Ok(false)).unwrap();
    assert_close("theta", run.model.emission().probabilities(), &numbers(&want["theta"]), 1e-9);
    assert_close("weights", run.model.weights(), &numbers(&want["weights"]), 1e-9);
    assert_close("loglik", &[run.objective() - log_coefficients()], &[number(&want["loglik"])], 1e-9);
    assert_eq!(start.n_free_parameters(), 3);
    // From random starts the same optimum, in either order.
    for seed in 0..10 {
        let start = init::binomial(&rows, Some(10), 2, Seed::new(seed)).unwrap();
        let run = climb(&start, &rows, &mut Squarem::default(), 1e-9);
        assert_eq!(run.status.kind, StatusKind::Converged, "seed {seed}");
        assert_close("loglik", &[run.objective() - log_coefficients()], &[number(&want["loglik"])], 1e-8);
    }
}
