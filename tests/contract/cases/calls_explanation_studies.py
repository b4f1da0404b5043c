"""How the functions behind studies of explanation disparities are called."""

import runpy
from pathlib import Path

import numpy as np
import pandas as pd

RESULTS = runpy.run_path(str(Path(__file__).with_name("results_explanation_studies.py")))
RNG = np.random.default_rng(0)
PEOPLE = pd.DataFrame(
    {
        "age": RNG.integers(18, 80, 40),
        "education_num": RNG.integers(1, 16, 40),
        "hours_per_week": RNG.integers(10, 60, 40),
        "capital_gain": RNG.integers(0, 2, 40) * 1000,
        "capital_loss": np.zeros(40, dtype=int),
        "marital_status": RNG.choice(["Married-civ-spouse", "Divorced"], 40),
        "race": RNG.choice(["White", "Black"], 40),
        "sex": RNG.choice(["Female", "Male"], 40),
        "income": RNG.choice(["<=50K", ">50K"], 40),
    }
)
CONFIG = {
    "study": {"replicates": 2, "seed": 1, "metrics": ["mae"]},
    "world": {"kind": "concept_shift", "n_train": 100, "n_test": 20},
    "grid": {"beta": [-0.5, 1.5]},
}

CALLS = {
    "adult_world": ((PEOPLE,), {"n_train": 20, "n_test": 10}),
    "attribute_disparity": ((RESULTS["finished"](),), {}),
    "one_at_a_time": (({"beta": 1.5},), {"levels": {"beta": [0.5]}}),
    "study_from_config": ((CONFIG,), {}),
}
