"""Gradients of torch modules: SmoothGrad and Integrated Gradients for a whole table at once."""

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from shiftlab._core.checks import check_integer, check_option
from shiftlab._core.optional import import_optional
from shiftlab._core.random import RandomState, as_seed_sequence
from shiftlab.exceptions import InputError
from shiftlab.explanation._explainer_blocks import (
    assign_blocks,
    block_seed,
    content_keys,
    rows_by_block,
)
from shiftlab.explanation._explainer_checks import check_positive
from shiftlab.explanation._explainer_encoding import learn_encoding
from shiftlab.explanation._explanation import Explanation
from shiftlab.explanation._lime_reference import learn_reference

__all__ = ["IntegratedGradientsExplainer", "SmoothGradExplainer"]

#: Rows per evaluation of the gradient.
MAX_ROWS = 20_000


class _GradientExplainer(BaseEstimator):
    """What both explainers share: reading the table and the gradient of one output."""

    def fit(self, X: Any, y: Any = None) -> Self:
        """Measure the training data; no model is needed.

        Parameters
        ----------
        X : array or data frame of shape (n_rows, n_columns)
            Training data: numbers only.
        y : object, optional
            Ignored.

        Returns
        -------
        object
            The explainer itself.

        Raises
        ------
        InputError
            If a column holds labels, or a value is missing or infinite.
        """
        matrix, encoding = learn_encoding(X)
        if encoding.coded:
            raise InputError("Gradients need columns of numbers; X has columns of labels.")
        self.reference_ = learn_reference(matrix, [])
        self.names_in_, self.n_features_in_ = encoding.names, matrix.shape[1]
        self._encoding, self._mean = encoding, matrix.mean(axis=0)
        return self

    def _explanation(
        self, values: np.ndarray, prediction: np.ndarray, surrogate: np.ndarray, **fields: Any
    ) -> Explanation:
        n = len(values)
        standard: dict[str, Any] = {
            "score": np.full(n, np.nan),
            "block": np.full(n, -1),
            "mc_se": np.zeros_like(values),
            "coordinates": np.ones_like(values),
            "is_probability": bool(((prediction >= 0) & (prediction <= 1)).all()),
        } | fields
        base = surrogate - (values * standard["coordinates"]).sum(axis=1)
        return Explanation(
            values=values,
            base=base,
            prediction=prediction,
            surrogate_prediction=surrogate,
            names=self.names_in_,
            **standard,
        )


class SmoothGradExplainer(_GradientExplainer):
    """Gradient of a torch module averaged over noise around each row.

    Parameters
    ----------
    n_samples : int, default 50
        Noisy copies of each row.
    scale : float, default 0.15
        Standard deviation of the noise, in standard deviations of the training data.
    n_blocks : int, default 25
        Blocks of rows that share their noise.
    output : {"probability", "logit"}, default "probability"
        What the module returns; a logit is turned into a probability.
    target : int, default 0
        Column of the output.
    random_state : int, SeedSequence, Generator or None, default None
        Seed of the noise.

    Attributes
    ----------
    reference_ : Reference
        Scales of the training data.
    names_in_ : tuple of str
        Columns.

    Notes
    -----
    The averaged gradient is the slope of the smoothed module (by Stein's identity), so the
    surrogate at a row is the module averaged over the same noise. Values are per standard deviation
    of the training data, as those of LIME.

    References
    ----------
    Smilkov, D. et al. (2017). SmoothGrad: removing noise by adding noise. arXiv 1706.03825.

    Examples
    --------
    >>> import numpy as np, pytest
    >>> torch = pytest.importorskip("torch")
    >>> from shiftlab.explanation import SmoothGradExplainer
    >>> X = np.random.default_rng(0).normal(size=(50, 2))
    >>> module = torch.nn.Linear(2, 1, bias=False)
    >>> explainer = SmoothGradExplainer(random_state=0).fit(X)
    >>> explanation = explainer.explain(module, X)
    >>> weights = module.weight.detach().numpy()[0] * X.std(axis=0)
    >>> bool(np.allclose(explanation.values, weights, atol=1e-6))
    True
    """

    def __init__(
        self,
        *,
        n_samples: int = 50,
        scale: float = 0.15,
        n_blocks: int = 25,
        output: str = "probability",
        target: int = 0,
        random_state: RandomState = None,
    ) -> None:
        self.n_samples = n_samples
        self.scale = scale
        self.n_blocks = n_blocks
        self.output = output
        self.target = target
        self.random_state = random_state

    def explain(self, model: Any, X: Any, *, stratify: Any = None) -> Explanation:
        """Explain each row of a table.

        Parameters
        ----------
        model : torch.nn.Module
            The black box.
        X : array or data frame of shape (n_rows, n_columns)
            Rows to explain.
        stratify : array of shape (n_rows,) or (n_rows, k), optional
            Groups to deal out evenly over the blocks.

        Returns
        -------
        Explanation

        Raises
        ------
        InputError
            If the table or the module is not usable.
        """
        check_is_fitted(self)
        n_samples = check_integer(self.n_samples, "n_samples", minimum=2)
        check_integer(self.n_blocks, "n_blocks")
        scale = check_positive(self.scale, "scale")
        gradient = _Gradient(model, self.output, self.target)
        matrix, _ = self._encoding.encode(X)
        seed = as_seed_sequence(self.random_state)
        keys = content_keys(matrix, seed)
        blocks = assign_blocks(keys, self.n_blocks, stratify)
        s = self.reference_.scale
        values, se, smooth = np.empty_like(matrix), np.empty_like(matrix), np.empty(len(matrix))
        for block, rows in rows_by_block(blocks, keys):
            rng = np.random.default_rng(block_seed(seed, block))
            noise = scale * s * rng.standard_normal((n_samples, len(s)))
            noise[:, self.reference_.constant] = 0.0
            size = max(1, MAX_ROWS // n_samples)
            for start in range(0, len(rows), size):
                part = rows[start : start + size]
                queries = (matrix[part][:, None, :] + noise).reshape(-1, len(s))
                answers, slopes = gradient(queries)
                slopes = slopes.reshape(len(part), n_samples, -1) * s
                values[part] = slopes.mean(axis=1)
                se[part] = slopes.std(axis=1, ddof=1) / np.sqrt(n_samples)
                smooth[part] = answers.reshape(len(part), n_samples).mean(axis=1)
        coordinates = (matrix - self.reference_.mean) / s
        prediction, _ = gradient(matrix)
        return self._explanation(
            values, prediction, smooth, block=blocks, mc_se=se, coordinates=coordinates,
            method="SmoothGrad",
        )  # fmt: skip


class IntegratedGradientsExplainer(_GradientExplainer):
    """Gradient of a torch module integrated along the line from a baseline to each row.

    Parameters
    ----------
    n_steps : int, default 50
        Nodes of Gauss-Legendre quadrature.
    baseline : {"mean", "zero"} or array of shape (n_columns,), default "mean"
        Where the line starts; "mean" is that of the training data.
    output : {"probability", "logit"}, default "probability"
        What the module returns; a logit is turned into a probability.
    target : int, default 0
        Column of the output.

    Attributes
    ----------
    reference_ : Reference
        Scales of the training data.
    names_in_ : tuple of str
        Columns.

    Notes
    -----
    Values and base add up to the prediction, up to the error of the quadrature, so the error at the
    row says nothing about the explanation.

    References
    ----------
    Sundararajan, M., Taly, A. and Yan, Q. (2017). Axiomatic attribution for deep networks. ICML.

    Examples
    --------
    >>> import numpy as np, pytest
    >>> torch = pytest.importorskip("torch")
    >>> from shiftlab.explanation import IntegratedGradientsExplainer
    >>> X = np.random.default_rng(0).normal(size=(50, 2)).round(2)
    >>> module = torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.Sigmoid())
    >>> explanation = IntegratedGradientsExplainer().fit(X).explain(module, X)
    >>> total = explanation.base + explanation.values.sum(axis=1)
    >>> bool(np.allclose(total, explanation.prediction, atol=1e-5))
    True
    """

    def __init__(
        self,
        *,
        n_steps: int = 50,
        baseline: Any = "mean",
        output: str = "probability",
        target: int = 0,
    ) -> None:
        self.n_steps = n_steps
        self.baseline = baseline
        self.output = output
        self.target = target

    def explain(self, model: Any, X: Any) -> Explanation:
        """Explain each row of a table.

        Parameters
        ----------
        model : torch.nn.Module
            The black box.
        X : array or data frame of shape (n_rows, n_columns)
            Rows to explain.

        Returns
        -------
        Explanation

        Raises
        ------
        InputError
            If the table, the module or the baseline is not usable.
        """
        check_is_fitted(self)
        n_steps = check_integer(self.n_steps, "n_steps")
        gradient = _Gradient(model, self.output, self.target)
        matrix, _ = self._encoding.encode(X)
        start = self._start()
        nodes, weights = np.polynomial.legendre.leggauss(n_steps)
        path, weights = (nodes + 1) / 2, weights / 2
        values = np.empty_like(matrix)
        size = max(1, MAX_ROWS // n_steps)
        for begin in range(0, len(matrix), size):
            way = matrix[begin : begin + size] - start
            queries = start + way[:, None, :] * path[:, None]
            _, slopes = gradient(queries.reshape(-1, matrix.shape[1]))
            mean = np.einsum("s,nsd->nd", weights, slopes.reshape(len(way), n_steps, -1))
            values[begin : begin + size] = way * mean
        base, _ = gradient(start[None, :])
        prediction, _ = gradient(matrix)
        return self._explanation(
            values, prediction, base[0] + values.sum(axis=1), additive=True,
            method="Integrated Gradients",
        )  # fmt: skip

    def _start(self) -> np.ndarray:
        if isinstance(self.baseline, str):
            kind = check_option(self.baseline, ("mean", "zero"), "baseline")
            return self._mean if kind == "mean" else np.zeros(self.n_features_in_)
        start = np.asarray(self.baseline, dtype=np.float64)
        if start.shape != (self.n_features_in_,) or not np.isfinite(start).all():
            raise InputError(
                f"baseline must hold {self.n_features_in_} finite numbers, found shape "
                f"{start.shape}."
            )
        return start


class _Gradient:
    """One output of a module and its gradient, in the precision and on the device of the module."""

    def __init__(self, module: Any, output: str, target: int) -> None:
        self._torch = import_optional("torch", extra="torch", purpose="Gradients")
        if not isinstance(module, self._torch.nn.Module):
            raise InputError(f"model must be a torch module, found {type(module).__name__}.")
        self._module, self._target = module, target
        self._is_logit = check_option(output, ("probability", "logit"), "output") == "logit"

    def __call__(self, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        parts = [self._part(matrix[i : i + MAX_ROWS]) for i in range(0, len(matrix), MAX_ROWS)]
        values, slopes = zip(*parts, strict=True)
        return np.concatenate(values), np.concatenate(slopes)

    def _part(self, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        torch, module = self._torch, self._module
        parameter = next(iter(module.parameters()), None)
        where = {} if parameter is None else {"dtype": parameter.dtype, "device": parameter.device}
        was_training = module.training
        if was_training:
            module.eval()
        try:
            rows = torch.tensor(matrix, **where).requires_grad_()
            raw = module(rows)
            if raw.ndim == 2:
                if not -raw.shape[1] <= self._target < raw.shape[1]:
                    raise InputError(f"target: the module has no output {self._target}.")
                raw = raw[:, self._target]
            if raw.shape != (len(matrix),):
                raise InputError(f"model: an output of shape {tuple(raw.shape)} came back.")
            values = torch.sigmoid(raw) if self._is_logit else raw
            (slopes,) = torch.autograd.grad(values.sum(), rows)
        finally:
            if was_training:
                module.train()
        return values.detach().double().cpu().numpy(), slopes.double().cpu().numpy()
