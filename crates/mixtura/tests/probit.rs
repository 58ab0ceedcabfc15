//! Probit regression: golden steps, Newton's method on a normal integral of its own, separation by enumeration.

use mixtura::algorithm::{Algorithm, Batch};
use mixtura::data::{Dense, Source};
use mixtura::engine::Threads;
use mixtura::model::probit::{Probit, Responses};
use mixtura::model::{LatentModel, Posterior};
use mixtura::{Result, Seed};
use mixtura_testkit::golden::{assert_close, data, item, number, numbers};
use mixtura_testkit::oracle::{simpson, solve};
use mixtura_testkit::{laws, rows};

fn density(x: f64) -> f64 {
    (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt()
}

/// Φ by its series of positive terms (Marsaglia 2004), good to some 1e-15 above; below 0 relative to 1.
fn normal_cdf(x: f64) -> f64 {
    let (mut term, mut sum) = (x, x);
    for k in 1..200 {
        term *= x * x / f64::from(2 * k + 1);
        sum += term;
    }
    0.5 + sum * density(x)
}

/// Weighted rows (1, x…) and responses.
struct Plain {
    x: Vec<Vec<f64>>,
    y: Vec<f64>,
    w: Vec<f64>,
}

impl Plain {
    /// From a table with the response in column `response`.
    fn new(table: &[f64], d: usize, response: usize, w: &[f64]) -> Self {
        let covariates =
            |row: &[f64]| row.iter().enumerate().filter(|(j, _)| *j != response).map(|(_, x)| *x).collect();
        let x = table.chunks(d).map(|row| [vec![1.0], covariates(row)].concat()).collect();
        Plain { x, y: table.chunks(d).map(|row| row[response]).collect(), w: w.to_vec() }
    }

    fn log_likelihood(&self, b: &[f64]) -> f64 {
        let row = |i: usize| {
            let eta: f64 = self.x[i].iter().zip(b).map(|(x, b)| x * b).sum();
            self.w[i] * normal_cdf(if self.y[i] == 1.0 { eta } else { -eta }).ln()
        };
        (0..self.y.len()).map(row).sum()
    }

    /// Fisher scoring from 0, halving steps that fall.
    fn newton(&self) -> Vec<f64> {
        let p = self.x[0].len();
        let mut b = vec![0.0; p];
        for _ in 0..100 {
            let (mut score, mut information) = (vec![0.0; p], vec![0.0; p * p]);
            for (i, x) in self.x.iter().enumerate() {
                let eta: f64 = x.iter().zip(&b).map(|(x, b)| x * b).sum();
                let (f, phi) = (normal_cdf(eta), density(eta));
                let u = self.w[i] * phi * (self.y[i] - f) / (f * (1.0 - f));
                let v = self.w[i] * phi * phi / (f * (1.0 - f));
                for j in 0..p {
                    score[j] += u * x[j];
                    (0..p).for_each(|k| information[j * p + k] += v * x[j] * x[k]);
                }
            }
            let step = solve(&information, &score);
            let (here, mut share) = (self.log_likelihood(&b), 1.0);
            let moved = |share: f64| b.iter().zip(&step).map(|(b, s)| b + share * s).collect::<Vec<f64>>();
            while share > 1e-9 && self.log_likelihood(&moved(share)) < here {
                share *= 0.5;
            }
            b = moved(share);
        }
        b
    }
}

/// Tables with the response in column 1 of 3, by a probit law; several units, several amounts of overlap.
fn tables() -> Vec<(Vec<f64>, Vec<f64>)> {
    [(1_u64, 60, 1.0, 0.4), (2, 200, 1000.0, 1.5), (3, 120, 0.01, 0.0)]
        .map(|(seed, n, unit, slope)| {
            let mut r = rows::Random::new(seed);
            let row = |r: &mut rows::Random| {
                let (a, b) = (r.normal(), 3.0 + r.normal());
                let y = 0.5 + slope * a - 0.3 * (b - 3.0) + r.normal() > 0.0;
                [unit * a, f64::from(u8::from(y)), b]
            };
            ((0..n).flat_map(|_| row(&mut r)).collect(), rows::weights(n, seed))
        })
        .into()
}

#[test]
fn laws_and_newtons_optimum() {
    for (values, weights) in tables() {
        let table = Dense::new(&values[..], 3).unwrap().with_weights(&weights[..]).unwrap();
        let data = Responses::new(&table, 1, &[]).unwrap();
        let affine = data.rows().affine.clone();
        let standard: Vec<f64> = values
            .chunks(3)
            .flat_map(|r| (0..3).map(|j| (r[j] - affine.shift[j]) / affine.scale[j]).collect::<Vec<_>>())
            .collect();
        let found = laws::latent("probit", &Probit::random_start(&data, Seed::new(4)), &standard, 3, &weights);
        let plain = Plain::new(&values, 3, 1, &weights);
        let (newton, ours) = (plain.newton(), found.in_units(&data));
        for (a, b) in ours.coefficients().iter().zip(&newton) {
            // SQUAREM stops within 1e-10 nats, where coefficients are still about √1e-10 of a standard error away.
            assert!((a - b).abs() < 1e-5 * b.abs().max(0.1), "{:?} {newton:?}", ours.coefficients());
        }
        let got = laws::expect(&found, data.rows()).log_likelihood;
        assert!((got - plain.log_likelihood(&newton)).abs() < 1e-9, "{got}");
        // The same in the data's own columns.
        assert!((laws::expect(&ours, &table).log_likelihood - got).abs() < 1e-11 * got.abs());
        // Newton's optimum is a fixed point of EM. The oracle's Φ(−4) is good to 1e-16 / 3e-5, and halving stops where the
        // objective's last bit does: 1e-9 leaves the sum of such terms a factor of a hundred.
        let mut fixed = Probit::new(1, newton.clone()).unwrap();
        Batch(Posterior::Soft).step(&mut fixed, &mut Threads::new(&table)).unwrap();
        for (a, b) in fixed.coefficients().iter().zip(&newton) {
            assert!((a - b).abs() < 1e-9 * b.abs().max(1.0), "{a} {b}, off by {:e}", (a - b).abs());
        }
    }
}

#[test]
fn a_step_is_least_squares_of_latent_means() {
    let (values, weights) = tables().remove(0);
    let table = Dense::new(&values[..], 3).unwrap().with_weights(&weights[..]).unwrap();
    let start = Probit::new(1, vec![0.3, 1.1, -0.4]).unwrap();
    let (mut xx, mut xz) = (vec![0.0; 9], vec![0.0; 3]);
    for (row, w) in values.chunks(3).zip(&weights) {
        let eta = 0.3 + 1.1 * row[0] - 0.4 * row[2];
        // The latent variable on its side of 0, by Simpson's rule over twelve standard deviations.
        let (from, to) = if row[1] == 1.0 { (0.0, 12.0 + eta.max(0.0)) } else { (-12.0 + eta.min(0.0), 0.0) };
        let mass = simpson(|z| density(z - eta), from, to, 2000);
        let z = simpson(|z| z * density(z - eta), from, to, 2000) / mass;
        assert!((start.completed(row) - z).abs() < 1e-9, "{} {z}", start.completed(row));
        let x = [1.0, row[0], row[2]];
        for j in 0..3 {
            xz[j] += w * x[j] * z;
            (0..3).for_each(|k| xx[j * 3 + k] += w * x[j] * x[k]);
        }
    }
    let mut model = start;
    Batch(Posterior::Soft).step(&mut model, &mut Threads::new(&table)).unwrap();
    assert_close("step", model.coefficients(), &solve(&xx, &xz), 1e-8);
}

#[test]
fn admissions_follow_their_reference() {
    let Some(csv) = data("binary_ucla_orig.csv") else {
        println!("passed over: binary_ucla_orig.csv is not part of this repository");
        return;
    };
    let want = &item("incomplete_data", "probit_em_ucla")["expected"];
    let table = Dense::new(csv.columns(&["admit", "gre", "gpa", "rank"]), 4).unwrap();
    let data = Responses::new(&table, 0, &csv.names).unwrap();
    let mut model = Probit::start(&data);
    for iteration in 1..=200 {
        Batch(Posterior::Soft).step(&mut model, &mut Threads::new(data.rows())).unwrap();
        let expected = &want[format!("after{iteration}")];
        if !expected.is_null() {
            assert_close("after", model.in_units(&data).coefficients(), &numbers(&expected["beta"]), 1e-8);
            let got = laws::expect(&model, data.rows()).log_likelihood;
            assert_close("log-likelihood", &[got], &[number(&expected["loglik"])], 1e-9);
        }
    }
    assert_close("optimum", model.in_units(&data).coefficients(), &numbers(&want["newton"]), 1e-8);
}

#[test]
fn beetles_are_the_textbook_values() {
    // Bliss (1935), Ann. Appl. Biol. 22: log dose of carbon disulphide, beetles, killed. The probit fit −34.94 + 19.73 dose is in
    // Dobson & Barnett (2008), An Introduction to Generalized Linear Models, §7.3.
    let groups = [
        (1.6907, 59.0, 6.0),
        (1.7242, 60.0, 13.0),
        (1.7552, 62.0, 18.0),
        (1.7842, 56.0, 28.0),
        (1.8113, 63.0, 52.0),
        (1.8369, 59.0, 53.0),
        (1.8610, 62.0, 61.0),
        (1.8839, 60.0, 60.0),
    ];
    let values: Vec<f64> = groups.iter().flat_map(|(dose, ..)| [*dose, 1.0, *dose, 0.0]).collect();
    let weights: Vec<f64> = groups.iter().flat_map(|(_, n, killed)| [*killed, n - killed]).collect();
    let table = Dense::new(values.clone(), 2).unwrap().with_weights(weights.clone()).unwrap();
    let data = Responses::new(&table, 1, &[]).unwrap();
    let mut model = Probit::start(&data);
    for _ in 0..2000 {
        Batch(Posterior::Soft).step(&mut model, &mut Threads::new(data.rows())).unwrap();
    }
    let model = model.in_units(&data);
    assert_close("beetles", model.coefficients(), &[-34.94, 19.73], 0.005);
    // Weights 0 (nobody survived the last dose) are no rows.
    let newton = Plain::new(&values, 2, 1, &weights).newton();
    model.coefficients().iter().zip(&newton).for_each(|(a, b)| assert!((a / b - 1.0).abs() < 1e-10, "{a} {b}"));
}

#[test]
fn an_intercept_alone_is_the_share_of_ones() {
    let table = Dense::new(vec![1.0, 0.0, 1.0, 1.0], 1).unwrap();
    let data = Responses::new(&table, 0, &[]).unwrap();
    let mut model = Probit::start(&data);
    for _ in 0..200 {
        Batch(Posterior::Soft).step(&mut model, &mut Threads::new(data.rows())).unwrap();
    }
    assert!((normal_cdf(model.coefficients()[0]) - 0.75).abs() < 1e-14);
    assert_eq!(model.n_free_parameters(), 1);
}

#[test]
fn clear_responses_keep_their_digits() {
    // mpmath 1.4.1: φ(40)/Q(40) − 40 and log Q(40).
    let model = Probit::new(0, vec![-40.0]).unwrap();
    assert!((model.completed(&[1.0]) / 0.024968847207263722 - 1.0).abs() < 1e-14);
    assert_eq!(model.completed(&[0.0]), -40.0);
    let log = laws::expect(&model, &Dense::new(vec![1.0], 1).unwrap()).log_likelihood;
    assert!((log + 804.6084420137538).abs() < 1e-12);
}

/// Whether a direction separates rows of (y, x₁, x₂) in small whole numbers: the cone of such directions has an edge along which
/// two rows are 0, so all cross products of two rows are tried. Exact arithmetic.
fn separated(rows: &[[i64; 3]]) -> bool {
    let a: Vec<[i64; 3]> = rows.iter().map(|[y, u, v]| [1, *u, *v].map(|c| c * (2 * y - 1))).collect();
    let side = |b: [i64; 3]| {
        let dots: Vec<i64> = a.iter().map(|a| (0..3).map(|j| a[j] * b[j]).sum()).collect();
        dots.iter().all(|d| *d >= 0) && dots.iter().any(|d| *d > 0)
    };
    a.iter().any(|p| {
        a.iter().any(|q| {
            let b = [p[1] * q[2] - p[2] * q[1], p[2] * q[0] - p[0] * q[2], p[0] * q[1] - p[1] * q[0]];
            side(b) || side(b.map(|c| -c))
        })
    })
}

#[test]
fn separation_is_found_exactly() {
    let mut r = rows::Random::new(5);
    let (mut yes, mut no) = (0, 0);
    for trial in 0..8000 {
        let n = 4 + r.below(14);
        let sample: Vec<[i64; 3]> = (0..n)
            .map(|_| {
                let (u, v) = (r.below(7) as i64, r.below(7) as i64);
                // Responses by a line, some of them wrong: both answers occur often, many with rows on the line.
                [i64::from((u + v > 6) != (r.uniform() < 0.05 * (trial % 4) as f64)), u, v]
            })
            .collect();
        let table = Dense::new(sample.iter().flatten().map(|v| *v as f64).collect::<Vec<_>>(), 3).unwrap();
        let text = Responses::new(&table, 0, &[]).err().map(|e| e.to_string());
        match text {
            None => assert!(!separated(&sample), "missed: {sample:?}"),
            Some(text) if text.contains("separated") => assert!(separated(&sample), "{text}: {sample:?}"),
            // Too few rows for three coefficients, or one kind of response: other sentences.
            Some(_) => continue,
        }
        if separated(&sample) { yes += 1 } else { no += 1 }
    }
    assert!(yes > 1000 && no > 1000, "{yes} {no}");
}

#[test]
fn refused_in_one_sentence() {
    let names = ["y", "dose", "age"].map(String::from);
    let refused = |values: &[f64], d: usize, part: &str| {
        let table = Dense::new(values, d).unwrap();
        let error = Responses::new(&table, 0, &names).expect_err(part).to_string();
        assert!(error.contains(part), "{error}");
    };
    refused(&[0.0, 1.0, 1.0, 2.0, 0.0, 3.0, 1.0, 4.0, 2.0, 5.0], 2, "row 5: the response in column 'y' is 2");
    refused(&[0.0, 1.0, 1.0, f64::NAN, 0.0, 3.0], 2, "row 2: column 'dose' is missing");
    refused(&[f64::NAN, 1.0, 1.0, 2.0], 2, "row 1: column 'y' is missing");
    refused(&[1.0, 1.0, 1.0, 2.0], 2, "every response is 1");
    refused(&[0.0, 7.0, 1.0, 7.0, 0.0, 7.0], 2, "column 'dose' has the same value in every row");
    refused(&[0.0, 1.0, 3.0, 1.0, 2.0, 5.0, 0.0, 3.0, 7.0, 1.0, 4.0, 9.0], 3, "column 'age' is a combination");
    // A clean cut; rows on the cut; a column that is 1 only where the response is.
    refused(
        &[0.0, 1.0, 0.0, 2.0, 1.0, 3.0, 1.0, 4.0],
        2,
        "separated: a combination of columns, most of all column 'dose'",
    );
    refused(&[0.0, 1.0, 0.0, 2.0, 1.0, 2.0, 1.0, 4.0], 2, "separated");
    let dummy: Vec<f64> = (0..40)
        .flat_map(|i| {
            let y = f64::from(u8::from(i % 3 == 0));
            [y, f64::from((i * i) % 11), f64::from(u8::from(y == 1.0 && i % 2 == 0))]
        })
        .collect();
    refused(&dummy, 3, "most of all column 'age'");
    let table = Dense::new(vec![0.0, 1.0], 1).unwrap();
    assert!(Responses::new(&table, 3, &[]).err().unwrap().to_string().contains("there are only 1"));
    assert!(Probit::new(2, vec![0.0, 1.0]).is_err() && Probit::new(0, vec![f64::NAN]).is_err());
    // Rows that come past these checks.
    let e_step = |values: Vec<f64>, d: usize| -> Result<()> {
        let table = Dense::new(values, d)?;
        Batch(Posterior::Soft).step(&mut Probit::new(0, vec![0.0, 0.0])?, &mut Threads::new(&table)).map(|_| ())
    };
    assert!(e_step(vec![0.0, 1.0, 0.5, 1.0], 2).unwrap_err().to_string().contains("row 2: the response is 0.5"));
    assert!(e_step(vec![0.0, f64::NAN], 2).unwrap_err().to_string().contains("row 1, column 2 is missing"));
    assert!(e_step(vec![0.0, 1.0, 1.0], 1).unwrap_err().to_string().contains("1 cells, the model 2"));
    assert!(e_step(vec![0.0, 1.0, 1.0, 1.0], 2).unwrap_err().to_string().contains("depend on each other"));
}

#[test]
fn units_and_zero_weights_change_nothing() {
    let (values, weights) = tables().remove(1);
    let fit = |unit: f64, extra: bool| {
        let mut values: Vec<f64> = values.chunks(3).flat_map(|r| [r[0] * unit, r[1], r[2] / unit]).collect();
        let mut weights = weights.clone();
        if extra {
            values.extend([5.0, 7.0, f64::NAN]);
            weights.push(0.0);
        }
        let table = Dense::new(values, 3).unwrap().with_weights(weights).unwrap();
        let data = Responses::new(&table, 1, &[]).unwrap();
        assert_eq!(data.rows().n_rows(), 200);
        let mut model = Probit::start(&data);
        for _ in 0..5 {
            Batch(Posterior::Soft).step(&mut model, &mut Threads::new(data.rows())).unwrap();
        }
        let b = model.in_units(&data);
        [b.coefficients()[0], b.coefficients()[1] * unit, b.coefficients()[2] / unit]
    };
    let plain = fit(1.0, false);
    assert_eq!(fit(1.0, true), plain);
    // Powers of two are exact, however extreme (standard deviations up to 1e153 are accepted).
    assert_eq!(fit(2.0_f64.powi(400), false), plain);
    assert_eq!(fit(2.0_f64.powi(-400), false), plain);
}
