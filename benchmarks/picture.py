"""The picture of the hundred nights, for the README: small, and the same bytes for the same
figures.
"""

from pathlib import Path
from typing import Any

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
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "gate", "svg.fonttype": "none", "font.size": 9})
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 3.4), layout="constrained")
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
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower left")
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, metadata={"Date": None, "Creator": None})
    pyplot.close(figure)
