//! NEON, which every 64-bit Arm of an operating system has: pairs of registers of two lanes.
//!
//! A pair is as wide as a register of AVX2, and there are as many of them (16): the register blocks are those of that path. Lane by lane
//! each operation is that of [`super::Portable`], to the bit.
#![allow(unsafe_code)]

use std::arch::aarch64::*;

use super::Simd;

/// Four lanes, sixteen pairs of registers.
#[derive(Clone, Copy)]
pub(crate) struct Neon;

/// An instruction on both halves; a function of a function would not be sure to stay in registers.
macro_rules! both {
    ($op:ident($($v:expr),+)) => {
        // SAFETY: see the implementation below.
        unsafe { float64x2x2_t($op($($v.0),+), $op($($v.1),+)) }
    };
}

// SAFETY of every block below: the target has NEON, and loads and stores stay inside a slice whose length has just been
// checked.
impl Simd for Neon {
    type V = float64x2x2_t;
    const LANES: usize = 4;
    const ROWS: usize = 2;
    const PANEL: usize = 4;
    const SMALL: usize = 4;
    const SMALL_WHITENING: usize = 4;
    const GROUP: usize = 4;
    const POLYNOMIALS: usize = 12;

    #[inline(always)]
    fn splat(x: f64) -> Self::V {
        let v = unsafe { vdupq_n_f64(x) };
        float64x2x2_t(v, v)
    }
    #[inline(always)]
    fn load(from: &[f64]) -> Self::V {
        assert!(from.len() >= 4);
        unsafe { float64x2x2_t(vld1q_f64(from.as_ptr()), vld1q_f64(from.as_ptr().add(2))) }
    }
    #[inline(always)]
    fn load_partial(from: &[f64]) -> Self::V {
        let mut lanes = [0.0; 4];
        let n = from.len().min(4);
        lanes[..n].copy_from_slice(&from[..n]);
        Self::load(&lanes)
    }
    #[inline(always)]
    fn store(to: &mut [f64], v: Self::V) {
        assert!(to.len() >= 4);
        unsafe {
            vst1q_f64(to.as_mut_ptr(), v.0);
            vst1q_f64(to.as_mut_ptr().add(2), v.1);
        }
    }
    #[inline(always)]
    fn add(a: Self::V, b: Self::V) -> Self::V {
        both!(vaddq_f64(a, b))
    }
    #[inline(always)]
    fn sub(a: Self::V, b: Self::V) -> Self::V {
        both!(vsubq_f64(a, b))
    }
    #[inline(always)]
    fn mul(a: Self::V, b: Self::V) -> Self::V {
        both!(vmulq_f64(a, b))
    }
    #[inline(always)]
    fn div(a: Self::V, b: Self::V) -> Self::V {
        both!(vdivq_f64(a, b))
    }
    #[inline(always)]
    fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        both!(vfmaq_f64(c, a, b))
    }
    #[inline(always)]
    fn sqrt(a: Self::V) -> Self::V {
        both!(vsqrtq_f64(a))
    }
    #[inline(always)]
    fn max(a: Self::V, b: Self::V) -> Self::V {
        // The instructions for a maximum give NaN, or the number, where one is not a number: not always `b`.
        Self::if_less(b, a, a, b)
    }
    #[inline(always)]
    fn if_less(a: Self::V, b: Self::V, yes: Self::V, no: Self::V) -> Self::V {
        let less = unsafe { (vcltq_f64(a.0, b.0), vcltq_f64(a.1, b.1)) };
        both!(vbslq_f64(less, yes, no))
    }
    #[inline(always)]
    fn if_nan(a: Self::V, yes: Self::V, no: Self::V) -> Self::V {
        let number = unsafe { (vceqq_f64(a.0, a.0), vceqq_f64(a.1, a.1)) };
        both!(vbslq_f64(number, no, yes))
    }
    #[inline(always)]
    fn power_of_two(shifted: Self::V) -> Self::V {
        let of = |half| unsafe {
            let bits = vshlq_n_s64::<52>(vreinterpretq_s64_f64(half));
            vreinterpretq_f64_s64(vaddq_s64(bits, vdupq_n_s64(1023 << 52)))
        };
        float64x2x2_t(of(shifted.0), of(shifted.1))
    }
    #[inline(always)]
    fn exponent_mantissa(a: Self::V) -> (Self::V, Self::V) {
        let of = |half| unsafe {
            let bits = vreinterpretq_u64_f64(half);
            let exponent = vsubq_f64(vcvtq_f64_u64(vshrq_n_u64::<52>(bits)), vdupq_n_f64(1023.0));
            let low = vandq_u64(bits, vdupq_n_u64((1 << 52) - 1));
            (exponent, vreinterpretq_f64_u64(vorrq_u64(low, vdupq_n_u64(1023 << 52))))
        };
        let ((e0, m0), (e1, m1)) = (of(a.0), of(a.1));
        (float64x2x2_t(e0, e1), float64x2x2_t(m0, m1))
    }
    #[inline(always)]
    fn sum(a: Self::V) -> f64 {
        unsafe { vaddvq_f64(vaddq_f64(a.0, a.1)) }
    }
    #[inline(always)]
    fn sum_each(a: &[Self::V; 8]) -> Self::V {
        unsafe {
            let (s0, s1) = (vaddq_f64(a[0].0, a[0].1), vaddq_f64(a[1].0, a[1].1));
            let (s2, s3) = (vaddq_f64(a[2].0, a[2].1), vaddq_f64(a[3].0, a[3].1));
            float64x2x2_t(vpaddq_f64(s0, s1), vpaddq_f64(s2, s3))
        }
    }
    #[inline(always)]
    fn any_less(a: Self::V, b: Self::V) -> bool {
        unsafe {
            let less = vorrq_u64(vcltq_f64(a.0, b.0), vcltq_f64(a.1, b.1));
            vmaxvq_u32(vreinterpretq_u32_u64(less)) != 0
        }
    }
    #[inline(always)]
    fn transpose(from: &[f64], stride: usize, to: &mut [f64], block: usize) {
        let mut r = [Self::splat(0.0); 4];
        for t in 0..4 {
            r[t] = Self::load(&from[t * stride..]);
        }
        let columns = unsafe {
            [
                float64x2x2_t(vtrn1q_f64(r[0].0, r[1].0), vtrn1q_f64(r[2].0, r[3].0)),
                float64x2x2_t(vtrn2q_f64(r[0].0, r[1].0), vtrn2q_f64(r[2].0, r[3].0)),
                float64x2x2_t(vtrn1q_f64(r[0].1, r[1].1), vtrn1q_f64(r[2].1, r[3].1)),
                float64x2x2_t(vtrn2q_f64(r[0].1, r[1].1), vtrn2q_f64(r[2].1, r[3].1)),
            ]
        };
        for j in 0..4 {
            Self::store(&mut to[j * block..], columns[j]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::Portable;

    type Lanes = [f64; 4];

    fn neon(x: Lanes) -> float64x2x2_t {
        Neon::load(&x)
    }

    fn lanes(v: float64x2x2_t) -> Lanes {
        let mut x = [0.0; 4];
        Neon::store(&mut x, v);
        x
    }

    /// Equal to the bit; what a number that is none looks like is left open.
    fn same(what: &str, got: Lanes, want: Lanes) {
        let equal = |(g, w): (f64, f64)| g.to_bits() == w.to_bits() || g.is_nan() && w.is_nan();
        assert!(got.into_iter().zip(want).all(equal), "{what}: {got:?}, want {want:?}");
    }

    /// Four numbers out of every kind that a kernel may meet, in lanes that differ.
    fn numbers() -> impl Iterator<Item = Lanes> {
        const KINDS: [f64; 14] = [
            0.0,
            -0.0,
            1.0,
            -1.5,
            3.25,
            -7e-3,
            5e-324,
            1e-310,
            1e-300,
            1e300,
            -1e300,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::NAN,
        ];
        // Strides that share no factor with 14 bring every kind to every lane.
        (0..14).flat_map(|i| [1, 3, 5, 9].map(|step| std::array::from_fn(|t| KINDS[(i + t * step) % 14])))
    }

    #[test]
    fn operations_are_those_of_the_portable_path_to_the_bit() {
        for a in numbers() {
            let x = neon(a);
            same("sqrt", lanes(Neon::sqrt(x)), Portable::sqrt(a));
            same("sum", [Neon::sum(x); 4], [Portable::sum(a); 4]);
            for b in numbers() {
                let y = neon(b);
                same("add", lanes(Neon::add(x, y)), Portable::add(a, b));
                same("sub", lanes(Neon::sub(x, y)), Portable::sub(a, b));
                same("mul", lanes(Neon::mul(x, y)), Portable::mul(a, b));
                same("div", lanes(Neon::div(x, y)), Portable::div(a, b));
                same("max", lanes(Neon::max(x, y)), Portable::max(a, b));
                same("if_nan", lanes(Neon::if_nan(x, y, x)), Portable::if_nan(a, b, a));
                assert_eq!(Neon::any_less(x, y), Portable::any_less(a, b), "{a:?} {b:?}");
                for c in numbers() {
                    same("fma", lanes(Neon::fma(x, y, neon(c))), Portable::fma(a, b, c));
                    same("if_less", lanes(Neon::if_less(x, y, neon(c), x)), Portable::if_less(a, b, c, a));
                }
            }
        }
        for lane in 0..4 {
            let mut below = [1.0; 4];
            below[lane] = 0.5;
            assert!(Neon::any_less(neon(below), neon([1.0; 4])), "lane {lane}");
        }
    }

    #[test]
    fn parts_of_numbers_and_moves_are_those_of_the_portable_path() {
        for k in (-1022..1020).step_by(4) {
            let shifted: Lanes = std::array::from_fn(|t| 6_755_399_441_055_744.0 + f64::from(k + t as i32));
            let powers = lanes(Neon::power_of_two(neon(shifted)));
            same("power_of_two", powers, Portable::power_of_two(shifted));
            let numbers: Lanes = std::array::from_fn(|t| powers[t] * (1.0 + 0.3 * t as f64));
            let (e, m) = Neon::exponent_mantissa(neon(numbers));
            let (exponent, mantissa) = Portable::exponent_mantissa(numbers);
            same("exponent", lanes(e), exponent);
            same("mantissa", lanes(m), mantissa);
        }
        let cells: Vec<f64> = (0..32).map(|i| 0.1 * f64::from(i)).collect();
        for n in 0..=5 {
            same("load_partial", lanes(Neon::load_partial(&cells[1..1 + n])), Portable::load_partial(&cells[1..1 + n]));
        }
        let rows: [Lanes; 8] = std::array::from_fn(|t| std::array::from_fn(|j| cells[4 * t + j]));
        same("sum_each", lanes(Neon::sum_each(&rows.map(neon))), Portable::sum_each(&rows));
        let (mut to, mut want) = ([0.0; 28], [0.0; 28]);
        Neon::transpose(&cells, 7, &mut to, 8);
        Portable::transpose(&cells, 7, &mut want, 8);
        assert_eq!(to, want);
    }
}
