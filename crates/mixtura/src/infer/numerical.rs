//! The observed information by differences: the gradient of the objective at both sides of the estimate, at two distances
//! (Richardson's extrapolation). Fisher's identity gives the gradient from one E-step; no second derivative is used.

use super::information::{Information, aside, symmetric};
use crate::data::Source;
use crate::error::Result;
use crate::model::Identified;

/// Steps in standard errors of complete data: the gradient bends over √n of them, so that Richardson leaves (0.1/√n)⁴, and rounding
/// 1e-16 · √n / 0.1.
const STEP: f64 = 0.1;

/// Minus the Hessian of the objective in scaled coordinates (packed), and its asymmetry.
pub(super) fn observed<M: Identified>(info: &Information, model: &M, source: &dyn Source) -> Result<(Vec<f64>, f64)> {
    let p = info.coordinates.len();
    let names = model.names();
    let gradient = |j: usize, t: f64| -> Result<(f64, Vec<f64>)> {
        let mut x = info.coordinates.clone();
        x[j] += t * info.scales[j];
        let moved = model.with_coordinates(&x).ok_or_else(|| aside(&names[j]))?;
        let gradient = info.gradient_at(&moved, source)?;
        Ok((x[j], gradient))
    };
    let mut hessian = vec![0.0; p * p];
    for j in 0..p {
        let slope = |t: f64| -> Result<Vec<f64>> {
            let ((high, up), (low, down)) = (gradient(j, t)?, gradient(j, -t)?);
            let distance = (high - low) / info.scales[j];
            Ok(up.iter().zip(down).map(|(a, b)| (b - a) / distance).collect())
        };
        let (coarse, fine) = (slope(STEP)?, slope(0.5 * STEP)?);
        (0..p).for_each(|i| hessian[j * p + i] = (4.0 * fine[i] - coarse[i]) / 3.0);
    }
    let (whole, asymmetry) = symmetric(&hessian, p);
    let packed = (0..p).flat_map(|i| whole[i * p..=i * p + i].to_vec()).collect();
    Ok((packed, asymmetry))
}
