//! Golden values of mixtures of other families than the Gaussian, to their tolerances.

use mixtura::algorithm::{Batch, Squarem};
use mixtura::data::{Buffer, Chunk, Dense, Rows, Source, for_each_row};
use mixtura::engine::Threads;
use mixtura::family::Emission;
use mixtura::family::bernoulli::Bernoulli;
use mixtura::family::binomial::Binomial;
use mixtura::family::linear::{Linear, Prepared};
use mixtura::fit::{Control, RunOptions, StatusKind, run};
use mixtura::model::{FixedWeights, LatentModel, Posterior, Predict, Weights};
use mixtura::stats::Expectation;
use mixtura::{Mixture, Seed, init};
use mixtura_testkit::golden::{assert_close, case, data, number, numbers, textbook};
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

/// The best of some random starts, and its Bayesian information criterion.
fn carcinoma_classes(k: usize) -> (Mixture<Bernoulli>, f64, f64) {
    let item = case("carcinoma");
    let (patterns, counts) = (numbers(&item["input"]["patterns"]), numbers(&item["input"]["counts"]));
    let rows = Dense::new(patterns, 7).unwrap().with_weights(counts).unwrap();
    Bernoulli::check(&rows, &[]).unwrap();
    let runs = (0..20).map(|seed| {
        let start = init::bernoulli(&rows, k, Seed::new(seed)).unwrap();
        climb(&start, &rows, &mut Squarem::default(), 1e-9)
    });
    let best = runs.max_by(|a, b| a.objective().total_cmp(&b.objective())).unwrap();
    let log_likelihood = best.objective();
    let bic = best.model.n_free_parameters() as f64 * 118_f64.ln() - 2.0 * log_likelihood;
    (best.model, log_likelihood, bic)
}

#[test]
fn carcinoma() {
    let item = case("carcinoma");
    for (k, name) in [(2, "two_classes"), (3, "three_classes")] {
        let want = &item["expected"][name];
        let (model, log_likelihood, bic) = carcinoma_classes(k);
        // Half a unit of the last digit that poLCA prints.
        assert_close(name, &[log_likelihood], &[number(&want["loglik"])], if k == 2 { 5e-5 } else { 5e-4 });
        assert_close(name, &[bic], &[number(&want["bic"])], 5.5e-5);
        assert_eq!(model.n_free_parameters() as f64, number(&want["n_free_parameters"]));
        if k == 3 {
            let mut order = [0, 1, 2];
            order.sort_by(|&a, &b| model.weights()[b].total_cmp(&model.weights()[a]));
            let [most, middle, least] = order;
            // The publication's order of the shares.
            let shares = [middle, least, most].map(|c| model.weights()[c]);
            assert_close("shares", &shares, &numbers(&want["shares"]), 5e-5);
            let bank = model.emission();
            let a = bank.probabilities(least)[0];
            assert_close("A", &[a], &[number(&want["A_in_the_class_of_0.1817"])], 5e-5);
            let c = bank.probabilities(most)[2];
            assert_close("C", &[c], &[number(&want["C_in_the_class_of_0.4447"])], 5e-5);
            // At this optimum some probabilities are exactly 0 and 1, and everything stays finite.
            let all: Vec<f64> = (0..3).flat_map(|c| bank.probabilities(c).to_vec()).collect();
            assert!(all.contains(&0.0) && all.contains(&1.0), "{all:?}");
        }
    }
}

/// EM from the responsibilities with which the reference began: 0.9 of the component whose side of the one line a row is on.
fn from_sides<'a>(
    rows: &'a Dense<'_>,
    intercept: bool,
    above: impl Fn(usize) -> bool,
) -> (Mixture<Linear>, Prepared<'a>) {
    let prepared = Prepared::new(rows, intercept, &[]).unwrap();
    let resp: Vec<f64> = (0..rows.n_rows()).flat_map(|i| if above(i) { [0.9, 0.1] } else { [0.1, 0.9] }).collect();
    let mut bank = prepared.pooled.clone();
    bank.select_components(&[0, 0]);
    let mut start = Mixture::equal(bank);
    let mut out = Expectation::new(start.empty_stats());
    let mut buffer = Buffer::default();
    let chunk = prepared.data.read(0, &mut buffer).unwrap();
    start.accumulate_given(chunk, &resp, &mut start.scratch(), &mut out).unwrap();
    start.m_step(&out.stats).unwrap();
    (start, prepared)
}

/// `line` is the least-squares regression of all rows on the first covariate, or on all: what the reference split by.
fn check_regression(name: &str, rows: &Dense<'_>, intercept: bool, line: &Linear) {
    let case = case("regression_mixture");
    let want = &case["expected"][name];
    let mut cells = Vec::new();
    for_each_row(rows, |_, row, _, _| cells.push(row.to_vec())).unwrap();
    let used = line.n_covariates();
    let above = |i: usize| cells[i][cells[i].len() - 1] > line.predict(0, &cells[i][..used]);
    let (start, prepared) = from_sides(rows, intercept, above);
    let mut model = start.clone();
    let mut path = Vec::new();
    for _ in 0..10 {
        let e = expect(&model, &prepared.data);
        path.push(e.log_likelihood + prepared.log_jacobian());
        model.m_step(&e.stats).unwrap();
    }
    // The reference's M-step is the exact weighted least squares of its printed data, as ours: rounding only.
    assert_close("path of the log-likelihood", &path, &numbers(&want["first_log_likelihoods"]), 1e-9);
    let run = climb(&start, &prepared.data, &mut Batch(Posterior::Soft), 1e-12);
    let lines = prepared.original(run.model.emission()).unwrap();
    let got = run.objective() + prepared.log_jacobian();
    assert_close("log-likelihood", &[got], &[number(&want["loglik"])], 1e-9);
    // 1e-5 standard errors: those of the weights are about 0.05, the others' follow the noise and the coefficients' size.
    assert_close("weights", run.model.weights(), &numbers(&want["weights"]), 1e-6);
    let sds: Vec<f64> = (0..2).map(|c| lines.variance(c).sqrt()).collect();
    assert_close("sds", &sds, &numbers(&want["sds"]), 1e-5);
    let coefficients: Vec<f64> = (0..2).flat_map(|c| lines.coefficients(c)).collect();
    assert_close("coefficients", &coefficients, &numbers(&want["coefficients"]), 5e-5);
}

#[test]
fn regression_curves() {
    let table = data("regression_curves.csv").unwrap();
    let pairs = table.columns(&["x", "y"]);
    let pairs_table = Dense::new(&pairs[..], 2).unwrap();
    let line = Prepared::new(&pairs_table, true, &[]).unwrap();
    let line = line.original(&line.pooled).unwrap();
    let rows: Vec<f64> = pairs.chunks(2).flat_map(|r| [r[0], r[0] * r[0], r[1]]).collect();
    check_regression("curves", &Dense::new(rows, 3).unwrap(), true, &line);
}

#[test]
fn regression_origin() {
    let table = data("regression_origin.csv").unwrap();
    let rows = Dense::new(table.columns(&["u", "v", "y"]), 3).unwrap();
    // The reference's first line knows no case weights.
    let line = Prepared::new(&rows, false, &[]).unwrap();
    let line = line.original(&line.pooled).unwrap();
    let weighted = rows.clone().with_weights(table.columns(&["weight"])).unwrap();
    check_regression("origin", &weighted, false, &line);
}

#[test]
fn mixture_regression_npreg() {
    let item = textbook("mixture_regression_NPreg");
    let Some(table) = data("flexmix_NPreg.csv") else {
        println!("passed over: flexmix_NPreg.csv is not part of this repository");
        return;
    };
    let rows: Vec<f64> = table.columns(&["x", "yn"]).chunks(2).flat_map(|r| [r[0], r[0] * r[0], r[1]]).collect();
    let rows = Dense::new(rows, 3).unwrap();
    let prepared = Prepared::new(&rows, true, &[]).unwrap();
    let want = &item["expected"];
    let mut reached = 0;
    for seed in 0..10 {
        let start = init::linear(&prepared, 2, Seed::new(seed)).unwrap();
        let run = climb(&start, &prepared.data, &mut Squarem::default(), 1e-10);
        let got = run.objective() + prepared.log_jacobian();
        println!("start {seed}: log-likelihood {got} after {} iterations", run.iterations);
        if (got - number(&want["loglik"])).abs() > 1e-3 {
            assert!(got < number(&want["loglik"]), "better than the reference: {got}");
            continue;
        }
        reached += 1;
        assert_close("loglik", &[got], &[number(&want["loglik"])], number(&item["tolerance"]["loglik_abs"]));
        let mut model = run.model;
        if model.weights()[0] > model.weights()[1] {
            model.select_components(&[1, 0]);
        }
        let lines = prepared.original(model.emission()).unwrap();
        let coefficients: Vec<f64> = (0..2).flat_map(|c| lines.coefficients(c)).collect();
        assert_close("coef", &coefficients, &numbers(&want["coef"]), 1e-5);
        let sds: Vec<f64> = (0..2).map(|c| lines.variance(c).sqrt()).collect();
        assert_close("sds", &sds, &numbers(&want["sds"]), 1e-5);
        // Printed with three digits.
        assert_close("weights", model.weights(), &numbers(&want["weights"]), 5e-4);
    }
    assert!(reached >= 5, "{reached} of 10 starts reach the reference's optimum");
}
