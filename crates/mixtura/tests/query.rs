//! Questions to a fitted mixture in several columns: conditioning, distances, imputation, merging, agreement.

use mixtura::data::Dense;
use mixtura::family::gaussian::{Gaussian, Structure};
use mixtura::model::LatentModel;
use mixtura::persist::{DERIVED, Record, SavedModel};
use mixtura::query::{
    Agreement, Conditioner, Filling, assign, combine_by_entropy, combine_by_overlap, impute, overlap,
};
use mixtura::{Mixture, Seed};
use mixtura_testkit::{oracle, rows};

/// A random model of a structure with overlapping components and unequal weights; column j in units of `units[j]`.
fn model(structure: Structure, k: usize, units: &[f64], seed: u64) -> Mixture<Gaussian> {
    let (mut r, d) = (rows::Random::new(seed), units.len());
    let (mut means, mut covariances) = (Vec::new(), Vec::new());
    for c in 0..k {
        means.extend(units.iter().map(|u| u * 2.0 * r.normal()));
        if structure == Structure::Tied && c > 0 {
            covariances.extend_from_within(..d * d);
            continue;
        }
        let b: Vec<f64> = (0..d * d).map(|_| r.normal()).collect();
        let spread = 0.5 + r.uniform();
        for i in 0..d {
            for j in 0..d {
                let (p, q, same) = (i.max(j), i.min(j), f64::from(u8::from(i == j)));
                let v = match structure {
                    Structure::Full | Structure::Tied => {
                        (0..d).map(|m| b[p * d + m] * b[q * d + m]).sum::<f64>() + 0.2 * same
                    }
                    Structure::Diag => same * (0.5 + b[i] * b[i]),
                    Structure::Spherical => same * spread,
                };
                covariances.push(v * units[p] * units[q]);
            }
        }
    }
    let raw: Vec<f64> = (0..k).map(|c| 1.0 + c as f64).collect();
    let total: f64 = raw.iter().sum();
    let bank = Gaussian::new(structure, d, means, covariances).unwrap();
    Mixture::new(raw.iter().map(|w| w / total).collect(), bank).unwrap()
}

/// p(x) of the observed cells by the oracle.
fn density(model: &Mixture<Gaussian>, x: &[f64]) -> f64 {
    let bank = model.emission();
    let part = |(k, w): (usize, &f64)| w * oracle::gaussian_log_density(x, bank.mean(k), &bank.covariance(k)).exp();
    model.weights().iter().enumerate().map(part).sum()
}

/// Points over ±14 of a column whose mixtures have means within ±6 or so and standard deviations of 0.4 or more: the
/// trapezoid rule at this step is exact to rounding (its error falls like exp(−2π²σ²/h²)), and nothing is outside.
fn line() -> impl Iterator<Item = f64> + Clone {
    (-1400..=1400).map(|i| 0.02 * f64::from(i))
}

#[test]
fn conditional_densities_are_joint_over_marginal() {
    for structure in Structure::ALL {
        for seed in 0..4 {
            let m = model(structure, 3, &[1.0; 3], seed);
            let (x, z) = (0.7 - seed as f64, -0.4);
            let conditional = m.condition(&[(0, x), (2, z)]).unwrap();
            assert_eq!(conditional.emission().structure(), structure);
            // The marginal of the given columns, by brute force: the joint summed over the other column.
            let evidence: f64 = line().map(|y| 0.02 * density(&m, &[x, y, z])).sum();
            let (mut mean, mut second) = (0.0, 0.0);
            for y in line() {
                let want = density(&m, &[x, y, z]) / evidence;
                // 1e-10 as asked for; both sides are good to some 1e-14.
                assert!((density(&conditional, &[y]) - want).abs() < 1e-10, "{structure:?} {seed} at {y}");
                mean += 0.02 * y * want;
                second += 0.02 * y * y * want;
            }
            let mut conditioner = Conditioner::new(&m);
            let c = conditioner.at(&[x, f64::NAN, z]).unwrap();
            assert!((c.mean()[0] - mean).abs() < 1e-10);
            assert!((c.variance(0) - (second - mean * mean)).abs() < 1e-9); // the oracle's own difference cancels
            assert!((c.log_density() - evidence.ln()).abs() < 1e-10);
            // And with two columns left.
            let two = m.condition(&[(1, 0.3)]).unwrap();
            let evidence = density(&m.marginal(&[1]).unwrap(), &[0.3]);
            for (a, b) in [(0.0, 0.0), (1.0, -2.0), (-3.0, 0.5)] {
                assert!((density(&two, &[a, b]) - density(&m, &[a, 0.3, b]) / evidence).abs() < 1e-10);
            }
        }
    }
}

/// Two components that differ in the first column only: whatever the second is, the first keeps its prior mixture.
#[test]
fn rows_far_from_every_component_keep_their_balance() {
    let bank = Gaussian::new(Structure::Full, 2, vec![3.0, 0.0, 5.0, 0.0], [1.0, 0.0, 0.0, 1.0].repeat(2)).unwrap();
    let mixture = Mixture::equal(bank);
    let mut conditioner = Conditioner::new(&mixture);
    for b in [0.0, 1e3, 1e7, 1e8, 1e9, 1e150] {
        let conditional = conditioner.at(&[f64::NAN, b]).unwrap();
        assert_eq!(conditional.weights(), [0.5, 0.5], "{b}");
        assert_eq!((conditional.mean()[0], conditional.variance(0)), (4.0, 2.0), "{b}");
    }
}

#[test]
fn marginals_integrate_the_rest_out_and_keep_the_order() {
    for structure in Structure::ALL {
        let m = model(structure, 2, &[1.0; 3], 5);
        let marginal = m.marginal(&[2, 0]).unwrap();
        assert_eq!(marginal.emission().structure(), structure);
        for (a, b) in [(0.0, 0.0), (1.5, -1.0)] {
            let want: f64 = line().map(|y| 0.02 * density(&m, &[b, y, a])).sum();
            assert!((density(&marginal, &[a, b]) - want).abs() < 1e-12);
        }
        for bad in [&[][..], &[3], &[1, 1]] {
            assert!(m.marginal(bad).is_err());
        }
    }
}

#[test]
fn extreme_units_change_no_bit() {
    // Powers of two near 1e-150 and 1e150: exact, so the standardised results must be the very same.
    let (small, large) = (2.0_f64.powi(-500), 2.0_f64.powi(500));
    for structure in [Structure::Full, Structure::Tied, Structure::Diag] {
        let plain = model(structure, 3, &[1.0; 3], 8);
        let scaled = model(structure, 3, &[small, 1.0, large], 8);
        let (mut p, mut s) = (Conditioner::new(&plain), Conditioner::new(&scaled));
        for given in [[0.5, f64::NAN, f64::NAN], [f64::NAN, 0.5, -1.0], [f64::NAN, f64::NAN, 9.0]] {
            let a = p.at(&given).unwrap();
            let b = s.at(&[given[0] * small, given[1], given[2] * large]).unwrap();
            assert_eq!(a.weights().len(), 3);
            // exp of logs that differ by ln 2^500 and back: 345 · 2e-16.
            assert!(a.weights().iter().zip(b.weights()).all(|(x, y)| (x - y).abs() < 1e-12));
            assert_eq!(a.distances(), b.distances());
            for (i, &j) in a.columns().iter().enumerate() {
                let unit = [small, 1.0, large][j];
                assert!((a.mean()[i] - b.mean()[i] / unit).abs() < 1e-11);
                assert!((a.variance(i) - b.variance(i) / unit / unit).abs() < 1e-11 * a.variance(i));
                let (low, high) = (a.univariate(i).interval(0.9), b.univariate(i).interval(0.9));
                assert!((low.0 - high.0 / unit).abs() < 1e-10 && (low.1 - high.1 / unit).abs() < 1e-10);
            }
            assert!(b.mixture().is_ok());
        }
    }
}

#[test]
fn values_that_cannot_be_given_are_refused() {
    let m = model(Structure::Full, 2, &[1.0; 2], 1);
    for bad in [&[(0, f64::NAN)][..], &[(0, f64::INFINITY)], &[(2, 0.0)], &[(0, 1.0), (0, 1.0)]] {
        assert!(m.condition(bad).is_err());
    }
    assert!(m.condition(&[(0, 0.0), (1, 0.0)]).is_err());
    assert!(m.condition(&[(0, 1e200)]).unwrap_err().to_string().contains("far"));
    assert_eq!(m.condition(&[]).unwrap().weights(), m.weights());
    let mut conditioner = Conditioner::new(&m);
    assert!(conditioner.at(&[0.0]).is_err() && conditioner.at(&[0.0, f64::INFINITY]).is_err());
    // So far out that every density is 0: the prior weights, and it can be told.
    let far = conditioner.at(&[1e200, f64::NAN]).unwrap();
    assert_eq!((far.weights(), far.log_density()), (m.weights(), f64::NEG_INFINITY));
}

#[test]
fn covariances_singular_to_rounding_can_be_conditioned_in_every_order() {
    // Columns that depend on each other but for rounding: positive definite in the order of the file, by luck.
    let (mut r, mut made) = (rows::Random::new(5), 0);
    for _ in 0..400 {
        let b: Vec<f64> = (0..8).map(|_| r.normal()).collect();
        let full: Vec<f64> =
            (0..16).map(|n| (0..2).map(|m| b[2 * (n / 4) + m] * b[2 * (n % 4) + m]).sum::<f64>()).collect();
        let Ok(bank) = Gaussian::new(Structure::Full, 4, vec![0.0; 4], full) else { continue };
        made += 1;
        let m = Mixture::equal(bank);
        let mut conditioner = Conditioner::new(&m);
        for mask in 0..15 {
            let row: Vec<f64> = (0..4).map(|j| if mask >> j & 1 == 1 { b[2 * j] } else { f64::NAN }).collect();
            let c = conditioner.at(&row).unwrap();
            assert!(c.mean().iter().all(|x| x.is_finite()) && (0..c.columns().len()).all(|i| c.variance(i) >= 0.0));
        }
    }
    assert!(made > 5, "{made}");
}

#[test]
fn distances_are_the_quadratic_form() {
    for structure in Structure::ALL {
        let m = model(structure, 3, &[1.0; 3], 3);
        for x in [[0.1, -2.0, 4.0], [f64::NAN, 1.0, 2.0], [f64::NAN, 5.0, f64::NAN]] {
            for (k, distance) in m.mahalanobis(&x).unwrap().into_iter().enumerate() {
                // −2 log(density / density at the mean) is the squared distance; the mean keeps the holes.
                let (mean, covariance) = (m.emission().mean(k), m.emission().covariance(k));
                let top: Vec<f64> = x.iter().zip(mean).map(|(x, m)| if x.is_nan() { *x } else { *m }).collect();
                let log = |x: &[f64]| oracle::gaussian_log_density(x, mean, &covariance);
                let want = (2.0 * (log(&top) - log(&x))).sqrt();
                // The oracle's logs of size 30 or less lose 1e-14, and so its square root 1e-12 near 0.01.
                assert!((distance - want).abs() < 1e-11 * (1.0 + want), "{distance} {want}");
            }
        }
    }
    assert_eq!(model(Structure::Full, 2, &[1.0], 1).mahalanobis(&[f64::NAN]).unwrap(), [0.0, 0.0]);
}

#[test]
fn imputation_is_the_conditional_and_forgets_the_order_of_rows() {
    let m = model(Structure::Full, 3, &[1.0; 3], 11);
    let row = [0.4, f64::NAN, f64::NAN];
    let given = m.condition(&[(0, 0.4)]).unwrap();
    let (want, n) = (given.marginal(&[0]).unwrap(), 40_000);
    let moment = |power: i32| line().map(|y| 0.02 * y.powi(power) * density(&want, &[y])).sum::<f64>();
    let (mean, variance) = (moment(1), moment(2) - moment(1) * moment(1));
    let mut one = row.to_vec();
    let done = impute(&mut Conditioner::new(&m), &mut one, 0, Filling::Mean).unwrap();
    assert_eq!((done.cells, done.empty_rows, done.far_rows), (2, 0, 0));
    assert!((one[1] - mean).abs() < 1e-10 && one[0] == 0.4);
    let mut many = row.repeat(n);
    let filling = Filling::Draw(Seed::new(4));
    impute(&mut Conditioner::new(&m), &mut many, 0, filling).unwrap();
    let drawn: Vec<f64> = many.chunks(3).map(|r| r[1]).collect();
    let average = drawn.iter().sum::<f64>() / n as f64;
    let spread = drawn.iter().map(|y| (y - average) * (y - average)).sum::<f64>() / n as f64;
    // Five standard errors: of the mean, and (kurtosis 3) of the variance.
    assert!((average - mean).abs() < 5.0 * (variance / n as f64).sqrt(), "{average} {mean}");
    assert!((spread / variance - 1.0).abs() < 5.0 * (2.0 / n as f64).sqrt(), "{spread} {variance}");
    // The cells of a row are drawn together: their covariance is there too.
    let other: Vec<f64> = many.chunks(3).map(|r| r[2]).collect();
    let mid = other.iter().sum::<f64>() / n as f64;
    let together = drawn.iter().zip(&other).map(|(a, b)| (a - average) * (b - mid)).sum::<f64>() / n as f64;
    let g = given.emission();
    let centre = |j: usize| (0..3).map(|k| given.weights()[k] * g.mean(k)[j]).sum::<f64>();
    let exact: f64 = (0..3)
        .map(|k| given.weights()[k] * (g.covariance(k)[1] + (g.mean(k)[0] - centre(0)) * (g.mean(k)[1] - centre(1))))
        .sum();
    // Five standard errors of a covariance: √((s₁ s₂ + c²) / n), and twice that for tails heavier than normal.
    let wide =
        given.emission().covariance(0).iter().chain(&given.emission().covariance(2)).fold(variance, |a, b| a.max(*b));
    assert!((together - exact).abs() < 10.0 * wide * (2.0 / n as f64).sqrt(), "{together} {exact}");
    // Rows 1000.. on their own get the cells that they got among all.
    let mut tail = row.repeat(n - 1000);
    impute(&mut Conditioner::new(&m), &mut tail, 1000, filling).unwrap();
    assert_eq!(tail, many[3000..]);
    let mut empty = vec![f64::NAN; 3];
    assert_eq!(impute(&mut Conditioner::new(&m), &mut empty, 0, Filling::Mean).unwrap().empty_rows, 1);
    assert!((empty[0] - (0..3).map(|k| m.weights()[k] * m.emission().mean(k)[0]).sum::<f64>()).abs() < 1e-12);
}

/// Mean and covariance of a mixture about a point.
fn moments(m: &Mixture<Gaussian>, about: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let (bank, d) = (m.emission(), about.len());
    let (mut mean, mut second) = (vec![0.0; d], vec![0.0; d * d]);
    for (k, w) in m.weights().iter().enumerate() {
        let off: Vec<f64> = bank.mean(k).iter().zip(about).map(|(m, a)| m - a).collect();
        let own = bank.covariance(k);
        for i in 0..d {
            mean[i] += w * off[i];
            (0..d).for_each(|j| second[i * d + j] += w * (own[i * d + j] + off[i] * off[j]));
        }
    }
    (0..d * d).for_each(|n| second[n] -= mean[n / d] * mean[n % d]);
    (mean, second)
}

#[test]
fn merging_keeps_the_moments() {
    for structure in Structure::ALL {
        let m = model(structure, 5, &[1.0; 2], 2);
        // Far from the origin too: 1e8 in units of the standard deviations.
        let shifted: Vec<f64> = (0..5).flat_map(|k| m.emission().mean(k).iter().map(|x| x + 1e8)).collect();
        let covariances: Vec<f64> = (0..5).flat_map(|k| m.emission().covariance(k)).collect();
        let far = Gaussian::new(structure, 2, shifted, covariances).unwrap();
        let far = m.clone().with_emission(far);
        for k in 1..=5 {
            for (m, about, tolerance) in [(&m, 0.0, 1e-12), (&far, 1e8, 2e-7)] {
                let combined = combine_by_overlap(m, k).unwrap();
                assert_eq!(combined.model.weights().len(), k);
                assert_eq!(combined.steps.len(), 5 - k);
                // Sums of some tens of roundings; about 1e8 the means themselves are spaced 1.5e-8.
                let ((a, s), (b, t)) = (moments(m, &[about; 2]), moments(&combined.model, &[about; 2]));
                assert!(a.iter().chain(&s).zip(b.iter().chain(&t)).all(|(x, y)| (x - y).abs() < tolerance), "{k}");
                // Weights go with their groups.
                for g in 0..k {
                    let w: f64 = (0..5).filter(|&c| combined.groups[c] == g).map(|c| m.weights()[c]).sum();
                    assert!((w - combined.model.weights()[g]).abs() < 1e-15);
                }
            }
        }
        assert!(combine_by_overlap(&m, 0).is_err() && combine_by_overlap(&m, 6).is_err());
    }
}

#[test]
fn entropy_merges_what_rows_cannot_tell_apart() {
    // Two halves of one cluster and two clusters: the halves go first, and the drop is what rows say.
    let bank = Gaussian::new(Structure::Full, 1, vec![0.0, 20.0, 0.5, -30.0], vec![1.0, 4.0, 1.0, 1.0]).unwrap();
    let m = Mixture::new(vec![0.3, 0.3, 0.2, 0.2], bank).unwrap();
    let mut rng = Seed::new(1).rng();
    let mut values = vec![0.0; 5000];
    values.chunks_mut(1).for_each(|row| {
        m.sample(&mut rng, row);
    });
    let data = Dense::new(values.clone(), 1).unwrap();
    let combined = combine_by_entropy(&m, 3, &data).unwrap();
    assert_eq!(combined.groups, [0, 1, 0, 2]);
    let f = |r: f64| if r > 0.0 { r * r.ln() } else { 0.0 };
    let want: f64 = values
        .iter()
        .map(|x| {
            let part = |k: usize, mean: f64| m.weights()[k] * (-0.5 * (x - mean) * (x - mean)).exp();
            let (a, b) = (part(0, 0.0), part(2, 0.5));
            let p = density(&m, &[*x]) * std::f64::consts::TAU.sqrt();
            f((a + b) / p) - f(a / p) - f(b / p)
        })
        .sum();
    // 5,000 terms of size 1, each good to some 1e-15 and the responsibilities to 2e-15.
    assert!((combined.steps[0].gain / want - 1.0).abs() < 1e-10, "{} {want}", combined.steps[0].gain);
    assert!(combine_by_entropy(&m, 2, &Dense::new(vec![0.0; 4], 2).unwrap()).is_err());
}

#[test]
fn overlap_is_the_integral_of_the_root_product() {
    // exp(−Bhattacharyya distance) = ∫ √(p q): by brute force in one dimension, and the same in extreme units.
    let bank = |u: f64| Gaussian::new(Structure::Full, 1, vec![0.0, u], vec![u * u, 4.0 * u * u]).unwrap();
    let normal = |x: f64, m: f64, s: f64| (-0.5 * ((x - m) / s).powi(2)).exp() / s / std::f64::consts::TAU.sqrt();
    let want: f64 = line().map(|x| 0.02 * (normal(x, 0.0, 1.0) * normal(x, 1.0, 2.0)).sqrt()).sum();
    for unit in [1.0, 1e-150, 1e150] {
        assert!((overlap(&bank(unit), 0, 1) - want).abs() < 1e-13);
    }
}

#[test]
fn agreement_is_what_the_definitions_say() {
    let mut r = rows::Random::new(7);
    for _ in 0..50 {
        let (labels, components, n) = (1 + r.below(5), 1 + r.below(5), 2 + r.below(60));
        let a: Vec<i32> = (0..n).map(|_| r.below(labels) as i32).collect();
        let b: Vec<i32> = (0..n).map(|i| if r.uniform() < 0.5 { a[i] } else { 0 } % components as i32).collect();
        let mut table = vec![vec![0.0; components]; labels];
        a.iter().zip(&b).for_each(|(&x, &y)| table[x as usize][y as usize] += 1.0);
        let got = Agreement::new(table.clone()).unwrap();
        assert!((got.adjusted_rand - rows::adjusted_rand(&a, &b)).abs() < 1e-12);
        let best = permutations(&table, labels.min(components));
        assert!((got.matched_error - (1.0 - best / n as f64)).abs() < 1e-12);
        assert!((0.0..=1.0).contains(&got.normalized_mutual_information));
    }
    // scikit-learn 1.9.1: adjusted_rand_score 0.475 and normalized_mutual_info_score 0.7471790950662619 of
    // [0,0,1,1,2,2,2] and [0,0,1,1,1,2,2] (2026-11-21); 1e-12 as both sum a handful of terms.
    let t = Agreement::new(vec![vec![2.0, 0.0, 0.0], vec![0.0, 2.0, 0.0], vec![0.0, 1.0, 2.0]]).unwrap();
    assert!(
        (t.adjusted_rand - 0.475).abs() < 1e-12
            && (t.normalized_mutual_information - 0.747_179_095_066_261_9).abs() < 1e-12
    );
    for bad in [vec![], vec![vec![]], vec![vec![1.0], vec![1.0, 2.0]], vec![vec![-1.0]], vec![vec![0.0]]] {
        assert!(Agreement::new(bad).is_err());
    }
    assert_eq!(Agreement::new(vec![vec![5.0]]).unwrap().adjusted_rand, 1.0);
}

/// The most rows that any one-to-one matching of `n` pairs holds, by trying all.
fn permutations(table: &[Vec<f64>], n: usize) -> f64 {
    fn go(table: &[Vec<f64>], row: usize, used: &mut Vec<bool>, left: usize) -> f64 {
        if row == table.len() || left == 0 {
            return 0.0;
        }
        let mut best = go(table, row + 1, used, left);
        for c in 0..used.len() {
            if !used[c] {
                used[c] = true;
                best = best.max(table[row][c] + go(table, row + 1, used, left - 1));
                used[c] = false;
            }
        }
        best
    }
    go(table, 0, &mut vec![false; table[0].len()], n)
}

#[test]
fn assignments_are_the_cheapest() {
    let mut r = rows::Random::new(3);
    for _ in 0..200 {
        let (n, m) = (1 + r.below(6), 1 + r.below(6));
        let cost: Vec<Vec<f64>> = (0..n).map(|_| (0..m).map(|_| (r.normal() * 8.0).round()).collect()).collect();
        let found = assign(&cost);
        let taken: Vec<usize> = found.iter().flatten().copied().collect();
        assert_eq!(taken.len(), n.min(m));
        assert!((0..m).all(|c| taken.iter().filter(|t| **t == c).count() <= 1));
        let total: f64 = found.iter().zip(&cost).filter_map(|(c, row)| c.map(|c| row[c])).sum();
        // All pairs are used whatever they cost: a constant on every cell makes the brute force do so too.
        let gain: Vec<Vec<f64>> = cost.iter().map(|row| row.iter().map(|c| 1000.0 - c).collect()).collect();
        assert_eq!(total, 1000.0 * n.min(m) as f64 - permutations(&gain, n.min(m)));
    }
    assert_eq!(assign(&[]), []);
}

#[test]
fn derived_models_say_so_and_read_back() {
    let m = model(Structure::Tied, 3, &[1.0; 3], 6);
    let record = Record { labels: vec!["a".into(), "b".into(), "c".into()], ..Record::default() };
    let saved = SavedModel { model: m.clone(), columns: ["x", "y", "z"].map(String::from).to_vec(), record };
    let made = saved.derive(m.marginal(&[1]).unwrap(), vec!["y".into()], "the marginal of y".into());
    let back = SavedModel::from_json(&made.to_json()).unwrap();
    assert_eq!((back.record.status.kind.as_str(), back.record.labels.len()), (DERIVED, 3));
    assert_eq!(back.record.n_free_parameters, back.model.n_free_parameters());
    let again = back.derive(combine_by_overlap(&back.model, 2).unwrap().model, vec!["y".into()], "merged".into());
    assert_eq!(again.record.status.detail, "merged; before that: the marginal of y");
    assert!(again.record.labels.is_empty() && again.record.created_by.starts_with("mixtura "));
}
