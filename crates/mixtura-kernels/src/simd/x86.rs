//! AVX2 with FMA, and AVX-512.
//!
//! These methods are only reached from functions compiled with the features switched on, behind an [`super::Isa`] that
//! exists only where detection found them.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::Simd;

/// Four lanes, sixteen registers.
#[derive(Clone, Copy)]
pub(crate) struct Avx2;

/// Eight lanes, thirty-two registers.
#[derive(Clone, Copy)]
pub(crate) struct Avx512;

// SAFETY of every block below: the features are present (see the module), and loads and stores stay inside a slice whose
// length has just been checked.
impl Simd for Avx2 {
    type V = __m256d;
    const LANES: usize = 4;
    const ROWS: usize = 2;
    const PANEL: usize = 4;
    const SMALL: usize = 4;
    const SMALL_WHITENING: usize = 4;
    const GROUP: usize = 4;
    const POLYNOMIALS: usize = 12;

    #[inline(always)]
    fn splat(x: f64) -> __m256d {
        unsafe { _mm256_set1_pd(x) }
    }
    #[inline(always)]
    fn load(from: &[f64]) -> __m256d {
        assert!(from.len() >= 4);
        unsafe { _mm256_loadu_pd(from.as_ptr()) }
    }
    #[inline(always)]
    fn load_partial(from: &[f64]) -> __m256d {
        let mut lanes = [0.0; 4];
        let n = from.len().min(4);
        lanes[..n].copy_from_slice(&from[..n]);
        Self::load(&lanes)
    }
    #[inline(always)]
    fn store(to: &mut [f64], v: __m256d) {
        assert!(to.len() >= 4);
        unsafe { _mm256_storeu_pd(to.as_mut_ptr(), v) }
    }
    #[inline(always)]
    fn add(a: __m256d, b: __m256d) -> __m256d {
        unsafe { _mm256_add_pd(a, b) }
    }
    #[inline(always)]
    fn sub(a: __m256d, b: __m256d) -> __m256d {
        unsafe { _mm256_sub_pd(a, b) }
    }
    #[inline(always)]
    fn mul(a: __m256d, b: __m256d) -> __m256d {
        unsafe { _mm256_mul_pd(a, b) }
    }
    #[inline(always)]
    fn div(a: __m256d, b: __m256d) -> __m256d {
        unsafe { _mm256_div_pd(a, b) }
    }
    #[inline(always)]
    fn fma(a: __m256d, b: __m256d, c: __m256d) -> __m256d {
        unsafe { _mm256_fmadd_pd(a, b, c) }
    }
    #[inline(always)]
    fn sqrt(a: __m256d) -> __m256d {
        unsafe { _mm256_sqrt_pd(a) }
    }
    #[inline(always)]
    fn max(a: __m256d, b: __m256d) -> __m256d {
        // The instruction returns its second operand where one is not a number.
        unsafe { _mm256_max_pd(a, b) }
    }
    #[inline(always)]
    fn if_less(a: __m256d, b: __m256d, yes: __m256d, no: __m256d) -> __m256d {
        unsafe { _mm256_blendv_pd(no, yes, _mm256_cmp_pd::<_CMP_LT_OQ>(a, b)) }
    }
    #[inline(always)]
    fn if_nan(a: __m256d, yes: __m256d, no: __m256d) -> __m256d {
        unsafe { _mm256_blendv_pd(no, yes, _mm256_cmp_pd::<_CMP_UNORD_Q>(a, a)) }
    }
    #[inline(always)]
    fn power_of_two(shifted: __m256d) -> __m256d {
        unsafe {
            let bits = _mm256_slli_epi64::<52>(_mm256_castpd_si256(shifted));
            _mm256_castsi256_pd(_mm256_add_epi64(bits, _mm256_set1_epi64x(1023 << 52)))
        }
    }
    #[inline(always)]
    fn exponent_mantissa(a: __m256d) -> (__m256d, __m256d) {
        unsafe {
            let bits = _mm256_castpd_si256(a);
            // 2^52 + e has the integer e in its low bits.
            let two52 = _mm256_set1_pd(4_503_599_627_370_496.0);
            let e = _mm256_or_si256(_mm256_srli_epi64::<52>(bits), _mm256_castpd_si256(two52));
            let exponent = _mm256_sub_pd(_mm256_castsi256_pd(e), _mm256_set1_pd(4_503_599_627_370_496.0 + 1023.0));
            let low = _mm256_and_si256(bits, _mm256_set1_epi64x((1 << 52) - 1));
            (exponent, _mm256_castsi256_pd(_mm256_or_si256(low, _mm256_set1_epi64x(1023 << 52))))
        }
    }
    #[inline(always)]
    fn sum(a: __m256d) -> f64 {
        let mut v = [0.0; 4];
        Self::store(&mut v, a);
        (v[0] + v[2]) + (v[1] + v[3])
    }
    #[inline(always)]
    fn sum_each(a: &[__m256d; 8]) -> __m256d {
        unsafe {
            let (low, high) = (_mm256_hadd_pd(a[0], a[1]), _mm256_hadd_pd(a[2], a[3]));
            _mm256_add_pd(_mm256_permute2f128_pd::<0x20>(low, high), _mm256_permute2f128_pd::<0x31>(low, high))
        }
    }
    #[inline(always)]
    fn any_less(a: __m256d, b: __m256d) -> bool {
        unsafe { _mm256_movemask_pd(_mm256_cmp_pd::<_CMP_LT_OQ>(a, b)) != 0 }
    }
    #[inline(always)]
    fn transpose(from: &[f64], stride: usize, to: &mut [f64], block: usize) {
        let mut r = [Self::splat(0.0); 4];
        for t in 0..4 {
            r[t] = Self::load(&from[t * stride..]);
        }
        // Pairs of rows, then pairs of pairs.
        let columns = unsafe {
            let (a, b) = (_mm256_unpacklo_pd(r[0], r[1]), _mm256_unpackhi_pd(r[0], r[1]));
            let (c, d) = (_mm256_unpacklo_pd(r[2], r[3]), _mm256_unpackhi_pd(r[2], r[3]));
            [
                _mm256_permute2f128_pd::<0x20>(a, c),
                _mm256_permute2f128_pd::<0x20>(b, d),
                _mm256_permute2f128_pd::<0x31>(a, c),
                _mm256_permute2f128_pd::<0x31>(b, d),
            ]
        };
        for j in 0..4 {
            Self::store(&mut to[j * block..], columns[j]);
        }
    }
}

impl Simd for Avx512 {
    type V = __m512d;
    const LANES: usize = 8;
    const ROWS: usize = 3;
    const PANEL: usize = 8;
    const SMALL: usize = 6;
    const SMALL_WHITENING: usize = 8;
    const GROUP: usize = 8;
    const POLYNOMIALS: usize = 24;

    #[inline(always)]
    fn splat(x: f64) -> __m512d {
        unsafe { _mm512_set1_pd(x) }
    }
    #[inline(always)]
    fn load(from: &[f64]) -> __m512d {
        assert!(from.len() >= 8);
        unsafe { _mm512_loadu_pd(from.as_ptr()) }
    }
    #[inline(always)]
    fn load_partial(from: &[f64]) -> __m512d {
        let mask = ((1_u32 << from.len().min(8)) - 1) as __mmask8;
        unsafe { _mm512_maskz_loadu_pd(mask, from.as_ptr()) }
    }
    #[inline(always)]
    fn store(to: &mut [f64], v: __m512d) {
        assert!(to.len() >= 8);
        unsafe { _mm512_storeu_pd(to.as_mut_ptr(), v) }
    }
    #[inline(always)]
    fn add(a: __m512d, b: __m512d) -> __m512d {
        unsafe { _mm512_add_pd(a, b) }
    }
    #[inline(always)]
    fn sub(a: __m512d, b: __m512d) -> __m512d {
        unsafe { _mm512_sub_pd(a, b) }
    }
    #[inline(always)]
    fn mul(a: __m512d, b: __m512d) -> __m512d {
        unsafe { _mm512_mul_pd(a, b) }
    }
    #[inline(always)]
    fn div(a: __m512d, b: __m512d) -> __m512d {
        unsafe { _mm512_div_pd(a, b) }
    }
    #[inline(always)]
    fn fma(a: __m512d, b: __m512d, c: __m512d) -> __m512d {
        unsafe { _mm512_fmadd_pd(a, b, c) }
    }
    #[inline(always)]
    fn sqrt(a: __m512d) -> __m512d {
        unsafe { _mm512_sqrt_pd(a) }
    }
    #[inline(always)]
    fn max(a: __m512d, b: __m512d) -> __m512d {
        unsafe { _mm512_max_pd(a, b) }
    }
    #[inline(always)]
    fn if_less(a: __m512d, b: __m512d, yes: __m512d, no: __m512d) -> __m512d {
        unsafe { _mm512_mask_blend_pd(_mm512_cmp_pd_mask::<_CMP_LT_OQ>(a, b), no, yes) }
    }
    #[inline(always)]
    fn if_nan(a: __m512d, yes: __m512d, no: __m512d) -> __m512d {
        unsafe { _mm512_mask_blend_pd(_mm512_cmp_pd_mask::<_CMP_UNORD_Q>(a, a), no, yes) }
    }
    #[inline(always)]
    fn power_of_two(shifted: __m512d) -> __m512d {
        unsafe {
            let bits = _mm512_slli_epi64::<52>(_mm512_castpd_si512(shifted));
            _mm512_castsi512_pd(_mm512_add_epi64(bits, _mm512_set1_epi64(1023 << 52)))
        }
    }
    #[inline(always)]
    fn exponent_mantissa(a: __m512d) -> (__m512d, __m512d) {
        unsafe { (_mm512_getexp_pd(a), _mm512_getmant_pd::<_MM_MANT_NORM_1_2, _MM_MANT_SIGN_SRC>(a)) }
    }
    #[inline(always)]
    fn sum(a: __m512d) -> f64 {
        unsafe {
            let half = _mm256_add_pd(_mm512_castpd512_pd256(a), _mm512_extractf64x4_pd::<1>(a));
            Avx2::sum(half)
        }
    }
    #[inline(always)]
    fn sum_each(a: &[__m512d; 8]) -> __m512d {
        // Pairs of lanes, then pairs of quarters, then halves.
        let mut pairs = [a[0]; 4];
        for t in 0..4 {
            let (x, y) = (a[2 * t], a[2 * t + 1]);
            pairs[t] = unsafe { _mm512_add_pd(_mm512_unpacklo_pd(x, y), _mm512_unpackhi_pd(x, y)) };
        }
        let mut quarters = [a[0]; 2];
        for t in 0..2 {
            let (x, y) = (pairs[2 * t], pairs[2 * t + 1]);
            quarters[t] =
                unsafe { _mm512_add_pd(_mm512_shuffle_f64x2::<0x88>(x, y), _mm512_shuffle_f64x2::<0xdd>(x, y)) };
        }
        let (x, y) = (quarters[0], quarters[1]);
        unsafe { _mm512_add_pd(_mm512_shuffle_f64x2::<0x88>(x, y), _mm512_shuffle_f64x2::<0xdd>(x, y)) }
    }
    #[inline(always)]
    fn any_less(a: __m512d, b: __m512d) -> bool {
        unsafe { _mm512_cmp_pd_mask::<_CMP_LT_OQ>(a, b) != 0 }
    }
    #[inline(always)]
    fn transpose(from: &[f64], stride: usize, to: &mut [f64], block: usize) {
        let mut r = [Self::splat(0.0); 8];
        for t in 0..8 {
            r[t] = Self::load(&from[t * stride..]);
        }
        let mut columns = r;
        for odd in 0..2 {
            // Pairs of rows (columns 0, 2, 4, 6 of them, or 1, 3, 5, 7), then quarters of four of those.
            let mut pairs = [r[0]; 4];
            for t in 0..4 {
                let (a, b) = (r[2 * t], r[2 * t + 1]);
                pairs[t] = unsafe { if odd == 0 { _mm512_unpacklo_pd(a, b) } else { _mm512_unpackhi_pd(a, b) } };
            }
            unsafe {
                let (a, b) = (
                    _mm512_shuffle_f64x2::<0x88>(pairs[0], pairs[1]),
                    _mm512_shuffle_f64x2::<0x88>(pairs[2], pairs[3]),
                );
                let (c, d) = (
                    _mm512_shuffle_f64x2::<0xdd>(pairs[0], pairs[1]),
                    _mm512_shuffle_f64x2::<0xdd>(pairs[2], pairs[3]),
                );
                columns[odd] = _mm512_shuffle_f64x2::<0x88>(a, b);
                columns[odd + 4] = _mm512_shuffle_f64x2::<0xdd>(a, b);
                columns[odd + 2] = _mm512_shuffle_f64x2::<0x88>(c, d);
                columns[odd + 6] = _mm512_shuffle_f64x2::<0xdd>(c, d);
            }
        }
        for j in 0..8 {
            Self::store(&mut to[j * block..], columns[j]);
        }
    }
}
