//! `mixtura regress`: some columns predicted from the others, row by row (Gaussian mixture regression).

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use mixtura::Seed;
use mixtura::data::Chunk;
use mixtura::query::Conditioner;

use crate::condition::share;
use crate::failure::Failure;
use crate::flags::{Input, Threads};
use crate::predict::read_for;
use crate::rows_out::{cell, count};
use crate::{data, model_file, output, rows_out};

const EXAMPLES: &str = "\
Examples:
  mixtura regress iris.mixtura.json new.csv --target petal_width
  mixtura regress iris.mixtura.json new.csv --target petal_width --interval 0.9 --out widths.csv
  mixtura regress iris.mixtura.json new.csv --target petal_length,petal_width --draws 5 --seed 1";

/// Predict some columns of every row from the others, as CSV: mean, standard deviation, interval, draws
///
/// The file needs the model's other columns; of these, cells may be missing. The interval leaves out as much below as
/// above; it is that of the model, not of its estimation error.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Model file
    model: PathBuf,
    #[command(flatten)]
    input: Input,
    /// Columns to predict; the file need not have them
    #[arg(long, value_name = "Y,Z,…", value_delimiter = ',', required = true)]
    target: Vec<String>,
    /// Probability of the interval
    #[arg(long, value_name = "P", default_value_t = 0.95, value_parser = share)]
    interval: f64,
    /// Draws per row, all targets together
    #[arg(long, value_name = "N", default_value_t = 0)]
    draws: usize,
    /// Seed of the draws: the same one gives the same draws, in whatever order rows come
    #[arg(long, default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    threads: Threads,
    /// File to write [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<String>,
}

/// Draws per row beyond which a line would be a file.
const MOST_DRAWS: usize = 10_000;

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    args.threads.apply()?;
    let files = args.input.paths_sparing(args.out.as_ref(), &[&args.model])?;
    if args.draws > MOST_DRAWS {
        return Err(Failure::usage(format!("--draws {}: at most {MOST_DRAWS} per row", args.draws)));
    }
    let saved = model_file::read(&args.model)?;
    let targets = model_file::columns(&saved, &args.target)?;
    let given: Vec<usize> = (0..saved.columns.len()).filter(|j| !targets.contains(j)).collect();
    if given.is_empty() {
        return Err(Failure::usage("every column of the model is a target: leave at least one to predict from"));
    }
    let about = |error| Failure::about(&args.model.display().to_string(), &error);
    let names = given.iter().map(|&j| saved.columns[j].clone()).collect();
    let known = saved.derive(saved.model.marginal(&given).map_err(about)?, names, String::new());
    let table = read_for(&known, &files, None, &args.input.memory)?;
    let rows = &*data::rows(&table)?;
    let mut header = Vec::new();
    for name in &args.target {
        let parts = ["mean", "sd", "low", "high"].map(|part| format!("{name}_{part}"));
        let draws = (1..=args.draws).map(|i| format!("{name}_draw{i}"));
        header.extend(parts.into_iter().chain(draws).map(|name| output::csv_name(&name)));
    }
    let (far, empty) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let lines = |conditioner: &mut Conditioner<'_>, chunk: Chunk<'_>, text: &mut Vec<u8>| {
        let mut row = vec![f64::NAN; saved.columns.len()];
        for i in 0..chunk.rows.n_rows() {
            for (&j, &x) in given.iter().zip(chunk.rows.row(i)) {
                row[j] = x;
            }
            let conditional = conditioner.at(&row)?;
            far.fetch_add(usize::from(conditional.log_density() == f64::NEG_INFINITY), Ordering::Relaxed);
            empty.fetch_add(usize::from(conditional.columns().len() == row.len()), Ordering::Relaxed);
            let mut rng = Seed::new(args.seed).child((chunk.first_row + i) as u64).rng();
            let draws: Vec<Vec<f64>> = (0..args.draws)
                .map(|_| {
                    let mut draw = vec![0.0; conditional.columns().len()];
                    conditional.draw(&mut rng, &mut draw);
                    draw
                })
                .collect();
            let means = conditional.mean();
            for target in &targets {
                // Targets are never observed, so each is among the columns.
                let place = conditional.columns().iter().position(|j| j == target).unwrap_or_default();
                let (low, high) = conditional.univariate(place).interval(args.interval);
                for x in [means[place], conditional.variance(place).sqrt(), low, high] {
                    cell(text, x);
                }
                draws.iter().for_each(|draw| cell(text, draw[place]));
            }
            text.push(b'\n');
        }
        Ok(())
    };
    let worker = || Conditioner::new(&saved.model);
    let (out, header) = (args.out.as_deref(), header.join(","));
    rows_out::write(out, &header, (rows, &table.source), "predictions", worker, lines)?;
    let (far, empty) = (far.into_inner(), empty.into_inner());
    if far > 0 {
        eprintln!("note: {} so far out that every density is 0: predicted with the prior weights", count(far, "row"));
    }
    if empty > 0 {
        eprintln!("note: {} without any known cell: predicted from the whole model", count(empty, "row"));
    }
    Ok(())
}
