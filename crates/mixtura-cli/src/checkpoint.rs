//! The file of a checkpoint: found, read, replaced, removed.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use mixtura::fit::Checkpoint;

use crate::failure::{Failure, IO};

/// Refuses, before any work is done, a file that is there and is no checkpoint, or that cannot be written.
pub(crate) fn check(path: &Path) -> Result<(), Failure> {
    let name = path.display();
    match fs::metadata(path) {
        Ok(kind) if kind.is_dir() => Err(Failure::new(IO, format!("--checkpoint {name} is a folder: give a file"))),
        Ok(kind) if !kind.is_file() => {
            Err(Failure::new(IO, format!("--checkpoint {name} is no regular file: give the name of one")))
        }
        Ok(_) if !is_checkpoint(path) => {
            let sentence = format!("{name} exists and is no checkpoint: it is left alone; choose another --checkpoint");
            Err(Failure::new(IO, sentence))
        }
        Ok(_) => Ok(()),
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

/// Whether a file begins as checkpoints do.
fn is_checkpoint(path: &Path) -> bool {
    const HEAD: &[u8] = b"{\"format\":\"mixtura-checkpoint\"";
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(HEAD.len() as u64).read_to_end(&mut head));
    read.is_ok() && head == HEAD
}

/// The checkpoint with what the file holds, if there is one.
pub(crate) fn open<'a>(path: &Path, fresh: Checkpoint<'a>, quiet: bool) -> Result<Checkpoint<'a>, Failure> {
    if !path.exists() {
        return Ok(fresh);
    }
    let bytes = fs::read(path).map_err(|e| Failure::new(IO, format!("cannot read {}: {e}", path.display())))?;
    let text = String::from_utf8_lossy(&bytes);
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
