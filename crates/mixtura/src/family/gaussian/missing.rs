//! Missing cells under a full covariance: rows grouped by pattern, and for each pattern the factor of the observed
//! block and the regression of the missing on the observed features.
//!
//! With Σ reordered as (observed, missing) and its Cholesky factor \[L_o 0; L_mo L_m\]: E\[x_m | x_o\] − μ_m =
//! L_mo L_o⁻¹ (x_o − μ_o) and Cov\[x_m | x_o\] = L_m L_mᵀ. Nothing is subtracted, so nothing cancels
//! (the conditional moments of Little & Rubin 2002, §11.2).

use std::collections::HashMap;

use mixtura_kernels::Isa;
use mixtura_kernels::cholesky::{at, packed_len};
use mixtura_kernels::gaussian::Whitening;

use super::Gaussian;
use super::regression::reordered_factor;
use crate::data::Rows;
use crate::stats::Layout;

/// Factors kept per thread and pass; patterns beyond are computed anew each time they occur.
const CACHE_BYTES: usize = 32 << 20;

/// Rows of the current tile that miss the same features.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// Bit j set: feature j is observed.
    mask: Vec<u64>,
    rows: Vec<u16>,
}

/// Groups of the current tile, and the factors of the patterns seen so far.
#[derive(Debug, Default)]
pub(super) struct Patterns {
    pub(super) groups: Vec<Group>,
    cache: HashMap<Vec<u64>, PatternFactors>,
    cached_bytes: usize,
    spare: Option<PatternFactors>,
}

/// What a pattern needs of every covariance block.
#[derive(Debug)]
pub(super) struct PatternFactors {
    pub(super) observed: Vec<usize>,
    missing: Vec<usize>,
    whitening: Vec<Whitening>,
    log: Vec<f64>,
    /// missing × observed, row-major, per block.
    regression: Vec<f64>,
    /// Packed conditional covariance of the missing features, per block.
    conditional: Vec<f64>,
}

/// The factors of one covariance block.
pub(super) struct Block<'a> {
    pub(super) whitening: &'a Whitening,
    pub(super) log: f64,
    regression: &'a [f64],
    conditional: &'a [f64],
}

impl Patterns {
    /// Sorts the rows of a tile into groups, in order of first appearance.
    pub(super) fn group(&mut self, rows: Rows<'_>) {
        self.groups.clear();
        let words = rows.n_features().div_ceil(64);
        let mut index: HashMap<Vec<u64>, usize> = HashMap::new();
        for i in 0..rows.n_rows() {
            let mut mask = vec![0_u64; words];
            for (j, x) in rows.row(i).iter().enumerate() {
                mask[j / 64] |= u64::from(!x.is_nan()) << (j % 64);
            }
            let next = self.groups.len();
            let g = *index.entry(mask).or_insert_with_key(|mask| {
                self.groups.push(Group { mask: mask.clone(), rows: Vec::new() });
                next
            });
            self.groups[g].rows.push(i as u16);
        }
    }

    /// Factors and rows of group `g`.
    pub(super) fn factors(&mut self, g: usize, bank: &Gaussian) -> (&PatternFactors, &[u16]) {
        let Group { mask, rows } = &self.groups[g];
        if !self.cache.contains_key(mask) {
            let made = PatternFactors::new(mask, bank);
            if self.cached_bytes + made.bytes() > CACHE_BYTES {
                return (self.spare.insert(made), rows);
            }
            self.cached_bytes += made.bytes();
            self.cache.insert(mask.clone(), made);
        }
        (&self.cache[mask], rows)
    }
}

impl PatternFactors {
    fn new(mask: &[u64], bank: &Gaussian) -> Self {
        let d = bank.n_features;
        let (observed, missing): (Vec<_>, Vec<_>) = (0..d).partition(|j| mask[j / 64] >> (j % 64) & 1 == 1);
        let (o, m) = (observed.len(), missing.len());
        let order: Vec<usize> = observed.iter().chain(&missing).copied().collect();
        let blocks = bank.structure.n_blocks(bank.n_components);
        let len = Layout::Full.len(d);
        let mut made = PatternFactors {
            observed,
            missing,
            whitening: Vec::with_capacity(blocks),
            log: vec![0.0; blocks],
            regression: vec![0.0; blocks * m * o],
            conditional: vec![0.0; blocks * packed_len(m)],
        };
        let (mut l, mut inverse) = (vec![0.0; len], vec![0.0; len]);
        for b in 0..blocks {
            reordered_factor(bank, b, &order, &mut l, &mut inverse)
                .expect("a reordered covariance stays positive definite");
            // The inverse of a lower triangle has the inverse of its leading block as its own leading block.
            made.whitening.push(Whitening::new(Isa::detect(), &inverse, o));
            made.log[b] = -0.5 * o as f64 * std::f64::consts::TAU.ln() - (0..o).map(|i| l[at(i, i)].ln()).sum::<f64>();
            for i in 0..m {
                for j in 0..o {
                    made.regression[(b * m + i) * o + j] = (j..o).map(|h| l[at(o + i, h)] * inverse[at(h, j)]).sum();
                }
                for j in 0..=i {
                    made.conditional[b * packed_len(m) + at(i, j)] =
                        (0..=j).map(|h| l[at(o + i, o + h)] * l[at(o + j, o + h)]).sum();
                }
            }
        }
        made
    }

    fn bytes(&self) -> usize {
        8 * (self.observed.len()
            + self.missing.len()
            + self.whitening.len() * packed_len(self.observed.len())
            + self.log.len()
            + self.regression.len()
            + self.conditional.len())
    }

    pub(super) fn block(&self, b: usize) -> Block<'_> {
        let (o, m) = (self.observed.len(), self.missing.len());
        Block {
            whitening: &self.whitening[b],
            log: self.log[b],
            regression: &self.regression[b * m * o..][..m * o],
            conditional: &self.conditional[b * packed_len(m)..][..packed_len(m)],
        }
    }

    /// The observed entries of a mean.
    pub(super) fn observe(&self, mean: &[f64], out: &mut Vec<f64>) {
        out.clear();
        out.extend(self.observed.iter().map(|&f| mean[f]));
    }

    /// Centres a tile of the observed features at `mean` (theirs) and puts the missing ones at their conditional mean.
    pub(super) fn complete(&self, isa: Isa, block: &Block<'_>, n: usize, tile: &[f64], mean: &[f64], out: &mut [f64]) {
        let (o, d, rows) = (self.observed.len(), self.observed.len() + self.missing.len(), isa.block());
        for (x, y) in tile.chunks(o.max(1) * rows).zip(out.chunks_mut(d * rows)).take(n.div_ceil(rows)) {
            for (j, &f) in self.observed.iter().enumerate() {
                for (y, x) in y[f * rows..][..rows].iter_mut().zip(&x[j * rows..]) {
                    *y = x - mean[j];
                }
            }
            for (i, &f) in self.missing.iter().enumerate() {
                y[f * rows..][..rows].fill(0.0);
                for (j, &g) in self.observed.iter().enumerate() {
                    let c = block.regression[i * o + j];
                    for t in 0..rows {
                        y[f * rows + t] += c * y[g * rows + t];
                    }
                }
            }
        }
    }

    /// Adds `weight` times the conditional covariance to the packed second moments.
    pub(super) fn add_conditional_covariance(&self, block: &Block<'_>, weight: f64, second: &mut [f64]) {
        for (i, &p) in self.missing.iter().enumerate() {
            for (j, &q) in self.missing[..=i].iter().enumerate() {
                // `missing` is ascending, so p ≥ q.
                second[at(p, q)] += weight * block.conditional[at(i, j)];
            }
        }
    }
}
