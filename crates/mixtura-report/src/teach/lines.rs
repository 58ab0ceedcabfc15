//! Two lines through one cloud of points: a mixture of regressions.

use mixtura::data::Source;
use mixtura::engine::{Engine, Threads};
use mixtura::family::linear::Linear;
use mixtura::model::{LatentModel, Mixture, Posterior};
use mixtura::{Error, Result};

use super::gaussian::first_e_step;
use super::{Entry, Lesson, Request, Shown, climb, csv, dense, gains, letter, named, own_all, start_of};

pub(super) const LINES: Entry = Entry {
    name: "lines",
    title: "Two lines through one cloud of points",
    source: "the problem of Weiss's EM tutorial (Perception Group, MIT, 1997) with data of our own; DeSarbo & Cron (1988), J. Classif. 5",
    data: "x, y: covariates, then the response",
    columns: &[],
    start: "intercept and slopes of the first line, of the second, then the standard deviation of the noise of both",
    iterations: 15,
    genes: false,
    components: 0,
    run,
};

fn run(entry: &Entry, request: &Request<'_>) -> Result<Lesson> {
    let textbook = (["x".to_owned(), "y".to_owned()], csv(include_str!("data/lines.csv")));
    let (columns, values) = own_all(request, 2)?.unwrap_or((&textbook.0, &textbook.1));
    let (d, p) = (columns.len(), columns.len() - 1);
    let rows = dense(values, d)?;
    let start = match request.start {
        Some(start) => {
            start_of(entry, start, 2 * d + 1)?;
            start.to_vec()
        }
        None if request.is_textbook() => vec![0.0, 1.0, 8.0, 0.0, 2.0],
        None => both_sides(&rows, p)?,
    };
    let (sd, lines) = (start[2 * d], &start[..2 * d]);
    if sd <= 0.0 {
        return Err(Error::Usage(format!("the standard deviation of the start is {sd}: it must be positive")));
    }
    let model = Mixture::equal(Linear::new(true, p, lines.to_vec(), vec![sd * sd; 2])?);
    let coefficients = |c: usize| {
        let slope = |j: usize| if p == 1 { "slope".to_owned() } else { format!("slope_{}", columns[j]) };
        let names = ["intercept".to_owned()].into_iter().chain((0..p).map(slope));
        names.map(move |name| format!("{name}_{}", letter(c))).collect::<Vec<_>>()
    };
    let shown = Shown {
        e: named("n", 2),
        m: [named("weight", 2), coefficients(0), coefficients(1), named("sd", 2)].concat(),
        expected: |_: &Mixture<Linear>, stats, _| Ok(stats.counts.clone()),
        parameters: |model| {
            let bank = model.emission();
            let sds = vec![bank.variance(0).sqrt(), bank.variance(1).sqrt()];
            [model.weights().to_vec(), bank.coefficients(0), bank.coefficients(1), sds].concat()
        },
        constant: 0.0,
    };
    let names: Vec<&str> = columns.iter().map(String::as_str).collect();
    let first = first_e_step(&model, &rows, &names)?;
    let steps = climb(model, &rows, request.iterations.unwrap_or(entry.iterations), &shown)?;
    let mut remarks: Vec<String> = gains(&steps).into_iter().collect();
    if request.is_textbook() {
        remarks.push(
            "The points were made with the lines 2 + 1.5 x and 10 - x and noise of 0.6. EM first gains \
             little (iterations 2 to 4) and then parts the lines within a few: how slow it is does not say how near it is."
                .into(),
        );
    }
    let n = rows.n_rows();
    Ok(Lesson {
        lesson: entry.name,
        title: entry.title,
        source: entry.source,
        model: format!(
            "Each row lies on one of two lines, up to normal noise: {} = intercept + slope x + noise. Which line is hidden. The \
             log-likelihood is that of {0} given the covariates.",
            columns[p]
        ),
        data: if request.is_textbook() { format!("{n} points.") } else { format!("{n} rows of your own.") },
        e_step: "For every row, how probable each line is given the row's residuals from both (the responsibilities P); n is their sum."
            .into(),
        m_step: "Each line is fitted anew by least squares, each row counting as much as its responsibility; weights and noise follow."
            .into(),
        first_e_step: first,
        e_columns: shown.e,
        m_columns: shown.m,
        steps,
        remarks,
    })
}

/// The line of all rows, once moved up and once down by the standard deviation of its residuals.
fn both_sides(rows: &dyn Source, p: usize) -> Result<Vec<f64>> {
    // One M-step with a single component is ordinary least squares.
    let mut all = Mixture::equal(Linear::new(true, p, vec![0.0; p + 1], vec![1.0])?);
    let mut engine = Threads::new(rows);
    let n = Engine::<Mixture<Linear>>::n_chunks(&engine);
    let stats = engine.expect(&all, 0..n, Posterior::Soft)?.stats;
    let no_line = "one line goes through all rows: there is nothing to tell apart";
    all.m_step(&stats).map_err(|_| Error::Data(no_line.into()))?;
    let (line, sd) = (all.emission().coefficients(0), all.emission().variance(0).sqrt());
    if sd.is_nan() || sd <= 0.0 {
        return Err(Error::Data(no_line.into()));
    }
    let moved = |by: f64| [vec![line[0] + by], line[1..].to_vec()].concat();
    Ok([moved(sd), moved(-sd), vec![sd]].concat())
}
