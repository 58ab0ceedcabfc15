//! `mixtura teach`: every lesson's numbers against golden values, which other programs made.

mod common;

use common::{Folder, golden};
use serde_json::Value;

/// A golden case of the repository.
fn case(name: &str) -> Value {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../golden/cases/{name}.json"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// An item of a case of items.
fn item(of: &str, name: &str) -> Value {
    let all = case(of);
    let items = all["items"].as_array().or_else(|| all["input"]["items"].as_array()).unwrap();
    items.iter().find(|i| i["name"] == name).unwrap_or_else(|| panic!("no item {name}")).clone()
}

fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        Value::Null => vec![f64::NAN],
        other => vec![other.as_f64().unwrap()],
    }
}

/// Columns of a table of the lesson, row by row.
fn columns(table: &Value, names: &[&str]) -> Vec<f64> {
    let rows = table.as_array().unwrap();
    rows.iter().flat_map(|row| names.iter().map(|n| numbers(&row[*n])[0]).collect::<Vec<_>>()).collect()
}

/// The same of the last step.
fn last(lesson: &Value, names: &[&str]) -> Vec<f64> {
    let all = columns(&lesson["steps"], names);
    all[all.len() - names.len()..].to_vec()
}

#[track_caller]
fn close(what: &str, got: &[f64], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        assert!((g - w).abs() <= tolerance, "{what}[{i}]: {g}, want {w}");
    }
}

fn lesson(args: &str) -> Value {
    Folder::new().run(&format!("teach {args} --json")).json()
}

/// One column of numbers as a CSV file.
fn csv(head: &str, values: &[f64], columns: usize) -> String {
    let rows = values.chunks(columns).map(|row| row.iter().map(f64::to_string).collect::<Vec<_>>().join(","));
    [head.to_owned()].into_iter().chain(rows).collect::<Vec<_>>().join("\n") + "\n"
}

#[test]
fn coins_as_the_paper_has_them() {
    let want = &item("textbook", "coin_do_batzoglou_2008")["expected"];
    let got = lesson("coins");
    // Tolerances here and below are the items' own.
    close("path", &columns(&got["steps"], &["theta_A", "theta_B"]), &numbers(&want["path_0_to_10"]), 1e-12);
    let path = columns(&got["steps"], &["log_likelihood"]);
    close("log-likelihoods", &path[..10], &numbers(&want["loglik_path_without_binomial_coef"]), 1e-12);
    for (column, name) in
        [("P_A", "iter1_resp_A"), ("heads_A", "iter1_expected_heads_A"), ("tails_A", "iter1_expected_tails_A")]
    {
        close(name, &columns(&got["first_e_step"], &[column])[..5], &numbers(&want[name]), 1e-12);
    }
    let long = lesson("coins --iterations 60");
    close("limit", &last(&long, &["theta_A", "theta_B"]), &numbers(&want["converged"]), 1e-12);
    assert!(got["remarks"].to_string().contains("early stop"));
}

#[test]
fn coins_with_free_weights() {
    let want = &item("textbook", "coin_free_mixing_weights")["expected"];
    let got = lesson("coins --free-mixing --iterations 3000");
    close("theta", &last(&got, &["theta_A", "theta_B"]), &numbers(&want["theta"]), 1e-9);
    close("weights", &last(&got, &["weight_A", "weight_B"]), &numbers(&want["weights"]), 1e-9);
    close("log-likelihood", &last(&got, &["log_likelihood"]), &numbers(&want["loglik"]), 1e-9);
}

#[test]
fn moths_and_their_published_slip() {
    let want = &item("incomplete_data", "peppered_moth")["expected"];
    let (got, p) = (lesson("moths"), ["p_C", "p_I", "p_T"]);
    close("path", &columns(&got["steps"], &p), &numbers(&want["path_0_to_10"]), 1e-12);
    close("limit", &last(&lesson("moths --iterations 40"), &p), &numbers(&want["mle"]), 1e-12);
    let text = Folder::new().run("teach moths").ok().out;
    assert!(text.contains("0.1738 and 0.7553") && text.contains("0.07083691"), "{text}");
}

#[test]
fn linkage_path() {
    let want = &item("incomplete_data", "dlr_linkage")["expected"];
    close("path", &columns(&lesson("linkage")["steps"], &["theta"]), &numbers(&want["path"]), 1e-12);
    close("limit", &last(&lesson("linkage --iterations 40"), &["theta"]), &numbers(&want["mle"]), 1e-12);
}

#[test]
fn abo_by_its_equations() {
    let (want, p) = (&case("teach")["expected"]["abo"], ["p_A", "p_B", "p_O"]);
    // A dozen roundings per iteration.
    close("path", &columns(&lesson("abo")["steps"], &p), &numbers(&want["path"]), 1e-13);
    // Newton's method with differences ends within 1e-10 of the root.
    close("limit", &last(&lesson("abo --iterations 60"), &p), &numbers(&want["mle"]), 1e-9);
}

#[test]
fn a_table_of_phenotypes_of_ones_own() {
    let folder = Folder::new();
    folder.write("abo.csv", "phenotype,genotypes,count\nA,AA|AO,186\nB,BB|BO,38\nAB,AB,13\nO,OO,284\n");
    let own = folder.run("teach moths abo.csv --start 0.3,0.5,0.2 --json").json();
    // Alleles are numbered as they appear: A, O, B.
    let want = last(&lesson("abo --iterations 10"), &["p_A", "p_O", "p_B"]);
    close("own table", &last(&own, &["p_A", "p_O", "p_B"]), &want, 1e-14);
    folder.write("bad.csv", "A,AA|AO,186\nB,BB|BO,x\n");
    folder.run("teach abo bad.csv").refused(3, &["bad.csv", "line 2", "whole number"]);
}

#[test]
fn censored_lifetimes() {
    let want = &item("incomplete_data", "progressively_censored_extreme_value")["expected"];
    let (got, names) = (lesson("censored"), ["mu", "sigma", "log_likelihood"]);
    let path = columns(&got["steps"], &names);
    let published = numbers(&want["exact_em_path_first12"]);
    close("path", &path[..published.len()], &published, 1e-7);
    close("limit", &last(&lesson("censored --iterations 250"), &names[..2]), &numbers(&want["mle"]), 1e-7);
}

#[test]
fn probit_of_beetles() {
    let want = &case("teach")["expected"]["probit"];
    let got = lesson("probit --iterations 3000");
    // The intercept is some 35 and correlated with the slope: 1e-7 is 3e-9 of it.
    close("limit", &last(&got, &["intercept", "log_dose"]), &numbers(&want["mle"]), 1e-7);
    close("log-likelihood", &last(&got, &["log_likelihood"]), &numbers(&want["loglik"]), 1e-9);
}

#[test]
fn probit_of_admissions() {
    // The file may not be redistributed; where the reference folder lies beside the repository it is read.
    let path =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/golden/data/binary_ucla_orig.csv");
    let Ok(path) = path.canonicalize() else {
        println!("passed over: binary_ucla_orig.csv is not part of this repository");
        return;
    };
    let want = &item("incomplete_data", "probit_em_ucla")["expected"];
    let names = ["intercept", "gre", "gpa", "rank"];
    for (iterations, name) in [(1, "after1"), (5, "after5"), (20, "after20"), (120, "mle")] {
        let got = lesson(&format!("probit {} --iterations {iterations}", path.display()));
        close(name, &last(&got, &names), &numbers(&want[name]["beta"]), 1e-8);
        close(name, &last(&got, &["log_likelihood"]), &numbers(&want[name]["loglik"]), 1e-9);
    }
}

#[test]
fn missing_cells_reach_the_closed_form() {
    let want = &case("teach")["expected"]["missing"];
    let got = lesson("missing --iterations 300");
    // Anderson's closed form; squares of up to 625 are summed: 1e-11 is some hundred roundings.
    close("limit", &last(&got, &["mean_x", "mean_y", "var_x", "cov_xy", "var_y"]), &numbers(&want["mle"]), 1e-11);
    close("filled", &last(&got, &["y_9", "y_10"]), &numbers(&want["filled"]), 1e-11);
}

const LINES: [&str; 8] = ["weight_A", "weight_B", "intercept_A", "slope_A", "intercept_B", "slope_B", "sd_A", "sd_B"];

#[test]
fn lines_step_by_step() {
    let want = &case("teach")["expected"]["lines"];
    let got = lesson("lines");
    // The script sums with fsum; differences of some roundings grow with the iterations, by 100 at most here.
    close("path", &columns(&got["steps"], &LINES), &numbers(&want["path"]), 1e-11);
    close("log-likelihoods", &columns(&got["steps"], &["log_likelihood"]), &numbers(&want["loglik_path"]), 1e-10);
    close("limit", &last(&lesson("lines --iterations 500"), &LINES), &numbers(&want["mle"]), 1e-9);
    let own = lesson(&format!("lines {} --start 0,1,8,0,2 --iterations 15", golden("two_lines.csv")));
    assert_eq!(own["steps"], got["steps"]);
}

#[test]
fn curves_are_lines_in_the_squares_too() {
    let want = &case("regression_mixture")["expected"]["curves"];
    let folder = Folder::new();
    let text = std::fs::read_to_string(golden("regression_curves.csv")).unwrap();
    let rows = text.lines().skip(1).flat_map(|line| {
        let (x, y) = line.split_once(',').unwrap();
        let x: f64 = x.parse().unwrap();
        [x, x * x, y.parse().unwrap()]
    });
    folder.write("curves.csv", csv("x,square,y", &rows.collect::<Vec<_>>(), 3));
    let got = folder.run("teach lines curves.csv --iterations 1500 --json").json();
    close("log-likelihood", &last(&got, &["log_likelihood"]), &numbers(&want["loglik"]), 1e-8);
}

#[test]
fn one_dimension_both_readings_of_the_start() {
    let item = item("textbook", "gm1d_10_iterations");
    let names = ["weight", "mean", "sd"].map(|n| ["A", "B", "C"].map(|c| format!("{n}_{c}"))).concat();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for (args, name) in
        [("gmm1d", "correct_em_10_scale_as_variance"), ("gmm1d --start=-8,8,5,5,3,1", "correct_em_10_scale_as_sd")]
    {
        let (got, want) = (lesson(args), &item["expected"][name]);
        let limit = [numbers(&want["weights"]), numbers(&want["means"]), numbers(&want["sds"])].concat();
        close(name, &last(&got, &names), &limit, 1e-9);
        close(name, &columns(&got["steps"], &["log_likelihood"]), &numbers(&want["loglik_path"]), 1e-9);
    }
}

#[test]
fn the_e_step_table_of_sixty_rows() {
    let item = item("textbook", "estep_table_60x3");
    let folder = Folder::new();
    folder.write("x.csv", csv("x", &numbers(&item["input"]["x"]), 1));
    let got = folder.run("teach gmm1d x.csv --start=-5,8,1.5,5,3,1 --iterations 1 --json").json();
    let (table, want) =
        (columns(&got["first_e_step"], &["P_A", "P_B", "P_C"]), numbers(&item["expected"]["responsibilities"]));
    assert_eq!(table.len(), want.len());
    for (got, want) in table.iter().zip(&want) {
        assert!((got - want).abs() <= 1e-12 * want.abs(), "{got} {want}");
    }
    let first = &item["expected"]["first_M_step"];
    close("means", &last(&got, &["mean_A", "mean_B", "mean_C"]), &numbers(&first["means"]), 1e-11);
    close("weights", &last(&got, &["weight_A", "weight_B", "weight_C"]), &numbers(&first["weights"]), 1e-12);
}

#[test]
fn red_and_blue() {
    let item = item("textbook", "red_blue_1d");
    let folder = Folder::new();
    folder.write("x.csv", csv("x", &numbers(&item["input"]["x"]), 1));
    let got = folder.run("teach gmm1d x.csv --start 1.1,9,2,1.7 --iterations 20 --json").json();
    let want = &item["expected"]["em_with_weights_20"];
    let limit = [numbers(&want["weights"]), numbers(&want["means"]), numbers(&want["sds"])].concat();
    close("after 20", &last(&got, &["weight_A", "weight_B", "mean_A", "mean_B", "sd_A", "sd_B"]), &limit, 1e-9);
}

#[test]
fn two_dimensions() {
    let want = &item("textbook", "qiita_kenmatsu4_gmm_seed77")["expected"];
    let got = lesson("gmm2d");
    let steps = got["steps"].as_array().unwrap();
    for (at, name) in [(1, "after1"), (24, "after24")] {
        for (k, c) in ["A", "B", "C"].iter().enumerate() {
            let of = |n: &str| numbers(&steps[at][format!("{n}_{c}")])[0];
            let mixed = [of("weight"), of("mean_x"), of("mean_y")];
            let means = numbers(&want[name]["means"][k]);
            close(name, &mixed, &[numbers(&want[name]["weights"][k]), means].concat(), 1e-8);
            let covariance = [of("var_x"), of("cov_xy"), of("cov_xy"), of("var_y")];
            close(name, &covariance, &numbers(&want[name]["covariances"][k]), 1e-8);
        }
    }
    close("path", &columns(&got["steps"], &["log_likelihood"])[..12], &numbers(&want["after24"]["loglik_path"]), 1e-9);
}

#[test]
fn k_means_until_nothing_changes() {
    let want = &item("textbook", "qiita_kenmatsu4_kmeans_seed71")["expected"];
    let got = lesson("kmeans");
    let centers = ["x_A", "y_A", "x_B", "y_B", "x_C", "y_C"];
    close("centres", &last(&got, &centers), &numbers(&want["centers"]), 1e-10);
    close("inertia", &last(&got, &["inertia"]), &numbers(&want["inertia"]), 1e-10);
    close("counts", &last(&got, &["n_A", "n_B", "n_C"]), &numbers(&want["counts"]), 0.0);
    // The notebook's last iteration only finds that nothing changes; the start is a row of its own here.
    assert_eq!(got["steps"].as_array().unwrap().len() as u64, want["iters"].as_u64().unwrap());
    let path = columns(&got["steps"], &centers);
    let first: Vec<f64> = (0..6).map(|j| path[6 + j] - path[j]).collect();
    let difference = numbers(&want["first_diff"]);
    // The notebook subtracts the new centres from the old ones.
    let sign = (first[0] * difference[0]).signum();
    close("first step", &first.iter().map(|x| sign * x).collect::<Vec<_>>(), &difference, 1e-10);
}

#[test]
fn every_lesson_is_readable_in_96_columns_and_listed() {
    let folder = Folder::new();
    let list = folder.run("teach --list").ok().out;
    let lessons = folder.run("teach --list --json").json();
    assert_eq!(lessons.as_array().unwrap().len(), 11);
    for entry in lessons.as_array().unwrap() {
        let name = entry["name"].as_str().unwrap();
        assert!(list.contains(name));
        let text = folder.run(&format!("teach {name}")).ok().out;
        for line in text.lines() {
            assert!(line.chars().count() <= 96, "{name}: {line}");
        }
        for part in ["Model:", "Data:", "E-step:", "M-step:", "The first E-step", "All iterations"] {
            assert!(text.contains(part), "{name}: {part}");
        }
        assert!(name == "kmeans" || text.contains("No iteration lowered the log-likelihood"), "{name}: {text}");
    }
}

#[test]
fn own_data_and_refusals() {
    let folder = Folder::new();
    folder.write("flips.csv", "set,heads,flips\n3,5,10\n9,9,10\n4,8,10\n7,4,10\n2,7,10\n");
    let own = folder.run("teach coins flips.csv --start 0.6,0.5 --json").json();
    assert_eq!(own["steps"], lesson("coins")["steps"]);
    folder.run("teach coins flips.csv -k 3 --iterations 2").ok();
    folder.write("more.csv", "heads,flips\n5,10\n11,10\n");
    folder.run("teach coins more.csv").refused(3, &["more.csv", "row 2", "more than the 10 flips"]);
    folder.write("x.csv", "a,b,c\n1,2,3.5\n2,5,4\n4,1,7\n");
    folder.run("teach gmm2d x.csv").refused(3, &["x.csv", "2 columns (x, y)", "choose"]);
    folder.run("teach gmm2d x.csv --columns a,b -k 2 --iterations 0").ok();
    folder.write("same.csv", "x\n2\n2\n2\n");
    folder.run("teach gmm1d same.csv").refused(3, &["same.csv", "variance of column 1 is 0"]);
    folder.write("collapse.csv", "x\n0\n0\n0\n5\n6\n7\n");
    folder.run("teach gmm1d collapse.csv --start 0,6,0.1,1").refused(3, &["collapse.csv", "iteration 1", "collapsed"]);
    folder.run("teach missing same.csv --columns x").refused(3, &["2 columns"]);
    folder.run("teach kmeans same.csv -k 2").refused(3, &["distinct"]);
    folder.write("one.csv", "heads,flips\n3,10\n");
    folder.run("teach coins one.csv -k 1 --iterations 1").ok();
    folder.run("teach coins one.csv --start 0,1").ok(); // impossible under both coins: no gain to speak of
    folder.write("counts.csv", "count\n125\n18\n20\n");
    folder.run("teach linkage counts.csv").refused(3, &["3 counts", "four"]);
    folder.run("teach coins --start 0.6,1.5").refused(3, &["1.5"]);
    folder.run("teach gmm1d --start 1,2,3").refused(2, &["3 numbers", "multiple of 2"]);
    folder.run("teach moths --free-mixing").refused(2, &["coins"]);
    folder.run("teach moths -k 3").refused(2, &["not free"]);
    folder.run("teach moths --start 0.3,0.3,0.3").refused(2, &["sum to 1"]);
    folder.run("teach juggling").refused(2, &["juggling", "coins"]);
    folder.run("teach").refused(2, &["LESSON"]);
    folder.run("teach coins nowhere.csv").refused(4, &["nowhere.csv"]);
    folder.run("teach abo nowhere.csv").refused(4, &["nowhere.csv"]);
    folder.write("fail.csv", "value,removed\n1.5,0\n2.5,1.5\n");
    folder.run("teach censored fail.csv").refused(3, &["row 2", "whole number"]);
    folder.write("y.csv", "y,x\n0,1.5\n2,2.5\n1,0.5\n");
    folder.run("teach probit y.csv").refused(3, &["row 2", "0 or 1"]);
}
