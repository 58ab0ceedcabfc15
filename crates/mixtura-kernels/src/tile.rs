//! Tiles: up to [`TILE`] rows of a table in blocks of [`crate::Isa::block`] rows, feature-major inside a block, so that rows lie along
//! the vector lanes and a block stays in the nearest cache: value j of row t is at `t / B · D · B + j · B + t % B`.

use crate::moments::Strided;
use crate::simd::{Simd, kernel};
use crate::{Isa, TILE};

/// Numbers in a tile of `dim` features.
pub fn len(dim: usize) -> usize {
    dim * TILE
}

#[inline(always)]
fn load_body<S: Simd>(rows: Strided<'_>, n: usize, dim: usize, tile: &mut [f64]) {
    match dim {
        0 => {}
        1 => copy::<S>(rows, n, 1, tile),
        2 => copy::<S>(rows, n, 2, tile),
        3 => copy::<S>(rows, n, 3, tile),
        _ => copy::<S>(rows, n, dim, tile),
    }
}

/// The loops of [`load`], again for each of the smallest numbers of features.
#[inline(always)]
fn copy<S: Simd>(rows: Strided<'_>, n: usize, dim: usize, tile: &mut [f64]) {
    let (block, width) = (S::ROWS * S::LANES, S::LANES);
    for (b, to) in tile[..n.div_ceil(block) * block * dim].chunks_exact_mut(block * dim).enumerate() {
        let here = (n - b * block).min(block);
        if here < block {
            to.fill(0.0);
        }
        let from = &rows.values[b * block * rows.stride..];
        let whole = if dim < width { 0 } else { here / width * width };
        for t in (0..whole).step_by(width) {
            for j in (0..dim / width * width).step_by(width) {
                S::transpose(&from[t * rows.stride + j..], rows.stride, &mut to[j * block + t..], block);
            }
        }
        for t in 0..here {
            let first = if t < whole { dim / width * width } else { 0 };
            let row = &from[t * rows.stride..][..dim];
            for j in first..dim {
                to[j * block + t] = row[j];
            }
        }
    }
}

kernel! {
    /// Copies `n` rows of `dim` cells into `tile`. The last block is filled up with zeros.
    pub fn load(rows: Strided<'_>, n: usize, dim: usize, tile: &mut [f64]) = load_body
}

#[inline(always)]
fn any_nan_body<S: Simd>(values: &[f64]) -> bool {
    let (mut found, one) = ([S::splat(0.0); 4], S::splat(1.0));
    let blocks = values.chunks_exact(4 * S::LANES);
    let rest = blocks.remainder().iter().any(|v| v.is_nan());
    for block in blocks {
        for u in 0..4 {
            found[u] = S::if_nan(S::load(&block[u * S::LANES..]), one, found[u]);
        }
    }
    rest || S::sum(S::add(S::add(found[0], found[1]), S::add(found[2], found[3]))) > 0.0
}

kernel! {
    /// Whether a value is not a number.
    pub fn any_nan(values: &[f64]) -> bool = any_nan_body
}

/// As [`load`], of the given rows and features only.
pub fn gather(isa: Isa, rows: Strided<'_>, order: &[u16], features: &[usize], tile: &mut [f64]) {
    let (block, dim) = (isa.block(), features.len());
    if dim == 0 {
        return;
    }
    for (order, to) in order.chunks(block).zip(tile.chunks_exact_mut(block * dim)) {
        if order.len() < block {
            to.fill(0.0);
        }
        for (t, &row) in order.iter().enumerate() {
            let from = &rows.values[usize::from(row) * rows.stride..];
            features.iter().enumerate().for_each(|(j, &f)| to[j * block + t] = from[f]);
        }
    }
}

/// Copies a tile back into rows, one after the other.
pub fn unload(isa: Isa, tile: &[f64], n: usize, dim: usize, rows: &mut [f64]) {
    let block = isa.block();
    for (from, to) in tile.chunks_exact(block * dim).zip(rows[..n * dim].chunks_mut(block * dim)) {
        for (t, row) in to.chunks_exact_mut(dim).enumerate() {
            for (j, x) in row.iter_mut().enumerate() {
                *x = from[j * block + t];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out() {
        for isa in Isa::available() {
            for (n, d) in [(1, 1), (7, 3), (24, 2), (25, 5), (TILE, 2), (24, 8), (45, 8), (17, 4), (31, 19), (9, 9)] {
                let rows: Vec<f64> = (0..n * d).map(|i| i as f64).collect();
                let (mut tile, mut back) = (vec![f64::NAN; len(d)], vec![0.0; n * d]);
                let cells = Strided { values: &rows, stride: d };
                load(isa, cells, n, d, &mut tile);
                unload(isa, &tile, n, d, &mut back);
                assert_eq!(rows, back, "{}", isa.name());
                assert!(!any_nan(isa, &rows));
                let place = n * d * 2 / 3;
                back[place] = f64::NAN;
                assert!(any_nan(isa, &back) && any_nan(isa, &back[place..=place]) && !any_nan(isa, &back[..place]));
                let block = isa.block();
                let padding = (n..n.div_ceil(block) * block).map(|t| tile[t / block * d * block + t % block]);
                assert!(padding.into_iter().all(|x| x == 0.0));
                gather(isa, cells, &[(n - 1) as u16], &[d - 1], &mut tile);
                assert_eq!((tile[0], tile[1]), ((n * d - 1) as f64, 0.0));
            }
        }
    }
}
