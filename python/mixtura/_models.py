"""The textbook models: what their estimators have in common, and models of one population."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from math import erfc, sqrt
from typing import Any, Self, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from mixtura import _core
from mixtura._errors import Errors, asked, told
from mixtura._validation import (
    METHODS,
    Floats,
    check_choice,
    check_integer,
    check_real,
    check_rows,
    check_seed,
    check_threads,
    check_weights,
)


class TextbookModel(BaseEstimator):
    """What every textbook model has: the options of its search, and what is known of the fit."""

    n_init: int
    max_iter: int
    tol: float
    method: str
    random_state: Any
    n_jobs: int | None
    status_: str
    converged_: bool
    n_iter_: int
    log_likelihood_: float
    aic_: float
    bic_: float
    certificate_: dict[str, Any]
    _asked: _core._Asked | None = None  # pyright: ignore[reportPrivateUsage]
    _errors: Errors | None = None

    def errors(
        self,
        *data: Any,
        method: str = "louis",
        level: float = 0.95,
        n_replicates: int = 200,
        interval: str = "percentile",
        may_be_lost: float = 0.1,
        **named: Any,
    ) -> Errors:
        """Return standard errors and intervals of the estimates (`docs/standard-errors.md` says which method to use).

        Parameters
        ----------
        *data, **named
            What `fit` was given. The fit is done again, which takes little time on data of this size.
        method : str, default="louis"
            By information: "louis", "numerical", "sem" (supplemental EM), "sandwich"; by replicates: "bootstrap" (rows
            drawn again), "parametric" (rows drawn from the model), "weighted" (rows under random weights).
        level : float, default=0.95
            Of the intervals.
        n_replicates : int, default=200
        interval : {"percentile", "basic", "bc"}, default="percentile"
            Of a bootstrap.
        may_be_lost : float, default=0.1
            Share of the replicates of a bootstrap that may be lost.

        Raises
        ------
        ValueError
            If the estimates have no standard errors, with the reason; if the data are not those of the fit.
        """
        check_is_fitted(self, ["log_likelihood_"])
        again = clone(self)
        seed = check_seed(self, self.random_state)
        again._asked = asked(method, level, n_replicates, interval, may_be_lost, seed, check_threads(self, self.n_jobs))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            cast(Any, again).fit(*data, **named)
        # Two runs to one optimum agree within the tolerance.
        if abs(again.log_likelihood_ - self.log_likelihood_) > 10.0 * self.tol + 1e-9 * abs(self.log_likelihood_):
            raise ValueError(
                f"fitted again the log-likelihood is {again.log_likelihood_:.6f}, not {self.log_likelihood_:.6f}: "
                "give errors() what fit() was given, and the estimator a random_state"
            )
        assert again._errors is not None
        return again._errors

    def _search(self, names: Sequence[str] = ()) -> _core._SearchOptions:  # pyright: ignore[reportPrivateUsage]
        """Return the checked options; names of columns are for messages."""
        return {
            "restarts": check_integer(self, "n_init", self.n_init, 1),
            "method": check_choice(self, "method", self.method, tuple(METHODS)),
            "max_iter": check_integer(self, "max_iter", self.max_iter, 1),
            "tolerance": check_real(self, "tol", self.tol),
            "seed": check_seed(self, self.random_state),
            "threads": check_threads(self, self.n_jobs),
            "names": list(names),
            "errors": self._asked,
        }

    def _keep(self, found: _core._Found) -> None:  # pyright: ignore[reportPrivateUsage]
        """Set what every fit knows, and warn where it has not converged."""
        self.status_, self.certificate_ = found["status"], found["certificate"]
        self.converged_ = self.status_ == "converged"
        self.n_iter_, self.log_likelihood_ = found["n_iter"], found["log_likelihood"]
        self.aic_, self.bic_ = found["aic"], found["bic"]
        if "errors" in found:
            self._errors = told(found["errors"])
        if not self.converged_:
            warnings.warn(f"{self.status_}: {self.certificate_['detail']}", ConvergenceWarning, stacklevel=3)

    def _names(self, n_features: int) -> list[str]:
        known: Any = getattr(self, "feature_names_in_", None)
        return [f"x{j + 1}" for j in range(n_features)] if known is None else [str(name) for name in known]


def column(name: str, values: object, n_rows: int | None = None) -> Floats:
    """Return one column of numbers, of a given length."""
    try:
        array = np.array(cast(ArrayLike, values), dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be numbers, one for each row") from error
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"{name} has the shape {array.shape}: it must be one number for each row")
    if n_rows is not None and array.size != n_rows:
        raise ValueError(f"{name} has {array.size} numbers for {n_rows} rows")
    return array


class GeneCounting(TextbookModel):
    """Allele frequencies from counts of phenotypes, each of which may hide several genotypes; mating is at random.

    Parameters
    ----------
    table : str or sequence of (phenotype, genotypes, count)
        Text has one line per phenotype, as in "A,AA|AO,186"; in rows, genotypes are a string ("AA|AO") or a list of
        strings. Alleles with longer names are separated by a slash: "A1/O".
    n_init : int, default=20
        Runs, the first from equal frequencies, the others from random ones; the best is kept.
    max_iter : int, default=1000
    tol : float, default=1e-6
        Nats of the log-likelihood that may remain.
    method : str, default="squarem"
        How E- and M-steps alternate: a name of `mixtura.METHODS`.
    random_state : int, RandomState or None, default=None
    n_jobs : int or None, default=None
        Threads; no bit depends on them.

    Attributes
    ----------
    alleles_ : list of str
        In the order in which the table names them.
    frequencies_ : ndarray of shape (n_alleles,)
    genotypes_ : dict of str to dict of str to float
        For each phenotype the expected count of each genotype.
    log_likelihood_ : float
        Nats, without the multinomial coefficient.
    aic_, bic_ : float
    status_, converged_, n_iter_, certificate_ : str, bool, int, dict
        As in `EM`.

    Examples
    --------
    >>> from mixtura import GeneCounting
    >>> moths = [("carbonaria", "CC|CI|CT", 85), ("insularia", "II|IT", 196), ("typica", "TT", 341)]
    >>> GeneCounting(moths, random_state=0).fit().frequencies_.round(4)
    array([0.0708, 0.1887, 0.7404])
    """

    alleles_: list[str]
    frequencies_: Floats
    genotypes_: dict[str, dict[str, float]]

    def __init__(
        self,
        table: str | Sequence[tuple[str, str | Sequence[str], int]] = "",
        *,
        n_init: int = 20,
        max_iter: int = 1000,
        tol: float = 1e-6,
        method: str = "squarem",
        random_state: Any = None,
        n_jobs: int | None = None,
    ) -> None:
        self.table = table
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.method = method
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, X: None = None, y: None = None) -> Self:
        """Count the genes of the table; X and y are ignored."""
        table: object = self.table
        text = table if isinstance(table, str) else "\n".join(_line(row) for row in cast("Iterable[Any]", table))
        found = _core.fit_genes(text, self._search())
        self.alleles_, self.frequencies_ = found["alleles"], found["frequencies"]
        self.genotypes_ = {}
        for phenotype, genotype, expected in found["genotypes"]:
            self.genotypes_.setdefault(phenotype, {})[genotype] = expected
        self._keep(found)
        return self


def _line(row: Any) -> str:
    """Return a row of a table of phenotypes as a line of text."""
    try:
        name, genotypes, count = row
    except (TypeError, ValueError):
        raise ValueError(f"{row!r} is no row (phenotype, genotypes, count), as in ('A', 'AA|AO', 186)") from None
    fields = [str(name), genotypes if isinstance(genotypes, str) else "|".join(map(str, genotypes)), str(count)]
    for field in fields:
        if any(mark in field for mark in ",;\t\r\n") or field.startswith("#"):
            raise ValueError(f"{field!r} holds a comma, semicolon, tab or line break, or begins with #: rename it")
    return ",".join(fields)


class _Censored(TextbookModel):
    """Censored samples of any law."""

    _normal: bool
    mu_: float
    sigma_: float

    def __init__(
        self,
        *,
        n_init: int = 20,
        max_iter: int = 1000,
        tol: float = 1e-6,
        method: str = "squarem",
        random_state: Any = None,
        n_jobs: int | None = None,
    ) -> None:
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.method = method
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, lower: ArrayLike, upper: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the law.

        Parameters
        ----------
        lower, upper : array-like of shape (n_samples,)
            Ends between which each value lies: equal for an exact value, NaN or infinite where open.
        sample_weight : array-like of shape (n_samples,), optional

        Raises
        ------
        ValueError
            If a row is no interval, or the rows do not tell both parameters.
        """
        low = column("lower", lower)
        bounds = np.column_stack([low, column("upper", upper, low.size)])
        found = _core.fit_censored(bounds, self._normal, self._search(), check_weights(sample_weight, low.size))
        self.mu_, self.sigma_ = found["mu"], found["sigma"]
        self._keep(found)
        return self


class CensoredNormal(_Censored):
    """Mean and standard deviation of values of which some are known only to lie between bounds.

    Parameters
    ----------
    n_init : int, default=20
        Runs; the likelihood has one optimum, so all must agree.
    max_iter : int, default=1000
    tol : float, default=1e-6
        Nats of the log-likelihood that may remain.
    method : str, default="squarem"
        How E- and M-steps alternate: a name of `mixtura.METHODS`.
    random_state : int, RandomState or None, default=None
    n_jobs : int or None, default=None
        Threads; no bit depends on them.

    Attributes
    ----------
    mu_, sigma_ : float
        Mean and standard deviation, the data's unit.
    log_likelihood_ : float
        Nats: densities of exact values, probabilities of intervals.
    aic_, bic_ : float
    status_, converged_, n_iter_, certificate_ : str, bool, int, dict
        As in `EM`.

    Examples
    --------
    Two lamps failed after 1.2 and 3.4 (log hours), one still burned at 3.5.

    >>> import numpy as np
    >>> from mixtura import CensoredNormal
    >>> lamps = CensoredNormal(random_state=0).fit([1.2, 3.4, 3.5], [1.2, 3.4, np.inf])
    >>> bool(lamps.mu_ > np.mean([1.2, 3.4, 3.5]))
    True
    """

    _normal = True


class CensoredExtremeValue(_Censored):
    """Smallest-extreme-value law of censored values: logarithms of Weibull lifetimes of shape 1/sigma, scale exp(mu).

    Parameters
    ----------
    n_init : int, default=20
        Runs; the likelihood has one optimum, so all must agree.
    max_iter : int, default=1000
    tol : float, default=1e-6
        Nats of the log-likelihood that may remain.
    method : str, default="squarem"
        How E- and M-steps alternate: a name of `mixtura.METHODS`.
    random_state : int, RandomState or None, default=None
    n_jobs : int or None, default=None
        Threads; no bit depends on them.

    Attributes
    ----------
    mu_, sigma_ : float
        Mode and scale, the data's unit.
    log_likelihood_ : float
        Nats: densities of exact values, probabilities of intervals.
    aic_, bic_ : float
    status_, converged_, n_iter_, certificate_ : str, bool, int, dict
        As in `EM`.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtura import CensoredExtremeValue
    >>> CensoredExtremeValue(random_state=0).fit([0.1, 1.2, 1.5], [0.1, 1.2, np.inf]).converged_
    True
    """

    _normal = False


class ProbitRegression(ClassifierMixin, TextbookModel):
    """Two classes by the normal distribution function: P(y = classes_[1] | x) = Φ(x·coef + intercept).

    Parameters
    ----------
    n_init : int, default=20
        Runs; the likelihood has one optimum, so all must agree.
    max_iter : int, default=1000
    tol : float, default=1e-6
        Nats of the log-likelihood that may remain.
    method : str, default="squarem"
        How E- and M-steps alternate: a name of `mixtura.METHODS`.
    random_state : int, RandomState or None, default=None
    n_jobs : int or None, default=None
        Threads; no bit depends on them.

    Attributes
    ----------
    coef_ : ndarray of shape (1, n_features)
        Per unit of each column.
    intercept_ : ndarray of shape (1,)
    classes_ : ndarray of shape (2,)
    log_likelihood_ : float
        Nats.
    aic_, bic_ : float
    n_features_in_, feature_names_in_ : int, ndarray
    status_, converged_, n_iter_, certificate_ : str, bool, int, dict
        As in `EM`.

    Examples
    --------
    >>> from mixtura import ProbitRegression
    >>> fit = ProbitRegression(random_state=0).fit([[0.0], [1.0], [2.0], [3.0]], [0, 1, 0, 1])
    >>> fit.predict([[-5.0], [8.0]])
    array([0, 1])
    """

    coef_: Floats
    intercept_: Floats
    classes_: NDArray[Any]
    n_features_in_: int

    def __init__(
        self,
        *,
        n_init: int = 20,
        max_iter: int = 1000,
        tol: float = 1e-6,
        method: str = "squarem",
        random_state: Any = None,
        n_jobs: int | None = None,
    ) -> None:
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.method = method
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, X: object, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the coefficients.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
            Two distinct values.
        sample_weight : array-like of shape (n_samples,), optional

        Raises
        ------
        ValueError
            If there are not two classes, a column is constant or depends on others, or a combination of columns
            separates the classes, so that no finite coefficients are best.
        """
        rows = check_rows(self, X, reset=True, nan=False)
        labels: NDArray[Any] = np.asarray(y)
        if labels.shape != (rows.shape[0],):
            raise ValueError(f"y has the shape {labels.shape}, not one class for each of {rows.shape[0]} rows")
        classes, codes = np.unique(labels, return_inverse=True)
        if classes.size != 2:
            raise ValueError(f"y has {classes.size} distinct values: probit regression needs exactly two classes")
        table = np.column_stack([rows.astype(np.float64), codes.astype(np.float64)])
        options = self._search([*self._names(rows.shape[1]), "y"])
        found = _core.fit_probit(table, options, check_weights(sample_weight, rows.shape[0]))
        self.classes_ = classes
        self.intercept_, self.coef_ = found["coefficients"][:1], found["coefficients"][None, 1:]
        self._keep(found)
        return self

    def decision_function(self, X: object) -> Floats:
        """Return x·coef + intercept of every row: an array of shape (n_samples,)."""
        check_is_fitted(self, ["coef_"])
        rows = check_rows(self, X, reset=False, nan=False)
        return rows @ self.coef_[0] + self.intercept_[0]

    def predict_proba(self, X: object) -> Floats:
        """Return the probability of each class: (n_samples, 2)."""
        linear = self.decision_function(X)
        return np.array([[0.5 * erfc(z * sqrt(0.5)), 0.5 * erfc(-z * sqrt(0.5))] for z in linear.tolist()])

    def predict(self, X: object) -> NDArray[Any]:
        """Return the more probable class of every row: (n_samples,)."""
        return self.classes_[(self.decision_function(X) > 0).astype(np.intp)]
