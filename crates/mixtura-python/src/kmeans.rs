//! K-means: options and arrays in, centres out.

use mixtura::data::{Dense, Source};
use mixtura::model::kmeans;
use mixtura::{KMeans, KMeansFit, Seed};
use numpy::{IntoPyArray, PyArray1, PyArray2, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::input::{Cells, matrix};
use crate::run::{Interruptible, run};

/// The options of a k-means fit, as the package has checked them.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Options {
    n_clusters: usize,
    restarts: usize,
    max_iter: usize,
    /// Sum of the squared shifts of the centres, in the columns' units squared.
    tolerance: f64,
    seed: u64,
    threads: Option<usize>,
}

/// Fits from k-means++ starts, or from each of the given centres (K × D).
#[pyfunction]
#[pyo3(signature = (x, options, starts=None, weights=None))]
pub(crate) fn fit_kmeans<'py>(
    py: Python<'py>,
    x: Cells<'_>,
    options: Options,
    starts: Option<Vec<PyReadonlyArray2<'_, f64>>>,
    weights: Option<PyReadonlyArray1<'_, f64>>,
) -> PyResult<Bound<'py, PyDict>> {
    let rows = x.rows_with(weights.as_ref(), None)?;
    let kmeans = KMeans {
        n_clusters: options.n_clusters,
        restarts: options.restarts,
        max_iter: options.max_iter,
        tolerance: options.tolerance,
        seed: Seed::new(options.seed),
    };
    let starts: Option<Vec<Vec<f64>>> =
        starts.map(|all| all.iter().map(|c| c.as_array().iter().copied().collect()).collect());
    let work = run(py, options.threads, None, |world| {
        let rows = Interruptible::new(&rows, world);
        match starts {
            None => kmeans.fit(&rows),
            Some(starts) => best_of(&kmeans, &rows, starts),
        }
    })?;
    let fit = work.whole()?;
    let out = PyDict::new(py);
    out.set_item("centers", matrix(py, fit.centers, x.shape().1)?)?;
    out.set_item("inertia", fit.inertia)?;
    // As scikit-learn counts: the pass that changed nothing is one, unless the limit came before it.
    out.set_item("n_iter", (fit.iterations + usize::from(fit.unchanged)).min(options.max_iter))?;
    out.set_item("converged", fit.converged)?;
    Ok(out)
}

fn best_of(kmeans: &KMeans, rows: &dyn Source, starts: Vec<Vec<f64>>) -> mixtura::Result<KMeansFit> {
    let mut best: Option<KMeansFit> = None;
    for centers in starts {
        let fit = kmeans.fit_from(rows, centers)?;
        if best.as_ref().is_none_or(|b| fit.inertia < b.inertia) {
            best = Some(fit);
        }
    }
    best.ok_or_else(|| mixtura::Error::Usage("no centres are given to start from".into()))
}

/// Cluster of every row.
#[pyfunction]
#[pyo3(signature = (x, centers, threads=None))]
pub(crate) fn kmeans_nearest<'py>(
    py: Python<'py>,
    x: Cells<'_>,
    centers: PyReadonlyArray2<'_, f64>,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyArray1<i32>>> {
    let found = with_centers(py, &x, &centers, threads, kmeans::nearest)?;
    Ok(found.into_iter().map(|c| c as i32).collect::<Vec<i32>>().into_pyarray(py))
}

/// Distance of every row to every centre.
#[pyfunction]
#[pyo3(signature = (x, centers, threads=None))]
pub(crate) fn kmeans_distances<'py>(
    py: Python<'py>,
    x: Cells<'_>,
    centers: PyReadonlyArray2<'_, f64>,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let n_clusters = centers.as_array().nrows();
    let found = with_centers(py, &x, &centers, threads, kmeans::distances)?;
    matrix(py, found, n_clusters)
}

fn with_centers<T: Send>(
    py: Python<'_>,
    x: &Cells<'_>,
    centers: &PyReadonlyArray2<'_, f64>,
    threads: Option<usize>,
    ask: fn(&dyn Source, &[f64]) -> mixtura::Result<Vec<T>>,
) -> PyResult<Vec<T>> {
    let rows: Dense<'_> = x.rows()?;
    let centers: Vec<f64> = centers.as_array().iter().copied().collect();
    run(py, threads, None, |world| ask(&Interruptible::new(&rows, world), &centers))?.whole()
}
