//! Weighted sums of rows by group: the centres of a partition.

use crate::moments::Strided;
use crate::simd::{Simd, kernel};

/// Numbers from one group to the next in `pivots` and `sums` of [`add`]: whole vectors on every path.
pub fn stride(dim: usize) -> usize {
    dim.next_multiple_of(8)
}

#[inline(always)]
fn add_body<S: Simd>(
    rows: Strided<'_>,
    dim: usize,
    weights: Option<&[f64]>,
    group: &[u32],
    pivots: &[f64],
    counts: &mut [f64],
    sums: &mut [f64],
) {
    let (stride, whole) = (stride(dim), dim / S::LANES * S::LANES);
    for (t, &k) in group.iter().enumerate() {
        let w = weights.map_or(1.0, |w| w[t]);
        let k = k as usize;
        counts[k] += w;
        let row = &rows.values[t * rows.stride..][..dim];
        let pivot = &pivots[k * stride..][..stride];
        let sums = &mut sums[k * stride..][..stride];
        let w = S::splat(w);
        // Multiplied and added, not fused: a sum has the same bits on every path.
        for j in (0..whole).step_by(S::LANES) {
            let term = S::mul(w, S::sub(S::load(&row[j..]), S::load(&pivot[j..])));
            let sum = S::add(S::load(&sums[j..]), term);
            S::store(&mut sums[j..], sum);
        }
        if whole < dim {
            let term = S::mul(w, S::sub(S::load_partial(&row[whole..]), S::load(&pivot[whole..])));
            let sum = S::add(S::load(&sums[whole..]), term);
            S::store(&mut sums[whole..], sum);
        }
    }
}

kernel! {
    /// Adds w to `counts` and w·(x − pivot) to `sums` of the group of every row, rows in order. `weights` (`None`: all 1) and
    /// `group` have one number per row; `pivots` and `sums` hold [`stride`] numbers per group, those beyond `dim` being 0.
    ///
    /// # Panics
    /// If a group has no place in `counts`, `pivots` or `sums`, or a row is not there.
    pub fn add(
        rows: Strided<'_>,
        dim: usize,
        weights: Option<&[f64]>,
        group: &[u32],
        pivots: &[f64],
        counts: &mut [f64],
        sums: &mut [f64],
    ) = add_body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Isa;

    #[test]
    fn equals_the_plain_sums_to_the_bit_on_every_path() {
        for (n, dim) in [(1, 1), (100, 2), (37, 3), (50, 8), (41, 13)] {
            let wave = |i: usize| ((i * i) as f64 * 0.37).sin() * 3.0;
            let wide = dim + 1;
            let rows: Vec<f64> = (0..n * wide).map(wave).collect();
            let weights: Vec<f64> = (0..n).map(|i| 1.5 + wave(7 * i)).collect();
            let group: Vec<u32> = (0..n as u32).map(|i| i * i % 5 % 3).collect();
            let mut pivots = vec![0.0; 3 * stride(dim)];
            (0..3).for_each(|k| (0..dim).for_each(|j| pivots[k * stride(dim) + j] = wave(k + 11 * j)));
            for weights in [None, Some(&weights[..])] {
                let (mut counts, mut sums) = (vec![0.5; 3], vec![0.0; 3 * stride(dim)]);
                for t in 0..n {
                    let (k, w) = (group[t] as usize, weights.map_or(1.0, |w| w[t]));
                    counts[k] += w;
                    for j in 0..dim {
                        sums[k * stride(dim) + j] += w * (rows[t * wide + j] - pivots[k * stride(dim) + j]);
                    }
                }
                for isa in Isa::available() {
                    let (mut c, mut s) = (vec![0.5; 3], vec![0.0; 3 * stride(dim)]);
                    add(isa, Strided { values: &rows, stride: wide }, dim, weights, &group, &pivots, &mut c, &mut s);
                    assert_eq!((&c, &s), (&counts, &sums), "{} {n} x {dim}", isa.name());
                }
            }
        }
    }
}
