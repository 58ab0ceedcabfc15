//! One question about the uncertainty of a fit, whatever the method: what every face asks, and the answer that it shows.

use super::errors::check_level;
use super::gaussian::{Functions, functions};
use super::{
    Bootstrap, Errors, Interval, IntervalKind, Lost, Method, Replicates, Resample, Resampling, Stationarity, errors,
    gaussian_errors, gaussian_stationarity,
};
use crate::data::Source;
use crate::error::{Error, Result};
use crate::family::bernoulli::Bernoulli;
use crate::family::binomial::Binomial;
use crate::family::gaussian::Gaussian;
use crate::family::linear::{self, Linear};
use crate::family::{Differentiable, Emission, Range};
use crate::fit::{Control, Prior};
use crate::model::censored::{CensoredExtremeValue, CensoredNormal, Sample};
use crate::model::genetics::GeneTable;
use crate::model::probit::{Probit, Responses};
use crate::model::{FixedWeights, HiddenMultinomial, LatentModel, Mixture};
use crate::seed::Seed;

/// How standard errors are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The information in the data.
    Information(Method),
    /// Bootstrap replicates.
    Replicates(Resampling),
}

impl By {
    /// Every way.
    pub fn all() -> impl Iterator<Item = By> {
        let replicates = Resampling::ALL.into_iter().map(By::Replicates);
        Method::ALL.into_iter().map(By::Information).chain(replicates)
    }

    /// The name in every face.
    pub fn name(self) -> &'static str {
        match self {
            By::Information(method) => method.name(),
            By::Replicates(resampling) => resampling.name(),
        }
    }

    /// What it is, in a few words.
    pub fn words(self) -> &'static str {
        match self {
            By::Information(Method::Louis) => "from the observed information",
            By::Information(Method::Numerical) => "from the Hessian by differences",
            By::Information(Method::Supplemental) => "by supplemental EM",
            By::Information(Method::Sandwich) => "by the sandwich, right also where the model is not",
            By::Replicates(Resampling::Parametric) => "by bootstrap from the fitted model",
            By::Replicates(Resampling::Rows) => "by bootstrap of the rows",
            By::Replicates(Resampling::Weighted) => "by bootstrap of the rows' weights",
        }
    }

    /// The way of a name.
    ///
    /// # Errors
    /// If there is none, with the names there are.
    pub fn named(name: &str) -> Result<By> {
        By::all().find(|by| by.name() == name).ok_or_else(|| {
            let names: Vec<&str> = By::all().map(By::name).collect();
            Error::Usage(format!("there is no method '{name}' for standard errors: use one of {}", names.join(", ")))
        })
    }
}

/// What is asked of a fit. [`Question::new`] gives the defaults.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Question {
    /// How.
    pub by: By,
    /// Confidence level of the intervals, between 0 and 1.
    pub level: f64,
    /// How intervals are made of replicates.
    pub interval: IntervalKind,
    /// Number of replicates.
    pub replicates: usize,
    /// Share of them that may be lost.
    pub may_be_lost: f64,
    /// Of all replicates.
    pub seed: Seed,
}

/// Estimates and their uncertainty, in the data's own units: free parameters, and what users ask for beside them.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// How it was found.
    pub by: By,
    /// Estimates and covariance. Some follow from others (the last weight, standard deviations), so the matrix may be singular.
    pub errors: Errors,
    /// One for each parameter.
    pub intervals: Vec<Interval>,
    /// Their level.
    pub level: f64,
    /// What they are: `wald` or the name of an [`IntervalKind`].
    pub interval: &'static str,
    /// Of replicates: their mean less the estimate.
    pub bias: Option<Vec<f64>>,
    /// Of replicates: those that could not be used.
    pub lost: Option<Lost>,
    /// Of the information: what kind of point the fit is.
    pub point: Option<Stationarity>,
}

impl Question {
    /// Intervals of level 0.95; 200 replicates from seed 0, of which a tenth may be lost, and their percentiles.
    pub fn new(by: By) -> Self {
        let (level, interval) = (0.95, IntervalKind::Percentile);
        Question { by, level, interval, replicates: 200, may_be_lost: 0.1, seed: Seed::new(0) }
    }

    fn bootstrap(&self, resampling: Resampling) -> Bootstrap {
        let Question { replicates, may_be_lost, seed, .. } = *self;
        Bootstrap { replicates, may_be_lost, seed, ..Bootstrap::new(resampling) }
    }

    /// Of a Gaussian mixture, for the rows that it was fitted to and under the prior of that fit; `columns` (may be empty) names their columns.
    ///
    /// ```
    /// use mixtura::{GaussianMixture, data::Dense, fit::Control, infer::{By, Question}};
    /// let rows = Dense::new(vec![0.1, -0.9, 0.4, 0.9, -0.3, 8.1, 7.2, 8.9, 8.4, 7.7], 1)?;
    /// let fit = GaussianMixture::new(2).fit(&rows)?;
    /// let answer = Question::new(By::named("louis")?).gaussian(&fit.model, None, &rows, &["x".into()], Control::default())?;
    /// assert_eq!(answer.errors.names[..3], ["weight[0]", "weight[1]", "mean[0][x]"]);
    /// assert!(answer.intervals[0].low < 0.5 && 0.5 < answer.intervals[0].high);
    /// # Ok::<(), mixtura::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`super::gaussian_errors`] and [`Bootstrap::gaussian`].
    pub fn gaussian(
        &self,
        model: &Mixture<Gaussian>,
        prior: Option<&Prior>,
        rows: &dyn Source,
        columns: &[String],
        control: Control<'_>,
    ) -> Result<Answer> {
        check_level(self.level)?;
        let functions = functions(model, columns);
        match self.by {
            By::Information(method) => {
                let found = gaussian_errors(model, prior, rows, columns, method)?;
                self.informed(&found, gaussian_stationarity(model, prior, rows, columns)?, functions)
            }
            By::Replicates(resampling) => {
                let found = self.bootstrap(resampling).gaussian(model, (prior, None), rows, control)?;
                self.replicated(&found, functions)
            }
        }
    }

    /// Of coins; `equal_weights` as at their fit.
    ///
    /// # Errors
    /// As [`errors`] and [`Bootstrap::run`].
    pub fn coins(
        &self,
        model: &Mixture<Binomial>,
        equal_weights: bool,
        rows: &dyn Source,
        control: Control<'_>,
    ) -> Result<Answer> {
        let k = model.weights().len();
        let names = numbered("probability", k);
        if equal_weights {
            let fixed = Mixture::of(FixedWeights::new(model.weights().to_vec())?, model.emission().clone())?;
            let told = |m: &Mixture<Binomial, FixedWeights>| m.emission().probabilities().to_vec();
            return self.of(&fixed, rows, (names, vec![Range::Probability; k]), told, control);
        }
        let names = [numbered("weight", k), names].concat();
        let told = |m: &Mixture<Binomial>| [m.weights(), m.emission().probabilities()].concat();
        self.of(model, rows, (names, vec![Range::Probability; 2 * k]), told, control)
    }

    /// Of latent classes of yes/no columns.
    ///
    /// # Errors
    /// As [`errors`] and [`Bootstrap::run`].
    pub fn classes(
        &self,
        model: &Mixture<Bernoulli>,
        rows: &dyn Source,
        columns: &[String],
        control: Control<'_>,
    ) -> Result<Answer> {
        let (k, d) = (model.weights().len(), model.emission().n_features());
        let of = (0..k * d).map(|i| format!("probability[{}][{}]", i / d, named(columns, i % d)));
        let names: Vec<String> = numbered("weight", k).into_iter().chain(of).collect();
        let ranges = vec![Range::Probability; names.len()];
        let told = |m: &Mixture<Bernoulli>| {
            let of = (0..k).flat_map(|c| m.emission().probabilities(c).to_vec());
            m.weights().iter().copied().chain(of).collect::<Vec<f64>>()
        };
        self.of(model, rows, (names, ranges), told, control)
    }

    /// Of a mixture of regressions of the last column on the others.
    ///
    /// # Errors
    /// As [`errors`] and [`Bootstrap::run`], and what [`linear::Prepared::new`] refuses.
    pub fn lines(
        &self,
        model: &Mixture<Linear>,
        rows: &dyn Source,
        columns: &[String],
        control: Control<'_>,
    ) -> Result<Answer> {
        let intercept = model.emission().intercept();
        let prepared = linear::Prepared::new(rows, intercept, columns)?;
        let bank = model.emission().map(&prepared.data.affine, true)?.with_floor(prepared.pooled.floor());
        let standard = model.clone().with_emission(bank);
        let k = model.weights().len();
        let terms: Vec<String> = (intercept.then(|| "intercept".to_owned()).into_iter())
            .chain((0..rows.n_features() - 1).map(|j| named(columns, j)))
            .collect();
        let coefficients = (0..k).flat_map(|c| terms.iter().map(move |t| format!("coefficient[{c}][{t}]")));
        let names: Vec<String> =
            numbered("weight", k).into_iter().chain(coefficients).chain(numbered("sigma", k)).collect();
        let ranges =
            [vec![Range::Probability; k], vec![Range::Real; k * terms.len()], vec![Range::Positive; k]].concat();
        let missing = vec![f64::NAN; names.len()];
        let told = |m: &Mixture<Linear>| {
            prepared.original(m.emission()).map_or(missing.clone(), |bank| [m.weights(), &bank.coordinates()].concat())
        };
        self.of(&standard, &prepared.data, (names, ranges), told, control)
    }

    /// Of allele frequencies.
    ///
    /// # Errors
    /// As [`errors`] and [`Bootstrap::run`].
    pub fn genes(&self, model: &HiddenMultinomial, table: &GeneTable, control: Control<'_>) -> Result<Answer> {
        let names = model.names().to_vec();
        let ranges = vec![Range::Probability; names.len()];
        self.of(model, &table.rows()?, (names, ranges), |m: &HiddenMultinomial| m.values().to_vec(), control)
    }

    /// Of a normal distribution of censored values.
    ///
    /// # Errors
    /// As [`errors`] and [`Bootstrap::censored_normal`].
    pub fn censored_normal(&self, model: &CensoredNormal, sample: &Sample, control: Control<'_>) -> Result<Answer> {
        let told = |m: &CensoredNormal| m.in_units(sample).parameters();
        self.of(&model.standardised(sample), sample.rows(), mu_and_sigma(), told, control)
    }

    /// Of a smallest-extreme-value distribution of censored values.
    ///
    /// # Errors
    /// As [`Question::censored_normal`].
    pub fn censored_extreme_value(
        &self,
        model: &CensoredExtremeValue,
        sample: &Sample,
        control: Control<'_>,
    ) -> Result<Answer> {
        let told = |m: &CensoredExtremeValue| m.in_units(sample).parameters();
        self.of(&model.standardised(sample), sample.rows(), mu_and_sigma(), told, control)
    }

    /// Of a probit regression; `columns` (may be empty) names the covariates.
    ///
    /// # Errors
    /// As [`errors`] and [`Bootstrap::run`].
    pub fn probit(
        &self,
        model: &Probit,
        data: &Responses<'_>,
        columns: &[String],
        control: Control<'_>,
    ) -> Result<Answer> {
        let p = model.coefficients().len();
        let names = ["intercept".to_owned()].into_iter().chain((0..p - 1).map(|j| named(columns, j))).collect();
        let told = |m: &Probit| m.in_units(data).coefficients().to_vec();
        self.of(&model.standardised(data), data.rows(), (names, vec![Range::Real; p]), told, control)
    }

    /// Of any model that can be fitted again, told by what `told` makes of it.
    fn of<M: Resample>(
        &self,
        model: &M,
        rows: &dyn Source,
        (names, ranges): (Vec<String>, Vec<Range>),
        told: impl Fn(&M) -> Vec<f64>,
        control: Control<'_>,
    ) -> Result<Answer> {
        check_level(self.level)?;
        let missing = vec![f64::NAN; names.len()];
        let values = |x: &[f64]| model.with_coordinates(x).map_or_else(|| missing.clone(), |m| told(&m));
        let functions = Functions { names, ranges, values: Box::new(values) };
        match self.by {
            By::Information(method) => {
                self.informed(&errors(model, rows, method)?, Stationarity::of(model, rows)?, functions)
            }
            By::Replicates(resampling) => {
                let found = self.bootstrap(resampling).run(model, rows, |m| Ok(m.clone()), control)?;
                self.replicated(&found, functions)
            }
        }
    }

    fn informed(&self, found: &Errors, point: Stationarity, told: Functions<'_>) -> Result<Answer> {
        let errors = found.of(told.names, told.ranges, told.values)?;
        let intervals = errors.intervals(self.level)?;
        let (by, level) = (self.by, self.level);
        Ok(Answer { by, errors, intervals, level, interval: "wald", bias: None, lost: None, point: Some(point) })
    }

    fn replicated(&self, found: &Replicates, told: Functions<'_>) -> Result<Answer> {
        let found = found.of(told.names, told.ranges, told.values)?;
        Ok(Answer {
            by: self.by,
            errors: found.errors(),
            intervals: found.intervals(self.interval, self.level)?,
            level: self.level,
            interval: self.interval.name(),
            bias: Some(found.bias()),
            lost: Some(found.lost),
            point: None,
        })
    }
}

fn numbered(what: &str, k: usize) -> Vec<String> {
    (0..k).map(|c| format!("{what}[{c}]")).collect()
}

fn named(columns: &[String], j: usize) -> String {
    columns.get(j).cloned().unwrap_or_else(|| j.to_string())
}

fn mu_and_sigma() -> (Vec<String>, Vec<Range>) {
    (vec!["mu".into(), "sigma".into()], vec![Range::Real, Range::Positive])
}
