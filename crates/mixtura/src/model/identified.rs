//! Models whose free parameters, as users read them, are coordinates in which the log-likelihood can be differentiated twice.

use mixtura_kernels::cholesky::{at, packed_len};

use super::mixture::check_label;
use super::{FreeWeights, LatentModel, Mixture, Predict};
use crate::data::Chunk;
use crate::error::{Error, Result};
use crate::family::{Differentiable, Range};
use crate::stats::Statistic;

/// A model in the coordinates of its free parameters, none redundant: what standard errors and the curvature of the objective need.
pub trait Identified: LatentModel {
    /// The free parameters as users read them (weights, means, covariances, probabilities), in the order of `names`.
    fn coordinates(&self) -> Vec<f64>;
    /// A name for each coordinate, such as `weight[0]`, `mean[1][0]`, `covariance[1][0,1]`.
    fn names(&self) -> Vec<String>;
    /// The values that each can have, the others given where they are.
    fn ranges(&self) -> Vec<Range>;
    /// The model at other coordinates; `None` where that is no valid model.
    fn with_coordinates(&self, coordinates: &[f64]) -> Option<Self>;
    /// Adds the derivatives of a chunk's log-likelihood at the current parameters.
    ///
    /// # Errors
    /// If the chunk cannot belong to the model, or its log-likelihood cannot be differentiated there (a parameter at the edge of its
    /// range).
    fn differentiate(&self, chunk: Chunk<'_>, out: &mut Derivatives) -> Result<()>;
}

/// Sums over rows of weight w: with S the score of the complete data (gradient of log p(x, z)) and B their information (−Hessian),
/// expectations over p(z | x). Louis (1982, J. R. Stat. Soc. B 44, eq. 3.1): the observed information is `complete` − `missing`.
/// Matrices are packed lower triangles (row by row), p coordinates.
#[derive(Clone, Debug, PartialEq)]
pub struct Derivatives {
    /// Σ w s, s = E\[S | x\]: the gradient of the log-likelihood, p.
    pub gradient: Vec<f64>,
    /// Σ w s sᵀ: what the sandwich needs.
    pub outer: Vec<f64>,
    /// Σ w E\[B | x\].
    pub complete: Vec<f64>,
    /// Σ w Cov(S | x).
    pub missing: Vec<f64>,
    /// Σ w.
    pub weight: f64,
}

impl Derivatives {
    /// Zero, for p coordinates.
    pub fn new(p: usize) -> Self {
        let triangle = vec![0.0; packed_len(p)];
        Derivatives {
            gradient: vec![0.0; p],
            outer: triangle.clone(),
            complete: triangle.clone(),
            missing: triangle,
            weight: 0.0,
        }
    }

    /// Adds a row of weight `w` with score `s`.
    pub fn add_score(&mut self, w: f64, s: &[f64]) {
        self.weight += w;
        for i in (0..s.len()).filter(|&i| s[i] != 0.0) {
            self.gradient[i] += w * s[i];
            let ws = w * s[i];
            self.outer[packed_len(i)..][..=i].iter_mut().zip(s).for_each(|(o, b)| *o += ws * b);
        }
    }

    /// Refuses derivatives that do not exist: of a probability of 0, say.
    pub(super) fn finite(&self, names: impl Fn() -> Vec<String>) -> Result<()> {
        let observed = self.observed();
        let finite = |i: usize| self.gradient[i].is_finite() && observed[at(i, i)].is_finite();
        match (0..self.gradient.len()).find(|i| !finite(*i)) {
            None => Ok(()),
            Some(i) => Err(Error::Degenerate(format!(
                "the log-likelihood cannot be differentiated in {}, which is at the edge of its range: it has no standard error; use fewer components or fix it",
                names()[i]
            ))),
        }
    }

    /// The observed information `complete` − `missing`, packed.
    pub fn observed(&self) -> Vec<f64> {
        self.complete.iter().zip(&self.missing).map(|(c, m)| c - m).collect()
    }
}

impl Statistic for Derivatives {
    fn clear(&mut self) {
        *self = Derivatives::new(self.gradient.len());
    }

    fn merge(&mut self, other: &Self) {
        let pairs = [
            (&mut self.gradient, &other.gradient),
            (&mut self.outer, &other.outer),
            (&mut self.complete, &other.complete),
            (&mut self.missing, &other.missing),
        ];
        pairs.into_iter().for_each(|(a, b)| a.iter_mut().zip(b).for_each(|(a, b)| *a += b));
        self.weight += other.weight;
    }

    fn scale(&mut self, c: f64) {
        for list in [&mut self.gradient, &mut self.outer, &mut self.complete, &mut self.missing] {
            list.iter_mut().for_each(|v| *v *= c);
        }
        self.weight *= c;
    }
}

/// A responsibility below this adds nothing to the derivatives: its row lies so far from the component that r times the square of a
/// score (1e4 or so where r is e⁻⁶⁰) is below the rounding of the sums.
const NEGLIGIBLE: f64 = 1e-25;

/// The weights of all components but the last (which is 1 less their sum; none where they are fixed), then the emission's coordinates.
impl<E: Differentiable, W: FreeWeights> Identified for Mixture<E, W> {
    fn coordinates(&self) -> Vec<f64> {
        let free = (0..self.mixing().n_free_parameters()).map(|k| self.mixing().weight(k));
        free.chain(self.emission().coordinates()).collect()
    }

    fn names(&self) -> Vec<String> {
        let free = self.mixing().n_free_parameters();
        (0..free).map(|k| format!("weight[{k}]")).chain(self.emission().names()).collect()
    }

    fn ranges(&self) -> Vec<Range> {
        let free = self.mixing().n_free_parameters();
        std::iter::repeat_n(Range::Probability, free).chain(self.emission().ranges()).collect()
    }

    fn with_coordinates(&self, coordinates: &[f64]) -> Option<Self> {
        let (free, rest) = coordinates.split_at_checked(self.mixing().n_free_parameters())?;
        Some(self.with_parts(self.mixing().with_free(free)?, self.emission().with_coordinates(rest)?))
    }

    fn differentiate(&self, chunk: Chunk<'_>, out: &mut Derivatives) -> Result<()> {
        let (k, emission) = (self.mixing().n_components(), self.emission());
        let weights: Vec<f64> = (0..k).map(|c| self.mixing().weight(c)).collect();
        let (n, free, p) = (chunk.rows.n_rows(), self.mixing().n_free_parameters(), out.gradient.len());
        if let Some(c) = weights.iter().position(|w| *w <= 0.0).filter(|_| free > 0) {
            return Err(Error::Model(format!(
                "the weight of component {c} is 0, the edge of its range: the log-likelihood cannot be differentiated there; leave the component out"
            )));
        }
        let (mut resp, mut log_density) = (vec![0.0; n * k], vec![0.0; n]);
        self.posterior(chunk, &mut self.scratch(), &mut resp, &mut log_density);
        // Component k's score touches its own coordinates and the weights: ∂ log π_k is 1/π_k at k, and −1/π_K for all k at K.
        let own: Vec<Vec<usize>> = (0..k)
            .map(|c| (0..free).chain(emission.coordinates_of(c).into_iter().map(|i| free + i)).collect())
            .collect();
        let most = own.iter().map(Vec::len).max().unwrap_or(0);
        let mut scores = vec![vec![0.0; most]; k];
        let (mut curvature, mut completed) = (vec![0.0; packed_len(most)], vec![0.0; packed_len(most)]);
        let mut score = vec![0.0; p];
        for t in 0..n {
            let (row, w, known) = (chunk.rows.row(t), chunk.weight(t), chunk.label(t));
            let resp = &mut resp[t * k..][..k];
            if let Some(known) = known {
                check_label(known, k)?;
                (0..k).for_each(|c| resp[c] = f64::from(u8::from(c == known)));
            } else if !log_density[t].is_finite() {
                let row = chunk.first_row + t + 1;
                return Err(Error::Data(format!(
                    "row {row} is impossible under the model (its density is 0): it has no information"
                )));
            }
            let active: Vec<usize> = (0..k).filter(|&c| resp[c] > NEGLIGIBLE).collect();
            score.fill(0.0);
            for &c in &active {
                let (own, s, wr) = (&own[c], &mut scores[c], w * resp[c]);
                let (of_weights, of_emission) = s[..own.len()].split_at_mut(free);
                of_weights.fill(0.0);
                let curvature = &mut curvature[..packed_len(of_emission.len())];
                emission.differentiate(c, row, of_emission, curvature);
                let whole = emission.complete_curvature(c, row, &mut completed[..curvature.len()]);
                for (i, a) in own[free..].iter().enumerate() {
                    for (j, b) in own[free..=free + i].iter().enumerate() {
                        let (observed, n) = (wr * curvature[at(i, j)], at(*a, *b));
                        let complete = if whole { wr * completed[at(i, j)] } else { observed };
                        out.complete[n] += complete;
                        out.missing[n] += complete - observed;
                    }
                }
                if c < free {
                    of_weights[c] = weights[c].recip();
                    out.complete[at(c, c)] += wr / (weights[c] * weights[c]);
                } else if free > 0 {
                    let last = weights[free].recip();
                    of_weights.fill(-last);
                    out.complete[..packed_len(free)].iter_mut().for_each(|b| *b += wr * last * last);
                }
                own.iter().zip(s.iter()).for_each(|(i, v)| score[*i] += resp[c] * v);
            }
            // Cov(S | x) over components is Σ r S Sᵀ − s sᵀ. Only rows that several components share have any, and what cancels there is of the
            // size of the complete information, which the rounding is measured by.
            if active.len() > 1 {
                for &c in &active {
                    let (own, s, wr) = (&own[c], &scores[c], w * resp[c]);
                    for (i, a) in own.iter().enumerate() {
                        let ws = wr * s[i];
                        own[..=i].iter().zip(s).for_each(|(b, s)| out.missing[at(*a, *b)] += ws * s);
                    }
                }
                for i in (0..p).filter(|&i| score[i] != 0.0) {
                    let ws = w * score[i];
                    out.missing[packed_len(i)..][..=i].iter_mut().zip(&score).for_each(|(m, s)| *m -= ws * s);
                }
            }
            out.add_score(w, &score);
        }
        out.finite(|| self.names())
    }
}
