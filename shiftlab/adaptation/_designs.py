"""Simulated environments in which the best covariates depend on what has shifted."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shiftlab._core.checks import check_integer, check_option
from shiftlab._core.random import RandomState, as_generator
from shiftlab._core.results import Result

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SimulatedEnvironments", "simulate_environments"]

DESIGNS = ("hidden_cause", "broken_proxies", "confounded_shifts")
TYPES = ("c1", "c2", "x")


@dataclass(frozen=True, eq=False, repr=False)
class SimulatedEnvironments(Result):
    """Rows of simulated environments and how each was shifted.

    Attributes
    ----------
    frame : DataFrame
        Covariates, the environment and the outcome ``y``.
    shifts : DataFrame
        One row per environment: what was shifted and how far.
    bayes_risk : float or None
        Mean squared error of the best linear predictor that knows each environment.
    """

    frame: "pd.DataFrame"
    shifts: "pd.DataFrame"
    bayes_risk: float | None

    @property
    def X(self) -> "pd.DataFrame":
        """The covariates."""
        return self.frame.drop(columns=["environment", "y"])

    @property
    def y(self) -> np.ndarray:
        """The outcome."""
        return np.asarray(self.frame["y"].to_numpy())

    @property
    def environment(self) -> np.ndarray:
        """Environment of each row."""
        return np.asarray(self.frame["environment"].to_numpy())

    def to_frame(self) -> "pd.DataFrame":
        """Return the rows."""
        return self.frame

    def to_dict(self) -> dict[str, Any]:
        """Return the shifts and the size; the rows are in `frame`."""
        return {
            "n_rows": len(self.frame),
            "columns": list(self.frame.columns),
            "bayes_risk": self.bayes_risk,
            "shifts": self.shifts.to_dict("records"),
        }

    def __repr__(self) -> str:
        return f"SimulatedEnvironments({len(self.shifts)} environments, {len(self.frame)} rows)"


def simulate_environments(
    design: str = "hidden_cause",
    n_environments: int = 60,
    *,
    n_rows: int = 100,
    noise: float = 1.0,
    max_level: float = 4.0,
    types: Any = None,
    n_proxies: int = 1,
    random_state: RandomState = None,
) -> SimulatedEnvironments:
    """Draw environments of a design with a known answer.

    Parameters
    ----------
    design : {"hidden_cause", "broken_proxies", "confounded_shifts"}, default "hidden_cause"
        "hidden_cause": y = c1 + c2 + noise with c1 hidden and a proxy x = c1 - c2 + noise; one of
        the three (the types "c1", "c2", "x") is shifted by a level, equally spaced from 0 to
        `max_level` within a type. "broken_proxies": three causes, two hidden causes with two
        proxies each, one irrelevant column; each proxy is broken (much noisier) in some
        environments. "confounded_shifts": as the first, but the types are "m" (mean of the hidden
        cause), "v" (its variance), "c2" and "x" (all proxies noisier), with random levels; "v" and
        "x" look alike if there is one proxy.
    n_environments : int, default 60
        Number of environments; spread evenly over the types of "hidden_cause".
    n_rows : int, default 100
        Rows of each.
    noise : float, default 1.0
        Standard deviation of the noise of the outcome.
    max_level : float, default 4.0
        Largest shift.
    types : sequence of str, optional
        What may shift; all types of the design by default.
    n_proxies : int, default 1
        Proxies of "confounded_shifts".
    random_state : RandomState, optional
        Seed.

    Returns
    -------
    SimulatedEnvironments

    Raises
    ------
    InputError
        If the design is not known or a number is not positive.

    References
    ----------
    Zuo and Wang (2026), arXiv:2601.02322, for "hidden_cause".

    Examples
    --------
    >>> from shiftlab.adaptation import simulate_environments
    >>> simulate_environments("hidden_cause", 6, n_rows=10, random_state=0).shifts["type"].tolist()
    ['c1', 'c1', 'c2', 'c2', 'x', 'x']
    """
    import pandas as pd

    check_option(design, DESIGNS, "design")
    check_integer(n_environments, "n_environments")
    check_integer(n_rows, "n_rows", minimum=2)
    rng = as_generator(random_state)
    if design == "broken_proxies":
        parts, shifts = _broken_proxies(rng, n_environments, n_rows, noise)
        bayes = None
    elif design == "hidden_cause":
        kinds = list(types or TYPES)
        plan = [
            (kind, level)
            for kind, chunk in zip(
                kinds, np.array_split(np.arange(n_environments), len(kinds)), strict=True
            )
            for level in np.linspace(0, max_level, len(chunk))
        ]
        parts = [_hidden_cause(rng, kind, level, n_rows, noise) for kind, level in plan]
        shifts = [{"type": kind, "level": float(level)} for kind, level in plan]
        bayes = float(np.mean([_bayes(kind, level, noise) for kind, level in plan]))
    else:
        kinds = list(types or ("m", "v", "c2", "x"))
        plan = [
            (kinds[rng.integers(len(kinds))], rng.uniform(0, max_level))
            for _ in range(n_environments)
        ]
        parts = [_confounded(rng, kind, level, n_rows, noise, n_proxies) for kind, level in plan]
        shifts = [{"type": kind, "level": float(level)} for kind, level in plan]
        bayes = None
    codes = np.repeat(np.arange(len(parts)), n_rows)
    frame = pd.concat(parts, ignore_index=True)
    frame.insert(0, "environment", [f"e{code:04d}" for code in codes])
    table = pd.DataFrame(shifts)
    table.insert(0, "environment", [f"e{code:04d}" for code in range(len(parts))])
    return SimulatedEnvironments(frame, table, bayes)


def _bayes(kind: str, level: float, noise: float) -> float:
    """Risk of the best linear rule in one environment: s2 + v w / (v + w)."""
    w = 1 + level**2 if kind == "x" else 1.0
    return noise**2 + w / (1 + w)


def _hidden_cause(
    rng: np.random.Generator, kind: str, level: float, n: int, noise: float
) -> "pd.DataFrame":
    import pandas as pd

    c1 = rng.normal(size=n) + (level if kind == "c1" else 0.0)
    c2 = rng.normal(size=n) + (level * rng.normal(size=n) if kind == "c2" else 0.0)
    y = c1 + c2 + noise * rng.normal(size=n)
    x = c1 - c2 + rng.normal(size=n) + (level * rng.normal(size=n) if kind == "x" else 0.0)
    return pd.DataFrame({"c2": c2, "x": x, "y": y})


def _confounded(
    rng: np.random.Generator, kind: str, level: float, n: int, noise: float, n_proxies: int
) -> "pd.DataFrame":
    import pandas as pd

    wide = np.sqrt(1 + level**2)
    c1 = rng.normal(size=n) * (wide if kind == "v" else 1.0) + (level if kind == "m" else 0.0)
    c2 = rng.normal(size=n) * (wide if kind == "c2" else 1.0)
    columns = {"c2": c2}
    for k in range(n_proxies):
        blur = rng.normal(size=n) * (wide if kind == "x" else 1.0)
        columns[f"x{k + 1}"] = c1 - c2 + blur
    columns["y"] = c1 + c2 + noise * rng.normal(size=n)
    return pd.DataFrame(columns)


def _broken_proxies(
    rng: np.random.Generator, n_environments: int, n: int, noise: float
) -> tuple[list["pd.DataFrame"], list[dict[str, Any]]]:
    import pandas as pd

    parts, shifts = [], []
    for _ in range(n_environments):
        causes = rng.normal(size=(n, 3)) * np.exp(rng.normal(0, 0.3, 3))
        hidden = rng.normal(size=(n, 2)) + rng.normal(0, 0.7, 2)
        broken = rng.random(4) < 0.4
        blur = np.where(broken, rng.uniform(1, 5, 4), 0.6)
        signal = np.column_stack(
            [hidden[:, 0] - causes[:, 0], hidden[:, 0] + 0.5 * causes[:, 1],
             hidden[:, 1] - 0.5 * causes[:, 2], hidden[:, 1]]
        )  # fmt: skip
        proxies = signal + rng.normal(size=(n, 4)) * blur
        columns = {f"c{j + 1}": causes[:, j] for j in range(3)}
        columns |= {f"x{j + 1}": proxies[:, j] for j in range(4)}
        columns["irrelevant"] = rng.normal(size=n)
        columns["y"] = causes @ [1.0, -1.0, 0.5] + hidden.sum(axis=1) + noise * rng.normal(size=n)
        parts.append(pd.DataFrame(columns))
        shifts.append({"type": "broken", "level": float(broken.sum())})
    return parts, shifts
