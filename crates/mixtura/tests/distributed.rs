//! An iteration in pieces is the iteration of one process, and statistics that do not belong together are refused.

use mixtura::data::Dense;
use mixtura::distributed::{Statistics, StepOptions, e_step, merge};
use mixtura::family::gaussian::{Gaussian, Structure};
use mixtura::fit::{Init, Method};
use mixtura::persist::{Record, SavedModel};
use mixtura::{GaussianMixture, Mixture, Result};
use mixtura_testkit::laws::expect;
use mixtura_testkit::oracle::gaussian_log_density;
use mixtura_testkit::rows::Random;

const K: usize = 3;

fn m_step(saved: &SavedModel, statistics: &Statistics, other_rows: bool) -> Result<SavedModel> {
    mixtura::distributed::m_step(saved, statistics, StepOptions { other_rows, ..StepOptions::default() })
}

fn remember(saved: &SavedModel, statistics: &Statistics, model_weight: f64) -> Result<SavedModel> {
    mixtura::distributed::m_step(saved, statistics, StepOptions { model_weight, ..StepOptions::default() })
}

/// What the rows are like, apart from their structure.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Plain,
    Weighted,
    Missing,
    Labelled,
    /// The last column is constant, the one before repeats the first.
    Flat,
}

/// Rows with what is known of them.
struct Data {
    d: usize,
    values: Vec<f64>,
    weights: Vec<f64>,
    labels: Vec<i32>,
}

impl Data {
    fn new(kind: Kind, n: usize, d: usize) -> Self {
        let mut r = Random::new(41);
        let mut data = Data { d, values: Vec::new(), weights: Vec::new(), labels: Vec::new() };
        // Columns of unlike size, some way from the origin.
        let (unit, origin) = ([1.0, 250.0, 1e-3, 7.0, 0.3], [2.0, -900.0, 0.0, 50.0, 1.0]);
        for i in 0..n {
            let c = r.below(K);
            let mut row: Vec<f64> =
                (0..d).map(|j| origin[j] + unit[j] * (r.normal() + 1.7 * c as f64 * f64::from(j as u32 % 2))).collect();
            match kind {
                Kind::Missing => row.iter_mut().for_each(|x| *x = if r.uniform() < 0.2 { f64::NAN } else { *x }),
                Kind::Flat => (row[d - 1], row[d - 2]) = (0.1, row[0]),
                _ => {}
            }
            data.values.extend(row);
            // A weight of 0 now and then: no row.
            let weight = if i == 0 || r.uniform() > 0.1 { 0.2 + 3.0 * r.uniform() } else { 0.0 };
            data.weights.push(if kind == Kind::Weighted { weight } else { 1.0 });
            data.labels.push(if kind == Kind::Labelled && r.uniform() < 0.3 { c as i32 } else { -1 });
        }
        data
    }

    fn part(&self, from: usize, to: usize) -> Dense<'_> {
        let rows = Dense::new(&self.values[from * self.d..to * self.d], self.d).unwrap();
        rows.with_weights(&self.weights[from..to]).unwrap().with_labels(&self.labels[from..to]).unwrap()
    }

    fn n(&self) -> usize {
        self.weights.len()
    }
}

/// The model that a few EM iterations reach: a place with overlap, where nothing is nearly 0.
fn begin(structure: Structure, data: &Data) -> SavedModel {
    let options = GaussianMixture {
        structure,
        method: Method::Em,
        init: Init::Random,
        max_iter: 2,
        restarts: Some(1),
        ..GaussianMixture::new(K)
    };
    save(options.fit(&data.part(0, data.n())).unwrap().model)
}

fn save(model: Mixture<Gaussian>) -> SavedModel {
    let d = model.emission().mean(0).len();
    SavedModel { model, columns: (0..d).map(|j| format!("x{j}")).collect(), record: Record::default() }
}

fn pieces(saved: &SavedModel, data: &Data, cuts: &[usize]) -> Vec<(String, Statistics)> {
    let ends = cuts.iter().copied().chain([data.n()]);
    let starts = [0].into_iter().chain(cuts.iter().copied());
    starts
        .zip(ends)
        .map(|(from, to)| {
            (format!("{from}.json"), e_step(saved, &data.part(from, to), &format!("{from}.csv")).unwrap())
        })
        .collect()
}

fn step(saved: &SavedModel, data: &Data) -> SavedModel {
    let cuts = [data.n() / 7, data.n() / 2];
    m_step(saved, &merge(pieces(saved, data, &cuts), false).unwrap(), false).unwrap()
}

/// Weights, means in standard deviations and covariances in units of variances agree; returns how well.
#[track_caller]
fn same(what: &str, a: &Mixture<Gaussian>, b: &Mixture<Gaussian>, sd: &[f64], within: f64) -> f64 {
    let d = sd.len();
    let mut worst = 0.0_f64;
    for k in 0..a.weights().len() {
        worst = worst.max((a.weights()[k] - b.weights()[k]).abs());
        assert!(worst <= within, "{what}: weight {k}");
        let (p, q) = (a.emission(), b.emission());
        for j in 0..d {
            let off = (p.mean(k)[j] - q.mean(k)[j]) / sd[j];
            worst = worst.max(off.abs());
            assert!(off.abs() <= within, "{what}: mean {k}, column {j} is off by {off:e} sd");
        }
        for (n, (x, y)) in p.covariance(k).iter().zip(q.covariance(k)).enumerate() {
            let off = (x - y) / sd[n / d] / sd[n % d];
            worst = worst.max(off.abs());
            assert!(off.abs() <= within, "{what}: covariance {k} at {n} is off by {off:e}");
        }
    }
    worst
}

/// Standard deviation of each column, missing cells left out; 1 for a constant one.
fn spread(data: &Data) -> Vec<f64> {
    (0..data.d)
        .map(|j| {
            let column: Vec<f64> =
                data.values.iter().skip(j).step_by(data.d).copied().filter(|x| !x.is_nan()).collect();
            let mean = column.iter().sum::<f64>() / column.len() as f64;
            let sd = (column.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / column.len() as f64).sqrt();
            if sd > 1e-9 * mean.abs() { sd } else { 1.0 }
        })
        .collect()
}

#[test]
fn pieces_make_the_iteration_of_one_process() {
    for kind in [Kind::Plain, Kind::Weighted, Kind::Missing, Kind::Labelled, Kind::Flat] {
        for structure in Structure::ALL {
            // More than a chunk, so that parts and whole are cut at different rows.
            let data = Data::new(kind, 6000, 5);
            let saved = begin(structure, &data);
            let options = GaussianMixture {
                structure,
                method: Method::Em,
                init: Init::Params(Box::new(saved.model.clone())),
                max_iter: 1,
                ..GaussianMixture::new(K)
            };
            let whole = data.part(0, data.n());
            let one = options.fit(&whole).unwrap();
            let next = step(&saved, &data);
            let what = format!("{kind:?} {}", structure.name());
            // Sums of 6,000 terms in another order, about another origin: 10 to 100 roundings would be 1e-14.
            let within = 1e-12;
            let mut sd = spread(&data);
            if structure == Structure::Spherical {
                // One variance for all columns has the size of the widest one's.
                let widest = sd.iter().copied().fold(0.0, f64::max);
                sd.fill(widest);
            }
            let worst = same(&what, &next.model, &one.model, &sd, within);
            let before = one.trace.objective[0] + one.log_likelihood - one.trace.objective[1];
            let off = next.record.log_likelihood / before - 1.0;
            assert!(off.abs() <= within, "{what}: the log-likelihood is off by {off:e}");
            println!("{what}: parameters to {worst:.1e}, log-likelihood to {:.1e}", off.abs());
            assert_eq!(next.record.data.n_rows, one.n_rows, "{what}");
            assert!((next.record.data.total_weight / one.total_weight - 1.0).abs() < 1e-13, "{what}");
        }
    }
}

/// The same step by the definitions, with a solver that shares no code with the library.
#[test]
fn the_step_is_that_of_the_definition() {
    let data = Data::new(Kind::Weighted, 400, 2);
    let saved = begin(Structure::Full, &data);
    let (bank, d) = (saved.model.emission(), 2);
    let covariances: Vec<Vec<f64>> = (0..K).map(|k| bank.covariance(k)).collect();
    let mut log_likelihood = 0.0;
    let (mut n, mut s) = ([0.0; K], vec![vec![0.0; d]; K]);
    let mut r = Vec::new();
    for (row, w) in data.values.chunks(d).zip(&data.weights) {
        let joint: Vec<f64> = (0..K)
            .map(|k| saved.model.weights()[k] * gaussian_log_density(row, bank.mean(k), &covariances[k]).exp())
            .collect();
        let total: f64 = joint.iter().sum();
        log_likelihood += w * total.ln();
        for k in 0..K {
            r.push(w * joint[k] / total);
            n[k] += w * joint[k] / total;
            (0..d).for_each(|j| s[k][j] += w * joint[k] / total * row[j]);
        }
    }
    let mean: Vec<Vec<f64>> = (0..K).map(|k| s[k].iter().map(|x| x / n[k]).collect()).collect();
    let mut c = vec![vec![0.0; d * d]; K];
    for (i, row) in data.values.chunks(d).enumerate() {
        for k in 0..K {
            for a in 0..d * d {
                c[k][a] += r[i * K + k] * (row[a / d] - mean[k][a / d]) * (row[a % d] - mean[k][a % d]) / n[k];
            }
        }
    }
    let weights = n.iter().map(|x| x / n.iter().sum::<f64>()).collect();
    let want = Mixture::new(weights, Gaussian::new(Structure::Full, d, mean.concat(), c.concat()).unwrap()).unwrap();
    let next = step(&saved, &data);
    same("definition", &next.model, &want, &spread(&data), 1e-11);
    assert!((next.record.log_likelihood / log_likelihood - 1.0).abs() < 1e-12);
}

#[test]
fn iterations_in_pieces_are_em_and_say_what_they_gain() {
    let data = Data::new(Kind::Missing, 1500, 3);
    let start = begin(Structure::Full, &data);
    let whole = data.part(0, data.n());
    let mut model = start.clone();
    let mut seen = Vec::new();
    for t in 1..=12 {
        seen.push(expect(&model.model, &whole).log_likelihood);
        model = step(&model, &data);
        let record = model.record.step.as_ref().unwrap();
        assert_eq!((record.steps, record.parts), (t, 3));
        assert!((record.log_likelihood - seen[t - 1]).abs() < 1e-9 * seen[0].abs());
        let gain = (t > 1).then(|| seen[t - 1] - seen[t - 2]);
        assert_eq!(record.gain.is_some(), gain.is_some());
        assert!((record.gain.unwrap_or(0.0) - gain.unwrap_or(0.0)).abs() < 1e-8);
        assert!(model.record.certificate.monotone);
        // The file tells the next step, so it must go through a file.
        model = SavedModel::from_json(&model.to_json()).unwrap();
    }
    let gains = [seen[10] - seen[9], seen[11] - seen[10]];
    let aitken = gains[1] * gains[1] / (gains[0] - gains[1]);
    let ours = model.record.step.as_ref().unwrap().nats_remaining;
    // Gains carry the rounding of the log-likelihoods, 1e-9; their difference amplifies it.
    assert!(gains[1] < gains[0] && (ours.unwrap() / aitken - 1.0).abs() < 1e-4, "{ours:?} {aitken}");
    let options = GaussianMixture {
        method: Method::Em,
        init: Init::Params(Box::new(start.model.clone())),
        max_iter: 12,
        tolerance: 0.0,
        ..GaussianMixture::new(K)
    };
    let reached = options.fit(&whole).unwrap();
    same("12 iterations", &model.model, &reached.model, &spread(&data), 1e-10);
}

#[test]
fn any_order_of_merging_is_the_same() {
    let data = Data::new(Kind::Weighted, 900, 3);
    let saved = begin(Structure::Diag, &data);
    let of = |order: [usize; 3]| {
        let all = pieces(&saved, &data, &[100, 500]);
        merge(order.iter().map(|&i| all[i].clone()).collect(), false).unwrap()
    };
    let abc = of([0, 1, 2]);
    assert_eq!(abc.to_json(), of([2, 0, 1]).to_json());
    // In two rounds the sums associate differently: the bits may differ, the model by rounding only.
    let all = pieces(&saved, &data, &[100, 500]);
    let first = merge(vec![all[2].clone(), all[0].clone()], false).unwrap();
    let rounds = merge(vec![("ca".into(), first), all[1].clone()], false).unwrap();
    assert_eq!(rounds.parts(), abc.parts());
    let step = |s| m_step(&saved, s, false).unwrap();
    same("rounds", &step(&rounds).model, &step(&abc).model, &spread(&data), 1e-12);
    assert_eq!(step(&rounds).record.data.fingerprint, step(&abc).record.data.fingerprint);
}

#[test]
fn files_read_back_to_the_bit_or_not_at_all() {
    let data = Data::new(Kind::Missing, 60, 2);
    let saved = begin(Structure::Tied, &data);
    let text = pieces(&saved, &data, &[20]).remove(0).1.to_json();
    let back = Statistics::from_json(&text).unwrap();
    assert_eq!(back.to_json(), text);
    assert_eq!(
        back.log_likelihood().to_bits(),
        e_step(&saved, &data.part(0, 20), "0.csv").unwrap().log_likelihood().to_bits()
    );
    // Any one flipped bit is seen, or changes nothing (white space, another way to write the same).
    for at in 0..text.len() {
        for bit in 0..7 {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1 << bit;
            if let Ok(read) = Statistics::from_json(std::str::from_utf8(&bytes).unwrap()) {
                assert_eq!(read.to_json(), text, "byte {at} bit {bit}");
            }
        }
        if at < text.trim_end().len() {
            assert!(Statistics::from_json(&text[..at]).is_err(), "cut at {at}");
        }
    }
}

#[track_caller]
fn refused<T>(outcome: Result<T>, words: &[&str]) {
    let Err(error) = outcome else { panic!("not refused") };
    let sentence = error.to_string();
    words.iter().for_each(|word| assert!(sentence.contains(word), "no {word:?} in {sentence:?}"));
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let data = Data::new(Kind::Plain, 600, 3);
    let saved = begin(Structure::Full, &data);
    let all = || pieces(&saved, &data, &[100, 300]);
    refused(merge(Vec::new(), false), &["no statistics"]);
    let mut twice = all();
    twice.push(("again.json".into(), twice[1].1.clone()));
    refused(merge(twice.clone(), false), &["again.json", "100.csv", "100.json"]);
    assert_eq!(merge(twice, true).unwrap().n_rows(), 800);

    let next = step(&saved, &data);
    let mut mixed = all();
    mixed.push(("b.json".into(), e_step(&next, &data.part(0, 50), "b.csv").unwrap()));
    refused(merge(mixed, false), &["b.json", "another model", "0.json"]);
    let renamed = SavedModel { columns: vec!["a".into(), "b".into(), "c".into()], ..saved.clone() };
    let mut mixed = all();
    mixed.push(("b.json".into(), e_step(&renamed, &data.part(0, 50), "b.csv").unwrap()));
    refused(merge(mixed, false), &["b.json", "a, b, c", "x0, x1, x2"]);
    let tied = begin(Structure::Tied, &data);
    let mut mixed = all();
    mixed.push(("b.json".into(), e_step(&tied, &data.part(0, 50), "b.csv").unwrap()));
    refused(merge(mixed, false), &["b.json", "tied", "full"]);

    let whole = merge(all(), false).unwrap();
    refused(m_step(&next, &whole, false), &["another model"]);
    refused(m_step(&renamed, &whole, false), &["columns", "a, b, c"]);
    refused(m_step(&tied, &whole, false), &["tied"]);
    // A part that was lost on the way.
    let some = merge(pieces(&next, &data, &[100, 300]).drain(..2).collect(), false).unwrap();
    refused(m_step(&next, &some, false), &["another data set", "300 rows in 2 parts", "600 rows in 3 parts"]);
    let other = m_step(&next, &some, true).unwrap().record.step.unwrap();
    assert_eq!((other.steps, other.gain), (1, None));

    refused(e_step(&saved, &Dense::new(vec![1.0, 2.0], 2).unwrap(), "x.csv"), &["2 columns", "3"]);
    let far = [0.0, -900.0, 1.0, 1e200, 0.0, 0.0];
    refused(e_step(&saved, &Dense::new(&far[..], 3).unwrap(), "x.csv"), &["row 2", "density"]);
    let labels = Dense::new(&far[..3], 3).unwrap().with_labels(vec![3]).unwrap();
    refused(e_step(&saved, &labels, "x.csv"), &["component 3"]);
}

#[test]
fn a_column_without_values_in_one_part_only_is_fine() {
    let mut data = Data::new(Kind::Missing, 300, 2);
    data.values.iter_mut().take(200).skip(1).step_by(2).for_each(|x| *x = f64::NAN);
    let saved = begin(Structure::Full, &data);
    let all = pieces(&saved, &data, &[100]);
    assert!(m_step(&saved, &merge(all.clone(), false).unwrap(), false).is_ok());
    refused(m_step(&saved, &all[0].1, false), &["'x1'", "no value"]);
    let text = all[0].1.to_json();
    assert_eq!(Statistics::from_json(&text).unwrap().to_json(), text);
}

#[test]
fn a_model_that_counts_as_rows_is_remembered() {
    // One component in two dimensions: mean and covariance of N rows that are exactly the model's and three more.
    let (mean, covariance, n) = ([1.0, -2.0], [2.0, 0.5, 0.5, 1.0], 40.0);
    let bank = Gaussian::new(Structure::Full, 2, mean.to_vec(), covariance.to_vec()).unwrap();
    let saved = save(Mixture::equal(bank));
    let rows = [[2.0, 2.0], [0.5, -3.0], [4.0, 0.0]];
    let stats = e_step(&saved, &Dense::new(rows.concat(), 2).unwrap(), "x.csv").unwrap();
    let next = remember(&saved, &stats, n).unwrap();
    let want: Vec<f64> = (0..2).map(|j| (n * mean[j] + rows.iter().map(|r| r[j]).sum::<f64>()) / (n + 3.0)).collect();
    for a in 0..4 {
        let (i, j) = (a / 2, a % 2);
        let old = covariance[a] + (mean[i] - want[i]) * (mean[j] - want[j]);
        let new: f64 = rows.iter().map(|r| (r[i] - want[i]) * (r[j] - want[j])).sum();
        let ours = next.model.emission().covariance(0)[a];
        assert!((ours - (n * old + new) / (n + 3.0)).abs() < 1e-13, "{a}: {ours}");
    }
    assert!(next.model.emission().mean(0).iter().zip(&want).all(|(x, y)| (x - y).abs() < 1e-14));
    // A memory of very many rows keeps the model, in every structure; other rows need no leave.
    let data = Data::new(Kind::Missing, 300, 3);
    for structure in Structure::ALL {
        let saved = begin(structure, &data);
        let all = pieces(&saved, &data, &[100]);
        let next = remember(&saved, &all[0].1, 1e15).unwrap();
        // 100 rows against 1e15, each some 10 standard deviations off at most; spherical covariances are the widest's.
        let sd = if structure == Structure::Spherical { vec![250.0; 3] } else { spread(&data) };
        same(structure.name(), &next.model, &saved.model, &sd, 1e-11);
        let again = e_step(&next, &data.part(100, 300), "b.csv").unwrap();
        let step = remember(&next, &again, 100.0).unwrap().record.step.unwrap();
        assert_eq!((step.steps, step.gain, step.model_weight), (1, None, 100.0));
    }
    refused(remember(&saved, &stats, -1.0), &["-1"]);
    refused(remember(&saved, &stats, f64::INFINITY), &["inf"]);
}
