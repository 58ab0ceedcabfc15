//! Reads a data file of whatever known format.

use crate::error::ReadError;
use crate::table::{ReadOptions, Table};
use crate::{npy, source, text};

/// Reads a data file, or standard input for the path "-".
///
/// The format is taken from the content: NPY, or text whose delimiter, header line and decimal
/// mark are guessed from its beginning; either may be gzipped. The text is streamed: memory holds
/// the numbers and a small part of the text.
///
/// # Errors
///
/// [`ReadError::Io`] when the file cannot be opened or read, [`ReadError::Data`] when its content
/// cannot be used or the columns asked for are not there.
pub fn read_table(path: &str, options: &ReadOptions) -> Result<Table, ReadError> {
    let name = source::name(path);
    let mut data = source::open(path)?;
    if data.sample.starts_with(npy::MAGIC) {
        return npy::read(name, data.input, data.length, options);
    }
    source::refuse_foreign(name, &data.sample)?;
    const BOM: &[u8] = b"\xef\xbb\xbf";
    let mut sample = &data.sample[..];
    if let Some(rest) = sample.strip_prefix(BOM) {
        sample = rest;
        let mut bom = [0; BOM.len()];
        std::io::Read::read_exact(&mut data.input, &mut bom).map_err(|error| ReadError::reading(name, error))?;
    }
    text::read(name, sample, data.complete, data.input, options)
}
