"""The judgement of a canary: is what it says, and how it runs, within what the policy allows?

Every measure is a bet against its limit (`sluice.canary.bets`) over all blocks since the rollout
began, so it may be looked at as often as wanted. The level of the policy holds for the whole
rollout: it is shared out over the measures, and no error of one is an error of another.
"""

from dataclasses import dataclass

import numpy as np

from sluice.canary import bets
from sluice.canary.counts import SECONDS, Blocks, Layout, Side
from sluice.canary.verdict import AS_BEFORE, NO_CHANGE, Change, Expectation, Measure, Verdict, Word
from sluice.percent import percent
from sluice.policy import CanaryPolicy

# What is judged beside the share flagged, each at the same part of the level.
OTHERS = ("tiers", "histogram", "failed", "refused", "latency", "split")
_LOOKS = 240  # of the split: each block is judged alone, at this part of its level
_MOST = 1e12  # evidence that is shown
_WHOLE = 0.99  # share of the canary at a weight of 100 %: the last of stable are still answered
_USUAL_FAILURES = (0.001, 100.0)  # of stable, before any were seen, and how many requests that is
_GRID = np.linspace(-0.6, 0.6, 121)  # differences of shares that bounds are found among
_MARGIN = 0.02  # no closer to a limit are requests foretold
_CHOSEN_BY = 20  # rows of stable by which it is chosen what passes a step
_UNEVEN = 0.1  # a limit with fewer rows on one side does not halve them


@dataclass(frozen=True)
class Case:
    """What is judged: `weight` is the share of requests that the step sends to the canary, `layout`
    says what the counts of tiers and bins are of.
    """

    blocks: Blocks
    layout: Layout
    weight: float
    policy: CanaryPolicy
    expected: Expectation = AS_BEFORE


Pair = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Watched:
    """The share that passes a step: what a version does to the rows that are counted, what these
    rows are, the counts in the blocks that are judged, and the change that was foretold.
    """

    does: str
    rows: str
    pair: Pair
    change: Change


def judge(case: Case) -> Verdict:
    """The verdict of all complete blocks.

    Fail as soon as one measure failed at any look, which stays; else inconclusive where the newest
    block tells nothing or requests are not split as they should be; else as the share says that is
    watched: flagged, of the commonest class, or up to the middle of all numbers.
    """
    watched = _watched(case)
    measures = (
        _flagged(case, watched),
        _tiers(case),
        _histogram(case),
        _failed(case),
        _refused(case),
        _latency(case),
        _restarts(case),
        _numbers(case),
        _split(case),
    )
    word, sentence, more = _answer(case, measures, watched)
    return Verdict(
        verdict=word,
        sentence=sentence,
        measures=measures,
        looks=len(case.blocks.dropped),
        dropped=int(case.blocks.dropped.sum()),
        canary_rows=int(case.blocks.canary.rows.sum()),
        stable_rows=int(case.blocks.stable.rows.sum()),
        more_requests=more,
    )


def _answer(
    case: Case, measures: tuple[Measure, ...], watched: Watched | None
) -> tuple[Word, str, int | None]:
    """The word, the sentence, and how many more requests would tell."""
    for measure in measures:
        if measure.verdict == "fail":
            return "fail", measure.sentence, 0
    if not len(case.blocks.dropped):
        return "inconclusive", "No block of time is complete yet. Look again.", None
    if case.blocks.dropped[-1]:
        sentence = "The scrapes have a gap in the newest block. Look whether Prometheus runs."
        return "inconclusive", sentence, None
    if not case.blocks.canary.requests[-1]:
        sentence = "The canary answered no request in the newest block; some are required."
        return "inconclusive", f"{sentence} Look whether it gets its share.", None
    split, flagged = measures[-1], measures[0]
    if split.verdict == "inconclusive":
        return "inconclusive", split.sentence, None
    if flagged.verdict == "inconclusive":
        return "inconclusive", flagged.sentence, _more(case, watched) if watched else None
    return "pass", flagged.sentence, 0


def _level(policy: CanaryPolicy, *, flagged: bool = False) -> float:
    """The part of the level that one measure has."""
    if flagged:
        return policy.level * policy.flagged_share
    return policy.level * (1.0 - policy.flagged_share) / len(OTHERS)


def _watched(case: Case) -> Watched | None:
    """The share that passes a step; None where the counts of both have no limit in common.

    Of classes and numbers it is chosen by the first rows of stable, and judged in the blocks after
    these: a share that was chosen by what it is judged on would look better than it is.
    """
    if case.layout.kind == "flag":
        counts = case.blocks.canary.flagged, case.blocks.stable.flagged
        return Watched("flags", "flagged", _pair(case, *counts), case.expected.flagged)
    seen = np.cumsum(case.blocks.stable.rows) >= _CHOSEN_BY
    first = int(np.argmax(seen)) + 1 if seen.any() else len(seen)
    if case.layout.kind == "class":
        return _commonest(case, first)
    return _middle(case, first) if case.layout.limits else None


def _commonest(case: Case, first: int) -> Watched:
    """The share of the class that stable answered most often until block `first`."""
    canary, stable = case.blocks.canary.tiers, case.blocks.stable.tiers
    at = int(np.argmax(stable[:first].sum(axis=0)))
    name = case.layout.tiers[at]
    change = case.expected.tiers.get(name, NO_CHANGE)
    pair = _from(case, first, canary[:, at], stable[:, at])
    return Watched(f"answers “{name}” to", f"answered with “{name}”", pair, change)


def _middle(case: Case, first: int) -> Watched:
    """The share of the rows up to the limit that halves what stable answered before `first`; where
    no limit comes near that, as most answers are alike, the share of the commonest ones.
    """
    canary = np.cumsum(case.blocks.canary.bins, axis=-1)
    stable = np.cumsum(case.blocks.stable.bins, axis=-1)
    shares = stable[:first, :-2].sum(axis=0) / max(1.0, stable[:first, -1].sum())
    at = int(np.argmin(np.abs(shares - 0.5)))
    if not _UNEVEN <= shares[at] <= 1.0 - _UNEVEN:
        return _alike(case, first)
    pair = _from(case, first, canary[:, at], stable[:, at])
    limit = _limit(case, at)
    return Watched(f"answers {limit} to", f"answered with {limit}", pair, _at_most(case)[at])


def _alike(case: Case, first: int) -> Watched:
    """The share of the numbers between the two limits that most of stable's lie between."""
    canary, stable = case.blocks.canary.bins, case.blocks.stable.bins
    at = int(np.argmax(stable[:first, :-1].sum(axis=0)))
    # Below the first limit there is nothing, and beyond the last one nothing else can come.
    upto = [NO_CHANGE, *_at_most(case), NO_CHANGE]
    low, high = upto[at], upto[at + 1]
    change = Change(high.change - low.change, high.margin + low.margin)
    limits = [f"{limit:,.6g}" for limit in case.layout.limits]
    words = f"above {limits[at - 1]}" if at == len(limits) else f"at most {limits[at]}"
    if 0 < at < len(limits):
        words = f"{limits[at - 1]} to {limits[at]}"
    pair = _from(case, first, canary[:, at], stable[:, at])
    return Watched(f"answers {words} to", f"answered with {words}", pair, change)


def _flagged(case: Case, watched: Watched | None) -> Measure:
    """The share that is watched: surely beyond the tolerance fails, surely less than alarming
    passes.
    """
    if watched is None:
        sentence = (
            "The range of the numbers is another one in the canary, and 0 limits of both histograms"
            " are the same; 1 is required. Compare the answers by `sluice replay`."
        )
        return Measure("flagged", "inconclusive", sentence)
    policy, change, pair = case.policy, watched.change, watched.pair
    level = _level(policy, flagged=True)
    against = _outside(pair, change, policy.tolerance).max(initial=0.0)
    far = policy.alarming + change.margin
    inside = [
        bets.log_bets_below(*pair, change.change + far),
        bets.log_bets(*pair, change.change - far),
    ]
    excluded = min(part.max(initial=0.0) for part in inside)
    needed = np.log(2.0 / level)
    word: Word = "inconclusive"
    if against >= needed:
        word = "fail"
    elif excluded >= np.log(1.0 / level):
        word = "pass"
    low, high = _bounds(pair, level)
    return Measure(
        "flagged",
        word,
        _watched_sentence(case, word, watched),
        _share(pair[0], pair[1]),
        _share(pair[2], pair[3]),
        low,
        high,
        _shown(against),
        _shown(needed),
        change.change,
        policy.tolerance + change.margin,
        far,
        watched.rows,
    )


def _watched_sentence(case: Case, word: Word, watched: Watched) -> str:
    pair = watched.pair
    canary, stable = _share(pair[0], pair[1]), _share(pair[2], pair[3])
    if canary is None or stable is None:
        return "No rows of both versions were seen together; some are required. Look again."
    expected = _expected(watched.change)
    found = (
        f"The canary {watched.does} {percent(canary, 1)} of {int(pair[1].sum())} rows, stable"
        f" {percent(stable, 1)}{expected}"
    )
    tolerance, alarming = case.policy.tolerance, case.policy.alarming
    if word == "fail":
        return (
            f"{found}; at most {percent(tolerance, 1)} away from what is expected is required."
            " Replay the candidate and see which rows changed."
        )
    if word == "pass":
        return f"{found}: a change of {percent(alarming, 1)} is excluded."
    return f"{found}; that a change of {percent(alarming, 1)} is excluded is required. Look again."


def _expected(change: Change) -> str:
    return f" ({100 * change.change:+.1f} % were foretold)" if change != NO_CHANGE else ""


def _tiers(case: Case) -> Measure:
    """The share of each tier."""
    changes = [case.expected.tiers.get(name, NO_CHANGE) for name in case.layout.tiers]
    pairs = [
        (name, _pair(case, case.blocks.canary.tiers[:, at], case.blocks.stable.tiers[:, at]))
        for at, name in enumerate(case.layout.tiers)
    ]
    return _shares(case, "tiers", pairs, changes)


def _histogram(case: Case) -> Measure:
    """The shares of rows whose probability is at most 0.05, 0.10 and so on, or whose number is at
    most each limit.
    """
    canary = np.cumsum(case.blocks.canary.bins, axis=-1)
    stable = np.cumsum(case.blocks.stable.bins, axis=-1)
    pairs = [
        (_limit(case, at), _pair(case, canary[:, at], stable[:, at]))
        for at in range(len(case.layout.limits))
    ]
    return _shares(case, "histogram", pairs, _at_most(case))


def _limit(case: Case, at: int) -> str:
    """A limit of the histogram in words."""
    limit = case.layout.limits[at]
    return f"at most {limit:,.6g}" if case.layout.kind == "number" else f"at most {limit:.2f}"


def _at_most(case: Case) -> list[Change]:
    """What is expected of the rows up to each limit; no change where other limits were foretold."""
    known, limits = case.expected.at_most, case.layout.limits
    return list(known) if len(known) == len(limits) else [NO_CHANGE] * len(limits)


def _shares(case: Case, name: str, pairs: list[tuple[str, Pair]], changes: list[Change]) -> Measure:
    """Shares that are judged together: the mean of the bets on each, as it is one bet too."""
    needed = np.log(1.0 / _level(case.policy))
    if not pairs:
        return Measure(name, "inconclusive", "No rows were seen.", needed=_shown(needed))
    apart = [
        _both(pair, change, case.policy.tolerance)
        for (_, pair), change in zip(pairs, changes, strict=False)
    ]
    against = float(bets.together(np.concatenate(apart)).max(initial=0.0))
    worst = int(np.argmax([part.max(initial=0.0) for part in apart]))
    label, pair = pairs[worst]
    canary, stable = _share(pair[0], pair[1]), _share(pair[2], pair[3])
    word: Word = "fail" if against >= needed else "pass"
    sentence = f"The shares of {name} are not shown to be apart."
    if word == "fail" and canary is not None and stable is not None:
        sentence = (
            f"The share of rows of `{label}` ({name}) is {percent(canary, 1)} in the canary and"
            f" {percent(stable, 1)} in stable{_expected(changes[worst])}; at most"
            f" {percent(case.policy.tolerance, 1)} away from what is expected is required."
            " Replay the"
            " candidate and see which rows changed."
        )
    return Measure(
        name, word, sentence, canary, stable, evidence=_shown(against), needed=_shown(needed)
    )


def _failed(case: Case) -> Measure:
    """Answers of 5xx, which stable may have too: a fault around both is none of the canary's."""
    limit = case.policy.failing
    pair = _requests(case.blocks.canary.failed, case.blocks.stable.failed, case)
    found = bets.log_bets(*pair, limit, usual=_USUAL_FAILURES, alone=limit, late=True)
    return _above(case, "failed", "fails", pair, found, limit)


def _refused(case: Case) -> Measure:
    """Requests whose body was refused: a contract that takes less than the one that runs."""
    limit = case.policy.refusing
    pair = _requests(case.blocks.canary.refused, case.blocks.stable.refused, case)
    found = bets.log_bets(*pair, limit, usual=_USUAL_FAILURES, late=True)
    return _above(case, "refused", "refuses", pair, found, limit)


def _above(
    case: Case, name: str, verb: str, pair: Pair, found: np.ndarray, limit: float
) -> Measure:
    """A share of requests that must not lie more than a limit above that of stable."""
    needed, against = np.log(1.0 / _level(case.policy)), found.max(initial=0.0)
    canary, stable = _share(pair[0], pair[1]), _share(pair[2], pair[3])
    word: Word = "fail" if against >= needed else "pass"
    beside = f"stable {percent(stable, 1)}" if stable is not None else "stable none that were seen"
    sentence = f"The canary {verb} {percent(canary or 0.0, 1)} of its requests, {beside}"
    sentence += f"; at most {percent(limit, 1)} more is required."
    if word == "fail":
        sentence += " Look into its log."
    return Measure(
        name, word, sentence, canary, stable, evidence=_shown(against), needed=_shown(needed)
    )


def _latency(case: Case) -> Measure:
    """Requests slower than the ceilings of p95 and p99, and than what stable had before."""
    policy, canary, stable = case.policy, case.blocks.canary, case.blocks.stable
    parts, words = [], []
    of_canary, of_stable = canary.seconds.sum(axis=-1), stable.seconds.sum(axis=-1)
    for share, ceiling in ((0.05, policy.p95_seconds), (0.01, policy.p99_seconds)):
        place = np.full(len(of_canary), _bucket(ceiling))
        slow = _slower(canary, place)
        parts.append(bets.log_bets_over(slow, of_canary, share))
        found = _share(slow, of_canary) or 0.0
        limit = SECONDS[place[0]] if len(place) else ceiling
        words.append(
            f"{percent(found, 1)} of its requests take over {limit:g} s; at most {percent(share)}"
        )
        place = _usual(stable, share, policy.slower)
        pair = (_slower(canary, place), of_canary, _slower(stable, place), of_stable)
        parts.append(bets.log_bets(*pair, share, usual=(share, 1.0), late=True))
        found = _share(pair[0], of_canary) or 0.0
        limit = SECONDS[place[-1]] if len(place) and place[-1] < len(SECONDS) else SECONDS[-1]
        words.append(
            f"{percent(found, 1)} of its requests take over {limit:g} s, which is"
            f" {policy.slower:g} times"
            f" what {percent(1 - share)} of stable's need; at most {percent(share)} more than"
            " of stable"
        )
    needed = np.log(1.0 / _level(policy))
    against = float(bets.together(np.stack(parts)).max(initial=0.0))
    if against < needed:
        sentence = "The canary is not shown to be slow."
        return Measure("latency", "pass", sentence, evidence=_shown(against), needed=_shown(needed))
    worst = int(np.argmax([part.max(initial=0.0) for part in parts]))
    sentence = f"Of the canary {words[worst]} is required. Look what it does more than before."
    return Measure("latency", "fail", sentence, evidence=_shown(against), needed=_shown(needed))


def _bucket(seconds: float) -> int:
    """The place of the first bucket that ends at so many seconds or later."""
    return int(np.searchsorted(SECONDS, seconds, side="left"))


def _usual(stable: Side, share: float, slower: float) -> np.ndarray:
    """For each block, the bucket that so many times stable's quantile lies in, from the blocks
    before; the first block has none, and the last bucket stands for it.
    """
    before = np.cumsum(stable.seconds, axis=0) - stable.seconds
    total = before.sum(axis=-1, keepdims=True)
    reached = np.cumsum(before, axis=-1) >= (1.0 - share) * total
    place = np.where(total[:, 0] > 0, reached.argmax(axis=-1), len(SECONDS) - 1)
    limits = np.array([*SECONDS, np.inf])
    return np.searchsorted(SECONDS, np.minimum(slower * limits[place], SECONDS[-1]))


def _slower(side: Side, place: np.ndarray) -> np.ndarray:
    """The requests of each block that are beyond the bucket of this place."""
    beyond = np.arange(len(SECONDS) + 1) > place[:, None]
    return np.asarray((side.seconds * beyond).sum(axis=-1))


def _restarts(case: Case) -> Measure:
    again, most = case.blocks.canary.restarts, case.policy.restarts
    word: Word = "fail" if again > most else "pass"
    sentence = f"The processes of the canary began anew {again} times; at most {most} is required."
    return Measure("restarts", word, f"{sentence} Look into its log.", float(again))


def _numbers(case: Case) -> Measure:
    """Answers that are no probabilities, or no numbers: one is too many."""
    wrong = int(case.blocks.canary.bins[:, case.layout.bins].sum())
    word: Word = "fail" if wrong else "pass"
    what = "number" if case.layout.kind == "number" else "probability"
    sentence = f"The canary answered {wrong} rows with what is no {what}; none is required."
    return Measure("numbers", word, f"{sentence} Score the golden records.", float(wrong))


def _split(case: Case) -> Measure:
    """Whether the newest block is split as the step says: earlier ones may be of another step."""
    weight = min(case.weight, _WHOLE)
    needed = np.log(_LOOKS / _level(case.policy))
    canary = int(case.blocks.canary.requests[-1:].sum())
    stable = int(case.blocks.stable.requests[-1:].sum())
    against = bets.log_split(canary, stable, weight)
    share = canary / (canary + stable) if canary + stable else None
    off = against >= needed and not (case.weight > _WHOLE and share and share > _WHOLE)
    sentence = f"Of {canary + stable} requests {percent(share or 0.0, 1)} went to the canary;"
    sentence += f" {percent(case.weight, 1)} is required."
    if off:
        sentence += " Look for clients that stay with one pod, and for the weights of the route."
    word: Word = "inconclusive" if off else "pass"
    return Measure("split", word, sentence, share, evidence=_shown(against), needed=_shown(needed))


def _pair(case: Case, canary: np.ndarray, stable: np.ndarray) -> Pair:
    return canary, case.blocks.canary.rows, stable, case.blocks.stable.rows


def _from(case: Case, first: int, canary: np.ndarray, stable: np.ndarray) -> Pair:
    """The same in the blocks from `first` on."""
    one, of_one, other, of_other = _pair(case, canary, stable)
    return one[first:], of_one[first:], other[first:], of_other[first:]


def _requests(canary: np.ndarray, stable: np.ndarray, case: Case) -> Pair:
    return canary, case.blocks.canary.requests, stable, case.blocks.stable.requests


def _both(pair: Pair, change: Change, tolerance: float) -> np.ndarray:
    """The bets on a share above what is tolerated, and on one below, shape (2, blocks)."""
    allowed = tolerance + change.margin
    return np.stack(
        [
            bets.log_bets(*pair, change.change + allowed),
            bets.log_bets_below(*pair, change.change - allowed),
        ]
    )


def _outside(pair: Pair, change: Change, tolerance: float) -> np.ndarray:
    """The larger of both: a level is halved for it."""
    return np.asarray(_both(pair, change, tolerance).max(axis=0))


def _bounds(pair: Pair, level: float) -> tuple[float | None, float | None]:
    """Bounds of the difference that hold at all looks together, with a chance of 1 - level."""
    if not len(pair[0]):
        return None, None
    needed = np.log(2.0 / level)
    limits = _GRID[:, None]
    one, of_one, other, of_other = (part[None, :] for part in pair)
    above = bets.log_bets(one, of_one, other, of_other, limits).max(axis=-1) >= needed
    below = bets.log_bets_below(one, of_one, other, of_other, limits).max(axis=-1) >= needed
    low = float(_GRID[above].max()) if above.any() else None
    high = float(_GRID[below].min()) if below.any() else None
    if low is not None and high is not None and low > high:
        return None, None  # the difference changed on the way: no one number is it
    return low, high


def _more(case: Case, watched: Watched) -> int | None:
    """About how many more requests of the canary would tell."""
    pair = watched.pair
    canary, stable = _share(pair[0], pair[1]), _share(pair[2], pair[3])
    if canary is None or stable is None:
        return None
    policy, change = case.policy, watched.change
    away = abs(canary - stable - change.change) - change.margin
    margin = max(policy.alarming - away, away - policy.tolerance, _MARGIN)
    spread = max(stable * (1.0 - stable), 0.02)
    parts = np.log(2.0 * len(bets.SHIFTS) / _level(policy, flagged=True))
    wanted = 2.0 * spread * parts / margin**2 / max(1.0 - case.weight, 0.05)
    return max(1, int(np.ceil(wanted - pair[1].sum())))


def _share(count: np.ndarray, of: np.ndarray) -> float | None:
    total = float(of.sum())
    return float(count.sum()) / total if total else None


def _shown(logarithm: float) -> float:
    """Evidence as a number that JSON can hold."""
    return float(round(np.exp(min(logarithm, np.log(_MOST))), 3))
