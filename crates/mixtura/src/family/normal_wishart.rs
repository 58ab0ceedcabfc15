//! Gaussian components whose means and precisions have a normal–Wishart posterior: the family of variational Bayes.
//!
//! For each component q(μ, Λ) = N(μ | m, (κΛ)⁻¹) W(Λ | W, ν) (Bishop 2006, §10.2.1; Attias 2000). What is stored is m, κ, ν and
//! E\[Λ\]⁻¹ = W⁻¹/ν, the last as a bank of Gaussians: E\[log N(x | μ, Λ⁻¹)\] is the log-density of that bank plus a number per
//! component, so density kernels, moments and missing cells are those of [`Gaussian`].
//!
//! | structure | Λ | posterior |
//! |---|---|---|
//! | full | a matrix per component | Wishart(W_k, ν_k) |
//! | tied | one matrix for all | Wishart(W, ν), all means normal given it |
//! | diag | a number per component and feature | Gamma(ν_k/2, s_kj/2), s = 1/W |
//! | spherical | a number per component | Gamma(Dν_k/2, Ds_k/2) |
//!
//! ν counts rows everywhere: spherical precisions learn D numbers from each. Every M-step is the exact maximum of the bound.
//!
//! Missing cells are latent, like the component: q(z, x_m) q(μ, Λ), with x_m normal given z. Its maximum is the E-step of
//! [`Gaussian`] at E\[Λ\]⁻¹. A cell that is not there counts in ν, at the value and the variance that it is expected to have.

use mixtura_kernels::{TILE, cholesky::at};

use super::gaussian::{Gaussian, Scratch, Structure};
use super::{ComponentHealth, Emission, Health};
use crate::data::{Affine, Rows};
use crate::error::{Error, Result};
use crate::seed::Rng;
use crate::special::{LARGEST_PRIOR, multivariate_digamma_less_ln, multivariate_ln_gamma};
use crate::stats::{Layout, Moments};

/// The prior of every component: p(μ | Λ) = N(m₀, (κ₀Λ)⁻¹), p(Λ) = W(W₀, ν₀).
#[derive(Clone, Debug, PartialEq)]
pub struct Prior {
    /// m₀, one number per feature.
    pub mean: Vec<f64>,
    /// κ₀ > 0: the number of rows that the prior mean is worth.
    pub mean_precision: f64,
    /// ν₀: the number of rows that the prior covariance is worth; above D − 1 for full and tied, above 0 otherwise.
    /// None of the numbers may be above 1e12.
    pub degrees_of_freedom: f64,
    /// W₀⁻¹, D × D row-major in units of a covariance, of the structure's shape (`diag`: diagonal; `spherical`: s₀ on it).
    pub scale: Vec<f64>,
}

/// K normal–Wishart posteriors and the prior that they share.
///
/// ```
/// use mixtura::family::gaussian::Structure;
/// use mixtura::family::normal_wishart::{NormalWishart, Prior};
/// let prior = Prior { mean: vec![0.0], mean_precision: 1.0, degrees_of_freedom: 2.0, scale: vec![6.0] };
/// let bank = NormalWishart::new(Structure::Full, 3, &prior)?;
/// // Before any row is seen: E[Λ]⁻¹ = W₀⁻¹ / ν₀.
/// assert_eq!(bank.point().covariance(0), [3.0]);
/// # Ok::<(), mixtura::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct NormalWishart {
    /// Means m, covariances E\[Λ\]⁻¹.
    point: Gaussian,
    /// κ, one per component.
    mean_precision: Vec<f64>,
    /// ν, one per covariance.
    degrees_of_freedom: Vec<f64>,
    /// m₀ and W₀⁻¹/ν₀, one component.
    prior: Gaussian,
    prior_mean_precision: f64,
    prior_degrees_of_freedom: f64,
    /// Added to the variance of each feature of every row in the M-step.
    added: Vec<f64>,
    /// E\[log N(x | μ, Λ⁻¹)\] less the log-density of `point`, one per component.
    offsets: Vec<f64>,
    /// KL(q ‖ p).
    kl: f64,
}

impl NormalWishart {
    /// K components that have seen no row: each posterior is the prior.
    ///
    /// # Errors
    /// If sizes do not match, or a number makes no prior (see [`Prior`]).
    pub fn new(structure: Structure, n_components: usize, prior: &Prior) -> Result<Self> {
        let (d, nu) = (prior.mean.len(), prior.degrees_of_freedom);
        if n_components == 0 {
            return Err(Error::Usage("a mixture needs at least one component".into()));
        }
        if !(prior.mean_precision > 0.0 && prior.mean_precision <= LARGEST_PRIOR) {
            return Err(Error::Usage(format!(
                "the prior mean precision is {}: use a positive number up to {LARGEST_PRIOR:e}",
                prior.mean_precision
            )));
        }
        let least = least_degrees_of_freedom(structure, d);
        if !(nu > least && nu <= LARGEST_PRIOR) {
            return Err(Error::Usage(format!(
                "the prior degrees of freedom are {nu}: {} precisions of {d} columns need more than {least}, and at most {LARGEST_PRIOR:e}",
                structure.name()
            )));
        }
        let covariance = prior.scale.iter().map(|s| s / nu).collect();
        let one = Gaussian::new(structure, d, prior.mean.clone(), covariance)
            .map_err(|e| Error::Usage(format!("the covariance prior cannot be used: {e}")))?;
        let mut point = one.clone();
        point.select_components(&vec![0; n_components]);
        let mut bank = NormalWishart {
            point,
            mean_precision: vec![prior.mean_precision; n_components],
            degrees_of_freedom: vec![nu; structure.n_blocks(n_components)],
            prior: one,
            prior_mean_precision: prior.mean_precision,
            prior_degrees_of_freedom: nu,
            added: vec![0.0; d],
            offsets: Vec::new(),
            kl: 0.0,
        };
        bank.refresh();
        Ok(bank)
    }

    /// The same with a number per feature that every M-step adds to the variance of its rows (scikit-learn's `reg_covar`).
    /// With other numbers than 0 the M-step is no longer the maximum of the bound, which may then fall by a little.
    pub fn with_added(self, added: Vec<f64>) -> Self {
        assert_eq!(added.len(), self.added.len());
        NormalWishart { added, ..self }
    }

    /// The same prior with posteriors that are known: means m and covariances E\[Λ\]⁻¹, κ of each component, ν of each
    /// covariance (one in all for `tied`).
    ///
    /// # Errors
    /// If structures or sizes do not match, or the numbers make no distribution.
    pub fn with_posteriors(
        self,
        point: Gaussian,
        mean_precision: Vec<f64>,
        degrees_of_freedom: Vec<f64>,
    ) -> Result<Self> {
        let (structure, k, d) = (self.structure(), point.n_components(), point.n_features());
        if (point.structure(), d) != (structure, self.point.n_features()) {
            return Err(Error::Model(format!(
                "{} components of {d} columns do not fit a prior for {} ones of {}",
                point.structure().name(),
                structure.name(),
                self.point.n_features()
            )));
        }
        if (mean_precision.len(), degrees_of_freedom.len()) != (k, structure.n_blocks(k)) {
            return Err(Error::Model(format!(
                "{} mean precisions and {} degrees of freedom are given for {k} {} components",
                mean_precision.len(),
                degrees_of_freedom.len(),
                structure.name()
            )));
        }
        if let Some(bad) = mean_precision.iter().find(|v| !(**v > 0.0 && v.is_finite())) {
            return Err(Error::Model(format!("a mean precision is {bad}: it must be positive and finite")));
        }
        let least = least_degrees_of_freedom(structure, d);
        if let Some(bad) = degrees_of_freedom.iter().find(|v| !(**v > least && v.is_finite())) {
            return Err(Error::Model(format!("degrees of freedom are {bad}: they must be finite and above {least}")));
        }
        let mut bank = NormalWishart { point, mean_precision, degrees_of_freedom, ..self };
        bank.refresh();
        Ok(bank)
    }

    /// Means m and covariances E\[Λ\]⁻¹ = W⁻¹/ν.
    pub fn point(&self) -> &Gaussian {
        &self.point
    }

    /// The structure of the precisions.
    pub fn structure(&self) -> Structure {
        self.point.structure()
    }

    /// κ of component `k`: how many rows its mean rests on, the prior's included.
    pub fn mean_precision(&self, k: usize) -> f64 {
        self.mean_precision[k]
    }

    /// ν of component `k`; the same for all where the precision is `tied`.
    pub fn degrees_of_freedom(&self, k: usize) -> f64 {
        self.degrees_of_freedom[self.structure().block_of(k)]
    }

    /// The prior, in the bank's own units.
    pub fn prior(&self) -> Prior {
        let nu = self.prior_degrees_of_freedom;
        Prior {
            mean: self.prior.mean(0).to_vec(),
            mean_precision: self.prior_mean_precision,
            degrees_of_freedom: nu,
            scale: self.prior.covariance(0).iter().map(|c| c * nu).collect(),
        }
    }

    /// The same posteriors seen through a map of the columns, as [`Gaussian::map`].
    ///
    /// # Errors
    /// As [`Gaussian::map`].
    pub fn map(&self, affine: &Affine, forward: bool) -> Result<Self> {
        let scale = affine.scale.iter().map(|s| if forward { 1.0 / s } else { *s });
        let mut mapped = NormalWishart {
            point: self.point.map(affine, forward)?,
            prior: self.prior.map(affine, forward)?,
            added: self.added.iter().zip(scale).map(|(a, s)| a * s * s).collect(),
            ..self.clone()
        };
        mapped.refresh();
        Ok(mapped)
    }

    /// Dimension of each Wishart, number of them per covariance, and observations that each draws from a row: a diagonal
    /// precision is D Wisharts of dimension 1, a spherical one is a single one that sees D observations.
    fn wisharts(&self) -> (usize, usize, f64) {
        let d = self.point.n_features();
        match self.structure() {
            Structure::Full | Structure::Tied => (d, 1, 1.0),
            Structure::Diag => (1, d, 1.0),
            Structure::Spherical => (1, 1, d as f64),
        }
    }

    /// Recomputes what follows from the parameters: offsets and KL.
    fn refresh(&mut self) {
        let (k, d) = (self.point.n_components(), self.point.n_features() as f64);
        let (order, count, each) = self.wisharts();
        let less_ln = |nu: f64| multivariate_digamma_less_ln(0.5 * each * nu, order);
        // ½ (E[log|Λ|] − log|E[Λ]|) − D/2κ (Bishop 2006, eqs 10.64 and 10.65); log|E[Λ]| is in the density of `point`.
        self.offsets = (0..k)
            .map(|c| {
                let features_per_wishart = d / order as f64;
                0.5 * features_per_wishart * less_ln(self.degrees_of_freedom(c)) - 0.5 * d / self.mean_precision[c]
            })
            .collect();
        let blocks: f64 = (0..self.degrees_of_freedom.len())
            .map(|b| {
                let nu = self.degrees_of_freedom[b];
                let (a, a0) = (0.5 * each * nu, 0.5 * each * self.prior_degrees_of_freedom);
                let (log_ratio, trace) = self.against_prior(b);
                // KL of two Wisharts of dimension `order` (its E[log|Λ|] from eq. B.81): the gamma functions `count` times.
                let ratio = d * (nu / self.prior_degrees_of_freedom).ln() + log_ratio;
                let gammas = multivariate_ln_gamma(a0, order) - multivariate_ln_gamma(a, order)
                    + (a - a0) * (less_ln(nu) + order as f64 * a.ln());
                count as f64 * gammas + 0.5 * (self.prior_degrees_of_freedom * (ratio + trace) - d * nu)
            })
            .sum();
        let means: f64 = (0..k)
            .map(|c| {
                let ratio = self.prior_mean_precision / self.mean_precision[c];
                0.5 * (d * (ratio - 1.0 - ratio.ln()) + self.prior_mean_precision * self.distance_from_prior(c))
            })
            .sum();
        self.kl = blocks + means;
    }

    /// log|Σ| − log|Σ₀| and tr(Σ₀Σ⁻¹), where Σ = E\[Λ\]⁻¹ of covariance `b` and Σ₀ that of the prior.
    fn against_prior(&self, b: usize) -> (f64, f64) {
        let d = self.point.n_features();
        if self.structure().layout() == Layout::Diagonal {
            let pairs = self.point.block(b).iter().zip(self.prior.block(0));
            return pairs.fold((0.0, 0.0), |(log, trace), (v, v0)| (log + (v / v0).ln(), trace + v0 / v));
        }
        let (inverse, inverse0, sigma0) = (self.point.whitening(b), self.prior.whitening(0), self.prior.block(0));
        let log = (0..d).map(|i| 2.0 * (inverse0[at(i, i)] / inverse[at(i, i)]).ln()).sum();
        (log, trace(inverse, sigma0, d))
    }

    /// Σ r E\[log N(x | μ, Λ⁻¹)\] over the rows and responsibilities r that some statistics sum up; `with_added`: the rows'
    /// variances counted as the M-step counts them, with its addition.
    pub(crate) fn expected_log_density(&self, stats: &Moments, with_added: bool) -> f64 {
        let (d, layout) = (self.point.n_features(), self.structure().layout());
        let (mut mean, mut second) = (vec![0.0; d], vec![0.0; layout.len(d)]);
        let mut sum = 0.0;
        for c in (0..self.point.n_components()).filter(|&c| stats.weight[c] > EMPTY) {
            stats.mean_and_covariance(c, &mut mean, &mut second);
            // From here on `mean` is x̄ − m, and `second` are moments about m.
            for j in 0..d {
                mean[j] += stats.pivot[c * d + j] - self.point.mean(c)[j];
            }
            let added = |j: usize| if with_added { self.added[j] } else { 0.0 };
            let (log_scale, distance): (f64, f64) = match layout {
                Layout::Full => {
                    for i in 0..d {
                        second[at(i, i)] += added(i);
                        (0..=i).for_each(|j| second[at(i, j)] += mean[i] * mean[j]);
                    }
                    let inverse = self.point.whitening(c);
                    ((0..d).map(|i| inverse[at(i, i)].ln()).sum(), trace(inverse, &second, d))
                }
                Layout::Diagonal => {
                    let terms = self.point.block(c).iter().enumerate();
                    terms.fold((0.0, 0.0), |(log, distance), (j, v)| {
                        (log - 0.5 * v.ln(), distance + (second[j] + added(j) + mean[j] * mean[j]) / v)
                    })
                }
            };
            let ln_2_pi = (2.0 * std::f64::consts::PI).ln();
            sum += stats.weight[c] * (self.offsets[c] + log_scale - 0.5 * (d as f64 * ln_2_pi + distance));
        }
        sum
    }

    /// (m − m₀)ᵀ E\[Λ\] (m − m₀) of component `k`.
    fn distance_from_prior(&self, k: usize) -> f64 {
        let difference: Vec<f64> = self.point.mean(k).iter().zip(self.prior.mean(0)).map(|(m, m0)| m - m0).collect();
        if self.structure().layout() == Layout::Diagonal {
            return difference.iter().zip(self.point.block(k)).map(|(x, v)| x / v * x).sum();
        }
        let inverse = self.point.whitening(k);
        (0..difference.len())
            .map(|i| (0..=i).map(|j| inverse[at(i, j)] * difference[j]).sum::<f64>())
            .map(|y| y * y)
            .sum()
    }
}

/// ν must be above this for a Wishart distribution to exist.
fn least_degrees_of_freedom(structure: Structure, d: usize) -> f64 {
    if structure.layout() == Layout::Full { d as f64 - 1.0 } else { 0.0 }
}

/// tr(AΣ⁻¹) for a packed A and Σ⁻¹ = L⁻ᵀL⁻¹: the sum of ℓᵀAℓ over the rows ℓ of L⁻¹.
fn trace(inverse: &[f64], a: &[f64], d: usize) -> f64 {
    let mut trace = 0.0;
    for i in 0..d {
        for p in 0..=i {
            let line: f64 = (0..=i).map(|q| a[at(p.max(q), p.min(q))] * inverse[at(i, q)]).sum();
            trace += inverse[at(i, p)] * line;
        }
    }
    trace
}

/// Below this weight a component counts as empty: its moments would have lost digits to underflow. Nothing larger may be
/// cut off: a component that fades away would let the bound fall.
const EMPTY: f64 = 1e-200;

impl Emission for NormalWishart {
    type Stats = Moments;
    type Scratch = Scratch;

    fn n_components(&self) -> usize {
        self.point.n_components()
    }

    fn n_features(&self) -> usize {
        self.point.n_features()
    }

    fn empty_stats(&self) -> Moments {
        self.point.empty_stats()
    }

    fn scratch(&self) -> Scratch {
        self.point.scratch()
    }

    /// E\[log N(x | μ, Λ⁻¹)\] under the posterior.
    fn log_density(&self, rows: Rows<'_>, scratch: &mut Scratch, out: &mut [f64]) {
        self.point.log_density(rows, scratch, out);
        for (line, offset) in out.chunks_mut(TILE).zip(&self.offsets) {
            line[..rows.n_rows()].iter_mut().for_each(|v| *v += offset);
        }
    }

    fn accumulate(&self, rows: Rows<'_>, resp: &[f64], scratch: &mut Scratch, stats: &mut Moments) {
        self.point.accumulate(rows, resp, scratch, stats);
    }

    /// Bishop (2006), eqs 10.60 to 10.63. A component without rows goes back to the prior, which is no failure.
    fn maximize(&mut self, stats: &Moments) -> Result<Health> {
        let (k, d, structure) = (self.n_components(), self.n_features(), self.structure());
        let (kappa0, nu0) = (self.prior_mean_precision, self.prior_degrees_of_freedom);
        let (len, blocks) = (structure.layout().len(d), structure.n_blocks(k));
        // W⁻¹, until it is divided by ν.
        let mut scales: Vec<f64> = self.prior.block(0).iter().map(|c| c * nu0).collect::<Vec<_>>().repeat(blocks);
        let mut means = self.prior.mean(0).repeat(k);
        let mut nu = vec![nu0; blocks];
        let (mut mean, mut covariance) = (vec![0.0; d], vec![0.0; len]);
        for c in 0..k {
            let n = if stats.weight[c] > EMPTY { stats.weight[c] } else { 0.0 };
            let kappa = kappa0 + n;
            self.mean_precision[c] = kappa;
            if n == 0.0 {
                continue;
            }
            nu[structure.block_of(c)] += n;
            stats.mean_and_covariance(c, &mut mean, &mut covariance);
            // From here on `mean` is x̄ − m₀.
            for j in 0..d {
                mean[j] += stats.pivot[c * d + j] - self.prior.mean(0)[j];
                means[c * d + j] += n / kappa * mean[j];
            }
            let scale = &mut scales[structure.block_of(c) * len..][..len];
            let shrink = kappa0 / kappa;
            match structure.layout() {
                Layout::Full => {
                    for i in 0..d {
                        covariance[at(i, i)] += self.added[i];
                        for j in 0..=i {
                            scale[at(i, j)] += n * (covariance[at(i, j)] + shrink * mean[i] * mean[j]);
                        }
                    }
                }
                Layout::Diagonal => {
                    for j in 0..d {
                        covariance[j] += self.added[j] + shrink * mean[j] * mean[j];
                    }
                    if structure == Structure::Spherical {
                        let average = covariance.iter().sum::<f64>() / d as f64;
                        covariance.fill(average);
                    }
                    scale.iter_mut().zip(&covariance).for_each(|(s, v)| *s += n * v);
                }
            }
        }
        for (block, nu) in scales.chunks_mut(len).zip(&nu) {
            block.iter_mut().for_each(|s| *s /= nu);
        }
        self.degrees_of_freedom = nu;
        self.point = self.point.with_parameters(&[means, scales].concat()).ok_or_else(|| {
            Error::Degenerate(
                "a posterior covariance is not positive definite: widen the covariance prior or leave out columns that depend on each other".into(),
            )
        })?;
        self.refresh();
        Ok(vec![ComponentHealth::default(); k])
    }

    /// K, mean precisions, degrees of freedom, then means and covariances E\[Λ\]⁻¹.
    fn parameters(&self) -> Vec<f64> {
        let k = self.n_components() as f64;
        [vec![k], self.mean_precision.clone(), self.degrees_of_freedom.clone(), self.point.parameters()].concat()
    }

    fn with_parameters(&self, parameters: &[f64]) -> Option<Self> {
        let (&k, rest) = parameters.split_first()?;
        let (mean_precision, rest) = rest.split_at_checked(k as usize)?;
        let (degrees_of_freedom, rest) = rest.split_at_checked(self.structure().n_blocks(k as usize))?;
        let valid = mean_precision.iter().chain(degrees_of_freedom).all(|v| *v > 0.0 && v.is_finite());
        let point = self.point.with_parameters(rest)?;
        (valid && point.n_components() == mean_precision.len()).then_some(())?;
        let mut bank = NormalWishart {
            point,
            mean_precision: mean_precision.to_vec(),
            degrees_of_freedom: degrees_of_freedom.to_vec(),
            ..self.clone()
        };
        bank.refresh();
        Some(bank)
    }

    fn select_components(&mut self, keep: &[usize]) {
        let nu: Vec<f64> = keep.iter().map(|&k| self.degrees_of_freedom(k)).collect();
        self.mean_precision = keep.iter().map(|&k| self.mean_precision[k]).collect();
        self.degrees_of_freedom = nu[..self.structure().n_blocks(keep.len())].to_vec();
        self.point.select_components(keep);
        self.refresh();
    }

    fn set_component(&mut self, k: usize, from: &Self, j: usize) {
        self.point.set_component(k, &from.point, j);
        self.mean_precision[k] = from.mean_precision[j];
        if self.structure() != Structure::Tied {
            self.degrees_of_freedom[k] = from.degrees_of_freedom[j];
        }
        self.refresh();
    }

    /// −KL(posterior ‖ prior).
    fn log_prior(&self) -> f64 {
        -self.kl
    }

    fn n_free_parameters(&self) -> usize {
        self.point.n_free_parameters()
    }

    /// A row of the Gaussian at the posterior's means and E\[Λ\]⁻¹.
    fn sample(&self, component: usize, rng: &mut Rng, out: &mut [f64]) {
        self.point.sample(component, rng, out);
    }
}
