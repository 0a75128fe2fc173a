"""What errors cost: a model beside flagging nobody or everybody, beside champion and beside anchor.

Where a policy states what a miss and a false alarm cost, what is compared is the cost of each row
as the models ship, threshold and all: a threshold that was moved to where errors cost less is a
gain like any other. Differences are paired by row, savings are positive, and sentences tell them
for each thousand rows. `margin` of the policy is a share of what it costs to find nobody, so that a
point of recall lost, and nothing gained for it, is a margin of 0.01.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy  # its parts are loaded at their first use

from sluice.gate import spending
from sluice.gate.case import BROKEN, MET, OPEN, Case, Model, Rule
from sluice.gate.limits import FEW, rows_to_tell, scarce
from sluice.gate.paired import Difference, mean_difference
from sluice.model.quality.clusters import sums
from sluice.model.quality.error_costs import PER, costs_of

NAME = "net_benefit"


@dataclass(frozen=True)
class Saving:
    """What the candidate saves against another: the differences of the rows, shape (rows,), with
    their mean and limits; `against` is what the other is called. Of rows that belong together it is
    their sum, shape (clusters,), and `grouped` is how many rows these are; else 0.
    """

    against: str
    rows: np.ndarray
    mean: Difference
    grouped: int = 0

    @property
    def count(self) -> int:
        """The number of rows."""
        return self.grouped or len(self.rows)

    @property
    def differing(self) -> float:
        """How many rows of equal weight the differences are worth; 0 where there are none."""
        squares = self.rows**2
        whole = float(squares.sum())
        return whole**2 / float((squares**2).sum()) if whole > 0 else 0.0

    def __str__(self) -> str:
        low, high = PER * self.mean.low, PER * self.mean.high
        return f"{PER * self.mean.value:+.4g} [{low:+.4g}, {high:+.4g}]"


def net_benefit(case: Case) -> Iterator[Rule]:
    """The errors cost less than those of flagging nobody, and of flagging everybody."""
    if not case.policy.costed:
        return
    labels = case.holdout.labels
    nobody = np.zeros(len(labels), dtype=bool)
    saved = [_saving(case, "nobody", nobody), _saving(case, "everybody", ~nobody)]
    worst = min(saved, key=lambda saving: saving.mean.value)
    low, high = min(s.mean.low for s in saved), min(s.mean.high for s in saved)
    value = worst.mean.value
    sentence = (
        f"The errors cost {PER * float(_costs(case, case.holdout.candidate.flagged).mean()):.4g}"
        f" for each {PER:,} rows, a saving of {saved[0]} against flagging nobody and of {saved[1]}"
        " against flagging everybody; more than 0 is required"
    )
    told = Rule(NAME, MET, sentence, PER * value, 0.0)
    scale = case.policy.cost_of_a_miss * case.holdout.prevalence
    if value <= 0:
        few = scarce(case)
        state = BROKEN if high < 0 and not few else OPEN
        needed = f"Save {PER * -value:.4g} more for each {PER:,} rows"
        yield _open(told, state, f"{few}. {needed}" if few else needed)
    elif case.first and low <= 0:
        more = rows_to_tell(len(labels), (value - low) / scale, value / scale)
        yield _open(
            told, OPEN, f"Label {more} more rows: a first release saves with its lower limit"
        )
    else:
        yield told


def _open(rule: Rule, state: str, needed: str) -> Rule:
    return Rule(rule.rule, state, rule.sentence, rule.value, rule.limit, needed)


def against_champion(case: Case) -> Iterator[Rule]:
    """Cheaper than the champion as both ship, or at least not dearer by the margin."""
    saving = beside_champion(case)
    if saving is None:
        return
    look = _later_look if case.facts.looks else _first_look
    yield look(case, saving)
    yield _within(case, "not_worse", saving)


def beside_champion(case: Case) -> Saving | None:
    """What the candidate saves against the champion as both ship; None where there is none."""
    other = case.holdout.champion
    if other is None or case.champion is None:
        return None
    return _against(case, f"champion {other.tag}", other)


def against_anchor(case: Case, title: str) -> Iterator[Rule]:
    """Not dearer than the frozen reference, called `title`, by the margin, so that small losses
    cannot add up.
    """
    other = case.holdout.anchor
    if other is not None and case.anchor is not None:
        yield _within(case, "anchor_net_benefit", _against(case, title, other))


def _against(case: Case, title: str, other: Model) -> Saving:
    return _saving(case, title, other.flagged)


def _saving(case: Case, against: str, flagged: np.ndarray) -> Saving:
    theirs, mine = _costs(case, flagged), _costs(case, case.holdout.candidate.flagged)
    clusters = case.holdout.clusters
    mean = mean_difference(theirs, mine, case.policy.level, clusters)
    of_each = sums(theirs - mine, clusters)
    return Saving(against, of_each, mean, 0 if clusters is None else len(mine))


def _costs(case: Case, flagged: np.ndarray) -> np.ndarray:
    return costs_of(case.policy).of_rows(case.holdout.labels, flagged)


def margin_of(case: Case) -> float:
    """The margin of the policy as a cost of a row."""
    policy = case.policy
    return policy.margin * policy.cost_of_a_miss * case.holdout.prevalence


def _first_look(case: Case, saving: Saving) -> Rule:
    level = spending.first_level(case.policy.level, case.facts.uses)
    p_value = saves_nothing(saving)
    sentence = (
        f"{_told(saving)}, with p = {p_value:.3g}; at most {level:.3g} is required to be better"
    )
    if p_value <= level:
        return Rule("better", MET, sentence, p_value, level)
    return Rule("better", OPEN, sentence, p_value, level, _to_be_better(case, saving))


def _later_look(case: Case, saving: Saving) -> Rule:
    if saving.grouped:
        return _later_look_at_groups(case, saving)
    level = spending.later_level(case.policy.level, case.facts.uses)
    reached, wanted = log_e_value(saving, margin_of(case)), -math.log(level)
    sentence = (
        f"{_told(saving)}; at look {case.facts.looks + 1} of this use the logarithm of the e-value"
        f" is {reached:.2f}; at least {wanted:.2f} is required to be better"
    )
    if reached >= wanted:
        return Rule("better", MET, sentence, reached, wanted)
    return Rule("better", OPEN, sentence, reached, wanted, _to_be_better(case, saving))


def _later_look_at_groups(case: Case, saving: Saving) -> Rule:
    """Groups grow from look to look, so each later look has a part of the level for itself."""
    facts = case.facts
    level = spending.grouped_level(case.policy.level, facts.uses, facts.looks)
    p_value = saves_nothing(saving)
    sentence = (
        f"{_told(saving)}, with p = {p_value:.3g}; at look {facts.looks + 1} of this use at most"
        f" {level:.3g} is required to be better"
    )
    if p_value <= level:
        return Rule("better", MET, sentence, p_value, level)
    return Rule("better", OPEN, sentence, p_value, level, _to_be_better(case, saving))


def _told(saving: Saving) -> str:
    return f"The saving against {saving.against} is {saving} for each {PER:,} rows"


def _to_be_better(case: Case, saving: Saving) -> str:
    """With how many more labels this model is shown to be cheaper, or that another is needed."""
    times = _times_as_many(case, saving)
    if times is None or case.facts.moves_on:
        return "Release a model whose errors cost less"
    more = max(math.ceil(saving.count * (times - 1)), 1)
    return (
        f"Label {more:,} more rows and go on with this model (`sluice extend --by FILE --to FILE`),"
        " if the saving is true"
    )


def _times_as_many(case: Case, saving: Saving) -> float | None:
    """How many times the rows show the saving at the next look, if it stays; None where none do."""
    if saving.grouped:
        reached = -scipy.special.ndtri(saves_nothing(saving))
        next_one = spending.grouped_level(case.policy.level, case.facts.uses, case.facts.looks + 1)
        wanted = float(scipy.stats.norm.isf(next_one))
        return (wanted / reached) ** 2 if reached > 0 else None
    level = spending.later_level(case.policy.level, case.facts.uses)
    gained = log_e_value(saving, margin_of(case))
    return -math.log(level) / gained if gained > 0 else None


def _within(case: Case, name: str, saving: Saving) -> Rule:
    mean, margin = saving.mean, margin_of(case)
    sentence = f"{_told(saving)}; a lower limit above {PER * -margin:.4g} is required"
    value, limit = PER * mean.low, PER * -margin
    if mean.low > -margin:
        return Rule(name, MET, sentence, value, limit)
    state = BROKEN if mean.high < -margin and saving.differing >= FEW else OPEN
    scale = case.policy.cost_of_a_miss * case.holdout.prevalence
    distance = mean.value + margin
    needed = f"Save {PER * -distance:.4g} more for each {PER:,} rows"
    if distance > 0:
        reach = (mean.value - mean.low) / scale
        more = rows_to_tell(saving.count, reach, distance / scale)
        needed = f"Label {more} more rows, if the difference stays"
    return Rule(name, state, sentence, value, limit, needed)


def saves_nothing(saving: Saving) -> float:
    """The one-sided p-value that the candidate saves something.

    Student's, made larger where the differences lean to the left: a few rows that cost much and did
    not turn up make a mean look surer than it is (the first term of Edgeworth's expansion of a
    studentised mean: P. Hall, The Bootstrap and Edgeworth Expansion, 1992). 1 where fewer than FEW
    rows of equal weight differ: no limit is to be believed there.
    """
    rows = saving.rows
    if saving.differing < FEW:
        return 1.0
    count, centred = len(rows), rows - rows.mean()
    spread = float((centred**2).sum())
    statistic = float(rows.mean()) / math.sqrt(spread / (count - 1) / count)
    leaning = float((centred**3).sum()) / spread**1.5
    p_value = float(scipy.stats.t.sf(statistic, count - 1))
    density = float(scipy.stats.norm.pdf(statistic))
    return min(p_value + max(-density * leaning * (2 * statistic**2 + 1) / 6, 0.0), 1.0)


def log_e_value(saving: Saving, gain: float) -> float:
    """The natural logarithm of the e-value that the candidate saves something.

    It is against a saving of `gain` for each row. With S the sum of the differences and V that of
    their squares it is t S - t² V / 2, t being gain times rows / V. If nothing is saved it is a
    martingale from look to look up to terms that vanish, as that of `sluice.gate.sequential`. 0
    where fewer than FEW rows of equal weight differ.
    """
    if saving.differing < FEW:
        return 0.0
    squares = float((saving.rows**2).sum())
    tilt = gain * len(saving.rows) / squares
    return tilt * float(saving.rows.sum()) - tilt**2 * squares / 2
