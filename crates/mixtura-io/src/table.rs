//! The table that a data file becomes, and the choices a caller has in reading it.

/// The numbers of a table, row after row; NaN stands for a missing value.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Single precision: from NPY files of type `f4`.
    F32(Vec<f32>),
    /// Double precision: everything else.
    F64(Vec<f64>),
}

/// One known class per row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels {
    /// The distinct labels, in numerical order when all of them are numbers, else alphabetically.
    pub names: Vec<String>,
    /// Per row the index into `names`, or −1 where the label is missing.
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

/// A data file as numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// The file's path, or "standard input".
    pub source: String,
    /// The names of the columns in `values`.
    pub columns: Vec<String>,
    /// `n_rows × columns.len()` numbers, row after row.
    pub values: Values,
    /// The number of rows.
    pub n_rows: usize,
    /// One weight per row, when a weights column was asked for.
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
    /// The columns are those of a model: names only, never positions, and one may lack every value.
    pub of_a_model: bool,
}
