"""Mechanisms of 0/1 and categorical variables."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from shiftlab._core.names import join_names
from shiftlab.exceptions import InputError
from shiftlab.simulation._compositions import Sum
from shiftlab.simulation._functions import Constant, Function, Values
from shiftlab.simulation._mechanisms import Mechanism, ScoredMechanism
from shiftlab.simulation._noise import Logistic, Noise
from shiftlab.simulation._spec import check_choice, check_labels, check_number

__all__ = ["Categorical", "Threshold"]


@dataclass(frozen=True, repr=False)
class Threshold(ScoredMechanism):
    """A 0/1 variable: 1 where ``f(parents) + offset + noise_scale * noise`` is above 0.

    With the default logistic noise this is a logistic regression, with `Gaussian` noise a probit.
    Not invertible.

    Parameters
    ----------
    function : Function, default Constant(0)
        Score; with logistic noise the log-odds.
    offset : float, default 0.0
        Added to the score.
    noise_scale : float, default 1.0
        Factor on the noise, not negative.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.simulation import Linear
    >>> repaid = Threshold(Linear({"income": 0.5}, intercept=-1.0))
    >>> repaid({"income": np.array([1.0, 4.0])}, np.zeros(2))
    array([0, 1])
    """

    @property
    def default_noise(self) -> Noise:
        """Standard logistic noise."""
        return Logistic()

    def __call__(self, values: Values, noise: Any) -> np.ndarray:
        score = self.function(values) + self.offset + self.noise_scale * noise
        return np.asarray(_no_nan(score) > 0).astype(np.int64)


@dataclass(frozen=True, repr=False)
class Categorical(Mechanism):
    """A categorical variable with softmax probabilities, drawn by the Gumbel-max rule.

    The label with the largest score plus Gumbel noise is taken, so the stored noise gives exact
    counterfactuals. Not invertible.

    Parameters
    ----------
    scores : mapping of label to Function or float
        Unnormalised log-probability of each label, at least two.

    References
    ----------
    .. [1] Oberst and Sontag (2019), "Counterfactual off-policy evaluation with Gumbel-max
       structural causal models", ICML.

    Examples
    --------
    >>> import numpy as np
    >>> job = Categorical({"employed": 1.0, "retired": 0.0})
    >>> job({}, np.array([[0.0, 0.5], [0.0, 2.0]])).tolist()
    ['employed', 'retired']
    """

    scores: Mapping[Any, Function | float]

    def __post_init__(self) -> None:
        if len(self.scores) < 2:
            raise InputError(f"Categorical needs at least two labels, found {len(self.scores)}.")
        check_labels(list(self.scores), "Categorical labels")
        for label, score in self.scores.items():
            if not isinstance(score, Function):
                check_number(score, f"Categorical score of {label!r}")

    @property
    def parents(self) -> tuple[str, ...]:
        """Parents of all scores."""
        scores = [s for s in self.scores.values() if isinstance(s, Function)]
        return tuple(dict.fromkeys(name for score in scores for name in score.parents))

    @property
    def default_noise(self) -> None:
        """No other noise than the Gumbel variables can be used."""
        return None

    def draw_noise(
        self, rng: np.random.Generator, n_rows: int, noise: Noise | None
    ) -> np.ndarray | None:
        """Draw one Gumbel variable per row and label."""
        return rng.gumbel(size=(len(self.scores), n_rows)).T

    def __call__(self, values: Values, noise: Any) -> np.ndarray:
        best = np.full(len(noise), -np.inf)
        codes = np.zeros(len(noise), dtype=np.intp)
        for code, score in enumerate(self.scores.values()):
            total = noise[:, code] + (score(values) if isinstance(score, Function) else score)
            better = _no_nan(total) > best
            best = np.where(better, total, best)
            codes[better] = code
        return np.array(list(self.scores))[codes]

    def shifted(self, by: Any) -> Self:
        """Return a copy with changed scores: `by` maps labels to what is added."""
        if not isinstance(by, Mapping):
            raise InputError(
                f"by must map labels to numbers for a Categorical, found {type(by).__name__}; "
                f"its labels are {join_names(list(self.scores))}."
            )
        scores = dict(self.scores)
        for label, amount in by.items():
            check_choice(label, list(scores), "by")
            old = scores[label]
            scores[label] = (
                Sum((old, Constant(amount))) if isinstance(old, Function) else old + amount
            )
        return replace(self, scores=scores)


def _no_nan(score: np.ndarray) -> np.ndarray:
    # A comparison would turn NaN into "no" without a word.
    if np.isnan(score).any():
        raise InputError(
            f"a score is not a number in {int(np.isnan(score).sum())} row(s): its function is not "
            "defined there."
        )
    return score
