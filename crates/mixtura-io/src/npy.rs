//! Reads an NPY file into a table; numbers of the right type go straight to their place.

use std::collections::HashMap;
use std::io::{BufRead, Read};

use crate::error::{ReadError, quoted};
use crate::labels::LabelCodes;
use crate::npy_header::{self, Header, Kind};
use crate::plan::{Names, Plan};
use crate::select::{Gathered, some_weight, weight_fault};
use crate::table::{Labels, ReadOptions, Table, Values};

pub(crate) const MAGIC: &[u8] = b"\x93NUMPY";
/// NumPy itself refuses longer headers.
const MAX_HEADER_BYTES: usize = 10_000;
const CHUNK_BYTES: usize = 1 << 20;
/// The largest integer up to which every integer is an f64.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Reads an NPY file of so many bytes in all, where that is known.
pub(crate) fn read(
    source: &str,
    mut input: impl BufRead,
    length: Option<u64>,
    options: &ReadOptions,
) -> Result<Table, ReadError> {
    let (header, header_bytes) = read_header(source, &mut input)?;
    let Header { rows, columns, size, .. } = header;
    if rows == 0 || columns == 0 {
        return Err(ReadError::Data(format!(
            "{source}: the array of {rows} × {columns} is empty; give one with rows and columns"
        )));
    }
    let claimed = rows.checked_mul(columns).and_then(|n| n.checked_mul(size));
    let Some(bytes) = claimed.filter(|&bytes| bytes <= isize::MAX as usize / 8) else {
        return Err(ReadError::Data(format!(
            "{source}: the NPY header claims the impossible size {rows} × {columns}; save the array \
             again"
        )));
    };
    if let Some(length) = length
        && length < header_bytes as u64 + bytes as u64
    {
        return Err(truncated(source));
    }
    /// Reads one type of number as f64.
    macro_rules! as_f64 {
        ($number:ty) => {{
            let cast = |bytes| <$number>::from_le_bytes(bytes) as f64;
            finish(source, numbers(source, &mut input, &header, cast)?, &header, options, Values::F64)
        }};
    }
    match (header.kind, header.size) {
        (Kind::Float, 4) => {
            let values = numbers(source, &mut input, &header, f32::from_le_bytes)?;
            finish(source, values, &header, options, Values::F32)
        }
        (Kind::Float, _) => as_f64!(f64),
        (Kind::Bool, _) => {
            let values = numbers(source, &mut input, &header, |[b]| f64::from(u8::from(b != 0)))?;
            finish(source, values, &header, options, Values::F64)
        }
        (Kind::Signed, 1) => as_f64!(i8),
        (Kind::Signed, 2) => as_f64!(i16),
        (Kind::Signed, 4) => as_f64!(i32),
        (Kind::Signed, _) => as_f64!(i64),
        (Kind::Unsigned, 1) => as_f64!(u8),
        (Kind::Unsigned, 2) => as_f64!(u16),
        (Kind::Unsigned, 4) => as_f64!(u32),
        (Kind::Unsigned, _) => as_f64!(u64),
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

/// The numbers row after row. Memory grows with the data found and not with the size claimed.
fn numbers<T: Copy + Default, const N: usize>(
    source: &str,
    input: &mut impl BufRead,
    header: &Header,
    from_le_bytes: impl Fn([u8; N]) -> T,
) -> Result<Vec<T>, ReadError> {
    let total = header.rows * header.columns;
    let mut values: Vec<T> = Vec::new();
    let mut chunk = vec![0; CHUNK_BYTES.min(total.saturating_mul(N))];
    while values.len() < total {
        let n = (total - values.len()).min(CHUNK_BYTES / N);
        fill(source, input, &mut chunk[..n * N])?;
        values.try_reserve(n).map_err(|_| too_big(source))?;
        values.extend(chunk[..n * N].chunks_exact(N).map(|bytes| {
            let mut own = [0; N];
            own.copy_from_slice(bytes);
            if header.big_endian {
                own.reverse();
            }
            from_le_bytes(own)
        }));
    }
    let rest = input.fill_buf().map_err(|error| ReadError::reading(source, error))?;
    if !rest.is_empty() {
        return Err(ReadError::Data(format!(
            "{source}: there is something after the array of {} × {}; save the array again into a \
             file of its own",
            header.rows, header.columns
        )));
    }
    if header.fortran && header.columns > 1 && header.rows > 1 {
        let mut turned = Vec::new();
        turned.try_reserve_exact(total).map_err(|_| too_big(source))?;
        for row in 0..header.rows {
            turned.extend((0..header.columns).map(|column| values[column * header.rows + row]));
        }
        values = turned;
    }
    Ok(values)
}

fn too_big(source: &str) -> ReadError {
    ReadError::Data(format!("{source}: the array does not fit into memory; save fewer columns or rows"))
}

/// Takes weights, labels and the columns asked for from the numbers.
fn finish<T: Copy + Into<f64>>(
    source: &str,
    values: Vec<T>,
    header: &Header,
    options: &ReadOptions,
    wrap: impl Fn(Vec<T>) -> Values,
) -> Result<Table, ReadError> {
    let Header { rows, columns, .. } = *header;
    let names = Names::numbered(columns);
    let plan = Plan::new(source, &names, options)?;
    let mut notes = vec!["an NPY file has no column names: columns are named x1, x2, …".into()];
    let integers = matches!(header.kind, Kind::Signed | Kind::Unsigned);
    if integers && values.iter().any(|&v| v.into().abs() > EXACT) {
        notes.push("integers beyond 2^53 are rounded to 53 binary digits".into());
    }
    let column = |c: usize| values.iter().skip(c).step_by(columns).map(|&v| -> f64 { v.into() });

    let mut infinite = HashMap::new();
    for (i, &value) in values.iter().enumerate() {
        let value: f64 = value.into();
        if value.is_infinite() {
            let place = || format!("row {}: the value {value}", i / columns + 1);
            infinite.entry(i % columns).or_insert_with(place);
        }
    }
    let weights = match plan.weights {
        Some(c) => Some(weights(source, &names.names[c], column(c).collect())?),
        None => None,
    };
    let labels = match plan.label {
        Some(c) => Some(labels(source, &names.names[c], column(c))?),
        None => None,
    };

    let mut gathered = Gathered { stored: (0..columns).collect(), values, n_rows: rows, text: Vec::new(), infinite };
    gathered.keep(&plan.candidates(columns));
    let selected = gathered.select(source, &names, &plan, &mut notes)?;
    Ok(Table {
        source: source.to_owned(),
        columns: selected.columns,
        values: wrap(selected.values),
        n_rows: rows,
        weights,
        labels,
        dropped: selected.dropped,
        notes,
    })
}

fn weights(source: &str, name: &str, weights: Vec<f64>) -> Result<Vec<f64>, ReadError> {
    for (row, &weight) in weights.iter().enumerate() {
        if let Some(fault) = weight_fault(weight) {
            return Err(ReadError::Data(format!(
                "{source}, row {}: the weight {weight} in column {} {fault}; give every row a \
                 finite weight of at least 0",
                row + 1,
                quoted(name)
            )));
        }
    }
    some_weight(source, name, &weights)?;
    Ok(weights)
}

fn labels(source: &str, name: &str, cells: impl Iterator<Item = f64>) -> Result<Labels, ReadError> {
    let mut codes = LabelCodes::default();
    for cell in cells {
        codes.push(&cell.to_string(), || format!("{source}: column {}", quoted(name)))?;
    }
    Ok(codes.finish())
}
