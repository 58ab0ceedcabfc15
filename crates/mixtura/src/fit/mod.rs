//! Fitting: iterate, decide when to stop, say how far the result can be trusted.

mod bayesian;
mod certificate;
mod checkpoint;
mod coordinate;
mod coverage;
mod criterion;
mod estimator;
mod kit;
mod likelihood_ratio;
mod method;
mod model;
mod prepare;
mod prior;
mod quick;
mod race;
mod record;
mod run;
mod select;
mod split_merge;
mod start;
mod stop;
pub mod textbook;
mod validate;

pub use bayesian::{BayesianFit, BayesianMixture, BayesianModel};
pub use certificate::{Certificate, ComponentCertificate};
pub use checkpoint::{Checkpoint, Identity};
pub use coverage::Mode;
pub use criterion::Criterion;
pub use estimator::{Collapse, GaussianMixture};
pub use kit::{Kit, fit_em};
pub use likelihood_ratio::LikelihoodRatio;
pub use method::Method;
pub use model::{ModelFit, ModelOptions, fit_model};
pub use prepare::Prepared;
pub use prior::{Prior, UsedPrior};
pub use record::{HalfStep, Record};
pub use run::{Policy, Run, RunOptions, run, run_until};
pub use select::{Candidate, Grid, Selection};
pub use start::{Assigned, Given, Init};
pub use stop::{Aitken, Stop, StopRule};
pub use validate::CrossValidation;

use std::sync::atomic::{AtomicBool, Ordering};

use crate::data::Affine;
use crate::seed::Seed;

/// Why a fit ended. None of these is an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The kind of ending.
    pub kind: StatusKind,
    /// One sentence with the particulars.
    pub detail: String,
}

/// The kinds of ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusKind {
    /// Fewer nats than the tolerance are estimated to remain.
    Converged,
    /// The iteration limit came first.
    IterationLimit,
    /// The user stopped it.
    Stopped,
    /// A component collapsed: it sits on the covariance floor or has no rows.
    Degenerate,
}

impl StatusKind {
    /// Every kind.
    pub const ALL: [StatusKind; 4] =
        [StatusKind::Converged, StatusKind::IterationLimit, StatusKind::Stopped, StatusKind::Degenerate];

    /// The name in every face.
    pub fn name(self) -> &'static str {
        match self {
            StatusKind::Converged => "converged",
            StatusKind::IterationLimit => "iteration_limit",
            StatusKind::Stopped => "stopped",
            StatusKind::Degenerate => "degenerate",
        }
    }
}

/// What every iteration of the returned run recorded.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    /// Objective at the start of each iteration, then that of the returned parameters; in the standardised columns,
    /// so that differences (nats) are those of the original ones.
    pub objective: Vec<f64>,
    /// Aitken's estimate of the nats still to be gained, where there is one.
    pub nats_remaining: Vec<Option<f64>>,
    /// Iterations after which the policy dropped or reset a component: the objective may fall there.
    pub breaks: Vec<usize>,
    /// The first so many objectives belong to passes that are no ascent of the objective (stepwise, incremental, random,
    /// annealed, entropy-regularised): they compare with nothing.
    pub incomparable: usize,
    /// On request ([`Record`]): [`crate::model::LatentModel::parameters`] of each entry of `objective`.
    pub parameters: Vec<Vec<f64>>,
    /// On request, of models that know their bound: two half-steps for each iteration.
    pub half_steps: Vec<HalfStep>,
}

impl Trace {
    /// The largest fall of the objective in one iteration without a break, in nats, and the iteration (from 1) that caused
    /// it; `None` where it never fell.
    pub fn largest_fall(&self) -> Option<(usize, f64)> {
        let objective = &self.objective;
        (self.incomparable + 1..objective.len())
            .filter(|t| !self.breaks.contains(t))
            .map(|t| (t, objective[t - 1] - objective[t]))
            .filter(|(_, fall)| *fall > 0.0)
            .reduce(|a, b| if b.1 > a.1 { b } else { a })
    }
}

/// A fitted model and what is known about it.
#[derive(Clone, Debug)]
pub struct Fit<M> {
    /// The model, in the data's own units.
    pub model: M,
    /// Why the fit ended.
    pub status: Status,
    /// How far it can be trusted.
    pub certificate: Certificate,
    /// The returned run, iteration by iteration.
    pub trace: Trace,
    /// Iterations of the returned run.
    pub iterations: usize,
    /// Σ w log p(x), nats, in the data's own units.
    pub log_likelihood: f64,
    /// The conjugate prior of the fit, where it had one: the trace and the objectives of the restarts are then log-likelihood + log
    /// prior.
    pub prior: Option<UsedPrior>,
    /// Number of used rows.
    pub n_rows: usize,
    /// Σ w.
    pub total_weight: f64,
    /// Number of free parameters.
    pub n_free_parameters: usize,
    /// How the columns were shifted and scaled for the fit.
    pub affine: Affine,
    /// Directions in which the data have no spread: constant columns, columns that depend on others.
    pub n_flat_directions: usize,
    /// Directions without spread, constant columns apart, in which this structure has a made-up density: it cannot be
    /// compared with structures that do not see them.
    pub n_made_up: usize,
    /// Σ w log max_k r_k (≤ 0): what ICL adds to BIC, halved and with the other sign.
    pub classification_term: f64,
    /// −Σ w Σ_k r_k log r_k (≥ 0): entropy of the responsibilities of rows without a known component.
    pub entropy: f64,
}

impl<M> Fit<M> {
    /// log-likelihood + log prior: what the fit climbed.
    pub fn objective(&self) -> f64 {
        self.log_likelihood + self.prior.as_ref().map_or(0.0, |prior| prior.log_prior)
    }
}

/// What a long fit tells while it runs.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Restarts of this candidate that have finished.
    pub done: usize,
    /// Restarts of this candidate.
    pub total: usize,
    /// Number of components of the candidate that reported.
    pub n_components: usize,
}

/// Where a run stands after an iteration.
#[derive(Clone, Copy, Debug)]
pub struct Iteration {
    /// Number of the run among those of the fit.
    pub run: usize,
    /// Iterations done.
    pub iteration: usize,
    /// Objective at the start of the iteration, in the standardised columns.
    pub objective: f64,
    /// Estimate of the nats still to be gained, where there is one.
    pub nats_remaining: Option<f64>,
}

/// Ties a fit to the world outside: an interrupt flag, a listener, a checkpoint, all optional.
#[derive(Clone, Copy, Default)]
pub struct Control<'a> {
    /// Set it to stop: the fit returns what it reached.
    pub interrupt: Option<&'a AtomicBool>,
    /// Called after each finished run, from any thread.
    pub progress: Option<&'a (dyn Fn(Progress) + Sync)>,
    /// Called after every iteration of the long runs, from any thread.
    pub iteration: Option<&'a (dyn Fn(Iteration) + Sync)>,
    /// Number of the run that [`Control::iteration`] hears of: leave it 0.
    pub run: usize,
    /// Keeps the states of long runs.
    pub checkpoint: Option<&'a Checkpoint<'a>>,
    /// Where in the fit this is, which names the runs in a checkpoint: leave it `None`.
    pub scope: Option<Seed>,
    /// What the trace keeps besides the objective. A run that records keeps no checkpoint.
    pub record: Record,
}

impl Control<'_> {
    /// Whether the user wants to stop.
    pub fn interrupted(&self) -> bool {
        self.interrupt.is_some_and(|flag| flag.load(Ordering::Relaxed))
    }

    /// The same for a part of the fit, by its name.
    pub(crate) fn within(self, part: &str) -> Self {
        let here = self.scope.unwrap_or(Seed::new(0));
        Control { scope: Some(part.bytes().fold(here.child(1 << 8), |s, b| s.child(b.into()))), ..self }
    }

    fn key(&self) -> u64 {
        self.scope.map_or(0, Seed::number)
    }

    /// Lists of numbers that an earlier process had for this scope.
    fn recall(&self) -> Option<Vec<Vec<f64>>> {
        let kept: Option<Vec<checkpoint::Bits>> = self.checkpoint.and_then(|c| c.get(self.key()));
        kept.map(|lists| lists.into_iter().map(|bits| bits.0).collect())
    }

    /// Keeps lists of numbers for this scope, unless an interrupt may have cut short what led to them.
    fn remember(&self, lists: Vec<Vec<f64>>) {
        if let Some(checkpoint) = self.checkpoint.filter(|_| !self.interrupted()) {
            let lists: Vec<checkpoint::Bits> = lists.into_iter().map(checkpoint::Bits).collect();
            checkpoint.put(self.key(), &lists, false);
        }
    }
}
