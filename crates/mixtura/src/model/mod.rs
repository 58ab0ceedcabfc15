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
mod truncated;
mod weights;

pub use bound::Bound;
pub use em::Em;
pub use hidden_multinomial::{Category, Cell, HiddenMultinomial};
pub use identified::{Derivatives, Identified};
pub use mixture::{Mixture, MixtureStats, Plausible};
pub use posterior::{most_probable, posteriors};
pub use weights::{FixedWeights, FreeWeights, WeightPosterior, WeightPrior, Weights};

use std::sync::Arc;

use crate::data::Chunk;
use crate::error::{Error, Result};
use crate::family::Health;
use crate::seed::Seed;
use crate::stats::{Expectation, Statistic};

/// How the E-step uses p(z | x). Known components stay known in all of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Posterior {
    /// As it is: EM.
    Soft,
    /// All weight on the most probable component: classification EM (Celeux & Govaert 1992, Comput. Stat. Data Anal. 14). In the
    /// place of the log-likelihood stands what that climbs, the classification log-likelihood Σ w log max_k π_k p_k(x).
    Hard,
    /// The mean of so many draws (at least 1) from it: stochastic EM (one draw) and Monte Carlo EM. A draw has an address, the seed
    /// and the row's position, so the bits do not depend on the threads. A row's weight multiplies its draws: 2 is not the row
    /// drawn twice. (In a [`HiddenMultinomial`], whose weights are counts, every whole unit of weight is drawn by itself.)
    Sampled {
        /// Of all draws of this pass.
        seed: Seed,
        /// Per row.
        draws: usize,
    },
    /// Its power, normalised: p(x, z)^β / Σ p(x, z)^β with β from 1e-9 to 1e9, as in deterministic annealing (Ueda & Nakano 1998,
    /// Neural Networks 11, eq. 11). In the place of the log-likelihood stands what that climbs, the negative free energy Σ w
    /// log(Σ_z p(x, z)^β) / β (eq. 15): between a constant (β → 0), the log-likelihood (1) and what `Hard` climbs (∞).
    Tempered(f64),
    /// What is below the number (from 0, below 1) is 0, and the rest normalised; the largest always stays: truncated posteriors
    /// (Lücke & Eggert 2010, J. Mach. Learn. Res. 11), cut by size. Not EM: the log-likelihood may fall.
    Thresholded(f64),
}

impl Posterior {
    /// Refuses numbers that make no sense.
    fn check(self) -> Result<()> {
        let wrong = match self {
            Posterior::Sampled { draws: 0, .. } => "0 draws are no sample: use at least 1".to_owned(),
            Posterior::Tempered(beta) if !(1e-9..=1e9).contains(&beta) => {
                format!("the posterior's power β is {beta}: use a number from 1e-9 to 1e9")
            }
            Posterior::Thresholded(least) if !(0.0..1.0).contains(&least) => {
                format!("the threshold of responsibilities is {least}: use a number from 0, below 1")
            }
            _ => return Ok(()),
        };
        Err(Error::Usage(wrong))
    }
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

    /// From here on E-steps are those of sparse EM with that memory, or (`None`) of EM again. Says whether they are: only mixtures' can be.
    fn remember(&mut self, _memory: Option<Arc<Plausible>>) -> bool {
        false
    }

    /// Number of blocks of parameters that together are all of them.
    fn n_blocks(&self) -> usize {
        1
    }
    /// Sets the parameters of one block (from 0) to the maximum of Q given the statistics and the present other parameters: a
    /// conditional M-step (Meng & Rubin 1993). By default all are one block.
    ///
    /// # Errors
    /// As [`LatentModel::m_step`].
    fn m_step_block(&mut self, _block: usize, stats: &Self::Stats) -> Result<Health> {
        self.m_step(stats)
    }

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

    /// The weights of components that may leave, and the number of columns of a row; `None` where a model has none that are free.
    fn free_weights(&self) -> Option<(Vec<f64>, usize)> {
        None
    }
    /// Keeps the given components, in the given order and with these weights, where [`LatentModel::free_weights`] are some.
    fn keep_components(&mut self, _keep: &[usize], _weights: Vec<f64>) {}

    /// What a chunk adds to the lower bound of this model's log-likelihood that the posterior of another one, `at`, gives,
    /// and to the divergence of the two posteriors; `None` where the model does not say.
    fn bound(&self, _at: &Self, _chunk: Chunk<'_>) -> Option<Bound> {
        None
    }
}

/// Seed and number of draws, if any, for a model whose hidden values are numbers and whose likelihood has one optimum; refuses
/// what is for components, or for many optima.
fn draws_only(posterior: Posterior) -> Result<Option<(Seed, usize)>> {
    posterior.check()?;
    let what = match posterior {
        Posterior::Soft => return Ok(None),
        Posterior::Sampled { seed, draws } => return Ok(Some((seed, draws))),
        Posterior::Hard => return Err(no_components()),
        Posterior::Tempered(_) => "annealing is for models with several optima, and this one has one",
        Posterior::Thresholded(_) => "a threshold is for responsibilities, and this model has none",
    };
    Err(Error::Usage(format!("{what}: use plain EM")))
}

fn no_components() -> Error {
    Error::Usage("classification EM is for mixtures: use plain EM for this model".into())
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
