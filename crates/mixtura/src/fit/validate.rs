//! Cross-validation of the candidates of a selection: each is fitted without one fold of the rows at a time and judged by
//! the log-likelihood of that fold (Smyth 2000).

use rayon::prelude::*;

use super::estimator::GaussianMixture;
use super::select::{Candidate, Grid, Ready};
use super::{Control, Fit};
use crate::data::{Folds, Source};
use crate::engine::{Engine, Threads};
use crate::error::{Error, Result};
use crate::family::gaussian::Gaussian;
use crate::model::{Mixture, Posterior};

/// Child of the user's seed for the folds.
const FOLDS: u64 = 4;

/// How well a candidate predicts rows that it has not seen.
#[derive(Clone, Debug, PartialEq)]
pub struct CrossValidation {
    /// Σ w log p(x) of every row under the fit that did not see it, nats.
    pub log_likelihood: f64,
    /// The same by fold.
    pub folds: Vec<f64>,
    /// Standard error of the sum, from the spread of the folds.
    pub standard_error: f64,
}

impl CrossValidation {
    fn of(folds: Vec<f64>) -> Self {
        let n = folds.len() as f64;
        let sum: f64 = folds.iter().sum();
        let spread: f64 = folds.iter().map(|f| (f - sum / n) * (f - sum / n)).sum();
        CrossValidation { log_likelihood: sum, folds, standard_error: (n * spread / (n - 1.0)).sqrt() }
    }
}

/// Cross-validates every candidate that has a fit.
pub(super) fn cross_validate(
    options: &GaussianMixture,
    data: &dyn Source,
    names: &[String],
    grid: &Grid<'_>,
    candidates: &mut [Candidate],
    effort: f64,
    control: Control<'_>,
) -> Result<()> {
    let folds = Folds::new(data, grid.folds, options.seed.child(FOLDS))?;
    let mut scores: Vec<Vec<Result<f64>>> = candidates.iter().map(|_| Vec::new()).collect();
    // One fold at a time: what is made ready of a fold is memory.
    for fold in 0..grid.folds {
        if control.interrupted() {
            return Err(Error::Interrupted);
        }
        let (training, held_out) = (folds.training(fold)?, folds.held_out(fold)?);
        let ready = Ready::new(options, &training, names, grid)?;
        let scope = control.within(&format!("fold {fold}"));
        let found: Vec<Result<f64>> = candidates
            .par_iter()
            .map(|candidate| {
                if let Err(error) = &candidate.outcome {
                    return Err(error.clone());
                }
                let (structure, k) = (candidate.structure, candidate.n_components);
                let scope = scope.within(&format!("{} {k}", structure.name()));
                let fit = ready.fit(options, (structure, k), effort / grid.folds as f64, scope)?;
                log_likelihood(&fit, &held_out)
            })
            .collect();
        scores.iter_mut().zip(found).for_each(|(all, score)| all.push(score));
    }
    for (candidate, scores) in candidates.iter_mut().zip(scores) {
        candidate.cross_validation = Some(scores.into_iter().collect::<Result<Vec<f64>>>().map(CrossValidation::of));
    }
    Ok(())
}

/// Σ w log p(x) of the rows of a source under a fit, in the columns' own units.
pub(super) fn log_likelihood(fit: &Fit<Mixture<Gaussian>>, source: &dyn Source) -> Result<f64> {
    let mut engine = Threads::new(source);
    let chunks = 0..source.n_chunks();
    Ok(engine.expect(&fit.model, chunks, Posterior::Soft)?.log_likelihood)
}
