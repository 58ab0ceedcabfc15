//! `mixtura._core`: what the Python package calls. Conversion and dispatch, no mathematics.

mod bayesian;
mod errors;
mod fit;
mod input;
mod kmeans;
mod model;
mod models;
mod own;
mod run;
mod select;
mod teach;

use pyo3::prelude::*;

/// The library behind the Python package `mixtura`; its interface is private to the package.
#[pymodule]
mod _core {
    #[pymodule_export]
    use crate::bayesian::{Posteriors, fit_bayesian};
    #[pymodule_export]
    use crate::fit::fit_gaussian;
    #[pymodule_export]
    use crate::input::{rows_fingerprint, table_columns};
    #[pymodule_export]
    use crate::kmeans::{fit_kmeans, kmeans_distances, kmeans_nearest};
    #[pymodule_export]
    use crate::model::Mixture;
    #[pymodule_export]
    use crate::models::{fit_bernoulli, fit_binomial, fit_censored, fit_genes, fit_linear, fit_probit};
    #[pymodule_export]
    use crate::own::fit_own;
    #[pymodule_export]
    use crate::select::select;
    #[pymodule_export]
    use crate::teach::{lessons, teach};
    #[pymodule_export]
    use crate::{main_from, methods};
}

/// Names of the methods that alternate E and M, the default first, each with what it is.
#[pyfunction]
fn methods() -> Vec<(&'static str, &'static str)> {
    mixtura::catalog::METHODS.iter().map(|(name, _, about)| (*name, *about)).collect()
}

/// Runs the `mixtura` command with these arguments, the program's name first; returns the exit code.
#[pyfunction]
fn main_from(py: Python<'_>, args: Vec<std::ffi::OsString>) -> u8 {
    py.detach(|| mixtura_cli::main_from(args))
}
