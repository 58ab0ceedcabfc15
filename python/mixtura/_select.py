"""Choosing the number of components and the covariance structure: a table of candidates and the chosen fit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone

from mixtura import _core
from mixtura._validation import check_integer, check_real, check_rows, check_seed, check_weights

if TYPE_CHECKING:
    from mixtura._fitting import Structure
    from mixtura._gaussian import GaussianMixture

STRUCTURES: tuple[Structure, ...] = ("full", "tied", "diag", "spherical")

Estimator = TypeVar("Estimator", bound="GaussianMixture")


@dataclass(frozen=True)
class Selection(Generic[Estimator]):
    """The result of `select`.

    Attributes
    ----------
    table : list of dict
        One row per candidate: "n_components", "covariance_type", "n_parameters", "log_likelihood" (nats), "bic", "icl",
        "aic" (lower is better), the criterion where it is another, "status", "note". None where there is no fit.
    best : int
        Position of the chosen candidate in the table.
    best_estimator : GaussianMixture
        The chosen candidate, fitted.
    criterion : str
    """

    table: list[dict[str, Any]]
    best: int
    best_estimator: Estimator
    criterion: str

    def to_pandas(self) -> Any:
        """Return the table as a pandas DataFrame."""
        from importlib import import_module

        return import_module("pandas").DataFrame(self.table)

    def __str__(self) -> str:
        """Return the table as text; a star marks the chosen candidate."""
        lines = [f"  {'components':>10} {'covariance':>10} {'parameters':>10} {'log-lik.':>13} {'BIC':>13}  note"]
        for i, row in enumerate(self.table):
            numbers = [f"{row[c]:13.3f}" if row[c] is not None else " " * 13 for c in ("log_likelihood", "bic")]
            size = "" if row["n_parameters"] is None else row["n_parameters"]
            mark = "*" if i == self.best else " "
            head = f"{mark} {row['n_components']:>10} {row['covariance_type']:>10} {size:>10}"
            lines.append(f"{head} {numbers[0]} {numbers[1]}  {row['note']}".rstrip())
        return "\n".join(lines)


def choose(
    estimator: Estimator,
    X: object,
    k: int | Iterable[int],
    covariance_types: Iterable[Structure],
    criterion: str,
    sample_weight: ArrayLike | None,
) -> Selection[Estimator]:
    """Fit the grid with the options of an estimator."""
    ks = [k] if isinstance(k, int | np.integer) else list(k)
    ks = [check_integer(estimator, "k", number, 1) for number in ks]
    structures = [covariance_types] if isinstance(covariance_types, str) else list(covariance_types)
    if not ks or not structures:
        raise ValueError("there is nothing to choose from: give at least one k and one covariance type")
    best = clone(estimator)
    options = best._options()  # pyright: ignore[reportPrivateUsage]
    rows = check_rows(best, X, reset=True, nan=True, least=2)
    weights = check_weights(sample_weight, rows.shape[0])
    if best.tol is not None:
        total = float(rows.shape[0] if weights is None else weights.sum())
        options["change"] = check_real(best, "tol", best.tol) * total
    options["seed"] = check_seed(best, best.random_state)
    table, at, found = _core.select(rows, options, ks, [str(s) for s in structures], criterion, weights)
    best.set_params(n_components=len(found["weights"]), covariance_type=found["covariance_type"])
    best._keep(found, [])  # pyright: ignore[reportPrivateUsage]
    return Selection(table, at, best, criterion)


def select(
    X: object,
    k: int | Iterable[int] = range(1, 10),
    covariance_types: Iterable[Structure] = STRUCTURES,
    criterion: str = "bic",
    sample_weight: ArrayLike | None = None,
    **options: Any,
) -> Selection[GaussianMixture]:
    """Choose K and the structure with default options; see `GaussianMixture.select`.

    >>> import numpy as np
    >>> from mixtura import select
    >>> X = np.concatenate([np.random.default_rng(0).normal(m, 1, (60, 2)) for m in (0, 9)])
    >>> select(X, k=range(1, 4), random_state=0).best_estimator.n_components
    2
    """
    from mixtura._gaussian import GaussianMixture

    return GaussianMixture(**options).select(X, k, covariance_types, criterion, sample_weight)
