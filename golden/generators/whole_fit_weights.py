"""Compute the MLE of a small weighted two-component fit by EM on the replicated rows and by a weighted longdouble EM.

Writes ../cases/whole_fit_weights.json. Integer case weights 0..3: a row with weight w counts as w equal rows.
"""
import json, os, warnings
import numpy as np, sklearn
from sklearn.mixture import GaussianMixture

warnings.simplefilter("ignore")
HERE = os.path.dirname(os.path.abspath(__file__))
SEED, N = 6001, 60
LD = np.longdouble


def step(x, w, pi, mu, cov):
    """One weighted EM step in longdouble with 2x2 formulas; the log-likelihood is that of the given parameters."""
    lp = []
    for k in range(2):
        a, b, c = cov[k][0, 0], cov[k][0, 1], cov[k][1, 1]
        det = a * c - b * b
        d = x - mu[k]
        q = (c * d[:, 0] ** 2 - 2 * b * d[:, 0] * d[:, 1] + a * d[:, 1] ** 2) / det
        lp.append(np.log(pi[k]) - np.log(2 * LD(np.pi)) - np.log(det) / 2 - q / 2)
    lp = np.stack(lp, 1)
    m = lp.max(1)
    ld = m + np.log(np.exp(lp - m[:, None]).sum(1))
    r = np.exp(lp - ld[:, None]) * w[:, None]
    nk = r.sum(0)
    mu2 = np.stack([(r[:, k, None] * x).sum(0) / nk[k] for k in range(2)])
    cov2 = np.stack([np.array([[(r[:, k] * (x[:, i] - mu2[k, i]) * (x[:, j] - mu2[k, j])).sum() / nk[k] for j in range(2)] for i in range(2)]) for k in range(2)])
    return (w * ld).sum(), nk / nk.sum(), mu2, cov2


def main():
    rng = np.random.Generator(np.random.PCG64(SEED))
    lab = rng.random(N) < 0.4
    x = np.where(lab[:, None], rng.normal([2.0, 1.5], [1.0, 0.8], (N, 2)), rng.normal([-0.5, 0.0], [0.9, 1.2], (N, 2)))
    x = np.round(x, 4)
    w = rng.integers(0, 4, N)
    pi, mu, cov = np.array([0.5, 0.5]), np.array([[-1.0, 0.0], [2.0, 1.0]]), np.stack([np.eye(2), np.eye(2)])
    p, m, c = pi.astype(LD), mu.astype(LD), cov.astype(LD)
    X, W = x.astype(LD), w.astype(LD)
    path, snaps = [], {}
    for it in range(200000):
        ll, p, m, c = step(X, W, p, m, c)
        path.append(float(ll))
        if it + 1 in (1, 2, 5, 10):
            snaps[str(it + 1)] = {"weights": p.astype(float).tolist(), "means": m.astype(float).tolist(), "covariances": c.astype(float).tolist()}
        if it > 0 and ll - last < 1e-17 * abs(ll):
            break
        last = ll
    ll = step(X, W, p, m, c)[0]
    rep = np.repeat(x, w, axis=0)
    g = GaussianMixture(2, weights_init=pi, means_init=mu, precisions_init=cov, reg_covar=0, tol=1e-15, max_iter=100000).fit(rep)
    sk = float(g.score_samples(rep).sum())
    print("rows", len(rep), "iterations", it + 1, g.n_iter_, "loglik", float(ll), sk, "unweighted differs:", float(GaussianMixture(2, weights_init=pi, means_init=mu, precisions_init=cov, reg_covar=0, tol=1e-12, max_iter=100000).fit(x).score_samples(x).sum()))
    assert abs(float(ll) - sk) < 1e-8
    dm = np.abs(g.means_ - m.astype(float)).max()
    print("largest difference of the means", dm, "counts", (p * W.sum()).astype(float), "eig", [np.linalg.eigvalsh(v.astype(float)).tolist() for v in c])
    assert dm < 1e-4
    json.dump({
        "name": "whole_fit_weights",
        "certificate": {
            "tool": "numpy longdouble EM with weights; scikit-learn on the replicated rows", "version": {"numpy": np.__version__, "scikit-learn": sklearn.__version__},
            "script": "golden/generators/whole_fit_weights.py", "seed": "PCG64(%d)" % SEED, "date": "2026-11-21", "tolerance": {"loglik_abs": 1e-8, "path_abs": 1e-9, "iterate_abs": 1e-10, "mle_parameters_abs": 1e-4},
            "reason_for_tolerance": "longdouble EM run to a gain below its rounding; scikit-learn on the replicated rows agrees in the log-likelihood within 1e-8; parameters at the optimum are flat, hence 1e-4",
        },
        "input": {"x": x.tolist(), "case_weights": w.tolist(), "K": 2, "structure": "full", "start": {"weights": pi.tolist(), "means": mu.tolist(), "covariances": cov.tolist()}, "regularisation": 0},
        "expected": {"loglik_path": {"note": "entry i = weighted log-likelihood of the parameters after i EM steps (0 = the start)", "values": path[:21]}, "parameters_after_steps": snaps,
                     "mle": {"loglik": float(ll), "loglik_scikit_learn_replicated": sk, "weights": p.astype(float).tolist(), "means": m.astype(float).tolist(), "covariances": c.astype(float).tolist()}, "total_weight": int(w.sum())},
    }, open(os.path.join(HERE, "..", "cases", "whole_fit_weights.json"), "w"), indent=1)


if __name__ == "__main__":
    main()
