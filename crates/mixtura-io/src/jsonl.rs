//! Reads JSON lines: one object per line, whose keys are the columns.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek};
use std::sync::Arc;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::cells::{Batch, Cells, Places, Scalar};
use crate::error::{ReadError, count, quoted};
use crate::format::{Format, Receiver, Want};
use crate::plan::Names;

/// A longer line is refused, as in text files.
const MAX_LINE_BYTES: u64 = 16 << 20;
/// More keys are refused: they are almost surely values.
const MAX_COLUMNS: usize = 100_000;
const BATCH_ROWS: usize = 1024;
const BATCH_CELLS: usize = 1 << 18;

/// Whether content begins as JSON lines do: with an object that is empty or has a key.
pub(crate) fn begins(sample: &[u8]) -> bool {
    let rest = sample.trim_ascii_start();
    rest.strip_prefix(b"{").is_some_and(|rest| matches!(rest.trim_ascii_start().first(), Some(b'"' | b'}')))
}

/// Refuses JSON that is one array and not lines.
pub(crate) fn refuse_array(source: &str, sample: &[u8]) -> Result<(), ReadError> {
    let rest = sample.trim_ascii_start().strip_prefix(b"[").map(<[u8]>::trim_ascii_start);
    if matches!(rest.and_then(<[u8]>::first), Some(b'{' | b'[')) {
        return Err(ReadError::Data(format!(
            "{source} looks like one JSON array; write one object per line, for example with jq -c '.[]'"
        )));
    }
    Ok(())
}

/// A file of JSON lines whose keys are known.
pub(crate) struct JsonLines<'a> {
    source: &'a str,
    file: Arc<File>,
    names: Names,
    keys: HashMap<String, usize>,
    blank: usize,
}

impl<'a> JsonLines<'a> {
    /// Reads the file once for its keys: one that appears in the last line is a column as good as the others.
    pub(crate) fn open(source: &'a str, file: Arc<File>) -> Result<Self, ReadError> {
        let mut this = Self { source, file, names: Names::numbered(0), keys: HashMap::new(), blank: 0 };
        let mut lines = this.lines()?;
        let mut order = Vec::new();
        while let Some(line) = lines.next_line()? {
            let keys = NewKeys { keys: &mut this.keys, order: &mut order };
            lines.parse(line, keys)?;
            if order.len() > MAX_COLUMNS {
                return Err(ReadError::Data(format!(
                    "{source}, line {line}: there are more than 100,000 different keys; give every row the same ones"
                )));
            }
        }
        this.blank = lines.blank_inside;
        if order.is_empty() {
            return Err(ReadError::Data(format!("{source}: no object has a key; give objects such as {{\"x\": 1.5}}")));
        }
        this.names = Names::from_header(order, &mut Vec::new());
        Ok(this)
    }

    fn lines(&self) -> Result<Lines<'a>, ReadError> {
        let cannot = |error| ReadError::Io(format!("cannot read {}: {error}", self.source));
        let mut file = self.file.try_clone().map_err(cannot)?;
        file.rewind().map_err(cannot)?;
        let input = BufReader::with_capacity(1 << 18, file);
        Ok(Lines { source: self.source, input, text: Vec::new(), line: 0, started: false, blank: 0, blank_inside: 0 })
    }
}

/// The lines of a file that are not blank.
struct Lines<'a> {
    source: &'a str,
    input: BufReader<File>,
    text: Vec<u8>,
    line: usize,
    started: bool,
    blank: usize,
    blank_inside: usize,
}

impl Lines<'_> {
    /// Goes to the next line and gives its number.
    fn next_line(&mut self) -> Result<Option<usize>, ReadError> {
        loop {
            self.text.clear();
            let mut input = self.input.by_ref().take(MAX_LINE_BYTES);
            let n = input
                .read_until(b'\n', &mut self.text)
                .map_err(|error| ReadError::Io(format!("cannot read {}: {error}", self.source)))?;
            if n == 0 {
                return Ok(None);
            }
            self.line += 1;
            if n as u64 == MAX_LINE_BYTES && !self.text.ends_with(b"\n") {
                return Err(ReadError::Data(format!(
                    "{}, line {}: the line is longer than 16 MiB; write one object per line",
                    self.source, self.line
                )));
            }
            if self.line == 1 && self.text.starts_with(b"\xef\xbb\xbf") {
                self.text.drain(..3);
            }
            if !self.text.trim_ascii().is_empty() {
                self.blank_inside += if self.started { self.blank } else { 0 };
                (self.started, self.blank) = (true, 0);
                return Ok(Some(self.line));
            }
            self.blank += 1;
        }
    }

    fn parse<'de, S: DeserializeSeed<'de>>(&'de self, line: usize, seed: S) -> Result<S::Value, ReadError> {
        let refuse = |error: serde_json::Error| {
            // The library's message ends with a place in the line, of which it counts only the one.
            let text = error.to_string();
            let why = text.rsplit_once(" at line ").map_or(text.as_str(), |(why, _)| why);
            let why: String = why.chars().flat_map(char::escape_debug).take(120).collect();
            let why = why.replace("\\\"", "\"").replace("\\'", "'");
            ReadError::Data(format!(
                "{}, line {line}: this is not one JSON object of numbers ({why}); write one object per line",
                self.source
            ))
        };
        let mut reader = serde_json::Deserializer::from_slice(&self.text);
        let value = seed.deserialize(&mut reader).map_err(refuse)?;
        reader.end().map_err(refuse)?;
        Ok(value)
    }
}

impl Format for JsonLines<'_> {
    fn names(&self) -> &Names {
        &self.names
    }

    fn rows(&mut self, want: &[Want], to: Receiver<'_>) -> Result<(), ReadError> {
        let mut lines = self.lines()?;
        let together = (BATCH_CELLS / want.len()).clamp(1, BATCH_ROWS);
        let mut columns: Vec<Vec<Scalar>> = vec![Vec::new(); want.len()];
        let mut places = Vec::new();
        loop {
            let line = lines.next_line()?;
            if let Some(line) = line {
                places.push(line);
                columns.iter_mut().zip(want).filter(|(_, want)| **want != Want::Nothing).for_each(|(column, _)| {
                    column.push(Scalar::Missing);
                });
                lines.parse(line, Row { keys: &self.keys, columns: &mut columns, n_rows: places.len() })?;
            }
            if places.len() == together || line.is_none() && !places.is_empty() {
                let cells = columns.iter().map(|c| if c.is_empty() { Cells::Missing } else { Cells::Mixed(c) });
                to(&Batch { n_rows: places.len(), places: Places::Lines(&places), columns: cells.collect() })?;
                columns.iter_mut().for_each(Vec::clear);
                places.clear();
            }
            if line.is_none() {
                return Ok(());
            }
        }
    }

    fn notes(&mut self) -> Vec<String> {
        let blank = (self.blank > 0).then(|| format!("{} inside the data skipped", count(self.blank, "blank line")));
        blank.into_iter().collect()
    }
}

/// Collects the keys of one object that were not seen before.
struct NewKeys<'a> {
    keys: &'a mut HashMap<String, usize>,
    order: &'a mut Vec<String>,
}

impl<'de> DeserializeSeed<'de> for NewKeys<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for NewKeys<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            map.next_value::<IgnoredAny>()?;
            let column = match self.keys.get(&key) {
                Some(&column) => column,
                None => {
                    let column = self.order.len();
                    self.order.push(key.trim().to_owned());
                    self.keys.insert(key.clone(), column);
                    column
                }
            };
            if !seen.insert(column) {
                return Err(A::Error::custom(format!("the key {} occurs twice", quoted(&key))));
            }
        }
        Ok(())
    }
}

/// Puts the values of one object into the last row of the columns that are wanted.
struct Row<'a> {
    keys: &'a HashMap<String, usize>,
    columns: &'a mut [Vec<Scalar>],
    n_rows: usize,
}

impl<'de> DeserializeSeed<'de> for Row<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Row<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(column) = map.next_key_seed(KeyOf(self.keys))? {
            match column {
                // Columns that nobody wants have no row to put a value into.
                Some(column) if self.columns[column].len() == self.n_rows => {
                    self.columns[column][self.n_rows - 1] = map.next_value_seed(OneScalar)?;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// The column of a key, without making a string of it.
struct KeyOf<'a>(&'a HashMap<String, usize>);

impl<'de> DeserializeSeed<'de> for KeyOf<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Self::Value, D::Error> {
        input.deserialize_str(self)
    }
}

impl Visitor<'_> for KeyOf<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.get(key).copied())
    }
}

/// One value. A boolean has a type of its own here, unlike in text files: it is 1 or 0, as in typed files.
struct OneScalar;

impl<'de> DeserializeSeed<'de> for OneScalar {
    type Value = Scalar;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Scalar, D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for OneScalar {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_f64<E>(self, value: f64) -> Result<Scalar, E> {
        Ok(Scalar::Number(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Scalar, E> {
        Ok(Scalar::Number(value as f64))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Scalar, E> {
        Ok(Scalar::Number(value as f64))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Scalar, E> {
        Ok(Scalar::Number(f64::from(u8::from(value))))
    }

    fn visit_str<E>(self, value: &str) -> Result<Scalar, E> {
        Ok(Scalar::String(value.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Scalar, E> {
        Ok(Scalar::Missing)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Nested)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Scalar, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Nested)
    }
}
