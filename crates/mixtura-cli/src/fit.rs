//! `mixtura fit`: read, check, start, choose K and structure, fit, say what was found, save.

use std::path::Path;

use mixtura::infer::{By, Question};

use crate::errors::{self, Beside};
use crate::failure::{Failure, INTERRUPTED};
use crate::fit_json::FitJson;
use crate::flags::Input;
use crate::search::Search;
use crate::{data, interrupt, output};

const EXAMPLES: &str = "\
Examples:
  mixtura fit data.csv                                  K from 1 to 9 and the structure by BIC
  mixtura fit data.csv -k 3 --covariance full --out m.json
  mixtura fit data.csv -k 2 --errors louis              with standard errors and intervals
  mixtura fit data.csv.gz --columns height,weight --weights-column n --json
  mixtura fit 'big-*.parquet' -k 3 --memory 1G         files larger than the memory, as one table
  zcat big.csv.gz | mixtura fit - -k 1..4 --label-column species";

/// Fit a Gaussian mixture to a data file, say how far to trust it, and save it
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    search: Search,
    /// Model file to write [default: the (first) data file's name with .mixtura.json, here; none with --json]
    #[arg(long, value_name = "FILE")]
    out: Option<String>,
    /// Standard errors and 95 % intervals of the parameters: louis, numerical, sem, sandwich, parametric, bootstrap or weighted
    /// (mixtura errors has more to choose, for a saved model)
    #[arg(long, value_name = "METHOD", value_parser = errors::by)]
    errors: Option<By>,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
    /// Print nothing but errors (and the JSON object, where asked for)
    #[arg(long)]
    quiet: bool,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let search = &args.search;
    search.threads.apply()?;
    search.check()?;
    let files = args.input.paths()?;
    let target = target(&args, &files[0])?;
    let quiet = args.quiet || args.json;
    let mut data = search.read(&files, &args.input.memory)?;
    if !quiet {
        data.announce();
    }
    let selection = search.run(&data, quiet)?;
    let (saved, late) = search.saved(&data, &selection)?;
    if !quiet {
        late.iter().for_each(|warning| eprintln!("note: {warning}"));
    }
    data.warnings.extend(late);

    let written = match &target {
        Some(path) => output::write(Some(path), |out| out.write_all(saved.to_json().as_bytes())),
        None => Ok(()),
    };
    let beside: Beside = match args.errors {
        None => None,
        Some(by) => {
            let rows = data::rows(&data.table)?;
            let question = Question { seed: mixtura::Seed::new(search.seed()), ..Question::new(by) };
            Some(errors::ask(quiet, |control| errors::of(&saved, &question, &*rows, control)))
        }
    };
    // What became of the model file counts for more than the summary, whose reader may have gone.
    let printed = if args.json {
        output::json(&FitJson::new(&saved, &selection, &data.audit, &data.table, &data.warnings, &beside))
    } else if !args.quiet && target.as_deref() != Some("-") {
        let mut text = mixtura_report::summary(&saved, &selection, search.auto());
        text.push_str(&errors::text(&beside, saved.record.data.n_rows));
        if let (Some(path), Ok(())) = (&target, &written) {
            text.push_str(&format!("\nModel written to {path} (use it: mixtura predict {path} FILE)\n"));
        }
        output::print(|out| out.write_all(text.as_bytes()))
    } else {
        Ok(())
    };
    written?;
    search.done();
    if interrupt::requested() {
        let kept = target.map_or_else(String::new, |path| format!("; what was reached is in {path}"));
        return Err(Failure::new(INTERRUPTED, format!("interrupted{kept}{}", search.resumable())));
    }
    printed
}

/// Where the model goes, checked before any work is done.
fn target(args: &Args, first: &str) -> Result<Option<String>, Failure> {
    let path = match (&args.out, args.json) {
        (Some(path), true) if path == "-" => {
            return Err(Failure::usage("--json and --out - both want standard output: give --out a file"));
        }
        (Some(path), _) => path.clone(),
        (None, true) => return Ok(None),
        (None, false) => format!("{}.mixtura.json", stem(first)),
    };
    if path != "-" {
        output::check_target(&path)?;
    }
    Ok(Some(path))
}

/// The name of a data file without folder, `.gz` and extension.
pub(crate) fn stem(file: &str) -> String {
    if file == "-" {
        return "stdin".to_owned();
    }
    let name = Path::new(file).file_name().map_or(file.into(), |name| name.to_string_lossy());
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    Path::new(name).file_stem().map_or(name.into(), |stem| stem.to_string_lossy()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_target_is_named_after_the_data() {
        for (file, want) in [("a/iris.csv", "iris"), ("x.csv.gz", "x"), ("data", "data"), ("-", "stdin")] {
            assert_eq!(stem(file), want);
        }
    }
}
