"""Sluice from its wheel: what a release reads beside the code is in it."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
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
