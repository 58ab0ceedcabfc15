//! Passes with bounds against plain ones.

use mixtura_testkit::rows::Random;

use super::*;
use crate::data::Dense;
use crate::{KMeans, Seed};

/// What Lloyd's iterations have reached.
#[derive(Debug, PartialEq)]
struct State {
    assigned: Vec<u32>,
    centers: Vec<f64>,
    inertia: f64,
    counts: Vec<f64>,
}

/// Lloyd's iterations as they stand in the textbook, with no bound: the state after each of at most `limit` (the rows are
/// those of weight above 0). Squares are summed as the kernel's path does, fused or not: which of two centres is nearer may
/// hang on it. Sums are of chunks, as `Source` promises.
fn plain(rows: &[Vec<f64>], weights: &[f64], mut centers: Vec<Vec<f64>>, limit: usize) -> Vec<State> {
    let fused = Isa::detect().name() != "portable" || cfg!(target_arch = "aarch64");
    let square = |x: &[f64], c: &[f64]| {
        x.iter().zip(c).fold(0.0, |sum: f64, (x, c)| {
            let d: f64 = x - c;
            if fused { d.mul_add(d, sum) } else { sum + d * d }
        })
    };
    let (k, d) = (centers.len(), rows[0].len());
    let mut states: Vec<State> = Vec::new();
    loop {
        let (mut assigned, mut distance) = (vec![0_u32; rows.len()], vec![f64::INFINITY; rows.len()]);
        for i in 0..rows.len() {
            for c in 0..k {
                let s = square(&rows[i], &centers[c]);
                if s < distance[i] {
                    (assigned[i], distance[i]) = (c as u32, s);
                }
            }
        }
        let (mut inertia, mut counts, mut sums) = (0.0, vec![0.0; k], vec![vec![0.0; d]; k]);
        for from in (0..rows.len()).step_by(CHUNK_ROWS) {
            let (mut i_chunk, mut n_chunk, mut s_chunk) = (0.0, vec![0.0; k], vec![vec![0.0; d]; k]);
            for i in from..rows.len().min(from + CHUNK_ROWS) {
                let c = assigned[i] as usize;
                i_chunk += weights[i] * distance[i];
                n_chunk[c] += weights[i];
                (0..d).for_each(|j| s_chunk[c][j] += weights[i] * (rows[i][j] - centers[c][j]));
            }
            inertia += i_chunk;
            for c in 0..k {
                counts[c] += n_chunk[c];
                (0..d).for_each(|j| sums[c][j] += s_chunk[c][j]);
            }
        }
        let same = states.last().is_some_and(|s| s.assigned == assigned);
        states.push(State { assigned: assigned.clone(), centers: centers.concat(), inertia, counts: counts.clone() });
        if same || states.len() > limit {
            return states;
        }
        let (old, mut taken) = (centers.clone(), Vec::new());
        let empty: Vec<usize> = (0..k).filter(|&c| counts[c] == 0.0).collect();
        for &c in &empty {
            let far = |i: usize| {
                let own = &old[assigned[i] as usize];
                rows[i].iter().zip(own).map(|(x, c)| (x - c) * (x - c)).sum::<f64>()
            };
            let free = (0..rows.len()).filter(|i| !taken.iter().any(|(_, t)| t == i));
            let (i, most) = free.fold((0, 0.0), |(b, most), i| if far(i) > most { (i, far(i)) } else { (b, most) });
            if most > 0.0 {
                let own = assigned[i] as usize;
                counts[own] -= weights[i];
                (0..d).for_each(|j| sums[own][j] -= weights[i] * (rows[i][j] - old[own][j]));
                taken.push((c, i));
            }
        }
        for c in (0..k).filter(|&c| counts[c] > 0.0) {
            (0..d).for_each(|j| centers[c][j] += sums[c][j] / counts[c]);
        }
        taken.into_iter().for_each(|(c, i)| centers[c] = rows[i].clone());
    }
}

/// Rows of one of several kinds, each nasty in its own way.
fn nasty(kind: usize, n: usize, d: usize, r: &mut Random) -> Vec<Vec<f64>> {
    let of = |r: &mut Random, i: usize| match kind {
        // Clusters that overlap: some hundred iterations.
        0 => r.normal() + 1.5 * (i % 5) as f64,
        // A small grid: duplicates, and ties on every line between two centres.
        1 => r.below(4) as f64,
        // Nearly ties: a grid with noise in the last places.
        2 => (r.below(4) as f64) * (1.0 + 1e-15 * r.normal()),
        // Far from zero: distances carry nothing but rounding.
        3 => 1e8 + r.normal() * 1e-7,
        // Squares underflow, wholly or in part.
        4 => r.normal() * 1e-300,
        5 => r.normal() * [1e-161, 1e-155][i % 2],
        // Squares come near to the largest number.
        6 => r.normal() * 1e153,
        // One heavy tail: centres that jump.
        _ => r.normal() / (1e-3 + r.uniform()),
    };
    let shared = r.below(3) == 0;
    (0..n)
        .map(|i| {
            // Some tables have all rows on one line.
            let x = of(r, i);
            (0..d).map(|j| if shared { x * (j + 1) as f64 } else { of(r, i + j) }).collect()
        })
        .collect()
}

#[test]
fn bounds_change_no_bit_of_any_iteration() {
    let mut r = Random::new(5);
    let mut left_out = 0;
    for case in 0..160 {
        let (kind, d) = (case % 8, 1 + r.below(9));
        // Every so often several chunks, the last one short.
        let n = if case % 40 == 0 { CHUNK_ROWS + 777 } else { 1 + r.below(300) };
        let k = 1 + r.below(if case % 3 == 0 { 24 } else { 6 });
        let all = nasty(kind, n, d, &mut r);
        let mut weights: Vec<f64> = (0..n).map(|_| [0.0, 1.0, 0.3 + r.uniform()][r.below(3)]).collect();
        weights[0] = 1.0;
        // More centres than rows, equal centres, a centre that owns nothing.
        let mut start: Vec<Vec<f64>> = (0..k).map(|_| all[r.below(n)].clone()).collect();
        if k > 3 {
            start[1] = start[0].clone();
            start[2] = start[0].iter().map(|x| x * 3.0).collect();
        }
        let used: Vec<usize> = (0..n).filter(|&i| weights[i] > 0.0).collect();
        let (rows, w): (Vec<_>, Vec<_>) = used.iter().map(|&i| (all[i].clone(), weights[i])).unzip();
        let data = Dense::new(all.concat(), d).unwrap().with_weights(weights.clone()).unwrap();
        let limit = 60;
        let states = plain(&rows, &w, start.clone(), limit);
        let of = |max_iter| KMeans { max_iter, seed: Seed::new(0), ..KMeans::new(k) }.lloyd(&data, start.concat());
        let last = states.len() - 1;
        if states.iter().any(|s| !s.inertia.is_finite()) {
            continue;
        }
        // Whole runs, one cut short ...
        for t in [last / 2, last] {
            let (fit, assigned) = of(t).unwrap();
            let found = State { assigned, centers: fit.centers, inertia: fit.inertia, counts: fit.counts };
            assert_eq!(found, states[t], "case {case}, kind {kind}, {n} x {d}, K {k}, iteration {t} of {last}");
        }
        // ... and every pass.
        let mut partition = Partition::new(rows.len(), k);
        let mut centers = start.concat();
        for (t, expected) in states.iter().enumerate() {
            let pass = assign(&data, &centers, &mut partition, false).unwrap();
            left_out += usize::from(pass.inertia.is_none());
            assert_eq!(partition.assigned, expected.assigned, "case {case}, kind {kind}, K {k}, bounded pass {t}");
            assert_eq!((&centers, &pass.counts), (&expected.centers, &expected.counts), "case {case}, pass {t}");
            centers = pass.means(&centers, &data, &mut partition).unwrap();
        }
    }
    // The bounds were at work: a test of none would pass, too.
    assert!(left_out > 100, "{left_out}");
}

#[test]
fn two_centres_that_meet_at_the_bound() {
    let mut r = Random::new(3);
    for case in 0..3000 {
        // The rows at the origin, their own centre on one side at distance a, the other, which wins ties, on the other at b.
        let u: [f64; 3] = std::array::from_fn(|_| r.normal());
        let a = 0.5 + r.uniform();
        // Where b is little more than a, their rounding is a large share of b − a.
        let b = a * (1.0 + 10_f64.powf(-12.0 * r.uniform()));
        let at = |other: f64, own: f64| [u.map(|x| x * other), u.map(|x| x * -own)].concat();
        let data = Dense::new(vec![0.0; 24], 3).unwrap();
        let (old, middle) = (at(b, a), 0.5 * (a + b));
        let mut partition = Partition::new(8, 2);
        for _ in 0..3 {
            assign(&data, &old, &mut partition, false).unwrap();
        }
        assert_eq!(partition.assigned, [1; 8]);
        // They move straight at the rows and away, by all that the bound allows, give or take the last places.
        let new = at(middle, middle * (1.0 + f64::EPSILON * (r.below(7) as f64 - 3.0)));
        partition.shift(&old, &new);
        assign(&data, &new, &mut partition, false).unwrap();
        let mut plain = Partition::new(8, 2);
        assign(&data, &new, &mut plain, false).unwrap();
        assert_eq!(partition.assigned, plain.assigned, "case {case}");
    }
}
