//! Log-densities and moments by quadratic features φ(x) = (x_i, x_i x_j): two matrix products, K components at a time.
//!
//! A product x_i x_j is made once for a group of components, in registers, and serves all of them: the log-densities are
//! `W φ`, the moments `Rᵀ φ`. Sums of features cancel where a component is small and far from 0, by about
//! ε·‖Σ⁻¹‖·(‖x‖ + ‖μ‖)²: the caller uses them only where that is small enough.

use crate::TILE;
use crate::cholesky::{at, packed_len};
use crate::simd::{Isa, Simd, kernel, vectors};

/// Most components in a group, of all paths.
const MOST: usize = 8;

#[inline(always)]
fn sizes_body<S: Simd>() -> (usize, usize) {
    const { assert!(S::GROUP <= MOST && S::GROUP <= S::LANES) }
    (S::GROUP, S::POLYNOMIALS)
}

kernel! {
    /// Components that share a register block; most features of polynomials that pay.
    fn sizes() -> (usize, usize) = sizes_body
}

/// Whether [`log_densities`] is faster than whitening the rows of each component (by the benches of this crate): with few
/// components the products are not shared by enough of them, with few features or many the whitening is as good.
pub fn densities_pay(isa: Isa, n_components: usize, dim: usize) -> bool {
    n_components > 5 && (5..=sizes(isa).1).contains(&dim)
}

/// Whether [`moments`] is faster than a symmetric product of each component's rows (by the same benches).
pub fn moments_pay(n_components: usize, dim: usize) -> bool {
    n_components > 1 && (4..=if n_components > 5 { 64 } else { 16 }).contains(&dim)
}

#[inline(always)]
fn within_body<S: Simd>(tile: &[f64], n: usize, dim: usize, limit: f64) -> bool {
    match S::ROWS {
        2 => within_of::<S, 2>(tile, n, dim, limit),
        _ => within_of::<S, 3>(tile, n, dim, limit),
    }
}

#[inline(always)]
fn within_of<S: Simd, const C: usize>(tile: &[f64], n: usize, dim: usize, limit: f64) -> bool {
    let block = C * S::LANES;
    let mut largest = S::splat(0.0);
    for x in tile.chunks_exact(dim * block).take(n.div_ceil(block)) {
        let mut norm = [S::splat(0.0); C];
        for x in x.chunks_exact(block) {
            let x = vectors::<S, C>(x);
            for v in 0..C {
                norm[v] = S::fma(x[v], x[v], norm[v]);
            }
        }
        for v in 0..C {
            largest = S::max(norm[v], largest);
        }
    }
    !S::any_less(S::splat(limit), largest)
}

kernel! {
    /// Whether ‖x‖² ≤ `limit` for all `n` rows of a tile. Cells must be numbers.
    pub fn within(tile: &[f64], n: usize, dim: usize, limit: f64) -> bool = within_body
}

/// `n` components in as few groups as hold them, of sizes that differ by at most one: (first, size) of each.
fn groups(n: usize, widest: usize) -> impl Iterator<Item = (usize, usize)> {
    let parts = n.div_ceil(widest).max(1);
    (0..parts).map(move |p| (p * n / parts, (p + 1) * n / parts - p * n / parts)).filter(|g| g.1 > 0)
}

/// Calls a function of a path, a block height and a group size: `with!(S, size, name(args…))`.
macro_rules! with_group {
    ($S:ident, $size:expr, $name:ident($($arg:expr),*)) => {
        match (S::ROWS, $size) {
            (2, 1) => $name::<$S, 2, 1>($($arg),*),
            (2, 2) => $name::<$S, 2, 2>($($arg),*),
            (2, 3) => $name::<$S, 2, 3>($($arg),*),
            (2, _) => $name::<$S, 2, 4>($($arg),*),
            (_, 1) => $name::<$S, 3, 1>($($arg),*),
            (_, 2) => $name::<$S, 3, 2>($($arg),*),
            (_, 3) => $name::<$S, 3, 3>($($arg),*),
            (_, 4) => $name::<$S, 3, 4>($($arg),*),
            (_, 5) => $name::<$S, 3, 5>($($arg),*),
            (_, 6) => $name::<$S, 3, 6>($($arg),*),
            (_, 7) => $name::<$S, 3, 7>($($arg),*),
            _ => $name::<$S, 3, 8>($($arg),*),
        }
    };
}

/// Log-densities of K components as polynomials of degree two in x.
#[derive(Clone, Debug)]
pub struct Polynomials {
    dim: usize,
    n: usize,
    /// Group by group: the constants, then for every feature i its own coefficients and those of x_i x_j, j ≤ i.
    coefficients: Vec<f64>,
}

impl Polynomials {
    /// `peak − ½ (x − μ)ᵀ A (x − μ)` for each component: `means` n × dim, `precisions` n packed lower triangles A.
    pub fn new(isa: Isa, dim: usize, peaks: &[f64], means: &[f64], precisions: &[f64]) -> Self {
        let (n, len) = (peaks.len(), packed_len(dim));
        let mut coefficients = Vec::with_capacity(n * (1 + dim + len));
        let precision = |k: usize, i: usize, j: usize| precisions[k * len + at(i.max(j), i.min(j))];
        // A μ, by component.
        let linear: Vec<f64> = (0..n * dim)
            .map(|e| (0..dim).map(|j| precision(e / dim, e % dim, j) * means[e / dim * dim + j]).sum())
            .collect();
        for (first, size) in groups(n, sizes(isa).0) {
            let members = first..first + size;
            coefficients.extend(members.clone().map(|k| {
                let (l, m) = (&linear[k * dim..][..dim], &means[k * dim..][..dim]);
                peaks[k] - 0.5 * l.iter().zip(m).map(|(l, m)| l * m).sum::<f64>()
            }));
            for i in 0..dim {
                coefficients.extend(members.clone().map(|k| linear[k * dim + i]));
                for j in 0..=i {
                    let half = if i == j { -0.5 } else { -1.0 };
                    coefficients.extend(members.clone().map(|k| half * precision(k, i, j)));
                }
            }
        }
        Polynomials { dim, n, coefficients }
    }
}

/// Adds coefficient × feature to the log-densities of a group.
#[inline(always)]
fn add_feature<S: Simd, const C: usize, const G: usize>(acc: &mut [[S::V; C]; G], coefficients: &[f64], x: [S::V; C]) {
    let coefficients = &coefficients[..G];
    for g in 0..G {
        let c = S::splat(coefficients[g]);
        for v in 0..C {
            acc[g][v] = S::fma(c, x[v], acc[g][v]);
        }
    }
}

#[inline(always)]
fn log_densities_of<S: Simd, const C: usize, const G: usize>(
    tile: &[f64],
    n: usize,
    dim: usize,
    coefficients: &[f64],
    out: &mut [f64],
) {
    let block = C * S::LANES;
    for (b, x) in tile.chunks_exact(dim * block).take(n.div_ceil(block)).enumerate() {
        let mut acc = [[S::splat(0.0); C]; G];
        for g in 0..G {
            acc[g] = [S::splat(coefficients[g]); C];
        }
        let mut left = coefficients[G..].chunks_exact(G);
        for (i, xi) in x.chunks_exact(block).enumerate() {
            let xi = vectors::<S, C>(xi);
            let Some(own) = left.next() else { return };
            add_feature::<S, C, G>(&mut acc, own, xi);
            for (xj, coefficients) in x[..(i + 1) * block].chunks_exact(block).zip(left.by_ref().take(i + 1)) {
                let mut product = vectors::<S, C>(xj);
                for v in 0..C {
                    product[v] = S::mul(xi[v], product[v]);
                }
                add_feature::<S, C, G>(&mut acc, coefficients, product);
            }
        }
        for g in 0..G {
            let to = &mut out[g * TILE + b * block..][..block];
            for v in 0..C {
                S::store(&mut to[v * S::LANES..], acc[g][v]);
            }
        }
    }
}

#[inline(always)]
fn log_densities_body<S: Simd>(tile: &[f64], n: usize, polynomials: &Polynomials, out: &mut [f64]) {
    let (dim, mut left) = (polynomials.dim, &polynomials.coefficients[..]);
    assert!(n <= TILE && dim > 0);
    for (first, size) in groups(polynomials.n, S::GROUP) {
        let (own, rest) = left.split_at(size * (1 + dim + packed_len(dim)));
        left = rest;
        let out = &mut out[first * TILE..];
        with_group!(S, size, log_densities_of(tile, n, dim, own, out));
    }
}

kernel! {
    /// `out[k * TILE + t]` = polynomial k at row t, for the `n` rows of a tile (see [`crate::tile`]).
    ///
    /// Work: dim² + 3·dim flops per row and component, and a multiplication per feature, row and group.
    pub fn log_densities(tile: &[f64], n: usize, polynomials: &Polynomials, out: &mut [f64]) = log_densities_body
}

/// Numbers that [`moments`] needs as memory for `dim` features.
pub fn work_len(dim: usize) -> usize {
    MOST * (TILE + dim + packed_len(dim) + MOST)
}

/// A vector at a place inside a slice that the caller has checked: a test per load would cost as much as the arithmetic.
#[inline(always)]
#[allow(unsafe_code)]
fn vector<S: Simd>(from: &[f64], at: usize) -> S::V {
    debug_assert!(at + S::LANES <= from.len());
    // SAFETY: see above; both callers' places are below the lengths that they assert.
    S::load(unsafe { from.get_unchecked(at..at + S::LANES) })
}

/// What [`sums`] takes for features of pairs (i, j).
const LINEAR: u8 = 0; // x_i
const ONE_COLUMN: u8 = 1; // x_i x_j, j the same for all
const PRODUCTS: u8 = 2; // x_i x_j

/// Σ r φ of `T` features over all rows, for every member of a group: one vector per feature, members along the lanes, at
/// the features' places in `to`.
#[inline(always)]
fn sums<S: Simd, const C: usize, const G: usize, const T: usize, const KIND: u8>(
    tile: &[f64],
    dim: usize,
    resp: &[f64],
    pairs: [(usize, usize); T],
    places: [usize; T],
    to: &mut [f64],
) {
    let (block, width) = (C * S::LANES, S::LANES);
    let blocks = resp.len() / (block * G);
    assert!(blocks * dim * block <= tile.len() && pairs.iter().all(|p| p.0 < dim && p.1 < dim));
    let mut acc = [[S::splat(0.0); G]; T];
    for b in 0..blocks {
        for v in 0..C {
            let mut feature = [S::splat(0.0); T];
            let column = |j: usize| (b * dim + j) * block + v * width;
            let shared = vector::<S>(tile, column(pairs[0].1));
            for t in 0..T {
                feature[t] = vector::<S>(tile, column(pairs[t].0));
                feature[t] = match KIND {
                    LINEAR => feature[t],
                    ONE_COLUMN => S::mul(shared, feature[t]),
                    _ => S::mul(feature[t], vector::<S>(tile, column(pairs[t].1))),
                };
            }
            for g in 0..G {
                let r = vector::<S>(resp, ((b * C + v) * G + g) * width);
                for t in 0..T {
                    acc[t][g] = S::fma(r, feature[t], acc[t][g]);
                }
            }
        }
    }
    for t in 0..T {
        let mut members = [S::splat(0.0); MOST];
        members[..G].copy_from_slice(&acc[t]);
        S::store(&mut to[places[t] * width..], S::sum_each(&members));
    }
}

/// The responsibilities of a group as [`sums`] reads them: by vector of rows, then by member; 0 past the last row.
#[inline(always)]
fn pack<S: Simd, const C: usize, const G: usize>(resp: &[f64], members: &[u16], n: usize, to: &mut [f64]) {
    let width = S::LANES;
    for (q, to) in to.chunks_exact_mut(G * width).enumerate() {
        let from = q * width;
        for g in 0..G {
            let line = &resp[usize::from(members[g]) * TILE..][..n];
            let r = if from + width <= n { S::load(&line[from..]) } else { S::load_partial(&line[from.min(n)..]) };
            S::store(&mut to[g * width..], r);
        }
    }
}

/// Adds sums with members along the lanes to the members' own packed arrays: `to[k * len ..][..len]`.
#[inline(always)]
fn scatter<S: Simd>(sums: &[f64], members: &[u16], len: usize, to: &mut [f64]) {
    let width = S::LANES;
    let mut turned = [0.0; MOST * MOST];
    for from in (0..len).step_by(width) {
        S::transpose(&sums[from * width..], width, &mut turned, width);
        for (g, &k) in members.iter().enumerate() {
            let to = &mut to[usize::from(k) * len + from..][..width.min(len - from)];
            let sums = &turned[g * width..][..width];
            if to.len() == width {
                S::store(to, S::add(S::load(to), S::load(sums)));
            } else {
                to.iter_mut().zip(sums).for_each(|(t, s)| *t += s);
            }
        }
    }
}

#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "a kernel takes slices, and no model")]
fn moments_of<S: Simd, const C: usize, const G: usize>(
    tile: &[f64],
    n: usize,
    dim: usize,
    resp: &[f64],
    members: &[u16],
    work: &mut [f64],
    first: &mut [f64],
    second: &mut [f64],
) {
    let block = C * S::LANES;
    let (packed, results) = work.split_at_mut(MOST * TILE);
    let packed = &mut packed[..n.div_ceil(block) * block * G];
    pack::<S, C, G>(resp, members, n, packed);

    let same = |j: usize| (j, j);
    for j in (0..dim).step_by(3) {
        let to = &mut *results;
        match dim - j {
            1 => sums::<S, C, G, 1, LINEAR>(tile, dim, packed, [same(j)], [j], to),
            2 => sums::<S, C, G, 2, LINEAR>(tile, dim, packed, [same(j), same(j + 1)], [j, j + 1], to),
            _ => {
                let columns = [same(j), same(j + 1), same(j + 2)];
                sums::<S, C, G, 3, LINEAR>(tile, dim, packed, columns, [j, j + 1, j + 2], to);
            }
        }
    }
    scatter::<S>(results, members, dim, first);

    // Three lines of the triangle at a time, and along them one column after the other: the three stay in the nearest cache.
    for i in (0..dim).step_by(3) {
        let (a, b, c) = (i, i + 1, i + 2);
        for j in 0..=i {
            let to = &mut *results;
            match dim - i {
                1 => sums::<S, C, G, 1, ONE_COLUMN>(tile, dim, packed, [(a, j)], [at(a, j)], to),
                2 => sums::<S, C, G, 2, ONE_COLUMN>(tile, dim, packed, [(a, j), (b, j)], [at(a, j), at(b, j)], to),
                _ => {
                    let places = [at(a, j), at(b, j), at(c, j)];
                    sums::<S, C, G, 3, ONE_COLUMN>(tile, dim, packed, [(a, j), (b, j), (c, j)], places, to);
                }
            }
        }
        match dim - i {
            1 => {}
            2 => sums::<S, C, G, 1, PRODUCTS>(tile, dim, packed, [(b, b)], [at(b, b)], results),
            _ => {
                let places = [at(b, b), at(c, b), at(c, c)];
                sums::<S, C, G, 3, PRODUCTS>(tile, dim, packed, [(b, b), (c, b), (c, c)], places, results);
            }
        }
    }
    scatter::<S>(results, members, packed_len(dim), second);
}

#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "a kernel takes slices, and no model")]
fn moments_body<S: Simd>(
    tile: &[f64],
    n: usize,
    dim: usize,
    resp: &[f64],
    components: &[u16],
    work: &mut [f64],
    first: &mut [f64],
    second: &mut [f64],
) {
    assert!(n <= TILE && dim > 0 && work.len() >= work_len(dim));
    for (start, size) in groups(components.len(), S::GROUP) {
        let members = &components[start..start + size];
        with_group!(S, size, moments_of(tile, n, dim, resp, members, work, first, second));
    }
}

kernel! {
    /// Adds Σ r x to `first` (K × dim) and the lower triangle of Σ r x xᵀ to `second` (K × dim (dim + 1) / 2) for the given
    /// components, r = `resp[k * TILE + t]` of the `n` rows of a tile. `work` holds [`work_len`] numbers.
    ///
    /// Work: dim² + 3·dim flops per row and component, and a multiplication per feature, row and group.
    pub fn moments(tile: &[f64], n: usize, dim: usize, resp: &[f64], components: &[u16], work: &mut [f64], first: &mut [f64], second: &mut [f64]) = moments_body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::moments::Strided;
    use crate::tile;
    use proptest::prelude::*;

    const ROWS: usize = 60;

    proptest! {
        // The scalar twins are the formulas, one row and one component at a time.
        #[test]
        fn paths_equal_the_scalar_formula(n in 1usize..ROWS, dim in 1usize..14, k in 1usize..11, raw in proptest::collection::vec(-3.0f64..3.0, ROWS * 14 + 11 * 120), resp in proptest::collection::vec(0.0f64..1.0, 11 * ROWS), skip in 0usize..4) {
            let (values, rest) = raw.split_at(ROWS * 14);
            let len = packed_len(dim);
            let (peaks, means, precisions) = (&rest[..k], &rest[k..k * (1 + dim)], &rest[k * (1 + dim)..k * (1 + dim + len)]);
            let x = |t: usize, j: usize| values[t * dim + j];
            // Components that are left out, in an order of their own.
            let components: Vec<u16> = (0..k as u16).rev().filter(|c| *c as usize % 4 != skip).collect();
            for isa in Isa::available() {
                let (mut rows, mut out) = (vec![f64::NAN; tile::len(dim)], vec![f64::NAN; k * TILE]);
                tile::load(isa, Strided { values, stride: dim }, n, dim, &mut rows);
                log_densities(isa, &rows, n, &Polynomials::new(isa, dim, peaks, means, precisions), &mut out);
                for c in 0..k { for t in 0..n {
                    let mut want = peaks[c];
                    for i in 0..dim { for j in 0..dim {
                        let a = precisions[c * len + at(i.max(j), i.min(j))];
                        want -= 0.5 * a * (x(t, i) - means[c * dim + i]) * (x(t, j) - means[c * dim + j]);
                    } }
                    // 13² products of up to 3·6·6, in sums below 9,000: some 30 roundings of those.
                    prop_assert!((out[c * TILE + t] - want).abs() < 3e-11, "{} {dim} {k}: {} {want}", isa.name(), out[c * TILE + t]);
                } }

                // What lies past the rows of a component must not be read as numbers.
                let mut padded = vec![f64::NAN; k * TILE];
                for c in 0..k { padded[c * TILE..][..n].copy_from_slice(&resp[c * ROWS..][..n]); }
                let (mut first, mut second) = (vec![0.5; k * dim], vec![0.25; k * len]);
                moments(isa, &rows, n, dim, &padded, &components, &mut vec![f64::NAN; work_len(dim)], &mut first, &mut second);
                for c in 0..k { for i in 0..dim {
                    let own = components.contains(&(c as u16));
                    let sum = |f: &dyn Fn(usize) -> f64| if own { (0..n).map(|t| padded[c * TILE + t] * f(t)).sum() } else { 0.0 };
                    // 60 terms of up to 9, sums below 540: 1e-12 is some 10 roundings.
                    prop_assert!((first[c * dim + i] - 0.5 - sum(&|t| x(t, i))).abs() < 1e-12);
                    for j in 0..=i {
                        let want = 0.25 + sum(&|t| x(t, i) * x(t, j));
                        prop_assert!((second[c * len + at(i, j)] - want).abs() < 1e-12, "{} {dim} {c} {i} {j}", isa.name());
                    }
                } }
            }
        }
    }

    #[test]
    fn a_limit_on_the_norm_counts_every_row() {
        for isa in Isa::available() {
            for (n, far) in [(1, 0), (25, 24), (24, 3), (TILE, TILE - 1)] {
                let mut rows = vec![0.5; n * 3];
                rows[far * 3 + 1] = 2.0;
                let mut x = vec![f64::NAN; tile::len(3)];
                tile::load(isa, Strided { values: &rows, stride: 3 }, n, 3, &mut x);
                assert!(within(isa, &x, n, 3, 4.5) && !within(isa, &x, n, 3, 4.49));
            }
        }
    }
}
