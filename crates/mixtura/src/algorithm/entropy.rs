//! Entropy-regularised EM: starts with too many components, and those that the data do not need lose their weight and leave.
//!
//! Li, Zhang & Jiang (2005, The regularized EM algorithm, AAAI) add an entropy to the likelihood so that surplus components die out.
//! The form here is that of Yang, Lai & Lin (2012, Pattern Recognition 45, 3950–3961): the objective is ℓ + β Σw Σ_k π_k log π_k, so
//! that an uneven distribution of the weights is worth something. At a maximum, with n_k = Σ w r_k and H = −Σ π log π,
//!
//! π_k = n_k/Σw + β π_k (log π_k + H)   (their eq. 13, with the old weights on the right):
//!
//! weights below the geometric mean that the entropy gives shrink, the others grow. Components that explain the same rows compete, and
//! all but one lose; a component with rows of its own keeps n_k, unless its share is so small that the term outweighs it. β is
//! their eq. 22–24: near 1 while the weights hardly move, near 0 while they do, never so large that one component takes all at once.
//!
//! A component leaves when Σw π_k is below half the number of its free parameters, or below one row: fewer rows do not support it
//! (Figueiredo & Jain 2002, IEEE PAMI 24, eq. 17, has the same bound; Yang et al. take one row, which leaves singular covariances).
//! When no component has left for a number of passes, SQUAREM goes on without the term.

use super::{Algorithm, Remaining, Squarem, Step};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::model::{LatentModel, Posterior, Unconstrained};

/// Passes without a component leaving after which the term goes (Yang, Lai & Lin 2012, §3, step 6: 60).
const QUIET: usize = 60;

/// Entropy-regularised EM, then guarded SQUAREM. One step is one E- and one M-step. For mixtures whose weights are free.
#[derive(Clone, Debug)]
pub struct Entropy<M> {
    beta: f64,
    /// Passes since a component left.
    quiet: usize,
    squarem: Squarem<M>,
}

impl<M> Default for Entropy<M> {
    fn default() -> Self {
        Entropy { beta: 1.0, quiet: 0, squarem: Squarem::default() }
    }
}

/// The next weights, not normalised, and the next β.
fn pull(old: &[f64], em: &[f64], beta: f64, (total, n_features): (f64, usize)) -> (Vec<f64>, f64) {
    let negative_entropy: f64 = old.iter().filter(|w| **w > 0.0).map(|w| w * w.ln()).sum();
    let force = |w: f64| if w > 0.0 { w * (w.ln() - negative_entropy) } else { 0.0 };
    let new: Vec<f64> = old.iter().zip(em).map(|(w, e)| e + beta * force(*w)).collect();
    // Their η: in many columns the weights move more for the same reason.
    let eta = 0.5_f64.powi((n_features as i32 / 2 - 1).max(0));
    let still = new.iter().zip(old).map(|(n, o)| (-eta * total * (n - o).abs()).exp()).sum::<f64>() / old.len() as f64;
    let largest = |weights: &[f64]| weights.iter().copied().fold(0.0, f64::max);
    let most = (1.0 - largest(em)) / (-largest(old) * negative_entropy);
    // One component alone has no entropy: 0/0.
    let next = if most.is_nan() { 0.0 } else { still.min(most) };
    (new, next)
}

impl<M: LatentModel + Unconstrained> Algorithm<M> for Entropy<M> {
    fn step(&mut self, model: &mut M, engine: &mut dyn Engine<M>) -> Result<Step> {
        let Some((old, n_features)) = model.free_weights() else {
            return Err(Error::Usage(
                "entropy-regularised EM removes components of a mixture by their weights, and this model has none that are free: choose another algorithm".into(),
            ));
        };
        if self.quiet >= QUIET || old.len() == 1 {
            return self.squarem.step(model, engine);
        }
        let expectation = engine.expect(model, 0..engine.n_chunks(), Posterior::Soft)?;
        let objective = expectation.log_likelihood + model.log_prior();
        let mut health = model.m_step(&expectation.stats)?;
        let em = model.free_weights().map_or_else(Vec::new, |(weights, _)| weights);
        let (mut weights, beta) = pull(&old, &em, self.beta, (expectation.weight, n_features));
        self.beta = beta;
        let own = (model.n_free_parameters() + 1) as f64 / old.len() as f64 - 1.0;
        let least = (own / 2.0).max(1.0) / expectation.weight;
        let mut keep: Vec<usize> = (0..weights.len()).filter(|&k| weights[k] >= least).collect();
        if keep.is_empty() {
            keep.push((0..em.len()).fold(0, |best, k| if em[k] > em[best] { k } else { best }));
            weights[keep[0]] = 1.0;
        }
        self.quiet += 1;
        if keep.len() < weights.len() {
            self.quiet = 0;
            health = keep.iter().map(|&k| health[k]).collect();
        }
        let kept: f64 = keep.iter().map(|&k| weights[k]).sum();
        model.keep_components(&keep, keep.iter().map(|&k| weights[k] / kept).collect());
        // The term changes from pass to pass, and so does what is climbed.
        Ok(Step { objective, health, remaining: Remaining::Incomparable })
    }

    /// Only what comes after the term is kept: before it, a run that is cut short begins again.
    fn state(&self) -> Option<Vec<Vec<f64>>> {
        (self.quiet >= QUIET).then(|| self.squarem.state()).flatten()
    }

    fn restore(&mut self, model: &M, state: &[Vec<f64>]) -> bool {
        let restored = self.squarem.restore(model, state);
        self.quiet = if restored { QUIET } else { self.quiet };
        restored
    }

    fn settle(&mut self, model: &mut M) {
        Algorithm::settle(&mut self.squarem, model);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pull_is_the_gradient_of_the_term() {
        // By differences: d/dπ_k of Σ π log π, made tangent to the simplex in the metric of the weights (times π_k, less the mean).
        let old = [0.1, 0.25, 0.65];
        let em = [0.2, 0.3, 0.5];
        let (new, beta) = pull(&old, &em, 0.5, (50.0, 1));
        let term = |w: &[f64]| w.iter().map(|w| w * w.ln()).sum::<f64>();
        let slope = |k: usize| {
            let (mut up, mut down) = (old, old);
            (up[k], down[k]) = (up[k] + 1e-6, down[k] - 1e-6);
            (term(&up) - term(&down)) / 2e-6
        };
        let mean: f64 = (0..3).map(|k| old[k] * slope(k)).sum();
        for k in 0..3 {
            // Differences of step 1e-6 are good to about 1e-10.
            assert!((new[k] - (em[k] + 0.5 * old[k] * (slope(k) - mean))).abs() < 1e-9, "{k}");
        }
        assert!((new.iter().sum::<f64>() - 1.0).abs() < 1e-15 * 10.0, "the weights still sum to 1");
        // Yang et al., eq. 22 and 23, written out.
        let still: f64 = (0..3).map(|k| (-50.0 * (new[k] - old[k]).abs()).exp()).sum::<f64>() / 3.0;
        assert!((beta - still.min(0.5 / (-0.65 * term(&old)))).abs() < 1e-15);
        assert_eq!(pull(&[1.0], &[1.0], 1.0, (50.0, 1)), (vec![1.0], 0.0));
        assert_eq!(pull(&[0.0, 1.0], &[0.0, 1.0], 1.0, (50.0, 1)).0, [0.0, 1.0]);
    }
}
