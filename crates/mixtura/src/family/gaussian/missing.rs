//! Missing cells under a full covariance: rows grouped by pattern, and for each pattern the factor of the observed
//! block and the regression of the missing on the observed features.
//!
//! With Σ reordered as (observed, missing) and its Cholesky factor \[L_o 0; L_mo L_m\]: E\[x_m | x_o\] − μ_m =
//! L_mo L_o⁻¹ (x_o − μ_o) and Cov\[x_m | x_o\] = L_m L_mᵀ. Nothing is subtracted, so nothing cancels
//! (the conditional moments of Little & Rubin 2002, §11.2).

use std::collections::HashMap;

use mixtura_kernels::TILE;
use mixtura_kernels::cholesky::{at, packed_len};

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
    /// Empty where every row of the tile is complete.
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
    inverse: Vec<f64>,
    log: Vec<f64>,
    /// missing × observed, row-major, per block.
    regression: Vec<f64>,
    /// Packed conditional covariance of the missing features, per block.
    conditional: Vec<f64>,
}

/// The factors of one covariance block.
pub(super) struct Block<'a> {
    pub(super) inverse: &'a [f64],
    pub(super) log: f64,
    regression: &'a [f64],
    conditional: &'a [f64],
}

impl Patterns {
    /// Sorts the rows of a tile into groups, in order of first appearance.
    pub(super) fn group(&mut self, rows: Rows<'_>) {
        self.groups.clear();
        if (0..rows.n_rows()).all(|i| !rows.row(i).iter().any(|x| x.is_nan())) {
            return;
        }
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
            inverse: vec![0.0; blocks * packed_len(o)],
            log: vec![0.0; blocks],
            regression: vec![0.0; blocks * m * o],
            conditional: vec![0.0; blocks * packed_len(m)],
        };
        let (mut l, mut inverse) = (vec![0.0; len], vec![0.0; len]);
        for b in 0..blocks {
            reordered_factor(bank, b, &order, &mut l, &mut inverse)
                .expect("a reordered covariance stays positive definite");
            // The inverse of a lower triangle has the inverse of its leading block as its own leading block.
            made.inverse[b * packed_len(o)..][..packed_len(o)].copy_from_slice(&inverse[..packed_len(o)]);
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
            + self.inverse.len()
            + self.log.len()
            + self.regression.len()
            + self.conditional.len())
    }

    pub(super) fn block(&self, b: usize) -> Block<'_> {
        let (o, m) = (self.observed.len(), self.missing.len());
        Block {
            inverse: &self.inverse[b * packed_len(o)..][..packed_len(o)],
            log: self.log[b],
            regression: &self.regression[b * m * o..][..m * o],
            conditional: &self.conditional[b * packed_len(m)..][..packed_len(m)],
        }
    }

    /// Centred rows with their missing cells at the conditional mean: observed features × TILE in, all out.
    pub(super) fn complete(&self, block: &Block<'_>, n: usize, observed: &[f64], out: &mut [f64]) {
        let o = self.observed.len();
        let n = n.next_multiple_of(16).min(TILE);
        for (j, &f) in self.observed.iter().enumerate() {
            out[f * TILE..][..n].copy_from_slice(&observed[j * TILE..][..n]);
        }
        for (i, &f) in self.missing.iter().enumerate() {
            let line = &mut out[f * TILE..][..n];
            line.fill(0.0);
            for j in 0..o {
                let c = block.regression[i * o + j];
                for (l, x) in line.iter_mut().zip(&observed[j * TILE..][..n]) {
                    *l += c * x;
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
