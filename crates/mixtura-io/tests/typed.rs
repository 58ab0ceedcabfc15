//! Parquet and Arrow IPC files written by pyarrow 26.0.1, and what is in them.

mod common;
use common::*;
use mixtura_io::{ReadOptions, Table, Values, read_table};

const NAN: f64 = f64::NAN;

fn seed(name: &str) -> String {
    format!("{}/../../fuzz/seeds/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn of(name: &str, options: &ReadOptions) -> Table {
    read_table(&seed(name), options).unwrap()
}

/// The files that hold the same table of many types.
const TYPES: [&str; 6] = [
    "parquet/types.parquet",
    "parquet/zstd_crc_v2.parquet",
    "ipc/lz4.arrow",
    "ipc/zstd.arrow",
    "ipc/plain.arrow",
    "ipc/stream.arrows",
];

/// Equal numbers, missing cells in the same places.
fn same(got: &[f64], want: &[f64]) -> bool {
    got.len() == want.len() && got.iter().zip(want).all(|(a, b)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan())
}

#[test]
fn every_type_of_number() {
    // As they stand in the script that wrote the files; the decimals have three digits after the point.
    let want = [
        ("x", [0.1, -2.5, NAN, 3e300, 5e-324, 6.0, 7.25, 8.0, 9.5]),
        ("f", [0.5, 1.5, 2.5, NAN, 4.5, 5.5, 6.5, 7.5, 9.25]),
        ("i", [5.0, 3.0, -9007199254740992.0, 2.0, NAN, 1.0, 8.0, -4.0, 0.0]),
        ("u", [1.0, 0.0, 3.0, 7.0, 2.0, 255.0, 6.0, NAN, 9.0]),
        ("b", [1.0, 0.0, NAN, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0]),
        ("d", [0.1, -12.345, NAN, 3.0, 4.2, 5.5, 6.125, 7.001, 8.1]),
    ];
    for file in TYPES {
        let options = ReadOptions { weights_column: Some("w".into()), ..ReadOptions::default() };
        let table = of(file, &options);
        assert_eq!(table.columns, want.map(|(name, _)| name), "{file}");
        for (c, (name, column)) in want.iter().enumerate() {
            let got: Vec<f64> = values(&table).iter().skip(c).step_by(want.len()).copied().collect();
            assert!(same(&got, column), "{file} {name}: {got:?}");
        }
        assert_eq!(table.weights.unwrap(), [1.0, 2.0, 0.0, 1.0, 0.5, 3.0, 0.0, 1.0, 1.0], "{file}");
        let dropped: Vec<String> = table.dropped.iter().map(|d| format!("{}: {}", d.name, d.reason)).collect();
        let (text, dates) = ("text, not numbers", "dates, not numbers");
        let reasons =
            [("s", text), ("cat", text), ("day", dates), ("when", dates), ("l", "lists or records, not numbers")];
        assert_eq!(dropped, reasons.map(|(name, why)| format!("{name}: {why}")), "{file}");
        // -(2^53 + 1) has no f64 of its own.
        assert!(table.notes.iter().any(|note| note.contains("2^53")), "{file}: {:?}", table.notes);
    }
}

#[test]
fn text_columns_are_labels() {
    for file in TYPES {
        for (name, names, codes) in [
            ("s", &["a", "b", "c"][..], [0, 1, -1, 1, 0, 2, 0, 1, 0]),
            ("cat", &["u", "v"], [0, 1, 1, -1, 0, 1, 0, 0, 1]),
        ] {
            let mut options = label(name);
            options.columns = Some(vec!["d".into()]);
            let labels = of(file, &options).labels.unwrap();
            assert_eq!((&labels.names[..], &labels.codes[..]), (&names.map_to()[..], &codes[..]), "{file} {name}");
        }
        for (asked, why) in [("s", "holds text"), ("day", "holds dates"), ("l", "holds lists"), ("z", "no column")] {
            let message = read_table(&seed(file), &columns(&[asked])).unwrap_err().to_string();
            assert!(message.contains(why), "{file}: {message}");
        }
        let message = read_table(&seed(file), &label("day")).unwrap_err().to_string();
        assert!(message.contains("cannot be labels"), "{file}: {message}");
    }
}

trait MapTo {
    fn map_to(&self) -> Vec<String>;
}

impl MapTo for &[&str] {
    fn map_to(&self) -> Vec<String> {
        self.iter().map(|name| name.to_string()).collect()
    }
}

#[test]
fn all_compressions_and_rare_types() {
    for name in ["none", "gzip", "lz4", "brotli"] {
        let table = of(&format!("parquet/{name}.parquet"), &ReadOptions::default());
        assert!(same(values(&table), &[0.1, 1.5, -2.5, 2.5, NAN, 3.5]), "{name}");
    }
    let table = of("ipc/rare.arrow", &ReadOptions::default());
    assert_eq!(table.columns, ["h", "d2", "x", "d9"]);
    assert!(same(values(&table), &[1.5, 1.5, 1.0, 1.5, 2.5, 2.5, 5.0, NAN]));
    let single = of("parquet/none.parquet", &columns(&["y"])).values;
    assert!(matches!(single, Values::F32(values) if values == [1.5, 2.5, 3.5]));
}

#[test]
fn gzipped_as_a_whole() {
    for name in ["parquet/none.parquet", "ipc/small.arrows", "jsonl/mixed.jsonl"] {
        let bytes = std::fs::read(seed(name)).unwrap();
        let (plain, zipped) = (read(&bytes), read(gzip(&bytes)));
        assert_eq!((plain.columns, plain.n_rows), (zipped.columns, zipped.n_rows), "{name}");
    }
}

#[test]
fn every_truncation_is_refused() {
    for name in
        ["parquet/none.parquet", "parquet/types.parquet", "ipc/small.arrows", "ipc/plain.arrow", "ipc/lz4.arrow"]
    {
        let bytes = std::fs::read(seed(name)).unwrap();
        for length in (8..bytes.len()).step_by(1 + bytes.len() / 300) {
            let message = refusal(&bytes[..length]);
            assert!(message.contains("damaged or incomplete"), "{name} {length}: {message}");
        }
    }
}

#[test]
fn a_flipped_bit_under_a_checksum_is_refused() {
    // This file has a checksum on every page; every change of a byte of a page must be noticed.
    let bytes = std::fs::read(seed("parquet/zstd_crc_v2.parquet")).unwrap();
    let good = of("parquet/zstd_crc_v2.parquet", &ReadOptions::default());
    let mut refused = 0;
    for at in 4..600 {
        let mut bad = bytes.clone();
        bad[at] ^= 0x10;
        match read_bytes_with(&bad, &ReadOptions::default()) {
            // Statistics and names of encodings in the headers of pages bear on no number.
            Ok(table) => assert!(same(values(&table), values(&good)), "byte {at}"),
            Err(error) => {
                assert!(!error.to_string().contains('\n'));
                refused += 1;
            }
        }
    }
    assert!(refused > 200, "{refused}");
}

#[test]
fn a_table_without_rows_is_refused() {
    let message = read_table(&seed("parquet/empty.parquet"), &ReadOptions::default()).unwrap_err().to_string();
    assert!(message.contains("no rows"), "{message}");
}
