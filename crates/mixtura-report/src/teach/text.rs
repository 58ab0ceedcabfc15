//! A lesson as text for a terminal of 96 columns: what happens in a sentence, then the numbers.

use super::{Cell, Entry, Lesson, Table};
use crate::figures::{paragraphs, plain, width};

/// Columns of characters that a table may have.
const WIDEST: usize = 96;
/// Rows of the first E-step that are shown.
const FIRST_ROWS: usize = 12;
/// Iterations shown in a row; beyond, the first of these and the last three.
const MOST_STEPS: usize = 26;
const FIRST_STEPS: usize = 12;

impl Lesson {
    /// The lesson for a terminal.
    pub fn to_text(&self) -> String {
        let mut out = format!("{}\n", self.title);
        out.push_str(&paragraphs(&[format!("({})", self.source)]));
        for (head, text) in
            [("Model", &self.model), ("Data", &self.data), ("E-step", &self.e_step), ("M-step", &self.m_step)]
        {
            out.push('\n');
            out.push_str(&paragraphs(&[format!("{head}: {text}")]));
        }
        out.push_str("\nThe first E-step, at the start\n");
        out.push_str(&first_rows(&self.first_e_step));
        out.push_str("\nAll iterations: what the E-step expects, and the parameters that the M-step makes of it\n");
        out.push_str(&self.all_steps());
        out.push('\n');
        for remark in &self.remarks {
            out.push_str(&paragraphs(std::slice::from_ref(remark)));
        }
        out
    }

    fn all_steps(&self) -> String {
        let whole = steps(&self.steps, &self.steps.columns);
        if width(&whole) <= WIDEST {
            return whole;
        }
        let last = self.steps.columns.last().expect("an objective").clone();
        let mut parts = vec![("E-steps", blocks(&self.steps, &self.e_columns))];
        parts.push(("M-steps", blocks(&self.steps, &[&self.m_columns[..], &[last]].concat())));
        let text = |(head, blocks): (&str, Vec<String>)| -> String {
            blocks.iter().map(|block| format!("{head}\n{block}")).collect::<Vec<_>>().join("\n")
        };
        parts.into_iter().map(text).collect::<Vec<_>>().join("\n")
    }
}

/// As many tables as the width of a terminal asks for, each with the iterations.
fn blocks(table: &Table, columns: &[String]) -> Vec<String> {
    let mut out = Vec::new();
    let mut rest = columns;
    while !rest.is_empty() {
        let render = |n: usize| steps(table, &[&["iteration".to_owned()][..], &rest[..n]].concat());
        let most = (1..=rest.len()).rev().find(|&n| n == 1 || width(&render(n)) <= WIDEST).unwrap_or(1);
        // What belongs to one component stays together where that is not much less.
        let whole =
            (most / 2 + 1..=most).rev().find(|&n| rest.get(n).is_none_or(|next| owner(next) != owner(&rest[n - 1])));
        let n = whole.unwrap_or(most);
        out.push(render(n));
        rest = &rest[n..];
    }
    out
}

/// The component that a column is of: what stands behind its last underscore.
fn owner(column: &str) -> &str {
    column.rsplit('_').next().unwrap_or(column)
}

/// Some columns of the steps.
fn steps(table: &Table, columns: &[String]) -> String {
    let at: Vec<usize> = columns.iter().filter_map(|c| table.columns.iter().position(|t| t == c)).collect();
    let n = table.rows.len();
    let shown: Vec<usize> = if n <= MOST_STEPS { (0..n).collect() } else { (0..FIRST_STEPS).chain(n - 3..n).collect() };
    let mut rows = numbers(table, &at, &shown);
    if n > MOST_STEPS {
        rows.insert(
            FIRST_STEPS,
            at.iter().enumerate().map(|(i, _)| if i == 0 { "..." } else { "" }.to_owned()).collect(),
        );
    }
    plain(columns, rows, &[])
}

fn first_rows(table: &Table) -> String {
    let n = table.rows.len();
    // A sum stands at the end.
    let shown: Vec<usize> = (0..n.min(FIRST_ROWS)).collect();
    let mut columns: Vec<usize> = (0..table.columns.len()).collect();
    let render = |columns: &[usize]| {
        let header: Vec<String> = columns.iter().map(|&j| table.columns[j].clone()).collect();
        plain(&header, numbers(table, columns, &shown), &[])
    };
    let mut text = render(&columns);
    while width(&text) > WIDEST && columns.len() > 2 {
        columns.pop();
        text = render(&columns);
    }
    let mut left = Vec::new();
    if n > shown.len() {
        left.push(format!("{} more rows", n - shown.len()));
    }
    if columns.len() < table.columns.len() {
        left.push(format!("{} more columns", table.columns.len() - columns.len()));
    }
    if !left.is_empty() {
        text.push_str(&format!("({}: see --json)\n", left.join(", ")));
    }
    text
}

/// Cells as text, every column with as many decimals as its largest number needs for eight digits.
fn numbers(table: &Table, columns: &[usize], rows: &[usize]) -> Vec<Vec<String>> {
    let mut out = vec![Vec::with_capacity(columns.len()); rows.len()];
    for &j in columns {
        let all = || rows.iter().filter_map(|&i| if let Cell::Number(x) = table.rows[i][j] { Some(x) } else { None });
        let finite = || all().filter(|x| x.is_finite());
        let largest = finite().fold(0.0_f64, |m, x| m.max(x.abs()));
        let whole = finite().all(|x| x.fract() == 0.0);
        // What EM climbs is looked at for its small gains.
        let least = if matches!(table.columns[j].as_str(), "log_likelihood" | "inertia") { 6 } else { 0 };
        let lead = if largest > 0.0 { largest.log10().floor() as i32 } else { 0 };
        for (cells, &i) in out.iter_mut().zip(rows) {
            cells.push(match &table.rows[i][j] {
                Cell::Text(text) => text.clone(),
                Cell::Empty => String::new(),
                Cell::Number(x) if x.is_nan() => String::new(),
                Cell::Number(x) if whole && largest < 1e12 => format!("{x}"),
                Cell::Number(x) if (-4..9).contains(&lead) => format!("{x:.*}", (7 - lead).clamp(least, 10) as usize),
                Cell::Number(x) => format!("{x:.7e}"),
            });
        }
    }
    out
}

/// The lessons with the data that they take.
pub(super) fn list(lessons: &[Entry]) -> String {
    let mut out = String::new();
    for lesson in lessons {
        out.push_str(&format!("{:<9} {}\n", lesson.name, lesson.title));
        let more = [lesson.source, &format!("own data: {}", lesson.data), &format!("start: {}", lesson.start)];
        for text in more {
            for line in paragraphs(&[text.to_owned()]).lines() {
                out.push_str(&format!("{:10}{line}\n", ""));
            }
        }
    }
    out
}
