"""The tools at a given start: mixtura, oneDAL, Armadillo and scikit-learn take a given number of plain EM iterations.

`TOOLS` has those that this machine has, by name. Each takes a `Problem` and a number of iterations and gives a `Run`. All add
1e-6 to every variance, or have it as a floor. `log_likelihood` judges every tool's parameters in the same way.
"""
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
import time
import warnings
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache, cached_property, partial
from pathlib import Path

import common
import mixtura
import numpy as np
import sklearn.mixture
from threadpoolctl import threadpool_info, threadpool_limits

try:
    import daal4py
except ImportError:
    daal4py = None

warnings.simplefilter("ignore")
ARMADILLO = common.HERE / "armadillo.cpp"
# A fit of more than so many seconds is timed once.
LONG = 60.0
# What went wrong, for the end of the bench and its exit code.
failed = []


@dataclass
class Problem:
    """Rows, and the start: equal weights, these means, unit covariances of this structure ("full" or "diag")."""

    x: np.ndarray
    means: np.ndarray
    covariance: str = "full"

    @property
    def sizes(self):
        return (len(self.x), *reversed(self.means.shape))

    def unit(self):
        _, d, k = self.sizes
        return np.broadcast_to(np.eye(d), (k, d, d)).copy() if self.covariance == "full" else np.ones((k, d))

    @cached_property
    def files(self):
        """The rows and the means as raw numbers, for other processes; the folder goes with the problem."""
        folder = tempfile.TemporaryDirectory(prefix="mixtura-peers-")
        self.x.tofile(Path(folder.name) / "x")
        self.means.astype(self.x.dtype).tofile(Path(folder.name) / "means")
        return folder


@dataclass
class Run:
    """What a tool did: iterations may be fewer than asked for; `memory` in bytes where the tool's process says it."""

    seconds: float
    iterations: int
    weights: np.ndarray
    means: np.ndarray
    covariances: np.ndarray
    memory: int | None = None


def estimator(cls, problem, iterations, tol=0.0, **more):
    """An unfitted estimator of scikit-learn's kind at the problem's start."""
    k = len(problem.means)
    return cls(k, covariance_type=problem.covariance, tol=tol, max_iter=iterations, weights_init=np.full(k, 1 / k),
               means_init=problem.means, precisions_init=problem.unit(), init_params="random_from_data", random_state=0,
               **{"reg_covar": 1e-6, **more})


def timed(model, x):
    begin = time.perf_counter()
    model.fit(x)
    return Run(time.perf_counter() - begin, model.n_iter_, model.weights_, model.means_, model.covariances_)


def ours(problem, iterations):
    return timed(estimator(mixtura.GaussianMixture, problem, iterations), problem.x)


def scikit(problem, iterations, threads=None):
    with threadpool_limits(threads, "blas") if threads else nullcontext():
        return timed(estimator(sklearn.mixture.GaussianMixture, problem, iterations), problem.x)


def onedal(problem, iterations):
    _, _, k = problem.sizes
    x = problem.x
    width = "float" if x.dtype == np.float32 else "double"
    start = np.full((1, k), 1 / k, dtype=x.dtype), problem.means.astype(x.dtype), list(problem.unit().astype(x.dtype))
    em = daal4py.em_gmm(nComponents=k, maxIterations=iterations, accuracyThreshold=0.0, regularizationFactor=1e-6, fptype=width)
    begin = time.perf_counter()
    done = em.compute(x, *start)
    # It stops by itself once its objective does not rise, whatever the threshold.
    return Run(time.perf_counter() - begin, int(done.nIterations[0, 0]), done.weights[0], done.means, np.stack(done.covariances))


@cache
def armadillo_program():
    """The compiled program, or the reason why there is none."""
    compiler = shutil.which("g++")
    if not compiler:
        return None, "not measured: there is no g++"
    about = ARMADILLO.read_bytes() + repr((platform.node(), platform.processor(), subprocess.check_output([compiler, "--version"]))).encode()
    common.cache().mkdir(parents=True, exist_ok=True)
    program = common.cache() / ("mixtura-peers-armadillo-" + hashlib.sha256(about).hexdigest()[:12])
    if not program.exists():
        fresh = program.with_suffix(f".{os.getpid()}")
        command = [compiler, "-O3", "-march=native", "-fopenmp", str(ARMADILLO), "-larmadillo", "-o", str(fresh)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            absent = "armadillo: No such file" in done.stderr or "cannot find -larmadillo" in done.stderr
            return None, "not installed (Debian: apt install libarmadillo-dev)" if absent else "not measured: " + done.stderr.strip()[:500]
        fresh.rename(program)
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    return program, f"{version}, g++ -O3 -march=native -fopenmp"


def armadillo(problem, iterations):
    n, d, k = problem.sizes
    folder = Path(problem.files.name)
    width = "float" if problem.x.dtype == np.float32 else "double"
    command = [armadillo_program()[0], problem.covariance, width, n, d, k, iterations, folder / "x", folder / "means", folder / "result"]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"exit {done.returncode}: {done.stderr.strip()}")
    seconds, count, memory = done.stdout.split()
    weights, means, covariances = np.split(np.fromfile(folder / "result"), [k, k + k * d])
    shape = (k, d, d) if problem.covariance == "full" else (k, d)
    return Run(float(seconds), int(count), weights, means.reshape(k, d), covariances.reshape(shape), int(memory))


TOOLS = {"mixtura": ours}
if daal4py:
    TOOLS["oneDAL"] = onedal
if armadillo_program()[0]:
    TOOLS["Armadillo"] = armadillo
TOOLS |= {"scikit-learn": scikit, "scikit-learn, 1 BLAS thread": partial(scikit, threads=1)}


def describe():
    """Print which tools there are, and their versions."""
    print("mixtura", common.metadata.version("mixtura"))
    blas = [f"{i['internal_api']} {i['version']} ({i['num_threads']} threads)" for i in threadpool_info() if i["user_api"] == "blas"]
    print("BLAS of scikit-learn:", ", ".join(blas))
    print("oneDAL:", "scikit-learn-intelex " + common.metadata.version("scikit-learn-intelex") if daal4py else "not installed")
    print("Armadillo:", armadillo_program()[1], flush=True)


def attempt(what, run, *arguments):
    """The result, or None after a line that says what failed: one failure must not end a long bench."""
    try:
        return run(*arguments)
    except Exception as error:
        failed.append(f"{what}: {type(error).__name__}: {error}")
        print("failed:", failed[-1], flush=True)
        return None


def scikit_seconds(n, d, k):
    """About the time of one of scikit-learn's iterations; the others are faster."""
    return 4e-9 * n * k * (d * d / 8 + d + 20)


def log_likelihood(x, run, covariance="full"):
    """Total log-likelihood of a run's parameters, by scikit-learn, in 64 bit and some rows at a time."""
    judge = sklearn.mixture.GaussianMixture(len(run.weights), covariance_type=covariance)
    judge.weights_, judge.means_, judge.covariances_ = (np.asarray(v, np.float64) for v in (run.weights, run.means, run.covariances))
    if covariance == "full":
        judge.precisions_cholesky_ = np.swapaxes(np.linalg.inv(np.linalg.cholesky(judge.covariances_)), 1, 2)
    else:
        judge.precisions_cholesky_ = 1 / np.sqrt(judge.covariances_)
    step = max(1, 10_000_000 // (len(run.weights) + x.shape[1]))
    return sum(judge.score_samples(x[i : i + step].astype(np.float64)).sum() for i in range(0, len(x), step))
