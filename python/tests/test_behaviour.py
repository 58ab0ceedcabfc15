"""How the estimators live with Python: signals, threads, pickles, pipelines, searches, routing."""

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import warnings

import numpy as np
import pytest
import sklearn
from mixtura import BayesianGaussianMixture, GaussianMixture, KMeans
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

both = pytest.mark.parametrize("Mixture", [GaussianMixture, BayesianGaussianMixture])


def data(n=300, d=2, seed=0):
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(m, 1, size=(n // 2, d)) for m in (0, 6)])


def interrupt_after(seconds):
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    return timer


@both
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_ctrl_c_keeps_what_was_reached_and_says_so(Mixture):
    X = np.random.default_rng(0).normal(size=(200_000, 8))
    model = Mixture(10, tol=0.0, max_iter=1_000_000, init_params="random_from_data", random_state=0)
    timer = interrupt_after(2.0)
    began = time.monotonic()
    with pytest.raises(
        KeyboardInterrupt, match=r"interrupted after \d+ iterations: the estimator holds what was reached"
    ):
        model.fit(X)
    timer.join()
    # One iteration and one last pass over the rows, on a machine that may be busy.
    assert time.monotonic() - began < 2.0 + 5.0
    assert model.status_ == "stopped" and not model.converged_
    assert model.predict(X[:5]).shape == (5,)


def test_ctrl_c_before_anything_was_reached():
    X = np.random.default_rng(0).normal(size=(400_000, 8))
    model = KMeans(200, tol=0.0, max_iter=100_000, init=X[:200])
    timer = interrupt_after(0.5)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X)
    timer.join()
    with pytest.raises(NotFittedError):
        model.predict(X[:5])


def test_other_threads_run_meanwhile():
    X = np.random.default_rng(0).normal(size=(100_000, 8))
    ticks, done = [], threading.Event()

    def tick():
        while not done.is_set():
            ticks.append(time.monotonic())
            time.sleep(0.005)

    thread = threading.Thread(target=tick)
    thread.start()
    began = time.monotonic()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        GaussianMixture(8, tol=0.0, max_iter=30, init_params="random_from_data", random_state=0).fit(X)
    passed = time.monotonic() - began
    done.set()
    thread.join()
    # With the lock held all along there would be a handful.
    assert len([t for t in ticks if t > began]) > 0.1 * passed / 0.005


@both
def test_the_number_of_threads_changes_no_bit(Mixture):
    X = data(20_000)
    one, three = (Mixture(2, random_state=0, n_jobs=n).fit(X) for n in (1, 3))
    assert_array_equal(one.means_, three.means_)
    assert one.objective_ == three.objective_


def test_a_thread_limit_is_obeyed():
    code = """
import os, sys, numpy as np
from mixtura import GaussianMixture
before = len(os.listdir("/proc/self/task"))
GaussianMixture(2, random_state=0).fit(np.random.default_rng(0).normal(size=(9000, 2)))
print(len(os.listdir("/proc/self/task")) - before)
"""
    if not os.path.isdir("/proc/self/task"):
        pytest.fail("this test counts threads in /proc, which is not there")
    env = {**os.environ, "RAYON_NUM_THREADS": "3"}
    out = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], env=env, capture_output=True, text=True, check=True
    )
    assert int(out.stdout) == 3


def test_after_a_fork_there_are_threads_again():
    code = """
import os, warnings, numpy as np
from mixtura import GaussianMixture
X = np.random.default_rng(0).normal(size=(9000, 2))
GaussianMixture(1, n_jobs=2).fit(X)
warnings.simplefilter("ignore")
pid = os.fork()
GaussianMixture(1, n_jobs=2).fit(X)
if pid:
    raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
os._exit(0)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_pickle_and_clone():
    X = data()
    for estimator in (GaussianMixture, BayesianGaussianMixture, KMeans):
        model = estimator(2, random_state=0).fit(X)
        again = pickle.loads(pickle.dumps(model))
        assert_array_equal(again.predict(X), model.predict(X))
        assert again.score(X) == model.score(X)
        fresh = clone(model)
        assert fresh.get_params() == model.get_params()
        with pytest.raises(NotFittedError):
            fresh.predict(X)


@both
def test_pipeline_search_and_complete_labels(Mixture):
    X, y = data(), np.repeat([0, 1], 150)
    pipeline = make_pipeline(StandardScaler(), Mixture(random_state=0))
    parameter = f"{Mixture.__name__.lower()}__n_components"
    search = GridSearchCV(pipeline, {parameter: [1, 2]}, cv=3)
    # A grid search hands y on: complete labels are none of the mixture's business, as in scikit-learn.
    search.fit(X, y)
    assert search.best_params_ == {parameter: 2}


@both
def test_metadata_routing(Mixture):
    X, w = data(), np.random.default_rng(1).integers(0, 4, 300).astype(float)
    with sklearn.config_context(enable_metadata_routing=True):
        mixture = Mixture(2, random_state=0).set_fit_request(sample_weight=True)
        mixture.set_score_request(sample_weight=True)
        search = GridSearchCV(mixture, {"covariance_type": ["full", "diag"]}, cv=2).fit(X, sample_weight=w)
    assert search.best_estimator_.converged_


def test_set_output():
    pytest.importorskip("pandas")
    X = data()
    table = KMeans(2, random_state=0).set_output(transform="pandas").fit_transform(X)
    assert list(table.columns) == ["kmeans0", "kmeans1"]


@both
def test_verbose_speaks(capsys, Mixture):
    Mixture(2, random_state=0, n_init=2, verbose=1, verbose_interval=1).fit(data())
    said = capsys.readouterr().out
    assert "run 0, iteration 1" in said and "run 1, iteration 1" in said


@both
def test_a_progress_bar(capsys, Mixture):
    pytest.importorskip("tqdm")
    X = data()
    options = {"tol": 0.0, "max_iter": 7, "init_params": "kmeans", "random_state": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 7 iterations are few
        model = clone(Mixture(2, verbose="tqdm", verbose_interval=5, **options)).fit(X)
        assert_array_equal(model.means_, Mixture(2, **options).fit(X).means_)
    said = capsys.readouterr()
    assert said.out == ""
    last = said.err.rstrip().rsplit("\r", 1)[-1]
    assert "7 iterations" in last and "run 0, iteration 7" in last


@both
def test_a_progress_bar_without_tqdm(monkeypatch, Mixture):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    model = Mixture(2, verbose="tqdm")
    with pytest.raises(ImportError, match="pip install tqdm"):
        model.fit(data())
    assert not hasattr(model, "means_")


def test_the_command_comes_with_the_package(tmp_path):
    X = data()
    np.savetxt(tmp_path / "x.csv", X, delimiter=",", header="a,b", comments="")
    command = [sys.executable, "-c", "from mixtura._command import main; raise SystemExit(main())"]
    model = tmp_path / "m.json"
    subprocess.run(
        [*command, "fit", str(tmp_path / "x.csv"), "-k", "2", "--out", str(model)], check=True, capture_output=True
    )
    assert GaussianMixture.load(model).means_.shape == (2, 2)
    wrong = subprocess.run([*command, "fit"], capture_output=True, text=True)
    assert wrong.returncode == 2 and "required arguments" in wrong.stderr


@both
def test_the_bound_is_kept_on_request(Mixture):
    rng = np.random.default_rng(7)
    X = np.concatenate([rng.normal(m, 3.0, size=(80, 2)) for m in (0, 8)]) * [1.0, 1e-3]
    quiet, told = (Mixture(2, random_state=0, trace_bound=b).fit(X) for b in (False, True))
    assert "bound" not in quiet.trace_ and quiet.objective_ == told.objective_
    log_likelihood, bound, divergence = told.trace_["bound"].T
    assert len(bound) == 2 * told.n_iter_
    # Sums of a few hundred terms: far below 1e-10 of them.
    np.testing.assert_allclose(bound + divergence, log_likelihood, rtol=1e-10, atol=1e-10)
    assert (divergence > -1e-10).all() and (divergence[::2] == 0).all() and divergence[1] > 0
    # In the data's own units, as score_samples has them: the last step of a converged run moves less than 0.001 nats.
    np.testing.assert_allclose(log_likelihood[-1], told.score_samples(X).sum(), rtol=0, atol=1e-3)
    with pytest.raises(ValueError, match="trace_bound"):
        Mixture(2, trace_bound="yes").fit(X)


@both
def test_exact_e_steps_end_where_the_others_do(Mixture):
    rng = np.random.default_rng(8)
    X = np.concatenate([rng.normal(m, 1.0, size=(80, 2)) for m in (0, 30)])
    quick, exact = (Mixture(2, random_state=0, exact=e).fit(X) for e in (False, True))
    # What is left out is below 160 rows x 2 components x 9e-27 nats; both stop within 0.001 nats of their optimum.
    assert abs(quick.objective_ - exact.objective_) < 2e-3
    with pytest.raises(ValueError, match="exact"):
        Mixture(2, exact="yes").fit(X)
