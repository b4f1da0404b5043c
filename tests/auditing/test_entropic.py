"""Entropic projection: published numbers, an independent convex solver, and bad input."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import rel_entr

from shiftlab.auditing import entropic_projection
from shiftlab.exceptions import DegenerateDataError, InputError
from shiftlab.metrics import GroupCounts, disparate_impact, equalized_odds_difference

#: Cells (S1Y1, S1Y0, S0Y1, S0Y0) of six published arrays, and the divergence to a ratio of 0.8:
#: balanced, proportional, optimal with fixed and with free shares of the groups.
PUBLISHED = {
    "adult": (
        (1095, 2267, 160, 1478),
        (0.0248750744, 0.0255882353, 0.0245081721, 0.0243258791),
    ),
    "emp": (
        (10454, 6015, 680, 2851),
        (0.0385321542, 0.0668058918, 0.0384875554, 0.0359744847),
    ),
    "inc": (
        (1494, 8914, 927, 8665),
        (0.0004928880, 0.0004928251, 0.0004926549, 0.0004926508),
    ),
    "mob": (
        (16911, 1089, 840, 1160),
        (0.0268146080, 0.1662804689, 0.0222560423, 0.0202238613),
    ),
    "puc": (
        (2725, 831, 3984, 12460),
        (0.0670141999, 0.1010784003, 0.0669194109, 0.0609087530),
    ),
    "tra": (
        (2872, 7402, 1883, 7843),
        (0.0007828003, 0.0007837798, 0.0007827313, 0.0007827210),
    ),
}
WAYS = (
    {"split": "balanced"},
    {"split": "proportional"},
    {"margin": "fixed"},
    {"margin": "free"},
)


def table(cells):
    a, b, c, d = cells
    return GroupCounts.from_frame({"s": [0, 1], "n": [c + d, a + b], "selected": [c, a]}, "s")


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(5)
    group = rng.choice(["a", "b", "c"], 900, p=[0.5, 0.3, 0.2])
    x = rng.normal(size=(900, 2)) + (group == "a")[:, None]
    chosen = (x[:, 0] + rng.normal(size=900) > 0.6).astype(int)
    truth = (x[:, 1] + rng.normal(size=900) > 0.3).astype(int)
    return chosen, group, truth, x


@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.parametrize("way", range(4))
def test_divergences_are_the_published_ones(name, way):
    cells, wanted = PUBLISHED[name]
    found = entropic_projection(table(cells), **WAYS[way])
    assert found.kl == pytest.approx(wanted[way], abs=6e-11)
    assert found.values_after[0] == pytest.approx(0.8, abs=1e-12)
    assert found.converged
    assert found.method == "closed form"


@pytest.mark.parametrize(
    ("name", "target", "wanted"),
    [
        ("adult", 0.5, (0.00547038, 0.00608999, 0.00547037, 0.00545420)),
        ("adult", 0.9, (0.03269938, 0.03288501, 0.03190977, 0.03166072)),
        ("adult", 1.0, (0.04085059, 0.04022866, 0.03942696, 0.03912480)),
        ("inc", 1.0, (0.00264850, 0.00263469, 0.00262949, 0.00262949)),
        ("puc", 0.5, (0.02059344, 0.02238226, 0.01913093, 0.01893967)),
    ],
)
def test_divergences_at_other_targets(name, target, wanted):
    counts = table(PUBLISHED[name][0])
    for way, value in zip(WAYS, wanted, strict=True):
        found = entropic_projection(counts, constraints={"disparate_impact": target}, **way)
        assert found.kl == pytest.approx(value, abs=6e-9)


def solve_convex(mass, rules):
    """Minimise the divergence from `mass` under linear rules, by an independent solver."""
    cvxpy = pytest.importorskip("cvxpy")
    q = cvxpy.Variable(mass.size, nonneg=True)
    problem = cvxpy.Problem(
        cvxpy.Minimize(cvxpy.sum(cvxpy.kl_div(q, mass.ravel()))), [cvxpy.sum(q) == 1, *rules(q)]
    )
    problem.solve(solver="CLARABEL", tol_gap_abs=1e-10, tol_gap_rel=1e-10, tol_feas=1e-10)
    return float(rel_entr(q.value, mass.ravel()).sum())


@pytest.mark.parametrize("name", PUBLISHED)
def test_optimum_is_that_of_a_convex_solver(name):
    a, b, c, d = PUBLISHED[name][0]
    mass = np.array([[d, c], [b, a]]) / (a + b + c + d)
    shares = mass.sum(axis=1)

    def rules(q):
        ratio = q[1] / shares[0] - 0.8 * q[3] / shares[1] >= 0
        return [q[0] + q[1] == shares[0], ratio]

    found = entropic_projection(table(PUBLISHED[name][0]))
    assert found.kl == pytest.approx(solve_convex(mass, rules), abs=1e-8)


def test_intersections_are_those_of_a_convex_solver():
    rates = np.array([0.046, 0.109, 0.207, 0.342])
    n = np.array([302, 1336, 397, 2965])
    selected = np.rint(rates * n).astype(int)
    frame = {"sex": [0, 0, 1, 1], "white": [0, 1, 0, 1], "n": n, "selected": selected}
    counts = GroupCounts.from_frame(frame, ["sex", "white"])
    mass = np.stack([n - selected, selected], axis=1) / n.sum()
    shares = mass.sum(axis=1)

    def rules(q):
        rate = [q[2 * g + 1] / shares[g] for g in range(4)]
        pairs = [rate[g] >= 0.8 * rate[h] for g in range(4) for h in range(4) if g != h]
        return [*(q[2 * g] + q[2 * g + 1] == shares[g] for g in range(4)), *pairs]

    found = entropic_projection(counts)
    assert found.kl == pytest.approx(solve_convex(mass, rules), abs=1e-8)
    assert entropic_projection(counts, margin="free").kl < found.kl


def test_several_constraints_are_those_of_a_convex_solver(rows):
    chosen, group, truth, _ = rows
    wanted = {
        "disparate_impact": 0.9,
        "equal_opportunity_difference": 0.05,
        "equalized_odds_difference": 0.08,
        "accuracy": 0.62,
    }
    found = entropic_projection(chosen, group, y_true=truth, constraints=wanted)
    mass = found.mass_before
    strata = mass.sum(axis=2)

    def rules(q):
        cell = {key: q[i] for i, key in enumerate(np.ndindex(mass.shape))}
        share = [strata[g].sum() for g in range(3)]
        rate = [(cell[g, 0, 1] + cell[g, 1, 1]) / share[g] for g in range(3)]
        found = [cell[g, y, 0] + cell[g, y, 1] == strata[g, y] for g, y in np.ndindex(3, 2)]
        found += [rate[g] >= 0.9 * rate[h] for g, h in np.ndindex(3, 3) if g != h]
        for y, gap in ((1, 0.05), (0, 0.08)):
            level = [cell[g, y, 1] / strata[g, y] for g in range(3)]
            found += [level[g] - level[h] <= gap for g, h in np.ndindex(3, 3) if g != h]
        correct = sum(cell[g, y, y] for g, y in np.ndindex(3, 2))
        return [*found, correct >= 0.62]

    assert found.kl == pytest.approx(solve_convex(mass, rules), abs=1e-8)
    assert found.residual < 1e-9
    assert found.duality_gap < 1e-10
    for name, value in zip(found.constraints, found.values_after, strict=True):
        assert (
            value <= wanted[name] + 1e-9 if "difference" in name else value >= wanted[name] - 1e-9
        )


def test_row_weights_meet_the_constraint_in_another_computation(rows):
    chosen, group, truth, _ = rows
    found = entropic_projection(chosen, group, constraints={"disparate_impact": 0.85})
    assert found.weights.sum() == pytest.approx(1)
    assert disparate_impact(chosen, group, sample_weight=found.weights).value == pytest.approx(0.85)
    odds = entropic_projection(
        chosen, group, y_true=truth, constraints={"equalized_odds_difference": 0.02}
    )
    measured = equalized_odds_difference(chosen, group, y_true=truth, sample_weight=odds.weights)
    assert measured.value == pytest.approx(0.02)


@pytest.mark.parametrize("margin", ["fixed", "free"])
@pytest.mark.parametrize("name", ["equal_opportunity_ratio", "equalized_odds_ratio"])
def test_odds_reach_their_target_and_nothing_else_moves(rows, name, margin):
    chosen, group, truth, _ = rows
    found = entropic_projection(
        chosen, group, y_true=truth, constraints={name: 0.95}, margin=margin
    )
    assert found.values_after[0] == pytest.approx(0.95)
    if margin == "fixed":
        np.testing.assert_allclose(found.mass_after.sum(axis=2), found.mass_before.sum(axis=2))
    else:
        fixed = entropic_projection(chosen, group, y_true=truth, constraints={name: 0.95})
        assert found.kl <= fixed.kl


def test_closed_form_and_newton_agree(rows):
    chosen, group, truth, _ = rows
    closed = entropic_projection(chosen, group)
    newton = entropic_projection(
        chosen, group, y_true=truth, constraints={"disparate_impact": 0.8, "accuracy": 1e-6}
    )
    assert newton.method == "newton"
    # Shares of group and outcome are kept there, of groups only here: never cheaper.
    assert newton.kl >= closed.kl - 1e-12
    kept = entropic_projection(chosen, group, keep=np.zeros((900, 1)))
    assert kept.kl == pytest.approx(closed.kl, abs=1e-12)


def test_kept_means_stay_and_cost_more(shared_data):
    arrays = np.load(shared_data / "inspection_arrays" / "adult.npz")
    x, s, y = arrays["X"].astype(float), arrays["s"], arrays["yhat"]
    found = entropic_projection(y, s, keep=x)
    assert found.kl == pytest.approx(0.02588276, abs=5e-9)
    np.testing.assert_allclose(found.weights @ x, x.mean(axis=0), atol=1e-10)
    within = entropic_projection(y, s, keep=x, keep_by_group=True)
    assert within.kl == pytest.approx(0.05898344, abs=5e-9)
    assert within.effective_sample_size < found.effective_sample_size < 1


def test_kept_categories_keep_their_shares(rows):
    chosen, group, _, x = rows
    frame = pd.DataFrame({"x": x[:, 0], "kind": np.where(x[:, 1] > 0, "u", "v")})
    found = entropic_projection(chosen, group, keep=frame)
    share = found.weights @ (frame["kind"] == "u")
    assert share == pytest.approx((frame["kind"] == "u").mean())


def test_order_of_rows_and_names_of_labels_do_not_matter(rows):
    chosen, group, truth, _ = rows
    options = {"constraints": {"disparate_impact": 0.9, "equal_opportunity_ratio": 0.9}}
    first = entropic_projection(chosen, group, y_true=truth, **options)
    order = np.random.default_rng(0).permutation(len(chosen))
    renamed = np.char.add("z", group)
    again = entropic_projection(chosen[order], renamed[order], y_true=truth[order], **options)
    assert again.kl == pytest.approx(first.kl, rel=1e-12)
    np.testing.assert_allclose(again.weights, first.weights[order], rtol=1e-9)


def test_weights_of_rows_count_like_copies(rows):
    chosen, group, _, _ = rows
    weight = np.random.default_rng(1).integers(1, 4, len(chosen))
    copied = entropic_projection(np.repeat(chosen, weight), np.repeat(group, weight))
    weighted = entropic_projection(chosen, group, sample_weight=weight)
    assert weighted.kl == pytest.approx(copied.kl, rel=1e-12)


def test_data_that_meet_the_target_stay():
    counts = table(PUBLISHED["adult"][0])
    found = entropic_projection(counts, constraints={"disparate_impact": 0.2})
    assert found.kl == 0
    assert found.method == "none needed"
    np.testing.assert_array_equal(found.mass_after, found.mass_before)
    assert "already" in found.note


class TestBadInput:
    @pytest.mark.parametrize("target", [0, -1, 1.2, np.nan, "0.8", True])
    def test_target_out_of_range(self, target):
        with pytest.raises(InputError, match="target"):
            entropic_projection(
                table(PUBLISHED["adult"][0]), constraints={"disparate_impact": target}
            )

    def test_unknown_name(self):
        with pytest.raises(InputError, match="constraints"):
            entropic_projection(table(PUBLISHED["adult"][0]), constraints={"parity": 0.8})

    def test_outcome_missing(self):
        with pytest.raises(InputError, match="y_true"):
            entropic_projection([0, 1], ["a", "b"], constraints={"equalized_odds_ratio": 0.8})

    def test_missing_label(self):
        with pytest.raises(InputError, match="missing"):
            entropic_projection([0, 1, 1], ["a", None, "b"])

    def test_one_group(self):
        with pytest.raises(InputError, match="one group"):
            entropic_projection([0, 1], ["a", "a"])

    def test_empty_group(self):
        counts = GroupCounts.from_frame({"s": [0, 1], "n": [0, 5], "selected": [0, 2]}, "s")
        with pytest.raises(DegenerateDataError, match="no rows"):
            entropic_projection(counts)

    def test_no_favourable_decision_at_all(self):
        with pytest.raises(DegenerateDataError, match="favourable"):
            entropic_projection([0, 0, 0], ["a", "b", "b"])

    def test_no_favourable_decision_in_a_group(self):
        with pytest.raises(InputError, match="wasserstein_projection"):
            entropic_projection([0, 0, 1, 0], ["a", "a", "b", "b"])

    def test_no_row_with_the_outcome(self):
        with pytest.raises(DegenerateDataError, match="outcome"):
            entropic_projection(
                [0, 1, 1, 0],
                ["a", "a", "b", "b"],
                y_true=[0, 0, 1, 1],
                constraints={"equal_opportunity_ratio": 0.9},
            )

    def test_constraints_that_exclude_each_other(self, rows):
        chosen, group, truth, _ = rows
        with pytest.raises(InputError, match="No reweighting"):
            entropic_projection(
                chosen,
                group,
                y_true=truth,
                constraints={"equalized_odds_ratio": 1.0, "accuracy": 0.9999},
                keep=chosen[:, None] * truth[:, None],
            )

    def test_published_split_of_three_groups(self, rows):
        with pytest.raises(InputError, match="two groups"):
            entropic_projection(rows[0], rows[1], split="balanced")

    def test_free_margin_with_several_constraints(self, rows):
        chosen, group, truth, _ = rows
        with pytest.raises(InputError, match="margin"):
            entropic_projection(
                chosen,
                group,
                y_true=truth,
                constraints={"disparate_impact": 0.9, "accuracy": 0.5},
                margin="free",
            )

    def test_keep_with_counts(self):
        with pytest.raises(InputError, match="keep"):
            entropic_projection(table(PUBLISHED["adult"][0]), keep=np.zeros((3, 1)))

    def test_counts_together_with_rows(self):
        with pytest.raises(InputError, match="counts"):
            entropic_projection(table(PUBLISHED["adult"][0]), [1, 0])
