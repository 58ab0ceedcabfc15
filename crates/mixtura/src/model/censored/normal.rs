//! The normal distribution of censored values.
//!
//! The E-step needs the mean and the second moment of a normal variable between two ends. Rows open to one side have them by
//! the inverse Mills ratio, without a difference of tails; those with two ends by quadrature about the most probable point.

use rand_distr::{Distribution, StandardNormal};

use super::quadrature::panels;
use super::{Louis, Sample, interval, names, no_spread, valid};
use crate::data::Chunk;
use crate::error::{Error, Result};
use crate::family::{ComponentHealth, Health, Range};
use crate::model::truncated::normal_between;
use crate::model::{Derivatives, Identified, LatentModel, Posterior, Unconstrained, draws_only};
use crate::seed::{Rng, Seed};
use crate::special::{HALF_LN_TAU, ln_normal_tail, normal_excess};
use crate::stats::{Expectation, Layout, Moments};

/// N(μ, σ²) of censored values. Rows have two columns, lower and upper; a missing cell is an open end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CensoredNormal {
    mu: f64,
    sigma: f64,
}

impl CensoredNormal {
    /// A normal distribution.
    ///
    /// # Errors
    /// [`Error::Model`] unless μ is finite and σ positive and finite.
    pub fn new(mu: f64, sigma: f64) -> Result<Self> {
        if !valid(mu, sigma) {
            return Err(Error::Model(format!("mu is {mu} and sigma {sigma}: both must be finite, sigma positive")));
        }
        Ok(CensoredNormal { mu, sigma })
    }

    /// Mean and standard deviation as if every row were its end, or the middle of its two; in the sample's standardised unit.
    pub fn start(sample: &Sample) -> Self {
        let total: f64 = sample.stand_ins.iter().map(|s| s.1).sum();
        let mu = sample.stand_ins.iter().map(|(y, w)| w * y).sum::<f64>() / total;
        let square = sample.stand_ins.iter().map(|(y, w)| w * (y - mu) * (y - mu)).sum::<f64>() / total;
        // Rows that exclude each other have different stand-ins; a variance that underflows anyway starts at the unit.
        let sigma = if square > 0.0 && square.is_finite() { square.sqrt() } else { 1.0 };
        CensoredNormal { mu, sigma }
    }

    /// [`CensoredNormal::start`], μ moved by one σ and log σ by one half, times normal draws.
    pub fn random_start(sample: &Sample, seed: Seed) -> Self {
        let (start, mut rng) = (Self::start(sample), seed.rng());
        let mut draw = || -> f64 { StandardNormal.sample(&mut rng) };
        CensoredNormal { mu: start.mu + start.sigma * draw(), sigma: start.sigma * (0.5 * draw()).exp() }
    }

    /// μ.
    pub fn mu(&self) -> f64 {
        self.mu
    }

    /// σ.
    pub fn sigma(&self) -> f64 {
        self.sigma
    }

    /// A fit of a sample's standardised rows in the data's own unit.
    #[must_use]
    pub fn in_units(&self, sample: &Sample) -> Self {
        let (mu, sigma) = sample.original(self.mu, self.sigma);
        CensoredNormal { mu, sigma }
    }

    /// A model in the data's own unit as one of the sample's standardised rows.
    #[must_use]
    pub fn standardised(&self, sample: &Sample) -> Self {
        let scale = sample.scale();
        CensoredNormal { mu: self.mu / scale - sample.shift() / scale, sigma: self.sigma / scale }
    }

    /// What the E-step puts in the place of a row: the mean and the variance of a value that lies between `lower` and `upper`
    /// (infinite or NaN where open).
    ///
    /// # Errors
    /// [`Error::Data`] if that is no interval.
    pub fn completed(&self, lower: f64, upper: f64) -> Result<(f64, f64)> {
        let ends = interval(&[lower, upper], 1)?;
        let part = Part::between(ends.map(|b| (b - self.mu) / self.sigma));
        Ok((self.mu + self.sigma * part.mean, self.sigma * self.sigma * part.variance))
    }
}

/// A standard normal variable between two ends.
struct Part {
    /// log of its probability; of its density, where the ends are one.
    log: f64,
    mean: f64,
    variance: f64,
}

impl Part {
    fn between([lower, upper]: [f64; 2]) -> Self {
        match (lower, upper) {
            _ if lower == upper => Part { log: -0.5 * lower * lower - HALF_LN_TAU, mean: lower, variance: 0.0 },
            (_, f64::INFINITY) => Part::above(lower),
            (f64::NEG_INFINITY, _) => {
                let part = Part::above(-upper);
                Part { mean: -part.mean, ..part }
            }
            _ => Part::inside(lower, upper),
        }
    }

    /// Puts mean and variance of draws in the place of its own.
    fn draw(&mut self, [lower, upper]: [f64; 2], draws: usize, rng: &mut Rng) {
        // About the law's own mean, so that far out no digits are lost.
        let (mut first, mut second) = (0.0, 0.0);
        for _ in 0..draws {
            let off = normal_between(lower, upper, rng) - self.mean;
            (first, second) = (first + off / draws as f64, second + off * off / draws as f64);
        }
        self.mean += first;
        self.variance = (second - first * first).max(0.0);
    }

    fn above(end: f64) -> Self {
        let excess = normal_excess(end);
        // Var = 1 − h (h − a) with the inverse Mills ratio h = a + excess; far out that is 1/a², and little is left of 1.
        let variance = if end < 100.0 { 1.0 - (end + excess) * excess } else { far_variance(end) };
        Part { log: ln_normal_tail(end), mean: end + excess, variance }
    }

    fn inside(lower: f64, upper: f64) -> Self {
        let (mut mass, mut first, mut second) = (0.0, 0.0, 0.0);
        let top = nodes([lower, upper], |t, g| (mass, first, second) = (mass + g, first + g * t, second + g * t * t));
        let mean = first / mass;
        let log = mass.ln() - 0.5 * top * top - HALF_LN_TAU;
        Part { log, mean: top + mean, variance: (second / mass - mean * mean).max(0.0) }
    }
}

/// Calls `visit` with t and weights g such that Σ g f(z₀ + t) = ∫ f φ / φ(z₀) between two ends (either may be open), about the most
/// probable point z₀, which it returns.
fn nodes([lower, upper]: [f64; 2], mut visit: impl FnMut(f64, f64)) -> f64 {
    // About z₀ the density is φ(z₀) exp(−t (t + 2 z₀) / 2); where it falls by 100 nats it ends.
    let top = 0.0_f64.clamp(lower, upper);
    let reach = 200.0 / (top.abs() + (top * top + 200.0).sqrt());
    let (from, to) = ((lower - top).max(-reach), (upper - top).min(reach));
    // A panel spans at most 2.5 standard deviations or, far out, 5 lengths over which the density falls by e: the error of a
    // 16-point rule is then below rounding.
    let width = 2.5 / (0.5 * top.abs()).max(1.0);
    panels(from, to, width, |t, w| visit(t, w * (-0.5 * t * (t + 2.0 * top)).exp()));
    top
}

/// The complete score of z is (z, z² − 1), and minus its derivative (1, 2z, 3z² − 1); expectations between two ends by quadrature.
fn louis(ends: [f64; 2]) -> Louis {
    let (mut mean, mut central) = (ends[0], [0.0; 3]);
    if ends[0] < ends[1] {
        let (mut mass, mut first) = (0.0, 0.0);
        let top = nodes(ends, |t, g| (mass, first) = (mass + g, first + g * t));
        let middle = first / mass;
        mean = top + middle;
        nodes(ends, |t, g| {
            let (d, g) = (t - middle, g / mass);
            (0..3).for_each(|i| central[i] += g * d.powi(i as i32 + 2));
        });
    }
    let [variance, third, fourth] = central;
    let square = mean * mean + variance;
    // z² less its mean is 2 E[z] d + d² − Var, d = z − E[z]: no difference of large numbers.
    let missing = [
        variance,
        2.0 * mean * variance + third,
        4.0 * mean * (mean * variance + third) + (fourth - variance * variance),
    ];
    Louis { score: [mean, square - 1.0], complete: [1.0, 2.0 * mean, 3.0 * square - 1.0], missing }
}

/// The variance beyond an end of 100 or more, to the last bit: the asymptotic series a⁻² (1 − 6 a⁻² + 50 a⁻⁴ − 518 a⁻⁶ + 6354 a⁻⁸).
fn far_variance(end: f64) -> f64 {
    let q = 1.0 / (end * end);
    q * (1.0 + q * (-6.0 + q * (50.0 + q * (-518.0 + q * 6354.0))))
}

impl LatentModel for CensoredNormal {
    type Stats = Moments;
    type Scratch = ();

    fn empty_stats(&self) -> Moments {
        Moments::new(Layout::Full, 1, vec![self.mu])
    }

    fn scratch(&self) {}

    fn e_step(
        &self,
        chunk: Chunk<'_>,
        posterior: Posterior,
        (): &mut (),
        out: &mut Expectation<Moments>,
    ) -> Result<()> {
        let sampled = draws_only(posterior)?;
        let moments = &mut out.stats;
        for i in 0..chunk.rows.n_rows() {
            let [lower, upper] = interval(chunk.rows.row(i), chunk.first_row + i + 1)?;
            let ends = [(lower - self.mu) / self.sigma, (upper - self.mu) / self.sigma];
            let mut part = Part::between(ends);
            if let Some((seed, draws)) = sampled {
                part.draw(ends, draws, &mut seed.child((chunk.first_row + i) as u64).rng());
            }
            let w = chunk.weight(i);
            let mean = self.sigma * part.mean;
            moments.weight[0] += w;
            moments.first[0] += w * mean;
            moments.second[0] += w * (mean * mean + self.sigma * self.sigma * part.variance);
            out.log_likelihood += w * (part.log - if lower == upper { self.sigma.ln() } else { 0.0 });
            out.weight += w;
        }
        Ok(())
    }

    fn m_step(&mut self, stats: &Moments) -> Result<Health> {
        self.m_step_block(0, stats)?;
        self.m_step_block(1, stats)
    }

    /// μ, then σ.
    fn n_blocks(&self) -> usize {
        2
    }

    fn m_step_block(&mut self, block: usize, stats: &Moments) -> Result<Health> {
        let (mut mean, mut variance) = ([0.0], [0.0]);
        stats.mean_and_covariance(0, &mut mean, &mut variance);
        let best = stats.pivot[0] + mean[0];
        let (mu, sigma) = match block {
            0 => (best, self.sigma),
            _ => (self.mu, (variance[0] + (best - self.mu) * (best - self.mu)).sqrt()),
        };
        if !valid(mu, sigma) {
            return Err(no_spread());
        }
        *self = CensoredNormal { mu, sigma };
        Ok(vec![ComponentHealth::default()])
    }

    /// μ and σ.
    fn parameters(&self) -> Vec<f64> {
        vec![self.mu, self.sigma]
    }

    fn with_parameters(&self, parameters: &[f64]) -> Option<Self> {
        let &[mu, sigma] = parameters else { return None };
        CensoredNormal::new(mu, sigma).ok()
    }

    fn n_free_parameters(&self) -> usize {
        2
    }
}

/// μ and log σ.
impl Unconstrained for CensoredNormal {
    fn to_vector(&self) -> Vec<f64> {
        vec![self.mu, self.sigma.ln()]
    }

    fn with_vector(&self, vector: &[f64]) -> Option<Self> {
        let &[mu, log] = vector else { return None };
        CensoredNormal::new(mu, log.exp()).ok()
    }
}

/// μ and σ.
impl Identified for CensoredNormal {
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
