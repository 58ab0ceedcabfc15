//! Lifetimes of which some are known only to be longer than the test: a censored extreme-value distribution.

use mixtura::model::censored::{CensoredExtremeValue, Sample};
use mixtura::{Error, Result};

use super::{Cell, Entry, Lesson, Request, Table, climb, gains, own, start_of};

pub(super) const CENSORED: Entry = Entry {
    name: "censored",
    title: "Lifetimes with units taken out of the test before they fail",
    source: "Nelson (1982), Applied Life Data Analysis (insulating fluid at 34 kV), censored by Viveros & Balakrishnan (1994), Technometrics 36; \
             Ng, Chan & Balakrishnan (2002), Comput. Stat. Data Anal. 39",
    data: "value, removed: log lifetime of each failure, and how many units left the test then",
    columns: &["value", "removed"],
    start: "mu, sigma",
    iterations: 165,
    genes: false,
    components: 0,
    run,
};

const LOG_MINUTES: [f64; 8] = [-1.6608, -0.2485, -0.0409, 0.27, 1.0224, 1.5789, 1.8718, 1.9947];
const REMOVED: [f64; 8] = [0.0, 0.0, 3.0, 0.0, 3.0, 0.0, 0.0, 5.0];

/// Columns for as many distinct times of censoring.
const MOST_SHOWN: usize = 5;

fn run(entry: &Entry, request: &Request<'_>) -> Result<Lesson> {
    let textbook = || LOG_MINUTES.iter().zip(&REMOVED).flat_map(|(y, n)| [*y, *n]).collect::<Vec<f64>>();
    let cells = own(request, &["value", "removed"])?.unwrap_or_else(textbook);
    let values: Vec<f64> = cells.chunks(2).map(|row| row[0]).collect();
    let removed: Vec<u32> = cells.chunks(2).enumerate().map(|(i, row)| whole(i, row[1])).collect::<Result<_>>()?;
    if let Some(i) = values.iter().position(|y| !y.is_finite()) {
        return Err(Error::Data(format!("row {}: the log lifetime is missing: every row is a failure", i + 1)));
    }
    let sample = Sample::progressive(&values, &removed)?;
    let (shift, scale) = (sample.shift(), sample.scale());
    let start = match request.start {
        Some(start) => {
            start_of(entry, start, 2)?;
            start.to_vec()
        }
        None if request.is_textbook() => vec![1.4127, 0.7912],
        None => {
            let start = CensoredExtremeValue::start(&sample).in_units(&sample);
            vec![start.mu(), start.sigma()]
        }
    };
    let start = CensoredExtremeValue::new(start[0], start[1])?;
    let model = CensoredExtremeValue::new((start.mu() - shift) / scale, start.sigma() / scale)?;
    let mut times: Vec<f64> = values.iter().zip(&removed).filter(|(_, n)| **n > 0).map(|(y, _)| *y).collect();
    times.sort_by(f64::total_cmp);
    times.dedup();
    times.truncate(MOST_SHOWN);
    let shown = super::Shown {
        e: Vec::new(),
        m: vec!["mu".into(), "sigma".into()],
        expected: |_: &CensoredExtremeValue, _, _| Ok(Vec::new()),
        parameters: |model| vec![model.mu(), model.sigma()],
        constant: sample.log_jacobian(),
    };
    let plain = climb(model, sample.rows(), request.iterations.unwrap_or(entry.iterations), &shown)?;
    let (mut steps, e_columns) = (Table::new([]), times.iter().map(|t| format!("beyond_{t}")).collect::<Vec<_>>());
    steps.columns = [&["iteration".to_owned()][..], &e_columns, &shown.m, &["log_likelihood".to_owned()]].concat();
    let mut before: Option<CensoredExtremeValue> = None;
    for (mu, (sigma, row)) in plain.numbers("mu").iter().zip(plain.numbers("sigma").iter().zip(&plain.rows)) {
        // Back to the data's unit, in which the lifetimes are expected.
        let model = CensoredExtremeValue::new(mu * scale + shift, sigma * scale)?;
        let mut cells = vec![row[0].clone()];
        for &time in &times {
            let expected = before.map(|m| m.completed(time, f64::INFINITY)).transpose()?;
            cells.push(expected.map_or(Cell::Empty, |(mean, _)| Cell::Number(mean)));
        }
        cells.extend([Cell::Number(model.mu()), Cell::Number(model.sigma()), row[3].clone()]);
        steps.rows.push(cells);
        before = Some(model);
    }
    let mut remarks: Vec<String> = gains(&steps).into_iter().collect();
    if request.is_textbook() {
        remarks.push(
            "The paper's limit, 2.22196 and 1.02638, is the maximum: mu = 2.22196017, sigma = 1.02638077. EM needs 162 iterations until \
             nothing moves by 1e-9, because 11 of the 19 units are censored: the more is hidden, the smaller its steps."
                .into(),
        );
        remarks.push(
            "The start is the estimate that takes censored units for failures. These are no normal lifetimes: exp(y) has a Weibull \
             distribution of shape 1/sigma = 0.974 and scale exp(mu) = 9.225 minutes."
                .into(),
        );
    }
    Ok(Lesson {
        lesson: entry.name,
        title: entry.title,
        source: entry.source,
        model: "Log lifetimes y have the smallest-extreme-value distribution: z = (y - mu)/sigma has the density exp(z - exp(z)). Of a unit \
                taken out of the test it is only known that it would have lasted longer."
            .into(),
        data: format!(
            "{} failures; {} units taken out before they failed.",
            values.len(),
            removed.iter().map(|n| u64::from(*n)).sum::<u64>()
        ),
        e_step: "For every censored unit the distribution of its log lifetime beyond the time of censoring, at the current mu and sigma; \
                 beyond_t is its mean. The M-step for sigma needs more than means: E[exp(y/s)] for every s, so EM keeps the whole \
                 distribution (an M-step that uses the means alone is no EM)."
            .into(),
        m_step: "Mu and sigma become those that make the completed sample most probable: one equation for sigma, solved by Newton's method, \
                 then mu."
            .into(),
        first_e_step: first(&start, &values, &removed)?,
        e_columns,
        m_columns: shown.m,
        steps,
        remarks,
    })
}

fn whole(row: usize, n: f64) -> Result<u32> {
    if n >= 0.0 && n.fract() == 0.0 && n <= f64::from(u32::MAX) {
        return Ok(n as u32);
    }
    Err(Error::Data(format!("row {}: the number of removed units is {n}: write a whole number, 0 or more", row + 1)))
}

/// Failures, removals, and what the E-step puts in the place of these.
fn first(model: &CensoredExtremeValue, values: &[f64], removed: &[u32]) -> Result<Table> {
    let mut table = Table::new(["row", "value", "removed", "expected_y", "expected_exp_z"].map(str::to_owned));
    for (i, (&y, &n)) in values.iter().zip(removed).enumerate() {
        let (mean, power) = if n > 0 { model.completed(y, f64::INFINITY)? } else { (f64::NAN, f64::NAN) };
        table.push([i as f64 + 1.0, y, f64::from(n), mean, power]);
    }
    Ok(table)
}
