"""How the functions of generalization and of its evolving worlds are called."""

SMALL = {"n_domains": 3, "n_per_domain": 20}
CALLS = {
    "make_drifting_credit": ((), SMALL),
    "make_drifting_gaussian": ((), SMALL),
    "make_evolving_people": ((), SMALL),
    "make_fair_circle": ((), SMALL),
    "make_rotating_circles": ((), SMALL),
    "make_spirals": ((), SMALL),
}
