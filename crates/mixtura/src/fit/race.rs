//! The short-EM race (Biernacki, Celeux & Govaert 2003): many starts run a few iterations on the sample, the better
//! half runs on, and the last few go to the full fit. And starts that a user assigns.

use rayon::prelude::*;

use super::prepare::Prepared;
use super::{Assigned, Control, Record, Run, RunOptions, run};
use crate::algorithm::Batch;
use crate::data::{Buffer, Source};
use crate::engine::Threads;
use crate::error::{Error, Result};
use crate::init::{Assignment, Sample, Space, Start};
use crate::model::{LatentModel, Posterior};
use crate::seed::Seed;
use crate::stats::Expectation;

/// Iterations after each of which half of the field is dropped.
const RUNGS: [usize; 3] = [4, 8, 16];

/// The field and what it runs on.
pub(crate) struct RaceOptions<'a> {
    /// Starts, taken in turn.
    pub(crate) starts: &'a [Start],
    /// Number of components.
    pub(crate) n_components: usize,
    /// How many enter.
    pub(crate) field: usize,
    /// How many come out.
    pub(crate) winners: usize,
    /// EM iterations on the sample for the winners, where the sample is not the data.
    pub(crate) polish: usize,
    pub(crate) seed: Seed,
}

/// The starts of the default field: mostly whitened k-means, which survives units and correlation; k-means on
/// standardised columns, better where clusters are round in them; random rows, which share no assumption with either.
pub(crate) const DEFAULT_FIELD: [Start; 4] = [
    Start::kmeans(Space::Whitened),
    Start::kmeans(Space::Standardized),
    Start::RANDOM,
    Start { assignment: Assignment::Shared, ..Start::RANDOM },
];

/// Returns the winners' parameters, best first.
pub(crate) fn race<M: LatentModel>(
    sample: &Sample,
    template: &M,
    options: &RaceOptions<'_>,
    control: Control<'_>,
) -> Result<Vec<M>> {
    let k = options.n_components;
    let mut field: Vec<(M, f64, bool)> = (0..options.field)
        .into_par_iter()
        .map(|c| {
            let start = options.starts[c % options.starts.len()];
            let resp = start.responsibilities(sample, k, options.seed.child(c as u64))?;
            Ok((first_m_step(template, k, &sample.rows, &resp)?, f64::NEG_INFINITY, false))
        })
        .collect::<Result<_>>()?;
    let mut left = options.field;
    let polish = if options.polish > 0 { Some(options.polish) } else { None };
    let rungs = if options.field > options.winners { &RUNGS[..] } else { &[] };
    for iterations in rungs.iter().copied().chain(polish) {
        if control.interrupted() {
            return Err(Error::Interrupted);
        }
        field = field
            .into_par_iter()
            .map(|(model, ..)| {
                let run = short(model, sample, iterations, control)?;
                Ok((run.model.clone(), run.objective(), run.degenerate()))
            })
            .collect::<Result<_>>()?;
        // Stable, so that equals stay in the order of their seeds.
        field.sort_by(|a, b| a.2.cmp(&b.2).then(b.1.total_cmp(&a.1)));
        left = left.div_ceil(2).max(options.winners);
        field.truncate(left);
    }
    // Starts that an interrupt cut short are not those of this seed.
    if control.interrupted() {
        return Err(Error::Interrupted);
    }
    field.truncate(options.winners);
    Ok(field.into_iter().map(|(model, ..)| model).collect())
}

pub(super) fn short<M: LatentModel>(
    model: M,
    sample: &Sample,
    iterations: usize,
    control: Control<'_>,
) -> Result<Run<M>> {
    let options = RunOptions {
        max_iter: iterations,
        // A winner that is within a hundredth of a nat on the sample has nothing more to learn from it.
        tolerance: 1e-2,
        scale: sample.total_weight * sample.rows.n_features() as f64,
    };
    run(
        model,
        &mut Threads::new(&sample.rows),
        &mut Batch(Posterior::Soft),
        options,
        Control { progress: None, iteration: None, checkpoint: None, record: Record::default(), ..control },
        &mut |_, _, _| Ok(false),
    )
}

/// The M-step of given responsibilities (used rows × `k`, row-major).
pub(crate) fn first_m_step<M: LatentModel>(template: &M, k: usize, source: &dyn Source, resp: &[f64]) -> Result<M> {
    m_step_of(template, k, source, |row, out| out.copy_from_slice(&resp[row * k..][..k]))
}

/// The M-step of an assignment of the used rows to `k` components; −1 = none.
pub(crate) fn m_step_of_assignment<M: LatentModel>(
    template: &M,
    k: usize,
    source: &dyn Source,
    assigned: &[i32],
) -> Result<M> {
    m_step_of(template, k, source, |row, out| {
        out.iter_mut().enumerate().for_each(|(c, r)| *r = f64::from(u8::from(assigned[row] == c as i32)));
    })
}

/// The model of a user's responsibilities (used rows × `k`).
pub(super) fn given<M: LatentModel>(template: &M, k: usize, data: &Prepared<'_>, resp: &[f64]) -> Result<M> {
    let n = data.data.n_rows();
    if resp.len() != n * k {
        return Err(Error::Usage(format!("{} responsibilities are not {n} rows of {k}", resp.len())));
    }
    if resp.iter().any(|r| !(0.0..=1.0).contains(r)) {
        return Err(Error::Usage("responsibilities must lie between 0 and 1".into()));
    }
    first_m_step(template, k, &data.data, resp)
}

/// The models of a user's assignments.
pub(super) fn assigned<M: LatentModel>(
    template: &M,
    k: usize,
    data: &Prepared<'_>,
    all: &[Assigned],
) -> Result<Vec<M>> {
    let n = data.data.n_rows();
    let start = |assigned: &Assigned| match assigned {
        Assigned::Soft(resp) if resp.len() == n * k => first_m_step(template, k, &data.data, resp),
        Assigned::Hard(of) if of.len() == n => m_step_of_assignment(template, k, &data.data, of),
        _ => Err(Error::Usage(format!("an assignment is not one of {n} rows to {k} components"))),
    };
    if all.is_empty() {
        return Err(Error::Usage("no assignment is given to start from".into()));
    }
    all.iter().map(start).collect()
}

fn m_step_of<M: LatentModel>(
    template: &M,
    k: usize,
    source: &dyn Source,
    mut responsibilities: impl FnMut(usize, &mut [f64]),
) -> Result<M> {
    let mut model = template.clone();
    let mut out = Expectation::new(model.empty_stats());
    let (mut scratch, mut buffer, mut resp) = (model.scratch(), Buffer::default(), Vec::new());
    for id in 0..source.n_chunks() {
        let chunk = source.read(id, &mut buffer)?;
        resp.resize(chunk.rows.n_rows() * k, 0.0);
        resp.chunks_mut(k).enumerate().for_each(|(i, row)| responsibilities(chunk.first_row + i, row));
        model.accumulate_given(chunk, &resp, &mut scratch, &mut out)?;
    }
    model.m_step(&out.stats)?;
    Ok(model)
}
