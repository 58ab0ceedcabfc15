//! Uncertainty of estimates: the information in the data, bootstrap replicates, and what is said of both.

mod errors;

pub use errors::{Errors, Interval, Wald};
