"""What is left of columns after the regression that the tests use."""

from typing import Any

import numpy as np

from shiftlab._core.frames import Column, as_table
from shiftlab._core.names import join_names
from shiftlab.backends import check_matrix, to_numpy
from shiftlab.exceptions import InputError
from shiftlab.independence._cache import ByteCache
from shiftlab.independence._regressions import RegressionOptions, Regressions
from shiftlab.independence._variables import Variable

__all__ = ["regression_residuals"]


def regression_residuals(values: Any, z: Any = None, *, within: Any = None) -> np.ndarray:
    """Regress columns on z as `KernelTest` and `GCM` do, and return the residuals.

    Parameters
    ----------
    values : array of shape (n_rows,) or (n_rows, k)
        Numbers.
    z : table of shape (n_rows, d), optional
        Numbers and categories to regress on; None takes out the means only.
    within : array of shape (n_rows,), optional
        Labels; the regression may then differ between them.

    Returns
    -------
    ndarray of shape (n_rows, k)

    Raises
    ------
    InputError
        If lengths differ or cells are missing.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.independence import regression_residuals
    >>> rng = np.random.default_rng(0)
    >>> z = rng.normal(size=500)
    >>> left = regression_residuals(np.sin(2 * z) + 0.1 * rng.normal(size=500), {"z": z})
    >>> round(float(left.std()), 1)
    0.1
    """
    columns = to_numpy(check_matrix(values, "values")).astype(np.float64)
    given = [] if z is None else [Variable(c.name, (c,)) for c in as_table(z, name="z")]
    if within is not None:
        codes = np.unique(np.asarray(within), return_inverse=True)[1].astype(np.int32)
        label = Column("within", "categorical", codes, tuple(range(int(codes.max()) + 1)))
        given.append(Variable("within", (label,)))
    wrong = [v.name for v in given if v.n_rows != len(columns)]
    if wrong:
        raise InputError(f"{join_names(wrong)} and values differ in their numbers of rows.")
    gaps = [v.name for v in given if v.missing.any()]
    if gaps:
        raise InputError(f"Missing cells in {join_names(gaps)}. Fill them or remove these rows.")
    columns = columns - columns.mean(axis=0)
    if not given:
        return columns
    regressions = Regressions(tuple(given), RegressionOptions(), ByteCache(1))
    found: np.ndarray = regressions.smoother(tuple(range(len(given)))).residuals(columns).values
    return found
