//! Stochastic approximation EM (Delyon, Lavielle & Moulines 1999, Ann. Stat. 27): the M-step is that of running statistics, which
//! every pass of draws moves a little.
//!
//! With ŝ the statistics of one draw for every row, s ← (1 − γ) s + γ ŝ and θ ← M(s) (their eq. 5), where γ_t = 1 for the first
//! passes, which is stochastic EM and forgets the start, and then 1/t, which averages and converges.

use super::stochastic::guarded;
use super::{Algorithm, Remaining, Step};
use crate::engine::Engine;
use crate::error::Result;
use crate::model::{LatentModel, Posterior, Unconstrained};
use crate::seed::Seed;
use crate::stats::Statistic;

/// Stochastic approximation EM. One step is one draw for every row; it never ends by itself.
#[derive(Clone, Debug)]
pub struct ApproximationEm<M: LatentModel> {
    burn_in: u64,
    seed: Seed,
    passes: u64,
    running: Option<M::Stats>,
    /// The parameters that they led to: others were put in from outside, and the statistics are not theirs.
    left: Vec<f64>,
}

impl<M: LatentModel> ApproximationEm<M> {
    /// γ = 1 for `burn_in` passes.
    pub fn new(burn_in: u64, seed: Seed) -> Self {
        ApproximationEm { burn_in, seed, passes: 0, running: None, left: Vec::new() }
    }
}

impl<M: LatentModel + Unconstrained> Algorithm<M> for ApproximationEm<M> {
    fn step(&mut self, model: &mut M, engine: &mut dyn Engine<M>) -> Result<Step> {
        let posterior = Posterior::Sampled { seed: self.seed.child(self.passes), draws: 1 };
        let mut expectation = engine.expect(model, 0..engine.n_chunks(), posterior)?;
        self.passes += 1;
        let gamma = if self.passes <= self.burn_in { 1.0 } else { 1.0 / (self.passes - self.burn_in) as f64 };
        if let Some(mut running) = self.running.take().filter(|_| gamma < 1.0 && self.left == model.to_vector()) {
            running.scale(1.0 - gamma);
            expectation.stats.scale(gamma);
            // The draw's pivots are the present means: the old statistics come to them, not the other way round.
            expectation.stats.merge(&running);
        }
        let objective = expectation.log_likelihood + model.log_prior();
        let health = guarded(model, engine, &expectation.stats)?;
        self.left = model.to_vector();
        self.running = Some(expectation.stats);
        Ok(Step { objective, health, remaining: Remaining::Incomparable })
    }

    /// Running statistics are not kept: a few passes are soon done again.
    fn state(&self) -> Option<Vec<Vec<f64>>> {
        None
    }

    fn restore(&mut self, _model: &M, _state: &[Vec<f64>]) -> bool {
        false
    }
}
