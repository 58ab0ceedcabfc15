//! So many passes of a method that is fast, random or annealed, then guarded SQUAREM to convergence: such a method finds the
//! neighbourhood of an optimum, and does not settle there by itself.

use super::{Algorithm, Squarem, Step};
use crate::engine::Engine;
use crate::error::Result;
use crate::model::{LatentModel, Unconstrained};

/// A first phase of stated length, then SQUAREM.
///
/// ```
/// use mixtura::algorithm::{Polished, StochasticEm};
/// use mixtura::fit::{Control, ModelOptions, fit_model};
/// use mixtura::{Mixture, Seed, data::Dense, family::gaussian::{Gaussian, Structure}};
/// let rows = Dense::new(vec![0.1, -0.2, 0.0, 0.3, 8.1, 7.9, 8.0, 8.2], 1)?;
/// let start = Mixture::equal(Gaussian::new(Structure::Tied, 1, vec![0.0, 1.0], vec![1.0; 2])?);
/// let method = || Polished::new(StochasticEm::new(5, Seed::new(0)), 10);
/// let fit = fit_model(vec![start], &rows, method, ModelOptions::default(), Control::default())?;
/// assert_eq!(fit.model.weights(), [0.5, 0.5]);
/// # Ok::<(), mixtura::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Polished<M, A> {
    first: A,
    passes: usize,
    squarem: Squarem<M>,
}

impl<M: LatentModel + Unconstrained, A: Algorithm<M>> Polished<M, A> {
    /// So many passes of `first`, which is then settled.
    pub fn new(first: A, passes: usize) -> Self {
        Polished { first, passes, squarem: Squarem::default() }
    }
}

impl<M: LatentModel + Unconstrained, A: Algorithm<M>> Algorithm<M> for Polished<M, A> {
    fn step(&mut self, model: &mut M, engine: &mut dyn Engine<M>) -> Result<Step> {
        if self.passes == 0 {
            return self.squarem.step(model, engine);
        }
        let step = self.first.step(model, engine)?;
        self.passes -= 1;
        if self.passes == 0 {
            self.first.settle(model);
        }
        Ok(step)
    }

    /// The first phase is not kept: it is soon done again.
    fn state(&self) -> Option<Vec<Vec<f64>>> {
        (self.passes == 0).then(|| self.squarem.state()).flatten()
    }

    fn restore(&mut self, model: &M, state: &[Vec<f64>]) -> bool {
        let restored = self.squarem.restore(model, state);
        self.passes = if restored { 0 } else { self.passes };
        restored
    }

    fn settle(&mut self, model: &mut M) {
        if self.passes > 0 {
            self.first.settle(model);
        }
        self.squarem.settle(model);
    }
}
