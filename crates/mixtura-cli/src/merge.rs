//! `mixtura merge`: statistics files of several parts as one.

use std::path::{Path, PathBuf};

use mixtura::distributed::merge;

use crate::failure::{Failure, UNUSABLE};
use crate::{output, stats_file};

const EXAMPLES: &str = "\
Examples:
  mixtura merge part1.stats.json part2.stats.json --out all.stats.json
  mixtura merge part*.stats.json --out all.stats.json --json | jq .log_likelihood";

/// Put the statistics of several parts together, in any order
///
/// Merged files can be merged again. All must come from estep with the same model, and no rows may come twice.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Statistics files
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Take the same rows more than once, as where parts really are equal
    #[arg(long)]
    allow_duplicates: bool,
    /// Statistics file to write
    #[arg(long, value_name = "FILE")]
    out: String,
    /// Print the figures as one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    stats_file::check_target(&args.out, args.json)?;
    let inputs: Vec<&Path> = args.files.iter().map(PathBuf::as_path).collect();
    output::spare_inputs(Some(&args.out), &inputs)?;
    let mut parts = Vec::with_capacity(inputs.len());
    for file in inputs {
        parts.push((file.display().to_string(), stats_file::read(file)?));
    }
    let all = merge(parts, args.allow_duplicates).map_err(|error| Failure::new(UNUSABLE, error.to_string()))?;
    stats_file::write(&all, &args.out, args.json)
}
