//! Reads and writes statistics files, with the file's name in every refusal, and says what they hold.

use std::path::Path;

use mixtura::distributed::{Part, Statistics};
use serde::Serialize;

use crate::failure::Failure;
use crate::{model_file, output};

/// Statistics that estep or merge wrote.
pub(crate) fn read(path: &Path) -> Result<Statistics, Failure> {
    let text = model_file::text(path, "statistics")?;
    Statistics::from_json(&text).map_err(|error| Failure::about(&path.display().to_string(), &error))
}

/// Refuses, before any work is done, a target that cannot be written or is somebody's other file.
pub(crate) fn check_target(path: &str, json: bool) -> Result<(), Failure> {
    match path {
        "-" if json => Err(Failure::usage("--json and --out - both want standard output: give --out a file")),
        "-" => Ok(()),
        path => output::check_target_of(path, "statistics"),
    }
}

/// The figures of `--json`.
#[derive(Serialize)]
struct Figures<'a> {
    log_likelihood: f64,
    n_rows: usize,
    total_weight: f64,
    counts: &'a [f64],
    parts: &'a [Part],
    out: &'a str,
}

/// Writes the file and says what is in it.
pub(crate) fn write(statistics: &Statistics, target: &str, json: bool) -> Result<(), Failure> {
    output::write(Some(target), |out| out.write_all(statistics.to_json().as_bytes()))?;
    if json {
        return output::json(&Figures {
            log_likelihood: statistics.log_likelihood(),
            n_rows: statistics.n_rows(),
            total_weight: statistics.total_weight(),
            counts: statistics.counts(),
            parts: statistics.parts(),
            out: target,
        });
    }
    if target == "-" {
        return Ok(());
    }
    output::print(|out| {
        let (rows, parts) = (statistics.n_rows(), statistics.parts().len());
        let s = if parts == 1 { "" } else { "s" };
        writeln!(out, "log-likelihood  {:.6}  (nats, {rows} rows in {parts} part{s})", statistics.log_likelihood())?;
        writeln!(out, "\nStatistics written to {target}")
    })
}
