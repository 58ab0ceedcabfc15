//! NumPy arrays and Arrow tables as rows of the library, without copying where the layout allows.

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_cast::cast;
use arrow_schema::DataType;
use mixtura::data::{self, Dense, Values};
use numpy::{
    Element, IntoPyArray, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2, PyUntypedArrayMethods,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3_arrow::PyTable;

use crate::run::{Interruptible, refusal, run};

/// A two-dimensional array of floating-point numbers.
#[derive(FromPyObject)]
pub(crate) enum Cells<'py> {
    F64(PyReadonlyArray2<'py, f64>),
    F32(PyReadonlyArray2<'py, f32>),
}

/// The values of an array, and whether they go column by column.
fn values<'a, T: Element + Copy>(array: &'a PyReadonlyArray2<'_, T>) -> (std::borrow::Cow<'a, [T]>, bool) {
    match array.as_slice() {
        Ok(slice) => (slice.into(), !array.is_c_contiguous()),
        Err(_) => (array.as_array().iter().copied().collect::<Vec<T>>().into(), false),
    }
}

impl Cells<'_> {
    pub(crate) fn shape(&self) -> (usize, usize) {
        let shape = match self {
            Cells::F64(array) => array.shape(),
            Cells::F32(array) => array.shape(),
        };
        (shape[0], shape[1])
    }

    pub(crate) fn rows(&self) -> PyResult<Dense<'_>> {
        let (values, by_columns) = match self {
            Cells::F64(array) => {
                let (values, by_columns) = values(array);
                (Values::F64(values), by_columns)
            }
            Cells::F32(array) => {
                let (values, by_columns) = values(array);
                (Values::F32(values), by_columns)
            }
        };
        let d = self.shape().1;
        let dense = if by_columns { Dense::from_columns(values, d) } else { Dense::from_values(values, d) };
        dense.map_err(refusal)
    }

    /// The rows with case weights and known components.
    pub(crate) fn rows_with<'a>(
        &'a self,
        weights: Option<&'a PyReadonlyArray1<'_, f64>>,
        labels: Option<&'a PyReadonlyArray1<'_, i32>>,
    ) -> PyResult<Dense<'a>> {
        let mut dense = self.rows()?;
        if let Some(weights) = weights {
            dense = dense.with_weights(weights.as_slice()?).map_err(refusal)?;
        }
        if let Some(labels) = labels {
            dense = dense.with_labels(labels.as_slice()?).map_err(refusal)?;
        }
        Ok(dense)
    }
}

/// Numbers as an array of K × `columns`.
pub(crate) fn matrix<'py>(py: Python<'py>, values: Vec<f64>, columns: usize) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let rows = values.len() / columns.max(1);
    values.into_pyarray(py).reshape([rows, columns])
}

/// Column names and cells (n_rows × n_columns, column by column in memory; null = NaN) of a table that speaks the Arrow
/// PyCapsule interface.
#[pyfunction]
pub(crate) fn table_columns<'py>(
    py: Python<'py>,
    table: &Bound<'py, PyAny>,
) -> PyResult<(Vec<String>, Bound<'py, PyArray2<f64>>)> {
    let (batches, schema) = table.extract::<PyTable>()?.into_inner();
    let names: Vec<String> = schema.fields().iter().map(|f| f.name().clone()).collect();
    let n_rows: usize = batches.iter().map(|b| b.num_rows()).sum();
    let mut cells = Vec::with_capacity(n_rows * names.len());
    for (j, field) in schema.fields().iter().enumerate() {
        let kind = field.data_type();
        let null = *kind == DataType::Null;
        if !(kind.is_numeric() || null || *kind == DataType::Boolean) {
            return Err(PyValueError::new_err(format!(
                "column '{}' holds {kind}, not numbers: leave it out or convert it",
                field.name()
            )));
        }
        for batch in &batches {
            let column = cast(batch.column(j), &DataType::Float64).map_err(|e| PyValueError::new_err(e.to_string()))?;
            cells.extend(column.as_primitive::<Float64Type>().iter().map(|x| x.unwrap_or(f64::NAN)));
        }
    }
    // Columns one after the other are the rows of the transposed array.
    let by_columns = cells.into_pyarray(py).reshape([names.len(), n_rows])?;
    Ok((names, by_columns.transpose()?))
}

/// The fingerprint of the used rows with their weights and known components, as the command puts it into model files.
#[pyfunction]
#[pyo3(signature = (x, weights=None, labels=None))]
pub(crate) fn rows_fingerprint(
    py: Python<'_>,
    x: Cells<'_>,
    weights: Option<PyReadonlyArray1<'_, f64>>,
    labels: Option<PyReadonlyArray1<'_, i32>>,
) -> PyResult<String> {
    let rows = x.rows_with(weights.as_ref(), labels.as_ref())?;
    run(py, Some(1), None, |world| data::rows_fingerprint(&Interruptible::new(&rows, world)))?.whole()
}
