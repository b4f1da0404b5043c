"""Sixteen worlds from four mechanisms that can be switched on and off, one by one."""

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from shiftlab.exceptions import InputError
from shiftlab.explanation._worlds_base import check_flag
from shiftlab.explanation._worlds_structural import StructuralWorld, check_level
from shiftlab.simulation import Linear, MeanShift, Shift

__all__ = ["MECHANISMS", "MechanismWorld"]

MECHANISMS = ("imbalance", "covariate", "concept", "omission")
NULL_SLOPE = 0.5


@dataclass(frozen=True, kw_only=True)
class MechanismWorld(StructuralWorld):
    """Four mechanisms in one generator, each of which can be on or off.

    The score is ``0.5 C + slope L - 0.2`` with a slope of 0.5, and ``L = 0.7 M + 0.3 C + 0.5 e``.
    With one seed the sixteen worlds share all noise: rows that a mechanism leaves alone are the
    same rows, so that disparities can be compared world by world.

    Parameters
    ----------
    include_sensitive : bool, default False
        Make M an input of the model.
    n_train : int, default 5000
        Rows of the training table without imbalance.
    n_test : int, default 3000
        Rows of the test table.
    published : bool, default False
        Must be False: the authors have no such world.
    form : {"step", "logistic", "wave"}, default "step"
        Outcome law; see `ConceptShiftWorld`.
    n_groups : int, default 2
        Number of groups; group g has ``M = g / (n_groups - 1)``, so that further groups lie between
        the first and the last.
    imbalance : bool, default False
        Group 0 has the share `share` of the training rows; group 1 keeps its rows.
    covariate : bool, default False
        Training rows of group 0 have L moved by `shift`.
    concept : bool, default False
        In group 0, L acts on the outcome with the coefficient `slope`, in both tables.
    omission : bool, default False
        The model does not see C.
    share : float, default 0.1
        Strength of the imbalance, between 0.001 and 0.999.
    shift : float, default 1.0
        Strength of the covariate shift.
    slope : float, default -1.5
        Strength of the concept shift; 0.5 is none.

    Examples
    --------
    >>> from shiftlab.explanation import MechanismWorld
    >>> null = MechanismWorld(n_train=100, n_test=40).draw(0)
    >>> shifted = MechanismWorld(n_train=100, n_test=40, covariate=True, omission=True).draw(0)
    >>> bool((shifted.X_test["L"] == null.X_test["L"]).all()), list(shifted.X_test)
    (True, ['L'])
    """

    n_train: int = 5000
    imbalance: bool = False
    covariate: bool = False
    concept: bool = False
    omission: bool = False
    share: float = 0.1
    shift: float = 1.0
    slope: float = -1.5

    aim: ClassVar[str] = "four mechanisms that act together"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in MECHANISMS:
            check_flag(getattr(self, name), name)
        if self.published:
            raise InputError("published=True: the authors have no world with four mechanisms.")
        check_level(self.share, "share", low=0.001, high=0.999)
        check_level(self.shift, "shift")
        check_level(self.slope, "slope")

    def _score(self) -> Linear:
        slope = self.slope if self.concept else NULL_SLOPE
        return Linear({"C": 0.5, "L": slope, "M:L": NULL_SLOPE - slope}, intercept=-0.2)

    def _share_of_zero(self) -> float:
        return self.share if self.imbalance else 0.5

    def _training_shifts(self, group: int | None) -> tuple[Shift, ...]:
        return (MeanShift("L", self.shift),) if self.covariate and group == 0 else ()

    def _features(self) -> tuple[str, ...]:
        last = ("M",) if self.include_sensitive else ()
        return ("L", *last) if self.omission else ("C", "L", *last)

    def null(self) -> Self:
        """Return the world with all four mechanisms off."""
        return replace(self, imbalance=False, covariate=False, concept=False, omission=False)
