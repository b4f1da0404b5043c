"""Make the simulated lending table: ``python datasets/lending/make.py`` writes it beside this file.

The table is drawn from a structural causal model, so what differs between the regions is known;
``truth.json`` says it.
"""

import gzip
import json
from pathlib import Path
from typing import Any

import pandas as pd

from shiftlab.simulation import (
    Additive,
    Branch,
    Categorical,
    CoefficientShift,
    Discrete,
    Gaussian,
    Linear,
    MeanShift,
    Missingness,
    Mixture,
    Node,
    SimulatedData,
    StructuralModel,
    Threshold,
    Uniform,
)

SEED = 20260
ROWS = {"north": 1600, "south": 1250, "east": 1150, "harbour": 1000, "west": 928, "islands": 72}
DECIMALS = {"age": 0, "income": 1, "debt_ratio": 3, "credit_years": 1, "postcode_score": 0}
WHOLE = ("age", "postcode_score", "repaid", "approved")
COLUMNS = [
    "region", "sex", "age", "income", "employment", "debt_ratio", "credit_years", "postcode_score",
    "repaid", "approved",
]  # fmt: skip


def build_model() -> StructuralModel:
    """Return the lender: nodes in causal order, and what each region changes."""
    working_age = Mixture((Uniform(20.0, 45.0), Uniform(30.0, 75.0)), (0.5, 0.5))
    employment = Categorical(
        {
            "employed": 1.8,
            "retired": Branch("age", 61.0, below=-3.0, above=3.5),
            "self-employed": 0.2,
            "unemployed": -0.4,
        }
    )
    log_income = Linear(
        {
            "age": 0.035,
            "age^2": -0.00035,
            "sex=male": 0.10,
            "employment=self-employed": 0.10,
            "employment=retired": -0.35,
            "employment=unemployed": -0.75,
            "stability": 0.12,
        },
        intercept=2.75,
    )
    repayment = Linear(
        {
            "income": 0.045,
            "debt_ratio": -4.0,
            "credit_years": 0.04,
            "employment=unemployed": -0.6,
            "stability": 0.9,
        },
        intercept=1.1,
    )
    approval = Linear(
        {
            "income": 0.06,
            "debt_ratio": -6.0,
            "credit_years": 0.05,
            "postcode_score": 0.03,
            "employment=unemployed": -0.8,
            "sex=female": 0.0,
        },
        intercept=-17.6,
    )
    nodes = {
        "sex": Node(noise=Discrete({"female": 0.48, "male": 0.52})),
        "age": Node(noise=working_age),
        "stability": Node(hidden=True),
        "employment": Node(employment),
        "income": Node(Additive(log_income, output="exp"), Gaussian(0.32)),
        "debt_ratio": Node(
            Additive(Linear({"income": -0.012, "stability": -0.35}, -0.35), output="sigmoid"),
            Gaussian(0.55),
        ),
        "credit_years": Node(Additive(Linear({"age": 0.045}, -0.5), output="exp"), Gaussian(0.3)),
        "postcode_score": Node(Linear({"stability": 45.0, "income": 0.5}, 580.0), Gaussian(25.0)),
        "repaid": Node(Threshold(repayment)),
        "approved": Node(Threshold(approval)),
    }
    return StructuralModel(nodes, build_environments(), environment_name="region")


def build_environments() -> dict[str, list[Any]]:
    """Return what each region changes."""
    gaps = Missingness("income", 0.01)
    young_unknown = Missingness("credit_years", Linear({"age": -0.08}, intercept=-0.5))
    return {
        "north": [gaps],
        "south": [
            gaps,
            MeanShift("income", -0.35),
            CoefficientShift("approved", "sex=female", to=-0.9),
        ],
        "east": [gaps, young_unknown, CoefficientShift("postcode_score", "stability", factor=-1.0)],
        "harbour": [
            gaps,
            CoefficientShift("repaid", "income", to=0.0),
            CoefficientShift("repaid", "credit_years", to=0.15),
        ],
        "west": [gaps, CoefficientShift("approved", "sex=female", to=-1.6)],
        "islands": [],
    }


def draw() -> SimulatedData:
    """Sample the model with the fixed seed."""
    return build_model().sample(ROWS, random_state=SEED)


def make_table(data: SimulatedData) -> pd.DataFrame:
    """Return the observed table, rounded and in an order that carries no information."""
    table = data.frame[COLUMNS].round(DECIMALS)
    table = table.sample(frac=1.0, random_state=SEED).reset_index(drop=True)
    return table.astype(dict.fromkeys(WHOLE, int))


def make_truth(data: SimulatedData, table: pd.DataFrame) -> dict[str, Any]:
    """Return what was planted, and the rates that came out of it."""
    repaying = table[table["repaid"] == 1]
    return {
        "seed": SEED,
        "n_rows": {k: int(v) for k, v in table["region"].value_counts().sort_index().items()},
        "reference": "north",
        "planted": {
            "shifted_cause": {"region": "south", "variable": "income", "log_shift": -0.35},
            "changed_outcome": {
                "region": "harbour",
                "variable": "repaid",
                "change": "income no longer matters for repayment, credit_years matters more",
            },
            "broken_proxy": {
                "region": "east",
                "variable": "postcode_score",
                "change": "its relation with the hidden cause of repayment is reversed",
            },
            "biased_decisions": {
                "variable": "approved",
                "against": {"sex": "female"},
                "log_odds": {"south": -0.9, "west": -1.6},
            },
            "small_unchanged_region": "islands",
            "missing_cells": {k: int(v) for k, v in table.isna().sum().items() if v},
        },
        "targets": {k: list(v) for k, v in sorted(data.changed.items())},
        "hidden": list(data.model.hidden),
        "edges": sorted([a, b] for a, b in data.graph.edges),
        "rates": {
            "repaid": _rates(table, ["region"], "repaid"),
            "approved": _rates(table, ["region", "sex"], "approved"),
            "approved_among_repaying": _rates(repaying, ["region", "sex"], "approved"),
        },
        "model": data.model.to_dict(),
    }


def _rates(table: pd.DataFrame, keys: list[str], column: str) -> dict[str, Any]:
    rates = table.groupby(keys)[column].mean().round(3)
    if len(keys) == 1:
        return {str(key): float(value) for key, value in rates.items()}
    return {
        str(region): {str(sex): float(v) for sex, v in part.droplevel(0).items()}
        for region, part in rates.groupby(level=0)
    }


def main(folder: Path) -> None:
    """Write the table and its truth."""
    data = draw()
    table = make_table(data)
    text = table.to_csv(index=False, lineterminator="\n")
    # mtime=0: equal tables give equal files.
    (folder / "lending.csv.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    truth = json.dumps(make_truth(data, table), indent=1, allow_nan=False)
    (folder / "truth.json").write_text(truth + "\n")


if __name__ == "__main__":
    main(Path(__file__).parent)
