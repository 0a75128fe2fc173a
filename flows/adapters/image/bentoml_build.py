"""`bentoml build`, in a process of its own: importing BentoML costs more than most of a release."""

import re
import shutil
from pathlib import Path

from flows.adapters import python
from flows.adapters.process import run

# BentoML reports nobody's use of it, and writes no bytecode between the sources.
QUIET = {"BENTOML_DO_NOT_TRACK": "true", "PYTHONDONTWRITEBYTECODE": "1"}
# What bento.yaml would keep of this shell.
_PLAIN = {"SLUICE_SERVICE_WORKERS": "", "SLUICE_MAX_CONCURRENCY": ""}


def build_bento(source: Path, name: str, version: str, home: Path) -> Path:
    """Build the Bento `name:version` from a folder that has a bentofile.yaml; return its folder in
    BentoML's store `home`.

    Its bytes depend on the folder, the name and the version alone. Raises CommandFailed.
    """
    env = {**QUIET, **_PLAIN, "BENTOML_HOME": str(home), **python.importing()}
    words = ["build", str(source), "--name", name, "--version", version, "--output", "tag"]
    run([*python.module("bentoml"), *words], cwd=source, env=env, timeout=300)
    built = home / "bentos" / name / version
    _normalize(built / "bento.yaml")
    shutil.copyfile(source / "requirements.txt", built / "env" / "python" / "requirements.txt")
    for cache in sorted(built.rglob("__pycache__")):
        shutil.rmtree(cache)
    return built


def _normalize(manifest: Path) -> None:
    """Take out of bento.yaml what two builds of equal inputs do not share."""
    text = manifest.read_text(encoding="utf-8")
    text = re.sub(r"(?m)^(\s*creation_time:).*$", r"\1 1970-01-01 00:00:00+00:00", text)
    # BentoML appends itself once more, without a hash, which no installer accepts beside hashes.
    text = re.sub(r'\\nbentoml==[0-9.]+\\n"', '"', text)
    manifest.write_text(text, encoding="utf-8")
