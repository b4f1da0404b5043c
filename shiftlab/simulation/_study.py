"""Simulation studies: a function over a grid of factors, with replicates that can be resumed."""

import inspect
import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from shiftlab._core.names import join_names
from shiftlab._core.progress import Progress, progress_ticker
from shiftlab._core.random import RandomState, as_seed_sequence
from shiftlab._core.threads import single_threaded
from shiftlab._core.validation import check_integer, check_option
from shiftlab.exceptions import InputError
from shiftlab.simulation._study_adaptive import check_targets, next_replicates
from shiftlab.simulation._study_cells import CellRecord, call_cell, check_rows
from shiftlab.simulation._study_definition import Definition, agree
from shiftlab.simulation._study_design import Scenario, expand_factors, scenario_key
from shiftlab.simulation._study_plan import plan_frame
from shiftlab.simulation._study_result import StudyResult
from shiftlab.simulation._study_run import Job, execute
from shiftlab.simulation._study_store import DirectoryStore, MemoryStore
from shiftlab.simulation._study_tables import build_result

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Study"]

SEED_ARGUMENTS = ("seed", "random_state")


class Study:
    """A function evaluated over a grid of factors and independent replicates.

    Each cell (a scenario and a replicate) has a seed that depends on its content only, so adding
    levels or replicates never changes a finished cell, and the results are bit-equal for any number
    of workers, any joblib backend and any number of interruptions.

    Parameters
    ----------
    function : callable
        Called as ``function(**levels, seed=seed)``, or with ``random_state=seed`` if that is the
        name of its parameter; ``seed`` is a `numpy.random.SeedSequence` (spawn from it for separate
        streams; ``int(seed.generate_state(1)[0])`` for libraries that want an integer). Returns a
        dictionary of numbers, or a list of dictionaries for several rows; text is allowed for
        labels. Process-based backends must be able to pickle it.
    factors : mapping, sequence of mappings, or data frame
        ``{"n": [100, 200], "method": ["a", "b"]}`` is crossed in full; a list of dictionaries or a
        frame names the scenarios one by one. Levels are numbers, text, booleans, None, or lists of
        these; other objects get labels: ``{"model": {"logistic": LogisticRegression()}}``. The
        function gets a fresh copy of such objects in each cell.
    n_replicates : int
        Replicates of each scenario, numbered from 0.
    random_state : int, SeedSequence, Generator, RandomState or None, default None
        Entropy of the study. None draws it anew, except that a study in an existing directory goes
        on with the entropy recorded there.
    directory : path, optional
        Where finished cells are kept. A run that was killed resumes from it and repeats at most the
        cells under way. One process at a time may write to it. None keeps the results in this
        object only.
    name : str, default "study"
        Label for progress and results.
    format : {"parquet", "jsonl"}, default "parquet"
        How finished cells are written. Parquet needs the extra ``parquet``; without it, ask for
        JSON lines, which need nothing. One never replaces the other silently.
    common_random_numbers : bool or sequence of str, default False
        Factors that the seeds do not depend on (True: all), so that scenarios which differ in these
        factors only share their random numbers and can be compared in pairs.
    exclude : callable, optional
        Gets a scenario as a dictionary; True leaves it out of the grid.
    on_change : {"error", "overwrite", "keep"}, default "error"
        What to do if `directory` holds results of another function, labelled object, entropy or
        choice of common random numbers: refuse, delete them and start again, or keep them because
        the change does not matter (not possible for entropy and common random numbers).

    Raises
    ------
    InputError
        If an argument is unfit, or the function does not accept the factors and a seed.

    Notes
    -----
    The function is fingerprinted by its source without comments, its defaults and captured
    variables. Code that it calls elsewhere is not seen; after changing such code use another
    directory. Cells run with one BLAS and OpenMP thread each, since the number of threads may
    change the last bits. NumPy, BLAS and processor versions may, too.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.simulation import Study
    >>> def mean_of_normals(n, seed):
    ...     return {"estimate": np.random.default_rng(seed).normal(size=n).mean()}
    >>> study = Study(mean_of_normals, {"n": [10, 40]}, n_replicates=200, random_state=0)
    >>> result = study.run()
    >>> result.n_done, result.n_failed
    (400, 0)
    >>> table = result.summary(estimate="estimate", truth=0.0)
    >>> table.query("statistic == 'empirical_se'")[["n", "value", "mcse"]].round(3)
        n  value   mcse
    0  10  0.325  0.016
    4  40  0.160  0.008
    """

    def __init__(
        self,
        function: Callable[..., Any],
        factors: Any,
        *,
        n_replicates: int,
        random_state: RandomState = None,
        directory: str | os.PathLike[str] | None = None,
        name: str = "study",
        format: str = "parquet",
        common_random_numbers: bool | Sequence[str] = False,
        exclude: Callable[[dict[str, Any]], bool] | None = None,
        on_change: str = "error",
    ) -> None:
        if not callable(function):
            raise InputError(f"function must be callable, found {type(function).__name__}.")
        self.function = function
        self.factors, self._scenarios = expand_factors(factors, exclude)
        self.n_replicates = check_integer(n_replicates, "n_replicates")
        self.name = str(name)
        self.on_change = check_option(on_change, ("error", "overwrite", "keep"), "on_change")
        check_option(format, ("parquet", "jsonl"), "format")
        self._seed_argument = _seed_argument(function, self._scenarios[0])
        self._common = _common_factors(common_random_numbers, self.factors)
        self._fresh_entropy = random_state is None
        self._entropy = _entropy_text(random_state)
        self._memory = MemoryStore()
        self._disk = None if directory is None else DirectoryStore(directory, format)

    def __repr__(self) -> str:
        return (
            f"Study({self.name!r}, {len(self._scenarios)} scenarios x "
            f"{self.n_replicates} replicates, factors={list(self.factors)})"
        )

    def run(
        self,
        *,
        n_jobs: int | None = None,
        progress: Progress = False,
        max_cells: int | None = None,
        retry_failed: bool = False,
        target_mcse: Mapping[str, float] | None = None,
        max_replicates: int | None = None,
    ) -> StudyResult:
        """Run the cells that are not finished yet.

        Parameters
        ----------
        n_jobs : int, optional
            As in joblib; None follows ``joblib.parallel_config`` (Dask, Ray, threads, processes)
            and is one worker otherwise.
        progress : bool or callable, default False
            True draws a bar on standard error; a callable gets (done, total, description).
        max_cells : int, optional
            Run at most this many cells now; the result says how many are pending.
        retry_failed : bool, default False
            Run failed cells again, with the same seeds.
        target_mcse : mapping from str to float, optional
            Go on in rounds after `n_replicates` until the Monte-Carlo standard error of the mean of
            each named output is small enough in every scenario (and text label). For 0/1 outputs
            it is taken at the proportion as found and as shrunk by Agresti and Coull, whichever is
            larger, so that equal outcomes are not taken for certainty. Rounds depend on the
            results only, not on `n_jobs`.
        max_replicates : int, optional
            Where to stop then; ``10 * n_replicates`` by default.

        Returns
        -------
        StudyResult

        Raises
        ------
        InputError
            If an argument is unfit, or `directory` belongs to another definition.
        MissingDependencyError
            If Parquet was asked for and pyarrow is not installed.
        """
        budget = math.inf if max_cells is None else check_integer(max_cells, "max_cells", minimum=0)
        targets, limit = check_targets(target_mcse, max_replicates, self.n_replicates)
        records = self._open(write=True)
        if retry_failed:
            records = {key: r for key, r in records.items() if r.error is None}
        wanted = dict.fromkeys((s.key for s in self._scenarios), self.n_replicates)
        while True:
            pending = [key for key in self._cell_keys(wanted) if key not in records]
            now = pending[: int(min(budget, len(pending)))]
            with progress_ticker(len(now), f"{self.name}: cells", progress) as ticker:
                records |= execute(self._job(), now, self._store, n_jobs, ticker)
            budget -= len(now)
            grown = next_replicates(wanted, records, targets, limit)
            if len(now) < len(pending) or grown == wanted:
                return self._result(records, wanted)
            wanted = grown

    def result(self) -> StudyResult:
        """Return what is finished of `n_replicates`, without running anything.

        The further replicates of an adaptive study come with ``run(target_mcse=...)``, which runs
        nothing that is finished.
        """
        wanted = dict.fromkeys((s.key for s in self._scenarios), self.n_replicates)
        return self._result(self._open(write=False), wanted)

    def plan(self, *, n_pilot: int = 3) -> "pd.DataFrame":
        """Say how much there is to do, and how long it will take.

        Parameters
        ----------
        n_pilot : int, default 3
            Scenarios to time by running their replicate 0 here, spread over those without a
            finished cell. The outcome is not kept. 0 times none.

        Returns
        -------
        DataFrame
            One row per scenario: factors, ``n_cells``, ``n_done``, ``n_failed``, ``n_pending``,
            ``seconds_per_cell`` and ``timing`` ("finished cells", "pilot", "mean of the others" or
            "unknown"), and ``seconds_pending`` for one worker.
        """
        check_integer(n_pilot, "n_pilot", minimum=0)
        records = self._open(write=False)
        return plan_frame(self._job(), self._scenarios, self.n_replicates, records, n_pilot)

    def replay(self, scenario: Mapping[str, Any], replicate: int) -> Any:
        """Run one cell again, here, and return exactly what the function returns.

        Exceptions are raised as they come, so a debugger can step into them.

        Parameters
        ----------
        scenario : mapping
            A level (or its label) for each factor, or for as many as single the scenario out.
        replicate : int
            Number of the replicate, from 0.

        Returns
        -------
        object
            The return value of the function.

        Raises
        ------
        InputError
            If not exactly one scenario of the study has these levels.
        """
        number = check_integer(replicate, "replicate", minimum=0)
        chosen = self._find(scenario)
        self._settle(write=False)
        with single_threaded():
            output = call_cell(self._job().batch([(chosen.key, number)]), chosen.key, number)
        check_rows(output, chosen.values)
        return output

    def compact(self) -> None:
        """Merge the files in the directory into one; without a directory, do nothing."""
        if self._disk is not None:
            self._open(write=True)
            self._disk.compact()

    @property
    def _store(self) -> DirectoryStore | MemoryStore:
        return self._memory if self._disk is None else self._disk

    @cached_property
    def _definition(self) -> Definition:
        # Taken once, before the first cell: running a function may change what it has captured.
        return Definition.of(self.function, self._entropy, self._common, self.name, self._scenarios)

    def _job(self) -> Job:
        return Job(self.function, self._seed_argument, self._entropy, self._common, self._scenarios)

    def _open(self, *, write: bool) -> dict[tuple[str, int], CellRecord]:
        """Return the finished cells; with `write`, make the directory ready for more."""
        usable = self._settle(write=write)
        if self._disk is None:
            return self._memory.load()
        return self._disk.load(set_aside=write) if usable else {}

    def _settle(self, *, write: bool) -> bool:
        """Compare the definition with the recorded one; tell whether its cells can be used."""
        if self._disk is None:
            return True
        found = self._disk.manifest()
        if found is None and self._disk.parts():
            raise InputError(
                f"directory: {self._disk.directory} holds parts of a study but no study.json. "
                "Restore that file, or use a new directory."
            )
        if found is not None and self._fresh_entropy:
            self._entropy = str(found["entropy"])
        definition = replace(self._definition, entropy=self._entropy)
        verdict = agree(found, definition, self.on_change, self._disk.directory)
        if verdict == "overwrite":
            if not write:
                return False
            self._disk.clear()
            found = None
        if write:
            self._disk.check_format()
            self._disk.remove_unfinished()
            merged = definition.merged_with(found)
            if merged != found:
                self._disk.write_manifest(merged)
        return True

    def _cell_keys(self, wanted: Mapping[str, int]) -> list[tuple[str, int]]:
        # Replicate by replicate, so that a partial study is balanced over the scenarios.
        last = max(wanted.values())
        return [(key, r) for r in range(last) for key, n in wanted.items() if r < n]

    def _result(
        self, records: Mapping[tuple[str, int], CellRecord], wanted: Mapping[str, int]
    ) -> StudyResult:
        cells = [(s, r) for s in self._scenarios for r in range(wanted[s.key])]
        return build_result(self.name, self.factors, cells, records)

    def _find(self, scenario: Mapping[str, Any]) -> Scenario:
        unknown = sorted(set(scenario) - set(self.factors))
        if unknown:
            raise InputError(
                f"scenario names {join_names(unknown)}; the factors are {join_names(self.factors)}."
            )
        levels = json.loads(scenario_key(scenario))
        found = [s for s in self._scenarios if levels.items() <= json.loads(s.key).items()]
        if len(found) != 1:
            raise InputError(
                f"scenario: {len(found)} scenarios of the study have these levels, expected 1. "
                f"Give a level for each of {join_names(self.factors)}."
            )
        return found[0]


def _seed_argument(function: Callable[..., Any], scenario: Scenario) -> str:
    signature = inspect.signature(function)
    parameters = signature.parameters
    named = [name for name in SEED_ARGUMENTS if name in parameters]
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    if not named and not takes_any:
        raise InputError(
            "function must have a parameter 'seed' (or 'random_state') that takes a "
            f"SeedSequence; its parameters are: {join_names(list(parameters), 12)}."
        )
    argument = named[0] if named else SEED_ARGUMENTS[0]
    try:
        signature.bind(**scenario.values, **{argument: None})
    except TypeError as error:
        raise InputError(
            f"function cannot be called with the factors {join_names(list(scenario.values), 12)} "
            f"and {argument!r}: {error}."
        ) from error
    return argument


def _common_factors(given: bool | Sequence[str], factors: tuple[str, ...]) -> tuple[str, ...]:
    if isinstance(given, (bool, np.bool_)):
        return factors if given else ()
    named = (given,) if isinstance(given, str) else tuple(given)
    unknown = [name for name in named if name not in factors]
    if unknown:
        raise InputError(
            f"common_random_numbers names {join_names(unknown)}; "
            f"the factors are {join_names(factors)}."
        )
    return named


def _entropy_text(random_state: RandomState) -> str:
    sequence = as_seed_sequence(random_state)
    entropy = np.asarray(sequence.entropy, dtype=object).ravel().tolist()
    return json.dumps([[int(e) for e in entropy], [int(k) for k in sequence.spawn_key]])
