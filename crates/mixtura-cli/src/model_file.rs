//! Reads model files and start parameters, bounded in size, with the file's name in every refusal.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use mixtura::persist::{Parameters, SavedModel};
use serde::Deserialize;

use crate::failure::{Failure, IO, UNUSABLE};
use crate::output;

/// Larger files are refused before they fill the memory.
const MOST_BYTES: u64 = 2 << 30;
/// Bytes by which a file is known not to be JSON.
const HEAD_BYTES: u64 = 4096;

/// A saved model.
pub(crate) fn read(path: &Path) -> Result<SavedModel, Failure> {
    SavedModel::from_json(&text(path, "model")?).map_err(|error| Failure::about(&path.display().to_string(), &error))
}

/// The number of the model's column of that name.
pub(crate) fn column(saved: &SavedModel, name: &str) -> Result<usize, Failure> {
    saved.columns.iter().position(|column| column == name).ok_or_else(|| {
        let shown: Vec<&str> = saved.columns.iter().take(20).map(String::as_str).collect();
        let more = if saved.columns.len() > 20 { ", …" } else { "" };
        Failure::usage(format!("the model has no column '{name}': its columns are {}{more}", shown.join(", ")))
    })
}

/// The numbers of several columns, each named once.
pub(crate) fn columns(saved: &SavedModel, names: &[String]) -> Result<Vec<usize>, Failure> {
    if let Some(i) = (0..names.len()).find(|&i| names[..i].contains(&names[i])) {
        return Err(Failure::usage(format!("column '{}' is named twice", names[i])));
    }
    names.iter().map(|name| column(saved, name)).collect()
}

/// Writes a model to a file, or to standard output where none is given.
pub(crate) fn write(path: Option<&str>, saved: &SavedModel) -> Result<(), Failure> {
    output::write(path, |out| out.write_all(saved.to_json().as_bytes()))
}

/// Parameters to start from: a model file, the `--json` output of a fit, or the parameters alone.
pub(crate) fn read_start(path: &Path) -> Result<SavedModel, Failure> {
    let text = text(path, "model")?;
    let name = path.display().to_string();
    let wrong = |error: serde_json::Error| {
        Failure::new(UNUSABLE, format!("{name}: these are no parameters of a mixture ({error})"))
    };
    let mut value: serde_json::Value = serde_json::from_str(&text).map_err(wrong)?;
    if value.get("format").is_some() {
        return SavedModel::from_json(&text).map_err(|error| Failure::about(&name, &error));
    }
    if let Some(model) = value.get_mut("model") {
        value = model.take();
    }
    let parameters = Parameters::deserialize(value).map_err(wrong)?;
    let model = parameters.build().map_err(|error| Failure::about(&name, &error))?;
    Ok(SavedModel { model, columns: parameters.columns, record: mixtura::persist::Record::default() })
}

/// The text of a file of mixtura's own, of the kind that refusals name.
pub(crate) fn text(path: &Path, kind: &str) -> Result<String, Failure> {
    let name = path.display();
    let io = |error: std::io::Error| Failure::new(IO, format!("cannot read {name}: {error}"));
    let file: Box<dyn Read> = match path.to_str() {
        Some("-") => Box::new(std::io::stdin()),
        _ => Box::new(File::open(path).map_err(io)?),
    };
    let mut file = file.take(MOST_BYTES + 1);
    let mut bytes = Vec::new();
    // What does not begin as JSON does is not read to its end, if it has one.
    file.by_ref().take(HEAD_BYTES).read_to_end(&mut bytes).map_err(io)?;
    if bytes.iter().find(|b| !b.is_ascii_whitespace()).is_some_and(|b| *b != b'{') {
        return Err(Failure::new(UNUSABLE, format!("{name}: this is not a {kind} file (it is not a JSON object)")));
    }
    file.read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(Failure::new(UNUSABLE, format!("{name}: a {kind} file of more than 2 GiB is none of mixtura's")));
    }
    String::from_utf8(bytes)
        .map_err(|_| Failure::new(UNUSABLE, format!("{name}: this is not a {kind} file (not UTF-8 text)")))
}
