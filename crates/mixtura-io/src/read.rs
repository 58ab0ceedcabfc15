//! Reads a data file of whatever known format, or several files as one table.

use std::io::Read;

use crate::cells::{Batch, Seen};
use crate::collect::{Collector, From};
use crate::error::{ReadError, quoted};
use crate::files;
use crate::format::{Format, Want};
use crate::ipc::{self, IpcFile};
use crate::jsonl::{self, JsonLines};
use crate::npy::{self, NpyFile};
use crate::parquet_file::{self, ParquetFile};
use crate::plan::{Names, Plan};
use crate::source;
use crate::store::Store;
use crate::table::{ReadOptions, Table};
use crate::text::TextFile;

/// Reads a data file, or standard input for the path "-".
///
/// The format is taken from the content: Parquet, Arrow IPC (file or stream), NPY, JSON lines, or text whose
/// delimiter, header line and decimal mark are guessed from its beginning; all may be gzipped. The content is
/// streamed: memory holds the numbers and a small part of the file, and with [`ReadOptions::memory`] not even all
/// numbers.
///
/// # Errors
///
/// [`ReadError::Io`] when the file cannot be opened or read, [`ReadError::Data`] when its content
/// cannot be used or the columns asked for are not there.
pub fn read_table(path: &str, options: &ReadOptions) -> Result<Table, ReadError> {
    read_files(&[path.to_owned()], options)
}

/// Reads several files, of any formats, as one table: their rows one after the other, as if they were one file.
///
/// Globs are expanded as by [`expand`](crate::expand). Columns are matched by name, those of files without names by
/// position; what a column is, is decided over all files together.
///
/// # Errors
///
/// As [`read_table`], and when a file lacks a column of the first or, unless columns are asked for, has further ones
/// with numbers.
pub fn read_tables(paths: &[String], options: &ReadOptions) -> Result<Table, ReadError> {
    read_files(&files::expand(paths)?, options)
}

fn read_files(paths: &[String], options: &ReadOptions) -> Result<Table, ReadError> {
    let sources: Vec<&str> = paths.iter().map(|path| source::name(path)).collect();
    let Some(&first) = sources.first() else {
        return Err(ReadError::data("no file is named; name at least one"));
    };
    let source = files::together(&sources);
    let mut notes: Vec<String> = files::repeated(paths).into_iter().collect();

    let mut opened = Some(open(&paths[0], first)?);
    let names = opened.iter().map(|format| format.names().clone()).next().unwrap_or_else(|| Names::numbered(0));
    let plan = Plan::new(first, &names, options)?;
    let stored = plan.candidates(names.names.len());
    let store = opened.as_ref().and_then(|format| in_place(&**format, &plan, &stored, paths.len(), options.memory));
    let store = store.unwrap_or_else(|| {
        let single = opened.as_ref().is_some_and(|format| format.single(&stored));
        Store::new(stored.len(), plan.weights.is_some(), plan.label.is_some(), single, options.memory)
    });
    let mut collector = Collector::new(&names, &plan, store);

    for (path, &own) in paths.iter().zip(&sources) {
        let (mut format, is_first) = match opened.take() {
            Some(format) => (format, true),
            None => (open(path, own)?, false),
        };
        let columns = if is_first {
            (0..names.names.len()).map(Some).collect()
        } else {
            let needed = |column| {
                plan.weights == Some(column)
                    || plan.label == Some(column)
                    || plan.asks_for(column)
                    || plan.columns.is_none() && !collector.is_unusable(column)
            };
            files::match_columns((first, &names), (own, format.names()), needed, &mut notes)?
        };
        let used: Vec<usize> = collector.stored.iter().filter_map(|&stored| columns[stored]).collect();
        if !format.single(&used) {
            collector.store.widen();
        }
        let mut extras = Extras::new(format.names(), &columns, plan.columns.is_none());
        let want = want(format.names(), &columns, &plan, &collector, &extras);
        let from = From { source: own, one_of_several: paths.len() > 1, columns: &columns };
        format.rows(&want, &mut |batch| {
            extras.see(batch);
            collector.push(&from, batch)
        })?;
        extras.refuse(own, first, format.names())?;
        for note in format.notes() {
            let note = if paths.len() > 1 { format!("{own}: {note}") } else { note };
            notes.push(note);
        }
    }
    if collector.n_rows == 0 {
        return Err(ReadError::Data(format!("{source} has no rows of data; give a file with data")));
    }
    collector.finish(&source, notes)
}

/// Opens a file and recognises its format.
fn open<'a>(path: &str, source: &'a str) -> Result<Box<dyn Format + 'a>, ReadError> {
    let mut data = source::open(path)?;
    if data.sample.starts_with(npy::MAGIC) {
        return Ok(Box::new(NpyFile::open(source, data)?));
    }
    if data.sample.starts_with(parquet_file::MAGIC) {
        return Ok(Box::new(ParquetFile::open(source, &data.in_file(source)?)?));
    }
    let is_stream = data.sample.starts_with(&ipc::CONTINUATION);
    if is_stream || data.sample.starts_with(ipc::MAGIC) {
        return Ok(Box::new(IpcFile::open(source, data.in_file(source)?, is_stream)?));
    }
    source::refuse_foreign(source, &data.sample)?;
    const BOM: &[u8] = b"\xef\xbb\xbf";
    let sample = data.sample.strip_prefix(BOM).unwrap_or(&data.sample);
    if jsonl::begins(sample) {
        return Ok(Box::new(JsonLines::open(source, data.in_file(source)?)?));
    }
    jsonl::refuse_array(source, sample)?;
    if sample.len() < data.sample.len() {
        let mut bom = [0; BOM.len()];
        data.input.read_exact(&mut bom).map_err(|error| ReadError::reading(source, error))?;
    }
    let sample = sample.to_vec();
    Ok(Box::new(TextFile::open(source, &sample, data.complete, data.input)?))
}

/// A store that leaves the rows in the only file, where that file is a table in place and larger than the memory
/// allowed. Labels would have to be coded first.
fn in_place(format: &dyn Format, plan: &Plan, stored: &[usize], n_files: usize, memory: Option<u64>) -> Option<Store> {
    let limit = memory.filter(|_| n_files == 1 && plan.label.is_none())? / 2;
    let (at, bytes) = format.in_place(stored, plan.weights)?;
    (bytes > limit).then(|| Store::in_place(stored.len(), at))
}

/// What every column of a file is wanted for.
fn want(
    names: &Names,
    columns: &[Option<usize>],
    plan: &Plan,
    collector: &Collector<'_>,
    extras: &Extras,
) -> Vec<Want> {
    let mut want = vec![Want::Nothing; names.names.len()];
    for &(column, ..) in &extras.watched {
        want[column] = Want::Numbers;
    }
    let numbers = collector.stored.iter().copied().filter(|&column| !collector.is_unusable(column));
    for column in numbers.chain(plan.weights).filter_map(|column| columns[column]) {
        want[column] = Want::Numbers;
    }
    // The label may be a column of the table, too; asked for in both ways it must be numbers.
    if let Some(column) = plan.label.and_then(|column| columns[column])
        && want[column] == Want::Nothing
    {
        want[column] = Want::Labels;
    }
    want
}

/// Columns of a later file that the first has not: text does no harm, but numbers may have been meant to count.
struct Extras {
    /// Column, whether it has a number, whether it has text.
    watched: Vec<(usize, bool, bool)>,
}

impl Extras {
    fn new(names: &Names, columns: &[Option<usize>], watch: bool) -> Self {
        let mut known = vec![false; names.names.len()];
        columns.iter().flatten().for_each(|&column| known[column] = true);
        let extra = (0..names.names.len()).filter(|&column| watch && !known[column]);
        Extras { watched: extra.map(|column| (column, false, false)).collect() }
    }

    fn see(&mut self, batch: &Batch<'_>) {
        for (column, numbers, text) in &mut self.watched {
            let cells = &batch.columns[*column];
            for row in 0..batch.n_rows {
                if *text {
                    break;
                }
                match cells.get(row) {
                    Seen::Missing => {}
                    Seen::Number(_) | Seen::Infinite(_) => *numbers = true,
                    Seen::Text(_) | Seen::Unusable(_) => *text = true,
                }
            }
        }
    }

    fn refuse(&self, file: &str, first: &str, names: &Names) -> Result<(), ReadError> {
        match self.watched.iter().find(|(_, numbers, text)| *numbers && !text) {
            None => Ok(()),
            Some((column, ..)) => Err(ReadError::Data(format!(
                "{file} has the column {}, which {first} has not; give all files the same columns or name the shared \
                 ones with --columns",
                quoted(&names.names[*column])
            ))),
        }
    }
}
