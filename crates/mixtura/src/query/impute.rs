//! Fills missing cells from the observed ones of their row: conditional means, or draws.

use super::Conditioner;
use crate::error::Result;
use crate::family::Emission;
use crate::seed::Seed;

/// What a missing cell becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filling {
    /// Its conditional mean: the best guess in squared error, and too tame for a distribution.
    Mean,
    /// A draw from its conditional distribution, all cells of a row together (one of the data sets of a multiple
    /// imputation, Rubin 1987, with the parameters taken as known). Row `i` draws from child `i` of the seed, so the
    /// order of the rows does not matter.
    Draw(Seed),
}

/// What [`impute`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imputed {
    /// Cells filled.
    pub cells: usize,
    /// Rows whose observed cells are so far out that every density is 0: filled with the prior weights.
    pub far_rows: usize,
    /// Rows without any observed cell: filled from the whole mixture.
    pub empty_rows: usize,
}

/// Fills the missing cells (NaN) of rows (row-major); `first_row` is the number of the first among all.
///
/// ```
/// use mixtura::{Mixture, family::gaussian::{Gaussian, Structure}, query::{Conditioner, Filling, impute}};
/// let bank = Gaussian::new(Structure::Full, 2, vec![0.0, 0.0], vec![1.0, 0.5, 0.5, 1.0])?;
/// let model = Mixture::equal(bank);
/// let mut rows = vec![2.0, f64::NAN, 1.0, 1.0];
/// impute(&mut Conditioner::new(&model), &mut rows, 0, Filling::Mean)?;
/// assert!((rows[1] - 1.0).abs() < 1e-15);
/// # Ok::<(), mixtura::Error>(())
/// ```
///
/// # Errors
/// As [`Conditioner::at`].
pub fn impute(
    conditioner: &mut Conditioner<'_>,
    rows: &mut [f64],
    first_row: usize,
    filling: Filling,
) -> Result<Imputed> {
    let d = conditioner.model().emission().n_features();
    let mut done = Imputed::default();
    for (i, row) in rows.chunks_mut(d).enumerate() {
        if !row.iter().any(|x| x.is_nan()) {
            continue;
        }
        let conditional = conditioner.at(row)?;
        let values = match filling {
            Filling::Mean => conditional.mean(),
            Filling::Draw(seed) => {
                let mut values = vec![0.0; conditional.columns().len()];
                conditional.draw(&mut seed.child((first_row + i) as u64).rng(), &mut values);
                values
            }
        };
        done.far_rows += usize::from(conditional.log_density() == f64::NEG_INFINITY);
        done.empty_rows += usize::from(values.len() == d);
        done.cells += values.len();
        for (x, value) in row.iter_mut().filter(|x| x.is_nan()).zip(values) {
            *x = value;
        }
    }
    Ok(done)
}
