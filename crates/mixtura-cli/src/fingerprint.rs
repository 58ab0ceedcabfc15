//! A fingerprint of the rows of a fit, so that a model file tells whether it was made from given data.

pub(crate) use mixtura::distributed::rows_fingerprint as fingerprint;
use sha2::{Digest, Sha256};

/// SHA-256 of a text, as lower-case hex.
pub(crate) fn of_text(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}
