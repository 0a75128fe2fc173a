"""From staging to production goes the very digest that somebody calls healthy there, on the same
evidence; nothing else does.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from support import environment
from support.approving import TODAY, allow
from support.releases import (
    Story,
    copy,
    enter,
    keep_image,
    path_without_builders,
)
from support.signing import IDENTITY, commit, key, project_of, protect

from flows.adapters.git import git as adapter
from flows.audit import find_release
from flows.audit.verify import verify
from flows.cli.releases.promote import run_promote
from flows.decision import carried_over
from flows.decision.carried_over import Places
from flows.gitops import approvals as branch
from flows.gitops import manifest_repo, promotion, quarantine
from flows.project import settings
from flows.project.settings import Settings
from flows.release import without_prefect
from sluice.errors import Refused, UsageError
from sluice.gitops import state, trailers
from sluice.gitops.state import Canary, Champion
from sluice.gitops.trailers import read_trailers

STAGING = "state/attrition/staging/champion.json"
Capsys = pytest.CaptureFixture[str]
PASSED = Canary(ended="healthy", when="2026-11-20T10:00:00Z", why="4 looks passed")


@dataclass(frozen=True)
class Scene:
    """A release that is live in staging, and the keys of those who may approve."""

    story: Story
    keys: dict[str, Path]
    tools: str


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    folder = tmp_path_factory.mktemp("staged")
    keys = {name: key(folder, name) for name in ("anna", "berta")}
    tools = path_without_builders(folder / "bin")
    (folder / "bin" / "ssh-keygen").symlink_to("/usr/bin/ssh-keygen")
    with environment.kept():
        project = project_of(keys["anna"], folder / "project")
        allow(project, keys)
        os.environ |= {"SLUICE_ACTOR": "bot", "SLUICE_OVERLAY": "staging"}
        commit(project, "what is released", None, "change.txt")
        story = Story(project, folder / "home")
        enter(story, tools)
        without_prefect(
            "attrition", None, cache=True
        )  # ends before the image, which no builder here makes
        keep_image()
        assert without_prefect("attrition", None, cache=True).outcome == "promoted"
        return Scene(story, keys, tools)


@pytest.fixture
def scene(staged: Scene, tmp_path: Path) -> Scene:
    story = copy(staged.story, tmp_path)
    os.environ |= {
        **IDENTITY,
        "SLUICE_HOME": str(story.home),
        "SLUICE_PROJECT": str(story.project),
        "SLUICE_PROTECTED_REF": "main",
        "SLUICE_TRACKING_URI": "",
        "PATH": staged.tools,
    }
    return Scene(story, staged.keys, staged.tools)


def both(scene: Scene, name: str = "") -> Places:
    """The two places, as a person has them who signs; or as a runner has them."""
    given = settings.load()
    if name:
        key_of = str(scene.keys[name])
        given = given.model_copy(
            update={"author": f"{name} <{name}@example.com>", "signing_key": key_of}
        )
    return carried_over.places(given, "staging", "production")


def live(overlay: str) -> Champion | None:
    given = settings.load().model_copy(update={"overlay": overlay})
    found = manifest_repo.live(given, "attrition")
    assert found is not None
    return found.champion


def edit(given: Settings, path: str, content: str, message: str = "Write it\n") -> None:
    """Somebody writes a file of the manifest repo."""
    with adapter.clone(given.remote, given.branch) as repo:
        adapter.push(repo, adapter.commit(repo, {path: content.encode()}, message, given.signature))


def record(path: str, champion: Champion) -> None:
    """The reconciler writes beside a champion how its canary ended."""
    message = "Record the canary\n\nIt ended.\n\nModel: attrition\nCanary: healthy\n"
    edit(settings.load(), path, state.encode(champion), message)


def passed(canary: Canary = PASSED) -> None:
    """The cluster says how the canary in staging ended."""
    champion = live("staging")
    assert champion is not None
    record(STAGING, msgspec.structs.replace(champion, canary=canary))


def carried(scene: Scene, evidence: str = "") -> carried_over.Carried:
    return carried_over.carry_over(both(scene), "attrition", evidence, TODAY)


def refused(scene: Scene, said: str, evidence: str = "") -> Refused:
    with pytest.raises(Refused, match=said) as raised:
        carried(scene, evidence)
    assert live("production") is None
    return raised.value


def test_the_very_digest_goes_over_on_the_same_evidence(scene: Scene, capsys: Capsys) -> None:
    passed()
    there = live("staging")
    assert there is not None
    assert run_promote(both(scene), "attrition", there.evidence[:20], "", as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["outcome"], told["digest"]) == ("committed", there.digest)
    here = live("production")
    assert here is not None
    assert (here.digest, here.evidence, here.release) == (there.digest, there.evidence, 1)
    assert here.promotion != there.promotion
    assert here.canary is msgspec.UNSET  # production has a canary of its own
    given = settings.load()
    [(_, _, message), *_] = adapter.log(given.remote, given.branch)
    said = read_trailers(message)
    assert said["Promoted-From"].startswith("staging in ")
    assert said["Healthy"] == (
        "healthy since 2026-11-20T10:00:00Z, as its cluster says: 4 looks passed"
    )
    assert said["Evidence-Hash"] == there.evidence
    assert verify(given, find_release.trace(given, "latest", "attrition")).problems == []


def test_run_again_it_has_nothing_to_do(scene: Scene, capsys: Capsys) -> None:
    passed()
    assert carried(scene).written.outcome == "committed"
    assert run_promote(both(scene), "attrition", "", "", as_json=False) == 0
    assert "Nothing to do: release 1 is live in production already." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("canary", "said"),
    [
        (None, "nobody says that it is healthy there"),
        (Canary(ended="unproven", when="x", why="no step is an analysis"), "it is unproven"),
        (Canary(ended="harmful", when="x", why="it failed"), "it is harmful"),
    ],
)
def test_without_evidence_of_health_it_is_refused(
    canary: Canary | None, said: str, scene: Scene
) -> None:
    if canary:
        passed(canary)
    assert "--vouch TEXT" in refused(scene, said).fix


def test_a_person_vouches_by_a_signature(scene: Scene, capsys: Capsys) -> None:
    text = "two days without an alarm"
    assert run_promote(both(scene, "anna"), "attrition", "", text, as_json=False) == 0
    assert "as anna@example.com signed in " in " ".join(capsys.readouterr().out.split())
    assert live("production") is not None


def test_nobody_vouches_without_a_name(scene: Scene) -> None:
    unsigned = both(scene)
    with pytest.raises(Refused, match="does not count: its commit is signed by nobody"):
        carried_over.vouch(unsigned, "attrition", unsigned.source.signature, "it runs", TODAY)
    refused(scene, "nobody says that it is healthy there")


def test_other_evidence_than_was_approved_is_void(scene: Scene) -> None:
    """Whoever approved the job read the evidence that it names."""
    passed()
    for _replay in range(5):
        error = refused(scene, "that which was approved is abcdef012345", "abcdef012345")
        assert "is void" in error.fix


def test_a_person_who_edited_staging_is_not_carried_over(scene: Scene) -> None:
    passed()
    given = settings.load()
    path = "overlays/staging/kustomization.yaml"
    with adapter.clone(given.remote, given.branch) as repo:
        text = (adapter.file(repo, path) or b"").decode()
    champion = live("staging")
    assert champion is not None
    edit(given, path, text.replace(champion.digest, "sha256:" + "9" * 64))
    refused(scene, "in staging a person set")


def test_what_is_not_sound_is_refused(scene: Scene) -> None:
    passed()
    champion = live("staging")
    assert champion is not None
    broken = msgspec.structs.replace(champion, model="0" * 64, canary=PASSED)
    edit(settings.load(), STAGING, state.encode(broken))
    refused(scene, "is not sound")


def test_a_digest_in_quarantine_stays_where_it_is(scene: Scene) -> None:
    passed()
    champion = live("staging")
    assert champion is not None
    quarantine.add(settings.load(), "attrition", champion.digest, "it harms")
    found = carried(scene)
    assert (found.written.outcome, found.exit_code) == ("quarantined", 3)
    assert live("production") is None


def test_what_was_never_compared_with_production_is_refused(scene: Scene) -> None:
    """Its champion was never in staging, so no comparison leads to it."""
    passed()
    champion = live("staging")
    assert champion is not None
    stranger = msgspec.structs.replace(champion, digest="sha256:" + "7" * 64, tag="7" * 40)
    record("state/attrition/champion.json", stranger)
    with pytest.raises(Refused, match="which was never live in staging"):
        carried(scene)


def test_between_check_and_commit_another_release_came(scene: Scene) -> None:
    passed()
    champion = live("staging")
    assert champion is not None
    newer = msgspec.structs.replace(champion, digest="sha256:" + "7" * 64, release=2)
    edit(settings.load(), STAGING, state.encode(newer))
    said = trailers.Promotion(
        promotion_id="x", model="attrition", release=1, image_digest="x", against="none"
    )
    going = promotion.CarriedOver(champion, None, said, "It is good.")
    places = both(scene)
    found = promotion.carry_over(places.source, places.target, "attrition", going)
    assert (found.outcome, found.sentence) == (
        "superseded",
        "release 2 is live in staging by now",
    )


def test_production_waits_for_people_where_the_policy_asks_them(scene: Scene) -> None:
    """By the policy that is reviewed, also where the one that ships asks nobody."""
    path = "models/attrition/policy.toml"
    project = scene.story.project
    asks = (project / path).read_text() + "\n[approvals]\nrequired = 2\n"
    protect(project, asks, path)
    passed()
    held = carried(scene)
    assert held.written.outcome == "held for approval"
    assert live("production") is None
    for name in ("anna", "berta"):
        given = both(scene, name).target
        asked = branch.waiting(given, "attrition")
        assert asked is not None
        assert asked.evidence == held.champion.evidence
        branch.answer(given, asked, "approve", given.signature)
    assert carried(scene).written.outcome == "committed"
    given = settings.load()
    [(_, _, message), *_] = adapter.log(given.remote, given.branch)
    assert read_trailers(message)["Approved"].startswith("anna@example.com in ")
    assert verify(given, find_release.trace(given, "latest", "attrition")).problems == []


def test_two_places_are_two(scene: Scene) -> None:
    with pytest.raises(UsageError, match="--from and --to are both staging"):
        carried_over.places(settings.load(), "staging", "staging")


def test_nothing_is_live_there(scene: Scene) -> None:
    other = carried_over.places(settings.load(), "production", "staging")
    with pytest.raises(UsageError, match="nothing of attrition is live in production"):
        carried_over.carry_over(other, "attrition", "", TODAY)
