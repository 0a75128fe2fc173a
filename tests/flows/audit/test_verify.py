"""`sluice verify`, and what a promotion checks before it writes: a byte that is not what it was is
found and named.
"""

import errno
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from support import by_hand, flips, releases
from support.command_line import Sluice
from support.releases import Story, Told, keep_image

from flows.adapters.git import git
from flows.adapters.registry import layout, oci, registry
from flows.adapters.registry.layout import Layout
from flows.audit import find_release, verify
from flows.engine.perform import Plainly, lookup
from flows.engine.phases import Report
from flows.engine.store import Result
from flows.facts.imaged import Imaged
from flows.project import settings
from flows.steps import promote, recheck
from flows.steps.image import IMAGE
from flows.steps.package import PACKAGE
from sluice.errors import Refused, SluiceError
from sluice.gitops.lineage import MADE_OF


@pytest.fixture
def here(promoted: tuple[Story, Told], tools: str, tmp_path: Path) -> Story:
    own = releases.copy(promoted[0], tmp_path)
    releases.enter(own, tools)
    return own


@pytest.fixture
def decided(first: tuple[Story, Told], tools: str, tmp_path: Path) -> Story:
    """All is done but the promotion."""
    own = releases.copy(first[0], tmp_path)
    releases.enter(own, tools)
    keep_image()
    return own


def place(here: Story) -> Layout:
    return Layout(here.home / "registry" / "attrition")


def trailers() -> dict[str, str]:
    return dict(find_release.trace(settings.load(), "latest", "attrition").event.trailers)


def blob(here: Story, tag: str, file: str) -> Path:
    """Where a file of an artifact lies."""
    content = registry.manifest(place(here), tag)
    return place(here).folder / "blobs" / "sha256" / oci.hex_of(oci.files_of(content)[file].digest)


def told(sluice: Sluice, code: int, *words: str) -> dict[str, Any]:
    ended = sluice("verify", *(words or ("latest",)), "--json")
    assert (ended.code, ended.err) == (code, "")
    found: dict[str, Any] = json.loads(ended.out)
    return found


def test_a_sound_release_is_verified(here: Story, sluice: Sluice) -> None:
    found = told(sluice, 0)
    assert (found["sound"], found["problems"]) == (True, [])
    parts = {"image", "model", "evidence", "manifest repo", "service code", "base and packages"}
    parts |= {"statements"}
    assert set(found["checked"]) == parts
    assert set(found["checked"]["model"]) == {
        "manifest",
        "model.onnx",
        "contract.toml",
        "policy.toml",
        "reference.json",
        "metrics.json",
        "card.md",
        "golden.json",
    }
    assert (
        sluice("verify", "live")
        .out.splitlines()[-1]
        .startswith("Verified: release 1 of attrition, ")
    )


def test_from_the_registry_alone(here: Story, promoted: tuple[Story, Told], sluice: Sluice) -> None:
    shutil.rmtree(here.home / "manifests.git")
    assert told(sluice, 0, promoted[1].outcome["digest"])["release"] == 0


def test_a_flipped_byte_is_found_wherever_it_is_and_named(here: Story) -> None:
    """Here some bytes of every file; all of them in tests/e2e."""
    assert list(flips.missed(place(here).folder, trailers(), stride=173, samples=5)) == []


def test_what_is_missing_is_named(here: Story, sluice: Sluice) -> None:
    tag = trailers()["Image"].rpartition(":")[2]
    blob(here, f"{tag}.model", "model.onnx").unlink()
    ended = sluice("verify", "latest")
    assert ended.code == 3
    assert f"model.onnx of {tag}.model" in ended.out
    assert ended.out.splitlines()[-1] == (
        f"Refused: release 1 of attrition is not what was promoted: model.onnx of {tag}.model."
    )


def test_a_disk_that_fails_says_nothing_about_the_release(
    here: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Path:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(registry, "pull_blob", broken)
    with pytest.raises(SluiceError, match="Input/output error") as raised:
        verify.require(place(here), trailers())
    assert raised.value.exit_code == 1


def test_a_tag_that_was_moved_is_found(here: Story) -> None:
    """A registry that lets tags be moved: the artifact is sound in itself, and not the one that was
    promoted.
    """
    tag = trailers()["Image"].rpartition(":")[2]
    files = dict(registry.pull_files(place(here), f"{tag}.model"))
    files["card.md"] += b"Quite safe.\n"
    notes = registry.annotations(place(here), f"{tag}.model")
    index = place(here).folder / "index.json"
    document = json.loads(index.read_text())
    document["manifests"] = [
        entry for entry in document["manifests"] if not str(entry).count(f"{tag}.model")
    ]
    index.write_bytes(oci.encode(document))
    registry.push_files(
        place(here), f"{tag}.model", files, "application/vnd.sluice.model.v1", notes
    )
    found = [str(problem) for problem in verify.check(place(here), trailers()).problems]
    assert len(found) == 1
    assert found[0].startswith(f"{tag}.model: it hashes to ")


def rewritten(here: Story, file: str, content: bytes) -> dict[str, str]:
    """The trailers of a commit that names evidence in which one file was changed, all hashes of OCI
    in order.
    """
    said = trailers()
    files = dict(registry.pull_files(place(here), said["Evidence-Hash"])) | {file: content}
    notes = registry.annotations(place(here), said["Evidence-Hash"])
    return {
        **said,
        "Evidence-Hash": registry.push_files(place(here), "forged", files, "x/y", notes),
    }


@pytest.mark.parametrize("file", ["metrics.json", "verdict.json", "evidence.html", "evidence.json"])
def test_evidence_that_was_changed_in_good_order_is_not_what_was_sealed(
    file: str, here: Story
) -> None:
    before = registry.pull_files(place(here), trailers()["Evidence-Hash"])[file]
    problems = verify.check(
        place(here), rewritten(here, file, before.replace(b"0.", b"1.", 1) + b" ")
    ).problems
    tag = trailers()["Image"].rpartition(":")[2]
    named = {problem.file for problem in problems}
    assert f"manifest of {tag}.evidence" in named
    if file in ("metrics.json", "verdict.json"):
        assert f"{file} of {tag}.evidence" in named


@pytest.mark.parametrize("trailer", [*MADE_OF, "Data-Hash", "Verdict"])
def test_a_commit_that_says_something_else_is_found(trailer: str, here: Story) -> None:
    found = verify.check(place(here), {**trailers(), trailer: "0" * 64}).problems
    assert "the commit" in {problem.file for problem in found}


@pytest.mark.parametrize("verdict", ["REJECT", "INSUFFICIENT", "", "HOLD", "promote"])
def test_a_commit_whose_verdict_does_not_promote_is_found(verdict: str, here: Story) -> None:
    """The evidence says the same, in good order: it was pushed with the commit."""
    said = trailers()
    files = dict(registry.pull_files(place(here), said["Evidence-Hash"]))
    evidence = json.loads(files["evidence.json"])
    evidence["verdict"] |= {"verdict": verdict, "refresh": False}
    forged = rewritten(here, "evidence.json", json.dumps(evidence).encode()) | {"Verdict": verdict}
    sentence = f"its verdict is {verdict or 'not told'}; PROMOTE is required"
    found = verify.check(place(here), forged).problems
    assert any(problem.what.startswith(sentence) for problem in found)
    with pytest.raises(Refused, match=sentence):
        verify.require(place(here), forged)


def test_a_hold_that_may_replace_its_champion_may_be_promoted(here: Story) -> None:
    said = trailers()
    files = dict(registry.pull_files(place(here), said["Evidence-Hash"]))
    evidence = json.loads(files["evidence.json"])
    evidence["verdict"] |= {"verdict": "HOLD", "refresh": True}
    forged = rewritten(here, "evidence.json", json.dumps(evidence).encode()) | {"Verdict": "HOLD"}
    assert "its verdict is" not in str(verify.check(place(here), forged).problems)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("model", "0" * 64),
        ("data", "0" * 64),
        ("evidence", "sha256:" + "0" * 64),
        ("recall", 0.99),
        ("tag", "0" * 16),
        ("release", 7),
        ("schema", 2),
    ],
)
def test_a_state_that_was_changed_by_hand_is_found(
    name: str, value: object, here: Story, sluice: Sluice
) -> None:
    with by_hand.clone(str(here.home / "manifests.git"), "main") as repo:
        path = repo.path / "state" / "attrition" / "champion.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), name: value}))
        by_hand.commit(repo, "Better\n", "Eve <eve@example.com>")
        by_hand.push(repo)
    problems = told(sluice, 3)["problems"]
    assert {problem["file"] for problem in problems} == {"state/attrition/champion.json"}
    assert any("by Eve" in problem["what"] for problem in problems)
    refused = f"the {name} of state/attrition/champion.json is {value}"
    begin = (f"{name} is {value}", refused)
    assert any(problem["what"].startswith(begin) for problem in problems)


def test_an_anchor_that_was_changed_by_hand_is_found(here: Story, sluice: Sluice) -> None:
    with by_hand.clone(str(here.home / "manifests.git"), "main") as repo:
        path = repo.path / "state" / "attrition" / "anchor.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "recall": 0.5}))
        by_hand.commit(repo, "Tidy up\n", "Eve <eve@example.com>")
        by_hand.push(repo)
    said = [problem["what"] for problem in told(sluice, 3)["problems"]]
    assert any("by Eve" in what for what in said)
    assert any(what.startswith("recall in state/attrition/anchor.json is 0.5; 0.") for what in said)


def test_evidence_that_tells_more_or_less_than_its_policy_is_found(here: Story) -> None:
    files = dict(registry.pull_files(place(here), trailers()["Evidence-Hash"]))
    evidence = json.loads(files["evidence.json"]) | {"told": "words", "metrics": None}
    forged = rewritten(here, "evidence.json", json.dumps(evidence).encode())
    found = [problem.what for problem in verify.check(place(here), forged).problems]
    assert "it tells words, and the policy of its model figures" in found
    assert "it is there, and no figure is told" in found


def test_an_entry_whose_tag_a_person_changed_is_found(here: Story, sluice: Sluice) -> None:
    tag = trailers()["Image"].rpartition(":")[2]
    with by_hand.clone(str(here.home / "manifests.git"), "main") as repo:
        path = repo.path / "overlays" / "production" / "kustomization.yaml"
        path.write_text(path.read_text().replace(tag, "latest"))
        by_hand.commit(repo, "Latest\n", "Eve <eve@example.com>")
        by_hand.push(repo)
    [problem] = told(sluice, 3)["problems"]
    assert problem["file"] == "overlays/production/kustomization.yaml"
    assert problem["what"].startswith("newTag is latest")


def planned() -> tuple[Report, Result[Imaged]]:
    """The report of a release that lacks its promotion alone, and its image."""
    report = releases.planned().report
    assert report is not None
    here = Plainly(report.request.settings.home, report.request.model)
    packaged = lookup(here, PACKAGE, report.candidate)
    assert packaged is not None
    imaged = lookup(here, IMAGE, report.candidate, packaged)
    assert imaged is not None
    return report, imaged


def promoted_now() -> str:
    """What a promotion of the planned candidate comes to."""
    report, imaged = planned()
    return promote.promote(report, imaged, 1).outcome


def test_a_promotion_checks_before_it_writes(decided: Story) -> None:
    tag = planned()[1].facts.tag
    before = git.tip(str(decided.home / "manifests.git"), "main")
    manifest = oci.parse_manifest(registry.manifest(place(decided), tag))
    blobs = {
        f"{file} of {tag}.model": blob(decided, f"{tag}.model", file)
        for file in ("model.onnx", "metrics.json", "golden.json", "policy.toml")
    }
    for number, layer in enumerate(manifest.parts):
        name = f"layer {number} of image {tag}" if number else f"configuration of image {tag}"
        blobs[name] = place(decided).folder / "blobs" / "sha256" / oci.hex_of(layer.digest)
    for name, path in blobs.items():
        content = path.read_bytes()
        flips.flip(path, len(content) // 2)
        with pytest.raises(Refused, match="is not sound") as raised:
            promoted_now()
        assert name in raised.value.what
        path.write_bytes(content)
    assert git.tip(str(decided.home / "manifests.git"), "main") == before
    assert promoted_now() == "committed"


@pytest.mark.parametrize(
    ("step", "file"),
    [
        ("train", "model/model.onnx"),
        ("train", "model/metrics.json"),
        ("score", "metrics.json"),
        ("score", "case.json"),
        ("score", "scores.parquet"),
        ("gate", "verdict.json"),
        ("evidence", "evidence.json"),
        ("evidence", "evidence.html"),
    ],
)
def test_what_a_promotion_would_take_from_this_machine_is_checked_before(
    step: str, file: str, decided: Story
) -> None:
    report, _ = planned()
    decision = report.decision
    results: dict[str, Result[Any]] = {
        "train": report.candidate.trained,
        "score": decision.scored,
        "gate": decision.decided,
        "evidence": report.evidence,
    }
    path = results[step].folder / file
    size = path.stat().st_size
    for at in (0, size // 2, size - 1):
        flips.flip(path, at)
        with pytest.raises(Refused) as raised:
            recheck.check(report)
        assert f"{file} changed after {step} wrote it" in raised.value.what
        flips.flip(path, at)
    recheck.check(report)


def test_evidence_that_is_broken_in_the_registry_is_written_anew(decided: Story) -> None:
    """It was pushed by an earlier try, and its bytes were lost since; a promotion does not rest on
    them.
    """
    assert promoted_now() == "committed"
    tag = planned()[1].facts.tag
    path = blob(decided, f"{tag}.evidence", "metrics.json")
    flips.flip(path, 0)
    assert layout.digest(place(decided).folder, f"{tag}.evidence") is not None
    assert promoted_now() == "already there"
    assert verify.check(place(decided), trailers()).problems == []
