//! One covariance for all components (`tied`) whitens each row once:
//! ‖L⁻¹(x − μ_k)‖ = ‖L⁻¹(x − c) − L⁻¹(μ_k − c)‖, D²/2 + K·D multiplications a row in place of K·D²/2.

use mixtura_kernels::{Isa, cholesky::at, gaussian::is_small};

use super::{Gaussian, Structure};

/// Largest ‖L⁻¹(μ_k − c)‖∞ for which it serves: a difference of two whitened vectors of that size loses two digits of sixteen,
/// so log-densities keep 1e-12. Components further apart are whitened about their own means.
const MOST_APART: f64 = 100.0;

/// What the E-step needs of it.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    /// c, the average mean.
    pub(super) center: Vec<f64>,
    /// L⁻¹(μ_k − c), K × D.
    means: Vec<f64>,
    /// 1 for every feature: the standard deviations of what is whitened.
    pub(super) unit: Vec<f64>,
    /// Sums to −2 times the log-density at a mean.
    pub(super) log: Vec<f64>,
}

impl Shared {
    /// None where the covariance is not shared, or does not gain.
    pub(super) fn new(bank: &Gaussian) -> Option<Self> {
        let (d, k) = (bank.n_features, bank.n_components);
        if bank.structure != Structure::Tied || k == 1 || is_small(Isa::detect(), d) {
            return None;
        }
        let center: Vec<f64> = (0..d).map(|j| (0..k).map(|c| bank.means[c * d + j] / k as f64).sum()).collect();
        let whitened = |c: usize, i: usize| -> f64 {
            (0..=i).map(|j| bank.factors.inverse[at(i, j)] * (bank.means[c * d + j] - center[j])).sum()
        };
        let means: Vec<f64> = (0..k * d).map(|n| whitened(n / d, n % d)).collect();
        let mut log = vec![0.0; d];
        log[0] = -2.0 * bank.factors.log[0];
        means.iter().all(|m| m.abs() <= MOST_APART).then_some(Shared { center, means, unit: vec![1.0; d], log })
    }

    /// L⁻¹(μ_k − c).
    pub(super) fn mean(&self, k: usize) -> &[f64] {
        &self.means[k * self.center.len()..][..self.center.len()]
    }
}
