"""What default fits find: mixtura against scikit-learn, and against the recorded values of mclust and of long searches.

Usage: python quality.py [BINARY] [--rounds 3] [--only ellipses,ten5d,units,mclust,grid]

scikit-learn is run here; mclust's values and the best optima of 500 starts are read from golden/cases. "Default" means no
argument but K, the covariance structure and the seed. scikit-learn runs with one BLAS thread (faster at these sizes),
mixtura with its default threads.
"""
import common

ARGS = common.prepare(__doc__.split("\n")[0], binary=True)

import json
import math
import subprocess
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits

warnings.simplefilter("ignore")
threadpool_limits(1, "blas")  # at these sizes scikit-learn is faster with one BLAS thread
FOLDER = tempfile.TemporaryDirectory(prefix="mixtura-peers-")


def case(name):
    return json.loads((common.REPO / "golden" / "cases" / (name + ".json")).read_text())["expected"]


def csv(path, columns=None):
    """Numeric columns of a golden CSV file (all of them without `columns`)."""
    return np.genfromtxt(common.REPO / path, delimiter=",", names=True, usecols=columns)


def golden(path, columns):
    table = csv(path, columns)
    return np.column_stack([table[c] for c in columns]).astype(float)


def mixtura(x, k, covariance, *more):
    path = Path(FOLDER.name) / "data.npy"
    np.save(path, np.ascontiguousarray(x))
    out, seconds, _ = common.fit(ARGS.binary, path, *(("-k", k) if k else ()), *(("--covariance", covariance) if covariance else ()), *more)
    return out, seconds


def mixtura_labels(x, k, covariance, *more):
    model = Path(FOLDER.name) / "model.json"
    out, seconds = mixtura(x, k, covariance, "--out", model, *more)
    text = subprocess.run([ARGS.binary, "predict", model, Path(FOLDER.name) / "data.npy"], check=True, capture_output=True, text=True).stdout
    return out, np.array(text.split()[1:], int), seconds


def sklearn(x, k, covariance, **more):
    begin = time.perf_counter()
    model = GaussianMixture(k, covariance_type=covariance, **more).fit(x)
    return model, model.score(x) * len(x), time.perf_counter() - begin


def healthy(x, counts, covariances):
    """golden's definition: every component has at least 3(D+1) rows, and no eigenvalue of S⁻¹Σ below 1e-3."""
    d = x.shape[1]
    inverse = np.linalg.inv(np.atleast_2d(np.cov(x.T, bias=True)))
    thin = min(np.linalg.eigvals(inverse @ np.array(c).reshape(d, d)).real.min() for c in covariances)
    return min(counts) >= 3 * (d + 1) and thin >= 1e-3


def mixtura_healthy(x, out):
    return healthy(x, [c["effective_count"] for c in out["certificate"]["components"]], out["model"]["covariances"])


def spread(values):
    middle, low, high = (f"{round(float(v), 3) + 0.0:.3f}" for v in (np.median(values), min(values), max(values)))
    return f"{middle} ({low} … {high})"


def ellipses():
    print("## Two parallel ellipses, n = 600, K = 2, full covariance, 20 sets, unrotated and rotated")
    found = {}
    for s in case("parallel_ellipses")["sets"]:
        table = csv(s["data"])
        x, label = np.column_stack([table["x"], table["y"]]), table["label"].astype(int)
        c, z = math.cos(s["angle"]), math.sin(s["angle"])
        for view, y in (("unrotated", x), ("rotated", x @ np.array([[c, z], [-z, c]]))):
            best = s[view]["from_true_labels"]["loglik"]
            out, labels, seconds = mixtura_labels(y, 2, "full", "--seed", s["seed"])
            rows = [("mixtura", adjusted_rand_score(label, labels), best - out["log_likelihood"], out["status"]["kind"] == "converged", seconds)]
            for name, n_init in (("scikit-learn", 1), ("scikit-learn n_init=10", 10)):
                model, ll, seconds = sklearn(y, 2, "full", n_init=n_init, random_state=s["seed"])
                rows.append((name, adjusted_rand_score(label, model.predict(y)), best - ll, model.converged_, seconds))
            for name, *values in rows:
                found.setdefault((name, view), []).append(values)
    rows = []
    for (name, view), values in found.items():
        rand, short, converged, seconds = zip(*values)
        rows.append([name, view, f"{sum(r >= 0.99 for r in rand)} of {len(rand)}", spread(rand), spread(short), f"{sum(converged)} of {len(rand)}", f"{np.median(seconds) * 1e3:.0f}"])
    common.table(["fit", "data", "adjusted Rand ≥ 0.99", "adjusted Rand, median (range)", "nats below the optimum from the true labels, median (range)",
                  "says converged", "median ms"], rows)


def ten5d():
    print("## Ten overlapping components in 5-D, n = 3,000, K = 10, full covariance, 20 sets")
    found = {}
    for s in case("ten_components_5d")["seeds"]:
        table = csv(s["data"])
        x, label = np.column_stack([table[f"x{j}"] for j in range(1, 6)]), table["label"].astype(int)
        results = []
        out, labels, seconds = mixtura_labels(x, 10, "full", "--seed", s["seed"])
        results.append(("mixtura", out["log_likelihood"], mixtura_healthy(x, out), adjusted_rand_score(label, labels), seconds))
        for name, options in (("scikit-learn", {}), ("scikit-learn n_init=10", {"n_init": 10})):
            model, ll, seconds = sklearn(x, 10, "full", random_state=s["seed"], **options)
            ok = healthy(x, model.predict_proba(x).sum(0), model.covariances_)
            results.append((name, ll, ok, adjusted_rand_score(label, model.predict(x)), seconds))
        polished = s["sklearn_n_init_10_polished"]
        results.append(("scikit-learn n_init=10, then to convergence (recorded)", polished["loglik"], not polished["degenerate"], math.nan, math.nan))
        for name, ll, ok, rand, seconds in results:
            found.setdefault(name, []).append((s["best_loglik"] - ll, s["deeper_search"]["loglik"] - ll, ok, rand, seconds))
    rows = []
    for name, values in found.items():
        short, deep, ok, rand, seconds = zip(*values)
        rows.append([name, spread(short), f"{sum(v < 0.01 for v in short)} of {len(short)}", f"{np.median(deep):.3f}", f"{sum(ok)} of {len(ok)}",
                     *("–" if math.isnan(v) else f"{v:.3f}" for v in (np.median(rand), np.median(seconds)))])
    common.table(["fit", "nats below the best of 500 starts, median (range)", "reached (within 0.01) or passed", "nats below the deeper search, median",
                  "non-degenerate", "adjusted Rand to the truth, median", "median s"], rows)


def units():
    print("## Iris, K = 3, full covariance, in five units (log-likelihood brought back to centimetres)")
    x = golden("golden/data/iris.csv", ["sepal_length", "sepal_width", "petal_length", "petal_width"])
    rows = []
    for unit, scale in (("µm", 1e4), ("mm", 10.0), ("cm", 1.0), ("m", 0.01), ("km", 1e-5)):
        back = x.size * math.log(scale)
        out, _ = mixtura(x * scale, 3, "full")
        one, ll1, _ = sklearn(x * scale, 3, "full", random_state=0)
        ten, ll10, _ = sklearn(x * scale, 3, "full", random_state=0, n_init=10)
        rows.append([unit, f"{out['log_likelihood'] + back:.6f}", out["status"]["kind"], f"{ll1 + back:.3f}", f"{ll10 + back:.3f}", ten.converged_])
    common.table(["unit", "mixtura", "mixtura says", "scikit-learn", "scikit-learn n_init=10", "scikit-learn says converged"], rows)


def mclust():
    print("## mclust 6.0.0's four structures, K = 1..9, on the sets in this repository (mclust run with tol = 1e-11)")
    rows, worse = [], []
    for name, s in case("mclust_four_structures").items():
        if not s["data"].startswith("golden/"):
            continue
        x = golden(s["data"], s["columns"]) / s["divisor"]
        for code, m in s["models"].items():
            higher = equal = lower = unhealthy = skipped = small = 0
            for i, k in enumerate(s["G"]):
                want = m["loglik"][i]
                if want is None or m["min_count"][i] < 3 * (s["d"] + 1) or m["min_relative_eigenvalue"][i] < 1e-3:
                    skipped += 1
                    continue
                out, _ = mixtura(x, k, m["structure"])
                gain = out["log_likelihood"] - want
                if gain < -0.01:
                    lower += 1
                    worse.append(f"{name} {code} K={k}: {gain:.3f}")
                elif gain > 0.01:
                    higher += 1
                    small += not mixtura_healthy(x, out)
                else:
                    equal += 1
            rows.append([name, f"{code} = {m['structure']}", higher + equal + lower, equal, higher, small, lower, skipped])
    common.table(["set", "structure", "cells compared", "equal within 0.01 nats", "mixtura higher", "of these with a small or thin component",
                  "mixtura lower", "not compared (mclust none, small or thin)"], rows)
    print("lower:", "; ".join(worse) or "none", flush=True)


def grid():
    print(f"## Everything: K = 1..9 × 4 structures, best BIC; best of {ARGS.rounds} interleaved rounds (one for n_init=10)")
    iris = golden("golden/data/iris.csv", ["sepal_length", "sepal_width", "petal_length", "petal_width"])
    faithful = golden("golden/data/faithful.csv", ["eruptions", "waiting"])
    table = csv("golden/data/ten5d/seed00.csv.gz")
    ten = np.column_stack([table[f"x{j}"] for j in range(1, 6)])
    rows = []
    for name, x in (("iris (150 × 4)", iris), ("faithful (272 × 2)", faithful), ("ten5d 0 (3,000 × 5)", ten)):
        best = {}

        def keep(who, seconds, *what):
            best[who] = min(best.get(who, (np.inf,)), (seconds, *what))

        before = common.load()
        for turn in range(max(ARGS.rounds, 1)):
            out, seconds = mixtura(x, None, None)
            keep("mixtura fit FILE", seconds, out["bic"], f"{out['model']['covariance']} {out['model']['n_components']}", "whole process")
            for n_init in (1, 10) if turn == 0 else (1,):
                begin = time.perf_counter()
                bic, what = min((GaussianMixture(k, covariance_type=c, n_init=n_init, random_state=0).fit(x).bic(x), f"{c} {k}")
                                for c in ("full", "tied", "diag", "spherical") for k in range(1, 10))
                keep(f"scikit-learn n_init={n_init}", time.perf_counter() - begin, bic, what, "without import and reading")
        for who in ("mixtura fit FILE", "scikit-learn n_init=1", "scikit-learn n_init=10"):
            seconds, bic, what, note = best[who]
            rows.append([name, who, f"{seconds:.2f}", f"{seconds / best['mixtura fit FILE'][0]:.2f}", what, f"{bic:.2f}", f"{before} → {common.load()}"])
    common.table(["data", "run", "s", "time / mixtura's", "chosen", "its BIC", "load before → after"], rows)
    print("mixtura: the whole process, reading included; scikit-learn: the fits and BICs only, its import left out.")


if __name__ == "__main__":
    for part in (ellipses, ten5d, units, mclust, grid):
        if not ARGS.only or part.__name__ in ARGS.only:
            print()
            part()
    print("load at the end:", common.load())
