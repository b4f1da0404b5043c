"""
Stops in New York, month by month: a table on which nothing is gained
=====================================================================

A random part of the stops of 2014 to 2016. Models learn from 24 months whether a stop ends in an
arrest, and are used on the 12 months after them. Nobody is observed in two groups: effects of race
are estimated from the months to be judged, and bounded from margins alone.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from shiftlab.datasets import fetch_nypd_sqf
from shiftlab.generalization import (
    BaselineClassifier,
    CounterfactuallyFairClassifier,
    counterfactual_bounds,
    counterfactual_effects,
    evaluate_generalization,
)

stops = fetch_nypd_sqf().frame
stops = stops[stops["race"].isin(["B", "W"]) & stops["age"].between(10, 90)]
stops = stops.sample(6000, random_state=0).sort_values(["year", "month"])
race = stops["race"].map({"B": "black", "W": "white"}).to_numpy()
month = ((stops["year"] - 2014) * 12 + stops["month"] - 1).to_numpy()
X = stops[["rf_vcrim", "rf_furt", "rf_bulg", "cs_objcs", "ac_rept", "ac_incid"]].astype(float)
X["age (log)"] = np.log(stops["age"])
X["observed (log)"] = np.log1p(stops["observed_min"])
X["inside"] = (stops["inside_outside"] == "I").astype(float)
y = stops["arstmade"].to_numpy()
early = month < 24

# %%
# Three models and the constant predictor
# ---------------------------------------

rows = X[early], y[early], race[early], month[early]
plain = make_pipeline(StandardScaler(), LogisticRegression())
models = {
    "counterfactually fair": CounterfactuallyFairClassifier().fit(*rows),
    "with race": BaselineClassifier("erm", estimator=plain).fit(*rows),
    "blind to race": BaselineClassifier("blind", estimator=plain).fit(*rows),
}
late = X[~early], race[~early], month[~early]
judged = evaluate_generalization(models, late[0], y[~early], *late[1:])
print(judged)
options = {"n_resamples": 5, "random_state": 0}
effects = {name: counterfactual_effects(m, *late, **options) for name, m in models.items()}
bounds = {name: counterfactual_bounds(m, *late, **options) for name, m in models.items()}
for name, found in effects.items():
    low, high = bounds[name].of("score")
    print(f"{name:22s} {found}; margins allow {low:.3f} to {high:.3f}")

# %%
# Left: accuracy beyond the constant predictor in each month; large dots are means. Right: estimated
# movement of the score in another group (dots), with sampling bounds (thick), and what margins
# alone allow (thin). No model is better than the constant predictor, which is perfectly fair, and
# the estimate gives the fair model no advantage over the one that is blind to race. Where the
# features hardly predict, taking effects out of them mostly adds noise: use none of the three.

figure, axes = plt.subplots(1, 2, figsize=(10.5, 3.8), layout="constrained")
judged.plot(ax=axes[0])
for i, (name, found) in enumerate(effects.items()):
    axes[1].plot(bounds[name].of("score"), [i, i], color="#9aa5b1", lw=1)
    axes[1].plot([found.low, found.high], [i, i], color="#3b6ea5", lw=4)
    axes[1].plot(found.unfairness, i, "o", color="black")
axes[1].set_yticks(range(len(effects)), effects)
axes[1].set_xlim(left=0)
axes[1].set_ylim(-0.5, len(effects) - 0.5)
axes[1].set(xlabel="movement of the score in another group", title="months 24 to 35")
plt.show()

# %%
# .. admonition:: What this is not
#
#    Being stopped is itself a decision, and only stops are in the table. A fair score of arrests
#    among the stopped says nothing about who is stopped.
