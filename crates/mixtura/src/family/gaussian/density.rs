//! The E-step of a tile: log-densities, then moments from responsibilities.
//!
//! Full layout: rows are grouped by missing pattern; a group sees only its observed features. Diagonal layout: missing
//! cells are skipped cell by cell inside the kernels.

use mixtura_kernels::cholesky::packed_len;
use mixtura_kernels::gaussian::{self as kernel, work_len};
use mixtura_kernels::moments::{self, Strided};
use mixtura_kernels::softmax::thresholds as thresholds_after;
use mixtura_kernels::{Aligned, Isa, TILE, features, tile};

use super::Gaussian;
use super::missing::{Block, Patterns};
use crate::data::Rows;
use crate::stats::{Layout, Moments};

/// Per-thread memory of a Gaussian E-step at fixed parameters.
#[derive(Debug)]
pub struct Scratch {
    isa: Isa,
    /// The rows of the current group, observed features only.
    tile: Aligned,
    /// A tile of whitened rows, or of a group with missing cells completed at a component's mean; the latter one after the other.
    completed: Aligned,
    rows: Vec<f64>,
    /// Means of the observed features; a vector of zeros; the pivot of completed rows, less the mean.
    mean: Vec<f64>,
    origin: Vec<f64>,
    pivot: Vec<f64>,
    work: Aligned,
    moments: moments::Work,
    line: Aligned,
    resp: Vec<f64>,
    patterns: Patterns,
    /// Whether the tile has a missing cell.
    missing: bool,
    /// Whether every row of the tile is near enough to 0 for quadratic features; their memory, and the components that use them.
    features: bool,
    products: Aligned,
    dense: Vec<u16>,
    /// What may be left out ([`Emission::neglect`](crate::family::Emission::neglect)): log-weights (none: nothing) and how far below.
    log_weights: Vec<f64>,
    lowest: f64,
    /// The components that count ([`Emission::restrict`](crate::family::Emission::restrict)); none: all.
    marked: Vec<bool>,
    /// Each row's largest joint density so far, and what the next component must reach.
    largest: Aligned,
    thresholds: Aligned,
}

impl Scratch {
    pub(super) fn new(bank: &Gaussian) -> Self {
        let d = bank.n_features;
        Scratch {
            isa: Isa::detect(),
            tile: Aligned::zeros(tile::len(d)),
            completed: Aligned::default(),
            rows: Vec::new(),
            mean: Vec::new(),
            origin: vec![0.0; d],
            pivot: vec![0.0; d],
            work: Aligned::zeros(work_len(d)),
            moments: moments::Work::new(d),
            line: Aligned::zeros(TILE),
            resp: vec![0.0; TILE],
            patterns: Patterns::default(),
            missing: false,
            features: false,
            products: bank
                .factors
                .features
                .as_ref()
                .map_or_else(Aligned::default, |_| Aligned::zeros(features::work_len(d))),
            dense: Vec::with_capacity(bank.n_components),
            log_weights: Vec::new(),
            lowest: 0.0,
            marked: Vec::new(),
            largest: Aligned::zeros(TILE),
            thresholds: Aligned::zeros(TILE),
        }
    }

    pub(super) fn neglect(&mut self, log_weights_and_lowest: Option<(&[f64], f64)>) {
        let (log_weights, lowest) = log_weights_and_lowest.unwrap_or_default();
        self.log_weights.clear();
        self.log_weights.extend_from_slice(log_weights);
        self.lowest = lowest;
    }

    pub(super) fn restrict(&mut self, marked: Option<&[bool]>) {
        self.marked.clear();
        self.marked.extend_from_slice(marked.unwrap_or_default());
    }

    /// Room for whitened or completed rows, once there are some.
    fn make_room(&mut self, d: usize) {
        if self.rows.is_empty() {
            self.completed = Aligned::zeros(tile::len(d));
            self.rows = vec![0.0; tile::len(d)];
        }
    }
}

/// Adds weighted rows to the moments about `pivot`: from the tile where they have a few features, else from the rows.
macro_rules! add_moments {
    ($s:ident, $tile:ident, $rows:expr, $weights:expr, $pivot:expr, $first:expr, $second:expr) => {
        if moments::is_small($s.isa, $pivot.len()) {
            moments::small($s.isa, &$s.$tile, $weights, $pivot, $first, $second)
        } else {
            moments::full($s.isa, $rows, $weights, $pivot, &mut $s.moments, $first, $second)
        }
    };
}

pub(super) fn log_density(bank: &Gaussian, rows: Rows<'_>, s: &mut Scratch, out: &mut [f64]) {
    debug_assert!(rows.n_rows() <= TILE && rows.n_features() == bank.n_features);
    let (d, n, cells) = (bank.n_features, rows.n_rows(), strided(rows));
    tile::load(s.isa, cells, n, d, &mut s.tile);
    s.missing = tile::any_nan(s.isa, &s.tile[..n.next_multiple_of(s.isa.block()) * d]);
    if bank.structure.layout() == Layout::Diagonal {
        for k in 0..bank.n_components {
            if !counts(&s.marked, k) {
                continue;
            }
            let block = bank.structure.block_of(k) * d;
            let (inverse, log) = (&bank.factors.inverse[block..][..d], &bank.factors.log[block..][..d]);
            let out = &mut out[k * TILE..][..TILE];
            kernel::diagonal(s.isa, &s.tile, n, bank.mean(k), inverse, log, s.missing, out);
        }
        return;
    }
    if !s.missing {
        let features = bank.factors.features.as_ref();
        s.features = features.is_some_and(|f| features::within(s.isa, &s.tile, n, d, f.limit));
        if let Some(polynomials) = features.and_then(|f| f.polynomials.as_ref())
            && s.features
            // All at once, they are worth it unless most components do not count.
            && 2 * s.marked.iter().filter(|m| !**m).count() <= bank.n_components
        {
            features::log_densities(s.isa, &s.tile, n, polynomials, out);
            return;
        }
        if let Some(shared) = &bank.factors.shared {
            s.make_room(d);
            kernel::whiten(
                s.isa,
                &s.tile,
                n,
                &shared.center,
                &bank.factors.whitening[0],
                &mut s.work,
                &mut s.completed,
            );
            for k in 0..bank.n_components {
                if !counts(&s.marked, k) {
                    continue;
                }
                let out = &mut out[k * TILE..][..TILE];
                kernel::diagonal(s.isa, &s.completed, n, shared.mean(k), &shared.unit, &shared.log, false, out);
            }
            return;
        }
        let neglect = !s.log_weights.is_empty() && s.marked.is_empty() && !kernel::is_small(s.isa, d);
        s.largest[..n].fill(f64::NEG_INFINITY);
        s.largest[n..].fill(f64::INFINITY);
        for k in 0..bank.n_components {
            if !counts(&s.marked, k) {
                continue;
            }
            let block = bank.structure.block_of(k);
            let (whitening, peak) = (&bank.factors.whitening[block], bank.factors.log[block]);
            let out = &mut out[k * TILE..][..TILE];
            let thresholds = (neglect && k > 0).then_some(&s.thresholds[..]);
            kernel::full(s.isa, &s.tile, n, bank.mean(k), whitening, peak, thresholds, &mut s.work, out);
            if neglect && k + 1 < bank.n_components {
                let (own, below) = (s.log_weights[k], s.lowest - s.log_weights[k + 1]);
                thresholds_after(s.isa, out, own, below, &mut s.largest, &mut s.thresholds);
            }
        }
        return;
    }
    s.patterns.group(rows);
    for g in 0..s.patterns.groups.len() {
        let (factors, order) = s.patterns.factors(g, bank);
        tile::gather(s.isa, cells, order, &factors.observed, &mut s.tile);
        for k in 0..bank.n_components {
            if !counts(&s.marked, k) {
                continue;
            }
            let Block { whitening, log, .. } = factors.block(bank.structure.block_of(k));
            factors.observe(bank.mean(k), &mut s.mean);
            kernel::full(s.isa, &s.tile, order.len(), &s.mean, whitening, log, None, &mut s.work, &mut s.line);
            for (&i, log) in order.iter().zip(s.line.iter()) {
                out[k * TILE + usize::from(i)] = *log;
            }
        }
    }
}

/// Whether the log-densities of component `k` are wanted.
fn counts(marked: &[bool], k: usize) -> bool {
    marked.is_empty() || marked[k]
}

fn strided(rows: Rows<'_>) -> Strided<'_> {
    Strided { values: rows.values(), stride: rows.stride() }
}

pub(super) fn accumulate(bank: &Gaussian, rows: Rows<'_>, resp: &[f64], s: &mut Scratch, stats: &mut Moments) {
    let (d, n, cells) = (bank.n_features, rows.n_rows(), strided(rows));
    if bank.structure.layout() == Layout::Diagonal {
        for k in 0..bank.n_components {
            let weights = &resp[k * TILE..][..n];
            let variance = &bank.covariances[bank.structure.block_of(k) * d..][..d];
            let (first, second) = stats.component_mut(k);
            stats.weight[k] += moments::diagonal(
                s.isa,
                cells,
                weights,
                bank.mean(k),
                variance,
                s.missing,
                &mut s.moments,
                first,
                second,
            );
        }
        return;
    }
    let about_0 = bank.factors.features.is_some();
    if !s.missing {
        s.dense.clear();
        for k in 0..bank.n_components {
            let weights = &resp[k * TILE..][..n];
            if s.features {
                let (weight, rows) = moments::sum_and_count(s.isa, weights);
                // Rows without responsibility cost the other kernel nothing.
                if 2 * rows >= n {
                    stats.weight[k] += weight;
                    s.dense.push(k as u16);
                    continue;
                }
            }
            let (first, second) = stats.component_mut(k);
            let pivot = if about_0 { &s.origin } else { bank.mean(k) };
            stats.weight[k] += add_moments!(s, tile, cells, weights, pivot, first, second);
        }
        let Scratch { isa, tile, dense, products, .. } = s;
        if !dense.is_empty() {
            features::moments(*isa, tile, n, d, resp, dense, products, &mut stats.first, &mut stats.second);
        }
        return;
    }
    s.make_room(d);
    for g in 0..s.patterns.groups.len() {
        let (factors, order) = s.patterns.factors(g, bank);
        let n = order.len();
        tile::gather(s.isa, cells, order, &factors.observed, &mut s.tile);
        for k in 0..bank.n_components {
            for (r, &i) in s.resp.iter_mut().zip(order) {
                *r = resp[k * TILE + usize::from(i)];
            }
            if s.resp[..n].iter().all(|r| *r == 0.0) {
                continue;
            }
            let block = factors.block(bank.structure.block_of(k));
            factors.observe(bank.mean(k), &mut s.mean);
            factors.complete(s.isa, &block, n, &s.tile, &s.mean, &mut s.completed);
            tile::unload(s.isa, &s.completed, n, d, &mut s.rows);
            let cells = Strided { values: &s.rows, stride: d };
            if about_0 {
                s.pivot.iter_mut().zip(bank.mean(k)).for_each(|(p, m)| *p = -m);
            }
            let (first, second) = stats.component_mut(k);
            let weight = add_moments!(s, completed, cells, &s.resp[..n], &s.pivot, first, second);
            factors.add_conditional_covariance(&block, weight, second);
            stats.weight[k] += weight;
        }
    }
}

impl Gaussian {
    /// Replaces the missing cells of rows (row-major) by their conditional means under component `k`. Full layout.
    pub(crate) fn complete_rows(&self, k: usize, values: &mut [f64]) {
        let d = self.n_features;
        let mut s = Scratch::new(self);
        s.make_room(d);
        for cells in values.chunks_mut(d * TILE) {
            s.patterns.group(Rows::new(cells, d));
            for g in 0..s.patterns.groups.len() {
                let (factors, order) = s.patterns.factors(g, self);
                let rows = Strided { values: cells, stride: d };
                tile::gather(s.isa, rows, order, &factors.observed, &mut s.tile);
                factors.observe(self.mean(k), &mut s.mean);
                let block = factors.block(self.structure.block_of(k));
                factors.complete(s.isa, &block, order.len(), &s.tile, &s.mean, &mut s.completed);
                tile::unload(s.isa, &s.completed, order.len(), d, &mut s.rows);
                for (t, &i) in order.iter().enumerate() {
                    for (j, x) in cells[usize::from(i) * d..][..d].iter_mut().enumerate() {
                        if x.is_nan() {
                            *x = s.rows[t * d + j] + self.mean(k)[j];
                        }
                    }
                }
            }
        }
    }

    /// L⁻¹ of component `k`, packed: it maps centred rows to independent ones of variance 1. Full layout.
    pub(crate) fn whitening(&self, k: usize) -> &[f64] {
        let len = packed_len(self.n_features);
        &self.factors.inverse[self.structure.block_of(k) * len..][..len]
    }
}
