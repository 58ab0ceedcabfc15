//! Standard input and output, by running this test program once more as a child.

mod common;
use std::io::Write;
use std::process::{Command, Stdio};

use common::gzip;
use mixtura_io::{ReadOptions, read_table, write_atomic};

/// Not a test of its own: what the child does.
#[test]
#[ignore = "run by the other test as a child"]
fn child() {
    let answer = match read_table("-", &ReadOptions::default()) {
        Ok(table) => format!("<{} {} {:?}>", table.source, table.n_rows, table.columns),
        Err(error) => format!("<{error}>"),
    };
    write_atomic("-", |out| out.write_all(answer.as_bytes())).unwrap();
}

fn answer(input: &[u8]) -> String {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    let start = output.find('<').unwrap();
    output[start..=output.rfind('>').unwrap()].to_owned()
}

#[test]
fn all_formats_come_through_a_pipe() {
    let good = "<standard input 2 [\"a\", \"b\"]>";
    assert_eq!(answer(b"a,b\n1,2\n3,4\n"), good);
    assert_eq!(answer(&gzip(b"a,b\n1,2\n3,4\n")), good);
    let npy = common::npy("'<f4'", false, "(2,)", &[0; 8]);
    assert_eq!(answer(&npy), "<standard input 2 [\"x1\"]>");
    assert!(answer(&npy[..npy.len() - 1]).contains("standard input: the NPY data ends"));
    assert!(answer(b"a,b\n1\n").contains("standard input, line 2"));
    assert!(answer(b"").contains("standard input is empty"));
}
