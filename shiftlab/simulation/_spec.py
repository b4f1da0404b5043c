"""Models as data: frozen dataclasses that write themselves as JSON and read themselves back."""

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from difflib import get_close_matches
from typing import Any, ClassVar, Self

import numpy as np

from shiftlab._core.names import join_names
from shiftlab.exceptions import InputError

__all__ = ["Spec", "check_choice", "check_labels", "check_number", "decode", "encode"]

TYPE_KEY = "$type"
ITEMS_KEY = "$items"


@dataclass(frozen=True)
class Spec:
    """Base of every part of a structural causal model."""

    _types: ClassVar[dict[str, type["Spec"]]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        Spec._types[_type_name(cls)] = cls

    def to_dict(self) -> dict[str, Any]:
        """Return JSON types; fields that have their default value are left out.

        Raises
        ------
        InputError
            If a part is a Python callable, which is not data.
        """
        parts = {f.name: getattr(self, f.name) for f in fields(self)}
        defaults = {f.name: f.default for f in fields(self) if f.default is not MISSING}
        kept = {k: v for k, v in parts.items() if k not in defaults or not _same(v, defaults[k])}
        return {TYPE_KEY: _type_name(type(self)), **{k: encode(v) for k, v in kept.items()}}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Rebuild what `to_dict` wrote.

        Raises
        ------
        InputError
            If the dictionary does not describe an object of this class.
        """
        found = decode(data)
        if not isinstance(found, cls):
            raise InputError(f"data describes no {cls.__name__}, found {type(found).__name__}.")
        return found

    def __repr__(self) -> str:
        shown = [
            f"{f.name}={getattr(self, f.name)!r}"
            for f in fields(self)
            if f.default is MISSING or not _same(getattr(self, f.name), f.default)
        ]
        return f"{type(self).__name__}({', '.join(shown)})"


def _type_name(cls: type) -> str:
    # Classes from elsewhere get a longer name, so that they cannot take the place of ours.
    is_ours = cls.__module__.startswith("shiftlab.")
    return cls.__name__ if is_ours else f"{cls.__module__}.{cls.__qualname__}"


def encode(value: Any) -> Any:
    """Turn a part of a model into JSON types that `decode` reads back exactly."""
    if isinstance(value, Spec):
        return value.to_dict()
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Mapping):
        if all(isinstance(key, str) for key in value):
            return {key: encode(item) for key, item in value.items()}
        return {ITEMS_KEY: [[encode(key), encode(item)] for key, item in value.items()]}
    if isinstance(value, (list, tuple)):
        return [encode(item) for item in value]
    what = "a Python callable" if callable(value) else f"a {type(value).__name__}"
    raise InputError(
        f"The model contains {what}, which cannot be written as data. "
        "Replace it by one of the named functions (Linear, Nonlinear, Branch, GaussianProcess)."
    )


def decode(value: Any) -> Any:
    """Read what `encode` wrote; lists become tuples."""
    if isinstance(value, Mapping):
        if ITEMS_KEY in value:
            return {decode(key): decode(item) for key, item in value[ITEMS_KEY]}
        if TYPE_KEY not in value:
            return {key: decode(item) for key, item in value.items()}
        name = value[TYPE_KEY]
        check_choice(name, list(Spec._types), TYPE_KEY)
        parts = {key: decode(item) for key, item in value.items() if key != TYPE_KEY}
        try:
            return Spec._types[name](**parts)
        except TypeError as error:
            raise InputError(f"{name} cannot be read from its dictionary: {error}.") from error
    if isinstance(value, (list, tuple)):
        return tuple(decode(item) for item in value)
    return value


def check_choice(name: Any, available: Sequence[Any], argument: str) -> Any:
    """Check that a name exists; the error suggests the nearest one."""
    if name in available:
        return name
    near = get_close_matches(str(name), [str(a) for a in available], n=1, cutoff=0.6)
    hint = f"Did you mean {near[0]!r}?" if near else f"There are: {join_names(available, 12)}."
    raise InputError(f"{argument}: there is no {name!r}. {hint}")


def check_number(
    value: Any,
    argument: str,
    *,
    minimum: float = -np.inf,
    exclusive: bool = False,
) -> None:
    """Check that a value is a finite number, not below (or above, if exclusive) a minimum."""
    is_number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    if not is_number or not np.isfinite(value):
        raise InputError(f"{argument} must be a finite number, found {value!r}.")
    if value < minimum or (exclusive and value == minimum):
        relation = "above" if exclusive else "at least"
        raise InputError(f"{argument} must be {relation} {minimum:g}, found {value!r}.")


def check_labels(labels: Sequence[Any], argument: str) -> None:
    """Check that labels are all text or all numbers, so that one array can hold them."""
    kinds = {str if isinstance(label, str) else float for label in labels}
    if not all(isinstance(label, (str, bool, int, float, np.generic)) for label in labels):
        raise InputError(f"{argument} must be text or numbers, found {join_names(labels)}.")
    if len(kinds) > 1:
        raise InputError(
            f"{argument} mix text and numbers: {join_names(labels)}. Use one of the two."
        )


def _same(value: Any, default: Any) -> bool:
    return value is default or (type(value) is type(default) and bool(value == default))
