//! Lessons: the problems that textbooks explain EM by, solved step by step with the numbers of every E- and M-step.
//!
//! A [`Lesson`] is a value; the command prints it, Python makes tables of it. Each lesson steps its model itself, by an E-step and
//! an M-step of the library, without standardising, restarts or a stop rule: what the textbook does.

mod censored;
mod coins;
mod gaussian;
mod genes;
mod kmeans;
mod lines;
mod missing;
mod probit;
mod table;
mod text;

use mixtura::data::{Dense, Source};
use mixtura::engine::{Engine, Threads};
use mixtura::model::{LatentModel, Posterior};
use mixtura::{Error, Result};
use serde::Serialize;

pub use table::{Cell, Table};

/// A problem with its solution by EM, iteration by iteration.
#[derive(Clone, Debug, Serialize)]
pub struct Lesson {
    /// The name that the command takes.
    pub lesson: &'static str,
    /// What the problem is, in a few words.
    pub title: &'static str,
    /// Where it comes from.
    pub source: &'static str,
    /// What is assumed of the data.
    pub model: String,
    /// What the data are.
    pub data: String,
    /// What every E-step does.
    pub e_step: String,
    /// What every M-step does.
    pub m_step: String,
    /// Columns of `steps` that hold numbers of the E-step.
    pub e_columns: Vec<String>,
    /// Columns of `steps` that hold parameters, the numbers of the M-step.
    pub m_columns: Vec<String>,
    /// The first E-step, row by row of the data.
    pub first_e_step: Table,
    /// One row per iteration, the start as iteration 0: what the E-step expected at the parameters of the row before, the parameters
    /// that the M-step made of it, and what EM climbs, at these.
    pub steps: Table,
    /// What to learn from it; where the textbook stops early or slips, this says so.
    pub remarks: Vec<String>,
}

/// What a lesson works on.
#[derive(Clone, Copy, Debug)]
pub enum Data<'a> {
    /// The textbook's numbers.
    Textbook,
    /// A table: names of its columns and its cells, row by row; NaN is missing.
    Table {
        /// Names of the columns.
        columns: &'a [String],
        /// Row-major cells.
        values: &'a [f64],
    },
    /// A text of lines "phenotype,genotypes,count".
    Genes(&'a str),
}

/// How to run a lesson.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// What to work on.
    pub data: Data<'a>,
    /// Number of EM iterations; `None`: the lesson's own.
    pub iterations: Option<usize>,
    /// Parameters to start from, as [`Entry::start`] says; `None`: the textbook's, or a plain choice for own data.
    pub start: Option<&'a [f64]>,
    /// Number of components, where nothing else says it.
    pub components: Option<usize>,
    /// Coins: whether the mixing weights are estimated, too.
    pub free_mixing: bool,
}

impl Request<'_> {
    /// The textbook's problem as it stands there.
    pub const TEXTBOOK: Request<'static> =
        Request { data: Data::Textbook, iterations: None, start: None, components: None, free_mixing: false };

    fn is_textbook(&self) -> bool {
        matches!(self.data, Data::Textbook)
    }
}

/// A lesson in the list.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    /// The problem in a few words.
    pub title: &'static str,
    /// The paper or tutorial.
    pub source: &'static str,
    /// The columns that data of one's own need.
    pub data: &'static str,
    /// Their names, where they have some: columns of other names are taken by position.
    pub columns: &'static [&'static str],
    /// The numbers that a start consists of.
    pub start: &'static str,
    /// Iterations when nobody says how many.
    pub iterations: usize,
    /// Whether data of one's own are a table of phenotypes.
    pub genes: bool,
    /// Components for data of one's own when nobody says how many; 0: their number is not free.
    pub components: usize,
    #[serde(skip)]
    run: fn(&Entry, &Request<'_>) -> Result<Lesson>,
}

/// All lessons, from the simplest on.
pub const LESSONS: [Entry; 11] = [
    coins::COINS,
    genes::MOTHS,
    genes::ABO,
    genes::LINKAGE,
    gaussian::ONE,
    gaussian::TWO,
    kmeans::KMEANS,
    lines::LINES,
    missing::MISSING,
    censored::CENSORED,
    probit::PROBIT,
];

/// More iterations than these would be a table that nobody reads.
const MOST_ITERATIONS: usize = 100_000;

/// The lesson of that name in the list.
///
/// # Errors
/// [`Error::Usage`] if there is none.
pub fn entry(name: &str) -> Result<&'static Entry> {
    LESSONS.iter().find(|l| l.name == name).ok_or_else(|| {
        let names: Vec<&str> = LESSONS.iter().map(|l| l.name).collect();
        Error::Usage(format!("there is no lesson '{name}': choose one of {}", names.join(", ")))
    })
}

/// Runs a lesson.
///
/// ```
/// use mixtura_report::teach::{Request, teach};
/// let lesson = teach("moths", &Request::TEXTBOOK)?;
/// let p = lesson.steps.numbers("p_C");
/// assert!((p.last().unwrap() - 0.0708369).abs() < 1e-6);
/// println!("{}", lesson.to_text());
/// # Ok::<(), mixtura::Error>(())
/// ```
///
/// # Errors
/// [`Error::Usage`] if there is no such lesson or it has no such option; [`Error::Data`] or [`Error::Model`] if data of one's own
/// or the start do not fit it.
pub fn teach(name: &str, request: &Request<'_>) -> Result<Lesson> {
    let entry = entry(name)?;
    let usage = |text: String| Err(Error::Usage(text));
    match request.iterations {
        Some(n) if n > MOST_ITERATIONS => {
            return usage(format!("{n} iterations are too many: {MOST_ITERATIONS} at most"));
        }
        _ => {}
    }
    if request.free_mixing && name != "coins" {
        return usage(format!("lesson {name} has no mixing weights to free: that is for coins"));
    }
    match request.components {
        Some(_) if entry.components == 0 => {
            return usage(format!("the number of components of lesson {name} is not free"));
        }
        Some(k) if !(1..=26).contains(&k) => return usage(format!("{k} components: a lesson takes 1 to 26")),
        Some(_) if request.is_textbook() => {
            return usage(format!(
                "lesson {name} has its own number of components: another one needs data of your own"
            ));
        }
        Some(_) if request.start.is_some() => {
            return usage("the start says how many components there are: leave the number out".into());
        }
        _ => {}
    }
    if let Some(bad) = request.start.and_then(|s| s.iter().find(|x| !x.is_finite())) {
        return usage(format!("a number of the start is {bad}: it must be finite"));
    }
    (entry.run)(entry, request)
}

/// Names, titles and sources of all lessons, and what data of one's own they take.
pub fn list() -> String {
    text::list(&LESSONS)
}

/// Component names: A, B, C, …
fn letter(k: usize) -> char {
    (b'A' + (k % 26) as u8) as char
}

fn named(prefix: &str, k: usize) -> Vec<String> {
    (0..k).map(|c| format!("{prefix}_{}", letter(c))).collect()
}

/// The start's numbers, which must be `n`.
fn start_of(entry: &Entry, start: &[f64], n: usize) -> Result<()> {
    if start.len() == n {
        return Ok(());
    }
    Err(Error::Usage(format!(
        "the start has {} numbers: lesson {} needs {n} ({})",
        start.len(),
        entry.name,
        entry.start
    )))
}

/// Numbers of a start that come in `parts` equally long parts, one number per component: how many components.
fn components_of(entry: &Entry, start: &[f64], parts: usize) -> Result<usize> {
    let k = start.len() / parts;
    if k == 0 || !start.len().is_multiple_of(parts) || k > 26 {
        return Err(Error::Usage(format!(
            "the start has {} numbers: lesson {} needs a multiple of {parts}, for 1 to 26 components ({})",
            start.len(),
            entry.name,
            entry.start
        )));
    }
    Ok(k)
}

/// Own data as rows, the wanted columns only: by name where all are there, by position where there are as many.
fn own(request: &Request<'_>, wanted: &[&str]) -> Result<Option<Vec<f64>>> {
    let (columns, values) = match request.data {
        Data::Textbook => return Ok(None),
        Data::Table { columns, values } => (columns, values),
        Data::Genes(_) => return Err(Error::Usage("this lesson takes a table of numbers, not of phenotypes".into())),
    };
    let found: Option<Vec<usize>> = wanted.iter().map(|w| columns.iter().position(|c| c == w)).collect();
    let at = match found {
        Some(at) => at,
        None if columns.len() == wanted.len() => (0..columns.len()).collect(),
        None => {
            let (n, s) = (wanted.len(), if wanted.len() == 1 { "" } else { "s" });
            return Err(Error::Data(format!(
                "the lesson needs {n} column{s} ({}), but there are {} ({}): choose them",
                wanted.join(", "),
                columns.len(),
                columns.join(", ")
            )));
        }
    };
    Ok(Some(values.chunks(columns.len()).flat_map(|row| at.iter().map(|&j| row[j]).collect::<Vec<_>>()).collect()))
}

/// All columns of own data, at least `least`, and their names.
fn own_all<'a>(request: &Request<'a>, least: usize) -> Result<Option<(&'a [String], &'a [f64])>> {
    match request.data {
        Data::Textbook => Ok(None),
        Data::Table { columns, values } if columns.len() >= least => Ok(Some((columns, values))),
        Data::Table { columns, .. } => {
            Err(Error::Data(format!("the lesson needs at least {least} columns, but there is {}", columns.len())))
        }
        Data::Genes(_) => Err(Error::Usage("this lesson takes a table of numbers, not of phenotypes".into())),
    }
}

/// The numbers of a CSV file of the lessons, which has a heading.
fn csv(text: &str) -> Vec<f64> {
    text.lines().skip(1).flat_map(|line| line.split(',').filter_map(|cell| cell.parse::<f64>().ok())).collect()
}

/// Numbers of an E-step: from the model before it, its statistics and the rows.
type Expected<M> = fn(&M, &<M as LatentModel>::Stats, &dyn Source) -> Result<Vec<f64>>;

/// What an E-step shows of a model's statistics, and what an M-step shows of its parameters.
struct Shown<M: LatentModel> {
    e: Vec<String>,
    m: Vec<String>,
    expected: Expected<M>,
    parameters: fn(&M) -> Vec<f64>,
    /// What is added to the log-likelihoods.
    constant: f64,
}

/// EM as Dempster, Laird & Rubin wrote it, with everything written down.
fn climb<M: LatentModel>(mut model: M, rows: &dyn Source, iterations: usize, shown: &Shown<M>) -> Result<Table> {
    let mut table = Table::new(
        ["iteration"]
            .into_iter()
            .map(str::to_owned)
            .chain(shown.e.iter().cloned())
            .chain(shown.m.iter().cloned())
            .chain(["log_likelihood".to_owned()]),
    );
    let mut engine = Threads::new(rows);
    let mut expected = vec![Cell::Empty; shown.e.len()];
    for t in 0..=iterations {
        let n = Engine::<M>::n_chunks(&engine);
        let expectation = engine.expect(&model, 0..n, Posterior::Soft)?;
        let mut row = vec![Cell::Number(t as f64)];
        row.append(&mut expected);
        row.extend((shown.parameters)(&model).into_iter().map(Cell::Number));
        row.push(Cell::Number(expectation.log_likelihood + shown.constant));
        table.rows.push(row);
        if t < iterations {
            let numbers = (shown.expected)(&model, &expectation.stats, rows)?;
            expected = numbers.into_iter().map(Cell::Number).collect();
            model.m_step(&expectation.stats).map_err(|error| match error {
                Error::Degenerate(_) => Error::Degenerate(format!(
                    "in iteration {} a component has collapsed onto rows without spread, where the likelihood has no maximum: \
                     start elsewhere, take fewer components, or use a fit, which has a floor",
                    t + 1
                )),
                other => other,
            })?;
        }
    }
    Ok(table)
}

/// What the log-likelihoods of a table say.
fn gains(steps: &Table) -> Option<String> {
    let path = steps.numbers("log_likelihood");
    let (first, last) = (path.first()?, path.last()?);
    let before = path.get(path.len().checked_sub(2)?)?;
    // A start under which the data are impossible has no gain to speak of.
    first.is_finite().then_some(())?;
    // Sums of this size carry some thousand roundings.
    let rose = path.windows(2).all(|pair| pair[1] >= pair[0] - 1e-12 * (1.0 + pair[0].abs()));
    Some(format!(
        "{} by {:.6} nats in all, from {first:.6} to {last:.6}; the last one added {:.1e}.",
        if rose { "No iteration lowered the log-likelihood: it rose" } else { "The log-likelihood changed" },
        last - first,
        last - before
    ))
}

/// Rows of so many columns.
fn dense(values: &[f64], columns: usize) -> Result<Dense<'_>> {
    Dense::new(values, columns)
}
