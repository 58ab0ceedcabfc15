"""Separate scikit-learn's early stop from its local optimum: polish its n_init=10 result on each ten_components_5d data set.

Usage: python ten5d_sklearn_polished.py OUTDIR   (writes OUTDIR/polNN.json)
"""
import json, os, sys, warnings
import numpy as np
from scipy.special import logsumexp
from scipy.stats import multivariate_normal as mvn
from sklearn.mixture import GaussianMixture
from ten5d_search import FastEM, K, degenerate, load, polish

warnings.simplefilter("ignore")
for seed in range(20):
    x, _ = load(seed)
    n = len(x)
    g = GaussianMixture(K, n_init=10, random_state=seed, max_iter=1000).fit(x)
    em = FastEM(x)
    r = em.run(em.to_z(g.weights_, g.means_, g.covariances_), 20000, 1e-10)
    p = polish(x, em.to_x(*r[0]))
    s = json.load(open(os.path.join(sys.argv[1], "seed%02d.json" % seed)))
    # second route for the recorded best value: scipy densities at the recorded parameters
    ll = float(logsumexp([np.log(w) + mvn(m, c).logpdf(x) for w, m, c in zip(s["best_weights"], s["best_means"], s["best_covariances"])], axis=0).sum())
    assert abs(ll - s["best_loglik"]) < 1e-6, (ll, s["best_loglik"])
    o = {"seed": seed, "loglik": p.score(x) * n, "shortfall": s["best_loglik"] - p.score(x) * n, "degenerate": bool(degenerate(x, p.weights_, p.means_, p.covariances_)), "best_loglik_by_scipy": ll}
    json.dump(o, open(os.path.join(sys.argv[1], "pol%02d.json" % seed), "w"))
    print(seed, round(o["loglik"], 3), "shortfall", round(o["shortfall"], 3), o["degenerate"], flush=True)
