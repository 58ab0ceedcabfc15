//! One fold of a source for cross-validation: the rows that train, or the rows that are held out.
//!
//! Weights are frequencies, so a row of weight 2 must be dealt like the row twice. All weight is laid end to end and cut
//! into units; every block of as many units as there are folds is dealt to the folds in a seeded random order. A row's
//! weight in a fold is the weight of its units that went there.

use super::{Buffer, Chunk, Rows, Source};
use crate::error::{Error, Result};
use crate::seed::Seed;

/// How the rows of a source are dealt to folds.
#[derive(Clone, Debug)]
pub struct Folds<'a> {
    source: &'a dyn Source,
    n_folds: usize,
    seed: Seed,
    /// Weight of the rows before each chunk.
    before: Vec<f64>,
    unit: f64,
}

impl<'a> Folds<'a> {
    /// Deals the rows of a source to `n_folds` folds. Units have weight 1, or the least weight where that is less.
    ///
    /// # Errors
    /// If there are fewer than two folds or fewer units than folds, or the source cannot be read.
    pub fn new(source: &'a dyn Source, n_folds: usize, seed: Seed) -> Result<Self> {
        if n_folds < 2 {
            return Err(Error::Usage("cross-validation needs at least 2 folds".into()));
        }
        let (mut before, mut unit, mut sum) = (Vec::new(), 1.0_f64, 0.0);
        let mut buffer = Buffer::default();
        for id in 0..source.n_chunks() {
            before.push(sum);
            let chunk = source.read(id, &mut buffer)?;
            for i in 0..chunk.rows.n_rows() {
                unit = unit.min(chunk.weight(i));
                sum += chunk.weight(i);
            }
        }
        if sum / unit < n_folds as f64 {
            return Err(Error::Data(format!("{} rows cannot be dealt to {n_folds} folds", source.n_rows())));
        }
        Ok(Folds { source, n_folds, seed, before, unit })
    }

    /// The rows of all other folds.
    ///
    /// # Errors
    /// If the source cannot be read.
    pub fn training(&self, fold: usize) -> Result<Fold<'_>> {
        Fold::new(self, fold, false)
    }

    /// The rows of one fold.
    ///
    /// # Errors
    /// If the source cannot be read.
    pub fn held_out(&self, fold: usize) -> Result<Fold<'_>> {
        Fold::new(self, fold, true)
    }

    /// Weight between two marks that went to a fold.
    fn share(&self, from: f64, to: f64, fold: usize, deal: &mut Deal) -> f64 {
        let f = self.n_folds as f64;
        let (from, to) = (from / self.unit, to / self.unit);
        let (first, last) = ((from / f).floor(), ((to / f).ceil() - 1.0).max((from / f).floor()));
        // Whole blocks give every fold one unit; only the two at the ends need the deal.
        let mut at = |block: f64| {
            let start = block * f + deal.position(block as u64, fold, self) as f64;
            (to.min(start + 1.0) - from.max(start)).max(0.0)
        };
        let ends = if last > first { at(first) + at(last) + (last - first - 1.0) } else { at(first) };
        ends * self.unit
    }
}

/// The order in which the units of one block were dealt; neighbouring rows share it.
#[derive(Default)]
struct Deal {
    block: Option<u64>,
    order: Vec<usize>,
}

impl Deal {
    /// Where in a block the unit of a fold lies.
    fn position(&mut self, block: u64, fold: usize, folds: &Folds<'_>) -> usize {
        if self.block != Some(block) {
            self.block = Some(block);
            self.order.clear();
            self.order.extend(0..folds.n_folds);
            let seed = folds.seed.child(block);
            // Fisher and Yates; a remainder of 64 bits is even enough for a few folds.
            for i in (1..folds.n_folds).rev() {
                self.order.swap(i, (seed.child(i as u64).number() % (i as u64 + 1)) as usize);
            }
        }
        self.order[fold]
    }
}

/// One side of one fold, as a source. Its chunks are those of the source behind, less the rows on the other side.
#[derive(Clone, Debug)]
pub struct Fold<'a> {
    folds: &'a Folds<'a>,
    fold: usize,
    held_out: bool,
    /// Rows before each chunk, and at the end all of them.
    rows: Vec<usize>,
}

impl<'a> Fold<'a> {
    fn new(folds: &'a Folds<'a>, fold: usize, held_out: bool) -> Result<Self> {
        let mut side = Fold { folds, fold, held_out, rows: vec![0; folds.before.len() + 1] };
        let (mut rows, mut buffer) = (0, Buffer::default());
        for id in 0..folds.before.len() {
            rows += side.read(id, &mut buffer)?.rows.n_rows();
            side.rows[id + 1] = rows;
        }
        if rows == 0 {
            return Err(Error::Data(format!("fold {} has no rows: use fewer folds", fold + 1)));
        }
        Ok(side)
    }
}

impl Source for Fold<'_> {
    fn n_features(&self) -> usize {
        self.folds.source.n_features()
    }

    fn n_rows(&self) -> usize {
        self.rows[self.rows.len() - 1]
    }

    fn n_labels(&self) -> usize {
        self.folds.source.n_labels()
    }

    fn n_chunks(&self) -> usize {
        self.folds.before.len()
    }

    fn read<'b>(&'b self, id: usize, buffer: &'b mut Buffer) -> Result<Chunk<'b>> {
        let Buffer { values, weights, labels, inner, .. } = buffer;
        let chunk = self.folds.source.read(id, inner.get_or_insert_default())?;
        values.clear();
        weights.clear();
        labels.clear();
        let (mut mark, mut deal) = (self.folds.before[id], Deal::default());
        for i in 0..chunk.rows.n_rows() {
            let (from, w) = (mark, chunk.weight(i));
            mark += w;
            let share = self.folds.share(from, mark, self.fold, &mut deal);
            // What is left of a unit by rounding is no row.
            let share = if share > w * (1.0 - 1e-9) { w } else { share };
            let kept = if self.held_out { share } else { w - share };
            if kept > 1e-9 * w {
                values.extend_from_slice(chunk.rows.row(i));
                weights.push(kept);
                if let Some(known) = chunk.labels {
                    labels.push(known[i]);
                }
            }
        }
        Ok(Chunk {
            rows: Rows::new(values, self.n_features()),
            weights: Some(weights),
            labels: chunk.labels.map(|_| &labels[..]),
            sequence_ends: &[],
            first_row: self.rows[id],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Dense, for_each_row};

    /// Weight of every value in a source of one column.
    fn weights(source: &dyn Source) -> Vec<f64> {
        let mut out = vec![0.0; 10];
        for_each_row(source, |_, row, w, _| out[row[0] as usize] += w).unwrap();
        out
    }

    #[test]
    fn every_row_is_held_out_once_and_folds_are_even() {
        let rows: Vec<f64> = (0..9_001).map(|i| f64::from(i % 10)).collect();
        let table = Dense::new(rows, 1).unwrap();
        let folds = Folds::new(&table, 7, Seed::new(3)).unwrap();
        let (mut held, mut least, mut most) = (vec![0.0; 10], usize::MAX, 0);
        for fold in 0..7 {
            let (inside, outside) = (folds.held_out(fold).unwrap(), folds.training(fold).unwrap());
            assert_eq!(inside.n_rows() + outside.n_rows(), 9_001);
            held.iter_mut().zip(weights(&inside)).for_each(|(a, b)| *a += b);
            (least, most) = (least.min(inside.n_rows()), most.max(inside.n_rows()));
        }
        assert_eq!(held, weights(&table));
        assert!(most - least <= 1, "{least} {most}");
    }

    #[test]
    fn a_weight_is_the_row_so_many_times() {
        let table = Dense::new(vec![0.0, 1.0, 2.0, 3.0], 1).unwrap().with_weights(vec![3.0, 1.0, 40.0, 7.0]).unwrap();
        let long: Vec<f64> = [(0.0, 3), (1.0, 1), (2.0, 40), (3.0, 7)].iter().flat_map(|&(x, n)| vec![x; n]).collect();
        let repeated = Dense::new(long, 1).unwrap();
        for fold in 0..5 {
            let of = |source| weights(&Folds::new(source, 5, Seed::new(1)).unwrap().held_out(fold).unwrap());
            let (short, long) = (of(&table), of(&repeated));
            // Both are sums of whole units.
            assert_eq!(short, long);
        }
    }

    #[test]
    fn fractional_weights_keep_their_sum() {
        let w = vec![0.37, 2.5, 1.25, 0.5, 10.1];
        let table = Dense::new(vec![0.0, 1.0, 2.0, 3.0, 4.0], 1).unwrap().with_weights(w.clone()).unwrap();
        let folds = Folds::new(&table, 3, Seed::new(1)).unwrap();
        for fold in 0..3 {
            let (a, b) = (weights(&folds.held_out(fold).unwrap()), weights(&folds.training(fold).unwrap()));
            for i in 0..5 {
                // A few additions of numbers up to 40 units.
                assert!((a[i] + b[i] - w[i]).abs() < 1e-13, "{fold} {i}: {} {}", a[i], b[i]);
            }
        }
        assert!(Folds::new(&table, 1, Seed::new(1)).is_err());
    }
}
