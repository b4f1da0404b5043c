"""How the functions of the audit are called."""

import numpy as np

RNG = np.random.default_rng(5)
N = 240
TABLE = {"x": RNG.normal(size=N), "c": RNG.choice(["u", "v"], N), "s": RNG.integers(0, 2, N)}
TABLE["yhat"] = (RNG.random(N) < 0.2 + 0.4 * TABLE["s"]).astype(int)
ROWS = RNG.choice(N, 80, replace=False)
SAMPLE = {name: column[ROWS] for name, column in TABLE.items()}


def counts(table):
    from shiftlab.metrics import GroupCounts

    made = GroupCounts.from_rows(table["yhat"], table["s"])
    assert made.labels == (0, 1)  # kept once computed
    return made


def reference():
    from shiftlab.auditing import Reference, representativeness_tests

    made = Reference(decision="yhat", sensitive_features="s", n_frequencies=8).fit(TABLE)
    # What is computed once is computed here: later calls leave no trace.
    representativeness_tests(SAMPLE, made, tests="all", n_resamples=9)
    return made


POPULATION, DRAWN, REFERENCE = counts(TABLE), counts(SAMPLE), reference()
FEW = {"n_resamples": 99}


def committed():
    from shiftlab.auditing import commit_table, open_rows

    commitment, secret = commit_table(TABLE, secret="ab" * 32)
    return commitment, open_rows(TABLE, secret, ROWS)


COMMITMENT, OPENINGS = committed()

CALLS = {
    "audit_metrics": ((POPULATION,), {}),
    "commit_table": ((TABLE,), {"secret": "ab" * 32}),
    "commitment_test": ((SAMPLE, OPENINGS, COMMITMENT), {}),
    "count_table": ((TABLE, "yhat", "s"), {}),
    "draw_rows": ((COMMITMENT, "pulse", 20), {}),
    "impact_ratios": ((TABLE, ["s", "c"]), {"decision": "yhat"}),
    "open_rows": ((TABLE, "ab" * 32, [3, 5]), {}),
    "cell_distance_test": ((DRAWN, POPULATION), FEW),
    "cell_test": ((DRAWN, POPULATION), {**FEW, "method": "exact"}),
    "directional_test": ((DRAWN, POPULATION), {}),
    "e_value": ((DRAWN, POPULATION), {}),
    "frontier": ((POPULATION, [40, 80]), {}),
    "membership_test": ((SAMPLE, REFERENCE), {}),
    "model_consistency_test": ((SAMPLE["yhat"], SAMPLE["yhat"]), {}),
    "multiplicity_test": ((SAMPLE, REFERENCE), {}),
    "plan_sample_size": ((POPULATION,), {"attacker": "deterministic"}),
    "representativeness_tests": ((SAMPLE, REFERENCE), {**FEW, "tests": "all"}),
}
