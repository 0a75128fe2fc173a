"""The ledger: what a use is, what spends none, and what its rows remember however they came."""

import datetime
import hashlib
import json
import string
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from sluice.errors import Refused
from sluice.gate import first_ledger, spending
from sluice.gate import ledger as module
from sluice.gate.first_ledger import FirstLedger, UsedHoldout
from sluice.gate.ledger import (
    Allowance,
    Ending,
    Ledger,
    Reservation,
    Use,
    end,
    fault,
    head,
    link,
    looks_before,
    name_of,
    reserve,
    sealed,
    smallest,
    upgraded,
    uses_before,
)
from sluice.gitops.state import decode, encode
from sluice.model.data.split import row_hashes

DAY = datetime.date(2026, 3, 2)
SECRET, OTHER = bytes(range(32)), bytes(range(1, 33))


def ids(first: int, last: int) -> tuple[str, ...]:
    """The ids of these positives."""
    return tuple(f"person {number}" for number in range(first, last))


def use(candidate: str, first: int = 0, last: int = 3_000, **changes: object) -> Use:
    """A use of the positives from `first` to before `last`."""
    return replace(Use(candidate, ids(first, last), DAY), **changes)


def after(uses: list[Use], ledger: Ledger | None = None) -> list[Reservation]:
    """Each reservation, one after another; between two the ledger is written and read."""
    ledger = ledger or Ledger()
    reservations = []
    for one in uses:
        kept = decode(encode(ledger), Ledger, "the ledger", newest=module.SCHEMA)
        assert kept == ledger
        reservations.append(reserve(kept, one, SECRET))
        ledger = reservations[-1].ledger
        assert not fault(ledger, SECRET)
    return reservations


def spent(uses: list[Use]) -> list[int]:
    """How often the holdout had decided before each of these, one after another."""
    return [reservation.uses for reservation in after(uses)]


def test_each_candidate_is_a_use() -> None:
    assert spent([use(f"c{number}") for number in range(30)]) == list(range(30))


def test_an_identical_candidate_spends_nothing() -> None:
    first, second = use("a"), use("b")
    assert spent([first, first, second, second, first]) == [0, 0, 1, 1, 0]
    once = reserve(Ledger(), first, SECRET)
    assert reserve(once.ledger, first, SECRET) == once


def test_the_champion_looked_at_again_spends_nothing() -> None:
    uses = [
        use("a"),
        use("again", spends=False),
        use("b"),
        use("once more", spends=False),
    ]
    reservations = after(uses)
    assert [one.uses for one in reservations] == [0, 1, 1, 2]
    assert reservations[1].ledger.releases[-1].use is None
    assert reservations[1].ledger.memory == reservations[0].ledger.memory


@pytest.mark.parametrize("seed", range(20))
def test_what_is_known_without_rows_is_what_the_rows_say(seed: int) -> None:
    chance = np.random.default_rng(seed)
    ledger = Ledger()
    uses: list[Use] = []
    for number in range(12):
        first = int(chance.integers(0, 8)) * 300  # some holdouts overlap
        spends = bool(chance.integers(0, 2))
        uses.append(use(f"c{number}", first, first + 900, spends=spends))
        ledger = reserve(ledger, uses[-1], SECRET).ledger
        known = [uses_before(ledger, one.candidate) for one in uses]
        told = [reserve(ledger, one, SECRET).uses for one in uses]
        assert all(mine in (None, theirs) for mine, theirs in zip(known, told, strict=True))
        assert known[-1] is not None  # nothing was reserved since
        assert [mine is None for mine in known[:-1]] == [not one.spends for one in uses[:-1]]
    assert uses_before(ledger, "unheard") is None


def test_releases_are_numbered() -> None:
    ledger = Ledger()
    for expected, name in enumerate("aabac", 0):
        reservation = reserve(ledger, use(name, 0, 100), SECRET)
        ledger = reservation.ledger
        assert reservation.number == (1, 1, 2, 3, 4)[expected]
    assert [(release.candidate, release.use) for release in ledger.releases] == [
        ("a", 1),
        ("b", 2),
        ("a", 1),
        ("c", 3),
    ]
    assert json.loads(encode(ledger))["schema"] == 2


def test_the_document_given_stays_as_it_is() -> None:
    ledger = reserve(Ledger(), use("a", 0, 100), SECRET).ledger
    kept = encode(ledger)
    reserve(ledger, use("b", 0, 100), SECRET)
    assert encode(ledger) == kept


def test_an_ending_is_noted_once_at_the_newest_release_of_its_candidate() -> None:
    ledger = after([use(name, 0, 100) for name in "aba"])[-1].ledger
    refused = Ending("REJECT", "refused", "f" * 64)
    noted = end(ledger, "a", refused, SECRET)
    assert noted is not None
    told, release = noted
    assert (release.number, release.verdict, release.outcome) == (3, "REJECT", "refused")
    assert release.data == "f" * 64
    assert told.releases == (*ledger.releases[:2], release)
    assert not fault(told, SECRET)
    assert head(told) == head(ledger)
    assert end(told, "a", refused, SECRET) is None
    assert end(told, "unheard", refused, SECRET) is None


# A holdout is known by its rows.


def test_rows_remember_their_uses_under_any_split_and_salt() -> None:
    uses = [use(f"c{number}", split="one", salted=(1,)) for number in range(5)]
    uses.append(use("other", split="two", salted=(2,)))
    assert spent(uses)[-1] == 5


@pytest.mark.parametrize("size", [200, 8_000])
def test_rows_that_are_all_new_begin_anew(size: int) -> None:
    old = [use(f"c{number}", 0, size) for number in range(5)]
    assert spent([*old, use("new", size, 2 * size)])[-1] == 0


@pytest.mark.parametrize("size", [200, 8_000])
@pytest.mark.parametrize("new", [0.1, 0.3, 0.5, 0.8])
def test_new_rows_give_back_in_proportion(size: int, new: float) -> None:
    old = [use(f"c{number}", 0, size) for number in range(9)]
    first = round(size * new)
    told = spent([*old, use("new", first, first + size)])[-1]
    wanted = spending.uses_of(spending.spent_by(9) * (1 - new))
    assert told == pytest.approx(wanted, abs=1)


def test_rows_that_were_away_have_forgotten_nothing() -> None:
    uses = [use(f"a{number}", 0, 500) for number in range(6)]
    uses += [use(f"b{number}", 500, 2_500) for number in range(6)]
    uses += [use("back", 0, 500)]
    assert spent(uses)[-1] == 6


@limits(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 40)), min_size=1, max_size=25))
def test_however_holdouts_overlap_each_has_what_its_rows_have_left(
    windows: list[tuple[int, int]],
) -> None:
    """The larger of two means: what looks at each row spent, and what all spent as a whole."""
    spending_of: dict[str, float] = {}
    pooled: dict[str, float] = {}
    ledger = Ledger()
    for number, (first, length) in enumerate(windows):
        one = use(f"c{number}", first, first + length)
        mean = float(np.mean([spending_of.get(row, 0.0) for row in one.ids]))
        reservation = reserve(ledger, one, SECRET)
        whole = float(np.mean([pooled.get(row, 0.0) for row in one.ids]))
        wanted = spending.uses_of(min(max(mean, whole), spending.spent_by(10**6)))
        assert reservation.uses == pytest.approx(wanted, rel=1e-6)
        for row in one.ids:
            spending_of[row] = spending_of.get(row, 0.0) + spending.share(reservation.uses)
            pooled[row] = whole + spending.share(reservation.uses)
        ledger = reservation.ledger


def test_a_holdout_that_shrinks_does_not_begin_anew() -> None:
    old = [use(f"c{number}", 0, 8_000) for number in range(5)]
    assert spent([*old, use("few", 100, 140)])[-1] == 5
    assert spent([*old, use("none", 0, 0)])[-1] == 5


def test_ids_that_are_chosen_for_their_public_hash_change_nothing() -> None:
    """The attack of the first edition: 512 positives whose salted hashes are the smallest filled
    the sketch, and nineteen of twenty uses were forgotten.
    """
    old = [use(f"c{number}", 0, 7_000) for number in range(20)]
    made = [f"chosen {number}" for number in range(200_000)]
    chosen = np.argsort(row_hashes("attrition-2026", made))[:512]
    grown = replace(old[0], candidate="new", ids=(*ids(0, 7_000), *(made[one] for one in chosen)))
    mixed = spending.uses_of(spending.spent_by(20) * 7_000 / 7_512)
    assert spent([*old, grown])[-1] == pytest.approx(mixed, abs=3)


# What the ledger says of people.


def _tried(ledger: Ledger, people: tuple[str, ...], salts: tuple[str, ...]) -> set[str]:
    """Who is found in the text of a ledger by whoever has the ids and every public salt."""
    text = encode(ledger)
    numbers = set(msgspec.json.decode(text.encode(), type=_Numbers).all())
    found = set()
    for salt in salts:
        hashes = row_hashes(salt, people).tolist()
        found |= {who for who, one in zip(people, hashes, strict=True) if one in numbers}
    return found


class _Numbers(msgspec.Struct):
    """Every number that could be the hash of a row."""

    memory: module.Memory = module.Memory()
    holdouts: dict[str, UsedHoldout] = {}

    def all(self) -> list[int]:
        rows = [row for cohort in self.memory.cohorts for row in cohort.rows]
        return rows + [row for holdout in self.holdouts.values() for row in holdout.sketch]


def test_nobody_is_found_in_a_ledger_without_its_secret() -> None:
    people = tuple(str(number) for number in range(2_000))
    left = people[:382]
    salt = "attrition-2026"
    first = _first_of(left, salt)
    assert len(_tried_first(first, people, salt)) == 382  # as it was: every one of them
    one = replace(use("new"), ids=left, split="s", salted=_salted(left, salt))
    migrated = reserve(upgraded(first), one, SECRET, first).ledger
    fresh = reserve(Ledger(), one, SECRET).ledger
    for ledger in (migrated, fresh):
        assert _tried(ledger, people, (salt, "", name_of(SECRET), ledger.seal)) == set()
        assert not any(row in encode(ledger) for row in map(str, _salted(left, salt)))
        keyed = {row for cohort in ledger.memory.cohorts for row in cohort.rows}
        assert keyed == {module._keyed(who, SECRET) for who in left}
        assert not keyed & {module._keyed(who, OTHER) for who in people}


def test_the_name_of_a_secret_never_changes() -> None:
    """Ledgers and registries keep it: under another name a secret would be missing."""
    assert name_of(b"\0" * 32) == hashlib.sha256(b"ledger key\0" + b"\0" * 32).hexdigest()[:32]


def test_the_name_of_a_secret_is_no_part_of_it() -> None:
    assert name_of(SECRET) != name_of(OTHER)
    assert set(name_of(SECRET)) <= set(string.hexdigits)
    assert SECRET.hex() not in encode(reserve(Ledger(), use("a"), SECRET).ledger)


def test_ids_are_not_shown_with_a_use() -> None:
    shown = repr(replace(use("a"), ids=("Anna",), salted=(4_711,)))
    assert "Anna" not in shown
    assert "4711" not in shown


# What was changed is found.


def _forged(ledger: Ledger) -> dict[str, Ledger]:
    """Ledgers that somebody without the secret could push."""
    releases = ledger.releases
    replaced = msgspec.structs.replace
    fewer = tuple(replaced(cohort, spent=0.0) for cohort in ledger.memory.cohorts)
    return {
        "what the rows spent": replaced(ledger, memory=module.Memory()),
        "how much they spent": replaced(ledger, memory=replaced(ledger.memory, cohorts=fewer)),
        "all releases": replaced(ledger, releases=()),
        "the last release": replaced(ledger, releases=releases[:-1]),
        "the first release": replaced(ledger, releases=releases[1:]),
        "a release between": replaced(ledger, releases=(releases[0], *releases[2:])),
        "the use of a release": replaced(
            ledger, releases=(replaced(releases[0], use=None), *releases[1:])
        ),
        "another order": replaced(ledger, releases=tuple(reversed(releases))),
        "the day of the last look": replaced(
            ledger, releases=(*releases[:-1], replaced(releases[-1], day="2020-01-01"))
        ),
        "a verdict": replaced(
            ledger, releases=(*releases[:-1], replaced(releases[-1], verdict="PROMOTE"))
        ),
        "uses of before": replaced(ledger, earlier={"s": 0}),
        "the seal": replaced(ledger, seal=""),
        "a seal of another secret": sealed(ledger, OTHER),
    }


@pytest.mark.parametrize("what", sorted(_forged(after([use(c) for c in "abc"])[-1].ledger)))
def test_a_ledger_that_somebody_else_wrote_is_found(what: str) -> None:
    ledger = after([use(name, 0, 100) for name in "abc"])[-1].ledger
    assert fault(ledger, SECRET) == ""
    assert fault(_forged(ledger)[what], SECRET) != ""


def test_each_release_carries_the_hash_of_the_one_before() -> None:
    ledger = after([use(name, 0, 100) for name in "abc"])[-1].ledger
    assert [release.before for release in ledger.releases] == [
        "",
        *(link(release) for release in ledger.releases[:-1]),
    ]
    cut = msgspec.structs.replace(ledger, releases=ledger.releases[1:])
    assert "does not follow" in fault(sealed(cut, SECRET), SECRET)
    twice = msgspec.structs.replace(ledger.releases[-1], before=head(ledger))
    doubled = msgspec.structs.replace(ledger, releases=(*ledger.releases, twice))
    assert "out of its order" in fault(sealed(doubled, SECRET), SECRET)


# What the policy allows.


def test_a_look_that_is_refused_spends_nothing() -> None:
    twice = Allowance(uses=2)
    ledger = after([use("a", allowance=twice), use("b", allowance=twice)])[-1].ledger
    for name in "cdefg":
        with pytest.raises(Refused, match="would be use 3 of this holdout; at most 2 are allowed"):
            reserve(ledger, use(name, allowance=twice), SECRET)
    assert reserve(ledger, use("c"), SECRET).uses == 2
    assert reserve(ledger, use("b", allowance=twice), SECRET).uses == 1
    champion = use("again", allowance=twice, spends=False)
    assert reserve(ledger, champion, SECRET).uses == 2


def test_with_so_many_new_positives_as_the_refusal_names_it_goes_on() -> None:
    allowance = Allowance(uses=20)
    size = 1_500
    ledger = after([use(f"c{one}", 0, size, allowance=allowance) for one in range(20)])[-1].ledger
    with pytest.raises(Refused) as refused:
        reserve(ledger, use("more", 0, size, allowance=allowance), SECRET)
    assert "Release again with 4 new labelled positives" in refused.value.fix
    assert "Nothing was scored" in refused.value.fix
    with pytest.raises(Refused):
        reserve(ledger, use("three", 0, size + 3, allowance=allowance), SECRET)
    assert reserve(ledger, use("four", 0, size + 4, allowance=allowance), SECRET).uses == 19


def test_looks_are_rationed_by_days() -> None:
    weekly = Allowance(days=7)
    ledger = reserve(Ledger(), use("a", allowance=weekly), SECRET).ledger
    for days in range(7):
        later = DAY + datetime.timedelta(days=days)
        with pytest.raises(Refused, match=f"decided on 2026-03-02, {days} days ago") as refused:
            reserve(ledger, use("b", allowance=weekly, today=later), SECRET)
        assert "Release again on 2026-03-09 or later" in refused.value.fix
    champion = use("again", allowance=weekly, spends=False)
    again = reserve(ledger, champion, SECRET).ledger
    week = DAY + datetime.timedelta(days=7)
    assert reserve(again, use("b", allowance=weekly, today=week), SECRET).uses == 1
    assert reserve(ledger, use("a", allowance=weekly), SECRET).uses == 0


# What schema 1 knew.


def _salted(people: tuple[str, ...], salt: str) -> tuple[int, ...]:
    return smallest(row_hashes(salt, people).tolist())


def _first_of(people: tuple[str, ...], salt: str, uses: int = 4) -> FirstLedger:
    rows = _salted(people, salt)
    return FirstLedger(
        releases=tuple(
            first_ledger.FirstRelease(number=number + 1, candidate=f"c{number}")
            for number in range(uses)
        ),
        holdouts={
            "s": UsedHoldout(
                sketch=rows,
                since=(0,) * len(rows),
                carried=2,
                candidates=tuple(f"c{number}" for number in range(uses)),
            )
        },
    )


def _tried_first(first: FirstLedger, people: tuple[str, ...], salt: str) -> set[str]:
    known = {row for holdout in first.holdouts.values() for row in holdout.sketch}
    hashes = row_hashes(salt, people).tolist()
    return {who for who, row in zip(people, hashes, strict=True) if row in known}


@pytest.mark.parametrize("split", ["s", "another"])
@pytest.mark.parametrize("size", [300, 6_000])
def test_uses_of_schema_1_are_kept_under_any_name_of_the_split(split: str, size: int) -> None:
    people, salt = ids(0, size), "salt"
    first = _first_of(people, salt)
    old = replace(use("new", 0, size), split=split, salted=_salted(people, salt))
    reservation = reserve(upgraded(first), old, SECRET, first)
    assert reservation.uses == 6
    assert [release.use for release in reservation.ledger.releases] == [3, 4, 5, 6, 7]
    assert not fault(reservation.ledger, SECRET)
    assert spent_on(reservation.ledger, use("next", 0, size)) == 7


def spent_on(ledger: Ledger, one: Use) -> int:
    return reserve(ledger, one, SECRET).uses


def test_a_candidate_of_schema_1_keeps_its_use_and_number() -> None:
    people = ids(0, 300)
    first = _first_of(people, "salt")
    again = replace(use("c3", 0, 300), split="s", salted=_salted(people, "salt"))
    reservation = reserve(upgraded(first), again, SECRET, first)
    assert (reservation.number, reservation.uses) == (4, 5)
    assert spent_on(reservation.ledger, use("next", 0, 300)) == 6


def test_a_holdout_of_schema_1_that_comes_back_later_has_its_uses_once() -> None:
    first = _first_of(ids(0, 300), "salt")
    elsewhere = replace(use("new", 5_000, 5_300), split="t", salted=_salted(("x",), "other"))
    ledger = reserve(upgraded(first), elsewhere, SECRET, first).ledger
    assert ledger.earlier == {"s": 6}
    back = reserve(ledger, replace(use("back", 0, 300), split="s"), SECRET)
    assert back.uses == 6
    assert back.ledger.earlier == {}
    assert spent_on(back.ledger, replace(use("more", 0, 300), split="s")) == 7


# A use that goes on: the same model against the same champion, with more labels.


def grown(candidate: str, last: int, first: int = 0, **changes: object) -> Use:
    """A use of one model on the positives up to `last`."""
    return use(candidate, first, last, **{"model": "m", "against": "old", **changes})


def test_the_same_model_on_more_rows_goes_on_with_its_use() -> None:
    """Twenty times; its use is one, each new row is charged once, and it is the use of the next
    model that comes after it.
    """
    uses = [use("other", 0, 300), *(grown(f"m{look}", 300 + 20 * look) for look in range(21))]
    uses.append(use("next", 0, 700))
    reservations = after(uses)
    assert [one.uses for one in reservations[:-1]] == [0, *([1] * 21)]
    assert [one.looks for one in reservations] == [0, *range(21), 0]
    ledger = reservations[-2].ledger
    assert [release.use for release in ledger.releases] == [1, *([2] * 21)]
    assert [release.continues for release in ledger.releases[2:]] == list(range(2, 22))
    spent_by_row = {row: cohort.spent for cohort in ledger.memory.cohorts for row in cohort.rows}
    share = spending.share(1)
    assert len(spent_by_row) == 700
    assert sorted(set(spent_by_row.values())) == pytest.approx([share, 1 / 2 + share])
    # The holdout as a whole has spent what one look at all of its rows would have spent.
    pooled = [cohort.pooled for cohort in ledger.memory.cohorts]
    assert pooled == pytest.approx([(300 / 700) / 2 + share] * 2)
    assert reservations[-1].uses == spending.uses_of((300 / 700) / 2 + share)


@pytest.mark.parametrize(
    "again",
    [
        grown("again", 400, model="another model"),
        grown("again", 400, against="another champion"),
        grown("again", 400, first=1),  # one row has left
        grown("again", 400, first=200),
        grown("again", 290),
        use("again", 0, 400),  # nothing says which model it is
    ],
    ids=["model", "champion", "one row gone", "a rolling window", "shrunk", "unknown"],
)
def test_what_is_not_the_same_on_more_rows_is_a_use_of_its_own(again: Use) -> None:
    first, second = after([grown("m", 300), again])
    assert (second.uses, second.looks) == (spending.uses_of(_left(again) / 2), 0)
    assert second.ledger.releases[-1].use == second.uses + 1
    assert first.ledger.releases[0].use == 1


def _left(again: Use) -> float:
    """Which share of these rows was looked at before, 300 of them."""
    return len(set(again.ids) & set(ids(0, 300))) / len(again.ids)


def test_a_look_of_another_model_ends_a_use() -> None:
    reservations = after([grown("m", 300), use("other", 0, 300), grown("m again", 310)])
    assert [one.looks for one in reservations] == [0, 0, 0]
    assert reservations[-1].uses == 2


@pytest.mark.parametrize(("verdict", "looks"), [("INSUFFICIENT", 1), ("HOLD", 1), ("REJECT", 0)])
def test_what_was_rejected_does_not_go_on(verdict: str, looks: int) -> None:
    ledger = reserve(Ledger(), grown("m", 300), SECRET).ledger
    noted = end(ledger, "m", Ending(verdict, "refused", "d"), SECRET)
    assert noted is not None
    assert reserve(noted[0], grown("m again", 310), SECRET).looks == looks


def test_a_look_that_goes_on_is_killed_and_done_again() -> None:
    first, second, third = after([grown("m", 300), grown("more", 320), grown("more", 320)])
    assert third == second
    assert (second.number, second.uses, second.looks) == (2, 0, 1)
    assert (uses_before(second.ledger, "more"), looks_before(second.ledger, "more")) == (0, 1)
    assert looks_before(second.ledger, "m") == 0
    fourth = reserve(second.ledger, grown("even more", 340), SECRET)
    assert (fourth.uses, fourth.looks) == (0, 2)
    assert first.number == 1


def test_limits_to_uses_and_days_hold_for_uses_and_not_for_looks_that_go_on() -> None:
    allowance = Allowance(uses=1, days=7)
    first = reserve(Ledger(), grown("m", 300, allowance=allowance), SECRET)
    went_on = reserve(first.ledger, grown("more", 330, allowance=allowance), SECRET)
    assert went_on.looks == 1
    with pytest.raises(Refused, match="this would be use 2"):
        reserve(went_on.ledger, grown("b", 330, model="b", allowance=allowance), SECRET)


@pytest.mark.parametrize("field", ["model", "against", "continues"])
def test_what_a_look_goes_on_with_is_in_the_chain(field: str) -> None:
    ledger = after([grown("m", 300), grown("more", 320)])[-1].ledger
    told = ledger.releases[-1]
    other: object = 7 if field == "continues" else "other"
    assert link(msgspec.structs.replace(told, **{field: other})) != link(told)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 60)), max_size=25))
@limits(deadline=None, max_examples=30)
def test_whatever_goes_on_no_row_is_charged_less_than_the_uses_that_saw_it(
    looks: list[tuple[int, int]],
) -> None:
    """Models in any order on a holdout that grows: a row has spent the share of each use that
    looked at it, once.
    """
    ledger, last = Ledger(), 100
    charged: dict[str, dict[int, float]] = {}
    chain, previous = 0, -1
    for number, (which, more) in enumerate(looks):
        last += more
        reservation = reserve(ledger, grown(f"{number}", last, model=f"m{which}"), SECRET)
        ledger = reservation.ledger
        assert (reservation.looks > 0) == (which == previous)
        chain += which != previous
        previous = which
        for one in ids(0, last):
            charged.setdefault(one, {})[chain] = spending.share(reservation.uses)
    wanted = sorted(sum(shares.values()) for shares in charged.values())
    found = sorted(one.spent for one in ledger.memory.cohorts for _ in one.rows)
    assert found == pytest.approx(wanted)


# --- what is remembered, row by row
# -----------------------------------------------------------------------------


def test_a_large_holdout_is_known_by_its_smallest_hashes_up_to_the_last_of_them() -> None:
    """Beyond it nobody knows which of its rows there are."""
    many = ids(0, module._SKETCH + 300)
    found = module._rows(many, SECRET)
    every = sorted(module._keyed(one, SECRET) for one in many)
    assert found.hashes == tuple(every[: module._SKETCH])
    assert found.reach == every[module._SKETCH - 1]
    whole = module._rows(many[: module._SKETCH], SECRET)
    assert whole.reach == 2**64 - 1
    assert len(whole.hashes) == module._SKETCH


def test_a_candidate_that_has_a_use_keeps_it_in_a_later_release() -> None:
    """It is looked at again after another one: no new use, and no look of its own."""
    *_, last = after([use("a", model="m"), use("b", model="n"), use("a", model="m")])
    first, _, again = last.ledger.releases
    assert (first.use, first.day, first.model) == (1, "2026-03-02", "m")
    assert (again.number, again.use, again.candidate) == (3, 1, "a")
    unset = (again.day, again.model, again.against, again.continues, again.decided)
    assert set(unset) == {msgspec.UNSET}


def test_what_spends_nothing_says_how_often_its_holdout_had_decided() -> None:
    *_, last = after([use("a"), use("b", spends=False)])
    told = last.ledger.releases[-1]
    assert (told.use, told.decided, told.day) == (None, 1, msgspec.UNSET)
    assert uses_before(last.ledger, "b") == 1


@pytest.mark.parametrize(
    ("cohorts", "wanted"),
    [
        # The mean of what looks at each of three rows spent, where that is more than what they had
        # spent as a whole.
        ({1: (0.5, 0.1), 2: (0.2, 0.1)}, (0.5 + 0.2) / 3),
        ({1: (0.1, 0.6), 2: (0.1, 0.6)}, (0.6 + 0.6) / 3),
        ({}, 0.0),
    ],
)
def test_rows_have_spent_the_larger_of_two_means(
    cohorts: dict[int, tuple[float, float]], wanted: float
) -> None:
    memory = module.Memory(
        cohorts=tuple(
            module.Cohort(spent=spent, pooled=pooled, rows=(row,))
            for row, (spent, pooled) in cohorts.items()
        )
    )
    rows = module._Rows((1, 2, 3), 2**64 - 1)
    assert module._spent(memory, rows) == pytest.approx(wanted)


def test_rows_of_which_none_is_counted_have_spent_as_much_as_any() -> None:
    cohorts = (
        module.Cohort(spent=0.5, pooled=0.5, rows=(1,)),
        module.Cohort(spent=2 / 3, pooled=0.6, rows=(2,)),
    )
    memory = module.Memory(reach=10, cohorts=cohorts)
    assert module._spent(memory, module._Rows((50, 60), 2**64 - 1)) == pytest.approx(2 / 3)
    assert module._spent(memory, module._Rows((2, 50), 5)) == pytest.approx(2 / 3)
