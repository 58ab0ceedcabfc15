//! A model written in Python (`mixtura.EM`), run by the library: the interpreter lock is held all the while, since every step is
//! Python's.

use std::sync::{Arc, Mutex, PoisonError};

use mixtura::fit::{Control, ModelOptions, Record, fit_em};
use mixtura::model::{Em, Unconstrained};
use mixtura::{Error, Result, Seed, catalog};
use numpy::{IntoPyArray, PyReadonlyArray1};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::input::matrix;
use crate::models::certificate;
use crate::run::refusal;

/// The options of a fit, as the package has checked them.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Options {
    method: String,
    max_iter: usize,
    tolerance: f64,
    parameters: bool,
}

/// The author's object behind `mixtura._em.Driver`, and the exception that it raised.
#[derive(Clone)]
struct Author {
    driver: Arc<Py<PyAny>>,
    raised: Arc<Mutex<Option<PyErr>>>,
}

impl Author {
    /// Asks the driver; an exception waits until the run has ended.
    fn ask<T>(&self, work: impl FnOnce(&Bound<'_, PyAny>) -> PyResult<T>) -> Result<T> {
        Python::attach(|py| work(self.driver.bind(py))).map_err(|error| {
            let text = error.to_string();
            self.raised.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            Error::Model(text)
        })
    }
}

/// A list of numbers that the driver gives.
fn numbers(value: &Bound<'_, PyAny>) -> PyResult<Vec<f64>> {
    Ok(value.extract::<PyReadonlyArray1<'_, f64>>()?.as_array().to_vec())
}

/// The author's model at one set of parameters, which nobody changes.
#[derive(Clone)]
struct Model {
    author: Author,
    state: Arc<Py<PyAny>>,
    /// In SQUAREM's coordinates.
    vector: Vec<f64>,
    jumped: bool,
    log_prior: f64,
}

impl Model {
    /// The model of a state, which the driver gives with its vector and log prior.
    fn of(author: &Author, answer: &Bound<'_, PyAny>, jumped: bool) -> PyResult<Self> {
        let (state, vector, log_prior) = answer.extract::<(Py<PyAny>, Bound<'_, PyAny>, f64)>()?;
        Ok(Model { author: author.clone(), state: Arc::new(state), vector: numbers(&vector)?, jumped, log_prior })
    }
}

impl Unconstrained for Model {
    fn to_vector(&self) -> Vec<f64> {
        self.vector.clone()
    }

    fn with_vector(&self, vector: &[f64]) -> Option<Self> {
        let moved = self.author.ask(|driver| {
            let vector = vector.to_vec().into_pyarray(driver.py());
            let answer = driver.call_method1("jump", (&*self.state, vector))?;
            if answer.is_none() { Ok(None) } else { Model::of(&self.author, &answer, true).map(Some) }
        });
        // An exception ends the run at the next E-step.
        moved.ok().flatten()
    }
}

impl Em for Model {
    type Data = ();
    type Stats = Arc<Py<PyAny>>;

    fn e_step(&self, (): &()) -> Result<(Self::Stats, f64)> {
        if self.author.raised.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
            return Err(Error::Interrupted);
        }
        self.author.ask(|driver| {
            let answer = driver.call_method1("e_step", (&*self.state, self.jumped))?;
            let (stats, log_likelihood) = answer.extract::<(Py<PyAny>, f64)>()?;
            Ok((Arc::new(stats), log_likelihood))
        })
    }

    fn m_step(&mut self, stats: &Self::Stats) -> Result<()> {
        *self = self.author.ask(|driver| {
            let answer = driver.call_method1("m_step", (&*self.state, &**stats))?;
            Model::of(&self.author, &answer, false)
        })?;
        Ok(())
    }

    fn log_prior(&self) -> f64 {
        self.log_prior
    }

    /// The author's own numbers, one parameter after the other; no exception can come of flattening them.
    fn parameters(&self) -> Vec<f64> {
        let flat = self.author.ask(|driver| numbers(&driver.call_method1("flat", (&*self.state,))?));
        flat.unwrap_or_default()
    }
}

/// Runs EM from each state that the driver's `begin` gives. Leaves the best state and what is known of the fit.
#[pyfunction]
pub(crate) fn fit_own<'py>(
    py: Python<'py>,
    driver: Bound<'py, PyAny>,
    n_runs: usize,
    options: Options,
) -> PyResult<Bound<'py, PyDict>> {
    let author = Author { driver: Arc::new(driver.clone().unbind()), raised: Arc::default() };
    let starts = (0..n_runs)
        .map(|run| Model::of(&author, &driver.call_method1("begin", (run,))?, false))
        .collect::<PyResult<Vec<_>>>()?;
    let limits = ModelOptions { max_iter: options.max_iter, tolerance: options.tolerance };
    let record = Record { parameters: options.parameters, ..Record::default() };
    let control = Control { record, ..Control::default() };
    let method = catalog::method(&options.method).map_err(refusal)?;
    let fit = fit_em(starts, &(), || method.algorithm(Seed::new(0)), limits, control);
    if let Some(error) = author.raised.lock().unwrap_or_else(PoisonError::into_inner).take() {
        return Err(error);
    }
    let fit = fit.map_err(refusal)?;
    let out = PyDict::new(py);
    out.set_item("state", &*fit.model.state)?;
    out.set_item("status", fit.status.kind.name())?;
    out.set_item("certificate", certificate(py, (&fit.status, &fit.certificate, &fit.trace))?)?;
    out.set_item("n_iter", fit.iterations)?;
    out.set_item("log_likelihood", fit.log_likelihood)?;
    out.set_item("objective", fit.objective)?;
    let remaining: Vec<f64> = fit.trace.nats_remaining.iter().map(|r| r.unwrap_or(f64::NAN)).collect();
    out.set_item("objectives", fit.trace.objective.into_pyarray(py))?;
    out.set_item("nats_remaining", remaining.into_pyarray(py))?;
    let columns = fit.trace.parameters.first().map_or(0, Vec::len);
    out.set_item("parameters", matrix(py, fit.trace.parameters.concat(), columns)?)?;
    Ok(out)
}
