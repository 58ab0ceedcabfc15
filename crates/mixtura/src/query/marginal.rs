//! The mixture of some columns: the others integrated out.

use crate::error::Result;
use crate::family::gaussian::Gaussian;
use crate::model::Mixture;

impl Mixture<Gaussian> {
    /// The distribution of some columns (numbered from 0), in the given order, whatever the others are. The weights
    /// and the structure stay: the marginal of a mixture is the mixture of the marginals.
    ///
    /// ```
    /// use mixtura::{Mixture, family::gaussian::{Gaussian, Structure}};
    /// let bank = Gaussian::new(Structure::Full, 2, vec![0.0, 5.0], vec![1.0, 0.5, 0.5, 2.0])?;
    /// let y = Mixture::equal(bank).marginal(&[1])?;
    /// assert_eq!(y.emission().covariance(0), [2.0]);
    /// # Ok::<(), mixtura::Error>(())
    /// ```
    ///
    /// # Errors
    /// If no column is given, one is given twice, or there is none of that number.
    pub fn marginal(&self, columns: &[usize]) -> Result<Self> {
        Ok(self.clone().with_emission(self.emission().marginal(columns)?))
    }
}
