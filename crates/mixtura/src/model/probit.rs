//! Probit regression by data augmentation: a response is 1 where a latent normal variable is positive (the model of Albert &
//! Chib 1993, J. Am. Stat. Assoc. 88, climbed by EM instead of sampled).
//!
//! y = 1 if z > 0, z = β₀ + x·β + ε with ε standard normal. The E-step puts the mean of z given y in its place, by the inverse
//! Mills ratio; the M-step is ordinary least squares of these on the columns. EM is slow where responses are clear: use SQUAREM.

use mixtura_kernels::cholesky::{at, factor};
use rand_distr::{Distribution, StandardNormal};

use super::truncated::normal_between;
use super::{Derivatives, Identified, LatentModel, Posterior, Unconstrained, draws_only, separation};
use crate::data::{Chunk, Source, Standardized, for_each_row, standardize, standardize_by};
use crate::error::{Error, Result};
use crate::family::{ComponentHealth, Health, Range};
use crate::seed::Seed;
use crate::special::{ln_normal_tail, normal_excess};
use crate::stats::{Expectation, Layout, Moments};

/// Binary responses with their columns, made ready for a fit: checked, and the columns standardised.
///
/// ```
/// use mixtura::algorithm::{Algorithm, Squarem};
/// use mixtura::data::Dense;
/// use mixtura::engine::Threads;
/// use mixtura::model::probit::{Probit, Responses};
/// let table = Dense::new(vec![0.0, 1.0, 1.0, 2.0, 0.0, 3.0, 1.0, 4.0], 2)?; // y, x
/// let data = Responses::new(&table, 0, &["y".into(), "x".into()])?;
/// let (mut model, mut squarem) = (Probit::start(&data), Squarem::default());
/// for _ in 0..100 {
///     squarem.step(&mut model, &mut Threads::new(data.rows()))?;
/// }
/// Algorithm::settle(&mut squarem, &mut model);
/// let model = model.in_units(&data); // of the data
/// assert!(model.coefficients()[1] > 0.0); // intercept, x
/// # Ok::<(), mixtura::Error>(())
/// ```
#[derive(Debug)]
pub struct Responses<'a> {
    rows: Standardized<'a>,
    response: usize,
}

impl<'a> Responses<'a> {
    /// Rows of a table whose column number `response` is 0 or 1; all other columns are covariates, and an intercept is added.
    /// `names` (may be empty) names the columns in messages.
    ///
    /// # Errors
    /// [`Error::Usage`] if there is no such column; [`Error::Data`] if a response is not 0 or 1 or all are the same, a cell is
    /// missing, a column is constant or a combination of others, or the responses are separated, so that no finite
    /// coefficients are best.
    pub fn new(table: &'a dyn Source, response: usize, names: &[String]) -> Result<Self> {
        let d = table.n_features();
        let name = |j: usize| names.get(j).map_or_else(|| format!("column {}", j + 1), |n| format!("column '{n}'"));
        if response >= d {
            return Err(Error::Usage(format!("column {} is to be the response: there are only {d}", response + 1)));
        }
        let (mut wrong, mut seen) = (None, [false; 2]);
        for_each_row(table, |number, row, _, _| {
            let y = row[response];
            seen = [seen[0] || y == 0.0, seen[1] || y == 1.0];
            wrong = wrong.take().or_else(|| {
                if let Some(j) = row.iter().position(|x| x.is_nan()) {
                    return Some(format!("row {}: {} is missing: fill it in or remove the row", number + 1, name(j)));
                }
                let text =
                    || format!("row {}: the response in {} is {y}: it must be 0 or 1", number + 1, name(response));
                (y != 0.0 && y != 1.0).then(text)
            });
        })?;
        if let Some(text) = wrong {
            return Err(Error::Data(text));
        }
        if seen != [true; 2] {
            let y = u8::from(seen[1]);
            return Err(Error::Data(format!(
                "every response is {y}: coefficients would run to infinity, rows of both kinds are needed"
            )));
        }
        let mut affine = standardize(table, names)?.affine;
        (affine.shift[response], affine.scale[response]) = (0.0, 1.0);
        let rows = standardize_by(table, affine)?;
        let covariates: Vec<usize> = (0..d).filter(|&j| j != response).collect();
        if let Some(j) = covariates.iter().find(|&&j| rows.variances[j] == 0.0) {
            return Err(Error::Data(format!(
                "{} has the same value in every row, as the intercept has: leave it out",
                name(*j)
            )));
        }
        let model = Probit { response, coefficients: vec![0.0; d] };
        let mut all = Expectation::new(model.empty_stats());
        let mut buffer = crate::data::Buffer::default();
        for id in 0..rows.n_chunks() {
            model.e_step(rows.read(id, &mut buffer)?, Posterior::Soft, &mut model.scratch(), &mut all)?;
        }
        if let Err(Dependent(j)) = least_squares(&all.stats) {
            return Err(Error::Data(format!(
                "{} is a combination of the columns before it: leave it out",
                name(covariates[j])
            )));
        }
        if let Some(b) = separation::direction(&rows, response)? {
            let most =
                (1..d).max_by(|&i, &j| b[i].abs().total_cmp(&b[j].abs())).map_or(response, |j| covariates[j - 1]);
            return Err(Error::Data(format!(
                "the responses are separated: a combination of columns, most of all {}, is never low where the response is 1 and never high where it is 0, so coefficients run to infinity: leave it out or gather more rows",
                name(most)
            )));
        }
        Ok(Responses { rows, response })
    }

    /// The rows, their columns standardised, the response as it is.
    pub fn rows(&self) -> &Standardized<'a> {
        &self.rows
    }
}

/// P(y = 1 | x) = Φ(β₀ + x·β). Rows have the response in one column and covariates in all others.
#[derive(Clone, Debug, PartialEq)]
pub struct Probit {
    response: usize,
    coefficients: Vec<f64>,
}

impl Probit {
    /// A model by its coefficients, the intercept first, then one for every column but the response.
    ///
    /// # Errors
    /// [`Error::Model`] if there is none, one is not finite, or the response's column is beyond them.
    pub fn new(response: usize, coefficients: Vec<f64>) -> Result<Self> {
        if response >= coefficients.len() {
            let n = coefficients.len();
            return Err(Error::Model(format!("{n} coefficients leave no column {} for the response", response + 1)));
        }
        if let Some(j) = coefficients.iter().position(|c| !c.is_finite()) {
            return Err(Error::Model(format!("coefficient {j} is {}: it must be finite", coefficients[j])));
        }
        Ok(Probit { response, coefficients })
    }

    /// All coefficients 0.
    pub fn start(data: &Responses<'_>) -> Self {
        Probit { response: data.response, coefficients: vec![0.0; data.rows.n_features()] }
    }

    /// Coefficients of the standardised columns drawn from N(0, ¼).
    pub fn random_start(data: &Responses<'_>, seed: Seed) -> Self {
        let mut rng = seed.rng();
        let mut draw = || -> f64 { StandardNormal.sample(&mut rng) };
        Probit { response: data.response, coefficients: (0..data.rows.n_features()).map(|_| 0.5 * draw()).collect() }
    }

    /// The column of the response.
    pub fn response(&self) -> usize {
        self.response
    }

    /// The intercept, then the coefficients of the columns but the response, in their order.
    pub fn coefficients(&self) -> &[f64] {
        &self.coefficients
    }

    /// A fit of standardised rows as a model of the data's own columns.
    #[must_use]
    pub fn in_units(&self, data: &Responses<'_>) -> Self {
        let mut out = self.clone();
        let affine = &data.rows.affine;
        for (c, j) in (0..affine.scale.len()).filter(|&j| j != self.response).enumerate() {
            out.coefficients[c + 1] /= affine.scale[j];
            // The shift in standardised units first: in the data's own both factors may be extreme.
            out.coefficients[0] -= self.coefficients[c + 1] * (affine.shift[j] / affine.scale[j]);
        }
        out
    }

    /// A model of the data's own columns as one of their standardised rows: the way back from [`Probit::in_units`].
    #[must_use]
    pub fn standardised(&self, data: &Responses<'_>) -> Self {
        let mut out = self.clone();
        let affine = &data.rows.affine;
        for (c, j) in (0..affine.scale.len()).filter(|&j| j != self.response).enumerate() {
            out.coefficients[0] += self.coefficients[c + 1] * affine.shift[j];
            out.coefficients[c + 1] *= affine.scale[j];
        }
        out
    }

    /// β₀ + x·β of a row, whose response is passed over.
    pub fn linear(&self, row: &[f64]) -> f64 {
        let covariates = row.iter().enumerate().filter(|(j, _)| *j != self.response).map(|(_, x)| x);
        self.coefficients[0] + self.coefficients[1..].iter().zip(covariates).map(|(b, x)| b * x).sum::<f64>()
    }

    /// A row with its response and weight.
    fn row<'c>(&self, chunk: Chunk<'c>, i: usize) -> Result<(&'c [f64], f64, f64)> {
        let (row, number) = (chunk.rows.row(i), chunk.first_row + i + 1);
        if row.len() != self.coefficients.len() {
            let (n, d) = (row.len(), self.coefficients.len());
            return Err(Error::Data(format!("row {number} has {n} cells, the model {d}")));
        }
        if let Some(j) = row.iter().position(|x| x.is_nan()) {
            return Err(Error::Data(format!("row {number}, column {} is missing: fill it in", j + 1)));
        }
        let y = row[self.response];
        if y != 0.0 && y != 1.0 {
            return Err(Error::Data(format!("row {number}: the response is {y}: it must be 0 or 1")));
        }
        Ok((row, y, chunk.weight(i)))
    }

    /// What the E-step puts in the place of a row's latent variable: its mean given the response.
    pub fn completed(&self, row: &[f64]) -> f64 {
        latent_mean(self.linear(row), row[self.response])
    }
}

/// E\[z | z > 0\] or E\[z | z ≤ 0\] for z normal about `linear`: no difference of large numbers, however clear the response.
fn latent_mean(linear: f64, y: f64) -> f64 {
    if y == 1.0 { normal_excess(-linear) } else { -normal_excess(linear) }
}

/// A column that is a combination of those before it (by its number among the covariates).
struct Dependent(usize);

/// Share of a column's variance that the columns before it must leave.
const LEFT_OVER: f64 = 1e-12;

/// Intercept and slopes of the last feature on the others.
fn least_squares(moments: &Moments) -> std::result::Result<Vec<f64>, Dependent> {
    let (d, p) = (moments.n_features, moments.n_features - 1);
    let (mut mean, mut covariance) = (vec![0.0; d], vec![0.0; Layout::Full.len(d)]);
    moments.mean_and_covariance(0, &mut mean, &mut covariance);
    let (xx, xz) = covariance.split_at_mut(at(p, 0));
    let variances: Vec<f64> = (0..p).map(|j| xx[at(j, j)]).collect();
    factor(xx, p).map_err(Dependent)?;
    if let Some(j) = (0..p).find(|&j| xx[at(j, j)] * xx[at(j, j)] <= LEFT_OVER * variances[j]) {
        return Err(Dependent(j));
    }
    // L Lᵀ b = s_xz.
    let mut b = xz[..p].to_vec();
    for i in 0..p {
        b[i] = (b[i] - (0..i).map(|j| xx[at(i, j)] * b[j]).sum::<f64>()) / xx[at(i, i)];
    }
    for i in (0..p).rev() {
        b[i] = (b[i] - (i + 1..p).map(|j| xx[at(j, i)] * b[j]).sum::<f64>()) / xx[at(i, i)];
    }
    let pivoted = |j: usize| moments.pivot[j] + mean[j];
    let intercept = pivoted(p) - (0..p).map(|j| b[j] * pivoted(j)).sum::<f64>();
    Ok([vec![intercept], b].concat())
}

impl LatentModel for Probit {
    /// Of the covariates and, last, the completed latent variable.
    type Stats = Moments;
    /// A row of these.
    type Scratch = Vec<f64>;

    fn empty_stats(&self) -> Moments {
        let d = self.coefficients.len();
        Moments::new(Layout::Full, d, vec![0.0; d])
    }

    fn scratch(&self) -> Vec<f64> {
        Vec::with_capacity(self.coefficients.len())
    }

    fn e_step(
        &self,
        chunk: Chunk<'_>,
        posterior: Posterior,
        completed: &mut Vec<f64>,
        out: &mut Expectation<Moments>,
    ) -> Result<()> {
        let sampled = draws_only(posterior)?;
        for i in 0..chunk.rows.n_rows() {
            let (row, y, w) = self.row(chunk, i)?;
            let linear = self.linear(row);
            completed.clear();
            completed.extend((0..row.len()).filter(|&j| j != self.response).map(|j| row[j]));
            completed.push(match sampled {
                None => latent_mean(linear, y),
                Some((seed, draws)) => {
                    let mut rng = seed.child((chunk.first_row + i) as u64).rng();
                    let (lower, upper) = if y == 1.0 { (-linear, f64::INFINITY) } else { (f64::NEG_INFINITY, -linear) };
                    linear + (0..draws).map(|_| normal_between(lower, upper, &mut rng)).sum::<f64>() / draws as f64
                }
            });
            out.stats.weight[0] += w;
            let (first, second) = out.stats.component_mut(0);
            for (k, v) in completed.iter().enumerate() {
                first[k] += w * v;
                for (l, u) in completed[..=k].iter().enumerate() {
                    second[at(k, l)] += w * v * u;
                }
            }
            out.log_likelihood += w * ln_normal_tail(if y == 1.0 { -linear } else { linear });
            out.weight += w;
        }
        Ok(())
    }

    fn m_step(&mut self, stats: &Moments) -> Result<Health> {
        let solved = least_squares(stats).ok().filter(|b| b.iter().all(|b| b.is_finite()));
        let text = "the columns depend on each other: leave one out";
        self.coefficients = solved.ok_or_else(|| Error::Data(text.into()))?;
        Ok(vec![ComponentHealth::default()])
    }

    fn parameters(&self) -> Vec<f64> {
        self.coefficients.clone()
    }

    fn with_parameters(&self, parameters: &[f64]) -> Option<Self> {
        (parameters.len() == self.coefficients.len()).then(|| Probit::new(self.response, parameters.to_vec()).ok())?
    }

    fn n_free_parameters(&self) -> usize {
        self.coefficients.len()
    }
}

/// The coefficients.
impl Unconstrained for Probit {
    fn to_vector(&self) -> Vec<f64> {
        self.coefficients.clone()
    }

    fn with_vector(&self, vector: &[f64]) -> Option<Self> {
        self.with_parameters(vector)
    }
}

/// The coefficients, the intercept first.
impl Identified for Probit {
    fn coordinates(&self) -> Vec<f64> {
        self.coefficients.clone()
    }

    fn names(&self) -> Vec<String> {
        (0..self.coefficients.len()).map(|j| format!("coefficient[{j}]")).collect()
    }

    fn ranges(&self) -> Vec<Range> {
        vec![Range::Real; self.coefficients.len()]
    }

    fn with_coordinates(&self, coordinates: &[f64]) -> Option<Self> {
        self.with_parameters(coordinates)
    }

    /// The second derivatives of log Φ themselves: with t = ∓x·β and the inverse Mills ratio h, the score is ±h x and minus the Hessian
    /// h (h − t) x xᵀ; what is complete is x xᵀ (the latent variable's variance is 1), and the rest is missing.
    fn differentiate(&self, chunk: Chunk<'_>, out: &mut Derivatives) -> Result<()> {
        let p = self.coefficients.len();
        for i in 0..chunk.rows.n_rows() {
            let (row, y, w) = self.row(chunk, i)?;
            let side = if y == 1.0 { 1.0 } else { -1.0 };
            let t = -side * self.linear(row);
            let excess = normal_excess(t);
            let observed = (t + excess) * excess;
            let covariates = (0..row.len()).filter(|&j| j != self.response).map(|j| row[j]);
            let x: Vec<f64> = [1.0].into_iter().chain(covariates).collect();
            for a in 0..p {
                for b in 0..=a {
                    out.complete[at(a, b)] += w * x[a] * x[b];
                    out.missing[at(a, b)] += w * x[a] * x[b] * (1.0 - observed);
                }
            }
            let score: Vec<f64> = x.iter().map(|x| side * (t + excess) * x).collect();
            out.add_score(w, &score);
        }
        out.finite(|| self.names())
    }
}
