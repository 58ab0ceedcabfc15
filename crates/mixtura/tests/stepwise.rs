//! Laws of stepwise EM: one batch is plain EM, the batch objective is reached, passes are never taken for convergence.

use mixtura::algorithm::{ALPHA, Algorithm, Batch, Remaining, Stepwise};
use mixtura::data::{CHUNK_ROWS, Dense};
use mixtura::engine::Threads;
use mixtura::family::gaussian::{Gaussian, Structure};
use mixtura::fit::{Init, Method, StatusKind};
use mixtura::model::{Posterior, Unconstrained};
use mixtura::{Error, Fit, GaussianMixture, Mixture, Seed};
use mixtura_testkit::laws::expect;
use mixtura_testkit::rows::Random;

/// `n` rows of two overlapping components in two dimensions, sorted by component where asked for.
fn rows(n: usize, sorted: bool) -> Vec<f64> {
    let mut r = Random::new(12);
    let second = |i: usize| if sorted { 3 * i > 2 * n } else { i.is_multiple_of(3) };
    (0..n).flat_map(|i| [r.normal() + if second(i) { 2.6 } else { 0.0 }, r.normal()]).collect()
}

fn start(structure: Structure) -> Mixture<Gaussian> {
    let means = vec![-0.5, 0.0, 1.0, 0.5];
    Mixture::equal(Gaussian::new(structure, 2, means, [1.0, 0.0, 0.0, 1.0].repeat(2)).unwrap())
}

fn fit(structure: Structure, method: Method, table: &Dense<'_>, max_iter: usize) -> Fit<Mixture<Gaussian>> {
    let options = GaussianMixture {
        structure,
        method,
        init: Init::Params(Box::new(start(structure))),
        tolerance: 1e-4,
        max_iter,
        ..GaussianMixture::new(2)
    };
    options.fit(table).unwrap()
}

fn stepwise(seed: u64) -> Stepwise<Mixture<Gaussian>> {
    Stepwise::new(ALPHA, Seed::new(seed)).unwrap()
}

#[track_caller]
fn same(a: &Mixture<Gaussian>, b: &Mixture<Gaussian>, within: f64) {
    for (x, y) in a.to_vector().iter().zip(b.to_vector()) {
        assert!((x - y).abs() <= within, "{x} {y}");
    }
}

#[test]
fn one_batch_is_an_iteration_of_plain_em() {
    for (n, structure) in [700, 3 * CHUNK_ROWS + 5].into_iter().flat_map(|n| Structure::ALL.map(|s| (n, s))) {
        let values = rows(n, false);
        let table = Dense::new(&values[..], 2).unwrap();
        let (mut a, mut b) = (start(structure), start(structure));
        let (mut engine, mut algorithm) = (Threads::new(&table), stepwise(0));
        for _ in 0..3 {
            let plain = Batch(Posterior::Soft).step(&mut a, &mut engine).unwrap();
            let step = algorithm.step(&mut b, &mut engine).unwrap();
            // The same sums, divided by the weight once more: a few roundings, of n terms that are about 1.
            assert!((step.objective - plain.objective).abs() <= 1e-12 * plain.objective.abs());
            assert_eq!(step.remaining, Remaining::FromIncrements);
            same(&a, &b, 1e-12);
        }
    }
}

#[test]
fn fixed_points_stay() {
    let values = rows(800, false);
    let table = Dense::new(&values[..], 2).unwrap();
    for structure in Structure::ALL {
        let options = GaussianMixture { structure, tolerance: 1e-12, max_iter: 50_000, ..GaussianMixture::new(2) };
        let fixed = options.fit(&table).unwrap().model;
        let (mut model, mut algorithm) = (fixed.clone(), stepwise(3));
        (0..9).for_each(|_| {
            algorithm.step(&mut model, &mut Threads::new(&table)).unwrap();
        });
        // The fit stops 1e-12 nats short, so parameters are still about 1e-6 / √n away.
        same(&model, &fixed, 1e-5);
    }
}

#[test]
fn the_batch_objective_is_reached() {
    for (n, sorted) in [(800, false), (9 * CHUNK_ROWS + 77, false), (10 * CHUNK_ROWS, true)] {
        let values = rows(n, sorted);
        let table = Dense::new(&values[..], 2).unwrap();
        for structure in Structure::ALL {
            let name = format!("{} n={n} sorted={sorted}", structure.name());
            let (em, ours) =
                (fit(structure, Method::Em, &table, 20_000), fit(structure, Method::Stepwise, &table, 2_000));
            assert_eq!(ours.status.kind, StatusKind::Converged, "{name}: {}", ours.status.detail);
            assert!(ours.certificate.monotone, "{name}: fell by {}", ours.certificate.largest_decrease);
            // Both stop within their tolerance of 1e-4 nats, by an estimate that may be off by a small factor.
            assert!((em.log_likelihood - ours.log_likelihood).abs() < 1e-3, "{name}: {}", ours.log_likelihood);
            assert_eq!(ours.trace.incomparable, if n < 8 * CHUNK_ROWS { 0 } else { 2 }, "{name}");
        }
    }
}

#[test]
fn a_pass_is_never_taken_for_convergence_nor_for_a_fall() {
    let values = rows(20 * CHUNK_ROWS, false);
    let table = Dense::new(&values[..], 2).unwrap();
    for max_iter in [1, 2] {
        let fit = fit(Structure::Full, Method::Stepwise, &table, max_iter);
        assert_eq!(fit.status.kind, StatusKind::IterationLimit);
        assert!(fit.status.detail.contains("first phase"), "{}", fit.status.detail);
        assert_eq!((fit.iterations, fit.certificate.nats_remaining), (max_iter, None));
        assert_eq!((fit.certificate.monotone, fit.certificate.largest_decrease), (true, 0.0));
        // The reported log-likelihood is that of the returned parameters, by an E-step of its own.
        let again = expect(&fit.model, &table).log_likelihood;
        assert!((again - fit.log_likelihood).abs() < 1e-9 * again.abs(), "{again}");
    }
    // Repeated passes with the same score: the rule must not count them, at however small a step.
    let optimum = fit(Structure::Full, Method::Em, &table, 20_000).model;
    let (mut model, mut algorithm) = (optimum, stepwise(0));
    for _ in 0..5 {
        let step = algorithm.step(&mut model, &mut Threads::new(&table)).unwrap();
        assert_eq!(step.remaining, Remaining::Incomparable);
    }
}

#[test]
fn weight_two_is_the_row_twice_where_the_batches_are_the_same() {
    // 32 chunks make 32 batches of one chunk; every row twice makes 64 chunks and 32 batches of the same rows.
    let values = rows(32 * CHUNK_ROWS, false);
    let n = values.len() / 2;
    let twice: Vec<f64> = values.chunks(2).flat_map(|row| row.repeat(2)).collect();
    let weighted = Dense::new(&values[..], 2).unwrap().with_weights(vec![2.0; n]).unwrap();
    let twice = Dense::new(&twice[..], 2).unwrap();
    let run = |table: &Dense<'_>| {
        let (mut model, mut algorithm) = (start(Structure::Full), stepwise(5));
        let steps: Vec<f64> =
            (0..2).map(|_| algorithm.step(&mut model, &mut Threads::new(table)).unwrap().objective).collect();
        (model, steps)
    };
    let ((a, scores_a), (b, scores_b)) = (run(&weighted), run(&twice));
    // 64 updates, each with the rounding of 8,192 terms (about 1e-14), which later updates do not amplify by much.
    same(&a, &b, 1e-11);
    assert!(scores_a.iter().zip(&scores_b).all(|(x, y)| (x - y).abs() < 1e-11 * x.abs()), "{scores_a:?} {scores_b:?}");
}

#[test]
fn only_ratios_of_weights_move_the_parameters() {
    let values = rows(9 * CHUNK_ROWS, false);
    let run = |unit: f64| {
        // The first chunks count for more, so that batches differ in weight.
        let weights: Vec<f64> = (0..values.len() / 2).map(|i| unit * (1.0 + 3.0 * (-(i as f64) / 5e3).exp())).collect();
        let table = Dense::new(&values[..], 2).unwrap().with_weights(weights).unwrap();
        let (mut model, mut algorithm) = (start(Structure::Full), stepwise(5));
        (0..2).for_each(|_| {
            algorithm.step(&mut model, &mut Threads::new(&table)).unwrap();
        });
        model
    };
    // Rounding of sums of thousands of terms, 18 times.
    same(&run(1.0), &run(1e-5), 1e-11);
}

#[test]
fn the_seed_decides_and_the_threads_do_not() {
    let values = rows(11 * CHUNK_ROWS + 3, false);
    let table = Dense::new(&values[..], 2).unwrap();
    let run = |seed, threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let (mut model, mut algorithm) = (start(Structure::Full), stepwise(seed));
            (0..2).for_each(|_| {
                algorithm.step(&mut model, &mut Threads::new(&table)).unwrap();
            });
            model.to_vector()
        })
    };
    let one = run(1, 1);
    assert_eq!(one, run(1, 2));
    assert_eq!(one, run(1, 5));
    assert_ne!(one, run(2, 1));
}

#[test]
fn parameters_from_outside_forget_the_statistics() {
    let values = rows(9 * CHUNK_ROWS, false);
    let table = Dense::new(&values[..], 2).unwrap();
    let far = Mixture::equal(start(Structure::Full).emission().clone());
    let optimum = fit(Structure::Full, Method::Em, &table, 20_000).model;
    let after = |first: &Mixture<Gaussian>| {
        let mut algorithm = stepwise(0);
        algorithm.step(&mut first.clone(), &mut Threads::new(&table)).unwrap();
        let mut model = far.clone();
        algorithm.step(&mut model, &mut Threads::new(&table)).unwrap();
        model.to_vector()
    };
    assert_eq!(after(&far), after(&optimum));
    // Another number of components, as after the drop policy, is no reason to panic.
    let mut algorithm = stepwise(0);
    let mut model = far;
    algorithm.step(&mut model, &mut Threads::new(&table)).unwrap();
    model.select_components(&[1]);
    algorithm.step(&mut model, &mut Threads::new(&table)).unwrap();
    assert_eq!(model.weights(), [1.0]);
}

#[test]
fn one_pass_does_the_work_of_several() {
    // Ten overlapping components in five dimensions, 200,000 rows; the start is the same random one for both.
    let (k, d, n) = (10, 5, 200_000);
    let mut r = Random::new(4);
    let centres: Vec<f64> = (0..k * d).map(|_| 2.5 * r.normal()).collect();
    let values: Vec<f64> = (0..n)
        .flat_map(|_| {
            let c = r.below(k);
            (0..d).map(|j| centres[c * d + j] + r.normal()).collect::<Vec<f64>>()
        })
        .collect();
    let table = Dense::new(&values[..], d).unwrap();
    let identity: Vec<f64> = (0..d * d).map(|i| if i % (d + 1) == 0 { 4.0 } else { 0.0 }).collect();
    let means: Vec<f64> = (0..k * d).map(|i| values[i / d * 977 * d + i % d]).collect();
    let begin = Mixture::equal(Gaussian::new(Structure::Full, d, means, identity.repeat(k)).unwrap());
    let run = |algorithm: &mut dyn Algorithm<Mixture<Gaussian>>, passes: usize| {
        let (mut model, mut engine) = (begin.clone(), Threads::new(&table));
        (0..passes).for_each(|_| {
            algorithm.step(&mut model, &mut engine).unwrap();
        });
        expect(&model, &table).log_likelihood
    };
    let online = run(&mut stepwise(0), 2);
    let passes = (1..=60).find(|&p| run(&mut Batch(Posterior::Soft), p) > online);
    println!("two passes of stepwise EM reach what {passes:?} iterations of plain EM reach");
    assert!(passes.is_none_or(|p| p > 6), "{passes:?}");
}

#[test]
fn impossible_step_sizes_are_refused() {
    for alpha in [0.5, 1.01, f64::NAN, -1.0] {
        assert!(matches!(Stepwise::<Mixture<Gaussian>>::new(alpha, Seed::new(0)), Err(Error::Usage(_))), "{alpha}");
    }
}
