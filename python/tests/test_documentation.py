"""The documentation says what is true: its code runs, its tables are complete, the tutorial finds what it tells."""

import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import mixtura
import numpy as np
import pytest
from sklearn.base import BaseEstimator

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = (ROOT / "docs/python.md").read_text("utf-8")
PUBLIC = [getattr(mixtura, name) for name in mixtura.__all__]
CLASSES = [thing for thing in PUBLIC if inspect.isclass(thing)]
MADE = [
    thing for thing in PUBLIC if callable(thing) and thing not in (mixtura.Selection, mixtura.Errors)
]  # nobody calls these


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def test_code_of_the_reference_runs(tmp_path, monkeypatch):
    pytest.importorskip("skl2onnx", reason="skl2onnx has no wheel here")
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    space = {"X": np.concatenate([rng.normal(m, 1, size=(60, 2)) for m in (0, 6, 12)])}
    code = blocks(REFERENCE, "python")
    assert len(code) >= 2
    for block in code:
        exec(block, space)
    assert space["best"].n_components == 3
    assert mixtura.GaussianMixture.load("model.json").n_components == 3


def test_the_line_of_the_readme_runs():
    (code,) = re.findall(r'^python -c "(.*)"$', (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
    out = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True).stdout
    means = sorted(float(number) for number in re.findall(r"[\d.]+", out))
    np.testing.assert_allclose(means, [0.1, 5.15], atol=1e-6)  # printed with 8 digits


def own_members(cls):
    """Return the public names of a class that scikit-learn's bases do not have."""
    inherited = {*dir(BaseEstimator), "set_fit_request", "set_score_request", "set_output", *dir(object)}
    return sorted(name for name in dir(cls) if not name.startswith("_") and name not in inherited)


@pytest.mark.parametrize("thing", MADE, ids=lambda thing: thing.__name__)
def test_every_signature_is_in_the_reference(thing):
    (said,) = re.findall(rf"^`{thing.__name__}\((.*?)\)`", REFERENCE, re.DOTALL | re.MULTILINE)
    assert re.sub(r'="?\w+"?|[*,]', " ", said).split() == list(inspect.signature(thing).parameters)
    assert inspect.getdoc(thing)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_member_is_in_the_reference_and_in_help(cls):
    members = own_members(cls)
    annotated = [name for base in cls.__mro__ for name in inspect.get_annotations(base) if not name.startswith("_")]
    fitted = issubclass(cls, BaseEstimator)  # what a fit sets ends in an underscore; the others are parameters
    attributes = {name for name in annotated if name.endswith("_") or not fitted}
    assert members and attributes
    missing = [name for name in {*members, *attributes} if not re.search(rf"`{name}\b", REFERENCE)]
    assert not missing, f"docs/python.md does not have {missing}"
    for name in members:
        member = inspect.getattr_static(cls, name)
        assert not callable(getattr(cls, name)) or inspect.getdoc(getattr(cls, name)), f"{name} has no docstring"
        assert not isinstance(member, property) or member.__doc__, f"{name} has no docstring"
    parameters = set(inspect.signature(cls).parameters)
    described = " ".join(re.findall(r"^ {4}(\w.*) : ", cls.__doc__, re.MULTILINE))
    unsaid = [name for name in {*parameters, *attributes} if not re.search(rf"\b{name}\b", described)]
    assert not unsaid, f"help({cls.__name__}) does not have {unsaid}"


@pytest.mark.parametrize("Mixture", [mixtura.GaussianMixture, mixtura.BayesianGaussianMixture])
def test_every_key_of_the_certificate_is_in_the_reference_and_in_help(Mixture):
    model = Mixture(1, random_state=0).fit(np.random.default_rng(0).normal(size=(20, 1)))
    keys = [*model.certificate_, *model.trace_]
    assert not [key for key in keys if f"`{key}`" not in REFERENCE]
    assert not [key for key in keys if f'"{key}"' not in Mixture.__doc__]


def test_tutorial_of_the_digits(monkeypatch):
    """Its cells run, and find what its text says.

    Outputs in the file: `jupyter nbconvert --to notebook --execute --inplace docs/tutorials/digits.ipynb`.
    """
    matplotlib = pytest.importorskip("matplotlib", reason="matplotlib has no wheel here")
    pytest.importorskip("matplotlib.pyplot")
    matplotlib.use("Agg")
    monkeypatch.setattr(matplotlib.pyplot, "show", lambda: None)
    notebook = json.loads((ROOT / "docs/tutorials/digits.ipynb").read_text("utf-8"))
    space = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), space)
            matplotlib.pyplot.close("all")

    # Where the curves are lowest is 150, 130 and 50 here; they are flat: rounding elsewhere may move it a few steps.
    assert space["lowest"][1e-2] < 100 <= min(space["lowest"][1e-4], space["lowest"][1e-6])
    assert space["many"].status_ == "degenerate"
    assert space["parameters"] > space["n"] * space["d"] and space["on_floor"] + space["spikes"] > 100
    # The floor is 1e-10 of the data's variance, its root 1e-5: draws in 41 directions stay within some ten of these.
    assert space["away"].max() < 1e-3
    # One direction without spread costs half a squared distance of about 1 over the floor: 1e9 nats.
    assert space["heart"].score(space["B"]) < -1e6
    assert space["best"][1] == "full" and space["best"][2] <= 12
    assert space["model"].n_components < 10 and space["model"].converged_
