//! Deterministic annealing EM (Ueda & Nakano 1998, Neural Networks 11, §3.3): EM with the posterior to a power β that grows to 1.
//!
//! At a small β every row belongs a little to every component, and the free energy has few optima; as β grows they part. Ueda &
//! Nakano iterate to convergence at each β; here every level has a stated number of passes.
//!
//! The reason: where covariances are free, components that coincide are stable below β = 1. With the data's covariance C, differences of
//! means shrink by β C C⁻¹ = β in every pass. Run to convergence, overlapping components all meet, and what is left of their differences
//! is rounding: a fit then ends at the saddle where the mixture is one Gaussian.

use super::{Algorithm, Remaining, Step};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::model::{LatentModel, Posterior};

/// Deterministic annealing; from the end of its schedule on it is plain EM.
#[derive(Clone, Debug)]
pub struct Annealed {
    start: f64,
    levels: usize,
    passes: usize,
    done: usize,
}

/// The schedule by name. Components that would meet come closer by 0.5^5.5, to a fiftieth, and part again; from β = 0.2 with four passes a
/// level, e⁻³⁵, they did not.
const USUAL: (f64, usize, usize) = (0.5, 10, 1);

impl Annealed {
    /// β from `start` to 1 in so many levels, each β the same multiple of the last, with so many passes each.
    ///
    /// # Errors
    /// [`Error::Usage`] unless 1e-9 ≤ start < 1, and levels and passes are positive.
    pub fn new(start: f64, levels: usize, passes: usize) -> Result<Self> {
        if !(1e-9..1.0).contains(&start) || levels == 0 || passes == 0 {
            return Err(Error::Usage(format!(
                "an annealing from β = {start} over {levels} levels of {passes} passes: use a start from 1e-9, below 1, and at least \
                 one level and pass"
            )));
        }
        Ok(Annealed { start, levels, passes, done: 0 })
    }

    /// From 0.5 over 10 levels of one pass.
    pub fn usual() -> Self {
        let (start, levels, passes) = USUAL;
        Annealed { start, levels, passes, done: 0 }
    }

    /// Passes until β is 1.
    pub fn length(&self) -> usize {
        self.levels * self.passes
    }

    /// β of the next pass.
    pub fn beta(&self) -> f64 {
        let level = (self.done / self.passes).min(self.levels);
        self.start.powf(1.0 - level as f64 / self.levels as f64)
    }
}

impl<M: LatentModel> Algorithm<M> for Annealed {
    fn step(&mut self, model: &mut M, engine: &mut dyn Engine<M>) -> Result<Step> {
        let beta = self.beta();
        let (posterior, remaining) = match self.done < self.length() {
            true => (Posterior::Tempered(beta), Remaining::Incomparable),
            false => (Posterior::Soft, Remaining::FromIncrements),
        };
        let expectation = engine.expect(model, 0..engine.n_chunks(), posterior)?;
        let objective = expectation.log_likelihood + model.log_prior();
        let health = model.m_step(&expectation.stats)?;
        self.done = (self.done + 1).min(self.length());
        Ok(Step { objective, health, remaining })
    }

    fn state(&self) -> Option<Vec<Vec<f64>>> {
        Some(vec![vec![self.done as f64]])
    }

    fn restore(&mut self, _model: &M, state: &[Vec<f64>]) -> bool {
        let [done] = state else { return false };
        let &[done] = &done[..] else { return false };
        let known = done >= 0.0 && done <= self.length() as f64;
        self.done = if known { done as usize } else { self.done };
        known
    }
}
