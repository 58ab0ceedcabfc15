//! What `describe` adds: which components overlap, and the correlations within them.

use mixtura::family::Emission;
use mixtura::family::gaussian::Structure;
use mixtura::persist::SavedModel;

use crate::figures::{plain, short};

/// Columns up to which correlation matrices are shown.
const MOST_COLUMNS: usize = 6;
/// Components up to which they are.
const MOST_COMPONENTS: usize = 10;

/// For every component the one it overlaps most.
pub(crate) fn closest(model: &SavedModel) -> String {
    let parts = &model.record.certificate.components;
    let rows: Vec<Vec<String>> = parts
        .iter()
        .enumerate()
        .filter_map(|(c, part)| {
            let condition = part.condition_number.map_or_else(|| "infinite".to_owned(), |n| format!("{n:.1}"));
            Some(vec![c.to_string(), part.closest?.to_string(), format!("{:.3}", part.overlap?), condition])
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let header = ["component", "closest to", "overlap (0 to 1)", "condition number"].map(str::to_owned);
    format!("\n{}", plain(&header, rows, &[]))
}

/// Correlations of every component of a structure that has any; those of `tied` once.
pub(crate) fn correlations(model: &SavedModel) -> String {
    let bank = model.model.emission();
    let d = bank.n_features();
    let blocks = match bank.structure() {
        Structure::Full => bank.n_components(),
        Structure::Tied => 1,
        Structure::Diag | Structure::Spherical => 0,
    };
    if !(2..=MOST_COLUMNS).contains(&d) || blocks > MOST_COMPONENTS {
        return String::new();
    }
    let mut out = String::new();
    for c in 0..blocks {
        let of =
            if bank.structure() == Structure::Tied { "all components".to_owned() } else { format!("component {c}") };
        let covariance = bank.covariance(c);
        let mut header = vec![format!("correlations of {of}")];
        header.extend(model.columns[..d - 1].iter().map(|name| short(name, 8)));
        let rows = (1..d).map(|i| {
            let mut row = vec![short(&model.columns[i], 25)];
            row.extend((0..d - 1).map(|j| {
                let sds = covariance[i * d + i].sqrt() * covariance[j * d + j].sqrt();
                if j < i { format!("{:.3}", covariance[i * d + j] / sds) } else { String::new() }
            }));
            row
        });
        out.push('\n');
        out.push_str(&plain(&header, rows.collect(), &[0]));
    }
    out
}
