//! Whether a hyperplane separates the rows of two responses, so that a binary regression has no finite optimum.
//!
//! With a = ±(1, x), the sign by the response, rows are separated if some b has a·b ≥ 0 for all rows and not always 0 (Albert &
//! Anderson 1984, Biometrika 71). By Stiemke's lemma that is so unless Σ λ a = 0 for some λ > 0. Whether there is such a λ ≥ 1
//! is a least-squares problem with λ − 1 ≥ 0, which the active-set method of Lawson & Hanson (1974, ch. 23) ends in a few
//! passes; where its residual is not 0, that is b.

use faer::Mat;
use faer::prelude::SolveLstsq;

use crate::data::{Source, for_each_row};
use crate::error::Result;

/// What counts as 0, relative to the numbers that were summed or multiplied.
const ZERO: f64 = 1e-10;

/// A direction (intercept first, then the columns without the response) that separates the rows, if there is one. The columns
/// should be standardised, the response 0 or 1 and not the same in all rows.
///
/// # Errors
/// If the source cannot be read.
pub(super) fn direction(rows: &dyn Source, response: usize) -> Result<Option<Vec<f64>>> {
    let d = rows.n_features();
    let signed = |row: &[f64], to: &mut Vec<f64>| {
        let sign = if row[response] == 1.0 { 1.0 } else { -1.0 };
        to.clear();
        to.push(sign);
        to.extend((0..d).filter(|&j| j != response).map(|j| sign * row[j]));
    };
    let (mut a, mut sum, mut size) = (Vec::with_capacity(d), vec![0.0; d], 0.0);
    for_each_row(rows, |_, row, _, _| {
        signed(row, &mut a);
        sum.iter_mut().zip(&a).for_each(|(s, a)| *s += a);
        size += norm(&a);
    })?;
    let (mut active, mut lambda): (Vec<Vec<f64>>, Vec<f64>) = (Vec::new(), Vec::new());
    // Each pass brings one row in and seldom takes one out; without an end the rows get the benefit of the doubt.
    for _ in 0..30 * (d + 10) {
        let residual = residual(&sum, &active, &lambda);
        let length = norm(&residual);
        let sizes: f64 = size + active.iter().zip(&lambda).map(|(a, l)| l * norm(a)).sum::<f64>();
        if length <= ZERO * sizes {
            return Ok(None);
        }
        let (mut worst, mut entering) = (-ZERO, None);
        for_each_row(rows, |_, row, _, _| {
            signed(row, &mut a);
            let cosine = dot(&a, &residual) / (norm(&a) * length);
            if cosine < worst {
                (worst, entering) = (cosine, Some(a.clone()));
            }
        })?;
        let Some(entering) = entering else { return Ok(Some(residual)) };
        active.push(entering);
        lambda.push(0.0);
        settle(&sum, &mut active, &mut lambda);
    }
    Ok(None)
}

/// The inner loop: least squares over the active rows, back to where all λ are ≥ 0, without those that are 0.
fn settle(sum: &[f64], active: &mut Vec<Vec<f64>>, lambda: &mut Vec<f64>) {
    while !active.is_empty() {
        let matrix = Mat::from_fn(sum.len(), active.len(), |i, j| active[j][i]);
        let right = Mat::from_fn(sum.len(), 1, |i, _| -sum[i]);
        let solved = matrix.col_piv_qr().solve_lstsq(&right);
        let target: Vec<f64> = (0..active.len()).map(|j| solved[(j, 0)]).collect();
        let blocking = (0..active.len()).filter(|&j| target[j].is_nan() || target[j] <= 0.0);
        let step = |j: usize| if target[j] < lambda[j] { lambda[j] / (lambda[j] - target[j]) } else { 0.0 };
        let Some(first) = blocking.min_by(|&i, &j| step(i).total_cmp(&step(j))) else {
            *lambda = target;
            return;
        };
        let alpha = step(first);
        for j in 0..lambda.len() {
            lambda[j] += if alpha > 0.0 { alpha * (target[j] - lambda[j]) } else { 0.0 };
        }
        active.swap_remove(first);
        lambda.swap_remove(first);
    }
}

fn residual(sum: &[f64], active: &[Vec<f64>], lambda: &[f64]) -> Vec<f64> {
    let of = |i: usize| sum[i] + active.iter().zip(lambda).map(|(a, l)| l * a[i]).sum::<f64>();
    (0..sum.len()).map(of).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}
