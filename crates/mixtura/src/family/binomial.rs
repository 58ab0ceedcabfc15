//! Binomial components: how often each row's event happened in so many trials (coins of unknown bias: Do & Batzoglou 2008).
//!
//! A probability of exactly 0 or 1 is an ordinary estimate: a component whose rows have no success has p = 0, and rows with
//! one then have density 0 under it (0 · log 0 counts as 0). The likelihood is bounded, so there is no floor.

use mixtura_kernels::{Aligned, TILE};
use rand_distr::Distribution;

use super::proportions::{Proportions, dot};
use super::{Differentiable, Emission, Health, Range};
use crate::data::{Rows, Source, for_each_row};
use crate::error::{Error, Result};
use crate::model::Unconstrained;
use crate::seed::Rng;
use crate::special::ln_choose;
use crate::stats::Trials;

/// Largest number of flips: beyond, not every whole number is a 64-bit number.
const MOST_FLIPS: f64 = 9_007_199_254_740_992.0;

/// K binomial distributions.
///
/// Rows are (heads, flips), or only heads where every row has the same number of flips. The density is that of the number of
/// heads given the flips, C(flips, heads) · p^heads · (1 − p)^(flips − heads). A row in which a cell is missing says nothing.
///
/// ```
/// use mixtura::family::binomial::Binomial;
/// let coins = Binomial::new(vec![0.6, 0.5], Some(10))?;
/// assert_eq!(coins.probabilities(), [0.6, 0.5]);
/// # Ok::<(), mixtura::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Binomial {
    p: Proportions,
    flips: Option<u32>,
}

/// Per-thread memory: the tile's counts.
#[derive(Debug)]
pub struct Scratch {
    heads: Aligned,
    tails: Aligned,
    /// log C(flips, heads); −∞ where the counts are impossible.
    choose: Aligned,
}

impl Binomial {
    /// Probabilities of heads, one per component; `flips` of every row, or `None` where the second column has them.
    ///
    /// # Errors
    /// If there is none, or one is not between 0 and 1.
    pub fn new(probabilities: Vec<f64>, flips: Option<u32>) -> Result<Self> {
        Ok(Binomial { p: Proportions::new(probabilities, 1)?, flips })
    }

    /// The probability of heads of each component.
    pub fn probabilities(&self) -> &[f64] {
        self.p.values()
    }

    /// Flips of every row; `None` where the second column has them.
    pub fn flips(&self) -> Option<u32> {
        self.flips
    }

    /// Says whether the rows are counts: whole numbers, heads no more than flips. `names` (may be empty) names the columns in
    /// the message; rows of weight 0 do not count in the row's number.
    ///
    /// # Errors
    /// The first cell that cannot be, a wrong number of columns, or a source that cannot be read.
    pub fn check(source: &dyn Source, flips: Option<u32>, names: &[String]) -> Result<()> {
        let columns = if flips.is_some() { 1 } else { 2 };
        if source.n_features() != columns {
            let what = if columns == 1 { "one column, heads" } else { "two columns, heads and flips" };
            return Err(Error::Data(format!(
                "a binomial mixture needs {what}, but there are {}: choose them",
                source.n_features()
            )));
        }
        let name = |j: usize| names.get(j).map_or_else(|| format!("column {}", j + 1), |n| format!("column '{n}'"));
        let mut wrong = None;
        for_each_row(source, |i, row, _, _| {
            let bad = row.iter().position(|x| !x.is_nan() && !is_count(*x));
            let (heads, of) = counts(row, flips);
            if wrong.is_some() {
            } else if let Some(j) = bad {
                wrong =
                    Some(format!("row {}, {} is {}: counts are whole numbers from 0 to 2^53", i + 1, name(j), row[j]));
            } else if heads > of {
                let row = i + 1;
                let column = name(0);
                wrong =
                    Some(format!("row {row}, {column} is {heads}, more than the {of} flips: check the two numbers"));
            }
        })?;
        wrong.map_or(Ok(()), |text| Err(Error::Data(text)))
    }
}

fn is_count(x: f64) -> bool {
    (0.0..=MOST_FLIPS).contains(&x) && x.fract() == 0.0
}

/// Heads and flips of a row.
pub(crate) fn counts(row: &[f64], flips: Option<u32>) -> (f64, f64) {
    (row[0], flips.map_or_else(|| row[1], f64::from))
}

impl Emission for Binomial {
    type Stats = Trials;
    type Scratch = Scratch;

    fn n_components(&self) -> usize {
        self.p.n_components()
    }

    fn n_features(&self) -> usize {
        if self.flips.is_some() { 1 } else { 2 }
    }

    fn empty_stats(&self) -> Trials {
        Trials::new(self.n_components())
    }

    fn scratch(&self) -> Scratch {
        Scratch { heads: Aligned::zeros(TILE), tails: Aligned::zeros(TILE), choose: Aligned::zeros(TILE) }
    }

    fn log_density(&self, rows: Rows<'_>, s: &mut Scratch, out: &mut [f64]) {
        let n = rows.n_rows();
        for t in 0..n {
            let (heads, flips) = counts(rows.row(t), self.flips);
            let missing = heads.is_nan() || flips.is_nan();
            let possible = is_count(heads) && is_count(flips) && heads <= flips;
            (s.heads[t], s.tails[t], s.choose[t]) = match (missing, possible) {
                (true, _) => (0.0, 0.0, 0.0),
                (_, true) => (heads, flips - heads, ln_choose(flips, heads)),
                (..) => (0.0, 0.0, f64::NEG_INFINITY),
            };
        }
        for (k, out) in out.chunks_mut(TILE).take(self.n_components()).enumerate() {
            let [p, q] = self.p.logs(k)[0];
            let counts = s.heads.iter().zip(s.tails.iter()).zip(s.choose.iter());
            for (o, ((heads, tails), choose)) in out[..n].iter_mut().zip(counts) {
                *o = choose + (heads * p + tails * q);
            }
            self.p.settle(&mut out[..n]);
        }
    }

    fn accumulate(&self, rows: Rows<'_>, resp: &[f64], s: &mut Scratch, stats: &mut Trials) {
        for k in 0..self.n_components() {
            let resp = &resp[k * TILE..][..rows.n_rows()];
            stats.yes[k] += dot(resp, &s.heads);
            stats.no[k] += dot(resp, &s.tails);
        }
    }

    fn maximize(&mut self, stats: &Trials) -> Result<Health> {
        Ok(self.p.maximize(stats))
    }

    /// The probabilities.
    fn parameters(&self) -> Vec<f64> {
        self.p.values().to_vec()
    }

    fn with_parameters(&self, parameters: &[f64]) -> Option<Self> {
        Some(Binomial { p: self.p.with_parameters(parameters)?, ..*self })
    }

    fn select_components(&mut self, keep: &[usize]) {
        self.p.select(keep);
    }

    fn set_component(&mut self, k: usize, from: &Self, j: usize) {
        self.p.set(k, &from.p, j);
    }

    fn n_free_parameters(&self) -> usize {
        self.n_components()
    }

    /// Heads; the flips are read from the second cell unless they are the same for all rows. Where those are no count, heads
    /// are missing.
    fn sample(&self, component: usize, rng: &mut Rng, out: &mut [f64]) {
        let (_, flips) = counts(out, self.flips);
        let drawn = rand_distr::Binomial::new(flips as u64, self.p.values()[component]);
        out[0] = drawn.ok().filter(|_| is_count(flips)).map_or(f64::NAN, |b| b.sample(rng) as f64);
    }
}

/// log p − log(1 − p) of every component.
impl Unconstrained for Binomial {
    fn to_vector(&self) -> Vec<f64> {
        self.p.to_vector()
    }

    fn with_vector(&self, vector: &[f64]) -> Option<Self> {
        Some(Binomial { p: self.p.with_vector(vector)?, ..*self })
    }
}

/// The probabilities.
impl Differentiable for Binomial {
    fn coordinates(&self) -> Vec<f64> {
        self.p.values().to_vec()
    }

    fn names(&self) -> Vec<String> {
        (0..self.n_components()).map(|k| format!("probability[{k}]")).collect()
    }

    fn ranges(&self) -> Vec<Range> {
        vec![Range::Probability; self.n_components()]
    }

    fn with_coordinates(&self, coordinates: &[f64]) -> Option<Self> {
        (coordinates.len() == self.n_components()).then(|| self.with_parameters(coordinates)).flatten()
    }

    fn coordinates_of(&self, k: usize) -> Vec<usize> {
        vec![k]
    }

    fn differentiate(&self, k: usize, row: &[f64], gradient: &mut [f64], curvature: &mut [f64]) {
        let (heads, flips) = counts(row, self.flips);
        (gradient[0], curvature[0]) = match (heads + flips).is_nan() {
            true => (0.0, 0.0),
            false => Proportions::derivatives(self.p.values()[k], heads, flips - heads),
        };
    }
}
