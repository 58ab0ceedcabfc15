//! The lessons of `mixtura teach`: as JSON, which keeps the columns' order, and as text.

use mixtura_report::teach::{self as lesson, Data, LESSONS, Request};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::run::refusal;

/// All lessons, as a JSON list.
#[pyfunction]
pub(crate) fn lessons() -> PyResult<String> {
    serde_json::to_string(&LESSONS).map_err(|e| PyValueError::new_err(e.to_string()))
}

/// Runs a lesson on the textbook's data, on a table (`columns`, `values` row by row) or on lines of phenotypes (`genes`). Returns
/// the lesson as JSON and as text.
#[pyfunction]
#[pyo3(signature = (lesson, columns=None, values=None, genes=None, iterations=None, start=None, components=None, free_mixing=false))]
#[allow(clippy::too_many_arguments)] // keywords of one Python function
pub(crate) fn teach(
    py: Python<'_>,
    lesson: &str,
    columns: Option<Vec<String>>,
    values: Option<Vec<f64>>,
    genes: Option<String>,
    iterations: Option<usize>,
    start: Option<Vec<f64>>,
    components: Option<usize>,
    free_mixing: bool,
) -> PyResult<(String, String)> {
    let data = match (&columns, &values, &genes) {
        (Some(columns), Some(values), None) => Data::Table { columns, values },
        (None, None, Some(text)) => Data::Genes(text),
        _ => Data::Textbook,
    };
    let request = Request { data, iterations, start: start.as_deref(), components, free_mixing };
    let done = py.detach(|| lesson::teach(lesson, &request)).map_err(refusal)?;
    let json = serde_json::to_string(&done).map_err(|e| PyValueError::new_err(e.to_string()))?;
    Ok((json, done.to_text()))
}
