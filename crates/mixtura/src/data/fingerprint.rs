//! Fingerprints of rows and of text: whether something was made from given data.

use sha2::{Digest, Sha256};

use super::{Source, for_each_row};
use crate::error::Result;

/// SHA-256, as lower-case hex, over the number of columns (8 bytes) and then for every used row its cells and weight as
/// 64-bit floats and its known component (−1 where there is none) as a 64-bit integer, all little-endian. Every missing
/// cell counts as the same NaN.
///
/// # Errors
/// If the rows cannot be read.
pub fn rows_fingerprint(source: &dyn Source) -> Result<String> {
    let mut hash = Sha256::new();
    hash.update((source.n_features() as u64).to_le_bytes());
    for_each_row(source, |_, row, weight, known| {
        for &x in row {
            hash.update(if x.is_nan() { f64::NAN } else { x }.to_le_bytes());
        }
        hash.update(weight.to_le_bytes());
        hash.update(known.map_or(-1, |k| k as i64).to_le_bytes());
    })?;
    Ok(hex(hash))
}

/// SHA-256 of a text, as lower-case hex.
pub fn text_fingerprint(text: &str) -> String {
    hex(Sha256::new_with_prefix(text))
}

/// A finished hash as lower-case hex.
pub(crate) fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
