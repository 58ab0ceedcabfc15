//! The laws of a mixture over any emission (DESIGN §4): written once, run on everything in the catalog.

use mixtura::algorithm::Batch;
use mixtura::data::{Chunk, Dense, Rows, Source};
use mixtura::engine::{Engine, Threads};
use mixtura::family::{Emission, TILE};
use mixtura::fit::{Control, HalfStep, ModelOptions, Record, fit_model};
use mixtura::model::{LatentModel, Posterior, Predict};
use mixtura::stats::{Expectation, Statistic};
use mixtura::{Mixture, Seed};

/// Runs every law that needs nothing but the model and some rows.
///
/// # Panics
/// If a law is broken; the message names the law and `what`.
pub fn mixture<E: Emission>(what: &str, model: &Mixture<E>, rows: &[f64]) {
    chunks_add_up(what, model, rows);
    weight_two_is_the_row_twice(what, model, rows);
    objective_never_falls(what, model, rows);
    bound_and_divergence_add_up(what, model, rows);
    order_of_components_is_a_name(what, model, rows);
    labels_fix_responsibilities(what, model, rows);
    sampling_agrees_with_density(what, model);
    threads_do_not_change_bits(what, model, rows);
}

/// One E-step over all rows.
///
/// # Panics
/// If the rows cannot be read.
pub fn expect<M: LatentModel>(model: &M, data: &dyn Source) -> Expectation<M::Stats> {
    let mut engine = Threads::new(data);
    let chunks = 0..Engine::<M>::n_chunks(&engine);
    engine.expect(model, chunks, Posterior::Soft).expect("an E-step")
}

fn dense<'a>(rows: &'a [f64], d: usize) -> Dense<'a> {
    Dense::new(rows, d).expect("rows")
}

/// What a model says of rows after one M-step: a scalar that any change of the statistics would change.
fn after_m_step<E: Emission>(model: &Mixture<E>, stats: &<Mixture<E> as LatentModel>::Stats, rows: &[f64]) -> f64 {
    let mut next = model.clone();
    next.m_step(stats).expect("an M-step");
    expect(&next, &dense(rows, model.emission().n_features())).log_likelihood
}

#[track_caller]
fn close(law: &str, what: &str, a: f64, b: f64, relative: f64) {
    assert!((a - b).abs() <= relative * a.abs().max(b.abs()).max(1.0), "{law}: {what}: {a} against {b}");
}

/// E(A ++ B) = E(A) ⊕ E(B).
fn chunks_add_up<E: Emission>(what: &str, model: &Mixture<E>, rows: &[f64]) {
    let d = model.emission().n_features();
    let n = rows.len() / d;
    let whole = expect(model, &dense(rows, d));
    for cut in [1, n / 3, n - 1] {
        let mut merged = expect(model, &dense(&rows[..cut * d], d));
        merged.merge(&expect(model, &dense(&rows[cut * d..], d)));
        // Another order of summation of n terms: n·eps ≈ 1e-13 at most.
        close("chunks add up", what, merged.log_likelihood, whole.log_likelihood, 1e-12);
        close("chunks add up", what, merged.weight, whole.weight, 1e-15);
        let (a, b) = (after_m_step(model, &merged.stats, rows), after_m_step(model, &whole.stats, rows));
        close("chunks add up (statistics)", what, a, b, 1e-11);
    }
    let mut doubled = whole.clone();
    doubled.merge(&whole);
    let mut scaled = whole.clone();
    scaled.scale(2.0);
    close("scaling is repeated merging", what, scaled.log_likelihood, doubled.log_likelihood, 1e-15);
    let (a, b) = (after_m_step(model, &scaled.stats, rows), after_m_step(model, &doubled.stats, rows));
    close("scaling is repeated merging", what, a, b, 1e-13);
    scaled.clear();
    assert_eq!((scaled.log_likelihood, scaled.weight), (0.0, 0.0), "clear: {what}");
}

/// A weight is a frequency; a row of weight 0 is no row, to the bit.
fn weight_two_is_the_row_twice<E: Emission>(what: &str, model: &Mixture<E>, rows: &[f64]) {
    let d = model.emission().n_features();
    // Weights 0, 1, 2, 3 in no periodic order.
    let mut state = 17_u64;
    let weights: Vec<f64> = (0..rows.len() / d)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 62) as f64
        })
        .collect();
    let repeated: Vec<f64> = rows.chunks(d).zip(&weights).flat_map(|(row, w)| row.repeat(*w as usize)).collect();
    let weighted = expect(model, &dense(rows, d).with_weights(&weights[..]).expect("weights"));
    let twice = expect(model, &dense(&repeated, d));
    close("weight 2 = row twice", what, weighted.log_likelihood, twice.log_likelihood, 1e-12);
    close("weight 2 = row twice", what, weighted.weight, twice.weight, 1e-15);
    let (a, b) = (after_m_step(model, &weighted.stats, rows), after_m_step(model, &twice.stats, rows));
    close("weight 2 = row twice (statistics)", what, a, b, 1e-12);

    let (kept, w): (Vec<&[f64]>, Vec<f64>) = rows.chunks(d).zip(&weights).filter(|(_, w)| **w > 0.0).unzip();
    let absent = kept.concat();
    let absent = expect(model, &dense(&absent, d).with_weights(w).expect("weights"));
    assert_eq!(absent.log_likelihood.to_bits(), weighted.log_likelihood.to_bits(), "weight 0 = absent: {what}");
    let (a, c) = (after_m_step(model, &weighted.stats, rows), after_m_step(model, &absent.stats, rows));
    assert_eq!(a.to_bits(), c.to_bits(), "weight 0 = absent (statistics): {what}");
}

/// EM climbs.
fn objective_never_falls<E: Emission>(what: &str, model: &Mixture<E>, rows: &[f64]) {
    let data = dense(rows, model.emission().n_features());
    let mut model = model.clone();
    let mut last = f64::NEG_INFINITY;
    for t in 0..30 {
        let e = expect(&model, &data);
        let objective = e.log_likelihood + model.log_prior();
        assert!(objective >= last - 1e-11 * objective.abs(), "monotone: {what}, iteration {t}: {last} to {objective}");
        last = objective;
        model.m_step(&e.stats).expect("an M-step");
    }
}

/// ℓ = bound + KL after every half of an EM iteration, KL ≥ 0, and the bound (with the log prior) never falls.
///
/// # Errors
/// What is broken, and where.
pub fn bound_holds(what: &str, half_steps: &[HalfStep]) -> Result<(), String> {
    let mut last = f64::NEG_INFINITY;
    for (t, half) in half_steps.iter().enumerate() {
        let place = || format!("{what}, {} step {}", if t % 2 == 0 { "E" } else { "M" }, t / 2);
        // Sums of n terms, each good to some ε: far below 1e-10 of ℓ for any n in a test.
        let rounding = 1e-10 * half.log_likelihood.abs().max(1.0);
        if half.error() > 1e-10 {
            return Err(format!("{}: bound + KL is no log-likelihood: {half:?}", place()));
        }
        if half.bound.divergence < -rounding {
            return Err(format!("{}: KL is negative: {half:?}", place()));
        }
        let bound = half.bound.lower_bound + half.log_prior;
        if bound < last - rounding {
            return Err(format!("{}: the bound falls from {last} to {bound}", place()));
        }
        last = bound;
    }
    Ok(())
}

/// The bound of EM, on rows with case weights and some known components.
fn bound_and_divergence_add_up<E: Emission>(what: &str, model: &Mixture<E>, rows: &[f64]) {
    let (d, k) = (model.emission().n_features(), model.n_components());
    let n = rows.len() / d;
    let mut random = crate::rows::Random::new(29);
    let labels: Vec<i32> = (0..n).map(|_| if random.uniform() < 0.1 { random.below(k) as i32 } else { -1 }).collect();
    let plain = dense(rows, d);
    let known = dense(rows, d).with_weights(crate::rows::weights(n, 31)).expect("weights");
    let known = known.with_labels(labels).expect("labels");
    for data in [plain, known] {
        let control = Control { record: Record { bound: true, ..Record::default() }, ..Control::default() };
        let options = ModelOptions { max_iter: 8, tolerance: 0.0 };
        let fit = fit_model(vec![model.clone()], &data, || Batch(Posterior::Soft), options, control).expect("a fit");
        assert_eq!(fit.trace.half_steps.len(), 16, "{what}");
        bound_holds(what, &fit.trace.half_steps).unwrap_or_else(|broken| panic!("{broken}"));
    }
}

/// Permuting components permutes responsibilities and changes nothing else.
fn order_of_components_is_a_name<E: Emission>(what: &str, model: &Mixture<E>, rows: &[f64]) {
    let d = model.emission().n_features();
    let k = model.n_components();
    let reversed: Vec<usize> = (0..k).rev().collect();
    let mut other = model.clone();
    other.select_components(&reversed);
    let n = (rows.len() / d).min(500);
    let posterior = |m: &Mixture<E>| {
        let (mut r, mut l) = (vec![0.0; n * k], vec![0.0; n]);
        m.posterior(Chunk::of(Rows::new(&rows[..n * d], d)), &mut m.scratch(), &mut r, &mut l);
        (r, l)
    };
    let ((r, l), (q, m)) = (posterior(model), posterior(&other));
    for i in 0..n {
        close("order of components", what, l[i], m[i], 1e-13);
        let total: f64 = r[i * k..][..k].iter().sum();
        close("responsibilities sum to 1", what, total, 1.0, 1e-14);
        (0..k).for_each(|c| close("order of components", what, r[i * k + c], q[i * k + k - 1 - c], 1e-13));
    }
}

/// A known component has responsibility 1, and its row counts log(weight · density) of that component.
fn labels_fix_responsibilities<E: Emission>(what: &str, model: &Mixture<E>, rows: &[f64]) {
    let d = model.emission().n_features();
    let k = model.n_components();
    let n = (rows.len() / d).min(40);
    let rows = &rows[..n * d];
    for known in 0..k {
        let labelled = expect(model, &dense(rows, d).with_labels(vec![known as i32; n]).expect("labels"));
        let mut want = 0.0;
        let mut scratch = model.emission().scratch();
        let mut out = vec![0.0; k * TILE];
        for row in rows.chunks(d) {
            model.emission().log_density(Rows::new(row, d), &mut scratch, &mut out);
            want += model.weights()[known].ln() + out[known * TILE];
        }
        close("labels", what, labelled.log_likelihood, want, 1e-12);
        close("labels", what, labelled.stats.counts[known], n as f64, 1e-14);
    }
    let error = dense(rows, d).with_labels(vec![k as i32; n]).map(|data| {
        let mut engine = Threads::<Mixture<E>>::new(&data);
        engine.expect(model, 0..1, Posterior::Soft).err()
    });
    assert!(matches!(error, Ok(Some(_))), "a label beyond the components is an error: {what}");
}

/// Draws from the model, then climbs from it: by Wilks's theorem the gain is about ½ χ² with p degrees of freedom.
fn sampling_agrees_with_density<E: Emission>(what: &str, model: &Mixture<E>) {
    let d = model.emission().n_features();
    let mut rng = Seed::new(20).rng();
    let mut rows = vec![0.0; 20_000 * d];
    let mut counts = vec![0.0; model.n_components()];
    for row in rows.chunks_mut(d) {
        counts[model.sample(&mut rng, row)] += 1.0;
    }
    for (c, w) in counts.iter().zip(model.weights()) {
        let sd = (20_000.0 * w * (1.0 - w)).sqrt();
        assert!((c - 20_000.0 * w).abs() <= 5.0 * sd, "sampled counts: {what}: {c} for weight {w}");
    }
    let data = dense(&rows, d);
    let truth = expect(model, &data).log_likelihood;
    let mut fitted = model.clone();
    let mut reached = truth;
    for _ in 0..200 {
        let e = expect(&fitted, &data);
        reached = e.log_likelihood;
        fitted.m_step(&e.stats).expect("an M-step");
    }
    let p = model.n_free_parameters() as f64;
    let gain = reached - truth;
    // 5 standard deviations of ½χ²_p.
    assert!(
        gain >= 0.0 && gain <= 0.5 * (p + 5.0 * (2.0 * p).sqrt()),
        "sample → fit: {what}: gain {gain} nats with {p} parameters"
    );
}

/// Any number of threads gives the same bits.
fn threads_do_not_change_bits<E: Emission>(what: &str, model: &Mixture<E>, rows: &[f64]) {
    let d = model.emission().n_features();
    // Several chunks, so that there is something to merge.
    let many: Vec<f64> = rows.iter().copied().cycle().take(3 * mixtura::data::CHUNK_ROWS * d + 7 * d).collect();
    let data = dense(&many, d);
    assert!(data.n_chunks() > 3);
    let run = |threads: usize| {
        let pool = rayon_pool(threads);
        pool.install(|| {
            let e = expect(model, &data);
            let after = after_m_step(model, &e.stats, rows);
            (e.log_likelihood.to_bits(), after.to_bits())
        })
    };
    let one = run(1);
    for threads in [2, 3, 8] {
        assert_eq!(run(threads), one, "same bits on {threads} threads: {what}");
    }
}

fn rayon_pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a thread pool")
}
