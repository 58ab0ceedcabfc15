//! Vectors as arrays: the compiler uses what the target always has (SSE2, NEON).

use super::Simd;

const N: usize = 4;

/// Four lanes; fused multiply-add only where every machine of the target has it.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

#[inline(always)]
fn map(a: [f64; N], b: [f64; N], f: impl Fn(f64, f64) -> f64) -> [f64; N] {
    std::array::from_fn(|t| f(a[t], b[t]))
}

impl Simd for Portable {
    type V = [f64; N];
    const LANES: usize = N;
    const ROWS: usize = 2;
    const PANEL: usize = 4;
    const SMALL: usize = 4;
    const SMALL_WHITENING: usize = 4;
    const GROUP: usize = 4;
    const POLYNOMIALS: usize = 24;

    #[inline(always)]
    fn splat(x: f64) -> Self::V {
        [x; N]
    }
    #[inline(always)]
    fn load(from: &[f64]) -> Self::V {
        from[..N].try_into().expect("a vector")
    }
    #[inline(always)]
    fn load_partial(from: &[f64]) -> Self::V {
        std::array::from_fn(|t| from.get(t).copied().unwrap_or(0.0))
    }
    #[inline(always)]
    fn store(to: &mut [f64], v: Self::V) {
        to[..N].copy_from_slice(&v);
    }
    #[inline(always)]
    fn add(a: Self::V, b: Self::V) -> Self::V {
        map(a, b, |x, y| x + y)
    }
    #[inline(always)]
    fn sub(a: Self::V, b: Self::V) -> Self::V {
        map(a, b, |x, y| x - y)
    }
    #[inline(always)]
    fn mul(a: Self::V, b: Self::V) -> Self::V {
        map(a, b, |x, y| x * y)
    }
    #[inline(always)]
    fn div(a: Self::V, b: Self::V) -> Self::V {
        map(a, b, |x, y| x / y)
    }
    #[inline(always)]
    fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        // Every 64-bit Arm has the instruction; elsewhere `f64::mul_add` would call a slow library routine.
        std::array::from_fn(
            |t| {
                if cfg!(target_arch = "aarch64") { a[t].mul_add(b[t], c[t]) } else { a[t] * b[t] + c[t] }
            },
        )
    }
    #[inline(always)]
    fn sqrt(a: Self::V) -> Self::V {
        a.map(f64::sqrt)
    }
    #[inline(always)]
    fn max(a: Self::V, b: Self::V) -> Self::V {
        map(a, b, |x, y| if x > y { x } else { y })
    }
    #[inline(always)]
    fn if_less(a: Self::V, b: Self::V, yes: Self::V, no: Self::V) -> Self::V {
        std::array::from_fn(|t| if a[t] < b[t] { yes[t] } else { no[t] })
    }
    #[inline(always)]
    fn if_nan(a: Self::V, yes: Self::V, no: Self::V) -> Self::V {
        std::array::from_fn(|t| if a[t].is_nan() { yes[t] } else { no[t] })
    }
    #[inline(always)]
    fn power_of_two(shifted: Self::V) -> Self::V {
        shifted.map(|s| f64::from_bits((s.to_bits() << 52).wrapping_add(1023 << 52)))
    }
    #[inline(always)]
    fn exponent_mantissa(a: Self::V) -> (Self::V, Self::V) {
        let exponent = a.map(|x| (x.to_bits() >> 52) as f64 - 1023.0);
        let mantissa = a.map(|x| f64::from_bits(x.to_bits() & ((1 << 52) - 1) | 1023 << 52));
        (exponent, mantissa)
    }
    #[inline(always)]
    fn sum(a: Self::V) -> f64 {
        (a[0] + a[2]) + (a[1] + a[3])
    }
    #[inline(always)]
    fn sum_each(a: &[Self::V; 8]) -> Self::V {
        [Self::sum(a[0]), Self::sum(a[1]), Self::sum(a[2]), Self::sum(a[3])]
    }
    #[inline(always)]
    fn any_less(a: Self::V, b: Self::V) -> bool {
        (0..N).any(|t| a[t] < b[t])
    }
    #[inline(always)]
    fn transpose(from: &[f64], stride: usize, to: &mut [f64], block: usize) {
        for t in 0..N {
            for j in 0..N {
                to[j * block + t] = from[t * stride + j];
            }
        }
    }
}
