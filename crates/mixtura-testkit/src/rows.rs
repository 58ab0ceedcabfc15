//! Seeded data for tests, by a generator of its own, and agreement between labelings.

/// A small generator (xorshift64*) so that the data of a test do not depend on the library's streams.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A stream for a seed.
    pub fn new(seed: u64) -> Self {
        let mut r = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        (0..8).for_each(|_| {
            r.uniform();
        });
        r
    }

    /// Uniform in [0, 1).
    pub fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Standard normal (Box–Muller).
    pub fn normal(&mut self) -> f64 {
        let (u, v) = (1.0 - self.uniform(), self.uniform());
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }

    /// Uniform in 0..n.
    pub fn below(&mut self, n: usize) -> usize {
        (self.uniform() * n as f64) as usize
    }
}

/// Rows of `k` well-separated round clusters in `d` dimensions, row-major, with their labels.
pub fn clusters(seed: u64, n: usize, k: usize, d: usize) -> (Vec<f64>, Vec<i32>) {
    let mut r = Random::new(seed);
    let centers: Vec<f64> =
        (0..k * d).map(|i| 6.0 * ((i / d) as f64) * if (i % d).is_multiple_of(2) { 1.0 } else { -0.5 }).collect();
    let mut values = Vec::with_capacity(n * d);
    let mut labels = Vec::with_capacity(n);
    for _ in 0..n {
        let c = r.below(k);
        labels.push(c as i32);
        (0..d).for_each(|j| values.push(centers[c * d + j] + r.normal() * (1.0 + 0.3 * j as f64)));
    }
    (values, labels)
}

/// Row weights 0.5 to 3, in no periodic order.
pub fn weights(n: usize, seed: u64) -> Vec<f64> {
    let mut r = Random::new(seed);
    (0..n).map(|_| 0.5 + 2.5 * r.uniform()).collect()
}

/// Random responsibilities, rows × K.
pub fn responsibilities(n: usize, k: usize, seed: u64) -> Vec<f64> {
    let mut r = Random::new(seed);
    let row = |r: &mut Random| {
        let raw: Vec<f64> = (0..k).map(|_| -(1.0 - r.uniform()).ln()).collect();
        let total: f64 = raw.iter().sum();
        raw.into_iter().map(move |v| v / total).collect::<Vec<f64>>()
    };
    (0..n).flat_map(|_| row(&mut r)).collect()
}

/// Adjusted Rand index (Hubert & Arabie 1985) of two labelings.
pub fn adjusted_rand(a: &[i32], b: &[i32]) -> f64 {
    let pairs = |n: f64| n * (n - 1.0) / 2.0;
    let mut table = std::collections::HashMap::new();
    let (mut rows, mut columns) = (std::collections::HashMap::new(), std::collections::HashMap::new());
    for (x, y) in a.iter().zip(b) {
        *table.entry((x, y)).or_insert(0.0) += 1.0;
        *rows.entry(x).or_insert(0.0) += 1.0;
        *columns.entry(y).or_insert(0.0) += 1.0;
    }
    let sum = |values: Vec<f64>| values.into_iter().map(pairs).sum::<f64>();
    let (cells, r, c) = (
        sum(table.values().copied().collect()),
        sum(rows.values().copied().collect()),
        sum(columns.values().copied().collect()),
    );
    let expected = r * c / pairs(a.len() as f64);
    let most = 0.5 * (r + c);
    if most == expected { 1.0 } else { (cells - expected) / (most - expected) }
}
