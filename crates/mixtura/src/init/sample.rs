//! The rows that starts are made from: all of them, or a systematic sample by cumulative weight, completed where
//! cells are missing.

use std::borrow::Cow;

use mixtura_kernels::cholesky::{at, packed_len};
use rand::RngExt;

use super::{SampleRows, Space};
use crate::data::{Dense, Source, Standardized, for_each_row};
use crate::error::Result;
use crate::family::gaussian::Gaussian;
use crate::seed::Seed;

/// Most rows that starts look at. A start needs to find the components, not to estimate them: with 16,384 rows even a
/// component of weight 1 % shows some 160 rows.
const SAMPLE_ROWS: usize = 16_384;

/// A sample in standardised columns.
#[derive(Debug)]
pub(crate) struct Sample {
    /// The sampled rows with their missing cells, weights and labels: what short EM runs see.
    pub(crate) rows: Dense<'static>,
    /// Whether these are all rows.
    pub(crate) whole: bool,
    pub(crate) total_weight: f64,
    n_features: usize,
    weights: Vec<f64>,
    labels: Vec<i32>,
    /// Missing cells replaced by their conditional mean under one Gaussian, whitened by it.
    whitened: Vec<f64>,
    completed: Vec<f64>,
    /// Relative scale of the original columns.
    scale: Vec<f64>,
}

impl Sample {
    /// Draws the sample; `reference` is the single Gaussian of all rows.
    pub(crate) fn new(data: &Standardized<'_>, reference: &Gaussian, seed: Seed) -> Result<Self> {
        let d = data.n_features();
        let whole = data.n_rows() <= SAMPLE_ROWS;
        let step = data.total_weight / SAMPLE_ROWS as f64;
        let mut mark = seed.rng().random::<f64>() * step;
        let (mut values, mut weights, mut labels) = (Vec::new(), Vec::new(), Vec::new());
        let mut sum = 0.0;
        for_each_row(data, |_, row, w, label| {
            sum += w;
            let mut count = 0.0;
            while !whole && mark < sum {
                count += 1.0;
                mark += step;
            }
            if whole || count > 0.0 {
                values.extend_from_slice(row);
                weights.push(if whole { w } else { count });
                labels.push(label.map_or(-1, |l| l as i32));
            }
        })?;
        let mut completed = values.clone();
        let mut whitened = vec![0.0; values.len()];
        reference.complete_rows(0, &mut completed);
        let inverse = reference.whitening(0);
        for (row, out) in completed.chunks(d).zip(whitened.chunks_mut(d)) {
            for i in 0..d {
                out[i] = (0..=i).map(|j| inverse[at(i, j)] * (row[j] - reference.mean(0)[j])).sum();
            }
        }
        debug_assert_eq!(inverse.len(), packed_len(d));
        let largest = data.affine.scale.iter().copied().fold(0.0, f64::max);
        Ok(Sample {
            rows: with_what_counts(values, d, &weights, &labels)?,
            whole,
            total_weight: weights.iter().sum(),
            n_features: d,
            weights,
            labels,
            whitened,
            completed,
            scale: data.affine.scale.iter().map(|s| s / largest).collect(),
        })
    }

    /// About `most` of these rows, evenly by weight; `None` where that would leave out less than half.
    pub(crate) fn thinned(&self, most: usize, seed: Seed) -> Result<Option<Self>> {
        let (n, d) = (self.weights.len(), self.n_features);
        if n < 2 * most {
            return Ok(None);
        }
        let step = self.total_weight / most as f64;
        let mut mark = seed.rng().random::<f64>() * step;
        let (mut chosen, mut weights, mut sum) = (Vec::new(), Vec::new(), 0.0);
        for (i, w) in self.weights.iter().enumerate() {
            sum += w;
            // A row of much weight is chosen more than once.
            let count = if mark < sum { ((sum - mark) / step).floor() + 1.0 } else { 0.0 };
            if count > 0.0 {
                chosen.push(i);
                weights.push(count);
                mark += count * step;
            }
        }
        let take = |from: &[f64]| -> Vec<f64> { chosen.iter().flat_map(|i| &from[i * d..][..d]).copied().collect() };
        let labels: Vec<i32> = chosen.iter().map(|i| self.labels[*i]).collect();
        let mut values = Vec::with_capacity(chosen.len() * d);
        for_each_row(&self.rows, |i, row, _, _| {
            if chosen.binary_search(&i).is_ok() {
                values.extend_from_slice(row);
            }
        })?;
        Ok(Some(Sample {
            rows: with_what_counts(values, d, &weights, &labels)?,
            whole: false,
            total_weight: weights.iter().sum(),
            n_features: d,
            whitened: take(&self.whitened),
            completed: take(&self.completed),
            weights,
            labels,
            scale: self.scale.clone(),
        }))
    }

    /// The completed rows in the given coordinates.
    pub(crate) fn view(&self, space: Space) -> SampleRows<'_> {
        let values: Cow<'_, [f64]> = match space {
            Space::Whitened => Cow::Borrowed(&self.whitened),
            Space::Standardized => Cow::Borrowed(&self.completed),
            Space::Original => {
                let scaled = self.completed.chunks(self.n_features);
                Cow::Owned(scaled.flat_map(|row| row.iter().zip(&self.scale).map(|(x, s)| x * s)).collect())
            }
        };
        Dense::new(values, self.n_features)
            .and_then(|rows| rows.with_weights(&self.weights[..]))
            .expect("completed rows are finite and their weights positive")
    }

    /// Centres of the labelled components, in label order; nothing beyond the first component without a label.
    pub(crate) fn label_centers(&self, rows: &SampleRows<'_>, k: usize) -> Result<Vec<f64>> {
        let d = self.n_features;
        let (mut sums, mut counts) = (vec![0.0; k * d], vec![0.0; k]);
        for_each_row(rows, |i, row, w, _| {
            if let Some(c) = usize::try_from(self.labels[i]).ok().filter(|c| *c < k) {
                counts[c] += w;
                row.iter().enumerate().for_each(|(j, x)| sums[c * d + j] += w * x);
            }
        })?;
        let known = counts.iter().take_while(|n| **n > 0.0).count();
        sums.truncate(known * d);
        sums.iter_mut().enumerate().for_each(|(i, s)| *s /= counts[i / d]);
        Ok(sums)
    }
}

/// Rows with weights and labels only where those say something: E-steps are faster without.
fn with_what_counts(values: Vec<f64>, d: usize, weights: &[f64], labels: &[i32]) -> Result<Dense<'static>> {
    let mut rows = Dense::new(values, d)?;
    if weights.iter().any(|w| *w != 1.0) {
        rows = rows.with_weights(weights.to_vec())?;
    }
    if labels.iter().any(|l| *l >= 0) {
        rows = rows.with_labels(labels.to_vec())?;
    }
    Ok(rows)
}
