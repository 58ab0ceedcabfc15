//! A hidden Markov model over the same emissions, in about a hundred lines: proof that the traits carry it. The model
//! of the library comes with its own issue; this one is for the test only.

use mixtura::Seed;
use mixtura::data::{Chunk, Rows};
use mixtura::family::gaussian::{Gaussian, Structure};
use mixtura::family::{Emission, Health, TILE};
use mixtura::model::{LatentModel, Posterior};
use mixtura::stats::{Expectation, Statistic};
use mixtura_testkit::oracle::{gaussian_log_density, hmm_by_enumeration};
use mixtura_testkit::rows::Random;

#[derive(Clone)]
struct Hmm<E> {
    initial: Vec<f64>,
    transition: Vec<f64>,
    emission: E,
}

#[derive(Clone)]
struct HmmStats<S> {
    initial: Vec<f64>,
    transition: Vec<f64>,
    emission: S,
}

impl<S: Statistic> Statistic for HmmStats<S> {
    fn clear(&mut self) {
        self.scale(0.0);
        self.emission.clear();
    }
    fn merge(&mut self, other: &Self) {
        self.initial.iter_mut().zip(&other.initial).for_each(|(a, b)| *a += b);
        self.transition.iter_mut().zip(&other.transition).for_each(|(a, b)| *a += b);
        self.emission.merge(&other.emission);
    }
    fn scale(&mut self, c: f64) {
        self.initial.iter_mut().chain(&mut self.transition).for_each(|a| *a *= c);
        self.emission.scale(c);
    }
}

impl<E: Emission> Hmm<E> {
    /// Scaled forward–backward (Rabiner 1989, §V.A) of one sequence of at most one tile; posteriors component-major.
    fn smooth(&self, rows: Rows<'_>, scratch: &mut E::Scratch, stats: &mut HmmStats<E::Stats>) -> f64 {
        let (k, t) = (self.initial.len(), rows.n_rows());
        let mut tile = vec![0.0; k * TILE];
        self.emission.log_density(rows, scratch, &mut tile);
        let mut log_likelihood = 0.0;
        let mut b = vec![0.0; t * k];
        for s in 0..t {
            let top = (0..k).map(|i| tile[i * TILE + s]).fold(f64::NEG_INFINITY, f64::max);
            (0..k).for_each(|i| b[s * k + i] = (tile[i * TILE + s] - top).exp());
            log_likelihood += top;
        }
        let (mut alpha, mut scale) = (vec![0.0; t * k], vec![0.0; t]);
        for s in 0..t {
            for j in 0..k {
                let into: f64 = if s == 0 {
                    self.initial[j]
                } else {
                    (0..k).map(|i| alpha[(s - 1) * k + i] * self.transition[i * k + j]).sum()
                };
                alpha[s * k + j] = into * b[s * k + j];
                scale[s] += alpha[s * k + j];
            }
            (0..k).for_each(|j| alpha[s * k + j] /= scale[s]);
            log_likelihood += scale[s].ln();
        }
        let mut beta = vec![1.0; k];
        for s in (0..t).rev() {
            (0..k).for_each(|i| tile[i * TILE + s] = alpha[s * k + i] * beta[i]);
            if s > 0 {
                let ahead: Vec<f64> = (0..k).map(|j| b[s * k + j] * beta[j] / scale[s]).collect();
                for i in 0..k {
                    for j in 0..k {
                        stats.transition[i * k + j] += alpha[(s - 1) * k + i] * self.transition[i * k + j] * ahead[j];
                    }
                }
                beta = (0..k).map(|i| (0..k).map(|j| self.transition[i * k + j] * ahead[j]).sum()).collect();
            }
        }
        (0..k).for_each(|i| stats.initial[i] += tile[i * TILE]);
        self.emission.accumulate(rows, &tile, scratch, &mut stats.emission);
        log_likelihood
    }
}

impl<E: Emission> LatentModel for Hmm<E> {
    type Stats = HmmStats<E::Stats>;
    type Scratch = E::Scratch;
    fn empty_stats(&self) -> Self::Stats {
        let k = self.initial.len();
        HmmStats { initial: vec![0.0; k], transition: vec![0.0; k * k], emission: self.emission.empty_stats() }
    }
    fn scratch(&self) -> E::Scratch {
        self.emission.scratch()
    }
    fn e_step(
        &self,
        chunk: Chunk<'_>,
        _: Posterior,
        scratch: &mut E::Scratch,
        out: &mut Expectation<Self::Stats>,
    ) -> mixtura::Result<()> {
        let mut start = 0;
        for &end in chunk.sequence_ends {
            out.log_likelihood += self.smooth(chunk.rows.slice(start, end), scratch, &mut out.stats);
            out.weight += (end - start) as f64;
            start = end;
        }
        Ok(())
    }
    fn accumulate_given(
        &self,
        _: Chunk<'_>,
        _: &[f64],
        _: &mut E::Scratch,
        _: &mut Expectation<Self::Stats>,
    ) -> mixtura::Result<()> {
        Err(mixtura::Error::Usage("the test model starts from parameters".into()))
    }
    fn m_step(&mut self, stats: &Self::Stats) -> mixtura::Result<Health> {
        let k = self.initial.len();
        let total: f64 = stats.initial.iter().sum();
        (0..k).for_each(|i| self.initial[i] = stats.initial[i] / total);
        for i in 0..k {
            let row: f64 = stats.transition[i * k..][..k].iter().sum();
            (0..k).for_each(|j| self.transition[i * k + j] = stats.transition[i * k + j] / row);
        }
        self.emission.maximize(&stats.emission)
    }
    fn parameters(&self) -> Vec<f64> {
        [&self.initial[..], &self.transition, &self.emission.parameters()].concat()
    }
    fn with_parameters(&self, p: &[f64]) -> Option<Self> {
        let (initial, rest) = p.split_at_checked(self.initial.len())?;
        let (transition, rest) = rest.split_at_checked(self.transition.len())?;
        let emission = self.emission.with_parameters(rest)?;
        Some(Hmm { initial: initial.to_vec(), transition: transition.to_vec(), emission })
    }
    fn n_free_parameters(&self) -> usize {
        let k = self.initial.len();
        k - 1 + k * (k - 1) + self.emission.n_free_parameters()
    }
}

#[test]
fn equals_enumeration_of_all_paths_and_climbs() {
    for structure in Structure::ALL {
        let (k, d, t) = (3, 2, 7);
        let covariance = match structure {
            Structure::Full => [1.0, 0.4, 0.4, 2.0, 0.7, -0.2, -0.2, 0.5, 1.5, 0.0, 0.0, 1.0].to_vec(),
            Structure::Tied => [1.0, 0.4, 0.4, 2.0].repeat(3),
            Structure::Diag => [1.0, 0.0, 0.0, 2.0, 0.7, 0.0, 0.0, 0.5, 1.5, 0.0, 0.0, 1.0].to_vec(),
            Structure::Spherical => [1.0, 0.0, 0.0, 1.0].repeat(3),
        };
        let emission = Gaussian::new(structure, d, vec![0.0, 0.0, 2.0, -1.0, -2.0, 1.0], covariance).unwrap();
        let mut hmm = Hmm {
            initial: vec![0.5, 0.3, 0.2],
            transition: vec![0.8, 0.15, 0.05, 0.1, 0.7, 0.2, 0.3, 0.3, 0.4],
            emission,
        };
        let (mut r, mut rng) = (Random::new(4), Seed::new(9).rng());
        let mut rows = vec![0.0; 5 * t * d];
        rows.chunks_mut(d).for_each(|row| hmm.emission.sample(r.below(k), &mut rng, row));
        rows[3] = f64::NAN;
        rows[20] = f64::NAN;
        let ends: Vec<usize> = (1..=5).map(|s| s * t).collect();
        let chunk = Chunk { sequence_ends: &ends, ..Chunk::of(Rows::new(&rows, d)) };
        let mut last = f64::NEG_INFINITY;
        for iteration in 0..20 {
            let mut e = Expectation::new(hmm.empty_stats());
            hmm.e_step(chunk, Posterior::Soft, &mut hmm.scratch(), &mut e).unwrap();
            let (mut want, mut initial) = (0.0, vec![0.0; k]);
            for sequence in rows.chunks(t * d) {
                let log_emission: Vec<f64> = sequence
                    .chunks(d)
                    .flat_map(|row| {
                        let bank = &hmm.emission;
                        (0..k).map(|s| gaussian_log_density(row, bank.mean(s), &bank.covariance(s))).collect::<Vec<_>>()
                    })
                    .collect();
                let (log_likelihood, posterior) = hmm_by_enumeration(&hmm.initial, &hmm.transition, &log_emission);
                want += log_likelihood;
                (0..k).for_each(|i| initial[i] += posterior[i]);
            }
            if iteration < 3 {
                assert!(
                    (e.log_likelihood - want).abs() < 1e-12 * want.abs(),
                    "{}: {} {want}",
                    structure.name(),
                    e.log_likelihood
                );
                for i in 0..k {
                    assert!((e.stats.initial[i] - initial[i]).abs() < 1e-12, "{}", structure.name());
                }
            }
            assert!(e.log_likelihood >= last - 1e-12 * want.abs(), "{}, iteration {iteration}", structure.name());
            last = e.log_likelihood;
            hmm.m_step(&e.stats).unwrap();
        }
    }
}
