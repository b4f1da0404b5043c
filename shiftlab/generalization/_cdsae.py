"""The sequential autoencoder for counterfactual fairness across domains, as an estimator."""

from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from shiftlab._core.checks import check_option
from shiftlab._core.optional import import_optional
from shiftlab._core.random import as_seed_sequence, integer_seed
from shiftlab.exceptions import InputError
from shiftlab.generalization._abduction import fit_abduction
from shiftlab.generalization._attributes import Coded, read_attributes
from shiftlab.generalization._times import read_times

__all__ = ["CDSAEClassifier"]

FAIRNESS = ("logit", "cycle", "hsic", "none")
N_CODES = 3


class CDSAEClassifier(ClassifierMixin, BaseEstimator):
    """Classify by a sequential autoencoder with four latent blocks (experimental, needs PyTorch).

    Exogenous blocks: semantic and environment, each in a part that the attribute influences and one
    that it does not. Environment blocks have priors that an LSTM rolls forward over domains; a
    categorical code of the domain follows the labels; only semantic blocks and code reach the
    classifier. The published body of the method was not available: what is not in its summary is a
    reconstruction from the two models it combines, with their known slips left out, so figures of
    this class are no reproduction. `CounterfactuallyFairClassifier` is the better choice wherever
    it was measured.

    Parameters
    ----------
    inputs : {"terms", "features"}, default "terms"
        What is encoded: terms that the linear abduction has freed of drift of means and of group
        effects, or the features themselves (as in the paper).
    withhold_attribute : bool, default True
        Whether the semantic encoders do not see the attribute; the paper lets one of them see it.
    fairness : {"logit", "cycle", "hsic", "none"}, default "logit"
        Penalty: distance of the laws of the logit between groups; decoding to the other group,
        encoding and classifying again (as in the paper); dependence of the semantic blocks and the
        attribute; nothing (a plain sequential autoencoder).
    fairness_weight : float, default 5.0
        Weight of the penalty.
    tc_weight : float, default 0.0
        Weight of the adversarial total correlation.
    n_semantic : int, default 4
        Dimensions of each semantic block.
    n_environment : int, default 2
        Dimensions of each environment block.
    n_hidden : int, default 64
        Width of the networks.
    learning_rate : float, default 0.003
        Of Adam.
    max_epochs : int, default 40
        Most epochs.
    patience : int, default 10
        Epochs without a better criterion (loss and gap on the last quarter of the source domains)
        before training stops.
    checkpoint : str, optional
        File that training writes after each epoch and goes on from.
    device : str, optional
        "cpu" or "cuda"; None is the CPU.
    progress : bool or callable, default False
        Draw a bar, or call with (done, total, description).
    random_state : int, SeedSequence or Generator, optional
        Seed.

    Attributes
    ----------
    classes_ : ndarray
        Class labels.
    history_ : list of dict
        Criterion, loss and gap of each epoch.
    best_epoch_ : int
        The epoch whose weights are used.
    n_features_in_ : int
        Number of features.

    References
    ----------
    .. [1] Lin, Zhao, Zhu, et al. (2024), "Towards counterfactual fairness-aware domain
       generalization in changing environments", IJCAI.

    Examples
    --------
    >>> from shiftlab.generalization import CDSAEClassifier
    >>> CDSAEClassifier(fairness="cycle").get_params()["fairness"]
    'cycle'
    """

    __metadata_request__fit: ClassVar = {"sensitive_features": True, "environment": True}
    __metadata_request__predict: ClassVar = {"sensitive_features": True, "environment": True}
    __metadata_request__predict_proba: ClassVar = {"sensitive_features": True, "environment": True}

    def __init__(
        self,
        *,
        inputs: str = "terms",
        withhold_attribute: bool = True,
        fairness: str = "logit",
        fairness_weight: float = 5.0,
        tc_weight: float = 0.0,
        n_semantic: int = 4,
        n_environment: int = 2,
        n_hidden: int = 64,
        learning_rate: float = 0.003,
        max_epochs: int = 40,
        patience: int = 10,
        checkpoint: str | None = None,
        device: str | None = None,
        progress: Any = False,
        random_state: Any = None,
    ) -> None:
        self.inputs = inputs
        self.withhold_attribute = withhold_attribute
        self.fairness = fairness
        self.fairness_weight = fairness_weight
        self.tc_weight = tc_weight
        self.n_semantic = n_semantic
        self.n_environment = n_environment
        self.n_hidden = n_hidden
        self.learning_rate = learning_rate
        self.max_epochs = max_epochs
        self.patience = patience
        self.checkpoint = checkpoint
        self.device = device
        self.progress = progress
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sensitive_features: Any = None, environment: Any = None) -> Self:
        """Train on the rows of source domains.

        Parameters
        ----------
        X : array or data frame of shape (n_rows, n_features)
            Numeric features.
        y : array of shape (n_rows,)
            Class labels.
        sensitive_features : array of shape (n_rows,) or (n_rows, k), optional
            Attributes (categories); needed.
        environment : array of shape (n_rows,), optional
            Times; needed.

        Returns
        -------
        CDSAEClassifier
            The fitted estimator.

        Raises
        ------
        InputError
            If attributes or times are missing, or an option is unknown.
        MissingDependencyError
            If PyTorch is not installed.
        """
        check_option(self.inputs, ("features", "terms"), "inputs")
        check_option(self.fairness, FAIRNESS, "fairness")
        training = _training()
        X, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        if sensitive_features is None or environment is None:
            raise InputError("sensitive_features and environment are needed, one value per row.")
        self.attributes_, coded = read_attributes(sensitive_features, len(X))
        if coded.group is None:
            raise InputError("sensitive_features must be categories for this model.")
        time = read_times(environment, len(X))
        self.classes_, labels = np.unique(y, return_inverse=True)
        self.times_ = np.unique(time)
        self.abduction_ = None
        if self.inputs == "terms":
            self.abduction_ = fit_abduction(X, coded, time, labels, drift="trend")
        inner = self._inner(X, coded, time)
        self.centre_, self.scale_ = inner.mean(axis=0), np.maximum(inner.std(axis=0), 1e-9)
        rows = self._tensors(inner, coded, time, labels)
        n_late = round(0.25 * len(self.times_)) if len(self.times_) > 3 else 0
        late = time > self.times_[-n_late - 1] if n_late else np.zeros(len(time), dtype=bool)
        import torch

        source = rows.take(torch.as_tensor(np.flatnonzero(~late)))
        held = rows.take(torch.as_tensor(np.flatnonzero(late))) if n_late else None
        found = training.train(
            source, held, self._sizes(coded), self._options(training), self._seed()
        )
        self.network_ = found.network
        self.history_, self.best_epoch_ = found.history, found.best_epoch
        return self

    def _seed(self) -> int:
        return integer_seed(as_seed_sequence(self.random_state))

    def _sizes(self, coded: Coded) -> Any:
        from shiftlab.generalization._cdsae_network import Sizes

        return Sizes(
            self.n_features_in_, coded.design.shape[1], len(self.classes_), self.n_semantic,
            self.n_environment, N_CODES, self.n_hidden, self.withhold_attribute,
        )  # fmt: skip

    def _options(self, training: Any) -> Any:
        return training.Options(
            self.fairness, self.fairness_weight, self.tc_weight, 20.0, self.learning_rate, 24,
            self.max_epochs, self.patience, self.checkpoint, self.progress,
        )  # fmt: skip

    def _inner(self, X: np.ndarray, coded: Coded, time: np.ndarray) -> np.ndarray:
        return X if self.abduction_ is None else self.abduction_.terms(X, coded, time)

    def _tensors(
        self, inner: np.ndarray, coded: Coded, time: np.ndarray, labels: np.ndarray
    ) -> Any:
        import torch

        from shiftlab.generalization._cdsae_training import Rows

        gap = float(np.median(np.diff(self.times_))) if len(self.times_) > 1 else 1.0
        step = np.maximum(np.round((time - self.times_[0]) / gap), 0).astype(int)
        x = (inner - self.centre_) / self.scale_
        device = self.device or "cpu"
        return Rows(
            torch.as_tensor(x, dtype=torch.float32, device=device),
            torch.as_tensor(coded.design, dtype=torch.float32, device=device),
            torch.as_tensor(labels, device=device),
            torch.as_tensor(step, device=device),
        )

    def predict_proba(
        self, X: Any, sensitive_features: Any = None, environment: Any = None
    ) -> np.ndarray:
        """Return class probabilities; parameters as in ``fit``.

        Parameters
        ----------
        X : array or data frame of shape (n_rows, n_features)
            Rows.
        sensitive_features : array of shape (n_rows,) or (n_rows, k), optional
            Attributes; needed.
        environment : scalar or array of shape (n_rows,), optional
            Times; needed.

        Returns
        -------
        ndarray of shape (n_rows, n_classes)
        """
        check_is_fitted(self, "network_")
        import torch

        X = validate_data(self, X, dtype=np.float64, reset=False)
        if sensitive_features is None or environment is None:
            raise InputError("sensitive_features and environment are needed, one value per row.")
        coded = self.attributes_.code(sensitive_features, len(X))
        time = read_times(environment, len(X))
        rows = self._tensors(self._inner(X, coded, time), coded, time, np.zeros(len(X), dtype=int))
        with torch.no_grad():
            blocks = self.network_.encode(rows.x, rows.a)
            codes = torch.softmax(self.network_.priors(int(rows.step.max()) + 1)[2], dim=1)
            logits = self.network_.classify(blocks.means, codes[rows.step])
            scores = torch.softmax(logits.double(), dim=1)
        return np.asarray(scores.cpu())

    def predict(
        self, X: Any, sensitive_features: Any = None, environment: Any = None
    ) -> np.ndarray:
        """Return class labels; parameters as in `predict_proba`."""
        scores = self.predict_proba(X, sensitive_features, environment)
        return np.asarray(self.classes_[scores.argmax(axis=1)])


def _training() -> Any:
    purpose = "CDSAEClassifier (CounterfactuallyFairClassifier does without)"
    import_optional("torch", extra="torch", purpose=purpose)
    from shiftlab.generalization import _cdsae_training

    return _cdsae_training
