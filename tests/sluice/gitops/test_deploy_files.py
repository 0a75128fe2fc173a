"""The manifests of one more model, and whether anything uses its image."""

from pathlib import Path

import pytest
import yaml

from flows.gitops.manifest_repo import KUSTOMIZATIONS
from sluice.gitops.deploy_files import deploy_files, is_used, kubernetes_name

TEMPLATE = {
    path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
    for folder in [Path(__file__).parents[3] / "deploy" / "argocd"]
    for path in folder.rglob("*")
    if path.is_file()
}
OVERLAY = "overlays/production/machine_failures/kustomization.yaml"


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    return deploy_files(TEMPLATE, "attrition", "machine_failures")


def test_nothing_of_the_other_model_is_left_and_names_fit_kubernetes(files: dict[str, str]) -> None:
    assert not [path for path, text in files.items() if "attrition" in text]
    names = {
        document["metadata"]["name"]
        for path, text in files.items()
        if path.startswith("models/") and not path.endswith("kustomization.yaml")
        for document in yaml.safe_load_all(text)
        if document and "metadata" in document
    }
    assert "machine-failures" in names
    assert not [name for name in names if "_" in name]
    assert kubernetes_name("machine_failures") == "machine-failures"


def test_an_application_names_the_overlay_of_the_model(files: dict[str, str]) -> None:
    application = yaml.safe_load(files["models/machine_failures/applications/production.yaml"])
    assert application["spec"]["source"]["path"] == OVERLAY.rpartition("/")[0]


def used(files: dict[str, str], image: str = "sluice.local/machine_failures") -> bool:
    return is_used(image, OVERLAY, lambda path: files.get(path, ""), KUSTOMIZATIONS)


def test_the_image_is_used_by_what_the_overlay_renders(files: dict[str, str]) -> None:
    assert used(files)


def test_an_image_that_only_the_entry_names_is_not_used(files: dict[str, str]) -> None:
    assert not used(files, "sluice.local/other")
    rollout = "models/machine_failures/base/rollout.yaml"
    other = {**files, rollout: files[rollout].replace("machine_failures", "machine_failures2")}
    assert not used(other)
    commented = {**files, rollout: "# image: sluice.local/machine_failures\nkind: Rollout\n"}
    assert not used(commented)


@pytest.mark.parametrize(
    "line", ["resources: ['https://example.com/base']", "helmCharts: [{name: x}]", "images: []"]
)
def test_what_cannot_be_looked_into_is_taken_to_be_used(line: str) -> None:
    assert used({OVERLAY: line + "\n"})
