"""Runs scikit-learn's own tests with this package's estimators in the place of its own.

    python python/tests/run_sklearn_tests.py

Every test of the two files runs. Those that fail must be listed in `EXCEPTIONS`, with the reason; one that is listed and
passes is reported, so that the list stays true. Exit code 0 where the failures are exactly the listed ones.
"""

from __future__ import annotations

import re
import sys

import pytest
import sklearn.cluster
import sklearn.mixture

import mixtura

FILES = ("sklearn.mixture.tests.test_gaussian_mixture", "sklearn.cluster.tests.test_k_means")

#: Test (a pattern at the start of its name) and why it cannot pass.
EXCEPTIONS: dict[str, str] = {}


class Results:
    """Collects what became of every test."""

    def __init__(self) -> None:
        self.passed: list[str] = []
        self.skipped: list[str] = []
        self.failed: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = report.nodeid.rsplit("::", 1)[-1]
        if report.failed:
            self.failed[name] = str(report.longrepr).strip().splitlines()[-1]
        elif report.when == "call" and report.passed:
            self.passed.append(name)
        elif report.skipped:
            self.skipped.append(name)


def reason(name: str) -> str | None:
    """Why a test is an exception; None where it is none."""
    return next((why for pattern, why in EXCEPTIONS.items() if re.match(pattern, name)), None)


def main() -> int:
    """Run the files and compare with the list."""
    sklearn.mixture.GaussianMixture = mixtura.GaussianMixture
    sklearn.cluster.KMeans = mixtura.KMeans
    wrong = 0
    for file in FILES:
        results = Results()
        pytest.main(
            ["--pyargs", file, "-q", "--no-header", "--no-summary", "-p", "no:cacheprovider", "-W", "ignore", "--tb=line",
             "-c", "/dev/null", "--rootdir", sys.prefix],
            plugins=[results],
        )  # fmt: skip
        unlisted = {name: why for name, why in results.failed.items() if reason(name) is None}
        stale = sorted(name for name in results.passed if reason(name) is not None)
        listed = len(results.failed) - len(unlisted)
        print(f"\n{file}: {len(results.passed)} passed, {len(results.skipped)} skipped, {listed} listed exceptions")
        for name, why in unlisted.items():
            print(f"  FAILED, not listed: {name}: {why}")
        for name in stale:
            print(f"  passes although listed: {name}")
        wrong += len(unlisted) + (len(results.passed) == 0)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
