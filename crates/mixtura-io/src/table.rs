//! The table that a data file becomes, and the choices a caller has in reading it.

use crate::file_rows::FileRows;

/// The numbers of a table, row after row; NaN stands for a missing value.
#[derive(Debug, Clone)]
pub enum Values {
    /// Single precision: where every column of the file is.
    F32(Vec<f32>),
    /// Double precision: everything else.
    F64(Vec<f64>),
    /// In a file, with the weights and the codes of the labels: tables beyond the memory allowed.
    File(FileRows),
}

/// One known class per row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels {
    /// The distinct labels, in numerical order when all of them are numbers, else alphabetically.
    pub names: Vec<String>,
    /// Per row the index into `names`, or −1 where the label is missing; empty where the table is in a file.
    pub codes: Vec<i32>,
}

/// A column of the file that is not part of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DroppedColumn {
    /// The column's name.
    pub name: String,
    /// Why it was left out.
    pub reason: String,
}

/// A data file, or several as one, as numbers.
#[derive(Debug, Clone)]
pub struct Table {
    /// The file's path, "standard input", or the number of files with the first and the last.
    pub source: String,
    /// The names of the columns in `values`.
    pub columns: Vec<String>,
    /// `n_rows × columns.len()` numbers, row after row.
    pub values: Values,
    /// The number of rows.
    pub n_rows: usize,
    /// One weight per row, when a weights column was asked for and the table is in memory.
    pub weights: Option<Vec<f64>>,
    /// One label per row, when a label column was asked for.
    pub labels: Option<Labels>,
    /// Columns that nobody asked to leave out but that could not or should not be used.
    pub dropped: Vec<DroppedColumn>,
    /// What was assumed about the file and the user should know.
    pub notes: Vec<String>,
}

/// Which columns to read, each by name or by position counted from 1.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// The columns of the table in their order there; `None`: every numeric column.
    pub columns: Option<Vec<String>>,
    /// The column that holds the rows' weights.
    pub weights_column: Option<String>,
    /// The column that holds the rows' known classes.
    pub label_column: Option<String>,
    /// A column that comes last in the table, whatever it looks like: a response.
    pub response_column: Option<String>,
    /// Infinite values are values: open ends of intervals.
    pub infinite: bool,
    /// The columns are those of a model: names only, never positions, and one may lack every value.
    pub of_a_model: bool,
    /// Bytes of memory that the reader and what follows may use together; `None`: as many as the table needs. A table
    /// larger than about half of it is put into a temporary file.
    pub memory: Option<u64>,
}
