//! Stochastic EM (Celeux & Diebolt 1985, Comput. Stat. Q. 2): every row gets one component, drawn from its posterior, and the
//! M-step is that of the completed data.
//!
//! The parameters become a Markov chain about the likelihood's large optima, which forgets its start and leaves small optima and
//! saddles. Its mean after a burn-in is an estimate as good as the maximum to the first order (Nielsen 2000, Bernoulli 6). The mean
//! is taken in the model's free coordinates ([`Unconstrained`]); where components change their numbers along the chain it means
//! little.

use super::{Algorithm, Remaining, Step};
use crate::engine::Engine;
use crate::error::Result;
use crate::family::Health;
use crate::model::{LatentModel, Posterior, Unconstrained};
use crate::seed::Seed;

/// Stochastic EM. One step is one draw for every row; it never ends by itself, and settles at the mean of the chain.
#[derive(Clone, Debug)]
pub struct StochasticEm {
    burn_in: u64,
    seed: Seed,
    passes: u64,
    /// Sum of the chain after the burn-in, and its length.
    sum: Vec<f64>,
    kept: u64,
}

impl StochasticEm {
    /// A chain whose first `burn_in` states are no part of the mean.
    pub fn new(burn_in: u64, seed: Seed) -> Self {
        StochasticEm { burn_in, seed, passes: 0, sum: Vec::new(), kept: 0 }
    }
}

impl<M: LatentModel + Unconstrained> Algorithm<M> for StochasticEm {
    fn step(&mut self, model: &mut M, engine: &mut dyn Engine<M>) -> Result<Step> {
        let posterior = Posterior::Sampled { seed: self.seed.child(self.passes), draws: 1 };
        let expectation = engine.expect(model, 0..engine.n_chunks(), posterior)?;
        let objective = expectation.log_likelihood + model.log_prior();
        let health = guarded(model, engine, &expectation.stats)?;
        self.passes += 1;
        if self.passes > self.burn_in {
            let point = model.to_vector();
            // Another number of components is another chain.
            if self.sum.len() != point.len() {
                (self.sum, self.kept) = (vec![0.0; point.len()], 0);
            }
            self.sum.iter_mut().zip(&point).for_each(|(s, x)| *s += x);
            self.kept += 1;
        }
        Ok(Step { objective, health, remaining: Remaining::Incomparable })
    }

    /// A chain is not kept: it is soon run again.
    fn state(&self) -> Option<Vec<Vec<f64>>> {
        None
    }

    fn restore(&mut self, _model: &M, _state: &[Vec<f64>]) -> bool {
        false
    }

    /// The mean of the chain, unless something has changed the number of components since.
    fn settle(&mut self, model: &mut M) {
        if self.kept == 0 || self.sum.len() != model.to_vector().len() {
            return;
        }
        let mean: Vec<f64> = self.sum.iter().map(|s| s / self.kept as f64).collect();
        if let Some(mean) = model.with_vector(&mean) {
            *model = mean;
        }
    }
}

/// Size of a free coordinate (a logarithm, most often) that only a probability of 0 or 1 has.
const BOUNDARY: f64 = 600.0;

/// An M-step from drawn statistics, unless that leaves a component without rows or on its floor, or a probability at 0 or 1,
/// which no later draw would leave: then one iteration of EM takes its place.
pub(super) fn guarded<M: LatentModel + Unconstrained>(
    model: &mut M,
    engine: &mut dyn Engine<M>,
    drawn: &M::Stats,
) -> Result<Health> {
    let mut next = model.clone();
    let outside = |m: &M| m.to_vector().iter().filter(|x| x.is_nan() || x.abs() >= BOUNDARY).count();
    if let Ok(health) = next.m_step(drawn)
        && !health.iter().any(|h| h.floor_active || h.empty)
        && outside(&next) <= outside(model)
    {
        *model = next;
        return Ok(health);
    }
    let expectation = engine.expect(model, 0..engine.n_chunks(), Posterior::Soft)?;
    model.m_step(&expectation.stats)
}
