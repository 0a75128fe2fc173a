"""Whether the ranking can be seen at all where champion and anchor cut it.

A model that flags nearly nobody or nearly everybody leaves no room: whoever is ranked how, the rows
flagged are nearly the same, and every comparison with it finds no loss.
"""

from collections.abc import Iterator

from sluice.gate.case import MET, OPEN, Case, Model, Rule
from sluice.gate.rules import Look
from sluice.percent import percent

NAME = "ranking_visible"
# What a ranking by chance would lose there in recall: with less, a loss hides in what chance does.
_LEAST = 0.03


def ranking_visible(case: Case) -> Iterator[Rule]:
    """A ranking by chance would lose recall against champion and anchor, at their flagged rows."""
    if case.policy.costed:
        return  # costs are compared at both thresholds, where nothing hides
    seen = []
    if case.champion is not None and case.holdout.champion is not None:
        seen.append(_seen(case, "champion", case.holdout.champion))
    if case.anchor is not None and case.holdout.anchor is not None:
        seen.append(_seen(case, "anchor", case.holdout.anchor))
    if not seen:
        return
    lost, sentence = min(seen)
    sentence = f"{sentence}; more than {_LEAST:g} is required to see one"
    if lost > _LEAST:
        yield Rule(NAME, MET, sentence, lost, _LEAST)
        return
    needed = (
        f"Sign an override of `{NAME}` for a candidate whose threshold people have looked at, and"
        " then run `sluice anchor set champion`"
    )
    yield Rule(NAME, OPEN, sentence, lost, _LEAST, needed)


def visible(case: Case, model: Model) -> bool:
    """Whether a ranking can be seen where this model cuts it."""
    return _seen(case, "", model)[0] > _LEAST


def _seen(case: Case, title: str, model: Model) -> tuple[float, str]:
    """What a ranking by chance loses against a model: its recall, less the share that it flags."""
    share = float(model.flagged.mean())
    recall = float(model.flagged[case.holdout.labels == 1].mean())
    sentence = (
        f"The {title} {model.tag} flags {percent(share, 1)} of the rows, where a ranking by chance"
        f" loses {recall - share:.4f} of recall"
    )
    return recall - share, sentence


GOOD_ENOUGH = (NAME,)

VISIBILITY: tuple[Look, ...] = (ranking_visible,)
