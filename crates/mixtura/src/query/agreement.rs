//! How well components agree with known labels: the table of both, and three numbers about it.

use crate::error::{Error, Result};

/// Weights of rows by label and component, with the best matching of the two.
///
/// ```
/// use mixtura::query::Agreement;
/// // Two labels by two components: 45 + 48 of 100 rows match.
/// let a = Agreement::new(vec![vec![5.0, 45.0], vec![48.0, 2.0]])?;
/// assert_eq!((a.matched_error, a.matching.clone()), (0.07, vec![Some(1), Some(0)]));
/// # Ok::<(), mixtura::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Agreement {
    /// Rows (their total weight) by label, then component.
    pub table: Vec<Vec<f64>>,
    /// Adjusted Rand index (Hubert & Arabie 1985, eq. 5): 1 for the same partition, 0 as expected by chance, possibly
    /// below 0.
    pub adjusted_rand: f64,
    /// Share of rows off the best one-to-one matching of labels and components; 0 to 1.
    pub matched_error: f64,
    /// That matching: the component of each label, `None` for labels left over where there are more.
    pub matching: Vec<Option<usize>>,
    /// Mutual information over the mean of the two entropies, 0 to 1; 1 where both sides are one class.
    pub normalized_mutual_information: f64,
}

impl Agreement {
    /// From a table of counts, label by component.
    ///
    /// # Errors
    /// If the table is empty, ragged, has a value that is negative or not finite, or only zeros.
    pub fn new(table: Vec<Vec<f64>>) -> Result<Self> {
        let n_components = table.first().map_or(0, Vec::len);
        if n_components == 0 || table.iter().any(|row| row.len() != n_components) {
            return Err(Error::Data("a table of labels by components has equal rows and at least one cell".into()));
        }
        if table.iter().flatten().any(|n| !(*n >= 0.0 && n.is_finite())) {
            return Err(Error::Data("a count of rows is negative or not finite".into()));
        }
        let by_label: Vec<f64> = table.iter().map(|row| row.iter().sum()).collect();
        let by_component: Vec<f64> = (0..n_components).map(|c| table.iter().map(|row| row[c]).sum()).collect();
        let total: f64 = by_label.iter().sum();
        if total == 0.0 {
            return Err(Error::Data("no row has both a label and a component".into()));
        }
        let cost: Vec<Vec<f64>> = table.iter().map(|row| row.iter().map(|n| -n).collect()).collect();
        let matching = assign(&cost);
        let matched: f64 = matching.iter().zip(&table).filter_map(|(c, row)| c.map(|c| row[c])).sum();
        Ok(Agreement {
            adjusted_rand: adjusted_rand(&table, &by_label, &by_component, total),
            matched_error: ((total - matched) / total).max(0.0),
            matching,
            normalized_mutual_information: mutual_information(&table, &by_label, &by_component, total),
            table,
        })
    }
}

fn adjusted_rand(table: &[Vec<f64>], by_label: &[f64], by_component: &[f64], total: f64) -> f64 {
    let pairs = |n: f64| n * (n - 1.0) / 2.0;
    let sum = |counts: &[f64]| counts.iter().map(|n| pairs(*n)).sum::<f64>();
    let both: f64 = table.iter().map(|row| sum(row)).sum();
    let (a, b) = (sum(by_label), sum(by_component));
    let expected = if total == 1.0 { 0.0 } else { a * b / pairs(total) };
    let most = 0.5 * (a + b);
    // 0 / 0 only where both sides put all rows together or every row alone: the same partition.
    if most == expected { 1.0 } else { (both - expected) / (most - expected) }
}

fn mutual_information(table: &[Vec<f64>], by_label: &[f64], by_component: &[f64], total: f64) -> f64 {
    let entropy =
        |counts: &[f64]| -> f64 { counts.iter().filter(|n| **n > 0.0).map(|n| -n / total * (n / total).ln()).sum() };
    let mut mutual = 0.0;
    for (row, a) in table.iter().zip(by_label) {
        for (n, b) in row.iter().zip(by_component).filter(|(n, _)| **n > 0.0) {
            mutual += n / total * (n / a / (b / total)).ln();
        }
    }
    let mean = 0.5 * (entropy(by_label) + entropy(by_component));
    if mean == 0.0 { 1.0 } else { (mutual / mean).clamp(0.0, 1.0) }
}

/// The one-to-one assignment of rows to columns of least total cost: the column of every row, `None` for rows left
/// over where there are more rows than columns. The Hungarian method by shortest augmenting paths (Kuhn 1955;
/// Jonker & Volgenant 1987), O(n² m).
pub fn assign(cost: &[Vec<f64>]) -> Vec<Option<usize>> {
    let (rows, columns) = (cost.len(), cost.first().map_or(0, Vec::len));
    if rows > columns {
        let turned: Vec<Vec<f64>> = (0..columns).map(|c| cost.iter().map(|row| row[c]).collect()).collect();
        let mut found = vec![None; rows];
        for (c, row) in assign(&turned).into_iter().enumerate() {
            if let Some(row) = row {
                found[row] = Some(c);
            }
        }
        return found;
    }
    // Prices of rows and columns keep every reduced cost cost − row price − column price at 0 or more.
    let (mut row_price, mut column_price) = (vec![0.0; rows], vec![0.0; columns]);
    let mut owner: Vec<Option<usize>> = vec![None; columns];
    for start in 0..rows {
        let mut distance = vec![f64::INFINITY; columns];
        let mut from: Vec<Option<usize>> = vec![None; columns];
        let mut done = vec![false; columns];
        let (mut row, mut last, mut reached) = (start, None, 0.0);
        let free = loop {
            for c in (0..columns).filter(|c| !done[*c]) {
                let through = reached + (cost[row][c] - row_price[row] - column_price[c]);
                if through < distance[c] {
                    (distance[c], from[c]) = (through, last);
                }
            }
            let open = (0..columns).filter(|c| !done[*c]);
            let Some(next) = open.min_by(|a, b| distance[*a].total_cmp(&distance[*b])) else { break None };
            (done[next], reached, last) = (true, distance[next], Some(next));
            match owner[next] {
                Some(taken) => row = taken,
                None => break Some(next),
            }
        };
        row_price[start] += reached;
        for c in (0..columns).filter(|c| done[*c]) {
            if let Some(taken) = owner[c] {
                row_price[taken] += reached - distance[c];
            }
            column_price[c] -= reached - distance[c];
        }
        // Along the path every column goes to the row of the column before it.
        let mut column = free;
        while let Some(c) = column {
            owner[c] = from[c].map_or(Some(start), |before| owner[before]);
            column = from[c];
        }
    }
    let mut found = vec![None; rows];
    for (c, row) in owner.iter().enumerate() {
        if let Some(row) = row {
            found[*row] = Some(c);
        }
    }
    found
}
