//! Weighted least squares from moments: the normal equations of the covariates' correlations, by Cholesky's factor.
//!
//! The equations are solved for the *change* of the slopes (S_xx Δ = S_xy − S_xx b), so that the iterations of EM are also those
//! of iterative refinement, and slopes of covariates that do not vary on their own stay as they are.

use mixtura_kernels::cholesky::at;

use crate::stats::Moments;

/// A covariate is passed over where, of its sum of squares about the pivot, less than this share is left once its mean and the
/// covariates before it have explained theirs. A sum of squares is good to some 1e-15 of itself, so what is left of a thousand
/// times that is the data's; it asks for a standard deviation of its own above a millionth of its size.
pub(super) const LEAST_SHARE: f64 = 1e-12;

/// Memory of [`Solver::solve`] for P covariates.
#[derive(Debug)]
pub(super) struct Solver {
    /// Mean of the rows less the pivot, P + 1.
    pub(super) mean: Vec<f64>,
    /// Second moments, packed, of covariates and response.
    moments: Vec<f64>,
    factor: Vec<f64>,
    change: Vec<f64>,
}

/// What least squares found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Found {
    /// Mean squared residual.
    pub(super) variance: f64,
    /// Mean square of the response: about its mean with an intercept, about 0 without.
    pub(super) response: f64,
    /// Mean square of the response about the pivot.
    pub(super) response_square: f64,
    /// The first covariate that does not vary on its own.
    pub(super) dependent: Option<usize>,
}

impl Solver {
    pub(super) fn new(p: usize) -> Self {
        let len = at(p, 0) + p + 1;
        Solver { mean: vec![0.0; p + 1], moments: vec![0.0; len], factor: vec![0.0; len], change: vec![0.0; p] }
    }

    /// Improves `slopes` to those of component `k`, whose weight is positive.
    pub(super) fn solve(&mut self, stats: &Moments, k: usize, intercept: bool, slopes: &mut [f64]) -> Found {
        let Solver { mean, moments, factor, change } = self;
        let p = slopes.len();
        let square = |j: usize| stats.second[k * moments_len(p) + at(j, j)] / stats.weight[k];
        if intercept {
            stats.mean_and_covariance(k, mean, moments);
        } else {
            let second = &stats.second[k * moments_len(p)..][..moments_len(p)];
            moments.iter_mut().zip(second).for_each(|(m, s)| *m = s / stats.weight[k]);
        }
        let m = |i: usize, j: usize| moments[at(i.max(j), i.min(j))];
        let sd = |j: usize| m(j, j).sqrt();
        let mut dependent = None;
        // Forward: L of the correlations row by row, and L⁻¹ of the right side.
        for i in 0..p {
            let of_i = at(i, 0);
            if m(i, i) > LEAST_SHARE * square(i) {
                for j in 0..i {
                    let known: f64 = (0..j).map(|l| factor[of_i + l] * factor[at(j, l)]).sum();
                    let diagonal = factor[at(j, j)];
                    let own = if diagonal > 0.0 { (m(i, j) / sd(i) / sd(j) - known) / diagonal } else { 0.0 };
                    factor[of_i + j] = own;
                }
                let rest = 1.0 - factor[of_i..of_i + i].iter().map(|l| l * l).sum::<f64>();
                if rest > LEAST_SHARE * square(i) / m(i, i) {
                    factor[of_i + i] = rest.sqrt();
                    let gradient = m(p, i) - (0..p).map(|j| m(i, j) * slopes[j]).sum::<f64>();
                    let known: f64 = (0..i).map(|j| factor[of_i + j] * change[j]).sum();
                    change[i] = (gradient / sd(i) - known) / rest.sqrt();
                    continue;
                }
            }
            dependent = dependent.or(Some(i));
            factor[of_i..=of_i + i].fill(0.0);
            change[i] = 0.0;
        }
        for i in (0..p).rev() {
            if factor[at(i, i)] > 0.0 {
                let known: f64 = (i + 1..p).map(|j| factor[at(j, i)] * change[j]).sum();
                change[i] = (change[i] - known) / factor[at(i, i)];
            }
        }
        (0..p).filter(|&j| factor[at(j, j)] > 0.0).for_each(|j| slopes[j] += change[j] / sd(j));
        // The mean of (y − bᵀx)², with b = −1 for the response.
        let b = |j: usize| if j == p { -1.0 } else { slopes[j] };
        let variance: f64 = (0..=p).map(|i| b(i) * (0..=p).map(|j| m(i, j) * b(j)).sum::<f64>()).sum();
        Found { variance: variance.max(0.0), response: m(p, p), response_square: square(p), dependent }
    }
}

impl Solver {
    /// Mean squared residual of component `k`, whose weight is positive, from the line with these slopes through a point (covariates,
    /// then the level there).
    pub(super) fn residual(&mut self, stats: &Moments, k: usize, point: &[f64], slopes: &[f64]) -> f64 {
        let (p, Solver { mean, moments, .. }) = (slopes.len(), self);
        stats.mean_and_covariance(k, mean, moments);
        let b = |j: usize| if j == p { -1.0 } else { slopes[j] };
        let m = |i: usize, j: usize| moments[at(i.max(j), i.min(j))];
        let spread: f64 = (0..=p).map(|i| b(i) * (0..=p).map(|j| m(i, j) * b(j)).sum::<f64>()).sum();
        let pivot = &stats.pivot[k * (p + 1)..];
        let offset: f64 = (0..=p).map(|j| b(j) * (pivot[j] + mean[j] - point[j])).sum();
        spread.max(0.0) + offset * offset
    }
}

/// Second moments of one component.
fn moments_len(p: usize) -> usize {
    at(p, p) + 1
}
