//! ECM: expectation, conditional maximisation (Meng & Rubin 1993, Biometrika 80, eq. 2.1): the M-step goes through the
//! blocks of parameters, each set to the maximum of Q given the present others.
//!
//! Every conditional M-step raises Q, so the objective never falls. In the multicycle form (their §4) each has an E-step of its own: it then
//! raises the objective itself, and later blocks already see what earlier ones did.
//!
//! Of the models here Q has its maximum over all blocks at once in closed form, and going through weights, means and covariances (or
//! coefficients and noise, or groups of probabilities) in that order arrives there: the plain form is EM. It is for models of
//! which only conditional M-steps are known ([`LatentModel::m_step_block`]).

use super::{Algorithm, Remaining, Step};
use crate::engine::Engine;
use crate::error::Result;
use crate::family::Health;
use crate::model::{LatentModel, Posterior};

/// E-steps of an iteration of ECM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ecm {
    /// One for all blocks.
    Plain,
    /// One before each block: as many as the model has blocks.
    Multicycle,
}

impl<M: LatentModel> Algorithm<M> for Ecm {
    fn step(&mut self, model: &mut M, engine: &mut dyn Engine<M>) -> Result<Step> {
        let chunks = 0..engine.n_chunks();
        let mut expectation = engine.expect(model, chunks.clone(), Posterior::Soft)?;
        let objective = expectation.log_likelihood + model.log_prior();
        let mut health = Health::new();
        for block in 0..model.n_blocks() {
            if *self == Ecm::Multicycle && block > 0 {
                expectation = engine.expect(model, chunks.clone(), Posterior::Soft)?;
            }
            add(&mut health, &model.m_step_block(block, &expectation.stats)?);
        }
        Ok(Step { objective, health, remaining: Remaining::FromIncrements })
    }

    fn state(&self) -> Option<Vec<Vec<f64>>> {
        Some(Vec::new())
    }

    fn restore(&mut self, _model: &M, state: &[Vec<f64>]) -> bool {
        state.is_empty()
    }
}

/// What ails a component in one of its blocks ails it.
pub(super) fn add(health: &mut Health, block: &Health) {
    if health.is_empty() {
        health.clone_from(block);
    }
    for (all, own) in health.iter_mut().zip(block) {
        all.floor_active |= own.floor_active;
        all.empty |= own.empty;
    }
}
