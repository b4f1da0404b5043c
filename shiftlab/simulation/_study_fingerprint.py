"""Fingerprints of functions and objects, to notice that a study's definition has changed."""

import ast
import functools
import hashlib
import inspect
import sys
import textwrap
from collections.abc import Callable
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

__all__ = ["fingerprint"]


def fingerprint(value: Any) -> str:
    """Hash what a function or object is, the same in every process.

    Functions are hashed by name, source (comments and layout left out), defaults and captured
    variables; other objects by their pickled content. Code that a function calls elsewhere and
    global variables are not part of it.

    Parameters
    ----------
    value : object
        Usually the function of a study or a labelled level.

    Returns
    -------
    str
        Hexadecimal digest.
    """
    return _digest(_describe(value, frozenset()))


def _describe(value: Any, seen: frozenset[int]) -> tuple[Any, ...]:
    if id(value) in seen:
        return ("recursion",)
    seen = seen | {id(value)}
    if isinstance(value, functools.partial):
        inner = [_describe(value.func, seen), _content(value.args), _content(value.keywords)]
        return ("partial", *inner)
    if isinstance(value, MethodType):
        return ("method", _describe(value.__func__, seen), _describe(value.__self__, seen))
    if isinstance(value, FunctionType):
        return _describe_function(value, seen)
    if isinstance(value, type):
        return ("class", value.__qualname__, _source(value))
    if isinstance(value, ModuleType):
        return ("module", value.__name__)
    if callable(value):
        return ("object", _describe(type(value), seen), _content(value))
    return ("value", _content(value))


def _describe_function(function: FunctionType, seen: frozenset[int]) -> tuple[Any, ...]:
    body = _code(function.__code__) if function.__name__ == "<lambda>" else _source(function)
    captured = []
    for cell in function.__closure__ or ():
        try:
            captured.append(_describe(cell.cell_contents, seen))
        except ValueError:  # the variable is not bound yet
            captured.append(("empty",))
    defaults = (function.__defaults__ or (), function.__kwdefaults__ or {})
    return ("function", function.__qualname__, body, *captured, _content(defaults))


def _source(value: Callable[..., Any]) -> Any:
    try:
        source = textwrap.dedent(inspect.getsource(value))
    except (OSError, TypeError):
        code = getattr(value, "__code__", None)
        return _code(code) if code is not None else value.__module__
    try:
        return ast.unparse(ast.parse(source))
    except SyntaxError:
        return source


def _code(code: CodeType) -> tuple[Any, ...]:
    constants = [_code(c) if isinstance(c, CodeType) else repr(c) for c in code.co_consts]
    return (sys.version_info[:2], code.co_code.hex(), code.co_names, *constants)


def _content(value: Any) -> str:
    import joblib

    try:
        return str(joblib.hash(value))
    except Exception:  # pickling runs the object's own code, which may raise anything
        return f"{type(value).__module__}.{type(value).__qualname__}"


def _digest(value: Any) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()
