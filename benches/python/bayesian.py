"""Compares variational Bayes with scikit-learn: the same posteriors for full covariances, and the bound elsewhere.

    python benches/python/bayesian.py

Both start from the same k-means and run until the bound changes by less than 1e-9 nats. "Lost" is the bound at
scikit-learn's posteriors, for the model that the structure says, less the bound where our iterations lead from there.
"""

from __future__ import annotations

import warnings

import numpy as np
from mixtura import BayesianGaussianMixture
from sklearn.datasets import load_iris
from sklearn.mixture import BayesianGaussianMixture as Scikit

STRUCTURES = ("full", "tied", "diag", "spherical")
POSTERIORS = ("means_", "covariances_", "mean_precision_", "degrees_of_freedom_", "weight_concentration_")
PRIOR_TYPES = ("dirichlet_process", "dirichlet_distribution")


def difference(ours, theirs):
    """Return the largest difference of the posteriors, relative to the largest number of each kind."""
    pairs = [(np.asarray(getattr(ours, name)), np.asarray(getattr(theirs, name))) for name in POSTERIORS]
    return max(np.abs(a - b).max() / np.abs(b).max() for a, b in pairs)


def bound_from(posteriors, X, options, iterations):
    """Return the bound some iterations after somebody's posteriors: a warm start."""
    model = BayesianGaussianMixture(**{**options, "tol": None, "max_iter": iterations}, warm_start=True)
    for name in POSTERIORS:
        setattr(model, name, getattr(posteriors, name))
    model.converged_, model.status_ = True, "converged"
    return model.fit(X).objective_


def data():
    """Return the data sets by name."""
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(4, 6)) * 3
    spread = [rng.normal(c, rng.uniform(0.5, 2, 6), size=(75, 6)) for c in centers]
    return {"iris (150 x 4)": load_iris().data, "four axis-parallel clusters (300 x 6)": np.concatenate(spread)}


def main():
    """Print both tables."""
    warnings.simplefilter("ignore")
    sets = data()
    print("| data | iterations | largest difference of the posteriors, full |")
    for name, X in sets.items():
        for iterations in (1, 2, 5, 20, 1000):
            worst = 0.0
            for prior in PRIOR_TYPES:
                for init in ("kmeans", "random", "k-means++", "random_from_data"):
                    options = {
                        "n_components": 6, "weight_concentration_prior_type": prior, "init_params": init, "tol": 1e-9,
                        "reg_covar": 1e-6, "max_iter": iterations, "random_state": 0,
                    }  # fmt: skip
                    pair = [cls(**options).fit(X) for cls in (BayesianGaussianMixture, Scikit)]
                    worst = max(worst, difference(*pair))
            print(f"| {name} | {iterations} | {worst:.1e} |")
    print("| data | structure | prior | degrees of freedom, ours | theirs | lost, nats |")
    for name, X in sets.items():
        for structure in STRUCTURES:
            for prior in PRIOR_TYPES:
                options = {
                    "n_components": 6, "covariance_type": structure, "weight_concentration_prior_type": prior,
                    "init_params": "kmeans", "tol": 1e-9, "reg_covar": 0.0, "max_iter": 20_000, "random_state": 0,
                }  # fmt: skip
                ours, theirs = (cls(**options).fit(X) for cls in (BayesianGaussianMixture, Scikit))
                lost = bound_from(theirs, X, options, 0) - bound_from(theirs, X, options, 20_000)
                freedom = (f"{np.max(one.degrees_of_freedom_):.1f}" for one in (ours, theirs))
                print(f"| {name} | {structure} | {prior} | {' | '.join(freedom)} | {lost:.3f} |")


if __name__ == "__main__":
    main()
