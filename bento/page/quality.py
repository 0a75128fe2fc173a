"""How good the model is, for people: what is flagged at other thresholds, and how it does by group.

All figures are of the rows that the threshold was chosen on.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bento.page.form import Mistake
from sluice.served.error_rates import Rate
from sluice.served.model_quality import Cut, ModelQuality

OF = 1000  # rows that shares are told of
USUAL = (50, 100, 200, 300, 400, 500)  # rows of so many that are always shown
_BLANK = "\u00a0"  # a line is not broken there
_NUMBER = re.compile(r"[0-9]{1,9}|[0-9]{1,3}(,[0-9]{3}){1,2}", re.ASCII)


@dataclass(frozen=True)
class Line:
    """A line of the table of thresholds.

    `flagged` is of 1,000 rows, `kind` is "chosen", "shipped" or empty.
    """

    flagged: int
    cut: Cut
    kind: str


@dataclass(frozen=True)
class Choice:
    """The number that a person gave, and the threshold that comes nearest to it.

    `flagged` and `found` are of 1,000 rows: how many are flagged there, and how many of them are
    positive.
    """

    wanted: int
    flagged: int
    found: int
    cut: Cut


def number(control: str, typed: str, most: int) -> int | Mistake | None:
    """The whole number, from 1 to `most`, that was typed into a control; None for nothing."""
    text = typed.strip()
    if not text:
        return None
    if _NUMBER.fullmatch(text):
        given = int(text.replace(",", ""))
        if 1 <= given <= most:
            return given
    return Mistake(control, f"How many you can act on must be a whole number from 1 to {most:,}")


def choice(quality: ModelQuality, wanted: int) -> Choice | None:
    """The threshold that flags about so many of 1,000 rows; None where no curve is known."""
    cut = quality.flagging(wanted / OF)
    if cut is None:
        return None
    return Choice(wanted, _of_all(cut), _found(cut), cut)


def lines(quality: ModelQuality, chosen: Choice | None) -> list[Line]:
    """The thresholds to show, the fewest flagged first."""
    found = [Line(_of_all(quality.shipped), quality.shipped, "shipped")]
    if chosen is not None:
        found.append(Line(chosen.flagged, chosen.cut, "chosen"))
    told = {line.flagged for line in found}
    for usual in USUAL:
        cut = quality.flagging(usual / OF)
        if cut is not None and _of_all(cut) not in told:
            told.add(_of_all(cut))
            found.append(Line(_of_all(cut), cut, ""))
    return sorted(found, key=lambda line: (line.flagged, line.kind))


def _of_all(cut: Cut) -> int:
    return round(OF * cut.share)


def _found(cut: Cut) -> int:
    """How many of 1,000 rows are flagged and positive."""
    if cut.precision is None:
        return 0
    return round(OF * cut.share * cut.precision.share)


def percent(rate: Rate | None) -> str:
    """A share in percent; a dash where there is no row."""
    if rate is None:
        return "–"
    return f"{100 * rate.share:.0f}{_BLANK}%"


@dataclass(frozen=True)
class Behind:
    """The groups, each with its segment, whose whole interval of recall, or of precision, is below
    the figure of all rows.
    """

    recall: tuple[str, ...]
    precision: tuple[str, ...]


def behind(quality: ModelQuality) -> Behind:
    """The groups that the model does worse for than for all, the worst first."""
    groups = [
        (f"{title(segment.name)} {group.name}", group)
        for segment in quality.segments
        for group in segment.groups
    ]
    recall = [(name, group.recall) for name, group in groups]
    precision = [(name, group.precision) for name, group in groups]
    return Behind(
        _below(recall, quality.shipped.recall), _below(precision, quality.shipped.precision)
    )


def _below(rates: Sequence[tuple[str, Rate | None]], whole: Rate | None) -> tuple[str, ...]:
    if whole is None:
        return ()
    worse = [(rate.share, name) for name, rate in rates if rate and rate.high < whole.share]
    return tuple(f"{name} ({100 * share:.0f}{_BLANK}%)" for share, name in sorted(worse))


def title(segment: str) -> str:
    """The name of a segment as people read it."""
    return segment.replace("_", " ").capitalize()
