//! Tables in a file give the same chunks, bit for bit, as tables in memory.

mod common;
use common::*;
use mixtura::data::{Buffer, Dense, Source};
use mixtura_io::{FileRows, ReadOptions, Table, Values, read_table, read_tables};

/// A row: the bits of its cells and of its weight, its label.
type Row = (Vec<u64>, u64, Option<usize>);

/// Rows of every chunk.
fn chunks(source: &dyn Source) -> Vec<Vec<Row>> {
    let mut buffer = Buffer::default();
    let chunks = (0..source.n_chunks()).map(|id| {
        let chunk = source.read(id, &mut buffer).unwrap();
        let row = |i| {
            let cells = chunk.rows.row(i).iter().map(|x| if x.is_nan() { u64::MAX } else { x.to_bits() }).collect();
            (cells, chunk.weight(i).to_bits(), chunk.label(i))
        };
        (0..chunk.rows.n_rows()).map(row).collect()
    });
    chunks.collect()
}

fn dense(table: &Table) -> Dense<'_> {
    let mut dense = match &table.values {
        Values::F64(values) => Dense::new(values, table.columns.len()).unwrap(),
        Values::F32(values) => {
            let values = mixtura::data::Values::F32(values.into());
            Dense::from_values(values, table.columns.len()).unwrap()
        }
        Values::File(_) => panic!("in a file"),
    };
    if let Some(weights) = &table.weights {
        dense = dense.with_weights(weights).unwrap();
    }
    if let Some(labels) = &table.labels {
        dense = dense.with_labels(&labels.codes).unwrap();
    }
    dense
}

fn in_file(table: &Table) -> &FileRows {
    match &table.values {
        Values::File(rows) => rows,
        _ => panic!("in memory"),
    }
}

/// A number between −1 and 1 from a counter: no two alike, no period.
fn noise(i: usize) -> f64 {
    let mut z = (i as u64).wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

/// 13,000 rows with text found late, missing cells, weights of which many are 0, and labels.
fn text() -> String {
    let mut text = String::from("row,x,late,key_id,y,w,g\n");
    for i in 0..13_000 {
        let x = if i % 97 == 3 { "NA".into() } else { noise(i).to_string() };
        let late = if i == 9_000 { "text".into() } else { noise(i + 70_000).to_string() };
        let weight = if noise(i + 40_000) < -0.2 { 0.0 } else { noise(i + 40_000) + 1.5 };
        let label = ["b", "", "a", "c"][(noise(i + 20_000).abs() * 4.0) as usize];
        text.push_str(&format!("{i},{x},{late},{},{},{weight},{label}\n", i * 7919 % 13_001, 1e8 + noise(i + 90_000)));
    }
    text
}

#[test]
fn a_spooled_table_is_the_table() {
    let text = text();
    let weighted =
        ReadOptions { weights_column: Some("w".into()), label_column: Some("g".into()), ..ReadOptions::default() };
    let asked = ReadOptions { columns: Some(vec!["y".into(), "x".into()]), ..weighted.clone() };
    for options in [ReadOptions::default(), weighted, asked] {
        let whole = read_with(&text, &options);
        // To a file at once, before and after the text is found, and never.
        for memory in [1, 100_000, 300_000, 1_100_000, 1 << 40] {
            let table = read_with(&text, &ReadOptions { memory: Some(memory), ..options.clone() });
            assert_eq!((&table.columns, table.n_rows, &table.notes), (&whole.columns, whole.n_rows, &whole.notes));
            assert_eq!(table.dropped, whole.dropped);
            assert_eq!(table.labels.as_ref().map(|l| &l.names), whole.labels.as_ref().map(|l| &l.names));
            if !matches!(table.values, Values::File(_)) {
                assert!(memory > 300_000);
                assert_eq!(chunks(&dense(&table)), chunks(&dense(&whole)));
                continue;
            }
            let rows = in_file(&table);
            let want = dense(&whole);
            assert_eq!(
                (rows.n_rows(), rows.n_features(), rows.n_labels()),
                (want.n_rows(), want.n_features(), want.n_labels())
            );
            assert_eq!(chunks(rows), chunks(&want));
            let all = Dense::new(values(&whole), whole.columns.len()).unwrap();
            let unlabelled = |chunks: Vec<Vec<Row>>| -> Vec<(Vec<u64>, u64)> {
                chunks.into_iter().flatten().map(|(cells, weight, _)| (cells, weight)).collect()
            };
            assert_eq!(unlabelled(chunks(&rows.without_weights())), unlabelled(chunks(&all)));
        }
    }
}

#[test]
fn keys_are_recognised_in_a_file_too() {
    let text = text();
    let table = read_with(&text, &ReadOptions { memory: Some(1), ..ReadOptions::default() });
    let reasons: Vec<String> = table.dropped.iter().map(|d| format!("{}: {}", d.name, d.reason)).collect();
    assert!(reasons.iter().any(|r| r.starts_with("key_id: named like a key")), "{reasons:?}");
    assert!(reasons.iter().any(|r| r.starts_with("row: consecutive")), "{reasons:?}");
    assert!(reasons.iter().any(|r| r.starts_with("late: text, for example \"text\" on line 9002")), "{reasons:?}");
}

fn npy_file(width: usize) -> Vec<u8> {
    let n = 9_000;
    let number = |i: usize| if i % 3 == 2 && noise(i) < 0.0 { 0.0 } else { noise(i).abs() };
    let data: Vec<u8> = match width {
        8 => (0..3 * n).flat_map(|i| number(i).to_le_bytes()).collect(),
        _ => (0..3 * n).flat_map(|i| (number(i) as f32).to_le_bytes()).collect(),
    };
    npy(&format!("'<f{width}'"), false, &format!("({n}, 3)"), &data)
}

#[test]
fn an_array_is_read_where_it_is() {
    for width in [8, 4] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        std::fs::write(&path, npy_file(width)).unwrap();
        let path = path.to_str().unwrap();
        for options in [ReadOptions::default(), weights("3"), columns(&["2", "1"])] {
            let whole = read_table(path, &options).unwrap();
            let table = read_table(path, &ReadOptions { memory: Some(10_000), ..options }).unwrap();
            assert_eq!(chunks(in_file(&table)), chunks(&dense(&whole)));
        }
        // With itself after it, it is no longer a table in place.
        let twice = [path.to_owned(), path.to_owned()];
        let whole = read_tables(&twice, &ReadOptions::default()).unwrap();
        let table = read_tables(&twice, &ReadOptions { memory: Some(10_000), ..ReadOptions::default() }).unwrap();
        assert_eq!(chunks(in_file(&table)), chunks(&dense(&whole)));
    }
}

#[test]
fn a_file_that_changes_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npy");
    std::fs::write(&path, npy_file(8)).unwrap();
    let options = ReadOptions { memory: Some(10_000), ..ReadOptions::default() };
    let table = read_table(path.to_str().unwrap(), &options).unwrap();
    let rows = in_file(&table);
    std::fs::File::options().write(true).open(&path).unwrap().set_len(120_000).unwrap();
    let mut buffer = Buffer::default();
    assert!(rows.read(0, &mut buffer).is_ok());
    let error = rows.read(2, &mut buffer).unwrap_err();
    assert!(matches!(&error, mixtura::Error::Io(text) if text.contains("was changed")), "{error:?}");
    std::fs::write(&path, vec![0xff; 300_000].as_slice()).unwrap();
    assert!(rows.read(0, &mut buffer).is_ok(), "0xff… is a NaN");
    let header = npy_file(8).len() - 8 * 27_000;
    std::fs::write(&path, [vec![0; header], f64::INFINITY.to_le_bytes().repeat(30_000)].concat()).unwrap();
    assert!(rows.read(0, &mut buffer).is_err());
}
