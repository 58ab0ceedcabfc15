//! `mixtura select`, `--criterion`, and fits that are killed and go on, through the command.

mod common;

use std::process::Stdio;
use std::time::Duration;

#[cfg(unix)]
use common::signal;
use common::{Folder, Lcg, golden, two_components};
use mixtura::persist::SavedModel;
use serde_json::Value;

#[test]
fn a_table_as_text_csv_and_json() {
    let folder = Folder::new();
    let data = golden("faithful.csv");
    let text = folder.run(&format!("select {data} -k 1..4")).ok().out;
    for words in
        ["K = 3, tied", "BIC full", "ICL: K = 2, full", "NEC: K = 2", "restarts of the chosen fit", "(an estimate)"]
    {
        assert!(text.contains(words), "no {words:?} in\n{text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let json = folder.run(&format!("select {data} -k 1..4 --json --criterion icl")).json();
    assert_eq!((&json["criterion"], &json["chosen"]["n_components"]), (&"icl".into(), &2.into()));
    // mclust 6.0.0, VVV with two components: log-likelihood −1130.264.
    let cells = json["candidates"].as_array().unwrap();
    let two = cells.iter().find(|c| c["n_components"] == 2 && c["covariance"] == "full").unwrap();
    assert!((two["log_likelihood"].as_f64().unwrap() + 1130.264).abs() < 1e-3);
    let csv = folder.run(&format!("select {data} -k 1..4 --csv")).ok().out;
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 1 + cells.len());
    let header: Vec<&str> = lines[0].split(',').collect();
    assert!(lines[1..].iter().all(|line| line.split(',').count() == header.len()), "{csv}");
    let chosen = header.iter().position(|h| *h == "chosen").unwrap();
    assert_eq!(lines[1..].iter().filter(|line| line.split(',').nth(chosen) == Some("1")).count(), 1);
    // The numbers of both are the same.
    let bic = header.iter().position(|h| *h == "bic").unwrap();
    assert_eq!(lines[1].split(',').nth(bic).unwrap().parse::<f64>().unwrap(), cells[0]["bic"].as_f64().unwrap());
    assert!(folder.names().is_empty(), "select writes nothing unasked");
}

#[test]
fn the_chosen_model_can_be_kept_and_fit_chooses_alike() {
    let folder = Folder::new();
    let data = golden("faithful.csv");
    folder.run(&format!("select {data} -k 1..4 --criterion icl --out m.json")).ok();
    let model = SavedModel::from_json(&folder.text("m.json")).unwrap();
    assert_eq!(model.model.weights().len(), 2);
    let fit = folder.run(&format!("fit {data} -k 1..4 --criterion icl --out f.json")).ok();
    assert!(fit.out.contains("chosen by ICL"), "{}", fit.out);
    assert_eq!(folder.text("m.json"), folder.text("f.json"));
    for threads in [1, 3] {
        folder.run(&format!("select {data} -k 1..4 --criterion icl --out t.json --threads {threads}")).ok();
        assert_eq!(folder.text("m.json"), folder.text("t.json"));
    }
}

#[test]
fn what_to_doubt_is_said() {
    let folder = Folder::new();
    folder.write("d.csv", two_components(300));
    let doubts = |args: &str| -> String {
        let json = folder.run(&format!("select d.csv --json {args}")).json();
        json["doubts"].as_array().unwrap().iter().map(|d| d.as_str().unwrap().to_owned() + "\n").collect()
    };
    assert!(doubts("-k 1..2 --covariance full").contains("K = 2 is the largest tried"));
    assert!(doubts("-k 2..5 --covariance full").contains("K = 2 is the smallest tried"));
    // 5 components in two columns: 29 parameters.
    folder.write("few.csv", two_components(20));
    let few: Value = folder.run("select few.csv --json -k 1..5 --covariance full").json();
    assert!(few["doubts"].to_string().contains("more parameters than rows"), "{}", few["doubts"]);
}

#[test]
#[cfg(unix)]
fn what_an_interrupt_left_out_has_not_failed() {
    let folder = Folder::new();
    folder.write("d.csv", two_components(200));
    // One thread, and a first candidate that takes for ever: no other is begun.
    let started = |more: &str| {
        let args = format!(
            "select d.csv -k 3..9 --covariance full --init random --tolerance 0 --max-iter 100000000 --threads 1 {more}"
        );
        let mut command = folder.command(&args);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let children = [started(""), started("--csv"), started("--json")];
    std::thread::sleep(Duration::from_secs(3));
    let ended = children.into_iter().zip(["-INT", "-TERM", "-INT"]).map(|(child, name)| {
        signal(&child, name);
        let run = common::Run::of(child.wait_with_output().unwrap(), name);
        assert_eq!(run.code, Some(130), "{}", run.err);
        assert!(run.err.contains("the table is not complete"), "{}", run.err);
        assert!(!run.out.contains("failed"), "{}", run.out);
        run.out
    });
    let [text, csv, json]: [String; 3] = ended.collect::<Vec<_>>().try_into().unwrap();
    assert_eq!(text.lines().filter(|line| line.ends_with("not reached")).count(), 6, "{text}");
    assert!(text.contains("not reached before the interrupt: K = 4, K = 5, K = 6,"), "{text}");
    assert!(text.contains("interrupted before 7 of 7 candidates were finished"), "{text}");
    assert_eq!(csv.matches(",stopped,").count(), 1, "{csv}");
    assert_eq!(csv.matches(",not_reached,").count(), 6, "{csv}");
    let json: Value = serde_json::from_str(&json).unwrap();
    let cells = json["candidates"].as_array().unwrap();
    assert!(cells[1..].iter().all(|c| c["status"] == "not_reached" && c["bic"].is_null()), "{json}");
}

#[test]
fn refusals() {
    let folder = Folder::new();
    folder.write("d.csv", two_components(60));
    folder.write("mine.txt", "precious");
    folder.run("select d.csv --out -").refused(2, &["--out"]);
    folder.run("select d.csv --criterion blrt --replicates 5 -k 1..2").refused(2, &["at least 19"]);
    folder.run("select d.csv --criterion cv --folds 1 -k 1..2").refused(2, &["at least 2 folds"]);
    folder.run("select d.csv --criterion cv --folds 61 -k 1").refused(3, &["d.csv", "61 folds"]);
    folder.run("fit d.csv --checkpoint mine.txt").refused(4, &["mine.txt", "no checkpoint"]);
    folder.write("empty", "");
    folder.run("fit d.csv --checkpoint empty").refused(4, &["empty", "no checkpoint"]);
    #[cfg(unix)]
    folder.run("fit d.csv --checkpoint /dev/null").refused(4, &["/dev/null", "no regular file"]);
    assert!(folder.names().contains(&"empty".to_owned()));
    folder.run("fit d.csv --checkpoint no/c.json").refused(4, &["no folder"]);
    folder.run("fit d.csv --checkpoint c.json --checkpoint-every nan").refused(2, &["--checkpoint-every"]);
    assert_eq!(folder.text("mine.txt"), "precious");
    let wrong = folder.run("select d.csv --criterion waic");
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.err.contains("blrt"), "{}", wrong.err);
    assert_eq!(wrong.err.lines().count(), 1, "{}", wrong.err);
}

/// Rows of three overlapping clusters: fits of many iterations.
fn slow(n: usize) -> String {
    let mut rng = Lcg(5);
    let mut text = "a,b,c\n".to_owned();
    for i in 0..n {
        let shift = (i % 3) as f64;
        let row: Vec<String> = (0..3).map(|j| (rng.normal() + if j < 2 { shift } else { 0.0 }).to_string()).collect();
        text.push_str(&(row.join(",") + "\n"));
    }
    text
}

#[test]
#[cfg(unix)]
fn killed_twenty_times_and_the_same_bits() {
    let folder = Folder::new();
    folder.write("d.csv", slow(2500));
    let args = "fit d.csv -k 4..5 --covariance full --tolerance 1e-9 --quiet";
    folder.run(&format!("{args} --out whole.json")).ok();
    let args = format!("{args} --checkpoint c.json --checkpoint-every 0.02 --out pieces.json");
    let mut rng = Lcg(77);
    let (mut kills, mut resumed) = (0, 0);
    while kills < 20 {
        let mut patience = 1.0;
        while !folder.names().contains(&"pieces.json".to_owned()) {
            let mut child =
                folder.command(&args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            std::thread::sleep(Duration::from_secs_f64((0.2 + 0.6 * rng.uniform()) * patience));
            child.kill().unwrap();
            child.wait().unwrap();
            kills += 1;
            resumed += usize::from(folder.names().contains(&"c.json".to_owned()));
            // On a busy machine a life may be too short to get anywhere.
            patience *= 1.1;
        }
        folder.run(&args).ok();
        assert_eq!(folder.text("whole.json"), folder.text("pieces.json"), "after {kills} kills");
        assert!(!folder.names().contains(&"c.json".to_owned()), "the checkpoint of a complete fit is removed");
        std::fs::remove_file(folder.path("pieces.json")).unwrap();
    }
    assert!(resumed > 0, "no checkpoint was ever written");
    println!("{kills} kills, {resumed} of them with a checkpoint");
}

#[test]
#[cfg(unix)]
fn a_checkpoint_of_something_else_is_refused_and_kept() {
    let folder = Folder::new();
    folder.write("d.csv", slow(3000));
    folder.write("e.csv", slow(2999));
    let args =
        "fit d.csv -k 6 --covariance full --tolerance 0 --max-iter 1000000 --checkpoint c.json --checkpoint-every 0";
    let mut child =
        folder.command(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // Until the state of a run is in it.
    let kept = || std::fs::read_to_string(folder.path("c.json")).unwrap_or_default();
    while !kept().contains("\"model\":\"40") {
        std::thread::sleep(Duration::from_millis(50));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let text = folder.text("c.json");
    let again = |args: &str| folder.run(args);
    again("fit e.csv -k 6 --covariance full --tolerance 0 --max-iter 1000000 --checkpoint c.json")
        .refused(3, &["c.json", "other data"]);
    again("fit d.csv -k 5 --covariance full --tolerance 0 --max-iter 1000000 --checkpoint c.json")
        .refused(3, &["c.json", "other options"]);
    assert_eq!(folder.text("c.json"), text);
    folder.write("c.json", &text[..text.len() - 40]);
    again(args).refused(3, &["c.json", "damaged"]);
    folder.write("c.json", text.replacen("\"model\":\"40", "\"model\":\"41", 1));
    again(args).refused(3, &["c.json", "checksum"]);
}
