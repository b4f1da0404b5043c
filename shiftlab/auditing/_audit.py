"""The audit: one call from sample and reference to metrics, tests and two separate verdicts.

Compliance asks whether the sample meets the threshold; integrity asks whether the sample can be
believed. A manipulated sample passes the first by design, so one verdict never stands for both.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from shiftlab._core.checks import check_fraction, check_integer, check_option
from shiftlab._core.random import RandomState, as_seed_sequence
from shiftlab.auditing._audit_limits import limits_of
from shiftlab.auditing._audit_metrics import Compliance, compliance_of, count_sample
from shiftlab.auditing._audit_outlook import outlook_of
from shiftlab.auditing._audit_result import AuditRecord
from shiftlab.auditing._reference import Reference
from shiftlab.auditing._representativeness import REGIMES, representativeness_tests
from shiftlab.auditing._representativeness_directional import METRICS, check_threshold
from shiftlab.auditing._representativeness_result import Representativeness
from shiftlab.auditing._representativeness_rows import model_consistency_test
from shiftlab.metrics import GroupCounts, group_fairness

__all__ = ["ManipulationAudit", "audit_metrics"]


class ManipulationAudit:
    """Audit samples that claim to represent a reference.

    Parameters
    ----------
    reference : Reference or GroupCounts
        What samples claim to represent; with counts, only tests on counts can run.
    metric : str, default "disparate_impact"
        What is claimed: "disparate_impact", "demographic_parity_difference",
        "true_positive_rate_ratio" or "equal_opportunity_difference".
    threshold : float, default 0.8
        Least value of the metric that complies.
    regime : {"full", "independent", "features"}, default "full"
        What the reference is: the population, an independent random sample of it, or the
        population without decisions.
    tests : {"default", "all"} or sequence of str, default "default"
        See `representativeness_tests`.
    alpha : float, default 0.05
        Level of the family of tests.
    correction : {"holm", "bonferroni", "none"}, default "holm"
        Correction for their number.
    reference_group : object or mapping, optional
        Group that the others are compared with; by default the one with the highest rate. With
        several sensitive features a mapping from feature to group.
    confidence_level : float, default 0.95
        Coverage of the intervals of metrics.
    min_count : int, default 10
        Groups with fewer rows are not shown and make compliance inconclusive.
    power : float, default 0.9
        Power for which the required sample size is given.
    n_resamples : int, default 999
        See `representativeness_tests`.
    random_state : int, SeedSequence, Generator or None, default 0
        Seed; fixed, so that an audit can be repeated.

    Examples
    --------
    >>> from shiftlab.auditing import ManipulationAudit
    >>> from shiftlab.metrics import GroupCounts
    >>> table = {"sex": ["f", "m"], "n": [1638, 3362], "selected": [160, 1095]}
    >>> claim = {"sex": ["f", "m"], "n": [160, 340], "selected": [41, 87]}
    >>> population, sample = (GroupCounts.from_frame(t, "sex") for t in (table, claim))
    >>> record = ManipulationAudit(population).run(sample)
    >>> record.compliance, record.integrity
    ('inconclusive', 'suspect')
    """

    def __init__(
        self,
        reference: Reference | GroupCounts,
        *,
        metric: str = "disparate_impact",
        threshold: float = 0.8,
        regime: str = "full",
        tests: str | Sequence[str] = "default",
        alpha: float = 0.05,
        correction: str = "holm",
        reference_group: Any = None,
        confidence_level: float = 0.95,
        min_count: int = 10,
        power: float = 0.9,
        n_resamples: int = 999,
        random_state: RandomState = 0,
    ) -> None:
        self.reference = reference
        self.metric = check_option(metric, tuple(METRICS), "metric")
        self.threshold = check_threshold(threshold, self.metric)
        self.regime = check_option(regime, REGIMES, "regime")
        self.tests, self.alpha = tests, check_fraction(alpha, "alpha")
        self.correction, self.reference_group = correction, reference_group
        self.confidence_level = check_fraction(confidence_level, "confidence_level")
        self.min_count = check_integer(min_count, "min_count", minimum=0)
        self.power = check_fraction(power, "power")
        self.n_resamples = n_resamples
        self._seed = as_seed_sequence(random_state)

    def __repr__(self) -> str:
        return (
            f"ManipulationAudit({self.reference!r}, metric={self.metric!r}, "
            f"threshold={self.threshold:g}, regime={self.regime!r})"
        )

    def run(self, sample: Any, *, model_decisions: Any = None) -> AuditRecord:
        """Audit one sample.

        Parameters
        ----------
        sample : data frame, mapping of columns, array or GroupCounts
            The submitted rows, with the columns of the reference, or counts of them.
        model_decisions : array of shape (n_rows,), optional
            Decisions of the model for the rows of the sample, obtained by querying it; every one
            that differs from the reported decision is a proof of manipulation.

        Returns
        -------
        AuditRecord

        Raises
        ------
        InputError
            If columns differ from those of the reference, a sensitive cell is missing, the sample
            is weighted, or an option is unknown.
        """
        counts, told = count_sample(sample, self.reference)
        known = self.reference if isinstance(self.reference, GroupCounts) else None
        known = known or getattr(self.reference, "counts", None)
        representativeness = self._test(sample, counts, told, model_decisions)
        references = _references(counts, self.reference_group)
        options = (self.metric, self.threshold, self.confidence_level, self.min_count)
        compliance = _comply(counts, known, references, options)
        outlook = outlook_of(
            known,
            counts,
            metric=self.metric,
            threshold=self.threshold,
            regime=self.regime,
            alpha=self.alpha,
            power=self.power,
        )
        fairness = group_fairness(
            counts,
            reference=references,
            confidence_level=self.confidence_level,
            min_count=self.min_count,
        )
        return AuditRecord(
            compliance=_worst([part.verdict for part in compliance]),
            integrity=_integrity(representativeness),
            metric=self.metric,
            threshold=self.threshold,
            by_feature=tuple(compliance),
            representativeness=representativeness,
            fairness=fairness,
            outlook=outlook,
            limits=limits_of(self.regime, representativeness, outlook, compliance),
            n_sample=int(counts.n.sum()),
            n_reference=_n_rows(self.reference),
        )

    def _test(
        self, sample: Any, counts: GroupCounts, told: Any, model_decisions: Any
    ) -> Representativeness:
        found = representativeness_tests(
            counts if isinstance(self.reference, GroupCounts) else sample,
            self.reference,
            regime=self.regime,
            tests=self.tests,
            metric=self.metric,
            reference_group=self.reference_group,
            alpha=self.alpha,
            correction=self.correction,
            n_resamples=self.n_resamples,
            random_state=self._seed,
        )
        if model_decisions is None:
            return found
        return found.with_proof(model_consistency_test(told, model_decisions))


def audit_metrics(
    counts: GroupCounts,
    *,
    metric: str = "disparate_impact",
    threshold: float = 0.8,
    reference_group: Any = None,
    confidence_level: float = 0.95,
    min_count: int = 10,
) -> AuditRecord:
    """Judge compliance where there is no reference: metrics with intervals, nothing tested.

    Parameters
    ----------
    counts : GroupCounts
        Decisions by group.
    metric : str, default "disparate_impact"
        What is judged, see `ManipulationAudit`.
    threshold : float, default 0.8
        Least value of the metric that complies.
    reference_group : object or mapping, optional
        Group that the others are compared with; by default the one with the highest rate.
    confidence_level : float, default 0.95
        Coverage of the intervals.
    min_count : int, default 10
        Groups with fewer rows are not shown and make compliance inconclusive.

    Returns
    -------
    AuditRecord
        Its integrity is "untested".

    Raises
    ------
    InputError
        If an option is unknown or the metric needs outcomes that are absent.

    Examples
    --------
    >>> from shiftlab.auditing import audit_metrics
    >>> from shiftlab.metrics import GroupCounts
    >>> table = {"sex": ["f", "m"], "n": [1638, 3362], "selected": [160, 1095]}
    >>> audit_metrics(GroupCounts.from_frame(table, "sex"))
    AuditRecord: compliance fail, integrity untested (5000 rows)
      sex: disparate_impact = 0.2999 [0.2566, 0.3498]: fail
    """
    check_option(metric, tuple(METRICS), "metric")
    threshold = check_threshold(threshold, metric)
    references = _references(counts, reference_group)
    compliance = _comply(counts, None, references, (metric, threshold, confidence_level, min_count))
    fairness = group_fairness(
        counts, reference=references, confidence_level=confidence_level, min_count=min_count
    )
    return AuditRecord(
        compliance=_worst([part.verdict for part in compliance]),
        integrity="untested",
        metric=metric,
        threshold=threshold,
        by_feature=tuple(compliance),
        representativeness=None,
        fairness=fairness,
        outlook=(),
        limits=(
            "Nothing was compared with a reference: whether these rows represent anything else is "
            "not known.",
        ),
        n_sample=int(counts.n.sum()),
        n_reference=0,
    )


def _comply(
    counts: GroupCounts,
    known: GroupCounts | None,
    references: dict[str, Any],
    options: tuple[str, float, float, int],
) -> list[Compliance]:
    metric, threshold, confidence_level, min_count = options
    return [
        compliance_of(
            counts.margin(name),
            None if known is None else known.margin(name),
            metric=metric,
            threshold=threshold,
            reference_group=references[name],
            confidence_level=confidence_level,
            min_count=min_count,
        )
        for name in counts.names
    ]


def _references(counts: GroupCounts, group: Any) -> dict[str, Any]:
    """Name the reference group of each feature."""
    if not isinstance(group, Mapping):
        group = dict.fromkeys(counts.names, group)
    return {name: "highest" if group.get(name) is None else group[name] for name in counts.names}


def _worst(verdicts: Sequence[str]) -> str:
    return next(v for v in ("fail", "inconclusive", "pass") if v in verdicts)


def _integrity(found: Representativeness) -> str:
    return "mismatch" if found.mismatch else "suspect" if found.reject else "clean"


def _n_rows(reference: Reference | GroupCounts) -> int:
    if isinstance(reference, GroupCounts):
        return int(reference.n.sum())
    return reference.n_rows
