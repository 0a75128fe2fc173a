"""The entry that a release writes, and what Argo CD makes of it; kustomize itself."""

import shutil
from pathlib import Path

import pytest
import yaml
from support.argocd import APPLICATIONS, DEPLOY, PLACEHOLDER, commit, follow, seed
from support.manifest_repos import OVERLAYS, Document, documents, one, rendered

from flows.adapters.git import kustomize
from flows.adapters.image import golang
from flows.adapters.process import run
from sluice.errors import SluiceError

DIGEST = "sha256:" + "5" * 64


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DEPLOY, tmp_path / "argocd"))


def release(kustomization: Path, name: str, tag: str) -> None:
    entry = yaml.safe_load(kustomization.read_text())["images"][0]
    text = kustomization.read_text()
    for key, value in (("newName", name), ("newTag", tag), ("digest", DIGEST)):
        text = text.replace(f"{key}: {entry[key]}\n", f"{key}: {value}\n")
    kustomization.write_text(text)


def image(found: list[Document]) -> str:
    return str(one(found, "Rollout")["spec"]["template"]["spec"]["containers"][0]["image"])


def digest_told(found: list[Document]) -> str:
    """The digest that the service is told of its image."""
    [container] = one(found, "Rollout")["spec"]["template"]["spec"]["containers"]
    [said] = [
        entry["value"] for entry in container["env"] if entry["name"] == "SLUICE_IMAGE_DIGEST"
    ]
    return str(said)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_entry_is_the_image_and_what_the_service_says_it_is(overlay: str, copied: Path) -> None:
    folder = copied / "overlays" / overlay
    before = kustomize.render(folder).splitlines()
    release(
        folder / "kustomization.yaml", "registry.example.com/team/attrition", "0123456789abcdef"
    )
    after = kustomize.render(folder)
    assert (
        image(documents(after)) == f"registry.example.com/team/attrition:0123456789abcdef@{DIGEST}"
    )
    changed = [new for old, new in zip(before, after.splitlines(), strict=True) if old != new]
    assert [line.strip().split(": ")[0] for line in changed] == ["value", "image"]
    assert digest_told(documents(after)) == DIGEST


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_entry_starts_as_no_image(overlay: str) -> None:
    [entry] = yaml.safe_load((DEPLOY / "overlays" / overlay / "kustomization.yaml").read_text())[
        "images"
    ]
    assert entry == {
        "name": "sluice.local/attrition",
        "newName": "sluice.local/attrition",
        "newTag": "unreleased",
        "digest": "sha256:" + "0" * 64,
    }


def test_the_project_permits_what_is_rendered_and_no_more_places() -> None:
    project, *applications = [documents(file.read_text())[0] for file in APPLICATIONS]
    permitted = {
        (entry["group"], entry["kind"]) for entry in project["spec"]["namespaceResourceWhitelist"]
    }
    wanted = {
        (d["apiVersion"].rpartition("/")[0], d["kind"])
        for overlay in OVERLAYS
        for d in rendered(overlay)
    }
    assert wanted <= permitted
    assert project["spec"]["clusterResourceWhitelist"] == []
    assert {a["spec"]["source"]["repoURL"] for a in applications} == set(
        project["spec"]["sourceRepos"]
    )
    destinations = [a["spec"]["destination"] for a in applications]
    assert sorted(destinations, key=str) == sorted(project["spec"]["destinations"], key=str)
    assert {d["namespace"] for d in destinations} == set(OVERLAYS.values())
    assert all(
        "CreateNamespace=false" in a["spec"]["syncPolicy"]["syncOptions"] for a in applications
    )


def test_the_repository_stands_once_in_each_file() -> None:
    assert [file.read_text().count(PLACEHOLDER) for file in APPLICATIONS] == [1, 1, 1]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_argo_cd_finds_the_digest_of_a_commit(overlay: str, tmp_path: Path) -> None:
    bare, clone = seed(tmp_path), tmp_path / "clone"
    run(["git", "clone", "--quiet", bare, clone])
    application = clone / "applications" / f"{overlay}.yaml"
    assert image(documents(follow(application))).endswith("0" * 64)
    release(
        clone / "overlays" / overlay / "kustomization.yaml",
        "sluice.local/attrition",
        "0123456789abcdef",
    )
    commit(clone, "Release")
    run(["git", "push", "--quiet", "origin", "main"], cwd=clone)
    assert (
        image(documents(follow(application))) == f"sluice.local/attrition:0123456789abcdef@{DIGEST}"
    )


def test_a_folder_that_does_not_render_says_which(tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text("resources: [missing.yaml]\n")
    with pytest.raises(SluiceError, match=r"missing\.yaml") as raised:
        kustomize.render(tmp_path)
    assert str(tmp_path) in raised.value.what
    assert raised.value.fix


def test_kustomize_is_taken_from_path_where_it_is_new_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached, on_path = tmp_path / "sluice" / "tools" / "kustomize-5.8.1", tmp_path / "kustomize"
    cached.parent.mkdir(parents=True)
    cached.symlink_to(kustomize.find())
    on_path.symlink_to(kustomize.find())
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert kustomize.find() == on_path

    on_path.unlink()
    on_path.write_text("#!/bin/sh\necho '{Version:kustomize/v4.5.7}'\n")
    on_path.chmod(0o755)
    assert kustomize.find() == cached


def test_a_build_without_a_network_says_what_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for key, value in {
        "XDG_CACHE_HOME": str(tmp_path),
        "GOPROXY": "off",
        "UV_OFFLINE": "1",
    }.items():
        monkeypatch.setenv(key, value)
    with pytest.raises(SluiceError, match=r"kustomize 5\.8\.1 could not be built") as raised:
        golang.build("kustomize", "sigs.k8s.io/kustomize/kustomize/v5", "5.8.1")
    assert "GOPROXY" in raised.value.fix
    assert "Go" in capsys.readouterr().err
    assert [file.name for file in (tmp_path / "sluice" / "tools").iterdir()] == [
        ".kustomize-5.8.1.lock"
    ]
