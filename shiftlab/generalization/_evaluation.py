"""Accuracy and fairness of models, domain by domain, always beside the constant predictor."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shiftlab._core.results import Result
from shiftlab.exceptions import InputError
from shiftlab.generalization._attributes import read_attributes
from shiftlab.generalization._times import read_times

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["GeneralizationEvaluation", "evaluate_generalization"]

COLOURS = ("#222222", "#b5391f", "#3b6ea5", "#4f8a4c", "#8a5a9e", "#c9872b", "#5b6b7a", "#a0522d")


@dataclass(frozen=True, repr=False, eq=False)
class GeneralizationEvaluation(Result):
    """What models are worth in each domain, and for whom.

    Attributes
    ----------
    rows : tuple of dict
        One for each model and domain: accuracy, accuracy of the constant predictor, their
        difference (gain), counterfactual unfairness (NaN without twins), demographic parity and
        equalized odds differences (largest between groups; of decisions), number of rows.
    exact : bool
        Whether twins were given, so that the unfairness is exact.
    """

    rows: tuple[dict[str, Any], ...]
    exact: bool

    def to_frame(self) -> "pd.DataFrame":
        """Return one row for each model and domain."""
        import pandas as pd

        return pd.DataFrame(list(self.rows))

    def summary(self) -> "pd.DataFrame":
        """Return means over domains, weighted by rows, one row for each model."""
        import pandas as pd

        frame = self.to_frame()
        numbers = [c for c in frame.columns if c not in ("model", "domain", "n_rows")]
        names = list(dict.fromkeys(frame["model"]))
        found = []
        for name in names:
            part = frame[frame["model"] == name]
            weight = part["n_rows"] / part["n_rows"].sum()
            means = {c: float((part[c] * weight).sum(skipna=False)) for c in numbers}
            found.append({"model": name, **means, "n_rows": int(part["n_rows"].sum())})
        return pd.DataFrame(found)

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the frontier: accuracy beyond the constant predictor against unfairness.

        Small dots are domains, large ones the means over domains. Without twins the demographic
        parity difference takes the place of the unfairness.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        Axes
        """
        import matplotlib.pyplot as plt

        ax = plt.subplots(layout="constrained")[1] if ax is None else ax
        measure = "unfairness" if self.exact else "demographic_parity"
        frame, means = self.to_frame(), self.summary()
        for i, name in enumerate(means["model"]):
            colour = COLOURS[i % len(COLOURS)]
            part = frame[frame["model"] == name]
            ax.plot(part[measure], part["gain"], ".", color=colour, alpha=0.35, ms=5)
            mean = means[means["model"] == name]
            label = str(name).replace("$", r"\$")
            ax.plot(mean[measure], mean["gain"], "o", color=colour, ms=9, label=label)
        ax.axhline(0, color="black", lw=0.6)
        ax.set_xlim(left=min(0.0, *ax.get_xlim()))
        text = "exact counterfactual unfairness" if self.exact else "demographic parity difference"
        ax.set(xlabel=text, ylabel="accuracy beyond the constant predictor")
        ax.legend(frameon=False)
        return ax

    def __repr__(self) -> str:
        lines = [
            f"  {row['model']}: accuracy {row['accuracy']:.3f} (constant {row['constant']:.3f}), "
            + (
                f"unfairness {row['unfairness']:.3f}"
                if self.exact
                else f"demographic parity {row['demographic_parity']:.3f}"
            )
            for row in self.summary().head(12).to_dict("records")
        ]
        n_domains = len({row["domain"] for row in self.rows})
        return f"GeneralizationEvaluation in {n_domains} domains\n" + "\n".join(lines)


def evaluate_generalization(
    models: Any,
    X: Any,
    y: Any,
    sensitive_features: Any = None,
    environment: Any = None,
    *,
    X_twin: Any = None,
    sensitive_twin: Any = None,
) -> GeneralizationEvaluation:
    """Evaluate fitted classifiers on domains they have not seen.

    Parameters
    ----------
    models : classifier or mapping of str to classifier
        Fitted; of this package or with its interface.
    X : array or data frame of shape (n_rows, n_columns)
        Rows of the domains.
    y : array of shape (n_rows,)
        Class labels.
    sensitive_features : array of shape (n_rows,) or (n_rows, k), optional
        Attributes, unless models name columns of X.
    environment : array of shape (n_rows,), optional
        Times, unless models name a column of X.
    X_twin : array or data frame of shape (n_rows, n_columns), optional
        Exact counterfactuals of the rows, from a simulated world.
    sensitive_twin : array, optional
        Attributes of the twins, unless models name columns of X.

    Returns
    -------
    GeneralizationEvaluation

    Raises
    ------
    InputError
        If there is no model, or attributes or times are missing.

    Examples
    --------
    >>> from shiftlab.generalization import (
    ...     CounterfactuallyFairClassifier, evaluate_generalization
    ... )
    >>> from shiftlab.simulation import make_drifting_credit
    >>> source, target = make_drifting_credit(random_state=0).split(6)
    >>> model = CounterfactuallyFairClassifier()
    >>> model = model.fit(source.X, source.y, source.sensitive_features, source.environment)
    >>> found = evaluate_generalization(
    ...     model, target.X, target.y, target.sensitive_features, target.environment,
    ...     X_twin=target.X_twin, sensitive_twin=target.sensitive_twin,
    ... )
    >>> found.exact, len(found.to_frame())
    (True, 6)
    """
    named = dict(models) if isinstance(models, Mapping) else {type(models).__name__: models}
    if not named:
        raise InputError("models is empty; give at least one fitted classifier.")
    y = np.asarray(y)
    rows: list[dict[str, Any]] = []
    for name, model in named.items():
        scores = np.asarray(model.predict_proba(X, sensitive_features, environment))
        twins = None
        if X_twin is not None:
            twins = np.asarray(model.predict_proba(X_twin, sensitive_twin, environment))
        group, domain = _context(model, X, sensitive_features, environment)
        decided = np.asarray(model.classes_)[scores.argmax(axis=1)]
        for label in np.unique(domain):
            part = domain == label
            moved = np.nan
            if twins is not None:
                moved = float(0.5 * np.abs(scores[part] - twins[part]).sum(axis=1).mean())
            judged = _judge(y[part], decided[part], group[part])
            rows.append({"model": name, "domain": label, **judged, "unfairness": moved})
    return GeneralizationEvaluation(tuple(rows), X_twin is not None)


def _context(
    model: Any, X: Any, sensitive_features: Any, environment: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Return the group (or half of a numeric attribute) and the time of each row."""
    if hasattr(model, "_rows"):
        _, coded, time = model._rows(X, sensitive_features, environment)
    else:
        if sensitive_features is None or environment is None:
            raise InputError("sensitive_features and environment are needed for the evaluation.")
        coded = read_attributes(sensitive_features, len(X))[1]
        time = read_times(environment, len(X))
    first = coded.design[:, 0]
    group = coded.group if coded.group is not None else (first > np.median(first)).astype(int)
    return group, time


def _judge(y: np.ndarray, decided: np.ndarray, group: np.ndarray) -> dict[str, Any]:
    _, counts = np.unique(y, return_counts=True)
    constant = float(counts.max() / len(y))
    accuracy = float((y == decided).mean())
    positive = decided == np.unique(np.concatenate([y, decided]))[-1]
    parity = _range([positive[group == g] for g in np.unique(group)])
    odds = [
        _range([positive[(group == g) & (y == label)] for g in np.unique(group)])
        for label in np.unique(y)
    ]
    return {
        "n_rows": len(y),
        "accuracy": accuracy,
        "constant": constant,
        "gain": accuracy - constant,
        "demographic_parity": parity,
        "equalized_odds": float(np.max(odds)),
    }


def _range(parts: list[np.ndarray]) -> float:
    rates = [float(part.mean()) for part in parts if len(part)]
    return max(rates) - min(rates) if rates else float("nan")
