//! `mixtura errors`: methods agree, figures are those of the library's formulas, refusals are sentences.

mod common;

use common::{Folder, two_components};
use serde_json::Value;

fn standard_errors(json: &Value) -> Vec<f64> {
    json["parameters"].as_array().unwrap().iter().map(|p| p["standard_error"].as_f64().unwrap()).collect()
}

fn names(json: &Value) -> Vec<&str> {
    json["parameters"].as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap()).collect()
}

#[test]
fn methods_agree_and_the_point_is_named() {
    let folder = Folder::new();
    folder.write("d.csv", two_components(600));
    folder.run("fit d.csv -k 2 --covariance full --tolerance 1e-10 --out m.json").ok();
    let louis = folder.run("errors m.json d.csv --json").json();
    assert_eq!((&louis["method"], &louis["level"]), (&"louis".into(), &0.95.into()));
    assert_eq!(louis["point"]["kind"], "optimum");
    assert_eq!(louis["covariance"].as_array().unwrap().len(), names(&louis).len());
    let names = names(&louis);
    for name in ["weight[0]", "weight[1]", "mean[1][b]", "covariance[0][a,b]", "sd[0][a]", "correlation[1][a,b]"] {
        assert!(names.contains(&name), "{names:?}");
    }
    // 400 of 600 rows, well apart: a binomial share, √(2/9 / 600) = 0.0192.
    let weight = &louis["parameters"][0];
    assert!((weight["standard_error"].as_f64().unwrap() - 0.0192).abs() < 1e-3, "{weight}");
    // At 1e-10 nats from the optimum: 1e-5 standard errors; the 1e-5 and 1e-3.
    for (method, close) in [("numerical", 1e-5), ("sem", 1e-3), ("sandwich", 0.5)] {
        let other = folder.run(&format!("errors m.json d.csv --method {method} --json")).json();
        for (a, b) in standard_errors(&louis).iter().zip(standard_errors(&other)) {
            assert!((a / b - 1.0).abs() < close, "{method}: {a} {b}");
        }
    }
    let text = folder.run("errors m.json d.csv --level 0.9").ok().out;
    assert!(text.contains("(louis)") && text.contains("of 90 %") && text.contains("The fit is an optimum"), "{text}");
    let one = folder.run("errors m.json d.csv --json --threads 1").ok().out;
    assert_eq!(one, folder.run("errors m.json d.csv --json --threads 3").ok().out, "the same bits");
}

#[test]
fn refusals() {
    let folder = Folder::new();
    folder.write("d.csv", two_components(60));
    folder.write("few.csv", two_components(8));
    folder.run("fit d.csv -k 2 --covariance full --out m.json").ok();
    folder.run("errors m.json d.csv --method jackknife").refused(2, &["louis", "sandwich"]);
    folder.run("errors m.json d.csv --level 1.5").refused(2, &["1.5", "between 0 and 1"]);
    folder.run("errors m.json d.csv --method bootstrap --replicates 10").refused(2, &["10 replicates do not reach"]);
    folder.run("errors m.json d.csv --method bootstrap --replicates 1").refused(2, &["1 replicates have no spread"]);
    folder.run("errors m.json few.csv").refused(3, &["few.csv", "8 rows are fewer than the 11 free parameters"]);
    folder.run("errors m.json nothing.csv").refused(4, &["nothing.csv"]);
    folder.write("l.csv", "a,b,kind\n1,2,x\n3,4,y\n5,7,x\n");
    folder.run("errors m.json l.csv --label-column kind").refused(3, &["l.csv", "labels in 'kind'"]);
}

#[test]
fn fits_tell_their_errors_and_a_prior_counts() {
    let folder = Folder::new();
    folder.write("d.csv", two_components(600));
    // At the mode of the posterior the likelihood still rises: only with its prior is the fit an optimum.
    let fit = folder
        .run("fit d.csv -k 2 --covariance full --prior default --tolerance 1e-9 --errors louis --out m.json --json")
        .json();
    assert_eq!(fit["errors"]["point"]["kind"], "optimum", "{}", fit["errors"]["point"]);
    let later = folder.run("errors m.json d.csv --json").json();
    assert_eq!(fit["errors"]["parameters"], later["parameters"]);
    let without = folder.run("fit d.csv -k 2 --covariance full --json").json();
    assert!(without.get("errors").is_none() && without.get("no_errors").is_none());
    folder.write("s.csv", "x\n1\n2\n3.5\n4\n5.5\n6\n");
    let refused = folder.run("fit s.csv -k 2 --covariance full --errors louis --json").json();
    assert!(refused["no_errors"].as_str().unwrap().starts_with("there are no standard errors"), "{refused}");
    // Another file's rows are noticed by their fingerprint.
    folder.write("e.csv", two_components(601));
    let notes = folder.run("errors m.json e.csv --json").json()["notes"].to_string();
    assert!(notes.contains("not the rows that the model was fitted to"), "{notes}");
    let moths = "carbonaria,CC|CI|CT,85\ninsularia,II|IT,196\ntypica,TT,341\n";
    folder.write("moths.csv", moths);
    let genes = folder.run("em genes moths.csv --errors louis --json").json();
    // McLachlan & Krishnan's moths, as the golden textbook item has them.
    for (got, want) in standard_errors(&genes["errors"]).iter().zip([0.0074112094, 0.0122051907, 0.0134751243]) {
        assert!((got - want).abs() < 1e-8, "{got} {want}");
    }
}
