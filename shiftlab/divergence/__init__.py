"""Comparisons of samples: tests, distances, and where a model's loss changes and why."""

from shiftlab.divergence._classifier import (
    classifier_test,
)
from shiftlab.divergence._columns import (
    ColumnShifts,
    ColumnSummary,
    column_shifts,
)
from shiftlab.divergence._decomposition import (
    shift_decomposition,
)
from shiftlab.divergence._decomposition_result import (
    EnvironmentLoss,
    ShiftDecomposition,
)
from shiftlab.divergence._discrete import (
    chi_square_test,
    g_test,
    hellinger_test,
    kl_test,
    total_variation_test,
)
from shiftlab.divergence._door import (
    two_sample_test,
)
from shiftlab.divergence._environments import (
    EnvironmentDistances,
    environment_distances,
)
from shiftlab.divergence._kernel import (
    energy_test,
    mmd_fourier_test,
    mmd_test,
)
from shiftlab.divergence._mmd_blocks import (
    mmd_block_test,
)
from shiftlab.divergence._permutation import (
    Resampling,
)
from shiftlab.divergence._results import (
    TwoSampleResult,
)
from shiftlab.divergence._shared_space import (
    Estimate,
)
from shiftlab.divergence._univariate import (
    ks_test,
)
from shiftlab.divergence._wasserstein import (
    sliced_wasserstein_test,
    wasserstein_test,
)

__all__ = [
    "ColumnShifts",
    "ColumnSummary",
    "EnvironmentDistances",
    "EnvironmentLoss",
    "Estimate",
    "Resampling",
    "ShiftDecomposition",
    "TwoSampleResult",
    "chi_square_test",
    "classifier_test",
    "column_shifts",
    "energy_test",
    "environment_distances",
    "g_test",
    "hellinger_test",
    "kl_test",
    "ks_test",
    "mmd_block_test",
    "mmd_fourier_test",
    "mmd_test",
    "shift_decomposition",
    "sliced_wasserstein_test",
    "total_variation_test",
    "two_sample_test",
    "wasserstein_test",
]
