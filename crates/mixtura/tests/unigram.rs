//! The example of a unigram tokeniser trainer: its E-step against all segmentations, its fit against known pieces.

#[path = "../examples/unigram_tokeniser.rs"]
mod unigram_tokeniser;

use mixtura::algorithm::{Batch, Squarem};
use mixtura::fit::{Control, ModelOptions, StatusKind, fit_em};
use mixtura::model::{Em, Posterior};
use mixtura_testkit::rows::Random;
use unigram_tokeniser::{Unigram, Word, train, words};

fn letters(text: &str) -> Vec<char> {
    text.chars().collect()
}

/// Pieces that can cut most words in several ways.
const PIECES: [(&str, f64); 7] =
    [("a", 0.2), ("b", 0.15), ("ab", 0.2), ("ba", 0.05), ("aba", 0.1), ("bb", 0.1), ("_", 0.2)];

fn model(probabilities: &[f64]) -> Unigram {
    Unigram::new(PIECES.iter().map(|(p, _)| letters(p)).collect(), probabilities.to_vec())
}

fn truth() -> Vec<f64> {
    PIECES.iter().map(|(_, p)| *p).collect()
}

/// Every segmentation of the rest of a word, by recursion: pieces so far and the product of their probabilities.
fn segmentations(rest: &[char], p: f64, used: &mut Vec<usize>, out: &mut Vec<(Vec<usize>, f64)>) {
    if rest.is_empty() {
        out.push((used.clone(), p));
        return;
    }
    for (i, (piece, q)) in PIECES.iter().enumerate() {
        if let Some(after) = rest.strip_prefix(&letters(piece)[..]) {
            used.push(i);
            segmentations(after, p * q, used, out);
            used.pop();
        }
    }
}

#[test]
fn the_e_step_equals_enumeration() {
    let data: Vec<Word> = [("a_", 2.0), ("ab_", 1.0), ("abab_", 3.0), ("bbabaabba_", 0.5), ("_", 1.0)]
        .map(|(w, c)| (letters(w), c))
        .to_vec();
    let (stats, log_likelihood) = model(&truth()).e_step(&data).unwrap();
    let (mut want, mut expected, mut most) = (0.0, vec![0.0; PIECES.len()], 0);
    for (word, count) in &data {
        let mut all = Vec::new();
        segmentations(word, 1.0, &mut Vec::new(), &mut all);
        most = most.max(all.len());
        let total: f64 = all.iter().map(|(_, p)| p).sum();
        want += count * total.ln();
        all.iter().for_each(|(used, p)| used.iter().for_each(|&i| expected[i] += count * p / total));
        let best = all.iter().max_by(|a, b| a.1.total_cmp(&b.1)).expect("one way at least");
        let cut: Vec<usize> = model(&truth())
            .cut(word)
            .expect("a cut")
            .iter()
            .map(|p| PIECES.iter().position(|(q, _)| q == p).expect("a piece"))
            .collect();
        let p: f64 = cut.iter().map(|&i| PIECES[i].1).product();
        // Ties are cut either way.
        assert!((p - best.1).abs() < 1e-15 * p, "{word:?}: {cut:?} {p} against {best:?}");
    }
    assert!(most > 20, "words that can be cut in {most} ways test something");
    // Some forty roundings each.
    assert!((log_likelihood - want).abs() < 1e-13 * want.abs(), "{log_likelihood} {want}");
    for (got, want) in stats.iter().zip(expected) {
        assert!((got - want).abs() < 1e-13 * want.max(1.0), "{got} {want}");
    }
    let unknown = model(&truth()).e_step(&[(letters("abc_"), 1.0)]);
    assert_eq!(unknown.unwrap_err().to_string(), "no pieces make the word 'abc_': keep every letter as a piece");
    assert_eq!(model(&truth()).cut(&letters("abc_")), None);
}

#[test]
fn known_probabilities_are_recovered() {
    // Words as the model makes them: pieces until the end of the word.
    let mut r = Random::new(3);
    let mut text = String::new();
    let n = 6_000;
    for _ in 0..n {
        loop {
            let mut u = r.uniform();
            let (piece, _) = PIECES
                .iter()
                .find(|(_, p)| {
                    u -= p;
                    u < 0.0
                })
                .unwrap_or(&PIECES[6]);
            if *piece == "_" {
                break;
            }
            text += piece;
        }
        text.push(' ');
    }
    let mut data = words(&text);
    // Words without a letter leave no trace in a text: a share of p("_") of all.
    let seen: f64 = data.iter().map(|(_, c)| c).sum();
    data.push((letters("_"), f64::from(n) - seen));
    let start = vec![model(&[1.0 / 7.0; 7])];
    let fit = fit_em(start, &data[..], Squarem::default, ModelOptions::default(), Control::default()).unwrap();
    let at_truth = model(&truth()).e_step(&data).unwrap().1;
    assert_eq!(fit.status.kind, StatusKind::Converged, "{}", fit.status.detail);
    assert!(fit.certificate.monotone);
    // Wilks: twice the gain over the truth is chi-squared with 6 degrees of freedom, 99.99 % below 28.
    let gain = fit.log_likelihood - at_truth;
    assert!((0.0..14.0).contains(&gain), "{gain}");
    for ((piece, want), got) in PIECES.iter().zip(&fit.model.probabilities) {
        // Some 30,000 pieces: binomial errors of 0.0023 if the cuts were known; they are not, which costs a factor of some 3.
        assert!((got - want).abs() < 0.03, "{piece}: {got} for {want}");
    }
}

#[test]
fn the_trainer_finds_the_parts_that_words_are_made_of() {
    // Two to five parts in any order: no two of them go together more often than chance has it.
    let parts = ["un", "re", "cover", "plant", "light", "able", "ing", "ed", "ship"];
    let (mut r, mut text, mut cuts) = (Random::new(5), String::new(), Vec::new());
    for _ in 0..400 {
        let word: Vec<&str> = (0..2 + r.below(4)).map(|_| parts[r.below(parts.len())]).collect();
        text += &word.concat();
        text.push(' ');
        cuts.push(word);
    }
    let data = words(&text);
    let total: f64 = data.iter().map(|(_, c)| c).sum();
    let distinct: std::collections::HashSet<char> = data.iter().flat_map(|(w, _)| w.clone()).collect();
    let fit = train(&data, distinct.len() + parts.len()).unwrap().expect("words");
    assert_eq!(fit.model.pieces.len(), distinct.len() + parts.len());
    for part in parts {
        assert!(fit.model.pieces.contains(&letters(part)), "{part} is not in {:?}", fit.model.pieces);
    }
    for word in &cuts {
        let cut = fit.model.cut(&letters(&(word.concat() + "_"))).expect("a cut");
        assert_eq!(cut[..cut.len() - 1], word[..]);
    }
    // A code for the words by these pieces is shorter than one by letters.
    let singles: Vec<Vec<char>> = distinct.iter().map(|c| vec![*c]).collect();
    let even = vec![1.0 / singles.len() as f64; singles.len()];
    let by_letters = fit_em(
        vec![Unigram::new(singles, even)],
        &data[..],
        || Batch(Posterior::Soft),
        ModelOptions::default(),
        Control::default(),
    )
    .unwrap();
    assert!(
        fit.log_likelihood > by_letters.log_likelihood + total,
        "{} {}",
        fit.log_likelihood,
        by_letters.log_likelihood
    );
    assert!(train(&words("1 2 3"), 10).unwrap().is_none());
}
