//! One EM iteration in pieces: an E-step per part of the data, a merge, an M-step, each a function of values that can be
//! written to files, so that any scheduler can spread an iteration over processes or machines.
//!
//! Sufficient statistics are additive (Neal & Hinton 1998, §4), so the pieces make the same iteration as one process.
//! Parts are cut into chunks on their own, so sums are taken in another order than over the whole: results agree to
//! rounding (relative 1e-12), not to the bit. What every part must agree on comes from the model alone: the columns
//! are shifted by the mixture's mean and divided by powers of two next to its standard deviations.
//!
//! ```
//! use mixtura::distributed::{StepOptions, e_step, m_step, merge};
//! use mixtura::persist::{Record, SavedModel};
//! use mixtura::{GaussianMixture, data::Dense};
//!
//! let rows = vec![0.1, -0.2, 0.0, 0.3, 8.1, 7.9, 8.0, 8.2];
//! let model = GaussianMixture::new(2).fit(&Dense::new(&rows[..], 1)?)?.model;
//! let saved = SavedModel { model, columns: vec!["x".into()], record: Record::default() };
//! let a = e_step(&saved, &Dense::new(&rows[..3], 1)?, "a.csv")?;
//! let b = e_step(&saved, &Dense::new(&rows[3..], 1)?, "b.csv")?;
//! let all = merge(vec![("a.json".into(), a), ("b.json".into(), b)], false)?;
//! let next = m_step(&saved, &all, StepOptions::default())?;
//! assert_eq!(next.record.data.n_rows, 8);
//! # Ok::<(), mixtura::Error>(())
//! ```

mod file;
mod fingerprint;
mod step;

pub use fingerprint::model_fingerprint;
pub use step::{StepOptions, m_step};

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::data::{Affine, Buffer, CHUNK_ROWS, Source, for_each_row, power_of_two, rows_fingerprint, standardize_by};
use crate::engine::{Engine, Threads};
use crate::error::{Error, Result};
use crate::family::Emission;
use crate::family::gaussian::{Gaussian, Structure};
use crate::model::{LatentModel, Mixture, MixtureStats, Posterior, Predict};
use crate::persist::SavedModel;
use crate::stats::{Expectation, Moments, Statistic};

/// A piece of the data that went into statistics.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Where its rows came from, as given.
    pub source: String,
    /// [`rows_fingerprint`] of its rows.
    pub fingerprint: String,
    /// Used rows.
    pub n_rows: usize,
    /// Σ case weights.
    pub total_weight: f64,
}

/// What E-steps of one model over some parts of the data made. Made by [`e_step`], [`merge`] and
/// [`Statistics::from_json`] only, so it is always whole.
#[derive(Clone, Debug)]
pub struct Statistics {
    /// [`model_fingerprint`] of the model.
    model: String,
    columns: Vec<String>,
    structure: Structure,
    /// Names of the labels behind the components, where the model has them.
    labels: Vec<String>,
    /// The map to the coordinates of the statistics.
    affine: Affine,
    /// Smallest and largest value of each column, in its own units; `None` where no part has a value.
    ranges: Vec<Option<(f64, f64)>>,
    parts: Vec<Part>,
    /// Statistics in the standardised columns; the log-likelihood is that of the columns' own units.
    expectation: Expectation<MixtureStats<Moments>>,
}

impl Statistics {
    /// Log-likelihood Σ w log p(x) of all parts under the model, nats, in the columns' own units.
    pub fn log_likelihood(&self) -> f64 {
        self.expectation.log_likelihood
    }

    /// Σ case weights of all parts.
    pub fn total_weight(&self) -> f64 {
        self.expectation.weight
    }

    /// Used rows of all parts.
    pub fn n_rows(&self) -> usize {
        self.parts.iter().fold(0, |n, p| n.saturating_add(p.n_rows))
    }

    /// The parts, in an order that does not depend on the order of merging.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Names of the columns.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Σ responsibilities of each component.
    pub fn counts(&self) -> &[f64] {
        &self.expectation.stats.counts
    }

    /// Refuses a model that these are not statistics of, saying what differs as exactly as can be known.
    fn check_model(&self, saved: &SavedModel) -> Result<()> {
        let bank = saved.model.emission();
        self.same("columns", &self.columns.join(", "), &saved.columns.join(", "))?;
        self.same("covariances", self.structure.name(), bank.structure().name())?;
        let k = (self.counts().len().to_string(), bank.n_components().to_string());
        self.same("number of components", &k.0, &k.1)?;
        if self.model != model_fingerprint(saved) {
            return Err(Error::Data(
                "these statistics were made with another model (other parameters): run the E-step with this one".into(),
            ));
        }
        Ok(())
    }

    fn same(&self, what: &str, here: &str, there: &str) -> Result<()> {
        if here == there {
            return Ok(());
        }
        Err(Error::Data(format!(
            "these statistics are of other data or another model: their {what} {} {here}, not {there}",
            if what.ends_with('s') { "are" } else { "is" }
        )))
    }

    /// Refuses what no E-step leaves behind.
    fn check_finite(&self) -> Result<()> {
        let MixtureStats { counts, emission } = &self.expectation.stats;
        let Moments { weight, pivot, first, second, .. } = emission;
        let mut numbers = counts.iter().chain(weight).chain(pivot).chain(first).chain(second);
        let totals = [self.expectation.log_likelihood, self.expectation.weight];
        if numbers.all(|x| x.is_finite()) && totals.iter().all(|x| x.is_finite()) {
            return Ok(());
        }
        Err(Error::Data(
            "the statistics do not fit 64-bit numbers: the rows lie far outside the model, or weights are too large"
                .into(),
        ))
    }
}

/// One E-step of a saved model over one part of the data (`source` names it in files and messages).
///
/// # Errors
/// If the columns do not fit the model, a row's density under it is 0 in 64-bit numbers, or rows cannot be read.
pub fn e_step(saved: &SavedModel, data: &dyn Source, source: &str) -> Result<Statistics> {
    let bank = saved.model.emission();
    let d = bank.n_features();
    if data.n_features() != d || saved.columns.len() != d {
        return Err(Error::Data(format!("the rows have {} columns, the model {d}", data.n_features())));
    }
    let affine = affine_of(&saved.model)?;
    let model = standardised(&saved.model, &affine)?;
    let rows = standardize_by(data, affine.clone())?;
    let mut engine = Threads::new(&rows);
    let chunks = 0..Engine::<Mixture<Gaussian>>::n_chunks(&engine);
    let mut expectation = engine.expect(&model, chunks, Posterior::Soft)?;
    if expectation.log_likelihood == f64::NEG_INFINITY {
        return Err(no_density(&model, &rows)?);
    }
    expectation.log_likelihood += rows.log_jacobian();
    let part = Part {
        source: source.to_owned(),
        fingerprint: rows_fingerprint(data)?,
        n_rows: data.n_rows(),
        total_weight: expectation.weight,
    };
    let statistics = Statistics {
        model: model_fingerprint(saved),
        columns: saved.columns.clone(),
        structure: bank.structure(),
        labels: saved.record.labels.clone(),
        affine,
        ranges: ranges(data)?,
        parts: vec![part],
        expectation,
    };
    statistics.check_finite()?;
    Ok(statistics)
}

/// The statistics of all parts together. The order does not matter, not even for the bits. Names stand for the
/// statistics in messages.
///
/// # Errors
/// If there is nothing to merge, statistics belong to another model or other columns, or, unless `allow_duplicates`, the
/// same rows come twice. Nothing is merged then.
pub fn merge(mut named: Vec<(String, Statistics)>, allow_duplicates: bool) -> Result<Statistics> {
    let Some(((first_name, first), rest)) = named.split_first() else {
        return Err(Error::Usage("there are no statistics to merge".into()));
    };
    for (name, other) in rest {
        let about = |error: Error| Error::Data(format!("{name}: {error} ({first_name})"));
        other.same("columns", &other.columns.join(", "), &first.columns.join(", ")).map_err(about)?;
        other.same("covariances", other.structure.name(), first.structure.name()).map_err(about)?;
        let k = (other.counts().len().to_string(), first.counts().len().to_string());
        other.same("number of components", &k.0, &k.1).map_err(about)?;
        if other.model != first.model || other.affine != first.affine || other.labels != first.labels {
            return Err(Error::Data(format!(
                "{name}: these statistics were made with another model than those of {first_name}: run all E-steps with one"
            )));
        }
    }
    let mut seen: HashMap<&str, &str> = HashMap::new();
    for (name, part) in named.iter().flat_map(|(name, s)| s.parts.iter().map(move |p| (name, p))) {
        if let Some(before) = seen.insert(&part.fingerprint, name).filter(|_| !allow_duplicates) {
            return Err(Error::Data(format!(
                "{name}: the rows of {} are already in {before}: leave one out (or use --allow-duplicates, if the rows do occur twice)",
                part.source
            )));
        }
    }
    let key = |s: &Statistics| s.parts.iter().map(|p| p.fingerprint.clone()).collect::<Vec<_>>();
    named.sort_by_cached_key(|(_, s)| key(s));
    let mut all = named.into_iter().map(|(_, s)| s);
    let mut sum = all.next().expect("there is a first");
    for other in all {
        sum.expectation.merge(&other.expectation);
        sum.parts.extend(other.parts);
        for (range, more) in sum.ranges.iter_mut().zip(other.ranges) {
            *range = match (*range, more) {
                (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
                (one, None) => one,
                (None, one) => one,
            };
        }
    }
    sum.parts.sort_by(|a, b| (&a.fingerprint, &a.source).cmp(&(&b.fingerprint, &b.source)));
    sum.check_finite()?;
    Ok(sum)
}

/// Shift by the mixture's mean, scale by the power of two next to its standard deviation; spherical covariances need one
/// scale for all columns. A function of the parameters alone, of operations that every machine rounds alike.
fn affine_of(model: &Mixture<Gaussian>) -> Result<Affine> {
    let bank = model.emission();
    let (k, d) = (bank.n_components(), bank.n_features());
    let origin = bank.mean(0);
    let mut affine = Affine { shift: origin.to_vec(), scale: vec![1.0; d] };
    let covariances: Vec<Vec<f64>> = (0..k).map(|c| bank.covariance(c)).collect();
    for j in 0..d {
        // About the first mean, so that equal means give exactly their value.
        let step = |c: usize| bank.mean(c)[j] - origin[j];
        let mean: f64 = (0..k).map(|c| model.weights()[c] * step(c)).sum();
        affine.shift[j] += mean;
        let within = (0..k).map(|c| model.weights()[c] * covariances[c][j * d + j]).sum::<f64>();
        // Means may be too far apart for their squares: distances add up as well as variances do.
        let between = (0..k).map(|c| model.weights()[c].sqrt() * (step(c) - mean).abs()).fold(0.0, f64::max);
        affine.scale[j] = power_of_two(within.sqrt().max(between));
    }
    if bank.structure() == Structure::Spherical {
        let largest = affine.scale.iter().copied().fold(0.0, f64::max);
        affine.scale.fill(largest);
    }
    if affine.shift.iter().all(|s| s.is_finite()) {
        return Ok(affine);
    }
    Err(Error::Model("the means lie too far apart for 64-bit numbers".into()))
}

/// The model in standardised columns.
fn standardised(model: &Mixture<Gaussian>, affine: &Affine) -> Result<Mixture<Gaussian>> {
    Mixture::new(model.weights().to_vec(), model.emission().map(affine, true)?)
}

/// Smallest and largest value of each column.
fn ranges(data: &dyn Source) -> Result<Vec<Option<(f64, f64)>>> {
    let mut ranges: Vec<Option<(f64, f64)>> = vec![None; data.n_features()];
    for_each_row(data, |_, row, _, _| {
        for (range, &x) in ranges.iter_mut().zip(row).filter(|(_, x)| !x.is_nan()) {
            *range = Some(range.map_or((x, x), |(low, high)| (low.min(x), high.max(x))));
        }
    })?;
    Ok(ranges)
}

/// The refusal of the first row that has density 0.
fn no_density(model: &Mixture<Gaussian>, rows: &dyn Source) -> Result<Error> {
    let k = model.weights().len();
    let mut scratch = model.scratch();
    let (mut resp, mut log_density) = (vec![0.0; CHUNK_ROWS * k], vec![0.0; CHUNK_ROWS]);
    let mut buffer = Buffer::default();
    for id in 0..rows.n_chunks() {
        let chunk = rows.read(id, &mut buffer)?;
        model.posterior(chunk, &mut scratch, &mut resp, &mut log_density);
        let lost = |l: &f64| *l == f64::NEG_INFINITY;
        if let Some(i) = log_density[..chunk.rows.n_rows()].iter().position(lost) {
            return Ok(Error::Data(format!(
                "the density of row {} (of those with a weight) is 0 in 64-bit numbers, so it belongs to no component: remove the row, or start from a wider model",
                chunk.first_row + i + 1
            )));
        }
    }
    Ok(Error::Data("a labelled row has density 0 in its component: check the labels".into()))
}
