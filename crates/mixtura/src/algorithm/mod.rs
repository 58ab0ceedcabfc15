//! Ways to alternate E- and M-steps, one published method per file.

mod batch;

pub use batch::Batch;

use crate::engine::Engine;
use crate::error::Result;
use crate::family::Health;
use crate::model::LatentModel;

/// What one iteration did.
#[derive(Clone, Debug)]
pub struct Step {
    /// Objective (log-likelihood + log prior) of the parameters with which the iteration *started*.
    pub objective: f64,
    /// State of the components after its M-step.
    pub health: Health,
}

/// One published way to alternate E and M.
pub trait Algorithm<M: LatentModel> {
    /// Runs one iteration and leaves the new parameters in `model`.
    ///
    /// # Errors
    /// If the E-step cannot run or no valid parameters exist.
    fn step(&mut self, model: &mut M, engine: &mut dyn Engine<M>) -> Result<Step>;
}
