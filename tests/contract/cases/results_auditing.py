"""How the results of the audit are made."""

from functools import cache

import numpy as np

LEGEND = ["a_$", "<b>north</b> $x_1$", "west\nside"]


@cache
def tables():
    rng = np.random.default_rng(1)
    n = 300
    table = {"$x": rng.normal(size=n), "<b>s</b>": rng.choice(LEGEND, n)}
    table["yhat"] = (rng.random(n) < 0.3 + 0.3 * (table["<b>s</b>"] == "a_$")).astype(int)
    rows = rng.choice(n, 120, replace=False)
    return table, {name: column[rows] for name, column in table.items()}


@cache
def reference():
    from shiftlab.auditing import Reference

    return Reference(decision="yhat", sensitive_features="<b>s</b>", n_frequencies=8).fit(
        tables()[0]
    )


def auditing(name, *arguments, **options):
    from shiftlab import auditing as package

    return getattr(package, name)(*arguments, **options)


def pair():
    from shiftlab.metrics import GroupCounts

    table = {"sex": ["f", "m"], "n": [163, 336], "selected": [16, 109]}
    return GroupCounts.from_frame(table, "sex")


def commitment():
    return auditing("commit_table", tables()[0], secret="ab" * 32)[0]


MAKE = {
    "Commitment": commitment,
    "ImpactRatioTable": lambda: auditing("impact_ratios", tables()[0], "<b>s</b>", decision="yhat"),
    "Opening": lambda: auditing("open_rows", tables()[0], "ab" * 32, [7])[0],
    "AuditRecord": lambda: auditing("ManipulationAudit", reference()).run(tables()[1]),
    "EProcess": lambda: auditing("EProcess", pair()).update(pair()),
    "Frontier": lambda: auditing("frontier", pair(), [50, 100]),
    "Representativeness": lambda: auditing("representativeness_tests", tables()[1], reference()),
    "RepresentativenessTest": lambda: auditing("membership_test", tables()[1], reference()),
    "SamplePlan": lambda: auditing(
        "plan_sample_size", pair(), attacker="selective", test="cells_g"
    ),
}
