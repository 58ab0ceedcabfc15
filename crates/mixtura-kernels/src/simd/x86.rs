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
    fn any_less(a: __m256d, b: __m256d) -> bool {
        unsafe { _mm256_movemask_pd(_mm256_cmp_pd::<_CMP_LT_OQ>(a, b)) != 0 }
    }
}

impl Simd for Avx512 {
    type V = __m512d;
    const LANES: usize = 8;
    const ROWS: usize = 3;
    const PANEL: usize = 8;
    const SMALL: usize = 6;

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
    fn any_less(a: __m512d, b: __m512d) -> bool {
        unsafe { _mm512_cmp_pd_mask::<_CMP_LT_OQ>(a, b) != 0 }
    }
}
