//! The law suite over every structure of the catalog, and the laws that only Gaussian families have.

use mixtura::data::{Dense, Rows};
use mixtura::family::gaussian::{Floor, Gaussian, Structure};
use mixtura::family::{Emission, TILE};
use mixtura::model::LatentModel;
use mixtura::{GaussianMixture, Mixture, Seed, catalog};
use mixtura_testkit::rows::{Random, clusters};
use mixtura_testkit::{laws, oracle};

/// A random model of a structure with overlapping components.
fn model(structure: Structure, k: usize, d: usize, seed: u64) -> Mixture<Gaussian> {
    let mut r = Random::new(seed);
    let means: Vec<f64> = (0..k * d).map(|_| 2.0 * r.normal()).collect();
    let mut covariances = Vec::new();
    for c in 0..k {
        let mut matrix = vec![0.0; d * d];
        if structure == Structure::Tied && c > 0 {
            covariances.extend_from_within(..d * d);
            continue;
        }
        let b: Vec<f64> = (0..d * d).map(|_| r.normal()).collect();
        let v = 0.5 + r.uniform();
        for i in 0..d {
            for j in 0..d {
                matrix[i * d + j] = match structure {
                    Structure::Full | Structure::Tied => {
                        let (p, q) = (i.max(j), i.min(j));
                        (0..d).map(|m| b[p * d + m] * b[q * d + m]).sum::<f64>() / d as f64
                            + f64::from(u8::from(i == j)) * 0.3
                    }
                    Structure::Diag if i == j => 0.5 + b[i].abs(),
                    Structure::Spherical if i == j => v,
                    _ => 0.0,
                };
            }
        }
        covariances.extend(matrix);
    }
    let raw: Vec<f64> = (0..k).map(|_| 0.5 + r.uniform()).collect();
    let total: f64 = raw.iter().sum();
    let weights = raw.iter().map(|w| w / total).collect();
    Mixture::new(weights, Gaussian::new(structure, d, means, covariances).unwrap()).unwrap()
}

fn draw(model: &Mixture<Gaussian>, n: usize, seed: u64) -> Vec<f64> {
    let d = model.emission().n_features();
    let mut rng = Seed::new(seed).rng();
    let mut rows = vec![0.0; n * d];
    rows.chunks_mut(d).for_each(|row| {
        model.sample(&mut rng, row);
    });
    rows
}

#[test]
fn laws_of_mixtures() {
    for structure in Structure::ALL {
        for (k, d) in [(1, 1), (2, 1), (3, 2), (2, 5), (4, 9)] {
            let what = format!("{} K={k} D={d}", structure.name());
            let m = model(structure, k, d, 7);
            laws::mixture(&what, &m, &draw(&m, 700, 3));
        }
    }
}

#[test]
fn laws_of_mixtures_with_missing_cells() {
    for structure in Structure::ALL {
        let m = model(structure, 3, 4, 11);
        let mut rows = draw(&m, 500, 4);
        let mut r = Random::new(5);
        rows.iter_mut().for_each(|x| {
            if r.uniform() < 0.25 {
                *x = f64::NAN;
            }
        });
        laws::mixture(&format!("{} with missing cells", structure.name()), &m, &rows);
    }
}

#[test]
fn density_equals_elimination_and_integrates_to_one() {
    for structure in Structure::ALL {
        for d in [1, 2, 3, 6] {
            let m = model(structure, 3, d, 13);
            let rows = draw(&m, 50, 5);
            let (mut scratch, mut out) = (m.emission().scratch(), vec![0.0; 3 * TILE]);
            m.emission().log_density(Rows::new(&rows, d), &mut scratch, &mut out);
            for (t, row) in rows.chunks(d).enumerate() {
                for k in 0..3 {
                    let want = oracle::gaussian_log_density(row, m.emission().mean(k), &m.emission().covariance(k));
                    let got = out[k * TILE + t];
                    // Condition numbers stay below about 1e3 here: 1e-11 leaves room for both solvers.
                    assert!(
                        (got - want).abs() < 1e-11 * want.abs().max(1.0),
                        "{} D={d}: {got} {want}",
                        structure.name()
                    );
                }
            }
        }
        // The trapezoidal rule over ±12 converges faster than any power of the step for Gaussians.
        for d in [1, 2] {
            let m = model(structure, 2, d, 17);
            let steps = 481;
            let h = 24.0 / (steps - 1) as f64;
            let axis = |i: usize| -12.0 + h * i as f64;
            let rows: Vec<f64> = (0..usize::pow(steps, d as u32))
                .flat_map(|i| if d == 1 { vec![axis(i)] } else { vec![axis(i / steps), axis(i % steps)] })
                .collect();
            let mut total = 0.0;
            let (mut scratch, mut out) = (m.emission().scratch(), vec![0.0; 2 * TILE]);
            for tile in rows.chunks(TILE * d) {
                m.emission().log_density(Rows::new(tile, d), &mut scratch, &mut out);
                for t in 0..tile.len() / d {
                    total += (0..2).map(|k| m.weights()[k] * out[k * TILE + t].exp()).sum::<f64>() * h.powi(d as i32);
                }
            }
            assert!((total - 1.0).abs() < 1e-8, "{} D={d}: integral {total}", structure.name());
        }
    }
}

/// Q(θ) = Σ w r log(weight · density) for fixed responsibilities, by the oracle.
fn q(m: &Mixture<Gaussian>, rows: &[f64], resp: &[f64]) -> f64 {
    let (k, d) = (m.weights().len(), m.emission().n_features());
    let covariances: Vec<Vec<f64>> = (0..k).map(|c| m.emission().covariance(c)).collect();
    rows.chunks(d)
        .zip(resp.chunks(k))
        .map(|(row, r)| {
            (0..k)
                .filter(|&c| r[c] > 0.0)
                .map(|c| {
                    r[c] * (m.weights()[c].ln()
                        + oracle::gaussian_log_density(row, m.emission().mean(c), &covariances[c]))
                })
                .sum::<f64>()
        })
        .sum()
}

#[test]
fn the_m_step_is_a_maximum() {
    for structure in Structure::ALL {
        let (k, d, n) = (3, 3, 60);
        let start = model(structure, k, d, 19);
        let rows = draw(&start, n, 6);
        let mut r = Random::new(23);
        let resp: Vec<f64> = (0..n)
            .flat_map(|_| {
                let raw: Vec<f64> = (0..k).map(|_| r.uniform()).collect();
                let total: f64 = raw.iter().sum();
                raw.into_iter().map(move |v| v / total)
            })
            .collect();
        let mut best = start.clone();
        let mut out = mixtura::stats::Expectation::new(best.empty_stats());
        let chunk = mixtura::data::Chunk::of(Rows::new(&rows, d));
        best.accumulate_given(chunk, &resp, &mut start.scratch(), &mut out).unwrap();
        best.m_step(&out.stats).unwrap();
        let top = q(&best, &rows, &resp);
        // Neighbours within the structure: every mean entry, every free direction of the covariances, every weight.
        let bank = best.emission();
        let means: Vec<f64> = (0..k).flat_map(|c| bank.mean(c).to_vec()).collect();
        let covariances: Vec<f64> = (0..k).flat_map(|c| bank.covariance(c)).collect();
        let mut neighbours = Vec::new();
        for step in [1e-3, -1e-3] {
            for i in 0..k * d {
                let mut moved = means.clone();
                moved[i] += step;
                neighbours.push((best.weights().to_vec(), moved, covariances.clone()));
            }
            for c in 0..k {
                for i in 0..d {
                    for j in 0..=i {
                        let mut moved = covariances.clone();
                        let targets: Vec<usize> = if structure == Structure::Tied { (0..k).collect() } else { vec![c] };
                        for t in targets {
                            match structure {
                                Structure::Spherical => (0..d).for_each(|a| moved[t * d * d + a * d + a] += step),
                                Structure::Diag if i != j => {}
                                _ => {
                                    moved[t * d * d + i * d + j] += step;
                                    if i != j {
                                        moved[t * d * d + j * d + i] += step;
                                    }
                                }
                            }
                        }
                        if moved != covariances {
                            neighbours.push((best.weights().to_vec(), means.clone(), moved));
                        }
                    }
                }
                let mut weights = best.weights().to_vec();
                weights[c] += step;
                weights[(c + 1) % k] -= step;
                neighbours.push((weights, means.clone(), covariances.clone()));
            }
        }
        for (w, m, c) in neighbours {
            let other = Mixture::new(w, Gaussian::new(structure, d, m, c).unwrap()).unwrap();
            let value = q(&other, &rows, &resp);
            // A step of 1e-3 costs about n·1e-6/2 = 3e-5 nats; rounding of Q is below 1e-11.
            assert!(value < top - 1e-9, "{}: a neighbour has Q {value}, the M-step {top}", structure.name());
        }
    }
}

#[test]
fn fits_follow_scale_and_shift() {
    let (rows, _) = clusters(31, 300, 3, 2);
    let (scale, shift) = ([1e-3, 250.0], [40.0, -7e3]);
    for structure in Structure::ALL {
        // Spherical covariances stay spherical under one common scale only.
        let scale = if structure == Structure::Spherical { [250.0, 250.0] } else { scale };
        let moved: Vec<f64> = rows.iter().enumerate().map(|(i, x)| x * scale[i % 2] + shift[i % 2]).collect();
        let mut options = GaussianMixture::new(3);
        options.structure = structure;
        let a = options.fit(&Dense::new(&rows[..], 2).unwrap()).unwrap();
        let b = options.fit(&Dense::new(&moved[..], 2).unwrap()).unwrap();
        let jacobian = 300.0 * (scale[0] * scale[1]).ln();
        // The rounding of x·scale + shift moves the data by 1e-13 of their spread.
        assert!((a.log_likelihood - b.log_likelihood - jacobian).abs() < 1e-6, "{}", structure.name());
        for k in 0..3 {
            for j in 0..2 {
                let want = a.model.emission().mean(k)[j] * scale[j] + shift[j];
                let sd = a.model.emission().covariance(k)[j * 3].sqrt() * scale[j];
                assert!((b.model.emission().mean(k)[j] - want).abs() < 1e-7 * sd, "{}", structure.name());
            }
        }
    }
}

#[test]
fn parameter_counts() {
    // Celeux & Govaert (1995), table 1, plus K − 1 weights: α = KD + K − 1, β = D(D+1)/2.
    for (k, d) in [(1, 1), (3, 4), (9, 2)] {
        let alpha = k * d + k - 1;
        let beta = d * (d + 1) / 2;
        for (structure, want) in [
            (Structure::Full, alpha + k * beta),
            (Structure::Tied, alpha + beta),
            (Structure::Diag, alpha + k * d),
            (Structure::Spherical, alpha + k),
        ] {
            assert_eq!(model(structure, k, d, 1).n_free_parameters(), want, "{} {k} {d}", structure.name());
        }
    }
}

#[test]
fn catalog_names_lead_back() {
    for structure in Structure::ALL {
        assert_eq!(catalog::structure(structure.name()).unwrap(), structure);
    }
    assert!(catalog::structure("vvv").unwrap_err().to_string().contains("full, tied, diag, spherical"));
}

#[test]
fn components_can_be_copied_and_reset() {
    for structure in Structure::ALL {
        let (a, b) = (model(structure, 3, 2, 41), model(structure, 1, 2, 43));
        let mut bank = a.emission().clone();
        bank.set_component(1, b.emission(), 0);
        assert_eq!(bank.mean(1), b.emission().mean(0));
        assert_eq!(bank.mean(2), a.emission().mean(2));
        let mut mixture = a.clone();
        mixture.reset_component(0, b.emission(), 0);
        assert!((mixture.weights().iter().sum::<f64>() - 1.0).abs() < 1e-15);
        assert!((mixture.weights()[0] - 1.0 / 3.0).abs() < 1e-15);
        assert_eq!(mixture.emission().clone().with_floor(Floor::none()).mean(0), b.emission().mean(0));
    }
}
