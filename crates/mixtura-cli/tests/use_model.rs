//! Questions to a saved model through the command: marginals, conditionals, regression, densities, imputation, anomalies,
//! merged components, agreement with labels, and what each refuses.

mod common;

use common::{Folder, golden, two_components};
use mixtura::persist::SavedModel;
use serde_json::Value;

/// A folder with a model of columns x, y (two components, correlated) and x alone, and some rows.
fn folder() -> Folder {
    let folder = Folder::new();
    let parameters = r#"{"n_components": 2, "covariance": "full", "columns": ["x", "y"], "weights": [0.75, 0.25],
        "means": [[0, 1], [10, -5]], "covariances": [[[1, 0.5], [0.5, 2]], [[4, 0], [0, 1]]]}"#;
    folder.write("p.json", parameters);
    let start = mixtura::persist::Parameters::build(&serde_json::from_str(parameters).unwrap()).unwrap();
    let saved = SavedModel { model: start, columns: vec!["x".into(), "y".into()], record: Default::default() };
    let made = saved.derive(saved.model.clone(), saved.columns.clone(), "written by hand".into());
    folder.write("m.json", made.to_json());
    folder.run("marginal m.json --columns x --out x.json").ok();
    folder.write("d.csv", "x,y,class\n0,1,u\n10,-5,v\n,1.5,u\n0.5,,u\n,,v\n");
    folder
}

/// Cells of a CSV, header included.
fn cells(text: &str) -> Vec<Vec<String>> {
    text.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

fn numbers(text: &str) -> Vec<Vec<f64>> {
    cells(text)[1..].iter().map(|row| row.iter().map(|c| c.parse().unwrap()).collect()).collect()
}

#[track_caller]
fn near(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-9 * b.abs().max(1.0), "{a} {b}");
}

#[test]
fn marginals_are_models_that_say_what_they_are() {
    let folder = folder();
    let saved = SavedModel::from_json(&folder.text("x.json")).unwrap();
    assert_eq!((saved.columns.as_slice(), saved.record.status.kind.as_str()), (&["x".to_owned()][..], "derived"));
    assert_eq!(saved.model.emission().covariance(1), [4.0]);
    let text = folder.run("describe x.json").ok().out;
    assert!(text.contains("made from") && text.contains("marginal of 1 of 2 columns"), "{text}");
    assert!(!text.contains("log-likelihood") && !text.contains("never fell"), "{text}");
    assert_eq!(folder.run("marginal m.json --columns x").ok().out, folder.text("x.json"));
    let turned = folder.run("marginal m.json --columns y,x").ok().out;
    assert_eq!(SavedModel::from_json(&turned).unwrap().columns, ["y", "x"]);
    folder.run("sample x.json -n 3").ok();
}

#[test]
fn conditions_are_those_of_the_textbook() {
    let folder = folder();
    let out = folder.run("condition m.json --given x=2 --json --out c.json").json();
    // Component 0: mean 1 + 0.5 · 2, variance 2 − 0.25; weights ∝ 0.75 N(2; 0, 1), 0.25 N(2; 10, 4).
    let (a, b) = (0.75 * (-2.0_f64).exp(), 0.25 * 0.5 * (-8.0_f64).exp());
    let w = a / (a + b);
    let mean = w * 2.0 + (1.0 - w) * -5.0;
    let variance = w * (1.75 + (2.0 - mean) * (2.0 - mean)) + (1.0 - w) * (1.0 + (-5.0 - mean) * (-5.0 - mean));
    let y = &out["columns"][0];
    assert_eq!(y["name"], "y");
    near(y["mean"].as_f64().unwrap(), mean);
    near(y["sd"].as_f64().unwrap(), variance.sqrt());
    near(out["model"]["weights"][0].as_f64().unwrap(), w);
    near(out["log_density_of_given"].as_f64().unwrap(), (a + b).ln() - 0.5 * std::f64::consts::TAU.ln());
    // Saved and asked again, the interval is that of the quantiles.
    let q = numbers(&folder.run("density c.json --quantile 0.025,0.975").ok().out);
    near(q[0][1], y["low"].as_f64().unwrap());
    near(q[1][1], y["high"].as_f64().unwrap());
    let text = folder.run("condition m.json --given x=2").ok().out;
    assert!(text.contains("given x = 2") && text.contains("95 % interval"), "{text}");
    folder.run("condition m.json --given x=-2.5e0 --interval 0.5").ok();
    for (given, word) in [("x=nan", "finite"), ("x=inf", "finite"), ("x=", "finite"), ("x", "NAME=VALUE")] {
        let run = folder.run(&format!("condition m.json --given {given}"));
        assert!(run.code == Some(2) && run.err.contains(word), "{given}: {}", run.err);
    }
    folder.run("condition m.json --given z=1").refused(2, &["'z'", "x, y"]);
    folder.run("condition m.json --given x=1,x=2").refused(2, &["'x'", "twice"]);
    folder.run("condition m.json --given x=1,y=2").refused(2, &["none is left"]);
    folder.run("condition m.json --given x=1e200").refused(3, &["m.json", "far"]);
    folder.run("condition m.json --given x=1 --out m.json").refused(2, &["m.json", "read"]);
    folder.run("condition m.json --given x=1 --out d.csv").refused(4, &["d.csv", "not a mixtura model"]);
}

#[test]
fn regression_predicts_row_by_row() {
    let folder = folder();
    folder.write("given.csv", "x\n2\n\n10\n1e200\n");
    let run = folder.run("regress m.json given.csv --target y --interval 0.9 --draws 2 --seed 3").ok();
    let table = cells(&run.out);
    assert_eq!(table[0].join(","), "y_mean,y_sd,y_low,y_high,y_draw1,y_draw2");
    let rows = numbers(&run.out);
    let c = folder.run("condition m.json --given x=2 --interval 0.9 --json").json();
    for (place, field) in ["mean", "sd", "low", "high"].iter().enumerate() {
        near(rows[0][place], c["columns"][0][*field].as_f64().unwrap());
    }
    assert!(run.err.contains("1 row so far out"), "{}", run.err);
    assert_eq!(
        folder.run("regress m.json given.csv --target y --interval 0.9 --draws 2 --seed 3 --threads 1").ok().out,
        run.out
    );
    assert_ne!(folder.run("regress m.json given.csv --target y --interval 0.9 --draws 2 --seed 4").ok().out, run.out);
    // Missing given cells are integrated out: the marginal of y.
    folder.write("none.csv", "x,y\n,3\n5,3\n");
    let none = folder.run("regress m.json none.csv --target y").ok();
    near(numbers(&none.out)[0][0], 0.75 - 0.25 * 5.0);
    assert!(none.err.contains("1 row without any known cell"), "{}", none.err);
    folder.run("regress m.json given.csv --target z").refused(2, &["'z'"]);
    folder.run("regress m.json given.csv --target x,y").refused(2, &["at least one"]);
    folder.run("regress m.json given.csv --target x").refused(3, &["given.csv", "y"]);
    for interval in ["0", "1", "-1", "2", "nan"] {
        assert_eq!(folder.run(&format!("regress m.json given.csv --target y --interval={interval}")).code, Some(2));
    }
}

#[test]
fn densities_answer_one_question_at_a_time() {
    let folder = folder();
    let at = numbers(&folder.run("density m.json --column x --at -1,0,10").ok().out);
    let normal = |x: f64, m: f64, s: f64| (-0.5 * ((x - m) / s).powi(2)).exp() / s / std::f64::consts::TAU.sqrt();
    near(at[1][1], 0.75 * normal(0.0, 0.0, 1.0) + 0.25 * normal(0.0, 10.0, 2.0));
    near(at[2][4], 0.25 * normal(10.0, 10.0, 2.0));
    assert_eq!(
        folder.run("density x.json --at -1,0,10").ok().out,
        folder.run("density m.json --column x --at -1,0,10").ok().out
    );
    let q = numbers(&folder.run("density x.json --quantile 1e-100,0.5,0.999").ok().out);
    for row in &q {
        let back = numbers(&folder.run(&format!("density x.json --cdf {:e}", row[1])).ok().out);
        assert!((back[0][1] / row[0] - 1.0).abs() < 1e-10, "{row:?}");
        near(back[0][1] + back[0][2], 1.0);
    }
    let hdr = numbers(&folder.run("density x.json --hdr 0.5,0.9").ok().out);
    assert!(hdr.len() >= 3 && hdr.iter().all(|row| row[1] < row[2]), "{hdr:?}");
    let boundaries = cells(&folder.run("density x.json --boundaries").ok().out);
    assert_eq!(boundaries[0].join(","), "component,from,to");
    // The wider component wins on both sides.
    assert_eq!((boundaries.len(), boundaries[1][1].as_str(), boundaries[3][2].as_str()), (4, "-inf", "inf"));
    let json = folder.run("density x.json --boundaries --json").json();
    assert_eq!((json[0]["from"].clone(), json[1]["component"].as_f64()), (Value::Null, Some(0.0)));
    // Grids hold all but 2e-4 of the mass, on each axis.
    let grid = numbers(&folder.run("density x.json --grid 2001").ok().out);
    let mass: f64 = grid.iter().map(|row| row[1]).sum::<f64>() * (grid[1][0] - grid[0][0]);
    assert!((mass - 0.9998).abs() < 2e-5, "{mass}");
    folder.run("density m.json --grid 150 --out g.csv").ok();
    let surface = numbers(&folder.text("g.csv"));
    assert_eq!((surface.len(), folder.text("g.csv").lines().next()), (22_500, Some("x,y,density,log_density")));
    let cell = (surface[1][1] - surface[0][1]) * (surface[150][0] - surface[0][0]);
    let mass: f64 = surface.iter().map(|row| row[2]).sum::<f64>() * cell;
    assert!((0.999..1.0).contains(&mass), "{mass}");
    folder.run("density m.json --at 0").refused(2, &["one column", "--column"]);
    folder.run("density m.json --column z --at 0").refused(2, &["'z'"]);
    folder.run("density x.json --grid 1").refused(2, &["--grid 1"]);
    folder.run("density m.json --grid 100000").refused(2, &["--grid 100000"]);
    for bad in ["", "--at nan", "--quantile 0", "--hdr 1", "--quantile=-1", "--at 0 --boundaries", "--grid x"] {
        assert_eq!(folder.run(&format!("density x.json {bad}")).code, Some(2), "{bad}");
    }
}

#[test]
fn imputation_fills_what_is_missing_and_nothing_else() {
    let folder = folder();
    let run = folder.run("impute m.json d.csv").ok();
    let rows = numbers(&run.out);
    assert_eq!((run.out.lines().next(), rows.len()), (Some("x,y"), 5));
    assert_eq!((rows[0].as_slice(), rows[1][1], rows[2][1], rows[3][0]), (&[0.0, 1.0][..], -5.0, 1.5, 0.5));
    let c = folder.run("condition m.json --given x=0.5 --json").json();
    near(rows[3][1], c["columns"][0]["mean"].as_f64().unwrap());
    near(rows[4][0], 2.5);
    assert!(run.err.contains("4 cells filled") && run.err.contains("1 row without"), "{}", run.err);
    let draw = folder.run("impute m.json d.csv --draw --seed 1").ok().out;
    assert_eq!(folder.run("impute m.json d.csv --draw --seed 1 --threads 1").ok().out, draw);
    assert_ne!(folder.run("impute m.json d.csv --draw --seed 2").ok().out, draw);
    assert_eq!(folder.run("impute m.json d.csv --seed 2").code, Some(2));
    folder.write("other.csv", "x,z\n1,2\n");
    folder.run("impute m.json other.csv").refused(3, &["other.csv", "y"]);
    folder.run("impute m.json d.csv --out d.csv").refused(2, &["d.csv"]);
}

#[test]
fn anomalies_have_a_known_false_positive_rate() {
    let folder = folder();
    folder.run("sample m.json -n 1999 --seed 1 --out held.csv").ok();
    folder.run("sample m.json -n 5000 --seed 2 --out new.csv").ok();
    let run = folder.run("anomaly m.json new.csv --calibrate held.csv --rate 0.05").ok();
    assert_eq!((run.out.lines().next(), run.out.lines().count()), (Some("score,is_anomaly"), 5001));
    assert!(run.err.contains("expected false-positive rate 0.05"), "{}", run.err);
    let out = folder.run("anomaly m.json new.csv --calibrate held.csv --rate 0.05 --json --out s.csv").json();
    assert_eq!(folder.text("s.csv"), run.out);
    let flagged = out["n_anomalies"].as_f64().unwrap();
    assert_eq!(flagged, run.out.lines().filter(|line| line.ends_with(",1")).count() as f64);
    // Beta(100, 1900) and the binomial error of 5,000 rows: sd √(0.0049² + 0.0031²) = 0.0058; four of them.
    assert!((flagged / 5000.0 - 0.05).abs() < 4.0 * 0.0058, "{flagged}");
    assert!(out["false_positive_rate_interval"][0].as_f64().unwrap() < 0.05);
    // Without held-out rows: the share of the file, to the row, and no rate.
    let own = folder.run("anomaly m.json new.csv --rate 0.01 --json").json();
    assert_eq!((own["n_anomalies"].as_f64(), own["expected_false_positive_rate"].clone()), (Some(50.0), Value::Null));
    assert!(folder.run("anomaly m.json new.csv").ok().err.contains("most unusual 1 % of this file"));
    // The score is −log density.
    let scores = folder.run("anomaly m.json d.csv --rate 0.5").ok().out;
    let densities = folder.run("predict m.json d.csv --log-density").ok().out;
    for (s, p) in cells(&scores)[1..].iter().zip(&cells(&densities)[1..]) {
        assert_eq!(s[0].parse::<f64>().unwrap(), -p[1].parse::<f64>().unwrap());
    }
    assert!(
        folder
            .run("anomaly m.json new.csv --calibrate d.csv --rate 0.5")
            .ok()
            .err
            .contains("3 rows of d.csv with missing")
    );
    for rate in ["0", "1", "-1", "nan", "2"] {
        assert_eq!(folder.run(&format!("anomaly m.json new.csv --rate={rate}")).code, Some(2), "{rate}");
    }
    folder.run("anomaly m.json new.csv --calibrate d.csv").refused(3, &["d.csv", "5 held-out rows are too few", "99"]);
    folder.run("anomaly m.json d.csv").refused(3, &["d.csv", "--rate"]);
    folder.write("empty.csv", "x,y\n");
    folder.run("anomaly m.json new.csv --calibrate empty.csv").refused(3, &["empty.csv"]);
    folder.run("anomaly m.json new.csv --calibrate nowhere.csv").refused(4, &["nowhere.csv"]);
    folder.run("anomaly m.json new.csv --out new.csv").refused(2, &["new.csv"]);
}

#[test]
fn components_are_combined() {
    let folder = Folder::new();
    folder.write("d.csv", two_components(600));
    folder.run("fit d.csv -k 3 --covariance full --out m.json").ok();
    for args in ["", "d.csv "] {
        let out = folder.run(&format!("combine m.json {args}-k 2 --json --out c.json")).json();
        assert_eq!((out["groups"].as_array().unwrap().len(), out["steps"].as_array().unwrap().len()), (3, 1));
        let merged = SavedModel::from_json(&folder.text("c.json")).unwrap();
        assert_eq!(merged.model.weights().len(), 2);
        assert!(merged.record.status.detail.contains("3 components merged into 2"));
    }
    let text = folder.run("combine m.json -k 1").ok().out;
    assert!(text.contains("group 0") && text.contains("components 0, 1, 2"), "{text}");
    folder.run("combine m.json d.csv -k 2 --keep-components --out l.json").ok();
    let labelled = folder.run("predict l.json d.csv").ok().out;
    assert!(labelled.starts_with("component,label\n") && labelled.contains(",group 1"), "{}", &labelled[..80]);
    assert_eq!(
        folder.run("combine m.json -k 2 --json --threads 1").ok().out,
        folder.run("combine m.json -k 2 --json").ok().out
    );
    folder.run("combine m.json -k 4").refused(2, &["-k 4", "1 to 3"]);
    folder.run("combine m.json -k 0").refused(2, &["-k 0"]);
    folder.run("combine m.json d.csv -k 2 --out d.csv").refused(2, &["d.csv"]);
}

#[test]
fn components_are_compared_with_labels() {
    let folder = folder();
    let iris = golden("iris.csv");
    let label = std::fs::read_to_string(&iris).unwrap().lines().next().unwrap().rsplit(',').next().unwrap().to_owned();
    folder.run(&format!("fit {iris} -k 3 --covariance full --out iris.json")).ok();
    let out = folder.run(&format!("compare iris.json {iris} --label-column {label} --json")).json();
    // The best full mixture of iris has 5 of 150 rows off (mclust's VVV: adjusted Rand 0.904).
    near(out["matched_error"].as_f64().unwrap(), 5.0 / 150.0);
    assert!((out["adjusted_rand"].as_f64().unwrap() - 0.904).abs() < 5e-4, "{out}");
    let text = folder.run(&format!("compare iris.json {iris} --label-column {label}")).ok().out;
    assert!(text.contains("(5 of 150)") && text.contains("setosa"), "{text}");
    let run = folder.run("compare m.json d.csv --label-column class --json").ok();
    assert_eq!(serde_json::from_str::<Value>(&run.out).unwrap()["labels"][1], "v");
    folder.run("compare m.json d.csv --label-column z").refused(3, &["d.csv", "\"z\""]);
    folder.write("one.csv", "x,y,c\n0,1,u\n10,-5,u\n1,1,\n");
    let one = folder.run("compare m.json one.csv --label-column c").ok();
    assert!(one.err.contains("one label only") && one.err.contains("1 row without a label"), "{}", one.err);
    folder.write("none.csv", "x,y,c\n0,1,\n10,-5,\n");
    folder.run("compare m.json none.csv --label-column c").refused(3, &["none.csv", "'c'"]);
    folder.write("w.csv", "x,y,c,n\n0,1,u,3\n10,-5,v,2\n9,-5,u,0\n");
    let weighted = folder.run("compare m.json w.csv --label-column c --weights-column n --json").json();
    assert_eq!((weighted["total_weight"].as_f64(), weighted["matched_error"].as_f64()), (Some(5.0), Some(0.0)));
}

#[test]
fn predictions_tell_distances_labels_and_rows_far_out() {
    let folder = folder();
    folder.write("far.csv", "x,y\n2,1\n1e200,0\n,3\n");
    let run = folder.run("predict m.json far.csv --distance").ok();
    let rows = cells(&run.out);
    assert_eq!(rows[0].join(","), "component,distance");
    // δᵀ Σ⁻¹ δ with δ = (2, 0), Σ = [1 ½; ½ 2]: 4 · 2 / 1.75; of y alone: 2 / √2.
    near(rows[1][1].parse().unwrap(), (8.0_f64 / 1.75).sqrt());
    near(rows[3][1].parse().unwrap(), 2.0 / 2.0_f64.sqrt());
    folder.write("nothing.csv", "x,y\n,\n0,1\n");
    assert_eq!(folder.run("predict m.json nothing.csv --distance").ok().out, "component,distance\n0,0\n0,0\n");
    assert!(run.err.contains("1 row is so far out"), "{}", run.err);
    folder.write("l.csv", "x,c\n0,a\n0.5,a\n0.2,a\n9,\n9.5,\n9.9,\n");
    folder.run("fit l.csv -k 2 --columns x --label-column c --out l.json").ok();
    let text = folder.run("predict l.json l.csv").ok().out;
    assert!(text.starts_with("component,label\n0,a\n") && text.ends_with("1,\n"), "{text}");
}

#[test]
fn results_are_the_same_on_any_number_of_threads() {
    let folder = folder();
    // Three chunks, every seventh cell missing.
    let sample = folder.run("sample m.json -n 10000 --seed 5").ok().out;
    let holes = |(i, line): (usize, &str)| match (i > 0 && i % 7 == 0, line.split_once(',')) {
        (true, Some((_, y))) => format!(",{y}\n"),
        _ => format!("{line}\n"),
    };
    folder.write("h.csv", sample.lines().enumerate().map(holes).collect::<String>());
    for command in [
        "regress m.json h.csv --target y --draws 1",
        "impute m.json h.csv --draw",
        "anomaly m.json h.csv",
        "predict m.json h.csv --distance",
        "combine m.json h.csv -k 1 --json",
    ] {
        let one = folder.run(&format!("{command} --threads 1")).ok().out;
        assert_eq!(folder.run(&format!("{command} --threads 3")).ok().out, one, "{command}");
        assert!(one.lines().count() == 10_001 || command.starts_with("combine"), "{command}");
    }
}

#[test]
fn help_has_examples() {
    let folder = Folder::new();
    for command in ["marginal", "condition", "regress", "density", "impute", "anomaly", "combine", "compare"] {
        let help = folder.run(&format!("{command} --help")).ok().out;
        let examples = help.split("Examples:").nth(1).unwrap_or_default().matches("mixtura ").count();
        assert!((2..=6).contains(&examples), "{command}: {examples} examples");
        let run = folder.run(&format!("{command} nowhere.json"));
        assert!(run.code == Some(2) || run.code == Some(4), "{command}: {:?}", run.code);
    }
}

#[test]
fn what_lies_outside_of_what_is_known_is_told() {
    let folder = folder();
    let far = folder.run("condition m.json --given x=400").ok();
    assert!(far.err.contains("extrapolates"), "{}", far.err);
    assert!(!folder.run("condition m.json --given x=2").ok().err.contains("extrapolates"));
    folder.write("t.csv", two_components(300));
    folder.run("fit t.csv -k 2 --covariance full --quiet --out t.json").ok();
    let same = folder.run("anomaly t.json t.csv --calibrate t.csv --rate 0.05 --out a.csv").ok();
    assert!(same.err.contains("the very rows that the model was fitted to"), "{}", same.err);
}

#[test]
fn groups_of_components_are_compared_as_groups() {
    let folder = Folder::new();
    let data = golden("iris.csv");
    folder.run(&format!("fit {data} -k 4 --covariance full --quiet --out four.json")).ok();
    folder.run(&format!("combine four.json -k 2 {data} --keep-components --out groups.json")).ok();
    let compared = folder.run(&format!("compare groups.json {data} --label-column species --json")).json();
    // As many columns with rows in them as there are groups.
    let table: Vec<Vec<f64>> = serde_json::from_value(compared["table"].clone()).unwrap();
    let used = (0..4).filter(|&c| table.iter().any(|row| row[c] > 0.0)).count();
    assert_eq!(used, 2, "{table:?}");
}

#[test]
fn files_of_mixturas_own_are_not_overwritten_by_rows() {
    let folder = folder();
    let before = folder.text("x.json");
    for command in
        ["predict m.json d.csv", "impute m.json d.csv", "sample m.json -n 3", "anomaly m.json d.csv --rate 0.5"]
    {
        folder.run(&format!("{command} --out x.json")).refused(4, &["x.json", "model file"]);
        folder.run(&format!("{command} --out no/x.csv")).refused(4, &["no folder"]);
    }
    assert_eq!(folder.text("x.json"), before);
}

#[test]
fn models_come_from_standard_input_too() {
    let folder = folder();
    let text = folder.text("m.json");
    assert_eq!(folder.run_with_input("describe - --json", text.as_bytes()).ok().out, text);
    folder.run_with_input("describe -", b"x,y\n1,2\n").refused(3, &["not a JSON object"]);
}
