//! The file of a checkpoint: found, read, replaced, removed.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use mixtura::fit::Checkpoint;

use crate::failure::{Failure, IO};

/// Refuses, before any work is done, a file that is there and is no checkpoint, or that cannot be written.
pub(crate) fn check(path: &Path) -> Result<(), Failure> {
    let name = path.display();
    match fs::metadata(path) {
        Ok(kind) if kind.is_dir() => Err(Failure::new(IO, format!("--checkpoint {name} is a folder: give a file"))),
        Ok(_) => read(path).and_then(|text| {
            if text.is_empty() || text.starts_with("{\"format\":\"mixtura-checkpoint\"") {
                return Ok(());
            }
            let sentence = format!("{name} exists and is no checkpoint: it is left alone; choose another --checkpoint");
            Err(Failure::new(IO, sentence))
        }),
        Err(_) => {
            let folder = path.parent().filter(|p| *p != Path::new("")).unwrap_or(Path::new("."));
            if folder.is_dir() {
                return Ok(());
            }
            let sentence = format!("cannot write --checkpoint {name}: there is no folder {}", folder.display());
            Err(Failure::new(IO, sentence))
        }
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| Failure::new(IO, format!("cannot read {}: {error}", path.display())))
}

/// The checkpoint with what the file holds, if there is one.
pub(crate) fn open<'a>(path: &Path, fresh: Checkpoint<'a>, quiet: bool) -> Result<Checkpoint<'a>, Failure> {
    if !path.exists() {
        return Ok(fresh);
    }
    let text = read(path)?;
    if text.is_empty() {
        return Ok(fresh);
    }
    let kept = fresh.resume(&text).map_err(|error| Failure::about(&path.display().to_string(), &error))?;
    if !quiet {
        eprintln!("note: going on from {} ({} runs there)", path.display(), kept.len());
    }
    Ok(kept)
}

/// Replaces the file. A fit of many hours does not end because the disk is full: the user is told once.
pub(crate) fn write(path: &Path, text: &str) {
    static TOLD: AtomicBool = AtomicBool::new(false);
    let written = mixtura_io::write_atomic(&path.to_string_lossy(), |out| out.write_all(text.as_bytes()));
    if let Err(error) = written
        && !TOLD.swap(true, Ordering::Relaxed)
    {
        eprintln!("note: no checkpoint is kept: {error}");
    }
}

/// Removes the file of a fit that is complete.
pub(crate) fn remove(path: &Path) {
    let _ = fs::remove_file(path);
}
