//! What any method says of the uncertainty of estimates: their covariance, and intervals, regions and functions made from it.

use std::f64::consts::FRAC_1_SQRT_2;

use mixtura_kernels::cholesky::{at, factor, packed_len};

use crate::error::{Error, Result};
use crate::family::Range;

/// Estimates with the covariance of their sampling distribution, in the data's own units.
///
/// ```
/// use mixtura::family::Range;
/// use mixtura::infer::Errors;
///
/// // A mean and a variance of 50 rows: Var(mean) = σ²/n, Var(σ²) = 2σ⁴/n.
/// let (names, ranges) = (vec!["mean".into(), "variance".into()], vec![Range::Real, Range::Positive]);
/// let errors = Errors::new("louis", names, ranges, vec![3.0, 4.0], vec![0.08, 0.0, 0.0, 0.64]);
/// assert_eq!(errors.standard_errors()[1], 0.8);
/// // The interval of a standard deviation, by the delta method.
/// let sd = errors.of(vec!["sd".into()], vec![Range::Positive], |p| vec![p[1].sqrt()])?;
/// assert!((sd.standard_errors()[0] - 0.2).abs() < 1e-9);
/// # Ok::<(), mixtura::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Errors {
    /// The name of the method in every face.
    pub method: &'static str,
    /// One name per parameter, p.
    pub names: Vec<String>,
    /// The values that each can have.
    pub ranges: Vec<Range>,
    /// The estimates.
    pub estimates: Vec<f64>,
    /// Their covariance, p × p row-major, symmetric.
    pub covariance: Vec<f64>,
    /// Where the covariance comes from numerical differences: the largest disagreement of its two halves, which theory makes equal,
    /// over the standard errors of the two parameters. `None` where nothing of the kind can be measured.
    pub asymmetry: Option<f64>,
    /// What a reader of the figures must know, one sentence each.
    pub notes: Vec<String>,
}

/// A confidence interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// A hypothesis about all parameters, measured by the Wald ellipsoid around the estimates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wald {
    /// (θ − θ₀)ᵀ V⁻¹ (θ − θ₀).
    pub statistic: f64,
    /// Number of parameters: degrees of freedom of the statistic's χ² distribution, where the hypothesis is true.
    pub degrees: usize,
    /// The probability of a statistic this large or larger: the point lies in the confidence region of level 1 − α if this is ≥ α.
    pub p_value: f64,
}

impl Range {
    /// The scale on which an interval is symmetric: its name.
    pub fn scale(self) -> &'static str {
        match self {
            Range::Real => "identity",
            Range::Positive => "log",
            Range::Probability => "logit",
            Range::Correlation => "atanh",
        }
    }

    /// The value on that scale, and its derivative there.
    pub(super) fn transform(self, x: f64) -> (f64, f64) {
        match self {
            Range::Real => (x, 1.0),
            Range::Positive => (x.ln(), 1.0 / x),
            Range::Probability => (x.ln() - (-x).ln_1p(), 1.0 / (x * (1.0 - x))),
            Range::Correlation => (x.atanh(), 1.0 / ((1.0 - x) * (1.0 + x))),
        }
    }

    pub(super) fn back(self, y: f64) -> f64 {
        match self {
            Range::Real => y,
            Range::Positive => y.exp(),
            Range::Probability => 1.0 / (1.0 + (-y).exp()),
            Range::Correlation => y.tanh(),
        }
    }

    /// The ends of the range.
    pub fn ends(self) -> (f64, f64) {
        match self {
            Range::Real => (f64::NEG_INFINITY, f64::INFINITY),
            Range::Positive => (0.0, f64::INFINITY),
            Range::Probability => (0.0, 1.0),
            Range::Correlation => (-1.0, 1.0),
        }
    }
}

impl Errors {
    /// Estimates and their covariance (p × p row-major), without notes.
    ///
    /// # Panics
    /// If the lengths do not match.
    pub fn new(
        method: &'static str,
        names: Vec<String>,
        ranges: Vec<Range>,
        estimates: Vec<f64>,
        covariance: Vec<f64>,
    ) -> Self {
        let p = estimates.len();
        assert!(names.len() == p && ranges.len() == p && covariance.len() == p * p, "one of each per parameter");
        Errors { method, names, ranges, estimates, covariance, asymmetry: None, notes: Vec::new() }
    }

    /// Square roots of the variances, one per parameter.
    pub fn standard_errors(&self) -> Vec<f64> {
        let p = self.estimates.len();
        (0..p).map(|i| self.covariance[i * p + i].max(0.0).sqrt()).collect()
    }

    /// Wald intervals, symmetric on the scale that [`Range::scale`] names and so within the parameter's range. An estimate that
    /// is an end of its range has no place on that scale: its interval is symmetric, and cut off at the end.
    ///
    /// # Errors
    /// If the level is not between 0 and 1.
    pub fn intervals(&self, level: f64) -> Result<Vec<Interval>> {
        check_level(level)?;
        let z = normal_quantile(level);
        let each = self.estimates.iter().zip(self.standard_errors()).zip(&self.ranges);
        Ok(each
            .map(|((&x, se), range)| {
                let (end, far) = range.ends();
                let (y, slope) = range.transform(x);
                if !(y.is_finite() && slope.is_finite()) {
                    return Interval { low: (x - z * se).max(end), high: (x + z * se).min(far) };
                }
                let half = z * se * slope;
                // Without any uncertainty, the estimate and not what rounding makes of it.
                if half == 0.0 {
                    Interval { low: x, high: x }
                } else {
                    Interval { low: range.back(y - half), high: range.back(y + half) }
                }
            })
            .collect())
    }

    /// Measures a point against the confidence region: the Wald ellipsoid of all parameters ([`Errors::select`] for some).
    ///
    /// # Errors
    /// If the point has another number of coordinates, or the covariance is singular.
    pub fn wald(&self, point: &[f64]) -> Result<Wald> {
        let p = self.estimates.len();
        if point.len() != p {
            return Err(Error::Usage(format!("the point has {} coordinates, the model has {p}", point.len())));
        }
        let se = self.standard_errors();
        let mut l = vec![0.0; packed_len(p)];
        for i in 0..p {
            for j in 0..=i {
                l[at(i, j)] = self.covariance[i * p + j] / se[i] / se[j];
            }
        }
        // Correlations that Cholesky leaves less than this of are 1 up to the rounding of the covariance.
        let singular = factor(&mut l, p).is_err() || (0..p).any(|i| l[at(i, i)] < 1e-6);
        if singular {
            return Err(Error::Usage(
                "some of these parameters follow from the others: a region needs parameters of which none does".into(),
            ));
        }
        let mut y: Vec<f64> = (0..p).map(|i| (self.estimates[i] - point[i]) / se[i]).collect();
        for i in 0..p {
            let s: f64 = (0..i).map(|j| l[at(i, j)] * y[j]).sum();
            y[i] = (y[i] - s) / l[at(i, i)];
        }
        let statistic = y.iter().map(|v| v * v).sum();
        Ok(Wald { statistic, degrees: p, p_value: chi_square_tail(statistic, p) })
    }

    /// Some of the parameters, in the given order.
    ///
    /// # Panics
    /// If an index is not below p.
    pub fn select(&self, keep: &[usize]) -> Errors {
        let p = self.estimates.len();
        Errors {
            method: self.method,
            names: keep.iter().map(|&i| self.names[i].clone()).collect(),
            ranges: keep.iter().map(|&i| self.ranges[i]).collect(),
            estimates: keep.iter().map(|&i| self.estimates[i]).collect(),
            covariance: keep.iter().flat_map(|&i| keep.iter().map(move |&j| self.covariance[i * p + j])).collect(),
            asymmetry: self.asymmetry,
            notes: self.notes.clone(),
        }
    }

    /// Functions of the parameters by the delta method: `f` at the estimates, with covariance J V Jᵀ, J by central differences
    /// (two steps, Richardson's extrapolation, a hundredth of a standard error).
    ///
    /// # Errors
    /// If `f` gives another number of values than there are names, or no finite ones near the estimates.
    pub fn of(&self, names: Vec<String>, ranges: Vec<Range>, f: impl Fn(&[f64]) -> Vec<f64>) -> Result<Errors> {
        let (p, q) = (self.estimates.len(), names.len());
        let value = |point: &[f64]| {
            let value = f(point);
            if value.len() != q || ranges.len() != q {
                return Err(Error::Usage(format!("the function gives {} values for {q} names", value.len())));
            }
            match value.iter().position(|v| !v.is_finite()) {
                Some(i) => Err(Error::Usage(format!(
                    "the function is not finite near the estimates: its value '{}' is {}",
                    names[i], value[i]
                ))),
                None => Ok(value),
            }
        };
        let estimates = value(&self.estimates)?;
        let mut jacobian = vec![0.0; q * p];
        let mut point = self.estimates.clone();
        for (j, se) in self.standard_errors().into_iter().enumerate() {
            // A parameter known exactly adds nothing.
            if se == 0.0 {
                continue;
            }
            let centre = self.estimates[j];
            let mut slope = |h: f64| -> Result<Vec<f64>> {
                point[j] = centre + h;
                let (up, above) = (point[j], value(&point)?);
                point[j] = centre - h;
                let (down, below) = (point[j], value(&point)?);
                point[j] = centre;
                Ok(above.iter().zip(below).map(|(a, b)| (a - b) / (up - down)).collect())
            };
            let (coarse, fine) = (slope(DELTA_STEP * se)?, slope(0.5 * DELTA_STEP * se)?);
            (0..q).for_each(|i| jacobian[i * p + j] = (4.0 * fine[i] - coarse[i]) / 3.0);
        }
        Ok(self.through(names, ranges, estimates, &jacobian))
    }

    /// The same in other parameters, of which the Jacobian (q × p, row-major) is known: covariance J V Jᵀ.
    ///
    /// # Panics
    /// If the lengths do not match.
    pub fn through(&self, names: Vec<String>, ranges: Vec<Range>, estimates: Vec<f64>, jacobian: &[f64]) -> Errors {
        let (p, q) = (self.estimates.len(), estimates.len());
        assert_eq!(jacobian.len(), q * p, "one row per value");
        let row = |i: usize| &jacobian[i * p..][..p];
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let half: Vec<f64> = (0..p * q).map(|n| dot(&self.covariance[n % p * p..][..p], row(n / p))).collect();
        let mut covariance = vec![0.0; q * q];
        for i in 0..q {
            for j in 0..=i {
                let c = dot(&half[i * p..][..p], row(j));
                (covariance[i * q + j], covariance[j * q + i]) = (c, c);
            }
        }
        let made = Errors::new(self.method, names, ranges, estimates, covariance);
        Errors { asymmetry: self.asymmetry, notes: self.notes.clone(), ..made }
    }
}

/// Steps of [`Errors::of`] in standard errors: what Richardson leaves is of order 1e-8 times the fifth derivative per standard
/// error, and a variance whose standard error is its own size stays positive.
const DELTA_STEP: f64 = 0.01;

/// Refuses a confidence level that is none.
pub(crate) fn check_level(level: f64) -> Result<()> {
    if level > 0.0 && level < 1.0 {
        return Ok(());
    }
    Err(Error::Usage(format!("the confidence level is {level}: use a number between 0 and 1, such as 0.95")))
}

/// z with P(|Z| ≤ z) = `level`, by bisection of the tail erfc(z/√2) = 1 − level, to the last bit.
pub(crate) fn normal_quantile(level: f64) -> f64 {
    // Beyond 9 the tail is below the spacing of numbers next to 1.
    let (mut low, mut high) = (0.0, 9.0);
    loop {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            return middle;
        }
        if libm::erfc(middle * FRAC_1_SQRT_2) > 1.0 - level { low = middle } else { high = middle }
    }
}

/// P(χ² with `degrees` degrees of freedom ≥ x), by its finite sums (Abramowitz & Stegun 1964, 26.4.4 and 26.4.5).
pub(crate) fn chi_square_tail(x: f64, degrees: usize) -> f64 {
    if x <= 0.0 || degrees == 0 {
        return if x > 0.0 { 0.0 } else { 1.0 };
    }
    let half = 0.5 * x;
    // Terms e^(−x/2) (x/2)^a / Γ(a + 1) for a = 0, 1, … or ½, 1½, …, by logarithms: a factor may underflow where the sum does not.
    let odd = degrees % 2;
    let first = if odd == 1 { libm::erfc(half.sqrt()) } else { 0.0 };
    let term = |n: usize| {
        let a = n as f64 + 0.5 * odd as f64;
        (a * half.ln() - half - libm::lgamma(a + 1.0)).exp()
    };
    (first + (0..degrees / 2).map(term).sum::<f64>()).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> Errors {
        let names = vec!["a".into(), "b".into()];
        Errors::new("test", names, vec![Range::Real, Range::Positive], vec![1.0, 2.0], vec![4.0, 1.0, 1.0, 1.0])
    }

    #[test]
    fn quantiles_and_tails_are_those_of_the_tables() {
        // Abramowitz & Stegun, table 26.1 and its inverse; 15 digits by mpmath.
        for (level, z) in [(0.95, 1.959_963_984_540_054), (0.5, 0.674_489_750_196_081_7), (0.99, 2.575_829_303_548_901)]
        {
            assert!((normal_quantile(level) - z).abs() < 4e-15, "{level}");
        }
        // χ² quantiles of scipy 1.11 (chi2.isf), 1 to 5 degrees of freedom; and far out, where factors underflow.
        for (x, degrees, p) in [
            (3.841_458_820_694_124, 1, 0.05),
            (5.991_464_547_107_979, 2, 0.05),
            (7.814_727_903_251_179, 3, 0.05),
            (13.276_704_135_987_622, 4, 0.01),
            (1.145_476_226_061_769_3, 5, 0.95),
        ] {
            assert!((chi_square_tail(x, degrees) - p).abs() < 1e-14, "{x} {degrees}");
        }
        // e^-1000 · Σ 1000^j/j! over j < 1000 is a Poisson probability, near ½ by its median (Choi 1994: between n − ln 2 and n + 1/3).
        let p = chi_square_tail(2000.0, 2000);
        assert!(p > 0.48 && p < 0.5, "{p}");
        assert_eq!((chi_square_tail(0.0, 3), chi_square_tail(f64::INFINITY, 1)), (1.0, 0.0));
    }

    #[test]
    fn intervals_stay_in_their_ranges() {
        let all = |range, x: f64, se: f64| {
            Errors::new("test", vec!["a".into()], vec![range], vec![x], vec![se * se]).intervals(0.95).unwrap()[0]
        };
        let z = normal_quantile(0.95);
        assert_eq!(all(Range::Real, 1.0, 2.0), Interval { low: 1.0 - 2.0 * z, high: 1.0 + 2.0 * z });
        // ln 2 ± z·1/2; logit ½ = 0 with slope 4; atanh 0 with slope 1.
        let Interval { low, high } = all(Range::Positive, 2.0, 1.0);
        assert!((low - 2.0 * (-0.5 * z).exp()).abs() < 1e-15 && (high - 2.0 * (0.5 * z).exp()).abs() < 1e-14);
        let Interval { low, high } = all(Range::Probability, 0.5, 0.25);
        assert!((low - 1.0 / (1.0 + z.exp())).abs() < 1e-15 && (low + high - 1.0).abs() < 1e-15);
        let Interval { low, high } = all(Range::Correlation, 0.0, 1.0);
        assert!(low == -high && (high - z.tanh()).abs() < 1e-15);
        for (range, x) in [(Range::Positive, 0.0), (Range::Probability, 0.0), (Range::Probability, 1.0)] {
            let Interval { low, high } = all(range, x, 0.1);
            let (end, far) = range.ends();
            assert!(low >= end && high <= far && low < high, "{range:?} {x}: {low} {high}");
        }
        assert_eq!(all(Range::Probability, 0.3, 0.0), Interval { low: 0.3, high: 0.3 });
        let Interval { low, high } = all(Range::Positive, 1e-300, 1e-300);
        assert!(low > 0.0 && high < 1e-298);
        for level in [0.0, 1.0, -1.0, f64::NAN] {
            assert!(two().intervals(level).is_err());
        }
    }

    #[test]
    fn regions_and_functions_by_hand() {
        // V = [4 1; 1 1], V⁻¹ = [1 −1; −1 4]/3; the point is (1, 1) away: (1 − 2 + 4)/3 = 1.
        let wald = two().wald(&[0.0, 1.0]).unwrap();
        assert!((wald.statistic - 1.0).abs() < 1e-15 && wald.degrees == 2);
        assert!((wald.p_value - (-0.5_f64).exp()).abs() < 1e-15);
        assert!(two().wald(&[0.0]).is_err());
        // a + 2b and ab: J = [1 2; 2 1], J V Jᵀ = [12 15; 15 21].
        let f = |p: &[f64]| vec![p[0] + 2.0 * p[1], p[0] * p[1]];
        let made = two().of(vec!["s".into(), "p".into()], vec![Range::Real; 2], f).unwrap();
        assert_eq!(made.estimates, [5.0, 2.0]);
        // Central differences of quadratic functions err by rounding only: 1e-16 over steps of 0.01.
        for (got, want) in made.covariance.iter().zip([12.0, 15.0, 15.0, 21.0]) {
            assert!((got - want).abs() < 1e-11, "{:?}", made.covariance);
        }
        let twice = two().of(vec!["b".into(), "b".into()], vec![Range::Real; 2], |p| vec![p[1], p[1]]).unwrap();
        assert!(twice.wald(&[1.0, 1.0]).unwrap_err().to_string().contains("follow from the others"));
        assert!(two().of(vec!["r".into()], vec![Range::Real], |p| vec![(p[1] - 2.0).sqrt()]).is_err());
        assert!(two().of(vec!["r".into()], vec![Range::Real], |_| Vec::new()).is_err());
        assert_eq!(two().select(&[1]).covariance, [1.0]);
    }
}
