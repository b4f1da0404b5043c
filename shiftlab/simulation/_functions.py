"""Functions of parents: what a mechanism computes before noise enters."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self, TypeAlias

import numpy as np

from shiftlab.exceptions import InputError
from shiftlab.simulation._spec import Spec, check_choice, check_number

__all__ = [
    "INTERCEPT",
    "SHAPES",
    "Constant",
    "Function",
    "Linear",
    "Nonlinear",
    "Transform",
    "Values",
    "number_column",
]

Values: TypeAlias = Mapping[str, np.ndarray]
INTERCEPT = "intercept"
SHAPES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "identity": lambda v: v,
    "abs": np.abs,
    "cos": np.cos,
    "cube": lambda v: v**3,
    "exp": np.exp,
    "power1.5": lambda v: np.abs(v) ** 1.5,
    "relu": lambda v: np.maximum(v, 0.0),
    "sigmoid": lambda v: 0.5 * (1 + np.tanh(0.5 * v)),
    "sign": lambda v: np.where(v >= 0, 1.0, -1.0),
    "sin": np.sin,
    "sinc": np.sinc,
    "softplus": lambda v: np.logaddexp(0.0, v),
    "square": np.square,
    "tanh": np.tanh,
}


@dataclass(frozen=True, repr=False)
class Function(Spec):
    """Base of the functions of parents; call one with a mapping of columns."""

    @property
    def parents(self) -> tuple[str, ...]:
        """Names of the variables that the function reads."""
        raise NotImplementedError

    def __call__(self, values: Values) -> np.ndarray:
        raise NotImplementedError

    def with_coefficient(self, term: str, change: Callable[[float], float]) -> Self:
        """Return a copy in which the coefficient of a term is changed."""
        raise InputError(
            f"{type(self).__name__} has no coefficients, so {term!r} cannot be shifted. "
            "Replace the function with MechanismShift."
        )


@dataclass(frozen=True, repr=False)
class Constant(Function):
    """A number.

    Parameters
    ----------
    value : float, default 0.0
        The number.

    Examples
    --------
    >>> Constant(2.0)({})
    array(2.)
    """

    value: float = 0.0

    def __post_init__(self) -> None:
        check_number(self.value, "Constant value")

    @property
    def parents(self) -> tuple[str, ...]:
        """No variable is read."""
        return ()

    def __call__(self, values: Values) -> np.ndarray:
        return np.asarray(self.value, dtype=float)


@dataclass(frozen=True, repr=False)
class _WithCoefficients(Function):
    coefficients: Mapping[str, float]
    intercept: float = 0.0

    def __post_init__(self) -> None:
        name = type(self).__name__
        check_number(self.intercept, f"{name} intercept")
        for term, coefficient in self.coefficients.items():
            check_number(coefficient, f"{name} coefficient of {term!r}")
            for factor in term.split(":"):
                _check_factor(factor, term)

    def with_coefficient(self, term: str, change: Callable[[float], float]) -> Self:
        """Return a copy in which one coefficient (or the ``"intercept"``) is changed."""
        if term == INTERCEPT:
            return replace(self, intercept=float(change(self.intercept)))
        known = {_canonical(key): key for key in self.coefficients}
        check_choice(_canonical(term), [*known, INTERCEPT], "term")
        key = known[_canonical(term)]
        changed = {**self.coefficients, key: float(change(self.coefficients[key]))}
        return replace(self, coefficients=changed)


@dataclass(frozen=True, repr=False)
class Linear(_WithCoefficients):
    """Linear in terms: variables, powers, products and indicators.

    Parameters
    ----------
    coefficients : mapping of str to float
        Coefficient of each term. ``"A"`` is the variable, ``"A^2"`` its square, ``"A:B"`` a
        product and ``"A=b"`` the indicator of the label ``b``; they combine (``"A=b:B^2"``). A
        coefficient of 0 is no edge, but a `CoefficientShift` can turn it into one.
    intercept : float, default 0.0
        Constant term.

    Examples
    --------
    >>> import numpy as np
    >>> f = Linear({"A": 2.0, "A:B": 1.0}, intercept=0.5)
    >>> f({"A": np.array([1.0, 2.0]), "B": np.array([0.0, 3.0])})
    array([ 2.5, 10.5])
    >>> f.parents
    ('A', 'B')
    """

    @property
    def parents(self) -> tuple[str, ...]:
        """Variables that occur in a term whose coefficient is not 0."""
        factors = [f for term, c in self.coefficients.items() if c for f in term.split(":")]
        return tuple(dict.fromkeys(re.split(r"[\^=]", factor)[0] for factor in factors))

    def __call__(self, values: Values) -> np.ndarray:
        total = np.asarray(self.intercept, dtype=float)
        for term, coefficient in self.coefficients.items():
            if coefficient == 0:
                continue
            product: Any = coefficient
            for factor in term.split(":"):
                product = product * _factor(factor, values)
            total = total + product
        return total


@dataclass(frozen=True, repr=False)
class Nonlinear(_WithCoefficients):
    """Additive in the parents: a sum of ``coefficient * shape(frequency * parent + phase)``.

    Parameters
    ----------
    coefficients : mapping of str to float
        Coefficient of each parent.
    intercept : float, default 0.0
        Constant term.
    shape : str, default "tanh"
        ``"abs"``, ``"cos"``, ``"cube"``, ``"exp"``, ``"identity"``, ``"power1.5"`` (that of the
        absolute value), ``"relu"``, ``"sigmoid"``, ``"sign"``, ``"sin"``, ``"sinc"``,
        ``"softplus"``, ``"square"`` or ``"tanh"``.
    frequency : float, default 1.0
        Factor on each parent.
    phase : float, default 0.0
        Added before the shape is applied.

    Examples
    --------
    >>> import numpy as np
    >>> Nonlinear({"A": 2.0}, shape="square")({"A": np.array([1.0, 3.0])})
    array([ 2., 18.])
    """

    shape: str = "tanh"
    frequency: float = 1.0
    phase: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice(self.shape, list(SHAPES), "shape")
        check_number(self.frequency, "Nonlinear frequency")
        check_number(self.phase, "Nonlinear phase")

    @property
    def parents(self) -> tuple[str, ...]:
        """Variables whose coefficient is not 0."""
        return tuple(name for name, coefficient in self.coefficients.items() if coefficient)

    def __call__(self, values: Values) -> np.ndarray:
        total = np.asarray(self.intercept, dtype=float)
        for name, coefficient in self.coefficients.items():
            if coefficient == 0:
                continue
            inner = self.frequency * number_column(name, values) + self.phase
            total = total + coefficient * SHAPES[self.shape](inner)
        return total


@dataclass(frozen=True, repr=False)
class Transform(Function):
    """A shape applied to another function: ``offset + amplitude * shape(inner)``.

    Parameters
    ----------
    shape : str
        A shape of `Nonlinear`.
    inner : Function
        What the shape is applied to.
    amplitude : float, default 1.0
        Factor on the result.
    offset : float, default 0.0
        Added to the result.

    Examples
    --------
    >>> import numpy as np
    >>> f = Transform("square", Linear({"A": 1.0, "B": 1.0}), offset=1.0)
    >>> f({"A": np.array([1.0]), "B": np.array([2.0])})
    array([10.])
    """

    shape: str
    inner: Function
    amplitude: float = 1.0
    offset: float = 0.0

    def __post_init__(self) -> None:
        check_choice(self.shape, list(SHAPES), "shape")
        check_number(self.amplitude, "Transform amplitude")
        check_number(self.offset, "Transform offset")

    @property
    def parents(self) -> tuple[str, ...]:
        """Parents of the inner function."""
        return self.inner.parents

    def __call__(self, values: Values) -> np.ndarray:
        return self.offset + self.amplitude * SHAPES[self.shape](self.inner(values))

    def with_coefficient(self, term: str, change: Callable[[float], float]) -> Self:
        """Change a coefficient of the inner function."""
        return replace(self, inner=self.inner.with_coefficient(term, change))


def _factor(factor: str, values: Values) -> np.ndarray:
    if "=" in factor:
        name, label = factor.split("=", 1)
        column = values[name]
        return np.asarray(
            column.astype(str) == label if column.dtype.kind != "U" else column == label
        )
    name, _, power = factor.partition("^")
    column = number_column(name, values)
    return column ** int(power) if power else column


def number_column(name: str, values: Values) -> np.ndarray:
    """Return a column of numbers, or raise an error that says how labels are used."""
    column = np.asarray(values[name])
    if column.dtype.kind not in "biuf":
        raise InputError(
            f"{name!r} holds labels, not numbers; use an indicator term such "
            f"as {name + '=label'!r}."
        )
    return column


def _check_factor(factor: str, term: str) -> None:
    name, _, power = factor.partition("^")
    if not name or ("^" in factor and not power.isdigit()):
        raise InputError(
            f"term {term!r} cannot be read: expected names joined by ':', each with an optional "
            "whole power ('A^2') or label ('A=b')."
        )


def _canonical(term: str) -> str:
    return ":".join(sorted(term.split(":")))
