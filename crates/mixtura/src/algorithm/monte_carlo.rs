//! Monte Carlo EM (Wei & Tanner 1990, J. Am. Stat. Assoc. 85): the E-step is the mean over draws from the posterior, of which
//! later passes take more.

use super::stochastic::guarded;
use super::{Algorithm, Remaining, Step};
use crate::engine::Engine;
use crate::error::Result;
use crate::model::{LatentModel, Posterior, Unconstrained};
use crate::seed::Seed;

/// Monte Carlo EM. Pass t draws t times for every row, so the noise of the parameters falls as 1/√t. It never ends by itself.
#[derive(Clone, Debug)]
pub struct MonteCarloEm {
    seed: Seed,
    passes: usize,
}

impl MonteCarloEm {
    /// Draws from a seed.
    pub fn new(seed: Seed) -> Self {
        MonteCarloEm { seed, passes: 0 }
    }
}

impl<M: LatentModel + Unconstrained> Algorithm<M> for MonteCarloEm {
    fn step(&mut self, model: &mut M, engine: &mut dyn Engine<M>) -> Result<Step> {
        let seed = self.seed.child(self.passes as u64);
        self.passes += 1;
        let posterior = Posterior::Sampled { seed, draws: self.passes };
        let expectation = engine.expect(model, 0..engine.n_chunks(), posterior)?;
        let objective = expectation.log_likelihood + model.log_prior();
        let health = guarded(model, engine, &expectation.stats)?;
        Ok(Step { objective, health, remaining: Remaining::Incomparable })
    }

    /// Random passes are not kept: a few are soon done again.
    fn state(&self) -> Option<Vec<Vec<f64>>> {
        None
    }

    fn restore(&mut self, _model: &M, _state: &[Vec<f64>]) -> bool {
        false
    }
}
