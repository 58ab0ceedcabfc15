//! Priors of a Gaussian mixture's parameters in the data's own units, and what they are in the columns that a fit sees.

use super::Prepared;
use crate::data::Source;
use crate::error::{Error, Result};
use crate::family::gaussian::{Gaussian, Structure, positive_definite};
use crate::family::normal_wishart;
use crate::model::{LatentModel, Mixture};
use crate::stats::Layout;

/// Rows that the default prior mean is worth (Fraley & Raftery 2007, §2.2: κ = 0.01).
const SHRINKAGE: f64 = 0.01;

/// Conjugate priors of weights, means and covariances: the fit ends at the mode of the posterior (MAP EM), which is bounded where
/// the likelihood is not. The default is that of Fraley & Raftery (2007, J. Classification 24, 155–181), relative to the data.
///
/// ```
/// use mixtura::{GaussianMixture, data::Dense, fit::{Prior, StatusKind}};
/// // Four equal rows: a component of its own would have no variance.
/// let rows: Vec<f64> = (0..20).map(|i| if i < 4 { 9.0 } else { f64::from(i * 7 % 11) * 0.1 }).collect();
/// let mut options = GaussianMixture::new(2);
/// options.prior = Some(Prior::default());
/// let fit = options.fit(&Dense::new(rows, 1)?)?;
/// assert_eq!(fit.status.kind, StatusKind::Converged);
/// # Ok::<(), mixtura::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Prior {
    /// m₀, D numbers; `None` = the mean of the data.
    pub mean: Option<Vec<f64>>,
    /// κ₀ > 0: rows that the prior mean is worth; 0.01 by default.
    pub mean_precision: f64,
    /// ν₀: rows that the prior covariance is worth; above D − 1 for full and tied, above 0 otherwise; `None` = D + 2.
    pub degrees_of_freedom: Option<f64>,
    /// Λ₀: D × D numbers, row-major (full, tied), D (diag) or one (spherical), in the units of a covariance; `None` = the
    /// covariance of the data with divisor Σw − 1, its diagonal, or the mean of that, over K^(2/D): a K-th of the volume each.
    pub covariance: Option<Vec<f64>>,
    /// α ≥ 1 of the Dirichlet distribution of the weights: each effective count gains α − 1. 1 (none) by default.
    pub weight_concentration: f64,
}

impl Default for Prior {
    fn default() -> Self {
        Prior {
            mean: None,
            mean_precision: SHRINKAGE,
            degrees_of_freedom: None,
            covariance: None,
            weight_concentration: 1.0,
        }
    }
}

/// The prior that a fit used, all numbers known, in the data's own units.
#[derive(Clone, Debug, PartialEq)]
pub struct UsedPrior {
    /// That of every component.
    pub component: normal_wishart::Prior,
    /// α of the weights.
    pub weight_concentration: f64,
    /// Log-density of the parameters under the prior, over that at the prior's mode, nats; ≤ 0.
    pub log_prior: f64,
}

impl Prior {
    /// `model` (in standardised columns) with this prior.
    pub(crate) fn of(&self, model: Mixture<Gaussian>, data: &Prepared<'_>) -> Result<Mixture<Gaussian>> {
        let (k, d) = (model.weights().len() as f64, data.data.n_features());
        let structure = model.emission().structure();
        // A direction without spread is the floor's affair: no prior there.
        let spread = data.reference.covariance(0).into_iter().enumerate();
        let spread: Vec<f64> = spread.map(|(n, c)| c - data.floor.fill(n / d, n % d)).collect();
        let share = k.powf(-2.0 / d as f64);
        let (mean, scale) = relative(data, structure, (&self.mean, &self.covariance), (spread, share))?;
        if self.covariance.is_some() && !positive_definite(&scale, d) {
            return Err(Error::Usage("the prior's covariance is not positive definite: give one that is".into()));
        }
        let component = normal_wishart::Prior {
            mean,
            mean_precision: self.mean_precision,
            degrees_of_freedom: self.degrees_of_freedom.unwrap_or(d as f64 + 2.0),
            scale,
        };
        let bank = model.emission().clone().with_prior(Some(&component))?;
        model.with_emission(bank).with_weight_prior(self.weight_concentration)
    }
}

impl UsedPrior {
    /// That of a model in standardised columns.
    pub(super) fn of(model: &Mixture<Gaussian>, data: &Prepared<'_>) -> Option<Self> {
        let (affine, standard) = (&data.data.affine, model.emission().prior()?);
        let d = standard.mean.len();
        let mean = (0..d).map(|j| standard.mean[j] * affine.scale[j] + affine.shift[j]);
        let scale = (0..d * d).map(|n| standard.scale[n] * affine.scale[n / d] * affine.scale[n % d]);
        Some(UsedPrior {
            component: normal_wishart::Prior { mean: mean.collect(), scale: scale.collect(), ..*standard },
            weight_concentration: model.weight_concentration(),
            log_prior: model.log_prior(),
        })
    }
}

/// Mean and scale (D × D, of the structure's shape) of a prior in standardised columns. What is not given comes from the data: their
/// mean, and a share of their covariance (divisor Σw), made one with the divisor Σw − 1.
pub(super) fn relative(
    data: &Prepared<'_>,
    structure: Structure,
    (mean, covariance): (&Option<Vec<f64>>, &Option<Vec<f64>>),
    (spread, share): (Vec<f64>, f64),
) -> Result<(Vec<f64>, Vec<f64>)> {
    let (affine, d) = (&data.data.affine, data.data.n_features());
    let mean = match mean {
        None => data.reference.mean(0).to_vec(),
        Some(m) if m.len() == d => (0..d).map(|j| (m[j] - affine.shift[j]) / affine.scale[j]).collect(),
        Some(m) => return Err(Error::Usage(format!("the mean prior has {} numbers for {d} columns", m.len()))),
    };
    let full = structure.layout() == Layout::Full;
    let mut scale = vec![0.0; d * d];
    match covariance {
        None => {
            let total = data.data.total_weight;
            let divisor = share * if total > 1.0 { total / (total - 1.0) } else { 1.0 };
            let average = (0..d).map(|j| spread[j * d + j]).sum::<f64>() / d as f64;
            for n in 0..d * d {
                let on_diagonal = n % (d + 1) == 0;
                scale[n] = match structure {
                    Structure::Full | Structure::Tied => spread[n] * divisor,
                    Structure::Diag if on_diagonal => spread[n] * divisor,
                    Structure::Spherical if on_diagonal => average * divisor,
                    Structure::Diag | Structure::Spherical => 0.0,
                };
            }
        }
        Some(given) => {
            let want = match structure {
                _ if full => d * d,
                Structure::Diag => d,
                _ => 1,
            };
            if given.len() != want {
                return Err(Error::Usage(format!(
                    "the covariance prior has {} numbers, and {} covariances of {d} columns need {want}",
                    given.len(),
                    structure.name()
                )));
            }
            for i in 0..d {
                for j in 0..d {
                    let value = match structure {
                        _ if full => given[i * d + j],
                        _ if i != j => 0.0,
                        Structure::Diag => given[i],
                        _ => given[0],
                    };
                    scale[i * d + j] = value / affine.scale[i] / affine.scale[j];
                }
            }
        }
    }
    Ok((mean, scale))
}
