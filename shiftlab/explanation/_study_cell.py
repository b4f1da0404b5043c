"""One cell of a study: draw a world, train a model, explain it, compare the groups."""

import functools
import inspect
import threading
import warnings
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from shiftlab._core.random import integer_seed, seeded_clone
from shiftlab._core.results import Result
from shiftlab.exceptions import InputWarning
from shiftlab.explanation._explanation import Explanation
from shiftlab.explanation._study_measures import measure_rows
from shiftlab.explanation._worlds_base import World, WorldData

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["REPLAYED", "StudyCell", "evaluate_cell"]


@dataclass(frozen=True, eq=False, repr=False)
class StudyCell(Result):
    """Everything behind one cell of an `ExplanationDisparityStudy`, for a closer look.

    Attributes
    ----------
    world : World
        The world of the scenario.
    data : WorldData
        Its draw.
    model : estimator
        The fitted black box.
    explanation : Explanation
        The explanations of the test rows.
    rows : list of dict
        What the study records of the cell, one dictionary per metric.
    """

    world: World
    data: WorldData
    model: Any = field(repr=False)
    explanation: Explanation = field(repr=False)
    rows: list[dict[str, Any]]

    def to_frame(self) -> "pd.DataFrame":
        """Return what the study records of the cell, one row per metric."""
        import pandas as pd

        return pd.DataFrame(self.rows)

    def to_dict(self) -> dict[str, Any]:
        """Return world, data sizes, model and recorded rows as JSON types."""
        from shiftlab._core.results import to_plain

        return {
            "world": repr(self.world),
            "data": self.data.to_dict(),
            "model": repr(self.model),
            "rows": to_plain(self.rows),
        }

    def __repr__(self) -> str:
        gaps = ", ".join(f"{row['metric']} {row['signed_gap']:+.4f}" for row in self.rows)
        return f"StudyCell of {self.world!r}: signed gaps {gaps}"


#: The filters of warnings are those of the process; threads take turns.
_FILTERS = threading.Lock()
#: Takes the objects behind a cell while it is replayed; None in a run.
REPLAYED: ContextVar[list[StudyCell] | None] = ContextVar("replayed", default=None)


def evaluate_cell(
    *,
    world: World,
    model: Any,
    explainer: Any,
    metrics: Sequence[str],
    seed: np.random.SeedSequence,
    **levels: Any,
) -> list[dict[str, Any]]:
    """Run one cell and return one row per metric; the function of the study."""
    world = world.varied(**levels)
    data_seed, model_seed, explainer_seed = seed.spawn(3)
    data, fitted = _LAST.fitted(world, model, data_seed, model_seed)
    explanation = explain_world(explainer, fitted, data, explainer_seed)
    rows = measure_rows(explanation, data.groups_test, metrics)
    sink = REPLAYED.get()
    if sink is not None:
        sink.append(StudyCell(world, data, fitted, explanation, rows))
    return rows


def explain_world(
    explainer: Any, model: Any, data: WorldData, seed: np.random.SeedSequence
) -> Explanation:
    """Explain the test rows by a fresh explainer that knows the columns of the world.

    What the caller has set stays: a seed, categorical or derived columns.
    """
    names = list(data.X_train)
    fresh = seeded_clone(explainer, integer_seed(seed))
    known = fresh.get_params()
    told: dict[str, Any] = {"categorical": [names.index(name) for name in data.categorical]}
    told["derived"] = {
        names.index(name): functools.partial(_product, names.index(pair[0]), names.index(pair[1]))
        for name, pair in data.derived.items()
    }
    fresh.set_params(**{k: v for k, v in told.items() if k in known and v and not known[k]})
    _fit(fresh, model, data)
    rows = data.X_test.to_numpy()
    found = fresh.explain(model, rows, **_accepted(fresh.explain, stratify=data.groups_test))
    own = {f"x{i}": name for i, name in enumerate(names)}  # arrays have no names of columns
    return replace(found, names=tuple(own.get(name, name) for name in found.names))


def _accepted(function: Callable[..., Any], **offered: Any) -> dict[str, Any]:
    """Return the arguments that a function takes."""
    return {k: v for k, v in offered.items() if k in inspect.signature(function).parameters}


def _fit(explainer: Any, model: Any, data: WorldData) -> None:
    """Fit, without the advice to declare products in a world that perturbs them on purpose.

    Global surrogates learn from the model, and may balance the groups; the others need neither.
    """
    told = _accepted(explainer.fit, sensitive_features=data.groups_train)
    if inspect.signature(explainer.fit).parameters["y"].default is inspect.Parameter.empty:
        told["y"] = model
    with _FILTERS, warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*is the product of two other columns", InputWarning)
        explainer.fit(data.X_train.to_numpy(), **told)


def _product(first: int, second: int, X: np.ndarray) -> np.ndarray:
    return np.asarray(X[:, first] * X[:, second])


class _Last(threading.local):
    """The last data and model of this thread.

    Cells that differ in the explainer only follow one another, and training the black box may cost
    more than explaining it.
    """

    def __init__(self) -> None:
        self._key: str | None = None
        self._value: tuple[WorldData, Any] | None = None

    def fitted(
        self,
        world: World,
        model: Any,
        data_seed: np.random.SeedSequence,
        model_seed: np.random.SeedSequence,
    ) -> tuple[WorldData, Any]:
        import joblib

        key = str(joblib.hash((world, model, data_seed.entropy, data_seed.spawn_key)))
        if key != self._key or self._value is None:
            data = world.draw(data_seed)
            fitted = seeded_clone(model, integer_seed(model_seed))
            fitted.fit(data.X_train.to_numpy(), data.y_train)
            self._key, self._value = key, (data, fitted)
        return self._value


_LAST = _Last()
