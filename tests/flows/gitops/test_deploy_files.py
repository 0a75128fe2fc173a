"""The manifests of one more model, as one commit, for real."""

from pathlib import Path

import pytest
import yaml
from support.git_repos import seeded, tip

from flows.adapters.git import git, kustomize
from flows.gitops import deploy_files, manifest_repo
from flows.project import new_folder
from flows.project.settings import Settings
from sluice.errors import UsageError

OVERLAY = "overlays/production/churn/kustomization.yaml"


@pytest.fixture
def given(tmp_path: Path) -> Settings:
    return seeded(tmp_path)


def test_a_second_model_gets_what_runs_it_in_one_commit(given: Settings) -> None:
    before = tip(given)
    written = deploy_files.write(given, "churn")
    assert written.outcome == "committed"
    with git.clone(given.remote, given.branch) as repo:
        assert manifest_repo.overlay(given, repo, "churn") == OVERLAY
        assert manifest_repo.overlay(given, repo, "attrition").count("/") == 2
        deploy_files.require_in(given, "churn", repo)
        assert manifest_repo.overlays(repo, "churn") == ["production", "staging"]
    live = manifest_repo.live(given, "churn")
    assert live is not None
    assert (live.file, live.by_hand, live.champion) == (OVERLAY, False, None)
    assert tip(given) != before
    assert deploy_files.write(given, "churn").outcome == "already there"


def test_without_it_nothing_is_live_and_a_release_is_refused(given: Settings) -> None:
    live = manifest_repo.live(given, "churn")
    assert live is not None
    assert live.champion is None
    own = given.model_copy(update={"manifests": given.manifest_url})
    with pytest.raises(UsageError, match="has 0 image entries for") as raised:
        deploy_files.require(own, "churn", live)
    assert "sluice deploy-files churn" in raised.value.fix
    deploy_files.require(own, "attrition", manifest_repo.live(own, "attrition"))


def test_an_entry_that_nothing_uses_is_refused(given: Settings) -> None:
    with git.clone(given.remote, given.branch) as repo:
        path = manifest_repo.overlay(given, repo, "churn")
        entry = "  - name: sluice.local/churn\n    newTag: x\n"
        text = manifest_repo.text(repo, path).rstrip("\n") + "\n" + entry
        made = git.commit(repo, {path: text.encode()}, "Add an entry\n", given.signature)
        git.push(repo, made)
    with (
        git.clone(given.remote, given.branch) as repo,
        pytest.raises(UsageError, match="nothing that it renders uses this image"),
    ):
        deploy_files.require_in(given, "churn", repo)


def test_the_files_render_and_name_no_other_model(given: Settings, tmp_path: Path) -> None:
    new_folder.write(tmp_path / "there", deploy_files.files_of(given, "churn"))
    for overlay in ("production", "staging"):
        rendered = kustomize.render(tmp_path / "there" / "overlays" / overlay / "churn")
        assert "attrition" not in rendered
        [rollout] = [
            one for one in yaml.safe_load_all(rendered) if one and one["kind"] == "Rollout"
        ]
        [container] = rollout["spec"]["template"]["spec"]["containers"]
        assert container["image"].startswith("sluice.local/churn:unreleased@sha256:")


def test_files_of_a_person_are_not_written_over(given: Settings, tmp_path: Path) -> None:
    files = deploy_files.files_of(given, "churn")
    new_folder.write(tmp_path / "there", files)
    with pytest.raises(UsageError, match="is there already"):
        new_folder.write(tmp_path / "there", files)
