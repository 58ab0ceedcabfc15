//! Golden values: reads `golden/cases/*.json` and the data files that they name.

use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The repository's root.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The golden case of that name.
///
/// # Panics
/// If it is not there: golden values are part of the repository.
pub fn case(name: &str) -> Value {
    let path = root().join(format!("golden/cases/{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// An item of the textbook case.
///
/// # Panics
/// If there is no such item.
pub fn textbook(name: &str) -> Value {
    item("textbook", name)
}

/// An item of a case of items.
///
/// # Panics
/// If there is no such item.
pub fn item(of: &str, name: &str) -> Value {
    let all = case(of);
    let items = all["items"].as_array().or_else(|| all["input"]["items"].as_array()).expect("items");
    items.iter().find(|i| i["name"] == name).unwrap_or_else(|| panic!("no item {name}")).clone()
}

/// A column-named table of numbers; cells that are not numbers are NaN.
#[derive(Clone, Debug)]
pub struct Csv {
    /// Column names.
    pub names: Vec<String>,
    /// Row-major cells.
    pub values: Vec<f64>,
}

impl Csv {
    /// The given columns, row-major.
    ///
    /// # Panics
    /// If a column is not there.
    pub fn columns(&self, names: &[&str]) -> Vec<f64> {
        let find = |n: &&str| self.names.iter().position(|m| m == n).unwrap_or_else(|| panic!("no column {n}"));
        let at: Vec<usize> = names.iter().map(find).collect();
        self.values.chunks(self.names.len()).flat_map(|row| at.iter().map(|&j| row[j]).collect::<Vec<_>>()).collect()
    }

    /// The first `d` columns, row-major.
    pub fn first(&self, d: usize) -> Vec<f64> {
        self.values.chunks(self.names.len()).flat_map(|row| row[..d].to_vec()).collect()
    }

    /// One column as labels; NaN gives −1.
    pub fn labels(&self, name: &str) -> Vec<i32> {
        self.columns(&[name]).iter().map(|v| if v.is_nan() { -1 } else { *v as i32 }).collect()
    }
}

/// Reads `golden/data/<name>` (gz or plain), or the same file of the reference folder beside the repository, if the
/// environment has one (`None` otherwise). A small reader of its own: tests of the real one must not rely on it.
pub fn data(name: &str) -> Option<Csv> {
    let places = [root().join("golden/data").join(name), root().join("../shared/golden/data").join(name)];
    let path = places.iter().find(|p| p.exists())?;
    let bytes = std::fs::read(path).ok()?;
    let mut text = String::new();
    if name.ends_with(".gz") {
        flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_string(&mut text).ok()?;
    } else {
        text = String::from_utf8(bytes).ok()?;
    }
    let mut lines = text.split(['\n', '\r']).filter(|l| !l.is_empty()).peekable();
    let cell = |c: &str| c.trim_matches('"').parse::<f64>().ok();
    let width = lines.peek()?.split(',').count();
    let header = lines.peek()?.split(',').any(|c| cell(c).is_none());
    let names = if header {
        lines.next()?.split(',').map(|c| c.trim_matches('"').to_owned()).collect()
    } else {
        (1..=width).map(|j| format!("x{j}")).collect()
    };
    let values = lines.flat_map(|l| l.split(',').map(|c| cell(c).unwrap_or(f64::NAN)).collect::<Vec<_>>()).collect();
    Some(Csv { names, values })
}

/// A JSON array of numbers (null = NaN), flattened whatever its nesting.
///
/// # Panics
/// On anything else.
pub fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        Value::Null => vec![f64::NAN],
        other => vec![other.as_f64().unwrap_or_else(|| panic!("not a number: {other}"))],
    }
}

/// A JSON number.
///
/// # Panics
/// On anything else.
pub fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("not a number: {value}"))
}

/// Asserts that two lists agree to an absolute tolerance, NaN nowhere.
///
/// # Panics
/// If they do not.
#[track_caller]
pub fn assert_close(what: &str, got: &[f64], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len(), "{what}: lengths");
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        assert!((g - w).abs() <= tolerance, "{what}[{i}]: got {g}, want {w}, off by {:e}", (g - w).abs());
    }
}
