//! EM of every other family against EM written here from the textbook's formulas, in plain loops that share no code with the
//! library: same log-likelihood and same parameters after every iteration.

use mixtura::data::Dense;
use mixtura::family::Emission;
use mixtura::family::bernoulli::Bernoulli;
use mixtura::family::binomial::Binomial;
use mixtura::family::linear::Linear;
use mixtura::model::LatentModel;
use mixtura::{Mixture, Seed};
use mixtura_testkit::golden::assert_close;
use mixtura_testkit::laws::expect;
use mixtura_testkit::rows::{Random, weights};

/// Iterations that are compared.
const ITERATIONS: usize = 8;

/// One E-step: weighted responsibilities (row by row), log-likelihood.
fn e_step(mixing: &[f64], density: impl Fn(usize, usize) -> f64, w: &[f64]) -> (Vec<Vec<f64>>, f64) {
    let mut log_likelihood = 0.0;
    let mut resp = Vec::new();
    for i in 0..w.len() {
        let joint: Vec<f64> = (0..mixing.len()).map(|k| mixing[k] * density(i, k)).collect();
        let total: f64 = joint.iter().sum();
        log_likelihood += w[i] * total.ln();
        resp.push(joint.iter().map(|j| w[i] * j / total).collect());
    }
    (resp, log_likelihood)
}

fn new_mixing(resp: &[Vec<f64>]) -> Vec<f64> {
    let total: f64 = resp.iter().flatten().sum();
    (0..resp[0].len()).map(|k| resp.iter().map(|r| r[k]).sum::<f64>() / total).collect()
}

/// Runs the library's EM beside `step`, which makes one iteration of the oracle's and returns log-likelihood, mixing weights and
/// parameters.
fn side_by_side<E: Emission>(
    what: &str,
    mut model: Mixture<E>,
    rows: &Dense<'_>,
    parameters: impl Fn(&E) -> Vec<f64>,
    mut step: impl FnMut() -> (f64, Vec<f64>, Vec<f64>),
    tolerance: f64,
) {
    for t in 0..ITERATIONS {
        let what = format!("{what}, iteration {t}");
        let e = expect(&model, rows);
        model.m_step(&e.stats).unwrap();
        let (log_likelihood, mixing, want) = step();
        assert_close(&what, &[e.log_likelihood], &[log_likelihood], 1e-13 * log_likelihood.abs().max(100.0) * 10.0);
        assert_close(&what, model.weights(), &mixing, 1e-12);
        assert_close(&what, &parameters(model.emission()), &want, tolerance);
    }
}

/// n! / (h! (n − h)!) as a product of fractions.
fn choose(n: f64, h: f64) -> f64 {
    (1..=h as u64).map(|i| (n - h + i as f64) / i as f64).product()
}

#[test]
fn binomial() {
    // K, most flips, rows: few flips of one kind, other flips in each row, hundreds of flips.
    for (case, (k, most, n)) in [(2, 3, 40), (3, 60, 120), (4, 400, 90)].into_iter().enumerate() {
        let mut r = Random::new(case as u64 + 1);
        let truth: Vec<f64> = (0..k).map(|c| (c as f64 + 0.5) / k as f64).collect();
        let rows: Vec<[f64; 2]> = (0..n)
            .map(|_| {
                let flips = if case == 0 { most } else { 1 + r.below(most) };
                let p = truth[r.below(k)];
                [(0..flips).filter(|_| r.uniform() < p).count() as f64, flips as f64]
            })
            .collect();
        let w = weights(n, 5);
        let (mut mixing, mut p) = (vec![1.0 / k as f64; k], (0..k).map(|c| 0.3 + 0.15 * c as f64).collect::<Vec<_>>());
        let start = Mixture::equal(Binomial::new(p.clone(), None).unwrap());
        let cells = rows.concat();
        let table = Dense::new(&cells[..], 2).unwrap().with_weights(&w[..]).unwrap();
        let step = || {
            let density = |i: usize, k: usize| {
                let [h, n] = rows[i];
                choose(n, h) * p[k].powf(h) * (1.0 - p[k]).powf(n - h)
            };
            let (resp, log_likelihood) = e_step(&mixing, density, &w);
            mixing = new_mixing(&resp);
            let sum = |k: usize, j: usize| rows.iter().zip(&resp).map(|(row, r)| r[k] * row[j]).sum::<f64>();
            p = (0..k).map(|k| sum(k, 0) / sum(k, 1)).collect();
            (log_likelihood, mixing.clone(), p.clone())
        };
        // Powers of up to 400 lose some 400 roundings, 1e-13, in each iteration, and EM contracts.
        side_by_side(&format!("binomial {case}"), start, &table, |b| b.probabilities().to_vec(), step, 1e-11);
    }
}

#[test]
fn bernoulli() {
    // K, D, rows, share of missing cells.
    for (case, (k, d, n, missing)) in [(2, 4, 60, 0.0), (3, 9, 150, 0.25), (2, 3, 7, 0.1)].into_iter().enumerate() {
        let mut r = Random::new(case as u64 + 11);
        let truth: Vec<f64> = (0..k * d).map(|_| r.uniform()).collect();
        let rows: Vec<Vec<f64>> = (0..n)
            .map(|_| {
                let c = r.below(k);
                let cell = |j: usize, r: &mut Random| match (r.uniform() < missing, r.uniform() < truth[c * d + j]) {
                    (true, _) => f64::NAN,
                    (_, yes) => f64::from(u8::from(yes)),
                };
                (0..d).map(|j| cell(j, &mut r)).collect()
            })
            .collect();
        let w = weights(n, 6);
        let mut mixing = vec![1.0 / k as f64; k];
        let mut p: Vec<f64> = (0..k * d).map(|_| 0.2 + 0.6 * r.uniform()).collect();
        let start = Mixture::equal(Bernoulli::new(d, p.clone()).unwrap());
        let cells = rows.concat();
        let table = Dense::new(&cells[..], d).unwrap().with_weights(&w[..]).unwrap();
        let step = || {
            let density = |i: usize, k: usize| {
                let cell = |j: usize| match rows[i][j] {
                    1.0 => p[k * d + j],
                    0.0 => 1.0 - p[k * d + j],
                    _ => 1.0,
                };
                (0..d).map(cell).product()
            };
            let (resp, log_likelihood) = e_step(&mixing, density, &w);
            mixing = new_mixing(&resp);
            for c in 0..k {
                for j in 0..d {
                    let seen = || rows.iter().zip(&resp).filter(|(row, _)| !row[j].is_nan());
                    let ones: f64 = seen().filter(|(row, _)| row[j] == 1.0).map(|(_, r)| r[c]).sum();
                    p[c * d + j] = ones / seen().map(|(_, r)| r[c]).sum::<f64>();
                }
            }
            (log_likelihood, mixing.clone(), p.clone())
        };
        // A hundred additions of numbers below 1, and EM contracts.
        let all = |b: &Bernoulli| (0..k).flat_map(|c| b.probabilities(c).to_vec()).collect();
        side_by_side(&format!("bernoulli {case}"), start, &table, all, step, 1e-12);
    }
}

/// b with XᵀWX b = XᵀWy, by Gauss–Jordan elimination.
fn least_squares(x: &[Vec<f64>], y: &[f64], w: &[f64]) -> Vec<f64> {
    let p = x[0].len();
    let mut a = vec![vec![0.0; p + 1]; p];
    for ((x, y), w) in x.iter().zip(y).zip(w) {
        for i in 0..p {
            (0..p).for_each(|j| a[i][j] += w * x[i] * x[j]);
            a[i][p] += w * x[i] * y;
        }
    }
    for c in 0..p {
        let best = (c..p).max_by(|&i, &j| a[i][c].abs().total_cmp(&a[j][c].abs())).unwrap();
        a.swap(c, best);
        let pivot = a[c].clone();
        for (i, row) in a.iter_mut().enumerate() {
            if i != c {
                let f = row[c] / pivot[c];
                row.iter_mut().zip(&pivot).for_each(|(x, p)| *x -= f * p);
            }
        }
    }
    (0..p).map(|i| a[i][p] / a[i][i]).collect()
}

#[test]
fn linear() {
    // K, P, rows, intercept.
    for (case, (k, p, n, intercept)) in
        [(1, 2, 50, true), (2, 1, 90, true), (3, 3, 200, true), (2, 2, 80, false)].into_iter().enumerate()
    {
        let mut r = Random::new(case as u64 + 21);
        let width = p + usize::from(intercept);
        let coefficient: Vec<f64> = (0..k * width).map(|_| 3.0 * r.normal()).collect();
        let truth = Linear::new(intercept, p, coefficient, vec![0.7; k]).unwrap();
        let model = Mixture::equal(truth.clone());
        let mut cells: Vec<f64> = (0..n * (p + 1)).map(|_| r.normal()).collect();
        let mut rng = Seed::new(3).rng();
        cells.chunks_mut(p + 1).for_each(|row| {
            model.sample(&mut rng, row);
        });
        let w = weights(n, 7);
        let table = Dense::new(&cells[..], p + 1).unwrap().with_weights(&w[..]).unwrap();
        let x: Vec<Vec<f64>> = cells
            .chunks(p + 1)
            .map(|row| (intercept.then_some(1.0)).into_iter().chain(row[..p].iter().copied()).collect())
            .collect();
        let y: Vec<f64> = cells.chunks(p + 1).map(|row| row[p]).collect();
        let mut mixing = vec![1.0 / k as f64; k];
        let mut b: Vec<Vec<f64>> =
            (0..k).map(|c| truth.coefficients(c).iter().map(|v| v + 0.5 * r.normal()).collect()).collect();
        let mut variance = vec![2.0; k];
        let start = Linear::new(intercept, p, b.concat(), variance.clone()).unwrap();
        let step = || {
            let residual = |b: &[f64], i: usize| y[i] - x[i].iter().zip(b).map(|(x, b)| x * b).sum::<f64>();
            let density = |i: usize, k: usize| {
                (-residual(&b[k], i).powi(2) / (2.0 * variance[k])).exp() / (std::f64::consts::TAU * variance[k]).sqrt()
            };
            let (resp, log_likelihood) = e_step(&mixing, density, &w);
            mixing = new_mixing(&resp);
            for c in 0..k {
                let own: Vec<f64> = resp.iter().map(|r| r[c]).collect();
                b[c] = least_squares(&x, &y, &own);
                let squares: f64 = (0..n).map(|i| own[i] * residual(&b[c], i).powi(2)).sum();
                variance[c] = squares / own.iter().sum::<f64>();
            }
            let parameters = b.iter().flatten().chain(&variance).copied().collect();
            (log_likelihood, mixing.clone(), parameters)
        };
        let all = |l: &Linear| {
            let coefficients = (0..k).flat_map(|c| l.coefficients(c));
            coefficients.chain((0..k).map(|c| l.variance(c))).collect()
        };
        // Normal equations of condition below 100 in both.
        side_by_side(&format!("linear {case}"), Mixture::equal(start), &table, all, step, 1e-11);
    }
}
