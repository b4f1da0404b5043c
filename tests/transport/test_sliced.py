import numpy as np
import pytest

from shiftlab.exceptions import InputError
from shiftlab.transport import _sliced, random_directions, sliced_wasserstein, wasserstein_1d


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("n_y", [30, 47])
def test_agrees_with_pot_on_the_same_directions(rng, p, n_y):
    ot = pytest.importorskip("ot")
    x, y = rng.normal(size=(30, 4)), rng.normal(size=(n_y, 4)) + 0.3
    directions = random_directions(4, 25, random_state=3)
    expected = ot.sliced_wasserstein_distance(x, y, projections=directions, p=p)
    result = sliced_wasserstein(x, y, directions=directions, p=p)
    assert result == pytest.approx(expected, rel=1e-12)


def test_mean_shift_matches_the_expected_projection():
    # W1 of a shift by v along a uniform direction is |v . theta|; in the plane its mean is 2|v|/pi.
    x = np.random.default_rng(0).normal(size=(50, 2))
    result = sliced_wasserstein(x, x + np.array([3.0, 4.0]), 20_000, random_state=1)
    assert result == pytest.approx(10 / np.pi, rel=0.02)


def test_one_column_is_exact(rng):
    x, y = rng.normal(size=(9, 1)), rng.normal(size=(12, 1))
    assert sliced_wasserstein(x, y) == pytest.approx(wasserstein_1d(x, y)[0], rel=1e-14)


def test_block_size_and_row_order_do_not_matter(rng, monkeypatch):
    x, y = rng.normal(size=(20, 3)), rng.normal(size=(15, 3))
    whole = sliced_wasserstein(x, y, 40, random_state=5)
    monkeypatch.setattr(_sliced, "BLOCK_BYTES", 8 * 35 * 7)
    assert sliced_wasserstein(x[::-1], y[::-1], 40, random_state=5) == pytest.approx(whole, 1e-13)


def test_first_directions_do_not_depend_on_their_number():
    few = random_directions(5, 3, random_state=2)
    np.testing.assert_array_equal(few, random_directions(5, 9, random_state=2)[:, :3])


def test_torch_agrees_with_numpy(rng):
    torch = pytest.importorskip("torch")
    x, y = rng.normal(size=(20, 3)), rng.normal(size=(15, 3))
    numpy_result = sliced_wasserstein(x, y, 40, random_state=5)
    torch_result = sliced_wasserstein(torch.tensor(x), torch.tensor(y), 40, random_state=5)
    assert torch_result == pytest.approx(numpy_result, rel=1e-12)


def test_mixed_libraries_are_refused(rng):
    torch = pytest.importorskip("torch")
    with pytest.raises(InputError, match="different libraries: numpy, torch"):
        sliced_wasserstein(torch.ones(3, 2), np.ones((3, 2)))
