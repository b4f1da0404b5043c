"""How the results of generalization and of its evolving worlds are made."""

from functools import cache


@cache
def evolving():
    from shiftlab.simulation import make_drifting_credit

    return make_drifting_credit(n_domains=7, n_per_domain=60, random_state=0)


@cache
def fitted():
    from shiftlab.generalization import CounterfactuallyFairClassifier

    data, model = evolving(), CounterfactuallyFairClassifier(drift="trend")
    return model.fit(data.X, data.y, data.sensitive_features, data.environment)


def evaluation():
    from shiftlab.generalization import evaluate_generalization

    data, model = evolving(), fitted()
    return evaluate_generalization(
        {"<b>north $x$": model, "b": model},
        data.X,
        data.y,
        data.sensitive_features,
        data.environment,
        X_twin=data.X_twin,
        sensitive_twin=data.sensitive_twin,
    )


def effects():
    from shiftlab.generalization import counterfactual_effects

    data = evolving()
    rows = data.X, data.sensitive_features, data.environment
    return counterfactual_effects(fitted(), *rows, n_resamples=3, random_state=0)


def unfairness():
    from shiftlab.metrics import counterfactual_unfairness

    return counterfactual_unfairness([0.1, 0.9, 0.4], [0.2, 0.6, 0.4], environment=["$a", "b", "b"])


def bounds():
    from shiftlab.generalization import counterfactual_bounds

    data = evolving()
    rows = data.X, data.sensitive_features, data.environment
    return counterfactual_bounds(fitted(), *rows, y=data.y, n_resamples=3, random_state=0)


MAKE = {
    "CounterfactualBounds": bounds,
    "CounterfactualEffects": effects,
    "CounterfactualUnfairness": unfairness,
    "DomainForecast": lambda: fitted().forecast(),
    "EvolvingData": evolving,
    "GeneralizationEvaluation": evaluation,
    "LatentTrajectories": lambda: fitted().trajectories(),
}
