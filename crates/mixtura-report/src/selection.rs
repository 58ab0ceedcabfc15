//! The selection: BIC of every candidate at a glance, the best ones in full, and what to doubt about the choice.

use mixtura::fit::{Candidate, Selection, StatusKind};

use crate::WIDTH;
use crate::figures::{count, paragraphs, plain, short};

/// Candidates shown in full.
const MOST_SHOWN: usize = 6;
/// Kinds of failure that are told.
const MOST_FAILURES: usize = 2;
/// Difference of BIC up to which the evidence is "not worth more than a bare mention" (Kass & Raftery 1995).
const TIE: f64 = 2.0;

fn bic(candidate: &Candidate) -> Option<f64> {
    candidate.outcome.as_ref().ok().map(mixtura::Fit::bic)
}

/// The candidates that have a fit, best first as the choice ranks them: comparable ones lead.
fn ranked(selection: &Selection) -> Vec<usize> {
    let all = &selection.candidates;
    let mut order: Vec<usize> = (0..all.len()).filter(|&i| all[i].outcome.is_ok()).collect();
    order.sort_by(|&a, &b| {
        let key = |i: usize| (i != selection.best, !all[i].comparable());
        key(a).cmp(&key(b)).then_with(|| bic(&all[a]).unwrap_or(f64::NAN).total_cmp(&bic(&all[b]).unwrap_or(f64::NAN)))
    });
    order
}

/// BIC of every K and structure, then the best candidates in full, then why cells are missing.
pub fn selection_table(selection: &Selection) -> String {
    let all = &selection.candidates;
    let (mut structures, mut ks) = (Vec::new(), Vec::new());
    for candidate in all {
        if !structures.contains(&candidate.structure) {
            structures.push(candidate.structure);
        }
        if !ks.contains(&candidate.n_components) {
            ks.push(candidate.n_components);
        }
    }
    ks.sort_unstable();
    let mut out = String::new();
    if all.len() > MOST_SHOWN {
        let mut header = vec!["K".to_owned()];
        header.extend(structures.iter().map(|s| format!("BIC {}  ", s.name())));
        let cell = |k: usize, s| {
            let Some(i) = all.iter().position(|c| c.n_components == k && c.structure == s) else {
                return String::new();
            };
            let mark = match &all[i] {
                _ if i == selection.best => '*',
                c if c.outcome.is_ok() && !c.note().is_empty() => '!',
                _ => ' ',
            };
            bic(&all[i]).map_or_else(|| "failed  ".to_owned(), |b| format!("{b:.2} {mark}"))
        };
        let rows = ks.iter().map(|&k| {
            let mut row = vec![k.to_string()];
            row.extend(structures.iter().map(|&s| cell(k, s)));
            row
        });
        out.push_str(&plain(&header, rows.collect(), &[]));
        out.push_str("(* chosen, ! with a note, blank: the same model as one to its left)\n\n");
    }
    out.push_str(&best(selection));
    out.push_str(&failures(selection));
    out
}

fn best(selection: &Selection) -> String {
    let header = ["", "K", "covariance", "log-lik", "p", "BIC", "ICL", "AIC", "note"].map(str::to_owned);
    let mut rows = Vec::new();
    for i in ranked(selection).into_iter().take(MOST_SHOWN) {
        let candidate = &selection.candidates[i];
        let Ok(fit) = &candidate.outcome else {
            continue;
        };
        rows.push(vec![
            if i == selection.best { "*" } else { "" }.to_owned(),
            candidate.n_components.to_string(),
            candidate.structure.name().to_owned(),
            format!("{:.2}", fit.log_likelihood),
            fit.n_free_parameters.to_string(),
            format!("{:.2}", fit.bic()),
            format!("{:.2}", fit.icl()),
            format!("{:.2}", fit.aic()),
            candidate.note(),
        ]);
    }
    // The note takes what is left of the line, on further lines if need be.
    let bare: Vec<Vec<String>> = rows.iter().map(|row| [&row[..8], &[String::new()]].concat()).collect();
    let used = crate::figures::width(&plain(&header, bare, &[2, 8])) + 1;
    let room = WIDTH.saturating_sub(used).max(12);
    for row in &mut rows {
        row[8] = fold(&row[8], room);
    }
    plain(&header, rows, &[2, 8])
}

/// A note folded at spaces to `room` characters a line.
fn fold(note: &str, room: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in note.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(short(word, room)),
        }
    }
    lines.join("\n")
}

/// Each reason for missing cells once, with the cells; a K that failed in every structure is told as one.
fn failures(selection: &Selection) -> String {
    let all = &selection.candidates;
    let mut reasons: Vec<(String, Vec<String>)> = Vec::new();
    for candidate in all.iter().filter(|c| c.outcome.is_err()) {
        let (k, note) = (candidate.n_components, candidate.note());
        let everywhere = all.iter().filter(|c| c.n_components == k).all(|c| c.note() == note);
        let cell = if everywhere { format!("K = {k}") } else { format!("K = {k} {}", candidate.structure.name()) };
        match reasons.iter_mut().find(|(reason, _)| *reason == note) {
            Some((_, cells)) if cells.contains(&cell) => {}
            Some((_, cells)) => cells.push(cell),
            None => reasons.push((note, vec![cell])),
        }
    }
    let told = reasons.iter().take(MOST_FAILURES);
    let mut lines: Vec<String> =
        told.map(|(reason, cells)| format!("failed ({}): {reason}", cells.join(", "))).collect();
    let untold: Vec<&str> = reasons.iter().skip(MOST_FAILURES).flat_map(|(_, c)| c).map(String::as_str).collect();
    if !untold.is_empty() {
        lines.push(format!("failed for like reasons: {}", untold.join(", ")));
    }
    paragraphs(&lines)
}

/// What to doubt about the choice.
pub(crate) fn doubts(selection: &Selection, n_labels: usize) -> Vec<String> {
    let all = &selection.candidates;
    let best = &all[selection.best];
    let Some(least) = bic(best) else {
        return Vec::new();
    };
    let ks = all.iter().map(|c| c.n_components);
    let (low, high) = (ks.clone().min().unwrap_or(0), ks.max().unwrap_or(0));
    let k = best.n_components;
    let mut out = Vec::new();
    if low < high && k == high {
        out.push(format!("K = {k} is the largest tried: more components may fit better; try -k {low}..{}", 2 * k));
    } else if low < high && k == low && low > n_labels.max(1) {
        out.push(format!("K = {k} is the smallest tried: fewer components may do; try -k 1..{high}"));
    }
    let tied: Vec<String> = ranked(selection)
        .into_iter()
        .filter(|&i| i != selection.best && all[i].comparable())
        .filter_map(|i| {
            let gap = bic(&all[i])? - least;
            let name = format!("K = {}, {} ({gap:.2} more)", all[i].n_components, all[i].structure.name());
            (gap <= TIE).then_some(name)
        })
        .collect();
    if !tied.is_empty() {
        out.push(format!("a tie: within 2 BIC of the chosen one is {}", tied.join(", ")));
    }
    if best.comparable() {
        let passed = all.iter().filter(|c| !c.comparable() && bic(c).is_some_and(|b| b < least)).count();
        if passed > 0 {
            out.push(format!(
                "{} with a lower BIC passed over, because a component collapsed or the density is made up there",
                count(passed, "candidate")
            ));
        }
    }
    let interrupted = all.iter().filter(|c| match &c.outcome {
        Ok(fit) => fit.status.kind == StatusKind::Stopped,
        Err(error) => *error == mixtura::Error::Interrupted,
    });
    let interrupted = interrupted.count();
    if interrupted > 0 && all.len() > 1 {
        out.push(format!("interrupted before {} of {} candidates were finished", interrupted, all.len()));
    }
    out
}
