//! A mixture as Python holds it: parameters in, per-row results and other mixtures out.

use mixtura::data::{Buffer, CHUNK_ROWS, Source};
use mixtura::family::Emission;
use mixtura::family::gaussian::Gaussian;
use mixtura::fit::Prior;
use mixtura::infer::gaussian_stationarity;
use mixtura::model::{LatentModel, Predict, most_probable};
use mixtura::persist::{Record, SavedModel};
use mixtura::query::Conditioner;
use mixtura::{Mixture as Core, Seed, catalog};
use numpy::{IntoPyArray, PyArray1, PyArray2, PyReadonlyArray1, PyReadonlyArray2, PyReadonlyArray3};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use rayon::prelude::*;

use crate::errors::{self, Asked};
use crate::input::{Cells, matrix};
use crate::run::{Interruptible, refusal, run};

/// A Gaussian mixture in the data's own units; it never changes.
#[pyclass(frozen, module = "mixtura._core")]
pub(crate) struct Mixture {
    core: Core<Gaussian>,
}

/// Parameters as arrays: the structure's name, weights (K), means (K × D) and covariances (K × D × D, whatever the
/// structure).
pub(crate) fn parameters<'py>(py: Python<'py>, core: &Core<Gaussian>) -> PyResult<Bound<'py, PyDict>> {
    use numpy::PyArrayMethods;
    let bank = core.emission();
    let (k, d) = (bank.n_components(), bank.n_features());
    let means: Vec<f64> = (0..k).flat_map(|c| bank.mean(c).to_vec()).collect();
    let covariances: Vec<f64> = (0..k).flat_map(|c| bank.covariance(c)).collect();
    let out = PyDict::new(py);
    out.set_item("covariance_type", bank.structure().name())?;
    out.set_item("weights", core.weights().to_vec().into_pyarray(py))?;
    out.set_item("means", matrix(py, means, d)?)?;
    out.set_item("covariances", covariances.into_pyarray(py).reshape([k, d, d])?)?;
    Ok(out)
}

/// Rows × K responsibilities, or nothing, and one log-density per row.
struct Rowwise {
    resp: Vec<f64>,
    log_density: Vec<f64>,
    labels: Vec<i64>,
}

/// One pass over the rows, chunks in parallel; N × K numbers only where `keep` asks for them.
fn rowwise<M: Predict>(core: &M, rows: &dyn Source, keep: bool) -> mixtura::Result<Rowwise> {
    let (n, k) = (rows.n_rows(), core.n_components());
    let mut out =
        Rowwise { resp: vec![0.0; if keep { n * k } else { 0 }], log_density: vec![0.0; n], labels: vec![0; n] };
    let chunks: Vec<(&mut [f64], &mut [f64], &mut [i64])> = {
        let mut resp = out.resp.chunks_mut(CHUNK_ROWS * k);
        let rest = out.log_density.chunks_mut(CHUNK_ROWS).zip(out.labels.chunks_mut(CHUNK_ROWS));
        rest.map(|(l, labels)| (resp.next().unwrap_or_default(), l, labels)).collect()
    };
    chunks.into_par_iter().enumerate().try_for_each_init(
        || (Buffer::default(), core.scratch(), Vec::new()),
        |(buffer, scratch, local), (id, (resp, log_density, labels))| -> mixtura::Result<()> {
            let chunk = rows.read(id, buffer)?;
            let resp: &mut [f64] = if keep {
                resp
            } else {
                local.resize(log_density.len() * k, 0.0);
                local
            };
            core.posterior(chunk, scratch, resp, log_density);
            for (label, row) in labels.iter_mut().zip(resp.chunks(k)) {
                *label = most_probable(row) as i64;
            }
            Ok(())
        },
    )?;
    Ok(out)
}

/// What [`rows_by`] returns: responsibilities (rows × K) where asked for, log-densities, most probable components.
pub(crate) type Posterior<'py> =
    (Option<Bound<'py, PyArray2<f64>>>, Bound<'py, PyArray1<f64>>, Bound<'py, PyArray1<i64>>);

/// Rows and their components.
type Drawn<'py> = (Bound<'py, PyArray2<f64>>, Bound<'py, PyArray1<i64>>);

#[pymethods]
impl Mixture {
    /// Covariances are K × D × D, whatever the structure.
    #[new]
    fn new(
        covariance_type: &str,
        weights: PyReadonlyArray1<'_, f64>,
        means: PyReadonlyArray2<'_, f64>,
        covariances: PyReadonlyArray3<'_, f64>,
    ) -> PyResult<Self> {
        use numpy::PyUntypedArrayMethods;
        let structure = catalog::structure(covariance_type).map_err(refusal)?;
        let d = means.shape()[1];
        let to_vec = |values: numpy::ndarray::ArrayViewD<'_, f64>| values.iter().copied().collect::<Vec<f64>>();
        let (means, covariances) = (means.as_array().into_dyn(), covariances.as_array().into_dyn());
        let bank = Gaussian::new(structure, d, to_vec(means), to_vec(covariances)).map_err(refusal)?;
        let core = Core::new(weights.as_array().to_vec(), bank).map_err(refusal)?;
        Ok(Mixture { core })
    }

    /// Responsibilities (rows × K) where `keep`, log-densities in nats, and most probable components.
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

    /// Mahalanobis distance of every row to every component (rows × K), of the observed cells.
    fn mahalanobis<'py>(&self, py: Python<'py>, x: Cells<'_>) -> PyResult<Bound<'py, PyArray2<f64>>> {
        same_columns(x.shape().1, self.core.emission().n_features())?;
        let rows = x.rows()?;
        let work = run(py, Some(1), None, |world| {
            let mut conditioner = Conditioner::new(&self.core);
            let mut out = Vec::new();
            let mut refused = None;
            mixtura::data::for_each_row(&Interruptible::new(&rows, world), |_, row, _, _| match conditioner.at(row) {
                Ok(found) => out.extend_from_slice(found.distances()),
                Err(error) => refused = Some(error),
            })?;
            refused.map_or(Ok(out), Err)
        })?;
        matrix(py, work.whole()?, self.core.weights().len())
    }

    /// Draws rows (n × D) and their components.
    fn sample<'py>(&self, py: Python<'py>, n: usize, seed: u64) -> PyResult<Drawn<'py>> {
        let d = self.core.emission().n_features();
        let mut rows = vec![0.0; n * d];
        let mut rng = Seed::new(seed).rng();
        let drawn = rows.chunks_mut(d).map(|row| self.core.sample(&mut rng, row) as i64);
        let components: Vec<i64> = drawn.collect();
        Ok((matrix(py, rows, d)?, components.into_pyarray(py)))
    }

    /// The mixture of some columns.
    fn marginal(&self, columns: Vec<usize>) -> PyResult<Self> {
        Ok(Mixture { core: self.core.marginal(&columns).map_err(refusal)? })
    }

    /// The mixture of the other columns given the values of some.
    fn condition(&self, given: Vec<(usize, f64)>) -> PyResult<Self> {
        Ok(Mixture { core: self.core.condition(&given).map_err(refusal)? })
    }

    /// Standard errors of the parameters for the rows of the fit, whose columns may be named.
    #[allow(clippy::too_many_arguments, reason = "Python's keyword arguments")]
    #[pyo3(signature = (x, asked, columns, record=None, weights=None, labels=None))]
    fn errors<'py>(
        &self,
        py: Python<'py>,
        x: Cells<'_>,
        asked: Asked,
        columns: Vec<String>,
        record: Option<&str>,
        weights: Option<PyReadonlyArray1<'_, f64>>,
        labels: Option<PyReadonlyArray1<'_, i32>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let rows = x.rows_with(weights.as_ref(), labels.as_ref())?;
        let prior = self.prior(record)?;
        asked.answer(py, rows.n_rows(), |question, control| {
            question.gaussian(&self.core, prior.as_ref(), &rows, &columns, control)
        })
    }

    /// What kind of point the mixture is for these rows: optimum, saddle, ridge, or not stationary.
    #[pyo3(signature = (x, columns, record=None, weights=None, labels=None))]
    fn point<'py>(
        &self,
        py: Python<'py>,
        x: Cells<'_>,
        columns: Vec<String>,
        record: Option<&str>,
        weights: Option<PyReadonlyArray1<'_, f64>>,
        labels: Option<PyReadonlyArray1<'_, i32>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let rows = x.rows_with(weights.as_ref(), labels.as_ref())?;
        let prior = self.prior(record)?;
        let found = run(py, None, None, |world| {
            gaussian_stationarity(&self.core, prior.as_ref(), &Interruptible::new(&rows, world), &columns)
        })?;
        errors::point(py, &found.whole()?)
    }

    /// Number of free parameters.
    fn n_free_parameters(&self) -> usize {
        self.core.n_free_parameters()
    }

    /// The structure's name, weights, means and covariances (K × D × D).
    fn parameters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        parameters(py, &self.core)
    }

    /// A model file: JSON. `record` is what a fit gave, or a sentence that says where a model without one comes from.
    fn to_json(&self, columns: Vec<String>, record: Option<&str>, origin: &str) -> PyResult<String> {
        if columns.len() != self.core.emission().n_features() {
            return Err(PyValueError::new_err(format!(
                "{} column names are given for {} columns",
                columns.len(),
                self.core.emission().n_features()
            )));
        }
        let mut saved = SavedModel { model: self.core.clone(), columns, record: Record::default() };
        match record {
            Some(text) => {
                saved.record = serde_json::from_str(text)
                    .map_err(|e| PyValueError::new_err(format!("the record of the fit is damaged: {e}")))?;
            }
            None => saved = saved.derive(saved.model.clone(), saved.columns.clone(), origin.to_owned()),
        }
        Ok(saved.to_json())
    }

    /// A model file's mixture, column names and record.
    #[staticmethod]
    fn from_json(text: &str) -> PyResult<(Self, Vec<String>, String)> {
        let saved = SavedModel::from_json(text).map_err(refusal)?;
        let record = serde_json::to_string(&saved.record).map_err(|e| PyValueError::new_err(e.to_string()))?;
        Ok((Mixture { core: saved.model }, saved.columns, record))
    }
}

impl Mixture {
    /// The prior of the fit that a record tells of.
    fn prior(&self, record: Option<&str>) -> PyResult<Option<Prior>> {
        let Some(text) = record else { return Ok(None) };
        let record: Record = serde_json::from_str(text)
            .map_err(|e| PyValueError::new_err(format!("the record of the fit is damaged: {e}")))?;
        Ok(record.prior.map(|p| p.prior(self.core.emission().structure())))
    }
}

/// Every row through the E-step of a model of `d` columns; responsibilities only where `keep` asks for them.
pub(crate) fn rows_by<'py, M: Predict>(
    py: Python<'py>,
    model: &M,
    d: usize,
    (x, keep, threads): (&Cells<'_>, bool, Option<usize>),
) -> PyResult<Posterior<'py>> {
    same_columns(x.shape().1, d)?;
    let rows = x.rows()?;
    let work = run(py, threads, None, |world| rowwise(model, &Interruptible::new(&rows, world), keep))?;
    let found = work.whole()?;
    let resp = keep.then(|| matrix(py, found.resp, model.n_components())).transpose()?;
    Ok((resp, found.log_density.into_pyarray(py), found.labels.into_pyarray(py)))
}

fn same_columns(d: usize, own: usize) -> PyResult<()> {
    if d == own {
        return Ok(());
    }
    Err(PyValueError::new_err(format!("the rows have {d} columns, the model {own}")))
}
