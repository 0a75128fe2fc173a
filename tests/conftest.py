"""Every test runs away from the user: a HOME of its own, no settings of this shell, no network
beyond this machine.

It is set before anything is imported, because Prefect reads its home at import.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from support import environment, scratch_memory

if TYPE_CHECKING:
    from support.command_line import Sluice
    from support.releases import Story, Told

# tools built once are not built anew
_KEPT = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
_PATH = os.environ["PATH"]
_HOME = Path(tempfile.mkdtemp(prefix="sluice-home-", dir=scratch_memory.FOLDER)).resolve()
_FOREIGN = ("SLUICE_", "PREFECT_", "MLFLOW_", "GIT_", "BENTOML_", "GITHUB_")
# Where files and programs lie that some tests need, and how much is asked at random.
_OURS = ("SLUICE_REAL_DATA", "SLUICE_CRDS", "SLUICE_CHROMIUM", "SLUICE_CASES", "SLUICE_RACE_ROUNDS")
# What shares something that takes long to make, by the beginning of its name.
_TOGETHER = {
    "story": (  # the release of `first` and `promoted`, and one Prefect with it
        "tests/flows/test_release.py",
        "tests/flows/test_push.py",
        "tests/flows/test_samples.py",
        "tests/flows/test_tutorial.py",
        "tests/flows/engine/test_perform.py",
        "tests/flows/orchestration/test_endings.py",
        "tests/flows/orchestration/test_plan.py",
        "tests/flows/orchestration/test_put_back.py",
        "tests/flows/steps/test_order.py",
        "tests/flows/cli/test_commands.py::TestReleased",
        "tests/flows/decision/test_override.py::test_a_release",
        "tests/flows/audit/test_lineage.py",
        "tests/flows/audit/test_verify.py",
        "tests/flows/audit/test_reproduce.py",
        "tests/flows/monitoring/test_watch.py",
        "tests/flows/monitoring/test_candidate.py",
        "tests/flows/cli/live/test_replay.py",
    ),
    "clone": (  # the demo in a clean clone
        "tests/e2e/test_demo.py",
        "tests/e2e/test_drill.py",
        "tests/e2e/test_further_models.py",
        "tests/e2e/test_hostile_machine.py",
        "tests/e2e/test_lineage.py",
        "tests/e2e/test_pages.py",
        "tests/e2e/test_prefect_ui.py",
        "tests/e2e/test_readme.py",
        "tests/e2e/test_release_registry.py",
        "tests/e2e/test_stack_commands.py",
        "tests/e2e/test_workflow_steps.py",
    ),
    "image": (  # the base and an image
        "tests/e2e/test_base_image.py",
        "tests/e2e/test_haproxy.py",
        "tests/e2e/test_image.py",
        "tests/e2e/test_image_contents.py",
        "tests/e2e/test_random.py",
        "tests/e2e/test_rollback_boots.py",
    ),
}
# What takes longest is begun first: begun last, one worker would wait for the other.
_FIRST = (
    "story",
    "tests/flows/drills/gate/test_drill.py",
    "tests/flows/drills/crash/test_crashes.py",
    "clone",
    "tests/e2e/test_drill_kill.py",
    "image",
    "tests/e2e/test_races.py",
)
_LOOPBACK = ("127.", "::1", "localhost", "0.0.0.0")

for _name in [name for name in os.environ if name.startswith(_FOREIGN) and name not in _OURS]:
    del os.environ[_name]
os.environ |= {
    "HOME": str(_HOME),
    "XDG_CACHE_HOME": str(_KEPT),
    "GIT_CONFIG_NOSYSTEM": "1",
    "SLUICE_NO_APT": "1",
    "ORT_DISABLE_TELEMETRY": "1",
    "PREFECT_HOME": str(_HOME / "prefect"),
    # As a release sets it; a test that imports Prefect first would wait for twenty seconds only.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    # There are as many workers as cores: threads of theirs would only wait for each other, busily.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
for _name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "NO_COLOR", "FORCE_COLOR"):
    os.environ.pop(_name, None)

# How long one example takes says more of the machine than of the code.
hypothesis.settings.register_profile("sluice", deadline=None)
hypothesis.settings.load_profile("sluice")


def pytest_unconfigure() -> None:
    # mutmut runs pytest again and again in one process and its forks, which share this folder.
    if "MUTANT_UNDER_TEST" not in os.environ:
        shutil.rmtree(_HOME, ignore_errors=True)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A file is run by one worker, and so is everything that shares what takes long: neither is
    prepared twice.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Together(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            found = (group for group, names in _TOGETHER.items() if nodeid.startswith(names))
            return next(found, nodeid.partition("::")[0])

        def _assign_work_unit(self, node: Any) -> None:
            for name in reversed([name for name in _FIRST if name in self.workqueue]):
                self.workqueue.move_to_end(name, last=False)
            super()._assign_work_unit(node)

    return Together(config, log)


@pytest.fixture(autouse=True)
def guard(tmp_path: Path) -> Iterator[None]:
    """Nothing that a test sets outlives it, and a release that names no home does not write into
    the project. What a fixture of many tests sets must not outlive it either.
    """
    assert os.environ["PATH"] == _PATH, "a fixture left its PATH behind: use environment.kept()"
    before, folder, mask = dict(os.environ), Path.cwd(), os.umask(0o022)
    os.environ.setdefault("SLUICE_HOME", str(tmp_path / "state"))
    yield
    os.umask(mask)
    lost = sys.modules.get("flows.orchestration.lost_server")
    if lost:
        lost._GONE.clear()  # a busy machine may lose a server within a test
    os.environ.clear()
    os.environ.update(before)
    os.chdir(folder)


def _no_network(event: str, arguments: tuple[object, ...]) -> None:
    """Stop a connection to any other machine; one to a socket in a folder has no tuple for an
    address.
    """
    if event != "socket.connect" or not isinstance(address := arguments[1], tuple):
        return
    if not str(address[0]).startswith(_LOOPBACK):
        raise RuntimeError(
            f"a test reaches for {address[0]}: nothing but this machine is there in `make test`"
        )


sys.addaudithook(_no_network)


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PATH without anything that builds images."""
    from support.releases import path_without_builders

    return path_without_builders(tmp_path_factory.mktemp("tools") / "bin")


@pytest.fixture(scope="session")
def first(tmp_path_factory: pytest.TempPathFactory, tools: str) -> "tuple[Story, Told]":
    """A first release, tracked, where no image can be built; and what it told."""
    from support.releases import Story, enter, release, write

    folder = tmp_path_factory.mktemp("first")
    story = Story(write(folder / "project"), folder / "home")
    with environment.kept():
        os.environ["SLUICE_TRACKING_URI"] = f"sqlite:///{folder / 'home' / 'mlflow.db'}"
        enter(story, tools)
        return story, release()


@pytest.fixture(scope="session")
def promoted(
    first: "tuple[Story, Told]", tmp_path_factory: pytest.TempPathFactory, tools: str
) -> "tuple[Story, Told]":
    """The same with an image in the registry, so that the release goes on to its commit; and what
    it told.
    """
    from support.releases import copy, enter, keep_image, release

    story = copy(first[0], tmp_path_factory.mktemp("promoted"))
    with environment.kept():
        enter(story, tools)
        keep_image()
        return story, release()


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> "Story":
    """A project of which nothing was released, and an empty state folder."""
    from support.releases import Story, write

    folder = tmp_path_factory.mktemp("written")
    (folder / "home").mkdir()
    return Story(write(folder / "project"), folder / "home")


@pytest.fixture
def unreleased(written: "Story", tmp_path: Path) -> "Story":
    """The same for one test alone, and the place that its settings name."""
    from support.releases import copy

    story = copy(written, tmp_path)
    os.environ |= {"SLUICE_HOME": str(story.home), "SLUICE_PROJECT": str(story.project)}
    return story


@pytest.fixture
def sluice(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> "Iterator[Sluice]":
    """Runs a command in this process: `sluice("status", "--json")`."""
    from support.command_line import typed

    with typed(capsys, monkeypatch) as run:
        yield run
