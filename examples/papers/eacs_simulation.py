"""
Simulation A of environment-adaptive covariate selection, beside the paper's numbers
====================================================================================

Zuo and Wang (2026, arXiv:2601.02322): a hidden cause with a proxy; the hidden cause, the observed
cause or the proxy is shifted. Published numbers are those of the replication material (1,000
repetitions). Standard errors over repetitions stand in brackets.

Run with: python examples/papers/eacs_simulation.py [--repetitions 20]
[--table main|summaries|size|rows|range|gates|batches|all] [--figures DIR]
"""

import argparse
from pathlib import Path

import numpy as np

from shiftlab.adaptation import EnvironmentAdaptiveRegressor, simulate_environments

TYPES = ("c1", "c2", "x")
#: Mean over the levels of each type, and over all.
PAPER = {
    "causal": (5.251, 2.445, 2.445, 3.380), "pooled": (2.462, 1.635, 2.776, 2.291),
    "select": (2.462, 1.635, 2.178, 2.092), "accuracy": (0.970,),
}  # fmt: skip
PAPER_SUMMARIES = {"all three": (2.092, 0.970), "correlation": (2.201, 0.885),
                   "sd of c2": (2.291, 0.832), "sd of x": (2.215, 0.832)}  # fmt: skip
PAPER_SIZE = {
    (100, 1): (2.092, 2.291), (100, 5): (2.101, 2.295), (100, 10): (2.136, 2.299),
    (20, 1): (2.101, 2.293), (20, 5): (2.129, 2.307), (20, 10): (2.225, 2.344),
    (10, 1): (2.114, 2.293), (10, 5): (2.161, 2.316), (10, 10): (2.303, 2.391),
    (5, 1): (2.154, 2.297), (5, 5): (2.229, 2.339), (5, 10): (2.447, 2.493),
}  # fmt: skip
#: Rows of a training environment and noise: select, and pooled where published.
PAPER_ROWS = {(20, 1): (2.096, None), (5, 1): (2.183, None), (20, 10): (2.292, None),
              (5, 10): (2.569, 2.503)}  # fmt: skip
PAPER_RANGE = {4.0: 2.092, 2.8: 2.058, 2.0: 2.059, 1.6: 2.099, 1.2: 2.349}
STRATEGIES = ("causal", "pooled", "select", "mix", "mask", "coefficients", "auto")
GATES = {"linear or network": None, "summary network": "network", "learned sets": "deepsets"}


def model(strategy, **options):
    """The paper's rule has no guard; the default has."""
    return EnvironmentAdaptiveRegressor(
        strategy=strategy, always_include=["c2"] if strategy == "causal" else (),
        guard="pooled" if strategy == "auto" else None, outside="ignore", **options,
    )  # fmt: skip


def draw(seed, per_type=100, noise=1.0, max_level=4.0, n_rows=100):
    """Training environments, and 20 test environments per type."""
    streams = np.random.SeedSequence(seed).spawn(2)
    train = simulate_environments(
        "hidden_cause", 3 * per_type, n_rows=n_rows, noise=noise, max_level=max_level,
        random_state=streams[0],
    )  # fmt: skip
    return train, simulate_environments("hidden_cause", 60, random_state=streams[1])


def risks(fitted, test):
    """Mean squared error in each test environment."""
    predicted = fitted.predict(test.X, test.environment)
    return ((test.y - predicted) ** 2).reshape(60, -1).mean(axis=1)


def accuracy(fitted, test):
    """Share of environments in which the realised best subset was chosen."""
    names = fitted.select(test.X, test.environment, n_bootstrap=1).to_frame()["covariates"]
    vectors = fitted.subset_coefficients()
    matrix = np.column_stack([np.ones(len(test.y)), test.X.to_numpy()])
    squared = (test.y[:, None] - matrix @ vectors.drop(columns="covariates").to_numpy().T) ** 2
    found = squared.reshape(60, -1, squared.shape[1]).mean(axis=1)
    best = vectors["covariates"].to_numpy()[found.argmin(axis=1)]
    return float((best == names.to_numpy()).mean())


def fit(models, design):
    """Risks by environment of every model, and the accuracy of those that select."""
    train, test = design
    found = {}
    for name, one in models.items():
        fitted = one.fit(train.X, train.y, train.environment)
        found[name] = risks(fitted, test)
        if one.strategy == "select":
            found[f"accuracy of {name}"] = np.array([accuracy(fitted, test)])
    found["bayes"] = np.array([test.bayes_risk])
    return found


def repeat(repetitions, models, **design):
    """All repetitions, as one array per model."""
    runs = [fit(models, draw(seed, **design)) for seed in range(repetitions)]
    return {key: np.array([run[key] for run in runs]) for key in runs[0]}


def told(values, width=9):
    """Mean over everything, with its standard error over repetitions."""
    each = values.reshape(len(values), -1).mean(axis=1)
    error = each.std(ddof=1) / np.sqrt(len(each)) if len(each) > 1 else np.nan
    return f"{each.mean():{width}.3f} ({error:.3f})"


def strategies(*names):
    return {name: model(name) for name in names}


def main_table(repetitions):
    print(f"100 environments per type, noise 1, {repetitions} repetitions; paper in the last four")
    print(f"{'':12}{'c1':>8}{'c2':>8}{'x':>8}{'all':>17}{'worst':>8}  |  c1, c2, x, all")
    found = repeat(repetitions, strategies(*STRATEGIES))
    for name in STRATEGIES:
        types = found[name].reshape(repetitions, 3, 20).mean(axis=(0, 2))
        paper = "  ".join(f"{v:.3f}" for v in PAPER.get(name, ()))
        print(
            f"{name:12}" + "".join(f"{v:8.3f}" for v in types) + f"{told(found[name], 9)}"
            f"{found[name].max(axis=1).mean():8.3f}  |  {paper}", flush=True,
        )  # fmt: skip
    print(f"{'Bayes':12}{'':24}{told(found['bayes'])}")
    print(f"{'accuracy':12}{'':24}{told(found['accuracy of select'])}{'':8}  |  0.970")
    return found


def summaries_table(repetitions):
    """The paper's summaries, one at a time, with its classifier."""
    parts = {
        "all three": "paper", "correlation": "correlation", "sd of c2": "sd of c2",
        "sd of x": "sd of x",
    }  # fmt: skip
    functions = {
        "correlation": lambda X: np.corrcoef(X.T)[0, 1],
        "sd of c2": lambda X: X[:, 0].std(ddof=1), "sd of x": lambda X: X[:, 1].std(ddof=1),
    }  # fmt: skip
    models = {
        name: model("select", selector="argmin", summary=functions.get(part, part))
        for name, part in parts.items()
    }
    found = repeat(repetitions, models)
    print(f"\nsummaries of the published rule, {repetitions} repetitions")
    print(f"{'':14}{'MSE':>17}{'paper':>8}{'accuracy':>18}{'paper':>8}")
    for name, (risk, share) in PAPER_SUMMARIES.items():
        print(
            f"{name:14}{told(found[name])}{risk:8.3f}{told(found[f'accuracy of {name}'], 10)}"
            f"{share:8.3f}", flush=True,
        )  # fmt: skip


def grid(repetitions, title, cells, options):
    """A table over designs: pooled, select and auto beside the paper's select and pooled."""
    print(f"\n{title}, {repetitions} repetitions; the paper in square brackets")
    print(f"{'':16}{'pooled':>25}{'select':>25}{'auto':>17}{'accuracy':>17}")
    curves = {}
    for cell, (eacs, erm) in cells.items():
        found = repeat(repetitions, strategies("pooled", "select", "auto"), **options(cell))
        curves[cell] = {k: found[k].mean() for k in ("pooled", "select", "auto")}
        published = f"[{erm:.3f}]" if erm else " " * 7
        print(
            f"{cell!s:16}{told(found['pooled'])} {published}{told(found['select'])} [{eacs:.3f}]"
            f"{told(found['auto'])}{told(found['accuracy of select'])}", flush=True,
        )  # fmt: skip
    return curves


def gates_table(repetitions):
    """The soft gate: summaries by hand read by a network, and summaries that are learned."""
    models = {name: model("mask", selector=selector) for name, selector in GATES.items()}
    models["select, learned sets"] = model("select", selector="deepsets")
    models["select, summary network"] = model("select", selector="network")
    found = repeat(repetitions, models)
    print(f"\nwhat opens the gates, and what chooses the subset, {repetitions} repetitions")
    for name in models:
        share = found.get(f"accuracy of {name}")
        more = "" if share is None else f"   accuracy {told(share, 6)}"
        print(f"{name:26}{told(found[name])}{more}", flush=True)


def batches_table(repetitions):
    """New batches of few rows; risks of the chosen coefficients on fresh rows."""
    sizes = (2, 3, 5, 10, 20, 50)
    names = ("pooled", "select", "coefficients", "auto")
    print(f"\nrows of the new batch, {repetitions} repetitions, risk on fresh rows")
    print(f"{'':14}" + "".join(f"{n:>17}" for n in sizes))
    found = {name: np.empty((repetitions, len(sizes))) for name in names}
    for seed in range(repetitions):
        train, test = draw(seed)
        X, y = test.X.to_numpy().reshape(60, 100, 2), test.y.reshape(60, 100)
        for name in names:
            fitted = model(name).fit(train.X, train.y, train.environment)
            for k, n in enumerate(sizes):
                batch = X[:, :n].reshape(-1, 2)
                vectors = fitted.coefficients(
                    test.X.iloc[:0].reindex(range(len(batch))).assign(
                        c2=batch[:, 0], x=batch[:, 1]
                    ),
                    np.repeat(np.arange(60), n),
                ).to_numpy()  # fmt: skip
                predicted = vectors[:, :1] + np.einsum("erj,ej->er", X[:, 50:], vectors[:, 1:])
                found[name][seed, k] = ((y[:, 50:] - predicted) ** 2).mean()
    for name, values in found.items():
        print(f"{name:14}" + "".join(told(column) for column in values.T), flush=True)


def draw_levels(found, path):
    """Risk against the level of each kind of shift, as in the paper's figure."""
    import matplotlib.pyplot as plt

    levels = np.linspace(0, 4, 20)
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.6), sharey=True, layout="constrained")
    names = {"c1": "hidden cause", "c2": "observed cause", "x": "proxy"}
    for k, (ax, kind) in enumerate(zip(axes, TYPES, strict=True)):
        for name in ("causal", "pooled", "select", "auto"):
            curve = found[name].reshape(-1, 3, 20)[:, k].mean(axis=0)
            ax.plot(levels, curve, label=name, lw=2.2 if name in ("select", "auto") else 1.2)
        ax.axhline(found["bayes"].mean(), color="0.6", ls=":", label="best linear rule, mean")
        ax.set(title=f"{names[kind]} shifted", xlabel="shift level")
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set(ylabel="mean squared error", ylim=(1, 8))
    axes[-1].legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def draw_range(curves, path):
    """Risk against the range of the training shifts."""
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(5.4, 3.8), layout="constrained")
    levels = list(curves)
    for name in ("pooled", "select", "auto"):
        ax.plot(levels, [curves[level][name] for level in levels], "o-", label=name)
    ax.plot(levels, [PAPER_RANGE[level] for level in levels], "k:", label="paper's rule")
    ax.set(xlabel="largest shift in training (new environments: 0 to 4)", ylabel="MSE")
    ax.legend(frameon=False, loc="center right")
    ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def main(options):
    n, wanted = options.repetitions, options.table
    folder = None if options.figures is None else Path(options.figures)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    if wanted in ("main", "all"):
        found = main_table(n)
        if folder is not None:
            draw_levels(found, folder / "eacs_simulation_levels.png")
    if wanted in ("summaries", "all"):
        summaries_table(n)
    if wanted in ("size", "all"):
        grid(n, "environments per type and noise", PAPER_SIZE,
             lambda cell: {"per_type": cell[0], "noise": cell[1]})  # fmt: skip
    if wanted in ("rows", "all"):
        grid(n, "rows of a training environment and noise", PAPER_ROWS,
             lambda cell: {"n_rows": cell[0], "noise": cell[1]})  # fmt: skip
    if wanted in ("range", "all"):
        cells = {level: (risk, None) for level, risk in PAPER_RANGE.items()}
        curves = grid(
            n, "training range (new environments: 0 to 4)", cells, lambda c: {"max_level": c}
        )
        if folder is not None:
            draw_range(curves, folder / "eacs_simulation_range.png")
    if wanted in ("batches", "all"):
        batches_table(n)
    if wanted in ("gates", "all"):
        gates_table(min(n, 5))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=20)
    parser.add_argument(
        "--table", default="main",
        choices=("main", "summaries", "size", "rows", "range", "batches", "gates", "all"),
    )  # fmt: skip
    parser.add_argument("--figures", metavar="DIR", help="write pictures to this folder")
    main(parser.parse_args())
