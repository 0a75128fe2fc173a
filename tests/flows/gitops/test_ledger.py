"""The ledger branch only grows: what was taken out, changed or lost is found, before the first
release too; and no secret is in git.
"""

import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from support import by_hand
from support.git_repos import document, seeded, shown, tip, use

from flows.adapters.git import git
from flows.gitops import ledger, ledger_secret
from flows.gitops.ledger import LEDGER, AnotherTurn, Waits
from flows.project.settings import Settings
from sluice.errors import Refused, SluiceError
from sluice.gate.ledger import Allowance, Counted, Use, name_of

MODEL, FILE = "attrition", "attrition.json"
Document = dict[str, Any]


@pytest.fixture
def given(tmp_path: Path) -> Settings:
    """A manifest repo in which nothing was ever reserved."""
    return seeded(tmp_path)


def reserve(given: Settings, *candidates: str) -> list[tuple[int, Counted]]:
    return [ledger.reserve(given, MODEL, use(candidate)) for candidate in candidates]


def pushed(given: Settings, change: Callable[[Document], None]) -> None:
    """Somebody who can push to the branch changes the ledger of the model."""
    with by_hand.clone(given.manifest_url, LEDGER) as repo:
        file = repo.path / FILE
        content = json.loads(file.read_text()) if file.exists() else {}
        change(content)
        file.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
        by_hand.commit(repo, "Look here\n", "Mallory <mallory@example.com>")
        by_hand.push(repo)


def moved(given: Settings, commit: str = "") -> None:
    """Somebody sets the branch to an older commit, or deletes it."""
    name = f"refs/heads/{LEDGER}"
    words = ["update-ref", name, commit] if commit else ["update-ref", "-d", name]
    git.git(*words, cwd=Path(given.manifest_url))


def kept(given: Settings) -> Path:
    """Where the embedded registry has secret and marks."""
    return given.home / "ledger" / MODEL


# What somebody who can push, and has no rights in the registry, may try.


def _emptied(content: Document) -> None:
    content["memory"] = {"reach": 2**64 - 1, "cohorts": []}


def _half_spent(content: Document) -> None:
    for cohort in content["memory"]["cohorts"]:
        cohort["spent"] /= 2
        cohort["pooled"] /= 2


def _shortened(content: Document) -> None:
    content["releases"] = content["releases"][:1]


def _of_another_time(content: Document) -> None:
    content["releases"][-1]["day"] = "2020-01-01"


def _unseen(content: Document) -> None:
    for release in content["releases"]:
        release["use"] = None


def _other_rows(content: Document) -> None:
    content["memory"]["cohorts"][0]["rows"] = [1, 2, 3]


def _unsealed(content: Document) -> None:
    content.update(key="", seal="")
    _emptied(content)


def _of_schema_1(content: Document) -> None:
    releases = [
        {"number": release["number"], "candidate": release["candidate"]}
        for release in content["releases"]
    ]
    content.clear()
    content["releases"] = [*releases, {"number": 99, "candidate": "far ahead"}]


def _anew(content: Document) -> None:
    content.clear()
    content["releases"] = []


ATTACKS = (
    _emptied,
    _half_spent,
    _shortened,
    _of_another_time,
    _unseen,
    _other_rows,
    _unsealed,
    _of_schema_1,
    _anew,
)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__.strip("_"))
def test_a_changed_ledger_is_found_before_the_first_release(
    attack: Callable[[Document], None], given: Settings
) -> None:
    assert reserve(given, "a", "b", "c") == [(1, (0, 0)), (2, (1, 0)), (3, (2, 0))]
    ledger.require_whole(given, MODEL)
    pushed(given, attack)
    before = tip(given, LEDGER)
    said = r"^attrition\.json of branch sluice-ledger was (changed by somebody else|lost or reset)"
    with pytest.raises(SluiceError, match=said):
        ledger.require_whole(given, MODEL)
    with pytest.raises(SluiceError, match=said):
        reserve(given, "d")
    assert tip(given, LEDGER) == before


def test_a_ledger_under_a_secret_of_its_own_is_no_ledger(given: Settings) -> None:
    reserve(given, "a")
    pushed(given, lambda content: content.update(key=name_of(b"mine" * 8)))
    with pytest.raises(
        SluiceError, match=rf"was written with the secret .* and \S*{MODEL}\S* does not have it"
    ):
        reserve(given, "b")


def test_a_branch_that_was_deleted_is_missed_before_the_first_release(given: Settings) -> None:
    reserve(given, "a", "b")
    moved(given)
    with pytest.raises(SluiceError, match="was lost or reset: release 2 was reserved in it"):
        reserve(given, "c")
    assert tip(given, LEDGER) == ""


def test_a_branch_that_was_set_back_is_missed(given: Settings) -> None:
    reserve(given, "a")
    first = tip(given, LEDGER)
    reserve(given, "b", "c")
    whole = tip(given, LEDGER)
    moved(given, first)
    with pytest.raises(SluiceError, match="release 2 was reserved in it, and it ends with release"):
        reserve(given, "d")
    moved(given, whole)
    assert reserve(given, "d") == [(4, (3, 0))]


def test_a_branch_that_took_another_way_is_missed(given: Settings) -> None:
    """What was reserved since an older commit is not what was reserved first."""
    reserve(given, "a")
    first = tip(given, LEDGER)
    reserve(given, "b")
    elsewhere = given.model_copy(update={"home": given.home / "elsewhere"})
    shutil.copytree(given.home / "ledger", elsewhere.home / "ledger")
    elsewhere = elsewhere.model_copy(update={"manifests": given.manifest_url})
    (kept(elsewhere) / "release.2").unlink()
    moved(given, first)
    assert ledger.reserve(elsewhere, MODEL, use("x")) == (2, (1, 0))
    with pytest.raises(SluiceError, match="its release 2 is not the one that was reserved"):
        reserve(given, "c")


def test_a_mark_that_a_killed_process_left_out_is_made_up_for(given: Settings) -> None:
    reserve(given, "a", "b")
    (kept(given) / "release.2").unlink()
    assert reserve(given, "b") == [(2, (1, 0))]
    assert (kept(given) / "release.2").is_file()
    (kept(given) / "release.2").unlink()
    assert reserve(given, "c") == [(3, (2, 0))]


# The secret.


def test_the_secret_is_readable_by_its_owner_alone_and_not_in_git(given: Settings) -> None:
    reserve(given, "a")
    [secret] = [path for path in kept(given).iterdir() if path.name.startswith("key.")]
    assert secret.stat().st_mode & 0o777 == 0o600
    assert kept(given).stat().st_mode & 0o777 == 0o700
    name = document(given, FILE, LEDGER)["key"]
    assert secret.name == f"key.{name}"
    objects = git.git("rev-list", "--objects", "--all", cwd=Path(given.manifest_url))
    for line in objects.splitlines():
        found = git.git("cat-file", "-p", line.split()[0], cwd=Path(given.manifest_url))
        assert secret.read_bytes().hex() not in found
        assert repr(secret.read_bytes()) not in found


def test_all_who_begin_at_once_have_one_secret(given: Settings) -> None:
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda name: ledger.reserve(given, MODEL, use(name)), [*"abcdef"]))
    assert sorted(found) == [(number, (number - 1, 0)) for number in range(1, 7)]
    names = {
        json.loads(shown(given, FILE, commit))["key"]
        for commit in git.git("rev-list", LEDGER, cwd=Path(given.manifest_url)).split()
    }
    assert len(names) == 1


def test_a_start_that_was_killed_leaves_a_secret_that_the_next_one_takes(given: Settings) -> None:
    made = ledger_secret.first(given, MODEL)
    reserve(given, "a")
    assert document(given, FILE, LEDGER)["key"] == name_of(made)
    assert len(list(kept(given).glob("key.*"))) == 1


def test_without_its_secret_a_ledger_is_not_begun_anew(given: Settings) -> None:
    """The manifest repo is shared, and the runner has another registry."""
    reserve(given, "a", "b")
    before = tip(given, LEDGER)
    runner = given.model_copy(
        update={"home": given.home / "runner", "manifests": given.manifest_url}
    )
    with pytest.raises(SluiceError) as refused:
        ledger.reserve(runner, MODEL, use("c"))
    name = document(given, FILE, LEDGER)["key"]
    assert f"was written with the secret {name}" in refused.value.what
    assert f"copy the tag ledger.key.{name}" in refused.value.fix
    assert "No ledger is begun anew without it" in refused.value.fix
    assert tip(given, LEDGER) == before

    wanted = kept(runner) / f"key.{name}"
    assert str(wanted) in refused.value.fix
    wanted.parent.mkdir(parents=True)
    shutil.copy(kept(given) / wanted.name, wanted)
    assert ledger.reserve(runner, MODEL, use("c")) == (3, (2, 0))


def test_another_secret_under_the_name_is_not_taken(given: Settings) -> None:
    reserve(given, "a")
    [secret] = kept(given).glob("key.*")
    secret.write_bytes(b"x" * 32)
    with pytest.raises(SluiceError, match=r"another secret|does not have it"):
        reserve(given, "b")


def test_each_model_has_a_secret_of_its_own(given: Settings) -> None:
    reserve(given, "a")
    ledger.reserve(given, "churn", use("a"))
    keys = {document(given, f"{name}.json", LEDGER)["key"] for name in (MODEL, "churn")}
    assert len(keys) == 2


# What the policy allows.


@pytest.mark.parametrize("allowance", [Allowance(uses=1), Allowance(days=7)])
def test_a_look_that_is_refused_writes_nothing_anywhere(
    allowance: Allowance, given: Settings
) -> None:
    limited = replace(use("a"), allowance=allowance)
    assert ledger.reserve(given, MODEL, limited) == (1, (0, 0))
    before, files = tip(given, LEDGER), sorted(kept(given).iterdir())
    for name in "bcd":
        with pytest.raises(Refused, match=r"at most 1 are allowed|7 days between") as refused:
            ledger.reserve(given, MODEL, replace(limited, candidate=name))
        assert refused.value.exit_code == 3
        assert refused.value.fix.startswith("Release again")
    assert (tip(given, LEDGER), sorted(kept(given).iterdir())) == (before, files)
    assert ledger.reserve(given, MODEL, limited) == (1, (0, 0))


def test_a_week_later_the_next_look_is_allowed(given: Settings) -> None:
    first = Use("a", ("1", "2", "3"), date(2026, 3, 2), allowance=Allowance(days=7))
    assert ledger.reserve(given, MODEL, first) == (1, (0, 0))
    later = replace(first, candidate="b", today=first.today + timedelta(days=7))
    assert ledger.reserve(given, MODEL, later) == (2, (1, 0))


def test_a_glance_counts_as_a_look_would_and_leaves_nothing(given: Settings) -> None:
    assert ledger.peek(given, MODEL, use("a")).uses == 0
    assert not kept(given).exists()  # no secret is made for a glance
    reserve(given, "a", "b")
    before, beside = tip(given, LEDGER), sorted(kept(given).iterdir())
    assert [ledger.peek(given, MODEL, use(name)).uses for name in ("c", "a")] == [2, 0]
    assert (tip(given, LEDGER), sorted(kept(given).iterdir())) == (before, beside)
    assert reserve(given, "c")[0][1] == Counted(2, 0)


def test_what_a_candidate_was_counted_for_is_known_without_its_rows(given: Settings) -> None:
    assert ledger.known(given, MODEL, "a") is None
    reserve(given, "a", "b")
    assert ledger.known(given, MODEL, "a") == Counted(0, 0)
    assert ledger.known(given, MODEL, "b") == Counted(1, 0)
    assert ledger.known(given, MODEL, "unheard") is None


def test_the_ledger_is_opened_with_the_secret_that_seals_it(given: Settings) -> None:
    reserve(given, "a")
    with git.clone(given.remote, LEDGER) as repo:
        opened = ledger.opened(given, MODEL, repo)
        found = ledger.document(repo, MODEL)
        other = ledger.document(repo, "another")
    assert opened.ledger == found
    assert name_of(opened.secret) == found.key
    assert [release.candidate for release in found.releases] == ["a"]
    assert (other.releases, other.key) == ((), "")


# Looks that are rationed.

WEEKLY = Allowance(days=7, best=True)
FIRST = Use("first", ("1", "2", "3"), date(2026, 3, 2), model="m first", allowance=WEEKLY)


def _on(day: int, name: str, validation: float) -> Use:
    when = FIRST.today + timedelta(days=day)
    return replace(FIRST, candidate=name, model=f"m {name}", today=when, validation=validation)


def test_a_candidate_waits_and_the_best_has_the_look(given: Settings) -> None:
    ledger.reserve(given, MODEL, FIRST)
    marks = sorted(kept(given).iterdir())
    with pytest.raises(Waits, match="one look in 7 days is allowed") as waits:
        ledger.reserve(given, MODEL, _on(1, "a", 0.8))
    assert waits.value.fix == (
        "Release again on 2026-03-09 or later: the best that waits by then has the look."
        " Nothing was scored on the holdout, and no use was spent."
    )
    assert "No candidate that waits has more" in waits.value.what
    with pytest.raises(Waits, match=r"is 0\.7000\. The best that waits has 0\.8000"):
        ledger.reserve(given, MODEL, _on(2, "b", 0.7))
    assert sorted(kept(given).iterdir()) == marks
    with pytest.raises(AnotherTurn, match=r"0\.8000, and that of this one 0\.7500") as other:
        ledger.reserve(given, MODEL, _on(7, "c", 0.75))
    assert other.value.waiting.model == "m a"
    assert ledger.reserve(given, MODEL, _on(7, "a", 0.8)) == (2, (1, 0))
    assert document(given, FILE, LEDGER).get("waiting") is None


def test_a_candidate_that_was_killed_waits_once(given: Settings) -> None:
    ledger.reserve(given, MODEL, FIRST)
    assert ledger.waits(given, MODEL, _on(1, "a", 0.8))
    for _ in range(2):
        with pytest.raises(Waits):
            ledger.reserve(given, MODEL, _on(1, "a", 0.8))
    at = tip(given, LEDGER)
    with pytest.raises(Waits):
        ledger.reserve(given, MODEL, _on(3, "a", 0.8))
    with pytest.raises(Waits):
        ledger.waits(given, MODEL, _on(3, "a", 0.8))
    assert tip(given, LEDGER) == at
    assert not ledger.waits(given, MODEL, _on(7, "a", 0.8))


def test_of_all_who_come_at_once_one_has_the_look_and_the_others_wait(given: Settings) -> None:
    ledger.reserve(given, MODEL, FIRST)

    def run(name: str) -> str:
        try:
            ledger.reserve(given, MODEL, _on(7, name, 0.8))
        except Waits:
            return "waits"
        return "look"

    with ThreadPoolExecutor(4) as pool:
        told = sorted(pool.map(run, "abcd"))
    assert told == ["look", "waits", "waits", "waits"]
    written = document(given, FILE, LEDGER)
    assert (len(written["releases"]), len(written["waiting"])) == (2, 3)


def _better_than_it_was(content: Document) -> None:
    content["waiting"][0]["validation"] = 0.99


def _of_somebody_else(content: Document) -> None:
    content["waiting"].append({**content["waiting"][0], "model": "m mallory"})


def _none(content: Document) -> None:
    del content["waiting"]


@pytest.mark.parametrize("attack", [_better_than_it_was, _of_somebody_else, _none])
def test_who_waits_is_under_the_seal(attack: Callable[[Document], None], given: Settings) -> None:
    ledger.reserve(given, MODEL, FIRST)
    with pytest.raises(Waits):
        ledger.reserve(given, MODEL, _on(1, "a", 0.8))
    pushed(given, attack)
    with pytest.raises(SluiceError, match="its seal is not that of its content"):
        ledger.reserve(given, MODEL, _on(7, "a", 0.8))
