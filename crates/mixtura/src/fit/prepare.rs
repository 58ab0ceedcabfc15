//! What every candidate of a fit shares: standardised columns, the data's own covariance, the floor, the sample.

use std::collections::HashSet;

use crate::algorithm::{Algorithm, Batch};
use crate::data::{Buffer, Source, Standardized, standardize};
use crate::engine::{Engine, Threads};
use crate::error::{Error, Result};
use crate::family::gaussian::{Floor, Gaussian, Structure};
use crate::init::Sample;
use crate::model::{LatentModel, Mixture, Posterior};
use crate::seed::Seed;
use crate::stats::Layout;

/// A source made ready for any number of fits.
#[derive(Debug)]
pub struct Prepared<'a> {
    pub(crate) data: Standardized<'a>,
    /// One Gaussian for all rows.
    pub(crate) reference: Gaussian,
    pub(crate) floor: Floor,
    pub(crate) sample: Sample,
    /// Number of distinct used rows, counted up to the limit asked for.
    pub(crate) n_distinct: usize,
    pub(crate) n_labels: usize,
}

impl<'a> Prepared<'a> {
    /// Reads the data a few times: ranges, means, variances, covariance, sample. `names` (may be empty) are used in
    /// messages; `one_scale` scales all columns alike, which spherical covariances need; `most_components` bounds the
    /// search for distinct rows.
    ///
    /// # Errors
    /// What [`standardize`] refuses.
    pub fn new(
        data: &'a dyn Source,
        names: &[String],
        one_scale: bool,
        most_components: usize,
        seed: Seed,
    ) -> Result<Self> {
        let d = data.n_features();
        if d > MOST_FEATURES {
            return Err(Error::Data(format!(
                "{d} columns are too many for a covariance: choose up to {MOST_FEATURES}, or fit their principal components"
            )));
        }
        let standardized = standardize(data, names)?;
        let data_rows = if one_scale { standardized.with_one_scale() } else { standardized };
        // One component cannot carry the labels of several.
        let unlabelled = data_rows.without_labels();
        let (reference, covariance) = reference(&unlabelled)?;
        let floor = Floor::relative(&covariance, data_rows.n_features());
        let reference = Mixture::equal(reference.with_floor(floor.clone()));
        // One more M-step under the final floor fills the directions without spread.
        let reference = refit(reference, &unlabelled)?.emission().clone();
        let sample = Sample::new(&data_rows, &reference, seed.child(SAMPLE))?;
        let n_distinct = distinct_rows(&data_rows, most_components)?;
        Ok(Prepared { data: data_rows, reference, floor, sample, n_distinct, n_labels: data.n_labels() })
    }

    pub(crate) fn scale_of_sums(&self) -> f64 {
        self.data.total_weight * self.data.n_features() as f64
    }
}

/// Children of the user's seed: one number per purpose.
pub(crate) const SAMPLE: u64 = 1;
pub(crate) const STARTS: u64 = 2;
pub(crate) const RESETS: u64 = 3;
pub(crate) const METHOD: u64 = 4;
pub(crate) const QUICK: u64 = 5;

/// Columns beyond which one covariance of all of them is gigabytes, and its factor hours.
const MOST_FEATURES: usize = 10_000;

/// Most EM iterations for one Gaussian with missing cells; it converges at the rate of the missing information.
const REFERENCE_ITERATIONS: usize = 100;

/// One Gaussian of all rows, by one pass where no cell is missing and by EM where some are; and the covariance as the
/// moments give it, without any floor.
fn reference(data: &Standardized<'_>) -> Result<(Gaussian, Vec<f64>)> {
    let d = data.n_features();
    // A floor of its own, relative to the unit variances of standardised columns, keeps every step regular.
    let mut unit = vec![0.0; Layout::Full.len(d)];
    (0..d).for_each(|i| unit[i * (i + 1) / 2 + i] = 1.0);
    let mut model = Mixture::equal(Gaussian::standard(Structure::Full, 1, d, Floor::relative(&unit, d)));
    let mut engine = Threads::new(data);
    let complete = data.observed.iter().all(|w| *w == data.total_weight);
    let (mut mean, mut covariance) = (vec![0.0; d], vec![0.0; Layout::Full.len(d)]);
    let mut last = f64::NEG_INFINITY;
    for _ in 0..if complete { 1 } else { REFERENCE_ITERATIONS } {
        let chunks = 0..Engine::<Mixture<Gaussian>>::n_chunks(&engine);
        let expectation = engine.expect(&model, chunks, Posterior::Soft)?;
        expectation.stats.emission.mean_and_covariance(0, &mut mean, &mut covariance);
        model.m_step(&expectation.stats)?;
        // The reference sets floors and starts: a millionth of a nat per row is exact enough.
        if expectation.log_likelihood - last < 1e-6 * data.total_weight {
            break;
        }
        last = expectation.log_likelihood;
    }
    Ok((model.emission().clone(), covariance))
}

fn refit(mut model: Mixture<Gaussian>, data: &Standardized<'_>) -> Result<Mixture<Gaussian>> {
    Batch(Posterior::Soft).step(&mut model, &mut Threads::new(data))?;
    Ok(model)
}

/// Number of distinct rows, up to `limit`.
fn distinct_rows(data: &dyn Source, limit: usize) -> Result<usize> {
    let mut seen: HashSet<Vec<u64>> = HashSet::new();
    let mut buffer = Buffer::default();
    for id in 0..data.n_chunks() {
        let rows = data.read(id, &mut buffer)?.rows;
        for i in 0..rows.n_rows() {
            if seen.len() >= limit {
                return Ok(limit);
            }
            // Adding 0 makes −0 equal to 0; every NaN becomes the same one.
            let bits = |x: &f64| if x.is_nan() { u64::MAX } else { (x + 0.0).to_bits() };
            seen.insert(rows.row(i).iter().map(bits).collect());
        }
    }
    Ok(seen.len())
}
