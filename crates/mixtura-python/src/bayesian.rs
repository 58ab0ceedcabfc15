//! Variational Bayes: options, priors and arrays in; posteriors, their point estimate and everything known of the fit out.

use std::time::Instant;

use mixtura::catalog;
use mixtura::family::Emission;
use mixtura::family::gaussian::Gaussian;
use mixtura::family::normal_wishart::{NormalWishart, Prior};
use mixtura::fit::{BayesianFit, BayesianModel, Init};
use mixtura::model::{Predict, WeightPosterior};
use numpy::{IntoPyArray, PyReadonlyArray1, PyReadonlyArray2, PyReadonlyArray3, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::fit::{Options, Start, assigned, describe, fitted};
use crate::input::{Cells, matrix};
use crate::model::{Posterior, rows_by};
use crate::run::refusal;

/// The priors of a fit, in the data's own units, as the package has checked them.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Priors<'py> {
    weights: String,
    concentration: f64,
    mean_precision: f64,
    mean: Option<PyReadonlyArray1<'py, f64>>,
    degrees_of_freedom: Option<f64>,
    /// D × D (full, tied), D (diag) or one number (spherical), flat.
    covariance: Option<PyReadonlyArray1<'py, f64>>,
}

/// Posteriors of the parameters of a Gaussian mixture in the data's own units; they never change.
#[pyclass(frozen, module = "mixtura._core")]
pub(crate) struct Posteriors {
    core: BayesianModel,
}

#[pymethods]
impl Posteriors {
    /// `a` and `b` are the weights' concentrations (`b` is empty for a Dirichlet distribution), covariances E\[Λ\]⁻¹ are K × D × D
    /// whatever the structure, degrees of freedom one per covariance.
    #[new]
    #[expect(clippy::too_many_arguments, reason = "they are what a posterior is made of")]
    fn new(
        covariance_type: &str,
        weight_prior: &str,
        a: Vec<f64>,
        b: Vec<f64>,
        means: PyReadonlyArray2<'_, f64>,
        covariances: PyReadonlyArray3<'_, f64>,
        mean_precision: Vec<f64>,
        degrees_of_freedom: Vec<f64>,
    ) -> PyResult<Self> {
        let structure = catalog::structure(covariance_type).map_err(refusal)?;
        let (k, d) = (means.shape()[0], means.shape()[1]);
        let (means, covariances) = (means.as_array(), covariances.as_array());
        let point = Gaussian::new(structure, d, means.iter().copied().collect(), covariances.iter().copied().collect());
        // The prior plays no part in what rows are told, and a fit that starts here brings its own.
        let identity = (0..d * d).map(|n| f64::from(u8::from(n % (d + 1) == 0))).collect();
        let prior = Prior { mean: vec![0.0; d], mean_precision: 1.0, degrees_of_freedom: d as f64, scale: identity };
        let weights = catalog::weight_prior(weight_prior, 1.0).and_then(|prior| WeightPosterior::known(prior, a, b));
        let bank = NormalWishart::new(structure, k, &prior)
            .and_then(|bank| bank.with_posteriors(point?, mean_precision, degrees_of_freedom));
        let core = weights.and_then(|weights| BayesianModel::of(weights, bank?)).map_err(refusal)?;
        Ok(Posteriors { core })
    }

    /// Responsibilities (rows × K) where `keep`, log Σ exp(E\[log π\] + E\[log N\]) in nats, and most probable components.
    #[pyo3(signature = (x, keep, threads=None))]
    fn posterior<'py>(
        &self,
        py: Python<'py>,
        x: Cells<'_>,
        keep: bool,
        threads: Option<usize>,
    ) -> PyResult<Posterior<'py>> {
        rows_by(py, &self.core, self.core.emission().n_features(), (&x, keep, threads))
    }
}

/// Fits the posteriors: from `posteriors` where given, else from the assignments of `start`, else automatically. Returns what
/// [`crate::fit::fit_gaussian`] returns for the point estimate, and the posteriors; its objectives are bounds.
#[pyfunction]
#[pyo3(signature = (x, options, priors, start, posteriors=None, weights=None, labels=None, listener=None))]
#[expect(clippy::too_many_arguments, reason = "a call from Python, by name")]
pub(crate) fn fit_bayesian<'py>(
    py: Python<'py>,
    x: Cells<'_>,
    options: Options,
    priors: Priors<'_>,
    start: Start<'_>,
    posteriors: Option<PyRef<'py, Posteriors>>,
    weights: Option<PyReadonlyArray1<'_, f64>>,
    labels: Option<PyReadonlyArray1<'_, i32>>,
    listener: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let began = Instant::now();
    let rows = x.rows_with(weights.as_ref(), labels.as_ref())?;
    let table = began.elapsed();
    let vector = |a: &Option<PyReadonlyArray1<'_, f64>>| a.as_ref().map(|a| a.as_array().to_vec());
    let mut estimator = options.bayesian().map_err(refusal)?;
    estimator.weight_prior = catalog::weight_prior(&priors.weights, priors.concentration).map_err(refusal)?;
    estimator.mean_precision_prior = priors.mean_precision;
    estimator.mean_prior = vector(&priors.mean);
    estimator.degrees_of_freedom_prior = priors.degrees_of_freedom;
    estimator.covariance_prior = vector(&priors.covariance);
    estimator.start = posteriors.map(|p| Box::new(p.core.clone()));
    if let Some(all) = &start.assignments {
        estimator.init = Init::Assignments(assigned(all));
    }
    fitted(
        (py, options.threads(), listener),
        (&rows, options.case(estimator.structure, table)),
        |prepared, control| estimator.fit_prepared(prepared, control),
        |fit| whole(py, fit, options.seed),
    )
}

/// Everything about a fit that Python shows.
fn whole<'py>(py: Python<'py>, fit: &BayesianFit, seed: u64) -> PyResult<Bound<'py, PyDict>> {
    let out = describe(py, &fit.point, fit.lower_bound, seed)?;
    let (weights, bank) = (fit.posterior.mixing(), fit.posterior.emission());
    let prior = bank.prior();
    let each = |of: &dyn Fn(usize) -> f64| (0..fit.posterior.n_components()).map(of).collect::<Vec<f64>>();
    out.set_item("concentration_a", weights.a().to_vec().into_pyarray(py))?;
    out.set_item("concentration_b", weights.b().to_vec().into_pyarray(py))?;
    out.set_item("mean_precision", each(&|k| bank.mean_precision(k)).into_pyarray(py))?;
    out.set_item("degrees_of_freedom", each(&|k| bank.degrees_of_freedom(k)).into_pyarray(py))?;
    out.set_item("prior_covariance", matrix(py, prior.scale, prior.mean.len())?)?;
    out.set_item("prior_mean", prior.mean.into_pyarray(py))?;
    out.set_item("n_effective", fit.n_effective())?;
    Ok(out)
}
