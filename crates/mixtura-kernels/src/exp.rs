//! exp and log of vectors.
//!
//! exp: Cody–Waite reduction to |r| ≤ ln 2 / 2, then 1 + r + r²·q(r) with the minimax q of degree 9 (truncation 4e-18).
//! Bound: relative error below 2.3e-16 (1 ulp) with fused multiply-add, 3e-16 without, for −708 ≤ x ≤ 0. Below −708 the
//! result is exactly 0 (no denormals); NaN stays NaN. The domain is x ≤ 0, which is all that a softmax needs.
//!
//! log: m ∈ [√½, √2), s = (m − 1)/(m + 1), log m = 2s + s³·p(s²) with the minimax p of degree 6 (truncation 1.3e-18).
//! Bound: error below 2.3e-16·max(1, |log x|), for 1 ≤ x < ∞.

use crate::simd::{Simd, kernel};

/// The least x whose exponential is not taken for 0: below, it is a denormal number.
pub const LOWEST: f64 = -708.0;

// fdlibm's split of ln 2: the high part has 32 trailing zero bits, so k·LN2_HI is exact for |k| < 2^20.
const LN2_HI: f64 = 6.931_471_803_691_238e-1;
const LN2_LO: f64 = 1.908_214_929_270_587_7e-10;
/// Adding 1.5·2^52 rounds to an integer and leaves it in the low bits of the sum.
const ROUND: f64 = 6_755_399_441_055_744.0;

// Remez exchange in 60 digits for exp(r) = 1 + r + r²·q(r) on |r| ≤ 1.0001·ln 2 / 2; lowest degree first.
const EXP: [f64; 10] = [
    0.500_000_000_000_001_1,
    0.166_666_666_666_664_13,
    0.041_666_666_666_530_16,
    0.008_333_333_333_494_458,
    0.001_388_888_894_362_903_2,
    0.000_198_412_695_065_849_44,
    2.480_149_309_991_327_3e-5,
    2.755_758_637_017_762_4e-6,
    2.763_024_805_094_84e-7,
    2.500_006_230_370_551_5e-8,
];

// The same for log((1 + s)/(1 − s)) = 2s + s³·p(s²) on 0 ≤ s² ≤ 1.0002·(√2 − 1)²/(√2 + 1)².
const LOG: [f64; 7] = [
    0.666_666_666_666_673_4,
    0.399_999_999_994_139_65,
    0.285_714_287_425_615_6,
    0.222_221_985_538_411_4,
    0.181_835_654_045_366_83,
    0.153_140_211_846_528_5,
    0.147_962_605_350_129_14,
];

/// A polynomial by pairs of coefficients, then Horner in x²: half the latency of Horner in x for as many operations.
#[inline(always)]
fn polynomial<S: Simd, const N: usize>(coefficients: &[f64; N], x: S::V, square: S::V) -> S::V {
    let mut p = S::splat(coefficients[N - 1]);
    let mut i = N - 1;
    if N.is_multiple_of(2) {
        i -= 1;
        p = S::fma(p, x, S::splat(coefficients[i]));
    }
    while i > 0 {
        i -= 2;
        let pair = S::fma(S::splat(coefficients[i + 1]), x, S::splat(coefficients[i]));
        p = S::fma(p, square, pair);
    }
    p
}

/// exp(x) for x ≤ 0, and exactly 0 where x < `lowest`, which is at least [`LOWEST`].
#[inline(always)]
pub(crate) fn exp<S: Simd>(x: S::V, lowest: S::V) -> S::V {
    let shifted = S::fma(x, S::splat(std::f64::consts::LOG2_E), S::splat(ROUND));
    let k = S::sub(shifted, S::splat(ROUND));
    let r = S::fma(k, S::splat(-LN2_LO), S::fma(k, S::splat(-LN2_HI), x));
    let square = S::mul(r, r);
    let tail = S::fma(square, polynomial::<S, 10>(&EXP, r, square), r);
    let power = S::power_of_two(shifted);
    let e = S::fma(power, tail, power);
    S::if_less(x, lowest, S::splat(0.0), e)
}

/// log(x), x positive and normal.
#[inline(always)]
pub(crate) fn log<S: Simd>(x: S::V) -> S::V {
    let one = S::splat(1.0);
    let (e, m) = S::exponent_mantissa(x);
    let root = S::splat(std::f64::consts::SQRT_2);
    let e = S::if_less(m, root, e, S::add(e, one));
    let m = S::if_less(m, root, m, S::mul(m, S::splat(0.5)));
    let s = S::div(S::sub(m, one), S::add(m, one));
    let z = S::mul(s, s);
    let tail = S::mul(S::mul(s, z), polynomial::<S, 7>(&LOG, z, S::mul(z, z)));
    let low = S::fma(e, S::splat(LN2_LO), tail);
    S::fma(e, S::splat(LN2_HI), S::add(S::add(s, s), low))
}

/// Runs a function of vectors over a slice; a function would not be compiled for the path of its caller.
macro_rules! in_place {
    ($values:ident, $x:ident => $f:expr) => {
        let (whole, rest) = $values.split_at_mut($values.len() / S::LANES * S::LANES);
        for v in whole.chunks_exact_mut(S::LANES) {
            let $x = S::load(v);
            S::store(v, $f);
        }
        let mut last = [1.0; 8];
        last[..rest.len()].copy_from_slice(rest);
        let $x = S::load(&last);
        S::store(&mut last, $f);
        rest.copy_from_slice(&last[..rest.len()]);
    };
}

#[inline(always)]
fn exp_body<S: Simd>(values: &mut [f64]) {
    in_place!(values, x => exp::<S>(x, S::splat(LOWEST)));
}

#[inline(always)]
fn log_body<S: Simd>(values: &mut [f64]) {
    in_place!(values, x => log::<S>(x));
}

kernel! {
    /// Replaces every value x ≤ 0 by exp(x). See the module for the error bound.
    pub fn exp_in_place(values: &mut [f64]) = exp_body
}

kernel! {
    /// Replaces every value x by log(x), for positive normal numbers. See the module for the error bound.
    pub fn log_in_place(values: &mut [f64]) = log_body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Isa;

    #[test]
    fn exp_is_within_the_stated_bound_of_the_standard_library() {
        // The oracle is the platform's exp, itself within 1 ulp: 2.3e-16 is granted to it.
        let grid: Vec<f64> = (0..200_001).map(|i| -708.0 * (i as f64 / 200_000.0)).collect();
        for isa in Isa::available() {
            let bound = if isa == Isa::portable() { 3e-16 } else { 2.3e-16 };
            let mut out = grid.clone();
            exp_in_place(isa, &mut out);
            for (x, e) in grid.iter().zip(&out) {
                let want = x.exp();
                assert!((e - want).abs() <= (bound + 2.3e-16) * want, "{} exp({x}) = {e}, want {want}", isa.name());
            }
        }
    }

    #[test]
    fn log_is_within_the_stated_bound_of_the_standard_library() {
        let grid: Vec<f64> = (0..200_000).map(|i| 1.0 + f64::from(i) * 1e-4 + (f64::from(i) * 3e-3).exp()).collect();
        for isa in Isa::available() {
            let mut out = grid.clone();
            log_in_place(isa, &mut out);
            for (x, l) in grid.iter().zip(&out) {
                let want = x.ln();
                // As above, the platform's own ulp is granted.
                let bound = 2.3e-16 * want.abs().max(1.0) + 2.3e-16 * want;
                assert!((l - want).abs() <= bound, "{} log({x}) = {l}, want {want}", isa.name());
            }
        }
    }

    #[test]
    fn edges() {
        for isa in Isa::available() {
            let mut v = [0.0, -0.0, -1e-300, -708.1, -1e300, f64::NEG_INFINITY, f64::NAN];
            exp_in_place(isa, &mut v);
            assert_eq!(v[..6], [1.0, 1.0, 1.0, 0.0, 0.0, 0.0], "{}", isa.name());
            assert!(v[6].is_nan());
            let mut v = [1.0, 2.0, 0.5];
            log_in_place(isa, &mut v);
            assert_eq!(v, [0.0, std::f64::consts::LN_2, -std::f64::consts::LN_2], "{}", isa.name());
        }
    }
}
