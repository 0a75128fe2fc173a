"""All that a release changes, in one folder that can be put back.

That is state folder, manifest repo, registry and caches. The git server and the registry are real
ones on this machine; both read from the disk at every request, so the folders can be exchanged
under them.
"""

import json
import os
import shutil
import sys
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import tomli_w

from flows.adapters import server
from flows.gitops import deploy_files, manifest_repo
from flows.project import settings
from flows.project.generated_rows import generated_rows
from flows.project.models import model_folder, project_text
from flows.project.root import ROOT
from sluice.class_policy import OF_ONE_CLASS, TABLE
from sluice.errors import UsageError
from sluice.identity import sha256
from sluice.number_policy import OF_A_CLASS
from sluice.number_policy import TABLE as NUMBER

ROWS = 500
_POSITIVES = 90  # at least, where a model says how rows are generated
_WORLD = ("home", "git", "registry", "cache")
# What a shell may have set for real releases must not reach one that is about to be killed.
_FOREIGN = ("SLUICE_", "PREFECT_", "MLFLOW_", "GIT_", "BENTOML_", "GITHUB_")
# A few hundred rows tell little, and the verdict is not what is tried here.
_WIDE: dict[str, object] = {
    "comparable_share": 0.5,
    "segments_required": [],
    "recall_floor": 0.05,
    "lift_floor": 1.05,
    "flagged_ceiling": 0.99,
    "calibration_ceiling": 0.9,
    "stability_ceiling": 0.9,
    "one_column_ceiling": 0.99,
    "duplicate_ceiling": 0.9,
    "near_duplicate_ceiling": 0.9,
    "least_positives": 5,
    "margin": 0.9,
    "brier_margin": 0.9,
    "segment_margin": 0.9,
    "anchor_segment_margin": 0.9,
    "shipped_margin": 0.9,
    "shipped_flagged_margin": 0.9,
    "segment_positives": 400,
    "refresh_days": 1,
    "level": 0.49,
}


@dataclass(frozen=True)
class World:
    """The folder of the world, and the environment of a release in it."""

    folder: Path
    env: dict[str, str]

    @property
    def home(self) -> Path:
        """The state folder."""
        return self.folder / "home"

    @property
    def model(self) -> str:
        """The model that is released here, which SLUICE_MODEL names."""
        return self.env["SLUICE_MODEL"]

    @property
    def repository(self) -> Path:
        """The manifest repo, as it is on the server's disk."""
        return self.folder / "git" / "manifests.git"

    def enter(self) -> None:
        """Let this process be one that releases here."""
        for name in list(os.environ):
            if name.startswith(_FOREIGN):
                del os.environ[name]
        os.environ |= self.env

    def keep(self, name: str) -> None:
        """Remember everything as it is now."""
        _copy(self.folder, self.folder / "kept" / name)

    def put_back(self, name: str) -> None:
        """Make everything as it was then."""
        _copy(self.folder / "kept" / name, self.folder)


def _copy(source: Path, target: Path) -> None:
    for part in _WORLD:
        shutil.rmtree(target / part, ignore_errors=True)
        shutil.copytree(source / part, target / part, symlinks=True)


def alone(folder: Path, given: settings.Settings, model: str) -> World:
    """A world without servers, in a folder that does not exist yet, with one model of the project
    of `given`.

    Its manifest repo, seeded, is reached by its path; its registry is a folder. Raises UsageError
    where no rows of the model can be generated.
    """
    for part in _WORLD:
        (folder / part).mkdir(parents=True)
    _project(folder / "project", given, model)
    # What a shell may have set for real releases must not be written to.
    seeds = settings.Settings(
        home=folder / "seed",
        project=folder / "project",
        manifests="",
        mode="push",
        overlay=manifest_repo.PRODUCTION,
        branch="main",
    )
    manifest_repo.seed(seeds)
    deploy_files.write(seeds, model)
    (folder / "seed" / "manifests.git").rename(folder / "git" / "manifests.git")
    env = {
        "SLUICE_HOME": str(folder / "home"),
        "SLUICE_PROJECT": str(folder / "project"),
        "SLUICE_MODEL": model,
        "SLUICE_MANIFESTS": str(folder / "git" / "manifests.git"),
        "SLUICE_WORKERS": "1",
        "SLUICE_TRACKING_URI": "",
        "SLUICE_ACTOR": "drill",
        "SLUICE_GIT_TIMEOUT": "30",
        "XDG_CACHE_HOME": str(folder / "cache"),
        "GIT_CONFIG_NOSYSTEM": "1",
    }
    return World(folder, env)


@contextmanager
def servers(
    folder: Path, given: settings.Settings, model: str, *, bad: bool = False
) -> Iterator[World]:
    """The same, reached through its servers, which run while the block runs.

    With `bad`, requests go through servers that fail as the files `git.fault` and `registry.fault`
    in the folder say.
    """
    world = alone(folder, given, model)
    with ExitStack() as running:
        ports = {
            "git": running.enter_context(_git(folder)),
            "registry": running.enter_context(_registry(folder)),
        }
        if bad:
            for name, port in ports.items():
                ports[name] = running.enter_context(_bad(folder, name, port))
        world.env["SLUICE_MANIFESTS"] = f"http://127.0.0.1:{ports['git']}/manifests.git"
        world.env["SLUICE_REGISTRY"] = f"127.0.0.1:{ports['registry']}/drill"
        yield world


@contextmanager
def _git(folder: Path) -> Iterator[int]:
    port = server.free_port()
    words = [sys.executable, "-m", "flows.drills.crash.git_server", str(folder / "git"), str(port)]
    with server.running(words, port, folder / "git.log", env={"PYTHONPATH": str(ROOT)}):
        yield port


@contextmanager
def _bad(folder: Path, name: str, real: int) -> Iterator[int]:
    """A server that fails, in front of the one on the port `real`."""
    port = server.free_port()
    fault, log = folder / f"{name}.fault", folder / f"{name}.bad.log"
    words = [sys.executable, "-m", "flows.drills.crash.bad_servers"]
    words += [str(real), str(fault), str(port)]
    path = "/v2/" if name == "registry" else "/readyz"
    with server.running(words, port, log, env={"PYTHONPATH": str(ROOT)}, path=path):
        yield port


@contextmanager
def _registry(folder: Path) -> Iterator[int]:
    program = shutil.which("docker-registry")
    if not program:
        raise UsageError(
            "there is no docker-registry here", "Install it (apt-get install docker-registry)."
        )
    port = server.free_port()
    configuration = {
        "version": 0.1,
        "log": {"level": "error"},
        "http": {"addr": f"127.0.0.1:{port}"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "registry")}},
    }
    (folder / "registry.json").write_text(json.dumps(configuration))
    unset = dict.fromkeys((name for name in os.environ if name.startswith("REGISTRY_")), "")
    words = [program, "serve", str(folder / "registry.json")]
    with server.running(words, port, folder / "registry.log", env=unset, path="/v2/"):
        yield port


def _project(folder: Path, given: settings.Settings, model: str) -> None:
    """The contract of the model, a policy that nearly everything passes, and two small tables."""
    made, read = folder / "models" / model, model_folder(model, given.project)
    made.mkdir(parents=True)
    (folder / "data").mkdir()
    shutil.copy(read / "contract.toml", made)
    policy = project_text(read / "policy.toml", given.project)
    (made / "policy.toml").write_text(_lax(policy), encoding="utf-8")
    content = generated_rows(given, model, ROWS, _POSITIVES)
    rows = content.count(b"\n")
    (folder / "rows.csv").write_bytes(content)
    (folder / "more.csv").write_bytes(generated_rows(given, model, rows + 100))
    pointer = {"reference": "file:rows.csv", "sha256": sha256(content)}
    (folder / "data" / f"{model}.toml").write_text(tomli_w.dumps(pointer), encoding="utf-8")


def _lax(text: str) -> str:
    """A policy with the split of another one, a small search and limits that so few rows clear."""
    read = tomllib.loads(text)
    classes, number = TABLE in read, NUMBER in read
    family = "linear_regression" if number else "logistic_regression"
    search = {"trials": 2, "folds": 2, "families": [family], "seed": 20_260_101}
    left_out = OF_A_CLASS if number else OF_ONE_CLASS if classes else ()
    points: dict[str, object] = {"operating_point": {"slack_share": 0.1}}
    if number:
        points = {NUMBER: {"skill_floor": 0.001, "bias_ceiling": 0.9, "band": 1.0}}
    elif classes:
        points = {TABLE: {}}
    policy = {
        "schema": read["schema"],
        "data": {"minimum_rows": ROWS // 2},
        "split": read["split"],
        "search": search,
        "gate": {name: limit for name, limit in _WIDE.items() if name not in left_out},
        **points,
    }
    return tomli_w.dumps(policy)
