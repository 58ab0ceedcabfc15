//! `mixtura mstep`: the next model from the statistics of all parts, and how far it still has to go.

use std::path::PathBuf;

use mixtura::distributed::{StepOptions, m_step};
use mixtura::persist::{SavedModel, StatusRecord, StepRecord};
use serde::Serialize;

use crate::failure::Failure;
use crate::{model_file, output, stats_file};

const EXAMPLES: &str = "\
Examples:
  mixtura mstep model.json all.stats.json                   writes next.mixtura.json
  mixtura mstep model.json all.stats.json --out model.json  in place
  mixtura mstep model.json today.stats.json --model-rows 50000 --out model.json

A whole fit, three parts at a time on three processes, until less than 0.001 nats remain:
  while true; do
    for part in part1 part2 part3; do mixtura estep model.json $part.csv & done; wait
    mixtura merge part?.stats.json --out all.stats.json
    mixtura mstep model.json all.stats.json --out model.json --json > step.json
    jq -e '.nats_remaining != null and .nats_remaining < 1e-3' step.json && break
  done";

/// Make the next model from the statistics of all parts: the M-step of a spread EM iteration
///
/// Says the log-likelihood of MODEL over all parts, what that gained over the step before, and an estimate of what
/// remains to be gained. Running it again changes nothing: statistics fit the model they were made with and no other.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Model file that the statistics were made with
    model: PathBuf,
    /// Statistics file of all parts
    statistics: PathBuf,
    /// Take statistics of other rows or other parts than those of the model's last step
    #[arg(long)]
    other_rows: bool,
    /// Count the model itself as this many rows, for streams: it stands for all rows before these
    #[arg(long, value_name = "N", default_value_t = 0.0)]
    model_rows: f64,
    /// Model file to write
    #[arg(long, value_name = "FILE", default_value = "next.mixtura.json")]
    out: String,
    /// Print the figures as one JSON object
    #[arg(long)]
    json: bool,
}

/// What a scheduler wants to know.
#[derive(Serialize)]
struct Figures<'a> {
    log_likelihood: f64,
    gain: Option<f64>,
    nats_remaining: Option<f64>,
    steps: usize,
    n_parts: usize,
    n_rows: usize,
    total_weight: f64,
    status: &'a StatusRecord,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    if args.json && args.out == "-" {
        return Err(Failure::usage("--json and --out - both want standard output: give --out a file"));
    }
    if args.out != "-" {
        output::check_target(&args.out)?;
    }
    output::spare_inputs(Some(&args.out), &[&args.statistics])?;
    let saved = model_file::read(&args.model)?;
    let statistics = stats_file::read(&args.statistics)?;
    let name = args.statistics.display().to_string();
    let options = StepOptions { other_rows: args.other_rows, model_weight: args.model_rows };
    let next = m_step(&saved, &statistics, options).map_err(|error| Failure::about(&name, &error))?;
    output::write(Some(&args.out), |out| out.write_all(next.to_json().as_bytes()))?;
    match &next.record.step {
        Some(step) if args.json => output::json(&Figures {
            log_likelihood: step.log_likelihood,
            gain: step.gain,
            nats_remaining: step.nats_remaining,
            steps: step.steps,
            n_parts: step.parts,
            n_rows: next.record.data.n_rows,
            total_weight: next.record.data.total_weight,
            status: &next.record.status,
        }),
        Some(step) if args.out != "-" => {
            let text = words(step, &next, &args);
            output::print(|out| out.write_all(text.as_bytes()))
        }
        _ => Ok(()),
    }
}

fn words(step: &StepRecord, next: &SavedModel, args: &Args) -> String {
    let mut text = format!(
        "log-likelihood  {:.6}  (nats, {} rows, under {})\n",
        step.log_likelihood,
        next.record.data.n_rows,
        args.model.display()
    );
    match step.gain {
        None if step.model_weight > 0.0 => {
            text.push_str(&format!("the model counts as {} rows\n", step.model_weight));
        }
        None => text.push_str("gain            unknown at the first step over these parts\n"),
        Some(gain) => text.push_str(&format!("gain            {gain:.3e}  (nats, over the step before)\n")),
    }
    if let Some(nats) = step.nats_remaining {
        text.push_str(&format!("remaining       {nats:.3e}  (nats, estimated)\n"));
    }
    text.push_str(&format!("\nModel {} of this fit written to {}\n", step.steps, args.out));
    text
}
