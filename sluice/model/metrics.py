"""What a set of scores is worth: `metrics.json`."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from sluice.model.statistics import average_precision, brier, roc_auc, roc_auc_interval, wilson

SCHEMA = 1
LEVEL = 0.95
Metrics = dict[str, Any]


def confusion(labels: np.ndarray, flagged: np.ndarray) -> dict[str, int]:
    """The four counts; `labels` and `flagged` 0/1 or boolean, shape (rows,)."""
    labels, flagged = labels.astype(bool), flagged.astype(bool)
    return {
        "true_positive": int((labels & flagged).sum()),
        "false_positive": int((~labels & flagged).sum()),
        "false_negative": int((labels & ~flagged).sum()),
        "true_negative": int((~labels & ~flagged).sum()),
    }


def measure(labels: np.ndarray, scores: np.ndarray, threshold: float) -> dict[str, float]:
    """The headline metrics at a threshold; areas and the Brier score from the probabilities
    themselves.
    """
    return {
        **at_threshold(confusion(labels, scores >= threshold)),
        "roc_auc": roc_auc(labels, scores),
        "average_precision": average_precision(labels, scores),
        "brier": brier(labels, scores),
    }


def at_threshold(counts: Mapping[str, int]) -> dict[str, float]:
    """Accuracy, precision, recall, F1 and share flagged from the four counts; a share of nothing is
    0.
    """
    hit, false = counts["true_positive"], counts["false_positive"]
    missed, right = counts["false_negative"], counts["true_negative"]
    rows = hit + false + missed + right
    return {
        "accuracy": _share(hit + right, rows),
        "precision": _share(hit, hit + false),
        "recall": _share(hit, hit + missed),
        "f1": _share(2 * hit, 2 * hit + false + missed),
        "share_flagged": _share(hit + false, rows),
    }


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def intervals(labels: np.ndarray, scores: np.ndarray, threshold: float) -> dict[str, Any]:
    """Two-sided intervals: Wilson's for shares, DeLong's for the area under the ROC curve."""
    counts = confusion(labels, scores >= threshold)
    hit, rows = counts["true_positive"], len(labels)
    return {
        "level": LEVEL,
        "recall": list(wilson(hit, hit + counts["false_negative"], LEVEL)),
        "precision": list(wilson(hit, hit + counts["false_positive"], LEVEL)),
        "accuracy": list(wilson(hit + counts["true_negative"], rows, LEVEL)),
        "roc_auc": list(roc_auc_interval(labels, scores, LEVEL)),
    }


def by_segment(
    labels: np.ndarray, scores: np.ndarray, threshold: float, segments: Mapping[str, np.ndarray]
) -> dict[str, dict[str, Any]]:
    """For each segment and each of its groups (texts, shape (rows,)), the counts and shares of that
    group.
    """
    return {
        name: {
            str(group): _group(labels[groups == group], scores[groups == group] >= threshold)
            for group in np.unique(groups)
        }
        for name, groups in segments.items()
    }


def _group(labels: np.ndarray, flagged: np.ndarray) -> dict[str, Any]:
    counts = confusion(labels, flagged)
    shares = at_threshold(counts)
    positives = counts["true_positive"] + counts["false_negative"]
    return {
        "rows": len(labels),
        "positives": positives,
        "recall": shares["recall"],
        "precision": shares["precision"],
        "share_flagged": shares["share_flagged"],
        "recall_interval": list(wilson(counts["true_positive"], positives, LEVEL)),
    }


def cross_validation(tuning: Mapping[str, Any]) -> dict[str, Any]:
    """Mean and spread over the folds of the winning trial."""
    winner = tuning["winner"]
    folds = {"roc_auc": winner["roc_auc"], "average_precision": winner["folds"]}
    return {
        name: {"mean": float(np.mean(values)), "std": float(np.std(values)), "folds": list(values)}
        for name, values in folds.items()
    }


def summary(verdict: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    """One line: the verdict, recall and precision with their intervals."""
    shares, found = at_threshold(metrics["confusion"]), metrics["intervals"]
    said = (
        f"{name} {shares[name]:.4f} [{found[name][0]:.4f}, {found[name][1]:.4f}]"
        for name in ("recall", "precision")
    )
    return f"{verdict['verdict']}: {', '.join(said)}"
