//! A bivariate normal distribution of which some cells are missing.

use mixtura::data::{Source, for_each_row};
use mixtura::family::gaussian::{Gaussian, Structure};
use mixtura::model::Mixture;
use mixtura::{Error, Result};

use super::{Entry, Lesson, Request, Shown, Table, climb, dense, gains, own, start_of};

pub(super) const MISSING: Entry = Entry {
    name: "missing",
    title: "A bivariate normal distribution with missing cells",
    source: "data of Rubin (1987) in McLachlan & Krishnan (2008), The EM Algorithm and Extensions, section 2.2",
    data: "x, y: one row per pair; empty cells are missing",
    columns: &["x", "y"],
    start: "mean of x, mean of y, variance of x, covariance, variance of y",
    iterations: 20,
    genes: false,
    components: 0,
    run,
};

const X: [f64; 10] = [8.0, 11.0, 16.0, 18.0, 6.0, 4.0, 20.0, 25.0, 9.0, 13.0];
const Y: [f64; 10] = [10.0, 14.0, 16.0, 15.0, 20.0, 4.0, 18.0, 22.0, f64::NAN, f64::NAN];

/// Columns for as many filled cells.
const MOST_FILLED: usize = 6;

fn run(entry: &Entry, request: &Request<'_>) -> Result<Lesson> {
    let textbook = || X.iter().zip(&Y).flat_map(|(x, y)| [*x, *y]).collect::<Vec<f64>>();
    let values = own(request, &["x", "y"])?.unwrap_or_else(textbook);
    let rows = dense(&values, 2)?;
    let start = match request.start {
        Some(start) => {
            start_of(entry, start, 5)?;
            start.to_vec()
        }
        None => observed(&values)?,
    };
    let bank = Gaussian::new(Structure::Full, 2, start[..2].to_vec(), vec![start[2], start[3], start[3], start[4]])?;
    let holes: Vec<(usize, usize)> = values
        .chunks(2)
        .enumerate()
        .filter(|(_, row)| row[0].is_nan() != row[1].is_nan())
        .map(|(i, row)| (i, usize::from(row[1].is_nan())))
        .collect();
    let shown = Shown {
        e: holes.iter().take(MOST_FILLED).map(|(i, j)| format!("{}_{}", ["x", "y"][*j], i + 1)).collect(),
        m: ["mean_x", "mean_y", "var_x", "cov_xy", "var_y"].map(str::to_owned).to_vec(),
        expected: |model: &Mixture<Gaussian>, _, rows| {
            let mut filled = Vec::new();
            for_each_row(rows, |_, row, _, _| filled.extend(fill(model, row).map(|(mean, _)| mean)))?;
            filled.truncate(MOST_FILLED);
            Ok(filled)
        },
        parameters: |model| {
            let (mean, v) = (model.emission().mean(0), model.emission().covariance(0));
            vec![mean[0], mean[1], v[0], v[1], v[3]]
        },
        constant: 0.0,
    };
    let model = Mixture::equal(bank);
    let first_e_step = first(&model, &rows)?;
    let steps = climb(model, &rows, request.iterations.unwrap_or(entry.iterations), &shown)?;
    let mut remarks: Vec<String> = gains(&steps).into_iter().collect();
    if request.is_textbook() {
        remarks.push(
            "Only y is missing, so the maximum has a closed form (Anderson 1957): the regression of y on x in the complete rows, \
             put together with all x. Mean of y 14.615234, variance 26.754056, covariance 20.885156: EM gets there without knowing \
             the formula."
                .into(),
        );
        remarks.push(
            "Filling in the means alone, without the variance around them, would make the variance of y too small: that is the one thing \
             in which EM differs from imputing and counting on."
                .into(),
        );
    } else if holes.is_empty() {
        remarks.push("No pair has exactly one missing cell: the first iteration is already the maximum.".into());
    } else if holes.len() > MOST_FILLED {
        remarks.push(format!("The steps show the first {MOST_FILLED} of {} filled cells.", holes.len()));
    }
    Ok(Lesson {
        lesson: entry.name,
        title: entry.title,
        source: entry.source,
        model: "The pairs (x, y) are normal with unknown means, variances and covariance; cells are missing for reasons that have \
                nothing to do with their values. The log-likelihood is that of the cells that are there."
            .into(),
        data: format!("{} pairs, of which {} lack one of their cells.", values.len() / 2, holes.len()),
        e_step: "Each missing cell is replaced by its mean given the other cell (a regression at the current parameters), and its square \
                 by the square of that mean plus the variance around it."
            .into(),
        m_step: "Means, variances and the covariance are computed as if the table were complete, with those variances added.".into(),
        first_e_step,
        e_columns: shown.e,
        m_columns: shown.m,
        steps,
        remarks,
    })
}

/// Mean and variance of the missing cell of a pair given the other one.
fn fill(model: &Mixture<Gaussian>, row: &[f64]) -> Option<(f64, f64)> {
    let (hole, known) = match (row[0].is_nan(), row[1].is_nan()) {
        (true, false) => (0, 1),
        (false, true) => (1, 0),
        _ => return None,
    };
    let (mean, v) = (model.emission().mean(0), model.emission().covariance(0));
    let slope = v[1] / v[3 * known];
    Some((mean[hole] + slope * (row[known] - mean[known]), v[3 * hole] - slope * v[1]))
}

/// Pairs as they are filled in.
fn first(model: &Mixture<Gaussian>, rows: &dyn Source) -> Result<Table> {
    let mut table = Table::new(["row", "x", "y", "filled", "variance"].map(str::to_owned));
    for_each_row(rows, |i, row, _, _| {
        let (mean, variance) = fill(model, row).unwrap_or((f64::NAN, f64::NAN));
        table.push([i as f64 + 1.0, row[0], row[1], mean, variance]);
    })?;
    Ok(table)
}

/// Means and variances of the observed cells, no covariance.
fn observed(values: &[f64]) -> Result<Vec<f64>> {
    let of = |j: usize| {
        let cells: Vec<f64> = values.chunks(2).map(|row| row[j]).filter(|x| !x.is_nan()).collect();
        let n = cells.len() as f64;
        let mean = cells.iter().sum::<f64>() / n;
        let variance = cells.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n;
        if variance > 0.0 && variance.is_finite() {
            return Ok((mean, variance));
        }
        Err(Error::Data(format!("the variance of column {} is {variance}: it must be positive and finite", j + 1)))
    };
    let (x, y) = (of(0)?, of(1)?);
    Ok(vec![x.0, y.0, x.1, 0.0, y.1])
}
