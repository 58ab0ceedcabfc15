"""Covariances in scikit-learn's shapes and as full matrices, and the precisions that follow from them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura._validation import Floats

STRUCTURES = ("full", "tied", "diag", "spherical")


def shape_of(structure: str, k: int, d: int) -> tuple[int, ...]:
    """Return the shape of covariances (and precisions) of `k` components in `d` columns."""
    return {"full": (k, d, d), "tied": (d, d), "diag": (k, d), "spherical": (k,)}[structure]


def to_full(structure: str, covariances: Floats, k: int, d: int) -> Floats:
    """Return k x d x d matrices."""
    if structure == "full":
        return np.ascontiguousarray(covariances, dtype=np.float64)
    if structure == "tied":
        return np.ascontiguousarray(np.broadcast_to(covariances, (k, d, d)), dtype=np.float64)
    full = np.zeros((k, d, d))
    full[:, range(d), range(d)] = covariances if structure == "diag" else np.asarray(covariances)[:, np.newaxis]
    return full


def from_full(structure: str, full: Floats) -> Floats:
    """Return the covariances of k x d x d matrices in the shape of their structure."""
    if structure == "full":
        return full
    if structure == "tied":
        return full[0].copy()
    diagonal = np.diagonal(full, axis1=1, axis2=2)
    return diagonal.copy() if structure == "diag" else diagonal[:, 0].copy()


def precisions_cholesky(structure: str, covariances: Floats) -> Floats:
    """Return P with precision = P P^T: upper triangular matrices, or 1 / standard deviation."""
    if structure in ("diag", "spherical"):
        return 1.0 / np.sqrt(covariances)
    factor = np.asarray(np.linalg.inv(np.linalg.cholesky(covariances)), dtype=np.float64)
    return np.triu(np.swapaxes(factor, -1, -2))


def precisions(structure: str, covariances: Floats) -> Floats:
    """Return the inverses of covariances."""
    if structure in ("diag", "spherical"):
        return 1.0 / covariances
    factor = precisions_cholesky(structure, covariances)
    return factor @ np.swapaxes(factor, -1, -2)


def from_precisions(structure: str, values: Floats) -> Floats:
    """Return the inverses of precisions."""
    if structure in ("diag", "spherical"):
        return 1.0 / values
    return _square(np.swapaxes(np.linalg.inv(np.linalg.cholesky(values)), -1, -2))


def from_precisions_cholesky(structure: str, values: Floats) -> Floats:
    """Return the covariances whose precisions have these factors."""
    if structure in ("diag", "spherical"):
        return 1.0 / values**2
    return _square(np.swapaxes(np.linalg.inv(values), -1, -2))


def _square(factor: NDArray[Any]) -> Floats:
    """Return L L^T, symmetric to the bit."""
    product = factor @ np.swapaxes(factor, -1, -2)
    return 0.5 * np.asarray(product + np.swapaxes(product, -1, -2), dtype=np.float64)
