//! The information that the data hold about every coordinate of a model, by one pass, in units of what complete data would tell.

use mixtura_kernels::cholesky::{at, factor, invert_lower, packed_len};

use crate::data::Source;
use crate::engine::sum_chunks;
use crate::error::{Error, Result};
use crate::model::{Derivatives, Identified};

/// Coordinates beyond which the sums of a pass are gigabytes: a few matrices of this order per thread.
const MOST_COORDINATES: usize = 2000;

/// Derivatives of the objective at a model, in coordinates divided by `scales`: the standard errors that complete data would give
/// one coordinate if all others were known. Matrices are packed lower triangles.
pub(super) struct Information {
    pub(super) coordinates: Vec<f64>,
    pub(super) scales: Vec<f64>,
    /// Of the objective.
    pub(super) gradient: Vec<f64>,
    /// Σ w s sᵀ of the log-likelihood.
    pub(super) outer: Vec<f64>,
    /// Expected information of the complete data, with the curvature of the prior; diagonal 1. Positive definite near an optimum.
    pub(super) complete: Vec<f64>,
    /// The same less what is missing: minus the Hessian of the objective (Louis 1982).
    pub(super) observed: Vec<f64>,
    /// Σ w.
    pub(super) weight: f64,
    /// Where there is a prior: the steps with which it was differentiated.
    pub(super) prior: Option<Vec<f64>>,
}

/// Sums of [`Derivatives`] over a source: the same bits on any number of threads.
///
/// # Errors
/// What the model or the source refuse.
pub fn derivatives<M: Identified>(model: &M, source: &dyn Source) -> Result<Derivatives> {
    let zero = Derivatives::new(model.coordinates().len());
    sum_chunks(source, &zero, |chunk, out| model.differentiate(chunk, out))
}

impl Information {
    pub(super) fn new<M: Identified>(model: &M, source: &dyn Source) -> Result<Self> {
        let (coordinates, names) = (model.coordinates(), model.names());
        let p = coordinates.len();
        if p > MOST_COORDINATES {
            return Err(Error::Usage(format!(
                "{p} free parameters are too many for their information matrix (at most {MOST_COORDINATES}): use a simpler structure, or fewer components"
            )));
        }
        let sums = derivatives(model, source)?;
        let prior = prior_steps(model, &sums.complete, sums.weight);
        let (mut complete, mut gradient) = (sums.complete, sums.gradient);
        if let Some(steps) = &prior {
            complete.iter_mut().zip(prior_curvature(model, steps)?).for_each(|(c, b)| *c += b);
            gradient.iter_mut().zip(prior_gradient(model, steps)?).for_each(|(g, b)| *g += b);
        }
        for i in 0..p {
            let information = complete[at(i, i)];
            if !information.is_finite() {
                return Err(edge(&names[i]));
            }
            if information == 0.0 {
                return Err(Error::Data(format!(
                    "the data say nothing of {}: no row with a value there belongs to its component",
                    names[i]
                )));
            }
        }
        // Far from an optimum the information of complete data may be negative.
        let scales: Vec<f64> = (0..p).map(|i| complete[at(i, i)].abs().sqrt().recip()).collect();
        let scaled = |matrix: &[f64]| -> Vec<f64> {
            (0..p)
                .flat_map(|i| (0..=i).map(move |j| (i, j)))
                .map(|(i, j)| matrix[at(i, j)] * scales[i] * scales[j])
                .collect()
        };
        let (complete, missing, outer) = (scaled(&complete), scaled(&sums.missing), scaled(&sums.outer));
        let information = Information {
            gradient: gradient.iter().zip(&scales).map(|(g, s)| g * s).collect(),
            observed: complete.iter().zip(&missing).map(|(c, m)| c - m).collect(),
            outer,
            complete,
            coordinates,
            weight: sums.weight,
            prior,
            scales,
        };
        let all = information.gradient.iter().chain(&information.observed).chain(&information.outer);
        match all.copied().all(f64::is_finite) {
            true => Ok(information),
            false => Err(edge("a parameter")),
        }
    }

    /// The gradient of the objective at another model, in the same scaled coordinates.
    pub(super) fn gradient_at<M: Identified>(&self, model: &M, source: &dyn Source) -> Result<Vec<f64>> {
        let mut gradient = derivatives(model, source)?.gradient;
        if let Some(steps) = &self.prior {
            gradient.iter_mut().zip(prior_gradient(model, steps)?).for_each(|(g, b)| *g += b);
        }
        Ok(gradient.iter().zip(&self.scales).map(|(g, s)| g * s).collect())
    }

    /// A covariance in scaled coordinates (p × p), in those of the model.
    pub(super) fn unscale(&self, covariance: &[f64]) -> Vec<f64> {
        let (p, s) = (self.scales.len(), &self.scales);
        (0..p * p).map(|n| covariance[n] * s[n / p] * s[n % p]).collect()
    }
}

/// The whole of a packed symmetric matrix.
pub(super) fn whole(packed: &[f64], p: usize) -> Vec<f64> {
    (0..p * p).map(|n| packed[at((n / p).max(n % p), (n / p).min(n % p))]).collect()
}

/// Inverse (p × p) of a packed positive definite matrix; `None` where it is not.
pub(super) fn inverse(packed: &[f64], p: usize) -> Option<Vec<f64>> {
    let (mut l, mut inverse) = (packed.to_vec(), vec![0.0; packed_len(p)]);
    factor(&mut l, p).ok()?;
    invert_lower(&l, p, &mut inverse);
    let entry = |i: usize, j: usize| (i.max(j)..p).map(|m| inverse[at(m, i)] * inverse[at(m, j)]).sum();
    Some((0..p * p).map(|n| entry(n / p, n % p)).collect())
}

/// a·b of p × p matrices.
pub(super) fn product(a: &[f64], b: &[f64], p: usize) -> Vec<f64> {
    (0..p * p).map(|n| (0..p).map(|m| a[n / p * p + m] * b[m * p + n % p]).sum()).collect()
}

/// The average of a matrix and its transpose, and the largest difference of the two over the roots of both diagonals.
pub(super) fn symmetric(matrix: &[f64], p: usize) -> (Vec<f64>, f64) {
    let mut worst = 0.0_f64;
    let mut out = matrix.to_vec();
    for i in 0..p {
        for j in 0..i {
            let (a, b) = (matrix[i * p + j], matrix[j * p + i]);
            let size = (matrix[i * p + i].abs() * matrix[j * p + j].abs()).sqrt();
            worst = worst.max((a - b).abs() / size);
            (out[i * p + j], out[j * p + i]) = (0.5 * (a + b), 0.5 * (a + b));
        }
    }
    (out, worst)
}

/// Steps in units of what one row of complete data would tell. A prior is smooth on that scale: Richardson leaves some 1e-8 of its
/// curvature, and rounding (1e-16 over the square of the step) less.
const PRIOR_STEP: f64 = 0.01;

/// The steps with which to differentiate the log prior of a model; `None` if it is 0 all around, as maximum likelihood has it.
fn prior_steps<M: Identified>(model: &M, complete: &[f64], weight: f64) -> Option<Vec<f64>> {
    let centre = model.coordinates();
    let each = centre.iter().enumerate().map(|(i, x)| match PRIOR_STEP * (weight / complete[at(i, i)].abs()).sqrt() {
        h if h.is_finite() && h > 0.0 => h,
        _ => PRIOR_STEP * x.abs().max(f64::MIN_POSITIVE),
    });
    let steps: Vec<f64> = each.collect();
    // A step that leaves the valid models says nothing of the prior.
    let none = |i: usize, h: f64| prior_at(model, &centre, &[(i, h)]).map_or(true, |v| v == 0.0);
    let flat = model.log_prior() == 0.0 && steps.iter().enumerate().all(|(i, h)| none(i, *h) && none(i, -h));
    (!flat).then_some(steps)
}

fn prior_at<M: Identified>(model: &M, centre: &[f64], moves: &[(usize, f64)]) -> Result<f64> {
    let mut x = centre.to_vec();
    moves.iter().for_each(|(i, h)| x[*i] += h);
    model.with_coordinates(&x).map(|m| m.log_prior()).ok_or_else(|| aside(&model.names()[moves[0].0]))
}

/// Richardson's extrapolation of what `f` gives at a step and at half of it.
fn extrapolate(f: impl Fn(f64) -> Result<f64>) -> Result<f64> {
    Ok((4.0 * f(0.5)? - f(1.0)?) / 3.0)
}

fn prior_gradient<M: Identified>(model: &M, steps: &[f64]) -> Result<Vec<f64>> {
    let centre = model.coordinates();
    let value = |i: usize, h: f64| prior_at(model, &centre, &[(i, h)]);
    let slope = |i: usize, h: f64| extrapolate(|t| Ok((value(i, t * h)? - value(i, -t * h)?) / (2.0 * t * h)));
    steps.iter().enumerate().map(|(i, h)| slope(i, *h)).collect()
}

/// Minus the Hessian of the log prior, packed.
fn prior_curvature<M: Identified>(model: &M, steps: &[f64]) -> Result<Vec<f64>> {
    let (centre, here) = (model.coordinates(), model.log_prior());
    let mut curvature = Vec::with_capacity(packed_len(steps.len()));
    for (i, h) in steps.iter().enumerate() {
        for (j, g) in steps.iter().enumerate().take(i + 1) {
            curvature.push(extrapolate(|t| {
                let at = |moves: &[(usize, f64)]| prior_at(model, &centre, moves);
                if i == j {
                    return Ok((2.0 * here - at(&[(i, t * h)])? - at(&[(i, -t * h)])?) / (t * t * h * h));
                }
                let corner = |a: f64, b: f64| at(&[(i, a * t * h), (j, b * t * g)]);
                let sum = corner(1.0, -1.0)? + corner(-1.0, 1.0)? - corner(1.0, 1.0)? - corner(-1.0, -1.0)?;
                Ok(sum / (4.0 * t * t * h * g))
            })?);
        }
    }
    Ok(curvature)
}

/// Why a model cannot be differentiated.
fn edge(name: &str) -> Error {
    Error::Data(format!(
        "the log-likelihood has no derivative: {name} is at the edge of its range, where there are no standard errors"
    ))
}

/// Why a method that needs models near the estimate cannot go on.
pub(super) fn aside(name: &str) -> Error {
    Error::Data(format!(
        "a small step of {name} leaves the valid models: it is at the edge of its range, where there are no standard errors"
    ))
}
