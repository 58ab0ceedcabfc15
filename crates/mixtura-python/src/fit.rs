//! A Gaussian mixture fit: options and arrays in, parameters and everything known of the fit out.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use mixtura::data::Source;
use mixtura::family::gaussian::{Gaussian, Structure};
use mixtura::fit::{self, Assigned, Control, Fit, Given, Init, Iteration, Method, Prepared, Prior, Stop};
use mixtura::persist::{DataRecord, Record};
use mixtura::{BayesianMixture, GaussianMixture, Mixture, Seed, catalog};
use numpy::{IntoPyArray, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::input::{Cells, matrix};
use crate::model::parameters;
use crate::run::{Interruptible, World, run};

/// The options of a fit, as the package has checked them.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Options {
    n_components: usize,
    covariance_type: String,
    /// Nats that may remain.
    tolerance: Option<f64>,
    /// Change of the log-likelihood, in nats, below which plain EM stops: scikit-learn's rule.
    change: Option<f64>,
    /// Log-likelihoods at the start of the last iterations of plain EM that this fit continues.
    history: Vec<f64>,
    reg_covar: Option<f64>,
    prior: Option<PriorOptions>,
    /// Whether E-steps leave nothing out.
    exact: bool,
    max_iter: usize,
    restarts: Option<usize>,
    /// A name of the catalog; `None` = what suits the stop rule.
    method: Option<String>,
    pub(crate) seed: u64,
    /// Iterations between two lines of progress; 0 = none.
    every: usize,
    /// Whether the trace keeps the bound.
    bound: bool,
    threads: Option<usize>,
}

/// A conjugate prior; what is `None` is relative to the data.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct PriorOptions {
    mean: Option<Vec<f64>>,
    mean_precision: f64,
    degrees_of_freedom: Option<f64>,
    /// Flat, of the structure's size.
    covariance: Option<Vec<f64>>,
    weight_concentration: f64,
}

/// Known parameters of the start.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Start<'py> {
    weights: Option<PyReadonlyArray1<'py, f64>>,
    means: Option<PyReadonlyArray2<'py, f64>>,
    /// K × D × D, flat.
    covariances: Option<PyReadonlyArray1<'py, f64>>,
    /// One run from each of these, in place of the automatic start.
    pub(crate) assignments: Option<Vec<Assignment<'py>>>,
}

/// Responsibilities (rows × K), or the component of every row with −1 for none.
#[derive(FromPyObject)]
pub(crate) enum Assignment<'py> {
    Soft(PyReadonlyArray2<'py, f64>),
    Hard(PyReadonlyArray1<'py, i32>),
}

impl Options {
    /// The estimator of these options, from its automatic start.
    pub(crate) fn estimator(&self) -> mixtura::Result<GaussianMixture> {
        let mut estimator = GaussianMixture {
            structure: catalog::structure(&self.covariance_type)?,
            restarts: self.restarts,
            seed: Seed::new(self.seed),
            max_iter: self.max_iter,
            reg_covar: self.reg_covar,
            prior: self.prior.as_ref().map(|p| Prior {
                mean: p.mean.clone(),
                mean_precision: p.mean_precision,
                degrees_of_freedom: p.degrees_of_freedom,
                covariance: p.covariance.clone(),
                weight_concentration: p.weight_concentration,
            }),
            exact: self.exact,
            history: self.history.clone(),
            ..GaussianMixture::new(self.n_components)
        };
        if let Some(tolerance) = self.tolerance {
            estimator.tolerance = tolerance;
        }
        if let Some(tolerance) = self.change {
            estimator.stop = Stop::Change { tolerance };
        }
        if let Some(name) = &self.method {
            estimator.method = catalog::method(name)?;
            // What plain EM gained says nothing of what another method gains.
            if estimator.method != Method::Em {
                estimator.history.clear();
            }
            return Ok(estimator);
        }
        // scikit-learn's rule and a continued run count iterations of plain EM; what is added to variances makes the
        // M-step no maximum of the objective, which an accelerator would climb.
        if self.change.is_some() || !self.history.is_empty() || self.reg_covar.is_some_and(|r| r > 0.0) {
            estimator.method = Method::Em;
        }
        Ok(estimator)
    }

    /// The variational Bayes estimator of these options, with the default priors and an automatic start.
    pub(crate) fn bayesian(&self) -> mixtura::Result<BayesianMixture> {
        let base = self.estimator()?;
        Ok(BayesianMixture {
            structure: base.structure,
            restarts: base.restarts,
            seed: base.seed,
            stop: base.stop,
            history: base.history,
            max_iter: base.max_iter,
            tolerance: base.tolerance,
            reg_covar: base.reg_covar,
            exact: base.exact,
            ..BayesianMixture::new(base.n_components)
        })
    }

    pub(crate) fn threads(&self) -> Option<usize> {
        self.threads
    }

    pub(crate) fn case(&self, structure: Structure, table: Duration) -> Case {
        Case {
            table,
            n_components: self.n_components,
            one_scale: structure == Structure::Spherical,
            seed: Seed::new(self.seed),
            every: self.every,
            bound: self.bound,
        }
    }
}

impl Start<'_> {
    fn given(&self) -> Given {
        let vector = |a: &Option<PyReadonlyArray1<'_, f64>>| a.as_ref().map(|a| a.as_array().to_vec());
        Given {
            weights: vector(&self.weights),
            means: self.means.as_ref().map(|a| a.as_array().iter().copied().collect()),
            covariances: vector(&self.covariances),
        }
    }
}

pub(crate) fn assigned(all: &[Assignment<'_>]) -> Vec<Assigned> {
    let one = |a: &Assignment<'_>| match a {
        Assignment::Soft(a) => Assigned::Soft(a.as_array().iter().copied().collect()),
        Assignment::Hard(a) => Assigned::Hard(a.as_array().to_vec()),
    };
    all.iter().map(one).collect()
}

/// Fits a mixture. Returns its parameters and what is known of the fit; where the user interrupted a fit that has something
/// to show, the exception stands under "interrupt".
#[pyfunction]
#[pyo3(signature = (x, options, start, weights=None, labels=None, listener=None))]
pub(crate) fn fit_gaussian<'py>(
    py: Python<'py>,
    x: Cells<'_>,
    options: Options,
    start: Start<'_>,
    weights: Option<PyReadonlyArray1<'_, f64>>,
    labels: Option<PyReadonlyArray1<'_, i32>>,
    listener: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let began = Instant::now();
    let rows = x.rows_with(weights.as_ref(), labels.as_ref())?;
    let table = began.elapsed();
    let mut estimator = options.estimator().map_err(crate::run::refusal)?;
    let given = start.given();
    match (&start.assignments, given) {
        (None, Given { weights: Some(weights), means: Some(means), covariances: Some(covariances) }) => {
            let bank = Gaussian::new(estimator.structure, x.shape().1, means, covariances);
            let start = bank.and_then(|bank| Mixture::new(weights, bank)).map_err(crate::run::refusal)?;
            estimator.init = Init::Params(Box::new(start));
        }
        (None, given) => estimator.given = given,
        (Some(all), given) => {
            estimator.init = Init::Assignments(assigned(all));
            estimator.given = given;
        }
    }
    let case = options.case(estimator.structure, table);
    fitted(
        (py, options.threads, listener),
        (&rows, case),
        |prepared, control| estimator.fit_prepared(prepared, control),
        |fit| describe(py, fit, fit.objective(), options.seed),
    )
}

/// What every fit says before it begins.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    n_components: usize,
    one_scale: bool,
    seed: Seed,
    every: usize,
    bound: bool,
    /// What it took to make a table of the library from the array: a caller in Rust does the same.
    table: Duration,
}

/// Runs a fit on prepared rows and tells Python what `describe` says of it.
pub(crate) fn fitted<'py, T: Send>(
    (py, threads, listener): (Python<'py>, Option<usize>, Option<&Bound<'py, PyAny>>),
    (rows, case): (&dyn Source, Case),
    fit: impl FnOnce(&Prepared<'_>, Control<'_>) -> mixtura::Result<T> + Send,
    describe: impl FnOnce(&T) -> PyResult<Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyDict>> {
    let outcome = run(py, threads, listener, |world| {
        let began = Instant::now();
        heard(rows, world, case, fit).map(|fit| (fit, case.table + began.elapsed()))
    })?;
    match (outcome.result, outcome.interrupt) {
        (Err(mixtura::Error::Interrupted), Some(error)) => Err(error),
        (Err(error), _) => Err(crate::run::refusal(error)),
        (Ok((fit, took)), interrupt) => {
            let found = describe(&fit)?;
            // What the library itself took: what Python costs on top can be measured.
            found.set_item("seconds", took.as_secs_f64())?;
            found.set_item("interrupt", interrupt)?;
            Ok(found)
        }
    }
}

/// Prepares the rows, then fits with the world listening.
fn heard<T>(
    rows: &dyn Source,
    world: World<'_>,
    case: Case,
    fit: impl FnOnce(&Prepared<'_>, Control<'_>) -> mixtura::Result<T>,
) -> mixtura::Result<T> {
    let rows = Interruptible::new(rows, world);
    let prepared = Prepared::new(&rows, &[], case.one_scale, case.n_components, case.seed)?;
    // From here on an interrupted fit returns what it reached, for which it must read the rows once more.
    rows.deaf.store(true, Ordering::Relaxed);
    let iteration = |at: Iteration| {
        if at.iteration.is_multiple_of(case.every) {
            let left = at.nats_remaining.map_or(String::new(), |r| format!(", about {r:.2e} nats remain"));
            // Nobody listens once the caller has gone, which is no reason to stop.
            let _ = world.lines.send(format!("run {}, iteration {}{left}", at.run, at.iteration));
        }
    };
    let control = Control {
        interrupt: Some(world.interrupt),
        record: fit::Record { bound: case.bound, ..fit::Record::default() },
        iteration: if case.every > 0 { Some(&iteration) } else { None },
        ..Control::default()
    };
    fit(&prepared, control)
}

/// Everything about a fit that Python shows; `reached` is the objective of its parameters in the data's own units.
pub(crate) fn describe<'py>(
    py: Python<'py>,
    fit: &Fit<Mixture<Gaussian>>,
    reached: f64,
    seed: u64,
) -> PyResult<Bound<'py, PyDict>> {
    let out = parameters(py, &fit.model)?;
    // Objectives in the data's own units; the last one is that of the returned parameters.
    let shift = reached - fit.trace.objective.last().copied().unwrap_or(reached);
    let objective: Vec<f64> = fit.trace.objective.iter().map(|o| o + shift).collect();
    let remaining: Vec<f64> = fit.trace.nats_remaining.iter().map(|r| r.unwrap_or(f64::NAN)).collect();
    // The bound moves with the units as the log-likelihood does, the divergence not at all.
    let halves = fit
        .trace
        .half_steps
        .iter()
        .flat_map(|half| [half.log_likelihood + shift, half.bound.lower_bound + shift, half.bound.divergence]);
    let halves: Vec<f64> = halves.collect();
    let data = DataRecord {
        source: "Python".to_owned(),
        n_rows: fit.n_rows,
        total_weight: fit.total_weight,
        fingerprint: String::new(),
        shift: fit.affine.shift.clone(),
        scale: fit.affine.scale.clone(),
    };
    let record = serde_json::to_string(&Record::of(fit, seed, data, Vec::new()));
    out.set_item("status", fit.status.kind.name())?;
    out.set_item("detail", &fit.status.detail)?;
    out.set_item("n_iter", fit.iterations)?;
    out.set_item("log_likelihood", fit.log_likelihood)?;
    out.set_item("total_weight", fit.total_weight)?;
    out.set_item("bic", fit.bic())?;
    out.set_item("aic", fit.aic())?;
    out.set_item("icl", fit.icl())?;
    out.set_item("n_parameters", fit.n_free_parameters)?;
    out.set_item("objective", objective.into_pyarray(py))?;
    out.set_item("nats_remaining", remaining.into_pyarray(py))?;
    out.set_item("bound", matrix(py, halves, 3)?)?;
    out.set_item("record", record.map_err(|e| PyValueError::new_err(e.to_string()))?)?;
    Ok(out)
}
