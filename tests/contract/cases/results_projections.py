"""How the results of projections and flip audits are made."""

import numpy as np

LEGEND = ["a_$", "<b>north</b> $x_1$", "west\nside"]


TABLE = {"$x$": np.random.default_rng(2).normal(size=300), "<b>": np.arange(300) % 3}


def decisions(n=300):
    rng = np.random.default_rng(1)
    group = rng.choice(LEGEND, n)
    return (rng.random(n) < 0.3 + 0.3 * (group == "a_$")).astype(int), group


def auditing(name, *arguments, **options):
    from shiftlab import auditing as package

    return getattr(package, name)(*arguments, **options)


def flips():
    return auditing("flip_audit", *decisions(), TABLE, random_state=0)


MAKE = {
    "EntropicProjection": lambda: auditing("entropic_projection", *decisions()),
    "FlipAudit": flips,
    "FlipComparison": lambda: flips().comparisons[0],
    "ManipulatedSample": lambda: auditing(
        "manipulate",
        {**TABLE, "$y": decisions()[0], LEGEND[1]: decisions()[1]},
        strategy="match",
        decision="$y",
        sensitive_features=LEGEND[1],
        random_state=0,
    ),
    "MomentProjection": lambda: auditing("moment_projection", {"$x": [0.0, 1.0, 2.0]}, [1.2]),
    "WassersteinProjection": lambda: auditing("wasserstein_projection", *decisions(), TABLE),
}
