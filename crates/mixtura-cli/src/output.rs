//! Where results go: standard output or a file that is written whole or not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Read, Write};
use std::path::Path;

use crate::failure::{Failure, IO};

/// Writes to a file, or to standard output where none is given or it is "-".
pub(crate) fn write(path: Option<&str>, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    match path {
        None | Some("-") => print(write),
        Some(path) => Ok(mixtura_io::write_atomic(path, write)?),
    }
}

/// Writes to standard output; a reader that has gone is no error.
pub(crate) fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) => {
            // What is still buffered cannot be written either, and trying again on drop could not say so.
            let _ = out.into_parts();
            Err(match error.kind() {
                ErrorKind::BrokenPipe => Failure::quiet(),
                _ => Failure::new(IO, format!("cannot write standard output: {error}")),
            })
        }
    }
}

/// One JSON object on standard output.
pub(crate) fn json(value: &impl serde::Serialize) -> Result<(), Failure> {
    print(|out| {
        serde_json::to_writer_pretty(&mut *out, value)?;
        writeln!(out)
    })
}

/// A number so that reading it gives the same bits: plain where that is short, else with an exponent.
pub(crate) fn number(out: &mut impl Write, x: f64) -> io::Result<()> {
    if x == 0.0 || !x.is_finite() || (1e-5..1e16).contains(&x.abs()) {
        write!(out, "{x}")
    } else {
        write!(out, "{x:e}")
    }
}

/// The same as text.
pub(crate) fn text(x: f64) -> String {
    let mut bytes = Vec::new();
    // Writing to memory cannot fail, and digits are ASCII.
    let _ = number(&mut bytes, x);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A CSV cell of a column name.
pub(crate) fn csv_name(name: &str) -> String {
    if name.contains([',', '"', '\n', '\r']) || name.trim() != name {
        format!("\"{}\"", name.replace('"', "\"\""))
    } else {
        name.to_owned()
    }
}

/// Refuses a target that is one of the files read: it would be lost.
pub(crate) fn spare_inputs(out: Option<&String>, inputs: &[&Path]) -> Result<(), Failure> {
    let Some(target) = out.and_then(|path| fs::canonicalize(path).ok()).filter(|path| path.is_file()) else {
        return Ok(());
    };
    match inputs.iter().find(|input| fs::canonicalize(input).is_ok_and(|path| path == target)) {
        None => Ok(()),
        Some(input) => {
            Err(Failure::usage(format!("--out {} is a file that is read here: choose another file", input.display())))
        }
    }
}

/// Refuses rows' target that is a file of mixtura's own (a model, statistics, a checkpoint) or cannot be written.
pub(crate) fn check_table(out: Option<&str>) -> Result<(), Failure> {
    let Some(path) = out.filter(|path| *path != "-") else { return Ok(()) };
    let target = Path::new(path);
    match ["model", "statistics", "checkpoint"].iter().find(|kind| target.is_file() && is_ours(target, kind)) {
        Some(kind) => Err(Failure::new(
            IO,
            format!("{path} is a mixtura {kind} file and would be lost: choose another file with --out"),
        )),
        None => writable_folder(path),
    }
}

/// Refuses a target in a folder that does not exist.
fn writable_folder(path: &str) -> Result<(), Failure> {
    let folder = Path::new(path).parent().filter(|p| *p != Path::new("")).unwrap_or(Path::new("."));
    if folder.is_dir() {
        return Ok(());
    }
    let why = format!("there is no folder {}; choose another file with --out", folder.display());
    Err(Failure::new(IO, format!("cannot write {path}: {why}")))
}

/// Refuses, before any work is done, a model's target that cannot be written or is somebody's other file.
pub(crate) fn check_target(path: &str) -> Result<(), Failure> {
    check_target_of(path, "model")
}

/// The same for a file of mixtura's of any kind: model or statistics.
pub(crate) fn check_target_of(path: &str, kind: &str) -> Result<(), Failure> {
    let target = Path::new(path);
    match fs::metadata(target) {
        Ok(found) if found.is_dir() => {
            Err(Failure::new(IO, format!("cannot write {path}: it is a folder; choose a file with --out")))
        }
        Ok(found) if found.is_file() && found.len() > 0 && !is_ours(target, kind) => Err(Failure::new(
            IO,
            format!("{path} exists and is not a mixtura {kind} file: it is left alone; choose another file with --out"),
        )),
        Ok(_) => Ok(()),
        Err(_) => writable_folder(path),
    }
}

/// Whether a file begins as files of that kind do. One that cannot be read is nobody's to overwrite.
fn is_ours(path: &Path, kind: &str) -> bool {
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(200).read_to_end(&mut head));
    read.is_ok() && String::from_utf8_lossy(&head).contains(&format!("\"mixtura-{kind}\""))
}
