//! Bernoulli components over D yes/no columns, independent within a component: latent class analysis (Lazarsfeld & Henry
//! 1968; missing cells as in Linzer & Lewis 2011).
//!
//! A probability of exactly 0 or 1 is an ordinary estimate: a row that contradicts it has density 0 under that component (0 ·
//! log 0 counts as 0). The likelihood is bounded, so there is no floor. Cells that are missing at random are left out: a
//! column's probability comes from the rows in which it is observed.

use mixtura_kernels::cholesky::at;
use mixtura_kernels::{Aligned, TILE};
use rand::RngExt;

use super::proportions::{Proportions, dot};
use super::{Differentiable, Emission, Health, Range};
use crate::data::{Rows, Source, for_each_row};
use crate::error::{Error, Result};
use crate::model::Unconstrained;
use crate::seed::Rng;
use crate::stats::Trials;

/// K products of D Bernoulli distributions. Cells are 0, 1, or NaN = missing.
///
/// ```
/// use mixtura::family::bernoulli::Bernoulli;
/// let bank = Bernoulli::new(3, vec![0.9, 0.8, 0.9, 0.2, 0.1, 0.3])?;
/// assert_eq!(bank.probabilities(1), [0.2, 0.1, 0.3]);
/// # Ok::<(), mixtura::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Bernoulli {
    p: Proportions,
}

/// Per-thread memory: the tile, column by column.
#[derive(Debug)]
pub struct Scratch {
    /// D × TILE: 1 where the cell is 1; 1 where it is 0.
    yes: Aligned,
    no: Aligned,
    /// Rows of the tile with a cell that is none of 0, 1 and NaN.
    impossible: Vec<usize>,
}

impl Bernoulli {
    /// Probabilities of a 1, K × D.
    ///
    /// # Errors
    /// If they are not a whole number of rows, or one is not between 0 and 1.
    pub fn new(n_features: usize, probabilities: Vec<f64>) -> Result<Self> {
        Ok(Bernoulli { p: Proportions::new(probabilities, n_features)? })
    }

    /// The probabilities of a 1 in every column, of component `k`.
    pub fn probabilities(&self, k: usize) -> &[f64] {
        self.p.row(k)
    }

    /// Says whether every cell is 0, 1 or missing, and every column has a value. `names` (may be empty) names the columns in
    /// the message; rows of weight 0 do not count in the row's number.
    ///
    /// # Errors
    /// The first cell that cannot be, a column without values, or a source that cannot be read.
    pub fn check(source: &dyn Source, names: &[String]) -> Result<()> {
        let name = |j: usize| names.get(j).map_or_else(|| format!("column {}", j + 1), |n| format!("column '{n}'"));
        let mut wrong = None;
        let mut observed = vec![false; source.n_features()];
        for_each_row(source, |i, row, _, _| {
            observed.iter_mut().zip(row).for_each(|(o, x)| *o |= !x.is_nan());
            let bad = row.iter().position(|x| !x.is_nan() && *x != 0.0 && *x != 1.0);
            if let (None, Some(j)) = (&wrong, bad) {
                wrong = Some(format!("row {}, {} is {}: use 0, 1 or an empty cell", i + 1, name(j), row[j]));
            }
        })?;
        let empty = observed.iter().position(|o| !o);
        let empty = empty.map(|j| format!("{} has no value in any row: leave it out", name(j)));
        wrong.or(empty).map_or(Ok(()), |text| Err(Error::Data(text)))
    }
}

impl Emission for Bernoulli {
    type Stats = Trials;
    type Scratch = Scratch;

    fn n_components(&self) -> usize {
        self.p.n_components()
    }

    fn n_features(&self) -> usize {
        self.p.n_columns()
    }

    fn empty_stats(&self) -> Trials {
        Trials::new(self.p.values().len())
    }

    fn scratch(&self) -> Scratch {
        let len = self.n_features() * TILE;
        Scratch { yes: Aligned::zeros(len), no: Aligned::zeros(len), impossible: Vec::with_capacity(TILE) }
    }

    fn log_density(&self, rows: Rows<'_>, s: &mut Scratch, out: &mut [f64]) {
        let n = rows.n_rows();
        s.impossible.clear();
        for t in 0..n {
            let mut possible = true;
            for (j, &x) in rows.row(t).iter().enumerate() {
                s.yes[j * TILE + t] = f64::from(u8::from(x == 1.0));
                s.no[j * TILE + t] = f64::from(u8::from(x == 0.0));
                possible &= x == 1.0 || x == 0.0 || x.is_nan();
            }
            if !possible {
                s.impossible.push(t);
            }
        }
        for (k, out) in out.chunks_mut(TILE).take(self.n_components()).enumerate() {
            out[..n].fill(0.0);
            for ((yes, no), [p, q]) in s.yes.chunks(TILE).zip(s.no.chunks(TILE)).zip(self.p.logs(k)) {
                for (o, (yes, no)) in out[..n].iter_mut().zip(yes.iter().zip(no)) {
                    *o += yes * p + no * q;
                }
            }
            self.p.settle(&mut out[..n]);
            s.impossible.iter().for_each(|&t| out[t] = f64::NEG_INFINITY);
        }
    }

    fn accumulate(&self, rows: Rows<'_>, resp: &[f64], s: &mut Scratch, stats: &mut Trials) {
        let d = self.n_features();
        for k in 0..self.n_components() {
            let resp = &resp[k * TILE..][..rows.n_rows()];
            for j in 0..d {
                stats.yes[k * d + j] += dot(resp, &s.yes[j * TILE..]);
                stats.no[k * d + j] += dot(resp, &s.no[j * TILE..]);
            }
        }
    }

    fn maximize(&mut self, stats: &Trials) -> Result<Health> {
        Ok(self.p.maximize(stats))
    }

    /// The probabilities, K × D.
    fn parameters(&self) -> Vec<f64> {
        self.p.values().to_vec()
    }

    fn with_parameters(&self, parameters: &[f64]) -> Option<Self> {
        Some(Bernoulli { p: self.p.with_parameters(parameters)? })
    }

    fn select_components(&mut self, keep: &[usize]) {
        self.p.select(keep);
    }

    fn set_component(&mut self, k: usize, from: &Self, j: usize) {
        self.p.set(k, &from.p, j);
    }

    fn n_free_parameters(&self) -> usize {
        self.p.values().len()
    }

    fn sample(&self, component: usize, rng: &mut Rng, out: &mut [f64]) {
        for (x, p) in out.iter_mut().zip(self.p.row(component)) {
            *x = f64::from(u8::from(rng.random::<f64>() < *p));
        }
    }
}

/// log p − log(1 − p) of every component and column.
impl Unconstrained for Bernoulli {
    fn to_vector(&self) -> Vec<f64> {
        self.p.to_vector()
    }

    fn with_vector(&self, vector: &[f64]) -> Option<Self> {
        Some(Bernoulli { p: self.p.with_vector(vector)? })
    }
}

/// The probabilities, component by component.
impl Differentiable for Bernoulli {
    fn coordinates(&self) -> Vec<f64> {
        self.p.values().to_vec()
    }

    fn names(&self) -> Vec<String> {
        let d = self.n_features();
        (0..self.p.values().len()).map(|i| format!("probability[{}][{}]", i / d, i % d)).collect()
    }

    fn ranges(&self) -> Vec<Range> {
        vec![Range::Probability; self.p.values().len()]
    }

    fn with_coordinates(&self, coordinates: &[f64]) -> Option<Self> {
        (coordinates.len() == self.p.values().len()).then(|| self.with_parameters(coordinates)).flatten()
    }

    fn coordinates_of(&self, k: usize) -> Vec<usize> {
        let d = self.n_features();
        (k * d..(k + 1) * d).collect()
    }

    fn differentiate(&self, k: usize, row: &[f64], gradient: &mut [f64], curvature: &mut [f64]) {
        curvature.fill(0.0);
        for (j, (&x, &p)) in row.iter().zip(self.p.row(k)).enumerate() {
            (gradient[j], curvature[at(j, j)]) = match x.is_nan() {
                true => (0.0, 0.0),
                false => Proportions::derivatives(p, x, 1.0 - x),
            };
        }
    }
}
