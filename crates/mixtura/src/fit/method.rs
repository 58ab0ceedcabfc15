//! The one place where a method's name becomes the algorithm that a run uses.

use crate::algorithm::{
    Algorithm, Anderson, Batch, Ecm, Ecme, Generalized, Incremental, Polished, Sparse, Squarem, Stepwise,
};
use crate::model::{LatentModel, Posterior, Unconstrained};
use crate::seed::Seed;

/// How E- and M-steps alternate in the long runs; [`crate::catalog::METHODS`] has the names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Plain EM.
    Em,
    /// Guarded squared extrapolation: the same optima in fewer E-steps.
    Squarem,
    /// Guarded Anderson acceleration: extrapolation from the last few iterations together.
    Anderson,
    /// A few passes of stepwise EM, then as `Squarem`: for many rows and starts that are far off, and for a saved model that
    /// should follow new rows.
    Stepwise,
    /// A few passes of incremental EM, then as `Squarem`: many rows.
    Incremental,
    /// Some iterations of sparse EM, then as `Squarem`: mixtures of many components.
    Sparse,
    /// EM with M-steps that go half of the way.
    Generalized,
    /// Conditional M-steps, an E-step before each: the multicycle form of ECM.
    Ecm,
    /// ECM with one block (a mixture's weights) at the maximum of the objective itself.
    Ecme,
}

/// Passes of stepwise EM before SQUAREM takes over: later ones gain less than SQUAREM does.
const STEPWISE_PASSES: usize = 2;
/// Passes of incremental EM before SQUAREM takes over.
const INCREMENTAL_PASSES: usize = 5;
/// Iterations of sparse EM before SQUAREM takes over: four searches and what follows them.
const SPARSE_PASSES: usize = 20;

impl Method {
    /// The algorithm for one run, with settings that suit most data; `seed` is of all that is random in it.
    ///
    /// ```
    /// use mixtura::fit::{Method, ModelOptions, fit_model};
    /// use mixtura::{Mixture, Seed, data::Dense, family::gaussian::{Gaussian, Structure}};
    /// let rows = Dense::new(vec![0.1, -0.2, 0.0, 0.3, 8.1, 7.9, 8.0, 8.2], 1)?;
    /// let start = Mixture::equal(Gaussian::new(Structure::Tied, 1, vec![0.0, 1.0], vec![1.0; 2])?);
    /// let method = || Method::Anderson.algorithm(Seed::new(0));
    /// let fit = fit_model(vec![start], &rows, method, ModelOptions::default(), Default::default())?;
    /// assert_eq!(fit.certificate.restarts_at_best, 1);
    /// # Ok::<(), mixtura::Error>(())
    /// ```
    pub fn algorithm<'a, M>(self, seed: Seed) -> Box<dyn Algorithm<M> + Send + 'a>
    where
        M: LatentModel + Unconstrained + 'a,
    {
        match self {
            Method::Em => Box::new(Batch(Posterior::Soft)),
            Method::Squarem => Box::new(Squarem::default()),
            Method::Anderson => Box::new(Anderson::default()),
            Method::Stepwise => Box::new(Polished::new(Stepwise::usual(seed), STEPWISE_PASSES)),
            Method::Incremental => Box::new(Polished::new(Incremental::new(seed), INCREMENTAL_PASSES)),
            Method::Sparse => Box::new(Polished::new(Sparse::default(), SPARSE_PASSES)),
            Method::Generalized => Box::new(Generalized::default()),
            Method::Ecm => Box::new(Ecm::Multicycle),
            Method::Ecme => Box::new(Ecme::default()),
        }
    }
}
