"""Manifest repos as people have them: with rules, with links, with other names of the file."""

from collections.abc import Callable
from pathlib import Path

import pytest
from support import by_hand
from support.git_repos import ONE, OVERLAY, TWO, promotion, seeded, shown, tip

from flows.adapters.git import git
from flows.gitops import manifest_repo, quarantine, rollback
from flows.gitops.promotion import promote
from flows.project.settings import Settings
from sluice.errors import SluiceError, UsageError

BAD = f"sha256:{'a' * 64}"
CRLF = "kind: Service\r\n"


@pytest.fixture
def given(tmp_path: Path) -> Settings:
    return seeded(tmp_path)


def changed(given: Settings) -> list[str]:
    """The files that the newest commit changes."""
    words = ("show", "--name-only", "--format=", "main")
    return git.git(*words, bare=Path(given.manifest_url)).split()


@pytest.mark.parametrize("rules", ["state/\n*.log\n", "*.json\n", "*\n"])
def test_what_is_ignored_is_committed_all_the_same(rules: str, given: Settings) -> None:
    by_hand.write(given.manifest_url, {".gitignore": rules})
    assert promote(given, promotion(ONE, 1)).outcome == "committed"
    state = [f"state/attrition/{name}.json" for name in ("anchor", "champion")]
    assert changed(given) == [OVERLAY, *state]
    promote(given, promotion(TWO, 2, ONE))
    made = rollback.plan(given, rollback.Request("attrition", "previous", "why"))
    assert rollback.write(given, made).outcome == "committed"
    assert "state/attrition/quarantine.json" in changed(given)
    quarantine.add(given, "attrition", BAD, "why")
    assert [entry.digest for entry in quarantine.listed(given, "attrition")][-1] == BAD
    assert promote(given, promotion(TWO, 3, ONE)).outcome == "quarantined"


@pytest.mark.parametrize("rules", ["*.yaml text eol=lf\n", "*.yaml text\n", "* filter=lfs\n"])
def test_a_commit_rewrites_no_file_of_others(rules: str, given: Settings) -> None:
    by_hand.write(given.manifest_url, {"base/services.yaml": CRLF, "overlays/other/a.yaml": CRLF})
    with git.clone(given.remote, "main") as repo:
        made = git.commit(repo, {".gitattributes": rules.encode()}, "Attributes\n", given.author)
        git.push(repo, made)
    quarantine.add(given, "attrition", BAD, "why")
    assert changed(given) == ["state/attrition/quarantine.json"]


def test_a_link_in_the_place_of_the_state_is_refused_and_nothing_is_written(
    given: Settings, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    with by_hand.clone(given.manifest_url, "main") as repo:
        (repo.path / "state").symlink_to(outside)
        by_hand.commit(repo, "Link\n", "Anna <anna@example.com>")
        by_hand.push(repo)
    before = tip(given)
    acts: list[Callable[[], object]] = [
        lambda: quarantine.add(given, "attrition", BAD, "why"),
        lambda: promote(given, promotion(ONE, 1)),
        lambda: manifest_repo.live(given, "attrition"),
        lambda: quarantine.listed(given, "attrition"),
    ]
    for act in acts:
        with pytest.raises(SluiceError, match="behind state, which is a symbolic link") as raised:
            act()
        assert "Commit the files themselves" in raised.value.fix
    assert tip(given) == before
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("name", manifest_repo.KUSTOMIZATIONS)
def test_the_file_of_an_overlay_has_the_name_that_it_has(name: str, given: Settings) -> None:
    path = f"overlays/production/{name}"
    text = shown(given, OVERLAY)
    by_hand.write(given.manifest_url, {OVERLAY: None})
    by_hand.write(given.manifest_url, {path: text})
    assert promote(given, promotion(ONE, 1)).outcome == "committed"
    assert path in changed(given)
    now = manifest_repo.live(given, "attrition")
    assert now is not None
    assert (now.file, now.entry.tag) == (path, ONE)
    promote(given, promotion(TWO, 2, ONE))
    made = rollback.plan(given, rollback.Request("attrition", "previous", "why"))
    assert f"+++ {path}" in made.diff
    assert rollback.write(given, made).outcome == "committed"
    with git.clone(given.remote, "main") as repo:
        assert manifest_repo.overlays(repo, "attrition") == ["production", "staging"]


@pytest.mark.parametrize("names", [manifest_repo.KUSTOMIZATIONS[1:], ("Kustomization",)])
def test_two_names_are_refused_as_kustomize_does(names: tuple[str, ...], given: Settings) -> None:
    text = shown(given, OVERLAY)
    by_hand.write(given.manifest_url, {f"overlays/production/{name}": text for name in names})
    with pytest.raises(UsageError, match=r"has kustomization\.yaml and .*one of them is required"):
        promote(given, promotion(ONE, 1))


def test_an_overlay_without_a_file_is_told_with_its_usual_name(given: Settings) -> None:
    by_hand.write(given.manifest_url, {OVERLAY: None})
    with pytest.raises(UsageError, match=f"has no {OVERLAY} on branch main"):
        promote(given, promotion(ONE, 1))
