//! Variational Bayes: the bound never falls, is exact where the evidence is known, and full covariances follow scikit-learn.

use mixtura::data::{Chunk, Dense, Rows};
use mixtura::family::gaussian::Structure;
use mixtura::family::normal_wishart::NormalWishart;
use mixtura::fit::{BayesianFit, BayesianModel, Init, StatusKind, Stop};
use mixtura::model::{LatentModel, Predict, WeightPrior};
use mixtura::stats::{Expectation, Statistic};
use mixtura::{BayesianMixture, GaussianMixture, catalog};
use mixtura_testkit::golden::{assert_close, case, number, numbers};
use mixtura_testkit::laws::expect;
use mixtura_testkit::rows::{Random, clusters, responsibilities, weights};
use serde_json::Value;

const PRIORS: [WeightPrior; 2] = [WeightPrior::Dirichlet(0.3), WeightPrior::Process(0.7)];

fn fit(structure: Structure, k: usize, prior: WeightPrior, data: &Dense<'_>) -> BayesianFit {
    let options = BayesianMixture { structure, weight_prior: prior, ..BayesianMixture::new(k) };
    options.fit(data).unwrap()
}

fn means(model: &BayesianModel) -> Vec<f64> {
    (0..model.n_components()).flat_map(|k| model.emission().point().mean(k).to_vec()).collect()
}

fn covariances(model: &BayesianModel) -> Vec<f64> {
    (0..model.n_components()).flat_map(|k| model.emission().point().covariance(k)).collect()
}

fn per_component(model: &BayesianModel, of: impl Fn(&NormalWishart, usize) -> f64) -> Vec<f64> {
    (0..model.n_components()).map(|k| of(model.emission(), k)).collect()
}

#[test]
fn the_bound_never_falls() {
    for structure in Structure::ALL {
        for prior in PRIORS {
            for seed in 0..3 {
                let (mut rows, labels) = clusters(seed, 150, 3, 3);
                // Some known components, some missing cells in one of the data sets.
                let labels =
                    labels.iter().enumerate().map(|(i, l)| if i % 7 == 0 { *l } else { -1 }).collect::<Vec<_>>();
                if seed == 2 {
                    let mut r = Random::new(5);
                    (0..40).for_each(|_| rows[r.below(450)] = f64::NAN);
                }
                let data = Dense::new(&rows[..], 3).unwrap().with_weights(weights(150, seed)).unwrap();
                let data = if seed == 1 { data.with_labels(labels).unwrap() } else { data };
                let options = BayesianMixture {
                    structure,
                    weight_prior: prior,
                    init: Init::Responsibilities(responsibilities(150, 5, 40 + seed)),
                    max_iter: 100,
                    tolerance: 0.0,
                    ..BayesianMixture::new(5)
                };
                let fit = options.fit(&data).unwrap();
                let bound = &fit.point.trace.objective;
                for t in 1..bound.len() {
                    // Some 1000 terms, none larger than the bound, whose roundings partly cancel: 2e-15 is the worst seen.
                    assert!(
                        bound[t] >= bound[t - 1] - 2e-14 * bound[t].abs(),
                        "{} {prior:?} seed {seed}, iteration {t}: {} to {}",
                        structure.name(),
                        bound[t - 1],
                        bound[t]
                    );
                }
                assert!(fit.point.certificate.monotone);
            }
        }
    }
}

/// The prior of the golden case for a structure, as the estimator takes it.
fn with_prior(structure: Structure, options: BayesianMixture, input: &Value) -> BayesianMixture {
    let name = match structure {
        Structure::Full | Structure::Tied => "covariance_prior",
        Structure::Diag => "covariance_prior_diag",
        Structure::Spherical => "covariance_prior_spherical",
    };
    let covariance = match &input[name] {
        Value::Number(n) => vec![n.as_f64().unwrap()],
        list => numbers(list),
    };
    BayesianMixture {
        structure,
        mean_precision_prior: number(&input["mean_precision_prior"]),
        mean_prior: Some(numbers(&input["mean_prior"])),
        degrees_of_freedom_prior: Some(number(&input["degrees_of_freedom_prior"])),
        covariance_prior: Some(covariance),
        ..options
    }
}

#[test]
fn at_one_component_the_bound_is_the_evidence() {
    let golden = case("bayesian_mixture");
    let rows = numbers(&golden["input"]["x"]);
    let n = rows.len() / 2;
    let data = Dense::new(&rows[..], 2).unwrap();
    for structure in Structure::ALL {
        // With one component, tied is full.
        let name = if structure == Structure::Tied { "full" } else { structure.name() };
        let exact = number(&golden["expected"]["evidence"][name]);
        for prior in PRIORS {
            let options = BayesianMixture { weight_prior: prior, ..BayesianMixture::new(1) };
            let fit = with_prior(structure, options, &golden["input"]["evidence_prior"]).fit(&data).unwrap();
            // A Dirichlet process also says how likely it is that all rows share the first component:
            // Π_i i / (γ + i) over i = 1 … n, the Chinese restaurant's first table (Pitman 2006, §3.1).
            let first = match prior {
                WeightPrior::Dirichlet(_) => 0.0,
                WeightPrior::Process(c) => (1..=n).map(|i| (i as f64 / (c + i as f64)).ln()).sum(),
            };
            // About 200 terms of the size of the evidence, and log-gammas of the same.
            let off = (fit.lower_bound - exact - first).abs();
            assert!(off < 1e-11 * exact.abs(), "{} {prior:?}: {} against {exact}", structure.name(), fit.lower_bound);
        }
    }
}

#[test]
fn where_every_component_is_known_the_bound_is_the_evidence() {
    // Then q(z) is no approximation, and the bound is log p(x | z) + log p(z), whatever the number of components.
    let golden = case("bayesian_mixture");
    let rows = numbers(&golden["input"]["x"]);
    let labels: Vec<i32> = numbers(&golden["input"]["labels"]).iter().map(|l| *l as i32).collect();
    let data = Dense::new(&rows[..], 2).unwrap().with_labels(labels).unwrap();
    for structure in Structure::ALL {
        for prior in PRIORS {
            let options = BayesianMixture { weight_prior: prior, ..BayesianMixture::new(3) };
            let fit = with_prior(structure, options, &golden["input"]["evidence_prior"]).fit(&data).unwrap();
            let kind = match prior {
                WeightPrior::Dirichlet(_) => "dirichlet_distribution",
                WeightPrior::Process(_) => "dirichlet_process",
            };
            let exact = number(&golden["expected"]["evidence_given_labels"][structure.name()])
                + number(&golden["expected"]["evidence_of_labels"][kind][prior.concentration().to_string()]);
            // As at one component.
            let off = (fit.lower_bound - exact).abs();
            assert!(off < 1e-11 * exact.abs(), "{} {prior:?}: {} against {exact}", structure.name(), fit.lower_bound);
        }
    }
}

#[test]
fn with_missing_cells_the_bound_stays_below_the_evidence() {
    let golden = case("bayesian_mixture");
    let rows = numbers(&golden["input"]["x_with_gaps"]);
    let data = Dense::new(&rows[..], 2).unwrap();
    for structure in [Structure::Diag, Structure::Spherical] {
        let exact = number(&golden["expected"]["evidence_with_gaps"][structure.name()]);
        let options = BayesianMixture { weight_prior: PRIORS[0], tolerance: 1e-9, ..BayesianMixture::new(1) };
        let fit = with_prior(structure, options, &golden["input"]["evidence_prior"]).fit(&data).unwrap();
        let gap = exact - fit.lower_bound;
        // What q(x_m) q(μ, Λ) loses of the posterior: some ½ nat at most for each of the four parameters.
        assert!((0.0..2.0).contains(&gap), "{}: {gap} nats below {exact}", structure.name());
    }
}

#[test]
fn full_follows_scikit_learn_iteration_by_iteration() {
    let golden = case("bayesian_mixture");
    let rows = numbers(&golden["input"]["x"]);
    let data = Dense::new(&rows[..], 2).unwrap();
    for run in golden["expected"]["runs"].as_array().unwrap() {
        let options = &run["options"];
        let concentration = number(&options["weight_concentration_prior"]);
        let kind = options["weight_concentration_prior_type"].as_str().unwrap();
        let prior = catalog::weight_prior(kind, concentration).unwrap();
        for (iterations, want) in run["after"].as_object().unwrap() {
            let mut fit = BayesianMixture {
                weight_prior: prior,
                init: Init::Responsibilities(numbers(&golden["input"]["responsibilities"])),
                max_iter: iterations.parse().unwrap(),
                tolerance: 0.0,
                reg_covar: Some(number(&options["reg_covar"])),
                ..BayesianMixture::new(4)
            };
            if !options["mean_prior"].is_null() {
                fit = with_prior(Structure::Full, fit, options);
            }
            let fit = fit.fit(&data).unwrap();
            let (model, what) = (&fit.posterior, |name: &str| format!("{prior:?}, iteration {iterations}: {name}"));
            // The promise to users; the two agree to 1e-12 and better.
            let check = |name: &str, got: &[f64]| assert_close(&what(name), got, &numbers(&want[name]), 1e-8);
            check("means", &means(model));
            check("covariances", &covariances(model));
            check("mean_precision", &per_component(model, |e, k| e.mean_precision(k)));
            check("degrees_of_freedom", &per_component(model, |e, k| e.degrees_of_freedom(k)));
            check("weight_concentration", &[model.mixing().a(), model.mixing().b()].concat());
            if !want["weights"].is_null() {
                check("weights", fit.point.model.weights());
            }
        }
    }
}

#[test]
fn the_bound_of_scikit_learn_is_ours_up_to_a_constant() {
    let golden = case("bayesian_mixture");
    let rows = numbers(&golden["input"]["x"]);
    let data = Dense::new(&rows[..], 2).unwrap();
    for run in golden["expected"]["runs"].as_array().unwrap() {
        let concentration = number(&run["options"]["weight_concentration_prior"]);
        let kind = run["options"]["weight_concentration_prior_type"].as_str().unwrap();
        let prior = catalog::weight_prior(kind, concentration).unwrap();
        let bound = |stop: Stop| {
            let mut options = BayesianMixture {
                weight_prior: prior,
                init: Init::Responsibilities(numbers(&golden["input"]["responsibilities"])),
                stop,
                max_iter: 40,
                tolerance: 0.0,
                reg_covar: Some(number(&run["options"]["reg_covar"])),
                ..BayesianMixture::new(4)
            };
            if !run["options"]["mean_prior"].is_null() {
                options = with_prior(Structure::Full, options, &run["options"]);
            }
            options.fit(&data).unwrap().point.trace.objective
        };
        let (before, after) = (bound(Stop::Remaining), bound(Stop::Change { tolerance: 0.0 }));
        let theirs = |t: usize| number(&run["after"][t.to_string()]["lower_bound"]);
        for t in [1, 2, 3, 10, 40] {
            let (off, first) = (after[t - 1] - theirs(t), after[0] - theirs(1));
            // Some 1000 terms of the size of the bound, whose roundings partly cancel.
            assert!((off - first).abs() < 1e-12 * theirs(t).abs(), "{prior:?}, iteration {t}: {off} and {first}");
            // Half a step later than ours; an addition to the variances is a cost that only theirs counts.
            if number(&run["options"]["reg_covar"]) == 0.0 {
                assert!(before[t - 1] <= after[t - 1] + 1e-10 && after[t - 1] <= before[t] + 1e-10);
            }
        }
    }
}

#[test]
fn a_fit_goes_on_from_its_posteriors() {
    let (rows, _) = clusters(4, 120, 3, 3);
    let data = Dense::new(&rows[..], 3).unwrap();
    for structure in Structure::ALL {
        for weight_prior in PRIORS {
            let first = BayesianMixture {
                structure,
                weight_prior,
                init: Init::Responsibilities(responsibilities(120, 4, 9)),
                stop: Stop::Change { tolerance: 0.0 },
                max_iter: 6,
                ..BayesianMixture::new(4)
            };
            let half = first.fit(&data).unwrap();
            let rest = BayesianMixture { start: Some(Box::new(half.posterior)), init: Init::Auto, ..first.clone() };
            let (rest, whole) =
                (rest.fit(&data).unwrap(), BayesianMixture { max_iter: 12, ..first }.fit(&data).unwrap());
            // Six iterations amplify the rounding of one change of units.
            assert_close("means", &means(&rest.posterior), &means(&whole.posterior), 1e-9);
            assert_close("covariances", &covariances(&rest.posterior), &covariances(&whole.posterior), 1e-9);
            assert_close("bound", &rest.point.trace.objective, &whole.point.trace.objective[6..], 1e-10);
        }
    }
}

/// A model that has seen some rows.
fn model(structure: Structure, prior: WeightPrior, rows: &[f64], d: usize, k: usize) -> BayesianModel {
    let options = BayesianMixture {
        structure,
        weight_prior: prior,
        init: Init::Responsibilities(responsibilities(rows.len() / d, k, 3)),
        max_iter: 3,
        ..BayesianMixture::new(k)
    };
    options.fit(&Dense::new(rows, d).unwrap()).unwrap().posterior
}

/// Objective, and objective after the M-step: numbers that any change of the statistics would change.
fn told(model: &BayesianModel, e: &Expectation<<BayesianModel as LatentModel>::Stats>, data: &Dense<'_>) -> [f64; 2] {
    let mut next = model.clone();
    next.m_step(&e.stats).unwrap();
    [e.log_likelihood + model.log_prior(), expect(&next, data).log_likelihood + next.log_prior()]
}

#[test]
fn statistics_add_up_and_weights_are_frequencies() {
    let (rows, _) = clusters(8, 120, 3, 2);
    for structure in Structure::ALL {
        for prior in PRIORS {
            let model = model(structure, prior, &rows, 2, 4);
            let data = Dense::new(&rows[..], 2).unwrap();
            let whole = expect(&model, &data);
            for cut in [1, 37, 119] {
                let mut merged = expect(&model, &Dense::new(&rows[..2 * cut], 2).unwrap());
                merged.merge(&expect(&model, &Dense::new(&rows[2 * cut..], 2).unwrap()));
                let (a, b) = (told(&model, &merged, &data), told(&model, &whole, &data));
                // Another order of summation of 120 terms.
                assert_close("parts", &a, &b, 1e-11 * b[0].abs());
            }
            let mut r = Random::new(9);
            let frequency: Vec<f64> = (0..120).map(|_| r.below(4) as f64).collect();
            let repeated: Vec<f64> =
                rows.chunks(2).zip(&frequency).flat_map(|(row, w)| row.repeat(*w as usize)).collect();
            let weighted = expect(&model, &Dense::new(&rows[..], 2).unwrap().with_weights(frequency).unwrap());
            let twice = expect(&model, &Dense::new(&repeated[..], 2).unwrap());
            let (a, b) = (told(&model, &weighted, &data), told(&model, &twice, &data));
            assert_close("weight 2 = row twice", &a, &b, 1e-11 * b[0].abs());
        }
    }
}

#[test]
fn weights_are_frequencies_in_whole_fits() {
    // Also the default priors, the starts' units and the bound must count a weight as so many rows.
    let (rows, _) = clusters(18, 80, 2, 2);
    let mut r = Random::new(2);
    let frequency: Vec<f64> = (0..80).map(|_| r.below(4) as f64).collect();
    let resp = responsibilities(80, 3, 1);
    let used = |i: usize| frequency[i] as usize;
    let repeated: Vec<f64> = (0..80).flat_map(|i| rows[2 * i..][..2].repeat(used(i))).collect();
    let repeated_resp: Vec<f64> = (0..80).flat_map(|i| resp[3 * i..][..3].repeat(used(i))).collect();
    let used_resp: Vec<f64> = (0..80).filter(|&i| used(i) > 0).flat_map(|i| resp[3 * i..][..3].to_vec()).collect();
    for structure in Structure::ALL {
        let of = |data: &Dense<'_>, resp: &[f64]| {
            let init = Init::Responsibilities(resp.to_vec());
            let options = BayesianMixture { structure, init, max_iter: 20, tolerance: 0.0, ..BayesianMixture::new(3) };
            options.fit(data).unwrap()
        };
        let a = of(&Dense::new(&rows[..], 2).unwrap().with_weights(frequency.clone()).unwrap(), &used_resp);
        let b = of(&Dense::new(&repeated[..], 2).unwrap(), &repeated_resp);
        // Twenty iterations carry the roundings of 120 rows along.
        assert_close("bound", &[a.lower_bound], &[b.lower_bound], 1e-9 * b.lower_bound.abs());
        assert_close("means", &means(&a.posterior), &means(&b.posterior), 1e-9);
    }
}

#[test]
fn the_order_of_components_is_a_name_under_a_dirichlet_distribution() {
    let (rows, _) = clusters(21, 120, 3, 2);
    let data = Dense::new(&rows[..], 2).unwrap();
    let resp = responsibilities(120, 3, 6);
    let rotated: Vec<f64> = resp.chunks(3).flat_map(|r| [r[1], r[2], r[0]]).collect();
    for structure in Structure::ALL {
        for prior in PRIORS {
            let of = |resp: &[f64]| {
                let init = Init::Responsibilities(resp.to_vec());
                let options = BayesianMixture { structure, weight_prior: prior, init, ..BayesianMixture::new(3) };
                BayesianMixture { max_iter: 5, ..options }.fit(&data).unwrap()
            };
            let (a, b) = (of(&resp), of(&rotated));
            let difference = (a.lower_bound - b.lower_bound).abs();
            match prior {
                // Sums over components in another order.
                WeightPrior::Dirichlet(_) => {
                    assert!(difference < 1e-10 * a.lower_bound.abs(), "{}", structure.name());
                    let m = means(&a.posterior);
                    assert_close("means", &[&m[2..], &m[..2]].concat(), &means(&b.posterior), 1e-9);
                }
                // Sticks are broken in an order: another one is another posterior.
                WeightPrior::Process(_) => assert!(difference > 1e-3, "{}", structure.name()),
            }
        }
    }
}

#[test]
fn surplus_components_empty_out() {
    let (rows, _) = clusters(4, 600, 3, 2);
    let data = Dense::new(&rows[..], 2).unwrap();
    // These clusters are no spheres: several spherical components each would be right.
    for structure in [Structure::Full, Structure::Tied, Structure::Diag] {
        for prior in [WeightPrior::Dirichlet(1e-3), WeightPrior::Process(1e-3)] {
            let fit = fit(structure, 10, prior, &data);
            assert_eq!(fit.n_effective(), 3, "{} {prior:?}: {:?}", structure.name(), fit.counts);
            assert_eq!(fit.point.status.kind, StatusKind::Converged, "{}", fit.point.status.detail);
            // The seven others are the prior: one row's worth of mean, D of covariance.
            let bank = fit.posterior.emission();
            let empty: Vec<usize> = (0..10).filter(|&k| fit.counts[k] < 1.0).collect();
            assert!(empty.iter().all(|&k| bank.mean_precision(k) < 2.0));
            assert_eq!(empty, (3..10).collect::<Vec<_>>(), "largest first");
        }
    }
}

#[test]
fn sorting_the_sticks_never_lowers_the_bound() {
    for seed in 0..4 {
        let (rows, _) = clusters(seed, 200, 4, 2);
        let data = Dense::new(&rows[..], 2).unwrap().with_weights(weights(200, seed)).unwrap();
        for structure in Structure::ALL {
            let options =
                BayesianMixture { structure, init: Init::Random, restarts: Some(2), ..BayesianMixture::new(6) };
            let fit = BayesianMixture { weight_prior: PRIORS[1], ..options }.fit(&data).unwrap();
            assert!(fit.point.certificate.monotone, "{}: {:?}", structure.name(), fit.point.certificate);
            assert!(fit.counts.windows(2).all(|n| n[0] > n[1] - 1e-4), "{}: {:?}", structure.name(), fit.counts);
        }
    }
}

#[test]
fn much_data_outweighs_the_prior() {
    let (rows, _) = clusters(12, 20_000, 3, 2);
    let data = Dense::new(&rows[..], 2).unwrap();
    for structure in Structure::ALL {
        let start = GaussianMixture { structure, ..GaussianMixture::new(3) }.fit(&data).unwrap();
        for prior in [WeightPrior::Dirichlet(1.0), WeightPrior::Process(1.0)] {
            let options = BayesianMixture {
                structure,
                weight_prior: prior,
                init: Init::Params(Box::new(start.model.clone())),
                ..BayesianMixture::new(3)
            };
            let fit = options.fit(&data).unwrap();
            let (bayes, ml) = (fit.point.model, &start.model);
            for k in 0..3 {
                // The prior is worth a row or two of some 6,700, and stands some 10 standard deviations off: relative changes
                // of 10²/6700 in covariances and 10/6700 in means at most.
                assert!((bayes.weights()[k] - ml.weights()[k]).abs() < 1e-3);
                assert_close("means", bayes.emission().mean(k), ml.emission().mean(k), 5e-3);
                assert_close("covariances", &bayes.emission().covariance(k), &ml.emission().covariance(k), 4e-2);
            }
            // p(rows) is below the best likelihood, by about ½ log n for each of the parameters.
            let gap = start.log_likelihood - fit.lower_bound;
            let laplace = 0.5 * start.n_free_parameters as f64 * 20_000_f64.ln();
            // The bound adds what q misses of the posterior, and a process the cost of its sticks: a few nats each.
            assert!((0.3 * laplace..3.0 * laplace).contains(&gap), "{} {prior:?}: {gap} {laplace}", structure.name());
        }
    }
}

#[test]
fn units_do_not_matter() {
    let (rows, _) = clusters(31, 300, 3, 2);
    for structure in Structure::ALL {
        // Powers of two, so that nothing but the unit changes; spherical precisions need one unit.
        let scale = [2.0_f64.powi(-490), 2.0_f64.powi(490)];
        let scale = if structure == Structure::Spherical { [scale[1]; 2] } else { scale };
        let scaled: Vec<f64> = rows.iter().enumerate().map(|(i, x)| x * scale[i % 2]).collect();
        let a = fit(structure, 4, PRIORS[0], &Dense::new(&rows[..], 2).unwrap());
        let b = fit(structure, 4, PRIORS[0], &Dense::new(&scaled[..], 2).unwrap());
        let jacobian = 300.0 * (scale[0].ln() + scale[1].ln());
        assert!(
            (a.lower_bound - b.lower_bound - jacobian).abs() < 1e-9 * jacobian.abs().max(1e3),
            "{}",
            structure.name()
        );
        for (i, (x, y)) in means(&a.posterior).iter().zip(means(&b.posterior)).enumerate() {
            assert!((x * scale[i % 2] - y).abs() <= 1e-12 * y.abs(), "{}", structure.name());
        }
        // Around 1e8 the numbers themselves are rounded to 1e-8 of a standard deviation.
        let shifted: Vec<f64> = rows.iter().map(|x| x + 1e8).collect();
        let c = fit(structure, 4, PRIORS[0], &Dense::new(&shifted[..], 2).unwrap());
        assert!((a.lower_bound - c.lower_bound).abs() < 1e-4, "{}", structure.name());
    }
}

#[test]
fn given_priors_follow_the_units() {
    let golden = case("bayesian_mixture");
    let rows = numbers(&golden["input"]["x"]);
    let data = Dense::new(&rows[..], 2).unwrap();
    for structure in Structure::ALL {
        let options = with_prior(structure, BayesianMixture::new(2), &golden["input"]["evidence_prior"]);
        let fit = options.fit(&data).unwrap();
        let prior = fit.posterior.emission().prior();
        assert_close("mean", &prior.mean, options.mean_prior.as_ref().unwrap(), 1e-14);
        let given = options.covariance_prior.as_ref().unwrap();
        let scale = match structure {
            Structure::Full | Structure::Tied => prior.scale.clone(),
            Structure::Diag => vec![prior.scale[0], prior.scale[3]],
            Structure::Spherical => vec![prior.scale[3]],
        };
        assert_close("scale", &scale, given, 1e-14);
        assert_eq!(prior.degrees_of_freedom, 4.5);
    }
}

#[test]
fn labels_fix_components_and_missing_cells_are_no_information() {
    let (rows, labels) = clusters(2, 200, 3, 2);
    let known: Vec<i32> = labels.iter().enumerate().map(|(i, l)| if i % 5 == 0 { *l } else { -1 }).collect();
    for structure in Structure::ALL {
        let data = Dense::new(&rows[..], 2).unwrap().with_labels(known.clone()).unwrap();
        let labelled = fit(structure, 3, WeightPrior::Dirichlet(1.0), &data);
        let mut resp = vec![0.0; 600];
        let mut log_density = vec![0.0; 200];
        let model = &labelled.posterior;
        model.posterior(Chunk::of(Rows::new(&rows, 2)), &mut model.scratch(), &mut resp, &mut log_density);
        let agree = (0..200).filter(|&i| resp[3 * i + labels[i] as usize] > 0.5).count();
        assert!(agree > 195, "{}: {agree}", structure.name());
        // Rows without any cell add nothing to where a component is: their expected value is its mean.
        let mut more = rows.clone();
        more.extend([f64::NAN; 40]);
        let options = BayesianMixture {
            structure,
            mean_prior: Some(vec![0.5, -0.5]),
            mean_precision_prior: 5.0,
            tolerance: 1e-10,
            ..BayesianMixture::new(1)
        };
        let [a, b] = [&rows[..], &more[..]].map(|r| options.fit(&Dense::new(r, 2).unwrap()).unwrap());
        // At a tolerance of 1e-10 nats the mean is within √(2e-10 / 220) ≈ 1e-6 of its standard deviations, about 8.
        assert_close("means", &means(&a.posterior), &means(&b.posterior), 1e-5);
    }
}
