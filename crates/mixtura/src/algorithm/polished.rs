//! So many passes of a method that is fast at first, then guarded SQUAREM to convergence: such a method finds the neighbourhood of an
//! optimum, and cannot say when it has arrived.

use super::{Algorithm, Squarem, Step};
use crate::engine::Engine;
use crate::error::Result;
use crate::model::{LatentModel, Unconstrained};

/// A first phase of stated length, then SQUAREM.
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
