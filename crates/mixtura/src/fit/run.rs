//! One run of an algorithm from one start: iterate, audit, stop.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::checkpoint::Bits;
use super::record::Recorder;
use super::{Aitken, Control, Iteration, Status, StatusKind, StopRule, Trace};
use crate::algorithm::{Algorithm, Remaining};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::family::{ComponentHealth, Health};
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
        self.trace.largest_fall().map_or(0.0, |(_, fall)| fall)
    }
}

/// Where a run stands between two iterations.
struct State<M> {
    model: M,
    rule: Aitken,
    trace: Trace,
    health: Health,
    remaining: Option<f64>,
    iterations: usize,
    ended: Option<Status>,
}

/// Changes the model after an iteration (drops or resets a component) and says whether it did. Gets the model, its
/// health, and how often it has changed this run before.
pub type Policy<'a, M> = dyn FnMut(&mut M, &mut Health, usize) -> Result<bool> + 'a;

/// Runs `algorithm` from `model` until the stop rule, the limit or the user ends it. With a checkpoint in `control`, a
/// run of the same scope that was cut short goes on where it was.
///
/// # Errors
/// What the E-step, the M-step or the policy refuse.
pub fn run<M: LatentModel>(
    model: M,
    engine: &mut dyn Engine<M>,
    algorithm: &mut dyn Algorithm<M>,
    options: RunOptions,
    control: Control<'_>,
    policy: &mut Policy<'_, M>,
) -> Result<Run<M>> {
    run_until(StopRule::default(), model, engine, algorithm, options, control, policy)
}

/// As [`run`], with another stop rule.
///
/// # Errors
/// As [`run`].
pub fn run_until<M: LatentModel>(
    stop: StopRule<'_>,
    model: M,
    engine: &mut dyn Engine<M>,
    algorithm: &mut dyn Algorithm<M>,
    options: RunOptions,
    control: Control<'_>,
    policy: &mut Policy<'_, M>,
) -> Result<Run<M>> {
    let mut recorder = Recorder::new(algorithm, control.record);
    let control = if recorder.idle() { control } else { Control { checkpoint: None, ..control } };
    let algorithm = &mut recorder;
    let mut state = State {
        model,
        rule: Aitken::new(options.tolerance, options.scale),
        trace: Trace::default(),
        health: Health::new(),
        remaining: None,
        iterations: 0,
        ended: None,
    };
    stop.history.iter().for_each(|objective| {
        state.rule.next(*objective, Remaining::FromIncrements);
    });
    let saved = control.checkpoint.and_then(|c| c.get::<Saved>(control.key()));
    if let Some(saved) = saved {
        saved.restore(&mut state, algorithm);
    }
    let mut handed_in = Instant::now();
    let status = loop {
        if let Some(status) = state.ended.take() {
            break status;
        }
        if state.iterations == options.max_iter {
            let left = state.remaining.map_or_else(
                || match state.trace.incomparable {
                    n if n == state.iterations && n > 0 => {
                        "passes that are no ascent (stepwise, random, annealed) do not tell how much remains".to_owned()
                    }
                    _ => "the gain per iteration is not shrinking yet".to_owned(),
                },
                |r: f64| format!("about {r:.2e} nats remain"),
            );
            let detail = format!("stopped at the limit of {} iterations: {left}", state.iterations);
            break Status { kind: StatusKind::IterationLimit, detail };
        }
        if control.interrupted() {
            if let Some(checkpoint) = control.checkpoint.filter(|_| state.iterations > 0) {
                Saved::of(&state, algorithm).iter().for_each(|saved| checkpoint.put(control.key(), saved, true));
            }
            let detail = format!("interrupted after {} iterations", state.iterations);
            break Status { kind: StatusKind::Stopped, detail };
        }
        let step = algorithm.step(&mut state.model, engine)?;
        state.iterations += 1;
        sane(step.objective, control.run, state.iterations)?;
        state.health = step.health;
        let estimate = if step.remaining == Remaining::Incomparable {
            state.trace.incomparable = state.iterations;
            state.rule.restart();
            None
        } else {
            state.rule.next(step.objective, step.remaining)
        };
        state.remaining = estimate.or(state.remaining);
        state.trace.objective.push(step.objective);
        state.trace.nats_remaining.push(estimate);
        if let Some(tell) = control.iteration {
            let (iteration, objective) = (state.iterations, step.objective);
            tell(Iteration { run: control.run, iteration, objective, nats_remaining: estimate });
        }
        if policy(&mut state.model, &mut state.health, state.trace.breaks.len())? {
            state.trace.breaks.push(state.iterations);
            state.rule.restart();
        } else if let Some(reached) = stop.reached(&state.rule, options.tolerance, &state.trace.objective) {
            let detail = format!("{reached}, after {} iterations", state.iterations);
            state.ended = Some(Status { kind: StatusKind::Converged, detail });
        }
        if let Some(checkpoint) = control.checkpoint
            && (state.ended.is_some() || handed_in.elapsed() >= checkpoint.every())
        {
            Saved::of(&state, algorithm).iter().for_each(|saved| checkpoint.put(control.key(), saved, false));
            handed_in = Instant::now();
        }
    };
    let State { mut model, mut trace, health, iterations, .. } = state;
    algorithm.settle(&mut model);
    let expectation = engine.expect(&model, 0..engine.n_chunks(), Posterior::Soft)?;
    let objective = expectation.log_likelihood + model.log_prior();
    sane(objective, control.run, iterations + 1)?;
    trace.nats_remaining.push(None);
    trace.objective.push(objective);
    (trace.parameters, trace.half_steps) = recorder.finish(&model);
    Ok(Run { model, status, trace, iterations, health, expectation })
}

/// Refuses an objective that no model has. −∞ is none of these: the data may be impossible at a start, and possible after it.
pub(super) fn sane(objective: f64, run: usize, iteration: usize) -> Result<()> {
    if !objective.is_nan() && objective != f64::INFINITY {
        return Ok(());
    }
    Err(Error::Model(format!(
        "the log-likelihood is {objective} in iteration {iteration} of run {run}: look in the E-step for logarithms of 0 or of \
         negative numbers, 0/0 and overflow"
    )))
}

/// A [`State`] in a checkpoint.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    model: Bits,
    algorithm: Vec<Bits>,
    rule: Bits,
    objective: Bits,
    /// NaN where there was no estimate.
    nats_remaining: Bits,
    breaks: Vec<usize>,
    incomparable: usize,
    /// Floor active, empty.
    health: Vec<(bool, bool)>,
    remaining: Bits,
    iterations: usize,
    /// The sentence of a converged run.
    converged: Option<String>,
}

impl Saved {
    /// `None` while the algorithm cannot be kept.
    fn of<M: LatentModel>(state: &State<M>, algorithm: &dyn Algorithm<M>) -> Option<Self> {
        let or_nan = |x: &Option<f64>| x.unwrap_or(f64::NAN);
        Some(Saved {
            model: Bits(state.model.parameters()),
            algorithm: algorithm.state()?.into_iter().map(Bits).collect(),
            rule: Bits(state.rule.state().to_vec()),
            objective: Bits(state.trace.objective.clone()),
            nats_remaining: Bits(state.trace.nats_remaining.iter().map(or_nan).collect()),
            breaks: state.trace.breaks.clone(),
            incomparable: state.trace.incomparable,
            health: state.health.iter().map(|h| (h.floor_active, h.empty)).collect(),
            remaining: Bits(vec![or_nan(&state.remaining)]),
            iterations: state.iterations,
            converged: state.ended.as_ref().map(|s| s.detail.clone()),
        })
    }

    /// Leaves `state` and `algorithm` as they were; what does not fit them leaves the fresh start, which only costs time.
    fn restore<M: LatentModel>(self, state: &mut State<M>, algorithm: &mut dyn Algorithm<M>) {
        let or_none = |x: f64| (!x.is_nan()).then_some(x);
        let Some(model) = state.model.with_parameters(&self.model.0) else { return };
        let Some(rule) = state.rule.with_state(&self.rule.0) else { return };
        let kept: Vec<Vec<f64>> = self.algorithm.into_iter().map(|b| b.0).collect();
        if !algorithm.restore(&model, &kept) {
            return;
        }
        *state = State {
            model,
            rule,
            trace: Trace {
                objective: self.objective.0,
                nats_remaining: self.nats_remaining.0.into_iter().map(or_none).collect(),
                breaks: self.breaks,
                incomparable: self.incomparable,
                ..Trace::default()
            },
            health: self.health.iter().map(|&(floor_active, empty)| ComponentHealth { floor_active, empty }).collect(),
            remaining: self.remaining.0.first().copied().and_then(or_none),
            iterations: self.iterations,
            ended: self.converged.map(|detail| Status { kind: StatusKind::Converged, detail }),
        };
    }
}
