//! The variational Bayes estimator: priors in the data's own units, restarts, and a point estimate for everything else.
//!
//! Variational Bayes climbs a lower bound of log p(rows), the evidence (Bishop 2006, §10.2; Attias 2000). The bound is
//! Σ w log Σ_k exp(E\[log π_k\] + E\[log N(x | k)\]) − KL(weights) − KL(components): an E-step and an M-step like those of EM,
//! so the runs, the stop rule and the audit are those of [`GaussianMixture`].

use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use super::certificate::{certify, largest_first};
use super::coordinate::AfterMaximization;
use super::prior::relative;
use super::race::{assigned, given};
use super::{
    Control, Fit, GaussianMixture, Init, Prepared, Progress, Run, RunOptions, Status, StatusKind, Stop, StopRule,
    run_until,
};
use crate::algorithm::{Algorithm, Batch};
use crate::data::Source;
use crate::engine::{Engine, Threads};
use crate::error::{Error, Result};
use crate::family::gaussian::{Gaussian, Structure};
use crate::family::normal_wishart::{NormalWishart, Prior};
use crate::family::{ComponentHealth, Emission, Health};
use crate::model::{LatentModel, Mixture, Posterior, WeightPosterior, WeightPrior};
use crate::seed::Seed;

/// Share of the rows by which a component must be larger than the one before it to change places: equals stay.
const WORTH_SORTING: f64 = 1e-9;

/// A Gaussian mixture with posteriors in place of parameters.
pub type BayesianModel = Mixture<NormalWishart, WeightPosterior>;

/// Options of a variational Bayes fit; priors are in the data's own units. [`BayesianMixture::new`] gives the defaults,
/// which are relative to the data: metres or millimetres, the same fit.
///
/// ```
/// use mixtura::{BayesianMixture, data::Dense, model::WeightPrior};
/// let rows: Vec<f64> = (0..40).map(|i| f64::from(i % 2) * 9.0 + f64::from(i * 7 % 11) * 0.1).collect();
/// let mut options = BayesianMixture::new(5);
/// options.weight_prior = WeightPrior::Dirichlet(1e-3);
/// let fit = options.fit(&Dense::new(rows, 1)?)?;
/// // Five components on offer, two that rows need.
/// assert_eq!(fit.n_effective(), 2);
/// # Ok::<(), mixtura::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct BayesianMixture {
    /// Number of components K: the most that there can be.
    pub n_components: usize,
    /// Structure of the precisions.
    pub structure: Structure,
    /// Prior of the weights. By default a Dirichlet process of concentration 1/K.
    pub weight_prior: WeightPrior,
    /// κ₀ > 0: rows that the prior mean is worth.
    pub mean_precision_prior: f64,
    /// m₀, D numbers; `None` = the mean of the data.
    pub mean_prior: Option<Vec<f64>>,
    /// ν₀: rows that the prior covariance is worth; above D − 1 for full and tied, above 0 otherwise; `None` = D.
    pub degrees_of_freedom_prior: Option<f64>,
    /// W₀⁻¹: D × D numbers, row-major (full, tied), D (diag) or one (spherical); `None` = the covariance of the data with
    /// divisor Σw − 1, its diagonal, or the mean of that.
    pub covariance_prior: Option<Vec<f64>>,
    /// Where the runs start. Parameters give the responsibilities of a first M-step.
    pub init: Init,
    /// Posteriors that the one run starts from, in the data's own units, in place of `init`: those of an earlier fit. Their prior
    /// does not count.
    pub start: Option<Box<BayesianModel>>,
    /// Runs to convergence; `None` = 2 to 8 by the size of the problem, 1 where the start is given.
    pub restarts: Option<usize>,
    /// Root of all randomness.
    pub seed: Seed,
    /// When a run has converged. With [`Stop::Change`] the trace has the bound after each M-step, with the responsibilities that
    /// the M-step used and the rows' variances as it counted them: scikit-learn's, up to a constant.
    pub stop: Stop,
    /// Bounds of the last iterations of a run that this one continues, oldest first, in the data's own units: the stop rule goes
    /// on from there.
    pub history: Vec<f64>,
    /// Most iterations per run.
    pub max_iter: usize,
    /// Nats of the bound that may remain.
    pub tolerance: f64,
    /// Added to the variance of every row in the data's own units squared (scikit-learn's `reg_covar`). `None` adds nothing:
    /// the prior keeps covariances regular, and with an addition the bound may fall by a little.
    pub reg_covar: Option<f64>,
    /// Whether E-steps leave nothing out; otherwise responsibilities below e⁻⁶⁰ are 0 ([`Mixture::with_exact`]).
    pub exact: bool,
}

/// A variational Bayes fit, in the data's own units.
#[derive(Clone, Debug)]
pub struct BayesianFit {
    /// The mixture of expected weights, means and E\[Λ\]⁻¹, with the certificate of the run. Its trace and the objectives of the
    /// restarts are bounds, its log-likelihood is its own.
    pub point: Fit<Mixture<Gaussian>>,
    /// The posteriors: [`Mixture::mixing`] of the weights, [`Mixture::emission`] of the components.
    pub posterior: BayesianModel,
    /// Lower bound of log p(rows), nats. At one component, no cell missing, it is exact (with the Dirichlet process: that of
    /// the rows and of all being in the first component).
    pub lower_bound: f64,
    /// Effective counts: Σ w r, one per component.
    pub counts: Vec<f64>,
}

impl BayesianFit {
    /// Number of components that explain more than one row of average weight; the others are prior only.
    pub fn n_effective(&self) -> usize {
        let one = self.point.total_weight / self.point.n_rows as f64;
        self.counts.iter().filter(|n| **n > one).count()
    }
}

impl BayesianMixture {
    /// Full covariances, a Dirichlet process of concentration 1/K, priors from the data worth one row (mean) and D rows
    /// (covariance), automatic start and restarts, seed 0, at most 1000 iterations, tolerance 0.001 nats.
    pub fn new(n_components: usize) -> Self {
        BayesianMixture {
            n_components,
            structure: Structure::Full,
            weight_prior: WeightPrior::Process(1.0 / n_components.max(1) as f64),
            mean_precision_prior: 1.0,
            mean_prior: None,
            degrees_of_freedom_prior: None,
            covariance_prior: None,
            init: Init::Auto,
            start: None,
            restarts: None,
            seed: Seed::new(0),
            stop: Stop::Remaining,
            history: Vec::new(),
            max_iter: 1000,
            tolerance: 1e-3,
            reg_covar: None,
            exact: false,
        }
    }

    /// Fits the posteriors to the rows of a source.
    ///
    /// # Errors
    /// If the options make no sense or the data cannot be fitted; not converging is a status, not an error.
    pub fn fit(&self, data: &dyn Source) -> Result<BayesianFit> {
        let one_scale = self.structure == Structure::Spherical;
        let prepared = Prepared::new(data, &[], one_scale, self.n_components, self.seed)?;
        self.fit_prepared(&prepared, Control::default())
    }

    /// Fits the posteriors to prepared data.
    ///
    /// # Errors
    /// As [`BayesianMixture::fit`]; [`Error::Interrupted`] if there is nothing yet to return.
    pub fn fit_prepared(&self, data: &Prepared<'_>, control: Control<'_>) -> Result<BayesianFit> {
        self.plan().check(data)?;
        let template = self.template(data)?;
        let starts = self.starts(data, &template, control)?;
        let (done, total) = (AtomicUsize::new(0), starts.len());
        let runs: Vec<Run<BayesianModel>> = starts
            .into_par_iter()
            .enumerate()
            .map(|(r, start)| {
                let run = self.run(data, start, Control { run: r, ..control.within(&format!("run {r}")) });
                let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                if let Some(progress) = control.progress {
                    progress(Progress { done, total, n_components: self.n_components });
                }
                run
            })
            .collect::<Result<_>>()?;
        let stopped = |run: &Run<_>| run.status.kind == StatusKind::Stopped;
        let unfinished = runs.iter().filter(|run| stopped(run)).count();
        // Runs that were cut short say nothing of where they would have ended.
        let counts = |run: &&Run<_>| !stopped(run) || unfinished == total;
        let all: Vec<(f64, bool)> = runs.iter().filter(counts).map(|run| (run.objective(), false)).collect();
        let begun = runs.into_iter().filter(|run| !stopped(run) || run.iterations > 0);
        let best = begun.reduce(|a, b| if b.objective() > a.objective() { b } else { a });
        let mut best = best.ok_or(Error::Interrupted)?;
        if unfinished > 0 {
            let detail = format!(
                "interrupted when {} of {total} restarts had finished; {}",
                total - unfinished,
                best.status.detail
            );
            best.status = Status { kind: StatusKind::Stopped, detail };
        }
        // A process has its order from the run.
        if self.may_order(data) && matches!(self.weight_prior, WeightPrior::Dirichlet(_)) {
            let keep = descending(&best.model);
            best.model = reorder(&best.model, &keep);
            let counts = &mut best.expectation.stats.counts;
            *counts = keep.iter().map(|&k| counts[k]).collect();
        }
        self.finish(best, &all, data)
    }

    /// The Gaussian mixture fit whose checks and starts these are.
    fn plan(&self) -> GaussianMixture {
        GaussianMixture {
            structure: self.structure,
            init: self.init.clone(),
            restarts: self.restarts,
            seed: self.seed,
            max_iter: self.max_iter,
            tolerance: self.tolerance,
            reg_covar: self.reg_covar,
            exact: self.exact,
            ..GaussianMixture::new(self.n_components)
        }
    }

    /// The model before it has seen a row, in standardised columns.
    fn template(&self, data: &Prepared<'_>) -> Result<BayesianModel> {
        let scale = &data.data.affine.scale;
        let weights = WeightPosterior::new(self.weight_prior, self.n_components)?;
        let bank = NormalWishart::new(self.structure, self.n_components, &self.prior(data)?)?;
        let added = scale.iter().map(|s| self.reg_covar.unwrap_or(0.0) / s / s).collect();
        Ok(Mixture::from_parts(weights, bank.with_added(added)).with_exact(self.exact))
    }

    /// The prior of the components, in standardised columns.
    fn prior(&self, data: &Prepared<'_>) -> Result<Prior> {
        let given = (&self.mean_prior, &self.covariance_prior);
        let (mean, scale) = relative(data, self.structure, given, (data.reference.covariance(0), 1.0))?;
        Ok(Prior {
            mean,
            mean_precision: self.mean_precision_prior,
            degrees_of_freedom: self.degrees_of_freedom_prior.unwrap_or(data.data.n_features() as f64),
            scale,
        })
    }

    fn starts(
        &self,
        data: &Prepared<'_>,
        template: &BayesianModel,
        control: Control<'_>,
    ) -> Result<Vec<BayesianModel>> {
        let plan = self.plan();
        if let Some(start) = &self.start {
            return Ok(vec![self.known(data, template, start)?]);
        }
        match &self.init {
            Init::Assignments(all) => assigned(template, self.n_components, data, all),
            Init::Responsibilities(resp) => Ok(vec![given(template, self.n_components, data, resp)?]),
            Init::Params(_) => {
                // One E-step of the Gaussian mixture: its statistics are those that a posterior is made from.
                let start = plan.starts(data, &plan.template(data)?, control)?.swap_remove(0).with_exact(self.exact);
                let mut model = template.clone();
                model.m_step(&expect(&start, data)?.stats)?;
                Ok(vec![model])
            }
            _ => plan.raced(data, template, control),
        }
    }

    /// Known posteriors, in standardised columns and under this prior.
    fn known(&self, data: &Prepared<'_>, template: &BayesianModel, start: &BayesianModel) -> Result<BayesianModel> {
        let (bank, own) = (start.emission(), template.emission());
        let shape = |bank: &NormalWishart| (bank.structure(), bank.n_components(), bank.n_features());
        let sticks = |model: &BayesianModel| model.mixing().b().len();
        if shape(bank) != shape(own) || sticks(start) != sticks(template) {
            return Err(Error::Usage(
                "the posteriors to start from have another structure, prior of the weights, or number of components or columns than the fit".into(),
            ));
        }
        let mapped = Mixture::of(start.mixing().clone(), bank.map(&data.data.affine, true)?)?;
        template.with_parameters(&mapped.parameters()).ok_or_else(|| {
            Error::Model("the posteriors to start from make no distribution in the units of these data".into())
        })
    }

    /// Whether the order of the components is nobody's choice.
    fn may_order(&self, data: &Prepared<'_>) -> bool {
        self.start.is_none() && !self.init.fixes_order() && data.n_labels == 0
    }

    /// One run. Under a Dirichlet process larger components go first (Kurihara, Welling & Vlassis 2007): with counts n_k and
    /// N_k = Σ_{j≥k} n_j the sticks' share of the bound is −Σ log(γ + N_k) and what no order changes, so sorting never lowers it.
    fn run(&self, data: &Prepared<'_>, start: BayesianModel, control: Control<'_>) -> Result<Run<BayesianModel>> {
        let sort = self.may_order(data) && matches!(self.weight_prior, WeightPrior::Process(_));
        let mut policy = |model: &mut BayesianModel, _: &mut Health, _: usize| {
            let least = WORTH_SORTING * data.data.total_weight;
            if sort && model.mixing().a().windows(2).any(|n| n[1] - n[0] > least) {
                *model = reorder(model, &descending(model));
            }
            // No break in the objective: it cannot have fallen.
            Ok(false)
        };
        let options = RunOptions { max_iter: self.max_iter, tolerance: self.tolerance, scale: self.terms(data) };
        let algorithm: &mut dyn Algorithm<BayesianModel> = match self.stop {
            Stop::Remaining => &mut Batch(Posterior::Soft),
            Stop::Change { .. } => &mut AfterMaximization,
        };
        let jacobian = data.data.log_jacobian();
        let history: Vec<f64> = self.history.iter().map(|bound| bound - jacobian).collect();
        let stop = StopRule { stop: self.stop, history: &history };
        run_until(stop, start, &mut Threads::new(&data.data), algorithm, options, control, &mut policy)
    }

    /// Size of the sums behind the bound: one term per cell, and log-gamma functions of some n/2, which are as large as n/2 ln n;
    /// n counts the rows that the priors are worth.
    fn terms(&self, data: &Prepared<'_>) -> f64 {
        let d = data.data.n_features() as f64;
        let prior = self.weight_prior.concentration() + d * self.degrees_of_freedom_prior.unwrap_or(d);
        let n = data.scale_of_sums() + self.n_components as f64 * prior;
        n * (1.0 + n.max(1.0).ln())
    }

    /// The way back to the data's own units, and the point estimate with its certificate.
    fn finish(&self, run: Run<BayesianModel>, all: &[(f64, bool)], data: &Prepared<'_>) -> Result<BayesianFit> {
        let objective = run.objective();
        let counts = run.expectation.stats.counts.clone();
        let (weights, bank) = (run.model.mixing().clone(), run.model.emission());
        let point = Mixture::new(weights.expected().to_vec(), bank.point().clone())?;
        let posterior = Mixture::from_parts(weights, bank.map(&data.data.affine, false)?);
        let mut expectation = expect(&point, data)?;
        // Rows are shared out by the posteriors: the certificate's counts are theirs.
        expectation.stats.counts.clone_from(&counts);
        let run = Run {
            expectation,
            model: point,
            status: run.status,
            trace: run.trace,
            iterations: run.iterations,
            health: vec![ComponentHealth::default(); self.n_components],
        };
        let lower_bound = objective + data.data.log_jacobian();
        let one = data.data.total_weight / data.data.n_rows() as f64;
        Ok(BayesianFit {
            point: certify(run, objective, (self.terms(data), one), all, data, self.tolerance)?,
            posterior,
            lower_bound,
            counts,
        })
    }
}

/// One E-step over prepared data.
fn expect<M: LatentModel>(model: &M, data: &Prepared<'_>) -> Result<crate::stats::Expectation<M::Stats>> {
    let mut engine = Threads::new(&data.data);
    let chunks = 0..Engine::<M>::n_chunks(&engine);
    engine.expect(model, chunks, Posterior::Soft)
}

/// Components by effective count, largest first, then by means.
fn descending(model: &BayesianModel) -> Vec<usize> {
    // Both kinds of weights have a = count + a constant.
    largest_first(model.mixing().a(), model.emission().point())
}

/// The components in another order; the sticks of a process are broken in that order.
fn reorder(model: &BayesianModel, keep: &[usize]) -> BayesianModel {
    let (mut weights, mut bank) = (model.mixing().clone(), model.emission().clone());
    weights.select(keep);
    bank.select_components(keep);
    Mixture::from_parts(weights, bank)
}
