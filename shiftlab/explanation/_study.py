"""Studies of explanation disparities: worlds, black boxes and explainers over many replicates."""

import functools
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from shiftlab._core.names import join_names
from shiftlab._core.progress import Progress
from shiftlab._core.random import RandomState
from shiftlab.exceptions import InputError
from shiftlab.explanation._study_cell import REPLAYED, StudyCell, evaluate_cell
from shiftlab.explanation._study_checks import (
    check_grid,
    check_metrics,
    check_parts,
    check_worlds,
    default_explainers,
    default_models,
    is_unwanted,
)
from shiftlab.explanation._study_protocol import StudyProtocol
from shiftlab.explanation._study_result import DisparityStudyResult
from shiftlab.explanation._worlds_base import World
from shiftlab.simulation import Study

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ExplanationDisparityStudy", "one_at_a_time"]


class ExplanationDisparityStudy:
    """How unequal explanations become when a mechanism gets stronger, over independent replicates.

    Each cell draws training and test tables from a world, trains a black box, explains it for every
    test row, and compares the fidelity of the explanations between the groups. Data, model and
    explainer are drawn anew in every replicate.

    Parameters
    ----------
    world : World or mapping of str to World
        What the tables come from; a mapping makes a factor ``world`` of its labels.
    grid : mapping or sequence of mappings, optional
        Levels of fields of the world, such as ``{"beta": [-0.5, 1.5], "form": ["step", "wave"]}``,
        crossed in full; a list names the scenarios one by one (see `one_at_a_time`). A mapping in
        place of a list of levels gives them labels.
    models : mapping of str to estimator, optional
        Black boxes by label, scikit-learn classifiers; logistic regression by default.
    explainers : mapping of str to explainer, optional
        Explainers by label; a global surrogate is told the model and the groups. By default LIME as
        the paper sets it: around the row, 1000 draws.
    metrics : sequence of str, default ("accuracy", "auroc", "mae")
        Fidelity of the surrogate to the black box at the test rows: "accuracy" (agreement of the
        labels), "auroc" (of the surrogate for the label), "mae" (on the probability scale), "mse",
        "r2", "signed"; of the explanation itself "local_r2", "complexity", "mc_noise" and
        "truncated_mae" (the one to use for additive explanations).
    n_replicates : int, default 20
        Replicates of each scenario.
    random_state : int, SeedSequence, Generator, RandomState or None, default None
        Entropy of the study, as in `shiftlab.simulation.Study`.
    directory : path, optional
        Where finished cells are kept, so that a killed run resumes.
    name : str, default "explanation disparity"
        Label for progress, results and reports.
    format : {"parquet", "jsonl"}, default "parquet"
        Format of the kept cells; Parquet needs the extra ``parquet``.
    common_random_numbers : bool, default True
        Replicate r has the same seeds in all scenarios, so that worlds, models and explainers are
        compared on the same draws and differences are more precise. False: independent scenarios.
    on_change : {"error", "overwrite", "keep"}, default "error"
        What to do if `directory` holds results of another definition.

    Raises
    ------
    InputError
        If an argument is unfit, or the grid varies a field that the world does not have.

    Notes
    -----
    The seed of a cell depends on its content and the entropy only: further levels, models,
    explainers or replicates leave finished cells as they are, and results are bit-equal for any
    number of workers, threads or processes. Explainers whose seed, categorical or derived columns
    are not set get those of the cell.

    References
    ----------
    .. [1] Mhasawade, Rahman, Haskell-Craig and Chunara (2024), "Understanding disparities in post
       hoc machine learning explanation", FAccT, pp. 2374-2388.
    .. [2] Morris, White and Crowther (2019), "Using simulation studies to evaluate statistical
       methods", Statistics in Medicine 38.

    Examples
    --------
    >>> from shiftlab.explanation import ConceptShiftWorld, ExplanationDisparityStudy
    >>> study = ExplanationDisparityStudy(
    ...     ConceptShiftWorld(n_train=500, n_test=100, include_sensitive=True),
    ...     {"beta": [-0.5, 1.5]},
    ...     metrics=["mae"],
    ...     n_replicates=4,
    ...     random_state=0,
    ... )
    >>> result = study.run()
    >>> result
    DisparityStudyResult 'explanation disparity': 8 of 8 cells done
    >>> table = result.summary(["signed_gap"]).query("statistic == 'mean'")
    >>> [float(v) > 0.01 for v in table["value"]]
    [True, False]
    """

    def __init__(
        self,
        world: World | Mapping[str, World],
        grid: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
        *,
        models: Mapping[str, Any] | None = None,
        explainers: Mapping[str, Any] | None = None,
        metrics: Sequence[str] = ("accuracy", "auroc", "mae"),
        n_replicates: int = 20,
        random_state: RandomState = None,
        directory: str | os.PathLike[str] | None = None,
        name: str = "explanation disparity",
        format: str = "parquet",
        common_random_numbers: bool = True,
        on_change: str = "error",
    ) -> None:
        worlds = check_worlds(world)
        self.metrics = check_metrics(metrics)
        levels, wanted = check_grid({} if grid is None else grid, worlds)
        self.models = check_parts(default_models() if models is None else models, "models", "fit")
        self.explainers = check_parts(
            default_explainers() if explainers is None else explainers, "explainers", "explain"
        )
        factors: dict[str, Any] = {"world": worlds} if isinstance(world, Mapping) else {}
        factors |= {**levels, "model": self.models, "explainer": self.explainers}
        fixed: dict[str, Any] = {"metrics": self.metrics}
        fixed |= {} if "world" in factors else {"world": world}
        self.study = Study(
            functools.partial(evaluate_cell, **fixed),
            factors,
            n_replicates=n_replicates,
            random_state=random_state,
            directory=directory,
            name=name,
            format=format,
            common_random_numbers=bool(common_random_numbers),
            exclude=None if wanted is None else functools.partial(is_unwanted, wanted),
            on_change=on_change,
        )
        self.protocol = StudyProtocol.of(
            self.study, worlds, self.models, self.explainers, self.metrics, random_state
        )

    def __repr__(self) -> str:
        return f"ExplanationDisparity{self.study!r}"

    def plan(self, *, n_pilot: int = 3) -> "pd.DataFrame":
        """Say what is to be done and how long it takes, before the run.

        Parameters
        ----------
        n_pilot : int, default 3
            Scenarios to time by one cell each, run here; 0 times none.

        Returns
        -------
        DataFrame
            One row per scenario as `shiftlab.simulation.Study.plan` gives it, with ``n_fits`` and
            ``n_explanations`` still to come.
        """
        table = self.study.plan(n_pilot=n_pilot)
        sizes = [self.protocol.test_rows(row) for row in table.to_dict("records")]
        table.insert(list(table).index("n_pending") + 1, "n_fits", table["n_pending"])
        position = list(table).index("n_fits") + 1
        table.insert(position, "n_explanations", table["n_pending"] * sizes)
        return table

    def run(
        self,
        *,
        n_jobs: int | None = None,
        progress: Progress = False,
        max_cells: int | None = None,
        retry_failed: bool = False,
        target_mcse: float | Mapping[str, float] | None = None,
        max_replicates: int | None = None,
    ) -> DisparityStudyResult:
        """Run the cells that are not finished yet; in a directory, resume where a run ended.

        Parameters
        ----------
        n_jobs : int, optional
            Workers, as in joblib; None follows ``joblib.parallel_config`` (Dask, Ray, threads,
            processes) and is one worker otherwise.
        progress : bool or callable, default False
            True draws a bar on standard error; a callable gets (done, total, description).
        max_cells : int, optional
            Run at most this many cells now.
        retry_failed : bool, default False
            Run failed cells again, with the same seeds.
        target_mcse : float or mapping of str to float, optional
            Go on after `n_replicates` until the Monte-Carlo standard error of the mean of each
            named output is small enough for every metric and scenario; a number is meant for
            ``signed_gap``.
        max_replicates : int, optional
            Where to stop then; ``10 * n_replicates`` by default.

        Returns
        -------
        DisparityStudyResult
        """
        if not isinstance(target_mcse, (Mapping, type(None))):
            target_mcse = {"signed_gap": target_mcse}
        result = self.study.run(
            n_jobs=n_jobs,
            progress=progress,
            max_cells=max_cells,
            retry_failed=retry_failed,
            target_mcse=target_mcse,
            max_replicates=max_replicates,
        )
        return DisparityStudyResult(result, self.protocol)

    def resume(self, **options: Any) -> DisparityStudyResult:
        """Go on with a study that has begun; as `run`, but nothing to go on with is an error.

        Parameters
        ----------
        **options : object
            Arguments of `run`.

        Returns
        -------
        DisparityStudyResult

        Raises
        ------
        InputError
            If no cell is finished: a directory was probably misspelt.
        """
        found = self.study.result()
        if found.n_done + found.n_failed == 0:
            raise InputError(
                f"resume: no cell of study {self.study.name!r} is finished. "
                "Check directory, or start with run()."
            )
        return self.run(**options)

    def result(self) -> DisparityStudyResult:
        """Return what is finished, without running anything."""
        return DisparityStudyResult(self.study.result(), self.protocol)

    def replay(self, scenario: Mapping[str, Any], replicate: int) -> StudyCell:
        """Run one cell again, here, and return its data, model and explanations.

        Exceptions are raised as they come, so that a debugger can step into them.

        Parameters
        ----------
        scenario : mapping
            A level (or its label) for each factor, or for as many as single the scenario out.
        replicate : int
            Number of the replicate, from 0.

        Returns
        -------
        StudyCell

        Raises
        ------
        InputError
            If not exactly one scenario of the study has these levels.
        """
        sink: list[StudyCell] = []
        token = REPLAYED.set(sink)
        try:
            self.study.replay(scenario, replicate)
        finally:
            REPLAYED.reset(token)
        return sink[0]


def one_at_a_time(
    base: Mapping[str, Any], levels: Mapping[str, Sequence[Any]]
) -> list[dict[str, Any]]:
    """List the scenarios that change one factor of a base scenario at a time.

    Parameters
    ----------
    base : mapping of str to object
        One level of each factor.
    levels : mapping of str to sequence
        Levels of the factors that are varied.

    Returns
    -------
    list of dict
        The base scenario first; no scenario occurs twice.

    Raises
    ------
    InputError
        If `levels` names a factor that `base` does not have.

    Examples
    --------
    >>> from shiftlab.explanation import one_at_a_time
    >>> one_at_a_time({"share": 0.5, "form": "step"}, {"share": [0.5, 0.1], "form": ["wave"]})
    [{'share': 0.5, 'form': 'step'}, {'share': 0.1, 'form': 'step'}, {'share': 0.5, 'form': 'wave'}]
    """
    unknown = [name for name in levels if name not in base]
    if unknown:
        raise InputError(
            f"levels names {join_names(unknown)}; the base has {join_names(list(base))}."
        )
    found = [dict(base)]
    for name, values in levels.items():
        for value in values:
            scenario = {**base, name: value}
            if scenario not in found:
                found.append(scenario)
    return found
