//! `mixtura cluster`: k-means.

use std::borrow::Cow;
use std::path::Path;

use mixtura::data::{Dense, Values};
use mixtura::model::kmeans::nearest;
use mixtura::{KMeans, KMeansFit, Seed};
use mixtura_io::{Table, read_table};
use serde::Serialize;

use crate::failure::Failure;
use crate::flags::{Columns, Threads};
use crate::output;

const EXAMPLES: &str = "\
Examples:
  mixtura cluster iris.csv -k 3
  mixtura cluster iris.csv -k 3 --scale standard --out clusters.csv
  mixtura cluster iris.csv -k 3 --json | jq .centers";

/// Partition a data file by k-means; where overlap, shape or missing cells matter, use fit
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Data: CSV, TSV or NPY, plain or gzipped; - is standard input
    file: String,
    /// Number of clusters
    #[arg(short = 'k', value_name = "K")]
    k: usize,
    #[command(flatten)]
    columns: Columns,
    /// k-means++ starts, of which the best is kept
    #[arg(long, value_name = "N", default_value_t = 10)]
    restarts: usize,
    /// Seed of the starts
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Most iterations per start
    #[arg(long, value_name = "N", default_value_t = 300)]
    max_iter: usize,
    /// standard: divide every column by its standard deviation first (the inertia is in these units then)
    #[arg(long, value_enum, default_value_t = Scale::None)]
    scale: Scale,
    #[command(flatten)]
    threads: Threads,
    /// CSV file to write the cluster of every row to (- is standard output)
    #[arg(long, value_name = "FILE")]
    out: Option<String>,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
    /// Print no table
    #[arg(long)]
    quiet: bool,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Scale {
    None,
    Standard,
}

#[derive(Serialize)]
struct ClusterJson<'a> {
    n_clusters: usize,
    columns: &'a [String],
    centers: Vec<&'a [f64]>,
    counts: &'a [f64],
    inertia: f64,
    iterations: usize,
    converged: bool,
    restarts: &'a [f64],
    n_rows: usize,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    args.threads.apply()?;
    output::spare_inputs(args.out.as_ref(), &[Path::new(&args.file)])?;
    let to_stdout = args.out.as_deref() == Some("-");
    if args.json && to_stdout {
        return Err(Failure::usage("--json and --out - both want standard output: give --out a file"));
    }
    let mut table = read_table(&args.file, &args.columns.options(None))?;
    if !args.quiet && !args.json {
        table.notes.iter().for_each(|note| eprintln!("note: {note}"));
        table.dropped.iter().for_each(|c| eprintln!("note: column '{}' is left out: {}", c.name, c.reason));
    }
    let mut values = match std::mem::replace(&mut table.values, mixtura_io::Values::F64(Vec::new())) {
        mixtura_io::Values::F64(values) => values,
        mixtura_io::Values::F32(values) => values.into_iter().map(f64::from).collect(),
    };
    let d = table.columns.len();
    let units = match args.scale {
        Scale::None => vec![(0.0, 1.0); d],
        Scale::Standard => standardize(&mut values, d, table.weights.as_deref()),
    };
    let about = |error| Failure::about(&table.source, &error);
    let rows = || Dense::from_values(Values::F64(Cow::Borrowed(&values)), d);
    let mut used = rows().map_err(about)?;
    if let Some(weights) = &table.weights {
        used = used.with_weights(weights).map_err(about)?;
    }
    let seed = Seed::new(args.seed);
    let kmeans = KMeans { n_clusters: args.k, restarts: args.restarts, max_iter: args.max_iter, seed };
    let fit = kmeans.fit(&used).map_err(about)?;
    let written = match &args.out {
        Some(path) => {
            // Rows of weight 0 have a cluster too.
            let assigned = nearest(&rows().map_err(about)?, &fit.centers).map_err(about)?;
            output::write(Some(path), |out| {
                writeln!(out, "cluster")?;
                assigned.iter().try_for_each(|c| writeln!(out, "{c}"))
            })
        }
        None => Ok(()),
    };
    let centers: Vec<f64> = fit.centers.iter().enumerate().map(|(n, c)| c * units[n % d].1 + units[n % d].0).collect();
    print(&args, &table, &centers, &fit)?;
    written
}

fn print(args: &Args, table: &Table, centers: &[f64], fit: &KMeansFit) -> Result<(), Failure> {
    if args.json {
        return output::json(&ClusterJson {
            n_clusters: args.k,
            columns: &table.columns,
            centers: centers.chunks(table.columns.len()).collect(),
            counts: &fit.counts,
            inertia: fit.inertia,
            iterations: fit.iterations,
            converged: fit.converged,
            restarts: &fit.restarts,
            n_rows: table.n_rows,
        });
    }
    if args.quiet || args.out.as_deref() == Some("-") {
        return Ok(());
    }
    let mut text = mixtura_report::clusters(&table.columns, centers, fit);
    if let Some(path) = &args.out {
        text.push_str(&format!("clusters of all rows in {path}\n"));
    }
    output::print(|out| out.write_all(text.as_bytes()))
}

/// Shifts and scales every column to mean 0 and standard deviation 1; returns the means and standard deviations. A
/// constant column is only shifted.
fn standardize(values: &mut [f64], d: usize, weights: Option<&[f64]>) -> Vec<(f64, f64)> {
    let weight = |i: usize| weights.map_or(1.0, |w| w[i]);
    (0..d)
        .map(|j| {
            let average = |of: &dyn Fn(f64) -> f64| {
                let cells = values.iter().skip(j).step_by(d).enumerate().filter(|(_, x)| !x.is_nan());
                let (sum, total) = cells.fold((0.0, 0.0), |(s, t), (i, x)| (s + weight(i) * of(*x), t + weight(i)));
                sum / total
            };
            let mean = average(&|x| x);
            let sd = average(&|x| (x - mean) * (x - mean)).sqrt();
            let sd = if sd > 0.0 { sd } else { 1.0 };
            values.iter_mut().skip(j).step_by(d).for_each(|x| *x = (*x - mean) / sd);
            (mean, sd)
        })
        .collect()
}
