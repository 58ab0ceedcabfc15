//! Choosing the number of components and the structure by a criterion; candidates whose likelihood says nothing come
//! last: those with a collapsed component, and full covariances where columns depend on each other.

use rayon::prelude::*;

use super::criterion::Criterion;
use super::estimator::GaussianMixture;
use super::likelihood_ratio::{LikelihoodRatio, sequence};
use super::validate::{CrossValidation, cross_validate};
use super::{Control, Fit, Prepared};
use crate::data::Source;
use crate::error::{Error, Result};
use crate::family::gaussian::{Gaussian, Structure};
use crate::model::Mixture;
use crate::stats::Layout;

/// Candidates up to which each gets the whole effort; more share it.
const FULL_EFFORT_CELLS: f64 = 4.0;

/// What a selection chooses from, and by what.
///
/// ```
/// use mixtura::fit::{Control, Criterion, Grid};
/// use mixtura::family::gaussian::Structure;
/// use mixtura::{GaussianMixture, data::Dense};
/// let rows = Dense::new((0..60).map(|i| f64::from(i % 3) * 9.0 + f64::from(i * i % 7) * 0.1).collect::<Vec<_>>(), 1)?;
/// let grid = Grid { criterion: Criterion::Icl, ..Grid::new(&[1, 2, 3, 4], &[Structure::Full]) };
/// let selection = GaussianMixture::new(1).select(&rows, &[], &grid, Control::default())?;
/// assert_eq!(selection.candidates[selection.best].n_components, 3);
/// # Ok::<(), mixtura::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Grid<'a> {
    /// Numbers of components.
    pub ks: &'a [usize],
    /// Covariance structures.
    pub structures: &'a [Structure],
    /// The criterion of choice.
    pub criterion: Criterion,
    /// Folds of a cross-validation.
    pub folds: usize,
    /// Most bootstrap replicates of each likelihood-ratio test.
    pub replicates: usize,
    /// Level of the likelihood-ratio tests.
    pub level: f64,
}

impl<'a> Grid<'a> {
    /// Choice by BIC; 5 folds, 99 replicates and a level of 0.05 where another criterion needs them.
    pub fn new(ks: &'a [usize], structures: &'a [Structure]) -> Self {
        Grid { ks, structures, criterion: Criterion::Bic, folds: 5, replicates: 99, level: 0.05 }
    }
}

/// One cell of the table.
#[derive(Debug)]
pub struct Candidate {
    /// Number of components asked for.
    pub n_components: usize,
    /// Covariance structure.
    pub structure: Structure,
    /// The fit, or why there is none.
    pub outcome: Result<Fit<Mixture<Gaussian>>>,
    /// Log-likelihood of one component of this structure, where it was fitted.
    pub log_likelihood_of_one: Option<f64>,
    /// Its cross-validation, where that was asked for.
    pub cross_validation: Option<Result<CrossValidation>>,
}

impl Candidate {
    /// Whether the likelihood may be compared with other candidates': no component collapsed and no density is made up.
    pub fn comparable(&self) -> bool {
        self.outcome.as_ref().is_ok_and(|fit| fit.status.kind != super::StatusKind::Degenerate && fit.n_made_up == 0)
    }

    /// Whether an interrupt left it without a fit, or without the cross-validation that was asked for.
    pub fn not_reached(&self) -> bool {
        let of_fit = self.outcome.as_ref().err();
        let of_cv = self.cross_validation.as_ref().and_then(|cv| cv.as_ref().err());
        [of_fit, of_cv].contains(&Some(&Error::Interrupted))
    }

    /// What the user should know of this cell; empty where there is nothing.
    pub fn note(&self) -> String {
        let fit = match &self.outcome {
            Err(Error::Interrupted) => return "not reached before the interrupt".to_owned(),
            Err(error) => return error.to_string(),
            Ok(fit) => fit,
        };
        let mut notes = Vec::new();
        let floored = fit.certificate.components.iter().filter(|c| c.floor_active).count();
        match floored {
            0 => {}
            1 => notes.push("1 component on the covariance floor".to_owned()),
            n => notes.push(format!("{n} components on the covariance floor")),
        }
        if fit.certificate.components.iter().any(|c| c.effective_count == 0.0) {
            notes.push("an empty component".to_owned());
        }
        if fit.model.weights().len() < self.n_components {
            notes.push(format!("{} components left", fit.model.weights().len()));
        }
        match fit.certificate.spikes().len() {
            0 => {}
            1 => notes.push("1 spike".to_owned()),
            n => notes.push(format!("{n} spikes")),
        }
        if fit.n_made_up > 0 {
            notes.push(format!("density made up in {} directions without spread", fit.n_made_up));
        }
        match fit.status.kind {
            super::StatusKind::IterationLimit => notes.push("not converged".to_owned()),
            super::StatusKind::Stopped => notes.push("interrupted".to_owned()),
            _ => {}
        }
        if fit.n_free_parameters as f64 > fit.total_weight {
            notes.push("more parameters than rows".to_owned());
        }
        match &self.cross_validation {
            Some(Err(Error::Interrupted)) => notes.push("not cross-validated before the interrupt".to_owned()),
            Some(Err(error)) => notes.push(format!("not cross-validated: {error}")),
            _ => {}
        }
        notes.join("; ")
    }
}

/// All candidates and the chosen one.
#[derive(Debug)]
pub struct Selection {
    /// In the order of structures, then of K.
    pub candidates: Vec<Candidate>,
    /// Position of the chosen candidate.
    pub best: usize,
    /// What it was chosen by.
    pub criterion: Criterion,
    /// The likelihood-ratio tests in the order they were made; empty for other criteria.
    pub tests: Vec<LikelihoodRatio>,
}

impl Selection {
    /// Position of the candidate that another criterion would choose, where it has values.
    pub fn choice(&self, criterion: Criterion) -> Option<usize> {
        if criterion == Criterion::Blrt {
            return (self.criterion == Criterion::Blrt).then_some(self.best);
        }
        if criterion == self.criterion {
            return Some(self.best);
        }
        choose(&self.candidates, criterion)
    }
}

/// The first of the best candidates.
fn choose(candidates: &[Candidate], criterion: Criterion) -> Option<usize> {
    let mut best: Option<(usize, (bool, f64))> = None;
    for (i, candidate) in candidates.iter().enumerate() {
        let Some(rank) = rank(candidate, criterion).filter(|(_, value)| !value.is_nan()) else { continue };
        if best.is_none_or(|(_, b)| rank < b) {
            best = Some((i, rank));
        }
    }
    best.map(|(i, _)| i)
}

/// The data made ready for every structure of a grid.
pub(super) struct Ready<'a> {
    spherical: Option<Prepared<'a>>,
    others: Option<Prepared<'a>>,
    /// Whether the grid has a structure that does not see dependent columns.
    alternative: bool,
}

impl<'a> Ready<'a> {
    pub(super) fn new(
        options: &GaussianMixture,
        data: &'a dyn Source,
        names: &[String],
        grid: &Grid<'_>,
    ) -> Result<Self> {
        let most = grid.ks.iter().copied().max().unwrap_or(1);
        let prepare = |one_scale| Prepared::new(data, names, one_scale, most, options.seed);
        Ok(Ready {
            spherical: grid.structures.contains(&Structure::Spherical).then(|| prepare(true)).transpose()?,
            others: grid.structures.iter().any(|s| *s != Structure::Spherical).then(|| prepare(false)).transpose()?,
            alternative: grid.structures.iter().any(|s| s.layout() == Layout::Diagonal),
        })
    }

    /// Fits one cell with the given share of the effort.
    pub(super) fn fit(
        &self,
        options: &GaussianMixture,
        (structure, n_components): (Structure, usize),
        effort: f64,
        control: Control<'_>,
    ) -> Result<Fit<Mixture<Gaussian>>> {
        let prepared = if structure == Structure::Spherical { &self.spherical } else { &self.others };
        let prepared = prepared.as_ref().expect("prepared for every structure asked for");
        let dependent = prepared.floor.n_dependent();
        // Where columns depend on each other a full covariance has no density but a made-up one, which would win any
        // comparison: with another structure at hand it is not fitted at all.
        if self.alternative
            && structure.layout() == Layout::Full
            && dependent > 0
            && prepared.n_distinct >= n_components
        {
            return Err(Error::Data(format!(
                "the data have no spread in {dependent} directions (fewer rows than columns, or columns that depend on each other), where a {} covariance has no density",
                structure.name()
            )));
        }
        GaussianMixture { n_components, structure, effort, ..options.clone() }.fit_prepared(prepared, control)
    }
}

/// Comparable candidates first, then by the criterion.
pub(super) fn rank(candidate: &Candidate, criterion: Criterion) -> Option<(bool, f64)> {
    criterion.value(candidate).map(|value| (!candidate.comparable(), value))
}

impl GaussianMixture {
    /// Fits every number of components and structure and chooses the best by the criterion among the fits in which no
    /// component collapsed and no density is made up (among all, if there are none). Structures that are the same
    /// family for given K and D are fitted once.
    ///
    /// # Errors
    /// What makes every candidate fail.
    pub fn select(
        &self,
        data: &dyn Source,
        names: &[String],
        grid: &Grid<'_>,
        control: Control<'_>,
    ) -> Result<Selection> {
        if grid.ks.is_empty() || grid.structures.is_empty() {
            return Err(Error::Usage("no number of components to try".into()));
        }
        let ready = Ready::new(self, data, names, grid)?;
        let mut cells: Vec<(Structure, usize)> = Vec::new();
        for &structure in grid.structures {
            for &k in grid.ks {
                let same = structure.canonical(k, data.n_features());
                if same == structure || !grid.structures.contains(&same) {
                    cells.push((structure, k));
                }
            }
        }
        let effort = self.effort * (FULL_EFFORT_CELLS / cells.len() as f64).min(1.0);
        let outcomes: Vec<Result<Fit<Mixture<Gaussian>>>> =
            cells.par_iter().map(|&cell| ready.fit(self, cell, effort, control.within(&name_of(cell)))).collect();
        let of_one = self.of_one(&ready, &cells, &outcomes, grid, control);
        let mut candidates: Vec<Candidate> = cells
            .iter()
            .zip(outcomes)
            .map(|(&(structure, n_components), outcome)| Candidate {
                n_components,
                structure,
                outcome,
                log_likelihood_of_one: of_one.iter().find(|(s, _)| *s == structure).map(|(_, l)| *l),
                cross_validation: None,
            })
            .collect();
        if grid.criterion == Criterion::Cv {
            cross_validate(self, data, names, grid, &mut candidates, effort, control)?;
        }
        let Some(mut best) = choose(&candidates, grid.criterion) else {
            let mut failures = candidates.into_iter().filter_map(|c| c.outcome.err());
            return Err(failures.next().unwrap_or_else(|| {
                Error::Data("no candidate has a value of the criterion: choose another with --criterion".into())
            }));
        };
        let mut tests = Vec::new();
        if grid.criterion == Criterion::Blrt {
            (tests, best) = sequence(self, data, names, grid, &candidates, best, control)?;
        }
        // The chosen candidate gets the whole effort; what that finds is kept if it is better.
        if effort < self.effort && !control.interrupted() {
            let chosen = &candidates[best];
            let cell = (chosen.structure, chosen.n_components);
            let again = Candidate {
                outcome: ready.fit(self, cell, self.effort, control.within("chosen")),
                cross_validation: chosen.cross_validation.clone(),
                ..*chosen
            };
            if rank(&again, Criterion::Bic).is_some_and(|r| Some(r) < rank(chosen, Criterion::Bic)) {
                candidates[best] = again;
            }
        }
        Ok(Selection { candidates, best, criterion: grid.criterion, tests })
    }

    /// Log-likelihood of one component for every structure, which NEC compares with.
    fn of_one(
        &self,
        ready: &Ready<'_>,
        cells: &[(Structure, usize)],
        outcomes: &[Result<Fit<Mixture<Gaussian>>>],
        grid: &Grid<'_>,
        control: Control<'_>,
    ) -> Vec<(Structure, f64)> {
        if grid.ks.len() < 2 && grid.criterion != Criterion::Nec {
            return Vec::new();
        }
        let found = |structure: Structure| {
            // A tied covariance of one component is a full one.
            let same = |s: Structure| s == structure || (s.layout(), structure) == (Layout::Full, Structure::Tied);
            let done = cells.iter().position(|&(s, k)| k == 1 && same(s));
            if let Some(fit) = done.and_then(|i| outcomes[i].as_ref().ok()) {
                return Some((structure, fit.log_likelihood));
            }
            let fit = ready.fit(self, (structure, 1), self.effort, Control { progress: None, ..control }.within("one"));
            fit.ok().map(|fit| (structure, fit.log_likelihood))
        };
        grid.structures.iter().filter_map(|&s| found(s)).collect()
    }
}

/// The cell's name in a checkpoint.
fn name_of((structure, k): (Structure, usize)) -> String {
    format!("{} {k}", structure.name())
}
