//! `mixtura anomaly`: how unusual every row is, and a threshold whose false-positive rate is known.

use std::path::{Path, PathBuf};

use mixtura::data::{Chunk, Source, rows_fingerprint};
use mixtura::model::posteriors;
use mixtura::persist::{SavedModel, finite};
use mixtura::query::Threshold;
use serde::Serialize;

use crate::condition::share;
use crate::failure::{Failure, UNUSABLE};
use crate::flags::{Input, Threads};
use crate::predict::read_for;
use crate::rows_out::{cell, count};
use crate::{data, model_file, output, rows_out};

const EXAMPLES: &str = "\
Examples:
  mixtura anomaly machine.json today.csv --calibrate held-out.csv --rate 0.001
  mixtura anomaly machine.json today.csv --rate 0.01 --out scores.csv --json";

/// Score how unusual every row is, and flag the most unusual, as CSV
///
/// The score is -log density, in nats. With --calibrate the threshold is a quantile of the scores of held-out rows:
/// ordinary rows that were not used to fit the model. Its false-positive rate is then known whether or not the model is
/// right. Without it the most unusual share of the file itself is flagged, and no false-positive rate is known. Rows
/// with missing cells are scored by the observed ones.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Model file
    model: PathBuf,
    #[command(flatten)]
    input: Input,
    /// False-positive rate with --calibrate, else the share of the file to flag
    #[arg(long, value_name = "RATE", default_value_t = 0.01, value_parser = share)]
    rate: f64,
    /// Held-out ordinary rows that set the threshold
    #[arg(long, value_name = "FILE")]
    calibrate: Option<String>,
    #[command(flatten)]
    threads: Threads,
    /// File to write scores to [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<String>,
    /// Print the threshold and the counts as one JSON object; scores are then written with --out only
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct AnomalyJson {
    threshold: Option<f64>,
    rate: f64,
    calibrated: bool,
    expected_false_positive_rate: Option<f64>,
    false_positive_rate_interval: Option<(f64, f64)>,
    n_held_out: Option<usize>,
    n_rows: usize,
    n_anomalies: usize,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    args.threads.apply()?;
    let held_out = args.calibrate.as_deref();
    let others: Vec<&Path> = [&*args.model].into_iter().chain(held_out.map(Path::new)).collect();
    let files = args.input.paths_sparing(args.out.as_ref(), &others)?;
    if args.json && args.out.as_deref() == Some("-") {
        return Err(Failure::usage("--json and --out - both write standard output: choose one"));
    }
    if files.iter().any(|f| f == "-") && held_out == Some("-") {
        return Err(Failure::usage("standard input cannot be the file and the held-out rows at once"));
    }
    let saved = model_file::read(&args.model)?;
    let threshold = match held_out {
        None => None,
        Some(file) => {
            let table = read_for(&saved, &[file.to_owned()], None, &args.input.memory)?;
            let rows = &*data::rows(&table)?;
            let about = |error| Failure::about(&table.source, &error);
            if rows_fingerprint(rows).map_err(about)? == saved.record.data.fingerprint {
                eprintln!(
                    "note: {} holds the very rows that the model was fitted to: held-out rows are needed, the true rate is higher",
                    table.source
                );
            }
            let (scores, holes) = scores(&saved, rows).map_err(about)?;
            if holes > 0 {
                eprintln!(
                    "note: {} of {} with missing cells: the rate holds over all rows if cells go missing as they do there",
                    count(holes, "row"),
                    table.source
                );
            }
            Some(Threshold::new(scores, args.rate).map_err(about)?)
        }
    };
    let table = read_for(&saved, &files, None, &args.input.memory)?;
    let rows = &*data::rows(&table)?;
    let about = |error| Failure::about(&table.source, &error);
    let (scores, _) = scores(&saved, rows).map_err(about)?;
    let limit = match &threshold {
        Some(t) => t.score,
        None => own_limit(&scores, args.rate, &table.source)?,
    };
    if !args.json || args.out.is_some() {
        let lines = |_: &mut (), chunk: Chunk<'_>, text: &mut Vec<u8>| {
            for score in &scores[chunk.first_row..][..chunk.rows.n_rows()] {
                cell(text, *score);
                text.extend(if *score > limit { b",1\n" } else { b",0\n" });
            }
            Ok(())
        };
        rows_out::write(args.out.as_deref(), "score,is_anomaly", (rows, &table.source), "scores", || (), lines)?;
    }
    let flagged = scores.iter().filter(|s| **s > limit).count();
    eprintln!("{}", sentence(threshold.as_ref(), limit, args.rate, flagged, scores.len()));
    if !args.json {
        return Ok(());
    }
    output::json(&AnomalyJson {
        threshold: finite(limit),
        rate: args.rate,
        calibrated: threshold.is_some(),
        expected_false_positive_rate: threshold.map(|t| t.expected),
        false_positive_rate_interval: threshold.map(|t| t.interval),
        n_held_out: threshold.map(|t| t.n_rows),
        n_rows: scores.len(),
        n_anomalies: flagged,
    })
}

/// −log density of every row, and how many rows have missing cells.
fn scores(saved: &SavedModel, rows: &dyn Source) -> mixtura::Result<(Vec<f64>, usize)> {
    let chunks = posteriors(&saved.model, rows, 0..rows.n_chunks(), |chunk, _, log_density| {
        let holes = (0..chunk.rows.n_rows()).filter(|&i| chunk.rows.row(i).iter().any(|x| x.is_nan())).count();
        Ok((log_density.iter().map(|l| 0.0 - l).collect::<Vec<f64>>(), holes))
    })?;
    let holes = chunks.iter().map(|(_, holes)| holes).sum();
    Ok((chunks.into_iter().flat_map(|(scores, _)| scores).collect(), holes))
}

/// The score that the given share of the rows themselves exceed.
fn own_limit(scores: &[f64], rate: f64, file: &str) -> Result<f64, Failure> {
    let n = scores.len();
    let flagged = (n as f64 * rate * (1.0 + 4.0 * f64::EPSILON)).floor() as usize;
    if flagged == 0 {
        return Err(Failure::new(
            UNUSABLE,
            format!("{file}: a share of {rate} of {} is less than one row: raise --rate", count(n, "row")),
        ));
    }
    let mut sorted = scores.to_vec();
    let (_, limit, _) = sorted.select_nth_unstable_by(n.saturating_sub(flagged + 1), f64::total_cmp);
    Ok(*limit)
}

/// What the threshold means, on standard error.
fn sentence(threshold: Option<&Threshold>, limit: f64, rate: f64, flagged: usize, n: usize) -> String {
    let Some(t) = threshold else {
        return format!(
            "{flagged} of {} flagged, score above {limit:.6}: the most unusual {} % of this file; \
             no false-positive rate is known without --calibrate",
            count(n, "row"),
            100.0 * rate
        );
    };
    format!(
        "{flagged} of {} flagged, score above {limit:.6}: expected false-positive rate {:.6} \
         (95 % interval {:.6} to {:.6}), from {}",
        count(n, "row"),
        t.expected,
        t.interval.0,
        t.interval.1,
        count(t.n_rows, "held-out row")
    )
}
