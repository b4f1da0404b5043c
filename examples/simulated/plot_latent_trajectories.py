"""
A drift that turns back: paths of domain parameters and their forecast
======================================================================

Two clouds swing to and fro around the origin. Twenty domains are seen; the ten after them lie on
the other side of the swing, where nothing was seen. The model reads from each domain how far the
swing has gone, and chooses by the likelihood of one-step-ahead predictions how that path goes on.
"""

import matplotlib.pyplot as plt
import numpy as np

from shiftlab.generalization import CounterfactuallyFairClassifier
from shiftlab.simulation import make_rotating_circles

data = make_rotating_circles(rotation=45.0, drift="oscillating", random_state=1)
source, target = data.split(10)
model = CounterfactuallyFairClassifier()
model.fit(source.X, source.y, source.sensitive_features, source.environment)
where = target.sensitive_features, target.environment
print(f"accuracy {model.score(target.X, target.y, *where):.3f}")
paths = model.trajectories(np.arange(30))
print(paths, paths.names[:4])

# %%
# Left: the clock of the flow (how far it has gone), and the paths of common means that are left
# when the flow is taken out. Right: what that says about a feature, beside the means of domains,
# the last ten of which the model has not seen. A constant rate would be the wrong model here.

figure, axes = plt.subplots(1, 2, figsize=(12.5, 4.2), layout="constrained")
paths.plot(ax=axes[0], names=["clock of the flow", "mean of x4", "mean of x5"])
model.forecast(np.arange(30)).plot(ax=axes[1], feature="x1")
seen = data.frame.groupby("time")["x1"].mean()
axes[1].plot(seen.index, seen, ".", color="black", ms=4, label="means of domains")
axes[1].legend(frameon=False)
plt.show()

# %%
# .. admonition:: What this is not
#
#    Half a swing looks much like a parabola. With fewer domains, or noisier ones, another form
#    would be chosen, and the forecast would go wrong. The intervals hold the error of the
#    parameters of the chosen form, not that of the choice.
