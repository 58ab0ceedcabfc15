//! The smallest-extreme-value distribution of censored values: the logs of Weibull lifetimes.
//!
//! With z = (y − μ)/σ the density is exp(z − e^z)/σ. The M-step for σ needs E[exp(y/σ')] at every σ' that it tries, so no list
//! of a few numbers is sufficient: the statistic keeps the distinct (lower, upper, weight) records, and the M-step, whose
//! parameters are still those of the E-step, integrates over them by quadrature. That is exact EM, not generalised EM.

use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

use super::quadrature::panels;
use super::{Louis, Sample, interval, names, no_spread, valid};
use crate::data::Chunk;
use crate::error::{Error, Result};
use crate::family::{ComponentHealth, Health, Range};
use crate::model::{Derivatives, Identified, LatentModel, Posterior, Unconstrained, draws_only};
use crate::seed::Seed;
use crate::stats::{Expectation, Statistic};

/// The smallest-extreme-value distribution of censored values. Rows have two columns, lower and upper; a missing cell is an
/// open end. A Weibull lifetime exp(y) has the shape 1/σ and the scale exp(μ).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CensoredExtremeValue {
    mu: f64,
    sigma: f64,
}

/// Distinct rows and their weights, in order: [lower, upper, weight].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Records(pub Vec<[f64; 3]>);

impl Records {
    /// Puts rows in order and adds the weights of equal ones.
    fn gather(mut rows: Vec<[f64; 3]>) -> Self {
        rows.sort_by(order);
        rows.dedup_by(|next, kept| {
            let same = order(next, kept).is_eq();
            kept[2] += if same { next[2] } else { 0.0 };
            same
        });
        Records(rows)
    }
}

fn order(a: &[f64; 3], b: &[f64; 3]) -> std::cmp::Ordering {
    a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1]))
}

impl Statistic for Records {
    fn clear(&mut self) {
        self.0.clear();
    }

    fn merge(&mut self, other: &Self) {
        // Two runs in order: the sort is one merge.
        let mut rows = std::mem::take(&mut self.0);
        rows.extend_from_slice(&other.0);
        *self = Records::gather(rows);
    }

    fn scale(&mut self, c: f64) {
        self.0.iter_mut().for_each(|r| r[2] *= c);
    }
}

impl CensoredExtremeValue {
    /// A smallest-extreme-value distribution.
    ///
    /// # Errors
    /// [`Error::Model`] unless μ is finite and σ positive and finite.
    pub fn new(mu: f64, sigma: f64) -> Result<Self> {
        if !valid(mu, sigma) {
            return Err(Error::Model(format!("mu is {mu} and sigma {sigma}: both must be finite, sigma positive")));
        }
        Ok(CensoredExtremeValue { mu, sigma })
    }

    /// The best parameters if every row were its end, or the middle of its two; in the sample's standardised unit.
    pub fn start(sample: &Sample) -> Self {
        let mut start = CensoredExtremeValue { mu: 0.0, sigma: 1.0 };
        let rows = sample.stand_ins.iter().map(|&(y, w)| [y, y, w]).collect();
        // Rows that exclude each other have different stand-ins; where their difference underflows, the unit is a start.
        let _ = start.m_step(&Records::gather(rows));
        start
    }

    /// [`CensoredExtremeValue::start`], μ moved by one σ and log σ by one half, times normal draws.
    pub fn random_start(sample: &Sample, seed: Seed) -> Self {
        let (start, mut rng) = (Self::start(sample), seed.rng());
        let mut draw = || -> f64 { StandardNormal.sample(&mut rng) };
        CensoredExtremeValue { mu: start.mu + start.sigma * draw(), sigma: start.sigma * (0.5 * draw()).exp() }
    }

    /// μ, the mode and the 63 % quantile.
    pub fn mu(&self) -> f64 {
        self.mu
    }

    /// σ; the standard deviation is πσ/√6.
    pub fn sigma(&self) -> f64 {
        self.sigma
    }

    /// A fit of a sample's standardised rows in the data's own unit.
    #[must_use]
    pub fn in_units(&self, sample: &Sample) -> Self {
        let (mu, sigma) = sample.original(self.mu, self.sigma);
        CensoredExtremeValue { mu, sigma }
    }

    /// A model in the data's own unit as one of the sample's standardised rows.
    #[must_use]
    pub fn standardised(&self, sample: &Sample) -> Self {
        let scale = sample.scale();
        CensoredExtremeValue { mu: self.mu / scale - sample.shift() / scale, sigma: self.sigma / scale }
    }

    /// What the E-step puts in the place of a row: the means of y and of exp((y − μ)/σ) for a value y between `lower` and `upper`
    /// (infinite or NaN where open).
    ///
    /// # Errors
    /// [`Error::Data`] if that is no interval.
    pub fn completed(&self, lower: f64, upper: f64) -> Result<(f64, f64)> {
        let ends = self.standard(interval(&[lower, upper], 1)?);
        if lower == upper {
            return Ok((lower, ends[0].exp()));
        }
        let (mut mass, mut first, mut power) = (0.0, 0.0, 0.0);
        nodes(ends, |z, g| (mass, first, power) = (mass + g, first + g * z, power + g * z.exp()));
        Ok((self.mu + self.sigma * (first / mass), power / mass))
    }

    fn standard(&self, ends: [f64; 2]) -> [f64; 2] {
        ends.map(|b| (b - self.mu) / self.sigma)
    }
}

/// log of the density at an exact value (of z, not of y), or of the probability between two ends.
fn log_probability([lower, upper]: [f64; 2]) -> f64 {
    if lower == upper {
        return lower - lower.exp();
    }
    // P = e^−a − e^−b with a = e^lower and b = e^upper: e^−a (1 − e^−d), and the log of d = b − a without a difference.
    let beyond = -lower.exp();
    if upper == f64::INFINITY {
        return beyond;
    }
    // expm1 overflows from 710 on, where it is exp to the last bit.
    let width = upper - lower;
    let log_d = if lower == f64::NEG_INFINITY {
        upper
    } else {
        lower + if width > 700.0 { width } else { width.exp_m1().ln() }
    };
    // 1 − e^−d is d to the last bit for small d.
    beyond + if log_d < -40.0 { log_d } else { (-(-log_d.exp()).exp_m1()).ln() }
}

/// The point between two ends below which lies the share `u` of the law's probability between them.
fn between([lower, upper]: [f64; 2], u: f64) -> f64 {
    // So far left the density is e^z to the last digits.
    if upper < -40.0 {
        let q = (lower - upper).exp();
        return (upper + (q + u * (1.0 - q)).ln()).max(lower);
    }
    // e^z is exponentially distributed: beyond a = e^lower by t, where 1 − e^−t is u of the whole. What lies below −700 is nothing
    // beside what is above −40.
    if lower < -700.0 {
        return (-(u * (-upper.exp()).exp_m1()).ln_1p()).ln();
    }
    let t = -(u * (-lower.exp() * (upper - lower).exp_m1()).exp_m1()).ln_1p();
    (lower + (t * (-lower).exp()).ln_1p()).clamp(lower, upper)
}

/// Exponents by which the far tail of e^z ends.
const RIGHT: f64 = 200.0;
/// Exponents by which the tail towards −∞ ends.
const LEFT: f64 = 45.0;

/// The largest z that [`nodes`] can visit.
fn largest([lower, upper]: [f64; 2]) -> f64 {
    let top = 0.0_f64.clamp(lower, upper);
    upper.min(top + (RIGHT * (-top).exp()).ln_1p())
}

/// Calls `visit` with nodes z and weights g such that Σ g f(z) / Σ g ≈ E[f(z) | lower < z < upper], for f from polynomials to
/// e^{pz} with p up to about 20.
fn nodes([lower, upper]: [f64; 2], mut visit: impl FnMut(f64, f64)) {
    // About the most probable point z₀ the density falls as exp(t − c (e^t − 1)) with c = e^z₀.
    let top = 0.0_f64.clamp(lower, upper);
    let c = top.exp();
    let mut side = |from: f64, to: f64, width: f64| {
        if from < to {
            panels(from, to, width, |t, w| visit(top + t, w * (t - c * t.exp_m1()).exp()));
        }
    };
    // Panels within which the exponent changes by a few units, where the density is not negligible: the error of a 16-point rule
    // is then below rounding.
    side((lower - top).max(-LEFT), 0.0, 2.0);
    side(0.0, (upper - top).min((RIGHT / c).ln_1p()), 0.75_f64.min(10.0 / c));
}

/// Weighted means over completed rows: of z, and under weights e^{pz} of 1, z and z².
struct Sums {
    weight: f64,
    mean: f64,
    /// log Σ w E[e^{pz}].
    log_power: f64,
    tilted_mean: f64,
    tilted_variance: f64,
}

impl Sums {
    /// `rows` in z; `top` is no smaller than any z.
    fn at(rows: &[([f64; 2], f64)], p: f64, top: f64) -> Self {
        let (mut weight, mut first, mut power, mut tilted, mut square) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for &(ends, w) in rows {
            // Own sums first: they are divided by the row's mass.
            let mut own = [0.0; 5];
            let mut add = |z: f64, g: f64| {
                let e = g * (p * (z - top)).exp();
                own = [
                    own[0] + g,
                    own[1] + g * z,
                    own[2] + e,
                    own[3] + e * (z - top),
                    own[4] + e * (z - top) * (z - top),
                ];
            };
            if ends[0] == ends[1] {
                add(ends[0], 1.0)
            } else {
                nodes(ends, add)
            }
            let scale = w / own[0];
            weight += w;
            first += scale * own[1];
            power += scale * own[2];
            tilted += scale * own[3];
            square += scale * own[4];
        }
        let mean = tilted / power;
        Sums {
            weight,
            mean: first / weight,
            log_power: power.ln() + p * top,
            tilted_mean: top + mean,
            tilted_variance: square / power - mean * mean,
        }
    }
}

/// The complete score of z is (e^z − 1, z e^z − z − 1); expectations between two ends by quadrature.
fn louis(ends: [f64; 2]) -> Louis {
    let score = |z: f64| [z.exp_m1(), z * z.exp_m1() - 1.0];
    let information = |z: f64| {
        let e = z.exp();
        [e, z * e + z.exp_m1(), z * z * e + 2.0 * z * z.exp_m1() - 1.0]
    };
    if ends[0] == ends[1] {
        return Louis { score: score(ends[0]), complete: information(ends[0]), missing: [0.0; 3] };
    }
    let (mut mass, mut mean, mut complete, mut missing) = (0.0, [0.0; 2], [0.0; 3], [0.0; 3]);
    nodes(ends, |_, g| mass += g);
    nodes(ends, |z, g| {
        (0..2).for_each(|i| mean[i] += g / mass * score(z)[i]);
        (0..3).for_each(|i| complete[i] += g / mass * information(z)[i]);
    });
    nodes(ends, |z, g| {
        let [a, b] = [score(z)[0] - mean[0], score(z)[1] - mean[1]];
        [a * a, a * b, b * b].iter().zip(&mut missing).for_each(|(v, m)| *m += g / mass * v);
    });
    Louis { score: mean, complete, missing }
}

impl LatentModel for CensoredExtremeValue {
    type Stats = Records;
    type Scratch = ();

    fn empty_stats(&self) -> Records {
        Records::default()
    }

    fn scratch(&self) {}

    fn e_step(
        &self,
        chunk: Chunk<'_>,
        posterior: Posterior,
        (): &mut (),
        out: &mut Expectation<Records>,
    ) -> Result<()> {
        let sampled = draws_only(posterior)?;
        let mut rows = Vec::with_capacity(chunk.rows.n_rows());
        for i in 0..chunk.rows.n_rows() {
            let ends = interval(chunk.rows.row(i), chunk.first_row + i + 1)?;
            let w = chunk.weight(i);
            match sampled {
                Some((seed, draws)) if ends[0] < ends[1] => {
                    let (mut rng, standard) = (seed.child((chunk.first_row + i) as u64).rng(), self.standard(ends));
                    for _ in 0..draws {
                        let y = self.mu + self.sigma * between(standard, rng.random());
                        rows.push([y, y, w / draws as f64]);
                    }
                }
                _ => rows.push([ends[0], ends[1], w]),
            }
            let jacobian = if ends[0] == ends[1] { self.sigma.ln() } else { 0.0 };
            out.log_likelihood += w * (log_probability(self.standard(ends)) - jacobian);
            out.weight += w;
        }
        out.stats.merge(&Records::gather(rows));
        Ok(())
    }

    /// The complete-data equations of σ = σ₀/p and μ: Σ w E[z e^{pz}] / Σ w E[e^{pz}] − 1/p = mean of z, whose left side grows
    /// with p (Lawless 2003, Statistical Models and Methods for Lifetime Data, §5.2), by Newton's method between bounds.
    fn m_step(&mut self, stats: &Records) -> Result<Health> {
        let rows: Vec<([f64; 2], f64)> = stats.0.iter().map(|r| (self.standard([r[0], r[1]]), r[2])).collect();
        if let [([lower, upper], _)] = rows[..]
            && lower == upper
        {
            return Err(no_spread());
        }
        let top = rows.iter().map(|(ends, _)| largest(*ends)).fold(f64::NEG_INFINITY, f64::max);
        let (mut p, mut low, mut high) = (1.0_f64, 0.0, f64::INFINITY);
        let mut sums = Sums::at(&rows, p, top);
        for _ in 0..200 {
            let excess = sums.tilted_mean - 1.0 / p - sums.mean;
            if excess < 0.0 {
                low = p
            } else {
                high = p
            }
            let newton = p - excess / (sums.tilted_variance + 1.0 / (p * p));
            let next = match () {
                () if newton > low && newton < high => newton,
                () if high == f64::INFINITY => 2.0 * p,
                () if low == 0.0 => 0.5 * p,
                () => 0.5 * (low + high),
            };
            let done = (next - p).abs() <= 4.0 * f64::EPSILON * p;
            p = next;
            sums = Sums::at(&rows, p, top);
            if done {
                break;
            }
        }
        let mu = self.mu + self.sigma * ((sums.log_power - sums.weight.ln()) / p);
        let sigma = self.sigma / p;
        if !valid(mu, sigma) {
            return Err(no_spread());
        }
        *self = CensoredExtremeValue { mu, sigma };
        Ok(vec![ComponentHealth::default()])
    }

    /// μ and σ.
    fn parameters(&self) -> Vec<f64> {
        vec![self.mu, self.sigma]
    }

    fn with_parameters(&self, parameters: &[f64]) -> Option<Self> {
        let &[mu, sigma] = parameters else { return None };
        CensoredExtremeValue::new(mu, sigma).ok()
    }

    fn n_free_parameters(&self) -> usize {
        2
    }
}

/// μ and log σ.
impl Unconstrained for CensoredExtremeValue {
    fn to_vector(&self) -> Vec<f64> {
        vec![self.mu, self.sigma.ln()]
    }

    fn with_vector(&self, vector: &[f64]) -> Option<Self> {
        let &[mu, log] = vector else { return None };
        CensoredExtremeValue::new(mu, log.exp()).ok()
    }
}

/// μ and σ.
impl Identified for CensoredExtremeValue {
    fn coordinates(&self) -> Vec<f64> {
        self.parameters()
    }

    fn names(&self) -> Vec<String> {
        names()
    }

    fn ranges(&self) -> Vec<Range> {
        vec![Range::Real, Range::Positive]
    }

    fn with_coordinates(&self, coordinates: &[f64]) -> Option<Self> {
        self.with_parameters(coordinates)
    }

    fn differentiate(&self, chunk: Chunk<'_>, out: &mut Derivatives) -> Result<()> {
        for i in 0..chunk.rows.n_rows() {
            let ends = interval(chunk.rows.row(i), chunk.first_row + i + 1)?;
            louis(ends.map(|b| (b - self.mu) / self.sigma)).add(chunk.weight(i), self.sigma, out);
        }
        out.finite(names)
    }
}
