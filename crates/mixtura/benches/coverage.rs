//! Whether `chance_of_better` is calibrated: on simulated problems every fit's estimated chance that another search of the
//! same size ends in a better optimum, against how often searches from other seeds did.
//!
//! `cargo bench -p mixtura --bench coverage` takes some minutes; with `-- --test` two problems only. COMPARE.md has
//! what it printed.

use mixtura::data::Dense;
use mixtura::family::gaussian::Structure;
use mixtura::fit::StatusKind;
use mixtura::{GaussianMixture, Seed};
use mixtura_testkit::rows::Random;
use rayon::prelude::*;

const SEEDS: u64 = 6;
/// Optima closer than this are one.
const SAME: f64 = 0.1;

/// Predicted chance and observed share, by the number of restarts.
type Case = (usize, f64, f64);

/// Clusters of random number, places and widths, fitted with about as many components in a random structure.
fn problem(number: u64) -> Vec<Case> {
    let mut r = Random::new(5000 + number);
    let (d, clusters) = (1 + r.below(5), 2 + r.below(7));
    let n = 10_f64.powf(2.0 + 1.5 * r.uniform()) as usize;
    let apart = 1.0 + 4.0 * r.uniform();
    let k = (clusters + r.below(5)).saturating_sub(2).max(2);
    let structure = Structure::ALL[r.below(4)];
    let centers: Vec<f64> = (0..clusters * d).map(|_| apart * r.normal()).collect();
    let widths: Vec<f64> = (0..clusters * d).map(|_| 0.5 + 1.5 * r.uniform()).collect();
    let mut rows = Vec::with_capacity(n * d);
    for _ in 0..n {
        let c = r.below(clusters) * d;
        (c..c + d).for_each(|j| rows.push(centers[j] + widths[j] * r.normal()));
    }
    let table = Dense::new(rows, d).expect("rows");
    let mut cases = Vec::new();
    for restarts in [8, 4, 2] {
        let fits: Vec<(f64, f64)> = (0..SEEDS)
            .filter_map(|seed| {
                let options = GaussianMixture {
                    structure,
                    restarts: Some(restarts),
                    seed: Seed::new(seed),
                    ..GaussianMixture::new(k)
                };
                let fit = options.fit(&table).ok().filter(|fit| fit.status.kind != StatusKind::Degenerate)?;
                Some((fit.log_likelihood, fit.certificate.chance_of_better?))
            })
            .collect();
        if fits.len() < SEEDS as usize / 2 + 1 {
            continue;
        }
        for (i, (own, chance)) in fits.iter().enumerate() {
            let better = fits.iter().enumerate().filter(|(j, (other, _))| *j != i && *other > own + SAME).count();
            cases.push((restarts, *chance, better as f64 / (fits.len() - 1) as f64));
        }
    }
    cases
}

fn main() {
    let problems = if std::env::args().any(|a| a == "--test") { 2 } else { 100 };
    let cases: Vec<Case> = (0..problems).into_par_iter().flat_map_iter(problem).collect();
    println!("{problems} problems, {} fits", cases.len());
    println!("restarts  estimated chance    fits  mean estimate  observed  ratio");
    for restarts in [8, 4, 2] {
        for (low, high) in [(0.0, 0.05), (0.05, 0.15), (0.15, 0.25), (0.25, 0.5), (0.0, 0.5)] {
            let inside: Vec<&Case> = cases.iter().filter(|c| c.0 == restarts && c.1 >= low && c.1 < high).collect();
            if inside.is_empty() {
                continue;
            }
            let mean = |of: fn(&Case) -> f64| inside.iter().map(|c| of(c)).sum::<f64>() / inside.len() as f64;
            let (estimate, observed) = (mean(|c| c.1), mean(|c| c.2));
            println!(
                "{restarts:>8}  {low:.2} to {high:.2}       {:>5}  {estimate:>13.3}  {observed:>8.3}  {:>5.2}",
                inside.len(),
                estimate / observed
            );
        }
    }
}
