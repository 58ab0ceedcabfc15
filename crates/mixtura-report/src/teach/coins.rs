//! Coins of unknown bias: which of them was flipped is hidden (Do & Batzoglou 2008).

use mixtura::data::Source;
use mixtura::engine::{Engine, Threads};
use mixtura::family::binomial::Binomial;
use mixtura::model::{FixedWeights, Mixture, MixtureStats, Posterior, Weights};
use mixtura::stats::Trials;
use mixtura::{Error, Result};

use super::{Cell, Entry, Lesson, Request, Shown, Table, climb, components_of, dense, gains, letter, named, own};

pub(super) const COINS: Entry = Entry {
    name: "coins",
    title: "Coins of unknown bias, and nobody wrote down which one was flipped",
    source: "Do & Batzoglou (2008), What is the expectation maximization algorithm?, Nature Biotechnology 26, 897-899",
    data: "heads, flips: one row per set of flips",
    columns: &["heads", "flips"],
    start: "each coin's probability of heads",
    iterations: 10,
    genes: false,
    components: 2,
    run,
};

const HEADS: [f64; 5] = [5.0, 9.0, 8.0, 4.0, 7.0];

fn run(entry: &Entry, request: &Request<'_>) -> Result<Lesson> {
    let own = own(request, &["heads", "flips"])?;
    let values = own.unwrap_or_else(|| HEADS.iter().flat_map(|h| [*h, 10.0]).collect());
    let rows = dense(&values, 2)?;
    Binomial::check(&rows, None, &["heads".to_owned(), "flips".to_owned()])?;
    let k = request.start.map_or(Ok(request.components.unwrap_or(entry.components)), |s| components_of(entry, s, 1))?;
    let start = match request.start {
        Some(start) => start.to_vec(),
        None if request.is_textbook() => vec![0.6, 0.5],
        None => (0..k).map(|c| (k - c) as f64 / (k + 1) as f64).collect(),
    };
    let (coins, weights) = (Binomial::new(start, None)?, vec![1.0 / k as f64; k]);
    let iterations = request.iterations.unwrap_or(entry.iterations);
    let constant = -coefficients(&rows, &values)?;
    let (first_e_step, steps, m_columns) = if request.free_mixing {
        let m = [named("theta", k), named("weight", k)].concat();
        solve(Mixture::new(weights, coins)?, &rows, iterations, constant, m, |model| {
            [model.emission().probabilities(), model.weights()].concat()
        })?
    } else {
        let model = Mixture::of(FixedWeights::new(weights)?, coins)?;
        solve(model, &rows, iterations, constant, named("theta", k), |model| model.emission().probabilities().to_vec())?
    };
    let n = values.len() / 2;
    let data = if request.is_textbook() {
        "5 sets of 10 flips, with 5, 9, 8, 4 and 7 heads.".to_owned()
    } else {
        format!("{n} sets of flips of your own.")
    };
    let mut remarks: Vec<String> = gains(&steps).into_iter().collect();
    if request.is_textbook() && request.free_mixing {
        remarks.push(
            "The paper takes both coins to be picked equally often. With the weights estimated, too, EM goes on to \
             theta 0.7933676 and 0.5139166, weights 0.5227513 and 0.4772487, log-likelihood -31.5686949."
                .into(),
        );
    } else if request.is_textbook() {
        remarks.push(
            "The paper prints 0.80 and 0.52 after 10 iterations (0.7967441 and 0.5196587). That is an early stop, not the \
             maximum, which is 0.7967891 and 0.5195831, log-likelihood -31.5702002: try --iterations 40."
                .into(),
        );
        remarks
            .push("Had somebody written down the coins (B A A B A), counting alone would give 0.80 and 0.45.".into());
    }
    Ok(Lesson {
        lesson: entry.name,
        title: entry.title,
        source: entry.source,
        model: format!(
            "For each set one of {k} coins is picked, {}; theta is a coin's probability of heads. The log-likelihood is that of the \
             sequences of flips, without binomial coefficients.",
            if request.free_mixing { "with unknown probabilities (the weights)" } else { "all equally often" }
        ),
        data,
        e_step: "For each set, how probable each coin is given the heads and the current thetas; the set's heads and tails are \
                 shared out among the coins in that proportion."
            .into(),
        m_step: if request.free_mixing {
            "Each theta becomes the coin's heads divided by its heads and tails, each weight the coin's share of the sets."
        } else {
            "Each theta becomes the coin's heads divided by its heads and tails."
        }
        .into(),
        e_columns: e_columns(k),
        m_columns,
        first_e_step,
        steps,
        remarks,
    })
}

fn e_columns(k: usize) -> Vec<String> {
    (0..k).flat_map(|c| ["heads", "tails"].map(|what| format!("{what}_{}", letter(c)))).collect()
}

type Solved = (Table, Table, Vec<String>);

fn solve<W: Weights>(
    model: Mixture<Binomial, W>,
    rows: &dyn Source,
    iterations: usize,
    constant: f64,
    m: Vec<String>,
    parameters: fn(&Mixture<Binomial, W>) -> Vec<f64>,
) -> Result<Solved> {
    let k = model.emission().probabilities().len();
    let first = first(&model, rows)?;
    let shown = Shown {
        e: e_columns(k),
        m: m.clone(),
        expected: |_, stats: &MixtureStats<Trials>, _| {
            Ok(stats.emission.yes.iter().zip(&stats.emission.no).flat_map(|(yes, no)| [*yes, *no]).collect())
        },
        parameters,
        constant,
    };
    Ok((first, climb(model, rows, iterations, &shown)?, m))
}

/// The table of the paper's figure 1: every set, and how its flips are shared out.
fn first<W: Weights>(model: &Mixture<Binomial, W>, rows: &dyn Source) -> Result<Table> {
    let k = model.emission().probabilities().len();
    let mut table =
        Table::new(["set", "heads", "flips"].map(str::to_owned).into_iter().chain(named("P", k)).chain(e_columns(k)));
    let shares: Vec<(Vec<f64>, Vec<f64>)> = super::gaussian::responsibilities(model, rows)?;
    let mut sums = vec![0.0; 2 * k];
    for (i, (row, shares)) in shares.into_iter().enumerate() {
        let (heads, flips) = (row[0], row[1]);
        let split: Vec<f64> = shares.iter().flat_map(|p: &f64| [p * heads, p * (flips - heads)]).collect();
        sums.iter_mut().zip(&split).filter(|(_, x)| !x.is_nan()).for_each(|(s, x)| *s += x);
        table.push([i as f64 + 1.0, heads, flips].into_iter().chain(shares.iter().copied()).chain(split));
    }
    let mut total = vec![Cell::Text("sum".into())];
    total.resize(3 + k, Cell::Empty);
    total.extend(sums.into_iter().map(Cell::Number));
    table.rows.push(total);
    Ok(table)
}

/// The sum of the sets' log binomial coefficients: what a fair coin's log-likelihood has beside the flips' own.
fn coefficients(rows: &dyn Source, values: &[f64]) -> Result<f64> {
    let fair = Mixture::equal(Binomial::new(vec![0.5], None)?);
    let mut engine = Threads::new(rows);
    let n = Engine::<Mixture<Binomial>>::n_chunks(&engine);
    let log_likelihood = engine.expect(&fair, 0..n, Posterior::Soft)?.log_likelihood;
    let flips: f64 = values.chunks(2).filter(|row| !row[0].is_nan() && !row[1].is_nan()).map(|row| row[1]).sum();
    if flips == 0.0 {
        return Err(Error::Data("no row has a flip: there is nothing to learn from".into()));
    }
    Ok(log_likelihood + flips * std::f64::consts::LN_2)
}
