//! Latent-variable models: an E-step, an M-step and the objective that they climb.

mod bound;
pub mod censored;
mod em;
pub mod genetics;
mod hidden_multinomial;
mod identified;
pub mod kmeans;
mod mixture;
mod posterior;
pub mod probit;
mod separation;
mod weights;

pub use bound::Bound;
pub use em::Em;
pub use hidden_multinomial::{Category, Cell, HiddenMultinomial};
pub use identified::{Derivatives, Identified};
pub use mixture::{Mixture, MixtureStats};
pub use posterior::{most_probable, posteriors};
pub use weights::{FixedWeights, FreeWeights, WeightPosterior, WeightPrior, Weights};

use crate::data::Chunk;
use crate::error::{Error, Result};
use crate::family::Health;
use crate::stats::{Expectation, Statistic};

/// How the E-step uses p(z | x).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Posterior {
    /// As it is: EM.
    Soft,
    /// All weight on the most probable component: classification EM (Celeux & Govaert 1992).
    Hard,
}

/// An E-step, an M-step, and the objective that they climb: log-likelihood + log prior.
pub trait LatentModel: Clone + Send + Sync {
    /// What the E-step collects.
    type Stats: Statistic;
    /// Per-thread memory.
    type Scratch: Send;

    /// The zero statistic for an E-step at the current parameters.
    fn empty_stats(&self) -> Self::Stats;
    /// Memory for one thread, good for E-steps at the current parameters.
    fn scratch(&self) -> Self::Scratch;

    /// Adds the expected statistics, log-likelihood and weight of a chunk to `out`.
    ///
    /// # Errors
    /// If the chunk cannot belong to the model (a label beyond its components, say).
    fn e_step(
        &self,
        chunk: Chunk<'_>,
        posterior: Posterior,
        scratch: &mut Self::Scratch,
        out: &mut Expectation<Self::Stats>,
    ) -> Result<()>;

    /// Adds the statistics that given responsibilities (rows × K, row-major) make: the first M-step of a start, hard
    /// labels, a user's own responsibilities. Known components of the chunk override them.
    ///
    /// # Errors
    /// As [`LatentModel::e_step`]; by default, that the model starts from parameters only.
    fn accumulate_given(
        &self,
        _chunk: Chunk<'_>,
        _resp: &[f64],
        _scratch: &mut Self::Scratch,
        _out: &mut Expectation<Self::Stats>,
    ) -> Result<()> {
        Err(Error::Usage("this model cannot start from responsibilities: give parameters".into()))
    }

    /// Sets the parameters to the maximum of Q given the statistics.
    ///
    /// # Errors
    /// If no valid parameters exist.
    fn m_step(&mut self, stats: &Self::Stats) -> Result<Health>;

    /// Every parameter, exactly: what a checkpoint keeps.
    fn parameters(&self) -> Vec<f64>;
    /// This model with parameters that [`LatentModel::parameters`] gave for one of its kind (the number of components may
    /// differ); `None` where they cannot be.
    fn with_parameters(&self, parameters: &[f64]) -> Option<Self>;

    /// log prior of the parameters; 0 for maximum likelihood.
    fn log_prior(&self) -> f64 {
        0.0
    }
    /// Number of free parameters, for the information criteria.
    fn n_free_parameters(&self) -> usize;

    /// What a chunk adds to the lower bound of this model's log-likelihood that the posterior of another one, `at`, gives,
    /// and to the divergence of the two posteriors; `None` where the model does not say.
    fn bound(&self, _at: &Self, _chunk: Chunk<'_>) -> Option<Bound> {
        None
    }
}

/// Refuses classification EM for a model without components.
fn soft_only(posterior: Posterior) -> Result<()> {
    match posterior {
        Posterior::Soft => Ok(()),
        Posterior::Hard => Err(Error::Usage("classification EM is for mixtures: use plain EM for this model".into())),
    }
}

/// A model as a point in an unconstrained vector space: what accelerators and standard errors move in.
pub trait Unconstrained: Sized {
    /// The parameters as a vector of free numbers.
    fn to_vector(&self) -> Vec<f64>;
    /// The model at another point; `None` where that is no valid model, or one that sits on its floor.
    fn with_vector(&self, vector: &[f64]) -> Option<Self>;
}

/// Per-row results of a fitted model: the only place where N × K can appear, and then one chunk at a time.
pub trait Predict: LatentModel {
    /// Number of components.
    fn n_components(&self) -> usize;
    /// Writes responsibilities (rows × K, row-major) and log-densities (one per row) of a chunk. Known components are
    /// not used.
    fn posterior(&self, chunk: Chunk<'_>, scratch: &mut Self::Scratch, resp: &mut [f64], log_density: &mut [f64]);
}
