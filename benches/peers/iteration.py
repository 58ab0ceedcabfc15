"""Time of one EM iteration and peak memory: mixtura against scikit-learn, full covariance, same data, same start.

Usage: python iteration.py [BINARY] [--rounds 3] [--only 1e6x8k8,…]

Both begin at equal weights, K random rows as means and identity covariances, take exactly n EM iterations with 1e-6 added to
every variance, and must then have the same log-likelihood (relative 1e-8). The time of an iteration is the difference of
two runs with different n, divided by the difference, so that reading the data and the last pass cancel. The runs are
interleaved; the shortest of all rounds counts for each n. Plain EM on both sides (`--algorithm em`).
"""
import common

ARGS = common.prepare(__doc__.split("\n")[0])

import json
import subprocess
import sys
import tempfile
import time
import warnings
from contextlib import nullcontext
from pathlib import Path

import numpy as np
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_info, threadpool_limits

warnings.simplefilter("ignore")
# name: rows, columns, components, the two iteration counts
CASES = {
    "1e4x2k3": (10_000, 2, 3, 20, 320),
    "1e5x8k32": (100_000, 8, 32, 3, 13),
    "1e5x32k8": (100_000, 32, 8, 3, 13),
    "1e6x8k8": (1_000_000, 8, 8, 2, 8),
}


def sklearn_fit(x, means, iterations, threads):
    n, d = x.shape
    k = len(means)
    model = GaussianMixture(
        k, covariance_type="full", tol=0.0, reg_covar=1e-6, max_iter=iterations, weights_init=np.full(k, 1 / k),
        means_init=means, precisions_init=np.broadcast_to(np.eye(d), (k, d, d)).copy(), init_params="random_from_data",
        random_state=0)
    with threadpool_limits(threads, "blas") if threads else nullcontext():
        begin = time.perf_counter()
        model.fit(x)
        seconds = time.perf_counter() - begin
    assert model.n_iter_ == iterations, (model.n_iter_, iterations)
    return model, seconds


SKLEARN_MEMORY = """
import sys, numpy as np
from pathlib import Path
from sklearn.mixture import GaussianMixture
def peak():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) * 1024
x = np.load(sys.argv[1])
k, d, before = int(sys.argv[2]), x.shape[1], peak()
GaussianMixture(k, tol=0.0, max_iter=3, weights_init=np.full(k, 1 / k), means_init=x[:k],
                precisions_init=np.stack([np.eye(d)] * k), init_params="random_from_data").fit(x)
print(before, peak())
"""


def sklearn_memory(path, k):
    """Peak resident memory of a fresh process: after it loaded the file, and after its fit."""
    if not Path("/proc/self/status").exists():
        return None
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", SKLEARN_MEMORY, str(path), str(k)], capture_output=True, text=True, check=True)
    return tuple(map(int, done.stdout.split()))


def main():
    blas = ", ".join(f"{i['internal_api']} {i['version']} ({i['num_threads']} threads)" for i in threadpool_info() if i["user_api"] == "blas")
    print("BLAS of scikit-learn:", blas)
    rows, notes = [], []
    with tempfile.TemporaryDirectory(prefix="mixtura-peers-") as folder:
        for name, (n, d, k, few, many) in CASES.items():
            if ARGS.only and name not in ARGS.only:
                continue
            x, means = common.overlapping(n, d, k)
            path, start = Path(folder) / "data.npy", Path(folder) / "start.json"
            np.save(path, x)
            start.write_text(json.dumps({
                "n_components": k, "covariance": "full", "columns": [f"x{j + 1}" for j in range(d)],
                "weights": [1 / k] * k, "means": means.tolist(), "covariances": [np.eye(d).tolist()] * k}))

            def mixtura(iterations, *more):
                out, seconds, peak = common.fit(
                    ARGS.binary, path, "-k", k, "--covariance", "full", "--init", f"params={start}", "--algorithm", "em",
                    "--tolerance", 0, "--reg-covar", 1e-6, "--max-iter", iterations, *more)
                assert out["iterations"] == iterations, (out["iterations"], iterations, out["status"])
                return out["log_likelihood"], seconds, peak

            best, value, peaks = {}, {}, []
            before = common.load()
            for _ in range(max(ARGS.rounds, 1)):
                for iterations in (few, many):
                    for who in ("mixtura", "mixtura 1", "sklearn", "sklearn 1"):
                        if who.startswith("mixtura"):
                            ll, seconds, peak = mixtura(iterations, *(("--threads", 1) if who.endswith("1") else ()))
                            peaks.append(peak)
                        else:
                            model, seconds = sklearn_fit(x, means, iterations, 1 if who.endswith("1") else None)
                            ll = None
                            if (who, iterations) not in value:
                                ll = model.score(x) * n
                        if ll is not None:
                            value[who, iterations] = ll
                        best[who, iterations] = min(best.get((who, iterations), np.inf), seconds)
            per = {w: (best[w, many] - best[w, few]) / (many - few) for w in ("mixtura", "mixtura 1", "sklearn", "sklearn 1")}
            apart = max(abs(value[w, i] - value["sklearn", i]) / abs(value["sklearn", i]) for w, i in value)
            assert apart < 1e-8, f"{name}: log-likelihoods differ by {apart:.2g} relative"
            ms = lambda w: f"{per[w] * 1e3:.3g}"
            rows.append([f"{n:,} × {d}, K = {k}", ms("mixtura"), ms("sklearn"), f"{per['sklearn'] / per['mixtura']:.1f}", ms("mixtura 1"),
                         ms("sklearn 1"), f"{per['sklearn 1'] / per['mixtura 1']:.1f}", f"{apart:.0e}", f"{before} → {common.load()}"])
            print("done:", *rows[-1], sep="  ", flush=True)
            peak, size = max(peaks), x.nbytes
            notes.append((name, peak, size, None))
            if name == "1e6x8k8":
                notes[-1] = (name, peak, size, sklearn_memory(path, k))
    common.table(["data", "mixtura, ms", "scikit-learn, ms", "ratio", "mixtura 1 thread, ms", "scikit-learn 1 BLAS thread, ms", "ratio",
                  "relative difference of log-likelihood", "load before → after"], rows)
    for name, peak, size, other in notes:
        if size >= 32e6:
            print(f"peak memory of `mixtura fit`, {name}: {peak / 1e6:.1f} MB = {peak / size:.3f} × the data's {size / 1e6:.1f} MB", end="")
            print(f"; scikit-learn: {other[1] / 1e6:.1f} MB = {other[1] / size:.2f} × (before the fit {other[0] / 1e6:.1f} MB)" if other else "")
            if size >= 64e6:
                assert peak < 1.3 * size, "more than 1.3 times the data"


if __name__ == "__main__":
    main()
