//! Samples of which some values are known only to lie between bounds: left, right, interval and progressive type-II censoring.
//!
//! A row is (lower, upper): an exact value has lower = upper, a right-censored one no upper end, a left-censored one no lower
//! end. Two laws: [`CensoredNormal`] and [`CensoredExtremeValue`] (logs of Weibull lifetimes).
//!
//! The log-likelihood of both is concave in μ/σ and 1/σ, because their densities are log-concave (Prékopa 1973). It has one
//! maximum, at a finite σ > 0, if and only if some row is bounded on both sides and no single value lies in all rows: what
//! [`Sample::new`] asks for. Any start leads there.

mod extreme_value;
mod normal;
mod quadrature;

pub use extreme_value::{CensoredExtremeValue, Records};
pub use normal::CensoredNormal;

use crate::data::{Dense, for_each_row, power_of_two};
use crate::error::{Error, Result};
use crate::model::Derivatives;

/// Censored values made ready for a fit: checked, and shifted and scaled so that no unit is too large or too small.
///
/// ```
/// use mixtura::algorithm::{Algorithm, Batch};
/// use mixtura::engine::Threads;
/// use mixtura::model::{Posterior, censored::{CensoredNormal, Sample}};
/// // Two lamps that failed after 1.2 and 3.4 (log hours), and one that still burned at 3.5.
/// let sample = Sample::new(&[[1.2, 1.2], [3.4, 3.4], [3.5, f64::INFINITY]], None)?;
/// let mut model = CensoredNormal::start(&sample);
/// for _ in 0..200 {
///     Batch(Posterior::Soft).step(&mut model, &mut Threads::new(sample.rows()))?;
/// }
/// let model = model.in_units(&sample); // of the data
/// assert!(model.mu() > 2.7); // the mean of the three numbers
/// # Ok::<(), mixtura::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Sample {
    rows: Dense<'static>,
    /// What a law's start puts in the place of each row, standardised, with the weights.
    stand_ins: Vec<(f64, f64)>,
    shift: f64,
    scale: f64,
    exact_weight: f64,
}

impl Sample {
    /// Rows of (lower, upper) in any unit; an open end is infinite or NaN. Weights (frequencies) may be left out.
    ///
    /// # Errors
    /// [`Error::Data`] if a row is no interval, says nothing or has an infinite value; if no weight is positive; if all rows are
    /// open to one side, or agree with one single value: no μ and σ are best then.
    pub fn new(bounds: &[[f64; 2]], weights: Option<&[f64]>) -> Result<Self> {
        let rows: Vec<[f64; 2]> =
            bounds.iter().enumerate().map(|(i, row)| interval(row, i + 1)).collect::<Result<_>>()?;
        let table = |values: Vec<f64>| {
            let table = Dense::new(values, 2)?;
            weights.map_or(Ok(table.clone()), |w| table.with_weights(w.to_vec()))
        };
        // The weights are checked before they say which rows count.
        table(vec![0.0; 2 * rows.len()])?;
        let weight = |i: usize| weights.map_or(1.0, |w| w[i]);
        let used: Vec<[f64; 2]> = (0..rows.len()).filter(|&i| weight(i) > 0.0).map(|i| rows[i]).collect();
        if !used.iter().any(|[lower, upper]| lower.is_finite() && upper.is_finite()) {
            return Err(Error::Data(
                "every row is open to one side, so no sigma is too large: at least one exact value or one interval with two ends is needed"
                    .into(),
            ));
        }
        let highest = used.iter().map(|r| r[0]).fold(f64::NEG_INFINITY, f64::max);
        let lowest = used.iter().map(|r| r[1]).fold(f64::INFINITY, f64::min);
        if highest <= lowest {
            let value = if highest.is_finite() { highest } else { lowest };
            return Err(Error::Data(format!(
                "every row agrees with the one value {value}, so sigma would be 0: at least two rows that exclude each other are needed"
            )));
        }
        // Median and quartiles of the bounds: a unit that no outlier decides.
        let mut ends: Vec<f64> = used.iter().flatten().copied().filter(|b| b.is_finite()).collect();
        ends.sort_by(f64::total_cmp);
        let at = |share: usize| ends[(ends.len() - 1) * share / 4];
        let half = |low: f64, high: f64| 0.5 * high - 0.5 * low;
        let spread = if at(3) > at(1) { half(at(1), at(3)) } else { half(at(0), at(4)) };
        let (shift, scale) = (at(2), power_of_two(spread));
        let standardised = |b: f64| b / scale - shift / scale;
        let of = |i: usize| rows[i].map(|b| if b.is_finite() { standardised(b) } else { f64::NAN });
        let stand_in = |i: usize| match of(i) {
            [lower, upper] if upper.is_nan() => lower,
            [lower, upper] if lower.is_nan() => upper,
            [lower, upper] => 0.5 * lower + 0.5 * upper,
        };
        let kept = || (0..rows.len()).filter(|&i| weight(i) > 0.0);
        if let Some(i) = kept().find(|&i| of(i).iter().any(|b| b.is_infinite())) {
            return Err(Error::Data(format!("row {} is too far from the others for one unit: remove it", i + 1)));
        }
        Ok(Sample {
            rows: table((0..rows.len()).flat_map(of).map(|b| if b.is_infinite() { 0.0 } else { b }).collect())?,
            stand_ins: kept().map(|i| (stand_in(i), weight(i))).collect(),
            shift,
            scale,
            exact_weight: kept().filter(|&i| rows[i][0] == rows[i][1]).map(weight).sum(),
        })
    }

    /// Progressive type-II censoring: at each failure `removed` more units are taken out of the test, and are known only to
    /// last longer (Viveros & Balakrishnan 1994, Technometrics 36).
    ///
    /// # Errors
    /// [`Error::Data`] if the numbers of values and removals differ, and as [`Sample::new`].
    pub fn progressive(values: &[f64], removed: &[u32]) -> Result<Self> {
        if values.len() != removed.len() {
            let (n, m) = (values.len(), removed.len());
            return Err(Error::Data(format!(
                "there are {n} failures and {m} numbers of removed units: give one for each"
            )));
        }
        let rows: Vec<[f64; 2]> = values.iter().flat_map(|&v| [[v, v], [v, f64::INFINITY]]).collect();
        let weights: Vec<f64> = removed.iter().flat_map(|&r| [1.0, f64::from(r)]).collect();
        Sample::new(&rows, Some(&weights))
    }

    /// The standardised rows: two columns, lower and upper; a missing cell is an open end.
    pub fn rows(&self) -> &Dense<'static> {
        &self.rows
    }

    /// The rows in the data's own unit, as [`Sample::rows`] otherwise (rounded once).
    ///
    /// # Errors
    /// None that a valid sample can cause.
    pub fn rows_in_units(&self) -> Result<Dense<'static>> {
        let (mut cells, mut weights) = (Vec::new(), Vec::new());
        for_each_row(&self.rows, |_, row, w, _| {
            cells.extend(row.iter().map(|b| b * self.scale + self.shift));
            weights.push(w);
        })?;
        Dense::new(cells, 2)?.with_weights(weights)
    }

    /// What was subtracted.
    pub fn shift(&self) -> f64 {
        self.shift
    }

    /// What the differences were divided by, a power of two.
    pub fn scale(&self) -> f64 {
        self.scale
    }

    /// What must be added to a log-likelihood of the standardised rows to get that of the data: each exact value has a density,
    /// whose unit is that of the data.
    pub fn log_jacobian(&self) -> f64 {
        -self.exact_weight * self.scale.ln()
    }

    fn original(&self, mu: f64, sigma: f64) -> (f64, f64) {
        (mu * self.scale + self.shift, sigma * self.scale)
    }
}

/// The ends of a row, −∞ or ∞ where open; `number` is the row's for messages, from 1.
fn interval(row: &[f64], number: usize) -> Result<[f64; 2]> {
    let &[lower, upper] = row else {
        let n = row.len();
        return Err(Error::Data(format!("row {number} has {n} cells: a censored value has two, lower and upper")));
    };
    let lower = if lower.is_nan() { f64::NEG_INFINITY } else { lower };
    let upper = if upper.is_nan() { f64::INFINITY } else { upper };
    if lower == f64::NEG_INFINITY && upper == f64::INFINITY {
        return Err(Error::Data(format!(
            "row {number} has neither a lower nor an upper end: it says nothing, remove it"
        )));
    }
    if lower == f64::INFINITY || upper == f64::NEG_INFINITY {
        return Err(Error::Data(format!("row {number} lies at infinity: its ends are {lower} and {upper}")));
    }
    if lower > upper {
        return Err(Error::Data(format!("row {number} begins at {lower} and ends at {upper}: exchange its ends")));
    }
    Ok([lower, upper])
}

/// Whether these can be parameters.
fn valid(mu: f64, sigma: f64) -> bool {
    mu.is_finite() && sigma > 0.0 && sigma.is_finite()
}

fn no_spread() -> Error {
    Error::Data("all completed values are the same, so sigma would be 0: at least two different ones are needed".into())
}

/// Score and information of a row's value, expected, in z = (y − μ)/σ for σ = 1: by μ, then by σ.
struct Louis {
    score: [f64; 2],
    /// (μ, μ), (σ, μ), (σ, σ).
    complete: [f64; 3],
    missing: [f64; 3],
}

impl Louis {
    /// Adds a row of weight `w` at scale σ.
    fn add(&self, w: f64, sigma: f64, out: &mut Derivatives) {
        let (one, two) = (1.0 / sigma, 1.0 / sigma / sigma);
        for i in 0..3 {
            out.complete[i] += w * self.complete[i] * two;
            out.missing[i] += w * self.missing[i] * two;
        }
        out.add_score(w, &self.score.map(|s| s * one));
    }
}

fn names() -> Vec<String> {
    vec!["mu".into(), "sigma".into()]
}
