//! EM as Dempster, Laird & Rubin (1977) wrote it: an E-step over all rows, then an M-step.

use super::{Algorithm, Remaining, Step};
use crate::engine::Engine;
use crate::error::Result;
use crate::model::{LatentModel, Posterior};

/// Batch EM (`Posterior::Soft`), classification EM (`Posterior::Hard`), or the same with any other posterior. Where that makes the
/// passes no ascent (draws, a threshold) they are marked so, and never end by themselves.
#[derive(Clone, Copy, Debug)]
pub struct Batch(pub Posterior);

impl<M: LatentModel> Algorithm<M> for Batch {
    fn step(&mut self, model: &mut M, engine: &mut dyn Engine<M>) -> Result<Step> {
        let expectation = engine.expect(model, 0..engine.n_chunks(), self.0)?;
        let objective = expectation.log_likelihood + model.log_prior();
        let health = model.m_step(&expectation.stats)?;
        let remaining = match self.0 {
            Posterior::Soft | Posterior::Hard | Posterior::Tempered(_) => Remaining::FromIncrements,
            Posterior::Sampled { .. } | Posterior::Thresholded(_) => Remaining::Incomparable,
        };
        Ok(Step { objective, health, remaining })
    }

    fn state(&self) -> Option<Vec<Vec<f64>>> {
        Some(Vec::new())
    }

    fn restore(&mut self, _model: &M, state: &[Vec<f64>]) -> bool {
        state.is_empty()
    }
}
