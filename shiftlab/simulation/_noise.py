"""Exogenous noise: distributions as data, drawn from a seeded generator."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from shiftlab.exceptions import InputError
from shiftlab.simulation._spec import Spec, check_labels, check_number

__all__ = [
    "Discrete",
    "Exponential",
    "Gaussian",
    "Laplace",
    "Logistic",
    "Mixture",
    "Noise",
    "Ramp",
    "StudentT",
    "Uniform",
]


@dataclass(frozen=True, repr=False)
class Noise(Spec):
    """Base of the noise distributions."""

    def draw(self, rng: np.random.Generator, n_rows: int) -> np.ndarray:
        """Draw one value per row.

        Parameters
        ----------
        rng : numpy Generator
            Source of randomness.
        n_rows : int
            Number of draws.

        Returns
        -------
        ndarray of shape (n_rows,)
        """
        raise NotImplementedError


@dataclass(frozen=True, repr=False)
class Gaussian(Noise):
    """Normal noise.

    Parameters
    ----------
    scale : float, default 1.0
        Standard deviation.
    loc : float, default 0.0
        Mean.

    Examples
    --------
    >>> import numpy as np
    >>> Gaussian(2.0).draw(np.random.default_rng(0), 3).shape
    (3,)
    """

    scale: float = 1.0
    loc: float = 0.0

    def __post_init__(self) -> None:
        _check_location_scale(self)

    def draw(self, rng: np.random.Generator, n_rows: int) -> np.ndarray:
        """Draw one value per row."""
        return self.loc + self.scale * rng.standard_normal(n_rows)


@dataclass(frozen=True, repr=False)
class Uniform(Noise):
    """Uniform noise on [low, high); the default has mean 0 and standard deviation 1.

    Parameters
    ----------
    low, high : float, default -sqrt(3), sqrt(3)
        Bounds.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> bool((Uniform(0.0, 2.0).draw(rng, 100) < 2).all())
    True
    """

    low: float = -(3**0.5)
    high: float = 3**0.5

    def __post_init__(self) -> None:
        check_number(self.low, "Uniform low")
        check_number(self.high, "Uniform high", minimum=self.low, exclusive=True)

    def draw(self, rng: np.random.Generator, n_rows: int) -> np.ndarray:
        """Draw one value per row."""
        return rng.uniform(self.low, self.high, n_rows)


@dataclass(frozen=True, repr=False)
class StudentT(Noise):
    """Student's t noise: heavy tails.

    Parameters
    ----------
    df : float
        Degrees of freedom, positive; the variance is finite above 2.
    scale : float, default 1.0
        Factor on the standard t variable (not its standard deviation).
    loc : float, default 0.0
        Centre.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> StudentT(3.0).draw(rng, 4).shape
    (4,)
    """

    df: float
    scale: float = 1.0
    loc: float = 0.0

    def __post_init__(self) -> None:
        check_number(self.df, "StudentT df", minimum=0, exclusive=True)
        _check_location_scale(self)

    def draw(self, rng: np.random.Generator, n_rows: int) -> np.ndarray:
        """Draw one value per row."""
        return self.loc + self.scale * rng.standard_t(self.df, n_rows)


@dataclass(frozen=True, repr=False)
class Laplace(Noise):
    """Double exponential noise.

    Parameters
    ----------
    scale : float, default 1/sqrt(2)
        Mean absolute deviation; the default has standard deviation 1.
    loc : float, default 0.0
        Centre.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> bool(abs(Laplace().draw(rng, 100_000).std() - 1) < 0.02)
    True
    """

    scale: float = 0.5**0.5
    loc: float = 0.0

    def __post_init__(self) -> None:
        _check_location_scale(self)

    def draw(self, rng: np.random.Generator, n_rows: int) -> np.ndarray:
        """Draw one value per row."""
        return rng.laplace(self.loc, self.scale, n_rows)


@dataclass(frozen=True, repr=False)
class Exponential(Noise):
    """Exponential noise, moved to mean zero unless told otherwise: skewed to the right.

    Parameters
    ----------
    scale : float, default 1.0
        Standard deviation (and mean, if not centred).
    centred : bool, default True
        Subtract the mean.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> bool((Exponential(2.0).draw(rng, 100) > -2).all())
    True
    """

    scale: float = 1.0
    centred: bool = True

    def __post_init__(self) -> None:
        check_number(self.scale, "Exponential scale", minimum=0, exclusive=True)

    def draw(self, rng: np.random.Generator, n_rows: int) -> np.ndarray:
        """Draw one value per row."""
        return rng.exponential(self.scale, n_rows) - self.scale * self.centred


@dataclass(frozen=True, repr=False)
class Logistic(Noise):
    """Logistic noise; a `Threshold` with it is a logistic regression.

    Parameters
    ----------
    scale : float, default 1.0
        Scale; the standard deviation is pi/sqrt(3) times it.
    loc : float, default 0.0
        Centre.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> bool(abs(np.mean(Logistic().draw(rng, 100_000) < 0) - 0.5) < 0.01)
    True
    """

    scale: float = 1.0
    loc: float = 0.0

    def __post_init__(self) -> None:
        _check_location_scale(self)

    def draw(self, rng: np.random.Generator, n_rows: int) -> np.ndarray:
        """Draw one value per row."""
        return rng.logistic(self.loc, self.scale, n_rows)


@dataclass(frozen=True, repr=False)
class Discrete(Noise):
    """Values with given probabilities; numbers, or labels for a categorical root.

    Drawn by inverting the distribution function in the given order, so that with equal seeds a
    change of the probabilities moves as few rows as possible.

    Parameters
    ----------
    probabilities : mapping of value to float
        Non-negative, with sum 1.

    Examples
    --------
    >>> import numpy as np
    >>> Discrete({"f": 0.5, "m": 0.5}).draw(np.random.default_rng(0), 3).tolist()
    ['m', 'f', 'f']
    """

    probabilities: Mapping[Any, float]

    def __post_init__(self) -> None:
        if not self.probabilities:
            raise InputError("Discrete probabilities must not be empty.")
        check_labels(list(self.probabilities), "Discrete values")
        for value, share in self.probabilities.items():
            check_number(share, f"Discrete probability of {value!r}", minimum=0)
        total = sum(self.probabilities.values())
        if abs(total - 1) > 1e-9:
            raise InputError(f"Discrete probabilities must have sum 1, found {total:.6g}.")

    def draw(self, rng: np.random.Generator, n_rows: int) -> np.ndarray:
        """Draw one value per row."""
        bounds = np.cumsum(list(self.probabilities.values()))[:-1]
        values = np.array(list(self.probabilities))
        return values[np.searchsorted(bounds, rng.random(n_rows), side="right")]


@dataclass(frozen=True, repr=False)
class Mixture(Noise):
    """A mixture of noises.

    Parameters
    ----------
    components : sequence of Noise
        Distributions to mix.
    weights : sequence of float
        Their shares, with sum 1.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> two = Mixture((Gaussian(0.1, -5.0), Gaussian(0.1, 5.0)), (0.5, 0.5))
    >>> bool((abs(two.draw(rng, 100)) > 4).all())
    True
    """

    components: tuple[Noise, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "components", tuple(self.components))
        object.__setattr__(self, "weights", tuple(self.weights))
        if len(self.components) != len(self.weights):
            raise InputError(
                f"Mixture has {len(self.components)} components, but {len(self.weights)} weights."
            )
        Discrete(dict(enumerate(self.weights)))

    def draw(self, rng: np.random.Generator, n_rows: int) -> np.ndarray:
        """Draw one value per row."""
        chosen = Discrete(dict(enumerate(self.weights))).draw(rng, n_rows)
        draws = [component.draw(rng, n_rows) for component in self.components]
        return np.choose(chosen, draws)


@dataclass(frozen=True, repr=False)
class Ramp(Noise):
    """Equally spaced values, not random: a clock for mechanisms that drift inside a table.

    Parameters
    ----------
    low, high : float, default 0.0, 1.0
        First and last value.

    Examples
    --------
    >>> import numpy as np
    >>> Ramp(0.0, 1.0).draw(np.random.default_rng(0), 5).tolist()
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """

    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        check_number(self.low, "Ramp low")
        check_number(self.high, "Ramp high")

    def draw(self, rng: np.random.Generator, n_rows: int) -> np.ndarray:
        """Return the ramp; `rng` is not used."""
        return np.linspace(self.low, self.high, n_rows)


def _check_location_scale(noise: Any) -> None:
    name = type(noise).__name__
    check_number(noise.scale, f"{name} scale", minimum=0, exclusive=True)
    check_number(noise.loc, f"{name} loc")
