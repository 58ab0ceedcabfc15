//! Where quadratic features (`mixtura_kernels::features`) may take the place of whitening and of moments about the means.
//!
//! They expand (x − μ)ᵀ Σ⁻¹ (x − μ) and Σr(x − μ)(x − μ)ᵀ about 0, the centre of standardised columns, and so cancel: a
//! log-density errs by about ε·tr(Σ⁻¹)·(‖x‖ + ‖μ‖)², a covariance by the same relative to its smallest variance. The bound is
//! computed before the pass, for each component, and becomes a largest ‖x‖; a tile with a row further out goes the long way.

use mixtura_kernels::Isa;
use mixtura_kernels::cholesky::{at, packed_len};
use mixtura_kernels::features::{Polynomials, densities_pay, moments_pay};

use super::{Gaussian, Structure};

/// Largest error of a log-density: far below what a fit's tolerance of 1e-5 nats or so can see in a sum over the rows.
const TOLERANCE: f64 = 1e-10;

/// Standard deviations around a mean within which nearly all rows of a component lie; a bank whose bound fails there gains
/// nothing.
const WIDTH: f64 = 9.0;

/// What an E-step by features needs.
#[derive(Clone, Debug)]
pub(super) struct Features {
    /// The log-densities, where that is faster than whitening.
    pub(super) polynomials: Option<Polynomials>,
    /// Largest ‖x‖² for which the bound holds.
    pub(super) limit: f64,
}

impl Features {
    /// None where they do not pay or are not safe.
    pub(super) fn new(bank: &Gaussian) -> Option<Self> {
        let (d, k, isa) = (bank.n_features, bank.n_components, Isa::detect());
        let densities = bank.structure == Structure::Full && densities_pay(isa, k, d);
        if !(densities || moments_pay(k, d)) {
            return None;
        }
        let mut reach = f64::INFINITY;
        for c in 0..k {
            let norm = bank.mean(c).iter().map(|m| m * m).sum::<f64>().sqrt();
            let trace: f64 = bank.whitening(c).iter().map(|v| v * v).sum();
            let largest: f64 = (0..d).map(|i| bank.block(c)[at(i, i)]).sum();
            let own = (TOLERANCE / (f64::EPSILON * trace)).sqrt() - norm;
            if own.is_nan() || own < norm + WIDTH * largest.sqrt() {
                return None;
            }
            reach = reach.min(own);
        }
        let polynomials = densities.then(|| {
            let mut precisions = vec![0.0; k * packed_len(d)];
            for (c, a) in precisions.chunks_exact_mut(packed_len(d)).enumerate() {
                let inverse = bank.whitening(c);
                for m in 0..d {
                    let row = &inverse[at(m, 0)..=at(m, m)];
                    for i in 0..=m {
                        let to = &mut a[at(i, 0)..=at(i, i)];
                        to.iter_mut().zip(row).for_each(|(a, v)| *a += row[i] * v);
                    }
                }
            }
            Polynomials::new(isa, d, &bank.factors.log, &bank.means, &precisions)
        });
        Some(Features { polynomials, limit: reach * reach })
    }
}
