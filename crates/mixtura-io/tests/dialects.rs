//! Text files in all the dialects that are read.

mod common;
use common::*;

#[test]
fn delimiters_line_ends_and_the_bom() {
    for delimiter in [",", ";", "\t", "|", " ", "   ", " \t"] {
        for end in ["\n", "\r\n", "\r"] {
            for bom in ["", "\u{feff}"] {
                let text = format!("{bom}a,b{end}1.5,2{end}-3,4e1{end}{end}").replace(',', delimiter);
                let table = read(&text);
                assert_eq!(table.columns, ["a", "b"], "{text:?}");
                assert_eq!(values(&table), [1.5, 2.0, -3.0, 40.0], "{text:?}");
                assert_eq!(table.n_rows, 2);
                assert!(table.notes.is_empty() && table.dropped.is_empty(), "{table:?}");
            }
        }
    }
}

#[test]
fn a_file_without_final_line_end() {
    assert_eq!(values(&read("a,b\n1,2\n3,4")), [1.0, 2.0, 3.0, 4.0]);
}

#[test]
fn no_header_gives_numbered_columns() {
    let table = read("1,2\n3,5\n");
    assert_eq!(table.columns, ["x1", "x2"]);
    assert_eq!(table.n_rows, 2);
    assert!(table.notes[0].contains("no header line"));
    assert_eq!(read("7\n").n_rows, 1);
}

#[test]
fn a_header_partly_of_numbers_is_noted() {
    let table = read("a,1990\n1,2\n3,5\n");
    assert_eq!(table.columns, ["a", "1990"]);
    assert!(table.notes[0].contains("taken for the header"), "{:?}", table.notes);
}

#[test]
fn decimal_commas() {
    let table = read("a;b\n1,5;2\n-,5;3,25e1\n");
    assert_eq!(values(&table), [1.5, 2.0, -0.5, 32.5]);
    assert!(table.notes[0].contains("decimal comma"));
    assert_eq!(values(&read("1,5 2\n2,5 4\n")), [1.5, 2.0, 2.5, 4.0]);
    // A point in such a file may group thousands.
    let table = read(format!("a;b\n{}2,5;1.234\n", "1,5;2\n".repeat(3000)));
    assert_eq!(table.columns, ["a"]);
    assert!(table.dropped[0].reason.contains("1.234"));
    // With both marks from the start the point wins.
    let table = read("a;b\n1,5;2\n2,5;1.234\n");
    assert_eq!(table.columns, ["b"]);
    assert!(table.dropped[0].reason.contains("one decimal mark"));
}

#[test]
fn quotes() {
    let text = "\"a, \"\"b\"\"\",\"c\r\nd\"\n\"1.5\",2\n3,\"4\"\n";
    let table = read(text);
    assert_eq!(table.columns, ["a, \"b\"", "c\r\nd"]);
    assert_eq!(values(&table), [1.5, 2.0, 3.0, 4.0]);
}

#[test]
fn a_quoted_line_end_does_not_shift_the_lines() {
    let text = "a,b\n\"x\ny\",1\nz,2\nz,3,4\n";
    assert!(refusal(text).contains("line 5"));
}

#[test]
fn missing_markers() {
    let table = read("a,b\n1,\n2,NA\n4, nan \n5,\"\"\n6,?\n7,NULL\n8,n/a\n9,None\n10,3\n");
    let column: Vec<f64> = values(&table).iter().skip(1).step_by(2).copied().collect();
    assert!(column[..8].iter().all(|v| v.is_nan()));
    assert_eq!(column[8], 3.0);
}

#[test]
fn comment_and_blank_lines() {
    let table = read("# made, by \"me\n#\na,b\n1,2\n\n3,4\n\n\n");
    assert_eq!(values(&table), [1.0, 2.0, 3.0, 4.0]);
    assert_eq!(table.notes, ["2 comment lines at the top skipped", "1 blank line inside the data skipped"]);
}

#[test]
fn names_are_completed() {
    let table = read("a,,a,a_2\n1,2,3,4\n5,6,7,8\n");
    assert_eq!(table.columns, ["a", "x2", "a_3", "a_2"]);
    assert!(table.notes[0].contains("a_3"));
    let options = columns(&["a"]);
    assert!(refusal_with("a,a\n1,2\n", &options).contains("more than one column"));
    assert_eq!(values(&read_with("a,a\n1,2\n", &columns(&["2"]))), [2.0]);
}

#[test]
fn a_trailing_delimiter_is_an_empty_column() {
    let table = read("a,b,\n1,2,\n3,4,\n");
    assert_eq!(table.columns, ["a", "b"]);
    assert_eq!((table.dropped[0].name.as_str(), table.dropped[0].reason.as_str()), ("x3", "no value"));
}

#[test]
fn row_names_of_r_and_pandas() {
    for text in ["a b\n1 1.5 2\n2 3 4\n3 5 6\n", "\"a\" \"b\"\n\"p q\" 1.5 2\n\"r\" 3 4\n\"s\" 5 6\n"] {
        let table = read(text);
        assert_eq!(table.columns, ["a", "b"]);
        assert_eq!(values(&table), [1.5, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(table.dropped.len(), 1);
    }
    assert!(refusal("a b\n7 1 2\n5 3 4\n").contains("3 fields where 2"));
    let table = read(",a\n0,5\n1,7\n");
    assert_eq!(table.columns, ["a"]);
    assert_eq!(table.dropped[0].name, "x1");
}

#[test]
fn gzip_is_read_by_content() {
    let both = [gzip(b"a,b\n1,2\n3"), gzip(b",4\n")].concat();
    assert_eq!(values(&read(both)), [1.0, 2.0, 3.0, 4.0]);
}

#[test]
fn a_column_that_turns_to_text_late() {
    let mut text = String::from("a,b,c\n");
    for i in 0..100_000 {
        text.push_str(&format!("{},{},{}\n", i % 7, i, i % 5));
    }
    text.push_str("1,oops,2\n3,4,5\n");
    let table = read(&text);
    assert_eq!(table.columns, ["a", "c"]);
    assert_eq!(table.n_rows, 100_002);
    assert_eq!(values(&table)[200_000..], [1.0, 2.0, 3.0, 5.0]);
    assert_eq!(values(&table)[2 * 77_777], f64::from(77_777 % 7));
    assert_eq!(table.dropped[0].reason, "text, for example \"oops\" on line 100002");
    let message = refusal_with(&text, &columns(&["c", "b"]));
    assert!(message.contains("line 100002") && message.contains("\"oops\""), "{message}");
}

#[test]
fn numbers_are_exact() {
    let table = read("a\n0.1\n1e-320\n9007199254740993\n-0\n1.7976931348623157e308\n");
    let bits: Vec<u64> = values(&table).iter().map(|v| v.to_bits()).collect();
    let expected = [0.1, 1e-320, 9007199254740992.0, -0.0, f64::MAX].map(f64::to_bits);
    assert_eq!(bits, expected);
}
