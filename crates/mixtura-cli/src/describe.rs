//! `mixtura describe`: what a saved model says.

use std::path::PathBuf;

use crate::failure::Failure;
use crate::{model_file, output};

const EXAMPLES: &str = "\
Examples:
  mixtura describe iris.mixtura.json
  mixtura describe iris.mixtura.json --json | jq .fit.certificate";

/// Say what a saved model is, where it came from, and how far to trust it
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Model file
    model: PathBuf,
    /// Print the checked model file as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let model = model_file::read(&args.model)?;
    let text = if args.json { model.to_json() } else { mixtura_report::describe(&model) };
    output::print(|out| out.write_all(text.as_bytes()))
}
