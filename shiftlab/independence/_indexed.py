"""A test prepared for many questions about one table: caches, counts, batches, missing cells."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import pairwise

import numpy as np
from scipy.stats import rankdata

from shiftlab._core.names import join_names
from shiftlab._core.parallel import parallel_map
from shiftlab.exceptions import ColumnNotFoundError, InputError
from shiftlab.independence._protocol import CIResult, Engine, Outcome, Query
from shiftlab.independence._variables import Variable, spread_rows

__all__ = ["IndexedTest"]

Key = tuple[int, int, tuple[int, ...]]
Answer = tuple[Outcome, int, Engine]
UNDEFINED = "the statistic is undefined"
#: A p-value on some of the rows below this answers a question; so do no fewer rows than this
#: multiple of them.
SURE, LEAST_SAVING = 1e-10, 3


class IndexedTest:
    """A conditional-independence test fitted to a table.

    Made by the `fit` of a test. Variables are named by position or by name; each question is
    computed once, whatever the order of its two variables or of its conditioning set.

    Parameters
    ----------
    name : str
        The test.
    variables : tuple of Variable
        What can be asked about.
    make_engine : callable
        Turns variables without missing cells into an engine.
    missing : {"raise", "pairwise"}, default "raise"
        "pairwise" uses, for each question, the rows in which its variables are complete.
    screen_rows : int, optional
        See `DataTest.fit`.

    Attributes
    ----------
    names : tuple of str
        Names of the variables.
    n_rows : int
        Rows of the table.
    n_tests : int
        Questions that were computed.
    n_lookups : int
        Questions that were answered from the cache.
    seconds : float
        CPU time spent in questions.
    tests_by_size : Counter
        Computed questions by size of the conditioning set.
    """

    def __init__(
        self,
        name: str,
        variables: tuple[Variable, ...],
        make_engine: Callable[[tuple[Variable, ...]], Engine],
        *,
        missing: str = "raise",
        screen_rows: int | None = None,
    ) -> None:
        self.name = name
        self.variables = variables
        self.names = tuple(v.name for v in variables)
        self.n_rows = variables[0].n_rows
        self.n_tests = 0
        self.n_lookups = 0
        self.seconds = 0.0
        self.tests_by_size: Counter[int] = Counter()
        self._make_engine = make_engine
        self._engines: dict[tuple[bytes, bool], Engine] = {}
        self._known: dict[Key, Answer] = {}
        self._screen_rows = screen_rows
        self._screened: dict[Key, Answer] = {}
        gaps = [v.name for v in variables if v.missing.any()]
        if gaps and missing == "raise":
            raise InputError(
                f"Missing cells in {join_names(gaps)}. Fill them or remove these rows, or set "
                "missing='pairwise' to use, for each test, the rows that are complete in it."
            )
        self._missing = np.column_stack([v.missing for v in variables]) if gaps else None

    def __repr__(self) -> str:
        return f"IndexedTest({self.name!r}, {len(self.names)} variables, {self.n_rows} rows)"

    @property
    def n_variables(self) -> int:
        """Number of variables."""
        return len(self.variables)

    @property
    def n_screened(self) -> int:
        """Questions that some of the rows have answered."""
        return len(self._screened)

    @property
    def undefined(self) -> list[Key]:
        """Questions whose statistic or p-value was undefined and read as no evidence."""
        return [key for key, answer in self._known.items() if UNDEFINED in answer[0].notes]

    def test(self, i: int | str, j: int | str, given: Sequence[int | str] = ()) -> CIResult:
        """Test variable `i` independent of variable `j` given others.

        Parameters
        ----------
        i, j : int or str
            Position or name.
        given : sequence of int or str, default ()
            The conditioning set.

        Returns
        -------
        CIResult
        """
        a, b, rest = self._key(i, j, given)
        with self._clock():
            outcome, n_rows, engine = self._answer((a, b, rest))
        return CIResult(
            method=self.name,
            statistic=float(outcome.statistic),
            pvalue=float(outcome.pvalue),
            pvalue_method=outcome.pvalue_method or engine.pvalue_method,
            effect=float(outcome.effect),
            effect_name=engine.effect_name,
            x=self.names[a],
            y=self.names[b],
            given=tuple(self.names[k] for k in rest),
            n_rows=n_rows,
            notes=outcome.notes,
        )

    def pvalue(self, i: int | str, j: int | str, given: Sequence[int | str] = ()) -> float:
        """Return the p-value only.

        Parameters
        ----------
        i, j : int or str
            Position or name.
        given : sequence of int or str, default ()
            The conditioning set.

        Returns
        -------
        float
            Never NaN.
        """
        with self._clock():
            return float(self._decided(self._key(i, j, given))[0].pvalue)

    def pvalues(self, queries: Iterable[Query], *, n_jobs: int | None = None) -> np.ndarray:
        """Answer many questions, ordered inside so that conditioning sets are shared.

        Parameters
        ----------
        queries : iterable of (i, j, given)
            For instance all questions of one depth of a search.
        n_jobs : int, optional
            Workers, as in joblib; each gets whole conditioning sets. The answers are the same for
            any number.

        Returns
        -------
        ndarray of shape (n_queries,)
            p-values in the order of the questions.
        """
        keys = [self._key(*query) for query in queries]
        ordered = sorted(set(keys), key=lambda k: (len(k[2]), k[2], k[0], k[1]))
        if n_jobs not in (None, 1):
            new = [k for k in ordered if k not in self._known and k not in self._screened]
            self._decide_in_parallel(new, n_jobs)
        with self._clock():
            found = {key: self._decided(key)[0].pvalue for key in ordered}
        return np.array([found[key] for key in keys], dtype=np.float64)

    def index(self, variable: int | str) -> int:
        """Return the position of a variable.

        Parameters
        ----------
        variable : int or str
            Position or name.

        Returns
        -------
        int
        """
        if isinstance(variable, str):
            if variable not in self.names:
                raise ColumnNotFoundError(
                    f"There is no variable {variable!r}; there are {join_names(self.names)}."
                )
            return self.names.index(variable)
        if not 0 <= variable < len(self.names):
            raise InputError(f"Variables are numbered 0 to {len(self.names) - 1}, not {variable}.")
        return int(variable)

    def _key(self, i: int | str, j: int | str, given: Sequence[int | str]) -> Key:
        a, b = self.index(i), self.index(j)
        rest = tuple(sorted({self.index(k) for k in given}))
        if a == b or a in rest or b in rest:
            raise InputError(
                "A test needs two different variables that are not in their conditioning set, "
                f"found {self.names[a]!r} and {self.names[b]!r} given "
                f"{join_names([self.names[k] for k in rest]) if rest else 'nothing'}."
            )
        return min(a, b), max(a, b), rest

    @contextmanager
    def _clock(self) -> Iterator[None]:
        start = time.process_time()
        yield
        self.seconds += time.process_time() - start

    def _decided(self, key: Key) -> Answer:
        """Answer from some of the rows where these leave no doubt, else from all."""
        if key not in self._known and self._screen_rows is not None:
            if key in self._screened:
                self.n_lookups += 1
                return self._screened[key]
            engine, n_rows, is_part = self._engine(key, self._screen_rows)
            if is_part and (found := _defined(engine.evaluate(*key))).pvalue < SURE:
                return self._remember(key, (found, n_rows, engine), screened=True)
        return self._answer(key)

    def _answer(self, key: Key) -> Answer:
        known = self._known.get(key)
        if known is not None:
            self.n_lookups += 1
            return known
        engine, n_rows, _ = self._engine(key)
        return self._remember(key, (_defined(engine.evaluate(*key)), n_rows, engine))

    def _remember(self, key: Key, answer: Answer, *, screened: bool = False) -> Answer:
        if key not in self._screened:
            self.n_tests += 1
            self.tests_by_size[len(key[2])] += 1
        (self._screened if screened else self._known)[key] = answer
        return answer

    def _decide_in_parallel(self, keys: list[Key], n_jobs: int | None) -> None:
        from joblib import effective_n_jobs

        workers = max(1, min(effective_n_jobs(n_jobs), len(keys)))
        edges = np.linspace(0, len(keys), workers + 1).astype(int)
        for edge in range(1, workers):  # a conditioning set stays whole
            while edges[edge] < len(keys) and keys[edges[edge]][2] == keys[edges[edge] - 1][2]:
                edges[edge] += 1
        edges = np.maximum.accumulate(edges)
        bare = IndexedTest(
            self.name,
            self.variables,
            self._make_engine,
            missing="raise" if self._missing is None else "pairwise",
            screen_rows=self._screen_rows,
        )
        tasks = [(bare, keys[a:b]) for a, b in pairwise(edges) if a < b]
        for (_, part), (outcomes, seconds) in zip(
            tasks, parallel_map(_decisions, tasks, n_jobs=n_jobs), strict=True
        ):
            self.seconds += seconds
            for key, (outcome, screened) in zip(part, outcomes, strict=True):
                engine, n_rows, _ = self._engine(key, self._screen_rows if screened else None)
                self._remember(key, (outcome, n_rows, engine), screened=screened)

    def _engine(self, key: Key, most: int | None = None) -> tuple[Engine, int, bool]:
        """Return the engine for the rows that are complete in a question, at most so many.

        Also return the number of rows, and whether they are only a part of the complete ones.
        """
        rows: np.ndarray = np.array([], dtype=bool)
        if self._missing is not None:
            rows = np.asarray(~self._missing[:, [key[0], key[1], *key[2]]].any(axis=1))
        mask = b"" if rows.all() else np.packbits(rows).tobytes()
        n_rows = int(rows.sum()) if mask else self.n_rows
        is_part = most is not None and n_rows >= LEAST_SAVING * most
        name = mask, is_part
        if name not in self._engines:
            variables = self.variables
            if mask or is_part:
                chosen = self._order if not mask else self._order[rows[self._order]]
                chosen = spread_rows(chosen, most) if is_part and most else chosen
                variables = tuple(v.take(np.sort(chosen)) for v in variables)
            self._engines[name] = self._make_engine(variables)
        return self._engines[name], most if is_part and most else n_rows, is_part

    @cached_property
    def _order(self) -> np.ndarray:
        """Rows by what they hold, so that some of them can stand for all in any order."""
        place = np.zeros(self.n_rows)
        for variable in self.variables:
            for column in variable.numbers.T:
                place += rankdata(np.nan_to_num(column, nan=0.0))
            if variable.codes is not None:
                place += np.bincount(variable.codes)[variable.codes]
        return np.argsort(place, kind="stable")


def _decisions(test: IndexedTest, keys: list[Key]) -> tuple[list[tuple[Outcome, bool]], float]:
    """Answer questions in a worker, and tell which by some of the rows; return CPU time too."""
    with test._clock():
        outcomes = [(test._decided(key)[0], key in test._screened) for key in keys]
    return outcomes, test.seconds


def _defined(outcome: Outcome) -> Outcome:
    """Read an undefined statistic or p-value as no evidence, and say so."""
    if np.isfinite(outcome.statistic) and 0 <= outcome.pvalue <= 1:
        return outcome
    notes = (*outcome.notes, UNDEFINED)
    return Outcome(0.0, 1.0, 0.0, notes, outcome.pvalue_method)
