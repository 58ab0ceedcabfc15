//! The bootstrap of models that are fitted to standardised rows: there and back.

use super::{Bootstrap, Replicates};
use crate::data::Source;
use crate::error::Result;
use crate::family::gaussian::{Floor, Gaussian, Structure};
use crate::family::linear::{self, Linear};
use crate::fit::{Control, Prepared, Prior};
use crate::model::Mixture;
use crate::model::censored::{CensoredExtremeValue, CensoredNormal, Sample};
use crate::model::probit::{Probit, Responses};

impl Bootstrap {
    /// Replicates of a Gaussian mixture in the data's own units, under the prior and the covariance floor of its fit (as there).
    ///
    /// ```
    /// use mixtura::{GaussianMixture, data::Dense, fit::Control, infer::{Bootstrap, Resampling}};
    /// let rows = Dense::new((0..60).map(|i| f64::from(i % 3) * 10.0 + f64::from(i) / 60.0).collect::<Vec<_>>(), 1)?;
    /// let fit = GaussianMixture::new(3).fit(&rows)?;
    /// let bootstrap = Bootstrap { replicates: 50, ..Bootstrap::new(Resampling::Rows) };
    /// let replicates = bootstrap.gaussian(&fit.model, (None, None), &rows, Control::default())?;
    /// assert_eq!(replicates.names[..3], ["weight[0]", "weight[1]", "mean[0][0]"]);
    /// assert_eq!((replicates.values.len(), replicates.lost.total()), (50, 0));
    /// # Ok::<(), mixtura::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Bootstrap::run`], and what a fit refuses of the data.
    pub fn gaussian(
        &self,
        model: &Mixture<Gaussian>,
        (prior, reg_covar): (Option<&Prior>, Option<f64>),
        data: &dyn Source,
        control: Control<'_>,
    ) -> Result<Replicates> {
        let bank = model.emission();
        let prepared = Prepared::new(data, &[], bank.structure() == Structure::Spherical, 1, self.seed)?;
        let affine = &prepared.data.affine;
        let floor = match reg_covar {
            None => prepared.floor.clone(),
            Some(r) => Floor::added(affine.scale.iter().map(|s| r / s / s).collect()),
        };
        let start = model.clone().with_emission(bank.map(affine, true)?.with_floor(floor));
        let start = prior.map_or(Ok(start.clone()), |prior| prior.of(start, &prepared))?;
        let back = |m: &Mixture<Gaussian>| Ok(m.clone().with_emission(m.emission().map(affine, false)?));
        self.run(&start, &prepared.data, back, control)
    }

    /// Replicates of a mixture of regressions in the data's own units; the last column is the response. Case by case: covariates are
    /// drawn again with their responses (`Rows`), or stay (`Parametric`).
    ///
    /// # Errors
    /// As [`Bootstrap::run`], and what [`linear::Prepared::new`] refuses.
    pub fn linear(&self, model: &Mixture<Linear>, data: &dyn Source, control: Control<'_>) -> Result<Replicates> {
        let prepared = linear::Prepared::new(data, model.emission().intercept(), &[])?;
        let bank = model.emission().map(&prepared.data.affine, true)?.with_floor(prepared.pooled.floor());
        let back = |m: &Mixture<Linear>| Ok(m.clone().with_emission(prepared.original(m.emission())?));
        self.run(&model.clone().with_emission(bank), &prepared.data, back, control)
    }

    /// Replicates of a normal distribution of censored values, in their unit.
    ///
    /// # Errors
    /// As [`Bootstrap::run`]; rows drawn from the model ([`super::Resampling::Parametric`]) only where all are exact.
    pub fn censored_normal(&self, model: &CensoredNormal, sample: &Sample, control: Control<'_>) -> Result<Replicates> {
        self.run(&model.standardised(sample), sample.rows(), |m| Ok(m.in_units(sample)), control)
    }

    /// Replicates of a smallest-extreme-value distribution of censored values, in their unit.
    ///
    /// # Errors
    /// As [`Bootstrap::censored_normal`].
    pub fn censored_extreme_value(
        &self,
        model: &CensoredExtremeValue,
        sample: &Sample,
        control: Control<'_>,
    ) -> Result<Replicates> {
        self.run(&model.standardised(sample), sample.rows(), |m| Ok(m.in_units(sample)), control)
    }

    /// Replicates of a probit regression, in its columns' own units.
    ///
    /// # Errors
    /// As [`Bootstrap::run`].
    pub fn probit(&self, model: &Probit, data: &Responses<'_>, control: Control<'_>) -> Result<Replicates> {
        self.run(&model.standardised(data), data.rows(), |m| Ok(m.in_units(data)), control)
    }
}
