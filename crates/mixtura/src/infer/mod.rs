//! Uncertainty of estimates: the information in the data, bootstrap replicates, and what is said of both.

mod bootstrap;
mod errors;
mod gaussian;
mod information;
mod numerical;
mod question;
mod relabel;
mod replicate;
mod replicates;
mod sandwich;
mod stationarity;
mod supplemental;
mod units;

pub use bootstrap::{Bootstrap, Lost, Resampling};
pub use errors::{Errors, Interval, Wald};
pub use gaussian::{gaussian_errors, gaussian_stationarity};
pub use information::derivatives;
pub use question::{Answer, By, Question};
pub use replicate::Resample;
pub use replicates::{IntervalKind, Replicates};
pub use stationarity::{PointKind, Stationarity};

use crate::data::Source;
use crate::error::{Error, Result};
use crate::model::Identified;
use information::{Information, inverse};

/// How the covariance of estimates is found from the information in the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Inverse of the observed information, by the complete data's information less the missing (Louis 1982): exact, one pass.
    Louis,
    /// Inverse of the Hessian of the objective by differences of gradients: 4 passes per parameter.
    Numerical,
    /// Supplemental EM (Meng & Rubin 1991): 4 E-steps per parameter, and the one that needs an optimum reached to many digits.
    Supplemental,
    /// White's sandwich (1982): also right where the model is not.
    Sandwich,
}

impl Method {
    /// Every method.
    pub const ALL: [Method; 4] = [Method::Louis, Method::Numerical, Method::Supplemental, Method::Sandwich];

    /// The name in every face: `louis`, `numerical`, `sem`, `sandwich`.
    pub fn name(self) -> &'static str {
        match self {
            Method::Louis => "louis",
            Method::Numerical => "numerical",
            Method::Supplemental => "sem",
            Method::Sandwich => "sandwich",
        }
    }
}

/// Estimates of a model with their covariance, in the units of model and source. Where estimates have no standard errors (a saddle, a
/// ridge, the edge of a range) the refusal says why; a fit that has not converged is a note.
///
/// ```
/// use mixtura::data::Dense;
/// use mixtura::family::gaussian::{Gaussian, Structure};
/// use mixtura::infer::{Method, errors};
/// use mixtura::model::Mixture;
///
/// // One Gaussian at its estimates: Var(mean) = σ²/n, Var(σ²) = 2σ⁴/n.
/// let rows = Dense::new(vec![1.0, 2.0, 3.0, 6.0], 1)?;
/// let model = Mixture::equal(Gaussian::new(Structure::Full, 1, vec![3.0], vec![3.5])?);
/// let errors = errors(&model, &rows, Method::Louis)?;
/// assert!((errors.covariance[0] - 3.5 / 4.0).abs() < 1e-12);
/// assert!((errors.covariance[3] - 2.0 * 3.5 * 3.5 / 4.0).abs() < 1e-12);
/// # Ok::<(), mixtura::Error>(())
/// ```
///
/// # Errors
/// What has no standard errors, in one sentence; what model or source refuse.
pub fn errors<M: Identified>(model: &M, source: &dyn Source, method: Method) -> Result<Errors> {
    let info = Information::new(model, source)?;
    let (p, point) = (info.coordinates.len(), Stationarity::at(&info, model, source)?);
    let refuse = |why: String| Err(Error::Data(format!("there are no standard errors: {why}")));
    let Some(louis) = inverse(&info.observed, p).filter(|_| point.smallest_curvature > 0.0) else {
        let curved = match point.kind {
            PointKind::NotStationary => format!(", and the objective rises along {}", point.direction.join(", ")),
            _ => String::new(),
        };
        return refuse(format!("the fit ended at {}{curved}", article(&point)));
    };
    if matches!(point.kind, PointKind::Saddle | PointKind::Ridge) {
        return refuse(format!("the fit ended at {}", point.detail));
    }
    let newton: Vec<f64> =
        (0..p).map(|i| (0..p).map(|j| louis[i * p + j] * info.gradient[j]).sum::<f64>() * info.scales[i]).collect();
    let next: Vec<f64> = info.coordinates.iter().zip(&newton).map(|(x, d)| x + d).collect();
    if model.with_coordinates(&next).is_none() {
        let (names, ranges) = (model.names(), model.ranges());
        let over = (0..p).find(|&i| next[i] <= ranges[i].ends().0 || next[i] >= ranges[i].ends().1);
        let which = over.map_or("a parameter".to_owned(), |i| format!("{} ({:.3e})", names[i], info.coordinates[i]));
        return refuse(format!(
            "{which} is on its way to the edge of its range; iterate further, or use fewer components"
        ));
    }
    let mut notes = Vec::new();
    if point.kind == PointKind::NotStationary {
        notes.push(format!(
            "the fit has not converged: about {:.2e} nats remain, so that estimates may be off by {:.2} standard errors",
            point.nats_to_gain,
            (2.0 * point.nats_to_gain).sqrt()
        ));
    }
    if info.prior.is_some() {
        notes.push(
            "the parameters have a prior: its curvature is added to the information, and the errors are those of a normal approximation of the posterior".into(),
        );
    }
    let found = match method {
        Method::Louis => Some((louis, None)),
        Method::Sandwich => sandwich::covariance(&info).map(|v| (v, None)),
        Method::Numerical => {
            let (observed, asymmetry) = numerical::observed(&info, model, source)?;
            inverse(&observed, p).map(|v| (v, Some(asymmetry)))
        }
        Method::Supplemental => supplemental::covariance(&info, model, source)?.map(|(v, a)| (v, Some(a))),
    };
    let Some((covariance, asymmetry)) = found else {
        return refuse(format!(
            "the information by method {} is not positive definite, although the analytic one is: the optimum is not reached to enough digits; fit with a smaller tolerance",
            method.name()
        ));
    };
    if let Some(a) = asymmetry.filter(|a| *a > ASYMMETRIC) {
        notes.push(format!(
            "the covariance by method {} is asymmetric by {a:.1e} standard errors squared: fit with a smaller tolerance, or use louis",
            method.name()
        ));
    }
    let covariance = info.unscale(&covariance);
    let made = Errors::new(method.name(), model.names(), model.ranges(), info.coordinates, covariance);
    Ok(Errors { asymmetry, notes, ..made })
}

/// Above this asymmetry the digits that a table shows are not those of the covariance (Meng & Rubin 1991, §3.4, use it as a check).
const ASYMMETRIC: f64 = 1e-3;

fn article(point: &Stationarity) -> String {
    match point.kind {
        PointKind::NotStationary => format!("a point that is {}", point.detail),
        _ => point.detail.clone(),
    }
}
