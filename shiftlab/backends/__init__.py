"""One way to compute on NumPy, array-API and PyTorch arrays.

Code above this floor is written once against `array_namespace(x)`. Arrays move only here
(`to_device`, `to_numpy`), linear algebra that can fail is wrapped once (`cholesky_solve`,
`eigh_psd`, `logsumexp`), and loops over pairs of rows keep a memory bound (`pair_blocks`).
"""

from shiftlab.backends._arrays import (
    Array,
    array_namespace,
    check_matrix,
    check_same_columns,
    to_device,
    to_numpy,
)
from shiftlab.backends._blocks import (
    MAX_BYTES,
    default_max_bytes,
    map_row_blocks,
    pair_blocks,
    row_blocks,
    sum_over_pairs,
)
from shiftlab.backends._linalg import cholesky_psd, cholesky_solve, eigh_psd, logsumexp

__all__ = [
    "MAX_BYTES",
    "Array",
    "array_namespace",
    "check_matrix",
    "check_same_columns",
    "cholesky_psd",
    "cholesky_solve",
    "default_max_bytes",
    "eigh_psd",
    "logsumexp",
    "map_row_blocks",
    "pair_blocks",
    "row_blocks",
    "sum_over_pairs",
    "to_device",
    "to_numpy",
]
