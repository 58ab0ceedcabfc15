//! Trains a unigram tokeniser (Kudo 2018, §3.2) with the kit: pieces of words and their probabilities, where nobody sees how
//! the words were cut.
//!
//! p(word) = Σ over segmentations of Π p(piece). The E-step is forward–backward on the lattice of pieces, the M-step counts
//! pieces. Every word ends in `_`, a piece like any other, so that the probabilities of all words sum to 1. The trainer begins with
//! every frequent substring, and drops the pieces that are used least until as many are left as were asked for.
//!
//! ```sh
//! cargo run --release -p mixtura --example unigram_tokeniser            # the words of the README
//! cargo run --release -p mixtura --example unigram_tokeniser -- text.txt 500
//! ```

use std::collections::{BTreeMap, HashMap};

use mixtura::algorithm::Squarem;
use mixtura::fit::{Control, ModelFit, ModelOptions, fit_em};
use mixtura::model::{Em, Unconstrained};
use mixtura::{Error, Result};

/// A distinct word with its end, and how often it occurs.
pub(crate) type Word = (Vec<char>, f64);

/// Longest piece, in letters.
const LONGEST: usize = 8;

/// Pieces and their probabilities.
#[derive(Clone, Debug)]
pub(crate) struct Unigram {
    /// The pieces, each a few letters.
    pub(crate) pieces: Vec<Vec<char>>,
    /// Their probabilities, which sum to 1.
    pub(crate) probabilities: Vec<f64>,
    index: HashMap<Vec<char>, usize>,
}

impl Unigram {
    /// Pieces with their probabilities.
    pub(crate) fn new(pieces: Vec<Vec<char>>, probabilities: Vec<f64>) -> Self {
        let index = pieces.iter().cloned().zip(0..).collect();
        Unigram { pieces, probabilities, index }
    }

    /// The pieces that `letters` begins with: number and length.
    fn prefixes(&self, letters: &[char]) -> impl Iterator<Item = (usize, usize)> {
        (1..=letters.len().min(LONGEST)).filter_map(|n| self.index.get(&letters[..n]).map(|&i| (i, n)))
    }

    /// Adds `count` × the expected number of each piece in a word to `expected`, and returns log p(word).
    fn expect(&self, word: &[char], count: f64, expected: &mut [f64]) -> f64 {
        // Words are short: probabilities of pieces of even 1e-9 do not underflow in thirty of them.
        let n = word.len();
        let (mut ahead, mut behind) = (vec![0.0; n + 1], vec![0.0; n + 1]);
        (ahead[0], behind[n]) = (1.0, 1.0);
        for at in 0..n {
            for (i, length) in self.prefixes(&word[at..]) {
                ahead[at + length] += ahead[at] * self.probabilities[i];
            }
        }
        for at in (0..n).rev() {
            for (i, length) in self.prefixes(&word[at..]) {
                behind[at] += self.probabilities[i] * behind[at + length];
            }
        }
        for at in 0..n {
            for (i, length) in self.prefixes(&word[at..]) {
                expected[i] += count * ahead[at] * self.probabilities[i] * behind[at + length] / behind[0];
            }
        }
        behind[0].ln()
    }

    /// The most probable segmentation, or `None` where the word has an unknown letter (Viterbi 1967).
    pub(crate) fn cut(&self, word: &[char]) -> Option<Vec<String>> {
        let n = word.len();
        // Log-probability of the best way to each place, and the length of its last piece.
        let mut best = vec![(f64::NEG_INFINITY, 0); n + 1];
        best[0].0 = 0.0;
        for at in 0..n {
            for (i, length) in self.prefixes(&word[at..]) {
                let through = best[at].0 + self.probabilities[i].ln();
                if through > best[at + length].0 {
                    best[at + length] = (through, length);
                }
            }
        }
        let (mut at, mut cuts) = (n, Vec::new());
        while at > 0 {
            let length = best[at].1;
            (length > 0).then_some(())?;
            cuts.push(word[at - length..at].iter().collect());
            at -= length;
        }
        cuts.reverse();
        Some(cuts)
    }
}

impl Em for Unigram {
    type Data = [Word];
    /// Expected number of each piece.
    type Stats = Vec<f64>;

    fn e_step(&self, words: &[Word]) -> Result<(Vec<f64>, f64)> {
        let (mut expected, mut log_likelihood) = (vec![0.0; self.pieces.len()], 0.0);
        for (word, count) in words {
            let log_p = self.expect(word, *count, &mut expected);
            if log_p == f64::NEG_INFINITY {
                let word: String = word.iter().collect();
                return Err(Error::Data(format!("no pieces make the word '{word}': keep every letter as a piece")));
            }
            log_likelihood += count * log_p;
        }
        Ok((expected, log_likelihood))
    }

    fn m_step(&mut self, expected: &Vec<f64>) -> Result<()> {
        let total: f64 = expected.iter().sum();
        self.probabilities = expected.iter().map(|e| e / total).collect();
        Ok(())
    }

    fn parameters(&self) -> Vec<f64> {
        self.probabilities.clone()
    }
}

/// Log-probabilities, to which a constant may be added.
impl Unconstrained for Unigram {
    fn to_vector(&self) -> Vec<f64> {
        self.probabilities.iter().map(|p| p.max(f64::MIN_POSITIVE).ln()).collect()
    }

    fn with_vector(&self, vector: &[f64]) -> Option<Self> {
        let top = vector.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let raw: Vec<f64> = vector.iter().map(|v| (v - top).exp()).collect();
        let total: f64 = raw.iter().sum();
        total.is_finite().then(|| Unigram { probabilities: raw.iter().map(|r| r / total).collect(), ..self.clone() })
    }
}

/// The distinct words of a text, lower case, with their ends.
pub(crate) fn words(text: &str) -> Vec<Word> {
    let mut counts: BTreeMap<Vec<char>, f64> = BTreeMap::new();
    for word in text.split(|c: char| !c.is_alphabetic()).filter(|w| !w.is_empty()) {
        *counts.entry(word.to_lowercase().chars().chain(['_']).collect()).or_default() += 1.0;
    }
    counts.into_iter().collect()
}

/// Trains a tokeniser of at most `size` pieces, or of the letters where these are more. `None` for a text without words.
pub(crate) fn train(words: &[Word], size: usize) -> Result<Option<ModelFit<Unigram>>> {
    let mut counts: BTreeMap<&[char], f64> = BTreeMap::new();
    for (word, count) in words {
        let letters = word.len() - 1;
        for at in 0..letters {
            (at + 1..=letters.min(at + LONGEST)).for_each(|end| *counts.entry(&word[at..end]).or_default() += count);
        }
        *counts.entry(&word[letters..]).or_default() += count;
    }
    // A piece that occurs once explains nothing that its word does not.
    counts.retain(|piece, count| piece.len() == 1 || *count > 1.0);
    let mut kept: Vec<(Vec<char>, f64)> = counts.into_iter().map(|(piece, count)| (piece.to_vec(), count)).collect();
    if kept.is_empty() {
        return Ok(None);
    }
    loop {
        let total: f64 = kept.iter().map(|(_, c)| c).sum();
        let (pieces, start): (Vec<_>, Vec<_>) = kept.iter().map(|(p, c)| (p.clone(), c / total)).unzip();
        let last = pieces.len() <= size || pieces.iter().all(|piece| piece.len() == 1);
        // On the way down a nat is enough.
        let options = ModelOptions { tolerance: if last { 1e-3 } else { 1.0 }, ..ModelOptions::default() };
        let start = vec![Unigram::new(pieces, start)];
        let fit = fit_em(start, words, Squarem::default, options, Control::default())?;
        if last {
            return Ok(Some(fit));
        }
        // A little of everything that stays, so that it can come back; the least used quarter goes, letters excepted.
        kept = fit.model.pieces.iter().cloned().zip(fit.model.probabilities.iter().map(|p| p + 1e-9)).collect();
        let (mut long, letters): (Vec<_>, Vec<_>) = kept.into_iter().partition(|(piece, _)| piece.len() > 1);
        long.sort_by(|a, b| b.1.total_cmp(&a.1));
        long.truncate(size.saturating_sub(letters.len()).max(long.len() * 3 / 4));
        kept = [letters, long].concat();
    }
}

#[allow(dead_code)] // the tests use the rest of this file
fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let text = match arguments.next() {
        Some(path) => std::fs::read_to_string(path)?,
        None => include_str!("../../../README.md").to_owned(),
    };
    let size = arguments.next().map_or(Ok(200), |n| n.parse())?;
    let words = words(&text);
    let Some(fit) = train(&words, size)? else { return Err("the text has no words".into()) };
    println!("{} pieces, {:.1} nats: {}", fit.model.pieces.len(), fit.log_likelihood, fit.status.detail);
    for (word, _) in words.iter().filter(|(word, _)| word.len() > 9).take(12) {
        println!("{}", fit.model.cut(word).ok_or("a word that was not trained on")?.join("·"));
    }
    Ok(())
}
