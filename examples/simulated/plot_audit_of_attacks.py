"""
Which test catches which manipulation
=====================================

A population with unequal selection rates is manipulated in several ways until the sample looks
fair, and every sample is audited. Strategies that invent or repeat rows are caught by proofs; those
that pick genuine rows are caught where group and decision are looked at together, while the single
columns hardly change.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from shiftlab.auditing import Reference, manipulate, representativeness_tests

rng = np.random.default_rng(0)
n = 3000
people = pd.DataFrame(
    {
        "experience": rng.gamma(4, 2, n).round(1),
        "test_score": rng.normal(60, 12, n).round(1),
        "sex": rng.choice(["female", "male"], n),
    }
)
merit = people["test_score"] + people["experience"] + 8 * (people["sex"] == "male")
people["hired"] = (merit > merit.quantile(0.7)).astype(int)

# %%
# The reference is fitted once; the audit of each sample then takes a fraction of a second.

reference = Reference(decision="hired", sensitive_features="sex").fit(people)
samples = {"honest": people.sample(400, random_state=1)}
for strategy in ("replace", "match", "entropic", "case_control", "optimal"):
    samples[strategy] = manipulate(
        people, 0.8, strategy=strategy, decision="hired", sensitive_features="sex",
        n_samples=400, n_tries=30, random_state=1,
    ).data  # fmt: skip

tests = [
    "membership",
    "multiplicity",
    "cells_g",
    "directional",
    "columns",
    "mmd_small",
    "hotelling",
]
found = {
    name: representativeness_tests(sample, reference, tests=tests, n_resamples=199)
    for name, sample in samples.items()
}
pvalues = pd.DataFrame(
    {
        name: {
            test.name.replace("_disparate_impact", ""): (
                test.pvalue if test.proof else test.adjusted
            )
            for test in result.tests
        }
        for name, result in found.items()
    }
)
print(pvalues.round(4))

# %%
# Dark cells: the test rejects, after the correction for the number of tests.

figure, ax = plt.subplots(figsize=(7.5, 4.2), layout="constrained")
shade = np.clip(-np.log10(np.maximum(pvalues.to_numpy(), 1e-6)), 0, 4)
ax.imshow(shade, cmap="Blues", vmin=0, vmax=4, aspect="auto")
ax.set_xticks(range(len(pvalues.columns)), pvalues.columns)
ax.set_yticks(range(len(pvalues.index)), [name.replace("_", " ") for name in pvalues.index])
for i, row in enumerate(pvalues.to_numpy()):
    for j, value in enumerate(row):
        text = "proof" if value == 0 else "rejects" if value <= 0.05 else f"{value:.2f}"
        ax.text(j, i, text, ha="center", va="center", color="white" if shade[i, j] > 2 else "0.2")
ax.set_title("Adjusted p-value of each test on each sample")
plt.show()
