//! Passes over many rows that each method needs to come within some nats of the optimum. Not a test.
//!
//! `cargo bench --bench passes -- 1000000 0 8 8 1.6`: rows, start, components, columns, and how far apart the centres lie (standard deviations,
//! in every column). E-steps over part of the rows count as that part, those of sparse EM as whole ones.

use std::ops::Range;
use std::time::{Duration, Instant};

use mixtura::algorithm::{
    ALPHA, Algorithm, Batch, Ecm, Ecme, Generalized, Incremental, Polished, Sparse, Squarem, Stepwise,
};
use mixtura::data::Dense;
use mixtura::engine::{Engine, Threads};
use mixtura::family::gaussian::{Gaussian, Structure};
use mixtura::model::{LatentModel, Posterior};
use mixtura::stats::Expectation;
use mixtura::{Mixture, Seed};
use mixtura_testkit::rows::Random;

type Model = Mixture<Gaussian>;

/// Nats below the optimum.
const LEVELS: [f64; 5] = [10_000.0, 1000.0, 100.0, 10.0, 1.0];
/// Passes after which a method is given up.
const MOST: usize = 600;

/// Counts chunks and the time that E-steps take.
struct Counting<'a> {
    threads: Threads<'a, Model>,
    chunks: usize,
}

impl Engine<Model> for Counting<'_> {
    fn n_chunks(&self) -> usize {
        Engine::<Model>::n_chunks(&self.threads)
    }

    fn expect(
        &mut self,
        model: &Model,
        chunks: Range<usize>,
        posterior: Posterior,
    ) -> mixtura::Result<Expectation<<Model as LatentModel>::Stats>> {
        self.chunks += chunks.len();
        self.threads.expect(model, chunks, posterior)
    }
}

/// Overlapping components of uneven sizes.
fn rows(n: usize, k: usize, d: usize, apart: f64) -> Vec<f64> {
    let mut r = Random::new(3);
    let centers: Vec<f64> = (0..k * d).map(|_| apart * r.normal()).collect();
    let mut rows = Vec::with_capacity(n * d);
    for _ in 0..n {
        let c = ((r.uniform().sqrt() * k as f64) as usize).min(k - 1) * d;
        (c..c + d).for_each(|j| rows.push(centers[j] + r.normal()));
    }
    rows
}

/// What a method saw: passes, seconds and log-likelihood after every step.
fn climb(algorithm: &mut dyn Algorithm<Model>, start: &Model, table: &Dense<'_>, stop: (f64, usize)) -> Vec<[f64; 3]> {
    let mut engine = Counting { threads: Threads::new(table), chunks: 0 };
    let n = engine.n_chunks();
    let (mut model, mut seen, mut spent) = (start.clone(), Vec::new(), Duration::ZERO);
    loop {
        let from = Instant::now();
        let Ok(step) = algorithm.step(&mut model, &mut engine) else { return seen };
        spent += from.elapsed();
        if step.health.iter().any(|h| h.floor_active || h.empty) {
            return seen;
        }
        let log_likelihood = Threads::new(table).expect(&model, 0..n, Posterior::Soft).expect("rows").log_likelihood;
        seen.push([engine.chunks as f64 / n as f64, spent.as_secs_f64(), log_likelihood]);
        if log_likelihood > stop.0 || engine.chunks > stop.1 * n {
            return seen;
        }
    }
}

fn main() {
    let numbers: Vec<f64> = std::env::args().filter_map(|a| a.parse().ok()).collect();
    let quick = std::env::args().any(|a| a == "--test");
    let number = |i: usize, usual: f64| numbers.get(i).copied().unwrap_or(usual);
    let n = number(0, if quick { 20_000.0 } else { 1e6 }) as usize;
    let (seed, k, d, apart) = (number(1, 0.0) as u64, number(2, 8.0) as usize, number(3, 8.0) as usize, number(4, 1.6));
    let most = if quick { 20 } else { MOST };
    let rows = rows(n, k, d, apart);
    let table = Dense::new(&rows[..], d).expect("rows");
    let mut r = Random::new(100 + seed);
    let means: Vec<f64> = (0..k).flat_map(|_| rows[r.below(n) * d..][..d].to_vec()).collect();
    let identity: Vec<f64> = (0..d * d).map(|i| if i % (d + 1) == 0 { 2.0 } else { 0.0 }).collect();
    let start = Mixture::equal(Gaussian::new(Structure::Full, d, means, identity.repeat(k)).expect("a start"));
    let top = climb(&mut Squarem::default(), &start, &table, (f64::INFINITY, most / 2));
    let top = top.iter().map(|s| s[2]).fold(f64::NEG_INFINITY, f64::max);
    println!(
        "{n} × {d}, K = {k}, apart {apart}, start {seed}: {top:.3} nats at the end of {} passes of squarem",
        most / 2
    );
    println!("passes (seconds) to come within so many nats of it");
    println!("| method | {} |", LEVELS.map(|l| l.to_string()).join(" | "));
    let seed = Seed::new(seed);
    let incremental = || Incremental::<Model>::new(seed);
    let stepwise = || Stepwise::<Model>::new(ALPHA, seed).expect("α");
    let methods: Vec<(&str, Box<dyn Algorithm<Model>>)> = vec![
        ("em", Box::new(Batch(Posterior::Soft))),
        ("squarem", Box::new(Squarem::default())),
        ("incremental", Box::new(incremental())),
        ("incremental 3, squarem", Box::new(Polished::new(incremental(), 3))),
        ("incremental 5, squarem", Box::new(Polished::new(incremental(), 5))),
        ("incremental 10, squarem", Box::new(Polished::new(incremental(), 10))),
        ("stepwise 2, squarem", Box::new(Polished::new(stepwise(), 2))),
        ("sparse", Box::new(Sparse::default())),
        ("generalized", Box::new(Generalized::default())),
        ("ecm", Box::new(Ecm::Multicycle)),
        ("ecme", Box::new(Ecme::default())),
    ];
    for (name, mut algorithm) in methods {
        let seen = climb(&mut *algorithm, &start, &table, (top - LEVELS[LEVELS.len() - 1], most));
        let cells = LEVELS.map(|level| {
            let found = seen.iter().find(|s| s[2] >= top - level);
            found.map_or("–".to_owned(), |s| format!("{:.0} ({:.1})", s[0], s[1]))
        });
        println!("| {name} | {} |", cells.join(" | "));
    }
}
