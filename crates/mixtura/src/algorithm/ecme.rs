//! ECME: expectation, conditional maximisation either (Liu & Rubin 1994, Biometrika 81, §2): as ECM, but one block is set to
//! the conditional maximum of the objective itself, in place of Q's.
//!
//! The blocks on Q come first and share an E-step, the one on the objective follows (the order that keeps ECME monotone: Meng & van
//! Dyk 1997, J. R. Stat. Soc. B 59, §3.4). Its maximum is the fixed point of E-step and conditional M-step of that block alone. It
//! is found by guarded squared extrapolation: in one dimension Steffensen's method, of second order as Newton's, without
//! derivatives; over mixing weights, where the log-likelihood is concave, there is one maximum only. Each of its E-steps is one over
//! all rows, and a point that lies lower than one seen before is never kept.

use super::ecm::add;
use super::squarem::{REACH, squared, step_length};
use super::{Algorithm, Remaining, Step};
use crate::engine::Engine;
use crate::error::Result;
use crate::family::Health;
use crate::model::{LatentModel, Posterior, Unconstrained};

/// Share of an iteration's gain that the block may leave: a tenth of what the other blocks do next is soon nothing.
const LEFT: f64 = 0.01;
/// Most pairs of conditional M-steps in one iteration.
const MOST_PAIRS: usize = 10;

/// ECME; the number is the block whose steps are on the objective. 0, the default, is a mixture's weights.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ecme(pub usize);

/// The objective of a model and, as the next E-step is there already, its statistics.
fn expect<M: LatentModel>(model: &M, engine: &mut dyn Engine<M>) -> Result<(f64, M::Stats)> {
    let expectation = engine.expect(model, 0..engine.n_chunks(), Posterior::Soft)?;
    Ok((expectation.log_likelihood + model.log_prior(), expectation.stats))
}

impl Ecme {
    /// Climbs to the maximum over the block; `start` is the objective at the beginning of the iteration.
    fn climb<M: LatentModel + Unconstrained>(
        self,
        model: &mut M,
        engine: &mut dyn Engine<M>,
        start: f64,
        health: &mut Health,
    ) -> Result<()> {
        let mut reach = REACH;
        let (mut here, mut stats) = expect(model, engine)?;
        for pair in 1.. {
            let origin = model.to_vector();
            add(health, &model.m_step_block(self.0, &stats)?);
            let (one, stats_of_one) = expect(model, engine)?;
            let middle = model.to_vector();
            add(health, &model.m_step_block(self.0, &stats_of_one)?);
            let last = model.to_vector();
            // As in SQUAREM: what one step gained, times how slow the steps are.
            let length = step_length(&origin, &middle, &last);
            let left = (one - here).max(0.0) * length.max(1.0);
            let noise = 4.0 * f64::EPSILON * one.abs();
            if pair == MOST_PAIRS || length.is_nan() || left <= LEFT * (one - start) || one - here <= noise {
                return Ok(());
            }
            let jump = squared(&origin, &middle, &last, length.min(reach)).and_then(|v| model.with_vector(&v));
            if let Some(jumped) = jump {
                let (there, stats_there) = expect(&jumped, engine)?;
                if there >= one {
                    reach = if length >= reach { REACH * reach } else { reach };
                    (*model, here, stats) = (jumped, there, stats_there);
                    continue;
                }
                reach = (reach / REACH).max(REACH);
            }
            (here, stats) = expect(model, engine)?;
        }
        unreachable!("the loop has a limit")
    }
}

impl<M: LatentModel + Unconstrained> Algorithm<M> for Ecme {
    fn step(&mut self, model: &mut M, engine: &mut dyn Engine<M>) -> Result<Step> {
        let (objective, stats) = expect(model, engine)?;
        let mut health = Health::new();
        for block in (0..model.n_blocks()).filter(|b| *b != self.0) {
            add(&mut health, &model.m_step_block(block, &stats)?);
        }
        if self.0 < model.n_blocks() {
            self.climb(model, engine, objective, &mut health)?;
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
