"""Draw a 3-component 4-D sample with 20 % of the cells missing completely at random, with truth, standard errors and the MLE.

Writes ../data/missing20.csv.gz (header x1,x2,x3,x4,label; empty = missing; 5 decimals) and ../cases/missing_recovery.json.
The MLE with missing cells is computed by a plain numpy EM (started at the truth; exact conditional expectations) and its
log-likelihood recomputed with scipy.stats.multivariate_normal on the observed sub-vectors.
"""
import gzip, io, json, os
import numpy as np, scipy
from scipy.stats import multivariate_normal as mvn

HERE = os.path.dirname(os.path.abspath(__file__))
N, D, K, SEED, RATE = 2000, 4, 3, 77001, 0.2
PI = np.array([0.5, 0.3, 0.2])
MU = np.array([[0.0, 0.0, 0.0, 0.0], [4.0, 3.0, -2.0, 1.0], [-3.0, 4.0, 3.0, -4.0]])
COV = np.array([
    [[1.0, 0.5, 0.3, 0.2], [0.5, 1.5, 0.4, 0.1], [0.3, 0.4, 1.2, 0.6], [0.2, 0.1, 0.6, 2.0]],
    [[2.0, -0.8, 0.2, 0.0], [-0.8, 1.0, 0.1, -0.3], [0.2, 0.1, 0.8, 0.25], [0.0, -0.3, 0.25, 1.5]],
    [[1.2, 0.6, -0.5, 0.3], [0.6, 1.8, -0.2, 0.4], [-0.5, -0.2, 1.0, 0.1], [0.3, 0.4, 0.1, 0.9]]])
INFL = 1 / np.sqrt(1 - RATE)


def em(x, pi, mu, cov, tol=1e-12, iters=20000):
    n = len(x)
    miss = np.isnan(x)
    pats, inv = np.unique(miss, axis=0, return_inverse=True)
    inv = inv.ravel()
    last = -np.inf
    for it in range(iters):
        lp = np.zeros((n, K))
        ex = np.zeros((n, K, D))
        cc = np.zeros((len(pats), K, D, D))
        for p, m in enumerate(pats):
            i = np.where(inv == p)[0]
            o = ~m
            for k in range(K):
                ex[i, k] = np.where(m, mu[k], x[i])
                if not o.any():
                    lp[i, k] = np.log(pi[k])
                    cc[p, k] = cov[k]
                    continue
                S = cov[k][np.ix_(o, o)]
                d = x[np.ix_(i, o)] - mu[k][o]
                sol = np.linalg.solve(S, d.T).T
                lp[i, k] = np.log(pi[k]) - 0.5 * (o.sum() * np.log(2 * np.pi) + np.linalg.slogdet(S)[1] + (d * sol).sum(1))
                if m.any():
                    ex[np.ix_(i, [k], np.where(m)[0])] += (sol @ cov[k][np.ix_(o, m)])[:, None, :]
                    cc[p, k][np.ix_(m, m)] = cov[k][np.ix_(m, m)] - cov[k][np.ix_(m, o)] @ np.linalg.solve(S, cov[k][np.ix_(o, m)])
        ld = np.logaddexp.reduce(lp, axis=1)
        r = np.exp(lp - ld[:, None])
        ll = ld.sum()
        if (ll - last) / n < tol:
            break
        last = ll
        nk = r.sum(0)
        pi = nk / n
        mu = np.einsum("nk,nkd->kd", r, ex) / nk[:, None]
        cov = np.stack([(np.einsum("n,nd,ne->de", r[:, k], ex[:, k] - mu[k], ex[:, k] - mu[k]) + np.einsum("n,nde->de", r[:, k], cc[inv, k])) / nk[k] for k in range(K)])
    return pi, mu, cov, ll, it + 1, r


def loglik_scipy(x, pi, mu, cov):
    t = 0.0
    for row in x:
        o = ~np.isnan(row)
        if o.any():
            t += np.logaddexp.reduce([np.log(pi[k]) + mvn(mu[k][o], cov[k][np.ix_(o, o)]).logpdf(row[o]) for k in range(K)])
    return float(t)


def se(n, pi, cov):
    nk = n * pi
    v = np.einsum("kii->ki", cov)
    return {"weights": np.sqrt(pi * (1 - pi) / n), "means": np.sqrt(v / nk[:, None]), "covariances": np.sqrt((v[:, :, None] * v[:, None, :] + cov ** 2) / nk[:, None, None])}


def main():
    rng = np.random.Generator(np.random.PCG64(SEED))
    lab = rng.choice(K, N, p=PI)
    x = np.round(MU[lab] + np.einsum("nij,nj->ni", np.linalg.cholesky(COV)[lab], rng.standard_normal((N, D))), 5)
    miss = rng.random((N, D)) < RATE
    text = "x1,x2,x3,x4,label\n" + "".join(",".join("" if m else "%.5f" % v for v, m in zip(r, q)) + ",%d\n" % l for r, q, l in zip(x, miss, lab))
    buf = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=buf, mtime=0, compresslevel=9) as g:
        g.write(text.encode())
    with open(os.path.join(HERE, "..", "data", "missing20.csv.gz"), "wb") as f:
        f.write(buf.getvalue())
    nk = np.bincount(lab, minlength=K)
    cpi = nk / N
    cmu = np.stack([x[lab == k].mean(0) for k in range(K)])
    ccov = np.stack([np.cov(x[lab == k].T, bias=True) for k in range(K)])
    xm = np.where(miss, np.nan, x)
    mpi, mmu, mcov, ll, it, r = em(xm, PI, MU, COV)
    ll2 = loglik_scipy(xm, mpi, mmu, mcov)
    assert abs(ll - ll2) < 1e-6, (ll, ll2)
    acc = float((r.argmax(1) == lab).mean())
    s = se(N, PI, COV)
    worst = {}
    for key, est, tru in [("weights", mpi, PI), ("means", mmu, MU), ("covariances", mcov, COV)]:
        worst[key] = float(np.max(np.abs(est - tru) / (s[key] * INFL)))
    worst_c = {key: float(np.max(np.abs(est - tru) / s[key])) for key, est, tru in [("weights", cpi, PI), ("means", cmu, MU), ("covariances", ccov, COV)]}
    print(it, ll, "label accuracy", acc, "worst z (missing)", worst, "worst z (complete)", worst_c, "all-missing rows", int(miss.all(1).sum()))
    assert max(worst.values()) < 5
    L = lambda a: np.asarray(a).tolist()
    json.dump({
        "name": "missing_recovery",
        "certificate": {
            "tool": "numpy (own EM), scipy", "version": {"numpy": np.__version__, "scipy": scipy.__version__}, "script": "golden/generators/missing_recovery.py",
            "seed": "PCG64(%d)" % SEED, "date": "2026-11-21", "tolerance": {"recovery": "5 standard errors / sqrt(0.8)", "mle_loglik_abs": 1e-5, "mle_parameters_abs": 1e-4},
            "reason_for_tolerance": "a fit is 'recovered to sampling error' when every weight, mean and covariance entry lies within 5 * se / sqrt(0.8) of the truth, se being the complete-data standard error at the truth (n_k = n*pi_k); the MLE itself (EM stopped at a mean gain < 1e-12) is deterministic given the data",
        },
        "input": {"data": "golden/data/missing20.csv.gz", "columns": "x1..x4 (empty = missing), label (true component)", "n": N, "D": D, "K": K, "missing_rate": RATE, "missing_cells": int(miss.sum()), "rows_without_observed_cell": int(miss.all(1).sum())},
        "expected": {
            "truth": {"weights": L(PI), "means": L(MU), "covariances": L(COV)},
            "standard_errors_complete_data_at_truth": {k: L(v) for k, v in s.items()}, "inflation": float(INFL), "standard_errors_allowed": 5,
            "complete_data_mle_from_labels": {"weights": L(cpi), "means": L(cmu), "covariances": L(ccov)},
            "complete_data_mle_standard_errors": {k: L(v) for k, v in se(N, cpi, ccov).items()},
            "missing_data_mle": {"weights": L(mpi), "means": L(mmu), "covariances": L(mcov), "loglik": ll, "loglik_scipy": ll2, "label_accuracy": acc, "worst_z_against_truth": worst},
        },
    }, open(os.path.join(HERE, "..", "cases", "missing_recovery.json"), "w"), indent=1)


if __name__ == "__main__":
    main()
