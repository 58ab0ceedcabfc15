//! Choosing the number of components and the structure: a grid in, a table and the chosen fit out.

use mixtura::catalog;
use mixtura::fit::{Control, Criterion, Grid};
use numpy::PyReadonlyArray1;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::fit::{Options, describe};
use crate::input::Cells;
use crate::run::{Interruptible, refusal, run};

/// The table, the position of the chosen candidate and its fit.
type Chosen<'py> = (Vec<Bound<'py, PyDict>>, usize, Bound<'py, PyDict>);

/// Fits every candidate. Returns the table (one dictionary per candidate), the position of the chosen one and its fit.
#[pyfunction]
#[pyo3(signature = (x, options, ks, covariance_types, criterion, weights=None))]
pub(crate) fn select<'py>(
    py: Python<'py>,
    x: Cells<'_>,
    options: Options,
    ks: Vec<usize>,
    covariance_types: Vec<String>,
    criterion: &str,
    weights: Option<PyReadonlyArray1<'_, f64>>,
) -> PyResult<Chosen<'py>> {
    let rows = x.rows_with(weights.as_ref(), None)?;
    let estimator = options.estimator().map_err(refusal)?;
    let structures: Vec<_> =
        covariance_types.iter().map(|name| catalog::structure(name)).collect::<Result<_, _>>().map_err(refusal)?;
    let Some(criterion) = Criterion::ALL.into_iter().find(|c| c.name() == criterion) else {
        let names: Vec<&str> = Criterion::ALL.iter().map(|c| c.name()).collect();
        return Err(PyValueError::new_err(format!(
            "there is no criterion '{criterion}': use one of {}",
            names.join(", ")
        )));
    };
    let grid = Grid { criterion, ..Grid::new(&ks, &structures) };
    let work = run(py, options.threads(), None, |world| {
        let rows = Interruptible::new(&rows, world);
        let control = Control { interrupt: Some(world.interrupt), ..Control::default() };
        estimator.select(&rows, &[], &grid, control)
    })?;
    let selection = work.whole()?;
    let mut table = Vec::new();
    for candidate in &selection.candidates {
        let row = PyDict::new(py);
        row.set_item("n_components", candidate.n_components)?;
        row.set_item("covariance_type", candidate.structure.name())?;
        let fit = candidate.outcome.as_ref().ok();
        row.set_item("n_parameters", fit.map(|f| f.n_free_parameters))?;
        row.set_item("log_likelihood", fit.map(|f| f.log_likelihood))?;
        row.set_item("bic", fit.map(|f| f.bic()))?;
        row.set_item("icl", fit.map(|f| f.icl()))?;
        row.set_item("aic", fit.map(|f| f.aic()))?;
        if !matches!(criterion, Criterion::Bic | Criterion::Icl | Criterion::Aic | Criterion::Blrt) {
            row.set_item(criterion.name(), criterion.value(candidate))?;
        }
        row.set_item("status", fit.map(|f| f.status.kind.name()))?;
        row.set_item("note", candidate.note())?;
        table.push(row);
    }
    let best = selection.best;
    let fit = selection.candidates[best].outcome.as_ref().map_err(|e| refusal(e.clone()))?;
    Ok((table, best, describe(py, fit, fit.log_likelihood, options.seed)?))
}
