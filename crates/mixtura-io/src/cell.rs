//! What one cell of a text file is: a number, missing, infinite or text.

use crate::error::quoted;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Cell {
    Missing,
    Number(f64),
    /// Infinity by name or by overflow (1e999); kept so that it can be refused with its place.
    Infinite(f64),
    Text,
}

const MISSING: [&str; 6] = ["NA", "NaN", "null", "?", "N/A", "None"];

/// Reads a trimmed cell; with `decimal_comma` the comma is the decimal mark and a point is text,
/// because 1.234 may then mean 1234.
pub(crate) fn parse(cell: &str, decimal_comma: bool) -> Cell {
    if is_missing(cell) {
        return Cell::Missing;
    }
    let number = if decimal_comma && cell.contains(',') {
        if cell.contains('.') {
            return Cell::Text;
        }
        cell.replacen(',', ".", 1).parse::<f64>()
    } else if decimal_comma && cell.contains('.') {
        return Cell::Text;
    } else {
        cell.parse::<f64>()
    };
    match number {
        Ok(value) if value.is_finite() => Cell::Number(value),
        // "-nan" and "+nan", which C programs print.
        Ok(value) if value.is_nan() => Cell::Missing,
        Ok(value) => Cell::Infinite(value),
        Err(_) => Cell::Text,
    }
}

pub(crate) fn is_missing(cell: &str) -> bool {
    cell.is_empty() || cell.len() <= 4 && MISSING.iter().any(|m| cell.eq_ignore_ascii_case(m))
}

/// Why a column with this cell is text, for the list of dropped columns.
pub(crate) fn text_reason(cell: &str, place: &str) -> String {
    let example = quoted(cell);
    if cell.eq_ignore_ascii_case("true") || cell.eq_ignore_ascii_case("false") {
        format!("text (true and false are not numbers; write 1 and 0), for example {example} {place}")
    } else if is_grouped(cell) {
        format!(
            "text, for example {example} {place} (a number must be written without thousands \
             separators and with one decimal mark)"
        )
    } else {
        format!("text, for example {example} {place}")
    }
}

/// As [`text_reason`], for a string of a format that has numbers of its own.
pub(crate) fn string_reason(string: &str, place: &str) -> String {
    if matches!(parse(string, false), Cell::Number(_)) {
        return format!("text (numbers in quotes; write them without), for example {} {place}", quoted(string));
    }
    text_reason(string, place)
}

/// Digits with commas, points, apostrophes or blanks among them: "1,234", "1.234,5", "1 234".
fn is_grouped(cell: &str) -> bool {
    let digits = cell.strip_prefix(['-', '+']).unwrap_or(cell);
    digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.chars().all(|c| c.is_ascii_digit() || ",.' \u{a0}\u{202f}".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_all_their_spellings() {
        for (text, value) in [("+1.5", 1.5), ("1e-3", 1e-3), (".5", 0.5), ("5.", 5.0), ("1E5", 1e5), ("-0", -0.0)] {
            assert_eq!(parse(text, false), Cell::Number(value), "{text}");
        }
        assert_eq!(parse("-1,5e3", true), Cell::Number(-1500.0));
        assert_eq!(parse("12", true), Cell::Number(12.0));
    }

    #[test]
    fn missing_markers_in_any_case() {
        for text in ["", "NA", "na", "NaN", "nan", "NULL", "null", "?", "n/a", "None", "-nan"] {
            assert_eq!(parse(text, false), Cell::Missing, "{text}");
        }
    }

    #[test]
    fn infinity_is_neither_number_nor_text() {
        for text in ["inf", "-inf", "Infinity", "+INF", "1e999", "-1e999"] {
            assert!(matches!(parse(text, false), Cell::Infinite(_)), "{text}");
        }
    }

    #[test]
    fn text_stays_text() {
        for text in ["1_000", "0x10", "1,234", "true", "2020-01-01", "1 2", "e5", ".", "-", "1e"] {
            assert_eq!(parse(text, false), Cell::Text, "{text}");
        }
        for text in ["1.5", "1.234,5", "1,2,3"] {
            assert_eq!(parse(text, true), Cell::Text, "{text}");
        }
    }
}
