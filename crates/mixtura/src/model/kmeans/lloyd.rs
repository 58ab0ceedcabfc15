//! One pass of Lloyd's iterations (1982), with a bound per row after Hamerly (2010): rows whose nearest centre cannot have
//! changed are not measured, and the result has the bits of a pass that measures all.
//!
//! A row at distance a from its own centre and b from the next keeps its centre until that and another one have moved b − a
//! between them. One number per row says so: how far its cluster's [`Partition::moved`] may grow. It is written when the row
//! is measured and only compared after that (Hamerly's two bounds change with every pass).
//!
//! Rounding. The kernel's squared distance differs from the exact one by a relative (D + 3)·2⁻⁵³ and, where squares
//! underflow, D·2⁻¹⁰⁷⁴; shifts likewise. With η = (D + 8)·2⁻⁵² and distances a, b as computed, exact distances lie in
//! a(1 ± η) and b(1 ± η), and the kernel orders two rows' distances rightly where they differ by more than the same share:
//! both are paid for by b(1 − 3η) − a(1 + 3η), the shifts by 1 + η, and underflow by D·10⁻¹⁶⁰ in each (√(D·2⁻¹⁰⁷⁴) is
//! 1.6·10⁻¹⁶²·√D). Sums of shifts are rounded up, thresholds down, so that no error gathers over the passes. A square that
//! overflows counts as the largest finite one: the own distance of a row that is left out is below that, and so finite.

use mixtura_kernels::moments::Strided;
use mixtura_kernels::{Aligned, Isa, TILE, groups, nearest as kernel, tile};
use rayon::prelude::*;

use super::{missing_cell, squared_distance};
use crate::data::{Buffer, CHUNK_ROWS, Chunk, Rows, Source, for_each_row};
use crate::error::Result;

/// What a run keeps of every row from one pass to the next.
pub(super) struct Partition {
    /// Cluster of every row.
    pub(super) assigned: Vec<u32>,
    /// Value of `moved` of its cluster below which a row keeps its cluster; empty: there are no bounds (yet).
    until: Vec<f64>,
    /// Per cluster, at least the sum over the passes of its centre's shift and the largest shift of another centre.
    moved: Vec<f64>,
    /// Rows that the last pass gave another cluster.
    changed: usize,
}

impl Partition {
    /// Nothing is assigned yet.
    pub(super) fn new(n_rows: usize, k: usize) -> Self {
        let assigned = vec![u32::MAX; n_rows];
        Partition { assigned, until: Vec::new(), moved: vec![0.0; k], changed: n_rows }
    }

    /// Begins to keep bounds once the partition settles (before that the centres move too far for any to hold), or drops them
    /// for a pass that is to measure every row.
    fn prepare(&mut self, all: bool) {
        if all {
            self.until.clear();
        } else if self.until.is_empty() && self.changed < self.assigned.len() / 4 {
            self.until.resize(self.assigned.len(), f64::NEG_INFINITY);
            self.moved.fill(0.0);
        }
    }

    /// Takes note that the centres move.
    fn shift(&mut self, old: &[f64], new: &[f64]) {
        let d = old.len() / self.moved.len();
        let shift = |(a, b)| Some(squared_distance(a, b).sqrt()).filter(|s| s.is_finite()).unwrap_or(f64::INFINITY);
        let shifts: Vec<f64> = old.chunks(d).zip(new.chunks(d)).map(shift).collect();
        let largest = (0..shifts.len()).fold(0, |b, k| if shifts[k] > shifts[b] { k } else { b });
        let second = (0..shifts.len()).filter(|&k| k != largest).fold(0.0, |s, k| shifts[k].max(s));
        for (k, moved) in self.moved.iter_mut().enumerate() {
            let other = if k == largest { second } else { shifts[largest] };
            *moved = (*moved + (shifts[k] + other) * (1.0 + relative(d)) + absolute(d)).next_up();
        }
    }
}

/// η of the head of this file.
fn relative(d: usize) -> f64 {
    (d + 8) as f64 * f64::EPSILON
}

/// What underflow may hide.
fn absolute(d: usize) -> f64 {
    d as f64 * 1e-160
}

/// Sums of one pass.
pub(super) struct Pass {
    /// Σ w per cluster.
    pub(super) counts: Vec<f64>,
    /// Σ w · (row − centre of the pass), K × D.
    sums: Vec<f64>,
    /// Σ w · squared distance to the own centre, where every row was measured; else `None`.
    pub(super) inertia: Option<f64>,
    /// Rows that have another cluster than before.
    pub(super) changed: usize,
}

impl Pass {
    fn merge(mut self, other: &Pass) -> Pass {
        self.counts.iter_mut().zip(&other.counts).for_each(|(a, b)| *a += b);
        self.sums.iter_mut().zip(&other.sums).for_each(|(a, b)| *a += b);
        self.inertia = self.inertia.zip(other.inertia).map(|(a, b)| a + b);
        self.changed += other.changed;
        self
    }

    /// New centres; an empty cluster moves to the row that is farthest from its own centre, which leaves that cluster.
    pub(super) fn means(&self, old: &[f64], source: &dyn Source, partition: &mut Partition) -> Result<Vec<f64>> {
        let d = old.len() / self.counts.len();
        let (mut counts, mut sums) = (self.counts.clone(), self.sums.clone());
        let mut taken: Vec<(usize, usize, Vec<f64>)> = Vec::new();
        for k in (0..counts.len()).filter(|&k| self.counts[k] == 0.0) {
            let mut best = (0.0, None);
            for_each_row(source, |i, row, w, _| {
                let own = partition.assigned[i] as usize;
                let distance = squared_distance(row, &old[own * d..][..d]);
                if distance > best.0 && !taken.iter().any(|(_, other, _)| *other == i) {
                    best = (distance, Some((i, own, w, row.to_vec())));
                }
            })?;
            if let Some((i, own, w, row)) = best.1 {
                counts[own] -= w;
                (0..d).for_each(|j| sums[own * d + j] -= w * (row[j] - old[own * d + j]));
                taken.push((k, i, row));
            }
        }
        let mut centers = old.to_vec();
        for (k, &n) in counts.iter().enumerate() {
            if n > 0.0 {
                (0..d).for_each(|j| centers[k * d + j] += sums[k * d + j] / n);
            }
        }
        for (k, _, row) in taken {
            centers[k * d..][..d].copy_from_slice(&row);
        }
        partition.shift(old, &centers);
        Ok(centers)
    }
}

/// Rows side by side, and what the kernel says of them.
pub(super) struct Tile<'a> {
    isa: Isa,
    rows: Rows<'a>,
    first_row: usize,
    /// Numbers of the rows, where they are not all from the first on.
    order: Option<&'a [u16]>,
    values: &'a Aligned,
    index: &'a mut Aligned,
    squared: &'a mut Aligned,
    second: &'a mut Aligned,
}

/// Of the rows of a tile: the nearest centre, its squared distance, and the least squared distance to another.
pub(super) struct Near<'a> {
    index: &'a [f64],
    pub(super) squared: &'a [f64],
    second: &'a [f64],
}

impl Near<'_> {
    /// By how much the distances to a row's own and to another centre may change together before that may be the nearest.
    fn margin(&self, t: usize, d: usize) -> f64 {
        let share = 3.0 * relative(d);
        self.second[t].min(f64::MAX).sqrt() * (1.0 - share) - self.squared[t].sqrt() * (1.0 + share) - absolute(d)
    }
}

impl Tile<'_> {
    pub(super) fn n_rows(&self) -> usize {
        self.order.map_or(self.rows.n_rows(), <[u16]>::len)
    }

    /// # Errors
    /// If a row has no finite distance.
    pub(super) fn nearest(&mut self, centers: &[f64]) -> Result<Near<'_>> {
        kernel::nearest(
            self.isa,
            self.values,
            self.n_rows(),
            self.rows.n_features(),
            centers,
            self.index,
            self.squared,
        );
        self.finite()
    }

    /// As [`Tile::nearest`], with the second distances.
    fn nearest_two(&mut self, centers: &[f64]) -> Result<Near<'_>> {
        let (n, d) = (self.n_rows(), self.rows.n_features());
        kernel::nearest_two(self.isa, self.values, n, d, centers, self.index, self.squared, self.second);
        self.finite()
    }

    fn finite(&self) -> Result<Near<'_>> {
        let n = self.n_rows();
        // All are looked at, since a loop without a way out goes along the vector lanes.
        if self.squared[..n].iter().fold(false, |any, s| any | s.is_infinite()) {
            let t = self.squared.iter().position(|s| s.is_infinite()).expect("one is");
            let i = self.order.map_or(t, |order| usize::from(order[t]));
            return Err(missing_cell(self.rows.row(i), self.first_row + i));
        }
        Ok(Near { index: &self.index[..n], squared: &self.squared[..n], second: &self.second[..n] })
    }
}

/// Per-thread memory of a pass.
pub(super) struct Scratch {
    buffer: Buffer,
    tiles: Tiles,
    /// The rows of a chunk that are measured.
    order: Vec<u16>,
}

/// Memory of one tile.
struct Tiles {
    isa: Isa,
    values: Aligned,
    index: Aligned,
    squared: Aligned,
    second: Aligned,
    features: Vec<usize>,
}

impl Scratch {
    pub(super) fn new(n_features: usize) -> Self {
        let line = || Aligned::zeros(TILE);
        let tiles = Tiles {
            isa: Isa::detect(),
            values: Aligned::zeros(tile::len(n_features)),
            index: line(),
            squared: line(),
            second: line(),
            features: (0..n_features).collect(),
        };
        Scratch { buffer: Buffer::default(), tiles, order: vec![0; CHUNK_ROWS] }
    }

    /// Calls `visit` with every tile of a chunk, the chunk, and the place of the tile's first row in it.
    pub(super) fn for_each_tile(
        &mut self,
        source: &dyn Source,
        id: usize,
        visit: impl FnMut(&mut Tile<'_>, Chunk<'_>, usize) -> Result<()>,
    ) -> Result<()> {
        self.tiles.all(source.read(id, &mut self.buffer)?, visit)
    }
}

impl Tiles {
    fn all(
        &mut self,
        chunk: Chunk<'_>,
        mut visit: impl FnMut(&mut Tile<'_>, Chunk<'_>, usize) -> Result<()>,
    ) -> Result<()> {
        let Tiles { isa, values, index, squared, second, .. } = self;
        for from in (0..chunk.rows.n_rows()).step_by(TILE) {
            let rows = chunk.rows.slice(from, (from + TILE).min(chunk.rows.n_rows()));
            tile::load(*isa, strided(rows), rows.n_rows(), rows.n_features(), values);
            let first_row = chunk.first_row + from;
            visit(&mut Tile { isa: *isa, rows, first_row, order: None, values, index, squared, second }, chunk, from)?;
        }
        Ok(())
    }

    /// As [`Tiles::all`], with the given rows of the chunk only.
    fn some(
        &mut self,
        chunk: Chunk<'_>,
        order: &[u16],
        mut visit: impl FnMut(&mut Tile<'_>, Chunk<'_>, usize) -> Result<()>,
    ) -> Result<()> {
        let Tiles { isa, values, index, squared, second, features } = self;
        let (rows, first_row) = (chunk.rows, chunk.first_row);
        for order in order.chunks(TILE) {
            tile::gather(*isa, strided(rows), order, features, values);
            let order = Some(order);
            visit(&mut Tile { isa: *isa, rows, first_row, order, values, index, squared, second }, chunk, 0)?;
        }
        Ok(())
    }
}

fn strided(rows: Rows<'_>) -> Strided<'_> {
    Strided { values: rows.values(), stride: rows.stride() }
}

/// Assigns every row to its nearest centre (the first of equals), chunks in parallel, sums merged in order. `all`: every row
/// is measured, so that the inertia is known.
pub(super) fn assign(source: &dyn Source, centers: &[f64], partition: &mut Partition, all: bool) -> Result<Pass> {
    let d = source.n_features();
    let (k, stride) = (centers.len() / d, groups::stride(d));
    let mut pivots = Aligned::zeros(k * stride);
    pivots.chunks_mut(stride).zip(centers.chunks(d)).for_each(|(to, from)| to[..d].copy_from_slice(from));
    partition.prepare(all);
    let Partition { assigned, until, moved, .. } = partition;
    let mut untils = until.chunks_mut(CHUNK_ROWS);
    let chunks: Vec<(&mut [u32], &mut [f64])> =
        assigned.chunks_mut(CHUNK_ROWS).map(|assigned| (assigned, untils.next().unwrap_or_default())).collect();
    let passes: Vec<Pass> = chunks
        .into_par_iter()
        .enumerate()
        .map_init(
            || (Scratch::new(d), Aligned::zeros(k * stride)),
            |(Scratch { buffer, tiles, order }, sums), (id, (assigned, until))| {
                let chunk = source.read(id, buffer)?;
                let (mut inertia, mut changed) = (0.0, 0);
                // Half of the rows, gathered, cost as much as all.
                let bounded = !until.is_empty();
                let some = bounded.then(|| unsettled(assigned, until, moved, order));
                let some = some.filter(|rows| 2 * rows.len() < assigned.len());
                let measure = |tile: &mut Tile<'_>, chunk: Chunk<'_>, from: usize| {
                    let order = tile.order;
                    let at = |t: usize| order.map_or(from + t, |order| usize::from(order[t]));
                    let near = if bounded { tile.nearest_two(centers)? } else { tile.nearest(centers)? };
                    for (t, &c) in near.index.iter().enumerate() {
                        let own = &mut assigned[at(t)];
                        changed += usize::from(*own != c as u32);
                        *own = c as u32;
                    }
                    near.squared.iter().enumerate().for_each(|(t, s)| inertia += chunk.weight(at(t)) * s);
                    if bounded {
                        for (t, &c) in near.index.iter().enumerate() {
                            until[at(t)] = (moved[c as usize] + near.margin(t, d)).next_down();
                        }
                    }
                    Ok(())
                };
                let inertia_known = some.is_none();
                match some {
                    Some(rows) => tiles.some(chunk, rows, measure)?,
                    None => tiles.all(chunk, measure)?,
                }
                let mut counts = vec![0.0; k];
                sums.fill(0.0);
                groups::add(tiles.isa, strided(chunk.rows), d, chunk.weights, assigned, &pivots, &mut counts, sums);
                let sums = sums.chunks(stride).flat_map(|sums| &sums[..d]).copied().collect();
                Ok(Pass { counts, sums, inertia: inertia_known.then_some(inertia), changed })
            },
        )
        .collect::<Result<_>>()?;
    let mut passes = passes.into_iter();
    let first = passes.next().expect("a source has rows");
    let pass = passes.fold(first, |sum, pass| sum.merge(&pass));
    partition.changed = pass.changed;
    Ok(pass)
}

/// Rows of a chunk whose nearest centre may have changed; `order` has room for a chunk.
fn unsettled<'a>(assigned: &[u32], until: &[f64], moved: &[f64], order: &'a mut [u16]) -> &'a [u16] {
    let mut n = 0;
    for (i, (&own, &until)) in assigned.iter().zip(until).enumerate() {
        // Written always and kept or not: a branch would be guessed wrongly too often. Not a number: measured.
        order[n] = i as u16;
        n += usize::from(!matches!(moved[own as usize].partial_cmp(&until), Some(std::cmp::Ordering::Less)));
    }
    &order[..n]
}

#[cfg(test)]
mod tests;
