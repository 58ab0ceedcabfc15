//! Responsibilities and log-normalisers of a tile: log-sum-exp over components, rows along the lanes.

use std::ops::Range;

use crate::TILE;
use crate::exp::{LOWEST, exp, log};
use crate::simd::{MAX_BLOCK, Simd, kernel};

#[inline(always)]
fn softmax_body<S: Simd>(logs: &mut [f64], n: usize, log_weights: &[f64], lowest: f64, out: &mut [f64]) {
    match S::ROWS {
        2 => blocks::<S, 2, true>(logs, 0..n, log_weights, lowest, out),
        _ => blocks::<S, 3, true>(logs, 0..n, log_weights, lowest, out),
    };
}

#[inline(always)]
fn softmax_total_body<S: Simd>(logs: &mut [f64], n: usize, log_weights: &[f64], lowest: f64) -> f64 {
    let block = S::ROWS * S::LANES;
    let whole = n / block * block;
    let mut last = [0.0; MAX_BLOCK];
    let (total, _) = match S::ROWS {
        2 => (
            blocks::<S, 2, false>(logs, 0..whole, log_weights, lowest, &mut []),
            blocks::<S, 2, true>(logs, whole..n, log_weights, lowest, &mut last),
        ),
        _ => (
            blocks::<S, 3, false>(logs, 0..whole, log_weights, lowest, &mut []),
            blocks::<S, 3, true>(logs, whole..n, log_weights, lowest, &mut last),
        ),
    };
    total + last[..n - whole].iter().sum::<f64>()
}

/// Writes the log-normalisers of the rows from the first on (`EACH`), or returns their sum: the log of a product of sums
/// between 1 and K, one for every block of a tile, which cannot overflow.
#[inline(always)]
fn blocks<S: Simd, const C: usize, const EACH: bool>(
    logs: &mut [f64],
    rows: Range<usize>,
    log_weights: &[f64],
    lowest: f64,
    out: &mut [f64],
) -> f64 {
    let (block, lowest) = (C * S::LANES, S::splat(lowest.max(LOWEST)));
    let (mut tops, mut product) = ([S::splat(0.0); C], [S::splat(1.0); C]);
    let first = rows.start;
    for row in rows.step_by(block) {
        let mut largest = [S::splat(f64::NEG_INFINITY); C];
        for (k, &lw) in log_weights.iter().enumerate() {
            let line = &logs[k * TILE + row..][..block];
            for (c, top) in largest.iter_mut().enumerate() {
                *top = S::max(S::add(S::load(&line[c * S::LANES..]), S::splat(lw)), *top);
            }
        }
        let mut total = [S::splat(0.0); C];
        for (k, &lw) in log_weights.iter().enumerate() {
            let line = &mut logs[k * TILE + row..][..block];
            for c in 0..C {
                let joint = S::add(S::load(&line[c * S::LANES..]), S::splat(lw));
                let e = exp::<S>(S::sub(joint, largest[c]), lowest);
                total[c] = S::add(total[c], e);
                S::store(&mut line[c * S::LANES..], e);
            }
        }
        let mut inverse = total;
        for i in &mut inverse {
            *i = S::div(S::splat(1.0), *i);
        }
        for k in 0..log_weights.len() {
            let line = &mut logs[k * TILE + row..][..block];
            for (c, &i) in inverse.iter().enumerate() {
                let e = S::load(&line[c * S::LANES..]);
                S::store(&mut line[c * S::LANES..], S::mul(e, i));
            }
        }
        for c in 0..C {
            if EACH {
                S::store(&mut out[row - first + c * S::LANES..], S::add(largest[c], log_or_nan::<S>(total[c])));
            } else {
                tops[c] = S::add(tops[c], largest[c]);
                product[c] = S::mul(product[c], total[c]);
            }
        }
    }
    let mut sum = S::splat(0.0);
    for c in 0..C {
        sum = S::add(sum, S::add(tops[c], log_or_nan::<S>(product[c])));
    }
    S::sum(sum)
}

/// A sum that is not a number must stay one: its exponent and mantissa need not say so.
#[inline(always)]
fn log_or_nan<S: Simd>(x: S::V) -> S::V {
    S::if_nan(x, x, log::<S>(x))
}

kernel! {
    /// Replaces `logs` (component-major: component k at `logs[k * TILE..][..n]`) by the softmax over components of
    /// `logs + log_weights`, and writes log Σ exp of that into `out` ([`TILE`] values). A row whose entries are all −∞ or
    /// hold a NaN gives NaN responsibilities: the caller decides what such a row means. Entries past row `n` are scratch.
    ///
    /// Where an entry is below the row's largest by more than −`lowest`, its responsibility is exactly 0 and the sum goes without
    /// it: the sum errs by less than K·exp(`lowest`), relative. With [`LOWEST`] nothing but denormal numbers is left out.
    ///
    /// Work: N·K exponentials.
    pub fn softmax(logs: &mut [f64], n: usize, log_weights: &[f64], lowest: f64, out: &mut [f64]) = softmax_body
}

kernel! {
    /// As [`softmax`], but returns the sum over the rows of log Σ exp: one logarithm in place of one per row. Not a number where
    /// a row gives NaN responsibilities.
    pub fn softmax_total(logs: &mut [f64], n: usize, log_weights: &[f64], lowest: f64) -> f64 = softmax_total_body
}

#[inline(always)]
fn thresholds_body<S: Simd>(logs: &[f64], log_weight: f64, below: f64, largest: &mut [f64], thresholds: &mut [f64]) {
    let (weight, below) = (S::splat(log_weight), S::splat(below));
    let vectors = logs.chunks_exact(S::LANES).zip(largest.chunks_exact_mut(S::LANES));
    for ((log, largest), threshold) in vectors.zip(thresholds.chunks_exact_mut(S::LANES)) {
        let top = S::max(S::add(S::load(log), weight), S::load(largest));
        S::store(largest, top);
        S::store(threshold, S::add(top, below));
    }
}

kernel! {
    /// Raises each row's `largest` to one component's `logs + log_weight`, and sets `thresholds` to that plus `below`; [`TILE`] values
    /// each.
    pub fn thresholds(logs: &[f64], log_weight: f64, below: f64, largest: &mut [f64], thresholds: &mut [f64]) = thresholds_body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Isa;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sums_to_one_and_shifts(n in 1usize..60, k in 1usize..6, raw in proptest::collection::vec(-900.0f64..900.0, 360), lw in proptest::collection::vec(-9.0f64..0.0, 6), lowest in prop_oneof![Just(LOWEST), Just(-60.0)]) {
            for isa in Isa::available() {
                let mut logs = vec![f64::NAN; k * TILE];
                for c in 0..k { for t in 0..n { logs[c * TILE + t] = raw[t * 6 + c]; } }
                let (mut out, mut again) = (vec![0.0; TILE], logs.clone());
                softmax(isa, &mut logs, n, &lw[..k], lowest, &mut out);
                let total = softmax_total(isa, &mut again, n, &lw[..k], lowest);
                // 60 terms of up to 909: some 10 roundings of their sum.
                prop_assert!((total - out[..n].iter().sum::<f64>()).abs() < 1e-10);
                for t in 0..n {
                    (0..k).for_each(|c| assert_eq!(logs[c * TILE + t].to_bits(), again[c * TILE + t].to_bits()));
                    let row: Vec<f64> = (0..k).map(|c| raw[t * 6 + c] + lw[c]).collect();
                    let top = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    let total: f64 = row.iter().map(|v| (v - top).exp()).sum();
                    prop_assert!((out[t] - (top + total.ln())).abs() < 1e-12 * 900.0);
                    for c in 0..k {
                        // exp is within 3e-16 and the division within 2 roundings; 1e-15 absolute since r ≤ 1.
                        prop_assert!((logs[c * TILE + t] - (row[c] - top).exp() / total).abs() < 2e-15);
                        prop_assert_eq!(logs[c * TILE + t] == 0.0, row[c] - top < lowest);
                    }
                }
            }
        }
    }

    #[test]
    fn rows_without_a_density_are_not_a_number() {
        for isa in Isa::available() {
            let mut logs = vec![0.0; 2 * TILE];
            for (t, v) in [f64::NEG_INFINITY, f64::NAN, -1e300].into_iter().enumerate() {
                logs[t] = v;
                logs[TILE + t] = v;
            }
            let mut out = vec![0.0; TILE];
            softmax(isa, &mut logs, 3, &[0.0, 0.0], LOWEST, &mut out);
            assert!(
                out[0].is_nan() && out[1].is_nan() && logs[0].is_nan() && logs[TILE + 1].is_nan(),
                "{}",
                isa.name()
            );
            assert_eq!((out[2], logs[2]), (-1e300, 0.5));
            for (bad, n) in [(0, 24), (30, 50), (49, 50)] {
                let mut logs = vec![0.0; 2 * TILE];
                (logs[bad], logs[TILE + bad]) = (f64::NEG_INFINITY, f64::NEG_INFINITY);
                assert!(softmax_total(isa, &mut logs, n, &[0.0, 0.0], LOWEST).is_nan());
                assert_eq!((logs[bad].is_nan(), logs[bad + 1]), (true, 0.5));
            }
        }
    }
}
