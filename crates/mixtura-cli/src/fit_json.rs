//! The object that `mixtura fit --json` prints; other programs rely on its fields.

use mixtura::data::Audit;
use mixtura::fit::Selection;
use mixtura::persist::{CertificateRecord, Parameters, PriorRecord, SavedModel, StatusRecord, finite};
use mixtura_io::Table;
use serde::Serialize;

use crate::candidate_json::CandidateJson;
use crate::errors::{Beside, BesideJson};

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
    #[serde(skip_serializing_if = "Option::is_none")]
    prior: Option<&'a PriorRecord>,
    status: &'a StatusRecord,
    iterations: usize,
    certificate: &'a CertificateRecord,
    selection: Vec<CandidateJson>,
    data: DataJson<'a>,
    #[serde(flatten)]
    errors: BesideJson<'a>,
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
        beside: &'a Beside,
    ) -> Self {
        let record = &saved.record;
        FitJson {
            model: Parameters::of(&saved.model, &saved.columns),
            log_likelihood: finite(record.log_likelihood),
            bic: finite(record.bic),
            aic: finite(record.aic),
            icl: finite(record.icl),
            n_rows: record.data.n_rows,
            n_free_parameters: record.n_free_parameters,
            prior: record.prior.as_ref(),
            status: &record.status,
            iterations: record.iterations,
            certificate: &record.certificate,
            selection: selection.candidates.iter().map(CandidateJson::of).collect(),
            data: DataJson {
                missing_cells: audit.missing_cells,
                dropped_columns: table.dropped.iter().map(|c| c.name.as_str()).collect(),
                warnings,
            },
            errors: BesideJson::of(beside),
        }
    }
}
