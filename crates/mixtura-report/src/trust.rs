//! The certificate in plain words, and what to doubt.

use mixtura::family::gaussian::Structure;
use mixtura::fit::StatusKind;
use mixtura::persist::{CertificateRecord, DERIVED, SavedModel, StatusRecord};

use crate::figures::{count, general, rows};

/// Overlap from which two components may well be one.
const STRONG_OVERLAP: f64 = 0.8;
/// Spreads of columns that differ by this factor have no variance in common.
const UNLIKE: f64 = 10.0;
/// Doubts of one kind that are listed one by one.
const MOST_LISTED: usize = 5;

/// How the fit ended, how many restarts agreed, whether the objective ever fell.
pub(crate) fn lines(model: &SavedModel) -> Vec<String> {
    let record = &model.record;
    let certificate = &record.certificate;
    if record.status.kind == DERIVED {
        return vec![format!("Not fitted but made from a fitted model: {}.", record.status.detail)];
    }
    // With one component every start is the same.
    ending(&record.status, certificate, model.model.weights().len() > 1)
}

/// The same of any fit; `restarts` says whether they tell anything.
pub(crate) fn ending(status: &StatusRecord, certificate: &CertificateRecord, restarts: bool) -> Vec<String> {
    let words =
        StatusKind::ALL.into_iter().find(|kind| kind.name() == status.kind).map_or(
            "Unknown ending",
            |kind| match kind {
                StatusKind::Converged => "Converged",
                StatusKind::IterationLimit => "Not converged",
                StatusKind::Stopped => "Interrupted",
                StatusKind::Degenerate => "Degenerate",
            },
        );
    let mut out = vec![format!("{words}: {}.", status.detail)];
    if let Some(nats) = certificate.nats_remaining.filter(|_| !status.detail.contains("nats remain")) {
        out.push(format!("About {nats:.1e} nats were still to be gained."));
    }
    let n = certificate.restarts.len();
    if n > 0 && restarts {
        let collapsed = match certificate.restarts_degenerate {
            0 => String::new(),
            c if c == n => "; all of them collapsed".to_owned(),
            c => format!("; {c} collapsed"),
        };
        out.push(match n {
            1 => "One start was run: nothing tells whether others end elsewhere.".to_owned(),
            _ => {
                let found = crate::selection::coverage(&certificate.modes, certificate.chance_of_better);
                let reached =
                    format!("{} of {n} restarts reached this optimum{collapsed}. ", certificate.restarts_at_best);
                (reached + &found).trim_end().to_owned()
            }
        });
    }
    out.push(match (certificate.monotone, certificate.largest_decrease) {
        (true, _) => "The objective never fell.".to_owned(),
        (false, Some(fall)) => {
            format!("The objective fell once by {fall:.1e} nats: it should never fall.")
        }
        (false, None) => "The objective fell: it should never fall.".to_owned(),
    });
    out
}

/// What the certificate gives reason to doubt.
pub(crate) fn doubts(model: &SavedModel) -> Vec<String> {
    let record = &model.record;
    let certificate = &record.certificate;
    let k = certificate.components.len();
    let mut out = Vec::new();
    if record.status.kind == DERIVED {
        return out;
    }
    if record.status.kind == StatusKind::IterationLimit.name() {
        match &record.step {
            None => out.push("the fit has not converged: raise --max-iter".to_owned()),
            Some(step) if step.model_weight == 0.0 => {
                out.push("the fit has not converged: go on with estep, merge and mstep".to_owned());
            }
            // A stream has no end.
            Some(_) => {}
        }
    }
    if record.status.kind == StatusKind::Stopped.name() {
        out.push("the fit was interrupted: these are the parameters it had reached".to_owned());
    }
    out.extend(lonely(certificate));
    let floored: Vec<usize> = (0..k).filter(|&c| certificate.components[c].floor_active).collect();
    if !floored.is_empty() {
        out.push(format!(
            "{} on the covariance floor: the likelihood there says nothing; use fewer components, or look for repeated rows",
            are(&floored)
        ));
    }
    let empty: Vec<usize> = (0..k).filter(|&c| certificate.components[c].effective_count == 0.0).collect();
    if !empty.is_empty() {
        out.push(format!("{} without rows: use fewer components", are(&empty)));
    }
    if model.model.emission().structure() == Structure::Spherical {
        let sds: Vec<f64> = crate::words::whole(model).iter().map(|(_, sd)| *sd).collect();
        let (low, high) = sds.iter().fold((f64::INFINITY, 0.0_f64), |(l, h), s| (l.min(*s), h.max(*s)));
        if high > UNLIKE * low {
            out.push(format!(
                "spherical components have one variance for all columns, whose spreads differ by a factor of {}: only the widest columns count; rescale them or use --covariance diag",
                general((high / low).round())
            ));
        }
    }
    let spikes: Vec<usize> = (0..k).filter(|&c| certificate.components[c].spike).collect();
    if !spikes.is_empty() {
        out.push(format!(
            "{} narrow, on a handful of rows (a spike): such an optimum says little of the data",
            are(&spikes)
        ));
    }
    let needed = model.model.emission().structure().rows_needed(model.columns.len()) as f64;
    let thin = |&c: &usize| {
        let n = certificate.components[c].effective_count;
        needed > 1.0 && n > 0.0 && n < 2.0 * needed && !certificate.components[c].floor_active
    };
    for c in (0..k).filter(thin).take(MOST_LISTED) {
        let n = rows(certificate.components[c].effective_count);
        out.push(format!(
            "component {c} rests on a count of {n}, where its covariance needs {needed} to exist at all: do not trust its shape"
        ));
    }
    let mut pairs: Vec<(usize, usize, f64)> = Vec::new();
    for (c, part) in certificate.components.iter().enumerate() {
        if let (Some(other), Some(overlap)) = (part.closest, part.overlap)
            && overlap >= STRONG_OVERLAP
            && !pairs.contains(&(other, c, overlap))
        {
            pairs.push((c, other, overlap));
        }
    }
    for (c, other, overlap) in pairs.into_iter().take(MOST_LISTED) {
        out.push(format!(
            "components {c} and {other} overlap strongly ({overlap:.2} of 1): they may describe one shape"
        ));
    }
    if record.data.total_weight < record.n_free_parameters as f64 {
        out.push(format!(
            "the weights sum to {}, less than the {} free parameters: BIC means little here",
            general(record.data.total_weight),
            record.n_free_parameters
        ));
    }
    out
}

/// The doubt of a best optimum that no other restart found.
pub(crate) fn lonely(certificate: &CertificateRecord) -> Option<String> {
    let n = certificate.restarts.len();
    (n > 1 && certificate.restarts_at_best <= 1).then(|| {
        format!("only 1 of {n} restarts reached this optimum: a better one may exist; try --restarts {}", 4 * n)
    })
}

/// "component 3 is", "components 0, 2 and 5 are".
fn are(components: &[usize]) -> String {
    if let [one] = components {
        return format!("component {one} is");
    }
    let shown: Vec<String> = components.iter().take(MOST_LISTED).map(usize::to_string).collect();
    match components.len().checked_sub(MOST_LISTED) {
        Some(more) if more > 0 => format!("{} ({}, …) are", count(components.len(), "component"), shown.join(", ")),
        _ => format!("components {} are", shown.join(", ")),
    }
}
