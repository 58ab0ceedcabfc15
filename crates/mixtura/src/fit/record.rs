//! What a trace keeps on request: the parameters of every iteration, and the bound after every half of one.

use std::ops::Range;

use crate::algorithm::{Algorithm, Step};
use crate::engine::Engine;
use crate::error::Result;
use crate::model::{Bound, LatentModel, Posterior};
use crate::stats::Expectation;

/// What the trace of a run keeps besides its objective.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The parameters of every iteration ([`LatentModel::parameters`]).
    pub parameters: bool,
    /// The bound after every half-step. Costs about three more E-steps per iteration.
    pub bound: bool,
}

/// ℓ = bound + KL after half an iteration. After the E-step the responsibilities are those of the parameters; after the
/// M-step (with SQUAREM: its jump) the parameters are new and the responsibilities still the old ones.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HalfStep {
    /// Log-likelihood of the parameters, by an E-step.
    pub log_likelihood: f64,
    /// log prior of the parameters: with it the bound never falls in plain EM.
    pub log_prior: f64,
    /// The lower bound by the current responsibilities, and the divergence, each computed by itself.
    pub bound: Bound,
}

impl HalfStep {
    /// |ℓ − (bound + KL)| / max(1, |ℓ|): rounding (below 1e-10) unless E-step, densities or responsibilities contradict each
    /// other.
    pub fn error(&self) -> f64 {
        let sum = self.bound.lower_bound + self.bound.divergence;
        // Both are −∞ where the data are impossible.
        if sum == self.log_likelihood {
            0.0
        } else {
            (self.log_likelihood - sum).abs() / self.log_likelihood.abs().max(1.0)
        }
    }
}

/// An algorithm under observation.
pub(super) struct Recorder<'a, M> {
    algorithm: &'a mut dyn Algorithm<M>,
    record: Record,
    parameters: Vec<Vec<f64>>,
    half_steps: Vec<HalfStep>,
}

impl<'a, M: LatentModel> Recorder<'a, M> {
    pub(super) fn new(algorithm: &'a mut dyn Algorithm<M>, record: Record) -> Self {
        Recorder { algorithm, record, parameters: Vec::new(), half_steps: Vec::new() }
    }

    /// Whether nothing is recorded.
    pub(super) fn idle(&self) -> bool {
        self.record == Record::default()
    }

    /// The record, with the parameters of the returned model.
    pub(super) fn finish(mut self, model: &M) -> (Vec<Vec<f64>>, Vec<HalfStep>) {
        if self.record.parameters {
            self.parameters.push(model.parameters());
        }
        (self.parameters, self.half_steps)
    }
}

impl<M: LatentModel> Algorithm<M> for Recorder<'_, M> {
    fn step(&mut self, model: &mut M, engine: &mut dyn Engine<M>) -> Result<Step> {
        if self.idle() {
            return self.algorithm.step(model, engine);
        }
        let before = model.clone();
        let mut watched = Watched { engine, last: None };
        let step = self.algorithm.step(model, &mut watched)?;
        let last = watched.last;
        if self.record.parameters {
            self.parameters.push(last.as_ref().map_or(&before, |(at, _)| at).parameters());
        }
        if let Some((at, log_likelihood)) = last.filter(|_| self.record.bound) {
            let after = engine.expect(model, 0..engine.n_chunks(), Posterior::Soft)?.log_likelihood;
            for (theta, log_likelihood) in [(&at, log_likelihood), (&*model, after)] {
                let bound = engine.bound(theta, &at)?;
                let log_prior = theta.log_prior();
                self.half_steps.extend(bound.map(|bound| HalfStep { log_likelihood, log_prior, bound }));
            }
        }
        Ok(step)
    }

    fn state(&self) -> Option<Vec<Vec<f64>>> {
        self.algorithm.state()
    }

    fn restore(&mut self, model: &M, state: &[Vec<f64>]) -> bool {
        self.algorithm.restore(model, state)
    }

    fn settle(&mut self, model: &mut M) {
        self.algorithm.settle(model);
    }
}

/// An engine that remembers the model of the last E-step over all data: the one whose objective a step reports.
struct Watched<'a, M> {
    engine: &'a mut dyn Engine<M>,
    last: Option<(M, f64)>,
}

impl<M: LatentModel> Engine<M> for Watched<'_, M> {
    fn n_chunks(&self) -> usize {
        self.engine.n_chunks()
    }

    fn expect(&mut self, model: &M, chunks: Range<usize>, posterior: Posterior) -> Result<Expectation<M::Stats>> {
        let all = chunks == (0..self.n_chunks());
        let expectation = self.engine.expect(model, chunks, posterior)?;
        if all {
            self.last = Some((model.clone(), expectation.log_likelihood));
        }
        Ok(expectation)
    }
}
