"""The four objectives of Mhasawade et al. (2024) as structural models, published and clean."""

import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from shiftlab._core.checks import check_option
from shiftlab._core.random import RandomState
from shiftlab._core.validation import check_integer
from shiftlab.exceptions import InputError
from shiftlab.explanation._worlds_base import World, WorldData, check_drawn, check_flag
from shiftlab.simulation import (
    Discrete,
    Function,
    Gaussian,
    Linear,
    Node,
    NoiseShift,
    Shift,
    StructuralModel,
    Threshold,
    Transform,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FORMS", "StructuralWorld", "check_level"]

FORMS = ("step", "logistic", "wave")
#: Log-odds of the published outcome law: 0.9 above the boundary, 0.1 below.
STEP_LOG_ODDS = math.log(9.0)
SLOPE = 4.0


@dataclass(frozen=True, kw_only=True)
class StructuralWorld(World):
    """A world whose tables a structural causal model draws.

    The group M acts on L, the covariate C on L, and both covariates on the outcome Y:
    ``C ~ N(0, 1)``, ``L = a M + 0.3 C + sigma e`` and ``P(Y = 1)`` a function of a score of C, L
    and M.

    Parameters
    ----------
    include_sensitive : bool, default False
        Make M an input of the model.
    n_train : int, default 7000
        Rows of the training table before any are lost.
    n_test : int, default 3000
        Rows of the test table.
    published : bool, default False
        Draw as the authors do, what confounds their mechanism included; otherwise vary one
        mechanism at a time, with fixed group sizes.
    form : {"step", "logistic", "wave"}, default "step"
        Outcome law: the published step (0.9 where the score is not negative, 0.1 elsewhere), a
        logistic regression on the score, or a smooth law that rises and falls.
    n_groups : int, default 2
        Number of groups; group g has ``M = g / (n_groups - 1)``, so that further groups lie between
        the two of the authors.
    """

    published: bool = False
    form: str = "step"
    n_groups: int = 2

    #: Coefficients of L on M and standard deviation of its noise.
    a: ClassVar[float] = 0.7
    sigma: ClassVar[float] = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        check_flag(self.published, "published")
        check_option(self.form, FORMS, "form")
        if self.published and self.form != "step":
            raise InputError(
                f"published=True has form='step', found {self.form!r}. Use published=False."
            )
        check_integer(self.n_groups, "n_groups", minimum=2)
        if self.published and self.n_groups != 2:
            raise InputError(f"published=True has n_groups=2, found {self.n_groups}.")

    @abstractmethod
    def _score(self) -> Linear:
        """Return the score on which the outcome depends."""

    def _features(self) -> tuple[str, ...]:
        return ("C", "L", "M") if self.include_sensitive else ("C", "L")

    def _training_shifts(self, group: int | None) -> tuple[Shift, ...]:
        """Return what the training table does to a group; None asks for all rows at once."""
        return ()

    def _share_of_zero(self) -> float:
        """Return the share of group 0 in training, next to one other group."""
        return 0.5

    def model(self) -> StructuralModel:
        """Return the structural model behind the world.

        Environments are the two tables, split by group unless ``published``, so that the rows of
        a group stay the same when the mechanism touches the other one only.
        """
        nodes = {
            "M": Node(noise=Discrete(dict.fromkeys(self._values(), 1 / self.n_groups))),
            "C": Node(),
            "L": Node(Linear({"M": self.a, "C": 0.3}), Gaussian(self.sigma)),
            "Y": Node(Threshold(self._outcome(self._score()))),
        }
        return StructuralModel(nodes, environments=self._environments())

    def _outcome(self, score: Linear) -> Function:
        if self.form == "step":
            return Transform("sign", score, amplitude=STEP_LOG_ODDS)
        if self.form == "logistic":
            return Transform("identity", score, amplitude=SLOPE)
        doubled = {term: 2 * value for term, value in score.coefficients.items()}
        return Transform("sin", Linear(doubled, 2 * score.intercept), amplitude=SLOPE)

    def _environments(self) -> dict[str, tuple[Shift, ...]]:
        if self.published:
            share = self._share_of_zero()
            balance = NoiseShift("M", Discrete({0: share, 1: 1 - share}))
            return {"train": (balance, *self._training_shifts(None)), "test": ()}
        found: dict[str, tuple[Shift, ...]] = {}
        for group, value in enumerate(self._values()):
            fixed = NoiseShift("M", Discrete({v: float(v == value) for v in self._values()}))
            found[f"train, M={value:g}"] = (fixed, *self._training_shifts(group))
            found[f"test, M={value:g}"] = (fixed,)
        return found

    def _values(self) -> list[float]:
        """Return M of each group; whole numbers stay such."""
        if self.n_groups == 2:
            return [0, 1]
        return [group / (self.n_groups - 1) for group in range(self.n_groups)]

    def _sizes(self) -> dict[str, int]:
        if self.published:
            return {"train": self.n_train, "test": self.n_test}
        first, *others = self._values()
        n_each, share = self.n_train // self.n_groups, self._share_of_zero()
        n_zero = max(1, round(n_each * share / (1 - share)))
        part = self.n_test // self.n_groups
        return {
            f"train, M={first:g}": n_zero,
            **{f"train, M={value:g}": n_each for value in others},
            f"test, M={first:g}": self.n_test - part * len(others),
            **{f"test, M={value:g}": part for value in others},
        }

    def draw(self, random_state: RandomState = None) -> WorldData:
        """Draw training and test tables; see `World.draw`."""
        full = self.model().sample(self._sizes(), random_state=random_state).full
        is_train = full["environment"].str.startswith("train").to_numpy()
        names = self._features()
        if "LM" in names:
            full = full.assign(LM=full["L"] * full["M"])
        group = np.rint(full["M"].to_numpy() * (self.n_groups - 1)).astype(np.int64)
        return check_drawn(_assemble(full, group, is_train, names, self._derived()))

    def _derived(self) -> Mapping[str, tuple[str, str]]:
        product = "LM" in self._features() and not self.published
        return {"LM": ("L", "M")} if product else {}

    def equations(self) -> str:
        """Describe how a row comes about."""
        rows = ", ".join(f"{label}: {n:,}" for label, n in self._sizes().items())
        return f"{self.model()!r}\nrows drawn: {rows}\nmodel inputs: {', '.join(self._features())}"


def _assemble(
    full: "pd.DataFrame",
    group: np.ndarray,
    is_train: np.ndarray,
    names: tuple[str, ...],
    derived: Mapping[str, tuple[str, str]],
) -> WorldData:
    def part(mask: np.ndarray) -> tuple[Any, np.ndarray, np.ndarray]:
        rows = full.loc[mask]
        inputs = rows.loc[:, list(names)].astype(float).reset_index(drop=True)
        return inputs, rows["Y"].to_numpy(), group[mask]

    categorical = ("M",) if "M" in names else ()
    return WorldData(*part(is_train), *part(~is_train), categorical=categorical, derived=derived)


def check_level(value: Any, name: str, *, low: float = -math.inf, high: float = math.inf) -> float:
    """Check a knob: a finite number in [low, high].

    Raises
    ------
    InputError
        If it is not.
    """
    is_number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or not low <= value <= high:
        between = "a finite number" if low == -math.inf else f"a number from {low:g} to {high:g}"
        raise InputError(f"{name} must be {between}, found {value!r}.")
    return float(value)
