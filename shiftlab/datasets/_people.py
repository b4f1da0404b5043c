"""Loaders of data about persons and communities: income, credit, justice, schooling, health."""

from shiftlab.datasets._fetch import fetcher

__all__ = [
    "fetch_acs_2013_2017",
    "fetch_acs_2023",
    "fetch_acs_income_2018",
    "fetch_adult",
    "fetch_bank_marketing",
    "fetch_communities_crime",
    "fetch_compas",
    "fetch_diabetes_130_hospitals",
    "fetch_german_credit",
    "fetch_inspection_arrays",
    "fetch_law_school",
    "fetch_nypd_sqf",
]


@fetcher
def fetch_adult() -> None:
    """Load Adult: 48,842 persons of the US census survey of 1994 and their income class.

    Target ``income`` (``<=50K`` or ``>50K``), sensitive features ``sex`` and ``race``, no built-in
    environment (``native_country`` and ``workclass`` can serve). ``fnlwgt`` is a survey weight and
    ``split`` the official division into train and test.

    Examples
    --------
    >>> from shiftlab.datasets import fetch_adult
    >>> data = fetch_adult()  # doctest: +SKIP
    >>> data  # doctest: +SKIP
    Dataset 'adult': 48,842 rows, 16 columns, target 'income', sensitive 'sex', 'race'
    """


@fetcher
def fetch_acs_2013_2017() -> None:
    """Load 100,000 adults of the American Community Survey in 20 states over five years.

    Target ``pincp`` (income in dollars), environment ``state``; ``year`` is a second environment,
    which makes 100 in all. Sensitive feature ``sex``; ``pwgtp`` is the person weight.

    Examples
    --------
    >>> from shiftlab.datasets import fetch_acs_2013_2017
    >>> data = fetch_acs_2013_2017()  # doctest: +SKIP
    >>> data.frame.groupby(["state", "year"]).ngroups  # doctest: +SKIP
    100
    """


@fetcher
def fetch_acs_2023() -> None:
    """Load 20,000 adults of the American Community Survey 2023 in 50 states and Puerto Rico.

    Target ``PINCP`` (income in dollars), environment ``ST``, sensitive features ``SEX``, ``RAC1P``
    and ``DIS``. Together with `fetch_acs_income_2018` it shows a shift over five years.

    Examples
    --------
    >>> from shiftlab.datasets import fetch_acs_2023
    >>> data = fetch_acs_2023()  # doctest: +SKIP
    >>> data.frame["ST"].nunique()  # doctest: +SKIP
    51
    """


@fetcher
def fetch_acs_income_2018() -> None:
    """Load the ACSIncome task of 2018 for 37 whole states.

    Target ``INCOME_GT_50K``, environment ``ST``, sensitive features ``SEX`` and ``RACE5``. Tables:
    "sample" (the default: 2,000 rows of every state, 74,000 in all) and "full" (1,137,555 rows).

    Examples
    --------
    >>> from shiftlab.datasets import fetch_acs_income_2018
    >>> data = fetch_acs_income_2018()  # doctest: +SKIP
    >>> data.frame["ST"].value_counts().unique().tolist()  # doctest: +SKIP
    [2000]
    """


@fetcher
def fetch_bank_marketing() -> None:
    """Load the telephone campaigns of a Portuguese bank, 2008 to 2010.

    Target ``y`` (subscribed to a term deposit), environment ``month``, sensitive features ``age``
    and ``marital``. ``duration`` is known only after the call and is left out of ``X``. Tables:
    "full" (the default, 45,211 rows) and "additional" (41,188 rows with economic indicators).

    Examples
    --------
    >>> from shiftlab.datasets import fetch_bank_marketing
    >>> data = fetch_bank_marketing()  # doctest: +SKIP
    >>> data.y.value_counts().to_dict()  # doctest: +SKIP
    {'no': 39922, 'yes': 5289}
    """


@fetcher
def fetch_communities_crime() -> None:
    """Load crime and census figures of 1,994 US communities, every number scaled to 0 to 1.

    Target ``ViolentCrimesPerPop``, environment ``state``; the sensitive feature ``racepctblack``
    is continuous.

    Examples
    --------
    >>> from shiftlab.datasets import fetch_communities_crime
    >>> data = fetch_communities_crime()  # doctest: +SKIP
    >>> data.frame["state"].nunique()  # doctest: +SKIP
    46
    """


@fetcher
def fetch_compas() -> None:
    """Load COMPAS: 7,214 defendants of Broward County, risk scores and re-arrest in two years.

    Target ``two_year_recid``, sensitive features ``race``, ``sex`` and ``age_cat``. The scores
    (``decile_score``, ``score_text``) and what happened later are left out of ``X``.

    Examples
    --------
    >>> from shiftlab.datasets import fetch_compas
    >>> data = fetch_compas()  # doctest: +SKIP
    >>> data.roles["decile_score"]  # doctest: +SKIP
    'score'
    """


@fetcher
def fetch_diabetes_130_hospitals() -> None:
    """Load 101,766 hospital stays of patients with diabetes, 1999 to 2008.

    Target ``readmitted``, environment ``admission_source_id``, sensitive features ``race``,
    ``gender`` and ``age``. The text ``None`` of the laboratory columns is a category (not
    measured). ``extras["ids"]`` explains the numbered columns.

    Examples
    --------
    >>> from shiftlab.datasets import fetch_diabetes_130_hospitals
    >>> data = fetch_diabetes_130_hospitals()  # doctest: +SKIP
    >>> int((data.frame["A1Cresult"] == "None").sum())  # doctest: +SKIP
    84748
    """


@fetcher
def fetch_german_credit() -> None:
    """Load German credit: 1,000 loan applicants, 300 of them bad risks.

    Target ``credit`` (1 good, 2 bad), sensitive features ``age``, ``foreign_worker`` and
    ``personal_status``; no environment.

    Examples
    --------
    >>> from shiftlab.datasets import fetch_german_credit
    >>> data = fetch_german_credit()  # doctest: +SKIP
    >>> data.y.value_counts().to_dict()  # doctest: +SKIP
    {1: 700, 2: 300}
    """


@fetcher
def fetch_inspection_arrays() -> None:
    """Load the arrays of the study "Exposing the illusion of fairness" (arXiv 2507.20708).

    Decision ``yhat`` of the authors' network and sensitive feature ``s`` (1 is the majority);
    there is no true label. The frame has columns ``x0, x1, ..., s, yhat``; ``extras`` holds the
    arrays ``X``, ``s``, ``yhat`` and ``threshold`` as stored, and the tensors of the network that
    decided in table "adult" (batch normalisation and linear layers in turn, ReLU between them, a
    sigmoid at the end). Tables: "adult" (the default, 5,000 rows), "asc_emp", "asc_inc", "asc_mob",
    "asc_puc", "asc_tra" (20,000 rows each).

    Examples
    --------
    >>> from shiftlab.datasets import fetch_inspection_arrays
    >>> data = fetch_inspection_arrays(table="asc_inc")  # doctest: +SKIP
    >>> data.extras["X"].shape  # doctest: +SKIP
    (20000, 8)
    """


@fetcher
def fetch_law_school() -> None:
    """Load 20,798 law students of the LSAC study and their bar examination.

    Target ``pass_bar``, environment ``tier`` (six tiers of schools), sensitive features ``race``
    and ``male``.

    Examples
    --------
    >>> from shiftlab.datasets import fetch_law_school
    >>> X, y = fetch_law_school(return_X_y=True)  # doctest: +SKIP
    >>> X.shape  # doctest: +SKIP
    (20798, 11)
    """


@fetcher
def fetch_nypd_sqf() -> None:
    """Load all 80,754 recorded stops of the New York police, 2014 to 2016.

    Target ``arstmade`` (arrest), decision ``frisked``, environment ``year`` (with ``month``: 36
    ordered months), sensitive features ``race`` and ``sex``. What is known only after the stop is
    left out of ``X``.

    Examples
    --------
    >>> from shiftlab.datasets import fetch_nypd_sqf
    >>> data = fetch_nypd_sqf()  # doctest: +SKIP
    >>> data.frame["year"].value_counts().to_dict()  # doctest: +SKIP
    {2014: 45787, 2015: 22563, 2016: 12404}
    """
