//! Named cells, row by row: as JSON a list of objects whose keys keep the columns' order.

use serde::ser::{Serialize, SerializeMap, Serializer};

/// A cell.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// A number.
    Number(f64),
    /// A name.
    Text(String),
    /// Nothing: an E-step's number before the first E-step.
    Empty,
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            // Counts are whole; JSON knows no number that is not finite.
            Cell::Number(x) if x.fract() == 0.0 && x.abs() < 1e15 => serializer.serialize_i64(*x as i64),
            Cell::Number(x) if x.is_finite() => serializer.serialize_f64(*x),
            Cell::Text(text) => serializer.serialize_str(text),
            Cell::Number(_) | Cell::Empty => serializer.serialize_none(),
        }
    }
}

/// A table.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// One cell per column.
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    pub(super) fn new(columns: impl IntoIterator<Item = String>) -> Self {
        Table { columns: columns.into_iter().collect(), rows: Vec::new() }
    }

    pub(super) fn push(&mut self, row: impl IntoIterator<Item = f64>) {
        self.rows.push(row.into_iter().map(Cell::Number).collect());
    }

    /// The numbers of a column, NaN where a cell has none; nothing if there is no such column.
    pub fn numbers(&self, column: &str) -> Vec<f64> {
        let Some(j) = self.columns.iter().position(|c| c == column) else { return Vec::new() };
        let number = |cell: &Cell| if let Cell::Number(x) = cell { *x } else { f64::NAN };
        self.rows.iter().map(|row| number(&row[j])).collect()
    }
}

struct Row<'a>(&'a Table, &'a [Cell]);

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.1.len()))?;
        for (name, cell) in self.0.columns.iter().zip(self.1) {
            map.serialize_entry(name, cell)?;
        }
        map.end()
    }
}

impl Serialize for Table {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.rows.iter().map(|row| Row(self, row)))
    }
}
