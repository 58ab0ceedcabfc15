//! What an E-step makes of p(z | x) in every form (soft, hard, drawn, to a power, cut), against formulas written out here, and
//! the methods that rest on them.

use mixtura::algorithm::{Algorithm, Annealed, ApproximationEm, Batch, MonteCarloEm, StochasticEm};
use mixtura::data::{Buffer, Chunk, Dense, Rows, Source};
use mixtura::engine::{Engine, Threads};
use mixtura::family::gaussian::{Gaussian, Structure};
use mixtura::model::censored::{CensoredExtremeValue, CensoredNormal, Sample};
use mixtura::model::genetics::GeneTable;
use mixtura::model::probit::Probit;
use mixtura::model::{LatentModel, Posterior, Unconstrained};
use mixtura::stats::Expectation;
use mixtura::{Mixture, Seed};
use mixtura_testkit::rows::{Random, weights};

const WEIGHTS: [f64; 3] = [0.5, 0.3, 0.2];
const MEANS: [f64; 3] = [-1.0, 0.5, 4.0];
const VARIANCES: [f64; 3] = [1.0, 0.25, 2.0];

fn model() -> Mixture<Gaussian> {
    let bank = Gaussian::new(Structure::Full, 1, MEANS.to_vec(), VARIANCES.to_vec()).unwrap();
    Mixture::new(WEIGHTS.to_vec(), bank).unwrap()
}

/// Rows of the mixture, and some far out, where soft responsibilities vanish.
fn rows(n: usize) -> Vec<f64> {
    let mut r = Random::new(4);
    (0..n).map(|i| if i % 7 == 0 { 60.0 * r.normal() } else { 2.0 * r.normal() + 1.0 }).collect()
}

/// log π_k p_k(x), by the formula.
fn joint(x: f64) -> [f64; 3] {
    [0, 1, 2].map(|k| {
        let log_density =
            -0.5 * (x - MEANS[k]).powi(2) / VARIANCES[k] - 0.5 * (std::f64::consts::TAU * VARIANCES[k]).ln();
        WEIGHTS[k].ln() + log_density
    })
}

/// exp(β · logs) normalised, and the log of their sum.
fn powers(logs: &[f64], beta: f64) -> (Vec<f64>, f64) {
    let top = logs.iter().fold(f64::NEG_INFINITY, |a, b| a.max(beta * b));
    let total: f64 = logs.iter().map(|l| (beta * l - top).exp()).sum();
    (logs.iter().map(|l| (beta * l - top).exp() / total).collect(), top + total.ln())
}

fn e_step<M: LatentModel>(model: &M, chunk: Chunk<'_>, posterior: Posterior) -> Expectation<M::Stats> {
    let mut out = Expectation::new(model.empty_stats());
    model.e_step(chunk, posterior, &mut model.scratch(), &mut out).unwrap();
    out
}

fn counts(chunk: Chunk<'_>, posterior: Posterior) -> (Vec<f64>, f64) {
    let e = e_step(&model(), chunk, posterior);
    (e.stats.counts, e.log_likelihood)
}

fn sampled(seed: u64, draws: usize) -> Posterior {
    Posterior::Sampled { seed: Seed::new(seed), draws }
}

#[test]
fn every_form_is_its_formula() {
    let (x, w) = (rows(700), weights(700, 3));
    // Every fifth row is known to be of component 1.
    let labels: Vec<i32> = (0..700).map(|i| if i % 5 == 3 { 1 } else { -1 }).collect();
    let chunk = Chunk { weights: Some(&w), labels: Some(&labels), ..Chunk::of(Rows::new(&x, 1)) };
    for posterior in [
        Posterior::Soft,
        Posterior::Hard,
        Posterior::Tempered(0.03),
        Posterior::Tempered(0.6),
        Posterior::Tempered(1.0),
        Posterior::Tempered(3.0),
        Posterior::Thresholded(0.0),
        Posterior::Thresholded(0.2),
        Posterior::Thresholded(0.9),
    ] {
        let (mut want, mut objective) = ([0.0; 3], 0.0);
        for (i, &x) in x.iter().enumerate() {
            let mut logs = joint(x);
            if labels[i] == 1 {
                (logs[0], logs[2]) = (f64::NEG_INFINITY, f64::NEG_INFINITY);
            }
            let (mut resp, log_density) = powers(&logs, 1.0);
            let top = logs.into_iter().fold(f64::NEG_INFINITY, f64::max);
            let climbed = match posterior {
                Posterior::Hard => {
                    resp = logs.iter().map(|l| f64::from(u8::from(*l == top))).collect();
                    top
                }
                Posterior::Tempered(beta) => {
                    let (tempered, log) = powers(&logs, beta);
                    resp = tempered;
                    log / beta
                }
                Posterior::Thresholded(least) => {
                    let largest = resp.iter().copied().fold(0.0, f64::max);
                    resp.iter_mut().filter(|r| **r < least && **r < largest).for_each(|r| *r = 0.0);
                    let total: f64 = resp.iter().sum();
                    resp.iter_mut().for_each(|r| *r /= total);
                    log_density
                }
                _ => log_density,
            };
            (0..3).for_each(|k| want[k] += w[i] * resp[k]);
            objective += w[i] * climbed;
        }
        let (got, log) = counts(chunk, posterior);
        for k in 0..3 {
            // 700 roundings of an exponential good to some 1e-15 of exponents up to 1e4.
            assert!((got[k] - want[k]).abs() < 1e-9, "{posterior:?}: {got:?}, not {want:?}");
        }
        assert!((log - objective).abs() < 1e-11 * objective.abs(), "{posterior:?}: {log}, not {objective}");
    }
}

#[test]
fn a_power_of_one_is_soft_and_one_of_zero_uniform() {
    let x = rows(500);
    let chunk = Chunk::of(Rows::new(&x, 1));
    assert_eq!(counts(chunk, Posterior::Tempered(1.0)), counts(chunk, Posterior::Soft));
    let (uniform, _) = counts(chunk, Posterior::Tempered(1e-9));
    // Joint log-densities differ by up to some 1e5, so each responsibility by 1e-4 from a third.
    assert!(uniform.iter().all(|c| (c - 500.0 / 3.0).abs() < 0.01), "{uniform:?}");
}

#[test]
fn draws_are_whole_and_their_mean_is_the_posterior() {
    let (x, w) = (rows(400), weights(400, 8));
    let chunk = Chunk { weights: Some(&w), ..Chunk::of(Rows::new(&x, 1)) };
    for i in 0..50 {
        let one = Chunk { first_row: i, ..Chunk::of(Rows::new(&x[i..=i], 1)) };
        let (drawn, _) = counts(one, sampled(1, 1));
        assert!(drawn.iter().all(|c| *c == 0.0 || *c == 1.0) && drawn.iter().sum::<f64>() == 1.0, "{drawn:?}");
    }
    let draws = 3000;
    let ((got, log), (soft, same)) = (counts(chunk, sampled(1, draws)), counts(chunk, Posterior::Soft));
    assert_eq!(log, same, "the log-likelihood is no matter of draws");
    for k in 0..3 {
        let variance: f64 =
            x.iter().zip(&w).map(|(x, w)| (powers(&joint(*x), 1.0).0[k], w)).map(|(r, w)| w * w * r * (1.0 - r)).sum();
        let error = (variance / draws as f64).sqrt();
        assert!((got[k] - soft[k]).abs() < 5.0 * error, "{got:?} {soft:?}, standard error {error}");
        // Other seeds are other draws, so the distance is no accident of one.
        assert_ne!(got[k], counts(chunk, sampled(2, draws)).0[k]);
    }
}

#[test]
fn draws_are_addressed_by_row() {
    let x = rows(6000);
    let table = Dense::new(x.clone(), 1).unwrap();
    let pass = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut engine = Threads::new(&table);
            let n = Engine::<Mixture<Gaussian>>::n_chunks(&engine);
            engine.expect(&model(), 0..n, sampled(5, 2)).unwrap().stats.counts
        })
    };
    assert_eq!(pass(1), pass(2));
    let mut buffer = Buffer::default();
    let chunk = table.read(1, &mut buffer).unwrap();
    let (whole, _) = counts(chunk, sampled(5, 1));
    let (first, rest) = (counts(chunk.slice(0, 701), sampled(5, 1)).0, counts(chunk.slice(701, 1920), sampled(5, 1)).0);
    // Whole numbers: exact.
    assert!((0..3).all(|k| whole[k] == first[k] + rest[k]), "{whole:?} {first:?} {rest:?}");
}

#[test]
fn numbers_that_make_no_sense_are_refused() {
    let x = [0.0];
    let chunk = Chunk::of(Rows::new(&x, 1));
    for posterior in [
        sampled(0, 0),
        Posterior::Tempered(0.0),
        Posterior::Tempered(-1.0),
        Posterior::Tempered(f64::NAN),
        Posterior::Tempered(f64::INFINITY),
        Posterior::Thresholded(1.0),
        Posterior::Thresholded(-0.1),
        Posterior::Thresholded(f64::NAN),
    ] {
        let model = model();
        let mut out = Expectation::new(model.empty_stats());
        let text = model.e_step(chunk, posterior, &mut model.scratch(), &mut out).unwrap_err().to_string();
        assert!(text.contains("use"), "{posterior:?}: {text}");
    }
    assert!(Annealed::new(0.0, 3, 3).is_err() && Annealed::new(1.0, 3, 3).is_err());
    assert!(Annealed::new(0.5, 0, 3).is_err() && Annealed::new(0.5, 3, 0).is_err());
}

/// The best classification log-likelihood of two components with one variance, by all assignments.
fn enumerated(x: &[f64]) -> f64 {
    let n = x.len();
    let value = |bits: u32| {
        let (mut log, mut square) = (0.0, 0.0);
        for k in 0..2 {
            let own: Vec<f64> = (0..n).filter(|i| (bits >> i & 1) == k).map(|i| x[i]).collect();
            let share = own.len() as f64;
            let mean = own.iter().sum::<f64>() / share;
            if !own.is_empty() {
                log += share * (share / n as f64).ln();
                square += own.iter().map(|x| (x - mean).powi(2)).sum::<f64>();
            }
        }
        log - 0.5 * n as f64 * ((std::f64::consts::TAU * square / n as f64).ln() + 1.0)
    };
    (0..1 << n).map(value).fold(f64::NEG_INFINITY, f64::max)
}

#[test]
fn classification_em_climbs_to_the_best_assignment() {
    let x = [-2.1, -1.4, -1.1, -0.3, 0.2, 0.9, 1.5, 2.8, 3.1];
    let (table, best) = (Dense::new(x.to_vec(), 1).unwrap(), enumerated(&x));
    let mut engine = Threads::new(&table);
    let mut reached = f64::NEG_INFINITY;
    for (a, b) in (0..9).flat_map(|i| (0..i).map(move |j| (x[i], x[j]))) {
        let mut model = Mixture::equal(Gaussian::new(Structure::Tied, 1, vec![a, b], vec![1.0; 2]).unwrap());
        let mut last = f64::NEG_INFINITY;
        for _ in 0..30 {
            let now = Batch(Posterior::Hard).step(&mut model, &mut engine).unwrap().objective;
            assert!(now >= last - 1e-12, "fell from {last} to {now}");
            last = now;
        }
        // Nine terms of size 3, some roundings each.
        assert!(last < best + 1e-12, "{last} is above the best assignment's {best}");
        reached = reached.max(last);
    }
    assert!((reached - best).abs() < 1e-12, "{reached}, not {best}");
}

#[test]
fn classification_em_has_the_bias_of_theory() {
    // Halves of N(±1, 1) are split at 0: a component's mean becomes E|x| = δ (2Φ(δ) − 1) + 2φ(δ) and the variance 1 + δ² − E|x|²
    // (δ = 1; mpmath 1.4.1). 5 standard errors of 10,000 rows: 5 · 0.8 / 100.
    let mut r = Random::new(31);
    let x: Vec<f64> = (0..20_000).map(|i| r.normal() + if i % 2 == 0 { 1.0 } else { -1.0 }).collect();
    let table = Dense::new(x, 1).unwrap();
    let mut model = Mixture::equal(Gaussian::new(Structure::Tied, 1, vec![-0.5, 0.5], vec![1.0; 2]).unwrap());
    for _ in 0..200 {
        Batch(Posterior::Hard).step(&mut model, &mut Threads::new(&table)).unwrap();
    }
    let bank = model.emission();
    for (got, want) in
        [(bank.mean(1)[0], 1.166_630_9), (-bank.mean(0)[0], 1.166_630_9), (bank.covariance(0)[0], 0.638_972_3)]
    {
        assert!((got - want).abs() < 0.04, "{got}, not {want}");
    }
}

#[test]
fn random_methods_end_near_the_maximum() {
    // Two normal components four standard deviations apart.
    let mut r = Random::new(77);
    let x: Vec<f64> = (0..2000).map(|i| r.normal() + if i % 3 == 0 { 4.0 } else { 0.0 }).collect();
    let table = Dense::new(x, 1).unwrap();
    let mut engine = Threads::new(&table);
    let start = Mixture::equal(Gaussian::new(Structure::Full, 1, vec![-0.5, 3.0], vec![1.0; 2]).unwrap());
    let mut best = start.clone();
    for _ in 0..3000 {
        Batch(Posterior::Soft).step(&mut best, &mut engine).unwrap();
    }
    let mut reach = |algorithm: &mut dyn Algorithm<Mixture<Gaussian>>, passes: usize| {
        let mut model = start.clone();
        (0..passes).for_each(|_| drop(algorithm.step(&mut model, &mut engine).unwrap()));
        algorithm.settle(&mut model);
        model
    };
    let seed = Seed::new(3);
    // Every state of a chain has less noise than an estimate from as many rows has, of which the mean of so many states, or draws of
    // a row, keeps one over their root.
    for (name, model, draws) in [
        ("stochastic", reach(&mut StochasticEm::new(50, seed), 450), 400.0_f64),
        // Steps of 1/t forget as t^−(1 − λ) with EM's rate λ, which is slower than averaging: a quarter of the passes counts.
        ("approximation", reach(&mut ApproximationEm::new(50, seed), 450), 100.0),
        ("Monte Carlo", reach(&mut MonteCarloEm::new(seed), 60), 60.0),
    ] {
        for (k, n) in [(0, 1333.0_f64), (1, 667.0)] {
            let (got, want) = (model.emission().mean(k)[0], best.emission().mean(k)[0]);
            println!("{name}: mean {got} for {want}");
            assert!((got - want).abs() < 5.0 / (n * draws).sqrt(), "{name}: {got}, not {want}");
            let error = (2.0 / 9.0 / 2000.0 / draws).sqrt();
            assert!((model.weights()[k] - best.weights()[k]).abs() < 5.0 * error, "{name}: {:?}", model.weights());
        }
        assert_ne!(model.to_vector(), best.to_vector(), "{name} drew nothing");
    }
}

#[test]
fn draws_never_lose_a_component() {
    // Six rows, and a component that expects a twentieth of one: most draws give it none.
    let x = vec![0.0, 0.3, -0.4, 0.9, -1.1, 0.2];
    let table = Dense::new(x, 1).unwrap();
    let bank = Gaussian::new(Structure::Full, 1, vec![0.0, 0.5], vec![1.0; 2]).unwrap();
    let start = Mixture::new(vec![0.99, 0.01], bank).unwrap();
    for seed in 0..10 {
        let mut model = start.clone();
        let mut sem = StochasticEm::new(0, Seed::new(seed));
        for _ in 0..20 {
            sem.step(&mut model, &mut Threads::new(&table)).unwrap();
            assert!(model.weights()[1] > 0.0 && model.to_vector().iter().all(|v| v.is_finite()));
        }
    }
}

#[test]
fn hidden_cells_are_drawn_to_powers_and_cut() {
    // Moths: a phenotype of three genotypes, so that a draw splits what an earlier one left.
    for table in [GeneTable::abo_blood_groups(), GeneTable::peppered_moths()] {
        hidden_cells(&table);
    }
}

fn hidden_cells(table: &GeneTable) {
    let model = table.random_start(Seed::new(6));
    let (rows, probabilities) = (table.rows().unwrap(), model.probabilities());
    let mut buffer = Buffer::default();
    let chunk = rows.read(0, &mut buffer).unwrap();
    let soft = e_step(&model, chunk, Posterior::Soft);
    // One draw: whole numbers that sum to the counts.
    let one = e_step(&model, chunk, sampled(1, 1)).stats.0;
    assert!(one.iter().all(|c| c.fract() == 0.0), "{one:?}");
    assert_eq!(one.iter().sum::<f64>(), soft.weight);
    let draws = 2000;
    let many = e_step(&model, chunk, sampled(1, draws));
    assert_eq!(many.log_likelihood, soft.log_likelihood);
    let (mut tempered, mut cut) = (vec![0.0; one.len()], vec![0.0; one.len()]);
    let mut climbed = 0.0;
    for (category, count) in model.categories().iter().zip(table.counts()) {
        let logs: Vec<f64> = category.cells.iter().map(|&c| probabilities[c].ln()).collect();
        let ((shares, _), (powered, log)) = (powers(&logs, 1.0), powers(&logs, 0.4));
        climbed += count * log / 0.4;
        let kept: f64 = shares.iter().filter(|s| **s >= 0.3).sum();
        for (i, &c) in category.cells.iter().enumerate() {
            tempered[c] = count * powered[i];
            cut[c] = if shares[i] >= 0.3 { count * shares[i] / kept } else { 0.0 };
            let error = (count * shares[i] * (1.0 - shares[i]) / draws as f64).sqrt();
            let (got, want) = (many.stats.0[c], count * shares[i]);
            assert!((got - want).abs() <= 5.0 * error + 1e-9, "cell {c}: {got}, not {want}");
        }
    }
    assert!(cut.contains(&0.0), "the threshold cuts nothing here");
    let power = e_step(&model, chunk, Posterior::Tempered(0.4));
    let above = e_step(&model, chunk, Posterior::Thresholded(0.3));
    for c in 0..one.len() {
        assert!((power.stats.0[c] - tempered[c]).abs() < 1e-9 && (above.stats.0[c] - cut[c]).abs() < 1e-9);
    }
    assert!((power.log_likelihood - climbed).abs() < 1e-9, "{} {climbed}", power.log_likelihood);
    assert!((above.log_likelihood - soft.log_likelihood).abs() < 1e-9);
    // Parts of an individual, and more than can be drawn one by one.
    for w in [0.25, 2.5, 1e300] {
        let w = vec![w; chunk.rows.n_rows()];
        let e = e_step(&model, Chunk { weights: Some(&w), ..chunk }, sampled(2, 3));
        let total: f64 = e.stats.0.iter().sum();
        assert!((total / e.weight - 1.0).abs() < 1e-12, "{total} of {}", e.weight);
    }
}

#[test]
fn censored_values_and_latent_variables_are_drawn() {
    let (inf, draws) = (f64::INFINITY, 40_000);
    for (lower, upper) in [(0.3, inf), (-inf, -0.8), (-0.5, 1.2), (4.0, 4.5), (1.0, 1.0), (-60.0, -50.0)] {
        let row = [if lower == -inf { f64::NAN } else { lower }, if upper == inf { f64::NAN } else { upper }];
        let chunk = Chunk::of(Rows::new(&row, 2));
        let normal = CensoredNormal::new(0.2, 1.5).unwrap();
        let (mean, variance) = normal.completed(lower, upper).unwrap();
        let moments = e_step(&normal, chunk, sampled(3, draws)).stats;
        let got = moments.pivot[0] + moments.first[0];
        assert!(
            (got - mean).abs() <= 5.0 * (variance / draws as f64).sqrt() + 1e-12,
            "normal ({lower}, {upper}): {got}, not {mean}"
        );
        let spread = moments.second[0] - moments.first[0] * moments.first[0];
        // A truncated variance's own relative error is below √(8/n) (that of an exponential law).
        assert!(
            (spread - variance).abs() <= 5.0 * variance * (8.0 / draws as f64).sqrt() + 1e-12,
            "{spread}, not {variance}"
        );

        let law = CensoredExtremeValue::new(0.2, 1.5).unwrap();
        let (mean, power) = law.completed(lower, upper).unwrap();
        let records = e_step(&law, chunk, sampled(3, draws)).stats.0;
        assert!(records.iter().all(|r| r[0] == r[1] && r[0] >= lower && r[1] <= upper));
        for (of, want) in [(&(|y: f64| y) as &dyn Fn(f64) -> f64, mean), (&|y: f64| ((y - 0.2) / 1.5).exp(), power)] {
            let weight: f64 = records.iter().map(|r| r[2]).sum();
            assert!((weight - 1.0).abs() < 1e-9);
            let m: f64 = records.iter().map(|r| r[2] * of(r[0])).sum();
            let v: f64 = records.iter().map(|r| r[2] * (of(r[0]) - m).powi(2)).sum();
            assert!(
                (m - want).abs() <= 5.0 * (v / draws as f64).sqrt() + 1e-12 * want.abs(),
                "({lower}, {upper}): {m}, not {want}"
            );
        }
    }
    for (y, x) in [(1.0, -2.5), (0.0, -2.5), (1.0, 0.4), (0.0, 6.0)] {
        let probit = Probit::new(0, vec![0.5, 1.0]).unwrap();
        let row = [y, x];
        let moments = e_step(&probit, Chunk::of(Rows::new(&row, 2)), sampled(3, draws)).stats;
        // A truncated normal variable has a variance below 1.
        let (got, want) = (moments.first[1], probit.completed(&row));
        assert!((got - want).abs() < 5.0 / (draws as f64).sqrt(), "({y}, {x}): {got}, not {want}");
        assert!(got != want && got.is_sign_positive() == (y == 1.0));
    }
}

#[test]
fn models_without_components_refuse_what_is_for_components() {
    let sample = Sample::new(&[[1.0, 1.0], [2.0, 3.0]], None).unwrap();
    let mut buffer = Buffer::default();
    let chunk = sample.rows().read(0, &mut buffer).unwrap();
    let model = CensoredNormal::start(&sample);
    for (posterior, word) in [
        (Posterior::Hard, "classification EM is for mixtures"),
        (Posterior::Tempered(0.5), "annealing is for models with several optima"),
        (Posterior::Thresholded(0.1), "a threshold is for responsibilities"),
    ] {
        let mut out = Expectation::new(model.empty_stats());
        let text = model.e_step(chunk, posterior, &mut (), &mut out).unwrap_err().to_string();
        assert!(text.contains(word), "{text}");
    }
}
