"""Check by a second, deeper search whether the 500-start optimum of each ten_components_5d data set can be improved.

Usage: python ten5d_extend.py FIRST LAST STEP OUTDIR   (reads OUTDIR/seedNN.json of ten5d_search.py, writes OUTDIR/extNN.json)
 a. 750 fresh starts (250 per initialisation of scikit-learn, random_state = 10^6 + 1000*seed + start), 100 EM iterations each,
    the best 300 for 300 more, the best 100 to a mean gain < 1e-10.
 b. remove-and-split moves from the best state known: each of the 10 components is removed (its weight is spread by EM) and
    each of the other 9 is split in two along its first principal axis; 120 iterations, the best 12 to a mean gain < 1e-10;
    repeated from the new best state as long as it rises by more than 0.01.
Degenerate states (as defined in ten5d_search.py) are dropped. The result is polished by scikit-learn as there.
"""
import json, os, sys, time, warnings
import numpy as np
from sklearn.mixture import GaussianMixture
from ten5d_search import FastEM, K, degenerate, load, polish

warnings.simplefilter("ignore")


def extend(seed, out):
    t0 = time.time()
    prev = json.load(open(os.path.join(out, "seed%02d.json" % seed)))
    x, lab = load(seed)
    n = len(x)
    em = FastEM(x)

    def go(p, iters, tol=0.0):
        r = em.run(p, iters, tol)
        return None if r is None or degenerate(x, *em.to_x(*r[0])) else (r[1], r[0])

    pool, i = [], 0
    for init in ("kmeans", "k-means++", "random_from_data"):
        for _ in range(250):
            g = GaussianMixture(K, init_params=init, max_iter=1, reg_covar=1e-9, random_state=10**6 + 1000 * seed + i).fit(x)
            pool.append(go(em.to_z(g.weights_, g.means_, g.covariances_), 100))
            i += 1
    for keep, iters, tol in [(300, 300, 0.0), (100, 5000, 1e-10)]:
        pool = sorted([t for t in pool if t], key=lambda t: -t[0])[:keep]
        pool = [go(p, iters, tol) for _, p in pool]
    pool = sorted([t for t in pool if t], key=lambda t: -t[0])
    starts_best = pool[0][0] * n
    first = em.to_z(np.array(prev["best_weights"]), np.array(prev["best_means"]), np.array(prev["best_covariances"]))
    best = max([pool[0], go(first, 5000, 1e-10)], key=lambda t: t[0])
    rounds = 0
    while rounds < 6:
        rounds += 1
        w, mu, cov = best[1]
        cand = []
        for a in range(K):
            for b in range(K):
                if a == b:
                    continue
                W, MU, C = w.copy(), mu.copy(), cov.copy()
                e, v = np.linalg.eigh(cov[b])
                d = v[:, -1] * np.sqrt(e[-1])
                W[a] = W[b] = w[b] / 2
                MU[a], MU[b] = mu[b] - 0.8 * d, mu[b] + 0.8 * d
                C[a] = C[b] = cov[b] - 0.6 * np.outer(d, d)
                cand.append(go((W / W.sum(), MU, C), 120))
        cand = sorted([t for t in cand if t], key=lambda t: -t[0])[:12]
        cand = [t for t in (go(p, 5000, 1e-10) for _, p in cand) if t]
        top = max(cand, key=lambda t: t[0], default=best)
        if (top[0] - best[0]) * n > 0.01:
            best = top
        else:
            break
    g = polish(x, em.to_x(*best[1]))
    assert not degenerate(x, g.weights_, g.means_, g.covariances_)
    return {"seed": seed, "loglik": g.score(x) * n, "gain_over_500_starts": g.score(x) * n - prev["best_loglik"], "best_of_750_fresh_starts": starts_best,
            "fresh_finalists_at_their_best": sum(1 for t in pool if (pool[0][0] - t[0]) * n < 1e-2), "split_rounds": rounds,
            "weights": g.weights_.tolist(), "means": g.means_.tolist(), "covariances": g.covariances_.tolist(), "seconds": time.time() - t0}


if __name__ == "__main__":
    a, b, st, out = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    for seed in range(a, b, st):
        r = extend(seed, out)
        json.dump(r, open(os.path.join(out, "ext%02d.json" % seed), "w"), indent=1)
        print(seed, round(r["loglik"], 4), "gain", round(r["gain_over_500_starts"], 5), "fresh", round(r["best_of_750_fresh_starts"] - r["loglik"], 5), r["fresh_finalists_at_their_best"], "rounds", r["split_rounds"], round(r["seconds"]), flush=True)
