//! Turns the columns read from a file into the final table: leaves out the unusable ones, keeps
//! the order asked for and closes the gaps in place.

use std::collections::HashMap;

use crate::error::{ReadError, quoted};
use crate::plan::{Names, Plan};
use crate::table::DroppedColumn;

/// Numbers as read, row after row, before the choice of columns.
pub(crate) struct Gathered<T> {
    /// Which column of the file each stored column is.
    pub(crate) stored: Vec<usize>,
    pub(crate) values: Vec<T>,
    pub(crate) n_rows: usize,
    /// The columns of the file already left out, with the reason.
    pub(crate) text: Vec<(usize, String)>,
    /// For columns of the file with an infinite value, a description of the first one and its place.
    pub(crate) infinite: HashMap<usize, String>,
}

/// The columns of the final table.
pub(crate) struct Selected<T> {
    pub(crate) columns: Vec<String>,
    pub(crate) values: Vec<T>,
    pub(crate) dropped: Vec<DroppedColumn>,
}

impl<T: Copy + Into<f64>> Gathered<T> {
    fn column(&self, stored: usize) -> impl Iterator<Item = f64> {
        self.values.iter().skip(stored).step_by(self.stored.len()).map(|&v| v.into())
    }

    /// Keeps the stored columns at the positions `keep`, in that order, without a second copy.
    pub(crate) fn keep(&mut self, keep: &[usize]) {
        let stride = self.stored.len();
        if keep.len() == stride && keep.iter().enumerate().all(|(i, &k)| i == k) {
            return;
        }
        let mut row = Vec::with_capacity(keep.len());
        for r in 0..self.n_rows {
            row.clear();
            row.extend(keep.iter().map(|&k| self.values[r * stride + k]));
            // Never ahead of the reading: the kept columns are distinct, so at most `stride`.
            self.values[r * keep.len()..(r + 1) * keep.len()].copy_from_slice(&row);
        }
        self.values.truncate(self.n_rows * keep.len());
        self.stored = keep.iter().map(|&k| self.stored[k]).collect();
    }

    /// The final choice.
    pub(crate) fn select(
        mut self,
        source: &str,
        names: &Names,
        plan: &Plan,
        notes: &mut Vec<String>,
    ) -> Result<Selected<T>, ReadError> {
        let mut dropped = std::mem::take(&mut self.text);
        let mut keep: Vec<usize> = Vec::new();
        let mut row_names: Vec<(usize, String)> = Vec::new();
        for (stored, &column) in self.stored.iter().enumerate() {
            let asked = plan.asks_for(column);
            if !plan.keep_empty && self.column(stored).all(f64::is_nan) {
                if asked || names.names.len() == 1 {
                    return Err(ReadError::Data(format!(
                        "{source}: column {} has no value in any row; leave it out",
                        quoted(&names.names[column])
                    )));
                }
                dropped.push((column, "no value".into()));
            } else if let Some(reason) = (!asked).then(|| self.row_name_reason(stored, column, names)).flatten() {
                row_names.push((stored, reason));
            } else {
                keep.push(stored);
            }
        }
        if keep.is_empty() && !row_names.is_empty() {
            for (stored, reason) in row_names {
                notes.push(format!(
                    "column {} is kept although it looks useless ({reason}): it is the only choice",
                    quoted(&names.names[self.stored[stored]])
                ));
                keep.push(stored);
            }
        } else {
            let reasons = row_names.into_iter().map(|(stored, why)| (self.stored[stored], why));
            dropped.extend(reasons);
        }
        if keep.is_empty() {
            dropped.sort_unstable();
            let why = dropped.first().map_or(String::new(), |(column, reason)| {
                format!(" (column {} is left out: {reason})", quoted(&names.names[*column]))
            });
            return Err(ReadError::Data(format!(
                "{source}: there is no numeric column to read{why}; give a table with at least one \
                 column of numbers"
            )));
        }
        for &stored in &keep {
            let column = self.stored[stored];
            if let Some(place) = self.infinite.get(&column) {
                return Err(ReadError::Data(format!(
                    "{source}, {place} of column {} is not finite; correct it, mark it as missing \
                     or leave the column out",
                    quoted(&names.names[column])
                )));
            }
        }
        self.keep(&keep);
        self.values.shrink_to_fit();
        dropped.sort_unstable();
        let name = |column: usize| names.names[column].clone();
        Ok(Selected {
            columns: self.stored.iter().map(|&column| name(column)).collect(),
            dropped: dropped.into_iter().map(|(column, reason)| DroppedColumn { name: name(column), reason }).collect(),
            values: self.values,
        })
    }

    /// Why this column looks like row names, row numbers or a constant rather than data.
    fn row_name_reason(&self, stored: usize, column: usize, names: &Names) -> Option<String> {
        let mut values = self.column(stored);
        let first = values.next()?;
        if self.n_rows >= 3
            && first.fract() == 0.0
            && values.zip(1u32..).all(|(value, row)| value == first + f64::from(row))
        {
            return Some("consecutive integers, like row numbers".into());
        }
        if self.n_rows >= 2 && self.column(stored).all(|value| value == first) {
            return Some(format!("constant, always {first}"));
        }
        let name = names.names[column].to_ascii_lowercase();
        let known = ["id", "index", "rownames", "rowid", "unnamed: 0"].contains(&name.as_str());
        if known || column == 0 && names.first_unnamed {
            return Some("named like row names".into());
        }
        if name.ends_with("_id") && self.distinct_integers(stored) {
            return Some("named like a key, and all values are distinct integers".into());
        }
        None
    }

    fn distinct_integers(&self, stored: usize) -> bool {
        if !self.column(stored).all(|value| value.fract() == 0.0) {
            return false;
        }
        let mut sorted: Vec<f64> = self.column(stored).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        sorted.windows(2).all(|pair| pair[0] != pair[1])
    }
}

/// What is wrong with a weight, if anything.
pub(crate) fn weight_fault(weight: f64) -> Option<&'static str> {
    if weight.is_nan() {
        Some("is missing")
    } else if weight.is_infinite() {
        Some("is not finite")
    } else if weight < 0.0 {
        Some("is negative")
    } else {
        None
    }
}

/// Refuses a weights column in which no row counts.
pub(crate) fn some_weight(source: &str, name: &str, weights: &[f64]) -> Result<(), ReadError> {
    if weights.iter().any(|&w| w > 0.0) {
        return Ok(());
    }
    Err(ReadError::Data(format!(
        "{source}: every weight in column {} is zero; give at least one row a positive weight",
        quoted(name)
    )))
}
