//! The table of components: weight, effective count, mean and standard deviation of every column that fits.

use mixtura::family::Emission;
use mixtura::persist::SavedModel;

use crate::WIDTH;
use crate::figures::{plain, plural, rows, short, to_unit, width};

/// Components beyond which a table is a wall.
const MOST_SHOWN: usize = 20;
/// Columns that are tried for fit.
const MOST_COLUMNS: usize = 10;

/// One block of two lines per component: mean over standard deviation.
pub(crate) fn table(model: &SavedModel) -> String {
    let bank = model.model.emission();
    let (k, d) = (bank.n_components(), bank.n_features());
    let shown = k.min(MOST_SHOWN);
    let sizes = (1..=d.min(MOST_COLUMNS)).rev().flat_map(|columns| [20, 12, 10, 8].map(|name| (columns, name)));
    let mut text = String::new();
    let mut columns = d;
    for (n, longest) in sizes {
        text = render(model, shown, n, longest);
        columns = n;
        if width(&text) <= WIDTH {
            break;
        }
    }
    if columns < d {
        text.push_str(&format!("({} more {}: see the model file)\n", d - columns, plural(d - columns, "column")));
    }
    if shown < k {
        text.push_str(&format!("({} more {}: see the model file)\n", k - shown, plural(k - shown, "component")));
    }
    text
}

fn render(model: &SavedModel, components: usize, columns: usize, longest: usize) -> String {
    let bank = model.model.emission();
    let d = bank.n_features();
    let labels = &model.record.labels;
    let mut header = vec![String::new(); 3];
    header.extend(model.columns.iter().take(columns).map(|name| short(name, longest)));
    let body = (0..components).map(|c| {
        let covariance = bank.covariance(c);
        let label = labels.get(c).map_or_else(|| c.to_string(), |l| format!("{c}\n{}", short(l, longest)));
        let effective = model.record.certificate.components.get(c).map(|part| rows(part.effective_count));
        let size =
            format!("weight {:.3}\ncount {}", model.model.weights()[c], effective.unwrap_or_else(|| "unknown".into()));
        let mut cells = vec![label, size, "mean\nsd".to_owned()];
        cells.extend((0..columns).map(|j| {
            let sd = covariance[j * d + j].sqrt();
            format!("{}\n{}", to_unit(bank.mean(c)[j], sd), to_unit(sd, sd))
        }));
        cells
    });
    plain(&header, body.collect(), &[0, 1, 2])
}
