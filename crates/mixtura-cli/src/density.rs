//! `mixtura density`: density, tails, quantiles, regions and boundaries of one column, or a grid over two.

use std::path::PathBuf;

use clap::ArgGroup;
use mixtura::family::Emission;
use mixtura::persist::finite;
use mixtura::query::{Conditioner, Univariate};
use serde_json::{Map, Value};

use crate::condition::share;
use crate::failure::{Failure, UNUSABLE};
use crate::{model_file, output};

const EXAMPLES: &str = "\
Examples:
  mixtura density faithful.json --column waiting --grid 200 --out curve.csv
  mixtura density faithful.json --column waiting --quantile 0.05,0.5,0.95
  mixtura density faithful.json --column waiting --hdr 0.5,0.9 --json
  mixtura density faithful.json --column eruptions,waiting --grid 100 --out surface.csv";

/// Evaluate the density of one column (or two, on a grid), as CSV
///
/// --at, --cdf, --quantile, --hdr and --boundaries ask about one column: the only one of the model, or the one that
/// --column names, whatever the others are. Tails are accurate relative to their own size, down to 1e-300.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
#[command(group(ArgGroup::new("question").required(true).args(["at", "cdf", "quantile", "hdr", "boundaries", "grid"])))]
pub(crate) struct Args {
    /// Model file
    model: PathBuf,
    /// Column, or two for a grid [default: those of the model]
    #[arg(long, value_name = "A[,B]", value_delimiter = ',')]
    column: Vec<String>,
    /// Density at these points, and each component's part of it
    #[arg(long, value_name = "X,…", value_delimiter = ',', allow_hyphen_values = true, value_parser = number)]
    at: Option<Vec<f64>>,
    /// Probabilities below and above these points
    #[arg(long, value_name = "X,…", value_delimiter = ',', allow_hyphen_values = true, value_parser = number)]
    cdf: Option<Vec<f64>>,
    /// Points below which these probabilities lie
    #[arg(long, value_name = "P,…", value_delimiter = ',', value_parser = share)]
    quantile: Option<Vec<f64>>,
    /// Highest-density regions: the smallest sets with these probabilities, one line per interval
    #[arg(long, value_name = "P,…", value_delimiter = ',', value_parser = share)]
    hdr: Option<Vec<f64>>,
    /// Where each component is the most probable, from -inf to inf
    #[arg(long)]
    boundaries: bool,
    /// Density at N equally spaced points that leave out a probability of 1e-4 on each side (N × N for two columns)
    #[arg(long, value_name = "N")]
    grid: Option<usize>,
    /// Print one JSON array of objects instead of CSV
    #[arg(long)]
    json: bool,
    /// File to write [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<String>,
}

/// Probability outside a grid, on each side.
const OUTSIDE: f64 = 1e-4;
/// Points of a grid.
const MOST_POINTS: usize = 1_000_000;

fn number(text: &str) -> Result<f64, String> {
    let value = text.trim().parse::<f64>().ok().filter(|x| x.is_finite());
    value.ok_or_else(|| "use finite numbers".into())
}

/// Rows of named numbers.
struct Answer {
    names: Vec<String>,
    rows: Vec<Vec<f64>>,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    output::spare_inputs(args.out.as_ref(), &[&args.model])?;
    output::check_table(args.out.as_deref())?;
    let saved = model_file::read(&args.model)?;
    let about = |error| Failure::about(&args.model.display().to_string(), &error);
    let model = match args.column.as_slice() {
        [] => saved.model.clone(),
        names => saved.model.marginal(&model_file::columns(&saved, names)?).map_err(about)?,
    };
    let names = if args.column.is_empty() { &saved.columns } else { &args.column };
    let answer = match (names.as_slice(), args.grid) {
        ([_], _) => one(&args, names, &Univariate::of(&model).map_err(about)?)?,
        ([_, _], Some(n)) => surface(names, &model, n).map_err(about)?,
        ([_, _], None) => {
            return Err(Failure::usage("this is asked of one column: name it with --column (two are for --grid)"));
        }
        _ => {
            let n = names.len();
            return Err(Failure::usage(format!("this is asked of one column, not {n}: name it with --column")));
        }
    };
    output::write(args.out.as_deref(), |out| {
        if args.json {
            let object = |row: &Vec<f64>| -> Value {
                let cells = row.iter().map(|x| finite(*x).map_or(Value::Null, Value::from));
                answer.names.iter().cloned().zip(cells).collect::<Map<String, Value>>().into()
            };
            serde_json::to_writer_pretty(&mut *out, &answer.rows.iter().map(object).collect::<Vec<_>>())?;
            return writeln!(out);
        }
        let header: Vec<String> = answer.names.iter().map(|name| output::csv_name(name)).collect();
        writeln!(out, "{}", header.join(","))?;
        let mut line = Vec::new();
        for row in &answer.rows {
            line.clear();
            row.iter().for_each(|&x| crate::rows_out::cell(&mut line, x));
            line.push(b'\n');
            out.write_all(&line)?;
        }
        Ok(())
    })
}

/// The answer about one column.
fn one(args: &Args, names: &[String], x: &Univariate) -> Result<Answer, Failure> {
    let column = names[0].clone();
    let text = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<String>>();
    let curve = |points: Vec<f64>| {
        let parts = (0..x.n_components()).map(|k| format!("component{k}"));
        let names = [column.clone(), "density".into(), "log_density".into()].into_iter().chain(parts).collect();
        let row = |&p: &f64| {
            let parts = (0..x.n_components()).map(|k| x.component_pdf(k, p));
            [p, x.pdf(p), x.log_pdf(p)].into_iter().chain(parts).collect()
        };
        Answer { names, rows: points.iter().map(row).collect() }
    };
    let unusable = |error: mixtura::Error| Failure::new(UNUSABLE, error.to_string());
    Ok(if let Some(points) = &args.at {
        curve(points.clone())
    } else if let Some(n) = args.grid {
        size(n, 1)?;
        curve(points(x, n))
    } else if let Some(points) = &args.cdf {
        let rows = points.iter().map(|&p| vec![p, x.cdf(p), x.survival(p)]).collect();
        Answer { names: [column, "cdf".into(), "survival".into()].to_vec(), rows }
    } else if let Some(shares) = &args.quantile {
        Answer {
            names: ["probability".into(), column].to_vec(),
            rows: shares.iter().map(|&p| vec![p, x.quantile(p)]).collect(),
        }
    } else if let Some(masses) = &args.hdr {
        let mut rows = Vec::new();
        for &mass in masses {
            let region = x.highest_density(mass).map_err(unusable)?;
            rows.extend(region.intervals.iter().map(|&(a, b)| vec![mass, a, b, region.log_level]));
        }
        Answer { names: text(&["probability", "low", "high", "log_density"]), rows }
    } else {
        let stretches = x.decisions().map_err(unusable)?;
        Answer {
            names: text(&["component", "from", "to"]),
            rows: stretches.iter().map(|s| vec![s.component as f64, s.from, s.to]).collect(),
        }
    })
}

/// A grid over two columns.
fn surface(
    names: &[String],
    model: &mixtura::Mixture<mixtura::family::gaussian::Gaussian>,
    n: usize,
) -> mixtura::Result<Answer> {
    size(n, 2).map_err(|failure| mixtura::Error::Usage(failure.sentence.unwrap_or_default()))?;
    debug_assert_eq!(model.emission().n_features(), 2);
    let axis = |j| Ok::<_, mixtura::Error>(points(&Univariate::of(&model.marginal(&[j])?)?, n));
    let (first, second) = (axis(0)?, axis(1)?);
    let mut conditioner = Conditioner::new(model);
    let mut rows = Vec::with_capacity(n * n);
    for &a in &first {
        for &b in &second {
            let log = conditioner.at(&[a, b])?.log_density();
            rows.push(vec![a, b, log.exp(), log]);
        }
    }
    let names = names.iter().cloned().chain(["density".to_owned(), "log_density".to_owned()]).collect();
    Ok(Answer { names, rows })
}

fn size(n: usize, columns: u32) -> Result<(), Failure> {
    if n < 2 || n.checked_pow(columns).is_none_or(|total| total > MOST_POINTS) {
        return Err(Failure::usage(format!("--grid {n}: use at least 2 and at most {MOST_POINTS} points in all")));
    }
    Ok(())
}

/// Equally spaced points over nearly all of a distribution, its ends included.
fn points(x: &Univariate, n: usize) -> Vec<f64> {
    let (low, high) = (x.quantile(OUTSIDE), x.upper_quantile(OUTSIDE));
    let at = |i: usize| i as f64 / (n - 1) as f64;
    (0..n).map(|i| low * (1.0 - at(i)) + high * at(i)).collect()
}
