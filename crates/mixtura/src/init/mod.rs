//! Starts: hard assignments of a sample of rows, from which a first M-step makes parameters.
//!
//! Every start picks K centres, improves them by a few Lloyd iterations or not at all, and assigns each row to its
//! nearest centre. What differs is the space in which "near" is measured and how centres are picked.

mod race;
mod sample;

pub(crate) use race::{DEFAULT_FIELD, RaceOptions, first_m_step, race};
pub(crate) use sample::Sample;

use rand::RngExt;

use crate::data::{Dense, Source};
use crate::error::Result;
use crate::model::kmeans::{KMeans, nearest, pick, plus_plus};
use crate::seed::Seed;

/// In which coordinates distances are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// The data's own covariance made the identity: survives any units and any linear map.
    Whitened,
    /// Every column scaled to standard deviation 1: survives any units.
    Standardized,
    /// The columns as they are.
    Original,
}

/// How the first centres are picked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seeding {
    /// k-means++.
    PlusPlus,
    /// Rows drawn by weight.
    RandomRows,
}

/// A way to make hard assignments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// Coordinates of the distances.
    pub space: Space,
    /// First centres.
    pub seeding: Seeding,
    /// Lloyd iterations after that.
    pub lloyd: usize,
}

impl Start {
    /// k-means in the given coordinates.
    pub const fn kmeans(space: Space) -> Self {
        // Lloyd gains most in its first iterations; EM takes over from there.
        Start { space, seeding: Seeding::PlusPlus, lloyd: 20 }
    }

    /// Random rows as centres, distances in whitened coordinates.
    pub const RANDOM: Start = Start { space: Space::Whitened, seeding: Seeding::RandomRows, lloyd: 0 };

    /// Component of every row of the sample. Where rows are labelled, component c starts at the centre of label c.
    pub(crate) fn assign(self, sample: &Sample, k: usize, seed: Seed) -> Result<Vec<u32>> {
        let rows = sample.view(self.space);
        let mut rng = seed.rng();
        let labelled = sample.label_centers(&rows, k)?;
        let centers = match self.seeding {
            Seeding::PlusPlus => plus_plus(&rows, k, labelled, &mut rng)?,
            Seeding::RandomRows => {
                let mut centers = labelled;
                let left = k - centers.len() / rows.n_features();
                let mut marks: Vec<f64> = (0..left).map(|_| rng.random::<f64>() * sample.total_weight).collect();
                marks.sort_by(f64::total_cmp);
                centers.extend(pick(&rows, &marks, |_, w| w)?.concat());
                centers
            }
        };
        if self.lloyd == 0 {
            return nearest(&rows, &centers);
        }
        let kmeans = KMeans { n_clusters: k, restarts: 1, max_iter: self.lloyd, seed };
        nearest(&rows, &kmeans.fit_from(&rows, centers)?.centers)
    }
}

/// One-hot responsibilities (rows × K) of an assignment.
pub(crate) fn one_hot(assigned: &[u32], k: usize) -> Vec<f64> {
    let mut resp = vec![0.0; assigned.len() * k];
    assigned.iter().enumerate().for_each(|(i, &c)| resp[i * k + c as usize] = 1.0);
    resp
}

pub(crate) type SampleRows<'a> = Dense<'a>;
