//! What is learnt of a column while its rows go by: all that the choice of columns needs to know.

/// Running facts of one column.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    /// Why the column is no column of numbers.
    pub(crate) unusable: Option<String>,
    /// The first infinite value and its place.
    pub(crate) infinite: Option<String>,
    /// Rows with a value.
    pub(crate) n_values: usize,
    n_rows: usize,
    /// The first row's value.
    pub(crate) first: f64,
    last: f64,
    consecutive: bool,
    constant: bool,
    /// Every row has a whole number.
    pub(crate) whole: bool,
    /// Every value is larger than the one before.
    pub(crate) rising: bool,
}

impl Default for Facts {
    fn default() -> Self {
        Facts {
            unusable: None,
            infinite: None,
            n_values: 0,
            n_rows: 0,
            first: f64::NAN,
            last: f64::NEG_INFINITY,
            consecutive: true,
            constant: true,
            whole: true,
            rising: true,
        }
    }
}

impl Facts {
    /// Takes note of the next row's value; NaN is missing.
    #[inline]
    pub(crate) fn see(&mut self, value: f64) {
        if self.n_rows == 0 {
            self.first = value;
        }
        // Once a fact is refuted it needs no more looking at: most columns are done after two rows.
        if self.whole {
            self.whole = value.fract() == 0.0;
            self.rising &= value > self.last;
            self.last = value;
            self.consecutive &= self.whole && value == self.first + self.n_rows as f64;
        }
        if self.constant {
            self.constant = value == self.first;
        }
        self.n_values += usize::from(!value.is_nan());
        self.n_rows += 1;
    }

    /// Whole numbers that count up by one from row to row.
    pub(crate) fn counts_rows(&self) -> bool {
        self.n_rows >= 3 && self.whole && self.consecutive
    }

    /// One value in all rows.
    pub(crate) fn is_constant(&self) -> bool {
        self.n_rows >= 2 && self.constant
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(values: &[f64]) -> Facts {
        let mut facts = Facts::default();
        values.iter().for_each(|&value| facts.see(value));
        facts
    }

    #[test]
    fn row_numbers_and_constants() {
        assert!(facts(&[5.0, 6.0, 7.0]).counts_rows());
        for other in [&[5.0, 6.0][..], &[5.0, 6.0, 8.0], &[5.5, 6.5, 7.5], &[f64::NAN, 6.0, 7.0], &[5.0, f64::NAN, 7.0]]
        {
            assert!(!facts(other).counts_rows(), "{other:?}");
        }
        assert!(facts(&[0.5, 0.5]).is_constant());
        for other in [&[0.5][..], &[0.5, 1.0], &[0.5, f64::NAN], &[f64::NAN, f64::NAN]] {
            assert!(!facts(other).is_constant(), "{other:?}");
        }
        assert!(facts(&[1.0, 5.0, 9.0]).rising && !facts(&[1.0, 1.0]).rising);
        assert_eq!(facts(&[1.0, f64::NAN, 3.0]).n_values, 2);
    }
}
