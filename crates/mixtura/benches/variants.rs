//! Every method of the catalog on the same problems from the same starts: passes, time, the log-likelihood reached, how many
//! starts end in the best optimum, and how long it takes to have been there with a chance of 95 %.
//!
//! `cargo bench -p mixtura --bench variants` takes a minute or two; with `-- --test` each problem gets two starts.
//! docs/variants.md has what it printed.

use std::time::Instant;

use mixtura::catalog::METHODS;
use mixtura::data::Dense;
use mixtura::family::gaussian::Structure;
use mixtura::fit::textbook::{self, Search};
use mixtura::fit::{Control, Init, Method, ModelOptions, Prepared, StatusKind};
use mixtura::model::genetics::GeneTable;
use mixtura::{GaussianMixture, Seed};
use mixtura_testkit::golden;
use mixtura_testkit::rows::Random;

/// One run from one start.
struct Run {
    passes: usize,
    seconds: f64,
    log_likelihood: f64,
    converged: bool,
}

/// Numbers of starts from here on are those of default fits.
const RACED: u64 = 1_000_000;

/// Log-likelihoods closer than this are one optimum.
const SAME: f64 = 0.1;

/// A problem: a name, and a run of a method from the start of a number.
type Problem<'a> = (&'static str, usize, Box<dyn Fn(Method, u64) -> Result<Run, String> + 'a>);

/// The default fit, with its race of starts and its restarts, instead of one run from one random start.
const RACE: &str = "squarem from a race (the default fit)";

fn mixture<'a>(
    data: &'a Prepared<'a>,
    structure: Structure,
    k: usize,
) -> Box<dyn Fn(Method, u64) -> Result<Run, String> + 'a> {
    Box::new(move |method, start| {
        let (init, restarts) = if start < RACED { (Init::Random, Some(1)) } else { (Init::Auto, None) };
        // A number of a start is a seed: the start is drawn from it, and what is random in the method.
        let options = GaussianMixture {
            structure,
            method,
            init,
            restarts,
            seed: Seed::new(start),
            max_iter: 5000,
            ..GaussianMixture::new(k)
        };
        let began = Instant::now();
        let fit = options.fit_prepared(data, Control::default()).map_err(|e| e.to_string())?;
        Ok(Run {
            passes: fit.iterations,
            seconds: began.elapsed().as_secs_f64(),
            log_likelihood: fit.log_likelihood,
            converged: fit.status.kind == StatusKind::Converged,
        })
    })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn main() {
    let test = std::env::args().any(|a| a == "--test");
    let mut r = Random::new(12);
    let overlap: Vec<f64> =
        (0..800).flat_map(|i| [r.normal() + if i % 3 == 0 { 2.2 } else { 0.0 }, r.normal()]).collect();
    let grid: Vec<f64> =
        (0..2500).flat_map(|i| [4 * (i % 5), 4 * (i / 5 % 5)]).map(|c| f64::from(c) + r.normal()).collect();
    let iris = golden::data("iris.csv").expect("iris").first(4);
    let (overlap, grid, iris) = (Dense::new(overlap, 2), Dense::new(grid, 2), Dense::new(iris, 4));
    let (overlap, grid, iris) = (overlap.expect("rows"), grid.expect("rows"), iris.expect("rows"));
    let prepared = |rows, k| Prepared::new(rows, &[], false, k, Seed::new(0)).expect("rows that can be fitted");
    let (overlap, grid, iris) = (prepared(&overlap, 2), prepared(&grid, 25), prepared(&iris, 3));
    let abo = GeneTable::abo_blood_groups();
    let genes = |method: Method, start: u64| {
        let limits = ModelOptions { max_iter: 5000, tolerance: 1e-3 };
        let search = Search { restarts: 1, seed: Seed::new(start), method, limits };
        let began = Instant::now();
        let found = textbook::genes(&abo, &search, Control::default()).map_err(|e| e.to_string())?;
        Ok(Run {
            passes: found.fit.iterations,
            seconds: began.elapsed().as_secs_f64(),
            log_likelihood: found.fit.log_likelihood,
            converged: found.fit.status.kind == StatusKind::Converged,
        })
    };
    let problems: [Problem<'_>; 4] = [
        ("two overlapping clusters, 800 × 2, full, K = 2", 20, mixture(&overlap, Structure::Full, 2)),
        ("grid of 25 clusters 4 sd apart, 2,500 × 2, spherical, K = 25", 100, mixture(&grid, Structure::Spherical, 25)),
        ("iris, 150 × 4, full, K = 3", 100, mixture(&iris, Structure::Full, 3)),
        ("ABO blood groups, 4 phenotypes", 1, Box::new(genes)),
    ];
    for (name, starts, run) in &problems {
        let starts = if test { 2 } else { *starts } as u64;
        println!("\n{name}; {starts} starts\n");
        println!(
            "| method | passes | ms | best log-lik. | median | in the best | ms to be there with 95 % | not converged |"
        );
        println!("|---|---|---|---|---|---|---|---|");
        let by = |method, starts: std::ops::Range<u64>| starts.map(|s| run(method, s)).collect::<Vec<_>>();
        let mut all: Vec<(&str, Vec<Result<Run, String>>)> =
            METHODS.iter().map(|(name, method, _)| (*name, by(*method, 0..starts))).collect();
        if starts > 1 {
            all.push((RACE, by(Method::Squarem, RACED..RACED + starts.min(10))));
        }
        let reached = |runs: &[Result<Run, String>]| -> Vec<f64> {
            runs.iter().flatten().filter(|r| r.converged).map(|r| r.log_likelihood).collect()
        };
        let best = all.iter().flat_map(|(_, runs)| reached(runs)).fold(f64::NEG_INFINITY, f64::max);
        for (method, runs) in &all {
            let done: Vec<&Run> = runs.iter().flatten().collect();
            if done.is_empty() {
                println!("| {method} | {} |", runs[0].as_ref().err().map_or("", |e| e));
                continue;
            }
            let of = |f: &dyn Fn(&Run) -> f64| done.iter().map(|r| f(r)).collect::<Vec<f64>>();
            let hits = reached(runs).iter().filter(|l| best - **l < SAME).count();
            let share = hits as f64 / runs.len() as f64;
            let mean = of(&|r| r.seconds).iter().sum::<f64>() / done.len() as f64;
            // Runs until one has been there with a chance of 95 %, at least one.
            let needed = if share == 1.0 { 1.0 } else { (0.05_f64.ln() / (-share).ln_1p()).max(1.0) };
            println!(
                "| {method} | {} | {:.1} | {:.2} | {:.2} | {hits} of {} | {} | {} |",
                median(of(&|r| r.passes as f64)),
                1e3 * mean,
                reached(runs).into_iter().fold(f64::NEG_INFINITY, f64::max),
                median(of(&|r| r.log_likelihood)),
                runs.len(),
                if hits == 0 { "–".to_owned() } else { format!("{:.1}", 1e3 * mean * needed) },
                done.iter().filter(|r| !r.converged).count(),
            );
        }
    }
}
