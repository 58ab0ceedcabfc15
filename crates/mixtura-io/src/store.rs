//! Holds the numbers of a table while it is read: in memory as far as that is allowed, then in a temporary file.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::sync::Arc;

use crate::error::ReadError;
use crate::file_rows::{FileRows, Layout, Width};
use crate::table::Values;

/// Rows of the columns stored, and what else is known of every row.
pub(crate) struct Store {
    n_columns: usize,
    n_rows: usize,
    /// Bytes that the rows may take in memory.
    limit: Option<u64>,
    place: Place,
    weights: Option<Vec<f64>>,
    codes: Option<Vec<i32>>,
}

enum Place {
    F32(Vec<f32>),
    F64(Vec<f64>),
    /// Records of the columns, the weight and the code, as far as there are any, all of them f64.
    Spool(BufWriter<File>),
    /// The rows stay where they are: in a file whose layout is that of a table.
    InPlace(InPlace),
}

/// A file that is itself rows of numbers of one size.
pub(crate) struct InPlace {
    pub(crate) file: Arc<File>,
    pub(crate) offset: u64,
    pub(crate) width: Width,
    /// Numbers per record of the file.
    pub(crate) stride: usize,
    /// The field of every stored column.
    pub(crate) fields: Vec<usize>,
    pub(crate) weight: Option<usize>,
}

/// What a store was filled with.
pub(crate) struct Stored {
    pub(crate) values: Values,
    pub(crate) weights: Option<Vec<f64>>,
    pub(crate) codes: Option<Vec<i32>>,
}

impl Store {
    /// An empty store; `single`: the numbers are all of single precision.
    pub(crate) fn new(n_columns: usize, weights: bool, labels: bool, single: bool, memory: Option<u64>) -> Self {
        Self {
            n_columns,
            n_rows: 0,
            // The other half is for the fit.
            limit: memory.map(|bytes| bytes / 2),
            place: if single { Place::F32(Vec::new()) } else { Place::F64(Vec::new()) },
            weights: weights.then(Vec::new),
            codes: labels.then(Vec::new),
        }
    }

    /// A store that leaves the rows where they are; it is told of them only to count them.
    pub(crate) fn in_place(n_columns: usize, at: InPlace) -> Self {
        Self { n_columns, n_rows: 0, limit: None, place: Place::InPlace(at), weights: None, codes: None }
    }

    /// Numbers of double precision may follow.
    pub(crate) fn widen(&mut self) {
        if let Place::F32(values) = &self.place {
            self.place = Place::F64(values.iter().map(|&value| f64::from(value)).collect());
        }
    }

    /// Adds rows: all stored columns of each, then the weights and the codes where the table has them.
    pub(crate) fn push(
        &mut self,
        source: &str,
        cells: &[f64],
        weights: &[f64],
        codes: &[i32],
        n_rows: usize,
    ) -> Result<(), ReadError> {
        self.n_rows += n_rows;
        if let Some(limit) = self.limit
            && !matches!(self.place, Place::Spool(_))
            && self.bytes() > limit
        {
            self.spool(n_rows).map_err(|error| cannot_spool(&error))?;
        }
        let too_big = |_| {
            ReadError::Data(format!(
                "{source}: the table does not fit into memory; read fewer columns or rows, or set a budget of memory"
            ))
        };
        let (limit, width) = (self.limit, self.n_columns);
        match &mut self.place {
            Place::Spool(file) => {
                let write = write_rows(file, cells.iter().copied(), width, weights, codes, n_rows);
                return write.map_err(|error| cannot_spool(&error));
            }
            Place::InPlace(_) => return Ok(()),
            Place::F32(values) => {
                reserve(values, cells.len(), limit).map_err(too_big)?;
                values.extend(cells.iter().map(|&cell| cell as f32));
            }
            Place::F64(values) => {
                reserve(values, cells.len(), limit).map_err(too_big)?;
                values.extend_from_slice(cells);
            }
        }
        if let Some(all) = &mut self.weights {
            reserve(all, weights.len(), limit).map_err(too_big)?;
            all.extend_from_slice(weights);
        }
        if let Some(all) = &mut self.codes {
            reserve(all, codes.len(), limit).map_err(too_big)?;
            all.extend_from_slice(codes);
        }
        Ok(())
    }

    /// What the rows take, or would take, in memory.
    fn bytes(&self) -> u64 {
        let cell = if matches!(self.place, Place::F32(_)) { 4 } else { 8 };
        let row = self.n_columns * cell
            + self.weights.as_ref().map_or(0, |_| size_of::<f64>())
            + self.codes.as_ref().map_or(0, |_| size_of::<i32>());
        self.n_rows as u64 * row as u64
    }

    /// Moves all rows but the `coming` to a temporary file without a name, which vanishes with the process.
    fn spool(&mut self, coming: usize) -> io::Result<()> {
        let mut file = BufWriter::with_capacity(1 << 18, tempfile::tempfile()?);
        let weights = self.weights.take().unwrap_or_default();
        let codes = self.codes.take().unwrap_or_default();
        let n_rows = self.n_rows - coming;
        match &self.place {
            Place::F32(values) => {
                let cells = values.iter().map(|&value| f64::from(value));
                write_rows(&mut file, cells, self.n_columns, &weights, &codes, n_rows)?;
            }
            Place::F64(values) => {
                write_rows(&mut file, values.iter().copied(), self.n_columns, &weights, &codes, n_rows)?;
            }
            Place::Spool(_) | Place::InPlace(_) => {}
        }
        self.place = Place::Spool(file);
        Ok(())
    }

    /// Keeps the stored columns at the positions `keep`, in that order, without a second copy; false where the rows
    /// are in a file and must stay as they are.
    pub(crate) fn keep(&mut self, keep: &[usize]) -> bool {
        match &mut self.place {
            Place::F32(values) => retain(values, self.n_columns, self.n_rows, keep),
            Place::F64(values) => retain(values, self.n_columns, self.n_rows, keep),
            Place::Spool(_) | Place::InPlace(_) => return false,
        }
        self.n_columns = keep.len();
        true
    }

    /// Calls `visit` with every number of a stored column. For a store that has all its rows.
    pub(crate) fn column(&mut self, source: &str, stored: usize, visit: &mut dyn FnMut(f64)) -> Result<(), ReadError> {
        match &mut self.place {
            Place::F32(values) => {
                values.iter().skip(stored).step_by(self.n_columns).for_each(|&value| visit(value.into()));
            }
            Place::F64(values) => values.iter().skip(stored).step_by(self.n_columns).for_each(|&value| visit(value)),
            Place::Spool(_) | Place::InPlace(_) => {
                let rows = self.in_file(source, &[stored], None, false)?;
                rows.column(0, visit).map_err(of_library(source))?;
            }
        }
        Ok(())
    }

    /// The stored columns at the positions `keep`, in that order. `places` turns codes of labels into their final
    /// ones, where the table has labels.
    pub(crate) fn finish(
        mut self,
        source: &str,
        keep: &[usize],
        weighted: bool,
        places: Option<Vec<i32>>,
    ) -> Result<Stored, ReadError> {
        self.keep(keep);
        let values = match self.place {
            Place::F32(mut values) => {
                values.shrink_to_fit();
                Values::F32(values)
            }
            Place::F64(mut values) => {
                values.shrink_to_fit();
                Values::F64(values)
            }
            Place::Spool(_) | Place::InPlace(_) => Values::File(self.in_file(source, keep, places, weighted)?),
        };
        let in_memory = !matches!(values, Values::File(_));
        Ok(Stored { values, weights: self.weights.filter(|_| in_memory), codes: self.codes.filter(|_| in_memory) })
    }

    fn in_file(
        &mut self,
        source: &str,
        columns: &[usize],
        places: Option<Vec<i32>>,
        weighted: bool,
    ) -> Result<FileRows, ReadError> {
        let n_rows = self.n_rows;
        let (file, name, layout) = match &mut self.place {
            Place::Spool(writer) => {
                writer.flush().map_err(|error| cannot_spool(&error))?;
                let file = writer.get_ref().try_clone().map_err(|error| cannot_spool(&error))?;
                let bytes = file.metadata().map_err(|error| cannot_spool(&error))?.len();
                // Whether there are weights and codes shows in the size of the records.
                let stride = (bytes / 8 / n_rows.max(1) as u64) as usize;
                let weight = weighted.then_some(self.n_columns);
                let label = places.map(|places| (self.n_columns + usize::from(weighted), places));
                let columns = columns.to_vec();
                let layout = Layout { offset: 0, width: Width::F64, stride, n_rows, columns, weight, label };
                (Arc::new(file), "the temporary file of the table", layout)
            }
            Place::InPlace(at) => {
                let layout = Layout {
                    offset: at.offset,
                    width: at.width,
                    stride: at.stride,
                    n_rows,
                    columns: columns.iter().map(|&stored| at.fields[stored]).collect(),
                    weight: at.weight.filter(|_| weighted),
                    label: None,
                };
                (at.file.clone(), source, layout)
            }
            Place::F32(_) | Place::F64(_) => return Err(ReadError::data(format!("{source}: the table is in memory"))),
        };
        FileRows::new(file, name, layout).map_err(of_library(source))
    }
}

fn of_library(source: &str) -> impl Fn(mixtura::Error) -> ReadError {
    move |error| match error {
        mixtura::Error::Io(_) => ReadError::Io(error.to_string()),
        _ => ReadError::Data(format!("{source}: {error}")),
    }
}

fn cannot_spool(error: &io::Error) -> ReadError {
    ReadError::Io(format!(
        "the table is larger than the memory allowed and cannot be put into the folder {} ({error}); name a folder with \
         room in TMPDIR or allow more memory",
        std::env::temp_dir().display()
    ))
}

fn write_rows(
    file: &mut impl Write,
    mut cells: impl Iterator<Item = f64>,
    n_columns: usize,
    weights: &[f64],
    codes: &[i32],
    n_rows: usize,
) -> io::Result<()> {
    for row in 0..n_rows {
        for cell in cells.by_ref().take(n_columns) {
            file.write_all(&cell.to_le_bytes())?;
        }
        if let Some(weight) = weights.get(row) {
            file.write_all(&weight.to_le_bytes())?;
        }
        if let Some(&code) = codes.get(row) {
            file.write_all(&f64::from(code).to_le_bytes())?;
        }
    }
    Ok(())
}

/// Makes room without doubling a vector beyond what the whole table may take.
fn reserve<T>(values: &mut Vec<T>, room: usize, limit: Option<u64>) -> Result<(), std::collections::TryReserveError> {
    let Some(limit) = limit else { return values.try_reserve(room) };
    if values.capacity() - values.len() >= room {
        return Ok(());
    }
    let most = (limit / size_of::<T>() as u64) as usize;
    let double = (2 * values.len()).min(most).saturating_sub(values.len());
    values.try_reserve_exact(room.max(double))
}

fn retain<T: Copy>(values: &mut Vec<T>, stride: usize, n_rows: usize, keep: &[usize]) {
    if keep.len() == stride && keep.iter().enumerate().all(|(i, &k)| i == k) {
        return;
    }
    let mut row = Vec::with_capacity(keep.len());
    for r in 0..n_rows {
        row.clear();
        row.extend(keep.iter().map(|&k| values[r * stride + k]));
        // Never ahead of the reading: the kept columns are distinct, so at most `stride`.
        values[r * keep.len()..(r + 1) * keep.len()].copy_from_slice(&row);
    }
    values.truncate(n_rows * keep.len());
}
