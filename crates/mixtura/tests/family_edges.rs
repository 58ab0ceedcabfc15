//! The edges of binomial, Bernoulli and regression mixtures: special cases, units, collapse, impossible and missing data.

use mixtura::algorithm::{Batch, Squarem};
use mixtura::data::Dense;
use mixtura::family::Emission;
use mixtura::family::bernoulli::Bernoulli;
use mixtura::family::binomial::Binomial;
use mixtura::family::gaussian::{Gaussian, Structure};
use mixtura::family::linear::{Linear, Prepared};
use mixtura::model::{FixedWeights, LatentModel, Posterior, Unconstrained, Weights};
use mixtura::stats::Statistic;
use mixtura::{Error, Mixture, Seed, init};
use mixtura_testkit::golden::assert_close;
use mixtura_testkit::laws::{climb, expect};
use mixtura_testkit::rows::{Random, weights};

const EM: Batch = Batch(Posterior::Soft);

/// One EM iteration.
fn step<E: Emission>(model: &Mixture<E>, rows: &Dense<'_>) -> Mixture<E> {
    let mut next = model.clone();
    next.m_step(&expect(model, rows).stats).unwrap();
    next
}

#[test]
fn one_component_is_the_plain_estimate() {
    // Proportion of heads: (3 + 2·0 + 5) / (4 + 2·1 + 9) = 8/15.
    let rows = Dense::new(vec![3.0, 4.0, 0.0, 1.0, 5.0, 9.0], 2).unwrap().with_weights(vec![1.0, 2.0, 1.0]).unwrap();
    let model = step(&Mixture::equal(Binomial::new(vec![0.9], None).unwrap()), &rows);
    assert_close("proportion", model.emission().probabilities(), &[8.0 / 15.0], 1e-16);
    // Means of the observed cells: column 1 (1 + 0 + 1) / 3, column 2 (0 + 1) / 2.
    let rows = Dense::new(vec![1.0, 0.0, 0.0, f64::NAN, 1.0, 1.0], 2).unwrap();
    let model = step(&Mixture::equal(Bernoulli::new(2, vec![0.9, 0.2]).unwrap()), &rows);
    assert_close("column means", model.emission().probabilities(0), &[2.0 / 3.0, 0.5], 1e-16);
    // (0, 1), (1, 3), (2, 4), (3, 4): slope Σ(x−1.5)(y−3) / Σ(x−1.5)² = 5/5, residuals −½, ½, ½, −½.
    let rows = Dense::new(vec![0.0, 1.0, 1.0, 3.0, 2.0, 4.0, 3.0, 4.0], 2).unwrap();
    let model = step(&Mixture::equal(Linear::new(true, 1, vec![7.0, -3.0], vec![1.0]).unwrap()), &rows);
    assert_close("line", &model.emission().coefficients(0), &[1.5, 1.0], 1e-14);
    assert_close("noise", &[model.emission().variance(0)], &[0.25], 1e-14);
    assert_close("at 10", &[model.emission().predict(0, &[10.0])], &[11.5], 1e-13);
}

#[test]
fn no_covariate_is_a_gaussian_mixture() {
    let mut r = Random::new(2);
    let values: Vec<f64> = (0..300).map(|i| r.normal() + if i % 3 == 0 { 4.0 } else { 0.0 }).collect();
    let rows = Dense::new(&values[..], 1).unwrap();
    let lines = Mixture::equal(Linear::new(true, 0, vec![-1.0, 2.0], vec![1.0, 2.0]).unwrap());
    let normals = Mixture::equal(Gaussian::new(Structure::Full, 1, vec![-1.0, 2.0], vec![1.0, 2.0]).unwrap());
    let a = climb(&lines, &rows, &mut { EM }, 1e-10);
    let b = climb(&normals, &rows, &mut { EM }, 1e-10);
    assert_eq!(a.iterations, b.iterations);
    assert_close("log-likelihood", &[a.objective()], &[b.objective()], 1e-10);
    for k in 0..2 {
        assert_close("mean", &a.model.emission().coefficients(k), b.model.emission().mean(k), 1e-9);
        assert_close("variance", &[a.model.emission().variance(k)], &b.model.emission().covariance(k), 1e-9);
    }
}

#[test]
fn boundary_probabilities_are_reached_exactly() {
    // One coin never shows heads, one always does: EM reaches 0 and 1, not 1e-17.
    let rows = Dense::new([0.0, 8.0].repeat(5), 1).unwrap();
    let start = Mixture::equal(Binomial::new(vec![0.3, 0.6], Some(8)).unwrap());
    for fast in [false, true] {
        let run = if fast {
            climb(&start, &rows, &mut Squarem::default(), 1e-9)
        } else {
            climb(&start, &rows, &mut { EM }, 1e-9)
        };
        assert_eq!(run.model.emission().probabilities(), [0.0, 1.0]);
        assert_close("weights", run.model.weights(), &[0.5, 0.5], 1e-15);
        // Ten rows, each of probability ½.
        assert_close("log-likelihood", &[run.objective()], &[10.0 * 0.5_f64.ln()], 1e-13);
        assert_eq!(run.model.with_parameters(&run.model.parameters()).unwrap().parameters(), run.model.parameters());
        // The vector has no infinity, and leads back to what the rows cannot tell from it.
        let back = run.model.with_vector(&run.model.to_vector()).unwrap();
        assert_close("by the vector", &[expect(&back, &rows).log_likelihood], &[run.objective()], 1e-13);
    }
    // A row that no component can have made.
    let rows = Dense::new(vec![0.0, 8.0, 4.0], 1).unwrap();
    let sure = Mixture::equal(Binomial::new(vec![0.0, 1.0], Some(8)).unwrap());
    assert_eq!(expect(&sure, &rows).log_likelihood, f64::NEG_INFINITY);
    assert_close("it is shared", step(&sure, &rows).emission().probabilities(), &[0.5 / 3.0, 2.5 / 3.0], 1e-16);
}

#[test]
fn more_components_than_rows_and_single_rows() {
    for k in [1, 5] {
        let rows = Dense::new(vec![3.0], 1).unwrap();
        let run = climb(&init::binomial(&rows, Some(4), k, Seed::new(1)).unwrap(), &rows, &mut { EM }, 1e-9);
        // All components agree on ¾: C(4, 3) · 27/256.
        assert_close("one row", run.model.emission().probabilities(), &vec![0.75; k], 1e-15);
        assert_close("one row", &[run.objective()], &[(4.0 * 27.0 / 256.0_f64).ln()], 1e-14);
        let rows = Dense::new(vec![1.0, 0.0, 1.0, 1.0, 0.0, 0.0], 3).unwrap();
        let run = climb(&init::bernoulli(&rows, k, Seed::new(1)).unwrap(), &rows, &mut Squarem::default(), 1e-9);
        assert!(run.objective().is_finite() && run.objective() <= 2.0 * 0.5_f64.ln() + 1e-9, "{}", run.objective());
        // Three rows and five lines: everything collapses onto the floor, and says so.
        let rows = Dense::new(vec![0.0, 1.0, 1.0, 3.0, 2.0, 1.0], 2).unwrap();
        let prepared = Prepared::new(&rows, true, &[]).unwrap();
        let run =
            climb(&init::linear(&prepared, k, Seed::new(1)).unwrap(), &prepared.data, &mut Squarem::default(), 1e-9);
        assert!(run.objective().is_finite());
        assert_eq!(run.degenerate(), k == 5);
    }
    assert!(matches!(init::bernoulli(&Dense::new(vec![1.0], 1).unwrap(), 0, Seed::new(0)), Err(Error::Usage(_))));
}

#[test]
fn a_collapsing_line_sits_on_its_floor() {
    // Six rows exactly on y = 3x − 1, the others all over: a component that finds the line has no noise.
    let mut r = Random::new(4);
    let mut cells: Vec<f64> = (0..6).flat_map(|i| [f64::from(i), 3.0 * f64::from(i) - 1.0]).collect();
    cells.extend((0..60).flat_map(|_| [5.0 * r.uniform(), 20.0 * r.normal()]));
    let rows = Dense::new(cells, 2).unwrap();
    let prepared = Prepared::new(&rows, true, &[]).unwrap();
    let bank = Linear::new(true, 1, vec![-1.0, 3.0, 0.0, 0.0], vec![0.01, 400.0]).unwrap();
    let bank = bank.map(&prepared.data.affine, true).unwrap().with_floor(prepared.pooled.floor());
    let run = climb(&Mixture::equal(bank), &prepared.data, &mut Squarem::default(), 1e-9);
    assert_eq!(run.health.iter().map(|h| h.floor_active).collect::<Vec<_>>(), [true, false]);
    assert_eq!(run.model.emission().variance(0), prepared.pooled.floor());
    let line = prepared.original(run.model.emission()).unwrap();
    assert_close("the line", &line.coefficients(0), &[-1.0, 3.0], 1e-6);
    // Without a floor the same is an error in one sentence.
    let bank = Linear::new(true, 1, vec![0.0, 1.0], vec![1.0]).unwrap();
    let exact = Dense::new(vec![0.0, 0.0, 1.0, 1.0], 2).unwrap();
    let model = Mixture::equal(bank);
    let error = model.clone().m_step(&expect(&model, &exact).stats).unwrap_err();
    assert!(matches!(&error, Error::Degenerate(text) if text.contains("set a variance floor")), "{error}");
}

/// Two crossing lines with noise; covariates about `at`.
fn crossing(n: usize, at: f64) -> Vec<f64> {
    let mut r = Random::new(14);
    let row = |r: &mut Random| {
        let x = r.normal();
        let slope = if r.uniform() < 0.4 { 2.0 } else { -1.0 };
        [x + at, slope * x + 0.3 * r.normal()]
    };
    (0..n).flat_map(|_| row(&mut r)).collect()
}

#[test]
fn units_and_offsets_do_not_matter() {
    let fit = |cells: &[f64], intercept: bool| {
        let rows = Dense::new(cells, 2).unwrap();
        let prepared = Prepared::new(&rows, intercept, &[]).unwrap();
        let start = init::linear(&prepared, 2, Seed::new(3)).unwrap();
        let run = climb(&start, &prepared.data, &mut Squarem::default(), 1e-9);
        let lines = prepared.original(run.model.emission()).unwrap();
        (run.objective() + prepared.log_jacobian(), lines, run.iterations)
    };
    let cells = crossing(400, 0.0);
    for intercept in [true, false] {
        let (here, lines, iterations) = fit(&cells, intercept);
        // Powers of two change no bit but the units'; others round the data.
        for (sx, sy, exact) in [(0.125, 1024.0, true), (1e-3, 250.0, false), (1e-140, 1e140, false)] {
            let scaled: Vec<f64> = cells.iter().enumerate().map(|(i, v)| v * [sx, sy][i % 2]).collect();
            let (there, moved, its) = fit(&scaled, intercept);
            assert!((there - (here - 400.0 * sy.ln())).abs() < 1e-7, "{here} {there}");
            for k in 0..2 {
                let scale = |c: Vec<f64>| match c[..] {
                    [a, b] => vec![a / sy, b * sx / sy],
                    [b] => vec![b * sx / sy],
                    _ => unreachable!(),
                };
                assert_close("coefficients", &scale(moved.coefficients(k)), &lines.coefficients(k), 1e-6);
                assert_close("noise", &[moved.variance(k) / sy / sy], &[lines.variance(k)], 1e-6);
            }
            assert!(!exact || its == iterations);
        }
    }
    // 1e8 ± 1: the rounding of the covariate itself, 1e-8, is all that is lost.
    let (here, lines, _) = fit(&cells, true);
    let (there, moved, _) = fit(&crossing(400, 1e8), true);
    assert!((there - here).abs() < 1e-4, "{here} {there}");
    for k in 0..2 {
        assert_close("slopes", moved.slopes(k), lines.slopes(k), 1e-6);
        assert_close("noise", &[moved.variance(k)], &[lines.variance(k)], 1e-6);
        assert_close("level", &[moved.predict(k, &[1e8])], &[lines.predict(k, &[0.0])], 1e-6);
    }
    // The raw emission survives the offset too, from the second iteration on, when its points lie among the rows.
    let cells = crossing(400, 1e8);
    let rows = Dense::new(&cells[..], 2).unwrap();
    let flat = || Mixture::equal(Linear::new(true, 1, vec![0.0, 0.0], vec![1.0]).unwrap());
    let (mut model, mut want) = (flat(), flat());
    (0..3).for_each(|_| model = step(&model, &rows));
    let near = crossing(400, 0.0);
    (0..3).for_each(|_| want = step(&want, &Dense::new(&near[..], 2).unwrap()));
    assert_close("slope at 1e8", model.emission().slopes(0), want.emission().slopes(0), 1e-6);
    assert_close("variance at 1e8", &[model.emission().variance(0)], &[want.emission().variance(0)], 1e-6);
}

#[test]
fn tables_without_a_regression_are_refused_in_one_sentence() {
    let names: Vec<String> = ["dose", "age", "y"].map(str::to_owned).to_vec();
    let text = |cells: &[f64], intercept: bool| {
        Prepared::new(&Dense::new(cells, 3).unwrap(), intercept, &names).unwrap_err().to_string()
    };
    let twice = [1.0, 2.0, 3.0, 2.0, 4.0, 1.0, 3.0, 6.0, 2.0, 5.0, 10.0, 7.0];
    assert!(
        text(&twice, true).starts_with("column 'age' is constant or a linear combination of the columns before it")
    );
    assert!(text(&twice, false).starts_with("column 'age' is"));
    // Dependent but for rounding, as data are.
    let mut r = Random::new(33);
    let rounded: Vec<f64> = (0..50).flat_map(|_| [r.normal(), 0.0, r.normal()]).collect();
    let dependent = |a: f64, b: f64| {
        let rows = rounded.chunks(3).flat_map(move |row| [row[0], a * row[0] + b, row[2]]);
        text(&rows.collect::<Vec<f64>>(), true)
    };
    for a in [0.3, -0.7, 1.1, 2.3, 9.7, -0.01] {
        for b in [0.7, -31.1, 1e6] {
            assert!(dependent(a, b).starts_with("column 'age' is"), "{a} {b}");
        }
    }
    let constant = [1.0, 2.0, 3.0, 1.0, 4.0, 1.0, 1.0, 7.0, 2.0, 1.0, 1.0, 9.0];
    assert!(text(&constant, true).starts_with("column 'dose' is constant"));
    assert!(Prepared::new(&Dense::new(&constant[..], 3).unwrap(), false, &names).is_ok());
    let flat = [1.0, 2.0, 3.0, 2.0, 5.0, 3.0, 7.0, 1.0, 3.0];
    assert!(text(&flat, true).contains("the response, column 'y', is constant"));
    assert!(text(&[1.0, 2.0, 0.0, 2.0, 5.0, 0.0, 7.0, 1.0, 0.0], false).contains("the response, column 'y', is 0"));
    assert!(
        text(&[1.0, f64::NAN, 3.0, f64::NAN, 5.0, 4.0, 7.0, 1.0, f64::NAN], true)
            .contains("every row has a missing cell")
    );
    assert!(text(&[1e300, 2.0, 3.0, 1e300, 5.0, 4.0, 1e300, 1.0, 4.0], false).contains("divide the column by 1e300"));
    assert!(text(&[1.0, 2.0, 3.0], true).contains("is constant"), "one row");
    for (coefficients, variances) in [
        (vec![1.0], vec![1.0]),
        (vec![], vec![]),
        (vec![1.0, f64::NAN], vec![1.0]),
        (vec![1.0, 2.0], vec![0.0]),
        (vec![1.0, 2.0], vec![f64::INFINITY]),
    ] {
        assert!(Linear::new(true, 1, coefficients, variances).is_err());
    }
}

#[test]
fn a_component_without_spread_keeps_its_slope() {
    // All rows of component 0 share one x: their slope is unknown and stays, their level does not. Means of rounded numbers about
    // a point elsewhere leave a spread of rounding, which is none.
    let cells = vec![2.1, 1.0, 2.1, 3.0, 2.1, 2.5, 0.0, 9.0, 5.0, 19.0, 7.0, 23.1];
    let rows = Dense::new(cells, 2).unwrap().with_labels(vec![0, 0, 0, 1, 1, 1]).unwrap();
    let rows = rows.with_weights(vec![0.3, 0.7, 1.1, 1.0, 1.0, 1.0]).unwrap();
    let start = Mixture::equal(Linear::new(true, 1, vec![0.0, 0.25, 0.0, 0.0], vec![1.0, 1.0]).unwrap());
    let mut model = start;
    for _ in 0..3 {
        model = step(&model, &rows);
        let lines = model.emission();
        assert_eq!(lines.slopes(0), [0.25]);
        // (0.3 · 1 + 0.7 · 3 + 1.1 · 2.5) / 2.1 = 5.15 / 2.1, and (0.3 + 0.7 · 9 + 1.1 · 6.25) / 2.1 less its square.
        let level = 5.15 / 2.1;
        let want = [level, 13.475 / 2.1 - level * level];
        assert_close("level", &[lines.predict(0, &[2.1]), lines.variance(0)], &want, 1e-14);
        // Σ(x−4)(y−17.0333…) / Σ(x−4)² = (−36 + 19 + 69.3) / 26.
        assert_close("slope", lines.slopes(1), &[52.3 / 26.0], 1e-14);
    }
}

#[test]
fn statistics_of_different_points_merge() {
    // Two halves of the rows, each seen by another line through another point, 1e3 away: together the least squares of all.
    let cells = crossing(300, 0.0);
    let whole = Dense::new(&cells[..], 2).unwrap();
    let halves = [&cells[..200], &cells[200..]].map(|half| Dense::new(half, 2).unwrap());
    let bank = Linear::new(true, 1, vec![0.0, 1.0], vec![1.0]).unwrap();
    let far = bank.with_parameters(&[1e3, -1e3, 5.0, 2.0]).unwrap();
    let (near, far) = (Mixture::equal(bank), Mixture::equal(far));
    let mut stats = expect(&near, &halves[0]).stats;
    stats.merge(&expect(&far, &halves[1]).stats);
    let mut merged = near.clone();
    merged.m_step(&stats).unwrap();
    let want = step(&near, &whole);
    // A shift of 1e3 loses the digits of its square, 1e6 · 1e-16, to sums of size 1.
    assert_close("merged", &merged.emission().parameters(), &want.emission().parameters(), 1e-9);
}

#[test]
fn fixed_weights_stay_and_are_not_counted() {
    let rows = Dense::new(vec![5.0, 9.0, 8.0, 4.0, 7.0], 1).unwrap();
    let bank = Binomial::new(vec![0.6, 0.5], Some(10)).unwrap();
    let mut model = Mixture::of(FixedWeights::new(vec![0.3, 0.7]).unwrap(), bank).unwrap();
    assert_eq!((model.n_free_parameters(), model.to_vector().len()), (2, 2));
    model.m_step(&expect(&model, &rows).stats).unwrap();
    assert_eq!(model.mixing().parameters(), [0.3, 0.7]);
    let again = model.with_parameters(&model.parameters()).unwrap();
    assert_eq!(again.parameters(), model.parameters());
    for wrong in [vec![0.5, 0.6], vec![-0.5, 1.5], vec![f64::NAN, 1.0], vec![]] {
        assert!(FixedWeights::new(wrong).is_err());
    }
}

#[test]
fn starts_follow_the_seed_and_find_the_components() {
    let w = weights(400, 3);
    let cells = crossing(400, 0.0);
    let rows = Dense::new(&cells[..], 2).unwrap().with_weights(&w[..]).unwrap();
    let prepared = Prepared::new(&rows, true, &[]).unwrap();
    let of = |seed| init::linear(&prepared, 2, Seed::new(seed)).unwrap();
    assert_eq!(of(1).parameters(), of(1).parameters());
    assert_ne!(of(1).parameters(), of(2).parameters());
    let runs = (0..8).map(|seed| climb(&of(seed), &prepared.data, &mut Squarem::default(), 1e-6));
    let best = runs.max_by(|a, b| a.objective().total_cmp(&b.objective())).unwrap();
    let lines = prepared.original(best.model.emission()).unwrap();
    let mut slopes = [lines.slopes(0)[0], lines.slopes(1)[0]];
    slopes.sort_by(f64::total_cmp);
    // Some 240 and 160 rows with noise 0.3 over a spread of 1: standard errors of 0.02 and 0.024, five of them, and more for rows
    // that could be of either line.
    assert_close("slopes", &slopes, &[-1.0, 2.0], 0.15);
    // K equal starts would never part: probabilities of different components differ, whatever rows they drew.
    let rows = Dense::new(vec![1.0; 30], 1).unwrap();
    let start = init::binomial(&rows, Some(3), 4, Seed::new(0)).unwrap();
    let mut p = start.emission().probabilities().to_vec();
    p.dedup();
    assert_eq!(p.len(), 4);
}
