//! Variational Bayes at its edges: priors that make no sense, very little data, files, threads, seeds.

use mixtura::data::Dense;
use mixtura::family::Emission;
use mixtura::family::gaussian::Structure;
use mixtura::family::normal_wishart::{NormalWishart, Prior};
use mixtura::fit::{BayesianFit, Init, StatusKind};
use mixtura::model::{LatentModel, WeightPosterior, WeightPrior, Weights};
use mixtura::persist::{DataRecord, Record, SavedModel};
use mixtura::{BayesianMixture, Seed, catalog};
use mixtura_testkit::golden::assert_close;
use mixtura_testkit::rows::{clusters, weights};

const PRIORS: [WeightPrior; 2] = [WeightPrior::Dirichlet(0.3), WeightPrior::Process(0.7)];

fn fit(structure: Structure, k: usize, prior: WeightPrior, data: &Dense<'_>) -> BayesianFit {
    let options = BayesianMixture { structure, weight_prior: prior, ..BayesianMixture::new(k) };
    options.fit(data).unwrap()
}

#[test]
fn the_seed_decides_and_parameters_come_back() {
    let (rows, _) = clusters(7, 100, 3, 2);
    let data = Dense::new(&rows[..], 2).unwrap();
    for structure in Structure::ALL {
        for prior in PRIORS {
            let a = fit(structure, 4, prior, &data);
            let again = fit(structure, 4, prior, &data);
            assert_eq!(a.lower_bound.to_bits(), again.lower_bound.to_bits());
            let back = a.posterior.with_parameters(&a.posterior.parameters()).unwrap();
            assert_eq!(back.parameters(), a.posterior.parameters());
            assert_eq!(back.log_prior().to_bits(), a.posterior.log_prior().to_bits());
            assert!(a.posterior.with_parameters(&a.posterior.parameters()[..5]).is_none());
            // The point estimate is a model like any other.
            let columns = vec!["x".to_owned(), "y".to_owned()];
            let record = Record::of(&a.point, 0, DataRecord::default(), Vec::new());
            let saved = SavedModel { model: a.point.model.clone(), columns, record };
            let read = SavedModel::from_json(&saved.to_json()).unwrap();
            assert_eq!(read.model.parameters(), a.point.model.parameters());
        }
    }
}

#[test]
fn threads_do_not_change_bits() {
    // Three chunks, so that there is something to merge.
    let (rows, _) = clusters(7, 10_000, 3, 2);
    let data = Dense::new(&rows[..], 2).unwrap().with_weights(weights(10_000, 3)).unwrap();
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let options = BayesianMixture { restarts: Some(2), max_iter: 20, ..BayesianMixture::new(4) };
        let fit = pool.install(|| options.fit(&data).unwrap());
        (fit.lower_bound.to_bits(), fit.posterior.parameters().iter().map(|p| p.to_bits()).collect::<Vec<_>>())
    };
    assert!(run(1) == run(3));
}

#[test]
fn what_makes_no_sense_is_refused_with_a_sentence() {
    let (rows, _) = clusters(7, 30, 2, 2);
    let data = Dense::new(&rows[..], 2).unwrap();
    let base = BayesianMixture::new(2);
    let refused = |options: BayesianMixture, word: &str| {
        let error = options.fit(&data).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    };
    refused(BayesianMixture::new(0), "at least one component");
    assert!(catalog::weight_prior("dirichlet", 1.0).unwrap_err().to_string().contains("dirichlet_process"));
    refused(BayesianMixture { weight_prior: WeightPrior::Process(0.0), ..base.clone() }, "concentration is 0");
    refused(BayesianMixture { weight_prior: WeightPrior::Dirichlet(f64::NAN), ..base.clone() }, "concentration is NaN");
    refused(BayesianMixture { mean_precision_prior: -1.0, ..base.clone() }, "mean precision is -1");
    refused(BayesianMixture { mean_prior: Some(vec![0.0]), ..base.clone() }, "1 numbers for 2 columns");
    refused(BayesianMixture { mean_prior: Some(vec![0.0, f64::INFINITY]), ..base.clone() }, "finite");
    refused(BayesianMixture { degrees_of_freedom_prior: Some(1.0), ..base.clone() }, "need more than 1");
    refused(BayesianMixture { covariance_prior: Some(vec![1.0]), ..base.clone() }, "need 4");
    refused(BayesianMixture { covariance_prior: Some(vec![1.0, 2.0, 2.0, 1.0]), ..base.clone() }, "positive definite");
    refused(BayesianMixture { reg_covar: Some(-1.0), ..base.clone() }, "regularisation");
    refused(BayesianMixture { init: Init::Responsibilities(vec![0.5; 3]), ..base.clone() }, "3 responsibilities");
    // One row, a constant column, a column that repeats another: fits, however little they say.
    for rows in [vec![1.0, 2.0], vec![1.0, 2.0, 1.0, 3.0, 1.0, 5.0], vec![1.0, 1.0, 2.0, 2.0, 5.0, 5.0]] {
        for structure in Structure::ALL {
            let fit = fit(structure, 1, PRIORS[1], &Dense::new(&rows[..], 2).unwrap());
            assert!(fit.lower_bound.is_finite(), "{} {rows:?}", structure.name());
        }
    }
}

#[test]
fn extreme_priors_are_fitted_or_refused() {
    let (rows, _) = clusters(7, 30, 2, 2);
    let data = Dense::new(&rows[..], 2).unwrap();
    for value in [1e-300, 1e-12, 9e11, 1e300, f64::MAX] {
        for prior in [WeightPrior::Dirichlet(value), WeightPrior::Process(value)] {
            for structure in Structure::ALL {
                let base = BayesianMixture { structure, weight_prior: prior, ..BayesianMixture::new(3) };
                let base = BayesianMixture { max_iter: 20, restarts: Some(2), ..base };
                let others = [
                    base.clone(),
                    BayesianMixture { mean_precision_prior: value, ..base.clone() },
                    BayesianMixture { degrees_of_freedom_prior: Some(2.0 + value), ..base.clone() },
                    BayesianMixture { mean_prior: Some(vec![value, -value]), ..base.clone() },
                ];
                for options in others {
                    match options.fit(&data) {
                        Ok(fit) => assert!(fit.lower_bound.is_finite(), "{options:?}"),
                        // A prior of 9e11 rows is one that can be fitted; one of 1e300 is not.
                        Err(error) => assert!(value > 1.0 && error.to_string().len() > 20, "{error}: {options:?}"),
                    }
                }
            }
        }
    }
}

#[test]
fn components_without_rows_are_no_saddle_and_equal_ones_with_rows_are() {
    let (rows, _) = clusters(8, 200, 1, 1);
    let data = Dense::new(&rows[..], 1).unwrap();
    for structure in Structure::ALL {
        for prior in PRIORS {
            // Two of the three are their prior, which is the data's mean and covariance: what the first one has found.
            let one = fit(structure, 3, prior, &data);
            assert_eq!(
                (one.n_effective(), one.point.status.kind),
                (1, StatusKind::Converged),
                "{}",
                one.point.status.detail
            );
            let counts: Vec<f64> = one.point.certificate.components.iter().map(|c| c.effective_count).collect();
            assert_eq!(counts, one.counts);
        }
        let options = BayesianMixture {
            structure,
            weight_prior: WeightPrior::Dirichlet(1.0),
            init: Init::Responsibilities(vec![1.0 / 3.0; 600]),
            ..BayesianMixture::new(3)
        };
        let equal = options.fit(&data).unwrap();
        assert_eq!((equal.n_effective(), equal.point.status.kind), (3, StatusKind::Degenerate));
    }
}

#[test]
fn a_component_that_has_seen_nothing_is_the_prior() {
    let prior =
        Prior { mean: vec![1.0, 2.0], mean_precision: 2.0, degrees_of_freedom: 3.0, scale: vec![3.0, 0.0, 0.0, 3.0] };
    for structure in Structure::ALL {
        let bank = NormalWishart::new(structure, 2, &prior).unwrap();
        assert_eq!(bank.log_prior(), 0.0, "{}", structure.name());
        assert_eq!(bank.prior(), prior);
        let mut rng = Seed::new(1).rng();
        bank.sample(0, &mut rng, &mut [0.0; 2]);
    }
    let weights = WeightPosterior::new(WeightPrior::Process(2.0), 3).unwrap();
    assert!(weights.log_prior().abs() < 1e-14);
    // E[π] of the first three of infinitely many sticks, 1/3, 2/9, 4/27, shared out.
    assert_close("weights", weights.expected(), &[9.0 / 19.0, 6.0 / 19.0, 4.0 / 19.0], 1e-15);
}
