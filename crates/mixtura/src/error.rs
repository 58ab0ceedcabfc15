//! What can go wrong with input. A fit that does not converge is a status, never an error.

use thiserror::Error;

/// Input that cannot be used. The text is one sentence that says what is wrong, where, and what to do.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum Error {
    /// An option has a value that makes no sense, whatever the data.
    #[error("{0}")]
    Usage(String),
    /// The data cannot be fitted or evaluated as asked.
    #[error("{0}")]
    Data(String),
    /// Parameters, or a model file, that no valid model has.
    #[error("{0}")]
    Model(String),
    /// Rows could not be read again while they were needed.
    #[error("{0}")]
    Io(String),
    /// A component collapsed and the policy was to refuse.
    #[error("{0}")]
    Degenerate(String),
    /// The user interrupted before there was anything to return.
    #[error("interrupted before the first fit was complete")]
    Interrupted,
}

/// Shorthand for results of this crate.
pub type Result<T> = std::result::Result<T, Error>;
