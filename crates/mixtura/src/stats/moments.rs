//! Weighted first and second moments of each component about a pivot: additive like raw sums, safe like Welford's.

use mixtura_kernels::cholesky::{at, packed_len};

use super::Statistic;

/// Which second moments are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// The symmetric matrix, lower triangle packed by rows.
    Full,
    /// Its diagonal.
    Diagonal,
}

impl Layout {
    /// Numbers per component.
    pub fn len(self, n_features: usize) -> usize {
        match self {
            Layout::Full => packed_len(n_features),
            Layout::Diagonal => n_features,
        }
    }
}

/// For each component k with pivot c: Σr, Σr(x−c) and Σr(x−c)(x−c)ᵀ (or its diagonal).
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// What second moments are kept.
    pub layout: Layout,
    /// Number of features D.
    pub n_features: usize,
    /// Σr, one per component.
    pub weight: Vec<f64>,
    /// The pivots, K × D.
    pub pivot: Vec<f64>,
    /// Σr(x−c), K × D.
    pub first: Vec<f64>,
    /// Σr(x−c)(x−c)ᵀ, K × `layout.len(D)`.
    pub second: Vec<f64>,
}

impl Moments {
    /// The zero statistic about the given pivots (K × D).
    pub fn new(layout: Layout, n_features: usize, pivot: Vec<f64>) -> Self {
        let k = pivot.len() / n_features;
        Moments {
            layout,
            n_features,
            weight: vec![0.0; k],
            first: vec![0.0; k * n_features],
            second: vec![0.0; k * layout.len(n_features)],
            pivot,
        }
    }

    /// First and second moments of component `k`, to add to.
    pub fn component_mut(&mut self, k: usize) -> (&mut [f64], &mut [f64]) {
        let (d, len) = (self.n_features, self.layout.len(self.n_features));
        (&mut self.first[k * d..][..d], &mut self.second[k * len..][..len])
    }

    /// Mean of component `k` less its pivot, into `mean`, and covariance (or variances), into `covariance`.
    /// The weight must be positive.
    pub fn mean_and_covariance(&self, k: usize, mean: &mut [f64], covariance: &mut [f64]) {
        let (d, len) = (self.n_features, self.layout.len(self.n_features));
        let w = self.weight[k];
        for (m, s) in mean.iter_mut().zip(&self.first[k * d..]) {
            *m = s / w;
        }
        let second = &self.second[k * len..][..len];
        for i in 0..d {
            match self.layout {
                Layout::Diagonal => covariance[i] = (second[i] / w - mean[i] * mean[i]).max(0.0),
                Layout::Full => {
                    for j in 0..=i {
                        covariance[at(i, j)] = second[at(i, j)] / w - mean[i] * mean[j];
                    }
                    covariance[at(i, i)] = covariance[at(i, i)].max(0.0);
                }
            }
        }
    }

    /// Moves the pivot of component `k` to `pivot` without changing what the statistic means.
    fn shift(&mut self, k: usize, pivot: &[f64]) {
        let (d, layout, w) = (self.n_features, self.layout, self.weight[k]);
        let step: Vec<f64> = (0..d).map(|i| self.pivot[k * d + i] - pivot[i]).collect();
        let (first, second) = self.component_mut(k);
        // Σr(x−c′)(x−c′)ᵀ = S₂ + s₁δᵀ + δs₁ᵀ + wδδᵀ with δ = c − c′.
        for i in 0..d {
            match layout {
                Layout::Diagonal => second[i] += step[i] * (2.0 * first[i] + w * step[i]),
                Layout::Full => {
                    for j in 0..=i {
                        second[at(i, j)] += first[i] * step[j] + step[i] * first[j] + w * step[i] * step[j];
                    }
                }
            }
        }
        for i in 0..d {
            first[i] += w * step[i];
        }
        self.pivot[k * d..][..d].copy_from_slice(pivot);
    }
}

impl Statistic for Moments {
    fn clear(&mut self) {
        self.weight.fill(0.0);
        self.first.fill(0.0);
        self.second.fill(0.0);
    }

    /// Statistics of one iteration share their pivots and simply add; others are shifted, exactly, to this one's.
    fn merge(&mut self, other: &Self) {
        let d = self.n_features;
        for k in 0..self.weight.len() {
            if self.pivot[k * d..][..d] != other.pivot[k * d..][..d] {
                let mut moved = other.clone();
                for k in 0..self.weight.len() {
                    moved.shift(k, &self.pivot[k * d..][..d]);
                }
                return self.merge(&moved);
            }
        }
        add(&mut self.weight, &other.weight);
        add(&mut self.first, &other.first);
        add(&mut self.second, &other.second);
    }

    fn scale(&mut self, c: f64) {
        for v in self.weight.iter_mut().chain(&mut self.first).chain(&mut self.second) {
            *v *= c;
        }
    }
}

fn add(to: &mut [f64], from: &[f64]) {
    for (t, f) in to.iter_mut().zip(from) {
        *t += f;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Moments of a few weighted rows about a pivot, by the definition.
    fn moments(rows: &[[f64; 2]], pivot: [f64; 2], layout: Layout) -> Moments {
        let mut m = Moments::new(layout, 2, pivot.to_vec());
        for (n, row) in rows.iter().enumerate() {
            let w = 0.3 + n as f64 * 0.7;
            let c = [row[0] - pivot[0], row[1] - pivot[1]];
            m.weight[0] += w;
            let (first, second) = m.component_mut(0);
            for i in 0..2 {
                first[i] += w * c[i];
                match layout {
                    Layout::Diagonal => second[i] += w * c[i] * c[i],
                    Layout::Full => (0..=i).for_each(|j| second[at(i, j)] += w * c[i] * c[j]),
                }
            }
        }
        m
    }

    #[test]
    fn merging_different_pivots_equals_one_pivot() {
        let rows = [[1.0, 2.0], [3.0, -1.0], [0.5, 0.25], [7.0, 7.5]];
        for layout in [Layout::Full, Layout::Diagonal] {
            let whole = moments(&rows, [1.5, 0.5], layout);
            // The same rows and weights in two parts with different pivots: the second part's weights go on counting.
            let mut a = moments(&rows[..2], [1.5, 0.5], layout);
            let mut b = moments(&rows, [-4.0, 9.0], layout);
            let mut minus = moments(&rows[..2], [-4.0, 9.0], layout);
            minus.scale(-1.0);
            b.merge(&minus);
            a.merge(&b);
            for (x, y) in a.second.iter().zip(&whole.second).chain(a.first.iter().zip(&whole.first)) {
                // Shifting cancels terms of size up to 2.4·11² ≈ 300: 1e-12 is about 15 roundings of those.
                assert!((x - y).abs() < 1e-12, "{x} {y}");
            }
        }
    }
}
