"""State that an older version wrote is read, verified and rolled back from; releasing upon it is in
tests/e2e.
"""

import json
import os
import re
import subprocess
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from support import old_state
from support.command_line import Ended, Sluice
from support.old_state import LEDGER, expected, refs

from flows.adapters.git import git
from flows.gitops import ledger
from flows.gitops.events import chronicle
from flows.project import settings
from flows.project.root import ROOT
from sluice.errors import SluiceError
from sluice.gate.first_ledger import FirstLedger
from sluice.gate.ledger import Use
from sluice.gitops.state import decode
from sluice.model.artifact import model_artifact
from sluice.model.fit.conversion import TOLERANCE

OLDEST = expected("lineage-oldest")["digest"]
LATEST = expected("lineage")
FACTS_OF_AN_IMAGE = ("tag", "digest", "parts", "release", "quarantined", "deletable")


@pytest.fixture(scope="module")
def restored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return old_state.restore(tmp_path_factory.mktemp("restored"))


@pytest.fixture
def old(restored: Path, tmp_path: Path) -> Path:
    """A copy for one test, which this process is set to use: its folder."""
    return old_state.enter(restored, tmp_path / "old")


def read(ended: Ended) -> Any:
    """What a command said as JSON."""
    assert (ended.code, ended.err) == (0, "")
    return json.loads(ended.out)


def live_entry(folder: Path) -> str:
    """The kustomization that Argo CD applies to production."""
    return old_state.shown(folder, "overlays/production/kustomization.yaml")


def test_the_branches_are_the_ones_that_were_kept(old: Path) -> None:
    assert refs(old) == expected("refs")


# What commands tell since then beside what they told.
ADDED = {
    "status": (
        *("home", "demo", "repo", "branch", "registry", "data"),
        *("quarantined", "proposals", "next", "other_home", "anchor_fault", "canary", "approvals"),
    )
}


def as_before(said: Any, name: str) -> Any:
    """What a command said, without the fields that it has got since."""
    for field in ADDED.get(name, ()):
        said.pop(field)
    return said


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("history", ("history",)),
        ("status", ("status",)),
        ("anchor", ("anchor",)),
        ("quarantine", ("quarantine",)),
        ("lineage", ("lineage", "latest")),
        ("lineage-oldest", ("lineage", OLDEST)),
        ("data", ("lineage", "--data", LATEST["data"]["sha256"])),
        ("verify", ("verify", "latest")),
        ("verify-oldest", ("verify", OLDEST)),
    ],
)
def test_commands_say_what_they_said(
    name: str, words: tuple[str, ...], old: Path, sluice: Sluice
) -> None:
    assert as_before(read(sluice(*words, "--json")), name) == expected(name)
    assert refs(old) == expected("refs")


@pytest.mark.parametrize("name", ["history", "status", "anchor"])
def test_staging_has_what_it_had(name: str, old: Path, sluice: Sluice) -> None:
    os.environ["SLUICE_OVERLAY"] = "staging"
    assert as_before(read(sluice(name, "--json")), name) == expected(f"{name}-staging")


def test_everything_that_can_happen_happened_there() -> None:
    """A fixture that lacks something would prove nothing about it."""
    events = expected("history")["events"]
    assert Counter(event["kind"] for event in events) == {
        "start": 1,
        "release": 5,
        "edit": 1,
        "verdict": 3,
        "rollback": 1,
        "quarantine": 1,
        "lift": 1,
        "anchor": 1,
    }
    outcomes = [event["outcome"] for event in events if event["kind"] == "verdict"]
    assert outcomes == ["hold", "refused", "proposed"]
    assert [bool(entry["lifted"]) for entry in expected("quarantine")] == [False, True]


def test_images_are_kept_and_barred_as_they_were(old: Path, sluice: Sluice) -> None:
    def facts(images: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{name: image[name] for name in FACTS_OF_AN_IMAGE} for image in images]

    found = read(sluice("images", "--json"))
    assert len(found) == 5
    assert facts(found) == facts(expected("images"))


def test_every_release_is_sound(old: Path, sluice: Sluice) -> None:
    tags = [image["tag"] for image in expected("images") if image["release"]]
    told = [read(sluice("verify", tag, "--json")) for tag in tags]
    assert [(one["tag"], one["sound"], one["problems"]) for one in told] == [
        (tag, True, []) for tag in tags
    ]


def test_one_changed_byte_is_found(old: Path, sluice: Sluice) -> None:
    blobs = old / "home" / "registry" / "attrition" / "blobs" / "sha256"
    manifest = json.loads((blobs / LATEST["digest"].removeprefix("sha256:")).read_bytes())
    layer = blobs / manifest["layers"][0]["digest"].removeprefix("sha256:")
    content = bytearray(layer.read_bytes())
    content[len(content) // 2] ^= 1
    layer.write_bytes(content)
    assert sluice("verify", "latest").code == 3


def test_the_override_is_still_told(old: Path, sluice: Sluice) -> None:
    [overridden] = [image["tag"] for image in expected("images") if image["quarantined"]]
    approved = read(sluice("lineage", overridden, "--json"))["approved"]
    assert "recall_floor waived by anna@example.com until 2099-12-24" in approved["override"]


@pytest.mark.parametrize("release", [OLDEST, LATEST["digest"]], ids=["oldest", "latest"])
def test_the_model_answers_as_it_did(
    release: str, old: Path, sluice: Sluice, tmp_path: Path
) -> None:
    read(sluice("lineage", release, "--out", tmp_path / "out", "--json"))
    model = tmp_path / "out" / "model"
    assert model_artifact.check_golden(model) <= TOLERANCE

    document = json.loads((model / "golden.json").read_text())
    document["scores"][0] += 2 * TOLERANCE
    (model / "golden.json").write_text(json.dumps(document))
    with pytest.raises(SluiceError, match="golden records"):
        model_artifact.check_golden(model)


def test_a_rollback_passes_over_the_quarantine_in_one_commit(old: Path, sluice: Sluice) -> None:
    before, ends = refs(old), expected("rollback")
    assert ends["from"]["digest"] in live_entry(old)
    told = read(sluice("rollback", "--reason", "flags nobody", "--no-boot", "--json"))
    assert told["to"].pop("proof").startswith("how its canary ended is not recorded")
    assert {name: told[name] for name in ends} == ends

    after = refs(old)
    assert told["commit"] == after["refs/heads/main"]
    parent = git.git("rev-parse", "main^", cwd=old / "manifests.git").strip()
    assert {**after, "refs/heads/main": parent} == before
    assert ends["to"]["digest"] in live_entry(old)
    assert ends["from"]["digest"] not in live_entry(old)

    barred = [entry for entry in read(sluice("quarantine", "--json")) if not entry["lifted"]]
    assert [entry["release"] for entry in barred] == [4, 6]
    assert read(sluice("status", "--json"))["champion"]["release"] == 2
    assert read(sluice("verify", ends["to"]["digest"], "--json"))["sound"] is True
    assert read(sluice("rollback", "--reason", "worse", "--no-boot", "--json"))["release"] == 1


def test_a_rollback_never_goes_to_what_was_barred_then(old: Path, sluice: Sluice) -> None:
    [barred] = [entry for entry in expected("quarantine") if not entry["lifted"]]
    ended = sluice("rollback", "--to", barred["tag"], "--reason", "back again", "--no-boot")
    assert ended.code == 3
    assert barred["why"] in ended.err
    assert refs(old) == expected("refs")


def test_before_an_image_is_started_its_artifact_is_found(
    old: Path, sluice: Sluice, tools: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The golden records are read and their artifact is held against the champion; then a tool is
    asked for.
    """
    monkeypatch.setenv("PATH", tools)
    ended = sluice("rollback", "--reason", "flags nobody")
    assert ended.code == 2
    assert "--no-boot" in ended.err
    assert refs(old) == expected("refs")


def _first(old: Path) -> FirstLedger:
    """The ledger as the older version left it."""
    text = old_state.shown(old, "attrition.json", LEDGER)
    return decode(text, FirstLedger, "the ledger")


def _use(candidate: str, split: str, salted: tuple[int, ...]) -> Use:
    """A use of a holdout whose positives have these hashes, with the salt of the older version."""
    return Use(
        candidate,
        ids=tuple(f"id {row}" for row in salted),
        today=date(2026, 3, 2),
        split=split,
        salted=salted,
    )


@pytest.mark.parametrize("name", ["the same split", "the same rows under another name"])
def test_the_ledger_counts_on(name: str, old: Path) -> None:
    given, known = settings.load(), expected("ledger")
    first = _first(old)
    assert len(first.releases) == known["releases"]
    assert first.holdouts.keys() == known["uses"].keys()
    [(split, uses)] = known["uses"].items()
    salted = first.holdouts[split].sketch
    named = split if name == "the same split" else "0.5999"
    for candidate, before in uses["before"].items():
        assert ledger.peek(given, "attrition", _use(candidate, named, salted)) == (before, 0)
        assert ledger.known(given, "attrition", candidate) == (before, 0)
    new = _use("a new one", named, salted)
    assert ledger.peek(given, "attrition", new) == (uses["next"], 0)
    assert refs(old) == expected("refs")
    assert ledger.reserve(given, "attrition", new, 6) == (known["newest"] + 1, (uses["next"], 0))
    after = old_state.shown(old, "attrition.json", LEDGER)
    assert not any(str(row) in after for row in salted)
    assert json.loads(after)["schema"] == 2
    assert ledger.peek(given, "attrition", _use("the next", "any", salted)) == (uses["next"] + 1, 0)


def test_the_candidate_with_the_newest_number_keeps_it(old: Path) -> None:
    given, known = settings.load(), expected("ledger")
    [(split, uses)] = known["uses"].items()
    candidate = list(uses["before"])[-1]
    again = _use(candidate, split, _first(old).holdouts[split].sketch)
    reserved = ledger.reserve(given, "attrition", again, 6)
    assert reserved == (known["newest"], (uses["before"][candidate], 0))
    once = refs(old)
    assert ledger.reserve(given, "attrition", again, 6) == reserved
    assert refs(old) == once


def test_old_hashes_leave_the_history_as_operations_say_and_the_ledger_goes_on(old: Path) -> None:
    given, first = settings.load(), _first(old)
    [(split, uses)] = expected("ledger")["uses"].items()
    salted = first.holdouts[split].sketch
    ledger.reserve(given, "attrition", _use("a new one", split, salted), 6)
    told = [event for event in chronicle(given) if event.kind in ("reserved", "verdict")]

    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    [recipe] = re.findall(r"((?:    .*\n)*    git filter-branch.*\n(?:    .*\n)*)", text)
    clone = old / "clone"
    git.git("clone", "--quiet", old / "manifests.git", clone)
    quiet = {**os.environ, "FILTER_BRANCH_SQUELCH_WARNING": "1"}
    subprocess.run(["bash", "-ec", recipe], cwd=clone, env=quiet, check=True, capture_output=True)

    branch = git.git("rev-list", "--objects", LEDGER, cwd=old / "manifests.git")
    blobs = [line.split()[0] for line in branch.splitlines()]
    everything = "".join(git.git("cat-file", "-p", one, cwd=old / "manifests.git") for one in blobs)
    assert not any(str(row) in everything for row in salted)
    after = [event for event in chronicle(given) if event.kind in ("reserved", "verdict")]
    assert [(one.subject, one.date) for one in after] == [(one.subject, one.date) for one in told]
    more = _use("the next", split, salted)
    assert ledger.reserve(given, "attrition", more, 6) == (9, (uses["next"] + 1, 0))
