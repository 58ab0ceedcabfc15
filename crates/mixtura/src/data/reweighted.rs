//! The rows of a source under other case weights: what a bootstrap fits in the place of rows drawn again.

use super::{Buffer, Chunk, Rows, Source};

/// A source whose rows have new case weights. Its chunks are those of the source behind, less the rows of weight 0.
#[derive(Clone, Debug)]
pub struct Reweighted<'a> {
    source: &'a dyn Source,
    weights: Vec<f64>,
    n_rows: usize,
}

impl<'a> Reweighted<'a> {
    /// One weight ≥ 0 for each used row of `source`, in its order, in place of the row's own.
    ///
    /// # Panics
    /// If the numbers differ.
    pub fn new(source: &'a dyn Source, weights: Vec<f64>) -> Self {
        assert_eq!(weights.len(), source.n_rows(), "one weight per row");
        Reweighted { source, n_rows: weights.iter().filter(|w| **w > 0.0).count(), weights }
    }
}

impl Source for Reweighted<'_> {
    fn n_features(&self) -> usize {
        self.source.n_features()
    }

    fn n_rows(&self) -> usize {
        self.n_rows
    }

    fn n_labels(&self) -> usize {
        self.source.n_labels()
    }

    fn n_chunks(&self) -> usize {
        self.source.n_chunks()
    }

    fn read<'b>(&'b self, id: usize, buffer: &'b mut Buffer) -> crate::error::Result<Chunk<'b>> {
        let Buffer { values, weights, labels, inner, .. } = buffer;
        let chunk = self.source.read(id, inner.get_or_insert_default())?;
        let own = &self.weights[chunk.first_row..][..chunk.rows.n_rows()];
        if own.iter().all(|w| *w > 0.0) {
            return Ok(Chunk { weights: Some(own), ..chunk });
        }
        values.clear();
        weights.clear();
        labels.clear();
        for (i, &w) in own.iter().enumerate().filter(|(_, w)| **w > 0.0) {
            values.extend_from_slice(chunk.rows.row(i));
            weights.push(w);
            labels.extend(chunk.labels.map(|l| l[i]));
        }
        let labels = chunk.labels.map(|_| &labels[..]);
        Ok(Chunk { rows: Rows::new(values, self.n_features()), weights: Some(weights), labels, ..chunk })
    }
}
