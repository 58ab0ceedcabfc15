//! Stepwise (online) EM: parameters follow running statistics that every mini-batch moves a little (Cappé & Moulines
//! 2009, J. R. Stat. Soc. B 71; mini-batches and step sizes as in Liang & Klein 2009).
//!
//! With ŝ the statistics of a mini-batch at the current parameters, per unit of weight, one update is
//! s ← (1 − η) s + η ŝ, θ ← M(s), and η_t = (t + 2)^(−α). One iteration is one pass over all rows, so many updates; the
//! first pass starts by summing statistics at the start's parameters until they can carry all components (Cappé &
//! Moulines inhibit the first M-steps for the same reason).
//!
//! A pass has no log-likelihood of its own: each batch is scored by the parameters of its moment. What is reported is the
//! sum of these scores (in the first pass the predictive log-likelihood of Dawid 1984: each batch before it is
//! learned from), marked [`Remaining::Incomparable`], so that neither the stop rule nor the audit for decreases takes it for
//! an objective. Where the parameters moved only after the last batch, the pass was an iteration of plain EM and says so.
//!
//! Statistics are kept per unit of weight, so the M-step must not depend on their scale: a model with a prior would need
//! them times the weight of the data.
//!
//! A batch is some consecutive chunks; the order of batches is drawn anew for every pass, what is in a batch is not. In
//! a file sorted by component every batch sees a few components only: the guarded EM that should follow mends it.

use rand::seq::SliceRandom;

use super::{Algorithm, Remaining, Step};
use crate::data::CHUNK_ROWS;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::family::Health;
use crate::model::{LatentModel, Posterior, Unconstrained};
use crate::seed::Seed;
use crate::stats::{Expectation, Statistic};

/// Default α. Liang & Klein (2009) find 0.5 to 0.7 fast and 1 slow; below 0.5 the iterates do not settle.
pub const ALPHA: f64 = 0.7;
/// Batches per pass, where there are chunks enough: more batches mean more updates, but less for each thread to do.
const BATCHES: usize = 32;
/// Sources of fewer chunks are one batch: the updates would rest on too few rows to be worth their noise.
const FEWEST_CHUNKS: usize = 8;
/// Rows per free parameter that are summed before the first M-step.
const ROWS_PER_PARAMETER: usize = 4;

/// Stepwise EM. One step is one pass over all rows; it never ends by itself.
///
/// ```
/// use mixtura::algorithm::{ALPHA, Algorithm, Stepwise};
/// use mixtura::{GaussianMixture, Seed, data::Dense, engine::Threads};
/// let rows = Dense::new(vec![0.1, -0.2, 0.0, 0.3, 8.1, 7.9, 8.0, 8.2], 1)?;
/// let mut model = GaussianMixture::new(2).fit(&rows)?.model;
/// // Eight rows are one batch, and a pass with one batch is an iteration of plain EM.
/// Stepwise::new(ALPHA, Seed::new(0))?.step(&mut model, &mut Threads::new(&rows))?;
/// # Ok::<(), mixtura::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Stepwise<M: LatentModel> {
    alpha: f64,
    seed: Seed,
    /// Passes begun.
    passes: u64,
    /// Updates since the statistics were last begun anew.
    updates: u32,
    /// Running statistics per unit of weight.
    running: Option<M::Stats>,
    /// The parameters that they led to: others were put in from outside, and the statistics are not theirs.
    left: Vec<f64>,
}

impl<M: LatentModel + Unconstrained> Stepwise<M> {
    /// Step sizes η_t = (t + 2)^(−α); the seed decides the order of batches.
    ///
    /// # Errors
    /// [`Error::Usage`] unless 0.5 < α ≤ 1: other step sizes sum to too little, or their squares to too much.
    pub fn new(alpha: f64, seed: Seed) -> Result<Self> {
        if !(alpha > 0.5 && alpha <= 1.0) {
            return Err(Error::Usage(format!("the step size exponent is {alpha}: use a number above 0.5, at most 1")));
        }
        Ok(Stepwise { alpha, ..Stepwise::usual(seed) })
    }

    /// Step sizes with the default α, [`ALPHA`].
    pub fn usual(seed: Seed) -> Self {
        Stepwise { alpha: ALPHA, seed, passes: 0, updates: 0, running: None, left: Vec::new() }
    }

    /// Moves the running statistics towards those of a batch, by η of the way; `batch` becomes the new ones.
    fn follow(&mut self, mut batch: Expectation<M::Stats>) -> M::Stats {
        batch.stats.scale(1.0 / batch.weight);
        let Some(mut running) = self.running.take() else { return batch.stats };
        let eta = (f64::from(self.updates) + 2.0).powf(-self.alpha);
        self.updates = self.updates.saturating_add(1);
        batch.stats.scale(eta);
        running.scale(1.0 - eta);
        // The batch's pivots are the present means: the old statistics come to them, not the other way round.
        batch.stats.merge(&running);
        batch.stats
    }
}

impl<M: LatentModel + Unconstrained> Algorithm<M> for Stepwise<M> {
    fn step(&mut self, model: &mut M, engine: &mut dyn Engine<M>) -> Result<Step> {
        let n = engine.n_chunks();
        let per_batch = if n < FEWEST_CHUNKS { n } else { n.div_ceil(BATCHES) };
        let mut batches: Vec<usize> = (0..n).step_by(per_batch.max(1)).collect();
        batches.shuffle(&mut self.seed.child(self.passes).rng());
        self.passes += 1;
        if self.running.is_some() && self.left != model.to_vector() {
            (self.running, self.updates) = (None, 0);
        }

        let prior = model.log_prior();
        let enough = ROWS_PER_PARAMETER.saturating_mul(model.n_free_parameters()).div_ceil(CHUNK_ROWS);
        let last = batches.len().saturating_sub(1);
        let (mut score, mut health) = (0.0, Health::new());
        let mut gathered: Option<(Expectation<M::Stats>, usize)> = None;
        let mut moved_early = false;
        for (i, first) in batches.into_iter().enumerate() {
            let chunks = first..(first + per_batch).min(n);
            let read = chunks.len();
            let batch = engine.expect(model, chunks, Posterior::Soft)?;
            score += batch.log_likelihood;
            let (batch, chunks) = match gathered.take() {
                None => (batch, read),
                Some((mut sum, before)) => {
                    sum.merge(&batch);
                    (sum, before + read)
                }
            };
            if self.running.is_none() && chunks < enough && i < last {
                gathered = Some((batch, chunks));
                continue;
            }
            // One batch is all rows: its statistics need no memory.
            if last == 0 {
                self.running = None;
            }
            let stats = self.follow(batch);
            health = model.m_step(&stats)?;
            self.running = Some(stats);
            moved_early |= i < last;
        }
        self.left = model.to_vector();
        let remaining = if moved_early { Remaining::Incomparable } else { Remaining::FromIncrements };
        Ok(Step { objective: score + prior, health, remaining })
    }

    /// Running statistics are not kept: a few passes are soon done again.
    fn state(&self) -> Option<Vec<Vec<f64>>> {
        None
    }

    fn restore(&mut self, _model: &M, _state: &[Vec<f64>]) -> bool {
        false
    }
}
