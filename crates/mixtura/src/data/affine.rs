//! Shift and scale per column, so that a fit sees columns of mean about 0 and standard deviation about 1.
//!
//! Scales are powers of two: multiplying by them is exact, so changing a column's unit changes no bit but those of
//! the input's own rounding.

use super::{Buffer, Chunk, Rows, Source, for_each_row, map_chunks};
use crate::error::{Error, Result};

/// `standardised = (original − shift) / scale`, per column; scales are positive powers of two.
#[derive(Clone, Debug, PartialEq)]
pub struct Affine {
    /// What is subtracted.
    pub shift: Vec<f64>,
    /// What it is divided by.
    pub scale: Vec<f64>,
}

/// What [`standardize`] learned of the columns on the way.
#[derive(Clone, Debug)]
pub struct Standardized<'a> {
    source: &'a dyn Source,
    labelled: bool,
    /// Shifts of several rows, then 1 / scale of as many (exact, since scales are powers of two): long loops, also where
    /// rows are short.
    pattern: Vec<f64>,
    /// The map from original to standardised columns.
    pub affine: Affine,
    /// Variance of each standardised column (between about ½ and 2; exactly 0 for a constant column).
    pub variances: Vec<f64>,
    /// Σ weights of the rows in which the column is observed.
    pub observed: Vec<f64>,
    /// Σ weights of all used rows.
    pub total_weight: f64,
}

impl std::fmt::Debug for dyn Source + '_ {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Source({} × {})", self.n_rows(), self.n_features())
    }
}

/// Means and variances outside these would overflow or underflow when squared and summed.
const LARGEST_SD: f64 = 1e153;
const SMALLEST_SD: f64 = 1e-153;
/// Scale of a constant column: beyond, its made-up variance (1e-10 of the square) would not be a normal number.
const LARGEST_CONSTANT: f64 = 1e145;

/// Measures the columns of a source in three passes (range, mean, variance) and returns it standardised.
///
/// # Errors
/// If a column has no value at all, or a variance that a 64-bit number cannot hold. `names` (may be empty) names the
/// columns in the message.
pub fn standardize<'a>(source: &'a dyn Source, names: &[String]) -> Result<Standardized<'a>> {
    let d = source.n_features();
    let name = |j: usize| names.get(j).map_or_else(|| format!("column {}", j + 1), |n| format!("column '{n}'"));

    let ranges = map_chunks(source, |chunk| {
        let (mut low, mut high) = (vec![f64::INFINITY; d], vec![f64::NEG_INFINITY; d]);
        let observed = sums(chunk, d, |_, _| 1.0);
        for i in 0..chunk.rows.n_rows() {
            for ((low, high), &x) in low.iter_mut().zip(&mut high).zip(chunk.rows.row(i)) {
                *low = if x < *low { x } else { *low };
                *high = if x > *high { x } else { *high };
            }
        }
        (low, high, observed, (0..chunk.rows.n_rows()).map(|i| chunk.weight(i)).sum::<f64>())
    })?;
    let (mut low, mut high) = (vec![f64::INFINITY; d], vec![f64::NEG_INFINITY; d]);
    let (mut observed, mut total_weight) = (vec![0.0; d], 0.0);
    for (l, h, o, w) in ranges {
        for j in 0..d {
            (low[j], high[j], observed[j]) = (low[j].min(l[j]), high[j].max(h[j]), observed[j] + o[j]);
        }
        total_weight += w;
    }
    if let Some(j) = (0..d).find(|&j| observed[j] == 0.0) {
        return Err(Error::Data(format!("{} has no value in any row: leave it out", name(j))));
    }
    // Halves first: high − low may overflow where neither end does.
    let middle: Vec<f64> = (0..d).map(|j| 0.5 * low[j] + 0.5 * high[j]).collect();
    let reach: Vec<f64> = (0..d).map(|j| power_of_two(0.5 * high[j] - 0.5 * low[j])).collect();

    let scaled = |j: usize, x: f64| (x - middle[j]) / reach[j];
    let mut mean = total(map_chunks(source, |chunk| sums(chunk, d, scaled))?, d);
    for j in 0..d {
        mean[j] /= observed[j];
    }
    let squared = |j: usize, x: f64| (scaled(j, x) - mean[j]) * (scaled(j, x) - mean[j]);
    let square = total(map_chunks(source, |chunk| sums(chunk, d, squared))?, d);

    let mut affine = Affine { shift: vec![0.0; d], scale: vec![1.0; d] };
    let mut variances = vec![0.0; d];
    for j in 0..d {
        if low[j] == high[j] {
            // A constant column has no scale of its own but its value, as far as its square stays a number.
            affine.shift[j] = low[j];
            affine.scale[j] = constant_scale(low[j]);
            continue;
        }
        let sd = (square[j] / observed[j]).sqrt();
        let true_sd = sd * reach[j];
        if !(SMALLEST_SD..=LARGEST_SD).contains(&true_sd) {
            return Err(Error::Data(format!(
                "{} has a standard deviation of about {true_sd:.1e}, and its variance does not fit a 64-bit number: divide the column by {true_sd:.0e}",
                name(j)
            )));
        }
        let inner = power_of_two(sd);
        affine.scale[j] = reach[j] * inner;
        affine.shift[j] = middle[j] + mean[j] * reach[j];
        variances[j] = (sd / inner) * (sd / inner);
    }
    Ok(Standardized { source, labelled: true, pattern: pattern(&affine), affine, variances, observed, total_weight })
}

/// What [`Standardized`] repeats.
fn pattern(affine: &Affine) -> Vec<f64> {
    let rows = 64_usize.div_ceil(affine.shift.len());
    let inverse: Vec<f64> = affine.scale.iter().map(|s| 1.0 / s).collect();
    [affine.shift.repeat(rows), inverse.repeat(rows)].concat()
}

/// Σ w f(column, x) over the observed cells of every column of a chunk.
fn sums(chunk: Chunk<'_>, n_features: usize, f: impl Fn(usize, f64) -> f64) -> Vec<f64> {
    let mut sums = vec![0.0; n_features];
    for i in 0..chunk.rows.n_rows() {
        let w = chunk.weight(i);
        for (j, (sum, &x)) in sums.iter_mut().zip(chunk.rows.row(i)).enumerate() {
            *sum += if x.is_nan() { 0.0 } else { w * f(j, x) };
        }
    }
    sums
}

/// Sums of chunks, added in order.
fn total(chunks: Vec<Vec<f64>>, n_features: usize) -> Vec<f64> {
    let mut total = vec![0.0; n_features];
    for chunk in chunks {
        total.iter_mut().zip(chunk).for_each(|(t, c)| *t += c);
    }
    total
}

/// The same rows through a given map, measured in one pass: columns may lack every value.
///
/// # Errors
/// If the source cannot be read.
pub fn standardize_by(source: &dyn Source, affine: Affine) -> Result<Standardized<'_>> {
    let d = source.n_features();
    let (mut observed, mut mean, mut square) = (vec![0.0; d], vec![0.0; d], vec![0.0; d]);
    let mut total_weight = 0.0;
    for_each_row(source, |_, row, w, _| {
        total_weight += w;
        for j in (0..d).filter(|&j| !row[j].is_nan()) {
            let x = (row[j] - affine.shift[j]) / affine.scale[j];
            observed[j] += w;
            mean[j] += w * x;
            square[j] += w * x * x;
        }
    })?;
    let variances = (0..d).map(|j| {
        let m = mean[j] / f64::max(observed[j], f64::MIN_POSITIVE);
        (square[j] / f64::max(observed[j], f64::MIN_POSITIVE) - m * m).max(0.0)
    });
    let variances = variances.collect();
    Ok(Standardized { source, labelled: true, pattern: pattern(&affine), affine, variances, observed, total_weight })
}

/// The scale of a column whose values are all `value`.
pub(crate) fn constant_scale(value: f64) -> f64 {
    if value == 0.0 { 1.0 } else { power_of_two(value.abs().clamp(1.0 / LARGEST_CONSTANT, LARGEST_CONSTANT)) }
}

/// The power of two nearest (by its logarithm) to a positive number; 1 for 0. By the number's bits, so that every
/// machine gives the same.
pub(crate) fn power_of_two(x: f64) -> f64 {
    if x == 0.0 {
        return 1.0;
    }
    let exponent = ((x.to_bits() >> 52) & 0x7ff) as i32 - 1023;
    let mantissa = f64::from_bits(x.to_bits() & ((1 << 52) - 1) | 1023 << 52);
    2.0_f64.powi((exponent + i32::from(mantissa > std::f64::consts::SQRT_2)).clamp(-1020, 1020))
}

impl Standardized<'_> {
    /// The same with the largest scale for all columns, which keeps spherical covariances spherical.
    pub fn with_one_scale(mut self) -> Self {
        let largest = self.affine.scale.iter().copied().fold(0.0, f64::max);
        for j in 0..self.variances.len() {
            let ratio = self.affine.scale[j] / largest;
            self.variances[j] *= ratio * ratio;
        }
        self.affine.scale.fill(largest);
        self.pattern = pattern(&self.affine);
        self
    }

    /// The same rows with all components unknown.
    pub fn without_labels(&self) -> Self {
        Standardized { labelled: false, ..self.clone() }
    }

    /// log |d standardised / d original| summed over the observed cells: what must be added to a log-likelihood of the
    /// standardised rows to get that of the original ones.
    pub fn log_jacobian(&self) -> f64 {
        -self.observed.iter().zip(&self.affine.scale).map(|(w, s)| w * s.ln()).sum::<f64>()
    }
}

impl Source for Standardized<'_> {
    fn n_features(&self) -> usize {
        self.source.n_features()
    }

    fn n_rows(&self) -> usize {
        self.source.n_rows()
    }

    fn n_chunks(&self) -> usize {
        self.source.n_chunks()
    }

    fn n_labels(&self) -> usize {
        if self.labelled { self.source.n_labels() } else { 0 }
    }

    fn read<'b>(&'b self, id: usize, buffer: &'b mut Buffer) -> Result<Chunk<'b>> {
        let Buffer { values, inner, .. } = buffer;
        let chunk = self.source.read(id, inner.get_or_insert_default())?;
        let d = self.n_features();
        values.resize(chunk.rows.n_rows() * d, 0.0);
        let several = self.pattern.len() / 2;
        let (shift, inverse) = self.pattern.split_at(several);
        let map = |to: &mut [f64], from: &[f64]| {
            for ((to, from), (shift, inverse)) in to.iter_mut().zip(from).zip(shift.iter().zip(inverse)) {
                *to = (from - shift) * inverse;
            }
        };
        if chunk.rows.stride() == d {
            values.chunks_mut(several).zip(chunk.rows.values().chunks(several)).for_each(|(to, from)| map(to, from));
        } else {
            values.chunks_mut(d).enumerate().for_each(|(i, to)| map(to, chunk.rows.row(i)));
        }
        let labels = chunk.labels.filter(|_| self.labelled);
        Ok(Chunk { rows: Rows::new(values, d), labels, ..chunk })
    }
}
