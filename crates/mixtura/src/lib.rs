//! Expectation–Maximization for people with data.
//!
//! Data flow one way: [`data`] (a source cut into chunks) → [`stats`] (what an E-step makes) → [`family`] and
//! [`model`] (parameters and M-steps) → [`engine`] and [`algorithm`] (where and how steps run) → [`fit`] (when to stop,
//! what to trust) → [`query`] (questions to the result). [`GaussianMixture`] puts them together:
//!
//! ```
//! use mixtura::{GaussianMixture, data::Dense};
//!
//! // Six rows of two columns, row-major; NaN marks a missing cell.
//! let rows = vec![0.0, 0.1, 0.2, -0.1, -0.1, f64::NAN, 5.0, 5.2, 5.1, 4.9, 4.8, 5.0];
//! let fit = GaussianMixture::new(2).fit(&Dense::new(rows, 2)?)?;
//! println!("{}: {:.3} nats, BIC {:.1}", fit.status.detail, fit.log_likelihood, fit.bic());
//! # Ok::<(), mixtura::Error>(())
//! ```

pub mod algorithm;
pub mod catalog;
pub mod data;
pub mod distributed;
pub mod engine;
mod error;
pub mod family;
pub mod fit;
pub mod infer;
pub mod init;
pub mod model;
pub mod persist;
pub mod query;
mod seed;
mod special;
pub mod stats;

pub use error::{Error, Result};
pub use fit::{BayesianMixture, Fit, GaussianMixture};
pub use model::Mixture;
pub use model::kmeans::{KMeans, KMeansFit};
pub use seed::{Rng, Seed};

/// The code blocks of README and guides are tests too.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct ReadmeCode;
#[cfg(doctest)]
#[doc = include_str!("../../../docs/bring-your-own-model.md")]
struct OwnModelCode;
#[cfg(doctest)]
#[doc = include_str!("../../../docs/standard-errors.md")]
struct StandardErrorsCode;
