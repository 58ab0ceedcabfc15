//! Supplemental EM (Meng & Rubin 1991, JASA 86, 899–909): the covariance from the complete data's information and the rate at which
//! EM converges, V = I_oc⁻¹ (I − DM)⁻¹ (eq. 2.3.4–2.3.6), with DM the Jacobian of one iteration.
//!
//! Meng & Rubin read DM off the iterates of EM; here each row comes from iterations that start beside the estimate, at both sides and
//! at two distances (Richardson's extrapolation; Jamshidian & Jennrich 2000, J. R. Stat. Soc. B 62, compare the two).

use faer::Mat;
use faer::linalg::solvers::Solve;

use super::information::{Information, aside, inverse, product, symmetric};
use crate::data::Source;
use crate::engine::{Engine, Threads};
use crate::error::Result;
use crate::model::{Identified, Posterior};

/// Steps in standard errors of complete data: one row's standard deviation is √n of them, the scale on which an iteration bends, so that
/// Richardson leaves (0.05/√n)⁴; rounding leaves some 1e-16 · √n / 0.05.
const STEP: f64 = 0.05;

/// The covariance in scaled coordinates (p × p), and its asymmetry.
pub(super) fn covariance<M: Identified>(
    info: &Information,
    model: &M,
    source: &dyn Source,
) -> Result<Option<(Vec<f64>, f64)>> {
    let p = info.coordinates.len();
    let mut engine = Threads::new(source);
    let names = model.names();
    // One iteration of EM from coordinate j moved by t scales: the result, in scales.
    let mut iterate = |j: usize, t: f64| -> Result<Vec<f64>> {
        let mut x = info.coordinates.clone();
        x[j] += t * info.scales[j];
        let mut moved = model.with_coordinates(&x).ok_or_else(|| aside(&names[j]))?;
        let stats = engine.expect(&moved, 0..source.n_chunks(), Posterior::Soft)?.stats;
        moved.m_step(&stats)?;
        Ok(moved.coordinates().iter().zip(&info.scales).map(|(x, s)| x / s).collect())
    };
    // DM[j][i] = ∂M_i / ∂θ_j.
    let mut rates = vec![0.0; p * p];
    for j in 0..p {
        let mut slope = |t: f64| -> Result<Vec<f64>> {
            let (up, down) = (iterate(j, t)?, iterate(j, -t)?);
            Ok(up.iter().zip(down).map(|(a, b)| (a - b) / (2.0 * t)).collect())
        };
        let (coarse, fine) = (slope(STEP)?, slope(0.5 * STEP)?);
        (0..p).for_each(|i| rates[j * p + i] = (4.0 * fine[i] - coarse[i]) / 3.0);
    }
    let Some(complete) = inverse(&info.complete, p) else { return Ok(None) };
    let left = Mat::from_fn(p, p, |i, j| f64::from(u8::from(i == j)) - rates[i * p + j]);
    let solved = left.partial_piv_lu().solve(Mat::<f64>::identity(p, p));
    let factor: Vec<f64> = (0..p * p).map(|n| solved[(n / p, n % p)]).collect();
    let covariance = product(&complete, &factor, p);
    let sound = covariance.iter().all(|v| v.is_finite()) && (0..p).all(|i| covariance[i * p + i] > 0.0);
    Ok(sound.then(|| symmetric(&covariance, p)))
}
