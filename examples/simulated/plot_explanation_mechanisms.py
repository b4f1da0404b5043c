"""
Which mechanism makes explanations unequal? Sixteen worlds
==========================================================

Explanations of a model can be less faithful for one group of people than for another. Four things
that are known to cause it rarely come alone: the group has few training rows, its covariates come
from another range, its outcome follows another rule, and a covariate is missing. If all four are
present and the gap is small, are they harmless?

A simulated world can switch each of them on and off. Over the sixteen worlds, the Shapley value of
a mechanism is its average effect over all orders of switching them on; the values add up to the gap
with everything on minus the gap with nothing.
"""

import matplotlib.pyplot as plt

from shiftlab.explanation import (
    ExplanationDisparityStudy,
    LimeExplainer,
    MechanismWorld,
    NetworkClassifier,
    attribute_disparity,
)

mechanisms = ("imbalance", "covariate", "concept", "omission")
study = ExplanationDisparityStudy(
    MechanismWorld(n_train=2000, n_test=300, include_sensitive=True),
    {name: [False, True] for name in mechanisms},
    models={"network": NetworkClassifier((30, 30), epochs=15)},
    explainers={"lime": LimeExplainer(n_samples=200, standard_errors=False)},
    metrics=["mae", "accuracy"],
    n_replicates=4,
    random_state=0,
)
result = study.run()
print(result)

# %%
# Group 0 is the one that the mechanisms touch, and a positive gap means that it is explained worse.
# All worlds of a replicate share their random numbers, which makes the parts precise.

attribution = attribute_disparity(result)
table = attribution.to_frame()
print(table[["metric", "mechanism", "value", "mcse", "same_sign"]].round(4).to_string(index=False))

# %%
# The parts differ in sign, and from metric to metric. On the probability scale the omitted
# covariate makes group 0 worse off and the covariate shift makes it better off, so that the total
# says little about either.

figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
for ax, metric in zip(axes, ["mae", "accuracy"], strict=True):
    attribution.plot(ax, metric=metric)
    ax.set_title({"mae": "error on the probability scale", "accuracy": "labels"}[metric])
plt.show()

# %%
# Pairs can matter more than single mechanisms: this is the largest interaction by each metric.

pairs = attribution.interactions()
largest = pairs.loc[pairs.groupby("metric")["value"].apply(lambda v: v.abs().idxmax())]
print(largest[["metric", "mechanism", "with", "value", "mcse"]].round(4).to_string(index=False))

# %%
# One cell can be opened: its data, its model and its explanations.

cell = study.replay({"imbalance": True, "covariate": True, "concept": True, "omission": True}, 0)
print(cell)
print(cell.explanation)
