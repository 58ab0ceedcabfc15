"""Search the best non-degenerate full-covariance optimum of each ten_components_5d data set by 500 starts.

Usage: python ten5d_search.py FIRST LAST STEP OUTDIR   (writes OUTDIR/seedNN.json for each seed)
       python ten5d_search.py assemble OUTDIR          (writes ../cases/ten_components_5d.json)

Per data set:
 1. 500 initial states, each made by scikit-learn's GaussianMixture with max_iter=1 (one EM iteration),
    reg_covar=1e-9, random_state=1000*seed+start: 200 x "kmeans", 150 x "k-means++", 150 x "random_from_data".
 2. successive halving with a plain numpy EM (no regularisation; the data standardised): 60 iterations for all 500,
    the best 120 go on for 200 more, the best 40 of these to a mean log-likelihood gain < 1e-10 (at most 5000
    iterations). States that are degenerate at a cut are dropped there.
 3. the 10 best distinct states are polished by scikit-learn (reg_covar=0, tol=1e-10, max_iter=5000); the value
    recorded is scikit-learn's score(x)*n of the best state that is not degenerate.
Non-degenerate: every component has effective count (sum of its responsibilities) >= 3*(D+1) = 18 rows, and the smallest
eigenvalue of inv(S) Sigma_k, with S the covariance of all rows (divisor n), is >= 1e-3 for every component.
"""
import gzip, json, os, sys, time, warnings
import numpy as np
import scipy, sklearn
from scipy.linalg import eigh
from scipy.special import logsumexp
from scipy.stats import multivariate_normal as mvn
from sklearn.mixture import GaussianMixture
from sklearn.metrics import adjusted_rand_score

warnings.simplefilter("ignore")
HERE = os.path.dirname(os.path.abspath(__file__))
K, D, MINROWS, MINEIG = 10, 5, 18.0, 1e-3
STARTS = [("kmeans", 200), ("k-means++", 150), ("random_from_data", 150)]


def load(seed):
    with gzip.open(os.path.join(HERE, "..", "data", "ten5d", "seed%02d.csv.gz" % seed), "rt") as f:
        a = np.loadtxt(f, delimiter=",", skiprows=1)
    return a[:, :D], a[:, D].astype(int)


class FastEM:
    """EM with the quadratic form written as one matrix product; x standardised."""

    def __init__(self, x):
        self.n = len(x)
        self.m, self.s = x.mean(0), x.std(0)
        z = (x - self.m) / self.s
        self.iu = np.triu_indices(D)
        self.phi = np.ascontiguousarray(np.hstack([np.ones((self.n, 1)), z, z[:, self.iu[0]] * z[:, self.iu[1]]]))
        self.phit = np.ascontiguousarray(self.phi.T)
        self.mult = np.where(self.iu[0] == self.iu[1], -0.5, -1.0)
        self.logs = np.log(self.s).sum()

    def to_z(self, w, mu, cov):
        return w, (mu - self.m) / self.s, cov / np.outer(self.s, self.s)

    def to_x(self, w, mu, cov):
        return w, mu * self.s + self.m, cov * np.outer(self.s, self.s)

    def run(self, p, iters, tol=0.0):
        """p in z units; returns p, mean log-likelihood at p's predecessor, counts; None on failure."""
        w, mu, cov = p
        last = -np.inf
        for it in range(iters):
            try:
                L = np.linalg.cholesky(cov)
                P = np.linalg.inv(cov)
            except np.linalg.LinAlgError:
                return None
            pm = np.einsum("kij,kj->ki", P, mu)
            c = np.log(w) - 0.5 * (D * np.log(2 * np.pi) + np.einsum("ki,ki->k", pm, mu)) - np.log(np.einsum("kii->ki", L)).sum(1)
            A = np.hstack([c[:, None], pm, P[:, self.iu[0], self.iu[1]] * self.mult])
            lp = A @ self.phit
            mx = lp.max(0)
            lp -= mx
            np.exp(lp, out=lp)
            s = lp.sum(0)
            ll = (np.log(s).sum() + mx.sum()) / self.n - self.logs
            if not np.isfinite(ll):
                return None
            lp /= s
            T = lp @ self.phi
            nk = T[:, 0]
            if nk.min() < 1e-3:
                return None
            w = nk / self.n
            mu = T[:, 1:1 + D] / nk[:, None]
            cov = np.empty((K, D, D))
            q = T[:, 1 + D:] / nk[:, None]
            cov[:, self.iu[0], self.iu[1]] = q
            cov[:, self.iu[1], self.iu[0]] = q
            cov = cov - mu[:, :, None] * mu[:, None, :]
            if ll - last < tol:
                break
            last = ll
        return (w, mu, cov), ll, nk, it + 1


def degenerate(x, w, mu, cov):
    S = np.cov(x.T, bias=True)
    return (w * len(x)).min() < MINROWS or min(eigh(c, S, eigvals_only=True)[0] for c in cov) < MINEIG


def polish(x, p):
    w, mu, cov = p
    g = GaussianMixture(K, reg_covar=0, tol=1e-10, max_iter=5000, weights_init=w / w.sum(), means_init=mu, precisions_init=np.linalg.inv(cov)).fit(x)
    return g


def search(seed):
    t0 = time.time()
    x, lab = load(seed)
    em = FastEM(x)
    pool, i = [], 0
    for init, count in STARTS:
        for _ in range(count):
            g = GaussianMixture(K, init_params=init, max_iter=1, reg_covar=1e-9, random_state=1000 * seed + i).fit(x)
            r = em.run(em.to_z(g.weights_, g.means_, g.covariances_), 60)
            if r is not None and not degenerate(x, *em.to_x(*r[0])):
                pool.append((r[1], i, init, r[0]))
            i += 1
    alive1 = len(pool)
    for keep, iters, tol in [(120, 200, 0.0), (40, 5000, 1e-10)]:
        pool.sort(key=lambda t: -t[0])
        nxt = []
        for ll, i, init, p in pool[:keep]:
            r = em.run(p, iters, tol)
            if r is not None and not degenerate(x, *em.to_x(*r[0])):
                nxt.append((r[1], i, init, r[0]))
        pool = nxt
    pool.sort(key=lambda t: -t[0])
    n = len(x)
    hits = sum(1 for t in pool if (pool[0][0] - t[0]) * n < 1e-2)
    distinct = []
    for t in pool:
        if all(abs(t[0] - u[0]) * n > 1e-2 for u in distinct):
            distinct.append(t)
    cand = []
    for ll, i, init, p in distinct[:10]:
        g = polish(x, em.to_x(*p))
        if g.converged_ and not degenerate(x, g.weights_, g.means_, g.covariances_):
            cand.append((g.score(x) * n, ll * n, i, init, g))
    cand.sort(key=lambda t: -t[0])
    best, best_np, i, init, g = cand[0]
    S = np.cov(x.T, bias=True)
    # optimum reached from the true labels
    R = np.eye(K)[lab]
    nk = R.sum(0)
    mu = R.T @ x / nk[:, None]
    cov = np.stack([(R[:, k, None] * (x - mu[k])).T @ (x - mu[k]) / nk[k] for k in range(K)])
    gt = polish(x, (nk / n, mu, cov))
    t1 = time.time()
    g10 = GaussianMixture(K, n_init=10, random_state=seed, max_iter=1000).fit(x)
    t2 = time.time()
    return {
        "seed": seed, "best_loglik": best, "best_loglik_numpy_em": best_np, "best_start": {"index": i, "init_params": init},
        "best_ari": adjusted_rand_score(lab, g.predict(x)), "min_count": float(g.weights_.min() * n),
        "min_relative_eigenvalue": float(min(eigh(c, S, eigvals_only=True)[0] for c in g.covariances_)),
        "best_weights": g.weights_.tolist(), "best_means": g.means_.tolist(), "best_covariances": g.covariances_.tolist(),
        "next_distinct_logliks": [c[0] for c in cand[1:]],
        "starts_alive_after_60": alive1, "finalists": len(pool), "finalists_at_best": hits,
        "true_label_start_loglik": gt.score(x) * n, "true_label_start_degenerate": bool(degenerate(x, gt.weights_, gt.means_, gt.covariances_)),
        "sklearn_n_init_10": {"loglik": g10.score(x) * n, "n_iter": int(g10.n_iter_), "converged": bool(g10.converged_), "degenerate": bool(degenerate(x, g10.weights_, g10.means_, g10.covariances_)), "shortfall": best - g10.score(x) * n, "ari": adjusted_rand_score(lab, g10.predict(x))},
        "seconds_search": t1 - t0, "seconds_sklearn_n_init_10": t2 - t1,
    }


def assemble(out):
    truth = json.load(open(os.path.join(HERE, "..", "data", "ten5d", "truth.json")))
    seeds = []
    for s in range(20):
        p = os.path.join(out, "seed%02d.json" % s)
        if os.path.exists(p):
            r = json.load(open(p))
            r["data"] = "golden/data/ten5d/seed%02d.csv.gz" % s
            r["bayes_accuracy"] = truth["seeds"]["%02d" % s]["bayes_accuracy"]
            for kind, key in (("pol", "sklearn_n_init_10_polished"), ("ext", "deeper_search")):
                p = os.path.join(out, "%s%02d.json" % (kind, s))
                if os.path.exists(p):
                    q = json.load(open(p))
                    q.pop("seed")
                    if kind == "ext":
                        x, lab = load(s)
                        S = np.cov(x.T, bias=True)
                        w, mu, cov = (np.array(q[t]) for t in ("weights", "means", "covariances"))
                        q["min_count"] = float(w.min() * len(x))
                        q["min_relative_eigenvalue"] = float(min(eigh(c, S, eigvals_only=True)[0] for c in cov))
                        lp = np.stack([np.log(a) + mvn(m, c).logpdf(x) for a, m, c in zip(w, mu, cov)])
                        q["ari"] = adjusted_rand_score(lab, lp.argmax(0))
                        q["loglik_by_scipy"] = float(logsumexp(lp, axis=0).sum())
                        assert abs(q["loglik_by_scipy"] - q["loglik"]) < 1e-6
                    r[key] = q
            for block in (r, r.get("deeper_search", {}), r["sklearn_n_init_10"]):
                for t in [t for t in block if t.startswith("seconds")]:
                    block.pop(t)  # wall times are not reproducible
            seeds.append(r)
    case = {
        "name": "ten_components_5d",
        "certificate": {
            "tool": "scikit-learn GaussianMixture (initial states and final polish), numpy EM (halving)",
            "version": {"scikit-learn": sklearn.__version__, "numpy": np.__version__, "scipy": scipy.__version__},
            "script": "golden/generators/ten5d_data.py; ten5d_search.py; ten5d_extend.py (key deeper_search); ten5d_sklearn_polished.py (key sklearn_n_init_10_polished)",
            "seed": "data: PCG64(0..19); start i of data set s: random_state = 1000*s + i",
            "date": "2026-11-21", "tolerance": {"loglik_abs": 0.01},
            "reason_for_tolerance": "polish stops at a mean log-likelihood gain < 1e-10 (3e-7 in total), so with a slow linear rate the recorded value can lie about 1e-4 below its optimum; a larger value than recorded is a better optimum, not an error, if it is not degenerate",
            "method": __doc__,
        },
        "input": {"K": K, "D": D, "n": 3000, "columns": "x1..x5, label", "non_degenerate": {"min_effective_rows": MINROWS, "min_eigenvalue_relative_to_data_covariance": MINEIG}, "mean_bayes_accuracy": float(np.mean([s["bayes_accuracy"] for s in seeds]))},
        "notes": [
            "best_loglik: best non-degenerate optimum of the 500 starts. deeper_search: a second search (750 fresh starts, remove-and-split moves) under the same definition; where its gain is above 0.01 the 500 starts did not find the highest optimum known.",
            "true_label_start_loglik: optimum reached from the true labels. On several seeds higher optima exist only as small or thin components fitted to few rows (finalists_at_best 1..5, small min_count or min_relative_eigenvalue); these satisfy the definition but are spurious in the statistical sense, and different searches find different ones. A stable target for a test is min(best_loglik, true_label_start_loglik) - 0.01.",
            "sklearn_n_init_10 is scikit-learn's result as it is (tol = 1e-3 stops early); sklearn_n_init_10_polished is the local optimum that it would converge to.",
        ],
        "expected": {"seeds": seeds},
    }
    json.dump(case, open(os.path.join(HERE, "..", "cases", "ten_components_5d.json"), "w"), indent=1)
    print(len(seeds), "seeds")


if __name__ == "__main__":
    if sys.argv[1] == "assemble":
        assemble(sys.argv[2])
    else:
        a, b, st, out = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
        os.makedirs(out, exist_ok=True)
        for seed in range(a, b, st):
            r = search(seed)
            json.dump(r, open(os.path.join(out, "seed%02d.json" % seed), "w"), indent=1)
            print(seed, r["best_loglik"], r["sklearn_n_init_10"]["shortfall"], r["finalists_at_best"], r["best_loglik"] - r["true_label_start_loglik"], round(r["seconds_search"], 1), flush=True)
