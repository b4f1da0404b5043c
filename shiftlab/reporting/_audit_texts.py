"""Fixed sentences of audit reports."""

__all__ = ["ANNEX_IV", "COMPLIANCE", "INTEGRITY", "METRIC_NAMES"]

METRIC_NAMES = {
    "disparate_impact": "impact ratio",
    "demographic_parity_difference": "difference of selection rates",
    "true_positive_rate_ratio": "ratio of true positive rates",
    "equal_opportunity_difference": "difference of true positive rates",
}
COMPLIANCE = {
    "pass": "The lower limit of the metric reaches the threshold.",
    "fail": "The metric is below the threshold.",
    "inconclusive": "The sample does not decide whether the threshold is met.",
}
INTEGRITY = {
    "clean": "No test found a sign of manipulation; the limits below say what that is worth.",
    "suspect": "A random sample of the reference would hardly look like this one.",
    "mismatch": "The sample holds something that an honest sample cannot hold.",
    "untested": "There was no reference to compare with.",
}
#: Heading, what the audit can say, whether the provider has to fill it in. The headings
#: paraphrase the points of Annex IV; they are no legal advice.
ANNEX_IV = (
    ("1. General description of the system", "", True),
    ("2(a)-(c) Development: methods, design, architecture", "", True),
    (
        "2(d) Data: origin, scope, characteristics",
        "The audited sample has {n_sample} rows, its reference {n_reference}. Files and hashes: "
        "section Inputs and replay.",
        False,
    ),
    ("2(e) Human oversight", "", True),
    ("2(f) Predetermined changes", "", True),
    (
        "2(g) Validation and testing: metrics, potentially discriminatory impacts, test logs",
        "Metric: {metric}, threshold {threshold}. Compliance: {compliance}; integrity: "
        "{integrity}. Rates of all groups, tests and their levels are in this report, which is "
        "dated in its provenance; it has to be signed by the person responsible.",
        False,
    ),
    ("2(h) Cybersecurity", "", True),
    (
        "3. Monitoring, functioning, control: degrees of accuracy for persons and groups, "
        "foreseeable risks",
        "Rates of the groups with intervals: section Rates of the groups. What the evidence "
        "cannot tell: section What this audit cannot tell.",
        False,
    ),
    (
        "4. Appropriateness of the performance metrics",
        "The {metric} compares groups by the share of favourable decisions; it does not look at "
        "whether decisions were right unless outcomes were given.",
        False,
    ),
    ("5. Risk management system", "", True),
    ("6. Changes during the life cycle", "", True),
    ("7. Standards applied", "", True),
    ("8. EU declaration of conformity", "", True),
    ("9. Post-market monitoring", "", True),
)
