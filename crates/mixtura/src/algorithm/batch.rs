//! EM as Dempster, Laird & Rubin (1977) wrote it: an E-step over all rows, then an M-step.

use super::{Algorithm, Remaining, Step};
use crate::engine::Engine;
use crate::error::Result;
use crate::model::{LatentModel, Posterior};

/// Batch EM (`Posterior::Soft`) or classification EM (`Posterior::Hard`).
#[derive(Clone, Copy, Debug)]
pub struct Batch(pub Posterior);

impl<M: LatentModel> Algorithm<M> for Batch {
    fn step(&mut self, model: &mut M, engine: &mut dyn Engine<M>) -> Result<Step> {
        let expectation = engine.expect(model, 0..engine.n_chunks(), self.0)?;
        let objective = expectation.log_likelihood + model.log_prior();
        let health = model.m_step(&expectation.stats)?;
        Ok(Step { objective, health, remaining: Remaining::FromIncrements })
    }

    fn state(&self) -> Option<Vec<Vec<f64>>> {
        Some(Vec::new())
    }

    fn restore(&mut self, _model: &M, state: &[Vec<f64>]) -> bool {
        state.is_empty()
    }
}
