"""Levels of the tests and coverages of the intervals, by simulations of their own.

    python benchmarks/calibration.py --quick          two to three minutes on an idle core
    python benchmarks/calibration.py                  about twenty times as many simulations
    python benchmarks/calibration.py --only distances --runs 150

One row per method and setting: number of simulations, share of rejections at 0.05 (or share of 95 %
intervals that hold the truth), and the 95 % interval that the number of simulations leaves for it.
Simulated tables are independent, the tests within one are not: rows that pool several tests of a
table take their interval from the spread between tables.
"""

import argparse
import sys
import time
from typing import ClassVar

import numpy as np
from scipy import stats
from sklearn.ensemble import HistGradientBoostingRegressor

from shiftlab.divergence import (
    column_shifts,
    environment_distances,
    shift_decomposition,
    two_sample_test,
)
from shiftlab.metrics import (
    GroupCounts,
    demographic_parity_difference,
    difference_interval,
    disparate_impact,
    ratio_interval,
)

ALPHA, LEVEL = 0.05, 0.95


def seeds(seed, n):
    return [np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(n)]


def row(kind, method, setting, outcomes):
    """One line; `outcomes` are 0/1 per simulation, or shares where a simulation has several."""
    outcomes = np.asarray(outcomes, dtype=float)
    outcomes = outcomes[~np.isnan(outcomes)]
    n, share = len(outcomes), outcomes.mean()
    if np.isin(outcomes, (0, 1)).all():
        interval = stats.binomtest(int(outcomes.sum()), n).proportion_ci(method="wilson")
        low, high = interval.low, interval.high
    else:
        error = stats.t.ppf(0.975, n - 1) * outcomes.std(ddof=1) / np.sqrt(n)
        low, high = max(share - error, 0.0), min(share + error, 1.0)
    line = f"{kind:<9}{method:<24}{setting:<48}{n:>6}{share:>8.3f}   [{low:.3f}, {high:.3f}]"
    print(line, flush=True)


# --- two samples ----------------------------------------------------------------------------------

LAWS = {
    "normal": lambda r, n, d: r.normal(size=(n, d)),
    "cauchy": lambda r, n, d: r.standard_cauchy(size=(n, d)),
    "ties": lambda r, n, d: r.poisson(2.0, size=(n, d)),
    "labels": lambda r, n, d: r.choice(5, size=(n, d), p=[0.4, 0.3, 0.15, 0.1, 0.05]),
}
#: method, columns, law, rows of x and y, options, divisor of the number of simulations
TWO_SAMPLES = [
    *[(m, 1, law, (30, 90), {}, 1) for m in ("ks", "wasserstein") for law in ("cauchy", "ties")],
    *[
        (m, 1, "labels", (40, 120), {}, 1)
        for m in ("kl", "total_variation", "hellinger", "chi_square", "g")
    ],
    *[
        (m, 3, law, (30, 90), {}, 1)
        for m in ("mmd", "energy", "sliced_wasserstein", "mmd_fourier", "mmd_block")
        for law in ("normal", "ties")
    ],
    ("mmd", 3, "normal", (150, 150), {}, 2),
    ("energy", 3, "normal", (150, 150), {}, 2),
    ("sliced_wasserstein", 3, "normal", (150, 150), {}, 2),
    ("wasserstein", 2, "normal", (30, 40), {"n_resamples": 39}, 3),
    ("wasserstein", 2, "ties", (30, 40), {"n_resamples": 39}, 3),
    ("classifier", 2, "normal", (30, 40), {"n_resamples": 19, "n_splits": 3}, 3),
    ("classifier", 2, "cauchy", (30, 40), {"n_resamples": 19, "n_splits": 3}, 3),
    ("ks", 1, "normal", (300, 500), {"n_resamples": 0}, 1),
    ("chi_square", 1, "labels", (300, 500), {"n_resamples": 0}, 1),
    ("g", 1, "labels", (300, 500), {"n_resamples": 0}, 1),
    *[("mmd_block", 3, "normal", (n, n), {"n_resamples": 0}, 1) for n in (100, 500)],
]


def two_samples(n):
    for method, d, law, (n_x, n_y), options, divisor in TWO_SAMPLES:
        options = {"n_resamples": 99, **options}
        found = []
        for rng in seeds(1, max(n // divisor, 50)):
            x, y = LAWS[law](rng, n_x, d), LAWS[law](rng, n_y, d)
            result = two_sample_test(x, y, method, random_state=rng, **options)
            found.append(result.pvalue <= ALPHA)
        how = f"B={options['n_resamples']}" if options["n_resamples"] else "no resamples"
        row("level", method, f"{law}, {d} column(s), {n_x} and {n_y} rows, {how}", found)


# --- columns --------------------------------------------------------------------------------------

LABELS = {
    "labels2": np.array([0.7, 0.3]),
    "labels5": np.array([0.5, 0.25, 0.15, 0.07, 0.03]),
    "labels50": (1 / np.arange(1, 51)) / (1 / np.arange(1, 51)).sum(),
}
SITES = {3: (1000, 200, 30), 12: (30, 40, 50, 60, 80, 100, 150, 200, 300, 400, 600, 1000)}
#: Shifts that put the first environment at a distance of 0.2 from all others.
EFFECT = 0.2
POISSON_SHIFTED = 4.0 * 1.2667208743


def column_table(rng, site, effect):
    """Columns without differences; with an effect, the largest site lies 0.2 apart in each."""
    n, moved = len(site), (site == np.bincount(site).argmax()) & bool(effect)
    table = {
        "normal": rng.normal(size=n) + moved * 2 * stats.norm.ppf((1 + EFFECT) / 2),
        "cauchy": rng.standard_cauchy(n) + moved * 2 * np.tan(EFFECT * np.pi / 2),
        "poisson": rng.poisson(np.where(moved, POISSON_SHIFTED, 4.0)),
    }
    for name, shares in LABELS.items():
        # All mass goes to the most frequent label, which no grouping of rare labels touches.
        weight = EFFECT / (1 - shares[0])
        shifted = (1 - weight) * shares + weight * np.eye(len(shares))[0]
        drawn = [rng.choice(len(shares), n, p=p) for p in (shares, shifted)]
        table[name] = np.array([f"v{i}" for i in range(len(shares))])[np.where(moved, *drawn[::-1])]
    # The share of missing cells does not differ; nor do the values.
    table["gaps"] = np.where(rng.random(n) < 0.2, np.nan, rng.normal(size=n))
    return table


def columns(n):
    for k, sizes in SITES.items():
        site = np.repeat(np.arange(k), sizes)
        frames = []
        for rng in seeds(2, n):
            table = column_table(rng, site, 0)
            frames.append(column_shifts(table, site, random_state=0).to_frame())
        report_levels(k, frames)
        report_coverage(f"effect 0, {k} environments", 0.0, frames)
        frames = []
        for rng in seeds(3, n // 2):
            table = column_table(rng, site, EFFECT)
            frames.append(column_shifts(table, site, random_state=0).to_frame())
        moved = [frame[frame["environment"] == int(np.argmax(sizes))] for frame in frames]
        report_coverage(f"effect 0.2, {k} environments", EFFECT, moved)


def report_levels(k, frames):
    names = frames[0].groupby(["column", "test"], sort=False).size().index
    for column, test in sorted(names):
        shares = [
            np.mean(f["pvalue"][(f["column"] == column) & (f["test"] == test)] <= ALPHA)
            for f in frames
        ]
        row("level", f"column_shifts {column}", f"{test}, {k} environments", shares)
    any_bh = [bool((f["pvalue_adjusted"] <= ALPHA).any()) for f in frames]
    any_holm = [f["pvalue"].min() * f["pvalue"].notna().sum() <= ALPHA for f in frames]
    row("level", "column_shifts, bh", f"any false alarm in a table, {k} environments", any_bh)
    row("level", "column_shifts, holm", f"any false alarm in a table, {k} environments", any_holm)


def report_coverage(setting, truth, frames):
    for column in sorted(set(frames[0]["column"]) - ({"gaps"} if truth else set())):
        shares = []
        for frame in frames:
            own = frame[(frame["column"] == column) & (frame["test"] != "missing cells")]
            low, high = own["effect_low"] - 1e-9, own["effect_high"] + 1e-9
            shares.append(np.mean((low <= truth) & (truth <= high)))
        row("coverage", f"column_shifts {column}", setting, shares)


# --- distances between environments ---------------------------------------------------------------


def mixed_table(rng, site, lost=0.0, shift=0.0):
    n = len(site)
    common = rng.standard_t(3, n)
    table = {
        "x": common + shift * (site == site.max()),
        "y": np.exp(0.5 * common + rng.normal(size=n)),
        "k": rng.poisson(2.0, n).astype(float),
    }
    rates = np.broadcast_to(lost, n)
    table = {name: np.where(rng.random(n) < rates, np.nan, v) for name, v in table.items()}
    return table | {"c": rng.choice(list("abcde"), n, p=[0.4, 0.3, 0.15, 0.1, 0.05])}


DISTANCE_SETTINGS = [
    ("30 and 1000 rows", (30, 1000), (0.0, 0.0), 0.0),
    ("200 and 300 rows, 10 % missing", (200, 300), (0.1, 0.1), 0.0),
    ("200 and 300 rows, 0 and 50 % missing", (200, 300), (0.0, 0.5), 0.0),
    ("30 and 1000 rows, 60 and 0 % missing", (30, 1000), (0.6, 0.0), 0.0),
    ("30 and 1000 rows, 0 and 60 % missing", (30, 1000), (0.0, 0.6), 0.0),
    ("200 and 300 rows, shift of 0.5 in x", (200, 300), (0.0, 0.0), 0.5),
]


def distances(n):
    for metric in ("wasserstein", "total_variation", "mmd", "energy"):
        for name, sizes, lost, shift in DISTANCE_SETTINGS:
            site = np.repeat(np.arange(2), sizes)
            found = []
            for i, rng in enumerate(seeds(4, n)):
                table = mixed_table(rng, site, np.asarray(lost)[site], shift)
                result = environment_distances(table, site, metric=metric, random_state=i)
                found.append(result.pvalues[0, 1] <= ALPHA)
            row("power" if shift else "level", metric, name, found)
        many_environments(metric, 300 if n >= 500 else 100, max(n // 50, 2))


def many_environments(metric, k, n):
    """Many small environments."""
    site = np.repeat(np.arange(k), np.resize([20, 40, 60, 100], k))
    upper = np.triu_indices(k, k=1)
    for lost in (0.0, 0.5) if metric in ("wasserstein", "total_variation") else (0.0,):
        found, alarms = [], []
        for i, rng in enumerate(seeds(5, n)):
            table = mixed_table(rng, site, lost * (site % 3 == 0))
            # With so many columns the null is the pooled one.
            table |= {f"x{j}": rng.normal(size=len(site)) for j in range(20 if k >= 300 else 0)}
            result = environment_distances(table, site, metric=metric, random_state=i)
            found.append(np.mean(result.pvalues[upper] <= ALPHA))
            alarms.append(np.nanmin(result.pvalues_adjusted) <= ALPHA)
        name = f"{k} environments ({result.null})" + (", a third 50 % missing" if lost else "")
        row("level", metric, name, found)
        row(
            "level",
            f"{metric}, bh",
            f"any of {len(upper[0])} pairs" + " (missing)" * (lost > 0),
            alarms,
        )


# --- loss decomposition ---------------------------------------------------------------------------


class Recorded(HistGradientBoostingRegressor):
    """The default model of `shift_decomposition`, keeping what was fitted."""

    fitted: ClassVar[list] = []

    def fit(self, X, y):
        Recorded.fitted.append(self)
        return super().fit(X, y)


def signal(x, concept):
    return np.sin(x[:, 0]) + 0.5 * x[:, 1] ** 2 + concept * np.tanh(x[:, 0] + x[:, 1])


def decomposition_run(seed, shift, concept, n):
    """Return which of the four intervals hold the truth given the fitted home models."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(2 * n, 3))
    x[n:, 0] += shift
    y = np.r_[signal(x[:n], 0), signal(x[n:], concept)] + rng.normal(size=2 * n)
    table = {f"x{i}": x[:, i] for i in range(3)} | {"y": y}
    Recorded.fitted = []
    model = Recorded(max_leaf_nodes=31, max_iter=100, early_stopping=False)
    site = np.repeat(["home", "here"], n)
    result = shift_decomposition(
        table, site, outcome="y", reference="home", estimator=model, random_state=seed
    )
    # Columns reach a given estimator standardised over all rows; the first three fits are at home.
    centre, spread = x.mean(axis=0), x.std(axis=0)
    truth = true_parts(Recorded.fitted[:3], centre, spread, shift, concept)
    parts = result.environments[0]
    return [
        getattr(parts, name).low <= value <= getattr(parts, name).high
        for name, value in truth.items()
    ]


POPULATION = np.random.default_rng(7).normal(size=(10_000, 3))


def true_parts(models, centre, spread, shift, concept):
    """The parts from the densities: noise has variance 1, covariates move along the first axis."""
    move = np.array([shift, 0.0, 0.0])
    losses = {}
    for where, x in (("home", POPULATION), ("here", POPULATION + move)):
        predicted = [model.predict((x - centre) / spread) for model in models]
        for law, value in (("P", signal(x, 0)), ("Q", signal(x, concept))):
            losses[where, law] = 1 + np.mean([(value - p) ** 2 for p in predicted], axis=0)
    log_odds = shift * (POPULATION[:, 0] + move[0]) - shift**2 / 2
    at_here = 1 / (1 + np.exp(log_odds))
    shared_home = np.average(losses["here", "P"], weights=at_here)
    shared_here = np.average(losses["here", "Q"], weights=at_here)
    home, here = losses["home", "P"].mean(), losses["here", "Q"].mean()
    steps = (here - home, shared_home - home, shared_here - shared_home, here - shared_here)
    return dict(zip(("total", "covariate_home", "concept", "covariate_here"), steps, strict=True))


def decomposition(n):
    worlds = {"covariate shift": (1.0, 0.0), "concept shift": (0.0, 1.0), "both": (1.0, 1.0)}
    for size, runs in ((500, n // 10), (100, n // 10), (2000, n // 20)):
        for world, (shift, concept) in worlds.items():
            found = [decomposition_run(i, shift, concept, size) for i in range(runs)]
            names = ("total", "covariate_home", "concept", "covariate_here")
            for name, outcomes in zip(names, np.transpose(found), strict=True):
                row(
                    "coverage",
                    f"loss {name}",
                    f"{world}, {size} and {size} rows, boosting",
                    outcomes,
                )


# --- fairness -------------------------------------------------------------------------------------


def fairness(n):
    for k in (2, 5):
        ratios, gaps, singles = [], [], []
        for rng in seeds(6, 2 * n):
            sizes = np.exp(rng.uniform(np.log(10), np.log(2000), k)).astype(int)
            rates = rng.uniform(0.02, 0.98, k)
            selected = rng.binomial(sizes, rates)
            frame = {"g": [f"g{i}" for i in range(k)], "n": sizes, "selected": selected}
            counts = GroupCounts.from_frame(frame, "g")
            ratio, gap = disparate_impact(counts), demographic_parity_difference(counts)
            ratios.append(ratio.low - 1e-9 <= rates.min() / rates.max() <= ratio.high + 1e-9)
            gaps.append(gap.low - 1e-9 <= rates.min() - rates.max() <= gap.high + 1e-9)
            one = disparate_impact(counts, reference="g0")
            if k == 2:
                singles.append(one.low - 1e-9 <= rates[1] / rates[0] <= one.high + 1e-9)
        name = f"{k} groups of 10-2000 rows, rates 0.02-0.98"
        row("coverage", "disparate_impact", name, ratios)
        row("coverage", "parity difference", name, gaps)
        if singles:
            row("coverage", "disparate_impact", f"{name}, named reference", singles)
    exact_pairs()


def exact_pairs():
    """Coverage of the intervals of two groups by summing over every table: no simulation error."""
    rates = [0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98]
    for name, function, truth in (
        ("ratio, score", ratio_interval, lambda p, q: p / q),
        ("difference, newcombe", difference_interval, lambda p, q: p - q),
    ):
        for n, m in ((10, 10), (10, 100), (50, 50), (200, 200)):
            a, b = np.indices((n + 1, m + 1))
            low, high = function(a, n, b, m)
            covered = []
            for p in rates:
                for q in rates:
                    chance = np.outer(
                        *(stats.binom.pmf(np.arange(s + 1), s, r) for s, r in ((n, p), (m, q)))
                    )
                    inside = (low - 1e-9 <= truth(p, q)) & (truth(p, q) <= high + 1e-9)
                    covered.append((chance * inside).sum())
            text = f"{n} and {m} rows, 49 pairs of rates: mean, [lowest, highest]"
            line = f"{'exact':<9}{name:<24}{text:<54}{np.mean(covered):>8.3f}"
            print(f"{line}   [{min(covered):.3f}, {max(covered):.3f}]", flush=True)


SECTIONS = {
    "two_samples": (two_samples, 60, 2000),
    "columns": (columns, 60, 1000),
    "distances": (distances, 40, 1000),
    "decomposition": (decomposition, 40, 1000),
    "fairness": (fairness, 300, 5000),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few simulations")
    parser.add_argument(
        "--runs", type=int, help="simulations per section, instead of its own number"
    )
    parser.add_argument("--only", choices=SECTIONS, nargs="+", default=list(SECTIONS))
    options = parser.parse_args()
    print(f"$ python benchmarks/calibration.py {' '.join(sys.argv[1:])}".rstrip())
    head = f"{'kind':<9}{'method':<24}{'setting':<48}{'runs':>6}{'share':>8}   95 % interval"
    print(head, "-" * len(head), sep="\n", flush=True)
    for name in options.only:
        function, quick, full = SECTIONS[name]
        start = time.perf_counter()
        function(options.runs or (quick if options.quick else full))
        print(f"# {name}: {time.perf_counter() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
