//! K-means: Lloyd's iterations, an E-step with all-or-nothing answers.

use mixtura::data::Source;
use mixtura::model::kmeans;
use mixtura::{KMeans, Result, Seed};

use super::{Cell, Entry, Lesson, Request, Table, components_of, csv, dense, letter, named, own_all};

pub(super) const KMEANS: Entry = Entry {
    name: "kmeans",
    title: "K-means: every row belongs to the nearest centre",
    source: "Lloyd (1982), IEEE Trans. Inf. Theory 28, 129-137; the data and start of kenmatsu4's notebook on k-means (Qiita, 2015)",
    data: "any numeric columns: one row per point",
    columns: &[],
    start: "each centre: its coordinates of the first, of the second, ...",
    iterations: 30,
    genes: false,
    components: 3,
    run,
};

fn run(entry: &Entry, request: &Request<'_>) -> Result<Lesson> {
    let textbook = (["x".to_owned(), "y".to_owned()], csv(include_str!("data/kmeans.csv")));
    let (columns, values) = own_all(request, 1)?.unwrap_or((&textbook.0, &textbook.1));
    let d = columns.len();
    let rows = dense(values, d)?;
    let printed = [
        [0.629_434_176_474_884_6, 0.320_951_607_712_945_06],
        [-0.587_603_867_012_371_8, 0.848_422_577_850_040_9],
        [1.789_649_362_176_737, 0.321_602_319_679_224_5],
    ];
    let mut centers = match request.start {
        Some(start) => {
            components_of(entry, start, d)?;
            start.to_vec()
        }
        None if request.is_textbook() => printed.concat(),
        None => {
            let k = request.components.unwrap_or(entry.components);
            kmeans::plus_plus(&rows, k, Vec::new(), &mut Seed::new(0).rng())?
        }
    };
    let k = centers.len() / d;
    let e = named("n", k);
    let m: Vec<String> = (0..k).flat_map(|c| columns.iter().map(move |name| format!("{name}_{}", letter(c)))).collect();
    let names = ["iteration".to_owned()].into_iter().chain(e.clone()).chain(m.clone()).chain(["inertia".to_owned()]);
    let (mut steps, mut counts) = (Table::new(names), vec![Cell::Empty; k]);
    let first_e_step = nearest_table(&rows, &centers, columns)?;
    let one = KMeans { restarts: 1, max_iter: 1, ..KMeans::new(k) };
    let most = request.iterations.unwrap_or(entry.iterations);
    let (mut settled, mut t) = (false, 0);
    loop {
        let distances = kmeans::distances(&rows, &centers)?;
        let inertia: f64 =
            distances.chunks(k).map(|row| row.iter().copied().fold(f64::INFINITY, f64::min)).map(|d| d * d).sum();
        let mut row = vec![Cell::Number(t as f64)];
        row.append(&mut counts);
        row.extend(centers.iter().copied().chain([inertia]).map(Cell::Number));
        steps.rows.push(row);
        if settled || t == most {
            break;
        }
        let assigned = kmeans::nearest(&rows, &centers)?;
        counts = (0..k).map(|c| Cell::Number(assigned.iter().filter(|a| **a == c as u32).count() as f64)).collect();
        let fit = one.fit_from(&rows, centers)?;
        (centers, settled) = (fit.centers, fit.converged);
        t += 1;
    }
    let path = steps.numbers("inertia");
    let mut remarks = vec![format!(
        "The inertia fell from {:.6} to {:.6}; {}.",
        path[0],
        path[t],
        if settled {
            format!("after {t} iterations no row changes its cluster any more, so nothing can change")
        } else {
            "some rows still change their clusters".to_owned()
        }
    )];
    if request.is_textbook() {
        remarks.push(
            "The notebook ends at these centres, too, after 22 iterations, the last of which changes nothing. K-means cuts \
             the points by straight lines, halfway between centres, whatever the shapes of the clouds; compare with gmm2d."
                .into(),
        );
    }
    let n = rows.n_rows();
    Ok(Lesson {
        lesson: entry.name,
        title: entry.title,
        source: entry.source,
        model: format!(
            "Each row belongs to one of {k} clusters, each with a centre; the sum of squared distances to the own centres (the \
             inertia) is to be small. It is EM for normal distributions of one common, vanishing variance."
        ),
        data: if request.is_textbook() { format!("{n} points.") } else { format!("{n} rows of your own.") },
        e_step: "Every row goes to the nearest centre, with a responsibility of 1; n counts the rows of each.".into(),
        m_step: "Every centre becomes the mean of its rows.".into(),
        first_e_step,
        e_columns: e,
        m_columns: m,
        steps,
        remarks,
    })
}

/// Rows, their distances to the first centres and the nearest of these.
fn nearest_table(rows: &dyn Source, centers: &[f64], columns: &[String]) -> Result<Table> {
    let k = centers.len() / columns.len();
    let names = ["row".to_owned()].into_iter().chain(columns.iter().cloned()).chain(named("distance", k));
    let mut table = Table::new(names.chain(["cluster".to_owned()]));
    let (distances, assigned) = (kmeans::distances(rows, centers)?, kmeans::nearest(rows, centers)?);
    mixtura::data::for_each_row(rows, |i, row, _, _| {
        let numbers = [i as f64 + 1.0].into_iter().chain(row.iter().copied());
        let mut cells: Vec<Cell> = numbers.chain(distances[i * k..][..k].iter().copied()).map(Cell::Number).collect();
        cells.push(Cell::Text(letter(assigned[i] as usize).to_string()));
        table.rows.push(cells);
    })?;
    Ok(table)
}
