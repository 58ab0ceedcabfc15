"""Time of one EM iteration over rows, columns and components: mixtura, scikit-learn and oneDAL, full covariance.

Usage: python speed.py [BINARY] [--rounds 3] [--only 1e5x8k32,…] [--whole] [--float32]

All begin at equal weights, K random rows as means and identity covariances, and take exactly n iterations of plain EM. The
time of an iteration is the difference of two fits with different n over the difference, so that what is done once cancels;
runs are interleaved, the shortest of all rounds counts. Everything runs in this process: mixtura through its Python package
(built from this repository), scikit-learn with its own threads and with one BLAS thread, oneDAL through daal4py. A peer that
would need more than a minute at a point is left out there, with a dash. `--whole` runs the whole grid.
"""
import common

ARGS = common.prepare(__doc__.split("\n")[0], "--whole", "--float32")
common.install_package()

import time
import warnings
from contextlib import nullcontext

import daal4py
import mixtura
import numpy as np
import sklearn.mixture
from threadpoolctl import threadpool_limits

warnings.simplefilter("ignore")
ROWS, COLUMNS, COMPONENTS = (10_000, 100_000, 1_000_000), (1, 2, 8, 16, 32, 64, 128), (3, 8, 32, 128)
# What a default run takes from the grid: every column count at 100,000 rows, and some of the rest.
SHORT = {(100_000, d, k) for d in COLUMNS for k in (8, 32)} | {(10_000, 2, 3), (10_000, 8, 8), (1_000_000, 8, 8), (100_000, 2, 128)}
MOST_FLOPS = 2e10
MINUTE = 60.0


def name(n, d, k):
    return f"1e{round(np.log10(n))}x{d}k{k}"


def sklearn_like(cls, x, means, iterations, **more):
    k, d = means.shape
    model = cls(k, tol=0.0, reg_covar=1e-6, max_iter=iterations, weights_init=np.full(k, 1 / k), means_init=means,
                precisions_init=np.broadcast_to(np.eye(d), (k, d, d)).copy(), init_params="random_from_data", random_state=0, **more)
    begin = time.perf_counter()
    model.fit(x)
    seconds = time.perf_counter() - begin
    assert model.n_iter_ == iterations, (model.n_iter_, iterations)
    return seconds, iterations


def ours(x, means, iterations, threads=None):
    return sklearn_like(mixtura.GaussianMixture, x, means, iterations, n_jobs=threads)


def theirs(x, means, iterations, threads=None):
    with threadpool_limits(threads, "blas") if threads else nullcontext():
        return sklearn_like(sklearn.mixture.GaussianMixture, x, means, iterations)


def onedal(x, means, iterations):
    k, d = means.shape
    width, kind = ("float", np.float32) if x.dtype == np.float32 else ("double", np.float64)
    start = np.full((1, k), 1 / k, dtype=kind), means.astype(kind), [np.eye(d, dtype=kind)] * k
    em = daal4py.em_gmm(nComponents=k, maxIterations=iterations, accuracyThreshold=0.0, regularizationFactor=1e-6, fptype=width)
    begin = time.perf_counter()
    done = em.compute(x, *start)
    # It stops by itself once its objective does not rise, whatever the threshold.
    return time.perf_counter() - begin, int(done.nIterations[0, 0])


WHO = {"mixtura": ours, "oneDAL": onedal, "scikit-learn": theirs,
       "scikit-learn, 1 BLAS thread": lambda x, means, iterations: theirs(x, means, iterations, 1)}


def per_iteration(x, means):
    """Seconds of an iteration for everyone who can do it within a minute."""
    n, (k, d) = len(x), means.shape
    best, counts = {}, {}
    for who, run in WHO.items():
        # scikit-learn's own time of an iteration is about this; the others are faster.
        if who.startswith("scikit") and 4e-9 * n * k * (d * d / 8 + d + 20) * 4 * ARGS.rounds > MINUTE:
            continue
        guess = max(run(x, means, 2)[0] / 3, 1e-6)
        counts[who] = (1, 1 + int(np.clip(0.5 / guess, 2, 300)))
    for _ in range(max(ARGS.rounds, 1)):
        for position in (0, 1):
            for who, count in counts.items():
                seconds, done = WHO[who](x, means, count[position])
                best[who, position] = min(best.get((who, position), (np.inf, 0)), (seconds, done))
    return {who: (best[who, 1][0] - best[who, 0][0]) / (best[who, 1][1] - best[who, 0][1]) for who in counts}


def main():
    print("scikit-learn-intelex (daal4py)", common.metadata.version("scikit-learn-intelex"))
    peers = [who for who in WHO if who != "mixtura"]
    rows, ratios = [], {who: [] for who in peers}
    for n in ROWS:
        for d in COLUMNS:
            for k in COMPONENTS:
                point = (n, d, k)
                wanted = name(*point) in ARGS.only if ARGS.only else ARGS.whole or point in SHORT
                if not wanted or 2 * n * k * d * d > MOST_FLOPS:
                    continue
                x, means = common.overlapping(*point)
                if ARGS.float32:
                    x = x.astype(np.float32)
                before = common.load()
                seconds = per_iteration(x, means)
                mine = seconds["mixtura"]
                for who in peers:
                    if who in seconds:
                        ratios[who].append(seconds[who] / mine)
                others = [f"{seconds[w] * 1e3:.3g} ({seconds[w] / mine:.1f})" if w in seconds else "–" for w in peers]
                rows.append([f"{n:,} × {d}, K = {k}", f"{mine * 1e3:.3g}", f"{2 * n * k * d * d / mine / 1e9:.0f}", *others,
                             f"{before} → {common.load()}"])
                print("done:", *rows[-1], sep="  ", flush=True)
    common.table(["data", "mixtura, ms", "GFLOP/s", *(f"{w}, ms (ratio)" for w in peers), "load before → after"], rows)
    for who, all_of in ratios.items():
        if all_of:
            print(f"{who}: {len(all_of)} points, ratio smallest {min(all_of):.2f}, median {np.median(all_of):.2f}, largest {max(all_of):.1f}")


if __name__ == "__main__":
    main()
