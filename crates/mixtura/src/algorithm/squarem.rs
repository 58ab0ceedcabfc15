//! SQUAREM: squared extrapolation of the EM map (Varadhan & Roland 2008, scheme S3), guarded so that the objective
//! never falls.
//!
//! From θ₀, θ₁ = EM(θ₀) and θ₂ = EM(θ₁) with r = θ₁ − θ₀ and v = (θ₂ − θ₁) − r it jumps to θ₀ − 2αr + α²v, α =
//! −‖r‖/‖v‖, and goes on with EM from there. The E-step at the jump gives its objective for nothing; where that lies below
//! the objective at θ₁, the jump is forgotten and EM goes on from θ₂.

use super::{Algorithm, Remaining, Step};
use crate::engine::Engine;
use crate::error::Result;
use crate::model::{LatentModel, Posterior, Unconstrained};

/// Where in its cycle the method stands.
#[derive(Clone, Debug)]
enum Phase<M> {
    /// At θ₀.
    First,
    /// At θ₁; θ₀ and its objective are kept.
    Second { origin: Vec<f64>, objective: f64 },
    /// At the jump; θ₂ and the objective at θ₁ are kept.
    Jumped { fallback: M, objective: f64 },
}

/// Guarded SQUAREM. One step is one E- and one M-step (two E-steps where a jump was refused).
#[derive(Clone, Debug)]
pub struct Squarem<M> {
    phase: Phase<M>,
    /// Longest jump allowed, −α; grows while jumps that long succeed.
    reach: f64,
}

/// First limit of −α, and the factor by which it grows and shrinks (Varadhan & Roland 2008, §6).
pub(super) const REACH: f64 = 4.0;

impl<M> Default for Squarem<M> {
    fn default() -> Self {
        Squarem { phase: Phase::First, reach: REACH }
    }
}

/// −α of the step from θ₀ over θ₁ to θ₂: with EM's slowest rate λ about 1 / (1 − λ).
pub(super) fn step_length(origin: &[f64], middle: &[f64], last: &[f64]) -> f64 {
    let (mut rr, mut vv) = (0.0, 0.0);
    for i in 0..last.len() {
        let r = middle[i] - origin[i];
        let v = last[i] - middle[i] - r;
        rr += r * r;
        vv += v * v;
    }
    (rr / vv).sqrt()
}

/// Where the jump of that length leads, if it is longer than EM's own two steps.
pub(super) fn squared(origin: &[f64], middle: &[f64], last: &[f64], length: f64) -> Option<Vec<f64>> {
    if !(length > 1.0 && length.is_finite()) {
        return None;
    }
    let coordinate = |i: usize| {
        let r = middle[i] - origin[i];
        let v = last[i] - middle[i] - r;
        origin[i] + 2.0 * length * r + length * length * v
    };
    Some((0..last.len()).map(coordinate).collect())
}

impl<M: LatentModel + Unconstrained> Algorithm<M> for Squarem<M> {
    fn step(&mut self, model: &mut M, engine: &mut dyn Engine<M>) -> Result<Step> {
        let chunks = 0..engine.n_chunks();
        let mut expectation = engine.expect(model, chunks.clone(), Posterior::Soft)?;
        let mut objective = expectation.log_likelihood + model.log_prior();
        let phase = std::mem::replace(&mut self.phase, Phase::First);
        if let Phase::Jumped { fallback, objective: before } = &phase
            && (objective < *before || objective.is_nan())
        {
            *model = fallback.clone();
            self.reach = (self.reach / REACH).max(REACH);
            expectation = engine.expect(model, chunks, Posterior::Soft)?;
            objective = expectation.log_likelihood + model.log_prior();
        }
        let here = matches!(phase, Phase::First | Phase::Second { .. }).then(|| model.to_vector());
        let health = model.m_step(&expectation.stats)?;
        let mut remaining = Remaining::Unknown;
        // A collapse is for the policy to deal with; what came before it is no guide to what comes after.
        let sick = health.iter().any(|h| h.floor_active || h.empty);
        match (phase, here) {
            _ if sick => remaining = Remaining::FromIncrements,
            (Phase::First, Some(origin)) => self.phase = Phase::Second { origin, objective },
            (Phase::Second { origin, objective: before }, Some(middle)) if origin.len() == middle.len() => {
                let last = model.to_vector();
                let length = step_length(&origin, &middle, &last);
                // Near an optimum the objective's increments shrink by λ², so after this one there remain increment ·
                // λ² / (1 − λ²) ≈ increment · length / 2; the whole length leaves a factor of two for λ's own error.
                let gain = objective - before;
                remaining = Remaining::Nats(if gain > 0.0 { gain * length.max(1.0) } else { gain.abs() });
                let length = length.min(self.reach);
                if let Some(jumped) = squared(&origin, &middle, &last, length).and_then(|v| model.with_vector(&v)) {
                    if length >= self.reach {
                        self.reach *= REACH;
                    }
                    let fallback = std::mem::replace(model, jumped);
                    self.phase = Phase::Jumped { fallback, objective };
                }
            }
            _ => {}
        }
        Ok(Step { objective, health, remaining })
    }

    fn state(&self) -> Option<Vec<Vec<f64>>> {
        Some(match &self.phase {
            Phase::First => vec![vec![self.reach]],
            Phase::Second { origin, objective } => vec![vec![self.reach], vec![*objective], origin.clone()],
            Phase::Jumped { fallback, objective } => {
                vec![vec![self.reach], vec![*objective], Vec::new(), fallback.parameters()]
            }
        })
    }

    fn restore(&mut self, model: &M, state: &[Vec<f64>]) -> bool {
        let phase = match state {
            [_] => Some(Phase::First),
            [_, objective, origin] if objective.len() == 1 => {
                Some(Phase::Second { origin: origin.clone(), objective: objective[0] })
            }
            [_, objective, _, fallback] if objective.len() == 1 => {
                model.with_parameters(fallback).map(|fallback| Phase::Jumped { fallback, objective: objective[0] })
            }
            _ => None,
        };
        match (phase, state.first().map(Vec::as_slice)) {
            (Some(phase), Some(&[reach])) => {
                *self = Squarem { phase, reach };
                true
            }
            _ => false,
        }
    }

    /// A jump whose objective nobody has seen is taken back.
    fn settle(&mut self, model: &mut M) {
        if let Phase::Jumped { fallback, .. } = std::mem::replace(&mut self.phase, Phase::First) {
            *model = fallback;
        }
    }
}
