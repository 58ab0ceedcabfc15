"""Starts of a mixture fit: those that scikit-learn names, drawn as it draws them, and those from given parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans as ScikitKMeans
from sklearn.cluster import kmeans_plusplus

from mixtura import _core
from mixtura._covariances import from_precisions, shape_of, to_full
from mixtura._validation import Floats, Rows, check_shaped

NAMES = ("kmeans", "k-means++", "random", "random_from_data")


def complete(rows: Rows) -> Rows:
    """Return rows with the mean of the column in place of missing cells: good enough to start from."""
    holes = np.isnan(rows)
    if not bool(holes.any()):
        return rows
    counts = np.maximum((~holes).sum(axis=0), 1)
    means = np.where(holes, 0.0, rows).sum(axis=0) / counts
    return np.where(holes, means.astype(rows.dtype), rows)


def assignment(name: str, rows: Rows, weights: Floats | None, k: int, random: np.random.RandomState) -> NDArray[Any]:
    """Return responsibilities (n x k), or the component of every row with -1 for rows that belong to none."""
    n = rows.shape[0]
    if name == "random":
        responsibilities = random.uniform(size=(n, k))
        return responsibilities / responsibilities.sum(axis=1, keepdims=True)
    if name == "kmeans":
        means = ScikitKMeans(n_clusters=k, n_init=1, random_state=random)
        return means.fit(complete(rows), sample_weight=weights).labels_.astype(np.int32)
    if name == "k-means++":
        _, chosen = kmeans_plusplus(complete(rows), k, sample_weight=weights, random_state=random)
    else:
        share = None if weights is None else weights / weights.sum()
        chosen = random.choice(n, size=k, replace=False, p=share)
    labels = np.full(n, -1, dtype=np.int32)
    labels[chosen] = np.arange(k)
    return labels


def nearest(rows: Rows, means: Floats, threads: int | None) -> NDArray[np.int32]:
    """Return the closest of the given means for every row, distances in standard deviations of the columns."""
    whole = complete(rows).astype(np.float64)
    scale = whole.std(axis=0)
    scale[scale == 0] = 1.0
    return _core.kmeans_nearest(whole / scale, np.ascontiguousarray(means / scale), threads)


def check_given(structure: str, k: int, d: int, weights: object, means: object, precisions: object) -> _core._Start:  # pyright: ignore[reportPrivateUsage]
    """Return the parameters that a user gives for a start, covariances as full matrices; None where none is given."""
    start: _core._Start = {"weights": None, "means": None, "covariances": None, "assignments": None}  # pyright: ignore[reportPrivateUsage]
    if weights is not None:
        start["weights"] = check_shaped("weights", weights, (k,))
        total = float(start["weights"].sum())
        if bool(np.any(start["weights"] < 0)) or bool(np.any(start["weights"] > 1)):
            raise ValueError("The parameter 'weights' should be in the range [0, 1]")
        if abs(total - 1.0) > 1e-4:
            raise ValueError(f"The parameter 'weights' should be normalized, but got sum(weights) = {total:.5f}")
    if means is not None:
        start["means"] = check_shaped("means", means, (k, d))
    if precisions is not None:
        values = check_shaped(f"{structure} precision", precisions, shape_of(structure, k, d))
        start["covariances"] = to_full(structure, _invert(structure, values), k, d).ravel()
    return start


def _invert(structure: str, values: Floats) -> Floats:
    if structure in ("diag", "spherical"):
        if bool(np.any(values <= 0)):
            raise ValueError(f"The parameter '{structure} precision' should be positive")
        return from_precisions(structure, values)
    symmetric = np.allclose(values, np.swapaxes(values, -1, -2))
    try:
        if symmetric:
            return from_precisions(structure, values)
    except np.linalg.LinAlgError:
        pass
    raise ValueError(f"The parameter '{structure} precision' should be symmetric, positive-definite")
