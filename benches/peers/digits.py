"""An AIC curve: 50 to 200 Gaussians with full covariance on the 1,797 handwritten digits, whitened to 41 columns by PCA.

mixtura gets scikit-learn's settings (one start by k-means, tol 1e-3, 1e-6 added to the variances, 100 iterations).
"""
import common
import mixtura
import numpy as np
import sklearn.mixture
import tools
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_limits

SETTINGS = {"covariance_type": "full", "tol": 1e-3, "reg_covar": 1e-6, "max_iter": 100, "n_init": 1, "init_params": "kmeans", "random_state": 0}


def fit(cls, x, k):
    model = cls(k, **SETTINGS)
    run = tools.timed(model, x)
    return run.seconds, model.aic(x)


def fit_one_blas_thread(x, k):
    with threadpool_limits(1, "blas"):
        return fit(sklearn.mixture.GaussianMixture, x, k)


CURVES = {
    "mixtura": lambda x, k: fit(mixtura.GaussianMixture, x, k),
    "scikit-learn": lambda x, k: fit(sklearn.mixture.GaussianMixture, x, k),
    "scikit-learn, 1 BLAS thread": fit_one_blas_thread,
}


def main(args):
    x = PCA(0.99, whiten=True, svd_solver="full").fit_transform(load_digits().data)
    assert x.shape == (1797, 41), x.shape
    counts = range(50, 201, 10)
    if args.test:
        x, counts = x[:200], (2, 3)
    print(f"\n## AIC of full covariance on the digits, {len(x):,} × 41, the same settings; seconds of all {len(counts)} fits")
    total, least = dict.fromkeys(CURVES, 0.0), {}
    try:
        with common.growing_table(["K", *(f"{who}, s" for who in CURVES), *(f"AIC, {who}" for who in CURVES), "load"]) as add:
            for k in counts:
                best = {}
                for _ in range(args.rounds):
                    for who, curve in CURVES.items():
                        best[who] = min(best.get(who, (np.inf, 0)), curve(x, k))
                for who, (seconds, aic) in best.items():
                    total[who] += seconds
                    least[who] = min(least.get(who, (np.inf, 0)), (aic, k))
                add(k, *(f"{best[who][0]:.3f}" for who in CURVES), *(f"{best[who][1]:.1f}" for who in CURVES), common.load())
    finally:
        for who in least:
            print(f"{who}: {total[who]:.2f} s ({total[who] / total['mixtura']:.2f} × mixtura's), least AIC {least[who][0]:.1f} at K = {least[who][1]}")
