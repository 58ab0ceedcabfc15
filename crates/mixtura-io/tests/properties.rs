//! What holds for every table and for every input.

mod common;
use common::*;
use mixtura_io::{ReadOptions, Values};
use proptest::prelude::*;

fn finite() -> impl Strategy<Value = f64> {
    any::<u64>().prop_map(f64::from_bits).prop_filter("finite", |v| v.is_finite())
}

#[derive(Debug, Clone, Copy)]
enum Quoting {
    Never,
    Always,
    Sometimes,
}

fn write(table: &[Vec<f64>], delimiter: &str, end: &str, quoting: Quoting, header: bool) -> String {
    let comma = delimiter != "," && table.len().is_multiple_of(2);
    let mut text = String::new();
    let mut line = |cells: Vec<String>| {
        text.push_str(&cells.join(delimiter));
        text.push_str(end);
    };
    let quote = |i: usize, cell: String| match quoting {
        Quoting::Always => format!("\"{cell}\""),
        Quoting::Sometimes if i.is_multiple_of(2) => format!("\"{cell}\""),
        _ => cell,
    };
    if header {
        line((0..table[0].len()).map(|i| quote(i, format!("c{i}"))).collect());
    }
    for row in table {
        let cell = |v: &f64| {
            let text = format!("{v:e}");
            if comma { text.replace('.', ",") } else { text }
        };
        line(row.iter().enumerate().map(|(i, v)| quote(i, cell(v))).collect());
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn tables_come_back_bit_for_bit(
        (width, cells) in (1usize..6).prop_flat_map(|width| {
            (Just(width), prop::collection::vec(finite(), width..width * 12))
        }),
        delimiter in prop::sample::select(vec![",", ";", "\t", "|", " ", "  \t"]),
        end in prop::sample::select(vec!["\n", "\r\n", "\r"]),
        quoting in prop::sample::select(vec![Quoting::Never, Quoting::Always, Quoting::Sometimes]),
        header: bool,
        zipped: bool,
    ) {
        let table: Vec<Vec<f64>> = cells.chunks_exact(width).map(<[f64]>::to_vec).collect();
        // One column has no delimiter, so that a decimal comma would be taken for one.
        let delimiter = if width == 1 { "," } else { delimiter };
        let text = write(&table, delimiter, end, quoting, header);
        let bytes = if zipped { gzip(text.as_bytes()) } else { text.into_bytes() };
        // By position, so that columns that happen to count rows stay.
        let all: Vec<String> = (1..=width).map(|i| i.to_string()).collect();
        let options = ReadOptions { columns: Some(all), ..ReadOptions::default() };
        let got = read_bytes_with(&bytes, &options).unwrap();
        let Values::F64(got_values) = &got.values else { panic!() };
        let bits = |values: &[f64]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(got.n_rows, table.len());
        prop_assert_eq!(bits(got_values), bits(&table.concat()));
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = read_bytes_with(&bytes, &ReadOptions::default());
    }

    #[test]
    fn random_text_never_panics(
        text in "([0-9a\"',;| \t\r\n#.?-]|NA|é|1e999|inf|\u{feff}){0,120}",
        label in prop::option::of("[1-3]"),
        weights in prop::option::of("[1-3]"),
        columns in prop::option::of(prop::collection::vec("[1-3]", 0..3)),
    ) {
        let options = ReadOptions { columns, weights_column: weights, label_column: label, ..ReadOptions::default() };
        if let Ok(table) = read_bytes_with(text.as_bytes(), &options) {
            let n = values(&table).len();
            prop_assert_eq!(n, table.n_rows * table.columns.len());
            prop_assert!(table.weights.is_none_or(|w| w.len() == table.n_rows));
            prop_assert!(table.labels.is_none_or(|l| l.codes.len() == table.n_rows));
            prop_assert!(table.n_rows > 0 && n > 0);
        }
    }

    #[test]
    fn damaged_files_never_panic(
        which in 0usize..4,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let text = b"\"a\",b,c\n1,2,\"x, y\"\n3.5,NA,z\n4,5,\n";
        let mut bytes = match which {
            0 => text.to_vec(),
            1 => gzip(text),
            2 => npy("'<f8'", true, "(2, 3)", &[7; 48]),
            _ => npy("'>i4'", false, "(5,)", &[7; 20]),
        };
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = read_bytes_with(&bytes, &ReadOptions::default());
        bytes.truncate(cut.index(bytes.len()));
        let _ = read_bytes_with(&bytes, &ReadOptions::default());
    }
}
