//! A table in memory, 32- or 64-bit, with optional case weights and known components.

use std::borrow::Cow;

use super::{Buffer, CHUNK_ROWS, Chunk, Rows, Source};
use crate::error::{Error, Result};

/// Row-major values; NaN = missing.
#[derive(Clone, Debug)]
pub enum Values<'a> {
    /// 64-bit values: read without copying.
    F64(Cow<'a, [f64]>),
    /// 32-bit values: widened chunk by chunk.
    F32(Cow<'a, [f32]>),
}

impl Values<'_> {
    fn len(&self) -> usize {
        match self {
            Values::F64(v) => v.len(),
            Values::F32(v) => v.len(),
        }
    }

    fn push_column_major(&self, row: usize, n_rows: usize, to: &mut Vec<f64>) {
        match self {
            Values::F64(v) => to.extend(v[row..].iter().step_by(n_rows)),
            Values::F32(v) => to.extend(v[row..].iter().step_by(n_rows).map(|&x| f64::from(x))),
        }
    }

    fn first_infinite(&self) -> Option<usize> {
        match self {
            Values::F64(v) => first(v, |x| x.is_infinite()),
            Values::F32(v) => first(v, |x| x.is_infinite()),
        }
    }
}

/// Position of the first value that `is` so. Most often there is none: blocks are looked at as a whole, since a loop without a
/// way out runs along the vector lanes.
fn first<T: Copy>(values: &[T], is: impl Fn(T) -> bool) -> Option<usize> {
    const BLOCK: usize = 1024;
    let (b, block) = values.chunks(BLOCK).enumerate().find(|(_, b)| b.iter().fold(false, |any, &x| any | is(x)))?;
    block.iter().position(|&x| is(x)).map(|at| b * BLOCK + at)
}

/// A table in memory.
///
/// ```
/// use mixtura::data::{Dense, Source};
/// let table = Dense::new(vec![1.0, 2.0, 3.0, f64::NAN], 2)?.with_weights(vec![1.0, 0.0])?;
/// assert_eq!(table.n_rows(), 1); // a row of weight 0 is not used
/// # Ok::<(), mixtura::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Dense<'a> {
    values: Values<'a>,
    n_features: usize,
    n_rows: usize,
    /// Whether the values go column by column.
    by_columns: bool,
    weights: Option<Cow<'a, [f64]>>,
    labels: Option<Cow<'a, [i32]>>,
    /// Positions of the used rows, where some have weight 0.
    used: Option<Vec<u32>>,
}

impl<'a> Dense<'a> {
    /// 64-bit rows, row-major, `n_features` values each.
    ///
    /// # Errors
    /// If there is no row or no feature, the length is not a whole number of rows, or a value is infinite.
    pub fn new(values: impl Into<Cow<'a, [f64]>>, n_features: usize) -> Result<Self> {
        Self::from_values(Values::F64(values.into()), n_features)
    }

    /// As [`Dense::new`], for either width.
    ///
    /// # Errors
    /// As [`Dense::new`].
    pub fn from_values(values: Values<'a>, n_features: usize) -> Result<Self> {
        Self::laid_out(values, n_features, false)
    }

    /// Columns one after the other, as statistical programs and data frames keep them: read without copying, too.
    ///
    /// ```
    /// use mixtura::data::{Dense, Values};
    /// let table = Dense::from_columns(Values::F64(vec![1.0, 2.0, 3.0, 10.0, 20.0, 30.0].into()), 2)?;
    /// # Ok::<(), mixtura::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Dense::new`].
    pub fn from_columns(values: Values<'a>, n_features: usize) -> Result<Self> {
        Self::laid_out(values, n_features, true)
    }

    fn laid_out(values: Values<'a>, n_features: usize, by_columns: bool) -> Result<Self> {
        if n_features == 0 || values.len() == 0 {
            return Err(Error::Data("there are no rows or no columns to fit".into()));
        }
        if !values.len().is_multiple_of(n_features) {
            return Err(Error::Data(format!("{} values are not a whole number of rows of {n_features}", values.len())));
        }
        let n_rows = values.len() / n_features;
        if let Some(at) = values.first_infinite() {
            let (row, column) =
                if by_columns { (at % n_rows, at / n_rows) } else { (at / n_features, at % n_features) };
            return Err(Error::Data(format!(
                "row {}, column {} is infinite: remove the row or mark the cell as missing",
                row + 1,
                column + 1
            )));
        }
        if u32::try_from(n_rows).is_err() {
            return Err(Error::Data(format!("{n_rows} rows are more than the 4,294,967,295 that one table may hold")));
        }
        Ok(Dense { values, n_features, n_rows, by_columns, weights: None, labels: None, used: None })
    }

    /// Adds case weights (frequencies): a weight of 2 is the row twice, a weight of 0 no row.
    ///
    /// # Errors
    /// If the number of weights is not the number of rows, one is negative or not finite, or all are 0.
    pub fn with_weights(mut self, weights: impl Into<Cow<'a, [f64]>>) -> Result<Self> {
        let weights = weights.into();
        if weights.len() != self.n_rows {
            return Err(Error::Data(format!("there are {} weights for {} rows", weights.len(), self.n_rows)));
        }
        if let Some(row) = weights.iter().position(|w| !(*w >= 0.0 && w.is_finite())) {
            return Err(Error::Data(format!(
                "the weight of row {} is {}: weights must be finite and not negative",
                row + 1,
                weights[row]
            )));
        }
        if !weights.iter().sum::<f64>().is_finite() {
            return Err(Error::Data(
                "the weights sum to more than a 64-bit number holds: divide them all by a constant".into(),
            ));
        }
        let used: Vec<u32> = (0..self.n_rows as u32).filter(|&i| weights[i as usize] > 0.0).collect();
        if used.is_empty() {
            return Err(Error::Data("every weight is 0: no row is left to fit".into()));
        }
        self.used = (used.len() < self.n_rows).then_some(used);
        self.weights = Some(weights);
        Ok(self)
    }

    /// Adds known components: −1 = unknown.
    ///
    /// # Errors
    /// If the number of labels is not the number of rows, or one is below −1.
    pub fn with_labels(mut self, labels: impl Into<Cow<'a, [i32]>>) -> Result<Self> {
        let labels = labels.into();
        if labels.len() != self.n_rows {
            return Err(Error::Data(format!("there are {} labels for {} rows", labels.len(), self.n_rows)));
        }
        if let Some(row) = labels.iter().position(|l| *l < -1) {
            return Err(Error::Data(format!("the label of row {} is {}: use 0, 1, … or −1", row + 1, labels[row])));
        }
        self.labels = Some(labels);
        Ok(self)
    }
}

impl Source for Dense<'_> {
    fn n_features(&self) -> usize {
        self.n_features
    }

    fn n_rows(&self) -> usize {
        self.used.as_ref().map_or(self.n_rows, Vec::len)
    }

    fn n_labels(&self) -> usize {
        self.labels.as_deref().map_or(0, |l| l.iter().copied().max().map_or(0, |m| (m + 1).max(0) as usize))
    }

    fn read<'b>(&'b self, id: usize, buffer: &'b mut Buffer) -> Result<Chunk<'b>> {
        let d = self.n_features;
        let first_row = id * CHUNK_ROWS;
        let end = (first_row + CHUNK_ROWS).min(self.n_rows());
        let Buffer { values, weights, labels, .. } = buffer;
        if let Some(used) = &self.used {
            let rows = &used[first_row..end];
            values.clear();
            for &i in rows {
                if self.by_columns {
                    self.values.push_column_major(i as usize, self.n_rows, values);
                    continue;
                }
                let cells = i as usize * d..(i as usize + 1) * d;
                match &self.values {
                    Values::F64(v) => values.extend_from_slice(&v[cells]),
                    Values::F32(v) => values.extend(v[cells].iter().map(|&x| f64::from(x))),
                }
            }
            let weights = self.weights.as_deref().map(|w| gather(w, rows, weights));
            let labels = self.labels.as_deref().map(|l| gather(l, rows, labels));
            return Ok(Chunk { rows: Rows::new(values, d), weights, labels, sequence_ends: &[], first_row });
        }
        let cells = first_row * d..end * d;
        let rows = match &self.values {
            _ if self.by_columns => {
                values.clear();
                values.resize((end - first_row) * d, 0.0);
                // Column by column: each is read as it lies.
                for j in 0..d {
                    let column = j * self.n_rows + first_row..j * self.n_rows + end;
                    let to = values[j..].iter_mut().step_by(d);
                    match &self.values {
                        Values::F64(v) => to.zip(&v[column]).for_each(|(to, x)| *to = *x),
                        Values::F32(v) => to.zip(&v[column]).for_each(|(to, x)| *to = f64::from(*x)),
                    }
                }
                Rows::new(values, d)
            }
            Values::F64(v) => Rows::new(&v[cells], d),
            Values::F32(v) => {
                values.clear();
                values.extend(v[cells].iter().map(|&x| f64::from(x)));
                Rows::new(values, d)
            }
        };
        let (weights, labels) = (self.weights.as_deref(), self.labels.as_deref());
        Ok(Chunk {
            rows,
            weights: weights.map(|w| &w[first_row..end]),
            labels: labels.map(|l| &l[first_row..end]),
            sequence_ends: &[],
            first_row,
        })
    }
}

fn gather<'b, T: Copy>(from: &[T], rows: &[u32], to: &'b mut Vec<T>) -> &'b [T] {
    to.clear();
    to.extend(rows.iter().map(|&i| from[i as usize]));
    to
}
