"""Going back sticks: one commit, the bad digest in quarantine, and no release brings it back."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.git_repos import (
    FOUR,
    ONE,
    OVERLAY,
    QUARANTINE,
    STATE,
    THREE,
    TWO,
    commits,
    digest,
    document,
    edit,
    go_back,
    image,
    promotion,
    seeded,
    shown,
    tip,
)

from flows.adapters.git import git
from flows.adapters.registry import oci, registry
from flows.adapters.registry.layout import Layout
from flows.cli.past.images import run_images
from flows.cli.releases.quarantine import run_add, run_lift, run_quarantine
from flows.gitops import canary_record, manifest_repo, quarantine, rollback, smoke_released
from flows.gitops.promotion import promote
from flows.gitops.writer import Written
from flows.project import settings
from flows.project.root import ROOT
from flows.project.settings import Settings
from sluice.errors import SluiceError, UsageError
from sluice.gitops.state import NO_QUARANTINE, Barred, Canary, Champion, Quarantine
from sluice.gitops.trailers import read_trailers


@pytest.fixture
def given(tmp_path: Path) -> Settings:
    """Three releases, the third is live."""
    os.environ |= {"SLUICE_HOME": str(tmp_path), "SLUICE_ACTOR": "anna"}
    given = seeded(tmp_path)
    for number, (tag, against) in enumerate([(ONE, ""), (TWO, ONE), (THREE, TWO)], 1):
        assert promote(given, promotion(tag, number, against)).outcome == "committed"
    return given


def plan(given: Settings, to: str, why: str) -> rollback.Plan:
    """What going back would do."""
    return rollback.plan(given, rollback.Request("attrition", to, why))


def back(given: Settings, to: str = "previous", why: str = "flags everybody") -> str:
    written = rollback.write(given, plan(given, to, why))
    return written.outcome


def test_one_commit_sets_entry_champion_and_quarantine(given: Settings) -> None:
    before, anchor = tip(given), shown(given, "state/attrition/anchor.json")
    written = rollback.write(given, plan(given, "previous", "flags everybody."))
    bare = Path(given.manifest_url)
    assert (written.outcome, written.commit, written.release) == ("committed", tip(given), 2)
    assert git.git("rev-parse", "main^", cwd=bare).strip() == before
    assert git.git("diff", "--name-only", before, "main", cwd=bare).split() == [
        OVERLAY,
        STATE,
        QUARANTINE,
    ]
    assert (image(given)["newTag"], image(given)["digest"]) == (TWO, digest(TWO))
    champion = document(given, STATE)
    restored = champion.pop("restored")
    assert (restored["from"], restored["who"], restored["why"]) == (
        THREE,
        "anna",
        "flags everybody.",
    )
    assert champion == document(given, STATE, f"{before}^")
    [entry] = document(given, QUARANTINE)["entries"]
    assert (entry["digest"], entry["release"], entry["who"], entry["why"]) == (
        digest(THREE),
        3,
        "anna",
        "flags everybody.",
    )
    assert shown(given, "state/attrition/anchor.json") == anchor


def test_the_commit_says_what_was_left_and_why(given: Settings) -> None:
    back(given, why="flags\neverybody")
    [(_, date, message), *_] = git.log(given.manifest_url, "main")
    assert message.startswith(f"Roll attrition back to release 2: {TWO}\n\nflags\neverybody.\n")
    trailers = read_trailers(message)
    assert trailers["Rollback-Of"] == trailers["Quarantined"] == digest(THREE)
    assert (trailers["Image-Digest"], trailers["Reason"], trailers["By"]) == (
        digest(TWO),
        "flags everybody",
        "anna",
    )
    now = manifest_repo.live(given, "attrition")
    assert now is not None
    assert now.champion is not None
    assert manifest_repo.since(given, now.champion) == date


def test_a_release_that_was_superseded_in_the_middle_of_its_canary_is_passed_over(
    given: Settings,
) -> None:
    """The fourth release is recorded as healthy; the fifth was never shown to run everywhere."""
    passed = Canary(ended="healthy", when="2026-03-02T10:00:00Z", why="it passed")
    healthy = promotion(FOUR, 4, THREE, canary=passed)
    assert promote(given, healthy).outcome == "committed"
    for number, (tag, against) in enumerate([("5" * 16, FOUR), ("6" * 16, "5" * 16)], 5):
        assert promote(given, promotion(tag, number, against)).outcome == "committed"
    made = plan(given, "previous", "why")
    assert (made.target.release, made.proof) == (4, "its canary was healthy")
    named = plan(given, "5" * 16, "why")
    assert (named.target.release, "not recorded" in named.proof) == (5, True)


def test_the_same_release_again_is_refused(given: Settings) -> None:
    back(given)
    before = tip(given)
    for number, against in ((3, TWO), (4, TWO)):
        written = promote(given, promotion(THREE, number, against))
        assert written.outcome == "quarantined"
        assert written.sentence.startswith("quarantined since 20")
        assert "because flags everybody; lift it" in written.sentence
    assert tip(given) == before
    assert promote(given, promotion(FOUR, 4, TWO)).outcome == "committed"


def test_twice_goes_one_further_back_and_then_there_is_nothing(given: Settings) -> None:
    assert back(given) == "committed"
    assert back(given) == "committed"
    assert image(given)["newTag"] == document(given, STATE)["tag"] == ONE
    assert [entry["tag"] for entry in document(given, QUARANTINE)["entries"]] == [THREE, TWO]
    with pytest.raises(
        UsageError, match="nothing to go back to: release 1 is the first healthy one"
    ):
        back(given)


@pytest.mark.parametrize("to", [ONE, digest(ONE), ONE[:8]])
def test_to_a_release_by_name(to: str, given: Settings) -> None:
    assert back(given, to) == "committed"
    assert image(given)["newTag"] == ONE
    assert [entry["tag"] for entry in document(given, QUARANTINE)["entries"]] == [THREE]
    with pytest.raises(UsageError, match="nothing to go back to"):
        back(given)  # release 2 came later: going there is going forward, and has to be named
    assert back(given, TWO) == "committed"


def test_never_to_what_is_in_quarantine(given: Settings) -> None:
    quarantine.add(given, "attrition", TWO, "wrong")
    with pytest.raises(quarantine.Quarantined, match="because wrong"):
        back(given, TWO)
    assert back(given) == "committed"
    assert image(given)["newTag"] == ONE


def test_previous_is_the_newest_whose_canary_ended_well(tmp_path: Path) -> None:
    """A newer release may have replaced another one before anybody judged it."""
    given = seeded(tmp_path)
    passed = Canary(ended="healthy", when="2026-11-20T10:00:00Z", why="all of its analyses passed")
    assert promote(given, promotion(ONE, 1)).outcome == "committed"
    assert canary_record.record(given, "attrition", digest(ONE), passed).outcome == "committed"
    for number, (tag, against) in enumerate([(TWO, ONE), (THREE, ONE)], 2):
        assert promote(given, promotion(tag, number, against)).outcome == "committed"
    assert back(given) == "committed"
    assert document(given, STATE)["canary"]["ended"] == "healthy"
    assert image(given)["newTag"] == ONE


def test_previous_is_never_parked(given: Settings) -> None:
    """The cluster could not take it: going back to it would be no way out."""
    parks = replace(plan(given, "previous", "its pods did not come up"), parks=True)
    assert rollback.restore(given, parks).outcome == "committed"  # release 3 is parked, 2 is live
    quarantine.add(given, "attrition", ONE, "wrong")
    assert promote(given, promotion(FOUR, 4, TWO)).outcome == "committed"
    assert back(given) == "committed"
    assert image(given)["newTag"] == TWO
    with pytest.raises(UsageError, match="is the first healthy one; the 1 before it are"):
        back(given)


@pytest.mark.parametrize(
    ("to", "said"),
    [
        (THREE, "is what is live"),
        ("unheard", "names 0 earlier releases"),
        (digest(FOUR), "names 0"),
    ],
)
def test_to_what_was_never_live_is_said(to: str, said: str, given: Settings) -> None:
    with pytest.raises(UsageError, match=said) as raised:
        back(given, to)
    assert to == THREE or f"{TWO} (release 2)" in raised.value.fix


def test_before_the_first_release_there_is_nothing_to_go_back_from(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing of attrition is live yet"):
        back(seeded(tmp_path))


def test_what_a_person_wrote_is_not_taken_back(given: Settings) -> None:
    by_hand = edit(given, tag=(f'newTag: "{THREE}"', f'newTag: "{FOUR}"'))
    with pytest.raises(SluiceError, match="a person set"):
        back(given)
    assert tip(given) == by_hand


def test_an_entry_that_no_longer_names_it_is_left_alone(given: Settings) -> None:
    """A newer release comes between looking and writing."""
    made = plan(given, "previous", "why")
    promote(given, promotion(FOUR, 4, THREE))
    before = tip(given)
    written = rollback.write(given, made)
    assert (written.outcome, written.release) == ("superseded", 4)
    assert "release 4 is live by now, not release 3" in written.sentence
    assert tip(given) == before


def test_of_two_people_who_go_back_at_once_one_does(given: Settings) -> None:
    one, two = (plan(given, "previous", why) for why in ("why", "me too"))
    assert rollback.write(given, one).outcome == "committed"
    before = tip(given)
    assert rollback.write(given, two).outcome == "already there"
    assert tip(given) == before


def test_an_edit_of_a_person_beside_it_survives(given: Settings) -> None:
    made = plan(given, "previous", "why")
    edit(given, images=("images:\n", "# Ask Anna first.\nimages:\n"))
    assert rollback.write(given, made).outcome == "committed"
    assert "# Ask Anna first." in shown(given, OVERLAY)


def unfinished(given: Settings, to: str = "previous") -> Written | None:
    return rollback.unfinished(given, "attrition", to)


def test_what_died_after_its_push_is_not_done_twice(given: Settings) -> None:
    made = plan(given, "previous", "why")
    rollback._remember(given, made)
    assert unfinished(given) is None  # it died before its push: to be done
    rollback.write(given, made)
    written = unfinished(given)  # it died before anybody was told
    assert written is not None
    assert (written.outcome, written.commit, commits(given)) == ("already there", tip(given), 5)
    assert f"from {THREE} to {TWO}" in written.sentence
    rollback.forget(given, "attrition")
    assert unfinished(given) is None  # it was told


def test_what_died_after_its_push_stops_no_rollback_of_a_later_release(given: Settings) -> None:
    """Somebody who wants something gone must not be told that all is done."""
    assert back(given) == "committed"
    assert promote(given, promotion(FOUR, 4, TWO)).outcome == "committed"
    assert unfinished(given) is None
    assert plan(given, "previous", "worse").bad.tag == FOUR


def test_what_died_after_its_push_stops_no_rollback_to_another_release(given: Settings) -> None:
    assert back(given) == "committed"
    assert unfinished(given, ONE) is None
    assert unfinished(given, TWO) is not None


# What is there: the registry. What starts it is tested where there are tools for it, in tests/e2e.


def released(given: Settings, tags: tuple[str, ...] = (ONE, TWO, THREE)) -> None:
    """Let the registry have images whose digests the history names."""
    place = Layout(given.home / "registry" / "attrition")
    for tag in tags:
        registry.push_files(
            place, tag, {"layer": tag.encode()}, "application/vnd.sluice.test.v1", {}
        )
        for part in ("model", "evidence", "evidence-0011aabb"):
            registry.push_files(
                place, f"{tag}.{part}", {"file": tag.encode()}, "application/vnd.sluice.test.v1", {}
            )


def really(home: Path, count: int = 3) -> Settings:
    """Releases of images that are in the registry."""
    os.environ |= {"SLUICE_HOME": str(home), "SLUICE_ACTOR": "anna"}
    given, against = seeded(home), ""
    released(given)
    for number, tag in enumerate((ONE, TWO, THREE)[:count], 1):
        wanted = promotion(tag, number, against)
        there = str(registry.digest(Layout(home / "registry" / "attrition"), tag))
        champion = msgspec.structs.replace(wanted.champion, digest=there)
        promote(given, replace(wanted, champion=champion))
        against = tag
    return given


def test_a_dry_run_shows_the_change_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = really(tmp_path)
    before = tip(given)
    assert go_back(dry_run=True, boot=True) == 0
    out = capsys.readouterr().out
    assert f'-    newTag: "{THREE}"\n' in out
    assert f'+    newTag: "{TWO}"\n' in out
    assert "Proof how its canary ended is not recorded: nothing shows that it ran" in out
    assert (
        out.strip().splitlines()[-1]
        == f"Dry run: release 2 ({TWO}) would be live; nothing was written."
    )
    assert tip(given) == before
    assert not (tmp_path / "rollbacks").exists()


def test_json_is_pure_and_tells_both_ends(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = really(tmp_path)
    assert go_back(as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["outcome"], told["from"]["tag"], told["to"]["tag"]) == ("committed", THREE, TWO)
    assert told["commit"] == tip(given)
    assert f'+  "tag": "{TWO}"' in told["diff"]
    assert told["to"]["proof"].startswith("how its canary ended is not recorded")


def test_an_image_that_is_gone_or_another_is_no_target(tmp_path: Path) -> None:
    given = really(tmp_path)
    before = tip(given)
    index = tmp_path / "registry" / "attrition" / "index.json"
    document = json.loads(index.read_text())
    kept = [
        one
        for one in document["manifests"]
        if one["annotations"]["org.opencontainers.image.ref.name"] != TWO
    ]
    index.write_text(json.dumps({**document, "manifests": kept}))
    with pytest.raises(SluiceError, match=f"{TWO} is not there, and should be sha256:"):
        go_back()
    registry.push_files(
        Layout(index.parent), TWO, {"other": b""}, "application/vnd.sluice.test.v1", {}
    )
    with pytest.raises(SluiceError, match=f"{TWO} is sha256:.*, and should be sha256:"):
        go_back(dry_run=True)
    assert tip(given) == before


def test_an_artifact_beside_it_that_is_another_is_no_target(tmp_path: Path) -> None:
    def unasked(*_: object) -> Any:
        raise AssertionError("nothing was to be started")

    given = really(tmp_path)
    target = plan(given, "previous", "why").target
    with pytest.raises(SluiceError, match=f"{TWO}.model is not the one that was released"):
        smoke_released.start(given, target, unasked, unasked)


def test_without_a_tool_that_starts_images_it_has_to_be_asked_for(
    tmp_path: Path, tools: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = really(tmp_path)
    monkeypatch.setattr(smoke_released, "_golden", lambda *_: {})
    monkeypatch.setenv("PATH", tools)
    with pytest.raises(UsageError, match="no tool to start an image") as raised:
        go_back(boot=True)
    assert "--no-boot" in raised.value.fix
    assert image(given)["newTag"] == THREE


def sluice(home: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """The command, as a person types it; Prefect and MLflow are where nobody answers."""
    gone = {
        "SLUICE_MODEL": "attrition",
        "PREFECT_API_URL": "http://127.0.0.1:9/api",
        "SLUICE_TRACKING_URI": "http://127.0.0.1:9",
    }
    return subprocess.run(
        [sys.executable, "-c", "from flows.cli.main import main; main()", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "SLUICE_HOME": str(home), "SLUICE_ACTOR": "anna", **gone},
    )


def test_as_a_person_types_it(tmp_path: Path) -> None:
    given = really(tmp_path)
    done = sluice(tmp_path, "rollback", "--reason", "flags everybody", "--no-boot")
    assert (done.returncode, done.stderr) == (0, "")
    last = done.stdout.strip().splitlines()[-1]
    assert last == f"Rolled back: committed {tip(given)[:12]} to main."
    listed = sluice(tmp_path, "quarantine")
    assert "(release 3) since 20" in listed.stdout
    assert "by anna: flags everybody" in listed.stdout
    assert listed.stdout.strip().splitlines()[-1] == "1 in quarantine."
    refused = sluice(tmp_path, "rollback", "--to", THREE, "--reason", "back again", "--no-boot")
    assert (refused.returncode, refused.stdout) == (3, "")
    assert "quarantined since 20" in refused.stderr
    lifted = sluice(tmp_path, "quarantine", "lift", THREE, "--reason", "it was the data")
    assert lifted.stdout.startswith("Lifted: committed ")
    assert sluice(tmp_path, "rollback", "--reason", " ").returncode == 2


def test_neither_prefect_nor_mlflow_is_imported(tmp_path: Path) -> None:
    really(tmp_path)
    code = (
        "import sys; from flows.project import settings; "
        "from flows.cli.releases.rollback import Wanted, run_rollback; "
        "from flows.cli.past.images import run_images; "
        "run_images(settings.load(), 'attrition', as_json=True); "
        "wanted = Wanted('attrition', 'previous', 'why', boot=False); "
        "run_rollback(settings.load(), wanted, as_json=True); "
        "assert not {'prefect', 'mlflow', 'sklearn', 'great_expectations'} & set(sys.modules)"
    )
    subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        check=True,
        capture_output=True,
        env={**os.environ, "SLUICE_HOME": str(tmp_path)},
    )


def test_images_say_what_keeps_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = really(tmp_path)
    registry.push_files(
        Layout(tmp_path / "registry" / "attrition"),
        FOUR,
        {"x": b""},
        "application/vnd.sluice.test.v1",
        {},
    )
    os.environ["SLUICE_ROLLBACK_WINDOW"] = "1"
    assert run_images(settings.load(), "attrition", as_json=True) == 0
    found = {one["tag"]: one for one in json.loads(capsys.readouterr().out)}
    assert found[THREE]["kept"] == ["live in production", "champion", "rollback window"]
    assert found[ONE]["kept"] == ["anchor"]
    assert [tag for tag, one in found.items() if one["deletable"]] == [TWO, FOUR]
    assert found[TWO]["parts"] == [
        f"{TWO}.{part}" for part in ("evidence", "evidence-0011aabb", "model")
    ]
    assert [found[tag]["release"] for tag in (ONE, FOUR)] == [1, 0]
    os.environ["SLUICE_ROLLBACK_WINDOW"] = "2"
    back(given)
    run_images(settings.load(), "attrition", as_json=False)
    out = capsys.readouterr().out
    assert "(in quarantine)" in out
    assert out.strip().splitlines()[-1] == "4 images, 1 of them may be deleted."


def test_the_window_counts_what_can_be_gone_back_to() -> None:
    from flows.gitops.image_inventory import window

    history = [promotion(tag, 1).champion for tag in (FOUR, THREE, FOUR, TWO, ONE)]
    entry = Barred(digest=digest(THREE), tag=THREE, release=3, who="a", when="w", why="y")
    barred = Quarantine(entries=(entry,))
    assert window(history, NO_QUARANTINE, 2) == [digest(FOUR), digest(THREE)]
    assert window(history, barred, 2) == [digest(FOUR), digest(THREE), digest(TWO)]
    assert window(history, NO_QUARANTINE, 9) == [digest(tag) for tag in (FOUR, THREE, TWO, ONE)]


def test_an_image_that_another_overlay_names_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = really(tmp_path)
    two = str(registry.digest(Layout(tmp_path / "registry" / "attrition"), TWO))
    edit(given, "overlays/staging/kustomization.yaml", digest=(manifest_repo.NO_IMAGE, two))
    os.environ["SLUICE_ROLLBACK_WINDOW"] = "1"
    run_images(settings.load(), "attrition", as_json=True)
    found = {one["tag"]: one["kept"] for one in json.loads(capsys.readouterr().out)}
    assert found[TWO] == ["live in staging"]


def test_what_is_proposed_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = really(tmp_path)
    bare = Path(given.manifest_url)
    git.git("update-ref", f"refs/heads/release/attrition/{TWO}", "main", cwd=bare)
    os.environ["SLUICE_ROLLBACK_WINDOW"] = "1"
    run_images(settings.load(), "attrition", as_json=True)
    found = {one["tag"]: one["kept"] for one in json.loads(capsys.readouterr().out)}
    assert found[TWO] == ["proposed"]


def test_nothing_in_the_registry_is_an_empty_list(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.environ["SLUICE_HOME"] = str(tmp_path)
    assert run_images(settings.load(), "attrition", as_json=True) == 0
    assert json.loads(capsys.readouterr().out) == []
    assert run_quarantine(settings.load(), "attrition", as_json=True) == 0
    assert json.loads(capsys.readouterr().out) == []


@pytest.mark.parametrize(
    ("reason", "said"), [("  ", "is empty"), ("a\x1b[2J", r"holds '\\x1b'"), ("a\u202eb", "holds")]
)
def test_a_reason_is_one_that_people_can_read(reason: str, said: str, given: Settings) -> None:
    with pytest.raises(UsageError, match=said):
        go_back(why=reason, dry_run=True, as_json=True)


def test_the_commands_of_the_quarantine_tell_what_they_did(
    given: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_add(settings.load(), "attrition", ONE, "wrong", as_json=False) == 0
    assert capsys.readouterr().out == f"In quarantine: committed {tip(given)[:12]} to main.\n"
    assert run_add(settings.load(), "attrition", ONE, "wrong", as_json=False) == 0
    assert capsys.readouterr().out.startswith("Nothing to do: quarantined since ")
    assert run_lift(settings.load(), "attrition", ONE, "right", as_json=True) == 0
    assert json.loads(capsys.readouterr().out)["outcome"] == "committed"
    run_quarantine(settings.load(), "attrition", as_json=False)
    assert "by anna: wrong; lifted 20" in capsys.readouterr().out
    assert oci.is_digest(document(given, QUARANTINE)["entries"][0]["digest"])


def test_the_end_is_told_before_it_is_forgotten(tmp_path: Path) -> None:
    """Whoever was told nothing runs it again, and must not go one further back by that."""
    given = really(tmp_path)
    note = tmp_path / "rollbacks" / "attrition.json"
    steps: list[str] = []

    def started(_: Settings, release: Champion) -> None:
        steps.append(f"started {release.tag}")
        assert image(given)["newTag"] == THREE

    def ended(written: Written, _: rollback.Plan | None) -> None:
        steps.append(written.outcome)
        assert note.is_file()

    report = rollback.Report(lambda made: steps.append(f"planned {made.target.tag}"), ended)
    request = rollback.Request("attrition", "previous", "why")
    written = rollback.roll_back(given, request, started, report)
    assert steps == [f"planned {TWO}", f"started {TWO}", "committed"]
    assert (written.commit, note.exists()) == (tip(given), False)


def test_what_does_not_start_is_not_written(tmp_path: Path) -> None:
    given = really(tmp_path)
    before = tip(given)

    def fails(*_: object) -> None:
        raise SluiceError("it does not answer", "See its log.")

    def untold(*_: object) -> None:
        raise AssertionError("nothing ended")

    report = rollback.Report(lambda _: None, untold)
    request = rollback.Request("attrition", "previous", "why")
    with pytest.raises(SluiceError, match="does not answer"):
        rollback.roll_back(given, request, fails, report)
    assert (tip(given), (tmp_path / "rollbacks").exists()) == (before, False)
