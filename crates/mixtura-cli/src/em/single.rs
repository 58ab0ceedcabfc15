//! Textbook models of one population behind incomplete data: gene counting, censored values, probit regression.

use std::fs::File;
use std::io::Read;

use mixtura::fit::textbook;
use mixtura::model::censored::Sample;
use mixtura::model::genetics::GeneTable;
use mixtura::model::{LatentModel, probit};
use mixtura_io::{Table, Values};
use serde_json::json;

use super::{Common, Estimates, rows_of};
use crate::data;
use crate::failure::{Failure, IO, UNUSABLE};
use crate::flags::{Columns, Input};
use crate::rows_out::count;

const GENES: &str = "\
Example: peppered moths, of which the dark form hides what else it carries
  printf 'carbonaria,CC|CI|CT,85\\ninsularia,II|IT,196\\ntypica,TT,341\\n' | mixtura em genes -";

/// Allele frequencies from counts of phenotypes (gene counting)
///
/// The file is text, one line per phenotype: its name, the genotypes that show it, and how often it was counted, as in
/// A,AA|AO,186. Mating is at random.
#[derive(clap::Args, Debug)]
#[command(after_help = GENES)]
pub(super) struct Genes {
    /// Table of phenotypes; - is standard input
    #[arg(value_name = "FILE")]
    file: String,
    #[command(flatten)]
    common: Common,
}

/// Bytes beyond which a table of phenotypes is some other file.
const LARGEST_TABLE: u64 = 1 << 24;

/// Reads a text file, or standard input for "-".
fn text_of(path: &str, name: &str) -> Result<String, Failure> {
    let cannot = |error: std::io::Error| Failure::new(IO, format!("cannot read {name}: {error}"));
    let input: Box<dyn Read> =
        if path == "-" { Box::new(std::io::stdin()) } else { Box::new(File::open(path).map_err(cannot)?) };
    let mut bytes = Vec::new();
    input.take(LARGEST_TABLE + 1).read_to_end(&mut bytes).map_err(cannot)?;
    let refuse = |why| Failure::new(UNUSABLE, format!("{name} {why}: write lines of phenotype,genotypes,count"));
    if bytes.len() as u64 > LARGEST_TABLE {
        return Err(refuse("is larger than 16 MiB"));
    }
    String::from_utf8(bytes).map_err(|_| refuse("is no UTF-8 text"))
}

impl Genes {
    pub(super) fn run(self) -> Result<(), Failure> {
        let common = &self.common;
        common.threads.apply()?;
        let name = if self.file == "-" { "standard input" } else { &self.file };
        let about = |error| Failure::about(name, &error);
        let table = GeneTable::from_text(&text_of(&self.file, name)?).map_err(about)?;
        let found = common.fit(name, |search, control| textbook::genes(&table, search, control))?;
        let model = &found.fit.model;
        let expected = model.completed(table.counts()).map_err(about)?;
        let mut genotypes = Vec::new();
        for phenotype in model.categories() {
            for &cell in &phenotype.cells {
                let genotype = &model.cells()[cell].name;
                genotypes
                    .push(json!({ "phenotype": phenotype.name, "genotype": genotype, "expected": expected[cell] }));
            }
        }
        let (names, values) = (model.names(), model.values());
        let (alleles, phenotypes) = (count(names.len(), "allele"), count(table.counts().len(), "phenotype"));
        let estimates = Estimates {
            model: "genes",
            title: format!("{alleles} from {name}: {phenotypes}, {} counted", found.total_weight),
            header: vec!["allele".into(), "frequency".into()],
            lines: names.iter().zip(values).map(|(n, v)| (n.clone(), vec![*v])).collect(),
            json: json!({ "alleles": names, "frequencies": values, "genotypes": genotypes }),
        };
        let errors = common.errors(|q, control| q.genes(model, &table, control));
        common.tell((&found, errors), name, &[], estimates)
    }
}

const CENSORED: &str = "\
Example: two lamps failed after 1.2 and 3.4, one still burned at 3.5
  printf 'lower,upper\\n1.2,1.2\\n3.4,3.4\\n3.5,\\n' | mixtura em censored - --law normal";

/// Mean and spread of values of which some are known only to lie between bounds
///
/// Columns lower and upper (--columns names others): equal ends are an exact value, an empty cell or inf is an open end.
/// The law extreme-value is that of logarithms of Weibull lifetimes.
#[derive(clap::Args, Debug)]
#[command(after_help = CENSORED)]
pub(super) struct Censored {
    #[command(flatten)]
    input: Input,
    /// normal or extreme-value
    #[arg(long, value_name = "NAME", default_value = "normal", value_parser = ["normal", "extreme-value"])]
    law: String,
    #[command(flatten)]
    columns: Columns,
    #[command(flatten)]
    common: Common,
}

const IN_MEMORY: &str = "--memory: censored values are kept in memory; leave it out";

/// The two columns of a table as a sample.
fn sample(table: &Table) -> Result<Sample, Failure> {
    let pairs = |values: &mut dyn Iterator<Item = f64>| {
        let mut out = Vec::with_capacity(table.n_rows);
        while let (Some(lower), Some(upper)) = (values.next(), values.next()) {
            out.push([lower, upper]);
        }
        out
    };
    let bounds = match &table.values {
        Values::F32(values) => pairs(&mut values.iter().map(|x| f64::from(*x))),
        Values::F64(values) => pairs(&mut values.iter().copied()),
        Values::File(_) => return Err(Failure::usage(IN_MEMORY)),
    };
    Sample::new(&bounds, table.weights.as_deref()).map_err(|error| Failure::about(&table.source, &error))
}

impl Censored {
    pub(super) fn run(self) -> Result<(), Failure> {
        let common = &self.common;
        let mut options = self.columns.options(None);
        let named = options.columns.get_or_insert_with(|| vec!["lower".into(), "upper".into()]);
        if named.len() != 2 {
            let n = count(named.len(), "column");
            return Err(Failure::usage(format!("--columns names {n}: give the lower and the upper end")));
        }
        if self.input.memory.memory.is_some() {
            return Err(Failure::usage(IN_MEMORY));
        }
        options.infinite = true;
        let (table, notes) = common.read(&self.input, options)?;
        let sample = sample(&table)?;
        if self.law == "normal" {
            let found = common.fit(&table.source, |s, control| textbook::censored_normal(&sample, s, control))?;
            let of = (found.fit.model.mu(), found.fit.model.sigma());
            let errors = common.errors(|q, control| q.censored_normal(&found.fit.model, &sample, control));
            common.tell((&found, errors), &table.source, &notes, self.estimates(&table, of, rows_of(&found)))
        } else {
            let found =
                common.fit(&table.source, |s, control| textbook::censored_extreme_value(&sample, s, control))?;
            let of = (found.fit.model.mu(), found.fit.model.sigma());
            let errors = common.errors(|q, control| q.censored_extreme_value(&found.fit.model, &sample, control));
            common.tell((&found, errors), &table.source, &notes, self.estimates(&table, of, rows_of(&found)))
        }
    }

    fn estimates(&self, table: &Table, (mu, sigma): (f64, f64), rows: String) -> Estimates {
        Estimates {
            model: "censored",
            title: format!("{} law of censored values from {}: {rows}", self.law, table.source),
            header: vec![String::new(), "estimate".into()],
            lines: vec![("mu".into(), vec![mu]), ("sigma".into(), vec![sigma])],
            json: json!({ "law": self.law, "mu": mu, "sigma": sigma }),
        }
    }
}

const PROBIT: &str = "\
Example:
  mixtura em probit patients.csv -y recovered --columns dose,age";

/// Probit regression of a 0/1 column on the others
#[derive(clap::Args, Debug)]
#[command(after_help = PROBIT)]
pub(super) struct Responses {
    #[command(flatten)]
    input: Input,
    /// Column of 0 and 1 that is explained
    #[arg(short = 'y', long, value_name = "COLUMN")]
    response: String,
    #[command(flatten)]
    columns: Columns,
    #[command(flatten)]
    common: Common,
}

impl Responses {
    pub(super) fn run(self) -> Result<(), Failure> {
        let common = &self.common;
        let mut options = self.columns.options(None);
        options.response_column = Some(self.response);
        let (table, notes) = common.read(&self.input, options)?;
        let rows = data::rows(&table)?;
        let about = |error| Failure::about(&table.source, &error);
        let last = table.columns.len() - 1;
        let responses = probit::Responses::new(&*rows, last, &table.columns).map_err(about)?;
        let found = common.fit(&table.source, |search, control| textbook::probit(&responses, search, control))?;
        let names: Vec<&str> =
            ["intercept"].into_iter().chain(table.columns[..last].iter().map(String::as_str)).collect();
        let coefficients = found.fit.model.parameters();
        let estimates = Estimates {
            model: "probit",
            title: format!("probit regression of {} from {}: {}", table.columns[last], table.source, rows_of(&found)),
            header: vec![String::new(), "coefficient".into()],
            lines: names.iter().zip(&coefficients).map(|(n, b)| ((*n).to_owned(), vec![*b])).collect(),
            json: json!({ "response": table.columns[last], "names": names, "coefficients": coefficients }),
        };
        let columns = &table.columns[..last];
        let errors = common.errors(|q, control| q.probit(&found.fit.model, &responses, columns, control));
        common.tell((&found, errors), &table.source, &notes, estimates)
    }
}
