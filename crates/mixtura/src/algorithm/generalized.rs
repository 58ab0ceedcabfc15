//! Generalized EM (Dempster, Laird & Rubin 1977, §3: GEM): an M-step that raises Q without maximising it.
//!
//! The statistics go a share ε of the way from those of the last M-step to those of the E-step, s ← (1 − ε) s + ε ŝ, and the M-step
//! maximises Q of s: the damped update of Delyon, Lavielle & Moulines (1999, Ann. Stat. 27, eq. 5) with a constant step and nothing drawn. Q is
//! linear in the statistics, so with θ = argmax Q(· | s) and θ' = argmax Q(· | (1 − ε) s + ε ŝ)
//!
//! (1 − ε) Q(θ' | s) + ε Q(θ' | ŝ) ≥ (1 − ε) Q(θ | s) + ε Q(θ | ŝ) and Q(θ' | s) ≤ Q(θ | s), hence Q(θ' | ŝ) ≥ Q(θ | ŝ):
//!
//! Q rises for every model whose M-step is exact, floors and priors included, with no guard; so does the objective. A step in the
//! parameters (Peters & Walker 1978) has no such bound: half of the way to a component that shrinks can lower Q. Near an optimum
//! EM's rate λ becomes 1 − ε (1 − λ): this is a damper for M-steps that overshoot, no accelerator.
//!
//! Models of the catalog that solve their M-step by Newton's method (the extreme values, between bounds) do so to rounding, and the probit's
//! is a least-squares problem in one go: theirs are exact M-steps, not generalized ones. For the extreme values, whose statistics are the records
//! themselves, damping changes nothing and this is EM.

use super::{Algorithm, Remaining, Step};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::model::{LatentModel, Posterior};
use crate::stats::Statistic;

/// Generalized EM by damped statistics. The first iteration, and one from parameters that were put in from outside, is EM's.
#[derive(Clone, Debug)]
pub struct Generalized<M: LatentModel> {
    share: f64,
    /// Statistics behind the last M-step, and the parameters that it made.
    last: Option<(M::Stats, Vec<f64>)>,
}

/// Half of the way.
impl<M: LatentModel> Default for Generalized<M> {
    fn default() -> Self {
        Generalized { share: 0.5, last: None }
    }
}

impl<M: LatentModel> Generalized<M> {
    /// So much of the way from the last statistics to the new ones; 1 is EM.
    ///
    /// # Errors
    /// [`Error::Usage`] unless 0 < share ≤ 1.
    pub fn new(share: f64) -> Result<Self> {
        if !(share > 0.0 && share <= 1.0) {
            return Err(Error::Usage(format!("the share of an M-step is {share}: use a number above 0, at most 1")));
        }
        Ok(Generalized { share, last: None })
    }
}

impl<M: LatentModel> Algorithm<M> for Generalized<M> {
    fn step(&mut self, model: &mut M, engine: &mut dyn Engine<M>) -> Result<Step> {
        let expectation = engine.expect(model, 0..engine.n_chunks(), Posterior::Soft)?;
        let objective = expectation.log_likelihood + model.log_prior();
        let mut stats = expectation.stats;
        if let Some((mut last, left)) = self.last.take()
            && self.share < 1.0
            && left == model.parameters()
        {
            stats.scale(self.share);
            last.scale(1.0 - self.share);
            stats.merge(&last);
        }
        let health = model.m_step(&stats)?;
        self.last = Some((stats, model.parameters()));
        Ok(Step { objective, health, remaining: Remaining::FromIncrements })
    }

    /// Statistics are not kept: a run that is cut short begins again.
    fn state(&self) -> Option<Vec<Vec<f64>>> {
        None
    }

    fn restore(&mut self, _model: &M, _state: &[Vec<f64>]) -> bool {
        false
    }
}
