//! A fit that is cut short anywhere goes on to the same bits.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use mixtura::data::Dense;
use mixtura::family::gaussian::Structure;
use mixtura::fit::{Checkpoint, Collapse, Control, Criterion, Grid, Identity, Method, Selection};
use mixtura::model::LatentModel;
use mixtura::{Error, GaussianMixture};
use mixtura_testkit::rows::clusters;

fn identity() -> Identity {
    Identity { program: "test".into(), data: "d".into(), options: "o".into() }
}

/// Everything that a selection found, to the bit.
fn bits(selection: &Selection) -> Vec<u64> {
    let fits = selection.candidates.iter().filter_map(|c| c.outcome.as_ref().ok());
    let numbers = fits.flat_map(|f| {
        let trace = f.trace.objective.iter().chain(&f.certificate.restarts).copied();
        f.model.parameters().into_iter().chain([f.log_likelihood, f.iterations as f64]).chain(trace).collect::<Vec<_>>()
    });
    let scores = selection.candidates.iter().filter_map(|c| c.cross_validation.as_ref()?.as_ref().ok());
    let scores = scores.map(|cv| cv.log_likelihood).chain(selection.tests.iter().map(|t| t.statistic + t.p_value));
    let mut out: Vec<u64> = numbers.chain(scores).map(f64::to_bits).collect();
    out.push(selection.best as u64);
    out
}

/// Runs to the end through as many interruptions as it takes, each after so many writes of the checkpoint.
fn with_interruptions(
    options: &GaussianMixture,
    table: &Dense<'_>,
    grid: &Grid<'_>,
    writes: usize,
) -> (Selection, usize) {
    let text = Mutex::new(String::new());
    for round in 0..1000 {
        let (stop, count) = (AtomicBool::new(false), AtomicUsize::new(0));
        let sink = |t: &str| {
            *text.lock().unwrap() = t.to_owned();
            if count.fetch_add(1, Ordering::Relaxed) + 1 >= writes + round % 3 {
                stop.store(true, Ordering::Relaxed);
            }
        };
        let fresh = Checkpoint::new(identity(), Duration::ZERO, &sink);
        let before = text.lock().unwrap().clone();
        let checkpoint = if before.is_empty() { fresh } else { fresh.resume(&before).unwrap() };
        let control = Control { interrupt: Some(&stop), checkpoint: Some(&checkpoint), ..Control::default() };
        let outcome = options.select(table, &[], grid, control);
        if !stop.load(Ordering::Relaxed) {
            return (outcome.unwrap(), round);
        }
        if let Err(error) = outcome {
            assert_eq!(error, Error::Interrupted);
        }
    }
    panic!("never came to an end");
}

#[test]
fn the_same_bits_through_any_number_of_interruptions() {
    let (rows, _) = clusters(2, 400, 3, 2);
    let table = Dense::new(rows, 2).unwrap();
    let ks = [2, 5];
    for (method, collapse, criterion) in [
        (Method::Squarem, Collapse::Floor, Criterion::Bic),
        (Method::Em, Collapse::Floor, Criterion::Bic),
        (Method::Anderson, Collapse::Floor, Criterion::Bic),
        (Method::Anderson, Collapse::Reset, Criterion::Bic),
        (Method::Squarem, Collapse::Reset, Criterion::Bic),
        (Method::Squarem, Collapse::Drop, Criterion::Bic),
        (Method::Squarem, Collapse::Floor, Criterion::Cv),
    ] {
        let structures = [Structure::Full, Structure::Tied];
        let grid = Grid { criterion, folds: 2, ..Grid::new(&ks, &structures) };
        let options = GaussianMixture { method, collapse, restarts: Some(2), ..GaussianMixture::new(1) };
        let whole = options.select(&table, &[], &grid, Control::default()).unwrap();
        let (pieces, rounds) = with_interruptions(&options, &table, &grid, 25);
        assert!(rounds > 3, "{method:?}: only {rounds} interruptions");
        assert_eq!(bits(&whole), bits(&pieces), "{method:?} {collapse:?} {criterion:?}");
    }
}

#[test]
fn a_likelihood_ratio_test_goes_on_too() {
    let (rows, _) = clusters(2, 80, 2, 1);
    let table = Dense::new(rows, 1).unwrap();
    let grid = Grid { criterion: Criterion::Blrt, ..Grid::new(&[1, 2, 3], &[Structure::Full]) };
    let options = GaussianMixture::new(1);
    let whole = options.select(&table, &[], &grid, Control::default()).unwrap();
    let (pieces, rounds) = with_interruptions(&options, &table, &grid, 60);
    assert!(rounds > 1, "only {rounds} interruptions");
    assert_eq!(bits(&whole), bits(&pieces));
}
