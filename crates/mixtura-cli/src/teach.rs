//! `mixtura teach`: the problems that textbooks explain EM by, solved step by step.

use std::io::Read;

use clap::builder::PossibleValuesParser;
use mixtura_io::{ReadOptions, Table, Values, read_tables};
use mixtura_report::teach::{self, Data, Entry, LESSONS, Request};

use crate::failure::{Failure, IO};
use crate::output;

const EXAMPLES: &str = "\
Examples:
  mixtura teach --list
  mixtura teach coins                               two coins, ten iterations, every number
  mixtura teach coins flips.csv -k 3                your own flips: columns heads, flips
  mixtura teach moths --json | jq '.steps[].p_C'
  mixtura teach abo groups.csv                      lines phenotype,genotypes,count: A,AA|AO,186
  mixtura teach gmm1d --start=-8,8,5,5,3,1          the same data, another start, another maximum";

/// Explain EM by a textbook's problem, with the numbers of every E-step and M-step
///
/// Prints the problem, what its E-step and M-step do, the first E-step row by row, and a table of all iterations. Data of your own
/// take the textbook's place. Nothing is standardised, restarted or stopped early: for results to rely on use fit.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Lesson
    #[arg(required_unless_present = "list", value_parser = PossibleValuesParser::new(LESSONS.map(|l| l.name)))]
    lesson: Option<String>,
    /// Data of your own; --list says which columns each lesson takes; - is standard input
    file: Option<String>,
    /// List the lessons, their sources, and the data and start that they take
    #[arg(long, conflicts_with_all = ["lesson", "file", "iterations", "start", "components", "free_mixing", "columns"])]
    list: bool,
    /// EM iterations [default: the textbook's]
    #[arg(long, value_name = "N")]
    iterations: Option<usize>,
    /// Parameters to start from; --list says which
    #[arg(long, value_name = "A,B,…", value_delimiter = ',', allow_hyphen_values = true)]
    start: Option<Vec<f64>>,
    /// Number of components for data of your own (coins, gmm1d, gmm2d, kmeans)
    #[arg(short = 'k', value_name = "K")]
    components: Option<usize>,
    /// Coins: estimate how often each is picked, too
    #[arg(long)]
    free_mixing: bool,
    /// Columns of your own data to use, by name or by position from 1
    #[arg(long, value_name = "A,B,…", value_delimiter = ',', requires = "file")]
    columns: Option<Vec<String>>,
    /// Print the lesson as one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let Some(name) = &args.lesson else {
        if args.json {
            return output::json(&LESSONS);
        }
        return output::print(|out| out.write_all(teach::list().as_bytes()));
    };
    let about = |error| Failure::about(args.file.as_deref().unwrap_or(name), &error);
    let entry = teach::entry(name).map_err(about)?;
    let mut request = Request {
        data: Data::Textbook,
        iterations: args.iterations,
        start: args.start.as_deref(),
        components: args.components,
        free_mixing: args.free_mixing,
    };
    let (text, table, values);
    match &args.file {
        Some(file) if entry.genes => {
            if args.columns.is_some() {
                return Err(Failure::usage(format!("--columns: lesson {name} takes lines phenotype,genotypes,count")));
            }
            text = text_of(file)?;
            request.data = Data::Genes(&text);
        }
        Some(file) => {
            table = read(entry, file, args.columns.as_ref())?;
            table.notes.iter().for_each(|note| eprintln!("note: {note}"));
            table.dropped.iter().for_each(|c| eprintln!("note: column '{}' is left out: {}", c.name, c.reason));
            values = numbers(&table);
            request.data = Data::Table { columns: &table.columns, values: &values };
        }
        None => {}
    }
    let lesson = teach::teach(name, &request).map_err(about)?;
    if args.json {
        return output::json(&lesson);
    }
    output::print(|out| out.write_all(lesson.to_text().as_bytes()))
}

/// The columns asked for, else those that the lesson names, else every numeric one.
fn read(entry: &Entry, file: &str, columns: Option<&Vec<String>>) -> Result<Table, Failure> {
    let files = [file.to_owned()];
    let with = |columns| read_tables(&files, &ReadOptions { columns, ..ReadOptions::default() });
    // The lesson's own columns may be constant (flips), which the reader leaves out unless they are asked for.
    let named = || entry.columns.iter().map(|c| (*c).to_owned()).collect::<Vec<_>>();
    if columns.is_none()
        && !entry.columns.is_empty()
        && file != "-"
        && let Ok(table) = with(Some(named()))
    {
        return Ok(table);
    }
    Ok(with(columns.cloned())?)
}

fn numbers(table: &Table) -> Vec<f64> {
    match &table.values {
        Values::F32(values) => values.iter().map(|x| f64::from(*x)).collect(),
        Values::F64(values) => values.clone(),
        Values::File(_) => unreachable!("read without a limit of memory"),
    }
}

/// A file, or standard input, as text.
fn text_of(file: &str) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let read = match file {
        "-" => std::io::stdin().lock().read_to_end(&mut bytes).map(|_| ()),
        path => std::fs::read(path).map(|read| bytes = read),
    };
    read.map_err(|error| Failure::new(IO, format!("cannot read {file}: {error}")))?;
    String::from_utf8(bytes).map_err(|_| {
        Failure::new(crate::failure::UNUSABLE, format!("{file} is not text: write phenotype,genotypes,count"))
    })
}
