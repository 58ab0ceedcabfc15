//! `mixtura errors`: how uncertain the parameters of a saved model are, by the rows that it was fitted to.

use std::path::PathBuf;

use mixtura::data::{Source, rows_fingerprint};
use mixtura::fit::{Control, Progress};
use mixtura::infer::{Answer, By, IntervalKind, Question};
use mixtura::persist::{SavedModel, finite};
use mixtura::{Error, Seed};
use mixtura_io::{ReadOptions, Table, read_tables};
use serde::Serialize;

use crate::failure::{Failure, INTERRUPTED, UNUSABLE};
use crate::flags::{Input, Threads};
use crate::predict::read_for;
use crate::progress::Bar;
use crate::{data, interrupt, model_file, output};

const EXAMPLES: &str = "\
Examples:
  mixtura errors faithful.mixtura.json faithful.csv
  mixtura errors faithful.mixtura.json faithful.csv --method bootstrap --replicates 1000
  mixtura errors iris.mixtura.json iris.csv --method sandwich --level 0.9 --json

docs/standard-errors.md says which method to use when.";

/// Standard errors and confidence intervals of a saved model's parameters
///
/// FILE holds the rows that the model was fitted to. Says also what kind of point the fit is. Where there are no standard errors (a
/// saddle, a component on the covariance floor), one sentence says why.
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
    /// Column of the known components that the fit was given
    #[arg(long, value_name = "COLUMN")]
    label_column: Option<String>,
    /// louis (observed information), numerical (Hessian by differences), sem (supplemental EM), sandwich, bootstrap (rows drawn
    /// again), parametric (rows drawn from the model), weighted (rows under random weights)
    #[arg(long, value_name = "NAME", default_value = "louis", value_parser = by)]
    method: By,
    #[command(flatten)]
    asked: Asked,
    /// Seed of all randomness
    #[arg(long, default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    threads: Threads,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

/// What else there is to ask of standard errors.
#[derive(clap::Args, Debug)]
pub(crate) struct Asked {
    /// Confidence level of the intervals
    #[arg(long, value_name = "SHARE", default_value_t = 0.95)]
    level: f64,
    /// Replicates of a bootstrap
    #[arg(long, value_name = "N", default_value_t = 200)]
    replicates: usize,
    /// Intervals of a bootstrap: percentile, basic or bc (bias-corrected)
    #[arg(long, value_name = "NAME", default_value = "percentile", value_parser = interval)]
    interval: IntervalKind,
    /// Share of the replicates of a bootstrap that may be lost
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    may_be_lost: f64,
}

impl Asked {
    pub(crate) fn question(&self, by: By, seed: u64) -> Question {
        Question {
            level: self.level,
            interval: self.interval,
            replicates: self.replicates,
            may_be_lost: self.may_be_lost,
            seed: Seed::new(seed),
            ..Question::new(by)
        }
    }
}

fn interval(name: &str) -> Result<IntervalKind, String> {
    IntervalKind::named(name).map_err(|error| error.to_string())
}

/// A method by its name.
pub(crate) fn by(name: &str) -> Result<By, String> {
    By::named(name).map_err(|error| error.to_string())
}

/// The object of `--json`; figures that are not finite are null.
#[derive(Serialize)]
pub(crate) struct ErrorsJson<'a> {
    method: &'a str,
    level: f64,
    interval: &'a str,
    parameters: Vec<ParameterJson<'a>>,
    /// Rows of the covariance matrix of the estimates, in the parameters' order.
    covariance: Vec<Vec<Option<f64>>>,
    lost: Option<LostJson>,
    point: Option<PointJson<'a>>,
    notes: &'a [String],
}

#[derive(Serialize)]
struct ParameterJson<'a> {
    name: &'a str,
    estimate: Option<f64>,
    standard_error: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bias: Option<f64>,
}

#[derive(Serialize)]
struct LostJson {
    collapsed: usize,
    not_converged: usize,
    not_matched: usize,
}

#[derive(Serialize)]
struct PointJson<'a> {
    kind: &'a str,
    gradient_norm: Option<f64>,
    nats_to_gain: Option<f64>,
    smallest_curvature: Option<f64>,
    detail: &'a str,
}

impl<'a> ErrorsJson<'a> {
    pub(crate) fn of(answer: &'a Answer) -> Self {
        let errors = &answer.errors;
        let (p, se) = (errors.names.len(), errors.standard_errors());
        let parameter = |i: usize| ParameterJson {
            name: &errors.names[i],
            estimate: finite(errors.estimates[i]),
            standard_error: finite(se[i]),
            low: finite(answer.intervals[i].low),
            high: finite(answer.intervals[i].high),
            bias: answer.bias.as_ref().and_then(|b| finite(b[i])),
        };
        ErrorsJson {
            method: errors.method,
            level: answer.level,
            interval: answer.interval,
            parameters: (0..p).map(parameter).collect(),
            covariance: errors.covariance.chunks(p).map(|row| row.iter().map(|v| finite(*v)).collect()).collect(),
            lost: answer.lost.map(|l| LostJson {
                collapsed: l.collapsed,
                not_converged: l.not_converged,
                not_matched: l.not_matched,
            }),
            point: answer.point.as_ref().map(|point| PointJson {
                kind: point.kind.name(),
                gradient_norm: finite(point.gradient_norm),
                nats_to_gain: finite(point.nats_to_gain),
                smallest_curvature: finite(point.smallest_curvature),
                detail: &point.detail,
            }),
            notes: &errors.notes,
        }
    }
}

/// Standard errors that a fit was asked for beside its estimates: nothing, an answer, or why there is none.
pub(crate) type Beside = Option<Result<Answer, Error>>;

/// The same as fields of an object of `--json`.
#[derive(Serialize)]
pub(crate) struct BesideJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<ErrorsJson<'a>>,
    /// Why there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    no_errors: Option<String>,
}

impl<'a> BesideJson<'a> {
    pub(crate) fn of(beside: &'a Beside) -> Self {
        let found = beside.as_ref().map(Result::as_ref);
        BesideJson {
            errors: found.and_then(Result::ok).map(ErrorsJson::of),
            no_errors: found.and_then(Result::err).map(Error::to_string),
        }
    }
}

/// The same as text below that of a fit to so many rows.
pub(crate) fn text(beside: &Beside, rows: usize) -> String {
    match beside {
        None => String::new(),
        Some(Ok(answer)) => format!("\n{}", mixtura_report::errors(answer, rows)),
        Some(Err(error)) => format!("\n{error}\n"),
    }
}

/// Asks, with a bar where replicates take time and somebody looks on.
pub(crate) fn ask(quiet: bool, work: impl FnOnce(Control<'_>) -> mixtura::Result<Answer>) -> mixtura::Result<Answer> {
    let bar = Bar::new(1, !quiet);
    let report = |progress: Progress| bar.advance(progress);
    let control = Control { interrupt: Some(interrupt::polled()), progress: Some(&report), ..Control::default() };
    let answer = work(control);
    bar.finish();
    answer
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    args.threads.apply()?;
    let saved = model_file::read(&args.model)?;
    let table = read(&saved, &args)?;
    let rows = data::rows(&table)?;
    let question = args.asked.question(args.method, args.seed);
    let answer = ask(args.json, |control| of(&saved, &question, &*rows, control));
    let mut answer = answer.map_err(|error| match error {
        Error::Interrupted => Failure::new(INTERRUPTED, error.to_string()),
        error => Failure::about(&table.source, &error),
    })?;
    let fingerprint = &saved.record.data.fingerprint;
    if !fingerprint.is_empty() && rows_fingerprint(&*rows).is_ok_and(|own| own != *fingerprint) {
        let sentence = "these are not the rows that the model was fitted to, or other weights or labels".to_owned();
        answer.errors.notes.insert(0, sentence);
    }
    if args.json {
        return output::json(&ErrorsJson::of(&answer));
    }
    let text = mixtura_report::errors(&answer, rows.n_rows());
    output::print(|out| out.write_all(text.as_bytes()))
}

/// The answer for a model and the prior that it was fitted with.
pub(crate) fn of(
    saved: &SavedModel,
    question: &Question,
    rows: &dyn Source,
    control: Control<'_>,
) -> mixtura::Result<Answer> {
    let prior = saved.record.prior.as_ref().map(|p| p.prior(saved.model.emission().structure()));
    question.gaussian(&saved.model, prior.as_ref(), rows, &saved.columns, control)
}

/// The rows of the model's columns; known components must be those of the fit.
fn read(saved: &SavedModel, args: &Args) -> Result<Table, Failure> {
    let files = args.input.paths()?;
    let Some(column) = &args.label_column else {
        return read_for(saved, &files, args.weights_column.as_ref(), &args.input.memory);
    };
    let options = ReadOptions {
        columns: Some(saved.columns.clone()),
        weights_column: args.weights_column.clone(),
        label_column: Some(column.clone()),
        of_a_model: true,
        memory: args.input.memory.memory,
        ..ReadOptions::default()
    };
    let table = read_tables(&files, &options)?;
    let found = table.labels.as_ref().map_or(&[][..], |l| &l.names);
    if !saved.record.labels.starts_with(found) {
        let sentence =
            format!("{}: the labels in '{column}' are not those that the model was fitted with", table.source);
        return Err(Failure::new(UNUSABLE, sentence));
    }
    Ok(table)
}
