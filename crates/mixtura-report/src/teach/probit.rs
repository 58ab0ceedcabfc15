//! Probit regression: a normal variable of which only the sign is seen.

use mixtura::Result;
use mixtura::data::{Dense, Source, for_each_row};
use mixtura::model::probit::{Probit, Responses};

use super::{Cell, Entry, Lesson, Request, Shown, Table, climb, dense, gains, own_all, start_of};

pub(super) const PROBIT: Entry = Entry {
    name: "probit",
    title: "Probit regression: beetles, and doses that kill them",
    source: "Bliss (1935), Ann. Appl. Biol. 22, 134-167 (the data); Albert & Chib (1993), J. Am. Stat. Assoc. 88, 669-679 (the latent variable)",
    data: "y, then covariates: the first column is 0 or 1",
    columns: &[],
    start: "the intercept, then the coefficient of each covariate",
    iterations: 200,
    genes: false,
    components: 0,
    run,
};

const DOSE: [f64; 8] = [1.6907, 1.7242, 1.7552, 1.7842, 1.8113, 1.8369, 1.8610, 1.8839];
const BEETLES: [f64; 8] = [59.0, 60.0, 62.0, 56.0, 63.0, 59.0, 62.0, 60.0];
const KILLED: [f64; 8] = [6.0, 13.0, 18.0, 28.0, 52.0, 53.0, 61.0, 60.0];

fn textbook() -> Result<Dense<'static>> {
    let groups = || DOSE.iter().zip(BEETLES.iter().zip(&KILLED));
    let cells = groups().flat_map(|(dose, _)| [1.0, *dose, 0.0, *dose]).collect::<Vec<f64>>();
    Dense::new(cells, 2)?.with_weights(groups().flat_map(|(_, (n, k))| [*k, n - k]).collect::<Vec<f64>>())
}

fn run(entry: &Entry, request: &Request<'_>) -> Result<Lesson> {
    let names = ["killed".to_owned(), "log_dose".to_owned()];
    let (columns, table) = match own_all(request, 2)? {
        Some((columns, values)) => (columns, dense(values, columns.len())?),
        None => (&names[..], textbook()?),
    };
    let data = Responses::new(&table, 0, columns)?;
    let affine = &data.rows().affine;
    let mut model = Probit::start(&data);
    if let Some(start) = request.start {
        start_of(entry, start, columns.len())?;
        // z = b0 + x b = (b0 + shift b) + (x - shift)/scale (scale b).
        let slopes = (1..start.len()).map(|j| start[j] * affine.scale[j]);
        let level = start[0] + (1..start.len()).map(|j| start[j] * affine.shift[j]).sum::<f64>();
        model = Probit::new(0, [level].into_iter().chain(slopes).collect())?;
    }
    let shown = Shown {
        e: vec!["mean_z_if_1".into(), "mean_z_if_0".into()],
        m: ["intercept".to_owned()].into_iter().chain(columns[1..].iter().cloned()).collect(),
        expected: |model: &Probit, _, rows| {
            let (mut sums, mut weights) = ([0.0; 2], [0.0; 2]);
            for_each_row(rows, |_, row, weight, _| {
                let kind = usize::from(row[0] == 0.0);
                sums[kind] += weight * model.completed(row);
                weights[kind] += weight;
            })?;
            Ok(vec![sums[0] / weights[0], sums[1] / weights[1]])
        },
        parameters: |model| model.coefficients().to_vec(),
        constant: 0.0,
    };
    let first_e_step = first(&model, data.rows(), columns, &data)?;
    let mut steps = climb(model, data.rows(), request.iterations.unwrap_or(entry.iterations), &shown)?;
    for row in &mut steps.rows {
        let at: Vec<f64> =
            row[3..row.len() - 1].iter().map(|c| if let Cell::Number(x) = c { *x } else { f64::NAN }).collect();
        let own = Probit::new(0, at)?.in_units(&data);
        row[3..].iter_mut().zip(own.coefficients()).for_each(|(cell, c)| *cell = Cell::Number(*c));
    }
    let mut remarks: Vec<String> = gains(&steps).into_iter().collect();
    if request.is_textbook() {
        remarks.push(
            "The maximum, which textbooks get by Fisher scoring in some five steps, is -34.93525890 + 19.72793421 log10 dose, \
             log-likelihood -185.6791668: half of the beetles die at a log dose of 1.7709. EM needs many more steps, and each is a plain \
             least-squares fit that never overshoots."
                .into(),
        );
    }
    let n = table.n_rows();
    Ok(Lesson {
        lesson: entry.name,
        title: entry.title,
        source: entry.source,
        model: format!(
            "{} is 1 where a hidden z = intercept + coefficients x covariates + noise is positive, with standard normal noise.",
            columns[0]
        ),
        data: if request.is_textbook() {
            "481 beetles at 8 doses of carbon disulphide (log10 mg/l), five hours each; 291 died.".into()
        } else {
            format!("{n} rows of your own.")
        },
        e_step: "Each hidden z is replaced by its mean given its sign: the linear predictor, moved away from 0 on the side that was seen."
            .into(),
        m_step: "The coefficients become those of the least-squares line of these z on the covariates.".into(),
        first_e_step,
        e_columns: shown.e,
        m_columns: shown.m,
        steps,
        remarks,
    })
}

/// Rows (in the data's unit) with their weight and completed z.
fn first(model: &Probit, rows: &dyn Source, columns: &[String], data: &Responses<'_>) -> Result<Table> {
    let names = ["row".to_owned()].into_iter().chain(columns.iter().cloned());
    let mut table = Table::new(names.chain(["count", "linear", "expected_z"].map(str::to_owned)));
    let affine = &data.rows().affine;
    for_each_row(rows, |i, row, weight, _| {
        let own = row.iter().enumerate().map(|(j, x)| x * affine.scale[j] + affine.shift[j]);
        let ends = [weight, model.linear(row), model.completed(row)];
        table.push([i as f64 + 1.0].into_iter().chain(own).chain(ends));
    })?;
    Ok(table)
}
