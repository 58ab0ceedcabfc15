//! How uncertain estimates are: what the package asks, and the answer as a dictionary.

use mixtura::fit::Control;
use mixtura::infer::{Answer, By, IntervalKind, Question, Stationarity};
use mixtura::{Result, Seed};
use numpy::IntoPyArray;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::input::matrix;
use crate::run::{refusal, run};

/// A question, as the package has checked it.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Asked {
    method: String,
    level: f64,
    interval: String,
    replicates: usize,
    may_be_lost: f64,
    seed: u64,
    threads: Option<usize>,
}

impl Asked {
    /// The answer, found on threads of its own; `rows` says what the estimates rest on.
    pub(crate) fn answer<'py>(
        &self,
        py: Python<'py>,
        rows: usize,
        work: impl FnOnce(&Question, Control<'_>) -> Result<Answer> + Send,
    ) -> PyResult<Bound<'py, PyDict>> {
        let question = Question {
            level: self.level,
            interval: IntervalKind::named(&self.interval).map_err(refusal)?,
            replicates: self.replicates,
            may_be_lost: self.may_be_lost,
            seed: Seed::new(self.seed),
            ..Question::new(By::named(&self.method).map_err(refusal)?)
        };
        let found = run(py, self.threads, None, |world| {
            work(&question, Control { interrupt: Some(world.interrupt), ..Control::default() })
        })?;
        told(py, &found.whole()?, rows)
    }
}

fn told<'py>(py: Python<'py>, answer: &Answer, rows: usize) -> PyResult<Bound<'py, PyDict>> {
    let (out, errors) = (PyDict::new(py), &answer.errors);
    out.set_item("method", errors.method)?;
    out.set_item("level", answer.level)?;
    out.set_item("interval", answer.interval)?;
    out.set_item("names", errors.names.clone())?;
    out.set_item("estimates", errors.estimates.clone().into_pyarray(py))?;
    out.set_item("standard_errors", errors.standard_errors().into_pyarray(py))?;
    let ends = answer.intervals.iter().flat_map(|i| [i.low, i.high]).collect();
    out.set_item("intervals", matrix(py, ends, 2)?)?;
    out.set_item("covariance", matrix(py, errors.covariance.clone(), errors.names.len())?)?;
    out.set_item("bias", answer.bias.clone().map(|b| b.into_pyarray(py)))?;
    let lost = answer.lost.map(|l| (l.collapsed, l.not_converged, l.not_matched));
    out.set_item("lost", lost)?;
    out.set_item("point", answer.point.as_ref().map(|p| point(py, p)).transpose()?)?;
    out.set_item("notes", errors.notes.clone())?;
    out.set_item("text", mixtura_report::errors(answer, rows))?;
    Ok(out)
}

/// What kind of point a fit is.
pub(crate) fn point<'py>(py: Python<'py>, found: &Stationarity) -> PyResult<Bound<'py, PyDict>> {
    let out = PyDict::new(py);
    out.set_item("kind", found.kind.name())?;
    out.set_item("gradient_norm", found.gradient_norm)?;
    out.set_item("nats_to_gain", found.nats_to_gain)?;
    out.set_item("smallest_curvature", found.smallest_curvature)?;
    out.set_item("detail", &found.detail)?;
    Ok(out)
}
