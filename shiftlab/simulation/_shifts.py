"""Shifts as data: what an environment changes in the mechanisms of a model."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from shiftlab.exceptions import InputError
from shiftlab.simulation._discrete import Threshold
from shiftlab.simulation._functions import Function
from shiftlab.simulation._mechanisms import Mechanism
from shiftlab.simulation._node import Node
from shiftlab.simulation._noise import Noise
from shiftlab.simulation._spec import Spec, check_number

__all__ = [
    "CoefficientShift",
    "MeanShift",
    "MechanismShift",
    "Missingness",
    "NodeShift",
    "NoiseScaleShift",
    "NoiseShift",
    "ScaleShift",
    "Selection",
    "Shift",
    "evolve",
]


@dataclass(frozen=True, repr=False)
class Shift(Spec):
    """Base of everything that an environment can do to a model."""


@dataclass(frozen=True, repr=False)
class NodeShift(Shift):
    """Base of the shifts that change the mechanism of one node."""

    node: str

    def apply(self, node: Node) -> Node:
        """Return the changed node."""
        raise NotImplementedError


@dataclass(frozen=True, repr=False)
class MeanShift(NodeShift):
    """Move the location of a variable.

    Parameters
    ----------
    node : str
        Variable.
    by : float or mapping of label to float
        Added to an `Additive` variable (before a nonlinear `output`), to the score of a
        `Threshold`, or to the scores of the given labels of a `Categorical`.

    Examples
    --------
    >>> from shiftlab.simulation import Node
    >>> MeanShift("X", 2.0).apply(Node()).mechanism
    Additive(offset=2.0)
    """

    node: str
    by: Any

    def apply(self, node: Node) -> Node:
        """Return the changed node."""
        return replace(node, mechanism=node.law.shifted(self.by))


@dataclass(frozen=True, repr=False)
class ScaleShift(NodeShift):
    """Multiply a variable, its mean and its noise, by a factor.

    Parameters
    ----------
    node : str
        Variable with an `Additive` mechanism.
    factor : float
        Positive factor.

    Examples
    --------
    >>> from shiftlab.simulation import Node
    >>> ScaleShift("X", 2.0).apply(Node()).mechanism
    Additive(factor=2.0)
    """

    node: str
    factor: float

    def __post_init__(self) -> None:
        check_number(self.factor, "ScaleShift factor", minimum=0, exclusive=True)

    def apply(self, node: Node) -> Node:
        """Return the changed node."""
        return replace(node, mechanism=node.law.scaled(self.factor))


@dataclass(frozen=True, repr=False)
class NoiseScaleShift(NodeShift):
    """Multiply the noise of a variable by a factor.

    Parameters
    ----------
    node : str
        Variable with an `Additive` or `Threshold` mechanism.
    factor : float
        Factor, not negative; 0 removes the noise.

    Examples
    --------
    >>> from shiftlab.simulation import Node
    >>> NoiseScaleShift("X", 2.0).apply(Node()).mechanism
    Additive(noise_scale=2.0)
    """

    node: str
    factor: float

    def __post_init__(self) -> None:
        check_number(self.factor, "NoiseScaleShift factor", minimum=0)

    def apply(self, node: Node) -> Node:
        """Return the changed node."""
        return replace(node, mechanism=node.law.noise_scaled(self.factor))


@dataclass(frozen=True, repr=False)
class NoiseShift(NodeShift):
    """Replace the noise of a variable, for instance the probabilities of a discrete root.

    Parameters
    ----------
    node : str
        Variable.
    noise : Noise
        New distribution.

    Examples
    --------
    >>> from shiftlab.simulation import Discrete, Node
    >>> node = Node(noise=Discrete({0: 0.5, 1: 0.5}))
    >>> NoiseShift("M", Discrete({0: 0.1, 1: 0.9})).apply(node).noise
    Discrete(probabilities={0: 0.1, 1: 0.9})
    """

    node: str
    noise: Noise

    def apply(self, node: Node) -> Node:
        """Return the changed node."""
        return replace(node, noise=self.noise)


@dataclass(frozen=True, repr=False)
class CoefficientShift(NodeShift):
    """Change one coefficient of a `Linear` or `Nonlinear` function.

    Parameters
    ----------
    node : str
        Variable whose mechanism has the coefficient.
    term : str
        Term as in the function, or ``"intercept"``.
    to : float, optional
        New value.
    by : float, optional
        Added to the old value.
    factor : float, optional
        Multiplies the old value; -1 reverses a relation. Exactly one of the three is given.

    Examples
    --------
    >>> from shiftlab.simulation import Linear, Node
    >>> CoefficientShift("Y", "X", factor=-1).apply(Node(Linear({"X": 2.0}))).law.function
    Linear(coefficients={'X': -2.0})
    """

    node: str
    term: str
    to: float | None = None
    by: float | None = None
    factor: float | None = None

    def __post_init__(self) -> None:
        given = {k: v for k in ("to", "by", "factor") if (v := getattr(self, k)) is not None}
        if len(given) != 1:
            raise InputError(
                f"CoefficientShift needs exactly one of to, by and factor, found {len(given)}."
            )
        for name, value in given.items():
            check_number(value, f"CoefficientShift {name}")

    def _change(self, old: float) -> float:
        if self.to is not None:
            return self.to
        return old * self.factor if self.factor is not None else old + (self.by or 0.0)

    def apply(self, node: Node) -> Node:
        """Return the changed node."""
        return replace(node, mechanism=node.law.with_coefficient(self.term, self._change))


@dataclass(frozen=True, repr=False)
class MechanismShift(NodeShift):
    """Replace the mechanism of a variable, with other parents if wanted.

    Parameters
    ----------
    node : str
        Variable.
    mechanism : Mechanism or Function
        New mechanism; a function keeps an additive mechanism's or threshold's other parts.
    noise : Noise, optional
        New noise; the old one stays by default.

    Examples
    --------
    >>> from shiftlab.simulation import Linear, Node
    >>> MechanismShift("Y", Linear({"Z": 1.0})).apply(Node(Linear({"X": 2.0}))).parents
    ('Z',)
    """

    node: str
    mechanism: Mechanism | Function
    noise: Noise | None = None

    def apply(self, node: Node) -> Node:
        """Return the changed node."""
        changed = node.replaced(self.mechanism)
        return changed if self.noise is None else replace(changed, noise=self.noise)


@dataclass(frozen=True, repr=False)
class Selection(Shift):
    """Keep a row with a probability that depends on its variables.

    Parameters
    ----------
    mechanism : Threshold or Function
        A row is kept where this 0/1 mechanism gives 1. A function is read as the log-odds of being
        kept; with ``Threshold(..., noise_scale=0)`` the selection is a truncation.
    refill : bool, default True
        Draw further rows until the wanted number is kept; otherwise the environment has fewer.

    Examples
    --------
    >>> from shiftlab.simulation import Linear
    >>> Selection(Linear({"X": 2.0}, intercept=-1.0)).law.parents
    ('X',)
    """

    mechanism: Threshold | Function
    refill: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.mechanism, (Threshold, Function)):
            raise InputError(
                "Selection mechanism must be a Threshold or a Function, found "
                f"{type(self.mechanism).__name__}."
            )

    @property
    def law(self) -> Threshold:
        """The 0/1 mechanism."""
        return (
            self.mechanism if isinstance(self.mechanism, Threshold) else Threshold(self.mechanism)
        )


@dataclass(frozen=True, repr=False)
class Missingness(Shift):
    """Remove cells of an observed column at random, or depending on variables.

    Parameters
    ----------
    node : str
        Column in which cells go missing.
    probability : float or Function
        A number in [0, 1], or a function giving the log-odds that the cell is missing.

    Examples
    --------
    >>> import numpy as np
    >>> Missingness("X", 0.5).mask({}, np.array([0.2, 0.7]))
    array([ True, False])
    """

    node: str
    probability: float | Function

    def __post_init__(self) -> None:
        if isinstance(self.probability, Function):
            return
        check_number(self.probability, "Missingness probability", minimum=0)
        if self.probability > 1:
            raise InputError(
                f"Missingness probability must be at most 1, found {self.probability!r}."
            )

    def mask(self, values: Any, uniform: np.ndarray) -> np.ndarray:
        """Return which cells are missing, from one uniform number per row."""
        if not isinstance(self.probability, Function):
            return uniform < self.probability
        return uniform < 0.5 * (1 + np.tanh(0.5 * self.probability(values)))


def evolve(
    times: Iterable[float], shifts: Callable[[float], Iterable[Shift]]
) -> dict[float, tuple[Shift, ...]]:
    """Build environments whose mechanisms are functions of time.

    Parameters
    ----------
    times : iterable of float
        One environment each, labelled by its time.
    shifts : callable
        Returns the shifts at a time.

    Returns
    -------
    dict of float to tuple of Shift
        For the `environments` of a `StructuralModel`.

    Examples
    --------
    >>> evolve([0.0, 0.5], lambda t: [MeanShift("X", 2 * t)])
    {0.0: (MeanShift(node='X', by=0.0),), 0.5: (MeanShift(node='X', by=1.0),)}
    """
    return {time: tuple(shifts(time)) for time in times}
