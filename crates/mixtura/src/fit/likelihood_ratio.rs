//! The bootstrap likelihood-ratio test of K against K + 1 components (McLachlan 1987), for growing K.
//!
//! Under a mixture the statistic 2(ℓ(K+1) − ℓ(K)) has no χ² law, so its law is simulated: rows drawn from the fit with K
//! components, both sizes fitted to them. Replicates are run in a race: as soon as enough of them exceed the statistic,
//! the test cannot reject and ends (Besag & Clifford 1991).

use rayon::prelude::*;

use super::select::{Candidate, Grid, Ready, rank};
use super::{Control, Criterion, Fit};
use super::{GaussianMixture, Init};
use crate::data::{Dense, Source, for_each_row};
use crate::error::{Error, Result};
use crate::family::gaussian::{Gaussian, Structure};
use crate::model::Mixture;
use crate::seed::Seed;

/// Exceedances at which a test ends: with 99 replicates the p-value is then above 0.1.
const ENOUGH: usize = 10;
/// Replicates between two looks at the race. A constant, so that the answer does not depend on the number of threads.
const TOGETHER: usize = 8;
/// Share of a fit's effort that a replicate gets.
const EFFORT: f64 = 0.01;
/// Most rows of a replicate.
const MOST_ROWS: f64 = 1e6;
/// Child of the user's seed for the replicates.
const BOOTSTRAP: u64 = 5;

/// One test.
#[derive(Clone, Debug, PartialEq)]
pub struct LikelihoodRatio {
    /// Covariance structure of both sizes.
    pub structure: Structure,
    /// K of the null hypothesis; the alternative has one more.
    pub n_components: usize,
    /// 2(ℓ(K+1) − ℓ(K)).
    pub statistic: f64,
    /// Estimated probability of such a statistic under K components.
    pub p_value: f64,
    /// Replicates run.
    pub replicates: usize,
    /// Replicates whose statistic reached that of the data.
    pub exceedances: usize,
}

/// Tests K against K + 1 in the structure of candidate `best`, from the least K on, until a test does not reject. Returns
/// the tests and the position of the candidate that they lead to.
pub(super) fn sequence(
    options: &GaussianMixture,
    data: &dyn Source,
    names: &[String],
    grid: &Grid<'_>,
    candidates: &[Candidate],
    best: usize,
    control: Control<'_>,
) -> Result<(Vec<LikelihoodRatio>, usize)> {
    if !(grid.level > 0.0 && grid.level < 1.0) {
        return Err(Error::Usage(format!("the level of the test is {}: use a number between 0 and 1", grid.level)));
    }
    if 1.0 / (grid.replicates as f64 + 1.0) > grid.level {
        return Err(Error::Usage(format!(
            "{} replicates cannot reject at level {}: use at least {}",
            grid.replicates,
            grid.level,
            (1.0 / grid.level).ceil() - 1.0
        )));
    }
    let shape = Shape::of(data)?;
    let structure = candidates[best].structure;
    let mut order: Vec<usize> = (0..candidates.len())
        .filter(|&i| {
            let same = candidates[i].structure == structure
                || candidates[i].structure == structure.canonical(candidates[i].n_components, data.n_features());
            same && rank(&candidates[i], Criterion::Bic).is_some_and(|(degenerate, _)| !degenerate)
        })
        .collect();
    order.sort_by_key(|&i| candidates[i].n_components);
    let Some(&(mut chosen)) = order.first() else { return Ok((Vec::new(), best)) };
    let mut tests = Vec::new();
    for &larger in &order[1..] {
        let (null, alternative) = (&candidates[chosen], &candidates[larger]);
        if alternative.n_components != null.n_components + 1 {
            break;
        }
        let (Ok(null), Ok(alternative)) = (&null.outcome, &alternative.outcome) else { break };
        let statistic = (2.0 * (alternative.log_likelihood - null.log_likelihood)).max(0.0);
        let test = Test { options, names, grid, shape: &shape, structure, null, statistic };
        let result = test.run(control.within(&format!("blrt {}", null.model.weights().len())))?;
        let rejected = result.p_value <= grid.level;
        tests.push(result);
        if !rejected {
            break;
        }
        chosen = larger;
    }
    Ok((tests, chosen))
}

/// What a replicate takes from the data: how many rows, and which cells are missing.
struct Shape {
    n_rows: usize,
    n_features: usize,
    /// Row numbers and features of the missing cells.
    missing: Vec<(u32, u32)>,
}

impl Shape {
    fn of(data: &dyn Source) -> Result<Self> {
        if data.n_labels() > 0 {
            return Err(Error::Usage("the likelihood-ratio test is not for rows of known component: use bic".into()));
        }
        let mut shape = Shape { n_rows: 0, n_features: data.n_features(), missing: Vec::new() };
        let mut fault = None;
        for_each_row(data, |i, row, w, _| {
            if w.fract() != 0.0 {
                fault.get_or_insert(format!(
                    "the likelihood-ratio test draws rows, so weights must be whole numbers, and row {} has {w}",
                    i + 1
                ));
            } else if shape.n_rows as f64 + w > MOST_ROWS {
                fault.get_or_insert(format!("more than {MOST_ROWS} rows are too many to redraw: use bic"));
            }
            if fault.is_some() {
                return;
            }
            for _ in 0..w as usize {
                let missing = (0..row.len()).filter(|&j| row[j].is_nan());
                shape.missing.extend(missing.map(|j| (shape.n_rows as u32, j as u32)));
                shape.n_rows += 1;
            }
        })?;
        fault.map_or(Ok(shape), |sentence| Err(Error::Data(sentence)))
    }

    /// Rows drawn from a model, with the data's missing cells.
    fn draw(&self, model: &Mixture<Gaussian>, seed: Seed) -> Result<Dense<'static>> {
        let d = self.n_features;
        let mut values = vec![0.0; self.n_rows * d];
        let mut rng = seed.rng();
        values.chunks_mut(d).for_each(|row| {
            model.sample(&mut rng, row);
        });
        for &(i, j) in &self.missing {
            values[i as usize * d + j as usize] = f64::NAN;
        }
        Dense::new(values, d)
    }
}

struct Test<'a> {
    options: &'a GaussianMixture,
    names: &'a [String],
    grid: &'a Grid<'a>,
    shape: &'a Shape,
    structure: Structure,
    null: &'a Fit<Mixture<Gaussian>>,
    statistic: f64,
}

impl Test<'_> {
    fn run(&self, control: Control<'_>) -> Result<LikelihoodRatio> {
        let k = self.null.model.weights().len();
        let quiet = Control { progress: None, ..control };
        let (mut replicates, mut exceedances) = (0, 0);
        'race: while replicates < self.grid.replicates {
            let ids = replicates..(replicates + TOGETHER).min(self.grid.replicates);
            let found: Vec<f64> =
                ids.into_par_iter().map(|b| self.replicate(k, b, quiet)).collect::<Result<Vec<f64>>>()?;
            for statistic in found {
                replicates += 1;
                exceedances += usize::from(statistic >= self.statistic);
                if exceedances == ENOUGH {
                    break 'race;
                }
            }
        }
        let p_value = if exceedances == ENOUGH {
            ENOUGH as f64 / replicates as f64
        } else {
            (exceedances + 1) as f64 / (replicates + 1) as f64
        };
        let (structure, statistic) = (self.structure, self.statistic);
        Ok(LikelihoodRatio { structure, n_components: k, statistic, p_value, replicates, exceedances })
    }

    /// The statistic of rows drawn from the null model.
    fn replicate(&self, k: usize, b: usize, control: Control<'_>) -> Result<f64> {
        let key = control.within(&format!("replicate {b}"));
        if let Some(&done) = key.recall().as_ref().and_then(|lists| lists.first()?.first()) {
            return Ok(done);
        }
        if control.interrupted() {
            return Err(Error::Interrupted);
        }
        let seed = self.options.seed.child(BOOTSTRAP).child(k as u64).child(b as u64);
        let rows = self.shape.draw(&self.null.model, seed.child(0))?;
        let grid = Grid { ks: &[k + 1], structures: &[self.structure], ..*self.grid };
        let base = GaussianMixture { seed: seed.child(1), restarts: None, init: Init::Auto, ..self.options.clone() };
        let ready = Ready::new(&base, &rows, self.names, &grid)?;
        let quiet = Control { checkpoint: None, ..control };
        let fit = |options: &GaussianMixture, k| ready.fit(options, (self.structure, k), EFFORT, quiet);
        // The null is fitted from the truth too: a statistic from a poor fit of it would be too large.
        let mut null = fit(&base, k)?.log_likelihood;
        if self.null.model.emission().structure() == self.structure {
            let truth = GaussianMixture { init: Init::Params(Box::new(self.null.model.clone())), ..base.clone() };
            null = null.max(fit(&truth, k)?.log_likelihood);
        }
        let statistic = (2.0 * (fit(&base, k + 1)?.log_likelihood - null)).max(0.0);
        key.remember(vec![vec![statistic]]);
        Ok(statistic)
    }
}
