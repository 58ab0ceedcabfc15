//! Merging a model's components into fewer groups, so that a cluster may be a mixture.
//!
//! Two rules choose the pair to merge, step by step: the largest drop of the classification entropy, which needs rows
//! (Baudry, Raftery, Celeux, Lo & Gottardo 2010, "Combining mixture components for clustering", eq. 5), or the largest
//! overlap of the groups as single Gaussians, which needs none (the Bhattacharyya rule of Hennig 2010, "Methods for
//! merging Gaussian mixture components", §4.3).

use mixtura_kernels::cholesky::{at, factor, log_determinant, packed_len};

use crate::data::Source;
use crate::error::{Error, Result};
use crate::family::Emission;
use crate::family::gaussian::{Gaussian, Structure};
use crate::model::{Mixture, posteriors};

/// A model's components in fewer groups.
#[derive(Clone, Debug)]
pub struct Combined {
    /// Group of every component of the original model.
    pub groups: Vec<usize>,
    /// One full Gaussian per group, with the weight, mean and covariance of its components together: exact first and
    /// second moments of the mixture, another density.
    pub model: Mixture<Gaussian>,
    /// The merges in their order.
    pub steps: Vec<Step>,
}

/// One merge.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Components of the one group.
    pub a: Vec<usize>,
    /// Components of the other.
    pub b: Vec<usize>,
    /// Drop of the entropy Σ w r log r, in nats, or overlap between 0 and 1.
    pub gain: f64,
}

/// Merges down to `n_groups` by overlap.
///
/// ```
/// use mixtura::{Mixture, family::gaussian::{Gaussian, Structure}, query::combine_by_overlap};
/// let bank = Gaussian::new(Structure::Full, 1, vec![0.0, 9.0, 1.0], vec![1.0, 1.0, 1.0])?;
/// let combined = combine_by_overlap(&Mixture::equal(bank), 2)?;
/// assert_eq!(combined.groups, [0, 1, 0]);
/// assert_eq!(combined.model.emission().mean(0), [0.5]);
/// assert_eq!(combined.model.emission().covariance(0), [1.25]);
/// # Ok::<(), mixtura::Error>(())
/// ```
///
/// # Errors
/// If `n_groups` is 0 or more than there are components, or a merged covariance is singular to rounding.
pub fn combine_by_overlap(model: &Mixture<Gaussian>, n_groups: usize) -> Result<Combined> {
    combine(model, n_groups, |groups| {
        let merged = merge(model, groups)?;
        let n = groups.len();
        let mut gains = vec![0.0; packed_len(n)];
        for i in 0..n {
            for j in 0..i {
                gains[at(i, j)] = overlap(merged.emission(), i, j);
            }
        }
        Ok(gains)
    })
}

/// Merges down to `n_groups` by the entropy of the responsibilities of rows.
///
/// # Errors
/// As [`combine_by_overlap`], and if the rows cannot be read or have other columns.
pub fn combine_by_entropy(model: &Mixture<Gaussian>, n_groups: usize, rows: &dyn Source) -> Result<Combined> {
    if rows.n_features() != model.emission().n_features() {
        return Err(Error::Data(format!(
            "the rows have {} columns, the model {}",
            rows.n_features(),
            model.emission().n_features()
        )));
    }
    combine(model, n_groups, |groups| entropy_drops(model, groups, rows))
}

/// Merges the pair of largest gain until `n_groups` are left; `gains` gives a packed lower triangle.
fn combine(
    model: &Mixture<Gaussian>,
    n_groups: usize,
    mut gains: impl FnMut(&[Vec<usize>]) -> Result<Vec<f64>>,
) -> Result<Combined> {
    let k = model.weights().len();
    if n_groups == 0 || n_groups > k {
        return Err(Error::Usage(format!("{k} components make between 1 and {k} groups, not {n_groups}")));
    }
    let mut members: Vec<Vec<usize>> = (0..k).map(|c| vec![c]).collect();
    let mut steps = Vec::new();
    while members.len() > n_groups {
        let gains = gains(&members)?;
        let pairs = (0..members.len()).flat_map(|i| (0..i).map(move |j| (i, j)));
        let best = pairs.reduce(|b, p| if gains[at(p.0, p.1)] > gains[at(b.0, b.1)] { p } else { b });
        let Some((i, j)) = best else { break };
        let b = members.remove(i);
        steps.push(Step { a: members[j].clone(), b: b.clone(), gain: gains[at(i, j)] });
        members[j].extend(b);
        members[j].sort_unstable();
    }
    let mut groups = vec![0; k];
    for (g, group) in members.iter().enumerate() {
        group.iter().for_each(|&c| groups[c] = g);
    }
    let model = if steps.is_empty() { model.clone() } else { merge(model, &members)? };
    Ok(Combined { groups, model, steps })
}

/// One full Gaussian per group with its exact mean and covariance.
fn merge(model: &Mixture<Gaussian>, groups: &[Vec<usize>]) -> Result<Mixture<Gaussian>> {
    let (bank, weights) = (model.emission(), model.weights());
    let d = bank.n_features();
    let (mut means, mut covariances, mut totals) = (Vec::new(), Vec::new(), Vec::new());
    for group in groups {
        let total: f64 = group.iter().map(|&c| weights[c]).sum();
        // Components without any weight leave their plain average.
        let share = |c: usize| if total > 0.0 { weights[c] / total } else { 1.0 / group.len() as f64 };
        // About the first member's mean, so that nothing is lost far from the origin.
        let pivot = bank.mean(group[0]);
        let shift: Vec<f64> =
            (0..d).map(|i| group.iter().map(|&c| share(c) * (bank.mean(c)[i] - pivot[i])).sum()).collect();
        let mut covariance = vec![0.0; d * d];
        for &c in group {
            let own = bank.covariance(c);
            let off: Vec<f64> = (0..d).map(|i| bank.mean(c)[i] - pivot[i] - shift[i]).collect();
            for (n, v) in covariance.iter_mut().enumerate() {
                *v += share(c) * (own[n] + off[n / d] * off[n % d]);
            }
        }
        means.extend(pivot.iter().zip(&shift).map(|(p, s)| p + s));
        covariances.extend(covariance);
        totals.push(total);
    }
    Mixture::new(totals, Gaussian::new(Structure::Full, d, means, covariances)?)
}

/// exp(−Bhattacharyya distance) of components `a` and `b`, between 0 (apart) and 1 (equal):
/// ⅛ δᵀ S̄⁻¹ δ + ½ ln(|S̄| / √(|S_a||S_b|)), in units of the joint standard deviations, so that no scale overflows.
pub fn overlap(bank: &Gaussian, a: usize, b: usize) -> f64 {
    let d = bank.n_features();
    let (sa, sb) = (bank.covariance(a), bank.covariance(b));
    let sd: Vec<f64> = (0..d).map(|i| (0.5 * sa[i * d + i] + 0.5 * sb[i * d + i]).sqrt()).collect();
    let factored = |of: &dyn Fn(usize) -> f64| {
        let mut l: Vec<f64> =
            (0..d).flat_map(|i| (0..=i).map(move |j| (i, j))).map(|(i, j)| of(i * d + j) / sd[i] / sd[j]).collect();
        factor(&mut l, d).is_ok().then_some(l)
    };
    let (Some(la), Some(lb)) = (factored(&|n| sa[n]), factored(&|n| sb[n])) else { return 0.0 };
    let Some(l) = factored(&|n| 0.5 * sa[n] + 0.5 * sb[n]) else { return 0.0 };
    let mut y: Vec<f64> = (0..d).map(|i| (bank.mean(a)[i] - bank.mean(b)[i]) / sd[i]).collect();
    for i in 0..d {
        let known: f64 = (0..i).map(|j| l[at(i, j)] * y[j]).sum();
        y[i] = (y[i] - known) / l[at(i, i)];
    }
    let spread = log_determinant(&l, d) - 0.5 * (log_determinant(&la, d) + log_determinant(&lb, d));
    (-(y.iter().map(|v| v * v).sum::<f64>() / 8.0 + 0.5 * spread)).exp().min(1.0)
}

/// For every pair of groups, Σ over rows of w · (f(r_a + r_b) − f(r_a) − f(r_b)) with f(r) = r ln r: by how much the
/// classification entropy falls when they become one.
fn entropy_drops(model: &Mixture<Gaussian>, groups: &[Vec<usize>], rows: &dyn Source) -> Result<Vec<f64>> {
    let (k, n) = (model.weights().len(), groups.len());
    let f = |r: f64| if r > 0.0 { r * r.ln() } else { 0.0 };
    let mut total = vec![0.0; packed_len(n)];
    // Chunks are summed one by one and then in order: the same bits for any number of threads. A few at a time, for
    // their sums may be large.
    let together = 4 * rayon::current_num_threads();
    for first in (0..rows.n_chunks()).step_by(together) {
        let ids = first..(first + together).min(rows.n_chunks());
        let sums = posteriors(model, rows, ids, |chunk, resp, _| {
            let mut drops = vec![0.0; packed_len(n)];
            let (mut r, mut own) = (vec![0.0; n], vec![0.0; n]);
            for t in 0..chunk.rows.n_rows() {
                for (g, group) in groups.iter().enumerate() {
                    r[g] = group.iter().map(|&c| resp[t * k + c]).sum();
                    own[g] = f(r[g]);
                }
                // A pair of which one is not there has nothing to gain.
                let here: Vec<usize> = (0..n).filter(|&g| r[g] > 0.0).collect();
                for (m, &i) in here.iter().enumerate() {
                    for &j in &here[..m] {
                        drops[at(i, j)] += chunk.weight(t) * (f(r[i] + r[j]) - own[i] - own[j]);
                    }
                }
            }
            Ok(drops)
        })?;
        for drops in sums {
            total.iter_mut().zip(&drops).for_each(|(t, d)| *t += d);
        }
    }
    Ok(total)
}
