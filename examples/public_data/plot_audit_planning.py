"""
How large must the sample be?
=============================

A supervisory authority asks for a sample of decisions about the people of the Adult census extract.
What could the company show undetected, and from which size on is a false claim exposed?
"""

import matplotlib.pyplot as plt

from shiftlab.auditing import frontier, plan_sample_size
from shiftlab.datasets import fetch_adult
from shiftlab.metrics import GroupCounts, disparate_impact

# The recorded income stands for the decision of a model that reproduces it.
adult = fetch_adult().frame
income = adult["income"].astype(str).str.contains(">50K").astype(int)
counts = GroupCounts.from_rows(income, adult["sex"])
print(disparate_impact(counts))

# %%
# The frontier: the best ratio that a sample of genuine rows can show without being detected, if the
# company composes it row by row with the test in mind.

found = frontier(counts, [100, 150, 200, 300, 500, 1000, 2000, 5000, 10000, 20000])
print(found.to_frame().pivot(index="m", columns="test", values="highest").round(3))

# %%
# The planner: the size at which a draw from the cheapest distorted distribution is detected with
# power 0.9, and the one from which on no claim of four fifths passes at all.

plan = plan_sample_size(counts, 0.8, power=0.9)
certain = plan_sample_size(counts, 0.8, test="cells_g", attacker="deterministic")
print(plan)
print(certain)

figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
found.plot(axes[0])
plan.plot(axes[1])
axes[0].set_title("What a sample can show undetected")
axes[1].set_title("Detection of a claim of 0.8")
plt.show()
