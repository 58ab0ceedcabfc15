//! Data as the E-step sees them: rows in chunks, cut the same way whatever they come from.

mod affine;
mod audit;
mod dense;
mod fingerprint;
mod fold;
mod reweighted;

pub use affine::{Affine, Standardized, standardize, standardize_by};
pub(crate) use affine::{constant_scale, power_of_two};
pub use audit::{Audit, audit};
pub use dense::{Dense, Values};
pub(crate) use fingerprint::hex;
pub use fingerprint::{rows_fingerprint, text_fingerprint};
pub use fold::{Fold, Folds};
pub use reweighted::Reweighted;

use rayon::prelude::*;

use crate::error::Result;

/// Rows per chunk. A constant of the library: it fixes the shape of every sum and so the bits of every result. A whole number of
/// tiles, and few enough that tables of some thousand rows keep several threads busy.
pub const CHUNK_ROWS: usize = 8 * mixtura_kernels::TILE;

/// Row-major rows, possibly a column range of a wider table. NaN = missing.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    values: &'a [f64],
    n_rows: usize,
    n_features: usize,
    stride: usize,
}

impl<'a> Rows<'a> {
    /// Rows stored one after the other.
    ///
    /// # Panics
    /// If `values` is not a whole number of rows.
    pub fn new(values: &'a [f64], n_features: usize) -> Self {
        assert!(n_features > 0 && values.len().is_multiple_of(n_features), "whole rows");
        Rows { values, n_rows: values.len() / n_features, n_features, stride: n_features }
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Number of features.
    pub fn n_features(&self) -> usize {
        self.n_features
    }

    /// Row `i`.
    pub fn row(&self, i: usize) -> &'a [f64] {
        &self.values[i * self.stride..][..self.n_features]
    }

    /// The cells, row after row; each row begins [`Rows::stride`] after the one before.
    pub(crate) fn values(&self) -> &'a [f64] {
        self.values
    }

    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    /// Rows `start..end`.
    pub fn slice(&self, start: usize, end: usize) -> Rows<'a> {
        assert!(start <= end && end <= self.n_rows);
        Rows { values: &self.values[start * self.stride..], n_rows: end - start, ..*self }
    }
}

/// The unit of work of an E-step: at most [`CHUNK_ROWS`] rows (or whole sequences) with what is known about them.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    /// The rows.
    pub rows: Rows<'a>,
    /// Case weights (frequencies, > 0), one per row; `None` = all 1.
    pub weights: Option<&'a [f64]>,
    /// Known components, −1 = unknown; `None` = all unknown.
    pub labels: Option<&'a [i32]>,
    /// Ends (exclusive, within the chunk) of the sequences that it holds; empty where rows are independent.
    pub sequence_ends: &'a [usize],
    /// Position of the first row among all used rows.
    pub first_row: usize,
}

impl<'a> Chunk<'a> {
    /// Independent, unweighted, unlabelled rows.
    pub fn of(rows: Rows<'a>) -> Self {
        Chunk { rows, weights: None, labels: None, sequence_ends: &[], first_row: 0 }
    }

    /// Rows `start..end` with what is known of them; for independent rows.
    pub fn slice(&self, start: usize, end: usize) -> Chunk<'a> {
        Chunk {
            rows: self.rows.slice(start, end),
            weights: self.weights.map(|w| &w[start..end]),
            labels: self.labels.map(|l| &l[start..end]),
            sequence_ends: &[],
            first_row: self.first_row + start,
        }
    }

    /// Weight of row `i`.
    pub fn weight(&self, i: usize) -> f64 {
        self.weights.map_or(1.0, |w| w[i])
    }

    /// Known component of row `i`, if any.
    pub fn label(&self, i: usize) -> Option<usize> {
        self.labels.and_then(|l| usize::try_from(l[i]).ok())
    }
}

/// Memory that a source may use to build a chunk; one per thread, reused.
#[derive(Debug, Default)]
pub struct Buffer {
    /// For cells.
    pub values: Vec<f64>,
    /// For case weights.
    pub weights: Vec<f64>,
    /// For known components.
    pub labels: Vec<i32>,
    /// For what is read from a file.
    pub bytes: Vec<u8>,
    /// For the source behind a source.
    pub inner: Option<Box<Buffer>>,
}

/// Where rows come from. Chunks hold [`CHUNK_ROWS`] consecutive used rows (the last may be shorter); rows of weight 0
/// are not used and never appear, so they change nothing, not even a bit.
pub trait Source: Sync {
    /// Number of features of every row.
    fn n_features(&self) -> usize;
    /// Number of used rows.
    fn n_rows(&self) -> usize;
    /// Number of labelled components (1 + the largest label), 0 without labels.
    fn n_labels(&self) -> usize {
        0
    }
    /// Number of chunks.
    fn n_chunks(&self) -> usize {
        self.n_rows().div_ceil(CHUNK_ROWS)
    }
    /// Chunk `id`, in memory of the source or of the buffer.
    ///
    /// # Errors
    /// If the rows cannot be read.
    fn read<'a>(&'a self, id: usize, buffer: &'a mut Buffer) -> Result<Chunk<'a>>;
}

/// What `f` makes of every chunk, in their order; chunks are read in parallel.
pub(crate) fn map_chunks<T: Send>(source: &dyn Source, f: impl Fn(Chunk<'_>) -> T + Sync) -> Result<Vec<T>> {
    let chunks = (0..source.n_chunks()).into_par_iter();
    chunks.map_init(Buffer::default, |buffer, id| source.read(id, buffer).map(&f)).collect()
}

/// Calls `visit` with every used row of a source in order: row number, cells, weight, known component.
///
/// # Errors
/// If the source cannot be read.
pub fn for_each_row(source: &dyn Source, mut visit: impl FnMut(usize, &[f64], f64, Option<usize>)) -> Result<()> {
    let mut buffer = Buffer::default();
    for id in 0..source.n_chunks() {
        let chunk = source.read(id, &mut buffer)?;
        for i in 0..chunk.rows.n_rows() {
            visit(chunk.first_row + i, chunk.rows.row(i), chunk.weight(i), chunk.label(i));
        }
    }
    Ok(())
}
