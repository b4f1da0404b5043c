"""Fair prediction of later domains on real tables, beside all baselines and the constant predictor.

Three tables: stops of the New York police (arrests; 36 months, the last 12 are the future), incomes
of the American Community Survey (years 2013 to 2017, the last is the future) and two-year
recidivism (months 0 to 14, the last four are the future; later months are truncated outcomes).
Nobody is observed in two groups, so that unfairness is estimated from the rows to be judged, with
sampling bounds, and bounded without any model of the mechanism ("margins"). The estimate uses the
same kind of abduction as our model, which may favour it.

    python examples/papers/cdsae_real_data.py [--rows 12000] [--no-network] [--tables compas,acs]
"""

import argparse
import time
import warnings

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from shiftlab._core.optional import is_installed
from shiftlab.generalization import (
    BaselineClassifier,
    CDSAEClassifier,
    CounterfactuallyFairClassifier,
    counterfactual_bounds,
    counterfactual_effects,
    evaluate_generalization,
)

NYPD_REASONS = ["rf_vcrim", "rf_furt", "rf_bulg", "cs_objcs", "cs_descr", "ac_rept", "ac_incid"]


def nypd():
    """Stops: was the person arrested? Race in three groups, 36 months."""
    from shiftlab.datasets import fetch_nypd_sqf

    stops = fetch_nypd_sqf().frame
    stops = stops[stops["race"].isin(["B", "Q", "P", "W"]) & stops["age"].between(10, 90)]
    race = stops["race"].map({"B": "black", "Q": "hispanic", "P": "hispanic", "W": "white"})
    month = (stops["year"] - 2014) * 12 + stops["month"] - 1
    X = stops[NYPD_REASONS].astype(float)
    X["age (log)"] = np.log(stops["age"])
    X["observed (log)"] = np.log1p(stops["observed_min"])
    X["inside"] = (stops["inside_outside"] == "I").astype(float)
    X["radio"] = stops["radio"].astype(float)
    X["male"] = (stops["sex"] == "M").astype(float)
    return X, stops["arstmade"].to_numpy(), race.to_numpy(), month.to_numpy(), 24


def acs():
    """Incomes above the median by age and marriage; sex, five years."""
    from shiftlab.datasets import fetch_acs_2013_2017

    people = fetch_acs_2013_2017().frame
    people = people[people["agep"].between(18, 80)]
    X = pd.DataFrame({"age": people["agep"], "age squared": people["agep"] ** 2 / 100.0})
    for code, name in ((1, "married"), (2, "widowed"), (3, "divorced"), (5, "never married")):
        X[name] = (people["mar"] == code).astype(float)
    y = (people["pincp"] * people["adjinc"] > 25_000).astype(int)
    sex = people["sex"].map({1: "male", 2: "female"})
    return X.astype(float), y.to_numpy(), sex.to_numpy(), people["year"].to_numpy(), 2017


def compas():
    """Two-year recidivism; race in two groups, 15 months."""
    from shiftlab.datasets import fetch_compas

    people = fetch_compas().frame
    people = people[people["race"].isin(["African-American", "Caucasian"])]
    people = people[people["days_b_screening_arrest"].between(-30, 30)]
    day = pd.to_datetime(people["compas_screening_date"])
    month = ((day.dt.year - 2013) * 12 + day.dt.month - 1).to_numpy()
    people, month = people[month <= 14], month[month <= 14]
    juvenile = people[["juv_fel_count", "juv_misd_count", "juv_other_count"]].sum(axis=1)
    X = pd.DataFrame({"age": people["age"], "priors (log)": np.log1p(people["priors_count"])})
    X["juvenile (log)"] = np.log1p(juvenile)
    X["felony"] = (people["c_charge_degree"] == "F").astype(float)
    X["male"] = (people["sex"] == "Male").astype(float)
    return (
        X.astype(float),
        people["two_year_recid"].to_numpy(),
        people["race"].to_numpy(),
        month,
        11,
    )


TABLES = {"nypd": nypd, "acs": acs, "compas": compas}


def methods(network):
    plain = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    found = {
        "counterfactually fair": CounterfactuallyFairClassifier(random_state=0),
        "with the attribute": BaselineClassifier("erm", estimator=plain),
        "blind to it": BaselineClassifier("blind", estimator=plain),
        "network with it": BaselineClassifier("erm", random_state=0),
    }
    if is_installed("fairlearn"):
        found["correlation remover"] = BaselineClassifier("correlation_remover", estimator=plain)
        found["reductions"] = BaselineClassifier("reductions", random_state=0)
    if network and is_installed("torch"):
        found["CDSAE on terms"] = CDSAEClassifier(random_state=0, max_epochs=20)
    return found


def rows_of(name, n_rows, network):
    X, y, group, when, cut = TABLES[name]()
    if len(X) > n_rows:
        chosen = np.sort(np.random.default_rng(0).choice(len(X), n_rows, replace=False))
        X, y, group, when = X.iloc[chosen], y[chosen], group[chosen], when[chosen]
    late = when >= cut
    target = X[late], group[late], when[late]
    for method, model in methods(network).items():
        start = time.process_time()
        model.fit(X[~late], y[~late], group[~late], when[~late])
        seconds = time.process_time() - start
        means = evaluate_generalization(model, target[0], y[late], *target[1:]).summary().iloc[0]
        effects = counterfactual_effects(model, *target, n_resamples=5, random_state=0)
        margins = counterfactual_bounds(model, *target, n_resamples=10, random_state=0)
        yield {
            "table": name,
            "method": method,
            "accuracy": means["accuracy"],
            "beyond constant": means["gain"],
            "parity": means["demographic_parity"],
            "unfairness (est.)": effects.unfairness,
            "low": effects.low,
            "high": effects.high,
            "margins": "{:.3f} to {:.3f}".format(*margins.of("score")),
            "seconds": seconds,
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=12_000, help="at most, drawn at random")
    parser.add_argument("--tables", default="nypd,acs,compas")
    parser.add_argument("--no-network", action="store_true", help="leave out the autoencoder")
    options = parser.parse_args()
    for name in options.tables.split(","):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # networks and fairlearn warn of convergence
            table = pd.DataFrame(list(rows_of(name, options.rows, not options.no_network)))
        print(table.round(3).to_string(index=False), flush=True)


if __name__ == "__main__":
    main()
