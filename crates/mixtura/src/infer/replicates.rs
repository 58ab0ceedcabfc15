//! What bootstrap replicates say: standard errors, bias, and intervals, also of functions of the parameters.

use std::f64::consts::FRAC_1_SQRT_2;

use super::errors::{check_level, normal_quantile};
use super::{Errors, Interval, Lost};
use crate::error::{Error, Result};
use crate::family::Range;

/// Estimates and those of bootstrap replicates, in the data's own units.
#[derive(Clone, Debug, PartialEq)]
pub struct Replicates {
    /// The name of the method in every face.
    pub method: &'static str,
    /// One name per parameter, p.
    pub names: Vec<String>,
    /// The values that each can have.
    pub ranges: Vec<Range>,
    /// The estimates of the fit.
    pub estimates: Vec<f64>,
    /// The estimates of every replicate that was not lost, in the order of their numbers.
    pub values: Vec<Vec<f64>>,
    /// Those that were.
    pub lost: Lost,
    /// Replicates whose components had changed places before they were matched.
    pub exchanged: usize,
}

/// How an interval is made of replicates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntervalKind {
    /// The quantiles of the replicates (Efron & Tibshirani 1993, §13.3).
    Percentile,
    /// The quantiles mirrored at the estimate (Davison & Hinkley 1997, eq. 5.6), on the scale that [`Range::scale`] names: a bias of
    /// the replicates is taken back.
    Basic,
    /// Quantiles shifted by what share of the replicates lies below the estimate (Efron & Tibshirani 1993, §14.3, without acceleration).
    BiasCorrected,
}

impl IntervalKind {
    /// Every kind.
    pub const ALL: [IntervalKind; 3] = [IntervalKind::Percentile, IntervalKind::Basic, IntervalKind::BiasCorrected];

    /// The name in every face.
    pub fn name(self) -> &'static str {
        match self {
            IntervalKind::Percentile => "percentile",
            IntervalKind::Basic => "basic",
            IntervalKind::BiasCorrected => "bc",
        }
    }

    /// The kind of a name.
    ///
    /// # Errors
    /// If there is none, with the names there are.
    pub fn named(name: &str) -> Result<Self> {
        IntervalKind::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| {
            let names = IntervalKind::ALL.map(IntervalKind::name).join(", ");
            Error::Usage(format!("there are no intervals '{name}': use one of {names}"))
        })
    }
}

impl Replicates {
    /// Means of the replicates.
    fn means(&self) -> Vec<f64> {
        let n = self.values.len() as f64;
        (0..self.estimates.len()).map(|i| self.values.iter().map(|v| v[i]).sum::<f64>() / n).collect()
    }

    /// Mean of the replicates less the estimate.
    pub fn bias(&self) -> Vec<f64> {
        self.means().iter().zip(&self.estimates).map(|(m, e)| m - e).collect()
    }

    /// The estimates with the covariance of the replicates, and what is to be known of them.
    pub fn errors(&self) -> Errors {
        let (p, n, means) = (self.estimates.len(), self.values.len(), self.means());
        let mut covariance = vec![0.0; p * p];
        for value in &self.values {
            for i in 0..p {
                for j in 0..p {
                    covariance[i * p + j] += (value[i] - means[i]) * (value[j] - means[j]) / (n - 1) as f64;
                }
            }
        }
        let mut errors =
            Errors::new(self.method, self.names.clone(), self.ranges.clone(), self.estimates.clone(), covariance);
        errors
            .notes
            .push(format!("{n} replicates: a standard error is good to {:.0} %", 100.0 / (2.0 * n as f64).sqrt()));
        let Lost { collapsed, not_converged, not_matched } = self.lost;
        if self.lost.total() > 0 {
            errors.notes.push(format!(
                "{} more were lost: {collapsed} collapsed, {not_converged} did not converge, the components of {not_matched} could not be matched",
                self.lost.total()
            ));
        }
        if self.exchanged > 0 {
            errors.notes.push(format!(
                "in {} replicates components had changed places: they are not far apart",
                self.exchanged
            ));
        }
        errors
    }

    /// Intervals of a confidence level, one per parameter.
    ///
    /// # Errors
    /// If the level is not between 0 and 1, or so high that it lies beyond the outermost replicates.
    pub fn intervals(&self, kind: IntervalKind, level: f64) -> Result<Vec<Interval>> {
        check_level(level)?;
        let n = self.values.len() as f64;
        let tail = 0.5 * (1.0 - level);
        // A level such as 0.9 is rounded: its tail is a little less than 0.05.
        if (n + 1.0) * tail < 1.0 - 1e-9 {
            return Err(Error::Usage(format!(
                "{n} replicates do not reach to a level of {level}: use {:.0} or more",
                (1.0 / tail - 1e-6).ceil() - 1.0
            )));
        }
        let each = self.estimates.iter().zip(&self.ranges).enumerate();
        Ok(each
            .map(|(i, (&estimate, &range))| {
                let mut sorted: Vec<f64> = self.values.iter().map(|v| v[i]).collect();
                sorted.sort_by(f64::total_cmp);
                let ends =
                    |low: f64, high: f64| Interval { low: quantile(&sorted, low), high: quantile(&sorted, high) };
                match kind {
                    IntervalKind::Percentile => ends(tail, 1.0 - tail),
                    IntervalKind::Basic => {
                        let Interval { low, high } = ends(tail, 1.0 - tail);
                        let mirror = |x: f64| range.back(2.0 * range.transform(estimate).0 - range.transform(x).0);
                        Interval { low: mirror(high), high: mirror(low) }
                    }
                    IntervalKind::BiasCorrected => {
                        let below = sorted.iter().filter(|v| **v < estimate).count() as f64;
                        let ties = sorted.iter().filter(|v| **v == estimate).count() as f64;
                        // Never 0 nor 1: the estimate may lie beyond all replicates, whose shift is then that of the outermost.
                        let share = ((below + 0.5 * ties) / n).clamp(0.5 / n, 1.0 - 0.5 / n);
                        let (shift, z) = (deviate(share), normal_quantile(level));
                        ends(cumulative(2.0 * shift - z), cumulative(2.0 * shift + z))
                    }
                }
            })
            .collect())
    }

    /// The same for functions of the parameters, made of the estimates and of every replicate; a replicate of which a value is not finite is
    /// one more that collapsed.
    ///
    /// # Errors
    /// If `f` gives another number of values than there are names, no finite ones at the estimates, or fewer than two replicates have
    /// finite ones.
    pub fn of(&self, names: Vec<String>, ranges: Vec<Range>, f: impl Fn(&[f64]) -> Vec<f64>) -> Result<Replicates> {
        let estimates = f(&self.estimates);
        if estimates.len() != names.len() || ranges.len() != names.len() {
            let (q, n) = (estimates.len(), names.len());
            return Err(Error::Usage(format!("the function gives {q} values for {n} names")));
        }
        if let Some(i) = estimates.iter().position(|v| !v.is_finite()) {
            return Err(Error::Usage(format!(
                "the function is not finite at the estimates: '{}' is {}",
                names[i], estimates[i]
            )));
        }
        let values: Vec<Vec<f64>> =
            self.values.iter().map(|v| f(v)).filter(|v| v.iter().all(|x| x.is_finite())).collect();
        if values.len() < 2 {
            return Err(Error::Usage("the function is finite at fewer than two replicates".into()));
        }
        let collapsed = self.lost.collapsed + self.values.len() - values.len();
        let lost = Lost { collapsed, ..self.lost };
        Ok(Replicates { names, ranges, estimates, values, lost, ..*self })
    }
}

/// The p-quantile of sorted values, at position (n + 1) p with straight lines between (Hyndman & Fan 1996, definition 6): n + 1, so
/// that a new value is as likely beyond it as it says.
fn quantile(sorted: &[f64], p: f64) -> f64 {
    let at = ((sorted.len() + 1) as f64 * p).clamp(1.0, sorted.len() as f64) - 1.0;
    let (below, share) = (at.floor() as usize, at.fract());
    let above = (below + 1).min(sorted.len() - 1);
    if share == 0.0 { sorted[below] } else { (1.0 - share) * sorted[below] + share * sorted[above] }
}

/// Φ.
fn cumulative(z: f64) -> f64 {
    0.5 * libm::erfc(-z * FRAC_1_SQRT_2)
}

/// Φ⁻¹.
fn deviate(p: f64) -> f64 {
    (p - 0.5).signum() * normal_quantile((2.0 * p - 1.0).abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(estimate: f64, values: &[f64], range: Range) -> Replicates {
        Replicates {
            method: "test",
            names: vec!["a".into()],
            ranges: vec![range],
            estimates: vec![estimate],
            values: values.iter().map(|v| vec![*v]).collect(),
            lost: Lost::default(),
            exchanged: 0,
        }
    }

    #[test]
    fn figures_by_hand() {
        // 1 to 39: the 2.5 % and 97.5 % quantiles are the first and the last of 39 at position 1 and 39 of 40.
        let whole: Vec<f64> = (1..40).map(f64::from).rev().collect();
        let r = of(18.0, &whole, Range::Real);
        assert_eq!(r.bias(), [2.0]);
        // Var of 1 … n is n (n + 1) / 12.
        assert!((r.errors().covariance[0] - 39.0 * 40.0 / 12.0).abs() < 1e-11);
        let is = |kind, level, low: f64, high: f64| {
            let got = r.intervals(kind, level).unwrap()[0];
            // A level is rounded, and so are places up to 40 that are made of it.
            assert!((got.low - low).abs() < 1e-13 && (got.high - high).abs() < 1e-13, "{got:?}");
        };
        is(IntervalKind::Percentile, 0.95, 1.0, 39.0);
        is(IntervalKind::Percentile, 0.5, 10.0, 30.0);
        is(IntervalKind::Basic, 0.5, 6.0, 26.0);
        assert!(r.intervals(IntervalKind::Percentile, 0.96).unwrap_err().to_string().contains("use 49 or more"));
        // 19 are just enough for 90 %.
        assert!(of(1.0, &whole[..19], Range::Real).intervals(IntervalKind::Percentile, 0.9).is_ok());
        assert!(r.intervals(IntervalKind::Percentile, 1.0).is_err());
        // A median at the estimate shifts nothing; one above it moves both ends down. 17 and a half of 39 lie below 18: the
        // shift is Φ⁻¹(17.5/39) = −0.128901, and 40 Φ(2·shift ± 0.674490) the places (Python 3.11, statistics.NormalDist).
        let shifted = r.intervals(IntervalKind::BiasCorrected, 0.5).unwrap()[0];
        assert!((shifted.low - 7.023713103693716).abs() < 1e-9 && (shifted.high - 26.461860436723907).abs() < 1e-9);
        let centred = of(20.0, &whole, Range::Real).intervals(IntervalKind::BiasCorrected, 0.5).unwrap()[0];
        assert!((centred.low - 10.0).abs() < 1e-9 && (centred.high - 30.0).abs() < 1e-9, "{centred:?}");
        // On the logarithmic scale 2 mirrored: 4 / 8 and 4 / 1.
        let logs = of(2.0, &[1.0, 2.0, 8.0], Range::Positive).intervals(IntervalKind::Basic, 0.5).unwrap()[0];
        assert!((logs.low - 0.5).abs() < 1e-15 && (logs.high - 4.0).abs() < 1e-14, "{logs:?}");
    }

    #[test]
    fn functions_of_replicates() {
        let r = of(2.0, &[1.0, 4.0, -1.0], Range::Real);
        let roots = r.of(vec!["root".into()], vec![Range::Positive], |v| vec![v[0].sqrt()]).unwrap();
        assert_eq!((roots.values.clone(), roots.lost.collapsed), (vec![vec![1.0], vec![2.0]], 1));
        assert!(r.of(vec!["root".into()], vec![Range::Positive], |_| vec![f64::NAN]).is_err());
        assert!(r.of(vec![], vec![], |v| v.to_vec()).is_err());
    }
}
