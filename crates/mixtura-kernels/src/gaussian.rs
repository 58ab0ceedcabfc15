//! Log-densities of a tile of rows under one Gaussian.

use crate::TILE;
use crate::cholesky::{at, packed_len};
use crate::simd::{Isa, MAX_BLOCK, Simd, kernel, vectors};

/// L⁻¹ in the order in which [`full`] reads it: panels of outputs, and in a panel the coefficients of one feature
/// after the other.
#[derive(Clone, Debug, Default)]
pub struct Whitening {
    dim: usize,
    panels: Vec<f64>,
}

/// First output and number of outputs of every panel: the widest that a path has, and one of at most four at the end.
fn panels(dim: usize, widest: usize) -> impl Iterator<Item = (usize, usize)> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let left = dim - start;
        let width = if left > 4 { widest } else { 4 };
        (left > 0).then(|| {
            let panel = (start, width);
            start += width.min(left);
            panel
        })
    })
}

#[inline(always)]
fn sizes_body<S: Simd>() -> (usize, usize) {
    (S::PANEL, S::SMALL_WHITENING)
}

kernel! {
    /// Outputs of a panel; most features without panels.
    fn sizes() -> (usize, usize) = sizes_body
}

impl Whitening {
    /// From L⁻¹, packed lower.
    pub fn new(isa: Isa, inverse: &[f64], dim: usize) -> Self {
        let (widest, small) = sizes(isa);
        if dim <= small {
            return Whitening { dim, panels: inverse[..packed_len(dim)].to_vec() };
        }
        let mut out = Vec::new();
        for (i, width) in panels(dim, widest) {
            for j in 0..i + width {
                let coefficient = |b: usize| if j <= i + b && i + b < dim { inverse[at(i + b, j)] } else { 0.0 };
                out.extend((0..width).map(coefficient));
            }
        }
        Whitening { dim, panels: out }
    }

    /// Number of features.
    pub fn dim(&self) -> usize {
        self.dim
    }
}

/// Memory that [`full`] needs for `dim` features: a centred block.
pub fn work_len(dim: usize) -> usize {
    (dim + 8) * MAX_BLOCK
}

/// The outputs `i .. i + P` of a centred block, and what is left of the coefficients.
#[inline(always)]
fn panel<'a, S: Simd, const C: usize, const P: usize>(
    y: &[f64],
    i: usize,
    coefficients: &'a [f64],
) -> ([[S::V; C]; P], &'a [f64]) {
    let block = C * S::LANES;
    let (square, rest) = coefficients.split_at(i * P);
    let (triangle, rest) = rest.split_at(P * P);
    let mut acc = [[S::splat(0.0); C]; P];
    for (x, c) in y[..i * block].chunks_exact(block).zip(square.chunks_exact(P)) {
        let x = vectors::<S, C>(x);
        for b in 0..P {
            let c = S::splat(c[b]);
            for v in 0..C {
                acc[b][v] = S::fma(c, x[v], acc[b][v]);
            }
        }
    }
    let diagonal = &y[i * block..][..P * block];
    for j in 0..P {
        let x = vectors::<S, C>(&diagonal[j * block..]);
        for b in j..P {
            let c = S::splat(triangle[j * P + b]);
            for v in 0..C {
                acc[b][v] = S::fma(c, x[v], acc[b][v]);
            }
        }
    }
    (acc, rest)
}

/// Adds the squares of the outputs of a panel.
#[inline(always)]
fn add_squares<S: Simd, const C: usize, const P: usize>(outputs: &[[S::V; C]; P], total: &mut [S::V; C]) {
    for a in outputs {
        for v in 0..C {
            total[v] = S::fma(a[v], a[v], total[v]);
        }
    }
}

/// Stores the outputs of a panel from feature `i` on, except those past the last.
#[inline(always)]
fn store_outputs<S: Simd, const C: usize, const P: usize>(outputs: &[[S::V; C]; P], to: &mut [f64]) {
    for (a, to) in outputs.iter().zip(to.chunks_exact_mut(C * S::LANES)) {
        for v in 0..C {
            S::store(&mut to[v * S::LANES..], a[v]);
        }
    }
}

/// Goes through the [`panels`] of a centred block in their order, until `break` with the label; a closure would not be compiled for
/// the path of its caller.
macro_rules! for_each_panel {
    ($end:lifetime, $y:ident, $whitening:ident, $i:ident, $outputs:ident => $use:expr) => {
        let (mut $i, mut left) = (0, &$whitening.panels[..]);
        $end: {
            while S::PANEL == 8 && $whitening.dim > $i + 4 {
                let ($outputs, rest) = panel::<S, C, 8>($y, $i, left);
                $use;
                ($i, left) = ($i + 8, rest);
            }
            while $whitening.dim > $i {
                let ($outputs, rest) = panel::<S, C, 4>($y, $i, left);
                $use;
                ($i, left) = ($i + 4, rest);
            }
        }
    };
}

/// Whether no log-density of a block reaches its threshold: they only fall while squares are added.
#[inline(always)]
fn below<S: Simd, const C: usize>(total: &[S::V; C], peak: f64, thresholds: &[f64]) -> bool {
    let mut reaches = false;
    for v in 0..C {
        let log = S::fma(S::splat(-0.5), total[v], S::splat(peak));
        reaches |= S::any_less(S::load(&thresholds[v * S::LANES..]), log);
    }
    !reaches
}

#[inline(always)]
fn center<S: Simd, const C: usize>(x: &[f64], mean: &[f64], to: &mut [f64]) {
    let block = C * S::LANES;
    for ((x, y), &m) in x.chunks_exact(block).zip(to.chunks_exact_mut(block)).zip(mean) {
        let m = S::splat(m);
        for v in 0..C {
            S::store(&mut y[v * S::LANES..], S::sub(S::load(&x[v * S::LANES..]), m));
        }
    }
}

#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "a kernel takes slices, and no model")]
fn blocks<S: Simd, const C: usize>(
    tile: &[f64],
    n: usize,
    mean: &[f64],
    whitening: &Whitening,
    peak: f64,
    thresholds: Option<&[f64]>,
    work: &mut [f64],
    out: &mut [f64],
) {
    let (dim, block) = (mean.len(), C * S::LANES);
    work[dim * block..(dim + 8) * block].fill(0.0);
    let blocks = tile.chunks_exact(dim * block).zip(out.chunks_exact_mut(block)).take(n.div_ceil(block));
    for (b, (x, out)) in blocks.enumerate() {
        let thresholds = thresholds.map(|t| &t[b * block..][..block]);
        center::<S, C>(x, mean, work);
        let mut total = [S::splat(0.0); C];
        let mut negligible = false;
        for_each_panel!('end, work, whitening, i, outputs => {
            add_squares::<S, C, _>(&outputs, &mut total);
            if let Some(thresholds) = thresholds {
                negligible = below::<S, C>(&total, peak, thresholds);
                if negligible {
                    break 'end;
                }
            }
        });
        if negligible {
            out.fill(f64::NEG_INFINITY);
            continue;
        }
        for v in 0..C {
            S::store(&mut out[v * S::LANES..], S::fma(S::splat(-0.5), total[v], S::splat(peak)));
        }
    }
}

#[inline(always)]
fn whiten_blocks<S: Simd, const C: usize>(
    tile: &[f64],
    n: usize,
    mean: &[f64],
    whitening: &Whitening,
    work: &mut [f64],
    out: &mut [f64],
) {
    let (dim, block) = (mean.len(), C * S::LANES);
    work[dim * block..(dim + 8) * block].fill(0.0);
    let blocks = tile.chunks_exact(dim * block).zip(out.chunks_exact_mut(dim * block)).take(n.div_ceil(block));
    for (x, out) in blocks {
        center::<S, C>(x, mean, work);
        for_each_panel!('_end, work, whitening, i, outputs => store_outputs::<S, C, _>(&outputs, &mut out[i * block..]));
    }
}

#[inline(always)]
fn whiten_body<S: Simd>(
    tile: &[f64],
    n: usize,
    mean: &[f64],
    whitening: &Whitening,
    work: &mut [f64],
    out: &mut [f64],
) {
    assert!(mean.len() == whitening.dim && n <= TILE && mean.len() > S::SMALL_WHITENING);
    match S::ROWS {
        2 => whiten_blocks::<S, 2>(tile, n, mean, whitening, work, out),
        _ => whiten_blocks::<S, 3>(tile, n, mean, whitening, work, out),
    }
}

kernel! {
    /// Writes the whitened tile, L⁻¹ (x_t − mean), into `out`, a tile as well. Not for a few features
    /// ([`is_small`]). Work: dim² flops per row.
    pub fn whiten(tile: &[f64], n: usize, mean: &[f64], whitening: &Whitening, work: &mut [f64], out: &mut [f64]) = whiten_body
}

/// Whether [`whiten`] is not for so few features.
pub fn is_small(isa: Isa, dim: usize) -> bool {
    dim <= sizes(isa).1
}

/// As [`blocks`], with everything of a block in registers.
#[inline(always)]
fn small<S: Simd, const C: usize, const D: usize>(
    tile: &[f64],
    n: usize,
    mean: &[f64],
    inverse: &[f64],
    peak: f64,
    out: &mut [f64],
) {
    let block = C * S::LANES;
    let mut center = [S::splat(0.0); D];
    for j in 0..D {
        center[j] = S::splat(mean[j]);
    }
    let blocks = tile.chunks_exact(D * block).zip(out.chunks_exact_mut(block)).take(n.div_ceil(block));
    for (x, out) in blocks {
        let mut z = [[S::splat(0.0); C]; D];
        for j in 0..D {
            for v in 0..C {
                z[j][v] = S::sub(S::load(&x[j * block + v * S::LANES..]), center[j]);
            }
        }
        let mut total = [S::splat(0.0); C];
        for i in 0..D {
            let c = S::splat(inverse[at(i, 0)]);
            let mut y = z[0];
            for y in &mut y {
                *y = S::mul(c, *y);
            }
            for j in 1..=i {
                let c = S::splat(inverse[at(i, j)]);
                for v in 0..C {
                    y[v] = S::fma(c, z[j][v], y[v]);
                }
            }
            for v in 0..C {
                total[v] = S::fma(y[v], y[v], total[v]);
            }
        }
        for v in 0..C {
            S::store(&mut out[v * S::LANES..], S::fma(S::splat(-0.5), total[v], S::splat(peak)));
        }
    }
}

#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "a kernel takes slices, and no model")]
fn by_dimension<S: Simd, const C: usize>(
    tile: &[f64],
    n: usize,
    mean: &[f64],
    whitening: &Whitening,
    peak: f64,
    thresholds: Option<&[f64]>,
    work: &mut [f64],
    out: &mut [f64],
) {
    match mean.len() {
        0 => out[..n].fill(peak),
        1 => small::<S, C, 1>(tile, n, mean, &whitening.panels, peak, out),
        2 => small::<S, C, 2>(tile, n, mean, &whitening.panels, peak, out),
        3 => small::<S, C, 3>(tile, n, mean, &whitening.panels, peak, out),
        4 => small::<S, C, 4>(tile, n, mean, &whitening.panels, peak, out),
        5 if S::SMALL_WHITENING > 4 => small::<S, C, 5>(tile, n, mean, &whitening.panels, peak, out),
        6 if S::SMALL_WHITENING > 4 => small::<S, C, 6>(tile, n, mean, &whitening.panels, peak, out),
        7 if S::SMALL_WHITENING > 4 => small::<S, C, 7>(tile, n, mean, &whitening.panels, peak, out),
        8 if S::SMALL_WHITENING > 4 => small::<S, C, 8>(tile, n, mean, &whitening.panels, peak, out),
        _ => blocks::<S, C>(tile, n, mean, whitening, peak, thresholds, work, out),
    }
}

#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "a kernel takes slices, and no model")]
fn full_body<S: Simd>(
    tile: &[f64],
    n: usize,
    mean: &[f64],
    whitening: &Whitening,
    peak: f64,
    thresholds: Option<&[f64]>,
    work: &mut [f64],
    out: &mut [f64],
) {
    assert!(mean.len() == whitening.dim && n <= TILE);
    match S::ROWS {
        2 => by_dimension::<S, 2>(tile, n, mean, whitening, peak, thresholds, work, out),
        _ => by_dimension::<S, 3>(tile, n, mean, whitening, peak, thresholds, work, out),
    }
}

kernel! {
    /// `out[t] = peak − ½ ‖L⁻¹ (x_t − mean)‖²` for the `n` rows of a tile (see [`crate::tile`]): the log-density where `peak` is
    /// that at the mean. `work` holds [`work_len`] numbers, `out` [`TILE`].
    ///
    /// Work: dim² flops per row (multiply and add over the triangle). Differences of close numbers are exact, so the relative
    /// error does not depend on how far the data lie from 0.
    ///
    /// `thresholds` ([`TILE`] values): a block of rows none of which can come above its threshold may be left at −∞; most of its work is
    /// then saved. Not looked at for a few features ([`is_small`]).
    pub fn full(tile: &[f64], n: usize, mean: &[f64], whitening: &Whitening, peak: f64, thresholds: Option<&[f64]>, work: &mut [f64], out: &mut [f64]) = full_body
}

#[inline(always)]
fn diagonal_body<S: Simd>(
    tile: &[f64],
    n: usize,
    mean: &[f64],
    inverse_sd: &[f64],
    log_variance: &[f64],
    missing: bool,
    out: &mut [f64],
) {
    match (S::ROWS, missing) {
        (2, false) => diagonal_blocks::<S, 2, false>(tile, n, mean, inverse_sd, log_variance, out),
        (2, true) => diagonal_blocks::<S, 2, true>(tile, n, mean, inverse_sd, log_variance, out),
        (_, false) => diagonal_blocks::<S, 3, false>(tile, n, mean, inverse_sd, log_variance, out),
        (_, true) => diagonal_blocks::<S, 3, true>(tile, n, mean, inverse_sd, log_variance, out),
    }
}

#[inline(always)]
fn diagonal_blocks<S: Simd, const C: usize, const MISSING: bool>(
    tile: &[f64],
    n: usize,
    mean: &[f64],
    inverse_sd: &[f64],
    log_variance: &[f64],
    out: &mut [f64],
) {
    let block = C * S::LANES;
    let constant: f64 = if MISSING { 0.0 } else { log_variance.iter().sum() };
    let blocks = tile.chunks_exact(mean.len() * block).zip(out.chunks_exact_mut(block)).take(n.div_ceil(block));
    for (x, out) in blocks {
        let mut total = [S::splat(constant); C];
        for (((x, &m), &inv), &ln) in x.chunks_exact(block).zip(mean).zip(inverse_sd).zip(log_variance) {
            let (m, inv, ln) = (S::splat(m), S::splat(inv), S::splat(ln));
            for v in 0..C {
                let x = S::load(&x[v * S::LANES..]);
                let z = S::mul(S::sub(x, m), inv);
                total[v] = if MISSING {
                    S::add(total[v], S::if_nan(x, S::splat(0.0), S::fma(z, z, ln)))
                } else {
                    S::fma(z, z, total[v])
                };
            }
        }
        for v in 0..C {
            S::store(&mut out[v * S::LANES..], S::mul(S::splat(-0.5), total[v]));
        }
    }
}

kernel! {
    /// `out[t] = −½ Σ_j (z_j² + log_variance_j)` over the observed (not NaN) features, z = (x − mean) / sd: the log-density of
    /// a diagonal Gaussian with missing cells where `log_variance = ln(2πσ²)`. `missing`: whether the tile may hold NaN.
    /// `out` holds [`TILE`] values.
    pub fn diagonal(tile: &[f64], n: usize, mean: &[f64], inverse_sd: &[f64], log_variance: &[f64], missing: bool, out: &mut [f64]) = diagonal_body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::moments::Strided;
    use crate::tile;
    use proptest::prelude::*;

    proptest! {
        // The scalar twins are the formulas, one row at a time.
        #[test]
        fn paths_equal_the_scalar_formula(n in 1usize..60, dim in 0usize..23, raw in proptest::collection::vec(-3.0f64..3.0, 60 * 23 + 276 + 23)) {
            let (values, rest) = raw.split_at(60 * 23);
            let inverse: Vec<f64> = rest[..packed_len(dim)].to_vec();
            let mean = &rest[276..276 + dim];
            for isa in Isa::available() {
                let (mut x, mut work, mut out) = (vec![f64::NAN; tile::len(dim)], vec![f64::NAN; work_len(dim)], vec![0.0; TILE]);
                tile::load(isa, Strided { values, stride: dim }, n, dim, &mut x);
                let whitening = Whitening::new(isa, &inverse, dim);
                full(isa, &x, n, mean, &whitening, 0.5, None, &mut work, &mut out);
                // A threshold between the rows: those above it are as before, and blocks with none are left at −∞.
                let mut cut = vec![0.0; TILE];
                let level = out[n / 2];
                full(isa, &x, n, mean, &whitening, 0.5, Some(&[vec![level; n], vec![f64::INFINITY; TILE - n]].concat()), &mut work, &mut cut);
                let block = isa.block();
                for (b, rows) in out[..n].chunks(block).enumerate() {
                    let (got, above) = (&cut[b * block..][..rows.len()], rows.iter().any(|v| *v > level));
                    prop_assert!(got == rows || !above && got.iter().all(|v| *v == f64::NEG_INFINITY));
                }
                for t in 0..n {
                    let want: f64 = (0..dim).map(|i| {
                        let y: f64 = (0..=i).map(|j| inverse[at(i, j)] * (values[t * dim + j] - mean[j])).sum();
                        y * y
                    }).sum::<f64>() * -0.5 + 0.5;
                    // 22 terms of size up to 18 per output: each output errs by less than 22·22·18·1.1e-16 = 1e-12, the
                    // square of one of size y by 2y times that.
                    prop_assert!((out[t] - want).abs() <= 2e-12 * (1.0 + want.abs()), "{} {dim}: {} {want}", isa.name(), out[t]);
                }
                if !is_small(isa, dim) && dim > 0 {
                    let mut y = vec![f64::NAN; tile::len(dim)];
                    whiten(isa, &x, n, mean, &Whitening::new(isa, &inverse, dim), &mut work, &mut y);
                    let mut rows = vec![0.0; n * dim];
                    tile::unload(isa, &y, n, dim, &mut rows);
                    for t in 0..n { for i in 0..dim {
                        let want: f64 = (0..=i).map(|j| inverse[at(i, j)] * (values[t * dim + j] - mean[j])).sum();
                        prop_assert!((rows[t * dim + i] - want).abs() <= 1e-12, "{} {dim}", isa.name());
                    } }
                }
            }
        }

        #[test]
        fn diagonal_skips_missing_cells(n in 1usize..40, dim in 1usize..6, raw in proptest::collection::vec(-3.0f64..3.0, 240), holes in proptest::collection::vec(any::<bool>(), 240), missing: bool) {
            let mean = [0.3, -1.0, 2.0, 0.0, 5.0, 1.0];
            let inv = [1.0, 2.0, 0.5, 1.5, 1.0, 3.0];
            let ln = [0.1, 0.2, -0.3, 0.4, 0.0, 2.0];
            let rows: Vec<f64> = (0..n * dim).map(|i| if missing && holes[i] { f64::NAN } else { raw[i] }).collect();
            for isa in Isa::available() {
                let (mut x, mut out) = (vec![0.0; tile::len(dim)], vec![0.0; TILE]);
                tile::load(isa, Strided { values: &rows, stride: dim }, n, dim, &mut x);
                diagonal(isa, &x, n, &mean[..dim], &inv, &ln[..dim], missing, &mut out);
                for t in 0..n {
                    let want: f64 = (0..dim).filter(|&j| !rows[t * dim + j].is_nan())
                        .map(|j| ((rows[t * dim + j] - mean[j]) * inv[j]).powi(2) + ln[j]).sum::<f64>() * -0.5;
                    prop_assert!((out[t] - want).abs() <= 1e-12 * (1.0 + want.abs()), "{}", isa.name());
                }
            }
        }
    }
}
