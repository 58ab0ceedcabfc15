//! Textbook mixtures: coins, latent classes of yes/no columns, regressions.

use mixtura::fit::textbook;
use serde_json::json;

use super::{Common, Estimates, rows_of};
use crate::data;
use crate::failure::Failure;
use crate::flags::{Columns, Input};
use crate::rows_out::count;

/// Reads the number of components.
fn k(text: &str) -> Result<usize, String> {
    let k = text.trim().parse::<usize>().ok().filter(|k| (1..=MOST_COMPONENTS).contains(k));
    k.ok_or_else(|| format!("use a number from 1 to {MOST_COMPONENTS}"))
}

/// Components beyond which a textbook model is a mistake.
const MOST_COMPONENTS: usize = 1000;

/// Column titles of a table with one column per component.
fn by_component(k: usize) -> Vec<String> {
    [String::new()].into_iter().chain((0..k).map(|k| format!("component {k}"))).collect()
}

const COINS: &str = "\
Example: five times one of two coins was picked unseen and flipped ten times (Do & Batzoglou 2008)
  printf 'heads\\n5\\n9\\n8\\n4\\n7\\n' | mixtura em coins - --flips 10 -k 2 --fixed-weights";

/// Coins of unknown bias, of which an unseen one makes each row
///
/// Columns heads and flips, or heads alone with --flips; --columns names others.
#[derive(clap::Args, Debug)]
#[command(after_help = COINS)]
pub(super) struct Coins {
    #[command(flatten)]
    input: Input,
    /// Number of coins
    #[arg(short = 'k', value_name = "K", value_parser = k)]
    k: usize,
    /// Flips of every row, where no column has them
    #[arg(long, value_name = "N")]
    flips: Option<u32>,
    /// Every coin is picked as often as any other
    #[arg(long)]
    fixed_weights: bool,
    #[command(flatten)]
    columns: Columns,
    #[command(flatten)]
    common: Common,
}

impl Coins {
    pub(super) fn run(self) -> Result<(), Failure> {
        let (common, k) = (&self.common, self.k);
        let mut options = self.columns.options(None);
        let usual = if self.flips.is_some() { vec!["heads"] } else { vec!["heads", "flips"] };
        let named = options.columns.get_or_insert_with(|| usual.iter().map(|c| (*c).to_owned()).collect());
        if named.len() != usual.len() {
            let (want, n) = (usual.join(","), named.len());
            return Err(Failure::usage(format!("--columns names {}: give {want} in their order", count(n, "column"))));
        }
        let (table, notes) = common.read(&self.input, options)?;
        let rows = data::rows(&table)?;
        let found = common.fit(&table.source, |search, control| {
            textbook::binomial(&*rows, self.flips, k, self.fixed_weights, &table.columns, search, control)
        })?;
        let (weights, heads) = (found.fit.model.weights(), found.fit.model.emission().probabilities());
        let estimates = Estimates {
            model: "coins",
            title: format!("{} from {}: {}", count(k, "coin"), table.source, rows_of(&found)),
            header: by_component(k),
            lines: vec![("weight".into(), weights.to_vec()), ("P(heads)".into(), heads.to_vec())],
            json: json!({ "weights": weights, "probabilities": heads }),
        };
        let errors = common.errors(|q, control| q.coins(&found.fit.model, self.fixed_weights, &*rows, control));
        common.tell((&found, errors), &table.source, &notes, estimates)
    }
}

const CLASSES: &str = "\
Example:
  mixtura em bernoulli answers.csv -k 2 --columns q1,q2,q3";

/// Latent classes of rows of 0/1 columns; an empty cell is missing
#[derive(clap::Args, Debug)]
#[command(after_help = CLASSES)]
pub(super) struct Classes {
    #[command(flatten)]
    input: Input,
    /// Number of classes
    #[arg(short = 'k', value_name = "K", value_parser = k)]
    k: usize,
    #[command(flatten)]
    columns: Columns,
    #[command(flatten)]
    common: Common,
}

impl Classes {
    pub(super) fn run(self) -> Result<(), Failure> {
        let (common, k) = (&self.common, self.k);
        let (table, notes) = common.read(&self.input, self.columns.options(None))?;
        let rows = data::rows(&table)?;
        let found = common
            .fit(&table.source, |search, control| textbook::bernoulli(&*rows, k, &table.columns, search, control))?;
        let (model, columns) = (&found.fit.model, &table.columns);
        let all: Vec<&[f64]> = (0..k).map(|c| model.emission().probabilities(c)).collect();
        let mut lines = vec![("weight".to_owned(), model.weights().to_vec())];
        for (j, name) in columns.iter().enumerate() {
            lines.push((format!("P({name} = 1)"), all.iter().map(|p| p[j]).collect()));
        }
        let (classes, of) = (if k == 1 { "class" } else { "classes" }, count(columns.len(), "column"));
        let estimates = Estimates {
            model: "bernoulli",
            title: format!("{k} {classes} of {of} from {}: {}", table.source, rows_of(&found)),
            header: by_component(k),
            lines,
            json: json!({ "columns": columns, "weights": model.weights(), "probabilities": all }),
        };
        let errors = common.errors(|q, control| q.classes(model, &*rows, columns, control));
        common.tell((&found, errors), &table.source, &notes, estimates)
    }
}

const LINES: &str = "\
Example:
  mixtura em lines data.csv -y price -k 2 --columns size,age";

/// Regressions of which an unseen one makes each row
///
/// A row with an empty cell says nothing.
#[derive(clap::Args, Debug)]
#[command(after_help = LINES)]
pub(super) struct Lines {
    #[command(flatten)]
    input: Input,
    /// Column that is explained
    #[arg(short = 'y', long, value_name = "COLUMN")]
    response: String,
    /// Number of regressions
    #[arg(short = 'k', value_name = "K", value_parser = k)]
    k: usize,
    /// Lines go through the origin
    #[arg(long)]
    no_intercept: bool,
    #[command(flatten)]
    columns: Columns,
    #[command(flatten)]
    common: Common,
}

impl Lines {
    pub(super) fn run(self) -> Result<(), Failure> {
        let (common, k) = (&self.common, self.k);
        let mut options = self.columns.options(None);
        options.response_column = Some(self.response);
        let (table, notes) = common.read(&self.input, options)?;
        let rows = data::rows(&table)?;
        let found = common.fit(&table.source, |search, control| {
            textbook::linear(&*rows, k, !self.no_intercept, &table.columns, search, control)
        })?;
        let (model, bank) = (&found.fit.model, found.fit.model.emission());
        let Some((response, columns)) = table.columns.split_last() else { return Err(Failure::usage("no column")) };
        let intercept = (!self.no_intercept).then(|| "intercept".to_owned());
        let names: Vec<String> = intercept.into_iter().chain(columns.iter().cloned()).collect();
        let coefficients: Vec<Vec<f64>> = (0..k).map(|c| bank.coefficients(c)).collect();
        let sigma: Vec<f64> = (0..k).map(|c| bank.variance(c).sqrt()).collect();
        let mut lines = vec![("weight".to_owned(), model.weights().to_vec())];
        for (j, name) in names.iter().enumerate() {
            lines.push((name.clone(), coefficients.iter().map(|b| b[j]).collect()));
        }
        lines.push(("sigma".to_owned(), sigma.clone()));
        let estimates = Estimates {
            model: "lines",
            title: format!("{} of {response} from {}: {}", count(k, "regression"), table.source, rows_of(&found)),
            header: by_component(k),
            lines,
            json: json!({ "response": response, "names": names, "weights": model.weights(),
                "coefficients": coefficients, "sigma": sigma }),
        };
        let errors = common.errors(|q, control| q.lines(model, &*rows, &table.columns, control));
        common.tell((&found, errors), &table.source, &notes, estimates)
    }
}
