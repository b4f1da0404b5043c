import pickle
import zipfile

import numpy as np
import pytest

from shiftlab._core.persist import load_model, save_model
from shiftlab.exceptions import InputError

pytest.importorskip("skops")


def test_a_fitted_model_comes_back(tmp_path):
    from sklearn.linear_model import LogisticRegression

    X = np.array([[0.0], [1.0], [2.0], [3.0]])
    model = LogisticRegression().fit(X, [0, 0, 1, 1])
    path = save_model(model, tmp_path / "new" / "model.skops")
    np.testing.assert_array_equal(load_model(path).predict_proba(X), model.predict_proba(X))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"no file .*absent\.skops"):
        load_model(tmp_path / "absent.skops")


@pytest.mark.parametrize("content", [b"", b"text", pickle.dumps({"a": 1})])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "model.skops"
    path.write_bytes(content)
    with pytest.raises(InputError, match="not a skops file"):
        load_model(path)


def test_unknown_types_are_refused_until_named(tmp_path):
    skops = pytest.importorskip("skops.io")
    from fractions import Fraction

    path = tmp_path / "model.skops"
    skops.dump({"a": Fraction(1, 2)}, path)
    assert zipfile.is_zipfile(path)
    with pytest.raises(InputError, match=r"fractions\.Fraction"):
        load_model(path)
    assert load_model(path, trusted=["fractions.Fraction"])["a"] == Fraction(1, 2)
