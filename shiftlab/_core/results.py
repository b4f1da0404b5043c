"""What every result can do: plain dictionaries, canonical JSON without NaN, an HTML table."""

import json
import math
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Result", "canonical_json", "to_plain"]

#: A notebook shows this many rows of a table and says how many there are.
MOST_HTML_ROWS = 60


def to_plain(value: Any) -> Any:
    """Reduce a value to JSON types: NaN and infinities become None, arrays become lists.

    Parameters
    ----------
    value : object
        Dataclass, mapping, sequence, NumPy array or scalar, date, or a JSON scalar.

    Returns
    -------
    object
        Nested dictionaries, lists, strings, numbers, booleans and None.
    """
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, (np.bool_, np.integer)):
        return value.item()
    if isinstance(value, int):
        return value
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, np.ndarray):
        return [to_plain(item) for item in value.tolist()]
    if isinstance(value, (np.datetime64, datetime, date)):
        return str(value)
    if hasattr(value, "to_dict") and not isinstance(value, type):
        return to_plain(value.to_dict())
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, dict):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset, range)):
        return [to_plain(item) for item in value]
    return str(value)


def canonical_json(value: Any, *, indent: int | None = None) -> str:
    """Serialise with sorted keys and no NaN: equal results give equal bytes."""
    separators = (",", ":") if indent is None else (",", ": ")
    return json.dumps(
        to_plain(value),
        sort_keys=True,
        allow_nan=False,
        ensure_ascii=False,
        indent=indent,
        separators=separators,
    )


class Result:
    """Base of the frozen dataclasses that functions return.

    A child implements `to_frame`; dictionaries, JSON and the notebook table follow from it and
    from the fields.
    """

    def to_frame(self) -> "pd.DataFrame":
        """Return the result as a pandas data frame, one row per reported quantity."""
        import pandas as pd

        return pd.DataFrame([self.to_dict()])

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON types; NaN becomes None."""
        return {f.name: to_plain(getattr(self, f.name)) for f in fields(self)}  # type: ignore[arg-type]

    def to_json(self, *, indent: int | None = None) -> str:
        """Return canonical JSON: sorted keys, no NaN."""
        return canonical_json(self.to_dict(), indent=indent)

    def _repr_html_(self) -> str:
        frame = self.to_frame()
        html = frame.to_html(
            escape=True,
            border=0,
            index=False,
            max_rows=MOST_HTML_ROWS,
            show_dimensions=len(frame) > MOST_HTML_ROWS,
        )
        return str(html)
