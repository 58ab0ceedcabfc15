//! `mixtura cluster`: k-means.

use mixtura::data::{Buffer, Chunk, Rows, Source, for_each_row};
use mixtura::model::kmeans::nearest;
use mixtura::{KMeans, KMeansFit, Seed};
use mixtura_io::{Table, read_tables};
use serde::Serialize;

use crate::failure::{Failure, UNUSABLE};
use crate::flags::{Columns, Input, Threads};
use crate::{data, output};

const EXAMPLES: &str = "\
Examples:
  mixtura cluster iris.csv -k 3
  mixtura cluster iris.csv -k 3 --scale standard --out clusters.csv
  mixtura cluster iris.csv -k 3 --json | jq .centers";

/// Partition a data file by k-means; where overlap, shape or missing cells matter, use fit
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    input: Input,
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
    let files = args.input.paths_sparing(args.out.as_ref(), &[])?;
    output::check_table(args.out.as_deref())?;
    let to_stdout = args.out.as_deref() == Some("-");
    if args.json && to_stdout {
        return Err(Failure::usage("--json and --out - both want standard output: give --out a file"));
    }
    let mut options = args.columns.options(None);
    options.memory = args.input.memory.memory;
    let table = read_tables(&files, &options)?;
    if !args.quiet && !args.json {
        table.notes.iter().for_each(|note| eprintln!("note: {note}"));
        table.dropped.iter().for_each(|c| eprintln!("note: column '{}' is left out: {}", c.name, c.reason));
    }
    let about = |error| Failure::about(&table.source, &error);
    let d = table.columns.len();
    let weighted = data::rows(&table)?;
    let units = match args.scale {
        Scale::None => vec![(0.0, 1.0); d],
        Scale::Standard => units(&*weighted).map_err(about)?,
    };
    let used = InUnits { source: &*weighted, units: &units };
    let seed = Seed::new(args.seed);
    let kmeans = KMeans { restarts: args.restarts, max_iter: args.max_iter, seed, ..KMeans::new(args.k) };
    let fit = kmeans.fit(&used).map_err(|error| missing_cell(&table, &*weighted).unwrap_or_else(|| about(error)))?;
    let written = match &args.out {
        Some(path) => {
            // Rows of weight 0 have a cluster too.
            let all = data::all_rows(&table)?;
            let assigned = nearest(&InUnits { source: &*all, units: &units }, &fit.centers).map_err(about)?;
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

/// The refusal of the first missing cell, by the name of its column, where that is what k-means refused.
fn missing_cell(table: &Table, rows: &dyn Source) -> Option<Failure> {
    let mut missing = None;
    for_each_row(rows, |i, row, _, _| {
        missing = missing.or_else(|| row.iter().position(|x| x.is_nan()).map(|j| (i, j)));
    })
    .ok()?;
    let (i, j) = missing?;
    let (source, name) = (&table.source, &table.columns[j]);
    let why = "is missing: k-means needs complete rows (mixtura fit does not)";
    Some(Failure::new(UNUSABLE, format!("{source}: row {}, column '{name}' {why}", i + 1)))
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

/// Mean and standard deviation of every column; that of a constant column is taken for 1.
fn units(rows: &dyn Source) -> mixtura::Result<Vec<(f64, f64)>> {
    let d = rows.n_features();
    let average = |of: &dyn Fn(usize, f64) -> f64| {
        let (mut sums, mut totals) = (vec![0.0; d], vec![0.0; d]);
        for_each_row(rows, |_, row, weight, _| {
            for (j, &x) in row.iter().enumerate().filter(|(_, x)| !x.is_nan()) {
                sums[j] += weight * of(j, x);
                totals[j] += weight;
            }
        })?;
        Ok::<Vec<f64>, mixtura::Error>(sums.iter().zip(&totals).map(|(sum, total)| sum / total).collect())
    };
    let means = average(&|_, x| x)?;
    let variances = average(&|j, x| (x - means[j]) * (x - means[j]))?;
    let sd = |variance: &f64| if *variance > 0.0 { variance.sqrt() } else { 1.0 };
    Ok(means.iter().copied().zip(variances.iter().map(sd)).collect())
}

/// Rows with every column shifted and scaled by its mean and standard deviation.
struct InUnits<'a> {
    source: &'a dyn Source,
    units: &'a [(f64, f64)],
}

impl Source for InUnits<'_> {
    fn n_features(&self) -> usize {
        self.source.n_features()
    }

    fn n_rows(&self) -> usize {
        self.source.n_rows()
    }

    fn read<'b>(&'b self, id: usize, buffer: &'b mut Buffer) -> mixtura::Result<Chunk<'b>> {
        let Buffer { values, inner, .. } = buffer;
        let chunk = self.source.read(id, inner.get_or_insert_default())?;
        values.clear();
        for i in 0..chunk.rows.n_rows() {
            values.extend(chunk.rows.row(i).iter().zip(self.units).map(|(x, (mean, sd))| (x - mean) / sd));
        }
        Ok(Chunk { rows: Rows::new(values, self.units.len()), ..chunk })
    }
}
