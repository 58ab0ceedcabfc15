//! Weighted first and second moments of rows about a pivot, summed in a fixed order. Every kernel returns Σ w.

use crate::cholesky::at;
use crate::simd::{Isa, Simd, kernel};
use crate::{Aligned, TILE};

/// Memory of [`full`] and [`diagonal`] for up to `dim` features.
#[derive(Clone, Debug)]
pub struct Work {
    /// 0, 1, 2, …
    all: Vec<u32>,
    /// The rows whose weight is not 0, and their weights.
    index: Vec<u32>,
    weight: Vec<f64>,
    /// √w (x − pivot) in panels of one vector of features: feature p·LANES + l of row t at (p · PANEL + t) · LANES + l.
    panels: Aligned,
}

/// The rows that count and their weights: as many as fill whole groups of [`GROUP`]; some at the end may have weight 0.
struct Rows<'a> {
    index: &'a [u32],
    weight: &'a [f64],
}

/// Rows of a panel: four panels stay in a nearest cache of 32 kB.
const PANEL: usize = 120;

/// A whole number of vectors on every path.
const GROUP: usize = 8;

impl Work {
    /// For `dim` features.
    pub fn new(dim: usize) -> Self {
        let all: Vec<u32> = (0..TILE as u32).collect();
        let (index, weight) = (vec![0; TILE + GROUP], vec![0.0; TILE + GROUP]);
        Work { all, index, weight, panels: Aligned::zeros(dim.next_multiple_of(GROUP) * PANEL) }
    }

    /// The rows whose weight is not 0 (in separated data most have none), memory for their panels, and Σ w.
    #[inline(always)]
    fn gather<'a, S: Simd>(&'a mut self, weights: &'a [f64]) -> (Rows<'a>, &'a mut [f64], f64) {
        let total = sum_body::<S>(weights);
        let n = weights.len();
        let mut every = n.is_multiple_of(GROUP);
        for w in weights.chunks_exact(S::LANES) {
            every &= !S::any_less(S::load(w), S::splat(f64::MIN_POSITIVE));
        }
        if every {
            return (Rows { index: &self.all[..n], weight: weights }, &mut self.panels, total);
        }
        let mut m = 0;
        for (t, &w) in weights.iter().enumerate() {
            self.index[m] = t as u32;
            self.weight[m] = w;
            m += usize::from(w != 0.0);
        }
        let whole = m.next_multiple_of(GROUP);
        self.weight[m..whole].fill(0.0);
        self.index[m..whole].fill(0);
        (Rows { index: &self.index[..whole], weight: &self.weight[..whole] }, &mut self.panels, total)
    }
}

/// Some rows of a table: the cells of row t begin at `t * stride`.
#[derive(Clone, Copy, Debug)]
pub struct Strided<'a> {
    /// The cells.
    pub values: &'a [f64],
    /// Cells from one row to the next.
    pub stride: usize,
}

impl Strided<'_> {
    /// Panics unless there are `n` rows of `dim` cells: what [`Strided::row`] takes for granted.
    #[inline(always)]
    fn check(self, n: usize, dim: usize) {
        assert!(n <= TILE && (n == 0 || (n - 1) * self.stride + dim <= self.values.len()));
    }

    /// One of the rows that were checked, from its first cell on.
    #[inline(always)]
    #[allow(unsafe_code)]
    fn row(&self, row: u32, dim: usize) -> &[f64] {
        let start = row as usize * self.stride;
        debug_assert!(start + dim <= self.values.len());
        // SAFETY: `check` has seen the `dim` cells of this row; rows come from `gather`, which counts those of `check`.
        unsafe { self.values.get_unchecked(start..start + dim) }
    }
}

/// A whole vector of a row, or what is left of it and zeros.
#[inline(always)]
fn cells_of<S: Simd, const WHOLE: bool>(row: &[f64], from: usize) -> S::V {
    if WHOLE { S::load(&row[from..]) } else { S::load_partial(&row[from..]) }
}

#[inline(always)]
fn add_to<S: Simd>(to: &mut [f64], v: S::V) {
    let mut lanes = [0.0; 8];
    if to.len() >= S::LANES {
        S::store(to, S::add(S::load(to), v));
    } else {
        S::store(&mut lanes, v);
        to.iter_mut().zip(lanes).for_each(|(t, l)| *t += l);
    }
}

/// Sums that run side by side, so that one addition need not wait for another.
const ABREAST: usize = 4;

/// Fills the panels of `P` vectors of features with √w (x − pivot), and adds Σ w (x − pivot) to `first`; `from` is the first
/// feature, only the last vector may be short (`WHOLE`: it is not), and `A` sums run side by side.
#[inline(always)]
fn fill<S: Simd, const P: usize, const A: usize, const WHOLE: bool>(
    cells: Strided<'_>,
    rows: &Rows<'_>,
    pivot: &[f64],
    from: usize,
    panels: &mut [f64],
    first: &mut [f64],
) {
    let width = S::LANES;
    let end = |p: usize| if p + 1 < P || WHOLE { from + (p + 1) * width } else { pivot.len() };
    let mut center = [S::splat(0.0); P];
    for p in 0..P {
        center[p] = S::load_partial(&pivot[from + p * width..end(p)]);
    }
    let mut sums = [[S::splat(0.0); P]; A];
    let mut left = panels[from * PANEL..].chunks_exact_mut(PANEL * width);
    let mut panels: [_; P] = std::array::from_fn(|_| left.next().expect("a panel").chunks_exact_mut(width * width));
    for (index, weight) in rows.index.chunks_exact(width).zip(rows.weight.chunks_exact(width)) {
        let panels: [&mut [f64]; P] = std::array::from_fn(|p| panels[p].next().expect("room for every row"));
        let mut root = [0.0; GROUP];
        S::store(&mut root, S::sqrt(S::load(weight)));
        for rest in (0..width).step_by(A) {
            for a in 0..A {
                let u = rest + a;
                let s = S::splat(root[u]);
                let row = cells.row(index[u], pivot.len());
                for p in 0..P {
                    let start = from + p * width;
                    let x = if p + 1 < P || WHOLE {
                        cells_of::<S, true>(row, start)
                    } else {
                        cells_of::<S, false>(row, start)
                    };
                    let scaled = S::mul(s, S::sub(x, center[p]));
                    sums[a][p] = S::fma(s, scaled, sums[a][p]);
                    S::store(&mut panels[p][u * width..], scaled);
                }
            }
        }
    }
    for p in 0..P {
        let mut total = sums[0][p];
        for sums in &sums[1..] {
            total = S::add(total, sums[p]);
        }
        add_to::<S>(&mut first[from + p * width..end(p)], total);
    }
}

#[inline(always)]
fn fill_all<S: Simd>(cells: Strided<'_>, rows: &Rows<'_>, pivot: &[f64], panels: &mut [f64], first: &mut [f64]) {
    let (dim, width) = (pivot.len(), S::LANES);
    let mut from = 0;
    while from + 4 * width <= dim {
        fill::<S, 4, 1, true>(cells, rows, pivot, from, panels, first);
        from += 4 * width;
    }
    match ((dim - from).div_ceil(width), (dim - from).is_multiple_of(width)) {
        (0, _) => {}
        (1, true) => fill::<S, 1, 4, true>(cells, rows, pivot, from, panels, first),
        (1, false) => fill::<S, 1, 4, false>(cells, rows, pivot, from, panels, first),
        (2, true) => fill::<S, 2, 2, true>(cells, rows, pivot, from, panels, first),
        (2, false) => fill::<S, 2, 2, false>(cells, rows, pivot, from, panels, first),
        (3, true) => fill::<S, 3, 1, true>(cells, rows, pivot, from, panels, first),
        (3, false) => fill::<S, 3, 1, false>(cells, rows, pivot, from, panels, first),
        _ => fill::<S, 4, 1, false>(cells, rows, pivot, from, panels, first),
    }
}

/// Adds the products of panel `i` with the panels `j .. j + J` to the packed lower triangle.
#[inline(always)]
fn products<S: Simd, const I: usize, const J: usize>(
    panels: &[f64],
    m: usize,
    (i, j): (usize, usize),
    dim: usize,
    second: &mut [f64],
) {
    let width = S::LANES;
    let mut acc = [[S::splat(0.0); J]; I];
    let mut others = [panels; J];
    for q in 0..J {
        others[q] = &panels[(j + q) * PANEL * width..][..m * width];
    }
    for (t, left) in panels[i * PANEL * width..][..m * width].chunks_exact(width).enumerate() {
        let mut right = [S::splat(0.0); J];
        for q in 0..J {
            right[q] = S::load(&others[q][t * width..]);
        }
        for a in 0..I {
            let left = S::splat(left[a]);
            for q in 0..J {
                acc[a][q] = S::fma(left, right[q], acc[a][q]);
            }
        }
    }
    // Out of the registers by constant indices: with others the compiler keeps the sums in memory all along.
    let mut block = [[[0.0; GROUP]; J]; I];
    for a in 0..I {
        for q in 0..J {
            S::store(&mut block[a][q], acc[a][q]);
        }
    }
    for (a, sums) in block.iter().enumerate().take(dim - i * width) {
        let row = i * width + a;
        for (q, sums) in sums.iter().enumerate() {
            let column = (j + q) * width;
            if column <= row {
                add_to::<S>(&mut second[at(row, column)..at(row, (column + width - 1).min(row)) + 1], S::load(sums));
            }
        }
    }
}

/// All products of panels of `I` features, three panels at a time: as many sums as the registers hold.
#[inline(always)]
fn triangle<S: Simd, const I: usize>(panels: &[f64], m: usize, dim: usize, second: &mut [f64]) {
    for i in 0..dim.div_ceil(I) {
        for j in (0..=i).step_by(3) {
            match i + 1 - j {
                1 => products::<S, I, 1>(panels, m, (i, j), dim, second),
                2 => products::<S, I, 2>(panels, m, (i, j), dim, second),
                _ => products::<S, I, 3>(panels, m, (i, j), dim, second),
            }
        }
    }
}

#[inline(always)]
fn full_body<S: Simd>(
    cells: Strided<'_>,
    weights: &[f64],
    pivot: &[f64],
    work: &mut Work,
    first: &mut [f64],
    second: &mut [f64],
) -> f64 {
    let dim = pivot.len();
    cells.check(weights.len(), dim);
    let (rows, panels, total) = work.gather::<S>(weights);
    for (index, weight) in rows.index.chunks(PANEL).zip(rows.weight.chunks(PANEL)) {
        fill_all::<S>(cells, &Rows { index, weight }, pivot, panels, first);
        match S::LANES {
            8 => triangle::<S, 8>(panels, index.len(), dim, second),
            _ => triangle::<S, 4>(panels, index.len(), dim, second),
        }
    }
    total
}

kernel! {
    /// Adds Σ w c to `first` and the packed lower triangle of Σ w c cᵀ to `second`, c = x − pivot, for at most [`TILE`] rows
    /// with weights ≥ 0. Rows of weight 0 cost nothing.
    ///
    /// Work: dim² flops per row (the lower triangle only), as products of √w c with itself.
    pub fn full(cells: Strided<'_>, weights: &[f64], pivot: &[f64], work: &mut Work, first: &mut [f64], second: &mut [f64]) -> f64 = full_body
}

#[inline(always)]
fn few_body<S: Simd>() -> usize {
    S::SMALL
}

kernel! {
    fn few() -> usize = few_body
}

/// Whether [`small`] takes `dim` features on this path; else [`full`] is for them.
pub fn is_small(isa: Isa, dim: usize) -> bool {
    dim <= few(isa)
}

/// Σ w, Σ w c and the lower triangle of Σ w c cᵀ, lane by lane.
#[derive(Clone, Copy)]
struct Sums<S: Simd, const D: usize> {
    total: S::V,
    first: [S::V; D],
    second: [[S::V; D]; D],
}

impl<S: Simd, const D: usize> Sums<S, D> {
    #[inline(always)]
    fn zero() -> Self {
        let zero = S::splat(0.0);
        Sums { total: zero, first: [zero; D], second: [[zero; D]; D] }
    }

    /// Adds the rows of one vector.
    #[inline(always)]
    fn add(&mut self, x: [S::V; D], w: S::V) {
        self.total = S::add(self.total, w);
        for i in 0..D {
            let wx = S::mul(w, x[i]);
            self.first[i] = S::add(self.first[i], wx);
            for j in 0..=i {
                self.second[i][j] = S::fma(wx, x[j], self.second[i][j]);
            }
        }
    }

    /// Adds what runs beside it.
    #[inline(always)]
    fn join(&mut self, other: &Self) {
        self.total = S::add(self.total, other.total);
        for i in 0..D {
            self.first[i] = S::add(self.first[i], other.first[i]);
            for j in 0..=i {
                self.second[i][j] = S::add(self.second[i][j], other.second[i][j]);
            }
        }
    }
}

/// Sums of a tile in registers; `U` of them run side by side.
#[inline(always)]
fn registers<S: Simd, const C: usize, const U: usize, const D: usize>(
    tile: &[f64],
    weights: &[f64],
    pivot: &[f64],
    first: &mut [f64],
    second: &mut [f64],
) -> f64 {
    let block = C * S::LANES;
    let mut center = [S::splat(0.0); D];
    for j in 0..D {
        center[j] = S::splat(pivot[j]);
    }
    let mut sums = [Sums::<S, D>::zero(); U];
    let mut padded = [0.0; crate::simd::MAX_BLOCK];
    for (x, w) in tile.chunks_exact(D * block).zip(weights.chunks(block)) {
        let mut w = w;
        if w.len() < block {
            padded[..w.len()].copy_from_slice(w);
            w = &padded[..block];
        }
        for v in 0..C {
            let mut c = [S::splat(0.0); D];
            for j in 0..D {
                c[j] = S::sub(S::load(&x[j * block + v * S::LANES..]), center[j]);
            }
            sums[v % U].add(c, S::load(&w[v * S::LANES..]));
        }
    }
    let (all, others) = sums.split_first_mut().expect("some");
    for other in others {
        all.join(other);
    }
    for i in 0..D {
        first[i] += S::sum(all.first[i]);
        for j in 0..=i {
            second[at(i, j)] += S::sum(all.second[i][j]);
        }
    }
    S::sum(all.total)
}

#[inline(always)]
fn small_of<S: Simd, const C: usize>(
    tile: &[f64],
    weights: &[f64],
    pivot: &[f64],
    first: &mut [f64],
    second: &mut [f64],
) -> f64 {
    match pivot.len() {
        1 => registers::<S, C, C, 1>(tile, weights, pivot, first, second),
        2 => registers::<S, C, C, 2>(tile, weights, pivot, first, second),
        3 => registers::<S, C, 1, 3>(tile, weights, pivot, first, second),
        4 => registers::<S, C, 1, 4>(tile, weights, pivot, first, second),
        5 if S::SMALL > 4 => registers::<S, C, 1, 5>(tile, weights, pivot, first, second),
        6 if S::SMALL > 4 => registers::<S, C, 1, 6>(tile, weights, pivot, first, second),
        d => panic!("{d} features are not a few"),
    }
}

#[inline(always)]
fn small_body<S: Simd>(tile: &[f64], weights: &[f64], pivot: &[f64], first: &mut [f64], second: &mut [f64]) -> f64 {
    match S::ROWS {
        2 => small_of::<S, 2>(tile, weights, pivot, first, second),
        _ => small_of::<S, 3>(tile, weights, pivot, first, second),
    }
}

kernel! {
    /// As [`full`], for a few features ([`is_small`]) and rows in a tile (see [`crate::tile`]).
    pub fn small(tile: &[f64], weights: &[f64], pivot: &[f64], first: &mut [f64], second: &mut [f64]) -> f64 = small_body
}

/// Σ w c and Σ w c² of the features `from..to`.
#[inline(always)]
fn lines<S: Simd, const WHOLE: bool, const MISSING: bool>(
    cells: Strided<'_>,
    rows: &Rows<'_>,
    pivot: &[f64],
    variance: &[f64],
    from: usize,
) -> (S::V, S::V) {
    let to = if WHOLE { from + S::LANES } else { pivot.len() };
    let (center, variance) = (S::load_partial(&pivot[from..to]), S::load_partial(&variance[from..to]));
    let zero = S::splat(0.0);
    let (mut s1, mut s2) = ([zero; ABREAST], [zero; ABREAST]);
    for (i, w) in rows.index.chunks_exact(ABREAST).zip(rows.weight.chunks_exact(ABREAST)) {
        for u in 0..ABREAST {
            let (w, x) = (S::splat(w[u]), cells_of::<S, WHOLE>(cells.row(i[u], pivot.len()), from));
            let c = S::sub(x, center);
            if MISSING {
                let (c, square) = (S::if_nan(x, zero, c), S::if_nan(x, variance, S::mul(c, c)));
                s1[u] = S::fma(w, c, s1[u]);
                s2[u] = S::fma(w, square, s2[u]);
            } else {
                let wc = S::mul(w, c);
                s1[u] = S::add(s1[u], wc);
                s2[u] = S::fma(wc, c, s2[u]);
            }
        }
    }
    (S::add(S::add(s1[0], s1[1]), S::add(s1[2], s1[3])), S::add(S::add(s2[0], s2[1]), S::add(s2[2], s2[3])))
}

#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "a kernel takes slices, and no model")]
fn diagonal_body<S: Simd>(
    cells: Strided<'_>,
    weights: &[f64],
    pivot: &[f64],
    variance: &[f64],
    missing: bool,
    work: &mut Work,
    first: &mut [f64],
    second: &mut [f64],
) -> f64 {
    let dim = pivot.len();
    cells.check(weights.len(), dim);
    let (rows, _, total) = work.gather::<S>(weights);
    for from in (0..dim).step_by(S::LANES) {
        let (s1, s2) = match (from + S::LANES <= dim, missing) {
            (true, false) => lines::<S, true, false>(cells, &rows, pivot, variance, from),
            (true, true) => lines::<S, true, true>(cells, &rows, pivot, variance, from),
            (false, false) => lines::<S, false, false>(cells, &rows, pivot, variance, from),
            (false, true) => lines::<S, false, true>(cells, &rows, pivot, variance, from),
        };
        let to = (from + S::LANES).min(dim);
        add_to::<S>(&mut first[from..to], s1);
        add_to::<S>(&mut second[from..to], s2);
    }
    total
}

kernel! {
    /// Adds Σ w c to `first` and Σ w c² to `second`, c = x − pivot; a missing cell (NaN; `missing` says whether there may be
    /// any) counts as its conditional expectation where `pivot` is the mean: c = 0 and c² = `variance`.
    pub fn diagonal(cells: Strided<'_>, weights: &[f64], pivot: &[f64], variance: &[f64], missing: bool, work: &mut Work, first: &mut [f64], second: &mut [f64]) -> f64 = diagonal_body
}

#[inline(always)]
fn sum_body<S: Simd>(values: &[f64]) -> f64 {
    let mut sums = [S::splat(0.0); ABREAST];
    let blocks = values.chunks_exact(ABREAST * S::LANES);
    let rest: f64 = blocks.remainder().iter().sum();
    for block in blocks {
        for (u, s) in sums.iter_mut().enumerate() {
            *s = S::add(*s, S::load(&block[u * S::LANES..]));
        }
    }
    S::sum(S::add(S::add(sums[0], sums[1]), S::add(sums[2], sums[3]))) + rest
}

#[inline(always)]
fn sum_and_count_body<S: Simd>(values: &[f64]) -> (f64, usize) {
    let (zero, one) = (S::splat(0.0), S::splat(1.0));
    let (mut total, mut count) = ([zero; ABREAST], [zero; ABREAST]);
    let blocks = values.chunks_exact(ABREAST * S::LANES);
    let rest = blocks.remainder();
    for block in blocks {
        for u in 0..ABREAST {
            let v = S::load(&block[u * S::LANES..]);
            total[u] = S::add(total[u], v);
            count[u] = S::add(count[u], S::if_less(zero, v, one, zero));
        }
    }
    let count = S::sum(S::add(S::add(count[0], count[1]), S::add(count[2], count[3])));
    let total = S::sum(S::add(S::add(total[0], total[1]), S::add(total[2], total[3])));
    (total + rest.iter().sum::<f64>(), count as usize + rest.iter().filter(|v| **v > 0.0).count())
}

kernel! {
    /// Σ values, and how many of them are above 0.
    pub fn sum_and_count(values: &[f64]) -> (f64, usize) = sum_and_count_body
}

kernel! {
    /// Σ values.
    pub fn sum(values: &[f64]) -> f64 = sum_body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tile;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn paths_equal_the_scalar_sums(n in 1usize..60, dim in 1usize..27, extra in 0usize..3, raw in proptest::collection::vec(-3.0f64..3.0, 60 * 30), w in proptest::collection::vec(0.0f64..2.0, 60), none: bool) {
            let stride = dim + extra;
            let w: Vec<f64> = w[..n].iter().map(|&w| if none && w < 1.0 { 0.0 } else { w }).collect();
            let pivot: Vec<f64> = (0..dim).map(|j| 0.1 * j as f64).collect();
            let cell = |t: usize, j: usize| raw[t * stride + j] - pivot[j];
            for isa in Isa::available() {
                let start = || (vec![0.5; dim], vec![0.25; dim * (dim + 1) / 2]);
                let mut results = Vec::new();
                let (mut first, mut second) = start();
                let cells = Strided { values: &raw, stride };
                let total = full(isa, cells, &w, &pivot, &mut Work::new(dim), &mut first, &mut second);
                results.push((total, first, second));
                if is_small(isa, dim) {
                    let (mut first, mut second) = start();
                    let mut x = vec![f64::NAN; tile::len(dim)];
                    tile::load(isa, Strided { values: &raw, stride }, n, dim, &mut x);
                    let total = small(isa, &x, &w, &pivot, &mut first, &mut second);
                    results.push((total, first, second));
                }
                for (total, first, second) in results {
                    prop_assert!((total - w.iter().sum::<f64>()).abs() < 1e-12);
                    for i in 0..dim {
                        let want: f64 = 0.5 + (0..n).map(|t| w[t] * cell(t, i)).sum::<f64>();
                        // 60 terms of size at most 12 (first) and 72 (second), sums below 4,400: 1e-11 is some 20 roundings.
                        prop_assert!((first[i] - want).abs() < 1e-11);
                        for j in 0..=i {
                            let want: f64 = 0.25 + (0..n).map(|t| w[t] * cell(t, i) * cell(t, j)).sum::<f64>();
                            prop_assert!((second[at(i, j)] - want).abs() < 1e-11, "{} {i} {j}", isa.name());
                        }
                    }
                }
            }
        }

        #[test]
        fn diagonal_counts_the_variance_of_a_missing_cell(n in 1usize..60, dim in 1usize..12, raw in proptest::collection::vec(-3.0f64..3.0, 720), holes in proptest::collection::vec(any::<bool>(), 720), w in proptest::collection::vec(prop_oneof![0.0f64..2.0, Just(0.0)], 60), missing: bool) {
            let x: Vec<f64> = raw.iter().zip(&holes).map(|(x, h)| if missing && *h { f64::NAN } else { *x }).collect();
            let (pivot, variance): (Vec<f64>, Vec<f64>) = (0..dim).map(|j| (0.1 * j as f64, 1.0 + j as f64)).unzip();
            for isa in Isa::available() {
                let (mut first, mut second) = (vec![0.0; dim], vec![0.0; dim]);
                let cells = Strided { values: &x, stride: dim };
                let total = diagonal(isa, cells, &w[..n], &pivot, &variance, missing, &mut Work::new(dim), &mut first, &mut second);
                let (again, count) = sum_and_count(isa, &w[..n]);
                prop_assert!((total - again).abs() < 1e-12 && count == w[..n].iter().filter(|w| **w > 0.0).count());
                prop_assert!((total - sum(isa, &w[..n])).abs() < 1e-12 && (total - w[..n].iter().sum::<f64>()).abs() < 1e-12);
                for j in 0..dim {
                    let c = |t: usize| if x[t * dim + j].is_nan() { 0.0 } else { x[t * dim + j] - pivot[j] };
                    let square = |t: usize| if x[t * dim + j].is_nan() { variance[j] } else { c(t) * c(t) };
                    prop_assert!((first[j] - (0..n).map(|t| w[t] * c(t)).sum::<f64>()).abs() < 1e-11);
                    prop_assert!((second[j] - (0..n).map(|t| w[t] * square(t)).sum::<f64>()).abs() < 1e-11);
                }
            }
        }
    }
}
