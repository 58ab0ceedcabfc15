//! Reads an NPY file, batch by batch.

use std::fs::File;
use std::io::{BufRead, Read};
use std::sync::Arc;

use crate::cells::{Batch, Cells, Places};
use crate::error::ReadError;
use crate::file_rows::{Width, read_exact_at};
use crate::format::{Format, Receiver, Want};
use crate::npy_header::{self, Header, Kind};
use crate::plan::Names;
use crate::source::Source;
use crate::store::InPlace;

pub(crate) const MAGIC: &[u8] = b"\x93NUMPY";
/// NumPy itself refuses longer headers.
const MAX_HEADER_BYTES: usize = 10_000;
/// At most so many rows and numbers are handed over at a time.
const BATCH_ROWS: usize = 4096;
const BATCH_CELLS: usize = 1 << 18;
/// The largest integer up to which every integer is an f64.
pub(crate) const EXACT: f64 = 9_007_199_254_740_992.0;

/// An NPY file whose header was read.
pub(crate) struct NpyFile<'a> {
    source: &'a str,
    data: Source,
    header: Header,
    header_bytes: usize,
    names: Names,
    /// Some integer was rounded.
    rounded: bool,
}

impl<'a> NpyFile<'a> {
    pub(crate) fn open(source: &'a str, mut data: Source) -> Result<Self, ReadError> {
        let (header, header_bytes) = read_header(source, &mut data.input)?;
        let Header { rows, columns, size, .. } = header;
        if rows == 0 || columns == 0 {
            return Err(ReadError::Data(format!(
                "{source}: the array of {rows} × {columns} is empty; give one with rows and columns"
            )));
        }
        let claimed = rows.checked_mul(columns).and_then(|n| n.checked_mul(size));
        let Some(bytes) = claimed.filter(|&bytes| bytes <= isize::MAX as usize / 8) else {
            return Err(ReadError::Data(format!(
                "{source}: the NPY header claims the impossible size {rows} × {columns}; save the array again"
            )));
        };
        let mut this = Self { source, data, header, header_bytes, names: Names::numbered(0), rounded: false };
        if header.fortran && rows > 1 && columns > 1 {
            // Rows must be gathered from all over the file. What was taken from the input is missing in the copy.
            if this.data.file.is_none() {
                this.data.in_file(source)?;
                this.data.length = this.data.length.map(|length| length + header_bytes as u64);
            }
        }
        if let Some(length) = this.data.length {
            let needed = header_bytes as u64 + bytes as u64;
            if length < needed {
                return Err(truncated(source));
            }
            if length > needed {
                return Err(this.something_after());
            }
        }
        // Only now: a header may claim any number of columns.
        let row_bytes = columns * size;
        if row_bytes > MAX_ROW_BYTES {
            return Err(ReadError::Data(format!(
                "{source}: a row of {columns} columns is too long; save an array with one row per observation"
            )));
        }
        this.names = Names::numbered(columns);
        Ok(this)
    }

    fn something_after(&self) -> ReadError {
        ReadError::Data(format!(
            "{}: there is something after the array of {} × {}; save the array again into a file of its own",
            self.source, self.header.rows, self.header.columns
        ))
    }

    /// Reads `n` rows from row `first` on, column after column.
    fn batch(&mut self, first: usize, n: usize, bytes: &mut Vec<u8>, out: &mut [Vec<f64>]) -> Result<(), ReadError> {
        let Header { rows, columns, size, .. } = self.header;
        let decode = decoder(self.header.kind, size, self.header.big_endian);
        let by_column = self.header.fortran && rows > 1 && columns > 1;
        if by_column && let Some(file) = self.data.file.clone() {
            bytes.resize(n * size, 0);
            // A copy was made after the header had been taken from the input.
            let skipped = self.data_offset(&file)?;
            for (c, out) in out.iter_mut().enumerate() {
                let at = skipped + ((c * rows + first) * size) as u64;
                read_exact_at(&file, bytes, at).map_err(|error| ReadError::reading(self.source, error))?;
                out.clear();
                out.extend(bytes.chunks_exact(size).map(decode));
            }
            return Ok(());
        }
        bytes.resize(n * columns * size, 0);
        fill(self.source, &mut self.data.input, bytes)?;
        for (c, out) in out.iter_mut().enumerate() {
            out.clear();
            out.extend(bytes.chunks_exact(columns * size).map(|row| decode(&row[c * size..][..size])));
        }
        Ok(())
    }

    /// Where the numbers start in a file that either is the data or what followed its header.
    fn data_offset(&self, file: &Arc<File>) -> Result<u64, ReadError> {
        let length = file.metadata().map_err(|error| ReadError::reading(self.source, error))?.len();
        let Header { rows, columns, size, .. } = self.header;
        Ok(length.saturating_sub((rows * columns * size) as u64))
    }
}

/// Longer rows are almost surely a table lying on its side.
const MAX_ROW_BYTES: usize = 64 << 20;

impl Format for NpyFile<'_> {
    fn names(&self) -> &Names {
        &self.names
    }

    fn single(&self, _: &[usize]) -> bool {
        (self.header.kind, self.header.size) == (Kind::Float, 4)
    }

    fn in_place(&self, columns: &[usize], weight: Option<usize>) -> Option<(InPlace, u64)> {
        let Header { kind, size, big_endian, fortran, rows, columns: stride } = self.header;
        let by_row = !fortran || rows == 1 || stride == 1;
        let file = self.data.file.clone()?;
        if kind != Kind::Float || big_endian || !by_row {
            return None;
        }
        let width = if size == 4 { Width::F32 } else { Width::F64 };
        let fields = columns.to_vec();
        let at = InPlace { file, offset: self.header_bytes as u64, width, stride, fields, weight };
        Some((at, (rows * stride * size) as u64))
    }

    fn rows(&mut self, _: &[Want], to: Receiver<'_>) -> Result<(), ReadError> {
        let Header { kind, size, rows, columns, .. } = self.header;
        let together = (BATCH_CELLS / columns).clamp(1, BATCH_ROWS);
        let integers = matches!(kind, Kind::Signed | Kind::Unsigned) && size == 8;
        let mut bytes = Vec::new();
        let mut numbers = vec![Vec::new(); columns];
        let mut first = 0;
        while first < rows {
            let n = together.min(rows - first);
            self.batch(first, n, &mut bytes, &mut numbers)?;
            self.rounded |= integers && numbers.iter().flatten().any(|value| value.abs() >= EXACT);
            let cells = numbers.iter().map(|column| Cells::Numbers(column.as_slice().into())).collect();
            to(&Batch { n_rows: n, places: Places::After(first), columns: cells })?;
            first += n;
        }
        if self.data.length.is_none() {
            let rest = self.data.input.fill_buf().map_err(|error| ReadError::reading(self.source, error))?;
            if !rest.is_empty() {
                return Err(self.something_after());
            }
        }
        Ok(())
    }

    fn notes(&mut self) -> Vec<String> {
        let mut notes = vec!["an NPY file has no column names: columns are named x1, x2, …".to_owned()];
        if self.rounded {
            notes.push(ROUNDED.into());
        }
        notes
    }
}

/// The note about integers that no f64 is.
pub(crate) const ROUNDED: &str = "integers beyond 2^53 are rounded to 53 binary digits";

/// Turns the bytes of one number into an f64.
fn decoder(kind: Kind, size: usize, big_endian: bool) -> fn(&[u8]) -> f64 {
    /// The decoder of one type of number.
    macro_rules! number {
        ($number:ty) => {{
            fn decode<const BIG: bool>(bytes: &[u8]) -> f64 {
                let mut own = [0; size_of::<$number>()];
                own.copy_from_slice(bytes);
                (if BIG { <$number>::from_be_bytes(own) } else { <$number>::from_le_bytes(own) }) as f64
            }
            if big_endian { decode::<true> } else { decode::<false> }
        }};
    }
    match (kind, size) {
        (Kind::Float, 4) => number!(f32),
        (Kind::Float, _) => number!(f64),
        (Kind::Bool, _) => |bytes| f64::from(u8::from(bytes[0] != 0)),
        (Kind::Signed, 1) => number!(i8),
        (Kind::Signed, 2) => number!(i16),
        (Kind::Signed, 4) => number!(i32),
        (Kind::Signed, _) => number!(i64),
        (Kind::Unsigned, 1) => number!(u8),
        (Kind::Unsigned, 2) => number!(u16),
        (Kind::Unsigned, 4) => number!(u32),
        (Kind::Unsigned, _) => number!(u64),
    }
}

fn truncated(source: &str) -> ReadError {
    ReadError::Data(format!(
        "{source}: the NPY data ends before all of the array is there; copy or save the file again"
    ))
}

/// Fills `buffer` from the input.
fn fill(source: &str, input: &mut impl Read, buffer: &mut [u8]) -> Result<(), ReadError> {
    let mut got = 0;
    while got < buffer.len() {
        // Not read_exact: an end of the input here differs from damaged gzip data.
        match input.read(&mut buffer[got..]) {
            Ok(0) => return Err(truncated(source)),
            Ok(n) => got += n,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(ReadError::reading(source, error)),
        }
    }
    Ok(())
}

/// The header and how many bytes it and what precedes it take.
fn read_header(source: &str, input: &mut impl Read) -> Result<(Header, usize), ReadError> {
    let refuse = |why: String| ReadError::Data(format!("{source}: the NPY header {why}"));
    let mut start = [0; 8];
    fill(source, input, &mut start)?;
    let size_bytes = match start[6] {
        1 => 2,
        2 | 3 => 4,
        version => {
            return Err(refuse(format!("has the unknown version {version}; save the array again")));
        }
    };
    let mut size = [0; 4];
    fill(source, input, &mut size[..size_bytes])?;
    let size = u32::from_le_bytes(size) as usize;
    if size > MAX_HEADER_BYTES {
        return Err(refuse("is too long; save the array again".into()));
    }
    let mut text = vec![0; size];
    fill(source, input, &mut text)?;
    let header = npy_header::parse(&String::from_utf8_lossy(&text)).map_err(refuse)?;
    Ok((header, start.len() + size_bytes + size))
}
