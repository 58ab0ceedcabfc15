//! Split-and-merge EM (Ueda, Nakano, Ghahramani & Hinton 2000, Neural Computation 12, 2109–2128): from an optimum of a Gaussian
//! mixture, two components that explain the same rows become one, a component that explains its rows badly becomes two, and EM goes
//! on; a move is kept if that ends higher.
//!
//! With r the responsibilities at the optimum, the pairs to merge are those of the largest J_merge = Σ w r_i r_j over
//! √(Σ w r_i² Σ w r_j²), the correlation of their posteriors (their eq. 3.1, normalised so that large components do not always come
//! first), and the components to split those of the largest local divergence J_split = Σ f log(f / p(x | k)), f = w r_k / Σ w r_k (their
//! eq. 3.2–3.3). At an optimum that is −log Σw − Σ f log p(x): the component whose rows the whole mixture finds least likely.
//!
//! The merged component has weight, mean and covariance of the two together; the split one is cut in half across its longest axis (as
//! a Gaussian cut at its mean: its halves have means ±√(2/π) σ and variance (1 − 2/π) σ² along it), where Ueda et al. perturb at
//! random. Partial EM moves only the three (their eq. 3.17): it is EM of a mixture of three, on rows weighted with what the three
//! explain of them.

use faer::{Mat, Side};
use rand_distr::{Distribution, StandardNormal};

use super::coverage::SAME_MODE;
use super::{Control, Prepared, Record, Run, RunOptions, run};
use crate::algorithm::Squarem;
use crate::data::{Buffer, Chunk, Source};
use crate::engine::Threads;
use crate::error::{Error, Result};
use crate::family::Emission;
use crate::family::gaussian::{Gaussian, Structure};
use crate::model::{Mixture, posteriors};
use crate::seed::Seed;

type Model = Mixture<Gaussian>;

/// Moves tried before an optimum counts as the end (Ueda et al. 2000, §3.4: five were always enough).
const CANDIDATES: usize = 5;
/// Moves accepted: each gains at least [`SAME_MODE`], so this only bounds the time.
const MOST_MOVES: usize = 100;
/// Iterations of partial EM: full EM follows.
const PARTIAL: usize = 100;

/// Where the moves led, and how many there were.
pub(super) struct Moved {
    pub(super) run: Run<Model>,
    pub(super) accepted: usize,
    pub(super) tried: usize,
}

/// Moves from the end of a run as long as they gain. `climb` runs EM to convergence. The result is never below `first`.
pub(super) fn improve(
    first: Run<Model>,
    data: &Prepared<'_>,
    seed: Seed,
    control: Control<'_>,
    mut climb: impl FnMut(Model, Control<'_>) -> Result<Run<Model>>,
) -> Result<Moved> {
    let mut moved = Moved { run: first, accepted: 0, tried: 0 };
    // A triple needs three components, and labels say which is which.
    if moved.run.model.weights().len() < 3 || data.n_labels > 0 {
        return Ok(moved);
    }
    'moves: while moved.accepted < MOST_MOVES {
        for (i, j, k) in candidates(&moved.run.model, data)? {
            if control.interrupted() {
                break 'moves;
            }
            let here = control.within(&format!("move {}", moved.tried));
            moved.tried += 1;
            let seed = seed.child(moved.tried as u64);
            let Some(start) = partial(&moved.run.model, (i, j, k), data, seed, here)? else { continue };
            let next = match climb(start, here) {
                Err(Error::Degenerate(_)) => continue,
                next => next?,
            };
            let gain = next.objective() - moved.run.objective();
            if gain > SAME_MODE && (moved.run.degenerate() || !next.degenerate()) {
                (moved.run, moved.accepted) = (next, moved.accepted + 1);
                continue 'moves;
            }
        }
        break;
    }
    Ok(moved)
}

/// Pairs to merge and components to split, the most promising first: by the sum of their ranks.
fn candidates(model: &Model, data: &Prepared<'_>) -> Result<Vec<(usize, usize, usize)>> {
    let k = model.weights().len();
    let source = &data.data;
    let sums = posteriors(model, source, 0..source.n_chunks(), |chunk, resp, log_density| {
        let (mut products, mut surprise) = (vec![0.0; k * k], vec![0.0; k]);
        for t in 0..chunk.rows.n_rows() {
            let (w, row) = (chunk.weight(t), &resp[t * k..][..k]);
            for i in (0..k).filter(|&i| row[i] > 0.0) {
                surprise[i] -= w * row[i] * log_density[t];
                (0..=i).for_each(|j| products[i * k + j] += w * row[i] * row[j]);
            }
        }
        Ok((products, surprise))
    })?;
    let (mut products, mut surprise) = (vec![0.0; k * k], vec![0.0; k]);
    for (p, s) in sums {
        products.iter_mut().zip(p).for_each(|(a, b)| *a += b);
        surprise.iter_mut().zip(s).for_each(|(a, b)| *a += b);
    }
    let correlation = |i: usize, j: usize| products[i * k + j] / (products[i * k + i] * products[j * k + j]).sqrt();
    let mut pairs: Vec<(usize, usize)> = (0..k).flat_map(|i| (0..i).map(move |j| (i, j))).collect();
    pairs.sort_by(|a, b| correlation(b.0, b.1).total_cmp(&correlation(a.0, a.1)));
    let mut splits: Vec<usize> = (0..k).collect();
    // The weight of an optimum is the effective count over Σw.
    let each: Vec<f64> = (0..k).map(|i| surprise[i] / (model.weights()[i] * data.data.total_weight)).collect();
    splits.sort_by(|a, b| each[*b].total_cmp(&each[*a]));
    let mut found = Vec::new();
    for sum in 0..pairs.len() + k {
        for (rank, &(i, j)) in pairs.iter().enumerate().take(sum + 1) {
            let split = splits.get(sum - rank).filter(|s| **s != i && **s != j);
            found.extend(split.map(|s| (i, j, *s)));
            if found.len() == CANDIDATES {
                return Ok(found);
            }
        }
    }
    Ok(found)
}

/// Component `i` becomes `i` and `j` together, `j` and `k` the halves of `k`, and partial EM moves the three; `None` where one of them
/// collapses.
fn partial(
    model: &Model,
    (i, j, k): (usize, usize, usize),
    data: &Prepared<'_>,
    seed: Seed,
    control: Control<'_>,
) -> Result<Option<Model>> {
    let (bank, weights) = (model.emission(), model.weights());
    let Some(three) = triple(model, (i, j, k), seed)? else { return Ok(None) };
    let all = weights[i] + weights[j] + weights[k];
    let shares = vec![(weights[i] + weights[j]) / all, weights[k] / all / 2.0, weights[k] / all / 2.0];
    let three = three.with_floor(bank.floor().clone()).with_prior(bank.prior())?;
    let own = posteriors(model, &data.data, 0..data.data.n_chunks(), |chunk, resp, _| {
        // Never 0: rows of weight 0 are no rows.
        let share = |t: usize| chunk.weight(t) * [i, j, k].iter().map(|c| resp[t * weights.len() + c]).sum::<f64>();
        Ok((0..chunk.rows.n_rows()).map(|t| share(t).max(f64::MIN_POSITIVE)).collect::<Vec<f64>>())
    })?;
    let rows = Reweighted { source: &data.data, weights: own.concat() };
    let options = RunOptions { max_iter: PARTIAL, tolerance: SAME_MODE, scale: data.scale_of_sums() };
    let start = Mixture::new(shares, three)?;
    let quiet = Control { progress: None, iteration: None, checkpoint: None, record: Record::default(), ..control };
    let end = run(start, &mut Threads::new(&rows), &mut Squarem::default(), options, quiet, &mut |_, _, _| Ok(false))?;
    if end.degenerate() {
        return Ok(None);
    }
    let (mut bank, mut weights) = (bank.clone(), weights.to_vec());
    for (n, c) in [i, j, k].into_iter().enumerate() {
        bank.set_component(c, end.model.emission(), n);
        weights[c] = all * end.model.weights()[n];
    }
    Mixture::new(weights, bank).map(Some)
}

/// The merged component and the two halves; `None` where rounding leaves no covariance.
fn triple(model: &Model, (i, j, k): (usize, usize, usize), seed: Seed) -> Result<Option<Gaussian>> {
    let (bank, weights) = (model.emission(), model.weights());
    let (structure, d) = (bank.structure(), bank.n_features());
    let (a, b) = (weights[i] / (weights[i] + weights[j]), weights[j] / (weights[i] + weights[j]));
    let apart: Vec<f64> = bank.mean(i).iter().zip(bank.mean(j)).map(|(x, y)| x - y).collect();
    let merged: Vec<f64> = (0..d).map(|c| a * bank.mean(i)[c] + b * bank.mean(j)[c]).collect();
    let (own, other, mut half) = (bank.covariance(i), bank.covariance(j), bank.covariance(k));
    let mut together: Vec<f64> =
        (0..d * d).map(|n| a * own[n] + b * other[n] + a * b * apart[n / d] * apart[n % d]).collect();
    let axis = axis(structure, &half, d, seed);
    let cut = 2.0 / std::f64::consts::PI;
    (0..d * d).for_each(|n| half[n] -= cut * axis[n / d] * axis[n % d]);
    for matrix in [&mut together, &mut half] {
        shape(structure, matrix, d);
    }
    if structure == Structure::Tied {
        (together, half) = (own.clone(), own);
    }
    let away: Vec<f64> = axis.iter().map(|x| x * cut.sqrt()).collect();
    let side = |sign: f64| bank.mean(k).iter().zip(&away).map(|(m, x)| m + sign * x).collect::<Vec<f64>>();
    let means = [merged, side(1.0), side(-1.0)].concat();
    Ok(Gaussian::new(structure, d, means, [together, half.clone(), half].concat()).ok())
}

/// The longest axis of a covariance, of the length of its standard deviation. Spherical ones have none: a random direction.
fn axis(structure: Structure, covariance: &[f64], d: usize, seed: Seed) -> Vec<f64> {
    match structure {
        Structure::Full | Structure::Tied => {
            let matrix = Mat::from_fn(d, d, |i, j| covariance[i * d + j]);
            if let Ok(eigen) = matrix.self_adjoint_eigen(Side::Lower) {
                let length = eigen.S()[d - 1].max(0.0).sqrt();
                return (0..d).map(|i| eigen.U()[(i, d - 1)] * length).collect();
            }
            vec![0.0; d]
        }
        Structure::Diag => {
            let longest = (0..d).fold(0, |b, i| if covariance[i * d + i] > covariance[b * d + b] { i } else { b });
            (0..d).map(|i| if i == longest { covariance[i * d + i].sqrt() } else { 0.0 }).collect()
        }
        Structure::Spherical => {
            let mut rng = seed.rng();
            let raw: Vec<f64> = (0..d).map(|_| StandardNormal.sample(&mut rng)).collect();
            let length = raw.iter().map(|x: &f64| x * x).sum::<f64>().sqrt();
            raw.iter().map(|x| x / length * covariance[0].sqrt()).collect()
        }
    }
}

/// Makes a covariance one of the structure.
fn shape(structure: Structure, matrix: &mut [f64], d: usize) {
    let average = (0..d).map(|i| matrix[i * d + i]).sum::<f64>() / d as f64;
    for n in 0..d * d {
        match structure {
            Structure::Full | Structure::Tied => {}
            _ if n % (d + 1) != 0 => matrix[n] = 0.0,
            Structure::Diag => {}
            Structure::Spherical => matrix[n] = average,
        }
    }
}

/// The rows of a source with other case weights.
struct Reweighted<'a> {
    source: &'a dyn Source,
    weights: Vec<f64>,
}

impl Source for Reweighted<'_> {
    fn n_features(&self) -> usize {
        self.source.n_features()
    }

    fn n_rows(&self) -> usize {
        self.source.n_rows()
    }

    fn n_chunks(&self) -> usize {
        self.source.n_chunks()
    }

    fn read<'b>(&'b self, id: usize, buffer: &'b mut Buffer) -> Result<Chunk<'b>> {
        let chunk = self.source.read(id, buffer)?;
        let weights = &self.weights[chunk.first_row..][..chunk.rows.n_rows()];
        Ok(Chunk { weights: Some(weights), labels: None, ..chunk })
    }
}
