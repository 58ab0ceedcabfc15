//! What a saved model is good for, k-means, and the ways a command may be cut short.

mod common;

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::Duration;

#[cfg(unix)]
use common::signal;
use common::{Folder, golden, two_components};
use mixtura::persist::SavedModel;

#[test]
fn sampling_and_refitting_recovers_the_model() {
    let folder = Folder::new();
    folder.write("d.csv", two_components(600));
    folder.run("fit d.csv -k 2 --covariance full --out m.json").ok();
    folder.run("sample m.json -n 4000 --seed 3 --out s.csv").ok();
    assert_eq!(folder.run("sample m.json -n 4000 --seed 3").ok().out, folder.text("s.csv"));
    assert_ne!(folder.run("sample m.json -n 4000 --seed 4").ok().out, folder.text("s.csv"));
    folder.run("fit s.csv -k 2 --covariance full --out again.json").ok();
    let read = |name| SavedModel::from_json(&folder.text(name)).unwrap().model;
    let (m, again) = (read("m.json"), read("again.json"));
    for k in 0..2 {
        assert!((m.weights()[k] - again.weights()[k]).abs() < 0.03);
        let (a, b) = (m.emission(), again.emission());
        // 5 standard errors at 1,300 rows or more, of unit variances.
        assert!(a.mean(k).iter().zip(b.mean(k)).all(|(x, y)| (x - y).abs() < 0.14));
        assert!(a.covariance(k).iter().zip(b.covariance(k)).all(|(x, y)| (x - y).abs() < 0.2));
    }
    let with = folder.run("sample m.json -n 50 --with-component").ok().out;
    let lines: Vec<&str> = with.lines().collect();
    assert_eq!((lines[0], lines.len()), ("a,b,component", 51));
    // Rows carry the component they came from: predicting finds it again where components are far apart.
    folder.write("w.csv", &with);
    let predicted = folder.run("predict m.json w.csv").ok().out;
    let agree = predicted.lines().zip(&lines).filter(|(p, line)| line.ends_with(&format!(",{p}"))).count();
    assert!(agree >= 50, "{agree}");
}

#[test]
fn score_is_the_log_likelihood_of_the_fit() {
    let folder = Folder::new();
    let data = golden("faithful.csv");
    let fit = folder.run(&format!("fit {data} -k 2 --covariance full --json --out m.json")).json();
    let score = folder.run(&format!("score m.json {data} --json")).json();
    let of = |v: &serde_json::Value, field: &str| v[field].as_f64().unwrap();
    assert!((of(&score, "log_likelihood") - of(&fit, "log_likelihood")).abs() < 1e-6);
    assert!((of(&score, "bic") - of(&fit, "bic")).abs() < 1e-6);
    assert!((of(&score, "mean_log_likelihood") * 272.0 - of(&fit, "log_likelihood")).abs() < 1e-6);
    assert!(folder.run(&format!("score m.json {data}")).ok().out.contains("-1130.26"));
    // A weight of 2 is the row twice, one of 0 no row.
    folder.write("w.csv", "eruptions,waiting,w\n2.5,60,2\n4.5,80,1\n9,9,0\n");
    folder.write("r.csv", "eruptions,waiting\n2.5,60\n4.5,80\n2.5,60\n");
    let w = folder.run("score m.json w.csv --weights-column w --json").json();
    let r = folder.run("score m.json r.csv --json").json();
    assert!((of(&w, "log_likelihood") - of(&r, "log_likelihood")).abs() < 1e-9);
    assert_eq!((of(&w, "n_rows"), of(&w, "total_weight")), (2.0, 3.0));
}

#[test]
fn describe_tells_what_the_file_holds() {
    let folder = Folder::new();
    folder.run(&format!("fit {} -k 3 --covariance full --out m.json", golden("iris.csv"))).ok();
    let text = folder.run("describe m.json").ok().out;
    for words in ["3 components", "full", "150 rows", "petal_width", "correlations of component 2", "overlap", "seed 0"]
    {
        assert!(text.contains(words), "no {words:?} in\n{text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert_eq!(folder.run("describe m.json --json").ok().out, folder.text("m.json"));
}

#[test]
fn cluster_is_k_means() {
    let folder = Folder::new();
    let data = golden("iris.csv");
    let out = folder.run(&format!("cluster {data} -k 3 --json --out c.csv")).json();
    // The known optimum of iris (R's kmeans, scikit-learn).
    assert!((out["inertia"].as_f64().unwrap() - 78.851_441).abs() < 1e-4, "{}", out["inertia"]);
    let mut counts: Vec<f64> = out["counts"].as_array().unwrap().iter().map(|c| c.as_f64().unwrap()).collect();
    counts.sort_by(f64::total_cmp);
    assert_eq!(counts, [38.0, 50.0, 62.0]);
    assert_eq!(folder.text("c.csv").lines().next(), Some("cluster"));
    assert_eq!(folder.text("c.csv").lines().count(), 151);
    assert!(folder.run(&format!("cluster {data} -k 3")).ok().out.contains("78.851"));
    let text = folder.run(&format!("cluster {data} -k 3 --scale standard")).ok().out;
    // scikit-learn's KMeans on standardised iris: 139.82; centres are back in the columns' own units.
    assert!(text.contains("139.82") && text.contains("5.0060"), "{text}");
    folder.write("na.csv", "a,b\n1,2\n3,\n5,6\n");
    folder.run("cluster na.csv -k 2").refused(3, &["na.csv", "row 2", "missing"]);
}

#[test]
fn help_has_examples_and_completions_exist() {
    let folder = Folder::new();
    for command in ["", "fit", "predict", "score", "sample", "describe", "cluster", "completions"] {
        let help = folder.run(&format!("{command} --help")).ok().out;
        let examples = help.split("Examples:").nth(1).unwrap_or_default().matches("mixtura ").count();
        assert!((2..=6).contains(&examples), "{command}: {examples} examples");
    }
    assert!(folder.run("completions bash").ok().out.contains("--covariance"));
}

/// Starts a fit that takes for ever and waits until it is under way.
#[cfg(unix)]
fn endless(folder: &Folder) -> Child {
    folder.write("d.csv", two_components(5000));
    let mut child = folder
        .command("fit d.csv -k 6 --covariance full --init random --restarts 2 --tolerance 0 --max-iter 100000000 --out m.json")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    let mut err = BufReader::new(child.stderr.take().unwrap());
    err.read_line(&mut first).unwrap();
    assert!(first.contains("5000 rows"), "{first}");
    child.stderr = Some(err.into_inner());
    // Random starts without a race are soon made: after this the long runs are under way.
    std::thread::sleep(Duration::from_secs(4));
    child
}

#[test]
#[cfg(unix)]
fn ctrl_c_keeps_what_was_reached() {
    let folder = Folder::new();
    let child = endless(&folder);
    signal(&child, "-INT");
    let run = common::Run::of(child.wait_with_output().unwrap(), "fit");
    assert_eq!(run.code, Some(130), "{}", run.err);
    assert!(run.err.contains("what was reached is in m.json"), "{}", run.err);
    assert!(run.out.contains("Interrupted"), "{}", run.out);
    let saved = SavedModel::from_json(&folder.text("m.json")).unwrap();
    assert_eq!(saved.record.status.kind, "stopped");
    folder.run("predict m.json d.csv").ok();
}

#[test]
#[cfg(unix)]
fn ctrl_c_with_nothing_reached() {
    let folder = Folder::new();
    // Waits for standard input, so that nothing can have been reached.
    let mut child =
        folder.command("fit -").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let input = child.stdin.take();
    std::thread::sleep(Duration::from_millis(500));
    signal(&child, "-INT");
    let run = common::Run::of(child.wait_with_output().unwrap(), "fit -");
    drop(input);
    run.refused(130, &["interrupted"]);
    assert!(folder.names().is_empty());
}

#[test]
#[cfg(unix)]
fn a_reader_that_leaves_is_no_error() {
    let folder = Folder::new();
    folder.write("d.csv", two_components(30));
    folder.run("fit d.csv -k 1 --out m.json").ok();
    let mut child =
        folder.command("sample m.json -n 100000000").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "a,b\n");
    let run = common::Run::of(child.wait_with_output().unwrap(), "sample");
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""));
}
