//! What all targets of readers do: a file of these bytes is read without a panic, and refused in one line.

use std::io::Write;

use mixtura_io::{ReadOptions, read_table};

/// Reads the bytes if they begin as the format does; the other formats have targets of their own.
pub fn read(bytes: &[u8], begins: impl Fn(&[u8]) -> bool) {
    if !begins(bytes) {
        return;
    }
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let path = file.path().to_str().unwrap();
    for memory in [None, Some(1)] {
        match read_table(path, &ReadOptions { memory, ..ReadOptions::default() }) {
            Ok(table) => assert!(table.n_rows > 0 && !table.columns.is_empty()),
            Err(error) => assert!(!error.to_string().contains('\n')),
        }
    }
}
