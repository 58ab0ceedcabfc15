//! Mahalanobis distances of rows to components: how many standard deviations away, in the component's own metric.

use super::Conditioner;
use crate::error::Result;
use crate::family::gaussian::Gaussian;
use crate::model::Mixture;

impl Mixture<Gaussian> {
    /// Mahalanobis distance √((x − μ)ᵀ Σ⁻¹ (x − μ)) of a row to every component, of the observed cells where some are
    /// missing (NaN). Not squared; no unit; for rows of the component itself its square is χ² distributed with as many
    /// degrees of freedom as cells are observed. Use a [`Conditioner`] for many rows.
    ///
    /// ```
    /// use mixtura::{Mixture, family::gaussian::{Gaussian, Structure}};
    /// let bank = Gaussian::new(Structure::Diag, 2, vec![0.0, 0.0], vec![4.0, 0.0, 0.0, 1.0])?;
    /// assert_eq!(Mixture::equal(bank).mahalanobis(&[6.0, f64::NAN])?, [3.0]);
    /// # Ok::<(), mixtura::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the row is not as long as the model has columns or a cell is infinite.
    pub fn mahalanobis(&self, row: &[f64]) -> Result<Vec<f64>> {
        Ok(Conditioner::new(self).at(row)?.distances().to_vec())
    }
}
