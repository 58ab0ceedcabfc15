//! K-means: Lloyd's iterations (1982) from k-means++ centres (Arthur & Vassilvitskii 2007), with case weights.
//!
//! The hard-assignment limit of a spherical Gaussian mixture, kept apart because its estimate is a partition and not a
//! density. Distances are Euclidean in the columns as given: standardise or whiten them first where units differ.

mod lloyd;
mod seeding;

use rayon::prelude::*;

pub(crate) use seeding::pick;
pub use seeding::plus_plus;

use self::lloyd::{Partition, assign};
use crate::data::{Source, for_each_row};
use crate::error::{Error, Result};
use crate::seed::Seed;

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

    /// Fits from `restarts` seeded starts and returns the one of least inertia. Starts run in parallel, each with the memory of
    /// [`KMeans::fit_from`].
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

    /// Lloyd's iterations from given centres (K × D). Rows whose cluster provably cannot change are not measured (Hamerly 2010);
    /// the result has the bits of plain iterations.
    ///
    /// Memory: 12 bytes per row (cluster and bound) beside the rows; a k-means++ start before that, 8.
    ///
    /// # Errors
    /// If a cell is missing or the centres have the wrong size.
    pub fn fit_from(&self, source: &dyn Source, centers: Vec<f64>) -> Result<KMeansFit> {
        Ok(self.lloyd(source, centers)?.0)
    }

    /// [`KMeans::fit_from`], and the cluster of every row.
    pub(crate) fn lloyd(&self, source: &dyn Source, mut centers: Vec<f64>) -> Result<(KMeansFit, Vec<u32>)> {
        let (k, d) = (self.n_clusters, source.n_features());
        if centers.len() != k * d {
            return Err(Error::Usage(format!("{} centre values are not {k} rows of {d}", centers.len())));
        }
        let mut partition = Partition::new(source.n_rows(), k);
        let (mut iterations, mut settled) = (0, false);
        loop {
            let last = settled || iterations == self.max_iter;
            let pass = assign(source, &centers, &mut partition, last)?;
            let converged = pass.changed == 0 || settled;
            if converged || last {
                // The inertia needs the distances of the rows that were left out.
                let inertia = match pass.inertia {
                    Some(inertia) => inertia,
                    None => assign(source, &centers, &mut partition, true)?.inertia.expect("all rows were measured"),
                };
                let fit = KMeansFit {
                    centers,
                    inertia,
                    counts: pass.counts,
                    iterations,
                    converged,
                    unchanged: pass.changed == 0 && !settled,
                    restarts: vec![inertia],
                };
                return Ok((fit, partition.assigned));
            }
            let moved = pass.means(&centers, source, &mut partition)?;
            // The pass after this one assigns the rows to the centres that are returned.
            settled = self.tolerance > 0.0 && squared_distance(&moved, &centers) <= self.tolerance;
            centers = moved;
            iterations += 1;
        }
    }
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
    let k = centers.len() / source.n_features();
    let mut partition = Partition::new(source.n_rows(), k);
    assign(source, centers, &mut partition, true)?;
    Ok(partition.assigned)
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
