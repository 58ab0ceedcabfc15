//! Collects the label column: distinct names and one code per row.

use std::collections::HashMap;

use crate::cell;
use crate::error::ReadError;
use crate::table::Labels;

/// More distinct labels are refused: the column is then almost surely a measurement or a key.
const MAX_LABELS: usize = 10_000;

#[derive(Default)]
pub(crate) struct LabelCodes {
    seen: HashMap<String, i32>,
    codes: Vec<i32>,
}

impl LabelCodes {
    /// Adds the next row's label, a trimmed cell; `where_` names file and column in a refusal.
    pub(crate) fn push(&mut self, label: &str, where_: impl Fn() -> String) -> Result<(), ReadError> {
        let code = if cell::is_missing(label) {
            -1
        } else if let Some(&code) = self.seen.get(label) {
            code
        } else {
            if self.seen.len() == MAX_LABELS {
                return Err(ReadError::Data(format!(
                    "{} has more than 10,000 distinct labels; choose a column of classes",
                    where_()
                )));
            }
            let code = self.seen.len() as i32;
            self.seen.insert(label.to_owned(), code);
            code
        };
        self.codes.push(code);
        Ok(())
    }

    /// The labels with their names in order.
    pub(crate) fn finish(self) -> Labels {
        let mut named: Vec<(Option<f64>, String, i32)> =
            self.seen.into_iter().map(|(name, code)| (name.parse().ok(), name, code)).collect();
        if named.iter().any(|(number, ..)| number.is_none()) {
            named.iter_mut().for_each(|(number, ..)| *number = None);
        }
        named.sort_unstable_by(|a, b| {
            let by_number = a.0.unwrap_or(0.0).total_cmp(&b.0.unwrap_or(0.0));
            by_number.then_with(|| a.1.cmp(&b.1))
        });
        let mut place = vec![0; named.len()];
        for (new, (_, _, old)) in named.iter().enumerate() {
            place[*old as usize] = new as i32;
        }
        let mut codes = self.codes;
        for code in codes.iter_mut().filter(|code| **code >= 0) {
            *code = place[*code as usize];
        }
        Labels { names: named.into_iter().map(|(_, name, _)| name).collect(), codes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(cells: &[&str]) -> Labels {
        let mut codes = LabelCodes::default();
        for cell in cells {
            codes.push(cell, String::new).unwrap();
        }
        codes.finish()
    }

    #[test]
    fn numbers_sort_as_numbers_and_text_as_text() {
        let numbers = labels(&["10", "9", "", "10"]);
        assert_eq!(numbers.names, ["9", "10"]);
        assert_eq!(numbers.codes, [1, 0, -1, 1]);
        assert_eq!(labels(&["10", "9", "b"]).names, ["10", "9", "b"]);
    }

    #[test]
    fn too_many_labels_are_refused() {
        let mut codes = LabelCodes::default();
        for i in 0..MAX_LABELS {
            codes.push(&i.to_string(), String::new).unwrap();
        }
        assert!(codes.push("7", String::new).is_ok());
        assert!(codes.push("x", String::new).is_err());
    }
}
