//! exp over slices: Cody–Waite reduction and a degree-13 Taylor polynomial on |r| ≤ ln 2 / 2.
//!
//! Bound: relative error below 4e-16 (under 2 ulp) for −708 ≤ x ≤ 0. Below −708 the result is exactly 0 (no denormals);
//! NaN stays NaN. The domain is x ≤ 0, which is all that a softmax needs.

use crate::simd::{fma, kernel};

// fdlibm's split of ln 2: the high part has 32 trailing zero bits, so k·LN2_HI is exact for |k| < 2^20.
const LN2_HI: f64 = 6.931_471_803_691_238e-1;
const LN2_LO: f64 = 1.908_214_929_270_587_7e-10;
/// Adding 1.5·2^52 rounds to an integer and leaves it in the low bits of the sum.
const ROUND: f64 = 6_755_399_441_055_744.0;

#[inline(always)]
pub(crate) fn exp_one<const FMA: bool>(x: f64) -> f64 {
    let shifted = fma::<FMA>(x, std::f64::consts::LOG2_E, ROUND);
    let k = shifted - ROUND;
    let r = fma::<FMA>(-k, LN2_LO, fma::<FMA>(-k, LN2_HI, x));
    // Horner over the Taylor coefficients 1/n!: the truncation r^14/14! is below 5e-18 on the reduced range.
    let mut p = 1.0 / 6_227_020_800.0;
    p = fma::<FMA>(p, r, 1.0 / 479_001_600.0);
    p = fma::<FMA>(p, r, 1.0 / 39_916_800.0);
    p = fma::<FMA>(p, r, 1.0 / 3_628_800.0);
    p = fma::<FMA>(p, r, 1.0 / 362_880.0);
    p = fma::<FMA>(p, r, 1.0 / 40_320.0);
    p = fma::<FMA>(p, r, 1.0 / 5_040.0);
    p = fma::<FMA>(p, r, 1.0 / 720.0);
    p = fma::<FMA>(p, r, 1.0 / 120.0);
    p = fma::<FMA>(p, r, 1.0 / 24.0);
    p = fma::<FMA>(p, r, 1.0 / 6.0);
    p = fma::<FMA>(p, r, 0.5);
    p = fma::<FMA>(p, r, 1.0);
    p = fma::<FMA>(p, r, 1.0);
    let power = f64::from_bits((shifted.to_bits() << 52).wrapping_add(1023 << 52));
    if x < -708.0 { 0.0 } else { p * power }
}

#[inline(always)]
fn exp_body<const FMA: bool, const L: usize>(values: &mut [f64]) {
    for v in values {
        *v = exp_one::<FMA>(*v);
    }
}

kernel! {
    /// Replaces every value x ≤ 0 by exp(x). See the module for the error bound.
    pub fn exp_in_place(values: &mut [f64]) = exp_body, lanes 8 / 8 / 8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Isa;

    #[test]
    fn within_the_stated_bound_of_the_standard_library() {
        // The oracle is the platform's exp, itself within 1 ulp: 2.2e-16 is granted to it.
        let grid: Vec<f64> = (0..200_001).map(|i| -708.0 * (i as f64 / 200_000.0)).collect();
        for isa in Isa::available() {
            let mut out = grid.clone();
            exp_in_place(isa, &mut out);
            for (x, e) in grid.iter().zip(&out) {
                let want = x.exp();
                assert!((e - want).abs() <= (4e-16 + 2.3e-16) * want, "{} exp({x}) = {e}, want {want}", isa.name());
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
        }
    }
}
