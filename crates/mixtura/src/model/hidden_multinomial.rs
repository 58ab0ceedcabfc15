//! Counts of categories that lump hidden cells together: gene counting, and the linkage example of Dempster, Laird &
//! Rubin (1977, J. R. Stat. Soc. B 39, §1).
//!
//! A hidden cell has the probability c · Π θ over its factors; the parameters θ come in groups that sum to 1. The E-step
//! splits the count of a category over its cells in proportion to their probabilities; the M-step gives every parameter its
//! share of the factors counted in its group (Ceppellini, Siniscalco & Smith 1955, Ann. Hum. Genet. 20).

use mixtura_kernels::cholesky::at;
use rand::RngExt;
use rand_distr::{Binomial, Distribution};

use super::{Derivatives, Identified, LatentModel, Posterior, Unconstrained, no_components};
use crate::data::Chunk;
use crate::error::{Error, Result};
use crate::family::{ComponentHealth, Health, Range};
use crate::seed::{Rng, Seed};
use crate::stats::{Counts, Expectation};

/// A hidden cell: what would be counted if all could be seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// Its name, for messages and tables.
    pub name: String,
    /// The constant c > 0 of its probability.
    pub coefficient: f64,
    /// The parameters that its probability is a product of, by number; one named twice is squared.
    pub factors: Vec<usize>,
}

/// A category: what is counted.
#[derive(Clone, Debug, PartialEq)]
pub struct Category {
    /// Its name, for messages and tables.
    pub name: String,
    /// The cells that it lumps together, by number.
    pub cells: Vec<usize>,
}

/// A multinomial distribution over categories of hidden cells. Rows have one column, the number of the category (0, 1, …), and
/// their case weight is the count. The log-likelihood leaves out the multinomial coefficient, which no parameter changes.
///
/// ```
/// use mixtura::model::{Category, Cell, HiddenMultinomial};
/// // Two alleles, A dominant: what is seen is A (genotypes AA, Aa) or a (genotype aa).
/// let cell = |name: &str, coefficient, factors: [usize; 2]| Cell { name: name.into(), coefficient, factors: factors.into() };
/// let cells = vec![cell("AA", 1.0, [0, 0]), cell("Aa", 2.0, [0, 1]), cell("aa", 1.0, [1, 1])];
/// let seen = |name: &str, cells: &[usize]| Category { name: name.into(), cells: cells.into() };
/// let model = HiddenMultinomial::new(&[&["A", "a"]], cells, vec![seen("A", &[0, 1]), seen("a", &[2])])?;
/// assert_eq!(model.completed(&[75.0, 25.0])?, [25.0, 50.0, 25.0]); // at frequencies of one half
/// # Ok::<(), mixtura::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct HiddenMultinomial {
    cells: Vec<Cell>,
    categories: Vec<Category>,
    names: Vec<String>,
    /// Number of parameters in each group, in their order.
    groups: Vec<usize>,
    values: Vec<f64>,
}

impl HiddenMultinomial {
    /// A model by the names of its parameters, group by group, its cells and its categories; the parameters of a group start
    /// equal.
    ///
    /// # Errors
    /// [`Error::Model`] if a cell has a coefficient that is not positive or a factor that is not there, is in no category or in
    /// two, or if the probabilities of the cells do not sum to 1 whatever the parameters.
    pub fn new(parameters: &[&[&str]], cells: Vec<Cell>, categories: Vec<Category>) -> Result<Self> {
        let groups: Vec<usize> = parameters.iter().map(|g| g.len()).collect();
        let names: Vec<String> = parameters.iter().flat_map(|g| g.iter().map(|n| (*n).to_owned())).collect();
        let values = groups.iter().flat_map(|&n| vec![1.0 / n as f64; n]).collect();
        let model = HiddenMultinomial { cells, categories, names, groups, values };
        for cell in &model.cells {
            if !(cell.coefficient > 0.0 && cell.coefficient.is_finite()) {
                let (name, c) = (&cell.name, cell.coefficient);
                return Err(Error::Model(format!("the coefficient of cell '{name}' is {c}: it must be positive")));
            }
            if let Some(f) = cell.factors.iter().find(|f| **f >= model.names.len()) {
                let (name, n) = (&cell.name, model.names.len());
                return Err(Error::Model(format!("cell '{name}' has parameter {f} as a factor: there are only {n}")));
            }
        }
        let mut owner: Vec<Option<&str>> = vec![None; model.cells.len()];
        for category in &model.categories {
            for &c in &category.cells {
                let Some(slot) = owner.get_mut(c) else {
                    let (name, n) = (&category.name, model.cells.len());
                    return Err(Error::Model(format!("category '{name}' names cell {c}: there are only {n}")));
                };
                if let Some(other) = slot.replace(&category.name) {
                    let (cell, name) = (&model.cells[c].name, &category.name);
                    return Err(Error::Model(format!("cell '{cell}' is in category '{other}' and in '{name}'")));
                }
            }
        }
        if let Some(c) = owner.iter().position(Option::is_none) {
            return Err(Error::Model(format!("cell '{}' is in no category", model.cells[c].name)));
        }
        // A polynomial that is 1 at a few points drawn at random is 1 everywhere, but for chance.
        for model in (0..4).map(|s| model.random_start(Seed::new(s))).chain([model.clone()]) {
            let total: f64 = model.probabilities().iter().sum();
            if (total - 1.0).abs() > 1e-9 {
                let at = model.values.iter().map(|v| format!("{v:.3}")).collect::<Vec<_>>().join(", ");
                return Err(Error::Model(format!("the cells' probabilities sum to {total:.6}, not 1, at ({at})")));
            }
        }
        Ok(model)
    }

    /// The hidden cells.
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// The categories.
    pub fn categories(&self) -> &[Category] {
        &self.categories
    }

    /// Names of the parameters.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The parameters.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Probabilities of the cells at the parameters.
    pub fn probabilities(&self) -> Vec<f64> {
        let of = |c: &Cell| c.factors.iter().fold(c.coefficient, |p, &f| p * self.values[f]);
        self.cells.iter().map(of).collect()
    }

    /// The E-step of a whole table: expected counts of the cells at the parameters, given the counts of the categories.
    ///
    /// # Errors
    /// [`Error::Data`] if there are not as many counts as categories.
    pub fn completed(&self, counts: &[f64]) -> Result<Vec<f64>> {
        let (n, m) = (counts.len(), self.categories.len());
        if n != m {
            return Err(Error::Data(format!("{n} counts are given for {m} categories")));
        }
        let (probabilities, mut out) = (self.probabilities(), vec![0.0; self.cells.len()]);
        for (category, &count) in self.categories.iter().zip(counts) {
            split(category, &probabilities, count, &mut out);
        }
        Ok(out)
    }

    /// Every group drawn evenly over its simplex.
    pub fn random_start(&self, seed: Seed) -> Self {
        let mut rng = seed.rng();
        // Exponential variables over their sum; 1 − u is never 0.
        let raw: Vec<f64> = self.values.iter().map(|_| -(1.0 - rng.random::<f64>()).ln()).collect();
        self.with_groups(&raw).unwrap_or_else(|| self.clone())
    }

    /// Sets the parameters of a group to their shares of what is counted in it.
    fn count_group(&mut self, group: usize, stats: &Counts) {
        let first: usize = self.groups[..group].iter().sum();
        let own = first..first + self.groups[group];
        let mut counted = vec![0.0; own.len()];
        for (cell, n) in self.cells.iter().zip(&stats.0) {
            cell.factors.iter().filter(|f| own.contains(f)).for_each(|f| counted[f - first] += n);
        }
        let total: f64 = counted.iter().sum();
        // A group that no counted cell has as a factor keeps its values: all are as good.
        if total > 0.0 {
            self.values[own].iter_mut().zip(&counted).for_each(|(v, n)| *v = n / total);
        }
    }

    /// The category of a row.
    fn category(&self, chunk: Chunk<'_>, i: usize) -> Result<&Category> {
        let row = chunk.rows.row(i);
        let number =
            if row.len() == 1 && row[0].fract() == 0.0 && row[0] >= 0.0 { row[0] as usize } else { usize::MAX };
        self.categories.get(number).ok_or_else(|| {
            Error::Data(format!(
                "row {} is {row:?}: it must be the number of a category, 0 to {}",
                chunk.first_row + i + 1,
                self.categories.len() - 1
            ))
        })
    }

    /// Every parameter's coordinate, `None` for the last of a group, and the last of its group.
    fn free(&self) -> Vec<(Option<usize>, usize)> {
        let (mut out, mut next) = (Vec::with_capacity(self.values.len()), 0);
        for &n in &self.groups {
            let last = out.len() + n - 1;
            out.extend((0..n - 1).map(|i| (Some(next + i), last)));
            out.push((None, last));
            next += n - 1;
        }
        out
    }

    /// The model with numbers ≥ 0 normalised group by group; `None` where they cannot be.
    fn with_groups(&self, raw: &[f64]) -> Option<Self> {
        let mut values = Vec::with_capacity(raw.len());
        let mut rest = raw;
        for &n in &self.groups {
            let (group, after) = rest.split_at_checked(n)?;
            let total: f64 = group.iter().sum();
            (total > 0.0 && total.is_finite() && group.iter().all(|v| *v >= 0.0)).then_some(())?;
            values.extend(group.iter().map(|v| v / total));
            rest = after;
        }
        rest.is_empty().then(|| HiddenMultinomial { values, ..self.clone() })
    }
}

/// Adds a category's count to its cells in proportion to their probabilities (evenly where all are 0), and returns the
/// category's probability.
fn split(category: &Category, probabilities: &[f64], count: f64, out: &mut [f64]) -> f64 {
    let total: f64 = category.cells.iter().map(|&c| probabilities[c]).sum();
    for &c in &category.cells {
        let share = if total > 0.0 { probabilities[c] / total } else { 1.0 / category.cells.len() as f64 };
        out[c] += count * share;
    }
    total
}

/// The probabilities without those that are less than the share `least` of their category's, but the largest; and the category's.
fn above(category: &Category, probabilities: &[f64], least: f64) -> (Vec<f64>, f64) {
    let of = || category.cells.iter().map(|&c| probabilities[c]);
    let (total, largest): (f64, f64) = (of().sum(), of().fold(0.0, f64::max));
    let kept = |&p: &f64| if p >= least * total || p == largest { p } else { 0.0 };
    (probabilities.iter().map(kept).collect(), total)
}

/// Counts beyond which a draw is its mean, to eight digits, and no whole number of 53 bits.
const MOST_DRAWN: f64 = 9e15;

/// Adds the mean of `draws` multinomial draws of a category's count to its cells, and returns the category's probability. What a
/// count has beyond a whole number is one individual of that weight.
fn draw(category: &Category, probabilities: &[f64], count: f64, draws: usize, rng: &mut Rng, out: &mut [f64]) -> f64 {
    let total: f64 = category.cells.iter().map(|&c| probabilities[c]).sum();
    let weight_of = |c: usize| if total > 0.0 { probabilities[c] } else { 1.0 };
    let possible: Vec<usize> = category.cells.iter().copied().filter(|&c| weight_of(c) > 0.0).collect();
    for (individuals, weight) in [(count.floor(), 1.0), (1.0, count.fract())] {
        let mut left = if weight > 0.0 { individuals * draws as f64 } else { 0.0 };
        let mut mass: f64 = possible.iter().map(|&c| weight_of(c)).sum();
        for (i, &c) in possible.iter().enumerate() {
            let share = (weight_of(c) / mass).clamp(0.0, 1.0);
            let drawn = match Binomial::new(left as u64, share) {
                _ if i + 1 == possible.len() => left,
                Ok(law) if left < MOST_DRAWN => law.sample(rng) as f64,
                _ => left * share,
            };
            out[c] += weight * drawn / draws as f64;
            left -= drawn;
            mass -= weight_of(c);
        }
    }
    total
}

impl LatentModel for HiddenMultinomial {
    type Stats = Counts;
    /// Probabilities of the cells.
    type Scratch = Vec<f64>;

    fn empty_stats(&self) -> Counts {
        Counts(vec![0.0; self.cells.len()])
    }

    fn scratch(&self) -> Vec<f64> {
        self.probabilities()
    }

    fn e_step(
        &self,
        chunk: Chunk<'_>,
        posterior: Posterior,
        probabilities: &mut Vec<f64>,
        out: &mut Expectation<Counts>,
    ) -> Result<()> {
        posterior.check()?;
        if posterior == Posterior::Hard {
            return Err(no_components());
        }
        for i in 0..chunk.rows.n_rows() {
            let (category, w) = (self.category(chunk, i)?, chunk.weight(i));
            out.weight += w;
            let counts = &mut out.stats.0;
            out.log_likelihood += w * match posterior {
                Posterior::Tempered(beta) => {
                    let powers: Vec<f64> = probabilities.iter().map(|p| p.powf(beta)).collect();
                    split(category, &powers, w, counts).ln() / beta
                }
                Posterior::Thresholded(least) => {
                    let (kept, total) = above(category, probabilities, least);
                    split(category, &kept, w, counts);
                    total.ln()
                }
                Posterior::Sampled { seed, draws } => {
                    let mut rng = seed.child((chunk.first_row + i) as u64).rng();
                    draw(category, probabilities, w, draws, &mut rng, counts).ln()
                }
                _ => split(category, probabilities, w, counts).ln(),
            };
        }
        Ok(())
    }

    fn m_step(&mut self, stats: &Counts) -> Result<Health> {
        (0..self.groups.len()).for_each(|group| self.count_group(group, stats));
        Ok(vec![ComponentHealth::default()])
    }

    /// The groups.
    fn n_blocks(&self) -> usize {
        self.groups.len()
    }

    fn m_step_block(&mut self, block: usize, stats: &Counts) -> Result<Health> {
        self.count_group(block, stats);
        Ok(vec![ComponentHealth::default()])
    }

    fn parameters(&self) -> Vec<f64> {
        self.values.clone()
    }

    fn with_parameters(&self, parameters: &[f64]) -> Option<Self> {
        // The check of `with_groups`, but the very numbers.
        self.with_groups(parameters).map(|model| HiddenMultinomial { values: parameters.to_vec(), ..model })
    }

    fn n_free_parameters(&self) -> usize {
        self.groups.iter().map(|n| n - 1).sum()
    }
}

/// Logs of the parameters; a constant per group is free.
impl Unconstrained for HiddenMultinomial {
    fn to_vector(&self) -> Vec<f64> {
        // A parameter of 0 has no finite log; far below any rounding is as good.
        self.values.iter().map(|v| v.max(f64::MIN_POSITIVE).ln()).collect()
    }

    fn with_vector(&self, vector: &[f64]) -> Option<Self> {
        let (mut raw, mut first) = (vector.to_vec(), 0);
        for &n in &self.groups {
            let group = raw.get_mut(first..first + n)?;
            let top = group.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            group.iter_mut().for_each(|v| *v = (*v - top).exp());
            first += n;
        }
        self.with_groups(&raw)
    }
}

/// The parameters of each group but its last, which is 1 less their sum.
impl Identified for HiddenMultinomial {
    fn coordinates(&self) -> Vec<f64> {
        self.values.iter().zip(self.free()).filter(|(_, (own, _))| own.is_some()).map(|(v, _)| *v).collect()
    }

    fn names(&self) -> Vec<String> {
        self.names.iter().zip(self.free()).filter(|(_, (own, _))| own.is_some()).map(|(n, _)| n.clone()).collect()
    }

    fn ranges(&self) -> Vec<Range> {
        vec![Range::Probability; self.n_free_parameters()]
    }

    fn with_coordinates(&self, coordinates: &[f64]) -> Option<Self> {
        let free = self.free();
        (coordinates.len() == self.n_free_parameters() && coordinates.iter().all(|v| *v > 0.0)).then_some(())?;
        let mut values: Vec<f64> = free.iter().map(|(own, _)| own.map_or(1.0, |i| coordinates[i])).collect();
        for (f, &(own, last)) in free.iter().enumerate() {
            values[last] -= if own.is_some() { values[f] } else { 0.0 };
        }
        values.iter().all(|v| *v > 0.0).then(|| HiddenMultinomial { values, ..self.clone() })
    }

    /// Louis' identity over the hidden cells: the complete log-likelihood is Σ log θ over a cell's factors, and minus its Hessian
    /// Σ 1/θ² of the same, the last of a group being a sum of coordinates.
    fn differentiate(&self, chunk: Chunk<'_>, out: &mut Derivatives) -> Result<()> {
        if let Some(f) = self.values.iter().position(|v| *v == 0.0) {
            return Err(Error::Degenerate(format!(
                "parameter '{}' is 0, the edge of its range: there are no standard errors there; leave it out",
                self.names[f]
            )));
        }
        let (free, probabilities, p) = (self.free(), self.probabilities(), out.gradient.len());
        // Score and information of every cell, by coordinate: dense, since tables are small.
        let of = |cell: &Cell| {
            let (mut score, mut information) = (vec![0.0; p], vec![0.0; out.complete.len()]);
            for &f in &cell.factors {
                let (inverse, (own, last)) = (1.0 / self.values[f], free[f]);
                match own {
                    Some(i) => {
                        score[i] += inverse;
                        information[at(i, i)] += inverse * inverse;
                    }
                    None => {
                        let group: Vec<usize> =
                            free.iter().filter(|(_, l)| *l == last).filter_map(|(i, _)| *i).collect();
                        for (n, &i) in group.iter().enumerate() {
                            score[i] -= inverse;
                            group[..=n].iter().for_each(|&j| information[at(i, j)] += inverse * inverse);
                        }
                    }
                }
            }
            (score, information)
        };
        let cells: Vec<(Vec<f64>, Vec<f64>)> = self.cells.iter().map(of).collect();
        for i in 0..chunk.rows.n_rows() {
            let (category, w) = (self.category(chunk, i)?, chunk.weight(i));
            let mut share = vec![0.0; self.cells.len()];
            split(category, &probabilities, 1.0, &mut share);
            let mut mean = vec![0.0; p];
            for &c in &category.cells {
                mean.iter_mut().zip(&cells[c].0).for_each(|(m, s)| *m += share[c] * s);
                out.complete.iter_mut().zip(&cells[c].1).for_each(|(b, v)| *b += w * share[c] * v);
            }
            for &c in &category.cells {
                let centred: Vec<f64> = cells[c].0.iter().zip(&mean).map(|(s, m)| s - m).collect();
                for a in 0..p {
                    (0..=a).for_each(|b| out.missing[at(a, b)] += w * share[c] * centred[a] * centred[b]);
                }
            }
            out.add_score(w, &mean);
        }
        out.finite(|| Identified::names(self))
    }
}
