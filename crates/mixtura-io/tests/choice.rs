//! Which columns become the table, the weights and the labels.

mod common;
use common::*;
use mixtura_io::ReadOptions;

#[test]
fn columns_in_the_order_asked_for() {
    let text = "a,b,c\n1,2,3\n4,5,6\n";
    let table = read_with(text, &columns(&["c", "1"]));
    assert_eq!(table.columns, ["c", "a"]);
    assert_eq!(values(&table), [3.0, 1.0, 6.0, 4.0]);
    assert!(table.dropped.is_empty());
    for (asked, why) in [
        (&["d"][..], "the 3 columns are \"a\", \"b\", \"c\""),
        (&["0"], "no column"),
        (&["4"], "no column"),
        (&["a", "1"], "twice"),
        (&[], "empty"),
    ] {
        let message = refusal_with(text, &columns(asked));
        assert!(message.contains(why), "{message}");
    }
}

#[test]
fn a_long_list_of_names_is_cut() {
    let names: Vec<String> = (0..20).map(|i| format!("n{i}")).collect();
    let text = format!("{}\n{}\n", names.join(","), ["1"; 20].join(","));
    let message = refusal_with(text, &columns(&["z"]));
    assert!(message.contains("\"n9\", …") && !message.contains("n10"), "{message}");
}

#[test]
fn text_is_dropped_or_refused() {
    let text = "species,day,flag,group,x\nsetosa,2020-01-01,true,\"1,234\",1\nb,2020-01-02,false,5,2\n";
    let table = read(text);
    assert_eq!(table.columns, ["x"]);
    let reasons: Vec<&str> = table.dropped.iter().map(|d| d.reason.as_str()).collect();
    assert_eq!(reasons[0], "text, for example \"setosa\" on line 2");
    assert!(reasons[1].contains("2020-01-01"));
    assert!(reasons[2].contains("true and false"));
    assert!(reasons[3].contains("thousands"));
    let message = refusal_with(text, &columns(&["species"]));
    assert!(message.contains("line 2") && message.contains("\"setosa\""), "{message}");
    assert!(refusal("a,b\nx,y\nz,w\n").contains("no numeric column"));
    for odd in ["1_000", "0x10", "1d5"] {
        assert_eq!(read(format!("a,x\n{odd},1\n2,3\n")).columns, ["x"], "{odd}");
    }
}

#[test]
fn row_numbers_are_dropped_unless_asked_for() {
    let text = "n,id,key_id,x\n5,9,3,1.5\n6,9,1,2\n7,4,2,3\n";
    let table = read(text);
    assert_eq!(table.columns, ["x"]);
    let names: Vec<&str> = table.dropped.iter().map(|d| d.name.as_str()).collect();
    assert_eq!(names, ["n", "id", "key_id"]);
    assert_eq!(read_with(text, &columns(&["n", "id"])).columns, ["n", "id"]);
    // Repeated or broken keys, two rows and descending numbers are data.
    assert_eq!(read("key_id,x\n1,2\n1,3\n2,9\n").columns, ["key_id", "x"]);
    assert_eq!(read("key_id,x\n1.5,2\n1,3\n").columns, ["key_id", "x"]);
    assert_eq!(read("n,x\n1,5\n2,3\n").columns, ["n", "x"]);
    assert_eq!(read("n,x\n3,5\n2,3\n1,1\n").columns, ["n", "x"]);
    for name in ["ID", "Index", "rownames", "RowId", "Unnamed: 0"] {
        assert_eq!(read(format!("{name},x\n7,2\n3,3\n")).columns, ["x"], "{name}");
    }
}

#[test]
fn row_numbers_are_kept_when_nothing_else_is_left() {
    let table = read("n,t\n1,a\n2,b\n3,c\n");
    assert_eq!(table.columns, ["n"]);
    assert!(table.notes[0].contains("only choice"), "{:?}", table.notes);
}

#[test]
fn columns_without_values() {
    let table = read("a,b\n1,\n3,NA\n");
    assert_eq!(table.columns, ["a"]);
    assert_eq!(table.dropped[0].reason, "no value");
    assert!(refusal_with("a,b\n1,\n3,NA\n", &columns(&["b"])).contains("no value"));
    assert!(refusal("a\nNA\nNA\n").contains("no value"));
    assert!(refusal("a,b\nNA,\nNA,\n").contains("no numeric column"));
}

#[test]
fn weights_are_checked() {
    let table = read_with("w,x\n0,1\n2.5,4\n", &weights("w"));
    assert_eq!(table.columns, ["x"]);
    assert_eq!(table.weights.unwrap(), [0.0, 2.5]);
    for (bad, why) in [("-1", "is negative"), ("", "is missing"), ("abc", "is not a number"), ("inf", "is not finite")]
    {
        let message = refusal_with(format!("w,x\n1,1\n{bad},4\n"), &weights("w"));
        assert!(message.contains(why) && message.contains("line 3"), "{message}");
    }
    assert!(refusal_with("w,x\n0,1\n0,4\n", &weights("w")).contains("is zero"));
    assert!(refusal_with("w,x\n1,1\n", &weights("v")).contains("no column"));
}

#[test]
fn labels_are_coded() {
    let table = read_with("c,x\nb,1\n?,4\na,5\nb,6\n", &label("c"));
    let labels = table.labels.unwrap();
    assert_eq!(labels.names, ["a", "b"]);
    assert_eq!(labels.codes, [1, -1, 0, 1]);
    assert!(table.dropped.is_empty());
    let labels = read_with("c,x\n10,1\n9,4\n10,5\n", &label("1")).labels.unwrap();
    assert_eq!((labels.names, labels.codes), (vec!["9".into(), "10".into()], vec![1, 0, 1]));
    let many: String = (0..10_001).map(|i| format!("l{i},1.5\n")).collect();
    assert!(refusal_with(format!("c,x\n{many}"), &label("c")).contains("10,000 distinct"));
}

#[test]
fn everything_at_once() {
    let options = ReadOptions {
        columns: Some(vec!["y".into(), "x".into()]),
        weights_column: Some("2".into()),
        label_column: Some("c".into()),
        ..ReadOptions::default()
    };
    let table = read_with("c,w,x,t,y\na,1,2,t,3\nb,4,5,t,6\n", &options);
    assert_eq!(values(&table), [3.0, 2.0, 6.0, 5.0]);
    assert_eq!(table.weights.unwrap(), [1.0, 4.0]);
    assert_eq!(table.labels.unwrap().codes, [0, 1]);
}

#[test]
fn constant_columns_are_dropped_unless_asked_for_or_alone() {
    let text = "a,b\n1.5,7\n2.5,7\n9,7\n";
    let table = read(text);
    assert_eq!(table.columns, ["a"]);
    assert!(table.dropped[0].reason.contains("constant, always 7"), "{:?}", table.dropped);
    assert_eq!(read_with(text, &columns(&["a", "b"])).columns, ["a", "b"]);
    // One row makes every column constant, and the only column stays.
    assert_eq!(read("a,b\n1,7\n").columns, ["a", "b"]);
    assert_eq!(read("b\n7\n7\n7\n").columns, ["b"]);
}

#[test]
fn the_response_comes_last_whatever_it_looks_like() {
    let of = |columns: Option<Vec<String>>, response: &str| ReadOptions {
        columns,
        response_column: Some(response.into()),
        ..ReadOptions::default()
    };
    // A constant, and the first column of the file.
    let text = "y,a,b\n7,1.5,2\n7,2.5,4\n7,9,9\n";
    let table = read_with(text, &of(None, "y"));
    assert_eq!(table.columns, ["a", "b", "y"]);
    assert_eq!(values(&table)[..3], [1.5, 2.0, 7.0]);
    assert_eq!(read_with(text, &of(Some(vec!["b".into(), "y".into(), "a".into()]), "1")).columns, ["b", "a", "y"]);
    // The only other column stays although it counts rows, and before the response.
    let table = read_with("y,n\n3,1\n8,2\n4,3\n", &of(None, "y"));
    assert_eq!(table.columns, ["n", "y"]);
    assert!(table.notes.iter().any(|note| note.contains("consecutive")), "{:?}", table.notes);
    assert!(refusal_with("y,a\nno,1\nyes,2\n", &of(None, "y")).contains("not a number"));
    assert!(refusal_with("y,a\n1,1\n0,2\n", &of(None, "z")).contains("no column"));
}

#[test]
fn infinite_values_stay_where_they_are_asked_for() {
    let options = ReadOptions { infinite: true, ..columns(&["a", "b"]) };
    let table = read_with("a,b\n-inf,1\n2,Inf\n3,\n", &options);
    let got = values(&table);
    assert_eq!(got[..5], [f64::NEG_INFINITY, 1.0, 2.0, f64::INFINITY, 3.0]);
    assert!(got[5].is_nan());
    assert!(refusal_with("a,b\n-inf,1\n2,3\n", &columns(&["a", "b"])).contains("not finite"));
}
