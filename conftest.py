"""Modules that need PyTorch at their top are not collected for doctests where it is absent."""

from importlib.util import find_spec

collect_ignore = (
    []
    if find_spec("torch")
    else [f"shiftlab/generalization/_cdsae_{name}.py" for name in ("network", "training")]
)
