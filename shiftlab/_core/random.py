"""Random numbers: one `SeedSequence` child per task, never a global generator.

A generator object handed to parallel workers is copied and repeats itself; a child seed per task
gives the same bits for any number of workers, block size or order of completion.
"""

from typing import Any, TypeAlias

import numpy as np

from shiftlab.exceptions import InputError

__all__ = [
    "RandomState",
    "as_generator",
    "as_seed_sequence",
    "integer_seed",
    "seeded_clone",
    "spawn_seeds",
]

RandomState: TypeAlias = (
    int | np.integer | np.random.SeedSequence | np.random.Generator | np.random.RandomState | None
)


def as_seed_sequence(random_state: RandomState) -> np.random.SeedSequence:
    """Turn any accepted `random_state` into a seed sequence.

    A `Generator` or `RandomState` is advanced by one draw, so that a second call gives new seeds.

    Parameters
    ----------
    random_state : None, int, SeedSequence, Generator or RandomState
        None asks the operating system for entropy.

    Returns
    -------
    SeedSequence

    Raises
    ------
    InputError
        If the value is negative or of another type.
    """
    if random_state is None:
        return np.random.SeedSequence()
    if isinstance(random_state, np.random.SeedSequence):
        # A fresh copy: spawning from the caller's object would change it.
        return np.random.SeedSequence(
            entropy=random_state.entropy,
            spawn_key=random_state.spawn_key,
            pool_size=random_state.pool_size,
        )
    if isinstance(random_state, np.random.Generator):
        return np.random.SeedSequence(int(random_state.integers(2**63)))
    if isinstance(random_state, np.random.RandomState):
        return np.random.SeedSequence(int(random_state.randint(2**31)))
    if isinstance(random_state, (int, np.integer)) and not isinstance(random_state, bool):
        if random_state < 0:
            raise InputError(f"random_state must not be negative, found {int(random_state)}.")
        return np.random.SeedSequence(int(random_state))
    raise InputError(
        "random_state must be None, a non-negative integer, a numpy SeedSequence, Generator or "
        f"RandomState, found {type(random_state).__name__}."
    )


def as_generator(random_state: RandomState) -> np.random.Generator:
    """Return a generator; an existing `Generator` is used as it is, everything else seeds one."""
    if isinstance(random_state, np.random.Generator):
        return random_state
    return np.random.default_rng(as_seed_sequence(random_state))


def spawn_seeds(random_state: RandomState, n: int) -> list[np.random.SeedSequence]:
    """Return `n` independent child seeds; child `i` does not depend on `n`."""
    return as_seed_sequence(random_state).spawn(n)


def integer_seed(seed: np.random.SeedSequence) -> int:
    """Return an integer below 2**31, for libraries that take no seed sequence."""
    return int(seed.generate_state(1)[0] >> 1)


def seeded_clone(estimator: Any, random_state: int) -> Any:
    """Clone a scikit-learn estimator and fill in each `random_state` that is not set.

    What the caller has set stays, also inside pipelines and meta-estimators.
    """
    from sklearn.base import clone

    model = clone(estimator)
    unset = [
        name
        for name, value in model.get_params().items()
        if value is None and (name == "random_state" or name.endswith("__random_state"))
    ]
    return model.set_params(**dict.fromkeys(unset, random_state))
