//! How many E-steps plain EM, SQUAREM and Anderson acceleration need from the same starts until the log-likelihood is
//! within 1e-8, relative, of the optimum that they end in. Full covariances, standardised columns.
//!
//! `cargo bench -p mixtura --bench acceleration` takes some minutes; with `-- --test` the two small data sets only.
//! COMPARE.md has what it printed.

use std::ops::Range;

use mixtura::algorithm::{Algorithm, Anderson, Batch, Squarem};
use mixtura::data::Dense;
use mixtura::engine::{Engine, Threads};

use mixtura::family::gaussian::{Floor, Gaussian};
use mixtura::fit::Init;
use mixtura::model::{LatentModel, Posterior};
use mixtura::stats::Expectation;
use mixtura::{GaussianMixture, Mixture, Result, Seed};
use mixtura_testkit::golden;
use mixtura_testkit::rows::Random;
use rayon::prelude::*;

type Model = Mixture<Gaussian>;

const SEEDS: u64 = 5;
/// E-steps after which a method that still climbs is cut short.
const MOST: usize = 20_000;
/// Optima closer than this are one, relative to the log-likelihood.
const SAME: f64 = 1e-6;
/// Within this of its optimum, relative, a method has arrived.
const ARRIVED: f64 = 1e-8;

/// An engine that writes down the log-likelihood of every E-step.
struct Counting<'a> {
    threads: Threads<'a, Model>,
    seen: Vec<f64>,
}

impl Engine<Model> for Counting<'_> {
    fn n_chunks(&self) -> usize {
        self.threads.n_chunks()
    }

    fn expect(
        &mut self,
        model: &Model,
        chunks: Range<usize>,
        posterior: Posterior,
    ) -> Result<Expectation<<Model as LatentModel>::Stats>> {
        let expectation = self.threads.expect(model, chunks, posterior)?;
        self.seen.push(expectation.log_likelihood);
        Ok(expectation)
    }
}

/// The log-likelihoods that a method sees, until it has stood still for 50 E-steps; `None` where a component collapses.
fn climb(algorithm: &mut dyn Algorithm<Model>, start: &Model, table: &Dense<'_>) -> Option<Vec<f64>> {
    let mut engine = Counting { threads: Threads::new(table), seen: Vec::new() };
    let mut model = start.clone();
    let mut best = f64::NEG_INFINITY;
    let mut since = 0;
    while engine.seen.len() < MOST && since < 50 {
        let step = algorithm.step(&mut model, &mut engine).ok()?;
        if step.health.iter().any(|h| h.floor_active || h.empty) {
            return None;
        }
        since = if step.objective > best + 1e-12 * best.abs() { 0 } else { since + 1 };
        best = best.max(step.objective);
    }
    Some(engine.seen)
}

struct Problem {
    name: &'static str,
    rows: Vec<f64>,
    d: usize,
    k: usize,
}

/// Clusters whose centres lie `apart` standard deviations of each other in every column, of uneven sizes.
fn blobs(seed: u64, n: usize, k: usize, d: usize, apart: f64) -> Vec<f64> {
    let mut r = Random::new(seed);
    let centers: Vec<f64> = (0..k * d).map(|_| apart * r.normal()).collect();
    let mut rows = Vec::with_capacity(n * d);
    for _ in 0..n {
        // Sizes in the proportions 1 : 3 : 5 …
        let u = r.uniform();
        let c = ((u.sqrt() * k as f64) as usize).min(k - 1) * d;
        (c..c + d).for_each(|j| rows.push(centers[j] + r.normal()));
    }
    rows
}

/// Columns of mean 0 and variance 1, and their correlations (packed).
fn standardised(rows: &mut [f64], d: usize) -> Vec<f64> {
    let n = (rows.len() / d) as f64;
    for j in 0..d {
        let mean = rows.iter().skip(j).step_by(d).sum::<f64>() / n;
        let sd = (rows.iter().skip(j).step_by(d).map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt();
        rows.iter_mut().skip(j).step_by(d).for_each(|x| *x = (*x - mean) / sd);
    }
    let pairs = (0..d).flat_map(|i| (0..=i).map(move |j| (i, j)));
    pairs.map(|(i, j)| rows.chunks(d).map(|row| row[i] * row[j]).sum::<f64>() / n).collect()
}

fn median(mut values: Vec<usize>) -> String {
    values.sort_unstable();
    match values.len() {
        0 => "–".to_owned(),
        n => format!("{} ({} … {})", values[n / 2], values[0], values[n - 1]),
    }
}

/// What the methods did from one start: the log-likelihoods that they saw.
type Climbs = [Option<Vec<f64>>; 3];

fn climbs(problem: &Problem, table: &Dense<'_>, floor: &Floor, init: &Init, seed: u64) -> Climbs {
    let (init, seed) = (init.clone(), Seed::new(seed));
    // Without iterations a fit returns its start.
    let options = GaussianMixture { init, restarts: Some(1), max_iter: 0, seed, ..GaussianMixture::new(problem.k) };
    let start = options.fit(table).expect("a start").model;
    let bank = start.emission().clone().with_floor(floor.clone());
    let start = start.with_emission(bank);
    [
        climb(&mut Batch(Posterior::Soft), &start, table),
        climb(&mut Squarem::default(), &start, table),
        climb(&mut Anderson::default(), &start, table),
    ]
}

/// One row of the table.
fn report(what: &str, all: &[Climbs]) {
    let (mut needed, mut more, mut other): ([Vec<usize>; 3], [usize; 3], [Vec<String>; 3]) = Default::default();
    let mut collapsed = [0; 3];
    for climbs in all {
        let top = |seen: &Vec<f64>| seen.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let tops = climbs.each_ref().map(|seen| seen.as_ref().map(top));
        let e_steps: Vec<Option<usize>> = (0..3)
            .map(|m| {
                let own = tops[m]?;
                let same = tops.iter().flatten().filter(|t| (**t - own).abs() <= SAME * own.abs());
                let optimum = same.copied().fold(own, f64::max);
                let arrived = |l: &f64| *l >= optimum - ARRIVED * optimum.abs();
                Some(climbs[m].as_ref()?.iter().position(arrived).map_or(MOST, |i| i + 1))
            })
            .collect();
        for m in 0..3 {
            needed[m].extend(e_steps[m]);
            match (tops[m], tops[0]) {
                (None, _) => collapsed[m] += 1,
                (Some(own), Some(em)) if (own - em).abs() > SAME * em.abs() => {
                    other[m].push(format!("{:+.1}", own - em))
                }
                _ => more[m] += usize::from(e_steps[m] > e_steps[0]),
            }
        }
    }
    for (other, n) in other.iter_mut().zip(collapsed).filter(|(_, n)| *n > 0) {
        other.push(format!("{n} collapsed"));
    }
    let others = ["EM", "SQUAREM", "Anderson"].iter().zip(&other).filter(|(_, o)| !o.is_empty());
    let others: Vec<String> = others.map(|(name, o)| format!("{name} {}", o.join(", "))).collect();
    let [em, squarem, anderson] = needed.map(median);
    println!("| {what} | {em} | {squarem} | {anderson} | {}, {} | {} |", more[1], more[2], others.join("; "));
}

fn main() {
    let quick = std::env::args().any(|a| a == "--test");
    let csv = |name: &str, d: usize| golden::data(name).expect(name).first(d);
    let mut problems = vec![
        Problem { name: "iris", rows: csv("iris.csv", 4), d: 4, k: 3 },
        Problem { name: "faithful", rows: csv("faithful.csv", 2), d: 2, k: 2 },
    ];
    if !quick {
        problems.push(Problem { name: "overlapping blobs", rows: blobs(1, 2000, 4, 2, 1.5), d: 2, k: 4 });
        problems.push(Problem { name: "overlapping blobs", rows: blobs(2, 4000, 6, 8, 0.8), d: 8, k: 6 });
        problems.push(Problem { name: "separated blobs", rows: blobs(2, 4000, 6, 8, 4.0), d: 8, k: 6 });
        problems.push(Problem { name: "digits", rows: csv("digits_pca41_whitened.csv.gz", 41), d: 41, k: 10 });
    }
    println!("E-steps, median (range) of {SEEDS} starts");
    println!(
        "| data | start | EM | SQUAREM | Anderson | more than EM: SQUAREM, Anderson | other optima, nats above EM's |"
    );
    println!("|---|---|---|---|---|---|---|");
    for mut problem in problems {
        let covariance = standardised(&mut problem.rows, problem.d);
        let floor = Floor::relative(&covariance, problem.d);
        let table = Dense::new(&problem.rows[..], problem.d).expect("rows");
        for (kind, init) in [("random rows", Init::Random), ("race", Init::Auto)] {
            let seeds = (0..SEEDS).into_par_iter();
            let all: Vec<Climbs> = seeds.map(|seed| climbs(&problem, &table, &floor, &init, seed)).collect();
            let n = problem.rows.len() / problem.d;
            report(&format!("{} ({n} × {}), K = {} | {kind}", problem.name, problem.d, problem.k), &all);
        }
    }
}
