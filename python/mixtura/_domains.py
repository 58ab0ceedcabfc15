"""Where the parameters of a user's own model live, and the free coordinates in which SQUAREM moves them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mixtura._validation import Floats

#: Stands for 0 where a logarithm is taken: far below any rounding, and it stays where it is.
_TINY = float(np.finfo(np.float64).tiny)
#: What a sum of a simplex may be off by: rounding of thousands of terms, and no mistake in a normalisation.
_SUM = 1e-6


@dataclass(frozen=True)
class Domain:
    """A set of parameter values, and its free coordinates."""

    #: What is wrong with a finite array, or "".
    wrong: Callable[[Floats], str]
    #: The coordinates, flat.
    free: Callable[[Floats], Floats]
    #: The value of a shape at coordinates.
    value: Callable[[Floats, tuple[int, ...]], Floats]


def _log(x: Floats) -> Floats:
    return np.log(np.maximum(x, _TINY))


def _softmax(x: Floats) -> Floats:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def _wrong_simplex(x: Floats) -> str:
    if x.ndim == 0:
        return "is one number, not an array whose last axis sums to 1"
    if bool(np.any(x < 0)):
        return f"has the negative entry {x.min():.6g}"
    sums = x.sum(axis=-1)
    off = float(sums.flat[np.argmax(np.abs(sums - 1))])
    return f"sums to {off:.9g} along its last axis, not to 1" if abs(off - 1) > _SUM else ""


def _wrong_covariance(x: Floats) -> str:
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        return f"has the shape {x.shape}: its last two axes must be equal"
    if not np.allclose(x, np.swapaxes(x, -1, -2), rtol=1e-9, atol=0):  # rounding of a product of matrices
        return "is not symmetric"
    try:
        np.linalg.cholesky(x)
    except np.linalg.LinAlgError:
        return "is not positive definite"
    return ""


def _free_covariance(x: Floats) -> Floats:
    """Return the lower triangles of the Cholesky factors, logarithms on the diagonal."""
    factor: Floats = np.array(np.linalg.cholesky(x), dtype=np.float64)
    diagonal: Floats = np.einsum("...ii->...i", factor)  # a view
    diagonal[...] = _log(diagonal)
    return factor[(..., *np.tril_indices(x.shape[-1]))].ravel()


def _value_covariance(v: Floats, shape: tuple[int, ...]) -> Floats:
    d = shape[-1]
    factor = np.zeros(shape)
    factor[(..., *np.tril_indices(d))] = v.reshape(*shape[:-2], d * (d + 1) // 2)
    diagonal: Floats = np.einsum("...ii->...i", factor)
    diagonal[...] = np.exp(diagonal)
    return factor @ np.swapaxes(factor, -1, -2)


DOMAINS = {
    "real": Domain(
        wrong=lambda x: "",
        free=np.ravel,
        value=np.reshape,
    ),
    "positive": Domain(
        wrong=lambda x: f"has the entry {x.min():.6g}" if bool(np.any(x < 0)) else "",
        free=lambda x: _log(x).ravel(),
        value=lambda v, shape: np.exp(v).reshape(shape),
    ),
    "probability": Domain(
        wrong=lambda x: (
            f"has the entry {x.flat[np.argmax(np.abs(x - 0.5))]:.6g}" if bool(np.any((x < 0) | (x > 1))) else ""
        ),
        free=lambda x: (_log(x) - _log(1 - x)).ravel(),
        value=lambda v, shape: np.exp(-np.logaddexp(0.0, -v)).reshape(shape),
    ),
    "simplex": Domain(
        wrong=_wrong_simplex,
        free=lambda x: _log(x).ravel(),
        value=lambda v, shape: _softmax(v.reshape(shape)),
    ),
    "covariance": Domain(
        wrong=_wrong_covariance,
        free=_free_covariance,
        value=_value_covariance,
    ),
}
