"""Checks what users hand in: rows, weights, labels and parameters, in scikit-learn's error types and our sentences."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import InvalidParameterError
from sklearn.utils.validation import validate_data

from mixtura import _core

Floats: TypeAlias = NDArray[np.float64]
Rows: TypeAlias = NDArray[np.float64] | NDArray[np.float32]
Ints: TypeAlias = NDArray[np.int64]

#: Names of the methods that alternate E- and M-steps, each with what it is.
METHODS: dict[str, str] = dict(_core.methods())


def refuse(estimator: object, name: str, value: object, wanted: str) -> InvalidParameterError:
    """Return the error for a parameter whose value makes no sense."""
    owner = type(estimator).__name__
    return InvalidParameterError(f"Invalid value for '{name}' of {owner}: it must be {wanted}, not {value!r}")


def _is(kind: type, value: object) -> bool:
    """Whether a value is a number of a kind; True and False are numbers to Python, and mistakes here."""
    return isinstance(value, kind) and not isinstance(value, bool)


def check_integer(estimator: object, name: str, value: object, least: int) -> int:
    """Return an integer parameter that is at least `least`."""
    if not _is(Integral, value) or int(cast(int, value)) < least:
        raise refuse(estimator, name, value, f"an integer of at least {least}")
    return int(cast(int, value))


def check_real(estimator: object, name: str, value: object) -> float:
    """Return a finite real parameter that is not negative."""
    if not _is(Real, value) or not 0.0 <= float(cast(float, value)) < np.inf:
        raise refuse(estimator, name, value, "a finite number that is not negative")
    return float(cast(float, value))


def check_positive(estimator: object, name: str, value: object) -> float:
    """Return a finite real parameter that is positive."""
    if not _is(Real, value) or not 0.0 < float(cast(float, value)) < np.inf:
        raise refuse(estimator, name, value, "a finite positive number")
    return float(cast(float, value))


def check_shaped(name: str, value: object, shape: tuple[int, ...]) -> Floats:
    """Return a parameter that is an array of finite numbers in a shape, as scikit-learn words it."""
    try:
        array = np.asarray(cast(ArrayLike, value), dtype=np.float64, order="C")
    except (TypeError, ValueError) as error:
        raise ValueError(f"The parameter '{name}' should be an array of numbers in the shape of {shape}") from error
    if array.shape != shape:
        raise ValueError(f"The parameter '{name}' should have the shape of {shape}, but got {array.shape}")
    if not bool(np.isfinite(array).all()):
        raise ValueError(f"The parameter '{name}' has a value that is not finite")
    return array


def check_choice(estimator: object, name: str, value: object, choices: tuple[str, ...]) -> str:
    """Return a parameter that is one of several names."""
    if not isinstance(value, str) or value not in choices:
        raise refuse(estimator, name, value, "one of " + ", ".join(repr(c) for c in choices))
    return value


def check_seed(estimator: object, value: object) -> int:
    """Return the seed of a `random_state`: an integer is its own, anything else draws one."""
    if _is(Integral, value):
        seed = int(cast(int, value))
        if not 0 <= seed < 2**32:
            raise refuse(estimator, "random_state", value, "between 0 and 2**32 - 1")
        return seed
    return int(random_source(estimator, value).randint(2**31 - 1))


def random_source(estimator: object, value: object) -> np.random.RandomState:
    """Return NumPy's generator for a `random_state`."""
    try:
        return check_random_state(value)
    except ValueError as error:
        raise refuse(estimator, "random_state", value, "None, an integer or a RandomState") from error


def check_threads(estimator: object, value: object) -> int | None:
    """Return the number of threads of `n_jobs`; None = as many as the environment allows."""
    if value is None or (isinstance(value, Integral) and int(value) == -1):
        return None
    return check_integer(estimator, "n_jobs", value, 1)


def check_rows(estimator: Any, X: object, *, reset: bool, nan: bool, least: int = 1) -> Rows:
    """Return rows as an array of 32- or 64-bit numbers, copied only where neither type nor layout can be read as it is.

    Arrow tables (anything with `__arrow_c_stream__` that is no pandas or polars frame) are converted column by column.
    """
    if hasattr(X, "__arrow_c_stream__") and not hasattr(X, "to_numpy"):
        names, table = _core.table_columns(X)
        _check_names(estimator, names, table, reset=reset, nan=nan, least=least)
        return table
    rows: Rows = validate_data(
        estimator,
        X,
        reset=reset,
        dtype=[np.float64, np.float32],
        # Where NaN is welcome, the library itself looks for infinities, and says where they are.
        ensure_all_finite=not nan,
        ensure_min_samples=least,
    )
    return np.require(rows, requirements="A")


def _check_names(estimator: Any, names: list[str], rows: Rows, *, reset: bool, nan: bool, least: int) -> None:
    """Remember the columns of an Arrow table, or compare them with those of the fit."""
    if rows.shape[0] < least or rows.shape[1] == 0:
        raise ValueError(f"the table has {rows.shape[0]} rows and {rows.shape[1]} columns: too few")
    if not nan and bool(np.isnan(rows).any()):
        raise ValueError(f"the table contains NaN or nulls, which {type(estimator).__name__} does not accept")
    if reset:
        estimator.feature_names_in_ = np.asarray(names, dtype=object)
        estimator.n_features_in_ = len(names)
        return
    known = getattr(estimator, "feature_names_in_", None)
    if known is not None and list(known) != names:
        raise ValueError(f"the table has columns {names}, the fit had {list(known)}")
    if estimator.n_features_in_ != len(names):
        raise ValueError(f"the table has {len(names)} columns, the fit had {estimator.n_features_in_}")


def check_weights(sample_weight: ArrayLike | None, n_rows: int) -> Floats | None:
    """Return case weights, one per row: finite, not negative, not all 0."""
    if sample_weight is None:
        return None
    weights = np.ascontiguousarray(sample_weight, dtype=np.float64)
    if weights.ndim == 0:
        weights = np.full(n_rows, float(weights))
    if weights.shape != (n_rows,):
        raise ValueError(f"sample_weight has the shape {weights.shape}, not one number for each of {n_rows} rows")
    if not bool(np.all(np.isfinite(weights) & (weights >= 0))):
        raise ValueError("sample_weight must be finite and not negative")
    if not bool(np.any(weights > 0)):
        raise ValueError("sample_weight is zero in every row: none is left to fit")
    return weights


def check_labels(y: object, n_rows: int, n_components: int) -> NDArray[np.int32] | None:
    """Return known components (-1 = unknown), or None where `y` is not about components.

    Only integers that contain -1, scikit-learn's mark for unlabelled rows, are: a complete `y`, as pipelines and grid
    searches hand it on, is ignored, as scikit-learn's mixtures ignore it.
    """
    if y is None:
        return None
    labels = np.asarray(y)
    if labels.dtype.kind != "i" or labels.ndim != 1 or not bool(np.any(labels == -1)):
        return None
    if labels.shape != (n_rows,):
        raise ValueError(f"y has {labels.shape[0]} labels for {n_rows} rows")
    if int(labels.min()) < -1 or int(labels.max()) >= n_components:
        raise ValueError(
            f"y has labels from {int(labels.min())} to {int(labels.max())}: known components are 0 to "
            f"{n_components - 1}, and -1 means unknown"
        )
    return labels.astype(np.int32)
