//! Understands the header of an NPY file: what its numbers are and how many.
//!
//! By hand rather than by a library: the readers there are reserve memory for whatever size the
//! header claims before they look for the data, and ask for the type of number beforehand.

use crate::error::quoted;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Bool,
    Signed,
    Unsigned,
    Float,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    /// Bytes per number.
    pub(crate) size: usize,
    pub(crate) big_endian: bool,
    pub(crate) fortran: bool,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}

/// Reads the header's text, a Python dictionary such as
/// `{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }`. The error completes the sentence
/// "FILE: the NPY header …".
pub(crate) fn parse(text: &str) -> Result<Header, String> {
    let (kind, size, big_endian) = dtype(value_of(text, "descr")?)?;
    let order = value_of(text, "fortran_order")?;
    let fortran = match order.split([',', '}']).next().map(str::trim) {
        Some("True") => true,
        Some("False") => false,
        _ => return Err("is damaged; save the array again".into()),
    };
    let (rows, columns) = shape(value_of(text, "shape")?)?;
    Ok(Header { kind, size, big_endian, fortran, rows, columns })
}

/// The text after `'key':`.
fn value_of<'a>(text: &'a str, key: &str) -> Result<&'a str, String> {
    [format!("'{key}'"), format!("\"{key}\"")]
        .iter()
        .find_map(|quoted| text.split_once(quoted.as_str()))
        .and_then(|(_, rest)| rest.trim_start().strip_prefix(':'))
        .map(str::trim_start)
        .ok_or_else(|| format!("has no '{key}'; save the array again"))
}

fn dtype(value: &str) -> Result<(Kind, usize, bool), String> {
    let Some(quote @ ('\'' | '"')) = value.chars().next() else {
        return Err("tells of records with named fields; save a plain 2-D array of numbers".into());
    };
    let descr = value[1..].split(quote).next().unwrap_or_default();
    let unusable = || {
        let what = match descr.trim_start_matches(['<', '>', '|', '=']).chars().next() {
            Some('O') => "Python objects",
            Some('c') => "complex numbers",
            Some('U' | 'S' | 'a') => "text",
            Some('M' | 'm') => "times",
            _ => "numbers of another kind",
        };
        Err(format!("gives the type {}, {what}; save the array with .astype(\"float64\")", quoted(descr)))
    };
    let (order, rest) = match descr.chars().next() {
        Some(order @ ('<' | '>' | '|' | '=')) => (order, &descr[1..]),
        _ => ('=', descr),
    };
    let big_endian = order == '>' || order == '=' && cfg!(target_endian = "big");
    let (kind, size) = match rest {
        "f4" => (Kind::Float, 4),
        "f8" => (Kind::Float, 8),
        "b1" => (Kind::Bool, 1),
        "i1" => (Kind::Signed, 1),
        "i2" => (Kind::Signed, 2),
        "i4" => (Kind::Signed, 4),
        "i8" => (Kind::Signed, 8),
        "u1" => (Kind::Unsigned, 1),
        "u2" => (Kind::Unsigned, 2),
        "u4" => (Kind::Unsigned, 4),
        "u8" => (Kind::Unsigned, 8),
        _ => return unusable(),
    };
    Ok((kind, size, big_endian))
}

fn shape(value: &str) -> Result<(usize, usize), String> {
    let inside = value
        .strip_prefix('(')
        .and_then(|rest| rest.split_once(')'))
        .map(|(inside, _)| inside)
        .ok_or("gives no shape; save the array again")?;
    let sizes: Result<Vec<usize>, _> = inside
        .split(',')
        .map(str::trim)
        .filter(|size| !size.is_empty())
        // Python 2 wrote long integers as 3L.
        .map(|size| size.trim_end_matches('L').parse::<usize>())
        .collect();
    match sizes.map_err(|_| "gives a shape that is no list of sizes; save the array again")?[..] {
        [rows] => Ok((rows, 1)),
        [rows, columns] => Ok((rows, columns)),
        ref other => Err(format!("gives {} dimensions; save a 2-D array with one row per observation", other.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(descr: &str, shape: &str) -> Result<Header, String> {
        parse(&format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}  \n"))
    }

    #[test]
    fn plain_headers() {
        let got = header("'<f8'", "(3, 4)").unwrap();
        let same = Header { kind: Kind::Float, size: 8, big_endian: false, fortran: false, rows: 3, columns: 4 };
        assert_eq!(got, same);
        let got = header("'>i2'", "(5L,)").unwrap();
        assert!(got.big_endian && got.rows == 5 && got.columns == 1 && got.size == 2);
        assert!(parse("{'shape':(1,),'fortran_order':True,'descr':'|b1'}").unwrap().fortran);
    }

    #[test]
    fn other_headers_are_refused() {
        for (descr, shape, why) in [
            ("'|O'", "(3,)", "objects"),
            ("'<c16'", "(3,)", "complex"),
            ("'<f2'", "(3,)", "another kind"),
            ("'<U5'", "(3,)", "text"),
            ("[('a', '<f8')]", "(3,)", "named fields"),
            ("'<f8'", "()", "0 dimensions"),
            ("'<f8'", "(1, 2, 3)", "3 dimensions"),
            ("'<f8'", "(-1, 2)", "no list of sizes"),
            ("'<f8'", "3", "no shape"),
            ("'é'", "(3,)", "another kind"),
        ] {
            let message = header(descr, shape).unwrap_err();
            assert!(message.contains(why), "{message}");
        }
        assert!(parse("").is_err());
    }
}
