//! The conjugate prior of Gaussian components: its log-density, and the M-step that ends at the mode of the posterior.
//!
//! μ_k given its covariance is N(m₀, Σ_k/κ₀); the covariance is inverse Wishart (full; tied: the one of all), every variance
//! inverse gamma (diag), or the one variance is (spherical). Fraley & Raftery (2007, J. Classification 24, 155–181) give the
//! M-step for single covariances; all four follow from one form. As a function of a covariance Σ, posterior and prior are
//! |Σ|^(−c/2) exp(−tr(Σ⁻¹A)/2), whose mode is A/c, with W = Σ_n r(x−x̄)(x−x̄)ᵀ, n = Σr, D columns, K components:
//!
//! | structure | A | c |
//! |---|---|---|
//! | full | Λ₀ + W + κ₀n/(κ₀+n) (x̄−m₀)(x̄−m₀)ᵀ | ν₀ + D + 2 + n |
//! | tied | Λ₀ + the sum of the other terms over k | ν₀ + D + 1 + K + Σn |
//! | diag | the diagonal of A of full | ν₀ + 3 + n |
//! | spherical | s₀ + the trace of the other terms | ν₀ + 2 + D + nD |
//!
//! (the joint mode of means and covariances; 1 in each c, K for tied and D for spherical, is the mean's own factor). Where the floor
//! acts it is a constraint, as without a prior: the mode under Σ ⪰ F has the same closed form.

use mixtura_kernels::cholesky::{at, factor, log_determinant, packed_len};

use super::{Gaussian, Structure};
use crate::error::{Error, Result};
use crate::family::normal_wishart::Prior;
use crate::family::{ComponentHealth, EMPTY_SHARE, Health};
use crate::special::LARGEST_PRIOR;
use crate::stats::{Layout, Moments};

/// A checked prior, and its scale in the structure's layout (spherical: s₀ in each entry).
#[derive(Clone, Debug)]
pub(super) struct Conjugate {
    pub(super) prior: Prior,
    scale: Vec<f64>,
}

impl Conjugate {
    pub(super) fn new(structure: Structure, d: usize, prior: &Prior) -> Result<Self> {
        let wrong = |what: String| Err(Error::Usage(what));
        if prior.mean.len() != d || prior.scale.len() != d * d {
            return wrong(format!(
                "the prior has {} means and {} numbers of a covariance for {d} columns",
                prior.mean.len(),
                prior.scale.len()
            ));
        }
        if !(prior.mean_precision > 0.0 && prior.mean_precision <= LARGEST_PRIOR) {
            return wrong(format!(
                "the prior of the means is worth {} rows: use a number above 0, at most 1e12",
                prior.mean_precision
            ));
        }
        let least = if structure.layout() == Layout::Full { d as f64 - 1.0 } else { 0.0 };
        if !(prior.degrees_of_freedom > least && prior.degrees_of_freedom <= LARGEST_PRIOR) {
            return wrong(format!(
                "the prior of the covariances has {} degrees of freedom: use a number above {least}, at most 1e12",
                prior.degrees_of_freedom
            ));
        }
        if prior.mean.iter().chain(&prior.scale).any(|v| !v.is_finite()) {
            return wrong("the prior has a number that is not finite".into());
        }
        let entry = |i: usize, j: usize| prior.scale[i * d + j];
        let symmetric = |i: usize, j: usize| {
            let size = (entry(i, i) * entry(j, j)).abs().sqrt();
            (entry(i, j) - entry(j, i)).abs() <= 1e-9 * size && entry(i, j).abs() <= (1.0 + 1e-9) * size
        };
        if (0..d).any(|i| entry(i, i) < 0.0 || (0..i).any(|j| !symmetric(i, j))) {
            return wrong(
                "the prior's covariance is no covariance: it must be symmetric, with variances from 0".into(),
            );
        }
        let scale = match structure.layout() {
            Layout::Full => (0..d).flat_map(|i| (0..=i).map(move |j| entry(i, j))).collect(),
            Layout::Diagonal => (0..d).map(|i| entry(i, i)).collect(),
        };
        Ok(Conjugate { prior: prior.clone(), scale })
    }

    /// What the prior alone adds to c.
    fn exponent(&self, bank: &Gaussian) -> f64 {
        let d = bank.n_features as f64;
        self.prior.degrees_of_freedom
            + match bank.structure {
                Structure::Full => d + 2.0,
                Structure::Tied => d + 1.0 + bank.n_components as f64,
                Structure::Diag => 3.0,
                Structure::Spherical => 2.0 + d,
            }
    }

    /// log of the prior density over that at its mode, so that it has no unit; ≤ 0.
    pub(super) fn log_density(&self, bank: &Gaussian) -> f64 {
        let (d, layout, c) = (bank.n_features, bank.structure.layout(), self.exponent(bank));
        let len = layout.len(d);
        let blocks = bank.structure.n_blocks(bank.n_components);
        let mut mode: Vec<f64> = self.scale.iter().map(|s| s / c).collect();
        bank.floor.apply(bank.structure, &mut mode);
        // Spherical: D equal variances stand for one.
        let once = if bank.structure == Structure::Spherical { 1.0 / d as f64 } else { 1.0 };
        let (log_mode, trace_mode) = match layout {
            Layout::Diagonal => {
                let of = |i: usize| (mode[i].ln(), self.scale[i] / mode[i]);
                (0..d).map(of).fold((0.0, 0.0), |s, t| (s.0 + once * t.0, s.1 + once * t.1))
            }
            Layout::Full => {
                let (mut l, mut inverse) = (vec![0.0; len], vec![0.0; len]);
                // −2 times the log-density at the mean less D log 2π is the log-determinant.
                match super::scaled_factor(&mode, d, &mut l, &mut inverse) {
                    Ok(_) => (log_determinant(&l, d), trace(&inverse, &self.scale, d)),
                    Err(_) => (0.0, 0.0),
                }
            }
        };
        let mut sum = 0.0;
        for inverse in bank.factors.inverse.chunks_exact(len) {
            let (log, trace) = match layout {
                Layout::Diagonal => inverse
                    .iter()
                    .zip(&self.scale)
                    .fold((0.0, 0.0), |(log, trace), (i, s)| (log - once * 2.0 * i.ln(), trace + once * s * i * i)),
                Layout::Full => {
                    (-2.0 * (0..d).map(|i| inverse[at(i, i)].ln()).sum::<f64>(), trace(inverse, &self.scale, d))
                }
            };
            sum += c * (log - log_mode) + (trace - trace_mode);
        }
        debug_assert_eq!(bank.factors.inverse.len(), blocks * len);
        for k in 0..bank.n_components {
            let inverse = &bank.factors.inverse[bank.structure.block_of(k) * len..][..len];
            let away: Vec<f64> = bank.mean(k).iter().zip(&self.prior.mean).map(|(m, m0)| m - m0).collect();
            let squared: f64 = match layout {
                Layout::Diagonal => away.iter().zip(inverse).map(|(a, i)| (a * i) * (a * i)).sum(),
                Layout::Full => (0..d).map(|i| (0..=i).map(|j| inverse[at(i, j)] * away[j]).sum::<f64>().powi(2)).sum(),
            };
            sum += self.prior.mean_precision * squared;
        }
        -0.5 * sum
    }
}

/// tr(L⁻¹ A L⁻ᵀ) of packed L⁻¹ and symmetric A.
fn trace(inverse: &[f64], matrix: &[f64], d: usize) -> f64 {
    let mut sum = 0.0;
    for i in 0..d {
        let row = &inverse[packed_len(i)..][..=i];
        for (a, wa) in row.iter().enumerate() {
            let off: f64 = row[..a].iter().enumerate().map(|(b, wb)| wb * matrix[at(a, b)]).sum();
            sum += wa * (2.0 * off + wa * matrix[at(a, a)]);
        }
    }
    sum
}

/// The M-step: the posterior mode. A component without rows goes to the prior's.
pub(super) fn maximize(bank: &mut Gaussian, conjugate: &Conjugate, stats: &Moments) -> Health {
    let (d, structure) = (bank.n_features, bank.structure);
    let (layout, c0, kappa) = (structure.layout(), conjugate.exponent(bank), conjugate.prior.mean_precision);
    let len = layout.len(d);
    let total: f64 = stats.weight.iter().sum();
    let mut health = vec![ComponentHealth::default(); bank.n_components];
    let (mut mean, mut covariance, mut away) = (vec![0.0; d], vec![0.0; len], vec![0.0; d]);
    let mut sums = conjugate.scale.clone();
    let mut counted = 0.0;
    for k in 0..bank.n_components {
        let mut n = stats.weight[k];
        if n <= EMPTY_SHARE * total {
            (health[k].empty, n) = (true, 0.0);
            mean.fill(0.0);
            covariance.fill(0.0);
        } else {
            stats.mean_and_covariance(k, &mut mean, &mut covariance);
        }
        for j in 0..d {
            // x̄ − m₀, from the pivot: means far from 0 keep their digits.
            away[j] = if n > 0.0 { stats.pivot[k * d + j] - conjugate.prior.mean[j] + mean[j] } else { 0.0 };
            bank.means[k * d + j] = conjugate.prior.mean[j] + away[j] * (n / (n + kappa));
        }
        if structure != Structure::Tied {
            sums.copy_from_slice(&conjugate.scale);
            counted = 0.0;
        }
        counted += n;
        let pull = kappa * (n / (n + kappa));
        match layout {
            Layout::Full => {
                for i in 0..d {
                    for j in 0..=i {
                        sums[at(i, j)] += n * covariance[at(i, j)] + pull * away[i] * away[j];
                    }
                }
            }
            Layout::Diagonal => (0..d).for_each(|i| sums[i] += n * covariance[i] + pull * away[i] * away[i]),
        }
        let c = match structure {
            Structure::Tied => continue,
            Structure::Full | Structure::Diag => c0 + counted,
            Structure::Spherical => {
                // Every entry holds s₀ once.
                let all = sums.iter().sum::<f64>() - (d as f64 - 1.0) * conjugate.scale[0];
                sums.fill(all);
                c0 + counted * d as f64
            }
        };
        sums.iter_mut().for_each(|s| *s /= c);
        health[k].floor_active = bank.floor.apply(structure, &mut sums);
        bank.covariances[k * len..][..len].copy_from_slice(&sums);
    }
    if structure == Structure::Tied {
        sums.iter_mut().for_each(|s| *s /= c0 + counted);
        let active = bank.floor.apply(structure, &mut sums);
        health.iter_mut().for_each(|h| h.floor_active = active);
        bank.covariances.copy_from_slice(&sums);
    }
    health
}

/// Whether a packed covariance is positive definite, whatever its units.
pub(crate) fn positive_definite(full: &[f64], d: usize) -> bool {
    let sd = |i: usize| full[i * d + i].sqrt();
    let mut l: Vec<f64> = (0..d).flat_map(|i| (0..=i).map(move |j| full[i * d + j] / sd(i) / sd(j))).collect();
    (0..d).all(|i| full[i * d + i] > 0.0) && factor(&mut l, d).is_ok()
}
