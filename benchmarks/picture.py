"""Pictures of what was measured, for the docs: small, and the same bytes for the same figures."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import nights

_SHOWN = {
    nights.FLOOR: ("#c0392b", "floor only"),
    nights.TWO_POINTS: ("#d68910", "two points less at most"),
    nights.NO_LESS: ("#7f8c8d", "at least the champion's"),
    nights.UNCOUNTED: ("#5dade2", "the gate, no ledger"),
    nights.SHIPPED: ("#1a5276", "the gate"),
}


def draw_picture(path: Path, figures: list[dict[str, Any]]) -> None:
    """True recall of what is in production against the anchor, by night: median, and nine sequences
    in ten.
    """
    with _drawing(path, "gate", (7, 3.4)) as [axes]:
        _nights(axes, figures)


def _nights(axes: Any, figures: list[dict[str, Any]]) -> None:
    by_rule = {entry["rule"]: entry for entry in figures}
    for rule, (colour, label) in _SHOWN.items():
        low, middle, high = (
            [100 * value for value in line] for line in by_rule[rule]["loss by night"]
        )
        places = range(1, len(middle) + 1)
        axes.plot(
            places,
            middle,
            color=colour,
            label=f"{label}: {by_rule[rule]['median promotions']:.0f} promotions",
        )
        axes.fill_between(places, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.axhline(-1, color="black", linewidth=0.8, linestyle="--")
    axes.annotate("margin", (1, -0.9), fontsize=8)
    axes.set(
        xlabel="nightly retrains on rotting data",
        ylabel="true recall against the anchor, points",
        xlim=(1, None),
    )
    axes.legend(frameon=False, loc="lower left")


_COLOURS = ("#1a5276", "#c0392b", "#d68910", "#7f8c8d")


def draw_canary(path: Path, worlds: Mapping[str, Mapping[str, np.ndarray]], looks: int) -> None:
    """The share of streams that each way has taken back by each look, a panel for each world;
    `worlds` has the first such look of each stream by way.
    """
    with _drawing(path, "canary", (7, 3.0), len(worlds)) as panels:
        for axes, (name, ways) in zip(panels, worlds.items(), strict=True):
            for colour, (way, first) in zip(_COLOURS, ways.items(), strict=True):
                _cumulated(axes, first, looks, colour, way)
            axes.set(title=name, xlabel="looks", ylim=(0, 101))
        panels[0].set(ylabel="taken back, % of the canaries")
        panels[-1].legend(frameon=False, loc="lower right")


def draw_monitor(
    path: Path, quiet: Mapping[str, np.ndarray], falls: Mapping[str, np.ndarray], weeks: int
) -> None:
    """The share of years in which an alarm has been raised by each week: on the left of years in
    which nothing changes, on the right since recall fell. Each array has the week of the first
    alarm of each year, infinite where there is none.
    """
    with _drawing(path, "monitor", (7, 3.0), 2) as [left, right]:
        for colour, (way, first) in zip(_COLOURS[:2], quiet.items(), strict=True):
            _cumulated(left, first, weeks, colour, way)
        for colour, (name, first) in zip(_COLOURS[::2], falls.items(), strict=True):
            _cumulated(right, first, weeks, colour, name)
        left.axhline(5, color="black", linewidth=0.8, linestyle="--")
        left.annotate("allowed", (weeks, 5.3), fontsize=8, ha="right")
        left.set(title="nothing changes", xlabel="weeks", ylabel="years with an alarm, %")
        right.set(title="recall falls in the first week", xlabel="weeks", ylim=(0, 101))
        for axes in (left, right):
            axes.legend(frameon=False, loc="upper left" if axes is left else "center right")


def _cumulated(axes: Any, first: np.ndarray, end: int, colour: str, name: str) -> None:
    places = np.arange(end + 1)
    shares = [100 * float((first <= place).mean()) for place in places]
    axes.step(places, shares, where="post", color=colour, label=name)


@contextmanager
def _drawing(
    path: Path, salt: str, inches: tuple[float, float], panels: int = 1
) -> Iterator[Sequence[Any]]:
    """Panels side by side to be drawn on; written to the file at the end."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": salt, "svg.fonttype": "none", "font.size": 9})
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, panels, figsize=inches, layout="constrained", squeeze=False)
    for one in axes[0]:
        one.spines[["top", "right"]].set_visible(False)
    yield axes[0]
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, metadata={"Date": None, "Creator": None})
    pyplot.close(figure)
