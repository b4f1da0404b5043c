"""The estimator: causal discovery from heterogeneous or nonstationary data."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from shiftlab._core.channels import split_channel
from shiftlab._core.checks import check_fraction, check_integer, check_option
from shiftlab._core.column_groups import group_columns, read_groups
from shiftlab._core.frames import Table, as_table, check_frame
from shiftlab._core.progress import Progress
from shiftlab.discovery._describe import describe
from shiftlab.discovery._driving_force import DrivingForce
from shiftlab.discovery._lags import add_lags, with_past
from shiftlab.discovery._phases import Settings, run_phases
from shiftlab.discovery._prepare import prepare
from shiftlab.discovery._result import DiscoveryResult, EdgeReason
from shiftlab.discovery._surrogate import read_surrogate
from shiftlab.discovery._tests import prepare_test, read_test
from shiftlab.exceptions import InputError, NumericalWarning
from shiftlab.graphs import Knowledge

__all__ = ["CDNOD"]


class CDNOD(BaseEstimator):
    """Causal discovery from data whose mechanisms change between environments or along time.

    Four phases: (1) which variables change with the environment, and which pairs stay dependent;
    (2) directions from the environment, colliders and what follows, and a check of the graph, by
    which edges come back whose absence the data contradict; (3) directions from mechanisms
    that change independently; (4) how each changing mechanism moves.

    Parameters
    ----------
    ci_test : str or IndependenceTest, default "kernel"
        "kernel", "fisher_z", "chi2", "g2", "gcm", "kci", "rcit", "hsic", or a test object of
        `shiftlab.independence` with its own options.
    alpha : float, default 0.05
        Level of each independence test.
    environment : str, int or sequence of these, optional
        Column(s) of X that say where a row comes from; without it, pass ``environment`` to `fit`.
    environment_type : {"auto", "categorical", "time"}, default "auto"
        "auto" reads dates, and numbers with more than 100 values or fewer than 5 rows per value,
        as time; everything else as labels, whose names and order play no part.
    max_cond : int, default 3
        Largest conditioning set of the search. From 2 on the graph found is checked with all
        causes held fixed, however many there are.
    orient : {"changes", "invariance", "skeleton"}, default "changes"
        Stop after phase 3, 2 or 1. Phase 4 follows unless only the skeleton is asked for.
    margin : float, default 1.0
        Phase 3 directs an edge if the better direction is better by this many standard deviations
        of the dependence between independent mechanisms; otherwise the edge stays undirected.
        Along time that deviation follows from how many independent movements the paths hold.
    correction : {"none", "fdr"}, default "none"
        "fdr" keeps the false-discovery rate of the edges at `alpha` (Benjamini and Hochberg on the
        largest p-value of each pair); no edge comes back then.
    knowledge : Knowledge or mapping, optional
        Obeyed from the first test on; pairs it decides are not tested.
    categorical_features : sequence of str or int, default ()
        Columns of numbers that are codes.
    missing : {"raise", "pairwise"}, default "raise"
        "pairwise" uses, for each test, the rows that are complete in it.
    lags : int, default 0
        Add each variable as it was up to so many rows earlier (``x[t-1]``, ...), within its
        environment. Only edges into the present are sought; the past comes first.
    progress : bool or callable, default False
        True draws a bar on standard error; a callable gets (done, total, description).

    Attributes
    ----------
    graph_ : MixedGraph
        The variables; undirected edges are those that the data do not decide.
    augmented_graph_ : MixedGraph
        The same with the environment.
    invariance_graph_ : MixedGraph
        The graph before phase 3.
    changing_ : list of str
        Variables whose mechanism differs between environments.
    edge_reasons_ : dict
        (source, target) -> `EdgeReason`: test, conditioning set, p-value, rule.
    separating_sets_ : dict
        frozenset of two names -> the names that separate them.
    conflicts_ : tuple of str
        Directions set aside because they contradicted stronger ones or closed a cycle.
    merged_ : dict
        Repeated columns and the column they repeat.
    n_tests_ : int
        Independence tests that were computed.
    tests_by_size_ : dict
        The same by size of the conditioning set.
    seconds_ : float
        CPU time of the tests.
    result_ : DiscoveryResult
        All of it as one value that prints, draws and travels.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only if X has names.

    Notes
    -----
    The result depends neither on the order of rows and columns nor on the names of environments.

    References
    ----------
    .. [1] B. Huang, K. Zhang, J. Zhang, J. Ramsey, R. Sanchez-Romero, C. Glymour and
       B. Schoelkopf, "Causal discovery from heterogeneous/nonstationary data", JMLR 21(89), 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.discovery import CDNOD
    >>> rng = np.random.default_rng(0)
    >>> site = np.repeat(np.arange(10), 60)
    >>> dose = rng.normal(size=10)[site] + rng.normal(size=600)
    >>> risk = np.tanh(dose) + 0.4 * rng.normal(size=600)
    >>> model = CDNOD("fisher_z").fit(np.column_stack([dose, risk]), environment=site)
    >>> model.changing_, [str(edge) for edge in model.graph_.edges]
    (['x0'], ['x0 -> x1'])
    """

    def __init__(
        self,
        ci_test: Any = "kernel",
        alpha: float = 0.05,
        *,
        environment: Any = None,
        environment_type: str = "auto",
        max_cond: int = 3,
        orient: str = "changes",
        margin: float = 1.0,
        correction: str = "none",
        knowledge: Any = None,
        categorical_features: Sequence[str | int] = (),
        missing: str = "raise",
        lags: int = 0,
        progress: Progress = False,
    ) -> None:
        self.ci_test = ci_test
        self.alpha = alpha
        self.environment = environment
        self.environment_type = environment_type
        self.max_cond = max_cond
        self.orient = orient
        self.margin = margin
        self.correction = correction
        self.knowledge = knowledge
        self.categorical_features = categorical_features
        self.missing = missing
        self.lags = lags
        self.progress = progress

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        environment: Any = None,
        groups: Mapping[str, Sequence[str]] | None = None,
    ) -> "CDNOD":
        """Find the graph.

        Parameters
        ----------
        X : array or data frame of shape (n_rows, n_variables)
            Numbers and categories.
        y : None
            Ignored; present for scikit-learn.
        environment : array of shape (n_rows,) or (n_rows, k), optional
            Labels, several context columns, or times (numbers or dates). With neither this nor a
            column named in the constructor the order of the rows is taken as time.
        groups : mapping of str to sequence of str, optional
            Columns that form one variable together, such as the coordinates of a place, by the
            name of that variable; every other column is a variable of its own.

        Returns
        -------
        CDNOD
            Itself.

        Raises
        ------
        InputError
            If the table, the environment, the groups, the knowledge or an option is not usable.
        """
        check_frame(X)
        validate_data(self, X, skip_check_array=True)
        settings = self._settings()
        covariates, values = split_channel(X, self.environment, environment, "environment")
        table = as_table(covariates)
        name = self.environment if isinstance(self.environment, str) else ""
        surrogate, notes = read_surrogate(values, table.n_rows, self.environment_type, name)
        table = table.with_kinds(dict.fromkeys(self._categorical(table), "categorical"))
        joined, categorical = read_groups(groups, table), self._categorical(table)
        if check_integer(self.lags, "lags", minimum=0):
            present = {*group_columns(table.names, joined)}
            table, surrogate = add_lags(table, surrogate, self.lags)
            joined = with_past(joined, self.lags)
            past = {*group_columns(table.names, joined)} - present
            settings = replace(settings, past=frozenset(past))
        prepared = prepare(table, surrogate, categorical, joined)
        nodes = tuple(group_columns(table.names, joined))
        _check_knowledge(settings.knowledge, nodes, prepared.merged)
        for warning in (*notes, *prepared.warnings):
            warnings.warn(warning, stacklevel=2)
        root_name = _free_name(surrogate.name, (*table.names, *nodes))
        found = run_phases(prepared, settings, root_name)
        if found.tests.undefined:
            warnings.warn(NumericalWarning(found.tests.undefined), stacklevel=2)
        said = [str(warning) for warning in (*notes, *prepared.warnings)]
        options = self._options(settings)
        if joined:
            options["groups"] = {name: list(members) for name, members in joined.items()}
        self._set_attributes(describe(found, prepared, root_name, options, said))
        return self

    def driving_force(self, variable: str) -> DrivingForce:
        """Return how the mechanism of a changing variable moves.

        Parameters
        ----------
        variable : str
            One of `changing_`.

        Returns
        -------
        DrivingForce

        Raises
        ------
        InputError
            If the variable does not change.
        """
        check_is_fitted(self)
        for force in self.result_.driving_forces:
            if force.variable == str(variable):
                return force
        raise InputError(
            f"{variable!r} has no driving force: the changing variables are "
            f"{', '.join(self.changing_) or 'none'}."
        )

    @property
    def edge_reasons_(self) -> dict[tuple[str, str], EdgeReason]:
        """(source, target) -> why the edge is there and points where it points."""
        check_is_fitted(self)
        return {(r.source, r.target): r for r in self.result_.edges}

    @property
    def separating_sets_(self) -> dict[frozenset[str], tuple[str, ...]]:
        """The two names of a pair without an edge -> the names that separate them."""
        check_is_fitted(self)
        return {frozenset((a, b)): given for a, b, given in self.result_.separating_sets}

    def plot(self, ax: Any = None) -> Any:
        """Draw the graph; see `DiscoveryResult.plot`."""
        check_is_fitted(self)
        return self.result_.plot(ax)

    def _settings(self) -> Settings:
        check_option(self.orient, ("changes", "invariance", "skeleton"), "orient")
        check_option(self.environment_type, ("auto", "categorical", "time"), "environment_type")
        check_option(self.correction, ("none", "fdr"), "correction")
        check_option(self.missing, ("raise", "pairwise"), "missing")
        if not isinstance(self.margin, (int, float, np.number)) or not self.margin >= 0:
            raise InputError(f"margin must be a number of at least 0, found {self.margin!r}.")
        test, alpha = read_test(self.ci_test), check_fraction(self.alpha, "alpha")
        return Settings(
            make_test=lambda table, groups: prepare_test(test, table, groups, self.missing, alpha),
            alpha=alpha,
            max_cond=check_integer(self.max_cond, "max_cond", minimum=0),
            correction=self.correction,
            orient=self.orient,
            margin=float(self.margin),
            knowledge=_read_knowledge(self.knowledge),
            progress=self.progress,
        )

    def _categorical(self, table: Table) -> list[str]:
        given = self.categorical_features
        names = [given] if isinstance(given, (str, int)) else list(given)
        return [
            table.names[n] if isinstance(n, (int, np.integer)) else table[str(n)].name
            for n in names
        ]

    def _options(self, settings: Settings) -> dict[str, Any]:
        test = read_test(self.ci_test)
        return {
            "ci_test": test.name,
            "alpha": settings.alpha,
            "max_cond": settings.max_cond,
            "orient": settings.orient,
            "margin": settings.margin,
            "correction": settings.correction,
            "environment_type": self.environment_type,
            "lags": self.lags,
            "missing": self.missing,
            "knowledge": settings.knowledge.to_dict(),
        }

    def _set_attributes(self, result: DiscoveryResult) -> None:
        self.result_ = result
        self.graph_ = result.graph
        self.augmented_graph_ = result.augmented
        self.invariance_graph_ = result.invariance
        self.changing_ = list(result.changing)
        self.conflicts_ = result.conflicts
        self.merged_ = dict(result.merged)
        self.n_tests_ = result.n_tests
        self.tests_by_size_ = dict(result.tests_by_size)
        self.seconds_ = result.seconds

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.missing == "pairwise"
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags


def _read_knowledge(knowledge: Any) -> Knowledge:
    if knowledge is None:
        return Knowledge()
    return knowledge if isinstance(knowledge, Knowledge) else Knowledge.from_dict(knowledge)


def _check_knowledge(
    knowledge: Knowledge, names: tuple[str, ...], merged: Mapping[str, str]
) -> None:
    knowledge.check_names(names)
    for name in knowledge.names:
        if name in merged:
            raise InputError(
                f"knowledge speaks of {name!r}, which repeats {merged[name]!r} and was merged into "
                f"it; state what is known about {merged[name]!r} instead."
            )


def _free_name(name: str, taken: Sequence[str]) -> str:
    """Name the environment's node like no variable."""
    while name in taken:
        name = f"{name} (environment)"
    return name
