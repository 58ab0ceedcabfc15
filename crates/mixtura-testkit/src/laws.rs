//! The laws of a mixture over any emission (DESIGN §4): written once, run on everything in the catalog.

use mixtura::algorithm::{Algorithm, Batch, Squarem};
use mixtura::data::{Chunk, Dense, Rows, Source};
use mixtura::engine::{Engine, Threads};
use mixtura::family::{Emission, TILE};
use mixtura::fit::{Control, HalfStep, ModelOptions, Record, Run, RunOptions, StatusKind, fit_model, run};
use mixtura::model::{LatentModel, Posterior, Predict, Unconstrained};
use mixtura::stats::{Expectation, Statistic};
use mixtura::{Mixture, Seed};

use crate::rows::{responsibilities, weights};

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
    sampling_agrees_with_density(what, model, rows);
    threads_do_not_change_bits(what, model, rows);
}

/// Runs the laws of a family whose parameters are all free (its vector has one number for each).
///
/// # Panics
/// If a law is broken; the message names the law and `what`.
pub fn family<E: Emission + Unconstrained>(what: &str, model: &Mixture<E>, rows: &[f64]) {
    mixture(what, model, rows);
    parameters_come_back(what, model, rows);
    m_step_is_a_maximum(what, model, rows);
    missing_rows_say_nothing(what, model, rows);
    algorithms_agree(what, model, rows);
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

/// The laws of any latent-variable model that starts from parameters, on weighted rows of `d` columns: sums over parts, weights
/// as frequencies, an objective that never falls, SQUAREM's optimum, bits on any number of threads, and ways back from vectors.
/// Returns the optimum. `model` should be some way off it.
///
/// # Panics
/// If a law is broken; the message names the law and `what`.
pub fn latent<M: LatentModel + Unconstrained>(what: &str, model: &M, rows: &[f64], d: usize, weights: &[f64]) -> M {
    let n = rows.len() / d;
    let table = |rows: &[f64], weights: &[f64]| -> Dense<'static> {
        Dense::new(rows.to_vec(), d).and_then(|t| t.with_weights(weights.to_vec())).expect("weighted rows")
    };
    let whole = table(rows, weights);
    let first = expect(model, &whole);
    let after = |stats: &M::Stats| {
        let mut next = model.clone();
        next.m_step(stats).expect("an M-step");
        next.to_vector()
    };
    let same = |law: &str, a: &Expectation<M::Stats>, b: &Expectation<M::Stats>| {
        // Another order of summation of n terms: n·eps at most.
        close(law, what, a.log_likelihood, b.log_likelihood, 1e-12);
        close(law, what, a.weight, b.weight, 1e-13);
        // The M-step may solve equations, which amplify that by their condition.
        after(&a.stats).iter().zip(after(&b.stats)).for_each(|(a, b)| close(law, what, *a, b, 1e-9));
    };
    for cut in [1, n / 3, n - 1].into_iter().filter(|c| (1..n).contains(c)) {
        let mut merged = expect(model, &table(&rows[..cut * d], &weights[..cut]));
        merged.merge(&expect(model, &table(&rows[cut * d..], &weights[cut..])));
        same("chunks add up", &merged, &first);
    }
    let mut scaled = first.clone();
    scaled.scale(2.0);
    let mut doubled = first.clone();
    doubled.merge(&first);
    same("scaling is repeated merging", &scaled, &doubled);
    let frequencies: Vec<f64> = (0..n).map(|i| ((i * i * 7 + i / 3) % 4) as f64 + f64::from(u8::from(i < 2))).collect();
    let repeated: Vec<f64> = rows.chunks(d).zip(&frequencies).flat_map(|(row, f)| row.repeat(*f as usize)).collect();
    let ones = vec![1.0; repeated.len() / d];
    same(
        "weight 2 is the row twice",
        &expect(model, &table(rows, &frequencies)),
        &expect(model, &table(&repeated, &ones)),
    );

    let mut climbing = model.clone();
    let mut last = f64::NEG_INFINITY;
    let mut engine = Threads::new(&whole);
    for _ in 0..20 {
        let objective = Batch(Posterior::Soft).step(&mut climbing, &mut engine).expect("a step").objective;
        assert!(objective >= last - 1e-12 * last.abs().max(1.0), "monotone: {what}: {last} to {objective}");
        last = objective;
    }
    let optimum = |algorithm: &mut dyn Algorithm<M>, most: usize| {
        let options = RunOptions { max_iter: most, tolerance: 1e-10, scale: first.weight };
        let mut engine = Threads::new(&whole);
        run(model.clone(), &mut engine, algorithm, options, Control::default(), &mut |_, _, _| Ok(false))
            .expect("a run")
    };
    let (em, fast) = (optimum(&mut Batch(Posterior::Soft), 100_000), optimum(&mut Squarem::default(), 100_000));
    for run in [&em, &fast] {
        assert_eq!(run.status.kind, StatusKind::Converged, "{what}: {}", run.status.detail);
        assert!(run.largest_decrease() <= 1e-12 * run.objective().abs().max(1.0), "{what}: fell");
    }
    // Each stops within 1e-10 nats by its own estimate, and the objective is good to some roundings of its terms.
    close("SQUAREM finds EM's optimum", what, fast.objective(), em.objective(), 1e-11);

    let many: Vec<f64> = rows.repeat(4500_usize.div_ceil(n));
    let weights = weights.repeat(4500_usize.div_ceil(n));
    let many = table(&many, &weights);
    let bits = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        pool.install(|| {
            let e = expect(model, &many);
            let after: Vec<u64> = after(&e.stats).iter().map(|v| v.to_bits()).collect();
            (e.log_likelihood.to_bits(), after)
        })
    };
    assert_eq!(bits(1), bits(3), "threads change no bit: {what}");

    let back = model.with_parameters(&model.parameters()).expect("its own parameters");
    assert_eq!(back.parameters(), model.parameters(), "parameters lead back: {what}");
    let again = model.with_vector(&model.to_vector()).expect("its own vector").to_vector();
    again.iter().zip(model.to_vector()).for_each(|(a, b)| close("vectors lead back", what, *a, b, 1e-13));
    assert!(model.with_vector(&vec![f64::NAN; model.to_vector().len()]).is_none(), "NaN is no model: {what}");
    assert!(model.with_parameters(&[]).is_none(), "no parameters, no model: {what}");
    fast.model
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
/// Cells that the family does not explain are those of `rows`.
fn sampling_agrees_with_density<E: Emission>(what: &str, model: &Mixture<E>, rows: &[f64]) {
    let d = model.emission().n_features();
    let mut rng = Seed::new(20).rng();
    let mut rows: Vec<f64> = rows.iter().copied().cycle().take(20_000 * d).collect();
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

/// Parameters come back to the bit, the vector to rounding; it has one number per free parameter, and others are refused.
fn parameters_come_back<E: Emission + Unconstrained>(what: &str, model: &Mixture<E>, rows: &[f64]) {
    let bank = model.emission();
    let data = dense(rows, bank.n_features());
    let here = expect(model, &data).log_likelihood;
    let parameters = model.parameters();
    let again = model.with_parameters(&parameters).expect("its own parameters");
    assert_eq!(again.parameters(), parameters, "parameters come back: {what}");
    assert_eq!(expect(&again, &data).log_likelihood.to_bits(), here.to_bits(), "parameters come back: {what}");
    let vector = model.to_vector();
    let again = model.with_vector(&vector).expect("its own vector");
    close("the vector comes back", what, expect(&again, &data).log_likelihood, here, 1e-12);
    assert_eq!(bank.to_vector().len(), bank.n_free_parameters(), "number of parameters: {what}");
    assert_eq!(model.n_free_parameters(), bank.n_free_parameters() + bank.n_components() - 1, "{what}");
    assert!(model.with_parameters(&parameters[1..]).is_none(), "too few parameters: {what}");
    assert!(bank.with_parameters(&vec![f64::NAN; bank.parameters().len()]).is_none(), "parameters NaN: {what}");
    assert!(bank.with_vector(&vec![f64::NAN; bank.to_vector().len()]).is_none(), "vector NaN: {what}");
    let mut copy = bank.clone();
    (0..bank.n_components()).for_each(|k| copy.set_component(k, bank, k));
    assert_eq!(copy.parameters(), bank.parameters(), "a component set to itself: {what}");
}

/// No neighbour of an M-step in any free direction has a larger Q, for responsibilities and case weights that have nothing to do
/// with the model; a small step away Q is less.
fn m_step_is_a_maximum<E: Emission + Unconstrained>(what: &str, model: &Mixture<E>, rows: &[f64]) {
    let (d, k) = (model.emission().n_features(), model.n_components());
    let n = (rows.len() / d).min(300);
    let rows = &rows[..n * d];
    let (resp, weights) = (responsibilities(n, k, 71), weights(n, 72));
    let chunk = Chunk { weights: Some(&weights), ..Chunk::of(Rows::new(rows, d)) };
    let mut best = model.clone();
    let mut out = Expectation::new(best.empty_stats());
    model.accumulate_given(chunk, &resp, &mut model.scratch(), &mut out).expect("statistics");
    best.m_step(&out.stats).expect("an M-step");
    let q = |m: &Mixture<E>| {
        let (mut scratch, mut logs) = (m.emission().scratch(), vec![0.0; k * TILE]);
        let mut total = 0.0;
        for t in 0..n {
            m.emission().log_density(Rows::new(&rows[t * d..][..d], d), &mut scratch, &mut logs);
            let row = (0..k).map(|c| resp[t * k + c] * (m.weights()[c].ln() + logs[c * TILE]));
            total += weights[t] * row.sum::<f64>();
        }
        total
    };
    let (top, vector) = (q(&best), best.to_vector());
    // The weight of an only component is 1 whatever its logarithm.
    for i in usize::from(k == 1)..vector.len() {
        for step in [1e-2, -1e-2] {
            let mut moved = vector.clone();
            moved[i] += step;
            let there = q(&best.with_vector(&moved).expect("a neighbour"));
            // Q is a sum of up to 300·K terms of about its own size: its rounding is below 1e-12 of it. A step of 1e-2 costs ½ ·
            // 1e-4 · curvature; every direction in these data has a curvature of at least 1e-4 of Q.
            assert!(there < top - 1e-12 * top.abs(), "M-step: {what}: direction {i}: Q {there} next to {top}");
        }
    }
    if k > 1 {
        // One weight alone is no free direction of the vector: a constant is.
        let there = best
            .with_vector(&vector.iter().enumerate().map(|(i, v)| v + f64::from(u8::from(i < k))).collect::<Vec<_>>());
        close("log weights up to a constant", what, q(&there.expect("weights")), top, 1e-12);
    }
}

/// Rows without any cell change no sum but the weights', and their density is 1.
fn missing_rows_say_nothing<E: Emission>(what: &str, model: &Mixture<E>, rows: &[f64]) {
    let (d, k) = (model.emission().n_features(), model.n_components());
    let n = (rows.len() / d).min(100);
    // The first row is missing too: what fills up a tile's last vectors is often a copy of it.
    let holed: Vec<f64> =
        (0..n).flat_map(|i| if i % 3 == 0 { vec![f64::NAN; d] } else { rows[i * d..][..d].to_vec() }).collect();
    let left: Vec<f64> = holed.chunks(d).filter(|row| !row.iter().all(|x| x.is_nan())).flatten().copied().collect();
    let (with, without) = (expect(model, &dense(&holed, d)), expect(model, &dense(&left, d)));
    close("missing rows", what, with.log_likelihood, without.log_likelihood, 1e-13);
    let (mut a, mut b) = (model.clone(), model.clone());
    a.m_step(&with.stats).expect("an M-step");
    b.m_step(&without.stats).expect("an M-step");
    let (a, b) = (a.emission().parameters(), b.emission().parameters());
    a.iter().zip(&b).for_each(|(a, b)| close("missing rows (M-step)", what, *a, *b, 1e-11));
    let nothing = vec![f64::NAN; 2 * d];
    let e = expect(model, &dense(&nothing, d));
    // log Σ weights, twice: a rounding or two.
    assert!(e.log_likelihood.abs() < 1e-14, "only missing rows: {what}: {}", e.log_likelihood);
    let mut kept = model.clone();
    let health = kept.m_step(&e.stats).expect("an M-step");
    assert!(k == health.len() && health.iter().all(|h| h.empty), "only missing rows: {what}");
    assert_eq!(kept.emission().parameters(), model.emission().parameters(), "only missing rows: {what}");
}

/// SQUAREM reaches what plain EM reaches from the same start, and both say that they converged.
fn algorithms_agree<E: Emission + Unconstrained>(what: &str, model: &Mixture<E>, rows: &[f64]) {
    let data = dense(rows, model.emission().n_features());
    let reach = |algorithm: &mut dyn Algorithm<Mixture<E>>| climb(model, &data, algorithm, 1e-9);
    let (em, fast) = (reach(&mut Batch(Posterior::Soft)), reach(&mut Squarem::default()));
    for (name, run) in [("EM", &em), ("SQUAREM", &fast)] {
        assert_eq!(run.status.kind, StatusKind::Converged, "{what}: {name}: {}", run.status.detail);
        assert!(run.largest_decrease() <= 1e-11 * run.objective().abs(), "{what}: {name} fell");
    }
    // Each stops within about 1e-9 nats of its optimum; SQUAREM may jump to another one, never a worse one here.
    assert!(fast.objective() >= em.objective() - 1e-7, "{what}: {} against {}", fast.objective(), em.objective());
}

/// A run to convergence within `tolerance` nats, or 20,000 iterations.
///
/// # Panics
/// If the run refuses.
pub fn climb<M: LatentModel>(model: &M, data: &dyn Source, algorithm: &mut dyn Algorithm<M>, tolerance: f64) -> Run<M> {
    let options = RunOptions { max_iter: 20_000, tolerance, scale: (data.n_rows() * data.n_features()) as f64 };
    let mut engine = Threads::new(data);
    run(model.clone(), &mut engine, algorithm, options, Control::default(), &mut |_, _, _| Ok(false)).expect("a run")
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
