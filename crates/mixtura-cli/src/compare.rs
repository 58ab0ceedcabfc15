//! `mixtura compare`: how well a model's components agree with known labels.

use std::collections::BTreeMap;
use std::path::PathBuf;

use mixtura::model::{most_probable, posteriors};
use mixtura::query::Agreement;
use mixtura_io::{ReadOptions, read_tables};
use serde::Serialize;

use crate::failure::{Failure, UNUSABLE};
use crate::flags::{Input, Threads};
use crate::rows_out::count;
use crate::{data, model_file, output};

const EXAMPLES: &str = "\
Examples:
  mixtura compare iris.mixtura.json iris.csv --label-column species
  mixtura compare iris.mixtura.json iris.csv --label-column species --json | jq .adjusted_rand";

/// Compare the components of a model with known labels of a file
///
/// Every row goes to its most probable component. Prints the adjusted Rand index (1: the same partition, 0: as by
/// chance), the share of rows off the best matching of labels and components, and the table of both.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Model file
    model: PathBuf,
    #[command(flatten)]
    input: Input,
    /// Column of the known labels; rows without one are left out
    #[arg(long, value_name = "COLUMN")]
    label_column: String,
    /// Column of case weights (frequencies): 2 is the row twice, 0 no row
    #[arg(long, value_name = "COLUMN")]
    weights_column: Option<String>,
    #[command(flatten)]
    threads: Threads,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct CompareJson<'a> {
    adjusted_rand: f64,
    matched_error: f64,
    normalized_mutual_information: f64,
    labels: &'a [String],
    matching: &'a [Option<usize>],
    table: &'a [Vec<f64>],
    total_weight: f64,
    n_unlabelled: usize,
}

/// Weight of rows by label and component, where there are any.
type Counts = BTreeMap<(usize, usize), f64>;

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    args.threads.apply()?;
    let saved = model_file::read(&args.model)?;
    let table = read_tables(
        &args.input.paths()?,
        &ReadOptions {
            columns: Some(saved.columns.clone()),
            weights_column: args.weights_column.clone(),
            label_column: Some(args.label_column.clone()),
            of_a_model: true,
            memory: args.input.memory.memory,
            ..ReadOptions::default()
        },
    )?;
    let rows = &*data::rows(&table)?;
    let labels = table.labels.as_ref().map_or(&[][..], |l| &l.names);
    if labels.is_empty() {
        let what = format!("{}: column '{}' has no label in any row", table.source, args.label_column);
        return Err(Failure::new(UNUSABLE, what));
    }
    let (model, k) = (&saved.model, saved.model.weights().len());
    // Components of one name are one group, as `combine --keep-components` leaves them.
    let names = &saved.record.labels;
    let group = |component: usize| {
        names.get(component).and_then(|name| names.iter().position(|n| n == name)).unwrap_or(component)
    };
    // Chunks are counted one by one and then in order: the same bits for any number of threads.
    let counts = posteriors(model, rows, 0..rows.n_chunks(), |chunk, resp, _| {
        let (mut counts, mut unknown) = (Counts::new(), 0);
        for i in 0..chunk.rows.n_rows() {
            let component = most_probable(&resp[i * k..][..k]);
            match chunk.label(i) {
                Some(label) => *counts.entry((label, group(component))).or_insert(0.0) += chunk.weight(i),
                None => unknown += 1,
            }
        }
        Ok((counts, unknown))
    })
    .map_err(|error| Failure::about(&table.source, &error))?;
    let (mut total, mut unknown) = (vec![0.0; labels.len() * k], 0);
    for (counts, n) in counts {
        for ((label, component), count) in counts {
            total[label * k + component] += count;
        }
        unknown += n;
    }
    let by_label = total.chunks(k).map(<[f64]>::to_vec).collect();
    let agreement = Agreement::new(by_label).map_err(|error| Failure::about(&table.source, &error))?;
    if unknown > 0 {
        eprintln!("note: {} without a label left out", count(unknown, "row"));
    }
    if labels.len() == 1 {
        eprintln!("note: column '{}' has one label only: there is nothing to agree with", args.label_column);
    }
    let total_weight = total.iter().sum();
    if args.json {
        return output::json(&CompareJson {
            adjusted_rand: agreement.adjusted_rand,
            matched_error: agreement.matched_error,
            normalized_mutual_information: agreement.normalized_mutual_information,
            labels,
            matching: &agreement.matching,
            table: &agreement.table,
            total_weight,
            n_unlabelled: unknown,
        });
    }
    let n = if total_weight.fract() == 0.0 { format!("{total_weight}") } else { format!("{total_weight:.3}") };
    output::print(|out| {
        writeln!(out, "adjusted Rand index            {:.4}", agreement.adjusted_rand)?;
        let error = agreement.matched_error;
        writeln!(out, "matched error                  {error:.4}  ({:.0} of {n})", error * total_weight)?;
        writeln!(out, "normalised mutual information  {:.4}", agreement.normalized_mutual_information)?;
        writeln!(out)?;
        // A name may hold anything; a table line must stay one line.
        let clean =
            |name: &String| name.chars().map(|c| if c.is_control() { '?' } else { c }).take(20).collect::<String>();
        let heads: String = (0..k).map(|c| format!(" {c:>8}")).collect();
        writeln!(out, "{:<20} {:>9}{heads}", "label", "matched")?;
        for (i, (label, row)) in labels.iter().zip(&agreement.table).enumerate() {
            let matched = agreement.matching[i].map_or("-".to_owned(), |c| c.to_string());
            let cells: String = row.iter().map(|x| format!(" {:>8}", (x * 1e3).round() / 1e3)).collect();
            writeln!(out, "{:<20} {matched:>9}{cells}", clean(label))?;
        }
        Ok(())
    })
}
