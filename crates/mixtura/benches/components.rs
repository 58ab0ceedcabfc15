//! How often entropy-regularised EM finds the number of components, beside BIC; and split-and-merge moves against random restarts
//! in the same time.
//!
//! `cargo bench -p mixtura --bench components` takes some minutes; with `-- --test` one seed of each. docs/variants.md has what it
//! printed.

use std::time::Instant;

use mixtura::data::Dense;
use mixtura::family::gaussian::Structure;
use mixtura::fit::{Control, Grid, Init, Method};
use mixtura::{GaussianMixture, Seed};
use mixtura_testkit::rows::{Random, clusters};

/// `k` clusters of unit variance on a square grid `apart` standard deviations wide, in two columns.
fn grid(k: usize, n: usize, apart: f64, seed: u64) -> Vec<f64> {
    let mut r = Random::new(seed);
    let side = (k as f64).sqrt().ceil() as usize;
    let row = |_| {
        let c = r.below(k);
        [apart * (c % side) as f64 + r.normal(), apart * (c / side) as f64 + r.normal()]
    };
    (0..n).flat_map(row).collect()
}

/// Shares 1 : 2 : … of clusters on a line.
fn uneven(k: usize, n: usize, apart: f64, seed: u64) -> Vec<f64> {
    let mut r = Random::new(seed);
    let row = |_| {
        let u = r.uniform();
        let c = ((u * (k * (k + 1)) as f64 + 0.25).sqrt() - 0.5).floor().min(k as f64 - 1.0);
        [apart * c + r.normal(), r.normal()]
    };
    (0..n).flat_map(row).collect()
}

fn number_of_components(seeds: u64) {
    println!(
        "\n| data | K | offered | entropy right | entropy's K | s | BIC right | BIC's K | s |\n|---|---|---|---|---|---|---|---|---|"
    );
    type Make = fn(usize, usize, f64, u64) -> Vec<f64>;
    let cases: [(&str, usize, usize, f64, Make); 7] = [
        ("grid, 8 apart, 500 rows", 3, 500, 8.0, grid),
        ("grid, 8 apart, 500 rows", 5, 500, 8.0, grid),
        ("grid, 8 apart, 1000 rows", 10, 1000, 8.0, grid),
        ("grid, 4 apart, 1000 rows", 5, 1000, 4.0, grid),
        ("grid, 3 apart, 1000 rows", 5, 1000, 3.0, grid),
        ("line, shares 1:2:…:5, 8 apart, 1000 rows", 5, 1000, 8.0, uneven),
        ("line, shares 1:2:…:10, 8 apart, 1000 rows", 10, 1000, 8.0, uneven),
    ];
    for (name, k, n, apart, make) in cases {
        let most = 2 * k + 2;
        let (mut ours, mut bic, mut took) = (Vec::new(), Vec::new(), [0.0; 2]);
        for seed in 0..seeds {
            let values = make(k, n, apart, 100 + seed);
            let table = Dense::new(&values[..], 2).expect("rows");
            let options = GaussianMixture { seed: Seed::new(seed), ..GaussianMixture::new(most) };
            let began = Instant::now();
            let entropy = GaussianMixture { method: Method::Entropy, ..options.clone() }.fit(&table).expect("a fit");
            took[0] += began.elapsed().as_secs_f64();
            ours.push(entropy.model.weights().len());
            let ks: Vec<usize> = (1..=most).collect();
            let began = Instant::now();
            let chosen =
                options.select(&table, &[], &Grid::new(&ks, &[Structure::Full]), Control::default()).expect("a choice");
            took[1] += began.elapsed().as_secs_f64();
            bic.push(chosen.candidates[chosen.best].n_components);
        }
        let right = |found: &[usize]| found.iter().filter(|f| **f == k).count();
        let range = |found: &[usize]| {
            format!("{} … {}", found.iter().min().expect("a seed"), found.iter().max().expect("a seed"))
        };
        println!(
            "| {name} | {k} | {most} | {} of {seeds} | {} | {:.2} | {} of {seeds} | {} | {:.2} |",
            right(&ours),
            range(&ours),
            took[0] / seeds as f64,
            right(&bic),
            range(&bic),
            took[1] / seeds as f64
        );
    }
}

/// One random start with moves, against random starts for as long as that took, and against one run of the default start.
fn moves_against_restarts(seeds: u64) {
    println!(
        "\n| data | K | moves better | equal | restarts better | median gain, nats | moves at best | restarts at best | race at best | restarts in that time | s moves, s race |\n|---|---|---|---|---|---|---|---|---|---|---|"
    );
    let ten = |seed| clusters(200 + seed, 2000, 10, 5).0;
    let five_by_five = |seed| grid(25, 2500, 5.0, 300 + seed);
    let wide = |seed| grid(25, 2500, 10.0, 400 + seed);
    type Make<'a> = &'a dyn Fn(u64) -> Vec<f64>;
    let cases: [(&str, usize, usize, Make<'_>); 3] = [
        ("ten clusters, 2000 × 5", 10, 5, &ten),
        ("25 on a grid 5 apart, 2500 × 2", 25, 2, &five_by_five),
        ("25 on a grid 10 apart, 2500 × 2", 25, 2, &wide),
    ];
    for (name, k, d, make) in cases {
        let (mut won, mut gains, mut at_best, mut counts, mut took) =
            ([0; 3], Vec::new(), [0; 3], Vec::new(), [0.0; 2]);
        for seed in 0..seeds {
            let values = make(seed);
            let table = Dense::new(&values[..], d).expect("rows");
            let one = |method, seed| {
                let init = Init::Random;
                GaussianMixture { init, method, restarts: Some(1), seed: Seed::new(seed), ..GaussianMixture::new(k) }
                    .fit(&table)
                    .expect("a fit")
            };
            let began = Instant::now();
            let moved = one(Method::SplitMerge, seed).log_likelihood;
            let time = began.elapsed().as_secs_f64();
            took[0] += time;
            let began = Instant::now();
            let (mut best, mut runs) = (f64::NEG_INFINITY, 0);
            while began.elapsed().as_secs_f64() < time {
                best = best.max(one(Method::Squarem, 1000 * (seed + 1) + runs).log_likelihood);
                runs += 1;
            }
            counts.push(runs);
            let began = Instant::now();
            let race = GaussianMixture { seed: Seed::new(seed), ..GaussianMixture::new(k) }.fit(&table).expect("a fit");
            took[1] += began.elapsed().as_secs_f64();
            let all = [moved, best, race.log_likelihood];
            let top = all.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            (0..3).for_each(|m| at_best[m] += usize::from(all[m] > top - 0.1));
            gains.push(moved - best);
            won[if moved > best + 0.1 {
                0
            } else if best > moved + 0.1 {
                2
            } else {
                1
            }] += 1;
        }
        gains.sort_by(f64::total_cmp);
        counts.sort_unstable();
        println!(
            "| {name} | {k} | {} | {} | {} | {:+.1} | {} | {} | {} | {} | {:.2}, {:.2} |",
            won[0],
            won[1],
            won[2],
            gains[gains.len() / 2],
            at_best[0],
            at_best[1],
            at_best[2],
            counts[counts.len() / 2],
            took[0] / seeds as f64,
            took[1] / seeds as f64
        );
    }
}

fn main() {
    let seeds = if std::env::args().any(|a| a == "--test") { 1 } else { 20 };
    moves_against_restarts(seeds);
    number_of_components(seeds);
}
