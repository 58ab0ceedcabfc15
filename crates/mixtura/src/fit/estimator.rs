//! The Gaussian mixture estimator: starts, restarts, collapse policy, and the way back to the data's own units.

use std::sync::atomic::{AtomicUsize, Ordering};

use rand::RngExt;
use rayon::prelude::*;

use super::certificate::{certify, order, place};
use super::prepare::{METHOD, Prepared, RESETS, STARTS};
use super::prior::Prior;
use super::race::{DEFAULT_FIELD, RaceOptions, assigned, given, race};
use super::split_merge::improve;
use super::start::{Given, Init};
use super::{Control, Fit, Method, Progress, Run, RunOptions, Status, StatusKind, Stop, StopRule, run_until};
use crate::data::Source;
use crate::engine::Threads;
use crate::error::{Error, Result};
use crate::family::gaussian::{Floor, Gaussian, Structure};
use crate::family::{Emission, Health};
use crate::init::{Space, Start};
use crate::model::kmeans::{only_distinct, pick};
use crate::model::{LatentModel, Mixture};
use crate::seed::Seed;
use crate::stats::Layout;

/// What happens when a component collapses onto the covariance floor or loses all its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Collapse {
    /// It stays, on the floor, and the certificate says so; restarts without collapse are preferred.
    Floor,
    /// It starts anew at a random row.
    Reset,
    /// It goes, and the fit continues with one component fewer.
    Drop,
    /// The fit is refused.
    Refuse,
}

/// Resets per run: a model that goes on collapsing has too many components.
const MOST_RESETS: usize = 10;

/// Options of a Gaussian mixture fit. [`GaussianMixture::new`] gives the defaults.
///
/// ```
/// use mixtura::{GaussianMixture, data::Dense};
/// let rows = Dense::new(vec![0.1, -0.2, 0.0, 0.3, 8.1, 7.9, 8.0, 8.2], 1)?;
/// let fit = GaussianMixture::new(2).fit(&rows)?;
/// assert_eq!(fit.model.weights(), [0.5, 0.5]);
/// # Ok::<(), mixtura::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct GaussianMixture {
    /// Number of components K.
    pub n_components: usize,
    /// Covariance structure.
    pub structure: Structure,
    /// Where the runs start.
    pub init: Init,
    /// Runs to convergence; `None` = 2 to 8 by the size of the problem, 1 where the start is given.
    pub restarts: Option<usize>,
    /// Parameters that every start has.
    pub given: Given,
    /// When a run has converged.
    pub stop: Stop,
    /// Log-likelihoods at the start of the last iterations of a run that this one continues, oldest first, in the data's own
    /// units: the stop rule goes on from there.
    pub history: Vec<f64>,
    /// Root of all randomness.
    pub seed: Seed,
    /// Most iterations per run.
    pub max_iter: usize,
    /// Nats of total log-likelihood that may remain.
    pub tolerance: f64,
    /// Added to every variance in the data's own units squared, in place of the relative floor (scikit-learn's
    /// `reg_covar`).
    pub reg_covar: Option<f64>,
    /// Conjugate prior of the parameters, which takes the place of no floor but keeps components off it; `None` = maximum
    /// likelihood.
    pub prior: Option<Prior>,
    /// Collapse policy.
    pub collapse: Collapse,
    /// How E- and M-steps alternate.
    pub method: Method,
    /// Whether E-steps leave nothing out; otherwise responsibilities below e⁻⁶⁰ are 0 ([`Mixture::with_exact`]).
    pub exact: bool,
    /// Work spent on starts and restarts where their number is automatic: 1 is some seconds of one core at most.
    pub effort: f64,
}

impl GaussianMixture {
    /// Full covariances, automatic start and restarts, seed 0, at most 1000 iterations, tolerance 0.001 nats.
    pub fn new(n_components: usize) -> Self {
        GaussianMixture {
            n_components,
            structure: Structure::Full,
            init: Init::Auto,
            restarts: None,
            given: Given::default(),
            stop: Stop::Remaining,
            history: Vec::new(),
            seed: Seed::new(0),
            max_iter: 1000,
            tolerance: 1e-3,
            reg_covar: None,
            prior: None,
            collapse: Collapse::Floor,
            method: Method::Squarem,
            exact: false,
            effort: 1.0,
        }
    }

    /// Fits the mixture to the rows of a source.
    ///
    /// # Errors
    /// If the options make no sense or the data cannot be fitted; not converging is a status, not an error.
    pub fn fit(&self, data: &dyn Source) -> Result<Fit<Mixture<Gaussian>>> {
        let one_scale = self.structure == Structure::Spherical;
        let prepared = Prepared::new(data, &[], one_scale, self.n_components, self.seed)?;
        self.fit_prepared(&prepared, Control::default())
    }

    /// Fits the mixture to prepared data.
    ///
    /// # Errors
    /// As [`GaussianMixture::fit`]; [`Error::Interrupted`] if there is nothing yet to return.
    pub fn fit_prepared(&self, data: &Prepared<'_>, control: Control<'_>) -> Result<Fit<Mixture<Gaussian>>> {
        self.check(data)?;
        let template = self.template(data)?;
        if let Some(runs) = self.quick(data, &template, control)? {
            return self.finish(runs.into_iter().map(Ok).collect(), data);
        }
        let starts = self.kept_starts(data, &template, control)?;
        let done = AtomicUsize::new(0);
        let total = starts.len();
        let outcomes: Vec<Result<Run<Mixture<Gaussian>>>> = starts
            .into_par_iter()
            .enumerate()
            .map(|(r, start)| {
                let run = self.run(data, start, r, control);
                let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                if let Some(progress) = control.progress {
                    progress(Progress { done, total, n_components: self.n_components });
                }
                run
            })
            .collect();
        self.finish(outcomes, data)
    }

    /// The best of some runs, with what all of them say of it.
    fn finish(
        &self,
        outcomes: Vec<Result<Run<Mixture<Gaussian>>>>,
        data: &Prepared<'_>,
    ) -> Result<Fit<Mixture<Gaussian>>> {
        let total = outcomes.len();
        let (mut runs, mut failure, mut unfinished) = (Vec::new(), None, 0);
        for outcome in outcomes {
            match outcome {
                Ok(run) => {
                    let stopped = run.status.kind == StatusKind::Stopped;
                    unfinished += usize::from(stopped);
                    if !stopped || run.iterations > 0 {
                        runs.push(run);
                    }
                }
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        let mut best: Option<usize> = None;
        for (i, run) in runs.iter().enumerate() {
            let better = |b: &Run<_>| match (run.degenerate(), b.degenerate()) {
                (false, true) => true,
                (true, false) => false,
                _ => run.beats(b),
            };
            if best.is_none_or(|b| better(&runs[b])) {
                best = Some(i);
            }
        }
        let Some(best) = best else {
            // Nothing failed and nothing ran: the user was faster.
            return Err(failure.unwrap_or(Error::Interrupted));
        };
        // Runs that were cut short say nothing of where they would have ended.
        let counts = |r: &&Run<_>| r.status.kind != StatusKind::Stopped || unfinished == total;
        // Nor does the likelihood of a run that kept another number of components compare with this one's.
        let size = runs[best].model.weights().len();
        let alike =
            runs.iter().filter(counts).filter(|r| r.model.weights().len() == size || self.collapse == Collapse::Drop);
        let all: Vec<(f64, bool)> = alike.map(|r| (r.objective(), r.degenerate())).collect();
        let mut run = runs.swap_remove(best);
        run.health.resize(run.model.weights().len(), crate::family::ComponentHealth::default());
        if unfinished > 0 {
            let finished = total - unfinished;
            let detail = format!("interrupted when {finished} of {total} restarts had finished; {}", run.status.detail);
            run.status = Status { kind: StatusKind::Stopped, detail };
        }
        if self.method == Method::Entropy {
            let detail = &mut run.status.detail;
            detail.push_str(&format!("; {} of {} components are left", run.model.weights().len(), self.n_components));
        }
        match (self.collapse, run.trace.breaks.len()) {
            (_, 0) => {}
            (Collapse::Drop, _) => {
                let dropped = self.n_components - run.model.weights().len();
                let detail = &mut run.status.detail;
                detail.push_str(&format!("; {dropped} of {} components collapsed and were dropped", self.n_components));
            }
            (_, n) => run.status.detail.push_str(&format!("; components collapsed and were reset {n} times")),
        }
        if !self.init.fixes_order() && self.given.nothing() && data.n_labels == 0 {
            order(&mut run);
        }
        let objective = run.objective();
        certify(run, objective, (data.scale_of_sums(), 0.0), &all, data, self.tolerance)
    }

    pub(super) fn check(&self, data: &Prepared<'_>) -> Result<()> {
        let k = self.n_components;
        if k == 0 {
            return Err(Error::Usage("a mixture needs at least one component".into()));
        }
        if !(self.tolerance >= 0.0 && self.tolerance.is_finite()) {
            return Err(Error::Usage(format!("the tolerance is {}: use a number of nats ≥ 0", self.tolerance)));
        }
        if self.restarts == Some(0) {
            return Err(Error::Usage("0 restarts leave nothing to return: use at least 1".into()));
        }
        // A start that is given says how rows are shared: repeated ones are its own affair.
        if data.n_distinct < k && !matches!(self.init, Init::Assignments(_)) {
            return Err(Error::Data(format!(
                "{} for {k} components: ask for at most {}",
                only_distinct(data.n_distinct),
                data.n_distinct
            )));
        }
        if data.n_labels > k {
            return Err(Error::Data(format!(
                "the labels name {} components, but only {k} are asked for: use -k {} or more",
                data.n_labels, data.n_labels
            )));
        }
        if matches!(self.init, Init::Labels) && data.n_labels < k {
            return Err(Error::Usage(format!(
                "a start from labels needs a labelled row for each of the {k} components, and the labels name {}",
                data.n_labels
            )));
        }
        if self.reg_covar.is_some_and(|r| !(r >= 0.0 && r.is_finite())) {
            return Err(Error::Usage("the covariance regularisation must be a number ≥ 0".into()));
        }
        if self.reg_covar.is_some() && self.prior.is_some() {
            return Err(Error::Usage(
                "a prior and a covariance regularisation are two ways to the same end: choose one".into(),
            ));
        }
        Ok(())
    }

    pub(super) fn template(&self, data: &Prepared<'_>) -> Result<Mixture<Gaussian>> {
        let d = data.data.n_features();
        let floor = match self.reg_covar {
            None => data.floor.clone(),
            Some(r) => Floor::added(data.data.affine.scale.iter().map(|s| r / s / s).collect()),
        };
        let bank = Gaussian::standard(self.structure, self.n_components, d, floor);
        self.with_options(Mixture::equal(bank), data)
    }

    /// A start with the E-step and the prior of these options, whoever made it.
    fn with_options(&self, start: Mixture<Gaussian>, data: &Prepared<'_>) -> Result<Mixture<Gaussian>> {
        let start = start.with_exact(self.exact);
        self.prior.as_ref().map_or(Ok(start.clone()), |prior| prior.of(start, data))
    }

    /// Flops of one EM iteration over `n` rows: E- and M-step, some 40 per exponential; and per component the factor and,
    /// where the floor acts, the eigenvectors of its covariance, measured at about 25 D³.
    fn cost(&self, n: usize, d: usize) -> f64 {
        let (per_row, per_component) = match self.structure.layout() {
            Layout::Full => (2 * d * d + 4 * d + 50, 25.0 * (d as f64).powi(3)),
            Layout::Diagonal => (8 * d + 50, 0.0),
        };
        self.n_components as f64 * (n as f64 * per_row as f64 + per_component)
    }

    /// The starts, or those that an earlier process had found.
    fn kept_starts(
        &self,
        data: &Prepared<'_>,
        template: &Mixture<Gaussian>,
        control: Control<'_>,
    ) -> Result<Vec<Mixture<Gaussian>>> {
        let scope = control.within("starts");
        if let Some(kept) = scope.recall() {
            let kept: Option<Vec<_>> = kept.iter().map(|p| template.with_parameters(p)).collect();
            if let Some(starts) = kept.filter(|starts| !starts.is_empty()) {
                return Ok(starts);
            }
        }
        let mut starts = self.starts(data, template, control)?;
        if !self.given.nothing() {
            let replaced = starts.iter().map(|start| self.given.replace(start, &data.data.affine));
            starts = replaced.collect::<Result<_>>()?;
        }
        scope.remember(starts.iter().map(LatentModel::parameters).collect());
        Ok(starts)
    }

    pub(super) fn starts(
        &self,
        data: &Prepared<'_>,
        template: &Mixture<Gaussian>,
        control: Control<'_>,
    ) -> Result<Vec<Mixture<Gaussian>>> {
        let (k, d) = (self.n_components, data.data.n_features());
        let floor = template.emission();
        match &self.init {
            Init::Params(start) => {
                if start.weights().len() != k || start.emission().n_features() != d {
                    return Err(Error::Usage(format!(
                        "the start has {} components in {} dimensions, the fit {k} in {d}",
                        start.weights().len(),
                        start.emission().n_features()
                    )));
                }
                if start.emission().structure() != self.structure {
                    return Err(Error::Usage(format!(
                        "the start has {} covariances, the fit {}: ask for the start's structure",
                        start.emission().structure().name(),
                        self.structure.name()
                    )));
                }
                let mapped = start.emission().map(&data.data.affine, true)?.with_floor(floor.floor().clone());
                Ok(vec![Mixture::new(start.weights().to_vec(), mapped)?])
            }
            Init::Responsibilities(resp) => Ok(vec![given(template, k, data, resp)?]),
            Init::Assignments(all) => assigned(template, k, data, all),
            _ => self.raced(data, template, control),
        }
    }

    /// The starts that the data suggest, for any model of as many components.
    pub(super) fn raced<M: LatentModel>(
        &self,
        data: &Prepared<'_>,
        template: &M,
        control: Control<'_>,
    ) -> Result<Vec<M>> {
        let k = self.n_components;
        let winners = self.winners(data);
        let whole = data.sample.whole;
        let one = |start: Start| (vec![start], winners);
        let (starts, field) = match self.init {
            _ if k == 1 => one(Start::RANDOM),
            Init::WhitenedKMeans => one(Start::kmeans(Space::Whitened)),
            Init::KMeans => one(Start::kmeans(Space::Original)),
            Init::Random => one(Start::RANDOM),
            Init::Labels => one(Start { lloyd: 0, ..Start::kmeans(Space::Whitened) }),
            Init::ShortEm => (vec![Start::RANDOM], self.field(data)),
            _ => (DEFAULT_FIELD.to_vec(), self.field(data)),
        };
        let options = RaceOptions {
            starts: &starts,
            n_components: k,
            field,
            winners,
            polish: if whole || k == 1 { 0 } else { 100 },
            seed: self.seed.child(STARTS),
        };
        race(&data.sample, template, &options, control)
    }

    /// How many starts enter the race.
    pub(super) fn field(&self, data: &Prepared<'_>) -> usize {
        let per_start = 12.0 * self.cost(data.sample.rows.n_rows(), data.data.n_features());
        ((self.effort * SHORT_RUNS / per_start).clamp(8.0, 128.0) as usize).max(self.winners(data))
    }

    /// How many runs go to the end.
    pub(super) fn winners(&self, data: &Prepared<'_>) -> usize {
        let cost = || 100.0 * self.cost(data.data.n_rows(), data.data.n_features());
        // One run at K = 1: every start is the same.
        let one = matches!(self.init, Init::Labels) || self.n_components == 1;
        let automatic = || if one { 1 } else { (self.effort * LONG_RUNS / cost()).clamp(2.0, 8.0) as usize };
        self.restarts.unwrap_or_else(automatic)
    }

    pub(super) fn run(
        &self,
        data: &Prepared<'_>,
        start: Mixture<Gaussian>,
        r: usize,
        control: Control<'_>,
    ) -> Result<Run<Mixture<Gaussian>>> {
        let here = Control { run: r, ..control.within(&format!("run {r}")) };
        let first = self.climb(data, start, r, here)?;
        if self.method != Method::SplitMerge {
            return Ok(first);
        }
        let seed = self.seed.child(METHOD).child(r as u64);
        let mut moved = improve(first, data, seed, here, |start, control| self.climb(data, start, r, control))?;
        let (accepted, tried) = (moved.accepted, moved.tried);
        moved.run.status.detail.push_str(&format!("; {accepted} of {tried} split-and-merge moves accepted"));
        Ok(moved.run)
    }

    /// One run of the algorithm to its end.
    fn climb(
        &self,
        data: &Prepared<'_>,
        start: Mixture<Gaussian>,
        r: usize,
        control: Control<'_>,
    ) -> Result<Run<Mixture<Gaussian>>> {
        let seed = self.seed.child(RESETS).child(r as u64);
        let mut policy = |model: &mut Mixture<Gaussian>, health: &mut Health, changes: usize| -> Result<bool> {
            let sick = |h: &crate::family::ComponentHealth| h.floor_active || h.empty;
            let Some(k) = health.iter().position(sick) else { return Ok(false) };
            match self.collapse {
                Collapse::Refuse => {
                    let at = model.emission().map(&data.data.affine, false)?;
                    Err(Error::Degenerate(format!(
                        "component {k} collapsed, at {}: use fewer components, another seed, or another --collapse policy",
                        place(at.mean(k))
                    )))
                }
                Collapse::Drop if model.weights().len() > 1 && self.structure != Structure::Tied => {
                    let mut keep: Vec<usize> = (0..health.len()).filter(|&k| !sick(&health[k])).collect();
                    if keep.is_empty() {
                        keep.push(0);
                    }
                    let changed = keep.len() < health.len();
                    model.select_components(&keep);
                    *health = keep.iter().map(|&k| health[k]).collect();
                    Ok(changed)
                }
                Collapse::Reset if changes < MOST_RESETS && self.structure != Structure::Tied => {
                    let u: f64 = seed.child(changes as u64).rng().random();
                    let row = pick(&data.data, &[u * data.data.total_weight], |_, w| w)?.concat();
                    model.reset_component(k, &self.fresh_component(data, row)?, 0);
                    health[k] = crate::family::ComponentHealth::default();
                    Ok(true)
                }
                _ => Ok(false),
            }
        };
        let options = RunOptions { max_iter: self.max_iter, tolerance: self.tolerance, scale: data.scale_of_sums() };
        let method = if self.method == Method::SplitMerge { Method::Squarem } else { self.method };
        let mut algorithm = method.algorithm(self.seed.child(METHOD).child(r as u64));
        let jacobian = data.data.log_jacobian();
        let history: Vec<f64> = self.history.iter().map(|objective| objective - jacobian).collect();
        let stop = StopRule { stop: self.stop, history: &history };
        let start = self.with_options(start, data)?;
        run_until(stop, start, &mut Threads::new(&data.data), &mut algorithm, options, control, &mut policy)
    }

    /// One component at a row (missing cells at the reference mean) with the data's covariance shrunk to a K-th of its volume.
    fn fresh_component(&self, data: &Prepared<'_>, mut row: Vec<f64>) -> Result<Gaussian> {
        let d = row.len();
        data.reference.complete_rows(0, &mut row);
        let shrink = (self.n_components as f64).powf(-2.0 / d as f64);
        let mut covariance: Vec<f64> = data.reference.covariance(0).iter().map(|c| c * shrink).collect();
        if self.structure.layout() == Layout::Diagonal {
            let average = (0..d).map(|i| covariance[i * d + i]).sum::<f64>() / d as f64;
            for i in 0..d {
                for j in 0..d {
                    covariance[i * d + j] = match (i == j, self.structure) {
                        (false, _) => 0.0,
                        (true, Structure::Spherical) => average,
                        (true, _) => covariance[i * d + i],
                    };
                }
            }
        }
        Gaussian::new(self.structure, d, row, covariance)
    }
}

/// Flops that the short runs of a default start may take: about a second.
const SHORT_RUNS: f64 = 4e9;
/// Flops that all long runs of a default fit should take, at 100 iterations each.
const LONG_RUNS: f64 = 1e10;
