"""Text that tells a time: numbers, or dates as ISO 8601 writes them, months and years among them."""

import numpy as np

from shiftlab._core.columns import Column

__all__ = ["read_text_times"]


def read_text_times(column: Column) -> Column:
    """Read the labels of a column as numbers or dates.

    Parameters
    ----------
    column : Column
        Categorical, without missing cells.

    Returns
    -------
    Column
        Of kind "numeric", or "datetime" (days since 1970-01-01) if the labels are dates such as
        "2024", "2024-05" or "2024-05-17".

    Raises
    ------
    ValueError
        If a label is neither, or no finite number.
    """
    labels = [str(label) for label in column.categories]
    try:
        kind, values = "numeric", np.array([float(label) for label in labels])
    except ValueError:
        kind, values = "datetime", np.array(labels, dtype="datetime64[D]").astype(float)
    if not np.isfinite(values).all():
        raise ValueError("labels that are no finite time")
    return Column(column.name, kind, values[column.values])  # type: ignore[arg-type]
