"""e-values: their expectation is 1 under the null hypothesis, exactly."""

import numpy as np
import pytest
from scipy import stats

from shiftlab.auditing import EProcess, e_value
from shiftlab.exceptions import InputError
from shiftlab.metrics import GroupCounts


def counts(n0, a0, n1, a1):
    return GroupCounts.from_frame({"s": [0, 1], "n": [n0, n1], "selected": [a0, a1]}, "s")


ADULT = counts(1638, 160, 3362, 1095)


def test_expectation_is_at_most_one_over_all_tables():
    population = counts(7, 3, 9, 6)
    cells = np.array([4, 3, 3, 6])
    grid = np.stack(np.meshgrid(*[np.arange(6)] * 4, indexing="ij"), axis=-1).reshape(-1, 4)
    grid = grid[(grid.sum(axis=1) == 5) & (grid <= cells).all(axis=1)]
    weights = stats.multivariate_hypergeom(m=cells, n=5).pmf(grid)
    values = [
        e_value(counts(a + b, b, c + d, d), population, concentrations=[10.0])
        for a, b, c, d in grid.tolist()
    ]
    # What is missing is the mass of tables that the population does not allow.
    assert 0.7 < weights @ values <= 1 + 1e-12


def test_honest_samples_seldom_reach_twenty():
    rng = np.random.default_rng(0)
    draws = rng.multivariate_hypergeometric([1478, 160, 2267, 1095], 500, size=400)
    values = [e_value(counts(a + b, b, c + d, d), ADULT) for a, b, c, d in draws.tolist()]
    assert np.mean(np.array(values) >= 20) <= 0.02
    assert np.mean(values) < 1.5


def test_false_claims_reach_twenty():
    assert e_value(counts(160, 34, 340, 86), ADULT) > 20


def test_process_multiplies_and_remembers():
    sample = counts(80, 14, 170, 44)
    process = EProcess(ADULT).update(sample).update(sample)
    assert process.value == pytest.approx(e_value(sample, ADULT) ** 2)
    assert process.pvalue == pytest.approx(min(1, 1 / process.value))
    calm = process.update(counts(164, 16, 336, 109))
    assert calm.pvalue <= process.pvalue  # evidence that was reached stays
    assert len(calm.to_frame()) == 3


def test_impossible_sample():
    assert e_value(counts(1700, 161, 10, 1), ADULT) == np.inf
    process = EProcess(ADULT).update(counts(1700, 161, 10, 1))
    assert process.value == np.inf
    assert process.pvalue == 0.0


def test_errors():
    with pytest.raises(InputError, match="concentrations"):
        e_value(ADULT, ADULT, concentrations=[0.0])
    with pytest.raises(InputError, match="alpha"):
        EProcess(ADULT).rejects(2)
