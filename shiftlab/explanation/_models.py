"""One door to black boxes: a callable, a scikit-learn estimator or a torch module, as a function.

Whatever the model returns ((n,), (n, 1), (n, 2), lists, tensors) becomes one float64 number per
row: a probability, or a value on another scale.
"""

from typing import Any

import numpy as np

from shiftlab._core.validation import check_option
from shiftlab.exceptions import InputError, InputWarning

__all__ = ["N_REPEATED", "ModelFunction", "as_model_function"]

OUTPUTS = ("auto", "probability", "logit", "value")
#: Rows that are predicted twice to see whether the model is deterministic.
N_REPEATED = 8


class ModelFunction:
    """A model as a function of a table with one number per row.

    Parameters
    ----------
    model : callable, scikit-learn estimator or torch.nn.Module
        An estimator is asked for ``predict_proba``, else ``decision_function``, else ``predict``.
    target : int, str or None, default None
        The class (a label of ``classes_``, or a column of the output) that is explained. With two
        classes the second one by default; with more it must be named.
    output : {"auto", "probability", "logit", "value"}, default "auto"
        What the numbers mean. "logit" is turned into a probability. "auto": probabilities come from
        ``predict_proba``, a logit from ``decision_function`` of a classifier, else a value.

    Attributes
    ----------
    is_probability : bool or None
        Whether the numbers are probabilities; None for a callable or a torch module, where only the
        numbers can tell.

    Raises
    ------
    InputError
        If the model cannot predict, or the target is not one of its outputs.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.explanation import ModelFunction
    >>> double = ModelFunction(lambda X: 2 * X[:, :1])
    >>> double(np.array([[1.0, 5.0], [2.0, 5.0]]))
    array([2., 4.])
    """

    def __init__(self, model: Any, *, target: Any = None, output: str = "auto") -> None:
        self.model, self.target = model, target
        self.output = check_option(output, OUTPUTS, "output")
        self._method, self.is_probability = _method(model, self.output)
        self._column = _class_column(model, target, self._method)

    def __call__(self, X: Any) -> np.ndarray:
        """Return one float64 number per row.

        Parameters
        ----------
        X : array or data frame of shape (n_rows, n_columns)
            What the model takes.

        Returns
        -------
        ndarray of shape (n_rows,)

        Raises
        ------
        InputError
            If the model returns another number of rows, several columns of which none was named,
            or values that are not finite.
        """
        raw = self._raw(X)
        try:
            values = np.asarray(raw, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise InputError(
                f"model: its output is not numeric ({type(raw).__name__}). Pass a function that "
                "returns probabilities or numbers."
            ) from error
        values = self._one_column(values, len(X))
        if not np.isfinite(values).all():
            raise InputError(
                f"model: {int((~np.isfinite(values)).sum())} of {len(values)} predictions are "
                "missing or infinite."
            )
        if self.output == "logit" or (self.output == "auto" and self._method == "decision"):
            from scipy.special import expit

            # A two-class margin speaks of the second class.
            flipped = self._method == "decision" and self._column == 0 and np.ndim(raw) == 1
            return np.asarray(expit(-values if flipped else values))
        return values

    def check_deterministic(self, X: Any) -> None:
        """Warn if the same rows get different predictions.

        Parameters
        ----------
        X : array or data frame
            A few rows are predicted twice.
        """
        few = X[:N_REPEATED]
        if not np.array_equal(self(few), self(few)):
            from warnings import warn

            warn(
                "model: the same rows were predicted differently a second time. Its noise adds to "
                "that of the explanations, and results cannot be repeated.",
                InputWarning,
                stacklevel=3,
            )

    def _raw(self, X: Any) -> Any:
        if self._method == "torch":
            return _torch_output(self.model, X)
        names = {"proba": "predict_proba", "decision": "decision_function", "predict": "predict"}
        function = (
            self.model if self._method == "call" else getattr(self.model, names[self._method])
        )
        raw = function(X)
        return raw.detach().cpu().numpy() if hasattr(raw, "detach") else raw

    def _one_column(self, values: np.ndarray, n_rows: int) -> np.ndarray:
        if values.ndim == 0 or values.shape[0] != n_rows or values.ndim > 2:
            raise InputError(
                f"model: {n_rows} rows went in and an output of shape {values.shape} came back; "
                "one prediction per row is needed."
            )
        if values.ndim == 1:
            return values
        if values.shape[1] == 1:
            return values[:, 0]
        column = self._column
        if column is None and values.shape[1] == 2:
            column = 1
        if column is None:
            raise InputError(
                f"model: its output has {values.shape[1]} columns; name the class to explain with "
                "target."
            )
        if not -values.shape[1] <= column < values.shape[1]:
            raise InputError(f"target: the output of the model has no column {column}.")
        return values[:, column]


def as_model_function(model: Any, target: Any = None) -> ModelFunction:
    """Return the model as a `ModelFunction`; one that is already stays as it is."""
    if isinstance(model, ModelFunction):
        if target is not None and target != model.target:
            raise InputError("target was given twice: the ModelFunction already names one.")
        return model
    return ModelFunction(model, target=target)


def _is_torch_module(model: Any) -> bool:
    return any(kind.__module__.startswith("torch.nn.") for kind in type(model).__mro__)


def _method(model: Any, output: str) -> tuple[str, bool | None]:
    """Return how the model is asked, and whether that gives probabilities."""
    said = {"auto": None, "probability": True, "logit": True, "value": False}[output]
    if _is_torch_module(model):
        return "torch", said
    if hasattr(model, "predict_proba") and output in ("auto", "probability"):
        return "proba", True
    classifier = hasattr(model, "classes_")
    if hasattr(model, "decision_function") and classifier and output in ("auto", "logit"):
        return "decision", True
    if hasattr(model, "predict"):
        return "predict", said if said is not None else classifier
    if callable(model):
        return "call", said
    raise InputError(
        f"model must be a callable, a fitted estimator or a torch module, found "
        f"{type(model).__name__}."
    )


def _class_column(model: Any, target: Any, method: str) -> int | None:
    classes = list(getattr(model, "classes_", ())) if method in ("proba", "decision") else []
    if target is None:
        if len(classes) > 2:
            raise InputError(
                f"model has {len(classes)} classes; name the one to explain with target."
            )
        return None
    if target in classes:
        return classes.index(target)
    if not classes and isinstance(target, (int, np.integer)) and not isinstance(target, bool):
        return int(target)
    raise InputError(f"target: the model has no class or output {target!r}.")


def _torch_output(module: Any, X: Any) -> np.ndarray:
    """Evaluate a module without gradients, in its own precision, leaving its mode as it was."""
    import torch

    parameter = next(iter(module.parameters()), None)
    dtype = torch.float32 if parameter is None else parameter.dtype
    device = "cpu" if parameter is None else parameter.device
    was_training = module.training
    if was_training:
        module.eval()
    try:
        with torch.no_grad():
            rows = torch.as_tensor(np.asarray(X, dtype=np.float64), dtype=dtype, device=device)
            return np.asarray(module(rows).double().cpu().numpy())
    finally:
        if was_training:
            module.train()
