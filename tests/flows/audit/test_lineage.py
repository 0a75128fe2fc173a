"""`sluice lineage` on a real release: everything from the manifest repo and the registry, with
nothing else there.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from support import by_hand, environment, releases
from support.command_line import Sluice
from support.releases import Story, Told, release

from flows.adapters.git import git
from flows.adapters.registry import registry
from flows.adapters.registry.layout import Layout
from flows.gitops import events
from flows.project import settings
from flows.project.root import ROOT
from sluice.identity import folder_hash, sha256


@pytest.fixture(scope="module")
def judged(
    promoted: tuple[Story, Told], tmp_path_factory: pytest.TempPathFactory, tools: str
) -> tuple[Story, Told]:
    """The first release is live; a second candidate, on other data, was judged and not released."""
    own = releases.copy(promoted[0], tmp_path_factory.mktemp("judged"))
    with environment.kept():
        releases.enter(own, tools)
        return own, release(data=other(own))


def other(here: Story) -> Path:
    path = here.project / "other.csv"
    path.write_bytes(
        releases.change(here.rows.read_bytes(), releases.row_in("holdout"), "Monthly Income", 5001)
    )
    return path


@pytest.fixture
def here(judged: tuple[Story, Told], tools: str, tmp_path: Path) -> Story:
    own = releases.copy(judged[0], tmp_path)
    releases.enter(own, tools)
    return own


@pytest.fixture
def stranger(here: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Story:
    """A machine with an empty project, an empty HOME, and nothing of its own but the manifest repo
    and the registry.
    """
    bare = tmp_path / "elsewhere" / "home"
    for name in ("manifests.git", "registry"):
        shutil.copytree(here.home / name, bare / name)
    for name, value in {
        "HOME": tmp_path / "nobody",
        "SLUICE_HOME": bare,
        "SLUICE_PROJECT": tmp_path / "empty",
    }.items():
        monkeypatch.setenv(name, str(value))
    return Story(tmp_path / "empty", bare)


def lineage(sluice: Sluice, *words: object, code: int = 0) -> dict[str, Any]:
    ended = sluice("lineage", *words, "--json")
    assert (ended.code, ended.err) == (code, "")
    found: dict[str, Any] = json.loads(ended.out)
    return found


def test_everything_is_known_to_a_stranger(
    stranger: Story, promoted: tuple[Story, Told], sluice: Sluice
) -> None:
    outcome = promoted[1].outcome
    found = lineage(sluice, outcome["digest"])
    assert (found["image"], found["tag"], found["commit"]) == (
        outcome["reference"],
        outcome["tag"],
        outcome["commit"],
    )
    assert found["data"]["sha256"] == sha256((promoted[0].rows).read_bytes())
    assert (found["data"]["rows"], sum(found["data"]["split"].values())) == (
        releases.ROWS,
        releases.ROWS,
    )
    assert set(found["made_of"]) >= {"training-data", "policy", "code", "lock", "model"}
    assert (found["lock"], found["interpreter"][:8], found["platform"][:5]) == (
        sha256((ROOT / "uv.lock").read_bytes()),
        "cpython-",
        "linux",
    )
    assert any(line.startswith("openblas ") for line in found["blas"])
    assert " cores" in found["hardware"]
    assert found["seeds"] == {"search": 20_260_101, "split": "attrition-2026"}
    low, high = found["metrics"]["recall"]["interval"]
    assert low < found["metrics"]["recall"]["value"] < high
    assert found["verdict"]["verdict"] == "PROMOTE"
    assert found["verdict"]["rules"]
    assert (found["approved"]["by"], found["approved"]["override"]) == (
        "Sluice <sluice@localhost>",
        None,
    )
    assert (len(found["runs"]["prefect"]), len(found["runs"]["mlflow"])) == (36, 32)
    assert (found["live"], found["previous"], found["next"]) == (True, None, None)
    assert (found["contradictions"], found["missing"]) == ([], [])


def test_a_person_reads_it(stranger: Story, promoted: tuple[Story, Told], sluice: Sluice) -> None:
    ended = sluice("lineage", "latest")
    assert (ended.code, ended.err) == (0, "")
    for said in (
        "2,400 rows",
        "Seeds",
        "PROMOTE: ",
        "Override",
        promoted[1].outcome["digest"],
        "the first release",
    ):
        assert said in ended.out
    assert ended.out.splitlines()[-1].startswith("Live: release 1 of attrition, since 20")


def test_all_names_lead_to_the_same(
    here: Story, promoted: tuple[Story, Told], sluice: Sluice
) -> None:
    outcome = promoted[1].outcome
    words = (
        outcome["digest"][:19],
        outcome["digest"][7:15],
        outcome["tag"],
        outcome["tag"][:6],
        outcome["commit"],
        outcome["commit"][:8],
        outcome["reference"],
        "latest",
        "live",
    )
    assert {lineage(sluice, word)["digest"] for word in words} == {outcome["digest"]}


def test_a_step_that_is_done_again_meanwhile_hides_no_other(here: Story, sluice: Sluice) -> None:
    """Its folder is put aside between two looks: the record was still there, the page is not."""
    judged = ("lineage", "--data", str(here.rows), "--json")
    before = sluice(*judged)
    assert json.loads(before.out)["deployments"]
    store = here.home / "store" / "evidence"
    for number, kept in enumerate(list(store.glob("*/step.json"))):
        aside = store / f"{number:064}"
        aside.mkdir()
        shutil.copy(kept, aside / "step.json")
    assert sluice(*judged) == before


def test_what_is_unknown_says_where_it_looked(here: Story, sluice: Sluice) -> None:
    for words in (("abcdef12",), ("--data", "abcdef12")):
        ended = sluice("lineage", *words)
        assert (ended.code, ended.out) == (2, "")
        assert f"branch main of {here.home}/manifests.git" in ended.err
    assert "no release and no data are named" in sluice("lineage").err


def test_model_and_evidence_are_found_again(
    stranger: Story, sluice: Sluice, tmp_path: Path
) -> None:
    found = lineage(sluice, "latest", "--out", tmp_path / "out")
    assert folder_hash(tmp_path / "out" / "model") == found["made_of"]["model"]
    assert json.loads((tmp_path / "out" / "verdict.json").read_text())["verdict"] == "PROMOTE"
    assert (tmp_path / "out" / "evidence.html").is_file()


def test_from_the_registry_alone(
    stranger: Story, promoted: tuple[Story, Told], sluice: Sluice
) -> None:
    """The digest leads to the annotations, these to the tag, the tag to evidence and model."""
    shutil.rmtree(stranger.home / "manifests.git")
    digest = promoted[1].outcome["digest"]
    assert "Name one with --model" in sluice("lineage", digest).err
    found = lineage(sluice, digest, "--model", "attrition")
    assert (found["tag"], found["verdict"]["verdict"], found["commit"]) == (
        promoted[1].outcome["tag"],
        "PROMOTE",
        "",
    )
    assert (
        sluice("lineage", digest, "--model", "attrition")
        .out.splitlines()[-1]
        .startswith("Never released: ")
    )


def test_without_the_registry_git_tells_what_it_knows(stranger: Story, sluice: Sluice) -> None:
    shutil.rmtree(stranger.home / "registry")
    found = lineage(sluice, "latest", code=1)
    assert (len(found["missing"]), len(found["data"]["sha256"]), found["verdict"]["verdict"]) == (
        2,
        64,
        "PROMOTE",
    )
    assert sluice("lineage", "latest").out.splitlines()[-1].startswith("Incomplete: ")


def test_a_commit_that_contradicts_its_image_is_refused(
    here: Story,
    promoted: tuple[Story, Told],
    sluice: Sluice,
) -> None:
    with by_hand.clone(str(here.home / "manifests.git"), "main") as repo:
        message = git.git("log", "-1", "--format=%B", cwd=repo.path)
        line = next(line for line in message.splitlines() if line.startswith("Training-Hash: "))
        overlay = repo.path / "overlays" / "production" / "kustomization.yaml"
        overlay.write_text(overlay.read_text() + "# touched\n")
        by_hand.commit(
            repo, message.replace(line, f"Training-Hash: {'0' * 64}"), "Eve <eve@example.com>"
        )
        by_hand.push(repo)
    found = lineage(sluice, promoted[1].outcome["tag"], code=3)
    assert any(
        "training-data: the commit says 000000000000, the image" in line
        for line in found["contradictions"]
    )
    ended = sluice("lineage", "latest")
    assert "Disagrees" in ended.out
    assert ended.out.splitlines()[-1].startswith("Disagreement: ")


def test_data_lead_to_what_was_made_of_them(
    stranger: Story,
    judged: tuple[Story, Told],
    sluice: Sluice,
) -> None:
    place, told = judged
    assert told.outcome["outcome"] in ("hold", "refused")
    rows = lineage(sluice, "--data", place.rows)
    assert [(event["release"], event["live"]) for event in rows["deployments"]] == [(1, True)]
    assert (rows["candidates"], rows["here"]) == ([], [])
    found = lineage(sluice, "--data", sha256((place.project / "other.csv").read_bytes())[:12])
    assert [(event["release"], event["verdict"]) for event in found["candidates"]] == [
        (2, told.outcome["verdict"])
    ]
    assert (found["deployments"], found["data"]) == (
        [],
        sha256((place.project / "other.csv").read_bytes()),
    )
    assert (
        sluice("lineage", "--data", place.rows)
        .out.splitlines()[-1]
        .startswith("Live from these data: release 1 of attrition.")
    )


def test_training_rows_lead_there_too(here: Story, sluice: Sluice) -> None:
    made = lineage(sluice, "latest")["made_of"]["training-data"]
    assert [event["release"] for event in lineage(sluice, "--data", made)["deployments"]] == [1]


def test_a_number_that_led_nowhere_is_said(here: Story, sluice: Sluice) -> None:
    """What the ledger knows of a release that was killed between its number and its verdict."""
    with by_hand.clone(str(here.home / "manifests.git"), "sluice-ledger") as repo:
        (repo.path / "attrition.json").write_text((repo.path / "attrition.json").read_text() + "\n")
        by_hand.commit(repo, "Reserve release 9 of attrition\n\nCandidate x.\n", "Sluice <s@x>")
        by_hand.push(repo)
    assert [item["release"] for item in lineage(sluice, "--data", here.rows)["unknown"]] == [9]
    assert "Cannot be known" in sluice("lineage", "--data", here.rows).out


def test_a_verdict_is_noted_once(here: Story) -> None:
    """Saying it again, all steps a HIT, writes nothing."""
    ledger = git.tip(str(here.home / "manifests.git"), "sluice-ledger")
    told = release(data=here.project / "other.csv")
    assert set(told.steps.values()) == {"hit"}
    assert git.tip(str(here.home / "manifests.git"), "sluice-ledger") == ledger
    noted = [event for event in events.chronicle(settings.load()) if event.kind == "verdict"]
    assert [(event.release, event.model) for event in noted] == [(2, "attrition")]


def test_the_image_carries_what_its_tag_is_made_of_and_no_more(here: Story, sluice: Sluice) -> None:
    """Nothing in it depends on a holdout row: the second candidate, with another one, has the same
    tag.
    """
    found = lineage(sluice, "latest")
    notes = registry.annotations(Layout(here.home / "registry" / "attrition"), found["digest"])
    assert set(notes) == {f"dev.sluice.{name}" for name in found["made_of"]}
    assert {value for value in notes.values() if len(value) == 64}.isdisjoint(
        {found["data"]["sha256"], found["evidence"]}
    )
