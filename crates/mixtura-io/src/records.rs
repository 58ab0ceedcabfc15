//! Cuts a text file into records: knows every record's physical line and number of fields, so that
//! refusals can name them, and hands the tokeniser one uniform dialect.

use std::io::BufRead;

use crate::error::ReadError;

/// A longer record is refused: it is almost surely a quote that is never closed.
const MAX_RECORD_BYTES: usize = 16 << 20;
/// More columns are refused: such a table is almost surely lying on its side.
const MAX_COLUMNS: usize = 100_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delimiter {
    Byte(u8),
    /// Runs of spaces and tabs; handed on as one space.
    Blanks,
}

impl Delimiter {
    /// The byte between the fields of the records handed on.
    pub(crate) fn byte(self) -> u8 {
        match self {
            Self::Byte(byte) => byte,
            Self::Blanks => b' ',
        }
    }

    fn separates(self, byte: u8) -> bool {
        match self {
            Self::Byte(own) => byte == own,
            Self::Blanks => byte == b' ' || byte == b'\t',
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record {
    /// The physical line it starts on, counted from 1.
    pub(crate) line: usize,
    pub(crate) fields: usize,
}

/// Where in a record the scan is. Quotes count only at a field's start, as in the tokeniser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    FieldStart,
    InField,
    Quoted,
    QuoteClosed,
    Comment,
}

pub(crate) struct RecordReader<'a, R> {
    source: &'a str,
    input: R,
    delimiter: Delimiter,
    /// The bytes that need a decision; runs of all others are copied whole.
    special: [bool; 256],
    line: usize,
    /// The last byte was a carriage return: a line feed now belongs to the same line end.
    after_cr: bool,
    started: bool,
    pending_blank: usize,
    /// Comment lines skipped before the first record.
    pub(crate) comments: usize,
    /// Blank lines skipped between records.
    pub(crate) blank_inside: usize,
}

impl<'a, R: BufRead> RecordReader<'a, R> {
    pub(crate) fn new(source: &'a str, input: R, delimiter: Delimiter) -> Self {
        let mut special = [false; 256];
        for byte in 0..=255u8 {
            special[usize::from(byte)] = matches!(byte, 0 | b'"' | b'\n' | b'\r') || delimiter.separates(byte);
        }
        Self {
            source,
            input,
            delimiter,
            special,
            line: 1,
            after_cr: false,
            started: false,
            pending_blank: 0,
            comments: 0,
            blank_inside: 0,
        }
    }

    /// Appends the next record and a line feed to `out`; blank lines and leading comments are
    /// passed over. `None`: there is no further record.
    pub(crate) fn next(&mut self, out: &mut Vec<u8>) -> Result<Option<Record>, ReadError> {
        let start = out.len();
        loop {
            let line = self.line;
            let Some((state, fields)) = self.scan(out, start)? else {
                return Ok(None);
            };
            if state == State::Comment {
                self.comments += 1;
            } else if fields == 1 && out[start..].iter().all(|&b| b == b' ') {
                self.pending_blank += 1;
            } else {
                if std::str::from_utf8(&out[start..]).is_err() {
                    return Err(ReadError::Data(format!(
                        "{}, line {line}: the text is not UTF-8 (perhaps Latin-1); convert the \
                         file, for example with iconv -f LATIN1 -t UTF-8",
                        self.source
                    )));
                }
                if self.started {
                    self.blank_inside += self.pending_blank;
                }
                self.pending_blank = 0;
                self.started = true;
                out.push(b'\n');
                return Ok(Some(Record { line, fields }));
            }
            out.truncate(start);
        }
    }

    /// Appends everything up to the next line end outside quotes. `None`: at the end of the input.
    fn scan(&mut self, out: &mut Vec<u8>, start: usize) -> Result<Option<(State, usize)>, ReadError> {
        let first_line = self.line;
        let mut state = State::FieldStart;
        let mut fields = 1;
        let mut seen_any = false;
        let ended = loop {
            let buffer = match self.input.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(ReadError::reading(self.source, error)),
            };
            if buffer.is_empty() {
                break false;
            }
            let mut at = 0;
            let mut ended = false;
            while at < buffer.len() && !ended {
                if !self.started && out.len() == start && !seen_any && buffer[at] == b'#' {
                    state = State::Comment;
                }
                let rest = &buffer[at..];
                let run = rest.iter().position(|&b| self.special[usize::from(b)]).unwrap_or(rest.len());
                if run > 0 {
                    out.extend_from_slice(&rest[..run]);
                    at += run;
                    self.after_cr = false;
                    seen_any = true;
                    if matches!(state, State::FieldStart | State::QuoteClosed) {
                        state = State::InField;
                    }
                    continue;
                }
                let byte = rest[0];
                at += 1;
                if byte == b'\n' && self.after_cr {
                    self.after_cr = false;
                    if state == State::Quoted {
                        out.push(byte);
                    }
                    continue;
                }
                self.after_cr = byte == b'\r';
                seen_any = true;
                match byte {
                    0 => return Err(zero_byte(self.source, self.line)),
                    b'\n' | b'\r' => {
                        self.line += 1;
                        if state == State::Quoted {
                            out.push(byte);
                        } else {
                            ended = true;
                        }
                    }
                    b'"' => {
                        out.push(byte);
                        state = match state {
                            State::FieldStart | State::QuoteClosed => State::Quoted,
                            State::Quoted => State::QuoteClosed,
                            other => other,
                        };
                    }
                    _ if matches!(state, State::Quoted | State::Comment) => out.push(byte),
                    // A further blank of the same run, or blanks before the first field.
                    _ if self.delimiter == Delimiter::Blanks && state == State::FieldStart => {}
                    _ => {
                        out.push(self.delimiter.byte());
                        fields += 1;
                        state = State::FieldStart;
                    }
                }
            }
            self.input.consume(at);
            self.check_size(out.len() - start, fields, first_line)?;
            if ended {
                break true;
            }
        };
        if state == State::Quoted {
            return Err(ReadError::Data(format!(
                "{}: a quote in the row that starts on line {first_line} is never closed; add the \
                 missing quote",
                self.source
            )));
        }
        if self.delimiter == Delimiter::Blanks && state == State::FieldStart && fields > 1 {
            // The run of blanks at the line's end separates nothing.
            out.pop();
            fields -= 1;
        }
        Ok((ended || seen_any).then_some((state, fields)))
    }

    fn check_size(&self, bytes: usize, fields: usize, line: usize) -> Result<(), ReadError> {
        let what = if bytes > MAX_RECORD_BYTES {
            "is longer than 16 MiB; look for a quote that is never closed"
        } else if fields > MAX_COLUMNS {
            "has more than 100,000 columns; write one observation per row"
        } else {
            return Ok(());
        };
        Err(ReadError::Data(format!("{}: the row that starts on line {line} {what}", self.source)))
    }
}

fn zero_byte(source: &str, line: usize) -> ReadError {
    ReadError::Data(format!(
        "{source}, line {line}: there is a zero byte, so this is not a text file; give a CSV or NPY \
         file"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str, delimiter: Delimiter) -> Vec<(String, usize, usize)> {
        // A tiny buffer makes every boundary fall between two reads once.
        let input = std::io::BufReader::with_capacity(3, text.as_bytes());
        let mut reader = RecordReader::new("t", input, delimiter);
        let mut all = Vec::new();
        let mut out = Vec::new();
        while let Some(record) = reader.next(&mut out).unwrap() {
            all.push((String::from_utf8(out.clone()).unwrap(), record.line, record.fields));
            out.clear();
        }
        all
    }

    fn record(text: &str, line: usize, fields: usize) -> (String, usize, usize) {
        (text.into(), line, fields)
    }

    #[test]
    fn every_line_end_counts_one_line() {
        let comma = Delimiter::Byte(b',');
        let expected = [record("a,b\n", 1, 2), record("1,2\n", 2, 2), record("3,4\n", 4, 2)];
        for text in ["a,b\n1,2\n\n3,4\n\n", "a,b\r\n1,2\r\n\r\n3,4", "a,b\r1,2\r\r3,4\r"] {
            assert_eq!(split(text, comma), expected, "{text:?}");
        }
    }

    #[test]
    fn quotes_hide_delimiters_and_line_ends() {
        assert_eq!(
            split("\"a,\r\nb\"\"\",2\r\n3\" x,4\n", Delimiter::Byte(b',')),
            [record("\"a,\r\nb\"\"\",2\n", 1, 2), record("3\" x,4\n", 3, 2)]
        );
    }

    #[test]
    fn runs_of_blanks_are_one_delimiter() {
        assert_eq!(
            split("  a   \"b  c\"  \n \t\n1\t 2 \n", Delimiter::Blanks),
            [record("a \"b  c\"\n", 1, 2), record("1 2\n", 3, 2)]
        );
    }

    #[test]
    fn only_leading_comments_are_skipped() {
        let got = split("# \"one\n#two\r\nx\n#3\n", Delimiter::Blanks);
        assert_eq!(got, [record("x\n", 3, 1), record("#3\n", 4, 1)]);
    }

    #[test]
    fn an_open_quote_is_refused() {
        let mut reader = RecordReader::new("t", "a\n\"b\nc\n".as_bytes(), Delimiter::Byte(b','));
        let mut out = Vec::new();
        assert!(reader.next(&mut out).is_ok());
        let message = reader.next(&mut out).unwrap_err().to_string();
        assert!(message.contains("line 2 is never closed"), "{message}");
    }
}
