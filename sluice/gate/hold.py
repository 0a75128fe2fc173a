"""The sentence of a HOLD: what a person has to know who reads one line of it."""

from sluice.gate.case import Case, Comparison
from sluice.gate.net_benefit import Saving, beside_champion, margin_of
from sluice.gate.paired import Difference
from sluice.model.quality.error_costs import PER


def held_sentence(case: Case, compared: Comparison, *, is_better: bool) -> str:
    """How the candidate compares with the champion: where both flag equally many rows, or by what
    their errors cost as they ship where the policy states costs.

    `is_better` says that the rule for it is met, so that something else holds the candidate.
    """
    champion, uses = _named(case), case.facts.uses
    saving = beside_champion(case) if case.policy.costed else None
    if saving is None:
        found = f"flagging as many, it finds {_difference(case, compared)}"
        margin = case.policy.margin
        surely = how_surely(compared.recall, margin, f"{margin:g}", uses)
    else:
        found = f"its errors cost {_saved(saving)}"
        margin = margin_of(case)
        surely = how_surely(saving.mean, margin, f"{PER * margin:.4g}", uses)
    if is_better:
        return f"Better than {champion}, and held all the same: {found}"
    return f"No better than {champion}: {found}, {surely}"


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


def _saved(saving: Saving) -> str:
    """`3.2 less for each 1,000 rows`."""
    value = PER * saving.mean.value
    if value == 0:
        return "as much"
    return f"{abs(value):.4g} {'less' if value > 0 else 'more'} for each {PER:,} rows"


def how_surely(difference: Difference, margin: float, written: str, uses: int) -> str:
    """What a difference from the champion is put down to, by its interval; `written` is the margin
    as people read it, `uses` counts the uses of the holdout before this one.
    """
    if difference.high < 0:
        allowed = "a loss within" if difference.low > -margin else "a loss not shown to be within"
        return f"{allowed} the margin of {written}"
    if difference.low > 0:
        return f"within what use {uses + 1} of the holdout puts down to chance"
    return "within chance"
