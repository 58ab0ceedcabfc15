//! What `fit` and `select` share: the flags of a search over K and structures, its data, and the search itself.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use mixtura::data::{Audit, audit, rows_fingerprint, text_fingerprint};
use mixtura::family::Emission;
use mixtura::family::gaussian::Structure;
use mixtura::fit::{Checkpoint, Collapse, Control, Criterion, Grid, Identity, Init, Selection};
use mixtura::persist::{DataRecord, Record, SavedModel};
use mixtura::{Error, GaussianMixture, Seed};
use mixtura_io::{Table, read_tables};

use crate::failure::{Failure, INTERRUPTED, UNUSABLE};
use crate::flags::{self, Columns, Covariance, Memory, Threads};
use crate::progress::Bar;
use crate::{checkpoint, data, interrupt, model_file};

/// Components tried where nobody says how many.
const MOST_BY_DEFAULT: usize = 9;

#[derive(clap::Args, Debug)]
pub(crate) struct Search {
    /// Number of components, or a range (its end included) to choose from [default: 1..9]
    #[arg(short = 'k', value_name = "K|A..B", value_parser = flags::components)]
    pub(crate) k: Option<RangeInclusive<usize>>,
    /// full, tied, diag, spherical, or auto: the best of these four
    #[arg(long, value_name = "NAME", default_value = "auto", value_parser = flags::covariance)]
    pub(crate) covariance: Covariance,
    /// bic, icl, aic, aicc, sabic, nec, cv (cross-validation) or blrt (bootstrap likelihood-ratio test)
    #[arg(long, value_name = "NAME", default_value = "bic", value_parser = flags::criterion)]
    criterion: Criterion,
    /// Folds of --criterion cv
    #[arg(long, value_name = "N", default_value_t = 5)]
    folds: usize,
    /// Most replicates of each test of --criterion blrt
    #[arg(long, value_name = "N", default_value_t = 99)]
    replicates: usize,
    #[command(flatten)]
    pub(crate) columns: Columns,
    /// Column of known components; rows without one are free
    #[arg(long, value_name = "COLUMN")]
    label_column: Option<String>,
    /// Seed of all randomness
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Runs to convergence per candidate [default: 2 to 8, by the size of the problem]
    #[arg(long, value_name = "N")]
    restarts: Option<usize>,
    /// auto, whitened-kmeans, kmeans, random, short-em, labels, or params=FILE (a model file)
    #[arg(long, value_name = "START", default_value = "auto", value_parser = flags::init)]
    init: flags::Init,
    /// Most iterations of each run
    #[arg(long, value_name = "N", default_value_t = 1000)]
    max_iter: usize,
    /// Stop when fewer nats of total log-likelihood than this remain to be gained
    #[arg(long, value_name = "NATS", default_value_t = 1e-3)]
    tolerance: f64,
    /// Add this to every variance, in the data's units squared, in place of the relative floor
    #[arg(long, value_name = "ABS")]
    reg_covar: Option<f64>,
    #[command(flatten)]
    algorithm: flags::Algorithm,
    /// Leave nothing out: otherwise the iterations take responsibilities below 9e-27 for 0, which saves time
    #[arg(long)]
    exact: bool,
    /// What to do with a collapsing component: floor, reset, drop, refuse
    #[arg(long, value_name = "POLICY", default_value = "floor", value_parser = flags::collapse)]
    collapse: Collapse,
    /// File to keep the state of a long fit in; if it exists, the same fit goes on from there, to the same bits
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Seconds between two writes of the checkpoint
    #[arg(long, value_name = "SECONDS", default_value_t = 30.0)]
    checkpoint_every: f64,
    #[command(flatten)]
    pub(crate) threads: Threads,
}

/// The data of a search, read and looked at.
pub(crate) struct Data {
    pub(crate) table: Table,
    pub(crate) audit: Audit,
    /// Of the used rows, for the model file and the checkpoint.
    fingerprint: String,
    /// What the user should know, in sentences.
    pub(crate) warnings: Vec<String>,
    /// Names of the known components.
    labels: Vec<String>,
    start: Option<SavedModel>,
}

impl Search {
    /// Refuses flags that make no sense together, before any work is done.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        if self.init == flags::Init::Labels && self.label_column.is_none() {
            return Err(Failure::usage("--init labels needs --label-column"));
        }
        if !(self.checkpoint_every >= 0.0 && self.checkpoint_every <= 1e9) {
            return Err(Failure::usage("--checkpoint-every must be a number of seconds from 0"));
        }
        if let Some(path) = &self.checkpoint {
            checkpoint::check(path)?;
        }
        Ok(())
    }

    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// Whether the structure was left to the program.
    pub(crate) fn auto(&self) -> bool {
        self.covariance == Covariance::Auto
    }

    /// Reads the data; a fit that starts from a model reads the model's columns.
    pub(crate) fn read(&self, files: &[String], memory: &Memory) -> Result<Data, Failure> {
        let start = match &self.init {
            flags::Init::Params(path) => Some(model_file::read_start(path)?),
            _ => None,
        };
        let mut options = self.columns.options(self.label_column.as_ref());
        options.memory = memory.memory;
        if let Some(start) = &start
            && options.columns.is_none()
        {
            options.columns = Some(start.columns.clone());
        }
        let table = read_tables(files, &options)?;
        if let Some(start) = &start
            && start.columns != table.columns
        {
            return Err(Failure::usage(format!(
                "the start has the columns {}, the data {}: give --columns in the start's order",
                start.columns.join(", "),
                table.columns.join(", ")
            )));
        }
        let labels = table.labels.as_ref().map(|l| l.names.clone()).unwrap_or_default();
        if self.init == flags::Init::Labels && labels.is_empty() {
            let sentence = format!("{}: the label column holds no label to start from", table.source);
            return Err(Failure::new(UNUSABLE, sentence));
        }
        let rows = data::rows(&table)?;
        let about = |error| Failure::about(&table.source, &error);
        let audit = audit(&*rows).map_err(about)?;
        let fingerprint = rows_fingerprint(&*rows).map_err(about)?;
        drop(rows);
        let warnings = data::warnings(&table, &audit);
        Ok(Data { table, audit, fingerprint, warnings, labels, start })
    }

    /// The numbers of components and the structures to try.
    fn candidates(&self, data: &Data) -> Result<(Vec<usize>, Vec<Structure>), Failure> {
        let n_labels = data.labels.len();
        let Some(start) = &data.start else {
            let ks = match &self.k {
                Some(ks) => ks.clone(),
                None if self.init == flags::Init::Labels => n_labels..=n_labels,
                None => n_labels.max(1)..=MOST_BY_DEFAULT.max(n_labels),
            };
            let structures = match self.covariance {
                Covariance::Auto => Structure::ALL.to_vec(),
                Covariance::One(structure) => vec![structure],
            };
            return Ok((ks.collect(), structures));
        };
        let bank = start.model.emission();
        let (k, structure) = (bank.n_components(), bank.structure());
        if let Some(asked) = self.k.as_ref().filter(|ks| **ks != (k..=k)) {
            let asked = if asked.start() == asked.end() {
                asked.start().to_string()
            } else {
                format!("{}..{}", asked.start(), asked.end())
            };
            return Err(Failure::usage(format!("-k {asked} is asked for, but the start has {k} components")));
        }
        match self.covariance {
            Covariance::One(asked) if asked != structure => Err(Failure::usage(format!(
                "--covariance {} is asked for, but the start's is {}",
                asked.name(),
                structure.name()
            ))),
            _ => Ok((vec![k], vec![structure])),
        }
    }

    /// Fits every candidate and chooses.
    pub(crate) fn run(&self, data: &Data, quiet: bool) -> Result<Selection, Failure> {
        let (ks, structures) = self.candidates(data)?;
        let rows = &*data::rows(&data.table)?;
        let about = |error: Error| Failure::about(&data.table.source, &error);
        let init = match (&self.init, &data.start) {
            (_, Some(start)) => Init::Params(Box::new(start.model.clone())),
            (flags::Init::WhitenedKMeans, _) => Init::WhitenedKMeans,
            (flags::Init::KMeans, _) => Init::KMeans,
            (flags::Init::Random, _) => Init::Random,
            (flags::Init::ShortEm, _) => Init::ShortEm,
            (flags::Init::Labels, _) => Init::Labels,
            (flags::Init::Auto | flags::Init::Params(_), None) => Init::Auto,
        };
        let estimator = GaussianMixture {
            init,
            restarts: self.restarts,
            seed: Seed::new(self.seed),
            max_iter: self.max_iter,
            tolerance: self.tolerance,
            reg_covar: self.reg_covar,
            collapse: self.collapse,
            method: self.algorithm.method,
            exact: self.exact,
            ..GaussianMixture::new(1)
        };
        let (criterion, folds, replicates) = (self.criterion, self.folds, self.replicates);
        let grid = Grid { criterion, folds, replicates, ..Grid::new(&ks, &structures) };
        let sink = |text: &str| self.checkpoint.as_deref().into_iter().for_each(|path| checkpoint::write(path, text));
        let kept = match &self.checkpoint {
            Some(path) => {
                let identity = Identity {
                    program: concat!("mixtura ", env!("CARGO_PKG_VERSION")).to_owned(),
                    data: data.fingerprint.clone(),
                    options: text_fingerprint(&format!("{estimator:?} {grid:?}")),
                };
                let every = Duration::from_secs_f64(self.checkpoint_every);
                Some(checkpoint::open(path, Checkpoint::new(identity, every, &sink), quiet)?)
            }
            None => None,
        };
        let bar = Bar::new(ks.len() * structures.len(), !quiet);
        let report = |progress| bar.report(progress);
        let control = Control {
            interrupt: Some(interrupt::polled()),
            progress: Some(&report),
            checkpoint: kept.as_ref(),
            ..Control::default()
        };
        let selection = estimator.select(rows, &data.table.columns, &grid, control);
        bar.finish();
        selection.map_err(|error| match error {
            Error::Interrupted => Failure::new(INTERRUPTED, format!("{error}{}", self.resumable())),
            error => about(error),
        })
    }

    /// How an interrupted fit goes on, where it can.
    pub(crate) fn resumable(&self) -> String {
        let kept = self.checkpoint.as_deref().filter(|path| path.is_file());
        kept.map_or_else(String::new, |path| {
            format!("; the same command goes on from the checkpoint in {}", path.display())
        })
    }

    /// The checkpoint of a fit that is complete and safely written is of no more use.
    pub(crate) fn done(&self) {
        if let Some(path) = &self.checkpoint
            && !interrupt::requested()
        {
            checkpoint::remove(path);
        }
    }

    /// The chosen fit as a model file says it, and what the user should know of it.
    pub(crate) fn saved(&self, data: &Data, selection: &Selection) -> Result<(SavedModel, Vec<String>), Failure> {
        let (best, table) = (&selection.candidates[selection.best], &data.table);
        let Ok(fit) = &best.outcome else {
            return Err(Failure::new(UNUSABLE, format!("{}: {}", table.source, best.note())));
        };
        let mut late = Vec::new();
        if fit.total_weight < fit.n_free_parameters as f64 {
            late.push(format!(
                "the weights sum to {}, less than the {} free parameters",
                fit.total_weight, fit.n_free_parameters
            ));
        }
        if fit.n_flat_directions > 0 {
            late.push(format!(
                "the data have no spread in {} of {} directions: variances there are made up (1e-10 of the columns'), and so is the likelihood",
                fit.n_flat_directions,
                table.columns.len()
            ));
        }
        let record = DataRecord {
            source: table.source.clone(),
            n_rows: fit.n_rows,
            total_weight: fit.total_weight,
            fingerprint: data.fingerprint.clone(),
            shift: fit.affine.shift.clone(),
            scale: fit.affine.scale.clone(),
        };
        let record = Record::of(fit, self.seed(), record, data.labels.clone());
        Ok((SavedModel { model: fit.model.clone(), columns: table.columns.clone(), record }, late))
    }
}

impl Data {
    /// The report on the data, on standard error.
    pub(crate) fn announce(&self) {
        /// Column names that are told one by one.
        const SHOWN: usize = 8;
        let (table, used) = (&self.table, self.audit.n_rows);
        let mut names: Vec<&str> = table.columns.iter().take(SHOWN).map(String::as_str).collect();
        if table.columns.len() > SHOWN {
            names.push("…");
        }
        let unused = match table.n_rows - used {
            0 => String::new(),
            n => format!(" ({n} more have weight 0)"),
        };
        let count = |n: usize, noun| format!("{n} {noun}{}", if n == 1 { "" } else { "s" });
        eprintln!(
            "{}: {}{unused} × {} ({}), {}",
            table.source,
            count(used, "row"),
            count(table.columns.len(), "column"),
            names.join(", "),
            count(self.audit.missing_cells, "missing cell")
        );
        for warning in &self.warnings {
            eprintln!("note: {warning}");
        }
    }
}
