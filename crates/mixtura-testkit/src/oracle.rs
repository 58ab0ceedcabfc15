//! Oracles that share no code with the library: plain formulas on plain vectors, as slow as they like.

/// Determinant and solution of A·X = B (columns of B) by Gaussian elimination with partial pivoting.
fn eliminate(a: &[f64], n: usize, b: &[f64], m: usize) -> (f64, Vec<f64>) {
    let (mut a, mut b) = (a.to_vec(), b.to_vec());
    let mut determinant = 1.0;
    for c in 0..n {
        let p = (c..n).max_by(|&i, &j| a[i * n + c].abs().total_cmp(&a[j * n + c].abs())).expect("a row");
        if p != c {
            (0..n).for_each(|j| a.swap(p * n + j, c * n + j));
            (0..m).for_each(|j| b.swap(p * m + j, c * m + j));
            determinant = -determinant;
        }
        determinant *= a[c * n + c];
        for i in 0..n {
            if i != c {
                let f = a[i * n + c] / a[c * n + c];
                (c..n).for_each(|j| a[i * n + j] -= f * a[c * n + j]);
                (0..m).for_each(|j| b[i * m + j] -= f * b[c * m + j]);
            }
        }
    }
    for i in 0..n {
        (0..m).for_each(|j| b[i * m + j] /= a[i * n + i]);
    }
    (determinant, b)
}

/// log N(x; mean, covariance) over the cells of `x` that are not NaN (0 if there are none).
pub fn gaussian_log_density(x: &[f64], mean: &[f64], covariance: &[f64]) -> f64 {
    let d = x.len();
    let seen: Vec<usize> = (0..d).filter(|&j| !x[j].is_nan()).collect();
    let n = seen.len();
    let a: Vec<f64> = seen.iter().flat_map(|&i| seen.iter().map(move |&j| covariance[i * d + j])).collect();
    let b: Vec<f64> = seen.iter().map(|&j| x[j] - mean[j]).collect();
    let (determinant, solution) = eliminate(&a, n, &b, 1);
    let q: f64 = b.iter().zip(&solution).map(|(u, v)| u * v).sum();
    -0.5 * (n as f64 * std::f64::consts::TAU.ln() + determinant.ln() + q)
}

/// log Σ exp by the definition, after taking out the largest.
pub fn log_sum_exp(values: &[f64]) -> f64 {
    let top = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    top + values.iter().map(|v| (v - top).exp()).sum::<f64>().ln()
}

/// Log-likelihood of one sequence under an HMM by enumeration of all state paths, and the posterior of each state at
/// each time (T × K). `log_emission` is T × K.
pub fn hmm_by_enumeration(initial: &[f64], transition: &[f64], log_emission: &[f64]) -> (f64, Vec<f64>) {
    let k = initial.len();
    let t = log_emission.len() / k;
    let n_paths = k.pow(t as u32);
    let mut terms = Vec::with_capacity(n_paths);
    let state = |path: usize, s: usize| path / k.pow(s as u32) % k;
    for path in 0..n_paths {
        let mut p = initial[state(path, 0)].ln() + log_emission[state(path, 0)];
        for s in 1..t {
            p += transition[state(path, s - 1) * k + state(path, s)].ln() + log_emission[s * k + state(path, s)];
        }
        terms.push(p);
    }
    let total = log_sum_exp(&terms);
    let mut posterior = vec![0.0; t * k];
    for (path, term) in terms.iter().enumerate() {
        (0..t).for_each(|s| posterior[s * k + state(path, s)] += (term - total).exp());
    }
    (total, posterior)
}

/// Solution of the linear equations A·x = b, A row-major.
pub fn solve(a: &[f64], b: &[f64]) -> Vec<f64> {
    eliminate(a, b.len(), b, 1).1
}

/// Climbs a smooth function by a pattern search: a step along each axis both ways, twice as far after a success, half as
/// far after none. Slow and without any derivative; ends where steps of 1e-9 no longer help.
pub fn climb(f: impl Fn(&[f64]) -> f64, start: &[f64]) -> (Vec<f64>, f64) {
    let (mut x, mut best) = (start.to_vec(), f(start));
    let mut step = vec![0.5; x.len()];
    while step.iter().any(|s| *s > 1e-9) {
        for j in 0..x.len() {
            let mut moved = false;
            for sign in [1.0, -1.0] {
                let mut y = x.clone();
                y[j] += sign * step[j];
                let value = f(&y);
                if value > best {
                    (x, best, moved) = (y, value, true);
                    break;
                }
            }
            step[j] *= if moved { 2.0 } else { 0.5 };
        }
    }
    (x, best)
}

/// ∫ f over an interval by the composite Simpson rule.
pub fn simpson(f: impl Fn(f64) -> f64, from: f64, to: f64, pieces: usize) -> f64 {
    let h = (to - from) / (2 * pieces) as f64;
    let term =
        |i: usize| f(from + h * i as f64) * if i == 0 || i == 2 * pieces { 1.0 } else { 2.0 + 2.0 * (i % 2) as f64 };
    (0..=2 * pieces).map(term).sum::<f64>() * h / 3.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elimination_solves_by_hand() {
        // [2 1; 1 3] x = [3; 5] has x = (4/5, 7/5) and determinant 5.
        let (det, x) = eliminate(&[2.0, 1.0, 1.0, 3.0], 2, &[3.0, 5.0], 1);
        assert!((det - 5.0).abs() < 1e-15 && (x[0] - 0.8).abs() < 1e-15 && (x[1] - 1.4).abs() < 1e-15);
    }

    #[test]
    fn standard_normal_at_its_mean() {
        assert!((gaussian_log_density(&[0.0], &[0.0], &[1.0]) + 0.918_938_533_204_672_7).abs() < 1e-15);
    }
}
