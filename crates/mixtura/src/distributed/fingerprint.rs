//! Fingerprints of rows and of models: whether statistics belong to given data and given parameters.

use sha2::{Digest, Sha256};

use crate::data::{Source, for_each_row};
use crate::error::Result;
use crate::family::Emission;
use crate::persist::SavedModel;

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

/// SHA-256, as lower-case hex, over what an E-step depends on: the structure's name, the numbers of components and
/// columns (8 bytes each), the names of columns and labels (length in 8 bytes, then UTF-8), mixing weights, means and
/// covariances (D × D each) as 64-bit floats, all little-endian.
pub fn model_fingerprint(saved: &SavedModel) -> String {
    let bank = saved.model.emission();
    let k = bank.n_components();
    let mut hash = Sha256::new();
    hash.update(bank.structure().name());
    for n in [k, bank.n_features(), saved.record.labels.len()] {
        hash.update((n as u64).to_le_bytes());
    }
    for name in saved.columns.iter().chain(&saved.record.labels) {
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name);
    }
    let mut numbers = |values: &[f64]| values.iter().for_each(|x| hash.update(x.to_le_bytes()));
    numbers(saved.model.weights());
    (0..k).for_each(|c| numbers(bank.mean(c)));
    (0..k).for_each(|c| numbers(&bank.covariance(c)));
    hex(hash)
}

/// SHA-256 of a text, as lower-case hex.
pub(super) fn text_fingerprint(text: &str) -> String {
    hex(Sha256::new().chain_update(text))
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
