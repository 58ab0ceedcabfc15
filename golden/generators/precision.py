"""Compute mixture log-densities near 1e8 with 60 digits and the exact mean and variance of float32 samples.

Writes ../data/float32_columns.csv (columns x293, x10000: the exact decimal expansion of float32 values) and
../cases/precision.json.
"""
import json, os
from fractions import Fraction
import mpmath as mp
import numpy as np

mp.mp.dps = 60
HERE = os.path.dirname(os.path.abspath(__file__))
SEED, N, D, K = 808, 24, 3, 2


def main():
    rng = np.random.Generator(np.random.PCG64(SEED))
    base = 1e8
    step = 2.0 ** -16  # multiples of 2^-16 near 1e8 are exact f64 numbers (ulp(1e8) = 2^-26)
    grid = lambda a: np.round(a / step) * step
    mu = base + grid(np.array([[-0.75, 0.5, 0.25], [0.8, -0.4, -0.6]]))
    cov = [[[1.0, 0.5, 0.25], [0.5, 1.25, -0.125], [0.25, -0.125, 0.75]], [[0.875, -0.375, 0.125], [-0.375, 1.5, 0.25], [0.125, 0.25, 1.0]]]
    pi = [0.625, 0.375]
    x = base + grid(rng.uniform(-1, 1, (N, D)))
    X = [[mp.mpf(float(v)) for v in r] for r in x]
    C = [mp.matrix(c) for c in cov]
    P = [mp.inverse(c) for c in C]
    ld, R = [], []
    for r in X:
        lp = []
        for k in range(K):
            d = mp.matrix([r[j] - mp.mpf(float(mu[k, j])) for j in range(D)])
            lp.append(mp.log(mp.mpf(pi[k])) - (D * mp.log(2 * mp.pi) + mp.log(mp.det(C[k])) + (d.T * P[k] * d)[0]) / 2)
        s = mp.log(sum(mp.e ** v for v in lp))
        ld.append(s)
        R.append([mp.e ** (v - s) for v in lp])
    nk = [sum(r[k] for r in R) for k in range(K)]
    m1 = [[sum(R[i][k] * X[i][j] for i in range(N)) / nk[k] for j in range(D)] for k in range(K)]
    c1 = [[[sum(R[i][k] * (X[i][a] - m1[k][a]) * (X[i][b] - m1[k][b]) for i in range(N)) / nk[k] for b in range(D)] for a in range(D)] for k in range(K)]
    # second route: the same after an exact shift by 1e8, in float64
    xs, ms = x - base, mu - base
    assert np.array_equal(xs + base, x) and np.array_equal(ms + base, mu)
    lp = np.stack([np.log(pi[k]) - 0.5 * (D * np.log(2 * np.pi) + np.linalg.slogdet(cov[k])[1] + np.einsum("ni,ij,nj->n", xs - ms[k], np.linalg.inv(cov[k]), xs - ms[k])) for k in range(K)])
    assert np.abs(np.logaddexp.reduce(lp, axis=0) - np.array([float(v) for v in ld])).max() < 1e-13
    F = lambda v: [F(u) for u in v] if isinstance(v, list) else float(v)

    n32 = 500
    cols, info = {}, {}
    for name, c, s in [("x293", 293.0, 0.05), ("x10000", 1e4, 1.0)]:
        v = rng.normal(c, s, n32).astype(np.float32)
        fr = [Fraction(float(t)) for t in v]
        mean = sum(fr) / n32
        ss = sum((t - mean) ** 2 for t in fr)
        cols[name] = v
        f64 = v.astype(np.float64)
        assert abs(f64.var() / float(ss / n32) - 1) < 1e-9
        naive = np.float32(np.mean(v * v, dtype=np.float32) - np.mean(v, dtype=np.float32) ** 2)
        info[name] = {
            "n": n32, "mean": float(mean), "variance_divisor_n": float(ss / n32), "variance_divisor_n_minus_1": float(ss / (n32 - 1)), "min": float(v.min()), "max": float(v.max()),
            "normal_loglik_at_mle": float(-mp.mpf(n32) / 2 * (mp.log(2 * mp.pi * mp.mpf(ss.numerator) / mp.mpf(ss.denominator) / n32) + 1)),
            "for_information": {"variance_two_moments_in_float32": float(naive), "variance_numpy_float32": float(v.var())},
        }
        print(name, info[name])
    with open(os.path.join(HERE, "..", "data", "float32_columns.csv"), "w", newline="\n") as f:
        f.write("x293,x10000\n")
        for a, b in zip(cols["x293"], cols["x10000"]):
            ta, tb = "%.16f" % float(a), "%.11f" % float(b)
            assert Fraction(ta) == Fraction(float(a)) and Fraction(tb) == Fraction(float(b))
            f.write(ta.rstrip("0") + "," + tb.rstrip("0") + "\n")
    json.dump({
        "name": "precision",
        "certificate": {
            "tool": "mpmath, 60 digits; exact fractions", "version": {"mpmath": mp.__version__, "numpy": np.__version__}, "script": "golden/generators/precision.py",
            "seed": "PCG64(%d)" % SEED, "date": "2026-11-21", "tolerance": {"log_density_abs": 1e-10, "responsibilities_abs": 1e-10, "covariances_rel": 1e-7, "float32_variance_rel": 1e-6, "float32_mean_rel": 1e-7},
            "reason_for_tolerance": "the values are exact to the last f64 digit; every input is an exact f64 and every difference x - mu is exact in f64, so a code that subtracts before it squares reaches 1e-13; means near 1e8 have spacing 1.5e-8, so a covariance around a rounded mean is good to about 1e-15 but one made of rounded sums loses digits: 1e-7 still excludes the formula E[x^2] - mean^2 (absolute error about 2)",
        },
        "input": {"mixture": {"x": x.tolist(), "weights": pi, "means": mu.tolist(), "covariances": cov}, "float32": {"data": "golden/data/float32_columns.csv", "note": "decimals are exact: parsing as f32 or f64 gives the same numbers"}},
        "expected": {
            "mixture": {"row_log_density": F(ld), "responsibilities": F(R), "loglik": float(sum(ld)), "after_one_em": {"weights": [float(v / N) for v in nk], "means": F(m1), "means_minus_1e8": [[float(v - mp.mpf(base)) for v in r] for r in m1], "covariances": F(c1)}},
            "float32": info,
        },
    }, open(os.path.join(HERE, "..", "cases", "precision.json"), "w"), indent=1)


if __name__ == "__main__":
    main()
