//! Chooses which columns become the table: leaves out the unusable ones and keeps the order asked for.

use crate::collect::Collector;
use crate::error::{ReadError, quoted};
use crate::plan::Names;
use crate::table::DroppedColumn;

/// The columns of the final table.
pub(crate) struct Selected {
    /// Positions among the stored columns.
    pub(crate) keep: Vec<usize>,
    pub(crate) dropped: Vec<DroppedColumn>,
}

/// Numbers that the search for repeated keys may hold at a time.
const KEYS_AT_A_TIME: usize = 1 << 22;

impl Collector<'_> {
    /// The final choice, once all rows were seen.
    pub(crate) fn select(&mut self, source: &str, notes: &mut Vec<String>) -> Result<Selected, ReadError> {
        let (names, plan) = (self.names, self.plan);
        let mut dropped = std::mem::take(&mut self.dropped);
        let mut keep: Vec<usize> = Vec::new();
        let mut row_names: Vec<(usize, String)> = Vec::new();
        for stored in 0..self.stored.len() {
            let column = self.stored[stored];
            let asked = plan.asks_for(column);
            if let Some(reason) = &self.facts[stored].unusable {
                dropped.push((column, reason.clone()));
            } else if !plan.keep_empty && !plan.infinite && self.facts[stored].n_values == 0 {
                if asked || names.names.len() == 1 {
                    return Err(ReadError::Data(format!(
                        "{source}: column {} has no value in any row; leave it out",
                        quoted(&names.names[column])
                    )));
                }
                dropped.push((column, "no value".into()));
            } else if asked {
                keep.push(stored);
            } else if let Some(reason) = self.row_name_reason(source, stored, names)? {
                row_names.push((stored, reason));
            } else {
                keep.push(stored);
            }
        }
        let only_response = keep.iter().all(|&stored| Some(self.stored[stored]) == plan.response);
        if only_response && !row_names.is_empty() {
            for (stored, reason) in row_names {
                notes.push(format!(
                    "column {} is kept although it looks useless ({reason}): it is the only choice",
                    quoted(&names.names[self.stored[stored]])
                ));
                keep.push(stored);
            }
            keep.sort_unstable();
        } else {
            dropped.extend(row_names.into_iter().map(|(stored, why)| (self.stored[stored], why)));
        }
        dropped.sort_unstable();
        if keep.is_empty() {
            let why = dropped.first().map_or(String::new(), |(column, reason)| {
                format!(" (column {} is left out: {reason})", quoted(&names.names[*column]))
            });
            return Err(ReadError::Data(format!(
                "{source}: there is no numeric column to read{why}; give a table with at least one \
                 column of numbers"
            )));
        }
        for &stored in &keep {
            if let Some(place) = self.facts[stored].infinite.as_ref().filter(|_| !plan.infinite) {
                return Err(ReadError::Data(format!(
                    "{place} of column {} is not finite; correct it, mark it as missing or leave the column out",
                    quoted(&names.names[self.stored[stored]])
                )));
            }
        }
        let name = |column: usize| names.names[column].clone();
        let dropped =
            dropped.into_iter().map(|(column, reason)| DroppedColumn { name: name(column), reason }).collect();
        Ok(Selected { keep, dropped })
    }

    /// Why this column looks like row names, row numbers or a constant rather than data.
    fn row_name_reason(&mut self, source: &str, stored: usize, names: &Names) -> Result<Option<String>, ReadError> {
        let facts = &self.facts[stored];
        if facts.counts_rows() {
            return Ok(Some("consecutive integers, like row numbers".into()));
        }
        if facts.is_constant() {
            return Ok(Some(format!("constant, always {}", facts.first)));
        }
        let column = self.stored[stored];
        let name = names.names[column].to_ascii_lowercase();
        let known = ["id", "index", "rownames", "rowid", "unnamed: 0"].contains(&name.as_str());
        if known || column == 0 && names.first_unnamed {
            return Ok(Some("named like row names".into()));
        }
        if name.ends_with("_id") && facts.whole && (facts.rising || self.distinct(source, stored)?) {
            return Ok(Some("named like a key, and all values are distinct integers".into()));
        }
        Ok(None)
    }

    /// Whether no value of a column of whole numbers occurs twice: in so many passes that few are held at a time.
    fn distinct(&mut self, source: &str, stored: usize) -> Result<bool, ReadError> {
        let n_passes = self.n_rows.div_ceil(KEYS_AT_A_TIME) as u64;
        let mut keys: Vec<u64> = Vec::new();
        for pass in 0..n_passes {
            keys.clear();
            self.store.column(source, stored, &mut |value| {
                // Zero has two signs but is one value. The multiplication spreads keys evenly over the passes.
                let bits = (value + 0.0).to_bits();
                if (bits.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) % n_passes == pass {
                    keys.push(bits);
                }
            })?;
            keys.sort_unstable();
            if keys.windows(2).any(|pair| pair[0] == pair[1]) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
