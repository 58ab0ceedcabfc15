"""How uncertain estimates are: standard errors, intervals, and the covariance behind them."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mixtura import _core
    from mixtura._validation import Floats


@dataclass(frozen=True)
class Errors:
    """Estimates with their uncertainty, in the data's own units.

    Attributes
    ----------
    method : str
        How it was found.
    level : float
        Level of the intervals.
    interval : str
        What the intervals are: "wald" (symmetric on the scale of the parameter's range), "percentile", "basic" or "bc".
    names : list of str
        One for each parameter.
    estimates, standard_errors : ndarray of shape (n_parameters,)
    intervals : ndarray of shape (n_parameters, 2)
        Lower and upper ends.
    covariance : ndarray of shape (n_parameters, n_parameters)
        Of the estimates.
    bias : ndarray of shape (n_parameters,) or None
        Of a bootstrap: mean of the replicates less the estimate.
    lost : tuple of int or None
        Of a bootstrap: replicates that collapsed, did not converge, or whose components could not be matched.
    point : dict or None
        Of the methods by information what kind of point the fit is: "kind" (optimum, saddle, ridge, not stationary),
        "gradient_norm", "nats_to_gain", "smallest_curvature", and a sentence, "detail".
    notes : list of str
        What a reader of the figures must know.
    text : str
        All of it as a table, which `print` shows.
    """

    method: str
    level: float
    interval: str
    names: list[str]
    estimates: Floats
    standard_errors: Floats
    intervals: Floats
    covariance: Floats = field(repr=False)
    bias: Floats | None
    lost: tuple[int, int, int] | None
    point: dict[str, Any] | None
    notes: list[str]
    text: str = field(repr=False)

    def __str__(self) -> str:
        return self.text

    def to_pandas(self) -> Any:
        """Return a pandas data frame, one line for each parameter."""
        columns = {
            "estimate": self.estimates,
            "standard_error": self.standard_errors,
            "low": self.intervals[:, 0],
            "high": self.intervals[:, 1],
        }
        # Not everybody who fits has pandas.
        return import_module("pandas").DataFrame(columns, index=self.names)


def asked(
    method: str, level: float, n_replicates: int, interval: str, may_be_lost: float, seed: int, threads: int | None
) -> _core._Asked:  # pyright: ignore[reportPrivateUsage]
    """Return a question as the core reads it."""
    return {
        "method": method,
        "level": float(level),
        "interval": interval,
        "replicates": int(n_replicates),
        "may_be_lost": float(may_be_lost),
        "seed": seed,
        "threads": threads,
    }


def told(found: _core._Uncertainty) -> Errors:  # pyright: ignore[reportPrivateUsage]
    """Return what the core has found."""
    return Errors(
        method=found["method"],
        level=found["level"],
        interval=found["interval"],
        names=found["names"],
        estimates=found["estimates"],
        standard_errors=found["standard_errors"],
        intervals=found["intervals"],
        covariance=found["covariance"],
        bias=found["bias"],
        lost=found["lost"],
        point=found["point"],
        notes=found["notes"],
        text=found["text"],
    )
