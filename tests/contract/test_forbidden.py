"""What no module may do: draw from a global generator, unpickle, print, change global settings."""

import ast

import pytest

#: The parts of numpy.random that carry their own state.
OWN_STATE = {"BitGenerator", "Generator", "PCG64", "RandomState", "SeedSequence", "default_rng"}
PICKLE = {"cloudpickle", "dill", "marshal", "pickle", "shelve"}
UNPICKLING = {"joblib.load", "pd.read_pickle", "pandas.read_pickle", "torch.load"}
GLOBAL_SETTINGS = {
    "np.seterr", "np.set_printoptions", "pd.set_option", "plt.style.use", "plt.switch_backend",
    "sklearn.set_config", "set_config", "torch.manual_seed", "torch.set_default_dtype",
    "torch.set_num_threads", "warnings.filterwarnings", "warnings.simplefilter",
}  # fmt: skip


def dotted(node):
    """Write an attribute chain as text: ``np.random.seed``; empty for anything else."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def global_random(tree):
    for node in ast.walk(tree):
        name = dotted(node)
        if name.startswith(("np.random.", "numpy.random.")) and name.split(".")[2] not in OWN_STATE:
            yield name
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name in ("random", "numpy.random"))
        if isinstance(node, ast.ImportFrom) and node.module in ("random", "numpy.random"):
            yield from (a.name for a in node.names if a.name not in OWN_STATE)


def unpickling(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.split(".")[0] in PICKLE)
        if isinstance(node, ast.ImportFrom) and node.module in PICKLE:
            yield node.module
        if isinstance(node, ast.Call):
            name = dotted(node.func)
            if name in UNPICKLING or name in ("eval", "exec"):
                yield name
            for keyword in node.keywords:
                value = getattr(keyword.value, "value", None)
                if keyword.arg == "allow_pickle" and value is not False:
                    yield f"{name}(allow_pickle)"


def printing(tree):
    for node in ast.walk(tree):
        name = dotted(node.func) if isinstance(node, ast.Call) else ""
        if name == "print" or name.startswith(("sys.stdout.", "sys.stderr.")):
            yield name
        if name == "logging.getLogger":
            names = [getattr(a, "value", None) for a in node.args]
            yield from (f"logger {n!r}" for n in names or [""] if n != "shiftlab")
        if name.startswith("logging.") and name.split(".")[1] in ("basicConfig", "info", "warning"):
            yield name


def settings(tree):
    """Calls that change a setting of the process; inside ``catch_warnings`` filters are local."""
    local = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.With)
        and any("catch_warnings" in ast.dump(item) for item in node.items)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and node not in local
            and dotted(node.func) in GLOBAL_SETTINGS
        ):
            yield dotted(node.func)


RULES = {
    "global random numbers": global_random,
    "pickle": unpickling,
    "printing": printing,
    "global settings": settings,
}


@pytest.mark.parametrize("rule", RULES)
def test_no_module_breaks_the_rule(modules, rule):
    allowed = ("shiftlab.cli", "shiftlab.__main__") if rule == "printing" else ()
    found = [
        f"{module}: {what}"
        for module, (_, tree) in modules.items()
        if not module.startswith(allowed or ("-",))
        for what in RULES[rule](tree)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ("global random numbers", "x = np.random.normal(size=3)"),
        ("global random numbers", "np.random.seed(0)"),
        ("global random numbers", "def f():\n    from random import shuffle"),
        ("pickle", "import pickle"),
        ("pickle", "np.load(path, allow_pickle=True)"),
        ("pickle", "model = joblib.load(path)"),
        ("printing", "print(1)"),
        ("printing", "logging.getLogger(__name__)"),
        ("global settings", "np.seterr(all='ignore')"),
        ("global settings", "warnings.simplefilter('ignore')"),
    ],
)
def test_a_planted_offence_would_be_seen(rule, code):
    assert list(RULES[rule](ast.parse(code)))


def test_what_is_allowed_is_not_reported():
    code = "rng = np.random.default_rng(0)\nnp.load(path, allow_pickle=False)\n"
    code += "with warnings.catch_warnings():\n    warnings.simplefilter('ignore')\n"
    code += "logger = logging.getLogger('shiftlab')\nlogger.info('x')\n"
    assert [what for rule in RULES.values() for what in rule(ast.parse(code))] == []
