//! Names of everything that can be chosen, for the faces and for the law suite: the catalog is the list.

use crate::error::{Error, Result};
use crate::family::gaussian::Structure;
use crate::fit::Collapse;
use crate::init::{Space, Start};

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

/// The starts and their names.
pub const STARTS: [(&str, Start); 4] = [
    ("whitened-kmeans", Start::kmeans(Space::Whitened)),
    ("standardized-kmeans", Start::kmeans(Space::Standardized)),
    ("kmeans", Start::kmeans(Space::Original)),
    ("random", Start::RANDOM),
];
