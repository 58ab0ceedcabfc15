//! The kit: an author's E-step and M-step get restarts, stop rule, SQUAREM, trace and certificate, and mistakes get a sentence.

use mixtura::Error;
use mixtura::algorithm::{Batch, Squarem};
use mixtura::fit::{Control, ModelFit, ModelOptions, Record, StatusKind, fit_em};
use mixtura::model::{Em, Posterior, Unconstrained};

/// What the author got wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Bug {
    None,
    /// From the third E-step on.
    LogLikelihood(f64),
    /// Heads counted for tails.
    SwappedStatistics,
    /// A parameter of NaN in the second M-step.
    NanParameter,
    /// A third parameter in the second M-step.
    ThirdCoin,
}

/// Any number of coins, each picked with the same probability, and ten tosses. Free coordinates: the chances themselves, as a
/// careless author would have them.
#[derive(Clone, Debug)]
struct Coins {
    theta: Vec<f64>,
    steps: usize,
    bug: Bug,
}

impl Coins {
    fn new(theta: &[f64], bug: Bug) -> Self {
        Coins { theta: theta.to_vec(), steps: 0, bug }
    }
}

impl Em for Coins {
    type Data = [f64];
    type Stats = Vec<[f64; 2]>;

    fn e_step(&self, heads: &[f64]) -> mixtura::Result<(Self::Stats, f64)> {
        let (mut stats, mut log_likelihood) = (vec![[0.0; 2]; self.theta.len()], 0.0);
        for &h in heads {
            if h > 10.0 {
                return Err(Error::Data(format!("{h} heads in ten tosses")));
            }
            let joint: Vec<f64> =
                self.theta.iter().map(|p| p.powf(h) * (1.0 - p).powf(10.0 - h) / self.theta.len() as f64).collect();
            let total: f64 = joint.iter().sum();
            log_likelihood += total.ln();
            for (s, j) in stats.iter_mut().zip(joint) {
                s[0] += j / total * if self.bug == Bug::SwappedStatistics { 10.0 - h } else { h };
                s[1] += j / total;
            }
        }
        match self.bug {
            // The statistics are as bad: the sentence must not be about the M-step.
            Bug::LogLikelihood(wrong) if self.steps >= 2 && !wrong.is_finite() && wrong != f64::NEG_INFINITY => {
                Ok((vec![[f64::NAN; 2]; 2], wrong))
            }
            Bug::LogLikelihood(wrong) if self.steps >= 2 => Ok((stats, wrong)),
            _ => Ok((stats, log_likelihood)),
        }
    }

    fn m_step(&mut self, stats: &Self::Stats) -> mixtura::Result<()> {
        self.steps += 1;
        self.theta = stats.iter().map(|[heads, picks]| heads / (10.0 * picks)).collect();
        match self.bug {
            Bug::NanParameter if self.steps == 2 => self.theta[1] = f64::NAN,
            Bug::ThirdCoin if self.steps == 2 => self.theta.push(0.5),
            _ => {}
        }
        Ok(())
    }

    fn parameters(&self) -> Vec<f64> {
        self.theta.clone()
    }
}

impl Unconstrained for Coins {
    fn to_vector(&self) -> Vec<f64> {
        self.theta.clone()
    }
    fn with_vector(&self, vector: &[f64]) -> Option<Self> {
        let inside = vector.iter().all(|p| (0.0..=1.0).contains(p));
        inside.then(|| Coins { theta: vector.to_vec(), ..self.clone() })
    }
}

/// Do & Batzoglou (2008), fig. 1, from (0.6, 0.5): chances of heads at the start of each iteration, by an independent script
/// (NumPy 2.4.6, full precision; the paper prints 0.80 and 0.52 after ten).
const PATH: [[f64; 2]; 11] = [
    [0.6, 0.5],
    [0.7130122354005162, 0.5813393083136627],
    [0.7452920360819948, 0.5692557501718728],
    [0.7680988343673212, 0.5495359141383477],
    [0.7831645842999737, 0.5346174541475202],
    [0.7910552458637528, 0.5262811670299318],
    [0.7945325379936994, 0.5223904375178747],
    [0.7959286672497985, 0.5207298780860258],
    [0.7964656379225263, 0.5200471890029877],
    [0.7966683078984392, 0.5197703896938075],
    [0.7967441494752117, 0.5196586622041124],
];
/// The same script's log-likelihoods, without binomial coefficients.
const LOG_LIKELIHOOD: [f64; 10] = [
    -33.09386251983316,
    -31.859257948227352,
    -31.723116079360555,
    -31.627827361914125,
    -31.584946842695512,
    -31.573057640991117,
    -31.57067772363231,
    -31.57027511048016,
    -31.57021171447272,
    -31.57020198658253,
];
/// The same script's fixed point, at 1e-15.
const CONVERGED: [f64; 2] = [0.7967890669226471, 0.5195831201451354];

const HEADS: [f64; 5] = [5.0, 9.0, 8.0, 4.0, 7.0];

fn em(starts: Vec<Coins>, options: ModelOptions, record: Record) -> mixtura::Result<ModelFit<Coins>> {
    let control = Control { record, ..Control::default() };
    fit_em(starts, &HEADS[..], || Batch(Posterior::Soft), options, control)
}

#[test]
fn two_coins_are_those_of_the_paper() {
    let start = Coins::new(&[0.6, 0.5], Bug::None);
    let ten = ModelOptions { max_iter: 10, tolerance: 0.0 };
    let record = Record { parameters: true, ..Record::default() };
    let fit = em(vec![start.clone()], ten, record).unwrap();
    assert_eq!((fit.status.kind, fit.iterations), (StatusKind::IterationLimit, 10));
    // Ten iterations of a few roundings each.
    for (t, want) in PATH.iter().enumerate() {
        for (c, want) in want.iter().enumerate() {
            assert!((fit.trace.parameters[t][c] - want).abs() < 1e-13, "iteration {t}, coin {c}");
        }
    }
    for (t, want) in LOG_LIKELIHOOD.iter().enumerate() {
        assert!((fit.trace.objective[t] - want).abs() < 1e-13 * want.abs(), "iteration {t}");
    }
    // SQUAREM and EM reach the optimum within what the rule leaves, from either side.
    let options = ModelOptions { tolerance: 1e-9, ..ModelOptions::default() };
    let starts = || vec![start.clone(), Coins::new(&[0.1, 0.3], Bug::None), Coins::new(&[0.9, 0.2], Bug::None)];
    let slow = em(starts(), options, Record::default()).unwrap();
    let fast = fit_em(starts(), &HEADS[..], Squarem::default, options, Control::default()).unwrap();
    for fit in [&slow, &fast] {
        assert_eq!(fit.status.kind, StatusKind::Converged, "{}", fit.status.detail);
        assert!(
            fit.certificate.monotone && fit.certificate.restarts_at_best == 3 && fit.certificate.restarts.len() == 3
        );
        let mut theta = fit.model.theta.clone();
        theta.sort_by(|a, b| b.total_cmp(a));
        // A curvature of some 60 per unit² (the inverse of the squared standard errors) turns 1e-9 nats into 6e-6.
        for (got, want) in theta.iter().zip(CONVERGED) {
            assert!((got - want).abs() < 1e-5, "{got} {want}");
        }
        assert!((fit.log_likelihood - -31.570200235996904).abs() < 1e-8);
    }
}

#[test]
fn mistakes_of_the_author_get_a_sentence() {
    let fit = |bug, squarem: bool| {
        let (start, options) = (vec![Coins::new(&[0.6, 0.5], bug)], ModelOptions { tolerance: 1e-9, max_iter: 200 });
        if squarem {
            fit_em(start, &HEADS[..], Squarem::default, options, Control::default())
        } else {
            em(start, options, Record::default())
        }
    };
    for squarem in [false, true] {
        let sentence = |bug| fit(bug, squarem).expect_err("a refusal").to_string();
        let said = sentence(Bug::LogLikelihood(f64::NAN));
        assert!(said.contains("NaN in iteration 3 of run 0"), "{said}");
        let said = sentence(Bug::LogLikelihood(f64::INFINITY));
        assert!(said.contains("inf in iteration 3 of run 0"), "{said}");
        let said = sentence(Bug::NanParameter);
        assert!(said.contains("iteration 2 of run 0 left parameter 1") && said.contains("NaN"), "{said}");
        let said = sentence(Bug::ThirdCoin);
        assert!(said.contains("iteration 2 of run 0 changed 2 parameters into 3"), "{said}");
    }
    // Impossible data to the end are a status.
    let lost = fit(Bug::LogLikelihood(f64::NEG_INFINITY), false).unwrap();
    assert_eq!(lost.status.kind, StatusKind::Degenerate);
    assert!(lost.status.detail.contains("-inf"), "{}", lost.status.detail);
    // A step in the wrong direction: the certificate says where the objective fell most, and by how much.
    let fallen = fit(Bug::SwappedStatistics, false).unwrap();
    let objective = &fallen.trace.objective;
    let (t, nats) = fallen.trace.largest_fall().expect("a fall");
    assert!(!fallen.certificate.monotone && nats > 0.1, "{nats}");
    assert_eq!(fallen.certificate.largest_decrease, nats);
    assert_eq!(objective[t - 1] - objective[t], nats);
    // Two methods are enough: nothing is shown of the parameters, and nothing is checked.
    #[derive(Clone, Debug)]
    struct Least(Coins);
    impl Em for Least {
        type Data = [f64];
        type Stats = Vec<[f64; 2]>;
        fn e_step(&self, heads: &[f64]) -> mixtura::Result<(Self::Stats, f64)> {
            self.0.e_step(heads)
        }
        fn m_step(&mut self, stats: &Self::Stats) -> mixtura::Result<()> {
            self.0.m_step(stats)
        }
    }
    let least = |bug| {
        let start = vec![Least(Coins::new(&[0.6, 0.5], bug))];
        fit_em(start, &HEADS[..], || Batch(Posterior::Soft), ModelOptions::default(), Control::default())
    };
    assert_eq!(least(Bug::None).unwrap().status.kind, StatusKind::Converged);
    assert!(least(Bug::NanParameter).unwrap_err().to_string().contains("NaN in iteration 3 of run 0"));
    // The author's own refusal comes through.
    let refused = fit_em(
        vec![Coins::new(&[0.5, 0.6], Bug::None)],
        &[11.0][..],
        Squarem::default,
        ModelOptions::default(),
        Control::default(),
    );
    assert_eq!(refused.err(), Some(Error::Data("11 heads in ten tosses".into())));
    let none = em(Vec::new(), ModelOptions::default(), Record::default());
    assert!(matches!(none.err(), Some(Error::Usage(text)) if text.contains("at least one")));
    let backwards =
        em(vec![Coins::new(&[0.6, 0.5], Bug::None)], ModelOptions { tolerance: -1.0, max_iter: 3 }, Record::default());
    assert!(matches!(backwards.err(), Some(Error::Usage(text)) if text.contains("negative")));
}

#[test]
fn squarem_takes_fewer_steps_where_em_is_slow() {
    // Coins that are hard to tell apart.
    let heads = [2.0, 8.0, 5.0, 6.0, 5.0, 3.0, 7.0, 5.0, 6.0, 4.0, 6.0, 4.0];
    let options = ModelOptions { tolerance: 1e-8, ..ModelOptions::default() };
    let starts = || vec![Coins::new(&[0.45, 0.55], Bug::None)];
    let slow = fit_em(starts(), &heads[..], || Batch(Posterior::Soft), options, Control::default()).unwrap();
    let fast = fit_em(starts(), &heads[..], Squarem::default, options, Control::default()).unwrap();
    assert_eq!((slow.status.kind, fast.status.kind), (StatusKind::Converged, StatusKind::Converged));
    assert!((slow.log_likelihood - fast.log_likelihood).abs() < 1e-7);
    assert!(fast.iterations * 2 < slow.iterations, "{} against {}", fast.iterations, slow.iterations);
    assert!(fast.certificate.monotone && slow.certificate.monotone);
}

#[test]
fn one_restart_in_a_worse_optimum_is_told_apart() {
    // Equal coins are a saddle that EM never leaves.
    let starts = [[0.6, 0.5], [0.5, 0.5], [0.2, 0.9], [0.7, 0.3]].map(|theta| Coins::new(&theta, Bug::None)).to_vec();
    let fit = em(starts, ModelOptions::default(), Record::default()).unwrap();
    assert_eq!(fit.certificate.modes.iter().map(|m| m.count).collect::<Vec<_>>(), [3, 1]);
    assert_eq!(fit.certificate.restarts_at_best, 3);
    // ½ (n − m + ½) / (n + 1) with m = 3 of n = 4.
    assert_eq!(fit.certificate.chance_of_better, Some(0.5 * 1.5 / 5.0));
    assert_ne!(fit.run, 1);
}

#[test]
fn an_interrupted_fit_keeps_what_it_reached() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let stop = AtomicBool::new(false);
    let listener = |at: mixtura::fit::Iteration| stop.store(at.iteration == 3, Ordering::Relaxed);
    let control = Control { interrupt: Some(&stop), iteration: Some(&listener), ..Control::default() };
    let starts = vec![Coins::new(&[0.6, 0.5], Bug::None); 2];
    let options = ModelOptions { tolerance: 0.0, max_iter: 50 };
    let fit = fit_em(starts.clone(), &HEADS[..], || Batch(Posterior::Soft), options, control).unwrap();
    assert_eq!((fit.status.kind, fit.iterations, fit.certificate.restarts.len()), (StatusKind::Stopped, 3, 1));
    stop.store(true, Ordering::Relaxed);
    let control = Control { interrupt: Some(&stop), ..Control::default() };
    let nothing = fit_em(starts, &HEADS[..], || Batch(Posterior::Soft), options, control);
    assert_eq!(nothing.err(), Some(Error::Interrupted));
}
