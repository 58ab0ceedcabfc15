//! Statistics: values that an E-step makes and that can be merged and scaled.

mod moments;
mod trials;

pub use moments::{Layout, Moments};
pub use trials::Trials;

/// A commutative monoid: `clear` gives the zero, `merge` adds.
pub trait Statistic: Clone + Send + Sync {
    /// Makes this the zero statistic, keeping its memory.
    fn clear(&mut self);
    /// Adds another statistic of the same shape.
    fn merge(&mut self, other: &Self);
    /// Multiplies by a number ≥ 0.
    fn scale(&mut self, c: f64);
}

/// Expected counts, one per hidden cell.
#[derive(Clone, Debug, PartialEq)]
pub struct Counts(pub Vec<f64>);

impl Statistic for Counts {
    fn clear(&mut self) {
        self.0.fill(0.0);
    }

    fn merge(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a += b);
    }

    fn scale(&mut self, c: f64) {
        self.0.iter_mut().for_each(|a| *a *= c);
    }
}

/// What one E-step returns: statistics, log-likelihood and weight of the rows it saw.
#[derive(Clone, Debug)]
pub struct Expectation<S> {
    /// Expected sufficient statistics.
    pub stats: S,
    /// Σ w log p(x), in nats.
    pub log_likelihood: f64,
    /// Σ w.
    pub weight: f64,
}

impl<S: Statistic> Expectation<S> {
    /// Zero, in the memory of `stats`.
    pub fn new(mut stats: S) -> Self {
        stats.clear();
        Expectation { stats, log_likelihood: 0.0, weight: 0.0 }
    }
}

impl<S: Statistic> Statistic for Expectation<S> {
    fn clear(&mut self) {
        self.stats.clear();
        self.log_likelihood = 0.0;
        self.weight = 0.0;
    }

    fn merge(&mut self, other: &Self) {
        self.stats.merge(&other.stats);
        self.log_likelihood += other.log_likelihood;
        self.weight += other.weight;
    }

    fn scale(&mut self, c: f64) {
        self.stats.scale(c);
        self.log_likelihood *= c;
        self.weight *= c;
    }
}
