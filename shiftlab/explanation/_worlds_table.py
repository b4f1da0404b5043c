"""Worlds from a real table: rows are drawn from it, and mechanisms are imposed on the draw."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from shiftlab._core.names import join_names, missing_column_message
from shiftlab._core.random import RandomState, as_seed_sequence
from shiftlab.exceptions import ColumnNotFoundError, DegenerateDataError, InputError
from shiftlab.explanation._worlds_base import World, WorldData, check_drawn
from shiftlab.explanation._worlds_structural import check_level

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TableWorld", "adult_world"]

STREAMS = ("test", "train", "selection", "relabel")


@dataclass(frozen=True, kw_only=True, eq=False)
class TableWorld(World):
    """A real table whose rows are drawn anew in every replicate, with mechanisms imposed on them.

    Parameters
    ----------
    include_sensitive : bool, default False
        Make the sensitive attribute (0 for group 0, then 1, 2, ...) an input of the model, as the
        column `group`.
    n_train : int, default 7000
        Rows of the training table.
    n_test : int, default 3000
        Rows of the test table.
    frame : DataFrame
        Numeric features, the outcome (0 or 1) and the sensitive attribute, without missing cells.
    outcome : str
        Column of the outcome.
    group : str
        Column of the sensitive attribute: two groups or more.
    zero : object
        Label of group 0, the one that the mechanisms touch; the others are numbered in the order of
        their labels.
    categorical : tuple of str, default ()
        Features that are labels, coded as numbers.
    omit : tuple of str, default ()
        Features that the model does not see.
    share : float, optional
        Share of group 0 in training; that of the table by default.
    tilt : tuple of (str, float), optional
        Feature and strength: training rows of group 0 are drawn with weights
        ``exp(strength * z)``, where z is the standardised feature; their number stays.
    relabel : tuple of (str, float), optional
        Feature and share: this share of group 0 gets a new rule for the outcome, 1 for the rows
        with the largest values of the feature, as many as had the outcome 1 before.

    Notes
    -----
    Rows are drawn without replacement, training and test rows are disjoint, and features that are
    not categorical are standardised by the training table. The law of the table is what its rows
    are: a mechanism imposed on it is known, its other differences between groups are not, so that
    the null of this world is "nothing imposed", not "no disparity".

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from shiftlab.explanation import TableWorld
    >>> rng = np.random.default_rng(0)
    >>> frame = pd.DataFrame({"x": rng.normal(size=300), "z": rng.normal(size=300)})
    >>> frame["sex"] = rng.choice(["f", "m"], 300)
    >>> frame["y"] = (frame["x"] + rng.normal(size=300) > 0).astype(int)
    >>> world = TableWorld(frame=frame, outcome="y", group="sex", zero="f", n_train=100, n_test=80)
    >>> list(world.varied(omit=("z",), include_sensitive=True).draw(0).X_test)
    ['x', 'sex']
    """

    frame: "pd.DataFrame" = field(repr=False)
    outcome: str
    group: str
    zero: Any
    categorical: tuple[str, ...] = ()
    omit: tuple[str, ...] = ()
    share: float | None = None
    tilt: tuple[str, float] | None = None
    relabel: tuple[str, float] | None = None

    aim: ClassVar[str] = "mechanisms imposed on a real table"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_frame(self.frame, self.outcome, self.group, self.zero)
        for name in (*self.categorical, *self.omit):
            self._check_feature(name)
        if set(self.omit) >= set(self._all_features()):
            raise InputError("omit leaves no feature for the model.")
        if self.share is not None:
            check_level(self.share, "share", low=0.001, high=0.999)
        for name, given in (("tilt", self.tilt), ("relabel", self.relabel)):
            if given is not None:
                _check_pair(given, name)
                self._check_feature(given[0])
        if self.relabel is not None:
            check_level(self.relabel[1], "relabel share", low=0, high=1)

    def _all_features(self) -> list[str]:
        return [str(n) for n in self.frame.columns if n not in (self.outcome, self.group)]

    def _check_feature(self, name: str) -> None:
        if name not in self._all_features():
            raise ColumnNotFoundError(missing_column_message(name, self._all_features(), "feature"))

    def null(self) -> Self:
        """Return the world in which nothing is imposed."""
        return replace(self, omit=(), share=None, tilt=None, relabel=None)

    def draw(self, random_state: RandomState = None) -> WorldData:
        """Draw training and test tables; see `World.draw`."""
        root = as_seed_sequence(random_state)
        streams = dict(zip(STREAMS, root.spawn(len(STREAMS)), strict=True))
        rngs = {name: np.random.default_rng(seed) for name, seed in streams.items()}
        label = self._groups()
        is_zero = label == 0
        outcome = self._outcomes(is_zero, rngs["relabel"])
        order = rngs["test"].permutation(len(self.frame))
        test, rest = order[: self.n_test], order[self.n_test :]
        train = self._training_rows(rest, is_zero, rngs)
        inputs = self._inputs(label, train)
        kept = tuple(n for n in self.categorical if n in inputs)
        return check_drawn(
            WorldData(
                X_train=inputs.iloc[train].reset_index(drop=True),
                y_train=outcome[train],
                groups_train=label[train],
                X_test=inputs.iloc[test].reset_index(drop=True),
                y_test=outcome[test],
                groups_test=label[test],
                categorical=(*kept, self.group) if self.include_sensitive else kept,
            )
        )

    def _groups(self) -> np.ndarray:
        """Return the number of the group of each row."""
        others = sorted(set(self.frame[self.group].unique()) - {self.zero}, key=str)
        numbers = {name: k for k, name in enumerate([self.zero, *others])}
        return self.frame[self.group].map(numbers).to_numpy().astype(np.int64)

    def _inputs(self, label: np.ndarray, train: np.ndarray) -> "pd.DataFrame":
        names = [n for n in self._all_features() if n not in self.omit]
        inputs = self.frame[names].astype(float)
        scaled = [n for n in names if n not in self.categorical]
        reference = inputs[scaled].iloc[train]
        spread = reference.std(ddof=0).replace(0.0, 1.0)
        inputs[scaled] = (inputs[scaled] - reference.mean()) / spread
        if self.include_sensitive:
            inputs[self.group] = label.astype(float)
        return inputs

    def _outcomes(self, is_zero: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        outcome = self.frame[self.outcome].to_numpy().astype(np.int64)
        if self.relabel is None:
            return outcome
        name, share = self.relabel
        chosen = np.flatnonzero(is_zero & (rng.random(len(outcome)) < share))
        value = self.frame[name].to_numpy()[chosen]
        order = chosen[np.lexsort((rng.random(len(chosen)), -value))]
        changed = outcome.copy()
        changed[order] = np.arange(len(order)) < outcome[chosen].sum()
        return changed

    def _training_rows(
        self, rest: np.ndarray, is_zero: np.ndarray, rngs: Mapping[str, np.random.Generator]
    ) -> np.ndarray:
        share = float(is_zero.mean()) if self.share is None else self.share
        n_zero = max(1, round(self.n_train * share))
        zero, one = rest[is_zero[rest]], rest[~is_zero[rest]]
        _check_enough(n_zero, len(zero), "0")
        _check_enough(self.n_train - n_zero, len(one), "1 (and above)")
        # Keys as in weighted sampling without replacement: the first n are the sample.
        keys = rngs["selection"].gumbel(size=len(is_zero))
        if self.tilt is not None:
            name, strength = self.tilt
            value = self.frame[name].to_numpy(dtype=float)
            spread = value[is_zero].std() or 1.0
            keys = keys + strength * (value - value[is_zero].mean()) / spread
        zero = zero[np.argsort(-keys[zero], kind="stable")[:n_zero]]
        rows = np.concatenate([zero, one[: self.n_train - n_zero]])
        return np.asarray(rngs["train"].permutation(rows))

    def equations(self) -> str:
        """Describe how a row comes about."""
        imposed = {
            "omitted features": ", ".join(self.omit) or None,
            "share of group 0 in training": self.share,
            "tilt of group 0 in training": self.tilt,
            "changed rule for the outcome of group 0": self.relabel,
        }
        lines = [f"{name}: {value}" for name, value in imposed.items() if value is not None]
        return "\n".join(
            [
                f"{len(self.frame):,} rows, drawn without replacement; outcome {self.outcome!r}, "
                f"groups by {self.group!r}, group 0 is {self.zero!r}",
                f"features: {', '.join(self._all_features())}",
                *(lines or ["nothing imposed"]),
            ]
        )


def adult_world(data: Any, **knobs: Any) -> TableWorld:
    """Make the world of the Adult census data: seven features, income above 50,000, women and men.

    Parameters
    ----------
    data : Dataset or DataFrame
        As `shiftlab.datasets.fetch_adult` returns it.
    **knobs : object
        Fields of `TableWorld`, such as ``omit=("capital_gain", "married")``.

    Returns
    -------
    TableWorld
        With 12000 training and 1200 test rows unless told otherwise. The features are age,
        education_num, hours_per_week, capital_gain and capital_loss (logarithms of 1 + dollars),
        married and white (0 or 1); group 0 are the women.

    Raises
    ------
    InputError
        If a column is missing.

    Notes
    -----
    This is a recipe of shiftlab. How Mhasawade et al. (2024) prepared Adult is not published, so
    results on this world are no reproduction of theirs.

    Examples
    --------
    >>> from shiftlab.datasets import fetch_adult  # doctest: +SKIP
    >>> from shiftlab.explanation import adult_world
    >>> world = adult_world(fetch_adult(), include_sensitive=True)  # doctest: +SKIP
    """
    import pandas as pd

    raw = getattr(data, "frame", data)
    needed = (
        "age", "education_num", "hours_per_week", "capital_gain", "capital_loss",
        "marital_status", "race", "sex", "income",
    )  # fmt: skip
    missing = [name for name in needed if name not in raw.columns]
    if missing:
        raise ColumnNotFoundError(
            f"data has no column {join_names(missing)}; adult_world reads the table of fetch_adult."
        )
    frame = pd.DataFrame({name: raw[name] for name in needed[:3]})
    for name in ("capital_gain", "capital_loss"):
        frame[name] = np.log1p(raw[name])
    frame["married"] = raw["marital_status"].str.startswith("Married").astype(int)
    frame["white"] = (raw["race"] == "White").astype(int)
    frame["sex"] = raw["sex"]
    frame["income"] = raw["income"].str.contains(">50K", regex=False).astype(int)
    fixed = {"outcome": "income", "group": "sex", "zero": "Female"}
    defaults = {"categorical": ("married", "white"), "n_train": 12_000, "n_test": 1200}
    return TableWorld(**{"frame": frame, **fixed, **defaults, **knobs})


def _check_frame(frame: Any, outcome: str, group: str, zero: Any) -> None:
    import pandas as pd

    if not isinstance(frame, pd.DataFrame):
        raise InputError(f"frame must be a pandas DataFrame, found {type(frame).__name__}.")
    for name, argument in ((outcome, "outcome"), (group, "group")):
        if name not in frame.columns:
            names = [str(n) for n in frame.columns]
            raise ColumnNotFoundError(missing_column_message(name, names, argument))
    if frame.isna().to_numpy().any():
        columns = [str(n) for n in frame.columns if frame[n].isna().any()]
        raise InputError(
            f"frame has missing cells in {join_names(columns)}; fill them or drop these rows."
        )
    features = frame.drop(columns=[outcome, group])
    text = [str(n) for n in features if features[n].dtype.kind not in "biuf"]
    if text:
        raise InputError(f"frame: the features {join_names(text)} are not numeric; code them.")
    if not np.isfinite(features.to_numpy(dtype=float)).all():
        raise InputError("frame has infinite features; replace them.")
    if not set(frame[outcome].unique()) <= {0, 1}:
        raise InputError(f"outcome: column {outcome!r} must be 0 or 1.")
    labels = frame[group].unique()
    if len(labels) < 2 or zero not in labels:
        raise InputError(
            f"group: column {group!r} must have two groups or more, one of them zero={zero!r}; "
            f"found {len(labels)} group(s)."
        )


def _check_pair(given: Sequence[Any], name: str) -> None:
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        raise InputError(f"{name} must be a pair (feature, number), found {given!r}.")
    check_level(given[1], f"second part of {name}")


def _check_enough(wanted: int, present: int, group: str) -> None:
    if wanted > present:
        raise DegenerateDataError(
            f"{wanted} training rows of group {group} are wanted, and {present} are left after the "
            "test rows. Lower n_train, n_test or the share of this group."
        )
