//! Several files and globs as one table.

mod common;
use common::*;
use mixtura_io::{ReadError, ReadOptions, Table, expand, read_tables};

struct Files(tempfile::TempDir);

impl Files {
    fn new(files: &[(&str, &[u8])]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        Files(folder)
    }

    fn paths(&self, names: &[&str]) -> Vec<String> {
        names.iter().map(|name| self.0.path().join(name).to_str().unwrap().to_owned()).collect()
    }

    fn read(&self, names: &[&str], options: &ReadOptions) -> Result<Table, ReadError> {
        read_tables(&self.paths(names), options)
    }

    fn refusal(&self, names: &[&str], options: &ReadOptions) -> String {
        let message = self.read(names, options).unwrap_err().to_string();
        assert!(!message.contains('\n'));
        message
    }
}

#[test]
fn rows_follow_each_other_and_columns_go_by_name() {
    let parquet =
        std::fs::read(format!("{}/../../fuzz/seeds/parquet/none.parquet", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let files = Files::new(&[
        ("a.csv", b"x,y,s\n1,2,t\n"),
        ("b.jsonl", b"{\"y\":4,\"x\":3}\n"),
        ("c.parquet", &parquet),
        ("d.npy", &npy("'<i2'", false, "(1, 2)", &[7, 0, 8, 0])),
    ]);
    let table = files.read(&["a.csv", "b.jsonl", "c.parquet"], &ReadOptions::default()).unwrap();
    assert_eq!(table.columns, ["x", "y"]);
    assert_eq!(values(&table)[..8], [1.0, 2.0, 3.0, 4.0, 0.1, 1.5, -2.5, 2.5]);
    assert!(table.source.starts_with("3 files (") && table.source.contains("a.csv … "), "{}", table.source);
    // Single precision in one file, double in the other.
    let table = files.read(&["c.parquet", "d.npy", "b.jsonl"], &ReadOptions::default()).unwrap();
    assert_eq!(values(&table)[6..], [7.0, 8.0, 3.0, 4.0]);
    assert!(table.notes.iter().any(|note| note.contains("in the order of")), "{:?}", table.notes);
}

#[test]
fn what_a_column_is_depends_on_all_files() {
    let files = Files::new(&[
        ("1.csv", b"n,x,k,c\n1,2,1,5\n2,4,2,5\n3,9,3,5\n"),
        ("2.csv", b"c,x,k,n\n5,3,oops,4\n6,5,4,5\n"),
        ("3.csv", b"n,x,k,c\n6,1,1,7\n"),
    ]);
    let table = files.read(&["1.csv", "2.csv", "3.csv"], &ReadOptions::default()).unwrap();
    assert_eq!(table.columns, ["x", "c"]);
    assert_eq!(values(&table), [2.0, 5.0, 4.0, 5.0, 9.0, 5.0, 3.0, 5.0, 5.0, 6.0, 1.0, 7.0]);
    let why: Vec<&str> = table.dropped.iter().map(|d| d.reason.as_str()).collect();
    assert!(why[0].contains("consecutive"), "{why:?}");
    assert!(why[1].contains("\"oops\" on line 2 of") && why[1].contains("2.csv"), "{why:?}");
    let message = files.refusal(&["1.csv", "2.csv"], &columns(&["k"]));
    assert!(message.contains("2.csv, line 2") && message.contains("oops"), "{message}");
}

#[test]
fn labels_and_weights_run_through_all_files() {
    let files = Files::new(&[("1.csv", b"g,w,x\nb,0,2\na,0,4\n"), ("2.csv", b"x,g,w\n3,c,1\n5,b,2\n")]);
    let options =
        ReadOptions { label_column: Some("g".into()), weights_column: Some("w".into()), ..ReadOptions::default() };
    let table = files.read(&["1.csv", "2.csv"], &options).unwrap();
    assert_eq!(table.labels.unwrap().codes, [1, 0, 2, 1]);
    assert_eq!(table.weights.unwrap(), [0.0, 0.0, 1.0, 2.0]);
    assert!(files.refusal(&["1.csv"], &options).contains("is zero"));
}

#[test]
fn other_columns_are_refused() {
    let files = Files::new(&[
        ("a.csv", b"x,y\n1,2\n"),
        ("less.csv", b"x\n3\n"),
        ("more.csv", b"x,y,z\n3,4,5\n"),
        ("text.csv", b"x,y,z\n3,4,five\n"),
        ("three.npy", &npy("'<i2'", false, "(1, 3)", &[7, 0, 8, 0, 9, 0])),
        ("two.npy", &npy("'<i2'", false, "(1, 2)", &[7, 0, 8, 0])),
    ]);
    let all = ReadOptions::default();
    let message = files.refusal(&["a.csv", "less.csv"], &all);
    assert!(message.contains("less.csv has no column \"y\", which"), "{message}");
    let message = files.refusal(&["a.csv", "more.csv"], &all);
    assert!(message.contains("more.csv has the column \"z\"") && message.contains("--columns"), "{message}");
    assert_eq!(files.read(&["a.csv", "text.csv"], &all).unwrap().n_rows, 2);
    assert_eq!(files.read(&["a.csv", "more.csv", "less.csv"], &columns(&["x"])).unwrap().n_rows, 3);
    assert!(files.refusal(&["a.csv", "three.npy"], &all).contains("3 columns without names"));
    assert!(files.refusal(&["two.npy", "a.csv"], &all).contains("put a file with names first"));
}

#[test]
fn globs() {
    let files =
        Files::new(&[("b.csv", b"x\n1\n"), ("a.csv", b"x\n2\n"), ("c[1].csv", b"x\n3\n"), ("c1.csv", b"x\n4\n")]);
    let all = ReadOptions::default();
    let numbers = |names: &[&str]| values(&files.read(names, &all).unwrap()).to_vec();
    assert_eq!(numbers(&["?.csv"]), [2.0, 1.0]);
    assert_eq!(numbers(&["c[1].csv", "a*"]), [3.0, 2.0]);
    assert!(files.refusal(&["z*.csv"], &all).contains("matches no file"));
    assert!(files.refusal(&["[.csv"], &all).contains("no valid pattern"));
    assert!(expand(&["-".into(), "-".into()]).unwrap_err().to_string().contains("twice"));
    assert!(matches!(files.read(&["gone.csv"], &all), Err(ReadError::Io(_))));
    let table = files.read(&["a.csv", "a.csv", "b.csv"], &all).unwrap();
    assert_eq!(table.n_rows, 3);
    assert!(table.notes[0].contains("2 times"), "{:?}", table.notes);
    assert!(read_tables(&[], &all).is_err());
}
