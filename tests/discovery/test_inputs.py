"""Every unusable or odd input has a defined answer."""

import json
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
import pandas as pd
import polars as pl
import pytest

from shiftlab.discovery import CDNOD, BootstrapDiscovery, driving_force, independent_changes
from shiftlab.exceptions import (
    ColumnNotFoundError,
    DegenerateDataError,
    DegenerateDataWarning,
    InputError,
    InputWarning,
    NumericalWarning,
    SmallSampleWarning,
)
from shiftlab.independence import FisherZ

RNG = np.random.default_rng(0)
N = 240
SITE = np.repeat(["north", "south", "east", "west"], N // 4)
A = RNG.normal(size=N) + (SITE == "north")
FRAME = pd.DataFrame({"a": A, "b": A + RNG.normal(size=N), "c": RNG.normal(size=N)})


@dataclass(frozen=True)
class Odd(FisherZ):
    """Fisher's test whose p-value of one pair is replaced, whatever is held fixed."""

    value: float = np.nan

    def _engine(self, variables):
        engine, names = super()._engine(variables), [v.name for v in variables]
        plain, pair = engine.evaluate, {names.index("a"), names.index("b")}
        engine.evaluate = lambda i, j, given: (
            plain(i, j, given)._replace(pvalue=self.value, effect=self.value)
            if {i, j} == pair
            else plain(i, j, given)
        )
        return engine


def test_undefined_pvalue_is_independence_with_a_warning():
    with pytest.warns(NumericalWarning, match="had no p-value.*b and a"):
        model = CDNOD(Odd()).fit(FRAME, environment=SITE)
    assert not model.graph_.has_edge("a", "b")
    assert "had no p-value" in model.result_.notes[-1]
    assert {row[2][0][1] for row in model.result_.test_paths if set(row[:2]) == {"a", "b"}} == {1.0}
    json.loads(model.result_.to_json())


def test_pvalue_of_exactly_zero_is_an_edge():
    model = CDNOD(Odd(value=0.0)).fit(FRAME, environment=SITE)
    assert model.graph_.has_edge("a", "b")
    (reason,) = [r for r in model.result_.edges if {r.source, r.target} == {"a", "b"}]
    assert reason.pvalue == 0.0
    assert len(model.result_.plot_tests().get_yticklabels()) == len(model.result_.test_paths)
    fdr = CDNOD(Odd(value=0.0), correction="fdr").fit(FRAME, environment=SITE)
    assert fdr.graph_.has_edge("a", "b")


def fit(frame=FRAME, environment=SITE, **options):
    return CDNOD("fisher_z", **options).fit(frame, environment=environment)


def test_constant_environment_changes_nothing():
    with pytest.warns(DegenerateDataWarning, match="constant"):
        model = fit(environment=["all"] * N)
    assert model.changing_ == []
    assert model.graph_.has_edge("a", "b")
    assert model.result_.driving_forces == ()
    with pytest.warns(DegenerateDataWarning, match="constant"):
        assert fit(environment=np.ones(N), environment_type="time").changing_ == []


def test_constant_column_is_isolated():
    with pytest.warns(DegenerateDataWarning, match="'k' does not vary"):
        model = fit(FRAME.assign(k=3.0))
    assert "k" in model.graph_.nodes
    assert model.graph_.neighbors("k") == ()
    assert "k" not in model.changing_
    assert model.result_.constant == ("k",)


@pytest.mark.parametrize("copy", [lambda v: v, lambda v: 5 - 2 * v])
def test_repeated_columns_are_merged_and_keep_their_edges(copy):
    with pytest.warns(DegenerateDataWarning, match=r"'twin' repeats column 'a'"):
        model = fit(FRAME.assign(twin=copy(FRAME["a"])))
    plain = fit()
    assert model.merged_ == {"twin": "a"}
    assert model.graph_ == plain.graph_
    assert model.changing_ == plain.changing_


def test_repeated_categories_are_merged_whatever_their_names():
    kind = np.where(FRAME["a"] > 0, "u", "v")
    other = np.where(FRAME["a"] > 0, "x", "a")
    with pytest.warns(DegenerateDataWarning, match="repeats"):
        assert fit(FRAME.assign(kind=kind, other=other)).merged_ == {"other": "kind"}


def test_linearly_dependent_columns_are_named():
    with pytest.warns(DegenerateDataWarning, match="'a', 'b', 's' are linearly dependent"):
        model = fit(FRAME.assign(s=FRAME["a"] + FRAME["b"]))
    assert set(model.graph_.nodes) == {"a", "b", "c", "s"}


def test_missing_cells():
    gaps = FRAME.copy()
    gaps.loc[:20, "b"] = np.nan
    with pytest.raises(InputError, match=r"Missing cells in '?b'?.*pairwise"):
        fit(gaps)
    model = fit(gaps, missing="pairwise")
    assert model.graph_.has_edge("a", "b")
    kernel = CDNOD(missing="pairwise").fit(gaps, environment=SITE)
    assert kernel.graph_.has_edge("a", "b")


def test_environment_with_missing_labels():
    labels = SITE.astype(object).copy()
    labels[3] = None
    with pytest.raises(InputError, match=r"1 missing value.*unknown"):
        fit(environment=labels)


def test_one_row_per_environment():
    with pytest.raises(DegenerateDataError, match=r"each of the 240 environments.*one row"):
        fit(environment=[f"e{i}" for i in range(N)])


def test_small_environments_are_named():
    labels = SITE.astype(object).copy()
    labels[:5] = "tiny"
    with pytest.warns(SmallSampleWarning, match="tiny"):
        fit(environment=labels)


def test_more_categories_than_rows_can_use():
    many = np.array([f"k{i}" for i in RNG.permutation(N)])
    model = CDNOD().fit(FRAME.assign(many=many), environment=SITE)
    assert model.graph_.has_edge("a", "b")


def test_a_single_variable():
    model = fit(FRAME[["a"]])
    assert model.changing_ == ["a"]
    assert model.graph_.edges == ()
    assert model.n_tests_ == 1


def test_too_few_rows():
    with pytest.raises(DegenerateDataError, match="n_samples=3"):
        fit(FRAME[:3], SITE[:3])


def test_without_environment_rows_are_taken_as_time():
    with pytest.warns(InputWarning, match="order of the rows is taken as time"):
        model = CDNOD("fisher_z").fit(FRAME)
    assert model.result_.environment == "time"


def test_whole_numbers_that_may_be_codes():
    coded = FRAME.assign(ward=RNG.integers(0, 4, N))
    with pytest.warns(InputWarning, match=r"'?ward'?: whole numbers with few distinct values"):
        fit(coded)
    fit(coded, categorical_features=["ward"])
    fit(coded, categorical_features=[3])


def test_wrong_lengths_and_names():
    with pytest.raises(InputError, match="239"):
        fit(environment=SITE[:-1])
    with pytest.raises(ColumnNotFoundError, match="'site'"):
        CDNOD(environment="site").fit(FRAME)
    with pytest.raises(InputError, match="given twice"):
        CDNOD(environment="a").fit(FRAME, environment=SITE)
    with pytest.raises(InputError, match="knowledge speaks of"):
        fit(knowledge={"changing": ["z"]})
    with pytest.raises(InputError, match="contradicts itself"):
        fit(knowledge={"required": [("a", "b")], "forbidden": [("a", "b")]})
    with pytest.raises(InputError, match="no driving force"):
        fit().driving_force("c")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": 0}, "alpha"),
        ({"max_cond": -1}, "max_cond"),
        ({"orient": "all"}, "orient"),
        ({"margin": -1}, "margin"),
        ({"correction": "holm"}, "correction"),
        ({"missing": "drop"}, "missing"),
        ({"environment_type": "site"}, "environment_type"),
        ({"lags": -1}, "lags"),
        ({"lags": 60}, "lags"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(InputError, match=message):
        fit(**options)


def test_unknown_tests_are_refused():
    with pytest.raises(InputError, match="ci_test"):
        CDNOD("pearson").fit(FRAME, environment=SITE)
    with pytest.raises(InputError, match="ci_test must be"):
        CDNOD(3).fit(FRAME, environment=SITE)


@pytest.mark.parametrize(
    "make",
    [
        lambda: SITE.tolist(),
        lambda: SITE[:, None],
        lambda: pd.Series(SITE, name="site"),
        lambda: pd.Categorical(SITE),
        lambda: pl.Series("site", SITE),
        lambda: np.unique(SITE, return_inverse=True)[1],
        lambda: np.unique(SITE, return_inverse=True)[1] * 1000.0,
        lambda: pd.DataFrame({"u": SITE, "v": np.where(SITE == "east", 1, 0)}),
    ],
)
def test_every_form_of_labels_gives_the_same_graph(make):
    assert fit(environment=make()).graph_ == fit().graph_


def test_numbers_and_dates_are_time():
    hours = pd.date_range("2024-01-01", periods=N, freq="h")
    by_date = fit(environment=hours)
    assert by_date.graph_ == fit(environment=np.arange(N)).graph_
    moving = FRAME.assign(a=FRAME["a"] + np.linspace(0, 3, N))
    force = fit(moving, environment=hours).driving_force("a")
    assert force.is_time
    assert str(force.points[0]).startswith("2024-01-01")


def test_context_columns_with_many_values_are_refused():
    context = pd.DataFrame({"site": SITE, "temperature": RNG.normal(size=N)})
    with pytest.raises(InputError, match=r"temperature'? has too many values"):
        fit(environment=context)


def test_months_as_text_are_times():
    months = [f"2024-{1 + i * 12 // N:02d}" for i in range(N)]
    model = fit(environment=months, environment_type="time")
    dates = fit(environment=pd.to_datetime(months), environment_type="time")
    assert model.augmented_graph_ == dates.augmented_graph_


def test_labels_that_cannot_be_time():
    with pytest.raises(InputError, match="cannot be read as time"):
        fit(environment_type="time")


def test_polars_and_named_columns():
    frame = pl.DataFrame(FRAME.assign(site=SITE))
    model = CDNOD("fisher_z", environment="site").fit(frame)
    assert model.graph_ == fit().graph_
    assert model.result_.environment == "site"
    if hasattr(frame, "__dataframe__") or not version("scikit-learn").startswith("1.6."):
        # scikit-learn 1.6 reads names through a protocol that polars has given up.
        assert list(model.feature_names_in_) == ["a", "b", "c", "site"]
    assert CDNOD("fisher_z", environment=3).fit(FRAME.assign(site=SITE)).graph_ == model.graph_


def test_a_variable_called_like_the_environment():
    frame = FRAME.rename(columns={"a": "environment"})
    model = fit(frame)
    assert model.result_.environment == "environment (environment)"
    assert model.graph_.has_edge("environment", "b")


def test_heavy_tails_do_not_hide_a_mechanism():
    rng = np.random.default_rng(1)
    site = np.repeat(np.arange(10), 100)
    x = rng.normal(size=10)[site] + rng.standard_t(2, size=1000)
    force = driving_force(x, environment=site)
    assert force.explained[0] > 0.5


def test_functions_check_their_arguments():
    with pytest.raises(InputError, match="differ in length"):
        independent_changes(A, A[:-1], SITE)
    with pytest.raises(DegenerateDataError, match="at least 5"):
        independent_changes(A, FRAME["b"].to_numpy(), SITE)
    with pytest.raises(InputError, match="missing cells"):
        driving_force(np.where(A > 1, np.nan, A), environment=SITE)
    with pytest.raises(DegenerateDataError, match="constant"):
        driving_force(A, environment=np.ones(N))
    with pytest.raises(InputError, match="environment is needed"):
        driving_force(A, environment=None)


def test_bootstrap_checks_its_options():
    with pytest.raises(InputError, match="resampling"):
        BootstrapDiscovery(CDNOD("fisher_z"), resampling="half").fit(FRAME, environment=SITE)
    with pytest.raises(InputError, match="n_resamples"):
        BootstrapDiscovery(CDNOD("fisher_z"), n_resamples=0).fit(FRAME, environment=SITE)


def test_bootstrap_refuses_lags():
    with pytest.raises(InputError, match="have no past"):
        BootstrapDiscovery(CDNOD("fisher_z", lags=1)).fit(FRAME, environment=SITE)


@pytest.mark.filterwarnings("ignore::shiftlab.exceptions.DegenerateDataWarning")
def test_knowledge_about_a_merged_column():
    with pytest.raises(InputError, match="state what is known about 'a' instead"):
        fit(FRAME.assign(twin=FRAME["a"]), knowledge={"changing": ["twin"]})
