//! Regions of one dimension: modes, highest-density regions, and where each component is the most probable.

use super::univariate::{Part, REACH, bisect};
use super::{Univariate, log_sum_exp};
use crate::error::{Error, Result};

/// The smallest set that holds a probability: every point in it is denser than every point outside (Hyndman 1996).
#[derive(Clone, Debug, PartialEq)]
pub struct Region {
    /// The probability asked for.
    pub mass: f64,
    /// log of the density at its edges.
    pub log_level: f64,
    /// Its pieces in ascending order: one for each mode, or for several where the density between them is above the
    /// level.
    pub intervals: Vec<(f64, f64)>,
}

/// A stretch of the line on which one component is the most probable.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stretch {
    /// Lower end; −∞ for the first.
    pub from: f64,
    /// Upper end; +∞ for the last.
    pub to: f64,
    /// The component with the largest weight · density.
    pub component: usize,
}

/// Standard deviations about every mean, and their step, at which changes of the slope are looked for. Two turning
/// points closer than the step of the thinnest component there enclose a ripple of no consequence.
const LOOKED_AT: f64 = 8.0;
const STEP: f64 = 0.25;
/// Components beyond which the pairs are too many.
const MOST_COMPONENTS: usize = 500;

impl Univariate {
    /// The modes, ascending: at most as many as there are components.
    ///
    /// ```
    /// use mixtura::query::Univariate;
    /// let x = Univariate::new(vec![0.5, 0.5], vec![-3.0, 3.0], vec![1.0, 1.0])?;
    /// assert_eq!(x.modes().len(), 2);
    /// # Ok::<(), mixtura::Error>(())
    /// ```
    pub fn modes(&self) -> Vec<f64> {
        self.turning_points().into_iter().step_by(2).collect()
    }

    /// Mode, antimode, mode, …: where the density turns.
    fn turning_points(&self) -> Vec<f64> {
        let steps = (LOOKED_AT / STEP) as i32;
        let about = |p: &Part| {
            let p = *p;
            (-steps..=steps).map(move |i| p.mean + f64::from(i) * STEP * p.sd)
        };
        let mut grid: Vec<f64> = self.live().flat_map(about).filter(|x| x.is_finite()).collect();
        // No mode lies outside the means.
        let low = self.live().map(|p| p.mean).fold(f64::INFINITY, f64::min);
        let high = self.live().map(|p| p.mean).fold(f64::NEG_INFINITY, f64::max);
        grid.retain(|x| (low..=high).contains(x));
        grid.sort_by(f64::total_cmp);
        grid.dedup();
        let mut turns = Vec::new();
        // The density rises up to the lowest mean.
        let (mut before, mut rising) = (low, true);
        for x in grid {
            if self.rises(x) != rising {
                turns.push(bisect(before, x, |x| self.rises(x) != rising));
                rising = !rising;
            }
            before = x;
        }
        if rising {
            turns.push(high);
        }
        turns
    }

    /// Whether the density rises at x: the sign of Σ w φ (μ − x) / σ², from logarithms, so that no scale overflows.
    fn rises(&self, x: f64) -> bool {
        let pull = |above: bool| {
            let side = self.live().filter(move |p| if above { p.mean > x } else { p.mean < x });
            log_sum_exp(side.map(|p| p.log_joint(x) + p.z(x).abs().ln() - p.sd.ln()))
        };
        pull(true) > pull(false)
    }

    /// The highest-density region of a probability strictly between 0 and 1, held to some 1e-12. Regions below 1e-4 or
    /// so are as flat as the rounding of the density, which limits them.
    ///
    /// ```
    /// use mixtura::query::Univariate;
    /// let x = Univariate::new(vec![0.5, 0.5], vec![-5.0, 5.0], vec![1.0, 1.0])?;
    /// let region = x.highest_density(0.9)?;
    /// assert_eq!(region.intervals.len(), 2);
    /// assert!((region.intervals[1].1 - 6.6449).abs() < 1e-4);
    /// # Ok::<(), mixtura::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the probability is not strictly between 0 and 1.
    pub fn highest_density(&self, mass: f64) -> Result<Region> {
        if !(mass > 0.0 && mass < 1.0) {
            return Err(Error::Usage(format!("a region's probability is strictly between 0 and 1, not {mass}")));
        }
        let turns = self.turning_points();
        let heights: Vec<f64> = turns.iter().map(|&x| self.log_pdf(x)).collect();
        let top = heights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let probability = |level: f64| -> f64 {
            self.above(level, &turns, &heights).iter().map(|&(a, b)| self.probability(a, b)).sum()
        };
        // Scales differ by 1e300 at most (690 nats), and a probability short of 1 ends some 80 nats further down.
        let bottom = top - REACH * REACH;
        // The depth below the highest mode keeps its digits where the region is small.
        let depth = bisect(0.0, top - bottom, |depth| probability(top - depth) >= mass);
        let log_level = top - depth;
        Ok(Region { mass, log_level, intervals: self.above(log_level, &turns, &heights) })
    }

    /// Where log p(x) is at least `level`.
    fn above(&self, level: f64, turns: &[f64], heights: &[f64]) -> Vec<(f64, f64)> {
        let (low, high) = self.reach();
        let mut intervals: Vec<(f64, f64)> = Vec::new();
        let mut start = None;
        // Between two turns the density is monotone; modes are at even places.
        for i in (0..turns.len()).step_by(2) {
            let left = if i == 0 { low } else { turns[i - 1] };
            let right = turns.get(i + 1).copied().unwrap_or(high);
            if heights[i] < level {
                continue;
            }
            let from = *start.get_or_insert_with(|| bisect(left, turns[i], |x| self.log_pdf(x) >= level));
            if heights.get(i + 1).is_some_and(|h| *h >= level) {
                continue;
            }
            intervals.push((from, bisect(turns[i], right, |x| self.log_pdf(x) < level)));
            start = None;
        }
        intervals
    }

    /// The stretches of the line on which one component has the largest weight · density, from −∞ to +∞: the Bayes
    /// decision regions; their ends are the boundaries. Components that are nowhere the largest have none.
    ///
    /// ```
    /// use mixtura::query::Univariate;
    /// let x = Univariate::new(vec![0.5, 0.5], vec![0.0, 4.0], vec![1.0, 1.0])?;
    /// let stretches = x.decisions()?;
    /// assert_eq!((stretches.len(), stretches[0].to, stretches[1].component), (2, 2.0, 1));
    /// # Ok::<(), mixtura::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there are more than 500 components.
    pub fn decisions(&self) -> Result<Vec<Stretch>> {
        let k = self.parts.len();
        if k > MOST_COMPONENTS {
            return Err(Error::Usage(format!(
                "boundaries are found between at most {MOST_COMPONENTS} components, and the model has {k}"
            )));
        }
        let live: Vec<usize> = (0..k).filter(|&c| self.parts[c].weight > 0.0).collect();
        let pairs = live.iter().enumerate().flat_map(|(n, &i)| live[..n].iter().map(move |&j| (i, j)));
        let mut ends: Vec<f64> = pairs.flat_map(|(i, j)| crossings(&self.parts[i], &self.parts[j])).collect();
        ends.retain(|x| x.is_finite());
        ends.sort_by(f64::total_cmp);
        ends.dedup();
        let best = |x: f64| {
            live.iter()
                .copied()
                .reduce(|b, c| if beats(&self.parts[c], &self.parts[b], x) { c } else { b })
                .unwrap_or(0)
        };
        // Nobody overtakes between two crossings: one point of each stretch tells its component. The outermost ones are
        // taken beyond all means, where thin components do not look alike.
        let of = |f: fn(&Part) -> f64| live.iter().map(move |&c| f(&self.parts[c]));
        let widest = of(|p| p.sd).fold(0.0, f64::max);
        let (low, high) = (of(|p| p.mean).fold(f64::INFINITY, f64::min), of(|p| p.mean).fold(f64::MIN, f64::max));
        let probe = |n: usize| match (n.checked_sub(1).map(|i| ends[i]), ends.get(n)) {
            (Some(a), Some(b)) => 0.5 * a + 0.5 * b,
            (Some(a), None) => (a.max(high) + widest).max(a.next_up()),
            (None, Some(b)) => (b.min(low) - widest).min(b.next_down()),
            (None, None) => 0.0,
        };
        let mut stretches: Vec<Stretch> = Vec::new();
        for n in 0..=ends.len() {
            let component = best(probe(n));
            let to = ends.get(n).copied().unwrap_or(f64::INFINITY);
            match stretches.last_mut() {
                Some(last) if last.component == component => last.to = to,
                last => {
                    let from = last.map_or(f64::NEG_INFINITY, |l| l.to);
                    stretches.push(Stretch { from, to, component });
                }
            }
        }
        Ok(stretches)
    }
}

/// Whether weight · density of `a` is larger than that of `b` at x. (z_b − z_a)(z_b + z_a) keeps its sign where z²
/// would overflow or round.
fn beats(a: &Part, b: &Part, x: f64) -> bool {
    let (za, zb) = (a.z(x), b.z(x));
    a.log - b.log + 0.5 * (zb - za) * (zb + za) > 0.0
}

/// Where two components have the same weight · density: the roots of a quadratic, in units of the narrower one's
/// standard deviation about its mean: (1 − r²) u² − 2 r d u − d² − 2 c = 0, with r = σ_i / σ_j ≤ 1, d = (μ_i − μ_j) /
/// σ_j and c = ln(w_i / σ_i) − ln(w_j / σ_j).
fn crossings(p: &Part, q: &Part) -> Vec<f64> {
    let (i, j) = if p.sd <= q.sd { (p, q) } else { (q, p) };
    let (r, d, c) = (i.sd / j.sd, (i.mean - j.mean) / j.sd, i.log - j.log);
    let a = (1.0 - r) * (1.0 + r);
    let roots = if a == 0.0 {
        if d == 0.0 { vec![] } else { vec![-(0.5 * d + c / d)] }
    } else if d.abs() > 1.0 {
        // In units of d, whose square might overflow.
        let (root, h) = (1.0 + 2.0 * c / d / d, (1.0 + 2.0 * a * (c / d / d)).sqrt());
        if h.is_nan() { vec![] } else { vec![d * ((r + h) / a), -d * (root / (r + h))] }
    } else {
        let s = (d * d + 2.0 * a * c).sqrt();
        // The root of larger size first, the other from their product: no difference of near numbers.
        let big = r * d + s.copysign(d);
        if s.is_nan() || big == 0.0 { vec![] } else { vec![big / a, -(d * d + 2.0 * c) / big] }
    };
    roots.into_iter().map(|u| i.mean + u * i.sd).collect()
}
