//! Choosing the number of components and the structure by BIC; candidates whose likelihood says nothing come last:
//! those with a collapsed component, and full covariances where columns depend on each other.

use rayon::prelude::*;

use super::estimator::GaussianMixture;
use super::{Control, Fit, Prepared};
use crate::data::Source;
use crate::error::{Error, Result};
use crate::family::gaussian::{Gaussian, Structure};
use crate::model::Mixture;
use crate::stats::Layout;

/// Candidates up to which each gets the whole effort; more share it.
const FULL_EFFORT_CELLS: f64 = 4.0;

/// One cell of the table.
#[derive(Debug)]
pub struct Candidate {
    /// Number of components asked for.
    pub n_components: usize,
    /// Covariance structure.
    pub structure: Structure,
    /// The fit, or why there is none.
    pub outcome: Result<Fit<Mixture<Gaussian>>>,
}

impl Candidate {
    /// Whether the likelihood may be compared with other candidates': no component collapsed and no density is made up.
    pub fn comparable(&self) -> bool {
        self.outcome.as_ref().is_ok_and(|fit| fit.status.kind != super::StatusKind::Degenerate && fit.n_made_up == 0)
    }

    /// What the user should know of this cell; empty where there is nothing.
    pub fn note(&self) -> String {
        match &self.outcome {
            Err(error) => error.to_string(),
            Ok(fit) => {
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
                notes.join("; ")
            }
        }
    }
}

/// All candidates and the chosen one.
#[derive(Debug)]
pub struct Selection {
    /// In the order of structures, then of K.
    pub candidates: Vec<Candidate>,
    /// Position of the chosen candidate.
    pub best: usize,
}

impl GaussianMixture {
    /// Fits every number of components and structure and chooses the least BIC among the fits in which no component
    /// collapsed and no density is made up (among all, if there are none). Structures that are the same family for given K and D are fitted once.
    ///
    /// # Errors
    /// What makes every candidate fail.
    pub fn select(
        &self,
        data: &dyn Source,
        names: &[String],
        ks: &[usize],
        structures: &[Structure],
        control: Control<'_>,
    ) -> Result<Selection> {
        let most = ks.iter().copied().max().ok_or_else(|| Error::Usage("no number of components to try".into()))?;
        let prepare = |one_scale| Prepared::new(data, names, one_scale, most, self.seed);
        let spherical = structures.contains(&Structure::Spherical).then(|| prepare(true)).transpose()?;
        let others = structures.iter().any(|s| *s != Structure::Spherical).then(|| prepare(false)).transpose()?;
        let mut cells: Vec<(Structure, usize)> = Vec::new();
        for &structure in structures {
            for &k in ks {
                let same = structure.canonical(k, data.n_features());
                if same == structure || !structures.contains(&same) {
                    cells.push((structure, k));
                }
            }
        }
        // Where columns depend on each other a full covariance has no density but a made-up one, which would win any
        // comparison: with another structure at hand it is not fitted at all.
        let alternative = structures.iter().any(|s| s.layout() == Layout::Diagonal);
        let fit = |structure: Structure, n_components: usize, effort: f64| {
            let prepared = if structure == Structure::Spherical { &spherical } else { &others };
            let prepared = prepared.as_ref().expect("prepared for every structure asked for");
            let dependent = prepared.floor.n_dependent();
            if alternative && structure.layout() == Layout::Full && dependent > 0 && prepared.n_distinct >= n_components
            {
                return Err(Error::Data(format!(
                    "the data have no spread in {dependent} directions (fewer rows than columns, or columns that depend on each other), where a {} covariance has no density",
                    structure.name()
                )));
            }
            let options = GaussianMixture { n_components, structure, effort, ..self.clone() };
            options.fit_prepared(prepared, control)
        };
        let effort = self.effort * (FULL_EFFORT_CELLS / cells.len() as f64).min(1.0);
        let mut candidates: Vec<Candidate> = cells
            .into_par_iter()
            .map(|(structure, n_components)| Candidate {
                n_components,
                structure,
                outcome: fit(structure, n_components, effort),
            })
            .collect();
        let rank = |c: &Candidate| c.outcome.as_ref().ok().map(|fit| (!c.comparable(), fit.bic()));
        let mut best: Option<(usize, (bool, f64))> = None;
        for (i, candidate) in candidates.iter().enumerate() {
            let Some(rank) = rank(candidate) else { continue };
            if best.is_none_or(|(_, b)| (rank.0, rank.1) < b) {
                best = Some((i, rank));
            }
        }
        let Some((best, _)) = best else {
            let mut failures = candidates.into_iter().filter_map(|c| c.outcome.err());
            return Err(failures.next().unwrap_or(Error::Interrupted));
        };
        // The chosen candidate gets the whole effort; what that finds is kept if it is better.
        if effort < self.effort && !control.interrupted() {
            let chosen = &candidates[best];
            let again = Candidate {
                n_components: chosen.n_components,
                structure: chosen.structure,
                outcome: fit(chosen.structure, chosen.n_components, self.effort),
            };
            if rank(&again).is_some_and(|r| Some(r) < rank(chosen)) {
                candidates[best] = again;
            }
        }
        Ok(Selection { candidates, best })
    }
}
