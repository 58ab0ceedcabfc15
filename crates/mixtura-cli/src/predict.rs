//! `mixtura predict`: component, responsibilities and log-density of every row of a file.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use mixtura::data::{Buffer, CHUNK_ROWS, Source};
use mixtura::model::{LatentModel, Predict};
use mixtura::persist::SavedModel;
use mixtura_io::{ReadError, ReadOptions, Table, expand, read_table, read_tables};
use rayon::prelude::*;

use crate::failure::{Failure, INTERRUPTED, UNUSABLE};
use crate::flags::{Memory, Threads};
use crate::{data, interrupt, model_file, output};

const EXAMPLES: &str = "\
Examples:
  mixtura predict iris.mixtura.json new.csv
  mixtura predict iris.mixtura.json new.csv --proba --log-density --out labels.csv
  tail -n 100 log.csv | mixtura predict model.json -";

/// Assign every row of a file to its most probable component, as CSV
///
/// The file's columns are matched to the model's by name; others are ignored; cells may be missing. One line per row in
/// the file's order, components counted from 0. A density too small for a 64-bit number is written as -inf.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Model file
    model: PathBuf,
    /// Data: CSV, TSV, JSON lines, NPY, Parquet or Arrow IPC, plain or gzipped; - is standard input; several files or a
    /// glob are one table
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// Add the responsibilities p0, p1, …
    #[arg(long)]
    proba: bool,
    /// Add the log-density of the row, in nats
    #[arg(long)]
    log_density: bool,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    memory: Memory,
    /// File to write [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<String>,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    args.threads.apply()?;
    let files = expand(&args.files)?;
    let inputs: Vec<&Path> = files.iter().map(Path::new).chain([&*args.model]).collect();
    output::spare_inputs(args.out.as_ref(), &inputs)?;
    let saved = model_file::read(&args.model)?;
    let table = read_for(&saved, &files, None, &args.memory)?;
    let rows = data::rows(&table)?;
    let rows = &*rows;
    let k = saved.model.weights().len();
    let mut header = "component".to_owned();
    if args.proba {
        (0..k).for_each(|c| header.push_str(&format!(",p{c}")));
    }
    if args.log_density {
        header.push_str(",log_density");
    }
    let stop = interrupt::polled();
    let written = output::write(args.out.as_deref(), |out| {
        writeln!(out, "{header}")?;
        // Chunks are worked on together and written in order; memory holds a few of them, however long the file.
        let together = 4 * rayon::current_num_threads();
        for first in (0..rows.n_chunks()).step_by(together) {
            if stop.load(Ordering::Relaxed) {
                return Err(io::Error::from(ErrorKind::Interrupted));
            }
            let ids = first..(first + together).min(rows.n_chunks());
            let texts: Vec<Vec<u8>> = ids
                .into_par_iter()
                .map_init(|| Worker::new(&saved), |worker, id| worker.chunk(rows, id, args.proba, args.log_density))
                .collect::<io::Result<_>>()?;
            for text in texts {
                out.write_all(&text)?;
            }
        }
        Ok(())
    });
    if interrupt::requested() {
        return Err(Failure::new(INTERRUPTED, "interrupted: the predictions are not complete"));
    }
    written
}

/// What one thread needs.
struct Worker<'a> {
    saved: &'a SavedModel,
    buffer: Buffer,
    scratch: <mixtura::Mixture<mixtura::family::gaussian::Gaussian> as LatentModel>::Scratch,
    resp: Vec<f64>,
    log_density: Vec<f64>,
}

impl<'a> Worker<'a> {
    fn new(saved: &'a SavedModel) -> Self {
        let k = saved.model.weights().len();
        Worker {
            saved,
            buffer: Buffer::default(),
            scratch: saved.model.scratch(),
            resp: vec![0.0; CHUNK_ROWS * k],
            log_density: vec![0.0; CHUNK_ROWS],
        }
    }

    /// The CSV lines of one chunk.
    fn chunk(&mut self, rows: &dyn Source, id: usize, proba: bool, log_density: bool) -> io::Result<Vec<u8>> {
        let k = self.saved.model.weights().len();
        let chunk = rows.read(id, &mut self.buffer).map_err(io::Error::other)?;
        self.saved.model.posterior(chunk, &mut self.scratch, &mut self.resp, &mut self.log_density);
        let mut text = Vec::new();
        for i in 0..chunk.rows.n_rows() {
            let resp = &self.resp[i * k..][..k];
            let component = (0..k).fold(0, |best, c| if resp[c] > resp[best] { c } else { best });
            write!(text, "{component}")?;
            if proba {
                for &r in resp {
                    text.push(b',');
                    output::number(&mut text, r)?;
                }
            }
            if log_density {
                text.push(b',');
                output::number(&mut text, self.log_density[i])?;
            }
            text.push(b'\n');
        }
        Ok(text)
    }
}

/// Reads the columns of a model from a file. An array has no column names: its columns are matched by position if there
/// are as many as the model has.
pub(crate) fn read_for(
    saved: &SavedModel,
    files: &[String],
    weights_column: Option<&String>,
    memory: &Memory,
) -> Result<Table, Failure> {
    let options = |columns| ReadOptions {
        columns,
        weights_column: weights_column.cloned(),
        label_column: None,
        of_a_model: true,
        memory: memory.memory,
    };
    let file = &files[0];
    match read_tables(files, &options(Some(saved.columns.clone()))) {
        Ok(table) => Ok(table),
        Err(error @ ReadError::Data(_)) if is_array(file) => {
            let d = saved.columns.len();
            let found = ReadOptions { memory: memory.memory, ..ReadOptions::default() };
            let found = read_table(file, &found).map_or(0, |t| t.columns.len() + t.dropped.len());
            if found != d {
                return Err(Failure::new(UNUSABLE, format!("{error} (the model has {d} columns, the array {found})")));
            }
            let table = read_tables(files, &options(Some((1..=d).map(|i| format!("x{i}")).collect())))?;
            eprintln!("note: {file} has no column names: its columns are taken in the order of the model's");
            Ok(table)
        }
        Err(error) => Err(error.into()),
    }
}

/// Whether a file is an NPY array.
fn is_array(file: &str) -> bool {
    let mut head = [0; 6];
    file != "-" && File::open(file).and_then(|mut f| f.read_exact(&mut head)).is_ok() && head == *b"\x93NUMPY"
}
