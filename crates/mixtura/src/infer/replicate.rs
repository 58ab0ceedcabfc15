//! Models of which a bootstrap makes replicates: how rows are drawn from them, and how far their components are apart.

use rand_distr::{Distribution, Exp1, Gamma, StandardNormal};

use super::relabel;
use crate::data::{Buffer, Chunk, Dense, Source, for_each_row};
use crate::error::{Error, Result};
use crate::family::Differentiable;
use crate::model::censored::{CensoredExtremeValue, CensoredNormal};
use crate::model::probit::Probit;
use crate::model::{FreeWeights, HiddenMultinomial, Identified, Mixture, Unconstrained};
use crate::seed::Rng;

/// A model that can be drawn from and fitted again.
pub trait Resample: Identified + Unconstrained {
    /// Rows drawn in the place of `rows`: as many, each with what the model does not explain (covariates, numbers of flips) and the missing
    /// cells of the row in whose place it is, and with its component told where that of the row is known. Case weights are frequencies:
    /// a row of weight 2.5 becomes two rows and one of weight 0.5.
    ///
    /// # Errors
    /// If the rows do not say how to draw others, or are too many.
    fn redraw(&self, rows: &dyn Source, rng: &mut Rng) -> Result<Dense<'static>>;

    /// Distances of the components (rows) from those of another model of the same kind, on rows; empty where there are no components.
    ///
    /// # Errors
    /// If the rows cannot be read.
    fn distances(&self, _other: &Self, _rows: &dyn Source) -> Result<Vec<Vec<f64>>> {
        Ok(Vec::new())
    }

    /// Weight of a component.
    fn component_weight(&self, _k: usize) -> f64 {
        1.0
    }

    /// The model with its components in another order; `None` where their order is fixed.
    fn reordered(&self, _order: &[usize]) -> Option<Self> {
        None
    }
}

/// Most cells that are drawn for one replicate.
const MOST_CELLS: f64 = 1e8;

/// Rows in the place of `rows`, drawn one by one: `draw` changes a row's cells and says which component it was.
fn each_row(
    rows: &dyn Source,
    rng: &mut Rng,
    mut draw: impl FnMut(&mut Rng, &mut [f64]) -> usize,
) -> Result<Dense<'static>> {
    let d = rows.n_features();
    let (mut values, mut weights, mut labels) = (Vec::new(), Vec::new(), Vec::new());
    let mut cells = 0.0;
    let mut out = vec![0.0; d];
    for_each_row(rows, |_, row, w, label| {
        cells += w.ceil() * d as f64;
        if cells > MOST_CELLS {
            return;
        }
        for n in 0..w.ceil() as usize {
            out.copy_from_slice(row);
            let component = draw(rng, &mut out);
            (0..d).filter(|&j| row[j].is_nan()).for_each(|j| out[j] = f64::NAN);
            values.extend_from_slice(&out);
            weights.push((w - n as f64).min(1.0));
            labels.push(label.map_or(-1, |_| component as i32));
        }
    })?;
    if cells > MOST_CELLS {
        return Err(Error::Data(format!(
            "the weights stand for rows of {cells:.0} cells or more, too many to draw: use the bootstrap of the rows or the weighted one"
        )));
    }
    let mut table = Dense::new(values, d)?;
    if weights.iter().any(|w| *w != 1.0) {
        table = table.with_weights(weights)?;
    }
    if rows.n_labels() > 0 { table.with_labels(labels) } else { Ok(table) }
}

impl<E: Differentiable + Unconstrained, W: FreeWeights + Unconstrained> Resample for Mixture<E, W> {
    fn redraw(&self, rows: &dyn Source, rng: &mut Rng) -> Result<Dense<'static>> {
        each_row(rows, rng, |rng, row| self.sample(rng, row))
    }

    fn distances(&self, other: &Self, rows: &dyn Source) -> Result<Vec<Vec<f64>>> {
        relabel::distances(self, other, rows)
    }

    fn component_weight(&self, k: usize) -> f64 {
        self.mixing().weight(k)
    }

    fn reordered(&self, order: &[usize]) -> Option<Self> {
        let mut emission = self.emission().clone();
        emission.select_components(order);
        Mixture::of(self.mixing().reordered(order)?, emission).ok()
    }
}

/// Counts of the categories drawn together.
impl Resample for HiddenMultinomial {
    fn redraw(&self, rows: &dyn Source, rng: &mut Rng) -> Result<Dense<'static>> {
        let mut total = 0.0;
        for_each_row(rows, |_, _, w, _| total += w)?;
        let cells = self.probabilities();
        let chances: Vec<f64> = self.categories().iter().map(|c| c.cells.iter().map(|&i| cells[i]).sum()).collect();
        let counts = multinomial(total, &chances, rng);
        Dense::new((0..counts.len()).map(|i| i as f64).collect::<Vec<_>>(), 1)?.with_weights(counts)
    }
}

/// Refuses what only the design of a study could tell.
fn all_exact(rows: &dyn Source) -> Result<()> {
    let mut exact = true;
    for_each_row(rows, |_, row, _, _| exact &= row[0] == row[1])?;
    exact.then_some(()).ok_or_else(|| {
        Error::Usage(
            "drawing censored values needs the times at which the others would have been censored, which the rows do not say: use the bootstrap of the rows or the weighted one"
                .into(),
        )
    })
}

impl Resample for CensoredNormal {
    /// Only of exact values.
    fn redraw(&self, rows: &dyn Source, rng: &mut Rng) -> Result<Dense<'static>> {
        all_exact(rows)?;
        each_row(rows, rng, |rng, row| {
            let z: f64 = StandardNormal.sample(rng);
            row.fill(self.mu() + self.sigma() * z);
            0
        })
    }
}

impl Resample for CensoredExtremeValue {
    /// Only of exact values.
    fn redraw(&self, rows: &dyn Source, rng: &mut Rng) -> Result<Dense<'static>> {
        all_exact(rows)?;
        each_row(rows, rng, |rng, row| {
            let e: f64 = Exp1.sample(rng);
            row.fill(self.mu() + self.sigma() * e.ln());
            0
        })
    }
}

/// The response, given the columns.
impl Resample for Probit {
    fn redraw(&self, rows: &dyn Source, rng: &mut Rng) -> Result<Dense<'static>> {
        each_row(rows, rng, |rng, row| {
            let z: f64 = StandardNormal.sample(rng);
            row[self.response()] = f64::from(u8::from(self.linear(row) + z > 0.0));
            0
        })
    }
}

/// How often each of several kinds is drawn in `total` draws (rounded to whole ones) by their chances, which need not sum to 1.
pub(super) fn multinomial(total: f64, chances: &[f64], rng: &mut Rng) -> Vec<f64> {
    let mut left = total.round().max(1.0) as u64;
    // From the end, so that what is left of the chances is a sum, not a difference.
    let mut after: Vec<f64> = chances.to_vec();
    (0..chances.len().saturating_sub(1)).rev().for_each(|i| after[i] += after[i + 1]);
    let mut counts = vec![0.0; chances.len()];
    for (i, count) in counts.iter_mut().enumerate() {
        let p = if i + 1 == chances.len() { 1.0 } else { (chances[i] / after[i]).clamp(0.0, 1.0) };
        // No chance is left where all later ones are 0.
        let n =
            if left == 0 || p.is_nan() { 0 } else { rand_distr::Binomial::new(left, p).map_or(0, |b| b.sample(rng)) };
        *count = n as f64;
        left -= n;
    }
    counts
}

/// Case weights of all rows, in their order.
pub(super) fn case_weights(rows: &dyn Source) -> Result<Vec<f64>> {
    let (mut weights, mut buffer) = (Vec::with_capacity(rows.n_rows()), Buffer::default());
    for id in 0..rows.n_chunks() {
        let chunk: Chunk<'_> = rows.read(id, &mut buffer)?;
        weights.extend((0..chunk.rows.n_rows()).map(|i| chunk.weight(i)));
    }
    Ok(weights)
}

/// Weights of rows drawn again, as many as there are, each with a chance in proportion to its weight (Efron 1979).
pub(super) fn drawn_weights(weights: &[f64], rng: &mut Rng) -> Vec<f64> {
    let total: f64 = weights.iter().sum();
    let counts = multinomial(total, weights, rng);
    // Where the weights do not sum to a whole number of rows, those drawn stand for as much.
    let scale = total / total.round().max(1.0);
    counts.into_iter().map(|n| n * scale).collect()
}

/// Weights by a Dirichlet distribution about the rows' own, of the same sum (Rubin 1981; Newton & Raftery 1994).
pub(super) fn dirichlet_weights(weights: &[f64], rng: &mut Rng) -> Vec<f64> {
    let draw = |w: &f64| if *w == 1.0 { Exp1.sample(rng) } else { Gamma::new(*w, 1.0).map_or(0.0, |g| g.sample(rng)) };
    let raw: Vec<f64> = weights.iter().map(draw).collect();
    let scale = weights.iter().sum::<f64>() / raw.iter().sum::<f64>();
    raw.into_iter().map(|g| g * scale).collect()
}
