"""What is known about the process behind a data set: graphs, intervention targets, directions."""

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["known_truth"]

Edges = tuple[tuple[str, str], ...]


def known_truth(name: str, frame: Any, extras: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the known truth of a data set, or None.

    Parameters
    ----------
    name : str
        Data set.
    frame : DataFrame
        Its table.
    extras : mapping
        Its companion tables.
    """
    reader = _READERS.get(name)
    return None if reader is None else reader(frame, extras)


def _edges(frame: "pd.DataFrame") -> Edges:
    pairs = zip(frame["source"], frame["target"], strict=True)
    return tuple((str(source), str(target)) for source, target in pairs)


def _sachs(frame: "pd.DataFrame", extras: Mapping[str, Any]) -> dict[str, Any]:
    conditions = extras["conditions"].dropna(subset=["measured_target"])
    targets = zip(conditions["condition"], conditions["measured_target"], strict=True)
    return {"edges": _edges(extras["edges"]), "targets": {k: (v,) for k, v in targets}}


def _light_tunnel(frame: "pd.DataFrame", extras: Mapping[str, Any]) -> dict[str, Any]:
    # An experiment is called uniform_<target>_<strength>, the reference uniform_reference.
    names = [str(name) for name in frame["experiment"].unique()]
    targets = {name: (name.split("_", 1)[1].rsplit("_", 1)[0],) for name in names}
    targets.pop("uniform_reference", None)
    return {"edges": _edges(extras["edges"]), "targets": targets}


def _tuebingen(frame: "pd.DataFrame", extras: Mapping[str, Any]) -> dict[str, Any]:
    used = extras["pairs"][extras["pairs"]["included"] == 1]
    pairs = used["pair"].tolist()
    return {
        "cause": dict(zip(pairs, used["cause_column"].tolist(), strict=True)),
        "weight": dict(zip(pairs, used["weight"].tolist(), strict=True)),
    }


def _stored(frame: "pd.DataFrame", extras: Mapping[str, Any]) -> dict[str, Any]:
    truth = json.loads(extras["truth"])
    edges = tuple((cause, effect) for cause, effect in truth["edges"])
    targets = {name: tuple(changed) for name, changed in truth["targets"].items()}
    return {**truth, "edges": edges, "targets": targets}


_READERS: Mapping[str, Callable[[Any, Mapping[str, Any]], dict[str, Any]]] = {
    "lending": _stored,
    "light_tunnel": _light_tunnel,
    "sachs": _sachs,
    "tuebingen_pairs": _tuebingen,
}
