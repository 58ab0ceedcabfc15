//! Some columns given the others: the conditional mixture, which is Gaussian mixture regression.
//!
//! p(x_m | x_o) = Σ_k w_k(x_o) N(x_m; μ_k,m|o, Σ_k,m|o) with w_k(x_o) ∝ w_k N(x_o; μ_k,o, Σ_k,oo): again a mixture of
//! Gaussians (Ghahramani & Jordan 1994, "Supervised learning from incomplete data via an EM approach", §4).

use std::collections::HashMap;

use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

use super::{Univariate, log_sum_exp};
use crate::error::{Error, Result};
use crate::family::Emission;
use crate::family::gaussian::{Gaussian, Regression, Structure};
use crate::model::Mixture;
use crate::seed::Rng;

/// Factors kept; patterns beyond start the collection anew.
const CACHE_BYTES: usize = 32 << 20;

/// Conditions a mixture on row after row, each with missing cells of its own; factors are kept per missing pattern.
///
/// ```
/// use mixtura::{Mixture, family::gaussian::{Gaussian, Structure}, query::Conditioner};
/// let bank = Gaussian::new(Structure::Full, 2, vec![0.0, 0.0], vec![1.0, 0.5, 0.5, 1.0])?;
/// let model = Mixture::equal(bank);
/// let mut conditioner = Conditioner::new(&model);
/// let second = conditioner.at(&[2.0, f64::NAN])?;
/// assert!((second.mean()[0] - 1.0).abs() < 1e-15 && (second.variance(0) - 0.75).abs() < 1e-15);
/// # Ok::<(), mixtura::Error>(())
/// ```
#[derive(Debug)]
pub struct Conditioner<'a> {
    model: &'a Mixture<Gaussian>,
    log_weights: Vec<f64>,
    cache: HashMap<Vec<bool>, Regression>,
    bytes: usize,
}

/// The distribution of a row's missing cells given its observed ones.
#[derive(Debug)]
pub struct Conditional<'a> {
    model: &'a Mixture<Gaussian>,
    regression: &'a Regression,
    weights: Vec<f64>,
    log_density: f64,
    /// K × missing.
    means: Vec<f64>,
    distances: Vec<f64>,
}

impl<'a> Conditioner<'a> {
    /// For rows of this model.
    pub fn new(model: &'a Mixture<Gaussian>) -> Self {
        let log_weights = model.weights().iter().map(|w| w.ln()).collect();
        Conditioner { model, log_weights, cache: HashMap::new(), bytes: 0 }
    }

    /// The model behind it.
    pub fn model(&self) -> &'a Mixture<Gaussian> {
        self.model
    }

    /// The distribution of the missing cells (NaN) of a row given its observed ones. A row so far out that every
    /// density is 0 keeps the prior weights, and its log-density is −∞.
    ///
    /// # Errors
    /// If the row is not as long as the model has columns, a cell is infinite, or a covariance is singular to rounding.
    pub fn at(&mut self, row: &[f64]) -> Result<Conditional<'_>> {
        let bank = self.model.emission();
        if row.len() != bank.n_features() {
            return Err(Error::Data(format!("a row has {} cells, the model {}", row.len(), bank.n_features())));
        }
        if let Some(j) = row.iter().position(|x| x.is_infinite()) {
            return Err(Error::Data(format!("column {} of a row is infinite", j + 1)));
        }
        let mask: Vec<bool> = row.iter().map(|x| !x.is_nan()).collect();
        if !self.cache.contains_key(&mask) {
            let made = Regression::new(bank, &mask)?;
            if self.bytes + made.bytes() > CACHE_BYTES {
                self.cache.clear();
                self.bytes = 0;
            }
            self.bytes += made.bytes();
            self.cache.insert(mask.clone(), made);
        }
        let regression = &self.cache[&mask];
        let k = bank.n_components();
        let mut means = Vec::with_capacity(k * regression.missing.len());
        let (mut logs, mut distances, mut y) = (Vec::with_capacity(k), Vec::with_capacity(k), Vec::new());
        for c in 0..k {
            logs.push(self.log_weights[c] + regression.whiten(bank, c, row, &mut y));
            // The sum of nothing is −0 in Rust.
            distances.push((0.0 + y.iter().map(|v| v * v).sum::<f64>()).sqrt());
            regression.mean(bank, c, &y, &mut means);
        }
        let log_density = log_sum_exp(logs.iter().copied());
        let weights = match log_density.is_finite() {
            true => {
                // Differences from the largest, not from their sum: far out, a log-density has no digits left for ln 2.
                let top = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let raw: Vec<f64> = logs.iter().map(|l| (l - top).exp()).collect();
                let total: f64 = raw.iter().sum();
                raw.into_iter().map(|r| r / total).collect()
            }
            false => self.model.weights().to_vec(),
        };
        Ok(Conditional { model: self.model, regression, weights, log_density, means, distances })
    }
}

impl Conditional<'_> {
    /// The missing columns, ascending: what the other results are about.
    pub fn columns(&self) -> &[usize] {
        &self.regression.missing
    }

    /// Responsibilities of the components given the observed cells.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// log p of the observed cells, nats; −∞ where it is too small for a 64-bit number.
    pub fn log_density(&self) -> f64 {
        self.log_density
    }

    /// Mahalanobis distances of the observed cells to the components, in standard deviations.
    pub fn distances(&self) -> &[f64] {
        &self.distances
    }

    fn component_mean(&self, k: usize) -> &[f64] {
        let m = self.columns().len();
        &self.means[k * m..][..m]
    }

    /// Conditional mean of every missing column.
    pub fn mean(&self) -> Vec<f64> {
        let live = || self.weights.iter().enumerate().filter(|(_, w)| **w > 0.0);
        (0..self.columns().len()).map(|i| live().map(|(k, w)| w * self.component_mean(k)[i]).sum()).collect()
    }

    /// Conditional variance of the `i`-th missing column: within components, and between their means.
    pub fn variance(&self, i: usize) -> f64 {
        let mean = self.mean()[i];
        let live = self.weights.iter().enumerate().filter(|(_, w)| **w > 0.0);
        live.map(|(k, w)| {
            let between = self.component_mean(k)[i] - mean;
            w * (self.regression.covariance(self.model.emission(), k, i, i) + between * between)
        })
        .sum()
    }

    /// Distribution of the `i`-th missing column alone: its quantiles and intervals.
    pub fn univariate(&self, i: usize) -> Univariate {
        let parts = self.weights.iter().enumerate().map(|(k, &w)| {
            (w, self.component_mean(k)[i], self.regression.covariance(self.model.emission(), k, i, i).sqrt())
        });
        Univariate::from_parts(parts.filter(|(w, ..)| *w > 0.0).collect())
    }

    /// Draws all missing columns together into `out`; returns the component.
    ///
    /// # Panics
    /// If `out` is shorter than the missing columns.
    pub fn draw(&self, rng: &mut Rng, out: &mut [f64]) -> usize {
        let mut u: f64 = rng.random();
        let last = self.weights.iter().rposition(|w| *w > 0.0).unwrap_or(0);
        let k = self.weights[..last].iter().position(|w| {
            u -= w;
            u < 0.0
        });
        let k = k.unwrap_or(last);
        let z: Vec<f64> = (0..self.columns().len()).map(|_| StandardNormal.sample(rng)).collect();
        out[..z.len()].copy_from_slice(self.component_mean(k));
        self.regression.add_noise(self.model.emission(), k, &z, &mut out[..z.len()]);
        k
    }

    /// The conditional as a mixture of its own, with the structure of the model: conditioning keeps full, tied (the
    /// conditional covariance does not depend on the values), diag and spherical.
    ///
    /// # Errors
    /// If no cell is missing, or a conditional variance is too small for a 64-bit number.
    pub fn mixture(&self) -> Result<Mixture<Gaussian>> {
        let (m, bank) = (self.columns().len(), self.model.emission());
        if m == 0 {
            return Err(Error::Usage("every column is given: none is left to describe".into()));
        }
        let of = if bank.structure() == Structure::Tied { |_| 0 } else { |k: usize| k };
        let covariances = (0..bank.n_components())
            .flat_map(|k| (0..m * m).map(move |n| (of(k), n / m, n % m)))
            .map(|(k, i, j)| self.regression.covariance(bank, k, i, j))
            .collect();
        Mixture::new(self.weights.clone(), Gaussian::new(bank.structure(), m, self.means.clone(), covariances)?)
    }
}

impl Mixture<Gaussian> {
    /// The mixture of the other columns given the values of some: (column, value).
    ///
    /// ```
    /// use mixtura::{Mixture, family::gaussian::{Gaussian, Structure}};
    /// let bank = Gaussian::new(Structure::Full, 2, vec![0.0, 0.0], vec![1.0, 0.5, 0.5, 1.0])?;
    /// let y = Mixture::equal(bank).condition(&[(0, 2.0)])?;
    /// assert!((y.emission().mean(0)[0] - 1.0).abs() < 1e-15);
    /// # Ok::<(), mixtura::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a column is not there, is given twice, or its value is not finite; if no column is left; if the values are so
    /// far from every component that their density is 0.
    pub fn condition(&self, given: &[(usize, f64)]) -> Result<Self> {
        let mut row = vec![f64::NAN; self.emission().n_features()];
        for &(j, x) in given {
            let Some(cell) = row.get_mut(j) else {
                return Err(Error::Usage(format!("there is no column {j}: the model has {}", row.len())));
            };
            if !cell.is_nan() {
                return Err(Error::Usage(format!("column {j} is given twice")));
            }
            if !x.is_finite() {
                return Err(Error::Usage(format!("the value of column {j} is {x}: give a finite number")));
            }
            *cell = x;
        }
        let mut conditioner = Conditioner::new(self);
        let conditional = conditioner.at(&row)?;
        if conditional.log_density() == f64::NEG_INFINITY {
            return Err(Error::Data(
                "the given values are so far from every component that nothing can be said of the others".into(),
            ));
        }
        conditional.mixture()
    }
}
