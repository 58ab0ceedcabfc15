//! The E-step of a tile: log-densities, then moments from responsibilities, both on a feature-major copy of the tile.
//!
//! Full layout: rows are grouped by missing pattern; a group sees only its observed features. Diagonal layout: missing
//! cells are skipped cell by cell inside the kernels.

use mixtura_kernels::{Isa, TILE, cholesky::packed_len, gaussian as kernel, moments};

use super::Gaussian;
use super::missing::{PatternFactors, Patterns};
use crate::data::Rows;
use crate::stats::{Layout, Moments};

/// Per-thread memory of a Gaussian E-step at fixed parameters.
#[derive(Debug)]
pub struct Scratch {
    isa: Isa,
    /// The gathered rows of the current group, observed features × TILE.
    tile: Vec<f64>,
    /// The same, centred at a component, all features × TILE.
    centered: Vec<f64>,
    /// Centred observed features of a group with missing cells.
    observed: Vec<f64>,
    weighted: Vec<f64>,
    line: Vec<f64>,
    resp: Vec<f64>,
    patterns: Patterns,
}

impl Scratch {
    pub(super) fn new(bank: &Gaussian) -> Self {
        let cells = bank.n_features * TILE;
        let full = if bank.structure.layout() == Layout::Full { cells } else { 0 };
        Scratch {
            isa: Isa::detect(),
            tile: vec![0.0; cells],
            centered: vec![0.0; full],
            observed: Vec::new(),
            weighted: vec![0.0; full],
            line: vec![0.0; TILE],
            resp: vec![0.0; TILE],
            patterns: Patterns::default(),
        }
    }
}

/// Copies the given rows and features into `tile`, feature-major, with zeros behind the last row.
fn gather(rows: Rows<'_>, order: &[u16], features: &[usize], tile: &mut [f64]) {
    for (t, &i) in order.iter().enumerate() {
        let row = rows.row(usize::from(i));
        for (j, &f) in features.iter().enumerate() {
            tile[j * TILE + t] = row[f];
        }
    }
    clear_padding(order.len(), features.len(), tile);
}

fn clear_padding(n: usize, n_features: usize, tile: &mut [f64]) {
    let end = n.next_multiple_of(16).min(TILE);
    for j in 0..n_features {
        tile[j * TILE + n..j * TILE + end].fill(0.0);
    }
}

pub(super) fn log_density(bank: &Gaussian, rows: Rows<'_>, s: &mut Scratch, out: &mut [f64]) {
    debug_assert!(rows.n_rows() <= TILE && rows.n_features() == bank.n_features);
    let (d, n) = (bank.n_features, rows.n_rows());
    if bank.structure.layout() == Layout::Diagonal {
        for t in 0..n {
            for (j, &x) in rows.row(t).iter().enumerate() {
                s.tile[j * TILE + t] = x;
            }
        }
        clear_padding(n, d, &mut s.tile);
        for k in 0..bank.n_components {
            let block = bank.structure.block_of(k) * d;
            kernel::diagonal(
                s.isa,
                &s.tile,
                n,
                bank.mean(k),
                &bank.factors.inverse[block..][..d],
                &bank.factors.log[block..][..d],
                &mut s.line,
            );
            for (o, q) in out[k * TILE..][..n].iter_mut().zip(&s.line) {
                *o = -0.5 * q;
            }
        }
        return;
    }
    s.patterns.group(rows);
    if s.patterns.groups.is_empty() {
        for t in 0..n {
            for (j, &x) in rows.row(t).iter().enumerate() {
                s.tile[j * TILE + t] = x;
            }
        }
        clear_padding(n, d, &mut s.tile);
        for k in 0..bank.n_components {
            let block = bank.structure.block_of(k);
            kernel::center(s.isa, &s.tile, n, bank.mean(k), &mut s.centered);
            let inverse = &bank.factors.inverse[block * packed_len(d)..][..packed_len(d)];
            kernel::mahalanobis(s.isa, &s.centered, n, d, inverse, &mut s.line);
            for (o, q) in out[k * TILE..][..n].iter_mut().zip(&s.line) {
                *o = bank.factors.log[block] - 0.5 * q;
            }
        }
        return;
    }
    for g in 0..s.patterns.groups.len() {
        let (factors, order) = s.patterns.factors(g, bank);
        let (o, n) = (factors.observed.len(), order.len());
        gather(rows, order, &factors.observed, &mut s.tile);
        s.observed.resize(d * TILE, 0.0);
        for k in 0..bank.n_components {
            let block = factors.block(bank.structure.block_of(k));
            center_observed(s.isa, &s.tile, n, bank.mean(k), factors, &mut s.line, &mut s.observed);
            kernel::mahalanobis(s.isa, &s.observed, n, o, block.inverse, &mut s.line);
            for (&i, q) in order.iter().zip(&s.line) {
                out[k * TILE + usize::from(i)] = block.log - 0.5 * q;
            }
        }
    }
}

fn center_observed(
    isa: Isa,
    tile: &[f64],
    n: usize,
    mean: &[f64],
    factors: &PatternFactors,
    line: &mut [f64],
    out: &mut [f64],
) {
    for (m, &f) in line.iter_mut().zip(&factors.observed) {
        *m = mean[f];
    }
    // A mean has at most as many entries as a line where D ≤ TILE; wider rows centre feature by feature.
    if factors.observed.len() <= line.len() {
        kernel::center(isa, tile, n, &line[..factors.observed.len()], out);
    } else {
        for (j, &f) in factors.observed.iter().enumerate() {
            kernel::center(isa, &tile[j * TILE..], n, &mean[f..=f], &mut out[j * TILE..]);
        }
    }
}

pub(super) fn accumulate(bank: &Gaussian, rows: Rows<'_>, resp: &[f64], s: &mut Scratch, stats: &mut Moments) {
    let (d, n) = (bank.n_features, rows.n_rows());
    for k in 0..bank.n_components {
        stats.weight[k] += resp[k * TILE..][..n].iter().sum::<f64>();
    }
    if bank.structure.layout() == Layout::Diagonal {
        for k in 0..bank.n_components {
            s.load_resp(resp, k, n);
            let block = bank.structure.block_of(k) * d;
            let (first, second) = stats.component_mut(k);
            moments::diagonal(s.isa, &s.tile, &s.resp, n, bank.mean(k), &bank.covariances[block..][..d], first, second);
        }
        return;
    }
    if s.patterns.groups.is_empty() {
        for k in 0..bank.n_components {
            s.load_resp(resp, k, n);
            kernel::center(s.isa, &s.tile, n, bank.mean(k), &mut s.centered);
            let (first, second) = stats.component_mut(k);
            moments::full(s.isa, &s.centered, &s.resp, n, d, &mut s.weighted, first, second);
        }
        return;
    }
    for g in 0..s.patterns.groups.len() {
        let (factors, order) = s.patterns.factors(g, bank);
        let n = order.len();
        gather(rows, order, &factors.observed, &mut s.tile);
        for k in 0..bank.n_components {
            let mut total = 0.0;
            s.resp[..n.next_multiple_of(16).min(TILE)].fill(0.0);
            for (r, &i) in s.resp.iter_mut().zip(order) {
                *r = resp[k * TILE + usize::from(i)];
                total += *r;
            }
            if total == 0.0 {
                continue;
            }
            let block = factors.block(bank.structure.block_of(k));
            center_observed(s.isa, &s.tile, n, bank.mean(k), factors, &mut s.line, &mut s.observed);
            factors.complete(&block, n, &s.observed, &mut s.centered);
            let (first, second) = stats.component_mut(k);
            moments::full(s.isa, &s.centered, &s.resp, n, d, &mut s.weighted, first, second);
            factors.add_conditional_covariance(&block, total, second);
        }
    }
}

impl Scratch {
    /// Responsibilities of component `k` with zeros in the padding lanes.
    fn load_resp(&mut self, resp: &[f64], k: usize, n: usize) {
        self.resp[..n].copy_from_slice(&resp[k * TILE..][..n]);
        self.resp[n..n.next_multiple_of(16).min(TILE)].fill(0.0);
    }
}

impl Gaussian {
    /// Replaces the missing cells of rows (row-major) by their conditional means under component `k`. Full layout.
    pub(crate) fn complete_rows(&self, k: usize, values: &mut [f64]) {
        let d = self.n_features;
        let mut s = Scratch::new(self);
        s.observed.resize(d * TILE, 0.0);
        for tile in values.chunks_mut(d * TILE) {
            s.patterns.group(Rows::new(tile, d));
            for g in 0..s.patterns.groups.len() {
                let (factors, order) = s.patterns.factors(g, self);
                gather(Rows::new(tile, d), order, &factors.observed, &mut s.tile);
                center_observed(s.isa, &s.tile, order.len(), self.mean(k), factors, &mut s.line, &mut s.observed);
                factors.complete(&factors.block(self.structure.block_of(k)), order.len(), &s.observed, &mut s.centered);
                for (t, &i) in order.iter().enumerate() {
                    for (j, x) in tile[usize::from(i) * d..][..d].iter_mut().enumerate() {
                        if x.is_nan() {
                            *x = s.centered[j * TILE + t] + self.mean(k)[j];
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
