//! Gaussian components with full, tied, diagonal or spherical covariances.
//!
//! Parameters: means K × D; covariances either one packed symmetric matrix per component (one in all for `tied`) or
//! one vector of variances per component (equal entries for `spherical`). The structure decides the M-step only, so a
//! further structure (mclust's fourteen) is one more file beside `structure.rs`'s four rules.

mod conjugate;
mod density;
mod derivatives;
mod features;
mod floor;
mod missing;
mod regression;
mod shared;
mod structure;

pub(crate) use conjugate::positive_definite;
pub use density::Scratch;
pub use floor::Floor;
pub(crate) use regression::Regression;
use structure::Part;
pub use structure::Structure;

use std::sync::Arc;

use conjugate::Conjugate;
use mixtura_kernels::Isa;
use mixtura_kernels::cholesky::{at, factor, invert_lower, log_determinant, packed_len};
use mixtura_kernels::gaussian::Whitening;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

use super::normal_wishart::Prior;
use super::{Emission, Health};
use crate::data::{Affine, Rows};
use crate::error::{Error, Result};
use crate::model::Unconstrained;
use crate::seed::Rng;
use crate::stats::{Layout, Moments};

/// K Gaussian distributions in D dimensions.
///
/// ```
/// use mixtura::family::gaussian::{Gaussian, Structure};
/// // Two components in one dimension: means −1 and 1, variances 1 and 4.
/// let bank = Gaussian::new(Structure::Full, 1, vec![-1.0, 1.0], vec![1.0, 4.0])?;
/// assert_eq!(bank.covariance(1), [4.0]);
/// # Ok::<(), mixtura::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Gaussian {
    structure: Structure,
    n_components: usize,
    n_features: usize,
    means: Vec<f64>,
    /// Covariances in the structure's own layout, one block per component (one in all for `tied`).
    covariances: Vec<f64>,
    factors: Factors,
    floor: Floor,
    prior: Option<Arc<Conjugate>>,
}

/// What the E-step needs of the covariances, made once per M-step.
#[derive(Clone, Debug, Default)]
struct Factors {
    /// Full layout: L⁻¹ (packed); diagonal layout: 1/σ.
    inverse: Vec<f64>,
    /// Full layout: L⁻¹ as the E-step reads it, one per block.
    whitening: Vec<Whitening>,
    /// `tied`: the one covariance applied to rows and means alike.
    shared: Option<shared::Shared>,
    /// Full layout: quadratic features, where they pay and are safe.
    features: Option<features::Features>,
    /// Full layout: log-density at the mean, one per block; diagonal layout: ln(2πσ²), one per variance.
    log: Vec<f64>,
}

impl Gaussian {
    /// Components with the given means (K × D) and covariances (K × D × D, row-major and symmetric, whatever the
    /// structure; those of `tied` must be equal, those of `diag` diagonal, those of `spherical` multiples of the
    /// identity).
    ///
    /// # Errors
    /// If sizes do not match, a value is not finite, or a covariance is not positive definite or not of the structure.
    pub fn new(structure: Structure, n_features: usize, means: Vec<f64>, covariances: Vec<f64>) -> Result<Self> {
        let d = n_features;
        if d == 0 || means.is_empty() || !means.len().is_multiple_of(d) {
            return Err(Error::Model(format!("{} mean values are not a whole number of rows of {d}", means.len())));
        }
        let k = means.len() / d;
        if Some(covariances.len()) != k.checked_mul(d).and_then(|kd| kd.checked_mul(d)) {
            return Err(Error::Model(format!(
                "{} covariance values do not make {k} matrices of {d} × {d}",
                covariances.len()
            )));
        }
        if let Some(bad) = means.iter().chain(&covariances).find(|v| !v.is_finite()) {
            return Err(Error::Model(format!("a mean or covariance is {bad}: parameters must be finite")));
        }
        let blocks = structure.pack(k, d, &covariances)?;
        let mut bank = Gaussian {
            structure,
            n_components: k,
            n_features: d,
            means,
            covariances: blocks,
            factors: Factors::default(),
            floor: Floor::none(),
            prior: None,
        };
        bank.refactor()
            .map_err(|k| Error::Model(format!("the covariance of component {k} is not positive definite")))?;
        Ok(bank)
    }

    /// K components at the origin with the identity as covariance: what a start from responsibilities fills in.
    pub fn standard(structure: Structure, n_components: usize, n_features: usize, floor: Floor) -> Self {
        let d = n_features;
        let blocks = structure.n_blocks(n_components);
        let one = match structure.layout() {
            Layout::Diagonal => vec![1.0; d],
            Layout::Full => (0..d).flat_map(|i| (0..=i).map(move |j| f64::from(u8::from(i == j)))).collect(),
        };
        let mut bank = Gaussian {
            structure,
            n_components,
            n_features,
            means: vec![0.0; n_components * d],
            covariances: one.repeat(blocks),
            factors: Factors::default(),
            floor,
            prior: None,
        };
        bank.refactor().expect("the identity is positive definite");
        bank
    }

    /// These components with another covariance floor for later M-steps.
    pub fn with_floor(mut self, floor: Floor) -> Self {
        self.floor = floor;
        self
    }

    /// These components with a conjugate prior for later M-steps, which then end at the posterior mode (MAP EM); `None` takes it
    /// away. Scales are covariances of the bank's columns; they may be singular only where a floor fills the direction.
    ///
    /// ```
    /// use mixtura::family::gaussian::{Gaussian, Structure};
    /// use mixtura::family::normal_wishart::Prior;
    /// use mixtura::model::{LatentModel, Mixture};
    /// let prior = Prior { mean: vec![0.0], mean_precision: 0.01, degrees_of_freedom: 3.0, scale: vec![1.0] };
    /// let bank = Gaussian::new(Structure::Full, 1, vec![0.0], vec![1.0 / 6.0])?.with_prior(Some(&prior))?;
    /// // At the prior's own mode, mean 0 and variance 1/(3 + 3), the log prior is 0.
    /// assert!(Mixture::equal(bank).log_prior().abs() < 1e-15);
    /// # Ok::<(), mixtura::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Usage`] if the prior is not one of these columns, or is none: numbers not finite, a mean worth no row, too few degrees
    /// of freedom, no covariance.
    pub fn with_prior(mut self, prior: Option<&Prior>) -> Result<Self> {
        let conjugate = prior.map(|p| Conjugate::new(self.structure, self.n_features, p)).transpose()?;
        self.prior = conjugate.map(Arc::new);
        Ok(self)
    }

    /// The prior of its M-steps.
    pub fn prior(&self) -> Option<&Prior> {
        self.prior.as_ref().map(|conjugate| &conjugate.prior)
    }

    /// The floor of its M-steps.
    pub fn floor(&self) -> &Floor {
        &self.floor
    }

    /// The covariance structure.
    pub fn structure(&self) -> Structure {
        self.structure
    }

    /// Mean of component `k`.
    pub fn mean(&self, k: usize) -> &[f64] {
        &self.means[k * self.n_features..][..self.n_features]
    }

    /// Covariance of component `k`, D × D row-major, whatever the structure.
    pub fn covariance(&self, k: usize) -> Vec<f64> {
        let d = self.n_features;
        let block = self.block(k);
        let mut out = vec![0.0; d * d];
        for i in 0..d {
            match self.structure.layout() {
                Layout::Diagonal => out[i * d + i] = block[i],
                Layout::Full => {
                    for j in 0..=i {
                        out[i * d + j] = block[at(i, j)];
                        out[j * d + i] = block[at(i, j)];
                    }
                }
            }
        }
        out
    }

    /// The same distributions (neither floor nor prior) seen through a map of the columns: standardised to original (`forward = false`) or
    /// original to standardised (`true`).
    ///
    /// # Errors
    /// If the covariances lose positive definiteness in the other units, or `spherical` meets unequal scales.
    pub fn map(&self, affine: &Affine, forward: bool) -> Result<Self> {
        let d = self.n_features;
        let scale = |j: usize| if forward { 1.0 / affine.scale[j] } else { affine.scale[j] };
        let mut means = self.means.clone();
        for (n, m) in means.iter_mut().enumerate() {
            let j = n % d;
            *m = if forward { (*m - affine.shift[j]) * scale(j) } else { *m * scale(j) + affine.shift[j] };
        }
        let mut covariances: Vec<f64> = (0..self.n_components).flat_map(|k| self.covariance(k)).collect();
        for (n, c) in covariances.iter_mut().enumerate() {
            *c = *c * scale(n / d % d) * scale(n % d);
        }
        Self::new(self.structure, d, means, covariances)
    }

    /// The M-step for all parameters or some, and what the E-step needs of them.
    fn improve(&mut self, stats: &Moments, part: Part) -> Result<Health> {
        let health = match self.prior.clone() {
            Some(prior) => conjugate::maximize(self, &prior, stats),
            None => structure::maximize(self, stats, part),
        };
        self.refactor().map_err(|k| {
            Error::Degenerate(format!(
                "the covariance of component {k} is not positive definite: set a covariance floor or leave out columns that depend on each other"
            ))
        })?;
        Ok(health)
    }

    /// Whether the n-th number of the factors is a diagonal element.
    fn on_diagonal(&self, n: usize) -> bool {
        let n = n % self.structure.layout().len(self.n_features);
        match self.structure.layout() {
            Layout::Diagonal => true,
            // Position i(i+1)/2 + i of a packed triangle: 8n + 9 is the square of 2i + 3.
            Layout::Full => {
                let root = ((8 * n + 9) as f64).sqrt() as usize;
                root * root == 8 * n + 9
            }
        }
    }

    /// Covariance block of component `k` in the structure's layout.
    pub(crate) fn block(&self, k: usize) -> &[f64] {
        let len = self.structure.layout().len(self.n_features);
        &self.covariances[self.structure.block_of(k) * len..][..len]
    }

    /// Recomputes the factors; the component whose covariance has none is the error.
    fn refactor(&mut self) -> std::result::Result<(), usize> {
        let (d, layout) = (self.n_features, self.structure.layout());
        let blocks = self.structure.n_blocks(self.n_components);
        let f = &mut self.factors;
        f.inverse.resize(self.covariances.len(), 0.0);
        match layout {
            Layout::Diagonal => {
                f.log.resize(self.covariances.len(), 0.0);
                for (n, &v) in self.covariances.iter().enumerate() {
                    if !(v > 0.0 && v.is_finite()) {
                        return Err(n / d);
                    }
                    f.inverse[n] = 1.0 / v.sqrt();
                    f.log[n] = std::f64::consts::TAU.ln() + v.ln();
                }
            }
            Layout::Full => {
                f.log.resize(blocks, 0.0);
                let len = packed_len(d);
                let one = |l: &mut Vec<f64>, ((covariance, inverse), log): ((&[f64], &mut [f64]), &mut f64)| {
                    *log = scaled_factor(covariance, d, l, inverse)?;
                    Ok::<(), usize>(())
                };
                // The first that has no factor, whichever thread was there first.
                let failed = if blocks * d.pow(3) < SIDE_BY_SIDE {
                    let mut l = vec![0.0; len];
                    let mut each = self.covariances.chunks(len).zip(f.inverse.chunks_mut(len)).zip(&mut f.log);
                    each.position(|block| one(&mut l, block).is_err())
                } else {
                    let each = self.covariances.par_chunks(len).zip(f.inverse.par_chunks_mut(len)).zip(&mut f.log);
                    let factored = each.map_init(|| vec![0.0; len], one).enumerate();
                    factored.filter_map(|(b, result)| result.is_err().then_some(b)).min()
                };
                if let Some(b) = failed {
                    return Err(b);
                }
                let inverses = f.inverse.chunks_exact(len);
                f.whitening = inverses.map(|inverse| Whitening::new(Isa::detect(), inverse, d)).collect();
                self.factors.shared = shared::Shared::new(self);
                self.factors.features = features::Features::new(self);
            }
        }
        Ok(())
    }
}

/// Blocks × columns³ from which on several threads make the factors: about 0.2 ms of one.
const SIDE_BY_SIDE: usize = 500_000;

/// Factor of a packed covariance through its correlation matrix, so that columns of very different units neither
/// overflow nor lose accuracy: L into `l`, L⁻¹ into `inverse`; returns the log-density at the mean.
fn scaled_factor(covariance: &[f64], d: usize, l: &mut [f64], inverse: &mut [f64]) -> std::result::Result<f64, usize> {
    let sd: Vec<f64> = (0..d).map(|i| covariance[at(i, i)].sqrt()).collect();
    for i in 0..d {
        if !(covariance[at(i, i)] > 0.0 && covariance[at(i, i)].is_finite()) {
            return Err(i);
        }
        for j in 0..=i {
            l[at(i, j)] = covariance[at(i, j)] / sd[i] / sd[j];
        }
    }
    factor(l, d)?;
    invert_lower(l, d, inverse);
    let mut log = -0.5 * (d as f64 * std::f64::consts::TAU.ln() + log_determinant(l, d));
    for i in 0..d {
        log -= sd[i].ln();
        for j in 0..=i {
            l[at(i, j)] *= sd[i];
            inverse[at(i, j)] /= sd[j];
        }
    }
    Ok(log)
}

/// Means, then per covariance block L⁻¹ (full layout) or 1/σ (diagonal layout), diagonals by their logarithm.
impl Unconstrained for Gaussian {
    fn to_vector(&self) -> Vec<f64> {
        let inverse = self.factors.inverse.iter().enumerate();
        let free = inverse.map(|(n, v)| if self.on_diagonal(n) { v.ln() } else { *v });
        self.means.iter().copied().chain(free).collect()
    }

    fn with_vector(&self, vector: &[f64]) -> Option<Self> {
        let (d, layout) = (self.n_features, self.structure.layout());
        let (means, rest) = vector.split_at(self.means.len());
        let mut next = Gaussian { means: means.to_vec(), ..self.clone() };
        let inverse: Vec<f64> =
            rest.iter().enumerate().map(|(n, v)| if self.on_diagonal(n) { v.exp() } else { *v }).collect();
        let len = layout.len(d);
        let mut l = vec![0.0; len];
        for (block, inverse) in next.covariances.chunks_mut(len).zip(inverse.chunks(len)) {
            match layout {
                Layout::Diagonal => block.iter_mut().zip(inverse).for_each(|(v, i)| *v = (i * i).recip()),
                Layout::Full => {
                    invert_lower(inverse, d, &mut l);
                    for i in 0..d {
                        for j in 0..=i {
                            block[at(i, j)] = (0..=j).map(|m| l[at(i, m)] * l[at(j, m)]).sum();
                        }
                    }
                }
            }
            if self.floor.violated(self.structure, block) {
                return None;
            }
        }
        next.means.iter().chain(&next.covariances).all(|v| v.is_finite()).then_some(())?;
        next.refactor().ok()?;
        Some(next)
    }
}

impl Emission for Gaussian {
    type Stats = Moments;
    type Scratch = Scratch;

    fn n_components(&self) -> usize {
        self.n_components
    }

    fn n_features(&self) -> usize {
        self.n_features
    }

    fn empty_stats(&self) -> Moments {
        // Quadratic features are sums about 0.
        let pivot = if self.factors.features.is_some() { vec![0.0; self.means.len()] } else { self.means.clone() };
        Moments::new(self.structure.layout(), self.n_features, pivot)
    }

    fn scratch(&self) -> Scratch {
        Scratch::new(self)
    }

    fn neglect(&self, scratch: &mut Scratch, log_weights_and_lowest: Option<(&[f64], f64)>) {
        scratch.neglect(log_weights_and_lowest);
    }

    fn restrict(&self, scratch: &mut Scratch, marked: Option<&[bool]>) {
        scratch.restrict(marked);
    }

    fn log_density(&self, rows: Rows<'_>, scratch: &mut Scratch, out: &mut [f64]) {
        density::log_density(self, rows, scratch, out);
    }

    fn accumulate(&self, rows: Rows<'_>, resp: &[f64], scratch: &mut Scratch, stats: &mut Moments) {
        density::accumulate(self, rows, resp, scratch, stats);
    }

    fn maximize(&mut self, stats: &Moments) -> Result<Health> {
        self.improve(stats, Part::All)
    }

    /// The means, then the covariances.
    fn n_blocks(&self) -> usize {
        2
    }

    fn maximize_block(&mut self, block: usize, stats: &Moments) -> Result<Health> {
        if self.prior.is_some() {
            return Err(Error::Usage("conditional M-steps know no prior: use em or squarem".into()));
        }
        self.improve(stats, if block == 0 { Part::Means } else { Part::Covariances })
    }

    /// Means, then covariances in the structure's own layout.
    fn parameters(&self) -> Vec<f64> {
        [&self.means[..], &self.covariances].concat()
    }

    fn with_parameters(&self, parameters: &[f64]) -> Option<Self> {
        let (d, len) = (self.n_features, self.structure.layout().len(self.n_features));
        let one_block = self.structure.n_blocks(2) == 1;
        let k = if one_block { parameters.len().checked_sub(len)? / d } else { parameters.len() / (d + len) };
        (k > 0 && parameters.len() == k * d + self.structure.n_blocks(k) * len).then_some(())?;
        let (means, covariances) = parameters.split_at(k * d);
        let mut bank =
            Gaussian { n_components: k, means: means.to_vec(), covariances: covariances.to_vec(), ..self.clone() };
        bank.refactor().ok()?;
        Some(bank)
    }

    fn select_components(&mut self, keep: &[usize]) {
        let from = self.clone();
        let (d, len) = (self.n_features, self.structure.layout().len(self.n_features));
        self.n_components = keep.len();
        self.means.truncate(keep.len() * d);
        self.covariances.truncate(self.structure.n_blocks(keep.len()) * len);
        self.means.resize(keep.len() * d, 0.0);
        self.covariances.resize(self.structure.n_blocks(keep.len()) * len, 0.0);
        for (k, &j) in keep.iter().enumerate() {
            self.means[k * d..][..d].copy_from_slice(from.mean(j));
            let block = self.structure.block_of(k) * len;
            self.covariances[block..][..len].copy_from_slice(from.block(j));
        }
        self.refactor().expect("components of a valid bank are valid");
    }

    fn set_component(&mut self, k: usize, from: &Self, j: usize) {
        let (d, len) = (self.n_features, self.structure.layout().len(self.n_features));
        self.means[k * d..][..d].copy_from_slice(from.mean(j));
        if self.structure.n_blocks(2) == 2 {
            self.covariances[k * len..][..len].copy_from_slice(from.block(j));
        }
        self.refactor().expect("components of a valid bank are valid");
    }

    fn log_prior(&self) -> f64 {
        self.prior.as_ref().map_or(0.0, |prior| prior.log_density(self))
    }

    fn n_free_parameters(&self) -> usize {
        self.structure.n_free_parameters(self.n_components, self.n_features)
    }

    fn sample(&self, component: usize, rng: &mut Rng, out: &mut [f64]) {
        let d = self.n_features;
        let block = self.block(component);
        let normals: Vec<f64> = (0..d).map(|_| StandardNormal.sample(rng)).collect();
        out.copy_from_slice(self.mean(component));
        match self.structure.layout() {
            Layout::Diagonal => (0..d).for_each(|i| out[i] += block[i].sqrt() * normals[i]),
            Layout::Full => {
                // y = L z by forward substitution in L⁻¹ y = z.
                let inverse = &self.factors.inverse[self.structure.block_of(component) * packed_len(d)..];
                let mut y = normals;
                for i in 0..d {
                    let s: f64 = (0..i).map(|j| inverse[at(i, j)] * y[j]).sum();
                    y[i] = (y[i] - s) / inverse[at(i, i)];
                    out[i] += y[i];
                }
            }
        }
    }
}
