//! The gamma function's relatives that conjugate families need: log Γ and its derivative ψ, in one and D dimensions.

use std::f64::consts::PI;

/// Largest parameter of a prior: beyond, its log-gammas, some 25 times as large, have no digit left for a thousandth of a nat.
pub(crate) const LARGEST_PRIOR: f64 = 1e12;

/// Terms B₂ₖ / 2k of the asymptotic series of ψ (DLMF 5.11.2).
const SERIES: [f64; 7] =
    [1.0 / 12.0, -1.0 / 120.0, 1.0 / 252.0, -1.0 / 240.0, 1.0 / 132.0, -691.0 / 32760.0, 1.0 / 12.0];
/// From here on the first term left out, 0.443 x⁻¹⁶, is below 1e-17 of ψ.
const LARGE: f64 = 12.0;

/// ψ(x) − ln x for x > 0, good to a few roundings of itself where x is large: both grow, their difference is about −1/2x.
pub(crate) fn digamma_less_ln(x: f64) -> f64 {
    if x < LARGE {
        // ψ(x) = ψ(x + 1) − 1/x (DLMF 5.5.2), the small terms first.
        let steps = (LARGE - x).ceil();
        let shifted = x + steps;
        let sum: f64 = (0..steps as usize).rev().map(|i| 1.0 / (x + i as f64)).sum();
        return digamma_less_ln(shifted) + (shifted / x).ln() - sum;
    }
    let square = 1.0 / (x * x);
    -0.5 / x - square * SERIES.iter().rev().fold(0.0, |sum, b| sum * square + b)
}

/// ψ(x), the derivative of ln Γ(x), for x > 0.
pub(crate) fn digamma(x: f64) -> f64 {
    x.ln() + digamma_less_ln(x)
}

/// Σ_{i<d} (ψ(x − i/2) − ln x): ψ of the multivariate gamma function, less d ln x.
pub(crate) fn multivariate_digamma_less_ln(x: f64, d: usize) -> f64 {
    (0..d).map(|i| digamma_less_ln(x - 0.5 * i as f64) + (-0.5 * i as f64 / x).ln_1p()).sum()
}

/// ln Γ_d(x) = d(d−1)/4 ln π + Σ_{i<d} ln Γ(x − i/2).
pub(crate) fn multivariate_ln_gamma(x: f64, d: usize) -> f64 {
    (d * (d - 1)) as f64 / 4.0 * PI.ln() + (0..d).map(|i| libm::lgamma(x - 0.5 * i as f64)).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_digamma() {
        // mpmath 1.4.1, 30 digits: digamma(x).
        let known = [
            (1e-10, -10_000_000_000.577_215),
            (0.1, -10.423_754_940_411_076),
            (0.5, -1.963_510_026_021_423_5),
            (1.0, -0.577_215_664_901_532_9),
            (2.5, 0.703_156_640_645_243_2),
            (11.75, 2.420_696_893_422_632),
            (1e3, 6.907_255_195_648_812),
            (1e9, 20.723_265_836_446_41),
        ];
        for (x, want) in known {
            // A dozen additions of numbers up to ψ(x) + 1/x. Rounding 1e-10 itself moves ψ by 1e-16/x.
            let tolerance = 1e-14 * f64::max(1.0, 1.0 / x);
            assert!((digamma(x) - want).abs() < tolerance, "ψ({x}) = {}, want {want}", digamma(x));
        }
        // ψ(x) − ln x = −1/2x − 1/12x² + …: relative to itself, where a difference would have no digit left.
        assert!((digamma_less_ln(1e15) * 2e15 + 1.0).abs() < 1e-14);
    }

    #[test]
    fn digamma_is_the_derivative() {
        for d in [1, 2, 5] {
            for x in [2.3, 4.0, 11.9, 12.1, 80.0] {
                let h = 1e-5;
                let slope = (multivariate_ln_gamma(x + h, d) - multivariate_ln_gamma(x - h, d)) / (2.0 * h);
                let psi = multivariate_digamma_less_ln(x, d) + d as f64 * x.ln();
                // Central differences: h²/6 · ψ″ < 1e-9 here, and rounding of about 1e-13 · 300 / h.
                assert!((slope - psi).abs() < 1e-7, "d = {d}, x = {x}: {slope} {psi}");
            }
        }
    }
}
