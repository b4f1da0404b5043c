"""
American incomes: which columns moved, between states or over years?
====================================================================

The American Community Survey asks for age, sex, marital status and kinds of income. Here are
100,000 adults in 20 states and five years, 2013 to 2017. Two questions: does space or time move the
columns more, and is what moves with time more than the price level?
"""

import matplotlib.pyplot as plt
import numpy as np

from shiftlab.datasets import fetch_acs_2013_2017
from shiftlab.divergence import column_shifts

people = fetch_acs_2013_2017().frame
table = people[["state", "year"]].copy()
table["age"] = people["agep"]
table["sex"] = people["sex"].astype(str)
table["married"] = people["mar"].astype(str)
table["income"] = people["pincp"]
table["income, 2017 dollars"] = people["pincp"] * people["adjinc"]
table["wages"] = people["wagp"]
table["retirement income"] = people["retp"]
table["social security"] = people["ssp"]

# %%
# Every column in every environment, against all other rows
# ----------------------------------------------------------
#
# The effect reads as the share of rows that would have to change, and is corrected for sampling
# noise. With 100,000 rows nearly anything is significant, so the size is what counts.

by_state = column_shifts(table.drop(columns="year"), "state", random_state=0)
by_year = column_shifts(table.drop(columns="state"), "year", random_state=0)
for shifts in (by_state, by_year):
    print(shifts)
    print(shifts.columns_ranked()[["column", "effect", "mean_effect", "environment"]].round(3))


# %%
# The picture: states to the left, years to the right, one colour scale. A dot marks a shift that is
# significant after adjustment over all tests of its panel.


def as_matrix(shifts, value):
    """Columns of the table by environment."""
    return shifts.to_frame().pivot(index="column", columns="environment", values=value)


order = by_state.columns_ranked()["column"].tolist()
figure, axes = plt.subplots(
    1, 2, figsize=(10.5, 3.6), width_ratios=[20, 6], sharey=True, layout="constrained"
)
for ax, shifts in zip(axes, (by_state, by_year), strict=True):
    effects = as_matrix(shifts, "effect").loc[order]
    image = ax.imshow(effects, cmap="Blues", vmin=0, vmax=0.15, aspect="auto")
    rows, columns = np.nonzero(as_matrix(shifts, "shifted").loc[order].to_numpy(dtype=bool))
    ax.plot(columns, rows, ".", color="#b5391f", markersize=4)
    ax.set_xticks(range(effects.shape[1]), effects.columns, rotation=90)
    ax.set_yticks(range(len(order)), order)
axes[0].set_title("state")
axes[1].set_title("year")
figure.colorbar(image, ax=axes, label="effect")
plt.show()

# %%
# Space moves the columns several times as much as five years do. Is the drift of incomes no more
# than the price level? In dollars of 2017 it is hardly smaller. Part of what is left may be an
# artefact: people state round numbers, and a factor for each year moves the heaps at round numbers
# to different places, which a distance between distributions sees.

for column in ("income", "income, 2017 dollars"):
    drift = as_matrix(by_year, "effect").loc[column]
    print(f"{column:22s}", drift.round(3).to_dict())

# %%
# .. admonition:: What this is not
#
#    Rows are persons of a survey with weights, and members of one household were drawn together.
#    Here each row counts once, so the effects describe the sample and not the population, and
#    p-values take rows as independent. One environment that stands out (Alaska is young) also makes
#    the pool differ from the others, see :doc:`/guide/report`.
