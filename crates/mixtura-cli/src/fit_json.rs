//! The object that `mixtura fit --json` prints; other programs rely on its fields.

use mixtura::data::Audit;
use mixtura::fit::Selection;
use mixtura::persist::{CertificateRecord, Parameters, SavedModel, StatusRecord, finite};
use mixtura_io::Table;
use serde::Serialize;

/// The whole object. Figures that are not finite are null.
#[derive(Serialize)]
pub(crate) struct FitJson<'a> {
    model: Parameters,
    log_likelihood: Option<f64>,
    bic: Option<f64>,
    aic: Option<f64>,
    icl: Option<f64>,
    n_rows: usize,
    n_free_parameters: usize,
    status: &'a StatusRecord,
    iterations: usize,
    certificate: &'a CertificateRecord,
    selection: Vec<CandidateJson>,
    data: DataJson<'a>,
}

/// One candidate; its figures are null and a note says why where it failed.
#[derive(Serialize)]
struct CandidateJson {
    n_components: usize,
    covariance: &'static str,
    bic: Option<f64>,
    icl: Option<f64>,
    aic: Option<f64>,
    log_likelihood: Option<f64>,
    note: String,
}

#[derive(Serialize)]
struct DataJson<'a> {
    missing_cells: usize,
    dropped_columns: Vec<&'a str>,
    warnings: &'a [String],
}

impl<'a> FitJson<'a> {
    pub(crate) fn new(
        saved: &'a SavedModel,
        selection: &Selection,
        audit: &Audit,
        table: &'a Table,
        warnings: &'a [String],
    ) -> Self {
        let record = &saved.record;
        let candidates = selection.candidates.iter().map(|candidate| {
            let figure = |of: fn(&mixtura::Fit<_>) -> f64| candidate.outcome.as_ref().ok().map(of).and_then(finite);
            CandidateJson {
                n_components: candidate.n_components,
                covariance: candidate.structure.name(),
                bic: figure(mixtura::Fit::bic),
                icl: figure(mixtura::Fit::icl),
                aic: figure(mixtura::Fit::aic),
                log_likelihood: figure(|fit| fit.log_likelihood),
                note: candidate.note(),
            }
        });
        FitJson {
            model: Parameters::of(&saved.model, &saved.columns),
            log_likelihood: finite(record.log_likelihood),
            bic: finite(record.bic),
            aic: finite(record.aic),
            icl: finite(record.icl),
            n_rows: record.data.n_rows,
            n_free_parameters: record.n_free_parameters,
            status: &record.status,
            iterations: record.iterations,
            certificate: &record.certificate,
            selection: candidates.collect(),
            data: DataJson {
                missing_cells: audit.missing_cells,
                dropped_columns: table.dropped.iter().map(|c| c.name.as_str()).collect(),
                warnings,
            },
        }
    }
}
