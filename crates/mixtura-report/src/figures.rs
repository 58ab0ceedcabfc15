//! Numbers, counts and paragraphs as a terminal shows them.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use crate::WIDTH;

/// Decimals at which a fixed-point number gives way to scientific notation.
const MOST_DECIMALS: i32 = 8;
/// Characters at which it does.
const LONGEST_FIXED: usize = 13;

/// A number to three significant digits of `unit` (a standard deviation, say): no digit that means nothing is shown and
/// none that does is lost.
pub(crate) fn to_unit(x: f64, unit: f64) -> String {
    let unit = if unit > 0.0 && unit.is_finite() { unit } else { x.abs() };
    if !x.is_finite() || unit == 0.0 {
        return format!("{x}");
    }
    let decimals = 2 - unit.log10().floor() as i32;
    if decimals <= MOST_DECIMALS {
        let fixed = format!("{x:.*}", decimals.max(0) as usize);
        if fixed.len() <= LONGEST_FIXED {
            let zero = fixed.trim_start_matches('-').chars().all(|c| c == '0' || c == '.');
            return if zero { fixed.trim_start_matches('-').to_owned() } else { fixed };
        }
    }
    let lead = if x == 0.0 { 0 } else { x.abs().log10().floor() as i32 };
    format!("{x:.*e}", (lead + decimals).clamp(2, 15) as usize)
}

/// A number on its own: to five significant digits.
pub(crate) fn general(x: f64) -> String {
    if x.fract() == 0.0 && x.abs() < 1e12 { format!("{x}") } else { to_unit(x, x.abs() / 100.0) }
}

/// An effective count: to a tenth of a row while that can matter.
pub(crate) fn rows(count: f64) -> String {
    if count < 10_000.0 { format!("{count:.1}") } else { format!("{count:.0}") }
}

/// A counted noun: "1 row", "2 rows".
pub(crate) fn count(n: usize, noun: &str) -> String {
    format!("{n} {}", plural(n, noun))
}

/// A noun as it follows a number.
pub(crate) fn plural(n: usize, noun: &str) -> String {
    format!("{noun}{}", if n == 1 { "" } else { "s" })
}

/// A name cut to so many characters.
pub(crate) fn short(name: &str, longest: usize) -> String {
    if name.chars().count() <= longest {
        return name.to_owned();
    }
    name.chars().take(longest.saturating_sub(1)).chain(['…']).collect()
}

/// Lines folded at spaces to the width of a terminal; continuations are indented by two.
pub(crate) fn paragraphs(lines: &[String]) -> String {
    let mut out = String::new();
    for line in lines {
        let mut used = 0;
        for word in line.split(' ') {
            let length = word.chars().count();
            if used > 0 && used + 1 + length > WIDTH {
                out.push_str("\n  ");
                used = 2;
            } else if used > 0 {
                out.push(' ');
                used += 1;
            }
            out.push_str(word);
            used += length;
        }
        out.push('\n');
    }
    out
}

/// A table without lines, its columns right-aligned but for those listed.
pub(crate) fn plain(header: &[String], rows: Vec<Vec<String>>, left: &[usize]) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header(header);
    table.add_rows(rows);
    for (i, column) in table.column_iter_mut().enumerate() {
        column.set_padding((if i == 0 { 0 } else { 2 }, 0));
        column.set_cell_alignment(if left.contains(&i) { CellAlignment::Left } else { CellAlignment::Right });
    }
    let mut out: String = table.lines().flat_map(|line| [line.trim_end().to_owned(), "\n".to_owned()]).collect();
    if out.is_empty() {
        out.push('\n');
    }
    out
}

/// Characters in the longest line.
pub(crate) fn width(text: &str) -> usize {
    text.lines().map(|line| line.chars().count()).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_show_what_means_something() {
        for (x, unit, want) in [
            (5.0061, 0.349, "5.006"),
            (1e8 + 5.006, 0.349, "100000005.006"),
            (123_456.7, 2345.0, "123457"),
            (-0.0001, 1.0, "0.00"),
            (1.5e-150, 1.5e-150, "1.50e-150"),
            (0.0, 0.0, "0"),
            (3.0, 0.0, "3.00"),
            (-2.0e150, 1.0e149, "-2.000e150"),
        ] {
            assert_eq!(to_unit(x, unit), want);
        }
    }

    #[test]
    fn paragraphs_fold_and_keep_every_word() {
        let line = "word ".repeat(40);
        let text = paragraphs(std::slice::from_ref(&line));
        assert!(width(&text) <= WIDTH, "{text}");
        assert_eq!(text.split_whitespace().count(), line.split_whitespace().count());
    }
}
