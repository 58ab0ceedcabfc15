//! Cells as the readers hand them over: one batch of rows, one kind of cells per column.

use std::borrow::Cow;

use arrow_array::{Array, StringArray};

use crate::cell::{self, Cell};

/// One column of a batch.
pub(crate) enum Cells<'a> {
    /// Cells of a text file.
    Text { cells: &'a StringArray, decimal_comma: bool },
    /// Numbers; NaN is missing.
    Numbers(Cow<'a, [f64]>),
    /// Strings of a typed file: text, even where they look like numbers; null is missing.
    Strings(StringArray),
    /// Cells of any kind.
    Mixed(&'a [Scalar]),
    /// Missing in every row.
    Missing,
    /// Nothing that a table can hold, and why.
    Unusable(String),
}

/// A cell that knows its own type.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scalar {
    Missing,
    Number(f64),
    String(String),
    /// A list or an object.
    Nested,
}

/// What one cell is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Seen<'a> {
    Missing,
    Number(f64),
    Infinite(f64),
    Text(&'a str),
    Unusable(&'a str),
}

impl Cells<'_> {
    pub(crate) fn get(&self, row: usize) -> Seen<'_> {
        match self {
            Cells::Text { cells, decimal_comma } => {
                let text = cells.value(row).trim();
                match cell::parse(text, *decimal_comma) {
                    Cell::Missing => Seen::Missing,
                    Cell::Number(value) => Seen::Number(value),
                    Cell::Infinite(value) => Seen::Infinite(value),
                    Cell::Text => Seen::Text(text),
                }
            }
            Cells::Numbers(values) => number(values[row]),
            Cells::Strings(cells) if cells.is_null(row) => Seen::Missing,
            Cells::Strings(cells) => string(cells.value(row)),
            Cells::Mixed(cells) => match &cells[row] {
                Scalar::Missing => Seen::Missing,
                Scalar::Number(value) => number(*value),
                Scalar::String(text) => string(text),
                Scalar::Nested => Seen::Unusable("lists or objects"),
            },
            Cells::Missing => Seen::Missing,
            Cells::Unusable(why) => Seen::Unusable(why),
        }
    }

    /// The cell as the name of a class; empty where it is missing.
    pub(crate) fn label(&self, row: usize) -> Cow<'_, str> {
        if let Cells::Text { cells, .. } = self {
            return cells.value(row).trim().into();
        }
        match self.get(row) {
            Seen::Missing | Seen::Unusable(_) => "".into(),
            Seen::Number(value) | Seen::Infinite(value) => value.to_string().into(),
            Seen::Text(text) => text.into(),
        }
    }

    /// The cell as written, for messages.
    pub(crate) fn shown(&self, row: usize) -> String {
        match self {
            Cells::Strings(cells) if !cells.is_null(row) => cells.value(row).trim().to_owned(),
            Cells::Mixed(cells) => match &cells[row] {
                Scalar::String(text) => text.trim().to_owned(),
                Scalar::Nested => "a list or an object".into(),
                _ => self.label(row).into_owned(),
            },
            Cells::Unusable(why) => why.clone(),
            _ => self.label(row).into_owned(),
        }
    }
}

fn number(value: f64) -> Seen<'static> {
    if value.is_nan() {
        Seen::Missing
    } else if value.is_infinite() {
        Seen::Infinite(value)
    } else {
        Seen::Number(value)
    }
}

/// Strings are text whatever they spell, but for the words that stand for no number or an infinite one.
fn string(text: &str) -> Seen<'_> {
    let text = text.trim();
    match cell::parse(text, false) {
        Cell::Missing => Seen::Missing,
        Cell::Infinite(value) => Seen::Infinite(value),
        Cell::Number(_) | Cell::Text => Seen::Text(text),
    }
}

/// Where the rows of a batch stand in their file.
#[derive(Clone, Copy)]
pub(crate) enum Places<'a> {
    /// The line of every row.
    Lines(&'a [usize]),
    /// So many rows before the first.
    After(usize),
}

impl Places<'_> {
    /// "line 3" or "row 3".
    pub(crate) fn of(&self, row: usize) -> String {
        match self {
            Places::Lines(lines) => format!("line {}", lines[row]),
            Places::After(before) => format!("row {}", before + row + 1),
        }
    }

    /// "on line 3" or "in row 3".
    pub(crate) fn at(&self, row: usize) -> String {
        let preposition = if matches!(self, Places::Lines(_)) { "on" } else { "in" };
        format!("{preposition} {}", self.of(row))
    }
}

/// Some rows of a file.
pub(crate) struct Batch<'a> {
    pub(crate) n_rows: usize,
    pub(crate) places: Places<'a>,
    /// All columns of the file; those nobody wants may be `Missing`.
    pub(crate) columns: Vec<Cells<'a>>,
}
