//! Imperfect data in one E-step: missing cells, case weights and partial labels, against references made without this
//! library.

use mixtura::data::{Chunk, Dense, Rows};
use mixtura::family::Emission;
use mixtura::family::gaussian::{Gaussian, Structure};
use mixtura::fit::{Init, Method};
use mixtura::model::{LatentModel, Predict};
use mixtura::{GaussianMixture, Mixture, Seed};
use mixtura_testkit::golden::{assert_close, case, data, number, numbers};
use mixtura_testkit::laws::expect;

/// K full matrices from a reference that stores covariances as its structure does.
fn full_matrices(structure: Structure, k: usize, d: usize, values: &[f64]) -> Vec<f64> {
    match structure {
        Structure::Full => values.to_vec(),
        Structure::Tied => values.repeat(k),
        Structure::Diag | Structure::Spherical => {
            let mut out = vec![0.0; k * d * d];
            for c in 0..k {
                for i in 0..d {
                    out[c * d * d + i * d + i] =
                        if structure == Structure::Diag { values[c * d + i] } else { values[c] };
                }
            }
            out
        }
    }
}

#[test]
fn e_and_m_step_with_missing_cells_weights_and_labels() {
    let case = case("missing_estep");
    let input = &case["input"];
    let (rows, weights) = (numbers(&input["x"]), numbers(&input["case_weights"]));
    let labels: Vec<i32> = numbers(&input["labels"]).iter().map(|l| *l as i32).collect();
    let (k, d, n) = (3, 4, 40);
    for structure in Structure::ALL {
        let name = structure.name();
        let want = &case["expected"][name];
        let covariances = full_matrices(structure, k, d, &numbers(&input["covariances"][name]));
        let bank = Gaussian::new(structure, d, numbers(&input["means"]), covariances).unwrap();
        let mut model = Mixture::new(numbers(&input["weights"]), bank).unwrap();

        // Row by row; `posterior` knows no labels, so labelled rows are compared through the E-step below.
        let (mut resp, mut log_density) = (vec![0.0; n * k], vec![0.0; n]);
        model.posterior(Chunk::of(Rows::new(&rows, d)), &mut model.scratch(), &mut resp, &mut log_density);
        let (want_resp, want_density) = (numbers(&want["responsibilities"]), numbers(&want["row_log_density"]));
        for i in (0..n).filter(|&i| labels[i] < 0) {
            assert_close(name, &resp[i * k..][..k], &want_resp[i * k..][..k], 1e-10);
            assert_close(name, &log_density[i..=i], &want_density[i..=i], 1e-10);
        }

        let table =
            Dense::new(&rows[..], d).unwrap().with_weights(&weights[..]).unwrap().with_labels(&labels[..]).unwrap();
        let e = expect(&model, &table);
        assert_close(name, &[e.log_likelihood], &[number(&want["weighted_loglik"])], 1e-10 * 300.0);
        assert_close(name, &e.stats.counts, &numbers(&want["sum_w_r"]), 1e-10);
        let want_first = numbers(&want["sum_w_r_ex"]);
        for c in 0..k {
            // Statistics are about the component's mean: Σ w r (E x − μ) + n μ = Σ w r E x.
            let moments = &e.stats.emission;
            let first: Vec<f64> =
                (0..d).map(|j| moments.first[c * d + j] + moments.weight[c] * moments.pivot[c * d + j]).collect();
            assert_close(name, &first, &want_first[c * d..][..d], 1e-10);
        }
        model.m_step(&e.stats).unwrap();
        let after = &want["after_one_em"];
        assert_close(name, model.weights(), &numbers(&after["weights"]), 1e-10);
        let want_means = numbers(&after["means"]);
        let want_covariances = full_matrices(structure, k, d, &numbers(&after["covariances"]));
        for c in 0..k {
            assert_close(name, model.emission().mean(c), &want_means[c * d..][..d], 1e-10);
            assert_close(name, &model.emission().covariance(c), &want_covariances[c * d * d..][..d * d], 1e-10);
        }
        let again = expect(&model, &table).log_likelihood;
        assert_close(name, &[again], &[number(&after["weighted_loglik"])], 1e-10 * 300.0);
    }
}

/// Largest deviation of a fit from given parameters in units of given standard errors; components matched by mean.
fn deviation(model: &Mixture<Gaussian>, truth: &serde_json::Value, se: &serde_json::Value) -> f64 {
    let (k, d) = (model.weights().len(), model.emission().n_features());
    let (means, covariances, weights) =
        (numbers(&truth["means"]), numbers(&truth["covariances"]), numbers(&truth["weights"]));
    let (se_m, se_c, se_w) = (numbers(&se["means"]), numbers(&se["covariances"]), numbers(&se["weights"]));
    let mut worst = 0.0_f64;
    for c in 0..k {
        let distance = |j: usize| -> f64 {
            model.emission().mean(j).iter().zip(&means[c * d..]).map(|(a, b)| (a - b).powi(2)).sum()
        };
        let j = (0..k).fold(0, |b, j| if distance(j) < distance(b) { j } else { b });
        let mut check = |got: f64, want: f64, se: f64| worst = worst.max((got - want).abs() / se);
        check(model.weights()[j], weights[c], se_w[c]);
        for i in 0..d {
            check(model.emission().mean(j)[i], means[c * d + i], se_m[c * d + i]);
        }
        for (i, got) in model.emission().covariance(j).iter().enumerate() {
            check(*got, covariances[c * d * d + i], se_c[c * d * d + i]);
        }
    }
    worst
}

#[test]
fn a_fifth_of_the_cells_missing_at_random() {
    let case = case("missing_recovery");
    let rows = data("missing20.csv.gz").unwrap().first(4);
    let want = &case["expected"];
    let fit = GaussianMixture::new(3).fit(&Dense::new(&rows[..], 4).unwrap()).unwrap();
    let allowed = number(&want["standard_errors_allowed"]) * number(&want["inflation"]);
    let worst = deviation(&fit.model, &want["truth"], &want["standard_errors_complete_data_at_truth"]);
    assert!(worst < allowed, "{worst} standard errors, {allowed} allowed");
    let mle = &want["missing_data_mle"];
    let options = GaussianMixture { tolerance: 1e-9, max_iter: 5000, ..GaussianMixture::new(3) };
    let fit = options.fit(&Dense::new(&rows[..], 4).unwrap()).unwrap();
    let log_likelihood = mle.get("loglik").or_else(|| mle.get("log_likelihood")).expect("a log-likelihood");
    assert_close("missing-data optimum", &[fit.log_likelihood], &[number(log_likelihood)], 1e-5);
}

#[test]
fn a_weighted_fit_follows_its_reference() {
    let case = case("whole_fit_weights");
    let input = &case["input"];
    let (rows, weights) = (numbers(&input["x"]), numbers(&input["case_weights"]));
    let start = &input["start"];
    let bank = Gaussian::new(Structure::Full, 2, numbers(&start["means"]), numbers(&start["covariances"])).unwrap();
    let start = Mixture::new(numbers(&start["weights"]), bank).unwrap();
    let table = Dense::new(rows, 2).unwrap().with_weights(weights).unwrap();
    let options = GaussianMixture {
        tolerance: 1e-11,
        max_iter: 5000,
        reg_covar: Some(0.0),
        init: Init::Params(Box::new(start)),
        method: Method::Em,
        ..GaussianMixture::new(2)
    };
    let fit = options.fit(&table).unwrap();
    let path = numbers(&case["expected"]["loglik_path"]["values"]);
    let shift = fit.log_likelihood - fit.trace.objective.last().unwrap();
    let got: Vec<f64> = fit.trace.objective.iter().take(path.len()).map(|o| o + shift).collect();
    assert_close("path", &got, &path, 1e-9);
    let mle = &case["expected"]["mle"];
    assert_close("loglik", &[fit.log_likelihood], &[number(&mle["loglik"])], 1e-8);
    assert_eq!(fit.total_weight, number(&case["expected"]["total_weight"]));
    assert_close("weights", fit.model.weights(), &numbers(&mle["weights"]), 1e-4);
    let p = fit.n_free_parameters as f64;
    assert_close("bic", &[fit.bic()], &[-2.0 * number(&mle["loglik"]) + p * 87.0_f64.ln()], 1e-7);
}

#[test]
fn rows_of_weight_zero_change_no_bit_of_a_fit() {
    let rows = data("iris.csv").unwrap().first(4);
    // Half of the rows count, chosen in no periodic order, some of them twice.
    let mut state = 5_u64;
    let weights: Vec<f64> = (0..150)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            [0.0, 1.0, 0.0, 2.0][(state >> 62) as usize]
        })
        .collect();
    let (kept, w): (Vec<&[f64]>, Vec<f64>) = rows.chunks(4).zip(&weights).filter(|(_, w)| **w > 0.0).unzip();
    for structure in Structure::ALL {
        let options = GaussianMixture { structure, ..GaussianMixture::new(3) };
        let with = options.fit(&Dense::new(&rows[..], 4).unwrap().with_weights(&weights[..]).unwrap()).unwrap();
        let without = options.fit(&Dense::new(kept.concat(), 4).unwrap().with_weights(w.clone()).unwrap()).unwrap();
        assert_eq!(with.log_likelihood.to_bits(), without.log_likelihood.to_bits(), "{}", structure.name());
        assert_eq!(with.model.weights(), without.model.weights());
        assert_eq!(with.n_rows, kept.len());
    }
}

#[test]
fn partial_labels_fix_which_component_is_which() {
    let rows = data("iris.csv").unwrap().first(4);
    // Five labelled rows per species; virginica is label 0, setosa 2.
    let labels: Vec<i32> = (0..150).map(|i| if i % 50 < 5 { 2 - i / 50 } else { -1 }).collect();
    // Fifteen labelled rows alone start EM in a basin 8 nats below the best; the race finds the best.
    for (init, tolerance) in [(Init::Auto, 0.2), (Init::Labels, 0.5)] {
        let options = GaussianMixture { init, seed: Seed::new(3), ..GaussianMixture::new(3) };
        let fit = options.fit(&Dense::new(&rows[..], 4).unwrap().with_labels(&labels[..]).unwrap()).unwrap();
        // Mean petal lengths of the species (Fisher 1936): setosa 1.46, versicolor 4.26, virginica 5.55.
        for (k, petal) in [(0, 5.55), (1, 4.26), (2, 1.46)] {
            assert!(
                (fit.model.emission().mean(k)[2] - petal).abs() < tolerance,
                "component {k}: {:?}",
                fit.model.emission().mean(k)
            );
        }
    }
    let error =
        GaussianMixture::new(2).fit(&Dense::new(&rows[..], 4).unwrap().with_labels(&labels[..]).unwrap()).unwrap_err();
    assert!(error.to_string().contains("the labels name 3 components, but only 2"), "{error}");
}

#[test]
fn all_rows_labelled_is_one_gaussian_per_label() {
    let rows = data("iris.csv").unwrap().first(4);
    let labels: Vec<i32> = (0..150).map(|i| i / 50).collect();
    let table = Dense::new(&rows[..], 4).unwrap().with_labels(labels).unwrap();
    let fit = GaussianMixture { init: Init::Labels, ..GaussianMixture::new(3) }.fit(&table).unwrap();
    for k in 0..3 {
        let own = &rows[k * 200..(k + 1) * 200];
        let one = GaussianMixture::new(1).fit(&Dense::new(own, 4).unwrap()).unwrap();
        // The same sums about different pivots.
        assert_close("means", fit.model.emission().mean(k), one.model.emission().mean(0), 1e-12);
        assert_close("covariances", &fit.model.emission().covariance(k), &one.model.emission().covariance(0), 1e-12);
    }
    assert!((fit.icl() - fit.bic()).abs() < 1e-12, "nothing is uncertain");
}

#[test]
fn far_from_zero_the_digits_survive() {
    let case = case("precision");
    let mix = &case["input"]["mixture"];
    let (rows, want) = (numbers(&mix["x"]), &case["expected"]["mixture"]);
    let bank = Gaussian::new(Structure::Full, 3, numbers(&mix["means"]), numbers(&mix["covariances"])).unwrap();
    let mut model = Mixture::new(numbers(&mix["weights"]), bank).unwrap();
    let n = rows.len() / 3;
    let (mut resp, mut log_density) = (vec![0.0; n * 2], vec![0.0; n]);
    model.posterior(Chunk::of(Rows::new(&rows, 3)), &mut model.scratch(), &mut resp, &mut log_density);
    assert_close("log-densities", &log_density, &numbers(&want["row_log_density"]), 1e-10);
    assert_close("responsibilities", &resp, &numbers(&want["responsibilities"]), 1e-10);
    let e = expect(&model, &Dense::new(&rows[..], 3).unwrap());
    model.m_step(&e.stats).unwrap();
    let after = &want["after_one_em"];
    let covariances = numbers(&after["covariances"]);
    for k in 0..2 {
        assert_close("covariances", &model.emission().covariance(k), &covariances[k * 9..][..9], 1e-7);
    }
}

#[test]
fn float32_columns_keep_their_variance() {
    let want = &case("precision")["expected"]["float32"];
    let csv = data("float32_columns.csv").unwrap();
    for name in ["x293", "x10000"] {
        let column: Vec<f32> = csv.columns(&[name]).iter().map(|v| *v as f32).collect();
        let table = Dense::from_values(mixtura::data::Values::F32(column.into()), 1).unwrap();
        let fit = GaussianMixture::new(1).fit(&table).unwrap();
        let variance = number(&want[name]["variance_divisor_n"]);
        assert_close(name, &fit.model.emission().covariance(0), &[variance], 1e-10 * variance);
        assert_close(name, fit.model.emission().mean(0), &[number(&want[name]["mean"])], 1e-9);
        assert_close(name, &[fit.log_likelihood], &[number(&want[name]["normal_loglik_at_mle"])], 1e-8);
    }
}
