//! Ways to alternate E- and M-steps, one published method per file.

mod anderson;
mod annealed;
mod approximation;
mod batch;
mod ecm;
mod ecme;
mod entropy;
mod generalized;
mod incremental;
mod monte_carlo;
mod polished;
mod sparse;
mod squarem;
mod stepwise;
mod stochastic;

pub use anderson::Anderson;
pub use annealed::Annealed;
pub use approximation::ApproximationEm;
pub use batch::Batch;
pub use ecm::Ecm;
pub use ecme::Ecme;
pub use entropy::Entropy;
pub use generalized::Generalized;
pub use incremental::Incremental;
pub use monte_carlo::MonteCarloEm;
pub use polished::Polished;
pub use sparse::Sparse;
pub use squarem::Squarem;
pub use stepwise::{ALPHA, Stepwise};
pub use stochastic::StochasticEm;

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
    /// What the method knows of the nats still to be gained.
    pub remaining: Remaining,
}

/// A method's own estimate of the nats still to be gained.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Remaining {
    /// None of its own: increments of the objective tell, as plain EM's do.
    FromIncrements,
    /// Not in this step: its increment is no plain EM step's.
    Unknown,
    /// Nothing: the step's objective is that of no one set of parameters, or need not grow (a stepwise, random or annealed pass).
    Incomparable,
    /// This many.
    Nats(f64),
}

/// One published way to alternate E and M.
pub trait Algorithm<M: LatentModel> {
    /// Runs one iteration and leaves the new parameters in `model`.
    ///
    /// # Errors
    /// If the E-step cannot run or no valid parameters exist.
    fn step(&mut self, model: &mut M, engine: &mut dyn Engine<M>) -> Result<Step>;

    /// Everything it carries from one step to the next, as lists of numbers: what a checkpoint keeps. `None` while that
    /// cannot be kept; a run that is cut short then begins again.
    fn state(&self) -> Option<Vec<Vec<f64>>>;
    /// Takes a state back; `model` has the parameters of that moment. Says whether the state was one of its own: if not,
    /// nothing has changed.
    fn restore(&mut self, model: &M, state: &[Vec<f64>]) -> bool;

    /// Called once after the last step: leaves in `model` parameters that are safe to return.
    fn settle(&mut self, _model: &mut M) {}
}

impl<M: LatentModel, A: Algorithm<M> + ?Sized> Algorithm<M> for Box<A> {
    fn step(&mut self, model: &mut M, engine: &mut dyn Engine<M>) -> Result<Step> {
        (**self).step(model, engine)
    }

    fn state(&self) -> Option<Vec<Vec<f64>>> {
        (**self).state()
    }

    fn restore(&mut self, model: &M, state: &[Vec<f64>]) -> bool {
        (**self).restore(model, state)
    }

    fn settle(&mut self, model: &mut M) {
        (**self).settle(model);
    }
}
