//! The edges of the input: each has a defined answer, a fit with its story or one sentence of refusal.

use mixtura::data::Dense;
use mixtura::family::gaussian::{Gaussian, Structure};
use mixtura::fit::{Collapse, Control, Grid, StatusKind};
use mixtura::persist::{DataRecord, Parameters, Record, SavedModel};
use mixtura::{Error, Fit, GaussianMixture, Mixture, Seed};
use mixtura_testkit::rows::{Random, clusters};

fn try_fit(rows: &[f64], d: usize, k: usize, structure: Structure) -> mixtura::Result<Fit<Mixture<Gaussian>>> {
    GaussianMixture { structure, ..GaussianMixture::new(k) }.fit(&Dense::new(rows, d)?)
}

#[track_caller]
fn fitted(rows: &[f64], d: usize, k: usize, structure: Structure) -> Fit<Mixture<Gaussian>> {
    let fit = try_fit(rows, d, k, structure).unwrap();
    assert!(fit.log_likelihood.is_finite(), "{}", structure.name());
    let bank = fit.model.emission();
    for c in 0..k {
        assert!(bank.mean(c).iter().chain(&bank.covariance(c)).all(|v| v.is_finite()), "{}", structure.name());
    }
    assert!(fit.certificate.monotone, "{}: fell by {}", structure.name(), fit.certificate.largest_decrease);
    fit
}

#[track_caller]
fn refused(result: mixtura::Result<Fit<Mixture<Gaussian>>>, part: &str) {
    let error = result.expect_err("a refusal").to_string();
    assert!(error.contains(part), "{error}");
}

#[test]
fn fitted_with_a_note() {
    let (rows, _) = clusters(1, 120, 2, 2);
    for structure in Structure::ALL {
        // One component; one row; one row and one column.
        assert_eq!(fitted(&rows, 2, 1, structure).status.kind, StatusKind::Converged);
        fitted(&[3.0, 4.0], 2, 1, structure);
        fitted(&[0.0], 1, 1, structure);
        // Fewer rows than columns.
        let wide: Vec<f64> = (0..60).map(|i| ((i * i * 7) % 23) as f64 + 0.1 * i as f64).collect();
        fitted(&wide, 12, 1, structure);
        fitted(&wide, 12, 2, structure);
        // A constant column, a duplicate column.
        let odd: Vec<f64> = rows.chunks(2).flat_map(|r| [r[0], 5.0, r[1], r[0]]).collect();
        let fit = fitted(&odd, 4, 2, structure);
        assert!(
            fit.certificate.components.iter().all(|c| !c.floor_active),
            "{}: the data are flat, no component is",
            structure.name()
        );
        // Missing cells everywhere, and a row without any.
        let mut holes = rows.clone();
        holes.iter_mut().enumerate().filter(|(i, _)| (i * i) % 7 == 2).for_each(|(_, x)| *x = f64::NAN);
        holes[0] = f64::NAN;
        holes[1] = f64::NAN;
        fitted(&holes, 2, 2, structure);
        // As many components as distinct rows.
        fitted(&[1.0, 2.0, 3.0, 7.0], 1, 4, structure);
        // Huge and tiny values, and both ends of the range.
        for scale in [1e-150, 1e150, 1e-140] {
            let scaled: Vec<f64> = rows.iter().map(|x| x * scale).collect();
            fitted(&scaled, 2, 2, structure);
        }
        let far: Vec<f64> = rows.iter().map(|x| x + 1e300).collect();
        fitted(&far, 2, 1, structure); // the addition rounds every column to a constant
    }
}

#[test]
fn refused_in_one_sentence() {
    let full = Structure::Full;
    refused(try_fit(&[], 1, 1, full), "no rows");
    refused(try_fit(&[1.0, f64::INFINITY, 2.0, 3.0], 2, 1, full), "row 1, column 2 is infinite");
    refused(try_fit(&[1.0, f64::NAN, 2.0, f64::NAN], 2, 1, full), "column 2 has no value in any row");
    refused(try_fit(&[1.0, 1.0, 2.0, 2.0], 1, 3, full), "only 2 distinct rows for 3 components");
    refused(try_fit(&[1e-200, 2e-200, 3e-200, 7e-200], 1, 1, full), "divide the column by");
    refused(try_fit(&[-1e300, 1e300, 3e299], 1, 1, full), "divide the column by");
    refused(GaussianMixture::new(0).fit(&Dense::new(vec![1.0], 1).unwrap()), "at least one component");
    let weights = |w: Vec<f64>| Dense::new(vec![1.0, 2.0], 1).unwrap().with_weights(w).unwrap_err().to_string();
    assert!(weights(vec![1.0, -1.0]).contains("the weight of row 2 is -1"));
    assert!(weights(vec![f64::NAN, 1.0]).contains("the weight of row 1 is NaN"));
    assert!(weights(vec![0.0, 0.0]).contains("every weight is 0"));
    assert!(weights(vec![1.0]).contains("1 weights for 2 rows"));
    assert!(Dense::new(vec![1.0, 2.0, 3.0], 2).is_err());
}

#[test]
fn policies_for_collapse() {
    // Two clusters and a row on its own, repeated: three components, one of them on a point.
    let (mut rows, _) = clusters(3, 80, 2, 2);
    rows.extend([40.0, -3.0].repeat(6));
    let table = Dense::new(&rows[..], 2).unwrap();
    let with = |collapse| GaussianMixture { collapse, ..GaussianMixture::new(3) }.fit(&table);
    let floor = with(Collapse::Floor).unwrap();
    assert!(floor.log_likelihood.is_finite());
    let drop = with(Collapse::Drop).unwrap();
    assert!(drop.model.weights().len() <= 3 && drop.status.kind != StatusKind::Degenerate);
    let reset = with(Collapse::Reset).unwrap();
    assert!(reset.log_likelihood.is_finite());
    if let Err(e) = with(Collapse::Refuse) {
        assert!(matches!(e, Error::Degenerate(_)), "{e}");
    }
}

#[test]
fn a_limit_is_not_convergence() {
    let (rows, _) = clusters(5, 200, 3, 2);
    let options = GaussianMixture { max_iter: 1, tolerance: 1e-12, restarts: Some(1), ..GaussianMixture::new(3) };
    let fit = options.fit(&Dense::new(&rows[..], 2).unwrap()).unwrap();
    assert_eq!((fit.status.kind, fit.iterations), (StatusKind::IterationLimit, 1));
    let stop = std::sync::atomic::AtomicBool::new(true);
    let table = Dense::new(&rows[..], 2).unwrap();
    let prepared = mixtura::fit::Prepared::new(&table, &[], false, 3, Seed::new(0)).unwrap();
    let control = Control { interrupt: Some(&stop), ..Control::default() };
    let error = GaussianMixture::new(3).fit_prepared(&prepared, control).unwrap_err();
    assert_eq!(error, Error::Interrupted);
}

#[test]
fn selection_names_what_failed_and_chooses_the_rest() {
    let mut r = Random::new(8);
    let rows: Vec<f64> = (0..8).map(|_| r.normal()).collect();
    let ks: Vec<usize> = (1..=9).collect();
    let table = Dense::new(&rows[..], 2).unwrap();
    let names = ["a".to_owned(), "b".to_owned()];
    let selection =
        GaussianMixture::new(1).select(&table, &names, &Grid::new(&ks, &Structure::ALL), Control::default()).unwrap();
    let five: Vec<String> = selection.candidates.iter().filter(|c| c.n_components == 5).map(|c| c.note()).collect();
    assert!(five.iter().all(|n| n.contains("only 4 distinct rows for 5 components")), "{five:?}");
    assert!(selection.candidates[selection.best].outcome.is_ok());
    // Families that coincide are fitted once: with one component tied is full.
    assert!(!selection.candidates.iter().any(|c| c.n_components == 1 && c.structure == Structure::Tied));
}

#[test]
fn made_up_densities_do_not_win_a_selection() {
    // More columns than rows: every full covariance is singular, and its density off the data's span is made up.
    let mut r = Random::new(3);
    let wide: Vec<f64> = (0..12 * 20).map(|_| r.normal()).collect();
    // A duplicate column is the same trouble; a constant one is not, since every structure makes it up alike.
    let duplicate: Vec<f64> = (0..100).flat_map(|_| [r.normal()].repeat(2)).collect();
    let constant: Vec<f64> = (0..100)
        .flat_map(|_| {
            let x = r.normal();
            [x, 5.0, x + 0.3 * r.normal()]
        })
        .collect();
    for (rows, d, dense) in [(wide, 20, false), (duplicate, 2, false), (constant, 3, true)] {
        let table = Dense::new(rows, d).unwrap();
        let found = GaussianMixture::new(1)
            .select(&table, &[], &Grid::new(&[1, 2], &Structure::ALL), Control::default())
            .unwrap();
        let best = &found.candidates[found.best];
        assert_eq!(best.structure == Structure::Full, dense, "{d} columns: {}", best.structure.name());
        let full = found.candidates.iter().find(|c| c.structure == Structure::Full).unwrap();
        assert_eq!(full.note().contains("no density"), !dense, "{}", full.note());
        // Asked for alone, it is fitted, and the note says what its figures are worth.
        let alone = GaussianMixture::new(1);
        let alone = alone.select(&table, &[], &Grid::new(&[1], &[Structure::Full]), Control::default()).unwrap();
        assert_eq!(alone.candidates[0].note().contains("made up"), !dense, "{}", alone.candidates[0].note());
    }
}

#[test]
fn model_files_round_trip_to_the_bit() {
    for structure in Structure::ALL {
        for scale in [1.0, 1e-150, 1e150] {
            let (rows, _) = clusters(9, 201, 3, 3);
            let rows: Vec<f64> = rows.iter().map(|x| x * scale).collect();
            let fit = fitted(&rows, 3, 3, structure);
            let columns: Vec<String> = ["a", "b \"quoted\"", "ü"].map(String::from).to_vec();
            let record = Record::of(&fit, 7, DataRecord::default(), Vec::new());
            let saved = SavedModel { model: fit.model.clone(), columns, record };
            let text = saved.to_json();
            let back = SavedModel::from_json(&text).unwrap();
            assert_eq!(back.to_json(), text);
            assert_eq!(back.model.weights(), fit.model.weights());
            for k in 0..3 {
                assert_eq!(back.model.emission().mean(k), fit.model.emission().mean(k));
                assert_eq!(back.model.emission().covariance(k), fit.model.emission().covariance(k));
            }
        }
    }
}

#[test]
fn invalid_model_files_are_refused() {
    let (rows, _) = clusters(9, 100, 2, 2);
    let fit = fitted(&rows, 2, 2, Structure::Full);
    let columns = vec!["a".to_owned(), "b".to_owned()];
    let good = Parameters::of(&fit.model, &columns);
    assert!(good.build().is_ok());
    type Damage = fn(&mut Parameters);
    let damages: [(Damage, &str); 12] = [
        (|p| p.weights[0] = -0.1, "not negative"),
        (|p| p.weights[0] = f64::NAN, "finite"),
        (|p| p.weights = vec![0.9, 0.9], "sum to"),
        (|p| p.weights = vec![1.0], "1 mixing weights"),
        (|p| p.means[1][0] = f64::NAN, "finite"),
        (|p| p.means[1] = vec![0.0], "values in a row"),
        (|p| p.covariances[0][0][0] = -1.0, "not positive definite"),
        (|p| p.covariances[0][0][1] += 1.0, "not symmetric"),
        (|p| p.covariances[0].truncate(1), "rows in a covariance"),
        (|p| p.covariance = "vvv".into(), "no covariance structure"),
        (|p| p.n_components = 1 << 40, "more than a model file may hold"),
        (|p| p.columns[1] = "a".into(), "twice"),
    ];
    for (damage, part) in damages {
        let mut bad = good.clone();
        damage(&mut bad);
        let error = bad.build().expect_err(part).to_string();
        assert!(error.contains(part), "{error}");
    }
    for (text, part) in [
        ("", "not valid JSON"),
        ("{}", "not a model file"),
        ("[1,2]", "not a model file"),
        ("{\"format\":\"mixtura-model\",\"version\":99}", "later mixtura"),
        ("{\"format\":\"mixtura-model\",\"version\":1}", "damaged"),
        ("{\"format\":\"mixtura-model\"}", "no valid version"),
    ] {
        let error = SavedModel::from_json(text).expect_err(part).to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
    let deep = "[".repeat(100_000);
    assert!(SavedModel::from_json(&deep).is_err());
}

#[test]
fn a_saddle_is_not_convergence() {
    // Started with two equal components EM stays where it is: one Gaussian, written twice.
    let (rows, _) = clusters(11, 200, 2, 2);
    let resp = vec![0.5; 400];
    let options = GaussianMixture { init: mixtura::fit::Init::Responsibilities(resp), ..GaussianMixture::new(2) };
    let fit = options.fit(&Dense::new(&rows[..], 2).unwrap()).unwrap();
    assert_eq!(fit.status.kind, StatusKind::Degenerate);
    assert!(fit.status.detail.contains("saddle"), "{}", fit.status.detail);
}

#[test]
fn an_interrupt_at_any_moment_is_no_panic() {
    let (rows, _) = clusters(12, 400, 3, 2);
    let table = Dense::new(&rows[..], 2).unwrap();
    let prepared = mixtura::fit::Prepared::new(&table, &[], false, 3, Seed::new(0)).unwrap();
    for after in 0..6 {
        let stop = std::sync::atomic::AtomicBool::new(false);
        let seen = std::sync::atomic::AtomicUsize::new(0);
        let listener = |_: mixtura::fit::Progress| {
            if seen.fetch_add(1, std::sync::atomic::Ordering::Relaxed) >= after {
                stop.store(true, std::sync::atomic::Ordering::Relaxed);
            }
        };
        let control = Control { interrupt: Some(&stop), progress: Some(&listener), ..Control::default() };
        let options = GaussianMixture { restarts: Some(8), tolerance: 1e-12, ..GaussianMixture::new(3) };
        match options.fit_prepared(&prepared, control) {
            Ok(fit) => {
                assert!(fit.certificate.restarts.len() <= 8 && !fit.certificate.restarts.is_empty());
                if fit.certificate.restarts.len() < 8 {
                    assert_eq!(fit.status.kind, StatusKind::Stopped);
                }
            }
            Err(error) => assert_eq!(error, Error::Interrupted),
        }
    }
    let none = GaussianMixture { max_iter: 0, ..GaussianMixture::new(3) }.fit(&table).unwrap();
    assert_eq!((none.status.kind, none.iterations), (StatusKind::IterationLimit, 0));
}

#[test]
fn refusals_of_model_files_are_one_line() {
    let text = "{\"format\": \"mixtura-model\", \"version\": 1, \"a\\nb\": 0}";
    let error = SavedModel::from_json(text).unwrap_err().to_string();
    assert!(error.contains("damaged") && !error.contains('\n'), "{error}");
}
