//! A finite mixture: mixing weights, or a posterior of them, over a bank of component distributions.

mod plausible;

pub use plausible::Plausible;

use std::sync::Arc;

use mixtura_kernels::exp::LOWEST;
use mixtura_kernels::{
    Aligned, Isa, TILE,
    moments::sum,
    softmax::{softmax, softmax_total},
};
use rand::RngExt;

use super::weights::normalise;
use super::{Bound, LatentModel, Posterior, Predict, Unconstrained, Weights};
use crate::data::Chunk;
use crate::error::{Error, Result};
use crate::family::{ComponentHealth, Emission, Health};
use crate::seed::{Rng, Seed};
use crate::special::LARGEST_PRIOR;
use crate::stats::{Expectation, Statistic};

/// p(x) = Σ_k weights\[k\] · p(x | k).
///
/// `W` is what is known of the weights: numbers (maximum likelihood), or a posterior ([`super::WeightPosterior`]).
#[derive(Clone, Debug)]
pub struct Mixture<E, W = Vec<f64>> {
    weights: W,
    emission: E,
    /// Whether E-steps keep what [`NEGLIGIBLE`] would leave out.
    exact: bool,
    /// What sparse EM knows of the rows, during its E-steps.
    memory: Option<Arc<Plausible>>,
    /// α − 1 of a Dirichlet(α, …, α) prior of the weights; 0 for maximum likelihood.
    pseudo_count: f64,
}

/// In an E-step, unless it is to be exact, a responsibility below exp of this is 0, and the M-step passes the row over. The log-likelihood of a row errs by
/// less than K·e⁻⁶⁰ = K·9e-27, far below its rounding; a moment by n·9e-27 times some 200 variances, below its rounding for
/// n up to 1e9; a component with less than 1e-13 of all weight counts as empty anyway. Predictions leave nothing out.
const NEGLIGIBLE: f64 = -60.0;

/// Effective counts and the emission's own statistics.
#[derive(Clone, Debug)]
pub struct MixtureStats<S> {
    /// Σ responsibilities per component.
    pub counts: Vec<f64>,
    /// What the components' M-step needs.
    pub emission: S,
}

impl<S: Statistic> Statistic for MixtureStats<S> {
    fn clear(&mut self) {
        self.counts.fill(0.0);
        self.emission.clear();
    }

    fn merge(&mut self, other: &Self) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(a, b)| *a += b);
        self.emission.merge(&other.emission);
    }

    fn scale(&mut self, c: f64) {
        self.counts.iter_mut().for_each(|a| *a *= c);
        self.emission.scale(c);
    }
}

impl<E: Emission> Mixture<E> {
    /// A mixture with the given weights (they must sum to 1 up to rounding; they are normalised).
    ///
    /// # Errors
    /// If the number of weights is not the number of components, or they are not a distribution.
    pub fn new(mut weights: Vec<f64>, emission: E) -> Result<Self> {
        if weights.len() != emission.n_components() {
            return Err(Error::Model(format!(
                "{} mixing weights are given for {} components",
                weights.len(),
                emission.n_components()
            )));
        }
        normalise(&mut weights)?;
        Ok(Mixture { weights, emission, exact: false, memory: None, pseudo_count: 0.0 })
    }

    /// Equal weights over a bank.
    pub fn equal(emission: E) -> Self {
        let k = emission.n_components();
        Mixture { weights: vec![1.0 / k as f64; k], emission, exact: false, memory: None, pseudo_count: 0.0 }
    }

    /// Mixing weights, one per component.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// The same mixture with a Dirichlet(α, …, α) prior of the weights: every M-step adds α − 1 to the effective counts, and its
    /// density, relative to that at equal weights, is part of the log prior. α = 1 is maximum likelihood.
    ///
    /// # Errors
    /// Unless α is from 1 to 1e12: below 1 the posterior has no mode inside.
    pub fn with_weight_prior(self, concentration: f64) -> Result<Self> {
        if !(1.0..=LARGEST_PRIOR).contains(&concentration) {
            return Err(Error::Usage(format!(
                "the concentration of the weights is {concentration}: use a number from 1 (no prior) to 1e12"
            )));
        }
        Ok(Mixture { pseudo_count: concentration - 1.0, ..self })
    }

    /// α of the Dirichlet prior of the weights; 1 where there is none.
    pub fn weight_concentration(&self) -> f64 {
        self.pseudo_count + 1.0
    }

    /// Replaces the component distributions (the same ones in other units, say).
    pub fn with_emission(self, emission: E) -> Self {
        assert_eq!(emission.n_components(), self.weights.len());
        Mixture { emission, ..self }
    }

    /// Keeps the given components, in the given order, and normalises the weights.
    pub fn select_components(&mut self, keep: &[usize]) {
        self.weights = keep.iter().map(|&k| self.weights[k]).collect();
        let total: f64 = self.weights.iter().sum();
        self.weights.iter_mut().for_each(|w| *w /= total);
        self.emission.select_components(keep);
    }

    /// Restarts component `k` as component `j` of `from`, with weight 1/K; the others shrink to make room.
    pub fn reset_component(&mut self, k: usize, from: &E, j: usize) {
        self.emission.set_component(k, from, j);
        self.weights[k] = 0.0;
        let rest: f64 = self.weights.iter().sum();
        let share = 1.0 / self.weights.len() as f64;
        self.weights.iter_mut().for_each(|w| *w *= (1.0 - share) / rest);
        self.weights[k] = share;
    }
}

impl<E: Emission, W: Weights> Mixture<E, W> {
    /// A mixture of weights, or a posterior of them, and components.
    ///
    /// # Errors
    /// If their numbers differ.
    pub fn of(weights: W, emission: E) -> Result<Self> {
        let (w, k) = (weights.n_components(), emission.n_components());
        if w != k {
            return Err(Error::Model(format!("{w} weights are given for {k} components")));
        }
        Ok(Mixture { weights, emission, exact: false, memory: None, pseudo_count: 0.0 })
    }

    /// A mixture of parts that belong together.
    pub(crate) fn from_parts(weights: W, emission: E) -> Self {
        assert_eq!(emission.n_components(), weights.n_components());
        Mixture { weights, emission, exact: false, memory: None, pseudo_count: 0.0 }
    }

    /// The same mixture with other parameters.
    pub(super) fn with_parts(&self, weights: W, emission: E) -> Self {
        Mixture { weights, emission, exact: self.exact, memory: None, pseudo_count: self.pseudo_count }
    }

    /// The same mixture, with E-steps that leave nothing out (`true`) or set responsibilities below e⁻⁶⁰ to 0 (`false`, as every
    /// new mixture does: 9e-27 per row and component, below the rounding of what is summed).
    pub fn with_exact(self, exact: bool) -> Self {
        Mixture { exact, ..self }
    }

    /// What is known of the weights: numbers, or a posterior.
    pub fn mixing(&self) -> &W {
        &self.weights
    }

    /// The component distributions.
    pub fn emission(&self) -> &E {
        &self.emission
    }

    /// Draws one row into `out` and returns its component. What the components do not explain ([`Emission::sample`]) must be
    /// in `out` already.
    pub fn sample(&self, rng: &mut Rng, out: &mut [f64]) -> usize {
        let mut u: f64 = rng.random();
        let last = self.weights.n_components() - 1;
        let k = (0..last).find(|&k| {
            u -= self.weights.weight(k);
            u < 0.0
        });
        let k = k.unwrap_or(last);
        self.emission.sample(k, rng, out);
        k
    }

    /// log-densities of a tile, component-major.
    fn log_density(&self, chunk: Chunk<'_>, from: usize, to: usize, scratch: &mut MixtureScratch<E>) {
        self.emission.log_density(chunk.rows.slice(from, to), &mut scratch.emission, &mut scratch.resp);
    }
}

/// The weights' vector, then the emission's.
impl<E: Emission + Unconstrained, W: Weights + Unconstrained> Unconstrained for Mixture<E, W> {
    fn to_vector(&self) -> Vec<f64> {
        [self.weights.to_vector(), self.emission.to_vector()].concat()
    }

    fn with_vector(&self, vector: &[f64]) -> Option<Self> {
        let (weights, emission) = vector.split_at_checked(self.weights.to_vector().len())?;
        let weights = self.weights.with_vector(weights)?;
        Some(self.with_parts(weights, self.emission.with_vector(emission)?))
    }
}

/// Per-thread memory of a mixture's E-step.
#[derive(Debug)]
pub struct MixtureScratch<E: Emission> {
    isa: Isa,
    emission: E::Scratch,
    log_weights: Vec<f64>,
    /// K × TILE: log-densities, then responsibilities.
    resp: Aligned,
    log_density: Aligned,
    /// K: how often each component was drawn.
    drawn: Vec<f64>,
}

impl<E: Emission> MixtureScratch<E> {
    /// Responsibilities and log-densities of the `n` rows whose log-densities by component are in `resp`; a component whose
    /// joint density is below the row's largest by more than −`lowest` nats counts as 0. A row so far out that every
    /// density is 0 keeps the prior weights.
    fn normalise(&mut self, n: usize, weights: &impl Weights, lowest: f64) {
        let n_components = weights.n_components();
        softmax(self.isa, &mut self.resp, n, &self.log_weights, lowest, &mut self.log_density);
        if !sum(self.isa, &self.log_density[..n]).is_nan() {
            return;
        }
        for t in 0..n {
            if self.log_density[t].is_nan() {
                self.log_density[t] = f64::NEG_INFINITY;
                (0..n_components).for_each(|k| self.resp[k * TILE + t] = weights.weight(k));
            }
        }
    }

    /// As [`Self::normalise`], but gives the sum of the log-densities.
    fn normalise_total(&mut self, n: usize, weights: &impl Weights, lowest: f64) -> f64 {
        let total = softmax_total(self.isa, &mut self.resp, n, &self.log_weights, lowest);
        if !total.is_nan() {
            return total;
        }
        for t in (0..n).filter(|t| self.resp[*t].is_nan()).collect::<Vec<_>>() {
            (0..weights.n_components()).for_each(|k| self.resp[k * TILE + t] = weights.weight(k));
        }
        f64::NEG_INFINITY
    }

    /// Rules out every component but the known one.
    fn know(&mut self, chunk: Chunk<'_>, from: usize, n: usize, k: usize) -> Result<()> {
        if chunk.labels.is_some() {
            for t in 0..n {
                let Some(known) = chunk.label(from + t) else { continue };
                check_label(known, k)?;
                (0..k).filter(|c| *c != known).for_each(|c| self.resp[c * TILE + t] = f64::NEG_INFINITY);
            }
        }
        Ok(())
    }

    /// Joint log-densities to the power β: the softmax adds the log-weights once itself.
    fn temper(&mut self, n: usize, beta: f64) {
        for (tile, &log_weight) in self.resp.chunks_mut(TILE).zip(&self.log_weights) {
            // A component of weight 0 stays out.
            let shift = if log_weight == f64::NEG_INFINITY { log_weight } else { (beta - 1.0) * log_weight };
            tile[..n].iter_mut().for_each(|l| *l = beta * *l + shift);
        }
    }

    fn most_probable(&self, t: usize) -> usize {
        (0..self.drawn.len()).fold(0, |b, c| if self.resp[c * TILE + t] > self.resp[b * TILE + t] { c } else { b })
    }

    /// Makes responsibilities 0 or 1; returns Σ w log of the largest ones.
    fn harden(&mut self, chunk: Chunk<'_>, from: usize, n: usize) -> f64 {
        let mut certainty = 0.0;
        for t in 0..n {
            let best = self.most_probable(t);
            certainty += chunk.weight(from + t) * self.resp[best * TILE + t].ln();
            (0..self.drawn.len()).for_each(|c| self.resp[c * TILE + t] = f64::from(u8::from(c == best)));
        }
        certainty
    }

    /// Puts the shares of `draws` draws in the place of responsibilities; the first row has the number `first`.
    fn sample(&mut self, first: usize, n: usize, (seed, draws): (Seed, usize)) {
        let MixtureScratch { resp, drawn, .. } = self;
        for t in 0..n {
            let row = seed.child((first + t) as u64);
            let total: f64 = (0..drawn.len()).map(|c| resp[c * TILE + t]).sum();
            drawn.fill(0.0);
            for draw in 0..draws {
                let mut left = row.child(draw as u64).uniform() * total;
                let mut at = 0;
                for c in (0..drawn.len()).filter(|c| resp[c * TILE + t] > 0.0) {
                    at = c;
                    left -= resp[c * TILE + t];
                    if left < 0.0 {
                        break;
                    }
                }
                drawn[at] += 1.0;
            }
            (0..drawn.len()).for_each(|c| resp[c * TILE + t] = drawn[c] / draws as f64);
        }
    }

    /// Leaves out responsibilities below `least`, but the largest.
    fn threshold(&mut self, n: usize, least: f64) {
        let k = self.drawn.len();
        for t in 0..n {
            let best = self.most_probable(t);
            let kept = |c: usize, r: f64| if c == best || r >= least { r } else { 0.0 };
            let total: f64 = (0..k).map(|c| kept(c, self.resp[c * TILE + t])).sum();
            (0..k).for_each(|c| self.resp[c * TILE + t] = kept(c, self.resp[c * TILE + t]) / total);
        }
    }

    fn weigh(&mut self, chunk: Chunk<'_>, from: usize, n: usize, k: usize) {
        if let Some(weights) = chunk.weights {
            for c in 0..k {
                for (r, w) in self.resp[c * TILE..][..n].iter_mut().zip(&weights[from..]) {
                    *r *= w;
                }
            }
        }
    }
}

fn tiles(n_rows: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..n_rows).step_by(TILE).map(move |from| (from, (from + TILE).min(n_rows)))
}

impl<E: Emission, W: Weights> LatentModel for Mixture<E, W> {
    type Stats = MixtureStats<E::Stats>;
    type Scratch = MixtureScratch<E>;

    fn empty_stats(&self) -> Self::Stats {
        MixtureStats { counts: vec![0.0; self.weights.n_components()], emission: self.emission.empty_stats() }
    }

    fn scratch(&self) -> Self::Scratch {
        MixtureScratch {
            isa: Isa::detect(),
            emission: self.emission.scratch(),
            log_weights: (0..self.weights.n_components()).map(|k| self.weights.log_weight(k)).collect(),
            resp: Aligned::zeros(self.weights.n_components() * TILE),
            log_density: Aligned::zeros(TILE),
            drawn: vec![0.0; self.weights.n_components()],
        }
    }

    fn e_step(
        &self,
        chunk: Chunk<'_>,
        posterior: Posterior,
        scratch: &mut Self::Scratch,
        out: &mut Expectation<Self::Stats>,
    ) -> Result<()> {
        posterior.check()?;
        if let Some(memory) = &self.memory {
            return self.sparse_e_step(memory, chunk, scratch, out);
        }
        let k = self.weights.n_components();
        let beta = if let Posterior::Tempered(beta) = posterior { beta } else { 1.0 };
        // A power of something negligible need not be.
        let exact = self.exact || beta < 1.0;
        let lowest = if exact { LOWEST } else { NEGLIGIBLE };
        // A known component counts, however small its density.
        let neglect = (chunk.labels.is_none() && !exact).then_some((&scratch.log_weights[..], lowest));
        self.emission.neglect(&mut scratch.emission, neglect);
        for (from, to) in tiles(chunk.rows.n_rows()) {
            let n = to - from;
            self.log_density(chunk, from, to, scratch);
            scratch.know(chunk, from, n, k)?;
            if beta != 1.0 {
                scratch.temper(n, beta);
            }
            match chunk.weights {
                None => {
                    out.log_likelihood += scratch.normalise_total(n, &self.weights, lowest) / beta;
                    out.weight += n as f64;
                }
                Some(weights) => {
                    scratch.normalise(n, &self.weights, lowest);
                    for (w, l) in weights[from..to].iter().zip(scratch.log_density.iter()) {
                        out.log_likelihood += w * l / beta;
                        out.weight += w;
                    }
                }
            }
            match posterior {
                Posterior::Soft | Posterior::Tempered(_) => {}
                Posterior::Hard => out.log_likelihood += scratch.harden(chunk, from, n),
                Posterior::Sampled { seed, draws } => scratch.sample(chunk.first_row + from, n, (seed, draws)),
                Posterior::Thresholded(least) => scratch.threshold(n, least),
            }
            scratch.weigh(chunk, from, n, k);
            self.add_tile(chunk, from, to, scratch, &mut out.stats);
        }
        Ok(())
    }

    fn accumulate_given(
        &self,
        chunk: Chunk<'_>,
        resp: &[f64],
        scratch: &mut Self::Scratch,
        out: &mut Expectation<Self::Stats>,
    ) -> Result<()> {
        let k = self.weights.n_components();
        for (from, to) in tiles(chunk.rows.n_rows()) {
            let n = to - from;
            // The densities leave in the scratch what `accumulate` needs.
            self.log_density(chunk, from, to, scratch);
            for t in 0..n {
                let row = &resp[(from + t) * k..][..k];
                let known = chunk.label(from + t);
                if let Some(known) = known {
                    check_label(known, k)?;
                }
                for c in 0..k {
                    scratch.resp[c * TILE + t] = known.map_or(row[c], |l| f64::from(u8::from(l == c)));
                }
                out.weight += chunk.weight(from + t);
            }
            scratch.weigh(chunk, from, n, k);
            self.add_tile(chunk, from, to, scratch, &mut out.stats);
        }
        Ok(())
    }

    fn remember(&mut self, memory: Option<Arc<Plausible>>) -> bool {
        self.memory = memory;
        true
    }

    fn m_step(&mut self, stats: &Self::Stats) -> Result<Health> {
        self.maximize_weights(&stats.counts);
        self.emission.maximize(&stats.emission)
    }

    /// The weights, then the blocks of the components.
    fn n_blocks(&self) -> usize {
        1 + self.emission.n_blocks()
    }

    fn m_step_block(&mut self, block: usize, stats: &Self::Stats) -> Result<Health> {
        let Some(of_emission) = block.checked_sub(1) else {
            self.maximize_weights(&stats.counts);
            return Ok(vec![ComponentHealth::default(); stats.counts.len()]);
        };
        self.emission.maximize_block(of_emission, &stats.emission)
    }

    /// K, the weights, then the emission's own.
    fn parameters(&self) -> Vec<f64> {
        [vec![self.weights.n_components() as f64], self.weights.parameters(), self.emission.parameters()].concat()
    }

    fn with_parameters(&self, parameters: &[f64]) -> Option<Self> {
        let (&k, rest) = parameters.split_first()?;
        let (weights, rest) = self.weights.with_parameters(k as usize, rest)?;
        let emission = self.emission.with_parameters(rest)?;
        (emission.n_components() == weights.n_components()).then(|| self.with_parts(weights, emission))
    }

    fn log_prior(&self) -> f64 {
        let k = self.weights.n_components();
        let dirichlet = if self.pseudo_count > 0.0 {
            self.pseudo_count * (0..k).map(|c| self.weights.log_weight(c) + (k as f64).ln()).sum::<f64>()
        } else {
            0.0
        };
        dirichlet + self.weights.log_prior() + self.emission.log_prior()
    }

    fn n_free_parameters(&self) -> usize {
        self.weights.n_free_parameters() + self.emission.n_free_parameters()
    }

    fn free_weights(&self) -> Option<(Vec<f64>, usize)> {
        let weights = self.weights.replaced(self.weights.parameters())?.parameters();
        Some((weights, self.emission.n_features()))
    }

    fn keep_components(&mut self, keep: &[usize], weights: Vec<f64>) {
        if let Some(weights) = self.weights.replaced(weights) {
            self.weights = weights;
            if keep.len() < self.emission.n_components() {
                self.emission.select_components(keep);
            }
        }
    }

    fn bound(&self, at: &Self, chunk: Chunk<'_>) -> Option<Bound> {
        Bound::of_mixture(self, at, chunk)
    }
}

impl<E: Emission, W: Weights> Mixture<E, W> {
    fn maximize_weights(&mut self, counts: &[f64]) {
        if self.pseudo_count > 0.0 {
            let counts: Vec<f64> = counts.iter().map(|n| n + self.pseudo_count).collect();
            self.weights.maximize(&counts);
        } else {
            self.weights.maximize(counts);
        }
    }

    fn add_tile(
        &self,
        chunk: Chunk<'_>,
        from: usize,
        to: usize,
        scratch: &mut MixtureScratch<E>,
        stats: &mut MixtureStats<E::Stats>,
    ) {
        for (k, count) in stats.counts.iter_mut().enumerate() {
            *count += sum(scratch.isa, &scratch.resp[k * TILE..][..to - from]);
        }
        let MixtureScratch { emission, resp, .. } = scratch;
        self.emission.accumulate(chunk.rows.slice(from, to), resp, emission, &mut stats.emission);
    }
}

pub(super) fn check_label(known: usize, k: usize) -> Result<()> {
    if known >= k {
        return Err(Error::Data(format!("a row is labelled component {known}, but there are only {k} components")));
    }
    Ok(())
}

impl<E: Emission, W: Weights> Predict for Mixture<E, W> {
    fn n_components(&self) -> usize {
        self.weights.n_components()
    }

    fn posterior(&self, chunk: Chunk<'_>, scratch: &mut Self::Scratch, resp: &mut [f64], log_density: &mut [f64]) {
        let k = self.weights.n_components();
        self.emission.neglect(&mut scratch.emission, None);
        for (from, to) in tiles(chunk.rows.n_rows()) {
            self.log_density(chunk, from, to, scratch);
            scratch.normalise(to - from, &self.weights, LOWEST);
            for t in from..to {
                (0..k).for_each(|c| resp[t * k + c] = scratch.resp[c * TILE + t - from]);
                log_density[t] = scratch.log_density[t - from];
            }
        }
    }
}
