//! The selection: the criterion of every candidate at a glance, the best ones in full, and what to doubt about the choice.

use mixtura::fit::{Candidate, Criterion, Mode, Selection, StatusKind};

use crate::WIDTH;
use crate::figures::{count, paragraphs, plain, short};

/// Candidates shown in full.
const MOST_SHOWN: usize = 6;
/// Kinds of failure that are told.
const MOST_FAILURES: usize = 2;
/// Difference of BIC up to which the evidence is "not worth more than a bare mention" (Kass & Raftery 1995).
const TIE: f64 = 2.0;
/// Candidates told whose restarts could turn the choice.
const MOST_NOISY: usize = 3;

/// The value by which candidates are compared; lower is better.
fn value(selection: &Selection, candidate: &Candidate) -> Option<f64> {
    selection.criterion.value(candidate).filter(|v| !v.is_nan())
}

/// A criterion's name in a table.
fn title(criterion: Criterion) -> &'static str {
    match criterion {
        Criterion::Bic | Criterion::Blrt => "BIC",
        Criterion::Icl => "ICL",
        Criterion::Aic => "AIC",
        Criterion::Aicc => "AICc",
        Criterion::Sabic => "SABIC",
        Criterion::Nec => "NEC",
        Criterion::Cv => "CV log-lik",
    }
}

/// What a choice was made by, in a sentence.
pub(crate) fn title_of_choice(criterion: Criterion) -> &'static str {
    match criterion {
        Criterion::Blrt => "likelihood-ratio tests",
        Criterion::Cv => "cross-validated log-likelihood",
        other => title(other),
    }
}

/// A value as it is shown: cross-validation as the log-likelihood that it is.
fn shown(criterion: Criterion, candidate: &Candidate) -> String {
    let Some(value) = criterion.value(candidate) else { return String::new() };
    match criterion {
        Criterion::Cv => format!("{:.2}", value / -2.0),
        Criterion::Nec if value.is_finite() => format!("{value:.4}"),
        _ => format!("{value:.2}"),
    }
}

/// The candidates that have a fit, best first as the choice ranks them: comparable ones lead.
fn ranked(selection: &Selection) -> Vec<usize> {
    let all = &selection.candidates;
    let mut order: Vec<usize> = (0..all.len()).filter(|&i| all[i].outcome.is_ok()).collect();
    let key = |i: usize| (i != selection.best, !all[i].comparable());
    let value = |i: usize| value(selection, &all[i]).unwrap_or(f64::INFINITY);
    order.sort_by(|&a, &b| key(a).cmp(&key(b)).then(value(a).total_cmp(&value(b))));
    order
}

/// The criterion for every K and structure, then the best candidates in full, then why cells are missing.
pub fn selection_table(selection: &Selection) -> String {
    let mut out = String::new();
    if selection.candidates.len() > MOST_SHOWN {
        out.push_str(&grid(selection));
        out.push_str("(* chosen, ! with a note, blank: the same model as one to its left)\n\n");
    }
    out.push_str(&best(selection));
    out.push_str(&failures(selection));
    out
}

/// All that `mixtura select` says: the table, the tests, what other criteria would choose, the modes, what to doubt.
pub fn selection(selection: &Selection, n_labels: usize) -> String {
    let chosen = &selection.candidates[selection.best];
    let by = title_of_choice(selection.criterion);
    let mut out = format!(
        "K = {}, {} covariance, by {by} from {}\n\n{}",
        chosen.n_components,
        chosen.structure.name(),
        count(selection.candidates.len(), "candidate"),
        selection_table(selection)
    );
    out.push_str(&tests(selection));
    out.push_str(&choices(selection));
    if let Ok(fit) = &chosen.outcome {
        let certificate = &fit.certificate;
        let n: usize = certificate.modes.iter().map(|m| m.count).sum();
        if let (Some(best), Some(_)) = (certificate.modes.first(), certificate.chance_of_better) {
            let found = coverage(&certificate.modes, certificate.chance_of_better);
            let line = format!("{} of {n} restarts of the chosen fit reached its optimum. {found}", best.count);
            out.push_str(&paragraphs(&[String::new(), line]));
        }
    }
    let doubts = doubts(selection, n_labels);
    out.push_str(&crate::doubt_list(&doubts));
    out
}

/// What restarts found, in a sentence; empty where they say nothing.
pub(crate) fn coverage(modes: &[Mode], chance: Option<f64>) -> String {
    /// Modes whose counts are told.
    const TOLD: usize = 5;
    let Some(chance) = chance else { return String::new() };
    let counts: Vec<String> = modes.iter().take(TOLD).map(|m| m.count.to_string()).collect();
    let more = if modes.len() > TOLD { ", …" } else { "" };
    let found = match modes.len() {
        1 => String::new(),
        m => format!("They found {m} optima ({}{more} times, best first). ", counts.join(", ")),
    };
    format!("{found}The chance that another search finds a better one is about {:.0} % (an estimate).", 100.0 * chance)
}

fn grid(selection: &Selection) -> String {
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
    let mut header = vec!["K".to_owned()];
    header.extend(structures.iter().map(|s| format!("{} {}  ", title(selection.criterion), s.name())));
    let cell = |k: usize, s| {
        let Some(i) = all.iter().position(|c| c.n_components == k && c.structure == s) else {
            return String::new();
        };
        let mark = match &all[i] {
            _ if i == selection.best => '*',
            c if c.outcome.is_ok() && !c.note().is_empty() => '!',
            _ => ' ',
        };
        let text = shown(selection.criterion, &all[i]);
        match text.as_str() {
            "" if all[i].not_reached() => "not reached  ".to_owned(),
            "" => "failed  ".to_owned(),
            _ => format!("{text} {mark}"),
        }
    };
    let rows = ks.iter().map(|&k| {
        let mut row = vec![k.to_string()];
        row.extend(structures.iter().map(|&s| cell(k, s)));
        row
    });
    plain(&header, rows.collect(), &[])
}

/// The best candidates with the criterion of choice first.
fn best(selection: &Selection) -> String {
    let first = if selection.criterion == Criterion::Blrt { Criterion::Bic } else { selection.criterion };
    let mut criteria = vec![first];
    criteria.extend([Criterion::Bic, Criterion::Icl, Criterion::Aic].into_iter().filter(|c| *c != first));
    criteria.truncate(3);
    let mut header = ["", "K", "covariance", "log-lik", "p"].map(str::to_owned).to_vec();
    header.extend(criteria.iter().map(|c| title(*c).to_owned()));
    header.push("note".to_owned());
    let mut rows = Vec::new();
    for i in ranked(selection).into_iter().take(MOST_SHOWN) {
        let candidate = &selection.candidates[i];
        let Ok(fit) = &candidate.outcome else {
            continue;
        };
        let mut row = vec![
            if i == selection.best { "*" } else { "" }.to_owned(),
            candidate.n_components.to_string(),
            candidate.structure.name().to_owned(),
            format!("{:.2}", fit.log_likelihood),
            fit.n_free_parameters.to_string(),
        ];
        row.extend(criteria.iter().map(|c| shown(*c, candidate)));
        row.push(candidate.note());
        rows.push(row);
    }
    // The note takes what is left of the line, on further lines if need be.
    let note = header.len() - 1;
    let bare: Vec<Vec<String>> = rows.iter().map(|row| [&row[..note], &[String::new()]].concat()).collect();
    let used = crate::figures::width(&plain(&header, bare, &[2, note])) + 1;
    let room = WIDTH.saturating_sub(used).max(12);
    for row in &mut rows {
        row[note] = fold(&row[note], room);
    }
    plain(&header, rows, &[2, note])
}

/// The likelihood-ratio tests in the order they were made.
fn tests(selection: &Selection) -> String {
    if selection.tests.is_empty() {
        return String::new();
    }
    let header = ["test", "2(l1 - l0)", "p-value", "replicates"].map(str::to_owned);
    let rows = selection.tests.iter().map(|test| {
        let (k, structure) = (test.n_components, test.structure.name());
        vec![
            format!("K = {k} against {}, {structure}", k + 1),
            format!("{:.2}", test.statistic),
            format!("{:.3}", test.p_value),
            format!("{} ({} as large)", test.replicates, test.exceedances),
        ]
    });
    format!("\n{}", plain(&header, rows.collect(), &[0]))
}

/// What every criterion would choose, those that agree together.
fn choices(selection: &Selection) -> String {
    let mut groups: Vec<(usize, Vec<&str>)> = Vec::new();
    for criterion in Criterion::ALL {
        let Some(i) = selection.choice(criterion) else { continue };
        let name = if criterion == Criterion::Blrt { "BLRT" } else { title(criterion) };
        match groups.iter_mut().find(|(cell, _)| *cell == i) {
            Some((_, names)) => names.push(name),
            None => groups.push((i, vec![name])),
        }
    }
    let mut lines = vec![String::new()];
    for (i, names) in groups {
        let cell = &selection.candidates[i];
        lines.push(format!("{}: K = {}, {}", names.join(", "), cell.n_components, cell.structure.name()));
    }
    paragraphs(&lines)
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

/// Each reason for missing cells once, with the cells.
fn failures(selection: &Selection) -> String {
    let all = &selection.candidates;
    let failed = reasons(all, |c| !c.not_reached());
    let told = failed.iter().take(MOST_FAILURES);
    let mut lines: Vec<String> =
        told.map(|(reason, cells)| format!("failed ({}): {reason}", cells.join(", "))).collect();
    let untold: Vec<&str> = failed.iter().skip(MOST_FAILURES).flat_map(|(_, c)| c).map(String::as_str).collect();
    if !untold.is_empty() {
        lines.push(format!("failed for like reasons: {}", untold.join(", ")));
    }
    // What an interrupt left out has not failed.
    let left = reasons(all, Candidate::not_reached);
    lines.extend(left.iter().map(|(reason, cells)| format!("{reason}: {}", cells.join(", "))));
    paragraphs(&lines)
}

/// Why some of the candidates have no fit, each reason with the cells; a K that has none in any structure is told as one.
fn reasons(all: &[Candidate], of: impl Fn(&Candidate) -> bool) -> Vec<(String, Vec<String>)> {
    let mut reasons: Vec<(String, Vec<String>)> = Vec::new();
    for candidate in all.iter().filter(|c| c.outcome.is_err() && of(c)) {
        let (k, note) = (candidate.n_components, candidate.note());
        let everywhere = all.iter().filter(|c| c.n_components == k).all(|c| c.note() == note);
        let cell = if everywhere { format!("K = {k}") } else { format!("K = {k} {}", candidate.structure.name()) };
        match reasons.iter_mut().find(|(reason, _)| *reason == note) {
            Some((_, cells)) if cells.contains(&cell) => {}
            Some((_, cells)) => cells.push(cell),
            None => reasons.push((note, vec![cell])),
        }
    }
    reasons
}

/// What to doubt about the choice.
pub fn doubts(selection: &Selection, n_labels: usize) -> Vec<String> {
    let all = &selection.candidates;
    let best = &all[selection.best];
    let (Some(least), Ok(fit)) = (value(selection, best), &best.outcome) else {
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
    let others: Vec<usize> =
        ranked(selection).into_iter().filter(|&i| i != selection.best && all[i].comparable()).collect();
    let gap = |i: usize| value(selection, &all[i]).map(|v| v - least);
    let name = |i: usize, gap: f64| {
        format!("K = {}, {} ({})", all[i].n_components, all[i].structure.name(), more(selection, gap))
    };
    let limit = tie(selection);
    let tied: Vec<String> = others.iter().filter_map(|&i| gap(i).filter(|g| *g <= limit).map(|g| name(i, g))).collect();
    if !tied.is_empty() {
        out.push(format!("a tie: {} of the chosen one is {}", within(selection), tied.join(", ")));
    }
    // Two cells whose order one more restart could turn round.
    let noise = |c: &Candidate| c.outcome.as_ref().map_or(0.0, |fit| unsettled(&fit.certificate.modes));
    if !matches!(selection.criterion, Criterion::Nec | Criterion::Cv) {
        let close = others.iter().filter(|&&i| gap(i).is_some_and(|g| g > limit && g <= 2.0 * noise(&all[i])));
        for &i in close.take(MOST_NOISY) {
            out.push(format!(
                "restarts of K = {}, {} differ by more than the {} it lacks ({:.2} nats, and only one reached the best): more --restarts could turn the choice",
                all[i].n_components,
                all[i].structure.name(),
                title(selection.criterion),
                noise(&all[i])
            ));
        }
    }
    let spikes = fit.certificate.spikes();
    if !spikes.is_empty() {
        let s = if spikes.len() == 1 { "component is a spike" } else { "components are spikes" };
        out.push(format!(
            "{} {s}: narrow, on a handful of rows, an optimum that says little of the data; fewer components or a simpler structure avoid it",
            spikes.len()
        ));
    }
    if best.comparable() {
        let lower = |c: &&Candidate| !c.comparable() && value(selection, c).is_some_and(|b| b < least);
        let passed = all.iter().filter(lower).count();
        if passed > 0 {
            out.push(format!(
                "{} with a lower {} passed over, because a component collapsed or the density is made up there",
                count(passed, "candidate"),
                title(selection.criterion)
            ));
        }
    }
    let heavy = all.iter().filter(|c| c.outcome.as_ref().is_ok_and(|f| f.n_free_parameters as f64 > f.total_weight));
    let heaviest = heavy.map(|c| c.n_components).min();
    if let Some(k) = heaviest {
        out.push(format!(
            "from K = {k} on there are more parameters than rows: the data cannot carry so many components"
        ));
    }
    let stopped = |c: &Candidate| c.outcome.as_ref().is_ok_and(|fit| fit.status.kind == StatusKind::Stopped);
    let interrupted = all.iter().filter(|c| c.not_reached() || stopped(c));
    let interrupted = interrupted.count();
    if interrupted > 0 && all.len() > 1 {
        out.push(format!("interrupted before {} of {} candidates were finished", interrupted, all.len()));
    }
    out
}

/// Gap to the second-best mode where only one restart reached the best: what another restart might gain again.
fn unsettled(modes: &[Mode]) -> f64 {
    match modes {
        [best, second, ..] if best.count == 1 => best.objective - second.objective,
        _ => 0.0,
    }
}

/// Gap up to which two candidates are tied.
fn tie(selection: &Selection) -> f64 {
    match selection.criterion {
        // One standard error of the held-out log-likelihood (Breiman et al. 1984), in the units of the value.
        Criterion::Cv => selection.candidates[selection.best]
            .cross_validation
            .as_ref()
            .and_then(|cv| cv.as_ref().ok())
            .map_or(0.0, |cv| 2.0 * cv.standard_error),
        // A ratio, not a likelihood: a hundredth is within what the restarts leave open.
        Criterion::Nec => 0.01,
        _ => TIE,
    }
}

fn within(selection: &Selection) -> String {
    match selection.criterion {
        Criterion::Cv => "within one standard error".to_owned(),
        Criterion::Nec => "within 0.01".to_owned(),
        other => format!("within {TIE} {}", title(other)),
    }
}

fn more(selection: &Selection, gap: f64) -> String {
    match selection.criterion {
        Criterion::Cv => format!("{:.2} nats less", gap / 2.0),
        Criterion::Nec => format!("{gap:.4} more"),
        _ => format!("{gap:.2} more"),
    }
}
