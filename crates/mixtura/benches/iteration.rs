//! Time of one EM iteration, with the floor beside it.
//!
//! Floor, full covariance: N·K·D² flops in the E-step and as many in the M-step (triangle and symmetry used), N·K
//! exponentials, N·D·8 bytes read once. `cargo bench` prints rows per second; flops follow from the name.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use mixtura::algorithm::{Algorithm, Batch};
use mixtura::data::Dense;
use mixtura::engine::Threads;
use mixtura::family::gaussian::{Floor, Gaussian, Structure};
use mixtura::model::Posterior;
use mixtura::model::kmeans::plus_plus;
use mixtura::{KMeans, Mixture, Seed};
use mixtura_testkit::rows::{Random, clusters};

fn iteration(c: &mut Criterion) {
    let mut group = c.benchmark_group("iteration");
    group.sample_size(10);
    for structure in Structure::ALL {
        for (n, d, k) in [(10_000, 2, 3), (10_000, 8, 8), (10_000, 32, 8)] {
            let (rows, _) = clusters(1, n, k, d);
            let data = Dense::new(&rows[..], d).expect("rows");
            let bank = Gaussian::standard(structure, k, d, Floor::none());
            let mut start = Mixture::equal(bank);
            // A few iterations away from the symmetric start, so that responsibilities are as in a real fit.
            for j in 0..k {
                let mut covariance = vec![0.0; d * d];
                (0..d).for_each(|i| covariance[i * d + i] = 1.0);
                let one = Gaussian::new(structure, d, rows[j * d..(j + 1) * d].to_vec(), covariance).expect("a bank");
                start.reset_component(j, &one, 0);
            }
            group.throughput(Throughput::Elements(n as u64));
            group.bench_function(BenchmarkId::new(structure.name(), format!("{n}x{d}k{k}")), |b| {
                let mut model = start.clone();
                let mut engine = Threads::new(&data);
                b.iter(|| Batch(Posterior::Soft).step(&mut model, &mut engine).expect("a step").objective);
            });
        }
    }
    group.finish();
}

/// K-means on clusters that overlap: the start and Lloyd's iterations, so that one can be held against the other.
fn kmeans(c: &mut Criterion) {
    let mut group = c.benchmark_group("kmeans");
    group.sample_size(10);
    for (n, d, k) in [(10_000, 8, 8), (100_000, 2, 4), (100_000, 8, 8), (100_000, 8, 32)] {
        let mut r = Random::new(1);
        let centers: Vec<f64> = (0..k * d).map(|_| r.normal()).collect();
        let rows: Vec<f64> = (0..n * d).map(|i| centers[(i / d * 7919 % k) * d + i % d] + r.normal()).collect();
        let data = Dense::new(&rows[..], d).expect("rows");
        let start = || plus_plus(&data, k, Vec::new(), &mut Seed::new(1).rng()).expect("centres");
        group.bench_function(BenchmarkId::new("start", format!("{n}x{d}k{k}")), |b| b.iter(start));
        let centers = start();
        group.bench_function(BenchmarkId::new("lloyd", format!("{n}x{d}k{k}")), |b| {
            b.iter(|| KMeans::new(k).fit_from(&data, centers.clone()).expect("a fit").inertia);
        });
    }
    group.finish();
}

criterion_group!(benches, iteration, kmeans);
criterion_main!(benches);
