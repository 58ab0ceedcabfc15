//! An iteration spread over commands: it climbs as `fit` does, and files that do not belong together are refused.

mod common;

use std::process::Command;

use common::{Folder, Lcg, golden, two_components};
use mixtura::persist::SavedModel;
use serde_json::Value;

/// Iris in three unequal parts, mixed beforehand, and a start that three EM iterations reached.
fn parts(folder: &Folder, label: bool) {
    let text = std::fs::read_to_string(golden("iris.csv")).unwrap();
    let (header, rows) = text.split_once('\n').unwrap();
    let mut rows: Vec<&str> = rows.lines().collect();
    let mut rng = Lcg(9);
    (1..rows.len()).rev().for_each(|i| rows.swap(i, (rng.uniform() * (i + 1) as f64) as usize));
    for (name, part) in [("all.csv", 0..150), ("p1.csv", 0..20), ("p2.csv", 20..97), ("p3.csv", 97..150)] {
        folder.write(name, format!("{header}\n{}\n", rows[part].join("\n")));
    }
    let columns = if label { "--label-column species" } else { "" };
    let start = "-k 3 --covariance full --algorithm em --max-iter 3 --restarts 1 --init random";
    folder.run(&format!("fit all.csv {start} {columns} --out model.json --quiet")).ok();
}

/// One iteration in place; the figures of the M-step.
fn iterate(folder: &Folder, flags: &str) -> Value {
    for part in ["p1", "p2", "p3"] {
        folder.run(&format!("estep model.json {part}.csv {flags}")).ok();
    }
    folder.run("merge p1.stats.json p2.stats.json p3.stats.json --out all.stats.json").ok();
    folder.run("mstep model.json all.stats.json --out model.json --json").json()
}

fn model(folder: &Folder, name: &str) -> SavedModel {
    SavedModel::from_json(&folder.text(name)).unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn the_loop_reaches_what_fit_reaches() {
    let folder = Folder::new();
    parts(&folder, false);
    folder.write("start.json", folder.text("model.json"));
    let fit = "fit all.csv --init params=start.json --algorithm em --tolerance 1e-3 --out whole.json --json";
    let whole = number(&folder.run(fit).json()["log_likelihood"]);
    let mut last = f64::NEG_INFINITY;
    for t in 1..=200 {
        let step = iterate(&folder, "");
        assert_eq!(
            (number(&step["steps"]), number(&step["n_parts"]), number(&step["n_rows"])),
            (f64::from(t), 3.0, 150.0)
        );
        let l = number(&step["log_likelihood"]);
        assert!(l >= last - 1e-9, "step {t}: {last} to {l}");
        assert_eq!(step["gain"].as_f64().map(|g| (g - (l - last)).abs() < 1e-9), (t > 1).then_some(true));
        last = l;
        if step["nats_remaining"].as_f64().is_some_and(|nats| nats < 1e-3) {
            // Both are within their 1e-3 nats of the same optimum, by an estimate that may be off by a small factor.
            assert!((l - whole).abs() < 5e-3, "{l} {whole}");
            let text = folder.run("describe model.json").ok().out;
            assert!(text.contains("distributed EM") && text.contains("nats remain"), "{text}");
            return;
        }
    }
    panic!("200 steps are not enough");
}

#[test]
fn one_step_is_an_iteration_of_fit() {
    for (flags, label) in [("", false), ("--label-column species", true)] {
        let folder = Folder::new();
        parts(&folder, label);
        let fit =
            format!("fit all.csv --init params=model.json --algorithm em --max-iter 1 {flags} --quiet --out one.json");
        folder.run(&fit).ok();
        let seed = model(&folder, "model.json").record.seed;
        iterate(&folder, flags);
        let (one, ours) = (model(&folder, "one.json"), model(&folder, "model.json"));
        assert_eq!((ours.record.seed, &ours.record.labels), (seed, &one.record.labels));
        assert_eq!(ours.record.status.kind, "iteration_limit");
        for k in 0..3 {
            // 150 terms of size about 1 in another order: 1e-14; 1e-12 is what is promised.
            assert!((one.model.weights()[k] - ours.model.weights()[k]).abs() < 1e-12);
            let (a, b) = (one.model.emission(), ours.model.emission());
            assert!(a.mean(k).iter().zip(b.mean(k)).all(|(x, y)| (x - y).abs() < 1e-12));
            assert!(a.covariance(k).iter().zip(b.covariance(k)).all(|(x, y)| (x - y).abs() < 1e-12));
        }
    }
}

#[test]
fn labels_go_by_name_and_not_by_their_order_in_a_part() {
    let folder = Folder::new();
    parts(&folder, true);
    let only = |text: &str, species: &str| {
        let (header, rows) = text.split_once('\n').unwrap();
        let kept: Vec<&str> = rows.lines().filter(|row| row.ends_with(species)).collect();
        (kept.len() as f64, format!("{header}\n{}\n", kept.join("\n")))
    };
    let labels = model(&folder, "model.json").record.labels;
    for (k, species) in labels.iter().enumerate() {
        let (n, text) = only(&folder.text("p2.csv"), species);
        folder.write("some.csv", text);
        let out = folder.run("estep model.json some.csv --label-column species --json").json();
        assert!((number(&out["counts"][k]) - n).abs() < 1e-12, "{species}: {}", out["counts"]);
    }
    folder.write("odd.csv", folder.text("p1.csv").replace("virginica", "martian"));
    folder.run("estep model.json odd.csv --label-column species").refused(3, &["odd.csv", "'martian'", &labels[2]]);
    folder.write("d.csv", two_components(60));
    folder.run("fit d.csv -k 2 --out m.json --quiet").ok();
    folder.run("estep m.json d.csv --label-column a").refused(2, &["m.json", "--label-column"]);
}

#[test]
fn weights_and_arrays_and_pipes() {
    let folder = Folder::new();
    folder.write("d.csv", two_components(90));
    folder.run("fit d.csv -k 2 --out m.json --quiet").ok();
    let score = folder.run("score m.json d.csv --json").json();
    let run = folder.run_with_input("estep m.json - --out -", two_components(90).as_bytes()).ok();
    folder.write("piped.json", &run.out);
    let whole = folder.run("merge piped.json --out w.stats.json --json").json();
    assert!((number(&whole["log_likelihood"]) / number(&score["log_likelihood"]) - 1.0).abs() < 1e-12);
    let doubled: String = two_components(90)
        .lines()
        .enumerate()
        .map(|(i, l)| format!("{l},{}\n", if i == 0 { "n" } else { "2" }))
        .collect();
    folder.write("w.csv", doubled);
    let twice = folder.run("estep m.json w.csv --weights-column n --json").json();
    assert!((number(&twice["log_likelihood"]) / number(&whole["log_likelihood"]) - 2.0).abs() < 1e-12);
    assert_eq!((number(&twice["total_weight"]), number(&twice["n_rows"])), (180.0, 90.0));
    assert_eq!(folder.names(), ["d.csv", "m.json", "piped.json", "w.csv", "w.stats.json"]);
    let one = folder.run("estep m.json d.csv --threads 1 --out -").ok().out;
    assert_eq!(one, folder.run("estep m.json d.csv --threads 2 --out -").ok().out);
}

#[test]
fn what_does_not_belong_together_is_refused_and_nothing_is_lost() {
    let folder = Folder::new();
    parts(&folder, false);
    folder.write("first.json", folder.text("model.json"));
    iterate(&folder, "");
    let (before, names) = (folder.text("model.json"), folder.names());
    // These are statistics of the model before the step.
    folder.run("mstep model.json all.stats.json --out model.json").refused(3, &["all.stats.json", "another model"]);
    folder.run("estep model.json p1.csv").ok();
    folder.run("merge p1.stats.json p2.stats.json --out x.json").refused(3, &["p2.stats.json", "another model"]);
    folder.run("merge p2.stats.json p3.stats.json p2.stats.json --out x.json").refused(3, &["p2.csv", "duplicates"]);
    folder.run("merge p2.stats.json all.stats.json --out x.json").refused(3, &["all.stats.json", "p2.csv"]);
    // A part is missing.
    folder.run("mstep model.json p1.stats.json").refused(3, &["p1.stats.json", "another data set", "150 rows in 3"]);
    folder.run("merge --out x.json").code.filter(|c| *c == 2).expect("nothing to merge is wrong use");
    folder.run("merge model.json --out x.json").refused(3, &["model.json", "a model"]);
    folder.run("mstep p1.stats.json p2.stats.json").refused(3, &["p1.stats.json", "not a model"]);
    folder.run("merge nowhere.json --out x.json").refused(4, &["nowhere.json"]);
    assert_eq!((folder.text("model.json"), folder.names()), (before, names));

    folder.write("d.csv", two_components(60));
    folder.run("estep model.json d.csv").refused(3, &["d.csv", "sepal_length"]);
    folder.run("fit d.csv -k 3 --covariance diag --out m.json --quiet").ok();
    folder.run("estep m.json d.csv --out m.stats.json").ok();
    folder.run("merge p1.stats.json m.stats.json --out x.json").refused(3, &["m.stats.json", "columns", "a, b"]);
    folder.run("mstep model.json m.stats.json").refused(3, &["m.stats.json", "a, b", "sepal_length"]);
    folder.write("far.csv", "a,b\n0.5,0.25\n1e200,3\n");
    folder.run("estep m.json far.csv").refused(3, &["far.csv", "row 2", "density"]);

    // Rows that another data set has.
    folder.run("estep model.json p2.csv --out only.stats.json").ok();
    let step = folder.run("mstep model.json only.stats.json --other-rows --out o.json --json").json();
    assert_eq!((number(&step["steps"]), step["gain"].is_null()), (1.0, true));
}

#[test]
fn damaged_and_later_files_are_refused() {
    let folder = Folder::new();
    parts(&folder, false);
    folder.run("estep model.json p1.csv --out s.json").ok();
    let text = folder.text("s.json");
    let merged = |content: &[u8], words: &[&str]| {
        folder.write("bad.json", content);
        folder.run("merge bad.json --out x.json").refused(3, &[&["bad.json"], words].concat());
        folder.run("mstep model.json bad.json").refused(3, &[&["bad.json"], words].concat());
    };
    merged(&text.as_bytes()[..text.len() / 2], &["not valid JSON"]);
    merged(b"", &["not a statistics file"]);
    merged(b"a,b\n1,2\n", &["not a statistics file"]);
    merged(b"\xff\xfe\0", &["not a statistics file"]);
    merged(text.replace("\"version\": 1", "\"version\": 2").as_bytes(), &["version 2", "update"]);
    let at = text.find("\"counts\"").unwrap() + text[text.find("\"counts\"").unwrap()..].find('.').unwrap() + 1;
    let mut flipped = text.clone().into_bytes();
    flipped[at] ^= 1;
    merged(&flipped, &["damaged", "checksum"]);
    merged(text.replace("\"n_rows\": 20", "\"n_rows\": 1e999").as_bytes(), &["damaged", "out of range"]);
    merged(text.replace("\"labels\": []", "\"labels\": [], \"more\": 1").as_bytes(), &["damaged", "more"]);
    assert!(!folder.names().contains(&"x.json".to_owned()));
}

#[test]
fn other_files_are_spared() {
    let folder = Folder::new();
    parts(&folder, false);
    folder.write("notes.txt", "mine");
    for (args, words) in [
        ("estep model.json p1.csv --out notes.txt", ["notes.txt", "left alone"]),
        ("estep model.json p1.csv --out model.json", ["model.json", "statistics"]),
        ("estep model.json p1.csv --out no/where.json", ["no", "folder"]),
        ("estep model.json p1.csv --out .", [".", "folder"]),
    ] {
        folder.run(args).refused(4, &words);
    }
    folder.run("estep model.json p1.csv").ok();
    folder.run("estep model.json p2.csv").ok();
    folder.run("merge p1.stats.json p2.stats.json --out p1.stats.json").refused(2, &["p1.stats.json", "read here"]);
    folder.run("mstep model.json p1.stats.json --out p1.stats.json").refused(4, &["p1.stats.json", "model"]);
    folder.run("mstep model.json p1.stats.json --out notes.txt").refused(4, &["notes.txt", "left alone"]);
    folder.run("mstep model.json p1.stats.json --out - --json").refused(2, &["--out"]);
    assert_eq!(folder.text("notes.txt"), "mine");
    let text = folder.run("mstep model.json p1.stats.json").ok().out;
    assert!(text.contains("log-likelihood") && text.contains("next.mixtura.json"), "{text}");
    let printed = folder.run("mstep model.json p1.stats.json --out -").ok().out;
    assert_eq!(printed, folder.text("next.mixtura.json"));
}

#[test]
fn help_has_examples() {
    let folder = Folder::new();
    for command in ["estep", "merge", "mstep"] {
        let help = folder.run(&format!("{command} --help")).ok().out;
        let examples = help.split("Examples:").nth(1).unwrap_or_default().matches("mixtura ").count();
        assert!((2..=6).contains(&examples), "{command}: {examples} examples");
    }
}

/// The page on spreading a fit says what works: its loop, run by a shell as it stands.
#[test]
#[cfg(unix)]
fn the_documented_loop_runs() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/distributed.md")).unwrap();
    let script = page.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    let folder = Folder::new();
    std::fs::copy(golden("iris.csv"), folder.path("data.csv")).unwrap();
    let bin = std::path::Path::new(env!("CARGO_BIN_EXE_mixtura")).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    let shell = Command::new("sh").args(["-eu", "-c", script]).current_dir(folder.path(".")).env("PATH", path).output();
    let shell = shell.unwrap();
    assert!(shell.status.success(), "{}", String::from_utf8_lossy(&shell.stderr));
    let ours = number(&folder.run("score model.json data.csv --json").json()["log_likelihood"]);
    let fit = "fit data.csv --init params=start.json --algorithm em --tolerance 1e-3 --json";
    let whole = number(&folder.run(fit).json()["log_likelihood"]);
    assert!((ours - whole).abs() < 5e-3, "{ours} {whole}");
}

#[test]
fn a_model_follows_a_stream_and_remembers() {
    let folder = Folder::new();
    folder.write("d.csv", two_components(400));
    folder.run("fit d.csv -k 2 --covariance full --out m.json --quiet").ok();
    // New rows, from the first component only: with a memory of 400 rows its weight grows to what all 440 rows say.
    let far = |line: &&str| line.split(',').map(|x| x.parse::<f64>().unwrap()).sum::<f64>() > 5.0;
    let text = two_components(400);
    let near: Vec<&str> = text.lines().skip(1).filter(|line| !far(line)).take(40).collect();
    folder.write("new.csv", format!("a,b\n{}\n", near.join("\n")));
    let before = model(&folder, "m.json");
    folder.run("estep m.json new.csv").ok();
    let out = folder.run("mstep m.json new.stats.json --model-rows 400 --out m.json --json").json();
    assert!(out["gain"].is_null() && out["status"]["detail"].as_str().unwrap().contains("counted as 400 rows"));
    let after = model(&folder, "m.json");
    let k = usize::from(before.model.weights()[1] > before.model.weights()[0]);
    let want = (400.0 * before.model.weights()[k] + 40.0) / 440.0;
    // The clusters are 7 standard deviations apart: a row's responsibilities are 0 and 1 to about 1e-3.
    assert!((after.model.weights()[k] - want).abs() < 1e-3, "{} {want}", after.model.weights()[k]);
    // The next rows of the stream need no leave, a negative memory gets none.
    folder.run("estep m.json d.csv").ok();
    assert!(folder.run("mstep m.json d.stats.json --model-rows 440").ok().out.contains("440 rows"));
    folder.run("mstep m.json d.stats.json --model-rows=-1").refused(2, &["-1"]);
}
