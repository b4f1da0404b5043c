"""Data sets: one example in the package, many more from a local folder or their public source.

``load_*`` reads what travels with the package; ``fetch_*`` looks for a file in ``data_home``, in
the folder named by ``SHIFTLAB_DATA`` and in the user's cache, checks its SHA-256, and downloads it
only where the registry knows a public original and its checksum. Each returns a `Dataset`: the
table, the roles of its columns, its card, and the known truth where there is one.
"""

from shiftlab.datasets._dataset import Dataset
from shiftlab.datasets._fetch import Fetcher, fetch, list_datasets
from shiftlab.datasets._packaged import load_lending
from shiftlab.datasets._people import (
    fetch_acs_2013_2017,
    fetch_acs_2023,
    fetch_acs_income_2018,
    fetch_adult,
    fetch_bank_marketing,
    fetch_communities_crime,
    fetch_compas,
    fetch_diabetes_130_hospitals,
    fetch_german_credit,
    fetch_inspection_arrays,
    fetch_law_school,
    fetch_nypd_sqf,
)
from shiftlab.datasets._science import (
    fetch_air_quality_uci,
    fetch_beijing_air_quality,
    fetch_bike_sharing,
    fetch_california_housing,
    fetch_elec2,
    fetch_fmri_rhyming,
    fetch_light_tunnel,
    fetch_sachs,
    fetch_tuebingen_pairs,
)

__all__ = [
    "Dataset",
    "Fetcher",
    "fetch",
    "fetch_acs_2013_2017",
    "fetch_acs_2023",
    "fetch_acs_income_2018",
    "fetch_adult",
    "fetch_air_quality_uci",
    "fetch_bank_marketing",
    "fetch_beijing_air_quality",
    "fetch_bike_sharing",
    "fetch_california_housing",
    "fetch_communities_crime",
    "fetch_compas",
    "fetch_diabetes_130_hospitals",
    "fetch_elec2",
    "fetch_fmri_rhyming",
    "fetch_german_credit",
    "fetch_inspection_arrays",
    "fetch_law_school",
    "fetch_light_tunnel",
    "fetch_nypd_sqf",
    "fetch_sachs",
    "fetch_tuebingen_pairs",
    "list_datasets",
    "load_lending",
]
