"""What can be said of a candidate where nothing of the holdout may be told: the rules that look at
no label of it, and all others on the validation rows.

Validation rows decide nothing, and their labels say nothing about those of the holdout. So whoever
is told of them knows no more about who is positive there. A rule that looks at no label says the
same whichever rows are positive.
"""

from collections.abc import Iterable

from sluice.gate.case import BROKEN, MET, OPEN, Rule

VALIDATION = "the validation rows"
# What is the same whichever of the rows are positive, if as many are.
WITHOUT_LABELS = (
    "binary",
    "labelled",
    "finite",
    "not_constant",
    "no_duplicates",
    "no_near_duplicates",
    "ledger",
    "comparable",
    "anchored",
    "split_changed",
)
# What says nothing there: a file is held against its scores, and validation against itself.
_ONLY_ON_THE_HOLDOUT = ("metrics_match", "stable_validation")
_NAMED = 3  # rules that a sentence names; all are in the evidence


def without_labels(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """Those of the rules on the holdout that may be told."""
    return tuple(rule for rule in rules if rule.rule in WITHOUT_LABELS)


def on_validation(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """Those of the rules on the validation rows that say something there, and are not told of the
    holdout.
    """
    left_out = (*WITHOUT_LABELS, *_ONLY_ON_THE_HOLDOUT)
    return tuple(rule for rule in rules if rule.rule not in left_out)


def unmet_of_the_holdout(rules: Iterable[Rule]) -> str:
    """The rules without labels that are not met, as one text; empty where all are."""
    return ". ".join(str(rule) for rule in rules if rule.state in (BROKEN, OPEN))


def found_on_validation(rules: Iterable[Rule]) -> str:
    """What the rules say on the validation rows, as one text; empty where there are none."""
    looked = tuple(rules)
    if not looked:
        return ""
    unmet = [rule for rule in looked if rule.state != MET]
    where = f"On {VALIDATION}, which decide nothing,"
    if not unmet:
        return f"{where} all of {len(looked)} rules are met"
    broken_first = sorted(unmet, key=lambda rule: rule.state != BROKEN)
    named = ". ".join(str(rule) for rule in broken_first[:_NAMED])
    more = f". {len(unmet) - _NAMED} more are in the evidence" if len(unmet) > _NAMED else ""
    are = "is" if len(unmet) == 1 else "are"
    return f"{where} {len(unmet)} of {len(looked)} rules {are} not met: {named}{more}"
