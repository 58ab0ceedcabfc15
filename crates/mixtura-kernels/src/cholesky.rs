//! Cholesky factors of small symmetric matrices, lower triangle packed by rows: element (i, j ≤ i) at i(i+1)/2 + j.

/// Position of element (i, j), j ≤ i, in a packed lower triangle.
#[inline(always)]
pub fn at(i: usize, j: usize) -> usize {
    debug_assert!(j <= i);
    i * (i + 1) / 2 + j
}

/// Number of elements of a packed lower triangle of order `n`.
#[inline(always)]
pub fn packed_len(n: usize) -> usize {
    n * (n + 1) / 2
}

/// Replaces the packed matrix by its Cholesky factor L (A = L·Lᵀ).
///
/// # Errors
/// The first row whose pivot is not a positive finite number; the matrix is then partly overwritten.
pub fn factor(a: &mut [f64], n: usize) -> Result<(), usize> {
    (0..n).try_for_each(|i| factor_row(a, i))
}

/// Row `i` of [`factor`]; the rows above have theirs.
///
/// # Errors
/// `i`, if its pivot is not a positive finite number.
pub fn factor_row(a: &mut [f64], i: usize) -> Result<(), usize> {
    let (above, row) = a.split_at_mut(at(i, 0));
    for j in 0..i {
        let other = &above[at(j, 0)..=at(j, j)];
        let s = dot(&row[..j], &other[..j]);
        row[j] = (row[j] - s) / other[j];
    }
    let pivot = row[i] - dot(&row[..i], &row[..i]);
    if !(pivot > 0.0 && pivot.is_finite()) {
        return Err(i);
    }
    row[i] = pivot.sqrt();
    Ok(())
}

/// Writes the inverse of the packed lower triangle `l` into `inv`.
pub fn invert_lower(l: &[f64], n: usize, inv: &mut [f64]) {
    for i in 0..n {
        let diagonal = 1.0 / l[at(i, i)];
        let (above, row) = inv.split_at_mut(at(i, 0));
        row[..i].fill(0.0);
        for m in 0..i {
            let factor = l[at(i, m)];
            row.iter_mut().zip(&above[at(m, 0)..=at(m, m)]).for_each(|(s, x)| *s += factor * x);
        }
        row[..i].iter_mut().for_each(|s| *s *= -diagonal);
        row[i] = diagonal;
    }
}

/// log |det A| of the matrix whose Cholesky factor is `l`: twice the sum of the logs of the diagonal.
pub fn log_determinant(l: &[f64], n: usize) -> f64 {
    2.0 * (0..n).map(|i| l[at(i, i)].ln()).sum::<f64>()
}

/// Eight sums side by side: one addition need not wait for another.
#[inline(always)]
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (mut sums, (a8, b8)) = ([0.0; 8], (a.chunks_exact(8), b.chunks_exact(8)));
    let rest: f64 = a8.remainder().iter().zip(b8.remainder()).map(|(x, y)| x * y).sum();
    for (a, b) in a8.zip(b8) {
        (0..8).for_each(|n| sums[n] += a[n] * b[n]);
    }
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn factor_and_inverse_reproduce_the_matrix(n in 1usize..9, seed in proptest::collection::vec(-1.0f64..1.0, 45)) {
            // A = B·Bᵀ + I with B lower: positive definite with a condition number below about 1e3.
            let b = &seed[..packed_len(n)];
            let mut a = vec![0.0; packed_len(n)];
            for i in 0..n {
                for j in 0..=i {
                    a[at(i, j)] = (0..=j).map(|m| b[at(i, m)] * b[at(j, m)]).sum::<f64>() + f64::from(u8::from(i == j));
                }
            }
            let mut l = a.clone();
            factor(&mut l, n).unwrap();
            let mut inv = vec![0.0; packed_len(n)];
            invert_lower(&l, n, &mut inv);
            for i in 0..n {
                for j in 0..=i {
                    let back: f64 = (0..=j).map(|m| l[at(i, m)] * l[at(j, m)]).sum();
                    // Backward error of Cholesky: about n·eps·‖A‖; 1e-13 leaves a factor of 50.
                    prop_assert!((back - a[at(i, j)]).abs() < 1e-13 * 10.0);
                    let unit: f64 = (j..=i).map(|m| l[at(i, m)] * inv[at(m, j)]).sum();
                    prop_assert!((unit - f64::from(u8::from(i == j))).abs() < 1e-12);
                }
            }
        }
    }

    #[test]
    fn refuses_what_is_not_positive_definite() {
        assert_eq!(factor(&mut [1.0, 2.0, 1.0], 2), Err(1));
        assert_eq!(factor(&mut [0.0], 1), Err(0));
        assert_eq!(factor(&mut [f64::NAN], 1), Err(0));
        assert_eq!(factor(&mut [f64::INFINITY], 1), Err(0));
    }
}
