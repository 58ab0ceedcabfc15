//! The bootstrap: the model is fitted again to rows drawn from it, to its rows drawn again, or to its rows under random weights.
//!
//! Efron & Tibshirani (1993), An Introduction to the Bootstrap; for mixtures McLachlan & Peel (2000, §2.16) and O'Hagan, Murphy, Scrucca
//! & Gormley (2019, Adv. Data Anal. Classif. 13), who compare the three. Every replicate starts at the fit, so that it finds the
//! same optimum of its own likelihood; components are matched to those of the fit ([`super::relabel`]); what collapses, does not converge
//! or cannot be matched is left out and counted.

use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use super::relabel::{coinciding, matched};
use super::replicate::{case_weights, dirichlet_weights, drawn_weights};
use super::{Replicates, Resample};
use crate::algorithm::Squarem;
use crate::data::{Dense, Reweighted, Source};
use crate::engine::{Engine, Threads};
use crate::error::{Error, Result};
use crate::fit::{Control, Progress, RunOptions, StatusKind, run};
use crate::model::Posterior;
use crate::seed::Seed;

/// What replicates are fitted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resampling {
    /// Rows drawn from the fitted model: right if the model is.
    Parametric,
    /// The rows, drawn again by their weights (Efron 1979): right whatever the rows' distribution.
    Rows,
    /// The rows under Dirichlet weights (the weighted likelihood bootstrap of Newton & Raftery 1994): as `Rows`, but no row is ever
    /// missing, so that small components do not starve.
    Weighted,
}

impl Resampling {
    /// Every kind.
    pub const ALL: [Resampling; 3] = [Resampling::Parametric, Resampling::Rows, Resampling::Weighted];

    /// The name in every face.
    pub fn name(self) -> &'static str {
        match self {
            Resampling::Parametric => "parametric",
            Resampling::Rows => "bootstrap",
            Resampling::Weighted => "weighted",
        }
    }
}

/// Options of a bootstrap.
///
/// ```
/// use mixtura::fit::Control;
/// use mixtura::infer::{Bootstrap, IntervalKind, Resampling};
/// use mixtura::model::genetics::GeneTable;
/// use mixtura::fit::textbook::{Search, genes};
///
/// let moths = GeneTable::peppered_moths();
/// let fit = genes(&moths, &Search::default(), Control::default())?.fit;
/// let bootstrap = Bootstrap::new(Resampling::Parametric);
/// let replicates = bootstrap.run(&fit.model, &moths.rows()?, |m| Ok(m.clone()), Control::default())?;
/// let se = replicates.errors().standard_errors();
/// assert!((se[0] / 0.0074 - 1.0).abs() < 0.2); // C; Louis' identity gives 0.0074
/// let intervals = replicates.intervals(IntervalKind::Percentile, 0.95)?;
/// assert!(intervals[0].low < 0.0708 && 0.0708 < intervals[0].high);
/// # Ok::<(), mixtura::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bootstrap {
    /// What replicates are fitted to.
    pub resampling: Resampling,
    /// Number of replicates.
    pub replicates: usize,
    /// Of all replicates; each has its own stream by its number.
    pub seed: Seed,
    /// Most iterations of a replicate.
    pub max_iter: usize,
    /// Nats of a replicate's log-likelihood that may remain.
    pub tolerance: f64,
    /// Share of the replicates that may be lost.
    pub may_be_lost: f64,
}

/// Replicates that could not be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// A component collapsed, or no parameters were best.
    pub collapsed: usize,
    /// The iteration limit came first.
    pub not_converged: usize,
    /// Another order of the components fits about as well.
    pub not_matched: usize,
}

impl Lost {
    /// All of them.
    pub fn total(self) -> usize {
        self.collapsed + self.not_converged + self.not_matched
    }
}

/// What became of a replicate.
enum Outcome<M> {
    /// The model, and whether its components had changed places.
    Kept(M, bool),
    Collapsed,
    NotConverged,
    NotMatched,
}

impl Bootstrap {
    /// 200 replicates from seed 0, at most 1000 iterations and 1e-5 nats each (a parameter is then within 0.5 % of a standard error of its
    /// optimum), of which a tenth may be lost.
    pub fn new(resampling: Resampling) -> Self {
        let (seed, max_iter) = (Seed::new(0), 1000);
        Bootstrap { resampling, replicates: 200, seed, max_iter, tolerance: 1e-5, may_be_lost: 0.1 }
    }

    /// Replicates of a model fitted to rows. Where the fit sees other units than users do, `in_units` makes a model of users' units of
    /// one of the fit's.
    ///
    /// # Errors
    /// [`Error::Usage`] if options make no sense; [`Error::Data`] if there are no more rows than components; [`Error::Degenerate`] if the
    /// fit sits on a floor, two of its components coincide, or too many replicates are lost; [`Error::Interrupted`]; and what
    /// [`Resample::redraw`] refuses.
    pub fn run<M: Resample>(
        &self,
        model: &M,
        rows: &dyn Source,
        in_units: impl Fn(&M) -> Result<M> + Sync,
        control: Control<'_>,
    ) -> Result<Replicates> {
        self.check(model, rows)?;
        let weights = case_weights(rows)?;
        let done = AtomicUsize::new(0);
        let outcomes: Vec<Outcome<M>> = (0..self.replicates)
            .into_par_iter()
            .map(|b| {
                let outcome = self.replicate(b, model, rows, &weights, control);
                let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                if let Some(progress) = control.progress {
                    progress(Progress { done, total: self.replicates, n_components: 1 });
                }
                outcome
            })
            .collect::<Result<_>>()?;
        let (mut values, mut lost, mut exchanged) = (Vec::new(), Lost::default(), 0);
        for outcome in outcomes {
            match outcome {
                Outcome::Kept(model, other) => {
                    values.push(in_units(&model)?.coordinates());
                    exchanged += usize::from(other);
                }
                Outcome::Collapsed => lost.collapsed += 1,
                Outcome::NotConverged => lost.not_converged += 1,
                Outcome::NotMatched => lost.not_matched += 1,
            }
        }
        if lost.total() as f64 > self.may_be_lost * self.replicates as f64 || values.len() < 2 {
            return Err(Error::Degenerate(format!(
                "{} of {} replicates were lost ({} collapsed, {} did not converge, the components of {} could not be matched), more than the {:.0} % allowed: use fewer components or more rows",
                lost.total(),
                self.replicates,
                lost.collapsed,
                lost.not_converged,
                lost.not_matched,
                100.0 * self.may_be_lost
            )));
        }
        let fit = in_units(model)?;
        Ok(Replicates {
            method: self.resampling.name(),
            names: fit.names(),
            ranges: fit.ranges(),
            estimates: fit.coordinates(),
            values,
            lost,
            exchanged,
        })
    }

    fn check<M: Resample>(&self, model: &M, rows: &dyn Source) -> Result<()> {
        if self.replicates < 2 {
            return Err(Error::Usage(format!(
                "{} replicates have no spread: use 2 or more, better 200",
                self.replicates
            )));
        }
        if !(0.0..=1.0).contains(&self.may_be_lost) {
            return Err(Error::Usage(format!(
                "the share of replicates that may be lost is {}: use a number from 0 to 1",
                self.may_be_lost
            )));
        }
        if self.tolerance.is_nan() || self.tolerance < 0.0 {
            return Err(Error::Usage(format!("the tolerance is {} nats: it cannot be negative", self.tolerance)));
        }
        let own = model.distances(model, rows)?;
        if own.len() > 1 && rows.n_rows() <= own.len() {
            return Err(Error::Data(format!(
                "{} rows for {} components: one row each says nothing of how estimates vary, use fewer components",
                rows.n_rows(),
                own.len()
            )));
        }
        let mut engine = Threads::new(rows);
        let chunks = 0..Engine::<M>::n_chunks(&engine);
        let health = model.clone().m_step(&engine.expect(model, chunks, Posterior::Soft)?.stats)?;
        if let Some(k) = health.iter().position(|h| h.floor_active || h.empty) {
            let what = if health[k].empty { "has no rows" } else { "sits on its floor" };
            return Err(Error::Degenerate(format!(
                "component {k} {what}: its estimates are no optimum with a spread, use fewer components"
            )));
        }
        match coinciding(&own, |k| model.component_weight(k)) {
            Some((i, j)) => Err(Error::Degenerate(format!(
                "components {i} and {j} coincide, so those of replicates cannot be matched to them: use fewer components"
            ))),
            None => Ok(()),
        }
    }

    /// One replicate. What the data refuse is a loss; what cannot be read is an error.
    fn replicate<M: Resample>(
        &self,
        number: usize,
        model: &M,
        rows: &dyn Source,
        weights: &[f64],
        control: Control<'_>,
    ) -> Result<Outcome<M>> {
        if control.interrupted() {
            return Err(Error::Interrupted);
        }
        let mut rng = self.seed.child(number as u64).rng();
        let (drawn, reweighted): (Dense<'_>, Reweighted<'_>);
        let source: &dyn Source = match self.resampling {
            Resampling::Parametric => {
                drawn = model.redraw(rows, &mut rng)?;
                &drawn
            }
            Resampling::Rows => {
                reweighted = Reweighted::new(rows, drawn_weights(weights, &mut rng));
                &reweighted
            }
            Resampling::Weighted => {
                reweighted = Reweighted::new(rows, dirichlet_weights(weights, &mut rng));
                &reweighted
            }
        };
        let scale = weights.iter().sum::<f64>() * rows.n_features() as f64;
        let limits = RunOptions { max_iter: self.max_iter, tolerance: self.tolerance, scale };
        let quiet = Control { interrupt: control.interrupt, ..Control::default() };
        let mut engine = Threads::new(source);
        let found = run(model.clone(), &mut engine, &mut Squarem::default(), limits, quiet, &mut |_, _, _| Ok(false));
        let found = match found {
            Err(error @ (Error::Io(_) | Error::Interrupted)) => return Err(error),
            Err(_) => return Ok(Outcome::Collapsed),
            Ok(found) => found,
        };
        match found.status.kind {
            StatusKind::Stopped => return Err(Error::Interrupted),
            _ if found.degenerate() || !found.objective().is_finite() => return Ok(Outcome::Collapsed),
            StatusKind::IterationLimit => return Ok(Outcome::NotConverged),
            _ => {}
        }
        let cost = model.distances(&found.model, rows)?;
        let Some(order) = matched(&cost) else { return Ok(Outcome::NotMatched) };
        if order.is_sorted() {
            return Ok(Outcome::Kept(found.model, false));
        }
        Ok(found.model.reordered(&order).map_or(Outcome::Kept(found.model, false), |m| Outcome::Kept(m, true)))
    }
}
