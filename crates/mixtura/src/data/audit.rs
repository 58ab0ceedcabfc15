//! A look at the data before the fit: what would make a mixture hard to fit or easy to misread.

use std::collections::{HashMap, HashSet};

use super::{Source, for_each_row};
use crate::error::Result;

/// Distinct values up to which a column of whole numbers looks like categories.
const FEW_VALUES: usize = 10;
/// Rows up to which duplicates are counted exactly; beyond, the set of row hashes would rival the data in size.
const MOST_ROWS: usize = 200_000;

/// Numbers that people write where a value is missing.
const CODES: [f64; 10] = [-9999.0, -999.0, -99.0, -99999.0, -999999.0, 9999.0, 999.0, 99.0, 99999.0, 999999.0];

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
    /// Columns with a number far outside their other values that often stands for "missing": column, number, how often.
    pub codes: Vec<(usize, f64, usize)>,
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
    let mut codes = vec![[0_usize; CODES.len()]; d];
    let mut range = vec![(f64::INFINITY, f64::NEG_INFINITY); d];
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
            match CODES.iter().position(|c| *c == x) {
                Some(c) => codes[j][c] += 1,
                None => range[j] = (range[j].0.min(x), range[j].1.max(x)),
            }
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
            && missing < d
            && !seen.insert(hash)
        {
            repeated += 1;
        }
    })?;
    let mut first: HashMap<(u64, u64), usize> = HashMap::new();
    for j in 0..d {
        let (low, high) = range[j];
        for (c, &code) in CODES.iter().enumerate().filter(|(c, _)| codes[j][*c] > 0) {
            // Outside by more than the whole range of the other values.
            if high > low && (code < low - (high - low) || code > high + (high - low)) {
                found.codes.push((j, code, codes[j][c]));
            }
        }
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
        for &(j, code, n) in &self.codes {
            let times = if n == 1 { "once".to_owned() } else { format!("{n} times") };
            out.push(format!(
                "{} holds {code} {times}, far from its other values: if that stands for a missing value, leave those cells empty",
                name(j)
            ));
        }
        if self.empty_rows > 0 {
            let s = if self.empty_rows == 1 { "row has" } else { "rows have" };
            out.push(format!("{} {s} no value at all, which says nothing about the fit", self.empty_rows));
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
            values.extend_from_slice(&[
                x,
                5.0,
                x,
                f64::from(i % 3),
                if i == 4 {
                    nan
                } else if i == 6 {
                    -9999.0
                } else {
                    x * x
                },
            ]);
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
            codes: vec![(4, -9999.0, 1)],
            duplicate_rows: Some(1),
        };
        assert_eq!(found, want);
        assert_eq!(found.warnings(&[]).len(), 5);
    }
}
