"""Processor seconds of a shift report, by section and table.

    python benchmarks/report_times.py

Tables that are not at hand are left out, and the script says so.
"""

import resource
import time

from shiftlab.datasets import fetch_acs_2013_2017, fetch_adult, load_lending
from shiftlab.exceptions import DataNotFoundError
from shiftlab.reporting import shift_report


def lending():
    roles = {"outcome": "repaid", "decision": "approved", "sensitive_features": "sex"}
    return load_lending().frame, "region", roles


def incomes_by_state():
    frame = fetch_acs_2013_2017().frame[["state", "agep", "sex", "mar", "pincp", "wagp", "retp"]]
    return frame, "state", {"outcome": "pincp"}


def incomes_by_state_and_year():
    columns = ["state", "year", "agep", "sex", "mar", "pincp", "wagp", "retp"]
    return fetch_acs_2013_2017().frame[columns], ["state", "year"], {}


def adult():
    frame = fetch_adult().frame.drop(columns=["fnlwgt", "split"])
    frame["rich"] = (frame.pop("income") == ">50K").astype(int)
    frame["workclass"] = frame["workclass"].fillna("not known")
    return frame, "workclass", {"decision": "rich", "sensitive_features": ["sex", "race"]}


def main():
    header = (
        f"{'table':<28}{'rows':>9}{'environments':>14}{'CPU s':>8}{'MiB':>7}  sections (wall s)"
    )
    print(header)
    for make in (lending, adult, incomes_by_state, incomes_by_state_and_year):
        try:
            frame, environment, roles = make()
        except DataNotFoundError:
            print(f"{make.__name__:<28}not at hand")
            continue
        start = time.process_time()
        document = shift_report(frame, environment, **roles).to_dict()
        seconds = time.process_time() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        overview, spent = document["overview"], document["provenance"]["seconds"]
        parts = ", ".join(f"{name} {value:.1f}" for name, value in spent.items() if value >= 0.05)
        print(
            f"{make.__name__:<28}{overview['n_rows']:>9,}{overview['n_environments']:>14}"
            f"{seconds:>8.1f}{peak:>7.0f}  {parts}",
            flush=True,
        )


if __name__ == "__main__":
    main()
