//! How a command fails: one sentence and an exit code.

use mixtura::Error;
use mixtura_io::{ReadError, WriteError};

/// Wrong use of the command.
pub(crate) const USAGE: u8 = 2;
/// Data or a model that cannot be used.
pub(crate) const UNUSABLE: u8 = 3;
/// A file that cannot be read or written.
pub(crate) const IO: u8 = 4;
/// The user interrupted.
pub(crate) const INTERRUPTED: u8 = 130;

/// Why a command ends without success.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: u8,
    /// What standard error says; `None` where there is nothing to say.
    pub(crate) sentence: Option<String>,
}

impl Failure {
    pub(crate) fn new(code: u8, sentence: impl Into<String>) -> Self {
        // Names of columns and files may hold line breaks and escape codes; a sentence must stay one line.
        let sentence: String = sentence.into();
        let clean = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
        Failure { code, sentence: Some(sentence.chars().map(clean).collect()) }
    }

    pub(crate) fn usage(sentence: impl Into<String>) -> Self {
        Failure::new(USAGE, sentence)
    }

    /// The reader of standard output has gone (`| head`): nothing is wrong and nothing more to do.
    pub(crate) fn quiet() -> Self {
        Failure { code: 0, sentence: None }
    }

    /// An error of the library, about the file of that name.
    pub(crate) fn about(file: &str, error: &Error) -> Self {
        let code = match error {
            Error::Usage(_) => return Failure::usage(error.to_string()),
            Error::Interrupted => return Failure::new(INTERRUPTED, error.to_string()),
            Error::Io(_) => IO,
            _ => UNUSABLE,
        };
        Failure::new(code, format!("{file}: {error}"))
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        let code = match error {
            ReadError::Data(_) => UNUSABLE,
            ReadError::Io(_) => IO,
        };
        Failure::new(code, error.to_string())
    }
}

impl From<WriteError> for Failure {
    fn from(error: WriteError) -> Self {
        Failure::new(IO, error.to_string())
    }
}
