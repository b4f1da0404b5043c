"""Fitted models on disk, through skops: a file is read type by type and never unpickled."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shiftlab._core.optional import import_optional
from shiftlab.exceptions import InputError

__all__ = ["load_model", "save_model"]

#: Types of these libraries are read without being named by the caller.
KNOWN = ("shiftlab.", "sklearn.", "numpy.", "scipy.")
PURPOSE = "Saving and loading models"


def save_model(model: Any, path: str | Path) -> Path:
    """Write a fitted model to a skops file.

    Parameters
    ----------
    model : estimator
        Fitted; everything in it must be of a type that skops can write.
    path : str or Path
        File to write, by custom with the ending ``.skops``.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    MissingDependencyError
        If skops is not installed.
    """
    io = import_optional("skops.io", extra="persist", purpose=PURPOSE)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    io.dump(model, path)
    return path


def load_model(path: str | Path, *, trusted: Sequence[str] = ()) -> Any:
    """Read a model that `save_model` (or skops) wrote; nothing in the file is executed.

    Parameters
    ----------
    path : str or Path
        The file.
    trusted : sequence of str, default ()
        Further types, by dotted name, that the file may hold.

    Returns
    -------
    estimator

    Raises
    ------
    InputError
        If the file does not exist, is no skops file, or holds types that are not trusted.
    MissingDependencyError
        If skops is not installed.
    """
    io = import_optional("skops.io", extra="persist", purpose=PURPOSE)
    path = Path(path)
    if not path.is_file():
        raise InputError(f"model: there is no file {path}.")
    try:
        found = io.get_untrusted_types(file=path)
    except Exception as error:
        raise InputError(
            f"model: {path} is not a skops file ({type(error).__name__}). Pickle files are not "
            "read; save the model with shiftlab or with skops.io.dump."
        ) from error
    unknown = [t for t in found if not t.startswith(KNOWN) and t not in trusted]
    if unknown:
        raise InputError(
            f"model: {path} holds types that are not trusted: {', '.join(unknown)}. Name them as "
            "trusted if you know where the file comes from."
        )
    return io.load(path, trusted=found)
