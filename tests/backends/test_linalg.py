"""Linear algebra: agreement with NumPy and SciPy, singular matrices, warnings."""

import warnings

import numpy as np
import pytest

from shiftlab.backends import cholesky_psd, cholesky_solve, eigh_psd, logsumexp, to_numpy
from shiftlab.exceptions import DegenerateDataError, InputError, NumericalWarning


@pytest.fixture
def covariance():
    root = np.random.default_rng(0).normal(size=(6, 9))
    return root @ root.T


@pytest.fixture
def singular():
    root = np.random.default_rng(1).normal(size=(6, 3))
    return root @ root.T


def test_solve(xp, covariance):
    right = np.random.default_rng(2).normal(size=(6, 2))
    found = cholesky_solve(xp(covariance), xp(right))
    np.testing.assert_allclose(to_numpy(found), np.linalg.solve(covariance, right), atol=1e-10)
    one = cholesky_solve(xp(covariance), xp(right[:, 0]))
    np.testing.assert_allclose(to_numpy(one), to_numpy(found)[:, 0], atol=1e-12)


def test_cholesky_without_trouble_adds_nothing(xp, covariance):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        factor, jitter = cholesky_psd(xp(covariance))
    assert jitter == 0.0
    np.testing.assert_allclose(to_numpy(factor), np.linalg.cholesky(covariance), atol=1e-12)


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_a_singular_matrix_is_repaired_and_reported(xp, singular, scale):
    matrix = singular * scale
    with pytest.warns(NumericalWarning, match="singular to rounding; 1e-"):
        factor, jitter = cholesky_psd(xp(matrix))
    factor = to_numpy(factor)
    assert jitter == pytest.approx(1e-12 * np.diag(matrix).mean())
    np.testing.assert_allclose(factor @ factor.T, matrix + jitter * np.eye(6), atol=1e-10 * scale)
    right = matrix @ np.ones(6)
    with pytest.warns(NumericalWarning):
        solution = to_numpy(cholesky_solve(xp(matrix), xp(right)))
    np.testing.assert_allclose(matrix @ solution, right, rtol=1e-3)


def test_an_indefinite_matrix_is_refused(xp):
    with pytest.raises(DegenerateDataError, match="duplicated or constant columns"):
        cholesky_psd(xp([[1.0, 2.0], [2.0, 1.0]]))


def test_a_zero_matrix_is_reported(xp):
    with pytest.warns(NumericalWarning):
        _, jitter = cholesky_psd(xp(np.zeros((3, 3))))
    assert jitter > 0


def test_eigenvalues(xp, covariance):
    values, vectors = map(to_numpy, eigh_psd(xp(covariance)))
    np.testing.assert_allclose(values, np.linalg.eigvalsh(covariance)[::-1], atol=1e-10)
    np.testing.assert_allclose(vectors @ np.diag(values) @ vectors.T, covariance, atol=1e-10)


def test_eigenvalues_of_deficient_rank(xp, singular):
    values, vectors = map(to_numpy, eigh_psd(xp(singular)))
    assert values.shape == (3,)
    np.testing.assert_allclose((vectors * values) @ vectors.T, singular, atol=1e-10)
    assert eigh_psd(xp(singular), rank=2)[1].shape == (6, 2)
    np.testing.assert_allclose(to_numpy(eigh_psd(xp(singular), rank=2)[0]), values[:2])
    share = 1.0001 * values[1] / values[0]
    assert eigh_psd(xp(singular), rtol=share)[0].shape == (1,)
    assert eigh_psd(xp(np.zeros((2, 2))))[0].shape == (0,)


def test_negative_eigenvalues_are_reported(xp):
    with pytest.warns(NumericalWarning, match=r"eigenvalue -1.00e\+00 \(largest 3.00e\+00\)"):
        values, _ = eigh_psd(xp([[1.0, 2.0], [2.0, 1.0]]))
    np.testing.assert_allclose(to_numpy(values), [3.0])


def test_only_square_matrices(xp):
    for function in (cholesky_psd, eigh_psd):
        with pytest.raises(InputError, match="square matrix"):
            function(xp(np.ones((2, 3))))


def test_logsumexp(xp):
    from scipy.special import logsumexp as reference

    x = np.random.default_rng(3).normal(size=(4, 5)) * 500
    x[1] = -np.inf
    x[2, 0] = -np.inf
    for axis in (0, 1, -1, None):
        for keepdims in (False, True):
            found = to_numpy(logsumexp(xp(x), axis=axis, keepdims=keepdims))
            expected = reference(x, axis=axis, keepdims=keepdims)
            assert found.shape == np.shape(expected)
            np.testing.assert_allclose(found, expected, rtol=1e-12)
