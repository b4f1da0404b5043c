"""Loaders of the data sets that travel with the package: no network, no folder to set up."""

from typing import Any, Literal, overload

from shiftlab.datasets._dataset import Dataset
from shiftlab.datasets._fetch import fetch
from shiftlab.datasets._read import FrameKind

__all__ = ["load_lending"]


@overload
def load_lending(*, as_frame: FrameKind = ..., return_X_y: Literal[False] = ...) -> Dataset: ...
@overload
def load_lending(*, as_frame: FrameKind = ..., return_X_y: Literal[True]) -> tuple[Any, Any]: ...
def load_lending(
    *, as_frame: FrameKind = "pandas", return_X_y: bool = False
) -> Dataset | tuple[Any, Any]:
    """Load simulated loan decisions in six regions, with planted shifts that are documented.

    Target ``repaid``, decision ``approved``, environment ``region`` (reference ``north``),
    sensitive feature ``sex``. No row describes a real person. ``truth`` says what was planted: the
    causal graph (``edges``, with the ``hidden`` variable), the variables whose mechanism
    changes in each region (``targets``), what was done to them (``planted``) and the whole model.

    Parameters
    ----------
    as_frame : {"pandas", "polars", "arrow"}, default "pandas"
        Library of the returned table.
    return_X_y : bool, default False
        Return ``(X, y)`` instead of the data set.

    Returns
    -------
    Dataset or tuple of (X, y)
        The table with its documentation; the pair if `return_X_y` is true.

    Raises
    ------
    InputError
        If the library is unknown.
    DataNotFoundError
        If the file in the package is not the registered one.

    Examples
    --------
    >>> from shiftlab.datasets import load_lending
    >>> data = load_lending()
    >>> data
    Dataset 'lending': 6,000 rows, 10 columns, target 'repaid', environment 'region', \
decision 'approved', sensitive 'sex'
    >>> data.truth["targets"]["harbour"]
    ('repaid',)
    """
    if return_X_y:
        return fetch("lending", as_frame=as_frame, return_X_y=True)
    return fetch("lending", as_frame=as_frame)
