//! Standard errors beside R's: the Hessian of the log-likelihood by numDeriv, mclust's bootstrap, flexmix's information matrix.

use mixtura::data::Dense;
use mixtura::family::gaussian::{Gaussian, Structure};
use mixtura::family::linear::Linear;
use mixtura::fit::Control;
use mixtura::infer::{Answer, By, Question};
use mixtura::{Fit, GaussianMixture, Mixture};
use mixtura_testkit::golden::{assert_close, case, data, numbers};

fn fitted(rows: &Dense<'_>) -> Fit<Mixture<Gaussian>> {
    let options = GaussianMixture { structure: Structure::Full, tolerance: 1e-11, ..GaussianMixture::new(2) };
    options.fit(rows).unwrap()
}

fn asked(name: &str, replicates: usize) -> Question {
    Question { replicates, ..Question::new(By::named(name).unwrap()) }
}

/// Estimates and standard errors of the free parameters in the reference's order.
fn free(answer: &Answer) -> (Vec<f64>, Vec<f64>) {
    let keep = |name: &str| name != "weight[1]" && !name.starts_with("sd") && !name.starts_with("correlation");
    let kept: Vec<usize> = (0..answer.errors.names.len()).filter(|&i| keep(&answer.errors.names[i])).collect();
    let some = answer.errors.select(&kept);
    (some.estimates.clone(), some.standard_errors())
}

/// Ratios of two lists.
fn ratios(got: &[f64], want: &[f64]) -> Vec<f64> {
    assert_eq!(got.len(), want.len());
    got.iter().zip(want).map(|(g, w)| g / w).collect()
}

#[test]
fn information_of_gaussian_mixtures() {
    let want = &case("standard_errors")["expected"];
    for (name, d) in [("faithful", 2), ("iris", 4)] {
        let rows = Dense::new(data(&format!("{name}.csv")).unwrap().first(d), d).unwrap();
        let fit = fitted(&rows);
        for method in ["louis", "numerical", "sem"] {
            let answer = asked(method, 200).gaussian(&fit.model, None, &rows, &[], Control::default()).unwrap();
            let (estimates, errors) = free(&answer);
            let (ones, se) = (vec![1.0; errors.len()], numbers(&want[name]["standard_errors"]));
            // A fit at 1e-11 nats is 5e-6 standard errors off. numDeriv keeps some 8 digits of the Hessian, less its condition.
            let off: Vec<f64> =
                ratios(&estimates, &numbers(&want[name]["estimates"])).iter().map(|r| (r - 1.0).abs()).collect();
            assert!(off.iter().all(|o| *o < 1e-4), "{name} {method}: {off:?}");
            assert_close(&format!("{name} by {method}"), &ratios(&errors, &se), &ones, 2e-5);
        }
    }
}

#[test]
fn bootstraps_of_faithful() {
    let want = &case("standard_errors")["expected"]["mclust_bootstrap_faithful"];
    let rows = Dense::new(data("faithful.csv").unwrap().first(2), 2).unwrap();
    let fit = fitted(&rows);
    for (ours, theirs) in
        [("bootstrap", "nonparametric"), ("weighted", "weighted_likelihood"), ("parametric", "parametric")]
    {
        let answer = asked(ours, 999).gaussian(&fit.model, None, &rows, &[], Control::default()).unwrap();
        let ratios = ratios(&free(&answer).1, &numbers(&want[theirs]));
        // Each standard error of 999 replicates is good to 1/√(2·999) = 2.2 %, more where the tails are heavy: five times √2 of that.
        assert!(ratios.iter().all(|r| (r - 1.0).abs() < 0.16), "{ours}: {ratios:?}");
    }
}

#[test]
fn information_of_regressions() {
    let want = &case("standard_errors")["expected"];
    let pairs = data("regression_curves.csv").unwrap().columns(&["x", "y"]);
    let rows: Vec<f64> = pairs.chunks(2).flat_map(|r| [r[0], r[0] * r[0], r[1]]).collect();
    let rows = Dense::new(rows, 3).unwrap();
    // At the reference's own optimum, which its Newton steps reached to rounding: from other starts there are better ones.
    let at = numbers(&want["curves"]["estimates"]);
    let lines = Linear::new(true, 2, at[1..7].to_vec(), at[7..].to_vec()).unwrap();
    let model = Mixture::new(vec![at[0], 1.0 - at[0]], lines).unwrap();
    let answer = asked("louis", 200).lines(&model, &rows, &[], Control::default()).unwrap();
    let (estimates, mut errors) = free(&answer);
    // The reference has variances: their errors are 2σ times those of σ.
    (7..9).for_each(|i| errors[i] *= 2.0 * estimates[i]);
    let se = numbers(&want["curves"]["standard_errors"]);
    assert_close("numDeriv", &ratios(&errors, &se), &[1.0; 9], 2e-5);
    // flexmix stops its own optimiser some 1e-4 of a standard error from the optimum.
    let flexmix = numbers(&want["flexmix_curves"]["standard_errors"]);
    assert_close("flexmix", &ratios(&errors[1..7], &flexmix), &[1.0; 6], 1e-3);
}
