//! Reads a data file (CSV and its relatives, or NPY, plain or gzipped) into one numeric table, and
//! writes result files so that they are never left half-written.
//!
//! [`read_table`] works out the format from the content and never from the file's name. What it
//! assumed is listed in [`Table::notes`], what it left out in [`Table::dropped`]; whatever it cannot
//! read with certainty it refuses in one sentence.
//!
//! Limits, all of them refusals and none of them silent:
//!
//! - one row of a text file: 16 MiB and 100,000 columns;
//! - distinct labels: 10,000;
//! - gzip: more than 64 MiB of output that is also more than 200 times the compressed input.

mod atomic;
mod cell;
mod collect;
mod error;
mod labels;
mod npy;
mod npy_header;
mod plan;
mod read;
mod records;
mod select;
mod sniff;
mod source;
mod table;
mod text;

pub use atomic::{WriteError, write_atomic};
pub use error::ReadError;
pub use read::read_table;
pub use table::{DroppedColumn, Labels, ReadOptions, Table, Values};
