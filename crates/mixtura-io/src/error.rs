//! Why a data file could not be read, in one sentence.

use std::io;

/// Why a data file could not be read: one sentence saying what, where and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The file was read but its content cannot be used.
    #[error("{0}")]
    Data(String),
    /// The file could not be opened or read.
    #[error("{0}")]
    Io(String),
}

impl ReadError {
    pub(crate) fn data(message: impl Into<String>) -> Self {
        Self::Data(message.into())
    }

    /// Sorts an error met while reading into damaged gzip data, a full refusal passed through a
    /// reader by [`io::Error::other`], and true I/O errors.
    pub(crate) fn reading(source: &str, error: io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(refusal) => refusal,
            Err(error) => match error.kind() {
                io::ErrorKind::UnexpectedEof => {
                    Self::Data(format!("{source}: the gzip data ends too early; copy or download the file again"))
                }
                io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
                    Self::Data(format!("{source}: the gzip data is damaged ({error}); copy or download the file again"))
                }
                io::ErrorKind::IsADirectory => Self::Io(format!("{source} is a folder; give the path of a data file")),
                _ => Self::Io(format!("cannot read {source}: {error}")),
            },
        }
    }
}

/// A cell's text fit for a message: quoted, on one line and short.
pub(crate) fn quoted(text: &str) -> String {
    const LONGEST: usize = 40;
    let mut shown: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    format!("\"{}\"", shown.replace("\\'", "'"))
}

/// A counted noun: "1 row", "2 rows".
pub(crate) fn count(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}
