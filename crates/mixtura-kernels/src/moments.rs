//! Weighted first and second moments of a tile of centred rows, summed in a fixed order.

use crate::TILE;
use crate::simd::{fma, kernel, lanes};

/// Sums lanes pairwise: the order is part of the result's bits.
#[inline(always)]
fn sum<const L: usize>(mut v: [f64; L]) -> f64 {
    let mut width = L;
    while width > 1 {
        width /= 2;
        for t in 0..width {
            v[t] += v[t + width];
        }
    }
    v[0]
}

#[inline(always)]
fn weighted_body<const FMA: bool, const L: usize>(
    centered: &[f64],
    weights: &[f64],
    n: usize,
    dim: usize,
    scratch: &mut [f64],
) {
    let n = n.div_ceil(L) * L;
    for j in 0..dim {
        let (from, to) = (&centered[j * TILE..][..n], &mut scratch[j * TILE..][..n]);
        for t in 0..n {
            to[t] = from[t] * weights[t];
        }
    }
}

/// A block of `I × J` products between weighted features `i..` and centred features `j..`.
#[inline(always)]
fn products<const FMA: bool, const L: usize, const I: usize, const J: usize>(
    weighted: &[f64],
    centered: &[f64],
    n: usize,
    i: [usize; I],
    j: [usize; J],
) -> [[f64; J]; I] {
    let mut acc = [[[0.0; L]; J]; I];
    for row in (0..n).step_by(L) {
        let x: [&[f64; L]; J] = std::array::from_fn(|b| lanes::<L>(centered, j[b], row));
        for a in 0..I {
            let z = lanes::<L>(weighted, i[a], row);
            for b in 0..J {
                for t in 0..L {
                    acc[a][b][t] = fma::<FMA>(z[t], x[b][t], acc[a][b][t]);
                }
            }
        }
    }
    acc.map(|row| row.map(sum))
}

#[inline(always)]
fn full_body<const FMA: bool, const L: usize>(
    centered: &[f64],
    weights: &[f64],
    n: usize,
    dim: usize,
    scratch: &mut [f64],
    first: &mut [f64],
    second: &mut [f64],
) {
    const B: usize = 4;
    weighted_body::<FMA, L>(centered, weights, n, dim, scratch);
    let padded = n.div_ceil(L) * L;
    for j in 0..dim {
        let mut acc = [0.0; L];
        for row in (0..padded).step_by(L) {
            let z = lanes::<L>(scratch, j, row);
            for t in 0..L {
                acc[t] += z[t];
            }
        }
        first[j] += sum(acc);
    }
    // The lower triangle in blocks of 4 × 4; a block that sticks out repeats its last feature and drops the copies.
    for i in (0..dim).step_by(B) {
        for j in (0..=i).step_by(B) {
            let rows = std::array::from_fn(|a| (i + a).min(dim - 1));
            let columns = std::array::from_fn(|b| (j + b).min(dim - 1));
            let block = products::<FMA, L, B, B>(scratch, centered, padded, rows, columns);
            for (a, line) in block.iter().enumerate().take(dim - i) {
                for (b, value) in line.iter().enumerate().take((i + a + 1).saturating_sub(j).min(dim - j)) {
                    second[(i + a) * (i + a + 1) / 2 + j + b] += value;
                }
            }
        }
    }
}

kernel! {
    /// Adds Σ w x to `first` and the packed lower triangle of Σ w x xᵀ to `second`, for `n` centred rows with weights
    /// `weights`. Weights of the padding lanes up to the next multiple of 8 must be 0. `scratch`: dim × TILE.
    ///
    /// Work: dim² flops per row (the lower triangle only).
    pub fn full(centered: &[f64], weights: &[f64], n: usize, dim: usize, scratch: &mut [f64], first: &mut [f64], second: &mut [f64]) = full_body, lanes 4 / 4 / 8
}

#[inline(always)]
fn diagonal_body<const FMA: bool, const L: usize>(
    tile: &[f64],
    weights: &[f64],
    n: usize,
    mean: &[f64],
    variance: &[f64],
    first: &mut [f64],
    second: &mut [f64],
) {
    let n = n.div_ceil(L) * L;
    for j in 0..mean.len() {
        let (mut s1, mut s2) = ([0.0; L], [0.0; L]);
        for row in (0..n).step_by(L) {
            let x = lanes::<L>(tile, j, row);
            let w: &[f64; L] = weights[row..][..L].try_into().expect("a lane block");
            for t in 0..L {
                let missing = x[t].is_nan();
                let c = if missing { 0.0 } else { x[t] - mean[j] };
                let square = if missing { variance[j] } else { c * c };
                s1[t] = fma::<FMA>(w[t], c, s1[t]);
                s2[t] = fma::<FMA>(w[t], square, s2[t]);
            }
        }
        first[j] += sum(s1);
        second[j] += sum(s2);
    }
}

kernel! {
    /// Adds Σ w c to `first` and Σ w c² to `second`, c = x − mean; a missing cell (NaN) counts as its conditional
    /// expectation: c = 0 and c² = `variance`. Padding as in [`full`].
    pub fn diagonal(tile: &[f64], weights: &[f64], n: usize, mean: &[f64], variance: &[f64], first: &mut [f64], second: &mut [f64]) = diagonal_body, lanes 8 / 8 / 8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Isa;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn paths_equal_the_scalar_sums(n in 1usize..40, dim in 1usize..11, raw in proptest::collection::vec(-3.0f64..3.0, 440), w in proptest::collection::vec(0.0f64..2.0, 40)) {
            let mut tile = vec![0.0; dim * TILE];
            for t in 0..n { for j in 0..dim { tile[j * TILE + t] = raw[t * dim + j]; } }
            let mut weights = vec![0.0; TILE];
            weights[..n].copy_from_slice(&w[..n]);
            for isa in Isa::available() {
                let (mut first, mut second) = (vec![0.5; dim], vec![0.25; dim * (dim + 1) / 2]);
                full(isa, &tile, &weights, n, dim, &mut vec![0.0; dim * TILE], &mut first, &mut second);
                for i in 0..dim {
                    let want: f64 = 0.5 + (0..n).map(|t| w[t] * raw[t * dim + i]).sum::<f64>();
                    // 40 terms of size at most 6 (first) and 18 (second): 1e-12 is some 20 times the rounding.
                    prop_assert!((first[i] - want).abs() < 1e-12);
                    for j in 0..=i {
                        let want: f64 = 0.25 + (0..n).map(|t| w[t] * raw[t * dim + i] * raw[t * dim + j]).sum::<f64>();
                        prop_assert!((second[i * (i + 1) / 2 + j] - want).abs() < 1e-12, "{} {i} {j}", isa.name());
                    }
                }
            }
        }
    }

    #[test]
    fn a_missing_cell_counts_its_variance() {
        for isa in Isa::available() {
            let mut tile = vec![0.0; TILE];
            tile[..3].copy_from_slice(&[1.0, f64::NAN, 4.0]);
            let mut weights = vec![0.0; TILE];
            weights[..3].copy_from_slice(&[1.0, 0.5, 2.0]);
            let (mut first, mut second) = ([0.0], [0.0]);
            diagonal(isa, &tile, &weights, 3, &[2.0], &[9.0], &mut first, &mut second);
            assert_eq!((first[0], second[0]), (-1.0 + 4.0, 1.0 + 4.5 + 8.0));
        }
    }
}
