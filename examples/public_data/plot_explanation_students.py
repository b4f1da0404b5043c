"""
Certified to be small: explanations for law students of four groups
===================================================================

A logistic model predicts from grades who passes the bar (*Law School*, 1991 cohort). For a linear
model LIME needs no call of the model, so all of 20,000 students are explained in seconds. With so
many rows the question is no longer whether a gap is beyond chance, but whether it matters.
"""

import matplotlib.pyplot as plt
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from shiftlab.datasets import fetch_law_school
from shiftlab.explanation import LimeExplainer, explanation_disparity

students = fetch_law_school().frame
columns = ["lsat", "ugpa", "zfygpa", "fulltime", "fam_inc"]
X, passed = students[columns], students["pass_bar"]
sex = students["male"].map({0: "women", 1: "men"})
groups = students[["race"]].assign(sex=sex)
model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, passed)

explainer = LimeExplainer(n_samples=1000, random_state=0).fit(X)
explanation = explainer.explain(model, X, stratify=groups)
print(explanation)

# %%
# Every pair of groups is compared. ``equivalence_pvalue`` belongs to the hypothesis that the
# difference is at least 0.02: where it is small, the absence of a larger one is certified.

found = explanation_disparity(
    explanation, groups, metrics=["mae"], equivalence_margin=0.02, n_resamples=499, random_state=0
)
shown = ["group", "reference", "difference", "low", "high", "pvalue_adjusted", "equivalence_pvalue"]
print(found.pairs[shown].round(4).to_string(index=False))

# %%
# The logistic curve is nearly straight in the middle and bends where passing is almost certain;
# groups differ in where their members stand on it, which is all that can differ here.

standing = groups.assign(prediction=explanation.prediction)
print(standing.groupby(["race", "sex"])["prediction"].mean().round(3).to_string())

figure, axes = plt.subplots(1, 2, figsize=(10, 3), layout="constrained")
found.plot(ax=axes[0])
explanation.plot(ax=axes[1])
plt.show()
