"""Errors and warnings of shiftlab; every error a user can cause derives from `ShiftlabError`.

A message names the argument, what was found (never a person's data), what was expected and,
where possible, the mend.
"""

__all__ = [
    "ColumnNotFoundError",
    "ConvergenceWarning",
    "DataNotFoundError",
    "DegenerateDataError",
    "DegenerateDataWarning",
    "InputError",
    "InputWarning",
    "MissingDependencyError",
    "NumericalWarning",
    "ShiftlabError",
    "ShiftlabWarning",
    "SmallSampleWarning",
    "TrivialFidelityWarning",
]


class ShiftlabError(Exception):
    """Base class of every error that shiftlab raises on purpose."""


class InputError(ShiftlabError, ValueError):
    """An argument or a table does not satisfy what a function needs."""


class ColumnNotFoundError(InputError, KeyError):
    """A column was named that the table does not have."""

    def __str__(self) -> str:
        # KeyError would show the repr of the message, quotes included.
        return str(self.args[0]) if self.args else ""


class DegenerateDataError(InputError):
    """The data cannot carry the computation: constant, duplicated, empty or too few rows."""


class MissingDependencyError(ShiftlabError, ImportError):
    """An optional library is needed; the message names the extra that installs it."""


class DataNotFoundError(ShiftlabError, OSError):
    """A data set is neither in the local folders nor can it be downloaded."""


class ShiftlabWarning(UserWarning):
    """Base class of every warning that shiftlab emits."""


class InputWarning(ShiftlabWarning):
    """The input was accepted, but probably does not mean what it says."""


class DegenerateDataWarning(ShiftlabWarning):
    """Part of the data carries no information and was set aside."""


class SmallSampleWarning(ShiftlabWarning):
    """There are too few rows for the stated guarantee."""


class NumericalWarning(ShiftlabWarning):
    """Rounding or conditioning limits the accuracy of the result."""


class ConvergenceWarning(NumericalWarning):
    """An iterative method stopped before it reached its tolerance."""


class TrivialFidelityWarning(InputWarning):
    """The explanation adds up to the prediction, so its error at the explained row is always 0."""
