"""
Flips of the decision, and what they are compared with
======================================================

A bank decides from income and debts, and from nothing else. Women earn less in this world, so the
decision depends on sex through income. Three ways of asking "what if this person were a man?" give
three answers, because they hold different things fixed.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from shiftlab.auditing import flip_audit
from shiftlab.simulation import Linear, Node, StructuralModel

rng = np.random.default_rng(0)
n = 1000
woman = rng.integers(0, 2, n).astype(float)
income = -0.8 * woman + rng.normal(size=n)
people = pd.DataFrame({"woman": woman, "income": income, "debts": rng.normal(size=n)})


def decide(rows):
    """Grant where income outweighs debts."""
    rows = np.asarray(rows, dtype=float)
    return (rows[:, 0] - 0.5 * rows[:, 1] > 0).astype(int)


# %%
# The nearest man is a man of nearly the same income: hardly any decision flips, and hardly more
# than between two women who differ as much. In the output 1 stands for women.

nearest = flip_audit(None, "woman", people, model=decide)
print(nearest)

# %%
# Optimal transport sends each woman to the man of the same rank among men, who earns more. The
# structural model says what she would earn: income is caused by sex, so it moves.

rank = flip_audit(None, "woman", people, model=decide, method="transport")
causes = StructuralModel(
    {"woman": Node(), "income": Node(Linear({"woman": -0.8})), "debts": Node()}
)
person = flip_audit(
    None, "woman", people, model=decide, method="structural", structural_model=causes
)
print(person)

# %%
# The excess over the baseline is what to read. Flips among equals happen in every audit.

figure, axes = plt.subplots(3, 1, figsize=(7, 6.5), sharex=True, layout="constrained")
for ax, audit in zip(axes, (nearest, rank, person), strict=True):
    audit.plot(ax=ax)
    ax.set_title(audit.method, fontsize="medium")
for ax in axes[:2]:
    ax.set_xlabel("")
plt.show()
