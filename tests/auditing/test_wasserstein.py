"""Wasserstein projection on cells and on the data: linear programs, published arrays."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linprog
from scipy.spatial.distance import cdist

from shiftlab.auditing import wasserstein_projection
from shiftlab.auditing._wasserstein_neighbours import nearest_in_cells, nearest_rows
from shiftlab.exceptions import DegenerateDataError, InputError
from shiftlab.metrics import GroupCounts


def load(shared_data, name):
    arrays = np.load(shared_data / "inspection_arrays" / f"{name}.npz")
    return arrays["X"].astype(float), arrays["s"], arrays["yhat"]


def people(n=150, n_groups=2, seed=0):
    rng = np.random.default_rng(seed)
    group = rng.integers(0, n_groups, n)
    x = rng.normal(size=(n, 2)) + group[:, None] / 2
    chosen = (x.sum(axis=1) + rng.normal(size=n) > 0.5).astype(int)
    return chosen, group, x


def program(chosen, group, x, target, p, top, fixed=False):
    """Solve the whole transport to all rows of the data as one linear program, top rate given."""
    n, n_groups = len(chosen), group.max() + 1
    squared = cdist(x, x, "sqeuclidean") + (group[:, None] != group) + (chosen[:, None] != chosen)
    cost = squared if p == 2 else np.sqrt(squared)
    if fixed:
        cost = np.where(group[:, None] != group, 1e6, cost)
    rules = []
    for g in range(n_groups):
        inside = (group == g).astype(float)
        rules += [inside * (target * top - chosen), inside * (chosen - top)]
    found = linprog(
        cost.ravel(),
        A_ub=np.array([np.tile(rule, n) for rule in rules]),
        b_ub=np.zeros(len(rules)),
        A_eq=np.kron(np.eye(n), np.ones(n)),
        b_eq=np.full(n, 1 / n),
        method="highs",
    )
    return found.fun if found.status == 0 else np.inf


@pytest.mark.parametrize(("p", "fixed"), [(1, False), (2, False), (1, True)])
@pytest.mark.parametrize("n_groups", [2, 3])
def test_optimum_is_that_of_the_full_linear_program(p, fixed, n_groups):
    chosen, group, x = people(60, n_groups)
    margin = "fixed" if fixed else "free"
    found = wasserstein_projection(chosen, group, x, p=p, margin=margin, target=0.95, scale="none")
    rates = found.mass_after[:, 1] / found.mass_after.sum(axis=1)
    best = program(chosen, group, x, 0.95, p, rates.max(), fixed)
    assert found.cost == pytest.approx(best, abs=1e-7)  # tolerance of the other solver
    tops = np.linspace(rates.max() - 0.05, rates.max() + 0.05, 5)
    assert min(program(chosen, group, x, 0.95, p, top, fixed) for top in tops) > best - 1e-6
    assert found.duality_gap < 1e-8
    assert found.value_after == pytest.approx(0.95, abs=1e-8)


@pytest.mark.parametrize(
    ("name", "on_cells", "on_data"),
    [
        ("adult", 0.050021, 0.05571),
        pytest.param("asc_emp", 0.055655, 0.082929, marks=pytest.mark.slow),
        pytest.param("asc_inc", 0.005699, 0.005704, marks=pytest.mark.slow),
    ],
)
def test_published_arrays(shared_data, name, on_cells, on_data):
    x, s, y = load(shared_data, name)
    cells = wasserstein_projection(y, s)
    assert on_cells - 2e-6 < cells.distance <= on_cells
    found = wasserstein_projection(y, s, x, scale="none")
    assert found.distance <= on_data
    assert found.distance >= cells.distance
    assert found.value_after == pytest.approx(0.8, abs=1e-8)


def test_memory_grows_with_rows_not_with_pairs():
    y, s, x = people(3000)
    tracemalloc.start()
    try:
        wasserstein_projection(y, s, x, scale="none")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2.4e7  # the distances of all pairs take 7.2e7


def test_plan_leads_from_the_rows_to_the_masses_after():
    chosen, group, x = people()
    found = wasserstein_projection(chosen, group, x, target=0.95, scale="none")
    mass = found.mass_before.ravel().copy()
    np.add.at(mass, found.cells_from, -found.mass)
    np.add.at(mass, found.cells_to, found.mass)
    np.testing.assert_allclose(mass, found.mass_after.ravel(), atol=1e-12)
    cells = group * 2 + chosen
    np.testing.assert_array_equal(cells[found.rows_from], found.cells_from)
    np.testing.assert_array_equal(cells[found.rows_to], found.cells_to)
    np.testing.assert_array_equal(found.ends, x[found.rows_to])
    assert found.cost == pytest.approx(found.mass @ found.steps)
    frame = found.to_frame()
    assert frame["mass"].sum() == pytest.approx(found.mass.sum())


def test_columns_stay_on_the_support_of_the_data():
    chosen, group, x = people()
    frame = pd.DataFrame({"kind": np.where(x[:, 0] > 0, "u", "v"), "n": np.rint(x[:, 1])})
    found = wasserstein_projection(chosen, group, frame, target=0.95)
    known = {tuple(row) for row in np.round([*found.starts, *found.ends], 9)}
    rows = np.c_[frame["kind"] == "u", frame["kind"] == "v", frame["n"]]
    assert len(found.mass) > 0
    assert known <= {tuple(row) for row in rows}


def test_group_named_as_a_column_is_no_coordinate():
    chosen, group, x = people()
    frame = pd.DataFrame(x, columns=["a", "b"])
    first = wasserstein_projection(chosen, group, frame)
    second = wasserstein_projection(chosen, "s", frame.assign(s=group))
    assert first.distance == second.distance
    assert second.columns == ("a", "b")


def test_invariances():
    chosen, group, x = people()
    first = wasserstein_projection(chosen, group, x)
    order = np.random.default_rng(1).permutation(len(chosen))
    again = wasserstein_projection(chosen[order], group[order], x[order])
    assert again.distance == pytest.approx(first.distance, rel=1e-9)
    scaled = wasserstein_projection(chosen, group, x * 100 + 7)
    assert scaled.distance == pytest.approx(first.distance, rel=1e-9)


def test_data_that_meet_the_target_stay():
    chosen, group, x = people()
    found = wasserstein_projection(chosen, group, x, target=0.01)
    assert found.distance == 0
    assert len(found.mass) == 0
    assert found.plot() is not None


def test_neighbours_are_those_of_all_distances():
    rng = np.random.default_rng(2)
    points, cells = rng.normal(size=(300, 3)) + 1e4, rng.integers(0, 4, 300)
    cells[cells == 3] = 2
    distance, rows = nearest_in_cells(points, cells, 4)
    every = cdist(points, points)
    for cell in range(3):
        wanted = np.where(cells[None] == cell, every, np.inf).min(axis=1)
        wanted[cells == cell] = 0
        np.testing.assert_allclose(distance[:, cell], wanted, atol=1e-9)
    assert np.isinf(distance[:, 3]).all()
    assert (cells[rows[:, 0]] == 0).all()
    index, near = nearest_rows(points[:5], points, k=3)
    np.testing.assert_allclose(near, np.sort(every[:5], axis=1)[:, :3], atol=1e-9)
    assert (index[:, 0] == np.arange(5)).all()


class TestBadInput:
    @pytest.mark.parametrize("target", [0, 1.01, np.nan, None])
    def test_target(self, target):
        with pytest.raises(InputError, match="target"):
            wasserstein_projection([0, 1], ["a", "b"], target=target)

    def test_power(self):
        with pytest.raises(InputError, match="p must"):
            wasserstein_projection([0, 1], ["a", "b"], p=3)

    def test_missing_cell(self):
        with pytest.raises(InputError, match="missing"):
            wasserstein_projection([0, 1], ["a", "b"], [[1.0], [np.nan]])

    def test_missing_label(self):
        with pytest.raises(InputError, match="missing"):
            wasserstein_projection([0, 1, 1], ["a", "b", None], [[1.0], [2.0], [3.0]])

    def test_lengths(self):
        with pytest.raises(InputError, match="rows"):
            wasserstein_projection([0, 1, 1], ["a", "b"], [[1.0], [2.0]])

    def test_one_class(self):
        with pytest.raises(DegenerateDataError, match="favourable"):
            wasserstein_projection([0, 0], ["a", "b"])

    def test_counts_where_rows_are_needed(self):
        counts = GroupCounts.from_rows([0, 1, 1], ["a", "a", "b"])
        with pytest.raises(InputError, match="rows"):
            wasserstein_projection(counts, None, [[1.0]], support="data")

    def test_a_cell_that_is_needed_is_empty(self):
        with pytest.raises(InputError, match="cannot be reached"):
            wasserstein_projection(
                [0, 0, 1, 1], ["a", "a", "b", "b"], [[1.0], [2.0], [3.0], [4.0]], margin="fixed"
            )

    def test_cells_of_decisions_need_no_rows(self):
        found = wasserstein_projection([0, 0, 1, 1], ["a", "a", "b", "b"], margin="fixed")
        assert found.value_after == pytest.approx(0.8)

    def test_model_and_support_must_fit(self):
        with pytest.raises(InputError, match="model"):
            wasserstein_projection([0, 1], ["a", "b"], [[1.0], [2.0]], support="free")
        with pytest.raises(InputError, match="model"):
            wasserstein_projection([0, 1], ["a", "b"], [[1.0], [2.0]], support="data", model=len)
        with pytest.raises(InputError, match="needs X"):
            wasserstein_projection([0, 1], ["a", "b"], support="data")
