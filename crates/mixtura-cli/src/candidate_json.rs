//! One candidate of a selection as `--json` shows it, in `fit` and in `select`; figures that are not finite are null.

use mixtura::Fit;
use mixtura::fit::{Candidate, Criterion, Mode};
use mixtura::persist::finite;
use serde::Serialize;

/// Where a candidate has no fit its figures are null and the note says why; the status is null where it failed.
#[derive(Serialize)]
pub(crate) struct CandidateJson {
    pub(crate) n_components: usize,
    pub(crate) covariance: &'static str,
    pub(crate) log_likelihood: Option<f64>,
    pub(crate) n_free_parameters: Option<usize>,
    pub(crate) bic: Option<f64>,
    pub(crate) icl: Option<f64>,
    pub(crate) aic: Option<f64>,
    pub(crate) aicc: Option<f64>,
    pub(crate) sabic: Option<f64>,
    pub(crate) nec: Option<f64>,
    pub(crate) cv_log_likelihood: Option<f64>,
    pub(crate) cv_standard_error: Option<f64>,
    pub(crate) status: Option<&'static str>,
    pub(crate) restarts: usize,
    pub(crate) modes: Vec<Mode>,
    pub(crate) chance_of_better: Option<f64>,
    pub(crate) note: String,
}

impl CandidateJson {
    pub(crate) fn of(candidate: &Candidate) -> Self {
        let fit = candidate.outcome.as_ref().ok();
        let value = |criterion: Criterion| criterion.value(candidate).and_then(finite);
        let cv = candidate.cross_validation.as_ref().and_then(|cv| cv.as_ref().ok());
        let certificate = fit.map(|fit: &Fit<_>| &fit.certificate);
        let missing = candidate.not_reached().then_some("not_reached");
        CandidateJson {
            n_components: candidate.n_components,
            covariance: candidate.structure.name(),
            log_likelihood: fit.and_then(|fit| finite(fit.log_likelihood)),
            n_free_parameters: fit.map(|fit| fit.n_free_parameters),
            bic: value(Criterion::Bic),
            icl: value(Criterion::Icl),
            aic: value(Criterion::Aic),
            aicc: value(Criterion::Aicc),
            sabic: value(Criterion::Sabic),
            nec: value(Criterion::Nec),
            cv_log_likelihood: cv.and_then(|cv| finite(cv.log_likelihood)),
            cv_standard_error: cv.and_then(|cv| finite(cv.standard_error)),
            status: fit.map(|fit| fit.status.kind.name()).or(missing),
            restarts: certificate.map_or(0, |c| c.restarts.len()),
            modes: certificate.map_or_else(Vec::new, |c| c.modes.clone()),
            chance_of_better: certificate.and_then(|c| c.chance_of_better),
            note: candidate.note(),
        }
    }
}
