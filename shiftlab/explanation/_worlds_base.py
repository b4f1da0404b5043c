"""Worlds: where the tables of a study of explanation disparities come from.

A world is a frozen dataclass whose fields are the knobs that a study varies; `draw` gives one pair
of training and test tables with the group of every row. Group 0 is the one that the mechanisms
touch.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from shiftlab._core.checks import check_option
from shiftlab._core.names import join_names
from shiftlab._core.random import RandomState
from shiftlab._core.results import Result
from shiftlab._core.validation import check_integer
from shiftlab.exceptions import DegenerateDataError, InputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["World", "WorldData", "check_drawn", "check_flag"]


@dataclass(frozen=True, eq=False, repr=False)
class WorldData(Result):
    """One draw from a `World`: what a model is trained on and where its explanations are judged.

    Attributes
    ----------
    X_train, X_test : DataFrame
        Model inputs, one column per feature, all numeric.
    y_train, y_test : ndarray of shape (n_rows,)
        Outcome, 0 or 1.
    groups_train, groups_test : ndarray of shape (n_rows,)
        Group of each row, whether or not it is a model input.
    categorical : tuple of str
        Features that are labels; an explainer draws them by their frequencies.
    derived : dict of str to tuple of str
        Features that are the product of two others. A world that claims the published setting
        leaves it empty, so that the product is perturbed as a column of its own.

    Examples
    --------
    >>> from shiftlab.explanation import ConceptShiftWorld
    >>> data = ConceptShiftWorld(n_train=40, n_test=20).draw(0)
    >>> data
    WorldData with 40 training and 20 test rows: features C, L; groups 0, 1
    >>> list(data.to_frame())
    ['split', 'group', 'outcome', 'C', 'L']
    """

    X_train: "pd.DataFrame"
    y_train: np.ndarray
    groups_train: np.ndarray
    X_test: "pd.DataFrame"
    y_test: np.ndarray
    groups_test: np.ndarray
    categorical: tuple[str, ...] = ()
    derived: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def to_frame(self) -> "pd.DataFrame":
        """Return both tables, one below the other, with split, group and outcome."""
        import pandas as pd

        parts = []
        for split in ("train", "test"):
            part = getattr(self, f"X_{split}").reset_index(drop=True)
            part.insert(0, "outcome", getattr(self, f"y_{split}"))
            part.insert(0, "group", getattr(self, f"groups_{split}"))
            part.insert(0, "split", split)
            parts.append(part)
        return pd.concat(parts, ignore_index=True)

    def to_dict(self) -> dict[str, Any]:
        """Return sizes and features, without the rows."""
        counts = {
            split: dict(zip(*_counted(getattr(self, f"groups_{split}")), strict=True))
            for split in ("train", "test")
        }
        return {
            "features": list(self.X_train),
            "categorical": list(self.categorical),
            "derived": {name: list(pair) for name, pair in self.derived.items()},
            "n_rows": counts,
        }

    def __repr__(self) -> str:
        groups = _counted(self.groups_test)[0]
        return (
            f"WorldData with {len(self.y_train)} training and {len(self.y_test)} test rows: "
            f"features {', '.join(map(str, self.X_train))}; groups {', '.join(groups)}"
        )


@dataclass(frozen=True, kw_only=True)
class World(ABC):
    """Base of the worlds; `dataclasses.replace` gives a neighbour.

    Parameters
    ----------
    include_sensitive : bool, default False
        Make the sensitive attribute an input of the model.
    n_train : int, default 7000
        Rows of the training table before any are lost.
    n_test : int, default 3000
        Rows of the test table.
    """

    include_sensitive: bool = False
    n_train: int = 7000
    n_test: int = 3000

    #: What the world is about, for reports.
    aim: ClassVar[str] = ""

    def __post_init__(self) -> None:
        check_flag(self.include_sensitive, "include_sensitive")
        check_integer(self.n_train, "n_train", minimum=4)
        check_integer(self.n_test, "n_test", minimum=4)

    @abstractmethod
    def draw(self, random_state: RandomState = None) -> WorldData:
        """Draw training and test tables; worlds of one class share what their fields leave alone.

        Parameters
        ----------
        random_state : int, SeedSequence, Generator, RandomState or None, default None
            Seed.

        Returns
        -------
        WorldData

        Raises
        ------
        DegenerateDataError
            If the training table has one class or one group of the test table is empty.
        """

    @abstractmethod
    def null(self) -> Self:
        """Return the same world with its mechanism switched off."""

    @abstractmethod
    def equations(self) -> str:
        """Describe how a row comes about, for the report of a study."""

    @classmethod
    def knobs(cls) -> tuple[str, ...]:
        """Return the names of the fields that a study can vary."""
        return tuple(f.name for f in fields(cls))

    def varied(self, **levels: Any) -> Self:
        """Return the world with other values of some fields.

        Parameters
        ----------
        **levels : object
            New values by name of the field.

        Returns
        -------
        World

        Raises
        ------
        InputError
            If the world has no such field, or the value is unfit.
        """
        unknown = [name for name in levels if name not in self.knobs()]
        if unknown:
            raise InputError(
                f"{type(self).__name__} has no field {join_names(unknown)}; "
                f"it has {join_names(self.knobs(), 20)}."
            )
        return replace(self, **levels)


def check_flag(value: Any, name: str) -> bool:
    """Check that a field is True or False."""
    return bool(check_option(value, (True, False), name))


def check_drawn(data: WorldData) -> WorldData:
    """Return the data if a model can be trained on it and two groups can be compared.

    Raises
    ------
    DegenerateDataError
        If the training table is empty or has one class, or the test table has one group.
    """
    classes = np.unique(data.y_train)
    if len(classes) < 2:
        raise DegenerateDataError(
            f"the training table has {len(data.y_train)} row(s) and {len(classes)} class(es) of "
            "the outcome; a model needs both. Draw more rows, or weaken the mechanism."
        )
    if len(np.unique(data.groups_test)) < 2:
        raise DegenerateDataError(
            "the test table has rows of one group only; a disparity needs two. Raise n_test."
        )
    return data


def _counted(groups: np.ndarray) -> tuple[list[str], list[int]]:
    labels, counts = np.unique(groups, return_counts=True)
    return [str(label) for label in labels], counts.tolist()
