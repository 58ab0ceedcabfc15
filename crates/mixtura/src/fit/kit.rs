//! The thin layer that makes a method author's [`Em`] a [`LatentModel`], so that one `run` serves both.

use std::ops::Range;

use super::model::fit_with;
use super::run::sane;
use super::{Control, ModelFit, ModelOptions};
use crate::algorithm::Algorithm;
use crate::data::Chunk;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::family::Health;
use crate::model::{Em, LatentModel, Posterior, Unconstrained};
use crate::stats::{Expectation, Statistic};

/// An author's model as a [`LatentModel`] whose data are one piece. [`fit_em`] makes and unmakes it.
#[derive(Clone, Debug)]
pub struct Kit<M> {
    model: M,
    run: usize,
    /// M-steps behind it.
    iterations: usize,
    /// Whether an accelerator made these parameters: they may then be impossible, and are taken back.
    jumped: bool,
}

/// What an author's E-step made. Its numbers are the author's: methods that mix statistics get those of the last E-step, and are EM.
#[derive(Clone, Debug)]
pub struct Whole<S>(Option<S>);

impl<S: Clone + Send + Sync> Statistic for Whole<S> {
    fn clear(&mut self) {
        self.0 = None;
    }

    fn merge(&mut self, other: &Self) {
        if self.0.is_none() {
            self.0.clone_from(&other.0);
        }
    }

    fn scale(&mut self, _: f64) {}
}

impl<M: Em> LatentModel for Kit<M> {
    type Stats = Whole<M::Stats>;
    type Scratch = ();

    fn empty_stats(&self) -> Self::Stats {
        Whole(None)
    }

    fn scratch(&self) {}

    fn e_step(&self, _: Chunk<'_>, _: Posterior, _: &mut (), _: &mut Expectation<Self::Stats>) -> Result<()> {
        Err(Error::Usage("the data of this model are not rows: fit it with fit_em".into()))
    }

    fn m_step(&mut self, stats: &Self::Stats) -> Result<Health> {
        let Some(stats) = &stats.0 else {
            return Err(Error::Usage("an M-step needs the statistics of an E-step".into()));
        };
        let before = self.model.parameters().len();
        self.model.m_step(stats)?;
        (self.iterations, self.jumped) = (self.iterations + 1, false);
        let (parameters, t) = (self.model.parameters(), self.iterations);
        if parameters.len() != before {
            let now = parameters.len();
            return Err(Error::Model(format!(
                "the M-step of iteration {t} of run {} changed {before} parameters into {now}",
                self.run
            )));
        }
        match parameters.iter().position(|x| x.is_nan()) {
            Some(i) => Err(Error::Model(format!(
                "the M-step of iteration {t} of run {} left parameter {i} at NaN: look for 0/0 \
                 and for logarithms of negative numbers",
                self.run
            ))),
            None => Ok(Health::new()),
        }
    }

    fn parameters(&self) -> Vec<f64> {
        self.model.parameters()
    }

    /// Parameters as the trace shows them do not lead back: a kit's fit keeps no checkpoint.
    fn with_parameters(&self, _: &[f64]) -> Option<Self> {
        None
    }

    fn log_prior(&self) -> f64 {
        self.model.log_prior()
    }

    fn n_free_parameters(&self) -> usize {
        self.model.parameters().len()
    }
}

impl<M: Em + Unconstrained> Unconstrained for Kit<M> {
    fn to_vector(&self) -> Vec<f64> {
        self.model.to_vector()
    }

    fn with_vector(&self, vector: &[f64]) -> Option<Self> {
        let model = self.model.with_vector(vector)?;
        Some(Kit { model, jumped: true, ..*self })
    }
}

/// The E-step over an author's data.
struct Alone<'a, D: ?Sized>(&'a D);

impl<M: Em> Engine<Kit<M>> for Alone<'_, M::Data> {
    fn n_chunks(&self) -> usize {
        1
    }

    fn expect(&mut self, kit: &Kit<M>, _: Range<usize>, posterior: Posterior) -> Result<Expectation<Whole<M::Stats>>> {
        if posterior != Posterior::Soft {
            return Err(Error::Usage(
                "this model's E-step is its author's own, which no method can change: use em, squarem or anderson"
                    .into(),
            ));
        }
        let (stats, mut log_likelihood) = kit.model.e_step(self.0)?;
        match sane(log_likelihood, kit.run, kit.iterations + 1) {
            // A jump to where no model is: SQUAREM takes NaN back, and would take an infinite gain for one.
            Err(_) if kit.jumped => log_likelihood = f64::NAN,
            // Said here, before an M-step stumbles over the statistics.
            other => other?,
        }
        Ok(Expectation { stats: Whole(Some(stats)), log_likelihood, weight: 1.0 })
    }
}

/// Fits an author's model to its data: one run from each start, one after the other on this thread (an E-step may use threads
/// itself), of which the best is returned. `algorithm` makes the method for each run, as in [`super::fit_model`].
///
/// # Errors
/// If there is no start, what the author's steps refuse, an objective of NaN or ∞, an M-step that leaves NaN or another number of
/// parameters; [`Error::Interrupted`] if there is nothing yet to return. Not converging is a status, and a falling objective
/// stands in the certificate.
pub fn fit_em<M: Em, A: Algorithm<Kit<M>>>(
    starts: Vec<M>,
    data: &M::Data,
    algorithm: impl Fn() -> A,
    options: ModelOptions,
    control: Control<'_>,
) -> Result<ModelFit<M>> {
    let starts = starts.into_iter().zip(0..).map(|(model, run)| Kit { model, run, iterations: 0, jumped: false });
    // The number of terms behind an author's sums is unknown: the size of the objective stands for it.
    let control = Control { checkpoint: None, ..control };
    Ok(fit_with(starts.collect(), &mut Alone(data), |_| algorithm(), (options, 1.0), control)?.map(|kit| kit.model))
}
