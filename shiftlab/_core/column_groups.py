"""Columns that form one variable together."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from shiftlab._core.frames import Table
from shiftlab._core.names import join_names
from shiftlab.exceptions import InputError

__all__ = ["Groups", "group_columns", "read_groups"]

#: Columns by the name of the variable that they form together.
Groups: TypeAlias = Mapping[str, tuple[str, ...]]


def read_groups(groups: Any, table: Table) -> Groups:
    """Check which columns form one variable together.

    Parameters
    ----------
    groups : mapping of str to sequence of str, or None
        Columns by the name of the variable.
    table : Table
        Where the columns are.

    Returns
    -------
    dict of str to tuple of str

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
                raise InputError(f"groups: column {member!r} is in two groups.")
            owner[member] = str(name)
    clash = [name for name in found if name in table.names and owner.get(name) != name]
    if clash:
        raise InputError(f"groups: {join_names(clash)} is also the name of another column.")
    return found


def group_columns(columns: Sequence[str], groups: Groups) -> dict[str, tuple[str, ...]]:
    """Return the columns of each variable, which stands where the first of them stands.

    Parameters
    ----------
    columns : sequence of str
        All columns, or some.
    groups : mapping of str to tuple of str
        As `read_groups` returns it; every other column is a variable of its own.

    Returns
    -------
    dict of str to tuple of str
    """
    owner = {member: name for name, members in groups.items() for member in members}
    found: dict[str, tuple[str, ...]] = {}
    for column in columns:
        name = owner.get(column, column)
        found[name] = (*found.get(name, ()), column)
    return found
