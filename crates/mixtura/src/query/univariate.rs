//! A mixture of Gaussians in one dimension: density, both tails and their inverses.
//!
//! Tails are sums of the components' own, Φ(z) = ½ erfc(−z/√2), all of one sign: each is accurate relative to its own
//! size (erfc from `libm` is good to 1 ulp), so 1e-300 is as good as 0.5. Nothing is computed as 1 minus something.

use std::f64::consts::{FRAC_1_SQRT_2, TAU};

use super::log_sum_exp;
use crate::error::{Error, Result};
use crate::family::Emission;
use crate::family::gaussian::Gaussian;
use crate::model::Mixture;

/// Standard deviations beyond which a normal tail is 0 in 64-bit numbers (Φ(−38.6) < 5e-324).
pub(super) const REACH: f64 = 39.0;

/// A mixture of Gaussians in one dimension.
///
/// ```
/// use mixtura::query::Univariate;
/// let x = Univariate::new(vec![0.5, 0.5], vec![-3.0, 3.0], vec![1.0, 1.0])?;
/// assert!((x.cdf(0.0) - 0.5).abs() < 1e-15);
/// assert!((x.cdf(x.quantile(1e-100)) / 1e-100 - 1.0).abs() < 1e-10);
/// # Ok::<(), mixtura::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Univariate {
    pub(super) parts: Vec<Part>,
}

/// One component.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) weight: f64,
    pub(super) mean: f64,
    pub(super) sd: f64,
    /// ln weight − ln(√(2π) sd).
    pub(super) log: f64,
}

impl Univariate {
    /// Components with the given weights (they sum to 1), means and standard deviations.
    ///
    /// # Errors
    /// If the lengths differ or no valid mixture has these values.
    pub fn new(weights: Vec<f64>, means: Vec<f64>, sds: Vec<f64>) -> Result<Self> {
        let variances = sds.iter().map(|s| if *s > 0.0 { s * s } else { f64::NAN }).collect();
        let structure = crate::family::gaussian::Structure::Full;
        let model = Mixture::new(weights, Gaussian::new(structure, 1, means.clone(), variances)?)?;
        let parts = model.weights().iter().zip(means.iter().zip(&sds)).map(|(&w, (&m, &s))| (w, m, s));
        Ok(Self::from_parts(parts.collect()))
    }

    /// A mixture of one column.
    ///
    /// # Errors
    /// If the mixture has more columns.
    pub fn of(model: &Mixture<Gaussian>) -> Result<Self> {
        let bank = model.emission();
        if bank.n_features() != 1 {
            return Err(Error::Usage(format!(
                "this is asked of one column, and the model has {}: take a marginal",
                bank.n_features()
            )));
        }
        let parts = model.weights().iter().enumerate();
        Ok(Self::from_parts(parts.map(|(k, &w)| (w, bank.mean(k)[0], bank.covariance(k)[0].sqrt())).collect()))
    }

    pub(super) fn from_parts(parts: Vec<(f64, f64, f64)>) -> Self {
        let log = |w: f64, s: f64| w.ln() - s.ln() - 0.5 * TAU.ln();
        let parts = parts.into_iter().map(|(weight, mean, sd)| Part { weight, mean, sd, log: log(weight, sd) });
        Univariate { parts: parts.collect() }
    }

    /// Components that carry weight.
    pub(super) fn live(&self) -> impl Iterator<Item = &Part> + Clone {
        self.parts.iter().filter(|p| p.weight > 0.0)
    }

    /// Number of components.
    pub fn n_components(&self) -> usize {
        self.parts.len()
    }

    /// log p(x), nats per unit of x; exact far below what the density itself can hold.
    pub fn log_pdf(&self, x: f64) -> f64 {
        log_sum_exp(self.live().map(|p| p.log_joint(x)))
    }

    /// p(x), per unit of x.
    pub fn pdf(&self, x: f64) -> f64 {
        self.log_pdf(x).exp()
    }

    /// weight · density of component `k`: what it adds to [`Univariate::pdf`].
    ///
    /// # Panics
    /// If there is no such component.
    pub fn component_pdf(&self, k: usize, x: f64) -> f64 {
        self.parts[k].log_joint(x).exp()
    }

    /// P(X ≤ x), to its own relative accuracy in the lower tail.
    pub fn cdf(&self, x: f64) -> f64 {
        self.live().map(|p| p.weight * lower(p.z(x))).sum::<f64>().min(1.0)
    }

    /// P(X > x), to its own relative accuracy in the upper tail.
    pub fn survival(&self, x: f64) -> f64 {
        self.live().map(|p| p.weight * lower(-p.z(x))).sum::<f64>().min(1.0)
    }

    /// P(a < X ≤ b); 0 where b ≤ a.
    pub fn probability(&self, a: f64, b: f64) -> f64 {
        if b <= a {
            return 0.0;
        }
        let between = |za: f64, zb: f64| match za > 0.0 {
            true => lower(-za) - lower(-zb),
            false if zb < 0.0 => lower(zb) - lower(za),
            false => 1.0 - lower(za) - lower(-zb),
        };
        self.live().map(|p| p.weight * between(p.z(a), p.z(b))).sum()
    }

    /// The smallest x with P(X ≤ x) ≥ p, for p in \[0, 1\] (−∞ at 0, +∞ at 1; NaN outside). For probabilities closer
    /// to 1 than 64-bit numbers can say use [`Univariate::upper_quantile`]. cdf(quantile(p)) is p but for the spacing
    /// of the 64-bit numbers about x, and the tails of components that are many standard deviations away.
    pub fn quantile(&self, p: f64) -> f64 {
        match p {
            0.0 => f64::NEG_INFINITY,
            1.0 => f64::INFINITY,
            p if p > 0.0 && p <= 0.5 => self.search(true, p),
            // 1 − p is exact here.
            p if p > 0.5 && p < 1.0 => self.search(false, 1.0 - p),
            _ => f64::NAN,
        }
    }

    /// The smallest x with P(X > x) ≤ q: the quantile of 1 − q, accurate however small q is.
    pub fn upper_quantile(&self, q: f64) -> f64 {
        match q {
            0.0 => f64::INFINITY,
            1.0 => f64::NEG_INFINITY,
            q if q > 0.0 && q <= 0.5 => self.search(false, q),
            q if q > 0.5 && q < 1.0 => self.search(true, 1.0 - q),
            _ => f64::NAN,
        }
    }

    /// Interval with a probability of `mass`, as much left out below as above.
    pub fn interval(&self, mass: f64) -> (f64, f64) {
        let tail = 0.5 * (1.0 - mass);
        (self.quantile(tail), self.upper_quantile(tail))
    }

    /// The smallest x at which the lower tail has risen to `tail`, or the upper one has fallen to it.
    fn search(&self, lower: bool, tail: f64) -> f64 {
        let (mut low, mut high) = self.reach();
        let excess = |x: f64| if lower { self.cdf(x) - tail } else { tail - self.survival(x) };
        // Newton's steps, a little too long so that the ends close in from both sides, while they stay between them. The
        // rest is bisected, so they need not converge: they only save time.
        let mut x = self.mean().max(low).min(high);
        for _ in 0..12 {
            let off = excess(x);
            if off >= 0.0 {
                high = x;
            } else {
                low = x.next_up();
            }
            let slope: f64 = self.live().map(|p| p.log_joint(x).exp()).sum();
            x -= 1.001 * off / slope;
            if !(low < x && x < high) {
                break;
            }
        }
        bisect(low, high, |x| excess(x) >= 0.0)
    }

    /// Bounds outside of which every density and tail is 0.
    pub(super) fn reach(&self) -> (f64, f64) {
        let low = self.live().map(|p| p.mean - REACH * p.sd).fold(f64::INFINITY, f64::min);
        let high = self.live().map(|p| p.mean + REACH * p.sd).fold(f64::NEG_INFINITY, f64::max);
        (low.max(f64::MIN), high.min(f64::MAX))
    }

    /// Mean.
    pub fn mean(&self) -> f64 {
        self.live().map(|p| p.weight * p.mean).sum()
    }

    /// Variance.
    pub fn variance(&self) -> f64 {
        let mean = self.mean();
        self.live().map(|p| p.weight * (p.sd * p.sd + (p.mean - mean) * (p.mean - mean))).sum()
    }
}

impl Part {
    pub(super) fn z(&self, x: f64) -> f64 {
        (x - self.mean) / self.sd
    }

    /// log(weight · density).
    pub(super) fn log_joint(&self, x: f64) -> f64 {
        let z = self.z(x);
        self.log - 0.5 * z * z
    }
}

/// Φ(z).
fn lower(z: f64) -> f64 {
    0.5 * libm::erfc(-z * FRAC_1_SQRT_2)
}

/// The smallest 64-bit number in \[low, high\] for which `reached` holds, given that it holds from somewhere on. It
/// bisects the ordering of the 64-bit numbers: at most 64 steps to the last bit, whatever the scales, where halving
/// lengths would need thousands between 1e150 and 1e-150 and Newton's method would jump out of thin components.
pub(super) fn bisect(low: f64, high: f64, reached: impl Fn(f64) -> bool) -> f64 {
    // Read as integers, numbers of one sign are in order; negative ones backwards.
    let order = |x: f64| {
        let bits = (x + 0.0).to_bits() as i64;
        if bits < 0 { i64::MIN.wrapping_sub(bits) } else { bits }
    };
    let number = |n: i64| f64::from_bits(if n < 0 { i64::MIN.wrapping_sub(n) } else { n } as u64);
    let (mut a, mut b) = (order(low), order(high));
    while a < b {
        let middle = (i128::from(a) + i128::from(b)).div_euclid(2) as i64;
        if reached(number(middle)) {
            b = middle;
        } else {
            a = middle + 1;
        }
    }
    number(a)
}
