//! The fingerprint of a model: whether statistics belong to given parameters.

use sha2::{Digest, Sha256};

use crate::data::hex;
use crate::family::Emission;
use crate::persist::SavedModel;

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
