//! The result of k-means as a table of centres.

use mixtura::KMeansFit;

use crate::WIDTH;
use crate::figures::{count, general, paragraphs, plain, plural, rows, short, width};

/// Clusters and columns shown at most.
const MOST_SHOWN: usize = 30;

/// Centres (in the units of `centers`, K × D), counts, inertia, and how the iterations ended.
pub fn clusters(columns: &[String], centers: &[f64], fit: &KMeansFit) -> String {
    let (k, d) = (fit.counts.len(), columns.len());
    let render = |shown: usize| {
        let mut header = vec!["cluster".to_owned(), "count".to_owned()];
        header.extend(columns.iter().take(shown).map(|name| short(name, 12)));
        let body = (0..k.min(MOST_SHOWN)).map(|c| {
            let mut row = vec![c.to_string(), rows(fit.counts[c])];
            row.extend((0..shown).map(|j| general(centers[c * d + j])));
            row
        });
        plain(&header, body.collect(), &[])
    };
    let mut shown = d.min(10);
    let mut out = render(shown);
    while shown > 1 && width(&out) > WIDTH {
        shown -= 1;
        out = render(shown);
    }
    if shown < d {
        out.push_str(&format!("({} more {}: see --json)\n", d - shown, plural(d - shown, "column")));
    }
    if k > MOST_SHOWN {
        out.push_str(&format!("({} more {}: see --json)\n", k - MOST_SHOWN, plural(k - MOST_SHOWN, "cluster")));
    }
    let best = fit.restarts.iter().filter(|r| **r <= fit.inertia * (1.0 + 1e-9)).count();
    let ended = if fit.converged { "converged" } else { "not converged: raise --max-iter" };
    let lines = [
        format!("inertia {} after {} ({ended})", general(fit.inertia), count(fit.iterations, "iteration")),
        format!("{best} of {} restarts reached it", fit.restarts.len()),
    ];
    out.push('\n');
    out.push_str(&paragraphs(&lines));
    out
}
