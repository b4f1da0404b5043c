"""Fairness constraints by name, and what they are as linear moments on the cells.

A cell is a (group, outcome, decision); with shares of the strata fixed, every constraint on rates
is linear in the masses of the cells.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from shiftlab._core.validation import check_option
from shiftlab.auditing._entropic_cells import Levels
from shiftlab.exceptions import InputError

__all__ = ["CONSTRAINTS", "Constraint", "read_constraints"]


@dataclass(frozen=True)
class Rule:
    """What a name stands for: the outcomes it conditions on, and how rates are compared."""

    outcomes: tuple[int, ...] | None
    kind: str


CONSTRAINTS = {
    "accuracy": Rule((0, 1), "accuracy"),
    "demographic_parity_difference": Rule(None, "difference"),
    "disparate_impact": Rule(None, "ratio"),
    "equal_opportunity_difference": Rule((1,), "difference"),
    "equal_opportunity_ratio": Rule((1,), "ratio"),
    "equalized_odds_difference": Rule((0, 1), "difference"),
    "equalized_odds_ratio": Rule((0, 1), "ratio"),
}


@dataclass(frozen=True)
class Constraint:
    """One named constraint: a ratio or an accuracy of at least `target`, or a gap of at most it."""

    name: str
    target: float

    @property
    def rule(self) -> Rule:
        """What the name stands for."""
        return CONSTRAINTS[self.name]

    @property
    def needs_outcome(self) -> bool:
        """Whether true outcomes are needed."""
        return self.rule.outcomes is not None

    @property
    def band(self) -> Levels:
        """The band for the rates of the groups."""
        return Levels(self.rule.kind, self.target)

    def rates(self, mass: np.ndarray) -> list[np.ndarray]:
        """Return the rates that must lie in one band, for each outcome conditioned on."""
        return [part[:, 1] / part.sum(axis=1) for part in self.strata(mass)]

    def strata(self, mass: np.ndarray) -> list[np.ndarray]:
        """Return the masses (n_groups, 2) by decision, for each outcome conditioned on."""
        if self.rule.outcomes is None:
            return [mass.sum(axis=1)]
        return [mass[:, y, :] for y in self.rule.outcomes]

    def value(self, mass: np.ndarray) -> float:
        """Return the constrained quantity for masses of the cells."""
        if self.rule.kind == "accuracy":
            return float((mass[:, 0, 0] + mass[:, 1, 1]).sum() / mass.sum())
        rates = self.rates(mass)
        if self.rule.kind == "difference":
            return max(float(r.max() - r.min()) for r in rates)
        return min(float(r.min() / r.max()) if r.max() > 0 else 1.0 for r in rates)

    def holds(self, value: float, slack: float = 0.0) -> bool:
        """Tell whether a value meets the target."""
        if self.rule.kind == "difference":
            return value <= self.target + slack
        return value >= self.target - slack

    def moments(self, mass: np.ndarray) -> np.ndarray:
        """Return moments on the cells, shape (n_cells, k), whose means must not be negative.

        They rest on the shares of the strata in `mass`, which must be kept.
        """
        if self.rule.kind == "accuracy":
            correct = np.zeros_like(mass)
            correct[:, 0, 0] = correct[:, 1, 1] = 1.0
            return (correct - self.target).reshape(-1, 1)
        columns = []
        outcomes: tuple[int | slice, ...] = self.rule.outcomes or (slice(None),)
        for y, part in zip(outcomes, self.strata(mass), strict=True):
            shares = part.sum(axis=1)
            rate = np.zeros((len(shares), *mass.shape))
            for g, share in enumerate(shares):
                rate[g, g, y, 1] = 1.0 / share
            for g in range(len(shares)):
                for h in range(len(shares)):
                    if g != h:
                        columns.append(self._pair(rate[g], rate[h]))
        return np.stack(columns, axis=1)

    def _pair(self, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
        if self.rule.kind == "ratio":
            return (lower - self.target * upper).ravel()
        return (lower - upper + self.target).ravel()


def read_constraints(constraints: Any, has_outcome: bool) -> tuple[Constraint, ...]:
    """Read a mapping from names to targets.

    Raises
    ------
    InputError
        If a name is unknown, a target lies outside 0 to 1, or true outcomes are missing.
    """
    if not isinstance(constraints, Mapping) or not constraints:
        raise InputError(
            "constraints must map names to targets, for instance {'disparate_impact': 0.8}."
        )
    found = []
    for name, target in constraints.items():
        check_option(name, tuple(CONSTRAINTS), "constraints: a name")
        constraint = Constraint(name, _target(name, target))
        if constraint.needs_outcome and not has_outcome:
            raise InputError(f"constraints: {name!r} needs the true outcomes; pass y_true.")
        found.append(constraint)
    return tuple(found)


def _target(name: str, target: Any) -> float:
    is_number = isinstance(target, (int, float, np.number)) and not isinstance(target, bool)
    lowest_allowed = CONSTRAINTS[name].kind == "difference"
    if not is_number or not (0 < target <= 1 or (lowest_allowed and target == 0)):
        limits = "between 0 and 1" if lowest_allowed else "above 0 and at most 1"
        raise InputError(f"constraints: the target of {name!r} must be {limits}, found {target!r}.")
    return float(target)
