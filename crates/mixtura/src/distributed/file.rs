//! Statistics files: versioned, readable JSON with a checksum. What is read is checked before it is used.

use serde::{Deserialize, Serialize};

use super::{Part, Statistics};
use crate::catalog;
use crate::data::{Affine, text_fingerprint};
use crate::error::{Error, Result};
use crate::model::MixtureStats;
use crate::stats::{Expectation, Layout, Moments};

/// Version of the format; files of a later one are refused.
const VERSION: u32 = 1;
const FORMAT: &str = "mixtura-statistics";
/// How far sums that are equal in theory may differ: far above rounding, far below a lost row.
const SUMS: f64 = 1e-9;

/// The file as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: String,
    version: u32,
    /// SHA-256, as lower-case hex, of `statistics` as JSON without white space.
    checksum: String,
    statistics: Payload,
}

/// Everything that is checked.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    /// Fingerprint of the model's parameters.
    model: String,
    columns: Vec<String>,
    /// Name of the covariance structure.
    covariance: String,
    labels: Vec<String>,
    n_rows: usize,
    total_weight: f64,
    /// Σ w log p(x) in the columns' own units, nats.
    log_likelihood: f64,
    parts: Vec<Part>,
    /// Smallest and largest value per column, in its own units; null where there is none.
    ranges: Vec<Option<(f64, f64)>>,
    /// The moments below are those of (x − shift) / scale.
    shift: Vec<f64>,
    scale: Vec<f64>,
    /// Σ w r, K.
    counts: Vec<f64>,
    /// Σ w r as the second moments saw it, K.
    weight: Vec<f64>,
    /// Pivots c, K × D.
    pivot: Vec<Vec<f64>>,
    /// Σ w r (x − c), K × D.
    first: Vec<Vec<f64>>,
    /// Σ w r (x − c)(x − c)ᵀ: K lower triangles by rows, or K diagonals.
    second: Vec<Vec<f64>>,
}

/// Only what tells whether the rest can be understood.
#[derive(Deserialize)]
struct Head {
    format: Option<String>,
    version: Option<u32>,
}

impl Statistics {
    /// The statistics as JSON text; reading it gives the same bits.
    pub fn to_json(&self) -> String {
        let MixtureStats { counts, emission } = &self.expectation.stats;
        let (d, len) = (emission.n_features, emission.layout.len(emission.n_features));
        let table = |values: &[f64], width: usize| values.chunks(width).map(<[f64]>::to_vec).collect();
        let statistics = Payload {
            model: self.model.clone(),
            columns: self.columns.clone(),
            covariance: self.structure.name().to_owned(),
            labels: self.labels.clone(),
            n_rows: self.n_rows(),
            total_weight: self.expectation.weight,
            log_likelihood: self.expectation.log_likelihood,
            parts: self.parts.clone(),
            ranges: self.ranges.clone(),
            shift: self.affine.shift.clone(),
            scale: self.affine.scale.clone(),
            counts: counts.clone(),
            weight: emission.weight.clone(),
            pivot: table(&emission.pivot, d),
            first: table(&emission.first, d),
            second: table(&emission.second, len),
        };
        let file = File { format: FORMAT.to_owned(), version: VERSION, checksum: statistics.checksum(), statistics };
        let mut text = serde_json::to_string_pretty(&file).expect("numbers and text always serialise");
        text.push('\n');
        text
    }

    /// Reads statistics from JSON text.
    ///
    /// # Errors
    /// [`Error::Data`] for anything that no valid statistics file says.
    pub fn from_json(text: &str) -> Result<Self> {
        let not = |why: String| Error::Data(format!("this is not a statistics file ({why})"));
        let head: Head = serde_json::from_str(text).map_err(|e| not(format!("not valid JSON: {e}")))?;
        match head.format.as_deref() {
            Some(FORMAT) => {}
            Some("mixtura-model") => return Err(not("but a model: make statistics with the E-step".into())),
            _ => return Err(not(format!("no \"format\": \"{FORMAT}\""))),
        }
        match head.version {
            Some(VERSION) => {}
            Some(v) if v > VERSION => {
                return Err(Error::Data(format!(
                    "the statistics file has version {v}, written by a later mixtura: update"
                )));
            }
            _ => return Err(Error::Data("the statistics file has no valid version".into())),
        }
        let file: File = serde_json::from_str(text).map_err(|e| damaged(&e.to_string()))?;
        if file.checksum != file.statistics.checksum() {
            return Err(damaged("its checksum does not agree with its content"));
        }
        file.statistics.build()
    }
}

fn damaged(why: &str) -> Error {
    Error::Data(format!("the statistics file is damaged ({why}): make it again"))
}

impl Payload {
    fn checksum(&self) -> String {
        text_fingerprint(&serde_json::to_string(self).expect("numbers and text always serialise"))
    }

    /// The statistics, if they are such as an E-step may have left. All memory is what was read already: nothing is
    /// allocated by a size that the file only claims.
    fn build(self) -> Result<Statistics> {
        let structure = catalog::structure(&self.covariance).map_err(|e| damaged(&e.to_string()))?;
        let (k, d, layout) = (self.counts.len(), self.columns.len(), structure.layout());
        let check = |good: bool, why: &str| if good { Ok(()) } else { Err(damaged(why)) };
        check(k > 0 && d > 0, "it has no components or no columns")?;
        let rows = |table: &[Vec<f64>], width| table.len() == k && table.iter().all(|row| row.len() == width);
        let sizes = [self.ranges.len(), self.shift.len(), self.scale.len()].iter().all(|n| *n == d)
            && self.weight.len() == k
            && [&self.pivot, &self.first].iter().all(|t| rows(t, d))
            && rows(&self.second, layout.len(d));
        check(sizes, "the sizes of its tables do not agree")?;
        let close = |a: f64, b: f64| (a - b).abs() <= SUMS * self.total_weight;
        check(self.total_weight > 0.0, "its total weight is not positive")?;
        check(self.counts.iter().chain(&self.weight).all(|w| *w >= 0.0), "a component has negative weight")?;
        check(self.counts.iter().zip(&self.weight).all(|(a, b)| close(*a, *b)), "weights do not add up")?;
        check(close(self.counts.iter().sum(), self.total_weight), "weights do not add up")?;
        check(close(self.parts.iter().map(|p| p.total_weight).sum(), self.total_weight), "parts do not add up")?;
        let n_rows = self.parts.iter().try_fold(0_usize, |n, p| n.checked_add(p.n_rows));
        check(!self.parts.is_empty() && n_rows == Some(self.n_rows), "parts do not add up")?;
        check(self.scale.iter().all(|s| *s > 0.0), "a scale is not positive")?;
        check(self.ranges.iter().flatten().all(|(low, high)| low <= high), "a range is empty")?;
        let diagonal = |row: &Vec<f64>| match layout {
            Layout::Diagonal => row.iter().all(|v| *v >= 0.0),
            Layout::Full => (0..d).all(|i| row[i * (i + 1) / 2 + i] >= 0.0),
        };
        check(self.second.iter().all(diagonal), "a sum of squares is negative")?;
        let emission = Moments {
            layout,
            n_features: d,
            weight: self.weight,
            pivot: self.pivot.concat(),
            first: self.first.concat(),
            second: self.second.concat(),
        };
        let statistics = Statistics {
            model: self.model,
            columns: self.columns,
            structure,
            labels: self.labels,
            affine: Affine { shift: self.shift, scale: self.scale },
            ranges: self.ranges,
            parts: self.parts,
            expectation: Expectation {
                stats: MixtureStats { counts: self.counts, emission },
                log_likelihood: self.log_likelihood,
                weight: self.total_weight,
            },
        };
        statistics.check_finite()?;
        Ok(statistics)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Dense;
    use crate::distributed::e_step;
    use crate::family::gaussian::{Gaussian, Structure};
    use crate::model::Mixture;
    use crate::persist::{Record, SavedModel};

    /// Files that a program wrote with a right checksum and a wrong content: each is refused, none panics.
    #[test]
    fn what_no_e_step_leaves_is_refused_whatever_the_checksum_says() {
        let bank = Gaussian::new(Structure::Full, 2, vec![0.0, 0.0, 3.0, 1.0], [1.0, 0.0, 0.0, 1.0].repeat(2)).unwrap();
        let columns = vec!["a".to_owned(), "b".to_owned()];
        let saved = SavedModel { model: Mixture::equal(bank), columns, record: Record::default() };
        let rows = Dense::new(vec![0.1, 0.2, 3.0, 1.5, 0.4, -0.3], 2).unwrap();
        let text = e_step(&saved, &rows, "rows.csv").unwrap().to_json();
        let payload = || serde_json::from_str::<File>(&text).unwrap().statistics;
        assert!(payload().build().is_ok());
        let refused = |why: &str, change: &dyn Fn(&mut Payload)| {
            let mut forged = payload();
            change(&mut forged);
            let file =
                File { format: FORMAT.into(), version: VERSION, checksum: forged.checksum(), statistics: forged };
            let error = Statistics::from_json(&serde_json::to_string(&file).unwrap()).unwrap_err().to_string();
            assert!(error.contains(why), "no {why:?} in {error:?}");
        };
        refused("no components", &|p| p.columns.clear());
        refused("no components", &|p| p.counts.clear());
        refused("sizes", &|p| p.columns.push("c".into()));
        refused("sizes", &|p| p.second[1].push(1.0));
        refused("sizes", &|p| p.first[0].clear());
        refused("sizes", &|p| p.pivot.truncate(1));
        refused("sizes", &|p| p.covariance = "diag".into());
        refused("no covariance structure", &|p| p.covariance = "round".into());
        refused("not positive", &|p| p.total_weight = 0.0);
        refused("not positive", &|p| p.scale[0] = -1.0);
        refused("negative weight", &|p| p.weight[0] = -1.0);
        refused("weights do not add up", &|p| p.counts[0] += 1.0);
        refused("weights do not add up", &|p| p.weight[1] += 1.0);
        refused("parts do not add up", &|p| p.parts[0].total_weight = 7.0);
        refused("parts do not add up", &|p| p.n_rows = 4);
        refused("parts do not add up", &|p| p.parts.clear());
        refused("parts do not add up", &|p| (p.n_rows, p.parts[0].n_rows) = (usize::MAX, 3));
        refused("range", &|p| p.ranges[0] = Some((1.0, 0.0)));
        refused("sum of squares", &|p| p.second[0][2] = -1.0);

        // Numbers that pass and make no sense: the M-step may refuse them, and must not panic.
        let wild = [0.0, -0.0, 1e308, -1e308, 5e-324, 1e-200, 1e155, -3.0];
        for (i, &x) in wild.iter().enumerate() {
            for &y in &wild[..=i] {
                for place in 0..6 {
                    let mut p = payload();
                    let table = [&mut p.pivot, &mut p.first, &mut p.second].into_iter().nth(place / 2).unwrap();
                    (table[0][place % 2], table[1][1]) = (x, y);
                    (p.scale[place % 2], p.shift[0]) = (y.abs().max(5e-324), x);
                    if let Ok(statistics) = p.build() {
                        let _ = crate::distributed::m_step(&saved, &statistics, Default::default());
                    }
                }
            }
        }
    }
}
