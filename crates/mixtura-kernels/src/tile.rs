//! Tiles: up to [`TILE`] rows of a table in blocks of [`crate::Isa::block`] rows, feature-major inside a block, so that rows lie along
//! the vector lanes and a block stays in the nearest cache: value j of row t is at `t / B · D · B + j · B + t % B`.

use crate::moments::Strided;
use crate::{Isa, TILE};

/// Numbers in a tile of `dim` features.
pub fn len(dim: usize) -> usize {
    dim * TILE
}

/// Copies rows of `dim` cells into `tile`. The last block is filled up with zeros.
pub fn load(isa: Isa, rows: Strided<'_>, n: usize, dim: usize, tile: &mut [f64]) {
    match dim {
        0 => {}
        1 => copy(isa, n, 1, |t| &rows.values[t * rows.stride..], tile),
        2 => copy(isa, n, 2, |t| &rows.values[t * rows.stride..], tile),
        3 => copy(isa, n, 3, |t| &rows.values[t * rows.stride..], tile),
        4 => copy(isa, n, 4, |t| &rows.values[t * rows.stride..], tile),
        _ => copy(isa, n, dim, |t| &rows.values[t * rows.stride..], tile),
    }
}

/// The loops of [`load`], again for each of the smallest numbers of features.
#[inline(always)]
fn copy<'a>(isa: Isa, n: usize, dim: usize, row: impl Fn(usize) -> &'a [f64], tile: &mut [f64]) {
    let block = isa.block();
    for (b, to) in tile[..n.div_ceil(block) * block * dim].chunks_exact_mut(block * dim).enumerate() {
        let rows = (n - b * block).min(block);
        if rows < block {
            to.fill(0.0);
        }
        for t in 0..rows {
            let from = &row(b * block + t)[..dim];
            for j in 0..dim {
                to[j * block + t] = from[j];
            }
        }
    }
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
            for (n, d) in [(1, 1), (7, 3), (24, 2), (25, 5), (TILE, 2)] {
                let rows: Vec<f64> = (0..n * d).map(|i| i as f64).collect();
                let (mut tile, mut back) = (vec![f64::NAN; len(d)], vec![0.0; n * d]);
                let cells = Strided { values: &rows, stride: d };
                load(isa, cells, n, d, &mut tile);
                unload(isa, &tile, n, d, &mut back);
                assert_eq!(rows, back, "{}", isa.name());
                let block = isa.block();
                let padding = (n..n.div_ceil(block) * block).map(|t| tile[t / block * d * block + t % block]);
                assert!(padding.into_iter().all(|x| x == 0.0));
                gather(isa, cells, &[(n - 1) as u16], &[d - 1], &mut tile);
                assert_eq!((tile[0], tile[1]), ((n * d - 1) as f64, 0.0));
            }
        }
    }
}
