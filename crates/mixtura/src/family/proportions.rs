//! K × C probabilities of success with their logarithms: what binomial and Bernoulli components have in common.

use super::{ComponentHealth, EMPTY_SHARE, Health};
use crate::error::{Error, Result};
use crate::stats::Trials;

/// Stands for log 0, so that 0 · log 0 is 0 and no loop needs to branch: one success of probability 0 leaves a sum below
/// [`NOTHING`], which no sum of logarithms of positive numbers reaches (they are above −745 each).
const LOG_ZERO: f64 = -1e300;
const NOTHING: f64 = -1e299;

/// Probabilities and their logarithms, component by component.
#[derive(Clone, Debug)]
pub(super) struct Proportions {
    n_columns: usize,
    p: Vec<f64>,
    /// log p and log(1 − p).
    log: Vec<[f64; 2]>,
    /// Whether some probability is 0 or 1.
    boundary: bool,
}

impl Proportions {
    /// The given probabilities (K × C).
    pub(super) fn new(p: Vec<f64>, n_columns: usize) -> Result<Self> {
        if n_columns == 0 || p.is_empty() || !p.len().is_multiple_of(n_columns) {
            return Err(Error::Model(format!(
                "{} probabilities are not a whole number of rows of {n_columns}",
                p.len()
            )));
        }
        if let Some(bad) = p.iter().position(|p| !(0.0..=1.0).contains(p)) {
            return Err(Error::Model(format!(
                "a probability of component {} is {}: it must lie between 0 and 1",
                bad / n_columns,
                p[bad]
            )));
        }
        Ok(Self::of(p, n_columns))
    }

    fn of(p: Vec<f64>, n_columns: usize) -> Self {
        let log = |p: f64| [p.ln().max(LOG_ZERO), (-p).ln_1p().max(LOG_ZERO)];
        let boundary = p.iter().any(|&p| p == 0.0 || p == 1.0);
        Proportions { log: p.iter().map(|&p| log(p)).collect(), boundary, p, n_columns }
    }

    pub(super) fn n_components(&self) -> usize {
        self.p.len() / self.n_columns
    }

    pub(super) fn n_columns(&self) -> usize {
        self.n_columns
    }

    /// The probabilities, K × C.
    pub(super) fn values(&self) -> &[f64] {
        &self.p
    }

    /// The probabilities of component `k`.
    pub(super) fn row(&self, k: usize) -> &[f64] {
        &self.p[k * self.n_columns..][..self.n_columns]
    }

    /// log p and log(1 − p) of component `k`.
    pub(super) fn logs(&self, k: usize) -> &[[f64; 2]] {
        &self.log[k * self.n_columns..][..self.n_columns]
    }

    /// Sums that hold a log 0 become −∞.
    pub(super) fn settle(&self, sums: &mut [f64]) {
        if self.boundary {
            sums.iter_mut().filter(|s| **s < NOTHING).for_each(|s| *s = f64::NEG_INFINITY);
        }
    }

    /// successes / (successes + failures). Where a component has no row with a value, the probability stays.
    pub(super) fn maximize(&mut self, counts: &Trials) -> Health {
        let c = self.n_columns;
        let mut total = vec![0.0; c];
        counts.yes.iter().zip(&counts.no).enumerate().for_each(|(i, (y, n))| total[i % c] += y + n);
        let mut p = self.p.clone();
        let mut empty = vec![true; self.n_components()];
        for (i, (yes, no)) in counts.yes.iter().zip(&counts.no).enumerate() {
            let n = yes + no;
            if n > EMPTY_SHARE * total[i % c] {
                p[i] = yes / n;
                empty[i / c] = false;
            }
        }
        *self = Self::of(p, c);
        empty.into_iter().map(|empty| ComponentHealth { empty, ..ComponentHealth::default() }).collect()
    }

    pub(super) fn with_parameters(&self, p: &[f64]) -> Option<Self> {
        Self::new(p.to_vec(), self.n_columns).ok()
    }

    pub(super) fn select(&mut self, keep: &[usize]) {
        let p = keep.iter().flat_map(|&k| self.row(k).to_vec()).collect();
        *self = Self::of(p, self.n_columns);
    }

    pub(super) fn set(&mut self, k: usize, from: &Self, j: usize) {
        let mut p = std::mem::take(&mut self.p);
        p[k * self.n_columns..][..self.n_columns].copy_from_slice(from.row(j));
        *self = Self::of(p, self.n_columns);
    }

    /// log p − log(1 − p); 0 and 1 as the least positive number from either end, far below what an M-step tells from them.
    pub(super) fn to_vector(&self) -> Vec<f64> {
        let least = f64::MIN_POSITIVE.ln();
        self.log.iter().map(|[p, q]| p.max(least) - q.max(least)).collect()
    }

    /// Derivative and negative second derivative of yes · log p + no · log(1 − p); NaN where both counts and probabilities vanish.
    pub(super) fn derivatives(p: f64, yes: f64, no: f64) -> (f64, f64) {
        let (yes, no, q) = (yes / p, no / (1.0 - p), 1.0 - p);
        (yes - no, yes / p + no / q)
    }

    pub(super) fn with_vector(&self, vector: &[f64]) -> Option<Self> {
        let p = vector.iter().map(|v| if *v < 0.0 { v.exp() / (1.0 + v.exp()) } else { 1.0 / (1.0 + (-v).exp()) });
        Self::new(p.collect(), self.n_columns).ok()
    }
}

/// Σ a·b, by eight sums side by side.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (whole, rest) = (a.chunks_exact(8), a.chunks_exact(8).remainder());
    let tail: f64 = rest.iter().zip(&b[a.len() - rest.len()..]).map(|(x, y)| x * y).sum();
    let mut sums = [0.0; 8];
    for (x, y) in whole.zip(b.chunks_exact(8)) {
        (0..8).for_each(|l| sums[l] += x[l] * y[l]);
    }
    sums.iter().sum::<f64>() + tail
}
