//! Textbook models: arrays in, estimates and everything known of the fit out.

use mixtura::fit::textbook::{self, Search, TextbookFit};
use mixtura::fit::{Certificate, Control, ModelOptions, Status, Trace};
use mixtura::infer::{Answer, Question};
use mixtura::model::censored::Sample;
use mixtura::model::genetics::GeneTable;
use mixtura::model::probit;
use mixtura::{Result, Seed, catalog};
use numpy::{IntoPyArray, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::errors::Asked;
use crate::input::{Cells, matrix};
use crate::run::{refusal, run};

/// The options of a search, as the package has checked them.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Options {
    restarts: usize,
    method: String,
    max_iter: usize,
    tolerance: f64,
    seed: u64,
    threads: Option<usize>,
    /// Names of the columns, for messages.
    names: Vec<String>,
    /// Standard errors that are asked for beside the estimates.
    errors: Option<Asked>,
}

impl Options {
    /// Fits on threads of its own.
    fn search<M: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&Search, Control<'_>) -> Result<TextbookFit<M>> + Send,
    ) -> PyResult<TextbookFit<M>> {
        let limits = ModelOptions { max_iter: self.max_iter, tolerance: self.tolerance };
        let method = catalog::method(&self.method).map_err(refusal)?;
        let search = Search { restarts: self.restarts, seed: Seed::new(self.seed), method, limits };
        run(py, self.threads, None, |world| {
            work(&search, Control { interrupt: Some(world.interrupt), ..Control::default() })
        })?
        .whole()
    }
}

impl Options {
    /// Adds standard errors, where they are asked for.
    fn errors<'py>(
        &self,
        out: &Bound<'py, PyDict>,
        rows: usize,
        work: impl FnOnce(&Question, Control<'_>) -> Result<Answer> + Send,
    ) -> PyResult<()> {
        match &self.errors {
            Some(asked) => out.set_item("errors", asked.answer(out.py(), rows, work)?),
            None => Ok(()),
        }
    }
}

/// What is known of a fit of any model but a Gaussian mixture.
pub(crate) fn certificate<'py>(
    py: Python<'py>,
    (status, known, trace): (&Status, &Certificate, &Trace),
) -> PyResult<Bound<'py, PyDict>> {
    let out = PyDict::new(py);
    let modes: Vec<(f64, usize)> = known.modes.iter().map(|m| (m.objective, m.count)).collect();
    out.set_item("detail", &status.detail)?;
    out.set_item("monotone", known.monotone)?;
    out.set_item("largest_decrease", known.largest_decrease)?;
    out.set_item("decrease_iteration", trace.largest_fall().map(|(t, _)| t))?;
    out.set_item("nats_remaining", known.nats_remaining)?;
    out.set_item("restarts", known.restarts.clone())?;
    out.set_item("restarts_at_best", known.restarts_at_best)?;
    out.set_item("modes", modes)?;
    out.set_item("chance_of_better", known.chance_of_better)?;
    Ok(out)
}

/// What every model's fit says.
fn describe<'py, M>(py: Python<'py>, found: &TextbookFit<M>) -> PyResult<Bound<'py, PyDict>> {
    let (out, fit) = (PyDict::new(py), &found.fit);
    out.set_item("status", fit.status.kind.name())?;
    out.set_item("certificate", certificate(py, (&fit.status, &fit.certificate, &fit.trace))?)?;
    out.set_item("n_iter", fit.iterations)?;
    out.set_item("log_likelihood", fit.log_likelihood)?;
    out.set_item("n_parameters", found.n_free_parameters)?;
    out.set_item("aic", found.aic())?;
    out.set_item("bic", found.bic())?;
    Ok(out)
}

/// Fits coins: rows are (heads, flips), or heads where every row has `flips`.
#[pyfunction]
#[pyo3(signature = (x, flips, n_components, equal_weights, options, weights=None))]
pub(crate) fn fit_binomial<'py>(
    py: Python<'py>,
    x: Cells<'_>,
    flips: Option<u32>,
    n_components: usize,
    equal_weights: bool,
    options: Options,
    weights: Option<PyReadonlyArray1<'_, f64>>,
) -> PyResult<Bound<'py, PyDict>> {
    let rows = x.rows_with(weights.as_ref(), None)?;
    let found = options.search(py, |search, control| {
        textbook::binomial(&rows, flips, n_components, equal_weights, &options.names, search, control)
    })?;
    let (out, model) = (describe(py, &found)?, &found.fit.model);
    out.set_item("weights", model.weights().to_vec().into_pyarray(py))?;
    out.set_item("probabilities", model.emission().probabilities().to_vec().into_pyarray(py))?;
    options.errors(&out, found.n_rows, |q, control| q.coins(model, equal_weights, &rows, control))?;
    Ok(out)
}

/// Fits latent classes of 0/1 columns.
#[pyfunction]
#[pyo3(signature = (x, n_components, options, weights=None))]
pub(crate) fn fit_bernoulli<'py>(
    py: Python<'py>,
    x: Cells<'_>,
    n_components: usize,
    options: Options,
    weights: Option<PyReadonlyArray1<'_, f64>>,
) -> PyResult<Bound<'py, PyDict>> {
    let rows = x.rows_with(weights.as_ref(), None)?;
    let found = options
        .search(py, |search, control| textbook::bernoulli(&rows, n_components, &options.names, search, control))?;
    let (out, model) = (describe(py, &found)?, &found.fit.model);
    let all = (0..n_components).flat_map(|k| model.emission().probabilities(k).to_vec()).collect();
    out.set_item("weights", model.weights().to_vec().into_pyarray(py))?;
    out.set_item("probabilities", matrix(py, all, x.shape().1)?)?;
    options.errors(&out, found.n_rows, |q, control| q.classes(model, &rows, &options.names, control))?;
    Ok(out)
}

/// Fits regressions of the last column on the others.
#[pyfunction]
#[pyo3(signature = (x, n_components, intercept, options, weights=None))]
pub(crate) fn fit_linear<'py>(
    py: Python<'py>,
    x: Cells<'_>,
    n_components: usize,
    intercept: bool,
    options: Options,
    weights: Option<PyReadonlyArray1<'_, f64>>,
) -> PyResult<Bound<'py, PyDict>> {
    let rows = x.rows_with(weights.as_ref(), None)?;
    let found = options.search(py, |search, control| {
        textbook::linear(&rows, n_components, intercept, &options.names, search, control)
    })?;
    let (out, model) = (describe(py, &found)?, &found.fit.model);
    let bank = model.emission();
    let level = |k| if intercept { bank.coefficients(k)[0] } else { 0.0 };
    let each = || 0..n_components;
    out.set_item("weights", model.weights().to_vec().into_pyarray(py))?;
    out.set_item("coef", matrix(py, each().flat_map(|k| bank.slopes(k).to_vec()).collect(), bank.n_covariates())?)?;
    out.set_item("intercept", each().map(level).collect::<Vec<f64>>().into_pyarray(py))?;
    out.set_item("sigma", each().map(|k| bank.variance(k).sqrt()).collect::<Vec<f64>>().into_pyarray(py))?;
    options.errors(&out, found.n_rows, |q, control| q.lines(model, &rows, &options.names, control))?;
    Ok(out)
}

/// Counts genes: a table's text in; alleles, frequencies and (phenotype, genotype, expected count) out.
#[pyfunction]
pub(crate) fn fit_genes<'py>(py: Python<'py>, table: &str, options: Options) -> PyResult<Bound<'py, PyDict>> {
    let table = GeneTable::from_text(table).map_err(refusal)?;
    let found = options.search(py, |search, control| textbook::genes(&table, search, control))?;
    let (out, model) = (describe(py, &found)?, &found.fit.model);
    let expected = model.completed(table.counts()).map_err(refusal)?;
    let of = |phenotype: &str, cell: usize| (phenotype.to_owned(), model.cells()[cell].name.clone(), expected[cell]);
    let genotypes: Vec<_> =
        model.categories().iter().flat_map(|c| c.cells.iter().map(|&cell| of(&c.name, cell))).collect();
    out.set_item("alleles", model.names().to_vec())?;
    out.set_item("frequencies", model.values().to_vec().into_pyarray(py))?;
    out.set_item("genotypes", genotypes)?;
    options.errors(&out, found.n_rows, |q, control| q.genes(model, &table, control))?;
    Ok(out)
}

/// Fits a law to rows of (lower, upper); infinite or NaN ends are open.
#[pyfunction]
#[pyo3(signature = (bounds, normal, options, weights=None))]
pub(crate) fn fit_censored<'py>(
    py: Python<'py>,
    bounds: PyReadonlyArray2<'_, f64>,
    normal: bool,
    options: Options,
    weights: Option<PyReadonlyArray1<'_, f64>>,
) -> PyResult<Bound<'py, PyDict>> {
    let rows: Vec<[f64; 2]> = bounds.as_array().rows().into_iter().map(|r| [r[0], r[1]]).collect();
    let weights = weights.map(|w| w.as_array().to_vec());
    let sample = Sample::new(&rows, weights.as_deref()).map_err(refusal)?;
    if normal {
        let found = options.search(py, |search, control| textbook::censored_normal(&sample, search, control))?;
        let (out, model) = (describe(py, &found)?, &found.fit.model);
        out.set_item("mu", model.mu())?;
        out.set_item("sigma", model.sigma())?;
        options.errors(&out, found.n_rows, |q, control| q.censored_normal(model, &sample, control))?;
        Ok(out)
    } else {
        let found = options.search(py, |search, control| textbook::censored_extreme_value(&sample, search, control))?;
        let (out, model) = (describe(py, &found)?, &found.fit.model);
        out.set_item("mu", model.mu())?;
        out.set_item("sigma", model.sigma())?;
        options.errors(&out, found.n_rows, |q, control| q.censored_extreme_value(model, &sample, control))?;
        Ok(out)
    }
}

/// Fits a probit regression of the last column on the others.
#[pyfunction]
#[pyo3(signature = (x, options, weights=None))]
pub(crate) fn fit_probit<'py>(
    py: Python<'py>,
    x: Cells<'_>,
    options: Options,
    weights: Option<PyReadonlyArray1<'_, f64>>,
) -> PyResult<Bound<'py, PyDict>> {
    let rows = x.rows_with(weights.as_ref(), None)?;
    let last = x.shape().1 - 1;
    let found = options.search(py, |search, control| {
        textbook::probit(&probit::Responses::new(&rows, last, &options.names)?, search, control)
    })?;
    let out = describe(py, &found)?;
    let model = &found.fit.model;
    out.set_item("coefficients", model.coefficients().to_vec().into_pyarray(py))?;
    options.errors(&out, found.n_rows, |q, control| {
        let data = probit::Responses::new(&rows, last, &options.names)?;
        q.probit(model, &data, &options.names[..options.names.len().min(last)], control)
    })?;
    Ok(out)
}
