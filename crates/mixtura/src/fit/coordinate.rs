//! Variational Bayes that tells its bound half a step later: after the M-step, before the next E-step has seen the posteriors.
//!
//! That is where scikit-learn takes it, and its stop rule compares these numbers. Both sequences rise, and each lies
//! between the numbers of the other.

use super::BayesianModel;
use crate::algorithm::{Algorithm, Remaining, Step};
use crate::engine::Engine;
use crate::error::Result;
use crate::model::{LatentModel, MixtureStats, Posterior, Weights};
use crate::stats::Moments;

/// EM whose objective is the bound at the new posteriors and the responsibilities that made them.
#[derive(Clone, Copy, Debug)]
pub(super) struct AfterMaximization;

impl Algorithm<BayesianModel> for AfterMaximization {
    fn step(&mut self, model: &mut BayesianModel, engine: &mut dyn Engine<BayesianModel>) -> Result<Step> {
        let expectation = engine.expect(model, 0..engine.n_chunks(), Posterior::Soft)?;
        // An E-step's Σ w log Σ exp(…) is the expected log p(rows, z) plus the entropy of q(z), which the M-step leaves alone.
        let entropy = expectation.log_likelihood - joint(model, &expectation.stats, false);
        let health = model.m_step(&expectation.stats)?;
        let objective = entropy + joint(model, &expectation.stats, true) + model.log_prior();
        Ok(Step { objective, health, remaining: Remaining::FromIncrements })
    }

    fn state(&self) -> Option<Vec<Vec<f64>>> {
        Some(Vec::new())
    }

    fn restore(&mut self, _model: &BayesianModel, state: &[Vec<f64>]) -> bool {
        state.is_empty()
    }
}

/// E\[log p(rows, z)\] under the posteriors and the responsibilities that the statistics sum up.
fn joint(model: &BayesianModel, stats: &MixtureStats<Moments>, with_added: bool) -> f64 {
    let weights = stats.counts.iter().enumerate().map(|(k, n)| n * model.mixing().log_weight(k));
    weights.sum::<f64>() + model.emission().expected_log_density(&stats.emission, with_added)
}
