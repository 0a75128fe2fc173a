"""One line on a model of several classes: the verdict, and what was measured with its interval."""

from sluice.model.classes.metrics_file import ClassMetrics


def class_summary(verdict: str, metrics: ClassMetrics) -> str:
    """The mean recall over the classes, and that of the class that is found least often."""
    low, high = metrics.intervals.recall
    name, least = min(metrics.classes.items(), key=lambda named: named[1].recall)
    return (
        f"{verdict}: mean recall over {len(metrics.classes)} classes {metrics.holdout.recall:.4f}"
        f" [{low:.4f}, {high:.4f}], least of {name!r}, {least.recall:.4f}"
        f" ({100 * metrics.intervals.level:g} % interval)"
    )
