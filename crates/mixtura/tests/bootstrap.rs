//! The bootstrap: closed forms, weights as frequencies, what replicates keep of the rows, same bits on any threads, and every refusal.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use mixtura::data::{Dense, Source, for_each_row};
use mixtura::family::Emission;
use mixtura::family::bernoulli::Bernoulli;
use mixtura::family::binomial::Binomial;
use mixtura::family::gaussian::{Gaussian, Structure};
use mixtura::family::linear::Linear;
use mixtura::fit::textbook::{self, Search};
use mixtura::fit::{Control, Init};
use mixtura::infer::{Bootstrap, Replicates, Resample, Resampling};
use mixtura::model::censored::{CensoredNormal, Sample};
use mixtura::model::genetics::GeneTable;
use mixtura::model::probit::{Probit, Responses};
use mixtura::model::{FixedWeights, Identified, LatentModel};
use mixtura::{Error, GaussianMixture, Mixture, Seed};
use mixtura_testkit::golden::data;
use mixtura_testkit::rows::{Random, clusters};

fn plain(resampling: Resampling, replicates: usize) -> Bootstrap {
    Bootstrap { replicates, ..Bootstrap::new(resampling) }
}

fn own<M: Resample>(b: Bootstrap, model: &M, rows: &dyn Source) -> mixtura::Result<Replicates> {
    b.run(model, rows, |m| Ok(m.clone()), Control::default())
}

/// One Gaussian at its estimates.
fn one(rows: &[f64]) -> (Mixture<Gaussian>, f64, f64) {
    let n = rows.len() as f64;
    let mean = rows.iter().sum::<f64>() / n;
    let moment = |p: i32| rows.iter().map(|x| (x - mean).powi(p)).sum::<f64>() / n;
    let bank = Gaussian::new(Structure::Full, 1, vec![mean], vec![moment(2)]).unwrap();
    (Mixture::equal(bank), moment(2), moment(4))
}

#[test]
fn one_gaussian_has_the_errors_of_the_books() {
    let mut r = Random::new(2);
    // Of no normal distribution: the parametric and the other two differ.
    let rows: Vec<f64> = (0..100).map(|_| r.normal().powi(3)).collect();
    let (model, m2, m4) = one(&rows);
    let table = Dense::new(&rows[..], 1).unwrap();
    let n = 100.0;
    for (resampling, of_mean, of_variance) in [
        (Resampling::Parametric, (m2 / n).sqrt(), m2 * (2.0 * (n - 1.0)).sqrt() / n),
        (Resampling::Rows, (m2 / n).sqrt(), ((m4 - m2 * m2) / n).sqrt()),
        (Resampling::Weighted, (m2 / (n + 1.0)).sqrt(), ((m4 - m2 * m2) / (n + 1.0)).sqrt()),
    ] {
        let se = own(plain(resampling, 4000), &model, &table).unwrap().errors().standard_errors();
        // 4 standard errors of a standard deviation of 4000 normal draws, 1.1 % each; the variance's draws are skew (kurtosis
        // of about 6: twice that), and its own error has terms of order 1/n beside the first.
        assert!((se[0] / of_mean - 1.0).abs() < 0.045, "{resampling:?}: {} {of_mean}", se[0]);
        assert!((se[1] / of_variance - 1.0).abs() < 0.1, "{resampling:?}: {} {of_variance}", se[1]);
    }
}

#[test]
fn a_weight_is_the_row_so_many_times() {
    let mut r = Random::new(5);
    let rows: Vec<f64> = (0..50).map(|_| r.normal()).collect();
    let long: Vec<f64> = rows.iter().flat_map(|x| [*x; 3]).collect();
    let (model, ..) = one(&rows);
    let short = Dense::new(&rows[..], 1).unwrap().with_weights(vec![3.0; 50]).unwrap();
    let long = Dense::new(long, 1).unwrap();
    for resampling in Resampling::ALL {
        let [a, b] =
            [&short, &long].map(|t| own(plain(resampling, 4000), &model, t).unwrap().errors().standard_errors());
        // Two of 4000: √2 · 4 · 1.1 %.
        a.iter().zip(&b).for_each(|(a, b)| assert!((a / b - 1.0).abs() < 0.065, "{resampling:?}: {a} {b}"));
    }
    // Fractional weights, too, count as much as they sum to: 50 rows of 0.5 are 25.
    let half = Dense::new(&rows[..], 1).unwrap().with_weights(vec![0.5; 50]).unwrap();
    let se = own(plain(Resampling::Rows, 4000), &model, &half).unwrap().errors().standard_errors();
    assert!((se[0] / (one(&rows).1 / 25.0).sqrt() - 1.0).abs() < 0.045, "{se:?}");
}

#[test]
fn moths_agree_with_their_information() {
    let table = GeneTable::peppered_moths();
    let fit = textbook::genes(&table, &Search::default(), Control::default()).unwrap().fit.model;
    for resampling in Resampling::ALL {
        let found = own(plain(resampling, 2000), &fit, &table.rows().unwrap()).unwrap();
        let all =
            found.of(vec!["C".into(), "I".into(), "T".into()], vec![mixtura::family::Range::Probability; 3], |p| {
                vec![p[0], p[1], 1.0 - p[0] - p[1]]
            });
        let se = all.unwrap().errors().standard_errors();
        // The observed information's (golden, incomplete_data); 4 · 1.6 % of 2000 draws, and a term of order 1/n.
        for (se, want) in se.iter().zip([0.007411209370814218, 0.012205190656535619, 0.013475124287974444]) {
            assert!((se / want - 1.0).abs() < 0.08, "{resampling:?}: {se} {want}");
        }
        assert_eq!((found.lost.total(), found.exchanged), (0, 0));
    }
}

fn faithful() -> (Dense<'static>, Mixture<Gaussian>) {
    let rows = Dense::new(data("faithful.csv").unwrap().columns(&["eruptions", "waiting"]), 2).unwrap();
    let fit = GaussianMixture { tolerance: 1e-8, ..GaussianMixture::new(2) }.fit(&rows).unwrap().model;
    (rows, fit)
}

#[test]
fn faithful_agrees_with_mclust() {
    let (rows, fit) = faithful();
    // mclust 6.0.0 (R 4.2.2), Mclust(faithful, 2, "VVV"), MclustBootstrap(nboot = 2000, seed 1) of types pb, bs and wlbs: standard
    // deviations of weight, means and covariances (1,1), (2,1), (2,2) of the component of 64 %, then of the other one.
    let reference = [
        [
            0.0294108, 0.0314139, 0.4539124, 0.0270292, 0.5830764, 0.0182153, 0.2023383, 3.8559632, 0.0101883,
            0.1622113, 4.8219418,
        ],
        [
            0.0288779, 0.0327514, 0.4618809, 0.0291907, 0.6023986, 0.0199842, 0.2746062, 4.4740609, 0.0143800,
            0.1689501, 4.2964138,
        ],
        [
            0.0287197, 0.0320723, 0.4653288, 0.0297073, 0.5939985, 0.0201169, 0.2756591, 4.3528940, 0.0140826,
            0.1686484, 4.3144395,
        ],
    ];
    for (resampling, want) in Resampling::ALL.into_iter().zip(reference) {
        let found = plain(resampling, 2000).gaussian(&fit, (None, None), &rows, Control::default()).unwrap();
        // Two of 2000 replicates each, 1.6 % if normal, √2 · 4 of these are 9 %; products of deviations have longer tails.
        for (i, (se, want)) in found.errors().standard_errors().iter().zip(want).enumerate() {
            assert!((se / want - 1.0).abs() < 0.12, "{resampling:?} {}: {se}, mclust {want}", found.names[i]);
        }
        assert_eq!((found.lost.total(), found.exchanged), (0, 0));
    }
}

#[test]
fn components_keep_their_places() {
    let (values, _) = clusters(3, 300, 3, 2);
    let rows = Dense::new(values, 2).unwrap();
    for structure in Structure::ALL {
        let fit = GaussianMixture { structure, ..GaussianMixture::new(3) }.fit(&rows).unwrap().model;
        let other = fit.reordered(&[2, 0, 1]).unwrap();
        let cost = fit.distances(&other, &rows).unwrap();
        // Component 0 of the fit is number 1 of the other.
        for (j, at) in [1, 2, 0].into_iter().enumerate() {
            assert!(cost[j][at] < 1e-20 && (0..3).all(|c| c == at || cost[j][c] > 0.05), "{structure:?} {cost:?}");
        }
        assert_eq!(other.reordered(&[1, 2, 0]).unwrap().coordinates(), fit.coordinates());
        for resampling in Resampling::ALL {
            let bootstrap = plain(resampling, 60);
            let found = bootstrap.gaussian(&fit, (None, None), &rows, Control::default()).unwrap();
            assert_eq!((found.values.len(), found.exchanged), (60, 0), "{structure:?} {resampling:?}");
            // Replicates lie about the fit: no mean is a component's distance of 6 away.
            let bias = found.bias();
            let means = found.names.iter().position(|n| n == "mean[0][0]").unwrap();
            assert!(bias[means..means + 6].iter().all(|b| b.abs() < 0.2), "{bias:?}");
        }
    }
    // Components whose weights are known are told apart by these, others not.
    let coins = Binomial::new(vec![0.2, 0.8], Some(9)).unwrap();
    let known = Mixture::of(FixedWeights::new(vec![0.3, 0.7]).unwrap(), coins.clone()).unwrap();
    assert!(known.reordered(&[1, 0]).is_none());
    let equal = Mixture::of(FixedWeights::new(vec![0.5, 0.5]).unwrap(), coins).unwrap();
    assert_eq!(equal.reordered(&[1, 0]).unwrap().emission().probabilities(), [0.8, 0.2]);
}

#[test]
fn every_model_has_replicates() {
    let mut r = Random::new(7);
    let search = Search { restarts: 3, ..Search::default() };
    let quiet = Control::default();
    let all = |what: &str, of: &dyn Fn(Bootstrap) -> mixtura::Result<Replicates>, parametric: bool| {
        for resampling in Resampling::ALL.into_iter().filter(|r| parametric || *r != Resampling::Parametric) {
            let found = of(plain(resampling, 60)).unwrap_or_else(|e| panic!("{what} {resampling:?}: {e}"));
            assert!(found.errors().standard_errors().iter().all(|s| *s > 0.0 && s.is_finite()), "{what}");
        }
    };
    let heads: Vec<f64> =
        (0..80).flat_map(|i| [f64::from(u8::from(i % 2 == 0)) * 8.0 + r.below(5) as f64, 14.0]).collect();
    let heads = Dense::new(heads, 2).unwrap();
    let coins = textbook::binomial(&heads, None, 2, false, &[], &search, quiet).unwrap().fit.model;
    all("coins", &|b| own(b, &coins, &heads), true);
    let answers = (0..200).flat_map(|i| {
        let p = if i % 2 == 0 { 0.8 } else { 0.2 };
        (0..6).map(|_| f64::from(u8::from(r.uniform() < p))).collect::<Vec<_>>()
    });
    let answers = Dense::new(answers.collect::<Vec<_>>(), 6).unwrap();
    let classes = textbook::bernoulli(&answers, 2, &[], &search, quiet).unwrap().fit.model;
    all("classes", &|b| own(b, &classes, &answers), true);
    // About 1e4: regressions are fitted to standardised columns.
    let lines = (0..150).flat_map(|i| {
        let x = r.normal();
        [1e4 + x, if i % 3 == 0 { 3.0 + 2.0 * x } else { -2.0 * x } + 0.4 * r.normal()]
    });
    let lines = Dense::new(lines.collect::<Vec<_>>(), 2).unwrap();
    let regressions = textbook::linear(&lines, 2, true, &[], &search, quiet).unwrap().fit.model;
    all("lines", &|b| b.linear(&regressions, &lines, quiet), true);
    let cells = (0..200).flat_map(|_| {
        let x = r.normal();
        [50.0 + 10.0 * x, f64::from(u8::from(0.7 * x + r.normal() > 0.0))]
    });
    let cells = Dense::new(cells.collect::<Vec<_>>(), 2).unwrap();
    let responses = Responses::new(&cells, 1, &[]).unwrap();
    let probit: Probit = textbook::probit(&responses, &search, quiet).unwrap().fit.model;
    all("probit", &|b| b.probit(&probit, &responses, quiet), true);
    let bounds: Vec<[f64; 2]> = (0..80)
        .map(|_| 100.0 + 5.0 * r.normal())
        .map(|y| if y > 103.0 { [103.0, f64::INFINITY] } else { [y, y] })
        .collect();
    let sample = Sample::new(&bounds, None).unwrap();
    let normal = textbook::censored_normal(&sample, &search, quiet).unwrap().fit.model;
    all("normal", &|b| b.censored_normal(&normal, &sample, quiet), false);
    let extreme = textbook::censored_extreme_value(&sample, &search, quiet).unwrap().fit.model;
    all("extreme", &|b| b.censored_extreme_value(&extreme, &sample, quiet), false);
    let refused = plain(Resampling::Parametric, 10).censored_normal(&normal, &sample, quiet).unwrap_err();
    assert!(refused.to_string().contains("use the bootstrap of the rows"), "{refused}");
    let exact = Sample::new(&bounds.map_exact(), None).unwrap();
    let normal = CensoredNormal::new(100.0, 5.0).unwrap();
    let se =
        plain(Resampling::Parametric, 2000).censored_normal(&normal, &exact, quiet).unwrap().errors().standard_errors();
    // σ/√n and σ/√2n of 80 rows, 4 · 1.6 %.
    assert!(
        (se[0] / (5.0 / 80_f64.sqrt()) - 1.0).abs() < 0.065 && (se[1] / (5.0 / 160_f64.sqrt()) - 1.0).abs() < 0.065
    );
}

/// Exact values in the place of bounds.
trait Exact {
    fn map_exact(&self) -> Vec<[f64; 2]>;
}

impl Exact for Vec<[f64; 2]> {
    fn map_exact(&self) -> Vec<[f64; 2]> {
        self.iter().map(|b| [b[0], b[0]]).collect()
    }
}

fn cells(source: &dyn Source) -> Vec<(Vec<f64>, f64, Option<usize>)> {
    let mut out = Vec::new();
    for_each_row(source, |_, row, w, label| out.push((row.to_vec(), w, label))).unwrap();
    out
}

#[test]
fn drawn_rows_keep_what_is_no_chance() {
    let nan = f64::NAN;
    let table = Dense::new(vec![1.0, nan, 2.0, 3.0, nan, 4.0], 2).unwrap();
    let table = table.with_weights(vec![2.5, 1.0, 0.25]).unwrap().with_labels(vec![-1, 0, -1]).unwrap();
    let bank = Gaussian::new(Structure::Full, 2, vec![0.0, 0.0, 9.0, 9.0], [[1.0, 0.0, 0.0, 1.0]; 2].concat()).unwrap();
    let model = Mixture::equal(bank);
    let mut labels = [0; 2];
    for seed in 0..40 {
        let drawn = cells(&model.redraw(&table, &mut Seed::new(seed).rng()).unwrap());
        let weights: Vec<f64> = drawn.iter().map(|d| d.1).collect();
        assert_eq!(weights, [1.0, 1.0, 0.5, 1.0, 0.25]);
        let missing: Vec<[bool; 2]> = drawn.iter().map(|d| [d.0[0].is_nan(), d.0[1].is_nan()]).collect();
        assert_eq!(missing, [[false, true], [false, true], [false, true], [false, false], [true, false]]);
        let known: Vec<bool> = drawn.iter().map(|d| d.2.is_some()).collect();
        assert_eq!(known, [false, false, false, true, false]);
        // The known component is drawn, and told.
        let label = drawn[3].2.unwrap();
        labels[label] += 1;
        assert!((drawn[3].0[0] - 9.0 * label as f64).abs() < 4.5, "{drawn:?}");
    }
    // Twenty of forty, give or take four standard deviations.
    assert!(labels[0] > 7 && labels[1] > 7, "{labels:?}");
    let tosses = Dense::new(vec![3.0, 7.0, nan, 20.0], 2).unwrap();
    let coins = Mixture::equal(Binomial::new(vec![0.4], None).unwrap());
    let drawn = cells(&coins.redraw(&tosses, &mut Seed::new(1).rng()).unwrap());
    assert_eq!((drawn[0].0[1], drawn[1].0[1], drawn[1].0[0].is_nan()), (7.0, 20.0, true));
    let line = Mixture::equal(Linear::new(true, 1, vec![1.0, 2.0], vec![1e-6]).unwrap());
    let drawn = cells(&line.redraw(&Dense::new(vec![5.0, 0.0], 2).unwrap(), &mut Seed::new(1).rng()).unwrap());
    assert!(drawn[0].0[0] == 5.0 && (drawn[0].0[1] - 11.0).abs() < 0.01);
    let heavy = Dense::new(vec![1.0, 0.0], 2).unwrap().with_weights(vec![1e15]).unwrap();
    assert!(line.redraw(&heavy, &mut Seed::new(1).rng()).unwrap_err().to_string().contains("too many to draw"));
    // Counts are drawn together, however many.
    let table = GeneTable::from_text("A,AA|AO,1000000000000\nB,BB|BO,1\nAB,AB,1\nO,OO,7").unwrap();
    let drawn = cells(&table.start().redraw(&table.rows().unwrap(), &mut Seed::new(1).rng()).unwrap());
    assert_eq!(drawn.iter().map(|d| d.1).sum::<f64>(), 1_000_000_000_009.0);
    // A third of 1e12, with a standard deviation of 5e5.
    assert!((drawn[0].1 / 1e12 - 1.0 / 3.0).abs() < 2e-6, "{drawn:?}");
}

#[test]
fn the_same_bits_on_any_threads() {
    let (rows, fit) = faithful();
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            Resampling::ALL
                .map(|r| plain(r, 24).gaussian(&fit, (None, None), &rows, Control::default()).unwrap().values)
        })
    };
    let one = with(1);
    assert_eq!(one, with(3));
    // The first replicates of a longer bootstrap are these.
    let longer = plain(Resampling::Rows, 30).gaussian(&fit, (None, None), &rows, Control::default()).unwrap();
    assert_eq!(one[1][..], longer.values[..24]);
    let other = Bootstrap { seed: Seed::new(1), ..plain(Resampling::Rows, 24) };
    assert_ne!(one[1], other.gaussian(&fit, (None, None), &rows, Control::default()).unwrap().values);
}

#[test]
fn progress_and_interrupt() {
    let (rows, fit) = faithful();
    let (heard, flag) = (AtomicUsize::new(0), AtomicBool::new(false));
    let progress = |p: mixtura::fit::Progress| {
        assert!(p.done >= 1 && p.done <= p.total && p.total == 20);
        heard.fetch_add(1, Ordering::Relaxed);
    };
    let control = Control { progress: Some(&progress), interrupt: Some(&flag), ..Control::default() };
    plain(Resampling::Rows, 20).gaussian(&fit, (None, None), &rows, control).unwrap();
    assert_eq!(heard.load(Ordering::Relaxed), 20);
    flag.store(true, Ordering::Relaxed);
    assert_eq!(
        plain(Resampling::Rows, 20).gaussian(&fit, (None, None), &rows, control).unwrap_err(),
        Error::Interrupted
    );
}

#[test]
fn what_has_no_bootstrap_is_refused_in_a_sentence() {
    let (rows, fit) = faithful();
    let refusal = |b: Bootstrap, m: &Mixture<Gaussian>, rows: &dyn Source| {
        let text = b.gaussian(m, (None, None), rows, Control::default()).unwrap_err().to_string();
        assert!(!text.contains('\n') && text.len() < 300, "{text}");
        text
    };
    let usual = plain(Resampling::Rows, 20);
    assert!(refusal(Bootstrap { replicates: 1, ..usual }, &fit, &rows).contains("use 2 or more"));
    assert!(refusal(Bootstrap { may_be_lost: 1.5, ..usual }, &fit, &rows).contains("from 0 to 1"));
    assert!(refusal(Bootstrap { tolerance: -1.0, ..usual }, &fit, &rows).contains("negative"));
    let slow = refusal(Bootstrap { max_iter: 1, ..usual }, &fit, &rows);
    assert!(slow.contains("20 of 20 replicates were lost") && slow.contains("20 did not converge"), "{slow}");
    // One row per component.
    let few = Dense::new(vec![0.0, 5.0, 9.0], 1).unwrap();
    let bank = Gaussian::new(Structure::Diag, 1, vec![0.0, 5.0, 9.0], vec![0.1; 3]).unwrap();
    assert!(refusal(usual, &Mixture::equal(bank), &few).contains("3 rows for 3 components"));
    // A component on one value sits on the floor.
    let mut spike = vec![50.0; 5];
    spike.extend((0..50).map(|i| f64::from(i % 10)));
    let spike = Dense::new(spike, 1).unwrap();
    let start = Gaussian::new(Structure::Full, 1, vec![50.0, 4.5], vec![1.0, 8.0]).unwrap();
    let on_floor = GaussianMixture { init: Init::Params(Box::new(Mixture::equal(start))), ..GaussianMixture::new(2) };
    let on_floor = on_floor.fit(&spike).unwrap().model;
    assert!(refusal(usual, &on_floor, &spike).contains("sits on its floor"));
    // Components that coincide.
    let twice = fit.reordered(&[0, 0]).unwrap();
    let twice = Mixture::new(vec![0.5, 0.5], twice.emission().clone()).unwrap();
    assert!(refusal(usual, &twice, &rows).contains("components 0 and 1 coincide"));
    // One Gaussian fitted by two: components nearly coincide, and replicates cannot say which is which.
    let mut r = Random::new(1);
    let cloud = Dense::new((0..400).map(|_| r.normal()).collect::<Vec<_>>(), 1).unwrap();
    let near = Gaussian::new(Structure::Tied, 1, vec![-0.05, 0.05], vec![1.0; 2]).unwrap();
    let text = own(plain(Resampling::Parametric, 60), &Mixture::equal(near), &cloud).unwrap_err().to_string();
    assert!(text.contains("could not be matched") && text.contains("were lost"), "{text}");
    // An impossible row is no reason to panic.
    let wrong = Dense::new(vec![0.5, 2.0, 0.0, 1.0], 1).unwrap();
    let answers = Mixture::equal(Bernoulli::new(1, vec![0.5]).unwrap());
    assert!(own(usual, &answers, &wrong).is_err());
    let found = own(usual, &answers, &Dense::new(vec![1.0, 0.0, 1.0], 1).unwrap()).unwrap();
    assert_eq!(found.errors().notes.len(), 1);
    assert_eq!(answers.n_free_parameters() + answers.emission().n_features(), 2);
}
