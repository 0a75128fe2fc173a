"""The sentence of a HOLD: what a person has to know who reads one line of it."""

from sluice.gate.case import Case, Comparison


def held_sentence(case: Case, compared: Comparison, *, is_better: bool) -> str:
    """How the candidate compares with the champion where both flag equally many rows.

    `is_better` says that the rule for it is met, so that something else holds the candidate.
    """
    champion = _named(case)
    found = f"flagging as many, it finds {_difference(case, compared)}"
    if is_better:
        return f"Better than {champion}, and held all the same: {found}"
    return f"No better than {champion}: {found}, {_how_surely(case, compared)}"


def _named(case: Case) -> str:
    number = case.facts.champion_release
    return f"release {number}" if number else "the champion"


def _difference(case: Case, compared: Comparison) -> str:
    """`12 more of 5,758 positives`."""
    pairs = compared.pairs
    more = pairs.gained - pairs.lost
    positives = case.words.counted(pairs.rows)
    if more == 0:
        return f"as many of {positives}"
    return f"{abs(more):,} {'more' if more > 0 else 'fewer'} of {positives}"


def _how_surely(case: Case, compared: Comparison) -> str:
    """What the difference is put down to, by its interval."""
    recall, margin = compared.recall, case.policy.margin
    if recall.high < 0:
        allowed = "a loss within" if recall.low > -margin else "a loss not shown to be within"
        return f"{allowed} the margin of {margin:g}"
    if recall.low > 0:
        return f"within what use {case.facts.uses + 1} of the holdout puts down to chance"
    return "within chance"
