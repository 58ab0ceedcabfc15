//! Codes the labels of the rows: one table of distinct names for all files.

use std::collections::HashMap;

use crate::cell;
use crate::error::ReadError;

/// More distinct labels are refused: the column is then almost surely a measurement or a key.
const MAX_LABELS: usize = 10_000;

#[derive(Default)]
pub(crate) struct LabelCodes {
    seen: HashMap<String, i32>,
}

impl LabelCodes {
    /// The code of a label, a trimmed cell: −1 where it is missing, else in order of first appearance. `where_` names
    /// file and column in a refusal.
    pub(crate) fn code(&mut self, label: &str, where_: impl Fn() -> String) -> Result<i32, ReadError> {
        if cell::is_missing(label) {
            return Ok(-1);
        }
        if let Some(&code) = self.seen.get(label) {
            return Ok(code);
        }
        if self.seen.len() == MAX_LABELS {
            return Err(ReadError::Data(format!(
                "{} has more than 10,000 distinct labels; choose a column of classes",
                where_()
            )));
        }
        let code = self.seen.len() as i32;
        self.seen.insert(label.to_owned(), code);
        Ok(code)
    }

    /// The labels in order, and for every code its label's position there.
    pub(crate) fn finish(self) -> (Vec<String>, Vec<i32>) {
        let mut named: Vec<(Option<f64>, String, i32)> =
            self.seen.into_iter().map(|(name, code)| (name.parse().ok(), name, code)).collect();
        if named.iter().any(|(number, ..)| number.is_none()) {
            named.iter_mut().for_each(|(number, ..)| *number = None);
        }
        named.sort_unstable_by(|a, b| {
            let by_number = a.0.unwrap_or(0.0).total_cmp(&b.0.unwrap_or(0.0));
            by_number.then_with(|| a.1.cmp(&b.1))
        });
        let mut places = vec![0; named.len()];
        for (new, (_, _, old)) in named.iter().enumerate() {
            places[*old as usize] = new as i32;
        }
        (named.into_iter().map(|(_, name, _)| name).collect(), places)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(cells: &[&str]) -> (Vec<String>, Vec<i32>) {
        let mut codes = LabelCodes::default();
        let coded: Vec<i32> = cells.iter().map(|cell| codes.code(cell, String::new).unwrap()).collect();
        let (names, places) = codes.finish();
        (names, coded.into_iter().map(|code| if code < 0 { -1 } else { places[code as usize] }).collect())
    }

    #[test]
    fn numbers_sort_as_numbers_and_text_as_text() {
        let (names, codes) = labels(&["10", "9", "", "10"]);
        assert_eq!(names, ["9", "10"]);
        assert_eq!(codes, [1, 0, -1, 1]);
        assert_eq!(labels(&["10", "9", "b"]).0, ["10", "9", "b"]);
    }

    #[test]
    fn too_many_labels_are_refused() {
        let mut codes = LabelCodes::default();
        for i in 0..MAX_LABELS {
            codes.code(&i.to_string(), String::new).unwrap();
        }
        assert!(codes.code("7", String::new).is_ok());
        assert!(codes.code("x", String::new).is_err());
    }
}
