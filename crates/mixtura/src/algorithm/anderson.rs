//! Anderson acceleration of the EM map (Walker & Ni 2011, algorithm AA with β = 1), guarded so that the objective never
//! falls.
//!
//! With points x_i, images g_i = EM(x_i) and residuals f_i = g_i − x_i of the last iterations it jumps to g − ΔG γ, where γ
//! minimises ‖f − ΔF γ‖, Δ being differences from one iteration to the next: for a linear map that is a Krylov method. After every
//! jump come plain EM iterations (periodic extrapolation: Banerjee, Suryanarayana & Pask 2016), which take the noise of the fast
//! directions out and tell what EM still gains. As in DAAREM (Henderson & Varadhan 2019) the least squares are damped, and the
//! memory begins anew where a jump lowered the objective: such a jump is forgotten, and EM goes on from g.
//!
//! EM need not shorten residuals far from an optimum: their length is not the objective's measure. Where the least
//! squares therefore point back, the jump is SQUAREM's, which always goes forward.

use mixtura_kernels::cholesky::{at, factor, packed_len};

use super::squarem::{REACH, squared, step_length};
use super::{Algorithm, Remaining, Step};
use crate::engine::Engine;
use crate::error::Result;
use crate::model::{LatentModel, Posterior, Unconstrained};

/// Most differences in the least squares. With five the slowest problem of COMPARE.md took a third more E-steps; each costs
/// two vectors.
const WINDOW: usize = 8;
/// A jump follows every so many EM iterations.
const PERIOD: usize = 3;
/// Damping of the normal equations of columns of length 1. EM's increments are right to some ten digits only, and differences
/// of residuals to fewer.
const DAMPING: f64 = 1e-10;

/// A point and its image under EM.
#[derive(Clone, Debug)]
struct Pair {
    point: Vec<f64>,
    image: Vec<f64>,
}

impl Pair {
    fn residual(&self) -> Vec<f64> {
        difference(&self.image, &self.point)
    }
}

/// A jump whose objective nobody has seen.
#[derive(Clone, Debug)]
struct Jump<M> {
    /// The image that the jump went beyond.
    fallback: M,
    /// Whether it was cut to the reach.
    cut: bool,
}

/// Guarded Anderson acceleration. One step is one E- and one M-step (two E-steps where a jump was refused).
#[derive(Clone, Debug)]
pub struct Anderson<M> {
    /// The last iterations, oldest first.
    past: Vec<Pair>,
    /// EM iterations since the last jump.
    plain: usize,
    /// Objective of the last point.
    objective: f64,
    /// Longest jump allowed, in lengths of the residual; grows while jumps that long succeed.
    reach: f64,
    jump: Option<Jump<M>>,
}

impl<M> Default for Anderson<M> {
    fn default() -> Self {
        Anderson { past: Vec::new(), plain: 0, objective: f64::NEG_INFINITY, reach: REACH, jump: None }
    }
}

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

/// γ of the damped least squares, by the normal equations; columns have length 1.
fn least_squares(columns: &[Vec<f64>], right: &[f64]) -> Option<Vec<f64>> {
    let m = columns.len();
    let mut l = vec![0.0; packed_len(m)];
    for i in 0..m {
        (0..=i).for_each(|j| l[at(i, j)] = dot(&columns[i], &columns[j]));
        l[at(i, i)] += DAMPING;
    }
    factor(&mut l, m).ok()?;
    let mut gamma: Vec<f64> = columns.iter().map(|c| dot(c, right)).collect();
    for i in 0..m {
        let known: f64 = (0..i).map(|j| l[at(i, j)] * gamma[j]).sum();
        gamma[i] = (gamma[i] - known) / l[at(i, i)];
    }
    for i in (0..m).rev() {
        let known: f64 = (i + 1..m).map(|j| l[at(j, i)] * gamma[j]).sum();
        gamma[i] = (gamma[i] - known) / l[at(i, i)];
    }
    Some(gamma)
}

impl<M> Anderson<M> {
    /// Steps between remembered points over the change of the residual, at most: about 1 / (1 − λ), λ being EM's slowest rate that
    /// shows. `None` before two points are known.
    fn slowness(&self) -> Option<f64> {
        let lengths = self.past.windows(2).map(|pair| {
            let change = difference(&pair[1].residual(), &pair[0].residual());
            let length = norm(&difference(&pair[1].point, &pair[0].point)) / norm(&change);
            // 0/0: a fixed point, where nothing is slow.
            if length.is_nan() { 1.0 } else { length }
        });
        lengths.filter(|l| l.is_finite()).reduce(f64::max)
    }

    /// Where to jump, and whether that was cut to the reach.
    fn target(&self) -> Option<(Vec<f64>, bool)> {
        let [.., before, last] = &self.past[..] else { return None };
        let residual = last.residual();
        let (mut residuals, mut images): (Vec<Vec<f64>>, Vec<Vec<f64>>) = (Vec::new(), Vec::new());
        for pair in self.past.windows(2) {
            let change = difference(&pair[1].residual(), &pair[0].residual());
            let length = norm(&change);
            if length > 0.0 {
                residuals.push(change.iter().map(|v| v / length).collect());
                images.push(difference(&pair[1].image, &pair[0].image).iter().map(|v| v / length).collect());
            }
        }
        let gamma = least_squares(&residuals, &residual)?;
        let mut beyond = vec![0.0; residual.len()];
        for (gamma, image) in gamma.iter().zip(&images) {
            beyond.iter_mut().zip(image).for_each(|(b, v)| *b -= gamma * v);
        }
        if dot(&beyond, &residual) > 0.0 {
            let share = self.reach * norm(&residual) / norm(&beyond);
            let target = last.image.iter().zip(&beyond).map(|(g, b)| g + share.min(1.0) * b).collect();
            return Some((target, share <= 1.0));
        }
        let length = step_length(&before.point, &last.point, &last.image);
        (!length.is_nan()).then_some(())?;
        let target = squared(&before.point, &last.point, &last.image, length.min(self.reach))?;
        Some((target, length >= self.reach))
    }
}

impl<M: LatentModel + Unconstrained> Algorithm<M> for Anderson<M> {
    fn step(&mut self, model: &mut M, engine: &mut dyn Engine<M>) -> Result<Step> {
        let chunks = 0..engine.n_chunks();
        let mut expectation = engine.expect(model, chunks.clone(), Posterior::Soft)?;
        let mut objective = expectation.log_likelihood + model.log_prior();
        match self.jump.take() {
            Some(jump) if objective < self.objective || objective.is_nan() => {
                *model = jump.fallback;
                self.reach = (self.reach / REACH).max(REACH);
                self.past.clear();
                self.plain = 1;
                expectation = engine.expect(model, chunks, Posterior::Soft)?;
                objective = expectation.log_likelihood + model.log_prior();
            }
            Some(jump) if jump.cut => self.reach *= REACH,
            _ => {}
        }
        let point = model.to_vector();
        let health = model.m_step(&expectation.stats)?;
        // A collapse is for the policy to deal with; what came before it is no guide to what comes after.
        if health.iter().any(|h| h.floor_active || h.empty) {
            *self = Anderson { reach: self.reach, ..Anderson::default() };
            return Ok(Step { objective, health, remaining: Remaining::FromIncrements });
        }
        if self.past.last().is_some_and(|p| p.point.len() != point.len()) {
            *self = Anderson { reach: self.reach, ..Anderson::default() };
        }
        if self.past.len() > WINDOW {
            self.past.remove(0);
        }
        self.past.push(Pair { point, image: model.to_vector() });
        let gain = objective - self.objective;
        let mut remaining = Remaining::Unknown;
        // As in SQUAREM: what one EM iteration gained, times how slow EM is.
        if self.plain > 0
            && let Some(slowness) = self.slowness()
        {
            remaining = Remaining::Nats(if gain > 0.0 { gain * slowness.max(1.0) } else { gain.abs() });
        }
        self.objective = objective;
        self.plain += 1;
        if self.plain >= PERIOD
            && let Some((target, cut)) = self.target()
            && let Some(jumped) = model.with_vector(&target)
        {
            self.jump = Some(Jump { fallback: std::mem::replace(model, jumped), cut });
            self.plain = 0;
        }
        Ok(Step { objective, health, remaining })
    }

    /// The numbers, the parameters to fall back on (none where there was no jump), then points and images in turn.
    fn state(&self) -> Option<Vec<Vec<f64>>> {
        let cut = self.jump.as_ref().is_some_and(|jump| jump.cut);
        let numbers = vec![self.plain as f64, self.objective, self.reach, f64::from(u8::from(cut))];
        let fallback = self.jump.as_ref().map_or_else(Vec::new, |jump| jump.fallback.parameters());
        let past = self.past.iter().flat_map(|p| [p.point.clone(), p.image.clone()]);
        Some([numbers, fallback].into_iter().chain(past).collect())
    }

    fn restore(&mut self, model: &M, state: &[Vec<f64>]) -> bool {
        let [numbers, fallback, past @ ..] = state else { return false };
        let &[plain, objective, reach, cut] = &numbers[..] else { return false };
        let jump = match fallback.is_empty() {
            true => None,
            false => match model.with_parameters(fallback) {
                Some(fallback) => Some(Jump { fallback, cut: cut != 0.0 }),
                None => return false,
            },
        };
        let (pairs, rest) = past.as_chunks::<2>();
        if !rest.is_empty() || past.iter().any(|v| v.len() != past[0].len()) {
            return false;
        }
        let past = pairs.iter().map(|[point, image]| Pair { point: point.clone(), image: image.clone() }).collect();
        *self = Anderson { past, plain: plain as usize, objective, reach, jump };
        true
    }

    /// A jump whose objective nobody has seen is taken back.
    fn settle(&mut self, model: &mut M) {
        if let Some(jump) = self.jump.take() {
            *model = jump.fallback;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linear_map_is_solved_at_once() {
        // x ← A x with A = diag(0.9, 0.5, −0.3) from (1, 1, 1): three differences span the space, so the jump goes to the fixed
        // point 0 but for the damping: 1e-10 over the least eigenvalue of the normal equations (about 1e-4), times ΔG's
        // size over ΔF's, 10 at most.
        let rates = [0.9, 0.5, -0.3];
        let mut anderson = Anderson::<()> { reach: 1e9, ..Anderson::default() };
        let mut point = vec![1.0; 3];
        for _ in 0..4 {
            let image: Vec<f64> = point.iter().zip(rates).map(|(x, a)| a * x).collect();
            anderson.past.push(Pair { point, image: image.clone() });
            point = image;
        }
        let (target, cut) = anderson.target().unwrap();
        assert!(!cut && target.iter().all(|x| x.abs() < 1e-5), "{target:?}");
        // The slowest rate that shows is below that of the map.
        let slowness = anderson.slowness().unwrap();
        assert!(slowness > 1.0 && slowness <= 10.0, "{slowness}");
        // Jumps end at the reach: residual + beyond are no longer than 1 + reach residuals.
        anderson.reach = 0.5;
        let (target, cut) = anderson.target().unwrap();
        let last = anderson.past.last().unwrap();
        let length = norm(&difference(&target, &last.image)) / norm(&last.residual());
        assert!(cut && (length - 0.5).abs() < 1e-12, "{length}");
    }

    #[test]
    fn never_backwards() {
        // Residuals that grow along the way, as on a plateau: the least squares point back to where they were shorter.
        let pair = |x: f64, f: f64| Pair { point: vec![x], image: vec![x + f] };
        let past = vec![pair(0.0, 1.0), pair(1.0, 1.2)];
        let anderson = Anderson::<()> { past, ..Anderson::default() };
        let (target, _) = anderson.target().unwrap();
        assert!(target[0] > 2.2, "{target:?}");
        // At a fixed point there is nowhere to go.
        let past = vec![pair(0.0, 0.0), pair(0.0, 0.0)];
        let still = Anderson::<()> { past, ..Anderson::default() };
        assert!(still.target().is_none());
        // Nothing is slow there either: what EM gained last is all that there is to tell.
        assert_eq!(still.slowness(), Some(1.0));
    }
}
