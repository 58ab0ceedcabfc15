//! Names of everything that can be chosen, for the faces and for the law suite: the catalog is the list.

use crate::error::{Error, Result};
use crate::family::gaussian::Structure;
use crate::fit::{Collapse, Method};
use crate::model::WeightPrior;

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

/// The methods of the long runs and their names.
pub const METHODS: [(&str, Method); 3] =
    [("squarem", Method::Squarem), ("em", Method::Em), ("stepwise", Method::Stepwise)];

/// The priors of mixing weights and their names (scikit-learn's); each takes a concentration.
pub const WEIGHT_PRIORS: [(&str, fn(f64) -> WeightPrior); 2] =
    [("dirichlet_process", WeightPrior::Process), ("dirichlet_distribution", WeightPrior::Dirichlet)];
