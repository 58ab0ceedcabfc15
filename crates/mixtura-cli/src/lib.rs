//! The `mixtura` command: Gaussian mixtures fitted, explained, saved and used.
//!
//! A library so that the Python package brings the same command.

mod anomaly;
mod candidate_json;
mod checkpoint;
mod cluster;
mod combine;
mod compare;
mod completions;
mod condition;
mod data;
mod density;
mod describe;
mod em;
mod errors;
mod estep;
mod failure;
mod fit;
mod fit_json;
mod flags;
mod impute;
mod interrupt;
mod marginal;
mod merge;
mod model_file;
mod mstep;
mod output;
mod predict;
mod progress;
mod regress;
mod rows_out;
mod sample;
mod score;
mod search;
mod select;
mod stats_file;
mod teach;

use std::ffi::OsString;

use clap::{Parser, Subcommand};

const EXAMPLES: &str = "\
Examples:
  mixtura fit data.csv                       choose K and the structure, fit, explain, save
  mixtura predict data.mixtura.json new.csv  the component of every row
  mixtura describe data.mixtura.json         what a saved model says

Exit codes: 0 fitted (also when not converged: that is said), 2 usage, 3 unusable data or model,
4 input or output failed, 130 interrupted.";

/// Gaussian mixtures by Expectation-Maximization: a data file in, a trustworthy fitted mixture out.
#[derive(Parser)]
#[command(name = "mixtura", version, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Fit(fit::Args),
    Select(select::Args),
    Predict(predict::Args),
    Score(score::Args),
    Sample(sample::Args),
    Describe(describe::Args),
    Errors(errors::Args),
    Marginal(marginal::Args),
    Condition(condition::Args),
    Regress(regress::Args),
    Density(density::Args),
    Impute(impute::Args),
    Anomaly(anomaly::Args),
    Combine(combine::Args),
    Compare(compare::Args),
    Cluster(cluster::Args),
    Estep(estep::Args),
    Merge(merge::Args),
    Mstep(mstep::Args),
    Teach(teach::Args),
    Em(em::Args),
    Completions(completions::Args),
}

/// Runs the command with these arguments, the program's name first, and returns its exit code.
pub fn main_from(args: impl IntoIterator<Item = OsString>) -> u8 {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => {
            eprintln!("mixtura: {}", one_sentence(&error.to_string()));
            return failure::USAGE;
        }
        Err(help) => {
            // Help and version; where nobody reads them nothing is wrong.
            let _ = help.print();
            return 0;
        }
    };
    let outcome = interrupt::install().and_then(|()| match cli.command {
        Command::Fit(args) => fit::run(args),
        Command::Select(args) => select::run(args),
        Command::Predict(args) => predict::run(args),
        Command::Score(args) => score::run(args),
        Command::Sample(args) => sample::run(args),
        Command::Describe(args) => describe::run(args),
        Command::Errors(args) => errors::run(args),
        Command::Marginal(args) => marginal::run(args),
        Command::Condition(args) => condition::run(args),
        Command::Regress(args) => regress::run(args),
        Command::Density(args) => density::run(args),
        Command::Impute(args) => impute::run(args),
        Command::Anomaly(args) => anomaly::run(args),
        Command::Combine(args) => combine::run(args),
        Command::Compare(args) => compare::run(args),
        Command::Cluster(args) => cluster::run(args),
        Command::Estep(args) => estep::run(args),
        Command::Merge(args) => merge::run(args),
        Command::Mstep(args) => mstep::run(args),
        Command::Teach(args) => teach::run(args),
        Command::Em(args) => em::run(args),
        Command::Completions(args) => completions::run(args),
    });
    match outcome {
        Ok(()) => 0,
        Err(failure) => {
            if let Some(sentence) = &failure.sentence {
                eprintln!("mixtura: {sentence}");
            }
            failure.code
        }
    }
}

/// A refusal of the flags in one line: what clap says before its usage, without line breaks.
fn one_sentence(text: &str) -> String {
    let text = text.strip_prefix("error: ").unwrap_or(text);
    let end = text.find("\n\nUsage:").or_else(|| text.find("\n\nFor more information")).unwrap_or(text.len());
    let words: Vec<&str> = text[..end].split_whitespace().collect();
    format!("{}; see --help", words.join(" "))
}
