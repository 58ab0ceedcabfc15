//! Standard errors of Gaussian mixtures: computed in standardised columns, told in the data's own units.

use super::{Errors, Method, Stationarity, errors};
use crate::data::Source;
use crate::engine::{Engine, Threads};
use crate::error::{Error, Result};
use crate::family::gaussian::{Gaussian, Structure};
use crate::family::{Emission, Range};
use crate::fit::{Prepared, Prior};
use crate::model::{Identified, Mixture, Posterior};
use crate::seed::Seed;

/// Standard errors of a Gaussian mixture for the rows that it was fitted to, under the prior of the fit where it had one. `columns` (may be empty) name the columns.
///
/// ```
/// use mixtura::{GaussianMixture, data::Dense, infer};
/// let rows = Dense::new(vec![0.1, -0.9, 0.4, 0.9, -0.3, 8.1, 7.2, 8.9, 8.4, 7.7], 1)?;
/// let fit = GaussianMixture::new(2).fit(&rows)?;
/// let errors = infer::gaussian_errors(&fit.model, None, &rows, &[], infer::Method::Louis)?;
/// assert_eq!(errors.names[1], "mean[0][0]");
/// let interval = errors.intervals(0.95)?[1];
/// assert!(interval.low < errors.estimates[1] && errors.estimates[1] < interval.high);
/// # Ok::<(), mixtura::Error>(())
/// ```
///
/// # Errors
/// What has no standard errors (a component on the covariance floor or with too few rows, a saddle, a ridge, a weight at its edge), in
/// one sentence; rows that do not fit the model.
pub fn gaussian_errors(
    model: &Mixture<Gaussian>,
    prior: Option<&Prior>,
    data: &dyn Source,
    columns: &[String],
    method: Method,
) -> Result<Errors> {
    let (prepared, standard) = standardised(model, prior, data, columns)?;
    let why = |why: String| Err(Error::Data(format!("there are no standard errors: {why}")));
    let bank = standard.emission();
    let (k, d, structure) = (standard.weights().len(), prepared.data.n_features(), bank.structure());
    if prepared.floor.n_flat() > 0 {
        return why(format!(
            "the data have no spread in {} of {d} directions; leave out constant columns and those that follow from others",
            prepared.floor.n_flat()
        ));
    }
    if let Some(c) = (0..k).find(|&c| bank.on_floor(c)) {
        return why(format!(
            "component {c} sits on the covariance floor, where the likelihood has no optimum; use fewer components"
        ));
    }
    let (p, n) = (standard.coordinates().len(), prepared.data.total_weight);
    if n < p as f64 {
        return why(format!(
            "{n} rows are fewer than the {p} free parameters; use fewer components or a simpler structure"
        ));
    }
    let mut engine = Threads::new(&prepared.data);
    let counts = engine.expect(&standard, 0..prepared.data.n_chunks(), Posterior::Soft)?.stats.counts;
    let needed = structure.rows_needed(d) as f64;
    if let Some(c) = (0..k).find(|&c| counts[c] <= needed) {
        return why(format!(
            "component {c} rests on {:.1} rows, and its parameters need more than {needed}; use fewer components",
            counts[c]
        ));
    }
    let made = errors(&standard, &prepared.data, method).map_err(|e| rename(e, &standard, columns))?;
    let affine = &prepared.data.affine;
    let scales = [vec![1.0; k - 1], bank.coordinate_scales(affine)].concat();
    let covariance: Vec<f64> = (0..p * p).map(|n| made.covariance[n] * scales[n / p] * scales[n % p]).collect();
    if let Some(i) = (0..p).find(|&i| !covariance[i * p + i].is_normal()) {
        let name = &named(model, columns)[i];
        return Err(Error::Data(format!(
            "the squared standard error of {name} is too {} for a 64-bit number; divide or multiply the column by a power of ten and fit again",
            if covariance[i * p + i] < 1.0 { "small" } else { "large" }
        )));
    }
    Ok(Errors { names: named(model, columns), estimates: model.coordinates(), covariance, ..made })
}

/// What kind of point a Gaussian mixture is for these rows, in standardised columns.
///
/// # Errors
/// As [`Stationarity::of`]; rows that do not fit the model.
pub fn gaussian_stationarity(
    model: &Mixture<Gaussian>,
    prior: Option<&Prior>,
    data: &dyn Source,
    columns: &[String],
) -> Result<Stationarity> {
    let (prepared, standard) = standardised(model, prior, data, columns)?;
    let point = Stationarity::of(&standard, &prepared.data).map_err(|e| rename(e, &standard, columns))?;
    let detail = in_words(&point.detail, &standard, columns);
    let direction = point.direction.iter().map(|d| in_words(d, &standard, columns)).collect();
    Ok(Stationarity { detail, direction, ..point })
}

fn standardised<'a>(
    model: &Mixture<Gaussian>,
    prior: Option<&Prior>,
    data: &'a dyn Source,
    columns: &[String],
) -> Result<(Prepared<'a>, Mixture<Gaussian>)> {
    let bank = model.emission();
    let (rows, of) = (data.n_features(), bank.n_features());
    if rows != of {
        return Err(Error::Data(format!("the rows have {rows} columns, the model has {of}")));
    }
    let spherical = bank.structure() == Structure::Spherical;
    let prepared = Prepared::new(data, columns, spherical, 1, Seed::new(0))?;
    let standard = bank.map(&prepared.data.affine, true)?.with_floor(prepared.floor.clone());
    let standard = model.clone().with_emission(standard);
    let standard = prior.map_or(Ok(standard.clone()), |prior| prior.of(standard, &prepared))?;
    Ok((prepared, standard))
}

/// The names of all coordinates, with those of the columns.
fn named(model: &Mixture<Gaussian>, columns: &[String]) -> Vec<String> {
    let free = model.weights().len() - 1;
    if columns.is_empty() {
        return model.names();
    }
    (0..free).map(|k| format!("weight[{k}]")).chain(model.emission().coordinate_names(columns)).collect()
}

/// A sentence about coordinates, with the names of columns.
fn in_words(sentence: &str, model: &Mixture<Gaussian>, columns: &[String]) -> String {
    let pairs = model.names().into_iter().zip(named(model, columns));
    // Of names none is part of another: each ends with its bracket.
    pairs.fold(sentence.to_owned(), |s, (from, to)| if from == to { s } else { s.replace(&from, &to) })
}

fn rename(error: Error, model: &Mixture<Gaussian>, columns: &[String]) -> Error {
    match error {
        Error::Data(sentence) => Error::Data(in_words(&sentence, model, columns)),
        other => other,
    }
}

type Function<'a> = Box<dyn Fn(&[f64]) -> Vec<f64> + 'a>;

/// Functions of a model's coordinates, by name.
pub(super) struct Functions<'a> {
    pub(super) names: Vec<String>,
    pub(super) ranges: Vec<Range>,
    pub(super) values: Function<'a>,
}

/// What users read of a Gaussian mixture: its coordinates with the last weight among them, then the standard deviations and correlations.
pub(super) fn functions(model: &Mixture<Gaussian>, columns: &[String]) -> Functions<'static> {
    let bank = model.emission();
    let (k, d, structure) = (model.weights().len(), bank.n_features(), bank.structure());
    let numbers: Vec<String> = (0..d).map(|j| j.to_string()).collect();
    let columns = if columns.is_empty() { &numbers } else { columns };
    let (mut names, mut ranges) = (named(model, columns), model.ranges());
    let (start, blocks) = (k - 1 + k * d, structure.n_blocks(k));
    let per_block = (names.len() - start) / blocks;
    names.insert(k - 1, format!("weight[{}]", k - 1));
    ranges.insert(k - 1, Range::Probability);
    // Which coordinates each value is made of: a variance, or a covariance and its two variances.
    let mut made: Vec<(usize, Option<(usize, usize)>)> = Vec::new();
    for b in 0..blocks {
        let of = if structure == Structure::Tied { String::new() } else { format!("[{b}]") };
        let full = matches!(structure, Structure::Full | Structure::Tied);
        let at = |i: usize, j: usize| start + b * per_block + if full { i * (i + 1) / 2 + j } else { i };
        for j in 0..if structure == Structure::Spherical { 1 } else { d } {
            let column = if structure == Structure::Spherical { String::new() } else { format!("[{}]", columns[j]) };
            names.push(format!("sd{of}{column}"));
            ranges.push(Range::Positive);
            made.push((at(j, j), None));
        }
        for (i, j) in (0..d).filter(|_| full).flat_map(|i| (0..i).map(move |j| (i, j))) {
            names.push(format!("correlation{of}[{},{}]", columns[j], columns[i]));
            ranges.push(Range::Correlation);
            made.push((at(i, j), Some((at(i, i), at(j, j)))));
        }
    }
    let values = move |x: &[f64]| {
        let (free, rest) = x.split_at(k - 1);
        let made = made.iter().map(|(c, of)| match of {
            None => x[*c].sqrt(),
            Some((a, b)) => x[*c] / x[*a].sqrt() / x[*b].sqrt(),
        });
        let last = 1.0 - free.iter().sum::<f64>();
        free.iter().copied().chain([last]).chain(rest.iter().copied()).chain(made).collect()
    };
    Functions { names, ranges, values: Box::new(values) }
}
