//! What every file format gives: names of columns, then all rows in batches.

use crate::cells::Batch;
use crate::error::ReadError;
use crate::plan::Names;
use crate::store::InPlace;

/// Who takes the batches of a file.
pub(crate) type Receiver<'a> = &'a mut dyn FnMut(&Batch<'_>) -> Result<(), ReadError>;

/// What a column of a file is wanted for; the others need not be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Want {
    Nothing,
    Numbers,
    Labels,
}

/// An opened file of some format.
pub(crate) trait Format {
    /// The names of its columns.
    fn names(&self) -> &Names;

    /// Whether the numbers of these columns all are of single precision.
    fn single(&self, _columns: &[usize]) -> bool {
        false
    }

    /// The file as a table in place, with these columns and weights, and its number of bytes, where it is one.
    fn in_place(&self, _columns: &[usize], _weight: Option<usize>) -> Option<(InPlace, u64)> {
        None
    }

    /// Hands over all rows, in order; called once. `want` has one entry per column.
    fn rows(&mut self, want: &[Want], to: Receiver<'_>) -> Result<(), ReadError>;

    /// What was assumed about the file and the user should know; called after `rows`.
    fn notes(&mut self) -> Vec<String>;
}
