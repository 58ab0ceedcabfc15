//! The stop rule: Aitken's estimate of what EM would still gain, in nats of total log-likelihood.
//!
//! EM converges linearly, so increments shrink by a factor a and the rest of the sum is increment · a / (1 − a)
//! (Böhning et al. 1994). On a plateau (the neighbourhood of a saddle) increments grow, a ≥ 1, and the rule waits.
//!
//! [`Stop::Change`] is the rule of scikit-learn's mixtures, for those who must repeat its results.

use crate::algorithm::Remaining;

/// Iterations in a row that must agree: one small increment may be chance, as where a fast direction has just died out
/// and a slow one has not begun to show.
const AGREE: usize = 3;

/// When a run has converged.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Stop {
    /// Aitken's estimate of the nats that remain is below the tolerance.
    #[default]
    Remaining,
    /// The objective changes by less than a tolerance from one iteration to the next, in absolute value. That is no
    /// promise: EM that is slow changes little and has far to go.
    Change {
        /// Nats of total objective.
        tolerance: f64,
    },
}

/// A stop rule and what it has seen before the run, where that continues an earlier one.
#[derive(Clone, Copy, Debug, Default)]
pub struct StopRule<'a> {
    /// The rule.
    pub stop: Stop,
    /// Objectives at the start of the last iterations of the earlier run, oldest first.
    pub history: &'a [f64],
}

impl StopRule<'_> {
    /// What the rule found, in words, where it says that the run has converged.
    pub(super) fn reached(self, rule: &Aitken, nats: f64, objective: &[f64]) -> Option<String> {
        match self.stop {
            Stop::Remaining => rule.converged().then(|| format!("less than {nats} nats remain to be gained")),
            Stop::Change { tolerance } => {
                let (now, earlier) = objective.split_last()?;
                let change = now - earlier.last().or(self.history.last())?;
                (change.abs() < tolerance)
                    .then(|| format!("the objective changed by less than {tolerance:.3e} nats in an iteration"))
            }
        }
    }
}

/// Increments of the objective and what they promise.
#[derive(Clone, Debug)]
pub struct Aitken {
    tolerance: f64,
    noise: f64,
    previous: Option<f64>,
    increment: Option<f64>,
    agreed: usize,
}

impl Aitken {
    /// A rule with a tolerance in nats; `scale` is the size of the terms that the objective sums (rows × columns), which
    /// says what increments are rounding.
    pub fn new(tolerance: f64, scale: f64) -> Self {
        // Each of the `scale` terms carries a few roundings of relative size 1e-16, and they partly cancel.
        Aitken { tolerance, noise: 1e-15 * scale, previous: None, increment: None, agreed: 0 }
    }

    /// Takes the next objective and what the method says itself; returns the estimate of the nats remaining, where there
    /// is one.
    pub fn next(&mut self, objective: f64, own: Remaining) -> Option<f64> {
        let increment = self.previous.map(|p| objective - p);
        let before = std::mem::replace(&mut self.increment, increment);
        self.previous = Some(objective);
        // EM never falls: a small fall shows how large the rounding is (near-singular covariances amplify it).
        if let Some(fall) = increment.map(|i| -i).filter(|f| *f > 0.0 && *f < self.tolerance) {
            self.noise = self.noise.max(2.0 * fall);
        }
        let noise = self.noise.max(4.0 * f64::EPSILON * objective.abs());
        let remaining = match (own, before, increment) {
            (Remaining::Unknown, ..) => return None,
            (_, _, Some(now)) if now.abs() <= noise => Some(0.0),
            (Remaining::Nats(nats), ..) => Some(nats),
            (Remaining::FromIncrements, Some(before), Some(now)) if now > 0.0 && before > now => {
                Some(now * now / (before - now))
            }
            _ => None,
        };
        self.agreed = if remaining.is_some_and(|r| r < self.tolerance)
            && increment.is_some_and(|i| i < self.tolerance.max(noise))
        {
            self.agreed + 1
        } else {
            0
        };
        remaining
    }

    /// Whether the last few estimates were all below the tolerance.
    pub fn converged(&self) -> bool {
        self.agreed >= AGREE
    }

    /// Everything that it has learned, as numbers; NaN where there is nothing.
    pub(super) fn state(&self) -> [f64; 4] {
        let or_nan = |x: Option<f64>| x.unwrap_or(f64::NAN);
        [self.noise, or_nan(self.previous), or_nan(self.increment), self.agreed as f64]
    }

    /// This rule with what another one had learned.
    pub(super) fn with_state(&self, state: &[f64]) -> Option<Self> {
        let &[noise, previous, increment, agreed] = state else { return None };
        let or_none = |x: f64| (!x.is_nan()).then_some(x);
        let (previous, increment) = (or_none(previous), or_none(increment));
        Some(Aitken { noise, previous, increment, agreed: agreed as usize, ..self.clone() })
    }

    /// Forgets the past, as after a component was dropped or reset.
    pub fn restart(&mut self) {
        *self = Aitken { previous: None, increment: None, agreed: 0, ..self.clone() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_that_goes_up_and_down_is_convergence() {
        let mut rule = Aitken::new(1e-3, 1.0);
        for t in 0..10 {
            rule.next(-5.0 + if t % 2 == 0 { 1e-5 } else { 0.0 }, Remaining::FromIncrements);
        }
        assert!(rule.converged());
    }

    #[test]
    fn a_geometric_series_is_summed_exactly() {
        // ℓ_t = −0.8^t: what remains after t is 0.8^t.
        let mut rule = Aitken::new(1e-3, 1.0);
        for t in 0..200 {
            let remaining = rule.next(-0.8_f64.powi(t), Remaining::FromIncrements);
            if let Some(r) = remaining {
                assert!((r - 0.8_f64.powi(t)).abs() < 1e-9, "{t}: {r}");
            }
            if rule.converged() {
                // 0.8^31 is the first below 1e-3, but the increment before must be below it too; three in a row.
                assert_eq!(t, 33);
                return;
            }
        }
        panic!("never stopped");
    }

    #[test]
    fn a_growing_plateau_is_not_convergence() {
        let mut rule = Aitken::new(1e-3, 1.0);
        for t in 0..30 {
            rule.next(-100.0 + 1e-9 * 1.5_f64.powi(t), Remaining::FromIncrements);
            assert!(!rule.converged(), "{t}");
        }
    }

    #[test]
    fn a_fixed_point_is_convergence_whatever_the_tolerance() {
        let mut rule = Aitken::new(0.0, 1.0);
        (0..5).for_each(|_| {
            rule.next(-3.0, Remaining::FromIncrements);
        });
        assert!(!rule.converged(), "a tolerance of 0 asks for all iterations");
        let mut rule = Aitken::new(1e-12, 1.0);
        (0..5).for_each(|_| {
            rule.next(-3.0, Remaining::FromIncrements);
        });
        assert!(rule.converged());
    }
}
