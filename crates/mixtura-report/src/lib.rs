//! Says in plain text what a fit found and how far to trust it, in 80 columns and without colours.
//!
//! Everything about a fitted model is read from its [`SavedModel`], so what a fit prints and what `describe` prints
//! later from the file are the same words.

mod clusters;
mod components;
mod errors;
mod figures;
mod overlap;
mod selection;
pub mod teach;
mod textbook;
mod trust;
mod words;

use mixtura::fit::Selection;
use mixtura::persist::{DERIVED, SavedModel};

pub use clusters::clusters;
pub use errors::errors;
pub use selection::{doubts as selection_doubts, selection, selection_table};
pub use textbook::{Textbook, textbook};

/// Columns of a terminal that nobody widened.
const WIDTH: usize = 80;

/// What a finished fit found: the selection (where there was one), the components, the certificate, what to doubt.
/// `auto` says that the user left the covariance structure to the program.
pub fn summary(model: &SavedModel, selection: &Selection, auto: bool) -> String {
    let mut out = head(model);
    if selection.candidates.len() > 1 {
        let by = selection::title_of_choice(selection.criterion);
        out.push_str(&format!("chosen by {by} from {} candidates\n\n", selection.candidates.len()));
        out.push_str(&selection_table(selection));
        if auto {
            out.push_str("(covariance auto: the four structures full, tied, diag and spherical)\n");
        }
    }
    out.push('\n');
    out.push_str(&components::table(model));
    out.push('\n');
    out.push_str(&figures::paragraphs(&trust::lines(model)));
    let mut doubts = trust::doubts(model);
    doubts.extend(selection::doubts(selection, model.record.labels.len()));
    out.push_str(&doubt_list(&doubts));
    out
}

/// A model file in words: what [`summary`] says of the model, with overlaps and correlations and where it came from.
pub fn describe(model: &SavedModel) -> String {
    let record = &model.record;
    let mut out = head(model);
    if !record.created_by.is_empty() {
        let line = format!(
            "written by {}, seed {}, data fingerprint {}",
            record.created_by,
            record.seed,
            record.data.fingerprint.get(..12).unwrap_or("unknown")
        );
        out.push_str(&figures::paragraphs(&[line]));
    }
    out.push('\n');
    out.push_str(&components::table(model));
    let words: Vec<String> = words::components(model).into_iter().chain(words::certainty(model)).collect();
    if !words.is_empty() {
        out.push_str(&format!("\n{}", figures::paragraphs(&words)));
    }
    out.push_str(&overlap::closest(model));
    out.push_str(&overlap::correlations(model));
    out.push('\n');
    out.push_str(&figures::paragraphs(&trust::lines(model)));
    out.push_str(&doubt_list(&trust::doubts(model)));
    out
}

/// Three lines: what the model is, and its figures.
fn head(model: &SavedModel) -> String {
    let (record, bank) = (&model.record, model.model.emission());
    let k = model.model.weights().len();
    let weighted = if record.data.total_weight == record.data.n_rows as f64 {
        String::new()
    } else {
        format!(", weights summing to {}", figures::general(record.data.total_weight))
    };
    let mut lines = vec![
        format!(
            "{} with {} covariance in {} from {}: {}{weighted}",
            figures::count(k, "component"),
            bank.structure().name(),
            figures::count(model.columns.len(), "column"),
            record.data.source,
            figures::count(record.data.n_rows, "row"),
        ),
        format!(
            "log-likelihood {:.3} with {}",
            record.log_likelihood,
            figures::count(record.n_free_parameters, "free parameter"),
        ),
        format!("BIC {:.2}, ICL {:.2}, AIC {:.2}", record.bic, record.icl, record.aic),
    ];
    if let Some(prior) = &record.prior {
        lines.push(format!(
            "with a prior: means worth {} rows, covariances {}, weights {} each; log prior {:.3} below its mode, in no figure above",
            figures::general(prior.mean_precision),
            figures::general(prior.degrees_of_freedom),
            figures::general(prior.weight_concentration - 1.0),
            -prior.log_prior,
        ));
    }
    if record.status.kind == DERIVED {
        lines.truncate(1);
    }
    figures::paragraphs(&lines)
}

fn doubt_list(doubts: &[String]) -> String {
    if doubts.is_empty() {
        return String::new();
    }
    let lines: Vec<String> = doubts.iter().map(|d| format!("- {d}")).collect();
    format!("\nWhat to doubt\n{}", figures::paragraphs(&lines))
}
