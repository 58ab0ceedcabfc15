//! Every method of the catalog on every textbook model: the optimum that plain EM finds, its stated bias, or a sentence.

use mixtura::catalog::{METHODS, method};
use mixtura::data::Dense;
use mixtura::fit::textbook::{self, Search, TextbookFit};
use mixtura::fit::{Control, Method};
use mixtura::model::censored::Sample;
use mixtura::model::genetics::GeneTable;
use mixtura::model::probit::Responses;
use mixtura::{Error, Result};
use mixtura_testkit::rows::Random;

/// What a model reaches by a method: objective, and whether components are there.
type Problem<'a> = (&'static str, bool, Box<dyn Fn(&Search) -> Result<(f64, bool)> + 'a>);

fn of<M>(found: Result<TextbookFit<M>>) -> Result<(f64, bool)> {
    found.map(|f| (f.fit.log_likelihood, f.fit.certificate.monotone))
}

#[test]
fn every_method_on_every_textbook_model() {
    let mut r = Random::new(5);
    let heads = (0..120).map(|i| (0..20).filter(|_| r.uniform() < if i % 3 == 0 { 0.2 } else { 0.7 }).count() as f64);
    let coins = Dense::new(heads.collect::<Vec<_>>(), 1).unwrap();
    let answers = (0..900).map(|i| f64::from(u8::from(r.uniform() < if i / 3 % 3 == 0 { 0.15 } else { 0.8 })));
    let classes = Dense::new(answers.collect::<Vec<_>>(), 3).unwrap();
    let line = |i: usize, r: &mut Random| {
        let x = 4.0 * r.uniform();
        [x, if i.is_multiple_of(3) { 3.0 - x } else { 1.0 + 2.0 * x } + 0.3 * r.normal()]
    };
    let lines = Dense::new((0..150).flat_map(|i| line(i, &mut r)).collect::<Vec<_>>(), 2).unwrap();
    let response = |r: &mut Random| {
        let x = r.normal();
        [f64::from(u8::from(0.3 + 0.8 * x + r.normal() > 0.0)), x]
    };
    let responses = Dense::new((0..200).flat_map(|_| response(&mut r)).collect::<Vec<_>>(), 2).unwrap();
    let probit = Responses::new(&responses, 0, &[]).unwrap();
    let bounds: Vec<[f64; 2]> =
        (0..60).map(|i| (i, r.normal())).map(|(i, y)| if i % 3 == 0 { [y, f64::INFINITY] } else { [y, y] }).collect();
    let sample = Sample::new(&bounds, None).unwrap();
    let table = GeneTable::abo_blood_groups();
    let none = Control::default;
    let problems: [Problem<'_>; 7] = [
        ("coins", true, Box::new(|s| of(textbook::binomial(&coins, Some(20), 2, false, &[], s, none())))),
        ("classes", true, Box::new(|s| of(textbook::bernoulli(&classes, 2, &[], s, none())))),
        ("lines", true, Box::new(|s| of(textbook::linear(&lines, 2, true, &[], s, none())))),
        ("genes", false, Box::new(|s| of(textbook::genes(&table, s, none())))),
        ("normal", false, Box::new(|s| of(textbook::censored_normal(&sample, s, none())))),
        ("extreme value", false, Box::new(|s| of(textbook::censored_extreme_value(&sample, s, none())))),
        ("probit", false, Box::new(|s| of(textbook::probit(&probit, s, none())))),
    ];
    for (problem, components, fit) in &problems {
        let by = |method| fit(&Search { method, restarts: 6, ..Search::default() });
        let (best, _) = by(Method::Em).unwrap();
        for &(name, method, _) in METHODS {
            match by(method) {
                Err(Error::Usage(text)) => {
                    let fitting = match method {
                        Method::SplitMerge => text.contains("for Gaussian mixtures"),
                        Method::Entropy => !components && text.contains("mixture"),
                        Method::Cem | Method::Annealing | Method::Thresholded => {
                            !components && text.contains("use plain EM")
                        }
                        _ => false,
                    };
                    assert!(fitting, "{problem} by {name}: {text}");
                }
                Err(error) => panic!("{problem} by {name}: {error}"),
                Ok((reached, monotone)) => {
                    assert!(monotone, "{problem} by {name} fell");
                    // Both stop 1e-6 nats short at most, by an estimate that may be off by a small factor. CEM is biased: below.
                    let near = (reached - best).abs() < 1e-5 || (method == Method::Cem && reached < best + 1e-5);
                    assert!(near, "{problem} by {name}: {reached}, not {best}");
                }
            }
        }
    }
}

#[test]
fn names_lead_to_methods() {
    for &(name, known, about) in METHODS {
        assert_eq!(method(name).unwrap(), known);
        assert!(!about.is_empty() && !about.ends_with('.'), "{name}: {about}");
    }
    assert_eq!(METHODS[0].1, Search::default().method);
    assert!(method("newton").unwrap_err().to_string().contains("squarem, anderson, em"));
}
