"""Stability: how often a search finds an edge and a direction when the rows are drawn anew."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted, validate_data

from shiftlab._core.channels import split_channel
from shiftlab._core.checks import check_integer, check_option
from shiftlab._core.frames import Table, as_table
from shiftlab._core.parallel import seeded_map
from shiftlab._core.progress import Progress
from shiftlab._core.random import RandomState
from shiftlab._core.results import Result
from shiftlab.discovery._cdnod import CDNOD
from shiftlab.discovery._result import DiscoveryResult
from shiftlab.discovery._surrogate import read_surrogate
from shiftlab.exceptions import InputError, ShiftlabWarning
from shiftlab.graphs import Edge, MixedGraph

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BootstrapDiscovery", "BootstrapSupport", "EdgeSupport"]

#: Stretches of time within which rows are drawn.
TIME_BLOCKS = 50


@dataclass(frozen=True)
class EdgeSupport(Result):
    """How often a pair was joined, and how.

    Attributes
    ----------
    a, b : str
        The pair.
    edge : float
        Share of resamples with an edge of any kind.
    forward, backward, undirected : float
        Shares with ``a -> b``, ``b -> a`` and without direction.
    in_graph : str
        The edge in the graph of all rows, or "".
    """

    a: str
    b: str
    edge: float
    forward: float
    backward: float
    undirected: float
    in_graph: str


@dataclass(frozen=True, repr=False)
class BootstrapSupport(Result):
    """Support of every pair and of every changing variable.

    Attributes
    ----------
    graph : MixedGraph
        Found on all rows.
    pairs : tuple of EdgeSupport
        Every pair joined in some resample or in `graph`, best supported first.
    changing : dict
        Share of resamples in which a variable changes with the environment.
    n_resamples : int
        Resamples.
    resampling : str
        How rows were drawn.
    """

    graph: MixedGraph
    pairs: tuple[EdgeSupport, ...]
    changing: dict[str, float]
    n_resamples: int
    resampling: str

    def to_frame(self) -> "pd.DataFrame":
        """Return the support of pairs as a data frame, one row each."""
        import pandas as pd

        columns = ["a", "b", "edge", "forward", "backward", "undirected", "in_graph"]
        return pd.DataFrame([p.to_dict() for p in self.pairs], columns=columns)

    def consensus(self, threshold: float = 0.5) -> MixedGraph:
        """Return the graph of the edges and directions in more than a share of the resamples.

        Parameters
        ----------
        threshold : float, default 0.5
            An edge needs more support than this, and a direction more than this share of the
            resamples that have the edge.

        Returns
        -------
        MixedGraph
        """
        edges = []
        for pair in self.pairs:
            if pair.edge <= threshold:
                continue
            if pair.forward > threshold * pair.edge and pair.forward > pair.backward:
                edges.append(Edge(pair.a, pair.b))
            elif pair.backward > threshold * pair.edge:
                edges.append(Edge(pair.b, pair.a))
            else:
                edges.append(Edge(pair.a, pair.b, "tail", "tail"))
        return MixedGraph(self.graph.nodes, edges)

    def plot(self, ax: Any = None) -> Any:
        """Draw the graph of all rows, edges labelled with their support in percent.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw.

        Returns
        -------
        matplotlib.axes.Axes
        """
        support = {frozenset((p.a, p.b)): p.edge for p in self.pairs}
        often = [name for name, share in self.changing.items() if share > 0.5]
        title = f"edges: support in {self.n_resamples} resamples (%); filled: usually changes"
        return self.graph.plot(ax, highlight=often, support=support, title=title)

    def __repr__(self) -> str:
        lines = [
            f"  {p.in_graph or f'{p.a} ... {p.b}'}: edge {p.edge:.0%}, "
            f"{p.a} -> {p.b} {p.forward:.0%}, {p.b} -> {p.a} {p.backward:.0%}"
            for p in self.pairs[:15]
        ]
        return "\n".join([f"BootstrapSupport: {self.n_resamples} resamples", *lines])


class BootstrapDiscovery(BaseEstimator):
    """Repeat a search on rows drawn anew within environments.

    Parameters
    ----------
    estimator : CDNOD, optional
        The search; the defaults of `CDNOD` without it.
    n_resamples : int, default 50
        Searches.
    resampling : {"bootstrap", "subsample"}, default "bootstrap"
        "bootstrap" draws as many rows as there are, with replacement; "subsample" half of the rows
        of each environment without, which leaves the tests their level. Along time rows are drawn
        within fifty stretches.
    random_state : RandomState, optional
        Seed; results do not depend on `n_jobs`.
    n_jobs : int, optional
        Parallel workers, as in joblib.
    progress : bool or callable, default False
        True draws a bar on standard error; a callable gets (done, total, description).

    Attributes
    ----------
    estimator_ : CDNOD
        Fitted to all rows.
    graph_ : MixedGraph
        Its graph.
    changing_ : list of str
        Its changing variables.
    support_ : BootstrapSupport
        Support of edges, directions and changing variables.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only if X has names.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.discovery import CDNOD, BootstrapDiscovery
    >>> rng = np.random.default_rng(0)
    >>> site = np.repeat(np.arange(10), 40)
    >>> dose = rng.normal(size=10)[site] + rng.normal(size=400)
    >>> risk = dose + 0.5 * rng.normal(size=400)
    >>> model = BootstrapDiscovery(CDNOD("fisher_z"), n_resamples=10, random_state=0)
    >>> model.fit(np.column_stack([dose, risk]), environment=site).support_.pairs[0].edge
    1.0
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        n_resamples: int = 50,
        resampling: str = "bootstrap",
        random_state: RandomState = None,
        n_jobs: int | None = None,
        progress: Progress = False,
    ) -> None:
        self.estimator = estimator
        self.n_resamples = n_resamples
        self.resampling = resampling
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.progress = progress

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        environment: Any = None,
        groups: Mapping[str, Sequence[str]] | None = None,
    ) -> "BootstrapDiscovery":
        """Search on all rows, and on rows drawn anew.

        Parameters
        ----------
        X : array or data frame of shape (n_rows, n_variables)
            As for `CDNOD`.
        y : None
            Ignored; present for scikit-learn.
        environment : array of shape (n_rows,), optional
            As for `CDNOD`.
        groups : mapping of str to sequence of str, optional
            As for `CDNOD`.

        Returns
        -------
        BootstrapDiscovery
            Itself.
        """
        validate_data(self, X, skip_check_array=True)
        check_integer(self.n_resamples, "n_resamples")
        check_option(self.resampling, ("bootstrap", "subsample"), "resampling")
        base = CDNOD() if self.estimator is None else self.estimator
        if base.lags:
            raise InputError("Rows drawn anew have no past: a search with lags cannot be repeated.")
        self.estimator_ = clone(base).fit(X, environment=environment, groups=groups)
        covariates, values = split_channel(X, base.environment, environment, "environment")
        table = as_table(covariates)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ShiftlabWarning)
            surrogate, _ = read_surrogate(values, table.n_rows, base.environment_type)
        kept = [n for n in table.names if n not in self.estimator_.merged_]
        codes = _strata(surrogate.column.values, surrogate.kind == "time")
        worker = clone(base).set_params(environment=None, environment_type=surrogate.kind)
        worker.set_params(progress=False, categorical_features=_codes(base, table, kept))
        labels = surrogate.column.labels()
        task = (worker, table.select(kept), labels, codes, groups, self.resampling)
        results = seeded_map(
            _search_again,
            [task] * self.n_resamples,
            random_state=self.random_state,
            n_jobs=self.n_jobs,
            progress=self.progress,
            description="resamples",
        )
        self.support_ = _count(self.estimator_.result_, results, self.resampling)
        self.graph_ = self.estimator_.graph_
        self.changing_ = list(self.estimator_.changing_)
        return self

    def plot(self, ax: Any = None) -> Any:
        """Draw the graph with the support of its edges; see `BootstrapSupport.plot`."""
        check_is_fitted(self)
        return self.support_.plot(ax)

    def __sklearn_tags__(self) -> Any:
        base = CDNOD() if self.estimator is None else self.estimator
        return base.__sklearn_tags__()


def _codes(base: CDNOD, table: Table, kept: list[str]) -> list[str]:
    given = base.categorical_features
    listed = [given] if isinstance(given, (str, int)) else list(given)
    named = [table.names[n] if isinstance(n, (int, np.integer)) else str(n) for n in listed]
    return [name for name in named if name in kept]


def _strata(values: np.ndarray, is_time: bool) -> np.ndarray:
    """Return the group of each row: its environment, or a stretch of time."""
    if not is_time:
        return values
    edges = np.quantile(values, np.linspace(0, 1, TIME_BLOCKS + 1)[1:-1])
    return np.searchsorted(edges, values, side="right")


def _search_again(
    worker: CDNOD,
    table: Table,
    labels: Any,
    codes: np.ndarray,
    groups: Mapping[str, Sequence[str]] | None,
    resampling: str,
    seed: Any,
) -> tuple[np.ndarray, tuple[str, ...], tuple[str, ...]]:
    import pandas as pd

    generator = np.random.default_rng(seed)
    drawn = []
    for code in np.unique(codes):
        members = np.flatnonzero(codes == code)
        if resampling == "bootstrap":
            drawn.append(generator.choice(members, len(members)))
        else:
            drawn.append(generator.choice(members, max(1, len(members) // 2), replace=False))
    rows = np.concatenate(drawn)
    part = table.take(rows)
    frame = pd.DataFrame({column.name: column.labels() for column in part})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ShiftlabWarning)
        result = clone(worker).fit(frame, environment=labels[rows], groups=groups).result_
    return result.graph.marks, result.graph.nodes, result.changing


def _count(
    whole: DiscoveryResult,
    results: list[tuple[np.ndarray, tuple[str, ...], tuple[str, ...]]],
    resampling: str,
) -> BootstrapSupport:
    names = whole.graph.nodes
    total = len(results)
    shares = np.zeros((3, len(names), len(names)))
    for marks, nodes, _ in results:
        place = np.array([names.index(node) for node in nodes])
        pair = np.ix_(place, place)
        shares[0][pair] += marks > 0
        shares[1][pair] += (marks == 2) & (marks.T == 1)
        shares[2][pair] += (marks == 1) & (marks.T == 1)
    shares /= total
    pairs = []
    for i, a in enumerate(names):
        for j, b in enumerate(names[i + 1 :], i + 1):
            edge = whole.graph.edge(a, b)
            if shares[0, i, j] or edge:
                joined, forward, backward, undirected = (
                    float(shares[k]) for k in ((0, i, j), (1, i, j), (1, j, i), (2, i, j))
                )
                text = str(edge) if edge else ""
                pairs.append(EdgeSupport(a, b, joined, forward, backward, undirected, text))
    pairs.sort(key=lambda p: -p.edge)
    changing = {name: sum(name in c for _, _, c in results) / total for name in names}
    return BootstrapSupport(whole.graph, tuple(pairs), changing, total, resampling)
