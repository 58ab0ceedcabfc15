//! Multiply-adds in registers and nothing else: what a core can do at most, for benches to hold the kernels against.

use crate::simd::{Simd, kernel};

/// Sums side by side: enough for two ports with a latency of four or five.
const SUMS: usize = 12;

#[inline(always)]
fn body<S: Simd>(rounds: usize, factor: f64) -> f64 {
    let (factor, term) = (S::splat(factor), S::splat(1e-9));
    let mut sums = [S::splat(1.0); SUMS];
    for _ in 0..rounds {
        for sum in &mut sums {
            *sum = S::fma(*sum, factor, term);
        }
    }
    let mut total = S::splat(0.0);
    for sum in sums {
        total = S::add(total, sum);
    }
    S::sum(total)
}

#[inline(always)]
fn flops_body<S: Simd>() -> usize {
    2 * SUMS * S::LANES
}

kernel! {
    /// Does [`flops`] operations, `rounds` times.
    pub fn run(rounds: usize, factor: f64) -> f64 = body
}

kernel! {
    /// Operations of a round of [`run`].
    pub fn flops() -> usize = flops_body
}
