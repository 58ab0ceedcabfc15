//! Laws of sparse EM: iterations are those of the definition, Neal & Hinton's F never falls, the batch objective is reached.

use mixtura::algorithm::{Algorithm, Batch, Remaining, Sparse};
use mixtura::data::{CHUNK_ROWS, Dense};
use mixtura::engine::Threads;
use mixtura::family::TILE;
use mixtura::family::bernoulli::Bernoulli;
use mixtura::family::gaussian::{Gaussian, Structure};
use mixtura::fit::{Init, Method, StatusKind};
use mixtura::model::censored::CensoredNormal;
use mixtura::model::{LatentModel, Posterior, Unconstrained};
use mixtura::{Error, GaussianMixture, Mixture, Seed};
use mixtura_testkit::laws::expect;
use mixtura_testkit::rows::{Random, weights};

const K: usize = 4;

/// Four clusters in a row, each touching the next, in two dimensions.
fn rows(n: usize) -> Vec<f64> {
    let mut r = Random::new(12);
    (0..n)
        .flat_map(|_| {
            let c = r.below(K) as f64;
            [4.0 * c + r.normal(), 0.7 * r.normal() - 0.5 * c]
        })
        .collect()
}

fn start(structure: Structure) -> Mixture<Gaussian> {
    let means = (0..K).flat_map(|k| [4.0 * k as f64 + 0.5, 0.1]).collect();
    Mixture::equal(Gaussian::new(structure, 2, means, [1.0, 0.0, 0.0, 1.0].repeat(K)).unwrap())
}

/// Sparse EM by its definition: every row keeps all its responsibilities, every M-step sums over all of them.
struct ByTheBook<'a> {
    rows: &'a [f64],
    weights: &'a [f64],
    resp: Vec<[f64; K]>,
    plausible: Vec<[bool; K]>,
    next: Vec<usize>,
    share: [f64; K],
    mean: [[f64; 2]; K],
    covariance: [[f64; 3]; K],
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
        (0..K).map(|k| self.joint(i, k).exp()).sum::<f64>().ln()
    }

    fn search(&mut self, least: f64) {
        let order = self.next.clone();
        for i in 0..self.resp.len() {
            let total = self.log_density(i);
            self.resp[i] = [0, 1, 2, 3].map(|k| (self.joint(i, k) - total).exp());
        }
        for tile in order.chunks(CHUNK_ROWS).flat_map(|chunk| chunk.chunks(TILE)) {
            let marks = [0, 1, 2, 3].map(|k| tile.iter().any(|&i| self.resp[i][k] >= least));
            tile.iter().for_each(|&i| self.plausible[i] = marks);
        }
        self.next = (0..order.len()).collect();
        let best = |i: usize| (0..K).fold(0, |b, k| if self.resp[i][k] > self.resp[i][b] { k } else { b });
        self.next.sort_by_key(|&i| (i / CHUNK_ROWS, best(i)));
    }

    fn update(&mut self) {
        for i in 0..self.resp.len() {
            let marks = self.plausible[i];
            let frozen: f64 = (0..K).filter(|k| !marks[*k]).map(|k| self.resp[i][k]).sum();
            let total: f64 = (0..K).filter(|k| marks[*k]).map(|k| self.joint(i, k).exp()).sum();
            for k in (0..K).filter(|k| marks[*k]) {
                self.resp[i][k] = (1.0 - frozen) * self.joint(i, k).exp() / total;
            }
        }
    }

    fn m_step(&mut self) {
        let total: f64 = self.weights.iter().sum();
        for k in 0..K {
            let r = |i: usize| self.weights[i] * self.resp[i][k];
            let all = 0..self.resp.len();
            let n: f64 = all.clone().map(r).sum();
            let mean = [0, 1].map(|j| all.clone().map(|i| r(i) * self.rows[2 * i + j]).sum::<f64>() / n);
            let second = |a: usize, b: usize| {
                let of = |i: usize| (self.rows[2 * i + a] - mean[a]) * (self.rows[2 * i + b] - mean[b]);
                all.clone().map(|i| r(i) * of(i)).sum::<f64>() / n
            };
            let covariance = [second(0, 0), second(0, 1), second(1, 1)];
            (self.share[k], self.mean[k], self.covariance[k]) = (n / total, mean, covariance);
        }
    }

    fn free_energy(&self) -> f64 {
        let of = |i: usize, k: usize| match self.resp[i][k] {
            0.0 => 0.0,
            r => self.weights[i] * r * (self.joint(i, k) - r.ln()),
        };
        (0..self.resp.len()).map(|i| (0..K).map(|k| of(i, k)).sum::<f64>()).sum()
    }
}

#[test]
fn iterations_are_those_of_the_definition_and_raise_the_free_energy() {
    let values = rows(2 * CHUNK_ROWS + 301);
    let n = values.len() / 2;
    let weights = weights(n, 8);
    let table = Dense::new(&values[..], 2).unwrap().with_weights(&weights[..]).unwrap();
    let (least, updates) = (0.02, 3);
    let mut model = start(Structure::Full);
    let mut algorithm = Sparse::new(least, updates).unwrap();
    let mut book = ByTheBook {
        rows: &values,
        weights: &weights,
        resp: vec![[0.0; K]; n],
        plausible: vec![[true; K]; n],
        next: (0..n).collect(),
        share: [0.25; K],
        mean: [0, 1, 2, 3].map(|k| [4.0 * f64::from(k) + 0.5, 0.1]),
        covariance: [[1.0, 0.0, 1.0]; K],
    };
    let mut last = f64::NEG_INFINITY;
    for t in 0..4 * updates {
        let log_likelihood: f64 = (0..n).map(|i| weights[i] * book.log_density(i)).sum();
        let step = algorithm.step(&mut model, &mut Threads::new(&table)).unwrap();
        // Sums of 4,000 weighted terms of size 4.
        if t == 0 || t % updates == 1 {
            book.search(least);
            assert!((step.objective - log_likelihood).abs() < 1e-11 * log_likelihood.abs());
            assert_eq!(step.remaining, Remaining::Unknown);
        } else {
            assert!(step.objective <= log_likelihood, "frozen components are left out");
            assert_eq!(step.remaining, Remaining::Incomparable);
        }
        book.update();
        let between = book.free_energy();
        book.m_step();
        let now = book.free_energy();
        assert!(between >= last - 1e-9 && now >= between - 1e-9, "iteration {t}: {last} {between} {now}");
        last = now;
        let frozen = book.plausible.iter().flatten().filter(|p| !**p).count();
        println!("iteration {t}: {frozen} of {} pairs are frozen", K * n);
        assert_eq!(frozen > n, t > 0, "sorted tiles see less than three of the four components");
        for k in 0..K {
            let [a, b, c] = book.covariance[k];
            // Two ways to the same sums, 12 times; means are up to 12.
            let close = |x: &f64, y: &f64| assert!((x - y).abs() < 1e-10, "iteration {t}: {x} {y}");
            model.emission().mean(k).iter().zip(&book.mean[k]).for_each(|(x, y)| close(x, y));
            model.emission().covariance(k).iter().zip(&[a, b, b, c]).for_each(|(x, y)| close(x, y));
            close(&model.weights()[k], &book.share[k]);
        }
        assert!((model.weights().iter().sum::<f64>() - 1.0).abs() < 1e-14);
    }
}

#[test]
fn the_batch_objective_is_reached() {
    for (n, holes, known) in [(700, false, false), (3 * CHUNK_ROWS + 7, false, false), (2 * CHUNK_ROWS, true, true)] {
        let mut values = rows(n);
        if holes {
            values.iter_mut().enumerate().filter(|(i, _)| i % 11 == 3).for_each(|(_, x)| *x = f64::NAN);
        }
        let labels: Vec<i32> = (0..n as i32).map(|i| if known && i % 50 == 7 { i / 50 % 4 } else { -1 }).collect();
        let table = Dense::new(&values[..], 2).unwrap().with_labels(labels).unwrap();
        for structure in Structure::ALL {
            let fit = |method| {
                let options = GaussianMixture {
                    structure,
                    method,
                    init: Init::Params(Box::new(start(structure))),
                    tolerance: 1e-5,
                    max_iter: 20_000,
                    ..GaussianMixture::new(K)
                };
                options.fit(&table).unwrap()
            };
            let (em, ours) = (fit(Method::Em), fit(Method::Sparse));
            let name = format!("{}, {n} rows", structure.name());
            assert_eq!(ours.status.kind, StatusKind::Converged, "{name}: {}", ours.status.detail);
            assert!(ours.certificate.monotone, "{name}: fell by {}", ours.certificate.largest_decrease);
            // Both stop within 1e-5 nats, by an estimate that may be off by a small factor.
            assert!((em.log_likelihood - ours.log_likelihood).abs() < 1e-4, "{name}: {}", ours.log_likelihood);
        }
    }
}

#[test]
fn fixed_points_stay() {
    let values = rows(CHUNK_ROWS + 99);
    let table = Dense::new(&values[..], 2).unwrap();
    for structure in Structure::ALL {
        let init = Init::Params(Box::new(start(structure)));
        let options =
            GaussianMixture { structure, init, tolerance: 1e-11, max_iter: 50_000, ..GaussianMixture::new(K) };
        let fixed = options.fit(&table).unwrap().model;
        let (mut model, mut algorithm) = (fixed.clone(), Sparse::default());
        (0..20).for_each(|_| {
            algorithm.step(&mut model, &mut Threads::new(&table)).unwrap();
        });
        // The fit stops 1e-11 nats short: parameters are about √1e-11 over the root of hundreds of rows away.
        model.to_vector().iter().zip(fixed.to_vector()).for_each(|(a, b)| assert!((a - b).abs() < 1e-5, "{a} {b}"));
    }
}

#[test]
fn families_without_a_use_for_marks() {
    let mut r = Random::new(7);
    let n = CHUNK_ROWS + 5;
    let p = |i: usize, j: usize| if i.is_multiple_of(3) { [0.9, 0.8, 1.0][j] } else { [0.2, 0.3, 0.0][j] };
    let values: Vec<f64> = (0..n * 3).map(|c| f64::from(u8::from(r.uniform() < p(c / 3, c % 3)))).collect();
    let table = Dense::new(&values[..], 3).unwrap();
    let begin = Mixture::equal(Bernoulli::new(3, vec![0.7, 0.6, 0.7, 0.4, 0.4, 0.3]).unwrap());
    let (mut em, mut ours) = (begin.clone(), begin);
    let mut algorithm = Sparse::default();
    for _ in 0..300 {
        Batch(Posterior::Soft).step(&mut em, &mut Threads::new(&table)).unwrap();
        algorithm.step(&mut ours, &mut Threads::new(&table)).unwrap();
    }
    let (a, b) = (expect(&em, &table).log_likelihood, expect(&ours, &table).log_likelihood);
    // Both stand still; what is left is rounding of 2,000 terms.
    assert!((a - b).abs() < 1e-8, "{a} {b}");
}

#[test]
fn models_that_are_no_mixtures_have_plain_em_to_the_bit() {
    let table = Dense::new(vec![1.0, 1.0, 2.0, 2.0, 2.5, f64::NAN, 0.3, 0.9], 2).unwrap();
    let mut a = CensoredNormal::new(0.0, 1.0).unwrap();
    let (mut b, mut algorithm) = (a, Sparse::default());
    for _ in 0..5 {
        Batch(Posterior::Soft).step(&mut a, &mut Threads::new(&table)).unwrap();
        let step = algorithm.step(&mut b, &mut Threads::new(&table)).unwrap();
        assert_eq!((step.remaining, a), (Remaining::FromIncrements, b));
    }
}

#[test]
fn threads_change_no_bit_and_parameters_from_outside_forget() {
    let values = rows(5 * CHUNK_ROWS + 3);
    let table = Dense::new(&values[..], 2).unwrap();
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let (mut model, mut algorithm) = (start(Structure::Full), Sparse::default());
            (0..9).for_each(|_| {
                algorithm.step(&mut model, &mut Threads::new(&table)).unwrap();
            });
            model.parameters()
        })
    };
    assert_eq!(run(1), run(3));
    let (mut model, mut algorithm) = (start(Structure::Full), Sparse::default());
    (0..3).for_each(|_| {
        algorithm.step(&mut model, &mut Threads::new(&table)).unwrap();
    });
    let mut fresh = Sparse::default();
    model.select_components(&[0, 2]);
    let mut other = model.clone();
    algorithm.step(&mut model, &mut Threads::new(&table)).unwrap();
    fresh.step(&mut other, &mut Threads::new(&table)).unwrap();
    assert_eq!(model.parameters(), other.parameters());
    let seed = Seed::new(0);
    let mut boxed = Method::Sparse.algorithm::<Mixture<Gaussian>>(seed);
    boxed.step(&mut other, &mut Threads::new(&table)).unwrap();
}

#[test]
fn impossible_settings_are_refused() {
    for (least, updates) in [(0.0, 1), (1.0, 1), (f64::NAN, 1), (0.1, 0)] {
        assert!(matches!(Sparse::<CensoredNormal>::new(least, updates), Err(Error::Usage(_))), "{least} {updates}");
    }
}
