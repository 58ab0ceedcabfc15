//! Bad input: each kind is refused with its exit code and a sentence that names it, or fitted with a note.

mod common;

use std::io::Write as _;

use common::{Folder, golden, npy, two_components};

const FIT: &str = "fit d.csv -k 2 --out m.json";

/// The command refuses this data, and writes nothing.
#[track_caller]
fn refuses(data: impl AsRef<[u8]>, args: &str, code: i32, words: &[&str]) {
    let folder = Folder::new();
    folder.write("d.csv", data);
    folder.run(args).refused(code, words);
    assert_eq!(folder.names(), ["d.csv"]);
}

/// The command fits this data; its notes on standard error and its summary hold the words.
#[track_caller]
fn fits(data: impl AsRef<[u8]>, args: &str, words: &[&str]) {
    let folder = Folder::new();
    folder.write("d.csv", data);
    let run = folder.run(args).ok();
    for word in words {
        assert!(run.err.contains(word) || run.out.contains(word), "no {word:?} in {}{}", run.err, run.out);
    }
    folder.run("describe m.json").ok();
}

#[test]
fn numbers_that_are_none() {
    refuses("a,b\n1,2\ninf,3\n4,5\n", FIT, 3, &["d.csv", "\"a\"", "not finite"]);
    refuses("a,b\n1,2\n3,-inf\n4,5\n", FIT, 3, &["d.csv", "\"b\"", "not finite"]);
    refuses("a,b\n1,2\n3,x\n4,5\n", "fit d.csv --columns a,b", 3, &["d.csv", "\"b\"", "\"x\""]);
    refuses("a,b\n1,\n3,\n4,NA\n", "fit d.csv --columns a,b", 3, &["d.csv", "\"b\"", "no value"]);
    refuses("a,b\n1e300,1\n-1e300,2\n3,4.5\n", FIT, 3, &["d.csv", "'a'", "divide"]);
    refuses("a,b\n1e-200,1\n3e-200,2\n7e-200,4.5\n", FIT, 3, &["d.csv", "'a'", "divide"]);
}

#[test]
fn weights_that_are_none() {
    let args = "fit d.csv -k 1 --weights-column w";
    refuses("a,w\n1.5,1\n2,-1\n4,1\n", args, 3, &["d.csv", "\"w\"", "negative"]);
    refuses("a,w\n1.5,0\n2,0\n4,0\n", args, 3, &["d.csv", "\"w\"", "zero"]);
    refuses("a,w\n1.5,1\n2,\n4,1\n", args, 3, &["d.csv", "\"w\"", "missing"]);
    refuses("a,b\n1.5,1\n2,3\n4,1\n", args, 3, &["d.csv", "\"w\"", "no column"]);
}

#[test]
fn too_few_distinct_rows() {
    let data = "a,b\n1.5,2\n1.5,2\n3,4\n3,4\n1.5,2\n";
    refuses(data, "fit d.csv -k 3", 3, &["d.csv", "2 distinct rows", "3 components"]);
    refuses(data, "cluster d.csv -k 3", 3, &["d.csv", "2 distinct rows"]);
}

#[test]
fn files_that_are_no_tables() {
    refuses("a,b\n1,2\n3\n4,5\n", FIT, 3, &["d.csv", "line 3"]);
    refuses("", FIT, 3, &["d.csv", "empty"]);
    refuses("a,b\n", FIT, 3, &["d.csv"]);
    refuses(b"\xff\xfea\0,\0b\0\n\0", FIT, 3, &["d.csv", "UTF-16"]);
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(two_components(100).as_bytes()).unwrap();
    let gz = gz.finish().unwrap();
    refuses(&gz[..gz.len() / 2], FIT, 3, &["d.csv", "ends too early"]);
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let line = "1,2\n".repeat(1 << 18);
    (0..100).for_each(|_| bomb.write_all(line.as_bytes()).unwrap());
    refuses(bomb.finish().unwrap(), FIT, 3, &["d.csv", "200 times"]);
    refuses(&npy(3, 2, &[0.5; 6])[..100], FIT, 3, &["d.csv"]);
}

#[test]
fn files_that_are_not_there() {
    let folder = Folder::new();
    folder.run("fit nowhere.csv").refused(4, &["nowhere.csv"]);
    folder.run("describe nowhere.json").refused(4, &["nowhere.json"]);
    folder.run("fit .").refused(4, &["folder"]);
}

#[test]
fn wrong_use() {
    let data = two_components(20);
    for args in [
        "-k 0",
        "-k 4..2",
        "-k x",
        "--covariance round",
        "--init where",
        "--collapse up",
        "--nonsense",
        "--max-iter -1",
    ] {
        let folder = Folder::new();
        folder.write("d.csv", &data);
        let run = folder.run(&format!("fit d.csv {args}"));
        assert_eq!(run.code, Some(2), "{args}: {}", run.err);
        assert_eq!(folder.names(), ["d.csv"]);
    }
    for (args, word) in [
        ("--threads 0", "--threads 0"),
        ("--restarts 0", "restarts"),
        ("--tolerance=-1", "tolerance"),
        ("--tolerance nan", "tolerance"),
        ("--reg-covar=-1", "regularisation"),
        ("--json --out -", "--out"),
    ] {
        refuses(&data, &format!("fit d.csv {args}"), 2, &[word]);
    }
    refuses(&data, "cluster d.csv -k 0", 2, &["at least one cluster"]);
}

#[test]
fn awkward_data_are_fitted_with_a_note() {
    let rows = two_components(60);
    let with = |extra: &dyn Fn(usize) -> String| {
        let lines = rows.lines().enumerate().map(|(i, line)| format!("{line},{}\n", extra(i)));
        lines.collect::<String>()
    };
    let column = |i: usize, value: String| if i == 0 { "c".to_owned() } else { value };
    fits(
        with(&|i| column(i, if i % 7 == 0 { "NA".into() } else { format!("{}", i * i % 17) })),
        FIT,
        &["8 missing cells"],
    );
    fits(with(&|i| column(i, "5".into())), FIT, &["column 'c' is left out: constant, always 5"]);
    let copy = |i: usize| rows.lines().nth(i).unwrap().split(',').next().unwrap().replace('a', "c");
    fits(with(&copy), FIT, &["'c' repeats", "'a'"]);
    let weights = with(&|i| column(i, (i % 3).to_string())).replace(",c", ",w");
    fits(weights, "fit d.csv -k 2 --weights-column w --out m.json", &["40 rows (20 more have weight 0)"]);
    fits(
        "a,b,c,d\n0.5,2,7,4.5\n2,1,5.5,4\n9,3,1,1.25\n",
        "fit d.csv -k 1 --covariance full --out m.json",
        &["free parameters"],
    );
    fits("a,b\n0.5,2\n", "fit d.csv -k 1 --out m.json", &["1 row"]);
    let tiny =
        "a,b\n".to_owned() + &(0..40).map(|i| format!("{}e-150,{}e150\n", i * i % 11, i * i % 13)).collect::<String>();
    fits(tiny, "fit d.csv -k 2 --covariance diag --out m.json", &["Model written"]);
    let five = two_components(200) + &"3.25,1.5\n".repeat(5);
    fits(five, "fit d.csv -k 1..6 --covariance full --out m.json", &["4 rows repeat"]);
}

#[test]
fn predict_needs_the_columns_of_the_model() {
    let folder = Folder::new();
    folder.write("d.csv", two_components(60));
    folder.run("fit d.csv -k 2 --out m.json").ok();
    folder.write("new.csv", "a,c\n1,2\n3,4\n");
    for command in ["predict", "score"] {
        folder.run(&format!("{command} m.json new.csv")).refused(3, &["new.csv", "\"b\""]);
    }
    folder.write("ragged.csv", "a,b\n1,2\n3\n");
    folder.run("predict m.json ragged.csv --out p.csv").refused(3, &["ragged.csv", "line 3"]);
    // A column of the model that is named like a position is not one.
    folder.write("numbers.csv", "a,2\n1.5,2.5\n3,9\n1,1\n");
    folder.run("fit numbers.csv -k 1 --covariance diag --out n.json").ok();
    folder.write("other.csv", "a,x\n1.5,2.5\n3,9\n");
    folder.run("predict n.json other.csv").refused(3, &["other.csv", "\"2\""]);
    assert!(!folder.names().contains(&"p.csv".to_owned()));
}

#[test]
fn model_files_that_no_fit_wrote() {
    let folder = Folder::new();
    folder.run(&format!("fit {} -k 2 --covariance diag --out m.json", golden("faithful.csv"))).ok();
    let good: serde_json::Value = serde_json::from_str(&folder.text("m.json")).unwrap();
    let cases: [(&str, serde_json::Value, &str); 8] = [
        ("/model/weights/0", (-0.5).into(), "weight"),
        ("/model/weights", serde_json::json!([0.5]), "mixing weights"),
        ("/model/means/1", serde_json::json!([1.0]), "row"),
        ("/model/covariances/0/0/0", (-1.0).into(), "positive definite"),
        ("/model/covariances/0/0/0", serde_json::Value::Null, "damaged"),
        ("/model/n_components", 1_000_000_000_000_u64.into(), "more than a model file may hold"),
        ("/model/covariance", "round".into(), "round"),
        ("/version", 99.into(), "99"),
    ];
    for (place, value, word) in cases {
        let mut bad = good.clone();
        *bad.pointer_mut(place).unwrap() = value;
        folder.write("bad.json", bad.to_string());
        for command in [
            "describe bad.json".to_owned(),
            "sample bad.json -n 1".to_owned(),
            format!("predict bad.json {}", golden("faithful.csv")),
        ] {
            folder.run(&command).refused(3, &["bad.json", word]);
        }
    }
    let text = folder.text("m.json");
    for (content, word) in [
        (text.replacen("0.", "NaN", 1), "JSON"),
        (text[..text.len() / 2].to_owned(), "JSON"),
        (String::new(), "JSON"),
        ("{}".to_owned(), "not a model file"),
        ("[".repeat(1 << 20), "JSON"),
    ] {
        folder.write("bad.json", content);
        folder.run("describe bad.json").refused(3, &["bad.json", word]);
    }
    folder.write("bad.json", b"{\xff\xfe");
    folder.run("describe bad.json").refused(3, &["bad.json", "UTF-8"]);
    folder.run(&format!("fit {} --init params=bad.json", golden("faithful.csv"))).refused(3, &["bad.json"]);
}

#[test]
fn other_files_are_left_alone() {
    let folder = Folder::new();
    let data = two_components(30);
    folder.write("d.csv", &data);
    folder.write("d.mixtura.json", "mine");
    folder.run("fit d.csv").refused(4, &["d.mixtura.json", "--out"]);
    folder.run("fit d.csv --out d.csv").refused(4, &["d.csv", "--out"]);
    assert_eq!((folder.text("d.csv"), folder.text("d.mixtura.json")), (data, "mine".to_owned()));
    folder.run("fit d.csv -k 1 --out no/m.json").refused(4, &["no/m.json", "folder"]);
    folder.run("fit d.csv -k 1 --out .").refused(4, &["folder"]);
    folder.run("fit d.csv -k 1 --out m.json").ok();
    folder.run("predict m.json d.csv --out no/p.csv").refused(4, &["no/p.csv"]);
    folder.run("sample m.json -n 3 --out no/p.csv").refused(4, &["no/p.csv"]);
    assert_eq!(folder.names(), ["d.csv", "d.mixtura.json", "m.json"]);
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_told() {
    let folder = Folder::new();
    folder.write("d.csv", two_components(30));
    folder.run("fit d.csv -k 1 --quiet --out /dev/full").refused(4, &["/dev/full", "space"]);
    folder.run("fit d.csv -k 1 --out m.json").ok();
    for command in [
        "predict m.json d.csv",
        "sample m.json -n 100000",
        "describe m.json",
        "fit d.csv -k 1 --json",
        "cluster d.csv -k 2",
    ] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = folder.command(command).stdout(full).output().unwrap();
        common::Run::of(output, command).refused(4, &["standard output", "space"]);
    }
}
