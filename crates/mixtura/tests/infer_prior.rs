//! Standard errors of a model with a prior, and at the edge of a range: a coin with a beta prior, where all is known in closed form.

use mixtura::data::{Chunk, Dense};
use mixtura::family::{Health, Range};
use mixtura::infer::{self, Method, PointKind, Stationarity};
use mixtura::model::{Derivatives, Identified, LatentModel, Posterior};
use mixtura::stats::{Counts, Expectation};
use mixtura::{Error, Result};

/// p(1) with the prior Beta(a, b), up to its constant.
#[derive(Clone, Debug)]
struct Coin {
    p: f64,
    prior: [f64; 2],
}

impl LatentModel for Coin {
    type Stats = Counts;
    type Scratch = ();

    fn empty_stats(&self) -> Counts {
        Counts(vec![0.0; 2])
    }

    fn scratch(&self) {}

    fn e_step(&self, chunk: Chunk<'_>, _: Posterior, (): &mut (), out: &mut Expectation<Counts>) -> Result<()> {
        for t in 0..chunk.rows.n_rows() {
            let (head, w) = (chunk.rows.row(t)[0] == 1.0, chunk.weight(t));
            out.stats.0[usize::from(!head)] += w;
            out.log_likelihood += w * if head { self.p } else { 1.0 - self.p }.ln();
            out.weight += w;
        }
        Ok(())
    }

    fn m_step(&mut self, stats: &Counts) -> Result<Health> {
        let [a, b] = self.prior;
        let (heads, tails) = (stats.0[0] + a - 1.0, stats.0[1] + b - 1.0);
        self.p = heads / (heads + tails);
        Ok(Health::new())
    }

    fn parameters(&self) -> Vec<f64> {
        vec![self.p]
    }

    fn with_parameters(&self, parameters: &[f64]) -> Option<Self> {
        Some(Coin { p: parameters[0], ..self.clone() })
    }

    fn log_prior(&self) -> f64 {
        (self.prior[0] - 1.0) * self.p.ln() + (self.prior[1] - 1.0) * (1.0 - self.p).ln()
    }

    fn n_free_parameters(&self) -> usize {
        1
    }
}

impl Identified for Coin {
    fn coordinates(&self) -> Vec<f64> {
        vec![self.p]
    }

    fn names(&self) -> Vec<String> {
        vec!["probability".into()]
    }

    fn ranges(&self) -> Vec<Range> {
        vec![Range::Probability]
    }

    fn with_coordinates(&self, x: &[f64]) -> Option<Self> {
        (x[0] > 0.0 && x[0] < 1.0).then(|| Coin { p: x[0], ..self.clone() })
    }

    fn differentiate(&self, chunk: Chunk<'_>, out: &mut Derivatives) -> Result<()> {
        for t in 0..chunk.rows.n_rows() {
            let head = chunk.rows.row(t)[0] == 1.0;
            let (score, w) = (if head { 1.0 / self.p } else { -1.0 / (1.0 - self.p) }, chunk.weight(t));
            out.complete[0] += w * score * score;
            out.add_score(w, &[score]);
        }
        Ok(())
    }
}

fn tosses(heads: usize, tails: usize) -> Dense<'static> {
    Dense::new([vec![1.0; heads], vec![0.0; tails]].concat(), 1).unwrap()
}

#[test]
fn the_curvature_of_a_prior_counts() {
    let (heads, tails) = (13, 27);
    // Beta(1, 1) is flat: maximum likelihood, and no note. Beta(5, 3) is six more tosses.
    for (prior, notes) in [([1.0, 1.0], 0), ([5.0, 3.0], 1)] {
        let (h, n) = (heads as f64 + prior[0] - 1.0, 40.0 + prior[0] + prior[1] - 2.0);
        let coin = Coin { p: h / n, prior };
        let table = tosses(heads, tails);
        let variance = coin.p * (1.0 - coin.p) / n;
        let point = Stationarity::of(&coin, &table).unwrap();
        // The gradient of the prior is a difference: in steps of 0.005, Richardson's extrapolation leaves 0.005⁴ / 480 of its fifth
        // derivative (4 · 24 / 0.37⁵), times the standard error 0.08.
        assert!(point.kind == PointKind::Optimum && point.gradient_norm < 5e-9, "{point:?}");
        for method in Method::ALL {
            let errors = infer::errors(&coin, &table, method).unwrap();
            let want = match method {
                // White's: the scores of the tosses, heads/p² + tails/q², between two inverses.
                Method::Sandwich => {
                    let q = 1.0 - coin.p;
                    variance * variance * (heads as f64 / coin.p / coin.p + tails as f64 / q / q)
                }
                _ => variance,
            };
            // Richardson's extrapolation in steps of a hundredth of a row's standard deviation.
            assert!((errors.covariance[0] / want - 1.0).abs() < 1e-7, "{method:?} {} {want}", errors.covariance[0]);
            assert_eq!(errors.notes.len(), notes, "{:?}", errors.notes);
        }
    }
}

#[test]
fn at_the_edge_of_a_range_there_are_none() {
    // All heads: the estimate is 1, and EM gets there in one step; just before it the next step of Newton goes beyond.
    let error = infer::errors(&Coin { p: 1.0 - 1e-9, prior: [1.0, 1.0] }, &tosses(20, 0), Method::Louis).unwrap_err();
    assert!(matches!(&error, Error::Data(s) if s.contains("probability")), "{error}");
    let error = infer::errors(&Coin { p: 1.0, prior: [1.0, 1.0] }, &tosses(20, 1), Method::Louis).unwrap_err();
    assert!(error.to_string().contains("edge of its range"), "{error}");
}
