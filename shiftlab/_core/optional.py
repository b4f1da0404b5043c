"""Imports of optional libraries, with an error that names the extra to install."""

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from shiftlab.exceptions import MissingDependencyError

__all__ = ["import_optional", "is_installed"]


def is_installed(module: str) -> bool:
    """Tell whether a top-level module can be imported, without importing it."""
    return find_spec(module.split(".")[0]) is not None


def import_optional(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Import a module that only an extra of shiftlab installs.

    Parameters
    ----------
    module : str
        Dotted name of the module.
    extra : str
        Name of the extra that brings it.
    purpose : str
        What needs it, to complete the sentence "... needs the library ...".

    Returns
    -------
    module
        The imported module.

    Raises
    ------
    MissingDependencyError
        If the library is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        library = module.split(".")[0]
        raise MissingDependencyError(
            f"{purpose} needs the library '{library}', which is not installed. "
            f"Install it with: pip install 'shiftlab[{extra}]'"
        ) from error
