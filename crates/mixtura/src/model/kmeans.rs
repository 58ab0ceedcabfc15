//! K-means: Lloyd's iterations (1982) from k-means++ centres (Arthur & Vassilvitskii 2007), with case weights.
//!
//! The hard-assignment limit of a spherical Gaussian mixture, kept apart because its estimate is a partition and not a
//! density. Distances are Euclidean in the columns as given: standardise or whiten them first where units differ.

use mixtura_kernels::moments::Strided;
use mixtura_kernels::{Aligned, Isa, TILE, nearest as kernel, tile};
use rand::RngExt;
use rayon::prelude::*;

use crate::data::{Buffer, CHUNK_ROWS, Chunk, Source, for_each_row};
use crate::error::{Error, Result};
use crate::seed::{Rng, Seed};

/// Options of a k-means fit.
///
/// ```
/// use mixtura::{KMeans, data::Dense};
/// let rows = Dense::new(vec![0.0, 0.2, 10.0, 10.4], 1)?;
/// let fit = KMeans::new(2).fit(&rows)?;
/// assert!((fit.inertia - 0.1).abs() < 1e-12); // 2 · 0.1² + 2 · 0.2²
/// # Ok::<(), mixtura::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct KMeans {
    /// Number of clusters K.
    pub n_clusters: usize,
    /// Independent starts, of which the best is returned.
    pub restarts: usize,
    /// Most Lloyd iterations per start; they end by themselves when no row changes its cluster.
    pub max_iter: usize,
    /// A start also ends when the centres move by no more than this: the sum of their squared shifts, in the columns' units
    /// squared. 0 asks for an assignment that changes no more.
    pub tolerance: f64,
    /// Seed of the starts.
    pub seed: Seed,
}

/// A finished k-means fit.
#[derive(Clone, Debug)]
pub struct KMeansFit {
    /// Cluster centres, K × D.
    pub centers: Vec<f64>,
    /// Σ w · squared distance to the own centre.
    pub inertia: f64,
    /// Σ w per cluster.
    pub counts: Vec<f64>,
    /// Iterations of the returned start, the last one (which changed nothing) included.
    pub iterations: usize,
    /// Whether the assignment stopped changing, or the centres moving, before the limit.
    pub converged: bool,
    /// Whether a last pass, not counted, found that no row changes its cluster.
    pub unchanged: bool,
    /// Inertia of each start.
    pub restarts: Vec<f64>,
}

impl KMeans {
    /// Ten k-means++ starts, 300 iterations at most, seed 0.
    pub fn new(n_clusters: usize) -> Self {
        KMeans { n_clusters, restarts: 10, max_iter: 300, tolerance: 0.0, seed: Seed::new(0) }
    }

    /// Fits from `restarts` seeded starts and returns the one of least inertia.
    ///
    /// # Errors
    /// If a cell is missing, or there are fewer distinct rows than clusters.
    pub fn fit(&self, source: &dyn Source) -> Result<KMeansFit> {
        if self.n_clusters == 0 || self.restarts == 0 {
            return Err(Error::Usage("k-means needs at least one cluster and one start".into()));
        }
        let fits: Vec<KMeansFit> = (0..self.restarts as u64)
            .into_par_iter()
            .map(|r| {
                let centers = plus_plus(source, self.n_clusters, Vec::new(), &mut self.seed.child(r).rng())?;
                self.fit_from(source, centers)
            })
            .collect::<Result<_>>()?;
        let restarts: Vec<f64> = fits.iter().map(|f| f.inertia).collect();
        let best = (0..fits.len()).fold(0, |b, i| if restarts[i] < restarts[b] { i } else { b });
        Ok(KMeansFit { restarts, ..fits[best].clone() })
    }

    /// Lloyd's iterations from given centres (K × D).
    ///
    /// # Errors
    /// If a cell is missing or the centres have the wrong size.
    pub fn fit_from(&self, source: &dyn Source, mut centers: Vec<f64>) -> Result<KMeansFit> {
        let (k, d) = (self.n_clusters, source.n_features());
        if centers.len() != k * d {
            return Err(Error::Usage(format!("{} centre values are not {k} rows of {d}", centers.len())));
        }
        let mut assigned = vec![u32::MAX; source.n_rows()];
        let (mut iterations, mut settled) = (0, false);
        loop {
            iterations += 1;
            let pass = assign(source, &centers, &mut assigned)?;
            let converged = pass.changed == 0 || settled;
            if converged || iterations > self.max_iter {
                return Ok(KMeansFit {
                    centers,
                    inertia: pass.inertia,
                    counts: pass.counts,
                    iterations: iterations - 1,
                    converged,
                    unchanged: pass.changed == 0 && !settled,
                    restarts: vec![pass.inertia],
                });
            }
            let moved = pass.means(&centers, source, &assigned)?;
            // The pass after this one assigns the rows to the centres that are returned.
            settled = self.tolerance > 0.0 && squared_distance(&moved, &centers) <= self.tolerance;
            centers = moved;
        }
    }
}

/// Sums of one assignment pass; the centres of the pass are the pivots of `sums`.
struct Pass {
    counts: Vec<f64>,
    sums: Vec<f64>,
    inertia: f64,
    changed: usize,
}

impl Pass {
    fn merge(mut self, other: &Pass) -> Pass {
        self.counts.iter_mut().zip(&other.counts).for_each(|(a, b)| *a += b);
        self.sums.iter_mut().zip(&other.sums).for_each(|(a, b)| *a += b);
        self.inertia += other.inertia;
        self.changed += other.changed;
        self
    }

    /// New centres; an empty cluster moves to the row that is farthest from its own centre, which leaves that cluster.
    fn means(&self, old: &[f64], source: &dyn Source, assigned: &[u32]) -> Result<Vec<f64>> {
        let d = old.len() / self.counts.len();
        let (mut counts, mut sums) = (self.counts.clone(), self.sums.clone());
        let mut taken: Vec<(usize, usize, Vec<f64>)> = Vec::new();
        for k in (0..counts.len()).filter(|&k| self.counts[k] == 0.0) {
            let mut best = (0.0, None);
            for_each_row(source, |i, row, w, _| {
                let own = assigned[i] as usize;
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
        Ok(centers)
    }
}

/// Per-thread memory of a pass.
struct Scratch {
    isa: Isa,
    buffer: Buffer,
    tile: Aligned,
    index: Aligned,
    squared: Aligned,
}

impl Scratch {
    fn new(n_features: usize) -> Self {
        let line = || Aligned::zeros(TILE);
        let (tile, index, squared) = (Aligned::zeros(tile::len(n_features)), line(), line());
        Scratch { isa: Isa::detect(), buffer: Buffer::default(), tile, index, squared }
    }
}

/// Calls `visit` with every row of a chunk, in order: its number in the chunk, its nearest centre, the squared distance.
fn for_each_nearest<'a>(
    source: &'a dyn Source,
    id: usize,
    centers: &[f64],
    s: &'a mut Scratch,
    mut visit: impl FnMut(Chunk<'_>, usize, usize, f64),
) -> Result<()> {
    let Scratch { isa, buffer, tile, index, squared } = s;
    let (isa, d, chunk) = (*isa, source.n_features(), source.read(id, buffer)?);
    for from in (0..chunk.rows.n_rows()).step_by(TILE) {
        let rows = chunk.rows.slice(from, (from + TILE).min(chunk.rows.n_rows()));
        let n = rows.n_rows();
        tile::load(isa, Strided { values: rows.values(), stride: rows.stride() }, n, d, tile);
        kernel::nearest(isa, tile, n, d, centers, index, squared);
        for t in 0..n {
            if squared[t].is_infinite() {
                return Err(missing_cell(rows.row(t), chunk.first_row + from + t));
            }
            visit(chunk, from + t, index[t] as usize, squared[t]);
        }
    }
    Ok(())
}

/// Assigns every row to its nearest centre (the first of equals), chunks in parallel, sums merged in order.
fn assign(source: &dyn Source, centers: &[f64], assigned: &mut [u32]) -> Result<Pass> {
    let d = source.n_features();
    let k = centers.len() / d;
    let passes: Vec<Pass> = assigned
        .par_chunks_mut(CHUNK_ROWS)
        .enumerate()
        .map_init(
            || Scratch::new(d),
            |scratch, (id, assigned)| {
                let mut pass = Pass { counts: vec![0.0; k], sums: vec![0.0; k * d], inertia: 0.0, changed: 0 };
                for_each_nearest(source, id, centers, scratch, |chunk, i, c, squared| {
                    let (slot, w) = (&mut assigned[i], chunk.weight(i));
                    pass.changed += usize::from(*slot != c as u32);
                    *slot = c as u32;
                    pass.counts[c] += w;
                    pass.inertia += w * squared;
                    let sums = pass.sums[c * d..][..d].iter_mut().zip(&centers[c * d..]);
                    for ((sum, center), x) in sums.zip(chunk.rows.row(i)) {
                        *sum += w * (x - center);
                    }
                })?;
                Ok(pass)
            },
        )
        .collect::<Result<_>>()?;
    let mut passes = passes.into_iter();
    let first = passes.next().expect("a source has rows");
    Ok(passes.fold(first, |sum, pass| sum.merge(&pass)))
}

/// Lowers `closest` to the squared distance of every row to the nearest of some centres, and returns Σ w · closest.
fn approach(source: &dyn Source, centers: &[f64], closest: &mut [f64]) -> Result<f64> {
    let left: Vec<f64> = closest
        .par_chunks_mut(CHUNK_ROWS)
        .enumerate()
        .map_init(
            || Scratch::new(source.n_features()),
            |scratch, (id, closest)| {
                let mut left = 0.0;
                for_each_nearest(source, id, centers, scratch, |chunk, i, _, squared| {
                    closest[i] = closest[i].min(squared);
                    left += chunk.weight(i) * closest[i];
                })?;
                Ok(left)
            },
        )
        .collect::<Result<_>>()?;
    Ok(left.iter().sum())
}

fn missing_cell(row: &[f64], i: usize) -> Error {
    match row.iter().position(|x| x.is_nan()) {
        Some(j) => Error::Data(format!(
            "row {}, column {} is missing: k-means needs complete rows (a mixture fit does not)",
            i + 1,
            j + 1
        )),
        None => Error::Data(format!("row {} is too far out for squared distances: rescale the columns", i + 1)),
    }
}

/// "there is only 1 distinct row", "there are only 3 distinct rows".
pub(crate) fn only_distinct(n: usize) -> String {
    match n {
        1 => "there is only 1 distinct row".to_owned(),
        n => format!("there are only {n} distinct rows"),
    }
}

/// Cluster of every row for given centres.
///
/// # Errors
/// If a cell is missing.
pub fn nearest(source: &dyn Source, centers: &[f64]) -> Result<Vec<u32>> {
    let mut assigned = vec![u32::MAX; source.n_rows()];
    assign(source, centers, &mut assigned)?;
    Ok(assigned)
}

/// Distance of every used row to every centre (rows × K, row-major), in the columns' units.
///
/// # Errors
/// If a cell is missing.
pub fn distances(source: &dyn Source, centers: &[f64]) -> Result<Vec<f64>> {
    let mut out = Vec::with_capacity(source.n_rows() * (centers.len() / source.n_features()));
    let mut missing = None;
    for_each_row(source, |i, row, _, _| {
        if missing.is_none() && row.iter().any(|x| x.is_nan()) {
            missing = Some(missing_cell(row, i));
        }
        out.extend(centers.chunks(row.len()).map(|center| squared_distance(row, center).sqrt()));
    })?;
    missing.map_or(Ok(out), Err)
}

#[inline]
fn squared_distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum()
}

/// Completes `centers` (K' × D, may be empty) to K rows by k-means++: each next centre is drawn with probability
/// proportional to weight × squared distance to the nearest centre, as the best of 2 + ⌊ln K⌋ draws. Draws go by
/// cumulative weight, so a row of weight 2 acts as the row twice.
///
/// # Errors
/// If a cell is missing or there are fewer distinct rows than centres.
pub fn plus_plus(source: &dyn Source, k: usize, mut centers: Vec<f64>, rng: &mut Rng) -> Result<Vec<f64>> {
    let d = source.n_features();
    let tries = 2 + (k as f64).ln() as usize;
    let mut closest = vec![f64::INFINITY; source.n_rows()];
    let mut potential = if centers.is_empty() {
        let (mut total, mut missing) = (0.0, None);
        for_each_row(source, |i, row, w, _| {
            total += w;
            if missing.is_none() && row.iter().any(|x| x.is_nan()) {
                missing = Some(missing_cell(row, i));
            }
        })?;
        missing.map_or(Ok(total), Err)?
    } else {
        approach(source, &centers, &mut closest)?
    };
    while centers.len() < k * d {
        let none_yet = centers.is_empty();
        if !(potential > 0.0 && potential.is_finite()) {
            let n = centers.len() / d;
            return Err(Error::Data(format!("{} for {k} clusters: ask for at most {n}", only_distinct(n))));
        }
        let draws = if none_yet { 1 } else { tries };
        let mut marks: Vec<f64> = (0..draws).map(|_| rng.random::<f64>() * potential).collect();
        marks.sort_by(f64::total_cmp);
        let mut best: Option<(f64, Vec<f64>, Vec<f64>)> = None;
        for row in pick(source, &marks, |i, w| if none_yet { w } else { w * closest[i] })? {
            let mut nearer = closest.clone();
            let left = approach(source, &row, &mut nearer)?;
            if best.as_ref().is_none_or(|b| left < b.0) {
                best = Some((left, nearer, row));
            }
        }
        let (left, nearer, row) = best.expect("at least one draw");
        (potential, closest) = (left, nearer);
        centers.extend(row);
    }
    Ok(centers)
}

/// Rows at which the running sum of `mass` first exceeds each of the ascending marks.
pub(crate) fn pick(
    source: &dyn Source,
    marks: &[f64],
    mut mass: impl FnMut(usize, f64) -> f64,
) -> Result<Vec<Vec<f64>>> {
    let mut rows: Vec<Vec<f64>> = Vec::with_capacity(marks.len());
    let mut sum = 0.0;
    let mut last = None;
    for_each_row(source, |i, row, w, _| {
        let m = mass(i, w);
        if m > 0.0 {
            sum += m;
            while rows.len() < marks.len() && marks[rows.len()] < sum {
                rows.push(row.to_vec());
            }
            last = Some(row.to_vec());
        }
    })?;
    // A mark at the very end may be missed by rounding.
    while let (true, Some(row)) = (rows.len() < marks.len(), &last) {
        rows.push(row.clone());
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Dense;

    fn rows(values: &[f64], d: usize) -> Dense<'static> {
        Dense::new(values.to_vec(), d).unwrap()
    }

    #[test]
    fn an_empty_cluster_is_refilled() {
        let data = rows(&[0.0, 1.0, 10.0, 11.0], 1);
        // The second centre owns no row at first.
        let fit = KMeans::new(2).fit_from(&data, vec![5.0, 1000.0]).unwrap();
        assert_eq!(fit.inertia, 1.0);
        assert!(fit.converged);
    }

    #[test]
    fn weights_are_repetitions() {
        let twice = rows(&[0.0, 0.0, 1.0, 5.0, 5.0, 6.0], 1);
        let weighted = rows(&[0.0, 1.0, 5.0, 6.0], 1).with_weights(vec![2.0, 1.0, 2.0, 1.0]).unwrap();
        let (a, b) = (KMeans::new(2).fit(&twice).unwrap(), KMeans::new(2).fit(&weighted).unwrap());
        // By hand: two clusters {0, 0, 1}, each of inertia 2/3.
        assert!((a.inertia - 4.0 / 3.0).abs() < 1e-12);
        assert!((b.inertia - 4.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn refuses_missing_cells_and_too_few_distinct_rows() {
        let error = KMeans::new(2).fit(&rows(&[1.0, f64::NAN, 3.0], 1)).unwrap_err();
        assert!(error.to_string().contains("row 2, column 1 is missing"), "{error}");
        let error = KMeans::new(3).fit(&rows(&[1.0, 1.0, 2.0, 2.0], 1)).unwrap_err();
        assert!(error.to_string().contains("only 2 distinct rows"), "{error}");
    }
}
