//! Random starts of the families that have no k-means: one start per seed, components near random rows.

use rand::RngExt;

use crate::data::{Chunk, Rows, Source, for_each_row};
use crate::error::{Error, Result};
use crate::family::Emission;
use crate::family::bernoulli::Bernoulli;
use crate::family::binomial::{Binomial, counts};
use crate::family::linear::{Linear, Prepared};
use crate::model::kmeans::pick;
use crate::model::{LatentModel, Mixture};
use crate::seed::Seed;
use crate::stats::Expectation;

/// `n` rows drawn by case weight, with replacement, in random order.
pub(crate) fn random_rows(source: &dyn Source, n: usize, seed: Seed) -> Result<Vec<Vec<f64>>> {
    let mut total = 0.0;
    for_each_row(source, |_, _, w, _| total += w)?;
    let mut rng = seed.rng();
    let mut marks: Vec<f64> = (0..n).map(|_| rng.random::<f64>() * total).collect();
    marks.sort_by(f64::total_cmp);
    let mut rows = pick(source, &marks, |_, w| w)?;
    (1..rows.len()).rev().for_each(|i| rows.swap(i, rng.random_range(0..=i)));
    Ok(rows)
}

/// Probabilities (K × C): a third each of all rows' proportion, that of a random row, and a uniform number. The last keeps
/// components apart that drew equal rows, which EM never would.
fn near_rows(all: &[[f64; 2]], rows: &[Vec<[f64; 2]>], seed: Seed) -> Vec<f64> {
    let mut rng = seed.rng();
    let share = |[yes, no]: [f64; 2], otherwise: f64| if yes + no > 0.0 { yes / (yes + no) } else { otherwise };
    let mut p = Vec::new();
    for row in rows {
        for (&all, &own) in all.iter().zip(row) {
            let all = share(all, 0.5);
            p.push((all + share(own, all) + rng.random::<f64>()) / 3.0);
        }
    }
    p
}

fn check_components(k: usize) -> Result<()> {
    if k == 0 { Err(Error::Usage("a mixture needs at least one component".into())) } else { Ok(()) }
}

/// A start of K binomial components with equal weights: probabilities between all rows' and a random row's.
///
/// ```
/// use mixtura::{Seed, data::Dense, init};
/// let heads = Dense::new(vec![5.0, 9.0, 8.0, 4.0, 7.0], 1)?;
/// let start = init::binomial(&heads, Some(10), 2, Seed::new(0))?;
/// # Ok::<(), mixtura::Error>(())
/// ```
///
/// # Errors
/// What [`Binomial::check`] refuses, or K = 0.
pub fn binomial(source: &dyn Source, flips: Option<u32>, k: usize, seed: Seed) -> Result<Mixture<Binomial>> {
    check_components(k)?;
    Binomial::check(source, flips, &[])?;
    let pair = |row: &[f64]| {
        let (heads, flips) = counts(row, flips);
        if (heads + flips).is_nan() { [0.0; 2] } else { [heads, flips - heads] }
    };
    let mut all = [0.0; 2];
    for_each_row(source, |_, row, w, _| {
        let [yes, no] = pair(row);
        all = [all[0] + w * yes, all[1] + w * no];
    })?;
    let rows = random_rows(source, k, seed.child(0))?.iter().map(|row| vec![pair(row)]).collect::<Vec<_>>();
    Ok(Mixture::equal(Binomial::new(near_rows(&[all], &rows, seed.child(1)), flips)?))
}

/// A start of K Bernoulli components with equal weights: probabilities between all rows' and a random row's.
///
/// # Errors
/// What [`Bernoulli::check`] refuses, or K = 0.
pub fn bernoulli(source: &dyn Source, k: usize, seed: Seed) -> Result<Mixture<Bernoulli>> {
    check_components(k)?;
    Bernoulli::check(source, &[])?;
    let pairs = |row: &[f64]| -> Vec<[f64; 2]> {
        row.iter().map(|x| [f64::from(u8::from(*x == 1.0)), f64::from(u8::from(*x == 0.0))]).collect()
    };
    let mut all = vec![[0.0; 2]; source.n_features()];
    for_each_row(source, |_, row, w, _| {
        for (all, [yes, no]) in all.iter_mut().zip(pairs(row)) {
            *all = [all[0] + w * yes, all[1] + w * no];
        }
    })?;
    let rows = random_rows(source, k, seed.child(0))?.iter().map(|row| pairs(row)).collect::<Vec<_>>();
    Ok(Mixture::equal(Bernoulli::new(source.n_features(), near_rows(&all, &rows, seed.child(1)))?))
}

/// A start of K regressions with equal weights, in standardised columns: each is the least-squares fit of one row more than it
/// has coefficients, with the noise that the one regression of all rows leaves.
///
/// # Errors
/// If K = 0, or the source cannot be read.
pub fn linear(prepared: &Prepared<'_>, k: usize, seed: Seed) -> Result<Mixture<Linear>> {
    check_components(k)?;
    let mut bank = prepared.pooled.clone();
    bank.select_components(&vec![0; k]);
    // As many rows as there are coefficients and a variance.
    let each = prepared.pooled.n_free_parameters();
    let rows = random_rows(&prepared.data, k * each, seed)?;
    let mut resp = vec![0.0; rows.len() * k];
    (0..rows.len()).for_each(|i| resp[i * k + i / each] = 1.0);
    // Slopes that these rows do not tell stay those of all rows.
    let mut start = Mixture::equal(bank);
    let mut out = Expectation::new(start.empty_stats());
    let cells = rows.concat();
    let chunk = Chunk::of(Rows::new(&cells, prepared.data.n_features()));
    start.accumulate_given(chunk, &resp, &mut start.scratch(), &mut out)?;
    start.m_step(&out.stats)?;
    let lines = start.emission();
    let coefficients = (0..k).flat_map(|c| lines.coefficients(c)).collect();
    let variances = vec![prepared.pooled.variance(0); k];
    let bank = Linear::new(lines.intercept(), lines.n_covariates(), coefficients, variances)?;
    Ok(Mixture::equal(bank.with_floor(prepared.pooled.floor())))
}
