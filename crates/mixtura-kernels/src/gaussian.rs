//! Squared Mahalanobis distances of a tile of rows to one Gaussian.

use crate::TILE;
use crate::simd::{fma, kernel, lanes};

/// Outputs per register block: each loaded value of a row serves this many rows of L⁻¹.
const BLOCK: usize = 4;

/// Rows rounded up to whole lane blocks.
#[inline(always)]
fn padded<const L: usize>(n: usize) -> usize {
    n.div_ceil(L) * L
}

#[inline(always)]
fn center_body<const FMA: bool, const L: usize>(tile: &[f64], n: usize, mean: &[f64], out: &mut [f64]) {
    let n = padded::<L>(n);
    for (j, &m) in mean.iter().enumerate() {
        let (from, to) = (&tile[j * TILE..][..n], &mut out[j * TILE..][..n]);
        for (t, &x) in to.iter_mut().zip(from) {
            *t = x - m;
        }
    }
}

kernel! {
    /// Writes `tile − mean` into `out` (both feature-major, `mean.len()` features, `n` rows).
    pub fn center(tile: &[f64], n: usize, mean: &[f64], out: &mut [f64]) = center_body, lanes 8 / 8 / 16
}

#[inline(always)]
fn mahalanobis_body<const FMA: bool, const L: usize>(
    centered: &[f64],
    n: usize,
    dim: usize,
    inverse: &[f64],
    out: &mut [f64],
) {
    for row in (0..padded::<L>(n)).step_by(L) {
        let mut total = [0.0; L];
        let mut i = 0;
        while i < dim {
            let rows = BLOCK.min(dim - i);
            let mut acc = [[0.0; L]; BLOCK];
            let start: [usize; BLOCK] = std::array::from_fn(|b| (i + b.min(rows - 1)) * (i + b.min(rows - 1) + 1) / 2);
            for j in 0..i {
                let x = lanes::<L>(centered, j, row);
                for b in 0..BLOCK {
                    let c = inverse[start[b] + j];
                    for t in 0..L {
                        acc[b][t] = fma::<FMA>(c, x[t], acc[b][t]);
                    }
                }
            }
            for b in 0..rows {
                for j in i..=i + b {
                    let x = lanes::<L>(centered, j, row);
                    let c = inverse[start[b] + j];
                    for t in 0..L {
                        acc[b][t] = fma::<FMA>(c, x[t], acc[b][t]);
                    }
                }
            }
            for a in &acc[..rows] {
                for t in 0..L {
                    total[t] = fma::<FMA>(a[t], a[t], total[t]);
                }
            }
            i += rows;
        }
        out[row..row + L].copy_from_slice(&total);
    }
}

kernel! {
    /// `out[t] = ‖L⁻¹ x_t‖²` for `n` centred rows; `inverse` is L⁻¹, packed lower. `out` holds [`TILE`] values.
    ///
    /// Work: dim² flops per row (multiply and add over the triangle).
    pub fn mahalanobis(centered: &[f64], n: usize, dim: usize, inverse: &[f64], out: &mut [f64]) = mahalanobis_body, lanes 8 / 8 / 16
}

#[inline(always)]
fn diagonal_body<const FMA: bool, const L: usize>(
    tile: &[f64],
    n: usize,
    mean: &[f64],
    inverse_sd: &[f64],
    log_variance: &[f64],
    out: &mut [f64],
) {
    let n = padded::<L>(n);
    out[..n].fill(0.0);
    for (j, &m) in mean.iter().enumerate() {
        let (inv, ln) = (inverse_sd[j], log_variance[j]);
        for (o, &x) in out[..n].iter_mut().zip(&tile[j * TILE..][..n]) {
            let z = (x - m) * inv;
            let term = fma::<FMA>(z, z, ln);
            *o += if x.is_nan() { 0.0 } else { term };
        }
    }
}

kernel! {
    /// `out[t] = Σ_j (z_j² + log_variance_j)` over the observed (not NaN) features, z = (x − mean) / sd.
    /// With `log_variance = ln(2πσ²)` this is −2 log-density of a diagonal Gaussian with missing cells.
    pub fn diagonal(tile: &[f64], n: usize, mean: &[f64], inverse_sd: &[f64], log_variance: &[f64], out: &mut [f64]) = diagonal_body, lanes 8 / 8 / 16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Isa;
    use crate::cholesky::{at, packed_len};
    use proptest::prelude::*;

    proptest! {
        // The scalar twins are the formulas, one row at a time.
        #[test]
        fn paths_equal_the_scalar_formula(n in 1usize..40, dim in 1usize..11, raw in proptest::collection::vec(-3.0f64..3.0, 40 * 11 + 66 + 33)) {
            let (values, rest) = raw.split_at(40 * 11);
            let inverse: Vec<f64> = rest[..packed_len(dim)].to_vec();
            let mean = &rest[66..66 + dim];
            let mut tile = vec![0.0; dim * TILE];
            for t in 0..n { for j in 0..dim { tile[j * TILE + t] = values[t * dim + j]; } }
            for isa in Isa::available() {
                let (mut centered, mut out) = (vec![0.0; dim * TILE], vec![0.0; TILE]);
                center(isa, &tile, n, mean, &mut centered);
                mahalanobis(isa, &centered, n, dim, &inverse, &mut out);
                for t in 0..n {
                    let want: f64 = (0..dim).map(|i| {
                        let y: f64 = (0..=i).map(|j| inverse[at(i, j)] * (values[t * dim + j] - mean[j])).sum();
                        y * y
                    }).sum();
                    // Values up to 6·3 over 10 terms: rounding is below 1e-12 of the largest possible sum of squares.
                    prop_assert!((out[t] - want).abs() <= 1e-13 * (1.0 + want) * 100.0, "{}", isa.name());
                }
            }
        }

        #[test]
        fn diagonal_skips_missing_cells(n in 1usize..20, dim in 1usize..6, raw in proptest::collection::vec(-3.0f64..3.0, 120), holes in proptest::collection::vec(any::<bool>(), 120)) {
            let mean = [0.3, -1.0, 2.0, 0.0, 5.0, 1.0];
            let inv = [1.0, 2.0, 0.5, 1.5, 1.0, 3.0];
            let ln = [0.1, 0.2, -0.3, 0.4, 0.0, 2.0];
            let cell = |t: usize, j: usize| if holes[t * 6 + j] { f64::NAN } else { raw[t * 6 + j] };
            let mut tile = vec![0.0; dim * TILE];
            for t in 0..n { for j in 0..dim { tile[j * TILE + t] = cell(t, j); } }
            for isa in Isa::available() {
                let mut out = vec![0.0; TILE];
                diagonal(isa, &tile, n, &mean[..dim], &inv, &ln, &mut out);
                for t in 0..n {
                    let want: f64 = (0..dim).filter(|&j| !cell(t, j).is_nan())
                        .map(|j| ((cell(t, j) - mean[j]) * inv[j]).powi(2) + ln[j]).sum();
                    prop_assert!((out[t] - want).abs() <= 1e-12 * (1.0 + want.abs()), "{}", isa.name());
                }
            }
        }
    }
}
