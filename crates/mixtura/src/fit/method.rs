//! The one place where a method's name becomes the algorithm that a run uses.

use crate::algorithm::{
    Algorithm, Anderson, Annealed, ApproximationEm, Batch, Ecm, Ecme, Entropy, Generalized, Incremental, MonteCarloEm,
    Polished, Sparse, Squarem, Step, Stepwise, StochasticEm,
};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::model::{LatentModel, Posterior, Unconstrained};
use crate::seed::Seed;

/// How E- and M-steps alternate in the long runs; [`crate::catalog::METHODS`] has the names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Plain EM.
    Em,
    /// Guarded squared extrapolation: the same optima in fewer E-steps.
    Squarem,
    /// Guarded Anderson acceleration: extrapolation from the last few iterations together.
    Anderson,
    /// A few passes of stepwise EM, then as `Squarem`: for many rows and starts that are far off, and for a saved model that
    /// should follow new rows.
    Stepwise,
    /// A few passes of incremental EM, then as `Squarem`: many rows.
    Incremental,
    /// Some iterations of sparse EM, then as `Squarem`: mixtures of many components.
    Sparse,
    /// EM with M-steps that go half of the way.
    Generalized,
    /// Conditional M-steps, an E-step before each: the multicycle form of ECM.
    Ecm,
    /// ECM with one block (a mixture's weights) at the maximum of the objective itself.
    Ecme,
    /// Entropy-regularised EM, then as `Squarem`: the components that are asked for are the most there can be, and those that
    /// the data do not need leave. For mixtures.
    Entropy,
    /// As `Squarem`, then moves that merge two components and split a third, as long as they gain. For Gaussian mixtures: other
    /// models refuse it.
    SplitMerge,
    /// Classification EM: all of a row's weight on its most probable component. Fast, ends at whole assignments, and is biased
    /// where components overlap: weights and distances come out too large, variances too small.
    Cem,
    /// Stochastic EM, whose chain's mean then goes on as `Squarem`: leaves small optima and saddles.
    Sem,
    /// Monte Carlo EM with a growing number of draws, then as `Squarem`.
    MonteCarlo,
    /// Stochastic approximation EM, then as `Squarem`.
    Approximation,
    /// Deterministic annealing, then as `Squarem`: less depends on the start.
    Annealing,
    /// Passes that leave out small responsibilities, then as `Squarem`.
    Thresholded,
}

/// Passes of stepwise EM before SQUAREM takes over: later ones gain less than SQUAREM does.
const STEPWISE_PASSES: usize = 2;
/// Passes of incremental EM before SQUAREM takes over.
const INCREMENTAL_PASSES: usize = 5;
/// Iterations of sparse EM before SQUAREM takes over: four searches and what follows them.
const SPARSE_PASSES: usize = 20;
/// Passes of stochastic EM that forget the start …
const BURN_IN: u64 = 20;
/// … and those after them, which are averaged.
const AVERAGED: usize = 30;
/// Passes of Monte Carlo EM; the last takes as many draws for every row.
const MONTE_CARLO_PASSES: usize = 20;
/// What is below this share of a row is left out in the first passes, …
const THRESHOLD: f64 = 0.01;
/// … of which there are so many: the memory of SQUAREM is worth more after that.
const THRESHOLDED_PASSES: usize = 10;

impl Method {
    /// The algorithm for one run, with settings that suit most data; `seed` is of all that is random in it.
    ///
    /// ```
    /// use mixtura::fit::{Method, ModelOptions, fit_model};
    /// use mixtura::{Mixture, Seed, data::Dense, family::gaussian::{Gaussian, Structure}};
    /// let rows = Dense::new(vec![0.1, -0.2, 0.0, 0.3, 8.1, 7.9, 8.0, 8.2], 1)?;
    /// let start = Mixture::equal(Gaussian::new(Structure::Tied, 1, vec![0.0, 1.0], vec![1.0; 2])?);
    /// let method = || Method::Anderson.algorithm(Seed::new(0));
    /// let fit = fit_model(vec![start], &rows, method, ModelOptions::default(), Default::default())?;
    /// assert_eq!(fit.certificate.restarts_at_best, 1);
    /// # Ok::<(), mixtura::Error>(())
    /// ```
    pub fn algorithm<'a, M>(self, seed: Seed) -> Box<dyn Algorithm<M> + Send + 'a>
    where
        M: LatentModel + Unconstrained + 'a,
    {
        match self {
            Method::Em => Box::new(Batch(Posterior::Soft)),
            Method::Squarem => Box::new(Squarem::default()),
            Method::Anderson => Box::new(Anderson::default()),
            Method::Stepwise => Box::new(Polished::new(Stepwise::usual(seed), STEPWISE_PASSES)),
            Method::Incremental => Box::new(Polished::new(Incremental::new(seed), INCREMENTAL_PASSES)),
            Method::Sparse => Box::new(Polished::new(Sparse::default(), SPARSE_PASSES)),
            Method::Generalized => Box::new(Generalized::default()),
            Method::Ecm => Box::new(Ecm::Multicycle),
            Method::Ecme => Box::new(Ecme::default()),
            Method::Entropy => Box::new(Entropy::default()),
            Method::SplitMerge => Box::new(GaussianOnly),
            Method::Cem => Box::new(Batch(Posterior::Hard)),
            Method::Sem => Box::new(Polished::new(StochasticEm::new(BURN_IN, seed), BURN_IN as usize + AVERAGED)),
            Method::MonteCarlo => Box::new(Polished::new(MonteCarloEm::new(seed), MONTE_CARLO_PASSES)),
            Method::Approximation => {
                Box::new(Polished::new(ApproximationEm::new(BURN_IN, seed), BURN_IN as usize + AVERAGED))
            }
            Method::Annealing => {
                let annealed = Annealed::usual();
                let length = annealed.length();
                Box::new(Polished::new(annealed, length))
            }
            Method::Thresholded => {
                Box::new(Polished::new(Batch(Posterior::Thresholded(THRESHOLD)), THRESHOLDED_PASSES))
            }
        }
    }
}

/// Split and merge moves belong to the fit of a Gaussian mixture, which makes them between runs: no other model has them.
struct GaussianOnly;

impl<M: LatentModel> Algorithm<M> for GaussianOnly {
    fn step(&mut self, _model: &mut M, _engine: &mut dyn Engine<M>) -> Result<Step> {
        Err(Error::Usage("split-merge is for Gaussian mixtures: choose another algorithm for this model".into()))
    }

    fn state(&self) -> Option<Vec<Vec<f64>>> {
        None
    }

    fn restore(&mut self, _model: &M, _state: &[Vec<f64>]) -> bool {
        false
    }
}
