"""One pair or one mechanism, without a search: phases 3 and 4 as functions."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from shiftlab._core.checks import check_integer
from shiftlab._core.frames import Table, as_table
from shiftlab._core.results import Result
from shiftlab.discovery._driving_force import DrivingForce
from shiftlab.discovery._independent_changes import FEWEST_POINTS, MechanismDependence
from shiftlab.discovery._modules import Mechanisms
from shiftlab.discovery._phases import force_of
from shiftlab.discovery._surrogate import Surrogate, read_surrogate
from shiftlab.exceptions import DegenerateDataError, InputError

__all__ = ["IndependentChanges", "driving_force", "independent_changes"]

PVALUE_METHODS = {True: "shifts and reversals of time", False: "permutation of environments"}


@dataclass(frozen=True)
class IndependentChanges(Result):
    """Whether two mechanisms move independently in one direction of a pair and in the other.

    Attributes
    ----------
    cause, effect : str
        The better direction, whatever the margin.
    margin : float
        How much better it is, in standard deviations of the dependence of independent paths.
    decided : bool
        Whether the margin reaches the one that was asked for.
    correlation, correlation_reversed : float
        Bias-corrected squared distance correlation between the paths of P(cause) and
        P(effect | cause), and in the other direction.
    pvalue, pvalue_reversed : float
        Of independence of the paths in the better direction and in the other.
    pvalue_method : str
        How the p-values were obtained.
    n_points : int
        Environments, or points along time.
    """

    cause: str
    effect: str
    margin: float
    decided: bool
    correlation: float
    correlation_reversed: float
    pvalue: float
    pvalue_reversed: float
    pvalue_method: str
    n_points: int


def independent_changes(
    x: Any,
    y: Any,
    environment: Any,
    *,
    environment_type: str = "auto",
    margin: float = 1.0,
) -> IndependentChanges:
    """Compare the two directions of a pair whose mechanisms both change.

    In the causal direction P(cause) and P(effect | cause) change independently of each other.

    Parameters
    ----------
    x, y : array of shape (n_rows,) or (n_rows, k)
        Two variables; several columns form one variable together.
    environment : array of shape (n_rows,)
        Labels or times.
    environment_type : {"auto", "categorical", "time"}, default "auto"
        How the environment is read, see `CDNOD`.
    margin : float, default 1.0
        Difference that counts as a decision.

    Returns
    -------
    IndependentChanges

    Raises
    ------
    InputError
        If lengths differ, cells are missing, or there are fewer than 5 environments.

    References
    ----------
    Huang et al., Causal discovery from heterogeneous/nonstationary data, JMLR 21(89), 2020,
    section 4.2, with the bias-corrected distance correlation of Szekely and Rizzo (2013) over the
    embedded mechanisms in place of their normalised HSIC.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.discovery import independent_changes
    >>> rng = np.random.default_rng(0)
    >>> site = np.repeat(np.arange(30), 60)
    >>> x = rng.normal(size=30)[site] + rng.normal(size=1800)
    >>> y = rng.uniform(0.5, 2, size=30)[site] * np.tanh(x) + 0.4 * rng.normal(size=1800)
    >>> found = independent_changes(x, y, site)
    >>> found.cause, found.decided, found.pvalue > 0.05, found.pvalue_reversed < 0.01
    ('x', True, True, True)
    """
    left, right = _variable(x, "x"), _variable(y, "y")
    mechanisms = _mechanisms([left, right], environment, environment_type)
    dependence = MechanismDependence(mechanisms)
    if dependence.n_points < FEWEST_POINTS:
        raise DegenerateDataError(
            f"environment: {dependence.n_points} environments cannot show whether mechanisms "
            f"change independently; at least {FEWEST_POINTS} are needed."
        )
    names = [" & ".join(table.names) for table in (left, right)]
    directions = ((1, (0,)), (0, (1,)))
    found = [dependence.correlation(*direction) for direction in directions]
    values = [dependence.pvalue(*direction) for direction in directions]
    better = int(found[1] < found[0])
    deviations = [dependence.deviation(*direction) for direction in directions]
    difference = abs(found[1] - found[0]) / np.sqrt(np.mean(np.square(deviations)))
    return IndependentChanges(
        cause=names[better],
        effect=names[1 - better],
        margin=float(difference),
        decided=bool(difference >= margin),
        correlation=found[better],
        correlation_reversed=found[1 - better],
        pvalue=values[better],
        pvalue_reversed=values[1 - better],
        pvalue_method="shifts and reversals of time"
        if dependence.is_time
        else "permutation of environments",
        n_points=dependence.n_points,
    )


def driving_force(
    y: Any,
    parents: Any = None,
    *,
    environment: Any,
    environment_type: str = "auto",
    n_components: int = 3,
) -> DrivingForce:
    """Return how the mechanism P(y | parents) moves over environments or along time.

    Parameters
    ----------
    y : array of shape (n_rows,)
        The variable.
    parents : array or data frame of shape (n_rows,) or (n_rows, k), optional
        Its parents; without them the marginal distribution is followed.
    environment : array of shape (n_rows,)
        Labels or times.
    environment_type : {"auto", "categorical", "time"}, default "auto"
        How the environment is read, see `CDNOD`.
    n_components : int, default 3
        Components to return.

    Returns
    -------
    DrivingForce

    Raises
    ------
    InputError
        If lengths differ, cells are missing, or there is one environment only.

    References
    ----------
    Huang et al., Causal discovery from heterogeneous/nonstationary data, JMLR 21(89), 2020,
    section 5.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.discovery import driving_force
    >>> rng = np.random.default_rng(0)
    >>> hour = np.arange(2000.0)
    >>> x, slope = rng.normal(size=2000), np.sin(hour / 200)
    >>> y = (1 + 0.6 * slope) * np.tanh(x) + 0.4 * rng.normal(size=2000)
    >>> force = driving_force(y, x, environment=hour)
    >>> truth = np.interp(force.points, hour, slope)
    >>> bool(abs(np.corrcoef(force.components[:, 0], truth)[0, 1]) > 0.95)
    True
    """
    count = check_integer(n_components, "n_components")
    parts = [_variable(y, "y")]
    if parents is not None:
        table = as_table(parents, name="parents")
        parts += [Table((column,), table.n_rows) for column in table]
    mechanisms = _mechanisms(parts, environment, environment_type)
    surrogate = _read(environment, parts[0].n_rows, environment_type)
    chosen = tuple(range(1, len(parts)))
    names = [table.columns[0].name for table in parts]
    return force_of(mechanisms, surrogate, (0, chosen), names, surrogate.name, count)


def _variable(values: Any, name: str) -> Table:
    given = getattr(values, "name", None)
    label = given if isinstance(given, str) and given else name
    return as_table(values, name=name, columns=[label] if np.ndim(values) == 1 else None)


def _read(environment: Any, n_rows: int, kind: str) -> Surrogate:
    if environment is None:
        raise InputError("environment is needed: one label or time per row.")
    surrogate, _ = read_surrogate(environment, n_rows, kind)
    if surrogate.is_constant:
        raise DegenerateDataError("environment is constant: there is nothing to compare.")
    return surrogate


def _mechanisms(variables: list[Table], environment: Any, kind: str) -> Mechanisms:
    n_rows = variables[0].n_rows
    for table in variables:
        if table.n_rows != n_rows:
            raise InputError(f"The variables differ in length: {n_rows} and {table.n_rows} rows.")
        if any(column.missing.any() for column in table):
            raise InputError("The variables have missing cells; fill or remove these rows.")
    return Mechanisms([table.columns for table in variables], _read(environment, n_rows, kind))
