//! First centres by k-means++ (Arthur & Vassilvitskii 2007), greedy: each is the best of a few draws.

use rand::RngExt;
use rayon::prelude::*;

use super::lloyd::Scratch;
use super::{missing_cell, only_distinct};
use crate::data::{CHUNK_ROWS, Source, for_each_row};
use crate::error::{Error, Result};
use crate::seed::Rng;

/// Lowers `closest` to the squared distance of every row to the nearest of some centres, and returns Σ w · closest.
fn approach(source: &dyn Source, centers: &[f64], closest: &mut [f64]) -> Result<f64> {
    let left: Vec<f64> = closest
        .par_chunks_mut(CHUNK_ROWS)
        .enumerate()
        .map_init(
            || Scratch::new(source.n_features()),
            |scratch, (id, closest)| {
                let mut left = 0.0;
                scratch.for_each_tile(source, id, |tile, chunk, from| {
                    let squared = tile.nearest(centers)?.squared;
                    for (t, (closest, squared)) in closest[from..].iter_mut().zip(squared).enumerate() {
                        *closest = closest.min(*squared);
                        left += chunk.weight(from + t) * *closest;
                    }
                    Ok(())
                })?;
                Ok(left)
            },
        )
        .collect::<Result<_>>()?;
    Ok(left.iter().sum())
}

/// Draws that are measured side by side: one addition need not wait for another.
const ABREAST: usize = 4;

/// What [`approach`] would return for each of some rows, all in one pass.
fn potentials(source: &dyn Source, draws: &[f64], closest: &[f64]) -> Result<Vec<f64>> {
    let d = source.n_features();
    let count = draws.len() / d;
    let of_chunks: Vec<Vec<f64>> = closest
        .par_chunks(CHUNK_ROWS)
        .enumerate()
        .map_init(
            || (Scratch::new(d), Vec::new()),
            |(scratch, squared), (id, closest)| {
                let mut left = vec![[0.0; ABREAST]; count.div_ceil(ABREAST)];
                scratch.for_each_tile(source, id, |tile, chunk, from| {
                    for (draws, left) in draws.chunks(ABREAST * d).zip(&mut left) {
                        squared.clear();
                        squared.resize(tile.n_rows(), [0.0; ABREAST]);
                        for (j, draw) in draws.chunks(d).enumerate() {
                            let near = tile.nearest(draw)?;
                            squared.iter_mut().zip(near.squared).for_each(|(to, s)| to[j] = *s);
                        }
                        for (t, (squared, closest)) in squared.iter().zip(&closest[from..]).enumerate() {
                            let w = chunk.weight(from + t);
                            (0..ABREAST).for_each(|j| left[j] += w * closest.min(squared[j]));
                        }
                    }
                    Ok(())
                })?;
                Ok(left.concat())
            },
        )
        .collect::<Result<_>>()?;
    Ok((0..count).map(|j| of_chunks.iter().map(|left| left[j]).sum()).collect())
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
        let rows = pick(source, &marks, |i, w| if none_yet { w } else { w * closest[i] })?.concat();
        let left = if none_yet { vec![0.0] } else { potentials(source, &rows, &closest)? };
        let best = (0..draws).fold(0, |b, j| if left[j] < left[b] { j } else { b });
        centers.extend(&rows[best * d..][..d]);
        // Measured again: keeping what every draw leaves would take N numbers for each.
        potential = approach(source, &rows[best * d..][..d], &mut closest)?;
    }
    Ok(centers)
}

/// Rows at which the running sum of `mass` first exceeds each of the ascending marks.
pub(crate) fn pick(source: &dyn Source, marks: &[f64], mass: impl Fn(usize, f64) -> f64) -> Result<Vec<Vec<f64>>> {
    let mut rows: Vec<Vec<f64>> = Vec::with_capacity(marks.len());
    let (mut sum, mut last) = (0.0, None);
    for_each_row(source, |i, row, w, _| {
        let m = mass(i, w);
        if m > 0.0 {
            sum += m;
            while rows.len() < marks.len() && marks[rows.len()] < sum {
                rows.push(row.to_vec());
            }
            last = Some(i);
        }
    })?;
    // A mark at the very end may be missed by rounding.
    if rows.len() < marks.len() {
        for_each_row(source, |i, row, _, _| {
            if last == Some(i) {
                rows.resize(marks.len(), row.to_vec());
            }
        })?;
    }
    Ok(rows)
}
