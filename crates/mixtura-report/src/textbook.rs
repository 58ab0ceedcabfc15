//! A fitted textbook model in plain text: its estimates, its figures, and how far to trust them.

use mixtura::fit::StatusKind;
use mixtura::persist::{CertificateRecord, StatusRecord};

use crate::figures::{count, general, paragraphs, plain};
use crate::trust::{ending, lonely};

/// What is told of a textbook model.
#[derive(Debug)]
pub struct Textbook<'a> {
    /// What the model is and where its data came from.
    pub title: String,
    /// Names of the columns of the estimates, that of the names first.
    pub header: Vec<String>,
    /// Name and values of each line.
    pub estimates: Vec<(String, Vec<f64>)>,
    /// Nats.
    pub log_likelihood: f64,
    /// Akaike's criterion.
    pub aic: f64,
    /// Schwarz' criterion.
    pub bic: f64,
    /// Number of free parameters.
    pub n_free_parameters: usize,
    /// Why the fit ended.
    pub status: &'a StatusRecord,
    /// How far it can be trusted.
    pub certificate: &'a CertificateRecord,
}

/// The text, in 80 columns.
pub fn textbook(found: &Textbook<'_>) -> String {
    let rows = found.estimates.iter().map(|(name, values)| {
        let cells = values.iter().map(|v| general(*v));
        [name.clone()].into_iter().chain(cells).collect()
    });
    let figures = format!(
        "log-likelihood {:.6} with {}; BIC {:.2}, AIC {:.2}",
        found.log_likelihood,
        count(found.n_free_parameters, "free parameter"),
        found.bic,
        found.aic
    );
    let mut doubts = Vec::new();
    if found.status.kind == StatusKind::IterationLimit.name() {
        doubts.push("the fit has not converged: raise --max-iter".to_owned());
    }
    if found.status.kind == StatusKind::Stopped.name() {
        doubts.push("the fit was interrupted: these are the parameters it had reached".to_owned());
    }
    doubts.extend(lonely(found.certificate));
    let table = plain(&found.header, rows.collect(), &[0]);
    let trust = paragraphs(&ending(found.status, found.certificate, true));
    format!(
        "{}\n{table}\n{}\n{trust}{}",
        paragraphs(std::slice::from_ref(&found.title)),
        paragraphs(&[figures]),
        crate::doubt_list(&doubts)
    )
}
