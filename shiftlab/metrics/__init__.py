"""Group fairness with intervals, from rows or from counts.

Every metric is a function of the number of decisions in each group, so rows are counted once and
the rest is arithmetic on a small table; those who hold only such a table pass a `GroupCounts`.
Ratios and differences state what is divided by, or subtracted from, what.
"""

from shiftlab.metrics._counterfactual import CounterfactualUnfairness, counterfactual_unfairness
from shiftlab.metrics._counts import GroupCounts
from shiftlab.metrics._disparity_metrics import demographic_parity_difference, disparate_impact
from shiftlab.metrics._flip_rates import negative_flip_rate
from shiftlab.metrics._group_fairness import GroupFairness, group_fairness
from shiftlab.metrics._intervals import difference_interval, rate_interval, ratio_interval
from shiftlab.metrics._metric import GroupEstimate, Metric
from shiftlab.metrics._outcome_metrics import (
    accuracy_difference,
    equal_opportunity_difference,
    equalized_odds_difference,
    false_positive_rate_difference,
)
from shiftlab.metrics._rate_metrics import (
    accuracy,
    false_positive_rate,
    precision,
    selection_rate,
    true_positive_rate,
)

__all__ = [
    "CounterfactualUnfairness",
    "GroupCounts",
    "GroupEstimate",
    "GroupFairness",
    "Metric",
    "accuracy",
    "accuracy_difference",
    "counterfactual_unfairness",
    "demographic_parity_difference",
    "difference_interval",
    "disparate_impact",
    "equal_opportunity_difference",
    "equalized_odds_difference",
    "false_positive_rate",
    "false_positive_rate_difference",
    "group_fairness",
    "negative_flip_rate",
    "precision",
    "rate_interval",
    "ratio_interval",
    "selection_rate",
    "true_positive_rate",
]
