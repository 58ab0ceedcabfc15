"""The lessons as tables: the numbers are those of the golden values, which no mixtura made."""

import json
from pathlib import Path

import numpy as np
import pytest
from mixtura import teach

CASES = Path(__file__).resolve().parents[2] / "golden/cases"


def item(case, name):
    (found,) = [i for i in json.loads((CASES / f"{case}.json").read_text("utf-8"))["items"] if i["name"] == name]
    return found["expected"]


def column(lesson, name):
    return [step[name] for step in lesson.steps]


def test_coins_are_those_of_the_paper():
    want = np.array(item("textbook", "coin_do_batzoglou_2008")["path_0_to_10"])
    got = teach.coins()
    # The item's own tolerance.
    np.testing.assert_allclose(column(got, "theta_A"), want[:, 0], rtol=0, atol=1e-12)
    np.testing.assert_allclose(column(got, "theta_B"), want[:, 1], rtol=0, atol=1e-12)
    assert got.steps[0]["heads_A"] is None
    assert next(iter(got.steps[0])) == "iteration"
    assert "early stop" in str(got)
    own = teach.coins([[5, 10], [9, 10], [8, 10], [4, 10], [7, 10]], start=[0.6, 0.5])
    assert own.steps == got.steps


def test_moths_and_own_triples():
    want = item("incomplete_data", "peppered_moth")["path_0_to_10"][-1]
    got = teach.moths()
    np.testing.assert_allclose([got.steps[-1][p] for p in ("p_C", "p_I", "p_T")], want, rtol=0, atol=1e-12)
    own = teach.moths([("carbonaria", "CC|CI|CT", 85), ("insularia", "II|IT", 196), ("typica", "TT", 341)])
    assert own.steps == got.steps


def test_every_lesson_runs_and_keeps_its_columns():
    for entry in teach.lessons():
        lesson = getattr(teach, entry["name"])()
        assert lesson.title == entry["title"]
        names = list(lesson.steps[0])
        assert names[1:-1] == lesson.e_columns + lesson.m_columns


def test_steps_make_a_data_frame():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(teach.linkage().steps).set_index("iteration")
    # The paper's table, to the digits of the golden path.
    want = item("incomplete_data", "dlr_linkage")["path"]
    np.testing.assert_allclose(frame["theta"], want, rtol=0, atol=1e-12)
    values = pandas.DataFrame({"extra": [1, 2, 3], "x": [0.0, 0.1, 4.0]})
    assert teach.gmm1d(values, iterations=1).steps[1]["iteration"] == 1


def test_bad_data_and_options_are_one_sentence():
    with pytest.raises(ValueError, match="more than the 10 flips"):
        teach.coins([[11, 10]])
    with pytest.raises(ValueError, match="sum to 1"):
        teach.moths(start=[0.5, 0.1, 0.1])
    with pytest.raises(ValueError, match="dimensions"):
        teach.gmm2d(np.zeros((2, 2, 2)))
