"""The object that every explainer returns."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from shiftlab.exceptions import InputError
from shiftlab.explanation import LimeExplainer

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
E = LimeExplainer(n_samples=200, random_state=0).fit(X).explain(lambda T: T @ [1, -3, 2, 0.1], X)


def test_tables():
    wide = E.to_frame()
    assert wide.shape == (60, 9)
    np.testing.assert_array_equal(wide["x1"], E.values[:, 1])
    long = E.to_frame(layout="long")
    assert len(long) == 240
    assert long["value"][5] == E.values[1, 1]
    with pytest.raises(InputError, match="layout"):
        E.to_frame(layout="round")


def test_top_features():
    top = E.top_k(2)
    assert top["feature"].tolist()[:2] == ["x1", "x2"]
    assert top["rank"].max() == 2
    assert E.top_k(1, by="signed")["feature"].unique().tolist() == ["x2"]
    assert len(E.top_k(99)) == 240


def test_rows_can_be_chosen():
    assert len(E[3]) == 1
    assert len(E[:10]) == 10
    mask = X[:, 0] > 0
    np.testing.assert_array_equal(E[mask].values, E.values[mask])
    with pytest.raises(InputError, match="No row"):
        E[[]]


def test_truncation_keeps_the_largest_terms():
    np.testing.assert_allclose(E.truncated(4), E.surrogate_prediction)
    largest = np.abs(E.terms).argmax(axis=1)
    expected = E.base + E.terms[np.arange(60), largest]
    np.testing.assert_allclose(E.truncated(1), expected)


def test_repr_names_the_important():
    assert "LIME (around): 60 rows, 4 features" in repr(E)
    assert repr(E).index("x1") < repr(E).index("x2")


def test_pictures():
    for options in ({}, {"row": 3}, {"k": 2}):
        axes = E.plot(**options)
        axes.figure.canvas.draw()
    assert [t.get_text() for t in E.plot(k=1).get_yticklabels()] == ["x1"]
    with pytest.raises(InputError, match="row must lie"):
        E.plot(row=60)
    plt.close("all")
