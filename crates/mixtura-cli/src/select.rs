//! `mixtura select`: how many components, and of which structure, by any criterion, with reasons.

use std::io::{self, Write};

use mixtura::fit::{Criterion, LikelihoodRatio, Selection};
use mixtura::persist::finite;
use serde::Serialize;

use crate::candidate_json::CandidateJson;
use crate::failure::{Failure, INTERRUPTED};
use crate::flags::Input;
use crate::search::Search;
use crate::{interrupt, output};

const EXAMPLES: &str = "\
Examples:
  mixtura select data.csv                               every criterion, K from 1 to 9, four structures
  mixtura select data.csv -k 1..15 --criterion icl --out best.mixtura.json
  mixtura select data.csv -k 1..6 --covariance full --criterion blrt --replicates 199
  mixtura select data.csv --criterion cv --csv > table.csv";

/// Compare numbers of components and covariance structures, and say how far the choice can be trusted
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    search: Search,
    /// Model file to write the chosen fit to [default: none]
    #[arg(long, value_name = "FILE")]
    out: Option<String>,
    /// Print the table as CSV, one line per candidate
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
    /// Print nothing but errors (and the table or object, where asked for)
    #[arg(long)]
    quiet: bool,
}

/// The object of `--json`.
#[derive(Serialize)]
struct SelectJson<'a> {
    criterion: &'static str,
    chosen: Cell,
    /// What every criterion at hand would choose.
    choices: Vec<Choice>,
    candidates: &'a [CandidateJson],
    tests: Vec<TestJson>,
    doubts: &'a [String],
    warnings: &'a [String],
}

#[derive(Serialize)]
struct Cell {
    n_components: usize,
    covariance: &'static str,
}

#[derive(Serialize)]
struct Choice {
    criterion: &'static str,
    #[serde(flatten)]
    cell: Cell,
}

#[derive(Serialize)]
struct TestJson {
    n_components: usize,
    covariance: &'static str,
    statistic: Option<f64>,
    p_value: f64,
    replicates: usize,
    exceedances: usize,
}

impl TestJson {
    fn of(test: &LikelihoodRatio) -> Self {
        TestJson {
            n_components: test.n_components,
            covariance: test.structure.name(),
            statistic: finite(test.statistic),
            p_value: test.p_value,
            replicates: test.replicates,
            exceedances: test.exceedances,
        }
    }
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let search = &args.search;
    search.threads.apply()?;
    search.check()?;
    if let Some(path) = &args.out {
        if path == "-" {
            return Err(Failure::usage("the table goes to standard output: give --out a file"));
        }
        output::check_target(path)?;
    }
    let files = args.input.paths_sparing(args.out.as_ref(), &[])?;
    let quiet = args.quiet || args.json || args.csv;
    let mut data = search.read(&files, &args.input.memory)?;
    if !quiet {
        data.announce();
    }
    let selection = search.run(&data, quiet)?;
    let (saved, late) = search.saved(&data, &selection)?;
    data.warnings.extend(late);
    if let Some(path) = &args.out {
        output::write(Some(path), |out| out.write_all(saved.to_json().as_bytes()))?;
    }
    search.done();
    let cells: Vec<CandidateJson> = selection.candidates.iter().map(CandidateJson::of).collect();
    if args.json {
        print_json(&selection, &cells, saved.record.labels.len(), &data.warnings)?;
    } else if args.csv {
        output::print(|out| csv(out, &cells, selection.best))?;
    } else if !args.quiet {
        let mut text = mixtura_report::selection(&selection, saved.record.labels.len());
        if let Some(path) = &args.out {
            text.push_str(&format!("\nModel written to {path} (use it: mixtura predict {path} FILE)\n"));
        }
        output::print(|out| out.write_all(text.as_bytes()))?;
    }
    if interrupt::requested() {
        return Err(Failure::new(INTERRUPTED, format!("interrupted: the table is not complete{}", search.resumable())));
    }
    Ok(())
}

fn print_json(
    selection: &Selection,
    candidates: &[CandidateJson],
    n_labels: usize,
    warnings: &[String],
) -> Result<(), Failure> {
    let cell = |i: usize| {
        let candidate = &selection.candidates[i];
        Cell { n_components: candidate.n_components, covariance: candidate.structure.name() }
    };
    let choice = |c: Criterion| selection.choice(c).map(|i| Choice { criterion: c.name(), cell: cell(i) });
    output::json(&SelectJson {
        criterion: selection.criterion.name(),
        chosen: cell(selection.best),
        choices: Criterion::ALL.into_iter().filter_map(choice).collect(),
        candidates,
        tests: selection.tests.iter().map(TestJson::of).collect(),
        doubts: &mixtura_report::selection_doubts(selection, n_labels),
        warnings,
    })
}

fn csv(out: &mut dyn Write, cells: &[CandidateJson], best: usize) -> io::Result<()> {
    writeln!(
        out,
        "n_components,covariance,log_likelihood,n_free_parameters,bic,icl,aic,aicc,sabic,nec,cv_log_likelihood,cv_standard_error,status,restarts,modes,restarts_at_best,chance_of_better,chosen,note"
    )?;
    for (i, cell) in cells.iter().enumerate() {
        write!(out, "{},{},", cell.n_components, cell.covariance)?;
        let mut line = Vec::new();
        let figures = [
            cell.bic,
            cell.icl,
            cell.aic,
            cell.aicc,
            cell.sabic,
            cell.nec,
            cell.cv_log_likelihood,
            cell.cv_standard_error,
        ];
        figure(&mut line, cell.log_likelihood)?;
        line.extend(cell.n_free_parameters.map_or_else(String::new, |p| p.to_string()).bytes());
        line.push(b',');
        figures.iter().try_for_each(|f| figure(&mut line, *f))?;
        line.extend(format!("{},{},", cell.status.unwrap_or("failed"), cell.restarts).bytes());
        line.extend(format!("{},{},", cell.modes.len(), cell.modes.first().map_or(0, |m| m.count)).bytes());
        figure(&mut line, cell.chance_of_better)?;
        line.extend(format!("{},{}\n", u8::from(i == best), output::csv_name(&cell.note)).bytes());
        out.write_all(&line)?;
    }
    Ok(())
}

/// A number and a comma; nothing before the comma where there is none.
fn figure(line: &mut Vec<u8>, x: Option<f64>) -> io::Result<()> {
    if let Some(x) = x {
        output::number(line, x)?;
    }
    line.push(b',');
    Ok(())
}
