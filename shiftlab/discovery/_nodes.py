"""Nodes of the graph: a column each, or several columns that are one variable together."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from shiftlab._core.frames import Table
from shiftlab._core.names import join_names
from shiftlab.exceptions import InputError

__all__ = ["Groups", "nodes_of", "read_groups", "with_past"]

#: Columns by the name of the node that they form together.
Groups: TypeAlias = Mapping[str, tuple[str, ...]]


def read_groups(groups: Any, table: Table) -> Groups:
    """Check which columns form one variable together.

    Raises
    ------
    InputError
        If a column is unknown or in two groups, or a group is empty or named like another column.
    """
    found: dict[str, tuple[str, ...]] = {}
    if groups is None:
        return found
    if not isinstance(groups, Mapping):
        raise InputError(
            "groups must be a mapping from the name of a variable to its columns, found "
            f"{type(groups).__name__}."
        )
    owner: dict[str, str] = {}
    for name, members in groups.items():
        if isinstance(members, str) or not len(members):
            raise InputError(f"groups: {name!r} must name at least one column, in a list.")
        found[str(name)] = tuple(table[str(member)].name for member in members)
        for member in found[str(name)]:
            if member in owner:
                raise InputError(f"groups: column {member!r} is in {owner[member]!r} already.")
            owner[member] = str(name)
    clash = [name for name in found if name in table.names and owner.get(name) != name]
    if clash:
        raise InputError(f"groups: {join_names(clash)} is also the name of another column.")
    return found


def with_past(groups: Groups, lags: int) -> Groups:
    """Add the groups of the columns of earlier rows."""
    past = {
        f"{name}[t-{lag}]": tuple(f"{member}[t-{lag}]" for member in members)
        for lag in range(1, lags + 1)
        for name, members in groups.items()
    }
    return {**groups, **past}


def nodes_of(columns: Sequence[str], groups: Groups) -> dict[str, tuple[str, ...]]:
    """Return the columns of each node; a node stands where the first of its columns stands."""
    owner = {member: name for name, members in groups.items() for member in members}
    found: dict[str, tuple[str, ...]] = {}
    for column in columns:
        node = owner.get(column, column)
        found[node] = (*found.get(node, ()), column)
    return found
