//! `mixtura estep`: one E-step of a saved model over one part of the data, as a statistics file.

use std::path::{Path, PathBuf};

use mixtura::distributed::{Statistics, e_step};
use mixtura::persist::SavedModel;
use mixtura_io::{ReadOptions, Table, read_tables};

use crate::failure::{Failure, UNUSABLE};
use crate::fit::stem;
use crate::flags::{Input, Threads};
use crate::predict::read_for;
use crate::{data, model_file, output, stats_file};

const EXAMPLES: &str = "\
Examples:
  mixtura estep model.json part1.csv              writes part1.stats.json
  mixtura estep model.json part2.csv.gz --weights-column n --out b.stats.json
  mixtura merge part1.stats.json b.stats.json --out all.stats.json
  mixtura mstep model.json all.stats.json --out model.json";

/// Spread an EM iteration: the E-step of a model over one part of the data, as a statistics file
///
/// Run it once per part, wherever the parts are; put the files together with merge and make the next model with mstep.
/// The result is that of one process over all rows, to rounding. The file's columns are matched to the model's by name.
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
    /// Column of known components, by the names that the model has from its own fit; rows without one are free
    #[arg(long, value_name = "COLUMN")]
    label_column: Option<String>,
    #[command(flatten)]
    threads: Threads,
    /// Statistics file to write [default: the data file's name with .stats.json, here]
    #[arg(long, value_name = "FILE")]
    out: Option<String>,
    /// Print the figures as one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    args.threads.apply()?;
    let files = args.input.paths()?;
    let target = args.out.clone().unwrap_or_else(|| format!("{}.stats.json", stem(&files[0])));
    stats_file::check_target(&target, args.json)?;
    let inputs: Vec<&Path> = files.iter().map(Path::new).chain([&*args.model]).collect();
    output::spare_inputs(Some(&target), &inputs)?;
    let saved = model_file::read(&args.model)?;
    let table = match &args.label_column {
        None => read_for(&saved, &files, args.weights_column.as_ref(), &args.input.memory)?,
        Some(labels) => read_labelled(&saved, &args, labels)?,
    };
    let rows = &*data::rows(&table)?;
    let statistics: Statistics =
        e_step(&saved, rows, &table.source).map_err(|error| Failure::about(&table.source, &error))?;
    stats_file::write(&statistics, &target, args.json)
}

/// Reads the columns of the model and a column of labels, whose names become the components of the model's own labels.
fn read_labelled(saved: &SavedModel, args: &Args, column: &str) -> Result<Table, Failure> {
    if saved.record.labels.is_empty() {
        return Err(Failure::usage(format!(
            "{} has no names for its components: --label-column needs a model that was fitted with one",
            args.model.display()
        )));
    }
    let options = ReadOptions {
        columns: Some(saved.columns.clone()),
        weights_column: args.weights_column.clone(),
        label_column: Some(column.to_owned()),
        of_a_model: true,
        memory: args.input.memory.memory,
        ..ReadOptions::default()
    };
    let mut table = read_tables(&args.input.paths()?, &options)?;
    if let Some(labels) = &mut table.labels {
        let known = labels.names.iter().map(|name| saved.record.labels.iter().position(|l| l == name));
        let component: Vec<Option<usize>> = known.collect();
        if let Some(stranger) = component.iter().position(Option::is_none) {
            return Err(Failure::new(
                UNUSABLE,
                format!(
                    "{}: the label '{}' is none of the model's: {}",
                    table.source,
                    labels.names[stranger],
                    saved.record.labels.join(", ")
                ),
            ));
        }
        for code in &mut labels.codes {
            let known = usize::try_from(*code).ok().and_then(|c| component.get(c).copied().flatten());
            *code = known.map_or(-1, |k| k as i32);
        }
    }
    Ok(table)
}
