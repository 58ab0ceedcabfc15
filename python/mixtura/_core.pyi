"""The compiled module: private to the package."""

from collections.abc import Callable
from typing import Any, NotRequired, TypedDict, final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Mixture",
    "Posteriors",
    "fit_bayesian",
    "fit_bernoulli",
    "fit_binomial",
    "fit_censored",
    "fit_gaussian",
    "fit_genes",
    "fit_kmeans",
    "fit_linear",
    "fit_own",
    "fit_probit",
    "kmeans_distances",
    "kmeans_nearest",
    "lessons",
    "main_from",
    "methods",
    "rows_fingerprint",
    "select",
    "table_columns",
    "teach",
]

_Floats = NDArray[np.float64]
_Rows = NDArray[np.float64] | NDArray[np.float32]

class _Prior(TypedDict):
    mean: list[float] | None
    mean_precision: float
    degrees_of_freedom: float | None
    covariance: list[float] | None
    weight_concentration: float

class _FitOptions(TypedDict):
    n_components: int
    covariance_type: str
    tolerance: float | None
    change: float | None
    history: list[float]
    reg_covar: float | None
    prior: _Prior | None
    exact: bool
    max_iter: int
    restarts: int | None
    method: str | None
    seed: int
    every: int
    bound: bool
    threads: int | None

class _Start(TypedDict):
    weights: _Floats | None
    means: _Floats | None
    covariances: _Floats | None
    assignments: list[NDArray[Any]] | None

class _Priors(TypedDict):
    weights: str
    concentration: float
    mean_precision: float
    mean: _Floats | None
    degrees_of_freedom: float | None
    covariance: _Floats | None

class _KMeansOptions(TypedDict):
    n_clusters: int
    restarts: int
    max_iter: int
    tolerance: float
    seed: int
    threads: int | None

class _Parameters(TypedDict):
    covariance_type: str
    weights: _Floats
    means: _Floats
    covariances: _Floats

class _Fit(_Parameters):
    seconds: NotRequired[float]
    status: str
    detail: str
    n_iter: int
    log_likelihood: float
    total_weight: float
    bic: float
    aic: float
    icl: float
    n_parameters: int
    objective: _Floats
    nats_remaining: _Floats
    bound: _Floats
    record: str
    interrupt: NotRequired[BaseException | None]

class _BayesianFit(_Fit):
    concentration_a: _Floats
    concentration_b: _Floats
    mean_precision: _Floats
    degrees_of_freedom: _Floats
    prior_mean: _Floats
    prior_covariance: _Floats
    n_effective: int

class _OwnOptions(TypedDict):
    method: str
    max_iter: int
    tolerance: float
    parameters: bool

class _OwnFit(TypedDict):
    state: Any
    status: str
    certificate: dict[str, Any]
    n_iter: int
    log_likelihood: float
    objective: float
    objectives: _Floats
    nats_remaining: _Floats
    parameters: _Floats

class _Asked(TypedDict):
    method: str
    level: float
    interval: str
    replicates: int
    may_be_lost: float
    seed: int
    threads: int | None

class _Uncertainty(TypedDict):
    method: str
    level: float
    interval: str
    names: list[str]
    estimates: _Floats
    standard_errors: _Floats
    intervals: _Floats
    covariance: _Floats
    bias: _Floats | None
    lost: tuple[int, int, int] | None
    point: dict[str, Any] | None
    notes: list[str]
    text: str

class _SearchOptions(TypedDict):
    restarts: int
    method: str
    max_iter: int
    tolerance: float
    seed: int
    threads: int | None
    names: list[str]
    errors: _Asked | None

class _Found(TypedDict):
    errors: NotRequired[_Uncertainty]
    status: str
    certificate: dict[str, Any]
    n_iter: int
    log_likelihood: float
    n_parameters: int
    aic: float
    bic: float

class _ClassesFound(_Found):
    weights: _Floats
    probabilities: _Floats

class _LinesFound(_Found):
    weights: _Floats
    coef: _Floats
    intercept: _Floats
    sigma: _Floats

class _GenesFound(_Found):
    alleles: list[str]
    frequencies: _Floats
    genotypes: list[tuple[str, str, float]]

class _CensoredFound(_Found):
    mu: float
    sigma: float

class _ProbitFound(_Found):
    coefficients: _Floats

class _KMeansFit(TypedDict):
    centers: _Floats
    inertia: float
    n_iter: int
    converged: bool

@final
class Mixture:
    def __new__(cls, covariance_type: str, weights: _Floats, means: _Floats, covariances: _Floats) -> Mixture: ...
    def posterior(
        self, x: _Rows, keep: bool, threads: int | None = None
    ) -> tuple[_Floats | None, _Floats, NDArray[np.int64]]: ...
    def mahalanobis(self, x: _Rows) -> _Floats: ...
    def sample(self, n: int, seed: int) -> tuple[_Floats, NDArray[np.int64]]: ...
    def marginal(self, columns: list[int]) -> Mixture: ...
    def condition(self, given: list[tuple[int, float]]) -> Mixture: ...
    def errors(
        self,
        x: _Rows,
        asked: _Asked,
        columns: list[str],
        record: str | None = None,
        weights: _Floats | None = None,
        labels: NDArray[np.int32] | None = None,
    ) -> _Uncertainty: ...
    def point(
        self,
        x: _Rows,
        columns: list[str],
        record: str | None = None,
        weights: _Floats | None = None,
        labels: NDArray[np.int32] | None = None,
    ) -> dict[str, Any]: ...
    def n_free_parameters(self) -> int: ...
    def parameters(self) -> _Parameters: ...
    def to_json(self, columns: list[str], record: str | None, origin: str) -> str: ...
    @staticmethod
    def from_json(text: str) -> tuple[Mixture, list[str], str]: ...

@final
class Posteriors:
    def __new__(
        cls,
        covariance_type: str,
        weight_prior: str,
        a: _Floats,
        b: _Floats,
        means: _Floats,
        covariances: _Floats,
        mean_precision: _Floats,
        degrees_of_freedom: _Floats,
    ) -> Posteriors: ...
    def posterior(
        self, x: _Rows, keep: bool, threads: int | None = None
    ) -> tuple[_Floats | None, _Floats, NDArray[np.int64]]: ...

def fit_bayesian(
    x: _Rows,
    options: _FitOptions,
    priors: _Priors,
    start: _Start,
    posteriors: Posteriors | None = None,
    weights: _Floats | None = None,
    labels: NDArray[np.int32] | None = None,
    listener: Callable[[str], object] | None = None,
) -> _BayesianFit: ...
def fit_gaussian(
    x: _Rows,
    options: _FitOptions,
    start: _Start,
    weights: _Floats | None = None,
    labels: NDArray[np.int32] | None = None,
    listener: Callable[[str], object] | None = None,
) -> _Fit: ...
def select(
    x: _Rows,
    options: _FitOptions,
    ks: list[int],
    covariance_types: list[str],
    criterion: str,
    weights: _Floats | None = None,
) -> tuple[list[dict[str, Any]], int, _Fit]: ...
def fit_kmeans(
    x: _Rows, options: _KMeansOptions, starts: list[_Floats] | None = None, weights: _Floats | None = None
) -> _KMeansFit: ...
def fit_own(driver: object, n_runs: int, options: _OwnOptions) -> _OwnFit: ...
def fit_binomial(
    x: _Rows,
    flips: int | None,
    n_components: int,
    equal_weights: bool,
    options: _SearchOptions,
    weights: _Floats | None = None,
) -> _ClassesFound: ...
def fit_bernoulli(
    x: _Rows, n_components: int, options: _SearchOptions, weights: _Floats | None = None
) -> _ClassesFound: ...
def fit_linear(
    x: _Rows, n_components: int, intercept: bool, options: _SearchOptions, weights: _Floats | None = None
) -> _LinesFound: ...
def fit_genes(table: str, options: _SearchOptions) -> _GenesFound: ...
def fit_censored(
    bounds: _Floats, normal: bool, options: _SearchOptions, weights: _Floats | None = None
) -> _CensoredFound: ...
def fit_probit(x: _Rows, options: _SearchOptions, weights: _Floats | None = None) -> _ProbitFound: ...
def kmeans_nearest(x: _Rows, centers: _Floats, threads: int | None = None) -> NDArray[np.int32]: ...
def kmeans_distances(x: _Rows, centers: _Floats, threads: int | None = None) -> _Floats: ...
def rows_fingerprint(x: _Rows, weights: _Floats | None = None, labels: NDArray[np.int32] | None = None) -> str: ...
def table_columns(table: object) -> tuple[list[str], _Floats]: ...
def methods() -> list[tuple[str, str]]: ...
def lessons() -> str: ...
def teach(
    lesson: str,
    columns: list[str] | None = None,
    values: list[float] | None = None,
    genes: str | None = None,
    iterations: int | None = None,
    start: list[float] | None = None,
    components: int | None = None,
    free_mixing: bool = False,
) -> tuple[str, str]: ...
def main_from(args: list[str]) -> int: ...
