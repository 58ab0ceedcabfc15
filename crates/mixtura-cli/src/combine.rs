//! `mixtura combine`: a model's components merged into fewer groups.

use std::path::{Path, PathBuf};

use mixtura::query::{Combined, Step, combine_by_entropy, combine_by_overlap};
use serde::Serialize;

use mixtura_io::expand;

use crate::failure::Failure;
use crate::flags::{Memory, Threads};
use crate::predict::read_for;
use crate::{data, model_file, output};

const EXAMPLES: &str = "\
Examples:
  mixtura combine iris.mixtura.json -k 2 iris.csv
  mixtura combine iris.mixtura.json -k 2 --out merged.json
  mixtura combine iris.mixtura.json -k 2 iris.csv --keep-components --out labelled.json";

/// Merge components into fewer groups, so that a cluster may be a mixture
///
/// With a file, the pair whose merging makes its assignment least ambiguous is merged first (Baudry et al. 2010);
/// without one, the pair that overlaps most. --out saves one Gaussian per group with the exact mean and covariance of
/// its components; with --keep-components the model stays as it is and the groups become its labels, which predict
/// prints.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Model file
    model: PathBuf,
    /// Data that choose what to merge, in any format that fit reads; several files or a glob are one table
    #[arg(value_name = "FILE")]
    files: Vec<String>,
    #[command(flatten)]
    memory: Memory,
    /// Number of groups
    #[arg(short = 'k', value_name = "K")]
    k: usize,
    /// Save the components with the groups as their labels
    #[arg(long, requires = "out")]
    keep_components: bool,
    #[command(flatten)]
    threads: Threads,
    /// Model file to write
    #[arg(long, value_name = "FILE")]
    out: Option<String>,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct CombineJson<'a> {
    rule: &'a str,
    groups: &'a [usize],
    weights: &'a [f64],
    steps: Vec<StepJson<'a>>,
}

#[derive(Serialize)]
struct StepJson<'a> {
    a: &'a [usize],
    b: &'a [usize],
    gain: f64,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    args.threads.apply()?;
    let mut inputs = vec![args.model.as_path()];
    let files = expand(&args.files)?;
    inputs.extend(files.iter().map(Path::new));
    output::spare_inputs(args.out.as_ref(), &inputs)?;
    args.out.as_deref().filter(|path| *path != "-").map_or(Ok(()), output::check_target)?;
    let to_stdout = args.out.as_deref() == Some("-");
    if args.json && to_stdout {
        return Err(Failure::usage("--json and --out - both write standard output: choose one"));
    }
    let saved = model_file::read(&args.model)?;
    let k = saved.model.weights().len();
    if args.k == 0 || args.k > k {
        return Err(Failure::usage(format!("-k {}: the model has {k} components, so use 1 to {k}", args.k)));
    }
    let (combined, rule) = match &files[..] {
        [] => {
            let about = |error| Failure::about(&args.model.display().to_string(), &error);
            (combine_by_overlap(&saved.model, args.k).map_err(about)?, "overlap")
        }
        files => {
            let table = read_for(&saved, files, None, &args.memory)?;
            let rows = &*data::rows(&table)?;
            let about = |error| Failure::about(&table.source, &error);
            (combine_by_entropy(&saved.model, args.k, rows).map_err(about)?, "entropy")
        }
    };
    if let Some(path) = args.out.as_deref() {
        let made = if args.keep_components {
            let mut made = saved.clone();
            made.record.labels = combined.groups.iter().map(|g| format!("group {g}")).collect();
            made
        } else {
            let detail = format!("{k} components merged into {} by {rule}, mean and covariance kept", args.k);
            saved.derive(combined.model.clone(), saved.columns.clone(), detail)
        };
        model_file::write(Some(path), &made)?;
    }
    if args.json {
        let steps = combined.steps.iter().map(|s| StepJson { a: &s.a, b: &s.b, gain: s.gain }).collect();
        let weights = combined.model.weights();
        return output::json(&CombineJson { rule, groups: &combined.groups, weights, steps });
    }
    if to_stdout { Ok(()) } else { print(&combined, rule) }
}

fn print(combined: &Combined, rule: &str) -> Result<(), Failure> {
    let list = |members: &[usize]| members.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
    output::print(|out| {
        for Step { a, b, gain } in &combined.steps {
            let what = if rule == "entropy" {
                format!("entropy falls by {gain:.4} nats")
            } else {
                format!("overlap {gain:.4}")
            };
            writeln!(out, "merged {} with {}: {what}", list(a), list(b))?;
        }
        if !combined.steps.is_empty() {
            writeln!(out)?;
        }
        for (g, weight) in combined.model.weights().iter().enumerate() {
            let members: Vec<usize> = (0..combined.groups.len()).filter(|&c| combined.groups[c] == g).collect();
            writeln!(out, "group {g}  weight {weight:.3}  components {}", list(&members))?;
        }
        Ok(())
    })
}
