//! The gamma function's relatives (log Γ and its derivative ψ, in one and D dimensions), the logarithm of binomial
//! coefficients, and the tails of the normal distribution that censored rows need.

use std::f64::consts::{FRAC_1_SQRT_2, PI, TAU};
use std::sync::LazyLock;

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

/// log n! of the numbers that most counts are.
static LN_FACTORIAL: LazyLock<Vec<f64>> =
    LazyLock::new(|| (0..1024).map(|n| libm::lgamma(f64::from(n) + 1.0)).collect());

/// log n! − (n + ½) log n + n − ½ log 2π: what Stirling's formula leaves, for n ≥ 1.
fn stirling_rest(n: f64) -> f64 {
    if n < 16.0 {
        return LN_FACTORIAL[n as usize] - (n + 0.5) * n.ln() + n - 0.5 * TAU.ln();
    }
    // DLMF 5.11.1; the first term left out is below 2e-17.
    let square = 1.0 / (n * n);
    let series = [1.0 / 12.0, -1.0 / 360.0, 1.0 / 1260.0, -1.0 / 1680.0, 1.0 / 1188.0, -691.0 / 360_360.0, 1.0 / 156.0];
    series.iter().rev().fold(0.0, |sum, c| sum * square + c) / n
}

/// log of the number of ways to choose `k` of `n`, whole numbers 0 ≤ k ≤ n; absolute error of about n roundings at most.
pub(crate) fn ln_choose(n: f64, k: f64) -> f64 {
    let rest = n - k;
    if k == 0.0 || rest == 0.0 {
        return 0.0;
    }
    if n < LN_FACTORIAL.len() as f64 {
        return LN_FACTORIAL[n as usize] - LN_FACTORIAL[k as usize] - LN_FACTORIAL[rest as usize];
    }
    // Stirling's terms of size n log n cancel by hand (Loader 2000): what is left is the entropy, of size n at most.
    let entropy = -k * (k / n).ln() - rest * (rest / n).ln();
    let corrections = stirling_rest(n) - stirling_rest(k) - stirling_rest(rest);
    entropy + corrections - 0.5 * (TAU * k * (rest / n)).ln()
}

/// Half the log of 2π.
pub(crate) const HALF_LN_TAU: f64 = 0.918_938_533_204_672_8;
/// From here on the normal tail is its continued fraction, before from erfc.
const FAR: f64 = 5.0;
/// Terms of the fraction: at [`FAR`] the rest is below the last bit, beyond sooner.
const FRACTION: u32 = 60;

/// E\[z | z > x\] − x of a standard normal z: the inverse Mills ratio φ(x) / Q(x), less x. Good to a few roundings of itself.
pub(crate) fn normal_excess(x: f64) -> f64 {
    if x < FAR {
        return (2.0 / PI).sqrt() * (-0.5 * x * x).exp() / libm::erfc(x * FRAC_1_SQRT_2) - x;
    }
    // Q(x) = φ(x) / (x + 1/(x + 2/(x + 3/(x + …)))) (DLMF 7.9.2).
    1.0 / (2..=FRACTION).rev().fold(x, |rest, k| x + f64::from(k) / rest)
}

/// log Q(x) = log P(z > x) of a standard normal z.
pub(crate) fn ln_normal_tail(x: f64) -> f64 {
    match x {
        x if x < 0.0 => (-0.5 * libm::erfc(-x * FRAC_1_SQRT_2)).ln_1p(),
        x if x < FAR => (0.5 * libm::erfc(x * FRAC_1_SQRT_2)).ln(),
        x => -0.5 * x * x - HALF_LN_TAU - (x + normal_excess(x)).ln(),
    }
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
    fn values_of_normal_tails() {
        // mpmath 1.4.1, 60 digits (900 beyond 30): (x, φ(x)/Q(x) − x, log Q(x)).
        let known: [(f64, f64, f64); 12] = [
            (-1e3, 1e3, -0.0),
            (-8.0, 8.000_000_000_000_005, -6.220_960_574_271_786e-16),
            (-1.0, 1.287_599_970_939_178_4, -0.172_753_779_023_449_9),
            (0.0, 0.797_884_560_802_865_4, -std::f64::consts::LN_2),
            (1.0, 0.525_135_276_160_981_2, -1.841_021_645_009_263_5),
            (4.999, 0.186_536_668_974_189_6, -15.059_812_373_671_576),
            (5.0, 0.186_503_967_125_842_1, -15.064_998_393_988_726),
            (5.5, 0.171_410_313_897_305_62, -17.779_376_352_625_26),
            (10.0, 0.098_093_233_962_511_96, -53.231_285_150_512_47),
            (40.0, 0.024_968_847_207_263_723, -804.608_442_013_753_8),
            (1e3, 9.999_980_000_099_999e-4, -500_007.826_694_812_2),
            (1e8, 9.999_999_999_999_998e-9, -5_000_000_000_000_019.0),
        ];
        for (x, excess, tail) in known {
            // x²/2 of up to 12.5 is rounded before exp, and 5 is subtracted from a ratio of 5.2: 13·eps·5.2/0.19. The fraction
            // is good to roundings, and the log to one of itself.
            let tolerance = if x < 5.0 { 1e-13 } else { 1e-15 };
            assert!((normal_excess(x) / excess - 1.0).abs() < tolerance, "{x}: {} {excess}", normal_excess(x));
            // Below 0 the log is a tail itself, whose x/√2 is rounded: x²·eps of it.
            let tolerance = 4e-16 * tail.abs() * if x < 0.0 { 1.0 + x * x } else { 1.0 };
            assert!((ln_normal_tail(x) - tail).abs() <= tolerance, "{x}: {} {tail}", ln_normal_tail(x));
        }
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

    #[test]
    fn binomial_coefficients() {
        // Python 3.11, math.comb (exact integers), its logarithm with 40 digits by decimal.
        let known = [
            (1.0, 0.0, 0.0),
            (2.0, 1.0, std::f64::consts::LN_2),
            (10.0, 3.0, 4.787491742782046),
            (10.0, 10.0, 0.0),
            (52.0, 5.0, 14.77062192297037),
            (1023.0, 511.0, 705.3977943167934),
            (1024.0, 1.0, 6.931471805599453),
            (1024.0, 512.0, 706.0909414973534),
            (1030.0, 7.0, 40.01560583483866),
            (5000.0, 4999.0, 8.517193191416238),
            (100000.0, 31.0, 278.80381538793966),
            (100000.0, 50000.0, 69308.7357994094),
        ];
        for (n, k, want) in known {
            // About n roundings, and those of the table's largest entry.
            let tolerance = 2.3e-16 * f64::max(n, 1023.0_f64.ln() * f64::min(n, 1023.0)) + 1e-14;
            let got = ln_choose(n, k);
            assert!((got - want).abs() < tolerance, "({n}, {k}): {got}, want {want}");
            assert!((ln_choose(n, n - k) - want).abs() < tolerance);
        }
    }
}
