"""Nodes of a structural causal model: a mechanism, a noise, and whether it is observed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import networkx as nx
import numpy as np

from shiftlab.exceptions import InputError
from shiftlab.simulation._discrete import Categorical, Threshold
from shiftlab.simulation._functions import Function
from shiftlab.simulation._mechanisms import Additive, Fixed, Mechanism
from shiftlab.simulation._noise import Noise
from shiftlab.simulation._spec import Spec, check_choice

__all__ = ["Node", "graph_of", "intervened", "plain_label"]


@dataclass(frozen=True, repr=False)
class Node(Spec):
    """One variable of a `StructuralModel`.

    Parameters
    ----------
    mechanism : Mechanism, Function or None
        A function means `Additive` with that mean; None means a root that equals its noise.
    noise : Noise, optional
        Exogenous noise; by default standard normal (`Additive`), standard logistic (`Threshold`),
        Gumbel (`Categorical`).
    hidden : bool, default False
        Leave the variable out of the observed table.

    Examples
    --------
    >>> from shiftlab.simulation import Linear, Uniform
    >>> Node(Linear({"A": 1.5}), noise=Uniform()).parents
    ('A',)
    """

    mechanism: Mechanism | Function | None = None
    noise: Noise | None = None
    hidden: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.mechanism, (Mechanism, Function, type(None))):
            raise InputError(
                "mechanism must be a Mechanism, a Function or None, found "
                f"{type(self.mechanism).__name__}. Wrap a Python function in Custom."
            )
        if not isinstance(self.noise, (Noise, type(None))):
            raise InputError(f"noise must be a Noise, found {type(self.noise).__name__}.")
        if isinstance(self.mechanism, Categorical) and self.noise is not None:
            raise InputError("noise: a Categorical draws its own Gumbel noise; leave noise out.")

    @property
    def law(self) -> Mechanism:
        """The mechanism, with the shorthands spelt out."""
        if self.mechanism is None:
            return Additive()
        return Additive(self.mechanism) if isinstance(self.mechanism, Function) else self.mechanism

    @property
    def distribution(self) -> Noise | None:
        """The noise, with the default spelt out."""
        return self.law.default_noise if self.noise is None else self.noise

    @property
    def parents(self) -> tuple[str, ...]:
        """Names of the direct causes."""
        return self.law.parents

    def replaced(self, mechanism: Mechanism | Function) -> "Node":
        """Return the node with another mechanism; a function keeps the kind of the old one."""
        if isinstance(mechanism, Function) and isinstance(self.law, (Additive, Threshold)):
            return replace(self, mechanism=replace(self.law, function=mechanism))
        return replace(self, mechanism=mechanism)


def graph_of(nodes: Mapping[str, Node]) -> nx.DiGraph:
    """Return the graph of a set of nodes."""
    graph = nx.DiGraph()
    for name, node in nodes.items():
        graph.add_node(name, hidden=node.hidden)
    for name, node in nodes.items():
        for parent in node.parents:
            check_choice(parent, list(nodes), f"parents of {name!r}")
            graph.add_edge(parent, name)
    return graph


def intervened(node: Node, action: Any, name: str) -> Node:
    """Return a node under an intervention."""
    if isinstance(action, Node):
        return replace(action, hidden=node.hidden)
    if isinstance(action, (Mechanism, Function)):
        return node.replaced(action)
    if np.ndim(action) != 0:
        raise InputError(
            f"interventions: {name!r} is set to {np.size(action)} values, expected one. "
            "One value per row is possible in counterfactual."
        )
    # The noise is kept, so that the intervention can be undone for the same rows.
    return replace(node, mechanism=Fixed(plain_label(action)), noise=node.distribution)


def plain_label(label: Any) -> Any:
    """Return a NumPy scalar as a plain Python one; anything else as it is."""
    return label.item() if isinstance(label, np.generic) else label
