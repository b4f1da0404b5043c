"""Loaders of measurements: cells, physical devices, weather, markets, rentals, houses."""

from shiftlab.datasets._fetch import fetcher

__all__ = [
    "fetch_air_quality_uci",
    "fetch_beijing_air_quality",
    "fetch_bike_sharing",
    "fetch_california_housing",
    "fetch_elec2",
    "fetch_fmri_rhyming",
    "fetch_light_tunnel",
    "fetch_sachs",
    "fetch_tuebingen_pairs",
]


@fetcher
def fetch_air_quality_uci() -> None:
    """Load 9,357 hours of five gas sensors and reference analysers in an Italian city.

    Target ``C6H6(GT)`` (benzene). No environment column: derive one from ``date``, for example
    months, along which the sensors drift.

    Examples
    --------
    >>> from shiftlab.datasets import fetch_air_quality_uci
    >>> data = fetch_air_quality_uci()  # doctest: +SKIP
    >>> int(data.y.isna().sum())  # doctest: +SKIP
    366
    """


@fetcher
def fetch_beijing_air_quality() -> None:
    """Load pollutants and weather at 12 stations in Beijing, March 2013 to February 2017.

    Target ``PM2.5``, environment ``station``; years and months can serve as well. Tables: "hourly"
    (the default, 420,768 rows) and "daily" (17,532 rows of daily means).

    Examples
    --------
    >>> from shiftlab.datasets import fetch_beijing_air_quality
    >>> data = fetch_beijing_air_quality(table="daily")  # doctest: +SKIP
    >>> data.frame["station"].nunique()  # doctest: +SKIP
    12
    """


@fetcher
def fetch_bike_sharing() -> None:
    """Load rented bicycles in Washington, 2011 and 2012, with the weather.

    Target ``cnt``, environment ``dteday`` (731 days); ``season``, ``yr`` and ``weathersit`` can
    serve as well. Tables: "hour" (the default, 17,379 rows) and "day" (731 rows: take another
    environment there).

    Examples
    --------
    >>> from shiftlab.datasets import fetch_bike_sharing
    >>> data = fetch_bike_sharing()  # doctest: +SKIP
    >>> data.frame[data.environment].nunique()  # doctest: +SKIP
    731
    """


@fetcher
def fetch_california_housing() -> None:
    """Load 20,640 census blocks of California, 1990, and their median house value.

    Target ``median_house_value``, environment ``ocean_proximity`` (five groups).

    Examples
    --------
    >>> from shiftlab.datasets import fetch_california_housing
    >>> data = fetch_california_housing()  # doctest: +SKIP
    >>> data.frame["ocean_proximity"].value_counts().min()  # doctest: +SKIP
    np.int64(5)
    """


@fetcher
def fetch_elec2() -> None:
    """Load 45,312 half hours of the electricity market of New South Wales, 1996 to 1998.

    Target ``class`` (price UP or DOWN), environment ``day`` (weekday). The order of the rows is
    time: cut it into blocks to study drift.

    Examples
    --------
    >>> from shiftlab.datasets import fetch_elec2
    >>> data = fetch_elec2()  # doctest: +SKIP
    >>> data.y.value_counts().to_dict()  # doctest: +SKIP
    {'DOWN': 26075, 'UP': 19237}
    """


@fetcher
def fetch_fmri_rhyming() -> None:
    """Load time series of eight brain regions and a task input for nine subjects.

    Environment ``subject``; ``t`` is the time point. No target. Standardise within each subject.

    Examples
    --------
    >>> from shiftlab.datasets import fetch_fmri_rhyming
    >>> data = fetch_fmri_rhyming()  # doctest: +SKIP
    >>> data.frame.groupby("subject").size().unique().tolist()  # doctest: +SKIP
    [160]
    """


@fetcher
def fetch_light_tunnel() -> None:
    """Load a physical device with known causal graph under 20 single-target interventions.

    Environment ``experiment`` (one reference with 10,000 rows, 20 interventions with 1,000 rows);
    no target. ``truth["edges"]`` is the graph, ``truth["targets"]`` the intervened column of each
    experiment; ``extras["variables"]`` describes the columns.

    Examples
    --------
    >>> from shiftlab.datasets import fetch_light_tunnel
    >>> data = fetch_light_tunnel()  # doctest: +SKIP
    >>> len(data.truth["edges"]), data.truth["targets"]["uniform_red_strong"]  # doctest: +SKIP
    (57, ('red',))
    """


@fetcher
def fetch_sachs() -> None:
    """Load 11 signalling molecules in 11,672 single T cells under 14 conditions.

    Environment ``condition`` (the nine used most often have ``condition_id`` 1 to 9: 7,466
    cells); no target. ``truth["edges"]`` is the consensus graph, which is disputed, and
    ``truth["targets"]`` the measured molecule that a condition acts on.

    Examples
    --------
    >>> from shiftlab.datasets import fetch_sachs
    >>> data = fetch_sachs()  # doctest: +SKIP
    >>> len(data.truth["edges"]), data.truth["targets"]["cd3cd28+u0126"]  # doctest: +SKIP
    (20, ('mek',))
    """


@fetcher
def fetch_tuebingen_pairs() -> None:
    """Load 97 cause-effect pairs of Tuebingen in one long table ``pair, x, y``.

    Environment ``pair``; no target. ``truth["cause"]`` says for each pair whether ``x`` or ``y``
    is the cause, ``truth["weight"]`` how much the pair counts in an average.

    Examples
    --------
    >>> from shiftlab.datasets import fetch_tuebingen_pairs
    >>> data = fetch_tuebingen_pairs()  # doctest: +SKIP
    >>> len(data.truth["cause"]), data.truth["cause"][1]  # doctest: +SKIP
    (97, 'x')
    """
