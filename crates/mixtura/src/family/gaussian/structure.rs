//! The covariance structures: how many parameters each has and how its M-step makes covariances from moments.
//!
//! With W_k = Σr(x−μ_k)(x−μ_k)ᵀ and n_k = Σr (Celeux & Govaert 1995, the models named in brackets):
//! full W_k / n_k \[VVV\]; tied ΣW_k / Σn_k \[EEE\]; diag diag(W_k) / n_k \[VVI\]; spherical tr(W_k) / (D n_k) \[VII\].

use mixtura_kernels::cholesky::{at, packed_len};

use super::Gaussian;
use crate::error::{Error, Result};
use crate::family::{ComponentHealth, EMPTY_SHARE, Health};
use crate::stats::{Layout, Moments};

/// What is shared and what is zero in the covariances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Structure {
    /// Each component its own symmetric matrix (mclust VVV).
    Full,
    /// One symmetric matrix for all (mclust EEE).
    Tied,
    /// Each component its own variances, no correlation (mclust VVI).
    Diag,
    /// Each component one variance for all features (mclust VII).
    Spherical,
}

impl Structure {
    /// Every structure, the most flexible first.
    pub const ALL: [Structure; 4] = [Structure::Full, Structure::Tied, Structure::Diag, Structure::Spherical];

    /// The name in every face: `full`, `tied`, `diag`, `spherical`.
    pub fn name(self) -> &'static str {
        match self {
            Structure::Full => "full",
            Structure::Tied => "tied",
            Structure::Diag => "diag",
            Structure::Spherical => "spherical",
        }
    }

    /// Which second moments the structure needs.
    pub fn layout(self) -> Layout {
        match self {
            Structure::Full | Structure::Tied => Layout::Full,
            Structure::Diag | Structure::Spherical => Layout::Diagonal,
        }
    }

    /// Free parameters of K components in D dimensions: means and covariances (mixing weights not counted).
    pub fn n_free_parameters(self, n_components: usize, n_features: usize) -> usize {
        let (k, d) = (n_components, n_features);
        k * d
            + match self {
                Structure::Full => k * packed_len(d),
                Structure::Tied => packed_len(d),
                Structure::Diag => k * d,
                Structure::Spherical => k,
            }
    }

    /// The first structure of [`Structure::ALL`] that is the same family for these sizes (in one dimension, or with
    /// one component, several are).
    pub fn canonical(self, n_components: usize, n_features: usize) -> Structure {
        match self {
            Structure::Tied if n_components == 1 => Structure::Full,
            Structure::Diag | Structure::Spherical if n_features == 1 => Structure::Full,
            other => other,
        }
    }

    /// Rows that a component needs to have a covariance of its own with no direction of zero variance.
    pub fn rows_needed(self, n_features: usize) -> usize {
        match self {
            Structure::Full => n_features + 1,
            Structure::Tied => 1,
            Structure::Diag | Structure::Spherical => 2,
        }
    }

    pub(crate) fn n_blocks(self, n_components: usize) -> usize {
        if self == Structure::Tied { 1 } else { n_components }
    }

    pub(crate) fn block_of(self, k: usize) -> usize {
        if self == Structure::Tied { 0 } else { k }
    }

    /// Packs K full matrices into the structure's blocks.
    pub(super) fn pack(self, k: usize, d: usize, full: &[f64]) -> Result<Vec<f64>> {
        let mut blocks = Vec::with_capacity(self.n_blocks(k) * self.layout().len(d));
        for c in 0..k {
            let matrix = &full[c * d * d..][..d * d];
            let wrong = |what: &str| Err(Error::Model(format!("the covariance of component {c} is not {what}")));
            for i in 0..d {
                for j in 0..i {
                    let (a, b) = (matrix[i * d + j], matrix[j * d + i]);
                    // Written and read back, or computed in another order, the halves may differ by rounding.
                    let size = (matrix[i * d + i].abs().sqrt() * matrix[j * d + j].abs().sqrt()) * 1e-9;
                    if (a - b).abs() > size {
                        return wrong("symmetric");
                    }
                    if self.layout() == Layout::Diagonal && (a != 0.0 || b != 0.0) {
                        return wrong("diagonal, as its structure says");
                    }
                }
                if self == Structure::Spherical && (matrix[i * d + i] - matrix[0]).abs() > 1e-9 * matrix[0].abs() {
                    return wrong("spherical, as its structure says");
                }
            }
            if self == Structure::Tied && matrix != &full[..d * d] {
                return wrong("that of component 0, as its structure (tied) says");
            }
            if c < self.n_blocks(k) {
                for i in 0..d {
                    match self.layout() {
                        Layout::Full => blocks.extend_from_slice(&matrix[i * d..=i * d + i]),
                        Layout::Diagonal => blocks.push(matrix[i * d + i]),
                    }
                }
            }
        }
        Ok(blocks)
    }
}

/// What an M-step sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    All,
    Means,
    /// Given the present means: W_k is then about these.
    Covariances,
}

/// The M-step for means and covariances. Components without rows keep their parameters.
pub(super) fn maximize(bank: &mut Gaussian, stats: &Moments, part: Part) -> Health {
    let (d, structure) = (bank.n_features, bank.structure);
    let len = structure.layout().len(d);
    let total: f64 = stats.weight.iter().sum();
    let mut health = vec![ComponentHealth::default(); bank.n_components];
    let (mut mean, mut covariance) = (vec![0.0; d], vec![0.0; len]);
    let mut pooled = vec![0.0; if structure == Structure::Tied { len } else { 0 }];
    for k in 0..bank.n_components {
        let n = stats.weight[k];
        if n <= EMPTY_SHARE * total {
            health[k].empty = true;
            continue;
        }
        stats.mean_and_covariance(k, &mut mean, &mut covariance);
        for j in 0..d {
            mean[j] += stats.pivot[k * d + j];
        }
        let own = &mut bank.means[k * d..][..d];
        match part {
            Part::Covariances => {
                mean.iter_mut().zip(own).for_each(|(m, own)| *m -= *own);
                add_square(structure.layout(), &mean, &mut covariance);
            }
            _ => own.copy_from_slice(&mean),
        }
        if part == Part::Means {
            continue;
        }
        match structure {
            Structure::Tied => {
                for (p, c) in pooled.iter_mut().zip(&covariance) {
                    *p += n / total * c;
                }
                continue;
            }
            Structure::Spherical => {
                let average = covariance.iter().sum::<f64>() / d as f64;
                covariance.fill(average);
            }
            Structure::Full | Structure::Diag => {}
        }
        health[k].floor_active = bank.floor.apply(structure, &mut covariance);
        bank.covariances[k * len..][..len].copy_from_slice(&covariance);
    }
    if structure == Structure::Tied && part != Part::Means {
        let active = bank.floor.apply(structure, &mut pooled);
        health.iter_mut().for_each(|h| h.floor_active = active);
        bank.covariances.copy_from_slice(&pooled);
    }
    health
}

/// Adds v·vᵀ, or its diagonal.
fn add_square(layout: Layout, v: &[f64], to: &mut [f64]) {
    for i in 0..v.len() {
        match layout {
            Layout::Full => (0..=i).for_each(|j| to[at(i, j)] += v[i] * v[j]),
            Layout::Diagonal => to[i] += v[i] * v[i],
        }
    }
}
