"""What acting upon the flagged rows does: a difference of two groups that a lot has made.

Who is left untouched follows from the id of the answer, so whoever acts knows it beforehand and
nobody chooses. The groups are those that the lot made, also where somebody was missed or touched by
mistake: only they differ by nothing but the action.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import scipy  # its parts are loaded at their first use

from sluice.monitor.day import Acting, Day
from sluice.monitor.report import WATCH, Finding
from sluice.percent import percent

_LOT = "control "  # before the id, so that this lot is another one than that of the log's sample
_CONFIDENCE = 0.95
_LEAST_ROWS = 30  # of each group
_LEAST_SHARE = 0.02  # of the labelled rows that are acted upon, from which it is worth a word
_MARK = "Leave a part of the rows untouched by lot: control_share in [monitor] of the policy."
_LEARN = (
    "A model that learns from these outcomes learns that whom it flags is safe: retrain on the"
    " untouched rows, or on those from before anybody acted."
)


@dataclass(frozen=True)
class Effect:
    """The share of positives among the flagged that were assigned to be acted upon and that were
    left untouched, and by how much acting lowers it, with its 95 % interval.
    """

    assigned: float
    control: float
    less: float
    low: float
    high: float


def in_control(name: str, share: float) -> bool:
    """Whether the row of this answer is left untouched; an id decides it for good."""
    if not share:
        return False
    lot = hashlib.blake2b(f"{_LOT}{name}".encode(), digest_size=8).digest()
    return int.from_bytes(lot) < share * 2**64


def together(days: Sequence[Day]) -> Acting:
    """The counts of all days."""
    fields = Acting.__struct_fields__
    return Acting(**{name: sum(getattr(day.acting, name) for day in days) for name in fields})


def effect(seen: Acting) -> Effect | None:
    """The effect of acting; None where a group is too small to tell."""
    if min(seen.assigned, seen.control) < _LEAST_ROWS:
        return None
    assigned = seen.assigned_positives / seen.assigned
    control = seen.control_positives / seen.control
    # Newcombe's interval of a difference, from the score intervals of the two shares.
    low_a, high_a = _interval(seen.assigned_positives, seen.assigned)
    low_c, high_c = _interval(seen.control_positives, seen.control)
    less = control - assigned
    below = ((control - low_c) ** 2 + (high_a - assigned) ** 2) ** 0.5
    above = ((high_c - control) ** 2 + (assigned - low_a) ** 2) ** 0.5
    return Effect(assigned, control, less, less - below, less + above)


def acting_findings(
    seen: Acting, labelled: int, control_share: float, *, several: bool = False
) -> list[Finding]:
    """What is to be said where rows were acted upon; `labelled` rows have an outcome. Where there
    are `several` classes no row is flagged, so what acting does is not told.
    """
    if not labelled or seen.acted < _LEAST_SHARE * labelled:
        return []
    acted = f"Acted upon were {seen.acted:,} of {labelled:,} rows with an outcome"
    if not control_share:
        sentence = (
            f"{acted}: these outcomes are made by the model's own advice, so recall and precision"
            " are not judged."
        )
        return [_finding(sentence, _MARK)]
    spoiled = ""
    if seen.spoiled:
        spoiled = f" {seen.spoiled:,} were acted upon that the lot leaves untouched."
    if several:
        return [_finding(f"{acted}. Quality is judged on untouched rows alone.{spoiled}", _LEARN)]
    found = effect(seen)
    if found is None:
        few = min(seen.assigned, seen.control)
        sentence = (
            f"{acted}. What that does cannot be told yet: {few} flagged rows are in the smaller of"
            f" the two groups; {_LEAST_ROWS} are required.{spoiled}"
        )
        return [_finding(sentence, _LEARN)]
    sentence = (
        f"{acted}. Of the flagged, {percent(found.assigned, 1)} were positive where acting was"
        f" planned and {percent(found.control, 1)} of {seen.control:,} left untouched: acting makes"
        f" it {100 * found.less:.1f} points less [{100 * found.low:.1f}, {100 * found.high:.1f}]."
        f" Quality is judged on untouched rows alone.{spoiled}"
    )
    return [_finding(sentence, _LEARN)]


def _finding(sentence: str, response: str) -> Finding:
    return Finding(kind="intervention", severity=WATCH, sentence=sentence, response=response)


def _interval(hits: int, of: int) -> tuple[float, float]:
    """Wilson's interval of a share."""
    found = scipy.stats.binomtest(hits, of).proportion_ci(_CONFIDENCE, method="wilson")
    return float(found.low), float(found.high)
