//! Incremental EM (Neal & Hinton 1998, in Learning in Graphical Models, §3): one block of rows gets a partial E-step, then an
//! M-step follows from the statistics of all blocks, its own new and the others' as they were left.
//!
//! With P̃ the posteriors in use and θ the parameters, every partial E-step maximises F(P̃, θ) = E\[log p(x, z | θ)\] + H(P̃) over the
//! block's part of P̃ and every M-step over θ (their eqs 7 and 8): F never falls, and a maximum of F is one of the log-likelihood.
//!
//! Statistics of blocks are the leaves of a binary tree whose nodes are merged from their two children. A block that
//! changes renews the log₂ nodes above it; nothing is ever subtracted, so no rounding builds up over passes. Memory: 2 B − 1
//! statistics for B ≤ 32 blocks, as much as two E-steps of [`crate::engine::Threads`] need on 16 threads.
//!
//! The first pass is one of batch EM over the blocks, which fills the tree. Neal & Hinton's F starts there; M-steps from part of
//! the rows would leave posteriors of worse parameters behind for a whole pass.
//!
//! A later pass has no log-likelihood of its own: each block is scored by the parameters of its moment. What is reported is the sum
//! of these scores, marked [`Remaining::Incomparable`], unless the parameters stayed the same up to the last block.
//!
//! Blocks are consecutive chunks, the same in every pass; their order is drawn anew. Statistics in use are then 7/12 of a pass old on average,
//! where EM's are a whole one: near an optimum that is 12/7 times fewer passes (in one fixed order 2 times, as Gauss–Seidel's iteration has
//! the square of Jacobi's rate, but then the order of the rows has a say in where a run ends).

use rand::seq::SliceRandom;

use super::stepwise::chunks_per_batch;
use super::{Algorithm, Remaining, Step};
use crate::engine::Engine;
use crate::error::Result;
use crate::family::Health;
use crate::model::{LatentModel, Posterior};
use crate::seed::Seed;
use crate::stats::Statistic;

/// Incremental EM. One step is one pass over all rows with one M-step per block; a source of fewer than 8 chunks is one block,
/// for which that is plain EM.
///
/// ```
/// use mixtura::algorithm::{Algorithm, Incremental};
/// use mixtura::{GaussianMixture, Seed, data::Dense, engine::Threads};
/// let rows = Dense::new(vec![0.1, -0.2, 0.0, 0.3, 8.1, 7.9, 8.0, 8.2], 1)?;
/// let mut model = GaussianMixture::new(2).fit(&rows)?.model;
/// Incremental::new(Seed::new(0)).step(&mut model, &mut Threads::new(&rows))?;
/// # Ok::<(), mixtura::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Incremental<M: LatentModel> {
    seed: Seed,
    /// Passes begun.
    passes: u64,
    tree: Tree<M::Stats>,
    /// The parameters that the tree led to: others were put in from outside, and the statistics are not theirs.
    left: Vec<f64>,
}

impl<M: LatentModel> Incremental<M> {
    /// No block has statistics yet; the seed decides the order of blocks.
    pub fn new(seed: Seed) -> Self {
        Incremental { seed, passes: 0, tree: Tree(Vec::new()), left: Vec::new() }
    }
}

impl<M: LatentModel> Algorithm<M> for Incremental<M> {
    fn step(&mut self, model: &mut M, engine: &mut dyn Engine<M>) -> Result<Step> {
        let n = engine.n_chunks();
        let per_block = chunks_per_batch(n);
        let before = model.parameters();
        let objective = |score: f64, model: &M| score + model.log_prior();
        if n <= per_block {
            let all = engine.expect(model, 0..n, Posterior::Soft)?;
            let objective = objective(all.log_likelihood, model);
            let health = model.m_step(&all.stats)?;
            return Ok(Step { objective, health, remaining: Remaining::FromIncrements });
        }
        let mut score = 0.0;
        let blocks = || (0..n).step_by(per_block).map(|first| first..(first + per_block).min(n));
        if self.tree.0.is_empty() || self.left != before {
            let mut leaves = Vec::new();
            for chunks in blocks() {
                let block = engine.expect(model, chunks, Posterior::Soft)?;
                score += block.log_likelihood;
                leaves.push(block.stats);
            }
            self.tree = Tree::new(leaves);
            let objective = objective(score, model);
            let health = model.m_step(self.tree.root())?;
            self.left = model.parameters();
            return Ok(Step { objective, health, remaining: Remaining::FromIncrements });
        }
        let mut order: Vec<_> = blocks().enumerate().collect();
        order.shuffle(&mut self.seed.child(self.passes).rng());
        self.passes += 1;
        let prior = model.log_prior();
        let (mut health, mut moved, last) = (Health::new(), false, order.len() - 1);
        for (i, (leaf, chunks)) in order.into_iter().enumerate() {
            let block = engine.expect(model, chunks, Posterior::Soft)?;
            score += block.log_likelihood;
            self.tree.replace(leaf, block.stats);
            health = model.m_step(self.tree.root())?;
            self.left = model.parameters();
            moved |= i < last && self.left != before;
        }
        let remaining = if moved { Remaining::Incomparable } else { Remaining::FromIncrements };
        Ok(Step { objective: score + prior, health, remaining })
    }

    /// Statistics are not kept: a pass makes them again.
    fn state(&self) -> Option<Vec<Vec<f64>>> {
        None
    }

    fn restore(&mut self, _model: &M, _state: &[Vec<f64>]) -> bool {
        false
    }
}

/// A binary tree in one list: node i is merged from nodes 2i + 1 and 2i + 2, the last B nodes are the leaves.
#[derive(Clone, Debug)]
struct Tree<S>(Vec<S>);

impl<S: Statistic> Tree<S> {
    /// A tree over at least one leaf.
    fn new(leaves: Vec<S>) -> Self {
        let inner = leaves.len() - 1;
        let mut nodes = vec![leaves[0].clone(); inner];
        nodes.extend(leaves);
        let mut tree = Tree(nodes);
        (0..inner).rev().for_each(|node| tree.renew(node));
        tree
    }

    fn root(&self) -> &S {
        &self.0[0]
    }

    fn renew(&mut self, node: usize) {
        let (upper, lower) = self.0.split_at_mut(2 * node + 1);
        upper[node].clone_from(&lower[0]);
        upper[node].merge(&lower[1]);
    }

    fn replace(&mut self, leaf: usize, stats: S) {
        let mut node = self.0.len() / 2 + leaf;
        self.0[node] = stats;
        while node > 0 {
            node = (node - 1) / 2;
            self.renew(node);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Counts;

    #[test]
    fn the_root_is_the_sum_of_the_leaves() {
        // Powers of two: every subset has a sum of its own, and all sums are exact.
        for n in 1..40 {
            let power = |i: usize| 2.0_f64.powi(i as i32);
            let mut tree = Tree::new((0..n).map(|i| Counts(vec![power(i)])).collect());
            let mut total = power(n) - 1.0;
            assert_eq!(tree.root().0, [total]);
            for leaf in (0..n).rev().chain([0, n / 2]) {
                let before = tree.0[tree.0.len() / 2 + leaf].0[0];
                tree.replace(leaf, Counts(vec![before + 0.5]));
                total += 0.5;
                assert_eq!(tree.root().0, [total], "{n} leaves, leaf {leaf}");
            }
            assert_eq!(tree.0.len(), 2 * n - 1);
        }
    }
}
