//! Names the columns of a file and finds the ones asked for.

use std::collections::{HashMap, HashSet};

use crate::error::{ReadError, quoted};
use crate::table::ReadOptions;

/// The unique names of a file's columns.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    pub(crate) names: Vec<String>,
    /// The names are those of the file, not made up.
    pub(crate) own: bool,
    /// Names that more than one column has in the file.
    repeated: HashSet<String>,
    /// The first column has no name in a file that has a header: R and pandas write row names so.
    pub(crate) first_unnamed: bool,
}

impl Names {
    /// x1, x2, …: for a file without names.
    pub(crate) fn numbered(n: usize) -> Self {
        let names = (1..=n).map(|i| format!("x{i}")).collect();
        Self { names, own: false, repeated: HashSet::new(), first_unnamed: false }
    }

    /// Names from a header: the nameless get their position, the repeated a number, with a note.
    pub(crate) fn from_header(header: Vec<String>, notes: &mut Vec<String>) -> Self {
        let first_unnamed = header.first().is_some_and(String::is_empty);
        let own: HashSet<String> = header.iter().filter(|name| !name.is_empty()).cloned().collect();
        let mut taken: HashSet<String> = HashSet::new();
        let mut repeated = HashSet::new();
        let mut renamed = Vec::new();
        // Per name the next number to try, so that many equal names stay cheap.
        let mut next: HashMap<String, usize> = HashMap::new();
        let mut names = Vec::with_capacity(header.len());
        for (i, name) in header.into_iter().enumerate() {
            let nameless = name.is_empty();
            let mut unique = if nameless { format!("x{}", i + 1) } else { name };
            if taken.contains(&unique) || nameless && own.contains(&unique) {
                let number = next.entry(unique.clone()).or_insert(2);
                if !nameless {
                    repeated.insert(unique.clone());
                }
                let base = unique;
                loop {
                    unique = format!("{base}_{number}");
                    *number += 1;
                    if !taken.contains(&unique) && !own.contains(&unique) {
                        break;
                    }
                }
                renamed.push(format!("column {} is {}", i + 1, quoted(&unique)));
            }
            taken.insert(unique.clone());
            names.push(unique);
        }
        if let Some(first) = renamed.first() {
            let more = renamed.len() - 1;
            let more = if more > 0 { format!(", and {more} more") } else { String::new() };
            notes.push(format!("repeated column names are numbered: {first}{more}"));
        }
        Self { names, own: true, repeated, first_unnamed }
    }
}

/// The columns asked for, as positions counted from 0.
pub(crate) struct Plan {
    /// `None`: every numeric column.
    pub(crate) columns: Option<Vec<usize>>,
    pub(crate) weights: Option<usize>,
    pub(crate) label: Option<usize>,
    /// The last column of the table.
    pub(crate) response: Option<usize>,
    /// Infinite values may stay.
    pub(crate) infinite: bool,
    /// Columns without any value may stay.
    pub(crate) keep_empty: bool,
}

impl Plan {
    pub(crate) fn new(source: &str, names: &Names, options: &ReadOptions) -> Result<Self, ReadError> {
        let one = |token: &String| find(source, names, token, !options.of_a_model);
        let columns = match &options.columns {
            None => None,
            Some(tokens) if tokens.is_empty() => {
                return Err(ReadError::data(format!(
                    "{source}: the list of columns to read is empty; name at least one column"
                )));
            }
            Some(tokens) => {
                let mut found = Vec::with_capacity(tokens.len());
                let mut seen = HashSet::new();
                for token in tokens {
                    let column = one(token)?;
                    if !seen.insert(column) {
                        return Err(ReadError::Data(format!(
                            "{source}: column {} is asked for twice; name every column once",
                            quoted(&names.names[column])
                        )));
                    }
                    found.push(column);
                }
                Some(found)
            }
        };
        Ok(Self {
            columns,
            weights: options.weights_column.as_ref().map(one).transpose()?,
            label: options.label_column.as_ref().map(one).transpose()?,
            response: options.response_column.as_ref().map(one).transpose()?,
            infinite: options.infinite,
            keep_empty: options.of_a_model,
        })
    }

    pub(crate) fn asks_for(&self, column: usize) -> bool {
        self.response == Some(column) || self.columns.as_ref().is_some_and(|columns| columns.contains(&column))
    }

    /// The columns that may become part of the table, in file order when none was asked for, the response last.
    pub(crate) fn candidates(&self, n: usize) -> Vec<usize> {
        let mut all = match &self.columns {
            Some(columns) => columns.clone(),
            None => (0..n).filter(|&c| Some(c) != self.weights && Some(c) != self.label).collect(),
        };
        all.retain(|&c| Some(c) != self.response);
        all.extend(self.response);
        all
    }
}

fn find(source: &str, names: &Names, token: &str, positions: bool) -> Result<usize, ReadError> {
    const SHOWN: usize = 10;
    let all = &names.names;
    if positions && names.repeated.contains(token) {
        return Err(ReadError::Data(format!(
            "{source}: more than one column is named {}; give its position instead, counted from 1",
            quoted(token)
        )));
    }
    if let Some(column) = all.iter().position(|name| name == token) {
        return Ok(column);
    }
    if let Ok(position) = token.parse::<usize>()
        && positions
        && (1..=all.len()).contains(&position)
    {
        return Ok(position - 1);
    }
    let shown: Vec<String> = all.iter().take(SHOWN).map(|name| quoted(name)).collect();
    let more = if all.len() > SHOWN { ", …" } else { "" };
    Err(ReadError::Data(format!(
        "{source}: there is no column {}; the {} columns are {}{more}",
        quoted(token),
        all.len(),
        shown.join(", ")
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(names: &[&str]) -> (Names, Vec<String>) {
        let mut notes = Vec::new();
        let names = Names::from_header(names.iter().map(|s| s.to_string()).collect(), &mut notes);
        (names, notes)
    }

    #[test]
    fn names_are_unique() {
        let (names, notes) = header(&["a", "a", "a_2", "", "x4", "a"]);
        assert_eq!(names.names, ["a", "a_3", "a_2", "x4_2", "x4", "a_4"]);
        assert!(notes[0].contains("column 2 is \"a_3\", and 2 more"), "{notes:?}");
    }

    #[test]
    fn many_equal_names_are_cheap() {
        assert_eq!(header(&["a"; 100_000]).0.names[99_999], "a_100000");
    }

    #[test]
    fn a_name_wins_over_a_position() {
        let (names, _) = header(&["2", "b", "b"]);
        assert_eq!(find("f", &names, "2", true).unwrap(), 0);
        assert_eq!(find("f", &names, "3", true).unwrap(), 2);
        assert!(find("f", &names, "3", false).is_err());
        assert!(find("f", &names, "b", true).unwrap_err().to_string().contains("more than one"));
        for token in ["0", "4", "c", ""] {
            assert!(find("f", &names, token, true).is_err(), "{token}");
        }
    }
}
