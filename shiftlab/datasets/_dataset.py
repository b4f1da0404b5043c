"""What every loader returns: a table together with what is known about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shiftlab._core.results import Result, to_plain
from shiftlab.exceptions import InputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Dataset"]

#: Roles whose columns a model must not use as covariates.
NOT_COVARIATES = frozenset({"target", "decision", "score", "id", "leak", "weight", "bookkeeping"})


@dataclass(frozen=True, repr=False, eq=False)
class Dataset(Result):
    """A data set and its documentation.

    Attributes
    ----------
    name, table : str
        Name in the registry, and which of the set's tables this is.
    frame : data frame
        The table; pandas unless another library was asked for.
    target : str or None
        Column to predict or explain.
    environment : str or None
        Column that says which environment a row comes from. Further columns that can serve have
        the role "environment" in `roles`.
    sensitive_features : tuple of str
        Columns with protected attributes.
    decision : str or None
        Column with a decision of a model or of a person.
    roles : mapping of str to str
        Role of each column: "feature", "target", "environment", "sensitive", "decision", "score",
        "time", "weight", "id", "leak" (known only after the decision or outcome), "bookkeeping".
    columns : mapping of str to str
        Meaning of the columns that do not explain themselves.
    extras : mapping of str to object
        Companion tables (same library as `frame`) or arrays.
    truth : mapping or None
        What is known about the generating process, for example "edges" of the causal graph.
    description : str
        The data set's card: provenance, population, intended and unsuitable uses, caveats.
    licence, source, citation, version : str
        Provenance.

    Examples
    --------
    >>> from shiftlab.datasets import Dataset
    >>> import pandas as pd
    >>> data = Dataset("toy", "toy", pd.DataFrame({"x": [1, 2], "y": [0, 1]}), target="y")
    >>> data.X
       x
    0  1
    1  2
    >>> data
    Dataset 'toy': 2 rows, 2 columns, target 'y'
    """

    name: str
    table: str
    frame: Any
    target: str | None = None
    environment: str | None = None
    sensitive_features: tuple[str, ...] = ()
    decision: str | None = None
    roles: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    extras: Mapping[str, Any] = field(default_factory=dict)
    truth: Mapping[str, Any] | None = None
    description: str = ""
    licence: str = ""
    source: str = ""
    citation: str = ""
    version: str = ""

    @property
    def X(self) -> Any:
        """The covariates: environment and sensitive columns stay, outcomes and identifiers go."""
        unused = {name for name, role in self.roles.items() if role in NOT_COVARIATES}
        unused |= {name for name in (self.target, self.decision) if name is not None}
        kept = [name for name in self._column_names() if name not in unused]
        return self.frame.select(kept) if hasattr(self.frame, "select") else self.frame[kept]

    @property
    def y(self) -> Any:
        """The target column.

        Raises
        ------
        InputError
            If the data set has no target.
        """
        if self.target is None:
            raise InputError(
                f"Data set {self.name!r} has no target. Choose a column of .frame yourself."
            )
        return self.frame[self.target]

    def to_frame(self) -> "pd.DataFrame":
        """Return the table as a pandas data frame, whatever library `frame` is of."""
        import narwhals.stable.v2 as nw

        return nw.from_native(self.frame, eager_only=True).to_pandas()

    def to_dict(self) -> dict[str, Any]:
        """Return the documentation, without the rows, as JSON types."""
        skipped = ("frame", "extras")
        shown = {k: to_plain(v) for k, v in vars(self).items() if k not in skipped}
        return {**shown, "rows": len(self.frame), "column_names": self._column_names()}

    def __repr__(self) -> str:
        parts = [f"{len(self.frame):,} rows", f"{len(self._column_names())} columns"]
        for label in ("target", "environment", "decision"):
            if getattr(self, label) is not None:
                parts.append(f"{label} {getattr(self, label)!r}")
        if self.sensitive_features:
            parts.append(f"sensitive {', '.join(map(repr, self.sensitive_features))}")
        which = "" if self.table == self.name else f" ({self.table})"
        return f"Dataset {self.name!r}{which}: {', '.join(parts)}"

    def _column_names(self) -> list[str]:
        frame = self.frame
        return list(frame.column_names if hasattr(frame, "column_names") else frame.columns)
