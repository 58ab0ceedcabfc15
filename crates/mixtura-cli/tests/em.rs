//! `mixtura em`: the textbook models reach their golden values, refuse in one sentence, and give the same bits on any threads.

mod common;

use common::{Folder, Lcg, golden};
use serde_json::Value;

/// An item of golden/cases/{file}.json.
fn item(file: &str, name: &str) -> Value {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden/cases").join(format!("{file}.json"));
    let case: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    case["items"].as_array().unwrap().iter().find(|i| i["name"] == name).unwrap().clone()
}

#[track_caller]
fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(all) => all.iter().flat_map(numbers).collect(),
        one => vec![one.as_f64().unwrap_or_else(|| panic!("{one} is no number"))],
    }
}

#[track_caller]
fn close(what: &str, got: &Value, want: &[f64], within: f64) {
    let got = numbers(got);
    assert_eq!(got.len(), want.len(), "{what}: {got:?} {want:?}");
    for (g, w) in got.iter().zip(want) {
        assert!((g - w).abs() <= within, "{what}: {got:?} is not {want:?} within {within:e}");
    }
}

/// Iterations end when less than 1e-13 nats remain: with standard errors below 1 parameters are then within √(2e-13) of the
/// optimum, and runs go on until steps are rounding.
const SHARP: &str = "--tolerance 1e-13 --json";
const NEAR: f64 = 4.5e-7;

fn coins() -> Folder {
    let folder = Folder::new();
    folder.write("heads.csv", "heads\n5\n9\n8\n4\n7\n");
    folder.write("both.csv", "flips,row,heads\n10,a,5\n10,b,9\n10,c,8\n10,d,4\n10,e,7\n");
    folder
}

/// Σ log C(10, heads): part of our density of heads, left out in the golden values. The coefficients are 252, 10, 45, 210, 120.
fn choose() -> f64 {
    [252.0_f64, 10.0, 45.0, 210.0, 120.0].iter().map(|c| c.ln()).sum()
}

#[test]
fn two_coins_reach_the_published_optimum() {
    let (folder, want) = (coins(), &item("textbook", "coin_do_batzoglou_2008")["expected"]);
    let mut theta = numbers(&want["converged"]);
    theta.sort_by(f64::total_cmp);
    for (data, algorithm) in [("heads.csv --flips 10", "em"), ("both.csv", "squarem")] {
        let out = folder.run(&format!("em coins {data} -k 2 --fixed-weights --algorithm {algorithm} {SHARP}")).json();
        close("theta", &out["estimates"]["probabilities"], &theta, NEAR);
        close("weights", &out["estimates"]["weights"], &[0.5, 0.5], 0.0);
        // The log-likelihood is flat at its top: errors of parameters enter squared.
        close("log-likelihood", &out["log_likelihood"], &[numbers(&want["converged_loglik"])[0] + choose()], 1e-10);
        assert_eq!(out["n_free_parameters"], 2);
        assert_eq!(out["status"]["kind"], "converged");
        assert_eq!(out["certificate"]["restarts_at_best"], 20);
        assert_eq!(out["certificate"]["monotone"], true);
    }
    let want = &item("textbook", "coin_free_mixing_weights")["expected"];
    let out = folder.run(&format!("em coins heads.csv --flips 10 -k 2 {SHARP}")).json();
    close("theta", &out["estimates"]["probabilities"], &numbers(&want["theta"]), NEAR);
    close("weights", &out["estimates"]["weights"], &numbers(&want["weights"]), NEAR);
    close("log-likelihood", &out["log_likelihood"], &[numbers(&want["loglik"])[0] + choose()], 1e-10);
    assert_eq!(out["n_free_parameters"], 3);
}

#[test]
fn the_text_tells_estimates_figures_and_trust() {
    let out = coins().run("em coins heads.csv --flips 10 -k 2 --fixed-weights").ok().out;
    for line in
        ["2 coins from heads.csv: 5 rows", "0.79679", "with 2 free parameters", "Converged: ", "20 of 20", "never fell"]
    {
        assert!(out.contains(line), "no {line:?} in\n{out}");
    }
    assert!(out.lines().all(|line| line.chars().count() <= 80), "{out}");
    let out = coins().run("em coins heads.csv --flips 10 -k 2 --max-iter 1").ok().out;
    assert!(out.contains("Not converged: ") && out.contains("raise --max-iter"), "{out}");
}

#[test]
fn gene_counting_finds_the_frequencies() {
    let folder = Folder::new();
    let moths = b"carbonaria,CC|CI|CT,85\ninsularia,II|IT,196\ntypica,TT,341\n";
    let out = folder.run_with_input(&format!("em genes - {SHARP}"), moths).json();
    assert_eq!(out["estimates"]["alleles"], serde_json::json!(["C", "I", "T"]));
    let want = numbers(&item("incomplete_data", "peppered_moth")["expected"]["mle"]);
    close("moths", &out["estimates"]["frequencies"], &want, NEAR);
    // The expected genotypes of each phenotype sum to its count.
    let genotypes = out["estimates"]["genotypes"].as_array().unwrap();
    let of = |name: &str| -> f64 {
        genotypes.iter().filter(|g| g["phenotype"] == name).map(|g| g["expected"].as_f64().unwrap()).sum()
    };
    for (name, count) in [("carbonaria", 85.0), ("insularia", 196.0), ("typica", 341.0)] {
        assert!((of(name) - count).abs() < 1e-10, "{name}");
    }
    assert_eq!((genotypes.len(), out["total_weight"].as_f64()), (6, Some(622.0)));
    // Lange (2002), Mathematical and Statistical Methods for Genetic Analysis, ch. 2: 0.2136, 0.0501, 0.7363.
    folder.write("abo.csv", "phenotype,genotypes,count\nA,AA|AO,186\nB,BB|BO,38\nAB,AB,13\nO,OO,284\n");
    let out = folder.run(&format!("em genes abo.csv {SHARP}")).json();
    let text: Vec<String> = numbers(&out["estimates"]["frequencies"]).iter().map(|p| format!("{p:.4}")).collect();
    assert_eq!(text, ["0.2136", "0.7363", "0.0501"]); // A, O, B: as alleles first appear
}

#[test]
fn censored_values_reach_their_optimum() {
    let (folder, item) = (Folder::new(), item("incomplete_data", "progressively_censored_extreme_value"));
    let (values, removed) = (numbers(&item["input"]["log_times"]), numbers(&item["input"]["removed"]));
    let (mut open, mut blank) = ("lower,upper,n\n".to_owned(), "n,from,to\n".to_owned());
    for (v, r) in values.iter().zip(&removed) {
        open += &format!("{v},{v},1\n{v},inf,{r}\n");
        blank += &format!("1,{v},{v}\n{r},{v},\n");
    }
    folder.write("open.csv", open);
    folder.write("blank.csv", blank);
    let want = &item["expected"];
    for data in ["open.csv", "blank.csv --columns from,to"] {
        let out = folder.run(&format!("em censored {data} --law extreme-value --weights-column n {SHARP}")).json();
        let (mu, sigma) = (&out["estimates"]["mu"], &out["estimates"]["sigma"]);
        close("mu, sigma", &Value::Array(vec![mu.clone(), sigma.clone()]), &numbers(&want["mle"]), NEAR);
        close("log-likelihood", &out["log_likelihood"], &numbers(&want["loglik"]), 1e-10);
        assert_eq!(out["total_weight"], 19.0);
    }
    // Exact values alone: mean and standard deviation (n), 3 and √2, with the normal density's maximum.
    folder.write("exact.csv", "lower,upper\n1,1\n2,2\n3,3\n4,4\n5,5\n");
    let out = folder.run(&format!("em censored exact.csv {SHARP}")).json();
    close("mu", &out["estimates"]["mu"], &[3.0], NEAR);
    close("sigma", &out["estimates"]["sigma"], &[2.0_f64.sqrt()], NEAR);
    let top = -2.5 * (std::f64::consts::TAU.ln() + 2.0_f64.ln() + 1.0);
    close("log-likelihood", &out["log_likelihood"], &[top], 1e-10);
}

#[test]
fn probit_gives_the_quantiles_of_the_shares() {
    let folder = Folder::new();
    // Half of the rows with x = 0 and 39 of 40 with x = 1: Φ(0) = 0.5 and Φ(1.959963984540054) = 0.975 (any normal table).
    folder.write("y.csv", "y,x,n\n0,0,20\n1,0,20\n0,1,1\n1,1,39\n");
    let out = folder.run(&format!("em probit y.csv -y y --weights-column n {SHARP}")).json();
    assert_eq!(out["estimates"]["names"], serde_json::json!(["intercept", "x"]));
    close("coefficients", &out["estimates"]["coefficients"], &[0.0, 1.959963984540054], NEAR);
    let want = 40.0 * 0.5_f64.ln() + 39.0 * 0.975_f64.ln() + 0.025_f64.ln();
    close("log-likelihood", &out["log_likelihood"], &[want], 1e-10);
    // The well-known example, where its file is there.
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden/data/binary_ucla_orig.csv");
    if path.is_file() {
        let want = &item("incomplete_data", "probit_em_ucla")["expected"];
        let data = golden("binary_ucla_orig.csv");
        let out = folder.run(&format!("em probit {data} -y admit --columns gre,gpa,rank {SHARP}")).json();
        close("coefficients", &out["estimates"]["coefficients"], &numbers(&want["newton"]), NEAR);
    } else {
        println!("passed over: binary_ucla_orig.csv is not part of this repository");
    }
}

#[test]
fn lines_reach_the_optimum_of_flexible_tools() {
    let folder = Folder::new();
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden/cases/regression_mixture.json");
    let case: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let want = &case["expected"]["origin"];
    let data = golden("regression_origin.csv");
    let flags = "-k 2 --no-intercept --weights-column weight";
    let out = folder.run(&format!("em lines {data} -y y {flags} {SHARP}")).json();
    // As the case says: parameters to 1e-5 of their standard errors, which are below 0.1 here; log-likelihood to 1e-9.
    close("coefficients", &out["estimates"]["coefficients"], &numbers(&want["coefficients"]), 1e-6);
    close("sigma", &out["estimates"]["sigma"], &numbers(&want["sds"]), 1e-6);
    close("weights", &out["estimates"]["weights"], &numbers(&want["weights"]), 1e-6);
    close("log-likelihood", &out["log_likelihood"], &numbers(&want["loglik"]), 1e-9);
    let best = numbers(&out["certificate"]["restarts"]).into_iter().fold(f64::NEG_INFINITY, f64::max);
    close("the best restart is in the same units", &out["log_likelihood"], &[best], 1e-9);
    // The response need not come last, and positions do as well.
    let again = folder.run(&format!("em lines {data} -y 3 {flags} --columns u,v {SHARP}")).json();
    assert_eq!(out, again);
}

#[test]
fn latent_classes_of_one_class_are_proportions() {
    let folder = Folder::new();
    folder.write("a.csv", "a,b\n1,0\n1,\n0,1\n1,1\n");
    let out = folder.run(&format!("em bernoulli a.csv -k 1 {SHARP}")).json();
    // Three of four, and two of the three that are known.
    close("proportions", &out["estimates"]["probabilities"], &[0.75, 2.0 / 3.0], 1e-12);
    let want = 3.0 * 0.75_f64.ln() + 0.25_f64.ln() + 2.0 * (2.0_f64 / 3.0).ln() + (1.0_f64 / 3.0).ln();
    close("log-likelihood", &out["log_likelihood"], &[want], 1e-12);
    let keys: Vec<&String> = out.as_object().unwrap().keys().collect();
    let fields = ["model", "estimates", "log_likelihood", "aic", "bic", "n_rows", "total_weight", "n_free_parameters"];
    for key in fields.into_iter().chain(["status", "iterations", "certificate", "data"]) {
        assert!(keys.iter().any(|k| *k == key), "no {key} in {keys:?}");
    }
    let (l, p, n) = (out["log_likelihood"].as_f64().unwrap(), 2.0, 4.0_f64);
    close("bic", &out["bic"], &[-2.0 * l + p * n.ln()], 1e-12);
    close("aic", &out["aic"], &[-2.0 * l + 2.0 * p], 1e-12);
}

#[test]
fn refusals_are_one_sentence_with_the_place() {
    let folder = coins();
    let cases: [(&str, &str, i32, &[&str]); 18] = [
        ("heads,flips\n5,4\n", "coins FILE -k 1", 3, &["FILE: row 1", "'heads'", "more than the 4 flips"]),
        ("heads,flips\n1,4\n2.5,4\n", "coins FILE -k 1", 3, &["row 2", "'heads'", "whole numbers"]),
        ("heads\n0\n0\n", "coins FILE -k 1 --flips 0", 3, &["nothing to learn"]),
        ("heads\n1\n", "coins FILE -k 1", 3, &["there is no column \"flips\""]),
        ("heads\n1\n", "coins FILE -k 1 --flips 3 --columns a,b", 2, &["--columns names 2 columns", "heads"]),
        ("a,b\n1,0\n0,2\n", "bernoulli FILE -k 2", 3, &["row 2", "'b'", "0, 1 or an empty cell"]),
        ("a,b\n1,\n0,\n", "bernoulli FILE -k 2 --columns a,b", 3, &["\"b\"", "no value"]),
        ("A,AA|AO,3\nB,BB|AO,4\n", "genes FILE", 3, &["FILE: line 2", "AO", "'A'", "only one phenotype"]),
        ("A,AA|AO\n", "genes FILE", 3, &["line 1", "phenotype,genotypes,count"]),
        ("lower,upper\n1,\n2,inf\n,3\n", "censored FILE", 3, &["open to one side"]),
        ("lower,upper\n1,\n2,\n", "censored FILE", 3, &["open to one side"]),
        ("lower,upper\n1,1\n3,2\n", "censored FILE", 3, &["row 2", "exchange its ends"]),
        ("lower,upper\n1,1\n,\n3,3\n", "censored FILE", 3, &["row 2", "remove it"]),
        ("lower,upper\n1,1\n3,3\n", "censored FILE --memory 1G", 2, &["--memory"]),
        ("x,y\n1,0\n2.5,0\n3,1\n4,1\n", "probit FILE -y y", 3, &["separated", "'x'"]),
        ("x,y\n1,1\n2.5,1\n", "probit FILE -y y", 3, &["every response is 1"]),
        ("x,y\n1,0\n2.5,\n", "probit FILE -y y", 3, &["row 2", "'y'", "missing"]),
        ("x,y\n1,3\n2.5,3\n4,3\n", "lines FILE -y y -k 2", 3, &["'y'", "constant"]),
    ];
    for (text, args, code, words) in cases {
        folder.write("FILE", text);
        folder.run(&format!("em {args}")).refused(code, words);
    }
    folder.run("em genes nosuch").refused(4, &["nosuch"]);
    folder.run("em coins heads.csv -k 0 --flips 10").refused(2, &["from 1"]);
    folder.run("em coins heads.csv -k 2 --flips 10 --restarts 0").refused(2, &["0 restarts"]);
    folder.run("em coins heads.csv -k 2 --flips 10 --tolerance=-1").refused(2, &["tolerance"]);
    folder.run("em coins heads.csv -k 2 --flips 10 --algorithm newton").refused(2, &["squarem"]);
    folder.write("FILE", [0xff, 0xfe, 0x00]);
    folder.run("em genes FILE").refused(3, &["UTF-8"]);
}

#[test]
fn infinite_cells_are_open_ends_only_where_ends_are_meant() {
    let folder = Folder::new();
    folder.write("a.csv", "x,y\n1,0\ninf,1\n2,1\n0,0\n");
    folder.run("em lines a.csv -y y -k 1").refused(3, &["not finite"]);
}

#[test]
fn threads_and_formats_do_not_change_a_bit() {
    let folder = Folder::new();
    let mut rng = Lcg(3);
    let mut text = "x,y,heads,flips,n\n".to_owned();
    // More rows than one chunk holds.
    for i in 0..20_000 {
        let x = 3.0 * rng.uniform();
        let y = if i % 3 == 0 { 4.0 - x } else { 1.0 + 2.0 * x } + 0.3 * rng.normal();
        let heads = (0..12).filter(|_| rng.uniform() < if i % 3 == 0 { 0.3 } else { 0.8 }).count();
        text += &format!("{x},{y},{heads},12,{}\n", i % 4);
    }
    folder.write("a.csv", &text);
    for model in ["lines a.csv -y y --columns x", "coins a.csv"] {
        let run = |more: &str| {
            let flags = "-k 2 --weights-column n --restarts 3 --json";
            folder.run(&format!("em {model} {flags} {more}")).ok().out
        };
        let one = run("--threads 1");
        assert_eq!(one, run("--threads 2"), "{model}");
        assert_eq!(one, run("--memory 64M"), "{model}");
        assert_ne!(one, run("--seed 1"), "{model}");
    }
}
