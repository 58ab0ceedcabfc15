//! Component distributions: an [`Emission`] stores all K of a mixture (or all states of an HMM) together.

pub mod bernoulli;
pub mod binomial;
pub mod gaussian;
pub mod linear;
pub mod normal_wishart;
mod proportions;

use crate::data::Rows;
use crate::error::Result;
use crate::seed::Rng;
use crate::stats::Statistic;
pub use mixtura_kernels::TILE;

/// State of one component after an M-step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ComponentHealth {
    /// Some variance was raised to the floor.
    pub floor_active: bool,
    /// No row is left: the parameters are those of the iteration before.
    pub empty: bool,
}

/// State of all components after an M-step, in their order.
pub type Health = Vec<ComponentHealth>;

/// Below this share of all weight a component counts as empty: its parameters would be rounding noise.
pub(crate) const EMPTY_SHARE: f64 = 1e-13;

/// K component distributions of one family, stored together.
///
/// Tiles: at most [`TILE`] rows; values per row and component are *component-major* with stride [`TILE`]: component
/// `k` of row `t` at `k * TILE + t`. Entries past the last row are ignored on reading.
pub trait Emission: Clone + Send + Sync {
    /// What the E-step collects for the M-step.
    type Stats: Statistic;
    /// Per-thread memory: the transposed tile, factors per missing pattern.
    type Scratch: Send;

    /// Number of components K.
    fn n_components(&self) -> usize;
    /// Number of features D.
    fn n_features(&self) -> usize;
    /// The zero statistic for an E-step at the current parameters.
    fn empty_stats(&self) -> Self::Stats;
    /// Memory for one thread, good for E-steps at the current parameters.
    fn scratch(&self) -> Self::Scratch;

    /// From here on a log-density may be −∞ where, `log_weights` (K) added, it lies below its row's largest by more than −`lowest`;
    /// `None` is as before the first call: every one is what it is.
    fn neglect(&self, _scratch: &mut Self::Scratch, _log_weights_and_lowest: Option<(&[f64], f64)>) {}

    /// From here on the log-densities of components that are not marked (K marks) may be anything, and need not be computed;
    /// `None` is as before the first call: every one counts.
    fn restrict(&self, _scratch: &mut Self::Scratch, _marked: Option<&[bool]>) {}

    /// log p(x | k) of the observed cells of every row of a tile, for every component.
    fn log_density(&self, rows: Rows<'_>, scratch: &mut Self::Scratch, out: &mut [f64]);

    /// Adds a tile with weighted responsibilities (same layout) to the statistics. Must be called right after
    /// [`Emission::log_density`] on the same tile, whose work in `scratch` it may use. For missing cells the statistics
    /// include the conditional means and covariances at the current parameters.
    fn accumulate(&self, rows: Rows<'_>, resp: &[f64], scratch: &mut Self::Scratch, stats: &mut Self::Stats);

    /// Sets the parameters to the maximum of Q, and says how each component is.
    ///
    /// # Errors
    /// If no valid parameters exist.
    fn maximize(&mut self, stats: &Self::Stats) -> Result<Health>;

    /// Number of blocks of parameters that together are all of them.
    fn n_blocks(&self) -> usize {
        1
    }
    /// Sets the parameters of one block (from 0) to the maximum of Q given the present others. By default all are one block.
    ///
    /// # Errors
    /// As [`Emission::maximize`].
    fn maximize_block(&mut self, _block: usize, stats: &Self::Stats) -> Result<Health> {
        self.maximize(stats)
    }

    /// Every parameter, exactly.
    fn parameters(&self) -> Vec<f64>;
    /// This bank with parameters that [`Emission::parameters`] gave for one of its kind; `None` where they cannot be.
    fn with_parameters(&self, parameters: &[f64]) -> Option<Self>;

    /// Keeps the given components, in the given order.
    fn select_components(&mut self, keep: &[usize]);
    /// Makes component `k` a copy of component `j` of `from`.
    fn set_component(&mut self, k: usize, from: &Self, j: usize);

    /// log prior of the parameters; 0 for maximum likelihood.
    fn log_prior(&self) -> f64 {
        0.0
    }
    /// Number of free parameters of all components.
    fn n_free_parameters(&self) -> usize;
    /// Draws one row from component `component` into `out`. Cells that the family does not explain (covariates, numbers of
    /// flips) are read from `out` and stay.
    fn sample(&self, component: usize, rng: &mut Rng, out: &mut [f64]);
}

/// A bank whose log-densities can be differentiated in its free parameters, as users read them: what standard errors need.
pub trait Differentiable: Emission {
    /// The free parameters, none redundant.
    fn coordinates(&self) -> Vec<f64>;
    /// Their names, such as `mean[1][0]` or `covariance[1][0,1]` (component first).
    fn names(&self) -> Vec<String>;
    /// The bank at other coordinates; `None` where they are no valid parameters.
    fn with_coordinates(&self, coordinates: &[f64]) -> Option<Self>;
    /// The coordinates on which the density of component `k` depends, increasing.
    fn coordinates_of(&self, k: usize) -> Vec<usize>;
    /// Gradient and negative Hessian (packed lower triangle, row by row) of log p(observed cells of `row` | k) in the coordinates
    /// of component `k`; overwrites both.
    fn differentiate(&self, k: usize, row: &[f64], gradient: &mut [f64], curvature: &mut [f64]);
}
