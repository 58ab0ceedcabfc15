"""Collect R mclust log-likelihoods of four covariance structures, G = 1..9, on six published data sets.

Usage: python mclust_four_structures.py REFERENCE_FOLDER   (holds data/mclust_diabetes.csv and data/mclust_thyroid.csv)
Runs mclust_four_structures.R twice per set (relative tolerance 1e-8 and 1e-11), recomputes every log-likelihood from mclust's
parameters with scipy, and writes ../cases/mclust_four_structures.json.
"""
import json, os, subprocess, sys
import numpy as np, scipy
from scipy.stats import multivariate_normal as mvn

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, "..", "data")
REF = os.path.join(sys.argv[1], "data")
SETS = {
    "faithful": (os.path.join(DATA, "faithful.csv"), "eruptions,waiting", 1, "golden/data/faithful.csv"),
    "iris": (os.path.join(DATA, "iris.csv"), "sepal_length,sepal_width,petal_length,petal_width", 1, "golden/data/iris.csv"),
    "diabetes": (os.path.join(REF, "mclust_diabetes.csv"), "glucose,insulin,sspg", 1, "not in this repository: mclust_diabetes.csv"),
    "thyroid": (os.path.join(REF, "mclust_thyroid.csv"), "RT3U,T4,T3,TSH,DTSH", 1, "not in this repository: mclust_thyroid.csv"),
    "galaxies": (os.path.join(DATA, "galaxies.csv"), "velocity", 1000, "golden/data/galaxies.csv"),
    "acidity": (os.path.join(DATA, "acidity.csv"), "x", 1, "golden/data/acidity.csv"),
}
NAMES = {"VVV": "full", "EEE": "tied", "VVI": "diag", "VII": "spherical", "V": "full", "E": "tied"}


def run(path, cols, div, tol):
    r = subprocess.run(["Rscript", os.path.join(HERE, "mclust_four_structures.R"), path, cols, str(div), str(tol)], capture_output=True, text=True, check=True)
    return json.loads(r.stdout)


def load(path, cols, div):
    with open(path) as f:
        head = [h.strip().strip('"') for h in f.readline().split(",")]
        rows = [l.split(",") for l in f if l.strip()]
    ix = [head.index(c) for c in cols.split(",")]
    return np.array([[float(r[i]) for i in ix] for r in rows]) / div


res, worst, version = {}, 0.0, {}
for name, (path, cols, div, where) in SETS.items():
    a, b = run(path, cols, div, 1e-8), run(path, cols, div, 1e-11)
    version = {"mclust": b["mclust"], "R": b["R"], "numpy": np.__version__, "scipy": scipy.__version__}
    x = load(path, cols, div)
    n, d = x.shape
    assert (n, d) == (b["n"], b["d"])
    table = {}
    for m in b["fits"]:
        row, loose, mineig, mincount = [], [], [], []
        for G, (fa, fb) in enumerate(zip(a["fits"][m], b["fits"][m]), 1):
            loose.append(None if fa is None else fa["loglik"])
            if fb is None:
                row.append(None); mineig.append(None); mincount.append(None)
                continue
            mu = np.array(fb["mean"]).reshape(G, d)
            sg = np.array(fb["sigma"]).reshape(G, d, d)
            lp = np.stack([np.log(p) + mvn(c, s).logpdf(x) for p, c, s in zip(fb["pro"], mu, sg)])
            ll = float(np.logaddexp.reduce(lp, axis=0).sum())
            worst = max(worst, abs(ll - fb["loglik"]))
            row.append(fb["loglik"])
            S = np.cov(x.T, bias=True).reshape(d, d)
            mineig.append(float(min(scipy.linalg.eigh(s, S, eigvals_only=True)[0] for s in sg)))
            mincount.append(float(min(fb["pro"]) * n))
        table[m] = {"structure": NAMES[m], "loglik": row, "loglik_tol_1e-8": loose, "min_relative_eigenvalue": mineig, "min_count": mincount}
        dd = [u - v for u, v in zip(row, loose) if u is not None and v is not None]
        print(name, m, ["%.3f" % v if v is not None else None for v in row], "gain over 1e-8: %.2g" % max(dd, default=0), "min eig %.1e" % min(v for v in mineig if v is not None))
    res[name] = {"data": where, "columns": cols.split(","), "divisor": div, "n": n, "d": d, "G": list(range(1, 10)), "models": table}
print("largest difference between mclust's value and scipy's at mclust's parameters:", worst)
assert worst < 1e-3
json.dump({
    "name": "mclust_four_structures",
    "certificate": {
        "tool": "R mclust, Mclust(x, G, modelNames, control = emControl(tol = 1e-11))", "version": version,
        "script": "golden/generators/mclust_four_structures.py, mclust_four_structures.R", "seed": "none (mclust's hierarchical start is deterministic)",
        "date": "2026-11-21", "tolerance": {"loglik_abs": 0.01, "direction": "a higher log-likelihood is acceptable"},
        "reason_for_tolerance": "mclust stops at a relative change < 1e-11; the largest difference between its value and scipy's log-likelihood at its parameters is %.1e; loglik_tol_1e-8 shows how far an earlier stop lies away; null where mclust gives none" % worst,
    },
    "input": "per set below (data, columns, divisor)",
    "expected": res,
}, open(os.path.join(HERE, "..", "cases", "mclust_four_structures.json"), "w"), indent=1)
