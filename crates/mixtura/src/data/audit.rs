//! A look at the data before the fit: what would make a mixture hard to fit or easy to misread.

use std::collections::{HashMap, HashSet};

use super::{Source, for_each_row};
use crate::error::Result;

/// Distinct values up to which a column of whole numbers looks like categories.
const FEW_VALUES: usize = 10;
/// Rows up to which duplicates are counted exactly; beyond, the set of row hashes would rival the data in size.
const MOST_ROWS: usize = 200_000;

/// What a look at the data found. Columns are counted from 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Audit {
    /// Used rows.
    pub n_rows: usize,
    /// Cells without a value.
    pub missing_cells: usize,
    /// Rows without any value.
    pub empty_rows: usize,
    /// Columns with a single value.
    pub constant: Vec<usize>,
    /// Pairs (column, earlier column with the same cells).
    pub duplicate: Vec<(usize, usize)>,
    /// Columns of few whole numbers, with the number of distinct values: perhaps categories.
    pub categorical: Vec<(usize, usize)>,
    /// Rows that repeat an earlier one; `None` where there were too many rows to count.
    pub duplicate_rows: Option<usize>,
}

/// Looks at every row once.
///
/// # Errors
/// If the source cannot be read.
pub fn audit(source: &dyn Source) -> Result<Audit> {
    let d = source.n_features();
    let mut found = Audit { n_rows: source.n_rows(), ..Audit::default() };
    let mut values: Vec<Option<HashSet<u64>>> = vec![Some(HashSet::new()); d];
    let mut whole = vec![true; d];
    // Two columns are equal when their cells hash alike in order; 128 bits make an accident impossible in practice.
    let mut columns = vec![(0_u64, 0_u64); d];
    let mut rows = (source.n_rows() <= MOST_ROWS).then(HashSet::new);
    let mut repeated = 0;
    for_each_row(source, |_, row, _, _| {
        let mut hash = (0_u64, 0_u64);
        let mut missing = 0;
        for (j, &x) in row.iter().enumerate() {
            let bits = if x.is_nan() { u64::MAX } else { (x + 0.0).to_bits() };
            columns[j] = stir(columns[j], bits);
            hash = stir(hash, bits);
            if x.is_nan() {
                missing += 1;
                continue;
            }
            whole[j] &= x.fract() == 0.0;
            if let Some(seen) = &mut values[j] {
                seen.insert(bits);
                if seen.len() > FEW_VALUES {
                    values[j] = None;
                }
            }
        }
        found.missing_cells += missing;
        found.empty_rows += usize::from(missing == d);
        if let Some(seen) = &mut rows
            && !seen.insert(hash)
        {
            repeated += 1;
        }
    })?;
    let mut first: HashMap<(u64, u64), usize> = HashMap::new();
    for j in 0..d {
        let distinct = values[j].as_ref().map(HashSet::len);
        match distinct {
            Some(0 | 1) => found.constant.push(j),
            Some(n) if whole[j] && n * 5 <= found.n_rows => found.categorical.push((j, n)),
            _ => {}
        }
        match first.get(&columns[j]) {
            Some(&earlier) if distinct != Some(1) => found.duplicate.push((j, earlier)),
            _ => {
                first.insert(columns[j], j);
            }
        }
    }
    found.duplicate_rows = rows.map(|_| repeated);
    Ok(found)
}

/// One step of two independent multiply–xorshift hashes.
fn stir(state: (u64, u64), bits: u64) -> (u64, u64) {
    let a = (state.0 ^ bits).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let b = (state.1.rotate_left(23) ^ bits).wrapping_mul(0xd6e8_feb8_6659_fd93);
    (a ^ (a >> 29), b ^ (b >> 32))
}

impl Audit {
    /// One sentence per finding, with the columns' names.
    pub fn warnings(&self, names: &[String]) -> Vec<String> {
        let name = |j: usize| names.get(j).map_or_else(|| format!("column {}", j + 1), |n| format!("column '{n}'"));
        let mut out = Vec::new();
        for &j in &self.constant {
            out.push(format!("{} is constant: it tells no components apart", name(j)));
        }
        for &(j, earlier) in &self.duplicate {
            out.push(format!("{} repeats {}: leave one out", name(j), name(earlier)));
        }
        for &(j, n) in &self.categorical {
            out.push(format!(
                "{} has only {n} distinct whole values: if they are categories, a Gaussian does not describe them",
                name(j)
            ));
        }
        if self.empty_rows > 0 {
            out.push(format!("{} rows have no value at all: they say nothing about the fit", self.empty_rows));
        }
        match self.duplicate_rows {
            Some(n) if n > 0 => {
                let s = if n == 1 { "row repeats" } else { "rows repeat" };
                out.push(format!("{n} {s} an earlier one: repeated rows can make a component collapse onto them"));
            }
            _ => {}
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Dense;

    #[test]
    fn finds_what_is_there() {
        let nan = f64::NAN;
        let mut values = Vec::new();
        for i in 0..20 {
            let x = f64::from(i) * 0.37;
            values.extend_from_slice(&[x, 5.0, x, f64::from(i % 3), if i == 4 { nan } else { x * x }]);
        }
        let copy: Vec<f64> = values[..5].to_vec();
        values.extend(copy);
        let found = audit(&Dense::new(values, 5).unwrap()).unwrap();
        let want = Audit {
            n_rows: 21,
            missing_cells: 1,
            empty_rows: 0,
            constant: vec![1],
            duplicate: vec![(2, 0)],
            categorical: vec![(3, 3)],
            duplicate_rows: Some(1),
        };
        assert_eq!(found, want);
        assert_eq!(found.warnings(&[]).len(), 4);
    }
}
