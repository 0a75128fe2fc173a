"""Sluice from its wheel: what a release reads beside the code is in it."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from support import releases
from uv import find_uv_bin

from flows.adapters import package_index
from flows.adapters.image import wheels
from flows.engine import code_identity
from flows.project.root import ROOT

_ASKED = """
import json
from flows.adapters.image import wheels
from flows.adapters.image.pipeline.source import source
from flows.engine import code_identity
from flows.gitops import manifest_repo
from flows.project.root import ROOT
files = source(ROOT, ROOT).files
print(json.dumps({
    "root": str(ROOT),
    "lock": code_identity.lock(),
    "requirements": wheels.requirements(ROOT),
    "template": sorted(manifest_repo.template("x")),
    "files": sorted(files),
}))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the wheel was unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    words = [find_uv_bin(), "build", "--wheel", "--quiet", "--out-dir", str(folder), str(ROOT)]
    env = {**os.environ, **package_index.variables(os.environ)}
    subprocess.run(words, env=env, check=True, timeout=300)
    [wheel] = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_its_lock_its_image_and_its_template_are_those_of_the_checkout(
    installed: Path, tmp_path: Path
) -> None:
    words = [sys.executable, "-P", "-c", _ASKED]
    env = {**os.environ, "PYTHONPATH": str(installed)}
    ran = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
    said = json.loads(ran.stdout)
    assert said["root"] == str(installed)
    assert said["lock"] == code_identity.lock()
    assert said["requirements"] == wheels.requirements(ROOT)
    assert "base/rollout.yaml" in said["template"]
    assert {"uv.lock", "flows/release.py", "deploy/pipeline.lock"} <= set(said["files"])


def test_a_model_is_released_by_it_alone(installed: Path, tmp_path: Path) -> None:
    """In a project elsewhere, without a builder: what is done before an image is done."""
    project = releases.write(tmp_path / "project")
    env = {
        "HOME": str(tmp_path),
        "PATH": releases.path_without_builders(tmp_path / "bin"),
        "PYTHONPATH": str(installed),
        "SLUICE_HOME": str(tmp_path / "home"),
        "SLUICE_PROJECT": str(project),
        "SLUICE_TRACKING_URI": "",
        "SLUICE_WORKERS": "1",
    }
    typed = "from sluice_command import main; main()"
    where = "import flows, sluice; print(flows.__path__[0], sluice.__path__[0])"
    words = [sys.executable, "-P", "-c"]

    def ran(*given: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*words, *given], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
        )

    assert ran(where).stdout.split() == [str(installed / name) for name in ("flows", "sluice")]
    ended = ran(typed, "release", "attrition", "--json")
    assert ended.returncode == 0, ended.stderr
    outcome = json.loads(ended.stdout)
    assert outcome["outcome"] == "no builder"
    assert "Traceback" not in ended.stderr
    assert ran(typed, "validate", "attrition").returncode == 0
