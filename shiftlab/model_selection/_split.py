"""Cross-validation splitters that keep environments whole: at random, in blocks, one at a time."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.model_selection import BaseCrossValidator

from shiftlab._core.channels import split_channel
from shiftlab._core.random import RandomState, as_generator
from shiftlab._core.validation import Labels, check_environment, check_integer, check_option
from shiftlab.exceptions import InputError

__all__ = ["BlockedEnvironmentSplit", "EnvironmentKFold", "LeaveOneEnvironmentOut"]


class _EnvironmentSplitter(BaseCrossValidator):
    """Reads the environments and turns groups of them into rows."""

    # Under metadata routing one array, passed as `environment`, serves splitter and estimator.
    __metadata_request__split = {"groups": "environment"}  # noqa: RUF012

    environment: Any

    @abstractmethod
    def _test_codes(self, labels: Labels) -> Iterator[np.ndarray]:
        """Yield the codes of the environments that each split tests."""

    def _labels(self, X: Any, groups: Any, minimum: int = 2) -> Labels:
        values = split_channel(X, self.environment, groups, "environment")[1]
        labels, _ = check_environment(
            values, n_rows=len(values) if values is not None else None, minimum=minimum
        )
        return labels

    def split(
        self, X: Any, y: Any = None, groups: Any = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the rows to train on and the rows to test on.

        Parameters
        ----------
        X : array or data frame of shape (n_rows, n_columns)
            The table; it holds the environment if the constructor names a column.
        y : array, optional
            Not used.
        groups : array of shape (n_rows,), optional
            Environment of each row, if the constructor names no column.

        Yields
        ------
        train, test : ndarray of int
            Indices of rows; no environment is in both.
        """
        labels = self._labels(X, groups)
        for codes in self._test_codes(labels):
            tested = np.isin(labels.codes, codes)
            yield np.flatnonzero(~tested), np.flatnonzero(tested)


class EnvironmentKFold(_EnvironmentSplitter):
    """Folds of whole environments, drawn at random.

    Folds hold equal numbers of environments, not of rows: the unit of evidence about a new
    environment is an environment.

    Parameters
    ----------
    n_splits : int, default 5
        Number of folds; at most the number of environments.
    environment : str or int, optional
        Column of X that holds the environment; otherwise it is passed as `groups`.
    shuffle : bool, default True
        Whether environments are dealt out at random; False deals them out in sorted order,
        one to each fold in turn.
    random_state : RandomState, default 0
        Seed of the shuffling.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.model_selection import EnvironmentKFold
    >>> site = np.repeat(["a", "b", "c", "d"], 2)
    >>> X = np.zeros((8, 1))
    >>> for train, test in EnvironmentKFold(2, shuffle=False).split(X, groups=site):
    ...     print(np.unique(site[test]))
    ['a' 'c']
    ['b' 'd']
    """

    def __init__(
        self,
        n_splits: int = 5,
        *,
        environment: str | int | None = None,
        shuffle: bool = True,
        random_state: RandomState = 0,
    ) -> None:
        self.n_splits = n_splits
        self.environment = environment
        self.shuffle = shuffle
        self.random_state = random_state

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds."""
        return check_integer(self.n_splits, "n_splits", minimum=2)

    def _test_codes(self, labels: Labels) -> Iterator[np.ndarray]:
        n_splits = _at_most(self.get_n_splits(), labels)
        order = np.arange(len(labels))
        if self.shuffle:
            order = as_generator(self.random_state).permutation(len(labels))
        for fold in range(n_splits):
            yield order[fold::n_splits]


class BlockedEnvironmentSplit(_EnvironmentSplitter):
    """Contiguous blocks of environments, for environments that are ordered, such as days.

    Neighbouring days resemble each other; a random split would test on days whose neighbours were
    trained on and make every model look better than it is on days to come.

    Parameters
    ----------
    n_splits : int, default 5
        Number of blocks; at most the number of environments.
    environment : str or int, optional
        Column of X that holds the environment; otherwise it is passed as `groups`.
    order : {"sorted", "appearance"}, default "sorted"
        Order of the environments: by label (dates, numbers, text), or as they first occur in X.
    gap : int, default 0
        Environments on either side of the tested block that are not trained on either.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.model_selection import BlockedEnvironmentSplit
    >>> day = np.array([1, 2, 3, 4, 5, 6])
    >>> for train, test in BlockedEnvironmentSplit(3, gap=1).split(day[:, None], groups=day):
    ...     print(day[train], day[test])
    [4 5 6] [1 2]
    [1 6] [3 4]
    [1 2 3] [5 6]
    """

    def __init__(
        self,
        n_splits: int = 5,
        *,
        environment: str | int | None = None,
        order: str = "sorted",
        gap: int = 0,
    ) -> None:
        self.n_splits = n_splits
        self.environment = environment
        self.order = order
        self.gap = gap

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of blocks."""
        return check_integer(self.n_splits, "n_splits", minimum=2)

    def _test_codes(self, labels: Labels) -> Iterator[np.ndarray]:
        yield from np.array_split(self._order(labels), _at_most(self.get_n_splits(), labels))

    def _order(self, labels: Labels) -> np.ndarray:
        check_option(self.order, ("sorted", "appearance"), "order")
        if self.order == "sorted":
            return np.arange(len(labels))
        first = np.full(len(labels), len(labels.codes))
        np.minimum.at(first, labels.codes, np.arange(len(labels.codes)))
        return np.argsort(first, kind="stable")

    def split(
        self, X: Any, y: Any = None, groups: Any = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the rows to train on and the rows to test on.

        Parameters
        ----------
        X : array or data frame of shape (n_rows, n_columns)
            The table; it holds the environment if the constructor names a column.
        y : array, optional
            Not used.
        groups : array of shape (n_rows,), optional
            Environment of each row, if the constructor names no column.

        Yields
        ------
        train, test : ndarray of int
            Indices of rows; no environment is in both, and those in the gap are in neither.

        Raises
        ------
        InputError
            If the gap leaves nothing to train on.
        """
        gap = check_integer(self.gap, "gap", minimum=0)
        labels = self._labels(X, groups)
        place = np.argsort(self._order(labels))[labels.codes]
        for codes in self._test_codes(labels):
            tested = np.isin(labels.codes, codes)
            low, high = place[tested].min(), place[tested].max()
            train = np.flatnonzero((place < low - gap) | (place > high + gap))
            if not len(train):
                raise InputError(f"gap: {gap} environments on either side leave none to train on.")
            yield train, np.flatnonzero(tested)


class LeaveOneEnvironmentOut(_EnvironmentSplitter):
    """Each environment is tested once, by a model of all others.

    Parameters
    ----------
    environment : str or int, optional
        Column of X that holds the environment; otherwise it is passed as `groups`.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.model_selection import LeaveOneEnvironmentOut
    >>> site = ["a", "a", "b"]
    >>> splitter = LeaveOneEnvironmentOut()
    >>> [test.tolist() for _, test in splitter.split(np.zeros((3, 1)), groups=site)]
    [[0, 1], [2]]
    """

    def __init__(self, *, environment: str | int | None = None) -> None:
        self.environment = environment

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of environments, which X or `groups` must tell."""
        return len(self._labels(X, groups))

    def _test_codes(self, labels: Labels) -> Iterator[np.ndarray]:
        for code in range(len(labels)):
            yield np.array([code])


def _at_most(n_splits: int, labels: Labels) -> int:
    if n_splits > len(labels):
        raise InputError(
            f"n_splits={n_splits} is more than the {len(labels)} environments there are."
        )
    return n_splits
