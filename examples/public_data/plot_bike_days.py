"""
Bike rentals: a model that reads the day from its weather
=========================================================

Hourly rentals in Washington over two years. Each day is an environment: the same temperature
means something else in April and in September. A new day brings its weather, but no rentals. A
pooled model ignores that rows come in days; an adaptive one moves its coefficients with the
weather of the whole day.
"""

import matplotlib.pyplot as plt
import numpy as np

from shiftlab.adaptation import EnvironmentAdaptiveRegressor
from shiftlab.datasets import fetch_bike_sharing
from shiftlab.model_selection import environment_scores

hours = fetch_bike_sharing(table="hour").frame
y = np.sqrt(hours["cnt"])
y = (y - y.groupby([hours["holiday"], hours["weekday"]]).transform("mean")).to_numpy()
day = hours["dteday"].astype(str).to_numpy()
X = hours[["temp", "hum", "windspeed"]]

# %%
# The last fifth of the days is left out. Days follow each other, so strategies are compared on
# contiguous blocks of days (``cv="blocked"``).

days = np.unique(day)
test = np.isin(day, days[-len(days) // 5 :])
models = {
    strategy: EnvironmentAdaptiveRegressor(strategy=strategy, cv="blocked", outside="ignore")
    for strategy in ("pooled", "coefficients")
}
scores = {}
for name, model in models.items():
    model.fit(X[~test], y[~test], day[~test])
    scores[name] = environment_scores(y[test], model.predict(X[test], day[test]), day[test])
    print(name, scores[name])

# %%
# What moved? The intercept and the slope of temperature, by the mean temperature of the day.

moved = models["coefficients"].coefficients(X[test], day[test])
warmth = X[test].groupby(day[test])["temp"].mean()
figure, axes = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
for name, colour in (("pooled", "#8a8a8a"), ("coefficients", "#2b6ca3")):
    values = np.convolve(scores[name].scores, np.ones(7) / 7, mode="valid")
    axes[0].plot(values, color=colour, label=f"{name}: mean {scores[name].mean:.1f}")
axes[0].set_xlabel("day after the last training day (mean of 7 days)")
axes[0].set_ylabel("mean squared error of the day")
axes[0].legend(frameon=False)
colours = axes[1].scatter(warmth, moved["temp"], c=moved["intercept"], cmap="cividis", s=18)
axes[1].axhline(models["pooled"].coefficients(X[test], day[test])["temp"].iloc[0], color="#8a8a8a")
axes[1].set_xlabel("mean temperature of the day (scaled)")
axes[1].set_ylabel("coefficient of temperature")
axes[1].set_title("grey: the pooled model's", fontsize=10)
figure.colorbar(colours, ax=axes[1], label="intercept")
plt.show()
print(models["coefficients"].identifiability().verdict)
