//! The laws of every family of the catalog but the Gaussian one (`laws.rs`), and what only some of them have.

use mixtura::data::{Dense, Rows};
use mixtura::family::bernoulli::Bernoulli;
use mixtura::family::binomial::Binomial;
use mixtura::family::linear::Linear;
use mixtura::family::{Emission, TILE};
use mixtura::{Mixture, Seed, catalog};
use mixtura_testkit::laws;
use mixtura_testkit::rows::Random;

/// Rows of a mixture; cells that it does not explain are read from `rows`.
fn draw<E: Emission>(model: &Mixture<E>, mut rows: Vec<f64>, seed: u64) -> Vec<f64> {
    let mut rng = Seed::new(seed).rng();
    rows.chunks_mut(model.emission().n_features()).for_each(|row| {
        model.sample(&mut rng, row);
    });
    rows
}

fn weights(k: usize) -> Vec<f64> {
    let raw: Vec<f64> = (0..k).map(|c| 1.0 + 0.3 * (c as f64)).collect();
    raw.iter().map(|w| w / raw.iter().sum::<f64>()).collect()
}

/// Well apart, so that EM's slowest direction is not all that is tested.
fn binomial(k: usize, flips: Option<u32>) -> Mixture<Binomial> {
    let p = (0..k).map(|c| (c as f64 + 0.7) / (k as f64 + 0.5)).collect();
    Mixture::new(weights(k), Binomial::new(p, flips).unwrap()).unwrap()
}

fn bernoulli(k: usize, d: usize) -> Mixture<Bernoulli> {
    let mut r = Random::new(5);
    let p = (0..k * d).map(|_| if r.uniform() < 0.5 { 0.1 + 0.2 * r.uniform() } else { 0.7 + 0.2 * r.uniform() });
    Mixture::new(weights(k), Bernoulli::new(d, p.collect()).unwrap()).unwrap()
}

fn linear(k: usize, p: usize, intercept: bool) -> Mixture<Linear> {
    let mut r = Random::new(9);
    let coefficients = (0..k * (p + usize::from(intercept))).map(|_| 2.0 * r.normal()).collect();
    let variances = (0..k).map(|c| 0.3 + 0.4 * (c as f64)).collect();
    Mixture::new(weights(k), Linear::new(intercept, p, coefficients, variances).unwrap()).unwrap()
}

/// Correlated covariates about `offset`, and room for the response.
fn covariates(n: usize, p: usize, offset: f64) -> Vec<f64> {
    let mut r = Random::new(10);
    let row = |r: &mut Random| {
        let common = r.normal();
        let cells: Vec<f64> = (0..=p).map(|j| offset + (1.0 + j as f64) * (r.normal() + common)).collect();
        cells
    };
    (0..n).flat_map(|_| row(&mut r)).collect()
}

#[test]
fn laws_of_families() {
    for family in catalog::FAMILIES {
        match family {
            // Its laws are in `laws.rs`, structure by structure.
            "gaussian" => {}
            "binomial" => {
                for (k, n) in [(1, 1), (2, 12), (3, 40)] {
                    let m = binomial(k, Some(n));
                    laws::family(&format!("binomial K={k}, {n} flips"), &m, &draw(&m, vec![0.0; 700], 3));
                }
                let mut r = Random::new(8);
                let rows = (0..700).flat_map(|_| [0.0, (r.below(30) * r.below(40)) as f64]).collect();
                let m = binomial(3, None);
                laws::family("binomial K=3, other flips in every row", &m, &draw(&m, rows, 4));
            }
            "bernoulli" => {
                for (k, d) in [(1, 1), (2, 5), (3, 8)] {
                    let m = bernoulli(k, d);
                    let mut rows = draw(&m, vec![0.0; 700 * d], 5);
                    laws::family(&format!("bernoulli K={k} D={d}"), &m, &rows);
                    let mut r = Random::new(6);
                    rows.iter_mut().filter(|_| r.uniform() < 0.2).for_each(|x| *x = f64::NAN);
                    laws::family(&format!("bernoulli K={k} D={d} with missing cells"), &m, &rows);
                }
            }
            "linear" => {
                for (k, p, intercept) in
                    [(1, 0, true), (2, 0, true), (1, 1, true), (2, 1, true), (3, 3, true), (1, 1, false), (2, 2, false)]
                {
                    let m = linear(k, p, intercept);
                    let mut rows = draw(&m, covariates(700, p, 0.5), 6);
                    let what = format!("linear K={k} P={p}, intercept {intercept}");
                    laws::family(&what, &m, &rows);
                    let mut r = Random::new(6);
                    rows.iter_mut().filter(|_| r.uniform() < 0.1).for_each(|x| *x = f64::NAN);
                    laws::family(&format!("{what}, with missing cells"), &m, &rows);
                }
            }
            other => panic!("no laws for {other}"),
        }
    }
}

/// Densities of rows under every component, K × rows.
fn densities<E: Emission>(bank: &E, rows: &[f64]) -> Vec<f64> {
    let (d, k) = (bank.n_features(), bank.n_components());
    let (mut scratch, mut out) = (bank.scratch(), vec![0.0; k * TILE]);
    let mut all = vec![0.0; k * (rows.len() / d)];
    for (i, tile) in rows.chunks(TILE * d).enumerate() {
        bank.log_density(Rows::new(tile, d), &mut scratch, &mut out);
        for t in 0..tile.len() / d {
            (0..k).for_each(|c| all[c * (rows.len() / d) + i * TILE + t] = out[c * TILE + t].exp());
        }
    }
    all
}

#[test]
fn probabilities_sum_to_one() {
    // Each density is good to about n roundings of its logarithm; p = 0 and 1 are probabilities too.
    for (n, tolerance) in [(0, 1e-15), (1, 1e-15), (7, 1e-14), (700, 1e-12), (5000, 1e-11)] {
        let bank = Binomial::new(vec![0.0, 1e-300, 0.3, 0.999, 1.0], Some(n)).unwrap();
        let rows: Vec<f64> = (0..=n).map(f64::from).collect();
        for total in densities(&bank, &rows).chunks(rows.len()).map(|d| d.iter().sum::<f64>()) {
            assert!((total - 1.0).abs() < tolerance, "{n} flips: {total}");
        }
    }
    let bank = Bernoulli::new(3, vec![0.2, 0.5, 0.9, 0.0, 1.0, 0.25, 1e-300, 1.0, 0.0]).unwrap();
    let rows: Vec<f64> = (0..24).map(|i| f64::from(((i / 3) >> (i % 3)) & 1)).collect();
    for total in densities(&bank, &rows).chunks(8).map(|d| d.iter().sum::<f64>()) {
        assert!((total - 1.0).abs() < 1e-15, "{total}");
    }
}

#[test]
fn what_cannot_happen_has_no_density() {
    let bank = Binomial::new(vec![0.0, 0.5, 1.0], None).unwrap();
    // All tails, all heads, no flip at all, then impossible counts, then a missing one.
    let rows = [0.0, 3.0, 3.0, 3.0, 0.0, 0.0, 4.0, 3.0, -1.0, 3.0, 0.5, 3.0, 1.0, f64::INFINITY, f64::NAN, 3.0];
    let want: [[f64; 8]; 3] = [
        [1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0],
        [0.125, 0.125, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0],
        [0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0],
    ];
    densities(&bank, &rows).iter().zip(want.as_flattened()).for_each(|(got, want)| assert!((got - want).abs() < 1e-16));
    let bank = Bernoulli::new(2, vec![0.0, 1.0, 0.5, 0.5]).unwrap();
    let rows = [0.0, 1.0, 1.0, 1.0, f64::NAN, 1.0, f64::NAN, f64::NAN, 0.5, 1.0];
    let want = [1.0, 0.0, 1.0, 1.0, 0.0, 0.25, 0.25, 0.5, 1.0, 0.0];
    densities(&bank, &rows).iter().zip(want).for_each(|(got, want)| assert!((got - want).abs() < 1e-16));
}

#[test]
fn impossible_data_are_refused_in_one_sentence() {
    let check = |rows: Vec<f64>, flips| {
        Binomial::check(&Dense::new(rows, 2 - usize::from(flips == Some(3))).unwrap(), flips, &[])
    };
    let text = |rows, flips| check(rows, flips).unwrap_err().to_string();
    assert_eq!(
        text(vec![1.0, 2.0, 3.0, 2.0], None),
        "row 2, column 1 is 3, more than the 2 flips: check the two numbers"
    );
    assert!(text(vec![1.0, 2.0, -1.0, 2.0], None).contains("row 2, column 1 is -1: counts are whole numbers"));
    assert!(text(vec![1.0, 2.5], None).contains("row 1, column 2 is 2.5"));
    assert!(
        text(vec![1.0, 1e300], None).contains("column 2 is 1e300")
            || text(vec![1.0, 1e300], None).contains("column 2 is 1000")
    );
    assert!(text(vec![4.0], Some(3)).contains("more than the 3 flips"));
    assert!(text(vec![4.0, 1.0], Some(2)).contains("needs one column, heads, but there are 2"));
    assert!(check(vec![1.0, 2.0, f64::NAN, 2.0, 1.0, f64::NAN], None).is_ok());
    let check = |rows: &[f64]| Bernoulli::check(&Dense::new(rows, 2).unwrap(), &["a".to_owned(), "b".to_owned()]);
    assert_eq!(
        check(&[0.0, 1.0, f64::NAN, 2.0]).unwrap_err().to_string(),
        "row 2, column 'b' is 2: use 0, 1 or an empty cell"
    );
    assert!(
        check(&[0.0, f64::NAN, 1.0, f64::NAN]).unwrap_err().to_string().contains("column 'b' has no value in any row")
    );
    assert!(check(&[0.0, f64::NAN, f64::NAN, 1.0]).is_ok());
    for wrong in [vec![], vec![-0.1], vec![1.1], vec![f64::NAN]] {
        assert!(Binomial::new(wrong.clone(), None).is_err() && Bernoulli::new(1, wrong).is_err());
    }
}
