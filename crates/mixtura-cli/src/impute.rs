//! `mixtura impute`: missing cells filled from the observed ones of their row.

use std::path::PathBuf;
use std::sync::Mutex;

use mixtura::Seed;
use mixtura::data::Chunk;
use mixtura::query::{Conditioner, Filling, Imputed};

use crate::failure::Failure;
use crate::flags::{Input, Threads};
use crate::predict::read_for;
use crate::rows_out::{cell, count};
use crate::{data, model_file, output, rows_out};

const EXAMPLES: &str = "\
Examples:
  mixtura impute iris.mixtura.json holes.csv --out filled.csv
  mixtura impute iris.mixtura.json holes.csv --draw --seed 1";

/// Fill the missing cells of a file from the observed ones of their row, as CSV
///
/// Writes the model's columns in the model's order. Conditional means are the best guesses cell by cell but make the
/// columns too tame; for a variance, a correlation or a figure, use --draw, with several seeds.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Model file
    model: PathBuf,
    #[command(flatten)]
    input: Input,
    /// Draw the missing cells of a row from their distribution rather than take its mean
    #[arg(long)]
    draw: bool,
    /// Seed of the draws: the same one gives the same cells
    #[arg(long, default_value_t = 0, requires = "draw")]
    seed: u64,
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
    let filling = if args.draw { Filling::Draw(Seed::new(args.seed)) } else { Filling::Mean };
    let total = Mutex::new(Imputed::default());
    let d = saved.columns.len();
    let lines = |conditioner: &mut Conditioner<'_>, chunk: Chunk<'_>, text: &mut Vec<u8>| {
        let n = chunk.rows.n_rows();
        let mut values: Vec<f64> = (0..n).flat_map(|i| chunk.rows.row(i)).copied().collect();
        let done = mixtura::query::impute(conditioner, &mut values, chunk.first_row, filling)?;
        if let Ok(mut total) = total.lock() {
            total.cells += done.cells;
            total.far_rows += done.far_rows;
            total.empty_rows += done.empty_rows;
        }
        for row in values.chunks(d) {
            row.iter().for_each(|&x| cell(text, x));
            text.push(b'\n');
        }
        Ok(())
    };
    let header: Vec<String> = saved.columns.iter().map(|name| output::csv_name(name)).collect();
    let worker = || Conditioner::new(&saved.model);
    let (out, header) = (args.out.as_deref(), header.join(","));
    rows_out::write(out, &header, (rows, &table.source), "filled rows", worker, lines)?;
    let total = total.into_inner().unwrap_or_default();
    eprintln!("note: {} filled", count(total.cells, "cell"));
    if total.empty_rows > 0 {
        eprintln!("note: {} without any observed cell: filled from the whole model", count(total.empty_rows, "row"));
    }
    if total.far_rows > 0 {
        let far = count(total.far_rows, "row");
        eprintln!("note: {far} so far out that every density is 0: filled with the prior weights");
    }
    Ok(())
}
