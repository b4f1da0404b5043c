"""How the results of generalization and of its evolving worlds are made."""


def evolving():
    from shiftlab.simulation import make_rotating_circles

    return make_rotating_circles(n_domains=4, n_per_domain=30, random_state=0)


MAKE = {"EvolvingData": evolving}
