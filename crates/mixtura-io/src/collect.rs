//! Gathers batches of text cells as numbers, weights and labels, and forgets a column as soon as
//! it proves to be text.

use arrow_array::StringArray;

use crate::cell::{self, Cell};
use crate::error::{ReadError, quoted};
use crate::labels::LabelCodes;
use crate::plan::{Names, Plan};
use crate::select::{Gathered, weight_fault};

pub(crate) struct Collector<'a> {
    source: &'a str,
    names: &'a Names,
    plan: &'a Plan,
    decimal_comma: bool,
    pub(crate) gathered: Gathered<f64>,
    /// Per stored column whether it proved to be text and its place is to be given up.
    is_text: Vec<bool>,
    pub(crate) weights: Vec<f64>,
    pub(crate) labels: LabelCodes,
}

impl<'a> Collector<'a> {
    pub(crate) fn new(source: &'a str, names: &'a Names, plan: &'a Plan, decimal_comma: bool) -> Self {
        let stored = plan.candidates(names.names.len());
        Self {
            source,
            names,
            plan,
            decimal_comma,
            is_text: vec![false; stored.len()],
            gathered: Gathered {
                stored,
                values: Vec::new(),
                n_rows: 0,
                text: Vec::new(),
                infinite: Default::default(),
            },
            weights: Vec::new(),
            labels: LabelCodes::default(),
        }
    }

    /// Adds rows: all the file's columns, and the line of every row.
    pub(crate) fn push(&mut self, columns: &[StringArray], lines: &[usize]) -> Result<(), ReadError> {
        let stride = self.gathered.stored.len();
        let start = self.gathered.values.len();
        let room = lines.len() * stride;
        self.gathered.values.try_reserve(room).map_err(|_| {
            ReadError::Data(format!("{}: the table does not fit into memory; read fewer columns or rows", self.source))
        })?;
        self.gathered.values.resize(start + room, f64::NAN);
        for stored in 0..stride {
            if !self.is_text[stored] {
                let column = self.gathered.stored[stored];
                self.numbers(stored, &columns[column], start + stored, lines)?;
            }
        }
        self.gathered.n_rows += lines.len();
        if let Some(column) = self.plan.weights {
            self.weights(column, &columns[column], lines)?;
        }
        if let Some(column) = self.plan.label {
            let where_ = || format!("{}: column {}", self.source, quoted(&self.names.names[column]));
            for row in 0..lines.len() {
                self.labels.push(columns[column].value(row).trim(), where_)?;
            }
        }
        // Closing the gaps moves the whole table; waiting until half of it is gaps keeps the cost
        // of many columns that turn to text late in proportion.
        let gaps = self.is_text.iter().filter(|&&is_text| is_text).count();
        if gaps * 2 > stride {
            self.close_gaps();
        }
        Ok(())
    }

    /// Gives up the places of columns that proved to be text.
    pub(crate) fn close_gaps(&mut self) {
        let keep: Vec<usize> = (0..self.is_text.len()).filter(|&s| !self.is_text[s]).collect();
        self.gathered.keep(&keep);
        self.is_text = vec![false; keep.len()];
    }

    fn numbers(&mut self, stored: usize, cells: &StringArray, start: usize, lines: &[usize]) -> Result<(), ReadError> {
        let gathered = &mut self.gathered;
        let stride = gathered.stored.len();
        let column = gathered.stored[stored];
        for (row, &line) in lines.iter().enumerate() {
            let text = cells.value(row).trim();
            let value = match cell::parse(text, self.decimal_comma) {
                Cell::Missing => continue,
                Cell::Number(value) => value,
                Cell::Infinite(value) => {
                    let place = || format!("line {line}: the value {}", quoted(text));
                    gathered.infinite.entry(column).or_insert_with(place);
                    value
                }
                Cell::Text if self.plan.asks_for(column) => {
                    return Err(ReadError::Data(format!(
                        "{}, line {line}: column {} holds {}, which is not a number; correct the \
                         cell or leave the column out",
                        self.source,
                        quoted(&self.names.names[column]),
                        quoted(text)
                    )));
                }
                Cell::Text => {
                    let reason = cell::text_reason(text, &format!("on line {line}"));
                    gathered.text.push((column, reason));
                    self.is_text[stored] = true;
                    return Ok(());
                }
            };
            gathered.values[start + row * stride] = value;
        }
        Ok(())
    }

    fn weights(&mut self, column: usize, cells: &StringArray, lines: &[usize]) -> Result<(), ReadError> {
        for (row, &line) in lines.iter().enumerate() {
            let text = cells.value(row).trim();
            let (weight, fault) = match cell::parse(text, self.decimal_comma) {
                Cell::Missing => (f64::NAN, weight_fault(f64::NAN)),
                Cell::Number(value) | Cell::Infinite(value) => (value, weight_fault(value)),
                Cell::Text => (f64::NAN, Some("is not a number")),
            };
            if let Some(fault) = fault {
                return Err(ReadError::Data(format!(
                    "{}, line {line}: the weight {} in column {} {fault}; give every row a finite \
                     weight of at least 0",
                    self.source,
                    quoted(text),
                    quoted(&self.names.names[column])
                )));
            }
            self.weights.push(weight);
        }
        Ok(())
    }
}
