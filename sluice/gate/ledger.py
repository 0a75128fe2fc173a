"""How often a holdout has decided: releases in order, and what each positive has spent.

Every look at a holdout spends some of its worth: a candidate that is chosen because it did well
there is partly chosen for luck. A use is written before anything is scored, so that a crash can
neither spend twice nor hide one. A holdout is known by its positives and by nothing else, so
another split, salt or name finds what they have spent.

Positives are known by hashes of their ids that are keyed with a secret, which nobody who reads the
ledger has: without it no id can be tried, and none can be chosen for its hash. The ledger counts
the smallest hashes alone, which are a sample that the secret draws.

Each release carries the hash of the one before it, and a seal that takes the secret covers the
whole: what was changed or taken out is found by whoever has the secret.
"""

import datetime
import hashlib
import heapq
import hmac
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec
from msgspec import UNSET, Struct, UnsetType

from sluice.errors import Refused
from sluice.gate import first_ledger, rations, spending
from sluice.gate.first_ledger import FirstLedger
from sluice.gate.rations import MINE, Turn, Waiting
from sluice.identity import canonical, sha256, value_hash

SCHEMA = 2
SECRET = 32  # bytes
_SKETCH = 2_048  # positives of a holdout that are counted; all of them where there are fewer
_MEMORY = 4_096  # positives that are remembered, of all holdouts together
_EVERY = 2**64 - 1  # at or above every hash

Hashes = tuple[int, ...]


class Release(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A release by its number (from 1) and its candidate's key.

    `use` is the number of its use of the holdout (from 1), None where it spent none, and `day` the
    date of that look, in ISO 8601, unset where it spent nothing or is not known. `before` is the
    hash of the release before it, empty for the first. `decided` is how often its holdout had
    decided, set where it spent no use. `model` and `against` are the hashes of the artifacts of
    candidate and champion, set for each look. `continues` is the number of the release whose use
    goes on with this one, on more rows. Verdict, outcome and data (SHA-256 of the file) are set
    where it ended without a commit that tells them.
    """

    number: int
    candidate: str
    use: int | None
    before: str
    day: str | UnsetType = UNSET
    decided: int | UnsetType = UNSET
    model: str | UnsetType = UNSET
    against: str | UnsetType = UNSET
    continues: int | UnsetType = UNSET
    verdict: str | UnsetType = UNSET
    outcome: str | UnsetType = UNSET
    data: str | UnsetType = UNSET


class Cohort(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Positives that have spent the same share of the level: their keyed hashes, ascending.

    `spent` sums what the looks at them spent. `pooled` is what their last holdout had spent as a
    whole then: rows that leave take the mean of it away, and not the more that old rows spent.
    `look` is the number of the release that looked at them last, unset where it is not known.
    """

    spent: float
    pooled: float
    look: int | UnsetType = UNSET
    rows: Hashes


class Memory(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What positives have spent: all that ever decided and whose hash is at most `reach`."""

    reach: int = _EVERY
    cohorts: tuple[Cohort, ...] = ()


class Ledger(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every release of a model in order, and what the positives of its holdouts have spent.

    `key` names the secret of its hashes, by hash. `earlier` counts the uses of holdouts that a
    ledger of schema 1 knew, by the hash of their split, until rows of theirs are seen again.
    `waiting` are the candidates of the ration that has not ended yet, unset where there are none.
    `seal` covers everything else.
    """

    schema: int = SCHEMA
    key: str = ""
    releases: tuple[Release, ...] = ()
    memory: Memory = Memory()
    earlier: dict[str, int] = {}
    waiting: tuple[Waiting, ...] | UnsetType = UNSET
    seal: str = ""

    @property
    def newest(self) -> int:
        """The number of the newest release; 0 where there was none."""
        return max((release.number for release in self.releases), default=0)


@dataclass(frozen=True)
class Allowance:
    """How often the policy lets a holdout decide: at most `uses` times (0: as often as wanted), and
    once in so many `days` (0: at any time).

    `best`: these days are a ration, and the best candidate of it by validation has the look, not
    the first that comes after it.
    """

    uses: int = 0
    days: int = 0
    best: bool = False


AS_OFTEN_AS_WANTED = Allowance()


@dataclass(frozen=True)
class Use:
    """What a release reserves: its candidate's key, the ids of the holdout's positives, the day.

    `model` and `against` are the hashes of the artifacts of candidate and champion; the first is
    empty where it is not to be recognised, the second where there is no champion. The champion
    itself, looked at again, is no candidate that could be chosen for luck: it `spends` nothing.
    `split` and `salted`, the smallest hashes of the positives with the salt of the split, are what
    a ledger of schema 1 knows a holdout by. Ids never leave the machine.

    For a ration: `validation` is the ROC-AUC on the validation rows, `data` the SHA-256 of the
    data, and `passed_over` names artifacts that wait and can be looked at no more.
    """

    candidate: str
    ids: tuple[str, ...] = field(repr=False)
    today: datetime.date
    model: str = ""
    against: str = ""
    spends: bool = True
    allowance: Allowance = AS_OFTEN_AS_WANTED
    split: str = ""
    salted: Hashes = field(default=(), repr=False)
    validation: float = 0.0
    data: str = ""
    passed_over: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ending:
    """How a release ended that left no commit: verdict, outcome, and SHA-256 of its data."""

    verdict: str
    outcome: str
    data: str


@dataclass(frozen=True)
class Reservation:
    """The ledger with a release in it, its number, how often its holdout had decided before, and
    how often this use of it had looked before: not 0 where a use goes on.
    """

    ledger: Ledger
    number: int
    uses: int
    looks: int = 0

    @property
    def counted(self) -> "Counted":
        """What the verdict has to know of it."""
        return Counted(self.uses, self.looks)


@dataclass(frozen=True)
class _Look:
    """What a look spends of the level: the number of its release, the share, and the number of the
    release whose use goes on with it, whose rows have spent that share already; 0 for a first look.
    """

    number: int
    share: float
    continues: int = 0


@dataclass(frozen=True)
class _Rows:
    """The positives of a holdout: every hash of theirs that is at most `reach`, ascending."""

    hashes: Hashes
    reach: int


class Counted(NamedTuple):
    """How often a holdout decided before, and how often this use of it had looked before."""

    uses: int
    looks: int = 0


class _Row(NamedTuple):
    """What one positive has spent, as its cohort tells it."""

    spent: float
    pooled: float
    look: int = 0  # the release that looked at it last, 0 where it is not known


_NEW = _Row(0.0, 0.0)
_MOST = spending.spent_by(10**6)  # more than that is no use


def name_of(secret: bytes) -> str:
    """The name of a secret: it can be told to everybody."""
    return sha256(b"ledger key\0" + secret)[:32]


def smallest(hashes: Iterable[int]) -> Hashes:
    """Of the salted hashes of the positives those that schema 1 kept, ascending."""
    return tuple(heapq.nsmallest(first_ledger.SKETCH, hashes))


def upgraded(first: FirstLedger) -> Ledger:
    """A ledger of schema 1 in the form of today, all but what its holdouts have spent.

    That takes rows, and comes with the first use: see `reserve`.
    """
    releases: list[Release] = []
    for old in first.releases:
        known = first_ledger.use_of(first, old.candidate) if old.use is UNSET else old.use
        release = Release(
            number=old.number,
            candidate=old.candidate,
            use=known,
            before=link(releases[-1]) if releases else "",
            verdict=old.verdict,
            outcome=old.outcome,
            data=old.data,
        )
        releases.append(release)
    return Ledger(releases=tuple(releases))


def reserve(
    ledger: Ledger, use: Use, secret: bytes, first: FirstLedger | None = None
) -> Reservation:
    """Reserve a number and a use of the holdout for a release.

    A candidate that is there already keeps its use; one that holds the newest number keeps that
    too, and the ledger stays as it is. The model of the last look goes on with its use where all
    rows of that look are still there, against the same champion: only the new rows are charged for
    it. `first` is the ledger of schema 1 that `ledger` was upgraded
    from: its uses go to these rows.

    Raises Refused where the policy does not allow another look now. Then nothing is reserved, and
    nothing is spent.
    """
    rows = _rows(use.ids, secret)
    found, earlier = _inherited(ledger, use, rows, first)
    before = _use_before(ledger, use.candidate)
    memory = found
    continued: Release | None = None
    if before is None and use.spends:
        continued = _goes_on_with(ledger, use, rows)
    if before is None:
        spent = _spent(found, rows)
        before = spending.uses_of(spent)
        if continued is not None and continued.use is not None:
            before = continued.use - 1
        elif use.spends:
            _require_allowed(ledger, use, spent, before, len(rows.hashes))
        if use.spends:
            memory = _charged(found, rows, _look(ledger, spending.share(before), continued))
    elif first is None:
        earlier = dict(ledger.earlier)
        memory = ledger.memory
    releases = ledger.releases
    if not releases or releases[-1].candidate != use.candidate:
        releases = (*releases, _release(ledger, use, before, continued))
    is_first = use.spends and continued is None
    ends_ration = is_first and _use_before(ledger, use.candidate) is None
    after = msgspec.structs.replace(
        ledger,
        key=name_of(secret),
        releases=releases,
        memory=memory,
        earlier=earlier,
        waiting=UNSET if ends_ration else ledger.waiting,
    )
    looks = looks_before(after, use.candidate)
    return Reservation(sealed(after, secret), releases[-1].number, before, looks)


def turn(ledger: Ledger, use: Use, secret: bytes) -> Turn:
    """Whose look it is, where looks are rationed; of everybody who spends no use it is theirs.

    A candidate that has its use already, the champion looked at again, and a use that goes on wait
    for nobody.
    """
    if not use.allowance.best or not use.spends:
        return MINE
    if _use_before(ledger, use.candidate) is not None:
        return MINE
    if _goes_on_with(ledger, use, _rows(use.ids, secret)) is not None:
        return MINE
    others = [one for one in _waiting(ledger) if one.model not in use.passed_over]
    return rations.turn(_as_waiting(use), others, _last_look(ledger, use), use.allowance.days)


def collected(ledger: Ledger, use: Use, secret: bytes) -> Ledger:
    """The ledger in which this candidate waits for the look of its ration; nothing is spent."""
    before = _waiting(ledger)
    waiting = rations.collected(_as_waiting(use), before)
    if waiting == before:
        return ledger
    return sealed(msgspec.structs.replace(ledger, waiting=waiting), secret)


def _waiting(ledger: Ledger) -> tuple[Waiting, ...]:
    return () if ledger.waiting is UNSET else ledger.waiting


def _as_waiting(use: Use) -> Waiting:
    validation = use.validation if math.isfinite(use.validation) else 0.0
    return Waiting(model=use.model, validation=validation, day=use.today.isoformat(), data=use.data)


def uses_before(ledger: Ledger, candidate: str) -> int | None:
    """How often the holdout had decided before a candidate, without its rows.

    The same as `reserve` says for it. None where only the rows can tell: the candidate spent no
    use, and another release was reserved since.
    """
    newest = ledger.releases[-1] if ledger.releases else None
    if newest and newest.candidate == candidate and newest.decided is not UNSET:
        return newest.decided
    return _use_before(ledger, candidate)


def looks_before(ledger: Ledger, candidate: str) -> int:
    """How often the use of a candidate had looked before it: 0 for the first look of a use."""
    looks = {release.number: release for release in ledger.releases if release.model is not UNSET}
    found = next((one for one in looks.values() if one.candidate == candidate), None)
    before = 0
    while found is not None and found.continues is not UNSET:
        before += 1
        found = looks.get(found.continues)
    return before


def link(release: Release) -> str:
    """The hash of a release, with all before it, which the next one carries: how it ended is not
    in it, because that is told later.
    """
    facts = [release.number, release.candidate, release.use, release.before]
    facts.append("" if release.day is UNSET else release.day)
    if release.model is not UNSET:
        told = (release.model, release.against, release.continues)
        facts += ["" if one is UNSET else one for one in told]
    return value_hash(facts)


def head(ledger: Ledger) -> str:
    """The hash of the newest release with all before it; empty where there is none."""
    return link(ledger.releases[-1]) if ledger.releases else ""


def sealed(ledger: Ledger, secret: bytes) -> Ledger:
    """The ledger with the seal that only the secret makes."""
    open_one = msgspec.structs.replace(ledger, seal="")
    text = canonical(msgspec.to_builtins(open_one))
    seal = hmac.new(secret, text, hashlib.sha256).hexdigest()
    return msgspec.structs.replace(ledger, seal=seal)


def fault(ledger: Ledger, secret: bytes) -> str:
    """What is wrong with a ledger, as the end of a sentence; empty where nothing is."""
    for place, release in enumerate(ledger.releases):
        before = link(ledger.releases[place - 1]) if place else ""
        if release.before != before:
            return f"release {release.number} does not follow what stands before it"
        if release.number <= (ledger.releases[place - 1].number if place else 0):
            return f"release {release.number} is out of its order"
    if not hmac.compare_digest(sealed(ledger, secret).seal, ledger.seal):
        return "its seal is not that of its content"
    return ""


def end(
    ledger: Ledger, candidate: str, ending: Ending, secret: bytes
) -> tuple[Ledger, Release] | None:
    """The ledger that tells how the newest release of a candidate ended, and that release.

    None where there is no such release, or the ledger tells that end already.
    """
    releases = list(ledger.releases)
    for place in reversed(range(len(releases))):
        if releases[place].candidate == candidate:
            break
    else:
        return None
    ended = msgspec.structs.replace(
        releases[place], verdict=ending.verdict, outcome=ending.outcome, data=ending.data
    )
    if ended == releases[place]:
        return None
    releases[place] = ended
    after = msgspec.structs.replace(ledger, releases=tuple(releases))
    return sealed(after, secret), ended


def _rows(ids: Iterable[str], secret: bytes) -> _Rows:
    hashes = {_keyed(one, secret) for one in ids}
    sample = tuple(heapq.nsmallest(_SKETCH, hashes))
    return _Rows(sample, sample[-1] if len(sample) < len(hashes) else _EVERY)


def _keyed(one: str, secret: bytes) -> int:
    digest = hashlib.blake2b(one.encode(), key=secret, digest_size=8, person=b"sluice ledger")
    return int.from_bytes(digest.digest())


def _use_before(ledger: Ledger, candidate: str) -> int | None:
    """How often the holdout had decided before the use that a candidate has; None for no use."""
    for release in ledger.releases:
        if release.candidate == candidate and release.use is not None:
            return release.use - 1
    return None


def _inherited(
    ledger: Ledger, use: Use, rows: _Rows, first: FirstLedger | None
) -> tuple[Memory, dict[str, int]]:
    """What positives have spent, with what schema 1 knew of these rows, and the uses that are still
    known by the name of a split alone.
    """
    if first is None:
        earlier = dict(ledger.earlier)
        uses = earlier.pop(use.split, 0)
    else:
        earlier = {
            split: holdout.carried + len(holdout.candidates)
            for split, holdout in first.holdouts.items()
            if split != use.split
        }
        uses = first_ledger.uses_of(first, use.split, use.salted)
    if not uses:
        return ledger.memory, earlier
    known = _Row(spending.spent_by(uses), spending.spent_by(uses))
    everything = _by_row(ledger.memory)
    for row in rows.hashes:
        everything[row] = max(everything.get(row, known), known)
    return _memory(everything, min(ledger.memory.reach, rows.reach)), earlier


def _spent(memory: Memory, rows: _Rows) -> float:
    """The share of the level that these rows have spent in the mean, below 1: of what looks at
    each of them spent, and of what they had spent as a whole, the larger.

    Where the ledger counts none of them, they have spent as much as any.
    """
    reach = min(memory.reach, rows.reach)
    by_row = _by_row(memory)
    within = [by_row.get(row, _NEW) for row in rows.hashes if row <= reach]
    if not within:
        within = [max(by_row.values(), default=_NEW)]
    spent = math.fsum(row.spent for row in within) / len(within)
    return min(max(spent, _pooled(within)), _MOST)


def _pooled(within: list[_Row]) -> float:
    return math.fsum(row.pooled for row in within) / len(within)


def _charged(memory: Memory, rows: _Rows, look: _Look) -> Memory:
    """The memory after a look at these rows."""
    known = _by_row(memory)
    reach = min(memory.reach, rows.reach)
    charged = {row: _after(known.get(row, _NEW), look) for row in rows.hashes}
    within = [one for row, one in charged.items() if row <= reach]
    pooled = _pooled(within) if within else look.share
    for row, one in charged.items():
        known[row] = one._replace(pooled=pooled)
    return _memory(known, reach)


def _after(row: _Row, look: _Look) -> _Row:
    """What a row has spent after a look; one that this use has looked at before spends no more."""
    if look.continues and row.look == look.continues:
        return row._replace(look=look.number)
    return _Row(row.spent + look.share, row.pooled + look.share, look.number)


def _by_row(memory: Memory) -> dict[int, _Row]:
    by_row: dict[int, _Row] = {}
    for cohort in memory.cohorts:
        look = 0 if cohort.look is UNSET else cohort.look
        by_row.update(dict.fromkeys(cohort.rows, _Row(cohort.spent, cohort.pooled, look)))
    return by_row


def _memory(known: Mapping[int, _Row], reach: int) -> Memory:
    """What each row has spent, up to a hash that leaves no more rows than are remembered."""
    kept = heapq.nsmallest(_MEMORY, (row for row in known if row <= reach))
    if len(kept) == _MEMORY:
        reach = kept[-1]
    cohorts: dict[_Row, list[int]] = {}
    for row in kept:
        cohorts.setdefault(known[row], []).append(row)
    told = [
        Cohort(spent=one.spent, pooled=one.pooled, look=one.look or UNSET, rows=tuple(rows))
        for one, rows in sorted(cohorts.items())
    ]
    return Memory(reach=reach, cohorts=tuple(told))


def _release(ledger: Ledger, use: Use, before: int, continued: Release | None) -> Release:
    """The next release. Its use is a new one, the one that its candidate has, or one that goes on.

    A look that goes on has no day: how far looks lie apart is counted from the first of a use.
    """
    kept = _use_before(ledger, use.candidate) is not None
    looks = use.spends and not kept
    is_use = use.spends or kept
    is_first = looks and continued is None
    return Release(
        number=ledger.newest + 1,
        candidate=use.candidate,
        use=before + 1 if is_use else None,
        decided=UNSET if is_use else before,
        before=head(ledger),
        day=use.today.isoformat() if is_first else UNSET,
        model=use.model if looks and use.model else UNSET,
        against=use.against if looks and use.model else UNSET,
        continues=continued.number if continued else UNSET,
    )


def _goes_on_with(ledger: Ledger, use: Use, rows: _Rows) -> Release | None:
    """The last look, where this use goes on with it: the same model against the same champion, and
    no row of that look has left. None where it is a look of its own.

    Rows that somebody else has looked at since are no longer known as those of the last look.
    """
    looks = [release for release in ledger.releases if release.model is not UNSET]
    if not looks or not use.model:
        return None
    last = looks[-1]
    if (last.model, last.against) != (use.model, use.against) or _rejected(ledger, last):
        return None
    reach = min(ledger.memory.reach, rows.reach)
    known = _by_row(ledger.memory).items()
    seen = {row for row, one in known if one.look == last.number and row <= reach}
    return last if seen and seen <= set(rows.hashes) else None


def _rejected(ledger: Ledger, look: Release) -> bool:
    """Whether a look ended with a REJECT: then more labels are not what is missing."""
    return any(
        release.verdict == "REJECT"
        for release in ledger.releases
        if release.candidate == look.candidate
    )


def _look(ledger: Ledger, share: float, continued: Release | None) -> _Look:
    return _Look(ledger.newest + 1, share, continued.number if continued else 0)


def _require_allowed(ledger: Ledger, use: Use, spent: float, before: int, known: int) -> None:
    """Raise Refused where the policy allows no further look now."""
    most, days = use.allowance.uses, use.allowance.days
    if most and before >= most:
        positives = len(set(use.ids))
        new = spending.positives_needed(spent, positives, most, known)
        what = f"this would be use {before + 1} of this holdout; at most {most} are allowed"
        fix = (
            f"Release again with {new:,} new labelled positives in the holdout, which has"
            f" {positives:,}. Nothing was scored on it, and no use was spent."
        )
        raise Refused(what, fix)
    last = _last_look(ledger, use)
    if not days or last is None:
        return
    next_day = last + datetime.timedelta(days=days)
    if use.today < next_day:
        ago = f"{(use.today - last).days} days ago"
        if last > use.today:
            ago = f"which this clock ({use.today}) has not reached"
        what = f"this holdout decided on {last}, {ago}; {days} days between two looks are required"
        fix = (
            f"Release again on {next_day} or later. Nothing was scored on the holdout, and no use"
            " was spent."
        )
        raise Refused(what, fix)


def _last_look(ledger: Ledger, use: Use) -> datetime.date | None:
    """The day of the last look that spent a use; None where none is known.

    A day that only a wrong clock can have written is passed over.
    """
    days = [
        datetime.date.fromisoformat(release.day)
        for release in ledger.releases
        if release.use is not None and release.day is not UNSET
    ]
    return rations.last_of(days, use.today, use.allowance.days)
