//! Anomaly scores with a threshold whose false-positive rate is known.
//!
//! The score of a row is −log p(x). With n held-out rows from the same source as the ordinary rows to come, and the
//! j-th largest of their scores as the threshold, the rate at which ordinary rows exceed it is Beta(j, n + 1 − j)
//! distributed whatever the density, and j / (n + 1) on average (David & Nagaraja 2003, "Order Statistics", §2.5): the
//! model need not be right for the rate to hold, but the held-out rows must not have been used to fit it.
//!
//! Rows with missing cells are scored by their observed cells. Such scores do not compare between patterns, but the
//! rate still holds over all rows together if cells go missing in the held-out rows as they do in the rows to come.

use crate::error::{Error, Result};

/// A threshold on the score and what is known of its false-positive rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold {
    /// Rows with a larger score are called anomalies.
    pub score: f64,
    /// The rate that was asked for.
    pub rate: f64,
    /// Its place among the held-out scores: the largest is 1.
    pub place: usize,
    /// Held-out rows.
    pub n_rows: usize,
    /// Expected false-positive rate, place / (n + 1): the largest such number not above the rate asked for.
    pub expected: f64,
    /// Interval that holds the rate of this very threshold with 95 % probability.
    pub interval: (f64, f64),
}

impl Threshold {
    /// The threshold for a false-positive rate from scores of held-out rows (in any order; ties only make the rate
    /// smaller).
    ///
    /// ```
    /// use mixtura::query::Threshold;
    /// let t = Threshold::new((0..999).map(f64::from).collect(), 0.01)?;
    /// assert_eq!((t.score, t.place, t.expected), (989.0, 10, 0.01));
    /// # Ok::<(), mixtura::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the rate is not strictly between 0 and 1, a score is NaN, or n + 1 < 1 / rate: then even the largest score is
    /// exceeded more often than the rate.
    pub fn new(mut scores: Vec<f64>, rate: f64) -> Result<Self> {
        if !(rate > 0.0 && rate < 1.0) {
            return Err(Error::Usage(format!("a false-positive rate is strictly between 0 and 1, not {rate}")));
        }
        if scores.iter().any(|s| s.is_nan()) {
            return Err(Error::Data("a score is not a number".into()));
        }
        let n = scores.len();
        // A rate such as 0.01 is not a 64-bit number: one rounding must not cost a place.
        let place = ((n as f64 + 1.0) * rate * (1.0 + 4.0 * f64::EPSILON)).floor() as usize;
        if place == 0 {
            return Err(Error::Data(format!(
                "{n} held-out rows are too few for a false-positive rate of {rate}: it takes at least {}",
                (1.0 / rate * (1.0 - 4.0 * f64::EPSILON)).ceil() - 1.0
            )));
        }
        let place = place.min(n);
        let (_, score, _) = scores.select_nth_unstable_by(n - place, f64::total_cmp);
        Ok(Threshold {
            score: *score,
            rate,
            place,
            n_rows: n,
            expected: place as f64 / (n as f64 + 1.0),
            interval: false_positive_interval(place, n),
        })
    }

    /// Whether a row of this score is called an anomaly.
    pub fn flags(&self, score: f64) -> bool {
        score > self.score
    }
}

/// The central 95 % interval of Beta(j, n + 1 − j), for 1 ≤ j ≤ n: the false-positive rate of the j-th largest of n
/// held-out scores.
pub fn false_positive_interval(j: usize, n: usize) -> (f64, f64) {
    // P(Beta ≤ x) = P(Binomial(n, x) ≥ j): x is found by halving, to 1e-12 of itself.
    let find = |tail: f64| {
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..100 {
            let middle = 0.5 * (low + high);
            if 1.0 - binomial_below(j, n, middle) < tail {
                low = middle;
            } else {
                high = middle;
            }
            if high - low <= 1e-12 * high {
                break;
            }
        }
        0.5 * (low + high)
    };
    (find(0.025), find(0.975))
}

/// P(Binomial(n, x) < j).
fn binomial_below(j: usize, n: usize, x: f64) -> f64 {
    let (nf, odds) = (n as f64, x / (1.0 - x));
    // log P(i) at i = j − 1, then downwards by P(i − 1) = P(i) · i / (n − i + 1) / odds.
    let log_choose = |i: f64| libm::lgamma(nf + 1.0) - libm::lgamma(i + 1.0) - libm::lgamma(nf - i + 1.0);
    let top = ((j - 1) as f64).min((nf * x).floor());
    let start = (log_choose(top) + top * x.ln() + (nf - top) * (-x).ln_1p()).exp();
    // From the largest term outwards: terms fall geometrically and may be cut when they no longer count.
    let (mut total, mut term, mut i) = (start, start, top);
    while i > 0.0 && term > 1e-18 * total {
        term *= i / (nf - i + 1.0) / odds;
        i -= 1.0;
        total += term;
    }
    (term, i) = (start, top);
    while i < (j - 1) as f64 && term > 1e-18 * total {
        term *= (nf - i) / (i + 1.0) * odds;
        i += 1.0;
        total += term;
    }
    total.min(1.0)
}
