//! Reads a delimited text file, batch by batch.

use std::io::BufRead;
use std::sync::Arc;

use arrow_array::{Array, StringArray};
use arrow_csv::ReaderBuilder;
use arrow_csv::reader::Decoder;
use arrow_schema::{DataType, Field, Schema};

use crate::cells::{self, Cells, Places};
use crate::error::{ReadError, count};
use crate::format::{Format, Receiver, Want};
use crate::plan::Names;
use crate::records::{Delimiter, Record, RecordReader};
use crate::sniff;

/// At most so many rows, cells and bytes are held as text at a time.
const BATCH_ROWS: usize = 1024;
const BATCH_CELLS: usize = 1 << 18;
const BATCH_BYTES: usize = 1 << 20;

/// A text file whose dialect and names are known.
pub(crate) struct TextFile<'a, R> {
    source: &'a str,
    names: Names,
    notes: Vec<String>,
    decimal_comma: bool,
    records: RecordReader<'a, R>,
    tokeniser: Tokeniser,
    width: usize,
    /// The line that says how many fields a row has, and its text where it is itself a row.
    top_line: usize,
    top_row: Option<Vec<u8>>,
    /// Rows already read.
    batch: Batch,
    columns: Vec<StringArray>,
}

impl<'a, R: BufRead> TextFile<'a, R> {
    /// Works out the dialect; `sample` is the file's beginning, also part of `input`, and `complete` says that it is
    /// all of it.
    pub(crate) fn open(source: &'a str, sample: &[u8], complete: bool, input: R) -> Result<Self, ReadError> {
        let delimiter = sniff::delimiter(sample, complete);
        let mut records = RecordReader::new(source, input, delimiter);

        let mut raw = Vec::new();
        let Some(top) = records.next(&mut raw)? else {
            return Err(ReadError::Data(format!("{source} is empty; give a file with rows of numbers")));
        };
        let top_raw = std::mem::take(&mut raw);
        let cells = Tokeniser::new(top.fields, delimiter).decode(source, &top_raw, 1)?;
        let mut first: Vec<String> = cells.iter().map(|column| column.value(0).trim().to_owned()).collect();

        let mut batch = Batch::default();
        batch.fill_one(&mut records)?;
        // R's write.table gives no name to the row names, so that its header is one field short.
        let short_header = matches!(delimiter, Delimiter::Blanks | Delimiter::Byte(b'\t'))
            && batch.first_fields == Some(top.fields + 1);
        let width = top.fields + usize::from(short_header);
        batch.fill(source, &mut records, width, top.line)?;

        let mut tokeniser = Tokeniser::new(width, delimiter);
        let columns = tokeniser.decode(source, &batch.raw, batch.lines.len())?;
        let rows = batch.lines.len();
        if short_header {
            if !is_row_names(&columns[0]) {
                return Err(ragged(source, batch.lines[0], width, top.line, top.fields));
            }
            first.insert(0, String::new());
        }

        let mut notes = Vec::new();
        let below = |row: usize| columns.iter().map(move |column| column.value(row).trim());
        let decimal_comma = delimiter != Delimiter::Byte(b',')
            && sniff::decimal_comma(first.iter().map(String::as_str).chain((0..rows).flat_map(below)));
        let below = (0..rows).map(|row| below(row).collect());
        let header = short_header || sniff::has_header(&first, below, decimal_comma);

        let names = if header {
            if rows == 0 {
                return Err(ReadError::Data(format!(
                    "{source} has a header line but no rows of data below it; give a file with data"
                )));
            }
            if first.iter().any(|name| name.parse::<f64>().is_ok()) {
                notes.push(format!("line {} is taken for the header although some of its cells are numbers", top.line));
            }
            Names::from_header(first, &mut notes)
        } else {
            notes.push("no header line: columns are named x1, x2, …".into());
            Names::numbered(width)
        };
        if decimal_comma {
            notes.push("decimal comma: 1,5 is read as 1.5".into());
        }
        let top_row = (!header).then_some(top_raw);
        let top_line = top.line;
        Ok(Self { source, names, notes, decimal_comma, records, tokeniser, width, top_line, top_row, batch, columns })
    }

    fn hand_over(&self, columns: &[StringArray], lines: &[usize], to: Receiver<'_>) -> Result<(), ReadError> {
        let decimal_comma = self.decimal_comma;
        let cells = columns.iter().map(|cells| Cells::Text { cells, decimal_comma }).collect();
        to(&cells::Batch { n_rows: lines.len(), places: Places::Lines(lines), columns: cells })
    }
}

impl<R: BufRead> Format for TextFile<'_, R> {
    fn names(&self) -> &Names {
        &self.names
    }

    fn rows(&mut self, _: &[Want], to: Receiver<'_>) -> Result<(), ReadError> {
        if let Some(top) = self.top_row.take() {
            let columns = self.tokeniser.decode(self.source, &top, 1)?;
            self.hand_over(&columns, &[self.top_line], to)?;
        }
        while !self.batch.lines.is_empty() {
            self.hand_over(&self.columns, &self.batch.lines, to)?;
            self.batch.clear();
            self.batch.fill(self.source, &mut self.records, self.width, self.top_line)?;
            self.columns = self.tokeniser.decode(self.source, &self.batch.raw, self.batch.lines.len())?;
        }
        Ok(())
    }

    fn notes(&mut self) -> Vec<String> {
        let mut notes = std::mem::take(&mut self.notes);
        let RecordReader { comments, blank_inside, .. } = self.records;
        if comments > 0 {
            notes.push(format!("{} at the top skipped", count(comments, "comment line")));
        }
        if blank_inside > 0 {
            notes.push(format!("{} inside the data skipped", count(blank_inside, "blank line")));
        }
        notes
    }
}

/// Row names are text or count from 1; anything else may as well be data with a name missing.
fn is_row_names(cells: &StringArray) -> bool {
    let mut cells = (0..cells.len()).map(|row| cells.value(row).trim());
    let text = cells.clone().all(|cell| cell.parse::<f64>().is_err());
    text || cells.by_ref().zip(1usize..).all(|(cell, row)| cell.parse() == Ok(row))
}

fn ragged(source: &str, line: usize, found: usize, top_line: usize, expected: usize) -> ReadError {
    ReadError::Data(format!(
        "{source}, line {line}: the row has {} where {expected} {} expected, as on line {top_line}; \
         give every row the same number of fields",
        count(found, "field"),
        if expected == 1 { "is" } else { "are" }
    ))
}

/// Some records as text, with their lines.
#[derive(Default)]
struct Batch {
    raw: Vec<u8>,
    lines: Vec<usize>,
    first_fields: Option<usize>,
}

impl Batch {
    fn clear(&mut self) {
        self.raw.clear();
        self.lines.clear();
        self.first_fields = None;
    }

    fn fill_one(&mut self, records: &mut RecordReader<'_, impl BufRead>) -> Result<Option<Record>, ReadError> {
        let record = records.next(&mut self.raw)?;
        if let Some(record) = record {
            self.lines.push(record.line);
            self.first_fields.get_or_insert(record.fields);
        }
        Ok(record)
    }

    /// Fills the batch and refuses rows that are not `width` fields wide, as the top row is.
    fn fill(
        &mut self,
        source: &str,
        records: &mut RecordReader<'_, impl BufRead>,
        width: usize,
        top_line: usize,
    ) -> Result<(), ReadError> {
        if let Some(fields) = self.first_fields
            && fields != width
        {
            return Err(ragged(source, self.lines[0], fields, top_line, width));
        }
        while self.lines.len() < batch_rows(width)
            && self.raw.len() < BATCH_BYTES
            && let Some(record) = self.fill_one(records)?
        {
            if record.fields != width {
                return Err(ragged(source, record.line, record.fields, top_line, width));
            }
        }
        Ok(())
    }
}

fn batch_rows(width: usize) -> usize {
    (BATCH_CELLS / width).clamp(1, BATCH_ROWS)
}

/// Cuts records into cells without quotes.
struct Tokeniser {
    decoder: Decoder,
    width: usize,
}

impl Tokeniser {
    fn new(width: usize, delimiter: Delimiter) -> Self {
        let fields: Vec<Field> = (0..width).map(|i| Field::new(i.to_string(), DataType::Utf8, true)).collect();
        let decoder = ReaderBuilder::new(Arc::new(Schema::new(fields)))
            .with_delimiter(delimiter.byte())
            .with_batch_size(batch_rows(width))
            .build_decoder();
        Self { decoder, width }
    }

    /// The columns of `rows` whole records.
    fn decode(&mut self, source: &str, mut raw: &[u8], rows: usize) -> Result<Vec<StringArray>, ReadError> {
        let fail = |why: String| ReadError::Data(format!("{source} cannot be read as CSV: {why}"));
        while !raw.is_empty() {
            match self.decoder.decode(raw).map_err(|error| fail(error.to_string()))? {
                0 => break,
                used => raw = &raw[used..],
            }
        }
        if rows == 0 {
            return Ok(vec![StringArray::from(Vec::<&str>::new()); self.width]);
        }
        let batch = self.decoder.flush().map_err(|error| fail(error.to_string()))?;
        // The tokeniser drops a byte order mark, and with it a row that is nothing else.
        let Some(batch) = batch.filter(|batch| batch.num_rows() == rows && raw.is_empty()) else {
            return Err(fail("a row is empty or its quotes are ambiguous; rewrite the file".into()));
        };
        let columns: Option<Vec<StringArray>> =
            batch.columns().iter().map(|column| column.as_any().downcast_ref::<StringArray>().cloned()).collect();
        columns.ok_or_else(|| fail("a column is no text".into()))
    }
}
