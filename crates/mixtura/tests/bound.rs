//! ℓ = bound + KL after every half-step; models with planted mistakes break that, or their bound falls.

use mixtura::algorithm::{Batch, Squarem};
use mixtura::data::{Chunk, Dense};
use mixtura::family::Health;
use mixtura::family::gaussian::{Gaussian, Structure};
use mixtura::fit::{Control, GaussianMixture, HalfStep, Init, Method, ModelOptions, Prepared, Record, fit_model};
use mixtura::model::{Bound, LatentModel, Mixture, MixtureStats, Posterior};
use mixtura::stats::{Expectation, Moments};
use mixtura_testkit::laws::bound_holds;
use mixtura_testkit::rows::{Random, clusters, weights};

type Model = Mixture<Gaussian>;

fn start(structure: Structure) -> Model {
    let means = vec![0.0, 0.0, 2.0, -1.0, 6.0, -5.0];
    Mixture::equal(Gaussian::new(structure, 2, means, [4.0, 0.0, 0.0, 4.0].repeat(3)).unwrap())
}

/// What a mixture's E-step or M-step has wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Bug {
    None,
    /// One component's density is forgotten in the log-likelihood.
    LogLikelihood,
    /// Case weights are left out of the log-likelihood.
    Weights,
    /// The mixture is hard, and says soft.
    Hard,
    /// Covariances are made from a fifth of the statistics of the other rows as well.
    Statistics,
    /// The M-step forgets half of the rows of the first component.
    Counts,
}

#[derive(Clone)]
struct Broken {
    model: Model,
    bug: Bug,
}

impl LatentModel for Broken {
    type Stats = MixtureStats<Moments>;
    type Scratch = <Model as LatentModel>::Scratch;

    fn empty_stats(&self) -> Self::Stats {
        self.model.empty_stats()
    }
    fn scratch(&self) -> Self::Scratch {
        self.model.scratch()
    }
    fn e_step(
        &self,
        chunk: Chunk<'_>,
        posterior: Posterior,
        scratch: &mut Self::Scratch,
        out: &mut Expectation<Self::Stats>,
    ) -> mixtura::Result<()> {
        let posterior = if self.bug == Bug::Hard { Posterior::Hard } else { posterior };
        let before = out.log_likelihood;
        self.model.e_step(chunk, posterior, scratch, out)?;
        if self.bug == Bug::LogLikelihood {
            let mut other = self.model.clone();
            other.select_components(&[0, 1]);
            let mut least = Expectation::new(other.empty_stats());
            let unlabelled = Chunk { labels: None, ..chunk };
            other.e_step(unlabelled, posterior, &mut other.scratch(), &mut least)?;
            let kept = self.model.weights()[..2].iter().sum::<f64>().ln() * least.weight;
            out.log_likelihood = before + least.log_likelihood + kept;
        }
        if self.bug == Bug::Weights {
            let plain = Chunk { weights: None, ..chunk };
            let mut light = Expectation::new(self.model.empty_stats());
            self.model.e_step(plain, posterior, scratch, &mut light)?;
            out.log_likelihood = before + light.log_likelihood;
        }
        Ok(())
    }
    fn m_step(&mut self, stats: &Self::Stats) -> mixtura::Result<Health> {
        let mut stats = stats.clone();
        if self.bug == Bug::Counts {
            stats.counts[0] *= 0.5;
        }
        let health = self.model.m_step(&stats)?;
        if self.bug == Bug::Statistics {
            let bank = self.model.emission();
            let (k, d) = (stats.counts.len(), 2);
            let means = (0..k).flat_map(|c| bank.mean(c).to_vec()).collect();
            let wider = (0..k).flat_map(|c| bank.covariance(c)).map(|v| 1.2 * v).collect();
            let bank = Gaussian::new(bank.structure(), d, means, wider)?;
            self.model = self.model.clone().with_emission(bank);
        }
        Ok(health)
    }
    fn parameters(&self) -> Vec<f64> {
        self.model.parameters()
    }
    fn with_parameters(&self, parameters: &[f64]) -> Option<Self> {
        Some(Broken { model: self.model.with_parameters(parameters)?, ..*self })
    }
    fn n_free_parameters(&self) -> usize {
        self.model.n_free_parameters()
    }
    fn bound(&self, at: &Self, chunk: Chunk<'_>) -> Option<Bound> {
        self.model.bound(&at.model, chunk)
    }
}

/// Half-steps of thirty iterations of plain EM on weighted, partly labelled rows of three clusters that overlap.
/// Mistakes start from an optimum: from far off even a bad M-step climbs.
fn half_steps(structure: Structure, bug: Bug) -> Vec<HalfStep> {
    let (mut rows, mut labels, mut r) = (Vec::new(), Vec::new(), Random::new(8));
    for _ in 0..400 {
        let c = r.below(3);
        rows.extend([3.0 * c as f64 + 1.5 * r.normal(), -2.0 * c as f64 + r.normal()]);
        labels.push(if r.uniform() < 0.1 { c as i32 } else { -1 });
    }
    let data = Dense::new(rows, 2).unwrap().with_weights(weights(400, 3)).unwrap().with_labels(labels).unwrap();
    let control = Control { record: Record { bound: true, ..Record::default() }, ..Control::default() };
    let climb = |bug, model, max_iter| {
        let options = ModelOptions { max_iter, tolerance: 0.0 };
        fit_model(vec![Broken { model, bug }], &data, || Batch(Posterior::Soft), options, control).unwrap()
    };
    let sound = climb(Bug::None, start(structure), 30);
    if bug == Bug::None { sound.trace.half_steps } else { climb(bug, sound.model.model, 5).trace.half_steps }
}

#[test]
fn a_sound_mixture_keeps_the_law() {
    for structure in Structure::ALL {
        let halves = half_steps(structure, Bug::None);
        assert_eq!(halves.len(), 60);
        bound_holds(structure.name(), &halves).unwrap();
        for pair in halves.chunks(2) {
            // After the E-step both sets of responsibilities are the same numbers.
            assert_eq!(pair[0].bound.divergence, 0.0);
            assert!(pair[1].bound.divergence > 0.0, "the M-step moved the responsibilities");
        }
        assert!(halves[1].bound.divergence > 1e-3, "iterations that do something");
    }
}

#[test]
fn planted_mistakes_break_it() {
    for structure in Structure::ALL {
        for bug in [Bug::LogLikelihood, Bug::Weights, Bug::Hard, Bug::Statistics, Bug::Counts] {
            let halves = half_steps(structure, bug);
            let found = bound_holds(structure.name(), &halves);
            assert!(found.is_err(), "{}: {bug:?} goes unseen", structure.name());
        }
    }
}

#[test]
fn any_estimator_and_algorithm_can_record() {
    let (rows, _) = clusters(6, 300, 3, 2);
    let data = Dense::new(rows, 2).unwrap();
    let control = Control { record: Record { bound: true, parameters: true }, ..Control::default() };
    for method in [Method::Em, Method::Squarem, Method::Stepwise] {
        let options = GaussianMixture { method, restarts: Some(2), ..GaussianMixture::new(3) };
        let prepared = Prepared::new(&data, &[], false, 3, options.seed).unwrap();
        let quiet = options.fit_prepared(&prepared, Control::default()).unwrap();
        let fit = options.fit_prepared(&prepared, control).unwrap();
        // Recording looks on: not a bit changes.
        assert_eq!(fit.trace.objective, quiet.trace.objective, "{method:?}");
        assert_eq!(fit.trace.parameters.len(), fit.trace.objective.len(), "{method:?}");
        assert!(quiet.trace.parameters.is_empty() && quiet.trace.half_steps.is_empty());
        assert!(!fit.trace.half_steps.is_empty());
        for half in &fit.trace.half_steps {
            assert!(half.error() < 1e-10 && half.bound.divergence > -1e-10, "{method:?}: {half:?}");
        }
    }
    // Each entry of the trace belongs to its objective, jumps that were taken back included.
    let rows: Vec<f64> = {
        let mut r = Random::new(12);
        (0..800).flat_map(|i| [r.normal() + if i % 3 == 0 { 2.2 } else { 0.0 }, r.normal()]).collect()
    };
    let data = Dense::new(rows, 2).unwrap();
    let begin = Mixture::equal(
        Gaussian::new(Structure::Full, 2, vec![-0.5, 0.0, 1.0, 0.5], [1.0, 0.0, 0.0, 1.0].repeat(2)).unwrap(),
    );
    let options = ModelOptions { tolerance: 1e-6, max_iter: 20_000 };
    let fit = fit_model(vec![begin.clone()], &data, Squarem::default, options, control).unwrap();
    for (objective, parameters) in fit.trace.objective.iter().zip(&fit.trace.parameters) {
        let model = begin.with_parameters(parameters).unwrap();
        assert_eq!(mixtura_testkit::laws::expect(&model, &data).log_likelihood, *objective);
    }
    assert!(fit.certificate.monotone && fit.iterations > 20);
    // The estimator reaches the same from there.
    let same = GaussianMixture {
        init: Init::Params(Box::new(begin)),
        tolerance: 1e-6,
        max_iter: 20_000,
        ..GaussianMixture::new(2)
    };
    let same = same.fit(&data).unwrap();
    assert!((same.log_likelihood - fit.log_likelihood).abs() < 1e-5, "{} {}", same.log_likelihood, fit.log_likelihood);
}

#[test]
fn far_rows_and_empty_components_have_a_bound() {
    // Responsibilities below the smallest number, and a row where every density is 0.
    let model = |means: [f64; 2]| {
        Mixture::new(vec![0.3, 0.7], Gaussian::new(Structure::Diag, 1, means.to_vec(), vec![1.0, 1.0]).unwrap())
            .unwrap()
    };
    let chunk = |rows| Chunk::of(mixtura::data::Rows::new(rows, 1));
    let near = model([0.0, 100.0]).bound(&model([30.0, 40.0]), chunk(&[35.0])).unwrap();
    // By hand: r = (0.3, 0.7) at equal distances; log N is −½ ln 2π − ½·35² and −½ ln 2π − ½·65².
    let c = -0.5 * std::f64::consts::TAU.ln();
    let bound = 0.3 * (c - 0.5 * 1225.0) + 0.7 * (c - 0.5 * 4225.0);
    assert!((near.lower_bound - bound).abs() < 1e-12 * bound.abs(), "{}", near.lower_bound);
    let log_likelihood = 0.3_f64.ln() + c - 0.5 * 1225.0;
    assert!((near.lower_bound + near.divergence - log_likelihood).abs() < 1e-12 * bound.abs());
    let far = model([0.0, 1.0]).bound(&model([0.0, 2.0]), chunk(&[1e200])).unwrap();
    assert_eq!(far.lower_bound, f64::NEG_INFINITY);
    assert!(far.divergence.is_finite());
    // Another number of components has no posterior to compare.
    let one = Mixture::equal(Gaussian::new(Structure::Diag, 1, vec![0.0], vec![1.0]).unwrap());
    assert_eq!(one.bound(&model([0.0, 1.0]), chunk(&[0.0])), None);
}
