//! Mixing weights: numbers, numbers known beforehand, or a variational posterior under a Dirichlet distribution or process.

use super::Unconstrained;
use crate::error::{Error, Result};
use crate::special::{LARGEST_PRIOR, digamma};

/// What a mixture knows of its weights, and how its M-step learns it from the effective counts.
pub trait Weights: Clone + Send + Sync {
    /// Number of components K.
    fn n_components(&self) -> usize;
    /// What the E-step adds to the log-density of component `k`: log π_k, or E\[log π_k\] under the posterior.
    fn log_weight(&self, k: usize) -> f64;
    /// The weight of component `k`, or its expectation; these sum to 1.
    fn weight(&self, k: usize) -> f64;
    /// Sets the weights, or their posterior, to the best given the effective counts (one per component).
    fn maximize(&mut self, counts: &[f64]);
    /// log prior, or −KL(posterior ‖ prior); 0 for maximum likelihood.
    fn log_prior(&self) -> f64 {
        0.0
    }
    /// Number of free parameters.
    fn n_free_parameters(&self) -> usize {
        self.n_components() - 1
    }
    /// These weights with others in their place, of any number; `None` where weights are not free numbers.
    fn replaced(&self, _weights: Vec<f64>) -> Option<Self> {
        None
    }
    /// Every parameter, exactly.
    fn parameters(&self) -> Vec<f64>;
    /// Weights of `k` components from the first of these parameters, and the rest of the parameters; `None` where there
    /// are too few.
    fn with_parameters<'a>(&self, k: usize, parameters: &'a [f64]) -> Option<(Self, &'a [f64])>;
}

/// Weights whose free ones are coordinates ([`super::Identified`]): as many as [`Weights::n_free_parameters`] says, all but the last.
pub trait FreeWeights: Weights {
    /// These weights with other free ones; `None` where they are no distribution of positive weights.
    fn with_free(&self, free: &[f64]) -> Option<Self>;
    /// The weights of the components in another order; `None` where the weights themselves say which component is which.
    fn reordered(&self, order: &[usize]) -> Option<Self>;
}

impl FreeWeights for Vec<f64> {
    fn with_free(&self, free: &[f64]) -> Option<Self> {
        let weights = [free, &[1.0 - free.iter().sum::<f64>()]].concat();
        (weights.len() == self.len() && weights.iter().all(|w| *w > 0.0)).then_some(weights)
    }

    fn reordered(&self, order: &[usize]) -> Option<Self> {
        Some(order.iter().map(|&k| self[k]).collect())
    }
}

impl FreeWeights for FixedWeights {
    fn with_free(&self, free: &[f64]) -> Option<Self> {
        free.is_empty().then(|| self.clone())
    }

    fn reordered(&self, order: &[usize]) -> Option<Self> {
        let equal = self.0.iter().all(|w| *w == self.0[0]);
        (equal || order.is_sorted()).then(|| self.clone())
    }
}

/// Maximum likelihood: the weights themselves.
impl Weights for Vec<f64> {
    fn n_components(&self) -> usize {
        self.len()
    }

    fn log_weight(&self, k: usize) -> f64 {
        self[k].ln()
    }

    fn weight(&self, k: usize) -> f64 {
        self[k]
    }

    fn maximize(&mut self, counts: &[f64]) {
        let total: f64 = counts.iter().sum();
        for (w, c) in self.iter_mut().zip(counts) {
            *w = c / total;
        }
    }

    fn replaced(&self, weights: Vec<f64>) -> Option<Self> {
        Some(weights)
    }

    fn parameters(&self) -> Vec<f64> {
        self.clone()
    }

    fn with_parameters<'a>(&self, k: usize, parameters: &'a [f64]) -> Option<(Self, &'a [f64])> {
        let (weights, rest) = parameters.split_at_checked(k)?;
        Some((weights.to_vec(), rest))
    }
}

/// log weights; a constant is free, since they are normalised.
impl Unconstrained for Vec<f64> {
    fn to_vector(&self) -> Vec<f64> {
        // An empty component has no finite log-weight; far below any rounding is as good.
        self.iter().map(|w| w.max(f64::MIN_POSITIVE).ln()).collect()
    }

    fn with_vector(&self, logs: &[f64]) -> Option<Self> {
        let top = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let raw: Vec<f64> = logs.iter().map(|l| (l - top).exp()).collect();
        let total: f64 = raw.iter().sum();
        let weights: Vec<f64> = raw.iter().map(|w| w / total).collect();
        weights.iter().all(|w| w.is_finite()).then_some(weights)
    }
}

/// Weights that are known beforehand: no M-step changes them.
///
/// ```
/// use mixtura::family::binomial::Binomial;
/// use mixtura::model::{FixedWeights, Mixture};
/// // Two coins, each picked half of the time.
/// let coins = Binomial::new(vec![0.6, 0.5], Some(10))?;
/// let model = Mixture::of(FixedWeights::new(vec![0.5, 0.5])?, coins)?;
/// # Ok::<(), mixtura::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct FixedWeights(Vec<f64>);

impl FixedWeights {
    /// The given weights.
    ///
    /// # Errors
    /// If they are not a distribution: none, negative, not finite, or of a sum that is not 1 up to 1e-4 (they are normalised).
    pub fn new(mut weights: Vec<f64>) -> Result<Self> {
        normalise(&mut weights)?;
        Ok(FixedWeights(weights))
    }
}

impl Weights for FixedWeights {
    fn n_components(&self) -> usize {
        self.0.len()
    }

    fn log_weight(&self, k: usize) -> f64 {
        self.0[k].ln()
    }

    fn weight(&self, k: usize) -> f64 {
        self.0[k]
    }

    fn maximize(&mut self, _counts: &[f64]) {}

    fn n_free_parameters(&self) -> usize {
        0
    }

    fn parameters(&self) -> Vec<f64> {
        self.0.clone()
    }

    fn with_parameters<'a>(&self, k: usize, parameters: &'a [f64]) -> Option<(Self, &'a [f64])> {
        let (weights, rest) = parameters.split_at_checked(k)?;
        Some((FixedWeights(weights.to_vec()), rest))
    }
}

/// Nothing is free.
impl Unconstrained for FixedWeights {
    fn to_vector(&self) -> Vec<f64> {
        Vec::new()
    }

    fn with_vector(&self, _vector: &[f64]) -> Option<Self> {
        Some(self.clone())
    }
}

/// Makes given mixing weights sum to 1.
pub(super) fn normalise(weights: &mut [f64]) -> Result<()> {
    if let Some(k) = weights.iter().position(|w| !(*w >= 0.0 && w.is_finite())) {
        return Err(Error::Model(format!(
            "the mixing weight of component {k} is {}: weights must be finite and not negative",
            weights[k]
        )));
    }
    let total: f64 = weights.iter().sum();
    // Weights typed by hand with five digits are welcome; anything further off is a mistake.
    if (total - 1.0).abs() > 1e-4 {
        return Err(Error::Model(format!("the mixing weights sum to {total}, not 1")));
    }
    // Weights that sum to 1 up to rounding stay as they are, so that files read back to the bit.
    if (total - 1.0).abs() > 1e-12 {
        weights.iter_mut().for_each(|w| *w /= total);
    }
    Ok(())
}

/// The prior of the weights; its number is the concentration, > 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum WeightPrior {
    /// Dirichlet(α₀, …, α₀) over K weights (Bishop 2006, eq. 10.39). The order of the components is a name.
    Dirichlet(f64),
    /// Dirichlet process by stick-breaking (Blei & Jordan 2006): v_k ~ Beta(1, γ), π_k = v_k Π_{j<k} (1 − v_j), rows in
    /// the first K sticks only. Components come in an order: early ones are larger a priori.
    Process(f64),
}

impl WeightPrior {
    /// Its concentration.
    pub fn concentration(self) -> f64 {
        match self {
            WeightPrior::Dirichlet(c) | WeightPrior::Process(c) => c,
        }
    }
}

/// q(π): Dirichlet(a₁ … a_K), or one Beta(a_k, b_k) for each stick v_k.
///
/// With the Dirichlet process also the last stick has its Beta: the model has infinitely many components, of which the
/// posterior gives rows to the first K (Kurihara, Welling & Vlassis 2007). The bound is one of that infinite model.
///
/// ```
/// use mixtura::model::{WeightPosterior, WeightPrior, Weights};
/// let mut weights = WeightPosterior::new(WeightPrior::Dirichlet(1.0), 2)?;
/// weights.maximize(&[5.0, 1.0]);
/// assert_eq!(weights.a(), [6.0, 2.0]);
/// assert_eq!(weights.weight(0), 0.75);
/// # Ok::<(), mixtura::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct WeightPosterior {
    prior: WeightPrior,
    a: Vec<f64>,
    /// Empty for a Dirichlet distribution.
    b: Vec<f64>,
    /// E\[log π_k\].
    log_weights: Vec<f64>,
    weights: Vec<f64>,
    kl: f64,
}

impl WeightPosterior {
    /// The prior itself, for K components.
    ///
    /// # Errors
    /// If the concentration is not a positive number up to 1e12, or K is 0.
    pub fn new(prior: WeightPrior, n_components: usize) -> Result<Self> {
        let c = prior.concentration();
        if !(c > 0.0 && c <= LARGEST_PRIOR) {
            return Err(Error::Usage(format!(
                "the weight concentration is {c}: use a positive number up to {LARGEST_PRIOR:e}"
            )));
        }
        if n_components == 0 {
            return Err(Error::Usage("a mixture needs at least one component".into()));
        }
        let (a, b) = match prior {
            WeightPrior::Dirichlet(c) => (vec![c; n_components], Vec::new()),
            WeightPrior::Process(c) => (vec![1.0; n_components], vec![c; n_components]),
        };
        Ok(Self::of(prior, a, b))
    }

    /// A posterior that is known: Dirichlet concentrations `a` and an empty `b`, or the Betas' parameters.
    ///
    /// # Errors
    /// If the prior is none, sizes do not match, or a number is not positive.
    pub fn known(prior: WeightPrior, a: Vec<f64>, b: Vec<f64>) -> Result<Self> {
        let none = Self::new(prior, a.len())?;
        if b.len() != none.b.len() {
            return Err(Error::Model(format!(
                "{} and {} weight concentrations do not belong together",
                a.len(),
                b.len()
            )));
        }
        if let Some(bad) = a.iter().chain(&b).find(|v| !(**v > 0.0 && v.is_finite())) {
            return Err(Error::Model(format!("a weight concentration is {bad}: it must be positive and finite")));
        }
        Ok(Self::of(prior, a, b))
    }

    /// The prior.
    pub fn prior(&self) -> WeightPrior {
        self.prior
    }

    /// Dirichlet: its K concentrations; process: the first parameter of each stick's Beta, 1 + n_k.
    pub fn a(&self) -> &[f64] {
        &self.a
    }

    /// Process: the second parameter of each stick's Beta, γ + Σ_{j>k} n_j; Dirichlet: empty.
    pub fn b(&self) -> &[f64] {
        &self.b
    }

    /// E\[π\], K numbers that sum to 1 (for the process, what lies beyond the K-th stick is left out).
    pub fn expected(&self) -> &[f64] {
        &self.weights
    }

    /// Keeps the given components, in the given order. Only under a Dirichlet distribution is that the same posterior
    /// under other names; the sticks of a process are broken anew from the counts.
    pub(crate) fn select(&mut self, keep: &[usize]) {
        let before = match self.prior {
            WeightPrior::Dirichlet(c) => c,
            WeightPrior::Process(_) => 1.0,
        };
        let counts: Vec<f64> = keep.iter().map(|&k| self.a[k] - before).collect();
        self.maximize(&counts);
    }

    fn of(prior: WeightPrior, a: Vec<f64>, b: Vec<f64>) -> Self {
        let (log_weights, mut weights, kl): (Vec<f64>, Vec<f64>, f64) = match prior {
            WeightPrior::Dirichlet(c) => dirichlet(c, &a),
            WeightPrior::Process(c) => process(c, &a, &b),
        };
        let total: f64 = weights.iter().sum();
        weights.iter_mut().for_each(|w| *w /= total);
        WeightPosterior { prior, a, b, log_weights, weights, kl }
    }
}

/// E\[log π\] (Bishop 2006, eq. 10.66), E\[π\], and KL(q ‖ p) of two Dirichlet distributions.
fn dirichlet(prior: f64, a: &[f64]) -> (Vec<f64>, Vec<f64>, f64) {
    let (k, total) = (a.len() as f64, a.iter().sum::<f64>());
    let log_weights: Vec<f64> = a.iter().map(|a| digamma(*a) - digamma(total)).collect();
    let each: f64 = a.iter().zip(&log_weights).map(|(a, l)| (a - prior) * l - libm::lgamma(*a)).sum();
    let kl = libm::lgamma(total) - libm::lgamma(k * prior) + k * libm::lgamma(prior) + each;
    (log_weights, a.iter().map(|a| a / total).collect(), kl)
}

/// The same for sticks (Blei & Jordan 2006, §3): E\[log π_k\] = E\[log v_k\] + Σ_{j<k} E\[log(1 − v_j)\].
fn process(prior: f64, a: &[f64], b: &[f64]) -> (Vec<f64>, Vec<f64>, f64) {
    let (mut log_weights, mut weights, mut kl) = (Vec::new(), Vec::new(), 0.0);
    let (mut log_left, mut left) = (0.0, 1.0);
    for (&a, &b) in a.iter().zip(b) {
        let (log_v, log_rest) = (digamma(a) - digamma(a + b), digamma(b) - digamma(a + b));
        log_weights.push(log_v + log_left);
        weights.push(left * a / (a + b));
        log_left += log_rest;
        left *= b / (a + b);
        // KL of Beta(a, b) from Beta(1, γ), whose log B is −log γ.
        kl += libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b) - prior.ln()
            + (a - 1.0) * log_v
            + (b - prior) * log_rest;
    }
    (log_weights, weights, kl)
}

impl Weights for WeightPosterior {
    fn n_components(&self) -> usize {
        self.a.len()
    }

    fn log_weight(&self, k: usize) -> f64 {
        self.log_weights[k]
    }

    fn weight(&self, k: usize) -> f64 {
        self.weights[k]
    }

    fn maximize(&mut self, counts: &[f64]) {
        let (a, b) = match self.prior {
            // Bishop (2006), eq. 10.58.
            WeightPrior::Dirichlet(c) => (counts.iter().map(|n| c + n).collect(), Vec::new()),
            // Blei & Jordan (2006), eqs 18 and 19.
            WeightPrior::Process(c) => {
                let mut later = 0.0;
                let mut b = vec![c; counts.len()];
                for k in (0..counts.len()).rev() {
                    b[k] += later;
                    later += counts[k];
                }
                (counts.iter().map(|n| 1.0 + n).collect(), b)
            }
        };
        *self = Self::of(self.prior, a, b);
    }

    fn log_prior(&self) -> f64 {
        -self.kl
    }

    fn parameters(&self) -> Vec<f64> {
        [&self.a[..], &self.b].concat()
    }

    fn with_parameters<'a>(&self, k: usize, parameters: &'a [f64]) -> Option<(Self, &'a [f64])> {
        let (a, rest) = parameters.split_at_checked(k)?;
        let (b, rest) = rest.split_at_checked(if self.b.is_empty() { 0 } else { k })?;
        let valid = k > 0 && a.iter().chain(b).all(|v| *v > 0.0 && v.is_finite());
        valid.then(|| (Self::of(self.prior, a.to_vec(), b.to_vec()), rest))
    }
}
