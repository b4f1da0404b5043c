"""Worlds with a known graph, for the benchmark and the slow tests of causal discovery.

``draw_world`` is the generator G0: an Erdos-Renyi graph with two edges per node on average; each
node changes with probability one half, and then its coefficients, mean and noise scale are drawn
anew for each of ten domains, or follow smooth random paths along time.
"""

import numpy as np

__all__ = ["draw_pair", "draw_world", "smooth_path", "standard_path"]

FUNCTIONS = (
    lambda v: v,
    np.tanh,
    lambda v: 1.5 * np.sinc(v / 1.5),
    lambda v: np.sign(v) * np.abs(v) ** 1.5 / 1.5,
)


def smooth_path(rng, n, length=0.12):
    """Draw a smooth random path over n time points: mean 0, standard deviation 1."""
    knots = np.linspace(0, 1, 60)
    gram = np.exp(-((knots[:, None] - knots) ** 2) / (2 * length**2)) + 1e-8 * np.eye(60)
    path = np.interp(np.linspace(0, 1, n), knots, np.linalg.cholesky(gram) @ rng.normal(size=60))
    return (path - path.mean()) / path.std()


def standard_path(rng, surrogate, mode):
    """Draw one value per domain or a smooth path, standardised."""
    if mode == "time":
        return smooth_path(rng, len(surrogate))
    values = rng.normal(size=surrogate.max() + 1)
    return ((values - values.mean()) / values.std())[surrogate]


def surrogate_of(n, mode, domains):
    """Return times, or domains of (nearly) equal size."""
    return np.arange(n) / n if mode == "time" else np.arange(n) * domains // n


def draw_noise(rng, n):
    """Draw Gaussian or uniform noise of variance 1."""
    return rng.normal(size=n) if rng.random() < 0.5 else rng.uniform(-(3**0.5), 3**0.5, n)


def draw_world(d, n, mode="domain", *, domains=10, seed=0):
    """Return data, surrogate, true adjacency (i, j): i -> j, and the changing nodes."""
    rng = np.random.default_rng([seed, d, n])
    order = rng.permutation(d)
    adjacency = np.zeros((d, d), dtype=bool)
    for a in range(d):
        for b in range(a + 1, d):
            adjacency[order[a], order[b]] = rng.random() < 2 / (d - 1)
    surrogate = surrogate_of(n, mode, domains)
    changing = rng.random(d) < 0.5
    data = np.zeros((n, d))

    def moving(base, spread, changes):
        return base + spread * standard_path(rng, surrogate, mode) if changes else np.full(n, base)

    for node in order:
        value = moving(0.0, 0.7, changing[node])
        for parent in np.flatnonzero(adjacency[:, node]):
            base = rng.choice([-1, 1]) * rng.uniform(0.7, 1.3)
            f = FUNCTIONS[rng.integers(len(FUNCTIONS))]
            value = value + moving(base, 0.5, changing[node]) * f(data[:, parent])
        scale = np.exp(moving(np.log(0.5), 0.3, changing[node]))
        value = value + scale * draw_noise(rng, n)
        data[:, node] = (value - value.mean()) / value.std()
    return data, surrogate, adjacency, np.flatnonzero(changing)


def draw_pair(n, change, mode="domain", *, domains=30, seed=0, shape=None):
    """Return cause, effect and surrogate of a pair whose two mechanisms change independently.

    ``change`` is "coefficient", "shift" or "variance"; the function is tanh unless ``shape`` is
    "mixed", which draws it.
    """
    rng = np.random.default_rng([seed, n, domains])
    surrogate = surrogate_of(n, mode, domains)
    first, second = (standard_path(rng, surrogate, mode) for _ in range(2))
    f = FUNCTIONS[rng.integers(len(FUNCTIONS))] if shape == "mixed" else np.tanh
    noise, other = draw_noise(rng, n), draw_noise(rng, n)
    if change == "coefficient":
        cause = 0.7 * first + noise
        return cause, (1 + 0.6 * second) * f(cause) + 0.4 * other, surrogate
    if change == "shift":
        cause = first + noise
        return cause, f(cause) + 0.7 * second + 0.4 * other, surrogate
    cause = np.exp(0.5 * first) * noise
    return cause, f(cause) + 0.4 * np.exp(0.5 * second) * other, surrogate
