//! The sandwich (White 1982, Econometrica 50, 1–25, theorem 3.2): H⁻¹ (Σ w s sᵀ) H⁻¹, which holds for the parameters nearest to
//! the truth even where no mixture of the family is the truth. Case weights are frequencies: w rows of the same score.

use super::information::{Information, inverse, product, symmetric, whole};

/// The covariance in scaled coordinates (p × p); `None` if the information is not positive definite.
pub(super) fn covariance(info: &Information) -> Option<Vec<f64>> {
    let p = info.coordinates.len();
    let bread = inverse(&info.observed, p)?;
    let half = product(&bread, &whole(&info.outer, p), p);
    Some(symmetric(&product(&half, &bread, p), p).0)
}
