"""A release to a real registry and a manifest repo of one's own; then a runner that has nothing but
those two.
"""

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx2
import pytest
from support.argocd import seed
from support.clones import Clone, Demo, Finished, done, git, run, state
from test_registry_http import SERVER, serving

from flows.adapters.server import free_port

pytestmark = pytest.mark.skipif(
    not SERVER, reason="needs docker-registry (apt-get install docker-registry)"
)
RELEASE = (".venv/bin/sluice", "release", "attrition", "--json")
OCI = "application/vnd.oci.image.manifest.v1+json"


@dataclass(frozen=True)
class Team:
    """Registry and manifest repo that several machines write to."""

    host: str
    manifests: Path
    # how the release ended while nothing answered at the registry's address
    down: Finished | None = None

    @property
    def settings(self) -> dict[str, str]:
        """What each of those machines sets."""
        return {"SLUICE_REGISTRY": f"{self.host}/team", "SLUICE_MANIFESTS": str(self.manifests)}

    def log(self) -> list[str]:
        """The subjects of the commits that Argo CD would see, newest first."""
        return git(self.manifests, "log", "--format=%s", "main").splitlines()


@pytest.fixture(scope="module")
def team(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """The registry is down at first, and up after the first release."""
    folder, port = tmp_path_factory.mktemp("team"), free_port()
    later = Team(f"127.0.0.1:{port}", seed(folder))
    down = run(demo.clone, RELEASE, SLUICE_HOME=str(state(demo.clone)), **later.settings)
    with serving(folder / "registry", port=port):
        yield replace(later, down=down)
    shutil.rmtree(folder, ignore_errors=True)


def release(place: Clone, home: Path, team: Team, *words: str | Path) -> dict[str, str]:
    ended = done(place, [*RELEASE, *words], SLUICE_HOME=str(home), **team.settings)
    outcome: dict[str, str] = json.loads(ended.stdout)
    return outcome


@pytest.fixture(scope="module")
def first(demo: Demo, team: Team) -> dict[str, str]:
    """A release from the machine of the demo: all is known there, and nothing is in this registry
    yet.
    """
    return release(demo.clone, state(demo.clone), team)


def test_a_registry_that_is_down_is_said_and_the_next_run_is_the_first_release(
    first: dict[str, str], team: Team
) -> None:
    assert team.down is not None
    assert (team.down.code, json.loads(team.down.stdout)["exit_code"]) == (1, 1)
    assert f"nothing answers at {team.host}" in team.down.stderr
    assert "Traceback" not in team.down.stderr
    assert first["release"] == 1
    assert team.log() == [f"Release 1 of attrition: {first['tag']}", team.log()[-1]]


def test_the_image_is_there_by_tag_and_by_digest(first: dict[str, str], team: Team) -> None:
    assert first["outcome"] == "promoted"
    assert first["reference"] == f"{team.host}/team/attrition:{first['tag']}@{first['digest']}"
    for reference in (first["tag"], first["digest"]):
        answer = httpx2.head(
            f"http://{team.host}/v2/team/attrition/manifests/{reference}", headers={"accept": OCI}
        )
        assert answer.headers["docker-content-digest"] == first["digest"]
    tags = httpx2.get(f"http://{team.host}/v2/team/attrition/tags/list").json()["tags"]
    ours = [tag for tag in tags if not tag.startswith("ledger.")]
    stated = first["digest"].replace(":", "-")  # the list of what is signed about the image
    named = {first["tag"], f"{first['tag']}.evidence", f"{first['tag']}.model", stated}
    assert set(ours) == named
    # Beside the images: the secret of the ledger, and the mark of each release that was numbered.
    kept = sorted(tag.removeprefix("ledger.") for tag in tags if tag not in ours)
    keys = [tag for tag in kept if tag.startswith("key.")]
    assert len(keys) == 1
    assert kept == [*keys, *(f"release.{number}" for number in range(1, len(kept)))]


def test_where_it_is_kept_does_not_show_in_the_digest(first: dict[str, str], demo: Demo) -> None:
    assert demo.ended.shown("Image").endswith(f":{first['tag']}@{first['digest']}")


def test_one_commit_names_it(first: dict[str, str], team: Team) -> None:
    assert team.log()[0] == f"Release 1 of attrition: {first['tag']}"
    text = git(team.manifests, "show", "main:overlays/production/kustomization.yaml")
    assert re.search(
        rf"newName: {team.host}/team/attrition\n\s+newTag: \"?{first['tag']}\"?\n\s+digest:"
        rf" {first['digest']}",
        text,
    )


@pytest.fixture(scope="module")
def empty_disk(
    first: dict[str, str], team: Team, second: Clone, changed: Path, scratch: Path
) -> tuple[Path, dict[str, str]]:
    """Another machine: a new state folder, data with one changed holdout cell; how its release
    ended.
    """
    home = scratch / "runner"
    assert first["outcome"] == "promoted"
    command = [*RELEASE, "--data", changed]
    ended = run(second, command, SLUICE_HOME=str(home), **team.settings)
    assert ended.code == 3, ended.stderr
    return home, json.loads(ended.stdout)


def test_a_runner_with_an_empty_disk_finds_the_champion(
    empty_disk: tuple[Path, dict[str, str]], first: dict[str, str], team: Team
) -> None:
    home, outcome = empty_disk
    assert (outcome["outcome"], outcome["tag"], outcome["commit"]) == ("refused", first["tag"], "")
    assert outcome["verdict"] == "NOT PROMOTED"
    assert f"finds 0 leavers that {first['tag']} misses" in outcome["sentence"]
    assert len(list((home / "champions").iterdir())) == 1
    assert len(team.log()) == 2


def test_a_second_pusher_adopts_the_image(
    empty_disk: tuple[Path, dict[str, str]], first: dict[str, str], team: Team, second: Clone
) -> None:
    home, _ = empty_disk
    outcome = release(second, home, team)
    assert (outcome["outcome"], outcome["digest"]) == ("nothing to do", first["digest"])
    [record] = [
        json.loads(path.read_text()) for path in (home / "store" / "image").glob("*/step.json")
    ]
    assert record["facts"]["adopted"] is True
    assert len(team.log()) == 2


def test_status_is_told_from_the_manifest_repo_alone(
    first: dict[str, str], team: Team, second: Clone, scratch: Path
) -> None:
    ended = done(
        second, ".venv/bin/sluice status", SLUICE_HOME=str(scratch / "nobody"), **team.settings
    )
    assert first["digest"] in ended.stdout
    assert ended.last.startswith("Live: release 1 of attrition, since ")


def nobody(demo: Demo, scratch: Path, team: Team, *words: str) -> Finished:
    """A command in an empty HOME with an empty state folder: nothing is known but the two
    addresses.
    """
    (scratch / "stranger").mkdir(exist_ok=True)
    place = replace(demo.clone, home=scratch / "stranger")
    command = [".venv/bin/sluice", *words]
    return done(place, command, SLUICE_HOME=str(scratch / "stranger" / "state"), **team.settings)


def test_the_whole_lineage_is_told_to_a_stranger_in_five_seconds(
    first: dict[str, str], team: Team, demo: Demo, scratch: Path
) -> None:
    ended = nobody(demo, scratch, team, "lineage", first["digest"], "--json")
    assert ended.computing < 5
    told = json.loads(ended.stdout)
    assert (told["image"], told["commit"]) == (first["reference"], first["commit"])
    assert (told["contradictions"], told["missing"]) == ([], [])
    assert told["data"]["rows"] > 70_000
    assert told["metrics"]["recall"]["interval"]
    for name in ("lock", "interpreter", "platform", "blas", "hardware", "seeds", "versions"):
        assert told[name], name
    assert re.fullmatch(r"[0-9a-f]{40}", told["code"]["source_commit"])
    print(f"the lineage took {ended.seconds:.1f} s, {ended.computing:.1f} s of computing")


def test_evidence_and_model_are_found_again_and_verified(
    first: dict[str, str], team: Team, demo: Demo, scratch: Path
) -> None:
    out = scratch / "found again"
    nobody(demo, scratch, team, "lineage", first["tag"], "--out", str(out))
    assert json.loads((out / "verdict.json").read_text())["verdict"] == "PROMOTE"
    assert (out / "model" / "model.onnx").stat().st_size > 1000
    ended = nobody(demo, scratch, team, "verify", first["digest"])
    assert ended.last.startswith("Verified: release 1 of attrition, ")
    assert "layer 4" in ended.stdout
