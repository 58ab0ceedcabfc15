//! Laws of incremental EM: one block is plain EM, Neal & Hinton's F never falls, the batch objective is reached.

use std::ops::Range;

use mixtura::algorithm::{Algorithm, Batch, Incremental, Remaining};
use mixtura::data::{CHUNK_ROWS, Dense};
use mixtura::engine::{Engine, Threads};
use mixtura::family::gaussian::{Gaussian, Structure};
use mixtura::fit::{Init, Method, StatusKind};
use mixtura::model::{LatentModel, Posterior, Unconstrained, WeightPosterior, WeightPrior};
use mixtura::stats::Expectation;
use mixtura::{Fit, GaussianMixture, Mixture, Seed};
use mixtura_testkit::laws::expect;
use mixtura_testkit::rows::{Random, weights};

type Model = Mixture<Gaussian>;

/// `n` rows of two overlapping components in two dimensions, sorted by component where asked for.
fn rows(n: usize, sorted: bool) -> Vec<f64> {
    let mut r = Random::new(12);
    let second = |i: usize| if sorted { 3 * i > 2 * n } else { i.is_multiple_of(3) };
    (0..n).flat_map(|i| [r.normal() + if second(i) { 2.6 } else { 0.0 }, r.normal()]).collect()
}

fn start(structure: Structure) -> Model {
    let means = vec![-0.5, 0.0, 1.0, 0.5];
    Mixture::equal(Gaussian::new(structure, 2, means, [1.0, 0.0, 0.0, 1.0].repeat(2)).unwrap())
}

fn incremental(seed: u64) -> Incremental<Model> {
    Incremental::new(Seed::new(seed))
}

fn fit(structure: Structure, method: Method, table: &Dense<'_>, max_iter: usize) -> Fit<Model> {
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

#[track_caller]
fn same(a: &Model, b: &Model, within: f64) {
    for (x, y) in a.to_vector().iter().zip(b.to_vector()) {
        assert!((x - y).abs() <= within, "{x} {y}");
    }
}

#[test]
fn one_block_is_plain_em_to_the_bit() {
    for (n, structure) in [1, 700, 3 * CHUNK_ROWS + 5].into_iter().flat_map(|n| Structure::ALL.map(|s| (n, s))) {
        // One row leaves no covariance behind: the weights alone move.
        let values = rows(n, false);
        let table = Dense::new(&values[..], 2).unwrap();
        let (mut a, mut b) = (start(structure), start(structure));
        let (mut engine, mut algorithm) = (Threads::new(&table), incremental(0));
        for _ in 0..3 {
            let plain = Batch(Posterior::Soft).step(&mut a, &mut engine);
            let step = algorithm.step(&mut b, &mut engine);
            let (Ok(plain), Ok(step)) = (&plain, &step) else {
                assert_eq!(plain.map(|s| s.objective), step.map(|s| s.objective));
                break;
            };
            assert_eq!(step.objective.to_bits(), plain.objective.to_bits());
            assert_eq!(step.remaining, Remaining::FromIncrements);
            assert_eq!(a.parameters(), b.parameters());
        }
    }
}

#[test]
fn the_first_pass_is_an_iteration_of_plain_em() {
    let values = rows(9 * CHUNK_ROWS + 1, false);
    let weights = weights(values.len() / 2, 4);
    let table = Dense::new(&values[..], 2).unwrap().with_weights(weights).unwrap();
    for structure in Structure::ALL {
        let (mut a, mut b) = (start(structure), start(structure));
        let plain = Batch(Posterior::Soft).step(&mut a, &mut Threads::new(&table)).unwrap();
        let mut algorithm = incremental(0);
        let step = algorithm.step(&mut b, &mut Threads::new(&table)).unwrap();
        // The same sums in another order: roundings of some ten thousand terms that are about 1.
        assert!((step.objective - plain.objective).abs() <= 1e-12 * plain.objective.abs());
        assert_eq!(step.remaining, Remaining::FromIncrements);
        same(&a, &b, 1e-12);
        let later = algorithm.step(&mut b, &mut Threads::new(&table)).unwrap();
        assert_eq!(later.remaining, Remaining::Incomparable);
    }
}

/// The order in which an algorithm reads chunks.
struct Listening<'a> {
    threads: Threads<'a, Model>,
    heard: Vec<Range<usize>>,
}

impl Engine<Model> for Listening<'_> {
    fn n_chunks(&self) -> usize {
        Engine::<Model>::n_chunks(&self.threads)
    }

    fn expect(
        &mut self,
        model: &Model,
        chunks: Range<usize>,
        posterior: Posterior,
    ) -> mixtura::Result<Expectation<<Model as LatentModel>::Stats>> {
        self.heard.push(chunks.clone());
        self.threads.expect(model, chunks, posterior)
    }
}

/// Incremental EM by the book, for two components with full covariances in two dimensions: every row keeps its responsibilities,
/// and every M-step sums over all rows.
struct ByTheBook<'a> {
    rows: &'a [f64],
    weights: &'a [f64],
    resp: Vec<[f64; 2]>,
    share: [f64; 2],
    mean: [[f64; 2]; 2],
    /// xx, xy, yy.
    covariance: [[f64; 3]; 2],
}

impl ByTheBook<'_> {
    fn joint(&self, i: usize, k: usize) -> f64 {
        let (x, y) = (self.rows[2 * i] - self.mean[k][0], self.rows[2 * i + 1] - self.mean[k][1]);
        let [a, b, c] = self.covariance[k];
        let determinant = a * c - b * b;
        let distance = (c * x * x - 2.0 * b * x * y + a * y * y) / determinant;
        self.share[k].ln() - 0.5 * distance - 0.5 * determinant.ln() - std::f64::consts::TAU.ln()
    }

    fn log_density(&self, i: usize) -> f64 {
        let [a, b] = [self.joint(i, 0), self.joint(i, 1)];
        a.max(b) + (-(a - b).abs()).exp().ln_1p()
    }

    fn e_step(&mut self, of: Range<usize>) -> f64 {
        let mut log_likelihood = 0.0;
        for i in of {
            let total = self.log_density(i);
            self.resp[i] = [0, 1].map(|k| (self.joint(i, k) - total).exp());
            log_likelihood += self.weights[i] * total;
        }
        log_likelihood
    }

    fn m_step(&mut self) {
        let total: f64 = self.weights.iter().sum();
        for k in 0..2 {
            let r = |i: usize| self.weights[i] * self.resp[i][k];
            let n: f64 = (0..self.resp.len()).map(r).sum();
            let mean = [0, 1].map(|j| (0..self.resp.len()).map(|i| r(i) * self.rows[2 * i + j]).sum::<f64>() / n);
            let second = |a: usize, b: usize| {
                let of = |i: usize| (self.rows[2 * i + a] - mean[a]) * (self.rows[2 * i + b] - mean[b]);
                (0..self.resp.len()).map(|i| r(i) * of(i)).sum::<f64>() / n
            };
            let covariance = [second(0, 0), second(0, 1), second(1, 1)];
            (self.share[k], self.mean[k], self.covariance[k]) = (n / total, mean, covariance);
        }
    }

    /// F(P̃, θ) = E[log p(x, z)] + H(P̃).
    fn free_energy(&self) -> f64 {
        let of = |i: usize, k: usize| match self.resp[i][k] {
            0.0 => 0.0,
            r => self.weights[i] * r * (self.joint(i, k) - r.ln()),
        };
        (0..self.resp.len()).map(|i| of(i, 0) + of(i, 1)).sum()
    }
}

#[test]
fn passes_are_those_of_the_book_and_raise_the_free_energy() {
    let values = rows(9 * CHUNK_ROWS + 333, false);
    let n = values.len() / 2;
    let weights = weights(n, 8);
    let table = Dense::new(&values[..], 2).unwrap().with_weights(&weights[..]).unwrap();
    let mut model = start(Structure::Full);
    let mut engine = Listening { threads: Threads::new(&table), heard: Vec::new() };
    let mut algorithm = incremental(7);
    let identity = [1.0, 0.0, 1.0];
    let (resp, mean) = (vec![[0.0; 2]; n], [[-0.5, 0.0], [1.0, 0.5]]);
    let mut book =
        ByTheBook { rows: &values, weights: &weights, resp, share: [0.5; 2], mean, covariance: [identity; 2] };
    book.e_step(0..n);
    book.m_step();
    algorithm.step(&mut model, &mut engine).unwrap();
    let mut last = f64::NEG_INFINITY;
    let mut orders = Vec::new();
    for pass in 0..3 {
        engine.heard.clear();
        let step = algorithm.step(&mut model, &mut engine).unwrap();
        let mut score = 0.0;
        for chunks in &engine.heard {
            let block = chunks.start * CHUNK_ROWS..(chunks.end * CHUNK_ROWS).min(n);
            score += book.e_step(block);
            let between = book.free_energy();
            book.m_step();
            let now = book.free_energy();
            // Sums of 17,000 terms of size 4, each good to some ε.
            assert!(between >= last - 1e-9 && now >= between - 1e-9, "pass {pass}: {last} {between} {now}");
            last = now;
        }
        assert!((step.objective - score).abs() < 1e-11 * score.abs(), "{} {score}", step.objective);
        let log_likelihood: f64 = (0..n).map(|i| weights[i] * book.log_density(i)).sum();
        assert!(last <= log_likelihood + 1e-9, "F is a lower bound: {last} {log_likelihood}");
        for k in 0..2 {
            // Two ways to the same sums, 30 times; parameters are about 1.
            let [a, b, c] = book.covariance[k];
            let pairs = model.emission().mean(k).iter().zip(&book.mean[k]);
            let covariance = model.emission().covariance(k);
            let close = |x: &f64, y: &f64| assert!((x - y).abs() < 1e-11, "pass {pass}: {x} {y}");
            pairs.for_each(|(x, y)| close(x, y));
            covariance.iter().zip(&[a, b, b, c]).for_each(|(x, y)| close(x, y));
            close(&model.weights()[k], &book.share[k]);
        }
        assert!((model.weights().iter().sum::<f64>() - 1.0).abs() < 1e-15);
        let mut sorted = engine.heard.clone();
        sorted.sort_by_key(|c| c.start);
        assert_eq!(sorted, (0..10).map(|c| c..c + 1).collect::<Vec<_>>(), "every chunk once");
        orders.push(std::mem::take(&mut engine.heard));
    }
    assert!(orders[0] != orders[1] && orders[1] != orders[2], "every pass draws its order");
}

#[test]
fn fixed_points_stay() {
    let values = rows(9 * CHUNK_ROWS, false);
    let table = Dense::new(&values[..], 2).unwrap();
    for structure in Structure::ALL {
        let options = GaussianMixture { structure, tolerance: 1e-10, max_iter: 50_000, ..GaussianMixture::new(2) };
        let fixed = options.fit(&table).unwrap().model;
        let (mut model, mut algorithm) = (fixed.clone(), incremental(3));
        // Long enough that rounding would build up if something were subtracted.
        (0..50).for_each(|_| {
            algorithm.step(&mut model, &mut Threads::new(&table)).unwrap();
            assert!((model.weights().iter().sum::<f64>() - 1.0).abs() < 1e-15);
        });
        // The fit stops 1e-10 nats short, so parameters are still about 1e-5 / √n away, times EM's slowness.
        same(&model, &fixed, 1e-5);
        let (a, b) = (expect(&model, &table).log_likelihood, expect(&fixed, &table).log_likelihood);
        assert!((a - b).abs() < 1e-8, "{a} {b}");
    }
}

#[test]
fn the_batch_objective_is_reached() {
    for (n, sorted) in [(3, false), (800, false), (9 * CHUNK_ROWS + 77, false), (10 * CHUNK_ROWS, true)] {
        let values = rows(n, sorted);
        let table = Dense::new(&values[..], 2).unwrap();
        for structure in Structure::ALL {
            let name = format!("{} n={n} sorted={sorted}", structure.name());
            let (em, ours) =
                (fit(structure, Method::Em, &table, 20_000), fit(structure, Method::Incremental, &table, 2_000));
            if n == 3 {
                // Too few rows for two components: whatever it is, it is said, and is no panic.
                assert_eq!(ours.status.kind, em.status.kind, "{name}");
                continue;
            }
            assert_eq!(ours.status.kind, StatusKind::Converged, "{name}: {}", ours.status.detail);
            assert!(ours.certificate.monotone, "{name}: fell by {}", ours.certificate.largest_decrease);
            // Both stop within their tolerance of 1e-4 nats, by an estimate that may be off by a small factor.
            assert!((em.log_likelihood - ours.log_likelihood).abs() < 1e-3, "{name}: {}", ours.log_likelihood);
            assert_eq!(ours.trace.incomparable, if n < 8 * CHUNK_ROWS { 0 } else { 5 }, "{name}");
        }
    }
}

#[test]
fn missing_cells_labels_and_priors() {
    let mut values = rows(9 * CHUNK_ROWS, false);
    let n = values.len() / 2;
    let labels: Vec<i32> = (0..n).map(|i| if i % 41 == 7 { i32::from(i.is_multiple_of(3)) } else { -1 }).collect();
    values.iter_mut().enumerate().filter(|(i, _)| i % 11 == 3).for_each(|(_, x)| *x = f64::NAN);
    let table = Dense::new(&values[..], 2).unwrap().with_labels(labels).unwrap();
    let prior = WeightPosterior::new(WeightPrior::Dirichlet(400.0), 2).unwrap();
    let begin = Mixture::of(prior, start(Structure::Full).emission().clone()).unwrap();
    let (mut em, mut ours) = (begin.clone(), begin);
    let mut algorithm = Incremental::new(Seed::new(1));
    for _ in 0..1000 {
        algorithm.step(&mut ours, &mut Threads::new(&table)).unwrap();
    }
    for _ in 0..1500 {
        Batch(Posterior::Soft).step(&mut em, &mut Threads::new(&table)).unwrap();
    }
    let objective = |m: &Mixture<Gaussian, WeightPosterior>| expect(m, &table).log_likelihood + m.log_prior();
    // Both have stood still for long: what is left is rounding of 17,000 terms.
    assert!((objective(&em) - objective(&ours)).abs() < 1e-6, "{} {}", objective(&em), objective(&ours));
}

#[test]
fn the_seed_decides_and_the_threads_do_not() {
    let values = rows(11 * CHUNK_ROWS + 3, false);
    let table = Dense::new(&values[..], 2).unwrap();
    let run = |seed, threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let (mut model, mut algorithm) = (start(Structure::Full), incremental(seed));
            (0..3).for_each(|_| {
                algorithm.step(&mut model, &mut Threads::new(&table)).unwrap();
            });
            model.parameters()
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
    let mut engine = Threads::new(&table);
    let mut algorithm = incremental(0);
    let (mut model, mut fresh) = (start(Structure::Full), start(Structure::Full));
    (0..2).for_each(|_| {
        algorithm.step(&mut model, &mut engine).unwrap();
    });
    model = start(Structure::Full);
    algorithm.step(&mut model, &mut engine).unwrap();
    incremental(5).step(&mut fresh, &mut engine).unwrap();
    assert_eq!(model.parameters(), fresh.parameters());
    // Another number of components, as after the drop policy, is no reason to panic.
    model.select_components(&[1]);
    algorithm.step(&mut model, &mut engine).unwrap();
    assert_eq!(model.weights(), [1.0]);
}

#[test]
fn weight_two_is_the_row_twice_where_the_blocks_are_the_same() {
    // 32 chunks make 32 blocks of one chunk; every row twice makes 64 chunks and 32 blocks of the same rows.
    let values = rows(32 * CHUNK_ROWS, false);
    let n = values.len() / 2;
    let twice: Vec<f64> = values.chunks(2).flat_map(|row| row.repeat(2)).collect();
    let weighted = Dense::new(&values[..], 2).unwrap().with_weights(vec![2.0; n]).unwrap();
    let twice = Dense::new(&twice[..], 2).unwrap();
    let run = |table: &Dense<'_>| {
        let (mut model, mut algorithm) = (start(Structure::Full), incremental(5));
        (0..2).for_each(|_| {
            algorithm.step(&mut model, &mut Threads::new(table)).unwrap();
        });
        model
    };
    // 33 updates, each with the rounding of sums over 60,000 rows, which later updates do not amplify by much.
    same(&run(&weighted), &run(&twice), 1e-11);
}
