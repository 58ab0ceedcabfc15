"""What `verbose` shows while a fit runs: lines on standard output, or a tqdm progress bar."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

Listener = Callable[[str], object]


@contextmanager
def listening(verbose: object) -> Generator[Listener | None]:
    """Give the function that is told of iterations; None where nobody wants to know."""
    if verbose == "tqdm":
        # Nobody knows how many iterations there will be: the bar has no end.
        with bar_class()(desc="EM", unit=" iterations") as bar:

            def move(line: str) -> None:
                bar.set_postfix_str(line, refresh=False)
                bar.update()

            yield move
    else:
        yield _say if verbose else None


def bar_class() -> Any:
    """Return tqdm's class for where we are: a widget in a notebook, else text on standard error."""
    try:
        return import_module("tqdm.auto").tqdm
    except ImportError as error:
        raise ImportError('verbose="tqdm" needs the package tqdm: pip install tqdm') from error


def _say(line: str) -> None:
    print(line, file=sys.stdout, flush=True)
