"""Mechanisms: how a variable follows from its parents and its own noise."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from shiftlab.exceptions import InputError
from shiftlab.simulation._functions import Constant, Function, Values
from shiftlab.simulation._noise import Gaussian, Noise
from shiftlab.simulation._spec import Spec, check_choice, check_number

__all__ = ["Additive", "CustomMechanism", "Fixed", "Mechanism", "ScoredMechanism"]

#: Monotone output functions and their inverses.
OUTPUTS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], Callable[[np.ndarray], np.ndarray]]]
OUTPUTS = {
    "identity": (lambda v: v, lambda v: v),
    "cube": (lambda v: v**3, np.cbrt),
    "exp": (np.exp, np.log),
    "sigmoid": (lambda v: 0.5 * (1 + np.tanh(0.5 * v)), lambda v: np.log(v) - np.log1p(-v)),
    "sinh": (np.sinh, np.arcsinh),
}


ZERO = Constant()


@dataclass(frozen=True, repr=False)
class Mechanism(Spec):
    """Base of the mechanisms."""

    @property
    def parents(self) -> tuple[str, ...]:
        """Names of the direct causes."""
        raise NotImplementedError

    @property
    def default_noise(self) -> Noise | None:
        """Noise of a node that names none."""
        return Gaussian()

    def draw_noise(
        self, rng: np.random.Generator, n_rows: int, noise: Noise | None
    ) -> np.ndarray | None:
        """Draw the exogenous noise of `n_rows` rows."""
        return None if noise is None else noise.draw(rng, n_rows)

    def __call__(self, values: Values, noise: Any) -> np.ndarray:
        raise NotImplementedError

    def infer_noise(self, values: Values, observed: np.ndarray) -> np.ndarray | None:
        """Return the noise that explains the observed values (abduction).

        Raises
        ------
        InputError
            If many values of the noise explain the same observation.
        """
        raise InputError(
            f"{type(self).__name__} is not invertible: many values of its noise give the same "
            "outcome. Use data that keep their noise (the result of sample)."
        )

    def shifted(self, by: Any) -> Self:
        """Return a copy whose location is moved."""
        raise self._no_shift("location")

    def scaled(self, factor: float) -> Self:
        """Return a copy whose output is multiplied by a factor."""
        raise self._no_shift("scale")

    def noise_scaled(self, factor: float) -> Self:
        """Return a copy whose noise is multiplied by a factor."""
        raise self._no_shift("noise scale")

    def with_coefficient(self, term: str, change: Callable[[float], float]) -> Self:
        """Return a copy in which one coefficient is changed."""
        raise self._no_shift("coefficient")

    def _no_shift(self, what: str) -> InputError:
        return InputError(
            f"{type(self).__name__} has no {what} to shift. Replace it with MechanismShift."
        )


@dataclass(frozen=True, repr=False)
class ScoredMechanism(Mechanism):
    """A function of the parents plus scaled noise, before an output is formed."""

    function: Function = ZERO
    offset: float = 0.0
    noise_scale: float = 1.0

    def __post_init__(self) -> None:
        if not isinstance(self.function, Function):
            raise InputError(f"function must be a Function, found {type(self.function).__name__}.")
        check_number(self.offset, "offset")
        check_number(self.noise_scale, "noise_scale", minimum=0)

    @property
    def parents(self) -> tuple[str, ...]:
        """Parents of the function."""
        return self.function.parents

    def shifted(self, by: Any) -> Self:
        """Return a copy whose offset is moved."""
        check_number(by, "by")
        return replace(self, offset=self.offset + by)

    def noise_scaled(self, factor: float) -> Self:
        """Return a copy whose noise is multiplied by a factor."""
        return replace(self, noise_scale=self.noise_scale * factor)

    def with_coefficient(self, term: str, change: Callable[[float], float]) -> Self:
        """Return a copy in which one coefficient of the function is changed."""
        return replace(self, function=self.function.with_coefficient(term, change))


@dataclass(frozen=True, repr=False)
class Additive(ScoredMechanism):
    """A continuous variable: ``output(factor * (f(parents) + offset + spread * noise))``.

    The spread is ``noise_scale * exp(log_scale(parents))``. With ``log_scale`` this is a
    location-scale model, with another ``output`` a post-nonlinear model. Both are invertible: the
    noise follows from the variable and its parents.

    Parameters
    ----------
    function : Function, default Constant(0)
        Mean of the unscaled variable, if the noise has mean 0.
    offset : float, default 0.0
        Added to the function.
    noise_scale : float, default 1.0
        Factor on the noise, not negative.
    log_scale : Function, optional
        Logarithm of a further factor on the noise, as a function of parents.
    factor : float, default 1.0
        Factor on function and noise together, positive.
    output : {"identity", "cube", "exp", "sigmoid", "sinh"}, default "identity"
        Monotone function of the result.

    Examples
    --------
    >>> import numpy as np
    >>> mechanism = Additive(Constant(1.0), noise_scale=2.0)
    >>> mechanism({}, np.array([0.0, 1.0]))
    array([1., 3.])
    >>> mechanism.infer_noise({}, np.array([1.0, 3.0]))
    array([0., 1.])
    """

    log_scale: Function | None = None
    factor: float = 1.0
    output: str = "identity"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number(self.factor, "factor", minimum=0, exclusive=True)
        check_choice(self.output, list(OUTPUTS), "output")

    @property
    def parents(self) -> tuple[str, ...]:
        """Parents of the mean and of the scale."""
        extra = self.log_scale.parents if self.log_scale else ()
        return tuple(dict.fromkeys([*self.function.parents, *extra]))

    @property
    def _is_copy(self) -> bool:
        return self == Additive()

    def _spread(self, values: Values) -> Any:
        return self.noise_scale * (np.exp(self.log_scale(values)) if self.log_scale else 1.0)

    def __call__(self, values: Values, noise: Any) -> np.ndarray:
        if self._is_copy:
            return np.asarray(noise)
        if noise.dtype.kind not in "biuf":
            raise InputError(
                "a noise of labels cannot be shifted, scaled or added to a function; "
                "use NoiseShift to change its probabilities."
            )
        inner = self.function(values) + self.offset + self._spread(values) * noise
        return OUTPUTS[self.output][0](self.factor * inner)

    def infer_noise(self, values: Values, observed: np.ndarray) -> np.ndarray:
        """Return the noise that explains the observed values."""
        if self._is_copy:
            return observed
        if self.noise_scale == 0:
            raise InputError("Additive with noise_scale 0 leaves no trace of its noise.")
        inner = OUTPUTS[self.output][1](np.asarray(observed, dtype=float)) / self.factor
        return np.asarray((inner - self.function(values) - self.offset) / self._spread(values))

    def shifted(self, by: Any) -> Self:
        """Return a copy whose value (before a nonlinear `output`) is moved."""
        check_number(by, "by")
        return replace(self, offset=self.offset + by / self.factor)

    def scaled(self, factor: float) -> Self:
        """Return a copy whose output (before a nonlinear `output`) is multiplied."""
        return replace(self, factor=self.factor * factor)


@dataclass(frozen=True, repr=False)
class Fixed(Mechanism):
    """A hard intervention: the variable has a given value, whatever its causes and noise.

    Parameters
    ----------
    value : float, int or str
        The value.

    Examples
    --------
    >>> Fixed(3.0)({}, None)
    array(3.)
    """

    value: Any

    @property
    def parents(self) -> tuple[str, ...]:
        """No variable is read."""
        return ()

    @property
    def default_noise(self) -> None:
        """No noise."""
        return None

    def __call__(self, values: Values, noise: Any) -> np.ndarray:
        return np.asarray(self.value)

    def infer_noise(self, values: Values, observed: np.ndarray) -> None:
        """Return None: there is no noise."""
        return None


@dataclass(frozen=True, repr=False)
class CustomMechanism(Mechanism):
    """Any callable of parents and noise; such a model cannot be written as data.

    Parameters
    ----------
    function : callable
        ``function(values, noise)`` with a mapping of the parents' columns and the noise column.
    inputs : sequence of str, default ()
        Parents.
    inverse : callable, optional
        ``inverse(values, observed)`` returns the noise; without it the mechanism counts as not
        invertible.

    Examples
    --------
    >>> import numpy as np
    >>> law = CustomMechanism(lambda values, noise: values["A"] * noise, ("A",))
    >>> law({"A": np.array([2.0])}, np.array([3.0]))
    array([6.])
    """

    function: Callable[[Values, Any], Any]
    inputs: tuple[str, ...] = ()
    inverse: Callable[[Values, np.ndarray], Any] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "inputs", tuple(self.inputs))

    @property
    def parents(self) -> tuple[str, ...]:
        """The inputs."""
        return self.inputs

    def __call__(self, values: Values, noise: Any) -> np.ndarray:
        return np.asarray(self.function(values, noise))

    def infer_noise(self, values: Values, observed: np.ndarray) -> np.ndarray | None:
        """Return the noise by the given inverse."""
        if self.inverse is None:
            return super().infer_noise(values, observed)
        return np.asarray(self.inverse(values, observed))
