//! `mixtura condition`: what a model says of its other columns when some are known.

use std::path::PathBuf;

use mixtura::family::Emission;
use mixtura::persist::{Parameters, SavedModel, finite};
use mixtura::query::Conditioner;
use serde::Serialize;

use crate::failure::{Failure, UNUSABLE};
use crate::{model_file, output};

const EXAMPLES: &str = "\
Examples:
  mixtura condition iris.mixtura.json --given petal_length=4.5
  mixtura condition iris.mixtura.json --given petal_length=4.5,petal_width=1.5 --interval 0.9 --json
  mixtura condition iris.mixtura.json --given petal_length=4.5 --out given.json";

/// Say how the other columns are distributed when some are known
///
/// Prints mean, standard deviation and an interval of every other column, and the components with their weights for
/// these values. --out saves the conditional mixture as a model file.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Model file
    model: PathBuf,
    /// Known columns and their values
    #[arg(long, value_name = "A=1.5,B=3", value_delimiter = ',', required = true, value_parser = given)]
    given: Vec<(String, f64)>,
    /// Probability of the interval, as much left out below as above
    #[arg(long, value_name = "P", default_value_t = 0.95, value_parser = share)]
    interval: f64,
    /// Model file to write the conditional mixture to
    #[arg(long, value_name = "FILE")]
    out: Option<String>,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

/// Reads `name=1.5`; a name may hold "=".
fn given(text: &str) -> Result<(String, f64), String> {
    let (name, value) = text.rsplit_once('=').ok_or("write the column and its value as NAME=VALUE")?;
    match value.trim().parse::<f64>() {
        Ok(x) if x.is_finite() => Ok((name.trim().to_owned(), x)),
        _ => Err(format!("the value of column '{name}' is '{value}', not a finite number")),
    }
}

/// Reads a number strictly between 0 and 1.
pub(crate) fn share(text: &str) -> Result<f64, String> {
    let value = text.trim().parse::<f64>().ok().filter(|p| *p > 0.0 && *p < 1.0);
    value.ok_or_else(|| "use a number strictly between 0 and 1".into())
}

#[derive(Serialize)]
struct ConditionJson {
    log_density_of_given: Option<f64>,
    interval: f64,
    columns: Vec<ColumnJson>,
    model: Parameters,
}

#[derive(Serialize)]
struct ColumnJson {
    name: String,
    mean: f64,
    sd: f64,
    low: f64,
    high: f64,
}

/// Standard deviations beyond what is usual from which given values are told to be far out.
const FAR: f64 = 5.0;

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    output::spare_inputs(args.out.as_ref(), &[&args.model])?;
    args.out.as_deref().filter(|path| *path != "-").map_or(Ok(()), output::check_target)?;
    if args.json && args.out.as_deref() == Some("-") {
        return Err(Failure::usage("--json and --out - both write standard output: choose one"));
    }
    let saved = model_file::read(&args.model)?;
    let name = args.model.display().to_string();
    let names: Vec<String> = args.given.iter().map(|(name, _)| name.clone()).collect();
    let mut row = vec![f64::NAN; saved.columns.len()];
    for (j, (_, x)) in model_file::columns(&saved, &names)?.into_iter().zip(&args.given) {
        row[j] = *x;
    }
    let about = |error| Failure::about(&name, &error);
    let mut conditioner = Conditioner::new(&saved.model);
    let conditional = conditioner.at(&row).map_err(about)?;
    if conditional.log_density() == f64::NEG_INFINITY {
        let far = "the given values are so far from every component that nothing can be said of the other columns";
        return Err(Failure::new(UNUSABLE, format!("{name}: {far}")));
    }
    let nearest = conditional.distances().iter().copied().fold(f64::INFINITY, f64::min);
    // Distances of d columns are about √d, with a spread below 1.
    if nearest > (args.given.len() as f64).sqrt() + FAR {
        let sds = short(nearest);
        eprintln!("note: the given values lie {sds} standard deviations from the nearest component: this extrapolates");
    }
    let model = conditional.mixture().map_err(about)?;
    let means = conditional.mean();
    let columns: Vec<ColumnJson> = conditional
        .columns()
        .iter()
        .enumerate()
        .map(|(i, &j)| {
            let (low, high) = conditional.univariate(i).interval(args.interval);
            let sd = conditional.variance(i).sqrt();
            ColumnJson { name: saved.columns[j].clone(), mean: means[i], sd, low, high }
        })
        .collect();
    let values: Vec<String> = args.given.iter().map(|(name, x)| format!("{name} = {}", output::text(*x))).collect();
    let detail = format!("the other columns given {}", values.join(", "));
    let made = saved.derive(model, columns.iter().map(|c| c.name.clone()).collect(), detail);
    let to_stdout = args.out.as_deref() == Some("-");
    if args.out.is_some() {
        model_file::write(args.out.as_deref(), &made)?;
    }
    if args.json {
        let model = Parameters::of(&made.model, &made.columns);
        let log_density_of_given = finite(conditional.log_density());
        output::json(&ConditionJson { log_density_of_given, interval: args.interval, columns, model })
    } else if to_stdout {
        Ok(())
    } else {
        print(&made, &columns, args.interval)
    }
}

fn print(made: &SavedModel, columns: &[ColumnJson], interval: f64) -> Result<(), Failure> {
    let (bank, weights) = (made.model.emission(), made.model.weights());
    let d = bank.n_features();
    output::print(|out| {
        writeln!(out, "{}", made.record.status.detail)?;
        writeln!(out)?;
        writeln!(out, "{:<20} {:>12} {:>12}  {} % interval", "column", "mean", "sd", 100.0 * interval)?;
        for c in columns {
            let (mean, sd, low, high) = (short(c.mean), short(c.sd), short(c.low), short(c.high));
            writeln!(out, "{:<20} {mean:>12} {sd:>12}  {low} to {high}", c.name)?;
        }
        writeln!(out)?;
        writeln!(out, "component  weight      mean (sd) of each column")?;
        for (k, w) in weights.iter().enumerate().filter(|(_, w)| **w >= 5e-7) {
            let covariance = bank.covariance(k);
            let cells: Vec<String> = (0..d)
                .map(|i| format!("{} ({})", short(bank.mean(k)[i]), short(covariance[i * d + i].sqrt())))
                .collect();
            writeln!(out, "{k:<10} {w:<10.6}  {}", cells.join("  "))?;
        }
        Ok(())
    })
}

/// Six significant digits.
pub(crate) fn short(x: f64) -> String {
    if x == 0.0 || !x.is_finite() {
        return x.to_string();
    }
    let lead = x.abs().log10().floor();
    if (-4.0..9.0).contains(&lead) { format!("{x:.*}", (5.0 - lead).max(0.0) as usize) } else { format!("{x:.5e}") }
}
