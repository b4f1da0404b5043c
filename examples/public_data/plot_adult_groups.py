"""
Intersections and small groups: a model on Adult
================================================

A model learns from the census table *Adult* (1994) who earns more than 50,000 dollars, and decides
about persons it has not seen. How do its decisions differ by sex, by race, and by both together,
and what must not be shown because too few persons are behind it?
"""

import matplotlib.pyplot as plt
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from shiftlab.datasets import fetch_adult
from shiftlab.metrics import group_fairness

people = fetch_adult().frame
numbers = ["age", "education_num", "hours_per_week", "capital_gain", "capital_loss"]
rich = (people["income"] == ">50K").astype(int)
seen = (people["split"] == "train").to_numpy()
model = make_pipeline(StandardScaler(), LogisticRegression())
model.fit(people.loc[seen, numbers], rich[seen])
unseen = people[~seen]
decision = model.predict(unseen[numbers])
print(f"{len(unseen):,} persons, {decision.mean():.1%} decided on favourably")

# %%
# The model never saw sex or race. That does not make its decisions alike: the columns it saw are
# not alike.

employer = unseen["workclass"].fillna("other or unknown")
employer = employer.replace(dict.fromkeys(["Federal-gov", "Local-gov", "State-gov"], "public"))
employer = employer.replace(dict.fromkeys(["Self-emp-inc", "Self-emp-not-inc"], "self-employed"))
employer = employer.replace(dict.fromkeys(["Never-worked", "Without-pay"], "other or unknown"))
result = group_fairness(
    decision,
    unseen[["sex", "race"]],
    y_true=rich[~seen],
    environment=employer,
    min_count=10,
)
pooled = result.metrics[result.metrics["environment"] == "pooled"]
shown = pooled[pooled["metric"].isin(["disparate_impact", "equal_opportunity_difference"])]
print(
    shown[["feature", "metric", "value", "low", "high", "group", "reference"]].round(2).to_string()
)

# %%
# Read the lines in this order: how far apart (``value``), how well known (``low`` to ``high``),
# and between whom. Among the intersections the extreme pair was picked from ten groups, and the
# interval is widened for that.

figure, ax = plt.subplots(figsize=(7, 5.2), layout="constrained")
result.plot(ax=ax)
plt.show()

# %%
# Small counts
# ------------
#
# By kind of employer some groups are tiny. Groups below ``min_count`` are hidden, and more with
# them: if one group of a table were hidden alone, its count would be the total minus the others.

groups = result.groups[result.groups["feature"] == "sex / race"]
hidden = groups[groups["suppressed"]]
print(f"{len(hidden)} of {len(groups)} lines are hidden")
print(hidden.groupby("environment").size().to_string())

# %%
# What is hidden is left out of the disparities too, and their notes say so.

notes = result.metrics.loc[
    result.metrics["note"] != "", ["environment", "feature", "metric", "note"]
]
print(notes.head(6).to_string(index=False))
