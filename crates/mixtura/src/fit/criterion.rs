//! The criteria by which a number of components and a structure are chosen. Lower is better for every value here.

use super::{Candidate, Fit};

/// A criterion of choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Criterion {
    /// Bayesian information criterion (Schwarz 1978).
    Bic,
    /// Integrated completed likelihood (Biernacki, Celeux & Govaert 2000): BIC that charges for overlap.
    Icl,
    /// Akaike's information criterion (Akaike 1974).
    Aic,
    /// AIC corrected for few rows (Hurvich & Tsai 1989).
    Aicc,
    /// BIC with the sample size adjusted (Sclove 1987).
    Sabic,
    /// Normalised entropy criterion (Celeux & Soromenho 1996; Biernacki, Celeux & Govaert 1999).
    Nec,
    /// Log-likelihood of held-out rows (Smyth 2000).
    Cv,
    /// Bootstrap likelihood-ratio test of K against K + 1 components, in turn (McLachlan 1987).
    Blrt,
}

impl Criterion {
    /// Every criterion: those that need no further fits first.
    pub const ALL: [Criterion; 8] = [
        Criterion::Bic,
        Criterion::Icl,
        Criterion::Aic,
        Criterion::Aicc,
        Criterion::Sabic,
        Criterion::Nec,
        Criterion::Cv,
        Criterion::Blrt,
    ];

    /// The name in every face.
    pub fn name(self) -> &'static str {
        match self {
            Criterion::Bic => "bic",
            Criterion::Icl => "icl",
            Criterion::Aic => "aic",
            Criterion::Aicc => "aicc",
            Criterion::Sabic => "sabic",
            Criterion::Nec => "nec",
            Criterion::Cv => "cv",
            Criterion::Blrt => "blrt",
        }
    }

    /// Its value for a candidate, lower is better; `None` where it has none. Cross-validation: −2 × the held-out
    /// log-likelihood. The likelihood-ratio test orders nothing but neighbours: BIC stands in for it.
    pub fn value(self, candidate: &Candidate) -> Option<f64> {
        let fit = candidate.outcome.as_ref().ok()?;
        match self {
            Criterion::Bic | Criterion::Blrt => Some(fit.bic()),
            Criterion::Icl => Some(fit.icl()),
            Criterion::Aic => Some(fit.aic()),
            Criterion::Aicc => Some(fit.aicc()),
            Criterion::Sabic => Some(fit.sabic()),
            Criterion::Nec => candidate.nec(),
            Criterion::Cv => candidate.cross_validation.as_ref()?.as_ref().ok().map(|cv| -2.0 * cv.log_likelihood),
        }
    }
}

impl<M> Fit<M> {
    /// Bayesian information criterion −2ℓ + p log Σw (Schwarz 1978); lower is better.
    pub fn bic(&self) -> f64 {
        -2.0 * self.log_likelihood + self.n_free_parameters as f64 * self.total_weight.ln()
    }

    /// Akaike's information criterion −2ℓ + 2p (Akaike 1974); lower is better.
    pub fn aic(&self) -> f64 {
        -2.0 * self.log_likelihood + 2.0 * self.n_free_parameters as f64
    }

    /// AIC + 2p(p + 1) / (Σw − p − 1) (Hurvich & Tsai 1989); lower is better, infinite where Σw ≤ p + 1.
    pub fn aicc(&self) -> f64 {
        let p = self.n_free_parameters as f64;
        let room = self.total_weight - p - 1.0;
        if room > 0.0 { self.aic() + 2.0 * p * (p + 1.0) / room } else { f64::INFINITY }
    }

    /// BIC with log((Σw + 2) / 24) in place of log Σw (Sclove 1987); lower is better.
    pub fn sabic(&self) -> f64 {
        -2.0 * self.log_likelihood + self.n_free_parameters as f64 * ((self.total_weight + 2.0) / 24.0).ln()
    }

    /// Integrated completed likelihood BIC − 2 Σ w log max_k r_k (Biernacki, Celeux & Govaert 2000); lower is better.
    pub fn icl(&self) -> f64 {
        self.bic() - 2.0 * self.classification_term
    }
}

impl Candidate {
    /// Entropy of the responsibilities over the gain in log-likelihood on one component; 1 for one component, infinite
    /// where there is no gain; `None` where one component was not fitted.
    pub fn nec(&self) -> Option<f64> {
        let fit = self.outcome.as_ref().ok()?;
        if fit.model.weights().len() == 1 {
            return Some(1.0);
        }
        let gain = fit.log_likelihood - self.log_likelihood_of_one?;
        Some(if gain > 0.0 { fit.entropy / gain } else { f64::INFINITY })
    }
}
