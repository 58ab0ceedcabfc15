//! Starts that the user gives, the stop rule on the change of the objective, and tables that lie column by column.

use mixtura::data::{Dense, Values};
use mixtura::fit::{Assigned, Given, Init, Method, StatusKind, Stop};
use mixtura::{GaussianMixture, KMeans};

/// Two groups, in two columns.
fn values() -> Vec<f64> {
    (0..300)
        .flat_map(|i: i32| {
            let (a, b) = (f64::from(i * 37 % 101) * 0.01, f64::from(i * i % 89) * 0.02);
            let shift = if i % 3 == 0 { 2.0 } else { 0.0 };
            [a + shift, b - shift + 0.3 * a]
        })
        .collect()
}

fn rows() -> Dense<'static> {
    Dense::new(values(), 2).unwrap()
}

#[test]
fn columns_give_the_bits_of_rows() {
    let values = values();
    let columns: Vec<f64> = (0..2).flat_map(|j| values.iter().skip(j).step_by(2).copied()).collect();
    let weights: Vec<f64> = (0..300).map(|i| f64::from(i * i % 5)).collect();
    let by_rows = rows().with_weights(weights.clone()).unwrap();
    let by_columns = Dense::from_columns(Values::F64(columns.into()), 2).unwrap().with_weights(weights).unwrap();
    let fit = |data: &Dense<'_>| GaussianMixture::new(2).fit(data).unwrap();
    let (a, b) = (fit(&by_rows), fit(&by_columns));
    assert_eq!(a.log_likelihood.to_bits(), b.log_likelihood.to_bits());
    assert_eq!(a.model.emission().mean(1), b.model.emission().mean(1));
}

#[test]
fn an_infinite_cell_of_columns_is_named_by_row_and_column() {
    let error = Dense::from_columns(Values::F64(vec![1.0, 2.0, 3.0, 4.0, f64::INFINITY, 6.0].into()), 2).unwrap_err();
    assert!(error.to_string().starts_with("row 2, column 2 is infinite"), "{error}");
}

#[test]
fn the_change_rule_stops_at_the_first_small_change() {
    let labels: Vec<i32> = (0..300).map(|i| i32::from(i % 3 == 0)).collect();
    let tolerance = 0.05;
    let fit = GaussianMixture {
        init: Init::Assignments(vec![Assigned::Hard(labels)]),
        method: Method::Em,
        stop: Stop::Change { tolerance },
        ..GaussianMixture::new(2)
    }
    .fit(&rows())
    .unwrap();
    assert_eq!(fit.status.kind, StatusKind::Converged);
    // The objectives at the start of every iteration, without that of the result.
    let objective = &fit.trace.objective[..fit.iterations];
    let changes: Vec<f64> = objective.windows(2).map(|pair| (pair[1] - pair[0]).abs()).collect();
    let (last, before) = changes.split_last().unwrap();
    assert!(*last < tolerance && before.iter().all(|c| *c >= tolerance), "{changes:?}");
}

#[test]
fn a_continued_run_stops_where_the_whole_one_does() {
    let resp: Vec<f64> = (0..300).flat_map(|i| if i % 3 == 0 { [0.1, 0.9] } else { [0.8, 0.2] }).collect();
    let whole = GaussianMixture {
        init: Init::Assignments(vec![Assigned::Soft(resp)]),
        method: Method::Em,
        ..GaussianMixture::new(2)
    };
    let all = whole.fit(&rows()).unwrap();
    assert_eq!(all.status.kind, StatusKind::Converged);
    let short = GaussianMixture { max_iter: all.iterations - 1, ..whole.clone() }.fit(&rows()).unwrap();
    assert_eq!(short.status.kind, StatusKind::IterationLimit);
    let shift = short.log_likelihood - short.trace.objective.last().unwrap();
    let rest = GaussianMixture {
        init: Init::Params(Box::new(short.model.clone())),
        history: short.trace.objective[..short.iterations].iter().map(|o| o + shift).collect(),
        ..whole
    }
    .fit(&rows())
    .unwrap();
    assert_eq!((rest.status.kind, rest.iterations), (StatusKind::Converged, 1));
}

#[test]
fn given_parameters_replace_those_of_the_start() {
    let labels: Vec<i32> = (0..300).map(|i| i32::from(i % 3 == 0)).collect();
    let start = GaussianMixture {
        init: Init::Assignments(vec![Assigned::Hard(labels)]),
        given: Given { means: Some(vec![0.5, 1.0, 2.5, -1.0]), ..Given::default() },
        max_iter: 0,
        ..GaussianMixture::new(2)
    }
    .fit(&rows())
    .unwrap();
    for (got, want) in start.model.emission().mean(1).iter().zip([2.5, -1.0]) {
        // There and back through the standardised columns: a rounding or two.
        assert!((got - want).abs() < 1e-14, "{got}");
    }
    assert!((start.model.weights()[1] - 1.0 / 3.0).abs() < 1e-15);
}

#[test]
fn k_means_ends_when_its_centres_hardly_move() {
    let centers = vec![0.0, 0.0, 0.2, 0.1, 0.4, 0.9];
    let strict = KMeans::new(3).fit_from(&rows(), centers.clone()).unwrap();
    let loose = KMeans { tolerance: 0.05, ..KMeans::new(3) }.fit_from(&rows(), centers).unwrap();
    assert!(strict.unchanged && strict.converged && loose.converged && !loose.unchanged);
    assert!(loose.iterations < strict.iterations && loose.inertia >= strict.inertia);
}
