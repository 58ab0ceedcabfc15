//! The E-step of sparse EM over a mixture: tiles update the components that are plausible there, the others stay frozen.
//!
//! Kernels work on tiles, so plausibility is that of a component in a tile: some row gives it at least so much responsibility. In rows in
//! any order nearly every tile would see every component; so those of a chunk are put in the order of their most probable components, as
//! the search before the last found them, which leaves a few plausible components to each tile.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use mixtura_kernels::TILE;
use mixtura_kernels::exp::LOWEST;

use super::{Mixture, MixtureScratch, MixtureStats, tiles};
use crate::data::{Chunk, Rows};
use crate::error::Result;
use crate::family::Emission;
use crate::model::{Weights, most_probable};
use crate::stats::Expectation;

/// What sparse EM knows of each row: 2 × 2 bytes for its place in the order of its chunk and 8 for the sum of its frozen
/// responsibilities; and for every tile of 240 rows a byte per component.
#[derive(Debug)]
pub struct Plausible {
    /// Least responsibility of a plausible component.
    least: f64,
    /// Whether E-steps search, and collect the statistics of what they freeze, or update what is plausible.
    search: AtomicBool,
    /// By the first row of the chunk.
    chunks: Mutex<HashMap<usize, Memo>>,
}

#[derive(Debug)]
struct Memo {
    /// Row of the chunk at each place; and as the last search would have it, for the next one.
    order: Vec<u16>,
    next: Vec<u16>,
    /// Tiles × K.
    plausible: Vec<bool>,
    /// Sum of the frozen responsibilities of the row at each place.
    frozen: Vec<f64>,
}

impl Plausible {
    /// Nothing is known yet; a component is plausible in a tile where some row gives it at least the responsibility `least`.
    pub fn new(least: f64) -> Self {
        Plausible { least, search: AtomicBool::new(true), chunks: Mutex::default() }
    }

    /// From here on E-steps search (`true`) or update (`false`).
    pub(crate) fn search(&self, search: bool) {
        self.search.store(search, Ordering::Relaxed);
    }

    fn take(&self, chunk: Chunk<'_>, k: usize) -> Memo {
        let n = chunk.rows.n_rows();
        let known = self.chunks.lock().unwrap_or_else(PoisonError::into_inner).remove(&chunk.first_row);
        let order: Vec<u16> = (0..n as u16).collect();
        let plausible = vec![true; n.div_ceil(TILE) * k];
        known.unwrap_or_else(|| Memo { next: order.clone(), order, plausible, frozen: vec![0.0; n] })
    }

    fn keep(&self, chunk: Chunk<'_>, memo: Memo) {
        self.chunks.lock().unwrap_or_else(PoisonError::into_inner).insert(chunk.first_row, memo);
    }
}

impl<E: Emission, W: Weights> Mixture<E, W> {
    /// As an E-step. A search adds the true log-likelihood and the statistics of the responsibilities that it freezes; an update those of the
    /// others, and a log-likelihood that leaves the frozen components out.
    pub(super) fn sparse_e_step(
        &self,
        memory: &Plausible,
        chunk: Chunk<'_>,
        scratch: &mut MixtureScratch<E>,
        out: &mut Expectation<MixtureStats<E::Stats>>,
    ) -> Result<()> {
        let (k, d) = (self.weights.n_components(), chunk.rows.n_features());
        let search = memory.search.load(Ordering::Relaxed);
        let mut memo = memory.take(chunk, k);
        if search {
            std::mem::swap(&mut memo.order, &mut memo.next);
        }
        let place = || memo.order.iter().map(|&i| usize::from(i));
        let values: Vec<f64> = place().flat_map(|i| chunk.rows.row(i).iter().copied()).collect();
        let weights: Option<Vec<f64>> = chunk.weights.map(|w| place().map(|i| w[i]).collect());
        let labels: Option<Vec<i32>> = chunk.labels.map(|l| place().map(|i| l[i]).collect());
        let rows = Rows::new(&values, d);
        let sorted = Chunk { rows, weights: weights.as_deref(), labels: labels.as_deref(), ..chunk };
        self.emission.neglect(&mut scratch.emission, None);
        let mut best = vec![0_u16; memo.order.len()];
        let mut row = vec![0.0; k];
        for (tile, (from, to)) in tiles(memo.order.len()).enumerate() {
            let n = to - from;
            let plausible = &mut memo.plausible[tile * k..][..k];
            self.emission.restrict(&mut scratch.emission, (!search).then_some(&*plausible));
            self.log_density(sorted, from, to, scratch);
            if !search {
                (0..k).filter(|c| !plausible[*c]).for_each(|c| scratch.resp[c * TILE..][..n].fill(f64::NEG_INFINITY));
            }
            scratch.know(sorted, from, n, k)?;
            scratch.normalise(n, &self.weights, LOWEST);
            for t in 0..n {
                out.log_likelihood += sorted.weight(from + t) * scratch.log_density[t];
                out.weight += sorted.weight(from + t);
            }
            if search {
                for (c, plausible) in plausible.iter_mut().enumerate() {
                    *plausible = scratch.resp[c * TILE..][..n].iter().any(|r| *r >= memory.least);
                }
            }
            let frozen = &mut memo.frozen[from..to];
            if search {
                frozen.fill(0.0);
                for t in 0..n {
                    (0..k).for_each(|c| row[c] = scratch.resp[c * TILE + t]);
                    best[usize::from(memo.order[from + t])] = most_probable(&row) as u16;
                }
            }
            // A row that no plausible component explains has prior weights, of all components.
            for t in (0..n).filter(|&t| !search && scratch.log_density[t] == f64::NEG_INFINITY) {
                let own = || (0..k).filter(|&c| plausible[c]).map(|c| c * TILE + t);
                let total: f64 = own().map(|i| scratch.resp[i]).sum();
                own().for_each(|i| scratch.resp[i] /= total);
            }
            for c in 0..k {
                let resp = &mut scratch.resp[c * TILE..][..n];
                match (plausible[c], search) {
                    (false, true) => frozen.iter_mut().zip(resp).for_each(|(f, r)| *f += *r),
                    // What is plausible shares what is not frozen.
                    (true, false) => resp.iter_mut().zip(&*frozen).for_each(|(r, f)| *r *= 1.0 - f),
                    _ => resp.fill(0.0),
                }
            }
            scratch.weigh(sorted, from, n, k);
            self.add_tile(sorted, from, to, scratch, &mut out.stats);
        }
        if search {
            memo.next = (0..best.len() as u16).collect();
            memo.next.sort_by_key(|&i| best[usize::from(i)]);
        }
        memory.keep(chunk, memo);
        Ok(())
    }
}
