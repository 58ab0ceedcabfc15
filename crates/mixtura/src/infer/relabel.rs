//! Which component of a replicate is which of the fit: the labels of components are names, and replicates may exchange them.
//!
//! The distance of two components is that of their responsibilities over the fit's own rows (Stephens 2000, J. R. Stat. Soc. B 62, §4, who
//! sums Kullback–Leibler divergences; here squared Hellinger distances, finite where a responsibility is 0): one rule for every family,
//! without units, in which weights, missing cells and overlap count as far as they tell rows apart. The assignment is the optimal one.

use crate::data::{Source, map_chunks};
use crate::error::Result;
use crate::family::Emission;
use crate::model::{FreeWeights, LatentModel, Mixture, Predict};
use crate::query::assign;

/// A replicate counts as matched if every other assignment is more than this many times as far (in squares). Where two components differ
/// in one direction, by e in the fit and by d in the replicate, it is lost if (d − e)² ≥ ½ (d + e)²: for e below d/6, components of the fit
/// that are hardly apart for what replicates move, or d below e/6.
const MARGIN: f64 = 2.0;
/// Components of a fit whose distance from each other is this share of their own weight or less are one: rounding is all that tells them apart.
const SAME: f64 = 1e-9;
/// Distance of a component of known rows from any other one: labels of rows say which is which.
const KNOWN: f64 = 1e6;

/// Squared Hellinger distances ½ Σ w (√r − √s)² / Σ w of the responsibilities r of every component of `a` (rows of the result) and s of `b`.
pub(super) fn distances<E: Emission, W: FreeWeights>(
    a: &Mixture<E, W>,
    b: &Mixture<E, W>,
    rows: &dyn Source,
) -> Result<Vec<Vec<f64>>> {
    let k = a.n_components();
    let parts = map_chunks(rows, |chunk| {
        let n = chunk.rows.n_rows();
        let roots = |model: &Mixture<E, W>| {
            let mut resp = vec![0.0; n * k];
            model.posterior(chunk, &mut model.scratch(), &mut resp, &mut vec![0.0; n]);
            resp.iter_mut().for_each(|r| *r = r.sqrt());
            resp
        };
        let (r, s, mut sums, mut total) = (roots(a), roots(b), vec![0.0; k * k], 0.0);
        for t in 0..n {
            let (w, r, s) = (chunk.weight(t), &r[t * k..][..k], &s[t * k..][..k]);
            total += w;
            (0..k * k).for_each(|i| sums[i] += 0.5 * w * (r[i / k] - s[i % k]) * (r[i / k] - s[i % k]));
        }
        (sums, total)
    })?;
    let (mut sums, mut total) = (vec![0.0; k * k], 0.0);
    for (part, w) in parts {
        sums.iter_mut().zip(part).for_each(|(a, b)| *a += b);
        total += w;
    }
    // Rows of known component keep its place.
    let known = rows.n_labels();
    let at = |j: usize, i: usize| if i != j && (i < known || j < known) { KNOWN } else { sums[j * k + i] / total };
    Ok((0..k).map(|j| (0..k).map(|i| at(j, i)).collect()).collect())
}

/// The components of a fit that are one, given its distances from itself.
pub(super) fn coinciding(own: &[Vec<f64>], weight: impl Fn(usize) -> f64) -> Option<(usize, usize)> {
    let pairs = (0..own.len()).flat_map(|j| (0..j).map(move |i| (i, j)));
    pairs.into_iter().find(|&(i, j)| own[i][j] <= SAME * weight(i).min(weight(j)))
}

/// For every component of the fit (rows of `cost`) the component of the replicate that it is; `None` where another assignment is about as
/// good.
pub(super) fn matched(cost: &[Vec<f64>]) -> Option<Vec<usize>> {
    let solve = |cost: &[Vec<f64>]| -> Option<(Vec<usize>, f64)> {
        let order: Vec<usize> = assign(cost).into_iter().collect::<Option<_>>()?;
        let total = order.iter().zip(cost).map(|(c, row)| row[*c]).sum();
        Some((order, total))
    };
    let (order, best) = solve(cost)?;
    // The second-best assignment differs from the best one somewhere: the best of those that may not have one of its pairs.
    for (j, &c) in order.iter().enumerate().filter(|_| order.len() > 1) {
        let mut without = cost.to_vec();
        without[j][c] = KNOWN * KNOWN;
        if solve(&without).is_some_and(|(_, other)| other <= MARGIN * best) {
            return None;
        }
    }
    Some(order)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_are_optimal_and_clear_or_none() {
        // Greedy would take 0 → 0 (1.0) and pay 9 for 1 → 1; the best is 2 + 2, the other one 10.
        assert_eq!(matched(&[vec![1.0, 2.0], vec![2.0, 9.0]]), Some(vec![1, 0]));
        // 3 against 4: no more than twice as far.
        assert_eq!(matched(&[vec![1.5, 2.0], vec![2.0, 1.5]]), None);
        assert_eq!(matched(&[vec![0.1, 2.0], vec![2.0, 0.1]]), Some(vec![0, 1]));
        assert_eq!(matched(&[vec![5.0]]), Some(vec![0]));
        // Three components, the last two alike.
        let three = [vec![0.0, 9.0, 9.0], vec![9.0, 1.0, 1.1], vec![9.0, 1.1, 1.0]];
        assert_eq!(matched(&three), None);
        assert_eq!(matched(&[vec![0.0, 0.0], vec![0.0, 0.0]]), None);
        assert_eq!(matched(&[vec![0.0, 1.0], vec![1.0, 0.0]]), Some(vec![0, 1]));
    }

    #[test]
    fn equal_components_coincide() {
        assert_eq!(coinciding(&[vec![0.0, 1e-12], vec![1e-12, 0.0]], |_| 0.5), Some((0, 1)));
        assert_eq!(coinciding(&[vec![0.0, 1e-3], vec![1e-3, 0.0]], |_| 0.5), None);
    }
}
