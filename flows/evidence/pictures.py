"""The pictures of a release, each a self-contained SVG. What a colour says, a shape, a dash or a
word says too.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Json = Mapping[str, Any]


@picture("Confusion matrix: what was flagged and what happened, as counts")
def confusion(counts: Mapping[str, int], positive: str = "Yes", negative: str = "No") -> "Figure":
    """`counts` as in metrics.json; each row of the picture adds up to the rows of one class."""
    figure, axes = canvas(2.6)
    tiles = [
        (0, 1, "true_positive", "false_negative", "found"),
        (1, 1, "false_negative", "true_positive", "missed"),
        (0, 0, "false_positive", "true_negative", "flagged in error"),
        (1, 0, "true_negative", "false_positive", "rightly not flagged"),
    ]
    for x, y, key, other, words in tiles:
        share = counts[key] / max(1, counts[key] + counts[other])
        axes.bar(
            x,
            0.94,
            0.97,
            y - 0.47,
            color=FIRST if x != y else SECOND,
            alpha=0.06 + 0.3 * share,
            linewidth=0,
        )
        axes.text(
            x, y + 0.1, f"{counts[key]:,}", ha="center", va="center", fontsize=15, fontweight="bold"
        )
        axes.text(
            x, y - 0.22, f"{words}, {100 * share:.0f} %", ha="center", va="center", fontsize=SMALL
        )
    axes.set(xlim=(-0.5, 1.5), ylim=(-0.5, 1.5))
    axes.set_xticks([0, 1], ["Flagged", "Not flagged"])
    axes.set_yticks([1, 0], [short(positive, 14), short(negative, 14)])
    axes.xaxis.tick_top()
    axes.tick_params(labelcolor=INK)
    axes.grid(False)
    axes.spines[:].set_visible(False)
    return figure


@picture("Precision against recall at every threshold, with the floors and the operating point")
def precision_recall(
    candidate: Json,
    champion: Json | None = None,
    point: Json | None = None,
    floors: Mapping[str, float] | None = None,
) -> "Figure":
    """`candidate` and `champion` as `curve_points` makes them; `point` has recall, precision and
    their intervals.
    """
    figure, axes = canvas(3.3, "Recall", "Precision")
    _region(axes, floors or {})
    _curves(axes, candidate, champion, "precision_recall", "recall", "precision")
    if point:
        spans = point.get("intervals", {})
        _operating_point(
            axes, point["recall"], point["precision"], spans.get("recall"), spans.get("precision")
        )
    share = candidate["positives"] / candidate["rows"]
    axes.set(xlim=(0, 1.005), ylim=(max(0.0, 0.1 * int(10 * share) - 0.1), 1.005))
    percent(axes.xaxis)
    percent(axes.yaxis)
    axes.legend(loc="lower left")
    return figure


def _region(axes: "Axes", floors: Mapping[str, float]) -> None:
    """The corner in which both floors are met."""
    recall, precision = floors.get("recall"), floors.get("precision")
    if recall is None or precision is None:
        return
    axes.fill_between([recall, 1.0], precision, 1.0, color=FIRST, alpha=0.07, linewidth=0)
    axes.plot(
        [recall, recall, 1.0],
        [1.0, precision, precision],
        color=MUTED,
        linewidth=1,
        linestyle=(0, (2, 2)),
    )
    axes.text(0.99, 0.985, "both floors met", ha="right", va="top", fontsize=SMALL, color=MUTED)
    axes.text(
        recall - 0.01,
        0.985,
        f"recall ≥ {100 * recall:g} %",
        ha="right",
        va="top",
        fontsize=SMALL,
        color=MUTED,
    )
    note = f"precision ≥ {100 * precision:g} %"
    axes.text(
        recall - 0.01, precision - 0.006, note, ha="right", va="top", fontsize=SMALL, color=MUTED
    )


def _curves(
    axes: "Axes", candidate: Json, champion: Json | None, curve: str, x: str, y: str
) -> None:
    axes.plot(candidate[curve][x], candidate[curve][y], color=FIRST, label="candidate")
    if champion:
        axes.plot(
            champion[curve][x],
            champion[curve][y],
            color=SECOND,
            linewidth=1.3,
            linestyle=(0, (4, 2)),
            label="champion",
        )


def _operating_point(
    axes: "Axes",
    x: float,
    y: float,
    across: Sequence[float] | None = None,
    along: Sequence[float] | None = None,
) -> None:
    if across:
        axes.plot(across, [y, y], color=INK, linewidth=1.2)
    if along:
        axes.plot([x, x], along, color=INK, linewidth=1.2)
    axes.plot([x], [y], "o", color=INK, markersize=6, label="operating point", linestyle="none")


@picture("Receiver operating characteristic: positives found against negatives flagged")
def roc(
    candidate: Json, champion: Json | None = None, point: Mapping[str, int] | None = None
) -> "Figure":
    """`point` is the confusion matrix at the shipped threshold."""
    figure, axes = canvas(3.3, "Share of negatives flagged", "Share of positives found (recall)")
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (2, 2)), label="chance")
    _curves(axes, candidate, champion, "roc", "false_positive_rate", "true_positive_rate")
    if point:
        negatives = point["false_positive"] + point["true_negative"]
        positives = point["true_positive"] + point["false_negative"]
        _operating_point(
            axes,
            point["false_positive"] / max(1, negatives),
            point["true_positive"] / max(1, positives),
        )
    axes.set(xlim=(0, 1.005), ylim=(0, 1.005))
    percent(axes.xaxis)
    percent(axes.yaxis)
    axes.legend(loc="lower right")
    return figure


@picture("Calibration: predicted probability against what happened, with the number of rows")
def calibration(cells: Sequence[Json]) -> "Figure":
    """`cells` as `curve_points` makes them; whiskers are 95 % intervals."""
    figure = blank(3.6)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
    scores, shares = [cell["score"] for cell in cells], [cell["share"] for cell in cells]
    above.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (2, 2)))
    above.text(0.57, 0.5, "perfectly calibrated", color=MUTED, fontsize=SMALL)
    for cell in cells:
        above.plot([cell["score"]] * 2, cell["interval"], color=FIRST, linewidth=1.2)
    above.plot(scores, shares, "o", color=FIRST, markersize=5)
    above.set(xlim=(0, 1), ylim=(0, 1.02), title="Share that was positive")
    percent(above.yaxis)
    below.bar(scores, [cell["rows"] for cell in cells], 0.05, color=MUTED, alpha=0.5)
    below.set_title("Rows")
    below.yaxis.set_major_locator(few_ticks(2))
    below.set_xlabel("Predicted probability", loc="left")
    percent(below.xaxis)
    return figure


@picture("Permutation importance: average precision lost when one column is shuffled")
def importance(entries: Sequence[Json]) -> "Figure":
    """`entries` as `permutation_importance` makes them; whiskers are one standard deviation over
    the repeats.
    """
    figure, axes = canvas(0.75 + 0.2 * len(entries), "Average precision lost")
    places = range(len(entries), 0, -1)
    axes.barh(places, [entry["mean"] for entry in entries], 0.62, color=FIRST, alpha=0.55)
    for place, entry in zip(places, entries, strict=True):
        axes.plot(
            [entry["mean"] - entry["std"], entry["mean"] + entry["std"]],
            [place] * 2,
            color=INK,
            linewidth=1.1,
        )
    axes.axvline(0, color=MUTED, linewidth=1)
    axes.set_yticks(list(places), [short(entry["column"]) for entry in entries])
    axes.set_ylim(0.4, len(entries) + 0.6)
    axes.tick_params(axis="y", labelcolor=INK)
    axes.grid(False, axis="y")
    return figure


@picture("Learning curve: average precision against the number of training rows")
def learning(entries: Sequence[Json]) -> "Figure":
    """`entries` as `learning_curve` makes them."""
    figure, axes = canvas(2.9, "Training rows", "Average precision")
    rows = [entry["rows"] for entry in entries]
    for key, colour, marker, words in (
        ("train", SECOND, "s", "rows learnt from"),
        ("validation", FIRST, "o", "validation"),
    ):
        values = [entry[key] for entry in entries]
        axes.plot(rows, values, marker=marker, markersize=4.5, color=colour, label=words)
    axes.set_xscale("log")
    axes.set_xticks(rows, [f"{count:,}" for count in rows])
    axes.minorticks_off()
    axes.margins(y=0.15)
    axes.legend(loc="best")
    return figure


@picture("Tuning history: the score of every trial by family, and the best so far")
def tuning(trials: Sequence[Json], winner: int | None = None, objective: str = "score") -> "Figure":
    """`trials` as in tuning.json; trials far below the rest are drawn at the lower edge."""
    figure, axes = canvas(
        3.1, "Trial", objective.replace("_", " ").capitalize() + ", cross-validated"
    )
    ordered = sorted(trials, key=lambda trial: trial["number"])
    scores = sorted(trial["score"] for trial in ordered)
    top, middle = scores[-1], scores[len(scores) // 2]
    floor = max(scores[0], middle - 4 * max(top - middle, 1e-4))
    families = sorted({trial["family"] for trial in ordered})
    for family, marker, colour in zip(
        families, "osD^vP*", (FIRST, SECOND, MUTED, INK, FIRST, SECOND, MUTED), strict=False
    ):
        own = [trial for trial in ordered if trial["family"] == family]
        heights = [max(trial["score"], floor) for trial in own]
        axes.plot(
            [trial["number"] + 1 for trial in own],
            heights,
            marker,
            color=colour,
            alpha=0.8,
            markersize=5.5,
            label=short(family.replace("_", " ")),
        )
    best = [max(max(t["score"] for t in ordered[: n + 1]), floor) for n in range(len(ordered))]
    axes.step(
        [t["number"] + 1 for t in ordered],
        best,
        where="post",
        color=MUTED,
        linewidth=1,
        label="best so far",
    )
    for trial in ordered:
        if trial["score"] < floor:
            axes.text(
                trial["number"] + 1.3,
                floor,
                f"↓ {trial['score']:.3f}",
                va="center",
                color=MUTED,
                fontsize=SMALL,
            )
    if winner is not None:
        axes.plot(
            [winner + 1],
            [top],
            "o",
            markersize=12,
            markerfacecolor="none",
            markeredgecolor=INK,
            markeredgewidth=1.3,
        )
        axes.annotate(
            f"{top:.4f}",
            (winner + 1, top),
            (0, 9),
            textcoords="offset points",
            ha="center",
            va="bottom",
        )
    axes.margins(y=0.22)
    axes.xaxis.set_major_locator(few_ticks(8))
    figure.legend(loc="outside lower left", ncols=3, handletextpad=0.3, columnspacing=1.2)
    return figure


@picture("Scores by class, above and below the line, with the threshold")
def scores(
    histogram: Json, threshold: float, positive: str = "Yes", negative: str = "No"
) -> "Figure":
    """Bars to the right of the threshold are flagged and drawn darker."""
    figure, axes = canvas(2.9, "Predicted probability", "Rows")
    edges = histogram["edges"]
    for key, sign, colour in (("positive", 1, FIRST), ("negative", -1, SECOND)):
        for left, right, count in zip(edges[:-1], edges[1:], histogram[key], strict=True):
            alpha = 0.75 if left >= threshold - 1e-9 else 0.3
            axes.bar(
                left,
                sign * count,
                right - left,
                align="edge",
                color=colour,
                alpha=alpha,
                linewidth=0,
            )
    tallest = max(1, *histogram["positive"], *histogram["negative"])
    axes.axhline(0, color=MUTED, linewidth=1)
    axes.axvline(threshold, color=INK, linewidth=1.2, linestyle=(0, (4, 2)))
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


@picture("Recall by group with 95 % intervals, against the recall of all rows")
def segments(groups: Mapping[str, Mapping[str, Json]], overall: float | None = None) -> "Figure":
    """`groups` as `segments` of metrics.json: per segment and group, rows, recall and
    recall_interval.
    """
    lines: list[tuple[str, Json | None]] = []
    for segment, members in groups.items():
        lines.append((segment.replace("_", " ").capitalize(), None))
        lines += list(members.items())
    figure, axes = canvas(0.75 + 0.2 * len(lines), "Recall")
    places = range(len(lines), 0, -1)
    for place, (_, group) in zip(places, lines, strict=True):
        if group is not None and group.get("recall") is not None:
            axes.plot(
                group.get("recall_interval") or [group["recall"]] * 2,
                [place] * 2,
                color=FIRST,
                linewidth=1.6,
            )
            axes.plot([group["recall"]], [place], "o", color=FIRST, markersize=5)
    if overall is not None:
        axes.axvline(overall, color=MUTED, linewidth=1, linestyle=(0, (2, 2)))
        axes.set_title(f"dotted: all rows, {100 * overall:.1f} %")
    axes.set_yticks(list(places), [short(name) for name, _ in lines])
    for label, (_, group) in zip(axes.get_yticklabels(), lines, strict=True):
        label.set(
            color=MUTED if group is None else INK, fontweight="bold" if group is None else "normal"
        )
    axes.set_ylim(0.4, len(lines) + 0.6)
    axes.grid(False, axis="y")
    percent(axes.xaxis)
    return figure
