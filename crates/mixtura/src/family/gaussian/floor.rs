//! The covariance floor: no component may be thinner than a small fraction of the data in any direction.
//!
//! The floor is relative to the covariance S of the data itself, so that it means the same in every unit and, for
//! full covariances, in every rotation: Σ ⪰ F with F = 1e-10·S + 1e-12·diag(S). The M-step under this constraint has a
//! closed form: in coordinates that whiten F, raise the eigenvalues below 1 to 1. It is the exact constrained maximum
//! (the objective −log|Σ| − tr(Σ⁻¹W/n) separates over the eigenvalues of F^−½ W F^−½ / n), so EM still never falls.
//!
//! Directions in which the data have no spread at all (constant or duplicate columns, fewer rows than columns) would
//! make every covariance singular. There each component gets the same small variance (1e-10 of the columns' own), as
//! if the data had been measured with that much noise; this is said of the data, and no component is blamed for it.

use faer::{Mat, Side};
use mixtura_kernels::cholesky::{at, factor, invert_lower, packed_len};

use super::Structure;
use crate::stats::Layout;

/// Smallest variance of a component relative to that of the data in the same direction: standard deviations 1e-5.
const RELATIVE: f64 = 1e-10;
/// The same against the columns one by one, which bounds the condition number of every correlation matrix to 1e12.
const PER_COLUMN: f64 = 1e-12;
/// Eigenvalue of the data's correlation matrix below which a direction counts as having no spread.
const NO_SPREAD: f64 = 1e-10;

/// A lower bound for covariances, applied by every M-step.
#[derive(Clone, Debug, PartialEq)]
pub struct Floor {
    n_features: usize,
    /// F, packed, and F's diagonal.
    full: Vec<f64>,
    diagonal: Vec<f64>,
    /// Variance given to directions without spread: packed matrix and per column.
    fill: Vec<f64>,
    fill_diagonal: Vec<f64>,
    /// Added to every variance, as scikit-learn's `reg_covar` is.
    added: Vec<f64>,
    n_flat: usize,
}

impl Floor {
    /// No floor: covariances are what the moments say.
    pub fn none() -> Self {
        Floor {
            n_features: 0,
            full: Vec::new(),
            diagonal: Vec::new(),
            fill: Vec::new(),
            fill_diagonal: Vec::new(),
            added: Vec::new(),
            n_flat: 0,
        }
    }

    /// The relative floor for data whose covariance (packed lower triangle) is given.
    pub fn relative(covariance: &[f64], n_features: usize) -> Self {
        let d = n_features;
        // A constant column has no variance to be relative to: its standardised scale, 1, stands in.
        let spread = |i: usize| if covariance[at(i, i)] > 0.0 { covariance[at(i, i)] } else { 1.0 };
        let fill_diagonal: Vec<f64> =
            (0..d).map(|i| if covariance[at(i, i)] > 0.0 { 0.0 } else { NO_SPREAD }).collect();
        let correlation =
            Mat::from_fn(d, d, |i, j| covariance[at(i.max(j), i.min(j))] / (spread(i) * spread(j)).sqrt());
        let mut fill = vec![0.0; packed_len(d)];
        let mut n_flat = 0;
        if let Ok(eigen) = correlation.self_adjoint_eigen(Side::Lower) {
            for e in 0..d {
                if eigen.S()[e] < NO_SPREAD {
                    n_flat += 1;
                    for i in 0..d {
                        for j in 0..=i {
                            let (u, v) = (eigen.U()[(i, e)], eigen.U()[(j, e)]);
                            fill[at(i, j)] += NO_SPREAD * u * v * (spread(i) * spread(j)).sqrt();
                        }
                    }
                }
            }
        }
        let mut full: Vec<f64> = covariance.iter().map(|c| RELATIVE * c).collect();
        for i in 0..d {
            full[at(i, i)] += PER_COLUMN * spread(i);
        }
        let diagonal = (0..d).map(|i| full[at(i, i)]).collect();
        Floor { n_features: d, full, diagonal, fill, fill_diagonal, added: vec![0.0; d], n_flat }
    }

    /// No floor, but `added[j]` added to the variance of column j in every M-step (scikit-learn's `reg_covar`). The
    /// objective is then no longer exactly the likelihood's: EM may fall by a little.
    pub fn added(added: Vec<f64>) -> Self {
        Floor { n_features: added.len(), added, ..Floor::none() }
    }

    /// What the M-step adds at (i, j) to the covariance of data without spread in some direction.
    pub(crate) fn fill(&self, i: usize, j: usize) -> f64 {
        self.fill.get(at(i.max(j), i.min(j))).copied().unwrap_or(0.0)
    }

    /// Number of directions in which the data have no spread.
    pub fn n_flat(&self) -> usize {
        self.n_flat
    }

    /// Number of those that are no single constant column: only full covariances see them.
    pub fn n_dependent(&self) -> usize {
        self.n_flat.saturating_sub(self.fill_diagonal.iter().filter(|f| **f > 0.0).count())
    }

    /// Raises a covariance in the structure's layout to the floor; says whether that changed a component's own
    /// variance. Spherical: the mean of the floor's diagonal counts.
    pub(super) fn apply(&self, structure: Structure, covariance: &mut [f64]) -> bool {
        let d = self.n_features;
        match structure.layout() {
            Layout::Diagonal => {
                let bound = |i: usize| match structure {
                    Structure::Spherical => self.diagonal.iter().sum::<f64>() / d as f64,
                    _ => self.diagonal[i],
                };
                let fill = |i: usize| match structure {
                    Structure::Spherical if self.fill_diagonal.contains(&0.0) => 0.0,
                    _ => self.fill_diagonal[i],
                };
                let mut active = false;
                for i in 0..self.added.len() {
                    covariance[i] += self.added[i];
                }
                for i in 0..self.diagonal.len() {
                    covariance[i] += fill(i);
                    if covariance[i] < bound(i) {
                        covariance[i] = bound(i);
                        active = true;
                    }
                }
                active
            }
            Layout::Full => {
                for (c, f) in covariance.iter_mut().zip(&self.fill) {
                    *c += f;
                }
                for i in 0..self.added.len() {
                    covariance[at(i, i)] += self.added[i];
                }
                if self.full.is_empty() {
                    return false;
                }
                let mut rest: Vec<f64> = covariance.iter().zip(&self.full).map(|(c, f)| c - f).collect();
                if factor(&mut rest, d).is_ok() {
                    return false;
                }
                self.clip(covariance);
                true
            }
        }
    }

    /// Whether a covariance lies below the floor.
    pub(super) fn violated(&self, structure: Structure, covariance: &[f64]) -> bool {
        match structure.layout() {
            Layout::Diagonal => self.diagonal.iter().zip(covariance).any(|(f, c)| c < f),
            Layout::Full => {
                let mut rest: Vec<f64> = covariance.iter().zip(&self.full).map(|(c, f)| c - f).collect();
                !self.full.is_empty() && factor(&mut rest, self.n_features).is_err()
            }
        }
    }

    /// Raises the eigenvalues of L⁻¹ΣL⁻ᵀ (F = LLᵀ) that are below 1 to 1.
    fn clip(&self, covariance: &mut [f64]) {
        let d = self.n_features;
        let mut l = self.full.clone();
        factor(&mut l, d).expect("F is positive definite by its diagonal term");
        let mut inverse = vec![0.0; l.len()];
        invert_lower(&l, d, &mut inverse);
        let lower = |m: &[f64]| Mat::from_fn(d, d, |i, j| if j <= i { m[at(i, j)] } else { 0.0 });
        let (l, inverse) = (lower(&l), lower(&inverse));
        let sigma = Mat::from_fn(d, d, |i, j| covariance[at(i.max(j), i.min(j))]);
        let whitened = &inverse * &sigma * inverse.transpose();
        let Ok(eigen) = whitened.self_adjoint_eigen(Side::Lower) else {
            covariance.copy_from_slice(&self.full);
            return;
        };
        let root = Mat::from_fn(d, d, |i, e| eigen.U()[(i, e)] * eigen.S()[e].max(1.0).sqrt());
        let root = &l * &root;
        let raised = &root * root.transpose();
        for i in 0..d {
            for j in 0..=i {
                covariance[at(i, j)] = raised[(i, j)];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flat_component_is_raised_in_its_flat_direction_only() {
        // Data: variances 4 and 9, correlation ½. Component: variance 1 along (1, 1), none across.
        let data = [4.0, 3.0, 9.0];
        let floor = Floor::relative(&data, 2);
        let mut c = vec![0.5, 0.5, 0.5];
        assert!(floor.apply(Structure::Full, &mut c));
        // Along (1, 1) the variance (1ᵀΣ1)/2 stays 1 up to the floor's own size.
        assert!(((c[0] + 2.0 * c[1] + c[2]) / 2.0 - 1.0).abs() < 1e-8, "{c:?}");
        let across = (c[0] - 2.0 * c[1] + c[2]) / 2.0;
        // F across (1, −1)/√2 is about 1e-10·(4 − 6 + 9)/2 = 3.5e-10; clipping acts in F's metric, hence the range.
        assert!(across > 1e-10 && across < 1e-9, "{across}");
        let mut healthy = vec![1.0, 0.2, 1.0];
        assert!(!floor.apply(Structure::Full, &mut healthy));
        assert_eq!(healthy, [1.0, 0.2, 1.0]);
    }

    #[test]
    fn duplicate_and_constant_columns_are_filled_without_blame() {
        // Columns: a, a again, constant.
        let data = [1.0, 1.0, 1.0, 0.0, 0.0, 0.0];
        let floor = Floor::relative(&data, 3);
        assert_eq!(floor.n_flat(), 2);
        let mut c = vec![0.3, 0.3, 0.3, 0.0, 0.0, 0.0];
        assert!(!floor.apply(Structure::Full, &mut c), "{c:?}");
        let mut l = c.clone();
        factor(&mut l, 3).unwrap();
        let mut v = vec![0.3, 0.3, 0.0];
        assert!(!floor.apply(Structure::Diag, &mut v));
        assert_eq!(v[2], 1e-10);
    }
}
