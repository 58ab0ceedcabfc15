//! The M-step of a distributed iteration: statistics of all parts in, the next model with an honest record out.

use mixtura_kernels::cholesky::{at, factor, packed_len};

use super::{Statistics, standardised};
use crate::data::{Affine, constant_scale, power_of_two, text_fingerprint};
use crate::error::{Error, Result};
use crate::family::gaussian::{Floor, Gaussian, Structure};
use crate::family::{Emission, Health};
use crate::fit::StatusKind;
use crate::model::{LatentModel, Mixture, MixtureStats};
use crate::persist::{CertificateRecord, ComponentRecord, DataRecord, Record, SavedModel, StatusRecord, StepRecord};
use crate::stats::{Layout, Moments, Statistic};

/// What is left to the caller of [`m_step`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StepOptions {
    /// Take statistics of other rows or other parts than those of the model's last step.
    pub other_rows: bool,
    /// The model itself counts as rows of this total weight: its own expected statistics join those of the rows. 0 is an
    /// iteration of EM; more is for streams, where each step brings new rows and the model stands for all earlier ones
    /// (online EM, Cappé & Moulines 2009, with step size Σw / (Σw + this)).
    pub model_weight: f64,
}

/// The model after one M-step from statistics of all parts.
///
/// The covariance floor is that of a fit in one process; it is relative to the data's covariance, which the statistics hold
/// (where cells are missing: its expectation under the model, which differs from a fit's own estimate by little, and
/// matters only where a component sits on the floor). The record carries the log-likelihood *before* the step, which
/// the step does not lower, and what it gained over the step before ([`StepRecord`]).
///
/// # Errors
/// If these are statistics of another model, or no valid parameters follow from them; unless `other_rows`, also if the
/// model came from a distributed step over other rows or other parts.
pub fn m_step(saved: &SavedModel, statistics: &Statistics, options: StepOptions) -> Result<SavedModel> {
    let StepOptions { other_rows, model_weight } = options;
    if !(model_weight >= 0.0 && model_weight.is_finite()) {
        return Err(Error::Usage(format!("the model is to count as {model_weight} rows: use a number ≥ 0")));
    }
    statistics.check_model(saved)?;
    let rows = data_fingerprint(statistics);
    // A step that counted the model as rows begins a new series, and is not compared with others.
    let before = saved.record.step.as_ref().filter(|step| model_weight == 0.0 && step.model_weight == 0.0);
    if let Some(step) = before.filter(|step| step.rows != rows && !other_rows) {
        return Err(Error::Data(format!(
            "these statistics are of another data set than the model's last step ({} now, {} then): bring back all parts, or use --other-rows",
            parts(statistics.parts.len(), statistics.n_rows()),
            parts(step.parts, saved.record.data.n_rows),
        )));
    }
    let before = before.filter(|step| step.rows == rows);

    let mut stats = statistics.expectation.stats.clone();
    if model_weight > 0.0 {
        stats.merge(&own_statistics(&standardised(&saved.model, &statistics.affine)?, model_weight));
    }
    let (affine, moments, floor) = coordinates(statistics, stats.emission)?;
    let mut model = standardised(&saved.model, &affine)?;
    let bank = model.emission().clone().with_floor(floor);
    model = model.with_emission(bank);
    let health = model.m_step(&MixtureStats { counts: stats.counts, emission: moments })?;
    let original = model.emission().map(&affine, false)?;
    let model = model.with_emission(original);

    let log_likelihood = statistics.log_likelihood();
    let gain = before.map(|step| log_likelihood - step.log_likelihood);
    // As the stop rule of a fit has it: what the sums of this many terms leave to chance.
    let terms = statistics.total_weight() * saved.columns.len() as f64;
    let rounding = f64::max(1e-15 * terms, 4.0 * f64::EPSILON * log_likelihood.abs());
    let step = StepRecord {
        steps: before.map_or(1, |step| step.steps + 1),
        log_likelihood,
        gain,
        gain_before: before.and_then(|step| step.gain),
        nats_remaining: gain.and_then(|now| remaining(before, now, rounding)),
        parts: statistics.parts.len(),
        rows,
        model_weight,
    };
    let record = record(saved, statistics, &health, step, affine, model.n_free_parameters());
    Ok(SavedModel { model, columns: saved.columns.clone(), record })
}

/// The statistics that rows of this total weight are expected to have under the model: a component's count, mean and
/// covariance are exactly its parameters.
fn own_statistics(model: &Mixture<Gaussian>, weight: f64) -> MixtureStats<Moments> {
    let mut stats = model.empty_stats();
    let d = model.emission().n_features();
    for (k, w) in model.weights().iter().enumerate() {
        let n = weight * w;
        stats.counts[k] = n;
        stats.emission.weight[k] = n;
        let covariance = model.emission().covariance(k);
        let layout = stats.emission.layout;
        let (_, second) = stats.emission.component_mut(k);
        for i in 0..d {
            match layout {
                Layout::Diagonal => second[i] = n * covariance[i * d + i],
                Layout::Full => (0..=i).for_each(|j| second[at(i, j)] = n * covariance[i * d + j]),
            }
        }
    }
    stats
}

/// Aitken's estimate of the nats still to be gained, from three gains of plain EM steps (Böhning et al. 1994), by the slower
/// of the two rates that they show: after a large first gain one rate says nothing. Nothing remains where the gain is rounding.
fn remaining(before: Option<&StepRecord>, now: f64, rounding: f64) -> Option<f64> {
    if now.abs() <= rounding {
        return Some(0.0);
    }
    let (last, earlier) = (before?.gain?, before?.gain_before?);
    let rate = (now / last).max(last / earlier);
    (now > 0.0 && rate > 0.0 && rate < 1.0).then(|| now * rate / (1.0 - rate))
}

fn parts(n_parts: usize, n_rows: usize) -> String {
    format!("{n_rows} rows in {n_parts} part{}", if n_parts == 1 { "" } else { "s" })
}

/// A fingerprint of all parts: that of the only one, else SHA-256 over their fingerprints, sorted, one per line.
fn data_fingerprint(statistics: &Statistics) -> String {
    match &statistics.parts[..] {
        [one] => one.fingerprint.clone(),
        many => text_fingerprint(&many.iter().map(|p| format!("{}\n", p.fingerprint)).collect::<String>()),
    }
}

/// The coordinates in which a fit of the same rows would take its M-step, the moments in them, and the floor: the unit of a
/// column is the power of two next to the standard deviation of the *data*. Powers of two: nothing is rounded.
fn coordinates(statistics: &Statistics, mut moments: Moments) -> Result<(Affine, Moments, Floor)> {
    let d = statistics.columns.len();
    let mut covariance = data_covariance(&moments);
    if covariance.iter().any(|c| !c.is_finite()) {
        return Err(Error::Data("the rows are spread too widely for 64-bit numbers".into()));
    }
    let mut affine = statistics.affine.clone();
    for j in 0..d {
        match statistics.ranges[j] {
            None => {
                let column = &statistics.columns[j];
                return Err(Error::Data(format!(
                    "column '{column}' has no value in any part: nothing can be learned of it"
                )));
            }
            // The rows have one value; a model that counts as rows may have seen others.
            Some((low, high))
                if low == high && is_noise(covariance[at(j, j)], affine.scale[j], constant_scale(low)) =>
            {
                affine.scale[j] = constant_scale(low);
                // Rounding leaves a trace of variance where the data have none.
                (0..d).for_each(|i| covariance[at(i.max(j), i.min(j))] = 0.0);
            }
            Some(_) => affine.scale[j] *= power_of_two(covariance[at(j, j)].sqrt()),
        }
    }
    if statistics.structure == Structure::Spherical {
        let largest = affine.scale.iter().copied().fold(0.0, f64::max);
        affine.scale.fill(largest);
    }
    let ratio: Vec<f64> = (0..d).map(|j| statistics.affine.scale[j] / affine.scale[j]).collect();
    for i in 0..d {
        (0..=i).for_each(|j| covariance[at(i, j)] *= ratio[i] * ratio[j]);
    }
    // Rows have a covariance without negative eigenvalues, up to rounding; numbers that somebody made up may not.
    let mut regular = covariance.clone();
    (0..d).for_each(|i| regular[at(i, i)] += if regular[at(i, i)] > 0.0 { 1e-9 * regular[at(i, i)] } else { 1.0 });
    if factor(&mut regular, d).is_err() {
        return Err(Error::Data("no rows have these statistics: their covariance has a negative eigenvalue".into()));
    }
    let len = moments.layout.len(d);
    for (n, x) in moments.pivot.iter_mut().enumerate() {
        *x *= ratio[n % d];
    }
    for k in 0..moments.weight.len() {
        let layout = moments.layout;
        let (first, second) = moments.component_mut(k);
        (0..d).for_each(|i| first[i] *= ratio[i]);
        match layout {
            Layout::Diagonal => (0..len).for_each(|i| second[i] *= ratio[i] * ratio[i]),
            Layout::Full => {
                for i in 0..d {
                    (0..=i).for_each(|j| second[at(i, j)] *= ratio[i] * ratio[j]);
                }
            }
        }
    }
    Ok((affine, moments, Floor::relative(&covariance, d)))
}

/// Whether a variance, in units of `scale`², is no more than the made-up one of a constant column of size `constant`.
fn is_noise(variance: f64, scale: f64, constant: f64) -> bool {
    variance.sqrt() * scale <= 1e-4 * constant
}

/// Covariance (packed) of all rows together: the moments of all components about one pivot. A diagonal layout knows its
/// diagonal only, and its floor needs no more.
fn data_covariance(moments: &Moments) -> Vec<f64> {
    let (d, len) = (moments.n_features, moments.layout.len(moments.n_features));
    let mut total = Moments::new(moments.layout, d, vec![0.0; d]);
    for k in 0..moments.weight.len() {
        total.merge(&Moments {
            layout: moments.layout,
            n_features: d,
            weight: vec![moments.weight[k]],
            pivot: moments.pivot[k * d..][..d].to_vec(),
            first: moments.first[k * d..][..d].to_vec(),
            second: moments.second[k * len..][..len].to_vec(),
        });
    }
    let (mut mean, mut covariance) = (vec![0.0; d], vec![0.0; len]);
    total.mean_and_covariance(0, &mut mean, &mut covariance);
    if moments.layout == Layout::Full {
        return covariance;
    }
    let mut packed = vec![0.0; packed_len(d)];
    (0..d).for_each(|i| packed[at(i, i)] = covariance[i]);
    packed
}

/// Relative size of the rounding in a log-likelihood that is a sum over rows.
const ROUNDING: f64 = 1e-12;

/// Nats remaining below which a fit counts as converged, as by default everywhere.
const CONVERGED: f64 = 1e-3;

fn record(
    saved: &SavedModel,
    statistics: &Statistics,
    health: &Health,
    step: StepRecord,
    affine: Affine,
    n_free_parameters: usize,
) -> Record {
    let (l, weight, p) = (step.log_likelihood, statistics.total_weight(), n_free_parameters as f64);
    let fall = step.gain.map_or(0.0, |gain| (-gain).max(0.0));
    let earlier = if step.steps > 1 { saved.record.certificate.largest_decrease.unwrap_or(0.0) } else { 0.0 };
    let monotone = (step.steps == 1 || saved.record.certificate.monotone)
        && fall <= ROUNDING * (l.abs() + weight * affine.scale.len() as f64);
    let sick = health.iter().position(|h| h.floor_active || h.empty);
    let settled = step.nats_remaining.is_some_and(|nats| nats < CONVERGED);
    let kind = match sick {
        Some(_) => StatusKind::Degenerate,
        None if settled => StatusKind::Converged,
        None => StatusKind::IterationLimit,
    };
    let trouble = sick.map_or_else(String::new, |k| {
        let what = if health[k].empty { "has no rows left" } else { "sits on the covariance floor" };
        format!("component {k} {what}; ")
    });
    let left = step.nats_remaining.map_or_else(String::new, |nats| format!("; about {nats:.2e} nats remain"));
    let own = match step.model_weight {
        0.0 => String::new(),
        w => format!(" and the model before it, counted as {w} rows"),
    };
    let detail = format!(
        "{trouble}M-step {} of distributed EM, from {}{own}{left}; the log-likelihood and the criteria are those of the parameters before the step, and ICL is given as BIC",
        step.steps,
        parts(step.parts, statistics.n_rows())
    );
    let component = |k: usize| ComponentRecord {
        effective_count: statistics.counts()[k],
        condition_number: None,
        spike: false,
        floor_active: health[k].floor_active,
        closest: None,
        overlap: None,
    };
    let bic = -2.0 * l + p * weight.ln();
    Record {
        prior: None,
        created_by: concat!("mixtura ", env!("CARGO_PKG_VERSION")).to_owned(),
        seed: saved.record.seed,
        data: DataRecord {
            source: statistics.parts.iter().map(|p| p.source.as_str()).collect::<Vec<_>>().join(", "),
            n_rows: statistics.n_rows(),
            total_weight: weight,
            fingerprint: step.rows.clone(),
            shift: affine.shift,
            scale: affine.scale,
        },
        labels: saved.record.labels.clone(),
        log_likelihood: l,
        bic,
        icl: bic,
        aic: -2.0 * l + 2.0 * p,
        n_free_parameters,
        iterations: step.steps,
        status: StatusRecord { kind: kind.name().to_owned(), detail },
        certificate: CertificateRecord {
            monotone,
            largest_decrease: Some(earlier.max(fall)),
            nats_remaining: step.nats_remaining,
            components: (0..health.len()).map(component).collect(),
            ..CertificateRecord::default()
        },
        step: Some(step),
    }
}
