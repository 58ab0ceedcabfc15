//! JSON lines.

mod common;
use common::*;

fn shown(text: &str) -> (Vec<String>, Vec<String>) {
    let table = read(text);
    (table.columns.clone(), values(&table).iter().map(f64::to_string).collect())
}

#[test]
fn keys_are_columns_in_order_of_appearance() {
    let (columns, numbers) =
        shown("{\"z\":1,\"a\":2.5}\n{\"a\":-1e3,\"late\":true}\r\n\n{\"late\":false,\"z\":\"NA\"}\n");
    assert_eq!(columns, ["z", "a", "late"]);
    assert_eq!(numbers, ["1", "2.5", "NaN", "NaN", "-1000", "1", "NaN", "NaN", "0"]);
    let table = read("\u{feff} {\"x\":1}\n\n{\"x\":2}\n\n");
    assert_eq!((table.n_rows, &table.notes[..]), (2, &["1 blank line inside the data skipped".to_string()][..]));
    // The shortest decimals that tell two neighbours apart, and an integer next to 2^53.
    let (_, numbers) = shown("{\"x\":0.1}\n{\"x\":9007199254740993}\n{\"x\":0.30000000000000004}");
    assert_eq!(numbers, ["0.1", "9007199254740992", "0.30000000000000004"]);
}

#[test]
fn text_and_nested_values_are_dropped_or_refused() {
    let text = "{\"x\":1,\"s\":\"a\",\"n\":\"7\",\"o\":{\"k\":[1,{}]},\"l\":[1]}\n{\"x\":3,\"s\":\"b\",\"n\":8}\n";
    let table = read(text);
    assert_eq!(table.columns, ["x"]);
    let dropped: Vec<String> = table.dropped.iter().map(|d| format!("{}: {}", d.name, d.reason)).collect();
    assert_eq!(dropped[0], "s: text, for example \"a\" on line 1");
    assert_eq!(dropped[1], "n: text (numbers in quotes; write them without), for example \"7\" on line 1");
    assert!(dropped[2].starts_with("o: lists or objects") && dropped[3].starts_with("l: lists"));
    assert!(refusal_with(text, &columns(&["s"])).contains("line 1"));
    assert!(refusal_with(text, &columns(&["o"])).contains("line 1"));
    assert_eq!(read_with(text, &label("s")).labels.unwrap().names, ["a", "b"]);
    let message = refusal_with("{\"x\":1,\"w\":1}\n{\"x\":2}\n", &weights("w"));
    assert!(message.contains("line 2") && message.contains("is missing"), "{message}");
    assert!(refusal("{\"x\":1}\n{\"x\":\"-inf\"}\n").contains("line 2"));
}

#[test]
fn what_is_no_json_line_is_refused_with_its_line() {
    for (second, why) in [
        ("{\"x\":1", "EOF"),
        ("{\"x\":}", "expected value"),
        ("{\"x\":1,\"x\":2}", "occurs twice"),
        ("{\"x\":1}{\"x\":2}", "trailing characters"),
        ("[1]", "an object"),
        ("{\"x\":1e999}", "out of range"),
        ("{\"x\":NaN}", "expected"),
    ] {
        let message = refusal(format!("{{\"x\":1}}\n{second}\n"));
        assert!(message.contains("line 2") && message.contains(why), "{message}");
    }
    let deep = format!("{{\"x\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let _ = read_bytes_with(deep.as_bytes(), &columns(&["x"]));
    assert!(refusal("{\n\"x\": 1\n}\n").contains("line 1"));
    assert!(refusal("[{\"a\":1},\n{\"a\":2}]").contains("jq -c"));
    assert!(refusal("{}\n{}\n").contains("no object has a key"));
}
