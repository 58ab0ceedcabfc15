//! Where E-steps run.

mod threads;

pub use threads::Threads;

use std::ops::Range;

use crate::error::Result;
use crate::model::{LatentModel, Posterior};
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
}
