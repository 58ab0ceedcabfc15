//! Gene counting: allele frequencies from counts of phenotypes, by a table that says which genotypes each phenotype has.
//!
//! Mating is at random (Hardy–Weinberg): a genotype of alleles a ≠ b has the probability 2 p_a p_b, one of a twice p_a². The
//! table is text, one line per phenotype:
//!
//! ```text
//! phenotype,genotypes,count
//! A,AA|AO,186
//! B,BB|BO,38
//! AB,AB,13
//! O,OO,284
//! ```
//!
//! Genotypes are separated by `|` or spaces, their order and the order of their two alleles do not matter. Alleles of one
//! character are written side by side (`CI`), longer ones with a slash (`A1/O`). Blank lines, lines that begin with `#`
//! and the heading are passed over; semicolons or tabs may stand for the commas.

use super::{Category, Cell, HiddenMultinomial};
use crate::data::Dense;
use crate::error::{Error, Result};
use crate::seed::Seed;

/// Counts of phenotypes with the model that explains them.
///
/// ```
/// use mixtura::algorithm::{Algorithm, Batch};
/// use mixtura::engine::Threads;
/// use mixtura::model::{Posterior, genetics::GeneTable};
/// let table = GeneTable::from_text("carbonaria,CC|CI|CT,85\ninsularia,II|IT,196\ntypica,TT,341")?;
/// let (rows, mut model) = (table.rows()?, table.start());
/// for _ in 0..50 {
///     Batch(Posterior::Soft).step(&mut model, &mut Threads::new(&rows))?;
/// }
/// assert_eq!(model.names(), ["C", "I", "T"]);
/// assert!((model.values()[0] - 0.070837).abs() < 1e-6);
/// assert!((model.completed(table.counts())?[2] - 65.0).abs() < 1.0); // moths that are CT behind the dark wings
/// # Ok::<(), mixtura::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct GeneTable {
    model: HiddenMultinomial,
    counts: Vec<f64>,
}

/// A line that is neither blank, comment nor heading.
struct Line<'a> {
    /// Its number, from 1.
    number: usize,
    phenotype: &'a str,
    genotypes: &'a str,
    count: &'a str,
}

impl GeneTable {
    /// Reads a table (its form is in the module's description). Alleles are numbered as they first appear.
    ///
    /// # Errors
    /// [`Error::Data`], with the line: a line that has not three fields, a phenotype that stands twice or has no genotype, an
    /// allele that is no letters and digits, a genotype of other than two alleles, one that stands twice, a pair of alleles that no
    /// phenotype has, a count that is not a whole number ≥ 0; or all counts 0, or fewer than two alleles.
    pub fn from_text(text: &str) -> Result<Self> {
        let lines = lines(text)?;
        let mut alleles: Vec<&str> = Vec::new();
        // Every genotype with the number of its phenotype and its line.
        let mut seen: Vec<([usize; 2], usize, usize)> = Vec::new();
        let mut counts = Vec::new();
        for (phenotype, line) in lines.iter().enumerate() {
            let Line { number, phenotype: name, .. } = *line;
            if let Some(other) = lines[..phenotype].iter().find(|l| l.phenotype == name) {
                return Err(Error::Data(format!(
                    "line {number}: phenotype '{name}' has line {} already: put all its genotypes there",
                    other.number
                )));
            }
            counts.push(count(line)?);
            let mut any = false;
            for text in line.genotypes.split(|c: char| c == '|' || c.is_whitespace()).filter(|g| !g.is_empty()) {
                let mut pair = pair(text, number)?.map(|a| {
                    alleles.iter().position(|known| *known == a).unwrap_or_else(|| {
                        alleles.push(a);
                        alleles.len() - 1
                    })
                });
                pair.sort_unstable();
                if let Some((_, other, at)) = seen.iter().find(|(known, ..)| *known == pair) {
                    return Err(Error::Data(match *other == phenotype {
                        true => format!("line {number}: genotype {text} stands twice: leave it there once"),
                        false => format!(
                            "line {number}: genotype {text} belongs to '{}' already (line {at}): it can show only one phenotype",
                            lines[*other].phenotype
                        ),
                    }));
                }
                seen.push((pair, phenotype, number));
                any = true;
            }
            if !any {
                return Err(Error::Data(format!(
                    "line {number}: phenotype '{name}' has no genotype: write some, as in AA|AO"
                )));
            }
        }
        if alleles.len() < 2 {
            return Err(Error::Data("the table has fewer than two alleles: there is no frequency to find".into()));
        }
        if counts.len() < 2 {
            return Err(Error::Data(
                "the table has one phenotype, which every genotype shows: its count says nothing of the frequencies"
                    .into(),
            ));
        }
        if counts.iter().all(|c| *c == 0.0) {
            return Err(Error::Data("every count is 0: there is nothing to count".into()));
        }
        let short = alleles.iter().all(|a| a.chars().count() == 1);
        let (mut cells, mut categories) = (Vec::new(), Vec::new());
        for line in &lines {
            categories.push(Category { name: line.phenotype.to_owned(), cells: Vec::new() });
        }
        for a in 0..alleles.len() {
            for b in a..alleles.len() {
                let name = format!("{}{}{}", alleles[a], if short { "" } else { "/" }, alleles[b]);
                let Some((_, phenotype, _)) = seen.iter().find(|(pair, ..)| *pair == [a, b]) else {
                    return Err(Error::Data(format!(
                        "no phenotype has genotype {name}, and both its alleles occur: add it to the line of the phenotype that it shows"
                    )));
                };
                categories[*phenotype].cells.push(cells.len());
                cells.push(Cell { name, coefficient: if a == b { 1.0 } else { 2.0 }, factors: vec![a, b] });
            }
        }
        Ok(GeneTable { model: HiddenMultinomial::new(&[&alleles], cells, categories)?, counts })
    }

    /// Peppered moths: the dark form C is dominant over I, and I over the light form T (Givens & Hoeting, Computational
    /// Statistics, example 4.2).
    pub fn peppered_moths() -> Self {
        Self::preset("carbonaria,CC|CI|CT,85\ninsularia,II|IT,196\ntypica,TT,341")
    }

    /// ABO blood groups of 521 patients with duodenal ulcer (Clarke et al. 1959, Br. Med. J. 1).
    pub fn abo_blood_groups() -> Self {
        Self::preset("A,AA|AO,186\nB,BB|BO,38\nAB,AB,13\nO,OO,284")
    }

    /// Linkage of two factors in 197 animals (Rao 1965, pp. 368–369, in Dempster, Laird & Rubin 1977, §1): cell
    /// probabilities ½ + θ/4, (1 − θ)/4, (1 − θ)/4, θ/4, the first of two hidden cells. Parameters θ and 1 − θ.
    pub fn linkage() -> Self {
        let quarter = |name: &str, f| Cell { name: name.into(), coefficient: 0.25, factors: vec![f] };
        let half = Cell { name: "1/2".into(), coefficient: 0.5, factors: Vec::new() };
        let cells = vec![
            half,
            quarter("θ/4", 0),
            quarter("(1-θ)/4, first", 1),
            quarter("(1-θ)/4, second", 1),
            quarter("θ/4, last", 0),
        ];
        let category = |name: &str, cells: &[usize]| Category { name: name.into(), cells: cells.into() };
        let categories =
            vec![category("y1", &[0, 1]), category("y2", &[2]), category("y3", &[3]), category("y4", &[4])];
        let model = HiddenMultinomial::new(&[&["θ", "1-θ"]], cells, categories).expect("a valid model");
        GeneTable { model, counts: vec![125.0, 18.0, 20.0, 34.0] }
    }

    fn preset(text: &str) -> Self {
        Self::from_text(text).expect("a valid table")
    }

    /// Counts of the phenotypes, in the order of the lines.
    pub fn counts(&self) -> &[f64] {
        &self.counts
    }

    /// One row per phenotype: its number, weighted by its count.
    ///
    /// # Errors
    /// None that a valid table can cause.
    pub fn rows(&self) -> Result<Dense<'static>> {
        let numbers: Vec<f64> = (0..self.counts.len()).map(|i| i as f64).collect();
        Dense::new(numbers, 1)?.with_weights(self.counts.clone())
    }

    /// The model with equal frequencies.
    pub fn start(&self) -> HiddenMultinomial {
        self.model.clone()
    }

    /// The model with random frequencies.
    pub fn random_start(&self, seed: Seed) -> HiddenMultinomial {
        self.model.random_start(seed)
    }
}

/// The lines that matter, cut into their fields.
fn lines(text: &str) -> Result<Vec<Line<'_>>> {
    let mut out: Vec<Line<'_>> = Vec::new();
    for (i, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let number = i + 1;
        if line.trim().is_empty() || line.trim_start().starts_with('#') {
            continue;
        }
        let fields: Vec<&str> = line.split([',', ';', '\t']).map(|f| f.trim().trim_matches('"').trim()).collect();
        let &[phenotype, genotypes, count] = &fields[..] else {
            return Err(Error::Data(format!(
                "line {number} has {} fields: write phenotype,genotypes,count, as in A,AA|AO,186",
                fields.len()
            )));
        };
        let heading = ["phenotype", "genotypes", "count"].map(|h| h.to_owned());
        if out.is_empty() && [phenotype, genotypes, count].map(str::to_lowercase) == heading {
            continue;
        }
        if phenotype.is_empty() {
            return Err(Error::Data(format!("line {number}: the phenotype has no name")));
        }
        out.push(Line { number, phenotype, genotypes, count });
    }
    if out.is_empty() {
        return Err(Error::Data("the table has no lines: write phenotype,genotypes,count, as in A,AA|AO,186".into()));
    }
    Ok(out)
}

/// The count of a line.
fn count(line: &Line<'_>) -> Result<f64> {
    // Whole numbers beyond 2^53 are not exact.
    match line.count.parse::<f64>() {
        Ok(n) if (0.0..=9_007_199_254_740_992.0).contains(&n) && n.fract() == 0.0 => Ok(n),
        _ => Err(Error::Data(format!(
            "line {}: the count of '{}' is '{}': write a whole number, 0 or more",
            line.number, line.phenotype, line.count
        ))),
    }
}

/// The two alleles of a genotype.
fn pair(text: &str, line: usize) -> Result<[&str; 2]> {
    let alleles: Vec<&str> = match text.contains('/') {
        true => text.split('/').collect(),
        false => text.split("").filter(|a| !a.is_empty()).collect(),
    };
    if let Some(c) = text.chars().find(|c| !c.is_alphanumeric() && !"/+-*_'".contains(*c)) {
        return Err(Error::Data(format!(
            "line {line}: '{c}' in genotype {text} is no allele: use letters, digits or one of + - * _ '"
        )));
    }
    match alleles[..] {
        [a, b] if !a.is_empty() && !b.is_empty() => Ok([a, b]),
        _ => Err(Error::Data(format!(
            "line {line}: genotype {text} is not two alleles: write AO, or A1/O where names are longer"
        ))),
    }
}
