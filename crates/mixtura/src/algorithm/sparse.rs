//! Sparse EM (Neal & Hinton 1998, §5): most iterations update the responsibilities of plausible components only; those of the others
//! stay frozen until the next search over all.
//!
//! With r the responsibilities in use, an update maximises F = Σ r (log p(x, k | θ) − log r) over those of the plausible components, whose sum
//! stays what the frozen ones leave; the M-step maximises it over θ. F never falls (their §5), and a search makes it the log-likelihood.
//!
//! Which components are plausible is decided for tiles of rows that lie together (`model/mixture/plausible.rs`, with the memory that it takes). The
//! statistics of what is frozen are collected once per search, and merged with those of every update: nothing is subtracted.
//!
//! An update reports the log-likelihood that leaves the frozen components out, below that of its parameters, marked
//! [`Remaining::Incomparable`]. A search is one more E-step over all components.

use std::sync::Arc;

use super::{Algorithm, Remaining, Step};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::model::{LatentModel, Plausible, Posterior};
use crate::stats::{Expectation, Statistic};

/// Sparse EM. For models that are no mixtures it is plain EM.
#[derive(Clone, Debug)]
pub struct Sparse<M: LatentModel> {
    least: f64,
    updates: usize,
    /// Since the last search: what it found, the statistics that it froze, updates done, and the parameters that they led to.
    memory: Arc<Plausible>,
    frozen: Option<M::Stats>,
    done: usize,
    left: Vec<f64>,
}

/// A hundredth of a row is plausible; five updates follow a search.
impl<M: LatentModel> Default for Sparse<M> {
    fn default() -> Self {
        Sparse::of(0.01, 5)
    }
}

impl<M: LatentModel> Sparse<M> {
    /// Least responsibility, of some row of a tile, that makes a component plausible there, and the number of updates after each search.
    ///
    /// # Errors
    /// [`Error::Usage`] unless 0 < least < 1 and there is an update.
    pub fn new(least: f64, updates: usize) -> Result<Self> {
        if !(least > 0.0 && least < 1.0 && updates > 0) {
            return Err(Error::Usage(format!(
                "a least responsibility of {least} and {updates} updates: use a number between 0 and 1, and at least one update"
            )));
        }
        Ok(Self::of(least, updates))
    }

    fn of(least: f64, updates: usize) -> Self {
        Sparse { least, updates, memory: Arc::new(Plausible::new(least)), frozen: None, done: 0, left: Vec::new() }
    }

    /// An E-step with the memory; `None` where the model has no use for one.
    fn expect(&self, model: &mut M, engine: &mut dyn Engine<M>, search: bool) -> Result<Option<Expectation<M::Stats>>> {
        self.memory.search(search);
        if !model.remember(Some(self.memory.clone())) {
            return Ok(None);
        }
        let expectation = engine.expect(model, 0..engine.n_chunks(), Posterior::Soft);
        model.remember(None);
        expectation.map(Some)
    }
}

impl<M: LatentModel> Algorithm<M> for Sparse<M> {
    fn step(&mut self, model: &mut M, engine: &mut dyn Engine<M>) -> Result<Step> {
        if self.frozen.is_none() || self.left != model.parameters() {
            *self = Self::of(self.least, self.updates);
        }
        let mut found = None;
        if self.frozen.is_none() || self.done == self.updates {
            let Some(search) = self.expect(model, engine, true)? else {
                return super::Batch(Posterior::Soft).step(model, engine);
            };
            found = Some(search.log_likelihood);
            // The first search sees the rows in their own order, the second in a better one.
            self.done = if self.frozen.is_none() { self.updates - 1 } else { 0 };
            self.frozen = Some(search.stats);
        }
        let Some(mut update) = self.expect(model, engine, false)? else {
            return super::Batch(Posterior::Soft).step(model, engine);
        };
        if let Some(frozen) = &self.frozen {
            update.stats.merge(frozen);
        }
        let objective = found.unwrap_or(update.log_likelihood) + model.log_prior();
        let health = model.m_step(&update.stats)?;
        self.done += 1;
        self.left = model.parameters();
        let remaining = if found.is_some() { Remaining::Unknown } else { Remaining::Incomparable };
        Ok(Step { objective, health, remaining })
    }

    /// What is known of the rows is not kept: a search finds it again.
    fn state(&self) -> Option<Vec<Vec<f64>>> {
        None
    }

    fn restore(&mut self, _model: &M, _state: &[Vec<f64>]) -> bool {
        false
    }
}
