//! Turns Arrow columns into cells: numbers of whatever type become f64, the rest says why it cannot.

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Decimal256Type, Float64Type, Int64Type, UInt64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_cast::cast;
use arrow_schema::{ArrowError, DataType, Schema};

use crate::cells::{Batch, Cells, Places};
use crate::error::ReadError;
use crate::format::{Receiver, Want};
use crate::guard::guarded;
use crate::npy::EXACT;

/// Rows handed over at a time.
pub(crate) const BATCH_ROWS: usize = 4096;

/// Why columns of a type hold no numbers, if so.
fn no_numbers(of: &DataType) -> Option<&'static str> {
    use DataType::*;
    match of {
        Null | Boolean | Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | UInt64 | Float16 | Float32
        | Float64 | Decimal32(..) | Decimal64(..) | Decimal128(..) | Decimal256(..) => None,
        Utf8 | LargeUtf8 | Utf8View => Some("text"),
        Date32 | Date64 | Timestamp(..) => Some("dates"),
        Time32(_) | Time64(_) => Some("times of day"),
        Duration(_) | Interval(_) => Some("spans of time"),
        Binary | LargeBinary | BinaryView | FixedSizeBinary(_) => Some("binary data"),
        Dictionary(_, values) => no_numbers(values),
        RunEndEncoded(_, values) => no_numbers(values.data_type()),
        _ => Some("lists or records"),
    }
}

/// Whether a column can hold labels: numbers or text.
fn holds_labels(of: &DataType) -> bool {
    matches!(no_numbers(of), None | Some("text"))
}

/// The columns of a file that must be decoded, in order.
pub(crate) fn projection(schema: &Schema, want: &[Want]) -> Vec<usize> {
    let needed = |(c, want): (usize, &Want)| {
        let of = schema.field(c).data_type();
        match want {
            Want::Nothing => false,
            Want::Numbers => no_numbers(of).is_none(),
            Want::Labels => holds_labels(of),
        }
        .then_some(c)
    };
    want.iter().enumerate().filter_map(needed).collect()
}

/// Whether the numbers of these columns all are of single precision.
pub(crate) fn single(schema: &Schema, columns: &[usize]) -> bool {
    let mut numbers = columns.iter().map(|&c| schema.field(c).data_type()).filter(|of| no_numbers(of).is_none());
    let is_single = |of: &DataType| matches!(of, DataType::Float32 | DataType::Float16);
    numbers.clone().next().is_some() && numbers.all(is_single)
}

/// Hands over batches that hold the columns of `projection`.
pub(crate) struct Handler<'a> {
    pub(crate) source: &'a str,
    pub(crate) schema: &'a Schema,
    pub(crate) want: &'a [Want],
    pub(crate) projection: &'a [usize],
    /// Rows handed over so far.
    pub(crate) n_rows: usize,
    /// Some integer was rounded.
    pub(crate) rounded: bool,
}

impl Handler<'_> {
    pub(crate) fn take(&mut self, batch: &RecordBatch, to: Receiver<'_>) -> Result<(), ReadError> {
        let mut first = 0;
        while first < batch.num_rows() {
            let n_rows = BATCH_ROWS.min(batch.num_rows() - first);
            let slice = batch.slice(first, n_rows);
            let mut arrays = slice.columns().iter();
            let mut columns = Vec::with_capacity(self.want.len());
            for (c, want) in self.want.iter().enumerate() {
                columns.push(if self.projection.contains(&c) {
                    match arrays.next() {
                        Some(array) if array.len() == n_rows => self.cells(array, *want)?,
                        _ => return Err(damaged(self.source, "a column is missing")),
                    }
                } else {
                    no_numbers(self.schema.field(c).data_type())
                        .map_or(Cells::Missing, |why| Cells::Unusable(why.to_owned()))
                });
            }
            let places = Places::After(self.n_rows);
            to(&Batch { n_rows, places, columns })?;
            self.n_rows += n_rows;
            first += n_rows;
        }
        Ok(())
    }

    fn cells(&mut self, array: &ArrayRef, want: Want) -> Result<Cells<'static>, ReadError> {
        let source = self.source;
        guarded(source, || self.convert(array, want))?.map_err(|error| damaged(source, &error.to_string()))
    }

    fn convert(&mut self, array: &ArrayRef, want: Want) -> Result<Cells<'static>, ArrowError> {
        let of = array.data_type();
        match of {
            DataType::Dictionary(_, values) => return self.convert(&cast(array, values)?, want),
            DataType::RunEndEncoded(_, values) => return self.convert(&cast(array, values.data_type())?, want),
            _ if no_numbers(of) == Some("text") && want == Want::Labels => {
                return Ok(Cells::Strings(cast(array, &DataType::Utf8)?.as_string::<i32>().clone()));
            }
            _ => {}
        }
        if let Some(why) = no_numbers(of) {
            return Ok(Cells::Unusable(why.to_owned()));
        }
        let mut numbers: Vec<f64> = match of {
            DataType::Null => return Ok(Cells::Missing),
            DataType::Boolean => array.as_boolean().values().iter().map(|bit| f64::from(u8::from(bit))).collect(),
            DataType::Decimal256(_, scale) => {
                let values = array.as_primitive::<Decimal256Type>().values().iter();
                values.map(|value| decimal(&value.to_string(), *scale)).collect()
            }
            DataType::Decimal128(_, scale) => {
                let values = array.as_primitive::<Decimal128Type>().values().iter();
                values.map(|&value| short_decimal(value, *scale)).collect()
            }
            DataType::Decimal32(_, scale) | DataType::Decimal64(_, scale) => {
                let wide = cast(array, &DataType::Decimal128(38, *scale))?;
                return self.convert(&wide, want);
            }
            DataType::Int64 => {
                let values = array.as_primitive::<Int64Type>().values().iter();
                self.rounded |= values.clone().any(|value| value.unsigned_abs() > EXACT as u64);
                values.map(|&value| value as f64).collect()
            }
            DataType::UInt64 => {
                let values = array.as_primitive::<UInt64Type>().values().iter();
                self.rounded |= values.clone().any(|&value| value > EXACT as u64);
                values.map(|&value| value as f64).collect()
            }
            _ => cast(array, &DataType::Float64)?.as_primitive::<Float64Type>().values().to_vec(),
        };
        if array.null_count() > 0 {
            let missing = (0..array.len()).filter(|&row| array.is_null(row));
            missing.for_each(|row| numbers[row] = f64::NAN);
        }
        Ok(Cells::Numbers(numbers.into()))
    }
}

/// The f64 next to a decimal number.
fn decimal(digits: &str, scale: i8) -> f64 {
    format!("{digits}e{}", -i32::from(scale)).parse().unwrap_or(f64::NAN)
}

/// As [`decimal`]; where the digits and the power of ten are exact numbers, so is one division.
fn short_decimal(value: i128, scale: i8) -> f64 {
    if value.unsigned_abs() <= EXACT as u128 && (0..=22).contains(&scale) {
        return value as f64 / 10_f64.powi(i32::from(scale));
    }
    decimal(&value.to_string(), scale)
}

/// The refusal of a Parquet or Arrow file whose bytes make no sense.
pub(crate) fn damaged(source: &str, why: &str) -> ReadError {
    // The libraries' messages may be long and of several lines.
    let why: String = why.lines().next().unwrap_or_default().chars().take(160).collect();
    let why: String = why.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    ReadError::Data(format!("{source} is damaged or incomplete ({}); copy or save the file again", why.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_the_nearest_numbers() {
        assert_eq!(short_decimal(1, 1), 0.1);
        assert_eq!(short_decimal(-12345, 3), -12.345);
        assert_eq!(short_decimal(5, -2), 500.0);
        // 10^22 + 1 thousandths, and a value whose digits no f64 holds: the parse of the decimal text is the reference.
        assert_eq!(short_decimal(123_456_789_012_345_678_901, 5), 1_234_567_890_123_456.8);
        assert_eq!(short_decimal(1, 30), 1e-30);
    }
}
