//! Every component in a sentence or two: its share, where it differs from the whole, what rises together in it, and
//! whether it stands apart.

use mixtura::family::Emission;
use mixtura::family::gaussian::Structure;
use mixtura::persist::SavedModel;

use crate::figures::to_unit;

/// Components told one by one.
const MOST_COMPONENTS: usize = 10;
/// Columns named per component.
const MOST_COLUMNS: usize = 3;
/// A mean is high or low from this many of the whole's standard deviations on, and far so from twice as many.
const NOTABLE: f64 = 0.5;
/// A correlation that is worth a word.
const STRONG: f64 = 0.5;
/// Overlaps (between 0 and 1) below which a component stands apart, and from which it blends into another.
const APART: f64 = 0.05;
const BLENDS: f64 = 0.5;

/// One paragraph per component; nothing for a single one, which is the whole.
pub(crate) fn components(model: &SavedModel) -> Vec<String> {
    let bank = model.model.emission();
    if bank.n_components() < 2 {
        return Vec::new();
    }
    let whole = whole(model);
    let shown = bank.n_components().min(MOST_COMPONENTS);
    (0..shown).map(|k| format!("{}{}{}", place(model, &whole, k), together(model, k), neighbour(model, k))).collect()
}

/// How clear-cut the assignment of rows is; `None` where the record does not tell.
pub(crate) fn certainty(model: &SavedModel) -> Option<String> {
    let record = &model.record;
    let term = (record.icl - record.bic) / 2.0;
    let known = model.model.weights().len() > 1 && record.data.total_weight > 0.0 && term.is_finite() && term >= 0.0;
    // A step of distributed EM knows no responsibilities and gives ICL as BIC.
    (known && record.icl != record.bic && record.step.is_none()).then(|| {
        format!(
            "A row belongs to its most probable component with probability {:.3} (geometric mean over the rows).",
            (-term / record.data.total_weight).exp()
        )
    })
}

/// Mean and standard deviation of every column over all components.
pub(crate) fn whole(model: &SavedModel) -> Vec<(f64, f64)> {
    let (bank, weights) = (model.model.emission(), model.model.weights());
    let d = bank.n_features();
    let covariances: Vec<Vec<f64>> = (0..weights.len()).map(|k| bank.covariance(k)).collect();
    (0..d)
        .map(|j| {
            let mean: f64 = weights.iter().enumerate().map(|(k, w)| w * bank.mean(k)[j]).sum();
            // Scaled by the largest deviation, so that squares of any unit stay numbers.
            let parts: Vec<(f64, f64)> =
                (0..weights.len()).map(|k| (bank.mean(k)[j] - mean, covariances[k][j * d + j].sqrt())).collect();
            let scale = parts.iter().map(|(a, b)| a.abs().max(*b)).fold(0.0, f64::max);
            let square = |x: f64| (x / scale) * (x / scale);
            let variance: f64 = weights.iter().zip(&parts).map(|(w, (a, b))| w * (square(*a) + square(*b))).sum();
            (mean, scale * variance.sqrt())
        })
        .collect()
}

/// Share, and the columns in which the component differs most from the whole.
fn place(model: &SavedModel, whole: &[(f64, f64)], k: usize) -> String {
    let (bank, d) = (model.model.emission(), whole.len());
    let covariance = bank.covariance(k);
    let away = |j: usize| (bank.mean(k)[j] - whole[j].0) / whole[j].1;
    let mut columns: Vec<usize> = (0..d).filter(|&j| away(j).abs() >= NOTABLE).collect();
    columns.sort_by(|&a, &b| away(b).abs().total_cmp(&away(a).abs()));
    columns.truncate(MOST_COLUMNS);
    let word = |j: usize| match (away(j) > 0.0, away(j).abs() >= 2.0 * NOTABLE) {
        (true, true) => "very high",
        (true, false) => "high",
        (false, true) => "very low",
        (false, false) => "low",
    };
    let told: Vec<String> = columns
        .iter()
        .map(|&j| {
            let (m, sd) = (bank.mean(k)[j], covariance[j * d + j].sqrt());
            format!("{} {} ({} ± {})", word(j), model.columns[j], to_unit(m, sd), to_unit(sd, sd))
        })
        .collect();
    let label = model.record.labels.get(k).map_or_else(String::new, |l| format!(" ({l})"));
    let told = if told.is_empty() { "near the middle in every column".to_owned() } else { told.join(", ") };
    format!("Component {k}{label}, {:.1} % of the rows: {told}", 100.0 * model.model.weights()[k])
}

/// The strongest correlation within the component.
fn together(model: &SavedModel, k: usize) -> String {
    let bank = model.model.emission();
    let d = bank.n_features();
    if matches!(bank.structure(), Structure::Diag | Structure::Spherical) {
        return String::new();
    }
    let covariance = bank.covariance(k);
    let mut best: Option<(usize, usize, f64)> = None;
    for i in 0..d {
        for j in 0..i {
            let r = covariance[i * d + j] / covariance[i * d + i].sqrt() / covariance[j * d + j].sqrt();
            if r.abs() >= STRONG && best.is_none_or(|(_, _, b)| r.abs() > b.abs()) {
                best = Some((j, i, r));
            }
        }
    }
    best.map_or_else(String::new, |(a, b, r)| {
        let (a, b) = (&model.columns[a], &model.columns[b]);
        let how = if r > 0.0 { format!("{a} and {b} rise together") } else { format!("{a} falls as {b} rises") };
        format!("; {how} (correlation {r:.2})")
    })
}

/// Whether it stands apart from its closest neighbour.
fn neighbour(model: &SavedModel, k: usize) -> String {
    let part = model.record.certificate.components.get(k);
    match part.and_then(|p| Some((p.closest?, p.overlap?))) {
        None => ".".to_owned(),
        Some((_, overlap)) if overlap < APART => ". It stands apart from the others.".to_owned(),
        Some((other, overlap)) if overlap < BLENDS => format!(". It touches component {other} (overlap {overlap:.2})."),
        Some((other, overlap)) => format!(". It blends into component {other} (overlap {overlap:.2})."),
    }
}
