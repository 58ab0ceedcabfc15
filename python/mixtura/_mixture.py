"""What every fitted mixture has: parameters in scikit-learn's shapes, rows scored, rows drawn."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.utils.validation import check_is_fitted

from mixtura import _core
from mixtura import _covariances as shapes
from mixtura._validation import Floats, Ints, Rows, check_integer, check_rows, check_seed, check_threads, check_weights


class RowModel(Protocol):
    """What answers for rows: a mixture, or posteriors of one."""

    def posterior(self, x: Rows, keep: bool, threads: int | None = None) -> tuple[Floats | None, Floats, Ints]:
        """Return responsibilities where `keep`, log-densities and most probable components."""
        ...


class AnyMixture(DensityMixin, BaseEstimator):
    """A mixture of Gaussians with `weights_`, `means_` and `covariances_`, which may also be assigned by hand."""

    n_components: int
    covariance_type: str
    random_state: Any
    n_jobs: int | None
    weights_: Floats
    means_: Floats
    covariances_: Floats
    n_features_in_: int
    status_: str
    _record: str | None

    # Parameters -------------------------------------------------------------------------------------------------------

    @property
    def precisions_(self) -> Floats:
        """Inverses of `covariances_`, in the same shape. Assign to set the covariances."""
        return self._derived(shapes.precisions)

    @precisions_.setter
    def precisions_(self, values: ArrayLike) -> None:
        self.covariances_ = shapes.from_precisions(self.covariance_type, np.asarray(values, dtype=np.float64))

    @property
    def precisions_cholesky_(self) -> Floats:
        """P with precision = P Pᵀ, in the shape of `covariances_`. Assign to set the covariances."""
        return self._derived(shapes.precisions_cholesky)

    @precisions_cholesky_.setter
    def precisions_cholesky_(self, values: ArrayLike) -> None:
        self.covariances_ = shapes.from_precisions_cholesky(self.covariance_type, np.asarray(values, dtype=np.float64))

    def _derived(self, of: Any) -> Floats:
        try:
            covariances = self.covariances_
        except AttributeError:
            raise AttributeError(f"this {type(self).__name__} is not fitted yet: it has no covariances") from None
        values: Floats = of(self.covariance_type, covariances)
        # A change in this copy would go unnoticed: it must be assigned as a whole.
        values.flags.writeable = False
        return values

    def _model(self) -> _core.Mixture:
        """Return the mixture of the attributes as they are now."""
        check_is_fitted(self, ["weights_", "means_", "covariances_"])
        means = np.ascontiguousarray(self.means_, dtype=np.float64)
        k, d = means.shape
        full = shapes.to_full(self.covariance_type, self._shaped_covariances(k, d), k, d)
        return _core.Mixture(self.covariance_type, np.ascontiguousarray(self.weights_, dtype=np.float64), means, full)

    def _shaped_covariances(self, k: int, d: int) -> Floats:
        """Return `covariances_` once it is clear that it belongs to `covariance_type` and to the means."""
        covariances = np.asarray(self.covariances_, dtype=np.float64)
        wanted = shapes.shape_of(self.covariance_type, k, d)
        if covariances.shape != wanted:
            raise ValueError(
                f"covariances_ has the shape {covariances.shape}: {self.covariance_type!r} covariances of {k} "
                f"components in {d} columns have {wanted}"
            )
        return covariances

    def _row_model(self) -> RowModel:
        """Return what answers for rows."""
        return self._model()

    # Rows -------------------------------------------------------------------------------------------------------------

    def _posterior(self, X: object, keep: bool) -> tuple[Any, Floats, Ints]:
        model = self._row_model()
        if not hasattr(self, "n_features_in_"):
            self.n_features_in_ = int(self.means_.shape[1])
        return self._posterior_of(model, check_rows(self, X, reset=False, nan=True), keep)

    def _posterior_of(self, model: RowModel, rows: Rows, keep: bool) -> tuple[Any, Floats, Ints]:
        return model.posterior(rows, keep, check_threads(self, self.n_jobs))

    def predict(self, X: object) -> Ints:
        """Return the most probable component of every row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows; NaN marks a missing cell, which is integrated out.

        Returns
        -------
        components : ndarray of shape (n_samples,)
        """
        return self._posterior(X, keep=False)[2]

    def predict_proba(self, X: object) -> Floats:
        """Return the responsibilities: the probability of every component given the row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        responsibilities : ndarray of shape (n_samples, n_components)
        """
        return self._posterior(X, keep=True)[0]

    def score_samples(self, X: object) -> Floats:
        """Return log p(x) of every row (of its observed cells), in nats.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        log_density : ndarray of shape (n_samples,)
        """
        return self._posterior(X, keep=False)[1]

    def score(self, X: object, y: object = None, sample_weight: ArrayLike | None = None) -> float:
        """Return the mean of log p(x) over the rows, weighted by `sample_weight`, in nats per row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : ignored
        sample_weight : array-like of shape (n_samples,), optional

        Returns
        -------
        score : float
        """
        log_density = self.score_samples(X)
        weights = check_weights(sample_weight, log_density.shape[0])
        return np.average(log_density, weights=weights)

    def sample(self, n_samples: int = 1) -> tuple[Floats, Ints]:
        """Draw rows from the mixture.

        Parameters
        ----------
        n_samples : int, default=1

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
        y : ndarray of shape (n_samples,)
            The component of each row; rows come component by component.
        """
        model = self._model()
        n = check_integer(self, "n_samples", n_samples, 1)
        rows, components = model.sample(n, check_seed(self, self.random_state))
        order = np.argsort(components, kind="stable")
        return rows[order], components[order]
