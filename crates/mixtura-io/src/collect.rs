//! Gathers batches of rows, of one file or several, as numbers, weights and labels; forgets a column as soon as it
//! proves to be no column of numbers.

use std::collections::HashMap;

use crate::cell;
use crate::cells::{Batch, Cells, Places, Seen};
use crate::error::{ReadError, quoted};
use crate::facts::Facts;
use crate::labels::LabelCodes;
use crate::plan::{Names, Plan};
use crate::store::Store;
use crate::table::{Labels, Table};

/// A file while it is read.
pub(crate) struct From<'a> {
    /// Its name in messages.
    pub(crate) source: &'a str,
    /// Whether it is one of several, so that places must name it.
    pub(crate) one_of_several: bool,
    /// Per column of the table the column of the file.
    pub(crate) columns: &'a [Option<usize>],
}

pub(crate) struct Collector<'a> {
    pub(crate) names: &'a Names,
    pub(crate) plan: &'a Plan,
    /// Which column of the table each stored column is, and its facts.
    pub(crate) stored: Vec<usize>,
    pub(crate) facts: Vec<Facts>,
    /// Columns whose places were given up, with the reason.
    pub(crate) dropped: Vec<(usize, String)>,
    /// Where each column is stored.
    place: HashMap<usize, usize>,
    pub(crate) store: Store,
    pub(crate) n_rows: usize,
    labels: LabelCodes,
    total_weight: f64,
    block: Vec<f64>,
    weights: Vec<f64>,
    codes: Vec<i32>,
}

impl<'a> Collector<'a> {
    pub(crate) fn new(names: &'a Names, plan: &'a Plan, store: Store) -> Self {
        let stored = plan.candidates(names.names.len());
        Self {
            names,
            plan,
            facts: vec![Facts::default(); stored.len()],
            place: stored.iter().enumerate().map(|(stored, &column)| (column, stored)).collect(),
            stored,
            dropped: Vec::new(),
            store,
            n_rows: 0,
            labels: LabelCodes::default(),
            total_weight: 0.0,
            block: Vec::new(),
            weights: Vec::new(),
            codes: Vec::new(),
        }
    }

    /// Whether a column of the table has proved to be no column of numbers.
    pub(crate) fn is_unusable(&self, column: usize) -> bool {
        self.place.get(&column).is_none_or(|&stored| self.facts[stored].unusable.is_some())
    }

    /// Adds rows of a file.
    pub(crate) fn push(&mut self, from: &From<'_>, batch: &Batch<'_>) -> Result<(), ReadError> {
        let stride = self.stored.len();
        self.block.clear();
        self.block.resize(batch.n_rows * stride, f64::NAN);
        for stored in 0..stride {
            if self.facts[stored].unusable.is_none()
                && let Some(column) = from.columns[self.stored[stored]]
            {
                self.numbers(from, stored, &batch.columns[column], &batch.places)?;
            }
        }
        self.weights.clear();
        if let Some(column) = self.plan.weights {
            self.weights(from, column, batch)?;
        }
        self.codes.clear();
        if let Some(column) = self.plan.label {
            self.codes(from, column, batch)?;
        }
        self.store.push(from.source, &self.block, &self.weights, &self.codes, batch.n_rows)?;
        self.n_rows += batch.n_rows;
        // Closing the gaps moves the whole table; waiting until half of it is gaps keeps the cost
        // of many columns that turn to text late in proportion.
        let gaps = self.facts.iter().filter(|facts| facts.unusable.is_some()).count();
        if gaps * 2 > stride {
            self.close_gaps();
        }
        Ok(())
    }

    /// Gives up the places of columns that proved to be text, where that can be done.
    fn close_gaps(&mut self) {
        let keep: Vec<usize> = (0..self.facts.len()).filter(|&s| self.facts[s].unusable.is_none()).collect();
        if !self.store.keep(&keep) {
            return;
        }
        let (stored, facts) = (std::mem::take(&mut self.stored), std::mem::take(&mut self.facts));
        self.place.clear();
        for (column, facts) in stored.into_iter().zip(facts) {
            match facts.unusable {
                Some(reason) => self.dropped.push((column, reason)),
                None => {
                    self.place.insert(column, self.stored.len());
                    self.stored.push(column);
                    self.facts.push(facts);
                }
            }
        }
    }

    fn numbers(
        &mut self,
        from: &From<'_>,
        stored: usize,
        cells: &Cells<'_>,
        places: &Places<'_>,
    ) -> Result<(), ReadError> {
        let (stride, column) = (self.stored.len(), self.stored[stored]);
        let facts = &mut self.facts[stored];
        let of_file = || if from.one_of_several { format!(" of {}", from.source) } else { String::new() };
        let mine = self.block.iter_mut().skip(stored).step_by(stride);
        for (row, place) in mine.enumerate() {
            let value = match cells.get(row) {
                Seen::Missing => f64::NAN,
                Seen::Number(value) => value,
                Seen::Infinite(value) => {
                    facts.infinite.get_or_insert_with(|| {
                        format!("{}, {}: the value {}", from.source, places.of(row), quoted(&cells.shown(row)))
                    });
                    value
                }
                Seen::Text(text) => {
                    if self.plan.asks_for(column) {
                        return Err(ReadError::Data(format!(
                            "{}, {}: column {} holds {}, which is not a number; correct the \
                             cell or leave the column out",
                            from.source,
                            places.of(row),
                            quoted(&self.names.names[column]),
                            quoted(text)
                        )));
                    }
                    let place = format!("{}{}", places.at(row), of_file());
                    facts.unusable = Some(match cells {
                        Cells::Mixed(_) => cell::string_reason(text, &place),
                        _ => cell::text_reason(text, &place),
                    });
                    return Ok(());
                }
                Seen::Unusable(why) => {
                    if self.plan.asks_for(column) {
                        return Err(ReadError::Data(format!(
                            "{}, {}: column {} holds {why}, not numbers; leave the column out",
                            from.source,
                            places.of(row),
                            quoted(&self.names.names[column]),
                        )));
                    }
                    facts.unusable = Some(format!("{why}, not numbers{}", of_file()));
                    return Ok(());
                }
            };
            facts.see(value);
            *place = value;
        }
        Ok(())
    }

    fn weights(&mut self, from: &From<'_>, column: usize, batch: &Batch<'_>) -> Result<(), ReadError> {
        let Some(cells) = from.columns[column].map(|column| &batch.columns[column]) else { return Ok(()) };
        for row in 0..batch.n_rows {
            let (weight, fault) = match cells.get(row) {
                Seen::Missing => (f64::NAN, Some("is missing")),
                Seen::Infinite(_) => (f64::NAN, Some("is not finite")),
                Seen::Number(value) => (value, (value < 0.0).then_some("is negative")),
                Seen::Text(_) | Seen::Unusable(_) => (f64::NAN, Some("is not a number")),
            };
            let refuse = |fault: &str| {
                Err(ReadError::Data(format!(
                    "{}, {}: the weight {} in column {} {fault}; give every row a finite weight of at least 0",
                    from.source,
                    batch.places.of(row),
                    quoted(&cells.shown(row)),
                    quoted(&self.names.names[column])
                )))
            };
            if let Some(fault) = fault {
                return refuse(fault);
            }
            self.total_weight += weight;
            if self.total_weight.is_infinite() {
                return refuse("makes the sum of all weights more than a 64-bit number holds");
            }
            self.weights.push(weight);
        }
        Ok(())
    }

    fn codes(&mut self, from: &From<'_>, column: usize, batch: &Batch<'_>) -> Result<(), ReadError> {
        let Some(cells) = from.columns[column].map(|column| &batch.columns[column]) else { return Ok(()) };
        let where_ = || format!("{}: column {}", from.source, quoted(&self.names.names[column]));
        if let Cells::Unusable(why) = cells {
            return Err(ReadError::Data(format!("{} holds {why}, which cannot be labels; choose another", where_())));
        }
        for row in 0..batch.n_rows {
            self.codes.push(self.labels.code(&cells.label(row), where_)?);
        }
        Ok(())
    }

    /// The table, once all rows of all files were seen.
    pub(crate) fn finish(mut self, source: &str, mut notes: Vec<String>) -> Result<Table, ReadError> {
        self.close_gaps();
        if let Some(column) = self.plan.weights
            && self.total_weight == 0.0
        {
            return Err(ReadError::Data(format!(
                "{source}: every weight in column {} is zero; give at least one row a positive weight",
                quoted(&self.names.names[column])
            )));
        }
        let selected = self.select(source, &mut notes)?;
        let name = |&stored: &usize| self.names.names[self.stored[stored]].clone();
        let columns = selected.keep.iter().map(name).collect();
        let (names, places) = self.labels.finish();
        let (weighted, labelled) = (self.plan.weights.is_some(), self.plan.label.is_some());
        let stored = self.store.finish(source, &selected.keep, weighted, labelled.then(|| places.clone()))?;
        let mut codes = stored.codes.unwrap_or_default();
        codes.iter_mut().filter(|code| **code >= 0).for_each(|code| *code = places[*code as usize]);
        Ok(Table {
            source: source.to_owned(),
            columns,
            values: stored.values,
            n_rows: self.n_rows,
            weights: stored.weights,
            labels: labelled.then_some(Labels { names, codes }),
            dropped: selected.dropped,
            notes,
        })
    }
}
