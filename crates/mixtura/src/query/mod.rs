//! Questions to a fitted mixture: some columns given others, distances, tails and quantiles, regions, missing cells,
//! anomalies, merged components, agreement with known labels.
//!
//! Everything here reads a [`crate::Mixture`] of Gaussians and changes nothing in it; one file per question.

mod agreement;
mod anomaly;
mod combine;
mod condition;
mod distance;
mod impute;
mod marginal;
mod regions;
mod univariate;

pub use agreement::{Agreement, assign};
pub use anomaly::{Threshold, false_positive_interval};
pub use combine::{Combined, Step, combine_by_entropy, combine_by_overlap, overlap};
pub use condition::{Conditional, Conditioner};
pub use impute::{Filling, Imputed, impute};
pub use regions::{Region, Stretch};
pub use univariate::Univariate;

/// log Σ exp of the values; −∞ where all are.
fn log_sum_exp(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let top = values.clone().fold(f64::NEG_INFINITY, f64::max);
    if top == f64::NEG_INFINITY {
        return top;
    }
    top + values.map(|v| (v - top).exp()).sum::<f64>().ln()
}
