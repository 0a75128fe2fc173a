"""What the drills compare: each thing that a killed run could leave wrong is a difference, and
times are none.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from support import by_hand
from support.git_repos import ONE, TWO, edit, promotion, seeded

from flows.adapters import files
from flows.adapters.git import git
from flows.adapters.registry import registry
from flows.drills.crash.state_comparison import Trees, _plain, differences, trees
from flows.drills.crash.world import World
from flows.engine import store
from flows.engine.store import Record
from flows.facts.trained import Trained
from flows.gitops.promotion import promote
from flows.project.settings import Settings


@pytest.fixture
def given(tmp_path: Path) -> Settings:
    """A world after a release of a made-up image."""
    given = seeded(tmp_path)
    promote(given, promotion(ONE, 1))
    place = registry.place("sluice.local/attrition", tmp_path / "registry")
    registry.push_files(place, ONE, {"layer": b"1"}, "application/vnd.sluice.test.v1", {})
    registry.push_files(
        place, f"{ONE}.model", {"model.onnx": b"2"}, "application/vnd.sluice.test.v1", {}
    )
    keep_step(tmp_path, "k" * 64)
    files.write_atomic(tmp_path / "outcomes" / "attrition" / "last.json", b"{}")
    return given


def keep_step(home: Path, key: str) -> None:
    def work(folder: Path) -> Trained:
        (folder / "model").write_bytes(b"3")
        return Trained("hash", 0.5, "family")

    store.keep(home, Record("train", key, {}, {}, {}, 0.0), work)


def seen(given: Settings) -> Trees:
    env = {
        "SLUICE_HOME": str(given.home),
        "SLUICE_PROJECT": str(given.project),
        "SLUICE_MODEL": "attrition",
    }
    return trees(World(given.home, env), env)


def half_a_file(given: Settings) -> None:
    (given.home / "outcomes" / "attrition" / "last.json").write_text("{")


def half_a_step(given: Settings) -> None:
    (given.home / "store" / "train" / ("k" * 64) / "model").write_bytes(b"")


def another_step(given: Settings) -> None:
    keep_step(given.home, "l" * 64)


def a_file_too_much(given: Settings) -> None:
    (given.home / "outcomes" / "attrition" / "other.json").write_text("{}")


def another_commit(given: Settings) -> None:
    edit(given, count=("namespace: attrition\n", "namespace: attrition # here\n"))


def a_commit_without_a_change(given: Settings) -> None:
    with by_hand.clone(given.manifest_url, "main") as repo:
        by_hand.commit(repo, "Again\n", "Anna <anna@example.com>")
        by_hand.push(repo)


def another_release(given: Settings) -> None:
    promote(given, promotion(TWO, 2, against=ONE))


def another_branch(given: Settings) -> None:
    git.git("update-ref", "refs/heads/other", "main", cwd=given.home / "manifests.git")


def a_lock(given: Settings) -> None:
    (given.home / "manifests.git" / "refs" / "heads" / "main.lock").touch()


def another_tag(given: Settings) -> None:
    place = registry.place("sluice.local/attrition", given.home / "registry")
    registry.push_files(place, TWO, {"layer": b"1"}, "application/vnd.sluice.test.v1", {})


@pytest.mark.parametrize(
    "damage",
    [
        half_a_file,
        half_a_step,
        another_step,
        a_file_too_much,
        another_commit,
        a_commit_without_a_change,
        another_release,
        another_branch,
        a_lock,
        another_tag,
    ],
)
def test_what_is_wrong_is_a_difference(given: Settings, damage: Callable[[Settings], None]) -> None:
    before = seen(given)
    assert differences(before, seen(given)) == []
    damage(given)
    assert differences(before, seen(given)) != []


def test_a_broken_repository_is_no_tree_at_all(given: Settings) -> None:
    for path in (given.home / "manifests.git" / "objects").glob("??/*"):
        path.chmod(0o600)
        path.write_bytes(b"")
    with pytest.raises(Exception, match=r"fsck|bad|empty|missing"):
        seen(given)


def test_times_and_the_digest_of_the_evidence_are_no_difference() -> None:
    texts = (
        f'{{\n "evidence": "sha256:{n}",\n "when": "202{n}-01-01T00:00:00Z",\n "tag": "x"}}'
        for n in (6, 7)
    )
    assert len({_plain(text) for text in texts}) == 1
    assert _plain('{"tag": "x"}') != _plain('{"tag": "y"}')


def test_what_a_killed_run_left_half_done_is_swept_and_no_difference(given: Settings) -> None:
    before = seen(given)
    left = (
        "store/train/.kkkk-abcd1234/model",
        "outcomes/attrition/.last.json-abcd1234",
        "champions/.f00/model.onnx",
        "registry/attrition/blobs/sha256/.f00.12.part",
        "evidence/attrition/.metrics.json-abcd1234",
    )
    for name in left:
        (given.home / name).parent.mkdir(parents=True, exist_ok=True)
        (given.home / name).write_bytes(b"half")
    assert store.sweep(given.home) == 0
    assert differences(before, seen(given)) == []
    assert not [name for name in left if (given.home / name).exists()]
