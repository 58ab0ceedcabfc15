//! The fit certificate: what is known about how far a fit can be trusted.

use faer::{Mat, Side};
use mixtura_kernels::Isa;
use mixtura_kernels::cholesky::{at, factor, factor_row, packed_len};
use mixtura_kernels::exp::log_in_place;
use rayon::prelude::*;

use super::coverage::{Mode, SAME_MODE, chance_of_better, modes};
use super::prior::UsedPrior;
use super::{Fit, Prepared, Run, Status, StatusKind};
use crate::data::Source;
use crate::error::Result;
use crate::family::Emission;
use crate::family::gaussian::{Gaussian, Structure};
use crate::model::{LatentModel, Mixture, Predict, posteriors};
use crate::stats::Layout;

/// How far a fit can be trusted.
#[derive(Clone, Debug, PartialEq)]
pub struct Certificate {
    /// Whether the objective never fell by more than rounding explains.
    pub monotone: bool,
    /// The largest fall, in nats.
    pub largest_decrease: f64,
    /// Estimate of the nats that more iterations of this run would gain; `None` where there is none.
    pub nats_remaining: Option<f64>,
    /// Objective (log-likelihood, or the bound of variational Bayes; nats, in the data's own units) of each restart.
    pub restarts: Vec<f64>,
    /// Restarts that ended with a collapsed component; they are passed over while others are there.
    pub restarts_degenerate: usize,
    /// Restarts that reached the returned objective.
    pub restarts_at_best: usize,
    /// The distinct optima that restarts reached, best first; those with a collapsed component are left out while others are
    /// there.
    pub modes: Vec<Mode>,
    /// Estimated chance that another search of the same size, from another seed, would end in a better optimum; `None`
    /// where fewer than two restarts say nothing of it.
    pub chance_of_better: Option<f64>,
    /// One entry per component of a Gaussian mixture; empty for other models.
    pub components: Vec<ComponentCertificate>,
}

/// State of one component of a fit.
#[derive(Clone, Debug, PartialEq)]
pub struct ComponentCertificate {
    /// Σ w r: the weight of rows that the component explains.
    pub effective_count: f64,
    /// Largest over smallest eigenvalue of its covariance in standardised columns.
    pub condition_number: f64,
    /// Whether a variance was raised to the floor: the component has collapsed in some direction.
    pub floor_active: bool,
    /// Whether it is narrow and rests on a handful of rows: an optimum of the likelihood that says little of the data
    /// (McLachlan & Peel 2000, §3.10).
    pub spike: bool,
    /// The component with which it overlaps most and exp(−Bhattacharyya distance), between 0 (apart) and 1 (equal).
    pub closest: Option<(usize, f64)>,
}

/// A component is a spike if in some direction its standard deviation is below this share of the data's …
const SPIKE_WIDTH: f64 = 0.01;
/// … and it rests on fewer than so many times the rows that its covariance needs to exist.
const SPIKE_ROWS: f64 = 5.0;
/// Pairs of components are compared up to this number of components; beyond, the K² comparisons outweigh the fit.
const MOST_COMPARED: usize = 128;

impl Certificate {
    /// The components that are spikes.
    pub fn spikes(&self) -> Vec<usize> {
        (0..self.components.len()).filter(|&k| self.components[k].spike).collect()
    }
}

/// Overlap of two components that counts as complete.
const COINCIDE: f64 = 1e-6;

/// Components by size, largest first, then by means.
pub(super) fn largest_first(sizes: &[f64], bank: &Gaussian) -> Vec<usize> {
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by(|&a, &b| {
        sizes[b].total_cmp(&sizes[a]).then_with(|| {
            let pairs = bank.mean(a).iter().zip(bank.mean(b));
            pairs.map(|(x, y)| x.total_cmp(y)).find(|o| o.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
        })
    });
    order
}

/// Orders the components of a finished run by weight, largest first, then by means.
pub(super) fn order(run: &mut Run<Mixture<Gaussian>>) {
    let keep = largest_first(run.model.weights(), run.model.emission());
    run.health = keep.iter().map(|&k| run.health[k]).collect();
    let counts = &mut run.expectation.stats.counts;
    *counts = keep.iter().map(|&k| counts[k]).collect();
    run.model.select_components(&keep);
}

/// Turns a run in standardised columns into a fit in the data's own units. `objective` is what the run climbed and what
/// `all` restarts reached: its log-likelihood, or a bound; `terms` is the size of the sums behind it. A component of an
/// effective count below `least` is no part of the model: a prior that no row has changed.
pub(super) fn certify(
    run: Run<Mixture<Gaussian>>,
    objective: f64,
    (terms, least): (f64, f64),
    all: &[(f64, bool)],
    data: &Prepared<'_>,
    tolerance: f64,
) -> Result<Fit<Mixture<Gaussian>>> {
    let jacobian = data.data.log_jacobian();
    let standard = run.model.emission();
    let closest = closest(standard);
    let few = SPIKE_ROWS * standard.structure().rows_needed(standard.n_features()) as f64;
    let components: Vec<ComponentCertificate> = (0..run.model.weights().len())
        .into_par_iter()
        .map(|k| {
            let effective_count = run.expectation.stats.counts[k];
            let floor_active = run.health.get(k).is_some_and(|h| h.floor_active);
            let shared = standard.structure() == Structure::Tied;
            ComponentCertificate {
                effective_count,
                condition_number: condition_number(standard, k),
                floor_active,
                spike: !floor_active
                    && !shared
                    && effective_count < few
                    && width(standard, k, &data.reference) < SPIKE_WIDTH,
                closest: closest.get(k).copied().flatten(),
            }
        })
        .collect();
    // Rounding of the objective: each of its terms is good to some eps × condition number of its covariance.
    let condition = components.iter().map(|c| c.condition_number.min(1e13)).fold(1.0, f64::max);
    let rounding = 4.0 * f64::EPSILON * (objective.abs() + terms * condition);
    let base = audit(&run, objective, rounding, (all, jacobian), tolerance);
    let chance_of_better = base.chance_of_better.filter(|_| components.len() > 1);
    let certificate = Certificate { chance_of_better, components, ..base };
    let (classification_term, entropy) = uncertainty(&run.model, &data.data)?;
    let n_free_parameters = run.model.n_free_parameters();
    let log_likelihood = run.expectation.log_likelihood + jacobian;
    let original = standard.map(&data.data.affine, false)?;
    let status = status(&run, &original, &certificate.components, least);
    Ok(Fit {
        status,
        certificate,
        trace: run.trace,
        iterations: run.iterations,
        log_likelihood,
        prior: UsedPrior::of(&run.model, data),
        n_rows: data.data.n_rows(),
        total_weight: data.data.total_weight,
        affine: data.data.affine.clone(),
        n_flat_directions: data.floor.n_flat(),
        n_made_up: match standard.structure().layout() {
            Layout::Full => data.floor.n_dependent(),
            Layout::Diagonal => 0,
        },
        n_free_parameters,
        classification_term,
        entropy,
        model: run.model.with_emission(original),
    })
}

/// What every fit knows of its best run, which reached `objective` up to `rounding`, and of all runs: their objectives, to
/// which `shift` is added, and whether each is degenerate.
pub(super) fn audit<M: LatentModel>(
    run: &Run<M>,
    objective: f64,
    rounding: f64,
    (all, shift): (&[(f64, bool)], f64),
    tolerance: f64,
) -> Certificate {
    let decrease = run.largest_decrease();
    let same = SAME_MODE.max(10.0 * tolerance);
    let alike = || all.iter().filter(|(_, degenerate)| *degenerate == run.degenerate()).map(|(o, _)| o);
    let modes = modes(alike().map(|o| o + shift).collect());
    Certificate {
        monotone: decrease <= rounding,
        largest_decrease: decrease,
        nats_remaining: run.trace.nats_remaining.iter().rev().find_map(|r| *r),
        restarts: all.iter().map(|(o, _)| o + shift).collect(),
        restarts_degenerate: all.iter().filter(|(_, degenerate)| *degenerate).count(),
        restarts_at_best: alike().filter(|o| (objective - **o).abs() <= same).count(),
        chance_of_better: chance_of_better(&modes),
        modes,
        components: Vec::new(),
    }
}

/// The run's own status, unless it finished at a saddle or with a collapsed component: that is what the user must hear
/// first.
fn status(
    run: &Run<Mixture<Gaussian>>,
    original: &Gaussian,
    components: &[ComponentCertificate],
    least: f64,
) -> Status {
    if run.status.kind == StatusKind::Stopped {
        return run.status.clone();
    }
    // Components that all coincide make one Gaussian: a stationary point of every mixture, and no optimum.
    let coincide = |c: &ComponentCertificate| c.closest.is_some_and(|(_, overlap)| overlap > 1.0 - COINCIDE);
    let parts: Vec<_> = components.iter().filter(|c| c.effective_count >= least).collect();
    if parts.len() > 1 && parts.into_iter().all(coincide) {
        let detail =
            format!("all components coincide: a saddle, where the mixture is one Gaussian; {}", run.status.detail);
        return Status { kind: StatusKind::Degenerate, detail };
    }
    let Some(k) = run.health.iter().position(|h| h.floor_active || h.empty) else {
        return run.status.clone();
    };
    let what = if run.health[k].empty { "has no rows left" } else { "sits on the covariance floor" };
    let others = run.health.iter().skip(k + 1).filter(|h| h.floor_active || h.empty).count();
    let others = if others > 0 { format!(", and {others} more like it") } else { String::new() };
    Status {
        kind: StatusKind::Degenerate,
        detail: format!("component {k}, at {}, {what}{others}; {}", place(original.mean(k)), run.status.detail),
    }
}

/// A mean in a sentence: the first few coordinates, seven digits each.
pub(super) fn place(mean: &[f64]) -> String {
    let digits = |m: &f64| {
        // Fixed notation where that is short, exponents elsewhere.
        if *m == 0.0 || (1e-3..1e7).contains(&m.abs()) { format!("{m:.6}") } else { format!("{m:.6e}") }
    };
    let shown: Vec<String> = mean.iter().take(6).map(digits).collect();
    let more = if mean.len() > 6 { ", …" } else { "" };
    format!("[{}{more}]", shown.join(", "))
}

fn condition_number(bank: &Gaussian, k: usize) -> f64 {
    let d = bank.n_features();
    let covariance = bank.covariance(k);
    match Mat::from_fn(d, d, |i, j| covariance[i * d + j]).self_adjoint_eigenvalues(Side::Lower) {
        Ok(values) if values[0] > 0.0 => values[d - 1] / values[0],
        _ => f64::INFINITY,
    }
}

/// The smallest standard deviation of a component, over the data's own in the same direction.
fn width(bank: &Gaussian, k: usize, data: &Gaussian) -> f64 {
    let d = bank.n_features();
    let (covariance, w) = (bank.covariance(k), data.whitening(0));
    // W Σ Wᵀ with the lower triangle W that makes the data's covariance the identity.
    let half: Vec<f64> = (0..d)
        .flat_map(|i| (0..d).map(move |j| (i, j)))
        .map(|(i, j)| (0..=i).map(|m| w[at(i, m)] * covariance[m * d + j]).sum())
        .collect();
    let whole = Mat::from_fn(d, d, |i, j| (0..=j).map(|m| half[i * d + m] * w[at(j, m)]).sum::<f64>());
    whole.self_adjoint_eigenvalues(Side::Lower).map_or(0.0, |values: Vec<f64>| values[0].max(0.0).sqrt())
}

/// For each component the one with the smallest Bhattacharyya distance ⅛ δᵀ S̄⁻¹ δ + ½ ln(|S̄| / √(|S₁||S₂|)).
///
/// The first rows of a Cholesky factor are that of the first columns, and leaving columns out brings distributions no farther
/// apart (Kailath 1967): the factor of a pair ends where the distance in the columns so far exceeds what both have found.
fn closest(bank: &Gaussian) -> Vec<Option<(usize, f64)>> {
    let (k, d) = (bank.n_components(), bank.n_features());
    if k > MOST_COMPARED {
        return vec![None; k];
    }
    let packed = |c: usize| -> Vec<f64> {
        let full = bank.covariance(c);
        (0..d).flat_map(|i| full[i * d..=i * d + i].to_vec()).collect()
    };
    let covariances: Vec<Vec<f64>> = (0..k).map(packed).collect();
    // ln |S| of the first 1, 2, … columns; none where there is no factor.
    let determinants: Vec<Option<Vec<f64>>> = covariances
        .iter()
        .map(|covariance| {
            let mut l = covariance.clone();
            factor(&mut l, d).ok()?;
            Some(
                (0..d)
                    .scan(0.0, |sum, i| {
                        *sum += 2.0 * l[at(i, i)].ln();
                        Some(*sum)
                    })
                    .collect(),
            )
        })
        .collect();
    let mut best: Vec<Option<(usize, f64)>> = vec![None; k];
    let (mut l, mut y) = (vec![0.0; packed_len(d)], vec![0.0; d]);
    for a in 0..k {
        for b in 0..a {
            let (Some(of_a), Some(of_b)) = (&determinants[a], &determinants[b]) else { continue };
            l.iter_mut().zip(covariances[a].iter().zip(&covariances[b])).for_each(|(m, (x, y))| *m = 0.5 * (x + y));
            y.iter_mut().zip(bank.mean(a).iter().zip(bank.mean(b))).for_each(|(y, (p, q))| *y = p - q);
            let reach = [a, b].map(|c| best[c].map_or(f64::INFINITY, |(_, distance)| distance));
            let reach = reach[0].max(reach[1]);
            let Some(distance) = distance(&mut l, &mut y, (of_a, of_b), reach) else { continue };
            for (p, q) in [(a, b), (b, a)] {
                if best[p].is_none_or(|(_, least)| distance < least) {
                    best[p] = Some((q, distance));
                }
            }
        }
    }
    best.into_iter().map(|best| best.map(|(c, distance)| (c, (-distance).exp().min(1.0)))).collect()
}

/// The Bhattacharyya distance of two Gaussians with mean covariance `mean` and means `y` apart, both overwritten; `None` where
/// it is above `reach` or the mean has no factor. `determinants`: ln |S| of the first 1, 2, … columns of each.
fn distance(mean: &mut [f64], y: &mut [f64], determinants: (&[f64], &[f64]), reach: f64) -> Option<f64> {
    let (mut squared, mut log) = (0.0, 0.0);
    for i in 0..y.len() {
        factor_row(mean, i).ok()?;
        let row = &mean[at(i, 0)..=at(i, i)];
        let s: f64 = row[..i].iter().zip(&y[..i]).map(|(l, y)| l * y).sum();
        y[i] = (y[i] - s) / row[i];
        squared += y[i] * y[i];
        log += 2.0 * row[i].ln();
        let distance = squared / 8.0 + 0.5 * (log - 0.5 * (determinants.0[i] + determinants.1[i]));
        // Rounding may make a distance that does not grow fall by as much.
        if distance > reach + ROUNDING || i + 1 == y.len() {
            return (distance <= reach + ROUNDING).then_some(distance);
        }
    }
    None
}

/// What rounding may do to a distance that matters (below 700: beyond that the overlap is 0).
const ROUNDING: f64 = 1e-9;

/// Σ w log max_k r_k and −Σ w Σ_k r_k log r_k over rows without a known component.
fn uncertainty(model: &Mixture<Gaussian>, source: &dyn Source) -> Result<(f64, f64)> {
    let k = model.n_components();
    let terms = posteriors(model, source, 0..source.n_chunks(), |chunk, resp, _| {
        // Where r is 0, r log r is as well, whatever stands for the logarithm.
        let mut logs: Vec<f64> = resp.iter().map(|r| r.max(f64::MIN_POSITIVE)).collect();
        log_in_place(Isa::detect(), &mut logs);
        let (mut certainty, mut entropy) = (0.0, 0.0);
        for i in (0..chunk.rows.n_rows()).filter(|&i| chunk.label(i).is_none()) {
            let (w, resp, logs) = (chunk.weight(i), &resp[i * k..][..k], &logs[i * k..][..k]);
            certainty += w * logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            entropy -= w * resp.iter().zip(logs).map(|(r, l)| r * l).sum::<f64>();
        }
        Ok((certainty, entropy))
    })?;
    let add = |a: (f64, f64), b: (f64, f64)| (a.0 + b.0, a.1 + b.1);
    Ok(terms.into_iter().fold((0.0, 0.0), add))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The distance in two columns, by the closed form of a 2 × 2 inverse.
    fn distance_by_hand(bank: &Gaussian, a: usize, b: usize) -> f64 {
        let (s, t) = (bank.covariance(a), bank.covariance(b));
        let det = |m: &[f64]| m[0] * m[3] - m[1] * m[2];
        let mean: Vec<f64> = s.iter().zip(&t).map(|(x, y)| (x + y) / 2.0).collect();
        let (u, v) = (bank.mean(a)[0] - bank.mean(b)[0], bank.mean(a)[1] - bank.mean(b)[1]);
        let squared = (mean[3] * u * u - 2.0 * mean[1] * u * v + mean[0] * v * v) / det(&mean);
        squared / 8.0 + 0.5 * (det(&mean) / (det(&s) * det(&t)).sqrt()).ln()
    }

    #[test]
    fn the_closest_component_is_found_though_factors_end_early() {
        let k = 40;
        // Far apart in the first column, in the second, or in neither.
        let means = (0..k).flat_map(|c| [f64::from(c * 7 % 13), f64::from(c * 5 % 11) * 0.7]).collect();
        let covariance = |c: i32| {
            let (a, b) = (0.3 + f64::from(c % 5), 0.2 + f64::from(c % 3));
            let ab = 0.4 * (a * b).sqrt();
            [a, ab, ab, b]
        };
        let bank = Gaussian::new(Structure::Full, 2, means, (0..k).flat_map(covariance).collect()).unwrap();
        for (a, found) in closest(&bank).into_iter().enumerate() {
            let others = (0..k as usize).filter(|b| *b != a);
            let least = others.map(|b| distance_by_hand(&bank, a, b)).fold(f64::INFINITY, f64::min);
            let (b, overlap) = found.unwrap();
            // A few dozen roundings of numbers below 100.
            assert!((overlap - (-least).exp()).abs() < 1e-12, "{a}: {b} {overlap} {}", (-least).exp());
        }
    }
}
