//! Starts: responsibilities of a sample of rows, from which a first M-step makes parameters.
//!
//! Every start picks K centres, improves them by a few Lloyd iterations or not at all, and assigns the rows to them.
//! What differs is the space in which "near" is measured, how centres are picked, and whether a row goes to its
//! nearest centre or is shared.

mod random;
mod sample;

pub use random::{bernoulli, binomial, linear};
pub(crate) use sample::Sample;

use rand::RngExt;

use crate::data::{Dense, Source, for_each_row};
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

/// How rows are given to centres.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assignment {
    /// All to the nearest centre: components that tile the data.
    Nearest,
    /// Shared as by Gaussians of equal weight that each have a K-th of the data's volume: components that overlap, from
    /// which EM can reach a narrow component inside a wide one.
    Shared,
}

/// A way to make first responsibilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// Coordinates of the distances.
    pub space: Space,
    /// First centres.
    pub seeding: Seeding,
    /// Lloyd iterations after that.
    pub lloyd: usize,
    /// How rows are given to centres.
    pub assignment: Assignment,
}

impl Start {
    /// k-means in the given coordinates.
    pub const fn kmeans(space: Space) -> Self {
        // Lloyd gains most in its first iterations; EM takes over from there.
        Start { space, seeding: Seeding::PlusPlus, lloyd: 20, assignment: Assignment::Nearest }
    }

    /// Random rows as centres, distances in whitened coordinates.
    pub const RANDOM: Start =
        Start { space: Space::Whitened, seeding: Seeding::RandomRows, lloyd: 0, assignment: Assignment::Nearest };

    /// Responsibilities (rows × K) of the sample. Where rows are labelled, component c starts at the centre of label c.
    pub(crate) fn responsibilities(self, sample: &Sample, k: usize, seed: Seed) -> Result<Vec<f64>> {
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
        let kmeans = KMeans { restarts: 1, max_iter: self.lloyd, seed, ..KMeans::new(k) };
        let (centers, assigned) = if self.lloyd == 0 {
            (centers, None)
        } else {
            let (fit, assigned) = kmeans.lloyd(&rows, centers)?;
            (fit.centers, Some(assigned))
        };
        match self.assignment {
            Assignment::Nearest => {
                let assigned = assigned.map_or_else(|| nearest(&rows, &centers), Ok)?;
                Ok(one_hot(&assigned, k))
            }
            Assignment::Shared => shared(&rows, &centers, k),
        }
    }
}

fn shared(rows: &SampleRows<'_>, centers: &[f64], k: usize) -> Result<Vec<f64>> {
    let d = rows.n_features();
    let precision = (k as f64).powf(2.0 / d as f64);
    let mut resp = vec![0.0; rows.n_rows() * k];
    for_each_row(rows, |i, row, _, _| {
        let out = &mut resp[i * k..][..k];
        for (r, center) in out.iter_mut().zip(centers.chunks(d)) {
            *r = row.iter().zip(center).map(|(x, c)| (x - c) * (x - c)).sum::<f64>() * precision;
        }
        let least = out.iter().copied().fold(f64::INFINITY, f64::min);
        out.iter_mut().for_each(|r| *r = (-0.5 * (*r - least)).exp());
        let total: f64 = out.iter().sum();
        out.iter_mut().for_each(|r| *r /= total);
    })?;
    Ok(resp)
}

/// One-hot responsibilities (rows × K) of an assignment.
fn one_hot(assigned: &[u32], k: usize) -> Vec<f64> {
    let mut resp = vec![0.0; assigned.len() * k];
    assigned.iter().enumerate().for_each(|(i, &c)| resp[i * k + c as usize] = 1.0);
    resp
}

pub(crate) type SampleRows<'a> = Dense<'a>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::Prepared;

    /// Every start of the library.
    fn starts() -> Vec<Start> {
        let spaces = [Space::Whitened, Space::Standardized, Space::Original];
        let mut all: Vec<Start> = spaces.into_iter().map(Start::kmeans).collect();
        for assignment in [Assignment::Nearest, Assignment::Shared] {
            all.push(Start { assignment, ..Start::RANDOM });
        }
        all
    }

    fn rows() -> Vec<f64> {
        (0..120).map(|i| f64::from((i * i * 37) % 101) * if i % 2 == 0 { 1.0 } else { 50.0 }).collect()
    }

    #[test]
    fn responsibilities_are_valid_and_the_seed_decides() {
        let mut values = rows();
        values[6] = f64::NAN;
        let table = Dense::new(values, 2).unwrap();
        let prepared = Prepared::new(&table, &[], false, 5, Seed::new(1)).unwrap();
        for start in starts() {
            let of = |seed| start.responsibilities(&prepared.sample, 5, Seed::new(seed)).unwrap();
            let (a, again, other) = (of(1), of(1), of(2));
            assert_eq!(a, again, "{start:?}");
            assert_ne!(a, other, "{start:?}");
            for row in a.chunks(5) {
                assert!(row.iter().all(|r| (0.0..=1.0).contains(r)));
                // At most five divisions and additions.
                assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-15 * 10.0, "{start:?}");
            }
            for k in 0..5 {
                assert!(a.iter().skip(k).step_by(5).sum::<f64>() > 0.0, "{start:?}: component {k} has no row");
            }
        }
    }

    #[test]
    fn units_do_not_matter_where_that_is_claimed() {
        let values = rows();
        let scaled: Vec<f64> = values.iter().enumerate().map(|(i, x)| x * [1024.0, 0.25][i % 2]).collect();
        let resp = |values: &[f64], start: Start| {
            let table = Dense::new(values.to_vec(), 2).unwrap();
            let prepared = Prepared::new(&table, &[], false, 4, Seed::new(1)).unwrap();
            start.responsibilities(&prepared.sample, 4, Seed::new(3)).unwrap()
        };
        for start in starts() {
            // Scales are powers of two, so nothing but the unit changes.
            let same = resp(&values, start) == resp(&scaled, start);
            assert_eq!(same, start.space != Space::Original, "{start:?}");
        }
    }

    #[test]
    fn labelled_components_start_at_their_labels() {
        let values: Vec<f64> = (0..60).map(|i| f64::from(i % 3) * 10.0 + f64::from(i) * 0.01).collect();
        // Component 0 is the middle group, component 1 the low one; the high one is not labelled.
        let labels: Vec<i32> = (0..60).map(|i| if i < 9 { [1, 0, -1][i % 3] } else { -1 }).collect();
        let table = Dense::new(values, 1).unwrap().with_labels(labels).unwrap();
        let prepared = Prepared::new(&table, &[], false, 3, Seed::new(1)).unwrap();
        for start in [Start::kmeans(Space::Whitened), Start::kmeans(Space::Original)] {
            let resp = start.responsibilities(&prepared.sample, 3, Seed::new(5)).unwrap();
            for (i, row) in resp.chunks(3).enumerate() {
                assert_eq!(row[[1, 0, 2][i % 3]], 1.0, "row {i}: {row:?}");
            }
        }
    }
}
