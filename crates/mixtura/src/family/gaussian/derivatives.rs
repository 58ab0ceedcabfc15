//! Gaussian log-densities in coordinates of their free parameters, with gradient and Hessian: what standard errors need.
//!
//! Coordinates: all means, then the free entries of the covariances (one lower triangle, vector of variances, or variance per block).
//! With y = x − μ, P = Σ⁻¹ and u = P y over the observed cells (0 elsewhere), and E the derivative of Σ (Magnus & Neudecker 2019,
//! Matrix Differential Calculus, 3rd ed., ch. 15): ∂ log p = u·∂μ + ½ (uᵀ E u − tr P E); −∂² log p is P between means,
//! P E u between means and covariances, and uᵀ E P F u − ½ tr(P E P F) between covariances.

use mixtura_kernels::cholesky::{at, factor, invert_lower, packed_len};

use super::{Gaussian, Structure};
use crate::data::Affine;
use crate::family::{Differentiable, Emission, Range};
use crate::stats::Layout;

impl Structure {
    /// Free covariance entries of one block.
    fn free_per_block(self, d: usize) -> usize {
        match self {
            Structure::Full | Structure::Tied => packed_len(d),
            Structure::Diag => d,
            Structure::Spherical => 1,
        }
    }
}

/// The entries (i, j ≤ i) of a packed triangle, in order.
fn entries(d: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..d).flat_map(|i| (0..=i).map(move |j| (i, j)))
}

impl Gaussian {
    /// [`Differentiable::names`] with names of columns in place of their numbers.
    pub fn coordinate_names(&self, columns: &[String]) -> Vec<String> {
        let (k, d, c) = (self.n_components, self.n_features, columns);
        let means = (0..k).flat_map(|k| c.iter().map(move |c| format!("mean[{k}][{c}]")));
        let pair = |(i, j): (usize, usize)| format!("[{},{}]", c[j], c[i]);
        let covariances: Vec<String> = match self.structure {
            Structure::Full => {
                (0..k).flat_map(|k| entries(d).map(move |e| format!("covariance[{k}]{}", pair(e)))).collect()
            }
            Structure::Tied => entries(d).map(|e| format!("covariance{}", pair(e))).collect(),
            Structure::Diag => (0..k).flat_map(|k| c.iter().map(move |c| format!("variance[{k}][{c}]"))).collect(),
            Structure::Spherical => (0..k).map(|k| format!("variance[{k}]")).collect(),
        };
        means.chain(covariances).collect()
    }

    /// Whether a component's covariance lies on the floor, up to what an M-step rounds.
    pub(crate) fn on_floor(&self, k: usize) -> bool {
        let slightly_less: Vec<f64> = self.block(k).iter().map(|c| c * (1.0 - 1e-6)).collect();
        self.floor.violated(self.structure, &slightly_less)
    }

    /// How much of each coordinate one unit in standardised columns is.
    pub(crate) fn coordinate_scales(&self, affine: &Affine) -> Vec<f64> {
        let (k, d, s) = (self.n_components, self.n_features, &affine.scale);
        let block: Vec<f64> = match self.structure {
            Structure::Full | Structure::Tied => entries(d).map(|(i, j)| s[i] * s[j]).collect(),
            Structure::Diag => s.iter().map(|s| s * s).collect(),
            Structure::Spherical => vec![s[0] * s[0]],
        };
        [s.repeat(k), block.repeat(self.structure.n_blocks(k))].concat()
    }

    /// Σ⁻¹ of the observed features, full layout, D × D; 0 for the others.
    fn precision(&self, k: usize, observed: &[usize], out: &mut [f64]) {
        let (d, o) = (self.n_features, observed.len());
        let block = self.block(k);
        out.fill(0.0);
        let len = packed_len(o);
        let mut inverse = vec![0.0; len];
        if o == d {
            inverse.copy_from_slice(&self.factors.inverse[self.structure.block_of(k) * len..][..len]);
        } else {
            // Through the correlations, as the densities do.
            let sd = |i: usize| block[at(observed[i], observed[i])].sqrt();
            let mut l: Vec<f64> =
                entries(o).map(|(i, j)| block[at(observed[i], observed[j])] / sd(i) / sd(j)).collect();
            factor(&mut l, o).expect("a block of a positive definite matrix is positive definite");
            invert_lower(&l, o, &mut inverse);
            entries(o).for_each(|(i, j)| inverse[at(i, j)] /= sd(j));
        }
        for (i, j) in entries(o) {
            let p: f64 = (i..o).map(|m| inverse[at(m, i)] * inverse[at(m, j)]).sum();
            out[observed[i] * d + observed[j]] = p;
            out[observed[j] * d + observed[i]] = p;
        }
    }
}

impl Differentiable for Gaussian {
    fn coordinates(&self) -> Vec<f64> {
        let covariances: Vec<f64> = match self.structure {
            Structure::Spherical => self.covariances.iter().step_by(self.n_features).copied().collect(),
            _ => self.covariances.clone(),
        };
        [&self.means[..], &covariances].concat()
    }

    fn names(&self) -> Vec<String> {
        let numbers: Vec<String> = (0..self.n_features).map(|j| j.to_string()).collect();
        self.coordinate_names(&numbers)
    }

    fn ranges(&self) -> Vec<Range> {
        let d = self.n_features;
        let block: Vec<Range> = match self.structure.layout() {
            Layout::Full => entries(d).map(|(i, j)| if i == j { Range::Positive } else { Range::Real }).collect(),
            Layout::Diagonal => vec![Range::Positive; self.structure.free_per_block(d)],
        };
        [vec![Range::Real; self.means.len()], block.repeat(self.structure.n_blocks(self.n_components))].concat()
    }

    fn with_coordinates(&self, coordinates: &[f64]) -> Option<Self> {
        let d = self.n_features;
        let (means, rest) = coordinates.split_at_checked(self.means.len())?;
        if coordinates.iter().any(|c| !c.is_finite()) {
            return None;
        }
        match self.structure {
            Structure::Spherical => {
                let variances = rest.iter().flat_map(|v| std::iter::repeat_n(*v, d));
                self.with_parameters(&means.iter().copied().chain(variances).collect::<Vec<f64>>())
            }
            _ => self.with_parameters(coordinates),
        }
        .filter(|bank| bank.n_components == self.n_components)
    }

    fn coordinates_of(&self, k: usize) -> Vec<usize> {
        let (d, len) = (self.n_features, self.structure.free_per_block(self.n_features));
        let covariances = self.means.len() + self.structure.block_of(k) * len;
        (k * d..(k + 1) * d).chain(covariances..covariances + len).collect()
    }

    fn differentiate(&self, k: usize, row: &[f64], gradient: &mut [f64], curvature: &mut [f64]) {
        let (d, mean, block) = (self.n_features, self.mean(k), self.block(k));
        gradient.fill(0.0);
        curvature.fill(0.0);
        let observed: Vec<usize> = (0..d).filter(|&j| !row[j].is_nan()).collect();
        if self.structure.layout() == Layout::Diagonal {
            let spherical = self.structure == Structure::Spherical;
            for &j in &observed {
                let (y, v, c) = (row[j] - mean[j], block[j], if spherical { d } else { d + j });
                let u = y / v;
                gradient[j] = u;
                gradient[c] += 0.5 * (u * u - 1.0 / v);
                curvature[at(j, j)] = 1.0 / v;
                curvature[at(c, j)] = u / v;
                curvature[at(c, c)] += u * u / v - 0.5 / v / v;
            }
            return;
        }
        let mut p = vec![0.0; d * d];
        self.precision(k, &observed, &mut p);
        let u = pull(&p, row, mean, &observed);
        gradient[..d].copy_from_slice(&u);
        for (e, (a, b)) in entries(d).enumerate() {
            gradient[d + e] = half(a, b) * (u[a] * u[b] - p[a * d + b]);
        }
        let second: Vec<f64> = (0..d * d).map(|n| u[n / d] * u[n % d]).collect();
        bend(&p, &u, &second, curvature);
    }

    /// With the missing cells: P is the whole Σ⁻¹; P E\[y\] is u, 0 at missing cells, and P E\[y yᵀ\] P is u uᵀ + P − (Σ_oo)⁻¹.
    fn complete_curvature(&self, k: usize, row: &[f64], curvature: &mut [f64]) -> bool {
        let d = self.n_features;
        if row.iter().all(|x| !x.is_nan()) {
            return false;
        }
        if self.structure.layout() == Layout::Diagonal {
            // A missing cell has mean μ and variance v: the information of one observation.
            self.differentiate(k, row, &mut vec![0.0; d + self.structure.free_per_block(d)], curvature);
            for j in (0..d).filter(|&j| row[j].is_nan()) {
                let (v, c) = (self.block(k)[j], if self.structure == Structure::Spherical { d } else { d + j });
                curvature[at(j, j)] = 1.0 / v;
                curvature[at(c, c)] += 0.5 / v / v;
            }
            return true;
        }
        let observed: Vec<usize> = (0..d).filter(|&j| !row[j].is_nan()).collect();
        let (mut p, mut seen) = (vec![0.0; d * d], vec![0.0; d * d]);
        self.precision(k, &(0..d).collect::<Vec<usize>>(), &mut p);
        self.precision(k, &observed, &mut seen);
        let u = pull(&seen, row, self.mean(k), &observed);
        let second: Vec<f64> = (0..d * d).map(|n| u[n / d] * u[n % d] + p[n] - seen[n]).collect();
        bend(&p, &u, &second, curvature);
        true
    }
}

/// E = m (e_a e_bᵀ + e_b e_aᵀ) with m = 1, or ½ on the diagonal.
fn half(a: usize, b: usize) -> f64 {
    if a == b { 0.5 } else { 1.0 }
}

/// u = P y over the observed cells.
fn pull(p: &[f64], row: &[f64], mean: &[f64], observed: &[usize]) -> Vec<f64> {
    let d = row.len();
    (0..d).map(|i| observed.iter().map(|&j| p[i * d + j] * (row[j] - mean[j])).sum()).collect()
}

/// The curvature for a precision P, u and the second moment W of u: P; P E u; tr(E P F W) − ½ tr(P E P F).
fn bend(p: &[f64], u: &[f64], second: &[f64], curvature: &mut [f64]) {
    let d = u.len();
    let (p, w) = (|i: usize, j: usize| p[i * d + j], |i: usize, j: usize| second[i * d + j]);
    for (i, j) in entries(d) {
        curvature[at(i, j)] = p(i, j);
    }
    for (e, (a, b)) in entries(d).enumerate() {
        let (m, e) = (half(a, b), d + e);
        for i in 0..d {
            curvature[at(e, i)] = m * (p(i, a) * u[b] + p(i, b) * u[a]);
        }
        for (f, (c, g)) in entries(d).enumerate().take(e - d + 1) {
            curvature[at(e, d + f)] = m
                * half(c, g)
                * ((w(a, c) - p(a, c)) * p(b, g)
                    + (w(a, g) - p(a, g)) * p(b, c)
                    + w(b, c) * p(a, g)
                    + w(b, g) * p(a, c));
        }
    }
}
