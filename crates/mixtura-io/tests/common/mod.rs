//! Makes files and reads them, for the other tests.
#![allow(dead_code)]

use std::io::Write;

use mixtura_io::{ReadError, ReadOptions, Table, Values, read_table};

pub(crate) fn read_bytes_with(bytes: &[u8], options: &ReadOptions) -> Result<Table, ReadError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f.csv");
    std::fs::write(&path, bytes).unwrap();
    read_table(path.to_str().unwrap(), options)
}

pub(crate) fn read(text: impl AsRef<[u8]>) -> Table {
    read_bytes_with(text.as_ref(), &ReadOptions::default()).unwrap()
}

pub(crate) fn read_with(text: impl AsRef<[u8]>, options: &ReadOptions) -> Table {
    read_bytes_with(text.as_ref(), options).unwrap()
}

/// The refusal's sentence, which must name the file and be one line.
pub(crate) fn refusal(text: impl AsRef<[u8]>) -> String {
    refusal_with(text, &ReadOptions::default())
}

pub(crate) fn refusal_with(text: impl AsRef<[u8]>, options: &ReadOptions) -> String {
    match read_bytes_with(text.as_ref(), options) {
        Err(ReadError::Data(message)) => {
            assert!(message.contains("f.csv"), "{message}");
            assert!(!message.contains('\n'), "{message}");
            message
        }
        Err(error) => panic!("not a refusal of the data: {error:?}"),
        Ok(table) => panic!("read {} rows, notes {:?}", table.n_rows, table.notes),
    }
}

pub(crate) fn values(table: &Table) -> &[f64] {
    match &table.values {
        Values::F64(values) => values,
        Values::F32(_) => panic!("single precision"),
        Values::File(_) => panic!("in a file"),
    }
}

pub(crate) fn columns(names: &[&str]) -> ReadOptions {
    ReadOptions { columns: Some(names.iter().map(|name| name.to_string()).collect()), ..ReadOptions::default() }
}

pub(crate) fn weights(name: &str) -> ReadOptions {
    ReadOptions { weights_column: Some(name.into()), ..ReadOptions::default() }
}

pub(crate) fn label(name: &str) -> ReadOptions {
    ReadOptions { label_column: Some(name.into()), ..ReadOptions::default() }
}

pub(crate) fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

/// An NPY file of version 1.
pub(crate) fn npy(descr: &str, fortran: bool, shape: &str, data: &[u8]) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    let header = format!("{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}
