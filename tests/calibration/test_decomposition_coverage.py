"""Coverage of the intervals of `shift_decomposition` where densities and loss are known.

The model always predicts 0, so its loss is the squared outcome whatever the training rows are, and
the truth follows from the densities by Monte Carlo. Covariates are standard normal at home and
moved along the first axis here, so e(x) is logistic in the first covariate.
"""

import numpy as np
import pytest
from scipy import stats
from sklearn.base import BaseEstimator, RegressorMixin

from shiftlab.divergence import shift_decomposition

PARTS = ("total", "covariate_home", "concept", "covariate_here")


class Zero(RegressorMixin, BaseEstimator):
    def fit(self, X, y):
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X):
        return np.zeros(len(X))


def mean_outcome(x, concept):
    return 0.7 * x[:, 0] + 0.25 * x[:, 1] ** 2 + concept * (0.5 + 0.5 * np.tanh(x[:, 0]))


def true_parts(shift, concept, n=1_000_000):
    home = np.random.default_rng(99).normal(size=(n, 3))
    here = home + np.array([shift, 0.0, 0.0])
    loss_home = mean_outcome(home, 0.0) ** 2 + 1
    loss_here = mean_outcome(here, concept) ** 2 + 1

    def domain(x):
        return 1 / (1 + np.exp(-(shift * x[:, 0] - shift**2 / 2)))

    shared_home = np.average(loss_home, weights=domain(home))
    shared_here = np.average(loss_here, weights=1 - domain(here))
    ends = loss_home.mean(), loss_here.mean()
    steps = shared_home - ends[0], shared_here - shared_home, ends[1] - shared_here
    return np.array([ends[1] - ends[0], *steps])


def intervals(seed, shift, concept, n_home, n_here):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n_home + n_here, 3))
    x[n_home:, 0] += shift
    y = np.r_[mean_outcome(x[:n_home], 0.0), mean_outcome(x[n_home:], concept)]
    table = {f"x{i}": x[:, i] for i in range(3)} | {"y": y + rng.normal(size=len(x))}
    site = np.repeat(["home", "here"], [n_home, n_here])
    result = shift_decomposition(
        table, site, outcome="y", reference="home", estimator=Zero(), random_state=seed
    )
    parts = [getattr(result.environments[0], name) for name in PARTS]
    return [(part.value, part.low, part.high) for part in parts]


def check_coverage(shift, concept, n_runs, n_home, n_here):
    truth = true_parts(shift, concept)
    found = np.array([intervals(seed, shift, concept, n_home, n_here) for seed in range(n_runs)])
    value, low, high = np.moveaxis(found, 2, 0)
    coverage = dict(zip(PARTS, ((low <= truth) & (truth <= high)).mean(axis=0), strict=True))
    # 99.95 % of the simulations of an interval that covers in 95 % are above.
    assert min(coverage.values()) >= stats.binom.ppf(0.0005, n_runs, 0.95) / n_runs, coverage
    bias = (value.mean(axis=0) - truth) / value.std(axis=0, ddof=1)
    assert np.abs(bias).max() < 0.25 + 3 / n_runs**0.5, bias
    return coverage


def test_coverage_in_a_small_sample():
    check_coverage(1.0, 1.0, n_runs=24, n_home=300, n_here=250)


@pytest.mark.slow
@pytest.mark.parametrize(("shift", "concept"), [(1.0, 0.0), (0.0, 1.0), (1.0, 1.0)])
def test_coverage(shift, concept):
    check_coverage(shift, concept, n_runs=150, n_home=800, n_here=500)
