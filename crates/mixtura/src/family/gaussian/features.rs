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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Rows;
    use crate::family::{Emission, TILE};
    use crate::seed::Seed;
    use rand::RngExt;

    const K: usize = 7;
    const D: usize = 6;

    /// K components around 0 with standard deviations between `sd` and 1.
    fn bank(sd: f64, center: f64) -> Gaussian {
        let mut rng = Seed::new(5).rng();
        let means = (0..K * D).map(|_| center + rng.random_range(-1.5..1.5)).collect();
        let mut covariances = vec![0.0; K * D * D];
        for c in covariances.chunks_exact_mut(D * D) {
            // L·Lᵀ with a diagonal from sd to 1.
            let mut l = [[0.0; D]; D];
            for i in 0..D {
                (0..i).for_each(|j| l[i][j] = rng.random_range(-0.3..0.3) * sd);
                l[i][i] = sd.powf(rng.random_range(0.0..1.0));
            }
            for i in 0..D {
                for j in 0..D {
                    c[i * D + j] = (0..D).map(|m| l[i][m] * l[j][m]).sum();
                }
            }
        }
        Gaussian::new(Structure::Full, D, means, covariances).unwrap()
    }

    /// Log-densities and moments of rows, each with responsibility 1/K.
    fn pass(bank: &Gaussian, rows: &[f64]) -> (Vec<f64>, crate::stats::Moments) {
        let (mut scratch, mut stats, mut out) = (bank.scratch(), bank.empty_stats(), vec![0.0; K * TILE]);
        bank.log_density(Rows::new(rows, D), &mut scratch, &mut out);
        bank.accumulate(Rows::new(rows, D), &[1.0 / K as f64; K * TILE], &mut scratch, &mut stats);
        (out, stats)
    }

    #[test]
    fn the_bound_holds_out_to_the_limit() {
        let mut used = 0;
        for step in 0..30 {
            let short = bank(0.7_f64.powi(step), 0.0);
            let Some(features) = &short.factors.features else { continue };
            used += 1;
            let mut long = short.clone();
            long.factors.features = None;
            let mut rng = Seed::new(step as u64).rng();
            // Half of the rows at the limit, half near the components.
            let mut rows: Vec<f64> = (0..TILE * D).map(|_| rng.random_range(-3.0..3.0)).collect();
            for row in rows.chunks_exact_mut(D).step_by(2) {
                let norm = row.iter().map(|x| x * x).sum::<f64>().sqrt();
                row.iter_mut().for_each(|x| *x *= features.limit.sqrt() * (1.0 - 1e-9) / norm);
            }
            let ((a, moments), (b, pivoted)) = (pass(&short, &rows), pass(&long, &rows));
            assert_eq!((moments.pivot[0], pivoted.pivot[0]), (0.0, long.mean(0)[0]));
            for k in 0..K {
                for t in 0..TILE {
                    // The long way's own error: 1e-15 of its value.
                    let (a, b) = (a[k * TILE + t], b[k * TILE + t]);
                    assert!((a - b).abs() <= TOLERANCE + 1e-14 * b.abs(), "{step}: {a} {b}");
                }
                let (mut m, mut c, mut n, mut e) =
                    (vec![0.0; D], vec![0.0; packed_len(D)], vec![0.0; D], vec![0.0; packed_len(D)]);
                moments.mean_and_covariance(k, &mut m, &mut c);
                pivoted.mean_and_covariance(k, &mut n, &mut e);
                for i in 0..D {
                    // Rows at the limit make covariances of its size, so both ways lose no digits to speak of.
                    assert!((m[i] - (n[i] + long.mean(k)[i])).abs() <= 1e-13 * features.limit.sqrt());
                    (0..=i).for_each(|j| assert!((c[at(i, j)] - e[at(i, j)]).abs() <= 1e-13 * features.limit));
                }
            }
            // One row beyond the limit: the whole tile goes the long way.
            rows[0] = 2.0 * features.limit.sqrt();
            assert_eq!(pass(&short, &rows).0, pass(&long, &rows).0);
        }
        assert!((5..30).contains(&used), "{used}");
    }

    #[test]
    fn components_far_from_0_go_the_long_way() {
        assert!(bank(0.5, 0.0).factors.features.is_some() && bank(0.5, 1e8).factors.features.is_none());
    }
}
