import pytest

from shiftlab.metrics import GroupCounts

# The worked example in the rules of New York City's Local Law 144 (6 RCNY 5-301): applicants, and
# the selected that give the printed selection rates.
LL144_SEX = {"sex": ["Male", "Female"], "n": [92, 76], "selected": [50, 34]}
LL144_RACE = {
    "race": ["Hispanic", "White", "Black", "Pacific", "Asian"],
    "n": [28, 40, 32, 8, 24],
    "selected": [18, 15, 16, 5, 10],
}


@pytest.fixture
def ll144_sex():
    return GroupCounts.from_frame(LL144_SEX, "sex")


@pytest.fixture
def ll144_race():
    return GroupCounts.from_frame(LL144_RACE, "race")


@pytest.fixture
def make_counts():
    """Build counts from one list of numbers per group: (n, selected) or (tn, fp, fn, tp)."""

    def make(**groups):
        frame = {"g": list(groups)}
        values = list(zip(*groups.values(), strict=True))
        names = ("n", "selected") if len(values) == 2 else ("tn", "fp", "fn", "tp")
        frame |= dict(zip(names, values, strict=True))
        return GroupCounts.from_frame(frame, "g", confusion=names if len(values) == 4 else None)

    return make
