//! The lower bound that EM climbs, and what it leaves to the log-likelihood: ℓ = bound + KL.
//!
//! For any responsibilities r, ℓ(θ) = Σ w Σ_k r_k log(p(x, k | θ) / r_k) + Σ w KL(r ‖ p(z | x, θ)) (Neal & Hinton 1998, eq. 6;
//! Bishop 2006, eqs 9.70–9.72). The E-step makes the second term 0, the M-step raises the first. The two are computed apart:
//! the bound from densities, the divergence from responsibilities, so that their sum tells of mistakes in either.

use mixtura_kernels::TILE;

use super::{LatentModel, Mixture, Predict, Weights};
use crate::data::Chunk;
use crate::family::Emission;

/// A lower bound of a log-likelihood and the divergence that it leaves, both in nats.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bound {
    /// Σ w Σ_k r_k (log p(x, k) − log r_k).
    pub lower_bound: f64,
    /// Σ w KL(r ‖ p(z | x)) ≥ 0.
    pub divergence: f64,
}

impl std::iter::Sum for Bound {
    fn sum<I: Iterator<Item = Bound>>(parts: I) -> Bound {
        parts.fold(Bound::default(), |a, b| Bound {
            lower_bound: a.lower_bound + b.lower_bound,
            divergence: a.divergence + b.divergence,
        })
    }
}

impl Bound {
    /// The share of a chunk in the bound of a mixture's log-likelihood by the responsibilities of the mixture `at`. A known
    /// component has responsibility 1 in both.
    pub(super) fn of_mixture<E: Emission, W: Weights>(
        model: &Mixture<E, W>,
        at: &Mixture<E, W>,
        chunk: Chunk<'_>,
    ) -> Option<Bound> {
        let (k, n) = (model.n_components(), chunk.rows.n_rows());
        if at.n_components() != k {
            return None;
        }
        let mut scratch = model.scratch();
        let (mut resp, mut resp_at) = (vec![0.0; n * k], vec![0.0; n * k]);
        let (mut log_density, mut joint) = (vec![0.0; n], vec![0.0; TILE * k]);
        at.posterior(chunk, &mut at.scratch(), &mut resp_at, &mut log_density);
        model.posterior(chunk, &mut scratch, &mut resp, &mut log_density);
        let log_weights: Vec<f64> = (0..k).map(|c| model.mixing().log_weight(c)).collect();
        let mut bank = model.emission().scratch();
        let mut out = Bound::default();
        for from in (0..n).step_by(TILE) {
            let to = (from + TILE).min(n);
            model.emission().log_density(chunk.rows.slice(from, to), &mut bank, &mut joint);
            for i in from..to {
                let w = chunk.weight(i);
                let joint = |c: usize| log_weights[c] + joint[c * TILE + i - from];
                if let Some(known) = chunk.label(i) {
                    out.lower_bound += w * joint(known);
                    continue;
                }
                for c in (0..k).filter(|c| resp_at[i * k + c] > 0.0) {
                    let r = resp_at[i * k + c];
                    // Responsibilities below the smallest number still have a logarithm.
                    let log_new = match resp[i * k + c] {
                        0.0 => joint(c) - log_density[i],
                        new => new.ln(),
                    };
                    out.lower_bound += w * r * (joint(c) - r.ln());
                    out.divergence += w * r * (r.ln() - log_new);
                }
            }
        }
        Some(out)
    }
}
