"""What is known before any data is seen: order in time, edges that must or cannot be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shiftlab._core.names import join_names
from shiftlab._core.results import Result
from shiftlab.exceptions import InputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Knowledge"]

Pair = tuple[str, str]
_KEYS = ("tiers", "closed_tiers", "required", "forbidden", "changing", "unchanging")


@dataclass(frozen=True, repr=False)
class Knowledge(Result):
    """Background knowledge about a causal graph.

    Parameters
    ----------
    tiers : sequence of sequence of str, default ()
        Variables by order in time: nothing in a later tier causes anything in an earlier one.
        Variables that are in no tier are free.
    closed_tiers : sequence of int, default ()
        Positions of tiers (from 0) inside which there are no edges.
    required : sequence of pair of str, default ()
        ``(cause, effect)``: this edge exists.
    forbidden : sequence of pair of str, default ()
        ``(a, b)``: a is no direct cause of b. Forbid both directions to rule the edge out.
    changing, unchanging : sequence of str, default ()
        Variables whose mechanism is known to differ between environments, or known not to.

    Raises
    ------
    InputError
        If the statements contradict each other.

    Examples
    --------
    >>> from shiftlab.graphs import Knowledge
    >>> known = Knowledge(tiers=[["age"], ["dose", "risk"]], forbidden=[("risk", "dose")])
    >>> known.may_cause("dose", "age"), known.may_cause("age", "dose")
    (False, True)
    >>> known.decided("dose", "risk")
    ('dose', 'risk')
    """

    tiers: tuple[tuple[str, ...], ...] = ()
    closed_tiers: tuple[int, ...] = ()
    required: tuple[Pair, ...] = ()
    forbidden: tuple[Pair, ...] = ()
    changing: tuple[str, ...] = ()
    unchanging: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        set_field = object.__setattr__
        for name in ("required", "forbidden"):
            set_field(self, name, tuple(_pair(pair, name) for pair in getattr(self, name)))
        for name in ("changing", "unchanging"):
            set_field(self, name, _names(getattr(self, name), name))
        set_field(self, "tiers", tuple(_names(tier, "tiers") for tier in self.tiers))
        set_field(self, "closed_tiers", tuple(int(i) for i in self.closed_tiers))
        self._check()

    def __reduce__(self) -> tuple[Any, ...]:
        # What was computed on demand does not travel.
        return Knowledge, tuple(getattr(self, key) for key in _KEYS)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Knowledge":
        """Read knowledge from a mapping with the names of the parameters as keys."""
        if not isinstance(document, Mapping):
            raise InputError(f"knowledge must be a mapping with the keys {join_names(_KEYS)}.")
        unknown = set(document) - set(_KEYS)
        if unknown:
            raise InputError(
                f"knowledge: unknown key(s) {join_names(sorted(unknown))}; "
                f"known ones are {join_names(_KEYS)}."
            )
        return cls(**document)

    @classmethod
    def from_file(cls, path: str | Path) -> "Knowledge":
        """Read knowledge from a ``.json`` or ``.toml`` file, or from Tetrad's text format."""
        from shiftlab.graphs._knowledge_files import read_knowledge

        return cls.from_dict(read_knowledge(Path(path)))

    @property
    def names(self) -> tuple[str, ...]:
        """Every variable that is spoken of."""
        groups = [*self.tiers, *self.required, *self.forbidden, self.changing, self.unchanging]
        return tuple(dict.fromkeys(name for group in groups for name in group))

    def may_cause(self, a: str, b: str) -> bool:
        """Tell whether an edge ``a -> b`` is compatible with the knowledge."""
        if (a, b) in self._forbidden or (b, a) in self._required:
            return False
        tier_a, tier_b = self._tier.get(a), self._tier.get(b)
        if tier_a is None or tier_b is None:
            return True
        return tier_a < tier_b or (tier_a == tier_b and tier_a not in self.closed_tiers)

    def may_join(self, a: str, b: str) -> bool:
        """Tell whether there may be an edge at all."""
        return self.may_cause(a, b) or self.may_cause(b, a)

    def must_join(self, a: str, b: str) -> bool:
        """Tell whether there must be an edge."""
        return (a, b) in self._required or (b, a) in self._required

    def decided(self, a: str, b: str) -> Pair | None:
        """Return (cause, effect) if the direction of an edge would be known, else None."""
        forward, backward = self.may_cause(a, b), self.may_cause(b, a)
        if forward == backward:
            return None
        return (a, b) if forward else (b, a)

    def check_names(self, names: Sequence[str]) -> None:
        """Check that every variable spoken of is among the names.

        Raises
        ------
        InputError
            If one is not.
        """
        unknown = [name for name in self.names if name not in names]
        if unknown:
            raise InputError(
                f"knowledge speaks of {join_names(unknown)}, which the table does not have; "
                f"its variables are {join_names(names, 12)}."
            )

    def to_frame(self) -> "pd.DataFrame":
        """Return the statements as a data frame, one row each."""
        import pandas as pd

        rows = [(f"tier {i}", name, "") for i, tier in enumerate(self.tiers) for name in tier]
        rows += [("closed tier", str(i), "") for i in self.closed_tiers]
        rows += [("required", *pair) for pair in self.required]
        rows += [("forbidden", *pair) for pair in self.forbidden]
        rows += [("changing", name, "") for name in self.changing]
        rows += [("unchanging", name, "") for name in self.unchanging]
        return pd.DataFrame(rows, columns=["statement", "variable", "effect"])

    def __repr__(self) -> str:
        parts = [f"{len(self.tiers)} tiers"] if self.tiers else []
        for name in ("required", "forbidden", "changing", "unchanging"):
            found = getattr(self, name)
            parts += [f"{len(found)} {name}"] if found else []
        return f"Knowledge({', '.join(parts) or 'nothing'})"

    @cached_property
    def _tier(self) -> dict[str, int]:
        return {name: i for i, tier in enumerate(self.tiers) for name in tier}

    @cached_property
    def _required(self) -> frozenset[Pair]:
        return frozenset(self.required)

    @cached_property
    def _forbidden(self) -> frozenset[Pair]:
        return frozenset(self.forbidden)

    def _check(self) -> None:
        listed = [name for tier in self.tiers for name in tier]
        twice = {name for name in listed if listed.count(name) > 1}
        if twice:
            raise InputError(f"knowledge: {join_names(sorted(twice))} stands in two tiers.")
        if any(not 0 <= i < len(self.tiers) for i in self.closed_tiers):
            raise InputError("knowledge: closed_tiers names a tier that does not exist.")
        for a, b in self.required:
            if not self.may_cause(a, b):
                raise InputError(
                    f"knowledge contradicts itself: {a} -> {b} is required, but a tier, a "
                    "forbidden edge or another required one rules it out."
                )
        cycle = _cycle(self.required)
        if cycle:
            raise InputError(
                f"knowledge contradicts itself: required edges form a cycle through "
                f"{join_names(cycle)}."
            )
        both = set(self.changing) & set(self.unchanging)
        if both:
            raise InputError(
                f"knowledge contradicts itself: {join_names(sorted(both))} is said to change and "
                "not to change."
            )


def _pair(pair: Any, field: str) -> Pair:
    names = _names(pair, field)
    if len(names) != 2 or names[0] == names[1]:
        raise InputError(f"knowledge: {field} needs pairs (cause, effect), found {pair!r}.")
    return names[0], names[1]


def _names(values: Any, field: str) -> tuple[str, ...]:
    if isinstance(values, str):
        raise InputError(f"knowledge: {field} needs a list of names, found the text {values!r}.")
    return tuple(str(value) for value in values)


def _cycle(pairs: Sequence[Pair]) -> list[str]:
    """Return the nodes left when sources are taken away again and again."""
    left = {name for pair in pairs for name in pair}
    while left:
        sources = {n for n in left if not any(b == n and a in left for a, b in pairs)}
        if not sources:
            return sorted(left)
        left -= sources
    return []
