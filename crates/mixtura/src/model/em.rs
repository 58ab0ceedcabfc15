//! The kit for a method author: an E-step and an M-step over data of any kind, and everything else for nothing.

use crate::error::Result;

/// A model with an E-step over data of its own, rows or not, and an M-step. [`crate::fit::fit_em`] runs it with restarts,
/// the stop rule, the trace and the certificate.
///
/// With [`super::Unconstrained`] it can be accelerated: SQUAREM moves in those coordinates, so give it logarithms of what must be
/// positive and log-odds of probabilities. A point that is no model may be refused there by `None`, or answer the E-step with
/// a log-likelihood of NaN.
///
/// docs/bring-your-own-model.md walks through one.
pub trait Em: Clone + Send + Sync {
    /// The data, all of them.
    type Data: ?Sized;
    /// What the E-step makes for the M-step.
    type Stats: Clone + Send + Sync;

    /// The expected statistics of the data at the current parameters, and the log-likelihood of these parameters in nats.
    ///
    /// # Errors
    /// If the data cannot belong to the model.
    fn e_step(&self, data: &Self::Data) -> Result<(Self::Stats, f64)>;

    /// Sets the parameters to the maximum of the expected complete log-likelihood (plus log prior) given the statistics; to
    /// raise it is enough (generalized EM).
    ///
    /// # Errors
    /// If no valid parameters exist.
    fn m_step(&mut self, stats: &Self::Stats) -> Result<()>;

    /// log prior of the parameters; 0 for maximum likelihood.
    fn log_prior(&self) -> f64 {
        0.0
    }

    /// The parameters, as the trace keeps them. NaN among them, or another number of them, after an M-step is an error. By default
    /// none are shown.
    fn parameters(&self) -> Vec<f64> {
        Vec::new()
    }
}
