"""
A machine whose causal graph is known: how much does a search find?
===================================================================

The light tunnel is a box with three light sources, two polarisers and light sensors, built so that
its causal graph is certain. Twenty experiments each change how one input is set, and one is the
reference. The search sees the table and which experiment a row comes from; it is told neither what
the experiments do nor the graph.
"""

import matplotlib.pyplot as plt

from shiftlab.datasets import fetch_light_tunnel
from shiftlab.discovery import CDNOD
from shiftlab.graphs import MixedGraph, compare_graphs

tunnel = fetch_light_tunnel()
columns = ["red", "green", "blue", "pol_1", "pol_2", "current", "angle_1", "ir_1", "vis_3"]
frame = tunnel.frame.sample(1200, random_state=0).sort_index()
truth = MixedGraph(columns, [e for e in tunnel.truth["edges"] if set(e) <= set(columns)])

# %%
# Search
# ------
#
# The three colours, the polarisers, and four of the things they act on.

model = CDNOD(alpha=0.01, environment="experiment", max_cond=2)
model.fit(frame[[*columns, "experiment"]])
print(model.result_)

# %%
# Each experiment sets one input. Here a column is changed if it is such an input, or follows from
# one that is not among the columns (the LEDs beside a sensor, for instance).

targets = {target for (target, *_) in tunnel.truth["targets"].values()}
hidden = targets - set(columns)
changed = {c for c in columns if c in targets} | {
    b for a, b in tunnel.truth["edges"] if a in hidden
}
changed &= set(columns)
print("found to change:", sorted(model.changing_))
print("changed by an experiment:", sorted(changed))

# %%
# Against the truth
# -----------------

found = compare_graphs(model.graph_, truth)
print(found.to_frame().round(2).to_string(index=False))
print("missing:", ", ".join(found.missing))
print("extra:", ", ".join(found.extra))

figure, axes = plt.subplots(1, 2, figsize=(11, 3.6), layout="constrained")
truth.plot(axes[0], highlight=changed, title="the machine")
model.graph_.plot(axes[1], highlight=model.changing_, title="the search, 1,200 rows")
plt.show()

# %%
# The current and the sensors follow the colours nearly without noise: given one of them, another
# tells little, which is where missing edges come from; and sensors that share inputs which are not
# among the columns look like cause and effect.
#
# Every claim can be questioned: the test that came closest to removing the edge, and the argument
# for its direction.

print(model.result_.to_frame()[["edge", "pvalue", "rule", "text"]].to_string(index=False))
