"""Runs scikit-learn's own tests with this package's estimators in the place of its own.

    python python/tests/run_sklearn_tests.py

Every test of the files runs, with 32-bit numbers too and with five random seeds where a test asks for them. Those that
fail must be listed in `EXCEPTIONS` or `FAILURES`, with the reason; a listed pattern under which nothing fails is
reported, so that the lists stay true. Exit code 0 where every failure is listed.
"""

from __future__ import annotations

import os
import re
import sys

import mixtura
import pytest
import sklearn.cluster
import sklearn.mixture

FILES = (
    "sklearn.mixture.tests.test_gaussian_mixture",
    "sklearn.mixture.tests.test_bayesian_mixture",
    "sklearn.mixture.tests.test_mixture",
    "sklearn.cluster.tests.test_k_means",
)

#: What scikit-learn's conftest reads, and tests that are there only where it has been read.
SETTINGS = {"SKLEARN_TESTS_GLOBAL_RANDOM_SEED": "0-4", "SKLEARN_RUN_FLOAT32_TESTS": "1"}
SIGNS = {f"test_means_for_all_inits[{seed}-float32-kmeans]" for seed in range(5)}

#: Test (a pattern at the start of its name) and why it cannot pass.
EXCEPTIONS: dict[str, str] = {
    # Gaussian mixtures: private functions of the original.
    r"test_gaussian_mixture_precisions_init\[": "calls private functions (_initialize, _set_parameters)",
    "test_gaussian_mixture_all_init_does_not_estimate_gaussian_parameters": "counts calls of a private function",
    # Gaussian mixtures: the wording of a message.
    "test_check_weights": "compares a message word for word",
    "test_gaussian_mixture_fit_convergence_warning": "compares a message word for word; ours says the status",
    "test_regularisation": "compares a message word for word (and fewer distinct rows than components are refused)",
    # Gaussian mixtures: what is different on purpose.
    "test_gaussian_mixture_precisions_init_diag": "compares the default start, no k-means here, with k-means",
    "test_gaussian_mixture_setting_best_params": "reg_covar=0, components on one row each: their variance is exactly 0 "
    "and refused; there rounding leaves about 1e-17 and the fit goes on",
    "test_init": "a run in which a component collapses ranks last, whatever its likelihood: more runs may end lower",
    # Variational Bayes: private functions of the original (test_parity.py compares the structures' M-steps).
    "test_compare_covar_type": "calls private functions (_check_parameters, _initialize_parameters)",
    # K-means: private functions and attributes, wording.
    "test_kmeans_init_auto_with_initial_centroids": "reads the private _n_init",
    "test_n_init_auto": "reads the private _n_init",
    "test_sample_weight_(init|zero)": "calls the private _init_centroids",
    "test_kmeans_verbose": "compares the progress messages",
    "test_warning_elkan_1_cluster": "a warning about an algorithm that is not used",
    # K-means: what is different on purpose.
    "test_float_precision": "centres are 64-bit whatever the input",
    r".*(sparse_|csr|X_csr)": "sparse tables are refused",
    "test_dense_sparse": "sparse tables are refused",
}

#: What a test fails with (a pattern anywhere in the message) and why it cannot pass.
FAILURES: dict[str, str] = {
    r"dtype\('float64'\) == <class 'numpy.float32'>": "attributes and results are 64-bit whatever the input",
}


class Results:
    """Collects what became of every test."""

    def __init__(self) -> None:
        self.passed: list[str] = []
        self.skipped: list[str] = []
        self.failed: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = report.nodeid.rsplit("::", 1)[-1]
        if report.failed:
            self.failed[name] = str(report.longrepr).strip()
        elif report.when == "call" and report.passed:
            self.passed.append(name)
        elif report.skipped:
            self.skipped.append(name)


def reasons(name: str, failure: str) -> list[str]:
    """Return the listed patterns that a failed test comes under."""
    by_name = [pattern for pattern in EXCEPTIONS if re.match(pattern, name)]
    return by_name or [pattern for pattern in FAILURES if re.search(pattern, failure)]


def main() -> int:
    """Run the files and compare with the list."""
    sklearn.mixture.GaussianMixture = mixtura.GaussianMixture
    sklearn.mixture.BayesianGaussianMixture = mixtura.BayesianGaussianMixture
    sklearn.cluster.KMeans = mixtura.KMeans
    # The conftest is imported when pytest collects.
    os.environ.update(SETTINGS)
    wrong, used, ran = 0, set[str](), set[str]()
    for file in FILES:
        results = Results()
        pytest.main(
            ["--pyargs", file, "-q", "--no-header", "--no-summary", "-p", "no:cacheprovider", "-W", "ignore",
             "--tb=line", "-c", "/dev/null", "--rootdir", sys.prefix],
            plugins=[results],
        )  # fmt: skip
        under = {name: reasons(name, failure) for name, failure in results.failed.items()}
        unlisted = {name: failure for name, failure in results.failed.items() if not under[name]}
        listed = len(results.failed) - len(unlisted)
        print(f"\n{file}: {len(results.passed)} passed, {len(results.skipped)} skipped, {listed} listed exceptions")
        for name, failure in unlisted.items():
            print(f"  FAILED, not listed: {name}: {failure}")
        for pattern, why in (EXCEPTIONS | FAILURES).items():
            count = sum(pattern in patterns for patterns in under.values())
            if count:
                used.add(pattern)
                print(f"  {count:3} {pattern}: {why}")
        ran.update(results.passed, results.failed)
        wrong += len(unlisted) + (len(results.passed) == 0)
    for pattern in (EXCEPTIONS | FAILURES).keys() - used:
        print(f"nothing fails under the listed {pattern}: take it off the list")
    for name in SIGNS - ran:
        print(f"{name} did not run: scikit-learn has not read {', '.join(SETTINGS)}")
        wrong += 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
