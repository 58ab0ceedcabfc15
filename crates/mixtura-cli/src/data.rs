//! Makes rows of the library of a table read from files, without copying it, and says what was noticed on the way.

use mixtura::data::{Audit, Dense, Source, Values};
use mixtura_io::Table;

use crate::failure::Failure;

/// The rows of a table with its weights and labels, in memory or in a file.
pub(crate) fn rows(table: &Table) -> Result<Box<dyn Source + '_>, Failure> {
    let about = |error| Failure::about(&table.source, &error);
    let Some(mut dense) = dense(table)? else { return Ok(in_file(table, true)) };
    if let Some(weights) = &table.weights {
        dense = dense.with_weights(weights).map_err(about)?;
    }
    if let Some(labels) = &table.labels {
        dense = dense.with_labels(&labels.codes).map_err(about)?;
    }
    Ok(Box::new(dense))
}

/// All rows of a table, also those of weight 0, each of weight 1 and without a label.
pub(crate) fn all_rows(table: &Table) -> Result<Box<dyn Source + '_>, Failure> {
    Ok(match dense(table)? {
        Some(dense) => Box::new(dense),
        None => in_file(table, false),
    })
}

/// The numbers of a table in memory.
fn dense(table: &Table) -> Result<Option<Dense<'_>>, Failure> {
    let values = match &table.values {
        mixtura_io::Values::F32(values) => Values::F32(values.into()),
        mixtura_io::Values::F64(values) => Values::F64(values.into()),
        mixtura_io::Values::File(_) => return Ok(None),
    };
    let dense = Dense::from_values(values, table.columns.len());
    dense.map(Some).map_err(|error| Failure::about(&table.source, &error))
}

fn in_file(table: &Table, weighted: bool) -> Box<dyn Source + '_> {
    match &table.values {
        mixtura_io::Values::File(rows) if weighted => Box::new(rows.clone()),
        mixtura_io::Values::File(rows) => Box::new(rows.without_weights()),
        _ => unreachable!("asked for tables in a file only"),
    }
}

/// What the user should know of the data before the fit: assumptions of the reader, columns left out, findings.
pub(crate) fn warnings(table: &Table, audit: &Audit) -> Vec<String> {
    [notes(table), audit.warnings(&table.columns)].concat()
}

/// The same of the reader alone.
pub(crate) fn notes(table: &Table) -> Vec<String> {
    let dropped = table.dropped.iter().map(|c| format!("column '{}' is left out: {}", c.name, c.reason));
    table.notes.iter().cloned().chain(dropped).collect()
}
