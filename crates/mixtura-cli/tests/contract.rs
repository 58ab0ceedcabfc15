//! What other programs rely on: the JSON object, the CSV of `predict`, the default model file, the same bits on any
//! number of threads.

mod common;

use common::{Folder, golden, npy, two_components};
use mixtura::persist::SavedModel;
use serde_json::Value;

#[track_caller]
fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn the_json_object_has_the_fields_of_the_contract() {
    let folder = Folder::new();
    let out = folder.run(&format!("fit {} -k 3 --covariance full --json", golden("iris.csv"))).json();
    let keys: Vec<&String> = out.as_object().unwrap().keys().collect();
    let mut want = [
        "model",
        "log_likelihood",
        "bic",
        "aic",
        "icl",
        "n_rows",
        "n_free_parameters",
        "status",
        "iterations",
        "certificate",
        "selection",
        "data",
    ];
    want.sort_unstable();
    let mut keys: Vec<&str> = keys.into_iter().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, want);

    let model = &out["model"];
    assert_eq!(model["n_components"], 3);
    assert_eq!(model["covariance"], "full");
    assert_eq!(model["columns"][3], "petal_width");
    assert_eq!(model["weights"].as_array().unwrap().len(), 3);
    assert_eq!(model["means"][2].as_array().unwrap().len(), 4);
    assert_eq!(model["covariances"][2][3].as_array().unwrap().len(), 4);

    let (l, p, n) = (number(&out["log_likelihood"]), number(&out["n_free_parameters"]), number(&out["n_rows"]));
    assert!(l >= -180.186, "{l}");
    assert_eq!((p, n), (44.0, 150.0));
    assert!((number(&out["bic"]) - (-2.0 * l + p * n.ln())).abs() < 1e-9);
    assert!((number(&out["aic"]) - (-2.0 * l + 2.0 * p)).abs() < 1e-9);
    assert!(number(&out["icl"]) > number(&out["bic"]));
    assert_eq!(out["status"]["kind"], "converged");
    assert!(out["status"]["detail"].is_string());
    assert!(out["iterations"].as_u64().unwrap() > 0);

    let certificate = &out["certificate"];
    assert_eq!(certificate["monotone"], true);
    assert!(number(&certificate["nats_remaining"]) < 1e-3);
    let restarts = certificate["restarts"].as_array().unwrap();
    assert!(certificate["restarts_at_best"].as_u64().unwrap() as usize <= restarts.len());
    let best = restarts.iter().map(number).fold(f64::NEG_INFINITY, f64::max);
    assert!((best - l).abs() < 0.1, "{best} {l}");
    let counts = certificate["components"].as_array().unwrap().iter().map(|c| {
        assert!(number(&c["condition_number"]) >= 1.0);
        assert_eq!(c["floor_active"], false);
        number(&c["effective_count"])
    });
    assert!((counts.sum::<f64>() - 150.0).abs() < 1e-9);

    assert_eq!(out["selection"].as_array().unwrap().len(), 1);
    assert_eq!(out["selection"][0]["bic"], out["bic"]);
    assert_eq!(out["data"]["missing_cells"], 0);
    assert_eq!(out["data"]["dropped_columns"][0], "species");
    let warnings = out["data"]["warnings"].as_array().unwrap();
    assert!(warnings.iter().any(|w| w.as_str().unwrap().contains("species")), "{warnings:?}");
    assert!(folder.names().is_empty(), "--json writes no model unless asked: {:?}", folder.names());
}

#[test]
fn faithful_reaches_the_published_optimum() {
    let folder = Folder::new();
    let out = folder.run(&format!("fit {} -k 2 --covariance full --json", golden("faithful.csv"))).json();
    assert!((number(&out["log_likelihood"]) + 1130.264).abs() < 1e-3, "{}", out["log_likelihood"]);
}

#[test]
fn every_candidate_is_listed_and_failed_ones_are_null_with_a_note() {
    let folder = Folder::new();
    folder.write("d.csv", "a,b\n0,1.5\n0,1.5\n1.5,7\n1.5,7\n9,3.5\n9,3.5\n4,4\n4,4\n");
    let out = folder.run("fit d.csv --covariance diag --json").json();
    let selection = out["selection"].as_array().unwrap();
    assert_eq!(selection.len(), 9, "1..9 includes 9");
    let least =
        selection.iter().filter(|c| !c["note"].as_str().unwrap().contains("floor")).filter_map(|c| c["bic"].as_f64());
    let least = least.fold(f64::INFINITY, f64::min);
    assert_eq!(number(&out["bic"]), least);
    for cell in selection.iter().filter(|c| c["n_components"].as_u64().unwrap() > 4) {
        for figure in ["bic", "icl", "aic", "log_likelihood"] {
            assert!(cell[figure].is_null(), "{cell}");
        }
        assert!(cell["note"].as_str().unwrap().contains("4 distinct rows"), "{cell}");
    }
}

#[test]
fn the_default_fit_chooses_explains_and_saves() {
    let folder = Folder::new();
    folder.write("d.csv", two_components(300));
    let run = folder.run("fit d.csv").ok();
    for words in
        ["2 components", "weight 0.667", "Converged", "restarts reached this optimum", "never fell", "d.mixtura.json"]
    {
        assert!(run.out.contains(words), "no {words:?} in\n{}", run.out);
    }
    assert!(run.out.contains("full, tied, diag and spherical"), "auto is explained:\n{}", run.out);
    assert!(run.out.lines().all(|line| line.chars().count() <= 80), "{}", run.out);
    assert!(run.err.starts_with("d.csv: 300 rows"), "{}", run.err);
    let saved = SavedModel::from_json(&folder.text("d.mixtura.json")).unwrap();
    assert_eq!(saved.columns, ["a", "b"]);
    assert_eq!(saved.record.data.fingerprint.len(), 64);
    // Once more over its own file, and into one of another name.
    folder.run("fit d.csv -k 1..2 --quiet").ok();
    let run = folder.run("fit d.csv -k 2 --quiet --out m.json").ok();
    assert_eq!((run.out.as_str(), run.err.as_str()), ("", ""));
    assert_eq!(folder.names(), ["d.csv", "d.mixtura.json", "m.json"]);
}

#[test]
fn standard_input_and_output() {
    let folder = Folder::new();
    let data = two_components(90);
    folder.run_with_input("fit - -k 2", data.as_bytes()).ok();
    assert_eq!(folder.names(), ["stdin.mixtura.json"]);
    let model = folder.run_with_input("fit - -k 2 --out -", data.as_bytes()).ok().out;
    assert_eq!(SavedModel::from_json(&model).unwrap().record.data.n_rows, 90);
    let labels = folder.run_with_input("predict stdin.mixtura.json -", data.as_bytes()).ok().out;
    assert_eq!(labels.lines().count(), 91);
}

#[test]
fn the_same_bits_on_any_number_of_threads() {
    let folder = Folder::new();
    folder.write("d.csv", two_components(5_000));
    for command in
        ["fit d.csv -k 1..3 --json --out m.json", "predict m.json d.csv --proba --log-density", "score m.json d.csv"]
    {
        let one = folder.run(&format!("{command} --threads 1")).ok().out;
        assert_eq!(one, folder.run(&format!("{command} --threads 2")).ok().out, "{command}");
        assert!(!one.is_empty());
    }
}

#[test]
fn predict_writes_one_line_per_row_in_order() {
    let folder = Folder::new();
    folder.write("d.csv", two_components(300));
    folder.run("fit d.csv -k 2 --out m.json").ok();
    // Columns in another order, one too many, a missing cell; one row is out of reach of every component.
    folder.write("new.csv", "z,b,a\nx,0.1,-0.2\ny,4.1,6.2\nz,,6.5\nx,1e200,1e200\n");
    let run = folder.run("predict m.json new.csv --proba --log-density").ok();
    let lines: Vec<Vec<&str>> = run.out.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(lines[0], ["component", "p0", "p1", "log_density"]);
    let components: Vec<&str> = lines[1..].iter().map(|line| line[0]).collect();
    assert_eq!(components[..3], ["0", "1", "1"], "the larger component is 0");
    for line in &lines[1..] {
        let p: f64 = line[1].parse::<f64>().unwrap() + line[2].parse::<f64>().unwrap();
        assert!((p - 1.0).abs() < 1e-12);
    }
    assert_eq!(lines[4][3], "-inf");
    assert_eq!(folder.run("predict m.json new.csv").ok().out, "component\n0\n1\n1\n0\n");
    folder.run("predict m.json new.csv --out p.csv").ok();
    assert_eq!(folder.text("p.csv"), "component\n0\n1\n1\n0\n");
}

#[test]
fn arrays_are_matched_by_position_and_headerless_text_by_its_numbers() {
    let folder = Folder::new();
    folder.write("d.csv", two_components(60));
    folder.run("fit d.csv -k 2 --out named.json").ok();
    folder.write("d.npy", npy(3, 2, &[0.0, 0.0, 6.0, 4.0, 1.0, 2.0]));
    let run = folder.run("predict named.json d.npy").ok();
    // The third row and its neighbours would be row numbers, were the columns not asked for.
    assert_eq!(run.out, "component\n0\n1\n0\n");
    assert!(run.err.contains("no column names"), "{}", run.err);
    folder.write("wide.npy", npy(2, 3, &[0.0, 0.5, 6.0, 4.0, 1.5, 2.0]));
    folder.run("predict named.json wide.npy").refused(3, &["wide.npy", "2 columns", "3"]);

    let bare: String = two_components(60).lines().skip(1).flat_map(|line| [line, "\n"]).collect();
    folder.write("bare.csv", bare);
    folder.run("fit bare.csv -k 2 --out bare.json").ok();
    folder.write("one.csv", "0.5,0.25\n6.5,4.5\n");
    assert_eq!(folder.run("predict bare.json one.csv").ok().out, "component\n0\n1\n");
}

#[test]
fn a_start_from_a_file_keeps_its_k_structure_and_order() {
    let folder = Folder::new();
    let data = golden("faithful.csv");
    folder.run(&format!("fit {data} -k 3 --covariance diag --out m.json")).ok();
    let json = folder.run(&format!("fit {data} -k 3 --covariance diag --json")).ok().out;
    folder.write("fit.json", &json);
    let model: Value = serde_json::from_str(&json).unwrap();
    folder.write("bare.json", model["model"].to_string());
    for start in ["m.json", "fit.json", "bare.json"] {
        let again = folder.run(&format!("fit {data} --init params={start} --json")).json();
        assert_eq!(again["model"]["covariance"], "diag");
        for c in 0..3 {
            let (a, b) = (number(&again["model"]["means"][c][0]), number(&model["model"]["means"][c][0]));
            assert!((a - b).abs() < 0.01, "{start}: {a} {b}");
        }
    }
    folder.run(&format!("fit {data} --init params=m.json -k 2")).refused(2, &["-k 2", "3 components"]);
    folder.run(&format!("fit {data} --init params=m.json --covariance full")).refused(2, &["full", "diag"]);
}

#[test]
fn labels_say_how_many_and_which() {
    let folder = Folder::new();
    let fit = format!("fit {} --label-column species --covariance full --json", golden("iris.csv"));
    let out = folder.run(&format!("{fit} --init labels --out m.json")).json();
    assert_eq!(out["model"]["n_components"], 3);
    let saved = SavedModel::from_json(&folder.text("m.json")).unwrap();
    assert_eq!(saved.record.labels, ["setosa", "versicolor", "virginica"]);
    // Component 0 is the first label, not the heaviest.
    assert!((number(&out["model"]["means"][0][2]) - 1.462).abs() < 1e-3);
    let out = folder.run(&fit).json();
    let ks: Vec<u64> =
        out["selection"].as_array().unwrap().iter().map(|c| c["n_components"].as_u64().unwrap()).collect();
    assert_eq!(ks, [3, 4, 5, 6, 7, 8, 9]);
    folder.run(&format!("{fit} -k 2")).refused(3, &["iris.csv", "3 components", "2"]);
    folder.run(&format!("fit {} --init labels", golden("iris.csv"))).refused(2, &["--label-column"]);
}
