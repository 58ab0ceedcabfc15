//! Laws of methods whose M-step is not EM's: generalized EM, ECM, ECME. The objective never falls, the optimum is EM's, and what each
//! M-step claims to maximise or to raise it does, by sums over rows written here.

use std::ops::Range;

use mixtura::Error;
use mixtura::algorithm::{Algorithm, Batch, Ecm, Ecme, Generalized};
use mixtura::data::{Dense, Source};
use mixtura::engine::{Engine, Threads};
use mixtura::family::bernoulli::Bernoulli;
use mixtura::family::gaussian::{Gaussian, Structure};
use mixtura::family::linear::Linear;
use mixtura::fit::{Control, RunOptions, StatusKind, run};
use mixtura::model::censored::CensoredNormal;
use mixtura::model::{
    Category, Cell, HiddenMultinomial, LatentModel, Mixture, Posterior, Unconstrained, WeightPosterior, WeightPrior,
};
use mixtura::stats::Expectation;
use mixtura_testkit::laws::expect;
use mixtura_testkit::rows::{Random, weights};

const N: usize = 600;

/// Two overlapping clusters in two dimensions.
fn rows() -> Vec<f64> {
    let mut r = Random::new(12);
    (0..N).flat_map(|i| [r.normal() + if i % 3 == 0 { 2.6 } else { 0.0 }, 1.5 * r.normal()]).collect()
}

fn start(structure: Structure) -> Mixture<Gaussian> {
    let means = vec![-0.5, 0.2, 1.0, 0.5];
    Mixture::equal(Gaussian::new(structure, 2, means, [1.0, 0.0, 0.0, 1.0].repeat(2)).unwrap())
}

/// An engine that counts E-steps.
struct Counting<'a, M: LatentModel> {
    threads: Threads<'a, M>,
    e_steps: usize,
}

impl<M: LatentModel> Engine<M> for Counting<'_, M> {
    fn n_chunks(&self) -> usize {
        Engine::<M>::n_chunks(&self.threads)
    }

    fn expect(
        &mut self,
        model: &M,
        chunks: Range<usize>,
        posterior: Posterior,
    ) -> mixtura::Result<Expectation<M::Stats>> {
        self.e_steps += 1;
        self.threads.expect(model, chunks, posterior)
    }
}

/// Every method reaches EM's optimum without ever falling, and stays there.
fn laws<M: LatentModel + Unconstrained>(what: &str, start: &M, table: &dyn Source) {
    let scale = (table.n_rows() * table.n_features()) as f64;
    let optimum = |algorithm: &mut dyn Algorithm<M>| {
        let options = RunOptions { max_iter: 100_000, tolerance: 1e-9, scale };
        let mut engine = Counting { threads: Threads::new(table), e_steps: 0 };
        let run = run(start.clone(), &mut engine, algorithm, options, Control::default(), &mut |_, _, _| Ok(false))
            .expect("a run");
        (run, engine.e_steps)
    };
    let (em, of_em) = optimum(&mut Batch(Posterior::Soft));
    let mut methods: Vec<(String, Box<dyn Algorithm<M>>)> = vec![
        ("ECM".into(), Box::new(Ecm::Plain)),
        ("multicycle ECM".into(), Box::new(Ecm::Multicycle)),
        ("half M-steps".into(), Box::new(Generalized::default())),
        ("fifths of M-steps".into(), Box::new(Generalized::new(0.2).unwrap())),
    ];
    for block in 0..start.n_blocks() {
        methods.push((format!("ECME, block {block}"), Box::new(Ecme(block))));
    }
    for (name, mut method) in methods {
        let (ours, e_steps) = optimum(&mut *method);
        println!("{what}: {name}: {e_steps} E-steps against {of_em} of EM");
        assert_eq!(ours.status.kind, StatusKind::Converged, "{what}, {name}: {}", ours.status.detail);
        // Rounding of the objective itself; for ECME also of a model that went to a vector and back.
        let fall = ours.largest_decrease();
        assert!(fall <= 1e-12 * ours.objective().abs().max(1.0), "{what}, {name}: fell by {fall}");
        // Each stops within 1e-9 nats by its own estimate, which may be off by a small factor, or where increments drown in the
        // rounding of the objective: as much may then remain as that often as there are iterations.
        let (a, b) = (ours.objective(), em.objective());
        let drowned = 4.0 * f64::EPSILON * b.abs() * ours.iterations.max(em.iterations) as f64;
        assert!((a - b).abs() < 1e-8 + drowned, "{what}, {name}: {a} against {b}");
        let mut model = em.model.clone();
        for _ in 0..5 {
            method.step(&mut model, &mut Threads::new(table)).expect("a step");
        }
        method.settle(&mut model);
        for (a, b) in model.to_vector().iter().zip(em.model.to_vector()) {
            // EM stopped 1e-9 nats short: √1e-9 over a curvature of some rows.
            assert!((a - b).abs() < 1e-4 * b.abs().max(1.0), "{what}, {name}: the fixed point moved: {a} {b}");
        }
    }
}

#[test]
fn gaussian_mixtures() {
    let values = rows();
    let table = Dense::new(&values[..], 2).unwrap().with_weights(weights(N, 3)).unwrap();
    for structure in Structure::ALL {
        laws(structure.name(), &start(structure), &table);
    }
}

#[test]
fn missing_cells_and_labels() {
    let mut values = rows();
    values.iter_mut().enumerate().filter(|(i, _)| i % 7 == 3).for_each(|(_, x)| *x = f64::NAN);
    let labels: Vec<i32> = (0..N as i32).map(|i| if i % 13 == 4 { i32::from(i % 3 == 0) } else { -1 }).collect();
    let table = Dense::new(&values[..], 2).unwrap().with_labels(labels).unwrap();
    for structure in [Structure::Full, Structure::Tied, Structure::Diag] {
        laws(&format!("{} with missing cells", structure.name()), &start(structure), &table);
    }
}

#[test]
fn regressions() {
    let mut r = Random::new(5);
    let values: Vec<f64> = (0..N)
        .flat_map(|i| {
            let x = 3.0 * r.normal();
            [x, if i % 3 == 0 { 1.0 + 2.0 * x } else { 4.0 - x } + r.normal()]
        })
        .collect();
    let table = Dense::new(&values[..], 2).unwrap().with_weights(weights(N, 9)).unwrap();
    let lines = Linear::new(true, 1, vec![0.0, 1.0, 1.0, -0.5], vec![2.0, 3.0]).unwrap();
    laws("lines", &Mixture::equal(lines), &table);
    let lines = Linear::new(false, 1, vec![1.0, -0.5], vec![2.0, 3.0]).unwrap();
    laws("lines through the origin", &Mixture::equal(lines), &table);
}

#[test]
fn models_of_counts() {
    let mut r = Random::new(7);
    let cell = |r: &mut Random, i: usize, j: usize| {
        let p = if i.is_multiple_of(3) { [0.8, 0.7, 0.9, 0.3][j] } else { [0.2, 0.4, 0.1, 0.6][j] };
        f64::from(u8::from(r.uniform() < p))
    };
    let values: Vec<f64> = (0..N * 4).map(|n| cell(&mut r, n / 4, n % 4)).collect();
    let table = Dense::new(&values[..], 4).unwrap();
    let classes = Bernoulli::new(4, vec![0.6, 0.5, 0.6, 0.5, 0.4, 0.5, 0.4, 0.55]).unwrap();
    laws("latent classes", &Mixture::equal(classes), &table);
    // Two loci with a dominant allele each, so two groups of parameters; counts of the four phenotypes.
    let cell = |i: usize| {
        let factors =
            vec![[0, 0], [0, 1], [1, 1]][i / 3].iter().chain(&[[2, 2], [2, 3], [3, 3]][i % 3]).copied().collect();
        Cell { name: format!("{i}"), coefficient: [1.0, 2.0, 1.0][i / 3] * [1.0, 2.0, 1.0][i % 3], factors }
    };
    let category = |name: &str, cells: &[usize]| Category { name: name.into(), cells: cells.into() };
    let categories =
        vec![category("AB", &[0, 1, 3, 4]), category("Ab", &[2, 5]), category("aB", &[6, 7]), category("ab", &[8])];
    let genes = HiddenMultinomial::new(&[&["A", "a"], &["B", "b"]], (0..9).map(cell).collect(), categories).unwrap();
    let table = Dense::new(vec![0.0, 1.0, 2.0, 3.0], 1).unwrap().with_weights(vec![310.0, 55.0, 120.0, 14.0]).unwrap();
    laws("genes", &genes, &table);
}

#[test]
fn a_censored_normal() {
    let mut r = Random::new(2);
    let values: Vec<f64> = (0..N)
        .flat_map(|_| {
            let y = 2.0 + 1.5 * r.normal();
            if y > 2.5 { [2.5, f64::NAN] } else { [y, y] }
        })
        .collect();
    let table = Dense::new(&values[..], 2).unwrap();
    laws("censored", &CensoredNormal::new(0.0, 1.0).unwrap(), &table);
}

#[test]
fn a_prior_counts() {
    // The weights' prior is as heavy as half of the rows: an M-step from scaled statistics would be another one.
    let values = rows();
    let table = Dense::new(&values[..], 2).unwrap();
    let prior = WeightPosterior::new(WeightPrior::Dirichlet(150.0), 2).unwrap();
    let begin = Mixture::of(prior, start(Structure::Full).emission().clone()).unwrap();
    let objective = |m: &Mixture<Gaussian, WeightPosterior>| expect(m, &table).log_likelihood + m.log_prior();
    let climb = |algorithm: &mut dyn Algorithm<Mixture<Gaussian, WeightPosterior>>| {
        let (mut model, mut last) = (begin.clone(), f64::NEG_INFINITY);
        for t in 0..3000 {
            let step = algorithm.step(&mut model, &mut Threads::new(&table)).unwrap();
            assert!(step.objective >= last - 1e-12 * last.abs(), "iteration {t}: {last} to {}", step.objective);
            last = step.objective;
        }
        objective(&model)
    };
    let em = climb(&mut Batch(Posterior::Soft));
    for ours in [climb(&mut Ecm::Multicycle), climb(&mut Ecm::Plain), climb(&mut Generalized::default())] {
        // All stand still after 3,000 iterations.
        assert!((ours - em).abs() < 1e-8, "{ours} {em}");
    }
}

/// π, means, covariances (xx, xy, yy) of two components, and sums over weighted rows by the definitions.
struct Plain {
    share: Vec<f64>,
    mean: Vec<Vec<f64>>,
    covariance: Vec<Vec<f64>>,
}

impl Plain {
    fn of(model: &Mixture<Gaussian>) -> Self {
        Plain {
            share: model.weights().to_vec(),
            mean: (0..2).map(|k| model.emission().mean(k).to_vec()).collect(),
            covariance: (0..2).map(|k| model.emission().covariance(k)).collect(),
        }
    }

    fn joint(&self, row: &[f64], k: usize) -> f64 {
        let (x, y) = (row[0] - self.mean[k][0], row[1] - self.mean[k][1]);
        let [a, b, _, c] = self.covariance[k][..] else { unreachable!() };
        let determinant = a * c - b * b;
        self.share[k].ln()
            - 0.5 * (c * x * x - 2.0 * b * x * y + a * y * y) / determinant
            - 0.5 * determinant.ln()
            - std::f64::consts::TAU.ln()
    }

    fn resp(&self, row: &[f64], k: usize) -> f64 {
        1.0 / (1.0 + (self.joint(row, 1 - k) - self.joint(row, k)).exp())
    }

    /// Q(self | at).
    fn q(&self, at: &Plain, rows: &[f64]) -> f64 {
        let of = |row: &[f64]| (0..2).map(|k| at.resp(row, k) * self.joint(row, k)).sum::<f64>();
        rows.chunks(2).map(of).sum()
    }

    fn log_likelihood(&self, rows: &[f64]) -> f64 {
        let of = |row: &[f64]| (self.joint(row, 0).exp() + self.joint(row, 1).exp()).ln();
        rows.chunks(2).map(of).sum()
    }
}

#[test]
fn generalized_em_raises_q_and_does_not_maximise_it() {
    let values = rows();
    let table = Dense::new(&values[..], 2).unwrap();
    for structure in Structure::ALL {
        let (mut model, mut algorithm) = (start(structure), Generalized::new(0.3).unwrap());
        for t in 0..40 {
            let (before, em) = (Plain::of(&model), {
                let mut em = model.clone();
                em.m_step(&expect(&model, &table).stats).unwrap();
                Plain::of(&em)
            });
            algorithm.step(&mut model, &mut Threads::new(&table)).unwrap();
            let (then, now, most) =
                (before.q(&before, &values), Plain::of(&model).q(&before, &values), em.q(&before, &values));
            // Rounding of sums of 600 terms of size 4.
            assert!(now >= then - 1e-10 && now <= most + 1e-10, "{}, {t}: {then} {now} {most}", structure.name());
            if (1..10).contains(&t) {
                assert!(now > then && now < most - 1e-9, "{}, {t}: {then} {now} {most}", structure.name());
            }
        }
    }
}

#[test]
fn conditional_m_steps_by_the_definition() {
    let values = rows();
    let table = Dense::new(&values[..], 2).unwrap();
    for structure in Structure::ALL {
        let begin = start(structure);
        let at = Plain::of(&begin);
        let stats = expect(&begin, &table).stats;
        let after = |block: usize| {
            let mut model = begin.clone();
            model.m_step_block(block, &stats).unwrap();
            Plain::of(&model)
        };
        let sum = |k: usize, f: &dyn Fn(&[f64]) -> f64| values.chunks(2).map(|x| at.resp(x, k) * f(x)).sum::<f64>();
        let n = [0, 1].map(|k| sum(k, &|_| 1.0));
        // Sums of 600 terms of size 1 to 10, relative to their number.
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12 * b.abs().max(1.0), "{}: {a} {b}", structure.name());
        let (weights, means, covariances) = (after(0), after(1), after(2));
        // The covariances are about the means that are there, not those that will be.
        let about = |k: usize, i: usize, j: usize| sum(k, &|x| (x[i] - at.mean[k][i]) * (x[j] - at.mean[k][j]));
        for k in 0..2 {
            close(weights.share[k], n[k] / N as f64);
            assert_eq!((&weights.mean, &weights.covariance), (&at.mean, &at.covariance));
            (0..2).for_each(|j| close(means.mean[k][j], sum(k, &|x| x[j]) / n[k]));
            assert_eq!((&means.share, &means.covariance), (&at.share, &at.covariance));
            assert_eq!((&covariances.share, &covariances.mean), (&at.share, &at.mean));
            for (i, j) in [(0, 0), (0, 1), (1, 1)] {
                let expected = match structure {
                    Structure::Full => about(k, i, j) / n[k],
                    Structure::Tied => (about(0, i, j) + about(1, i, j)) / N as f64,
                    _ if i != j => 0.0,
                    Structure::Diag => about(k, i, i) / n[k],
                    Structure::Spherical => (about(k, 0, 0) + about(k, 1, 1)) / (2.0 * n[k]),
                };
                close(covariances.covariance[k][i * 2 + j], expected);
            }
        }
    }
}

#[test]
fn conditional_m_steps_of_lines_by_the_definition() {
    let mut r = Random::new(5);
    let values: Vec<f64> = (0..N).flat_map(|_| [50.0 + 3.0 * r.normal(), 7.0 + r.normal()]).collect();
    let table = Dense::new(&values[..], 2).unwrap();
    for intercept in [true, false] {
        let coefficients = if intercept { vec![6.0, 0.03, 9.0, -0.05] } else { vec![0.13, 0.15] };
        let begin = Mixture::equal(Linear::new(intercept, 1, coefficients, vec![2.0, 3.0]).unwrap());
        let stats = expect(&begin, &table).stats;
        let residual = |m: &Mixture<Linear>, x: &[f64], k: usize| x[1] - m.emission().predict(k, &x[..1]);
        let joint = |x: &[f64], k: usize| {
            let v = begin.emission().variance(k);
            (-0.5 * residual(&begin, x, k).powi(2) / v).exp() / v.sqrt()
        };
        for k in 0..2 {
            let r = |x: &[f64]| joint(x, k) / (joint(x, 0) + joint(x, 1));
            let n: f64 = values.chunks(2).map(r).sum();
            let (mut line, mut noise) = (begin.clone(), begin.clone());
            line.m_step_block(1, &stats).unwrap();
            noise.m_step_block(2, &stats).unwrap();
            assert_eq!(line.emission().variance(k), begin.emission().variance(k));
            assert_eq!(noise.emission().coefficients(k), begin.emission().coefficients(k));
            let variance = values.chunks(2).map(|x| r(x) * residual(&begin, x, k).powi(2)).sum::<f64>() / n;
            let ours = noise.emission().variance(k);
            // Without an intercept moments are about 0: terms of 2,500 cancel to 1.
            assert!((ours - variance).abs() < 1e-11 * variance, "{ours} {variance}");
            // The normal equations: residuals are orthogonal to the columns, x about its middle.
            for column in [|_: &[f64]| 1.0, |x: &[f64]| x[0] - 50.0].into_iter().skip(usize::from(!intercept)) {
                let column = |x: &[f64]| if intercept { column(x) } else { x[0] };
                let dot: f64 = values.chunks(2).map(|x| r(x) * residual(&line, x, k) * column(x)).sum();
                assert!(dot.abs() < 1e-9 * n, "{dot}");
            }
        }
    }
}

#[test]
fn ecme_finds_the_weights_that_maximise_the_likelihood() {
    let values = rows();
    let table = Dense::new(&values[..], 2).unwrap();
    for structure in Structure::ALL {
        let mut model = start(structure);
        let before = Plain::of(&model).log_likelihood(&values);
        Ecme(0).step(&mut model, &mut Threads::new(&table)).unwrap();
        let mut plain = Plain::of(&model);
        let ours = plain.log_likelihood(&values);
        // The concave function of one weight, by cutting its interval.
        let mut at = |p: f64| {
            plain.share = vec![p, 1.0 - p];
            plain.log_likelihood(&values)
        };
        let (mut low, mut high) = (1e-9, 1.0 - 1e-9);
        for _ in 0..200 {
            let (a, b) = (low + 0.4 * (high - low), low + 0.6 * (high - low));
            if at(a) < at(b) { low = a } else { high = b }
        }
        let best = at(0.5 * (low + high));
        // It may leave a hundredth of the iteration's gain, by an estimate that may be off by a small factor.
        assert!(best - ours < 0.03 * (ours - before) && ours <= best + 1e-9, "{}: {ours} of {best}", structure.name());
    }
}

#[test]
fn e_steps_are_as_many_as_said() {
    let values = rows();
    let table = Dense::new(&values[..], 2).unwrap();
    let begin = start(Structure::Full);
    assert_eq!(begin.n_blocks(), 3);
    for (method, e_steps) in [(Ecm::Plain, 1), (Ecm::Multicycle, 3)] {
        let mut engine = Counting { threads: Threads::new(&table), e_steps: 0 };
        let (mut model, mut em) = (begin.clone(), begin.clone());
        method.clone().step(&mut model, &mut engine).unwrap();
        assert_eq!(engine.e_steps, e_steps);
        Batch(Posterior::Soft).step(&mut em, &mut engine).unwrap();
        // One E-step for all blocks: EM to the bit, but for the way to the covariance.
        let apart = model.to_vector().iter().zip(em.to_vector()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert_eq!(apart < 1e-13, method == Ecm::Plain, "{apart}");
    }
}

#[test]
fn impossible_shares_are_refused() {
    for share in [0.0, 1.01, -0.5, f64::NAN] {
        assert!(matches!(Generalized::<CensoredNormal>::new(share), Err(Error::Usage(_))), "{share}");
    }
}

#[test]
fn few_rows() {
    // One row, and fewer rows than components: what EM says is said, and nothing panics.
    for n in 1..4 {
        let values = rows();
        let table = Dense::new(&values[..2 * n], 2).unwrap();
        for structure in Structure::ALL {
            let run = |algorithm: &mut dyn Algorithm<Mixture<Gaussian>>| {
                let mut model = start(structure);
                (0..5).try_for_each(|_| algorithm.step(&mut model, &mut Threads::new(&table)).map(|_| ())).is_ok()
            };
            run(&mut Ecm::Plain);
            run(&mut Ecm::Multicycle);
            run(&mut Generalized::default());
            (0..4).for_each(|block| {
                run(&mut Ecme(block));
            });
        }
    }
}
