"""Products of kernels on different columns: one kernel for a row of mixed kinds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shiftlab.backends import Array, array_namespace, check_matrix
from shiftlab.exceptions import InputError
from shiftlab.kernels._functions import Bandwidth, Kernel

__all__ = ["ProductKernel"]


@dataclass(frozen=True)
class ProductKernel:
    """Product of kernels, each on its own columns.

    Parameters
    ----------
    parts : sequence of (kernel, columns)
        A kernel and the indices of the columns it reads. Columns that no part names are ignored.

    Raises
    ------
    InputError
        If there are no parts or a part names no column.

    Examples
    --------
    A number in column 0 and a category in column 1:

    >>> import numpy as np
    >>> from shiftlab.kernels import Delta, Gaussian, ProductKernel
    >>> kernel = ProductKernel([(Gaussian(), [0]), (Delta(), [1])])
    >>> kernel(np.array([[0.0, 0], [1.0, 0], [1.0, 1]])).round(4)
    array([[1.    , 0.6065, 0.    ],
           [0.6065, 1.    , 0.    ],
           [0.    , 0.    , 1.    ]])
    """

    parts: Sequence[tuple[Kernel, Sequence[int]]]

    def __post_init__(self) -> None:
        parts = tuple((kernel, tuple(int(c) for c in columns)) for kernel, columns in self.parts)
        if not parts or not all(columns for _, columns in parts):
            raise InputError("parts needs at least one kernel, each with at least one column.")
        object.__setattr__(self, "parts", parts)

    def __call__(self, x: Array, y: Array | None = None) -> Array:
        """Return the Gram matrix of shape (n_x, n_y).

        Parameters
        ----------
        x : array of shape (n_x, d)
            Numbers and codes of categories.
        y : array of shape (n_y, d), optional
            Default `x`.

        Returns
        -------
        array of shape (n_x, n_y)

        Raises
        ------
        InputError
            If values are missing or a named column does not exist.
        """
        left = self.split(x)
        right = [None] * len(left) if y is None else self.split(y, "y")
        result: Any = None
        for (kernel, _), own, other in zip(self.parts, left, right, strict=True):
            gram = kernel(own, other)
            if result is None:
                result = gram
            else:
                result *= gram
        return result

    def diagonal(self, x: Array) -> Array:
        """Return k(x_i, x_i) for each row."""
        result: Any = 1.0
        for (kernel, _), own in zip(self.parts, self.split(x), strict=True):
            result = result * kernel.diagonal(own)
        return result

    def with_bandwidth(self, bandwidth: Bandwidth) -> "ProductKernel":
        """Return the product with another bandwidth in every part that has one."""
        return ProductKernel([(k.with_bandwidth(bandwidth), columns) for k, columns in self.parts])

    def split(self, x: Array, name: str = "x") -> list[Array]:
        """Return the columns of each part as a matrix of its own."""
        x = check_matrix(x, name)
        needed = 1 + max(max(columns) for _, columns in self.parts)
        if x.shape[1] < needed:
            raise InputError(
                f"{name} has {x.shape[1]} column(s), but the kernel reads column {needed - 1}."
            )
        xp = array_namespace(x)
        return [xp.stack([x[:, c] for c in columns], axis=1) for _, columns in self.parts]
