"""
Beijing's air: how does the law of fine dust move over four years?
==================================================================

Fine dust depends on the weather: wind carries it away. Does that law itself move, with heating in
winter, with policy over the years? A driving force shows how a mechanism, here the distribution of
fine dust given wind, temperature and dew point, moves along time, whatever the weather was.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from shiftlab.datasets import fetch_beijing_air_quality
from shiftlab.discovery import driving_force

air = fetch_beijing_air_quality().frame
station = air[air["station"] == "Aotizhongxin"].dropna(subset=["PM2.5", "WSPM", "TEMP", "DEWP"])
station = station.iloc[::6]
when = pd.to_datetime(station[["year", "month", "day", "hour"]]).rename("day")
dust = np.log(station["PM2.5"]).rename("fine dust")
weather = station[["WSPM", "TEMP", "DEWP"]].rename(
    columns={"WSPM": "wind", "TEMP": "temperature", "DEWP": "dew point"}
)

# %%
# With and without the weather
# ----------------------------
#
# The first curve follows the distribution of fine dust itself, the second the distribution given
# the weather. Bands are intervals of 95 percent that take rows as independent; hours of one day are
# not, so they are too narrow.

marginal = driving_force(dust, environment=when)
given_weather = driving_force(dust, weather, environment=when)
for force in (marginal, given_weather):
    print(force)

figure, axes = plt.subplots(2, 1, figsize=(8, 5.2), sharex=True, layout="constrained")
marginal.plot(axes[0])
given_weather.plot(axes[1])
plt.show()

# %%
# Sign and scale mean nothing; what counts is which times lie together. How much of each path
# repeats with the seasons?


def seasonal_share(force):
    """Share of the variance of the first component that the month of the year explains."""
    path = pd.Series(force.components[:, 0])
    month = pd.to_datetime(list(force.points)).month
    return 1 - path.groupby(month).transform(lambda v: v - v.mean()).var() / path.var()


for name, force in (("marginal", marginal), ("given the weather", given_weather)):
    print(f"{name:18} explained by the month: {seasonal_share(force):.2f}")
