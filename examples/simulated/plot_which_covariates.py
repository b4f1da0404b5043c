"""
Which covariates, in which environment?
=======================================

``y`` has two causes. ``c2`` is observed, the other is hidden; ``x`` is a proxy of the hidden one.
When the hidden cause moves, the proxy is worth a lot; when the proxy gets noisy, it misleads. Can
the rows of a new environment, without outcomes, tell which it is?
"""

import matplotlib.pyplot as plt

from shiftlab.adaptation import (
    EnvironmentAdaptiveRegressor,
    enumerate_subset_risks,
    simulate_environments,
)

train = simulate_environments("hidden_cause", 90, random_state=0)
new = simulate_environments("hidden_cause", 30, random_state=1)

# %%
# The proxy is best up to a noise of about two
# --------------------------------------------
#
# Pooled fits of all subsets, evaluated in the environments where the noise of the proxy was
# shifted.

noisy = train.shifts.query("type == 'x'")
risks = enumerate_subset_risks(train.X, train.y, train.environment)
print(risks)

# %%
# Selection for new environments
# ------------------------------

model = EnvironmentAdaptiveRegressor(strategy="select", outside="ignore")
model.fit(train.X, train.y, train.environment)
selection = model.select(new.X, new.environment)
print(selection)
print(model.identifiability().verdict)

figure, axes = plt.subplots(2, 2, figsize=(11, 8.4), layout="constrained")
is_noisy = (train.shifts["type"] == "x").to_numpy()
for k in range(len(risks.sets)):
    name = risks.set_name(k)
    if name in ("c2", "c2, x"):
        axes[0, 0].plot(noisy["level"], risks.risks[is_noisy, k], label=name)
axes[0, 0].set_xlabel("shift of the proxy's noise")
axes[0, 0].set_ylabel("mean squared error")
axes[0, 0].legend(title="covariates")
axes[0, 0].set_title("neither set is best everywhere", fontsize=10)
selection.plot(axes[0, 1])
model.environment_summary(new.X, new.environment).plot(axes[1, 0])
last = new.environment == new.shifts["environment"].iloc[-1]
model.explain_shift(new.X[last]).plot(axes[1, 1])
plt.show()

# %%
# The last environment has a much wider proxy than training environments have on average; that
# alone moves the predicted risk of "all covariates" above that of the cause alone.
#
# Moving the coefficients
# -----------------------
#
# A choice of subsets is coarse. The default weighs several ways to adapt by what they are worth
# in left-out environments.

for strategy in ("pooled", "select", "auto"):
    fitted = EnvironmentAdaptiveRegressor(strategy=strategy, outside="ignore")
    fitted.fit(train.X, train.y, train.environment)
    error = ((new.y - fitted.predict(new.X, new.environment)) ** 2).mean()
    print(f"{strategy:8s} {error:.2f}")
print(f"best linear rule that knows the environment: {new.bayes_risk:.2f}")
