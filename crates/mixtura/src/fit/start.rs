//! Where a Gaussian mixture fit starts, and what of the start the user gives.

use crate::data::Affine;
use crate::error::{Error, Result};
use crate::family::Emission;
use crate::family::gaussian::Gaussian;
use crate::model::Mixture;

/// Where a fit starts.
#[derive(Clone, Debug)]
pub enum Init {
    /// A race of whitened and standardised k-means and random rows; the best few run to the end.
    Auto,
    /// k-means++ and Lloyd in whitened coordinates.
    WhitenedKMeans,
    /// k-means++ and Lloyd in the columns as they are (scikit-learn's default start).
    KMeans,
    /// Random rows as centres, in whitened coordinates.
    Random,
    /// The best of short EM runs from random rows.
    ShortEm,
    /// The centres of the labelled rows.
    Labels,
    /// A mixture, in the data's own units.
    Params(Box<Mixture<Gaussian>>),
    /// Responsibilities of the used rows (N × K, row-major).
    Responsibilities(Vec<f64>),
    /// One run from each of several assignments, in place of restarts.
    Assignments(Vec<Assigned>),
}

/// What is known of the component of every used row at a start.
#[derive(Clone, Debug)]
pub enum Assigned {
    /// Responsibilities (N × K, row-major).
    Soft(Vec<f64>),
    /// Components, −1 for rows that belong to none.
    Hard(Vec<i32>),
}

/// Parameters of a start that the user gives, in the data's own units; the others come from [`Init`].
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// Mixing weights, K.
    pub weights: Option<Vec<f64>>,
    /// Means, K × D.
    pub means: Option<Vec<f64>>,
    /// Covariances, K × D × D whatever the structure.
    pub covariances: Option<Vec<f64>>,
}

impl Given {
    /// Whether nothing is given.
    pub(super) fn nothing(&self) -> bool {
        self.weights.is_none() && self.means.is_none() && self.covariances.is_none()
    }

    /// A start with these parameters in place of its own.
    pub(super) fn replace(&self, start: &Mixture<Gaussian>, affine: &Affine) -> Result<Mixture<Gaussian>> {
        let bank = start.emission();
        let (k, d, floor) = (bank.n_components(), bank.n_features(), bank.floor().clone());
        let own = bank.map(affine, false)?;
        let all = |of: &dyn Fn(usize) -> Vec<f64>| (0..k).flat_map(of).collect::<Vec<f64>>();
        let means = self.means.clone().unwrap_or_else(|| all(&|c| own.mean(c).to_vec()));
        let covariances = self.covariances.clone().unwrap_or_else(|| all(&|c| own.covariance(c)));
        if means.len() != k * d {
            return Err(Error::Usage(format!(
                "{} mean values are given for {k} components of {d} columns",
                means.len()
            )));
        }
        let bank = Gaussian::new(bank.structure(), d, means, covariances)?.map(affine, true)?.with_floor(floor);
        Mixture::new(self.weights.clone().unwrap_or_else(|| start.weights().to_vec()), bank)
    }
}

impl Init {
    /// Whether the user decides which component is which.
    pub(super) fn fixes_order(&self) -> bool {
        matches!(self, Init::Labels | Init::Params(_) | Init::Responsibilities(_) | Init::Assignments(_))
    }
}
