//! A fit of any model from any starts: runs, the best of them, and the certificate.

use super::certificate::audit;
use super::{Certificate, Control, Progress, Run, RunOptions, Status, StatusKind, Trace, run};
use crate::algorithm::Algorithm;
use crate::data::Source;
use crate::engine::{Engine, Threads};
use crate::error::{Error, Result};
use crate::model::LatentModel;

/// When the runs of a fit end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ModelOptions {
    /// Most iterations per run.
    pub max_iter: usize,
    /// Nats of the objective that may remain.
    pub tolerance: f64,
}

/// At most 1000 iterations, 0.001 nats.
impl Default for ModelOptions {
    fn default() -> Self {
        ModelOptions { max_iter: 1000, tolerance: 1e-3 }
    }
}

/// Any fitted model and what is known about it.
#[derive(Clone, Debug)]
pub struct ModelFit<M> {
    /// The model of the best run.
    pub model: M,
    /// Why its run ended.
    pub status: Status,
    /// How far it can be trusted.
    pub certificate: Certificate,
    /// The best run, iteration by iteration.
    pub trace: Trace,
    /// Its iterations.
    pub iterations: usize,
    /// Log-likelihood of the model, nats.
    pub log_likelihood: f64,
    /// Log-likelihood + log prior.
    pub objective: f64,
    /// Number of the best run among the starts.
    pub run: usize,
}

/// Relative rounding of an objective of which nothing else is known: an E-step over n terms sums to n·ε, 2e-11 for 1e5.
const ROUNDING: f64 = 1e-11;

/// Fits a model to rows: one run from each start, of which the best is returned. `algorithm` makes the method for each run
/// ([`crate::algorithm::Squarem::default`], or `|| Batch(Posterior::Soft)` for plain EM); [`Control::record`] asks for more
/// in the trace.
///
/// # Errors
/// If there is no start, or what E-step, M-step and source refuse; [`Error::Interrupted`] if there is nothing yet to return. Not
/// converging is a status.
///
/// ```
/// use mixtura::algorithm::Squarem;
/// use mixtura::data::Dense;
/// use mixtura::family::gaussian::{Gaussian, Structure};
/// use mixtura::fit::{Control, ModelOptions, fit_model};
/// use mixtura::model::Mixture;
///
/// let rows = Dense::new(vec![0.1, -0.2, 0.0, 0.3, 8.1, 7.9, 8.0, 8.2], 1)?;
/// let start = |a, b| Gaussian::new(Structure::Tied, 1, vec![a, b], vec![1.0; 2]).map(Mixture::equal);
/// let starts = vec![start(0.0, 1.0)?, start(5.0, 9.0)?];
/// let fit = fit_model(starts, &rows, Squarem::default, ModelOptions::default(), Control::default())?;
/// assert_eq!(fit.certificate.restarts_at_best, 2);
/// # Ok::<(), mixtura::Error>(())
/// ```
pub fn fit_model<M: LatentModel, A: Algorithm<M>>(
    starts: Vec<M>,
    source: &dyn Source,
    algorithm: impl Fn() -> A,
    options: ModelOptions,
    control: Control<'_>,
) -> Result<ModelFit<M>> {
    let scale = (source.n_rows() * source.n_features()) as f64;
    fit_with(starts, &mut Threads::new(source), |_| algorithm(), (options, scale), control)
}

/// As [`fit_model`], with any engine; `algorithm` gets the number of the run, `scale` is that of [`RunOptions`]. Runs go one after the other: what is parallel is the
/// engine.
pub(super) fn fit_with<M: LatentModel, A: Algorithm<M>>(
    starts: Vec<M>,
    engine: &mut dyn Engine<M>,
    algorithm: impl Fn(usize) -> A,
    (options, scale): (ModelOptions, f64),
    control: Control<'_>,
) -> Result<ModelFit<M>> {
    if options.tolerance.is_nan() || options.tolerance < 0.0 {
        return Err(Error::Usage(format!("the tolerance is {} nats: it cannot be negative", options.tolerance)));
    }
    let total = starts.len();
    let (mut best, mut all) = (None::<(usize, Run<M>)>, Vec::new());
    let worth = |run: &Run<M>| (!run.degenerate(), run.objective());
    for (r, start) in starts.into_iter().enumerate() {
        let here = Control { run: r, ..control.within(&format!("run {r}")) };
        let limits = RunOptions { max_iter: options.max_iter, tolerance: options.tolerance, scale };
        let run = run(start, engine, &mut algorithm(r), limits, here, &mut |_, _, _| Ok(false))?;
        let stopped = run.status.kind == StatusKind::Stopped;
        // A run that was cut short says nothing of where it would have ended, unless it is the only one.
        if !stopped || (all.is_empty() && run.iterations > 0) {
            all.push((run.objective(), run.degenerate()));
        }
        if !(stopped && run.iterations == 0) && best.as_ref().is_none_or(|(_, b)| worth(&run) > worth(b)) {
            best = Some((r, run));
        }
        if let Some(progress) = control.progress {
            progress(Progress { done: r + 1, total, n_components: 1 });
        }
        if stopped {
            break;
        }
    }
    let Some((number, run)) = best else {
        return Err(if total == 0 {
            Error::Usage("no start is given: a fit needs at least one".into())
        } else {
            Error::Interrupted
        });
    };
    let objective = run.objective();
    let rounding = ROUNDING * (objective.abs() + scale);
    Ok(ModelFit {
        certificate: audit(&run, objective, rounding, (&all, 0.0), options.tolerance),
        status: status(&run),
        log_likelihood: run.expectation.log_likelihood,
        objective,
        run: number,
        iterations: run.iterations,
        trace: run.trace,
        model: run.model,
    })
}

/// The run's own status, unless the result is no proper one: that is what the user must hear first.
fn status<M: LatentModel>(run: &Run<M>) -> Status {
    let sick = run.health.iter().position(|h| h.floor_active || h.empty);
    let what = match sick {
        _ if run.status.kind == StatusKind::Stopped => return run.status.clone(),
        _ if run.objective() == f64::NEG_INFINITY => {
            "the log-likelihood is -inf: some data are impossible at the parameters reached".to_owned()
        }
        Some(k) if run.health[k].empty => format!("component {k} has no data left"),
        Some(k) => format!("component {k} sits on its floor"),
        None => return run.status.clone(),
    };
    Status { kind: StatusKind::Degenerate, detail: format!("{what}; {}", run.status.detail) }
}

impl<M> ModelFit<M> {
    /// The same fit of the model in another form.
    pub fn map<N>(self, form: impl FnOnce(M) -> N) -> ModelFit<N> {
        ModelFit {
            model: form(self.model),
            status: self.status,
            certificate: self.certificate,
            trace: self.trace,
            iterations: self.iterations,
            log_likelihood: self.log_likelihood,
            objective: self.objective,
            run: self.run,
        }
    }
}
