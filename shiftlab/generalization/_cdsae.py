"""The sequential autoencoder for counterfactual fairness across domains, as an estimator."""

from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    assert_all_finite,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
)

from shiftlab._core.checks import check_fraction, check_option
from shiftlab._core.frames import check_frame
from shiftlab._core.optional import import_optional
from shiftlab._core.random import as_seed_sequence, integer_seed
from shiftlab.generalization._abduction import fit_abduction
from shiftlab.generalization._attributes import Coded
from shiftlab.generalization._channel import EvolvingEstimator
from shiftlab.generalization._trajectories import LatentTrajectories, path_rows, trajectory_times

__all__ = ["CDSAEClassifier"]

FAIRNESS = ("logit", "cycle", "hsic", "none")
N_CODES = 3
#: Names of the latent blocks, in their order.
BLOCKS = ("u_s", "u_ns", "u_v1", "u_v2")
LABEL_WEIGHT = 20.0
BATCH_PER_DOMAIN = 24
PATIENCE = 10


class CDSAEClassifier(ClassifierMixin, EvolvingEstimator):
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
    sensitive_features : str, int or sequence of these, optional
        Columns of X with the protected attributes, which are then no covariates.
    environment : str or int, optional
        Column of X with the time of each row: a number or a date.
    inputs : {"terms", "features"}, default "terms"
        What is encoded: terms that the linear abduction has freed of drift (turning included)
        and of group effects, or the features themselves (as in the paper).
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
    n_latent : tuple of (int, int), default (4, 2)
        Dimensions of each semantic block, and of each environment block.
    n_hidden : int, default 64
        Width of the networks.
    learning_rate : float, default 0.003
        Of Adam.
    max_epochs : int, default 40
        Most epochs; training stops sooner after ten without a better criterion (loss and gap on the
        last quarter of the source domains).
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
    weights_ : dict of ndarray
        Weights of the network: plain arrays, so that a fitted model can be saved without code.
    latent_means_ : ndarray of shape (n_domains, n_terms)
        Mean of each latent term in each source domain.
    history_ : list of dict
        Criterion, loss and gap of each epoch.
    best_epoch_ : int
        The epoch whose weights are used.
    n_features_in_ : int
        Number of columns of X.

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

    __metadata_request__predict_proba: ClassVar = {"sensitive_features": True, "environment": True}

    def __init__(
        self,
        *,
        sensitive_features: Any = None,
        environment: Any = None,
        inputs: str = "terms",
        withhold_attribute: bool = True,
        fairness: str = "logit",
        fairness_weight: float = 5.0,
        tc_weight: float = 0.0,
        n_latent: tuple[int, int] = (4, 2),
        n_hidden: int = 64,
        learning_rate: float = 0.003,
        max_epochs: int = 40,
        checkpoint: str | None = None,
        device: str | None = None,
        progress: Any = False,
        random_state: Any = None,
    ) -> None:
        self.sensitive_features = sensitive_features
        self.environment = environment
        self.inputs = inputs
        self.withhold_attribute = withhold_attribute
        self.fairness = fairness
        self.fairness_weight = fairness_weight
        self.tc_weight = tc_weight
        self.n_latent = n_latent
        self.n_hidden = n_hidden
        self.learning_rate = learning_rate
        self.max_epochs = max_epochs
        self.checkpoint = checkpoint
        self.device = device
        self.progress = progress
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sensitive_features: Any = None, environment: Any = None) -> Self:
        """Train on the rows of source domains.

        Parameters
        ----------
        X : array or data frame of shape (n_rows, n_columns)
            Numeric features, and the columns that the constructor names.
        y : array of shape (n_rows,)
            Class labels.
        sensitive_features : array of shape (n_rows,) or (n_rows, k), or data frame, optional
            Attributes, unless the constructor names columns of X.
        environment : array of shape (n_rows,), optional
            Times, unless the constructor names a column of X. Without any, all rows are of one
            domain.

        Returns
        -------
        CDSAEClassifier
            The fitted estimator.

        Raises
        ------
        InputError
            If attributes are missing, or an option is unknown.
        MissingDependencyError
            If PyTorch is not installed.
        """
        check_option(self.inputs, ("features", "terms"), "inputs")
        check_option(self.fairness, FAIRNESS, "fairness")
        training = _training()
        check_frame(X)
        y = column_or_1d(y, warn=True)
        assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        check_consistent_length(X, y)
        values, coded, time = self._learn_rows(X, sensitive_features, environment)
        self.classes_, labels = np.unique(y, return_inverse=True)
        self.abduction_ = None
        if self.inputs == "terms":
            self.abduction_ = fit_abduction(values, coded, time, labels)
        inner = self._inner(values, coded, time)
        self.centre_, self.scale_ = inner.mean(axis=0), np.maximum(inner.std(axis=0), 1e-9)
        rows = self._tensors(inner, coded, time, labels)
        times = self.source_times_
        n_late = round(0.25 * len(times)) if len(times) > 3 else 0
        late = time > times[-n_late - 1] if n_late else np.zeros(len(time), dtype=bool)
        source = rows.take(np.flatnonzero(~late))
        held = rows.take(np.flatnonzero(late)) if n_late else None
        found = training.train(source, held, self._sizes(), self._options(training), self._seed())
        state = found.network.state_dict()
        self.weights_ = {name: w.detach().cpu().numpy() for name, w in state.items()}
        self.history_, self.best_epoch_ = found.history, found.best_epoch
        u = self._network().latent(rows)
        self.latent_means_ = np.stack([u[time == t].mean(axis=0) for t in times])
        return self

    def _seed(self) -> int:
        return integer_seed(as_seed_sequence(self.random_state))

    def _sizes(self) -> Any:
        from shiftlab.generalization._cdsae_network import Sizes

        n_columns = self.attributes_.n_columns
        return Sizes(
            len(self.centre_), n_columns, len(self.classes_), *self.n_latent, N_CODES,
            self.n_hidden, self.withhold_attribute,
        )  # fmt: skip

    def _options(self, training: Any) -> Any:
        return training.Options(
            self.fairness, self.fairness_weight, self.tc_weight, LABEL_WEIGHT, self.learning_rate,
            BATCH_PER_DOMAIN, self.max_epochs, PATIENCE, self.checkpoint, self.progress,
        )  # fmt: skip

    def _inner(self, values: np.ndarray, coded: Coded, time: np.ndarray) -> np.ndarray:
        return values if self.abduction_ is None else self.abduction_.terms(values, coded, time)

    def _tensors(
        self, inner: np.ndarray, coded: Coded, time: np.ndarray, labels: np.ndarray | None = None
    ) -> Any:
        from shiftlab.generalization._cdsae_training import rows_of

        x = (inner - self.centre_) / self.scale_
        labels = np.zeros(len(x), dtype=int) if labels is None else labels
        return rows_of(x, coded.design, labels, self._steps(time), self.device or "cpu")

    def _steps(self, time: np.ndarray) -> np.ndarray:
        """Return the number of the domain at each time, at the pace of the source domains."""
        times = self.source_times_
        gap = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
        return np.maximum(np.round((time - times[0]) / gap), 0).astype(int)

    def _network(self) -> Any:
        """Build the network from its weights; it is not kept: predicting changes nothing."""
        from shiftlab.generalization._cdsae_network import network_of

        return network_of(self._sizes(), self.weights_, self.device or "cpu")

    def _encoded(
        self, X: Any, sensitive_features: Any, environment: Any
    ) -> tuple[Any, Any, np.ndarray]:
        """Return the network, the rows as tensors, and their latent means side by side."""
        check_is_fitted(self)
        _training()
        values, coded, time = self._rows(X, sensitive_features, environment)
        network = self._network()
        rows = self._tensors(self._inner(values, coded, time), coded, time)
        return network, rows, network.latent(rows)

    def predict_proba(
        self, X: Any, sensitive_features: Any = None, environment: Any = None
    ) -> np.ndarray:
        """Return class probabilities.

        Parameters
        ----------
        X : array or data frame of shape (n_rows, n_columns)
            Rows.
        sensitive_features : array of shape (n_rows,) or (n_rows, k), optional
            Attributes, unless the constructor names columns of X.
        environment : scalar or array of shape (n_rows,), optional
            Times, unless the constructor names a column of X.

        Returns
        -------
        ndarray of shape (n_rows, n_classes)
        """
        network, rows, u = self._encoded(X, sensitive_features, environment)
        return np.asarray(network.scores(u, rows.step))

    def predict(
        self, X: Any, sensitive_features: Any = None, environment: Any = None
    ) -> np.ndarray:
        """Return class labels; parameters as in `predict_proba`."""
        scores = self.predict_proba(X, sensitive_features, environment)
        return np.asarray(self.classes_[scores.argmax(axis=1)])

    def score(
        self, X: Any, y: Any, sensitive_features: Any = None, environment: Any = None
    ) -> float:
        """Return the accuracy; parameters as in `predict_proba`."""
        return float(np.mean(self.predict(X, sensitive_features, environment) == np.asarray(y)))

    def exogenous(
        self, X: Any, sensitive_features: Any = None, environment: Any = None
    ) -> np.ndarray:
        """Return the means of the latent blocks of rows.

        Parameters
        ----------
        X : array or data frame of shape (n_rows, n_columns)
            Rows.
        sensitive_features : array of shape (n_rows,) or (n_rows, k), optional
            Attributes, unless the constructor names columns of X.
        environment : scalar or array of shape (n_rows,), optional
            Times, unless the constructor names a column of X.

        Returns
        -------
        ndarray of shape (n_rows, n_terms)
            Semantic terms that the attribute may influence, semantic terms that it does not, and
            the same of the environment.
        """
        return self._encoded(X, sensitive_features, environment)[2]

    def _twins(
        self, values: np.ndarray, coded: Coded, time: np.ndarray, other: Coded
    ) -> np.ndarray:
        """Decode the latent terms with other attributes; what was not decoded is a row's own."""
        inner = self._inner(values, coded, time)
        rows, told = (self._tensors(inner, part, time) for part in (coded, other))
        network = self._network()
        u = network.latent(rows)
        moved = inner + (network.decoded(u, told.a) - network.decoded(u, rows.a)) * self.scale_
        return moved if self.abduction_ is None else self.abduction_.features(moved, other, time)

    def trajectories(
        self, times: Any = None, *, confidence_level: float = 0.95
    ) -> LatentTrajectories:
        """Return the paths of the latent blocks: means of source domains, and the priors.

        Parameters
        ----------
        times : scalar or array, optional
            Times; by default those of the source domains and half as many more at the same pace.
        confidence_level : float, default 0.95
            Of the intervals, in which the prior expects the terms of rows.

        Returns
        -------
        LatentTrajectories
            Semantic blocks have a standard normal prior; those of the environment blocks are
            rolled forward.

        Raises
        ------
        InputError
            If times have no order.
        """
        from scipy.stats import norm

        check_is_fitted(self)
        check_fraction(confidence_level, "confidence_level")
        _training()
        wanted = trajectory_times(self.source_times_, times)
        mean, spread = self._network().expected(self._steps(wanted))
        half = float(norm.ppf(0.5 + confidence_level / 2)) * spread
        observed = np.full_like(mean, np.nan)
        known, at = np.isin(wanted, self.source_times_), np.searchsorted(self.source_times_, wanted)
        observed[known] = self.latent_means_[at[known]]
        parts = zip(BLOCKS, np.repeat(self.n_latent, 2), strict=True)
        names = [f"{block}[{i}]" for block, n in parts for i in range(n)]
        forms = ["standard normal"] * (2 * self.n_latent[0]) + ["rolled"] * (2 * self.n_latent[1])
        source = wanted <= self.source_times_[-1]
        band = mean, mean - half, mean + half
        rows = path_rows(names, forms, wanted, observed, band, source)
        return LatentTrajectories(tuple(rows), confidence_level, "latent term")


def _training() -> Any:
    purpose = "CDSAEClassifier (CounterfactuallyFairClassifier does without)"
    import_optional("torch", extra="torch", purpose=purpose)
    from shiftlab.generalization import _cdsae_training

    return _cdsae_training
