"""Structural causal models as data: nodes, environments, interventions."""

import json
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

import networkx as nx
import numpy as np

from shiftlab._core.random import RandomState
from shiftlab.exceptions import InputError
from shiftlab.simulation._checks import (
    as_shifts,
    check_indicators,
    check_names,
    check_row_shifts,
)
from shiftlab.simulation._mechanisms import Additive
from shiftlab.simulation._node import Node, graph_of, intervened, plain_label
from shiftlab.simulation._shifts import NodeShift, Shift
from shiftlab.simulation._spec import Spec, check_choice

if TYPE_CHECKING:
    import pandas as pd

    from shiftlab.simulation._sampling import SimulatedData

__all__ = ["StructuralModel"]


@dataclass(frozen=True, repr=False)
class StructuralModel(Spec):
    """A structural causal model whose mechanisms may differ between environments.

    Parameters
    ----------
    nodes : mapping of str to Node
        The variables; the order is that of the columns and otherwise free.
    environments : mapping of label to sequence of Shift, optional
        What each environment changes, applied in order; an empty sequence is the model itself. By
        default one environment named ``"base"``.
    environment_name : str, default "environment"
        Name of the environment column in sampled tables.
    interventions : mapping of str to value, Mechanism, Function or Node, optional
        What is done to variables in every environment, after its shifts; see `do`.

    Raises
    ------
    InputError
        If a parent or a shifted variable does not exist, the graph has a cycle, or a shift does
        not fit its mechanism.

    References
    ----------
    .. [1] Pearl (2009), "Causality", chapter 7.

    Examples
    --------
    >>> from shiftlab.simulation import Gaussian, Linear, MeanShift, Node, StructuralModel
    >>> model = StructuralModel(
    ...     {"C": Node(), "X": Node(Linear({"C": 2.0}), Gaussian(0.5))},
    ...     environments={"north": [], "south": [MeanShift("X", 1.0)]},
    ... )
    >>> model
    StructuralModel with 2 variables and 2 environments
      C := Gaussian()
      X := Linear(coefficients={'C': 2.0}), Gaussian(scale=0.5)
      in 'north': nothing changes
      in 'south': MeanShift(node='X', by=1.0)
    >>> data = model.sample(100, random_state=0)
    >>> data.frame.shape
    (200, 3)
    >>> StructuralModel.from_json(model.to_json()) == model
    True
    """

    nodes: Mapping[str, Node]
    environments: Mapping[Any, tuple[Shift, ...]] = field(default_factory=dict)
    environment_name: str = "environment"
    interventions: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_names(self.nodes, self.environment_name)
        listed = self.environments or {"base": ()}
        shifts = {plain_label(k): as_shifts(v, k) for k, v in listed.items()}
        object.__setattr__(self, "environments", shifts)
        for label in shifts:
            self.order(label)
            check_row_shifts(shifts[label], label, self.nodes)
            check_indicators(self.nodes_in(label))

    @property
    def observed(self) -> tuple[str, ...]:
        """Names of the variables that a sampled table shows."""
        return tuple(name for name, node in self.nodes.items() if not node.hidden)

    @property
    def hidden(self) -> tuple[str, ...]:
        """Names of the variables that a sampled table leaves out."""
        return tuple(name for name, node in self.nodes.items() if node.hidden)

    def nodes_in(self, environment: Hashable) -> dict[str, Node]:
        """Return the nodes of one environment, with its shifts and all interventions applied.

        Raises
        ------
        InputError
            If the environment does not exist.
        """
        label = self.check_environment(environment)
        nodes = dict(self.nodes)
        for shift in self.environments[label]:
            if isinstance(shift, NodeShift):
                check_choice(shift.node, list(nodes), f"{type(shift).__name__} in {label!r}")
                try:
                    nodes[shift.node] = shift.apply(nodes[shift.node])
                except InputError as error:
                    raise InputError(f"environments: {shift!r} in {label!r}: {error}") from error
        return self._after_interventions(nodes)

    def order(self, environment: Hashable) -> tuple[str, ...]:
        """Return the names of the variables, causes first, in one environment.

        Raises
        ------
        InputError
            If the environment does not exist, a parent does not exist, or there is a cycle.
        """
        graph = graph_of(self.nodes_in(environment))
        try:
            return tuple(nx.topological_sort(graph))
        except nx.NetworkXUnfeasible as error:
            cycle = [a for a, _ in nx.find_cycle(graph)]
            path = " -> ".join([*cycle, cycle[0]])
            raise InputError(
                f"nodes: the graph has a cycle in environment {environment!r}: {path}. "
                "Remove one of these edges."
            ) from error

    def graph(
        self, environment: Hashable | None = None, *, environment_node: bool = False
    ) -> nx.DiGraph:
        """Return the causal graph over observed and hidden variables.

        Parameters
        ----------
        environment : label, optional
            Graph of one environment; by default the union over all environments.
        environment_node : bool, default False
            Add a node named `environment_name` that points to the changing variables.

        Returns
        -------
        networkx.DiGraph
            Nodes carry ``hidden`` (bool).
        """
        labels = list(self.environments) if environment is None else [environment]
        graph: nx.DiGraph = nx.compose_all([graph_of(self.nodes_in(label)) for label in labels])
        if environment_node:
            graph.add_node(self.environment_name, hidden=False)
            graph.add_edges_from((self.environment_name, n) for n in self.changing_variables())
        return graph

    def changed_variables(self, environment: Hashable) -> tuple[str, ...]:
        """Return the variables whose mechanism or noise differs from the model's own.

        `Selection` and `Missingness` change which rows and cells are seen, not a mechanism.
        """
        nodes = self.nodes_in(environment)
        base = self._after_interventions(self.nodes)
        return tuple(name for name in self.nodes if nodes[name] != base[name])

    def changing_variables(self) -> tuple[str, ...]:
        """Return the variables whose mechanism or noise is not the same in all environments."""
        first, *others = [self.nodes_in(label) for label in self.environments]
        return tuple(n for n in self.nodes if any(other[n] != first[n] for other in others))

    def with_environments(self, environments: Mapping[Any, Iterable[Shift]]) -> Self:
        """Return the model with other environments."""
        return replace(self, environments={k: tuple(v) for k, v in environments.items()})

    def do(self, interventions: Mapping[str, Any]) -> Self:
        """Return the model under an intervention, in every environment.

        Parameters
        ----------
        interventions : mapping of str to value, Mechanism, Function or Node
            A value is a hard intervention; a mechanism or function replaces that of each
            environment and keeps its noise; a `Node` brings its own.

        Returns
        -------
        StructuralModel

        Examples
        --------
        >>> from shiftlab.simulation import Linear, Node, StructuralModel
        >>> model = StructuralModel({"X": Node(), "Y": Node(Linear({"X": 3.0}))})
        >>> data = model.do({"X": 2.0}).sample(4, random_state=0)
        >>> data.frame["X"].tolist()
        [2.0, 2.0, 2.0, 2.0]
        """
        return replace(self, interventions={**self.interventions, **interventions})

    def sample(
        self, n_rows: int | Mapping[Any, int], *, random_state: RandomState = None
    ) -> "SimulatedData":
        """Draw a table.

        Every node and environment has its own child seed, made from its name: adding a node or an
        environment leaves the noise of all others as it was.

        Parameters
        ----------
        n_rows : int or mapping of label to int
            Rows of each environment, or of the named environments only.
        random_state : int, SeedSequence, Generator or None
            Seed.

        Returns
        -------
        SimulatedData

        Raises
        ------
        InputError
            If a number of rows is not positive, an environment does not exist, a value is not
            finite, or a selection keeps almost nothing.
        """
        from shiftlab.simulation._sampling import sample

        return sample(self, n_rows, random_state)

    def abduct(
        self, frame: "pd.DataFrame", *, nodes: Iterable[str] | None = None
    ) -> dict[str, np.ndarray]:
        """Infer the exogenous noise of observed rows (all the parents must be in the table).

        Parameters
        ----------
        frame : DataFrame
            Rows, with the environment column if there are several environments.
        nodes : iterable of str, optional
            Variables wanted; all by default.

        Returns
        -------
        dict of str to ndarray of shape (n_rows,)

        Raises
        ------
        InputError
            If a mechanism is not invertible, a column is missing or a needed cell is missing.
        """
        from shiftlab.simulation._counterfactual import abduct

        return abduct(self, frame, list(self.nodes) if nodes is None else list(nodes))

    def counterfactual(self, data: Any, interventions: Mapping[str, Any]) -> Any:
        """Compute what would have been, for the same rows with the same exogenous noise.

        Only descendants of the intervention are computed anew; every other value stays as it was.

        Parameters
        ----------
        data : SimulatedData or DataFrame
            With simulated data the stored noise is used, which is exact for every mechanism. With
            a table the noise of the affected variables is inferred, which needs them invertible.
        interventions : mapping of str to value, array of shape (n_rows,), Mechanism or Function
            As in `do`; an array gives each row its own value.

        Returns
        -------
        SimulatedData or DataFrame
            As `data`, with the counterfactual values; missing cells are filled with what they
            would have been.

        Raises
        ------
        InputError
            As `abduct`.

        References
        ----------
        .. [1] Pearl (2009), "Causality", theorem 7.1.7: abduction, action, prediction.

        Examples
        --------
        >>> from shiftlab.simulation import Linear, Node, StructuralModel
        >>> model = StructuralModel({"X": Node(), "Y": Node(Linear({"X": 3.0}))})
        >>> data = model.sample(2, random_state=0)
        >>> other = model.counterfactual(data, {"X": data.full["X"] + 1})
        >>> (other.full["Y"] - data.full["Y"]).round(12).tolist()
        [3.0, 3.0]
        """
        from shiftlab.simulation._counterfactual import counterfactual

        return counterfactual(self, data, interventions)

    def plot(self, ax: Any = None) -> Any:
        """Draw the causal graph: hidden variables dashed, changing variables filled.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        matplotlib Axes
        """
        from shiftlab.simulation._plots import plot_model

        return plot_model(self, ax)

    def to_json(self, *, indent: int | None = None) -> str:
        """Return the model as JSON, from which `from_json` rebuilds it exactly."""
        return json.dumps(self.to_dict(), indent=indent, allow_nan=False, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Rebuild a model from `to_json`."""
        return cls.from_dict(json.loads(text))

    def __repr__(self) -> str:
        n, k = len(self.nodes), len(self.environments)
        lines = [f"StructuralModel with {n} variables and {k} environment{'s' * (k > 1)}"]
        lines += [_describe(name, node) for name, node in self.nodes.items()]
        lines += [f"  do {name} := {action!r}" for name, action in self.interventions.items()]
        for label, shifts in list(self.environments.items())[:12]:
            text = ", ".join(map(repr, shifts)) or "nothing changes"
            lines.append(f"  in {label!r}: {text}")
        return "\n".join(lines + [f"  and {k - 12} more environments"] * (k > 12))

    def check_environment(self, environment: Hashable) -> Any:
        """Return the label of an environment, or raise an error that suggests the nearest one."""
        return check_choice(plain_label(environment), list(self.environments), "environment")

    def _after_interventions(self, nodes: Mapping[str, Node]) -> dict[str, Node]:
        changed = dict(nodes)
        for name, action in self.interventions.items():
            check_choice(name, list(changed), "interventions")
            changed[name] = intervened(changed[name], action, name)
        return changed


def _describe(name: str, node: Node) -> str:
    law = node.law
    plain = isinstance(law, Additive) and law == Additive(law.function)
    shown = law.function if isinstance(law, Additive) and plain else law
    parts = [] if law == Additive() else [repr(shown)]
    parts += [repr(node.distribution)] if node.distribution is not None else []
    return f"  {name} := {', '.join(parts)}{'  (hidden)' if node.hidden else ''}"
