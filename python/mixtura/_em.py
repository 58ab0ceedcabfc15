"""The kit for a method author: a class with an E-step and an M-step gets fits, restarts, SQUAREM and certificate."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, Self, TypeVar, cast

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from mixtura import _core
from mixtura._domains import DOMAINS
from mixtura._validation import Floats, check_choice, check_integer, check_real, check_seed, refuse

#: Runs where there is a `start` and nobody says how many.
_RUNS = 8

T = TypeVar("T")


class EM:
    """A model of your own: give it `parameters`, `e_step` and `m_step`, and it gets `fit`.

    Attributes
    ----------
    parameters : dict of str to str
        The attributes that are fitted (floats or arrays) and where they live: "real", "positive", "probability"
        (0 to 1), "simplex" (not negative, the last axis sums to 1) or "covariance" (the last two axes are symmetric and
        positive definite).
    status_ : str
        "converged", "iteration_limit" or "degenerate".
    converged_ : bool
    n_iter_ : int
        Iterations of the best run.
    objective_ : float
        Log-likelihood + log prior of the fitted parameters, in nats.
    log_likelihood_ : float
    certificate_ : dict
        How far the fit can be trusted; docs/bring-your-own-model.md has its keys.
    trace_ : dict
        "objective" at the start of every iteration and of the returned parameters, "nats_remaining" (NaN where
        unknown), and on request "parameters": for each of them an array of iterations.

    Examples
    --------
    Two coins (Do & Batzoglou 2008): five times one of them is picked unseen and tossed ten times.

    >>> import numpy as np
    >>> from mixtura import EM
    >>> class TwoCoins(EM):
    ...     parameters = {"theta": "probability"}
    ...     theta = np.array([0.6, 0.5])
    ...     def e_step(self, heads):
    ...         joint = 0.5 * self.theta ** heads[:, None] * (1 - self.theta) ** (10 - heads[:, None])
    ...         total = joint.sum(axis=1)
    ...         picked = joint / total[:, None]
    ...         return (picked.T @ heads, picked.sum(axis=0)), np.log(total).sum()
    ...     def m_step(self, stats):
    ...         self.theta = stats[0] / (10 * stats[1])
    >>> TwoCoins().fit(np.array([5, 9, 8, 4, 7])).theta.round(2)
    array([0.8 , 0.52])
    """

    parameters: Mapping[str, str]
    status_: str
    converged_: bool
    n_iter_: int
    objective_: float
    log_likelihood_: float
    certificate_: dict[str, Any]
    trace_: dict[str, Any]

    def e_step(self, data: Any) -> tuple[Any, float]:
        """Return the expected statistics of the data and the log-likelihood, at the current parameters."""
        raise NotImplementedError(f"{type(self).__name__} needs an e_step(self, data) -> (statistics, log_likelihood)")

    def m_step(self, stats: Any) -> None:
        """Set the parameters to the best given the statistics."""
        raise NotImplementedError(f"{type(self).__name__} needs an m_step(self, stats) that sets the parameters")

    def start(self, rng: np.random.Generator) -> None:
        """Set the parameters that a run starts from (optional)."""
        raise NotImplementedError(f"{type(self).__name__} needs a start(self, rng) for several runs")

    def log_prior(self) -> float:
        """Return the log prior of the parameters: 0 unless you say otherwise."""
        return 0.0

    def to_vector(self) -> Any:
        """Return the parameters in free coordinates (optional): by default what their domains say."""
        parts = [DOMAINS[kind].free(np.asarray(getattr(self, name))) for name, kind in self.parameters.items()]
        return np.concatenate(parts)

    def from_vector(self, vector: Floats) -> bool | None:
        """Set the parameters from free coordinates; False where there is no model (optional, with `to_vector`)."""
        at = 0
        for name, kind in self.parameters.items():
            old = np.asarray(getattr(self, name))
            size = DOMAINS[kind].free(old).size
            with np.errstate(over="ignore", invalid="ignore"):
                value = DOMAINS[kind].value(vector[at : at + size], old.shape)
            at += size
            if not np.isfinite(value).all() or DOMAINS[kind].wrong(value):
                return False
            setattr(self, name, value if old.ndim else float(value))
        return True

    def fit(
        self,
        data: Any,
        *,
        n_init: int | None = None,
        max_iter: int = 1000,
        tol: float = 1e-3,
        method: Literal["squarem", "anderson", "em"] = "squarem",
        random_state: int | np.random.RandomState | None = None,
        trace: bool = False,
    ) -> Self:
        """Fit the parameters.

        Parameters
        ----------
        data : object
            Handed to `e_step` as it is.
        n_init : int, optional
            Runs, each from `start`; the best is kept. 0: one run from the parameters as they are. By default 8 where
            the class has a `start`, else 0.
        max_iter : int
            Most iterations per run.
        tol : float
            Nats of the objective that may remain.
        method : {"squarem", "anderson", "em"}
            Accelerated or plain EM; what other methods do to rows these data may not have.
        random_state : int, RandomState or None
            Seed of the starts.
        trace : bool
            Whether `trace_` keeps the parameters of every iteration.

        Returns
        -------
        self : EM

        Raises
        ------
        ValueError, TypeError
            If a step does not do what it must. Exceptions of the steps themselves come out as they are, with a note;
            the model then has the parameters at which they arose.
        """
        chosen = check_choice(self, "method", method, ("squarem", "anderson", "em"))
        own = type(self).start is not EM.start
        runs = (_RUNS if own else 0) if n_init is None else check_integer(self, "n_init", n_init, 0)
        if runs > 0 and not own:
            raise refuse(self, "n_init", n_init, "0 or None unless there is a start(self, rng)")
        tolerance = check_real(self, "tol", tol)
        max_iter = check_integer(self, "max_iter", max_iter, 0)
        seed = check_seed(self, random_state)
        driver = Driver(self, data, np.random.SeedSequence(seed).spawn(runs) if runs else None)
        found = _core.fit_own(
            driver,
            max(runs, 1),
            {"method": chosen, "max_iter": max_iter, "tolerance": tolerance, "parameters": bool(trace)},
        )
        driver.install(found["state"])
        self.status_ = found["status"]
        self.converged_ = self.status_ == "converged"
        self.n_iter_, self.objective_ = found["n_iter"], found["objective"]
        self.log_likelihood_, self.certificate_ = found["log_likelihood"], found["certificate"]
        self.trace_ = {"objective": found["objectives"], "nats_remaining": found["nats_remaining"]}
        if trace:
            self.trace_["parameters"] = driver.split(found["parameters"])
        if not self.certificate_["monotone"]:
            warnings.warn(
                f"the objective fell by {self.certificate_['largest_decrease']:.6g} nats in iteration "
                f"{self.certificate_['decrease_iteration']}: EM never does that, so e_step and m_step of "
                f"{type(self).__name__} contradict each other",
                ConvergenceWarning,
                stacklevel=2,
            )
        if not self.converged_ and max_iter > 0:
            warnings.warn(f"{self.status_}: {self.certificate_['detail']}", ConvergenceWarning, stacklevel=2)
        return self


@dataclass(frozen=True)
class State:
    """One set of parameters in a run, which nobody changes."""

    run: int
    iteration: int
    values: dict[str, Floats]


class Driver:
    """What the compiled module calls: puts a state into the author's object, asks it, and checks what it says."""

    def __init__(self, model: EM, data: Any, seeds: list[np.random.SeedSequence] | None) -> None:
        self._model, self._data, self._seeds = model, data, seeds
        self._name = type(model).__name__
        kinds = cast(object, getattr(model, "parameters", None))
        if not isinstance(kinds, Mapping) or not kinds:
            raise TypeError(f'{self._name} needs parameters, as in parameters = {{"theta": "probability"}}')
        self._kinds = cast("Mapping[str, str]", kinds)
        for name, kind in self._kinds.items():
            if kind not in DOMAINS:
                raise ValueError(f"{self._name}.parameters: {name!r} lives in one of {list(DOMAINS)}, not in {kind!r}")
        # An attribute that is a float stays one.
        self._scalar: set[str] = set()
        # SQUAREM needs both hooks or none.
        hooks = [getattr(type(model), hook) is not getattr(EM, hook) for hook in ("to_vector", "from_vector")]
        if hooks[0] != hooks[1]:
            raise TypeError(f"{self._name} needs both to_vector and from_vector, or neither")

    def begin(self, run: int) -> tuple[State, Floats, float]:
        """Return the state from which a run starts."""
        if self._seeds is not None:
            rng = np.random.default_rng(self._seeds[run])
            self._ask("start", State(run, 0, {}), lambda: self._model.start(rng))
        for name in self._kinds:
            if not hasattr(self._model, name):
                raise ValueError(f"{self._name} has no {name!r} at the start: set it in __init__ or in start")
        self._scalar = {name for name in self._kinds if np.ndim(getattr(self._model, name)) == 0}
        return self._state(State(run, 0, {}), "the start")

    def e_step(self, state: State, jumped: bool) -> tuple[Any, float]:
        """Return statistics and log-likelihood, which may be NaN where SQUAREM has jumped."""
        self.install(state)
        # What comes of a jump to where no model is will be taken back: no warnings of it.
        with np.errstate(all="ignore") if jumped else np.errstate():
            found = cast(Any, self._ask("e_step", state, lambda: self._model.e_step(self._data), jumped))
        place = f"e_step of {self._name}"
        if not (isinstance(found, tuple) and len(cast("tuple[Any, ...]", found)) == 2):
            raise TypeError(f"{place} must return (statistics, log_likelihood), not {_kind(cast(object, found))}")
        stats, log_likelihood = cast("tuple[Any, Any]", found)
        if stats is None:
            raise TypeError(f"{place} returned None for the statistics: m_step would have nothing to work with")
        return stats, _number(log_likelihood, f"{place}: the log-likelihood")

    def m_step(self, state: State, stats: Any) -> tuple[State, Floats, float]:
        """Return the state after an M-step."""
        self.install(state)
        returned: object = self._ask("m_step", state, lambda: self._model.m_step(stats))
        if returned is not None:
            raise TypeError(
                f"m_step of {self._name} returned {_kind(returned)}: it must set the parameters as attributes, and "
                "return nothing"
            )
        after = State(state.run, state.iteration + 1, state.values)
        return self._state(after, f"m_step of iteration {after.iteration} of run {state.run}")

    def jump(self, state: State, vector: Floats) -> tuple[State, Floats, float] | None:
        """Return the state at other coordinates, or None where there is no model."""
        self.install(state)
        if self._ask("from_vector", state, lambda: self._model.from_vector(vector), True) is False:
            return None
        return self._state(state, "from_vector")

    def install(self, state: State) -> None:
        """Put the parameters of a state into the author's object."""
        for name, value in state.values.items():
            setattr(self._model, name, float(value) if name in self._scalar else value.copy())

    def flat(self, state: State) -> Floats:
        """Return all parameters of a state one after the other."""
        return np.concatenate([value.ravel() for value in state.values.values()])

    def split(self, rows: Floats) -> dict[str, Floats]:
        """Return rows of `flat` as an array of iterations for each parameter."""
        out: dict[str, Floats] = {}
        at = 0
        for name in self._kinds:
            shape = np.shape(getattr(self._model, name))
            size = int(np.prod(shape))
            out[name] = rows[:, at : at + size].reshape(len(rows), *shape)
            at += size
        return out

    def _state(self, before: State, place: str) -> tuple[State, Floats, float]:
        """Return the parameters that the object has now, with their coordinates and log prior."""
        values: dict[str, Floats] = {}
        for name, kind in self._kinds.items():
            given = getattr(self._model, name)
            try:
                value = np.array(given, dtype=np.float64)
            except (TypeError, ValueError) as error:
                raise TypeError(f"{place}: {name!r} of {self._name} is {_kind(given)}, not numbers") from error
            old = before.values.get(name)
            if old is not None and value.shape != old.shape:
                raise ValueError(f"{place}: {name!r} of {self._name} has the shape {value.shape}, and had {old.shape}")
            if not np.isfinite(value).all():
                raise ValueError(
                    f"{place}: {name!r} of {self._name} is not finite: look for 0/0, logarithms of 0 and overflow"
                )
            wrong = DOMAINS[kind].wrong(value)
            if wrong:
                raise ValueError(f"{place}: {name!r} of {self._name} {wrong}, and is declared {kind!r}")
            values[name] = value
        state = State(before.run, before.iteration, values)
        log_prior = _number(self._ask("log_prior", state, self._model.log_prior), f"log_prior of {self._name}")
        return state, self._vector(state), log_prior

    def _vector(self, state: State) -> Floats:
        vector = np.array(self._ask("to_vector", state, self._model.to_vector), dtype=np.float64)
        if vector.ndim != 1:
            raise ValueError(
                f"to_vector of {self._name} returned an array of shape {vector.shape}: it must be a vector"
            )
        return vector

    def _ask(self, method: str, state: State, call: Callable[[], T], jumped: bool = False) -> T:
        with self._noting(method, state, jumped):
            return call()

    @contextmanager
    def _noting(self, method: str, state: State, jumped: bool) -> Generator[None]:
        """Add to an exception where it arose."""
        try:
            yield
        except BaseException as error:
            where = f"iteration {state.iteration + 1} of run {state.run}"
            if jumped:
                where += (
                    ", where SQUAREM has jumped: from_vector may refuse such parameters, and method='em' does not jump"
                )
            error.add_note(f"in {method} of {self._name}, {where}")
            raise


def _kind(value: object) -> str:
    """Say in a word or two what something is."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {cast('Floats', value).shape}"
    if isinstance(value, tuple):
        return f"a tuple of length {len(cast('tuple[Any, ...]', value))}"
    return "None" if value is None else f"a value of type {type(value).__name__}"


def _number(value: Any, what: str) -> float:
    """Return one real number, NaN and infinity included."""
    if np.ndim(value) != 0:
        raise ValueError(f"{what} is {_kind(np.asarray(value))}: it must be one number, the sum over all data")
    if isinstance(value, bool | complex | np.bool_ | np.complexfloating):
        raise TypeError(f"{what} is {value!r}: it must be one real number")
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{what} is {_kind(value)}: it must be one real number") from error
