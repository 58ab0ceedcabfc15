//! Guesses a text file's dialect from its beginning: delimiter, header line, decimal comma.

use crate::cell::{self, Cell};
use crate::records::{Delimiter, RecordReader};

/// Rows looked at to find the delimiter.
const ROWS: usize = 200;

/// The delimiter that cuts the most rows of the sample into the same number of fields, more than
/// one. Of several that do equally well the one with the largest share of numbers among the cells
/// wins (a decimal comma must not beat the blank or semicolon between two numbers), then the one
/// least likely to occur inside a cell. When none fits most rows there is one column.
pub(crate) fn delimiter(sample: &[u8], complete: bool) -> Delimiter {
    const CANDIDATES: [Delimiter; 5] = [
        Delimiter::Byte(b'\t'),
        Delimiter::Byte(b';'),
        Delimiter::Byte(b'|'),
        Delimiter::Byte(b','),
        Delimiter::Blanks,
    ];
    let mut best = ((0.5, 1.0), Delimiter::Byte(b','));
    for candidate in CANDIDATES {
        let fit = fit(sample, complete, candidate);
        if fit > best.0 {
            best = (fit, candidate);
        }
    }
    best.1
}

/// The share of rows with the commonest number of fields, if that is more than one, and the share
/// of numbers among the cells.
fn fit(sample: &[u8], complete: bool, delimiter: Delimiter) -> (f64, f64) {
    let mut reader = RecordReader::new("", sample, delimiter);
    let mut raw = Vec::new();
    let mut fields = Vec::new();
    let (mut cells, mut numbers) = (0, 0);
    while fields.len() < ROWS
        && let Ok(Some(record)) = reader.next(&mut raw)
    {
        fields.push(record.fields);
        // Without regard to delimiters in quotes: these cells are no numbers anyway.
        for cell in raw.split(|&byte| byte == delimiter.byte()) {
            let cell = std::str::from_utf8(cell).unwrap_or_default().trim().trim_matches('"');
            let decimal_comma = delimiter != Delimiter::Byte(b',') && cell.contains(',');
            numbers += usize::from(cell::parse(cell, decimal_comma) != Cell::Text);
            cells += 1;
        }
        raw.clear();
    }
    if !complete && fields.len() > 1 && fields.len() < ROWS {
        // The sample may end in the middle of its last row.
        fields.pop();
    }
    let total = fields.len();
    fields.sort_unstable();
    let share = fields
        .chunk_by(|a, b| a == b)
        .max_by_key(|same| same.len())
        .filter(|same| same[0] > 1)
        .map_or(0.0, |same| same.len() as f64 / total as f64);
    (share, numbers as f64 / f64::from(cells.max(1)))
}

/// Whether the first row holds column names: it is all text, or it has text above numbers.
/// `rows` are the rows after it.
pub(crate) fn has_header<'a>(first: &[String], rows: impl Iterator<Item = Vec<&'a str>>, decimal_comma: bool) -> bool {
    let is_text = |cell: &str| cell::parse(cell, decimal_comma) == Cell::Text;
    let is_value = |cell: &str| !cell::is_missing(cell) && !is_text(cell);
    let text: Vec<bool> = first.iter().map(|cell| is_text(cell)).collect();
    if !text.contains(&true) {
        return false;
    }
    if !first.iter().any(|cell| is_value(cell)) {
        return true;
    }
    let mut numeric = vec![false; first.len()];
    let mut mixed = vec![false; first.len()];
    for row in rows {
        for (column, cell) in row.into_iter().enumerate() {
            numeric[column] |= is_value(cell);
            mixed[column] |= is_text(cell);
        }
    }
    (0..first.len()).any(|column| text[column] && numeric[column] && !mixed[column])
}

/// Whether numbers are written with a decimal comma: some cell needs it and none has a decimal
/// point. Never so where the comma is the delimiter.
pub(crate) fn decimal_comma<'a>(cells: impl Iterator<Item = &'a str>) -> bool {
    let mut comma = false;
    for cell in cells {
        if cell.contains('.') && matches!(cell::parse(cell, false), Cell::Number(_)) {
            return false;
        }
        comma |= cell.contains(',') && matches!(cell::parse(cell, true), Cell::Number(_));
    }
    comma
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sniffed(text: &str) -> Delimiter {
        delimiter(text.as_bytes(), true)
    }

    #[test]
    fn delimiters() {
        assert_eq!(sniffed("a,b\n1,2\n"), Delimiter::Byte(b','));
        assert_eq!(sniffed("a;b\n1,5;2,5\n"), Delimiter::Byte(b';'));
        assert_eq!(sniffed("1,5;2,5\n3,5;4,5\n"), Delimiter::Byte(b';'));
        assert_eq!(sniffed("1,5 2,5\n3,5 4\n"), Delimiter::Blanks);
        assert_eq!(sniffed("\"1,5\" 2\n\"3,5\" 4\n"), Delimiter::Blanks);
        assert_eq!(sniffed("2020-01-01 10:00,5\n2020-01-02 11:00,6\n"), Delimiter::Byte(b','));
        assert_eq!(sniffed("a b\tc d\n1\t2\n"), Delimiter::Byte(b'\t'));
        assert_eq!(sniffed("a|b\n1|2\n"), Delimiter::Byte(b'|'));
        assert_eq!(sniffed("  a   b\n1 2\n"), Delimiter::Blanks);
        assert_eq!(sniffed("a, b\n1, 2\n3, 4\n"), Delimiter::Byte(b','));
        assert_eq!(sniffed("waiting time\n1\n"), Delimiter::Byte(b','));
        assert_eq!(sniffed("a,b\n1,2\n3,4,5\n6,7\n"), Delimiter::Byte(b','));
        assert_eq!(sniffed(""), Delimiter::Byte(b','));
    }

    fn header(text: &str) -> bool {
        let mut rows = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
        let first: Vec<String> = rows.next().unwrap().into_iter().map(String::from).collect();
        has_header(&first, rows, false)
    }

    #[test]
    fn headers() {
        assert!(header("a,b\n1,2"));
        assert!(header("a,b\nx,y"));
        assert!(header(",b\n1,2"));
        assert!(header("1,b\n1,2"));
        assert!(header("name,2001\nNA,2\n3,4"));
        assert!(!header("1,2\n3,4"));
        assert!(!header("NA,2\n3,4"));
        assert!(!header("5.1,setosa\n4.9,setosa"));
        assert!(!header("1,x\n2,3\n4,y"));
    }

    #[test]
    fn decimal_commas() {
        assert!(decimal_comma(["x", "1", "1,5"].into_iter()));
        assert!(!decimal_comma(["1,5", "1.5"].into_iter()));
        assert!(!decimal_comma(["a,b", "1"].into_iter()));
    }
}
