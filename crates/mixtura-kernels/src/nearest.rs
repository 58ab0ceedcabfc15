//! The nearest of several centres for every row of a tile.

use crate::TILE;
use crate::simd::{Simd, kernel};

#[inline(always)]
fn nearest_body<S: Simd>(tile: &[f64], n: usize, dim: usize, centers: &[f64], index: &mut [f64], squared: &mut [f64]) {
    assert!(dim > 0 && n <= TILE);
    match S::ROWS {
        2 => blocks::<S, 2, false>(tile, n, dim, centers, index, squared, &mut []),
        _ => blocks::<S, 3, false>(tile, n, dim, centers, index, squared, &mut []),
    }
}

#[inline(always)]
fn nearest_two_body<S: Simd>(
    tile: &[f64],
    n: usize,
    dim: usize,
    centers: &[f64],
    index: &mut [f64],
    squared: &mut [f64],
    second: &mut [f64],
) {
    assert!(dim > 0 && n <= TILE);
    match S::ROWS {
        2 => blocks::<S, 2, true>(tile, n, dim, centers, index, squared, second),
        _ => blocks::<S, 3, true>(tile, n, dim, centers, index, squared, second),
    }
}

/// `TWO`: `runner_up` receives the second smallest square, too.
#[inline(always)]
fn blocks<S: Simd, const C: usize, const TWO: bool>(
    tile: &[f64],
    n: usize,
    dim: usize,
    centers: &[f64],
    index: &mut [f64],
    squared: &mut [f64],
    runner_up: &mut [f64],
) {
    let block = C * S::LANES;
    let out = index.chunks_exact_mut(block).zip(squared.chunks_exact_mut(block));
    for (b, (x, (index, squared))) in tile.chunks_exact(dim * block).zip(out).take(n.div_ceil(block)).enumerate() {
        let mut best = [S::splat(f64::INFINITY); C];
        let mut second = [S::splat(f64::INFINITY); C];
        let mut which = [S::splat(0.0); C];
        for (k, center) in centers.chunks_exact(dim).enumerate() {
            let mut total = [S::splat(0.0); C];
            for (x, &c) in x.chunks_exact(block).zip(center) {
                let c = S::splat(c);
                for v in 0..C {
                    let d = S::sub(S::load(&x[v * S::LANES..]), c);
                    total[v] = S::fma(d, d, total[v]);
                }
            }
            let k = S::splat(k as f64);
            for v in 0..C {
                if TWO {
                    // The larger of this square and the best so far takes part in the second place; one that is not a number
                    // is less than nothing.
                    let loser = S::if_less(total[v], best[v], best[v], total[v]);
                    second[v] = S::if_less(loser, second[v], loser, second[v]);
                }
                which[v] = S::if_less(total[v], best[v], k, which[v]);
                best[v] = S::if_less(total[v], best[v], total[v], best[v]);
            }
        }
        for v in 0..C {
            S::store(&mut index[v * S::LANES..], which[v]);
            S::store(&mut squared[v * S::LANES..], best[v]);
            if TWO {
                S::store(&mut runner_up[b * block + v * S::LANES..], second[v]);
            }
        }
    }
}

kernel! {
    /// For every row of a tile (see [`crate::tile`]) the number of the nearest centre, the first of equals, and its squared
    /// distance; ∞ where a cell is missing or every square overflows. `centers`: K × `dim`; `index` and `squared` hold
    /// [`TILE`] numbers.
    ///
    /// Work: 3·K·`dim` flops per row.
    pub fn nearest(tile: &[f64], n: usize, dim: usize, centers: &[f64], index: &mut [f64], squared: &mut [f64]) = nearest_body
}

kernel! {
    /// As [`nearest`], to the same bits, and in `second` ([`TILE`] numbers) the least squared distance to another centre: that of
    /// the nearest one where two are equally near, ∞ where there is no other.
    pub fn nearest_two(
        tile: &[f64],
        n: usize,
        dim: usize,
        centers: &[f64],
        index: &mut [f64],
        squared: &mut [f64],
        second: &mut [f64],
    ) = nearest_two_body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::moments::Strided;
    use crate::{Isa, tile};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equals_the_scalar_search(n in 1usize..60, dim in 1usize..10, k in 1usize..6, raw in proptest::collection::vec(-9i32..9, 60 * 10 + 60), hole in 0usize..60) {
            // Whole numbers: squares and sums are exact, so ties are ties on every path.
            let mut rows: Vec<f64> = raw[..n * dim].iter().map(|&x| f64::from(x)).collect();
            let centers: Vec<f64> = raw[600..][..k * dim].iter().map(|&x| f64::from(x)).collect();
            if hole < n { rows[hole * dim] = f64::NAN; }
            for isa in Isa::available() {
                let (mut x, mut index, mut squared) = (vec![0.0; tile::len(dim)], vec![-1.0; TILE], vec![0.0; TILE]);
                tile::load(isa, Strided { values: &rows, stride: dim }, n, dim, &mut x);
                let (mut same_index, mut same, mut second) = (index.clone(), squared.clone(), vec![0.0; TILE]);
                nearest(isa, &x, n, dim, &centers, &mut index, &mut squared);
                nearest_two(isa, &x, n, dim, &centers, &mut same_index, &mut same, &mut second);
                prop_assert_eq!((&index[..n], &squared[..n]), (&same_index[..n], &same[..n]));
                for t in 0..n {
                    let row = &rows[t * dim..][..dim];
                    let distance = |c: usize| row.iter().zip(&centers[c * dim..]).map(|(x, m)| (x - m) * (x - m)).sum::<f64>();
                    let best = (0..k).filter(|&c| distance(c) < f64::INFINITY).min_by(|&a, &b| distance(a).total_cmp(&distance(b)));
                    let other = (0..k).filter(|&c| Some(c) != best).map(distance).fold(f64::INFINITY, f64::min);
                    prop_assert_eq!(second[t], other);
                    match best {
                        Some(best) => prop_assert_eq!((index[t], squared[t]), (best as f64, distance(best))),
                        None => prop_assert_eq!(squared[t], f64::INFINITY),
                    }
                }
            }
        }
    }
}
