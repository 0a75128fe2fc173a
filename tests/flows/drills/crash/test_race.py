"""A race as it is judged: the newest of those compared with the same champion wins, and nothing of
a person's is lost.
"""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import by_hand
from support.git_repos import template

from flows.adapters.git import git
from flows.drills.crash import race
from flows.drills.crash.race import EDITS, FIRST, Ended, Round
from flows.drills.crash.world import World
from flows.gitops.promotion import promote
from sluice.gitops.state import Champion

TAGS = ("1" * 16, "2" * 16)


def ended(number: int, outcome: str = "superseded", code: int = 0) -> Ended:
    return Ended(f"{number:016x}", number, outcome, f"it ended {outcome}", code)


@given(st.permutations(range(1, 6)))
@settings(deadline=None)
def test_whoever_comes_first_the_newest_has_the_highest_number(numbers: list[int]) -> None:
    racers = tuple(ended(n, "committed" if n == 5 else "superseded") for n in numbers)
    raced = Round(FIRST, racers, EDITS)
    assert raced.newest.number == 5
    assert raced.wrong() == []


def test_a_newest_one_that_did_not_win_is_wrong() -> None:
    raced = Round(FIRST, (ended(1, "committed"), ended(2)), EDITS)
    assert raced.wrong() == ["release 2 did not win"]


@pytest.mark.parametrize(
    ("outcome", "code"), [("held", 0), ("error", 1), ("parked", 0), ("committed", 1)]
)
def test_a_racer_that_ended_in_another_way_is_wrong_in_its_own_words(
    outcome: str, code: int
) -> None:
    raced = Round(FIRST, (ended(1, outcome, code), ended(2, "committed")), EDITS)
    assert raced.wrong() == [f"{1:016x}: it ended {outcome}"]


@given(st.from_regex(r"[0-9a-f]{16}", fullmatch=True), st.integers(1, 99))
@settings(deadline=None)
def test_a_made_up_release_says_the_same_in_entry_record_and_trailers(
    tag: str, number: int
) -> None:
    made = race.promotion("attrition", tag, number, FIRST)
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", made.entry.digest)
    assert made.entry.digest == made.champion.digest == made.trailers.image_digest
    assert made.champion.promotion == made.trailers.promotion_id
    assert made.champion.release == made.trailers.release == number
    assert made.against == made.trailers.against == FIRST
    reference = race.reference(tag)
    champion: Champion = made.champion
    assert (reference.tag, reference.digest, reference.model) == (
        champion.tag,
        champion.digest,
        champion.model,
    )


def test_a_first_release_was_compared_with_none() -> None:
    made = race.promotion("attrition", FIRST, 0, "")
    assert (made.against, made.trailers.against, made.champion.against) == ("", "none", None)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A world without servers and without data, with a first champion and replicas."""
    git.git("clone", "--quiet", "--bare", str(template()), "git/manifests.git", cwd=tmp_path)
    env = {"SLUICE_MANIFESTS": str(tmp_path / "git" / "manifests.git"), "SLUICE_MODEL": "attrition"}
    made = World(tmp_path, env)
    race.prepare(made)
    return made


def raced(world: World, edits: int = EDITS) -> Round:
    """A round in one process: a person edits, and the first of two releases is overtaken."""
    for count in range(1, edits + 1):
        path = "overlays/production/kustomization.yaml"
        with by_hand.clone(world.env["SLUICE_MANIFESTS"], "main") as repo:
            text = (repo.path / path).read_text()
            (repo.path / path).write_text(
                text.replace(f"    count: {count}\n", f"    count: {count + 1}\n")
            )
            by_hand.commit(repo, f"Scale to {count + 1}\n", "Anna <anna@example.com>")
            by_hand.push(repo)
    given_settings = race._settings(world)
    racers = []
    for number, tag in reversed(list(enumerate(TAGS, 1))):
        written = promote(given_settings, race.promotion("attrition", tag, number, FIRST))
        racers.append(Ended(tag, number, written.outcome, written.sentence))
    return Round(FIRST, tuple(racers), edits)


def test_a_race_in_good_order_has_nothing_wrong(world: World) -> None:
    one = raced(world)
    assert [racer.outcome for racer in one.ended] == ["committed", "superseded"]
    assert race.judged(world, [one]) == []


def test_an_edit_that_is_missing_in_the_end_is_found(world: World) -> None:
    assert race.judged(world, [raced(world, EDITS - 1)]) == ["an edit of the person is gone"]


def test_a_winner_that_git_does_not_know_is_found(world: World) -> None:
    one = raced(world)
    other = replace(one, ended=(*one.ended, ended(3, "committed")))
    assert race.judged(world, [other]) == [
        f"the winners are {{'{FIRST}': 2}}, and should be {{'{FIRST}': 3}}"
    ]


def test_racers_that_get_no_number_say_why(world: World) -> None:
    env = {**world.env, "SLUICE_REGISTRY": "127.0.0.1:1"}
    [one] = race.rounds(replace(world, env=env), 1)
    assert [racer.outcome for racer in one.ended] == ["error"] * race.RACERS
    told = one.wrong()
    assert len(told) == race.RACERS + 1
    assert all("127.0.0.1:1" in sentence for sentence in told[: race.RACERS]), told
