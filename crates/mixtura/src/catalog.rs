//! Names of everything that can be chosen, for the faces and for the law suite: the catalog is the list.

use crate::error::{Error, Result};
use crate::family::gaussian::Structure;
use crate::fit::{Collapse, Method};
use crate::model::WeightPrior;

/// The families of component distributions that a mixture may have.
pub const FAMILIES: [&str; 4] = ["gaussian", "binomial", "bernoulli", "linear"];

/// The covariance structure of a name.
///
/// # Errors
/// If there is none, with the names there are.
pub fn structure(name: &str) -> Result<Structure> {
    Structure::ALL.into_iter().find(|s| s.name() == name).ok_or_else(|| {
        let names: Vec<&str> = Structure::ALL.iter().map(|s| s.name()).collect();
        Error::Usage(format!("there is no covariance structure '{name}': use one of {}", names.join(", ")))
    })
}

/// The collapse policies and their names.
pub const COLLAPSE: [(&str, Collapse); 4] =
    [("floor", Collapse::Floor), ("reset", Collapse::Reset), ("drop", Collapse::Drop), ("refuse", Collapse::Refuse)];

/// The methods of the long runs: name, method, and what it is in one line. The first is the default.
pub const METHODS: &[(&str, Method, &str)] = &[
    ("squarem", Method::Squarem, "EM with guarded extrapolation: the same optima in fewer passes"),
    ("anderson", Method::Anderson, "guarded extrapolation from the last few passes together"),
    ("em", Method::Em, "plain EM"),
    (
        "stepwise",
        Method::Stepwise,
        "two passes of stepwise (online) EM, then squarem: many rows, or a saved model and new rows",
    ),
    ("incremental", Method::Incremental, "five passes of incremental EM, then squarem: many rows"),
    ("sparse", Method::Sparse, "twenty iterations of sparse EM, then squarem: mixtures of many components"),
    ("generalized", Method::Generalized, "EM with M-steps that go half of the way: a damper, slower than EM"),
    ("ecm", Method::Ecm, "conditional M-steps, an E-step before each"),
    ("ecme", Method::Ecme, "as ecm, with the weights at the maximum of the likelihood itself"),
    (
        "entropy",
        Method::Entropy,
        "entropy-regularised EM, then squarem: K is the most there can be, surplus components of a mixture leave",
    ),
    ("split-merge", Method::SplitMerge, "squarem, then moves that merge and split components: Gaussian mixtures"),
    (
        "cem",
        Method::Cem,
        "classification EM: every row to its most probable component; biased where components overlap",
    ),
    ("sem", Method::Sem, "stochastic EM, 20 passes and the mean of 30 more, then squarem"),
    ("mcem", Method::MonteCarlo, "Monte Carlo EM, 20 passes with 1 to 20 draws a row, then squarem"),
    ("saem", Method::Approximation, "stochastic approximation EM, 20 passes and 30 of shrinking steps, then squarem"),
    ("annealing", Method::Annealing, "deterministic annealing, 10 passes of beta from 0.5 to 1, then squarem"),
    ("thresholded", Method::Thresholded, "10 passes without responsibilities below 0.01, then squarem"),
];

/// The method of a name.
///
/// # Errors
/// If there is none, with the names there are.
pub fn method(name: &str) -> Result<Method> {
    METHODS.iter().find(|m| m.0 == name).map(|m| m.1).ok_or_else(|| {
        let names: Vec<&str> = METHODS.iter().map(|m| m.0).collect();
        Error::Usage(format!("there is no method '{name}': use one of {}", names.join(", ")))
    })
}

/// The names of the priors of mixing weights (scikit-learn's).
pub const WEIGHT_PRIORS: [&str; 2] = ["dirichlet_process", "dirichlet_distribution"];

/// The weight prior of a name, with its concentration.
///
/// # Errors
/// If there is none, with the names there are.
pub fn weight_prior(name: &str, concentration: f64) -> Result<WeightPrior> {
    match WEIGHT_PRIORS.iter().position(|n| *n == name) {
        Some(0) => Ok(WeightPrior::Process(concentration)),
        Some(_) => Ok(WeightPrior::Dirichlet(concentration)),
        None => {
            Err(Error::Usage(format!("there is no weight prior '{name}': use one of {}", WEIGHT_PRIORS.join(", "))))
        }
    }
}
