"""Imports point to the same package or to a lower floor, lazy imports included."""

import ast

FLOORS = (
    {"exceptions", "_core"},
    {"backends"},
    {"kernels", "transport", "graphs"},
    {"independence", "divergence", "metrics", "simulation", "datasets", "model_selection"},
    {"discovery", "adaptation", "auditing", "explanation", "generalization"},
    {"reporting"},
    {"cli", "__main__"},
)


def floor_of(module):
    parts = module.split(".")
    if len(parts) == 1:
        return None
    for level, packages in enumerate(FLOORS):
        if parts[1] in packages:
            return level
    raise AssertionError(f"{module} stands on no floor: add it to the plan of the house")


def imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, "relative import"
            yield node.module


def test_imports_point_downwards(modules):
    wrong = []
    for module, (_, tree) in modules.items():
        if module == "shiftlab":
            continue
        for target in imported(tree):
            if not target.startswith("shiftlab.") or target.split(".")[1] == module.split(".")[1]:
                continue
            here, there = floor_of(module), floor_of(target)
            pillars = here == there == 4
            if there > here or pillars:
                wrong.append(f"{module} imports {target}")
    assert not wrong, wrong


def test_a_planted_upward_import_would_be_seen():
    tree = ast.parse("def f():\n    from shiftlab.reporting import shift_report\n")
    assert list(imported(tree)) == ["shiftlab.reporting"]
    assert floor_of("shiftlab.reporting") > floor_of("shiftlab.divergence._columns")


def test_exceptions_and_package_root_need_only_the_standard_library(modules):
    import sys

    for module in ("shiftlab", "shiftlab.exceptions", "shiftlab.cli", "shiftlab.cli._report"):
        _, tree = modules[module]
        top = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
        for node in top:
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module]
            for name in names:
                root = name.split(".")[0]
                assert root == "shiftlab" or root in sys.stdlib_module_names, (module, name)
