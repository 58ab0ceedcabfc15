//! What kind of point a fit ended at: gradient and smallest curvature in the identified space, and in words.

use faer::{Mat, Side};
use mixtura_kernels::cholesky::{at, factor, invert_lower, packed_len};

use super::information::Information;
use crate::data::Source;
use crate::engine::{Engine, Threads};
use crate::error::{Error, Result};
use crate::model::{Identified, Posterior};

/// The kinds of point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PointKind {
    /// The gradient vanishes and the objective falls in every direction.
    Optimum,
    /// The gradient vanishes, and the objective rises in some direction: EM stays, the optimum is elsewhere.
    Saddle,
    /// The gradient vanishes, and the objective is flat in some direction: the data do not determine the parameters.
    Ridge,
    /// The gradient does not vanish.
    NotStationary,
}

impl PointKind {
    /// The word in every face.
    pub fn name(self) -> &'static str {
        match self {
            PointKind::Optimum => "optimum",
            PointKind::Saddle => "saddle",
            PointKind::Ridge => "ridge",
            PointKind::NotStationary => "not stationary",
        }
    }
}

/// The second half of a fit's certificate.
#[derive(Clone, Debug, PartialEq)]
pub struct Stationarity {
    /// The kind of point.
    pub kind: PointKind,
    /// Length of the gradient in the metric of the complete data's information C: √(gᵀ C⁻¹ g). 1 is a step of EM by one standard
    /// error of complete data.
    pub gradient_norm: f64,
    /// gᵀ H⁻¹ g / 2, the nats that Newton's step would gain, over the directions in which the objective is not flat and does
    /// not rise.
    pub nats_to_gain: f64,
    /// Smallest eigenvalue of the observed information relative to the complete data's: the share of information that the least known
    /// direction keeps, and 1 − the rate at which EM converges (Dempster, Laird & Rubin 1977, §3). Negative at a saddle.
    pub smallest_curvature: f64,
    /// The parameters that change most in that direction, at most three.
    pub direction: Vec<String>,
    /// One sentence.
    pub detail: String,
}

/// A point from which Newton's step gains less than this counts as stationary: it is within √(2 · 0.01) = 0.14 standard errors of
/// the optimum in every direction.
const STATIONARY: f64 = 0.01;
/// A direction that keeps less than this share of the complete information is flat: EM would need some 1e7 iterations along it, and
/// the sums over rows carry no more digits.
const FLAT: f64 = 1e-7;
/// A flat direction is tried at so many standard deviations of one row: far enough for a rise of fourth order to show …
const PROBE: f64 = 0.25;
/// … within so many iterations of EM.
const PROBE_ITERATIONS: usize = 300;

impl Stationarity {
    /// Gradient and curvature of a model's objective over a source.
    ///
    /// # Errors
    /// If the log-likelihood has no derivatives there (a parameter at the edge of its range), or the source cannot be read.
    pub fn of<M: Identified>(model: &M, source: &dyn Source) -> Result<Self> {
        Self::at(&Information::new(model, source)?, model, source)
    }

    pub(super) fn at<M: Identified>(info: &Information, model: &M, source: &dyn Source) -> Result<Self> {
        let p = info.coordinates.len();
        let (mut l, mut inverse) = (info.complete.clone(), vec![0.0; packed_len(p)]);
        // Complete data have a single optimum, around which their information is positive definite: elsewhere it is no metric.
        let far = factor(&mut l, p).is_err();
        if far {
            (0..p).for_each(|i| (0..=i).for_each(|j| l[at(i, j)] = f64::from(u8::from(i == j))));
        }
        invert_lower(&l, p, &mut inverse);
        // A = L⁻¹ O L⁻ᵀ and L⁻¹ g, C = L Lᵀ.
        let left = Mat::from_fn(p, p, |i, j| if j <= i { inverse[at(i, j)] } else { 0.0 });
        let observed = Mat::from_fn(p, p, |i, j| info.observed[at(i.max(j), i.min(j))]);
        let relative = &left * &observed * left.transpose();
        let eigen = relative.self_adjoint_eigen(Side::Lower).map_err(|_| {
            Error::Data(
                "the information matrix has no eigenvalues that can be computed: standardise the columns".into(),
            )
        })?;
        let pulled: Vec<f64> = (0..p).map(|i| (0..=i).map(|j| inverse[at(i, j)] * info.gradient[j]).sum()).collect();
        let along = |e: usize| (0..p).map(|i| eigen.U()[(i, e)] * pulled[i]).sum::<f64>();
        // Eigenvector e in the model's coordinates: scales · L⁻ᵀ u.
        let direction = |e: usize| -> Vec<f64> {
            (0..p)
                .map(|i| (i..p).map(|m| inverse[at(m, i)] * eigen.U()[(m, e)]).sum::<f64>() * info.scales[i])
                .collect()
        };
        let values: Vec<f64> = (0..p).map(|e| eigen.S()[e]).collect();
        let smallest = values.iter().copied().fold(f64::INFINITY, f64::min);
        let em: f64 = 0.5 * pulled.iter().map(|g| g * g).sum::<f64>();
        let newton: f64 = (0..p).filter(|&e| values[e] > FLAT).map(|e| 0.5 * along(e).powi(2) / values[e]).sum();
        let least = (0..p).find(|&e| values[e] == smallest).unwrap_or(0);
        let named = named(&direction(least), info, model);
        let of = named.join(", ");
        let still = em <= STATIONARY && newton <= STATIONARY;
        let flat: Vec<usize> = (0..p).filter(|&e| values[e] <= FLAT).collect();
        let (kind, detail) = if far {
            (PointKind::NotStationary, "not stationary, and far from every optimum; iterate further".to_owned())
        } else if !still {
            let nats = em.max(newton);
            let detail = format!("not stationary: about {nats:.2e} nats remain to be gained; iterate further");
            (PointKind::NotStationary, detail)
        } else if smallest < -FLAT {
            let detail =
                format!("a saddle: the gradient vanishes, but the objective rises along {of}; start anew elsewhere");
            (PointKind::Saddle, detail)
        } else if !flat.is_empty() {
            // Fixed, unequal shares of all flat directions: a symmetry that keeps one of them flat is broken by the others.
            let mut step = vec![0.0; p];
            for (n, &e) in flat.iter().enumerate() {
                let share = PROBE * info.weight.sqrt() / (1.0 + n as f64);
                step.iter_mut().zip(direction(e)).for_each(|(s, d)| *s += share * d);
            }
            match rise(model, source, &info.coordinates, &step)? {
                Some(gain) => (
                    PointKind::Saddle,
                    format!(
                        "a saddle: the objective is flat along {of} close by, but EM from a point beside it gains {gain:.2e} nats; start anew elsewhere"
                    ),
                ),
                None => (
                    PointKind::Ridge,
                    format!(
                        "a ridge: the objective is flat along {of}, which the data do not determine; use fewer components"
                    ),
                ),
            }
        } else {
            let detail = format!(
                "an optimum: the objective falls in every direction, {newton:.1e} nats remain; the least known direction ({of}) keeps {:.3} % of the information of complete data",
                100.0 * smallest
            );
            (PointKind::Optimum, detail)
        };
        Ok(Stationarity {
            kind,
            gradient_norm: (2.0 * em).sqrt(),
            nats_to_gain: newton,
            smallest_curvature: smallest,
            direction: named,
            detail,
        })
    }
}

/// The names of the coordinates that move most along a direction, in units of their scales: those of at least a third of the largest.
fn named<M: Identified>(direction: &[f64], info: &Information, model: &M) -> Vec<String> {
    let size: Vec<f64> = direction.iter().zip(&info.scales).map(|(d, s)| (d / s).abs()).collect();
    let mut order: Vec<usize> = (0..size.len()).collect();
    order.sort_by(|&a, &b| size[b].total_cmp(&size[a]));
    let names = model.names();
    let most = order.first().map_or(0.0, |&i| size[i]);
    order.iter().take(3).filter(|&&i| size[i] >= most / 3.0).map(|&i| names[i].clone()).collect()
}

/// How much higher EM comes from a point a step aside than the model is; `None` if it does not.
fn rise<M: Identified>(model: &M, source: &dyn Source, centre: &[f64], step: &[f64]) -> Result<Option<f64>> {
    let mut engine = Threads::new(source);
    let chunks = 0..source.n_chunks();
    let mut objective = |model: &M| -> Result<(f64, _)> {
        let expectation = engine.expect(model, chunks.clone(), Posterior::Soft)?;
        Ok((expectation.log_likelihood + model.log_prior(), expectation.stats))
    };
    let (here, _) = objective(model)?;
    // More than a stationary point may still gain, and more than a sum of that size rounds by.
    let enough = STATIONARY.max(1e-9 * here.abs());
    for sign in [1.0, -1.0] {
        // Shorter where the whole step leaves the valid models.
        let aside = (0..20).find_map(|n| {
            let t = sign * 0.5_f64.powi(n);
            model.with_coordinates(&centre.iter().zip(step).map(|(x, s)| x + t * s).collect::<Vec<f64>>())
        });
        let Some(mut moved) = aside else { continue };
        for _ in 0..PROBE_ITERATIONS {
            let (there, stats) = objective(&moved)?;
            if there - here > enough {
                return Ok(Some(there - here));
            }
            if moved.m_step(&stats)?.iter().any(|h| h.floor_active || h.empty) {
                break;
            }
        }
    }
    Ok(None)
}
