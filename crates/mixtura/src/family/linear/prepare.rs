//! A table made ready for mixtures of regressions: standardised columns, the regression of all rows, the variance floor.

use super::Linear;
use super::solve::Solver;
use crate::data::{Affine, Chunk, Source, Standardized, map_chunks, power_of_two, standardize, standardize_by};
use crate::error::{Error, Result};
use crate::family::{Emission, TILE};
use crate::stats::{Moments, Statistic};

/// Least noise variance, relative to the response's own: a regression that leaves a hundred-thousandth of the response's spread
/// has found rows on a line, not noise.
const FLOOR: f64 = 1e-10;
/// Squares beyond these are no 64-bit numbers.
const LARGEST: f64 = 1e153;

/// Rows of covariates and a response (the last column) in units of their own, and what all of them say together.
///
/// ```
/// use mixtura::{Seed, data::Dense, family::linear::Prepared, init};
/// let rows = Dense::new(vec![0.0, 0.1, 1.0, 1.9, 2.0, 4.2, 0.5, -0.4, 1.5, -1.6, 2.5, -2.4], 2)?;
/// let prepared = Prepared::new(&rows, true, &[])?;
/// let start = init::linear(&prepared, 2, Seed::new(0))?; // climb from it over `prepared.data` …
/// let lines = prepared.original(start.emission())?; // … and back to the columns' own units
/// # Ok::<(), mixtura::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Prepared<'a> {
    /// The standardised rows; without an intercept columns are scaled only.
    pub data: Standardized<'a>,
    /// The one regression of all rows, in standardised columns, with the variance floor.
    pub pooled: Linear,
    /// Σ weights of the rows without a missing cell.
    pub complete: f64,
}

impl<'a> Prepared<'a> {
    /// Standardises a table whose last column is the response. `names` (may be empty) names the columns in messages.
    ///
    /// # Errors
    /// If no row has all its cells, the response is constant, a covariate is a linear combination of others, a column cannot be
    /// standardised, or the source cannot be read.
    pub fn new(source: &'a dyn Source, intercept: bool, names: &[String]) -> Result<Self> {
        let p = source.n_features() - 1;
        let name = |j: usize| names.get(j).map_or_else(|| format!("column {}", j + 1), |n| format!("column '{n}'"));
        let mut data = standardize(source, names)?;
        if !intercept {
            let Affine { shift, scale } = &data.affine;
            let mut sizes = Vec::with_capacity(p + 1);
            for j in 0..=p {
                let size = shift[j].hypot(scale[j] * data.variances[j].sqrt());
                if size > LARGEST || (size < 1.0 / LARGEST && size > 0.0) {
                    let name = name(j);
                    return Err(Error::Data(format!(
                        "{name} has values of about {size:.0e}, whose squares do not fit a 64-bit number: divide the column by {size:.0e}"
                    )));
                }
                sizes.push(power_of_two(size));
            }
            data = standardize_by(source, Affine { shift: vec![0.0; p + 1], scale: sizes })?;
        }
        let zero = Linear::new(intercept, p, vec![0.0; p + usize::from(intercept)], vec![1.0])?;
        let stats = moments(&zero, &data)?;
        let complete = stats.weight[0];
        if complete == 0.0 {
            return Err(Error::Data(
                "every row has a missing cell: fill the cells or leave out the columns that miss most".into(),
            ));
        }
        let (mut solver, mut slopes) = (Solver::new(p), vec![0.0; p]);
        let found = solver.solve(&stats, 0, intercept, &mut slopes);
        if found.response <= super::solve::LEAST_SHARE * found.response_square {
            let (name, what) = (name(p), if intercept { "constant" } else { "0" });
            return Err(Error::Data(format!(
                "the response, {name}, is {what} in all complete rows: there is nothing to explain"
            )));
        }
        if let Some(j) = found.dependent {
            let name = name(j);
            return Err(Error::Data(format!(
                "{name} is constant or a linear combination of the columns before it in the complete rows: leave it out"
            )));
        }
        let mut pooled = zero.with_floor(FLOOR * found.response);
        pooled.maximize(&stats)?;
        Ok(Prepared { data, pooled, complete })
    }

    /// Regressions of the standardised columns in the columns' own units.
    ///
    /// # Errors
    /// If a number leaves the range.
    pub fn original(&self, bank: &Linear) -> Result<Linear> {
        bank.map(&self.data.affine, false)
    }

    /// What must be added to a log-likelihood of the standardised rows to get that of the response in its own units.
    pub fn log_jacobian(&self) -> f64 {
        -self.complete * self.data.affine.scale[self.pooled.n_covariates()].ln()
    }
}

/// Moments of all rows about the point of a bank of one.
fn moments(bank: &Linear, source: &dyn Source) -> Result<Moments> {
    let of = |chunk: Chunk<'_>| {
        let (mut scratch, mut stats) = (bank.scratch(), bank.empty_stats());
        let (mut out, mut weights) = (vec![0.0; TILE], vec![0.0; TILE]);
        for from in (0..chunk.rows.n_rows()).step_by(TILE) {
            let rows = chunk.rows.slice(from, (from + TILE).min(chunk.rows.n_rows()));
            (0..rows.n_rows()).for_each(|t| weights[t] = chunk.weight(from + t));
            bank.log_density(rows, &mut scratch, &mut out);
            bank.accumulate(rows, &weights, &mut scratch, &mut stats);
        }
        stats
    };
    let mut all = bank.empty_stats();
    map_chunks(source, of)?.iter().for_each(|stats| all.merge(stats));
    Ok(all)
}
