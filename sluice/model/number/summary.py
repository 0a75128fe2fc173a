"""One line on a model of a number: the verdict, and what was measured with its interval."""

from sluice.model.number.metrics_file import NumberMetrics
from sluice.percent import four_digits


def number_summary(verdict: str, metrics: NumberMetrics) -> str:
    """The mean absolute error and the skill."""
    unit = f" {metrics.unit}" if metrics.unit else ""
    (low, high), (least, most) = metrics.intervals.mae, metrics.intervals.skill
    return (
        f"{verdict}: mean absolute error {four_digits(metrics.holdout.mae)}{unit}"
        f" [{four_digits(low)}, {four_digits(high)}],"
        f" skill {metrics.holdout.skill:.4f} [{least:.4f}, {most:.4f}]"
        f" ({100 * metrics.intervals.level:g} % intervals)"
    )
