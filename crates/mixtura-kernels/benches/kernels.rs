//! Time of each kernel on one tile, with its floor: throughput is useful operations per second (named in each group), to be held
//! against the first group, `peak`: multiply-adds in registers and nothing else.
//!
//! Bytes: a tile of D features is read once per component from the L1 or L2 cache (240·D·8), coefficients once per block of rows;
//! both stay under what the multiplications leave idle from D = 8 on, so operations are the floor. `MIXTURA_ISA` picks the path.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use mixtura_kernels::moments::{self, Strided};
use mixtura_kernels::{Aligned, Isa, TILE, exp, features, gaussian, nearest, peak, softmax, tile};
use std::hint::black_box;

const DIMENSIONS: [usize; 9] = [1, 2, 4, 8, 16, 32, 41, 64, 128];

fn rows(dim: usize) -> Vec<f64> {
    (0..TILE * dim).map(|i| (i * 37 % 101) as f64 * 0.01).collect()
}

fn peak_of_the_core(c: &mut Criterion) {
    let (isa, rounds) = (Isa::detect(), 10_000);
    let mut group = c.benchmark_group("peak, flops");
    group.throughput(Throughput::Elements((rounds * peak::flops(isa)) as u64));
    group.bench_function(isa.name(), |b| b.iter(|| peak::run(isa, rounds, black_box(1.000_000_1))));
}

fn elementwise(c: &mut Criterion) {
    let (isa, k) = (Isa::detect(), 8);
    let mut group = c.benchmark_group("values");
    group.throughput(Throughput::Elements(TILE as u64));
    let start: Vec<f64> = (0..TILE).map(|i| -0.01 * i as f64).collect();
    let mut values = start.clone();
    group.bench_function("exp", |b| {
        b.iter(|| {
            values.copy_from_slice(&start);
            exp::exp_in_place(isa, black_box(&mut values));
        });
    });
    group.bench_function("sum", |b| b.iter(|| moments::sum(isa, black_box(&start))));
    group.throughput(Throughput::Elements((TILE * k) as u64));
    let start: Vec<f64> = (0..k * TILE).map(|i| -0.02 * (i * 7919 % 1000) as f64).collect();
    let (mut logs, mut out) = (Aligned::zeros(k * TILE), Aligned::zeros(TILE));
    group.bench_function("softmax", |b| {
        b.iter(|| {
            logs.copy_from_slice(&start);
            softmax::softmax(isa, black_box(&mut logs), TILE, &[-1.0; 8], exp::LOWEST, &mut out);
        });
    });
}

fn by_dimension(c: &mut Criterion) {
    let isa = Isa::detect();
    for dim in DIMENSIONS {
        let x = rows(dim);
        let (cells, n) = (Strided { values: &x, stride: dim }, TILE);
        let mean = vec![0.3; dim];
        let weights = vec![0.3; n];
        let mut t = Aligned::zeros(tile::len(dim));
        tile::load(isa, cells, n, dim, &mut t);
        let (mut work, mut out) = (Aligned::zeros(gaussian::work_len(dim)), Aligned::zeros(TILE));
        let (mut first, mut second) = (vec![0.0; dim], vec![0.0; dim * (dim + 1) / 2]);
        let mut memory = moments::Work::new(dim);

        let mut group = c.benchmark_group("full, useful flops");
        group.throughput(Throughput::Elements((n * dim * dim) as u64));
        let whitening = gaussian::Whitening::new(isa, &vec![0.01; dim * (dim + 1) / 2], dim);
        group.bench_function(BenchmarkId::new("log-density", dim), |b| {
            b.iter(|| gaussian::full(isa, &t, n, black_box(&mean), &whitening, 0.0, None, &mut work, &mut out));
        });
        group.bench_function(BenchmarkId::new("moments", dim), |b| {
            b.iter(|| {
                if moments::is_small(isa, dim) {
                    moments::small(isa, &t, black_box(&weights), &mean, &mut first, &mut second)
                } else {
                    moments::full(isa, cells, black_box(&weights), &mean, &mut memory, &mut first, &mut second)
                }
            });
        });
        group.finish();

        let mut group = c.benchmark_group("cells");
        group.throughput(Throughput::Elements((n * dim) as u64));
        group.bench_function(BenchmarkId::new("load", dim), |b| {
            b.iter(|| tile::load(isa, black_box(cells), n, dim, &mut t));
        });
        group.bench_function(BenchmarkId::new("diagonal log-density", dim), |b| {
            b.iter(|| gaussian::diagonal(isa, &t, n, black_box(&mean), &mean, &mean, false, &mut out));
        });
        group.bench_function(BenchmarkId::new("diagonal moments", dim), |b| {
            b.iter(|| {
                let weights = black_box(&weights);
                moments::diagonal(isa, cells, weights, &mean, &mean, false, &mut memory, &mut first, &mut second)
            });
        });
        let mut index = Aligned::zeros(TILE);
        group.bench_function(BenchmarkId::new("nearest of 8", dim), |b| {
            let centers: Vec<f64> = (0..8 * dim).map(|i| (i * 53 % 97) as f64 * 0.01).collect();
            b.iter(|| nearest::nearest(isa, &t, n, dim, black_box(&centers), &mut index, &mut out));
        });
        group.finish();
    }
}

/// Both half-steps for several components at once, by quadratic features.
fn by_features(c: &mut Criterion) {
    let (isa, n) = (Isa::detect(), TILE);
    for (k, dim) in [(3, 8), (8, 4), (8, 8), (8, 16), (8, 32), (8, 64), (32, 16)] {
        let x = rows(dim);
        let mut t = Aligned::zeros(tile::len(dim));
        tile::load(isa, Strided { values: &x, stride: dim }, n, dim, &mut t);
        let len = dim * (dim + 1) / 2;
        let (mut resp, mut out) = (Aligned::zeros(k * TILE), Aligned::zeros(k * TILE));
        resp.fill(0.3);
        let polynomials = features::Polynomials::new(isa, dim, &vec![0.0; k], &vec![0.1; k * dim], &vec![0.2; k * len]);
        let mut group = c.benchmark_group("features, useful flops");
        group.throughput(Throughput::Elements((n * k * dim * dim) as u64));
        let name = format!("{k} components");
        group.bench_function(BenchmarkId::new(format!("log-densities, {name}"), dim), |b| {
            b.iter(|| features::log_densities(isa, black_box(&t), n, &polynomials, &mut out));
        });
        let mut work = Aligned::zeros(features::work_len(dim));
        let (mut first, mut second) = (vec![0.0; k * dim], vec![0.0; k * len]);
        let components: Vec<u16> = (0..k as u16).collect();
        group.bench_function(BenchmarkId::new(format!("moments, {name}"), dim), |b| {
            b.iter(|| {
                let resp = black_box(&resp);
                features::moments(isa, &t, n, dim, resp, &components, &mut work, &mut first, &mut second);
            });
        });
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(std::time::Duration::from_millis(200))
        .measurement_time(std::time::Duration::from_millis(800));
    targets = peak_of_the_core, elementwise, by_dimension, by_features
}
criterion_main!(benches);
