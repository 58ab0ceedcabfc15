//! One run of an algorithm from one start: iterate, audit, stop.

use super::{Aitken, Control, Status, StatusKind, Trace};
use crate::algorithm::{Algorithm, Remaining};
use crate::engine::Engine;
use crate::error::Result;
use crate::family::Health;
use crate::model::{LatentModel, Posterior};
use crate::stats::Expectation;

/// When a run ends.
#[derive(Clone, Copy, Debug)]
pub struct RunOptions {
    /// Most iterations.
    pub max_iter: usize,
    /// Nats of total log-likelihood that may remain.
    pub tolerance: f64,
    /// Size of the sums behind the objective: Σw × columns. See [`Aitken::new`].
    pub scale: f64,
}

/// A finished run.
#[derive(Clone, Debug)]
pub struct Run<M: LatentModel> {
    /// The parameters reached.
    pub model: M,
    /// Converged, out of iterations, or stopped.
    pub status: Status,
    /// The run's record.
    pub trace: Trace,
    /// Iterations done.
    pub iterations: usize,
    /// State of the components at the end.
    pub health: Health,
    /// An E-step at the returned parameters.
    pub expectation: Expectation<M::Stats>,
}

impl<M: LatentModel> Run<M> {
    /// Objective of the returned parameters.
    pub fn objective(&self) -> f64 {
        self.expectation.log_likelihood + self.model.log_prior()
    }

    /// Whether a component sits on its floor or has no rows.
    pub fn degenerate(&self) -> bool {
        self.health.iter().any(|h| h.floor_active || h.empty)
    }

    /// The largest fall of the objective between two iterations without a break.
    pub fn largest_decrease(&self) -> f64 {
        let objective = &self.trace.objective;
        (self.trace.incomparable + 1..objective.len())
            .filter(|t| !self.trace.breaks.contains(t))
            .map(|t| objective[t - 1] - objective[t])
            .fold(0.0, f64::max)
    }
}

/// Runs `algorithm` from `model` until the stop rule, the limit or the user ends it. After each iteration `policy` may
/// change the model (drop or reset a component) and says whether it did.
///
/// # Errors
/// What the E-step, the M-step or the policy refuse.
pub fn run<M: LatentModel>(
    mut model: M,
    engine: &mut dyn Engine<M>,
    algorithm: &mut dyn Algorithm<M>,
    options: RunOptions,
    control: Control<'_>,
    policy: &mut dyn FnMut(&mut M, &mut Health, usize) -> Result<bool>,
) -> Result<Run<M>> {
    let mut rule = Aitken::new(options.tolerance, options.scale);
    let mut trace = Trace::default();
    let mut health = Health::new();
    let mut remaining = None;
    let mut iterations = 0;
    let (kind, detail) = loop {
        if iterations == options.max_iter {
            let left = remaining.map_or_else(
                || match trace.incomparable {
                    n if n == iterations && n > 0 => "passes of stepwise EM do not tell how much remains".to_owned(),
                    _ => "the gain per iteration is not shrinking yet".to_owned(),
                },
                |r: f64| format!("about {r:.2e} nats remain"),
            );
            break (StatusKind::IterationLimit, format!("stopped at the limit of {iterations} iterations: {left}"));
        }
        if control.interrupted() {
            break (StatusKind::Stopped, format!("interrupted after {iterations} iterations"));
        }
        let step = algorithm.step(&mut model, engine)?;
        iterations += 1;
        health = step.health;
        let estimate = if step.remaining == Remaining::Incomparable {
            trace.incomparable = iterations;
            rule.restart();
            None
        } else {
            rule.next(step.objective, step.remaining)
        };
        remaining = estimate.or(remaining);
        trace.objective.push(step.objective);
        trace.nats_remaining.push(estimate);
        if policy(&mut model, &mut health, iterations)? {
            trace.breaks.push(iterations);
            rule.restart();
        } else if rule.converged() {
            break (
                StatusKind::Converged,
                format!("less than {} nats remain to be gained, after {iterations} iterations", options.tolerance),
            );
        }
    };
    algorithm.settle(&mut model);
    let expectation = engine.expect(&model, 0..engine.n_chunks(), Posterior::Soft)?;
    let objective = expectation.log_likelihood + model.log_prior();
    trace.nats_remaining.push(None);
    trace.objective.push(objective);
    Ok(Run { model, status: Status { kind, detail }, trace, iterations, health, expectation })
}
