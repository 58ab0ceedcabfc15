//! The threads of this process: chunks in at most [`LEAVES`] consecutive runs, merged in a fixed binary tree.
//!
//! Both the runs and the tree depend on the number of chunks only, so any number of threads gives the same bits.

use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Mutex;

use super::Engine;
use crate::data::{Buffer, Chunk, Source, map_chunks};
use crate::error::Result;
use crate::model::{Bound, LatentModel, Posterior};
use crate::stats::{Expectation, Statistic};

/// Most runs of chunks that are summed one after the other: enough for 64 cores with some slack in balance.
const LEAVES: usize = 128;

/// E-steps on rayon's current thread pool.
pub struct Threads<'a, M: LatentModel> {
    source: &'a dyn Source,
    /// One per thread that ever worked; reused by later passes.
    buffers: Mutex<Vec<Buffer>>,
    model: PhantomData<fn(M)>,
}

/// One E-step over all chunks.
struct Pass<'m, M: LatentModel> {
    model: &'m M,
    posterior: Posterior,
    /// One per thread that has worked in this pass.
    scratch: Mutex<Vec<M::Scratch>>,
}

impl<'a, M: LatentModel> Threads<'a, M> {
    /// An engine over the chunks of a source.
    pub fn new(source: &'a dyn Source) -> Self {
        Threads { source, buffers: Mutex::default(), model: PhantomData }
    }

    fn leaf(&self, pass: &Pass<'_, M>, chunks: Range<usize>) -> Result<Expectation<M::Stats>> {
        let mut out = Expectation::new(pass.model.empty_stats());
        let spare = pass.scratch.lock().expect("no panic while held").pop();
        let mut scratch = spare.unwrap_or_else(|| pass.model.scratch());
        let mut buffer = self.buffers.lock().expect("no panic while held").pop().unwrap_or_default();
        let result = chunks.into_iter().try_for_each(|id| {
            let chunk = self.source.read(id, &mut buffer)?;
            pass.model.e_step(chunk, pass.posterior, &mut scratch, &mut out)
        });
        self.buffers.lock().expect("no panic while held").push(buffer);
        pass.scratch.lock().expect("no panic while held").push(scratch);
        result.map(|()| out)
    }
}

/// Sums over runs of `leaf` chunks, merged in a tree that depends on their number only.
fn tree<T: Statistic>(
    chunks: Range<usize>,
    leaf: usize,
    sum: &(impl Fn(Range<usize>) -> Result<T> + Sync),
) -> Result<T> {
    if chunks.len() <= leaf {
        return sum(chunks);
    }
    let runs = chunks.len().div_ceil(leaf);
    let middle = chunks.start + runs.div_ceil(2) * leaf;
    let (left, right) = rayon::join(|| tree(chunks.start..middle, leaf, sum), || tree(middle..chunks.end, leaf, sum));
    let (mut left, right) = (left?, right?);
    left.merge(&right);
    Ok(left)
}

/// What `add` sums over all chunks from `zero`, in the same order as E-steps.
pub(crate) fn sum_chunks<T: Statistic>(
    source: &dyn Source,
    zero: &T,
    add: impl Fn(Chunk<'_>, &mut T) -> Result<()> + Sync,
) -> Result<T> {
    let sum = |chunks: Range<usize>| {
        let (mut out, mut buffer) = (zero.clone(), Buffer::default());
        chunks.into_iter().try_for_each(|id| add(source.read(id, &mut buffer)?, &mut out))?;
        Ok(out)
    };
    let n = source.n_chunks();
    tree(0..n, n.div_ceil(LEAVES).max(1), &sum)
}

impl<M: LatentModel> Engine<M> for Threads<'_, M> {
    fn n_chunks(&self) -> usize {
        self.source.n_chunks()
    }

    fn expect(&mut self, model: &M, chunks: Range<usize>, posterior: Posterior) -> Result<Expectation<M::Stats>> {
        let leaf = chunks.len().div_ceil(LEAVES).max(1);
        let pass = Pass { model, posterior, scratch: Mutex::default() };
        tree(chunks, leaf, &|run| self.leaf(&pass, run))
    }

    fn bound(&mut self, model: &M, at: &M) -> Result<Option<Bound>> {
        let parts = map_chunks(self.source, |chunk| model.bound(at, chunk))?;
        Ok(parts.into_iter().sum())
    }
}
