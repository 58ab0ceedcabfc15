//! Weighted successes and failures of each component: sums of numbers ≥ 0, in which nothing cancels.

use super::Statistic;

/// For each component and column: Σr·successes and Σr·failures.
#[derive(Clone, Debug, PartialEq)]
pub struct Trials {
    /// Σr·successes, K × columns.
    pub yes: Vec<f64>,
    /// Σr·failures, K × columns.
    pub no: Vec<f64>,
}

impl Trials {
    /// The zero statistic of so many pairs.
    pub fn new(len: usize) -> Self {
        Trials { yes: vec![0.0; len], no: vec![0.0; len] }
    }

    fn values(&mut self) -> impl Iterator<Item = &mut f64> {
        self.yes.iter_mut().chain(&mut self.no)
    }
}

impl Statistic for Trials {
    fn clear(&mut self) {
        self.values().for_each(|v| *v = 0.0);
    }

    fn merge(&mut self, other: &Self) {
        self.values().zip(other.yes.iter().chain(&other.no)).for_each(|(a, b)| *a += b);
    }

    fn scale(&mut self, c: f64) {
        self.values().for_each(|v| *v *= c);
    }
}
