//! What the default fit promises where others fail: units, thin parallel clusters, many overlapping components.

use mixtura::data::{Chunk, Dense, Rows};
use mixtura::family::Emission;
use mixtura::family::gaussian::Structure;
use mixtura::fit::{Control, Grid, StatusKind};
use mixtura::model::{LatentModel, Predict};
use mixtura::{Fit, GaussianMixture, Mixture, Seed};
use mixtura_testkit::golden::{case, data, number};
use mixtura_testkit::rows::{Random, adjusted_rand};

type Gaussians = Fit<Mixture<mixtura::family::gaussian::Gaussian>>;

fn fit(rows: &[f64], d: usize, k: usize, seed: u64) -> Gaussians {
    let options = GaussianMixture { seed: Seed::new(seed), ..GaussianMixture::new(k) };
    options.fit(&Dense::new(rows, d).unwrap()).unwrap()
}

fn hard(fit: &Gaussians, rows: &[f64]) -> Vec<i32> {
    let (k, d) = (fit.model.weights().len(), fit.model.emission().n_features());
    let n = rows.len() / d;
    let (mut resp, mut log_density) = (vec![0.0; n * k], vec![0.0; n]);
    fit.model.posterior(Chunk::of(Rows::new(rows, d)), &mut fit.model.scratch(), &mut resp, &mut log_density);
    resp.chunks(k).map(|r| (0..k).fold(0, |b, c| if r[c] > r[b] { c } else { b }) as i32).collect()
}

#[test]
fn iris_in_any_unit_is_the_same_fit() {
    let rows = data("iris.csv").unwrap().first(4);
    let base = fit(&rows, 4, 3, 0);
    for scale in [1e-2_f64, 1e-5, 1e3, 1e-150, 1e150] {
        let scaled: Vec<f64> = rows.iter().map(|x| x * scale).collect();
        let other = fit(&scaled, 4, 3, 0);
        let difference = other.log_likelihood + 600.0 * scale.ln() - base.log_likelihood;
        assert!(difference.abs() < 1e-6, "scale {scale}: {difference}");
        assert_eq!(hard(&other, &scaled), hard(&base, &rows), "scale {scale}");
        assert_eq!(other.status.kind, base.status.kind);
    }
    let moved: Vec<f64> = rows.iter().map(|x| x + 1e8).collect();
    let other = fit(&moved, 4, 3, 0);
    // The rounding of x + 1e8 alone costs up to 6e-7.
    assert!((other.log_likelihood - base.log_likelihood).abs() < 1e-5, "{}", other.log_likelihood);
    // Columns in different units.
    let mixed: Vec<f64> = rows.iter().enumerate().map(|(i, x)| x * [1e-150, 1.0, 1e150, 7.0][i % 4]).collect();
    let other = fit(&mixed, 4, 3, 0);
    let difference = other.log_likelihood + 150.0 * 7.0_f64.ln() - base.log_likelihood;
    assert!(difference.abs() < 1e-6, "mixed units: {difference}");
}

#[test]
fn two_parallel_ellipses_come_apart() {
    for seed in 0..20_u64 {
        let csv = data(&format!("ellipses/seed{seed:02}.csv.gz")).unwrap();
        let straight = csv.first(2);
        let labels = csv.labels(&csv.names[2]);
        let angle = 0.3 + 0.1 * seed as f64;
        let (c, s) = (angle.cos(), angle.sin());
        let rotated: Vec<f64> = straight.chunks(2).flat_map(|r| [c * r[0] - s * r[1], s * r[0] + c * r[1]]).collect();
        for rows in [&straight, &rotated] {
            let fit = fit(rows, 2, 2, seed);
            let ari = adjusted_rand(&hard(&fit, rows), &labels);
            assert!(ari >= 0.99, "seed {seed}: adjusted Rand {ari}");
        }
        let options = GaussianMixture { seed: Seed::new(seed), ..GaussianMixture::new(1) };
        let table = Dense::new(&straight[..], 2).unwrap();
        let ks: Vec<usize> = (1..=4).collect();
        let table = options.select(&table, &[], &Grid::new(&ks, &Structure::ALL), Control::default()).unwrap();
        assert_eq!(table.candidates[table.best].n_components, 2, "seed {seed}");
    }
}

#[test]
fn ten_overlapping_components_in_five_dimensions() {
    let case = case("ten_components_5d");
    let (mut ours, mut theirs, mut stable_misses) = (Vec::new(), Vec::new(), 0);
    for set in case["expected"]["seeds"].as_array().unwrap() {
        let seed = set["seed"].as_u64().unwrap();
        let rows = data(&format!("ten5d/seed{seed:02}.csv.gz")).unwrap().first(5);
        let fit = fit(&rows, 5, 10, seed);
        let best = number(&set["best_loglik"]);
        ours.push(best - fit.log_likelihood);
        let sklearn = set["sklearn_n_init_10"].get("loglik").unwrap_or(&set["sklearn_n_init_10"]);
        theirs.push(best - number(sklearn));
        stable_misses += usize::from(ours.last().unwrap() > &5.0);
        assert_ne!(fit.status.kind, StatusKind::Degenerate, "seed {seed}");
    }
    let median = |v: &mut Vec<f64>| {
        v.sort_by(f64::total_cmp);
        0.5 * (v[9] + v[10])
    };
    let (ours, theirs) = (median(&mut ours), median(&mut theirs));
    println!(
        "median shortfall {ours:.3} nats (scikit-learn n_init=10: {theirs:.3}); more than 5 nats on {stable_misses} of 20"
    );
    assert!(ours <= 5.0 && ours < theirs, "{ours} against {theirs}");
}

#[test]
fn five_identical_rows_are_seen() {
    let mut r = Random::new(77);
    let mut rows: Vec<f64> = (0..400).map(|_| r.normal()).collect();
    rows.extend([0.7, -0.4].repeat(5));
    let table = Dense::new(&rows[..], 2).unwrap();
    let found = mixtura::data::audit(&table).unwrap();
    assert_eq!(found.duplicate_rows, Some(4));
    assert!(found.warnings(&[]).iter().any(|w| w.contains("4 rows repeat")));
    // A start that gives the repeated rows a component of their own ends on the floor, and says so.
    let resp: Vec<f64> = (0..205).flat_map(|i| if i < 200 { [1.0, 0.0] } else { [0.0, 1.0] }).collect();
    let options = GaussianMixture { init: mixtura::fit::Init::Responsibilities(resp), ..GaussianMixture::new(2) };
    let fit = options.fit(&table).unwrap();
    assert_eq!(fit.status.kind, StatusKind::Degenerate);
    assert!(fit.certificate.components[1].floor_active && !fit.certificate.components[0].floor_active);
    // And the table of a selection with many components says where it happened.
    let ks: Vec<usize> = (1..=9).collect();
    let selection =
        GaussianMixture::new(1).select(&table, &[], &Grid::new(&ks, &[Structure::Full]), Control::default()).unwrap();
    let chosen = &selection.candidates[selection.best];
    assert_eq!(chosen.n_components, 1, "one Gaussian and a spike is no reason for two");
    for candidate in &selection.candidates {
        let degenerate = candidate.outcome.as_ref().is_ok_and(|f| f.status.kind == StatusKind::Degenerate);
        assert_eq!(degenerate, candidate.note().contains("floor"), "{}", candidate.note());
    }
}
