//! A quick search, for data in which every good start leads to one optimum: a small race on few rows, whose winners run on all
//! rows. Where they all converge to one optimum they are the fit; otherwise nothing of them is used, and the large race begins.

use rayon::prelude::*;

use super::coverage::SAME_MODE;
use super::prepare::{Prepared, QUICK};
use super::race::{DEFAULT_FIELD, RaceOptions, race, short};
use super::{Control, GaussianMixture, Init, Iteration, Progress, Run, StatusKind};
use crate::data::Source;
use crate::error::{Error, Result};
use crate::family::gaussian::{Gaussian, Structure};
use crate::init::Sample;
use crate::model::Mixture;

/// Rows of the race: a chunk, or where that is more, so many times the rows that K full covariances need to exist.
const ROWS: usize = 1_920;
const ROWS_NEEDED: usize = 4;
/// The search gives up where, after so many iterations on the few rows, the winners are farther apart than this in nats a row …
const FIRST: usize = 32;
const APART: f64 = 2e-3;
/// … or have not converged on all rows after so many. Where EM is slow, components overlap, and other optima are likely.
const ITERATIONS: usize = 24;

type Model = Mixture<Gaussian>;

impl GaussianMixture {
    /// Converged runs that all ended in one optimum, or `None`.
    pub(super) fn quick(
        &self,
        data: &Prepared<'_>,
        template: &Model,
        control: Control<'_>,
    ) -> Result<Option<Vec<Run<Model>>>> {
        let k = self.n_components;
        let automatic = matches!(self.init, Init::Auto) && self.restarts.is_none() && self.given.nothing() && k > 1;
        // Shared and spherical covariances fit fewer clusters as they are, and have other optima more often.
        if !automatic || matches!(self.structure, Structure::Tied | Structure::Spherical) {
            return Ok(None);
        }
        match self.quick_runs(data, template, control) {
            Ok(Some(runs)) if self.agree(&runs) => {
                tell(&runs, k, control);
                Ok(Some(runs))
            }
            Err(Error::Interrupted) => Err(Error::Interrupted),
            // What few rows cannot be fitted by, all may be.
            _ => Ok(None),
        }
    }

    fn quick_runs(
        &self,
        data: &Prepared<'_>,
        template: &Model,
        control: Control<'_>,
    ) -> Result<Option<Vec<Run<Model>>>> {
        let (k, d, seed) = (self.n_components, data.data.n_features(), self.seed.child(QUICK));
        let Some(few) = data.sample.thinned(ROWS.max(ROWS_NEEDED * k * (d + 1)), seed.child(0))? else {
            return Ok(None);
        };
        let options = RaceOptions {
            starts: &DEFAULT_FIELD,
            n_components: k,
            field: self.field(data),
            winners: self.winners(data),
            polish: 0,
            seed: seed.child(1),
        };
        let control = Control { progress: None, iteration: None, checkpoint: None, ..control };
        let run_on = |starts: Vec<Model>, sample: &Sample| -> Result<Vec<Run<Model>>> {
            starts.into_par_iter().map(|start| short(start, sample, FIRST, control)).collect()
        };
        let mut begun = run_on(race(&few, template, &options, control)?, &few)?;
        if spread(&begun) > APART * few.total_weight {
            return Ok(None);
        }
        if !data.sample.whole {
            begun = run_on(begun.into_iter().map(|run| run.model).collect(), &data.sample)?;
        }
        let plan = GaussianMixture { max_iter: self.max_iter.min(ITERATIONS), ..self.clone() };
        let runs = begun.into_par_iter().enumerate();
        runs.map(|(r, begun)| plan.run(data, begun.model, r, control)).collect::<Result<_>>().map(Some)
    }

    fn agree(&self, runs: &[Run<Model>]) -> bool {
        let sound = |run: &Run<Model>| {
            run.status.kind == StatusKind::Converged && !run.degenerate() && run.trace.breaks.is_empty()
        };
        runs.iter().all(sound) && spread(runs) <= SAME_MODE.max(10.0 * self.tolerance)
    }
}

/// Nats between the best and the worst.
fn spread(runs: &[Run<Model>]) -> f64 {
    let objectives = || runs.iter().map(Run::objective);
    objectives().fold(f64::NEG_INFINITY, f64::max) - objectives().fold(f64::INFINITY, f64::min)
}

/// What listeners would have heard: nobody could know earlier that these runs count.
fn tell(runs: &[Run<Model>], n_components: usize, control: Control<'_>) {
    for (r, run) in runs.iter().enumerate() {
        for i in 0..run.iterations {
            let (objective, nats_remaining) = (run.trace.objective[i], run.trace.nats_remaining[i]);
            control
                .iteration
                .iter()
                .for_each(|tell| tell(Iteration { run: r, iteration: i + 1, objective, nats_remaining }));
        }
        control.progress.iter().for_each(|tell| tell(Progress { done: r + 1, total: runs.len(), n_components }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Dense;
    use crate::seed::Seed;

    /// Clusters at the corners of a square, `apart` their standard deviations' unit, no two rows alike.
    fn table(apart: f64, n: usize) -> Dense<'static> {
        let mut rng = Seed::new(3).rng();
        let mut normal = || (0..12).map(|_| rand::RngExt::random::<f64>(&mut rng)).sum::<f64>() - 6.0;
        let rows = (0..n).flat_map(|i| [apart * (i % 2) as f64 + normal(), apart * (i / 2 % 2) as f64 + normal()]);
        Dense::new(rows.collect::<Vec<_>>(), 2).unwrap()
    }

    fn quick(options: &GaussianMixture, table: &Dense<'_>) -> Option<Vec<Run<Model>>> {
        let data = Prepared::new(table, &[], false, options.n_components, options.seed).unwrap();
        options.quick(&data, &options.template(&data).unwrap(), Control::default()).unwrap()
    }

    #[test]
    fn clusters_that_stand_apart_need_no_large_race() {
        let table = table(8.0, 6_000);
        let options = GaussianMixture::new(4);
        let found = quick(&options, &table).expect("every start finds four clusters 8 standard deviations apart");
        let race = GaussianMixture { restarts: Some(8), ..options.clone() }.fit(&table).unwrap();
        let fit = options.fit(&table).unwrap();
        assert_eq!(fit.certificate.restarts.len(), found.len());
        // Both are within the tolerance, 0.001 nats, of one optimum.
        assert!((fit.log_likelihood - race.log_likelihood).abs() < 2e-3);
        let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let again = alone.install(|| options.fit(&table).unwrap());
        assert_eq!(again.log_likelihood.to_bits(), fit.log_likelihood.to_bits());
    }

    #[test]
    fn no_search_is_quick_where_the_optimum_is_in_doubt_or_the_user_has_chosen() {
        let options = GaussianMixture::new(4);
        assert!(quick(&options, &table(8.0, 3_000)).is_none(), "few rows");
        assert!(quick(&options, &table(1.0, 6_000)).is_none(), "clusters that overlap");
        let chosen = GaussianMixture { restarts: Some(8), ..options.clone() };
        assert!(quick(&chosen, &table(8.0, 6_000)).is_none());
        assert!(quick(&GaussianMixture { init: Init::Random, ..options }, &table(8.0, 6_000)).is_none());
    }
}
