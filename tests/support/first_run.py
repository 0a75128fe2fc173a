"""What the slow tests share: one cold demo in a clean clone, and what it leaves for the tests after
it.
"""

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.adapters.server import free_port
from support.clones import Clone, Demo, Watched, clone, done, run, serving, state
from support.runner import Job, job

__all__ = ["changed", "demo", "evidence_after", "held", "released", "scratch", "second"]


@pytest.fixture(scope="session")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for clones; environments and images are large, so nothing of it is kept."""
    folder = tmp_path_factory.mktemp("clones")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def demo(scratch: Path) -> Demo:
    """`git clone`, the demo of the README, with an empty HOME: no cache of uv, of images or of
    tools.
    """
    place = clone(scratch / "first", scratch / "home")
    ended = done(place, "make demo MODEL=attrition", SLUICE_MODEL="")
    # Where it lies, the evidence is that of the newest release.
    kept = shutil.copytree(Path(ended.shown("Evidence")).parent, scratch / "evidence")
    return Demo(place, ended, kept)


@pytest.fixture(scope="session")
def released(demo: Demo, scratch: Path) -> Job:
    """The steps of release.yml in a second clone with the same HOME, as a runner without settings
    does them: which models there are to release, then the one that it names.
    """
    place = clone(scratch / "second", demo.clone.home)
    named = job("release.yml", place, scratch / "changed.md", name="changed")
    models = json.loads(named.outputs["models"])
    assert len(models) > 1
    for model in models:
        assert f"- `{model}`: no commit before it is known" in named.summary
    matrix = {"model": next(model for model in models if model == "attrition")}
    ended = job("release.yml", place, scratch / "summary.md", name="release", matrix=matrix)
    # A later release in this clone that is refused takes the figures away again.
    there = state(place) / "evidence"
    shutil.copytree(there, scratch / "after" / there.relative_to(place.path))
    return ended


@pytest.fixture(scope="session")
def evidence_after(released: Job, scratch: Path) -> Path:
    """A folder with the evidence of the second clone, at the place where its release left it."""
    assert released.clone.path.is_dir()
    return scratch / "after"


@pytest.fixture(scope="session")
def second(released: Job) -> Clone:
    """The second clone, in which a release ran."""
    return released.clone


@pytest.fixture(scope="session")
def changed(demo: Demo, scratch: Path) -> Path:
    """The data of the demo with one cell of one holdout row changed."""
    data = scratch / "changed.csv"
    done(demo.clone, [".venv/bin/python", Path(__file__).parent / "change_holdout.py", data])
    return data


@pytest.fixture(scope="session")
def held(demo: Demo, changed: Path) -> Iterator[Watched]:
    """The release of that data in the demo's clone and state folder, with `sluice up` running."""
    port, mlflow, home = free_port(), free_port(), str(state(demo.clone))
    served = f".venv/bin/sluice up --port {port} --mlflow-port {mlflow}"
    with serving(demo.clone, served, port, "/api/health") as url:
        _announced(demo.clone)
        command = f".venv/bin/sluice release attrition --data {changed}"
        ended = run(demo.clone, command, SLUICE_HOME=home)
        assert ended.code == 3, f"{ended.stdout[-6000:]}\n{ended.stderr[-6000:]}"
        yield Watched(url, ended)


def _announced(place: Clone) -> None:
    """Wait for the note by which releases find the servers of `sluice up`: as its addresses on the
    terminal, it is written once both answer, and MLflow's is the slower one.
    """
    note = state(place) / "prefect" / "server.json"
    end = time.monotonic() + 240
    while not note.exists():
        assert time.monotonic() < end, f"{note} is not there after four minutes"
        time.sleep(0.05)
