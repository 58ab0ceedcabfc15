//! Gaussian mixtures in one and two dimensions.

use mixtura::data::Source;
use mixtura::family::Emission;
use mixtura::family::gaussian::{Gaussian, Structure};
use mixtura::model::{Mixture, Predict, Weights, kmeans, posteriors};
use mixtura::{Error, Result, Seed};

use super::{Entry, Lesson, Request, Shown, Table, climb, components_of, csv, dense, gains, letter, named, own};

pub(super) const ONE: Entry = Entry {
    name: "gmm1d",
    title: "A Gaussian mixture in one dimension",
    source: "the data and start of a tutorial of python-course.eu, Expectation Maximization and Gaussian Mixture Models",
    data: "x: one row per value",
    columns: &["x"],
    start: "each component's mean, then each one's standard deviation",
    iterations: 10,
    genes: false,
    components: 2,
    run: one,
};

pub(super) const TWO: Entry = Entry {
    name: "gmm2d",
    title: "A Gaussian mixture in two dimensions",
    source: "the data and start of kenmatsu4's notebook on EM (Qiita, 2015)",
    data: "x, y: one row per point",
    columns: &["x", "y"],
    start: "each component's mean: x and y of the first, of the second, ...",
    iterations: 24,
    genes: false,
    components: 2,
    run: two,
};

/// Every used row with its responsibilities.
pub(super) fn responsibilities<E: Emission, W: Weights>(
    model: &Mixture<E, W>,
    rows: &dyn Source,
) -> Result<Vec<(Vec<f64>, Vec<f64>)>> {
    let k = Predict::n_components(model);
    let of_chunks = posteriors(model, rows, 0..rows.n_chunks(), |chunk, shares, _| {
        Ok((0..chunk.rows.n_rows())
            .map(|i| (chunk.rows.row(i).to_vec(), shares[i * k..][..k].to_vec()))
            .collect::<Vec<_>>())
    })?;
    Ok(of_chunks.concat())
}

/// The first E-step: rows and their responsibilities.
pub(super) fn first_e_step<E: Emission, W: Weights>(
    model: &Mixture<E, W>,
    rows: &dyn Source,
    columns: &[&str],
) -> Result<Table> {
    let k = Predict::n_components(model);
    let names = ["row"].iter().chain(columns).map(|c| (*c).to_owned());
    let mut table = Table::new(names.chain(named("P", k)));
    for (i, (row, shares)) in responsibilities(model, rows)?.into_iter().enumerate() {
        table.push([i as f64 + 1.0].into_iter().chain(row).chain(shares));
    }
    Ok(table)
}

const E_STEP: &str = "For every row, how probable each component is given the row and the current parameters (the responsibilities P); \
                      n is their sum, each component's effective count.";
const M_STEP: &str = "Weights become the shares of the effective counts; means and variances those of the rows, each row counting as \
                      much as its responsibility.";

fn one(entry: &Entry, request: &Request<'_>) -> Result<Lesson> {
    let values = own(request, &["x"])?.unwrap_or_else(|| csv(include_str!("data/gmm1d.csv")));
    let rows = dense(&values, 1)?;
    let (means, sds) = match request.start {
        Some(start) => {
            let k = components_of(entry, start, 2)?;
            if let Some(bad) = start[k..].iter().find(|s| **s <= 0.0) {
                return Err(Error::Usage(format!("a standard deviation of the start is {bad}: it must be positive")));
            }
            (start[..k].to_vec(), start[k..].to_vec())
        }
        None if request.is_textbook() => (vec![-8.0, 8.0, 5.0], vec![5_f64.sqrt(), 3_f64.sqrt(), 1.0]),
        None => {
            let k = request.components.unwrap_or(entry.components);
            // Refuses what has no quantiles, too.
            let sd = spread(&values, 1)?[0].sqrt();
            let mut sorted: Vec<f64> = values.iter().copied().filter(|x| !x.is_nan()).collect();
            sorted.sort_by(f64::total_cmp);
            let means = (0..k).map(|c| sorted[(2 * c + 1) * sorted.len() / (2 * k)]);
            (means.collect(), vec![sd; k])
        }
    };
    let k = means.len();
    let bank = Gaussian::new(Structure::Full, 1, means, sds.iter().map(|s| s * s).collect())?;
    let model = Mixture::equal(bank);
    let shown = Shown {
        e: named("n", k),
        m: [named("weight", k), named("mean", k), named("sd", k)].concat(),
        expected: |_: &Mixture<Gaussian>, stats, _| Ok(stats.counts.clone()),
        parameters: |model| {
            let (bank, weights) = (model.emission(), model.weights());
            let of = |f: &dyn Fn(usize) -> f64| (0..weights.len()).map(f).collect::<Vec<_>>();
            [weights.to_vec(), of(&|c| bank.mean(c)[0]), of(&|c| bank.covariance(c)[0].sqrt())].concat()
        },
        constant: 0.0,
    };
    let first = first_e_step(&model, &rows, &["x"])?;
    let steps = climb(model, &rows, request.iterations.unwrap_or(entry.iterations), &shown)?;
    let mut remarks: Vec<String> = gains(&steps).into_iter().collect();
    if request.is_textbook() {
        remarks.push(
            "The tutorial starts from scales 5, 3 and 1 and takes them for variances in one place and for standard deviations in \
             another; its program never stores the new variances either, so its figures after ten iterations (means -14.677, 14.944 \
             and -0.023) are no EM. This lesson takes the scales for variances."
                .into(),
        );
        remarks.push(
            "Taken for standard deviations, --start=-8,8,5,5,3,1, EM ends in another, lower maximum (log-likelihood -216.098 \
             instead of -186.141), with one narrow component on about two values: where EM ends depends on its start."
                .into(),
        );
    }
    let n = values.len();
    Ok(Lesson {
        lesson: entry.name,
        title: entry.title,
        source: entry.source,
        model: format!(
            "A value comes from one of {k} normal distributions, picked with the weights; which one is hidden."
        ),
        data: if request.is_textbook() {
            format!("{n} values, 20 each around 15, -15 and 0.")
        } else {
            format!("{n} values of your own.")
        },
        e_step: E_STEP.into(),
        m_step: M_STEP.into(),
        first_e_step: first,
        e_columns: shown.e,
        m_columns: shown.m,
        steps,
        remarks,
    })
}

/// Variance of every column; none may be 0.
fn spread(values: &[f64], d: usize) -> Result<Vec<f64>> {
    let column = |j: usize| values[j..].iter().step_by(d).copied().filter(|x| !x.is_nan());
    (0..d)
        .map(|j| {
            let n = column(j).count() as f64;
            let mean = column(j).sum::<f64>() / n;
            let variance = column(j).map(|x| (x - mean) * (x - mean)).sum::<f64>() / n;
            if variance > 0.0 && variance.is_finite() {
                return Ok(variance);
            }
            Err(Error::Data(format!(
                "the variance of column {} is {variance}: it must be positive and finite, or there is nothing to tell apart",
                j + 1
            )))
        })
        .collect()
}

fn two(entry: &Entry, request: &Request<'_>) -> Result<Lesson> {
    let values = own(request, &["x", "y"])?.unwrap_or_else(|| csv(include_str!("data/gmm2d.csv")));
    let rows = dense(&values, 2)?;
    let printed = [
        [2.234_617_344_756_862_7, 0.212_752_079_350_124_08],
        [0.603_098_000_192_456_6, 0.328_350_385_860_267_2],
        [-0.331_654_083_965_693_96, 0.211_294_263_392_685_42],
    ];
    let means = match request.start {
        Some(start) => {
            components_of(entry, start, 2)?;
            start.to_vec()
        }
        None if request.is_textbook() => printed.concat(),
        None => {
            let k = request.components.unwrap_or(entry.components);
            kmeans::plus_plus(&rows, k, Vec::new(), &mut Seed::new(0).rng())?
        }
    };
    let k = means.len() / 2;
    let variances = if request.is_textbook() { vec![0.1, 0.1] } else { spread(&values, 2)? };
    let covariances: Vec<f64> = [variances[0], 0.0, 0.0, variances[1]].repeat(k);
    let model = Mixture::equal(Gaussian::new(Structure::Full, 2, means, covariances)?);
    let m = (0..k).flat_map(|c| {
        ["weight", "mean_x", "mean_y", "var_x", "cov_xy", "var_y"].map(|name| format!("{name}_{}", letter(c)))
    });
    let shown = Shown {
        e: named("n", k),
        m: m.collect(),
        expected: |_: &Mixture<Gaussian>, stats, _| Ok(stats.counts.clone()),
        parameters: |model| {
            let of = |c: usize| {
                let (mean, v) = (model.emission().mean(c), model.emission().covariance(c));
                [model.weights()[c], mean[0], mean[1], v[0], v[1], v[3]]
            };
            (0..model.weights().len()).flat_map(of).collect()
        },
        constant: 0.0,
    };
    let first = first_e_step(&model, &rows, &["x", "y"])?;
    let steps = climb(model, &rows, request.iterations.unwrap_or(entry.iterations), &shown)?;
    let mut remarks: Vec<String> = gains(&steps).into_iter().collect();
    if request.is_textbook() {
        remarks.push(
            "The notebook prints the weights 0.37425622, 0.47734472 and 0.14839906 after the first iteration and 0.31078861, 0.29328196 \
             and 0.39592942 after 24. What it prints as log-likelihood (-38831.30) sums the logarithms of every component's density: \
             that is none, it is -393.605."
                .into(),
        );
    }
    let n = values.len() / 2;
    Ok(Lesson {
        lesson: entry.name,
        title: entry.title,
        source: entry.source,
        model: format!(
            "A point comes from one of {k} normal distributions, each with a mean and a covariance matrix, picked with the weights; \
             which one is hidden."
        ),
        data: if request.is_textbook() {
            format!("{n} points of three long clouds that touch each other.")
        } else {
            format!("{n} points of your own.")
        },
        e_step: E_STEP.into(),
        m_step: "Weights become the shares of the effective counts; means and covariances those of the points, each point counting as \
                 much as its responsibility."
            .into(),
        first_e_step: first,
        e_columns: shown.e,
        m_columns: shown.m,
        steps,
        remarks,
    })
}
