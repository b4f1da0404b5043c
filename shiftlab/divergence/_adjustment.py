"""Adjust p-values for the number of tests; tests that were not done (NaN) do not count."""

import numpy as np

__all__ = ["CORRECTIONS", "adjust_pvalues"]

CORRECTIONS = ("bh", "holm", "bonferroni", "none")


def adjust_pvalues(pvalues: np.ndarray, correction: str) -> np.ndarray:
    """Adjust p-values by Benjamini-Hochberg, Holm or Bonferroni.

    Parameters
    ----------
    pvalues : ndarray
        NaN where there was no test.
    correction : {"bh", "holm", "bonferroni", "none"}
        "bh" bounds the false discovery rate, the others the chance of any false alarm.

    Returns
    -------
    ndarray
        Same shape; NaN stays NaN.

    References
    ----------
    .. [1] Benjamini & Hochberg (1995), JRSS B 57. Holm (1979), Scand. J. Statist. 6.
    """
    adjusted = np.array(pvalues, dtype=float)
    tested = ~np.isnan(adjusted)
    values = adjusted[tested]
    n = len(values)
    if n == 0 or correction == "none":
        return adjusted
    if correction == "bonferroni":
        adjusted[tested] = np.minimum(values * n, 1.0)
        return adjusted
    if correction == "bh":
        from scipy.stats import false_discovery_control

        adjusted[tested] = false_discovery_control(values)
        return adjusted
    order = np.argsort(values, kind="stable")
    steps = np.maximum.accumulate(values[order] * np.arange(n, 0, -1))
    values[order] = np.minimum(steps, 1.0)
    adjusted[tested] = values
    return adjusted
