"""How the result of an independence test is made."""

import numpy as np

from shiftlab.independence import FisherZ

RNG = np.random.default_rng(0)
TABLE = {"$\\frac$ dose": RNG.normal(size=60), "<b>north</b> $x_1$": RNG.normal(size=60)}

MAKE = {"CIResult": lambda: FisherZ().fit(TABLE).test(0, 1)}
