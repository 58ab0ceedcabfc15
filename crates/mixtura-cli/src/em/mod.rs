//! `mixtura em MODEL`: the textbook models, their common flags, and how what they found is told.

mod mixtures;
mod single;

use mixtura::fit::textbook::{Search, TextbookFit};
use mixtura::fit::{Control, ModelOptions};
use mixtura::infer::{Answer, By, Question};
use mixtura::persist::{CertificateRecord, StatusRecord, finite};
use mixtura::{Error, Seed};
use mixtura_io::{ReadOptions, Table, read_tables};
use mixtura_report::{Textbook, textbook};
use serde::Serialize;
use serde_json::Value;

use crate::errors::{self, Asked, Beside, BesideJson};
use crate::failure::{Failure, INTERRUPTED};
use crate::flags::{Algorithm, Input, Threads};
use crate::progress::Bar;
use crate::rows_out::count;
use crate::{data, interrupt, output};

const EXAMPLES: &str = "\
Examples:
  mixtura em coins tosses.csv -k 2 --fixed-weights      columns heads and flips
  mixtura em genes moths.csv --errors louis             allele frequencies from phenotypes
  mixtura em lines data.csv -y price -k 2               two regressions, unseen which row is whose

docs/models.md has every model with its formula, its columns and its source.";

/// Fit a textbook model: coins, latent classes, regressions, gene counting, censored values, probit
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    model: Model,
}

#[derive(clap::Subcommand, Debug)]
enum Model {
    Coins(mixtures::Coins),
    Bernoulli(mixtures::Classes),
    Lines(mixtures::Lines),
    Genes(single::Genes),
    Censored(single::Censored),
    Probit(single::Responses),
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    match args.model {
        Model::Coins(args) => args.run(),
        Model::Bernoulli(args) => args.run(),
        Model::Lines(args) => args.run(),
        Model::Genes(args) => args.run(),
        Model::Censored(args) => args.run(),
        Model::Probit(args) => args.run(),
    }
}

/// The flags of every model.
#[derive(clap::Args, Debug)]
struct Common {
    /// Runs, each from a start of its own; the best is told
    #[arg(long, value_name = "N", default_value_t = 20)]
    restarts: usize,
    /// Most iterations of each run
    #[arg(long, value_name = "N", default_value_t = 1000)]
    max_iter: usize,
    /// Stop when fewer nats of total log-likelihood than this remain to be gained
    #[arg(long, value_name = "NATS", default_value_t = 1e-6)]
    tolerance: f64,
    #[command(flatten)]
    algorithm: Algorithm,
    /// Seed of all randomness
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Standard errors and intervals of the parameters: louis, numerical, sem, sandwich, parametric, bootstrap or weighted
    #[arg(long, value_name = "METHOD", value_parser = errors::by)]
    errors: Option<By>,
    #[command(flatten)]
    asked: Asked,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    threads: Threads,
}

/// What a model found, beside what every fit knows.
struct Estimates {
    /// The model's name in the JSON object.
    model: &'static str,
    /// What was fitted to how much of what.
    title: String,
    /// Names of the columns of `lines`, that of the names first.
    header: Vec<String>,
    lines: Vec<(String, Vec<f64>)>,
    /// The estimates in the JSON object.
    json: Value,
}

#[derive(Serialize)]
struct FoundJson<'a> {
    model: &'a str,
    estimates: &'a Value,
    log_likelihood: Option<f64>,
    aic: Option<f64>,
    bic: Option<f64>,
    n_rows: usize,
    total_weight: f64,
    n_free_parameters: usize,
    status: &'a StatusRecord,
    iterations: usize,
    certificate: &'a CertificateRecord,
    data: DataJson<'a>,
    #[serde(flatten)]
    errors: BesideJson<'a>,
}

#[derive(Serialize)]
struct DataJson<'a> {
    source: &'a str,
    warnings: &'a [String],
}

impl Common {
    fn read(&self, input: &Input, options: ReadOptions) -> Result<(Table, Vec<String>), Failure> {
        self.threads.apply()?;
        let table = read_tables(&input.paths()?, &ReadOptions { memory: input.memory.memory, ..options })?;
        let notes = data::notes(&table);
        if !self.json {
            notes.iter().for_each(|note| eprintln!("note: {note}"));
        }
        Ok((table, notes))
    }

    /// Fits with these flags, and a bar where somebody looks on.
    fn fit<M>(
        &self,
        source: &str,
        work: impl FnOnce(&Search, Control<'_>) -> mixtura::Result<TextbookFit<M>>,
    ) -> Result<TextbookFit<M>, Failure> {
        let bar = Bar::new(1, !self.json);
        let report = |progress| bar.advance(progress);
        let control = Control { interrupt: Some(interrupt::polled()), progress: Some(&report), ..Control::default() };
        let search = Search {
            restarts: self.restarts,
            seed: Seed::new(self.seed),
            method: self.algorithm.method,
            limits: ModelOptions { max_iter: self.max_iter, tolerance: self.tolerance },
        };
        let found = work(&search, control);
        bar.finish();
        found.map_err(|error| match error {
            Error::Interrupted => Failure::new(INTERRUPTED, error.to_string()),
            error => Failure::about(source, &error),
        })
    }

    /// Standard errors, where they are asked for.
    fn errors(&self, work: impl FnOnce(&Question, Control<'_>) -> mixtura::Result<Answer>) -> Beside {
        let question = self.asked.question(self.errors?, self.seed);
        Some(errors::ask(self.json, |control| work(&question, control)))
    }

    fn tell<M>(
        &self,
        (found, beside): (&TextbookFit<M>, Beside),
        source: &str,
        notes: &[String],
        estimates: Estimates,
    ) -> Result<(), Failure> {
        let fit = &found.fit;
        let status = StatusRecord { kind: fit.status.kind.name().to_owned(), detail: fit.status.detail.clone() };
        let certificate = CertificateRecord::of(&fit.certificate);
        let (aic, bic) = (found.aic(), found.bic());
        if self.json {
            output::json(&FoundJson {
                model: estimates.model,
                estimates: &estimates.json,
                log_likelihood: finite(fit.log_likelihood),
                aic: finite(aic),
                bic: finite(bic),
                n_rows: found.n_rows,
                total_weight: found.total_weight,
                n_free_parameters: found.n_free_parameters,
                status: &status,
                iterations: fit.iterations,
                certificate: &certificate,
                data: DataJson { source, warnings: notes },
                errors: BesideJson::of(&beside),
            })?;
        } else {
            let mut text = textbook(&Textbook {
                title: estimates.title,
                header: estimates.header,
                estimates: estimates.lines,
                log_likelihood: fit.log_likelihood,
                aic,
                bic,
                n_free_parameters: found.n_free_parameters,
                status: &status,
                certificate: &certificate,
            });
            text.push_str(&errors::text(&beside, found.n_rows));
            output::print(|out| out.write_all(text.as_bytes()))?;
        }
        if interrupt::requested() {
            return Err(Failure::new(INTERRUPTED, "interrupted: these are the parameters it had reached"));
        }
        Ok(())
    }
}

/// "5 rows", and their weight where that is another number.
fn rows_of<M>(found: &TextbookFit<M>) -> String {
    let weight = output::text(found.total_weight);
    match found.total_weight == found.n_rows as f64 {
        true => count(found.n_rows, "row"),
        false => format!("{}, weights summing to {weight}", count(found.n_rows, "row")),
    }
}
