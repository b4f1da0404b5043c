"""
Fair-washing: where the rows go
===============================

The decisions of a network on *Adult* favour one group: of two, the less favoured is selected 0.30
times as often. How little has to be changed until a sample shows a ratio of 0.8? Three answers:
weights, rows that become other rows, and rows that cross the network's decision boundary.

The arrays and the network are those of the study `Exposing the illusion of fairness
<https://arxiv.org/abs/2507.20708>`_.
"""

import matplotlib.pyplot as plt
import numpy as np

from shiftlab.auditing import DenseNetwork, entropic_projection, wasserstein_projection
from shiftlab.datasets import fetch_inspection_arrays

extras = fetch_inspection_arrays(table="adult").extras
X, s, decision = extras["X"].astype(float), extras["s"], extras["yhat"]
group = np.where(s == 1, "men", "women")

# %%
# Weights
# -------
#
# The nearest reweighting in Kullback-Leibler divergence. Its cost says how large a sample must be
# before the change can be seen: a sample of m rows differs from an honest one by m times the cost.

weights = entropic_projection(decision, group)
print(weights)
print(weights.to_frame().round(3).to_string(index=False))

# %%
# Keeping all 34 column means as they are hides the change from every comparison of means, and costs
# hardly more.

hidden = entropic_projection(decision, group, keep=X)
print(f"cost {weights.kl:.4f} nats; with all means kept {hidden.kl:.4f}")

# %%
# Other rows
# ----------
#
# Each row may become another row of the data, so that every row handed in is one that exists.

copies = wasserstein_projection(decision, group, X, scale="none")
print(copies)
print(copies.to_frame().round(4).to_string(index=False))

# %%
# Across the boundary
# -------------------
#
# With the network at hand the covariates are moved until the network itself decides otherwise.
# Columns 2 to 4 are capital gain, capital loss and weekly hours.


def layer(norm, linear):
    tensors = extras["network"]
    names = {"scale": "weight", "shift": "bias", "mean": "running_mean", "variance": "running_var"}
    arrays = {ours: tensors[f"seq.{norm}.{theirs}"] for ours, theirs in names.items()}
    return arrays | {key: tensors[f"seq.{linear}.{key}"] for key in ("weight", "bias")}


network = DenseNetwork.from_batch_norm(
    [layer(0, 1), layer(3, 4), layer(6, 7), layer(9, 10)], threshold=float(extras["threshold"])
)
moved = wasserstein_projection(decision, group, X, model=network, scale="none")
print(moved)

figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
weights.plot(ax=axes[0])
axes[0].set_title("reweighted", fontsize="medium")
moved.plot(ax=axes[1])
plt.show()
