"""Intervals cover rows of new environments; the range test has its level; adapting does no harm."""

import numpy as np
import pytest

from shiftlab.adaptation import EnvironmentAdaptiveRegressor, simulate_environments

REPEATS = [2, pytest.param(60, marks=pytest.mark.slow)]


def fitted(seed, n=60, **options):
    """Drawn environments are exchangeable: types and levels are random."""
    make = {"design": "confounded_shifts", "n_rows": 50, "n_proxies": 2}
    train = simulate_environments(n_environments=n, random_state=2 * seed, **make)
    new = simulate_environments(n_environments=40, random_state=2 * seed + 1, **make)
    model = EnvironmentAdaptiveRegressor(
        strategy="coefficients", outside="ignore", guard=None, **options
    ).fit(train.X, train.y, train.environment)
    return model, new


@pytest.mark.parametrize("repeats", REPEATS)
def test_coverage(repeats):
    inside = []
    for seed in range(repeats):
        model, new = fitted(seed)
        ends = model.predict_interval(new.X, new.environment, coverage=0.9)
        inside.append(((ends[:, 0] <= new.y) & (new.y <= ends[:, 1])).mean())
    error = np.std(inside, ddof=1) / np.sqrt(repeats)
    # Cross-validated errors are of models with fewer environments: rather too wide than too narrow.
    assert np.mean(inside) == pytest.approx(0.9, abs=0.02 + 3 * min(error, 0.02))


@pytest.mark.parametrize("repeats", REPEATS)
def test_range_pvalues(repeats):
    pvalues = []
    for seed in range(repeats):
        model, new = fitted(seed)
        pvalues += model.environment_summary(new.X, new.environment).records["pvalue_outside"]
    for level in (0.1, 0.3, 0.6):
        share = np.mean(np.array(pvalues) <= level)
        # 60 training and 40 new environments per repeat; 0.04 because the scale is learned from the
        # training environments, which shortens their distances.
        error = np.sqrt(level * (1 - level) * (1 / 60 + 1 / 40) / repeats)
        assert share == pytest.approx(level, abs=0.04 + 3 * error)


@pytest.mark.parametrize("repeats", [1, pytest.param(20, marks=pytest.mark.slow)])
def test_no_harm_where_shifts_look_alike(repeats):
    ratios = []
    for seed in range(repeats):
        make = {"design": "confounded_shifts", "types": ("v", "x"), "n_rows": 60}
        train = simulate_environments(n_environments=120, random_state=2 * seed, **make)
        new = simulate_environments(n_environments=120, random_state=2 * seed + 1, **make)
        risks = []
        for strategy in ("pooled", "auto"):
            model = EnvironmentAdaptiveRegressor(strategy=strategy, outside="ignore")
            model.fit(train.X, train.y, train.environment)
            risks.append(((new.y - model.predict(new.X, new.environment)) ** 2).mean())
        ratios.append(risks[1] / risks[0])
    assert np.mean(ratios) < 1.02
