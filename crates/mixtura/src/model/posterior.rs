//! One pass over the posteriors of a source, chunk by chunk and in parallel.

use std::ops::Range;

use rayon::prelude::*;

use super::Predict;
use crate::data::{Buffer, CHUNK_ROWS, Chunk, Source};
use crate::error::Result;

/// What `of_chunk` makes of every chunk of a range, in the chunks' order whatever the number of threads. It gets the chunk, its
/// responsibilities (rows × K, row-major) and its log-densities (one per row).
///
/// # Errors
/// If the source cannot be read, or what `of_chunk` refuses.
///
/// ```
/// use mixtura::{GaussianMixture, data::{Dense, Source}, model::posteriors};
/// let rows = Dense::new(vec![0.1, -0.2, 0.0, 0.3, 8.1, 7.9, 8.0, 8.2], 1)?;
/// let fit = GaussianMixture::new(2).fit(&rows)?;
/// let sums = posteriors(&fit.model, &rows, 0..rows.n_chunks(), |_, _, log_density| Ok(log_density.iter().sum::<f64>()))?;
/// assert!((sums.iter().sum::<f64>() - fit.log_likelihood).abs() < 1e-9);
/// # Ok::<(), mixtura::Error>(())
/// ```
pub fn posteriors<M: Predict, T: Send>(
    model: &M,
    source: &dyn Source,
    chunks: Range<usize>,
    of_chunk: impl Fn(Chunk<'_>, &[f64], &[f64]) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let k = model.n_components();
    chunks
        .into_par_iter()
        .map_init(
            || (Buffer::default(), model.scratch(), vec![0.0; CHUNK_ROWS * k], vec![0.0; CHUNK_ROWS]),
            |(buffer, scratch, resp, log_density), id| {
                let chunk = source.read(id, buffer)?;
                let n = chunk.rows.n_rows();
                model.posterior(chunk, scratch, resp, log_density);
                of_chunk(chunk, &resp[..n * k], &log_density[..n])
            },
        )
        .collect()
}

/// The most probable component of a row of responsibilities; the first of equals.
pub fn most_probable(resp: &[f64]) -> usize {
    (0..resp.len()).fold(0, |best, c| if resp[c] > resp[best] { c } else { best })
}
