//! Writes a file completely or not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

/// Why a file could not be written: one sentence naming it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct WriteError(String);

/// Writes a file by way of a temporary file in the same folder that takes its place when all is on
/// disk, so that whoever reads the path sees the old content or the new and nothing between.
///
/// An existing file keeps its permissions, a link keeps pointing to where it does. The path "-" is
/// standard output; that and anything that is not a regular file (`/dev/null`, a FIFO) is written
/// to directly.
///
/// # Errors
///
/// When the file cannot be created, written or put in place; nothing is left behind then.
pub fn write_atomic(path: &str, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), WriteError> {
    let name = if path == "-" { "standard output" } else { path };
    let outcome = if path == "-" || path == "/dev/stdout" {
        directly(io::stdout().lock(), write)
    } else {
        to_path(Path::new(path), write)
    };
    outcome.map_err(|error| WriteError(format!("cannot write {name}: {error}")))
}

fn to_path(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let existing = match fs::metadata(path) {
        Ok(metadata) => Some(metadata),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    // The open files of a process may be regular, but their paths are not theirs to replace.
    let open_file = path.starts_with("/dev/fd") || path.starts_with("/proc") || path == Path::new("/dev/stderr");
    let Some(metadata) = existing else {
        return replace(path, None, write);
    };
    if metadata.is_dir() {
        return Err(io::Error::other("it is a folder; give the path of a file"));
    }
    if open_file || !metadata.is_file() {
        return directly(File::options().write(true).open(path)?, write);
    }
    if metadata.permissions().readonly() {
        return Err(io::Error::other("it is read-only; choose another name"));
    }
    replace(&fs::canonicalize(path)?, Some(metadata.permissions()), write)
}

fn directly(out: impl Write, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    write(&mut out)?;
    out.flush()
}

fn replace(
    path: &Path,
    permissions: Option<fs::Permissions>,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    let mut out = BufWriter::new(temporary(&folder)?);
    write(&mut out)?;
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    if let Some(permissions) = permissions {
        file.as_file().set_permissions(permissions)?;
    }
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    // The content is safe; that the folder's entry is on disk too is worth a try, but not every
    // file system allows it.
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
    Ok(())
}

/// A temporary file with the permissions any new file would have, not only the owner's.
fn temporary(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = Builder::new();
    builder.prefix(".mixtura-").suffix(".tmp");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}
