"""One world per mechanism: sample imbalance, covariate shift, concept shift, omitted variable."""

import math
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from scipy import stats

from shiftlab._core.checks import check_option
from shiftlab.explanation._worlds_base import check_flag
from shiftlab.explanation._worlds_structural import StructuralWorld, check_level
from shiftlab.simulation import Linear, MeanShift, Selection, Shift, Threshold

__all__ = [
    "ConceptShiftWorld",
    "CovariateShiftWorld",
    "OmittedVariableWorld",
    "SampleImbalanceWorld",
]

NULL_BETA = 1.5
NO_TRUNCATION = -5.0
FIRST_SCORE = {"C": 0.5, "L": -1.5}


@dataclass(frozen=True, kw_only=True)
class SampleImbalanceWorld(StructuralWorld):
    """Objective 1: group 0 has few training rows.

    Clean: group 1 keeps ``n_train / 2`` training rows, the very same ones at every share, and only
    the number of rows of group 0 changes. Published: `n_train` rows in all, so that group 1 grows
    as group 0 shrinks.

    Parameters
    ----------
    include_sensitive : bool, default False
        Make M an input of the model.
    n_train : int, default 7000
        Rows of the training table before any are lost; the published size.
    n_test : int, default 20000
        Rows of the test table; the published size.
    published : bool, default False
        Draw as the authors do, what confounds the mechanism included.
    form : {"step", "logistic", "wave"}, default "step"
        Outcome law: the published step (0.9 where the score is not negative, 0.1 elsewhere), a
        logistic regression on the score, or a smooth law that rises and falls with it.
    n_groups : int, default 2
        Number of groups; group g has ``M = g / (n_groups - 1)``, so that further groups lie between
        the first and the last.
    share : float, default 0.5
        Share of group 0 in training next to one other group, between 0.001 and 0.999; 0.5 is no
        imbalance.

    Notes
    -----
    The score is 0.5 C - 1.5 L + 0.5, with ``L = 0.7 M + 0.3 C + 0.5 e``.

    References
    ----------
    .. [1] Mhasawade, Rahman, Haskell-Craig and Chunara (2024), "Understanding disparities in post
       hoc machine learning explanation", FAccT, pp. 2374-2388.

    Examples
    --------
    >>> from shiftlab.explanation import SampleImbalanceWorld
    >>> data = SampleImbalanceWorld(share=0.05, n_train=2000, n_test=100).draw(0)
    >>> int((data.groups_train == 0).sum()), int((data.groups_train == 1).sum())
    (53, 1000)
    """

    n_test: int = 20_000
    share: float = 0.5

    aim: ClassVar[str] = "few training rows of group 0"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_level(self.share, "share", low=0.001, high=0.999)

    def _score(self) -> Linear:
        return Linear(FIRST_SCORE, intercept=0.5)

    def _share_of_zero(self) -> float:
        return self.share

    def null(self) -> Self:
        """Return the world with balanced groups."""
        return replace(self, share=0.5)


@dataclass(frozen=True, kw_only=True)
class CovariateShiftWorld(StructuralWorld):
    """Objective 2: the training rows of group 0 come from another part of the covariates.

    Published: training rows with ``M = 0`` and ``L < threshold`` are dropped, which also leaves
    few of them (five of 3500 at 1.75). Clean: the rows of group 0 are drawn anew until there are
    as many as of group 1, so that nothing but the law of the covariates changes.

    Parameters
    ----------
    include_sensitive : bool, default False
        Make M an input of the model.
    n_train : int, default 7000
        Rows of the training table before any are lost; the published size.
    n_test : int, default 20000
        Rows of the test table; the published size.
    published : bool, default False
        Draw as the authors do, what confounds the mechanism included.
    form : {"step", "logistic", "wave"}, default "step"
        Outcome law: the published step (0.9 where the score is not negative, 0.1 elsewhere), a
        logistic regression on the score, or a smooth law that rises and falls with it.
    n_groups : int, default 2
        Number of groups; group g has ``M = g / (n_groups - 1)``, so that further groups lie between
        the first and the last.
    threshold : float, default -5.0
        Rows of group 0 below it are not seen in training; -5 loses none.
    kind : {"truncate", "tilt", "mean"}, default "truncate"
        Clean version only: cut group 0 off at the threshold; or give it the mean that the cut
        would give, by an exponential tilt in L (which keeps C given L) or by a shift of L alone
        (which keeps C).

    Notes
    -----
    The score is 0.5 C - 1.5 L + 0.5, with ``L = 0.7 M + 0.3 C + 0.5 e``. The test table is not
    shifted. A clean cut beyond 1.4 asks for rows too rare to be drawn and raises an error.

    Examples
    --------
    >>> from shiftlab.explanation import CovariateShiftWorld
    >>> world = CovariateShiftWorld(threshold=0.9, n_train=1000, n_test=100)
    >>> clean, published = (world.varied(published=p).draw(0) for p in (False, True))
    >>> [int((data.groups_train == 0).sum()) for data in (clean, published)]
    [500, 41]
    """

    n_test: int = 20_000
    threshold: float = NO_TRUNCATION
    kind: str = "truncate"

    aim: ClassVar[str] = "training covariates of group 0 from another part of the space"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_level(self.threshold, "threshold", low=NO_TRUNCATION, high=3.0)
        check_option(self.kind, ("truncate", "tilt", "mean"), "kind")
        if self.published:
            check_option(self.kind, ("truncate",), "kind of a published covariate shift")

    def _score(self) -> Linear:
        return Linear(FIRST_SCORE, intercept=0.5)

    def _training_shifts(self, group: int | None) -> tuple[Shift, ...]:
        if group not in (0, None) or self.threshold <= NO_TRUNCATION:
            return ()
        if group is None:
            # Score of 1 for group 1 and L - threshold for group 0: kept where it is positive.
            kept = Linear({"M": 1 + self.threshold, "L": 1.0, "M:L": -1.0}, -self.threshold)
            return (Selection(Threshold(kept, noise_scale=0.0), refill=False),)
        if self.kind == "truncate":
            above = Linear({"L": 1.0}, -self.threshold)
            return (Selection(Threshold(above, noise_scale=0.0)),)
        return self._moved()

    def _moved(self) -> tuple[Shift, ...]:
        spread = math.hypot(0.3, self.sigma)
        cut = self.threshold / spread
        mean = spread * math.exp(stats.norm.logpdf(cut) - stats.norm.logsf(cut))
        if self.kind == "mean":
            return (MeanShift("L", mean),)
        # A tilt by exp(t L) moves both sources of L in proportion to their covariance with it.
        tilt = mean / spread**2
        return (MeanShift("C", 0.3 * tilt), MeanShift("L", self.sigma**2 * tilt))

    def null(self) -> Self:
        """Return the world in which no row is lost."""
        return replace(self, threshold=NO_TRUNCATION)


@dataclass(frozen=True, kw_only=True)
class ConceptShiftWorld(StructuralWorld):
    """Objective 3: L acts on the outcome of group 0 by another coefficient.

    The score is ``0.5 C + 1.5 M L + beta (1 - M) L - L - 0.2``, so that beta = 1.5 is the null:
    there the score is 0.5 C + 0.5 L - 0.2 for everybody.

    Parameters
    ----------
    include_sensitive : bool, default False
        Make M and the product of L and M inputs of the model.
    n_train : int, default 14000
        Rows of the training table before any are lost; the published size.
    n_test : int, default 6000
        Rows of the test table; the published size.
    published : bool, default False
        Draw as the authors do, what confounds the mechanism included.
    form : {"step", "logistic", "wave"}, default "step"
        Outcome law: the published step (0.9 where the score is not negative, 0.1 elsewhere), a
        logistic regression on the score, or a smooth law that rises and falls with it.
    n_groups : int, default 2
        Number of groups; group g has ``M = g / (n_groups - 1)``, so that further groups lie between
        the first and the last.
    beta : float, default 1.5
        Coefficient of L in group 0.

    Notes
    -----
    ``L = 0.7 M + 0.3 C + 0.1 e``. Published: group sizes are random, and the product of L and M is
    perturbed as a column of its own; clean: sizes are fixed, and `WorldData.derived` names the
    product so that an explainer recomputes it.

    Examples
    --------
    >>> from shiftlab.explanation import ConceptShiftWorld
    >>> data = ConceptShiftWorld(beta=-0.5, include_sensitive=True, n_train=100, n_test=50).draw(0)
    >>> list(data.X_train), data.derived
    (['C', 'L', 'M', 'LM'], {'LM': ('L', 'M')})
    """

    n_train: int = 14_000
    n_test: int = 6000
    beta: float = NULL_BETA

    sigma: ClassVar[float] = 0.1
    aim: ClassVar[str] = "another effect of L on the outcome in group 0"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_level(self.beta, "beta")

    def _score(self) -> Linear:
        terms = {"C": 0.5, "L": self.beta - 1, "M:L": NULL_BETA - self.beta}
        return Linear(terms, intercept=-0.2)

    def _features(self) -> tuple[str, ...]:
        return ("C", "L", "M", "LM") if self.include_sensitive else ("C", "L")

    def null(self) -> Self:
        """Return the world in which L has one effect."""
        return replace(self, beta=NULL_BETA)


@dataclass(frozen=True, kw_only=True)
class OmittedVariableWorld(StructuralWorld):
    """Objective 4: the model does not see C, which acts on L and on the outcome.

    The score is ``alpha C + L - 0.2``, with ``L = 0.3 M + 0.3 C + 0.5 e``.

    Parameters
    ----------
    include_sensitive : bool, default False
        Make M an input of the model.
    n_train : int, default 7000
        Rows of the training table before any are lost; the published size.
    n_test : int, default 3000
        Rows of the test table; the published size.
    published : bool, default False
        Draw as the authors do, what confounds the mechanism included.
    form : {"step", "logistic", "wave"}, default "step"
        Outcome law: the published step (0.9 where the score is not negative, 0.1 elsewhere), a
        logistic regression on the score, or a smooth law that rises and falls with it.
    n_groups : int, default 2
        Number of groups; group g has ``M = g / (n_groups - 1)``, so that further groups lie between
        the first and the last.
    alpha : float, default 1.0
        Coefficient of C.
    omit : bool, default True
        Leave C out of the model; published is True. The clean comparison switches it at a fixed
        `alpha`, while the published one varies `alpha` and thereby the outcome law as well.

    Examples
    --------
    >>> from shiftlab.explanation import OmittedVariableWorld
    >>> world = OmittedVariableWorld(alpha=2.0, n_train=100, n_test=50)
    >>> [list(world.varied(omit=omit).draw(0).X_test) for omit in (True, False)]
    [['L'], ['C', 'L']]
    """

    alpha: float = 1.0
    omit: bool = True

    a: ClassVar[float] = 0.3
    aim: ClassVar[str] = "a covariate that the model does not see"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_level(self.alpha, "alpha")
        check_flag(self.omit, "omit")
        if self.published:
            check_option(self.omit, (True,), "omit of a published omitted variable")

    def _score(self) -> Linear:
        return Linear({"C": self.alpha, "L": 1.0}, intercept=-0.2)

    def _features(self) -> tuple[str, ...]:
        first = ("M",) if self.include_sensitive else ()
        return (*first, "L") if self.omit else (*first, "C", "L")

    def null(self) -> Self:
        """Return the world in which C does not matter (published) or is seen (clean)."""
        return replace(self, alpha=0.0) if self.published else replace(self, omit=False)
