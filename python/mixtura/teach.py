"""EM explained by textbook problems, step by step, as tables: what the command `mixtura teach` prints.

>>> from mixtura import teach
>>> lesson = teach.coins(iterations=2)
>>> [round(step["theta_A"], 4) for step in lesson.steps]
[0.6, 0.713, 0.7453]
>>> lesson.m_step
"Each theta becomes the coin's heads divided by its heads and tails."

`pandas.DataFrame(lesson.steps)` is the table of all iterations; `print(lesson)` is the text that the command prints.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mixtura import _core

__all__ = [
    "Lesson",
    "abo",
    "censored",
    "coins",
    "gmm1d",
    "gmm2d",
    "kmeans",
    "lessons",
    "lines",
    "linkage",
    "missing",
    "moths",
    "probit",
]

Genes = str | Iterable[tuple[str, str, int]]


@dataclass(frozen=True)
class Lesson:
    """A problem with its solution by EM.

    Attributes
    ----------
    lesson, title, source, model, data : str
        Its name, what it is about, where it comes from, what is assumed, and what the data are.
    e_step, m_step : str
        What happens in every E-step and in every M-step.
    e_columns, m_columns : list of str
        Which columns of `steps` are of the E-step and of the M-step.
    first_e_step : list of dict
        The first E-step, row by row of the data.
    steps : list of dict
        One row per iteration, the start as iteration 0: what the E-step expected at the parameters of the row before,
        the parameters that the M-step made of it, and the log-likelihood (k-means: the inertia) at these.
    remarks : list of str
        What to learn from it.
    """

    lesson: str
    title: str
    source: str
    model: str
    data: str
    e_step: str
    m_step: str
    e_columns: list[str]
    m_columns: list[str]
    first_e_step: list[dict[str, Any]]
    steps: list[dict[str, Any]]
    remarks: list[str]
    _text: str = field(repr=False)

    def __str__(self) -> str:
        """Return the text that the command prints."""
        return self._text


def lessons() -> list[dict[str, Any]]:
    """List the lessons: name, title, source, columns of own data, meaning of the start."""
    return json.loads(_core.lessons())


def _run(name: str, iterations: int | None, start: ArrayLike | None, **own: Any) -> Lesson:
    numbers = None if start is None else [float(x) for x in np.asarray(start, dtype=np.float64).ravel()]
    text, printed = _core.teach(name, iterations=iterations, start=numbers, **own)
    return Lesson(**json.loads(text), _text=printed)


def _table(data: Any) -> dict[str, Any]:
    """Columns and cells of an array, a data frame, or nothing."""
    if data is None:
        return {}
    cells = np.asarray(data, dtype=np.float64)
    if cells.ndim == 1:
        cells = cells[:, np.newaxis]
    if cells.ndim != 2:
        raise ValueError(f"the data have {cells.ndim} dimensions: give rows and columns")
    names = getattr(data, "columns", None)
    columns = [f"x{j + 1}" for j in range(cells.shape[1])] if names is None else [str(name) for name in names]
    return {"columns": columns, "values": cells.ravel().tolist()}


def _genes(data: Genes | None) -> dict[str, Any]:
    if data is None:
        return {}
    lines = data if isinstance(data, str) else "\n".join(",".join(str(cell) for cell in row) for row in data)
    return {"genes": lines}


def coins(
    data: ArrayLike | None = None,
    *,
    iterations: int | None = None,
    start: ArrayLike | None = None,
    n_components: int | None = None,
    free_mixing: bool = False,
) -> Lesson:
    """Coins of unknown bias (Do & Batzoglou 2008). Own data: heads, flips. Start: each coin's probability of heads."""
    return _run("coins", iterations, start, components=n_components, free_mixing=free_mixing, **_table(data))


def moths(data: Genes | None = None, *, iterations: int | None = None, start: ArrayLike | None = None) -> Lesson:
    """Peppered moths. Own data: text or triples (phenotype, genotypes, count), as in ("A", "AA|AO", 186)."""
    return _run("moths", iterations, start, **_genes(data))


def abo(data: Genes | None = None, *, iterations: int | None = None, start: ArrayLike | None = None) -> Lesson:
    """ABO blood groups. Own data: text or triples (phenotype, genotypes, count), as in ("A", "AA|AO", 186)."""
    return _run("abo", iterations, start, **_genes(data))


def linkage(data: ArrayLike | None = None, *, iterations: int | None = None, start: ArrayLike | None = None) -> Lesson:
    """Linkage (Dempster, Laird & Rubin 1977). Own data: the four counts. Start: theta."""
    return _run("linkage", iterations, start, **_table(data))


def gmm1d(
    data: ArrayLike | None = None,
    *,
    iterations: int | None = None,
    start: ArrayLike | None = None,
    n_components: int | None = None,
) -> Lesson:
    """Gaussian mixture in one dimension. Own data: values. Start: all means, then all standard deviations."""
    return _run("gmm1d", iterations, start, components=n_components, **_table(data))


def gmm2d(
    data: ArrayLike | None = None,
    *,
    iterations: int | None = None,
    start: ArrayLike | None = None,
    n_components: int | None = None,
) -> Lesson:
    """Gaussian mixture in two dimensions. Own data: x and y. Start: the means, K x 2."""
    return _run("gmm2d", iterations, start, components=n_components, **_table(data))


def kmeans(
    data: ArrayLike | None = None,
    *,
    iterations: int | None = None,
    start: ArrayLike | None = None,
    n_components: int | None = None,
) -> Lesson:
    """K-means. Own data: any columns. Start: the centres."""
    return _run("kmeans", iterations, start, components=n_components, **_table(data))


def lines(data: ArrayLike | None = None, *, iterations: int | None = None, start: ArrayLike | None = None) -> Lesson:
    """Two lines through one cloud. Own data: covariates, then the response. Start: both lines, then the noise."""
    return _run("lines", iterations, start, **_table(data))


def missing(data: ArrayLike | None = None, *, iterations: int | None = None, start: ArrayLike | None = None) -> Lesson:
    """Fit a bivariate normal distribution with missing cells. Own data: x and y, NaN is missing."""
    return _run("missing", iterations, start, **_table(data))


def censored(data: ArrayLike | None = None, *, iterations: int | None = None, start: ArrayLike | None = None) -> Lesson:
    """Lifetimes, censored. Own data: log lifetimes of failures, and units removed then. Start: mu, sigma."""
    return _run("censored", iterations, start, **_table(data))


def probit(data: ArrayLike | None = None, *, iterations: int | None = None, start: ArrayLike | None = None) -> Lesson:
    """Probit regression. Own data: a response of 0 and 1, then covariates. Start: intercept and coefficients."""
    return _run("probit", iterations, start, **_table(data))
