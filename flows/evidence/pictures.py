"""The pictures of a release, each a self-contained SVG.

What a colour says, a shape, a dash or a word says too. Every function takes typed numbers and
returns the text of an SVG, the same bytes for the same numbers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from flows.evidence.drawing import (
    FIRST,
    INK,
    MUTED,
    SECOND,
    SMALL,
    blank,
    canvas,
    few_ticks,
    percent,
    picture,
    short,
)
from sluice.model.fit.tuning_file import Trial, whole
from sluice.model.quality.diagnostics_file import (
    CalibrationCell,
    Curves,
    Importance,
    LearningPoint,
    ScoreHistogram,
)
from sluice.model.quality.metrics_file import Confusion, Group

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DOTTED, _DASHED = (0, (2, 2)), (0, (4, 2))
_MARKERS = "osD^vP*"  # of the families of a search
_COLOURS = (FIRST, SECOND, MUTED, INK, FIRST, SECOND, MUTED)
_LEAST_SPREAD = 1e-4  # of the scores of a search, so that equal ones have a place to stand


@dataclass(frozen=True)
class Point:
    """An operating point on two axes, with its intervals where they are known."""

    x: float
    y: float
    x_interval: tuple[float, float] | None = None
    y_interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Floors:
    """What recall and precision must reach."""

    recall: float
    precision: float


@dataclass(frozen=True)
class _Line:
    """A curve: its points on both axes."""

    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True)
class _Tile:
    """One of the four counts: its place, the share of its class, and what it means."""

    x: int
    y: int
    count: int
    share: float
    meaning: str


@picture("Confusion matrix: what was flagged and what happened, as counts")
def confusion(counts: Confusion, positive: str = "Yes", negative: str = "No") -> "Figure":
    """Each row of the picture adds up to the rows of one class."""
    figure, axes = canvas(2.6)
    for tile in _tiles(counts):
        right = tile.x != tile.y
        axes.bar(
            tile.x,
            0.94,
            0.97,
            tile.y - 0.47,
            color=FIRST if right else SECOND,
            alpha=0.06 + 0.3 * tile.share,
            linewidth=0,
        )
        axes.text(
            tile.x,
            tile.y + 0.1,
            f"{tile.count:,}",
            ha="center",
            va="center",
            fontsize=15,
            fontweight="bold",
        )
        axes.text(
            tile.x,
            tile.y - 0.22,
            f"{tile.meaning}, {100 * tile.share:.0f} %",
            ha="center",
            va="center",
            fontsize=SMALL,
        )
    axes.set(xlim=(-0.5, 1.5), ylim=(-0.5, 1.5))
    axes.set_xticks([0, 1], ["Flagged", "Not flagged"])
    axes.set_yticks([1, 0], [short(positive, 14), short(negative, 14)])
    axes.xaxis.tick_top()
    axes.tick_params(labelcolor=INK)
    axes.grid(False)
    axes.spines[:].set_visible(False)
    return figure


def _tiles(counts: Confusion) -> tuple[_Tile, ...]:
    """The positives above the negatives, the flagged left of the others."""
    positives, negatives = max(1, counts.positives), max(1, counts.negatives)
    hit, missed = counts.true_positive, counts.false_negative
    wrong, right = counts.false_positive, counts.true_negative
    return (
        _Tile(0, 1, hit, hit / positives, "found"),
        _Tile(1, 1, missed, missed / positives, "missed"),
        _Tile(0, 0, wrong, wrong / negatives, "flagged in error"),
        _Tile(1, 0, right, right / negatives, "rightly not flagged"),
    )


@picture("Precision against recall at every threshold, with the floors and the operating point")
def precision_recall(
    candidate: Curves,
    champion: Curves | None = None,
    point: Point | None = None,
    floors: Floors | None = None,
) -> "Figure":
    """The corner in which both floors are met is shaded."""
    figure, axes = canvas(3.3, "Recall", "Precision")
    if floors:
        _region(axes, floors)
    _curve(axes, _precision_recall(candidate))
    if champion:
        _curve_of_champion(axes, _precision_recall(champion))
    if point:
        _operating_point(axes, point)
    share = candidate.positives / candidate.rows
    axes.set(xlim=(0, 1.005), ylim=(max(0.0, 0.1 * int(10 * share) - 0.1), 1.005))
    percent(axes.xaxis)
    percent(axes.yaxis)
    axes.legend(loc="lower left")
    return figure


def _precision_recall(curves: Curves) -> _Line:
    return _Line(curves.precision_recall.recall, curves.precision_recall.precision)


def _roc(curves: Curves) -> _Line:
    return _Line(curves.roc.false_positive_rate, curves.roc.true_positive_rate)


def _region(axes: "Axes", floors: Floors) -> None:
    """The corner in which both floors are met."""
    recall, precision = floors.recall, floors.precision
    axes.fill_between([recall, 1.0], precision, 1.0, color=FIRST, alpha=0.07, linewidth=0)
    axes.plot(
        [recall, recall, 1.0],
        [1.0, precision, precision],
        color=MUTED,
        linewidth=1,
        linestyle=_DOTTED,
    )
    _note(axes, 0.99, 0.985, "both floors met")
    _note(axes, recall - 0.01, 0.985, f"recall ≥ {100 * recall:g} %")
    _note(axes, recall - 0.01, precision - 0.006, f"precision ≥ {100 * precision:g} %")


def _note(axes: "Axes", x: float, y: float, text: str) -> None:
    """A muted text that ends at this point."""
    axes.text(x, y, text, ha="right", va="top", fontsize=SMALL, color=MUTED)


def _curve(axes: "Axes", line: _Line) -> None:
    axes.plot(line.x, line.y, color=FIRST, label="candidate")


def _curve_of_champion(axes: "Axes", line: _Line) -> None:
    axes.plot(line.x, line.y, color=SECOND, linewidth=1.3, linestyle=_DASHED, label="champion")


def _operating_point(axes: "Axes", point: Point) -> None:
    x, y = point.x, point.y
    if point.x_interval:
        axes.plot(point.x_interval, [y, y], color=INK, linewidth=1.2)
    if point.y_interval:
        axes.plot([x, x], point.y_interval, color=INK, linewidth=1.2)
    axes.plot([x], [y], "o", color=INK, markersize=6, label="operating point", linestyle="none")


@picture("Receiver operating characteristic: positives found against negatives flagged")
def roc(
    candidate: Curves, champion: Curves | None = None, counts: Confusion | None = None
) -> "Figure":
    """`counts` is the confusion matrix at the shipped threshold."""
    figure, axes = canvas(3.3, "Share of negatives flagged", "Share of positives found (recall)")
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=_DOTTED, label="chance")
    _curve(axes, _roc(candidate))
    if champion:
        _curve_of_champion(axes, _roc(champion))
    if counts:
        flagged_in_error = counts.false_positive / max(1, counts.negatives)
        recall = counts.true_positive / max(1, counts.positives)
        _operating_point(axes, Point(flagged_in_error, recall))
    axes.set(xlim=(0, 1.005), ylim=(0, 1.005))
    percent(axes.xaxis)
    percent(axes.yaxis)
    axes.legend(loc="lower right")
    return figure


@picture("Calibration: predicted probability against what happened, with the number of rows")
def calibration(cells: Sequence[CalibrationCell]) -> "Figure":
    """Whiskers are 95 % intervals."""
    figure = blank(3.6)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
    scores, shares = [cell.score for cell in cells], [cell.share for cell in cells]
    above.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=_DOTTED)
    above.text(0.57, 0.5, "perfectly calibrated", color=MUTED, fontsize=SMALL)
    for cell in cells:
        above.plot([cell.score] * 2, cell.interval, color=FIRST, linewidth=1.2)
    above.plot(scores, shares, "o", color=FIRST, markersize=5)
    above.set(xlim=(0, 1), ylim=(0, 1.02), title="Share that was positive")
    percent(above.yaxis)
    below.bar(scores, [cell.rows for cell in cells], 0.05, color=MUTED, alpha=0.5)
    below.set_title("Rows")
    below.yaxis.set_major_locator(few_ticks(2))
    below.set_xlabel("Predicted probability", loc="left")
    percent(below.xaxis)
    return figure


@picture("Permutation importance: average precision lost when one column is shuffled")
def importance(columns: Sequence[Importance]) -> "Figure":
    """The columns from the top down; whiskers are one standard deviation over the repeats."""
    figure, axes = canvas(0.75 + 0.2 * len(columns), "Average precision lost")
    places = range(len(columns), 0, -1)
    axes.barh(places, [column.mean for column in columns], 0.62, color=FIRST, alpha=0.55)
    for place, column in zip(places, columns, strict=True):
        whisker = [column.mean - column.std, column.mean + column.std]
        axes.plot(whisker, [place] * 2, color=INK, linewidth=1.1)
    axes.axvline(0, color=MUTED, linewidth=1)
    axes.set_yticks(list(places), [short(column.column) for column in columns])
    axes.set_ylim(0.4, len(columns) + 0.6)
    axes.tick_params(axis="y", labelcolor=INK)
    axes.grid(False, axis="y")
    return figure


@picture("Learning curve: average precision against the number of training rows")
def learning(points: Sequence[LearningPoint]) -> "Figure":
    """One line for the rows learnt from and one for validation, over a logarithmic axis."""
    figure, axes = canvas(2.9, "Training rows", "Average precision")
    rows = [point.rows for point in points]
    train, validation = [point.train for point in points], [point.validation for point in points]
    axes.plot(rows, train, marker="s", markersize=4.5, color=SECOND, label="rows learnt from")
    axes.plot(rows, validation, marker="o", markersize=4.5, color=FIRST, label="validation")
    axes.set_xscale("log")
    axes.set_xticks(rows, [f"{count:,}" for count in rows])
    axes.minorticks_off()
    axes.margins(y=0.15)
    axes.legend(loc="best")
    return figure


@picture("Tuning history: the score of every trial by family, and the best so far")
def tuning(
    trials: Sequence[Trial], winner: int | None = None, objective: str = "score"
) -> "Figure":
    """`winner` is the number of the winning trial. Trials far below the rest are drawn at the lower
    edge, so that they do not flatten the others; those that were ended early are not drawn.
    """
    title = objective.replace("_", " ").capitalize()
    figure, axes = canvas(3.1, "Trial", f"{title}, cross-validated")
    ordered = sorted(whole(trials), key=lambda trial: trial.number)
    floor = _floor(ordered)
    _families(axes, ordered, floor)
    numbers = [trial.number + 1 for trial in ordered]
    best = [max(score, floor) for score in accumulate((t.score for t in ordered), max)]
    axes.step(numbers, best, where="post", color=MUTED, linewidth=1, label="best so far")
    _name_the_low(axes, ordered, floor)
    if winner is not None:
        _ring(axes, winner + 1, max(trial.score for trial in ordered))
    axes.margins(y=0.22)
    axes.xaxis.set_major_locator(few_ticks(8))
    figure.legend(loc="outside lower left", ncols=3, handletextpad=0.3, columnspacing=1.2)
    return figure


def _floor(trials: Sequence[Trial]) -> float:
    """The lowest score that is drawn in its place: four times as far below the middle as the best
    is above it.
    """
    scores = sorted(trial.score for trial in trials)
    top, middle = scores[-1], scores[len(scores) // 2]
    return max(scores[0], middle - 4 * max(top - middle, _LEAST_SPREAD))


def _families(axes: "Axes", trials: Sequence[Trial], floor: float) -> None:
    """The scores of each family, with a shape and a colour of its own."""
    names = sorted({trial.family for trial in trials})
    for name, marker, colour in zip(names, _MARKERS, _COLOURS, strict=False):
        own = [trial for trial in trials if trial.family == name]
        axes.plot(
            [trial.number + 1 for trial in own],
            [max(trial.score, floor) for trial in own],
            marker,
            color=colour,
            alpha=0.8,
            markersize=5.5,
            label=short(name.replace("_", " ")),
        )


def _name_the_low(axes: "Axes", trials: Sequence[Trial], floor: float) -> None:
    """Write the score of each trial that lies below the lower edge."""
    for trial in trials:
        if trial.score < floor:
            axes.text(
                trial.number + 1.3,
                floor,
                f"↓ {trial.score:.3f}",
                va="center",
                color=MUTED,
                fontsize=SMALL,
            )


def _ring(axes: "Axes", x: float, y: float) -> None:
    """A ring around the winner, with its score above it."""
    axes.plot(
        [x],
        [y],
        "o",
        markersize=12,
        markerfacecolor="none",
        markeredgecolor=INK,
        markeredgewidth=1.3,
    )
    axes.annotate(f"{y:.4f}", (x, y), (0, 9), textcoords="offset points", ha="center", va="bottom")


@picture("Scores by class, above and below the line, with the threshold")
def scores(
    histogram: ScoreHistogram, threshold: float, positive: str = "Yes", negative: str = "No"
) -> "Figure":
    """Bars to the right of the threshold are flagged and drawn darker."""
    figure, axes = canvas(2.9, "Predicted probability", "Rows")
    _bars(axes, histogram.edges, histogram.positive, threshold, FIRST)
    _bars(axes, histogram.edges, [-count for count in histogram.negative], threshold, SECOND)
    tallest = max(1, *histogram.positive, *histogram.negative)
    axes.axhline(0, color=MUTED, linewidth=1)
    axes.axvline(threshold, color=INK, linewidth=1.2, linestyle=_DASHED)
    axes.text(threshold + 0.012, 1.2 * tallest, f"flagged from {threshold:.3f}", va="center")
    axes.text(
        0.012, 0.98 * tallest, short(positive, 20), color=FIRST, va="center", fontweight="bold"
    )
    axes.text(
        0.012, -0.98 * tallest, short(negative, 20), color=SECOND, va="center", fontweight="bold"
    )
    axes.set(xlim=(0, 1), ylim=(-1.12 * tallest, 1.32 * tallest))
    axes.yaxis.set_major_formatter(lambda value, _: f"{abs(value):,.0f}")
    percent(axes.xaxis)
    return figure


def _bars(
    axes: "Axes", edges: Sequence[float], heights: Sequence[int], threshold: float, colour: str
) -> None:
    for left, right, height in zip(edges[:-1], edges[1:], heights, strict=True):
        flagged = left >= threshold - 1e-9
        axes.bar(
            left,
            height,
            right - left,
            align="edge",
            color=colour,
            alpha=0.75 if flagged else 0.3,
            linewidth=0,
        )


@picture("Recall by group with 95 % intervals, against the recall of all rows")
def segments(groups: Mapping[str, Mapping[str, Group]], overall: float | None = None) -> "Figure":
    """`groups` by segment and name, as metrics.json has them; `overall` is the recall of all."""
    lines: list[tuple[str, Group | None]] = []
    for segment, members in groups.items():
        lines.append((segment.replace("_", " ").capitalize(), None))
        lines += members.items()
    figure, axes = canvas(0.75 + 0.2 * len(lines), "Recall")
    places = range(len(lines), 0, -1)
    for place, (_, group) in zip(places, lines, strict=True):
        if group is not None:
            axes.plot(group.recall_interval, [place] * 2, color=FIRST, linewidth=1.6)
            axes.plot([group.recall], [place], "o", color=FIRST, markersize=5)
    if overall is not None:
        axes.axvline(overall, color=MUTED, linewidth=1, linestyle=_DOTTED)
        axes.set_title(f"dotted: all rows, {100 * overall:.1f} %")
    axes.set_yticks(list(places), [short(name) for name, _ in lines])
    for label, (_, group) in zip(axes.get_yticklabels(), lines, strict=True):
        if group is None:
            label.set(color=MUTED, fontweight="bold")
        else:
            label.set(color=INK, fontweight="normal")
    axes.set_ylim(0.4, len(lines) + 0.6)
    axes.grid(False, axis="y")
    percent(axes.xaxis)
    return figure
