//! The regression of some features on the others, for every component: what conditioning on known cells needs.
//!
//! With Σ reordered as (observed, missing) and its Cholesky factor \[L_o 0; L_mo L_m\]: y = L_o⁻¹ (x_o − μ_o) has the
//! Mahalanobis distance of the observed cells as its length, E\[x_m | x_o\] = μ_m + L_mo y and Cov\[x_m | x_o\] =
//! L_m L_mᵀ (Little & Rubin 2002, §11.2). Nothing is subtracted and y has no unit, so nothing cancels or overflows.

use std::f64::consts::TAU;

use mixtura_kernels::cholesky::{at, packed_len};

use super::{Gaussian, scaled_factor};
use crate::error::{Error, Result};
use crate::stats::Layout;

/// Factors of every covariance, reordered with the observed features first. A diagonal layout needs none.
#[derive(Debug)]
pub(crate) struct Regression {
    pub(crate) observed: Vec<usize>,
    pub(crate) missing: Vec<usize>,
    /// L, packed, per block.
    l: Vec<f64>,
    /// log-density of the observed features at the mean, per block.
    log: Vec<f64>,
}

impl Regression {
    /// For rows whose observed features are those marked.
    pub(crate) fn new(bank: &Gaussian, observed: &[bool]) -> Result<Self> {
        let d = bank.n_features;
        let (observed, missing): (Vec<usize>, Vec<usize>) = (0..d).partition(|&j| observed[j]);
        let mut made = Regression { observed, missing, l: Vec::new(), log: Vec::new() };
        let at_mean = |sds: &mut dyn Iterator<Item = f64>| sds.map(|s| -0.5 * TAU.ln() - s.ln()).sum::<f64>();
        if bank.structure.layout() == Layout::Full {
            let order: Vec<usize> = made.observed.iter().chain(&made.missing).copied().collect();
            let (len, blocks) = (packed_len(d), bank.structure.n_blocks(bank.n_components));
            made.l = vec![0.0; blocks * len];
            let mut inverse = vec![0.0; len];
            for b in 0..blocks {
                reordered_factor(bank, b, &order, &mut made.l[b * len..][..len], &mut inverse).map_err(|_| {
                    Error::Model(format!("the covariance of component {b} is not positive definite within rounding"))
                })?;
                let l = &made.l[b * len..];
                made.log.push(at_mean(&mut (0..made.observed.len()).map(|i| l[at(i, i)])));
            }
        } else {
            for k in 0..bank.n_components {
                made.log.push(at_mean(&mut made.observed.iter().map(|&j| bank.block(k)[j].sqrt())));
            }
        }
        Ok(made)
    }

    /// Memory of the factors.
    pub(crate) fn bytes(&self) -> usize {
        8 * (self.l.len() + self.observed.len() + self.missing.len())
    }

    /// L of component `k`.
    fn factor(&self, bank: &Gaussian, k: usize) -> &[f64] {
        let len = packed_len(bank.n_features);
        &self.l[bank.structure.block_of(k) * len..][..len]
    }

    /// Writes y = L_o⁻¹ (x_o − μ_o) of component `k`; returns log p(x_o | k).
    pub(crate) fn whiten(&self, bank: &Gaussian, k: usize, row: &[f64], y: &mut Vec<f64>) -> f64 {
        let mean = bank.mean(k);
        y.clear();
        if bank.structure.layout() == Layout::Diagonal {
            let block = bank.block(k);
            for &j in &self.observed {
                y.push((row[j] - mean[j]) / block[j].sqrt());
            }
        } else {
            // Forward substitution: each step is of the size of y, whatever the units.
            let l = self.factor(bank, k);
            for (i, &f) in self.observed.iter().enumerate() {
                let known: f64 = (0..i).map(|j| l[at(i, j)] * y[j]).sum();
                y.push((row[f] - mean[f] - known) / l[at(i, i)]);
            }
        }
        let log = self.log[bank.structure.block_of(k)] - 0.5 * y.iter().map(|v| v * v).sum::<f64>();
        // So far out that differences of infinities came up: a density of 0 like any other so far out.
        if log.is_nan() { f64::NEG_INFINITY } else { log }
    }

    /// Writes E\[x_m | x_o\] of component `k`.
    pub(crate) fn mean(&self, bank: &Gaussian, k: usize, y: &[f64], out: &mut Vec<f64>) {
        let o = self.observed.len();
        for (i, &f) in self.missing.iter().enumerate() {
            let shift: f64 = match bank.structure.layout() {
                Layout::Diagonal => 0.0,
                Layout::Full => {
                    let l = self.factor(bank, k);
                    (0..o).map(|j| l[at(o + i, j)] * y[j]).sum()
                }
            };
            out.push(bank.mean(k)[f] + shift);
        }
    }

    /// Element (i, j) of Cov\[x_m | x_o\] of component `k`.
    pub(crate) fn covariance(&self, bank: &Gaussian, k: usize, i: usize, j: usize) -> f64 {
        let (i, j, o) = (i.max(j), i.min(j), self.observed.len());
        match bank.structure.layout() {
            Layout::Diagonal if i == j => bank.block(k)[self.missing[i]],
            Layout::Diagonal => 0.0,
            Layout::Full => {
                let l = self.factor(bank, k);
                (0..=j).map(|h| l[at(o + i, o + h)] * l[at(o + j, o + h)]).sum()
            }
        }
    }

    /// Adds L_m z to `out`: with z standard normal and `out` the conditional mean, a draw.
    pub(crate) fn add_noise(&self, bank: &Gaussian, k: usize, z: &[f64], out: &mut [f64]) {
        let o = self.observed.len();
        for (i, x) in out.iter_mut().enumerate() {
            *x += match bank.structure.layout() {
                Layout::Diagonal => bank.block(k)[self.missing[i]].sqrt() * z[i],
                Layout::Full => {
                    let l = self.factor(bank, k);
                    (0..=i).map(|j| l[at(o + i, o + j)] * z[j]).sum()
                }
            };
        }
    }
}

/// Factor of covariance block `b` with its features in the given order: L into `l`, L⁻¹ into `inverse`.
pub(super) fn reordered_factor(
    bank: &Gaussian,
    b: usize,
    order: &[usize],
    l: &mut [f64],
    inverse: &mut [f64],
) -> std::result::Result<f64, usize> {
    let (d, len) = (order.len(), packed_len(bank.n_features));
    let full = &bank.covariances[b * len..][..len];
    let mut sigma = vec![0.0; packed_len(d)];
    for i in 0..d {
        for j in 0..=i {
            let (p, q) = (order[i], order[j]);
            sigma[at(i, j)] = full[at(p.max(q), p.min(q))];
        }
    }
    // A covariance that is singular to rounding may have a factor in one order and none in another. Raising the variances
    // by what rounding does to them (some d eps) gives it one in every order.
    let mut raised = 0.0;
    loop {
        match scaled_factor(&sigma, d, l, inverse) {
            Err(_) if raised < MOST_RAISED => {
                let by = if raised == 0.0 { f64::EPSILON } else { raised };
                (0..d).for_each(|i| sigma[at(i, i)] *= 1.0 + by);
                raised += by;
            }
            done => return done,
        }
    }
}

/// Relative increase of the variances beyond which a covariance that has a factor in one order surely has one in all.
const MOST_RAISED: f64 = 1e-6;

impl Gaussian {
    /// The distributions of some features, in the given order. Each structure keeps its own: what is tied, diagonal or
    /// spherical in all features is so in some.
    ///
    /// ```
    /// use mixtura::family::gaussian::{Gaussian, Structure};
    /// let bank = Gaussian::new(Structure::Full, 2, vec![1.0, 2.0], vec![4.0, 1.0, 1.0, 9.0])?;
    /// let second = bank.marginal(&[1])?;
    /// assert_eq!((second.mean(0), second.covariance(0)), (&[2.0][..], vec![9.0]));
    /// # Ok::<(), mixtura::Error>(())
    /// ```
    ///
    /// # Errors
    /// If no feature is given, one is given twice, or there is none of that number.
    pub fn marginal(&self, features: &[usize]) -> Result<Gaussian> {
        let d = self.n_features;
        if features.is_empty() {
            return Err(Error::Usage("a marginal needs at least one column".into()));
        }
        for (i, &f) in features.iter().enumerate() {
            if f >= d {
                return Err(Error::Usage(format!("there is no column {f}: the model has {d}")));
            }
            if features[..i].contains(&f) {
                return Err(Error::Usage(format!("column {f} is given twice")));
            }
        }
        let (mut means, mut covariances) = (Vec::new(), Vec::new());
        for k in 0..self.n_components {
            let full = self.covariance(k);
            means.extend(features.iter().map(|&f| self.mean(k)[f]));
            covariances.extend(
                features.iter().flat_map(|&p| features.iter().map(move |&q| (p, q))).map(|(p, q)| full[p * d + q]),
            );
        }
        Gaussian::new(self.structure, features.len(), means, covariances)
    }
}
