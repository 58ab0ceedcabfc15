//! The flags that several subcommands share, and what their values mean.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use clap::Args;
use mixtura::catalog;
use mixtura::family::gaussian::Structure;
use mixtura::fit::{Collapse, Criterion, Method, Prior};
use mixtura_io::{ReadOptions, expand};

use crate::failure::Failure;
use crate::output;

/// Which columns of the file are data.
#[derive(Args, Debug)]
pub(crate) struct Columns {
    /// Columns to use, by name or by position from 1 [default: every numeric one]
    #[arg(long, value_name = "A,B,…", value_delimiter = ',')]
    pub(crate) columns: Option<Vec<String>>,
    /// Column of case weights (frequencies): 2 is the row twice, 0 no row
    #[arg(long, value_name = "COLUMN")]
    pub(crate) weights_column: Option<String>,
}

impl Columns {
    pub(crate) fn options(&self, label_column: Option<&String>) -> ReadOptions {
        ReadOptions {
            columns: self.columns.clone(),
            weights_column: self.weights_column.clone(),
            label_column: label_column.cloned(),
            ..ReadOptions::default()
        }
    }
}

/// The data files of a command.
#[derive(Args, Debug)]
pub(crate) struct Input {
    /// Data: CSV, TSV, JSON lines, NPY, Parquet or Arrow IPC, plain or gzipped; - is standard input; several files or a
    /// glob are one table
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    #[command(flatten)]
    pub(crate) memory: Memory,
}

impl Input {
    /// The files, with globs expanded.
    pub(crate) fn paths(&self) -> Result<Vec<String>, Failure> {
        Ok(expand(&self.files)?)
    }

    /// The same, for a command that writes to `out`, which must be none of them and none of `others`.
    pub(crate) fn paths_sparing(&self, out: Option<&String>, others: &[&Path]) -> Result<Vec<String>, Failure> {
        let files = self.paths()?;
        let inputs: Vec<&Path> = files.iter().map(Path::new).chain(others.iter().copied()).collect();
        output::spare_inputs(out, &inputs)?;
        Ok(files)
    }
}

/// How much memory the command may use.
#[derive(Args, Debug)]
pub(crate) struct Memory {
    /// Memory to work in, such as 500M or 2G: a larger table is put into a temporary file, with the same bits as result
    /// [default: as much as the table needs]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) memory: Option<u64>,
}

/// Less than this the command needs for itself.
const LEAST_MEMORY: u64 = 64_000_000;

/// Reads a size such as `500M`, `2G`, `1.5GiB` or a number of bytes.
fn size(text: &str) -> Result<u64, String> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let number = &text[..text.len() - unit.len()];
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kb" => 1e3,
        "m" | "mb" => 1e6,
        "g" | "gb" => 1e9,
        "t" | "tb" => 1e12,
        "kib" => 1024.0,
        "mib" => 1024.0 * 1024.0,
        "gib" => 1024.0 * 1024.0 * 1024.0,
        "tib" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return Err("use a number with K, M, G, T, KiB, MiB, GiB or TiB, such as 500M".into()),
    };
    let bytes = number.parse::<f64>().map_err(|_| "use a size such as 500M or 1.5GiB")? * factor;
    if bytes < LEAST_MEMORY as f64 {
        return Err("at least 64M are needed".into());
    }
    Ok(bytes as u64)
}

/// How many processor cores work.
#[derive(Args, Debug)]
pub(crate) struct Threads {
    /// Threads to use; the results are the same bits for any number [default: all cores]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

impl Threads {
    /// Sets up the pool of the whole process; called once.
    pub(crate) fn apply(&self) -> Result<(), Failure> {
        match self.threads {
            None => Ok(()),
            Some(0) => Err(Failure::usage("--threads 0 leaves nobody to work: use at least 1")),
            Some(n) => rayon::ThreadPoolBuilder::new()
                .num_threads(n.min(MOST_THREADS))
                .build_global()
                .map_err(|error| Failure::usage(format!("--threads {n}: {error}"))),
        }
    }
}

/// Threads beyond which starting them would take longer than they could save; the results are the same.
const MOST_THREADS: usize = 256;

/// Values that `-k A..B` may span: a table of more is not a choice but a mistake.
const MOST_VALUES: usize = 1000;

/// Reads `3` or `1..9` (9 included).
pub(crate) fn components(text: &str) -> Result<RangeInclusive<usize>, String> {
    let number = |t: &str| t.trim().parse::<usize>().ok().filter(|n| *n > 0);
    let range = match text.split_once("..") {
        None => number(text).map(|k| k..=k),
        Some((a, b)) => number(a).zip(number(b)).map(|(a, b)| a..=b),
    };
    let range = range.ok_or("use a number from 1, or a range such as 1..9 (9 included)")?;
    match range.end().checked_sub(*range.start()) {
        None => Err(format!("the range {text} is empty: write the smaller number first")),
        Some(span) if span >= MOST_VALUES => Err(format!("a range may hold at most {MOST_VALUES} values")),
        Some(_) => Ok(range),
    }
}

/// Covariance structures to try; `auto` is all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Covariance {
    Auto,
    One(Structure),
}

pub(crate) fn covariance(text: &str) -> Result<Covariance, String> {
    if text == "auto" {
        return Ok(Covariance::Auto);
    }
    catalog::structure(text).map(Covariance::One).map_err(|error| format!("{error}, or auto"))
}

pub(crate) fn criterion(text: &str) -> Result<Criterion, String> {
    named(text, &Criterion::ALL.map(|c| (c.name(), c)))
}

pub(crate) fn collapse(text: &str) -> Result<Collapse, String> {
    named(text, &catalog::COLLAPSE)
}

/// A conjugate prior: `default`, or some of its numbers.
pub(crate) fn prior(text: &str) -> Result<Prior, String> {
    let mut prior = Prior::default();
    if text == "default" {
        return Ok(prior);
    }
    for part in text.split(',') {
        let (name, value) = part.split_once('=').ok_or("use default, or numbers as in mean-precision=0.01")?;
        let number: f64 = value.parse().map_err(|_| format!("{name} needs a number, not '{value}'"))?;
        match name {
            "mean-precision" => prior.mean_precision = number,
            "degrees-of-freedom" => prior.degrees_of_freedom = Some(number),
            "weight-concentration" => prior.weight_concentration = number,
            _ => {
                return Err(format!(
                    "there is no '{name}': use mean-precision, degrees-of-freedom or weight-concentration"
                ));
            }
        }
    }
    Ok(prior)
}

/// How E- and M-steps alternate.
#[derive(Args, Debug)]
pub(crate) struct Algorithm {
    #[arg(long = "algorithm", value_name = "NAME", default_value = catalog::METHODS[0].0, value_parser = method, help = methods())]
    pub(crate) method: Method,
}

fn method(text: &str) -> Result<Method, String> {
    let pairs: Vec<(&str, Method)> = catalog::METHODS.iter().map(|m| (m.0, m.1)).collect();
    named(text, &pairs)
}

/// The help of `--algorithm`: a line for each method.
fn methods() -> String {
    let lines = catalog::METHODS.iter().map(|(name, _, about)| format!("\n  {name}: {about}"));
    format!("How E- and M-steps alternate{}", lines.collect::<String>())
}

/// The thing of that name in a list of the catalog.
fn named<T: Copy>(text: &str, list: &[(&str, T)]) -> Result<T, String> {
    let names: Vec<&str> = list.iter().map(|(name, _)| *name).collect();
    let found = list.iter().find(|(name, _)| *name == text);
    found.map(|(_, thing)| *thing).ok_or_else(|| format!("use one of {}", names.join(", ")))
}

/// Where a fit starts, as typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Init {
    Auto,
    WhitenedKMeans,
    KMeans,
    Random,
    ShortEm,
    Labels,
    Params(PathBuf),
}

pub(crate) fn init(text: &str) -> Result<Init, String> {
    if let Some(path) = text.strip_prefix("params=")
        && !path.is_empty()
    {
        return Ok(Init::Params(path.into()));
    }
    match text {
        "auto" => Ok(Init::Auto),
        "whitened-kmeans" => Ok(Init::WhitenedKMeans),
        "kmeans" => Ok(Init::KMeans),
        "random" => Ok(Init::Random),
        "short-em" => Ok(Init::ShortEm),
        "labels" => Ok(Init::Labels),
        _ => Err("use auto, whitened-kmeans, kmeans, random, short-em, labels or params=FILE".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, want) in [
            ("500M", 500_000_000),
            ("2G", 2_000_000_000),
            ("1.5GiB", 3 << 29),
            ("64MB", 64_000_000),
            ("100000k", 100_000_000),
            ("100000000", 100_000_000),
        ] {
            assert_eq!(size(text), Ok(want), "{text}");
        }
        for bad in ["", "M", "63M", "-1G", "1e9", "1.2.3G", "5Q", "0", "nan", "inf", "G5"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ranges_include_their_end() {
        assert_eq!(components("1..9"), Ok(1..=9));
        assert_eq!(components("3"), Ok(3..=3));
        for bad in ["0", "0..3", "4..2", "", "..", "1..", "-1", "1.5", "1..2000", "1..=9"] {
            assert!(components(bad).is_err(), "{bad}");
        }
    }
}
