//! Choosing K and the structure: each criterion against its formula, the searches against data of known making.

use mixtura::data::{Dense, Folds, for_each_row};
use mixtura::family::gaussian::Structure;
use mixtura::fit::{Control, Criterion, Grid, Selection};
use mixtura::{GaussianMixture, Seed};
use mixtura_testkit::golden::{case, data, number};
use mixtura_testkit::oracle::gaussian_log_density;
use mixtura_testkit::rows::{Random, clusters};

fn select(rows: &[f64], d: usize, grid: &Grid<'_>) -> Selection {
    GaussianMixture::new(1).select(&Dense::new(rows, d).unwrap(), &[], grid, Control::default()).unwrap()
}

/// Overlapping clusters of one column.
fn line(n: usize, gap: f64, seed: u64) -> Vec<f64> {
    let mut r = Random::new(seed);
    (0..n).map(|i| r.normal() + if i % 3 == 0 { gap } else { 0.0 }).collect()
}

#[test]
fn every_criterion_is_its_formula() {
    let rows = line(90, 2.5, 4);
    let selection = select(&rows, 1, &Grid::new(&[1, 2], &[Structure::Full]));
    let one = selection.candidates[0].outcome.as_ref().unwrap().log_likelihood;
    let candidate = &selection.candidates[1];
    let fit = candidate.outcome.as_ref().unwrap();
    let (bank, weights) = (fit.model.emission(), fit.model.weights());
    let (mut l, mut entropy, mut hard) = (0.0, 0.0, 0.0);
    for x in &rows {
        let joint: Vec<f64> =
            (0..2).map(|k| weights[k] * gaussian_log_density(&[*x], bank.mean(k), &bank.covariance(k)).exp()).collect();
        let p: f64 = joint.iter().sum();
        l += p.ln();
        entropy -= joint.iter().map(|j| j / p * (j / p).ln()).sum::<f64>();
        hard += (joint[0].max(joint[1]) / p).ln();
    }
    let (n, p) = (90.0_f64, 5.0);
    for (criterion, want) in [
        (Criterion::Bic, -2.0 * l + p * n.ln()),
        (Criterion::Icl, -2.0 * l + p * n.ln() - 2.0 * hard),
        (Criterion::Aic, -2.0 * l + 2.0 * p),
        (Criterion::Aicc, -2.0 * l + 2.0 * p + 2.0 * p * (p + 1.0) / (n - p - 1.0)),
        (Criterion::Sabic, -2.0 * l + p * ((n + 2.0) / 24.0).ln()),
        (Criterion::Nec, entropy / (l - one)),
    ] {
        let got = criterion.value(candidate).unwrap();
        // Sums of 90 terms of size 2, each good to some roundings; NEC divides by a gain of a few nats.
        assert!((got - want).abs() < 1e-9 * want.abs().max(1.0), "{}: {got} {want}", criterion.name());
    }
    assert_eq!(Criterion::Nec.value(&selection.candidates[0]), Some(1.0));
    // 5 parameters on 5 rows: no correction exists.
    let few = select(&[0.0, 0.1, 5.0, 5.3, 5.1, 0.2], 1, &Grid::new(&[2], &[Structure::Full]));
    assert_eq!(Criterion::Aicc.value(&few.candidates[0]), Some(f64::INFINITY));
}

/// Held-out log-likelihood of one Gaussian with a full covariance, from the closed form.
fn held_out_by_hand(source: &Dense<'_>, d: usize, folds: usize, seed: Seed) -> f64 {
    let folds_of = Folds::new(source, folds, seed).unwrap();
    let mut total = 0.0;
    for fold in 0..folds {
        let (mut w, mut mean, mut s) = (0.0, vec![0.0; d], vec![0.0; d * d]);
        let training = folds_of.training(fold).unwrap();
        for_each_row(&training, |_, x, v, _| {
            w += v;
            (0..d).for_each(|i| mean[i] += v * x[i]);
        })
        .unwrap();
        mean.iter_mut().for_each(|m| *m /= w);
        for_each_row(&training, |_, x, v, _| {
            for i in 0..d {
                (0..d).for_each(|j| s[i * d + j] += v * (x[i] - mean[i]) * (x[j] - mean[j]) / w);
            }
        })
        .unwrap();
        let held = folds_of.held_out(fold).unwrap();
        for_each_row(&held, |_, x, v, _| total += v * gaussian_log_density(x, &mean, &s)).unwrap();
    }
    total
}

#[test]
fn cross_validation_is_what_its_name_says() {
    let (rows, _) = clusters(3, 150, 3, 2);
    let mut r = Random::new(5);
    let weights: Vec<f64> = (0..150).map(|_| 1.0 + r.below(3) as f64).collect();
    let repeated: Vec<f64> = rows
        .chunks(2)
        .zip(&weights)
        .flat_map(|(row, w)| std::iter::repeat_n(row, *w as usize).flatten().copied().collect::<Vec<_>>())
        .collect();
    let grid = Grid { criterion: Criterion::Cv, ..Grid::new(&[1, 2, 3, 4], &[Structure::Full]) };
    let weighted = Dense::new(&rows[..], 2).unwrap().with_weights(weights).unwrap();
    let repeated = Dense::new(&repeated[..], 2).unwrap();
    let scores = |source: &Dense<'_>| {
        let selection = GaussianMixture::new(1).select(source, &[], &grid, Control::default()).unwrap();
        let of = |c: &mixtura::fit::Candidate| c.cross_validation.clone().unwrap().unwrap();
        selection.candidates.iter().map(|c| of(c).log_likelihood).collect::<Vec<f64>>()
    };
    let (a, b) = (scores(&weighted), scores(&repeated));
    for k in 0..3 {
        // Well-separated clusters: both find the same optimum in every fold, within the tolerance of the stop rule (1e-3
        // nats of training log-likelihood), which moves held-out rows by less than its square root.
        assert!((a[k] - b[k]).abs() < 0.05, "K = {}: {} {}", k + 1, a[k], b[k]);
    }
    // Copies of a row lie in several folds and reward spikes; without copies the number of clusters is found.
    let plain = select(&rows, 2, &grid);
    assert_eq!(plain.candidates[plain.best].n_components, 3);
    // The seed of the folds is the fourth child of the fit's seed: the same deal, by a closed form of its own.
    let by_hand = held_out_by_hand(&weighted, 2, 5, Seed::new(0).child(4));
    assert!((a[0] - by_hand).abs() < 1e-8 * by_hand.abs(), "{} {by_hand}", a[0]);
}

#[test]
fn the_likelihood_ratio_test_keeps_its_level_and_has_power() {
    let grid = Grid { criterion: Criterion::Blrt, ..Grid::new(&[1, 2, 3], &[Structure::Full]) };
    let mut rejections = 0;
    for seed in 0..20 {
        let selection = select(&line(60, 0.0, seed), 1, &grid);
        rejections += usize::from(selection.tests[0].p_value <= 0.05);
    }
    // More than 4 rejections in 20 at level 0.05 have probability 0.0026.
    assert!(rejections <= 4, "{rejections} of 20 true hypotheses rejected");
    let selection = select(&line(150, 5.0, 3), 1, &grid);
    assert_eq!(selection.candidates[selection.best].n_components, 2);
    assert_eq!(selection.tests.len(), 2);
    assert_eq!((selection.tests[0].p_value, selection.tests[0].replicates), (0.01, 99));
    let last = &selection.tests[1];
    assert!(last.p_value > 0.05);
    // The race: a hopeless test does not run to its end.
    assert!(last.exceedances < 10 || last.replicates < 99, "{last:?}");
}

#[test]
fn the_test_refuses_what_it_cannot_redraw() {
    let refused = |table: Dense<'_>, grid: Grid<'_>, word: &str| {
        let error = GaussianMixture::new(1).select(&table, &[], &grid, Control::default()).unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
    };
    let (rows, grid) =
        (line(30, 3.0, 1), Grid { criterion: Criterion::Blrt, ..Grid::new(&[1, 2], &[Structure::Full]) });
    let table = || Dense::new(rows.clone(), 1).unwrap();
    refused(table().with_weights(vec![1.5; 30]).unwrap(), grid, "whole numbers");
    refused(
        table().with_labels((0..30).map(|i| i % 2).collect::<Vec<i32>>()).unwrap(),
        Grid { ks: &[2, 3], ..grid },
        "known component",
    );
    refused(table(), Grid { replicates: 10, ..grid }, "at least 19");
    refused(table(), Grid { level: 0.0, ..grid }, "between 0 and 1");
    refused(table(), Grid { criterion: Criterion::Cv, folds: 1, ..grid }, "at least 2");
    refused(table(), Grid { criterion: Criterion::Cv, folds: 31, ..grid }, "31 folds");
}

#[test]
fn a_narrow_component_on_few_rows_is_called_a_spike() {
    let mut r = Random::new(8);
    let mut rows: Vec<f64> = (0..200).map(|_| r.normal()).collect();
    rows.extend([3.0, 3.0005, 3.0011, 2.9994, 3.0002]);
    let fit = GaussianMixture::new(2).fit(&Dense::new(rows, 1).unwrap()).unwrap();
    assert_eq!(fit.certificate.spikes(), [1]);
    let (rows, _) = clusters(1, 300, 3, 2);
    let healthy = GaussianMixture::new(3).fit(&Dense::new(rows, 2).unwrap()).unwrap();
    assert!(healthy.certificate.spikes().is_empty());
}

#[test]
fn modes_are_those_of_the_restarts() {
    let fit = GaussianMixture { restarts: Some(12), init: mixtura::fit::Init::Random, ..GaussianMixture::new(5) }
        .fit(&Dense::new(line(300, 2.0, 9), 1).unwrap())
        .unwrap();
    let certificate = &fit.certificate;
    let counted: usize = certificate.modes.iter().map(|m| m.count).sum();
    assert_eq!(counted + certificate.restarts_degenerate, 12);
    assert!(certificate.modes.windows(2).all(|pair| pair[0].objective - pair[1].objective > 0.1));
    assert!((certificate.modes[0].objective - fit.log_likelihood).abs() < 1e-9 * fit.log_likelihood.abs());
    assert!(certificate.chance_of_better.is_some_and(|p| p > 0.0 && p < 0.5));
}

/// Every cell of the table, each with its share of one selection's effort, against mclust with its own start.
#[test]
fn every_cell_is_at_least_as_likely_as_mclusts() {
    let case = case("mclust_four_structures");
    let ks: Vec<usize> = (1..=9).collect();
    let mut cells = 0;
    for (name, set) in case["expected"].as_object().unwrap() {
        // "not in this repository: mclust_x.csv" names a file that may stand beside the repository.
        let file = set["data"].as_str().unwrap().rsplit(['/', ' ']).next().unwrap();
        let Some(csv) = data(file) else {
            println!("{name}: {file} is not here (not redistributable), passed over");
            continue;
        };
        let columns: Vec<&str> = set["columns"].as_array().unwrap().iter().map(|c| c.as_str().unwrap()).collect();
        let divisor = number(&set["divisor"]);
        let rows: Vec<f64> = csv.columns(&columns).iter().map(|x| x / divisor).collect();
        let table = Dense::new(&rows[..], columns.len()).unwrap();
        let options = GaussianMixture { max_iter: 5000, ..GaussianMixture::new(1) };
        let found = options.select(&table, &[], &Grid::new(&ks, &Structure::ALL), Control::default()).unwrap();
        for (model, reference) in set["models"].as_object().unwrap() {
            let structure = mixtura::catalog::structure(reference["structure"].as_str().unwrap()).unwrap();
            for &k in &ks {
                let Some(want) = reference["loglik"][k - 1].as_f64() else { continue };
                let same = structure.canonical(k, columns.len());
                let cell = found.candidates.iter().find(|c| (c.structure, c.n_components) == (same, k)).unwrap();
                let fit = cell.outcome.as_ref().unwrap();
                cells += 1;
                assert!(
                    fit.log_likelihood >= want - 1e-3,
                    "{name} {model} K={k}: {} against mclust's {want} ({})",
                    fit.log_likelihood,
                    cell.note()
                );
            }
        }
    }
    assert!(cells >= 60, "only {cells} cells compared");
}
