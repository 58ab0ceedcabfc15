//! Model files: versioned, readable JSON. What is read is checked as strictly as what a user builds by hand.

use serde::{Deserialize, Serialize};

use crate::catalog;
use crate::error::{Error, Result};
use crate::family::Emission;
use crate::family::gaussian::{Gaussian, Structure};
use crate::family::normal_wishart;
use crate::fit::{Fit, Mode, Prior, StatusKind, UsedPrior};
use crate::model::{LatentModel, Mixture};

/// Version of the format; files of a later one are refused.
pub const VERSION: u32 = 1;
const FORMAT: &str = "mixtura-model";
/// Numbers in a file's covariances beyond which it is refused before anything is allocated for it: 1 GiB.
const MOST_NUMBERS: usize = 1 << 27;

/// Status of a model that was not fitted but made from another: its record has no figures of a fit.
pub const DERIVED: &str = "derived";

/// A model with everything that is kept of its fit.
#[derive(Clone, Debug)]
pub struct SavedModel {
    /// The mixture, in the columns' own units.
    pub model: Mixture<Gaussian>,
    /// Column names, one per feature.
    pub columns: Vec<String>,
    /// How it came about.
    pub record: Record,
}

/// The story of a fit, as kept in the model file.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Program and version that wrote the file.
    pub created_by: String,
    /// Seed of the fit.
    pub seed: u64,
    /// Where the data came from and a fingerprint of the rows used.
    pub data: DataRecord,
    /// Names of the labels behind components 0, 1, …, where the fit had labels.
    pub labels: Vec<String>,
    /// Total log-likelihood, nats.
    pub log_likelihood: f64,
    /// Information criteria; lower is better.
    pub bic: f64,
    /// See [`Fit::icl`].
    pub icl: f64,
    /// See [`Fit::aic`].
    pub aic: f64,
    /// Number of free parameters.
    pub n_free_parameters: usize,
    /// The conjugate prior of the fit, where it had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prior: Option<PriorRecord>,
    /// Iterations of the returned run.
    pub iterations: usize,
    /// Why the fit ended.
    pub status: StatusRecord,
    /// How far it can be trusted.
    pub certificate: CertificateRecord,
    /// Where the model comes from an M-step over statistics files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<StepRecord>,
}

/// The prior of a fit, in the columns' own units ([`crate::fit::UsedPrior`]).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriorRecord {
    /// Mean, D.
    pub mean: Vec<f64>,
    /// Rows that the mean is worth.
    pub mean_precision: f64,
    /// Rows that the covariance is worth.
    pub degrees_of_freedom: f64,
    /// Scale of the covariance, D × D.
    pub covariance: Vec<Vec<f64>>,
    /// Concentration of the weights; 1 = none.
    pub weight_concentration: f64,
    /// Log-density of the parameters over that at the prior's mode, nats: no part of the log-likelihood.
    pub log_prior: f64,
}

impl PriorRecord {
    /// The record of a prior.
    pub fn of(used: &UsedPrior) -> Self {
        let normal_wishart::Prior { mean, mean_precision, degrees_of_freedom, scale } = used.component.clone();
        PriorRecord {
            covariance: scale.chunks(mean.len()).map(<[f64]>::to_vec).collect(),
            mean,
            mean_precision,
            degrees_of_freedom,
            weight_concentration: used.weight_concentration,
            log_prior: used.log_prior,
        }
    }

    /// The prior itself, for components of a structure.
    pub fn prior(&self, structure: Structure) -> Prior {
        let d = self.mean.len();
        let covariance = match structure {
            Structure::Full | Structure::Tied => self.covariance.concat(),
            Structure::Diag => (0..d).map(|j| self.covariance[j][j]).collect(),
            Structure::Spherical => vec![self.covariance[0][0]],
        };
        Prior {
            mean: Some(self.mean.clone()),
            mean_precision: self.mean_precision,
            degrees_of_freedom: Some(self.degrees_of_freedom),
            covariance: Some(covariance),
            weight_concentration: self.weight_concentration,
        }
    }
}

/// What a distributed M-step knows of itself and the step before it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepRecord {
    /// Steps in a row over the same parts.
    pub steps: usize,
    /// Log-likelihood of the parameters *before* this step, nats.
    pub log_likelihood: f64,
    /// How much higher that is than before the previous step; null at the first.
    pub gain: Option<f64>,
    /// The gain of the previous step.
    #[serde(default)]
    pub gain_before: Option<f64>,
    /// Aitken's estimate, from three gains, of what further steps would gain; null where there is none.
    pub nats_remaining: Option<f64>,
    /// Number of parts.
    pub parts: usize,
    /// A fingerprint of the parts.
    pub rows: String,
    /// Weight with which the model before the step counted as rows.
    #[serde(default)]
    pub model_weight: f64,
}

/// The data of a fit.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataRecord {
    /// File, as given.
    pub source: String,
    /// Used rows.
    pub n_rows: usize,
    /// Σ case weights.
    pub total_weight: f64,
    /// SHA-256 over the used rows, weights and labels.
    pub fingerprint: String,
    /// Mean by which each column was shifted for the fit.
    pub shift: Vec<f64>,
    /// Power of two by which each column was divided for the fit.
    pub scale: Vec<f64>,
}

/// [`crate::fit::Status`] in a file.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusRecord {
    /// Name of the kind.
    pub kind: String,
    /// One sentence.
    pub detail: String,
}

/// [`crate::fit::Certificate`] in a file and in `--json`; what is not finite is null.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateRecord {
    /// See [`crate::fit::Certificate::monotone`].
    pub monotone: bool,
    /// See [`crate::fit::Certificate::largest_decrease`].
    pub largest_decrease: Option<f64>,
    /// See [`crate::fit::Certificate::nats_remaining`].
    pub nats_remaining: Option<f64>,
    /// Objective of each restart.
    pub restarts: Vec<Option<f64>>,
    /// Restarts that reached the best.
    pub restarts_at_best: usize,
    /// Restarts that collapsed.
    pub restarts_degenerate: usize,
    /// Distinct optima, best first.
    #[serde(default)]
    pub modes: Vec<Mode>,
    /// See [`crate::fit::Certificate::chance_of_better`].
    #[serde(default)]
    pub chance_of_better: Option<f64>,
    /// One entry per component.
    pub components: Vec<ComponentRecord>,
}

/// [`crate::fit::ComponentCertificate`] in a file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComponentRecord {
    /// Σ w r.
    pub effective_count: f64,
    /// In standardised columns.
    pub condition_number: Option<f64>,
    /// Collapsed in some direction.
    pub floor_active: bool,
    /// Narrow and resting on a handful of rows.
    #[serde(default)]
    pub spike: bool,
    /// The component with which it overlaps most.
    pub closest: Option<usize>,
    /// How much: between 0 and 1.
    pub overlap: Option<f64>,
}

/// A finite number, or null in JSON.
pub fn finite(x: f64) -> Option<f64> {
    x.is_finite().then_some(x)
}

impl CertificateRecord {
    /// The record of a certificate.
    pub fn of(certificate: &crate::fit::Certificate) -> Self {
        CertificateRecord {
            monotone: certificate.monotone,
            largest_decrease: finite(certificate.largest_decrease),
            nats_remaining: certificate.nats_remaining.and_then(finite),
            restarts: certificate.restarts.iter().map(|r| finite(*r)).collect(),
            restarts_at_best: certificate.restarts_at_best,
            restarts_degenerate: certificate.restarts_degenerate,
            modes: certificate.modes.iter().filter(|m| m.objective.is_finite()).cloned().collect(),
            chance_of_better: certificate.chance_of_better,
            components: certificate
                .components
                .iter()
                .map(|c| ComponentRecord {
                    effective_count: c.effective_count,
                    condition_number: finite(c.condition_number),
                    floor_active: c.floor_active,
                    spike: c.spike,
                    closest: c.closest.map(|(k, _)| k),
                    overlap: c.closest.map(|(_, o)| o),
                })
                .collect(),
        }
    }
}

impl Record {
    /// The record of a fit; the caller adds what it knows of the data.
    pub fn of(fit: &Fit<Mixture<Gaussian>>, seed: u64, data: DataRecord, labels: Vec<String>) -> Self {
        Record {
            created_by: concat!("mixtura ", env!("CARGO_PKG_VERSION")).to_owned(),
            seed,
            data,
            labels,
            log_likelihood: fit.log_likelihood,
            bic: fit.bic(),
            icl: fit.icl(),
            aic: fit.aic(),
            n_free_parameters: fit.n_free_parameters,
            prior: fit.prior.as_ref().map(PriorRecord::of),
            iterations: fit.iterations,
            status: StatusRecord { kind: fit.status.kind.name().to_owned(), detail: fit.status.detail.clone() },
            certificate: CertificateRecord::of(&fit.certificate),
            step: None,
        }
    }
}

impl SavedModel {
    /// A model made from this one (a marginal, say): where the data came from is kept, the figures of the fit are not,
    /// and the status says in `detail` what was done. Labels are kept where there are as many components as before.
    pub fn derive(&self, model: Mixture<Gaussian>, columns: Vec<String>, detail: String) -> SavedModel {
        let same = model.weights().len() == self.model.weights().len();
        let before = match self.record.status.kind.as_str() {
            DERIVED => format!("; before that: {}", self.record.status.detail),
            _ => String::new(),
        };
        let record = Record {
            created_by: concat!("mixtura ", env!("CARGO_PKG_VERSION")).to_owned(),
            seed: self.record.seed,
            data: DataRecord { shift: Vec::new(), scale: Vec::new(), ..self.record.data.clone() },
            labels: if same { self.record.labels.clone() } else { Vec::new() },
            n_free_parameters: model.n_free_parameters(),
            status: StatusRecord { kind: DERIVED.to_owned(), detail: detail + &before },
            ..Record::default()
        };
        SavedModel { model, columns, record }
    }
}

/// The parameters of a mixture as files and `--json` show them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// Number of components K.
    pub n_components: usize,
    /// Name of the covariance structure.
    pub covariance: String,
    /// Column names.
    pub columns: Vec<String>,
    /// Mixing weights, K.
    pub weights: Vec<f64>,
    /// Means, K × D.
    pub means: Vec<Vec<f64>>,
    /// Covariances, K × D × D, whatever the structure.
    pub covariances: Vec<Vec<Vec<f64>>>,
}

impl Parameters {
    /// The parameters of a mixture.
    pub fn of(model: &Mixture<Gaussian>, columns: &[String]) -> Self {
        let bank = model.emission();
        let (k, d) = (bank.n_components(), bank.n_features());
        Parameters {
            n_components: k,
            covariance: bank.structure().name().to_owned(),
            columns: columns.to_vec(),
            weights: model.weights().to_vec(),
            means: (0..k).map(|c| bank.mean(c).to_vec()).collect(),
            covariances: (0..k).map(|c| bank.covariance(c).chunks(d).map(<[f64]>::to_vec).collect()).collect(),
        }
    }

    /// The mixture of these parameters.
    ///
    /// # Errors
    /// [`Error::Model`] naming what no valid model has.
    pub fn build(&self) -> Result<Mixture<Gaussian>> {
        let (k, d) = (self.n_components, self.columns.len());
        let wrong = |what: &str, n: usize, want: usize| {
            Err(Error::Model(format!("the model has {n} {what} where its sizes ask for {want}")))
        };
        if k == 0 || d == 0 {
            return Err(Error::Model("the model has no components or no columns".into()));
        }
        if k.checked_mul(d).and_then(|kd| kd.checked_mul(d)).is_none_or(|n| n > MOST_NUMBERS) {
            return Err(Error::Model(format!("{k} components of {d} columns are more than a model file may hold")));
        }
        for (i, name) in self.columns.iter().enumerate() {
            if self.columns[..i].contains(name) {
                return Err(Error::Model(format!("the model names column '{name}' twice")));
            }
        }
        if self.weights.len() != k {
            return wrong("mixing weights", self.weights.len(), k);
        }
        if self.means.len() != k {
            return wrong("means", self.means.len(), k);
        }
        if self.covariances.len() != k {
            return wrong("covariances", self.covariances.len(), k);
        }
        for row in self.means.iter().chain(self.covariances.iter().flatten()) {
            if row.len() != d {
                return wrong("values in a row", row.len(), d);
            }
        }
        if let Some(matrix) = self.covariances.iter().find(|m| m.len() != d) {
            return wrong("rows in a covariance", matrix.len(), d);
        }
        let structure = catalog::structure(&self.covariance).map_err(|e| Error::Model(e.to_string()))?;
        let covariances = self.covariances.iter().flatten().flatten().copied().collect();
        Mixture::new(self.weights.clone(), Gaussian::new(structure, d, self.means.concat(), covariances)?)
    }
}

/// The file as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: String,
    version: u32,
    model: Parameters,
    fit: Record,
}

/// Only what tells whether the rest can be understood.
#[derive(Deserialize)]
struct Head {
    format: Option<String>,
    version: Option<u32>,
}

impl SavedModel {
    /// The model as JSON text.
    pub fn to_json(&self) -> String {
        let file = File {
            format: FORMAT.to_owned(),
            version: VERSION,
            model: Parameters::of(&self.model, &self.columns),
            fit: self.record.clone(),
        };
        let mut text = serde_json::to_string_pretty(&file).expect("a record of numbers and text always serialises");
        text.push('\n');
        text
    }

    /// Reads a model from JSON text.
    ///
    /// # Errors
    /// [`Error::Model`] for anything that no valid model file says.
    pub fn from_json(text: &str) -> Result<Self> {
        // Names in a damaged file may hold line breaks; a refusal is one line.
        let clean = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
        Self::parse(text).map_err(|error| match error {
            Error::Model(sentence) => Error::Model(sentence.chars().map(clean).collect()),
            other => other,
        })
    }

    fn parse(text: &str) -> Result<Self> {
        let head: Head = serde_json::from_str(text)
            .map_err(|e| Error::Model(format!("this is not a model file (not valid JSON: {e})")))?;
        if head.format.as_deref() != Some(FORMAT) {
            return Err(Error::Model(format!("this is not a model file (no \"format\": \"{FORMAT}\")")));
        }
        match head.version {
            Some(VERSION) => {}
            Some(v) if v > VERSION => {
                return Err(Error::Model(format!(
                    "the model file has version {v}, written by a later mixtura: update"
                )));
            }
            _ => return Err(Error::Model("the model file has no valid version".into())),
        }
        let file: File =
            serde_json::from_str(text).map_err(|e| Error::Model(format!("the model file is damaged: {e}")))?;
        let kind = &file.fit.status.kind;
        if kind != DERIVED && StatusKind::ALL.iter().all(|s| s.name() != kind) {
            return Err(Error::Model(format!("the model file has an unknown status '{kind}'")));
        }
        Ok(SavedModel { model: file.model.build()?, columns: file.model.columns, record: file.fit })
    }
}
