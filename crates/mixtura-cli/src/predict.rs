//! `mixtura predict`: component, responsibilities and log-density of every row of a file.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use mixtura::data::Chunk;
use mixtura::model::{LatentModel, Predict, most_probable};
use mixtura::persist::SavedModel;
use mixtura::query::Conditioner;
use mixtura_io::{ReadError, ReadOptions, Table, read_table, read_tables};

use crate::failure::{Failure, UNUSABLE};
use crate::flags::{Input, Memory, Threads};
use crate::{data, model_file, output, rows_out};

const EXAMPLES: &str = "\
Examples:
  mixtura predict iris.mixtura.json new.csv
  mixtura predict iris.mixtura.json new.csv --proba --log-density --out labels.csv
  tail -n 100 log.csv | mixtura predict model.json -";

/// Assign every row of a file to its most probable component, as CSV
///
/// The file's columns are matched to the model's by name; others are ignored; cells may be missing. One line per row in
/// the file's order, components counted from 0, with the label of the component where the model was fitted with labels. A
/// density too small for a 64-bit number is written as -inf.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Model file
    model: PathBuf,
    #[command(flatten)]
    input: Input,
    /// Add the responsibilities p0, p1, …
    #[arg(long)]
    proba: bool,
    /// Add the log-density of the row, in nats
    #[arg(long)]
    log_density: bool,
    /// Add the Mahalanobis distance to the row's component, in standard deviations, of the observed cells
    #[arg(long)]
    distance: bool,
    #[command(flatten)]
    threads: Threads,
    /// File to write [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<String>,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    args.threads.apply()?;
    let files = args.input.paths_sparing(args.out.as_ref(), &[&args.model])?;
    let saved = model_file::read(&args.model)?;
    let table = read_for(&saved, &files, None, &args.input.memory)?;
    let rows = &*data::rows(&table)?;
    let k = saved.model.weights().len();
    let mut header = "component".to_owned();
    if !saved.record.labels.is_empty() {
        header.push_str(",label");
    }
    if args.proba {
        (0..k).for_each(|c| header.push_str(&format!(",p{c}")));
    }
    if args.log_density {
        header.push_str(",log_density");
    }
    if args.distance {
        header.push_str(",distance");
    }
    let far = AtomicUsize::new(0);
    rows_out::write(
        args.out.as_deref(),
        &header,
        (rows, &table.source),
        "predictions",
        || Worker::new(&saved),
        |worker, chunk, text| {
            far.fetch_add(worker.lines(chunk, &args, text)?, Ordering::Relaxed);
            Ok(())
        },
    )?;
    let far = far.into_inner();
    if far > 0 {
        eprintln!(
            "note: {} so far out that every density is 0: the prior weights stand in for responsibilities",
            if far == 1 { "1 row is".to_owned() } else { format!("{far} rows are") }
        );
    }
    Ok(())
}

/// What one thread needs.
struct Worker<'a> {
    saved: &'a SavedModel,
    scratch: <mixtura::Mixture<mixtura::family::gaussian::Gaussian> as LatentModel>::Scratch,
    conditioner: Conditioner<'a>,
    resp: Vec<f64>,
    log_density: Vec<f64>,
}

impl<'a> Worker<'a> {
    fn new(saved: &'a SavedModel) -> Self {
        let k = saved.model.weights().len();
        Worker {
            saved,
            scratch: saved.model.scratch(),
            conditioner: Conditioner::new(&saved.model),
            resp: vec![0.0; rows_out::ROWS * k],
            log_density: vec![0.0; rows_out::ROWS],
        }
    }

    /// The CSV lines of a few rows; returns how many rows are so far out that every density is 0.
    fn lines(&mut self, chunk: Chunk<'_>, args: &Args, text: &mut Vec<u8>) -> mixtura::Result<usize> {
        let k = self.saved.model.weights().len();
        let labels = &self.saved.record.labels;
        self.saved.model.posterior(chunk, &mut self.scratch, &mut self.resp, &mut self.log_density);
        let mut far = 0;
        for i in 0..chunk.rows.n_rows() {
            let resp = &self.resp[i * k..][..k];
            let component = most_probable(resp);
            text.extend(component.to_string().bytes());
            if !labels.is_empty() {
                text.push(b',');
                text.extend(labels.get(component).map_or(String::new(), |l| output::csv_name(l)).bytes());
            }
            if args.proba {
                resp.iter().for_each(|&r| rows_out::cell(text, r));
            }
            if args.log_density {
                rows_out::cell(text, self.log_density[i]);
            }
            if args.distance {
                rows_out::cell(text, self.conditioner.at(chunk.rows.row(i))?.distances()[component]);
            }
            far += usize::from(self.log_density[i] == f64::NEG_INFINITY);
            text.push(b'\n');
        }
        Ok(far)
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
        of_a_model: true,
        memory: memory.memory,
        ..ReadOptions::default()
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
