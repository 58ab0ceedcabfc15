//! Responsibilities and log-normalisers of a tile: log-sum-exp over components, rows along the lanes.

use crate::TILE;
use crate::exp::exp_one;
use crate::simd::kernel;

#[inline(always)]
fn softmax_body<const FMA: bool, const L: usize>(logs: &mut [f64], n: usize, n_components: usize, out: &mut [f64]) {
    let mut largest = [f64::NEG_INFINITY; TILE];
    for k in 0..n_components {
        for (m, &v) in largest[..n].iter_mut().zip(&logs[k * TILE..][..n]) {
            *m = if v > *m { v } else { *m };
        }
    }
    let mut total = [0.0; TILE];
    for k in 0..n_components {
        let line = &mut logs[k * TILE..][..n];
        for t in 0..n {
            line[t] = exp_one::<FMA>(line[t] - largest[t]);
            total[t] += line[t];
        }
    }
    let mut inverse = [0.0; TILE];
    for t in 0..n {
        inverse[t] = 1.0 / total[t];
    }
    for k in 0..n_components {
        let line = &mut logs[k * TILE..][..n];
        for t in 0..n {
            line[t] *= inverse[t];
        }
    }
    for t in 0..n {
        out[t] = largest[t] + total[t].ln();
    }
}

kernel! {
    /// Replaces `logs` (component-major: component k at `logs[k * TILE..][..n]`) by its softmax over components and
    /// writes log Σ exp into `out`. A row whose entries are all −∞ or hold a NaN gives NaN responsibilities: the
    /// caller decides what such a row means.
    pub fn softmax(logs: &mut [f64], n: usize, n_components: usize, out: &mut [f64]) = softmax_body, lanes 8 / 8 / 8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Isa;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sums_to_one_and_shifts(n in 1usize..20, k in 1usize..6, raw in proptest::collection::vec(-900.0f64..900.0, 120)) {
            for isa in Isa::available() {
                let mut logs = vec![0.0; k * TILE];
                for c in 0..k { for t in 0..n { logs[c * TILE + t] = raw[t * 6 + c]; } }
                let mut out = vec![0.0; TILE];
                softmax(isa, &mut logs, n, k, &mut out);
                for t in 0..n {
                    let row = &raw[t * 6..][..k];
                    let top = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    let total: f64 = row.iter().map(|v| (v - top).exp()).sum();
                    prop_assert!((out[t] - (top + total.ln())).abs() < 1e-12 * 900.0);
                    for c in 0..k {
                        // exp is within 4e-16 and the division within 2 roundings; 1e-15 absolute since r ≤ 1.
                        prop_assert!((logs[c * TILE + t] - (row[c] - top).exp() / total).abs() < 2e-15);
                    }
                }
            }
        }
    }
}
