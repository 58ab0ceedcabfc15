//! Gene counting: golden paths, brute force over ordered pairs of alleles, and every contradiction of a table.

use mixtura::Seed;
use mixtura::algorithm::{Algorithm, Batch};
use mixtura::engine::Threads;
use mixtura::model::genetics::GeneTable;
use mixtura::model::{Category, Cell, HiddenMultinomial, LatentModel, Posterior};
use mixtura_testkit::golden::{assert_close, item, number, numbers};
use mixtura_testkit::oracle::climb;
use mixtura_testkit::{laws, rows::Random};

fn path(table: &GeneTable, iterations: usize) -> Vec<Vec<f64>> {
    let (rows, mut model) = (table.rows().unwrap(), table.start());
    let mut path = vec![model.values().to_vec()];
    for _ in 0..iterations {
        Batch(Posterior::Soft).step(&mut model, &mut Threads::new(&rows)).unwrap();
        path.push(model.values().to_vec());
    }
    path
}

#[test]
fn peppered_moths_and_linkage_follow_their_references() {
    let moths = item("incomplete_data", "peppered_moth");
    let table = GeneTable::peppered_moths();
    assert_eq!(table.start().names(), ["C", "I", "T"]);
    // 1e-12: the tolerance of the items, for values of about 1.
    assert_close("moths", &path(&table, 10).concat(), &numbers(&moths["expected"]["path_0_to_10"]), 1e-12);
    assert_close("moths", &path(&table, 60)[60], &numbers(&moths["expected"]["mle"]), 1e-12);
    let linkage = item("incomplete_data", "dlr_linkage");
    let got: Vec<f64> = path(&GeneTable::linkage(), 60).iter().map(|v| v[0]).collect();
    assert_close("linkage", &got[..9], &numbers(&linkage["expected"]["path"]), 1e-12);
    assert_close("linkage", &got[60..], &[number(&linkage["expected"]["mle"])], 1e-12);
    // Rao's quadratic for the optimum: 197 θ² − 15 θ − 68 = 0.
    assert!((got[60] - (15.0 + (15.0_f64 * 15.0 + 4.0 * 197.0 * 68.0).sqrt()) / 394.0).abs() < 1e-14);
}

/// A table as phenotype of every ordered pair of alleles (mother's, father's), n × n, and counts.
struct Ordered {
    n: usize,
    phenotype: Vec<usize>,
    counts: Vec<f64>,
}

impl Ordered {
    fn log_likelihood(&self, p: &[f64]) -> f64 {
        let mut seen = vec![0.0; self.counts.len()];
        (0..self.n * self.n).for_each(|g| seen[self.phenotype[g]] += p[g / self.n] * p[g % self.n]);
        self.counts.iter().zip(&seen).filter(|(c, _)| **c > 0.0).map(|(c, q)| c * q.ln()).sum()
    }

    /// One EM step, person by person: each ordered pair hands its posterior to both its alleles.
    fn step(&self, p: &[f64]) -> Vec<f64> {
        let mut counted = vec![0.0; self.n];
        for (phenotype, count) in self.counts.iter().enumerate() {
            let pairs: Vec<usize> = (0..self.n * self.n).filter(|g| self.phenotype[*g] == phenotype).collect();
            let total: f64 = pairs.iter().map(|g| p[g / self.n] * p[g % self.n]).sum();
            for g in pairs {
                let posterior = p[g / self.n] * p[g % self.n] / total;
                counted[g / self.n] += count * posterior;
                counted[g % self.n] += count * posterior;
            }
        }
        let total: f64 = counted.iter().sum();
        counted.iter().map(|c| c / total).collect()
    }

    /// The same as text.
    fn text(&self, names: &[&str]) -> String {
        let line = |phenotype: usize| {
            let pairs = (0..self.n * self.n).filter(|g| g / self.n <= g % self.n && self.phenotype[*g] == phenotype);
            let names: Vec<String> = pairs.map(|g| format!("{}/{}", names[g / self.n], names[g % self.n])).collect();
            format!("p{phenotype}, {} , {}\n", names.join(" | "), self.counts[phenotype])
        };
        // Every allele first appears on the first line in its order.
        format!("Phenotype,Genotypes,Count\n# a note\n\n{}", (0..self.counts.len()).map(line).collect::<String>())
    }
}

/// Four alleles, some dominant, with some phenotypes of one and some of several genotypes.
fn tables() -> Vec<(Vec<&'static str>, Ordered)> {
    let by = |n: usize, rule: &dyn Fn(usize, usize) -> usize, counts: Vec<f64>| {
        let phenotype = (0..n * n).map(|g| rule((g / n).min(g % n), (g / n).max(g % n))).collect();
        Ordered { n, phenotype, counts }
    };
    vec![
        // Dominance in a row: the phenotype is the lower allele.
        (vec!["C", "I", "T"], by(3, &|a, _| a, vec![85.0, 196.0, 341.0])),
        // ABO: A and B show beside each other, O does not.
        (vec!["A", "B", "O"], by(3, &|a, b| [[0, 2, 0], [2, 1, 1], [0, 1, 3]][a][b], vec![186.0, 38.0, 13.0, 284.0])),
        // A1 over A2 over O, B beside the A's.
        (
            vec!["A1", "A2", "B", "O"],
            by(
                4,
                &|a, b| [[0, 0, 2, 0], [0, 1, 3, 1], [2, 3, 4, 4], [0, 1, 4, 5]][a][b],
                vec![120.0, 40.0, 9.0, 0.0, 31.0, 160.0],
            ),
        ),
    ]
}

#[test]
fn equals_brute_force_over_ordered_pairs() {
    for (names, oracle) in tables() {
        let table = GeneTable::from_text(&oracle.text(&names)).unwrap();
        let mut model = table.random_start(Seed::new(5));
        // The order of the alleles is that of their first appearance.
        let at: Vec<usize> =
            names.iter().map(|n| model.names().iter().position(|m| m == n).expect("the allele")).collect();
        let values = |model: &HiddenMultinomial| at.iter().map(|&i| model.values()[i]).collect::<Vec<f64>>();
        let rows = table.rows().unwrap();
        for _ in 0..30 {
            let p = values(&model);
            let step = Batch(Posterior::Soft).step(&mut model, &mut Threads::new(&rows)).unwrap();
            // Sums of some hundred terms.
            assert!((step.objective - oracle.log_likelihood(&p)).abs() < 1e-12 * step.objective.abs());
            assert_close("step", &values(&model), &oracle.step(&p), 1e-14);
        }
        // The optimum by direct search over log-ratios, and ours by the laws.
        let softmax = |x: &[f64]| {
            let raw: Vec<f64> = x.iter().chain(&[0.0]).map(|v| v.exp()).collect();
            let total: f64 = raw.iter().sum();
            raw.into_iter().map(|v| v / total).collect::<Vec<f64>>()
        };
        let (best, value) = climb(|x| oracle.log_likelihood(&softmax(x)), &vec![0.1; names.len() - 1]);
        let (kept, counts): (Vec<f64>, Vec<f64>) =
            table.counts().iter().enumerate().filter(|(_, c)| **c > 0.0).map(|(i, c)| (i as f64, *c)).unzip();
        let optimum = laws::latent("genes", &table.random_start(Seed::new(1)), &kept, 1, &counts);
        // A search sees differences of the objective above 1e-13 · 600, so parameters to about 1e-6.
        assert_close("optimum", &values(&optimum), &softmax(&best), 3e-6);
        assert!((oracle.log_likelihood(&values(&optimum)) - value).abs() < 1e-9);
        // All equal frequencies and any seed lead there: what the counts leave to choose has one optimum.
        let equal = laws::latent("genes", &table.start(), &kept, 1, &counts);
        assert_close("starts", equal.values(), optimum.values(), 1e-6);
    }
}

#[test]
fn abo_is_the_textbook_value() {
    // Lange (2002), Mathematical and Statistical Methods for Genetic Analysis, ch. 2: 0.2136, 0.0501, 0.7363.
    let path = path(&GeneTable::abo_blood_groups(), 60);
    assert_close("ABO", &path[60], &[0.2136, 0.7363, 0.0501], 5e-5);
}

#[test]
fn codominant_alleles_are_gene_proportions() {
    // MN blood groups: every genotype shows, so one step counts the genes: (2·298 + 489) / 2000.
    let table = GeneTable::from_text("MM MM 298".replace(' ', ",").as_str()).unwrap_err().to_string();
    assert!(table.contains("fewer than two alleles"), "{table}");
    let table = GeneTable::from_text("any,MM|MN|NN,298").unwrap_err().to_string();
    assert!(table.contains("says nothing of the frequencies"), "{table}");
    let table = GeneTable::from_text("M,MM,298\nMN,NM,489\nN,NN,213").unwrap();
    let path = path(&table, 2);
    assert_eq!(path[1], [1085.0 / 2000.0, 915.0 / 2000.0]);
    assert_eq!(path[1], path[2]);
    assert_eq!(table.start().completed(table.counts()).unwrap(), [298.0, 489.0, 213.0]);
    assert_eq!(table.start().n_free_parameters(), 1);
}

#[test]
fn completed_counts_are_what_the_step_counts() {
    let table = GeneTable::peppered_moths();
    let mut model = table.start();
    let completed = model.completed(table.counts()).unwrap();
    let rows = table.rows().unwrap();
    assert_close("completed", &laws::expect(&model, &rows).stats.0, &completed, 1e-12);
    // At 1/3 each, dark moths are CC : CI : CT as 1 : 2 : 2, and I over T as 1 : 2.
    assert_close("completed", &completed, &[17.0, 34.0, 34.0, 196.0 / 3.0, 392.0 / 3.0, 341.0], 1e-12);
    Batch(Posterior::Soft).step(&mut model, &mut Threads::new(&rows)).unwrap();
    assert!((model.values()[0] - (2.0 * 17.0 + 68.0) / 1244.0).abs() < 1e-15);
    assert!(model.completed(&[1.0]).is_err());
}

#[test]
fn contradictions_are_one_sentence_with_the_line() {
    let cases = [
        ("A,AA|AO,3\nB,AO|OO,4", "line 2: genotype AO belongs to 'A' already (line 1)"),
        ("A,AA|AO|OA,3\nO,OO,4", "line 1: genotype OA stands twice"),
        ("A,AA,3\nO,OO,4", "no phenotype has genotype AO"),
        ("A,AA|AO,3\nA,OO,4", "line 2: phenotype 'A' has line 1 already"),
        ("A,AA|A?,3\nO,OO,4", "line 1: '?' in genotype A? is no allele"),
        ("A,AA|AOO,3\nO,OO,4", "line 1: genotype AOO is not two alleles"),
        ("A,AA|A,3\nO,OO,4", "line 1: genotype A is not two alleles"),
        ("A,A1/,3\nO,OO,4", "line 1: genotype A1/ is not two alleles"),
        ("\n# note\nA,,3\nO,OO,4", "line 3: phenotype 'A' has no genotype"),
        ("A,AA|AO,-3\nO,OO,4", "line 1: the count of 'A' is '-3'"),
        ("A,AA|AO,2.5\nO,OO,4", "line 1: the count of 'A' is '2.5'"),
        ("A,AA|AO,\nO,OO,4", "line 1: the count of 'A' is ''"),
        ("A,AA|AO,nan\nO,OO,4", "line 1: the count of 'A' is 'nan'"),
        ("A,AA|AO,1e300\nO,OO,4", "line 1: the count of 'A' is '1e300'"),
        ("A,AA|AO,0\nO,OO,0", "every count is 0"),
        ("A,AA|AO\nO,OO,4", "line 1 has 2 fields"),
        (",AA|AO,3\nO,OO,4", "line 1: the phenotype has no name"),
        ("", "the table has no lines"),
        ("phenotype,genotypes,count\n", "the table has no lines"),
    ];
    for (text, part) in cases {
        let error = GeneTable::from_text(text).expect_err(text).to_string();
        assert!(error.contains(part), "{text:?}: {error}");
    }
    // What people type: a heading, quotes, semicolons, tabs, a byte-order mark, Windows lines, any order of two alleles.
    let same = GeneTable::from_text("A,AA|AO,3\nO,OO,4").unwrap();
    for text in ["\u{feff}Phenotype;Genotypes;Count\r\n\"A\"; AA OA ;3\r\nO;OO;4\r\n", "A\tAA|AO\t3.0\nO\tOO\t4\n"] {
        let table = GeneTable::from_text(text).unwrap();
        assert_eq!((table.counts(), table.start().values()), (same.counts(), same.start().values()), "{text:?}");
    }
}

#[test]
fn edges_have_defined_answers() {
    // A phenotype that nobody has: its alleles vanish, and nothing else is lost.
    let table = GeneTable::from_text("A,AA|AO,0\nO,OO,7").unwrap();
    let end = path(&table, 200)[200].clone();
    assert!(end[0] < 1e-9 && (end[1] - 1.0).abs() < 1e-9, "{end:?}");
    // An impossible table at given parameters has no likelihood, and the step still leads somewhere.
    let table = GeneTable::from_text("A,AA|AO,3\nO,OO,7").unwrap();
    let mut model = table.start().with_parameters(&[0.0, 1.0]).unwrap();
    let rows = table.rows().unwrap();
    let step = Batch(Posterior::Soft).step(&mut model, &mut Threads::new(&rows)).unwrap();
    assert_eq!(step.objective, f64::NEG_INFINITY);
    assert!(model.values().iter().all(|v| *v > 0.0));
    for bad in [&[0.5, 0.6, 0.1][..], &[-0.5, 1.5], &[f64::NAN, 1.0], &[0.0, 0.0]] {
        assert!(model.with_parameters(bad).is_none(), "{bad:?}");
    }
    // Rows that are no category.
    for bad in [2.0, -1.0, 0.5, f64::NAN] {
        let rows = mixtura::data::Dense::new(vec![0.0, bad], 1).unwrap();
        let error = Batch(Posterior::Soft).step(&mut model.clone(), &mut Threads::new(&rows)).unwrap_err().to_string();
        assert!(error.contains("row 2 is") && error.contains("0 to 1"), "{error}");
    }
    assert!(Batch(Posterior::Hard).step(&mut model, &mut Threads::new(&rows)).is_err());
}

#[test]
fn cells_that_are_no_distribution_are_refused() {
    let cell = |coefficient, factors: &[usize]| Cell { name: "c".into(), coefficient, factors: factors.into() };
    let category = |cells: &[usize]| Category { name: "y".into(), cells: cells.into() };
    let refused = |cells: &[Cell], categories: &[Category], part: &str| {
        let error =
            HiddenMultinomial::new(&[&["a", "b"]], cells.to_vec(), categories.to_vec()).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    let good = [cell(1.0, &[0]), cell(1.0, &[1])];
    refused(&good, &[category(&[0])], "in no category");
    refused(&good, &[category(&[0, 1, 1])], "in category 'y' and in 'y'");
    refused(&good, &[category(&[0, 2])], "there are only 2");
    refused(&[cell(1.0, &[0]), cell(1.0, &[2])], &[category(&[0, 1])], "there are only 2");
    refused(&[cell(0.0, &[0]), cell(1.0, &[1])], &[category(&[0, 1])], "must be positive");
    // a² + ab is a only where a + b = 1 times a: not a whole distribution. And 2ab + a² + b² with a coefficient mistyped.
    refused(&[cell(1.0, &[0, 0]), cell(1.0, &[0, 1])], &[category(&[0, 1])], "not 1");
    let mut r = Random::new(1);
    let c = 1.9 + 0.05 * r.uniform();
    refused(&[cell(1.0, &[0, 0]), cell(c, &[0, 1]), cell(1.0, &[1, 1])], &[category(&[0, 1, 2])], "not 1");
}
