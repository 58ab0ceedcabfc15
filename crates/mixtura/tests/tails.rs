//! Questions to a mixture in one dimension: tails and quantiles against 60-digit arithmetic, regions and boundaries
//! against brute force, false-positive rates by simulation.

use mixtura::family::gaussian::{Gaussian, Structure};
use mixtura::query::{Threshold, Univariate, false_positive_interval};
use mixtura::{Mixture, Seed};
use mixtura_testkit::rows::Random;

fn mixture(parts: &[(f64, f64, f64)]) -> Univariate {
    let take = |f: fn(&(f64, f64, f64)) -> f64| parts.iter().map(f).collect::<Vec<f64>>();
    Univariate::new(take(|p| p.0), take(|p| p.1), take(|p| p.2)).unwrap()
}

fn two() -> Univariate {
    mixture(&[(0.3, -1.0, 1.0), (0.7, 2.0, 0.5)])
}

/// A component of weight 1e-12 that owns both tails.
fn tiny() -> Univariate {
    mixture(&[(1e-12, 0.0, 10.0), (1.0 - 1e-12, 0.0, 1.0)])
}

/// Standard deviations near 1e-150 and 1e150 (powers of two).
fn unequal() -> Univariate {
    mixture(&[(0.5, 0.0, 2.0_f64.powi(-500)), (0.5, 2.0_f64.powi(500), 2.0_f64.powi(498))])
}

fn three() -> Univariate {
    mixture(&[(0.2, -4.0, 0.5), (0.5, 0.0, 1.0), (0.3, 3.0, 0.25)])
}

/// Mixtures for the laws: those above, components far apart, twins, many, far from the origin.
fn all() -> Vec<Univariate> {
    let mut r = Random::new(1);
    let many: Vec<(f64, f64, f64)> =
        (0..12).map(|_| (1.0 / 12.0, 6.0 * r.normal(), (1.5 * r.normal()).exp())).collect();
    vec![
        two(),
        tiny(),
        unequal(),
        three(),
        mixture(&[(0.5, -1e9, 1.0), (0.5, 1e9, 1.0)]),
        mixture(&[(0.4, 1.0, 1.0), (0.6, 1.0, 1.0)]),
        mixture(&[(0.2, 1e8, 1.0), (0.8, 1e8 + 3.0, 0.1)]),
        mixture(&[(1.0, 0.0, 1e-150)]),
        mixture(&[(1e-300, 50.0, 1.0), (1.0, 0.0, 1.0)]),
        mixture(&many),
    ]
}

#[test]
fn tails_are_those_of_sixty_digits() {
    // mpmath 1.4.1, mp.dps = 60, parameters as 64-bit numbers, 2026-11-21: x, P(X ≤ x), P(X > x), p(x).
    let cases = [
        (two(), -38.0, 1.717671366757373e-300, 1.0, 6.360019654573817e-299),
        (two(), -20.0, 2.558167185789293e-81, 1.0, 4.873908110320824e-80),
        (two(), -5.0, 9.501372549935975e-6, 0.99999049862745, 4.01490677294656e-5),
        (two(), 0.0, 0.2524255936898461, 0.7475744063101539, 0.07277857967181384),
        (two(), 3.0, 0.9840654062637245, 0.01593459373627538, 0.07562750218619273),
        (two(), 8.0, 1.0, 3.3857652178616463e-20, 3.083932071500975e-19),
        (two(), 15.0, 1.0, 1.9166263201614263e-58, 3.0784892183757107e-57),
        (tiny(), -60.0, 9.865876450376981e-22, 1.0, 6.0758828498232855e-22),
        (tiny(), -6.0, 9.868618981544616e-10, 0.9999999990131381, 6.075916172277499e-9),
        (tiny(), 9.0, 0.9999999999998159, 1.8406023820560007e-13, 2.6609552967232647e-14),
        (tiny(), 100.0, 1.0, 7.619853024160526e-36, 7.694598626706419e-36),
        (unequal(), -9.775796363198735e-150, 1.5835620916559962e-5, 0.9999841643790834, 2.858269451410461e-73),
        (unequal(), 2.0_f64.powi(-500), 0.420688208655188, 0.5793117913448119, 3.960323485133943e149),
        (unequal(), 2.0_f64.powi(499), 0.5113750659740895, 0.4886249340259104, 3.2987793380325526e-152),
        (unequal(), 2.0_f64.powi(501), 0.9999841643790834, 1.5835620916559962e-5, 8.176856464490198e-155),
    ];
    for (m, x, cdf, survival, pdf) in cases {
        // z is rounded once, which moves a tail by z² eps of itself: 3e-13 at z = 37. At −2^−495 z is 32.
        for (got, want) in [(m.cdf(x), cdf), (m.survival(x), survival), (m.pdf(x), pdf)] {
            assert!((got / want - 1.0).abs() < 1e-12, "at {x}: {got:e} {want:e}");
        }
    }
    for (m, p, want) in [
        (two(), 1e-300, -38.014607261954474),
        (two(), 0.3, 0.8835416020588738),
        (two(), 0.9, 2.5339796748048213),
        (tiny(), 1e-20, -56.12001244174789),
        (tiny(), 1e-9, -5.997851580654941),
        (tiny(), 0.25, -0.6744897501967838),
    ] {
        assert!((m.quantile(p) - want).abs() < 1e-13 * want.abs().max(1.0), "{p}: {}", m.quantile(p));
    }
}

#[test]
fn the_cdf_undoes_the_quantile() {
    for m in all() {
        let mut before = f64::NEG_INFINITY;
        for p in [1e-300, 1e-100, 1e-30, 1e-16, 1e-9, 0.01, 0.2, 0.4999, 0.5, 0.75, 0.99, 1.0 - 1e-9] {
            let x = m.quantile(p);
            assert!(x >= before, "{p}");
            before = x;
            // 1e-10 as asked for, and what the spacing of 64-bit numbers about x leaves open.
            let spacing = (x.next_up() - x) * m.pdf(x);
            let tail = p.min(1.0 - p);
            let back = if p <= 0.5 { m.cdf(x) } else { m.survival(x) };
            assert!(
                (back - tail).abs() <= 1e-10 * tail + 2.0 * spacing || jumps(&m, x, tail, p <= 0.5),
                "{p}: {x:e} {back:e}"
            );
            let y = m.upper_quantile(p);
            let back = if p <= 0.5 { m.survival(y) } else { m.cdf(y) };
            let spacing = (y.next_up() - y) * m.pdf(y);
            assert!(
                (back - tail).abs() <= 1e-10 * tail + 2.0 * spacing || jumps(&m, y, tail, p > 0.5),
                "{p}: {y:e} {back:e}"
            );
        }
        assert_eq!((m.quantile(0.0), m.quantile(1.0)), (f64::NEG_INFINITY, f64::INFINITY));
        assert!([-0.1, 1.1, f64::NAN].iter().all(|p| m.quantile(*p).is_nan() && m.upper_quantile(*p).is_nan()));
    }
}

/// Whether the tail jumps over a probability at x: between two neighbouring numbers, where a component is thinner than
/// their spacing.
fn jumps(m: &Univariate, x: f64, tail: f64, lower: bool) -> bool {
    match lower {
        true => m.cdf(x.next_down()) < tail && m.cdf(x) > tail,
        false => m.survival(x.next_down()) > tail && m.survival(x) < tail,
    }
}

#[test]
fn the_two_tails_and_the_density_belong_together() {
    for m in all() {
        for p in [0.001, 0.1, 0.4, 0.6, 0.95] {
            let x = m.quantile(p);
            assert!((m.cdf(x) + m.survival(x) - 1.0).abs() < 1e-14);
            let parts: f64 = (0..m.n_components()).map(|k| m.component_pdf(k, x)).sum();
            assert!((parts / m.pdf(x) - 1.0).abs() < 1e-12);
            let (a, b) = m.interval(p);
            // About 1e9 the ends are spaced 1e-7.
            let spacing = (a.next_up() - a) * m.pdf(a) + (b.next_up() - b) * m.pdf(b);
            assert!((m.probability(a, b) - p).abs() < 1e-10 + 2.0 * spacing, "{p} {a} {b}");
        }
        assert_eq!(m.probability(1.0, 1.0), 0.0);
    }
}

#[test]
fn regions_are_those_of_sixty_digits() {
    // mpmath 1.4.1, mp.dps = 25, level and edges by halving, 2026-11-21. An edge is good to eps / slope of the density;
    // the oracle's level to 3e-17.
    let edges = [
        (0.5, -1.81760659118288, vec![-0.641125381768933, 0.641125381525741, 2.62568796871764, 3.36831057536573]),
        (
            0.9,
            -2.81630730873986,
            vec![
                -4.70040387633382,
                -3.29436084913501,
                -1.55192668172052,
                1.55191624104144,
                2.46946823772895,
                3.51072734960098,
            ],
        ),
    ];
    for (mass, level, want) in edges {
        let region = three().highest_density(mass).unwrap();
        let got: Vec<f64> = region.intervals.iter().flat_map(|&(a, b)| [a, b]).collect();
        assert_eq!(got.len(), want.len());
        assert!(got.iter().zip(&want).all(|(g, w)| (g - w).abs() < 1e-12), "{got:?}");
        assert!((region.log_level - level).abs() < 1e-12);
    }
}

#[test]
fn regions_hold_their_mass_and_are_the_densest() {
    for (n, m) in all().into_iter().enumerate() {
        assert!((1..=m.n_components()).contains(&m.modes().len()), "{n}");
        for mass in [0.01, 0.1, 0.5, 0.9, 0.999_999] {
            let region = m.highest_density(mass).unwrap();
            let held: f64 = region.intervals.iter().map(|&(a, b)| m.probability(a, b)).sum();
            // About 1e8 and 1e9 the edges are spaced 1e-8 and 1e-7.
            let spacing: f64 =
                region.intervals.iter().flat_map(|&(a, b)| [a, b]).map(|x| (x.next_up() - x) * m.pdf(x)).sum();
            assert!((held - mass).abs() < 1e-10 + 4.0 * spacing, "{n}: {mass} {held}");
            assert!(region.intervals.windows(2).all(|w| w[0].1 < w[1].0));
            for p in (1..200).map(|i| f64::from(i) / 200.0) {
                let x = m.quantile(p);
                let inside = region.intervals.iter().any(|&(a, b)| a <= x && x <= b);
                let log = m.log_pdf(x);
                let near = (x.next_up() - x) * 1e3 > 1e-6 || (log - region.log_level).abs() < 1e-9;
                assert!(inside == (log >= region.log_level) || near, "{n}: {mass} at {x}");
            }
        }
        assert!([0.0, 1.0, -1.0, f64::NAN].iter().all(|bad| m.highest_density(*bad).is_err()));
    }
}

#[test]
fn decisions_are_those_of_every_point() {
    let mut r = Random::new(9);
    let random = |r: &mut Random| {
        let k = 2 + r.below(8);
        let raw: Vec<f64> = (0..k).map(|_| (2.0 * r.normal()).exp()).collect();
        let total: f64 = raw.iter().sum();
        let parts: Vec<_> = raw.iter().map(|w| (w / total, 4.0 * r.normal(), r.normal().exp())).collect();
        (parts.clone(), mixture(&parts))
    };
    for _ in 0..40 {
        let (parts, m) = random(&mut r);
        let stretches = m.decisions().unwrap();
        assert_eq!((stretches[0].from, stretches[stretches.len() - 1].to), (f64::NEG_INFINITY, f64::INFINITY));
        assert!(stretches.windows(2).all(|w| w[0].to == w[1].from && w[0].component != w[1].component));
        for i in -3000..3000 {
            let x = 0.01 * f64::from(i) + 1e-5;
            let log = |k: usize| {
                let (w, mean, s) = parts[k];
                w.ln() - s.ln() - 0.5 * ((x - mean) / s).powi(2)
            };
            let best = (0..parts.len()).fold(0, |b, c| if log(c) > log(b) { c } else { b });
            let said = stretches.iter().find(|s| s.from <= x && x <= s.to).unwrap().component;
            // Within rounding of a boundary either is right.
            assert!(said == best || log(best) - log(said) < 1e-9, "{x}: {said} {best}");
        }
    }
    // Scales of 1e-150 beside 1e150: the thin one wins in the middle only. Its edges: where the log-densities agree,
    // z² / 2 = ln(σ_j / σ_i) + …, z = √(2 · (998 ln 2 + 8)) within the terms of the wide one's own z (4, so 8 nats).
    let s = unequal().decisions().unwrap();
    let z = (2.0 * (998.0 * std::f64::consts::LN_2 + 8.0)).sqrt();
    assert_eq!(s.iter().map(|s| s.component).collect::<Vec<_>>(), [1, 0, 1]);
    assert!((s[1].to / 2.0_f64.powi(-500) / z - 1.0).abs() < 1e-12, "{:e}", s[1].to);
    // Far apart and thin: the boundary is half way.
    let s = mixture(&[(0.5, -1e10, 1e-150), (0.5, 1e10, 1e-150)]).decisions().unwrap();
    assert_eq!((s.len(), s[0].component, s[0].to), (2, 0, 0.0));
    assert_eq!(mixture(&[(0.6, 0.0, 1.0), (0.4, 0.0, 1.0)]).decisions().unwrap().len(), 1);
}

#[test]
fn false_positive_rates_hold_on_simulated_sets() {
    let bank = Gaussian::new(Structure::Full, 1, vec![0.0, 6.0], vec![1.0, 4.0]).unwrap();
    let truth = Mixture::new(vec![0.7, 0.3], bank).unwrap();
    // A model that is wrong (one Gaussian) keeps the rate too: only the order of the scores counts.
    let wrong = mixture(&[(1.0, 1.0, 2.0)]);
    let (n, fresh, rate, sets) = (999, 20_000, 0.01, 20);
    for right in [true, false] {
        let (mut mean, mut inside) = (0.0, 0);
        for set in 0..sets {
            let mut rng = Seed::new(77).child(set).rng();
            let right_model = Univariate::of(&truth).unwrap();
            let model = if right { &right_model } else { &wrong };
            let mut score = || {
                let mut row = [0.0];
                truth.sample(&mut rng, &mut row);
                -model.log_pdf(row[0])
            };
            let t = Threshold::new((0..n).map(|_| score()).collect(), rate).unwrap();
            assert_eq!((t.place, t.expected, t.n_rows), (10, 0.01, 999));
            let seen = (0..fresh).filter(|_| t.flags(score())).count() as f64 / fresh as f64;
            mean += seen / sets as f64;
            inside += usize::from(t.interval.0 <= seen && seen <= t.interval.1);
        }
        // Of one set: Beta(10, 990) has sd 0.00315, the count of 20,000 fresh rows adds a binomial error of 0.0007;
        // the mean of 20 has 0.00072, and four of these are allowed.
        assert!((mean - rate).abs() < 4.0 * 0.00072, "{mean}");
        // Binomial(20, 0.95) is below 15 once in 3,000 times (the binomial error of `seen` makes it little more).
        assert!(inside >= 15, "{inside}");
    }
}

#[test]
fn thresholds_know_their_rate() {
    // scipy 1.17.1, stats.beta(j, n + 1 - j).ppf([0.025, 0.975]), 2026-11-21. lgamma of 1e6 is good to 1e-9 or so, and
    // the tail probability with it.
    for (j, n, low, high) in [
        (10, 999, 0.004810331195290225, 0.01703274677025096),
        (1, 99, 0.00025570273666596153, 0.03657574498347893),
        (1, 1, 0.025, 0.975),
        (500, 1000, 0.46854917297179194, 0.5304537166614578),
        (50_000, 1_000_000, 0.04957363954732641, 0.05042796532456036),
        (99, 99, 0.9634242550165211, 0.999744297263334),
    ] {
        let (a, b) = false_positive_interval(j, n);
        assert!((a / low - 1.0).abs() < 1e-8 && (b / high - 1.0).abs() < 1e-8, "{j} {n}: {a} {b}");
    }
    let of = |n: usize, rate: f64| Threshold::new((0..n).map(|i| i as f64).collect(), rate);
    assert!(of(98, 0.01).unwrap_err().to_string().contains("at least 99"));
    assert_eq!(of(99, 0.01).unwrap().score, 98.0);
    assert_eq!(of(1, 0.5).unwrap().score, 0.0);
    assert_eq!(of(9, 0.999).unwrap().place, 9);
    assert!([0.0, 1.0, -1.0, f64::NAN].iter().all(|bad| of(100, *bad).is_err()));
    assert!(of(0, 0.5).is_err() && Threshold::new(vec![f64::NAN; 9], 0.5).is_err());
    // Rows of density 0 have an infinite score and are ranked.
    assert!(Threshold::new(vec![1.0, f64::INFINITY, 0.0], 0.25).unwrap().score.is_infinite());
}
