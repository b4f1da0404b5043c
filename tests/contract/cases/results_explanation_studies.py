"""How the results of studies of explanation disparities are made."""

from functools import cache

FACTOR = "<b>lime</b> $x_1$"


@cache
def study():
    from shiftlab.explanation import ExplanationDisparityStudy, LimeExplainer, MechanismWorld

    lime = LimeExplainer(n_samples=20, n_blocks=2, standard_errors=False)
    return ExplanationDisparityStudy(
        MechanismWorld(n_train=80, n_test=20),
        {"concept": [False, True], "omission": [False, True]},
        explainers={FACTOR: lime, "a_$": lime},
        metrics=["accuracy", "mae"],
        n_replicates=2,
        random_state=0,
    )


@cache
def finished():
    return study().run()


def attribution():
    from shiftlab.explanation import attribute_disparity

    return attribute_disparity(finished())


def cell():
    return study().replay({"concept": True, "omission": False, "explainer": "a_$"}, 1)


MAKE = {
    "DisparityAttribution": attribution,
    "DisparityStudyResult": finished,
    "StudyCell": cell,
    "WorldData": lambda: cell().data,
}
