//! Writing: completely or not at all.
#![cfg(unix)]

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::{PermissionsExt, symlink};

use mixtura_io::write_atomic;

fn entries(folder: &std::path::Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

#[test]
fn a_new_file_and_its_replacement() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let name = path.to_str().unwrap();
    write_atomic(name, |out| out.write_all(b"one")).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"one");
    let usual = folder.path().join("usual");
    fs::write(&usual, "").unwrap();
    let mode = |path| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&path), mode(&usual));

    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    write_atomic(name, |out| out.write_all(b"two")).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"two");
    assert_eq!(mode(&path) & 0o777, 0o640);
    assert_eq!(entries(folder.path()), 2);
}

#[test]
fn a_failure_leaves_the_old_file_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let name = path.to_str().unwrap();
    fs::write(&path, "old").unwrap();
    let error = write_atomic(name, |out| {
        out.write_all(b"half")?;
        Err(io::Error::other("no more"))
    });
    let message = error.unwrap_err().to_string();
    assert!(message.contains(name) && message.contains("no more"), "{message}");
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(entries(folder.path()), 1);
}

#[test]
fn a_link_keeps_pointing() {
    let folder = tempfile::tempdir().unwrap();
    let (target, link) = (folder.path().join("target"), folder.path().join("link"));
    fs::write(&target, "old").unwrap();
    symlink(&target, &link).unwrap();
    write_atomic(link.to_str().unwrap(), |out| out.write_all(b"new")).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read(&target).unwrap(), b"new");
}

#[test]
fn places_that_cannot_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let read_only = folder.path().join("fixed");
    fs::write(&read_only, "old").unwrap();
    fs::set_permissions(&read_only, fs::Permissions::from_mode(0o444)).unwrap();
    let folder_name = folder.path().to_str().unwrap();
    for (path, why) in [
        (folder_name.to_owned(), "folder"),
        (format!("{folder_name}/none/out"), "No such file"),
        (format!("{folder_name}/fixed"), "read-only"),
        (format!("{folder_name}/fixed/out"), "Not a directory"),
        ("/dev/full".to_owned(), "No space left"),
        (String::new(), "cannot write"),
    ] {
        let error = write_atomic(&path, |out| out.write_all(&[b'x'; 100_000]));
        let message = error.unwrap_err().to_string();
        assert!(message.contains(why) && message.contains(&path), "{message}");
    }
    assert_eq!(fs::read(&read_only).unwrap(), b"old");
}

#[test]
fn devices_and_pipes_are_written_directly() {
    write_atomic("/dev/null", |out| out.write_all(b"x")).unwrap();
    assert!(!fs::metadata("/dev/null").unwrap().is_file());

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let reader = {
        let path = path.clone();
        std::thread::spawn(move || {
            let mut text = String::new();
            fs::File::open(path).unwrap().read_to_string(&mut text).unwrap();
            text
        })
    };
    write_atomic(path.to_str().unwrap(), |out| out.write_all(b"through")).unwrap();
    assert_eq!(reader.join().unwrap(), "through");
}
