"""
For whom is an explanation faithful? A network on Adult
=======================================================

A small network learns from the census table *Adult* (1994) who earns more than 50,000 dollars, and
LIME explains its predictions. Are the explanations equally close to the network for women and for
men? And if they are not: is it who they are, or how they are explained?
"""

import matplotlib.pyplot as plt
from sklearn.compose import make_column_transformer
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from shiftlab.datasets import fetch_adult
from shiftlab.explanation import LimeExplainer, explanation_disparity, locality_curve, split_gap

people = fetch_adult().frame
people["married"] = people["marital_status"].str.startswith("Married-").astype(str)
numbers = ["age", "education_num", "hours_per_week"]
labels = ["married", "sex"]
columns = numbers + labels
rich = (people["income"] == ">50K").astype(int)
seen = (people["split"] == "train").to_numpy()
train, test = people.loc[seen, columns].iloc[:5000], people.loc[~seen, columns].iloc[:600]
model = make_pipeline(
    make_column_transformer(
        (StandardScaler(), numbers), (OneHotEncoder(handle_unknown="ignore"), labels)
    ),
    MLPClassifier((50,), max_iter=20, tol=0.01, random_state=0),
).fit(train, rich[seen].iloc[:5000])

# %%
# The pipeline takes a data frame with columns of labels, and so does the explainer. ``stratify``
# deals both groups out evenly over the blocks of rows that share their random draws.

explainer = LimeExplainer(n_samples=400, random_state=0).fit(train)
explanation = explainer.explain(model, test, stratify=test["sex"])
print(explanation)

# %%
# Several metrics, signed, with intervals that know the blocks. They need not agree: the size of the
# errors can be alike while their sign is not. ``signed`` is the model minus its explanation.

found = explanation_disparity(explanation, test["sex"], random_state=0)
columns = ["metric", "group", "reference", "difference", "low", "high", "pvalue_adjusted"]
print(found.pairs[columns].round(4).to_string(index=False))

# %%
# The absolute gap beside what it would be if groups meant nothing.

shown = ["metric", "kind", "value", "null_mean", "excess"]
print(found.gaps[shown].round(4).to_string(index=False))

# %%
# Composition or treatment
# ------------------------
#
# Women are weighted to resemble men in age, education, hours and in what the network predicts for
# them. What remains of the gap is unexplained by that.

parts = split_gap(explanation, test["sex"], test[numbers], metrics=("mae",), random_state=0)
print(parts)

# %%
# A smaller neighbourhood
# -----------------------
#
# Most of the error of LIME is the width of its neighbourhood. A smaller one is closer to the
# network for everybody, and the values get noisier.

curve = locality_curve(
    explainer, model, test, test["sex"], scales=(1.0, 0.5), metrics=["mae"], random_state=0
)
print(curve.table[["variant", "overall", "gap", "null_mean", "mc_noise"]].round(4).to_string())

figure, axes = plt.subplots(1, 2, figsize=(10, 2.8), layout="constrained")
found.plot(ax=axes[0], metric="mae")
curve.plot(ax=axes[1])
plt.show()
