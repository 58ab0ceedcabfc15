"""Textbook mixtures: coins, latent classes, regressions of which an unseen one makes each row."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_is_fitted

from mixtura import _core
from mixtura._models import TextbookModel, column
from mixtura._validation import Floats, check_integer, check_rows, check_weights, refuse


class BinomialMixture(TextbookModel):
    """Coins of unknown bias, of which an unseen one makes each row (Do & Batzoglou 2008).

    Parameters
    ----------
    n_components : int, default=2
        Number of coins.
    flips : int or None, default=None
        Flips of every row; None: `fit` is given them.
    fixed_weights : bool, default=False
        Every coin is picked as often as any other.
    n_init : int, default=20
        Runs from random starts; the best is kept.
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
    weights_, probabilities_ : ndarray of shape (n_components,)
        How often each coin is picked, and its probability of heads; by weight, largest first, then by probability.
    log_likelihood_ : float
        Nats, of the numbers of heads: binomial coefficients are part of it.
    aic_, bic_ : float
    status_, converged_, n_iter_, certificate_ : str, bool, int, dict
        As in `EM`.

    Examples
    --------
    >>> from mixtura import BinomialMixture
    >>> coins = BinomialMixture(2, flips=10, fixed_weights=True, random_state=0).fit([5, 9, 8, 4, 7])
    >>> coins.probabilities_.round(2)
    array([0.52, 0.8 ])
    """

    weights_: Floats
    probabilities_: Floats

    def __init__(
        self,
        n_components: int = 2,
        *,
        flips: int | None = None,
        fixed_weights: bool = False,
        n_init: int = 20,
        max_iter: int = 1000,
        tol: float = 1e-6,
        method: str = "squarem",
        random_state: Any = None,
        n_jobs: int | None = None,
    ) -> None:
        self.n_components = n_components
        self.flips = flips
        self.fixed_weights = fixed_weights
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.method = method
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, heads: ArrayLike, flips: ArrayLike | None = None, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the coins.

        Parameters
        ----------
        heads : array-like of shape (n_samples,)
            Whole numbers; NaN is missing.
        flips : array-like of shape (n_samples,), optional
            Needed unless the parameter `flips` has them.
        sample_weight : array-like of shape (n_samples,), optional

        Raises
        ------
        ValueError
            If a number is no count, or heads are more than flips.
        """
        k = check_integer(self, "n_components", self.n_components, 1)
        counts = [column("heads", heads)]
        n = counts[0].size
        same: int | None = None
        if flips is not None:
            if self.flips is not None:
                raise ValueError("flips are given to the constructor and to fit: give them once")
            counts.append(column("flips", flips, n))
        elif self.flips is None:
            raise ValueError("flips are missing: BinomialMixture(flips=10), or fit(heads, flips)")
        else:
            same = check_integer(self, "flips", self.flips, 0)
            if same >= 2**32:
                raise refuse(self, "flips", same, "below 2**32")
        found = _core.fit_binomial(
            np.column_stack(counts),
            same,
            k,
            bool(self.fixed_weights),
            self._search(["heads", "flips"]),
            check_weights(sample_weight, n),
        )
        self.weights_, self.probabilities_ = found["weights"], found["probabilities"]
        self._keep(found)
        return self


class BernoulliMixture(TextbookModel):
    """Latent classes of rows of 0/1 columns that are independent within a class.

    Parameters
    ----------
    n_components : int, default=2
        Number of classes.
    n_init : int, default=20
        Runs from random starts; the best is kept.
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
    weights_ : ndarray of shape (n_components,)
        Shares of the classes, largest first.
    probabilities_ : ndarray of shape (n_components, n_features)
        Probability of a 1.
    log_likelihood_ : float
        Nats.
    aic_, bic_ : float
    n_features_in_, feature_names_in_ : int, ndarray
    status_, converged_, n_iter_, certificate_ : str, bool, int, dict
        As in `EM`.

    Examples
    --------
    >>> from mixtura import BernoulliMixture
    >>> X = [[1, 1, 0]] * 6 + [[0, 0, 1]] * 3
    >>> BernoulliMixture(2, random_state=0).fit(X).weights_.round(3)
    array([0.667, 0.333])
    """

    weights_: Floats
    probabilities_: Floats
    n_features_in_: int

    def __init__(
        self,
        n_components: int = 2,
        *,
        n_init: int = 20,
        max_iter: int = 1000,
        tol: float = 1e-6,
        method: str = "squarem",
        random_state: Any = None,
        n_jobs: int | None = None,
    ) -> None:
        self.n_components = n_components
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.method = method
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, X: object, y: object = None, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            0, 1, or NaN where missing.
        y : ignored
        sample_weight : array-like of shape (n_samples,), optional

        Raises
        ------
        ValueError
            If a cell is something else, or a column has no value.
        """
        k = check_integer(self, "n_components", self.n_components, 1)
        rows = check_rows(self, X, reset=True, nan=True)
        options = self._search(self._names(rows.shape[1]))
        found = _core.fit_bernoulli(rows, k, options, check_weights(sample_weight, rows.shape[0]))
        self.weights_, self.probabilities_ = found["weights"], found["probabilities"]
        self._keep(found)
        return self


class RegressionMixture(RegressorMixin, TextbookModel):
    """Linear regressions with normal noise, of which an unseen one makes each row.

    Parameters
    ----------
    n_components : int, default=2
        Number of regressions.
    fit_intercept : bool, default=True
        False: lines go through the origin.
    n_init : int, default=20
        Runs from random starts; the best is kept.
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
    weights_ : ndarray of shape (n_components,)
        Shares of the regressions, largest first.
    coef_ : ndarray of shape (n_components, n_features)
        Units of y per unit of each column.
    intercept_, sigma_ : ndarray of shape (n_components,)
        Level at 0, and standard deviation of the noise; units of y.
    log_likelihood_ : float
        Nats, of y given X.
    aic_, bic_ : float
    n_features_in_, feature_names_in_ : int, ndarray
    status_, converged_, n_iter_, certificate_ : str, bool, int, dict
        As in `EM`.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtura import RegressionMixture
    >>> x = np.linspace(0, 1, 40)
    >>> y = np.where(np.arange(40) % 2, 1 + x, 4 - x) + 0.1 * np.cos(99 * x)
    >>> sorted(RegressionMixture(2, random_state=0).fit(x[:, None], y).coef_[:, 0].round())
    [np.float64(-1.0), np.float64(1.0)]
    """

    weights_: Floats
    coef_: Floats
    intercept_: Floats
    sigma_: Floats
    n_features_in_: int

    def __init__(
        self,
        n_components: int = 2,
        *,
        fit_intercept: bool = True,
        n_init: int = 20,
        max_iter: int = 1000,
        tol: float = 1e-6,
        method: str = "squarem",
        random_state: Any = None,
        n_jobs: int | None = None,
    ) -> None:
        self.n_components = n_components
        self.fit_intercept = fit_intercept
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.method = method
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, X: object, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the regressions.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            A row with NaN says nothing.
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,), optional

        Raises
        ------
        ValueError
            If y is constant, or a column is constant or depends on others.
        """
        k = check_integer(self, "n_components", self.n_components, 1)
        rows = check_rows(self, X, reset=True, nan=True)
        n = rows.shape[0]
        table = np.column_stack([rows.astype(np.float64), column("y", y, n)])
        options = self._search([*self._names(rows.shape[1]), "y"])
        found = _core.fit_linear(table, k, bool(self.fit_intercept), options, check_weights(sample_weight, n))
        self.weights_, self.coef_ = found["weights"], found["coef"]
        self.intercept_, self.sigma_ = found["intercept"], found["sigma"]
        self._keep(found)
        return self

    def predict(self, X: object) -> Floats:
        """Return the expected y of every row, (n_samples,): that of each regression, weighted by its share."""
        check_is_fitted(self, ["coef_"])
        rows = check_rows(self, X, reset=False, nan=False)
        return (rows @ self.coef_.T + self.intercept_) @ self.weights_
