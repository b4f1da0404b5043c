"""Explainers beside lime and shap: CPU time on one thread at equal agreement.

Run ``python benchmarks/bench_explainers.py`` (``--quick`` for fewer columns and rows). Times are
CPU time of this process, so neighbours on the machine matter little; set OMP_NUM_THREADS=1.
Agreement is the correlation of values with the peer, beside that of the peer with itself under
another seed.
The peer explains ``--peer-rows`` rows, shiftlab a whole table of ``--rows``: how many rows share
their random draws in a block is what the ratio depends on.
"""

import argparse
import time
import warnings

import numpy as np
from scipy.special import expit
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from shiftlab.explanation import KernelShapExplainer, LimeExplainer

LIME_SAMPLES, BACKGROUND = 5000, 50
#: Balanced draws by quartiles (squares of primes), and whitened ones around the row, agree as well
#: with the peer as its own 5000 do with each other.
BALANCED_SAMPLES, WHITENED_SAMPLES = {10: 961, 30: 1369}, 2000


def clock(function):
    """Return the result and the CPU seconds of a call."""
    start = time.process_time()
    result = function()
    return result, time.process_time() - start


def make(d, n, rng):
    X = rng.normal(size=(n, d)) * np.linspace(0.5, 3, d)
    weights = 2.5 * rng.normal(size=d) / np.linspace(0.5, 3, d) / np.sqrt(d)
    bend = np.sin(2 * X[:, 0] / 0.5) if d else 0
    y = rng.random(n) < expit(X @ weights + 0.5 * bend)
    models = {
        "logistic": LogisticRegression(max_iter=1000).fit(X[:4000], y[:4000]),
        "network": MLPClassifier((100, 50), max_iter=15, random_state=0).fit(X[:4000], y[:4000]),
        "trees": HistGradientBoostingClassifier(random_state=0).fit(X[:4000], y[:4000]),
    }
    return X, models


def lime_peer(model, X, mode, rows, seed):
    from lime.lime_tabular import LimeTabularExplainer

    d = X.shape[1]
    peer = LimeTabularExplainer(
        X[:4000],
        discretize_continuous=mode == "quartile",
        sample_around_instance=mode == "around",
        random_state=seed,
    )

    def explain():
        return [
            peer.explain_instance(
                row, model.predict_proba, num_features=d, num_samples=LIME_SAMPLES
            )
            for row in X[:rows]
        ]

    found, seconds = clock(explain)
    values = [[dict(one.local_exp[1])[j] for j in range(d)] for one in found]
    return np.array(values), seconds / rows


def correlation(a, b):
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def lime_line(name, model, X, mode, sizes, peer_rows, generic=False, **options):
    first, seconds = lime_peer(model, X, mode, peer_rows, 0)
    second, _ = lime_peer(model, X, mode, peer_rows, 1)
    own = correlation(first, second)
    asked = model.predict_proba if generic else model
    for rows in sizes:
        settings = {"n_samples": LIME_SAMPLES, "standard_errors": False, "random_state": 0}
        explainer = LimeExplainer(mode=mode, **(settings | options)).fit(X[:4000])
        found, spent = clock(lambda e=explainer, r=rows: e.explain(asked, X[:r]))
        agreement = correlation(first, found.values[:peer_rows])
        n_samples = options.get("n_samples", LIME_SAMPLES)
        print(
            f"LIME {mode:8} d={X.shape[1]:2} {name:20} S={n_samples:4} rows {rows:6}: "
            f"lime {1e3 * seconds:8.2f} ms  ours {1e3 * spent / rows:8.4f} ms  "
            f"ratio {seconds * rows / spent:6.1f}  correlation {agreement:.4f} (peer {own:.4f})",
            flush=True,
        )


def shap_line(name, model, X, rows, peer_rows, generic):
    import shap

    d = X.shape[1]
    n_samples = 1024 if d == 10 else 2 * d + 2048
    explainer = KernelShapExplainer(n_background=BACKGROUND, random_state=0).fit(X[:4000])
    peer = shap.KernelExplainer(lambda t: model.predict_proba(t)[:, 1], explainer.background_)
    options = {"nsamples": n_samples, "l1_reg": False, "silent": True}
    expected, seconds = clock(lambda: peer.shap_values(X[:peer_rows], **options))
    seconds /= peer_rows
    asked = model.predict_proba if generic else model
    found, spent = clock(lambda: explainer.explain(asked, X[:rows]))
    difference = np.abs(found.values[:peer_rows] - expected).max()
    print(
        f"KernelSHAP    d={d:2} {name:20} rows {rows:6}: shap {1e3 * seconds:8.2f} ms  "
        f"ours {1e3 * spent / rows:8.4f} ms  ratio {seconds * rows / spent:6.1f}  "
        f"largest difference {difference:.1e}  "
        f"correlation {correlation(found.values[:peer_rows], expected):.5f}",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="10 columns, fewer rows")
    parser.add_argument("--rows", type=int, default=20_000, help="rows of the fast paths")
    parser.add_argument("--peer-rows", type=int, default=20, help="rows that the peer explains")
    options = parser.parse_args()
    rows, peer_rows = options.rows, options.peer_rows
    if options.quick:
        rows, peer_rows = 4000, 5
    warnings.simplefilter("ignore")
    for d in (10,) if options.quick else (10, 30):
        X, models = make(d, max(rows, 4000), np.random.default_rng(d))
        for name, model in models.items():
            sizes = (200, 2000) if not options.quick else (400,)
            lime_line(name, model, X, "quartile", sizes, peer_rows)
            fewer = {"n_samples": BALANCED_SAMPLES[d]}
            lime_line(name, model, X, "quartile", sizes[:1], peer_rows, **fewer)
        logistic = models["logistic"]
        lime_line("logistic, generic", logistic, X, "around", (400,), peer_rows, generic=True)
        lime_line("logistic, fast path", logistic, X, "around", (2000, rows), peer_rows)
        fewer = {"n_samples": WHITENED_SAMPLES}
        lime_line("logistic, fast path", logistic, X, "around", (2000,), peer_rows, **fewer)
        lime_line("logistic, generic", logistic, X, "around", (400,), peer_rows, True, **fewer)
        lime_line("network", models["network"], X, "around", (200,), peer_rows)
        lime_line("network", models["network"], X, "around", (200,), peer_rows, n_samples=2500)
        lime_line("trees", models["trees"], X, "around", (100,), peer_rows)
        shap_line("logistic, generic", logistic, X, 100, max(peer_rows // 2, 3), generic=True)
        shap_line("logistic, fast path", logistic, X, rows, max(peer_rows // 2, 3), generic=False)


if __name__ == "__main__":
    main()
