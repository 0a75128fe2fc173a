"""Four hundred nights of retrains on a holdout that grows, by the real gate with all its rules and
the real ledger: where production stands against the anchor, as a whole and in each group.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np

from benchmarks import log_odds, world
from benchmarks.log_odds import Archive, Recipe, Seen
from benchmarks.looks import NIGHTS, World, walk
from benchmarks.targets import Line, at_least, at_most
from sluice.gate import groups, spending
from sluice.gate.as_shipped import AS_SHIPPED
from sluice.gate.case import MET, Case, Comparison, Facts, Holdout, Rule
from sluice.gate.comparison import AGAINST_OTHERS
from sluice.gate.decide import Verdict
from sluice.gate.groups import BY_GROUP, Group
from sluice.gate.paired import Pairs, at_equal_counts, better, recall_difference, stays_within
from sluice.gate.visibility import VISIBILITY
from sluice.policy import GatePolicy
from sluice.served.words import NEUTRAL_WORDS

HOLDOUT = 14_900
POSITIVES = 7_000
GROWTH = 0.001  # of the holdout, new each night
LUCK = 0.0002  # how far the true recall of retrains of one recipe spreads
ARRIVES, WITHIN, GAIN = 200, 14, 0.02
TENTH, THIRTIETH = 4, 7  # teams with a tenth of the rows, and with three hundredths
GROUPS = tuple(
    (segment, place) for segment, shares in log_odds.GROUPS.items() for place in range(len(shares))
)
_COMPARING = (*AGAINST_OTHERS, *VISIBILITY, *AS_SHIPPED, *BY_GROUP)
_OF_ONE_KIND = ("better", "not_worse")  # either may be open in what is a HOLD or a PROMOTE

Recipes = Callable[[int], Recipe]
Run = Callable[[Callable[[int], Any], int], list[Any]]


@dataclass(frozen=True)
class Walk:
    """What became of 400 nights: the loss of production against the anchor in true recall, and of
    each group of `GROUPS`, the largest that it ever was; promotions and refreshes.

    `held` is the largest of those losses of each group with which a model was let in while the
    positives of the group sufficed to hold it to its margin. `seen_from` is the loss of each group
    that the rule of the anchor finds with probability 0.8 at the end, 1 where the group is not
    judged.
    """

    worst: float
    last: float
    groups: tuple[float, ...]
    held: tuple[float, ...]
    seen_from: tuple[float, ...]
    promoted: int
    refreshed: int


def slow_rot(night: int) -> Recipe:
    """A recipe that truly loses two points over 400 nights, twice the margin."""
    return log_odds.rotted(round(0.02 * (night + 1) / NIGHTS, 5))


def group_rot(team: int, night: int) -> Recipe:
    """A recipe that truly loses twenty points of one team over 400 nights, and nothing else."""
    return log_odds.lowered(team, round(0.2 * (night + 1) / NIGHTS, 5))


def at_margin(margin: float, night: int) -> Recipe:
    """A recipe that always lies truly at the margin."""
    del night
    return log_odds.rotted(margin)


def no_change(night: int) -> Recipe:
    """A recipe that stays as good as the anchor."""
    del night
    return Recipe()


@dataclass(frozen=True)
class Growth:
    """How much of the holdout is new each night, and how often it had decided before each."""

    share: float
    uses: tuple[int, ...]

    def rows(self, night: int) -> int:
        """How many rows the holdout has on a night (from 0)."""
        return HOLDOUT + round(HOLDOUT * self.share * night)


def sequence(policy: GatePolicy, recipes: Recipes, growth: Growth, place: int) -> Walk:
    """One pipeline over 400 nights: each night a retrain, judged by the gate."""
    random = np.random.default_rng((7, place))
    rows = log_odds.archive(growth.rows(NIGHTS), random)
    anchor = log_odds.trained(Recipe(), rows.log_odds(Recipe(), random), random)
    production, since, promoted, refreshed = anchor, 0, 0, 0
    past, held = [production.recipe], [np.zeros(len(GROUPS))]
    for night, uses in enumerate(growth.uses):
        recipe = _by_luck(recipes(night), random)
        candidate = rows.log_odds(recipe, random)
        facts = Facts(uses=uses, fresh=True, champion_days=night + 1 - since)
        tonight = Tonight(policy, rows, growth.rows(night), facts)
        if not tonight.may_change(candidate, production, anchor):
            continue
        # Validation rows of its own: the nights after it are the same whether it was asked or not.
        seen = log_odds.trained(recipe, candidate, np.random.default_rng((7, place, night)))
        changed = tonight.changes(seen, production, anchor)
        if changed:
            held.append(np.where(tonight.held(seen, anchor), _lost_by_group(recipe), 0.0))
            production, since = seen, night + 1
            promoted += changed == "PROMOTE"
            refreshed += changed == "HOLD"
            past.append(recipe)
    seen_from = Tonight(policy, rows, growth.rows(NIGHTS), Facts()).seen_from(production, anchor)
    lost = [_lost(recipe) for recipe in past]
    by_group = np.max([_lost_by_group(recipe) for recipe in past], axis=0)
    by_group_held = tuple(np.max(held, axis=0).tolist())
    return Walk(
        worst=max(lost),
        last=lost[-1],
        groups=tuple(by_group.tolist()),
        held=by_group_held,
        seen_from=seen_from,
        promoted=promoted,
        refreshed=refreshed,
    )


def gain_found(policy: GatePolicy, growth: Growth, place: int) -> bool:
    """Whether a true gain that arrives on night 200 is promoted within two weeks."""
    random = np.random.default_rng((11, place))
    rows = log_odds.archive(growth.rows(NIGHTS), random)
    anchor = log_odds.trained(Recipe(), rows.log_odds(Recipe(), random), random)
    production = log_odds.trained(Recipe(), rows.log_odds(Recipe(), random), random)
    for night in range(ARRIVES, ARRIVES + WITHIN):
        recipe = log_odds.improved(GAIN)
        candidate = rows.log_odds(recipe, random)
        facts = Facts(uses=growth.uses[night], fresh=True, champion_days=1)
        tonight = Tonight(policy, rows, growth.rows(night), facts)
        if tonight.may_change(candidate, production, anchor):
            seen = log_odds.trained(recipe, candidate, random)
            if tonight.whole(seen, production, anchor).verdict == "PROMOTE":
                return True
    return False


def _by_luck(recipe: Recipe, random: np.random.Generator) -> Recipe:
    """The recipe of one retrain: by luck it shares a little more or less of the error."""
    moved = float(random.normal(0.0, LUCK)) / _recall_by_shared()
    return Recipe(recipe.rot, log_odds.SHARED + moved, recipe.team, recipe.low)


@cache
def _recall_by_shared() -> float:
    """How much true recall changes with the shared error, near that of the anchor."""
    share, step = log_odds.flagged(), 0.05
    more = Recipe(shared=log_odds.SHARED + step).recall(share)
    return (more - Recipe(shared=log_odds.SHARED - step).recall(share)) / (2 * step)


def _lost(recipe: Recipe) -> float:
    """How much less true recall than the anchor's recipe, at its share flagged."""
    share = log_odds.flagged()
    return Recipe().recall(share) - recipe.recall(share)


def _lost_by_group(recipe: Recipe) -> list[float]:
    """The same for each group: teams may be seen too low, sites are mixed of all teams."""
    share = log_odds.flagged()
    before, whole = Recipe().recall(share), _lost(recipe)
    by_team = [before - recipe.recall(share, team) for team in range(len(log_odds.GROUPS["team"]))]
    return [by_team[place] if segment == "team" else whole for segment, place in GROUPS]


@dataclass(frozen=True)
class Tonight:
    """The gate on one night: the rows that are there, and what the ledger says."""

    policy: GatePolicy
    archive: Archive
    count: int
    facts: Facts

    def whole(self, candidate: Seen, champion: Seen, anchor: Seen) -> Verdict:
        """The verdict of the gate with every rule."""
        models = (
            candidate.on(self.count, "candidate"),
            champion.on(self.count, "champion"),
            anchor.on(self.count, "anchor"),
        )
        rows = self.archive.first(self.count)
        return world.judge(rows, models, candidate.validation, self.policy, self.facts)

    def changes(self, candidate: Seen, champion: Seen, anchor: Seen) -> str:
        """`PROMOTE` or `HOLD` where the candidate replaces the champion by all rules that compare
        it with champion and anchor, else nothing.

        What the gate asks of a candidate alone could only stop more.
        """
        case, rules = self._case(candidate, champion, anchor), list[Rule]()
        for look in _COMPARING:
            rules += look(case)
            # The rest, which is by group and takes longest, cannot mend what is open already.
            if any(rule.state != MET and rule.rule not in _OF_ONE_KIND for rule in rules):
                return ""
        open_or_broken = {rule.rule for rule in rules if rule.state != MET}
        if not open_or_broken - {"not_worse"} and better_is(rules):
            return "PROMOTE"
        due = self.facts.champion_days >= self.policy.refresh_days
        return "HOLD" if due and open_or_broken <= {"better"} else ""

    def may_change(self, candidate: np.ndarray, champion: Seen, anchor: Seen) -> bool:
        """Whether it could change production at all: no need to ask it otherwise (it says the same,
        more slowly).
        """
        due = self.facts.champion_days >= self.policy.refresh_days
        against = self._pairs(candidate, champion)
        if not due and not self._better(against):
            return False
        level = self.policy.level
        if not self._within(self._pairs(candidate, anchor), spending.anchor_level(level)):
            return False
        # Of a model that is better, a group may also be shown as shipped: ask the rule itself.
        if self._better(against):
            return True
        return self._within(against, level) and not self._loses_a_team(candidate, anchor)

    def _within(self, pairs: Pairs, level: float) -> bool:
        """Whether the lower limit of the difference lies above the margin; quickly where it
        cannot.
        """
        margin = self.policy.margin
        return pairs.difference > -margin and stays_within(pairs, margin, level)

    def seen_from(self, candidate: Seen, anchor: Seen) -> tuple[float, ...]:
        """From which loss on the gate finds one of each group with probability 0.8; 1 where it
        looks at none.
        """
        case = self._case(candidate, anchor, anchor)
        found = {group.name: group for group in _by_name(case)}
        least, margin = self.policy.segment_positives, self.policy.anchor_segment_margin
        judged = [one for one in found.values() if one.shipped.rows >= least]
        return tuple(
            groups.seen_from(case, one, len(judged), margin) if one in judged else 1.0
            for one in (found[f"{segment} = {place}"] for segment, place in GROUPS)
        )

    def held(self, candidate: Seen, anchor: Seen) -> np.ndarray:
        """Which groups of `GROUPS` have the positives to be held to their margin of the anchor."""
        case = self._case(candidate, anchor, anchor)
        held = {group.name for group in groups.held_of(case, list(_by_name(case)))}
        return np.array([f"{segment} = {place}" in held for segment, place in GROUPS])

    def _loses_a_team(self, candidate: np.ndarray, anchor: Seen) -> bool:
        """Whether some team that is held to its margin is not shown to stay within it, with as many
        rows flagged: the rule of the anchor, by counts.
        """
        teams = self.archive.rows.segments["team"][: self.count]
        theirs = anchor.flagged[: self.count]
        mine = self._top(candidate, int(theirs.sum()))
        positive = self.archive.rows.labels[: self.count] == 1
        size = len(log_odds.GROUPS["team"])

        def count(rows: np.ndarray) -> np.ndarray:
            return np.bincount(teams[positive & rows], minlength=size)

        gained, lost, of = count(mine & ~theirs), count(theirs & ~mine), count(positive)
        margin, least = self.policy.anchor_segment_margin, self.policy.segment_positives
        level = spending.anchor_level(self.policy.level)
        # The team that has lost most comes first, because one is enough.
        for team in np.argsort((gained - lost) / np.maximum(of, 1)):
            pairs = Pairs(int(gained[team]), int(lost[team]), int(of[team]))
            if pairs.rows < least or stays_within(pairs, margin, level):
                continue
            if groups.held_to(Group("", pairs, pairs, pairs.rows), margin, level):
                return True
        return False

    def _better(self, pairs: Pairs) -> bool:
        """Whether the gain may be shown: by the exact test, and quickly where it is far from it."""
        if pairs.gained - pairs.lost < 1.5 * np.sqrt((pairs.gained + pairs.lost) / 2):
            return False
        return better(pairs) <= spending.level_of(self.policy.level, self.facts.uses)

    def _case(self, candidate: Seen, champion: Seen, anchor: Seen) -> Case:
        rows = self.archive.first(self.count)
        mine = candidate.on(self.count, "candidate")
        others = [champion.on(self.count, "champion"), anchor.on(self.count, "anchor")]
        holdout = Holdout(rows.labels, rows.hashes, mine, others[0], others[1], None, rows.segments)
        compared = []
        for other, seen in zip(others, (champion, anchor), strict=True):
            pairs = self._pairs(candidate.log_odds, seen)
            recall = recall_difference(pairs, self.policy.level)
            flagged = int(other.flagged.sum())
            compared.append(Comparison(other.tag, flagged, pairs, recall, better(pairs)))
        first, second = compared
        return Case({}, holdout, self.facts, self.policy, first, second, NEUTRAL_WORDS)

    def _pairs(self, candidate: np.ndarray, other: Seen) -> Pairs:
        """The pairs at as many rows as the other flags."""
        theirs = other.flagged[: self.count]
        mine = self._top(candidate, int(theirs.sum()))
        return at_equal_counts(self.archive.rows.labels[: self.count], mine, theirs)

    def _top(self, candidate: np.ndarray, first: int) -> np.ndarray:
        mine = np.zeros(self.count, dtype=bool)
        mine[np.argpartition(-candidate[: self.count], first)[:first]] = True
        return mine


def better_is(rules: list[Rule]) -> bool:
    """Whether the rule `better` is met."""
    return any(rule.rule == "better" and rule.state == MET for rule in rules)


def _by_name(case: Case) -> Iterator[Group]:
    if case.anchor is None:
        raise ValueError("an anchor is required")
    return groups.groups_beside(case.holdout, case.holdout.anchor, case.anchor.flagged)


def lines(policy: GatePolicy, sequences: int, run: Run) -> Iterator[Line]:
    """The experiments in turn, of each the share of sequences in which it ever happened."""
    margin, own = policy.margin, policy.anchor_segment_margin
    nights = walk(World("", GROWTH), POSITIVES)
    growth = Growth(GROWTH, tuple(night.uses or 0 for night in nights))
    walks = run(partial(sequence, policy, slow_rot, growth), sequences)
    name = "400 nights, slow rot: production ever falls"
    yield at_most(f"{name} beyond the margin", len(walks), _fallen(walks, margin), 0.05)
    fallen = sum(max(walk.held) > own for walk in walks)
    yield at_most(f"{name} beyond its margin, any group", len(walks), fallen, 0.05)
    walks = run(partial(sequence, policy, partial(at_margin, margin), growth), sequences)
    name = "400 nights, candidates at the margin: production ever falls"
    yield Line(f"{name} beyond the margin", len(walks), _fallen(walks, margin) / len(walks))
    yield at_most(f"{name} beyond twice the margin", len(walks), _fallen(walks, 2 * margin), 0.01)
    for team, size in ((TENTH, "10 %"), (THIRTIETH, "3 %")):
        walks = run(partial(sequence, policy, partial(group_rot, team), growth), sequences)
        seen = sum(walk.held[team] > own for walk in walks)
        fallen = sum(walk.groups[team] > own for walk in walks)
        name = f"400 nights, a group of {size} rots: it ever falls beyond its margin"
        yield at_most(f"{name}, held to it", len(walks), seen, 0.05)
        yield Line(f"{name}, held to it or not", len(walks), fallen / len(walks))
    found = run(partial(gain_found, policy, growth), sequences)
    name = "two points truly better from night 200 on: PROMOTE within two weeks"
    yield at_least(name, len(found), sum(found), 0.8)
    walks = run(partial(sequence, policy, no_change, growth), sequences)
    name = "400 nights without a change: ever a PROMOTE"
    yield Line(name, len(walks), sum(walk.promoted > 0 for walk in walks) / len(walks))


def _fallen(walks: list[Walk], margin: float) -> int:
    return sum(walk.worst > margin for walk in walks)
