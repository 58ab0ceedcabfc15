//! Responsibilities and log-normalisers of a tile: log-sum-exp over components, rows along the lanes.

use crate::TILE;
use crate::exp::{LOWEST, exp, log};
use crate::simd::{Simd, kernel};

#[inline(always)]
fn softmax_body<S: Simd>(logs: &mut [f64], n: usize, log_weights: &[f64], lowest: f64, out: &mut [f64]) {
    match S::ROWS {
        2 => blocks::<S, 2>(logs, n, log_weights, lowest, out),
        _ => blocks::<S, 3>(logs, n, log_weights, lowest, out),
    }
}

#[inline(always)]
fn blocks<S: Simd, const C: usize>(logs: &mut [f64], n: usize, log_weights: &[f64], lowest: f64, out: &mut [f64]) {
    let (block, lowest) = (C * S::LANES, S::splat(lowest.max(LOWEST)));
    for row in (0..n).step_by(block) {
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
            // A sum that is not a number must stay one: its exponent and mantissa need not say so.
            let l = S::if_nan(total[c], total[c], log::<S>(total[c]));
            S::store(&mut out[row + c * S::LANES..], S::add(largest[c], l));
        }
    }
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
                let mut out = vec![0.0; TILE];
                softmax(isa, &mut logs, n, &lw[..k], lowest, &mut out);
                for t in 0..n {
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
        }
    }
}
