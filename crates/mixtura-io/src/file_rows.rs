//! Rows of fixed size in a file, read by position when an E-step asks for them: a table that need not fit into memory.

use std::fs::File;
use std::io;
use std::sync::Arc;

use mixtura::Error;
use mixtura::data::{Buffer, CHUNK_ROWS, Chunk, Rows, Source};

/// Bytes read at a time: few system calls, and still in the processor's cache when they become numbers.
const BLOCK_BYTES: usize = 1 << 18;

/// How the numbers of a file are stored, little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Width {
    F32,
    F64,
}

impl Width {
    pub(crate) fn bytes(self) -> usize {
        match self {
            Width::F32 => 4,
            Width::F64 => 8,
        }
    }
}

/// Where the rows of a table lie in a file. Fields of a record are counted in numbers.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    /// Bytes before the first record.
    pub(crate) offset: u64,
    pub(crate) width: Width,
    /// Numbers per record.
    pub(crate) stride: usize,
    pub(crate) n_rows: usize,
    /// The fields that are the columns of the table, in its order.
    pub(crate) columns: Vec<usize>,
    /// The field of the weight.
    pub(crate) weight: Option<usize>,
    /// The field of the label's code, and what every code stands for.
    pub(crate) label: Option<(usize, Vec<i32>)>,
}

/// A table in a file: a [`Source`] of the same chunks, bit for bit, as the table in memory.
///
/// Reads are positioned, so any number of threads may read at once and nothing of the file stays in memory.
#[derive(Debug, Clone)]
pub struct FileRows {
    file: Arc<File>,
    name: String,
    layout: Layout,
    /// Rows of weight above 0.
    n_used: usize,
    /// The record at which every chunk starts, where some records are not used.
    starts: Option<Vec<u64>>,
}

impl FileRows {
    /// Rows of a file that `name` names in messages.
    pub(crate) fn new(file: Arc<File>, name: &str, layout: Layout) -> Result<Self, Error> {
        let mut rows = FileRows { n_used: layout.n_rows, file, name: name.to_owned(), layout, starts: None };
        if u32::try_from(rows.layout.n_rows).is_err() {
            return Err(Error::Data(format!(
                "{} rows are more than the 4,294,967,295 that one table may hold",
                rows.layout.n_rows
            )));
        }
        if let Some(weight) = rows.layout.weight {
            let (mut used, mut starts) = (0, Vec::new());
            let mut bytes = Vec::new();
            rows.records(0, &mut bytes, |row, record| {
                if record.field(weight) > 0.0 {
                    if used % CHUNK_ROWS == 0 {
                        starts.push(row as u64);
                    }
                    used += 1;
                }
                true
            })?;
            if used == 0 {
                return Err(Error::Data("every weight is 0: no row is left to fit".into()));
            }
            if used < rows.layout.n_rows {
                (rows.n_used, rows.starts) = (used, Some(starts));
            }
        }
        Ok(rows)
    }

    /// All rows, each of weight 1: also those whose weight is 0.
    pub fn without_weights(&self) -> Self {
        let layout = Layout { weight: None, ..self.layout.clone() };
        FileRows { n_used: layout.n_rows, layout, starts: None, ..self.clone() }
    }

    /// Calls `visit` with every record from `first` on, until it returns false.
    fn records(
        &self,
        first: usize,
        bytes: &mut Vec<u8>,
        mut visit: impl FnMut(usize, Record<'_>) -> bool,
    ) -> Result<(), Error> {
        let Layout { offset, width, stride, n_rows, .. } = self.layout;
        let record_bytes = stride * width.bytes();
        let together = (BLOCK_BYTES / record_bytes).clamp(1, CHUNK_ROWS);
        let mut row = first;
        while row < n_rows {
            let n = together.min(n_rows - row);
            bytes.resize(n * record_bytes, 0);
            read_exact_at(&self.file, bytes, offset + (row * record_bytes) as u64)
                .map_err(|error| self.unreadable(&error))?;
            for (i, record) in bytes.chunks_exact(record_bytes).enumerate() {
                if !visit(row + i, Record { bytes: record, width }) {
                    return Ok(());
                }
            }
            row += n;
        }
        Ok(())
    }

    fn unreadable(&self, error: &io::Error) -> Error {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            self.changed()
        } else {
            Error::Io(format!("cannot read {} again: {error}", self.name))
        }
    }

    fn changed(&self) -> Error {
        Error::Io(format!("{} was changed while it was in use; run the command again on a file at rest", self.name))
    }

    /// The numbers of one column, whatever the weights.
    pub(crate) fn column(&self, column: usize, mut visit: impl FnMut(f64)) -> Result<(), Error> {
        let field = self.layout.columns[column];
        self.records(0, &mut Vec::new(), |_, record| {
            visit(record.field(field));
            true
        })
    }
}

/// The bytes of one row.
#[derive(Clone, Copy)]
struct Record<'a> {
    bytes: &'a [u8],
    width: Width,
}

impl Record<'_> {
    #[inline]
    fn field(self, i: usize) -> f64 {
        match self.width {
            Width::F64 => {
                let mut own = [0; 8];
                own.copy_from_slice(&self.bytes[i * 8..][..8]);
                f64::from_le_bytes(own)
            }
            Width::F32 => {
                let mut own = [0; 4];
                own.copy_from_slice(&self.bytes[i * 4..][..4]);
                f64::from(f32::from_le_bytes(own))
            }
        }
    }
}

impl Source for FileRows {
    fn n_features(&self) -> usize {
        self.layout.columns.len()
    }

    fn n_rows(&self) -> usize {
        self.n_used
    }

    fn n_labels(&self) -> usize {
        self.layout.label.as_ref().map_or(0, |(_, places)| places.len())
    }

    fn read<'a>(&'a self, id: usize, buffer: &'a mut Buffer) -> Result<Chunk<'a>, Error> {
        let first_row = id * CHUNK_ROWS;
        let n = CHUNK_ROWS.min(self.n_used.saturating_sub(first_row));
        let start = self.starts.as_ref().map_or(first_row, |starts| starts.get(id).map_or(0, |&s| s as usize));
        let Buffer { values, weights, labels, bytes, .. } = buffer;
        values.clear();
        weights.clear();
        labels.clear();
        let Layout { columns, weight, label, .. } = &self.layout;
        let mut found = 0;
        // A file that is written to while it is read may hold anything now: only what a table may hold is let through.
        let mut sound = true;
        self.records(start, bytes, |_, record| {
            if found == n {
                return false;
            }
            if let Some(field) = *weight {
                let weight = record.field(field);
                if weight == 0.0 {
                    return true;
                }
                sound &= weight > 0.0 && weight.is_finite();
                weights.push(weight);
            }
            if let Some((field, places)) = label {
                let code = record.field(*field);
                labels.push(if code < 0.0 { -1 } else { places.get(code as usize).copied().unwrap_or(-1) });
            }
            values.extend(columns.iter().map(|&field| record.field(field)));
            found += 1;
            found < n
        })?;
        sound &= !values.iter().any(|value| value.is_infinite());
        if found < n || !sound {
            return Err(self.changed());
        }
        Ok(Chunk {
            rows: Rows::new(values, columns.len()),
            weights: weight.is_some().then_some(&weights[..]),
            labels: label.is_some().then_some(&labels[..]),
            sequence_ends: &[],
            first_row,
        })
    }
}

/// Fills `bytes` from a position, which other threads' reads do not move.
#[cfg(unix)]
pub(crate) fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

/// Fills `bytes` from a position, which other threads' reads do not move.
#[cfg(windows)]
pub(crate) fn read_exact_at(file: &File, mut bytes: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, bytes, offset) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => {
                bytes = &mut bytes[n..];
                offset += n as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
