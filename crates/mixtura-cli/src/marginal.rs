//! `mixtura marginal`: the model of some columns.

use std::path::PathBuf;

use crate::failure::Failure;
use crate::{model_file, output};

const EXAMPLES: &str = "\
Examples:
  mixtura marginal iris.mixtura.json --columns petal_length,petal_width --out petals.json
  mixtura marginal iris.mixtura.json --columns sepal_width | mixtura describe /dev/stdin";

/// Make the model of some columns of a model, whatever the others are
///
/// The result is a model file like any other; its status says what it was made from. The covariance structure stays.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Model file
    model: PathBuf,
    /// Columns to keep, by name, in the order wanted
    #[arg(long, value_name = "A,B,…", value_delimiter = ',', required = true)]
    columns: Vec<String>,
    /// Model file to write [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<String>,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    output::spare_inputs(args.out.as_ref(), &[&args.model])?;
    args.out.as_deref().filter(|path| *path != "-").map_or(Ok(()), output::check_target)?;
    let saved = model_file::read(&args.model)?;
    let columns = model_file::columns(&saved, &args.columns)?;
    let about = |error| Failure::about(&args.model.display().to_string(), &error);
    let detail = format!("the marginal of {} of {} columns", columns.len(), saved.columns.len());
    let made = saved.derive(saved.model.marginal(&columns).map_err(about)?, args.columns, detail);
    model_file::write(args.out.as_deref(), &made)
}
