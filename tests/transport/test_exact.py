import os
import subprocess
import sys

import numpy as np
import pytest

from shiftlab.exceptions import ConvergenceWarning, InputError
from shiftlab.transport import _exact, wasserstein, wasserstein_1d


@pytest.mark.parametrize("p", [1, 2, 3])
def test_agrees_with_linear_programming(rng, p):
    from scipy.optimize import linprog

    x, y = rng.normal(size=(5, 2)), rng.normal(size=(6, 2))
    a, b = rng.dirichlet(np.ones(5)), rng.dirichlet(np.ones(6))
    cost = np.linalg.norm(x[:, None] - y[None], axis=2) ** p
    margins = np.vstack([np.kron(np.eye(5), np.ones(6)), np.kron(np.ones(5), np.eye(6))])
    solution = linprog(cost.ravel(), A_eq=margins, b_eq=np.concatenate([a, b]))
    result = wasserstein(x, y, p, x_weights=a, y_weights=b)
    assert result.cost == pytest.approx(solution.fun, rel=1e-9)
    assert result.distance == pytest.approx(solution.fun ** (1 / p), rel=1e-9)


@pytest.mark.parametrize("p", [1, 2])
def test_equals_sorting_in_one_dimension(rng, p):
    x, y = rng.normal(size=40), rng.exponential(size=60)
    assert wasserstein(x, y, p).distance == pytest.approx(wasserstein_1d(x, y, p), rel=1e-10)


def test_diracs():
    assert wasserstein([[0.0, 0.0]], [[3.0, 4.0]], 2).distance == pytest.approx(5.0)


def test_certificate_closes_at_the_optimum(rng):
    result = wasserstein(rng.normal(size=(80, 3)), rng.normal(size=(70, 3)))
    assert result.converged
    assert abs(result.duality_gap) < 1e-12
    assert result.marginal_residual < 1e-15
    assert len(result.mass) <= 149
    assert result.mass.sum() == pytest.approx(1.0)
    assert "mass" not in result.to_dict()


def test_gap_is_a_certificate_when_the_solver_stops_early(rng):
    x, y = rng.normal(size=(60, 3)), rng.normal(size=(60, 3))
    with pytest.warns(ConvergenceWarning, match="Raise max_iter"):
        early = wasserstein(x, y, max_iter=60)
    optimum = wasserstein(x, y).cost
    assert not early.converged
    assert early.duality_gap > 0.01
    assert early.cost - early.duality_gap <= optimum + 1e-12


def test_rows_without_weight_do_not_matter(rng):
    x, y = rng.normal(size=(20, 2)), rng.normal(size=(25, 2))
    weights = np.r_[np.ones(10), np.zeros(10)]
    result = wasserstein(x, y, x_weights=weights)
    assert result.cost == pytest.approx(wasserstein(x[:10], y).cost, rel=1e-10)
    assert abs(result.duality_gap) < 1e-10


def test_large_problems_are_refused_with_a_mend(rng, monkeypatch):
    monkeypatch.setattr(_exact, "MAX_CELLS", 50)
    with pytest.raises(InputError, match="Use sliced_wasserstein"):
        wasserstein(rng.normal(size=(10, 2)), rng.normal(size=(10, 2)))


def test_does_not_import_torch_and_restores_the_environment():
    code = (
        "import os, sys; os.environ['POT_BACKEND_DISABLE_JAX'] = 'mine'\n"
        "from shiftlab.transport import wasserstein\n"
        "assert 'ot' not in sys.modules\n"
        "wasserstein([[0.0]], [[1.0]])\n"
        "assert 'torch' not in sys.modules\n"
        "assert os.environ['POT_BACKEND_DISABLE_JAX'] == 'mine'\n"
        "assert 'POT_BACKEND_DISABLE_PYTORCH' not in os.environ\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=dict(os.environ))
    assert done.returncode == 0, done.stderr.decode()


def test_tensors_are_refused():
    torch = pytest.importorskip("torch")
    with pytest.raises(InputError, match="NumPy"):
        wasserstein(torch.ones(2, 1), torch.ones(2, 1))
