//! One table, whatever the format, the number of files, the memory and the threads: one model, bit for bit.

mod common;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use common::Folder;
use parquet::arrow::ArrowWriter;
use serde_json::Value;

const COLUMNS: [&str; 3] = ["a", "b", "c"];
const ROWS: usize = 13_000;

/// Rows from two clusters, with weights of which some are 0, missing cells and numbers of many digits.
fn rows() -> Vec<[f64; 4]> {
    let mut state = 11_u64;
    let mut uniform = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let mut normal = move || (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
    (0..ROWS)
        .map(|i| {
            let shift = if i % 5 < 2 { 4.0 } else { 0.0 };
            let (a, b) = (normal() + shift, normal() * 0.5 - shift);
            let c = if i % 31 == 7 { f64::NAN } else { 1e3 + a + normal() };
            let weight = if i % 13 == 5 { 0.0 } else { 1.0 + normal().abs() };
            [a, b, c, weight]
        })
        .collect()
}

fn csv(rows: &[[f64; 4]]) -> String {
    let cell = |x: &f64| if x.is_nan() { String::new() } else { x.to_string() };
    let line = |row: &[f64; 4]| row.iter().map(cell).collect::<Vec<_>>().join(",") + ",t\n";
    "a,b,c,w,s\n".to_owned() + &rows.iter().map(line).collect::<String>()
}

fn json_lines(rows: &[[f64; 4]]) -> String {
    let cell = |x: f64| if x.is_nan() { Value::Null } else { x.into() };
    let line = |row: &[f64; 4]| {
        // Keys in another order than the columns, but for the first line, which sets it.
        let mut keys: Vec<String> =
            COLUMNS.iter().chain(&["w"]).zip(row).map(|(key, &x)| format!("{key:?}:{}", cell(x))).collect();
        if row[0] > 3.0 && row != &rows[0] {
            keys.reverse();
        }
        format!("{{{}}}\n", keys.join(","))
    };
    rows.iter().map(line).collect()
}

fn npy(rows: &[[f64; 4]]) -> Vec<u8> {
    let header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({}, 4), }}\n", rows.len());
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(rows.iter().flatten().flat_map(|x| x.to_le_bytes()));
    bytes
}

fn batch(rows: &[[f64; 4]]) -> RecordBatch {
    let column = |c: usize| -> ArrayRef {
        Arc::new(rows.iter().map(|row| Some(row[c]).filter(|x| !x.is_nan())).collect::<Float64Array>())
    };
    let text: ArrayRef = Arc::new(StringArray::from(vec!["t"; rows.len()]));
    // The columns in another order than in the text file.
    RecordBatch::try_from_iter([("a", column(0)), ("s", text), ("b", column(1)), ("c", column(2)), ("w", column(3))])
        .unwrap()
}

fn parquet(rows: &[[f64; 4]]) -> Vec<u8> {
    let batch = batch(rows);
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    for first in (0..rows.len()).step_by(5_000) {
        writer.write(&batch.slice(first, 5_000.min(rows.len() - first))).unwrap();
        writer.flush().unwrap();
    }
    writer.into_inner().unwrap()
}

fn ipc(rows: &[[f64; 4]], stream: bool) -> Vec<u8> {
    let batch = batch(rows);
    if stream {
        let mut writer = arrow_ipc::writer::StreamWriter::try_new(Vec::new(), &batch.schema()).unwrap();
        writer.write(&batch).unwrap();
        return writer.into_inner().unwrap();
    }
    let mut writer = arrow_ipc::writer::FileWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

fn all_formats() -> Folder {
    let folder = Folder::new();
    let rows = rows();
    folder.write("t.csv", csv(&rows));
    folder.write("t.jsonl", json_lines(&rows));
    folder.write("t.npy", npy(&rows));
    folder.write("t.parquet", parquet(&rows));
    folder.write("t.arrow", ipc(&rows, false));
    folder.write("t.arrows", ipc(&rows, true));
    for (i, part) in rows.chunks(1_337).enumerate() {
        folder.write(&format!("part-{i:02}.parquet"), parquet(part));
        folder.write(&format!("part-{i:02}.csv"), csv(part));
    }
    folder
}

/// The model and the log-likelihood of a fit; the names of the columns differ in arrays.
fn model(folder: &Folder, args: &str) -> (Value, Value) {
    let run = folder.run(&format!("fit {args} -k 2 --covariance full --restarts 1 --max-iter 20 --json"));
    assert_eq!(run.code, Some(0), "{args}: {}", run.err);
    let mut json: Value = serde_json::from_str(&run.out).unwrap();
    json["model"].as_object_mut().unwrap().remove("columns");
    (json["model"].take(), json["log_likelihood"].take())
}

#[test]
fn one_model_from_all_sources() {
    let folder = all_formats();
    let want = model(&folder, "t.csv --weights-column w --threads 2");
    assert!(want.0["weights"].is_array() && want.1.is_number(), "{want:?}");
    for args in [
        "t.csv --weights-column w --threads 1",
        "t.npy --weights-column 4",
        "t.jsonl --weights-column w",
        "t.parquet --weights-column w",
        "t.arrow --weights-column w --threads 1",
        "t.arrows --weights-column w",
        "part-*.parquet --weights-column w",
        "part-0[0-4].csv part-0[5-9].csv --weights-column w --columns a,b,c",
    ] {
        assert_eq!(model(&folder, args), want, "{args}");
    }
    let mixed = "part-00.csv part-01.parquet part-02.csv part-03.parquet part-04.csv part-05.csv part-06.csv \
                 part-07.parquet part-08.parquet part-09.csv --weights-column w";
    assert_eq!(model(&folder, mixed), want);
}

#[test]
fn one_model_from_memory_and_from_disk() {
    // A table of more than half the smallest budget: the rows of the other test, many times over.
    let folder = all_formats();
    let whole = rows().repeat(100);
    folder.write("big.npy", npy(&whole));
    folder.write("big.parquet", parquet(&whole));
    let few = "-k 1 --covariance diag --json --max-iter 3 --restarts 1";
    let fit = |args: &str| {
        let run = folder.run(&format!("fit {args} {few}"));
        assert_eq!(run.code, Some(0), "{args}: {}", run.err);
        let mut json: Value = serde_json::from_str(&run.out).unwrap();
        json["model"].as_object_mut().unwrap().remove("columns");
        (json["model"].take(), json["log_likelihood"].take())
    };
    let want = fit("big.parquet --weights-column w");
    assert_eq!(fit("big.parquet --weights-column w --memory 64M --threads 1"), want);
    assert_eq!(fit("big.npy --weights-column 4 --memory 64M"), want);
}

#[test]
fn predict_and_score_take_several_files_and_a_budget() {
    let folder = all_formats();
    folder.run("fit t.csv -k 2 --covariance full --weights-column w --restarts 1 --out m.json --quiet");
    let whole = folder.run("predict m.json t.csv --proba");
    assert_eq!((whole.code, whole.out.lines().count()), (Some(0), ROWS + 1), "{}", whole.err);
    assert_eq!(folder.run("predict m.json part-*.parquet --proba --memory 64M").out, whole.out);
    let score = folder.run("score m.json t.arrow --weights-column w --json");
    assert_eq!(folder.run("score m.json part-*.csv --weights-column w --json").out, score.out);
    let clusters = folder.run("cluster t.parquet --columns a,b -k 2 --weights-column w --scale standard --json");
    assert_eq!(clusters.code, Some(0), "{}", clusters.err);
    let parts = folder.run("cluster part-*.csv --columns a,b -k 2 --weights-column w --scale standard --json");
    assert_eq!(parts.out, clusters.out);
    // A target that is one of the files of a glob would be lost.
    let refused = folder.run("predict m.json part-*.csv --out part-03.csv");
    assert_eq!(refused.code, Some(2), "{}", refused.err);
    for bad in ["63M", "lots", "1e9"] {
        assert_eq!(folder.run(&format!("fit t.csv --memory {bad}")).code, Some(2));
    }
}
