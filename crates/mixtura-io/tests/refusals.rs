//! Files that are refused, each in one sentence that names the place.

mod common;
use common::*;
use mixtura_io::{ReadError, ReadOptions, read_table};

#[test]
fn infinite_values() {
    for bad in ["inf", "-inf", "Infinity", "1e999"] {
        let message = refusal(format!("a,b\n1,2\n3,{bad}\n"));
        for part in ["line 3", "column \"b\"", bad] {
            assert!(message.contains(part), "{message}");
        }
        // In a column that nobody reads it does no harm.
        assert_eq!(read_with(format!("a,b\n1,2\n3,{bad}\n"), &columns(&["a"])).n_rows, 2);
    }
    assert_eq!(read("a,b\n1,inf\n3,word\n").columns, ["a"]);
}

#[test]
fn nothing_to_read() {
    assert!(refusal("").contains("empty"));
    assert!(refusal("\n\r\n  \n").contains("empty"));
    assert!(refusal("\u{feff}").contains("empty"));
    assert!(refusal("# only a comment\n").contains("empty"));
    assert!(refusal("a,b\n").contains("no rows"));
    assert!(refusal(gzip(b"")).contains("empty"));
}

#[test]
fn a_row_of_nothing_but_a_second_bom() {
    assert!(refusal("\u{feff}\u{feff}\r").contains("a row is empty"));
}

#[test]
fn ragged_rows() {
    let message = refusal("a,b\n1,2\n\n3\n");
    assert!(message.contains("line 4: the row has 1 field where 2 are expected"), "{message}");
    assert!(refusal("a,b\r1,2\r3,4,5\r").contains("line 3: the row has 3 fields"));
    let mut long = "1,2\n".repeat(5000);
    long.push_str("1,2,3\n");
    assert!(refusal(long).contains("line 5001"));
    assert!(refusal("x\n1,5\n2,5\n").contains("line 2"));
}

#[test]
fn quotes_that_never_close() {
    assert!(refusal("a,b\n1,\"2\n3,4\n").contains("starts on line 2 is never closed"));
}

#[test]
fn other_encodings() {
    let utf16: Vec<u8> = "a,b\n1,2\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(refusal(&utf16).contains("UTF-16"));
    assert!(refusal([b"\xff\xfe", &utf16[..]].concat()).contains("iconv -f UTF-16"));
    let message = refusal(b"name,x\nabc,1\nM\xfcller,2\n");
    assert!(message.contains("line 3") && message.contains("iconv"), "{message}");
    let mut late = b"a,b\n".to_vec();
    late.extend(b"1,2\n".repeat(200_000));
    late.extend(b"1,\x002\n");
    assert!(refusal(&late).contains("line 200002: there is a zero byte"));
}

#[test]
fn foreign_formats() {
    assert!(refusal(b"PAR1\x15\x04").contains("Parquet"));
    assert!(refusal(b"PK\x03\x04\x14\0").contains("zip"));
    assert!(refusal(gzip(b"PAR1\x15\x04")).contains("Parquet"));
    assert!(refusal(gzip(&gzip(b"a\n1\n"))).contains("gzip inside gzip"));
}

#[test]
fn damaged_and_explosive_gzip() {
    let good = gzip(b"a,b\n1,2.5\n7,8\n");
    for length in 3..good.len() {
        assert!(refusal(&good[..length]).contains("ends too early"), "{length}");
    }
    let bomb = gzip("1,2\n".repeat(17 << 20).as_bytes());
    assert!(refusal(bomb).contains("200 times"));
}

#[test]
fn too_wide_and_too_long() {
    assert!(refusal("1,".repeat(100_001)).contains("more than 100,000 columns"));
    assert!(refusal("1".repeat(17 << 20)).contains("longer than 16 MiB"));
    let wide = format!("{}1\n", "1,".repeat(9_999));
    assert_eq!(read(wide.repeat(3)).columns.len(), 10_000);
}

#[test]
fn paths_that_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().to_str().unwrap();
    for (path, why) in [(folder.to_owned(), "folder"), (format!("{folder}/none"), "cannot open")] {
        match read_table(&path, &ReadOptions::default()) {
            Err(ReadError::Io(message)) => {
                assert!(message.contains(why) && message.contains(&path), "{message}");
            }
            other => panic!("{other:?}"),
        }
    }
}
