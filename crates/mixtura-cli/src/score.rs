//! `mixtura score`: how probable a file is under a saved model.

use std::path::PathBuf;

use mixtura::model::{LatentModel, posteriors};
use mixtura::persist::finite;
use serde::Serialize;

use crate::failure::Failure;
use crate::flags::{Input, Threads};
use crate::predict::read_for;
use crate::{data, model_file, output};

const EXAMPLES: &str = "\
Examples:
  mixtura score iris.mixtura.json held-out.csv
  mixtura score iris.mixtura.json counts.csv --weights-column n --json";

/// Log-likelihood of a file under a saved model, and BIC with the model's number of free parameters
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Model file
    model: PathBuf,
    #[command(flatten)]
    input: Input,
    /// Column of case weights (frequencies): 2 is the row twice, 0 no row
    #[arg(long, value_name = "COLUMN")]
    weights_column: Option<String>,
    #[command(flatten)]
    threads: Threads,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

/// The figures; those that are not finite are null in JSON.
#[derive(Serialize)]
struct Score {
    log_likelihood: Option<f64>,
    mean_log_likelihood: Option<f64>,
    bic: Option<f64>,
    n_rows: usize,
    total_weight: f64,
    n_free_parameters: usize,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    args.threads.apply()?;
    let saved = model_file::read(&args.model)?;
    let table = read_for(&saved, &args.input.paths()?, args.weights_column.as_ref(), &args.input.memory)?;
    let rows = &*data::rows(&table)?;
    let model = &saved.model;
    // Chunks are summed one by one and then in order: the same bits for any number of threads.
    let sums = posteriors(model, rows, 0..rows.n_chunks(), |chunk, _, log_density| {
        let weights = (0..chunk.rows.n_rows()).map(|i| chunk.weight(i));
        Ok(weights.zip(log_density).fold((0.0, 0.0), |(l, w), (wi, li)| (l + wi * li, w + wi)))
    })
    .map_err(|error| Failure::about(&table.source, &error))?;
    let (total, weight) = sums.iter().fold((0.0, 0.0), |(l, w), s| (l + s.0, w + s.1));
    let p = model.n_free_parameters();
    let (mean, bic) = (total / weight, -2.0 * total + p as f64 * weight.ln());
    if args.json {
        return output::json(&Score {
            log_likelihood: finite(total),
            mean_log_likelihood: finite(mean),
            bic: finite(bic),
            n_rows: rows.n_rows(),
            total_weight: weight,
            n_free_parameters: p,
        });
    }
    output::print(|out| {
        writeln!(out, "log-likelihood  {total:.6}  (nats, {} rows)", rows.n_rows())?;
        writeln!(out, "per row         {mean:.6}")?;
        writeln!(out, "BIC             {bic:.6}  ({p} free parameters; lower is better)")
    })
}
