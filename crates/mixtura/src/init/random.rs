//! Random starts of the families that have no k-means: one start per seed, components near random rows.

use rand::RngExt;

use crate::data::{Source, for_each_row};
use crate::error::{Error, Result};
use crate::family::bernoulli::Bernoulli;
use crate::family::binomial::{Binomial, counts};
use crate::model::Mixture;
use crate::model::kmeans::pick;
use crate::seed::Seed;

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
