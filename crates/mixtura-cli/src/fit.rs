//! `mixtura fit`: read, check, start, choose K and structure, fit, say what was found, save.

use std::ops::RangeInclusive;
use std::path::Path;

use mixtura::data::{Source, audit};
use mixtura::family::Emission;
use mixtura::family::gaussian::Structure;
use mixtura::fit::{Collapse, Control, Init, Method, Selection};
use mixtura::persist::{DataRecord, Record, SavedModel};
use mixtura::{Error, GaussianMixture, Seed};
use mixtura_io::{Table, expand, read_tables};

use crate::failure::{Failure, INTERRUPTED, UNUSABLE};
use crate::fit_json::FitJson;
use crate::flags::{self, Columns, Covariance, Memory, Threads};
use crate::progress::Bar;
use crate::{data, fingerprint, interrupt, model_file, output};

const EXAMPLES: &str = "\
Examples:
  mixtura fit data.csv                                  K from 1 to 9 and the structure by BIC
  mixtura fit data.csv -k 3 --covariance full --out m.json
  mixtura fit data.csv.gz --columns height,weight --weights-column n --json
  mixtura fit 'big-*.parquet' -k 3 --memory 1G         files larger than the memory, as one table
  zcat big.csv.gz | mixtura fit - -k 1..4 --label-column species";

/// Fit a Gaussian mixture to a data file, say how far to trust it, and save it
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Data: CSV, TSV, JSON lines, NPY, Parquet or Arrow IPC, plain or gzipped; - is standard input; several files or a
    /// glob are one table
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// Number of components, or a range (its end included) to choose from by BIC [default: 1..9]
    #[arg(short = 'k', value_name = "K|A..B", value_parser = flags::components)]
    k: Option<RangeInclusive<usize>>,
    /// full, tied, diag, spherical, or auto: the best of these four by BIC
    #[arg(long, value_name = "NAME", default_value = "auto", value_parser = flags::covariance)]
    covariance: Covariance,
    #[command(flatten)]
    columns: Columns,
    /// Column of known components; rows without one are free
    #[arg(long, value_name = "COLUMN")]
    label_column: Option<String>,
    /// Seed of all random starts
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Runs to convergence per candidate [default: 2 to 8, by the size of the problem]
    #[arg(long, value_name = "N")]
    restarts: Option<usize>,
    /// auto, whitened-kmeans, kmeans, random, short-em, labels, or params=FILE (a model file)
    #[arg(long, value_name = "START", default_value = "auto", value_parser = flags::init)]
    init: flags::Init,
    /// Most iterations of each run
    #[arg(long, value_name = "N", default_value_t = 1000)]
    max_iter: usize,
    /// Stop when fewer nats of total log-likelihood than this remain to be gained
    #[arg(long, value_name = "NATS", default_value_t = 1e-3)]
    tolerance: f64,
    /// Add this to every variance, in the data's units squared, in place of the relative floor
    #[arg(long, value_name = "ABS")]
    reg_covar: Option<f64>,
    /// squarem: EM with guarded extrapolation, the same optima in fewer passes; em: plain EM
    #[arg(long, value_name = "NAME", default_value = "squarem", value_parser = flags::method)]
    algorithm: Method,
    /// What to do with a collapsing component: floor, reset, drop, refuse
    #[arg(long, value_name = "POLICY", default_value = "floor", value_parser = flags::collapse)]
    collapse: Collapse,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    memory: Memory,
    /// Model file to write [default: the (first) data file's name with .mixtura.json, here; none with --json]
    #[arg(long, value_name = "FILE")]
    out: Option<String>,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
    /// Print nothing but errors (and the JSON object, where asked for)
    #[arg(long)]
    quiet: bool,
}

/// Components tried where nobody says how many.
const MOST_BY_DEFAULT: usize = 9;

pub(crate) fn run(mut args: Args) -> Result<(), Failure> {
    args.threads.apply()?;
    args.files = expand(&args.files)?;
    if args.init == flags::Init::Labels && args.label_column.is_none() {
        return Err(Failure::usage("--init labels needs --label-column"));
    }
    let target = target(&args)?;
    let start = match &args.init {
        flags::Init::Params(path) => Some(model_file::read_start(path)?),
        _ => None,
    };
    let table = read(&args, start.as_ref())?;
    let labels = table.labels.as_ref().map(|l| l.names.clone()).unwrap_or_default();
    if args.init == flags::Init::Labels && labels.is_empty() {
        return Err(Failure::new(UNUSABLE, format!("{}: the label column holds no label to start from", table.source)));
    }
    let (ks, structures) = candidates(&args, labels.len(), start.as_ref())?;
    let rows = data::rows(&table)?;
    let rows = &*rows;
    let about = |error: Error| Failure::about(&table.source, &error);

    let audit = audit(rows).map_err(about)?;
    let mut warnings = data::warnings(&table, &audit);
    if !args.quiet && !args.json {
        notes(&table, rows.n_rows(), audit.missing_cells, &warnings);
    }
    let selection = fit(&args, start, rows, &table, &ks, &structures).map_err(about)?;
    let best = &selection.candidates[selection.best];
    let Ok(fit) = &best.outcome else {
        return Err(Failure::new(UNUSABLE, format!("{}: {}", table.source, best.note())));
    };
    let mut late = Vec::new();
    if fit.total_weight < fit.n_free_parameters as f64 {
        late.push(format!(
            "the weights sum to {}, less than the {} free parameters",
            fit.total_weight, fit.n_free_parameters
        ));
    }
    if fit.n_flat_directions > 0 {
        late.push(format!(
            "the data have no spread in {} of {} directions: variances there are made up (1e-10 of the columns'), and so is the likelihood",
            fit.n_flat_directions,
            table.columns.len()
        ));
    }
    if !args.quiet && !args.json {
        late.iter().for_each(|warning| eprintln!("note: {warning}"));
    }
    warnings.extend(late);
    let record = DataRecord {
        source: table.source.clone(),
        n_rows: fit.n_rows,
        total_weight: fit.total_weight,
        fingerprint: fingerprint::fingerprint(rows).map_err(about)?,
        shift: fit.affine.shift.clone(),
        scale: fit.affine.scale.clone(),
    };
    let record = Record::of(fit, args.seed, record, labels);
    let saved = SavedModel { model: fit.model.clone(), columns: table.columns.clone(), record };

    let written = match &target {
        Some(path) => output::write(Some(path), |out| out.write_all(saved.to_json().as_bytes())),
        None => Ok(()),
    };
    // What became of the model file counts for more than the summary, whose reader may have gone.
    let printed = if args.json {
        output::json(&FitJson::new(&saved, &selection, &audit, &table, &warnings))
    } else if !args.quiet && target.as_deref() != Some("-") {
        let mut text = mixtura_report::summary(&saved, &selection, args.covariance == Covariance::Auto);
        if let (Some(path), Ok(())) = (&target, &written) {
            text.push_str(&format!("\nModel written to {path} (use it: mixtura predict {path} FILE)\n"));
        }
        output::print(|out| out.write_all(text.as_bytes()))
    } else {
        Ok(())
    };
    written?;
    if interrupt::requested() {
        let kept = target.map_or_else(String::new, |path| format!("; what was reached is in {path}"));
        return Err(Failure::new(INTERRUPTED, format!("interrupted{kept}")));
    }
    printed
}

/// Where the model goes, checked before any work is done.
fn target(args: &Args) -> Result<Option<String>, Failure> {
    let path = match (&args.out, args.json) {
        (Some(path), true) if path == "-" => {
            return Err(Failure::usage("--json and --out - both want standard output: give --out a file"));
        }
        (Some(path), _) => path.clone(),
        (None, true) => return Ok(None),
        (None, false) => format!("{}.mixtura.json", stem(&args.files[0])),
    };
    if path != "-" {
        output::check_target(&path)?;
    }
    Ok(Some(path))
}

/// The name of a data file without folder, `.gz` and extension.
fn stem(file: &str) -> String {
    if file == "-" {
        return "stdin".to_owned();
    }
    let name = Path::new(file).file_name().map_or(file.into(), |name| name.to_string_lossy());
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    Path::new(name).file_stem().map_or(name.into(), |stem| stem.to_string_lossy()).into_owned()
}

/// Reads the data; a fit that starts from a model reads the model's columns.
fn read(args: &Args, start: Option<&SavedModel>) -> Result<Table, Failure> {
    let mut options = args.columns.options(args.label_column.as_ref());
    options.memory = args.memory.memory;
    if let Some(start) = start
        && options.columns.is_none()
    {
        options.columns = Some(start.columns.clone());
    }
    let table = read_tables(&args.files, &options)?;
    if let Some(start) = start
        && start.columns != table.columns
    {
        return Err(Failure::usage(format!(
            "the start has the columns {}, the data {}: give --columns in the start's order",
            start.columns.join(", "),
            table.columns.join(", ")
        )));
    }
    Ok(table)
}

/// The numbers of components and the structures to try.
fn candidates(
    args: &Args,
    n_labels: usize,
    start: Option<&SavedModel>,
) -> Result<(Vec<usize>, Vec<Structure>), Failure> {
    let Some(start) = start else {
        let ks = match &args.k {
            Some(ks) => ks.clone(),
            None if args.init == flags::Init::Labels => n_labels..=n_labels,
            None => n_labels.max(1)..=MOST_BY_DEFAULT.max(n_labels),
        };
        let structures = match args.covariance {
            Covariance::Auto => Structure::ALL.to_vec(),
            Covariance::One(structure) => vec![structure],
        };
        return Ok((ks.collect(), structures));
    };
    let bank = start.model.emission();
    let (k, structure) = (bank.n_components(), bank.structure());
    if let Some(asked) = args.k.as_ref().filter(|ks| **ks != (k..=k)) {
        let asked = if asked.start() == asked.end() {
            asked.start().to_string()
        } else {
            format!("{}..{}", asked.start(), asked.end())
        };
        return Err(Failure::usage(format!("-k {asked} is asked for, but the start has {k} components")));
    }
    match args.covariance {
        Covariance::One(asked) if asked != structure => Err(Failure::usage(format!(
            "--covariance {} is asked for, but the start's is {}",
            asked.name(),
            structure.name()
        ))),
        _ => Ok((vec![k], vec![structure])),
    }
}

fn fit(
    args: &Args,
    start: Option<SavedModel>,
    rows: &dyn Source,
    table: &Table,
    ks: &[usize],
    structures: &[Structure],
) -> mixtura::Result<Selection> {
    let init = match (&args.init, start) {
        (_, Some(start)) => Init::Params(Box::new(start.model)),
        (flags::Init::WhitenedKMeans, _) => Init::WhitenedKMeans,
        (flags::Init::KMeans, _) => Init::KMeans,
        (flags::Init::Random, _) => Init::Random,
        (flags::Init::ShortEm, _) => Init::ShortEm,
        (flags::Init::Labels, _) => Init::Labels,
        (flags::Init::Auto | flags::Init::Params(_), None) => Init::Auto,
    };
    let estimator = GaussianMixture {
        init,
        restarts: args.restarts,
        seed: Seed::new(args.seed),
        max_iter: args.max_iter,
        tolerance: args.tolerance,
        reg_covar: args.reg_covar,
        collapse: args.collapse,
        method: args.algorithm,
        ..GaussianMixture::new(1)
    };
    let bar = Bar::new(ks.len() * structures.len(), !args.quiet && !args.json);
    let report = |progress| bar.report(progress);
    let control = Control { interrupt: Some(interrupt::polled()), progress: Some(&report) };
    let selection = estimator.select(rows, &table.columns, ks, structures, control);
    bar.finish();
    selection
}

/// The report on the data, on standard error.
fn notes(table: &Table, used: usize, missing: usize, warnings: &[String]) {
    /// Column names that are told one by one.
    const SHOWN: usize = 8;
    let mut names: Vec<&str> = table.columns.iter().take(SHOWN).map(String::as_str).collect();
    if table.columns.len() > SHOWN {
        names.push("…");
    }
    let unused = match table.n_rows - used {
        0 => String::new(),
        n => format!(" ({n} more have weight 0)"),
    };
    let count = |n: usize, noun| format!("{n} {noun}{}", if n == 1 { "" } else { "s" });
    eprintln!(
        "{}: {}{unused} × {} ({}), {}",
        table.source,
        count(used, "row"),
        count(table.columns.len(), "column"),
        names.join(", "),
        count(missing, "missing cell")
    );
    for warning in warnings {
        eprintln!("note: {warning}");
    }
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
