"""One line on a model of several classes: the verdict, and what was measured with its interval."""

from sluice.model.classes.metrics_file import ClassMetrics


def class_summary(verdict: str, metrics: ClassMetrics) -> str:
    """The mean recall over the classes, and that of the class that is found least often."""
    name, least = min(metrics.classes.items(), key=lambda named: named[1].recall)
    return f"{_mean(verdict, metrics)}, least of {name!r}, {least.recall:.4f} {_level(metrics)}"


def mean_recall(verdict: str, metrics: ClassMetrics) -> str:
    """The mean recall alone."""
    return f"{_mean(verdict, metrics)} {_level(metrics)}"


def _mean(verdict: str, metrics: ClassMetrics) -> str:
    low, high = metrics.intervals.recall
    return (
        f"{verdict}: mean recall over {len(metrics.classes)} classes {metrics.holdout.recall:.4f}"
        f" [{low:.4f}, {high:.4f}]"
    )


def _level(metrics: ClassMetrics) -> str:
    return f"({100 * metrics.intervals.level:g} % interval)"
