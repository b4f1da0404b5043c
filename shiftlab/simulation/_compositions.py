"""Composite and flexible functions: sums, products, trees, Gaussian process draws, callables."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np

from shiftlab._core.random import RandomState, as_generator
from shiftlab._core.validation import check_integer
from shiftlab.exceptions import InputError
from shiftlab.simulation._functions import Constant, Function, Values, number_column
from shiftlab.simulation._spec import check_number

__all__ = [
    "Branch",
    "Custom",
    "GaussianProcess",
    "Product",
    "Sum",
    "random_tree",
]


@dataclass(frozen=True, repr=False)
class _Parts(Function):
    parts: tuple[Function, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", tuple(self.parts))
        if not self.parts:
            raise InputError(f"{type(self).__name__} needs at least one function.")

    @property
    def parents(self) -> tuple[str, ...]:
        """Parents of all parts."""
        return tuple(dict.fromkeys(name for part in self.parts for name in part.parents))

    def with_coefficient(self, term: str, change: Callable[[float], float]) -> Self:
        """Change the coefficient in the one part that has the term."""
        changed: list[Function] = []
        n_found = 0
        for part in self.parts:
            try:
                changed.append(part.with_coefficient(term, change))
                n_found += 1
            except InputError:
                changed.append(part)
        if n_found != 1:
            raise InputError(
                f"term: {n_found} parts of the {type(self).__name__} have {term!r}, expected one. "
                "Replace the function with MechanismShift."
            )
        return replace(self, parts=tuple(changed))


@dataclass(frozen=True, repr=False)
class Sum(_Parts):
    """The sum of functions.

    Parameters
    ----------
    parts : sequence of Function
        Summands.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.simulation import Linear, Nonlinear
    >>> f = Sum((Linear({"A": 1.0}), Nonlinear({"B": 1.0}, shape="square")))
    >>> f({"A": np.array([1.0]), "B": np.array([3.0])})
    array([10.])
    """

    def __call__(self, values: Values) -> np.ndarray:
        return sum((part(values) for part in self.parts[1:]), start=self.parts[0](values))


@dataclass(frozen=True, repr=False)
class Product(_Parts):
    """The product of functions: for instance a coefficient that follows a clock.

    Parameters
    ----------
    parts : sequence of Function
        Factors.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.simulation import Linear
    >>> f = Product((Linear({"time": 0.5}), Linear({"A": 1.0})))
    >>> f({"time": np.array([0.0, 1.0]), "A": np.array([4.0, 4.0])})
    array([0., 2.])
    """

    def __call__(self, values: Values) -> np.ndarray:
        result = self.parts[0](values)
        for part in self.parts[1:]:
            result = result * part(values)
        return result


@dataclass(frozen=True, repr=False)
class GaussianProcess(Function):
    """A draw from a Gaussian process with a Gaussian kernel, fixed by its seed.

    The draw is approximated by random Fourier features [1]_: a sum of cosines with frequencies
    from N(0, 1/length_scale^2) and amplitudes from N(0, 1).

    Parameters
    ----------
    inputs : sequence of str
        Parents.
    seed : int, default 0
        Identifies the draw.
    length_scale : float, default 1.0
        Length scale of the kernel, positive.
    amplitude : float, default 1.0
        Standard deviation of the process at a point.
    n_features : int, default 128
        Number of cosines.

    References
    ----------
    .. [1] Rahimi and Recht (2007), "Random features for large-scale kernel machines", NeurIPS.

    Examples
    --------
    >>> import numpy as np
    >>> f = GaussianProcess(("A",), seed=1)
    >>> values = {"A": np.linspace(0, 1, 3)}
    >>> bool((f(values) == f(values)).all())
    True
    """

    inputs: tuple[str, ...]
    seed: int = 0
    length_scale: float = 1.0
    amplitude: float = 1.0
    n_features: int = 128

    def __post_init__(self) -> None:
        object.__setattr__(self, "inputs", tuple(self.inputs))
        check_number(self.length_scale, "length_scale", minimum=0, exclusive=True)
        check_number(self.amplitude, "amplitude")
        check_number(self.n_features, "n_features", minimum=1)

    @property
    def parents(self) -> tuple[str, ...]:
        """The inputs."""
        return self.inputs

    @cached_property
    def _features(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rng = np.random.default_rng(np.random.SeedSequence(self.seed))
        frequencies = rng.standard_normal((len(self.inputs), self.n_features)) / self.length_scale
        phases = rng.uniform(0, 2 * np.pi, self.n_features)
        weights = rng.standard_normal(self.n_features) * self.amplitude
        return frequencies, phases, weights * np.sqrt(2 / self.n_features)

    def __call__(self, values: Values) -> np.ndarray:
        frequencies, phases, weights = self._features
        columns = [number_column(name, values) for name in self.inputs]
        total = np.zeros(np.broadcast_shapes(*(c.shape for c in columns)))
        # One cosine at a time: no (n_rows, n_features) array.
        for j in range(self.n_features):
            angle = phases[j] + sum(
                column * w for column, w in zip(columns, frequencies[:, j], strict=True)
            )
            total += weights[j] * np.cos(angle)
        return total


@dataclass(frozen=True, repr=False)
class Branch(Function):
    """One split of a tree: `below` where the variable is at most `at`, else `above`.

    Parameters
    ----------
    on : str
        Variable to split on.
    at : float
        Threshold.
    below : Function or float, default 0.0
        What is returned up to the threshold; nest branches for a deeper tree.
    above : Function or float, default 1.0
        What is returned above it.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.simulation import Linear
    >>> Branch("A", 0.0, below=-1.0, above=Linear({"A": 2.0}))({"A": np.array([-3.0, 3.0])})
    array([-1.,  6.])
    """

    on: str
    at: float
    below: Function | float = field(default=0.0)
    above: Function | float = field(default=1.0)

    def __post_init__(self) -> None:
        check_number(self.at, "Branch at")
        for side in ("below", "above"):
            value = getattr(self, side)
            if not isinstance(value, Function):
                check_number(value, f"Branch {side}")

    @property
    def parents(self) -> tuple[str, ...]:
        """The split variable and the parents of both sides."""
        sides = [s for s in (self.below, self.above) if isinstance(s, Function)]
        return tuple(dict.fromkeys([self.on, *(name for side in sides for name in side.parents)]))

    def __call__(self, values: Values) -> np.ndarray:
        below, above = (
            side(values) if isinstance(side, Function) else side
            for side in (self.below, self.above)
        )
        return np.where(number_column(self.on, values) <= self.at, below, above)


@dataclass(frozen=True, repr=False)
class Custom(Function):
    """Any Python callable; such a model cannot be written as data.

    Parameters
    ----------
    function : callable
        Called with one array per input, in order; returns an array of the same length.
    inputs : sequence of str
        Parents.

    Examples
    --------
    >>> import numpy as np
    >>> f = Custom(np.hypot, ("A", "B"))
    >>> f({"A": np.array([3.0]), "B": np.array([4.0])})
    array([5.])
    """

    function: Callable[..., Any]
    inputs: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "inputs", tuple(self.inputs))

    @property
    def parents(self) -> tuple[str, ...]:
        """The inputs."""
        return self.inputs

    def __call__(self, values: Values) -> np.ndarray:
        return np.asarray(self.function(*(values[name] for name in self.inputs)))


def random_tree(
    inputs: Sequence[str], *, depth: int = 3, scale: float = 1.0, random_state: RandomState = None
) -> Function:
    """Draw a regression tree: splits at N(0, 1) thresholds, leaves from N(0, scale^2).

    Parameters
    ----------
    inputs : sequence of str
        Variables to split on.
    depth : int, default 3
        Number of levels of splits; 0 gives a constant.
    scale : float, default 1.0
        Standard deviation of the leaf values.
    random_state : int, SeedSequence, Generator or None
        Seed.

    Returns
    -------
    Function
        Nested `Branch` objects.

    Raises
    ------
    InputError
        If there is no variable to split on, or `depth` is no integer of at least 0.

    Examples
    --------
    >>> random_tree(["A"], depth=1, random_state=0)
    Branch(on='A', at=..., below=Constant(...), above=Constant(...))
    """
    check_integer(depth, "depth", minimum=0)
    if len(inputs) == 0:
        raise InputError("inputs must name at least one variable to split on.")
    rng = as_generator(random_state)
    if depth == 0:
        return Constant(float(scale * rng.standard_normal()))
    on, at = inputs[int(rng.integers(len(inputs)))], float(rng.standard_normal())
    below, above = (
        random_tree(inputs, depth=depth - 1, scale=scale, random_state=rng) for _ in range(2)
    )
    return Branch(on, at, below, above)
