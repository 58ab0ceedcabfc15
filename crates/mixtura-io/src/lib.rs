//! Reads data files (CSV and its relatives, JSON lines, NPY, Parquet, Arrow IPC, plain or gzipped) into one numeric
//! table, in memory or in a file, and writes result files so that they are never left half-written.
//!
//! [`read_table`] and [`read_tables`] work out the format from the content and never from the file's name. What they
//! assumed is listed in [`Table::notes`], what they left out in [`Table::dropped`]; whatever they
//! cannot read with certainty they refuse in one sentence.
//!
//! Limits, all of them refusals and none of them silent:
//!
//! - one row of a text file or of JSON lines: 16 MiB and 100,000 columns;
//! - distinct labels: 10,000;
//! - gzip: more than 64 MiB of output that is also more than 200 times the compressed input;
//! - Parquet: more than 1 GiB that is also more than 2000 times the file; Arrow: 64 MiB and 1000 times per column.

mod arrow_cells;
mod atomic;
mod cell;
mod cells;
mod collect;
mod error;
mod facts;
mod file_rows;
mod files;
mod format;
mod guard;
mod ipc;
mod ipc_check;
mod jsonl;
mod labels;
mod npy;
mod npy_header;
mod parquet_file;
mod plan;
mod read;
mod records;
mod select;
mod sniff;
mod source;
mod store;
mod table;
mod text;

pub use atomic::{WriteError, write_atomic};
pub use error::ReadError;
pub use file_rows::FileRows;
pub use files::expand;
pub use read::{read_table, read_tables};
pub use table::{DroppedColumn, Labels, ReadOptions, Table, Values};
