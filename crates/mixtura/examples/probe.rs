//! probe
use mixtura::family::gaussian::Structure;
use mixtura::{GaussianMixture, data::Dense};
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let (file, cols, k, s): (&str, &str, usize, &str) = (&a[1], &a[2], a[3].parse().unwrap(), &a[4]);
    let seeds: u64 = a.get(5).map_or(1, |s| s.parse().unwrap());
    let idx: Vec<usize> = cols.split(',').map(|c| c.parse().unwrap()).collect();
    let text = std::fs::read_to_string(file).unwrap();
    let mut v = vec![];
    for line in text.lines().skip(1) {
        let f: Vec<&str> = line.split(',').collect();
        for &i in &idx {
            v.push(f[i].parse::<f64>().unwrap_or(f64::NAN));
        }
    }
    let data = Dense::new(v, idx.len()).unwrap();
    for seed in 0..seeds {
        let t = std::time::Instant::now();
        let mut g = GaussianMixture::new(k);
        g.structure = mixtura::catalog::structure(s).unwrap_or(Structure::Full);
        g.seed = mixtura::Seed::new(seed);
        let f = g.fit(&data).unwrap();
        println!(
            "seed {seed} ll {:.6} bic {:.4} icl {:.3} it {} {:?} mono {} {:e} rem {:?} best {}/{} degenerate {} min count {:.1} t {:?}",
            f.log_likelihood,
            f.bic(),
            f.icl(),
            f.iterations,
            f.status.kind,
            f.certificate.monotone,
            f.certificate.largest_decrease,
            f.certificate.nats_remaining,
            f.certificate.restarts_at_best,
            f.certificate.restarts.len(),
            f.certificate.restarts_degenerate,
            f.certificate.components.iter().map(|c| c.effective_count).fold(1e300, f64::min),
            t.elapsed()
        );
    }
}
