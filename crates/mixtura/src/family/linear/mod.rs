//! Linear regressions with normal noise, one per component: mixtures of regressions (DeSarbo & Cron 1988).
//!
//! A component is kept as the point through which its line goes, the slopes there, and the variance of the noise. With an
//! intercept that point is the weighted mean of the component's rows, which is where a least-squares line goes through: residuals
//! are differences of differences, whatever the data's offset, and the statistics are moments about it. Without one it is the
//! origin.

mod prepare;
mod solve;

pub use prepare::Prepared;

use mixtura_kernels::cholesky::at;
use mixtura_kernels::moments::{self, Strided};
use mixtura_kernels::{Aligned, Isa, TILE};
use rand_distr::{Distribution, StandardNormal};

use super::{ComponentHealth, Differentiable, EMPTY_SHARE, Emission, Health, Range};
use crate::data::{Affine, Rows};
use crate::error::{Error, Result};
use crate::model::Unconstrained;
use crate::seed::Rng;
use crate::stats::{Layout, Moments};

/// K linear regressions of a response on P covariates.
///
/// Rows are P covariates, then the response. The density is that of the response given the covariates, so only the response is
/// drawn by [`Emission::sample`]. A row in which a cell is missing says nothing (right where what is missing does not depend on
/// the response).
///
/// ```
/// use mixtura::family::linear::Linear;
/// // y = 1 + 2x and y = −x, noise of variance 0.25 and 1.
/// let lines = Linear::new(true, 1, vec![1.0, 2.0, 0.0, -1.0], vec![0.25, 1.0])?;
/// assert_eq!(lines.coefficients(1), [0.0, -1.0]);
/// # Ok::<(), mixtura::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Linear {
    intercept: bool,
    n_covariates: usize,
    /// Points on the lines, K × (P + 1): covariates, then the level there. Zeros without an intercept.
    points: Vec<f64>,
    /// K × P.
    slopes: Vec<f64>,
    /// One per component.
    variances: Vec<f64>,
    floor: f64,
}

/// Per-thread memory of an E-step.
#[derive(Debug)]
pub struct Scratch {
    isa: Isa,
    /// (P + 1) × TILE, column by column; rows with a missing cell are zeros.
    columns: Aligned,
    /// The same rows one after the other, where some are missing, and their responsibilities.
    rows: Vec<f64>,
    resp: Vec<f64>,
    /// Rows of the tile with a missing cell.
    missing: Vec<usize>,
    residuals: Aligned,
    work: moments::Work,
}

impl Linear {
    /// Regressions with the given coefficients (K rows: the intercept if there is one, then `n_covariates` slopes) and noise
    /// variances (K). No variance floor.
    ///
    /// # Errors
    /// If sizes do not match, a value is not finite, or a variance is not positive.
    pub fn new(intercept: bool, n_covariates: usize, coefficients: Vec<f64>, variances: Vec<f64>) -> Result<Self> {
        let (p, k) = (n_covariates, variances.len());
        let width = p + usize::from(intercept);
        if k == 0 || coefficients.len() != k * width {
            return Err(Error::Model(format!(
                "{} coefficients and {k} variances do not make regressions of {width} coefficients each",
                coefficients.len()
            )));
        }
        let (mut points, mut slopes) = (vec![0.0; k * (p + 1)], Vec::with_capacity(k * p));
        for c in 0..k {
            let own = &coefficients[c * width..][..width];
            points[c * (p + 1) + p] = if intercept { own[0] } else { 0.0 };
            slopes.extend_from_slice(&own[width - p..]);
        }
        Linear { intercept, n_covariates, points, slopes, variances, floor: 0.0 }.checked()
    }

    /// This bank if its numbers are finite and its variances positive.
    fn checked(self) -> Result<Self> {
        if let Some(bad) = self.points.iter().chain(&self.slopes).find(|v| !v.is_finite()) {
            return Err(Error::Model(format!("a coefficient is {bad}: coefficients must be finite")));
        }
        match self.variances.iter().position(|v| !(*v > 0.0 && v.is_finite())) {
            Some(k) => Err(Error::Model(format!(
                "the noise variance of component {k} is {}: it must be positive and finite",
                self.variances[k]
            ))),
            None => Ok(self),
        }
    }

    /// These regressions with a least noise variance for later M-steps: 0 for none.
    pub fn with_floor(mut self, floor: f64) -> Self {
        self.floor = floor;
        self
    }

    /// The least noise variance of its M-steps.
    pub fn floor(&self) -> f64 {
        self.floor
    }

    /// Whether there is an intercept.
    pub fn intercept(&self) -> bool {
        self.intercept
    }

    /// Number of covariates P.
    pub fn n_covariates(&self) -> usize {
        self.n_covariates
    }

    /// The coefficients of component `k`: the intercept if there is one, then the slopes.
    pub fn coefficients(&self, k: usize) -> Vec<f64> {
        let at_zero = self.intercept.then(|| self.predict(k, &vec![0.0; self.n_covariates]));
        at_zero.into_iter().chain(self.slopes(k).iter().copied()).collect()
    }

    /// The slopes of component `k`.
    pub fn slopes(&self, k: usize) -> &[f64] {
        &self.slopes[k * self.n_covariates..][..self.n_covariates]
    }

    /// The noise variance of component `k`.
    pub fn variance(&self, k: usize) -> f64 {
        self.variances[k]
    }

    /// The expected response of component `k` at the given covariates.
    ///
    /// # Panics
    /// If there are not P covariates.
    pub fn predict(&self, k: usize, covariates: &[f64]) -> f64 {
        assert_eq!(covariates.len(), self.n_covariates);
        let (at, level) = self.point(k);
        level + covariates.iter().zip(at).zip(self.slopes(k)).map(|((x, at), b)| (x - at) * b).sum::<f64>()
    }

    /// The covariates and the level of the point through which the line of component `k` goes.
    fn point(&self, k: usize) -> (&[f64], f64) {
        let point = &self.points[k * (self.n_covariates + 1)..][..=self.n_covariates];
        (&point[..self.n_covariates], point[self.n_covariates])
    }

    /// The same regressions seen through a map of the columns: standardised to original (`forward = false`) or original to
    /// standardised (`true`).
    ///
    /// # Errors
    /// If numbers leave the range, or a column is shifted and there is no intercept.
    pub fn map(&self, affine: &Affine, forward: bool) -> Result<Self> {
        let p = self.n_covariates;
        if !self.intercept && affine.shift.iter().any(|s| *s != 0.0) {
            return Err(Error::Model("regressions without an intercept cannot follow a shift of the columns".into()));
        }
        let scale = |j: usize| if forward { 1.0 / affine.scale[j] } else { affine.scale[j] };
        let mut next = self.clone();
        for (i, x) in next.points.iter_mut().enumerate() {
            let j = i % (p + 1);
            *x = if forward { (*x - affine.shift[j]) * scale(j) } else { *x * scale(j) + affine.shift[j] };
        }
        next.slopes.iter_mut().enumerate().for_each(|(i, b)| *b = *b / scale(i % p) * scale(p));
        next.variances.iter_mut().for_each(|v| *v = *v * scale(p) * scale(p));
        next.floor = self.floor * scale(p) * scale(p);
        next.checked()
    }

    /// The M-step for coefficients, noise or both.
    fn improve(&mut self, stats: &Moments, coefficients: bool, noise: bool) -> Result<Health> {
        let (p, d) = (self.n_covariates, self.n_features());
        let total: f64 = stats.weight.iter().sum();
        let mut health = vec![ComponentHealth::default(); self.n_components()];
        let mut solver = solve::Solver::new(p);
        for (k, health) in health.iter_mut().enumerate() {
            if stats.weight[k] <= EMPTY_SHARE * total {
                health.empty = true;
                continue;
            }
            let (slopes, point) = (&mut self.slopes[k * p..][..p], &mut self.points[k * d..][..d]);
            let variance = match coefficients {
                true => solver.solve(stats, k, self.intercept, slopes).variance,
                false => solver.residual(stats, k, point, slopes),
            };
            if noise {
                health.floor_active = self.floor > 0.0 && variance < self.floor;
                self.variances[k] = variance.max(self.floor);
            }
            if coefficients && self.intercept {
                let mean = point.iter_mut().zip(stats.pivot[k * d..].iter().zip(&solver.mean));
                mean.for_each(|(point, (pivot, mean))| *point = pivot + mean);
            }
            let numbers = self.points[k * d..][..d].iter().chain(&self.slopes[k * p..][..p]);
            if !(self.variances[k] > 0.0 && self.variances[k].is_finite() && numbers.copied().all(f64::is_finite)) {
                return Err(Error::Degenerate(format!(
                    "the regression of component {k} fits its rows without any noise: set a variance floor or use fewer components"
                )));
            }
        }
        Ok(health)
    }
}

impl Emission for Linear {
    type Stats = Moments;
    type Scratch = Scratch;

    fn n_components(&self) -> usize {
        self.variances.len()
    }

    /// The covariates and the response.
    fn n_features(&self) -> usize {
        self.n_covariates + 1
    }

    fn empty_stats(&self) -> Moments {
        Moments::new(Layout::Full, self.n_features(), self.points.clone())
    }

    fn scratch(&self) -> Scratch {
        let d = self.n_features();
        Scratch {
            isa: Isa::detect(),
            columns: Aligned::zeros(d * TILE),
            rows: vec![0.0; d * TILE],
            resp: vec![0.0; TILE],
            missing: Vec::with_capacity(TILE),
            residuals: Aligned::zeros(TILE),
            work: moments::Work::new(d),
        }
    }

    fn log_density(&self, rows: Rows<'_>, s: &mut Scratch, out: &mut [f64]) {
        let (p, n) = (self.n_covariates, rows.n_rows());
        s.missing.clear();
        for t in 0..n {
            let row = rows.row(t);
            let missing = row.iter().fold(false, |any, x| any | x.is_nan());
            if missing {
                s.missing.push(t);
            }
            row.iter().enumerate().for_each(|(j, x)| s.columns[j * TILE + t] = if missing { 0.0 } else { *x });
        }
        for (k, out) in out.chunks_mut(TILE).take(self.n_components()).enumerate() {
            let ((at, level), out) = (self.point(k), &mut out[..n]);
            let residuals = &mut s.residuals[..n];
            residuals.iter_mut().zip(&s.columns[p * TILE..]).for_each(|(e, y)| *e = y - level);
            for (column, (at, b)) in s.columns.chunks(TILE).zip(at.iter().zip(self.slopes(k))) {
                residuals.iter_mut().zip(column).for_each(|(e, x)| *e -= (x - at) * b);
            }
            let inverse = 1.0 / self.variances[k].sqrt();
            let peak = -0.5 * (std::f64::consts::TAU.ln() + self.variances[k].ln());
            for (o, e) in out.iter_mut().zip(residuals) {
                let z = *e * inverse;
                *o = peak - 0.5 * (z * z);
            }
            s.missing.iter().for_each(|&t| out[t] = 0.0);
        }
    }

    fn accumulate(&self, rows: Rows<'_>, resp: &[f64], s: &mut Scratch, stats: &mut Moments) {
        let (d, n) = (self.n_features(), rows.n_rows());
        if !s.missing.is_empty() {
            for t in 0..n {
                (0..d).for_each(|j| s.rows[t * d + j] = s.columns[j * TILE + t]);
            }
        }
        for k in 0..self.n_components() {
            let pivot = &self.points[k * d..][..d];
            let (first, second) = stats.component_mut(k);
            let resp = &resp[k * TILE..][..n];
            stats.weight[k] += if s.missing.is_empty() {
                let cells = Strided { values: rows.values(), stride: rows.stride() };
                moments::full(s.isa, cells, resp, pivot, &mut s.work, first, second)
            } else {
                s.resp[..n].copy_from_slice(resp);
                s.missing.iter().for_each(|&t| s.resp[t] = 0.0);
                let cells = Strided { values: &s.rows, stride: d };
                moments::full(s.isa, cells, &s.resp[..n], pivot, &mut s.work, first, second)
            };
        }
    }

    /// Weighted least squares. In a direction in which the rows of a component do not vary its slopes stay.
    fn maximize(&mut self, stats: &Moments) -> Result<Health> {
        self.improve(stats, true, true)
    }

    /// The coefficients, then the noise.
    fn n_blocks(&self) -> usize {
        2
    }

    fn maximize_block(&mut self, block: usize, stats: &Moments) -> Result<Health> {
        self.improve(stats, block == 0, block != 0)
    }

    /// Points, slopes, variances.
    fn parameters(&self) -> Vec<f64> {
        [&self.points[..], &self.slopes, &self.variances].concat()
    }

    fn with_parameters(&self, parameters: &[f64]) -> Option<Self> {
        let (p, d) = (self.n_covariates, self.n_features());
        let k = parameters.len() / (d + p + 1);
        (k > 0 && parameters.len() == k * (d + p + 1)).then_some(())?;
        let (points, rest) = parameters.split_at(k * d);
        let (slopes, variances) = rest.split_at(k * p);
        (self.intercept || points.iter().all(|x| *x == 0.0)).then_some(())?;
        let (points, slopes, variances) = (points.to_vec(), slopes.to_vec(), variances.to_vec());
        Linear { points, slopes, variances, ..self.clone() }.checked().ok()
    }

    fn select_components(&mut self, keep: &[usize]) {
        let (p, d) = (self.n_covariates, self.n_features());
        let pick = |from: &[f64], len: usize| keep.iter().flat_map(|&k| from[k * len..][..len].to_vec()).collect();
        self.points = pick(&self.points, d);
        self.slopes = pick(&self.slopes, p);
        self.variances = pick(&self.variances, 1);
    }

    fn set_component(&mut self, k: usize, from: &Self, j: usize) {
        let (p, d) = (self.n_covariates, self.n_features());
        self.points[k * d..][..d].copy_from_slice(&from.points[j * d..][..d]);
        self.slopes[k * p..][..p].copy_from_slice(from.slopes(j));
        self.variances[k] = from.variances[j];
    }

    /// Coefficients and noise variances.
    fn n_free_parameters(&self) -> usize {
        self.n_components() * (self.n_covariates + usize::from(self.intercept) + 1)
    }

    /// The response; the covariates are read from the cells before it.
    fn sample(&self, component: usize, rng: &mut Rng, out: &mut [f64]) {
        let z: f64 = StandardNormal.sample(rng);
        let (y, covariates) = out.split_last_mut().expect("a response");
        *y = self.predict(component, covariates) + self.variances[component].sqrt() * z;
    }
}

/// For every component the coefficients, then log σ of all.
impl Unconstrained for Linear {
    fn to_vector(&self) -> Vec<f64> {
        let coefficients = (0..self.n_components()).flat_map(|k| self.coefficients(k));
        coefficients.chain(self.variances.iter().map(|v| 0.5 * v.ln())).collect()
    }

    fn with_vector(&self, vector: &[f64]) -> Option<Self> {
        let (p, k) = (self.n_covariates, self.n_components());
        let width = p + usize::from(self.intercept);
        let (coefficients, log_sd) = vector.split_at_checked(k * width)?;
        let mut next = self.clone();
        next.variances = log_sd.iter().map(|l| (2.0 * l).exp()).collect();
        for c in 0..k {
            let own = &coefficients[c * width..][..width];
            next.slopes[c * p..][..p].copy_from_slice(&own[width - p..]);
            if self.intercept {
                // The line keeps its point's covariates, where its level is known best.
                let (at, slopes) = (self.point(c).0, &own[1..]);
                next.points[c * (p + 1) + p] = own[0] + at.iter().zip(slopes).map(|(x, b)| x * b).sum::<f64>();
            }
        }
        let on_floor = next.variances.iter().any(|v| *v < self.floor);
        (next.variances.len() == k && !on_floor).then(|| next.checked().ok()).flatten()
    }
}

/// For every component the coefficients, then the standard deviations σ of the noise of all.
impl Differentiable for Linear {
    fn coordinates(&self) -> Vec<f64> {
        let coefficients = (0..self.n_components()).flat_map(|k| self.coefficients(k));
        coefficients.chain(self.variances.iter().map(|v| v.sqrt())).collect()
    }

    fn names(&self) -> Vec<String> {
        let (k, width) = (self.n_components(), self.n_covariates + usize::from(self.intercept));
        let coefficients = (0..k * width).map(|i| format!("coefficient[{}][{}]", i / width, i % width));
        coefficients.chain((0..k).map(|c| format!("sigma[{c}]"))).collect()
    }

    fn ranges(&self) -> Vec<Range> {
        let k = self.n_components();
        [vec![Range::Real; self.slopes.len() + k * usize::from(self.intercept)], vec![Range::Positive; k]].concat()
    }

    fn with_coordinates(&self, coordinates: &[f64]) -> Option<Self> {
        let k = self.n_components();
        let (coefficients, sigma) = coordinates.split_at_checked(coordinates.len().checked_sub(k)?)?;
        if !sigma.iter().all(|s| *s > 0.0) {
            return None;
        }
        let vector: Vec<f64> = coefficients.iter().copied().chain(sigma.iter().map(|s| s.ln())).collect();
        (vector.len() == self.n_free_parameters()).then(|| self.with_vector(&vector)).flatten()
    }

    fn coordinates_of(&self, k: usize) -> Vec<usize> {
        let width = self.n_covariates + usize::from(self.intercept);
        (k * width..(k + 1) * width).chain([self.n_components() * width + k]).collect()
    }

    /// With e the residual and x its covariates (1 first where there is an intercept): ∂β = e x / σ², ∂σ = (e²/σ² − 1)/σ.
    fn differentiate(&self, k: usize, row: &[f64], gradient: &mut [f64], curvature: &mut [f64]) {
        gradient.fill(0.0);
        curvature.fill(0.0);
        if row.iter().any(|x| x.is_nan()) {
            return;
        }
        let (y, covariates) = row.split_last().expect("a response");
        let (first, last, sigma) = (usize::from(self.intercept), gradient.len() - 1, self.variances[k].sqrt());
        let z = (y - self.predict(k, covariates)) / sigma;
        let x = |i: usize| if i < first { 1.0 } else { covariates[i - first] } / sigma;
        for i in 0..last {
            gradient[i] = z * x(i);
            (0..=i).for_each(|j| curvature[at(i, j)] = x(i) * x(j));
            curvature[at(last, i)] = 2.0 * z * x(i) / sigma;
        }
        gradient[last] = (z * z - 1.0) / sigma;
        curvature[at(last, last)] = (3.0 * z * z - 1.0) / (sigma * sigma);
    }
}
