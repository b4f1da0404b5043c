"""
Air in Beijing: covariate shift, concept shift, and rows that are not independent
=================================================================================

A model predicts fine dust (PM2.5) from the weather. Trained on three seasons, how does it do in the
fourth? If it does worse, is it because the weather is another (covariate shift), or because the
same weather goes with other air (concept shift: heating, traffic, wind from elsewhere)?

Twelve stations measured for four years. That tempts one to use all their rows, and the page shows
why not.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from shiftlab.datasets import fetch_beijing_air_quality
from shiftlab.divergence import shift_decomposition

daily = fetch_beijing_air_quality(table="daily").frame
weather = ["TEMP", "PRES", "DEWP", "RAIN", "WSPM"]
daily["log PM2.5"] = np.log(daily["PM2.5"].clip(lower=1))
SEASONS = ["winter", "spring", "summer", "autumn"]


def with_season(frame):
    """Add the season that a date lies in."""
    season = pd.to_datetime(frame["date"]).dt.month % 12 // 3
    return frame.assign(season=season.map(dict(enumerate(SEASONS))))


# %%
# All rows: twelve stations, every third day
# ------------------------------------------

days = (pd.to_datetime(daily["date"]) - pd.Timestamp("2013-03-01")).dt.days
stations = with_season(daily[days % 3 == 0])
naive = shift_decomposition(
    stations[[*weather, "log PM2.5", "season"]], "season", outcome="log PM2.5", random_state=0
)
print(naive)

# %%
# Look at ``loss_home``: the error on held-out rows of the *training* seasons is very small. Of
# course it is: eleven other stations saw nearly the same weather and the same air on the same day,
# and most of them are among the training rows. The model recognises days. Next to that flattered
# baseline every season looks bad, and the difference is called concept.
#
# One row per day
# ---------------
#
# The mean over the stations, every second day. Neighbouring days still resemble each other, but no
# two rows are of one day.

city = daily.groupby("date", as_index=False)[[*weather, "log PM2.5"]].mean()
city = with_season(city.iloc[::2])
fair = shift_decomposition(
    city[[*weather, "log PM2.5", "season"]], "season", outcome="log PM2.5", random_state=0
)
print(fair)

# %%
# The same question, answered from dependent and from (nearly) independent rows:

figure, axes = plt.subplots(1, 2, figsize=(10.5, 4.0), sharex=True, layout="constrained")
for ax, result, title in (
    (axes[0], naive, "12 stations: rows share days"),
    (axes[1], fair, "one row every second day"),
):
    result.plot(ax=ax)
    ax.set_title(title, fontsize=10, pad=34)
axes[0].get_legend().remove()
plt.show()

# %%
# What stays: spring and autumn are harder for a model of the other seasons because the same
# weather goes with other air, and intervals are wide enough to be believed. In summer and winter
# hardly any weather is shared with the other seasons (``overlap``), so that little can be said
# about the parts.

table = fair.to_frame()
print(table[["environment", "overlap", "concept", "concept_low", "concept_high"]].round(2))

# %%
# No method repairs rows that are not independent by itself. Aggregate them to units that are, or
# thin them, before trusting any interval; the report prints the same warning on its page.
