//! Where E-steps run.

mod threads;

pub use threads::Threads;
pub(crate) use threads::sum_chunks;

use std::ops::Range;

use crate::error::Result;
use crate::model::{Bound, LatentModel, Posterior};
use crate::stats::Expectation;

/// Runs E-steps over chunks and merges their statistics, always in the same order.
pub trait Engine<M: LatentModel> {
    /// Number of chunks.
    fn n_chunks(&self) -> usize;
    /// The merged expectation over a range of chunks at the model's parameters.
    ///
    /// # Errors
    /// If a chunk cannot be read or does not fit the model.
    fn expect(&mut self, model: &M, chunks: Range<usize>, posterior: Posterior) -> Result<Expectation<M::Stats>>;
    /// The lower bound of the model's log-likelihood over all chunks that the posterior of `at` gives, and their divergence;
    /// `None` where model or engine do not say.
    ///
    /// # Errors
    /// If a chunk cannot be read.
    fn bound(&mut self, _model: &M, _at: &M) -> Result<Option<Bound>> {
        Ok(None)
    }
}
