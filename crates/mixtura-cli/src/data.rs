//! Makes a library table of a table read from a file, without copying it, and says what was noticed on the way.

use std::mem;

use mixtura::data::{Audit, Dense, Values};
use mixtura_io::Table;

use crate::failure::Failure;

/// Moves the numbers, weights and labels of `table` into a [`Dense`]; names and notes stay.
pub(crate) fn dense(table: &mut Table) -> Result<Dense<'static>, Failure> {
    let about = |error| Failure::about(&table.source, &error);
    let taken = mem::replace(&mut table.values, mixtura_io::Values::F64(Vec::new()));
    let values = match taken {
        mixtura_io::Values::F32(values) => Values::F32(values.into()),
        mixtura_io::Values::F64(values) => Values::F64(values.into()),
    };
    let mut dense = Dense::from_values(values, table.columns.len()).map_err(about)?;
    if let Some(weights) = table.weights.take() {
        dense = dense.with_weights(weights).map_err(about)?;
    }
    if let Some(labels) = &mut table.labels {
        dense = dense.with_labels(mem::take(&mut labels.codes)).map_err(about)?;
    }
    Ok(dense)
}

/// What the user should know of the data before the fit: assumptions of the reader, columns left out, findings.
pub(crate) fn warnings(table: &Table, audit: &Audit) -> Vec<String> {
    let dropped = table.dropped.iter().map(|c| format!("column '{}' is left out: {}", c.name, c.reason));
    table.notes.iter().cloned().chain(dropped).chain(audit.warnings(&table.columns)).collect()
}
