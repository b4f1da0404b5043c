"""The eight explainers of a decomposition: draws, width and family as given, or nearly perfect."""

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from shiftlab._core.checks import check_fraction, check_integer
from shiftlab._core.progress import Progress, track
from shiftlab.exceptions import InputError
from shiftlab.explanation._lime import LimeExplainer, fit_surrogates
from shiftlab.explanation._models import as_model_function

__all__ = ["PLAYERS", "ExplainerWorlds", "explain_worlds"]

#: Sources of a gap, in the order of the bits of a world.
PLAYERS = ("sampling", "width", "family")


@dataclass(frozen=True)
class ExplainerWorlds:
    """What eight explainers say about the same rows.

    Attributes
    ----------
    surrogates : ndarray of shape (8, n)
        Surrogate at each row; bit j of the world says whether source j is as in the explainer.
    prediction : ndarray of shape (n,)
        Black box.
    blocks : ndarray of int, shape (n,)
        Rows of one block share their draws, in all worlds.
    """

    surrogates: np.ndarray
    prediction: np.ndarray
    blocks: np.ndarray


def explain_worlds(
    explainer: Any,
    model: Any,
    X: Any,
    sensitive_features: Any,
    perfect: tuple[int, float],
    seed: np.random.SeedSequence,
    progress: Progress,
) -> ExplainerWorlds:
    """Explain rows in all worlds.

    Parameters
    ----------
    explainer : LimeExplainer
        Fitted, in mode "around".
    model, X, sensitive_features : object
        As in `decompose_gap`.
    perfect : tuple (int, float)
        Times the draws, and times the scale, of a nearly perfect explainer.
    seed : SeedSequence
        Of the draws, if the explainer has none.
    progress : bool or callable
        Whether to report progress.
    """
    _check_explainer(explainer)
    more = check_integer(perfect[0], "more_draws", minimum=2)
    narrow = check_fraction(perfect[1], "narrow")
    options: dict[str, Any] = {"standard_errors": False}
    if explainer.random_state is None:
        options["random_state"] = seed
    function = as_model_function(model)
    surrogates = np.empty((8, 0))
    steps = list(product((True, False), repeat=2))
    for sampling, width in track(steps, len(steps), "explainers", progress):
        options["n_samples"] = explainer.n_samples * (1 if sampling else more)
        options["scale"] = explainer.scale * (1 if width else narrow)
        changed = explainer.with_options(**options)
        found = fit_surrogates(changed, function, X, sensitive_features, with_quadratic=True)
        if not surrogates.size:
            surrogates = np.empty((8, len(found.prediction)))
        world = sampling + 2 * width
        surrogates[world], surrogates[world + 4] = found.fit.quadratic, found.fit.centre
    return ExplainerWorlds(surrogates, found.prediction, found.blocks)


def _check_explainer(explainer: Any) -> None:
    if not isinstance(explainer, LimeExplainer) or explainer.mode not in ("around", "joint"):
        raise InputError("explainer must be a LimeExplainer with mode='around' or 'joint'.")
    p = len(explainer.names_in_) - len(explainer.frozen or ()) - len(explainer.derived or ())
    n_terms = p + p * (p + 1) // 2
    if explainer.n_samples < 2 * n_terms:
        raise InputError(
            f"n_samples must be at least {2 * n_terms} for a surrogate with the squares and "
            f"products of {p} columns, found {explainer.n_samples}."
        )
