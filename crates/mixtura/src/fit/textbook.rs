//! The textbook models, each in one call: checked rows in, the best of several runs out, in the data's own units.

use super::model::fit_with;
use super::prepare::METHOD;
use super::{Control, Method, ModelFit, ModelOptions};
use crate::data::{Source, for_each_row};
use crate::engine::Threads;
use crate::error::{Error, Result};
use crate::family::Emission;
use crate::family::bernoulli::Bernoulli;
use crate::family::binomial::{Binomial, counts};
use crate::family::linear::{Linear, Prepared};
use crate::init;
use crate::model::censored::{CensoredExtremeValue, CensoredNormal, Sample};
use crate::model::genetics::GeneTable;
use crate::model::probit::{Probit, Responses};
use crate::model::{FixedWeights, HiddenMultinomial, LatentModel, Mixture, Unconstrained};
use crate::seed::Seed;

/// Restarts beyond which a search is a mistake.
const MOST_RESTARTS: usize = 100_000;

/// How a model is searched for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Search {
    /// Runs, each from a start of its own.
    pub restarts: usize,
    /// Of all starts.
    pub seed: Seed,
    /// How E- and M-steps alternate.
    pub method: Method,
    /// When a run ends.
    pub limits: ModelOptions,
}

/// 20 runs of SQUAREM from seed 0, at most 1000 iterations, 1e-6 nats: textbook data are small, and their readers compare digits.
impl Default for Search {
    fn default() -> Self {
        let limits = ModelOptions { tolerance: 1e-6, ..ModelOptions::default() };
        Search { restarts: 20, seed: Seed::new(0), method: Method::Squarem, limits }
    }
}

/// A textbook model fitted, and what information criteria need.
#[derive(Clone, Debug)]
pub struct TextbookFit<M> {
    /// The fit; everything but its trace is in the data's own units.
    pub fit: ModelFit<M>,
    /// Number of used rows.
    pub n_rows: usize,
    /// Σ w.
    pub total_weight: f64,
    /// Number of free parameters.
    pub n_free_parameters: usize,
}

impl<M> TextbookFit<M> {
    /// −2ℓ + p log Σw (Schwarz 1978); lower is better.
    pub fn bic(&self) -> f64 {
        -2.0 * self.fit.log_likelihood + self.n_free_parameters as f64 * self.total_weight.ln()
    }

    /// −2ℓ + 2p (Akaike 1974); lower is better.
    pub fn aic(&self) -> f64 {
        -2.0 * self.fit.log_likelihood + 2.0 * self.n_free_parameters as f64
    }

    /// The same fit of the model in another form, where log-likelihoods are higher by `gain`.
    fn map<N>(self, gain: f64, form: impl FnOnce(M) -> N) -> TextbookFit<N> {
        let mut fit = self.fit.map(form);
        fit.log_likelihood += gain;
        fit.objective += gain;
        fit.certificate.restarts.iter_mut().for_each(|r| *r += gain);
        fit.certificate.modes.iter_mut().for_each(|m| m.objective += gain);
        TextbookFit {
            fit,
            n_rows: self.n_rows,
            total_weight: self.total_weight,
            n_free_parameters: self.n_free_parameters,
        }
    }
}

/// Runs from the starts that `start` makes of a number and a seed.
fn climb<M: LatentModel + Unconstrained>(
    start: impl Fn(usize, Seed) -> Result<M>,
    source: &dyn Source,
    search: &Search,
    control: Control<'_>,
) -> Result<TextbookFit<M>> {
    if !(1..=MOST_RESTARTS).contains(&search.restarts) {
        return Err(Error::Usage(format!("{} restarts: use 1 to {MOST_RESTARTS}", search.restarts)));
    }
    let starts: Vec<M> = (0..search.restarts).map(|r| start(r, search.seed.child(r as u64))).collect::<Result<_>>()?;
    let scale = (source.n_rows() * source.n_features()) as f64;
    // Starts have the numbers below the limit of restarts.
    let root = search.seed.child(MOST_RESTARTS as u64 + METHOD);
    let algorithm = |run| search.method.algorithm(root.child(run as u64));
    let fit = fit_with(starts, &mut Threads::new(source), algorithm, (search.limits, scale), control)?;
    let (mut n_rows, mut total_weight) = (0, 0.0);
    for_each_row(source, |_, _, w, _| (n_rows, total_weight) = (n_rows + 1, total_weight + w))?;
    Ok(TextbookFit { n_free_parameters: fit.model.n_free_parameters(), fit, n_rows, total_weight })
}

/// Components by weight, largest first, then by `key`.
fn ordered<E: Emission>(mut model: Mixture<E>, key: impl Fn(&E, usize) -> Vec<f64>) -> Mixture<E> {
    let keys: Vec<Vec<f64>> = (0..model.weights().len()).map(|k| key(model.emission(), k)).collect();
    let mut keep: Vec<usize> = (0..keys.len()).collect();
    keep.sort_by(|&a, &b| {
        model.weights()[b].total_cmp(&model.weights()[a]).then_with(|| {
            let pairs = keys[a].iter().zip(&keys[b]);
            pairs.map(|(x, y)| x.total_cmp(y)).find(|o| o.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
        })
    });
    model.select_components(&keep);
    model
}

/// K coins of unknown bias: rows of (heads, flips), or of heads where every row has `flips`. `equal_weights` keeps the weights
/// equal. Components come by weight, largest first, then by probability. `names` (may be empty) names columns in messages.
///
/// ```
/// use mixtura::data::Dense;
/// use mixtura::fit::{Control, textbook};
/// // Do & Batzoglou 2008: five draws of one of two coins, ten flips each.
/// let heads = Dense::new(vec![5.0, 9.0, 8.0, 4.0, 7.0], 1)?;
/// let found = textbook::binomial(&heads, Some(10), 2, true, &[], &textbook::Search::default(), Control::default())?;
/// assert!((found.fit.model.emission().probabilities()[1] - 0.7968).abs() < 1e-3);
/// # Ok::<(), mixtura::Error>(())
/// ```
///
/// # Errors
/// What [`Binomial::check`] refuses, rows that all miss a cell or have no flips, and as [`super::fit_model`].
pub fn binomial(
    source: &dyn Source,
    flips: Option<u32>,
    k: usize,
    equal_weights: bool,
    names: &[String],
    search: &Search,
    control: Control<'_>,
) -> Result<TextbookFit<Mixture<Binomial>>> {
    Binomial::check(source, flips, names)?;
    let mut total = 0.0;
    for_each_row(source, |_, row, w, _| {
        let (heads, flips) = counts(row, flips);
        total += if (heads + flips).is_nan() { 0.0 } else { w * flips };
    })?;
    if total == 0.0 {
        return Err(Error::Data("no row has heads and at least one flip: there is nothing to learn from".into()));
    }
    let start = |_, seed| init::binomial(source, flips, k, seed);
    let found = if equal_weights {
        let fixed = |r, seed| {
            let weights = FixedWeights::new(vec![1.0 / k as f64; k]);
            start(r, seed).and_then(|free: Mixture<Binomial>| Mixture::of(weights?, free.emission().clone()))
        };
        climb(fixed, source, search, control)?.map(0.0, |m| Mixture::equal(m.emission().clone()))
    } else {
        climb(start, source, search, control)?
    };
    Ok(found.map(0.0, |m| ordered(m, |coins, k| vec![coins.probabilities()[k]])))
}

/// K products of yes/no probabilities (latent classes): cells are 0, 1 or missing. Components come by weight, largest first.
///
/// # Errors
/// What [`Bernoulli::check`] refuses, and as [`super::fit_model`].
pub fn bernoulli(
    source: &dyn Source,
    k: usize,
    names: &[String],
    search: &Search,
    control: Control<'_>,
) -> Result<TextbookFit<Mixture<Bernoulli>>> {
    Bernoulli::check(source, names)?;
    let found = climb(|_, seed| init::bernoulli(source, k, seed), source, search, control)?;
    Ok(found.map(0.0, |m| ordered(m, |bank, k| bank.probabilities(k).to_vec())))
}

/// K regressions of the last column on the others. Components come by weight, largest first, then by coefficients.
///
/// # Errors
/// What [`Prepared::new`] refuses, and as [`super::fit_model`].
pub fn linear(
    source: &dyn Source,
    k: usize,
    intercept: bool,
    names: &[String],
    search: &Search,
    control: Control<'_>,
) -> Result<TextbookFit<Mixture<Linear>>> {
    if source.n_features() == 1 && !intercept {
        return Err(Error::Usage("a regression without columns and without an intercept has nothing to fit".into()));
    }
    let prepared = Prepared::new(source, intercept, names)?;
    let found = climb(|_, seed| init::linear(&prepared, k, seed), &prepared.data, search, control)?;
    let lines = prepared.original(found.fit.model.emission())?;
    Ok(found.map(prepared.log_jacobian(), |m| ordered(m.with_emission(lines), Linear::coefficients)))
}

/// Allele frequencies of a gene table. Rows are phenotypes, weights their counts; the log-likelihood leaves out the multinomial
/// coefficient.
///
/// # Errors
/// As [`super::fit_model`].
pub fn genes(table: &GeneTable, search: &Search, control: Control<'_>) -> Result<TextbookFit<HiddenMultinomial>> {
    let start = |r, seed| Ok(if r == 0 { table.start() } else { table.random_start(seed) });
    climb(start, &table.rows()?, search, control)
}

/// A normal distribution of censored values.
///
/// # Errors
/// As [`super::fit_model`].
pub fn censored_normal(sample: &Sample, search: &Search, control: Control<'_>) -> Result<TextbookFit<CensoredNormal>> {
    let start =
        |r, seed| Ok(if r == 0 { CensoredNormal::start(sample) } else { CensoredNormal::random_start(sample, seed) });
    Ok(climb(start, sample.rows(), search, control)?.map(sample.log_jacobian(), |m| m.in_units(sample)))
}

/// A smallest-extreme-value distribution of censored values.
///
/// # Errors
/// As [`super::fit_model`].
pub fn censored_extreme_value(
    sample: &Sample,
    search: &Search,
    control: Control<'_>,
) -> Result<TextbookFit<CensoredExtremeValue>> {
    let start = |r, seed| {
        Ok(if r == 0 { CensoredExtremeValue::start(sample) } else { CensoredExtremeValue::random_start(sample, seed) })
    };
    Ok(climb(start, sample.rows(), search, control)?.map(sample.log_jacobian(), |m| m.in_units(sample)))
}

/// Probit regression of checked responses.
///
/// # Errors
/// As [`super::fit_model`].
pub fn probit(data: &Responses<'_>, search: &Search, control: Control<'_>) -> Result<TextbookFit<Probit>> {
    let start = |r, seed| Ok(if r == 0 { Probit::start(data) } else { Probit::random_start(data, seed) });
    Ok(climb(start, data.rows(), search, control)?.map(0.0, |m| m.in_units(data)))
}
