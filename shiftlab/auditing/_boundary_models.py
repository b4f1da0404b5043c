"""What is known about a model: a hyperplane, the boxes of a tree, a gradient, or decisions only.

Attributes are looked for instead of classes, so that no model library is imported here.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from shiftlab._core.validation import check_binary
from shiftlab.auditing._boundary_networks import DenseNetwork
from shiftlab.exceptions import InputError

__all__ = ["Gradient", "Hyperplane", "Shape", "TreeBoxes", "decide", "read_shape"]


@dataclass(frozen=True, eq=False)
class Hyperplane:
    """Favourable where ``x @ weights + bias > 0``."""

    weights: np.ndarray
    bias: float

    def score(self, points: np.ndarray) -> np.ndarray:
        """Return the score, positive where the decision is favourable."""
        return np.asarray(points @ self.weights + self.bias)

    def gradient(self, points: np.ndarray) -> np.ndarray:
        """Return its gradient with respect to the points."""
        return np.broadcast_to(self.weights, points.shape)


@dataclass(frozen=True, eq=False)
class TreeBoxes:
    """Leaves of a tree as boxes ``lower <= x <= upper`` and their decisions."""

    lower: np.ndarray
    upper: np.ndarray
    favourable: np.ndarray


@dataclass(frozen=True, eq=False)
class Gradient:
    """A model with a score (times `sign`, positive where favourable) and its gradient."""

    model: Any
    sign: float
    factor: np.ndarray | float = 1.0
    offset: np.ndarray | float = 0.0

    def score(self, points: np.ndarray) -> np.ndarray:
        """Return the score, positive where the decision is favourable."""
        inputs = points * self.factor + self.offset
        return self.sign * np.asarray(self.model.decision_function(inputs)).reshape(-1)

    def gradient(self, points: np.ndarray) -> np.ndarray:
        """Return its gradient with respect to the points."""
        inputs = points * self.factor + self.offset
        return np.asarray(self.sign * self.factor * self.model.gradient(inputs))


Shape = Hyperplane | TreeBoxes | Gradient


def decide(model: Any, rows: Any, pos_label: Any) -> np.ndarray:
    """Ask the model for decisions; True is favourable.

    Raises
    ------
    InputError
        If the model cannot be asked, or does not return one decision per row.
    """
    ask = getattr(model, "predict", model)
    if not callable(ask):
        raise InputError(
            "model must have predict, or be a callable that returns one decision per row; "
            f"found {type(model).__name__}. Wrap a module of PyTorch in TorchNetwork."
        )
    answer = np.asarray(ask(rows))
    if len(answer) != len(rows):
        raise InputError(f"model returned {len(answer)} decisions for {len(rows)} rows.")
    answer = answer.reshape(len(rows), -1)[:, 0]
    if pos_label is None and answer.dtype.kind not in "bui" and not np.isin(answer, (0, 1)).all():
        raise InputError(
            "model must return decisions (0/1), not scores. Apply the threshold, or name the "
            "favourable decision with pos_label."
        )
    if pos_label is not None and not (answer == pos_label).any():
        return np.zeros(len(rows), dtype=bool)
    return check_binary(answer, "the decisions of model", pos_label=pos_label)[0]


def read_shape(model: Any, n_columns: int, pos_label: Any) -> Shape | None:
    """Return what can be used of a model beyond its decisions, or None."""
    final, factor, offset = _peel(model, n_columns)
    if final is None:
        return None
    sign = _sign(final, pos_label)
    if sign == 0:
        return None
    if hasattr(final, "tree_") and hasattr(final, "classes_"):
        return _tree(final, pos_label, factor, offset)
    if hasattr(final, "coefs_") and hasattr(final, "out_activation_"):
        network = _perceptron(final, n_columns)
        return None if network is None else Gradient(network, sign, factor, offset)
    if hasattr(final, "gradient") and hasattr(final, "decision_function"):
        return Gradient(final, sign, factor, offset)
    weights = getattr(final, "coef_", None)
    if weights is not None and np.shape(np.atleast_2d(weights)) == (1, n_columns):
        if not hasattr(final, "classes_"):
            return None
        weights = np.asarray(weights, dtype=np.float64).reshape(-1) * sign
        bias = float(np.ravel(final.intercept_)[0]) * sign
        return Hyperplane(weights * factor, bias + float(weights @ offset))
    return None


def _peel(model: Any, n_columns: int) -> tuple[Any, np.ndarray, np.ndarray]:
    """Take scalers off a pipeline: the rest of it sees ``x * factor + offset``."""
    factor, offset = np.ones(n_columns), np.zeros(n_columns)
    if not hasattr(model, "steps"):
        return model, factor, offset
    for _, step in model.steps[:-1]:
        if step is None or step == "passthrough":
            continue
        if hasattr(step, "data_min_") and hasattr(step, "min_") and not step.clip:
            factor, offset = factor * step.scale_, offset * step.scale_ + step.min_
        elif hasattr(step, "with_mean") and hasattr(step, "mean_"):
            scale = 1.0 if step.scale_ is None else step.scale_
            mean = step.mean_ if step.with_mean else 0.0
            factor, offset = factor / scale, (offset - mean) / scale
        else:
            return None, factor, offset
    return model.steps[-1][1], factor, offset


def _sign(model: Any, pos_label: Any) -> float:
    """Return +1 if a positive score stands for the favourable decision, -1 if not, 0 if unclear."""
    classes = getattr(model, "classes_", None)
    if classes is None:
        return 1.0 if pos_label in (None, 1) else -1.0 if pos_label == 0 else 0.0
    if len(classes) != 2:
        return 0.0
    favourable = 1 if pos_label is None else pos_label
    if classes[1] == favourable:
        return 1.0
    return -1.0 if classes[0] == favourable else 0.0


def _perceptron(model: Any, n_columns: int) -> DenseNetwork | None:
    if model.out_activation_ != "logistic" or model.n_outputs_ != 1:
        return None
    if model.n_features_in_ != n_columns:
        return None
    return DenseNetwork(model.coefs_, model.intercepts_, activation=model.activation)


def _tree(model: Any, pos_label: Any, factor: np.ndarray, offset: np.ndarray) -> TreeBoxes | None:
    """Collect the leaves; a tree compares inputs rounded to single precision."""
    tree = model.tree_
    if np.ndim(tree.value) != 3 or tree.value.shape[1] != 1 or (factor <= 0).any():
        return None
    favourable = 1 if pos_label is None else pos_label
    n = len(factor)
    boxes: list[tuple[np.ndarray, np.ndarray, bool]] = []
    stack = [(0, np.full(n, -np.inf), np.full(n, np.inf))]
    while stack:
        node, lower, upper = stack.pop()
        left, right = tree.children_left[node], tree.children_right[node]
        if left == right:
            decision = model.classes_[int(tree.value[node, 0].argmax())]
            boxes.append((lower, upper, bool(decision == favourable)))
            continue
        j = int(tree.feature[node])
        cut = _single_precision_cut(float(tree.threshold[node]))
        for child, bounds, side in ((left, upper, 1), (right, lower, 0)):
            moved = bounds.copy()
            value = (cut[1 - side] - offset[j]) / factor[j]
            moved[j] = min(moved[j], value) if side else max(moved[j], value)
            stack.append((child, lower, moved) if side else (child, moved, upper))
    low, high, decisions = zip(*boxes, strict=True)
    return TreeBoxes(np.array(low), np.array(high), np.array(decisions))


def _single_precision_cut(threshold: float) -> tuple[float, float]:
    """Return the largest float32 that goes left and the smallest that goes right."""
    below = np.float32(threshold)
    if float(below) > threshold:
        below = np.nextafter(below, np.float32(-np.inf))
    return float(below), float(np.nextafter(below, np.float32(np.inf)))
