//! Gene counting: hidden genotypes behind moths' wings and blood groups, and Dempster, Laird & Rubin's linkage example.

use mixtura::data::Dense;
use mixtura::model::genetics::GeneTable;
use mixtura::model::{HiddenMultinomial, LatentModel};
use mixtura::{Error, Result};

use super::{Cell, Data, Entry, Lesson, Request, Shown, Table, climb, gains, own, start_of};

pub(super) const MOTHS: Entry = Entry {
    name: "moths",
    title: "Peppered moths: allele frequencies from the colours of wings",
    source: "Givens & Hoeting (2013), Computational Statistics, example 4.2",
    data: "a text file of lines phenotype,genotypes,count, as in typica,TT,341",
    columns: &[],
    start: "each allele's frequency, in the order in which they first appear",
    iterations: 10,
    genes: true,
    components: 0,
    run: alleles,
};

pub(super) const ABO: Entry = Entry {
    name: "abo",
    title: "ABO blood groups: allele frequencies from phenotypes",
    source: "Clarke et al. (1959), Br. Med. J. 1, 603-607 (the counts); Lange (2002), Mathematical and Statistical Methods for \
             Genetic Analysis, section 2.2",
    data: "a text file of lines phenotype,genotypes,count, as in A,AA|AO,186",
    columns: &[],
    start: "each allele's frequency, in the order in which they first appear",
    iterations: 5,
    genes: true,
    components: 0,
    run: alleles,
};

pub(super) const LINKAGE: Entry = Entry {
    name: "linkage",
    title: "Linkage: a multinomial distribution of which one cell is two",
    source: "Rao (1965), pp. 368-369; Dempster, Laird & Rubin (1977), J. R. Stat. Soc. B 39, section 1",
    data: "count: four rows",
    columns: &["count"],
    start: "theta",
    iterations: 8,
    genes: false,
    components: 0,
    run: linkage,
};

fn alleles(entry: &Entry, request: &Request<'_>) -> Result<Lesson> {
    let table = match request.data {
        Data::Genes(text) => GeneTable::from_text(text)?,
        Data::Textbook if entry.name == "moths" => GeneTable::peppered_moths(),
        Data::Textbook => GeneTable::abo_blood_groups(),
        Data::Table { .. } => {
            return Err(Error::Usage(
                "this lesson takes phenotypes with their genotypes, not a table of numbers".into(),
            ));
        }
    };
    let model = table.start();
    // Of A, O and B, as they first appear.
    let blood = [0.3, 0.5, 0.2];
    let start = match request.start {
        None if entry.name == "abo" && request.is_textbook() => Some(&blood[..]),
        start => start,
    };
    let model = start.map_or(Ok(model.clone()), |start| started(entry, &model, start))?;
    let counts = table.counts();
    let m: Vec<String> = model.names().iter().map(|name| format!("p_{name}")).collect();
    let e: Vec<String> = model.cells().iter().map(|cell| format!("n_{}", cell.name)).collect();
    let shown = Shown {
        e,
        m,
        expected: |_: &HiddenMultinomial, stats, _| Ok(stats.0.clone()),
        parameters: |model| model.values().to_vec(),
        constant: 0.0,
    };
    let iterations = request.iterations.unwrap_or(entry.iterations);
    let steps = climb(model.clone(), &table.rows()?, iterations, &shown)?;
    let mut remarks: Vec<String> = gains(&steps).into_iter().collect();
    let seen: Vec<String> = model.categories().iter().zip(counts).map(|(c, n)| format!("{} {n}", c.name)).collect();
    if request.is_textbook() && entry.name == "moths" {
        remarks.push(
            "The maximum is p_C 0.07083691, p_I 0.18873652, p_T 0.74042657. A widely read tutorial (Yang, 2020) leaves the \
             genotype CI out of the M-step for p_I and ends at 0.1738 and 0.7553 for I and T: there the counted alleles do not \
             sum to twice the number of moths."
                .into(),
        );
        remarks.push(
            "C is settled after a few iterations and I is not: EM gains a constant factor per iteration, here 0.04 in one direction \
             and 0.18 in the other."
                .into(),
        );
    } else if request.is_textbook() {
        remarks.push("The maximum is p_A 0.2135909, p_B 0.0501453, p_O 0.7362637.".into());
    }
    Ok(Lesson {
        lesson: entry.name,
        title: entry.title,
        source: entry.source,
        model: "Mating is at random: a genotype of two different alleles has the probability 2 p q, one of a twice p squared. Several \
                genotypes show the same phenotype. The log-likelihood leaves out the multinomial coefficient."
            .into(),
        data: format!("Counts: {}.", seen.join(", ")),
        e_step: "Each phenotype's count is shared out among its genotypes in proportion to their probabilities.".into(),
        m_step: "Each allele's frequency becomes its copies in the expected genotypes divided by twice the number of individuals."
            .into(),
        first_e_step: split(&model, counts)?,
        e_columns: shown.e,
        m_columns: shown.m,
        steps,
        remarks,
    })
}

/// The model at frequencies of a start, which must sum to 1.
fn started(entry: &Entry, model: &HiddenMultinomial, start: &[f64]) -> Result<HiddenMultinomial> {
    start_of(entry, start, model.values().len())?;
    let total: f64 = start.iter().sum();
    let wrong = || {
        let text: Vec<String> = start.iter().map(f64::to_string).collect();
        Error::Usage(format!(
            "the start {} is no distribution: numbers of 0 or more that sum to 1 are needed",
            text.join(", ")
        ))
    };
    if (total - 1.0).abs() > 1e-4 {
        return Err(wrong());
    }
    let exact: Vec<f64> = start.iter().map(|p| p / total).collect();
    model.with_parameters(&exact).ok_or_else(wrong)
}

/// Phenotypes, genotypes, their probabilities and expected counts.
fn split(model: &HiddenMultinomial, counts: &[f64]) -> Result<Table> {
    let (probabilities, expected) = (model.probabilities(), model.completed(counts)?);
    let mut table = Table::new(["seen", "count", "hidden", "probability", "expected"].map(str::to_owned));
    for (category, count) in model.categories().iter().zip(counts) {
        for &c in &category.cells {
            let text = |name: &String| Cell::Text(name.clone());
            let numbers = [*count, probabilities[c], expected[c]].map(Cell::Number);
            let [count, probability, expected] = numbers;
            table.rows.push(vec![text(&category.name), count, text(&model.cells()[c].name), probability, expected]);
        }
    }
    Ok(table)
}

fn linkage(entry: &Entry, request: &Request<'_>) -> Result<Lesson> {
    let preset = GeneTable::linkage();
    let counts = own(request, &["count"])?.unwrap_or_else(|| preset.counts().to_vec());
    if counts.len() != 4 {
        return Err(Error::Data(format!(
            "there are {} counts: the lesson needs the four of its four cells",
            counts.len()
        )));
    }
    if let Some(i) = counts.iter().position(|n| !(*n >= 0.0 && n.fract() == 0.0 && n.is_finite())) {
        return Err(Error::Data(format!("count {} is {}: it must be a whole number, 0 or more", i + 1, counts[i])));
    }
    if counts.iter().sum::<f64>() == 0.0 {
        return Err(Error::Data("every count is 0: there is nothing to learn from".into()));
    }
    let rows = Dense::new(vec![0.0, 1.0, 2.0, 3.0], 1)?.with_weights(counts.clone())?;
    let model = preset.start();
    let model = request.start.map_or(Ok(model.clone()), |start| {
        start_of(entry, start, 1)?;
        started(&Entry { start: "theta and 1 - theta", ..*entry }, &model, &[start[0], 1.0 - start[0]])
    })?;
    let shown = Shown {
        e: vec!["n_half".into(), "n_theta_quarter".into()],
        m: vec!["theta".into()],
        expected: |_: &HiddenMultinomial, stats, _| Ok(stats.0[..2].to_vec()),
        parameters: |model| vec![model.values()[0]],
        constant: 0.0,
    };
    let steps = climb(model.clone(), &rows, request.iterations.unwrap_or(entry.iterations), &shown)?;
    let mut remarks: Vec<String> = gains(&steps).into_iter().collect();
    if request.is_textbook() {
        remarks.push(
            "The paper's table 1 prints the first eight iterations from 0.5. The maximum is theta = 0.6268214979, the root of \
             a quadratic equation; each iteration leaves about 0.13 of the distance to it."
                .into(),
        );
    }
    Ok(Lesson {
        lesson: entry.name,
        title: entry.title,
        source: entry.source,
        model: "Four cells with probabilities 1/2 + theta/4, (1 - theta)/4, (1 - theta)/4 and theta/4. The first is two cells, 1/2 and \
                theta/4, that nobody can tell apart. The log-likelihood leaves out the multinomial coefficient."
            .into(),
        data: format!("Counts: {}, {}, {} and {}.", counts[0], counts[1], counts[2], counts[3]),
        e_step: "The first count is shared out among its two hidden cells: 1/2 to theta/4.".into(),
        m_step: "Theta becomes the share of its cells, (n_theta_quarter + the fourth count) of these and the two middle counts."
            .into(),
        first_e_step: split(&model, &counts)?,
        e_columns: shown.e,
        m_columns: shown.m,
        steps,
        remarks,
    })
}
