"""A GitHub runner as far as a workflow here needs one: its `run:` steps, in order, in a clean
clone.
"""

import os
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from flows.adapters import process
from support.clones import PROJECT, Clone, Finished, run

# all steps with each Python of the matrix, seven minutes each
EVERY = bool(os.environ.get("SLUICE_EVERY_PYTHON"))
WORKFLOWS = PROJECT / ".github" / "workflows"
# What the expressions of the workflows give in a repository in which nothing is set.
_UNSET = {
    "vars.SLUICE_REGISTRY": "",
    "secrets.SLUICE_MANIFESTS || vars.SLUICE_MANIFESTS": "",
    "vars.SLUICE_MODE || 'push'": "push",
    (
        "github.event.forced && '0000000000000000000000000000000000000000'"
        " || github.event.before || 'HEAD^'"
    ): "HEAD^",
    "!github.event.forced && github.event.before || '0000000000000000000000000000000000000000'": (
        "0" * 40
    ),
    "github.event.client_payload.data": "",
    "github.event.client_payload.model": "",
    "github.event.client_payload.sha256": "",
    "github.event.pull_request.base.sha": "HEAD^",
    "github.token": "",
    "secrets.SLUICE_GIT_TOKEN": "",
    "steps.app.outputs.token || secrets.SLUICE_GIT_TOKEN": "",
    "secrets.MANIFESTS_DEPLOY_KEY": "",
    "secrets.MANIFESTS_DEPLOY_KEY && format('{0}/keys/git_key', runner.temp)": "",
    "secrets.CLUSTER_CONFIG": "",
    "vars.MANIFESTS_KNOWN_HOSTS": "",
    "vars.MANIFESTS_KNOWN_HOSTS && format('{0}/keys/known_hosts', runner.temp)": "",
    "vars.SLUICE_CLUSTER": "",
    "vars.SLUICE_CLUSTER_NAMESPACE": "",
    "vars.SLUICE_MANIFESTS": "",
    "vars.SLUICE_PREDICTION_LOG": "",
    "vars.SLUICE_DATA_FROM": "",
    "vars.SLUICE_S3_ENDPOINT": "",
    "vars.AWS_REGION || 'us-east-1'": "us-east-1",
    "secrets.AWS_ACCESS_KEY_ID": "",
    "secrets.AWS_SECRET_ACCESS_KEY": "",
    "vars.AZURE_STORAGE_ACCOUNT_NAME": "",
    "secrets.AZURE_STORAGE_ACCOUNT_KEY": "",
    "inputs.model": "",
    "inputs.model || github.event.client_payload.model": "",
    "inputs.environment || 'production'": "production",
}


@dataclass(frozen=True)
class Job:
    """A clone, how each `run:` step ended in it, what stands in the summary of the job, and what it
    hands to the jobs that need it.
    """

    clone: Clone
    steps: dict[str, Finished]
    summary: str
    outputs: Mapping[str, str] = field(default_factory=dict)


def job(
    workflow: str,
    clone: Clone,
    summary: Path,
    until: str = "",
    *,
    name: str = "",
    matrix: Mapping[str, str] | None = None,
    inputs: Mapping[str, str] | None = None,
    known: Mapping[str, str] | None = None,
    env: Mapping[str, str] | None = None,
) -> Job:
    """Run the steps of a workflow's only job (or of the one called `name`), up to the one named;
    the first that fails is the last, as on a runner. `matrix` has the values of its matrix,
    `inputs` what a person typed, `known` what other expressions give here, and `env` what the
    runner has in its environment.
    """
    summary.write_text("")
    handed = summary.with_suffix(".outputs")
    handed.write_text("")
    values = _UNSET | {"runner.temp": str(summary.parent / "runner")}
    values |= {f"matrix.{key}": value for key, value in (matrix or {}).items()}
    values |= {f"inputs.{key}": value for key, value in (inputs or {}).items()}
    values |= known or {}
    steps: dict[str, Finished] = {}
    for step in _steps(workflow, name):
        if until and step["name"] == until:
            break
        if "run" not in step or _skipped(str(step.get("if", "always()")), values):
            continue
        given = {key: _value(text, values) for key, text in step.get("env", {}).items()}
        shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", str(step["run"])]
        runner = {
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_STEP_SUMMARY": str(summary),
            "GITHUB_OUTPUT": str(handed),
            "SLUICE_MODEL": "",
            **(env or {}),
        }
        steps[step["name"]] = run(clone, shell, **runner, **given)
        if steps[step["name"]].code:
            break
    outputs = dict(line.split("=", 1) for line in handed.read_text().splitlines())
    return Job(clone, steps, summary.read_text(), outputs)


def _skipped(condition: str, values: Mapping[str, str]) -> bool:
    """Whether a step is left out: it asks that something is not empty, and it is."""
    if condition == "always()":
        return False
    found = re.fullmatch(r"(\S+) != ''", condition)
    assert found, condition
    return not values[found[1]]


def commands(workflow: str, name: str = "") -> list[str]:
    """What the steps of a workflow's only job (or of the one called `name`) run, in order."""
    return [str(step["run"]) for step in _steps(workflow, name) if "run" in step]


def uploaded(workflow: str, step: str, name: str, folder: Path) -> set[str]:
    """The names of the files below a folder that a step keeps as an artifact: all below its paths
    but what it excludes.
    """
    [found] = [one for one in _steps(workflow, name) if one["name"] == step]
    paths = str(found["with"]["path"]).split()
    kept = [path for path in paths if not path.startswith("!")]
    left_out = [path.removeprefix("!") for path in paths if path.startswith("!")]
    excluded = {file for pattern in left_out for file in folder.glob(pattern)}
    files = {file for path in kept for file in (folder / path).rglob("*") if file.is_file()}
    return {file.name for file in files - excluded}


def _steps(workflow: str, name: str = "") -> list[Mapping[str, Any]]:
    jobs = yaml.safe_load((WORKFLOWS / workflow).read_text())["jobs"]
    [found] = [jobs[name]] if name else jobs.values()
    return list(found["steps"])


def _value(text: str, known: Mapping[str, str]) -> str:
    return re.sub(r"\$\{\{ (.+?) \}\}", lambda match: known[match[1]], text)


def matrix() -> list[str]:
    """The Python of ci.yml that runs this; with SLUICE_EVERY_PYTHON=1 all of them."""
    found = yaml.safe_load((WORKFLOWS / "ci.yml").read_text())["jobs"]["test"]
    versions = list(found["strategy"]["matrix"]["python"])
    wanted = versions if EVERY else [f"{sys.version_info[0]}.{sys.version_info[1]}"]
    assert set(wanted) <= set(versions)
    return wanted


def python(version: str) -> Path | None:
    """This Python, where there is one: the one that runs the tests, one on PATH, or one of
    pyenv's.
    """
    if sys.version.startswith(f"{version}."):
        return Path(sys.base_prefix) / "bin" / "python3"
    named = shutil.which(f"python{version}")
    home = (
        process.run(["pyenv", "root"], check=False).stdout.strip() if shutil.which("pyenv") else ""
    )
    kept = sorted(Path(home).glob(f"versions/{version}.*/bin/python{version}")) if home else []
    for found in ([Path(named)] if named else []) + kept:
        if process.run([found, "-c", "import sys, venv"], check=False).code == 0:
            return found
    return None
